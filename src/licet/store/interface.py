"""The store as the guard sees it, so that other databases can stand behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Protocol

from licet.records import CallRecord, CallStatus, Claim, Decision, Finding, Mark, Revocation, TaskRecord
from licet.store.purge import Purge


class Transaction(Protocol):
    """One atomic step: what is read here cannot change before what is written here stands."""

    def task(self, task_id: str) -> TaskRecord | None:
        """The task, or None."""

    def measure(self, claim: Claim, now: float) -> Decimal:
        """What the budget of `claim` would stand at after it."""

    def reserve(self, claim: Claim, now: float) -> Claim:
        """Take what `claim` says. The answer is what was taken anew, for `release`."""

    def release(self, claim: Claim, now: float) -> None:
        """Give back what `reserve` took at `now`."""

    def ask(self, task_id: str, tool: str) -> None:
        """Count a question to a person."""

    def last_tool(self, task_id: str) -> str | None:
        """The tool of the task's last completed call."""

    def last_tool_under(self, task_id: str) -> str | None:
        """The tool of the last completed call of the task and all its sub-tasks."""

    def tree_calls(self, root: str) -> int:
        """How many calls the task `root` and its sub-tasks have made, in any process."""

    def add_call(self, call: CallRecord, root: str = "") -> int:
        """Keep a call, and count it for the task tree `root`; the answer is its number within the task, from 1.

        One that has a number, since it is read back from elsewhere, keeps it.
        """

    def waiting(self, task_id: str, framework: str, call_id: str, tool: str, args_digest: str) -> CallRecord | None:
        """The newest call of this identity that is suspended, or asked and not answered."""

    def take_up(self, call_id: str, jti: str = "") -> bool:
        """Let a waiting call run, with the token `jti`; False if it no longer waits, because somebody else took it up."""

    def glass_broken(self, kind: str, now: float) -> bool:
        """Whether somebody has broken the glass for this task kind, and the time is not over."""

    def revoked(self, marks: Sequence[Mark], now: float) -> Revocation | None:
        """The first of the marks that is on the deny list at `now`."""

    def asked(self, task_id: str) -> tuple[int, frozenset[str]]:
        """How often a person was asked in this task, and for which tools the answer was no."""


class JudgingStore(Protocol):
    """What judging needs of a store. All failures are raised as `StoreError`."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Begin an atomic step; it is undone if the block raises."""

    def refuse(self, task_id: str, tool: str) -> None:
        """Remember that a person refused a call of `tool` in this task."""

    def taint(self, store: str, values: Sequence[str], task_id: str, call_id: str) -> None:
        """Remember, for good, that a call wrote these values (keyed digests) into `store` without having them from the intent or trust."""

    def tainted(self, store: str, values: Sequence[str]) -> Sequence[str]:
        """Which of the values are remembered so."""


class Store(JudgingStore, Protocol):
    """All failures are raised as `StoreError`."""

    def begin_task(self, task: TaskRecord) -> None:
        """Keep a new task."""

    def end_task(self, task_id: str, time: float, by: str) -> bool:
        """End a task, and revoke in the same step all that it and the tasks below it issued; False if it had ended, or is not known."""

    def pause_task(self, task_id: str, seconds: float) -> None:
        """Add waiting time that does not count against the time to live."""

    def update_call(
        self,
        call_id: str,
        *,
        status: CallStatus,
        ended: float | None = None,
        result_digest: str = "",
        error_type: str = "",
        jti: str = "",
        trace_id: str = "",
        span_id: str = "",
        attributes: str = "",
        decision: Decision | None = None,
        ledger: int = 0,
    ) -> None:
        """What became of a call. Empty values leave what is there."""

    def running(self) -> Sequence[str]:
        """The ids of the calls that run: that began, and have not ended as far as the store knows."""

    def settle_call(self, call_id: str, ended: float, ledger: int) -> bool:
        """A call whose process has ended: what came of it is unknown, if it is running still; else False. `ledger`: its intent's record."""

    def add_finding(self, finding: Finding) -> None:
        """Keep a finding, once: one of the same id is kept already. Without an owner it is for the owner of its task's agent."""

    def break_glass(self, kind: str, until: float, reason: str, by: str, now: float) -> None:
        """Let tasks of this kind run in observe mode until `until`."""

    def spend(self, jti: str, until: float, marks: Sequence[Mark], now: float) -> Revocation | bool:
        """Use a token up, in one atomic step: the `Revocation` of one of its marks, or False if it was used before, or True.

        `until`: when the token is dead, and may be forgotten (seconds since the epoch). What is revoked is not used up.
        """

    def revoke(self, revocation: Revocation) -> bool:
        """Put a mark on the deny list; False if it stood there already, and then the earlier entry stays, as long as the later of both."""

    def revoked(self, marks: Sequence[Mark], now: float) -> Revocation | None:
        """The first of the marks that is on the deny list at `now`."""

    def revocations(self, now: float) -> Sequence[Revocation]:
        """The deny list, oldest first."""

    def is_spent(self, jti: str) -> bool:
        """Whether `spend` has used a token up, as far as it is remembered; nothing is changed."""

    def issued(self, mark: Mark, since: float) -> int | None:
        """How many tokens calls were given since then that carry a mark; None if the records do not say, as for a key."""

    def made(self, task_id: str) -> tuple[int, int]:
        """How many calls a task has made, by the number of the last, and how many tasks were delegated from it."""

    def has_agent(self, name: str) -> bool:
        """Whether there is a task of this agent."""

    def task(self, task_id: str) -> TaskRecord | None:
        """The task, or None."""

    def tasks_like(self, prefix: str, limit: int = 10) -> Sequence[str]:
        """The ids that begin with `prefix`, at most `limit` of them."""

    def tasks(self, limit: int = 50) -> Sequence[TaskRecord]:
        """The newest tasks first."""

    def tasks_after(self, last: TaskRecord | None, limit: int = 500) -> Sequence[TaskRecord]:
        """The tasks that began after `last`, oldest first, at most `limit`: for going through all of them, page by page."""

    def family(self, task_id: str) -> Sequence[TaskRecord]:
        """The task and all tasks that were delegated from it, parents before children."""

    def connected(self, task_id: str, limit: int = 200) -> Sequence[TaskRecord]:
        """The task and those of its transaction or its trace, of any process: oldest first, parents before children, at most `limit`."""

    def calls(self, task_id: str) -> Sequence[CallRecord]:
        """The calls of one task, in order."""

    def findings(self, task_id: str | None = None) -> Sequence[Finding]:
        """Findings, oldest first; all of them, or those of one task."""

    def tasks_of(self, principal: str) -> Sequence[str]:
        """The ids of the tasks of a principal, the youngest first."""

    def living(self, tasks: Sequence[str], now: float) -> Sequence[str]:
        """Which of the tasks are open or wait for a person, or belong to a transaction in which one does: their rows must stay."""

    def purgeable(self, purge: Purge) -> Counter[str]:
        """How many spans and rows there are to go, by kind. Nothing is changed."""

    def purge(self, purge: Purge) -> Iterator[Counter[str]]:
        """Delete them, step by step; each answer is what one step took away. What a decision still needs stays, whatever `purge` says."""

    def shrink(self, *, compact: bool = False) -> Iterator[str]:
        """See to it that what was deleted is in no file any more; each answer is a sentence of what could not be done.

        `compact`: however long others wait for it.
        """

    def close(self) -> None:
        """Let go of files. Closing twice is harmless."""
