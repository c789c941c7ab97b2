"""One credential from its issuance through every use to its end."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from licet.events import LifecycleEvent, UseEvent
from licet.inventory.lifeline import Line
from licet.inventory.model import Credential
from licet.inventory.spoken import late_words, spell, title_of
from licet.inventory.store import Inventory
from licet.inventory.trace import Trace, trace
from licet.monitor.run import monitor
from licet.monitor.stored import signals_of
from licet.monitor.world import Settings

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

START, HOUR, DAY = 1_750_000_000.0, 3_600.0, 86_400.0
ME = "arn:aws:iam::111122223333:user/worker"
ONE, TWO, THREE = (f"cred:{number:032x}" for number in (1, 2, 3))
NOW = START + 40 * DAY


@pytest.fixture
def inventory(tmp_path: Path) -> Iterator[Inventory]:
    made = Inventory(tmp_path / "inventory.db")
    yield made
    made.close()


def use(number: int, time: float, credential: str = ONE, **said: object) -> UseEvent:
    about: dict[str, object] = {
        "identity": ME, "operation": "s3:GetObject", "credential": credential, "account": "111122223333", "network": "192.0.2.0/24",
        "ip": "192.0.2.7", "identity_kind": "service_account", "digest": "00", "place": f"log:{number}",
    }  # fmt: skip
    return UseEvent("cloudtrail", f"use-{number}", START + time, **(about | said))  # type: ignore[arg-type]


def happened(number: int, time: float, kind: str, credential: str = ONE, **said: object) -> LifecycleEvent:
    return LifecycleEvent("lifecycle", f"life-{number}", START + time, kind, credential=credential, **said)  # type: ignore[arg-type]


def lines(found: Trace, kind: str = "used") -> list[Line]:
    return [line for line in found.lines if line.kind == kind]


def test_a_use_after_the_end_is_late_by_the_time_since_it_and_one_within_the_grace_is_not(inventory: Inventory) -> None:
    """Revoked: five minutes later is in time, 4 h 12 min later is not, and what was denied is no use."""
    inventory.keep(
        [use(1, 60), use(2, DAY + 300), use(3, DAY + 4 * HOUR + 12 * 60), use(4, DAY + 5 * HOUR, outcome="denied")],
        [happened(1, 0, "issued"), happened(2, DAY, "revoked")],
    )
    found = trace(inventory, [ONE], NOW)
    assert [line.late for line in lines(found)] == ["", "grace", "after", "denied"]
    assert [late_words(line) for line in lines(found)][1:] == [
        "5 min after it was revoked (within the grace)", "4 h 12 min after it was revoked", "5 h after it was revoked, in vain",
    ]  # fmt: skip
    assert (found.late, found.versions[0].late, found.versions[0].status) == (1, 1, "revoked")


def test_a_suspended_credential_that_is_taken_up_again_is_late_only_in_between(inventory: Inventory) -> None:
    """What happened in between stays late after it is active again."""
    inventory.keep(
        [use(1, HOUR), use(2, 3 * HOUR)], [happened(1, 0, "suspended"), happened(2, 2 * HOUR, "activated"), happened(3, -HOUR, "issued")]
    )
    found = trace(inventory, [ONE], NOW)
    assert [line.late for line in lines(found)] == ["after", ""]
    assert found.versions[0].status == "active"


@pytest.mark.parametrize("asked", [ONE, TWO, THREE], ids=["oldest", "middle", "newest"])
def test_all_versions_are_shown_whichever_is_asked_for(inventory: Inventory, asked: str) -> None:
    """Versions are joined by what superseded what, oldest first; an old one that is used after its rotation is late."""
    inventory.keep(
        [use(1, HOUR, ONE), use(2, DAY + HOUR, TWO), use(3, 3 * DAY, ONE), use(4, 3 * DAY + 1, THREE)],
        [
            happened(1, 0, "issued", ONE), happened(2, DAY, "rotated", TWO, supersedes=ONE),
            happened(3, 2 * DAY, "rotated", THREE, supersedes=TWO),
        ],
    )  # fmt: skip
    found = trace(inventory, [asked], NOW)
    assert [version.credential.uid for version in found.versions] == [ONE, TWO, THREE]
    assert [(line.credential, line.late, line.ended) for line in lines(found)] == [
        (ONE, "", ""), (TWO, "", ""), (ONE, "after", "superseded"), (THREE, "", ""),
    ]  # fmt: skip
    assert [hole.what for hole in found.holes] == ["silence"]
    assert title_of(found).endswith(f" of {ME}: active, 3 versions")


def test_what_is_bound_to_a_job_ends_with_it_and_what_expires_on_its_day(inventory: Inventory) -> None:
    """The end of a job names the job alone, and a day of expiry needs nobody to say that it came; a renewal moves it."""
    inventory.keep(
        [use(1, 2 * HOUR), use(2, 2 * HOUR, TWO), use(3, 5 * HOUR, TWO)],
        [
            happened(1, 0, "issued"), happened(2, 1, "bound", workload="run/1"), happened(3, HOUR, "job_ended", "", workload="run/1"),
            happened(4, 0, "issued", TWO, expires=START + HOUR), happened(5, 600, "renewed", TWO, expires=START + 3 * HOUR, generation=2),
        ],
    )  # fmt: skip
    (one,) = lines(trace(inventory, [ONE], NOW))
    assert (one.late, late_words(one)) == ("after", "1 h after the end of its job")
    found = trace(inventory, [TWO], NOW)
    assert [line.late for line in lines(found)] == ["", "after"]
    assert late_words(lines(found)[1]) == "2 h after it had expired"
    assert [line.time for line in lines(found, "expired")] == [START + 3 * HOUR]


def test_an_identity_that_is_suspended_takes_its_credentials_with_it(inventory: Inventory) -> None:
    """The event names the identity alone."""
    inventory.keep([use(1, 60), use(2, 2 * HOUR)], [happened(1, 0, "issued"), happened(2, HOUR, "suspended", "", identity=ME)])
    found = trace(inventory, [ONE], NOW)
    assert [line.late for line in lines(found)] == ["", "after"]
    assert [line.what for line in lines(found, "suspended")] == ["its identity"]


def test_who_made_it_and_with_what_is_told_up_and_down(inventory: Inventory) -> None:
    """The record of an issuance is a use of the credential that it was made with, and so on up."""
    root, middle = use(1, 0, ONE, operation="iam:CreateAccessKey"), use(2, HOUR, TWO, operation="iam:CreateAccessKey")
    life = [
        LifecycleEvent("cloudtrail", "use-1", START, "issued", ME, TWO, by=ME),
        LifecycleEvent("cloudtrail", "use-2", START + HOUR, "issued", ME, THREE, by=ME),
    ]
    inventory.keep([root, middle, use(3, 2 * HOUR, THREE)], life)
    found = trace(inventory, [THREE], NOW)
    assert [(made.uid, made.credential) for made in found.lineage] == [(THREE, TWO), (TWO, ONE)]
    assert [(made.uid, made.identity, made.status) for made in trace(inventory, [ONE], NOW).children] == [(TWO, ME, "active")]
    assert not found.holes


def test_what_is_not_known_is_said(inventory: Inventory) -> None:
    """No issuance; a use before the issuance; days on which nothing at all came of its source."""
    inventory.keep([use(1, 0), use(2, HOUR, TWO), use(3, 9 * DAY)], [happened(1, 2 * HOUR, "issued", TWO)])
    assert {hole.what for hole in trace(inventory, [ONE], NOW).holes} == {"issuance", "silence"}
    assert [hole.what for hole in trace(inventory, [TWO], NOW).holes] == ["early"]
    silent = next(hole for hole in trace(inventory, [ONE], NOW).holes if hole.what == "silence")
    assert START + HOUR < silent.since < silent.until <= START + 9 * DAY
    inventory.keep([use(100 + day, day * DAY, THREE) for day in range(10)])
    assert {hole.what for hole in trace(inventory, [ONE], NOW).holes} == {"issuance"}


def test_many_uses_are_summed_by_day_and_place_and_all_are_there_on_demand(inventory: Inventory) -> None:
    """No use is lost in the sums, late ones stand apart, and nothing that happened hides between them."""
    many = [use(number, number * HOUR / 2, network=f"192.0.{number % 2}.0/24") for number in range(400)]
    inventory.keep(many, [happened(1, -60, "issued"), happened(2, 100 * HOUR, "revoked")])
    found, whole = trace(inventory, [ONE], NOW), trace(inventory, [ONE], NOW, whole=True)
    assert (found.summed, whole.summed, len(lines(whole))) == (True, False, 400)
    assert sum(line.number for line in lines(found)) == 400
    assert len(lines(found)) < 60
    late = sum(line.late == "after" for line in lines(whole))
    assert found.late == whole.late == late == sum(line.number for line in lines(found) if line.late == "after") > 100
    assert all(line.time <= line.last for line in found.lines)
    assert not [line for line in lines(found) if line.time < START + 100 * HOUR < line.last]


def test_a_sum_hides_nothing_that_changes_rights_and_names_no_program_for_another(inventory: Inventory) -> None:
    """Among hundreds of reads, each operation of the kind that most can be done with has its line; of several programs that is said."""
    many = [use(number, number, agent="Terraform/1" if number % 3 else "curl/8") for number in range(300)]
    inventory.keep([*many, use(300, 7.5, operation="iam:CreateAccessKey", access="admin", agent="x/1")], [])
    read, made = lines(trace(inventory, [ONE], NOW))
    assert (read.number, read.agent) == (300, "Terraform/1 and 1 more")
    assert (made.number, made.what, made.agent, made.time) == (1, "iam:CreateAccessKey", "x/1", START + 7.5)


def test_times_that_nobody_declared_begin_nothing(inventory: Inventory) -> None:
    """A declared day of expiry has no day of issuance with it, so that the issuance is not known."""
    inventory.declare(credentials=[Credential(ONE)], lifecycle=[happened(1, -START, "issued", expires=START + DAY)])
    found = trace(inventory, [ONE], NOW)
    assert [(line.kind, line.time) for line in found.lines] == [("expired", START + DAY)]
    assert found.lineage == ()
    assert [hole.what for hole in found.holes] == ["issuance"]


@pytest.mark.parametrize("seed", range(150))
def test_the_trace_and_the_monitor_say_the_same_of_what_is_late(inventory: Inventory, seed: int) -> None:
    """In any history of one credential there is a red line where the monitor has a finding of use after an end, and nowhere else. Many things
    happen at one moment.
    """
    chance = random.Random(seed)
    uses, life = [], [happened(0, 0, "issued", identity=ME)]
    for number in range(1, chance.randrange(2, 14)):
        time = chance.randrange(1, 50) * 200.0
        if chance.random() < 0.5:
            outcome, workload = chance.choice(["success", "success", "denied", "failed"]), chance.choice(["", "run"])
            uses.append(use(number, time, outcome=outcome, workload=workload))
            continue
        kinds = ["suspended", "activated", "revoked", "bound", "job_started", "job_ended", "renewed", "expired", "superseded", "whole"]
        kind = chance.choice(kinds)
        if kind == "superseded":
            life.append(happened(number, time, "rotated", TWO, supersedes=ONE, identity=ME))
        elif kind == "whole":
            told = happened(number, time, chance.choice(["suspended", "activated"]), "", identity=ME)
            life.append(told._replace(source=chance.choice(["lifecycle", "cloudtrail"])))
        else:
            more = (
                {"workload": "run"}
                if kind in ("bound", "job_started", "job_ended")
                else {"expires": START + time + 900}
                if kind == "renewed"
                else {}
            )
            told = happened(number, time, kind, "" if kind.startswith("job_") else ONE, **more)
            life.append(told._replace(source=chance.choice(["lifecycle", "cloudtrail"])))
    inventory.keep(uses, life)
    monitor(inventory, Settings(), NOW)
    codes = ("POST_REVOCATION_USE", "POST_ROTATION_USE", "POST_JOB_USE", "EXPIRED_ACCEPTED")
    said = {cited.uid for signal in signals_of(inventory, ME) if signal.code in codes for cited in signal.evidence if cited.role == "use"}
    red = {line.uid for line in trace(inventory, [ONE], NOW).lines if line.late == "after"}
    assert red == said


@pytest.mark.parametrize(
    "seconds, said",
    [(0.2, "under 1 s"), (59, "59 s"), (300, "5 min"), (15_120, "4 h 12 min"), (86_400 * 3 + 5, "3 d"), (90_000, "1 d 1 h")],
)
def test_an_interval_is_told_in_its_two_greatest_units(seconds: float, said: str) -> None:
    """Of `3 d 0 h` the second says nothing."""
    assert spell(seconds) == said


def test_an_issuance_that_is_told_with_each_call_is_one_line(inventory: Inventory) -> None:
    """A call token that several calls of a task share; it ends with the task."""
    life = [happened(number, number * HOUR, "issued", workload="task") for number in range(3)]
    ended = happened(9, 3 * HOUR, "job_ended", "", workload="task")
    inventory.keep([use(number, number * HOUR + 1) for number in range(5)], [*life, ended])
    found = trace(inventory, [ONE], NOW)
    assert [line.kind for line in found.lines] == ["issued", "used", "used", "used", "job_ended", "used", "used"]
    assert [line.late for line in lines(found)] == ["", "", "", "grace", "after"]
    assert not found.holes


def test_an_identity_that_is_active_again_and_an_event_between_two_uses_of_a_day(inventory: Inventory) -> None:
    """A suspended identity's credentials may be used again when it is; sums never go past something that happened."""
    uses = [use(number, number * 60.0) for number in range(300)]
    life = [
        happened(1, -1, "issued"), happened(2, 6_000, "suspended", "", identity=ME), happened(3, 12_000, "activated", "", identity=ME),
        happened(4, 15_000, "renewed", generation=2),
    ]  # fmt: skip
    inventory.keep(uses, life)
    found = trace(inventory, [ONE], NOW)
    assert [line.kind for line in found.lines] == ["issued", "used", "suspended", "used", "used", "activated", "used", "renewed", "used"]
    assert [(line.late, line.number) for line in lines(found)] == [("", 101), ("grace", 5), ("after", 95), ("", 50), ("", 49)]


def test_a_job_ends_what_was_used_in_it_and_one_that_starts_again_runs_anew(inventory: Inventory) -> None:
    """Nothing says that the credential is bound: its own uses do. A use before the end of the job's second run is in time."""
    life = [
        happened(1, -1, "issued"), happened(2, HOUR, "job_ended", "", workload="run"), happened(3, 3 * HOUR, "job_started", "", workload="run"),
    ]  # fmt: skip
    inventory.keep([use(number, number * HOUR + 60, workload="run") for number in (0, 2, 4)], life)
    found = trace(inventory, [ONE], NOW)
    assert [line.late for line in lines(found)] == ["", "after", ""]
    assert late_words(lines(found)[1]) == "1 h 1 min after the end of its job"
