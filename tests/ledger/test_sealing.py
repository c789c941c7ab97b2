"""Sealing: nothing is signed but what was written, whatever others did to the folder in between; and it goes on whatever goes wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from licet.canonical import canonical
from licet.errors import LedgerError
from licet.ledger import Ledger, LedgerFiles, LedgerKey, layout
from licet.ledger.layout import MAX_ENTRY
from licet.ledger.merkle import leaf_hash
from licet.ledger.sealer import AlteredError, Sealer

FOR_EVER = 3600.0


def ledger_at(folder: Path, **options: Any) -> Ledger:
    """A ledger whose thread does nothing by itself, so that what happens is what the test does."""
    (folder / "keys").mkdir(mode=0o700, parents=True, exist_ok=True)
    seconds = {"flush_seconds": FOR_EVER, "checkpoint_seconds": FOR_EVER}
    return Ledger(folder / "ledger", LedgerKey.of(folder / "keys"), **{**seconds, **options})


def lines_of(folder: Path) -> list[bytes]:
    return list(LedgerFiles(folder / "ledger").records())


def put_live(folder: Path, lines: list[bytes]) -> None:
    """Write these records over the live segment, as one who has no key but can write the folder."""
    (folder / "ledger" / layout.live_name(0)).write_bytes(b"".join(line + b"\n" for line in lines))


def linked(lines: list[bytes]) -> list[bytes]:
    """Numbers and links made anew."""
    found: list[bytes] = []
    before = "sha256:" + "0" * 64
    for seq, line in enumerate(lines, 1):
        found.append(canonical({**json.loads(line), "seq": seq, "prev": before}))
        before = link_of(found[-1])
    return found


def link_of(line: bytes) -> str:
    return f"sha256:{leaf_hash(line).hex()}"


def tree_of(folder: Path) -> dict[str, bytes]:
    """All that sealing makes, by its name."""
    ledger = folder / "ledger"
    names = [file for file in ledger.rglob("*") if file.is_file() and (file.name == "checkpoint" or "tile" in file.parts)]
    return {str(name.relative_to(ledger)): name.read_bytes() for name in names}


def changed(line: bytes) -> bytes:
    return canonical({**json.loads(line), "n": 99})


# What is signed is what was written ----------------------------------------------------------------------------------------

FORGED = {
    "the last is another": lambda lines: [*lines[:-1], changed(lines[-1])],
    "the last is another, with all links made anew": lambda lines: linked([*lines[:-1], changed(lines[-1])]),
    "one in the middle is another": lambda lines: [*lines[:6], changed(lines[6]), *lines[7:]],
    "one in the middle is another, and all links are made anew": lambda lines: linked([*lines[:6], changed(lines[6]), *lines[7:]]),
    "one was taken out and another put to the end": lambda lines: linked([*lines[:6], *lines[7:], changed(lines[-1])]),
    "the first unsigned one is another": lambda lines: [*lines[:5], changed(lines[5]), *lines[6:]],
    "two have changed places": lambda lines: [*lines[:6], lines[7], lines[6], *lines[8:]],
    "a signed one is another": lambda lines: [*lines[:2], changed(lines[2]), *lines[3:]],
    "the last signed one is another, with all links made anew": lambda lines: linked([*lines[:4], changed(lines[4]), *lines[5:]]),
    "one is no record": lambda lines: [*lines[:6], b"7", *lines[7:]],
    "one is not even JSON": lambda lines: [*lines[:6], b"{", *lines[7:]],
    "one has no number": lambda lines: [*lines[:6], b"{}", *lines[7:]],
    "one is longer than a bundle can say": lambda lines: [*lines[:6], b'{"n":"' + b"n" * MAX_ENTRY + b'"}', *lines[7:]],
}


@pytest.mark.parametrize("fresh", [False, True], ids=["by the process that signed before", "by a process that has just begun"])
@pytest.mark.parametrize("forged", list(FORGED))
def test_what_was_not_written_is_not_signed_and_nothing_is_written_over(tmp_path: Path, forged: str, fresh: bool):
    """Five records are signed and seven are not, when somebody who has no key writes the live segment anew."""
    ledger = ledger_at(tmp_path)
    for number in range(4):
        ledger.append("note", {"n": number}, time="")
    ledger.seal()
    for number in range(4, 11):
        ledger.append("note", {"n": number}, time="")
    files, key = LedgerFiles(tmp_path / "ledger"), LedgerKey.of(tmp_path / "keys")
    lines = lines_of(tmp_path)
    put_live(tmp_path, FORGED[forged](lines))
    stood = tree_of(tmp_path)
    sealer = Sealer(files, key, 1) if fresh else ledger._sealer
    with pytest.raises(AlteredError, match=r"record \d+ .*\n?.*keep it as evidence"):
        sealer.seal(12, link_of(lines[-1]))
    assert tree_of(tmp_path) == stood
    put_live(tmp_path, lines)
    assert f"\n{len(lines)}\n" in sealer.seal(12, link_of(lines[-1])), "what was written can be signed when it stands there again"


@pytest.mark.parametrize("size", [2, 255, 256, 257, 512])
def test_what_follows_the_last_signed_record_must_name_it_wherever_a_tile_ends(tmp_path: Path, size: int):
    """A process that has just begun knows the last signed record from the tiles, and not from the line in the live segment."""
    ledger = ledger_at(tmp_path)
    for number in range(size - 1):
        ledger.append("note", {"n": number}, time="")
    ledger.seal()
    ledger.append("note", {}, time="")
    files, key = LedgerFiles(tmp_path / "ledger"), LedgerKey.of(tmp_path / "keys")
    lines = lines_of(tmp_path)
    forged = linked([*lines[:-2], changed(lines[-2]), lines[-1]])
    put_live(tmp_path, forged)
    with pytest.raises(AlteredError):
        Sealer(files, key, 1).seal(len(lines), link_of(forged[-1]))
    put_live(tmp_path, lines)
    Sealer(files, key, 1).seal(len(lines), link_of(lines[-1]))


def test_a_record_that_another_process_signed_otherwise_is_found(tmp_path: Path):
    """Where all is signed already there is nothing to write, and still the record must be the one that this process knows."""
    ledger = ledger_at(tmp_path)
    for number in range(300):
        ledger.append("note", {"n": number}, time="")
    note = ledger.seal()
    lines = lines_of(tmp_path)
    sealer = Sealer(LedgerFiles(tmp_path / "ledger"), LedgerKey.of(tmp_path / "keys"), 1)
    for seq in (1, 256, 257, 300, 301):
        assert sealer.seal(seq, link_of(lines[seq - 1])) == note
        with pytest.raises(AlteredError, match=f"record {seq} "):
            sealer.seal(seq, link_of(b"another"))


def test_a_bundle_that_is_missing_is_not_made_from_records_that_were_changed(tmp_path: Path):
    """The live segment is written to bundles again, where a power cut took those, only if it is what was signed."""
    ledger = ledger_at(tmp_path)
    for number in range(300):
        ledger.append("note", {"n": number}, time="")
    ledger.seal()
    ledger.append("note", {}, time="")
    lines = lines_of(tmp_path)
    put_live(tmp_path, [*lines[:9], changed(lines[9]), *lines[10:]])
    (tmp_path / "ledger" / layout.bundle_name(0)).unlink()
    sealer = Sealer(LedgerFiles(tmp_path / "ledger"), LedgerKey.of(tmp_path / "keys"), 1)
    with pytest.raises(AlteredError, match="256"):
        sealer.seal(len(lines), link_of(lines[-1]))
    put_live(tmp_path, lines)
    sealer.seal(len(lines), link_of(lines[-1]))
    assert (tmp_path / "ledger" / layout.bundle_name(0)).exists()


def test_a_ledger_that_lost_its_end_is_not_signed(tmp_path: Path):
    """The error says how much is missing."""
    ledger = ledger_at(tmp_path)
    for number in range(4):
        ledger.append("note", {"n": number}, time="")
    lines = lines_of(tmp_path)
    put_live(tmp_path, lines[:3])
    with pytest.raises(LedgerError, match="5 records were written, and 3 stand there"):
        ledger._sealer.seal(5, link_of(lines[-1]))
