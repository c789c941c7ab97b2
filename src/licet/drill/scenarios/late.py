"""Records as they come in fact: out of order, twice, and late."""

from __future__ import annotations

from licet.clock import lasting
from licet.drill.natives import cloudtrail, lifecycle
from licet.drill.scenario import Play, Scenario
from licet.drill.scenarios.declaring import owned
from licet.drill.stage import DAY, MINUTE, Stage

_USES = ("s3:ListBuckets", "ec2:DescribeInstances", "sqs:ListQueues", "sns:ListTopics", "rds:DescribeDBInstances")


def late(stage: Stage, source: str, twin: bool) -> Play:  # noqa: ARG001, FBT001 - of all plays
    """A key is used after it was revoked, and of the revocation is heard last; each record comes twice. The twin's revocation is later."""
    who, key, operation = cloudtrail.user(stage), stage.access_key(), stage.rng.choice(_USES)
    history = [cloudtrail.called(stage, who, time, operation, key)[0] for time in stage.habit(4, 2, until=DAY)]
    ended = stage.before(50 * MINUTE, 15 * MINUTE)
    used, use_id = cloudtrail.called(stage, who, stage.now + 1, operation, key, live=True)
    again, again_id = cloudtrail.called(stage, who, stage.now + 3, operation, key, live=True)
    reason = stage.rng.choice(("the machine was taken down", "lease revoked", "offboarding", ""))
    when = stage.now + 5 if twin else ended
    end, end_id = lifecycle.told(stage, when, "revoked", credential=key, reason=reason, live=twin)
    stage.rng.shuffle(history)
    records = (again, *history, used, again, end, *history[:2], used, end)
    declared = {"identities": [owned(stage, who.uid, "service_account")]}
    if twin:
        return Play(who.uid, key, records, declared, differs="it was revoked after the use")
    return Play(
        who.uid, key, records, declared, frozenset({"POST_REVOCATION_USE"}), shows=(lasting(int(stage.now + 1 - ended)),),
        cites=(end_id, use_id, again_id), owner=stage.owner,
    )  # fmt: skip


SCENARIOS = (
    Scenario(
        "D19", "late", "a revoked key is used, and its records come late, twice and out of order", ("cloudtrail",), late,
        references=("DE.AE-03", "NHI1", "DE.CM-09", "T1078.004"),
    ),
)  # fmt: skip
