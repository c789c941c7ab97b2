"""Tools from an MCP server's answer to `tools/list` (2025-06-18, "Tools")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from licet.draft.model import Drafted, DraftTool, select
from licet.draft.schemas import arguments_of, paths_of
from licet.errors import UsageError
from licet.escape import visible

_SERVER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}", re.ASCII)  # as `guard_session` takes it
_HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")


def from_mcp(answer: Any, server: str = "") -> Drafted:
    """The tools of an answer: the JSON-RPC response, its result, or the bare list. `server`: its name in `guard_session`, which stands
    before each tool's.

    Raises:
        UsageError: there are no tools in it, or `server` is no name.
    """
    result = answer.get("result", answer) if isinstance(answer, Mapping) else answer
    listed = result.get("tools") if isinstance(result, Mapping) else result
    if not isinstance(listed, list) or not listed:
        raise UsageError('this is no answer to `tools/list`: it has no list of `"tools"` with something in it')
    left_out = [f"entry {index}: not a tool with a name" for index, item in enumerate(listed) if not _is_tool(item)]
    if isinstance(result, Mapping) and result.get("nextCursor"):
        left_out.append("what follows: the answer has a `nextCursor`, so that there are more tools than these")
    if server and not _SERVER.fullmatch(server):
        raise UsageError(f"`{visible(server, 80)}` is no name of a server; write --mcp SERVER=FILE, as in --mcp files=tools.json")
    return select([_tool(item, server) for item in listed if _is_tool(item)], left_out)


def _is_tool(item: Any) -> bool:
    return isinstance(item, Mapping) and isinstance(item.get("name"), str)


def _tool(item: Mapping[str, Any], server: str) -> DraftTool:
    arguments, notes = arguments_of(item.get("inputSchema") or {})
    hints = item.get("annotations")
    if isinstance(hints, Mapping):
        # "clients MUST consider tool annotations to be untrusted unless they come from trusted servers"
        said = ", ".join(f"{hint}: {str(hints[hint]).lower()}" for hint in _HINTS if isinstance(hints.get(hint), bool))
        if said:
            notes = (*notes, f"the server hints {said}; a hint from outside, not relied on")
    name = f"{server}:{item['name']}" if server else item["name"]
    says = item.get("description") or item.get("title") or ""
    # "a tool that returns structured content SHOULD also return the serialized JSON in a TextContent block"
    returns = paths_of(item["outputSchema"]) if isinstance(item.get("outputSchema"), Mapping) else ()
    if isinstance(hints, Mapping) and (hints.get("readOnlyHint") is False or hints.get("destructiveHint") is True):
        return DraftTool(name, str(says), "write", "write, because the server says that it is", arguments, notes, returns, server)
    return DraftTool(name, str(says), arguments=arguments, notes=notes, returns=returns, server=server)
