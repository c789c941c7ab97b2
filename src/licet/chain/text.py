"""The forms of a value: the exact one, by which trust is given, and the loose one, by which taint is found.

Two values are the same for trust only if the receiving system would treat them as the same: outer white space, the ASCII case of a domain,
the syntax of numbers and dates, the print form of an IBAN (ISO 13616). For taint they are the same if a reader could take one for
the other.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from decimal import Decimal

from licet.canonical import Plain
from licet.chain.party import addresses_in, is_bare_address, is_iban, links_in

GAP = "\x01"  # a word that stands between the texts of two leaves
_NO_NAMES = frozenset({"", GAP})
SHORT = 4  # characters; what is shorter is not a value's own
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?", re.ASCII)
_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2})(?:\.0+)?)?(Z|[+-]\d{2}:\d{2})?)?", re.ASCII)
_EMAIL = re.compile(r"[^\s@<>()\[\],;:\"']+@[^\s@<>()\[\],;:\"'/\\]+")
_URL = re.compile(r"(?P<head>(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>[^\s/?#]+))(?P<rest>[^\s]*)")
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{10,30}", re.ASCII)

# What looks like an ASCII letter in most fonts (a selection from Unicode TR39, confusables), after NFKD and case folding.
_LOOKS = """
аa вb ԁd еe һh іi јj кk ӏl мm нh оo рp ԛq гr ѕs сc тt уy ѵv ԝw хx ьb αa βb γy εe ηn ιi κk νv οo ρp τt υu χx ωw
ıi łl øo đd ħh æae œoe ſs ɑa ɡg ᴀa ʙb ᴄc ᴅd ᴇe ɢg ʜh ɪi ᴊj ᴋk ʟl ᴍm ɴn ᴏo ᴘp ʀr ᴛt ᴜu ᴠv ᴡw ʏy ᴢz ‐- ‑- ‒- –- —- −- ․. 。. ∕/ ⁄/ ∶: ＠@
"""
_LOOKS_LIKE = str.maketrans({pair[0]: pair[1:] for pair in _LOOKS.split()})
_REMEMBERED = 100  # characters; longer values seldom come twice
PIECE = re.compile(r"[^\s\"'<>(){}\[\],;|=`]+")
_GAPS = dict.fromkeys(map(ord, "\"'<>(){}[],;|=`"), " ")
_EDGES = ".:!?*-…“”‘’«»"
_PRINTED_IBAN = re.compile(r"(?<!\w)[a-z]{2}\d{2}(?: [a-z0-9]{4}){2,7}(?: [a-z0-9]{1,4})?(?!\w)", re.IGNORECASE)
_DIGIT = re.compile(r"\d")
_GROUPS = re.compile(r"\d[ -][A-Za-z]{0,4} ?\d")  # what both have, and most texts have not
_MAY_BE_IBAN = re.compile(r"\d\d(?: [a-z0-9]{4}){2}", re.IGNORECASE)  # what a printed IBAN has
# A number begins with a sign or a digit, and only then is it looked at what stands before: so the search skips all else by itself.
_PRINTED_NUMBER = re.compile(r"[+\d](?<!\w[+\d])(?:(?<=\+)\d{1,4}|(?<=\d)\d{0,3})(?:[ -]\d{2,5}){2,6}(?!\w)")
_TWO_GROUPS = re.compile(r"\d[ -]\w")  # what both of these have, and most texts have not
_SIGNS = bytes(code for code in range(128) if not chr(code).isalnum())
_SQUEEZE = re.compile(r"[\W_]+")


def exact(value: Plain, *, url: bool = False) -> tuple[str, ...]:
    """The exact forms of a leaf, any of which may be matched; none for what has no origin (null, booleans, nothing but white space).

    `url`: the argument is declared a URL, so that a missing `http://` and a trailing slash make no difference.
    """
    if value is None or isinstance(value, (bool, list, dict)):
        return ()
    if isinstance(value, (int, float)):
        return (_number(repr(value)),)
    return _known_text(value, url) if len(value) <= _REMEMBERED else _exact_text(value, url)


def _exact_text(value: str, url: bool) -> tuple[str, ...]:  # noqa: FBT001 - the cache below takes it by its place
    text = value.strip()
    if not text:
        return ()
    numeric = text[0].isdigit() or text[0] == "-"
    if numeric and len(text) <= 40 and _NUMBER.fullmatch(text):
        return (_number(text),)
    if numeric and (moment := _MOMENT.fullmatch(text)) is not None:
        day, time, seconds, zone = moment.groups()
        return (f"d:{day}" + (f"T{time}:{seconds or '00'}{'Z' if zone == '+00:00' else zone or ''}" if time else ""),)
    if "@" in text and _EMAIL.fullmatch(text):
        local, _, domain = text.rpartition("@")
        return (f"t:{local}@{_ascii_lower(domain)}",)
    if "://" in text and (match := _URL.fullmatch(text)) is not None:
        return _url(match["scheme"], match["host"], match["rest"], url=url)
    if url and " " not in text:
        host, slash, rest = text.partition("/")
        return _url("http", host, slash + rest, url=True)
    compact = text.replace(" ", "").upper() if text.isascii() and text[:2].isalpha() and len(text) < 50 else ""
    if compact[2:4].isdigit() and _IBAN.fullmatch(compact) and is_iban(compact):
        return (f"t:{compact}",)
    return (f"t:{text}",)


# One value is looked at as an argument, as what a call brought in, and as what its output holds.
_known_text = functools.lru_cache(maxsize=2_048)(_exact_text)


@functools.lru_cache(maxsize=2_048)
def _number(text: str) -> str:
    """A number by its digits, without arithmetic: no context of the application's can round it."""
    if "e" in text or "E" in text:
        text = f"{Decimal(text):f}"
    if not text.lstrip("-").replace(".", "", 1).isdigit():
        return f"t:{text}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "n:0" if text in ("-0", "0", "") else f"n:{text}"


def _url(scheme: str, host: str, rest: str, *, url: bool) -> tuple[str, ...]:
    # User information before the host keeps its case: only what DNS reads is case-blind.
    before, at, name = host.rpartition("@")
    text = f"{_ascii_lower(scheme)}://{before}{at}{_ascii_lower(name)}{rest}"
    if not url:
        return (f"t:{text}",)
    bare = text[:-1] if text.endswith("/") and "?" not in rest and "#" not in rest else text
    forms = {bare, f"{bare}/"} if "?" not in rest and "#" not in rest else {bare}
    if bare.startswith("http://"):
        forms |= {form.removeprefix("http://") for form in forms}
    return tuple(f"t:{form}" for form in sorted(forms))


def _ascii_lower(text: str) -> str:
    return text.lower() if text.isascii() else text


def loose(text: str) -> str:
    """The loose form: compatibility forms, case, accents, invisible characters and look-alikes undone."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", text.casefold())
    if not folded.isascii():
        folded = "".join(c for c in folded if unicodedata.category(c) not in ("Mn", "Cf", "Me")).translate(_LOOKS_LIKE)
    return folded


def squeezed(text: str) -> str:
    """Letters and digits of a loose text, so that what was split by signs is one again."""
    # Of bytes what is to go is left out several times faster than of a text.
    return text.encode("ascii").translate(None, _SIGNS).decode("ascii") if text.isascii() else _SQUEEZE.sub("", text)


def pieces(text: str) -> list[str]:
    """The words of a loose text: what stands between white space, quotes, brackets and commas, without the signs at its edges."""
    return split(text)[0]


def split(text: str) -> tuple[list[str], list[int]]:
    """The words of a loose text, and the places of those among them that are more than letters. Most words are not looked at twice."""
    words = text.translate(_GAPS).split()  # the same words as `PIECE` finds, a good deal faster
    odd: list[int] = []
    for at in [number for number, word in enumerate(words) if not word.isalpha()]:
        word = words[at] = words[at].strip(_EDGES)
        if word and not word.isalpha():
            odd.append(at)
    return words, odd


def atom(piece: str) -> str:
    """The form under which a piece is kept: squeezed where it is long enough to be its own."""
    tight = piece if piece.isalnum() else squeezed(piece)
    if len(tight) >= 6:
        return tight
    return _number(piece)[2:] if piece[-1:].isdigit() and _NUMBER.fullmatch(piece) and len(piece) <= 40 else piece


def printed(text: str) -> list[str]:
    """Account, card and telephone numbers that are printed in groups, as they stand there."""
    if _TWO_GROUPS.search(text) is None:
        return []
    ibans = _PRINTED_IBAN.findall(text) if _MAY_BE_IBAN.search(text) else []
    return [*ibans, *_PRINTED_NUMBER.findall(text)]


def grouped(text: str) -> list[str]:
    """Account, card and telephone numbers that are printed in groups, joined."""
    return [squeezed(found) for found in printed(text)] if _GROUPS.search(text) else []


def may_be_grouped(words: list[str], odd: list[int]) -> bool:
    """Whether words with digits stand beside each other, or with one word of letters between them, as in printed account numbers."""
    before = -3
    for at in odd:
        word = words[at]
        if len(word) <= 5 and (word.isdecimal() or _DIGIT.search(word)):
            if at - before <= 2:
                return True
            before = at
    return False


def atoms(words: list[str], odd: list[int] | None = None) -> list[str]:
    """The values in the pieces of a loose text that are somebody's own: addresses, links, accounts, ids, numbers. Not plain words.

    A short one is told together with each of the three words before it, which may name it. `odd` are the places of what is not plain.
    """
    out: list[str] = []
    for at in [number for number, word in enumerate(words) if not word.isalpha()] if odd is None else odd:
        word = words[at]
        if not word or word == GAP:
            continue
        if len(word) < SHORT:
            naming = set(words[max(0, at - 3) : at])
            naming.update([part for name in naming if "_" in name for part in name.split("_")])
            naming -= _NO_NAMES
            bare = word.lstrip("#")
            out += [f"{name} {bare}" for name in naming]
            if word[0] == "#":
                out.append(f"# {word[1:]}")
        else:
            out.append(atom(word))
            if "@" in word and not is_bare_address(word):
                out += [atom(found) for found in addresses_in(word) if found != word]
            if "://" in word:
                out += [atom(found) for link in links_in(word) for found in link if found != word]
            elif ":" in word:
                out.append(atom(word.rpartition(":")[2]))
    return out
