"""What a task kind has been seen to do: the tools, the order and the origins of past sessions, each with its number of sessions.

`licet learn` writes it, a person ratifies it, `chain.novel` and `chain.escalation` hold calls against it. It is keyed by task kind and
never by agent: what one job needs says nothing of another. Other tools, or another model, begin the learning anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema, model_validator

from licet.canonical import digest
from licet.manifest.words import Closed, Day, Name, Names, edge

SESSIONS, SUPPORT = 5, 1
"""How many sessions teach before a baseline is in force, and in how many of them a thing must stand to be known."""

_LABELS = ("trusted", "counterpart", "untrusted")
_SOURCE = re.compile(r"(?:intent|nowhere|unseen|(?:trusted|counterpart|untrusted) [A-Za-z_][A-Za-z0-9_.:/-]{0,127})(?: \([a-z -]{1,40}\))?")
_FACETS = frozenset({"access", "egress", "output", "fields", "format", "reveals", "store", "unknown_arguments"})


def source(text: object) -> str:
    """`intent`, `nowhere`, `unseen` or `LABEL TOOL`; behind it `(an address)` or the like where only a part of the value came from there.

    Raises:
        ValueError: anything else.
    """
    if not isinstance(text, str) or _SOURCE.fullmatch(text) is None:
        raise ValueError("a source is `intent`, `nowhere`, `unseen`, or a label and a tool: `untrusted read_ticket`")
    return text


def somebodys(text: str) -> bool:
    """Whether somebody else could have chosen what comes from this source: a counterpart, anyone, or nobody knows who."""
    return text.startswith(("counterpart ", "untrusted ", "unseen"))


def tool_of(text: str) -> str:
    """The tool of a source; empty where it has none."""
    label, _, rest = text.partition(" ")
    return rest.partition(" ")[0] if label in _LABELS else ""


def _edges(value: object) -> object:
    """`{a -> b: 3}` by one spelling of each edge."""
    if not isinstance(value, dict):
        return value
    out: dict[str, Any] = {}
    for key, count in value.items():
        before, after = edge(key)
        written = f"{before} -> {after}"
        if written in out:
            raise ValueError(f"`{written}` stands here twice")
        out[written] = count
    return out


Sessions = Annotated[int, Field(ge=1)]
_Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
_Source = Annotated[str, AfterValidator(source), WithJsonSchema({"type": "string"})]
_Edges = Annotated[
    Mapping[str, Sessions],
    BeforeValidator(_edges),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}}),
]


class Minimum(Closed):
    """`sessions`: how many must have taught before the baseline is in force; `support`: in how many of them a thing must stand."""

    sessions: Sessions = SESSIONS
    support: Sessions = SUPPORT


class Baseline(Closed):
    """What `sessions` sessions of one task kind did. Every number counts sessions, not calls.

    `under` is the digest of the tools as they were declared (`under`). `transitions`: a new transition speaks by itself, and not only
    beside a new tool or origin; honest work brings new ones often.
    """

    sessions: Sessions
    since: Day | None = None
    until: Day | None = None
    under: _Digest
    models: Names = ()
    minimum: Minimum = Field(default_factory=Minimum)
    transitions: bool = False
    tools: Mapping[Name, Sessions]
    edges: _Edges = Field(default_factory=dict)
    origins: Mapping[Name, Mapping[str, Mapping[_Source, Sessions]]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _counts_fit(self) -> Baseline:
        if self.since is not None and self.until is not None and self.since > self.until:
            raise ValueError("`since` is later than `until`")
        for what, counted in (("tools", self.tools), ("edges", self.edges), *self._sources()):
            for name, count in counted.items():
                if count > self.sessions:
                    raise ValueError(f"`{what}` says {count} sessions for `{name}`, of {self.sessions} in all")
        return self

    def _sources(self) -> Iterable[tuple[str, Mapping[str, int]]]:
        return ((f"origins.{tool}.{name}", found) for tool, by_name in self.origins.items() for name, found in by_name.items())

    def knows_tool(self, tool: str) -> bool:
        """Whether enough sessions used the tool."""
        return self.tools.get(tool, 0) >= self.minimum.support

    def knows_edge(self, before: str, tool: str) -> bool:
        """Whether enough sessions called `tool` after `before`."""
        return self.edges.get(f"{before} -> {tool}", 0) >= self.minimum.support

    def sources_of(self, tool: str, argument: str) -> Mapping[str, int]:
        """From where the argument had its values, with the number of sessions."""
        return self.origins.get(tool, {}).get(argument, {})

    def misfit(self, under_now: str, model: str | None) -> str:
        """Why it is not in force; empty if it is. `under_now`: see `under`; `model`: that of the agent, None where it is not declared."""
        if self.sessions < self.minimum.sessions:
            return f"it is still learning: {self.sessions} of {self.minimum.sessions} sessions"
        if self.under != under_now:
            return "the tools that it speaks of are declared otherwise than when it was learned; learn it anew"
        if model is not None and self.models and model not in self.models:
            return f"the agent runs on `{model}`, and it was learned from {', '.join(f'`{name}`' for name in self.models)}; learn it anew"
        return ""


def under(tools: Mapping[str, Any], named: Iterable[str]) -> str:
    """The digest of the tools `named`, as far as their declaration decides where values come from and what a call does.

    `tools` are those of a manifest. One that is not declared counts as such, so that taking it out is a change too.
    """
    facets = {name: tools[name].model_dump(mode="json", include=_FACETS) if name in tools else None for name in sorted(set(named))}
    return digest(facets)
