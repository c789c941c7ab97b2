"""Privilege drift: what an identity may do, against what it does, against what it is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from licet.events import LifecycleEvent, UseEvent
from licet.ingest.aws_actions import action_of
from licet.inventory.model import Declared, Identity
from licet.inventory.permissions import Shown, covers
from licet.inventory.privileges import DAY, Drift, drift, is_over_scoped
from licet.inventory.store import Inventory

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

START = 1_700_000_000.0  # 2023-11-14
NOTHING = Declared()
BOT = "arn:aws:iam::1:role/bot"


def use(day: float, operation: str, identity: str = BOT, outcome: str = "success") -> UseEvent:
    return UseEvent(
        "cloudtrail", f"{identity} {operation} {day}", START + day * DAY, identity, operation, account="1", outcome=outcome,  # type: ignore[arg-type]
        digest="00", place="x:1",
    )  # fmt: skip


def grant(day: float, privilege: str, kind: str = "granted", outcome: str = "success", identity: str = BOT) -> LifecycleEvent:
    return LifecycleEvent(
        "cloudtrail", f"{kind} {privilege} {day}", START + day * DAY, kind, identity, by="ada", privilege=privilege, account="1",  # type: ignore[arg-type]
        outcome=outcome,  # type: ignore[arg-type]
    )  # fmt: skip


def others(days: int, *operations: str) -> list[UseEvent]:
    """Somebody else uses all that is asked about, each day, so that the logs show it and reach over the time."""
    return [use(day, operation, "somebody else") for day in range(days) for operation in operations]


def drifted(path: Path, uses: list[UseEvent], lifecycle: list[LifecycleEvent], declared: Declared = NOTHING, now: float = 0.0) -> Drift:
    inventory = Inventory(path / "inventory.db")
    inventory.declare(identities=[Identity(BOT, declared=declared)])
    inventory.keep(uses, lifecycle)
    found = drift(inventory, BOT, Shown.of(inventory, action_of), action_of, now=now or START + 4_000 * DAY)
    inventory.close()
    return found


def verdicts(found: Drift) -> dict[str, str]:
    return {each.grant.privilege: each.verdict for each in found.held}


def test_used_and_unused_permissions_are_told_apart_with_their_evidence(tmp_path: Path) -> None:
    found = drifted(
        tmp_path, [*others(200, "iam:CreateUser", "ec2:RunInstances"), use(150, "ec2:RunInstances"), use(20, "iam:CreateUser", outcome="denied")],
        [grant(1, "iam:CreateUser"), grant(1, "ec2:RunInstances")],
    )  # fmt: skip
    assert verdicts(found) == {"iam:CreateUser": "unused", "ec2:RunInstances": "used"}
    (proposal,) = found.proposals
    assert (proposal.permission, proposal.change, proposal.evidence) == ("iam:CreateUser", (), "never used; 1 time in vain")
    assert proposal.events == ("cloudtrail/granted iam:CreateUser 1!granted",)
    assert is_over_scoped(found)


@pytest.mark.parametrize(
    "day, verdict", [(195, "young"), (150, "young"), (108, "unused")], ids=["in its grace", "in the window", "older than the window"]
)
def test_a_permission_younger_than_the_window_is_not_unused(tmp_path: Path, day: int, verdict: str) -> None:
    """As of the latest event of the logs, day 199, however long ago that is."""
    found = drifted(tmp_path, [*others(200, "iam:CreateUser"), use(199, "sts:GetCallerIdentity")], [grant(day, "iam:CreateUser")])
    assert verdicts(found) == {"iam:CreateUser": verdict}
    assert [each.grant.privilege for each in found.added] == (["iam:CreateUser"] if day == 150 else [])


def test_logs_that_do_not_reach_over_the_window_tell_of_nothing_unused(tmp_path: Path) -> None:
    found = drifted(
        tmp_path,
        [*others(80, "iam:CreateUser"), use(79, "sts:GetCallerIdentity")],
        [grant(-300, "iam:CreateUser")._replace(source="lifecycle")],
    )
    assert verdicts(found) == {"iam:CreateUser": "young"}


def test_what_rested_as_long_before_is_no_reason_to_take_it_away(tmp_path: Path) -> None:
    """Once a year is a rare job; once in ten days, and then not for 200, is over."""
    rare = [use(day, "iam:CreateUser") for day in (0, 100, 200)]
    often = [use(day, "ec2:RunInstances") for day in (180, 190, 200)]
    found = drifted(
        tmp_path, [*others(400, "iam:CreateUser", "ec2:RunInstances"), *rare, *often], [grant(0, "iam:CreateUser"), grant(0, "ec2:RunInstances")]
    )  # fmt: skip
    assert verdicts(found) == {"iam:CreateUser": "used", "ec2:RunInstances": "unused"}
    assert found.proposals[0].evidence == "used 3 times from 2024-05-12 to 2024-06-01, longest pause 10 d"


@pytest.mark.parametrize(
    "privilege, shown",
    [("arn:aws:iam::aws:policy/ReadOnlyAccess", "s3:PutObject"), ("s3:GetObject", "s3:CreateBucket"), ("rds:DeleteDBInstance", "s3:CreateBucket")],
    ids=["a policy", "not logged unless told to", "a service that no log shows"],
)  # fmt: skip
def test_where_no_log_would_show_the_use_nothing_is_told(tmp_path: Path, privilege: str, shown: str) -> None:
    found = drifted(tmp_path, [*others(300, shown), use(299, shown)], [grant(0, privilege)])
    assert verdicts(found) == {privilege: "untold"}
    assert not found.proposals


def test_what_was_taken_back_or_only_tried_is_no_permission(tmp_path: Path) -> None:
    """Nor is who may take a role on; what was taken back and given again is held since then."""
    found = drifted(
        tmp_path, others(300, "iam:CreateUser", "iam:TagUser", "iam:DeleteUser"),
        [grant(0, "iam:CreateUser"), grant(5, "iam:CreateUser", "ungranted"), grant(0, "iam:TagUser", outcome="denied"),
         grant(0, "sts:AssumeRole"), grant(0, "iam:DeleteUser"), grant(9, "iam:DeleteUser", "ungranted"), grant(290, "iam:DeleteUser")],
    )  # fmt: skip
    assert verdicts(found) == {"iam:DeleteUser": "young"}


def test_uses_outside_the_declared_purpose_are_counted_in_the_window(tmp_path: Path) -> None:
    uses = [use(250, "iam:CreateUser"), use(260, "iam:CreateUser"), use(100, "iam:DeleteUser"), use(299, "s3:ListBuckets")]
    found = drifted(tmp_path, [*others(300, "s3:ListBuckets"), *uses], [], Declared(uses=("s3:ListAllMyBuckets",)))
    assert [(operation, tally.uses) for operation, tally in found.outside] == [("iam:CreateUser", 2)]
    assert found.purpose == ("s3:ListAllMyBuckets",)  # by its name as a permission, `s3:ListBuckets` is inside


def test_a_pattern_that_was_used_for_little_is_proposed_to_be_narrowed(tmp_path: Path) -> None:
    uses = [use(day, "s3:GetBucketAcl") for day in range(0, 200, 9)]
    found = drifted(tmp_path, [*others(200, "s3:GetBucketAcl", "s3:CreateBucket"), *uses], [], Declared(uses=("s3:*",)))
    assert [(each.permission, each.change) for each in found.proposals] == [("s3:*", ("s3:GetBucketAcl",))]
    assert not is_over_scoped(found)


def test_the_uses_of_all_names_of_an_identity_count(tmp_path: Path) -> None:
    inventory = Inventory(tmp_path / "inventory.db")
    inventory.declare(identities=[Identity(BOT), Identity("face", same_as=BOT, same_confidence=1.0)])
    inventory.keep([*others(200, "iam:CreateUser"), use(199, "iam:CreateUser", "face")], [grant(0, "iam:CreateUser")])
    assert verdicts(drift(inventory, BOT, Shown.of(inventory, action_of), action_of, now=START + 300 * DAY)) == {"iam:CreateUser": "used"}
    inventory.close()


@pytest.mark.parametrize(
    "permission, operation, covered",
    [
        ("s3:GetObject", "s3:GetObject", True), ("s3:getobject", "s3:GetObject", True), ("s3:Get*", "s3:GetObject", True),
        ("s3:GetObject", "s3:HeadObject", True), ("s3:Put*", "s3:GetObject", False), ("graph:Mail.Read", "exchange:MailItemsAccessed", True),
        ("graph:Mail.Read", "sharepoint:FileAccessed", False), ("core:get/secrets", "core:get/secrets", True),
    ],
)  # fmt: skip
def test_what_a_permission_is_for(permission: str, operation: str, covered: bool) -> None:
    assert covers(permission, operation, action_of(operation)) == covered
