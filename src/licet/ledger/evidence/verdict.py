"""What checking a file of evidence found, and how it is said: what holds, what is wrong, and what no proof can show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from licet.escape import counted, visible
from licet.ledger.check.faults import Fault
from licet.ledger.evidence.accounts import OF_TASKS, Account, Gap
from licet.ledger.evidence.covered import About

MAX_FAULTS = 1_000
_NOT_SHOWN = (
    (
        "That the log has no further record of this. A call or a task below that is left out would show, as each task's end "
        "says how many there were; of a task that has not ended, the last ones would not. Whoever holds the whole log can make sure."
    ),
    (
        "That whoever has the ledger's key left out nothing that has no number: questions to a person that were not answered with yes, "
        "texts that entered a task, delegations that were refused, calls that were refused before they had a number, tokens, revocations."
    ),
    (
        "That spans, graph and findings are as they were. They have the signature of whoever made the file, and agree with the records as "
        "far as both say the same."
    ),
    "That all that happened was recorded: what never went through the guard is in no log.",
)


@dataclass(slots=True)
class BundleVerdict:
    """What was found. `holds` and `not_shown` are sentences; `open` is what the evidence itself says that it leaves open."""

    about: About | None = None
    said: str = ""
    origin: str = ""
    size: int = 0
    root: bytes = b""
    signed_by: str = ""
    records: int = 0
    faults: list[Fault] = field(default_factory=list)
    more_faults: int = 0  # beyond those that are listed
    open: list[Gap] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    holds: list[str] = field(default_factory=list)
    not_shown: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def fault(self, code: str, sentence: str, seq: int = 0) -> None:
        """Take up what is wrong."""
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault(code, sentence, seq))
        else:
            self.more_faults += 1

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "ok": self.ok, "about": self.about.as_dict() if self.about else None, "origin": self.origin, "size": self.size,
            "root": self.root.hex(), "signed_by": self.signed_by, "records": self.records,
            "faults": [{"code": each.code, "sentence": each.sentence, "seq": each.seq} for each in self.faults],
            "more_faults": self.more_faults, "open": [gap._asdict() | {"sentence": gap.sentence()} for gap in self.open],
            "calls": [
                {"call": own.call, "task": own.task, "step": own.step, "tool": own.tool, "outcome": own.outcome, "status": own.status,
                 "reasons": own.reasons, "records": own.seqs, "agent": own.agent, "principal": own.principal, "time": own.time}
                for own in self.accounts
            ],
            "holds": self.holds, "not_shown": self.not_shown,
        }  # fmt: skip


def say(found: BundleVerdict) -> None:
    """Say what holds and what no proof can show, where nothing is wrong."""
    about = found.about
    if about is None or found.faults:
        return
    many = counted(found.records, "record")
    place = f"in the log {visible(found.origin, 300)}, at its place"
    found.holds.append(f"Each of the {many} is {place}, unaltered and in order, under its checkpoint of {found.size:,}.")
    found.holds.append(f"{counted(len(found.accounts), 'call')}: {_outcomes(found)}")
    found.holds += [gap.sentence()[0].upper() + gap.sentence()[1:] + "." for gap in found.open]
    if about.tasks and not any(gap.what in OF_TASKS for gap in found.open):
        found.holds.append("Every task is here from its beginning to its end, and its calls are numbered without a gap.")
    found.not_shown += _NOT_SHOWN


def _outcomes(found: BundleVerdict) -> str:
    counts: dict[str, int] = {}
    for own in found.accounts:
        word = own.status or own.outcome or "open"
        counts[word] = counts.get(word, 0) + 1
    return ", ".join(f"{number} {visible(word, 20)}" for word, number in sorted(counts.items())) + "." if counts else "none."
