"""What evidence says that it is about, held against its records: an honest file says it of what it has, and of nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from licet.escape import visible
from licet.ledger.evidence.covered import About

if TYPE_CHECKING:
    from licet.ledger.evidence.verdict import BundleVerdict


def check_about(found: BundleVerdict, records: Sequence[Mapping[str, Any]]) -> None:
    """Take up each contradiction. That a finding is there and cites a record is held against the findings, and what is missing of tasks
    and calls against what the file leaves open.
    """
    about = found.about
    if about is None:
        return
    if not records:
        found.fault("removed", "there is no record in it: it shows nothing")
        return
    if about.kind != "finding" and about.id not in (named := about.tasks if about.kind == "task" else about.calls):
        what = ", ".join(visible(each, 40) for each in named[:5]) or "none"
        found.fault("contradicted", f"it says that it is about {about.kind} {visible(about.id, 40)}, and has the records of {what}")
    if about.kind == "call" and about.tasks:
        found.fault("contradicted", "it says that it is about a call, and has all records of a task")
    called = {_text(record, "call") for record in records}
    for call in about.calls:
        if call not in called:
            found.fault("removed", f"there is no record of call {visible(call, 40)}, which this is about")
    numbers = {seq for record in records if type(seq := record.get("seq")) is int}
    for seq in about.seqs:
        if seq not in numbers:
            found.fault("removed", f"record {seq}, which this is about, is not here", seq)
    _family(found, about, records)
    _transaction(found, about, records)


def _family(found: BundleVerdict, about: About, records: Sequence[Mapping[str, Any]]) -> None:
    """The first task is the one that was asked for, the others were delegated below it, and `above` are those that delegated."""
    parents = {_text(record, "task"): _text(record, "parent") for record in records if record.get("kind") == "task.begin"}
    if about.kind == "task" and about.id in about.tasks[1:]:
        why = f"it says that it is about task {visible(about.id, 40)}, and task {visible(about.tasks[0], 40)} stands above that"
        found.fault("contradicted", why)
    family = set(about.tasks[:1])
    for task in about.tasks[1:]:
        if parents.get(task) not in family:
            found.fault(
                "contradicted", f"nothing here says that task {visible(task, 40)} was delegated below {visible(about.tasks[0], 40)}"
            )
        family.add(task)
    of_calls = {_text(record, "task") for record in records if _text(record, "call") in about.calls}
    delegated = {*parents.values(), *of_calls}
    for task in about.above:
        if task not in delegated:
            found.fault("contradicted", f"nothing here says that task {visible(task, 40)} delegated to what this is about")


def _transaction(found: BundleVerdict, about: About, records: Sequence[Mapping[str, Any]]) -> None:
    """All records of tasks are of one transaction."""
    for record in records:
        txn, seq = record.get("txn"), record.get("seq")
        if record.get("task") and isinstance(txn, str) and txn != about.txn and seq not in about.seqs:
            why = f"record {seq} is of transaction {visible(txn, 40)}, and not of {visible(about.txn, 40) or 'none'}, which this is about"
            found.fault("contradicted", why, seq if type(seq) is int else 0)
            return


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    return value if isinstance(value, str) else ""
