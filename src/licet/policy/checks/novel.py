"""Whether a call does what its task kind has been seen to do: held against the baseline that a person ratified.

Names of tools and their order alone do not tell an attack from honest work; which tool changes something, and whose choice its arguments
are, does (measured: benchmarks/README.md). So only calls that write or leave our control are held against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from licet.chain.origin import Place, Trace
from licet.chain.sources import novel_sources, sources
from licet.manifest import START
from licet.manifest.baseline import Baseline, tool_of
from licet.policy.request import MAX_NAMED, Facts, Request, reason
from licet.policy.rules import content_of
from licet.records import Reason

_ACCESS = {"read": 0, None: 1, "write": 1, "admin": 2}  # what is not declared is judged as a write
_SHOWN = 4  # sources that a sentence names
_NOWHERE = {"nowhere": "nowhere that the guard has seen"}


def novel(request: Request, facts: Facts) -> Iterable[Reason]:
    """A tool that this task kind never used, or a value from where it never took one; and, beside these, a transition never seen."""
    if facts.baseline is None:
        return ()
    tool = facts.tool(request.tool)
    return _novel(request, facts, facts.baseline) if tool is not None and (tool.writes or tool.leaves) else ()


def _novel(request: Request, facts: Facts, base: Baseline) -> Iterator[Reason]:
    found = [_tool(request.tool, base, facts)] if not base.knows_tool(request.tool) else list(_origins(request.tool, base, facts))
    yield from found
    before = facts.last_tool or START
    if (found or base.transitions) and not base.knows_edge(before, request.tool):
        times = _times(base.edges.get(f"{before} -> {request.tool}", 0), base)
        yield reason("chain.novel", f"`{request.tool}` followed `{before}` {times} of `{facts.seen_of}`", (before, request.tool))


def escalation(request: Request, facts: Facts) -> Iterable[Reason]:
    """After untrusted content entered, access above all that this task kind has used."""
    base = facts.baseline
    if base is None or not facts.ratified or facts.entered is None or (tool := facts.tool(request.tool)) is None:
        return ()
    used = [facts.manifest.tools[name].access for name in base.tools if name in facts.manifest.tools and base.knows_tool(name)]
    most = max(used, key=_ACCESS.__getitem__, default="read")
    if _ACCESS[tool.access] <= _ACCESS[most]:
        return ()
    sessions = f"{_sessions(base.sessions)} of `{facts.seen_of}` used {most or 'write'} access at most"
    sentence = f"`{request.tool}` has {tool.access or 'write'} access, and {sessions}; before it {facts.entered} was shown"
    return [reason("chain.escalation", sentence, (request.tool, *_path(facts.entered)))]


def _tool(name: str, base: Baseline, facts: Facts) -> Reason:
    return reason("chain.novel", f"`{name}` was used {_times(base.tools.get(name, 0), base)} of `{facts.seen_of}`", (name,))


def _origins(name: str, base: Baseline, facts: Facts) -> Iterator[Reason]:
    told, free = 0, content_of(name, facts)
    for trace in facts.traces:
        known = base.sources_of(name, trace.argument)
        enough = frozenset(source for source, count in known.items() if count >= base.minimum.support)
        strange = novel_sources(
            sources(trace), enough, content=trace.argument in free and not trace.party, entered=facts.entered is not None
        )
        if not strange:
            continue
        told += 1
        if told > MAX_NAMED:
            return
        place, part = _place(trace, strange)
        count = max(known.get(source, 0) for source in strange)
        said = f"{part} in `{trace.leaf}`" if part else f"`{trace.leaf}`"
        came = f"{said} of `{name}` came from {place or _NOWHERE.get(min(strange), 'model input (unseen)')}"
        seen = f"{_few(count)} of {_sessions(base.tools[name])} of `{facts.seen_of}` with this tool (of {base.sessions})"
        sentence = f"{came}, as in {seen}; there it came from {_in_words(known)}"
        yield reason("chain.novel", sentence, (trace.leaf, *(_path(place) if place is not None else (min(strange),))))


def _times(count: int, base: Baseline) -> str:
    """What is not known although some did it, stood in too few sessions to count."""
    return f"in {_few(count)} of {_sessions(base.sessions)}"


def _few(count: int) -> str:
    return f"only {count}" if count else "none"


def _sessions(number: int) -> str:
    return f"{number} session" if number == 1 else f"{number} sessions"


def _in_words(known: Mapping[str, int]) -> str:
    most = sorted(known.items(), key=lambda each: (-each[1], each[0]))
    words = [f"{_word(source)} ({count})" for source, count in most[:_SHOWN]]
    return (", ".join(words) + (", …" if len(most) > _SHOWN else "")) or "nowhere, since it was never given"


def _word(source: str) -> str:
    if source == "intent":
        return "the intent"
    tool = tool_of(source)
    return source.replace(tool, f"`{tool}`", 1) if tool else {"nowhere": "the model"}.get(source, source)


def _place(trace: Trace, strange: frozenset[str]) -> tuple[Place | None, str]:
    """Where a new source held the value, and, of a part, what that is."""
    for place in trace.places:
        if f"{place.label} {place.tool}" in strange:
            return place, ""
    for part in trace.parts:
        if f"{part.place.label} {part.place.tool} ({part.what})" in strange or (not part.place.tool and f"unseen ({part.what})" in strange):
            return part.place, part.what
    return None, ""


def _path(place: Place) -> tuple[str, ...]:
    return (f"call {place.seq}", place.tool or "model input", place.shown, place.kind)
