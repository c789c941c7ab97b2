"""The digests of tools' definitions, from where the tools are: the same functions that a guard calls at run time.

What has no adapter at run time yet (OpenAPI) has no digest there that a pin could be compared with, and is no source here.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from licet.definition import mcp_definition, object_definition
from licet.draft.python import functions_of, objects_at
from licet.errors import UsageError
from licet.escape import visible
from licet.guard.binding import definition_of

MAX_BYTES = 32 * 1024 * 1024  # of a file that is read
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(slots=True)
class Definitions:
    """Digests by tool, and what was left out, each with its reason."""

    digests: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def add(self, tool: str, digest: str) -> None:
        """Take in one tool.

        Raises:
            UsageError: the tool is there already, with another definition.
        """
        if not digest:
            self.left_out.append(f"`{visible(tool, 80)}`: its schema cannot be described")
        elif self.digests.setdefault(tool, digest) != digest:
            raise UsageError(f"`{visible(tool, 80)}` has two definitions in what was given; name the one that the agent uses")


def of_module(found: Definitions, name: str) -> None:
    """The public functions of a module, guarded or not.

    Raises:
        UsageError: see `functions_of`.
    """
    for function in functions_of(name):
        tool = getattr(function, "__licet_tool__", function.__name__)
        found.add(tool, definition_of(tool, function))


def of_langchain(found: Definitions, reference: str) -> None:
    """The LangChain tool, or list of tools, at `MODULE:ATTRIBUTE`.

    Raises:
        UsageError: see `objects_at`.
    """
    for thing in objects_at(reference):
        name = getattr(thing, "name", None)
        if isinstance(name, str):
            found.add(name, object_definition(thing))
        else:
            what = getattr(thing, "__name__", type(thing).__qualname__)
            found.left_out.append(f"`{visible(str(what), 80)}`: no LangChain tool yet; make it one by `@tool`, or use --from")


def of_function(found: Definitions, tool: str, reference: str) -> None:
    """The callable at `MODULE:ATTRIBUTE`, as the tool `tool`.

    Raises:
        UsageError: there is no callable.
    """
    [thing, *more] = objects_at(reference) or [None]
    if more or not callable(thing) or inspect.isclass(thing):
        raise UsageError(f"`{visible(reference, 160)}` is no function")
    found.add(tool, definition_of(tool, thing))


def of_mcp(found: Definitions, server: str, name: str) -> None:
    """An MCP server's answer to `tools/list`, in a file; `server` is the name that `guard_session` is given for it, or empty.

    Raises:
        UsageError: it cannot be read, or is no such answer.
    """
    listed: Any = _json_of(name, "save the server's answer to `tools/list` there")
    for key in ("result", "tools"):
        listed = listed.get(key, listed) if isinstance(listed, dict) else listed
    if not isinstance(listed, list) or not all(isinstance(tool, dict) and isinstance(tool.get("name"), str) for tool in listed):
        raise UsageError(f"{name}: is no answer to `tools/list`: it has no list of tools with names")
    for tool in listed:
        found.add(f"{server}:{tool['name']}" if server else tool["name"], mcp_definition(tool))


def of_file(found: Definitions, name: str) -> None:
    """What a running guard saw: `guard.definitions`, written to a file as JSON.

    Raises:
        UsageError: it cannot be read, or is not of this form.
    """
    listed: Any = _json_of(name, "write `json.dumps(guard.definitions)` there")
    if not isinstance(listed, dict) or not listed:
        raise UsageError(f"{name}: must be one object from tools to digests; write `json.dumps(guard.definitions)` there")
    for tool, digest in listed.items():
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise UsageError(f"{name}: `{visible(tool, 80)}`: a digest is `sha256:` and 64 hex digits in lower case")
        found.add(tool, digest)


def _json_of(name: str, what: str) -> Any:
    """The JSON in a file.

    Raises:
        UsageError: it cannot be read, or is not JSON.
    """
    try:
        with Path(name).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        return json.loads(raw.decode("utf-8-sig")) if len(raw) <= MAX_BYTES else None
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}; check path and rights") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name}: is not JSON; {what}") from error


def all_of(
    modules: Iterable[str], langchain: Iterable[str], functions: Iterable[tuple[str, str]], files: Iterable[str],
    *, mcp: Iterable[tuple[str, str]] = (),
) -> Definitions:  # fmt: skip
    """The definitions of all sources together.

    Raises:
        UsageError: one of them cannot be read, or two disagree.
    """
    found = Definitions()
    for name in modules:
        of_module(found, name)
    for reference in langchain:
        of_langchain(found, reference)
    for tool, reference in functions:
        of_function(found, tool, reference)
    for server, name in mcp:
        of_mcp(found, server, name)
    for name in files:
        of_file(found, name)
    return found
