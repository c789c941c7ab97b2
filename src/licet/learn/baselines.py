"""From a tally to the baseline of a task kind: what `chain.novel` and `chain.escalation` hold calls against."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import date

from pydantic import ValidationError

from licet.learn.judged import Settings, day, days_of, few, is_known_source, known_tools
from licet.learn.tally import DAY, KindTally, ToolTally
from licet.manifest import START, Manifest
from licet.manifest.baseline import Baseline, Minimum, source, under
from licet.secretlike import secret_in

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/+ -]{0,99}", re.ASCII)


def baseline_of(kind: KindTally, manifest: Manifest, settings: Settings) -> Baseline | None:
    """The baseline; None where no session teaches. It counts all that the manifest declares, and calls known (`minimum.support`) what
    stands in more sessions than may be anybody's.
    """
    if not kind.support.sessions:
        return None
    tools = {name: tool for name, tool in sorted(kind.tools.items()) if name in manifest.tools}
    first, last = days_of(kind)
    known = known_tools(manifest)
    try:
        return Baseline(
            sessions=kind.support.sessions,
            since=None if first is None else date.fromisoformat(day(first * DAY)),
            until=None if last is None else date.fromisoformat(day(last * DAY)),
            under=under(manifest.tools, tools),
            models=_models(kind, manifest, settings),
            minimum=Minimum(sessions=settings.sessions, support=max(settings.support, few(kind, settings) + 1)),
            tools={name: tool.support.sessions for name, tool in tools.items()},
            edges=dict(_edges(kind, tools)),
            origins={name: found for name, tool in tools.items() if (found := dict(_origins(tool, known[name], manifest)))},
        )
    except ValidationError as error:  # pragma: no cover - the counts of a tally fit
        raise ValueError(f"the tally of {kind.kind!r} makes no baseline: {error.errors()[0]['msg']}") from error


def _models(kind: KindTally, manifest: Manifest, settings: Settings) -> tuple[str, ...]:
    """Those on which more than few sessions ran; where all are few, on more than few of the kind. Names that could be something else
    are left out: a session says itself on what it ran.
    """
    declared = {agent.model for agent in manifest.agents.values()}
    named = {
        name: number for name, number in kind.models.counts.items() if name in declared or (_MODEL.fullmatch(name) and not secret_in(name))
    }
    often = [name for name, number in named.items() if number > few(kind, settings)]
    return tuple(sorted(often or [name for name, number in named.items() if number > few(kind, replace(settings, trusted=True))]))


def of_tools(baseline: Baseline, manifest: Manifest, granted: Collection[str]) -> Baseline:
    """The baseline without the tools that the kind is not granted: what may not be called is not to be known either."""
    tools = {name: count for name, count in baseline.tools.items() if name in granted}
    edges = {edge: count for edge, count in baseline.edges.items() if all(end == START or end in tools for end in edge.split(" -> "))}
    origins = {name: found for name, found in baseline.origins.items() if name in tools}
    return baseline.model_copy(update={"tools": tools, "edges": edges, "origins": origins, "under": under(manifest.tools, tools)})


def _edges(kind: KindTally, tools: Mapping[str, ToolTally]) -> Iterator[tuple[str, int]]:
    for (before, after), support in sorted(kind.edges.items()):
        if after in tools and (before == START or before in tools):
            yield f"{before} -> {after}", support.sessions


def _origins(tool: ToolTally, arguments: Collection[str], manifest: Manifest) -> Iterator[tuple[str, dict[str, int]]]:
    """Of arguments that are declared: the names of others are anybody's text."""
    for argument, tally in sorted(tool.arguments.items()):
        found = {
            text: support.sessions
            for text, support in sorted(tally.sources.items(), key=lambda each: (-each[1].sessions, each[0]))
            if is_source(text) and is_known_source(text, manifest)
        }
        if found and argument in arguments:
            yield argument, found


def is_source(text: str) -> bool:
    """Whether a baseline can say it."""
    try:
        source(text)
    except ValueError:
        return False
    return True
