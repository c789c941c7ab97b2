"""Keyed hashes for the index of one task."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterable
from itertools import pairwise, repeat


def hashers(salt: bytes) -> tuple[Callable[[list[str]], Iterable[int]], Callable[[list[str]], Iterable[int]]]:
    """Keyed 64-bit hashes of texts, and of neighbours in a list of words.

    Python's own hash of a text is SipHash keyed by the process; where that key is fixed from outside it is no secret, and BLAKE2b
    takes over.
    """
    if sys.flags.hash_randomization and os.environ.get("PYTHONHASHSEED", "random") in ("", "random"):
        secret = salt.hex()
        return lambda texts: map(hash, zip(repeat(secret), texts)), lambda words: map(hash, zip(repeat(secret), words, words[1:]))
    keyed = hashlib.blake2b(digest_size=8, key=salt)

    def of(text: str) -> int:
        one = keyed.copy()
        one.update(text.encode("utf-8", "surrogatepass"))
        return int.from_bytes(one.digest(), "big")

    return lambda texts: map(of, texts), lambda words: map(of, map(" ".join, pairwise(words)))
