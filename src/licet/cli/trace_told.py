"""What `licet trace` says: the credential, its versions, its lines, and what is not known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from licet.cli import output
from licet.clock import iso, lasting
from licet.escape import counted
from licet.inventory.lifeline import Line
from licet.inventory.spoken import child_words, late_words, made_words, times_words, title_of, version_words
from licet.inventory.trace import Trace

_STYLES: dict[str, output.Style] = {"after": "red", "grace": "yellow", "denied": "yellow", "failed": "yellow"}


def as_data(found: Trace) -> dict[str, Any]:
    """The trace as plain data; times are RFC 3339."""
    return {
        "asked": list(found.asked), "title": title_of(found), "grace_seconds": found.grace, "summed": found.summed, "used_late": found.late,
        "owner": None if found.owner is None else {
            "uid": found.owner[0].uid, "name": found.owner[0].name, "contact": found.owner[0].contact,
            "source": found.owner[1].source, "confidence": found.owner[1].confidence,
        },
        "versions": [
            {
                "credential": each.credential.uid, "kind": each.credential.kind, "identity": each.credential.identity,
                "name": each.credential.name, "shown": each.credential.shown, "status": each.status, "uses": each.uses,
                "used_late": each.late, "generation": each.credential.generation, "supersedes": each.credential.supersedes,
                "workload": each.credential.workload,
            } | {word: _time(getattr(each.credential, word)) for word in ("issued", "expires", "rotated", "revoked", "ended")}
            | {"first_use": _time(each.first_use), "last_use": _time(each.last_use)}
            for each in found.versions
        ],
        "lineage": [_made(each) for each in found.lineage], "made_with_it": [_made(each) for each in found.children],
        "lines": [_line(each) for each in found.lines],
        "holes": [
            {"what": hole.what, "credential": hole.credential, "since": _time(hole.since), "until": _time(hole.until), "said": hole.said}
            for hole in found.holes
        ],
        "heard_until": {source: _time(last) for source, last in found.heard.items()},
    }  # fmt: skip


def tell(found: Trace) -> None:
    """Print it."""
    output.say(output.paint(title_of(found), "bold"))
    if found.owner is not None:
        owner, own = found.owner
        output.say(f"  owner: {owner.name or owner.uid} {owner.contact} ({own.source}, confidence {own.confidence:g})")
    for number, version in enumerate(found.versions, 1):
        output.say(f"  version {number} of {len(found.versions)}: {version_words(version)}" if len(found.versions) > 1 else
                   f"  {version_words(version)}")  # fmt: skip
    for made in found.lineage:
        output.say(f"  {made_words(made)}, {iso(made.time)}")
    for made in found.children:
        output.say(f"  made with it: {child_words(made)}, {iso(made.time)}")
    output.say()
    numbers = {version.credential.uid: number for number, version in enumerate(found.versions, 1)}
    day = ""
    for line in found.lines:
        date, moment = iso(line.time).rstrip("Z").split("T")
        said = f"{date if date != day else '          '}  {moment[:8]}  "
        day = date
        words = (f"v{numbers[line.credential]} " if len(numbers) > 1 else "") + _words(line)
        output.say(said, output.paint(words, _STYLES[line.late]) if line.late else words)
    if found.lines:
        output.say()
    for sentence in _ending(found):
        output.say(sentence)


def _ending(found: Trace) -> Iterator[str]:
    if found.late:
        times = counted(found.late, "time")
        yield output.paint(f"used {times} after its end (grace: {lasting(found.grace)})", "red")
    for hole in found.holes:
        of = f" ({hole.credential})" if hole.credential and len(found.versions) > 1 else ""
        between = f"{iso(hole.since)} to {iso(hole.until)}: " if hole.what == "silence" else ""
        yield output.paint(f"not known: {between}{hole.said}{of}", "yellow")
    if not found.holes:
        ended = found.versions[-1].status not in ("active", "unknown")
        yield f"no hole: its issuance is known, {'its end too, ' if ended else ''}and its sources were not silent meanwhile"
    for source, last in found.heard.items():
        yield output.paint(f"{source} was heard of until {iso(last)}; what happened later is not known", "dim")
    if found.summed:
        yield output.paint(
            "uses of one day and place are one line, but for what changes rights or logging, or reads secrets; `--all` has each",
            "dim",
        )


def _words(line: Line) -> str:
    if line.kind != "used":
        return f"{line.kind.replace('_', ' '):<11} {line.what}".rstrip()
    outcome = "" if line.outcome == "success" else f"  {line.outcome}"
    place = "  ".join(filter(None, (line.account, line.region, line.ip or line.network, line.agent)))
    return f"{'used':<11} {times_words(line)}{line.what}{outcome}  {place}  {late_words(line)}".rstrip()


def _line(line: Line) -> dict[str, Any]:
    told = {key: value for key, value in line._asdict().items() if value not in ("", 0, 0.0)}
    return told | {"time": _time(line.time), "last": _time(line.last), "outcome": line.outcome}


def _made(made: Any) -> dict[str, Any]:
    return dict(made._asdict()) | {"time": _time(made.time)}


def _time(seconds: float) -> str | None:
    return iso(seconds) if 0 < seconds < 2**40 else None
