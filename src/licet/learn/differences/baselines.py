"""What two baselines of a task kind know. What is known is not novel: a baseline that knows more lets more pass without a word."""

from __future__ import annotations

from collections.abc import Iterator

from licet.guard.learned import Learned
from licet.learn.differences.found import At, Difference, both, listed, shown
from licet.manifest import Manifest
from licet.manifest.baseline import Baseline, tool_of, under


def baselines(at: At, old: Baseline | None, new: Baseline | None) -> Iterator[Difference]:
    """A baseline taken out, put in, or taught otherwise. Without one nothing is novel."""
    if old is None or new is None:
        if new is not None:
            yield at.narrowed(f"calls are held against a baseline of {new.sessions} sessions")
        elif old is not None:
            yield at.widened(f"calls are no longer held against a baseline; it was of {old.sessions} sessions")
        return
    if old == new:
        return
    found = [*_force(at, old, new), *_known(at, old, new)]
    yield from found
    if not found:
        yield at.changed(f"the baseline is of {new.sessions} sessions, was {old.sessions}, and knows the same", decides=False)


def _force(at: At, old: Baseline, new: Baseline) -> Iterator[Difference]:
    before, after = (base.sessions >= base.minimum.sessions for base in (old, new))
    sentence = f"the baseline {'is in force' if after else 'is still learning'}: {new.sessions} of {new.minimum.sessions} sessions"
    yield from at.under("sessions").weighed(not before, not after, sentence)
    yield from at.under("under").other(old.under, new.under, "the tools under which the baseline was learned")
    yield from at.under("models").other(
        listed(sorted(old.models)) or None, listed(sorted(new.models)) or None, "the models from which the baseline was learned"
    )
    said = "speaks by itself" if new.transitions else "speaks only beside a new tool or origin"
    yield from at.under("transitions").weighed(not old.transitions, not new.transitions, f"a new transition {said}")


def in_force(at: At, old: Manifest, new: Manifest) -> Iterator[Difference]:
    """Whether the baseline of the kind holds for each agent that may run it: out of force it lets pass what it would have spoken of,
    whatever took it out. What is said stricter of a tool does so too.
    """
    base, other = old.tasks[at.kind].baseline, new.tasks[at.kind].baseline
    if base is None or other is None:
        return
    before, after = ({agent: why for kind, agent, why in Learned(manifest).misfits() if kind == at.kind} for manifest in (old, new))
    learns = base.sessions < base.minimum.sessions or other.sessions < other.minimum.sessions  # that is told already
    for agent in old.agents:
        if agent not in new.agents or any(at.kind not in manifest.agents[agent].tasks for manifest in (old, new)) or learns:
            continue
        was, now = before.get(agent), after.get(agent)
        if was is None and now is not None:
            yield at.widened(f"the baseline is no longer in force for {shown(agent)}: {now}")
        elif was is not None and now is None:
            yield at.narrowed(f"the baseline is in force for {shown(agent)}; it was not: {was}")
    # Of these tools no digest is kept, and what they give may count as known by another label.
    outside = {tool for each in (base, other) for tool in _sources(each) - each.tools.keys()}
    for tool in sorted(outside):
        if under(old.tools, [tool]) != under(new.tools, [tool]):
            yield at.under("origins").changed(f"{shown(tool)} is declared otherwise, from which the baseline knows values")


def _sources(base: Baseline) -> set[str]:
    return {tool_of(source) for by_name in base.origins.values() for found in by_name.values() for source in found} - {""}


def _known(at: At, old: Baseline, new: Baseline) -> Iterator[Difference]:
    """Each tool, transition and origin that the one knows and the other does not."""
    for tool in both(old.tools, new.tools):
        yield from _one(at.under("tools", tool, tool=tool), shown(tool), old.knows_tool(tool), new.knows_tool(tool))
    for edge in both(old.edges, new.edges):
        first, _, then = edge.partition(" -> ")
        yield from _one(at.under("edges", edge, tool=then), shown(edge), old.knows_edge(first, then), new.knows_edge(first, then))
    for tool in both(old.origins, new.origins):
        for argument in both(old.origins.get(tool, {}), new.origins.get(tool, {})):
            before, after = (base.sources_of(tool, argument) for base in (old, new))
            for source in both(before, after):
                was = before.get(source, 0) >= old.minimum.support
                now = after.get(source, 0) >= new.minimum.support
                what = f"{shown(source)} as a source of {shown(argument)} of {shown(tool)}"
                yield from _one(at.under("origins", tool, argument, source, tool=tool), what, was, now)


def _one(at: At, what: str, old: bool, new: bool) -> Iterator[Difference]:  # noqa: FBT001
    # `escalation` measures access by the tools that are known, so that each of them lets more pass too.
    yield from at.weighed(old, new, f"the baseline {'knows' if new else 'no longer knows'} {what}")
