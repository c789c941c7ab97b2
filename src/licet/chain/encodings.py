"""What a value looks like when an encoding is undone, or put on. For taint only: what had to be decoded is never trusted."""

from __future__ import annotations

import base64
import binascii
import codecs
import functools
import html
import re
import struct
import urllib.parse
import zlib
from collections.abc import Callable, Iterator, Mapping

from licet.chain.text import loose

MAX_DECODED = 4_096  # characters of a text that is decoded as a whole; of a longer one only the words that look encoded are
MAX_FORMS = 200
_REMEMBERED = 1_000  # characters; the forms of a longer text are not worth keeping
DEPTH = 2  # how many encodings on top of each other are undone

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{6,}={0,2}")
_SQUEEZED = (b"\x1f\x8b", b"x\x01", b"x\x9c", b"x\xda")  # gzip (RFC 1952) and zlib (RFC 1950)
_UTF7 = re.compile(r"\+[A-Za-z0-9/]{2,}-")
_WRAPPED = re.compile(r"(?<=[A-Za-z0-9+/_-]{16})\r?\n(?=[A-Za-z0-9+/_-])")  # within lines that are too long for words
_BASE85 = re.compile(r"(?<!\S)[!-~]{10,4096}(?!\S)")
_BASE32 = re.compile(r"[A-Za-z2-7]{8,}={0,6}")
_HEX = re.compile(
    r"(?<![0-9a-zA-Z])(?:0x)?(?:[0-9a-fA-F]{2}){3,}(?![0-9a-zA-Z])|(?<![0-9a-zA-Z])(?:(?:0x|\\x)?[0-9a-fA-F]{2}[\s:,-]+){2,}(?:0x)?[0-9a-fA-F]{2}(?![0-9a-zA-Z])"
)
# What the forms above and below cannot be without: it is looked for first, because a search for it skips most of a text.
_NEAR_HEX = re.compile(r"[0-9a-fA-F]{6}|[0-9a-fA-F]{2}[\s:,-]+(?:0x|\\x)?[0-9a-fA-F]{2}[\s:,-]")
_NEAR_CODES = re.compile(r"\d\d[\s,;.-]+\d\d")
_NEAR_BITS = re.compile(r"[01]{8}\s*[01]{8}")
_NEAR_LEET = re.compile(r"[013457@$]")
_IN_BASE85, _IN_ASCII85 = re.compile(r"[0-9A-Za-z!#$%&()*+;<=>?@^_`{|}~-]*"), re.compile(r"[!-uz]*")
_NOT_HEX = re.compile(r"0x|\\x|[\s:,-]")
_CODES = re.compile(r"(?<!\w)(?:\d{2,3}[\s,;.-]+){2,}\d{2,3}(?!\w)")
_BITS = re.compile(r"(?:[01]{8}\s*){2,}[01]{8}")
_ESCAPES = re.compile(r"\\(?:u\{?([0-9a-fA-F]{4,6})\}?|x([0-9a-fA-F]{2})|([0-3][0-7]{2}))")
_SPACED = re.compile(r"(?:(?<=\s)|^)\S(?:[ \t.\-_*|/]\S){3,}(?=\s|$)")
_WORD_AT = re.compile(r"\s{0,3}[\[({<]?\s{0,3}\b(?:at)\b\s{0,3}[\])}>]?\s{0,3}|\s{0,3}[\[({]\s{0,3}@\s{0,3}[\])}]\s{0,3}", re.IGNORECASE)
_WORD_DOT = re.compile(
    r"\s{0,3}[\[({<]?\s{0,3}\b(?:dot|point)\b\s{0,3}[\])}>]?\s{0,3}|\s{0,3}[\[({]\s{0,3}\.\s{0,3}[\])}]\s{0,3}", re.IGNORECASE
)
_PUNYCODE = re.compile(r"xn--[a-z0-9-]+", re.IGNORECASE)
_LEET = [str.maketrans("013457" + signs, "o" + one + "east" + plain) for one in "il" for signs, plain in (("", ""), ("@$", "as"))]
_LOOKS_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}|&#?\w+;|\\[ux]|=[0-9A-F]{2}|xn--|[A-Za-z0-9+/_=-]{16,}")


def _text(data: bytes) -> str | None:
    if data[:2] in _SQUEEZED:
        try:
            data = zlib.decompressobj(wbits=47).decompress(data, MAX_DECODED)
        except zlib.error:
            return None
    for encoding in ("utf-8", "utf-16-le") if data.count(0) * 3 > len(data) else ("utf-8",):
        try:
            found = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if found.isprintable() or found.replace("\n", "").replace("\t", "").replace("\r", "").isprintable():
            return found
    return None


def _each(pattern: re.Pattern[str], decode: Callable[[str], str | None], text: str) -> Iterator[str]:
    """The text with all that decodes decoded in its place, if anything does."""
    undone = pattern.sub(lambda match: decode(match[0]) or match[0], text)
    if undone != text:
        yield undone


def _base64(text: str) -> Iterator[str]:
    yield from _each(_BASE64, _base64_word, text)
    if "\n" in text and (tight := _WRAPPED.sub("", text)) != text:
        yield from _each(_BASE64, _base64_word, tight)


def _base64_word(word: str) -> str | None:
    if len(word) < 16 and word.islower():
        return None  # a word
    bare = word.rstrip("=").replace("-", "+").replace("_", "/")
    for start in range(4 if len(bare) >= 16 else 1):  # something may be stuck to its beginning
        whole = start + (len(bare) - start) // 4 * 4
        for end in (len(bare), whole) if len(bare) > whole else (whole,):
            part = bare[start:end]
            if len(part) % 4 == 1:
                continue  # no bytes are written so
            try:
                decoded = _text(base64.b64decode(part + "=" * (-len(part) % 4), validate=True))
            except (binascii.Error, ValueError):
                continue
            if decoded:
                return word[:start] + decoded
    return None


def _base85(text: str) -> Iterator[str]:
    if len(text) < 10 or not any(len(word) >= 10 for word in text.split()):
        return
    for decode, signs in ((base64.b85decode, _IN_BASE85), (base64.a85decode, _IN_ASCII85)):
        yield from _each(_BASE85, functools.partial(_base85_word, decode, signs), text)


def _base85_word(decode: Callable[[str], bytes], signs: re.Pattern[str], word: str) -> str | None:
    bare = word.removeprefix("<~").removesuffix("~>")
    if not signs.fullmatch(bare):
        return None  # as both would say, a character at a time
    try:
        return _text(decode(bare))
    except (ValueError, OverflowError, struct.error):
        return None


def _base32(text: str) -> Iterator[str]:
    yield from _each(_BASE32, _base32_word, text)


def _base32_word(word: str) -> str | None:
    bare = word.rstrip("=").upper()
    if len(bare) % 8 in (1, 3, 6):
        return None  # no bytes are written so
    try:
        return _text(base64.b32decode(bare + "=" * (-len(bare) % 8)))
    except (binascii.Error, ValueError):
        return None


def _hex(text: str) -> Iterator[str]:
    tight = _WRAPPED.sub("", text) if "\n" in text else text
    if _NEAR_HEX.search(tight):
        yield from _each(_HEX, lambda word: _text(bytes.fromhex(_NOT_HEX.sub("", word))), tight)


def _codes(text: str) -> Iterator[str]:
    if _NEAR_CODES.search(text):
        yield from _each(_CODES, _of_codes, text)
    if _NEAR_BITS.search(text):
        yield from _each(_BITS, lambda found: _text(bytes(int(byte, 2) for byte in re.findall(r"[01]{8}", found))), text)


def _of_codes(found: str) -> str | None:
    codes = [int(code) for code in re.findall(r"\d+", found)]
    return "".join(map(chr, codes)) if all(31 < code < 256 for code in codes) else None


def _percent(text: str) -> Iterator[str]:
    if "%" in text or "+" in text:
        yield urllib.parse.unquote_plus(text)
    if "=" in text and re.search(r"=[0-9A-F]{2}", text):  # quoted-printable, RFC 2045
        yield urllib.parse.unquote(re.sub(r"=\r?\n", "", text).replace("=", "%"))


def _entities(text: str) -> Iterator[str]:
    if "&" in text:
        yield html.unescape(text)


def _escaped(text: str) -> Iterator[str]:
    if "\\" in text:
        yield _whole(_ESCAPES.sub(lambda match: chr(int(match[3], 8) if match[3] else min(int(match[1] or match[2], 16), 0x10FFFF)), text))


def _whole(text: str) -> str:
    """Pairs of surrogates made one character, and lone ones a mark: no other code need know them."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _utf7(text: str) -> Iterator[str]:
    if "+" in text and text.isascii() and _UTF7.search(text):
        yield _whole(text.encode().decode("utf-7", "replace"))


def _joined(text: str) -> Iterator[str]:
    if _SPACED.search(text):
        yield _SPACED.sub(lambda match: re.sub(r"[ \t]" if re.search(r"\S[ \t]\S", match[0]) else r"[.\-_*|/]", "", match[0]), text)
    if len(text) <= MAX_DECODED and _may_say_dot(text) and _WORD_DOT.search(text):
        yield _WORD_DOT.sub(".", _WORD_AT.sub("@", text))


def _may_say_dot(text: str) -> bool:
    if not text.isascii():
        return True  # letters that are `i` when case is ignored
    lowered = text.lower()
    return "dot" in lowered or "point" in lowered or ("." in text and any(sign in text for sign in "[({"))


def _reversed(text: str) -> Iterator[str]:
    yield text[::-1]


def _rot13(text: str) -> Iterator[str]:
    if any(character.isalpha() for character in text):
        yield codecs.encode(text, "rot13")


def _leet(text: str) -> Iterator[str]:
    folded = loose(text)
    for table in _LEET if _NEAR_LEET.search(folded) else ():
        if (undone := folded.translate(table)) != folded:
            yield undone


def _punycode(text: str) -> Iterator[str]:
    if "--" in text and _PUNYCODE.search(text):
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
    "UTF-7": _utf7,
}
"""What is undone, by its name. Each yields the whole text with it undone wherever it stands, so that what stands beside it stays."""


def forms(text: str) -> tuple[tuple[str, str], ...]:
    """The text and all that it may stand for: (text, by what it was found), the text itself first, at most `MAX_FORMS`."""
    return _forms(text) if len(text) <= _REMEMBERED else tuple(_undone(text))


@functools.lru_cache(maxsize=256)
def _forms(text: str) -> tuple[tuple[str, str], ...]:
    # One argument is looked at when it is judged, when it is written, and when the tool hands it back.
    return tuple(_undone(text))


def _undone(text: str) -> Iterator[tuple[str, str]]:
    yield text, ""
    seen = {text}
    wave = [(text, "")] if len(text) <= MAX_DECODED else [(part, "") for part in _look_encoded(text)]
    for _ in range(DEPTH):
        following: list[tuple[str, str]] = []
        for source, way in wave:
            for name, undo in UNDO.items():
                for found in undo(source):
                    if found and found not in seen and len(seen) < MAX_FORMS:
                        seen.add(found)
                        following.append((found, f"{way} and {name}" if way else name))
                        yield following[-1]
        wave = following


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
    yield urllib.parse.quote(data, safe=""), "percent-encoding"
    yield base64.b32encode(data).decode().rstrip("="), "base32"
    yield codecs.encode(text, "rot13"), "rot13"
    if "@" in text:
        yield text.replace("@", " at ").replace(".", " dot "), "splitting"
