"""One credential, and two who have it."""

from __future__ import annotations

from licet.drill.natives import cloudtrail, licet, lifecycle
from licet.drill.scenario import Play, Record, Scenario
from licet.drill.scenarios.declaring import owned
from licet.drill.stage import DAY, HOUR, MINUTE, Stage


def stale_generation(stage: Stage, source: str, twin: bool) -> Play:  # noqa: ARG001, FBT001 - of all plays
    """A credential is renewed, each time with the counter of the renewal before; then an old one is shown. The twin shows the last."""
    who = stage.actor.uid if stage.actor is not None else f"bot:{stage.name()}"
    credential = f"cert-{stage.uuid()}"
    counter = stage.rng.randrange(1, 400)
    begun, renewals = stage.before(4 * DAY, 3 * DAY), stage.rng.randrange(2, 6)
    records: list[Record] = []
    last = ""
    for step in range(renewals + 1):
        kind = "renewed" if step else "issued"
        shown = counter + step - 1 if step else None
        record, last = lifecycle.told(
            stage, begun + step * 8 * HOUR, kind, credential=credential, identity=who, generation=counter + step, presented_generation=shown
        )
        records.append(record)
    now, old = counter + renewals, counter + stage.rng.randrange(renewals)
    live, live_id = lifecycle.told(
        stage, stage.now + 1, "renewed", live=True, credential=credential, identity=who, generation=now + 1,
        presented_generation=now if twin else old,
    )  # fmt: skip
    declared = {"identities": [owned(stage, who, "bot")]}
    if twin:
        return Play(who, credential, (*records, live), declared, differs="the counter of the last renewal was presented")
    return Play(
        who, credential, (*records, live), declared, frozenset({"GENERATION_MISMATCH"}),
        shows=(f"generation {old} was presented", f"generation {now},"), cites=(last, live_id), owner=stage.owner,
    )  # fmt: skip


def shared_credential(stage: Stage, source: str, twin: bool) -> Play:  # noqa: FBT001
    """Two workloads use one credential. In the twin the second has its own, or comes after the first has ended."""
    return _two_agents(stage, twin) if source == "licet" else _two_hosts(stage, twin)


def _two_hosts(stage: Stage, twin: bool) -> Play:  # noqa: FBT001
    """The vault hands a user's key to a second host while the first one runs."""
    who, key = cloudtrail.user(stage), stage.access_key()
    first, second = f"host/{stage.name()}", f"host/{stage.name()}"
    operation = stage.rng.choice(("s3:ListBuckets", "ec2:DescribeInstances", "sqs:ListQueues", "sns:ListTopics"))
    bound, bound_id = lifecycle.told(stage, stage.before(6 * DAY, 5 * DAY), "bound", credential=key, identity=who.uid, workload=first)
    records = [bound, *(cloudtrail.called(stage, who, time, operation, key)[0] for time in stage.habit(4, 2))]
    over = stage.before(40 * MINUTE, 20 * MINUTE)
    if twin:
        records.append(lifecycle.told(stage, over, "job_ended", workload=first)[0])
    again, again_id = lifecycle.told(stage, stage.now, "bound", live=True, credential=key, identity=who.uid, workload=second)
    used, _ = cloudtrail.called(stage, who, stage.now + 2, operation, key, live=True)
    records += [again, used]
    declared = {"identities": [owned(stage, who.uid, "service_account")]}
    if twin:
        return Play(who.uid, key, tuple(records), declared, differs="the first host was gone before the second began")
    return Play(
        who.uid, key, tuple(records), declared, frozenset({"SHARED_CREDENTIAL"}), shows=(first, second), cites=(bound_id, again_id),
        owner=stage.owner,
    )  # fmt: skip


def _two_agents(stage: Stage, twin: bool) -> Play:  # noqa: FBT001
    """An agent calls with the call token of another one."""
    one = licet.agent(stage)
    other = licet.agent(stage, one.place)._replace(name=stage.name())
    tool, jti, task = licet.tool(stage), licet.token(stage), licet.token(stage)
    records = [licet.called(stage, one, time, licet.tool(stage), licet.token(stage))[0] for time in stage.habit(3, 2)]
    before, before_id = licet.called(stage, one, stage.before(4 * MINUTE, 2 * MINUTE), tool, jti, task=task)
    own = licet.token(stage)
    after, after_id = licet.called(stage, other, stage.now + 1, tool, own if twin else jti, live=True)
    last, _ = licet.called(stage, one, stage.now + 3, tool, jti, task=task, seq=2, live=True)
    declared = {"identities": [owned(stage, one.uid, "ai_agent"), owned(stage, other.uid, "ai_agent")]}
    if twin:
        return Play(one.uid, jti, (*records, before, after, last), declared, differs="the second agent has a token of its own")
    # It is told of the credential, and stands with whom it was known of first. Both are named, and neither as the one who did it.
    return Play(
        one.uid, jti, (*records, before, after, last), declared, frozenset({"SHARED_CREDENTIAL"}), shows=(one.uid, other.uid),
        cites=(before_id, after_id), owner=stage.owner,
    )  # fmt: skip


SCENARIOS = (
    Scenario(
        "D10", "stale-generation", "a credential is renewed by a stale copy", ("lifecycle",), stale_generation,
        references=("NHI4", "ASI03", "DE.CM-09", "T1550.001"),
    ),
    Scenario(
        "D12", "shared-credential", "two workloads use one credential", ("cloudtrail", "licet"), shared_credential,
        references=("NHI9", "PR.AA-01", "T1078"),
    ),
)  # fmt: skip
