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


def novel_sources(found: frozenset[str], known: frozenset[str], *, content: bool = False, entered: bool = False) -> frozenset[str]:
    """The sources by which a leaf is new: somebody else chose it or a part of it, and no such leaf has come from there before.

    The user's own words and our own systems' values are nobody else's choice, and one known source is enough for the whole of a leaf. Of
    free text (`content`) only the addresses, links, accounts and secrets in it count: what it retells is its work. After untrusted content
    `entered`, a value from nowhere is new where all values so far were the user's or our own systems': plain words, sums and what was
    joined lose their origin on the way through the model.
    """
    whole = {each for each in found if "(" not in each}
    parts = {each for each in found - whole if each not in known}
    if any(_ours(each) for each in whole):
        return NOTHING
    if content or whole & known:
        return frozenset(parts)
    strange = {each for each in whole if somebodys(each)}
    if entered and whole == {"nowhere"} and known and all(map(_ours, known)):
        strange = whole
    return frozenset(parts | strange)


def _ours(source: str) -> bool:
    return source == "intent" or source.startswith("trusted ")
