"""The whole way over the wire: open, delegate, call, verified at the tool's side, taken back, refused."""

from __future__ import annotations

import json

import pytest

from licet.errors import TokenRefused
from licet.server.limits import Limiter
from licet.tokens import MemoryState, Proof, Verifier, prove
from running import ACCESS, BOT, CALL, HELPER, HELPERS, ID, MAIL, OTHERS, TASK, Asker, Service

TO = {"to": "ada@acme.example", "body": "Hello"}


def verifier(service: Service, audience: str = MAIL, **more: object) -> Verifier:
    """A tool's side, in another process but for the store, with the keys that the service publishes."""
    jwks = service.http.get("/jwks.json").json()
    return Verifier(jwks, issuer=service.url, audience=audience, state=service.guard.token_state, clock=service.clock, **more)


def denied(answer, error: str, status: int = 400) -> str:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()["error_description"]


def test_the_whole_way(service: Service):
    """A token from the service is good at the tool once, and not after its task was ended."""
    bot, opened = service.asker, service.asker.open()
    assert opened.json() | {"access_token": "", "task": ""} == {
        "access_token": "", "issued_token_type": TASK, "token_type": "N_A", "expires_in": 300, "scope": "tool:crm tool:note tool:send", "task": "",
    }  # fmt: skip
    assert opened.headers["cache-control"] == "no-store"
    task = opened.json()["access_token"]
    issued = bot.call(task, "send", TO)
    assert issued.json()["issued_token_type"] == CALL
    token = issued.json()["access_token"]

    def proof() -> Proof:
        return Proof(prove(service_key(service), "POST", f"{MAIL}/send", token=token, now=service.clock.now()), "POST", f"{MAIL}/send")

    side = verifier(service)
    found = side.verify(token, tool="send", arguments=TO, proof=proof())
    assert (found.principal, found.principal_is, found.agent, found.agent_is) == ("idp:grace", "proved", "bot", "proved")
    with pytest.raises(TokenRefused) as again:
        side.verify(token, tool="send", arguments=TO, proof=proof())
    assert again.value.check == "token.replay"

    token = bot.call(task, "send", TO).json()["access_token"]
    assert bot.post("/revoke", {"token": task}).status_code == 200
    with pytest.raises(TokenRefused) as ended:
        side.verify(token, tool="send", arguments=TO, proof=proof())
    assert ended.value.check == "token.ended"
    denied(bot.call(task, "send", TO), "invalid_request")


def service_key(service: Service):
    """The key that calls of `bot`'s tasks are bound to."""
    return service.asker.holder


def test_a_sub_task_for_another_agent_and_its_key(service: Service):
    """The child's token is of no use to the parent's key, nor to a client that may not act as the child."""
    task = service.task()
    child = service.asker.delegate(task).json()["access_token"]
    helper = Asker(service, "helpers", HELPERS, HELPER)
    issued = helper.call(child, "send", TO)
    assert issued.status_code == 200, issued.text
    with_parents_key = Asker(service, "helpers", HELPERS, BOT)
    denied(with_parents_key.call(child, "send", TO), "invalid_dpop_proof")
    with_parents_client = Asker(service, holder=HELPER)
    assert denied(with_parents_client.call(child, "send", TO), "invalid_request") == "the token was refused"


def test_a_sub_task_of_an_agent_that_is_not_named_is_denied(service: Service):
    """Policy speaks in words that the model may see."""
    text = denied(service.asker.delegate(service.task(), agent="stranger"), "access_denied")
    assert "delegation.widened" in text
    assert '"' not in text


def test_a_call_beyond_the_task_is_denied(service: Service):
    """And so is one whose value is not from the intent; no token comes with it."""
    answer = service.asker.call(service.task(), "send", {"to": "eve@evil.example", "body": ""})
    assert "origin.argument" in denied(answer, "access_denied")
    assert "access_token" not in answer.json()
    denied(service.asker.call(service.task(), "launch", {}), "access_denied")


def test_the_other_envelope_is_an_access_token(service: Service):
    """A resource server gets `at+jwt`; whoever asks for the other kind is told so before the call counts."""
    task = service.task()
    issued = service.asker.call(task, "crm", {"id": 1}, ACCESS).json()
    assert (issued["issued_token_type"], issued["token_type"]) == (ACCESS, "DPoP")
    denied(service.asker.call(task, "crm", {"id": 1}, CALL), "invalid_request")
    denied(service.asker.call(task, "send", TO, ACCESS), "invalid_request")


def test_renewing_needs_the_holders_key(service: Service):
    """A new token for the same task; a proof by another key, none, a used one or one for another token is refused."""
    bot, task = service.asker, service.task()
    proof = bot.proof(task)
    renewed = bot.exchange(task, proof=proof, requested_token_type=TASK)
    assert renewed.status_code == 200
    assert renewed.json()["access_token"] != task
    denied(bot.exchange(task, proof=proof, requested_token_type=TASK), "invalid_dpop_proof")
    denied(Asker(service, holder=HELPER).exchange(task, requested_token_type=TASK), "invalid_dpop_proof")
    denied(bot.exchange(task, proof=bot.proof("another"), requested_token_type=TASK), "invalid_dpop_proof")
    denied(bot.exchange(task, proof=bot.proof(task, url=f"{MAIL}/token"), requested_token_type=TASK), "invalid_dpop_proof")
    missing = bot.post(
        "/token", {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": task, "subject_token_type": TASK}
    )
    denied(missing, "invalid_dpop_proof")


def test_a_proof_opens_one_task(service: Service):
    """A proof that was seen on the wire opens no second one."""
    bot, detail = service.asker, json.dumps([{"type": "urn:licet:task", "kind": "work", "agent": "bot", "intent": "x"}])
    proof = bot.proof()
    assert bot.exchange(service.person(), ID, proof=proof, authorization_details=detail).status_code == 200
    denied(bot.exchange(service.person(), ID, proof=proof, authorization_details=detail), "invalid_dpop_proof")


def test_an_agent_that_the_client_may_not_act_as(service: Service):
    """A client's key speaks for its own agents; a client with one need not name it."""
    denied(service.asker.open(agent="helper"), "access_denied")
    assert service.asker.open(agent=None).status_code == 200


def test_a_person_who_is_not_proved(service: Service):
    """A subject token for others, of others or over opens nothing, and the answer does not say which."""
    detail = json.dumps([{"type": "urn:licet:task", "kind": "work", "agent": "bot", "intent": "x"}])
    told = set()
    for claims in ({"aud": "others"}, {"iss": "https://evil.example"}, {"exp": 1, "iat": 0}):
        told.add(denied(service.asker.exchange(service.person(**claims), ID, authorization_details=detail), "invalid_request"))
    assert len(told) == 1
    assert "`subject_token=` does not prove for whom the task is" in told.pop()


def test_a_call_token_is_not_a_tasks(service: Service):
    """One kind of token is not taken for another."""
    token = service.asker.call(service.task(), "send", TO).json()["access_token"]
    denied(service.asker.exchange(token, requested_token_type=TASK), "invalid_request")
    denied(service.asker.exchange(service.task(), ID, authorization_details='[{"type":"urn:licet:task"}]'), "invalid_authorization_details")


@pytest.mark.parametrize(
    "form,error",
    [
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"scope": "tool:send"}, "invalid_scope"),
        ({"resource": MAIL}, "invalid_target"),
        ({"audience": MAIL}, "invalid_target"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"),
        ({"requested_token_type": ""}, "invalid_request"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"),
        ({"subject_token": ""}, "invalid_request"),
        ({"actor_token": "x"}, "invalid_request"),
        ({"actor_token": "x", "actor_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"),
        ({"dpop_jkt": "x"}, "invalid_request"),
        ({"authorization_details": "{}"}, "invalid_authorization_details"),
        ({"authorization_details": "[]"}, "invalid_authorization_details"),
        ({"authorization_details": '[{"type":"x"}]'}, "invalid_authorization_details"),
        ({"authorization_details": '[{"type":"urn:licet:task"},{"type":"urn:licet:task"}]'}, "invalid_authorization_details"),
        ({"authorization_details": '[{"type":"urn:licet:task","type":"urn:licet:task"}]'}, "invalid_authorization_details"),
        ({"authorization_details": '[{"type":"urn:licet:task","kind":"work","intent":"x","agent":"helper","more":1}]'}, "invalid_authorization_details"),
        ({"authorization_details": '[{"type":"urn:licet:task","kind":"work","intent":7,"agent":"helper"}]'}, "invalid_authorization_details"),
        ({"authorization_details": '[{"type":"urn:licet:task","kind":"work","intent":"x","agent":"helper","ttl":"10"}]'}, "invalid_authorization_details"),
        ({"authorization_details": '[{"type":"urn:licet:task","kind":"work","intent":"x","agent":"helper","tools":[1]}]'}, "invalid_authorization_details"),
        ({"authorization_details": '[{"type":"urn:licet:task","kind":"work","intent":"x","agent":"helper","tools":[]}]'}, "invalid_authorization_details"),
        ({"authorization_details": '[{"type":"urn:licet:task","kind":"nothing","intent":"x","agent":"helper"}]'}, "invalid_request"),
        ({"authorization_details": '[{"type":"urn:licet:task","kind":"work","intent":"x","agent":"helper","tools":["launch"]}]'}, "access_denied"),
        ({"authorization_details": '[],"more":[1]'}, "invalid_authorization_details"),
    ],
)  # fmt: skip
def test_a_request_that_is_wrong_in_itself(service: Service, form: dict[str, str], error: str):
    """What would be without effect, and may be meant to have one, is refused too."""
    denied(service.asker.exchange(service.task(), **({"requested_token_type": TASK} | form)), error)


def test_federation_is_for_the_declared_audiences(service: Service):
    """An ID token names the agent, the audience, and nothing else that could open a tool."""
    task = service.task()
    issued = service.asker.exchange(task, requested_token_type=ID, audience="sts.cloud.example")
    assert issued.json()["issued_token_type"] == ID
    denied(service.asker.exchange(task, requested_token_type=ID, audience=MAIL), "invalid_target")
    denied(service.asker.exchange(task, requested_token_type=ID), "invalid_request")
    with pytest.raises(TokenRefused):
        Verifier(
            service.http.get("/jwks.json").json(), issuer=service.url, audience="sts.cloud.example", state=MemoryState(), bound=False
        ).verify(issued.json()["access_token"], tool="send", arguments={})


def test_revoking_is_for_whoever_acts_or_delegated(service: Service):
    """A stranger's client ends nothing; an unknown token is as good as revoked; a parent ends what it delegated, and not the reverse."""
    task = service.task()
    child = service.asker.delegate(task).json()["access_token"]
    helper, stranger = Asker(service, "helpers", HELPERS, HELPER), Asker(service, "others", OTHERS)
    denied(stranger.post("/revoke", {"token": task}), "unauthorized_client")
    denied(helper.post("/revoke", {"token": task}), "unauthorized_client")
    assert service.asker.call(task, "send", TO).status_code == 200
    assert stranger.post("/revoke", {"token": "unknown"}).status_code == 200
    assert service.asker.post("/revoke", {"token": child}).status_code == 200
    denied(helper.call(child, "send", TO), "invalid_request")
    denied(stranger.post("/revoke", {}), "invalid_request")


def test_an_id_token_cannot_be_taken_back_and_nobody_is_told_that_it_was(service: Service):
    """RFC 7009 section 2.2.1. One that is not ours, or whose signature is not good, is unknown, and as good as revoked."""
    issued = service.asker.exchange(service.task(), requested_token_type=ID, audience="sts.cloud.example").json()["access_token"]
    denied(service.asker.post("/revoke", {"token": issued, "token_type_hint": "id_token"}), "unsupported_token_type")
    head, _, rest = issued.partition(".")
    body, _, signature = rest.partition(".")
    forged = ".".join((head, body, signature[:-8] + "AAAAAAAA"))
    assert service.asker.post("/revoke", {"token": forged}).status_code == 200


def test_a_revoked_call_token_is_refused_at_the_tool(service: Service):
    """RFC 7009 for one call."""
    token = service.asker.call(service.task(), "send", TO).json()["access_token"]
    assert service.asker.post("/revoke", {"token": token, "token_type_hint": "access_token"}).status_code == 200
    proof = Proof(prove(BOT, "POST", MAIL, token=token, now=service.clock.now()), "POST", MAIL)
    with pytest.raises(TokenRefused) as refused:
        verifier(service).verify(token, tool="send", arguments=TO, proof=proof)
    assert refused.value.check == "token.revoked"


def test_introspection_uses_nothing_up(service: Service):
    """Twice active, then good at the tool; of others' agents, unknown and ended ones only that they are not."""
    task = service.task()
    token = service.asker.call(task, "send", TO).json()["access_token"]
    for _ in range(2):
        found = service.asker.post("/introspect", {"token": token}).json()
        assert (found["active"], found["client_id"], found["scope"]) == (True, "bot", "tool:send")
        assert service.asker.post("/introspect", {"token": task}).json()["active"] is True
    proof = Proof(prove(BOT, "POST", MAIL, token=token, now=service.clock.now()), "POST", MAIL)
    verifier(service).verify(token, tool="send", arguments=TO, proof=proof)
    stranger = Asker(service, "others", OTHERS)
    assert stranger.post("/introspect", {"token": task}).json() == {"active": False}
    assert service.asker.post("/introspect", {"token": "unknown"}).json() == {"active": False}
    service.asker.post("/revoke", {"token": task})
    assert service.asker.post("/introspect", {"token": task}).json() == {"active": False}


def test_the_limiter_forgets_nobody_who_was_there_and_stays_small():
    """A crowd of new addresses shares one bucket, and takes nothing from those who came before."""
    limiter = Limiter(rate=1, burst=2, most=3)
    for name in "abc":
        assert limiter.take(name, 0) == 0
    assert [limiter.take(f"crowd {number}", 0) > 0 for number in range(4)] == [False, False, True, True]
    assert limiter.take("a", 0) == 0
    assert limiter.take("a", 0) == 1
    assert limiter.take("a", 1) == 0
    assert len(limiter) == 3


def test_a_task_goes_on_from_the_trace_of_who_opened_it_and_stays_in_it(service: Service):
    """W3C Trace Context, in the headers of the request; whoever asks later cannot take a call out of its task's trace."""
    began, other = "0af7651916cd43dd8448eb211c80319c", "11112222333344445555666677778888"
    service.http.headers["traceparent"] = f"00-{began}-b7ad6b7169203331-00"
    task = service.asker.open().json()
    service.http.headers["traceparent"] = f"00-{other}-b7ad6b7169203331-01"
    assert service.asker.call(task["access_token"], "send", TO).status_code == 200
    store = service.guard._store
    assert store.task(task["task"]).trace_id == began
    assert [call.trace_id for call in store.calls(task["task"])] == [began]
