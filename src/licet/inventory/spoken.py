"""A credential's life in words, the same on a terminal, a page and a picture. None of it is escaped yet."""

from __future__ import annotations

from licet.clock import iso
from licet.escape import counted
from licet.inventory.lifeline import Line
from licet.inventory.lineage import Made
from licet.inventory.model import Credential
from licet.inventory.trace import Trace, Version


def spell(seconds: float) -> str:
    """An interval to the second, in its two greatest units: `4 h 12 min`, `3 d`, `under 1 s`."""
    rest = int(seconds)
    parts: list[str] = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        number, rest = divmod(rest, size)
        if number or parts:
            parts.append(f"{number} {unit}" if number else "")
    return " ".join(filter(None, parts[:2])) or "under 1 s"


def late_words(line: Line) -> str:
    """How late a use was: `4 h 12 min after it was revoked`; empty for one in time."""
    if not line.late:
        return ""
    how = line.ended if line.ended.startswith("at ") else f"it was {line.ended}" if line.ended != "expired" else "it had expired"
    after = f"{spell(line.after)} after {how.removeprefix('at ')}"
    return after + {"grace": " (within the grace)", "denied": ", in vain", "failed": ", in vain", "after": ""}[line.late]


def times_words(line: Line) -> str:
    """How often, where that is more than once: `1,204 times until 17:20:11: `."""
    return f"{line.number:,} times until {iso(line.last)[11:19]}: " if line.number > 1 else ""


def name_of(credential: Credential) -> str:
    """What a credential is called: by its name, by what may be shown of its id, by its fingerprint."""
    shown = f"…{credential.shown}" if credential.shown else ""
    return " ".join(filter(None, (credential.name, shown, credential.uid)))


def made_words(made: Made) -> str:
    """By whom and with what it was made."""
    by = made.by or ("Licet, for calls of its own" if made.event.startswith("licet/") else "somebody whom no record names")
    shown = f" …{made.with_shown}" if made.with_shown else ""
    return f"made by {by}{f', with {made.credential}{shown}' if made.credential else ''}"


def child_words(made: Made) -> str:
    """What was made with it: `access key …PKAZ cred:… of USER: deleted`."""
    kind = made.kind.replace("_", " ") or "credential"
    shown = f" …{made.shown}" if made.shown else ""
    return f"{kind}{shown} {made.uid}{f' of {made.identity}' if made.identity else ''}{f': {made.status}' if made.status else ''}"


def title_of(found: Trace) -> str:
    """What it is, of whom, and in what state its newest version is."""
    newest = found.versions[-1]
    kind = newest.credential.kind.replace("_", " ") or "credential"
    whose = next((each.credential.identity for each in reversed(found.versions) if each.credential.identity), "")
    of = f" of {whose}" if whose else ""
    versions = f", {counted(len(found.versions), 'version')}" if len(found.versions) > 1 else ""
    return f"{kind} {name_of(newest.credential)}{of}: {newest.status}{versions}"


def version_words(version: Version) -> str:
    """One version: when it began and ended, and how often it was used."""
    life = version.credential
    began = f"issued {_day(life.issued)}" if life.issued else "issued: not known"
    ends = [("its job ended" if kind == "job_ended" else kind, time) for kind, time in version.ends]
    if life.expires and not any(kind == "expired" for kind, _ in ends):
        ends.append(("expires", life.expires))
    ended = "".join(f", {word} {_day(time)}" for word, time in ends)
    used = f", used {counted(version.uses, 'time')}" + (f" ({version.late:,} after its end)" if version.late else "")
    return f"{life.uid}{f' …{life.shown}' if life.shown else ''}: {began}{ended}{used}"


def _day(time: float) -> str:
    return iso(time)[:19].replace("T", " ") if time < 2**40 else "never"
