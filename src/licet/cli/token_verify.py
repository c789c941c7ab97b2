"""`licet token verify`: the verifier's checklist, step by step, for one token and one call. The token is not used up."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from licet.cli import output
from licet.cli.output import Style
from licet.cli.state import add_state, existing, ring_of, store_of
from licet.cli.token_input import add_token, object_of, read, refusal, text_of, token_of
from licet.cli.token_look import Wanted, look_on
from licet.errors import TokenRefused, UsageError
from licet.guard.minter import audience_of
from licet.manifest import Tool, load
from licet.tokens import CALL_TYPE, CallClaims, FixedKeys, KeySet, KeySource, Proof, key_of_environment
from licet.tokens.claims import ENVELOPES
from licet.tokens.jws import claims_of, parse
from licet.tokens.steps import STEPS, failed_step, passed

EXAMPLE = """\
Without --jwks the keys are those of the state folder; used and revoked tokens are looked up in its store. The issuer is then by default
the name that is made from the folder's first key, and the audience the one of a tool without `audience:`. --manifest says what the guard
mints for the tool instead. A step that fails does not hide those behind it, from step 7 on: a token that is over is looked at to its end.
Exit codes: 0 good, 1 refused, 2 wrong usage or something cannot be read.

example: licet token verify -m licet.yaml --tool pay --arguments '{"amount": 5}' --no-proof < token.txt
         licet token verify --issuer https://guard.acme.example --audience https://pay.acme.example --jwks jwks.json --tool pay \\
             --arguments @arguments.json --proof @proof.txt --method POST --url https://pay.acme.example/pay < token.txt
"""
_STYLES: Mapping[str, Style] = {"ok": "green", "failed": "red", "skipped": "dim"}


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_token(parser)
    parser.add_argument("--tool", metavar="NAME", required=True, help="the tool that would run")
    parser.add_argument("--arguments", metavar="JSON", required=True, help="its arguments, all of them as they came; @FILE reads a file")
    known = "issuer, audience, kind of token and pinned definition, where they are not given here"
    parser.add_argument("-m", "--manifest", metavar="FILE", help=f"the guard's manifest: it says {known}")
    parser.add_argument("--issuer", metavar="ISS", help="the `iss` that is expected; --jwks needs it")
    parser.add_argument("--audience", metavar="AUD", help="the `aud` that is expected (default: urn:licet:tool:NAME)")
    parser.add_argument("--jwks", metavar="FILE", help="the issuer's keys; with --state its store is asked too, else none")
    parser.add_argument("--typ", choices=ENVELOPES, help=f"the kind of token that is taken (default: {CALL_TYPE})")
    parser.add_argument("--task", metavar="ID", help="the whole id of the task that the call claims to belong to")
    parser.add_argument("--actor", metavar="NAME", help="the agent as it was authenticated otherwise")
    parser.add_argument("--definition", metavar="DIGEST", help="the digest of the tool's definition")
    parser.add_argument("--proof", metavar="JWT", help="the DPoP proof; @FILE reads a file; with --method and --url")
    parser.add_argument("--method", metavar="METHOD", help="the method of the request that the proof is for")
    parser.add_argument("--url", metavar="URL", help="its URL, as the server knows it")
    parser.add_argument("--no-proof", action="store_true", help="look at the rest, whether the token is bound to a key or not")
    parser.add_argument("--burn", action="store_true", help="use the token up, and keep findings, as a tool's side would")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    add_state(parser)


def run(options: argparse.Namespace) -> int:
    """Verify; 1 if the token is refused."""
    if options.no_proof and (options.burn or options.proof):
        raise UsageError("--no-proof goes with neither --proof nor --burn: a token that is used up is looked at whole")
    declared = _declared(options)
    if options.jwks and not options.issuer:
        other = "or a --manifest that has `authority:`" if options.manifest is None else "as the manifest has no `authority:`"
        raise UsageError(f"--jwks needs --issuer, {other}: a token's own word for who issued it counts for nothing")
    if options.burn and options.jwks and not options.state:
        raise UsageError("--burn needs a store: name its folder with --state")
    arguments, proof, token = object_of(options.arguments, "--arguments"), _proof(options), token_of(options)
    with ExitStack() as stack:
        keys, issuer = _keys(options)
        shared = not options.jwks or options.state is not None
        store = stack.enter_context(store_of(existing(options, "store"))) if shared else None
        wanted = Wanted(
            keys, issuer, options.audience or audience_of(options.tool, declared), options.typ or declared.envelope or CALL_TYPE,
            options.tool, arguments, proof, options.task, options.actor, options.definition or declared.definition, store,
            frozenset({"token.proof"}) if options.no_proof else frozenset(),
        )  # fmt: skip
        try:
            found = wanted.verify(token, burn=options.burn)
        except TokenRefused as refused:
            all_of_it, ended = look_on(wanted, token, refused)
            return _refused(options, all_of_it, token, ended=ended, asked=store is not None)
    return _good(options, found, asked=store is not None)


def _declared(options: argparse.Namespace) -> Tool:
    """The tool as the manifest has it; without a manifest one that says nothing. The manifest's issuer becomes an option.

    Raises:
        UsageError: the manifest has no such tool.
    """
    if options.manifest is None:
        return Tool()
    manifest = load(options.manifest)
    tool = manifest.tools.get(options.tool)
    if tool is None:
        raise UsageError(f"{options.manifest}: no tool {options.tool!r}; declared: {', '.join(manifest.tools)}")
    if options.issuer is None and manifest.authority is not None:
        options.issuer = manifest.authority.issuer
    return tool


def _keys(options: argparse.Namespace) -> tuple[KeySet, str]:
    if options.jwks:
        return KeySet.of(object_of(read(options.jwks, "--jwks"), "--jwks")), options.issuer
    now, held = time.time(), key_of_environment(os.environ)
    source: KeySource = FixedKeys(held) if held is not None else ring_of(existing(options, "keys"), now)
    return KeySet.of({"keys": source.published(now)}), options.issuer or f"urn:licet:issuer:{source.name}"


def _proof(options: argparse.Namespace) -> Proof | None:
    if options.proof is None:
        return None
    if not options.method or not options.url:
        raise UsageError("--proof needs --method and --url: a proof is for one request")
    return Proof(text_of(options.proof, "--proof").strip(), options.method, options.url)


def _refused(options: argparse.Namespace, found: Sequence[TokenRefused], token: str, *, ended: bool, asked: bool) -> int:
    steps = [failed_step(refused, token) or STEPS[-1] for refused in found]
    rows = []
    for step in STEPS:
        why = "; ".join(refused.why for refused, failed in zip(found, steps, strict=True) if failed == step)
        held = ended or passed(step, steps[-1])
        rows.append(_left_out(options, _row(step.number, "failed" if step in steps else "ok" if held else "skipped", why), asked=asked))
    if any(refused.check == "token.time" for refused in found) and rows[10]["state"] == "ok":
        rows[10]["state"] = "skipped"  # a use is not remembered much longer than the token could be taken
    first, *others = (refusal(refused, token) for refused in found)
    if options.json:
        output.data({"ok": False, "burned": False, **first, "also": others, "steps": rows})
        return 1
    _print(rows)
    output.say(output.paint("refused", "red"), f" at step {first['step']} [{first['check']}]: {first['why']}")
    for other in others:
        output.say(f"and would be at step {other['step']} [{other['check']}]: {other['why']}")
    if options.proof is None and any(refused.check == "token.proof" for refused in found):
        bound = "cnf" in claims_of(parse(token))  # it has come as far as step 10
        needs = "needs a proof: --proof with --method and --url" if bound else "only the process that it was made in takes it"
        output.say(f"{needs}; `--no-proof` leaves that out")
    return 1


def _good(options: argparse.Namespace, found: CallClaims, *, asked: bool) -> int:
    rows = [_left_out(options, _row(step.number, "ok"), asked=asked) for step in STEPS]
    if options.json:
        output.data({"ok": True, "burned": options.burn, "task": found.task, "jti": found.jti, "steps": rows})
        return 0
    _print(rows)
    skipped = [str(row["step"]) for row in rows if row["state"] == "skipped"]
    left = f", as far as it was looked at: not at step {', '.join(skipped)}" if skipped else ""
    used = "it is used up now" if options.burn else "it was not used up"
    output.say(output.paint("good", "green"), f" for this call of {found.tool}{left}; {used}")
    return 0


def _row(number: int, state: str, why: str = "") -> dict[str, Any]:
    step = STEPS[number - 1]
    return {"step": number, "state": state, "what": step.what, "clause": step.clause, "why": why if state == "failed" else ""}


def _left_out(options: argparse.Namespace, row: dict[str, Any], *, asked: bool) -> dict[str, Any]:
    """What this run does not look at is not called ok."""
    out = (row["step"] == 10 and options.no_proof) or (row["step"] in (11, 12) and not asked)
    return row | {"state": "skipped"} if out and row["state"] == "ok" else row


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        state = {"skipped": "not looked at"}.get(row["state"], row["state"])
        output.say(f"{row['step']:2}  ", output.paint(f"{state:13}", _STYLES[row["state"]]), f"  {row['what']}  ({row['clause']})")
        if row["why"]:
            output.say(f"{'':19}{row['why']}")
