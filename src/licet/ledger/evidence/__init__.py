"""Evidence of one task, call or finding in one file (in-toto in DSSE), and checking it with a public key alone."""
