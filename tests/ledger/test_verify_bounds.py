"""Verifying costs what stands there, whatever sizes, indexes and lengths somebody without the key has made up."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from attacker import calls, laid_out, made, opened, records
from licet.ledger import LedgerKey, layout
from licet.ledger.check.links import by_links
from licet.ledger.check.scan import Live
from licet.ledger.check.stored import Stored
from licet.ledger.check.verify import Verdict, verify
from licet.ledger.layout import BUNDLE, MAX_ENTRY, SEGMENT
from licet.ledger.merkle import leaf_hash
from licet.ledger.note import Checkpoint, signed
from licet.ledger.tiles import Growing

HUGE = 8 * 10**18
_MEMORY = 1 << 30  # bytes of address space; a run of these needs a fifth of it
_VERIFY = """
import sys
from licet.ledger.check.verify import verify
from licet.ledger.note import NoteKey
print(*(fault.code for fault in verify(sys.argv[1], [NoteKey.parse(sys.argv[2])]).faults))
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    made(tmp_path, 5)
    return tmp_path


def checked(place: Path, *, semantic: bool = True) -> Verdict:
    return verify(place / "ledger", [LedgerKey.of(place / "keys", create=False).note_key], semantic=semantic)


def said_size(place: Path, size: int) -> None:
    """Whoever hands a ledger to a stranger to be verified can have its key."""
    key = LedgerKey.of(place / "keys", create=False)
    (place / "ledger" / "checkpoint").write_text(signed(Checkpoint(key.note_key.name, size, bytes(32)).text(), [key]), encoding="utf-8")


def segment(place: Path, first: int = 0) -> Path:
    return place / "ledger" / layout.live_name(first)


def _huge(place: Path) -> None:
    said_size(place, 9 * 10**18)
    segment(place, HUGE).write_bytes(b"{}\n")


def _huge_alone(place: Path) -> None:
    segment(place).unlink()
    _huge(place)


def _huge_number(place: Path) -> None:
    segment(place).unlink()
    segment(place, HUGE).write_bytes(b'{"prev":"x","seq":15000000000000000000}\n' * 3)


def _huge_tail(place: Path) -> None:
    said_size(place, 2**62)
    with segment(place).open("ab") as file:
        file.write(b'{"prev":"x","seq":4611686018427387905}\n')


def _holes(name: str) -> Callable[[Path], None]:
    def do(place: Path) -> None:
        file = place / "ledger" / name
        file.touch()
        os.truncate(file, 1 << 40)

    return do


def _many_holes(place: Path) -> None:
    for number in range(1, 40):
        segment(place, number * SEGMENT).touch()
        os.truncate(segment(place, number * SEGMENT), 1 << 40)


FORGED: dict[str, Callable[[Path], None]] = {
    "a size and a first index": _huge, "a first index alone": _huge_alone, "a number in a record": _huge_number,
    "a size, with a record that says so": _huge_tail, "the length of a segment": _holes(layout.live_name(0)),
    "the length of many segments": _many_holes, "the length of a bundle": _holes(layout.bundle_name(0, 11)),
    "the length of a full bundle": _holes(layout.bundle_name(0)), "the length of a tile": _holes(layout.tile_name(0, 0, 11)),
    "the length of the checkpoint": _holes("checkpoint"), "the length of the key": _holes("key"),
}  # fmt: skip


@pytest.mark.parametrize("what", FORGED)
def test_what_is_forged_takes_no_memory_and_has_a_name(what: str, place: Path) -> None:
    FORGED[what](place)
    found = subprocess.run(
        [sys.executable, "-c", _VERIFY, str(place / "ledger"), str(LedgerKey.of(place / "keys", create=False).note_key)],
        capture_output=True, text=True, timeout=120, check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY)),
    )  # fmt: skip
    assert not found.stderr
    # A full bundle that is not the one that counts is never looked at.
    assert bool(found.stdout.strip()) == (what != "the length of a full bundle"), found.stdout


def test_a_number_beyond_what_stands_is_not_counted_up_to() -> None:
    """The cost of one record that says any number grew with the place where it stands."""
    rows = [b'{"prev":"x","seq":%d}' % (2 * HUGE)]
    assert [fault.code for fault in by_links(rows, first=HUGE, after=bytes(32))] == ["altered"]


def test_a_segment_behind_a_gap_is_no_part_of_what_stands(place: Path) -> None:
    """Nor of how many records the answer says that there are."""
    segment(place, HUGE).write_bytes(b"{}\n")
    found = checked(place)
    assert not found.whole
    assert found.records <= 12


def test_a_first_segment_that_begins_behind_nothing_is_malformed(tmp_path: Path) -> None:
    """Its records follow, and its name does not: where bundles have the rest, a reader would not find what stands there."""
    key = made(tmp_path, 5)
    rows = records(tmp_path / "ledger")
    ledger = opened(tmp_path / "ledger", key)
    calls(ledger, 5, 2)
    segment(tmp_path).write_bytes(b"".join(row + b"\n" for row in records(tmp_path / "ledger")[len(rows) :]))
    segment(tmp_path).rename(segment(tmp_path, len(rows)))
    assert checked(tmp_path).whole
    segment(tmp_path, len(rows)).rename(segment(tmp_path, len(rows) + 1))
    assert [fault.code for fault in checked(tmp_path).faults] == ["malformed"]


def test_a_segment_of_the_largest_records_is_read(tmp_path: Path) -> None:
    """It may have 16,384 lines of 65,535 bytes. Here 4,200, more than a quarter of a gigabyte, of holes, which cost no disk."""
    (tmp_path / "live").mkdir()
    with (tmp_path / layout.live_name(0)).open("wb") as file:
        for _ in range(4_200):
            file.seek(MAX_ENTRY, os.SEEK_CUR)
            file.write(b"\n")
    live = Live(Stored(tmp_path))
    assert (live.count, live.odd, {len(line) for line in live.all()}) == (4_200, "", {MAX_ENTRY})


@pytest.mark.parametrize(
    "tail,said",
    [
        pytest.param(b"x" * (MAX_ENTRY + 1) + b"\n", "longer than a record", id="a-long-line"),
        pytest.param(b"x" * (MAX_ENTRY + 1), "longer than a record", id="a-long-torn-line"),
        pytest.param(b"{}\n" * SEGMENT, "more than", id="too-many-lines"),
    ],
)
def test_what_a_segment_cannot_hold_is_malformed(tail: bytes, said: str, place: Path) -> None:
    with segment(place).open("ab") as file:
        file.write(tail)
    [fault] = [each for each in checked(place, semantic=False).faults if said in each.sentence] or [None]
    assert fault is not None
    assert fault.code == "malformed"


def test_hashes_without_any_records_are_no_crash(tmp_path: Path) -> None:
    """More tiles than are looked for where nothing stands: what is signed is missing, and is said to be."""
    key = made(tmp_path, 10)
    rows = [b"%d" % number for number in range(1_003 * BUNDLE)]
    laid_out(tmp_path / "ledger", rows, bundles=False)
    tree = Growing()
    for row in rows:
        list(tree.append(leaf_hash(row)))
    note = signed(Checkpoint(key.note_key.name, len(rows), tree.root()).text(), [key])
    (tmp_path / "ledger" / "checkpoint").write_text(note, encoding="utf-8")
    for folder in ("live", "tile/0", "tile/entries"):
        shutil.rmtree(tmp_path / "ledger" / folder)
    assert "truncated" in {fault.code for fault in verify(tmp_path / "ledger", [key.note_key]).faults}
