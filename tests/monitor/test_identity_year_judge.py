"""`python -m benchmarks.identity_year`: what it counts as found, false and explained; and a small year from its logs to its findings."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.dev  # slow, and what it tests depends on no version of a library
ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]
from benchmarks.identity_year import product  # noqa: E402
from benchmarks.identity_year.generate import generate  # noqa: E402
from benchmarks.identity_year.judge import by_events, by_signals, codes, explanations, judged, natives, was_learned  # noqa: E402

from licet.inventory.store import Inventory  # noqa: E402
from licet.monitor.explain import Held  # noqa: E402
from licet.monitor.findings import LEARNED  # noqa: E402
from licet.monitor.kept import kept  # noqa: E402
from licet.records import Because, Evidence, Explanation, Finding  # noqa: E402
from stories import DAY, HOUR, Story, use  # noqa: E402

MISUSE = {
    "id": "m-1", "what": "misuse", "kind": "two_holders", "platform": "aws", "identity": "role/a", "events": ["e-1", "e-2"], "expected": ["CONCURRENT_HOLDERS"],
}  # fmt: skip
TWIN = {
    "id": "t-1",
    "what": "twin",
    "kind": "two_holders",
    "platform": "aws",
    "identity": "role/b",
    "events": ["e-3"],
    "differs": "one network",
}


def finding(identity: str, code: str, *events: str, name: str = "") -> Finding:
    because = (Because(code, "seen", "expected", "lifecycle", 1.0, 0.0, 0, 1.0, 1),)
    evidence = tuple(Evidence(event, "use", identity, 1.0) for event in events)
    return Finding(name or f"{identity}-{code}", 1.0, code, "high", "said", explanation=Explanation(identity, (), because, evidence))


def result(*findings: Finding) -> Any:
    return judged(findings, [MISUSE, TWIN, {"what": "churn", "kind": "deploy"}], 200, 365.25)


def test_a_finding_with_the_reason_the_identity_and_one_of_the_events_is_a_hit():
    of = result(finding("role/a", "CONCURRENT_HOLDERS", "cloudtrail/e-2"))
    assert (of.kinds["two_holders"].found, of.kinds["two_holders"].missed, of.false) == (1, [], {})


@pytest.mark.parametrize(
    "identity, code, event",
    [("role/a", "REVIVED", "e-1"), ("role/b", "CONCURRENT_HOLDERS", "e-1"), ("role/a", "CONCURRENT_HOLDERS", "e-9")],
)
def test_another_reason_identity_or_event_is_no_hit(identity: str, code: str, event: str):
    of = result(finding(identity, code, f"cloudtrail/{event}"))
    assert of.kinds["two_holders"].found == 0
    assert len(of.kinds["two_holders"].missed) == 1


def test_a_finding_that_cites_nothing_planted_is_false_and_that_of_a_twin_is_counted_for_it():
    of = result(finding("role/b", "CONCURRENT_HOLDERS", "cloudtrail/e-3"), finding("role/c", "REVIVED", "okta/e-7"))
    assert of.false == {"CONCURRENT_HOLDERS": 1, "REVIVED": 1}
    assert of.kinds["two_holders"].twins_fired == 1
    assert of.per_100_months == pytest.approx(2 / 2 / 12)


def test_what_readers_put_behind_a_native_id_is_taken_off():
    cited = [
        Evidence(uid, "use", "", 0.0) for uid in ("kubernetes/u-1/ResponseComplete", "cloudtrail/u-2#2!granted", "lifecycle/u-3!revoked")
    ]
    assert {"u-1", "u-2", "u-3"} <= natives(cited)


def test_an_explanation_holds_if_the_finding_goes_with_its_evidence_and_comes_with_it_alone():
    one = finding("role/a", "CONCURRENT_HOLDERS", "cloudtrail/e-1")
    other = finding("role/a", "CONCURRENT_HOLDERS", "cloudtrail/e-8", name="another")
    assert by_events(one, lambda only: [one] if only else [other]) == (True, True)
    assert by_events(one, lambda _: [one]) == (False, True)
    assert by_events(one, lambda _: []) == (True, False)


def test_explanations_are_counted_and_those_that_do_not_hold_are_named():
    sides = [Held(ablation=True, sufficiency=True), Held(ablation=False, sufficiency=True), Held(ablation=True, sufficiency=False)]
    of = explanations([finding("role/a", "REVIVED", "e-1")] * 3, lambda _: sides.pop(0))
    assert (of.checked, of.gone, of.there) == (3, 2, 2)
    assert of.odd == ["role/a REVIVED: stays without its evidence", "role/a REVIVED: is not there by it alone"]


def test_what_was_learned_is_judged_by_the_baseline_that_it_cites(tmp_path: Path):
    """Its few events alone would be no baseline for anything to be new to."""
    days = [use(day * DAY + number * HOUR) for day in range(10) for number in range(6)]
    elsewhere = [
        use(10 * DAY + number * HOUR, network=f"{ip}/24", ip=ip, agent=f"tool-{number}/1", region=region)
        for number, (ip, region) in enumerate([("203.0.113.9", "ap-east-1"), ("198.51.100.7", "sa-east-1")])
    ]
    story = Story([*days, *elsewhere], now=use(10 * DAY + 2 * HOUR).time)
    inventory = Inventory(tmp_path / "inventory.db")
    story.declare(inventory)
    story.keep(inventory)
    story.run(inventory)
    (found,) = [each.finding for each in kept(inventory)]
    assert codes(found) <= set(LEARNED)
    assert was_learned(found)
    assert by_signals(found, inventory, story.now) == (True, True)
    inventory.close()


def test_what_no_signal_says_is_not_explained_by_signals_nor_learned(tmp_path: Path):
    inventory = Inventory(tmp_path / "inventory.db")
    one = finding("role/a", "CONCURRENT_HOLDERS", "cloudtrail/e-1")
    assert not was_learned(one)
    assert by_signals(one, inventory, 1.0) == (False, False)
    inventory.close()


def test_a_small_year_each_misuse_is_found_with_its_reason_and_no_twin_is(tmp_path: Path):
    sizes = generate(tmp_path, seed=1, identities=140, days=160, load=0.1, misuses=20)
    now = product.seconds("2025-01-01T00:00:00Z") + 161 * 86_400
    inventory = Inventory(tmp_path / "inventory.db")
    product.declare(inventory, json.loads((tmp_path / "inventory.json").read_text(encoding="utf-8")), now)
    assert product.ingest(tmp_path, inventory, now + 86_400)["refused"] == 0
    findings = product.watch(inventory, now)
    truth = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text(encoding="utf-8").splitlines()]
    of = judged(findings, truth, sizes["identities"], 160)
    assert [missed for kind in of.kinds.values() for missed in kind.missed] == []
    assert [name for name, kind in of.kinds.items() if kind.twins_fired] == []
    inventory.close()
