"""What a new manifest allows more, less or otherwise than an old one, in words, each with its place.

In doubt a difference is `changed` and never `narrowed`: where all that is told of a tool in a task kind is `narrowed`, each call of it that
the new manifest lets pass the old one let pass too.
"""

from __future__ import annotations

from licet.learn.differences.checks import checks, reasons
from licet.learn.differences.flows import flows
from licet.learn.differences.found import Difference, Way
from licet.learn.differences.identities import identities, world
from licet.learn.differences.tasks import tasks
from licet.learn.differences.tools import tools
from licet.manifest import Manifest

__all__ = ["Difference", "Way", "differences"]


def differences(old: Manifest, new: Manifest) -> list[Difference]:
    """All of them, in the order of the manifest's sections. None where both say the same."""
    return [
        *world(old, new),
        *identities(old, new),
        *tools(old, new),
        *tasks(old, new),
        *flows(old, new),
        *checks(old, new),
        *reasons(old, new),
    ]
