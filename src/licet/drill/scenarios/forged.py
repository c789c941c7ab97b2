"""Misuse under a name that was a drill's, by somebody who hopes to be taken for one."""

from __future__ import annotations

from licet.drill.natives import cloudtrail, lifecycle
from licet.drill.scenario import Play, Scenario
from licet.drill.scenarios.declaring import owned
from licet.drill.stage import MINUTE, Stage

_USES = ("s3:ListBuckets", "ec2:DescribeInstances", "sqs:ListQueues", "sns:ListTopics", "rds:DescribeDBInstances")


def forged(stage: Stage, source: str, twin: bool) -> Play:  # noqa: ARG001, FBT001 - of all plays
    """A revoked key is used by whom an earlier drill was played as: that is over. The twin's key is nobody's drill, and is not revoked."""
    if twin:
        stage.actor = None
    who, key = cloudtrail.user(stage), stage.access_key()
    operation = stage.rng.choice(_USES)
    begun, _ = lifecycle.told(stage, stage.before(300 * MINUTE, 200 * MINUTE), "issued", credential=key, identity=who.uid)
    end, end_id = lifecycle.told(
        stage, stage.before(50 * MINUTE, 15 * MINUTE), "revoked", credential=key, reason="it is not needed any more"
    )
    used, use_id = cloudtrail.called(stage, who, stage.now + 1, operation, key, live=True)
    declared = {"identities": [owned(stage, who.uid, "service_account")]}
    if twin:
        return Play(who.uid, key, (begun, used), declared, differs="the name was never a drill's, and the key is not revoked")
    return Play(
        who.uid, key, (begun, end, used), declared, frozenset({"DRILL_FORGERY", "POST_REVOCATION_USE"}), cites=(end_id, use_id),
        owner=stage.owner,
    )  # fmt: skip


SCENARIOS = (
    Scenario(
        "D18", "forged-drill", "somebody acts under the name of an earlier drill", ("cloudtrail",), forged,
        references=("DE.CM-09",), after="D1",
    ),
)  # fmt: skip
