"""Who owns each credential, where it is used, and what became of it: the model, and the file that holds it."""
