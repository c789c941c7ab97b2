"""What call tokens do not stop: each row of the table in docs/limits.md, shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from licet import Denied, Guard, MemoryState, Proof, TokenRefused, Verifier, current_call
from licet.canonical import digest
from licet.errors import UsageError
from licet.integrations.asgi import CallTokens, Incoming
from licet.store import SqliteStore
from licet.testing import FakeClock, ephemeral_key, guard_for
from licet.tokens import CALL_TYPE, FixedKeys, Issuer, SigningKey, prove

LIMITS = Path(__file__).parents[2] / "docs" / "limits.md"
MAIL, URL, ADA = "https://mail.acme.example", "https://mail.acme.example/send", "ada@okafor.example"
TASK = {"intent": f"Write to {ADA}", "agent": "support-bot", "principal": "user:grace"}
SENT = {"tool": "send_email", "arguments": {"to": ADA}}
MANIFEST = f"""\
licet: 1
environment: dev
owners: {{support: {{name: Support, contact: support@acme.example}}}}
agents: {{support-bot: {{owner: support, tasks: [answer, chained]}}}}
tools:
  read_ticket: {{access: read, egress: false, output: trusted}}
  send_email: {{access: write, egress: true, audience: '{MAIL}', arguments: {{to: {{origin: [intent, trusted]}}}}}}
tasks:
  answer: {{intent: Answer one ticket, ttl: 10m, tools: {{read_ticket: {{}}, send_email: {{at_most: 1}}}}}}
  chained:
    intent: Answer one ticket
    ttl: 10m
    tools: {{read_ticket: {{}}, send_email: {{}}}}
    chain: [start -> read_ticket, read_ticket -> send_email]
"""

SHOWN: set[str] = set()


def limit(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A limit that is shown here must stand in docs/limits.md."""

    def mark(test: Callable[..., Any]) -> Callable[..., Any]:
        SHOWN.add(name)
        return test

    return mark


def test_each_limit_of_tokens_in_the_documentation_is_shown_here_and_no_other():
    assert set(re.findall(r'<a id="token-([a-z-]+)"></a>', LIMITS.read_text(encoding="utf-8"))) == SHOWN


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def guard(tmp_path: Path, clock: FakeClock) -> Guard:
    return guard_for(MANIFEST, tmp_path, clock=clock)


def verifier(guard: Guard, clock: FakeClock, **options: Any) -> Verifier:
    """A service that shares nothing with the guard but its public keys."""
    return Verifier(guard.jwks(), issuer=guard.issuer, audience=MAIL, clock=clock, **{"state": MemoryState()} | options)


@contextmanager
def refused(check: str) -> Iterator[None]:
    """What stands in it is refused, and for this."""
    with pytest.raises(TokenRefused) as found:
        yield
    assert found.value.check == check, found.value.why


def sent(guard: Guard) -> tuple[str, Proof]:
    """The token and the proof of one call, of which the task is over."""
    kept: list[tuple[str, Proof]] = []

    def post(to: str) -> None:
        call = current_call()
        assert call is not None
        headers = call.headers_for("POST", URL)
        kept.append((headers["Licet-Call-Token"], Proof(headers["DPoP"], "POST", URL)))

    with guard.task("answer", **TASK):
        guard.wrap(post, name="send_email")(to=ADA)
    return kept[0]


def by_hand(guard: Guard, key: SigningKey, clock: FakeClock, holder: str = "") -> str:
    """What whoever has the signing key makes, and no guard has judged."""
    now = int(clock.now())
    detail = {"type": "urn:licet:tool-call", "locations": [MAIL], "actions": ["tools/call"], "identifier": "send_email"}
    tctx = {"task_id": "t", "intent": "i", "intent_id": "i", "args_digest": digest({"to": ADA}), "step": 1, "max_calls": 1}
    claims = {
        "iss": guard.issuer, "sub": "user:grace", "aud": MAIL, "iat": now, "nbf": now, "exp": now + 60, "jti": os.urandom(16).hex(),
        "client_id": "support-bot", "txn": "t", "req_wl": "w", "scope": "tool:send_email", "authorization_details": [detail], "tctx": tctx,
    }  # fmt: skip
    if holder:
        claims["cnf"] = {"jkt": holder}
    return Issuer(FixedKeys(key), guard.issuer, "w").sign(CALL_TYPE, claims, clock.now()).jwt


@limit("bearer")
def test_a_token_without_cnf_is_good_for_whoever_has_it_where_the_verifier_does_not_ask_for_one(tmp_path: Path, clock: FakeClock):
    key = ephemeral_key()
    guard = guard_for(MANIFEST, tmp_path, clock=clock, key=key)
    token = by_hand(guard, key, clock)
    with refused("token.proof"):
        verifier(guard, clock).verify(token, **SENT)
    assert verifier(guard, clock, bound=False).verify(token, **SENT).holder is None


@limit("no-shared-store")
def test_two_verifiers_without_a_shared_store_each_take_the_token_of_a_task_that_is_over(guard: Guard, clock: FakeClock):
    token, proof = sent(guard)
    for _ in range(2):
        assert verifier(guard, clock).verify(token, proof=proof, **SENT)
    with refused("token.ended"):  # and one that shares it does not
        verifier(guard, clock, state=SqliteStore(guard.state / "licet.db")).verify(token, proof=proof, **SENT)
    clock.advance(91)  # its life, and the skew
    with refused("token.time"):
        verifier(guard, clock).verify(token, proof=proof, **SENT)


@limit("holder-key")
def test_code_in_the_process_makes_proofs_with_the_holders_key_for_tokens_that_the_guard_minted(guard: Guard, clock: FakeClock):
    token, _ = sent(guard)
    stolen = guard._tasks._minter.holder  # what code in the process can reach
    proof = Proof(prove(stolen, "POST", URL, token=token, now=clock.now()), "POST", URL)
    with refused("token.binding"):
        verifier(guard, clock).verify(token, tool="send_email", arguments={"to": "eve@evil.example"}, proof=proof)
    assert verifier(guard, clock).verify(token, proof=proof, **SENT)


@limit("signing-key")
def test_whoever_has_the_signing_key_mints_what_no_guard_has_judged(tmp_path: Path, clock: FakeClock):
    key, own = ephemeral_key(), SigningKey.generate("ES256")
    guard = guard_for(MANIFEST, tmp_path, clock=clock, key=key)
    token = by_hand(guard, key, clock, own.kid)
    proof = Proof(prove(own, "POST", URL, token=token, now=clock.now()), "POST", URL)
    assert verifier(guard, clock).verify(token, proof=proof, **SENT).task == "t"
    environment = {**os.environ, "LICET_SIGNING_KEY": key.pem().decode()}
    seen = subprocess.run(
        [sys.executable, "-c", "import os; print(os.environ['LICET_SIGNING_KEY'])"], env=environment, capture_output=True, check=True
    )
    assert seen.stdout.strip() == key.pem().strip()


@limit("task")
def test_a_call_that_is_proved_within_the_process_has_nothing_to_show_outside(guard: Guard):
    found: list[str] = []

    def read() -> str:
        call = current_call()
        assert call is not None
        with pytest.raises(UsageError):
            call.headers_for("GET", MAIL)
        found.append(call.token)
        return "a ticket"

    with guard.task("answer", **TASK):
        guard.wrap(read, name="read_ticket")()
    assert found == [""]


@limit("after")
def test_what_has_begun_is_not_stopped_by_the_end_of_its_task(guard: Guard, clock: FakeClock):
    service, came_through = verifier(guard, clock, state=SqliteStore(guard.state / "licet.db")), []

    def post(to: str) -> str:
        call = current_call()
        assert call is not None
        headers = call.headers_for("POST", URL)
        service.verify(headers["Licet-Call-Token"], proof=Proof(headers["DPoP"], "POST", URL), **SENT)
        task.end()
        came_through.append(to)  # the service goes on
        return "sent"

    with guard.task("answer", **TASK) as task:
        guard.wrap(post, name="send_email")(to=ADA)
    assert came_through == [ADA]


def remote(guard: Guard, clock: FakeClock, kind: str, to: str = ADA) -> Callable[..., Any]:
    """A task that another process holds; the answer asks for one call of it."""
    holder = SigningKey.generate("ES256")
    granted = guard.authority.open(kind=kind, intent=f"Write to {to}", agent="support-bot", holder=holder.kid)

    def call(tool: str, **arguments: Any) -> Any:
        proof = Proof(prove(holder, "POST", URL, token=granted.token, now=clock.now()), "POST", URL)
        return guard.authority.call(granted.token, proof, tool=tool, arguments=arguments)

    return call


@limit("client")
def test_the_authority_takes_a_clients_word_for_what_the_user_asked(guard: Guard, clock: FakeClock):
    assert remote(guard, clock, "answer", to="eve@evil.example")("send_email", to="eve@evil.example").token
    with pytest.raises(Denied):
        remote(guard, clock, "answer")("send_email", to="eve@evil.example")


@limit("authority-counts")
def test_a_call_of_the_authority_takes_from_its_budget_and_does_not_advance_a_chain(guard: Guard, clock: FakeClock):
    call = remote(guard, clock, "answer")
    assert call("send_email", to=ADA).token  # never presented to anybody
    with pytest.raises(Denied) as denied:
        call("send_email", to=ADA)
    assert "scope.budget" in denied.value.decision.checks

    call = remote(guard, clock, "chained")
    assert call("read_ticket").token
    with pytest.raises(Denied) as denied:
        call("send_email", to=ADA)
    assert "chain.order" in denied.value.decision.checks


@limit("authority-outputs")
def test_what_a_remote_task_was_shown_is_trusted_for_nothing(guard: Guard, clock: FakeClock):
    call = remote(guard, clock, "answer")
    call("read_ticket")  # it returned bob's address there, in a trusted field
    with pytest.raises(Denied) as denied:
        call("send_email", to="bob@okafor.example")
    assert "origin.argument" in denied.value.decision.checks
    assert call("send_email", to=ADA).token  # the intent alone counts


@limit("headers")
async def test_a_header_or_cookie_that_was_made_no_argument_reaches_the_tool_unjudged(guard: Guard, clock: FakeClock):
    seen: list[tuple[str, str]] = []

    async def service(scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        seen.append((headers[b"account"].decode(), headers[b"cookie"].decode()))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def judged(request: Incoming) -> tuple[str, dict[str, Any]]:
        return request.path.replace("/send", "send_email"), {**request.json(), "account": request.header("account")}

    calls: tuple[Any, ...] = ({"POST /send": "send_email"}, judged)
    for call, status in zip(calls, (200, 401), strict=True):
        token, proof = sent(guard)
        app = CallTokens(service, verifier(guard, clock), base_url=MAIL, call=call)
        headers = {"Licet-Call-Token": token, "DPoP": proof.jwt, "account": "GB29-EVE", "cookie": "as=eve"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client:
            assert (await client.post(URL, json={"to": ADA}, headers=headers)).status_code == status
    assert seen == [("GB29-EVE", "as=eve")]


@limit("clocks")
def test_a_token_lives_longer_by_the_skew_and_by_as_much_as_the_services_clock_is_slow(guard: Guard, clock: FakeClock):
    token, proof = sent(guard)
    slow = FakeClock(clock.now() - 40)
    with refused("token.time"):  # as yet it comes from the future
        verifier(guard, slow).verify(token, proof=proof, **SENT)
    clock.advance(60 + 29 + 40)
    slow.advance(60 + 29 + 40)
    with refused("token.time"):
        verifier(guard, clock).verify(token, proof=proof, **SENT)
    assert verifier(guard, slow).verify(token, proof=proof, **SENT)
