"""What the values of one argument have in common: types, ranges, lengths, short texts, shapes. Bounded, however many there are.

Where there are too many different texts none of them is kept: a rule is only ever made of few. Nothing here depends on the order in
which values came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from licet.canonical import Plain

MAX_VALUES = 64  # different texts of one argument
MAX_SHAPES = 32
SHORT = 40  # characters of a text that is kept, and of one that has a shape
MAX_ENDS = 64  # characters at either end, in which all texts may agree


@dataclass(slots=True)
class Support:
    """In how many sessions something was seen, first and last (seconds since the epoch; None where no session had a time)."""

    sessions: int = 0
    first: float | None = None
    last: float | None = None

    def add(self, time: float | None) -> None:
        """One more session, at `time`."""
        self.sessions += 1
        self._span(time, time)

    def merge(self, other: Support) -> None:
        """Other sessions saw it too."""
        self.sessions += other.sessions
        self._span(other.first, other.last)

    def _span(self, first: float | None, last: float | None) -> None:
        if first is not None and (self.first is None or first < self.first):
            self.first = first
        if last is not None and (self.last is None or last > self.last):
            self.last = last


class _Shapes(dict[int, str]):
    """Letters are `a`, digits `9`, all else is itself."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        return "a" if character.isalpha() else "9" if character in "0123456789" else character


_SHAPES = _Shapes()


def shape(text: str) -> str:
    """The text with `a` for each letter and `9` for each digit: `INV-2041` has the shape `aaa-9999`."""
    return text.translate(_SHAPES)


@dataclass(slots=True)
class Texts:
    """The texts of one argument. `values` and `shapes` are empty once there were too many, or one was long (`many`, `shapeless`).

    `prefix` and `suffix` are what all texts begin and end with; None before the first.
    """

    number: int = 0
    shortest: int | None = None
    longest: int | None = None
    values: dict[str, Support] = field(default_factory=dict)
    many: bool = False
    shapes: dict[str, int] = field(default_factory=dict)
    shapeless: bool = False
    prefix: str | None = None
    suffix: str | None = None

    def add(self, texts: list[str], time: float | None) -> None:
        """The texts of one session."""
        self.number += len(texts)
        for text in dict.fromkeys(texts):
            self._measure(len(text), len(text))
            self._ends(text[:MAX_ENDS], text[-MAX_ENDS:])
            if len(text) > SHORT:
                self._too_many_values()
                self._too_many_shapes()
            if not self.many:
                self.values.setdefault(text, Support()).add(time)
                if len(self.values) > MAX_VALUES:
                    self._too_many_values()
        if not self.shapeless:
            for text in texts:
                form = shape(text)
                self.shapes[form] = self.shapes.get(form, 0) + 1
            if len(self.shapes) > MAX_SHAPES:
                self._too_many_shapes()

    def merge(self, other: Texts) -> None:
        """What another has seen of the same argument."""
        self.number += other.number
        if other.shortest is not None and other.longest is not None:
            self._measure(other.shortest, other.longest)
        if other.prefix is not None and other.suffix is not None:
            self._ends(other.prefix, other.suffix)
        if not (self.many or other.many):
            for text, support in other.values.items():
                self.values.setdefault(text, Support()).merge(support)
        if not (self.shapeless or other.shapeless):
            for form, number in other.shapes.items():
                self.shapes[form] = self.shapes.get(form, 0) + number
        if other.many or len(self.values) > MAX_VALUES:
            self._too_many_values()
        if other.shapeless or len(self.shapes) > MAX_SHAPES:
            self._too_many_shapes()

    def _measure(self, shortest: int, longest: int) -> None:
        self.shortest = shortest if self.shortest is None else min(self.shortest, shortest)
        self.longest = longest if self.longest is None else max(self.longest, longest)

    def _ends(self, start: str, end: str) -> None:
        if self.prefix != "":
            self.prefix = start if self.prefix is None else _shared(self.prefix, start)
        if self.suffix != "":
            self.suffix = end if self.suffix is None else _shared(self.suffix[::-1], end[::-1])[::-1]

    def _too_many_values(self) -> None:
        self.many = True
        self.values = {}

    def _too_many_shapes(self) -> None:
        self.shapeless = True
        self.shapes = {}


@dataclass(slots=True)
class ValueTally:
    """The values of one argument: how often each JSON type came (`types`; within lists `items`), the least and the greatest number, the
    shortest and the longest list, and its texts. Numbers and texts are told of the value itself, or of the items of a list.
    """

    types: dict[str, int] = field(default_factory=dict)
    items: dict[str, int] = field(default_factory=dict)
    least: int | float | None = None
    greatest: int | float | None = None
    fewest: int | None = None
    most: int | None = None
    texts: Texts = field(default_factory=Texts)

    def add(self, values: Iterable[Plain], time: float | None) -> None:
        """The values that one session gave for the argument."""
        texts: list[str] = []
        for value in values:
            name = json_type(value)
            self.types[name] = self.types.get(name, 0) + 1
            if isinstance(value, list):
                self._sized(len(value), len(value))
                for item in value:
                    within = json_type(item)
                    self.items[within] = self.items.get(within, 0) + 1
            for leaf in _leaves(value):
                if isinstance(leaf, str):  # halves of a surrogate pair, which are no text, are not kept
                    texts.append(leaf if leaf.isascii() else leaf.encode("utf-8", "replace").decode("utf-8"))
                elif isinstance(leaf, (int, float)) and not isinstance(leaf, bool):
                    self._ranged(leaf, leaf)
        if texts:
            self.texts.add(texts, time)

    def merge(self, other: ValueTally) -> None:
        """What another has seen of the same argument."""
        for name, number in other.types.items():
            self.types[name] = self.types.get(name, 0) + number
        for name, number in other.items.items():
            self.items[name] = self.items.get(name, 0) + number
        if other.least is not None and other.greatest is not None:
            self._ranged(other.least, other.greatest)
        if other.fewest is not None and other.most is not None:
            self._sized(other.fewest, other.most)
        self.texts.merge(other.texts)

    def _ranged(self, least: int | float, greatest: int | float) -> None:
        self.least = least if self.least is None else min(self.least, least)
        self.greatest = greatest if self.greatest is None else max(self.greatest, greatest)

    def _sized(self, fewest: int, most: int) -> None:
        self.fewest = fewest if self.fewest is None else min(self.fewest, fewest)
        self.most = most if self.most is None else max(self.most, most)


def json_type(value: Plain) -> str:
    """`string`, `integer`, `number`, `boolean`, `null`, `array` or `object`; a number without a fraction is an `integer` (JSON Schema)."""
    if isinstance(value, str):
        return "string"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    return "array" if isinstance(value, list) else "object"


def _leaves(value: Plain) -> Iterator[Plain]:
    if isinstance(value, list):
        yield from value
    else:
        yield value


def _shared(one: str, other: str) -> str:
    """What both begin with."""
    at = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[:at]
