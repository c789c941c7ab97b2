"""Who can write every byte of a ledger's folder, and lacks only the key. He can make numbers, links and tiles anew."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from licet.canonical import canonical
from licet.ledger import Ledger, LedgerFiles, LedgerKey, layout
from licet.ledger.layout import BUNDLE
from licet.ledger.merkle import leaf_hash
from licet.ledger.tiles import Growing

TIME = "2026-11-22T10:16:00.000Z"
INTENT = {
    "call": "",
    "task": "t1",
    "txn": "t1",
    "tool": "send_email",
    "access": "write",
    "outcome": "allow",
    "reasons": [],
    "args": "hmac:1",
    "step": 1,
    "egress": True,
}


class FixedTime:
    """A clock that stands still."""

    def now(self) -> float:
        return 1_795_342_560.0

    def monotonic(self) -> float:
        return 0.0


def key_in(folder: Path, origin: str = "") -> LedgerKey:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return LedgerKey.of(folder, origin=origin)


def opened(folder: Path, key: LedgerKey) -> Ledger:
    """A ledger that signs when it is told to."""
    return Ledger(folder, key, flush_seconds=3600, checkpoint_seconds=3600, clock=FixedTime())


def calls(ledger: Ledger, first: int, count: int) -> None:
    """So many calls: two records each."""
    for number in range(first, first + count):
        fields: dict[str, Any] = {**INTENT, "call": f"c{number}"}
        ledger.append("call.intent", fields, time=TIME)
        ledger.append("call.outcome", {"call": f"c{number}", "task": "t1", "status": "done"}, time=TIME)


def made(folder: Path, count: int, *, key: LedgerKey | None = None) -> LedgerKey:
    """A ledger with so many calls, in `folder/ledger`; its key is in `folder/keys`. In all 1 + 2 * count records."""
    key = key or key_in(folder / "keys")
    ledger = opened(folder / "ledger", key)
    calls(ledger, 0, count)
    ledger.close()
    return key


def records(ledger: Path) -> list[bytes]:
    return list(LedgerFiles(ledger).records())


def relinked(rows: Sequence[bytes]) -> list[bytes]:
    """Numbers and links made anew."""
    found: list[bytes] = []
    link = "sha256:" + "0" * 64
    for seq, row in enumerate(rows, 1):
        found.append(canonical({**json.loads(row), "seq": seq, "prev": link}))
        link = "sha256:" + leaf_hash(found[-1]).hex()
    return found


def laid_out(ledger: Path, rows: Sequence[bytes], *, live: bool = True, bundles: bool = True, tiles: bool = True) -> None:
    """Put these records in the place of all that stand there. What is not to be exchanged stays as it is."""
    if live:
        shutil.rmtree(ledger / "live")
        (ledger / "live").mkdir()
        (ledger / layout.live_name(0)).write_bytes(b"".join(row + b"\n" for row in rows))
    if bundles:
        shutil.rmtree(ledger / "tile" / "entries")
        for number in range(-(-len(rows) // BUNDLE)):
            part = rows[number * BUNDLE : (number + 1) * BUNDLE]
            put(ledger / layout.bundle_name(number, len(part)), b"".join(len(row).to_bytes(2, "big") + row for row in part))
    if tiles:
        for folder in (ledger / "tile").iterdir():
            if folder.name != "entries":
                shutil.rmtree(folder)
        tree = Growing()
        for row in rows:
            for level, number, content in tree.append(leaf_hash(row)):
                put(ledger / layout.tile_name(level, number), content)
        for level, number, content in tree.partials():
            put(ledger / layout.tile_name(level, number, len(content) // 32), content)


def put(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def flip(file: Path, at: int, bit: int = 0) -> None:
    data = bytearray(file.read_bytes())
    data[at] ^= 1 << bit
    file.write_bytes(data)
