"""The public keys of an issuer elsewhere: fetched from its one known address, kept for a while, and asked for anew with restraint.

No address is ever taken from a token (RFC 8725bis section 3.10), and no number of tokens makes more than a few requests.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
from pathlib import Path

from licet.clock import Clock, SystemClock, lasting
from licet.errors import KeySetError, UsageError
from licet.manifest.identities import why_unsafe
from licet.tokens.algorithms import KeySet, PublicKey
from licet.tokens.fetch import MAX_BYTES, TIMEOUT, Fetcher, key_set

DEFAULT_SECONDS = 900.0
LEAST_SECONDS, MOST_SECONDS = 60.0, 86_400.0  # the bounds of what the far side may ask for
RETRY_SECONDS = 10.0
UNKNOWN_SECONDS = 60.0
STALE_SECONDS = 3_600.0
MAX_UNKNOWN = 1_000
MAX_KID = 1_024  # characters: no header is larger

_log = logging.getLogger("licet")


class RemoteKeys:
    """The `Keys` of one JWKS address.

    A set holds as long as the far side says (`Cache-Control: max-age`), within a minute and a day; 15 min where it says nothing. A `kid`
    that is not in it makes one request, at most every `retry` seconds whatever comes, and each such `kid` at most once a minute. While the
    far side is down, the last set serves for `stale` seconds more, and each attempt is logged; after that nothing is found.

    Args:
        url: https, or http on this machine.
        retry, stale: in seconds.
        timeout: in seconds, for each step of a request; twice that for all of it.
        clock: its monotonic time counts.
        use: what keys that sign may also be marked with, see `key_set`.
        places: for a service that strangers can make ask. One caller at a time waits for the far side then, and of all that share `places`
            as many as it admits; all others get at once what is there.

    Raises:
        UsageError: keys may not be fetched from this address.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock | None = None,
        timeout: float = TIMEOUT,
        retry: float = RETRY_SECONDS,
        stale: float = STALE_SECONDS,
        use: str = "sig",
        places: threading.Semaphore | None = None,
    ) -> None:
        if why := why_unsafe(url):
            raise UsageError(f"{url}: {why}; write an https address without user name and fragment")
        self._clock = clock or SystemClock()
        self._fetcher, self._retry, self._stale = Fetcher(url, timeout, use), retry, stale
        self._url, self._places = url, places
        self._keys: KeySet | None = None
        self._fresh = self._dead = float("-inf")  # until when the set holds, and until when it serves if no other comes
        self._tried = float("-inf")
        self._unknown: dict[str, float] = {}
        self._fetching, self._remembering = threading.Lock(), threading.Lock()

    def find(self, kid: str | None, algorithm: str) -> PublicKey | None:
        """See `jws.Keys`.

        Raises:
            KeySetError: the keys could not be fetched, and there are none that may still serve.
        """
        keys = self._current()
        found = keys.find(kid, algorithm)
        if found is not None:
            return found
        now = self._clock.monotonic()
        if kid is not None and self._unknown.get(kid, now) > now:
            return None
        newer = self._renewed(wait=True, of=keys)
        found = newer.find(kid, algorithm)
        if found is None and kid is not None and newer is not keys:
            with self._remembering:
                if len(self._unknown) >= MAX_UNKNOWN:
                    self._unknown.clear()  # the limit of `retry` holds without them
                self._unknown[kid[:MAX_KID]] = now + UNKNOWN_SECONDS
        return found

    def warm(self) -> None:
        """Fetch the first set, so that nobody has to wait for it. What goes wrong is logged, and tried again when a key is looked for."""
        with self._fetching:
            now = self._clock.monotonic()
            if self._keys is None and now >= self._tried + self._retry:
                self._fetch(now)

    def _current(self) -> KeySet:
        if self._keys is not None and self._clock.monotonic() < self._fresh:
            return self._keys
        # While another thread asks, the old set serves; without one there is nothing to do but wait.
        return self._renewed(wait=self._keys is None, of=self._keys)

    def _renewed(self, *, wait: bool, of: KeySet | None) -> KeySet:
        """A newer set than `of` if there is one to be had, else what may still serve."""
        if self._fetching.acquire(blocking=wait and self._places is None):
            try:
                now = self._clock.monotonic()
                if self._keys is of and now >= self._tried + self._retry and (self._places is None or self._places.acquire(blocking=False)):
                    try:
                        self._fetch(now)
                    finally:
                        if self._places is not None:
                            self._places.release()
            finally:
                self._fetching.release()
        keys = self._keys
        if keys is None or self._clock.monotonic() >= self._dead:
            raise KeySetError(f"{self._url}: the keys cannot be fetched; the log says why")
        return keys

    def _fetch(self, now: float) -> None:
        self._tried = now
        try:
            fetched = self._fetcher.fetch()
        except KeySetError as error:
            left = self._dead - now
            then = f"the last ones serve for {lasting(left)} more" if self._keys is not None and left > 0 else "tokens of it are refused"
            _log.warning("licet: keys of an issuer could not be fetched (%s); %s", error, then)
            return
        held = DEFAULT_SECONDS if fetched.max_age is None else min(max(fetched.max_age, LEAST_SECONDS), MOST_SECONDS)
        self._unknown.clear()
        self._fresh, self._dead = now + held, now + held + self._stale
        self._keys = fetched.keys


class FileKeys:
    """The `Keys` of a file with a JWK set. It is looked at for each token, and read anew when it differs.

    Raises:
        UsageError: `path` is no path.
    """

    def __init__(self, path: str | Path, use: str = "sig") -> None:
        if "\0" in str(path):
            raise UsageError("jwks_file: this is no path")
        self._path, self._use = Path(path), use
        self._read: tuple[bytes, KeySet] | None = None

    def find(self, kid: str | None, algorithm: str) -> PublicKey | None:
        """See `jws.Keys`.

        Raises:
            KeySetError: the file cannot be read, anybody may write it, or it holds no key set. An earlier content does not serve: a key
                may have been taken out because it is no longer good.
        """
        data, read = self._content(), self._read
        if read is None or read[0] != data:
            try:
                read = self._read = (data, key_set(data, self._use))
            except KeySetError as error:
                raise KeySetError(f"{self._path}: {error}") from error
        return read[1].find(kid, algorithm)

    def _content(self) -> bytes:
        try:
            # O_NONBLOCK: a pipe in its place must not hold us up.
            with os.fdopen(os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
                mode = os.fstat(opened.fileno()).st_mode
                if not stat.S_ISREG(mode):
                    raise KeySetError(f"{self._path}: is no file")
                if mode & stat.S_IWOTH:
                    raise KeySetError(f"{self._path}: anybody may write it; run `chmod o-w` on it")
                return opened.read(MAX_BYTES + 1)
        except OSError as error:
            raise KeySetError(f"{self._path}: {error.strerror}; check path and rights") from error
