"""A tool in another process, which lets nobody around the guard: it takes no call without a token for exactly that call.

python examples/agents/remote_tool/agent.py

tool.py is the service; this is the agent, and then whoever would like to be it. The exit code is 0 if every promise held.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from licet import Guard, GuardedTask, current_call
from licet.integrations.httpx import LicetAuth
from licet.store import SqliteStore

HERE, STATE = Path(__file__).parent, Path(".demo/remote_tool")
ISSUER = "https://licet.acme.example"

guard = Guard.from_file(HERE / "licet.yaml", state=STATE, issuer=ISSUER)
service = ""  # where the tool listens; its audience in the manifest says whose it is


# The agent: two tools, which ask the service --------------------------------------------------------------------------------


@guard.tool
def pay_back(number: int, euros: int) -> str:
    """Pay an order back."""
    return ask("pay_back", number=number, euros=euros)


@guard.tool
def send_note(number: int, text: str) -> str:
    """Tell the customer of an order something."""
    return ask("send_note", number=number, text=text)


def ask(tool: str, **arguments: object) -> str:
    """Send the arguments, which are those that were judged, with the running call's token and the proof that it is ours."""
    answer = httpx.post(f"{service}/{tool}", json=arguments, auth=LicetAuth(at=service))
    return str(answer.raise_for_status().json())


# Those who would go around the guard ----------------------------------------------------------------------------------------


def taken(tool: str, **arguments: object) -> dict[str, str]:
    """The headers of one allowed call, kept by a tool that was made to hand them out. No real tool does."""
    kept: dict[str, str] = {}

    def keep(**_: object) -> None:
        call = current_call()
        assert call is not None
        kept.update(call.headers_for("POST", f"{service}/pay_back"))

    guard.wrap(keep, name=tool)(**arguments)
    return kept


def send(headers: dict[str, str], **arguments: object) -> int:
    return httpx.post(f"{service}/pay_back", json=arguments, headers=headers).status_code


class Promises:
    """What the tool says, and what it tells its own log alone."""

    def __init__(self, log: Path) -> None:
        self._log, self._lines, self.broken = log, 0, 0

    def refused(self, what: str, status: int) -> None:
        lines = self._log.read_text(encoding="utf-8").splitlines()
        said = lines[-1].partition("refused: ")[2].partition("; token ")[0] if len(lines) > self._lines else "nothing"
        print(f"  {what:<30} {status}   its log: {said}")
        self.check(f"{what}: refused, and told to the log", held=status == 401 and len(lines) == self._lines + 1)
        self._lines = len(lines)

    def check(self, what: str, *, held: bool) -> None:
        if not held:
            print(f"  ✗ {what}")
            self.broken += 1


def open_task() -> GuardedTask:
    return guard.task("refund-orders", intent="Pay back the orders #1, #2 and #3", agent="refund-bot", principal="user:grace")


def main() -> int:
    promises = Promises(STATE / "tool.log")
    with open_task() as task:
        print("The agent calls its tool, which runs elsewhere:")
        print(f"  pay_back(1, 45)                200   {pay_back(1, 45)}")

        print("Nobody else does, and nobody is told why:")
        promises.refused("without a token", send({}, number=2, euros=45))
        once = taken("pay_back", number=2, euros=45)
        promises.check("a token is good for its own call", held=send(once, number=2, euros=45) == 200)
        promises.refused("the same token again", send(once, number=2, euros=45))
        promises.refused("for other arguments", send(taken("pay_back", number=3, euros=45), number=3, euros=4500))
        promises.refused("with another tool's token", send(taken("send_note", number=3, text="Paid."), number=3, euros=45))
        found = {name: value for name, value in taken("pay_back", number=3, euros=45).items() if name != "DPoP"}
        promises.refused("without the key it is bound to", send(found, number=3, euros=45))
        late = taken("pay_back", number=3, euros=45)
    promises.refused("after the end of the task", send(late, number=3, euros=45))

    print("Its owner finds, in the store that both processes share, what became of tokens that are ours:")
    findings = sorted(SqliteStore(STATE / "licet.db").findings(task.id), key=lambda finding: finding.time)
    for finding in findings:
        print(f"  {finding.check:<14} {finding.sentence}")
    told = [finding.check for finding in findings]
    for check in ("token.replay", "token.binding", "token.proof", "token.ended"):
        promises.check(f"a finding of {check}", held=check in told)
    promises.check("no other finding", held=len(told) == 5)
    print("Every promise held." if not promises.broken else f"{promises.broken} promises did not hold.")
    return 1 if promises.broken else 0


@contextmanager
def tool_running() -> Iterator[str]:
    """The tool's process, which gets the public keys and nothing secret."""
    jwks = STATE / "jwks.json"
    jwks.write_text(json.dumps(guard.jwks()), encoding="utf-8")
    command = [sys.executable, str(HERE / "tool.py"), "--issuer", ISSUER]
    command += ["--jwks", str(jwks), "--store", str(STATE / "licet.db"), "--log", str(STATE / "tool.log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")  # a terminal that knows no ✗
    with guard, tool_running() as service:
        sys.exit(main())
