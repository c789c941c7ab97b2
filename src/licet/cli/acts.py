"""What the commands that change something share: who did it, and the ledger's record before it holds."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from licet.canonical import Plain
from licet.clock import iso
from licet.errors import UsageError
from licet.escape import visible
from licet.guard.account import end_fields
from licet.guard.clean import clean
from licet.guard.state import StateFolder, open_ledger
from licet.machine import user_name
from licet.manifest import duration
from licet.records import TaskRecord
from licet.secretlike import scrub
from licet.store import Store

LONGEST_REASON = 500  # characters
LONGEST_DAYS = 3_650


def actor() -> str:
    """Who gives the command, for records."""
    return f"command line, {user_name()}"


def reason(options: argparse.Namespace) -> str:
    """The `--reason`; empty if there is none.

    Raises:
        UsageError: it is too long, or says nothing.
    """
    if options.reason is None:
        return ""
    why = visible(scrub(options.reason.strip()), LONGEST_REASON)
    if not why or len(options.reason) > LONGEST_REASON:
        raise UsageError(f"--reason must say something, in at most {LONGEST_REASON} characters")
    return why


def seconds(text: str) -> float:
    """A duration such as `15m`, in seconds: an argument's type.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    try:
        found = duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if found.days > LONGEST_DAYS:
        raise argparse.ArgumentTypeError(f"must be at most {LONGEST_DAYS}d")
    return found.total_seconds()


def record(folder: StateFolder, kind: str, fields: Mapping[str, Plain], now: float) -> int:
    """Write one record to the ledger and the disk; its number. Do this first: what the ledger does not have has not happened.

    Raises:
        LedgerError: it cannot be written, and so the act must not be done.
    """
    ledger = open_ledger(folder)
    try:
        return ledger.append(kind, clean(fields), time=iso(now), durable=True)
    finally:
        ledger.close()


def end_task(folder: StateFolder, store: Store, task: TaskRecord, now: float) -> bool:
    """End a task, and revoke what it and the tasks below it issued; False if it had ended before."""
    if task.ended is not None:
        return False
    record(folder, "task.end", end_fields(task, store, actor(), "ended from the command line"), now)
    return store.end_task(task.id, now, actor())
