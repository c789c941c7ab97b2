"""The keys of one state folder, and when each of them signs and is published: rotation is a matter of reading a clock.

`ring.json` beside the key files says of each key from when to when it signs, and until when it is published. A new key is published at
once and signs only when every verifier has had the time to fetch it; an old one stays published until its last token is dead. Nothing
has to run for that, and all processes agree.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from licet.errors import KeyFileError, UsageError
from licet.locks import Lock
from licet.machine import open_own
from licet.tokens.keys import Signer, SigningKey

RING, LOCK, FIRST = "ring.json", "ring.lock", "call-token.pem"
PUBLISH_SECONDS = 900
"""How long a new key is published before it signs: what a cache keeps a JWK set for, and its refresh."""
DRAIN_SECONDS = 420
"""How long a key is published after it has signed its last token: a token's longest life (300 s), skew, and a slow reader."""
LOOK_SECONDS = 1.0  # how often another process's change is looked for


@dataclass(frozen=True, slots=True)
class RingKey:
    """One key's times, in seconds since the epoch; `until` and `published_until` are None while nothing follows it."""

    kid: str
    alg: str
    file: str
    created: float
    signs: float
    until: float | None = None
    published_until: float | None = None

    def state(self, now: float) -> str:
        """`next`, `signing`, `retiring` (published, and does not sign) or `gone`."""
        if self.published_until is not None and now >= self.published_until:
            return "gone"
        if self.until is not None and now >= self.until:
            return "retiring"
        return "next" if now < self.signs else "signing"


class KeyRing:
    """The keys of a folder. A folder without any gets one of `first` (EdDSA by default), unless `create` is false: then nothing is written.

    Raises:
        KeyFileError: a file cannot be read or written, is not ours alone, or does not hold what it should.
        UsageError: there is no key, and none is to be made.
    """

    def __init__(self, folder: str | Path, *, now: float, first: str = "EdDSA", create: bool = True) -> None:
        self._folder = Path(folder)
        self._lock = Lock()
        self._loaded: dict[str, SigningKey] = {}
        self._stamp: tuple[int, int, int] = (0, 0, 0)
        self._looked = float("-inf")
        self._keys: tuple[RingKey, ...] = ()
        self._name = ""
        self._open(now, first, create=create)

    def _open(self, now: float, first: str, *, create: bool) -> None:
        if create:
            with self._writing():
                self._read()
                if not self._keys:
                    self._begin(now, first)
        else:
            self._read()  # needs no lock: the ring is exchanged whole
            if not self._keys:
                self._look_back(now)
        for key in self._keys:
            if key.state(now) != "gone":
                self._load(key)  # a key that cannot be used is found out here, and not at the first call

    @property
    def name(self) -> str:
        """See `KeySource`: the first key that this folder had."""
        return self._name

    def keys(self) -> tuple[RingKey, ...]:
        """All keys of the folder, oldest first."""
        self._look()
        return self._keys

    def signer(self, now: float, algorithms: tuple[str, ...]) -> Signer | None:
        """See `KeySource`: of those that sign at `now` the newest."""
        self._look()
        able = [key for key in self._keys if key.alg in algorithms and key.state(now) == "signing"]
        return self._load(max(able, key=lambda key: key.signs)) if able else None

    def published(self, now: float) -> list[Mapping[str, Any]]:
        """See `KeySource`."""
        self._look()
        return [self._load(key).jwk for key in self._keys if key.state(now) != "gone"]

    def rotate(
        self,
        now: float,
        *,
        algorithm: str | None = None,
        wait: float = PUBLISH_SECONDS,
        before: Callable[[RingKey], None] | None = None,
    ) -> RingKey:
        """Make a new key, which takes over from its predecessor after `wait` seconds. That one is published until its tokens are dead.

        Where a key waits already, `wait=0` makes no other: that one takes over now. `before` is told of the key before the ring has it;
        what it raises stops the rotation.

        Raises:
            UsageError: a rotation of this algorithm is under way already, and this one is not to end it.
        """
        if not wait >= 0:
            raise UsageError("a key cannot sign before it is published")
        with self._writing():
            self._read()
            name = algorithm or self._main(now)
            waiting = next((key for key in self._keys if key.alg == name and key.state(now) == "next"), None)
            if waiting is not None:
                if wait > 0 or waiting.created > now:  # the latter: another process has made it since we read the clock
                    end = f"wait for it, retire it, or let it sign now: `licet keys rotate --now{self._alg(name, now)}`"
                    raise UsageError(f"a new {name} key is published already and does not sign yet; {end}")
                return self._promote(waiting, now, before)
            made = self._make(name, now, now + wait)
            if before is not None:
                try:
                    before(made)
                except BaseException:
                    (self._folder / made.file).unlink(missing_ok=True)
                    raise
            replaced = [
                replace(key, until=made.signs, published_until=made.signs + DRAIN_SECONDS) if key.alg == name and key.until is None else key
                for key in self._keys
            ]
            self._write((*(key for key in replaced if key.state(now) != "gone"), made), now)
            return made

    def _promote(self, waiting: RingKey, now: float, before: Callable[[RingKey], None] | None) -> RingKey:
        made = replace(waiting, signs=now)
        if before is not None:
            before(made)
        kept = [
            replace(key, until=now, published_until=now + DRAIN_SECONDS)
            if key.alg == waiting.alg and key.until == waiting.signs and key.state(now) == "signing"
            else key
            for key in self._keys
        ]
        self._write(tuple(made if key.kid == waiting.kid else key for key in kept), now)
        return made

    def retire(self, kid: str, now: float, *, compromised: bool = False, before: Callable[[RingKey], None] | None = None) -> RingKey:
        """Let a key sign no more; `compromised`: and not be published any more either, so that what it signed is refused.

        `before` is told of the key as it will be, before the ring says so; what it raises leaves all as it was.

        Raises:
            UsageError: there is no such key, or nothing else signs in its place.
        """
        with self._writing():
            self._read()
            found = next((key for key in self._keys if key.kid == kid and key.state(now) != "gone"), None)
            if found is None:
                raise UsageError(f"no key {kid!r} is published here; see `licet keys list`")
            # Call tokens are signed with either of both; clouds take no EdDSA, so that it stands in for nothing else.
            able = {found.alg, "ES256"} if found.alg == "EdDSA" else {found.alg}
            others = [key for key in self._keys if key is not found and key.alg in able and key.state(now) == "signing"]
            if found.state(now) == "signing" and not others:
                raise UsageError(f"{kid} is the only {found.alg} key that signs; {self._way_out(found, now, compromised=compromised)}")
            until = min(now, found.until if found.until is not None else now)
            # Not a time but never: a clock that is set back must not bring it back.
            gone = 0.0 if compromised else max(now + DRAIN_SECONDS, found.published_until or 0.0)
            ended = replace(found, until=until, published_until=gone)
            if before is not None:
                before(ended)
            kept = list(self._keys)
            if found.state(now) == "next":
                # What was to give way to it does not.
                heirs = [key for key in kept if key.alg == found.alg and key.until == found.signs]
                kept = [replace(key, until=None, published_until=None) if key in heirs else key for key in kept]
            self._write(tuple(ended if key.kid == kid else key for key in kept), now)
            return ended

    # Files -------------------------------------------------------------------------------------------------------------

    def _way_out(self, only: RingKey, now: float, *, compromised: bool) -> str:
        """How the only key that signs is retired all the same."""
        waits = any(key.alg == only.alg and key.state(now) == "next" for key in self._keys)
        first = "let the one that waits sign first" if waits else "make another first"
        rest = " --compromised --reason TEXT" if compromised else ""
        kid = f"-- {only.kid}" if only.kid.startswith("-") else only.kid
        return f"{first}: `licet keys rotate --now{self._alg(only.alg, now)}`, then `licet keys retire{rest} {kid}`"

    def _alg(self, name: str, now: float) -> str:
        return "" if name == self._main(now) else f" --alg {name}"

    def _main(self, now: float) -> str:
        """The algorithm of the call tokens' key."""
        ours = [key for key in self._keys if key.state(now) == "signing" and key.alg != "RS256"]
        return max(ours, key=lambda key: key.signs).alg if ours else "EdDSA"

    def _begin(self, now: float, algorithm: str) -> None:
        first = self._folder / FIRST
        if first.is_symlink() or first.exists():  # made before there was a ring
            key = SigningKey.of_pem(self._bytes(FIRST), str(first))
            self._loaded[FIRST] = key
            self._write((RingKey(key.kid, key.algorithm, FIRST, now, 0.0),), now)
        else:
            self._write((self._make(algorithm, now, 0.0, FIRST),), now)

    def _look_back(self, now: float) -> None:
        """The key that was made before there was a ring, without making the ring.

        Raises:
            UsageError: there is none.
        """
        first = self._folder / FIRST
        if not (first.is_symlink() or first.exists()):
            raise UsageError(f"{self._folder}: there is no key here yet; a guard makes one when it first uses this folder")
        key = SigningKey.of_pem(self._bytes(FIRST), str(first))
        self._loaded[FIRST], self._name = key, key.kid
        self._keys = (RingKey(key.kid, key.algorithm, FIRST, now, 0.0),)

    def _make(self, name: str, now: float, signs: float, file: str = "") -> RingKey:
        key = SigningKey.generate(name)
        file = file or f"{key.kid}.pem"
        self._put(file, key.pem())
        self._loaded[file] = key
        return RingKey(key.kid, key.algorithm, file, now, signs)

    def _load(self, key: RingKey) -> SigningKey:
        with self._lock:
            found = self._loaded.get(key.file)
            if found is None:
                found = SigningKey.of_pem(self._bytes(key.file), str(self._folder / key.file))
                if (found.kid, found.algorithm) != (key.kid, key.alg):
                    raise KeyFileError(f"{self._folder / key.file}: holds another key than {RING} says; move both away")
                self._loaded[key.file] = found
            return found

    def _look(self) -> None:
        """Read the ring again if another process has changed it; looked for once a second."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        if _stamp(self._folder / RING) != self._stamp:
            self._read()

    def _read(self) -> None:
        path = self._folder / RING
        stamp = _stamp(path)
        if stamp == (0, 0, 0):
            if self._keys:
                raise KeyFileError(f"{path}: is gone")
            return
        try:
            found = json.loads(self._bytes(RING))
            keys, name = tuple(_ring_key(item) for item in found["keys"]), _name(found["name"], found["keys"])
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise KeyFileError(f"{path}: is damaged; move it away, and the first key is taken up again") from error
        self._stamp, self._keys, self._name = stamp, keys, name

    def _write(self, keys: Sequence[RingKey], now: float) -> None:
        kept = {key.file for key in keys if key.state(now) != "gone"}
        gone = [key for key in (*self._keys, *keys) if key.file not in kept]  # a private key that nobody needs is nobody's to find
        self._name = self._name or keys[0].kid
        self._put(RING, json.dumps({"name": self._name, "keys": [asdict(key) for key in keys]}, indent=1).encode())
        self._stamp, self._keys = _stamp(self._folder / RING), tuple(keys)
        for key in gone:
            (self._folder / key.file).unlink(missing_ok=True)

    def _bytes(self, name: str) -> bytes:
        with os.fdopen(open_own(self._folder / name, os.O_RDONLY, KeyFileError), "rb") as opened:
            return opened.read(1_000_000)

    def _put(self, name: str, data: bytes) -> None:
        """Write a file whole or not at all."""
        path, part = self._folder / name, self._folder / f".{name}.part"
        try:
            part.unlink(missing_ok=True)  # of a process that died; the lock says that nobody is writing it now
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            part.replace(path)
        except OSError as error:
            raise KeyFileError(f"{path}: {error.strerror}; check the state folder's rights") from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One process at a time."""
        path = self._folder / LOCK
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise KeyFileError(f"{path}: {error.strerror}; check the state folder's rights") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _name(name: object, keys: object) -> str:
    if not keys or not isinstance(name, str) or not name:
        raise ValueError("a ring has a name, and keys")
    return name


def _ring_key(item: Mapping[str, Any]) -> RingKey:
    key = RingKey(**item)
    times: tuple[object, ...] = (key.created, key.signs, *(time for time in (key.until, key.published_until) if time is not None))
    names: tuple[object, ...] = (key.kid, key.alg, key.file)
    if not all(isinstance(name, str) for name in names) or "/" in key.file:
        raise ValueError("a key's names are not names")
    if not all(isinstance(time, (int, float)) and not isinstance(time, bool) and math.isfinite(time) for time in times):
        raise ValueError("a key's times are not numbers")
    return key


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return (0, 0, 0)
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}; check the state folder's rights") from error
    return (found.st_ino, found.st_mtime_ns, found.st_size)
