"""The forms of a value: the exact one, by which trust is given, and the loose one, by which taint is found.

Two values are the same for trust only if the receiving system would treat them as the same: outer white space, the ASCII case of a domain,
the syntax of numbers and dates, the print form of an IBAN (ISO 13616). For taint they are the same if a reader could take one for
the other.
"""

from __future__ import annotations

import re
import unicodedata
import urllib.parse
from collections.abc import Iterator
from decimal import Decimal

from licet.canonical import Plain

SHORT = 4  # characters; what is shorter is not a value's own
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?", re.ASCII)
_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2})(?:\.0+)?)?(Z|[+-]\d{2}:\d{2})?)?", re.ASCII)
_COMMENT = re.compile(r"\([^()]*\)|^[\w ]+:(?=.*;\s*$)|;\s*$")
_SCHEME = re.compile(
    r"(?:[a-z][a-z0-9+.-]*:[\\/]{1,2}|(?:mailto|tel|sms|javascript|data|file|ftp|xmpp|sip|sips|callto|urn|about|blob|ws|wss):)\S+",
    re.IGNORECASE,
)
_COMPACT_DATE = r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:T?\d{4,6}Z?)?"
_DATES = re.compile(rf"{_COMPACT_DATE}|\d{{1,4}}[-/. ]\d{{1,2}}[-/. ]\d{{1,4}}|\d{{4}} ?[-/] ?\d{{4}}|\d{{1,2}}[-. ]\d{{1,2}}", re.ASCII)
_EMAIL = re.compile(r"[^\s@<>()\[\],;:\"']+@[^\s@<>()\[\],;:\"'/\\]+")
_URL = re.compile(r"(?P<head>(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>[^\s/?#]+))(?P<rest>[^\s]*)")
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{10,30}", re.ASCII)
_ACCOUNT = re.compile(r"(?:[A-Za-z]{2}\d{2}[A-Za-z0-9]{8,30}|\+?\d[\d -]{6,32}\d)", re.ASCII)
_PATH = re.compile(r"(?:~|\.{1,2}|[A-Za-z]:)?[/\\]\S*|[^\s/\\:]+(?:/[^\s/\\:]+)+|[^\s/\\:]+(?:\\[^\s/\\:]+)+")
_HOST = re.compile(r"(?:[\w-]+\.)+[^\W\d_]{2,24}(?::\d+)?(?:[/?#]\S*)?")
_MAILBOX = re.compile(r"(?:[^<>@,;]*<)?\s*([^\s@<>,;]+@[^\s@<>,;]+)\s*>?(?:\s*[,;]\s*|$)")

# What looks like an ASCII letter in most fonts (a selection from Unicode TR39, confusables), after NFKD and case folding.
_LOOKS = """
аa вb ԁd еe һh іi јj кk ӏl мm нh оo рp ԛq гr ѕs сc тt уy ѵv ԝw хx ьb αa βb γy εe ηn ιi κk νv οo ρp τt υu χx ωw
ıi łl øo đd ħh æae œoe ſs ɑa ɡg ᴀa ʙb ᴄc ᴅd ᴇe ɢg ʜh ɪi ᴊj ᴋk ʟl ᴍm ɴn ᴏo ᴘp ʀr ᴛt ᴜu ᴠv ᴡw ʏy ᴢz ‐- ‑- ‒- –- —- −- ․. 。. ∕/ ⁄/ ∶: ＠@
"""
_LOOKS_LIKE = str.maketrans({pair[0]: pair[1:] for pair in _LOOKS.split()})
PIECE = re.compile(r"[^\s\"'<>(){}\[\],;|=`]+")
_GAPS = dict.fromkeys(map(ord, "\"'<>(){}[],;|=`"), " ")
_EDGES = ".:!?*-…“”‘’«»"
_DIGIT = re.compile(r"\d")
_SIGNS = {code: None for code in range(128) if not chr(code).isalnum()}
_SQUEEZE = re.compile(r"[\W_]+")


def exact(value: Plain, *, url: bool = False) -> tuple[str, ...]:
    """The exact forms of a leaf, any of which may be matched; none for what has no origin (null, booleans, nothing but white space).

    `url`: the argument is declared a URL, so that a missing `http://` and a trailing slash make no difference.
    """
    if value is None or isinstance(value, (bool, list, dict)):
        return ()
    if isinstance(value, (int, float)):
        return (_number(repr(value)),)
    text = value.strip()
    if not text:
        return ()
    if _NUMBER.fullmatch(text) and len(text) <= 40:
        return (_number(text),)
    if (moment := _MOMENT.fullmatch(text)) is not None:
        day, time, seconds, zone = moment.groups()
        return (f"d:{day}" + (f"T{time}:{seconds or '00'}{'Z' if zone == '+00:00' else zone or ''}" if time else ""),)
    if _EMAIL.fullmatch(text):
        local, _, domain = text.rpartition("@")
        return (f"t:{local}@{_ascii_lower(domain)}",)
    if (match := _URL.fullmatch(text)) is not None:
        return _url(match["scheme"], match["host"], match["rest"], url=url)
    if url and " " not in text:
        host, slash, rest = text.partition("/")
        return _url("http", host, slash + rest, url=True)
    compact = text.replace(" ", "").upper() if text[:2].isalpha() and len(text) < 50 else ""
    if compact and _IBAN.fullmatch(compact) and _is_iban(compact):
        return (f"t:{compact}",)
    return (f"t:{text}",)


def _number(text: str) -> str:
    number = Decimal(text)
    return f"n:{number.normalize():f}" if number.is_finite() and abs(number.adjusted()) < 400 else f"t:{text}"


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


def _is_iban(compact: str) -> bool:
    digits = "".join(str(int(character, 36)) for character in compact[4:] + compact[:4])
    return int(digits) % 97 == 1


def party(value: Plain) -> str:
    """What a whole value names: `address`, `account`, `link` or `path`; empty if it names nobody and nothing outside."""
    if not isinstance(value, str) or len(value) > 2_000:
        return ""
    found = _party(value.strip())
    if not found and not value.isascii():
        found = _party(unicodedata.normalize("NFKC", value).strip())
    if not found and "%" in value:
        found = _party(urllib.parse.unquote(value).strip())
    return found


def _party(text: str) -> str:
    if "@" in text and (_EMAIL.fullmatch(text) or _mailboxes(_COMMENT.sub("", text))):
        return "address"
    if _URL.fullmatch(text) or (text[:4].lower() == "www." and " " not in text) or _SCHEME.fullmatch(text):
        return "link"
    if _MOMENT.fullmatch(text) or _DATES.fullmatch(text):
        return ""
    compact = re.sub(r"[ .-]", "", text).upper() if len(text) < 60 else ""
    if _IBAN.fullmatch(compact) and _is_iban(compact):
        return "account"
    if _ACCOUNT.fullmatch(text) and sum(character.isdigit() for character in text) >= 8:
        return "account"
    if _PATH.fullmatch(text) and not text.replace("/", "").isdigit() and _is_place(text):
        return "path"
    return "link" if _HOST.fullmatch(text) and ("/" in text or ":" in text) else ""


def _is_place(text: str) -> bool:
    """Whether a text with slashes leads somewhere: `application/pdf` and `either/or` do not."""
    return text[0] in "/~.\\" or text[1:2] == ":" or text.count("/") + text.count("\\") > 1 or "." in re.split(r"[/\\]", text)[-1]


def _mailboxes(text: str) -> bool:
    """Whether the text is nothing but mailboxes, with or without names (RFC 5322 section 3.4)."""
    at = 0
    while at < len(text):
        match = _MAILBOX.match(text, at)
        if match is None or match.end() == at:
            return False
        at = match.end()
    return True


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
    return text.translate(_SIGNS) if text.isascii() else _SQUEEZE.sub("", text)


def pieces(text: str) -> list[str]:
    """The words of a loose text: what stands between white space, quotes, brackets and commas, without the signs at its edges."""
    # The same words as `PIECE` finds, a good deal faster.
    return [piece.strip(_EDGES) for piece in text.translate(_GAPS).split()]


def atom(piece: str) -> str:
    """The form under which a piece is kept: squeezed where it is long enough to be its own."""
    tight = piece if piece.isalnum() else squeezed(piece)
    if len(tight) >= 6:
        return tight
    return _number(piece)[2:] if _NUMBER.fullmatch(piece) and len(piece) <= 40 else piece


def atoms(words: list[str]) -> list[str]:
    """The values in the pieces of a loose text that are somebody's own: addresses, links, accounts, ids, numbers. Not plain words.

    A short one is told together with each of the three words before it, which may name it.
    """
    out: list[str] = []
    run = ""
    last = -2
    for at in [number for number, word in enumerate(words) if not word.isalpha()]:
        word = words[at]
        if not word:
            continue
        if len(word) < SHORT:
            naming = {name for before in words[max(0, at - 3) : at] for name in (before, *before.split("_")) if name}
            out += [f"{name} {word.lstrip('#')}" for name in naming]
            if word[0] == "#":
                out.append(f"# {word[1:]}")
        else:
            out.append(atom(word))
            if "@" in word or ":" in word:
                out += _inside(word)
        # Account, card and telephone numbers are printed in groups.
        if len(word) <= 5 and _DIGIT.search(word) is not None:
            run = run + word if at == last + 1 else word
            last = at
            if len(run) > len(word) and len(joined := squeezed(run)) >= 8:
                out.append(joined)
    return out


def _inside(word: str) -> Iterator[str]:
    """The addresses and hosts in a word that is more than one of them."""
    if "@" in word:
        # The last segment of a path may be an address of its own.
        for part in (word, *re.split(r"[/\\?#&:=]", word)):
            for found in _EMAIL.findall(part) if "@" in part else ():
                if found != word:
                    yield atom(found)
    if "://" in word:
        match = _URL.search(word)
        if match is not None:
            if match[0] != word:
                yield atom(match[0])
            yield atom(match["host"].rpartition("@")[2])
    elif ":" in word:
        yield atom(word.rpartition(":")[2])


def kind(text: str) -> str:
    """What a value is, in a word, for a sentence that must not repeat it."""
    found = party(text)
    names = {"address": "an address", "account": "an account number", "link": "a link", "path": "a path"}
    if found:
        return names[found]
    return "a number" if _NUMBER.fullmatch(text.strip()) else "a word" if text.strip().isalpha() else "a text"
