"""Printing. Text from outside (a manifest, an agent, a tool) could act on a terminal; whatever is printed here cannot."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Literal, TextIO

from licet.errors import Problem, UsageError
from licet.escape import visible

Style = Literal["bold", "dim", "red", "yellow", "green"]
_CODES: dict[Style, str] = {"bold": "1", "dim": "2", "red": "31", "yellow": "33", "green": "32"}
LINE_LIMIT = 4_000  # characters of one line


class Painted(str):
    """Text that is already visible and may carry colour. Only `paint` makes it."""

    __slots__ = ()


def paint(text: str, style: Style, *, stream: TextIO | None = None) -> Painted:
    """The text, visible, in colour if `stream` (by default standard output) is a terminal and NO_COLOR is not set."""
    shown = visible(text, LINE_LIMIT)
    out = stream or sys.stdout
    if not out.isatty() or os.environ.get("NO_COLOR"):  # https://no-color.org
        return Painted(shown)
    return Painted(f"\x1b[{_CODES[style]}m{shown}\x1b[0m")


def say(*parts: str, stream: TextIO | None = None) -> None:
    """Print one line. Each part is made visible, unless `paint` has done so."""
    write("".join(part if isinstance(part, Painted) else visible(part, LINE_LIMIT) for part in parts) + "\n", stream=stream)


def error(*parts: str) -> None:
    """Print one line to standard error."""
    say(*parts, stream=sys.stderr)


def problem(found: Problem, *, stream: TextIO | None = None) -> None:
    """Print one problem of a manifest, as `file:line:column: severity: `key`: message; fix [code]`."""
    severity = paint(found.severity, "red" if found.severity == "error" else "yellow", stream=stream)
    say(found.place, severity, f": {found.sentence} [{found.code}]", stream=stream)


def data(value: Any) -> None:
    """Print JSON in ASCII: every character that could act is an escape."""
    write(json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False) + "\n")


def line(raw: bytes) -> None:
    """Print one line of a file as it stands, byte for byte; on a terminal, with what could act on it escaped."""
    if sys.stdout.isatty():
        say(raw.decode("utf-8", "backslashreplace"))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(raw + b"\n")


def write(text: str, *, stream: TextIO | None = None) -> None:
    """Print text that is safe already, on streams of any encoding."""
    out = stream or sys.stdout
    encoding = out.encoding or "utf-8"
    out.write(text.encode(encoding, "backslashreplace").decode(encoding))


def writable(name: str) -> None:
    """Find out before long work begins that a file cannot be written.

    Raises:
        UsageError: it cannot.
    """
    path = Path(name)
    try:
        there = path.exists()
        with path.open("a", encoding="utf-8"):
            pass
        if not there:
            path.unlink()
    except (OSError, ValueError) as failed:
        raise unwritten(name, failed) from failed


def file(name: str, text: str) -> None:
    """Write a file, and say so on standard error.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        Path(name).write_text(text, encoding="utf-8")
    except (OSError, ValueError) as failed:
        raise unwritten(name, failed) from failed
    say("wrote ", name, stream=sys.stderr)


def unwritten(name: str, error: Exception) -> UsageError:
    """What to say of a file that cannot be written."""
    why = error.strerror if isinstance(error, OSError) else "not a path"
    return UsageError(f"{name}: cannot be written: {why}; check path and rights")
