"""`licet token show`: what a token says of itself. Nothing is verified, and neither the signature nor the token is printed."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from typing import Any

from licet.cli import output
from licet.cli.token_input import add_token, refusal, token_of
from licet.clock import iso, lasting
from licet.errors import TokenRefused
from licet.escape import visible, visible_json
from licet.tokens.claims import actors_of
from licet.tokens.jws import claims_of, parse

EXAMPLE = """\
Anybody can write what is shown here: only `licet token verify` says whether it is true.
Exit codes: 0 shown, 1 not a token in the strict form, 2 wrong usage.

example: licet token show < token.txt
         xclip -o | licet token show --json | jq .claims.tctx
"""
UNVERIFIED = "nothing here is verified: anybody can have written it"
_WIDEST = 1_000  # characters of one value


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_token(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")


def run(options: argparse.Namespace) -> int:
    """Show it; 1 if it is no token in the strict form."""
    token, now = token_of(options), time.time()
    try:
        jws = parse(token)
        claims = claims_of(jws)
    except TokenRefused as refused:
        why = refusal(refused, token)
        if options.json:
            output.data({"verified": False} | why)
        else:
            output.error(f"licet: not a token in the strict form: step {why['step']}: {why['why']} [{why['check']}] ({why['clause']})")
        return 1
    if options.json:
        output.data({"verified": False, "header": dict(jws.header), "claims": claims} | _read(claims, now))
        return 0
    output.say(output.paint(UNVERIFIED, "yellow"))
    for name, value in (*((f"header {name}", value) for name, value in jws.header.items()), *_rows(claims, now)):
        output.say(output.paint(f"{visible(name, 80):22}", "dim"), "  ", value if isinstance(value, str) else visible_json(value, _WIDEST))
    return 0


def _read(claims: Mapping[str, Any], now: float) -> dict[str, Any]:
    """What takes some reading: times as dates, and the chain of agents as a list."""
    issued, expires = _time(claims.get("iat")), _time(claims.get("exp"))
    left = claims["exp"] - now if expires else None
    return {"issued": issued, "expires": expires, "seconds_left": left, "agents": _agents(claims), "bound_to": _holder(claims)}


def _rows(claims: Mapping[str, Any], now: float) -> Iterator[tuple[str, Any]]:
    tctx, told = _object(claims.get("tctx")), set[str]()

    def row(name: str, path: str) -> Iterator[tuple[str, Any]]:
        where, _, key = path.rpartition(".")
        found = (tctx if where else claims).get(key)
        if found is not None:
            told.add(path)
            yield name, found

    yield from row("issuer", "iss")
    yield from row("audience", "aud")
    yield from row("for", "sub")
    # A row of its own: behind the name, it could be part of the name.
    yield "for is", _standing(tctx, "sub_is")
    yield from row("agent", "client_id")
    yield "agent is", _standing(tctx, "act_is")
    if (agents := _agents(claims)) and "act" in claims:
        told.add("act")
        if len(agents) > 1:
            yield "acts for the next", agents
    yield from row("task", "tctx.task_id")
    yield from row("transaction", "txn")
    yield from row("intent", "tctx.intent")
    yield from row("scope", "scope")
    if (tool := _tool(claims)) is not None:
        yield "tool", tool
    yield from row("arguments", "tctx.args_digest")
    yield from row("id", "jti")
    for name, key in (("issued", "iat"), ("not before", "nbf"), ("expires", "exp")):
        if (at := _time(claims.get(key))) is not None:
            told.add(key)
            away = claims[key] - now
            yield name, f"{at} ({f'in {lasting(away)}' if away > 0 else f'{lasting(-away)} ago'})"
    holder = _holder(claims)
    if holder is not None:
        told.add("cnf.jkt")
    yield "bound to", f"the key {holder}" if holder is not None else "no key: whoever sees it can present it"
    told |= {"tctx.sub_is", "tctx.act_is"}
    yield from ((path, value) for path, value in _flat(claims) if not any(path == name or path.startswith(f"{name}.") for name in told))


def _standing(tctx: Mapping[str, Any], name: str) -> object:
    """`asserted` where the token says nothing, as the verifier reads it."""
    return tctx.get(name, "asserted")


def _flat(claims: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each claim, and each member of one that is an object."""
    for name, value in claims.items():
        if isinstance(value, dict) and value:
            yield from ((f"{name}.{key}", member) for key, member in value.items())
        else:
            yield name, value


def _time(value: object) -> str | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        return iso(value)
    except (ValueError, OverflowError, OSError):  # no year that a calendar has
        return None


def _agents(claims: Mapping[str, Any]) -> list[str] | None:
    try:
        return list(actors_of(claims))
    except TokenRefused:
        return None


def _holder(claims: Mapping[str, Any]) -> str | None:
    found = _object(claims.get("cnf")).get("jkt")
    return found if isinstance(found, str) else None


def _tool(claims: Mapping[str, Any]) -> str | None:
    details = claims.get("authorization_details")
    found = _object(details[0]).get("identifier") if isinstance(details, list) and len(details) == 1 else None
    return found if isinstance(found, str) else None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
