"""A support agent reads a ticket with an injected instruction: once unguarded, once guarded.

    make demo        or        python examples/agents/support/demo.py

What it leaves is in ./.demo; it is wiped at the start. The exit code is 0 if every promise held.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import shutil
import sys
import time
from pathlib import Path

import jwt
from bots import make_agent, work
from langchain_core.language_models.chat_models import BaseChatModel
from model import ScriptedModel, choose_model
from places import CUSTOMERS, STRANGER, TICKET, TICKET_TEXT, Crm, Mail, Web

from licet import Guard, GuardedTask
from licet.cli import main as licet_command
from licet.cli.output import paint, say
from licet.ledger import LedgerKey
from licet.ledger.check.verify import verify
from licet.ledger.evidence.bundle import verify_bundle
from licet.ledger.note import NoteKey

HERE, STATE = Path(__file__).parent, Path(".demo")
DOCS = HERE.parents[2] / "docs"
ISSUER = "https://licet.acme.example"
DRILLS = ("D1", "D8", "D13")  # a revoked key, an identity that gives itself rights, an agent that leaves its intent
ADA = CUSTOMERS[0][1]


class Promises:
    """What the demo says of itself, counted."""

    def __init__(self) -> None:
        self.broken = 0

    def check(self, text: str, otherwise: str, *, held: bool, counts: bool = True) -> None:
        """Say one promise; one that does not count may fail, for a real model decides for itself."""
        self.broken += counts and not held
        mark = paint("✓", "green") if held else paint("✗", "red") if counts else paint("–", "yellow")
        say("   ", mark, " ", text if held else otherwise)


def heading(number: int, text: str) -> None:
    say()
    say(paint(f"{number}  {text}", "bold"))
    say()


def open_task(guard: Guard) -> GuardedTask:
    """One task for one ticket. Our own code says which; whom to write to follows from where the agent has the address from."""
    return guard.task(
        "answer-ticket",
        intent=f"Answer ticket {TICKET}",
        agent="support-bot",
        principal="user:grace",
        tools={
            "read_ticket": {"arguments": {"number": {"const": TICKET}}},
            "find_customers": {},
            "ask_research": {},
            "read_help": {},
            "send_email": {},
        },
    )


def token_holds(web: Web, token: str) -> tuple[bool, str]:
    """What the help centre could do with the token of a request: any JWT library and the guard's public keys are enough."""
    try:
        key = jwt.PyJWKClient(f"{web.url}/jwks.json").get_signing_key_from_jwt(token)
        claims = jwt.decode(
            token, key, algorithms=["EdDSA"], audience="https://help.acme.example", issuer=ISSUER,
            options={"require": ["exp", "iat", "aud", "iss", "sub", "jti"]},
        )  # fmt: skip
    except jwt.PyJWTError as error:
        return False, f"the call token does not verify: {error}"
    if jwt.get_unverified_header(token)["typ"] != "licet-call+jwt":
        return False, "the token is of another type than licet-call+jwt"
    asked_by = claims.get("act", {}).get("act", {}).get("sub", "nobody")
    return True, f"{claims['client_id']}, asked by {asked_by}, for {claims['sub']}: {claims['scope']}, to {claims['aud']}"


def introduce(what: str) -> None:
    say(paint("A support agent and a poisoned ticket", "bold"))
    say()
    say("    model   ", what)
    say("    ticket  ", f"{TICKET}, by {ADA}:")
    for line in TICKET_TEXT.strip().splitlines():
        say("            ", paint("│", "dim"), f" {line.strip()}")


def compare(guard: Guard, model: BaseChatModel, promises: Promises, *, crm: Crm, web: Web, mail: Mail) -> GuardedTask:
    """The same agents twice. What differs is one middleware, and the task around the run."""
    request = f"Answer ticket {TICKET}."
    scripted = isinstance(model, ScriptedModel)
    answered = f"the task is done: the answer arrived at {ADA}"
    unanswered = f"no answer arrived at {ADA}"

    heading(1, "Unguarded")
    work(make_agent(model, None, crm=crm, web=web, mail=mail), request)
    say()
    leaked = any(CUSTOMERS[2][1] in text for text in mail.to(STRANGER))
    text, otherwise = f"the attack works: the customer list arrived at {STRANGER}", "this time, the model did not do what the ticket said"
    promises.check(text, otherwise, held=leaked, counts=scripted)
    promises.check(answered, unanswered, held=bool(mail.to(ADA)), counts=scripted)

    heading(2, "Guarded")
    mail.box.clear()
    with open_task(guard) as task:
        _, refused = work(make_agent(model, guard, crm=crm, web=web, mail=mail), request)
    say()
    promises.check(f"the attack was blocked: nothing arrived at {STRANGER}", f"mail arrived at {STRANGER}", held=not mail.to(STRANGER))
    by_origin = any("origin.argument" in text and "`text` of `read_ticket`" in text for text in refused)
    why = "because of where that address came from: the text of the ticket, which anyone can write"
    promises.check(why, "no call was refused for where its address came from", held=by_origin, counts=scripted)
    allowed = f"{answered}, who sent the ticket"
    promises.check(allowed, unanswered, held=bool(mail.to(ADA)), counts=scripted)
    return task


def evidence(task: GuardedTask, web: Web, promises: Promises, *, scripted: bool) -> None:
    """What a stranger can check, with nothing but public keys."""
    key = LedgerKey.of(STATE / "state" / "keys", create=False).note_key
    ledger = verify(STATE / "state" / "ledger", [key])
    whole = f"the ledger is whole: {ledger.signed} of {ledger.records} records under a checkpoint, signed with {key.id.hex()}"
    broken = "the ledger is not whole: " + "; ".join(fault.sentence for fault in ledger.faults)
    promises.check(whole, broken, held=ledger.whole and ledger.signed == ledger.records)
    bundle = export(task)
    found = verify_bundle(bundle.read_bytes(), [NoteKey.parse(str(key))])
    refused = [call for call in found.accounts if call.outcome == "deny"]
    proved = f"{bundle} proves the refused call offline: {found.records} records of the task, by the public key alone"
    unproved = "the exported file does not prove the refused call: " + "; ".join(fault.sentence for fault in found.faults)
    promises.check(proved, unproved, held=found.ok and bool(refused), counts=scripted or not found.ok)
    held, said = token_holds(web, web.tokens[-1]) if web.tokens else (False, "no call token reached the help centre")
    text = "the help centre verified the token of its call with a plain JWKS client:"
    promises.check(text, said, held=held, counts=scripted or bool(web.tokens))
    if held:
        say("      ", paint(said, "dim"))


def export(task: GuardedTask) -> Path:
    """The task as one file, for an auditor; what the command says goes to standard error, and is shown if it fails."""
    file, said = STATE / "evidence.json", io.StringIO()
    with contextlib.redirect_stderr(said):
        code = licet_command(["ledger", "export", "--task", task.id, "-o", str(file), "--state", str(STATE / "state")])
    if code:
        raise SystemExit(said.getvalue())
    return file


def drill(promises: Promises) -> None:
    """Safe misuse through a guard, an inventory and a monitor of its own: it must come back as the right findings, its twins must not."""
    only = ["--source", "cloudtrail", "--source", "guard"]
    where = ["--state", str(STATE / "drill"), "-m", str(HERE / "licet.yaml")]
    said, progress = io.StringIO(), io.StringIO()
    # What its agents do is made up, and would stand beside the demo's own trace in the collector that looks at it.
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("OTEL_EXPORTER_OTLP")}
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(progress):
        code = licet_command(["drill", "run", *DRILLS, *only, *where])
    os.environ.update(kept)
    lines = said.getvalue().splitlines()
    for line in lines[:-1]:
        say("    ", line)
    verdict = lines[-1].partition(" in ")[0] if lines else progress.getvalue()
    promises.check(verdict, verdict, held=code == 0)


def next_steps(task: GuardedTask) -> None:
    beside = Path(sys.executable).with_name("licet")
    licet = shlex.quote(os.path.relpath(beside)) if beside.exists() else f"{shlex.quote(sys.executable)} -m licet.cli"
    where = f"--state {STATE / 'state'}"
    there = "" if Path.cwd() == DOCS.parent else f"-C {shlex.quote(os.path.relpath(DOCS.parent))} "
    steps = (
        (f"{licet} graph {task.id[:8]} -o {STATE / 'task.html'} {where}", "the task as a drawing"),
        (f"{licet} findings {where}", "what an owner must look at"),
        (f"{licet} drill run D9 D11 --state {STATE / 'drill'}", "two more; without names all drills there are"),
        (f"{licet} ledger verify {STATE / 'evidence.json'} {where}", "what the evidence shows, and what not"),
        (f"make {there}jaeger", "such a run as a trace in Jaeger"),
        (f"less {shlex.quote(os.path.relpath(HERE / 'licet.yaml'))}", "what the agent may do, and why"),
        (f"less {shlex.quote(os.path.relpath(DOCS / 'quickstart.md'))}", "guard your own tools"),
        (f"less {shlex.quote(os.path.relpath(DOCS / 'mcp.md'))}", "guard an MCP server's tools"),
    )
    width = max(len(line) for line, _ in steps) + 3
    for line, why in steps:
        say("    ", line.ljust(width), paint(f"# {why}", "dim"))  # a comment, so that whole lines can be pasted
    say()
    say(f"    What this run left is in {STATE}; the next run replaces it.")


def main() -> int:
    begun = time.monotonic()
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"  # the tools' world is on loopback
    shutil.rmtree(STATE, ignore_errors=True)
    STATE.mkdir()
    guard = Guard.from_file(HERE / "licet.yaml", state=STATE / "state", issuer=ISSUER)
    crm, mail, web = Crm(STATE / "crm.db"), Mail(), Web(guard.jwks)
    model, what = choose_model()
    scripted, promises = isinstance(model, ScriptedModel), Promises()

    introduce(what)
    try:
        task = compare(guard, model, promises, crm=crm, web=web, mail=mail)
    # A provider's library may raise anything: no network, no credit, a model that is gone.
    except Exception as error:
        if scripted:
            raise
        say(paint(f"{what} cannot be used ({type(error).__name__}); without its key, the demo runs with a scripted model", "red"))
        return 2
    guard.close()

    heading(3, "The intent trace, as `licet task ID` prints it")
    licet_command(["task", task.id, "--state", str(STATE / "state")])
    heading(4, "Evidence")
    evidence(task, web, promises, scripted=scripted)
    heading(5, "A drill: would misuse be noticed at all?")
    drill(promises)
    heading(6, "Next")
    next_steps(task)
    mail.close()
    web.close()

    say()
    if promises.broken:
        say(paint(f"{promises.broken} of the demo's promises did not hold.", "red"))
        return 1
    say(paint(f"Every promise held ({time.monotonic() - begun:.1f} s).", "green"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
