"""Where what stands in a ledger's folder. No file is touched here.

`tile/` is laid out as C2SP tlog-tiles v0.1.0 asks, so that any of its readers can serve or read the folder as it is.
"""

from __future__ import annotations

BUNDLE = 256
"""Records of an entry bundle, and hashes of a hash tile."""
SEGMENT = 64 * BUNDLE
"""Records of a live segment."""
MAX_ENTRY = 65_535
"""Bytes of one record: what a bundle can say the length of."""
HASHES, ENTRIES = "tile", "tile/entries"
COSIGNED = "cosigned"
"""The newest checkpoint that a witness has signed, with its line; `checkpoint` may be a newer one."""
KEY, CHECKPOINT, LIVE, WRITERS, LOCK, CHECKPOINT_LOCK = "key", "checkpoint", "live", "writers", "lock", "checkpoint.lock"


def live_name(first: int) -> str:
    """The segment whose first record has this index, from 0."""
    return f"{LIVE}/{first:020d}.jsonl"


def live_first(name: str) -> int | None:
    """The index in the name of a segment (without its folder); None if it is no such name."""
    number, dot, kind = name.partition(".")
    return int(number) if dot and kind == "jsonl" and len(number) == 20 and number.isascii() and number.isdigit() else None


def tile_name(level: int, number: int, width: int = BUNDLE) -> str:
    """The hash tile `number` of a level; `width`: how many hashes it has, if it is not full."""
    return f"{HASHES}/{level}/{_numbered(number, width)}"


def bundle_name(number: int, width: int = BUNDLE) -> str:
    """The entry bundle `number`; `width`: how many entries it has, if it is not full."""
    return f"{ENTRIES}/{_numbered(number, width)}"


def _numbered(number: int, width: int) -> str:
    """Groups of three digits, `x` before all but the last: 1234067 is `x001/x234/067`."""
    groups = [f"{number % 1000:03d}"]
    while number := number // 1000:
        groups.append(f"x{number % 1000:03d}")
    path = "/".join(reversed(groups))
    return path if width == BUNDLE else f"{path}.p/{width}"


def partial_tiles(size: int) -> list[tuple[int, int, int]]:
    """Level, number and width of each hash tile that is not full in a tree of `size`."""
    found, level = [], 0
    while size:
        if width := size % BUNDLE:
            found.append((level, size // BUNDLE, width))
        size, level = size // BUNDLE, level + 1
    return found
