"""Names of tasks: asserted until a token proves them, and never again after a token was refused."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import jwt
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import evidence
import licet
from foreign import ACCOUNT, NOW, PERSON, WORKLOAD, ForeignKey, KeyServer, jwks, new_key, sign
from licet import Denied, UsageError
from licet.approval import ConsoleApprover
from licet.cli import main
from licet.manifest import load
from licet.manifest.reach import reach
from licet.store import SqliteStore
from licet.testing import FakeClock, RecordingApprover, guard_for
from licet.testing.fakes import START

MANIFEST = """\
licet: 1
environment: prod
owners: {{o: {{name: O, contact: o@acme.example}}}}
issuers:
  login: {{kind: oidc, issuer: 'https://login.acme.example', audiences: [desk], jwks_uri: '{url}', proves: principal}}
  mesh: {{kind: jwt-svid, trust_domain: acme.example, audiences: [licet], jwks_file: mesh.json, proves: agent}}
agents:
  bot: {{owner: o, tasks: [work], may_delegate_to: [bot, helper, claimed], proved_by: {{mesh: spiffe://acme.example/agents/bot}}}}
  helper: {{owner: o, tasks: [work], proved_by: {{mesh: spiffe://acme.example/agents/helper}}}}
  claimed: {{owner: o, tasks: [work]}}
tools:
  note: {{access: read, egress: false}}
  wipe: {{access: admin, egress: false}}
  send: {{access: write, egress: false}}
tasks:
  work:
    intent: Work
    ttl: 8h
    tools: {{note: {{}}, wipe: {{}}, send: {{ask: true}}}}
"""
BARE = """\
licet: 1
environment: prod
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work]}}
tools: {note: {access: read, egress: false}}
tasks: {work: {intent: Work, ttl: 10m, tools: {note: {}}}}
"""
LOGIN, MESH = new_key(), new_key(kid="m")
HELPER = WORKLOAD | {"sub": "spiffe://acme.example/agents/helper"}


def person(key: ForeignKey = LOGIN, **claims: Any) -> str:
    return sign(PERSON | claims, key)


def workload(claims: dict[str, Any] = WORKLOAD, key: ForeignKey = MESH) -> str:
    return sign(claims, key)


class Desk:
    """A guard whose manifest trusts two issuers that are real."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.server = folder, KeyServer(jwks(LOGIN))
        (folder / "mesh.json").write_bytes(jwks(MESH))
        self.manifest = folder / "licet.yaml"
        self.manifest.write_text(MANIFEST.format(url=self.server.url))
        self.clock, self.spans, self.approver = FakeClock(), InMemorySpanExporter(), RecordingApprover(answer=True)
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.spans))
        self.guard = guard_for(self.manifest, folder, clock=self.clock, tracer_provider=provider, approver=self.approver)
        self.state = folder / "licet-state"
        self.ran: list[str] = []

        @self.guard.tool
        def wipe() -> str:
            self.ran.append("wipe")
            return "wiped"

        @self.guard.tool
        def note() -> Any:
            return licet.current_call()

        @self.guard.tool
        def send() -> str:
            return licet.current_call().token

        self.wipe, self.note, self.send = wipe, note, send

    def task(self, agent: str = "bot", **names: Any) -> Any:
        return self.guard.task("work", intent="Wipe the old records", agent=agent, **names)

    def ledger(self, kind: str) -> list[dict[str, Any]]:
        return evidence.records(self.state, kind)

    def findings(self) -> list[Any]:
        with closing(SqliteStore(self.state / "licet.db")) as store:
            return list(store.findings())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.guard.close()
    made.server.close()


def test_an_admin_tool_in_prod_needs_both_names_proved(desk: Desk) -> None:
    """And says which one is only a claim."""
    for names, said in (
        ({"principal": "user:grace"}, "principal and agent are only asserted"),
        ({"subject_token": person()}, "the agent is only asserted"),
        ({"principal": "user:grace", "agent_token": workload()}, "the principal is only asserted"),
    ):
        with desk.task(**names), pytest.raises(Denied) as refused:
            desk.wipe()
        assert refused.value.decision.checks == ("identity.unproved",)
        assert said in str(refused.value)
    assert desk.ran == []
    with desk.task(subject_token=person(), agent_token=workload()) as task:
        assert desk.wipe() == "wiped"
    assert (task.record.principal, task.record.principal_is, task.record.agent_is) == ("login:ada", "proved", "proved")


def test_an_agent_that_works_for_itself_is_proved_as_both(desk: Desk) -> None:
    """RFC 8693 section 1.1: then there is no other subject. Under any other name it is a claim."""
    with desk.task(principal="bot", agent_token=workload()) as task:
        assert desk.wipe() == "wiped"
    assert (task.record.principal_is, task.record.agent_is) == ("proved", "proved")
    with desk.task(principal="helper", agent_token=workload()) as task:
        assert task.record.principal_is == "asserted"


def test_a_principal_beside_its_proof_must_be_the_same(desk: Desk) -> None:
    """A program that takes both from a request would otherwise let the request choose."""
    with desk.task(principal="login:ada", subject_token=person()) as task:
        assert task.record.principal_is == "proved"
    for other in ("ada", "login:eve", "LOGIN:ada", "user:grace"):
        with pytest.raises(Denied) as refused:
            desk.task(principal=other, subject_token=person())
        assert refused.value.decision.checks == ("identity.unproved",)


BAD: list[tuple[str, dict[str, Any]]] = [
    ("of another issuer", {"subject_token": person(iss="https://evil.example")}),
    ("over", {"subject_token": person(exp=NOW - 60)}),
    ("for another audience", {"subject_token": person(aud="mail")}),
    ("by another key", {"subject_token": person(key=new_key())}),
    ("empty", {"subject_token": ""}),
    ("no text", {"subject_token": b"x"}),
    ("a workload for a person", {"subject_token": workload()}),
    ("a person for a workload", {"agent_token": person()}),
    ("another agent", {"agent_token": workload(HELPER)}),
    ("an empty one of an agent", {"agent_token": ""}),
    ("of an issuer that is not declared", {"agent_token": sign(ACCOUNT, MESH)}),
]


@pytest.mark.parametrize("why,names", BAD, ids=[row[0] for row in BAD])
def test_a_refused_token_refuses_the_task(desk: Desk, why: str, names: dict[str, Any]) -> None:
    """Never on the bare claim instead: not with a `principal` beside it. It is a finding, and on record."""
    (argument,) = names
    for more in (
        {"principal": "login:ada"},
        {"principal": "login:ada", ("agent_token" if argument == "subject_token" else "subject_token"): None},
    ):
        with pytest.raises(Denied) as refused:
            desk.task(**names, **more)
        (found,) = refused.value.decision.reasons
        assert (found.check, found.effect) == ("identity.unproved", "deny")
        assert found.sentence.startswith(f"`{argument}=` does not prove ")
    assert len(refused.value.decision.reasons) == 1
    told = [finding for finding in desk.findings() if finding.check == "identity.unproved"]
    assert len(told) == 1  # one a minute of a kind
    assert told[0].owner == "o"
    assert f"`{argument}=` of a `work` task was refused: " in told[0].sentence
    assert "token." in told[0].sentence
    assert ("the token is empty (an unset variable?)" in told[0].sentence) == (names[argument] == "")
    (record, _) = desk.ledger("identity.refused")
    assert record["argument"] == f"{argument}="
    assert desk.ledger("task.begin") == []


def test_observe_does_not_let_a_refused_token_pass(tmp_path: Path) -> None:
    """What is only observed runs on claims; a token that was shown is verified all the same."""
    observing = "environment: prod\nmode: observe\nuntil: 2026-12-01\nreason: trial\n"
    (tmp_path / "mesh.json").write_bytes(jwks(MESH))
    (tmp_path / "licet.yaml").write_text(MANIFEST.format(url="https://login.acme.example/jwks").replace("environment: prod\n", observing))
    guard = guard_for(tmp_path / "licet.yaml", tmp_path)
    with pytest.raises(Denied):
        guard.task("work", intent="Work", agent="bot", principal="user:grace", agent_token=workload(HELPER))
    assert guard.task("work", intent="Work", agent="bot", principal="user:grace", agent_token=workload())
    guard.close()


def test_what_is_outside_is_told_nothing_of_why(desk: Desk) -> None:
    """The text may reach a model or a client; a forger learns nothing from it."""
    texts = set()
    for token in (person(iss="https://evil.example"), person(exp=NOW - 60), person(aud="mail"), person(key=new_key()), "", "a.b.c"):
        with pytest.raises(Denied) as refused:
            desk.task(subject_token=token)
        texts.add(str(refused.value))
    assert len(texts) == 1


def test_without_any_name_it_is_the_programs_mistake(desk: Desk, tmp_path: Path) -> None:
    """So is a token where the manifest has no issuer for it."""
    with pytest.raises(UsageError, match="principal="):
        desk.task()
    bare = guard_for(BARE, tmp_path / "bare")
    with pytest.raises(UsageError, match="proves: principal"):
        bare.task("work", intent="Work", agent="bot", principal="user:grace", subject_token=person())
    with pytest.raises(UsageError, match="proves: agent"):
        bare.task("work", intent="Work", agent="bot", principal="user:grace", agent_token=workload())
    bare.close()


def test_a_task_outlives_its_proof(desk: Desk) -> None:
    """A proof must hold when the task begins; how long the task may last is for its kind to say."""
    with desk.task(subject_token=person(), agent_token=workload()):
        desk.clock.advance(3_600)
        assert desk.wipe() == "wiped"
        desk.clock.advance(8 * 3_600)
        with pytest.raises(Denied) as refused:
            desk.wipe()
        assert "scope.expired" in refused.value.decision.checks


def test_a_task_does_not_begin_on_a_proof_that_is_over(desk: Desk) -> None:
    """One that was made and kept would otherwise be a proof without end."""
    with desk.task(subject_token=person(exp=NOW - 5)):
        pass  # within the difference that clocks may have
    begun = len(desk.ledger("task.begin"))
    kept = desk.task(subject_token=person(), agent_token=workload())
    desk.clock.advance(331)
    with pytest.raises(Denied) as refused, kept:
        pass
    assert refused.value.decision.checks == ("identity.unproved",)
    assert len(desk.ledger("task.begin")) == begun


def test_a_sub_task_is_for_the_same_principal_as_proved_as_it_was(desk: Desk) -> None:
    """Its agent is what its own token proves; the same agent stays as proved as it was."""
    for subject, proved in ((person(), "proved"), (None, "asserted")):
        names = {"subject_token": subject} if subject else {"principal": "user:grace"}
        with desk.task(agent_token=workload(), **names) as parent:
            for agent, token, standing in (
                ("bot", None, "proved"),
                ("helper", None, "asserted"),
                ("helper", workload(HELPER), "proved"),
                ("claimed", None, "asserted"),
            ):
                with desk.guard.delegate("work", agent=agent, intent="Help", agent_token=token) as child:
                    assert (child.record.principal, child.record.principal_is) == (parent.record.principal, proved)
                    assert child.record.agent_is == standing
            with pytest.raises(Denied) as refused:
                desk.guard.delegate("work", agent="claimed", intent="Help", agent_token=workload(HELPER))
            assert refused.value.decision.checks == ("identity.unproved",)


def test_a_sub_task_of_an_asserted_agent_is_asserted(desk: Desk) -> None:
    """Nothing becomes proved by delegation."""
    with desk.task(subject_token=person()), desk.guard.delegate("work", agent="bot", intent="Help") as child:
        assert (child.record.principal_is, child.record.agent_is) == ("proved", "asserted")
        with pytest.raises(Denied):
            desk.wipe()


def test_a_task_that_is_taken_up_elsewhere_stays_as_proved_as_it_was(desk: Desk) -> None:
    """The store keeps the standing, and no token."""
    with desk.task(subject_token=person(), agent_token=workload(), detached=True) as task:
        pass
    other = guard_for(desk.manifest, desk.folder, clock=desk.clock)
    with other.resume_task(task.id) as again:
        assert (again.record.principal_is, again.record.agent_is) == ("proved", "proved")
    other.close()


def test_the_standing_shows_wherever_names_do(desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ledger, call token, spans, the question to a person, and the command line."""
    monkeypatch.setenv("NO_COLOR", "1")
    with desk.task(subject_token=person(), agent_token=workload()) as task:
        token = desk.send()
        with desk.guard.delegate("work", agent="claimed", intent="Help"):
            desk.note()
    tctx = jwt.decode(token, options={"verify_signature": False})["tctx"]
    assert (tctx["sub_is"], tctx["act_is"]) == ("proved", "proved")
    begun, below = desk.ledger("task.begin")
    assert (begun["sub"], begun["sub_is"], begun["agent_is"]) == ("login:ada", "proved", "proved")
    assert begun["proofs"] == [
        {"of": "sub", "issuer": "login", "kind": "oidc", "exp": NOW + 300},
        {"of": "act", "issuer": "mesh", "kind": "jwt-svid", "exp": NOW + 300},
    ]
    assert below["agent_is"] == "asserted"
    spans = {span.name: span.attributes or {} for span in desk.spans.get_finished_spans()}
    for name, agent in (
        ("execute_tool send", "proved"),
        ("invoke_agent bot", "proved"),
        ("execute_tool note", "asserted"),
        ("invoke_agent claimed", "asserted"),
    ):
        assert (spans[name]["licet.principal.standing"], spans[name]["licet.actor.standing"]) == ("proved", agent)
    (question,) = desk.approver.requests
    assert "Agent:  bot (proved) for login:ada (proved)" in question.text
    shown = io.StringIO()
    with pytest.raises(EOFError):
        ConsoleApprover(io.StringIO(""), shown, FakeClock(START))(question)
    assert "for login:ada (proved)" in shown.getvalue()
    state = ["--state", str(desk.state)]
    assert main(["task", task.id, *state]) == 0
    tree = capsys.readouterr().out
    assert "agent   bot (proved) for login:ada (proved)" in tree
    assert "agent   claimed (asserted) for login:ada (proved)" in tree
    assert main(["task", task.id, "--json", *state]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["principal_is"], told["agent_is"], told["tasks"][0]["agent_is"]) == ("proved", "proved", "asserted")
    assert main(["tasks", *state]) == 0
    assert "bot (proved) for login:ada (proved)" in capsys.readouterr().out
    assert main(["tasks", "--json", *state]) == 0
    assert {row["principal_is"] for row in json.loads(capsys.readouterr().out)["tasks"]} == {"proved"}
    page = desk.folder / "task.html"
    assert main(["graph", task.id, "-o", str(page), *state]) == 0
    assert "bot (proved) for login:ada (proved)" in page.read_text()


def test_no_token_is_kept_anywhere(desk: Desk) -> None:
    """Neither one that proved, nor one that was refused: not in ledger, store, log or span."""
    good, bad = person(), person(aud="mail")
    with desk.task(subject_token=good, agent_token=workload()):
        desk.wipe()
    with pytest.raises(Denied):
        desk.task(subject_token=bad)
    desk.guard.close()
    kept = b"".join(path.read_bytes() for path in desk.state.rglob("*") if path.is_file())
    spans = "".join(span.to_json() for span in desk.spans.get_finished_spans())
    for token in (good, bad, workload()):
        for part in token.split(".")[1:]:
            assert part.encode() not in kept
            assert part not in spans


def test_an_agent_cannot_reach_the_keys_that_prove_it(desk: Desk) -> None:
    """Whoever could write the file could be anybody."""
    taken: list[str] = []

    def send(path: str) -> None:
        taken.append(path)

    tool = desk.guard.wrap(send, name="note")
    with desk.task(principal="user:grace"):
        for path in (str(desk.folder / "mesh.json"), str(desk.folder / "x" / ".." / "mesh.json")):
            with pytest.raises(Denied) as refused:
                tool(path)
            assert "guard.self" in refused.value.decision.checks
    assert taken == []


def test_what_a_hijacked_agent_reaches_counts_proved_names(desk: Desk) -> None:
    """Where an agent can be proved, an admin tool in prod is no longer out of reach."""
    manifest = load(desk.manifest, now=desk.clock.now())
    levels = {
        agent: {found.tool: found.level for found in reach(manifest, "work", agent=agent, now=desk.clock.now()).effects}
        for agent in ("bot", "claimed")
    }
    assert (levels["bot"]["wipe"], levels["claimed"]["wipe"]) == ("free", "never")
