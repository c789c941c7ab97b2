"""The guard's own calls as a source: from a state folder's store and from the spans of the same run."""

from __future__ import annotations

import copy
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from exported import of_sdk
from licet import Denied, Guard
from licet.events import LifecycleEvent, UseEvent
from licet.guard.state import StateFolder
from licet.ingest import licet_spans, own
from licet.ingest.recognised import Recognised, Unreadable
from licet.inventory.declared import credential_id
from licet.manifest import loads
from licet.records import Revocation, ToolCall
from licet.store import SqliteStore
from readers import CANARY, place, read_or_refused, with_canary

MANIFEST = """
licet: 1
environment: dev
owners: {ops: {name: Operations, contact: ops@acme.example}}
agents: {bot: {owner: ops, tasks: [work]}}
credentials: {crm-reader: {owner: ops, kind: api-key}}
tools:
  look: {access: read, egress: false, credential: crm-reader, output: trusted}
  add: {access: write, egress: false}
  drop: {access: admin, egress: false, credential: crm-reader}
tasks:
  work: {intent: Work, ttl: 10m, tools: {look: {}, add: {}}}
"""
AT = place()


class Ran(NamedTuple):
    """A run: its state folder, what was exported of it, and its task."""

    state: Path
    exported: dict[str, Any]
    task: str


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """One task: a call that is done, one that fails, and one that is denied."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "licet.yaml").write_text(MANIFEST, encoding="utf-8")
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "here", "deployment.environment.name": "dev"}))
    provider.add_span_processor(SimpleSpanProcessor(kept))
    guard = Guard.from_file(folder / "licet.yaml", state=folder / "state", tracer_provider=provider)

    @guard.tool
    def look() -> str:
        return "seen"

    @guard.tool
    def add(n: int) -> int:
        raise RuntimeError(str(n))

    @guard.tool
    def drop() -> None:
        pass

    with guard.task("work", intent="Add 5", agent="bot", principal="user:grace") as task:
        look()
        with pytest.raises(RuntimeError):
            add(n=5)
        with pytest.raises(Denied):
            drop()
    guard.close()
    return Ran(folder / "state", of_sdk(kept.get_finished_spans()), task.id)


def of_store(ran: Ran, **more: Any) -> Recognised:
    setting = own.setting_of(loads(MANIFEST), AT.fingerprint)
    store = SqliteStore(StateFolder(ran.state).store)
    try:
        pages = list(own.pages(store, AT.fingerprint, setting, now=time.time(), **more))
    finally:
        store.close()
    return Recognised(tuple(use for page in pages for use in page.found.uses), tuple(e for page in pages for e in page.found.lifecycle))


def by_tool(found: Recognised, credential_kind: str = "call_token") -> dict[str, UseEvent]:
    return {use.operation: use for use in found.uses if use.credential_kind in (credential_kind, "")}


def life(found: Recognised, credential: str) -> list[LifecycleEvent]:
    return sorted((event for event in found.lifecycle if event.credential == credential), key=lambda event: event.time)


def test_a_call_is_a_use_of_its_agent_in_its_task_with_its_own_token(ran: Ran) -> None:
    uses = by_tool(of_store(ran))
    look = uses["tool:look"]
    assert (look.identity, look.identity_kind, look.session, look.workload, look.intent) == (
        "agent:bot",
        "ai_agent",
        ran.task,
        ran.task,
        "work",
    )
    assert look.credential.startswith("cred:")
    assert (look.access, uses["tool:add"].access) == ("read", "write")
    assert look.credential != uses["tool:add"].credential
    assert {name: use.outcome for name, use in uses.items()} == {"tool:look": "success", "tool:add": "failed", "tool:drop": "denied"}
    assert uses["tool:add"].error == "RuntimeError"
    assert uses["tool:drop"].error == "scope.tool"


def test_a_denied_call_has_no_token_and_no_life_of_one(ran: Ran) -> None:
    found = of_store(ran)
    denied = by_tool(found)["tool:drop"]
    assert denied.credential == ""
    assert not [event for event in found.lifecycle if event.native_id == denied.native_id]


def test_a_token_is_issued_with_an_end_and_bound_to_its_task(ran: Ran) -> None:
    found = of_store(ran)
    look = by_tool(found)["tool:look"]
    (issued,) = life(found, look.credential)
    assert (issued.kind, issued.workload) == ("issued", ran.task)
    assert issued.time <= look.time < issued.expires <= issued.time + 301


def test_a_token_that_several_calls_of_a_task_share_ends_with_none_of_them(tmp_path: Path) -> None:
    """Calls of tools that read have one token together: the later ones are no uses after the end."""
    (tmp_path / "licet.yaml").write_text(MANIFEST, encoding="utf-8")
    guard = Guard.from_file(tmp_path / "licet.yaml", state=tmp_path / "state")

    @guard.tool
    def look() -> str:
        return "seen"

    with guard.task("work", intent="Look", agent="bot", principal="user:grace") as task:
        look()
        look()
    guard.close()
    found = of_store(Ran(tmp_path / "state", {}, task.id))
    (token,) = {use.credential for use in found.uses if use.operation == "tool:look" and use.credential_kind == "call_token"}
    assert [(event.kind, event.workload) for event in life(found, token)] == [("issued", task.id)] * 2


def test_a_task_is_a_workload_that_begins_and_ends(ran: Ran) -> None:
    of_task = [event.kind for event in of_store(ran).lifecycle if event.workload == ran.task and not event.credential]
    assert of_task == ["job_started", "job_ended"]


def test_the_standing_credential_of_a_tool_is_used_too_where_the_call_ran(ran: Ran) -> None:
    """By its agent as the workload, since it outlives calls and tasks; a tool that has none, or a call that was denied, uses none."""
    found = by_tool(of_store(ran), "api-key")
    [standing] = [use for use in found.values() if use.credential_kind == "api-key"]
    assert standing.operation == "tool:look"
    assert standing.credential == AT.fingerprint(credential_id("crm-reader"))
    assert (standing.identity, standing.workload) == ("agent:bot", "agent:bot")


def test_spans_and_store_say_the_same_of_a_call(ran: Ran) -> None:
    """So that a call of which both tell is kept once, whichever comes first."""
    stored, told = of_store(ran), licet_spans.read(ran.exported, AT)
    assert {use.uid for use in told.uses} == {use.uid for use in stored.uses if not use.native_id.endswith("+credential")}
    ours = {use.uid: use for use in stored.uses}
    for use in told.uses:
        same = ours[use.uid]
        fields = (
            "identity",
            "credential",
            "operation",
            "outcome",
            "session",
            "workload",
            "intent",
            "error",
            "trace_id",
            "account",
            "digest",
        )
        assert {name: getattr(use, name) for name in fields} == {name: getattr(same, name) for name in fields}
        assert use.time == pytest.approx(same.time)
    assert {event.uid for event in told.lifecycle} == {event.uid for event in stored.lifecycle}


def test_a_token_is_in_no_event(ran: Ran) -> None:
    """Not even its id: that is fingerprinted."""
    store = SqliteStore(StateFolder(ran.state).store)
    ids = [call.jti for call in store.calls(ran.task) if call.jti]
    store.close()
    told = repr(of_store(ran)) + repr(licet_spans.read(ran.exported, AT))
    assert len(ids) == 2
    assert not [each for each in ids if each in told]


def test_pages_begin_again_at_what_was_not_over(tmp_path: Path) -> None:
    """A call that runs is told of when it is over, also where a later task was read before."""
    (tmp_path / "licet.yaml").write_text(MANIFEST, encoding="utf-8")
    guard = Guard.from_file(tmp_path / "licet.yaml", state=tmp_path / "state")
    look = guard.wrap(lambda: "seen", name="look")
    fingerprint, setting = AT.fingerprint, own.Setting()
    with guard.task("work", intent="Look", agent="bot", principal="user:grace", detached=True) as first:
        look()
    with guard.task("work", intent="Look", agent="bot", principal="user:grace"):
        look()
    store = SqliteStore(StateFolder(tmp_path / "state").store)
    before = list(own.pages(store, fingerprint, setting, now=time.time()))
    with guard.resume_task(first.id):
        look()
    after = list(own.pages(store, fingerprint, setting, since=before[-1].since, now=time.time()))
    told = {use.native_id for page in before for use in page.found.uses}
    new = {use.native_id for page in after for use in page.found.uses} - told
    store.close()
    guard.close()
    assert (len(told), len(new)) == (2, 1)


def test_what_is_over_is_not_read_again(ran: Ran) -> None:
    store = SqliteStore(StateFolder(ran.state).store)
    last = list(own.pages(store, AT.fingerprint, own.Setting(), now=time.time()))[-1]
    again = list(own.pages(store, AT.fingerprint, own.Setting(), since=last.since + 1, now=time.time()))
    store.close()
    assert not [use for page in again for use in page.found.uses]


def test_revocations_end_what_they_are_about(tmp_path: Path) -> None:
    """A token, a key and an agent are revoked by name; that a task ended revokes nothing that did not end with it."""
    store = SqliteStore(tmp_path / "licet.db")
    for mark, reason in (
        (("jti", "T-1"), "stolen"),
        (("key", "K-1"), "lost"),
        (("agent", "bot"), "injected"),
        (("task", "x"), "the task ended"),
    ):
        store.revoke(Revocation(mark, 1_790_000_000.0, 1_790_100_000.0, reason, "ada"))
    [page] = own.pages(store, AT.fingerprint, own.Setting(), now=1_790_000_001.0)
    store.close()
    found = {(event.kind, event.identity or event.credential, event.reason, event.by) for event in page.found.lifecycle}
    assert found == {
        ("revoked", AT.fingerprint("T-1"), "stolen", "ada"), ("revoked", AT.fingerprint("K-1"), "lost", "ada"),
        ("suspended", "agent:bot", "injected", "ada"),
    }  # fmt: skip


def test_a_line_without_calls_of_ours_is_passed_over_and_one_without_spans_refused(ran: Ran) -> None:
    assert licet_spans.read({"resourceSpans": []}, AT).passed
    with pytest.raises(Unreadable):
        licet_spans.read({"resourceLogs": []}, AT)


@pytest.mark.parametrize(
    "named", ["AKIACIEXAMPLE0000001", "JTI=0a1b2c3d-1111-4000-8000-0123456789ab", "0a1b2c3d-1111-4000-8000-0123456789ab"]
)
def test_a_span_says_nothing_of_a_credential_that_is_no_token_of_a_call(ran: Ran, named: str) -> None:
    """Whoever can send spans must neither own nor prolong an access key, or a pod's token, by its id."""
    whole = json.dumps(ran.exported)
    store = SqliteStore(StateFolder(ran.state).store)
    for token in [call.jti for call in store.calls(ran.task) if call.jti]:
        assert token in whole
        whole = whole.replace(token, named)
    store.close()
    found = licet_spans.read(json.loads(whole), AT)
    assert found.uses
    told = {use.credential for use in found.uses} | {event.credential for event in found.lifecycle}
    assert AT.fingerprint(named) not in told


def test_a_span_that_is_none_is_refused_and_the_others_are_taken(ran: Ran) -> None:
    spans = [span for part in ran.exported["resourceSpans"] for scope in part["scopeSpans"] for span in scope["spans"]]
    whole, resource = licet_spans.read(ran.exported, AT), ran.exported["resourceSpans"][0]
    broken = {**resource, "scopeSpans": [{**resource["scopeSpans"][0], "spans": [{"traceId": "x"}, *spans]}]}
    found = licet_spans.read({"resourceSpans": [broken]}, AT)
    assert {use.uid for use in found.uses} == {use.uid for use in whole.uses}
    assert [key for _, key in found.refused] == ["resourceSpans[0].scopeSpans[0].spans[0].traceId"]


def test_who_revokes_a_task_revokes_the_token_of_its_running_call(tmp_path: Path) -> None:
    """The store knows a call's token when the call is over: until then its task is read again, though that has ended."""
    (tmp_path / "licet.yaml").write_text(MANIFEST, encoding="utf-8")
    guard = Guard.from_file(tmp_path / "licet.yaml", state=tmp_path / "state")
    guard.wrap(lambda: "seen", name="look")
    store = SqliteStore(StateFolder(tmp_path / "state").store)
    with guard.task("work", intent="Look", agent="bot", principal="user:grace") as task:
        ticket = guard.begin(ToolCall("look", {}), task=task)
        store.revoke(Revocation(("task", task.id), time.time(), time.time() + 3_600, "wrong customer", "ada"))
    with guard.task("work", intent="Look", agent="bot", principal="user:grace"):
        pass
    [page] = own.pages(store, AT.fingerprint, own.Setting(), now=time.time())
    assert not page.found.uses
    guard.end(ticket, result="seen")
    [page] = own.pages(store, AT.fingerprint, own.Setting(), since=page.since, now=time.time())
    [revoked] = [event for event in page.found.lifecycle if event.kind == "revoked"]
    assert (revoked.identity, revoked.reason) == ("agent:bot", "wrong customer")
    assert [use.credential for use in page.found.uses] == [revoked.credential]
    store.close()
    guard.close()


def test_the_end_of_a_task_revokes_nothing(ran: Ran) -> None:
    assert not [event for event in of_store(ran).lifecycle if event.kind in ("revoked", "suspended")]


def test_spans_with_something_odd_in_them_are_read_or_refused(ran: Ran) -> None:
    chance = random.Random(8)
    for _ in range(400):
        odd = copy.deepcopy(ran.exported)
        places = list(_places(odd))
        inside, key = chance.choice(places)
        inside[key] = copy.deepcopy(
            chance.choice((None, True, -1, 2**70, 1.5, "", "x", "\ud800", [], {}, [{}], {"stringValue": "\ud800"}, "9" * 30))
        )
        read_or_refused(licet_spans.read, odd, AT)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from _places(item)


def test_no_secret_that_stands_in_a_span_is_in_an_event(ran: Ran) -> None:
    for changed in with_canary(ran.exported):
        assert CANARY.lower() not in repr(read_or_refused(licet_spans.read, changed, AT)).lower()
