"""Whose word counts for a credential. What happens to it is told by several sources, and not each may say everything.

- An operator's word counts everywhere: the lifecycle format, `licet credential`, what a manifest or an import declares.
- A platform's word counts for what it issued. Where another is known to have issued a credential, it neither renews nor binds it; but its
  word that something ended always counts, as who says to have issued a credential takes from nobody the word that it is over. (Ids whose
  form shows of which platform they are cannot be spoken of by others at all: readers see to that.)
- What Licet's own calls tell counts for what nobody else tells of. Spans are anybody's to send, and so they neither prolong, nor own, nor
  take over, nor end what a platform tells of, or of which an operator told how it began.

The events alone decide it, all that there are of the credential, and not the order in which they came.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from licet.events import LifecycleEvent

OPERATORS: Final = ("lifecycle", "declared")
"""Sources in which a person or a vault says what logs do not say."""

OWN: Final = "licet"
"""The source of Licet's own calls, out of a store or out of spans."""

_ISSUES: Final = ("issued", "created", "rotated")
_PROLONGS: Final = ("renewed", "bound")
_BEGINS: Final = (*_ISSUES, *_PROLONGS)
_SAME: Final = {"m365": "entra"}  # two logs of one directory


def unheard(credential: str, events: Sequence[LifecycleEvent]) -> list[LifecycleEvent]:
    """The events that have no effect on a credential.

    Args:
        credential: its fingerprint.
        events: all that are told of it, whether they have an effect or not.
    """
    sources = {each.source for each in events}
    if len(sources) == 1:
        return []
    issued = [each for each in events if each.credential == credential and each.outcome == "success" and each.kind in _ISSUES]
    issuers = {_platform(each.source) for each in issued if _is_platform(each.source)}
    own = not any(map(_is_platform, sources)) and not any(each.source in OPERATORS and each.kind in _BEGINS for each in events)
    return [each for each in events if not _counts(each, issuers, own=own)]


def _counts(event: LifecycleEvent, issuers: Collection[str], *, own: bool) -> bool:
    if event.source in OPERATORS:
        return True
    if event.source == OWN:
        return own
    return event.kind not in _PROLONGS or not issuers or _platform(event.source) in issuers


def _is_platform(source: str) -> bool:
    return source != OWN and source not in OPERATORS


def _platform(source: str) -> str:
    return _SAME.get(source, source)
