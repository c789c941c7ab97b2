"""What should have ended, and is used still."""

from __future__ import annotations

from licet.drill.natives import cloudtrail, lifecycle
from licet.drill.scenario import Play, Record, Scenario
from licet.drill.stage import DAY, MINUTE, Stage


def revoked_key(stage: Stage, source: str, twin: bool) -> Play:  # noqa: FBT001 - of all plays
    """A key is revoked, and used twenty minutes later. The twin's use is refused."""
    who = cloudtrail.user(stage)
    key = stage.access_key()
    issued = stage.before(40 * DAY, 30 * DAY)
    records: list[Record] = [lifecycle.told(stage, issued, "issued", credential=key, identity=who.uid)[0]]
    for time in stage.habit(5, 2, until=DAY):
        records.append(cloudtrail.called(stage, who, time, "s3:GetObject", key)[0])
    ended = stage.before(50 * MINUTE, 15 * MINUTE)
    end, end_id = lifecycle.told(stage, ended, "revoked", credential=key, reason="the machine was taken down")
    used, use_id = cloudtrail.called(
        stage, who, stage.now + 1, "s3:GetObject", key, live=True, error="AccessDenied" if twin else ""
    )  # fmt: skip
    records += [end, used]
    declared = {"identities": [{"identity": who.uid, "kind": "service_account", "owner": stage.owner}]}
    if twin:
        return Play(who.uid, key, tuple(records), declared, differs="the use was denied")
    return Play(
        who.uid, key, tuple(records), declared, codes=frozenset({"POST_REVOCATION_USE"}), cites=(end_id, use_id), owner=stage.owner,
    )  # fmt: skip


SCENARIOS = (
    Scenario(
        "D1", "revoked-key", "a revoked key is used", ("cloudtrail",), revoked_key,
        references=("NHI1", "ASI03", "PR.AA-01", "DE.CM-09", "T1078.004"),
    ),
)  # fmt: skip
