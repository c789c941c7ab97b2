"""What should have ended, and is used still."""

from __future__ import annotations

from licet.drill.natives import cloudtrail, github, kubernetes, lifecycle
from licet.drill.scenario import Play, Record, Scenario
from licet.drill.scenarios.declaring import owned
from licet.drill.scenarios.workers import Worker, worker
from licet.drill.stage import DAY, HOUR, MINUTE, Stage, seconds


def revoked_key(stage: Stage, source: str, twin: bool) -> Play:  # noqa: FBT001 - of all plays
    """A key is revoked, and used a while later. The twin's use is denied; GitHub logs no such use, so that there another key ended."""
    who = worker(stage, source)
    key, issued = who.credential, stage.before(40 * DAY, 30 * DAY)
    records = [lifecycle.told(stage, issued, "issued", credential=key, identity=who.uid)[0], *_worked(stage, who)]
    other = twin and source == "github"
    ended, time = who.another() if other else key, stage.before(50 * MINUTE, 15 * MINUTE)
    if who.ends is not None and stage.rng.random() < 0.5:
        end, end_id = who.ends(time, ended)
    else:
        reason = stage.rng.choice(("the machine was taken down", "lease revoked", "offboarding", ""))
        end, end_id = lifecycle.told(stage, time, "revoked", credential=ended, identity="" if other else who.uid, reason=reason)
    use, use_id = who.work(stage.now + 1, live=True, denied=twin and not other)
    records += [end, use]
    declared = {"identities": [owned(stage, who.uid, who.kind)]}
    if twin:
        return Play(
            who.uid, key, tuple(records), declared, owner=stage.owner,
            differs="another credential of it was revoked" if other else "the use was denied",
            signals=frozenset() if other else frozenset({"DENIED_AFTER_END"}),
        )  # fmt: skip
    return Play(
        who.uid, key, tuple(records), declared, frozenset({"POST_REVOCATION_USE"}), cites=(end_id, use_id), owner=stage.owner,
    )  # fmt: skip


def old_version(stage: Stage, source: str, twin: bool) -> Play:  # noqa: FBT001
    """A key is rotated, and the old version is used after the grace, and not in it alone. The twin uses the new one then."""
    who = worker(stage, source)
    old, new = who.credential, who.another()
    records = [lifecycle.told(stage, stage.before(95 * DAY, 85 * DAY), "issued", credential=old, identity=who.uid)[0], *_worked(stage, who)]
    time = stage.before(5 * HOUR, 15 * MINUTE)
    end, end_id = lifecycle.told(stage, time, "rotated", credential=new, supersedes=old, identity=who.uid)
    in_time, _ = who.work(time + stage.rng.randrange(20, 240))
    after, _ = who.work(float(int(time + (stage.now - time) * stage.rng.uniform(0.3, 0.9))), credential=new)
    use, use_id = who.work(stage.now + 1, credential=new if twin else old, live=True)
    records += [end, in_time, after, use]
    declared, overlap = {"identities": [owned(stage, who.uid, who.kind)]}, frozenset({"ROTATION_OVERLAP"})
    if twin:
        return Play(
            who.uid, new, tuple(records), declared, owner=stage.owner, differs="the new version was used", signals=overlap
        )  # fmt: skip
    return Play(
        who.uid, old, tuple(records), declared, frozenset({"POST_ROTATION_USE"}), cites=(end_id, use_id), owner=stage.owner,
        signals=overlap,
    )  # fmt: skip


def expired(stage: Stage, source: str, twin: bool) -> Play:  # noqa: FBT001
    """A key is used after the end that was said when it was issued. The twin's end is still to come."""
    who = worker(stage, source)
    ends = stage.now + stage.rng.randrange(2, 20) * DAY if twin else stage.before(5 * HOUR, 15 * MINUTE)
    begun, begun_id = lifecycle.told(
        stage, stage.before(40 * DAY, 30 * DAY), "issued", credential=who.credential, identity=who.uid, expires=seconds(ends)
    )
    use, use_id = who.work(stage.now + 1, live=True)
    records = (begun, *_worked(stage, who), use)
    declared = {"identities": [owned(stage, who.uid, who.kind)]}
    if twin:
        return Play(who.uid, who.credential, records, declared, owner=stage.owner, differs="its end is still to come")
    return Play(
        who.uid, who.credential, records, declared, frozenset({"EXPIRED_ACCEPTED"}), cites=(begun_id, use_id), owner=stage.owner,
    )  # fmt: skip


def reactivated(stage: Stage, source: str, twin: bool) -> Play:  # noqa: ARG001, FBT001
    """The vault revokes a key, and somebody switches it on at the platform. In the twin the vault has taken its word back by then."""
    who, key = cloudtrail.user(stage), stage.access_key()
    records = [cloudtrail.called(stage, who, time, "s3:GetObject", key)[0] for time in stage.habit(4, 2, until=DAY)]
    when = stage.before(5 * HOUR, 25 * MINUTE)
    end, end_id = lifecycle.told(stage, when, "revoked", credential=key, identity=who.uid)
    back, _ = lifecycle.told(stage, when + stage.rng.randrange(300, 1_200), "activated", credential=key, identity=who.uid)
    asked = {"userName": who.name.rpartition("/")[2], "accessKeyId": key, "status": "Active"}
    again, again_id = cloudtrail.called(
        stage, cloudtrail.administrator(stage, who.account), stage.now + 1, "iam:UpdateAccessKey", stage.access_key(temporary=True),
        parameters=asked, live=True,
    )  # fmt: skip
    declared = {"identities": [owned(stage, who.uid, "service_account")]}
    if twin:
        return Play(who.uid, key, (*records, end, back, again), declared, owner=stage.owner, differs="the vault had taken its word back")
    return Play(
        who.uid, key, (*records, end, again), declared, frozenset({"REACTIVATED"}), cites=(end_id, again_id), owner=stage.owner,
    )  # fmt: skip


def after_job(stage: Stage, source: str, twin: bool) -> Play:  # noqa: FBT001
    """A job's credential is used after its end. The twin's end was that of another job."""
    return _JOBS[source](stage, twin)


def _told_job(stage: Stage, twin: bool) -> Play:  # noqa: FBT001
    """The vault tells to which job a key is bound, and the pipeline when it is over."""
    who, key = cloudtrail.role(stage), stage.access_key(temporary=True)
    job = f"{stage.name()}/{stage.rng.randrange(10**8, 10**9)}"
    began = stage.before(100 * MINUTE, 70 * MINUTE)
    bound, bound_id = lifecycle.told(stage, began, "bound", credential=key, identity=who.uid, workload=job)
    ended = f"{stage.name()}/{stage.rng.randrange(10**8, 10**9)}" if twin else job
    end, end_id = lifecycle.told(stage, stage.before(40 * MINUTE, 10 * MINUTE), "job_ended", workload=ended)
    operation = stage.rng.choice(("s3:PutObject", "ecr:PutImage", "cloudformation:DescribeStacks", "ecs:DescribeServices"))
    work = [
        cloudtrail.called(stage, who, began + stage.rng.randrange(20, 1_500), operation, key)[0]
        for _ in range(stage.rng.randrange(2, 5))
    ]  # fmt: skip
    use, use_id = cloudtrail.called(stage, who, stage.now + 1, operation, key, live=True)
    return _job(stage, who.uid, "role", key, [bound, *work, end, use], (bound_id, end_id, use_id), twin=twin)


def _pod(stage: Stage, twin: bool) -> Play:  # noqa: FBT001
    """A pod is deleted, and its token is used."""
    who, token = kubernetes.account(stage), kubernetes.jti(stage)
    began = stage.before(100 * MINUTE, 70 * MINUTE)
    issue, _ = kubernetes.token(stage, who, began, token)
    operation = stage.rng.choice(("core:get/configmaps", "core:list/pods", "batch:get/jobs", "core:get/endpoints"))
    work = [kubernetes.called(stage, who, began + 60 * (1 + at), operation, token) for at in range(stage.rng.randrange(2, 5))]
    gone = kubernetes.pod(stage, who.name) if twin else who.pod
    end, end_id = kubernetes.by_hand(
        stage, kubernetes.person(stage), stage.before(40 * MINUTE, 10 * MINUTE), "core:delete/pods", name=gone, namespace=who.namespace,
        cluster=who.cluster,
    )  # fmt: skip
    use, use_id = kubernetes.called(stage, who, stage.now + 1, operation, token, live=True)
    records = [issue, *(record for record, _ in work), end, use]
    return _job(stage, who.uid, "service_account", token, records, (work[0][1], end_id, use_id), twin=twin)


def _run(stage: Stage, twin: bool) -> Play:  # noqa: FBT001
    """A run of a workflow is completed, and its token is used."""
    who, token = github.bot(stage), stage.token_hash()
    run = stage.rng.randrange(10**9, 2 * 10**10)
    began = stage.before(100 * MINUTE, 70 * MINUTE)
    begin, _ = github.completed(stage, who, began, run, began=True)
    work = [github.logged(stage, who, began + 60 * (1 + at), "git.clone", token, run=run) for at in range(stage.rng.randrange(1, 4))]
    ended = stage.rng.randrange(10**9, 2 * 10**10) if twin else run
    end, end_id = github.completed(stage, who, stage.before(40 * MINUTE, 10 * MINUTE), ended)
    use, use_id = github.logged(stage, who, stage.now + 1, "git.push", token, run=run, live=True)
    records = [begin, *(record for record, _ in work), end, use]
    return _job(stage, who.uid, "bot", token, records, (end_id, use_id), twin=twin)


_JOBS = {"cloudtrail": _told_job, "kubernetes": _pod, "github": _run}


def _job(  # noqa: PLR0917
    stage: Stage, uid: str, kind: str, credential: str, records: list[Record], cites: tuple[str, ...], *, twin: bool
) -> Play:  # fmt: skip
    declared = {"identities": [owned(stage, uid, kind)]}
    if twin:
        return Play(uid, credential, tuple(records), declared, owner=stage.owner, differs="it was another job that ended")
    return Play(uid, credential, tuple(records), declared, frozenset({"POST_JOB_USE"}), cites=cites, owner=stage.owner)


def _worked(stage: Stage, who: Worker) -> list[Record]:
    """Some days of its work, until yesterday."""
    return [who.work(time)[0] for time in stage.habit(stage.rng.randrange(4, 7), 2, until=DAY)]


SCENARIOS = (
    Scenario(
        "D1", "revoked-key", "a revoked key is used", ("cloudtrail", "kubernetes", "github", "okta", "entra"), revoked_key,
        references=("NHI1", "ASI03", "PR.AA-01", "DE.CM-09", "T1078.004", "AML.T0012"),
    ),
    Scenario(
        "D2", "old-version", "the old version of a key is used after its rotation", ("cloudtrail", "github"), old_version,
        references=("NHI1", "NHI7", "ASI03", "DE.CM-09", "T1550.001", "AML.T0091.000"),
    ),
    Scenario(
        "D3", "after-job", "a job's credential is used after its end", ("cloudtrail", "kubernetes", "github"), after_job,
        references=("NHI1", "NHI9", "ASI03", "DE.CM-09", "T1550.001"),
    ),
    Scenario(
        "D24", "expired-key", "a key is used after it expired", ("cloudtrail", "github"), expired,
        references=("NHI1", "NHI7", "ASI03", "DE.CM-09", "T1550.001"),
    ),
    Scenario(
        "D25", "reactivated", "a revoked key is switched on again by another", ("cloudtrail",), reactivated,
        references=("NHI1", "ASI03", "DE.CM-09", "T1098.001"),
    ),
)  # fmt: skip
