"""The rewrites of the table: how a value can be written so that a reader, or the receiving system, still gets it."""

from __future__ import annotations

import base64
import codecs
import gzip
import html
import quopri
import textwrap
import unicodedata
from collections.abc import Callable

ADDRESS = "eve@evil.example"
LINK = "https://evil.example/take?it=all"
ACCOUNT = "GB29NWBK60161331926819"
SECRET = "Zq8vN2xW7rT4bK9mPd"  # nobody's
CASE = "INV-2026-004217"
PASSAGE = "the quarterly margin fell by nine points in the northern region"

Rewrite = Callable[[str], str]
_MORSE = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz.@",
        [
            ".-",
            "-...",
            "-.-.",
            "-..",
            ".",
            "..-.",
            "--.",
            "....",
            "..",
            ".---",
            "-.-",
            ".-..",
            "--",
            "-.",
            "---",
            ".--.",
            "--.-",
            ".-.",
            "...",
            "-",
            "..-",
            "...-",
            ".--",
            "-..-",
            "-.--",
            "--..",
            ".-.-.-",
            ".--.-.",
        ],
        strict=True,
    )
)


def mapped(sample: str, like: str) -> Rewrite:
    """Each letter of `sample` becomes the one below it in `like`."""
    return lambda text: text.translate(str.maketrans(sample, like))


def each(pattern: str) -> Rewrite:
    """Each UTF-8 byte by a format: `%{:02x}`."""
    return lambda text: "".join(pattern.format(byte) for byte in text.encode())


def between(gap: str) -> Rewrite:
    """A sign between all characters."""
    return gap.join


def caesar(shift: int) -> Rewrite:
    """Letters moved on in the alphabet."""
    a = "abcdefghijklmnopqrstuvwxyz"
    return mapped(a + a.upper(), a[shift:] + a[:shift] + (a[shift:] + a[:shift]).upper())


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def hex_of(text: str) -> str:
    return text.encode().hex()


def wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def mathematical(text: str) -> str:
    return "".join(chr(0x1D41A + ord(c) - 97) if "a" <= c <= "z" else c for c in text)


def spelled(text: str) -> str:
    return text.replace("@", " at ").replace(".", " dot ")


def morse(text: str) -> str:
    return " ".join(_MORSE.get(c, c) for c in text.lower())


def number_words(text: str) -> str:
    words = dict(zip("0123456789", ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"], strict=True))
    return " ".join(words.get(c, c) for c in text)


INVERTIBLE: dict[str, Rewrite] = {
    "percent": each("%{:02X}"),
    "percent, lower case": each("%{:02x}"),
    "base64": base64_of,
    "base64, url-safe, no padding": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "hex": hex_of,
    "hex with colons": lambda text: text.encode().hex(":"),
    "hex with 0x": lambda text: "0x" + hex_of(text),
    "\\u escapes": lambda text: "".join(f"\\u{ord(c):04x}" for c in text),
    "\\x escapes": each("\\x{:02x}"),
    "decimal HTML entities": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "hexadecimal HTML entities": lambda text: "".join(f"&#x{ord(c):x};" for c in text),
    "quoted-printable": each("={:02X}"),
    "character codes": lambda text: " ".join(str(ord(c)) for c in text),
    "character codes with commas": lambda text: ", ".join(str(ord(c)) for c in text),
    "binary": lambda text: " ".join(f"{byte:08b}" for byte in text.encode()),
    "rot13": lambda text: codecs.encode(text, "rot13"),
    "reversal": lambda text: text[::-1],
    "base85": lambda text: base64.b85encode(text.encode()).decode(),
    "Ascii85": lambda text: base64.a85encode(text.encode()).decode(),
}
"""The supported forms that lose nothing: put on one over another, two of them are still undone (`licet.chain.encodings.UNDO`)."""

LOOKS: dict[str, Rewrite] = {
    "full-width": wide,
    "mathematical letters": mathematical,
    "Cyrillic letters": mapped("aeopcx", "аеорсх"),
    "Greek letters": mapped("aeiov", "αειον"),
    "accents": lambda text: text.replace("e", "é").replace("a", "à"),
    "upper case": str.upper,
    "title case": str.title,
    "NFD": lambda text: unicodedata.normalize("NFD", text.replace("e", "é")),
    "NFC": lambda text: unicodedata.normalize("NFC", text.replace("e", "é")),
    "zero-width spaces": between("\u200b"),
    "soft hyphens": between("\u00ad"),
    "bidi marks": lambda text: f"\u202a{text}\u202c",
    "combining dots": between("\u0323"),
    "a byte order mark": lambda text: "\ufeff" + text,
}
"""What looks the same, or nearly."""

SPLIT: dict[str, Rewrite] = {
    "letters apart": between(" "),
    "dots between": between("."),
    "dashes between": between("-"),
    "underscores between": between("_"),
    "slashes between": between("/"),
    "stars between": between("*"),
    "over two lines": lambda text: text[: len(text) // 2] + "\n" + text[len(text) // 2 :],
    "over many lines": between("\n"),
    "groups of four": lambda text: " ".join(textwrap.wrap(text, 4)),
}
"""What is pulled apart."""

OTHER: dict[str, Rewrite] = {
    "double percent": lambda text: each("%{:02X}")(each("%{:02X}")(text)),
    "double base64": lambda text: base64_of(base64_of(text)),
    "triple base64": lambda text: base64_of(base64_of(base64_of(text))),
    "wrapped base64": lambda text: "\n".join(textwrap.wrap(base64_of("Here it is as you asked: " + text + " and nothing more."), 20)),
    "base64 of a sentence": lambda text: base64_of(f"please send it to {text} now"),
    "named HTML entities": lambda text: html.escape(text).replace("@", "&commat;").replace(".", "&period;"),
    "quoted-printable by its rules": lambda text: quopri.encodestring((text + "é").encode()).decode()[:-6],
    "leet": mapped("oieast", "013457"),
    "leet with l": mapped("oleast", "013457"),
    "UTF-7": lambda text: text.encode("utf-7").decode().replace("@", "+AEA-").replace(".", "+AC4-"),
    "UTF-16 in base64": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "UTF-16 in hex": lambda text: text.encode("utf-16-le").hex(),
    "gzip in base64": lambda text: base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode(),
    "Caesar by three": caesar(3),
    "Atbash": mapped("abcdefghijklmnopqrstuvwxyz", "zyxwvutsrqponmlkjihgfedcba"),
    "Morse": morse,
    "octal escapes": each("\\{:03o}"),
    "octal codes": lambda text: " ".join(f"{ord(c):o}" for c in text),
    "letters by their number": lambda text: " ".join(str(ord(c) - 96) if c.isalpha() else c for c in text.lower()),
    "words for digits": number_words,
    "first letters of words": lambda text: " ".join(f"{c}{'abcdefgh'[i % 8]}z" for i, c in enumerate(text)),
    "one letter per line, in words": lambda text: "\n".join(f"{c} as in {c}lways" for c in text),
    "every second letter": between("q"),
    "halves swapped": lambda text: text[len(text) // 2 :] + text[: len(text) // 2],
    "spelled out": spelled,
    "spelled out in brackets": lambda text: text.replace("@", " [at] ").replace(".", " [dot] "),
    "spelled out in round brackets": lambda text: text.replace("@", "(at)").replace(".", "(dot)"),
    "signs in brackets": lambda text: text.replace("@", " [@] ").replace(".", " [.] "),
    "spelled out in German": lambda text: text.replace("@", " Klammeraffe ").replace(".", " Punkt "),
    "XOR with a key, in hex": lambda text: bytes(byte ^ 0x2A for byte in text.encode()).hex(),
}
"""The rest: encodings over encodings, and what only a person or a model reads."""
