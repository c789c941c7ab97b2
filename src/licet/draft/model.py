"""What is drafted, before it is text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from licet.escape import visible
from licet.manifest.words import Name

WRITE_GUESS = "write, because nothing proves that it only reads"

_NAME: TypeAdapter[str] = TypeAdapter(Name)
_ARGUMENT_NAME_LIMIT = 128  # characters; YAML itself stops at 1,024 for a key


@dataclass(frozen=True, slots=True)
class DraftArgument:
    """A rule that `licet.manifest.Argument` accepts, and what a person should know about how it came about."""

    rule: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DraftTool:
    """One tool.

    `says` is its own description; `guess` says why `access` is what it is; `notes` are remarks; `returns` are paths of its output;
    `server`: our name for the server that has it, which stands before its name and a colon.
    """

    name: str
    says: str = ""
    access: Literal["read", "write"] = "write"
    guess: str = WRITE_GUESS
    arguments: Mapping[str, DraftArgument] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    returns: tuple[str, ...] = ()
    server: str = ""

    @property
    def bare(self) -> str:
        """Its name at its server: of this guesses are made."""
        return self.name.removeprefix(f"{self.server}:") if self.server else self.name


@dataclass(frozen=True, slots=True)
class Drafted:
    """The tools of one source, and what was left out of them, each with its reason."""

    tools: tuple[DraftTool, ...]
    left_out: tuple[str, ...] = ()


def select(tools: Iterable[DraftTool], left_out: Iterable[str] = ()) -> Drafted:
    """Keep the tools that a manifest can name. A name is never changed: the guard would then look for a tool that is not there."""
    kept: dict[str, DraftTool] = {}
    gone = list(left_out)
    for tool in tools:
        if not is_tool_name(tool.name):
            gone.append(f"tool `{visible(tool.name, 80)}`: not a name that a manifest can hold")
        elif tool.name in kept:
            gone.append(f"tool `{tool.name}`: a second one of this name")
        else:
            bad = [name for name in tool.arguments if not is_argument_name(name)]
            gone += [f"argument `{visible(name, 80)}` of `{tool.name}`: not a name that a manifest can hold" for name in bad]
            kept[tool.name] = tool
    return Drafted(tuple(kept.values()), tuple(gone))


def is_tool_name(name: str) -> bool:
    """Whether a manifest can name this tool."""
    try:
        _NAME.validate_python(name, strict=True)
    except ValidationError:
        return False
    return True


def is_argument_name(name: str) -> bool:
    """Whether this can be a key below `arguments:` that reads as what it is."""
    return 0 < len(name) <= _ARGUMENT_NAME_LIMIT and visible(name) == name and name != "<<"
