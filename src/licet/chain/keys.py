"""Under which keys a value is kept and looked for: by its loose form, and a short one only together with what names it."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterator

from licet.canonical import Plain
from licet.chain.intent import words_of
from licet.chain.outputs import Leaf
from licet.chain.party import addresses_in, is_secret, kind, party
from licet.chain.text import GAP, PIECE, SHORT, atom, atoms, exact, grouped, loose, may_be_grouped, pieces, printed, split
from licet.manifest.labels import ITEM, KEY, LeafPath

NAMES_SOMEBODY = frozenset({"an address", "a link", "an account number", "a secret"})
WITHIN = "~"  # before the form of what merely stood in a text
ID_WORDS = ("id", "no", "nr", "number", "#", "'")
_WHOLE = 200  # characters; a longer leaf is kept by its words only
_QUOTES = "\"'`“‘«"
_QUOTED = re.compile(r"[\"'`“‘«]([^\"'`“”‘’«»\s]{1,60})[\"'`”’»]")
_UNSEEN = ("Mn", "Me", "Cf")


def loose_forms(leaves: list[Leaf]) -> tuple[list[str], list[str]]:
    """Under which forms the untrusted leaves of one field are kept, and their words, with gaps between leaves.

    A short value is kept with what names it only.
    """
    named = field_words(leaves[0].path)
    forms: list[str] = []
    texts: list[str] = []
    for leaf in leaves:
        if not isinstance(leaf.value, str):
            form = exact(leaf.value)[0][2:]
            forms += [f"{word} {form}" for word in named] if len(form) < SHORT else [form]
            continue
        text = loose(leaf.value)
        texts.append(text)
        if len(text) <= _WHOLE:
            whole = atom(text.strip())
            forms.append(whole if len(whole) >= SHORT else f"{named[0]} {whole}")
    # In one go: three gaps are as many words as can name a short value.
    joined = texts[0] if len(texts) == 1 else f" {GAP} {GAP} {GAP} ".join(texts)
    words, odd = split(joined)
    forms += atoms(words, odd)
    if may_be_grouped(words, odd):
        forms += grouped(joined)
    if any(sign in joined for sign in _QUOTES):
        forms += [f"' {quoted}" if len(quoted) < SHORT else atom(quoted) for quoted in _QUOTED.findall(joined)]
    return forms, words if len(words) > 1 else []


@functools.lru_cache(maxsize=4_096)
def field_words(path: LeafPath) -> tuple[str, ...]:
    """The words of the field's own name: `file_id` for `[].file_id`."""
    names = [part for part in path if part not in (ITEM, KEY)]
    return (names[-1].lower(), *words_of(names[-1])) if names else ("",)


def store_questions(leaf: Leaf) -> list[str]:
    """Under which forms a leaf that was read from a store may have been written there."""
    out = store_forms(leaf.value, leaf.path)
    if isinstance(leaf.value, str) and len(leaf.value.split()) > 1:
        inner = [form for form in written_forms(leaf.value, "", leaf.path) if len(form) >= 6]
        out += [*inner, *(WITHIN + form for form in inner)]
    return out


def held_questions(leaf: Leaf) -> list[str]:
    """Under which forms anything within a leaf may have been written."""
    found = [*store_forms(leaf.value, leaf.path), *written_forms(leaf.value, "", leaf.path)]
    return [*found, *(WITHIN + form for form in found)]


def inner_forms(value: Plain, vouched: Callable[[str], bool]) -> Iterator[str]:
    """The forms of the addresses, links and the like within a text that is written, those aside that somebody `vouched` for."""
    if isinstance(value, str):
        for piece in worth_finding(value, encoded=True):
            if not vouched(piece):
                yield WITHIN + atom(loose(piece))


def atom_of(value: Plain) -> str:
    """The one form of a whole value."""
    return atom(loose(value).strip()) if isinstance(value, str) else exact(value)[0][2:] if exact(value) else ""


def name_of(piece: str) -> str:
    """What a value inside a text is, in words."""
    if party(piece):
        return kind(piece)
    if any(True for _ in addresses_in(piece)):
        return "an address"
    return "a link" if "://" in piece else "a secret" if is_secret(piece) else "a value"


def worth_finding(text: str, *, encoded: bool) -> tuple[str, ...]:
    """The pieces of a text that are somebody's own: addresses, links, accounts, ids, secrets."""
    return _remembered(text, encoded) if len(text) <= _WHOLE else tuple(_worth_finding(text, encoded))


@functools.lru_cache(maxsize=1_024)
def _remembered(text: str, encoded: bool) -> tuple[str, ...]:  # noqa: FBT001 - a key of the cache
    # One argument is looked at when it is judged, when it is written, and when the tool hands it back.
    return tuple(_worth_finding(text, encoded))


def _worth_finding(text: str, encoded: bool) -> Iterator[str]:  # noqa: FBT001 - as above
    # Invisible characters and accents go first: they would hide an address from whoever looks for its form.
    plain = text if text.isascii() else "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) not in _UNSEEN)
    yield from (match for match in printed(plain) if len(match) >= 8)
    for piece in PIECE.findall(plain):
        stripped = piece.strip(".:!?*-")
        if len(stripped) >= 6 and not stripped.isalpha() and (not encoded or party(stripped) or is_secret(stripped)):
            yield stripped


def store_forms(value: Plain, path: LeafPath, argument: str = "") -> list[str]:
    """The forms under which a store remembers a value; a short one only together with a word of its field's or argument's name."""
    form = atom_of(value)
    if len(form) >= SHORT or not form:
        return [form] if form else []
    names = {word for part in (argument, *path[-1:]) for word in words_of(part)}
    return sorted(f"{name} {form}" for name in names)


def written_forms(value: Plain, argument: str, path: LeafPath) -> Iterator[str]:
    """The forms of all that a write puts into a store by one argument leaf."""
    yield from store_forms(value, path, argument)
    if isinstance(value, str):
        text = loose(value)
        yield from (form for form in (*atoms(pieces(text)), *grouped(text)) if len(form) >= SHORT)
