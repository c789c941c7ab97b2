"""What the values of one argument have in common: types, ranges, few texts, forms. Bounded, however many there are.

All of it counts sessions, so that of each rule it can be told how many sessions would not pass it: one of them alone, whatever it holds,
is one. As long as there is room nothing here depends on the order in which values came.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from licet.canonical import Plain
from licet.learn.bounded import Frequent
from licet.learn.forms import form_of

MAX_SORTS, MAX_CHOICES, MAX_FORMS = 64, 128, 32  # that are told apart
SHORT = 40  # characters of a text that is kept
FEW = 5  # different texts of one session that are kept
DIFFERENT = 5  # ways in which texts of one form must differ
HEAD_ROOM = 2  # times the greatest number that was seen
MAX_NUMBER = 10**12


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


@dataclass(slots=True)
class Span:
    """Of so many sessions the least and the greatest number."""

    sessions: int
    least: int | float
    greatest: int | float


@dataclass(slots=True)
class Texts:
    """The texts of one argument: `choices`, the different texts of a session if they are few and short; `forms`, the form that all texts
    of a session share, and of each form `ways`, digests of up to `DIFFERENT` of the ways in which its texts differ.
    """

    choices: Frequent[frozenset[str]] = field(default_factory=lambda: Frequent(MAX_CHOICES))
    forms: Frequent[str] = field(default_factory=lambda: Frequent(MAX_FORMS))
    ways: dict[str, frozenset[bytes]] = field(default_factory=dict)

    def add(self, texts: list[str]) -> None:
        """The texts of one session."""
        different = frozenset(texts)
        if len(different) <= FEW and all(len(text) <= SHORT for text in different):
            self.choices.add(different)
        forms = {form_of(text) for text in different}
        shared = next(iter(forms))[0] if len({form for form, _ in forms}) == 1 else ""
        if shared:
            self.forms.add(shared)
            self._differ(shared, frozenset(_digest(way) for _, way in forms))

    def merge(self, other: Texts) -> None:
        """What another has seen of the same argument."""
        self.choices.merge(other.choices)
        self.forms.merge(other.forms)
        for form, ways in other.ways.items():
            self._differ(form, ways)

    def _differ(self, form: str, ways: frozenset[bytes]) -> None:
        self.ways[form] = frozenset(sorted(self.ways.get(form, frozenset()) | ways)[:DIFFERENT])
        if len(self.ways) > len(self.forms.counts):
            self.ways = {form: found for form, found in self.ways.items() if form in self.forms.counts}


@dataclass(slots=True)
class ValueTally:
    """The values of one argument, of so many sessions: `sorts`, the JSON types of a session's values and those within its lists;
    `numbers`, by whether one was negative and by the `limit` above the greatest; and its texts. Numbers and texts are told of the value
    itself, or of the items of a list.
    """

    sessions: int = 0
    sorts: Frequent[tuple[frozenset[str], frozenset[str]]] = field(default_factory=lambda: Frequent(MAX_SORTS))
    numbers: dict[tuple[bool, int | None], Span] = field(default_factory=dict)
    texts: Texts = field(default_factory=Texts)

    def add(self, values: Iterable[Plain]) -> None:
        """The values that one session gave for the argument."""
        texts: list[str] = []
        numbers: list[int | float] = []
        types: set[str] = set()
        items: set[str] = set()
        for value in values:
            types.add(json_type(value))
            if isinstance(value, list):
                items.update(map(json_type, value))
            for leaf in _leaves(value):
                if isinstance(leaf, str):  # halves of a surrogate pair, which are no text, are not kept
                    texts.append(leaf if leaf.isascii() else leaf.encode("utf-8", "replace").decode("utf-8"))
                elif isinstance(leaf, (int, float)) and not isinstance(leaf, bool):
                    numbers.append(leaf)
        self.sessions += 1
        self.sorts.add((frozenset(types), frozenset(items)))
        if numbers:
            least, greatest = min(numbers), max(numbers)
            self._ranged((least < 0, limit(greatest)), Span(1, least, greatest))
        if texts:
            self.texts.add(texts)

    def merge(self, other: ValueTally) -> None:
        """What another has seen of the same argument."""
        self.sessions += other.sessions
        self.sorts.merge(other.sorts)
        for key, span in other.numbers.items():
            self._ranged(key, span)
        self.texts.merge(other.texts)

    def _ranged(self, key: tuple[bool, int | None], span: Span) -> None:
        before = self.numbers.get(key)
        self.numbers[key] = span if before is None else _both(before, span)


def _both(one: Span, other: Span) -> Span:
    return Span(one.sessions + other.sessions, min(one.least, other.least), max(one.greatest, other.greatest))


def limit(greatest: int | float) -> int | None:
    """What a rule would say if this were the greatest number: with head room, the next of the row 1, 2, 5, 10, 20, 50, ... above.

    0 if it is not above 0; None if it is too large to be said.
    """
    if not -MAX_NUMBER < greatest < MAX_NUMBER:
        return None
    if greatest <= 0:
        return 0
    number = greatest * HEAD_ROOM
    step = 10 ** math.floor(math.log10(max(number, 1)))
    return next(int(factor * step) for factor in (1, 2, 5, 10) if factor * step >= number)


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


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=8).digest()
