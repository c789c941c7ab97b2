"""What plays draw from: times before and after the curtain, names, ids and addresses as companies and platforms have them.

All of it is of a `random.Random` whose seed is drawn for each drill, committed to, and revealed after it: who has the seed has the play.
"""

from __future__ import annotations

import base64
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime

from licet.drill.scenario import OWNER

DAY, HOUR, MINUTE = 86_400.0, 3_600.0, 60.0

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PARTS = (
    ("billing", "orders", "ledger", "search", "media", "mail", "fleet", "stock", "claims", "tickets", "events", "catalog", "pricing"),
    ("export", "sync", "worker", "indexer", "loader", "backup", "report", "runner", "gateway", "importer", "archiver", "notifier"),
)
_HOSTING = (45, 91, 141, 146, 176, 185, 188, 193, 194, 212)  # first parts of addresses of hosting companies and home networks
_STRANGE = ("python-requests/2.{}.0", "curl/8.{}.0", "Go-http-client/1.{}", "axios/1.{}.2")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts in a play, where that is not drawn: a real identity, for a play that is judged beside the live one and touches nothing.

    Attributes:
        uid: as its source names it.
        account: in which it acts.
        owner: who answers for it.
    """

    uid: str
    account: str
    owner: str


@dataclass(slots=True)
class Stage:
    """One play's draws.

    Attributes:
        rng: where they come from.
        now: the curtain: what is `live` happens from here on, all else before (seconds since the epoch, whole).
        actor: who acts, if it is not drawn.
        team: who owns what is drawn.
        names: that were drawn, so that no two in one play are the same.
    """

    rng: random.Random
    now: float
    actor: Actor | None = None
    team: str = OWNER
    names: set[str] = field(default_factory=set)

    @property
    def owner(self) -> str:
        """Who answers for who acts."""
        return self.actor.owner if self.actor is not None else self.team

    def name(self) -> str:
        """A workload's name, as `orders-sync-7f`: likely in no company twice."""
        while True:
            found = f"{self.rng.choice(_PARTS[0])}-{self.rng.choice(_PARTS[1])}-{self.rng.getrandbits(20):05x}"
            if found not in self.names:
                self.names.add(found)
                return found

    def account(self) -> str:
        """The number of an AWS account."""
        return f"{self.rng.randrange(10**11, 10**12)}"

    def uuid(self) -> str:
        """A version 4 UUID (RFC 9562)."""
        text = f"{self.rng.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) % 4]}{text[17:20]}-{text[20:]}"

    def letters(self, number: int, alphabet: str = _BASE62) -> str:
        """So many letters and digits."""
        return "".join(self.rng.choices(alphabet, k=number))

    def access_key(self, *, temporary: bool = False) -> str:
        """The id of an AWS access key."""
        return ("ASIA" if temporary else "AKIA") + self.letters(16, _BASE32)

    def token_hash(self) -> str:
        """SHA-256 in Base64, as GitHub and Okta write a token's."""
        return base64.b64encode(self.rng.randbytes(32)).decode("ascii")

    def home(self) -> str:
        """A private network (RFC 1918) of 256 addresses, as a prefix of three parts: `10.31.7`."""
        return f"10.{self.rng.randrange(1, 250)}.{self.rng.randrange(256)}"

    def at_home(self, network: str) -> str:
        """An address in what `home` gave."""
        return f"{network}.{self.rng.randrange(4, 250)}"

    def stranger(self) -> str:
        """An address of nobody here."""
        return f"{self.rng.choice(_HOSTING)}.{self.rng.randrange(1, 255)}.{self.rng.randrange(256)}.{self.rng.randrange(2, 250)}"

    def strange_program(self) -> str:
        """The user agent of what is run by hand."""
        return self.rng.choice(_STRANGE).format(self.rng.randrange(20, 33))

    def before(self, earliest: float, latest: float) -> float:
        """A time so many seconds before the curtain, whole."""
        return self.now - float(int(self.rng.uniform(latest, earliest)))

    def habit(self, days: int, a_day: int, *, until: float = HOUR) -> list[float]:
        """Times of honest work, in order: so many days before `until` seconds before the curtain, so often a day."""
        end = self.now - until
        found = [
            end - day * DAY + (turn + self.rng.random()) * DAY / a_day * 0.9
            for day in range(days, 0, -1) for turn in range(a_day)
        ]  # fmt: skip
        return sorted(float(int(each)) for each in found)


def seconds(time: float) -> str:
    """`2026-03-01T12:00:00Z`."""
    return datetime.fromtimestamp(int(time), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def millis(time: float) -> str:
    """`2026-03-01T12:00:00.123Z`."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(time % 1 * 1000):03d}Z"


def micros(time: float) -> str:
    """`2026-03-01T12:00:00.123456Z`."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
