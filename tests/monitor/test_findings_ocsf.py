"""OCSF 1.8.0: what the schema requires is there, numbers are those of its lists, and what is cited is told once, before who cites it.

The tables are of ocsf/ocsf-schema at 3dcb905d (`version.json`: 1.8.0): `requirement: required`, `constraints: at_least_one` and `enum` of the
classes and objects that are written, with what they extend; `dictionary.json` for those that name none.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from licet.cli.main import main
from licet.inventory.model import Credential, Identity, Owner
from licet.inventory.store import Inventory
from licet.monitor.kept import kept
from licet.monitor.ocsf import About, finding_event, millis
from licet.monitor.run import monitor
from licet.monitor.verdicts import STATUSES
from licet.monitor.world import Settings
from licet.records import Because, Evidence, Explanation, Finding
from stories import HOUR, ME, START, Story, happened, use

Out = pytest.CaptureFixture[str]


class Rule(NamedTuple):
    """What must be there, of what at least one must be, and which numbers there are."""

    required: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    numbers: Mapping[str, tuple[int, ...]] = {}


BASE = ("activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid")
SEVERITIES = (0, 1, 2, 3, 4, 5, 6, 99)
OF_FINDING = {
    "activity_id": (0, 1, 2, 3, 99),
    "status_id": (0, 1, 2, 3, 4, 5, 6, 99),
    "confidence_id": (0, 1, 2, 3, 99),
    "severity_id": SEVERITIES,
}
OF_EVENT = {"status_id": (0, 1, 2, 99), "severity_id": SEVERITIES}
CLASSES = {
    2004: Rule((*BASE, "finding_info"), (), OF_FINDING),
    2008: Rule(
        (*BASE, "finding_info"),
        ("access_analysis_result", "applications", "identity_activity_metrics", "permission_analysis_results"),
        OF_FINDING,
    ),
    3004: Rule((*BASE, "entity"), (), OF_EVENT | {"activity_id": (*range(14), 99)}),
    6003: Rule((*BASE, "actor", "api", "src_endpoint"), (), OF_EVENT | {"activity_id": (0, 1, 2, 3, 4, 99)}),
}
CATEGORIES = {2004: 2, 2008: 2, 3004: 3, 6003: 6}
_NAMED = ("name", "uid")
OBJECTS = {
    "metadata": Rule(("product", "version")), "product": Rule((), _NAMED), "finding_info": Rule(("uid",)),
    "analytic": Rule(("type_id",), _NAMED, {"type_id": (*range(12), 99)}), "related_events": Rule(("uid",)),
    "attacks": Rule((), ("tactic", "technique", "sub_technique")), "technique": Rule((), _NAMED), "sub_technique": Rule((), _NAMED),
    "actor": Rule((), ("process", "user", "invoked_by", "session", "app_name", "app_uid")),
    "user": Rule((), ("account", "name", "uid"), {"type_id": (0, 1, 2, 3, 4, 99)}), "owner": Rule((), ("account", "name", "uid")),
    "account": Rule((), _NAMED), "api": Rule(("operation",)), "service": Rule((), _NAMED),
    "src_endpoint": Rule((), ("ip", "uid", "name", "hostname", "svc_name", "instance_uid", "interface_uid", "interface_name", "domain")),
    "autonomous_system": Rule((), ("number", "name")), "location": Rule((), ("city", "country", "postal_code", "region")),
    "resources": Rule((), _NAMED, {"role_id": (0, 1, 2, 3, 4, 99)}), "remediation": Rule(("desc",)), "cloud": Rule(("provider",)),
    "evidences": Rule((), ("actor", "api", "connection_info", "data", "database", "databucket", "device", "dst_endpoint", "email", "file",
                           "process", "query", "resources", "src_endpoint", "url", "user", "job", "script")),
    "entity": Rule((), ("name", "uid", "device", "group", "org", "policy", "user"), {"type_id": (*range(8), 99)}),
    "raw_data_hash": Rule(("algorithm_id", "value"), (), {"algorithm_id": (*range(23), 99)}),
    "identity_activity_metrics": Rule(), "permission_analysis_results": Rule(), "programmatic_credentials": Rule(("uid",)), "session": Rule(), "http_request": Rule(),
}  # fmt: skip
OPEN = ("unmapped", "data")
"""Whose content is any."""


def broken(event: dict[str, Any]) -> list[str]:
    """What of the tables does not hold."""
    number = event["class_uid"]
    found = list(_broken(event, CLASSES[number], str(number)))
    if event["type_uid"] != number * 100 + event["activity_id"]:
        found.append("type_uid")
    if event["category_uid"] != CATEGORIES[number]:
        found.append("category_uid")
    if event["metadata"]["version"] != "1.8.0":
        found.append("version")
    if "cloud" in event and event["metadata"].get("profiles") != ["cloud"]:
        found.append("cloud without its profile")
    return found


def _broken(value: dict[str, Any], rule: Rule, path: str) -> Iterator[str]:
    yield from (f"{path}.{name} is missing" for name in rule.required if name not in value)
    if rule.one_of and not set(rule.one_of) & value.keys():
        yield f"{path} has none of {rule.one_of}"
    for name, each in value.items():
        if name in rule.numbers and each not in rule.numbers[name]:
            yield f"{path}.{name} is {each}"
        if name.endswith("time") and type(each) is not int:
            yield f"{path}.{name} is no whole number"
        for part in each if isinstance(each, list) else [each]:
            if isinstance(part, dict) and name not in OPEN:
                if name not in OBJECTS:
                    yield f"{path}.{name} is no object that is known here"
                else:
                    yield from _broken(part, OBJECTS[name], f"{path}.{name}")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A revoked credential that was used, of somebody with an owner, and one that nobody owns and that never rests."""
    ended = happened(HOUR, "revoked", identity=ME, credential="cred:one", by="admin", reason="rotation")
    after = use(
        3 * HOUR, operation="secretsmanager:GetSecretValue", access="admin", network="AS64500", country="DE", session="s-1", resource="db",
        resource_kind="secret", digest="ab" * 32, agent="curl/8",
    )  # fmt: skip
    story = Story([use(0), ended, after, use(0, identity="nobody", credential="cred:two", account="", region="", ip="")])
    story.now = START + 100 * 24 * HOUR
    inventory = Inventory(tmp_path / "inventory.db")
    story.signals(inventory)
    inventory.close()
    monkeypatch.setenv("LICET_STATE", str(tmp_path))
    return tmp_path


def printed(capsys: Out, *words: str) -> list[dict[str, Any]]:
    assert main(["findings", "--ocsf", *words]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_all_that_is_printed_is_as_the_schema_wants_it(state: Path, capsys: Out) -> None:
    found = printed(capsys, "--signals", "--status", "all")
    assert {each["class_uid"] for each in found} == {2004, 2008, 3004, 6003}
    assert [problem for each in found for problem in broken(each)] == []


@pytest.mark.parametrize("name", ["finding_info", "severity_id"])
def test_what_is_not_as_the_schema_wants_it_is_seen(name: str, state: Path, capsys: Out) -> None:
    """The tables are no decoration."""
    event = next(each for each in printed(capsys) if each["class_uid"] == 2004)
    del event[name]
    assert broken(event) == [f"2004.{name} is missing"]


def test_what_is_cited_stands_before_who_cites_it_and_once(state: Path, capsys: Out) -> None:
    found = printed(capsys)
    told = [each["metadata"]["uid"] for each in found]
    assert len(set(told)) == len(told)
    for at, event in enumerate(found):
        for cited in event.get("finding_info", {}).get("related_events", ()):
            assert cited["uid"] in told[:at]
            assert cited["type_uid"] == found[told.index(cited["uid"])]["type_uid"]


def test_a_use_says_who_did_what_from_where_and_with_what(state: Path, capsys: Out) -> None:
    """The operation's name stays what it is: it looks like a secret, and is none."""
    event = next(each for each in printed(capsys) if each["class_uid"] == 6003 and "resources" in each)
    assert event["api"] == {"operation": "secretsmanager:GetSecretValue", "service": {"name": "secretsmanager"}}
    assert (event["actor"]["user"]["uid"], event["actor"]["session"]) == (ME, {"uid": "s-1"})
    assert event["actor"]["user"]["credential_uid"] == "cred:one"
    assert event["src_endpoint"] == {"ip": "192.0.2.7", "location": {"country": "DE"}, "autonomous_system": {"number": 64500}}
    assert event["raw_data_hash"]["value"] == "ab" * 32
    assert event["metadata"]["original_event_uid"].startswith("use-")
    assert event["time"] == millis(START + 3 * HOUR)


def test_a_finding_says_whose_why_and_what_to_do(state: Path, capsys: Out) -> None:
    found = [each for each in printed(capsys) if each["class_uid"] == 2004]
    event = next(each for each in found if "POST_REVOCATION_USE" in each["finding_info"]["types"])
    assert event["resources"][0]["uid"] == ME
    assert event["resources"][0]["owner"]["uid"] == "team"
    assert event["unmapped"]["because"][0]["expected"]
    assert event["remediation"]["desc"]
    assert {"sub_technique": {"uid": "T1078.004"}, "technique": {"uid": "T1078"}, "version": "18.1"} in event["finding_info"]["attacks"]
    assert len(event["evidences"]) == len(event["finding_info"]["related_events"]) == event["finding_info"]["related_events_count"]


def finding(*codes: str, severity: str = "medium") -> Finding:
    because = tuple(Because(code, "seen", "expected", "lifecycle", START) for code in codes)
    why = Explanation(ME, ("cred:one",), because, (Evidence("cloudtrail/1", "use", ME, START),))
    return Finding("f" * 24, START, "monitor.x", severity, "Seen", owner="team", explanation=why)  # type: ignore[arg-type]


def test_how_an_identity_stands_is_an_iam_analysis_finding() -> None:
    """And with anything that it did it is a detection."""
    about = About(Identity(ME, "role", "worker", first_seen=START, last_seen=START + 1), Owner("team", "Team", "team@acme.example"),
                  [Credential("cred:one", "access_key", last_used=START)])  # fmt: skip
    stands = finding_event(finding("UNOWNED_ACTIVE", "SHARED_CREDENTIAL"), "open", START, about, "1")
    assert (stands["class_uid"], broken(stands)) == (2008, [])
    assert stands["identity_activity_metrics"]["programmatic_credentials"] == [
        {"uid": "cred:one", "type": "access_key", "last_used_time": millis(START)}
    ]
    assert stands["resources"][0]["owner"] == {"uid": "team", "name": "Team", "email_addr": "team@acme.example"}
    did = finding_event(finding("UNOWNED_ACTIVE", "REVIVED"), "open", START, about, "1")
    assert (did["class_uid"], broken(did)) == (2004, [])


@pytest.mark.parametrize("status", STATUSES)
def test_each_status_and_severity_has_its_number(status: Any) -> None:
    for severity, number in (("info", 1), ("low", 2), ("medium", 3), ("high", 4), ("critical", 5)):
        event = finding_event(finding("REVIVED", severity=severity), status, START, About(), "1")
        assert broken(event) == []
        assert event["severity_id"] == number
    assert event["status_id"] == {"open": 1, "acknowledged": 2, "suppressed": 3, "withdrawn": 4}[status]
    assert event["activity_id"] == (3 if status == "withdrawn" else 1)


def told(capsys: Out, *words: str) -> dict[str, tuple[str, str]]:
    """As which activity the use after the end is told, and under which event id."""
    return {
        each["finding_info"]["uid"]: (each["activity_name"], each["metadata"]["uid"])
        for each in printed(capsys, *words) if "POST_REVOCATION_USE" in each.get("finding_info", {}).get("types", ())
    }  # fmt: skip


def test_what_changed_since_the_last_export_is_an_update_and_what_did_not_is_told_as_before(state: Path, capsys: Out) -> None:
    """Under another event id, so that nobody takes it for the one that he has."""
    first = told(capsys)
    (uid,) = first
    assert first[uid][0] == "Create"
    assert told(capsys) == first
    assert main(["findings", "acknowledge", uid, "--by", "ann"]) == 0
    capsys.readouterr()
    second = told(capsys)
    assert (second[uid][0], second[uid][1] == first[uid][1]) == ("Update", False)
    assert told(capsys) == second
    inventory = Inventory(state / "inventory.db")
    inventory.keep([use(4 * HOUR, operation="s3:ListBuckets")])
    monitor(inventory, Settings(), START + 100 * 24 * HOUR)
    inventory.close()
    assert told(capsys)[uid][0] == "Update"


def test_what_was_told_and_is_gone_is_closed_once_and_what_was_never_told_is_not(state: Path, capsys: Out) -> None:
    """What is suppressed is said once too; `--status all` has them again."""
    (uid,) = told(capsys)
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86_400))
    assert main(["findings", "suppress", uid, "--by", "ann", "--reason", "known", "--until", day]) == 0
    capsys.readouterr()
    assert told(capsys)[uid][0] == "Update"
    assert told(capsys) == {}
    inventory = Inventory(state / "inventory.db")
    inventory.keep([], [happened(2 * HOUR, "activated", identity=ME, credential="cred:one", by="admin")])
    monitor(inventory, Settings(), START + 100 * 24 * HOUR)
    inventory.close()
    assert told(capsys)[uid][0] == "Close"
    assert told(capsys) == {}
    assert told(capsys, "--status", "all")[uid][0] == "Close"
    with closing(Inventory(state / "inventory.db")) as inventory, inventory.step() as db:
        db.execute("DELETE FROM deliveries")
    assert told(capsys) == {}


def test_an_export_that_cannot_be_noted_is_made_all_the_same_and_says_so(
    state: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    wanted = told(capsys)
    with closing(Inventory(state / "inventory.db")) as inventory, inventory.step() as db:
        db.execute("DELETE FROM deliveries")
        db.execute("CREATE TRIGGER full BEFORE INSERT ON deliveries BEGIN SELECT raise(FAIL, 'no room'); END")
    assert main(["findings", "--ocsf"]) == 0
    out, err = capsys.readouterr()
    assert len([line for line in out.splitlines() if '"title":"used after it was revoked"' in line]) == len(wanted)
    assert "the next export says Create again" in err


def test_one_of_the_guard_is_a_detection_of_its_agent() -> None:
    guards = Finding("a" * 16, START, "origin.argument", "high", "It came from a stranger", "t" * 32, references=("ASI01",))
    event = finding_event(guards, "open", START, About(), "1", identity="agent:bot")
    assert broken(event) == []
    assert (event["class_uid"], event["resources"][0]["uid"], event["finding_info"]["types"]) == (2004, "agent:bot", ["origin.argument"])


def test_who_may_do_more_than_he_does_is_told_with_drift_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    day = 24 * HOUR
    used = [use(number * day) for number in range(150)]
    items = [happened(0, "granted", identity=ME, privilege="ec2:RunInstances", by="admin"), *used,
             use(140 * day, identity="another", credential="cred:x", operation="ec2:RunInstances")]  # fmt: skip
    inventory = Inventory(tmp_path / "inventory.db")
    Story(items, now=START + 150 * day).signals(inventory)
    inventory.close()
    monkeypatch.setenv("LICET_STATE", str(tmp_path))
    (event,) = [each for each in printed(capsys, "--drift") if "permission_analysis_results" in each]
    assert (event["class_uid"], broken(event)) == (2008, [])
    (result,) = event["permission_analysis_results"]
    assert result == {
        "granted_privileges": ["ec2:RunInstances"], "analyzed_privileges_count": 1, "unused_privileges_count": 1, "unused_services_count": 1,
    }  # fmt: skip
    assert (event["user"]["uid"], event["resources"][0]["owner"]["uid"]) == (ME, "team")
    assert "ec2:RunInstances: take away" in event["remediation"]["desc"]
    assert not [each for each in printed(capsys) if "permission_analysis_results" in each]


def test_a_file_is_written_where_one_is_named(state: Path, tmp_path: Path, capsys: Out) -> None:
    wanted = printed(capsys)
    assert main(["findings", "--ocsf", "-o", str(tmp_path / "out.jsonl")]) == 0
    assert [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()] == wanted
    inventory = Inventory(state / "inventory.db", reading=True)
    assert len([each for each in wanted if each["class_uid"] in (2004, 2008)]) == len(list(kept(inventory)))
    inventory.close()
