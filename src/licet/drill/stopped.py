"""Whether the guard made of an agent's calls what it had to: pure. What did not hold is said in a sentence, with the part to blame."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from licet.catalogue import LEARNED
from licet.drill.guarded import OWN, Acted, Made
from licet.drill.verdict import Failure
from licet.drill.work import Work

LIMIT: Final = 5.0
"""Within which store, ledger and spans must have what an agent did (seconds)."""

_GUARD: Final = "guard"
_DONE: Final = {"allow": "done", "deny": "denied"}
_ARRIVES: Final = {"allow": "success", "deny": "denied"}


def of_guard(  # noqa: PLR0917 - what there is of one drill
    work: Work, acted: Acted | None, owner: str, arrived: Collection[tuple[str, str]], taken: Mapping[str, Collection[str]],
    exported: Iterable[tuple[str, str, str, Any]], whys: Mapping[str, str] | None = None,
) -> Iterator[Failure]:  # fmt: skip
    """What does not hold.

    Args:
        owner: who must be named.
        arrived: operation and outcome of the uses that the inventory has of it.
        taken: by sink, ids of the findings that it says it has.
        exported: exporter, id and check of a finding, and what it is written as.
        whys: by sink, its address and why it took nothing.
    """
    if acted is None:
        yield Failure("nothing was done: there is no guard", (_GUARD,))
        return
    for number, made in enumerate(acted.made, 1):
        yield from _call(f"call {number}, `{made.call.tool}`,", made, owner, acted)
        if (f"tool:{made.call.tool}", _ARRIVES[made.call.outcome]) not in arrived:
            yield Failure(f"call {number}, `{made.call.tool}`, is not in the inventory as {_ARRIVES[made.call.outcome]}", (OWN,))
    if acted.agent != work.agent:
        yield Failure(f"the task is kept as that of {acted.agent or 'nobody'}", ("guard store",))
    if acted.seconds > LIMIT:
        yield Failure(f"what the guard keeps was there after {acted.seconds:.1f} s, and the limit is {LIMIT:g} s", ("time",))
    asked = {check for made in acted.made for check in made.call.checks}
    if not asked:
        for each in acted.findings:
            yield Failure(f"work within its intent has a finding: {each.check}", (f"check {each.check}",))
        return
    for each in acted.findings:
        for sink, ids in taken.items():
            if each.id not in ids:
                why = f": {whys[sink]}" if whys and sink in whys else ""
                yield Failure(f"the sink {sink} did not say that it has the guard's finding of {each.check}{why}", (f"sink {sink}",))
    for exporter, uid, check, form in exported:
        text = str(form)
        if uid not in text or check not in text:
            yield Failure(f"the exporter {exporter} leaves out what the guard's finding says", (f"exporter {exporter}",))


def _call(who: str, made: Made, owner: str, acted: Acted) -> Iterator[Failure]:
    call = made.call
    spoke = tuple(f"check {each}" for each in made.checks)
    if made.outcome != call.outcome:
        parts = tuple(f"check {each}" for each in sorted(call.checks)) or spoke
        yield Failure(f"{who} was {'allowed' if made.outcome == 'allow' else 'refused'}", parts)
    elif call.outcome == "allow" and made.checks:
        yield Failure(f"{who} is within the intent, and {', '.join(made.checks)} spoke", spoke)
    if made.ran is not (made.outcome == "allow"):
        yield Failure(f"{who} was decided to be {made.outcome}, and its tool was {'run' if made.ran else 'not run'}", (_GUARD,))
    for check in sorted(call.checks - set(made.checks)):
        yield Failure(f"{who} did not make {check} speak", (f"check {check}",))
    if made.status != _DONE.get(made.outcome, made.status):
        yield Failure(f"{who} is kept in the store as {made.status or 'nothing'}", ("guard store",))
    if not made.recorded:
        yield Failure(f"{who} has no record in the ledger that says the same", ("guard ledger",))
    if not made.span:
        yield Failure(f"{who} has no span that says the same", ("guard spans",))
    for check in sorted(call.checks & set(made.checks)):
        yield from _finding(who, check, made, owner, acted)


def _finding(who: str, check: str, made: Made, owner: str, acted: Acted) -> Iterator[Failure]:
    # What only flags is found once in a task.
    found = [each for each in acted.findings if each.check == check and (check in LEARNED or each.call_id == made.id)]
    if not found:
        yield Failure(f"{who} has no finding of {check}", ("guard store", f"check {check}"))
    for each in found:
        if each.owner != owner:
            yield Failure(f"the finding of {check} names {each.owner or 'nobody'} as the owner, and not {owner}", ("owners",))
        if each.task_id != acted.task:
            yield Failure(f"the finding of {check} does not name the task", ("guard store",))
