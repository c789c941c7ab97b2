"""What looks like a token, a private key, a secret or a card number: found in a text, and masked.

The last line, behind digests in place of contents: names, ids and sentences stand in clear in records, and a model chooses some of them.
Every form begins with what hardly anything else begins with, takes all that may belong to it, and is looked at closely only then: a search
never fails far behind its beginning, so that the work is linear in the text, whatever that is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

MASKS = frozenset({"[a token]", "[a private key]", "[a secret]", "[a card number]"})
SHORTEST = 7  # characters; no form is shorter
MAX_KNOWN = 4_096  # texts that are known to be clean, as names come again and again
_KNOWN_LENGTH = 200  # characters of such a text
_clean: set[str] = set()


@dataclass(frozen=True, slots=True)
class Form:
    """One form. `find` has a group `it`, which is masked if `holds`; a text that has none of `near`, none of `also` (both in lower case),
    or not `least` characters, has none of these.

    `collector` says the same in the syntax of RE2, for otel-collector.yaml; empty where that cannot tell it from what is harmless.
    """

    name: str
    what: str
    find: re.Pattern[str]
    near: tuple[str, ...]
    least: int
    spans: Callable[[re.Match[str]], list[tuple[int, int]]]
    collector: str
    also: tuple[str, ...] = ()

    def may_be_in(self, text: str, lowered: str) -> bool:
        """Whether it is worth to look closely."""
        return len(text) >= self.least and _one_in(self.near, lowered) and (not self.also or _one_in(self.also, lowered))


def scrub(text: str) -> str:
    """The text with `[a token]`, `[a private key]`, `[a secret]` or `[a card number]` in place of what looks like one. Never raises."""
    if len(text) < SHORTEST or text in _clean:
        return text
    out = text
    lowered = text.lower()
    for form in _FORMS:
        if form.may_be_in(out, lowered):
            out = _masked(form, out)
            lowered = lowered if out is text else out.lower()
    if out == text and len(text) <= _KNOWN_LENGTH:
        if len(_clean) >= MAX_KNOWN:
            _clean.clear()
        _clean.add(text)
    return out


def secret_in(text: str) -> str:
    """What the text holds: `a token`, `a private key`, `a secret`, `a card number`; empty if nothing in it looks like one."""
    lowered = text.lower()
    near = (form for form in _FORMS if form.may_be_in(text, lowered))
    return next((form.what for form in near if any(form.spans(found) for found in form.find.finditer(text))), "")


def scrubbed(value: Any) -> Any:
    """Plain data with every text in it scrubbed, keys too, and what stands behind a key that names a secret masked, whatever it is."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, (list, tuple)):
        return [scrubbed(item) for item in value]
    if isinstance(value, dict):
        return {scrub(key): _behind(key, item, is_jwk="kty" in value) for key, item in value.items()}
    if isinstance(value, int) and not isinstance(value, bool) and is_card(str(value)):
        return "[a card number]"
    return value


def is_card(digits: str) -> bool:
    """Whether the digits are a card's: an issuer's first digits, its length, and the check digit (ISO/IEC 7812-1)."""
    if not _CARDS.fullmatch(digits):
        return False
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    return (sum(map(int, digits[-1::-2])) + sum(number - 9 if number > 9 else number for number in doubled)) % 10 == 0


def collector_patterns() -> Iterator[tuple[str, str]]:
    """Each form that the Collector can know, by name, in the syntax of RE2."""
    return ((form.name, form.collector) for form in _FORMS if form.collector)


def _behind(key: str, value: Any, *, is_jwk: bool) -> Any:
    if is_jwk and key in _PRIVATE_MEMBERS:
        return "[a private key]"
    if _KEY_NAMES.search(key) and value not in (None, "", [], {}) and not isinstance(value, bool):
        return "[a secret]"
    return scrubbed(value)


def _one_in(signs: tuple[str, ...], text: str) -> bool:
    for sign in signs:  # noqa: SIM110 - a generator costs more than what it looks for
        if sign in text:
            return True
    return False


def _masked(form: Form, text: str) -> str:
    parts: list[str] = []
    done = 0
    for found in form.find.finditer(text):
        for start, end in form.spans(found):
            parts += [text[done:start], f"[{form.what}]"]
            done = end
    return "".join([*parts, text[done:]]) if parts else text


# The forms ---------------------------------------------------------------------------------------------------------------


def _whole(found: re.Match[str]) -> bool:
    return bool(found["it"])


def _is_jwt(found: re.Match[str]) -> bool:
    """Three parts, of which the first begins as JSON does in Base64; or two that both do: the rest may have been cut off."""
    parts = found["it"].split(".")
    for number, part in enumerate(parts[:-1]):
        at = part.find("eyJ")
        if at >= 0 and len(part) - at >= 11 and (len(parts) - number >= 3 or parts[number + 1].startswith("eyJ")):
            return True
    return False


def _is_member(found: re.Match[str]) -> bool:
    return len(found["it"]) >= 20 and any(map(str.isdigit, found["it"]))


def _is_issued(found: re.Match[str]) -> bool:
    """Long enough behind the issuer's sign, and with a digit; where words begin like that too, in one run."""
    rest = found["it"][len(found["sign"]) :].rstrip(".-_")
    if found["common"]:
        rest = max(re.split(r"[^A-Za-z0-9]", rest), key=len)
    return len(rest) >= 14 and any(map(str.isdigit, rest))


def _has_password(found: re.Match[str]) -> bool:
    _, colon, password = found["it"].partition(":")
    return bool(colon and password)


def _is_header(found: re.Match[str]) -> bool:
    it = found["it"]
    return len(it) >= 16 and (any(map(str.isdigit, it)) or it != it.lower())


def _is_named(found: re.Match[str]) -> bool:
    value = found["it"].strip()
    return len(value) >= (8 if found["weak"] else 4) and value not in MASKS and value.rstrip("]} ") not in ("true", "false", "null")


def _is_random(found: re.Match[str]) -> bool:
    """Whether the kinds of characters change as often as in Base64 of chance, and seldom in names, paths and numbers."""
    kinds = [1 if c.islower() else 2 if c.isupper() else 3 if c.isdigit() else 0 for c in found["it"]]
    changes = sum(bool(one and other) and one != other for one, other in pairwise(kinds))
    return {1, 2, 3} <= set(kinds) and changes >= 0.36 * len(kinds)


def _if(holds: Callable[[re.Match[str]], bool]) -> Callable[[re.Match[str]], list[tuple[int, int]]]:
    return lambda found: [found.span("it")] if holds(found) else []


def _card_spans(found: re.Match[str]) -> list[tuple[int, int]]:
    """Where cards stand in a run of digits and separators: in one piece, or in groups of which the first has four digits."""
    groups = [group.span() for group in re.compile(r"\d+").finditer(found.string, *found.span("it"))]
    if groups and found.string[groups[-1][1] :][:1].isidentifier():
        groups.pop()  # the last digits belong to a word
    out: list[tuple[int, int]] = []
    at = 0
    while at < len(groups):
        start, end = groups[at]
        digits, card_end, after = found.string[start:end], 0, at
        for number in range(at, len(groups) if end - start == 4 else at + 1):
            digits = digits if number == at else digits + found.string[slice(*groups[number])]
            if len(digits) > 19:
                break
            if is_card(digits):
                card_end, after = groups[number][1], number
        if card_end:
            out.append((start, card_end))
        at = after + 1
    return out


_ISSUED = (
    r"gh[pousr]_|github_pat_|glpat-|glptt-|xox[abeoprs]-|xapp-|AIza|ya29\.|AKIA|ASIA|ABIA|ACCA|SG\.|GOCSPX-|shp(?:at|ca|pa|ss)_|"
    r"dop_v1_|hvs\.|glsa_|whsec_|sntry[su]_|lin_api_|nvapi-|AGE-SECRET-KEY-1|pypi-AgE|sk-ant-|sk-proj-|[sr]k_(?:live|test)_"
)
_ISSUED_AS_WORDS = r"sk[-_]|npm_|hf_|gsk_|xai-|pplx-|dapi|r8_"
_NAMES = (
    r"pass(?:word|wd|phrase|code)|secret|credential|private[_-]?key|api[_-]?key|account[_-]?key|access[_-]?key|signing[_-]?key|"
    r"encryption[_-]?key|(?:access|refresh|auth|session|client|bearer|id)[_-]?token|\bpwd\b"
)
_WEAK_NAMES = r"\btoken\b|\bsig\b|\bcookie\b|\bauthorization\b"
_NAMED_BY = ("pass", "secret", "credential", "key", "token", "pwd", "sig", "cookie", "authorization")  # each name above has one of them
_QUOTES = r"""[\\"'\]]{0,4}"""
_PEM = r"-----BEGIN[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_PRIVATE_MEMBERS = frozenset({"d", "k", "p", "q", "dp", "dq", "qi", "oth"})
_KEY_NAMES = re.compile(rf"(?i){_NAMES}|{_WEAK_NAMES}|\b(?:pin|cvv|cvc|otp)\b", re.ASCII)
_CARDS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|"
    r"(?:6011|64[4-9]\d|65\d\d|62\d\d|35[2-8]\d)\d{12,15}", re.ASCII,
)  # fmt: skip
_CARD_RUN = r"(?<![\w.])(?=(?:[0-9][ .\xa0-]?){12}[0-9])(?P<it>[0-9](?:[ .\xa0-]?[0-9])*)"  # no card has fewer digits
_GAP = r"[ .\x{a0}-]?"
_CARDS_RE2 = (
    rf"\b(4[0-9]{{3}}|5[1-5][0-9]{{2}}|2[2-7][0-9]{{2}}|6(011|5[0-9]{{2}}|2[0-9]{{2}}|4[4-9][0-9])|35[2-8][0-9])({_GAP}[0-9]{{4}}){{3}}\b|"
    rf"\b3[47][0-9]{{2}}{_GAP}[0-9]{{6}}{_GAP}[0-9]{{5}}\b|\b3(0[0-5]|[689][0-9])[0-9]{_GAP}[0-9]{{6}}{_GAP}[0-9]{{4}}\b"
)


_LEAST = {"pem": 30, "jwk": 25, "jwt": 12, "header": 22, "issued": 17, "bot": 40, "hex": 48, "random": 40}


def _form(  # noqa: PLR0917 - a row of the table below
    name: str, what: str, find: str, near: str, collector: str, holds: Callable[[re.Match[str]], bool] = _whole
) -> Form:
    least, re2 = _LEAST.get(name, SHORTEST), collector.replace("(?:", "(")
    also = _NAMED_BY if name == "named" else ()
    return Form(name, what, re.compile(find, re.ASCII), tuple(near.split("|")), least, _if(holds), re2, also)


_FORMS = (
    _form(
        "pem", "a private key", rf"(?P<it>{_PEM}(?:-?[^-])*(?:-----END[A-Z0-9 ]*-----)?)", "private key",
        rf"{_PEM}(-?[^-])*(-----END[A-Z0-9 ]*-----)?",
    ),
    _form(
        "jwk", "a private key", rf"""["'](?:d|k|p|q|dp|dq|qi)[\\"']{{1,4}}\s{{0,4}}:\s{{0,4}}{_QUOTES}(?P<it>[\w-]*)""", ":",
        rf"""["'](?:d|k|p|q|dp|dq|qi)[\\"']{{1,4}}\s{{0,4}}:\s{{0,4}}{_QUOTES}[\w-]{{20,}}""", _is_member,
    ),
    _form("jwt", "a token", r"(?P<it>eyJ[\w-]*(?:\.[\w-]*)*)", "eyj", r"eyJ[\w-]{6,}\.[\w-]*\.[\w.-]*", _is_jwt),
    _form("address", "a secret", r"://(?P<it>[^\s/@]*)@", "://", r"://[^\s/@:]*:[^\s/@]+@", _has_password),
    _form(
        "header", "a secret", r"(?i:\b(?:bearer|basic|dpop))\s{1,4}(?P<it>[\w.~+/=-]*)", "bearer|basic|dpop",
        r"(?i)\b(?:bearer|basic|dpop)\s{1,4}[\w.~+/-]{16,}=*", _is_header,
    ),
    _form(
        "issued", "a secret", rf"(?<![A-Za-z0-9])(?P<it>(?P<sign>{_ISSUED}|(?P<common>{_ISSUED_AS_WORDS}))[\w.-]*)",
        "_|-|.|aiza|akia|asia|abia|acca|dapi",
        rf"\b(?:(?:{_ISSUED})[\w.-]{{14,}}|(?:{_ISSUED_AS_WORDS})[\w-]{{0,20}}[A-Za-z0-9]{{16,}})", _is_issued,
    ),
    _form(
        "webhook", "a secret", r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<it>[\w/]*)", "hooks.slack.com",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/[\w/]+",
    ),
    _form("bot", "a secret", r"(?<!\w)(?P<it>\d{8,10}:AA[\w-]{30,})", ":aa", r"\b\d{8,10}:AA[\w-]{30,}"),
    _form(
        "named", "a secret",
        rf"(?i:(?:{_NAMES}|(?P<weak>{_WEAK_NAMES}))[\w-]{{0,20}}){_QUOTES}\s{{0,4}}[:=]\s{{0,4}}\\{{0,3}}(?P<quote>[\"'])?"
        r"(?P<it>(?(quote)[^\"'\\]*|[^\"'&;,\r\n]*))", ":|=",
        rf"(?i)(?:{_NAMES}|{_WEAK_NAMES})[\w-]{{0,20}}{_QUOTES}\s{{0,4}}[:=]\s{{0,4}}{_QUOTES}[^\s\"'\\&;,]{{4,}}", _is_named,
    ),
    _form(
        "pin", "a secret", r"(?i:\b(?:pin|cvv2?|cvc|otp)\b)[\s:=#]{1,4}(?P<it>\d{3,8})(?!\w)", "pin|cv|otp",
        r"(?i)\b(?:pin|cvv2?|cvc|otp)\b[\s:=#]{1,4}\d{3,8}\b",
    ),
    _form("hex", "a secret", r"(?<![0-9A-Za-z:_])(?P<it>[0-9A-Fa-f]{48,})(?![0-9A-Za-z])", "", r"(?:^|[^0-9A-Za-z:_])[0-9A-Fa-f]{48,}\b"),
    _form("random", "a secret", r"(?<![A-Za-z0-9+/_-])(?P<it>[A-Za-z0-9+/_-]{40,}={0,2})", "", "", _is_random),
    Form("card", "a card number", re.compile(_CARD_RUN), ("",), 13, _card_spans, _CARDS_RE2),
)  # fmt: skip
