"""What a baseline remembers of where a value came from: not which call of which task, but the label and the tool."""

from __future__ import annotations

from licet.chain.keys import NAMES_SOMEBODY
from licet.chain.origin import Place, Trace
from licet.manifest.baseline import somebodys

__all__ = ["NOTHING", "novel_sources", "somebodys", "sources"]

NOTHING: frozenset[str] = frozenset()


def sources(trace: Trace) -> frozenset[str]:
    """From where one leaf of an argument came, as a baseline says it; nothing for a leaf that holds nothing to choose.

    Of a text in which only an address, a link, an account or a secret came from elsewhere, that part has a source of its own.
    """
    if trace.value is None or trace.value == "" or isinstance(trace.value, bool):
        return NOTHING
    out: set[str] = {kind for kind in trace.kinds if kind in ("intent", "nowhere", "unseen")}
    out.update(_of(place) for place in trace.places)
    if not trace.kinds & {"intent", "trusted"} and not any(part.whole for part in trace.parts):
        out.update(f"{_of(part.place)} ({part.what})" for part in trace.parts if part.what in NAMES_SOMEBODY)
    return frozenset(out)


def _of(place: Place) -> str:
    return f"{place.label} {place.tool}" if place.tool else "unseen"


def novel_sources(found: frozenset[str], known: frozenset[str]) -> frozenset[str]:
    """The sources by which a leaf is new: somebody else chose it or a part of it, and no such leaf has come from there before.

    The user's own words and our own systems' values are nobody else's choice, and one known source is enough for the whole of a leaf.
    """
    whole = {each for each in found if "(" not in each}
    parts = {each for each in found - whole if each not in known}
    if whole & {"intent"} or any(each.startswith("trusted ") for each in whole):
        return NOTHING
    strange = {each for each in whole if somebodys(each)}
    return frozenset(parts | (strange if strange and not whole & known else set()))
