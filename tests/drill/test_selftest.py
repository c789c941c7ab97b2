"""The test of the test: whatever part of the pipeline is disabled, the drills miss it; what nobody misses is told."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from functools import partial

import pytest

from licet.cli import drill_selftest, main
from licet.clock import SystemClock
from licet.drill import mutants as made
from licet.drill.forgery import FORGERY
from licet.drill.hops import HOPS
from licet.drill.live import Choice
from licet.drill.mutants import Shadow, mutants
from licet.drill.pipeline import Parts
from licet.drill.receiver import Receiver, Watched
from licet.drill.scenarios import SCENARIOS
from licet.drill.scenarios.off_intent import CHECKS
from licet.drill.selftest import ALL, Score, selftest
from licet.ingest.sources import SOURCES
from licet.monitor.deliveries import Message, Reply
from licet.monitor.detector import Detector
from licet.monitor.detectors import DETECTORS
from licet.monitor.detectors.canary import Canary
from licet.monitor.exits import EXPORTERS, SINKS
from licet.monitor.passes import PASSES, Pass
from licet.records import Finding

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

ONE = [Choice(each, "cloudtrail") for each in SCENARIOS if each.id == "D14"]
PARTS = {
    *(f"reader {name}" for name in SOURCES), "reader probe", "reader own calls", *(f"check {name}" for name in CHECKS),
    *(f"detector {each.name}" for each in DETECTORS),
    *(f"pass {each.name}" for each in PASSES), f"pass {FORGERY}", *(f"exporter {name}" for name in EXPORTERS),
    *(f"sink {name}" for name in SINKS), *(f"hop {hop}" for hop in HOPS[1:]),
}  # fmt: skip


def some(**said) -> Score:
    """A selftest of one drill."""
    return selftest(SystemClock(), choices=ONE, **said)


def why(score: Score) -> dict[str, str]:
    """By part, why nobody misses it; empty: somebody does."""
    return {each.part: each.why for each in score.tested}


class Extra(Detector):
    """A detector of which no drill knows."""

    name = "extra"
    codes = ("EXTRA",)


class Same(Canary):
    """Says all that another one says."""

    name = "same"


class _Told:
    name = "told"

    def __init__(self, *, taken: bool = True) -> None:
        self.taken = taken

    def send(self, message: Message, now: float) -> Reply:
        return Reply(taken=self.taken)


@pytest.fixture(scope="module")
def whole() -> Score:
    return selftest(SystemClock())


def test_every_part_of_the_product_is_missed_when_it_is_disabled(whole: Score) -> None:
    assert [(each.scenario, each.source, each.failures) for each in whole.failed] == []
    assert [(each.part, each.why) for each in whole.survivors] == []
    assert whole.well


def test_what_is_disabled_is_what_stands_in_the_registries_and_all_of_it(whole: Score) -> None:
    assert sorted(each.part for each in whole.tested) == sorted(PARTS)
    assert (Parts().detectors, Parts().passes, Parts().sources, Parts().exporters) == (DETECTORS, PASSES, SOURCES, EXPORTERS)


def test_every_cell_is_played_and_its_twin_first_while_nothing_is_disabled(whole: Score) -> None:
    cells = {(each.scenario.id, each.source) for each in ALL}
    assert {(each.scenario, each.source) for each in whole.whole if each.twin} == cells
    assert {(each.scenario, each.source) for each in whole.whole if not each.twin} == cells
    assert cells == {(each.id, source) for each in SCENARIOS for source in each.sources}


def test_a_part_that_is_added_to_a_registry_is_asked_for_and_survives_until_a_drill_needs_it() -> None:
    @contextmanager
    def opened(url, secret):
        with SINKS["webhook"](f"{url}/more", secret) as sink:
            yield sink

    one = SOURCES["okta"]
    parts = Parts(
        {**SOURCES, "extra": one}, (*DETECTORS, Extra()), (*PASSES, Pass("extra", ("EXTRA",), lambda *_: 0)),
        {**EXPORTERS, "extra": EXPORTERS["json"]},
    )  # fmt: skip
    found = why(some(parts=parts, sinks={**SINKS, "extra": opened}))
    assert found["detector extra"] == found["pass extra"] == found["reader extra"] == "no drill needs it"
    assert found["exporter extra"] == found["sink extra"] == ""


def test_a_part_whose_work_another_one_does_survives() -> None:
    score = some(parts=Parts(detectors=(*DETECTORS, Same())))
    assert why(score)["detector canary"] == why(score)["detector same"] == "says nothing, and all drills pass"
    assert not score.well


def test_a_detector_survives_if_one_of_its_reasons_could_go_and_nobody_asks_for_that() -> None:
    class Two(Canary):
        codes = (*Canary.codes, "EXTRA")

    others = [each for each in DETECTORS if each.name != "canary"]
    assert why(some(parts=Parts(detectors=(*others, Two()))))["detector canary"] == "says nothing of EXTRA, and no drill asks for that"


def test_a_detector_without_one_of_its_reasons_gives_all_others_of_them(whole: Score) -> None:
    ways = {each.part: each.ways for each in whole.tested}
    assert {f"detector {each.name}" for each in DETECTORS if len(each.codes) > 1} == {
        part for part, number in ways.items() if part.startswith("detector") and number > 1
    }
    assert ways["detector ends"] == 1 + len(next(each for each in DETECTORS if each.name == "ends").codes)


def test_a_part_that_is_missed_and_not_named_survives() -> None:
    others = [each for each in DETECTORS if each.name != "canary"]
    found = why(some(parts=Parts(detectors=(*others, Same()))))
    assert found["detector same"].startswith("says nothing, and what is blamed is")
    assert "detector canary" in found["detector same"]


def test_a_hop_that_nobody_knows_how_to_break_survives(monkeypatch) -> None:
    monkeypatch.setattr(made, "HOPS", (*HOPS, "archived"))
    assert why(some())["hop archived"] == "no way is known to disable it"


def test_nothing_is_disabled_where_the_drills_fail_as_it_is() -> None:
    others = [each for each in DETECTORS if each.name != "canary"]
    score = some(parts=Parts(detectors=others))
    assert (score.tested, score.well) == ((), False)
    assert "detector canary" in score.failed[0].parts


def test_a_sink_that_never_gets_through_makes_the_whole_red() -> None:
    @contextmanager
    def deaf(url, secret):
        yield _Told()

    score = some(sinks={**SINKS, "deaf": deaf})
    assert "sink deaf" in score.failed[0].parts
    assert not score.well


def test_a_sink_is_believed_only_where_the_finding_came_with_all_of_its_reasons() -> None:
    receiver = Receiver(b"")
    finding = Finding("f" * 32, 0.0, "monitor", "high", "a sentence")
    message = Message("m", "opened", finding, 0.0)
    sink = Watched(_Told(), receiver)
    receiver.messages["m"] = {"id": finding.id}  # of another time
    assert not sink.send(message, 0.0).taken
    assert receiver.messages == {}

    class Tells(_Told):
        def send(self, message: Message, now: float) -> Reply:
            receiver.logs.append(b"\x00\xff" + message.finding.id.encode())
            return Reply(self.taken)

    assert Watched(Tells(), receiver).send(message, 0.0).taken
    assert not Watched(Tells(taken=False), receiver).send(message, 0.0).taken


def test_every_exporter_and_sink_is_disabled_in_more_than_one_way() -> None:
    receiver = Receiver(b"")
    every = mutants(Shadow(Parts(), {name: Watched(_Told(), receiver) for name in SINKS}))
    ways = {each.part: len(each.ways) for each in every}
    assert {number for part, number in ways.items() if part.startswith(("exporter", "sink"))} == {2}
    assert set(ways) == PARTS - {f"pass {FORGERY}"}  # which is of a book


def test_what_is_exported_goes_to_its_own_receiver_whatever_the_environment_says(monkeypatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    before = dict(os.environ)
    score = some()
    assert score.failed == []
    assert why(score)["sink otlp"] == ""
    assert dict(os.environ) == before


def test_the_command_tells_each_survivor_and_ends_with_1(monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.setattr(drill_selftest, "selftest", partial(selftest, choices=ONE))
    state = tmp_path / "state"
    assert main(["drill", "selftest", "--state", str(state)]) == 1
    out, err = capsys.readouterr()
    assert "survives  detector ends: no drill needs it\n" in out
    assert f"of {len(PARTS)}, in " in out
    assert "FAIL  killed " in out
    assert "detector canary" not in out
    assert "without detector canary 1 of 1 fail" in err
    assert not state.exists()


def test_the_command_ends_with_0_and_prints_the_score_where_every_part_is_missed(monkeypatch, capsys, whole: Score) -> None:
    monkeypatch.setattr(drill_selftest, "selftest", lambda *_: whole)
    assert main(["drill", "selftest"]) == 0
    assert f"PASS  killed {len(PARTS)} of {len(PARTS)}, in " in capsys.readouterr().out
    assert main(["drill", "selftest", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["killed"], said["of"], said["well"], said["failed"]) == (len(PARTS), len(PARTS), True, [])
    assert {each["part"] for each in said["parts"]} == PARTS


def test_the_command_says_which_drills_fail_though_nothing_is_disabled(monkeypatch, capsys) -> None:
    others = [each for each in DETECTORS if each.name != "canary"]
    monkeypatch.setattr(drill_selftest, "selftest", partial(selftest, choices=ONE, parts=Parts(detectors=others)))
    assert main(["drill", "selftest"]) == 1
    out = capsys.readouterr().out
    assert "FAIL  D14 on cloudtrail, though nothing is disabled: " in out
    assert "FAIL  nothing was disabled: of 2 drills 1 fail as it is" in out
