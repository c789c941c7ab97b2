"""Where the `licet token` commands read a token from, and how they say that one is refused."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from licet.canonical import Plain
from licet.cli import output
from licet.errors import TokenRefused, UsageError
from licet.tokens.jws import MAX_TOKEN
from licet.tokens.steps import failed_step

_LARGEST = 10_000_000  # bytes of a file


def add_token(parser: argparse.ArgumentParser) -> None:
    """Add TOKEN."""
    where = "the token; without it or with `-`, standard input, where it stays out of the shell's history"
    parser.add_argument("token", metavar="TOKEN", nargs="?", default="-", help=where)


def token_of(options: argparse.Namespace) -> str:
    """The token, without the line end behind it.

    Raises:
        UsageError: there is none.
    """
    given: str = options.token
    if given == "-":
        if sys.stdin.isatty():
            output.error("paste the token, then Enter and Ctrl-D")
        # One byte more than any token has is enough to see that it is too long.
        given = sys.stdin.buffer.read(MAX_TOKEN + 3).decode("ascii", "replace")
    if not given.strip():
        raise UsageError("the token is empty (an unset variable?): hand it in on standard input, or as an argument")
    return given.strip("\r\n")


def object_of(text: str, name: str) -> dict[str, Plain]:
    """A JSON object: the text, or with `@` before it the file of that name.

    Raises:
        UsageError: it is none, cannot be read, or has two members of one name.
    """
    given = text_of(text, name)
    try:
        found = json.loads(given, object_pairs_hook=_members)
    except (ValueError, RecursionError) as error:
        why = str(error) if isinstance(error, _Twice) else "is not JSON"
        raise UsageError(f'{name} {why}; write it like \'{{"to": "ada@acme.example"}}\', or @FILE') from error
    if not isinstance(found, dict):
        raise UsageError(f'{name} is not a JSON object; write it like \'{{"to": "ada@acme.example"}}\', or @FILE')
    return found


def text_of(text: str, name: str) -> str:
    """The text, or with `@` before it what stands in the file of that name.

    Raises:
        UsageError: it cannot be read.
    """
    return read(text[1:], name) if text.startswith("@") else text


def read(file: str, name: str) -> str:
    """What stands in a file.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        with Path(file).open("rb") as opened:
            return opened.read(_LARGEST).decode("utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a path, or not UTF-8"
        raise UsageError(f"{name}: {file} cannot be read: {why}") from error


def refusal(refused: TokenRefused, token: str) -> dict[str, Any]:
    """Why a token is refused, for whoever has the right to know."""
    step = failed_step(refused, token)
    return {"step": step.number if step else None, "check": refused.check, "why": refused.why, "clause": step.clause if step else ""}


class _Twice(ValueError):
    """Two members of one name."""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Twice("has two members of one name")
    return found
