"""JSON as logs hold it: a record a line, or documents with a list of records in them, each found with the bytes that it stands in.

A document is gone through item by item, so that only one record at a time is an object, and what stands before a cut is not lost.
What JSON leaves open (RFC 8259, 4 and 6) is refused: a key that stands twice would be read one way here and another way elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

from pydantic_core import from_json, to_json

TWICE: Final = "a key stands twice"
NO_NUMBER: Final = "a number that JSON does not have (NaN, Infinity)"
NOT_JSON: Final = "not JSON"
NOT_UTF8: Final = "not UTF-8"
NO_OBJECT: Final = "no object"
TOO_DEEP: Final = "nested too deep"
CUT_OFF: Final = "cut off before its end"
_SIGNS: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{}"]', re.DOTALL)
_PLAIN: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"|[-+.\w]+', re.DOTALL)
_SPACE: Final = re.compile(r"[ \t\n\r]*")


UNREAD: Final = ("unread",)
"""A key, which no JSON can hold, of a record that is used without one of its bodies."""


def is_unread(record: Mapping[Any, Any]) -> bool:
    """Whether a record is used without one of its bodies."""
    return UNREAD in record


class Unfit(ValueError):
    """Why a text is no record: `cause` in few words. `at`: where the text stops being JSON; -1: only its meaning is wrong. `rest`: the
    record without what is wrong in its bodies, if that can be used.
    """

    def __init__(self, cause: str, at: int = -1, rest: dict[str, Any] | None = None) -> None:
        super().__init__(cause)
        self.cause, self.at, self.rest = cause, at, rest


class Found(NamedTuple):
    """A record in a text, from `start` to `end`; `value` is an `Unfit` where it cannot be used."""

    start: int
    end: int
    value: dict[str, Any] | Unfit


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unfit(TWICE)
    return found


def _no_number(_: str) -> Any:
    raise Unfit(NO_NUMBER)


_strict = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_number).raw_decode
_lenient = json.JSONDecoder().raw_decode


def parsed(text: str) -> Any:
    """The one value that a text is, without white space around it.

    Raises:
        Unfit: it is none, or more than one.
    """
    value, end = _scanned(text, 0)
    if end != len(text):
        raise Unfit(NOT_JSON, end)
    return value


def swiftly(line: bytes) -> dict[str, Any] | None:
    """The object that a line is, at less than half of what `parsed` costs; None where only `parsed` can say.

    A faster parser keeps the last of two equal keys and says nothing. But what it has read, written again without white space, is the line
    itself only if nothing was lost on the way; most platforms write their logs like that.
    """
    try:
        value = from_json(line, allow_inf_nan=False, cache_strings="keys")
        return value if value.__class__ is dict and to_json(value) == line else None
    except ValueError:
        return None


def _scanned(text: str, at: int, scan: Any = _strict) -> tuple[Any, int]:
    try:
        found: tuple[Any, int] = scan(text, at)
    except json.JSONDecodeError as error:
        raise Unfit(CUT_OFF if _ends(text, error.pos) or error.msg.startswith("Unterminated") else NOT_JSON, error.pos) from error
    except RecursionError as error:
        raise Unfit(TOO_DEEP) from error
    except ValueError as error:
        if isinstance(error, Unfit):
            raise
        raise Unfit("a number that is too long") from error
    return found


def _ends(text: str, at: int) -> bool:
    return _space(text, at) >= len(text)


def _space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found is not None else at


def lists_in(value: Any, keys: Collection[str]) -> bool:
    """Whether a value is a document that holds records: a list, or an object with a list under one of `keys`."""
    return isinstance(value, list) or (isinstance(value, dict) and any(isinstance(value.get(key), list) for key in keys))


def opens(line: bytes) -> bool:
    """Whether a file that begins with this line is one document of many lines, and not a record a line."""
    text = line.strip()
    return text[:1] in (b"{", b"[") and text[-1:] in (b"{", b"[", b",", b":")


def without(text: str, bodies: Collection[str]) -> dict[str, Any]:
    """The object that a text is, without what is wrong under the keys `bodies`.

    Raises:
        Unfit: it is none.
    """
    at = _space(text, 0)
    found, end = _rest(text, at, bodies) if text[at : at + 1] == "{" else ({}, at)
    if end == at or not _ends(text, end):
        raise Unfit(NOT_JSON, end)
    return found


def records_in(text: str, keys: Collection[str], bodies: Collection[str] = ()) -> Iterator[Found]:
    """The records of a text that holds documents, one behind the other. `bodies`: keys of a record that it can be used without.

    An object that has no list under one of `keys` is a record itself.

    Raises:
        Unfit: the text cannot be read on; all that stands before was given.
    """
    at = _space(text, 0)
    while at < len(text):
        if text[at] == "[":
            at = yield from _items(text, at, bodies)
        elif text[at] == "{" and (found := _has_list(text, at, keys)):
            at = yield from _members(text, at, found, bodies)
        else:
            at = yield from _one(text, at, bodies)
        at = _space(text, at)


def _one(text: str, at: int, bodies: Collection[str]) -> Generator[Found, None, int]:
    try:
        value, end = _scanned(text, at)
    except Unfit as wrong:
        if wrong.at >= 0:
            raise
        try:
            value, end = wrong, _skipped(text, at)
        except Unfit as cut:
            raise Unfit(wrong.cause, cut.at) from wrong
        if text[at] == "{":
            with suppress(Unfit):
                wrong.rest = _rest(text, at, bodies)[0]
    yield Found(at, end, value if isinstance(value, (dict, Unfit)) else Unfit(NO_OBJECT))
    return end


def _passed(text: str, at: int) -> int:
    """Where the value that begins here ends, which nobody needs."""
    try:
        return _scanned(text, at, _lenient)[1]
    except Unfit as wrong:
        if wrong.at >= 0:
            raise
        return _skipped(text, at)


def _skipped(text: str, at: int) -> int:
    """Where the value that begins here ends, whatever it holds, however deep; nothing is made of it."""
    if text[at : at + 1] not in ("{", "["):
        found = _PLAIN.match(text, at)
        if found is None:
            raise Unfit(NOT_JSON if at < len(text) else CUT_OFF, at)
        return found.end()
    depth = 0
    for sign in _SIGNS.finditer(text, at):
        if sign[0] == '"':
            break
        if sign[0] in "{[":
            depth += 1
        elif sign[0] in "}]":
            depth -= 1
            if not depth:
                return sign.end()
    raise Unfit(CUT_OFF, len(text))


def _rest(text: str, at: int, bodies: Collection[str]) -> tuple[dict[str, Any], int]:
    """The object that begins here, and where it ends; its bodies as a server reads them, which takes the last of two equal keys, or not
    at all where they are too deep for that.
    """
    found: dict[Any, Any] = {}
    at = _space(text, at + 1)
    while text[at : at + 1] != "}":
        key, at = _scanned(text, at)
        at = _space(text, at)
        if not isinstance(key, str) or text[at : at + 1] != ":":
            raise Unfit(NOT_JSON if at < len(text) else CUT_OFF, at)
        if key in found:
            raise Unfit(TWICE)
        at = _space(text, at + 1)
        if key not in bodies:
            found[key], at = _scanned(text, at)
        else:
            try:
                found[key], at = _scanned(text, at, _lenient)
            except Unfit:
                found[key], at = None, _skipped(text, at)
                found[UNREAD] = True
        at = _behind(text, at)
    return found, at + 1


def _items(text: str, at: int, bodies: Collection[str]) -> Generator[Found, None, int]:
    at = _space(text, at + 1)
    if text[at : at + 1] == "]":
        return at + 1
    while True:
        at = _space(text, (yield from _one(text, at, bodies)))
        sign = text[at : at + 1]
        if sign == "]":
            return at + 1
        if sign != ",":
            raise Unfit(NOT_JSON if sign else CUT_OFF, at)
        at = _space(text, at + 1)


def _has_list(text: str, at: int, keys: Collection[str]) -> Collection[str]:
    """Which of the keys have a list in the object that begins here. A text that is cut off behind the beginning of one has it too."""
    found = set()
    try:
        for key, start in _walk(text, at):
            if key in keys and text[start : start + 1] == "[":
                found.add(key)
                break  # one is enough: then it is a document
    except Unfit:
        return ()
    return keys if found else ()


def _walk(text: str, at: int) -> Iterator[tuple[str, int]]:
    """Each key of the object that begins here, and where its value begins; goes on behind that value."""
    at = _space(text, at + 1)
    while text[at : at + 1] != "}":
        key, at = _scanned(text, at)
        at = _space(text, at)
        if not isinstance(key, str) or text[at : at + 1] != ":":
            raise Unfit(NOT_JSON if at < len(text) else CUT_OFF, at)
        at = _space(text, at + 1)
        yield key, at
        at = _behind(text, _passed(text, at))


def _behind(text: str, at: int) -> int:
    """Behind the comma after a value, or at the brace that ends the object."""
    at = _space(text, at)
    sign = text[at : at + 1]
    if sign == ",":
        return _space(text, at + 1)
    if sign != "}":
        raise Unfit(NOT_JSON if sign else CUT_OFF, at)
    return at


def _members(text: str, at: int, keys: Collection[str], bodies: Collection[str]) -> Generator[Found, None, int]:
    at = _space(text, at + 1)
    while text[at : at + 1] != "}":
        key, at = _scanned(text, at)
        at = _space(text, at)
        if not isinstance(key, str) or text[at : at + 1] != ":":
            raise Unfit(NOT_JSON if at < len(text) else CUT_OFF, at)
        at = _space(text, at + 1)
        if key in keys and text[at : at + 1] == "[":
            at = yield from _items(text, at, bodies)
        else:
            at = _passed(text, at)
        at = _behind(text, at)
    return at + 1
