"""What explains a finding, for people: what to do first, then each reason, then the records that show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from licet.clock import iso
from licet.escape import counted, visible
from licet.events import LifecycleEvent, UseEvent
from licet.inventory.rows import lifecycle_of
from licet.inventory.store import Inventory
from licet.monitor.codes import CODES
from licet.monitor.ocsf_events import cited_events
from licet.records import Because, Evidence, Explanation

_ON_STANDARD_INPUT = "-:"


class Said(NamedTuple):
    """Who did what happened to an identity or credential, and why, as it was said; and with which credential, from where and with which
    program, where the same record is a use of his.
    """

    by: str
    reason: str
    credential: str = ""
    ip: str = ""
    agent: str = ""


def said_of(why: Explanation | None, inventory: Inventory | None) -> dict[str, Said]:
    """By the uid of what is cited, who did it and why, where somebody said so."""
    found: dict[str, Said] = {}
    if why is None or inventory is None:
        return found
    for cited in why.evidence:
        if "!" in cited.uid:  # of a lifecycle event; uses have none of both
            event = cited_events(inventory, cited)
            if isinstance(event, LifecycleEvent) and (event.by or event.reason):
                use = _use_of(event, inventory)
                how = (use.credential, use.ip, use.agent) if use is not None else ()
                found[cited.uid] = Said(event.by, event.reason, *how)
    return found


def _use_of(event: LifecycleEvent, inventory: Inventory) -> UseEvent | None:
    """The same record, as a use of who did it."""
    uses = inventory.uses(event.by, event.time, event.time) if event.by else ()
    native = event.native_id.partition("#")[0]
    return next((each for each in uses if (each.source, each.native_id) == (event.source, native)), None)


def since_then(why: Explanation, inventory: Inventory) -> Iterator[str]:
    """What of it is over by now: the identity was deleted, or what it was given was taken back, and by whom."""
    rows = inventory.rows(_CHANGES, (why.identity, min((each.time for each in why.because), default=0.0)))
    events = [event for (body,) in rows if (event := lifecycle_of(body)).outcome == "success"]
    cited = {each.uid for each in why.evidence}
    for privilege in dict.fromkeys(each.privilege for each in events if each.uid in cited and each.kind == "granted"):
        last = [each for each in events if each.privilege == privilege and each.kind in ("granted", "ungranted")][-1]
        if last.kind == "ungranted":
            yield f"{privilege} was taken back at {_by(last)}"
    lived = [each for each in events if each.kind in ("created", "deleted")]
    if lived and lived[-1].kind == "deleted":
        yield f"the identity was deleted at {_by(lived[-1])}"


_CHANGES: Final = (
    "SELECT body FROM lifecycle WHERE identity=? AND credential='' AND time>=?"
    " AND kind IN ('granted', 'ungranted', 'created', 'deleted') ORDER BY time, uid"
)


def _by(event: LifecycleEvent) -> str:
    return f"{iso(event.time)}{f' by {event.by}' if event.by else ''}"


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


def _told(said: Said | None, *, how: bool = False) -> str:
    """`how`: with where, with which program and with which credential, too."""
    if said is None:
        return ""
    parts = [f", by {said.by}" if said.by else ""]
    if how:
        parts += [
            f"from {said.ip}" if said.ip else "",
            f"with {said.agent}" if said.agent else "",
            said.credential and f"by {said.credential[:13]}",
        ]
    by = " ".join(each for each in parts if each)
    return visible(f"{by}{f': {said.reason}' if said.reason else ''}", 600)


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
    return visible(f"{when}{cited.role}: {cited.uid}{_told(said, how=True)}{digest}{f'  {place}' if place else ''}", 1_000)
