"""Logs of six services, no agent, nothing installed: who owns each credential, what is wrong, why, and whom to call.

    make demo-iam        or        python examples/log_only/demo.py

What it leaves is in ./.demo/iam; it is wiped at the start. The exit code is 0 if every promise held.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from records import Logs, made_up
from story import CANARY, DAY, DAYS, NOTES, OLD_KEY, SLEEPING_KEY, STRANGER, everyday, misuse

from licet.cli import main as licet_command
from licet.cli.output import paint, say
from licet.escape import counted

HERE, OWN = Path(__file__).parent, Path(".demo") / "iam"
DOCS = HERE.parents[1] / "docs"
LOGS, STATE = OWN / "logs", OWN / "state"
DECLARED = HERE / "inventory.json"

SOURCES = (
    ("cloudtrail", f"{LOGS}/cloudtrail"),
    ("kubernetes", f"{LOGS}/kubernetes/eks-prod.jsonl", "--account", "eks-prod"),
    ("kubernetes", f"{LOGS}/kubernetes/eks-stage.jsonl", "--account", "eks-stage"),
    ("github", f"{LOGS}/github.jsonl"),
    ("okta", f"{LOGS}/okta.jsonl", "--account", "acme"),
    ("entra", f"{LOGS}/entra.jsonl"),
    ("m365", f"{LOGS}/m365.jsonl"),
    ("lifecycle", f"{LOGS}/vault.jsonl"),
)
NOTES_ID = made_up(f"principal {NOTES}")
FOUND = (  # by which words of its identity a finding is known, its reasons, and what it says in one line
    ("user/ci-deployer", {"POST_REVOCATION_USE"}, "a CI key that was revoked in the vault, and that AWS still lets in"),
    ("user/backup-restore", {"CANARY_TOUCHED"}, "half an hour later a canary is touched, from the same address"),
    (NOTES_ID, {"APP_SCOPE_WIDENED", "APP_CREDENTIAL_ADDED", "APP_FIRST_RESOURCE"},
     "one incident: an app got a permission, got a secret, and read mail"),
    ("role/report-builder", {"ENV_CROSSING"}, "a job of the test environment that reads customers' orders"),
    ("user/migration", {"REVIVED"}, "a key that rested for more than three months, used at night"),
    ("tidy-deps[bot]", {"UNOWNED_ACTIVE"}, "a bot that pushes code, and is nobody's"),
)  # fmt: skip


class Promises:
    """What the demo says of itself, counted."""

    def __init__(self) -> None:
        self.broken = 0

    def check(self, text: str, *, held: bool) -> None:
        """Say one promise, and whether it held."""
        self.broken += not held
        say("   ", paint("✓", "green") if held else paint("✗", "red"), " ", text)


def heading(number: int, text: str) -> None:
    say()
    say(paint(f"{number}  {text}", "bold"))
    say()


def licet(*arguments: str, codes: Sequence[int] = (0,)) -> None:
    """Run a command as its reader would, with what it prints."""
    say(paint(f"$ licet {shlex.join(arguments)}", "bold"))
    _in_order(licet_command(list(arguments)), codes, arguments)


def output_of(*arguments: str, codes: Sequence[int] = (0,)) -> str:
    """What a command prints."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = licet_command(list(arguments))
    _in_order(code, codes, arguments)
    return said.getvalue()


def data_of(*arguments: str) -> Any:
    return json.loads(output_of(*arguments, "--json"))


def _in_order(code: int, codes: Sequence[int], arguments: Sequence[str]) -> None:
    if code not in codes:
        raise SystemExit(f"licet {shlex.join(arguments)} ended with exit code {code}")


def make_logs() -> int:
    """Four months that end now, so that nothing of it is in the future and no source is silent."""
    now = time.time()
    start = now - now % DAY - DAYS * DAY
    logs = Logs(now - 60)
    everyday(logs, start)
    misuse(logs, start)
    return logs.write(LOGS)


def take_in_again() -> tuple[int, int]:
    """Read all logs from their start; how many events were kept, and how many stood there already."""
    kept = again = 0
    for each in SOURCES:
        found = data_of("ingest", *each, "--from-start")
        kept += found["uses"] + found["lifecycle"]
        again += found["again"]
    return kept, again


def judge(promises: Promises) -> list[dict[str, Any]]:
    licet("monitor")
    say()
    licet("findings")
    say()
    findings: list[dict[str, Any]] = data_of("findings")["findings"]
    for words, codes, text in FOUND:
        own = [each for each in findings if words in each["identity"]]
        promises.check(text, held=len(own) == 1 and codes <= set(own[0]["codes"]))
    uses = sum(each["uses"] for each in data_of("inventory", "list")["identities"])
    rest = f"{uses:,} uses in all, and no other finding: pods that come and go, keys that are renewed, night work, people"
    promises.check(rest, held=len(findings) == len(FOUND))
    return findings


def explained(findings: list[dict[str, Any]], promises: Promises) -> None:
    for words in ("user/ci-deployer", NOTES_ID):
        for finding in [each["id"] for each in findings if words in each["identity"]]:
            licet("findings", "show", finding[:12])
            say()
    whole = all(each["owner"] or "UNOWNED_ACTIVE" in each["codes"] for each in findings)
    promises.check("each finding says what was seen, what was expected and since when, whom to call, and what to do", held=whole)
    cited = [cited for each in findings for cited in each["evidence"]]
    promises.check("and cites each record by file, line and digest", held=all(each["place"] and each["digest"] for each in cited))


def stock(promises: Promises) -> None:
    licet("inventory", "list")
    say()
    identities = data_of("inventory", "list")["identities"]
    orders = [each for each in identities if each["identity"].endswith("role/orders")]
    one = len(orders) == 1 and len(orders[0]["faces"]) == 3
    promises.check("a role at AWS, a service account in the cluster and an application are one workload: one identity", held=one)
    kept = b"".join(path.read_bytes() for path in STATE.iterdir() if path.is_file())
    unkept = not any(key.encode() in kept for key in (OLD_KEY, CANARY, SLEEPING_KEY))
    promises.check("of credentials only keyed fingerprints are kept, never an id or a value", held=unkept)
    say()
    licet("inventory", "list", "--unowned")
    say()
    licet("inventory", "drift", codes=(0, 1))


def shown_life(promises: Promises) -> None:
    """The key's life, without the middle of its everyday work."""
    say(paint(f"$ licet trace {OLD_KEY}", "bold"))
    lines = output_of("trace", OLD_KEY, codes=(0, 1)).splitlines()
    first, last = 8, next((number for number, line in enumerate(lines) if "  revoked  " in line), len(lines))
    for line in lines[:first]:
        say(line)
    say(paint(f"            … {counted(last - first - 2, 'line')} like these", "dim"))
    for line in lines[last - 2 :]:
        late = "after it was revoked" in line
        say(paint(line, "red") if late else line)
    say()
    promises.check("no hole from its issuance to today, and each use after its end shows", held="no hole: " in "\n".join(lines))


def next_steps(findings: list[dict[str, Any]]) -> None:
    beside = Path(sys.executable).with_name("licet")
    command = shlex.quote(os.path.relpath(beside)) if beside.exists() else f"{shlex.quote(sys.executable)} -m licet.cli"
    where, first = f"--state {STATE}", findings[0]["id"][:12] if findings else "ID"
    steps = (
        (f"{command} findings show {first} {where}", "why, and whom to call"),
        (f"{command} inventory set-owner 'github:tidy-deps[bot]' platform {where}", "give the bot an owner"),
        (f"{command} monitor {where}", "then its finding is withdrawn"),
        (f"{command} trace {SLEEPING_KEY} --html {OWN / 'key.html'} {where}", "a key's life, as a page"),
        (f"{command} findings --ocsf -o {OWN / 'findings.ocsf.jsonl'} {where}", "for a SIEM"),
        (f"less {shlex.quote(os.path.relpath(DECLARED))}", "what no log says"),
        (f"less {shlex.quote(os.path.relpath(DOCS / 'log-only.md'))}", "the same with your own logs"),
    )
    width = max(len(line) for line, _ in steps) + 3
    for line, why in steps:
        say("    ", line.ljust(width), paint(f"# {why}", "dim"))  # a comment, so that whole lines can be pasted
    say()
    say(f"    What this run left is in {OWN}; the next run replaces it.")


def main() -> int:
    begun = time.monotonic()
    shutil.rmtree(OWN, ignore_errors=True)
    LOGS.mkdir(parents=True)
    os.environ["LICET_STATE"] = str(STATE)
    promises = Promises()
    number = make_logs()
    say(paint("Four months of logs, and nothing else", "bold"))
    say()
    say(f"    logs      {LOGS}: {number:,} records, made up, of AWS, Kubernetes, GitHub, Okta, Microsoft and a vault")
    say(f"    known     {os.path.relpath(DECLARED)}: who owns what, as somebody once wrote it down")
    say("    not here  no agent, no sensor, no change to any workload")

    heading(1, "The logs come in")
    say(f"$ export LICET_STATE={STATE}")
    for each in SOURCES:
        licet("ingest", *each)
    licet("inventory", "import", os.path.relpath(DECLARED))

    heading(2, "What is wrong")
    findings = judge(promises)
    heading(3, "Why, since when, whom to call, what to do")
    explained(findings, promises)
    heading(4, "What there is, whose it is, and what may do more than it does")
    stock(promises)
    heading(5, "One key, from its issuance to today")
    shown_life(promises)

    heading(6, "Again")
    new, again = take_in_again()
    report = data_of("monitor")
    same = data_of("findings")["findings"] == findings
    text = f"all logs from their start, and judged: {again:,} events were there already, nothing is new, and no finding changes"
    promises.check(text, held=not new and not report["changed"] and same)
    heading(7, "Next")
    next_steps(findings)

    say()
    if promises.broken:
        say(paint(f"{promises.broken} of the demo's promises did not hold.", "red"))
        return 1
    say(paint(f"Every promise held ({time.monotonic() - begun:.1f} s). {STRANGER} stands in three of the findings.", "green"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
