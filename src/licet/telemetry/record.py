"""`licet.record`: what the graph and the findings need of a call or a task, as one text on its span, and the strict way back.

Compact JSON, version 1. It holds names, digests, reasons and places, and never what a person said or who he is: of a task no intent, no
principal but the pseudonym that is handed in, and nothing of what `tools=` took away; of a reason neither `hint` nor `value`.
What is read comes from outside: every field is checked, and what is odd in any way is refused with the field's name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar, get_args

from licet.escape import visible
from licet.records import CallRecord, CallStatus, Decision, Effect, Finding, Outcome, Reason, Severity, Standing, TaskRecord, Used

VERSION = 1
MAX_TEXT = 32_000  # characters of one record: backends cut, or refuse, what is much longer
MAX_NAME = 2_000  # characters; a longer text is cut
_LAST_SECOND = 253_402_300_799.0  # of the year 9999; no calendar goes further
_OUTCOMES, _EFFECTS, _STATUSES, _STANDINGS = get_args(Outcome), get_args(Effect), get_args(CallStatus), get_args(Standing)
_SEVERITIES: tuple[Severity, ...] = get_args(Severity)
_FINDING_ID = re.compile(r"[0-9a-f]{1,64}")
_CHECK, _JTI = re.compile(r"[a-z][a-z0-9.-]{0,79}"), re.compile(r"[0-9A-Za-z_-]{0,64}")
_DIGEST = re.compile(r"((hmac-)?sha256:[0-9a-f]{64})?")
_ARGS = re.compile(r"((hmac-)?sha256:[0-9a-f]{64}|unjudgeable:[0-9a-f]{32})?")  # what cannot be frozen has no digest
_GUARDS_OWN = re.compile(r"block left(?: by [^\W\d][\w.<>]{0,199})?|guard closed")  # an end by a person has the person's name

T = TypeVar("T")


class BadRecord(Exception):
    """A text is no record. `key` names the field, empty: the whole text; `why` ends the sentence that begins with it."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"`{key}` {why}" if key else why)
        self.key, self.why = key, why


@dataclass(frozen=True, slots=True)
class ReadCall:
    """A call as its span tells it, and the findings about it. `cut`: how many value flows and findings did not fit into the record."""

    call: CallRecord
    findings: tuple[Finding, ...]
    cut: int = 0


@dataclass(frozen=True, slots=True)
class ReadTask:
    """A task as its span tells it, and the findings about it that its calls' spans do not tell. `cut`: see `ReadCall`."""

    task: TaskRecord
    findings: tuple[Finding, ...]
    cut: int = 0


# Writing ---------------------------------------------------------------------------------------------------------------------


def call_text(call: CallRecord, findings: Sequence[Finding]) -> str:
    """The record of a call and of those of `findings` that are about it, in ASCII. Trace and span are the span's own, and not in it."""
    decision, found_of_it = call.decision, [found for found in findings if (found.task_id, found.call_id) == (call.task_id, call.id)]
    fields: dict[str, Any] = {
        "v": VERSION, "id": call.id, "task": call.task_id, "seq": call.seq, "tool": call.tool, "call_id": call.call_id,
        "framework": call.framework, "status": call.status, "outcome": decision.outcome, "judged": decision.judged,
        "errors": decision.errors, "args": call.args_digest, "result": call.result_digest, "error": call.error_type, "jti": call.jti,
        "started": call.started, "ended": call.ended,
        "reasons": [
            [found.check, found.effect, found.sentence, found.path, found.references, found.observed]
            for found in decision.reasons
        ],
        "used": [[used.argument, used.kind, used.call_id, used.tool, used.field, used.way, used.whole] for used in call.used],
        "findings": [_finding(found) for found in found_of_it], "ledger": call.ledger or None, "cites": _cites(found_of_it),
    }  # fmt: skip
    return _fitting(fields)


def task_text(task: TaskRecord, findings: Sequence[Finding], *, principal: str = "") -> str:
    """The record of a task and of those of `findings` that are about it, in ASCII. `principal`: the pseudonym, if there is one.

    Of who ended it only the guard's own words are told, as a person's end bears his name.
    """
    found_of_it = [found for found in findings if found.task_id == task.id]
    fields: dict[str, Any] = {
        "v": VERSION, "id": task.id, "kind": task.kind, "agent": task.agent, "principal": principal, "manifest": task.manifest_digest,
        "started": task.started, "ttl": task.ttl, "parent": task.parent, "root": task.root, "paused": task.paused, "ended": task.ended,
        "ended_by": task.ended_by if _GUARDS_OWN.fullmatch(task.ended_by) else "", "detached": task.detached,
        "principal_is": task.principal_is, "agent_is": task.agent_is, "owner": task.owner,
        "findings": [[*_finding(found), found.call_id] for found in found_of_it], "ledger": task.ledger or None,
        "cites": _cites(found_of_it),
    }  # fmt: skip
    return _fitting(fields)


def _finding(found: Finding) -> list[Any]:
    return [found.id, found.time, found.check, found.severity, found.sentence, found.owner, found.references]


def _cites(findings: Sequence[Finding]) -> list[int]:
    """The ledger's record of each finding; none, where no finding has one."""
    told = [found.ledger for found in findings]
    return told if any(told) else []


def _fitting(fields: dict[str, Any]) -> str:
    """The text; what there is much of is cut from its end, and counted, until the rest fits. What is empty is left out."""
    cut = 0
    text = _written(fields)
    for key in ("used", "findings", "reasons"):
        while len(text) > MAX_TEXT and fields.get(key):
            going = max(1, len(fields[key]) // 4)
            cut += going
            fields[key] = fields[key][:-going]
            text = _written(fields | {"cut": cut})
    return text


def _written(fields: dict[str, Any]) -> str:
    kept = {key: value for key, value in fields.items() if value not in ("", None, [], ()) and value is not False}
    return json.dumps(_sound(kept), separators=(",", ":"), ensure_ascii=True)


def _sound(value: Any) -> Any:
    """The value with every text as the reader takes it: names and places are somebody else's choice, at any length."""
    if isinstance(value, str):
        if not _is_text(value):
            value = value.encode("utf-8", "backslashreplace").decode()
        return value if len(value) <= MAX_NAME else f"{value[: MAX_NAME - 1]}…"
    if isinstance(value, (list, tuple)):
        return [_sound(each) for each in value]
    return {key: _sound(each) for key, each in value.items()} if isinstance(value, dict) else value


# Reading ---------------------------------------------------------------------------------------------------------------------


def call_of(text: str, *, trace_id: str = "", span_id: str = "") -> ReadCall:
    """The call and the findings of `call_text`, from a span with these ids.

    Raises:
        BadRecord: the text is anything else.
    """
    given = _parsed(text)
    decision = Decision(
        given.word("outcome", _OUTCOMES), given.items("reasons", 6, _reason), given.word("judged", _OUTCOMES), given.names("errors")
    )
    call = CallRecord(
        given.hex("id", 32), given.hex("task", 32, empty=True), given.whole("seq"), given.name("tool"), given.name("call_id"),
        given.name("framework"), given.word("status", _STATUSES), decision, given.form("args", _ARGS), given.time("started"),
        given.time_or_none("ended"), given.form("result", _DIGEST), given.name("error"), given.form("jti", _JTI), trace_id, span_id,
        used=given.items("used", 7, _used), ledger=given.seq("ledger"),
    )  # fmt: skip
    findings = _cited(given.items("findings", 7, partial(_finding_of, task_id=call.task_id, call_id=call.id)), given)
    read = ReadCall(call, findings, given.whole("cut"))
    given.done()
    return read


def task_of(text: str, *, trace_id: str = "", span_id: str = "") -> ReadTask:
    """The task and the findings of `task_text`, from a span with these ids.

    Raises:
        BadRecord: the text is anything else.
    """
    given = _parsed(text)
    task = TaskRecord(
        given.hex("id", 32), given.name("kind"), given.name("agent"), given.name("principal"), "", given.form("manifest", _DIGEST),
        given.time("started"), given.time("ttl"), given.hex("parent", 32, empty=True) or None, given.hex("root", 32, empty=True), "[]",
        given.time("paused"), given.time_or_none("ended"), given.form("ended_by", _GUARDS_OWN, empty=True), given.flag("detached"),
        trace_id, span_id, given.word("principal_is", _STANDINGS), given.word("agent_is", _STANDINGS), given.name("owner"),
        given.seq("ledger"),
    )  # fmt: skip

    def about(item: _Fields) -> Finding:
        return replace(_finding_of(item, task_id=task.id, call_id=""), call_id=item.hex(7, 32, empty=True))

    findings = _cited(given.items("findings", 8, about), given)
    read = ReadTask(task, findings, given.whole("cut"))
    given.done()
    return read


def _cited(findings: tuple[Finding, ...], given: _Fields) -> tuple[Finding, ...]:
    """The findings with the numbers of their records. Findings are cut where there are too many; their numbers are not."""
    seqs = given.seqs("cites")
    return tuple(replace(found, ledger=seqs[at] if at < len(seqs) else 0) for at, found in enumerate(findings)) if seqs else findings


def _parsed(text: str) -> _Fields:
    if len(text) > MAX_TEXT:
        raise BadRecord("", f"is longer than {MAX_TEXT:,} characters")
    try:
        found = json.loads(text, parse_constant=_no_number, object_pairs_hook=_once)
    except RecursionError as error:
        raise BadRecord("", "is nested too deep") from error
    except ValueError as error:
        raise BadRecord("", "is not JSON, or was cut off") from error
    if not isinstance(found, dict):
        raise BadRecord("", "is no object")
    version = found.pop("v", None)
    if version != VERSION or isinstance(version, bool):
        raise BadRecord("v", f"is not {VERSION}: the record is of another version of Licet; read it with that one")
    return _Fields(found, "")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadRecord("", "has a key twice")
    return found


def _no_number(word: str) -> Any:
    raise ValueError(word)


class _Fields:
    """The fields of one object, or of one list by their place, each taken once and checked."""

    def __init__(self, given: dict[Any, Any], at: str) -> None:
        self._given, self._at = given, at

    def _wrong(self, key: str | int, why: str) -> BadRecord:
        return BadRecord(f"{self._at}[{key}]" if self._at else str(key), why)

    def done(self) -> None:
        """Nothing is left over."""
        for key in self._given:
            raise BadRecord(visible(str(key), 40), "is not known")

    def name(self, key: str | int) -> str:
        found = self._given.pop(key, "")
        if not isinstance(found, str) or len(found) > MAX_NAME or not _is_text(found):
            raise self._wrong(key, f"is no text of at most {MAX_NAME:,} characters")
        return found

    def names(self, key: str | int) -> tuple[str, ...]:
        found = self._given.pop(key, [])
        if not isinstance(found, list):
            raise self._wrong(key, "is no list")
        each = _Fields(dict(enumerate(found)), self._where(key))
        return tuple(each.name(number) for number in range(len(found)))

    def form(self, key: str | int, form: re.Pattern[str], *, empty: bool = False) -> str:
        found = self.name(key)
        if not (form.fullmatch(found) or (empty and not found)):
            raise self._wrong(key, "is not of its form")
        return found

    def hex(self, key: str | int, digits: int, *, empty: bool = False) -> str:
        return self.form(key, re.compile(rf"[0-9a-f]{{{digits}}}"), empty=empty)

    def word(self, key: str | int, words: Sequence[T]) -> T:
        found = self._given.pop(key, "")
        for word in words:
            if type(found) is str and found == word:
                return word
        raise self._wrong(key, f"is none of {', '.join(map(str, words))}")

    def flag(self, key: str | int) -> bool:
        found = self._given.pop(key, False)
        if not isinstance(found, bool):
            raise self._wrong(key, "is neither true nor false")
        return found

    def whole(self, key: str | int) -> int:
        found = self._given.pop(key, 0)
        if type(found) is not int or not 0 <= found < 2**31:
            raise self._wrong(key, "is no whole number from 0 to 2147483647")
        return found

    def seq(self, key: str | int) -> int:
        found = self._given.pop(key, 0)
        if type(found) is not int or not 0 <= found < 2**53:
            raise self._wrong(key, "is no number of a record")
        return found

    def seqs(self, key: str) -> tuple[int, ...]:
        found = self._given.pop(key, [])
        if not isinstance(found, list):
            raise self._wrong(key, "is no list")
        each = _Fields(dict(enumerate(found)), self._where(key))
        return tuple(each.seq(number) for number in range(len(found)))

    def time(self, key: str | int) -> float:
        found = self.time_or_none(key)
        return 0.0 if found is None else found

    def time_or_none(self, key: str | int) -> float | None:
        found = self._given.pop(key, None)
        if found is None:
            return None
        if type(found) not in (int, float) or not 0 <= found <= _LAST_SECOND:
            raise self._wrong(key, "is no number of seconds up to the year 9999")
        return float(found)

    def items(self, key: str, width: int, make: Callable[[_Fields], T]) -> tuple[T, ...]:
        found = self._given.pop(key, [])
        if not isinstance(found, list):
            raise self._wrong(key, "is no list")
        made: list[T] = []
        for number, item in enumerate(found):
            where = f"{self._where(key)}[{number}]"
            if not isinstance(item, list) or len(item) != width:
                raise BadRecord(where, f"is no list of {width}")
            made.append(make(_Fields(dict(enumerate(item)), where)))
        return tuple(made)

    def _where(self, key: str | int) -> str:
        return f"{self._at}[{key}]" if self._at else str(key)


def _is_text(text: str) -> bool:
    """A lone surrogate is JSON and no text: neither a store nor a terminal takes it."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def _reason(item: _Fields) -> Reason:
    return Reason(
        item.form(0, _CHECK), item.word(1, _EFFECTS), item.name(2), item.names(3), item.names(4), item.flag(5)
    )  # fmt: skip


def _used(item: _Fields) -> Used:
    return Used(
        item.name(0), item.name(1), item.hex(2, 32, empty=True), item.name(3), item.name(4), item.name(5), item.flag(6)
    )  # fmt: skip


def _finding_of(item: _Fields, *, task_id: str, call_id: str) -> Finding:
    return Finding(
        item.form(0, _FINDING_ID), item.time(1), item.form(2, _CHECK), item.word(3, _SEVERITIES), item.name(4), task_id,
        call_id, item.name(5), item.names(6),
    )  # fmt: skip
