"""What is drawn: ids as the platforms shape them, addresses, user agents. All of a `random.Random` that the caller gives."""

from __future__ import annotations

import base64
import random
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_network

BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

BROWSERS = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:{major}.0) Gecko/20100101 Firefox/{major}.0",
)
STRANGE_AGENTS = (
    "python-requests/2.{minor}.0",
    "curl/8.{minor}.0",
    "Go-http-client/1.1",
    "axios/1.{minor}.2",
    "PostmanRuntime/7.{minor}.0",
)


def uuid(rng: random.Random) -> str:
    text = f"{rng.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) % 4]}{text[17:20]}-{text[20:]}"


def letters(rng: random.Random, number: int, alphabet: str = BASE62) -> str:
    return "".join(rng.choices(alphabet, k=number))


def access_key(rng: random.Random, *, temporary: bool) -> str:
    return ("ASIA" if temporary else "AKIA") + letters(rng, 16, BASE32)


def token_hash(rng: random.Random) -> str:
    """SHA-256 in base64, as GitHub writes a token's."""
    return base64.b64encode(rng.randbytes(32)).decode("ascii")


def address(rng: random.Random, network: str) -> str:
    """An address inside a CIDR."""
    first, number = _range(network)
    one = first + rng.randrange(4, number - 2)
    return f"{one >> 24}.{one >> 16 & 255}.{one >> 8 & 255}.{one & 255}"


@cache
def _range(network: str) -> tuple[int, int]:
    within = ip_network(network)
    return int(within.network_address), within.num_addresses


def stranger(rng: random.Random) -> str:
    """An address of nobody here: hosting, home and mobile networks."""
    first = rng.choice((45, 91, 141, 146, 176, 185, 188, 193, 194, 212))
    return f"{first}.{rng.randrange(1, 255)}.{rng.randrange(256)}.{rng.randrange(2, 250)}"


def browser(rng: random.Random) -> str:
    return rng.choice(BROWSERS).format(major=rng.randrange(118, 131))


def strange_agent(rng: random.Random) -> str:
    return rng.choice(STRANGE_AGENTS).format(minor=rng.randrange(20, 33))


def seconds(time: float) -> str:
    return datetime.fromtimestamp(int(time), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def millis(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(time % 1 * 1000):03d}Z"


def micros(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def poisson(rng: random.Random, mean: float) -> int:
    """By counting arrivals, as `mean` is small."""
    number, left = 0, rng.expovariate(1.0)
    while left < mean:
        number += 1
        left += rng.expovariate(1.0)
    return number


def created(time: float) -> str:
    """As IAM writes a key's date."""
    return datetime.fromtimestamp(int(time), UTC).strftime("%b %-d, %Y, %-I:%M:%S %p")
