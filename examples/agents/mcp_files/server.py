"""An MCP server over a few files, as anybody could have written it: it knows of no guard, and does what it is asked."""

from __future__ import annotations

import sys
from pathlib import Path

try:
    from mcp.server.mcpserver import MCPServer
except ImportError:  # version 1 of the SDK
    from mcp.server.fastmcp import FastMCP as MCPServer

FOLDER = Path(sys.argv[1])
server = MCPServer("files")


@server.tool()
def read_file(name: str) -> str:
    """Read a file."""
    return (FOLDER / name).read_text(encoding="utf-8")


@server.tool()
def write_file(name: str, text: str) -> str:
    """Write a file."""
    with Path(FOLDER / "written.log").open("a", encoding="utf-8") as log:
        log.write(f"{name}\n")
    (FOLDER / name).write_text(text, encoding="utf-8")
    return f"wrote {name}"


if __name__ == "__main__":
    server.run()
