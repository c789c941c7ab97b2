"""What agents do in drills goes through a real guard: it stops them, keeps who did what, and tells it; and it is known for a drill after."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from licet.clock import SystemClock
from licet.drill.audit import audited
from licet.drill.book import FILE as BOOK
from licet.drill.book import Book
from licet.drill.guarded import GUARD, OWN, Acted, Guards, act, declared, without
from licet.drill.keys import DrillKey
from licet.drill.live import Choice, Live
from licet.drill.pipeline import Parts, Pipeline
from licet.drill.receiver import Receiver, receiving
from licet.drill.revealed import calls_of, drills_of
from licet.drill.run import run
from licet.drill.scenario import OWNER, Play
from licet.drill.scenarios.off_intent import CHECKS, SCENARIOS
from licet.drill.shown import looks
from licet.drill.stage import Actor, Stage
from licet.drill.stopped import of_guard
from licet.drill.work import planned
from licet.errors import UsageError
from licet.guard.state import StateFolder, open_ledger, open_state, secret
from licet.ingest.own import Setting, pages
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.store import FILE, Inventory
from licet.ledger import LedgerFiles
from licet.manifest import Manifest, loads
from licet.monitor.webhook import Webhook
from licet.policy import CHECKS_OF_A_CALL
from licet.store import SqliteStore

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

OFF_INTENT, DECOY = SCENARIOS
MANIFEST = """
licet: 1
environment: prod
owners: {support: {name: Support engineering, contact: support@acme.example}}
agents:
  support-bot: {owner: support, purpose: Answer customer tickets, tasks: [answer-ticket]}
  nobodys-bot: {tasks: [answer-ticket]}
tools:
  read_ticket: {access: read, egress: false, arguments: {number: {type: integer}}}
tasks:
  answer-ticket: {intent: Answer a ticket, ttl: 10m, tools: {read_ticket: {}}}
"""
FINGERPRINT = Fingerprints(b"k" * 32).of


class Here(NamedTuple):
    live: Live
    receiver: Receiver
    folder: StateFolder


@pytest.fixture
def inventory(tmp_path) -> Iterator[Inventory]:
    with closing(Inventory(open_state(tmp_path / "beside").path / FILE)) as found:
        yield found


@pytest.fixture
def here(tmp_path) -> Iterator[Here]:
    folder = open_state(tmp_path / "state")
    ledger, fingerprint = open_ledger(folder), Fingerprints(secret(folder)).of
    guards = Guards(folder.path, loads(MANIFEST))
    with receiving() as receiver, closing(Inventory(folder.path / FILE)) as inventory, closing(Book(folder.path / BOOK)) as book:
        pipeline = Pipeline(inventory, fingerprint, SystemClock(), guards=guards)
        key = DrillKey.of(folder.keys / "drill.key")
        sinks = {"webhook": Webhook(receiver.url, receiver.secret)}
        actors = {GUARD: [Actor("agent:support-bot", "prod", "support")]}
        yield Here(Live(pipeline, sinks, ledger, key, book, SystemClock(), actors), receiver, folder)
        ledger.close()


def drawn(seed: int = 1, *, twin: bool = False, scenario=OFF_INTENT, actor: Actor | None = None) -> Play:
    return scenario.draw(Stage(random.Random(seed), float(int(time.time())), actor), GUARD, twin)


def acted(play: Play, inventory: Inventory, guards: Guards | None = None, **options) -> Acted:
    assert play.work is not None
    return act(play.work, inventory, FINGERPRINT, SystemClock(), guards or Guards(), **options)


def with_parts(live: Live, manifest: Manifest | None = None, **parts) -> Live:
    """The same, where no shadows are played, with other parts or another manifest."""
    before = live.pipeline
    guards = before.guards if manifest is None else before.guards._replace(manifest=manifest)
    pipeline = Pipeline(before.inventory, before.fingerprint, live.clock, before.parts._replace(**parts), before.settings, guards=guards)
    return live._replace(pipeline=pipeline, shadows=False)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_hijacked_agent_reads_what_it_may_and_is_denied_all_that_the_injected_order_asks_for(inventory, seed):
    play = drawn(seed)
    found = acted(play, inventory)
    read, secret, send = found.made
    assert (read.outcome, read.checks, read.status, read.ran) == ("allow", (), "done", True)
    assert secret.outcome == send.outcome == "deny"
    assert not secret.ran
    assert not send.ran
    assert {"scope.tool", "chain.novel"} <= set(secret.checks)
    assert {"origin.argument", "flow.egress", "chain.novel"} <= set(send.checks)
    assert send.call.arguments["to"] in str(play.work.tools[0].answers)  # it stood in what the agent was shown
    assert all(each.recorded and each.span for each in found.made)


def test_the_guards_findings_name_owner_task_and_agent(inventory):
    play = drawn()
    found = acted(play, inventory)
    assert found.agent == play.work.agent
    assert {each.check for each in found.findings} >= set(CHECKS)
    assert {(each.owner, each.task_id) for each in found.findings} == {(OWNER, found.task)}


def test_the_twin_does_the_same_work_within_the_intent_and_nothing_is_found(inventory):
    found = acted(drawn(twin=True), inventory)
    assert [(each.outcome, each.checks, each.status) for each in found.made] == [("allow", (), "done")] * 2
    assert found.findings == ()


def test_calls_come_into_the_inventory_as_the_agents_own_denied_ones_too(inventory):
    play = drawn()
    acted(play, inventory)
    came = [(each.operation, each.outcome) for each in inventory.uses(f"agent:{play.work.agent}")]
    read, secret, send = play.work.calls
    assert came == [(f"tool:{read.tool}", "success"), (f"tool:{secret.tool}", "denied"), (f"tool:{send.tool}", "denied")]


def test_nothing_that_the_guard_is_told_says_that_it_is_a_drill():
    for scenario in SCENARIOS:
        work = drawn(scenario=scenario).work
        told = json.dumps(
            [work.agent, work.kind, work.task, work.intent, work.person, [each[:3] for each in work.tools], work.calls[0][:2]]
        )
        assert "drill" not in told.lower()


def test_what_is_committed_to_is_each_call_with_all_that_is_around_it():
    work = drawn().work
    first, *others = work.calls
    changed = work._replace(calls=(first, *(each._replace(outcome="allow") for each in others)))
    assert planned(work)[0] == planned(changed)[0]
    assert set(planned(work)[1:]).isdisjoint(planned(changed))
    assert set(planned(work)).isdisjoint(planned(work._replace(intent="another")))
    assert len(set(planned(work))) == len(work.calls)


def test_drills_through_the_guard_of_a_state_folder_pass_and_are_delivered_and_the_shadow_acts_as_a_real_agent(here):
    results = run([Choice(each, GUARD) for each in SCENARIOS], here.live)
    assert [(each.scenario, each.failures) for each in results if not each.passed] == []
    assert len(results) == 6
    misuses = [each for each in results if not each.twin and not each.shadow]
    assert all(each.hop == "delivered" and each.owned and each.attributed and each.seconds >= 0 for each in misuses)
    shadows = [row for row in here.live.book.drills() if row.announced is not None and row.announced.shadow]
    assert [row.announced.identity for row in shadows if row.announced] == ["agent:support-bot"] * 2
    with closing(SqliteStore(here.folder.store, reading=True)) as store:
        assert not store.has_agent("support-bot")  # a shadow touches nothing that is real
        assert {each.owner for each in store.findings()} == {OWNER}  # and nobody else is told of anything
        told = {each.partition("_")[0] for each in here.receiver.messages}
        assert {each.id for each in store.findings()} <= told


def test_the_commitment_stands_in_the_ledger_before_the_first_call_and_tells_nothing_of_it(here):
    run([Choice(OFF_INTENT, GUARD)], here.live._replace(shadows=False))
    records = [json.loads(each) for each in LedgerFiles(here.folder.ledger).records()]
    commits = [each["seq"] for each in records if each["kind"] == "drill.commit"]
    calls = [each for each in records if each["kind"].startswith("call.")]
    assert len(commits) == 2
    assert max(commits) < min(each["seq"] for each in calls)
    agents = {each["agent"] for each in calls}
    assert len(agents) == 2
    assert not [each for each in records if each["kind"] == "drill.commit" and any(agent in json.dumps(each) for agent in agents)]


def test_nothing_stays_in_the_inventory_and_reading_the_store_again_brings_nothing_back(here):
    live, folder = here.live, here.folder
    run([Choice(each, GUARD) for each in SCENARIOS], live)
    for table in ("uses", "lifecycle", "identities", "credentials", "sources", "holders", "folds", "signals", "dirty"):
        assert live.pipeline.inventory.rows(f"SELECT * FROM {table}") == [], table
    passed = calls_of(live.book, LedgerFiles(folder.ledger), live.clock.now())
    with closing(SqliteStore(folder.store, reading=True)) as store:
        again = [each.found for each in pages(store, live.pipeline.fingerprint, Setting(), now=live.clock.now(), passed=passed)]
        as_it_is = [each.found for each in pages(store, live.pipeline.fingerprint, Setting(), now=live.clock.now())]
    assert sum(len(each.uses) for each in as_it_is) == 7
    assert not any(each.uses or each.lifecycle for each in again)


def test_the_guards_findings_are_known_for_drills_by_what_the_ledger_reveals_and_not_by_what_the_book_says(here):
    live, files = here.live, LedgerFiles(here.folder.ledger)
    run([Choice(OFF_INTENT, GUARD)], live._replace(shadows=False))
    with closing(SqliteStore(here.folder.store, reading=True)) as store:
        findings = store.findings()
    assert drills_of(findings, live.book, files, live.clock.now()).keys() == {each.id for each in findings}
    with live.book.step() as db:  # who adds one to what was revealed has no signature for it
        db.execute("UPDATE drills SET result=json_insert(result, '$.found[#]', 'of somebody', '$.calls[#]', 'another')")
    assert drills_of(findings, live.book, files, live.clock.now()) == {}
    assert calls_of(live.book, files, live.clock.now()) == {}


@pytest.mark.parametrize("check", CHECKS)
def test_without_a_check_the_drill_is_red_and_names_it(here, check):
    live = with_parts(here.live, checks=without(CHECKS_OF_A_CALL, check))
    misuse = next(each for each in run([Choice(OFF_INTENT, GUARD)], live) if not each.twin)
    assert not misuse.passed
    assert f"check {check}" in misuse.parts


@pytest.mark.parametrize("check", ["scope.tool", "origin.argument"])
def test_a_manifest_that_only_observes_a_check_turns_the_drill_red(here, check):
    watched = {"mode": "observe", "until": str((datetime.now(UTC) + timedelta(days=3)).date()), "reason": "a trial"}
    every = dict.fromkeys(("scope.tool", "origin.argument", "flow.egress", "origin.content"), watched)
    lax = loads(f"{MANIFEST}checks: {json.dumps(every)}\n")
    results = run([Choice(OFF_INTENT, GUARD)], with_parts(here.live, lax))
    misuse = next(each for each in results if not each.twin)
    assert f"check {check}" in misuse.parts
    assert any("was allowed" in each for each in misuse.failures)


def test_calls_that_nobody_reads_into_the_inventory_are_missed(here):
    results = run([Choice(OFF_INTENT, GUARD)], with_parts(here.live, own=None))
    assert all(not each.passed and OWN in each.parts for each in results)


def test_a_decoy_tool_that_is_called_through_the_guard_is_a_canary_touched(here):
    misuse = next(each for each in run([Choice(DECOY, GUARD)], with_parts(here.live)) if not each.twin)
    assert misuse.passed
    [(body,)] = here.live.pipeline.inventory.rows("SELECT body FROM findings")
    assert "CANARY_TOUCHED" in body
    silent = [each for each in Parts().detectors if each.name != "canary"]
    blind = next(each for each in run([Choice(DECOY, GUARD)], with_parts(here.live, detectors=silent)) if not each.twin)
    assert "detector canary" in blind.parts


@pytest.mark.parametrize(
    "change, part",
    [
        ({"recorded": False}, "guard ledger"), ({"span": False}, "guard spans"), ({"status": "done"}, "guard store"),
        ({"ran": True}, "guard"), ({"id": "another"}, "guard store"), ({"checks": ()}, "check scope.tool"),
    ],
    ids=["no record", "no span", "another status", "it ran", "no finding", "silence"],
)  # fmt: skip
def test_what_the_guard_did_not_keep_of_a_denied_call_is_said(inventory, change, part):
    play = drawn()
    found = acted(play, inventory)
    arrived = {(each.operation, each.outcome) for each in inventory.uses(play.identity)}
    assert list(of_guard(play.work, found, OWNER, arrived, {}, ())) == []
    read, secret, send = found.made
    worse = found._replace(made=(read, secret._replace(**change), send))
    assert part in {name for each in of_guard(play.work, worse, OWNER, arrived, {}, ()) for name in each.parts}


def test_a_sink_and_an_exporter_that_lose_a_guards_finding_are_named(inventory):
    play = drawn()
    found = acted(play, inventory)
    arrived = {(each.operation, each.outcome) for each in inventory.uses(play.identity)}
    first, *others = found.findings
    failures = list(
        of_guard(play.work, found, OWNER, arrived, {"webhook": {each.id for each in others}}, [("json", first.id, first.check, {})])
    )
    assert {name for each in failures for name in each.parts} == {"sink webhook", "exporter json"}


def test_another_owner_or_agent_than_the_plays_is_said(inventory):
    play = drawn()
    found = acted(play, inventory)
    arrived = {(each.operation, each.outcome) for each in inventory.uses(play.identity)}
    assert {each.parts for each in of_guard(play.work, found, "payments", arrived, {}, ())} == {("owners",)}
    other = found._replace(agent="support-bot")
    assert {each.parts for each in of_guard(play.work, other, OWNER, arrived, {}, ())} == {("guard store",)}


def test_the_manifest_that_work_is_added_to_stays_the_one_that_it_is(tmp_path):
    file = tmp_path / "licet.yaml"
    file.write_text(MANIFEST, encoding="utf-8")
    base = loads(MANIFEST, name=str(file))
    work = drawn(actor=Actor("agent:support-bot", "prod", "support")).work
    manifest, learned = declared(work, Guards(manifest=base), time.time())
    assert (manifest.digest, manifest.source) == (base.digest, base.source)
    assert manifest.agents["support-bot"].tasks == ("answer-ticket", work.kind)
    assert manifest.agents["support-bot"].owner == "support"
    assert manifest.tasks[work.kind].baseline is None  # else it would be said that nobody ratified it
    assert learned.of(work.kind, "support-bot") is not None
    assert work.kind not in base.tasks


def test_a_name_that_the_manifest_has_already_is_not_overwritten():
    work = drawn().work
    taken = loads(MANIFEST.replace("read_ticket", work.tools[0].name))
    with pytest.raises(UsageError, match="already"):
        declared(work, Guards(manifest=taken), time.time())


def test_without_a_folder_the_guards_files_are_gone_afterwards(inventory, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    acted(drawn(), inventory)
    assert [each for each in Path(tmp_path).iterdir() if each.name.startswith("tmp")] == []


def test_drills_go_on_while_the_manifest_denies_calls_since_nobody_sees(here):
    closed = loads(f"{MANIFEST}monitoring: {{fail_closed_after: 1h}}\n")
    results = run([Choice(OFF_INTENT, GUARD)], with_parts(here.live, closed))
    assert [each.failures for each in results if not each.passed] == []


def test_a_passed_drill_proves_the_checks_and_the_reader_that_it_went_through(here):
    run([Choice(OFF_INTENT, GUARD)], here.live._replace(shadows=False))
    audit = audited(here.live.book, LedgerFiles(here.folder.ledger), here.live.clock.now())
    proved = {part for look in looks(audit.drills) for part in look.proved}
    assert proved >= {OWN, *(f"check {each}" for each in CHECKS)}
