"""What stands behind each entry of the published catalogues: a drill that passed, something that was seen, a declaration, or nothing.

A row without a behaviour behind it is never green.
"""
