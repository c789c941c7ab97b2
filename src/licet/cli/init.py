"""`licet init`: draft a manifest from tools that exist."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from licet.cli import output
from licet.draft import Drafted, render
from licet.draft.mcp import from_mcp
from licet.draft.openapi import from_openapi
from licet.draft.python import from_langchain, from_module
from licet.errors import UsageError
from licet.escape import counted
from licet.manifest.loader import loads

MAX_BYTES = 32 * 1024 * 1024  # of a file that is read

EXAMPLE = """\
Every guess in the draft is marked, and made from names and schemas: a tool writes unless its name says that it reads, lets data out, and
returns what anyone may have chosen; arguments that name who receives, a person, a record or a place get an `origin`, free text `content`. A
person confirms each call. What a tool says of itself in words is shown as a comment and never relied on.

--langchain and --module import the module, with the current directory on the path: its top level runs. What it
prints goes to standard error.

example: licet init --langchain my_agent.tools:TOOLS -o licet.yaml
         licet init --module my_tools
         licet init --mcp files=tools.json
         curl -s https://api.acme.example/openapi.json | licet init --openapi -
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--langchain", metavar="MODULE:ATTRIBUTE", help="a LangChain tool, or a list of them (imports the module)")
    source.add_argument("--module", metavar="MODULE", help="the public functions of a Python module (imports it)")
    source.add_argument(
        "--mcp", metavar="[SERVER=]FILE",
        help="an MCP server's answer to `tools/list`, as JSON (docs/mcp.md saves one); `-` reads standard input; SERVER is its name in "
        "`guard_session(..., server=)`, and stands before the tools' names",
    )  # fmt: skip
    source.add_argument("--openapi", metavar="FILE", help="an OpenAPI document, as JSON or YAML; `-` reads standard input")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write (default: standard output)")
    parser.add_argument("--force", action="store_true", help="overwrite the output file if it exists")


def run(options: argparse.Namespace) -> int:
    """Draft, check that the draft loads, and write it."""
    drafted, source = _draft(options)
    for reason in drafted.left_out:
        output.error("left out: ", reason)
    text = render(drafted, source)
    loads(text, name="the draft")  # never hand out what the guard would not take
    if options.output is None:
        output.write(text)
        return 0
    _save(Path(options.output), text, force=options.force)
    output.error(
        f"wrote {options.output}: {counted(len(drafted.tools), 'tool')}; next: read each guess, then `licet check {options.output}`"
    )
    return 0


def _draft(options: argparse.Namespace) -> tuple[Drafted, str]:
    if options.langchain is not None:
        return from_langchain(options.langchain), f"LangChain tools at {options.langchain}"
    if options.module is not None:
        return from_module(options.module), f"the functions of module {options.module}"
    if options.mcp is not None:
        server, equals, name = options.mcp.partition("=")
        server, name = (server, name) if equals else ("", options.mcp)
        return from_mcp(_read(name, _json), server), f"an MCP tools/list answer ({options.mcp})"
    return from_openapi(_read(options.openapi, _json_or_yaml)), f"an OpenAPI document ({options.openapi})"


def _read(name: str, parse: Callable[[str], Any]) -> Any:
    try:
        if name == "-":
            raw = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise UsageError(f"{name}: larger than {MAX_BYTES // 1024 // 1024} MiB; cut it to the tools that the agent has")
        return parse(raw.decode("utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}; check path and rights") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: is not UTF-8; mend byte {error.start}") from error
    except (ValueError, YAMLError, RecursionError) as error:
        if isinstance(error, UsageError):
            raise
        why = "nested too deep" if isinstance(error, RecursionError) else " ".join(str(error).split())
        raise UsageError(f"{name}: cannot be read: {why[:300]}") from error


def _json(text: str) -> Any:
    return json.loads(text, parse_constant=_not_finite)


def _not_finite(word: str) -> Any:
    raise ValueError(f"`{word}` is not JSON")


def _json_or_yaml(text: str) -> Any:
    if text.lstrip()[:1] == "{":
        return _json(text)
    return YAML(typ="safe", pure=True).load(text)


def _save(path: Path, text: str, *, force: bool) -> None:
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise UsageError(f"{path} exists; give another name to `-o`, or `--force` to overwrite it") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}; check path and rights") from error
