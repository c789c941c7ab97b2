"""What a value looks like when an encoding is undone, or put on. For taint only: what had to be decoded is never trusted."""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
import struct
import urllib.parse
from collections.abc import Callable, Iterator, Mapping

from licet.chain.text import loose

MAX_DECODED = 4_096  # characters of a text that is decoded as a whole; of a longer one only the words that look encoded are
MAX_FORMS = 200
MAX_APART = 4  # findings of one kind in one text that are told one by one; more are told as one text, so that many cannot hide one
DEPTH = 2  # how many encodings on top of each other are undone

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{6,}={0,2}")
_BASE85 = re.compile(r"(?<!\S)[!-~]{10,400}(?!\S)")
_BASE32 = re.compile(r"[A-Z2-7]{8,}={0,6}")
_HEX = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2}[\s:,-]?){3,})")
_CODES = re.compile(r"(?:\d{1,3}[\s,;.-]+){2,}\d{1,3}")
_BITS = re.compile(r"(?:[01]{8}\s*){3,}")
_ESCAPES = re.compile(r"\\(?:u\{?([0-9a-fA-F]{4,6})\}?|x([0-9a-fA-F]{2}))")
_SPACED = re.compile(r"(?:(?<=\s)|^)\S(?:[ \t.\-_*|/]\S){3,}(?=\s|$)")
_WORD_AT = re.compile(r"\s*[\[({<]?\s*\b(?:at)\b\s*[\])}>]?\s*|\s*[\[({]\s*@\s*[\])}]\s*", re.IGNORECASE)
_WORD_DOT = re.compile(r"\s*[\[({<]?\s*\b(?:dot|point)\b\s*[\])}>]?\s*|\s*[\[({]\s*\.\s*[\])}]\s*", re.IGNORECASE)
_PUNYCODE = re.compile(r"xn--[a-z0-9-]+", re.IGNORECASE)
_LEET = [str.maketrans("013457" + signs, "o" + one + "east" + plain) for one in "il" for signs, plain in (("", ""), ("@$", "as"))]
_LOOKS_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}|&#?\w+;|\\[ux]|=[0-9A-F]{2}|xn--|[A-Za-z0-9+/_=-]{16,}")


def _text(data: bytes) -> str | None:
    for encoding in ("utf-8", "utf-16-le") if data.count(0) * 3 > len(data) else ("utf-8",):
        try:
            found = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if found.isprintable() or found.replace("\n", "").replace("\t", "").replace("\r", "").isprintable():
            return found
    return None


def _base64(text: str) -> Iterator[str]:
    words = _BASE64.findall(text)
    if len(words) > 1:
        words += _BASE64.findall("".join(text.split()))  # wrapped lines
    for found in dict.fromkeys(words):
        bare = found.rstrip("=").replace("-", "+").replace("_", "/")
        for candidate in {bare, bare[: len(bare) // 4 * 4]}:
            try:
                decoded = _text(base64.b64decode(candidate + "=" * (-len(candidate) % 4), validate=True))
            except (binascii.Error, ValueError):
                continue
            if decoded:
                yield decoded


def _base85(text: str) -> Iterator[str]:
    for found in _BASE85.findall(text):
        for decode in (base64.b85decode, base64.a85decode):
            try:
                decoded = _text(decode(found.removeprefix("<~").removesuffix("~>")))
            except (ValueError, OverflowError, struct.error):
                continue
            if decoded:
                yield decoded


def _base32(text: str) -> Iterator[str]:
    for found in _BASE32.findall(text.upper()):
        bare = found.rstrip("=")
        try:
            decoded = _text(base64.b32decode(bare + "=" * (-len(bare) % 8)))
        except (binascii.Error, ValueError):
            continue
        if decoded:
            yield decoded


def _hex(text: str) -> Iterator[str]:
    for found in _HEX.findall(text):
        decoded = _text(bytes.fromhex(re.sub(r"[\s:,-]", "", found)))
        if decoded:
            yield decoded


def _codes(text: str) -> Iterator[str]:
    for found in _CODES.findall(text):
        codes = [int(code) for code in re.findall(r"\d+", found)]
        if all(31 < code < 256 for code in codes):
            yield "".join(map(chr, codes))
    for found in _BITS.findall(text):
        decoded = _text(bytes(int(byte, 2) for byte in re.findall(r"[01]{8}", found)))
        if decoded:
            yield decoded


def _percent(text: str) -> Iterator[str]:
    if "%" in text or "+" in text:
        yield urllib.parse.unquote_plus(text)
    if re.search(r"=[0-9A-F]{2}", text):  # quoted-printable, RFC 2045
        yield urllib.parse.unquote(re.sub(r"=\r?\n", "", text).replace("=", "%"))


def _entities(text: str) -> Iterator[str]:
    if "&" in text:
        yield html.unescape(text)


def _escaped(text: str) -> Iterator[str]:
    if "\\" in text:
        yield _ESCAPES.sub(lambda match: chr(min(int(match[1] or match[2], 16), 0x10FFFF)), text)


def _joined(text: str) -> Iterator[str]:
    if _SPACED.search(text):
        yield _SPACED.sub(lambda match: re.sub(r"[ \t]" if re.search(r"\S[ \t]\S", match[0]) else r"[.\-_*|/]", "", match[0]), text)
    if len(text) <= MAX_DECODED and _WORD_DOT.search(text):
        yield _WORD_DOT.sub(".", _WORD_AT.sub("@", text))


def _reversed(text: str) -> Iterator[str]:
    yield text[::-1]


def _rot13(text: str) -> Iterator[str]:
    if any(character.isalpha() for character in text):
        yield codecs.encode(text, "rot13")


def _leet(text: str) -> Iterator[str]:
    folded = loose(text)
    for table in _LEET:
        if (undone := folded.translate(table)) != folded:
            yield undone


def _punycode(text: str) -> Iterator[str]:
    if _PUNYCODE.search(text):
        yield _PUNYCODE.sub(lambda match: _label(match[0]), text)


def _label(label: str) -> str:
    try:
        return label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, ValueError, OverflowError):
        return label


UNDO: Mapping[str, Callable[[str], Iterator[str]]] = {
    "percent-encoding": _percent,
    "base64": _base64,
    "hex": _hex,
    "reversal": _reversed,
    "rot13": _rot13,
    "base32": _base32,
    "HTML entities": _entities,
    "escapes": _escaped,
    "character codes": _codes,
    "splitting": _joined,
    "IDN": _punycode,
    "base85": _base85,
    "leet": _leet,
}
"""What is undone, by its name. Each yields what it finds."""


def forms(text: str) -> Iterator[tuple[str, str]]:
    """The text and all that it may stand for: (text, by what it was found), the text itself first, at most `MAX_FORMS`."""
    yield text, ""
    seen = {text}
    wave = [(text, "")] if len(text) <= MAX_DECODED else [(part, "") for part in _look_encoded(text)]
    for _ in range(DEPTH):
        following: list[tuple[str, str]] = []
        for source, way in wave:
            for name, undo in UNDO.items():
                for found in _few(undo(source)):
                    if found and found not in seen and len(seen) < MAX_FORMS:
                        seen.add(found)
                        following.append((found, f"{way} and {name}" if way else name))
                        yield following[-1]
        wave = following


def _few(found: Iterator[str]) -> list[str]:
    told = list(dict.fromkeys(found))
    return told if len(told) <= MAX_APART else [" ".join(told)[: 4 * MAX_DECODED]]


def _look_encoded(text: str) -> Iterator[str]:
    """The words of a long text that look encoded, in at most four texts that are short enough to be decoded."""
    words = " ".join(word for word in text.split() if _LOOKS_ENCODED.search(word))
    for start in range(0, min(len(words), 4 * MAX_DECODED), MAX_DECODED):
        yield words[start : start + MAX_DECODED]


def encoded(text: str) -> Iterator[tuple[str, str]]:
    """What the text would be in the encodings that are not their own inverse: for finding a value that the source holds encoded."""
    data = text.encode("utf-8", "replace")
    plain = base64.b64encode(data).decode().rstrip("=")
    yield plain, "base64"
    yield data.hex(), "hex"
    yield urllib.parse.quote(text, safe=""), "percent-encoding"
    yield base64.b32encode(data).decode().rstrip("="), "base32"
    yield codecs.encode(text, "rot13"), "rot13"
    if "@" in text:
        yield text.replace("@", " at ").replace(".", " dot "), "splitting"
