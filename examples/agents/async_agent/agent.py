"""asyncio: tools that run in parallel, a tool that streams, and a person who is asked.

python examples/agents/async_agent/agent.py
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from licet import ApprovalRequest, Denied, Guard


async def on_call(request: ApprovalRequest) -> bool:
    """Stands for a person: a chat message with buttons, for example. `request.text` is safe to show; only True approves."""
    print("  the person on call reads:")
    for line in request.text.splitlines():
        print(f"    | {line}")
    await asyncio.sleep(0.01)
    return request.arguments["host"] == "web-2"


guard = Guard.from_file(Path(__file__).with_name("licet.yaml"), state=".demo/async_agent", approver=on_call)


@guard.tool
async def check_host(host: str) -> str:
    """Look at a host."""
    await asyncio.sleep(0.01)
    return f"{host}: {'slow' if host == 'web-2' else 'well'}"


@guard.tool
async def read_log(host: str, lines: int = 3) -> AsyncIterator[str]:
    """Follow a host's log. Each line is an output of one call, and needs the task to be open."""
    for number in range(lines):
        await asyncio.sleep(0.01)
        yield f"{host} line {number}: out of memory"


@guard.tool
async def restart(host: str) -> str:
    """Restart a host."""
    return f"{host} restarted"


async def main() -> None:
    async with guard.task(
        "look-into-incident", intent="Look into incident 77 on the web hosts", agent="ops-bot", principal="user:lin"
    ) as task:
        print("In parallel, within one budget:")
        hosts = ["web-1", "web-2", "web-3", "db-1"]
        for host, found in zip(hosts, await asyncio.gather(*map(check_host, hosts), return_exceptions=True), strict=True):
            print(f"  {host}: refused by {found.decision.reasons[0].check}" if isinstance(found, Denied) else f"  {found}")

        print("Streaming:")
        async for line in read_log("web-2"):
            print(f"  {line}")

        print("A person is asked:")
        for host in ("web-2", "web-1"):
            try:
                print(f"  {await restart(host)}")
            except Denied as denial:
                print(f"  {denial}")

    print("After the task's end:")
    try:
        await check_host("web-1")
    except Denied as denial:
        print(f"  refused by {denial.decision.reasons[0].check}")
    print(f"The trace: licet task {task.id[:8]} --state .demo/async_agent")


if __name__ == "__main__":
    with guard:
        asyncio.run(main())
