"""What is read and not kept yet, and what a run comes to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from licet.events import LifecycleEvent, UseEvent
from licet.inventory.step import Kept, Refused

_MOST_CAUSES: Final = 200  # that are told apart
_OTHERS: Final = "other causes"
_LONGEST_CAUSE: Final = 200  # characters


@dataclass(slots=True)
class Batch:
    """Events, and all that is kept in the same step."""

    uses: list[UseEvent] = field(default_factory=list)
    lifecycle: list[LifecycleEvent] = field(default_factory=list)
    shown: dict[str, str] = field(default_factory=dict)
    refused: dict[tuple[str, str], Refused] = field(default_factory=dict)
    cursors: dict[str, dict[str, Any]] = field(default_factory=dict)
    passed: int = 0
    records: int = 0
    size: int = 0
    """Bytes of the records."""


@dataclass(slots=True)
class Report:
    """What came of a run.

    Attributes:
        records: that were read, whatever came of them.
        refused: by cause: how many, and `file:line` of the first.
        stuck: by file: why the rest of it could not be read. It is tried again at the next run.
        passed: records that are none of our affair, by cause.
        files: that were read; `continued`: of them, those that an earlier run began; `unchanged`: that were as the last run had left them;
            `unreadable`: by name, why not.
    """

    records: int = 0
    kept: Kept = field(default_factory=Kept)
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)
    stuck: dict[str, str] = field(default_factory=dict)
    passed: Counter[str] = field(default_factory=Counter)
    files: int = 0
    continued: int = 0
    unchanged: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)

    def add(self, kept: Kept) -> None:
        """A step was kept."""
        self.kept = Kept(*(one + other for one, other in zip(self.kept, kept, strict=True)))

    def refuse(self, batch: Batch, cause: str, file: str, line: int, known: str = "") -> None:
        """A record was refused. `known`: what the inventory calls the file, if not so."""
        cause = cause[:_LONGEST_CAUSE]
        if cause not in self.refused and len(self.refused) >= _MOST_CAUSES:
            cause = _OTHERS
        number, first = self.refused.get(cause, (0, f"{file}:{line}"))
        self.refused[cause] = (number + 1, first)
        kept = known or file
        found = batch.refused.get((cause, kept))
        batch.refused[cause, kept] = Refused(cause, kept, line) if found is None else found._replace(number=found.number + 1)

    @property
    def well(self) -> bool:
        """Whether all that was there could be used."""
        return not (self.refused or self.stuck or self.unreadable)
