"""Parts of JSON that somebody else wrote: taken as what they must be, or refused by the place where they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeVar

from licet.escape import visible

_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LARGEST = 2**63 - 1
_T = TypeVar("_T", bound=str)


class WrongShapeError(Exception):
    """A part is missing, or not what it must be; the text says which and how."""

    def __init__(self, at: str, why: str) -> None:
        super().__init__(f"`{visible(at, 200)}` {why}")


class Shape:
    """One part. Each method raises `WrongShapeError` if the part is not what it asks for."""

    __slots__ = ("_value", "at")

    def __init__(self, value: Any, at: str) -> None:
        self._value, self.at = value, at

    def __getitem__(self, name: str) -> Shape:
        found = self.object()
        at = f"{self.at}.{name}"
        if name not in found:
            raise WrongShapeError(at, "is missing")
        return Shape(found[name], at)

    def plain(self) -> Any:
        """Whatever it is."""
        return self._value

    def get(self, name: str) -> Shape | None:
        """A part that may be missing."""
        return self[name] if name in self.object() else None

    def object(self) -> dict[str, Any]:
        """An object."""
        if not isinstance(self._value, dict):
            raise WrongShapeError(self.at, "is no object")
        return self._value

    def items(self) -> Iterator[Shape]:
        """The parts of a list."""
        if not isinstance(self._value, list):
            raise WrongShapeError(self.at, "is no list")
        return (Shape(value, f"{self.at}[{at}]") for at, value in enumerate(self._value))

    def text(self) -> str:
        """A text."""
        if not isinstance(self._value, str):
            raise WrongShapeError(self.at, "is no text")
        return self._value

    def word(self, *words: str) -> str:
        """One of these texts."""
        found = self.text()
        if found not in words:
            raise WrongShapeError(self.at, f"is {visible(found, 60)}, and must be one of {', '.join(words)}")
        return found

    def number(self) -> int:
        """A whole number that is not negative, and fits 63 bits."""
        if type(self._value) is not int or not 0 <= self._value <= _LARGEST:
            raise WrongShapeError(self.at, "is no whole number from 0 on")
        return self._value

    def hash(self) -> bytes:
        """32 bytes, in lower-case hex."""
        found = self.text()
        if not _HASH.fullmatch(found):
            raise WrongShapeError(self.at, "is no SHA-256 in lower-case hex")
        return bytes.fromhex(found)
