"""Where spans are read from: a file or stdin (OTLP JSON lines, or Jaeger's JSON), or a running Jaeger (`jaeger://HOST`, a link)."""

from __future__ import annotations

import itertools
import sys
from array import array
from collections.abc import Iterator
from io import BufferedReader
from typing import Any, cast

from licet import lines
from licet.errors import UsageError
from licet.telemetry.otlp import BadSpan, objects
from licet.telemetry.reader import ReadSpan, spans_of
from licet.traces.jaeger import is_export, spans_of_export
from licet.traces.query import is_link, shown, spans_of_jaeger, without_credentials

STDIN = "-"
_SCHEMES = ("jaeger://", "jaeger+https://")
_HEAD = 65_536  # bytes that are looked at to tell a file of spans
_KEYS = frozenset({"resourceSpans", "resourceLogs", "resourceMetrics", "data", "result"})


def is_address(source: str) -> bool:
    """Whether a source is a running Jaeger and no file."""
    return source.startswith(_SCHEMES) or is_link(source)


def refuse_unknown(source: str) -> None:
    """Refuse what looks like an address and is none that is read, and credentials, which are not repeated.

    Raises:
        UsageError: it does.
    """
    without_credentials(source)
    if "://" in source and not is_address(source):
        known = "a file, `-`, the link of a trace (.../trace/ID), or jaeger://HOST:PORT (over TLS: jaeger+https://HOST)"
        raise UsageError(f"{shown(source)}: not a source; give {known}")


def spans_from(source: str) -> Iterator[ReadSpan | BadSpan]:
    """Every span of a source, and all that is none.

    Raises:
        UsageError: it cannot be opened, or Jaeger does not answer.
    """
    refuse_unknown(source)
    if is_address(source):
        yield from spans_of_jaeger(source)
    elif source == STDIN:
        yield from _of_lines(lines.lines_of(cast("BufferedReader", sys.stdin.buffer)), "stdin")
    else:
        with lines.opened(source) as raw:
            yield from _of_lines(lines.lines_of(raw), source)


def holds_spans(path: str) -> bool:
    """Whether a file holds spans, by its beginning; what it holds else, recorded sessions for example, is for others to say.

    Raises:
        UsageError: it cannot be opened, or is an address.
    """
    refuse_unknown(path)
    with lines.opened(path) as raw:
        first = next((line for _, line in lines.lines_of(raw)), b"")
    if isinstance(first, str):
        return False
    found = objects(first, "")
    if isinstance(found, dict):
        return bool(found.keys() & _KEYS)
    with lines.opened(path) as raw:  # printed over several lines
        head = raw.read(_HEAD)
    return b'"resourceSpans"' in head or b'"traceID"' in head


def _of_lines(numbered: Iterator[tuple[int, bytes | str]], name: str) -> Iterator[ReadSpan | BadSpan]:
    """A line is a document of its own; or all of them are one, where it is printed over many lines."""
    first = next(numbered, None)
    if first is None:
        return
    if isinstance(first[1], bytes) and first[1].lstrip().startswith(b"{") and isinstance(objects(first[1], name), BadSpan):
        held = _Held(first[0], first[1])
        last = next((each for each in numbered if not held.takes(*each)), None)
        whole = objects(bytes(held.text), name)
        if not isinstance(whole, BadSpan):
            yield from spans_in(whole, f"{name}:1")
            return
        numbered = itertools.chain(held.lines(), () if last is None else (last,), numbered)
    else:
        numbered = itertools.chain((first,), numbered)
    for number, line in numbered:
        yield from _of_line(number, line, name)


class _Held:
    """Lines as one text, and the number of each: a line of one character would take fifty times its size as a thing of its own."""

    def __init__(self, number: int, line: bytes) -> None:
        self.text, self._numbers = bytearray(line), array("L", (number,))

    def takes(self, number: int, line: bytes | str) -> bool:
        """Whether there is room for another."""
        if isinstance(line, str) or len(self.text) + len(line) > lines.MAX_LINE:
            return False
        self.text += line
        self._numbers.append(number)
        return True

    def lines(self) -> Iterator[tuple[int, bytes | str]]:
        """Each line again."""
        at = 0
        for number in self._numbers:
            end = self.text.find(b"\n", at) + 1 or len(self.text)
            yield number, bytes(self.text[at:end])
            at = end


def _of_line(number: int, line: bytes | str, name: str) -> Iterator[ReadSpan | BadSpan]:
    place = f"{name}:{number}"
    data = BadSpan(place, "", line) if isinstance(line, str) else objects(line, place)
    if isinstance(data, BadSpan):
        yield data
    else:
        yield from spans_in(data, place)


def spans_in(data: dict[str, Any], place: str) -> Iterator[ReadSpan | BadSpan]:
    """The spans of one document, by its shape: OTLP's, Jaeger's export, or an answer of Jaeger's query API, which has OTLP's within."""
    if is_export(data):
        yield from spans_of_export(data, place)
    elif "resourceSpans" not in data and isinstance(data.get("result"), dict):
        yield from spans_of(data["result"], place)
    elif "resourceSpans" in data or not data.keys() & {"resourceLogs", "resourceMetrics"}:  # a file can hold all three, line by line
        yield from spans_of(data, place)
