"""Where spans are read from: a file or standard input (OTLP JSON lines, or Jaeger's JSON), or a running Jaeger (`jaeger://HOST:PORT`)."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from io import BufferedReader
from typing import Any, cast

from licet import lines
from licet.errors import UsageError
from licet.telemetry.otlp import BadSpan, objects
from licet.telemetry.reader import ReadSpan, spans_of
from licet.traces.jaeger import is_export, spans_of_export
from licet.traces.query import spans_of_jaeger

STDIN = "-"
_SCHEMES = ("jaeger://", "jaeger+https://")
_HEAD = 65_536  # bytes that are looked at to tell a file of spans
_KEYS = frozenset({"resourceSpans", "resourceLogs", "resourceMetrics", "data", "result"})


def is_address(source: str) -> bool:
    """Whether a source is a running Jaeger and no file."""
    return source.startswith(_SCHEMES)


def spans_from(source: str) -> Iterator[ReadSpan | BadSpan]:
    """Every span of a source, and all that is none.

    Raises:
        UsageError: it cannot be opened, or Jaeger does not answer.
    """
    if is_address(source):
        yield from spans_of_jaeger(source)
    elif "://" in source:
        raise UsageError(f"{source}: not a source; give a file, `-`, or jaeger://HOST:PORT (over TLS: jaeger+https://HOST)")
    elif source == STDIN:
        yield from _of_lines(lines.lines_of(cast("BufferedReader", sys.stdin.buffer)), "stdin")
    else:
        with lines.opened(source) as raw:
            yield from _of_lines(lines.lines_of(raw), source)


def holds_spans(path: str) -> bool:
    """Whether a file holds spans, by its beginning; what it holds else, recorded sessions for example, is for others to say.

    Raises:
        UsageError: it cannot be opened.
    """
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
    held = [first]
    if isinstance(first[1], bytes) and first[1].lstrip().startswith(b"{") and isinstance(objects(first[1], name), BadSpan):
        size = len(first[1])
        for number, line in numbered:
            held.append((number, line))
            size += len(line)
            if size > lines.MAX_LINE or isinstance(line, str):
                break
        whole = objects(b"".join(line for _, line in held if isinstance(line, bytes)), name)
        if not isinstance(whole, BadSpan):
            yield from spans_in(whole, f"{name}:1")
            return
    for number, line in itertools.chain(held, numbered):
        yield from _of_line(number, line, name)


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
