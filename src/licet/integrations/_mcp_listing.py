"""What one MCP session has shown of its server's tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import anyio
from mcp import types

from licet.canonical import digest
from licet.definition import mcp_definition

LISTING = "tools/list"
_PAGES = 100  # of a listing
_SECONDS = 30.0  # for all of them


@dataclass(frozen=True, slots=True)
class Shown:
    """A tool as the server listed it: `last` is its definition now; `ever` is the same, unless this session was shown another too."""

    last: str = ""
    ever: str = ""
    names: tuple[str, ...] = ()


class Listing:
    """The tools that one session was shown, page by page.

    What a model was once shown stays in its context. So nothing that was shown is forgotten: not by the next page, and not because
    the server lists its tools once more and has meanwhile become honest again.
    """

    def __init__(self) -> None:
        self._shown: dict[str, Shown] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._shown

    def of(self, name: str) -> Shown:
        """What was shown of a tool; empty if nothing was."""
        return self._shown.get(name, Shown())

    def saw(self, result: Any, declared: Mapping[str, Any], prefix: str) -> None:
        """A page of `tools/list`. Only tools that are declared are kept: a server can make up names without end."""
        for tool in getattr(result, "tools", ()):
            if prefix + tool.name not in declared:
                continue
            schema = getattr(tool, "input_schema", None) or getattr(tool, "inputSchema", None) or {}
            now = mcp_definition(
                {
                    "name": tool.name, "title": tool.title, "description": tool.description, "inputSchema": schema,
                    "outputSchema": getattr(tool, "output_schema", None) or getattr(tool, "outputSchema", None),
                    "annotations": tool.annotations.model_dump(by_alias=True) if tool.annotations else None,
                }
            )  # fmt: skip
            before = self._shown.get(tool.name)
            # Shown in two ways, it is nothing that anybody pinned.
            ever = now if before is None or before.ever == now else digest([before.ever, now])
            properties = schema.get("properties")
            self._shown[tool.name] = Shown(now, ever, tuple(properties) if isinstance(properties, Mapping) else ())


async def list_all(session: Any, waits: float | timedelta | None) -> None:
    """List the server's tools, as long as the caller `waits` for his call (in seconds), and never longer than half a minute."""
    seconds = waits.total_seconds() if isinstance(waits, timedelta) else waits
    # A server can answer anything, or nothing. A tool that is pinned and was not listed is refused.
    try:
        with anyio.move_on_after(_SECONDS if seconds is None else min(seconds, _SECONDS)):
            result = await session.list_tools()
            for _ in range(_PAGES):
                if not (cursor := getattr(result, "next_cursor", None) or getattr(result, "nextCursor", None)):
                    return
                result = await session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
    except Exception:  # noqa: BLE001 - see above
        return
