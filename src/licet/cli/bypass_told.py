"""What `licet bypass` prints."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from licet.bypass.causes import Unseen
from licet.bypass.coverage import Coverage, Run
from licet.bypass.looks import Look
from licet.bypass.matching import WAYS, Match
from licet.bypass.used import Direct, Used
from licet.bypass.verified import Verified, Wrong
from licet.cli import output
from licet.clock import iso, lasting
from licet.escape import counted, visible

_SHOWN: Final = 20
_ID: Final = 12


def tell(covered: Coverage | None, accepted: Verified | None, used: Used | None, *, whole: bool) -> None:
    """Print it in words; what is not seen first."""
    most = None if whole else _SHOWN
    if covered is not None:
        _tell_spans(covered, most)
    if accepted is not None:
        _lead(accepted.sentence, bad=bool(accepted.wrong), none=not accepted.accepted)
        for wrong in accepted.wrong[:most]:
            token = f"token {visible(wrong.accepted.jti, 64)}  {visible(wrong.accepted.place, 200)}"
            _line(wrong.accepted.time, wrong.accepted.tool or "a tool", f"{token}: {visible(wrong.why, 300)}")
        _more(len(accepted.wrong), most, "token")
    if used is not None:
        _lead(used.sentence, bad=bool(used.direct), none=not used.uses)
        for direct in used.direct[:most]:
            use = direct.use
            _line(use.time, use.operation, f"{visible(use.identity, 200)}  {visible(use.uid, 200)}: {visible(direct.why, 400)}")
        _more(len(used.direct), most, "use")
        if used.before:
            output.say(f"not compared: {counted(used.before, 'use')} of before the guard's first call that is known")


def _tell_spans(covered: Coverage, most: int | None) -> None:
    _lead(covered.sentence, bad=covered.whole is False, none=not covered.ran)
    lost = [run for run in covered.runs if run.unseen]
    for run in lost[:most]:
        output.say(output.paint(_run(run), "bold"), f": {run.sentence}")
        for each in run.unseen[:most]:
            _line(each.ran.started, each.ran.tool, f"span {each.ran.place[1]}  {each.cause.code}: {visible(each.cause.sentence, 500)}")
        _more(len(run.unseen), most, "call")
    _more(len(lost), most, "run")
    for match in covered.defied[:most]:
        _line(match.ran.started, match.ran.tool, f"span {match.ran.place[1]}  ran though the guard denied it: call {match.look.id}")
    if covered.ran:
        _tell_seen(covered, whole=not lost)
    if covered.elsewhere:
        output.say(
            f"not compared: {counted(covered.elsewhere, 'call')} that the guard saw at that time, in runs without a framework's span"
        )


def _tell_seen(covered: Coverage, *, whole: bool) -> None:
    """What the rest was matched by, and what a reader must know of that."""
    seen = [run for run in covered.runs if not run.unseen]
    if seen and not whole:
        output.say(f"{counted(len(seen), 'run')} with nothing unseen ({counted(sum(run.ran for run in seen), 'call')})")
    ways = covered.found.by_way
    if ways:
        output.say("matched by ", ", ".join(f"{way} ({ways[way]:,})" for way in WAYS if ways[way]))
    by = Counter(match.look.by for match in covered.found.matches)
    if by["spans"] and len(by) > 1:
        output.say(f"{counted(by['spans'], 'call')} of the guard's by spans only, which anybody can write; the others by store or ledger")
    for process, seconds in covered.found.skew.items():
        side = f"{lasting(abs(seconds))} {'behind' if seconds > 0 else 'ahead of'} the guard's"
        output.say(f"the clock of service {visible(process.service or 'unnamed', 60)} is {side}; reckoned with")
    spare = sum(len(run.spare) for run in covered.runs)
    if spare:
        what = f"{counted(spare, 'call')} that the guard saw in these runs"
        output.say(f"no bypass: of {what} no framework's span is here: sampled away or dropped")


def _lead(sentence: str, *, bad: bool, none: bool) -> None:
    output.say(output.paint(sentence, "red" if bad else "yellow" if none else "green"))


def _line(time: float, name: str, rest: str) -> None:
    output.say(f"    {iso(time)}  " if time else "    ", output.paint(visible(name, 100), "bold"), f"  {rest}")


def _run(run: Run) -> str:
    what = "trace" if run.key in run.traces else "conversation"
    tasks = f", task {', '.join(each[:_ID] for each in run.tasks[:3])}{', ...' if len(run.tasks) > 3 else ''}" if run.tasks else ", no task"
    return f"{what} {visible(run.key, 64)}{tasks}"


def _more(number: int, most: int | None, what: str) -> None:
    if most is not None and number > most:
        output.say(f"    and {counted(number - most, f'more {what}')}; `--all` has all")


def as_data(covered: Coverage | None, accepted: Verified | None, used: Used | None, unreadable: int) -> dict[str, Any]:
    """As plain data."""
    told: dict[str, Any] = {"unreadable": unreadable}
    if covered is not None:
        told["calls"] = {
            "ran": covered.ran, "unseen": len(covered.unseen), "sentence": covered.sentence,
            "matched_by": {way: covered.found.by_way[way] for way in WAYS},
            "known_by": dict(sorted(Counter(match.look.by for match in covered.found.matches).items())),
            "skew": [{**process._asdict(), "seconds": round(seconds, 3)} for process, seconds in covered.found.skew.items()],
            "without_framework_spans": covered.elsewhere,
            "ran_though_denied": [_match(each) for each in covered.defied],
            "runs": [_run_data(run) for run in covered.runs],
        }  # fmt: skip
    if accepted is not None:
        told["verified"] = {
            "accepted": accepted.accepted,
            "sentence": accepted.sentence,
            "of_no_call": [_wrong(each) for each in accepted.wrong],
        }
    if used is not None:
        told["used"] = {
            "uses": used.uses, "sentence": used.sentence, "before": used.before, "behind_no_call": [_direct(each) for each in used.direct]
        }  # fmt: skip
    return told


def _run_data(run: Run) -> dict[str, Any]:
    return {
        "run": run.key, "traces": list(run.traces), "tasks": list(run.tasks), "ran": run.ran, "sentence": run.sentence,
        "unseen": [_unseen(each) for each in run.unseen], "seen": [_match(each) for each in run.matches],
        "no_framework_span": [_look(each) for each in run.spare],
    }  # fmt: skip


def _unseen(each: Unseen) -> dict[str, Any]:
    ran = each.ran
    return {
        "tool": ran.tool, "time": iso(ran.started), "trace_id": ran.trace, "span_id": ran.place[1], "call_id": ran.call_id,
        "process": ran.process._asdict(), "place": ran.where, "cause": each.cause.code, "why": each.cause.sentence,
    }  # fmt: skip


def _match(match: Match) -> dict[str, Any]:
    return {"tool": match.ran.tool, "trace_id": match.ran.trace, "span_id": match.ran.place[1], "by": match.way, "guard": _look(match.look)}


def _look(look: Look) -> dict[str, Any]:
    return {
        "call": look.id, "task": look.task, "tool": look.tool, "time": iso(look.started), "trace_id": look.trace, "span_id": look.place[1],
        "denied": look.denied, "known_by": look.by,
    }  # fmt: skip


def _wrong(each: Wrong) -> dict[str, Any]:
    return each.accepted._asdict() | {"time": iso(each.accepted.time) if each.accepted.time else None, "why": each.why}


def _direct(each: Direct) -> dict[str, Any]:
    use = each.use
    return {
        "event": use.uid, "time": iso(use.time), "identity": use.identity, "credential": use.credential, "operation": use.operation,
        "resource": use.resource, "ip": use.ip, "tools": list(each.tools), "digest": use.digest, "place": use.place, "why": each.why,
    }  # fmt: skip
