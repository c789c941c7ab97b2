"""The drills' key signs what the scorecard says, and nothing that somebody else wrote into the file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from licet.drill.attested import attest
from licet.drill.keys import DrillKey, name_of
from licet.guard.monitored import FILE, Proof, proof_of
from test_cheats import House, house

pytestmark = pytest.mark.dev  # pure logic of ours

__all__ = ["house"]


@pytest.fixture
def played(house: House) -> House:
    house.play()
    house.live.ledger.seal()
    return house


def place(house: House) -> Path:
    return house.folder.path / FILE


def spoil(house: House) -> None:
    """The verdict is FAIL from now on, and no part is blamed."""
    house.book("UPDATE drills SET ends=ends+1 WHERE id=(SELECT id FROM drills LIMIT 1)")


def write(house: House, proof: Proof, by: DrillKey | None = None) -> None:
    file = place(house)
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as opened:
        opened.write((proof._replace(signature=by.sign(proof.said())) if by is not None else proof).text())


def test_what_this_key_signed_before_stands_where_the_verdict_is_fail_and_nothing_is_blamed(played):
    first = attest(played.folder.path, played.live)
    assert first.well == first.time
    spoil(played)
    again = attest(played.folder.path, played.live)
    assert (again.well, again.time > first.time) == (first.well, True)


@pytest.mark.parametrize("well", [50.0, 4e9, -1e9], ids=str)
def test_what_somebody_wrote_into_the_file_is_never_signed(played, well):
    first = attest(played.folder.path, played.live)
    spoil(played)
    write(played, first._replace(well=first.time + well))
    assert attest(played.folder.path, played.live).well == 0


def test_what_another_key_signed_is_not_signed_by_this_one(played, tmp_path):
    first = attest(played.folder.path, played.live)
    spoil(played)
    other = DrillKey.of(tmp_path / "other.key")
    for key in (name_of(other.public), first.key):
        write(played, first._replace(key=key), other)
        assert attest(played.folder.path, played.live).well == 0


@pytest.mark.parametrize(
    "text", ['{"well": "inf"}', '{"well": "nan"}', "[" * 3_000, "{}", ""], ids=["inf", "nan", "deep", "empty", "nothing"]
)
def test_a_file_that_is_damaged_is_written_anew_and_proves_nothing(played, text):
    attest(played.folder.path, played.live)
    spoil(played)
    place(played).write_text(text)
    assert attest(played.folder.path, played.live).well == 0


@pytest.mark.parametrize("number", ["inf", "-inf", "nan", "1e999"])
@pytest.mark.parametrize("field", ["time", "well"])
def test_a_time_that_is_no_number_is_no_proof(field, number):
    told = {"time": 1.0, "well": 1.0, "key": "k", "signature": "s"}
    assert proof_of(json.dumps(told | {field: number}).encode()) is None
    assert proof_of(json.dumps(told | {field: float(number)}).encode()) is None


def test_a_new_blame_does_not_move_it_forward(played):
    first = attest(played.folder.path, played.live)
    write(played, first._replace(well=first.well - 3_600), played.live.key)
    played.play(sinks={})
    played.live.ledger.seal()
    assert attest(played.folder.path, played.live).well == first.well - 3_600
