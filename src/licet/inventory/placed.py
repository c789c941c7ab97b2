"""A JSON document of lists of rows, read row by row, so that each row and each value is known by its place in the file.

{"environments": {..}, "edges": [..], "owners": [..], "identities": [..], "credentials": [..]}
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, NoReturn

from licet.errors import LicetError

LISTS: Final = ("edges", "owners", "identities", "credentials")
NAMED: Final = "environments"
_BLANK: Final = " \t\n\r"


class Entry(NamedTuple):
    """One entry of a list of the document, or one named member of `environments`.

    Attributes:
        section: the key of the list.
        name: of a named member.
        value: plain data.
        at: where it begins, in characters from the start.
        keys: of an object, where each value begins.
        wrong: why it cannot be used; empty if it can.
    """

    section: str
    name: str
    value: Any
    at: int
    keys: Mapping[str, int] = {}
    wrong: str = ""


class NotJson(LicetError):
    """From here on, nothing can be read. `at`: in characters from the start."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.message, self.at = message, at


def entries(text: str) -> Iterator[Entry]:
    """Every entry, in the order of the file.

    Raises:
        NotJson: the text is no such document; what stands before that was given.
    """
    reader = _Reader(text)
    seen: set[str] = set()
    for section, at in reader.members():
        if section in seen:
            raise NotJson(f"`{section[:80]}` stands here twice", at)
        seen.add(section)
        if section in LISTS:
            yield from reader.entries(section)
        elif section == NAMED:
            yield from reader.named(section)
        else:
            reader.value()
            yield Entry(section, "", None, at, wrong=f"is no key here; there are {', '.join((NAMED, *LISTS))}")
    reader.end()


class Places:
    """Lines and columns of a text."""

    def __init__(self, text: str) -> None:
        self._ends = [found.end() for found in re.finditer("\n", text)]

    def of(self, at: int) -> tuple[int, int]:
        """Line and column of a character, from 1."""
        line = bisect_right(self._ends, at)
        return line + 1, at - (self._ends[line - 1] if line else 0) + 1


class _Reader:
    """A place in the text, which goes on."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._decoder = json.JSONDecoder(parse_constant=self._constant)

    def members(self) -> Iterator[tuple[str, int]]:
        """The keys of the object that stands here, each with its place; whoever asks reads the value before the next."""
        self._sign("{")
        if self._next() == "}":
            self._at += 1
            return
        while True:
            at = self._blank()
            if self._next() != '"':
                raise NotJson("a key must stand here", at)
            key = self.value()
            self._sign(":")
            yield key, at
            if self._more("}"):
                return

    def entries(self, section: str) -> Iterator[Entry]:
        """The entries of the list that stands here."""
        at = self._blank()
        if self._next() != "[":
            raise NotJson(f"`{section}` is no list", at)
        self._at += 1
        if self._next() == "]":
            self._at += 1
            return
        while True:
            yield self._entry(section, "")
            if self._more("]"):
                return

    def named(self, section: str) -> Iterator[Entry]:
        """The members of the object that stands here."""
        for name, _ in self.members():
            yield self._entry(section, name)

    def end(self) -> None:
        """Nothing may follow."""
        if self._next():
            raise NotJson("something follows behind the document", self._at)

    def _entry(self, section: str, name: str) -> Entry:
        at, keys, twice = self._blank(), dict[str, int](), ""
        if self._next() != "{":
            return Entry(section, name, self.value(), at)
        row: dict[str, Any] = {}
        for key, _ in self.members():
            twice = key if key in row else twice
            keys[key] = self._blank()
            row[key] = self.value()
        return Entry(section, name, row, at, keys, f"`{twice[:80]}` stands there twice" if twice else "")

    def value(self) -> Any:
        """The value that stands here."""
        at = self._blank()
        try:
            found, self._at = self._decoder.raw_decode(self._text, at)
        except json.JSONDecodeError as error:
            raise NotJson(error.msg[:1].lower() + error.msg[1:], error.pos) from error
        except RecursionError as error:
            raise NotJson("is nested too deeply", at) from error
        return found

    def _sign(self, sign: str) -> None:
        if self._next() != sign:
            raise NotJson(f"`{sign}` must stand here", self._at)
        self._at += 1

    def _more(self, end: str) -> bool:
        """Whether the object or list ends here; else there is a comma, and one more."""
        found = self._next()
        if found not in (end, ",") or not found:
            raise NotJson(f"`,` or `{end}` must stand here", self._at)
        self._at += 1
        return found == end

    def _next(self) -> str:
        self._blank()
        return self._text[self._at : self._at + 1]

    def _blank(self) -> int:
        while self._text[self._at : self._at + 1] in _BLANK and self._at < len(self._text):
            self._at += 1
        return self._at

    def _constant(self, name: str) -> NoReturn:
        raise NotJson(f"{name} is no JSON", self._at)
