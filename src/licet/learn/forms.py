"""The form of a text, if it has one that says something: a domain, a host, the head of an id, groups of digits.

A form tells where the text agrees with others, and the way in which it differs from them. A form that holds letters out of the texts is
told only of what several parties share: of a domain the names before it differ, and of a host the first steps behind it, in more than
digits; the head of an id is a short code in capitals.
"""

from __future__ import annotations

import functools
import re

_DOMAIN = re.compile(r"([^@\s]+)(@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,24})", re.ASCII)
_HOST = re.compile(r"(https://[a-z0-9-]+(?:\.[a-z0-9-]+)+/)([^/?#\s]*)[^\s]*", re.ASCII)
_ID = re.compile(r"([A-Z]{1,6}[-_.:#/]?)([0-9]{1,18})", re.ASCII)
_GROUPS = re.compile(r"[0-9]{1,8}(?:[-/:. ][0-9]{1,8})+", re.ASCII)
_META = re.compile(r"[.^$*+?()\[\]{}|\\/]")
_MAX = 2_000  # characters of a text that is looked at, and of one that is counted in groups
_SHORT = 40
_NAME = 253  # characters of a host's name


@functools.lru_cache(maxsize=1_000)
def form_of(text: str) -> tuple[str, str]:
    """The form, and what is the text's own in it; both empty where it has none.

    `@acme.example`, `https://api.acme.example/`, `INV-`, `9999-99-99`.
    """
    if len(text) > _MAX:
        return "", ""
    if (found := _DOMAIN.fullmatch(text)) and len(found[2]) <= _NAME:
        return found[2], _letters(found[1])
    if (found := _HOST.fullmatch(text)) and len(found[1]) <= _NAME:
        return found[1], _letters(found[2])
    if len(text) <= _SHORT and (found := _ID.fullmatch(text)):
        return found[1], found[2]
    if len(text) <= _SHORT and _GROUPS.fullmatch(text):
        return re.sub("[0-9]", "9", text), text
    return "", ""


def pattern_of(form: str) -> tuple[str, str]:
    """The pattern that all texts of the form pass, and how it is told."""
    if form.startswith("@"):
        return rf"[^@\s]+{_literal(form)}", f"all of {form}; this is text out of the traces"
    if form.startswith("https://"):
        return rf"{_literal(form)}[^\s]*", f"all below {form}; this is text out of the traces"
    if form[0] == "9":
        pattern = re.sub("9+", lambda run: f"[0-9]{{{len(run[0])}}}", _literal(form))
        return pattern, f"all of the form {form.replace('9', '#')}, each # a digit"
    return f"{_literal(form)}[0-9]+", f"all of {form} and digits; this is text out of the traces"


def _literal(text: str) -> str:
    return _META.sub(r"\\\g<0>", text)


def _letters(text: str) -> str:
    return re.sub("[0-9]", "", text).lower()
