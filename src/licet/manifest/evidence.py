"""What the manifest says of the ledger: how soon records are on the disk and under a signature, and who else signs."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

from licet.clock import lasting
from licet.manifest.arguments import listed
from licet.manifest.identities import why_unsafe
from licet.manifest.words import Closed

_INTERVAL = re.compile(r"([1-9][0-9]{0,8})(ms|s|m|h)", re.ASCII)
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours"}
FLUSH, CHECKPOINT = timedelta(milliseconds=50), timedelta(seconds=1)
LONGEST_FLUSH, LONGEST_CHECKPOINT = timedelta(seconds=10), timedelta(hours=1)
MAX_WITNESSES = 20


def interval(value: object) -> timedelta:
    """`50ms`, `1s`, `5m` or `1h` as a time span.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, timedelta):
        return value
    match = _INTERVAL.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("an interval is a whole number and a unit: 50ms, 1s, 5m or 1h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _up_to(longest: timedelta, what: str) -> AfterValidator:
    def check(value: timedelta) -> timedelta:
        if value > longest:
            raise ValueError(f"at most {lasting(longest.total_seconds())}: {what}")
        return value

    return AfterValidator(check)


def _reachable(url: str) -> str:
    if why := why_unsafe(url):
        raise ValueError(f"a witness is asked over https, or http on a loopback address: {why}")
    return url


_SCHEMA = WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,8}(ms|s|m|h)$", "examples": ["50ms"]})
_Flush = Annotated[timedelta, BeforeValidator(interval), _up_to(LONGEST_FLUSH, "a crash of the machine can take so much"), _SCHEMA]
_Checkpoint = Annotated[timedelta, BeforeValidator(interval), _up_to(LONGEST_CHECKPOINT, "until then nothing is signed"), _SCHEMA]


def _witness_key(text: str) -> str:
    """C2SP signed-note: `name+id+key`. What the ledger does with it this room does not know: here it is only read."""
    name, told, encoded = text.split("+", 2)
    says = "what `licet ledger witness --key` prints"
    try:
        key = base64.b64decode(encoded, validate=True)
    except ValueError as error:
        raise ValueError(f"the key is not base64; give {says}") from error
    if key[:1] == _OF_A_LOG:
        raise ValueError(f"this is the key of a log, and a witness's is needed: {says}")
    if key[:1] != _OF_A_WITNESS or len(key) != 1 + 32:
        raise ValueError(f"a witness's key is of Ed25519 (tlog-cosignature); give {says}")
    if hashlib.sha256(name.encode() + b"\n" + key).hexdigest()[:8] != told:
        raise ValueError(f"the key's id is not its own: a letter is wrong; give {says}")
    return text


_OF_A_LOG, _OF_A_WITNESS = b"\x01", b"\x04"
_Key = Annotated[
    str,
    StringConstraints(pattern=r"^[!-*,-~]{1,255}\+[0-9a-f]{8}\+[A-Za-z0-9+/]{4,}={0,2}$", max_length=5_000),
    AfterValidator(_witness_key),
]
_NAME = re.compile(r"[!-*,-~]{1,200}", re.ASCII)


def _name(value: str) -> str:
    """C2SP tlog-checkpoint: the origin is a schema-less URL; signed-note: a key's name has no space and no `+`."""
    if "://" in value:
        raise ValueError("a log's name is an address without scheme, such as acme.example/support")
    if _NAME.fullmatch(value) is None:
        raise ValueError("a log's name is 1 to 200 printable ASCII characters without spaces and without `+`, such as acme.example/support")
    return value


_Origin = Annotated[str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": "^(?!.*://)[!-*,-~]{1,200}$"})]


class Witness(Closed):
    """Who cosigns the ledger's checkpoints: where it is asked, and its verifier key."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://[!-~]+$", max_length=500), AfterValidator(_reachable)]
    key: _Key


class LedgerSettings(Closed):
    """The ledger. `durable`: what holds for tools that do not say it themselves; left out, `write` in `environment: prod`."""

    flush_every: _Flush = Field(FLUSH, json_schema_extra={"default": "50ms"})
    checkpoint_every: _Checkpoint = Field(CHECKPOINT, json_schema_extra={"default": "1s"})
    origin: _Origin | None = None
    durable: Literal["write", "none"] | None = None
    witnesses: Annotated[tuple[Witness, ...], BeforeValidator(listed), Field(max_length=MAX_WITNESSES)] = ()

    @property
    def flush_seconds(self) -> float:
        """How long a record may be in the page cache only, in seconds."""
        return self.flush_every.total_seconds()

    @property
    def checkpoint_seconds(self) -> float:
        """How long records may stand without a signature, in seconds."""
        return self.checkpoint_every.total_seconds()
