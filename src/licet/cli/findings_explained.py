"""What explains a finding, for people: what to do first, then each reason, then the records that show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from licet.clock import iso
from licet.escape import counted, visible
from licet.events import LifecycleEvent
from licet.inventory.store import Inventory
from licet.monitor.codes import CODES
from licet.monitor.ocsf_events import cited_events
from licet.records import Because, Evidence, Explanation

_ON_STANDARD_INPUT = "-:"


class Said(NamedTuple):
    """Who did what happened to an identity or credential, and why, as it was said."""

    by: str
    reason: str


def said_of(why: Explanation | None, inventory: Inventory | None) -> dict[str, Said]:
    """By the uid of what is cited, who did it and why, where somebody said so."""
    found: dict[str, Said] = {}
    for cited in why.evidence if why is not None and inventory is not None else ():
        if "!" in cited.uid:  # of a lifecycle event; uses have none of both
            event = cited_events(inventory, cited) if inventory is not None else None
            if isinstance(event, LifecycleEvent) and (event.by or event.reason):
                found[cited.uid] = Said(event.by, event.reason)
    return found


def explained(why: Explanation, words: Mapping[str, Said], most: int | None) -> Iterator[str]:
    """The lines.

    Args:
        why: the explanation.
        words: of what is cited, as `said_of` has them.
        most: pieces of evidence, and reasons that are alike, that are told; None: all.
    """
    yield from _titled("what to do:", why.actions)
    yield "because:"
    by_time = {each.time: words[each.uid] for each in why.evidence if each.uid in words}
    for code in why.codes:
        yield from _alike(code, [each for each in why.because if each.code == code], by_time, _shown_by(why), most)
    yield from _titled("what speaks against it:", why.counter)
    yield "evidence:"
    chosen = _chosen(why.evidence, most)
    for cited in chosen:
        yield f"  {_evidence(cited, words.get(cited.uid))}"
    if len(why.evidence) > len(chosen):
        yield f"  and {len(why.evidence) - len(chosen):,} more: --all"


def _shown_by(why: Explanation) -> dict[float, str]:
    """By time, which event shows what was so then."""
    return {each.time: each.uid for each in reversed(why.evidence) if not each.body}


def _titled(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield title
        yield from (f"  {visible(line, 1_000)}" for line in lines)


def _alike(
    code: str, reasons: Sequence[Because], words: Mapping[float, Said], events: Mapping[float, str], most: int | None
) -> Iterator[str]:  # fmt: skip
    """Those of one code: what was expected stands once where it is the same, and the same words are told apart by their events."""
    same = Counter(each.observed for each in reasons)
    yield f"  {iso(reasons[0].time)}  {code}: {CODES[code].title if code in CODES else ''}"
    expected = ""
    for number, each in enumerate(reasons[:most]):
        event = f"  [{visible(events[each.time], 200)}]" if same[each.observed] > 1 and each.time in events else ""
        yield f"    observed: {f'{iso(each.time)}  ' if number else ''}{visible(each.observed, 1_000)}{event}"
        text = _expected(each, words)
        if text != expected:
            yield f"    expected: {text}"
        expected = text
        if each.number > 1:
            yield f"    seen {each.number:,} times, last at {iso(each.last)}"
    if most is not None and len(reasons) > most:
        yield f"    and {len(reasons) - most:,} more alike: --all"


def _expected(each: Because, words: Mapping[float, Said]) -> str:
    since = f", since {iso(each.since)}" if each.since else ""
    sample = f", on {counted(each.sample, 'event')}" if each.sample else ""
    told = words.get(each.since) if each.basis == "lifecycle" and each.since else None
    return f"{visible(each.expected, 1_000)} ({each.basis}{since}{sample}{_told(told)})"


def _told(said: Said | None) -> str:
    if said is None:
        return ""
    return visible(f"{f', by {said.by}' if said.by else ''}{f': {said.reason}' if said.reason else ''}", 600)


def _chosen(evidence: Sequence[Evidence], most: int | None) -> list[Evidence]:
    """The first of them, in which each role that there is stands once if it can."""
    if most is None or len(evidence) <= most:
        return list(evidence)
    firsts = list({each.role: each for each in reversed(evidence)}.values())[::-1][:most]
    room = most - len(firsts)
    others = [each for each in evidence if each not in firsts][:room]
    return [each for each in evidence if each in firsts or each in others]


def _evidence(cited: Evidence, said: Said | None) -> str:
    when = f"{iso(cited.time)}  " if not cited.body else ""
    digest = f"  sha256:{cited.digest[:16]}…" if cited.digest else ""
    place = "standard input, or the command line" if cited.place.startswith(_ON_STANDARD_INPUT) else cited.place
    return visible(f"{when}{cited.role}: {cited.uid}{_told(said)}{digest}{f'  {place}' if place else ''}", 1_000)
