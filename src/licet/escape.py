"""Make any text safe to show: what could act on a terminal, a page or a reader's eye becomes visible instead.

Control characters (ANSI sequences live from ESC), bidirectional overrides, zero-width and other format characters, variation
selectors, private use, lone surrogates and unusual line ends are written as `\\u{202e}`. Markdown links, images and tags lose their
hold by a backslash.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from typing import Any

CUT_MARK = "…"

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# What makes a link, an image, a definition or a tag of Markdown. In a text that holds one, every bracket loses its hold, and every
# backslash, which could take the escape back. Escaping only the outer brackets would leave `[![a](b)](c)` an image.
_MARKDOWN = re.compile(r"\][(\[:]|<[A-Za-z/!?]")
_MARKDOWN_HOLD = re.compile(r"[\\\[\]<]")
# Blank, but of category Lo or So, so that they pass as letters: Hangul fillers and the empty Braille cell.
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")
# Of category Mn, and of no width: combining grapheme joiner, Khmer inherent vowels, Mongolian and other variation selectors. With the
# two sets above, these are all Default_Ignorable_Code_Points of Unicode; they can carry a hidden text, one byte a selector.
_IGNORABLE_MARKS = frozenset(
    chr(code)
    for first, last in ((0x034F, 0x034F), (0x17B4, 0x17B5), (0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
    for code in range(first, last + 1)
)
_UNSEEN = _BLANK_LETTERS | _IGNORABLE_MARKS


def visible(text: str, limit: int = 2_000) -> str:
    """One line of text in which every character shows. Cut to `limit` characters, with `…` and the number left out."""
    left_out = len(text) - limit
    shown = "".join(map(_show, text[:limit]))
    return f"{shown}{CUT_MARK} ({left_out} more characters)" if left_out > 0 else shown


def counted(number: int, what: str) -> str:
    """`1 call`, `2 calls`, `1,000 calls`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def visible_json(value: Any, limit: int = 2_000) -> str:
    """JSON of a plain value, each character visible, cut to `limit`."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=lambda other: f"<{type(other).__name__}>")
    except (ValueError, RecursionError) as error:
        text = f"<not JSON: {error}>"
    return visible(text, limit)


def plain_text(text: str, limit: int = 2_000) -> str:
    """`visible`, and Markdown links and images no longer link: for surfaces that may render Markdown (chat, tickets)."""
    shown = visible(text, limit)
    return _MARKDOWN_HOLD.sub(r"\\\g<0>", shown) if _MARKDOWN.search(shown) else shown


def visible_html(text: str, limit: int = 2_000) -> str:
    """`visible`, with the five characters that matter in HTML, SVG and attribute values escaped."""
    return html.escape(visible(text, limit), quote=True)


def _show(character: str) -> str:
    if " " <= character <= "~":
        return character
    if unicodedata.category(character) in _HIDDEN_CATEGORIES or character in _UNSEEN:
        return f"\\u{{{ord(character):x}}}"
    return character
