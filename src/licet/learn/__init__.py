"""From recorded runs to what they have in common, and from that to a draft of a manifest that a person reviews."""
