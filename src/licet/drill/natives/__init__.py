"""Records as the platforms write them, one small file for each source. They carry no sign that they are of a drill."""
