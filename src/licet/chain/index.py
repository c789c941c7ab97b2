"""What a task has seen, by keyed hashes: so that a later call can ask, at the cost of its own size, where its values came from.

Two indices, never one. *Trust* is exact, and given only to a leaf that the manifest labels so, which no earlier untrusted output held, and
which the call did not itself bring in. *Taint* is loose, and never forgotten: when the index is full, trust goes first; when there is none
left to forget, no field counts as trusted any more.
"""

from __future__ import annotations

import copy
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import filterfalse
from typing import NamedTuple

from licet.canonical import Plain
from licet.chain.brought import Brought
from licet.chain.encodings import encoded, forms
from licet.chain.hashes import hashers
from licet.chain.intent import Intent, whole_words, words_of
from licet.chain.keys import (
    ID_WORDS,
    NAMES_SOMEBODY,
    WITHIN,
    atom_of,
    field_words,
    held_questions,
    loose_forms,
    name_of,
    store_questions,
    worth_finding,
)
from licet.chain.origin import Exposure, OriginKind, Part, Place, Trace
from licet.chain.outputs import Leaf, argument_leaves, shown_path
from licet.chain.party import kind, party
from licet.chain.text import PIECE, SHORT, atom, atoms, exact, grouped, loose, pieces
from licet.manifest.labels import LeafPath

MAX_ATOMS = 100_000
MAX_GRAMS = 200_000
MAX_DEEP = 200  # leaves of one call in which encodings are looked for
_REFS = 4  # places that are kept for one value
_RUN = 5  # bigrams in a row that make a passage
_NO_LABELS: frozenset[str] = frozenset()
_LINES = re.compile(r"[\n\r\t,;]|: ")


class Output(NamedTuple):
    """One output, or one text that entered: what the index is told of it. `brought` are the argument leaves of the call itself.

    `asked_by` is the counterpart's own address, where the call had nothing else to look for and the output is one record.
    """

    seq: int
    call_id: str
    tool: str
    leaves: list[Leaf]
    brought: tuple[Plain, ...] = ()
    reveals: tuple[str, ...] = ()
    anchored: bool = False
    named: frozenset[str] = frozenset()
    endorsable: bool = False
    task_id: str = ""
    names: frozenset[str] = frozenset()
    something: bool = True
    kept: frozenset[str] = frozenset()
    asked_by: tuple[Plain, ...] = ()


class OriginIndex:
    """The index of one task and its sub-tasks.

    Args:
        atoms, grams: how many values, and how many pairs of words, are kept.
        salt: keys the hashes; by default a new one, so that hashes of two tasks cannot be compared.
    """

    def __init__(self, *, max_atoms: int = MAX_ATOMS, max_grams: int = MAX_GRAMS, salt: bytes | None = None) -> None:
        self.intent = Intent()
        self.exposures: dict[str, Exposure] = {}
        self.entered: Place | None = None
        """The first untrusted content that the task was shown."""
        self.dropped = 0
        """Trusted values that were forgotten."""
        self.full = False
        """Taint no longer fits: nothing counts as trusted."""
        self._max_atoms, self._max_grams = max_atoms, max_grams
        salt = salt or os.urandom(16)
        self._hashes, self._pairs = hashers(salt)
        self._key = hashlib.sha256(b"digest" + salt).digest()
        self._places: list[Place] = []
        self._taint: dict[int, int] = {}
        self._grams: dict[int, int] = {}
        self._trust: dict[int, tuple[int, ...]] = {}
        self._counterparts: dict[int, tuple[int, ...]] = {}
        self._held: dict[int, tuple[int, ...]] = {}
        self._revealed: dict[str, set[int]] = {}
        self._every: set[str] = set()
        self._written: set[int] = set()

    def twin(self) -> OriginIndex:
        """Another index that knows what this one does, with the same salt; what either is told from here on the other does not know."""
        out = copy.copy(self)
        for name, held in vars(self).items():
            if isinstance(held, (dict, list, set)):
                setattr(out, name, held.copy())
        out.intent = self.intent.twin()
        out.exposures = {label: replace(seen, calls=set(seen.calls)) for label, seen in self.exposures.items()}
        out._revealed = {label: set(known) for label, known in self._revealed.items()}
        return out

    def __len__(self) -> int:
        return len(self._taint) + len(self._trust) + len(self._counterparts) + len(self._held) + len(self._places)

    # What is seen ------------------------------------------------------------------------------------------------------

    def observe(self, output: Output, tainted_in_store: Callable[[list[str]], frozenset[str]] | None = None) -> None:
        """Take in one output. `tainted_in_store` tells which of the values it is asked about were written there tainted, in any task."""
        places = _Places(self, output)
        untrusted = [leaf for leaf in output.leaves if leaf.label == "untrusted"]
        if untrusted and self.entered is None:
            self.entered = self._places[places.of(untrusted[0])]
        if self.full:  # nothing can be trusted any more, and what is not found counts as unseen: nothing more need be kept
            self._expose(output, places)
            return
        brought = Brought(output.brought if len(untrusted) < len(output.leaves) or output.endorsable else ())
        self._take_untrusted(untrusted, places)
        chosen = [leaf for leaf in output.leaves if leaf.label != "untrusted"]
        remembered: frozenset[str] = frozenset()
        if chosen and tainted_in_store:
            remembered = tainted_in_store(sorted({form for leaf in chosen for form in store_questions(leaf)}))
        for leaf in chosen:
            if remembered and not remembered.isdisjoint(store_questions(leaf)):
                self._take_untrusted([leaf], places, label="untrusted")
            else:
                self._take_chosen(leaf, places, brought)
        if output.endorsable:
            asked = sorted({form for leaf in output.leaves for form in held_questions(leaf)}) if tainted_in_store else []
            tainted = tainted_in_store(asked) if tainted_in_store else frozenset()
            for leaf in output.leaves:
                self._take_held(leaf, places.of(leaf), brought, tainted)
        self._expose(output, places)
        self._make_room()

    def _take_untrusted(self, leaves: list[Leaf], places: _Places, label: str | None = None) -> None:
        # By field, so that the many leaves of one are hashed in one go; a place is made only for what is new.
        fields: dict[LeafPath, list[Leaf]] = {}
        for leaf in leaves:
            fields.setdefault(leaf.path, []).append(leaf)
        for of_field in fields.values():
            texts, words = loose_forms(of_field)
            taint = list(filterfalse(self._taint.__contains__, self._hashes(texts)))
            grams = dict.fromkeys(filterfalse(self._grams.__contains__, self._pairs(words)))
            if len(self._grams) + len(grams) > self._max_grams:
                self.full, grams = True, {}
            if taint or grams:
                place = places.of(of_field[0], label)
                self._taint.update(dict.fromkeys(taint, place))
                self._grams.update(dict.fromkeys(grams, place))

    def _take_chosen(self, leaf: Leaf, places: _Places, brought: Brought) -> None:
        trusted = leaf.label == "trusted"
        index = self._trust if trusted else self._counterparts
        if trusted and isinstance(leaf.value, str) and (" " in leaf.value or "<" in leaf.value) and self._holds_a_stranger(leaf, brought):
            return
        for key in self._hashes(list(exact(leaf.value))):
            known = index.get(key)
            if known is None and (self.full or leaf.value in brought or (trusted and self._tainted(leaf))):
                continue
            if known is None or len(known) < _REFS:
                index[key] = (*(known or ()), places.of(leaf))
        if trusted and isinstance(leaf.value, str) and not self.full and " " in leaf.value:
            self._take_named(leaf, places, brought)

    def _holds_a_stranger(self, leaf: Leaf, brought: Brought) -> bool:
        """Whether a trusted text holds an address, a link or the like that the call brought in, or that untrusted content held."""
        return any(
            piece in brought or self._find_atom(atom(loose(piece)), ()) is not None
            for piece in worth_finding(str(leaf.value), encoded=True)
            if len(piece) < len(str(leaf.value).strip())
        )

    def _take_named(self, leaf: Leaf, places: _Places, brought: Brought) -> None:
        """A trusted text names addresses, accounts and links as whole words; those are as trusted as it is."""
        for piece in whole_words(str(leaf.value)):
            if len(piece) < 6 or piece.isalpha() or party(piece) not in ("address", "account", "link"):
                continue
            inner = Leaf(leaf.path, piece, leaf.label, leaf.record)
            if piece not in brought and not self._tainted(inner):
                for key in self._hashes(list(exact(piece))):
                    _remember(self._trust, key, places.of(leaf))

    def _take_held(self, leaf: Leaf, place: int, brought: Brought, tainted: frozenset[str]) -> None:
        found = {leaf.value}
        if isinstance(leaf.value, str):
            found |= {line.strip() for line in leaf.value.splitlines()[:2_000]}
            found |= {part.strip() for part in _LINES.split(leaf.value)[:2_000]}
            found |= {piece.strip(".:!?*#") for piece in PIECE.findall(leaf.value)[:5_000]}
        for value in found:
            form = atom_of(value)
            if value == "" or value in brought or form in tainted or WITHIN + form in tainted:
                continue
            if not self._written.isdisjoint(self._hashes([form])):
                continue  # this task wrote it itself
            for key in self._hashes(list(exact(value))):
                _remember(self._held, key, place)

    def _expose(self, output: Output, places: _Places) -> None:
        # A yes or a no reveals too: the exposure comes from the output, and not from what can be found again of it.
        for label in output.reveals if output.something else ():
            if label in output.kept:
                self._keep(label, output.leaves)
            here = self._places[places.of(Leaf((), "", "untrusted", -1))]
            seen = self.exposures.get(label)
            if seen is None:
                seen = self.exposures[label] = Exposure(label, here, here, self._owners(output))
            else:
                seen.latest, seen.owners = here, seen.owners & self._owners(output)
            if len(seen.calls) < 3:
                seen.calls.add(output.call_id)

    def _owners(self, output: Output) -> frozenset[int]:
        """The counterparts whose record this output is, and of nobody else."""
        own = [leaf.value for leaf in output.leaves if leaf.label == "counterpart" and leaf.alone]
        keys = {key for value in (*own, *output.asked_by) for key in self._hashes(list(exact(value)))}
        return frozenset(keys & self._counterparts.keys())

    def _keep(self, label: str, leaves: list[Leaf]) -> None:
        known = self._revealed.setdefault(label, set())
        for leaf in leaves:
            known.update(self._hashes(_carried_forms(leaf.value)))
        if len(known) > self._max_atoms:
            self._revealed[label] = known = set()
            self._every.add(label)

    def carried(self, arguments: Mapping[str, Plain], labels: frozenset[str]) -> frozenset[str]:
        """The labels of which a value stands in the arguments; of more values than are kept, every value counts."""
        asked = {label: self._revealed[label] for label in labels if label in self._revealed}
        if not asked:
            return frozenset()
        found = {label for label in asked if label in self._every}
        for argument, value in arguments.items():
            for _, _, leaf in argument_leaves(value, argument):
                shown = [form for form, _ in forms(leaf)] if isinstance(leaf, str) else [leaf]
                keys = {key for form in shown for key in self._hashes(_carried_forms(form))}
                found.update(label for label, known in asked.items() if not keys.isdisjoint(known))
        return frozenset(found)

    def _make_room(self) -> None:
        while len(self) > self._max_atoms and (self._trust or self._held or self._counterparts):
            index = self._trust or self._counterparts or self._held
            for key in list(index)[: max(1, len(index) // 4)]:
                del index[key]
                self.dropped += 1
        if len(self) > self._max_atoms:
            self.full = True
        if self.full:
            # What came in untrusted from here on is not known, so that nobody can tell what it did not hold.
            self.dropped += len(self._trust)
            self._trust.clear()
            for key in list(self._taint)[self._max_atoms :]:
                del self._taint[key]

    def enter(self, text: str, *, path: str = "") -> None:
        """Text that no guarded call made and the user did not write: `unseen`, and untrusted."""
        leaf = Leaf((path,) if path else (), text, "untrusted", -1)
        self.observe(Output(0, "", "", [leaf]))

    def _tainted(self, leaf: Leaf) -> bool:
        """Whether untrusted content held this value, in any form that a reader would take for it."""
        if not self._taint and not self._grams:
            return False
        return self._place_of(leaf.value, field_words(leaf.path)) is not None

    def _place_of(self, value: Plain, names: Iterable[str] = ()) -> Place | None:
        if not isinstance(value, str):
            found = exact(value)
            return self._find_atom(found[0][2:], names) if found else None
        text = loose(value)
        place = self._find_text(text, names)
        if place is None and 8 <= len(text) <= 200 and (any(map(str.isdigit, text)) or "@" in text or "/" in text):
            for form, _ in encoded(value):
                place = place or self._find_text(loose(form), ())
            place = place or self._find_text(text[::-1], ())
        return place

    def _find_text(self, text: str, names: Iterable[str]) -> Place | None:
        """Where a loose text was seen, whole."""
        stripped = text.strip()
        place = self._find_atom(atom(stripped), names)
        if place is None and (words := pieces(stripped)) and len(words) > 1 and self._grams:
            refs = [self._grams.get(key) for key in self._pairs(words)]
            if None not in refs:
                place = self._places[refs[0] or 0]
        return place

    def _find_atom(self, form: str, names: Iterable[str]) -> Place | None:
        keys = [form] if len(form) >= SHORT else [f"{name} {form}" for name in (*names, *ID_WORDS)]
        refs = [ref for key in self._hashes(keys) if (ref := self._taint.get(key)) is not None]
        if not refs:
            return None
        # Names come in no order: what is least trusted is told, then what came first; else two processes could say two things.
        return min((self._places[ref] for ref in refs), key=lambda place: (place.kind != "untrusted", place.seq))

    # What is asked -----------------------------------------------------------------------------------------------------

    def note_written(self, written: Iterable[str]) -> None:
        """A write of this task holds values that nobody vouched for: a source that hands them back has not made them its own."""
        self._written.update(self._hashes([form.removeprefix(WITHIN) for form in written]))

    def traces(self, tool: str, arguments: Mapping[str, Plain], urls: frozenset[str], *, deep: bool) -> Iterator[Trace]:
        """Where every leaf of a call's arguments came from.

        After so many leaves encodings are not looked for, and what is not known as it stands counts as unseen.
        """
        count = 0
        for argument, value in arguments.items():
            for trace in self.trace(tool, argument, value, url=argument in urls, deep=deep and count <= MAX_DEEP):
                count += 1
                hasty = deep and count > MAX_DEEP and trace.kinds == {"nowhere"}
                yield trace._replace(kinds=frozenset({"unseen"})) if hasty else trace

    def trace(self, tool: str, argument: str, value: Plain, *, url: bool = False, deep: bool = True) -> list[Trace]:
        """Where every leaf of one argument came from. `deep`: look for encodings too."""
        names = words_of(argument)
        if names <= {"id"}:
            names |= words_of(tool)
        if not isinstance(value, (list, dict)):
            return [self._trace(argument, argument, (), value, names, url=url, deep=deep)]
        return [
            self._trace(argument, shown, path, leaf, names, url=url, deep=deep and count <= MAX_DEEP)
            for count, (shown, path, leaf) in enumerate(argument_leaves(value, argument))
        ]

    def _trace(self, argument: str, shown: str, path: LeafPath, value: Plain, names: frozenset[str], *, url: bool, deep: bool) -> Trace:
        whole = exact(value, url=url)
        if not whole:
            return Trace(argument, shown, path, value, frozenset({self._unknown}))
        kinds: set[OriginKind] = set()
        places: list[Place] = []
        if self.intent.holds_forms(whole, value, names):
            kinds.add("intent")
        keys = list(self._hashes(list(whole)))
        if not self.full and (trusted := self._kept(self._trust, keys)):
            kinds.add("trusted")
            places += trusted
        if counterparts := self._kept(self._counterparts, keys):
            kinds.add("counterpart")
            places += counterparts
        held = self._kept(self._held, keys)
        found = party(value, names)
        # What is whole the user's, or a trusted field's, is nobody else's, whatever stands in it.
        parts = () if kinds & {"intent", "trusted"} or not (self._taint or self._grams) else tuple(self._parts(value, names, deep=deep))
        for part in parts:
            if part.whole and not kinds & {"intent", "trusted"}:
                kinds.add(part.place.kind)
                places.append(part.place)
        if not kinds and (built := next((part for part in parts if part.what in NAMES_SOMEBODY), None)) is not None:
            # Built around somebody's address or secret: the model did not make that up.
            kinds.add(built.place.kind)
            places.append(built.place)
        owns = _NO_LABELS
        if self.exposures:
            owns = frozenset(label for label, seen in self.exposures.items() if not seen.owners.isdisjoint(keys))
        known = frozenset(kinds or {self._unknown})
        return Trace(argument, shown, path, value, known, tuple(places), tuple(held), parts, found, self.digest(whole[0]), owns)

    def _kept(self, index: dict[int, tuple[int, ...]], keys: list[int]) -> list[Place]:
        return [self._places[ref] for key in keys for ref in index.get(key, ())] if index else []

    @property
    def _unknown(self) -> OriginKind:
        """What a value is that was not found: the model's own, as long as the index can tell."""
        return "unseen" if self.full or self.dropped else "nowhere"

    def _parts(self, value: Plain, names: frozenset[str], *, deep: bool) -> Iterator[Part]:
        """The tainted values in an argument; the whole of it first, if it is one."""
        what = kind(value) if isinstance(value, str) else "a number"
        place = self._place_of(value, names)
        if place is not None:
            yield Part(what, place, "", str(value), whole=True)
        if not isinstance(value, str):
            return
        told: set[str] = set()
        whole_found = place is not None
        for form, way in forms(value) if deep else ((value, ""),):
            text = loose(form)
            if way and not whole_found and len(text) >= SHORT and (place := self._find_text(text, names)) is not None:
                whole_found = True
                yield Part(name_of(form.strip()), place, way, form, whole=True)
            for piece in worth_finding(form, encoded=bool(way)):
                own = loose(piece)
                if own in told:
                    continue
                form_of = atom(own)
                place = None if own == text.strip() else self._find_atom(form_of, ())
                if place is None:
                    inner = (found for found in atoms([own]) if found != form_of and len(found) >= 6)
                    place = next(filter(None, (self._find_atom(found, ()) for found in inner)), None)
                if place is None and not way and party(piece) and len(piece) <= 200:
                    place = self._place_of(piece)
                # Most pieces are found nowhere: whether the user vouches for one is asked last.
                if place is not None and not self.vouched(piece):
                    told.add(own)
                    yield Part(name_of(piece), place, way, piece)
            if not way and (passage := self._passage(pieces(text))) is not None:
                yield Part("a passage", passage)

    def vouched(self, piece: str) -> bool:
        """Whether a value inside a text is the user's, or a trusted field's."""
        return self.intent.holds(piece, ()) or any(key in self._trust for key in self._hashes(list(exact(piece))))

    def _passage(self, words: list[str]) -> Place | None:
        """Where a run of at least six words was seen."""
        if len(words) <= _RUN or not self._grams:
            return None
        run = 0
        for key in self._pairs(words):
            ref = self._grams.get(key)
            run = run + 1 if ref is not None else 0
            if run >= _RUN and ref is not None:
                return self._places[ref]
        return None

    def digest(self, form: str) -> str:
        """Eight hex digits that stand for a value in this task, and say nothing of it outside."""
        return hashlib.blake2b(form.encode("utf-8", "replace"), digest_size=4, key=self._key).hexdigest()


class _Places:
    """The places of one output, made when they are needed."""

    def __init__(self, index: OriginIndex, output: Output) -> None:
        self._index, self._output = index, output
        self._known: dict[tuple[object, ...], int] = {}
        self._anchored: dict[int, bool] = {}
        if (not output.anchored and index.intent.words and any(leaf.label != "untrusted" for leaf in output.leaves)) or output.endorsable:
            for leaf in output.leaves:
                if isinstance(leaf.value, str) and not self._anchored.get(leaf.record):
                    self._anchored[leaf.record] = _names_one(leaf.value.lower(), index.intent.words)

    def of(self, leaf: Leaf, label: str | None = None) -> int:
        """The number of the place of a leaf; the leaves of one field share it, except those of records to which the intent led."""
        anchored = self._output.anchored or self._anchored.get(leaf.record, False)
        key = (leaf.path, label, anchored, leaf.alone)
        known = self._known.get(key)
        if known is None:
            output = self._output
            place = Place(
                output.seq, output.call_id, output.tool, leaf.path, shown_path(leaf.path, output.names), leaf.label, leaf.alone,
                anchored, output.named, output.task_id,
            )  # fmt: skip
            known = self._known[key] = len(self._index._places)
            self._index._places.append(place if label is None else place._replace(label="untrusted", stored=True))
        return known


def _names_one(text: str, words: set[str]) -> bool:
    """Whether one of the words stands in the text, whole."""
    for word in words:
        at = text.find(word)
        while at >= 0:
            end = at + len(word)
            if not text[at - 1 : at].isalnum() and not text[end : end + 1].isalnum():
                return True
            at = text.find(word, end)
    return False


def _carried_forms(value: Plain) -> list[str]:
    """The forms by which a value of a revealed label is found again; not what is too short to be its own."""
    found = [atom_of(value)]
    if isinstance(value, str):
        text = loose(value)
        found += [*atoms(pieces(text)), *grouped(text)]
    return [form for form in found if len(form) >= SHORT and " " not in form]


def _remember(index: dict[int, tuple[int, ...]], key: int, place: int) -> None:
    known = index.get(key, ())
    if place not in known and len(known) < _REFS:
        index[key] = (*known, place)
