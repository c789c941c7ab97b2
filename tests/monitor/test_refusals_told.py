"""What could not be read is told: a record that was refused, and a change whose body was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from licet.events import BODY_UNREAD, UseEvent
from licet.ingest.intake import Intake
from licet.ingest.sources import SOURCES
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.step import Refused
from licet.inventory.store import Inventory
from licet.monitor.explain import holds
from licet.monitor.kept import kept
from licet.monitor.run import monitor
from licet.monitor.stored import signal_of
from licet.monitor.verdicts import reasons_of
from licet.monitor.world import Settings
from licet.records import Finding
from stories import DAY, Story, use

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

NOW = 1_790_000_000.0
BINDING = {
    "kind": "Event", "auditID": "9f0e1a2b-1111-4000-8000-000000000001", "stage": "ResponseComplete", "verb": "patch", "user": {"username": "mallory"},
    "objectRef": {"apiGroup": "rbac.authorization.k8s.io", "resource": "clusterrolebindings", "name": "b"}, "responseStatus": {"code": 200},
    "stageTimestamp": "2026-09-20T12:00:00.000000Z", "sourceIPs": ["203.0.113.9"],
    "requestObject": {"subjects": [{"kind": "User", "name": "mallory"}], "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"}},
}  # fmt: skip


class _Clock:
    at = NOW

    def now(self) -> float:
        return self.at


def taken(tmp_path: Path, text: str) -> Inventory:
    inventory = Inventory(":memory:")
    file = tmp_path / "audit.jsonl"
    file.write_text(text, encoding="utf-8")
    intake = Intake(inventory, SOURCES["kubernetes"], Fingerprints(bytes(32)).of, clock=_Clock(), account="prod")
    with file.open("rb") as opened:
        intake.take("audit.jsonl", opened)
    intake.finish()
    return inventory


def told(inventory: Inventory, code: str, now: float = NOW) -> list[Finding]:
    monitor(inventory, Settings(), now)
    found = [each.finding for each in kept(inventory) if not each.withdrawn]
    return [each for each in found if each.explanation is not None and code in each.explanation.codes]


def test_a_record_that_was_refused_is_a_finding_that_says_where_it_stands_and_why(tmp_path: Path) -> None:
    """One of many, too: whoever hides needs no more."""
    wrong = json.dumps(BINDING | {"verb": 7})
    others = "".join(f"{json.dumps(BINDING | {'auditID': f'9f0e1a2b-1111-4000-8000-{n:012}'})}\n" for n in range(2, 40))
    inventory = taken(tmp_path, f"{others}{wrong}\n")
    (finding,) = told(inventory, "RECORDS_REFUSED")
    why = finding.explanation
    assert why is not None
    assert finding.severity == "medium"
    assert [(each.place, each.role) for each in why.evidence] == [("audit.jsonl:39", "`verb`: is no text")]
    assert "kubernetes: 1 record could not be used, beside 38 events that could: 1 `verb`: is no text" in finding.sentence
    before = inventory.rows("SELECT * FROM findings")
    assert told(inventory, "RECORDS_REFUSED", NOW + 86_400)
    assert [row[:3] for row in inventory.rows("SELECT * FROM findings WHERE body LIKE '%REFUSED%'")] == [
        row[:3] for row in before if "REFUSED" in row[-1]
    ]


def test_a_source_has_one_such_finding_however_much_was_refused() -> None:
    inventory = Inventory(":memory:")
    refused = [("kubernetes", Refused(f"cause {n % 70}", f"file {n}", n, 3)) for n in range(500)]
    inventory.keep((), refused=[*refused, ("okta", Refused("no object", "o", 1))], now=NOW)
    found = told(inventory, "RECORDS_REFUSED")
    assert len(found) == 2
    why = next(each.explanation for each in found if "kubernetes" in each.sentence)
    assert why is not None
    assert "1,500 records could not be used, and none could be used" in why.because[0].observed
    assert len({each.role for each in why.evidence}) == len(why.evidence) == 32
    assert why.because[0].number == 1_500


def test_what_was_said_of_refusals_holds_for_a_few_more_of_the_same_and_for_no_others() -> None:
    inventory = Inventory(":memory:")
    reasons: list[Any] = []
    ids = set()
    for more in (
        Refused("no object", "o", 1, 100),
        Refused("no object", "o", 1),
        Refused("no object", "o", 1, 200),
        Refused("not JSON", "o", 9),
    ):
        inventory.keep((), refused=[("okta", more)], now=NOW + len(reasons))
        (finding,) = told(inventory, "RECORDS_REFUSED", NOW + 10 * len(reasons))
        ids.add(finding.id)
        reasons.append(reasons_of(finding))
    assert reasons[0] == reasons[1]
    assert len(set(reasons)) == 3
    assert len(ids) == 1


@pytest.mark.parametrize("before", [10, 63, 1_025, 1_448, 40_000])
def test_what_has_grown_by_half_is_another_thing_wherever_it_began(before: int) -> None:
    inventory = Inventory(":memory:")
    reasons: list[Any] = []
    for number in (before, (before + 1) // 2):
        inventory.keep((), refused=[("okta", Refused("no object", "o", 1, number))], now=NOW)
        (finding,) = told(inventory, "RECORDS_REFUSED")
        reasons.append(reasons_of(finding))
    assert reasons[0] != reasons[1]


def test_what_comes_on_standard_input_is_another_file_in_each_run(tmp_path: Path) -> None:
    """What somebody said of one run holds for no record of the next, however few they are."""
    inventory = Inventory(":memory:")
    reasons: list[Any] = []
    file = tmp_path / "piped"
    for number, now in ((1_025, NOW), (1, NOW + DAY)):
        file.write_text("7\n" * number, encoding="utf-8")
        clock = _Clock()
        clock.at = now
        intake = Intake(inventory, SOURCES["okta"], Fingerprints(bytes(32)).of, clock=clock)
        with file.open("rb") as opened:
            intake.take("-", opened)
        assert {place for _, place in intake.finish().refused.values()} == {"-:1"}
        (finding,) = told(inventory, "RECORDS_REFUSED", now)
        reasons.append(reasons_of(finding))
    assert reasons[0] != reasons[1]
    assert finding.explanation is not None
    assert {each.place for each in finding.explanation.evidence} == {"- at 2026-09-21T14:13:20.000Z:1", "- at 2026-09-22T14:13:20.000Z:1"}


def test_a_change_of_permissions_whose_body_nobody_could_read_alerts(tmp_path: Path) -> None:
    """The server drops what it does not know, however deep, and does the rest; so the body alone must not be a place to hide."""
    deep = json.dumps(BINDING).replace('"requestObject": {', '"requestObject": {"zz": ' + "[" * 9_000 + "]" * 9_000 + ", ")
    inventory = taken(tmp_path, f"{deep}\n")
    (finding,) = told(inventory, "SENSITIVE_ACTION")
    assert "could not be read: what it changed is not known" in finding.sentence
    assert finding.explanation is not None
    assert finding.explanation.identity == "k8s:mallory"
    assert len(told(inventory, "RECORDS_REFUSED")) == 1


def test_its_explanation_holds_however_often_it_was_done() -> None:
    def changed(time: float) -> UseEvent:
        return use(time, operation="iam:PutUserPolicy", access="admin", error=BODY_UNREAD)

    story = Story(
        [*(use(day * DAY, operation="iam:PutUserPolicy", access="admin") for day in range(15)), changed(15 * DAY), changed(16.5 * DAY)]
    )
    inventory = Inventory(":memory:")
    found = [each for each in story.signals(inventory) if each.alert]
    assert len(found) == 2
    assert all(holds(each, inventory, Settings(), story.now) == (True, True) for each in found)
    read = use(0, operation="secretsmanager:GetSecretValue", access="admin", error=BODY_UNREAD)
    assert not any(each.alert for each in Story([read]).signals(Inventory(":memory:")))


def test_a_change_whose_subjects_are_of_no_kind_that_can_be_read_alerts_too(tmp_path: Path) -> None:
    odd = json.dumps(BINDING | {"requestObject": BINDING["requestObject"] | {"roleRef": 7}})  # type: ignore[operator]
    assert len(told(taken(tmp_path, f"{odd}\n"), "SENSITIVE_ACTION")) == 1


def test_a_change_that_was_read_or_that_was_denied_has_only_points(tmp_path: Path) -> None:
    deep = json.dumps(BINDING | {"responseStatus": {"code": 403}})
    deep = deep.replace('"requestObject": {', '"requestObject": {"zz": ' + "[" * 9_000 + "]" * 9_000 + ", ")
    for text in (deep, json.dumps(BINDING)):
        inventory = taken(tmp_path, f"{text}\n")
        monitor(inventory, Settings(), NOW)
        signals = [signal_of(body) for (body,) in inventory.rows("SELECT body FROM signals WHERE code='SENSITIVE_ACTION'")]
        assert [each.alert for each in signals] == [False]
