"""What a trace says: where the leaves of one call's arguments came from, each with the path to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from licet.canonical import Plain
from licet.manifest.labels import KEY, Endorsement, Label, LeafPath, OriginTerm

OriginKind = Literal["intent", "trusted", "counterpart", "untrusted", "unseen", "nowhere"]


class Place(NamedTuple):
    """Where a value was seen: a field of a call's output, or model input that no guarded call made (`tool` is then empty).

    `sole`: no other record stood beside its own. `anchored`: the intent led there,
    by an argument of the call or by words in the record. `named` are the arguments of that call which the intent names.
    """

    seq: int
    call_id: str
    tool: str
    path: LeafPath
    shown: str
    label: Label
    sole: bool = True
    anchored: bool = False
    named: frozenset[str] = frozenset()
    task_id: str = ""
    stored: bool = False  # a guarded task wrote it there, and had it from neither the intent nor a trusted field

    @property
    def kind(self) -> OriginKind:
        """The origin of a value that was seen here."""
        return "unseen" if not self.tool else self.label

    def __str__(self) -> str:
        if not self.tool:
            return "model input that no guarded call made (unseen)"
        what = f"`{self.shown}` of" if self.path else "the output of"
        label = f"{self.label}: a task wrote it into that store" if self.stored else self.label
        return f"{what} `{self.tool}` (call {self.seq}, {label})"


@dataclass(frozen=True, slots=True)
class Part:
    """A tainted value within an argument: what it is (`an address`), where it was seen, and what had to be undone to find it."""

    what: str
    place: Place
    way: str = ""
    value: str = field(default="", repr=False)
    whole: bool = False


class Trace(NamedTuple):
    """One leaf of one argument. `kinds` are all origins that hold; `places` are where the whole value was seen; `held` where a source
    that some rule endorses held it; `parts` are tainted values in it. `party` is what it names (`address`, `account`, `link`, `path`)."""

    argument: str
    leaf: str
    path: LeafPath
    value: Plain
    kinds: frozenset[OriginKind]
    places: tuple[Place, ...] = ()
    held: tuple[Place, ...] = ()
    parts: tuple[Part, ...] = ()
    party: str = ""
    digest: str = ""

    owns: frozenset[str] = frozenset()  # labels of which all that was revealed is this counterpart's own

    def __repr__(self) -> str:
        return f"Trace(leaf={self.leaf!r}, kinds={sorted(self.kinds)!r})"  # without the value

    @property
    def is_key(self) -> bool:
        """Whether it is a key of an object, and not a value."""
        return self.path[-1:] == (KEY,)

    @property
    def anchored(self) -> bool:
        """Whether it is the user's, or stands where the intent led."""
        return "intent" in self.kinds or any(place.anchored for place in (*self.places, *self.held))

    def allows(self, terms: Sequence[OriginTerm]) -> OriginTerm | None:
        """The first of `terms` that holds for this leaf."""
        for term in terms:
            if isinstance(term, Endorsement):
                if self.endorsed(term) is not None:
                    return term
            elif term in self.kinds:
                return term
        return None

    def endorsed(self, term: Endorsement) -> Place | None:
        """Where the endorsed source held the value."""
        # An untrusted place endorses nothing by itself: what the call brought, or the task wrote there, is not among the held.
        for place in (*(place for place in self.places if place.label != "untrusted"), *self.held):
            if place.tool == term.tool and term.path.matches(place.path) and (term.argument is None or term.argument in place.named):
                return place
        return None

    @property
    def best(self) -> OriginKind:
        """The origin that is trusted most."""
        for kind in _ORDER:
            if kind in self.kinds:
                return kind
        return "nowhere"


_ORDER: tuple[OriginKind, ...] = ("intent", "trusted", "counterpart", "untrusted", "unseen", "nowhere")


@dataclass(slots=True)
class Exposure:
    """One label that a task has been shown: first where, last where, by which calls, and whose record it is.

    `owners` are the counterparts (keyed hashes) to whom all that was revealed belongs: those of the one record that an output shows, or
    the counterpart by whose own address alone it was looked up. Each further output leaves only those that it has in common.
    """

    label: str
    first: Place
    latest: Place
    owners: frozenset[int]
    calls: set[str] = field(default_factory=set)
