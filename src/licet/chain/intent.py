"""What the user said: which values stand in the intent and in later turns, whole and as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable

from licet.canonical import Plain
from licet.chain.text import PIECE, SHORT, exact

HIDDEN = "\x00"  # stands where a value was filled in that the user did not write
_EDGES = ".:!?*-…“”‘’«»#"
_JOINS = frozenset("@/\\_+%&=~-")  # a value that goes on beyond one of these is another value
_WORD = re.compile(r"[^\W_]+")
_NAMING = frozenset({"id", "no", "nr", "number", "num", "ref", "code", "key"})
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

    def add(self, text: str) -> None:
        """A turn of the user. `HIDDEN` stands for what he did not write."""
        self._texts.append(" ".join(text.split()))
        # A piece that touches something hidden is part of a longer value.
        whole = [piece for piece in PIECE.findall(text) if HIDDEN not in piece]
        words = [piece.strip(_EDGES) for piece in whole]
        before: list[str] = []
        for word, raw in zip(words, whole, strict=True):
            for form in exact(word):
                self._forms.add(form)
                self._named.update((name, form) for name in before)
                if raw.startswith("#"):
                    self._named.add(("#", form))
            if ":" in word and "://" not in word:  # `id:13`
                name, _, value = word.rpartition(":")
                self._named.update((name.lower(), form) for form in exact(value))
            lowered = word.lower()
            before = [lowered, *before[:1]] if lowered in _NAMING else [lowered] if lowered else before
        for groups in _QUOTED.findall(text):
            for form in exact(next(filter(None, groups), "")) if HIDDEN not in "".join(groups) else ():
                self._forms.add(form)
                self._named.add(("'", form))
        self.words |= {w.lower() for w in _WORD.findall(text.replace(HIDDEN, " ")) if len(w) >= 4 and not w.isdigit()} - _STOP

    def holds(self, value: Plain, names: Iterable[str], *, url: bool = False) -> bool:
        """Whether the value is the user's: it stands in a turn, whole. `names` are the words by which a short value must be named."""
        forms = exact(value, url=url)
        if not forms:
            return False
        if is_short(forms[0]):
            wanted = {*names, *_NAMING, "'", "#"}
            return any((name, form) in self._named for form in forms for name in wanted)
        return any(form in self._forms for form in forms) or (isinstance(value, str) and self._stands(" ".join(value.split())))

    def _stands(self, text: str) -> bool:
        if HIDDEN in text or len(text) < SHORT:
            return False
        for turn in self._texts:
            at = turn.find(text)
            while at >= 0:
                end = at + len(text)
                if _free(turn, at - 1, -1) and _free(turn, end, +1):
                    return True
                at = turn.find(text, at + 1)
        return False


def _free(turn: str, at: int, step: int) -> bool:
    """Whether a value can end before the character at `at`: nothing there goes on with it."""
    if not 0 <= at < len(turn):
        return True
    character = turn[at]
    if character.isalnum() or character in _JOINS or character == HIDDEN:
        return False
    if character in "'’" and turn[at + 1 : at + 2] == "s" and not turn[at + 2 : at + 3].isalnum() and step > 0:
        return True  # a possessive: `Ada's`
    if character in ".:#?'’":  # as in `evil.example` or `host:80`: they end a value only before a gap
        beyond = at + step
        return not (0 <= beyond < len(turn)) or not (turn[beyond].isalnum() or turn[beyond] in _JOINS)
    return True


def is_short(form: str) -> bool:
    """Whether an exact form is too short to be a value's own: fewer than four characters."""
    return len(form) - 2 < SHORT and not form.startswith("d:")


def words_of(name: str) -> frozenset[str]:
    """The words in a name: `ticket_id` and `ticketId` are `ticket` and `id`."""
    return frozenset(word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name))
