"""Whether what was revealed to the task may reach where this call leads. Exposure decides; matching values only explains."""

from __future__ import annotations

from collections.abc import Iterator

from licet.chain.origin import Exposure, Trace
from licet.chain.text import exact
from licet.manifest import Tool
from licet.manifest.models import Flow
from licet.policy.request import Facts, Request, reason
from licet.policy.rules import destinations_of, rules_of
from licet.records import Reason


def egress(request: Request, facts: Facts) -> Iterator[Reason]:
    """The built-in flow: what was revealed leaves only to a destination from the intent or a trusted field, or to the counterpart of the
    very call that revealed it. A source that the argument's own rule names counts too; what asks there has asked."""
    tool = facts.tool(request.tool)
    if tool is None or not tool.leaves or not facts.exposures:
        return
    names = destinations_of(request.tool, facts)
    going = [trace for trace in facts.traces if trace.argument in names and trace.value is not None and exact(trace.value)]
    for exposure in facts.exposures:
        bad = next((trace for trace in going if not _may_receive(trace, exposure, request, facts)), None)
        if bad is None and (going or (tool.audience is not None and not names)):
            continue  # with an audience and nobody else named, it goes to the service that the manifest names
        where = f"`{bad.leaf}` is from neither the intent nor a trusted field" if bad else "no argument says who receives"
        sentence = f"`{exposure.label}` was revealed by {exposure.first}, `{request.tool}` leaves our control, and {where}"
        yield reason("flow.egress", sentence, _path(exposure, request, bad))


def declared(request: Request, facts: Facts) -> Iterator[Reason]:
    """The manifest's own flows."""
    tool = facts.tool(request.tool)
    if tool is None:
        return
    names = destinations_of(request.tool, facts)
    going = [trace for trace in facts.traces if trace.argument in names and trace.value is not None and exact(trace.value)]
    for flow in facts.manifest.flows:
        exposure = next((seen for seen in facts.exposures if seen.label == flow.source), None)
        if exposure is None or not _reaches(flow, request.tool, tool) or (flow.by == "value" and not _carries(exposure, facts)):
            continue
        if flow.unless is not None and going and all(_excepted(trace, flow, exposure) for trace in going):
            continue
        but = f" unless its destination is from {' or '.join(flow.unless.destination)}" if flow.unless else ""
        sentence = f"`{exposure.label}` was revealed by {exposure.first}, and may not reach `{request.tool}` ({flow.to}){but}"
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


def _may_receive(trace: Trace, exposure: Exposure, request: Request, facts: Facts) -> bool:
    if trace.kinds & {"intent", "trusted"} or _own_counterpart(trace, exposure):
        return True
    return any(trace.endorsed(term) is not None for rule in rules_of(request.tool, trace, facts) for term in rule.endorsements)


def _excepted(trace: Trace, flow: Flow, exposure: Exposure) -> bool:
    words = flow.unless.destination if flow.unless else ()
    return any(word in trace.kinds and (word != "counterpart" or _own_counterpart(trace, exposure)) for word in words)


def _own_counterpart(trace: Trace, exposure: Exposure) -> bool:
    """Whether this is the address of the record that revealed it: the only call that did, and the only record in it."""
    own = any(place.kind == "counterpart" and place.call_id in exposure.calls and place.sole for place in trace.places)
    return own and exposure.sole


def _path(exposure: Exposure, request: Request, bad: Trace | None) -> tuple[str, ...]:
    first = exposure.first
    return (exposure.label, f"call {first.seq}", first.tool, first.shown, request.tool, *((bad.leaf,) if bad else ()))
