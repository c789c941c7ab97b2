"""Fields as the ledger may have them: every text fit for a line, and without what looks like a secret."""

from __future__ import annotations

from collections.abc import Mapping

from licet.canonical import Plain, recordable

MAX_TEXT = 20_000  # characters of one field; names and intents are shorter
# `key` and `value` are of acts: the key that was rotated or retired, and what was revoked.
OURS = frozenset(
    "call task txn parent args result intent text reason manifest jti mac kid holder key value contents trace_id span_id cut "  # noqa: SIM905
    "agent_is sub_is access outcome judged mode status prev".split()
)
"""Fields that hold ids, digests, names of keys and words of ours: what the guard made itself, and what may look like a secret by chance."""


class Clean(dict[str, Plain]):
    """Fields that `clean` has made. They are shared between records, and never changed."""


def clean(fields: Mapping[str, Plain], *others: Mapping[str, Plain] | None) -> Clean:
    """The fields, and those of `others` that they do not have themselves. An exception's class and an approver's name can be any text."""
    found = Clean()
    for each in reversed(others):
        if each:
            found.update(each if type(each) is Clean else _cleaned(each))
    found.update(fields if type(fields) is Clean else _cleaned(fields))
    return found


def _cleaned(fields: Mapping[str, Plain]) -> dict[str, Plain]:
    return {name: value if name in OURS else _outward(value) for name, value in fields.items()}


def _outward(value: Plain) -> Plain:
    if isinstance(value, str):
        return recordable(value, MAX_TEXT)
    if isinstance(value, list):
        return [_outward(item) for item in value]
    return {recordable(name): _outward(item) for name, item in value.items()} if isinstance(value, dict) else value
