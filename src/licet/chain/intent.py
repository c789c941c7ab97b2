"""What the user said: which values stand in the intent and in later turns, whole and as they are."""

from __future__ import annotations

import copy
import functools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from licet.canonical import Plain
from licet.chain.party import party
from licet.chain.text import PIECE, SHORT, exact

_REMEMBERED = 2_000  # characters; a longer turn seldom comes twice
_SHORT_NAME = 100
HIDDEN = "\x00"  # stands where a value was filled in that the user did not write
_EDGES = ".:!?*-…“”‘’«»#"
_JOINS = frozenset("@/\\_+%&=~-")  # a value that goes on beyond one of these is another value
_WORD = re.compile(r"[^\W_]+")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,])")
_PRINTED_IBAN = re.compile(r"(?<![\w-])[A-Z]{2}\d{2}(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,4})?(?![\w-])")
_DIGITS = re.compile(r"[\d ]+")
_GROUP = re.compile(r"[A-Z0-9]{2,5}")
_GROUP_BEFORE = re.compile(r"(?<![\w.,-])(?:[A-Z]{2}\d{2}|[A-Z0-9]{4}) $")  # ISO 13616 prints groups of four
_GROUP_AFTER = re.compile(r" \d{4}(?: |$|[A-Z0-9]{0,4}(?![\w-]))")
_NAMING = frozenset({"id", "no", "nr", "number", "num", "ref", "code", "key"})
_LINKING = frozenset({"is", "was", "are", "be", "to", "of", "the", "with", "="})
_QUOTED = re.compile(r"\"([^\"\n]{1,200})\"|'([^'\n]{1,200})'|`([^`\n]{1,200})`|“([^”\n]{1,200})”|‘([^’\n]{1,200})’|«([^»\n]{1,200})»")
_STOP = frozenset(
    [
        "about",
        "after",
        "again",
        "also",
        "another",
        "been",
        "before",
        "between",
        "could",
        "does",
        "done",
        "each",
        "email",
        "emails",
        "every",
        "file",
        "files",
        "find",
        "following",
        "from",
        "give",
        "have",
        "here",
        "into",
        "just",
        "know",
        "like",
        "list",
        "make",
        "many",
        "more",
        "most",
        "much",
        "need",
        "next",
        "only",
        "other",
        "over",
        "please",
        "same",
        "send",
        "sent",
        "should",
        "show",
        "some",
        "such",
        "tell",
        "than",
        "that",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "time",
        "today",
        "update",
        "using",
        "want",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "will",
        "with",
        "would",
        "your",
    ]
)


class Intent:
    """The user's own words. Memory and cost grow with them, and not with the task's history."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._forms: set[str] = set()
        self._named: set[tuple[str, str]] = set()
        self.words: set[str] = set()
        """Words that can tell one record from another, in lower case."""

    def twin(self) -> Intent:
        """Another one of the same words; what either is told from here on the other does not know."""
        out = copy.copy(self)
        out._texts, out._forms, out._named, out.words = list(self._texts), set(self._forms), set(self._named), set(self.words)
        return out

    def add(self, text: str) -> None:
        """A turn of the user. `HIDDEN` stands for what he did not write."""
        said = _known_turn(text) if len(text) <= _REMEMBERED else _turn(text)
        self._texts.append(said.text)
        self._forms |= said.forms
        self._named |= said.named
        self.words |= said.words

    def holds(self, value: Plain, names: Iterable[str], *, url: bool = False) -> bool:
        """Whether the value is the user's: it stands in a turn, whole. `names` are the words by which a short value must be named."""
        return self.holds_forms(exact(value, url=url), value, names)

    def holds_forms(self, forms: tuple[str, ...], value: Plain, names: Iterable[str]) -> bool:
        """The same, for whoever has the value's exact forms."""
        if not forms:
            return False
        if is_short(forms[0]):
            wanted = {*names, *_NAMING, "'", "#"}
            return any((name, form) in self._named for form in forms for name in wanted)
        if any(form in self._forms for form in forms):
            return True
        return isinstance(value, str) and self._stands(" ".join(value.split()), grouped=any(map(str.isdigit, value)))

    def _stands(self, text: str, *, grouped: bool) -> bool:
        if HIDDEN in text or len(text) < SHORT:
            return False
        for turn in self._texts:
            at = turn.find(text)
            while at >= 0:
                end = at + len(text)
                if _free(turn, at - 1, -1) and _free(turn, end, +1) and not (grouped and _goes_on(turn, at, end)):
                    return True
                at = turn.find(text, at + 1)
        return False


class _Turn(NamedTuple):
    """What one turn says: its text with plain gaps, the exact forms of its values, short ones with what names them, and its words."""

    text: str
    forms: frozenset[str]
    named: frozenset[tuple[str, str]]
    words: frozenset[str]


def _turn(text: str) -> _Turn:
    forms: set[str] = set()
    named: set[tuple[str, str]] = set()
    before: list[str] = []
    for word in whole_words(text):
        bare = word.removeprefix("#")
        for form in exact(bare):
            forms.add(form)
            named.update((name, form) for name in before)
            if bare != word:
                named.add(("#", form))
        if ":" in word and "://" not in word:  # `id:13`
            name, _, value = word.rpartition(":")
            named.update((name.lower(), form) for form in exact(value))
        lowered = bare.lower()
        if lowered not in _LINKING:  # `my username is foo`
            before = [lowered, *before[:1]] if lowered in _NAMING else [lowered]
    for match in _THOUSANDS.finditer(text):
        forms.update(exact(match[0].replace(",", "")))
    for match in _PRINTED_IBAN.finditer(text):
        if party(match[0]) == "account":
            forms.update(exact(match[0]))
    for groups in _QUOTED.findall(text):
        for form in exact(next(filter(None, groups), "")) if HIDDEN not in "".join(groups) else ():
            forms.add(form)
            named.add(("'", form))
    words = {w.lower() for w in _WORD.findall(text.replace(HIDDEN, " ")) if len(w) >= 4 and not w.isdigit()} - _STOP
    return _Turn(" ".join(text.split()), frozenset(forms), frozenset(named), frozenset(words))


# The same request comes again and again: to a service by many users, and when sessions are judged by two manifests.
_known_turn = functools.lru_cache(maxsize=256)(_turn)


def whole_words(text: str) -> Iterator[str]:
    """The words of a text that are values by themselves: nothing beside them goes on with them, and nothing hidden is in them."""
    for match in PIECE.finditer(text):
        piece = match[0]
        stripped = piece.strip(_EDGES)
        if not stripped or HIDDEN in piece:
            continue
        start = match.start() + len(piece) - len(piece.lstrip(_EDGES))
        end = start + len(stripped)
        if _free(text, start - 1, -1) and _free(text, end, +1) and not (_GROUP.fullmatch(stripped) and _goes_on(text, start, end)):
            yield "#" + stripped if text[start - 1 : start] == "#" else stripped


def _goes_on(turn: str, start: int, end: int) -> bool:
    """Whether groups of digits stand before or after, so that an account number is longer than this."""
    if _DIGITS.fullmatch(turn[start:end]) and " " in turn[start:end]:
        return re.search(r"\d $", turn[max(0, start - 2) : start]) is not None or re.match(r" \d", turn[end : end + 2]) is not None
    return _GROUP_BEFORE.search(turn[max(0, start - 12) : start]) is not None or _GROUP_AFTER.match(turn[end : end + 12]) is not None


def _free(turn: str, at: int, step: int) -> bool:
    """Whether a value can end before the character at `at`: nothing there goes on with it."""
    if not 0 <= at < len(turn):
        return True
    character = turn[at]
    if character.isalnum() or character in _JOINS or character == HIDDEN or unicodedata.category(character)[0] == "M":
        return False
    if unicodedata.category(character) == "Cf":
        return False
    if character in "!^" and turn[at + step : at + step + 1].isalnum():
        return False
    if character in ",;(" and step > 0 and "://" in turn[max(0, at - 300) : at].rpartition(" ")[2] and turn[at + 1 : at + 2].strip():
        return False  # a link goes on with it
    if turn[min(at, at + step) : max(at, at + step) + 1] == "::":
        return False
    if character in ",|":  # as in `1,000` or `a|b`
        outer, inner = turn[at + step : at + step + 1] if at + step >= 0 else "", turn[at - step : at - step + 1]
        return not (outer.isdigit() and inner.isdigit()) if character == "," else not (outer.isalnum() and inner.isalnum())
    if character in "'’" and turn[at + 1 : at + 2] == "s" and not turn[at + 2 : at + 3].isalnum() and step > 0:
        return True  # a possessive: `Ada's`
    if character in ".:#?'’":  # as in `evil.example` or `host:80`: they end a value only before a gap
        beyond = at + step
        return not (0 <= beyond < len(turn)) or not (turn[beyond].isalnum() or turn[beyond] in _JOINS)
    return True


def is_short(form: str) -> bool:
    """Whether an exact form is too short to be a value's own: fewer than four characters, a code of three capitals (`SFO`) aside."""
    return len(form) - 2 < SHORT and not (len(form) == 5 and form[2:].isalpha() and form[2:].isupper())


def words_of(name: str) -> frozenset[str]:
    """The words in a name: `ticket_id` and `ticketId` are `ticket` and `id`."""
    return _known_words(name) if len(name) <= _SHORT_NAME else _words_of(name)


def _words_of(name: str) -> frozenset[str]:
    return frozenset(word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name))


_known_words = functools.lru_cache(maxsize=2_048)(_words_of)
