"""Drafting a manifest from tools that exist. A source becomes a list of `DraftTool`; `render` writes one YAML text from it.

Every guess is on the safe side and carries a comment that says so. What a source says of itself is from outside: it is shown, escaped
and cut, and never relied on.
"""

from licet.draft.model import DraftArgument, Drafted, DraftTool
from licet.draft.render import render

__all__ = ["DraftArgument", "DraftTool", "Drafted", "render"]
