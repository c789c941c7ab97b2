"""How often somebody may ask: token buckets, in bounded memory."""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict
from dataclasses import dataclass

MOST = 10_000
"""How many askers are told apart."""


@dataclass(slots=True)
class _Bucket:
    level: float
    time: float


class Limiter:
    """`burst` requests at once and `rate` a second thereafter, for each key.

    A key is forgotten when its bucket is full again. While `most` buckets are not, whoever comes new shares one bucket with all others
    that do: neither can a crowd of addresses fill the memory, nor does it shut out those who were there before.
    """

    def __init__(self, *, rate: float, burst: int, most: int = MOST) -> None:
        self._rate, self._burst, self._most = rate, float(burst), most
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._others = _Bucket(self._burst, 0.0)
        self._lock = threading.Lock()

    def take(self, key: str, now: float) -> float:
        """0 if `key` may ask at `now` (seconds of a monotonic clock); else in how many seconds it may."""
        with self._lock:
            bucket = self._buckets.get(key)
            if bucket is None:
                bucket = self._new(key, now)
            else:
                self._buckets.move_to_end(key)
            bucket.level = min(self._burst, bucket.level + max(0.0, now - bucket.time) * self._rate)
            bucket.time = max(bucket.time, now)
            if bucket.level >= 1:
                bucket.level -= 1
                return 0.0
            return (1 - bucket.level) / self._rate

    def _new(self, key: str, now: float) -> _Bucket:
        if len(self._buckets) >= self._most:
            oldest, idle = next(iter(self._buckets.items()))
            if idle.level + (now - idle.time) * self._rate < self._burst:
                return self._others
            del self._buckets[oldest]
        made = self._buckets[key] = _Bucket(self._burst, now)
        return made

    def __len__(self) -> int:
        return len(self._buckets)


def address_key(host: str) -> str:
    """By what an address is told from others: of IPv6 its /64 network, which is what one asker usually has (RFC 6177)."""
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host[:64]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
