"""Taking a drill back out of the inventory: its records by their digests, and who was drawn for it. Nothing else goes.

What somebody else did under the drill's names stays, and is judged: the names alone are no excuse.
"""
