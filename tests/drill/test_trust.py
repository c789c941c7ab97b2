"""Who can write book and ledger, and does not hold the drills' key, calls nothing a drill where the key is pinned."""

from __future__ import annotations

import json

import pytest

from licet.cli.main import main
from licet.drill.keys import TRUST, DrillKey, name_of
from licet.drill.revealed import calls_of, drills_of
from licet.drill.said import Mark, chained, read_from
from licet.drill.status import status
from licet.ledger import LedgerFiles
from licet.monitor.kept import kept
from test_cheats import House, house

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

__all__ = ["house"]


@pytest.fixture
def forged(house: House, tmp_path) -> tuple[House, set[str], str]:
    """Findings that are called drills by a key that enrolled itself later, with a mark of its own; and the true key's name."""
    house.play()
    honest = {each.finding.id for each in kept(house.live.pipeline.inventory)}
    mine = DrillKey.of(tmp_path / "mine.key")
    house.play(key=mine)
    house.live.ledger.seal()
    files = LedgerFiles(house.live.ledger.path)
    records, upto = read_from(files, 0)
    own = next(seq for seq, each in records.items() if each.get("kind") == "drill.key" and each.get("key") == name_of(mine.public))
    house.live.book.set_mark(Mark(upto, chained("", house.live.book.commits(upto)), (own,)).signed(mine))
    return house, {each.finding.id for each in kept(house.live.pipeline.inventory)} - honest, name_of(house.live.key.public)


def test_a_pinned_key_is_the_only_one_that_makes_a_drill(forged):
    house, called, name = forged
    files, now, book = LedgerFiles(house.live.ledger.path), house.live.clock.now(), house.live.book
    findings = [each.finding for each in kept(house.live.pipeline.inventory)]
    assert called <= set(drills_of(findings, book, files, now))  # as the limits of docs/drill.md say
    pinned = drills_of(findings, book, files, now, name)
    assert pinned
    assert called.isdisjoint(pinned)
    assert drills_of(findings, book, files, now, "0" * 16) == {}
    assert dict(calls_of(book, files, now, name)) == {}


@pytest.mark.parametrize("how", ["option", "variable"])
@pytest.mark.parametrize("form", ["--json", "--ocsf"])
def test_findings_and_ocsf_hold_to_it(forged, monkeypatch, capsys, how, form):
    house, called, name = forged
    state = str(house.folder.path)

    def drills(*more: str) -> set[str]:
        capsys.readouterr()
        assert main(["findings", "--status", "all", form, "--state", state, *more]) == 0
        out = capsys.readouterr().out
        if form == "--json":
            return {each["id"] for each in json.loads(out)["findings"] if each.get("drill")}
        events = [json.loads(line) for line in out.splitlines()]
        return {each["finding_info"]["uid"] for each in events if each.get("verdict_id") == 6}

    assert called & drills()
    if how == "variable":
        monkeypatch.setenv(TRUST, name)
    found = drills(*(["--trust", name] if how == "option" else []))
    assert found
    assert called.isdisjoint(found)


def test_one_finding_that_is_shown_holds_to_it(forged, capsys):
    house, called, name = forged
    [uid] = called
    for more, drill in ([], True), (["--trust", name], False):
        capsys.readouterr()
        assert main(["findings", "show", uid, "--state", str(house.folder.path), *more]) == 0
        assert ("nobody misused anything" in capsys.readouterr().out) is drill


def test_the_variable_pins_the_status_too(forged, monkeypatch, capsys):
    house, _, name = forged
    state = str(house.folder.path)
    card = status(house.folder.path, house.live.clock.now(), trusted=name)
    assert any("no earlier one vouches" in each.said for each in card.reasons)
    monkeypatch.setenv(TRUST, name)
    main(["drill", "status", "--state", state])
    assert "no earlier one vouches" in capsys.readouterr().out
