"""Whatever is done to a ledger by somebody who can write all of it and lacks only the key: it is found, and called by its name.

Each row: what was done, and the codes that must come of it; no more and no fewer.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from attacker import TIME, calls, flip, key_in, laid_out, made, opened, records, relinked
from licet.ledger import LedgerKey, layout
from licet.ledger.check.faults import CODES
from licet.ledger.check.verify import Verdict, verify
from licet.ledger.cosigning.cosignature import WitnessKey
from licet.ledger.merkle import leaf_hash, root_of
from licet.ledger.note import Checkpoint, cosigned, signed

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

CALLS = 320  # 641 records: two full tiles and one that is not
SIZE = 1 + 2 * CALLS
TARGET = 300  # the index of the record that is tampered with: an outcome in the second tile... and 299 its intent


@dataclass
class Scene:
    """A ledger to be tampered with, and what its reader has: the key, kept checkpoints, the key of a witness."""

    folder: Path
    key: LedgerKey
    kept: list[str] = field(default_factory=list)
    head: str | None = None
    witnesses: list[WitnessKey] = field(default_factory=list)

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"

    def verdict(self) -> Verdict:
        return verify(
            self.ledger, [self.key.note_key], kept=self.kept, head=self.head, witnesses=[each.note_key for each in self.witnesses]
        )

    def rows(self) -> list[bytes]:
        return records(self.ledger)


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pristine")
    made(folder, CALLS)
    return folder


@pytest.fixture
def scene(pristine: Path, tmp_path: Path) -> Scene:
    shutil.copytree(pristine, tmp_path, dirs_exist_ok=True)
    return Scene(tmp_path, LedgerKey.of(tmp_path / "keys", create=False))


Deed = Callable[[Scene], None]
_TABLE: dict[str, tuple[Deed, set[str]]] = {}


def deed(name: str, *codes: str) -> Callable[[Deed], Deed]:
    def add(do: Deed) -> Deed:
        assert name not in _TABLE
        _TABLE[name] = do, set(codes)
        return do

    return add


def whole_again(scene: Scene, rows: list[bytes]) -> None:
    """He makes everything anew that he can: live, bundles and tiles."""
    laid_out(scene.ledger, rows)


def stored_only(scene: Scene, rows: list[bytes]) -> None:
    """He exchanges the records in both copies, and leaves the tiles."""
    laid_out(scene.ledger, rows, tiles=False)


# A bit flip in each field of a record: in its bundle, in its live segment, and in both ---------------------------------------------


def _flipped(row: bytes, name: str) -> bytes:
    """One bit of the value of a field, past its quotation mark; of its name, if the value is too short."""
    at = row.index(f'"{name}":'.encode()) + len(name) + 3
    at += 1 if row[at : at + 1] in b'"[' and row[at + 1 : at + 2] not in b'"]' else 0
    return row[:at] + bytes([row[at] ^ 1]) + row[at + 1 :]


FIELDS = ("access", "args", "call", "egress", "kind", "outcome", "prev", "reasons", "seq", "step", "task", "time", "tool", "txn", "writer")
_INTENT = 299


def _field_rows() -> None:
    for name in FIELDS:

        def both(scene: Scene, name: str = name) -> None:
            rows = scene.rows()
            rows[_INTENT] = _flipped(rows[_INTENT], name)
            stored_only(scene, rows)

        def bundled(scene: Scene, name: str = name) -> None:
            rows = scene.rows()
            rows[_INTENT] = _flipped(rows[_INTENT], name)
            laid_out(scene.ledger, rows, live=False, tiles=False)

        def lived(scene: Scene, name: str = name) -> None:
            rows = scene.rows()
            rows[_INTENT] = _flipped(rows[_INTENT], name)
            laid_out(scene.ledger, rows, bundles=False, tiles=False)

        deed(f"a bit of `{name}`", "altered")(both)
        deed(f"a bit of `{name}` in the bundle", "altered")(bundled)
        deed(f"a bit of `{name}` in the live segment", "altered")(lived)


_field_rows()


# Records altered, swapped, put in, taken out: with the tiles left as they are, so that they say which ----------------------------------


def _altered(rows: list[bytes], at: int) -> list[bytes]:
    return [*rows[:at], rows[at].replace(b'"task":"t1"', b'"task":"t2"').replace(b"ledger.begin", b"ledger.bogin"), *rows[at + 1 :]]


def _swapped(rows: list[bytes], at: int) -> list[bytes]:
    return [*rows[:at], rows[at + 1], rows[at], *rows[at + 2 :]]


def _removed(rows: list[bytes], at: int) -> list[bytes]:
    return [*rows[:at], *rows[at + 1 :]]


def _doubled(rows: list[bytes], at: int) -> list[bytes]:
    return [*rows[: at + 1], rows[at], *rows[at + 1 :]]


def _inserted(rows: list[bytes], at: int) -> list[bytes]:
    return [*rows[:at], rows[at].replace(b'"c', b'"d').replace(b"ledger.begin", b"ledger.bogin"), *rows[at:]]


Change = Callable[[list[bytes], int], list[bytes]]
_CHANGES: dict[str, tuple[Change, str]] = {
    "altered": (_altered, "altered"),
    "swapped with the next": (_swapped, "reordered"),
    "removed": (_removed, "removed"),
    "doubled": (_doubled, "inserted"),
    "another put before it": (_inserted, "inserted"),
}
_PLACES = {"first": 0, "middle": TARGET, "last": SIZE - 1}


def _change_rows() -> None:
    for what, (change, code) in _CHANGES.items():
        for where, place in _PLACES.items():
            at = place - 1 if what.startswith("swapped") and where == "last" else place
            named = "truncated" if (what, where) == ("removed", "last") else code

            def left(scene: Scene, change: Change = change, at: int = at) -> None:
                stored_only(scene, change(scene.rows(), at))

            def tiled(scene: Scene, change: Change = change, at: int = at) -> None:
                whole_again(scene, change(scene.rows(), at))

            def relink(scene: Scene, change: Change = change, at: int = at) -> None:
                stored_only(scene, relinked(change(scene.rows(), at)))

            def all_anew(scene: Scene, change: Change = change, at: int = at) -> None:
                whole_again(scene, relinked(change(scene.rows(), at)))

            deed(f"{where} record {what}", named)(left)
            deed(f"{where} record {what}, tiles made anew", named)(tiled)
            # What is linked anew from there on is altered from there on; taken out or put in, the number of records tells.
            more = {"removed": {"altered", "truncated"}, "inserted": {"altered"}}.get(code, {"altered"})
            if (what, where) == ("removed", "last"):
                more = {"truncated"}
            everything = {"truncated" if what == "removed" else "altered"}
            if (what, where) == ("doubled", "last"):
                more = everything = {"unmatched"}  # it stands behind the checkpoint, well linked, and says what cannot be
            deed(f"{where} record {what}, numbers and links made anew", *more)(relink)
            deed(f"{where} record {what}, everything made anew", *everything)(all_anew)


_change_rows()


@deed("a run of records removed", "removed")
def _(scene: Scene) -> None:
    rows = scene.rows()
    stored_only(scene, rows[:100] + rows[180:])


@deed("two blocks exchanged", "reordered")
def _(scene: Scene) -> None:
    rows = scene.rows()
    stored_only(scene, [*rows[:100], *rows[150:200], *rows[100:150], *rows[200:]])


@deed("one altered, one removed, one put in", "altered", "removed", "inserted")
def _(scene: Scene) -> None:
    rows = scene.rows()
    stored_only(scene, _inserted(_removed(_altered(rows, 500), 400), 10))


@deed("the last ten records cut off", "truncated")
def _(scene: Scene) -> None:
    stored_only(scene, scene.rows()[:-10])


@deed("the last ten records cut off, tiles made anew", "truncated")
def _(scene: Scene) -> None:
    whole_again(scene, scene.rows()[:-10])


@deed("a whole tile cut off, tiles made anew", "truncated")
def _(scene: Scene) -> None:
    whole_again(scene, scene.rows()[:256])


@deed("the end of the live segment cut off", "truncated")
def _(scene: Scene) -> None:
    laid_out(scene.ledger, scene.rows()[:-3], bundles=False, tiles=False)


@deed("records of another log spliced in", "altered")
def _(scene: Scene) -> None:
    made(scene.folder / "other", CALLS)
    rows = scene.rows()
    rows[100:200] = records(scene.folder / "other" / "ledger")[100:200]
    stored_only(scene, rows)


@deed("the end exchanged for that of another log", "altered")
def _(scene: Scene) -> None:
    made(scene.folder / "other", CALLS)
    rows = scene.rows()
    whole_again(scene, rows[:400] + records(scene.folder / "other" / "ledger")[400:])


# Files ---------------------------------------------------------------------------------------------------------------------------------


@deed("a bundle is missing", "tiles")
def _(scene: Scene) -> None:
    (scene.ledger / layout.bundle_name(0)).unlink()


@deed("the last bundle is missing", "tiles")
def _(scene: Scene) -> None:
    (scene.ledger / layout.bundle_name(2, SIZE - 512)).unlink()


@deed("all bundles and the live segments are missing", "truncated")
def _(scene: Scene) -> None:
    shutil.rmtree(scene.ledger / "tile" / "entries")
    shutil.rmtree(scene.ledger / "live")


@deed("a bundle ends inside a record", "truncated")
def _(scene: Scene) -> None:
    file = scene.ledger / layout.bundle_name(2, SIZE - 512)
    file.write_bytes(file.read_bytes()[:-5])


@deed("a bundle has a byte too many", "malformed")
def _(scene: Scene) -> None:
    file = scene.ledger / layout.bundle_name(1)
    file.write_bytes(file.read_bytes() + b"\0")


@deed("two bundles exchanged", "reordered")
def _(scene: Scene) -> None:
    one, two, aside = (scene.ledger / name for name in (layout.bundle_name(0), layout.bundle_name(1), "aside"))
    one.rename(aside)
    two.rename(one)
    aside.rename(two)


@deed("a bit of a hash tile of level 0", "tiles")
def _(scene: Scene) -> None:
    flip(scene.ledger / layout.tile_name(0, 0), 40)


@deed("a bit of the hash tile of level 0 that is not full", "tiles")
def _(scene: Scene) -> None:
    flip(scene.ledger / layout.tile_name(0, 2, SIZE - 512), 5)


@deed("a bit of a hash tile of level 1", "tiles")
def _(scene: Scene) -> None:
    flip(scene.ledger / layout.tile_name(1, 0, 2), 33)


@deed("a hash tile of level 0 is missing", "tiles")
def _(scene: Scene) -> None:
    (scene.ledger / layout.tile_name(0, 1)).unlink()


@deed("a hash tile is too short", "tiles")
def _(scene: Scene) -> None:
    file = scene.ledger / layout.tile_name(0, 1)
    file.write_bytes(file.read_bytes()[:-1])


@deed("a hash tile is too long", "tiles")
def _(scene: Scene) -> None:
    file = scene.ledger / layout.tile_name(1, 0, 2)
    file.write_bytes(file.read_bytes() + b"\0" * 32)


@deed("a record altered, and its tile of level 0 with it", "altered", "tiles")
def _(scene: Scene) -> None:
    rows = _altered(scene.rows(), TARGET)
    upper = (scene.ledger / layout.tile_name(1, 0, 2)).read_bytes()
    whole_again(scene, rows)
    (scene.ledger / layout.tile_name(1, 0, 2)).write_bytes(upper)


@deed("a record altered, and all tiles missing", "altered")
def _(scene: Scene) -> None:
    stored_only(scene, _altered(scene.rows(), TARGET))
    for level in ("0", "1"):
        shutil.rmtree(scene.ledger / "tile" / level)


@deed("the first live segment is missing, and its records are in no bundle", "truncated")
def _(scene: Scene) -> None:
    shutil.rmtree(scene.ledger / "live")
    (scene.ledger / "live").mkdir()
    (scene.ledger / layout.bundle_name(2, SIZE - 512)).unlink()


@deed("all live segments are missing, and the bundles have what was signed", "no-live")
def _(scene: Scene) -> None:
    shutil.rmtree(scene.ledger / "live")
    (scene.ledger / "live").mkdir()


# The checkpoint, its key, and those that were kept -------------------------------------------------------------------------------------


def _checkpoint(scene: Scene, change: Callable[[str], str]) -> None:
    file = scene.ledger / "checkpoint"
    before = file.read_text(encoding="utf-8")
    after = change(before)
    assert after != before
    file.write_text(after, encoding="utf-8")


def _line(number: int, change: Callable[[str], str]) -> Callable[[str], str]:
    def do(text: str) -> str:
        lines = text.split("\n")
        lines[number] = change(lines[number])
        return "\n".join(lines)

    return do


def _told_bit(line: str) -> str:
    """One bit of the last bytes in base64, written in its one form."""
    before, space, told = line.rpartition(" ")
    data = bytearray(base64.b64decode(told))
    data[-9] ^= 1
    return before + space + base64.b64encode(data).decode()


def _first_bit(text: str, at: int = 0) -> str:
    return text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]


@deed("a bit of the checkpoint's origin", "bad-signature")
def _(scene: Scene) -> None:
    _checkpoint(scene, _line(0, _first_bit))


@deed("a bit of the checkpoint's size", "bad-signature")
def _(scene: Scene) -> None:
    _checkpoint(scene, _line(1, lambda size: str(int(size) + 1)))


@deed("the checkpoint's size made smaller", "bad-signature")
def _(scene: Scene) -> None:
    _checkpoint(scene, _line(1, lambda size: str(int(size) - 1)))


@deed("a bit of the checkpoint's root", "bad-signature")
def _(scene: Scene) -> None:
    _checkpoint(scene, _line(2, _told_bit))


@deed("a bit of the checkpoint's signature", "bad-signature")
def _(scene: Scene) -> None:
    _checkpoint(scene, _line(4, _told_bit))


@deed("a bit of the key id in the checkpoint's signature", "key-unknown")
def _(scene: Scene) -> None:
    def change(line: str) -> str:
        dash, name, told = line.split(" ")
        data = bytearray(base64.b64decode(told))
        data[0] ^= 1
        return f"{dash} {name} {base64.b64encode(data).decode()}"

    _checkpoint(scene, _line(4, change))


@deed("the checkpoint's signature removed", "malformed")
def _(scene: Scene) -> None:
    _checkpoint(scene, lambda text: text.partition("\n\n")[0] + "\n")


@deed("the checkpoint has a fourth line", "malformed")
def _(scene: Scene) -> None:
    _checkpoint(scene, lambda text: text.replace("\n\n", "\nmore\n\n", 1))


@deed("the checkpoint is no text", "malformed")
def _(scene: Scene) -> None:
    (scene.ledger / "checkpoint").write_bytes(b"\xff\xfe\n")


@deed("the checkpoint is empty", "malformed")
def _(scene: Scene) -> None:
    (scene.ledger / "checkpoint").write_bytes(b"")


@deed("the checkpoint is missing", "no-checkpoint")
def _(scene: Scene) -> None:
    (scene.ledger / "checkpoint").unlink()


def _resigned(scene: Scene, rows: list[bytes], *, origin: str = "") -> None:
    """He has a key of his own, and signs all of it anew with that."""
    named = key_in(scene.folder / "his", origin)
    whole_again(scene, rows)
    note = signed(Checkpoint(named.name, len(rows), root_of(map(leaf_hash, rows))).text(), [named])
    (scene.ledger / "checkpoint").write_text(note, encoding="utf-8")


@deed("altered, and signed anew by another key", "key-unknown", "other-log")
def _(scene: Scene) -> None:
    _resigned(scene, relinked(_altered(scene.rows(), TARGET)))


@deed("altered, and signed anew by another key under the log's name", "key-unknown")
def _(scene: Scene) -> None:
    _resigned(scene, relinked(_altered(scene.rows(), TARGET)), origin=scene.key.name)


@deed("the checkpoint's own text signed by another key", "key-unknown")
def _(scene: Scene) -> None:
    text = (scene.ledger / "checkpoint").read_text(encoding="utf-8").partition("\n\n")[0] + "\n"
    (scene.ledger / "checkpoint").write_text(signed(text, [key_in(scene.folder / "his")]), encoding="utf-8")


@deed("the checkpoint of another log", "key-unknown", "other-log", "altered")
def _(scene: Scene) -> None:
    made(scene.folder / "other", CALLS)
    shutil.copy(scene.folder / "other" / "ledger" / "checkpoint", scene.ledger / "checkpoint")


@deed("the whole folder exchanged for another log's", "key-unknown", "other-log", "key-file")
def _(scene: Scene) -> None:
    made(scene.folder / "other", CALLS)
    shutil.rmtree(scene.ledger)
    shutil.copytree(scene.folder / "other" / "ledger", scene.ledger)


@deed("the file `key` exchanged", "key-file")
def _(scene: Scene) -> None:
    (scene.ledger / "key").write_text(f"{key_in(scene.folder / 'his').note_key}\n", encoding="utf-8")


@deed("a bit of the file `key`", "malformed")
def _(scene: Scene) -> None:
    flip(scene.ledger / "key", 30)


def _older(scene: Scene) -> Path:
    """A copy of the folder as it is now; the ledger then goes on, and its newest checkpoint is kept."""
    copy = scene.folder / "older"
    shutil.copytree(scene.ledger, copy)
    ledger = opened(scene.ledger, scene.key)
    calls(ledger, CALLS, 3)
    ledger.close()
    return copy


@deed("the checkpoint set back to an older one, and one that was kept says so", "rolled-back")
def _(scene: Scene) -> None:
    older = _older(scene)
    scene.kept = [(scene.ledger / "checkpoint").read_text(encoding="utf-8")]
    shutil.copy(older / "checkpoint", scene.ledger / "checkpoint")


@deed("the checkpoint set back to an older one, and the signer remembers", "rolled-back")
def _(scene: Scene) -> None:
    older = _older(scene)
    scene.head = scene.key.last()
    shutil.copy(older / "checkpoint", scene.ledger / "checkpoint")


@deed("the end cut off and the older checkpoint put back: a kept one says so", "rolled-back", "truncated")
def _(scene: Scene) -> None:
    older = _older(scene)
    scene.kept = [(scene.ledger / "checkpoint").read_text(encoding="utf-8")]
    shutil.rmtree(scene.ledger)
    shutil.copytree(older, scene.ledger)


@deed("the end cut off and the older checkpoint put back: the signer remembers", "rolled-back", "truncated")
def _(scene: Scene) -> None:
    older = _older(scene)
    scene.head = scene.key.last()
    shutil.rmtree(scene.ledger)
    shutil.copytree(older, scene.ledger)


@deed("the checkpoint removed, and the signer remembers", "no-checkpoint")
def _(scene: Scene) -> None:
    scene.head = scene.key.last()
    (scene.ledger / "checkpoint").unlink()


@deed("everything removed, and the signer remembers", "no-checkpoint", "truncated")
def _(scene: Scene) -> None:
    scene.head = scene.key.last()
    shutil.rmtree(scene.ledger)
    scene.ledger.mkdir()


def _forked(scene: Scene, *, calls_then: int) -> None:
    """The key's owner himself went on from an older copy, and signed that too: with his key he can, and a kept checkpoint shows it."""
    older = _older(scene)
    scene.kept = [(scene.ledger / "checkpoint").read_text(encoding="utf-8")]
    shutil.rmtree(scene.ledger)
    shutil.copytree(older, scene.ledger)
    (scene.folder / "keys" / "ledger.head").unlink()
    scene.key = LedgerKey.of(scene.folder / "keys", create=False)
    ledger = opened(scene.ledger, scene.key)
    ledger.append("note", {"text": "another history"}, time=TIME)
    calls(ledger, 5_000, calls_then)
    ledger.append("note", {"text": "of its own"}, time=TIME)
    ledger.close()


@deed("a fork of the same size as a kept checkpoint", "forked")
def _(scene: Scene) -> None:
    _forked(scene, calls_then=2)


@deed("a fork that is longer than a kept checkpoint", "forked")
def _(scene: Scene) -> None:
    _forked(scene, calls_then=9)


@deed("the kept checkpoint is of another log", "key-unknown", "other-log")
def _(scene: Scene) -> None:
    made(scene.folder / "other", 3)
    scene.kept = [(scene.folder / "other" / "ledger" / "checkpoint").read_text(encoding="utf-8")]


@deed("the kept checkpoint is forged", "bad-signature")
def _(scene: Scene) -> None:
    scene.kept = [_line(1, lambda _: "12")((scene.ledger / "checkpoint").read_text(encoding="utf-8"))]


def _witnessed(scene: Scene) -> None:
    witness = WitnessKey.of(scene.folder / "witness.key", name="witness.acme.example")
    scene.witnesses = [witness]
    note = (scene.ledger / "checkpoint").read_text(encoding="utf-8")
    text = note.partition("\n\n")[0] + "\n"
    (scene.ledger / "checkpoint").write_text(note + cosigned(text, witness, 1_795_342_560), encoding="utf-8")


@deed("a bit of a witness's signature", "bad-signature")
def _(scene: Scene) -> None:
    _witnessed(scene)
    _checkpoint(scene, _line(5, _told_bit))


@deed("the witness's signature removed", "not-cosigned")
def _(scene: Scene) -> None:
    _witnessed(scene)
    _checkpoint(scene, lambda text: "\n".join(text.split("\n")[:5]) + "\n")


# Records that no checkpoint covers yet: there are links only ---------------------------------------------------------------------------


def _unsigned(scene: Scene, change: Callable[[list[bytes]], list[bytes]]) -> None:
    key = LedgerKey.of(scene.folder / "keys", create=False)
    ledger = opened(scene.ledger, key)
    signed_size = len(scene.rows())
    calls(ledger, CALLS, 10)
    tail = scene.rows()[signed_size:]
    assert len(tail) == 20
    laid_out(scene.ledger, [*scene.rows()[:signed_size], *change(tail)], bundles=False, tiles=False)


def _unsigned_rows() -> None:
    changes: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
        "altered": (lambda rows: _altered(rows, 5), "altered"),
        "with another number": (lambda rows: [*rows[:5], rows[5].replace(b'"seq":647', b'"seq":648'), *rows[6:]], "altered"),
        "with another link": (lambda rows: [*rows[:5], _flipped(rows[5], "prev"), *rows[6:]], "altered"),
        "removed": (lambda rows: _removed(rows, 5), "removed"),
        "removed at the beginning": (lambda rows: rows[1:], "removed"),
        "swapped": (lambda rows: _swapped(rows, 5), "reordered"),
        "doubled": (lambda rows: _doubled(rows, 5), "inserted"),
        "followed by what is none": (lambda rows: [*rows, b"no record"], "malformed"),
        "followed by JSON that is none": (lambda rows: [*rows, b"{}", b"[1]"], "malformed"),
    }
    for name, (change, code) in changes.items():
        deed(f"an unsigned record {name}", code)(lambda scene, change=change: _unsigned(scene, change))


_unsigned_rows()


def _behind(scene: Scene, at: int) -> list[bytes]:
    """The rows with unsigned ones behind them, and without the one at this index."""
    ledger = opened(scene.ledger, LedgerKey.of(scene.folder / "keys", create=False))
    calls(ledger, CALLS, 10)
    return _removed(scene.rows(), at)


@deed("the last signed record removed, and unsigned ones follow", "removed")
def _(scene: Scene) -> None:
    stored_only(scene, _behind(scene, SIZE - 1))


@deed("the last signed record removed in the live segment, and unsigned ones follow", "removed")
def _(scene: Scene) -> None:
    laid_out(scene.ledger, _behind(scene, SIZE - 1), bundles=False, tiles=False)


@deed("a signed record removed in the middle, and unsigned ones follow", "removed")
def _(scene: Scene) -> None:
    stored_only(scene, _behind(scene, TARGET))


def test_there_are_at_least_forty_kinds() -> None:
    assert len(_TABLE) >= 40
    assert {code for _, codes in _TABLE.values() for code in codes} >= set(CODES) - {
        "unmatched", "uncompared", "contradicted", "altered-content",  # of what records say, of evidence, and of contents beside them
    }  # fmt: skip


@pytest.mark.parametrize("name", _TABLE)
def test_what_was_done_is_found_and_named(name: str, scene: Scene) -> None:
    assert scene.verdict().whole
    do, codes = _TABLE[name]
    do(scene)
    verdict = scene.verdict()
    assert {fault.code for fault in verdict.faults} == codes, verdict.faults
    assert not verdict.whole


@pytest.mark.parametrize("what,at", [("altered", TARGET), ("removed", TARGET), ("swapped with the next", TARGET), ("doubled", 7)])
def test_the_record_is_named(what: str, at: int, scene: Scene) -> None:
    """By its number: with the tiles that are left, and without any."""
    change = _CHANGES[what][0]
    rows = change(scene.rows(), at)
    for lay in (stored_only, whole_again):
        lay(scene, rows)
        [fault] = scene.verdict().faults
        assert fault.seq in {at + 1, at + 2}
        assert str(fault.seq) in fault.sentence


def test_tampering_is_found_without_the_semantic_pass(scene: Scene) -> None:
    stored_only(scene, _altered(scene.rows(), TARGET))
    found = verify(scene.ledger, [scene.key.note_key], semantic=False)
    assert [fault.code for fault in found.faults] == ["altered"]
    assert found.semantic_seconds is None


def test_a_row_of_the_table_can_fail(scene: Scene) -> None:
    """The table's own check: a scene that nobody touched is whole, and says how much it holds."""
    verdict = scene.verdict()
    assert verdict.whole
    assert (verdict.signed, verdict.records) == (SIZE, SIZE)
    assert verdict.signed_by == (scene.key.name,)
    assert json.loads(scene.rows()[0])["kind"] == "ledger.begin"
