"""Attacks on what a token says, and on the call that it is for: each class by name, against the whole verifier."""

from __future__ import annotations

import json
from typing import Any

import pytest

from forge import (
    ABSENT,
    ARGUMENTS,
    AUDIENCE,
    DEFINITION,
    ISSUER,
    TASK,
    TOOL,
    Desk,
    args_digest,
    chain_of,
    compact,
)
from licet.errors import TokenRefused
from licet.records import Decision, TaskRecord
from licet.tokens import FixedKeys, Issuer, Minting, SigningKey

# What a token says ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typ", ["at+jwt", "JWT", "jwt", "txntoken+jwt", "dpop+jwt", "licet-task+jwt", "licet-binding+jwt", "wit+jwt", "secevent+jwt",
                                 "logout+jwt", "licet-call", "licet-call+jwt ", "licet-call+jwt;x=1", "text/licet-call+jwt", "application/application/licet-call+jwt", "", ABSENT])  # fmt: skip
def test_a_token_of_another_kind_is_not_taken_in_place_of_a_call_token(desk: Desk, typ: Any):
    """ID tokens, access tokens, transaction tokens, proofs, and our own tasks and bindings, with otherwise good claims."""
    desk.refuses(desk.token(header={"typ": typ}), "token.type")


@pytest.mark.parametrize("typ", [None, 1, ["licet-call+jwt"], {}])
def test_a_type_is_a_text(desk: Desk, typ: Any):
    desk.refuses(desk.token(header={"typ": typ}), "token.malformed")


def test_a_verifier_of_access_tokens_takes_no_call_tokens(desk: Desk):
    verifier = desk.verifier(typ="at+jwt")
    desk.refuses(desk.token(), "token.type", verifier)
    desk.verify(desk.token(header={"typ": "at+jwt"}), verifier)


def test_our_own_tokens_of_other_kinds_are_not_call_tokens(desk: Desk):
    """As our issuer signs them, with a key that the verifier knows: a task's token, a task's binding, an ID token for a cloud."""
    ours = SigningKey.generate()
    clouds = SigningKey.generate("ES256")
    issuer = Issuer(FixedKeys(ours, clouds), ISSUER, "acme/worker")
    now = desk.clock.now()
    record = TaskRecord(TASK, "answer", "support-bot", "user:grace", "Answer", "sha256:m", now, 600.0)
    minting = Minting(
        tool=TOOL, audience=AUDIENCE, args_digest=args_digest(ARGUMENTS), expires=now + 60, step=1, purpose="Answer", intent_digest="sha256:i",
        actors=["support-bot"], context={}, holder=desk.holder.kid,
    )  # fmt: skip
    keys = {"keys": issuer.keys.published(now)}
    call = desk.verifier(keys=keys)
    access = desk.verifier(keys=keys, typ="at+jwt")
    home = desk.verifier(keys=keys, audience=ISSUER)
    others = [
        issuer.bind(Decision("allow"), record, minting, now=now).jwt,
        issuer.task(record, fields={"kind": "answer", "ends": int(now) + 60}, scope=f"tool:{TOOL}", actors=["support-bot"], expires=now + 60, holder=desk.holder.kid, now=now).jwt,
        issuer.federated("support-bot", AUDIENCE, now=now, expires=desk.clock.now() + 600, extra={}).jwt,
    ]  # fmt: skip
    for other in others:
        for verifier in (call, access, home):
            desk.refuses(other, "token.type", verifier)
    desk.verify(issuer.mint(Decision("allow"), record, minting, now=now).jwt, call)


AUDIENCES = [
    [AUDIENCE], [AUDIENCE, "https://evil.example"], [], "", ABSENT, None, {AUDIENCE: 1}, 7, AUDIENCE.upper(), AUDIENCE + "/", AUDIENCE[:-1], AUDIENCE + "x",
    "https://crm.acme.example", "*", f"{AUDIENCE} https://evil.example", AUDIENCE.replace("crm", "CRM"), AUDIENCE + "\0", AUDIENCE.replace("e", "е", 1), True,
]  # fmt: skip


@pytest.mark.parametrize("aud", AUDIENCES)
def test_the_audience_is_exactly_one_and_exactly_ours(desk: Desk, aud: Any):
    """A list, a prefix, another case, a look-alike letter: none of them is it."""
    desk.refuses(desk.token(aud=aud), "token.audience")


@pytest.mark.parametrize("iss", ["https://evil.example", ISSUER + "/", ISSUER.upper(), [ISSUER], "", None, ABSENT, True, {"iss": ISSUER}])
def test_the_issuer_is_exactly_ours(desk: Desk, iss: Any):
    desk.refuses(desk.token(iss=iss), "token.issuer")


TIMES = [True, False, None, "1795300060", [], {}, -1, 0, 1.5, 1795300060.0, 2**53 - 1, ABSENT]


@pytest.mark.parametrize("name", ["exp", "iat"])
@pytest.mark.parametrize("value", TIMES)
def test_times_are_whole_numbers_within_bounds(desk: Desk, name: str, value: Any):
    desk.refuses(desk.token(**{name: value}), "token.time")


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "text",
    ["1e400", "-1e400", "Infinity", "NaN", "1" * 400, "99999999999999999999", "0x7fffffff", "01795300060", "+1795300060", "1_795_300_060"],
)
def test_times_that_are_no_numbers_of_json_are_refused(desk: Desk, name: str, text: str):
    """joserfc takes `exp: 1e400` for infinity."""
    body = json.dumps(desk.claims(**{name: "HERE"})).replace('"HERE"', text)
    desk.refuses(compact(desk.header(), body, desk.key.sign), "token.malformed")


def test_a_token_holds_in_its_time_only(desk: Desk):
    """30 s of skew, 300 s of life, and not from the future."""
    now = desk.now
    for changes in (
        {"iat": now - 91, "nbf": now - 91, "exp": now - 31}, {"iat": now - 90, "nbf": now - 90, "exp": now - 30}, {"iat": now + 31, "nbf": now + 31, "exp": now + 91}, {"nbf": now + 31},
        {"exp": now + 301}, {"exp": now}, {"exp": now - 1}, {"iat": now - 300, "exp": now + 1}, {"nbf": "x"}, {"nbf": True}, {"nbf": None}, {"nbf": 2**53},
    ):  # fmt: skip
        desk.refuses(desk.token(**changes), "token.time")
    desk.verify(desk.token(iat=now - 89, nbf=now - 89, exp=now - 29))
    desk.verify(desk.token(iat=now + 30, nbf=now + 30, exp=now + 330))


def test_a_chain_of_actors_is_bounded_and_a_chain(desk: Desk):
    """Nested bombs, lists, cycles in name, empty and null actors."""
    assert len(desk.verify(desk.token(act=chain_of(8))).actors) == 8
    desk.refuses(desk.token(act=chain_of(9)), "token.actor")
    desk.refuses(desk.token(act=chain_of(100)), "token.malformed")
    for depth in (250, 1_000):
        bomb = '{"sub":"a","act":' * depth + "{}" + "}" * depth
        body = json.dumps(desk.claims(act="HERE")).replace('"HERE"', bomb)
        desk.refuses(compact(desk.header(), body, desk.key.sign), "token.malformed")
    for act in (None, [], {}, "support-bot", [{"sub": "support-bot"}], {"sub": None}, {"sub": ""}, {"sub": ["support-bot"]}, {"sub": "other"},
                {"sub": "support-bot", "act": None}, {"sub": "support-bot", "act": {}}, {"sub": "support-bot", "act": []}, {"sub": "support-bot", "x": 1}):  # fmt: skip
        desk.refuses(desk.token(act=act), "token.actor")
    desk.refuses(desk.token(act=ABSENT, client_id=None), "token.claims")


def test_only_the_outermost_actor_is_the_agent(desk: Desk):
    """RFC 8693 section 4.1: an earlier actor, who may have more rights, is not acting."""
    chain = {"sub": "support-bot", "act": {"sub": "admin-bot"}}
    desk.refuses(desk.token(act=chain), "token.actor", actor="admin-bot")
    desk.verify(desk.token(act=chain), actor="support-bot")
    desk.refuses(desk.token(client_id="admin-bot"), "token.actor")


# The call ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [
    {**ARGUMENTS, "to": "eve@evil.example"}, {**ARGUMENTS, "bcc": "eve@evil.example"}, {"to": ARGUMENTS["to"]}, {}, {**ARGUMENTS, "copies": 2},
    {**ARGUMENTS, "copies": "1"}, {**ARGUMENTS, "copies": True}, {**ARGUMENTS, "copies": [1]}, {**ARGUMENTS, "to": [ARGUMENTS["to"]]}, {**ARGUMENTS, "to": "Ada@acme.example"},
    {**ARGUMENTS, "to": "ada@acme.example "}, {**ARGUMENTS, "body": None}, {**ARGUMENTS, "copies": float("nan")}, {**ARGUMENTS, "copies": float("inf")},
    {**ARGUMENTS, "to": "\ud800"}, {**ARGUMENTS, "copies": 10**5000}, {**ARGUMENTS, "to": {1, 2}}, {**ARGUMENTS, "to": b"ada@acme.example"}, {**ARGUMENTS, "to": object()},
])  # fmt: skip
def test_arguments_that_were_swapped_after_minting_are_refused(desk: Desk, arguments: dict[str, Any]):
    desk.refuses(desk.token(), "token.binding", arguments=arguments)


def test_arguments_nested_too_deep_to_be_compared_are_refused(desk: Desk):
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    desk.refuses(desk.token(), "token.binding", arguments={**ARGUMENTS, "to": deep})


def test_a_tool_whose_definition_was_swapped_after_minting_is_refused(desk: Desk):
    desk.refuses(desk.token(), "token.binding", definition="sha256:" + "e" * 64)
    desk.refuses(desk.token(tctx=desk.context(tool_def_digest=ABSENT)), "token.binding", definition=DEFINITION)


def test_another_tools_token_is_refused(desk: Desk):
    """Also where scope, details and audience of one token disagree about the tool."""
    desk.refuses(desk.token(), "token.binding", tool="delete_ticket")
    desk.refuses(desk.token(), "token.binding", tool=TOOL.upper())
    desk.refuses(desk.token(scope="tool:delete_ticket"), "token.claims", tool="delete_ticket")
    for scope in (f"tool:{TOOL} tool:delete_ticket", "tool:*", "", ABSENT, [f"tool:{TOOL}"]):
        desk.refuses(desk.token(scope=scope), "token.claims")
    detail = desk.claims()["authorization_details"][0]
    for details in (
        [], None, detail, [detail, detail], [{**detail, "type": "payment"}], [{**detail, "locations": ["https://evil.example"]}], [{**detail, "locations": AUDIENCE}],
        [{**detail, "locations": [AUDIENCE, "x"]}], [{**detail, "actions": ["*"]}], [{**detail, "identifier": "x"}], [{**detail, "identifier": None}], ["x"], [None], [[detail]],
    ):  # fmt: skip
        desk.refuses(desk.token(authorization_details=details), "token.claims")


def test_another_tasks_token_is_refused(desk: Desk):
    desk.refuses(desk.token(), "token.binding", task="f" * 32)
    desk.refuses(desk.token(tctx=desk.context(task_id="f" * 32)), "token.binding", task=TASK)


@pytest.mark.parametrize("name", ["jti", "sub", "client_id", "txn", "req_wl", "tctx"])
@pytest.mark.parametrize("value", [ABSENT, None, "", 7, [], ["x"], True])
def test_a_claim_that_is_missing_or_of_another_type_is_refused(desk: Desk, name: str, value: Any):
    with pytest.raises(TokenRefused) as refused:
        desk.verify(desk.token(**{name: value}))
    assert refused.value.check in ("token.claims", "token.actor")


@pytest.mark.parametrize("change", [
    {"max_calls": 2}, {"max_calls": ABSENT}, {"max_calls": "1"}, {"max_calls": None}, {"args_digest": ABSENT}, {"args_digest": ""}, {"args_digest": None}, {"step": "1"}, {"step": True},
    {"task_id": ABSENT}, {"intent": 7}, {"sub_is": "PROVED"}, {"act_is": True}, {"sub_is": None}, {"layers": "x"}, {"layers": [1]}, {"tool_def_digest": None},
])  # fmt: skip
def test_the_context_of_the_call_is_whole(desk: Desk, change: dict[str, Any]):
    desk.refuses(desk.token(tctx=desk.context(**change)), "token.claims")


@pytest.mark.parametrize(
    "digest",
    [
        "é",
        "sha256:\u2028",
        "\U0001f600" * 8,
        "sha256:" + "D" * 64,
        args_digest(ARGUMENTS).upper(),
        args_digest(ARGUMENTS)[:-1],
        args_digest(ARGUMENTS)[7:],
    ],
)
def test_a_digest_of_any_letters_is_another_digest(desk: Desk, digest: str):
    desk.refuses(desk.token(tctx=desk.context(args_digest=digest)), "token.binding")
