"""Secrets to plant, of many kinds, all made up, from a fixed seed; and what of each must be found nowhere."""

from __future__ import annotations

import base64
import binascii
import json
import random
import string
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

_ALNUM = string.ascii_letters + string.digits
_URL = _ALNUM + "-_"
_WORDS = """acorn barley cobalt dahlia ember falcon garnet hazel indigo juniper kestrel lantern marble nectar orchid pepper quartz raven
saffron thistle umber velvet walnut yarrow zephyr anchor beacon candle drifter engine feather glacier harbor island jasmine""".split()  # noqa: SIM905


@dataclass(frozen=True)
class Secret:
    """One planted secret: its text as it is planted, and what of it must not be found, in any form."""

    where: str
    kind: str
    text: str
    needles: tuple[str, ...] = field(repr=False)


class Planter:
    """Makes secrets, each new. `content` is of any kind; `name` of those that a text by itself shows to be secrets."""

    def __init__(self, seed: int = 5) -> None:
        self._random = random.Random(seed)
        self.planted: list[Secret] = []
        self._turns = {"content": 0, "name": 0}

    def content(self, where: str) -> str:
        return self._next("content", list(KINDS), where)

    def name(self, where: str) -> str:
        return self._next("name", [kind for kind in KINDS if kind not in ONLY_CONTENT], where)

    def _next(self, group: str, kinds: list[str], where: str) -> str:
        kind = kinds[self._turns[group] % len(kinds)]
        self._turns[group] += 1
        return self.of(kind, where).text

    def of(self, kind: str, where: str) -> Secret:
        text, needles = KINDS[kind](self._random)
        made = Secret(where, kind, text, tuple(needles) or (text,))
        self.planted.append(made)
        return made


def _some(rnd: random.Random, length: int, alphabet: str = _ALNUM) -> str:
    """With a digit, an upper and a lower case letter in it, where the alphabet has them."""
    text = "".join(rnd.choices(alphabet, k=length))
    return text if any(c.isdigit() for c in text) else text[:-1] + "7"


def _b64(rnd: random.Random, length: int) -> str:
    return base64.b64encode(rnd.randbytes(length)).decode()


def _part(rnd: random.Random, content: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def _pem(rnd: random.Random) -> tuple[str, list[str]]:
    kind = rnd.choice(["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "])
    lines = [_b64(rnd, 48) for _ in range(rnd.randint(2, 6))]
    return f"-----BEGIN {kind}PRIVATE KEY-----\n" + "\n".join(lines) + f"\n-----END {kind}PRIVATE KEY-----", lines


def _jwk(rnd: random.Random) -> tuple[str, list[str]]:
    private = _some(rnd, 43, _URL)
    if rnd.random() < 0.5:
        return json.dumps({"kty": "OKP", "crv": "Ed25519", "x": _some(rnd, 43, _URL), "d": private}), [private]
    return json.dumps({"kty": "oct", "k": private, "alg": "HS256"}), [private]


def _jwt(rnd: random.Random) -> tuple[str, list[str]]:
    claims = _part(rnd, {"sub": _some(rnd, 12), "iat": rnd.randint(10**9, 2 * 10**9)})
    signature = _some(rnd, 43, _URL)
    return f"{_part(rnd, {'alg': 'HS256', 'typ': 'JWT'})}.{claims}.{signature}", [claims, signature]


def _jwe(rnd: random.Random) -> tuple[str, list[str]]:
    parts = [_some(rnd, 43, _URL), _some(rnd, 16, _URL), _some(rnd, 60, _URL), _some(rnd, 22, _URL)]
    return ".".join([_part(rnd, {"alg": "dir", "enc": "A256GCM"}), *parts]), [parts[0], parts[2]]


def _digits(rnd: random.Random) -> str:
    prefix, length = rnd.choice(
        [("4", 16), ("51", 16), ("55", 16), ("2720", 16), ("34", 15), ("37", 15), ("6011", 16), ("3530", 16), ("36", 14)]
    )
    body = prefix + "".join(rnd.choices(string.digits, k=length - len(prefix) - 1))
    for check in string.digits:  # ISO/IEC 7812-1, annex B
        doubled = [int(c) * (2 if number % 2 else 1) for number, c in enumerate(reversed(body + check))]
        if sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0:
            return body + check
    raise AssertionError


def _card(separator: str) -> Callable[[random.Random], tuple[str, list[str]]]:
    def make(rnd: random.Random) -> tuple[str, list[str]]:
        digits = _digits(rnd)
        sizes = {16: (4, 4, 4, 4), 15: (4, 6, 5), 14: (4, 6, 4)}[len(digits)]
        groups, at = [], 0
        for size in sizes:
            groups.append(digits[at : at + size])
            at += size
        return separator.join(groups), [digits, " ".join(groups), "-".join(groups)]

    return make


def _around(before: str, length: int, alphabet: str, after: str = "") -> Callable[[random.Random], tuple[str, list[str]]]:
    """What a service begins its keys with: the rest is the secret."""

    def make(rnd: random.Random) -> tuple[str, list[str]]:
        secret = _some(rnd, length, alphabet)
        return f"{before}{secret}{after}", [secret]

    return make


def _words(rnd: random.Random) -> tuple[str, list[str]]:
    text = rnd.choice([" ", "-", ""]).join(rnd.choices(_WORDS, k=4)) + str(rnd.randint(10, 99))
    return text, [text]


def _named(rnd: random.Random) -> tuple[str, list[str]]:
    name = rnd.choice(["password", "DB_PASSWORD", "api_key", "client_secret", "passphrase", "AWS_SECRET_ACCESS_KEY", "access_token"])
    text = "".join(rnd.choices(_WORDS, k=3))
    return f"{name}{rnd.choice(['=', ': ', ' = '])}{text}", [text]


def _url(rnd: random.Random) -> tuple[str, list[str]]:
    password = "".join(rnd.choices(_WORDS, k=3)) + str(rnd.randint(10, 99))
    return f"{rnd.choice(['https', 'postgres', 'redis', 'amqp', 'mongodb+srv'])}://ada:{password}@db.acme.example/x", [password]


def _connection(rnd: random.Random) -> tuple[str, list[str]]:
    if rnd.random() < 0.5:
        key = _b64(rnd, 64)
        return f"DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={key};EndpointSuffix=core.example", [key]
    password = "".join(rnd.choices(_WORDS, k=3))
    return f"Server=db.acme.example;Database=crm;User Id=ada;Password={password};Encrypt=true", [password]


def _header(scheme: str) -> Callable[[random.Random], tuple[str, list[str]]]:
    def make(rnd: random.Random) -> tuple[str, list[str]]:
        secret = _b64(rnd, 24)
        return f"Authorization: {scheme} {secret}", [secret]

    return make


def _hex(rnd: random.Random) -> tuple[str, list[str]]:
    text = rnd.randbytes(rnd.choice([24, 32, 64])).hex()
    return text, [text]


def _aws_secret(rnd: random.Random) -> tuple[str, list[str]]:
    text = base64.b64encode(rnd.randbytes(30)).decode()
    return text, [text]


def _token(rnd: random.Random) -> tuple[str, list[str]]:
    text = base64.urlsafe_b64encode(rnd.randbytes(36)).decode().rstrip("=")
    return text, [text]


_UPPER = string.ascii_uppercase + string.digits
KINDS: dict[str, Callable[[random.Random], tuple[str, list[str]]]] = {
    "private key in PEM": _pem,
    "private or symmetric JWK": _jwk,
    "JWT": _jwt,
    "JWE": _jwe,
    "AWS access key id": _around("AKIA", 16, _UPPER),
    "AWS secret access key": _aws_secret,
    "GitHub token": _around("ghp_", 36, _ALNUM),
    "GitHub fine-grained token": _around("github_pat_", 60, _ALNUM),
    "GitLab token": _around("glpat-", 20, _URL),
    "Slack token": _around("xoxb-2345678901-", 24, _ALNUM),
    "Slack webhook": _around("https://hooks.slack.com/services/T024BE7LD/B01/", 24, _ALNUM),
    "OpenAI key": _around("sk-", 48, _ALNUM),
    "OpenAI project key": _around("sk-proj-", 60, _URL),
    "Anthropic key": _around("sk-ant-api03-", 80, _URL),
    "Google key": _around("AIza", 35, _URL),
    "Stripe key": _around("sk_live_", 24, _ALNUM),
    "SendGrid key": _around("SG.", 60, _URL),
    "Telegram bot": _around("123456789:AA", 33, _URL),
    "npm token": _around("npm_", 36, _ALNUM),
    "Vault token": _around("hvs.", 90, _URL),
    "card number": _card(""),
    "card number in groups": _card(" "),
    "card number with dashes": _card("-"),
    "password of words": _words,
    "password with its name": _named,
    "password in an address": _url,
    "connection string": _connection,
    "bearer header": _header("Bearer"),
    "basic header": _header("Basic"),
    "key in hex": _hex,
    "random token": _token,
}  # fmt: skip
ONLY_CONTENT = frozenset({"password of words"})
"""What no text shows to be a secret: it is one by where it stands, and leaves from there as a digest only."""


def forms(needle: str) -> set[bytes]:
    """How a needle may stand somewhere: as it is, as JSON, a URL, Base64 or hex write it; and each half, if it is long."""
    texts = {needle}
    if len(needle) >= 24:
        texts |= {needle[: len(needle) // 2], needle[len(needle) // 2 :]}
    out: set[bytes] = set()
    for text in texts:
        plain = text.encode()
        out |= {
            plain, json.dumps(text)[1:-1].encode(), urllib.parse.quote(text, safe="").encode(), urllib.parse.quote_plus(text).encode(),
            binascii.hexlify(plain), binascii.hexlify(plain).upper(), text.lower().encode(), text.upper().encode(),
            text.replace(" ", "").replace("-", "").encode(),
        }  # fmt: skip
        for shift in range(3):  # within a longer text, Base64 has three forms
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                whole = encode(b"\0" * shift + plain)
                out.add(whole[(0, 2, 3)[shift] : -4 if len(whole) > 16 else None])
    return {form for form in out if len(form) >= 8}


def found(secrets: Iterable[Secret], places: Mapping[str, bytes]) -> list[str]:
    """Which secrets were found, and where."""
    out: list[str] = []
    for secret in secrets:
        for needle in secret.needles:
            sought = forms(needle)
            out += [
                f"{secret.kind}, planted in {secret.where}, is in {place}"
                for place, data in places.items()
                if any(f in data for f in sought)
            ]
    return sorted(set(out))
