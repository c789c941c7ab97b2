"""`licet pin`: write down what each tool shows of itself, so that a change is noticed (`tool.changed`)."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from licet.cli import output
from licet.cli.output import Style
from licet.draft.definitions import Definitions, all_of
from licet.errors import UsageError
from licet.escape import counted, visible
from licet.manifest import Manifest, loads
from licet.manifest.edit import with_definitions
from licet.manifest.loader import read_file

Status = Literal["pinned", "changed", "not pinned", "not found"]
_STYLES: Mapping[Status, Style] = {"pinned": "green", "changed": "red", "not pinned": "yellow", "not found": "yellow"}

EXAMPLE = """\
The digest is over name, description and parameters. The guard computes it by the same function, so pin a tool from where the agent
gets it: --langchain if a LangChain agent calls it, --module or --tool if it is a function that `guard.tool` or `guard.wrap` guards.
--mcp if it is a server's whose session `guard_session` guards. --from reads what a running guard has met
(`json.dumps(guard.definitions)`). OpenAPI has no adapter at run time yet, so that there is nothing to compare a pin with.

Only `definition:` is written into the manifest; everything else stays as it is, to the byte. A source may be named several times.
--module, --langchain and --tool import the module, with the current directory on the path: its top level runs.

Exit codes: 0 well, 1 (--check) a tool differs, is not pinned, or was not found, 2 usage.

example: licet pin -m licet.yaml --module my_tools
         licet pin --tool send_email=my_mail:post --dry-run
         licet pin --langchain my_agent.tools:TOOLS --check
         licet pin --mcp files=tools.json
         licet pin --from definitions.json send_email
"""


@dataclass(frozen=True, slots=True)
class _Row:
    """One tool of the manifest: its digest there, and the one that was found."""

    tool: str
    status: Status
    pinned: str | None
    found: str | None


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("tools", metavar="TOOL", nargs="*", help="only these tools of the manifest (default: all)")
    parser.add_argument("-m", "--manifest", metavar="FILE", default="licet.yaml", help="the manifest (default: licet.yaml)")
    parser.add_argument(
        "--module", action="append", default=[], metavar="MODULE", help="the public functions of a Python module (imports it)"
    )
    parser.add_argument(
        "--langchain", action="append", default=[], metavar="MODULE:ATTRIBUTE", help="a LangChain tool, or a list of them (imports it)"
    )
    parser.add_argument(
        "--tool", action="append", default=[], metavar="TOOL=MODULE:FUNCTION", type=_named, help="one function, under another name"
    )
    parser.add_argument(
        "--mcp", action="append", default=[], metavar="[SERVER=]FILE", type=_of_server,
        help="an MCP server's answer to `tools/list`, as JSON; SERVER is its name in `guard_session(..., server=)`",
    )  # fmt: skip
    parser.add_argument("--from", action="append", default=[], metavar="FILE", dest="files", help="`guard.definitions` as JSON")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="write nothing; say which tools differ, are not pinned or were not found")
    mode.add_argument("--dry-run", action="store_true", help="write nothing; print what would change, as a diff")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")


def _named(text: str) -> tuple[str, str]:
    tool, equals, reference = text.partition("=")
    if not (tool and equals and ":" in reference):
        raise argparse.ArgumentTypeError("must be TOOL=MODULE:FUNCTION, for example send_email=my_mail:post")
    return tool, reference


def _of_server(text: str) -> tuple[str, str]:
    server, equals, name = text.partition("=")
    return (server, name) if equals else ("", text)


def run(options: argparse.Namespace) -> int:
    """Compare, and write what differs; with `--check` 1 if there is something to write, or to look for."""
    text = read_file(options.manifest)
    manifest = loads(text, name=options.manifest)
    _declared([*options.tools, *(tool for tool, _ in options.tool)], manifest, options.manifest)
    if not (options.module or options.langchain or options.tool or options.mcp or options.files):
        raise UsageError("say where the tools are: --module, --langchain, --tool, --mcp or --from; see `licet pin --help`")
    found = all_of(options.module, options.langchain, options.tool, options.files, mcp=options.mcp)
    missing = [tool for tool in options.tools if tool not in found.digests]
    if missing:
        raise UsageError(f"no definition of {_list(missing)} was found in what was given; name where it is")
    if not found.digests.keys() & manifest.tools.keys():
        _say_left_out(found, manifest, options.manifest)
        raise UsageError(f"{options.manifest} declares none of the tools that were found{_of_a_server(found, manifest)}")
    rows = [_row(tool, manifest, found) for tool in options.tools or manifest.tools]
    rows = list(dict.fromkeys(rows))
    changes = {row.tool: row.found for row in rows if row.found is not None and row.status in ("changed", "not pinned")}
    after = with_definitions(text, changes)
    loads(after, name=options.manifest)  # never leave what the guard would not take
    written = bool(changes) and not options.check and not options.dry_run
    if written:
        _replace(Path(options.manifest), text, after)
    _say_left_out(found, manifest, options.manifest)
    open_ends = [row for row in rows if row.status != "pinned"]
    if options.json:
        undeclared = sorted(found.digests.keys() - manifest.tools.keys())
        diff = _diff(text, after, options.manifest) if options.dry_run else None
        output.data(
            {"file": options.manifest, "ok": not open_ends, "written": written, "tools": [asdict(row) for row in rows],
             "undeclared": undeclared, "left_out": found.left_out, "diff": diff}
        )  # fmt: skip
    elif options.dry_run:
        for line in _diff(text, after, options.manifest):
            output.say(line)
    else:
        _say(rows, written=written, check=options.check)
    return 1 if options.check and open_ends else 0


def _declared(tools: Sequence[str], manifest: Manifest, name: str) -> None:
    unknown = [tool for tool in tools if tool not in manifest.tools]
    if unknown:
        close = difflib.get_close_matches(unknown[0], manifest.tools, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"it declares {_list(list(manifest.tools))}"
        if unknown[0].endswith((".yaml", ".yml")):
            hint = "a manifest is named by `-m`"
        raise UsageError(f"{name} does not declare {_list(unknown)}; {hint}")


def _of_a_server(found: Definitions, manifest: Manifest) -> str:
    """A hint, if the manifest has them under a server's name."""
    servers = [server for tool in manifest.tools for server, _, name in [tool.rpartition(":")] if server and name in found.digests]
    return f"; it has them as `{servers[0]}:...`: write --mcp {servers[0]}=FILE" if servers else ""


def _row(tool: str, manifest: Manifest, found: Definitions) -> _Row:
    pinned, now = manifest.tools[tool].definition, found.digests.get(tool)
    if now is None:
        return _Row(tool, "not found", pinned, None)
    return _Row(tool, "not pinned" if pinned is None else "pinned" if pinned == now else "changed", pinned, now)


def _say_left_out(found: Definitions, manifest: Manifest, name: str) -> None:
    for why in found.left_out:
        output.error("left out: ", why)
    for tool in found.digests:
        if tool not in manifest.tools:
            output.error("left out: ", f"`{visible(tool, 80)}`: {name} does not declare it")


def _say(rows: Sequence[_Row], *, written: bool, check: bool) -> None:
    said: Mapping[Status, str] = {"not found": "not found in what was given"}
    if written:
        said = {**said, "changed": "pinned anew", "not pinned": "pinned now"}
    for row in rows:
        style: Style = "green" if written and row.found else _STYLES[row.status]
        output.say(f"{visible(row.tool, 80)}: ", output.paint(said.get(row.status, row.status), style), f"  {row.found or ''}".rstrip())
    well = sum(row.status == "pinned" for row in rows)
    if check:
        output.say(f"{counted(well, 'tool')} of {len(rows)} as pinned")


def _diff(before: str, after: str, name: str) -> list[str]:
    return list(difflib.unified_diff(before.splitlines(), after.splitlines(), name, f"{name} (pinned)", lineterm=""))


def _list(tools: Sequence[str]) -> str:
    shown = ", ".join(f"`{visible(tool, 80)}`" for tool in tools[:10])
    return f"{shown} and {len(tools) - 10} more" if len(tools) > 10 else shown


def _replace(path: Path, before: str, after: str) -> None:
    """Put the new text in place of the old in one step, with the old file's rights; through a link, its target."""
    target = path.resolve()
    temporary = ""
    try:
        mode = target.stat().st_mode
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(after.encode("utf-8"))
            file.flush()
            os.fchmod(file.fileno(), mode & 0o7777)
            os.fsync(file.fileno())
        if target.read_bytes() != before.encode("utf-8"):
            raise UsageError(f"{path} has changed meanwhile; run `licet pin` again")
        os.replace(temporary, target)  # noqa: PTH105 - the one step
        temporary = ""
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}; check path and rights") from error
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108 - as above
