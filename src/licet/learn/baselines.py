"""From a tally to the baseline of a task kind: what `chain.novel` and `chain.escalation` hold calls against."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date

from pydantic import ValidationError

from licet.learn.judged import Settings, day, is_known_source, is_rare, is_sensitive
from licet.learn.tally import KindTally, ToolTally
from licet.manifest import START, Manifest
from licet.manifest.baseline import Baseline, Minimum, somebodys, source, under

MAX_MODEL = 200  # characters of a model's name


def baseline_of(kind: KindTally, manifest: Manifest, settings: Settings) -> Baseline | None:
    """The baseline; None where no session teaches. Left out is what is rare and sensitive, and what the manifest does not declare."""
    if not kind.support.sessions:
        return None
    tools = {
        name: tool
        for name, tool in sorted(kind.tools.items())
        if name in manifest.tools and not _left_out(name, tool, kind, manifest, settings)
    }
    first, last = kind.support.first, kind.support.last
    try:
        return Baseline(
            sessions=kind.support.sessions,
            since=None if first is None else date.fromisoformat(day(first)),
            until=None if last is None else date.fromisoformat(day(last)),
            under=under(manifest.tools, tools),
            models=tuple(sorted(name for name in kind.models if name.strip() and len(name) <= MAX_MODEL and name.isprintable())),
            minimum=Minimum(sessions=settings.sessions, support=settings.support),
            tools={name: tool.support.sessions for name, tool in tools.items()},
            edges=dict(_edges(kind, tools, manifest, settings)),
            origins={name: found for name, tool in tools.items() if (found := dict(_origins(name, tool, kind, manifest, settings)))},
        )
    except ValidationError as error:  # pragma: no cover - the counts of a tally fit
        raise ValueError(f"the tally of {kind.kind!r} makes no baseline: {error.errors()[0]['msg']}") from error


def of_tools(baseline: Baseline, manifest: Manifest, granted: Collection[str]) -> Baseline:
    """The baseline without the tools that the kind is not granted: what may not be called is not to be known either."""
    tools = {name: count for name, count in baseline.tools.items() if name in granted}
    edges = {edge: count for edge, count in baseline.edges.items() if all(end == START or end in tools for end in edge.split(" -> "))}
    origins = {name: found for name, found in baseline.origins.items() if name in tools}
    return baseline.model_copy(update={"tools": tools, "edges": edges, "origins": origins, "under": under(manifest.tools, tools)})


def _left_out(name: str, tool: ToolTally, kind: KindTally, manifest: Manifest, settings: Settings) -> bool:
    return is_sensitive(manifest, name) and is_rare(tool.support, kind, settings.rare)


def _edges(kind: KindTally, tools: Mapping[str, ToolTally], manifest: Manifest, settings: Settings) -> Iterator[tuple[str, int]]:
    for (before, after), support in sorted(kind.edges.items()):
        known = after in tools and (before == START or before in tools)
        if known and not (is_sensitive(manifest, after) and is_rare(support, kind, settings.rare)):
            yield f"{before} -> {after}", support.sessions


def _origins(name: str, tool: ToolTally, kind: KindTally, manifest: Manifest, settings: Settings) -> Iterator[tuple[str, dict[str, int]]]:
    for argument, tally in sorted(tool.arguments.items()):
        found = {
            text: support.sessions
            for text, support in sorted(tally.sources.items(), key=lambda each: (-each[1].sessions, each[0]))
            if is_source(text) and is_known_source(text, manifest)
            and not (is_sensitive(manifest, name) and somebodys(text) and is_rare(support, kind, settings.rare))
        }  # fmt: skip
        if found:
            yield argument, found


def is_source(text: str) -> bool:
    """Whether a baseline can say it."""
    try:
        source(text)
    except ValueError:
        return False
    return True
