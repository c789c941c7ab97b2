"""Every exception that Licet raises.

    LicetError
    ├── Denied              a guarded call was refused; carries the decision
    ├── UsageError          the program calls Licet wrongly (also a ValueError)
    ├── ManifestError       the manifest cannot be used; carries every problem found
    ├── SnapshotError       an argument cannot be frozen, so it cannot be judged
    ├── TicketSpent         a ticket was presented a second time
    └── StateError          Licet's own state cannot be used
        ├── StoreError      the store is locked, read-only, full or damaged
        ├── LedgerError     the ledger cannot be written, or does not verify
        └── KeyFileError    the signing key is missing, damaged or readable by others

What a program around an agent usually needs:

    try:
        send_email(to=..., body=...)
    except licet.Denied as denial:
        log(denial.decision.reasons)

Programmer mistakes (`UsageError`) and a hostile or broken world (the rest) never mix.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal

from licet.escape import visible
from licet.secretlike import scrub

if TYPE_CHECKING:
    from licet.records import Decision


_LONGEST = 1_000  # characters of one problem, as text


class LicetError(Exception):
    """Base of all errors raised by Licet."""


class Denied(LicetError):
    """A guarded call was refused; the tool did not run.

    `str()` is the text that is safe to hand to the model; `decision` says which checks refused and why.
    """

    def __init__(self, message: str, decision: Decision) -> None:
        super().__init__(message)
        self.decision = decision

    def __reduce__(self) -> tuple[type[Denied], tuple[str, Decision]]:
        return type(self), (str(self), self.decision)


class UsageError(LicetError, ValueError):
    """The program uses Licet in a way that cannot work; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or doubtful, in a manifest.

    `line` and `column` count from 1; 0 means that the place is not known. `fix` is empty where the message says what to do.
    """

    file: str
    line: int
    column: int
    key: str
    message: str
    fix: str
    severity: Literal["error", "warning"] = "error"
    code: str = "invalid"

    def __str__(self) -> str:
        # Keys and messages quote the file, and a traceback is a surface too.
        return visible(f"{self.place}{self.severity}: {self.sentence}", _LONGEST)

    @property
    def place(self) -> str:
        """`file:line:column: `, as far as it is known."""
        return f"{self.file}:{self.line}:{self.column}: " if self.line else f"{self.file}: "

    @property
    def sentence(self) -> str:
        """Key, message and fix, as far as there are any."""
        key = f"`{self.key}`: " if self.key else ""
        return f"{key}{self.message}" + (f"; {self.fix}" if self.fix else "")


class ManifestError(LicetError):
    """The manifest cannot be used. `problems` lists everything that was found, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))

    def __reduce__(self) -> tuple[type[ManifestError], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


class SnapshotError(LicetError):
    """An argument cannot be copied into plain data. `path` names it, for example `body.attachments[0]`."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"argument `{path}` {why}")
        self.path = path
        self.why = why


class TicketSpent(LicetError):
    """A ticket permits one execution, and this one has had it."""


class StateError(LicetError):
    """Licet's own state (store, ledger, keys) cannot be used."""


class StoreError(StateError):
    """The store is locked, read-only, full or damaged."""


class LedgerError(StateError):
    """The ledger cannot be written, or what is in it does not verify."""


class KeyFileError(StateError):
    """The key file is missing, damaged, or can be read by others."""


class KeySetError(StateError):
    """A set of public keys cannot be used."""


class TokenRefused(LicetError):
    """A token was refused. `str()` is one sentence for whoever presented it, and always the same.

    `check` (`token.*`) and `why` are for our own records; handed to a stranger, they would help to build a better forgery. `whose` says
    whose token it is, where that is certain (the issuer signed it): its id, task, agent and tool.
    """

    OUTWARD = "the token was refused"

    def __init__(self, check: str, why: str, whose: str = "") -> None:
        super().__init__(self.OUTWARD)
        self.check = check
        self.why = why
        self.whose = whose

    def __reduce__(self) -> tuple[type[TokenRefused], tuple[str, str, str]]:
        return type(self), (self.check, self.why, self.whose)


_FRAMES = 12


def traced(error: BaseException) -> str:
    """What a log may have of an error: what kind it is and where it came from. Its message can hold what a tool or an agent said.

    Of our own errors the message too, which is ours.
    """
    told: list[str] = []
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen and len(told) < 4:
        seen.add(id(at))
        said = f" ({visible(scrub(str(at)), _LONGEST)})" if isinstance(at, LicetError) else ""
        places = [
            f"{PurePath(code.co_filename).name}:{line} {code.co_name}"
            for code, line in ((frame.f_code, line) for frame, line in traceback.walk_tb(at.__traceback__))
        ]
        told.append(f"{visible(scrub(type(at).__qualname__), 100)}{said} at {' > '.join(places[-_FRAMES:]) or 'no place'}")
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return "; because of ".join(told)
