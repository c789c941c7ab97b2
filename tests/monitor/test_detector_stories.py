"""Each reason: a story in which it is found, its benign twin in which one thing is otherwise and it is not, and what the explanation names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from licet.events import LifecycleEvent
from licet.inventory.model import Credential, Declared, Environment, Identity, Ownership
from licet.inventory.store import Inventory
from licet.monitor.codes import CODES
from licet.monitor.detectors import DETECTORS
from licet.monitor.explain import holds
from licet.monitor.world import Settings
from stories import DAY, HOUR, ME, MINUTE, NOW, Story, happened, use

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library


class Case(NamedTuple):
    """`names`: what observed and expected must name. `told`: of the same code, what is said in the twin as points at most."""

    code: str
    misuse: Callable[[], Story]
    twin: Callable[[], Story]
    names: tuple[str, ...]
    alert: bool = True
    twin_points: bool = False


PROD = [Environment("prod", ("111122223333",)), Environment("dev", ("444455556666",))]
APP = {"identity": ME, "by": "admin"}
NEW = {"credential": "cred:new"}
ELSEWHERE = {"network": "203.0.113.0/24", "ip": "203.0.113.9", "agent": "curl/8"}
YEAR = NOW + 400 * DAY


def after(kind: str, wait: float, outcome: str = "success") -> Story:
    return Story([use(0), happened(HOUR, kind, credential="cred:one"), use(HOUR + wait, outcome=outcome)])


def rotated(wait: float) -> Story:
    return Story([use(0), happened(HOUR, "rotated", supersedes="cred:one", **NEW), use(HOUR + 2 * MINUTE, **NEW), use(HOUR + wait)])


def job(wait: float) -> Story:
    bound = happened(0, "bound", credential="cred:one", workload="run:1", identity=ME)
    return Story([bound, use(MINUTE), happened(HOUR, "job_ended", workload="run:1"), use(HOUR + wait)])


def expired(until: float) -> Story:
    return Story([happened(0, "issued", credential="cred:one", identity=ME, expires=until), use(MINUTE), use(5 * HOUR)])


def suspended(*, again: bool) -> Story:
    items = [use(0), happened(HOUR, "suspended", credential="cred:one"), use(3 * HOUR)]
    return Story([*items, happened(2 * HOUR, "activated", credential="cred:one")] if again else items)


def rest(*days: float) -> Story:
    return Story([use(day * DAY) for day in days], now=YEAR)


def crossing(edges: list[tuple[str, str]], outcome: str = "success") -> Story:
    items = [use(0), use(HOUR, account="444455556666", outcome=outcome)]
    return Story(items, Declared(environment="prod"), environments=PROD, edges=edges)


def holders(wait: float, **thief: str) -> Story:
    return Story([use(0), use(10 * MINUTE), use(10 * MINUTE + wait, **{**ELSEWHERE, **thief})])


def workloads(*order: str) -> Story:
    return Story([use(number * HOUR, workload=name) for number, name in enumerate(order)])


def bound(*, over: bool) -> Story:
    items = [happened(0, "bound", credential="cred:one", identity=ME, workload="host/a"), use(MINUTE)]
    items += [happened(HOUR, "job_ended", workload="host/a")] if over else []
    return Story([*items, happened(2 * HOUR, "bound", credential="cred:one", identity=ME, workload="host/b")])


def renewed(presented: int) -> Story:
    about = {"credential": "cred:one", "identity": ME}
    return Story(
        [happened(0, "renewed", generation=3, presented=2, **about), happened(HOUR, "renewed", generation=4, presented=presented, **about)]
    )


def outside(**said: str) -> Story:
    declared = Declared(uses=("s3:*", "sqs:SendMessage"), regions=("eu-west-1",), networks=("192.0.2.0/24",))
    return Story([use(0), use(HOUR, **said)], declared)


def of_credential(operation: str) -> Story:
    """What the credential is for is less than what its identity is for."""
    credential = Credential("cred:one", identity=ME, declared=Declared(uses=("s3:GetObject",)))
    return Story([use(0, operation=operation)], Declared(uses=("s3:*",)), credentials=[credential])


def unowned(*, owner: bool = False, kind: str = "service_account", now: float = NOW) -> Story:
    items = [use(0), use(2 * DAY)]
    return Story([*items, happened(6 * HOUR, "owner_changed", identity=ME)] if owner else items, owned=False, kind=kind, now=now)


def keyed(*, kind: str = "unknown", credential_kind: str = "access_key", interactive: tuple[bool, ...] = (False, False)) -> Story:
    """A user of whom its source says what it is, or nobody does, and whom nobody owns."""
    about = {"identity_kind": kind, "credential_kind": credential_kind}
    return Story([use(number * 2 * DAY, interactive=each, **about) for number, each in enumerate(interactive)], owned=False, kind="unknown")


def person(kind: str, workload: str = "") -> Story:
    return Story([use(0), use(HOUR, interactive=True, agent="Mozilla/5", identity_kind=kind, workload=workload)], kind=kind)


def widened(*, third_party: bool, outcome: str = "success") -> Story:
    return Story(
        [use(0), happened(HOUR, "scope_widened", privilege="Mail.Read", outcome=outcome, **APP)], kind="oauth_app", third_party=third_party
    )


def secret(*, scope_after: float) -> Story:
    """A secret, and a wider scope some time later."""
    items = [use(0), happened(HOUR, "issued", credential_kind="client_secret", **APP, **NEW)]
    return Story([*items, happened(HOUR + scope_after, "scope_widened", privilege="Mail.Read", **APP)], kind="oauth_app")


def first_resource(operation: str) -> Story:
    items = [use(0), happened(HOUR, "scope_widened", privilege="Mail.Read", **APP), use(3 * HOUR, operation=operation)]
    return Story(items, kind="oauth_app", third_party=True)


def active_again(source: str) -> Story:
    again = happened(2 * HOUR, "activated", credential="cred:one", by="eve")._replace(source=source)
    return Story([use(0), happened(HOUR, "revoked", credential="cred:one"), again])


def granted(by: str, access: str = "admin", outcome: str = "success", privilege: str = "AdministratorAccess") -> Story:
    return Story([use(0), happened(HOUR, "granted", identity=ME, by=by, privilege=privilege, access=access, outcome=outcome)])


def made(*, elsewhere: bool, by: str = "admin") -> Story:
    later = {**ELSEWHERE, **NEW} if elsewhere else NEW
    return Story([use(0), happened(HOUR, "issued", identity=ME, by=by, credential_kind="access_key", **NEW), use(3 * HOUR, **later)])


def pipelines_grant(owner: str) -> Story:
    story = granted("pipe")
    story.others, story.owners = [Identity("pipe", "pipeline")], [Ownership("pipe", owner, "manifest", 1.0, 0.0)]
    return story


def canary(*, touched: bool) -> Story:
    shown = "cred:bait" if touched else "cred:one"
    return Story([use(0, credential=shown, outcome="denied")], credentials=[Credential("cred:bait", identity=ME, canary=True)])


def logging(kind: str, outcome: str = "success") -> Story:
    return Story([use(0), happened(HOUR, kind, identity=ME, by=ME, reason="the-trail", outcome=outcome)])


def logging_with(credential: str, native: str = "") -> Story:
    """As readers tell of it: one record is both the use of who did it, and what happened to the log."""
    did = use(HOUR, operation="cloudtrail:StopLogging", credential=credential)
    off = LifecycleEvent(
        did.source, did.native_id + native, did.time, "logging_stopped", ME, by=ME, account=did.account, reason="the-trail"
    )  # fmt: skip
    return Story([use(0), use(HOUR - 1, credential="cred:two"), did, off])


CASES = {
    "revoked, then used": Case("POST_REVOCATION_USE", lambda: after("revoked", HOUR), lambda: after("revoked", 2 * MINUTE), ("1 h", "revoked")),
    "deleted, then used": Case("POST_REVOCATION_USE", lambda: after("deleted", HOUR), lambda: after("deleted", HOUR, "denied"), ("deleted",)),
    "suspended, then used": Case("POST_REVOCATION_USE", lambda: suspended(again=False), lambda: suspended(again=True), ("suspended",)),
    "the old version": Case("POST_ROTATION_USE", lambda: rotated(HOUR), lambda: rotated(4 * MINUTE), ("1 h", "old version")),
    "after the job": Case("POST_JOB_USE", lambda: job(HOUR), lambda: job(-MINUTE), ("end of its job",)),
    "expired": Case("EXPIRED_ACCEPTED", lambda: expired(4 * HOUR), lambda: expired(6 * HOUR), ("1 h", "expired")),
    "denied after the end": Case("DENIED_AFTER_END", lambda: after("revoked", HOUR, "denied"), lambda: after("revoked", HOUR), ("denied",), alert=False),
    "both versions": Case("ROTATION_OVERLAP", lambda: rotated(4 * MINUTE), lambda: rotated(-MINUTE), ("4 min",), alert=False),
    "revived": Case("REVIVED", lambda: rest(0, 1, 2, 100), lambda: rest(0, 40, 41, 140), ("98 d", "90 d")),
    "asleep": Case("STALE_ACTIVE", lambda: rest(0, 1), lambda: rest(0, 1, 410), ("90 d",), alert=False),
    "crossing": Case("ENV_CROSSING", lambda: crossing([]), lambda: crossing([("prod", "dev")]), ("prod", "dev", "444455556666")),
    "two holders": Case("CONCURRENT_HOLDERS", lambda: holders(5 * MINUTE), lambda: holders(2 * HOUR), ("203.0.113.0/24", "192.0.2.0/24", "curl")),
    "two countries": Case(
        "CONCURRENT_HOLDERS", lambda: Story([use(0, country="NL"), use(MINUTE, network="203.0.113.0/24", country="KR")]),
        lambda: Story([use(0, country="NL"), use(MINUTE, network="203.0.113.0/24", country="NL")]), ("NL", "KR")),
    "a new address is no holder": Case("CONCURRENT_HOLDERS", lambda: holders(5 * MINUTE), lambda: holders(5 * MINUTE, agent="boto3/2"), ("boto3",)),
    "two workloads in turns": Case("SHARED_CREDENTIAL", lambda: workloads("run:a/1", "run:b/2", "run:a/3"),
                                   lambda: workloads("run:a/1", "run:a/2", "run:b/3"), ("run:b/2", "run:a/3")),
    "two repositories whose names end in a number": Case(
        "SHARED_CREDENTIAL", lambda: workloads("run:acme/repo-17-0/5094318971", "run:acme/repo-17-1/6673223472", "run:acme/repo-17-0/5094318971"),
        lambda: workloads("run:acme/repo-17-0/5094318971", "run:acme/repo-17-0/6673223472", "run:acme/repo-17-0/5094318971"), ("repo-17-1",)),
    "more instances of one": Case("SHARED_CREDENTIAL", lambda: workloads("api", "batch", "api"),
                                  lambda: workloads("api-7d9f8-xkqlp", "api-7d9f8-bcdfg", "api-7d9f8-xkqlp"), ("batch",)),
    "bound twice": Case("SHARED_CREDENTIAL", lambda: bound(over=False), lambda: bound(over=True), ("host/a", "host/b")),
    "a stale generation": Case("GENERATION_MISMATCH", lambda: renewed(2), lambda: renewed(3), ("generation 2", "generation 3")),
    "another purpose": Case("OUT_OF_PURPOSE_USE", lambda: outside(operation="iam:CreateUser"), lambda: outside(operation="sqs:SendMessage"),
                            ("iam:CreateUser", "s3:*")),
    "not the credential's purpose": Case("OUT_OF_PURPOSE_USE", lambda: of_credential("s3:PutObject"), lambda: of_credential("s3:GetObject"),
                                         ("s3:PutObject", "s3:GetObject")),
    "another region": Case("OUT_OF_REGION_USE", lambda: outside(region="us-east-1"), lambda: outside(region="eu-west-1"), ("us-east-1", "eu-west-1")),
    "another network": Case("OUT_OF_NETWORK_USE", lambda: outside(ip="203.0.113.9", network="203.0.113.0/24"), lambda: outside(ip="192.0.2.200"),
                            ("203.0.113.9", "192.0.2.0/24")),
    "nobody's": Case("UNOWNED_ACTIVE", unowned, lambda: unowned(owner=True), ("no owner",)),
    "nobody's, and a person": Case("UNOWNED_ACTIVE", lambda: unowned(kind="bot"), lambda: unowned(kind="human"), ("bot",)),
    "nobody's, for hours": Case("UNOWNED_ACTIVE", unowned, lambda: unowned(now=use(20 * HOUR).time), ("within a day",)),
    "nobody's, with a key that stays": Case("UNOWNED_ACTIVE", keyed, lambda: keyed(kind="human"), ("key programs use",)),
    "nobody's, with a key that was at a browser once": Case(
        "UNOWNED_ACTIVE", lambda: keyed(interactive=(False, True)), lambda: keyed(interactive=(True, True)), ("key programs use",)
    ),
    "nobody's, with a key after a while": Case(
        "UNOWNED_ACTIVE", lambda: keyed(interactive=(True,) * 9 + (False,)), lambda: keyed(interactive=(True,) * 10), ("key programs use",)
    ),
    "nobody's, with a session": Case("UNOWNED_ACTIVE", keyed, lambda: keyed(credential_kind="temporary_key"), ("no owner",)),
    "a person with an instance's session": Case("HUMAN_USE", lambda: person("role", "i-0d07f5d9f941e3a65"), lambda: person("role"), ("person", "role")),
    "a person": Case("HUMAN_USE", lambda: person("service_account"), lambda: person("human"), ("person", "service account")),
    "a wider scope": Case("APP_SCOPE_WIDENED", lambda: widened(third_party=True), lambda: widened(third_party=False), ("Mail.Read", "third party"),
                          twin_points=True),
    "a wider scope, denied": Case("APP_SCOPE_WIDENED", lambda: widened(third_party=True), lambda: widened(third_party=True, outcome="denied"), ()),
    "a secret and a scope": Case("APP_CREDENTIAL_ADDED", lambda: secret(scope_after=HOUR), lambda: secret(scope_after=3 * DAY), ("client secret",),
                                 twin_points=True),
    "a first resource": Case("APP_FIRST_RESOURCE", lambda: first_resource("exchange:MailItemsAccessed"), lambda: first_resource("s3:GetObject"),
                             ("exchange", "Mail.Read")),
    "a grant to itself": Case("SELF_GRANT", lambda: granted(ME), lambda: granted("admin"), ("AdministratorAccess", "itself")),
    "a grant to itself, denied": Case("SELF_GRANT", lambda: granted(ME), lambda: granted(ME, outcome="denied"), ()),
    "a key used elsewhere": Case("SELF_ISSUE", lambda: made(elsewhere=True), lambda: made(elsewhere=False), ("203.0.113.0/24", "admin")),
    "a key of its own making": Case("SELF_ISSUE", lambda: made(elsewhere=False, by=ME), lambda: made(elsewhere=False), ("access_key",), alert=False),
    "a right to everything": Case("GRANT_ADDED", lambda: granted("admin"), lambda: granted("admin", outcome="failed"), ("AdministratorAccess", "admin")),
    "a grant": Case(
        "GRANT_ADDED", lambda: granted("admin", privilege="s3-writer"), lambda: granted("admin", privilege="s3-writer", outcome="denied"),
        ("s3-writer", "admin"), alert=False,
    ),
    "active again": Case("REACTIVATED", lambda: active_again("cloudtrail"), lambda: active_again("lifecycle"), ("revoked", "lifecycle")),
    "a canary": Case("CANARY_TOUCHED", lambda: canary(touched=True), lambda: canary(touched=False), ("canary", "denied")),
    "logging off, denied": Case(
        "LOGGING_DISABLED", lambda: logging("logging_stopped"), lambda: logging("logging_stopped", "denied"), ("the-trail",)
    ),
    "logging off with a key": Case("LOGGING_DISABLED", lambda: logging_with("cred:one"), lambda: logging("logging_started"), ("the-trail",)),
    "logging off": Case("LOGGING_DISABLED", lambda: logging("logging_stopped"), lambda: logging("logging_started"), ("the-trail",)),
}  # fmt: skip


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return Inventory(tmp_path / "inventory.db")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_misuse_is_found_with_its_reason_and_names_what_was_observed_and_expected(case: Case, inventory: Inventory) -> None:
    found = [each for each in case.misuse().signals(inventory) if each.code == case.code]
    assert len(found) == 1, found
    said = f"{found[0].observed} | {found[0].expected}"
    assert found[0].alert is case.alert
    assert all(name in said for name in case.names), said


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_its_benign_twin_says_nothing_of_the_kind(case: Case, inventory: Inventory) -> None:
    found = [each for each in case.twin().signals(inventory) if each.code == case.code]
    assert not [each for each in found if each.alert or not case.twin_points], found


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_explanation_holds_without_what_it_cites_it_is_gone_and_with_nothing_else_it_is_there(case: Case, inventory: Inventory) -> None:
    story = case.misuse()
    for signal in story.signals(inventory):
        assert signal.evidence, signal
        assert holds(signal, inventory, Settings(), story.now) == (True, True), signal


def test_every_code_of_a_detector_has_a_story() -> None:
    """`DETECTORS` may be extended by those who learn; theirs are told elsewhere, and so is what nobody does."""
    elsewhere = {"NEW_NETWORK", "NEW_REGION", "NEW_AGENT", "NEW_API", "NEW_TOOL", "RATE", "SENSITIVE_ACTION", "ANONYMOUS_USE"}
    codes = {code for each in DETECTORS for code in each.codes}
    assert codes <= set(CODES)
    assert codes - elsewhere == {each.code for each in CASES.values()}


def test_what_nobody_owns_where_nobody_owns_anything_has_no_points(inventory: Inventory) -> None:
    story = unowned()
    story.keep(inventory)
    story.run(inventory)
    rows = inventory.rows("SELECT alert, points FROM signals WHERE code='UNOWNED_ACTIVE'")
    assert rows == [(0, 0.0)]


def test_a_grant_by_the_pipeline_of_its_owner_has_fewer_points_than_one_by_another(inventory: Inventory, tmp_path: Path) -> None:
    own = next(each for each in pipelines_grant("team").signals(inventory) if each.code == "GRANT_ADDED")
    other = next(each for each in pipelines_grant("strangers").signals(Inventory(tmp_path / "other.db")) if each.code == "GRANT_ADDED")
    assert own.points < other.points


@pytest.mark.parametrize(
    "native, credential, roles",
    [("", "cred:one", ["use", "end of logging"]), ("#2", "cred:one", ["use", "end of logging"]), ("", "", ["end of logging"])],
)
def test_who_turned_logging_off_did_it_with_the_credential_of_that_record(
    inventory: Inventory, native: str, credential: str, roles: list[str]
) -> None:  # fmt: skip
    """And not with that of the use before."""
    (found,) = [each for each in logging_with(credential, native).signals(inventory) if each.code == "LOGGING_DISABLED"]
    assert (found.credential, [each.role for each in found.evidence]) == (credential, roles)


def test_the_credential_of_another_record_is_not_that_with_which_logging_was_turned_off(inventory: Inventory) -> None:
    (found,) = [each for each in logging("logging_stopped").signals(inventory) if each.code == "LOGGING_DISABLED"]
    assert found.credential == ""


def test_the_same_again_is_one_signal_that_cites_both(inventory: Inventory) -> None:
    story = Story([use(0), happened(HOUR, "revoked", credential="cred:one"), use(2 * HOUR), use(3 * HOUR), use(4 * HOUR)])
    found = [each for each in story.signals(inventory) if each.code == "POST_REVOCATION_USE"]
    assert len(found) == 1
    assert [each.role for each in found[0].evidence] == ["revocation", "use", "use", "use"]
    assert found[0].time == use(2 * HOUR).time


def test_names_of_one_identity_are_judged_together(inventory: Inventory) -> None:
    """What was changed under one name and used under another is one story."""
    story = first_resource("exchange:MailItemsAccessed")
    items = [each._replace(identity="app:object") if each.uid.startswith("lifecycle") else each for each in story.items]
    story.items, story.others = items, [Identity("app:object", "oauth_app", same_as=ME, same_confidence=1.0, third_party=True)]
    assert "APP_FIRST_RESOURCE" in {each.code for each in story.signals(inventory)}
