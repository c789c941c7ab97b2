"""Logging that is cut: by whoever turns it off, because nothing comes any more, or because nobody can read what comes."""

from __future__ import annotations

from collections.abc import Callable

from licet.drill.natives import cloudtrail, kubernetes, okta
from licet.drill.scenario import Play, Record, Scenario
from licet.drill.scenarios.declaring import owned
from licet.drill.stage import HOUR, MINUTE, Stage

_Make = Callable[[float], tuple[Record, str]]
_READS = ("core:get/configmaps", "core:list/pods", "core:get/endpoints", "coordination.k8s.io:get/leases")


def logging_cut(stage: Stage, source: str, twin: bool) -> Play:  # noqa: ARG001, FBT001 - of all plays
    """A trail is stopped or deleted. In the twin there is no such trail."""
    who, key = cloudtrail.role(stage), stage.access_key(temporary=True)
    trail = f"arn:aws:cloudtrail:{who.region}:{who.account}:trail/{stage.name()}"
    operation = stage.rng.choice(("cloudtrail:StopLogging", "cloudtrail:DeleteTrail"))
    records = [cloudtrail.called(stage, who, time, "ec2:DescribeInstances", key)[0] for time in stage.habit(3, 2)]
    live, cited = cloudtrail.called(
        stage, who, stage.now + 1, operation, key, parameters={"name": trail}, error="TrailNotFoundException" if twin else "", live=True
    )
    declared = {"identities": [owned(stage, who.uid, "role")]}
    if twin:
        return Play(who.uid, key, (*records, live), declared, differs="there is no such trail")
    return Play(
        who.uid, key, (*records, live), declared, frozenset({"LOGGING_DISABLED"}), shows=(trail,), cites=(cited,), owner=stage.owner,
    )  # fmt: skip


def source_silent(stage: Stage, source: str, twin: bool) -> Play:  # noqa: ARG001, FBT001
    """A cluster's audit log came for more than a day, and nothing has come for hours. The twin's last event is of a minute ago.

    Each record arrived within the hour: what is read in much later, all at once, is history, and no silence.
    """
    who, token = kubernetes.account(stage), kubernetes.jti(stage)
    silent = stage.rng.uniform(9, 14) * HOUR
    records = []
    cited, time = "", stage.now - silent - 34 * HOUR
    while time < stage.now - silent:
        record, cited = kubernetes.called(stage, who, float(int(time)), stage.rng.choice(_READS), token, name=stage.name())
        records.append(record._replace(arrived=(record.time // HOUR + 1) * HOUR))
        time += stage.rng.uniform(10, 40) * MINUTE
    last, _ = kubernetes.called(stage, who, stage.now - MINUTE, stage.rng.choice(_READS), token, name=stage.name())
    declared = {"identities": [owned(stage, who.uid, "service_account")]}
    if twin:
        records.append(last._replace(arrived=last.time + 5))
        return Play("", "", tuple(records), declared, differs="it wrote a minute ago")
    # Of a source, which is nobody's: there is no owner to call.
    return Play("", "", tuple(records), declared, frozenset({"SOURCE_SILENT"}), shows=(who.cluster,), cites=(cited,), owner="")


def _at_aws(stage: Stage) -> tuple[cloudtrail.User, _Make]:
    who, key = cloudtrail.user(stage), stage.access_key()
    return who, lambda time: cloudtrail.called(stage, who, time, "s3:ListBuckets", key)


def _at_okta(stage: Stage) -> tuple[okta.Account, _Make]:
    who = okta.client(stage)
    return who, lambda time: okta.happened(stage, who, time, "app.oauth2.as.token.grant.access_token")


def _no_text(body: bytes) -> bytes:
    return body.replace(b'":"', b'":"\xff', 1)


def _twice(body: bytes) -> bytes:
    return body[:-1] + b"," + body[1:]


def _no_number(body: bytes) -> bytes:
    return body[:-1] + b',"elapsed":NaN}'


_BROKEN = (_no_text, _twice, _no_number)
"""Ways in which a record can be such that two readers would read two things in it, or none anything."""


def records_refused(stage: Stage, source: str, twin: bool) -> Play:  # noqa: FBT001
    """Some records come in a form in which nobody can read them: what they tell of stays unknown. The twin's can be read."""
    who: cloudtrail.User | okta.Account
    who, make = _at_aws(stage) if source == "cloudtrail" else _at_okta(stage)
    records = [make(time)[0] for time in stage.habit(2, 3)]
    broken, number = stage.rng.choice(_BROKEN), stage.rng.randrange(2, 9)
    at = len(records) + 1
    for step in range(number):
        record, _ = make(stage.now + step)
        body = record.body if twin else broken(record.body)
        records.append(record._replace(body=body, live=True, refused=not twin))
    declared = {"identities": [owned(stage, who.uid, "service_account")]}
    if twin:
        return Play("", "", tuple(records), declared, differs="they can be read")
    return Play(
        "", "", tuple(records), declared, frozenset({"RECORDS_REFUSED"}),
        shows=(f"{source}: {number} records could not be used",), cites=(f"{source}/-:{at}",), owner="",
    )  # fmt: skip


SCENARIOS = (
    Scenario(
        "D17", "logging-cut", "a log is turned off", ("cloudtrail",), logging_cut, references=("ASI08", "DE.CM-09", "T1562.008"),
    ),
    Scenario(
        "D17b", "source-silent", "a source of logs falls silent", ("kubernetes",), source_silent,
        references=("ASI08", "DE.CM-09", "T1562.008"),
    ),
    Scenario(
        "D23", "records-refused", "records come that nobody can read", ("cloudtrail", "okta"), records_refused,
        references=("ASI08", "DE.CM-09", "T1562.008"), apart=True,
    ),
)  # fmt: skip
