"""Who does not say who he is, and is let in all the same, is a finding alone, unless what he asks is open to everybody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from licet.events import UseEvent
from licet.ingest import kubernetes
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.model import Declared, Identity
from licet.inventory.store import Inventory
from licet.monitor.explain import holds
from licet.monitor.kept import kept
from licet.monitor.run import monitor
from licet.monitor.signal import Signal
from licet.monitor.stored import signals_of
from licet.monitor.world import DAY, Settings

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

NOBODY = "system:anonymous"
NOW = 1_772_366_400.0 + 2 * DAY
FALCO = Path(__file__).parents[3] / "shared/data/nhi/falco_k8s_audit/traces/anonymous_creates_namespace_foo.json"


class Place:
    """A cluster."""

    def __init__(self, account: str) -> None:
        self.account, self.fingerprint = account, Fingerprints(b"k" * 32).of


def event(verb: str, uri: str, *, code: int = 200, account: str = "eks-prod", **more: Any) -> UseEvent:
    record = {
        "kind": "Event", "auditID": f"{verb} {uri} {code} {account}", "stage": "ResponseComplete", "requestURI": uri, "verb": verb,
        "user": {"username": NOBODY, "groups": ["system:unauthenticated"]}, "sourceIPs": ["203.0.113.9"], "userAgent": "curl/8",
        "responseStatus": {"code": code}, "requestReceivedTimestamp": "2026-03-01T12:00:00.000000Z", **more,
    }  # fmt: skip
    (use,) = kubernetes.read(record, Place(account)).uses
    return use._replace(digest="00" * 32, place="log:1")


def config(space: str, name: str, **more: Any) -> UseEvent:
    target = {"resource": "configmaps", "namespace": space, "name": name}
    return event("get", f"/api/v1/namespaces/{space}/configmaps/{name}", objectRef=target, **more)


def told(*uses: UseEvent, declared: Declared | None = None) -> tuple[Inventory, list[Signal]]:
    inventory = Inventory(":memory:")
    if declared is not None:
        inventory.declare(identities=[Identity(NOBODY, declared=declared)])
    inventory.keep(list(uses), [])
    monitor(inventory, Settings(), NOW)
    return inventory, [each for each in signals_of(inventory, NOBODY) if each.code == "ANONYMOUS_USE"]


@pytest.mark.parametrize("uri", [
    "/healthz", "/healthz/ping", "/livez?verbose", "/readyz", "/version", "/api", "/apis/apps/v1", "/openapi/v3",
    "/.well-known/openid-configuration", "/openid/v1/jwks",
])  # fmt: skip
def test_what_everybody_may_see_is_no_finding(uri: str) -> None:
    assert told(event("get", uri))[1] == []


def test_neither_is_what_a_machine_needs_to_join_nor_what_was_denied_nor_what_was_declared() -> None:
    assert told(config("kube-public", "cluster-info"))[1] == []
    assert told(config("shop", "prices", code=403))[1] == []
    assert told(config("shop", "prices"), declared=Declared(uses=("core:get/configmaps",)))[1] == []


@pytest.mark.parametrize("code", [404, 409, 410, 422])
def test_what_only_fails_for_whom_it_let_in_shows_the_same(code: int) -> None:
    """A cluster looks for an object, and at what is sent, after it has let somebody in."""
    failed, done = config("shop", "prices", code=code), config("shop", "prices")
    inventory, (found,) = told(failed)
    assert (found.alert, f"was let in ({code}) for core:get/configmaps" in found.observed) == (True, True)
    assert holds(found, inventory, Settings(), NOW) == (True, True)
    assert ["did" in each.observed.split() for each in told(failed, done)[1]] == [False, True]
    assert told(config("shop", "prices", code=429))[1] == []
    assert told(config("kube-public", "cluster-info", code=code))[1] == []


@pytest.mark.parametrize("uri, verb, severity", [
    ("/metrics", "get", "high"), ("/healthzz", "get", "high"), ("/healthz", "post", "critical"), ("/debug/pprof/heap", "get", "high"),
])  # fmt: skip
def test_another_address_of_the_server_is(uri: str, verb: str, severity: str) -> None:
    assert [(each.alert, each.severity) for each in told(event(verb, uri))[1]] == [(True, severity)]


def test_what_is_read_without_credentials_is_a_finding_that_explains_itself() -> None:
    inventory, found = told(config("kube-public", "cluster-info"), config("kube-public", "other"))
    (signal,) = found
    assert (
        "core:get/configmaps on namespaces/kube-public/configmaps/other in eks-prod without any credential, from 203.0.113.9"
        in signal.observed
    )
    assert holds(signal, inventory, Settings(), NOW) == (True, True)
    told_of = [why for each in kept(inventory) if (why := each.finding.explanation) and why.identity == NOBODY]
    assert [why.codes for why in told_of] == [("ANONYMOUS_USE",)]


def test_two_clusters_are_two_things() -> None:
    assert len(told(config("shop", "prices"), config("shop", "prices", account="eks-dev"))[1]) == 2


@pytest.mark.skipif(not FALCO.is_file(), reason="the third-party logs are not here")
def test_the_published_record_of_who_makes_a_namespace_without_a_name_is_found() -> None:
    uses = kubernetes.read(json.loads(FALCO.read_text()), Place("")).uses
    assert [each.severity for each in told(*(use._replace(digest="00" * 32, place="log:1") for use in uses))[1]] == ["critical"]
