"""Whether what was revealed to the task may reach where this call leads. Exposure decides; matching values only explains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from licet.chain.origin import Exposure, Trace
from licet.chain.text import exact
from licet.manifest import Tool
from licet.manifest.labels import RECEIVERS
from licet.manifest.models import Flow
from licet.policy.request import Facts, Request, reason
from licet.policy.rules import destinations_of, rules_of
from licet.records import Reason


def egress(request: Request, facts: Facts) -> Iterable[Reason]:
    """The built-in flow: what was revealed leaves only to a destination from the intent or a trusted field, or to the counterpart to whom
    all of it belongs. Where the argument's own rule lets a person endorse the destination, the same person is asked about this."""
    tool = facts.tool(request.tool) if facts.exposures else None
    return _egress(request, facts, tool) if tool is not None and tool.leaves else ()


def _egress(request: Request, facts: Facts, tool: Tool) -> Iterator[Reason]:
    names = destinations_of(request.tool, facts)
    going = _going(facts, names)
    for exposure in facts.exposures:
        bad = [trace for trace in going if not _may_receive(trace, exposure)]
        if not bad and (going or (tool.audience is not None and not names)):
            continue  # with an audience and nobody else named, it goes to the service that the manifest names
        asks = bool(bad) and all(_asked_about(trace, request, facts) for trace in bad)
        worst = bad[0] if bad else None
        sentence = f"`{exposure.label}` was revealed by {_by(exposure, worst)}, `{request.tool}` leaves our control, and {_whose(worst)}"
        yield reason("flow.egress", sentence, _path(exposure, request, worst), "ask" if asks else None)


def _going(facts: Facts, names: frozenset[str]) -> list[Trace]:
    """The values that name who receives, those within an argument too that are called as receivers are."""
    named = (trace for trace in facts.traces if trace.argument in names or not RECEIVERS.isdisjoint(trace.path))
    return [trace for trace in named if not trace.is_key and trace.value is not None and exact(trace.value)]


def _whose(bad: Trace | None) -> str:
    if bad is None:
        return "no argument says who receives"
    if "counterpart" in bad.kinds:
        return f"`{bad.leaf}` is a counterpart, who may receive his own record only"
    return f"`{bad.leaf}` is from neither the intent nor a trusted field, nor the counterpart whose record it is"


def _by(exposure: Exposure, bad: Trace | None) -> str:
    """The call that revealed it; to a counterpart of the first, the one that revealed something else."""
    own = bad is not None and any(place.call_id == exposure.first.call_id for place in bad.places)
    place = exposure.latest if own else exposure.first
    return f"`{place.tool}` (call {place.seq})" if place.tool else str(place)


def declared(request: Request, facts: Facts) -> Iterable[Reason]:
    """The manifest's own flows."""
    tool = facts.tool(request.tool) if facts.exposures and facts.manifest.flows else None
    return _declared(request, facts, tool) if tool is not None else ()


def _declared(request: Request, facts: Facts, tool: Tool) -> Iterator[Reason]:
    names = destinations_of(request.tool, facts)
    going = _going(facts, names)
    for flow in facts.manifest.flows:
        exposure = next((seen for seen in facts.exposures if seen.label == flow.source), None)
        if exposure is None or not _reaches(flow, request.tool, tool) or (flow.by == "value" and not _carries(exposure, facts)):
            continue
        if flow.unless is not None and going and all(_excepted(trace, flow, exposure) for trace in going):
            continue
        but = f" unless its destination is from {' or '.join(flow.unless.destination)}" if flow.unless else ""
        sentence = f"`{exposure.label}` was revealed by {_by(exposure, None)}, and may not reach `{request.tool}` ({flow.to}){but}"
        yield reason("flow.declared", sentence, _path(exposure, request, None), flow.then)


def _reaches(flow: Flow, name: str, tool: Tool) -> bool:
    return (
        flow.to == name
        or (flow.to == "egress" and tool.leaves)
        or (flow.to == "write" and tool.writes)
        or (flow.to == "admin" and tool.access == "admin")
    )


def _carries(exposure: Exposure, facts: Facts) -> bool:
    """Whether a value of a call that revealed the label was found in the arguments; of more calls than are kept, each counts."""
    many = len(exposure.calls) > 2
    return exposure.label in facts.carried or any(
        many or place.call_id in exposure.calls
        for trace in facts.traces
        for place in (*trace.places, *trace.held, *(part.place for part in trace.parts))
        if place.tool
    )


def _may_receive(trace: Trace, exposure: Exposure) -> bool:
    return bool(trace.kinds & {"intent", "trusted"}) or ("counterpart" in trace.kinds and exposure.label in trace.owns)


def _asked_about(trace: Trace, request: Request, facts: Facts) -> bool:
    """Whether the argument's own rule has a person confirm this very value."""
    rules = rules_of(request.tool, trace, facts)
    return any(trace.allows(rule.ask) is not None and trace.allows(rule.allowed) is None for rule in rules)


def _excepted(trace: Trace, flow: Flow, exposure: Exposure) -> bool:
    words = flow.unless.destination if flow.unless else ()
    return any(word in trace.kinds and (word != "counterpart" or exposure.label in trace.owns) for word in words)


def _path(exposure: Exposure, request: Request, bad: Trace | None) -> tuple[str, ...]:
    first = exposure.first
    return (exposure.label, f"call {first.seq}", first.tool, first.shown, request.tool, *((bad.leaf,) if bad else ()))
