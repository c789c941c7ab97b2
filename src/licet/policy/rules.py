"""Which rules of origin speak of an argument: what the manifest declares, else what is safe by default."""

from __future__ import annotations

from collections.abc import Sequence

from licet.chain.origin import Trace
from licet.manifest.labels import DEFAULT, RECEIVERS, Endorsement, OriginRule
from licet.policy.request import Facts
from licet.scope import DECLARED

_NONE: frozenset[str] = frozenset()


def rules_of(tool: str, trace: Trace, facts: Facts) -> Sequence[OriginRule]:
    """The rules for one leaf: every layer's, or the default where no layer speaks of the argument's origin or calls it content."""
    grants = facts.scope.grants_of(tool) if facts.scope else ()
    if trace.is_key and any((trace.argument, trace.path[:-1]) in grant.keys for grant in grants):
        return ()  # a key that the manifest names is nobody's choice
    found: list[OriginRule] = []
    lifted = False
    for layer, grant in enumerate(grants):
        for sourced in grant.sourced:
            if sourced.argument == trace.argument and sourced.governs(trace.path):
                lifted = lifted or layer < DECLARED
                found.append(sourced.rule)
    if trace.party and not lifted and trace.argument not in content_of(tool, facts):
        info = facts.tool(tool)
        if info is not None and (info.writes or info.leaves):
            found.append(DEFAULT)
    return found


def endorsed_by(tool: str, facts: Facts) -> tuple[tuple[str, str, str], ...]:
    """The endorsements on which a call stands, for the record: (leaf, the endorsement, the id of the call whose field held the value)."""
    if facts.scope is None or not any(grant.endorses for grant in facts.scope.grants_of(tool)):
        return ()
    out: dict[tuple[str, str, str], None] = {}
    for trace in facts.traces:
        for rule in rules_of(tool, trace, facts):
            term = trace.allows(rule.terms)
            if isinstance(term, Endorsement) and (place := trace.endorsed(term)) is not None:
                out[trace.leaf, str(term), place.call_id] = None
    return tuple(out)


def content_of(tool: str, facts: Facts) -> frozenset[str]:
    """The arguments that are declared free text, by the tool or by the task kind of the first task."""
    return facts.scope.free_text.get(tool, _NONE) if facts.scope else _NONE


def destinations_of(tool: str, facts: Facts) -> frozenset[str]:
    """The arguments that name who or what receives: declared, or implied by their name."""
    grants = facts.scope.grants_of(tool) if facts.scope else ()
    declared: frozenset[str] = frozenset().union(*(grant.destinations for grant in grants))
    info = facts.tool(tool)
    refused = {name for name, rule in (info.arguments if info else {}).items() if rule.destination is False}
    return declared | (RECEIVERS & {trace.argument for trace in facts.traces}) - refused
