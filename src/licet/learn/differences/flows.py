"""What two manifests keep from where: the declared flows. All of them hold at once, so that one more lets less pass."""

from __future__ import annotations

from collections.abc import Iterator

from licet.learn.differences.found import At, Difference, both, shown
from licet.manifest.models import Flow, Manifest

_LETS_PASS = {"deny": 0, "ask": 1, "flag": 2}


def flows(old: Manifest, new: Manifest) -> Iterator[Difference]:
    """By label and sink. Where several speak of the same, those that are equal are set aside."""
    before, after = _by_ends(old), _by_ends(new)
    for ends in both(before, after):
        gone = [flow for flow in before.get(ends, []) if flow not in after.get(ends, [])]
        come = [flow for flow in after.get(ends, []) if flow not in before.get(ends, [])]
        at = At(("flows", ends), tool=ends.partition(" -> ")[2] if ends.partition(" -> ")[2] in {*old.tools, *new.tools} else "")
        if len(gone) == len(come) == 1:
            yield from _one(at, gone[0], come[0])
        else:
            yield from (at.narrowed(f"{_said(flow)}: this is kept now") for flow in come)
            yield from (at.widened(f"{_said(flow)}: this is no longer kept") for flow in gone)


def _by_ends(manifest: Manifest) -> dict[str, list[Flow]]:
    out: dict[str, list[Flow]] = {}
    for flow in manifest.flows:
        out.setdefault(f"{flow.source} -> {flow.to}", []).append(flow)
    return out


def _one(at: At, old: Flow, new: Flow) -> Iterator[Difference]:
    what = f"{shown(new.source)} to {shown(new.to)}"
    yield from at.under("then").weighed(_LETS_PASS[old.then], _LETS_PASS[new.then], f"{what} is to {new.then}, was {old.then}")
    by = "only where a value of it is found" if new.by == "value" else "once the label was shown"
    yield from at.under("by").weighed(old.by == "value", new.by == "value", f"{what} is kept {by}")
    before, after = (flow.unless.destination if flow.unless is not None else () for flow in (old, new))
    for word in both(before, after):
        place, may = at.under("unless", "destination"), "may" if word in after else "may no longer"
        yield from place.weighed(word in before, word in after, f"{what} {may} go to a destination from {shown(word)}")


def _said(flow: Flow) -> str:
    but = f" unless its destination is from {' or '.join(flow.unless.destination)}" if flow.unless is not None else ""
    return f"{shown(flow.source)} to {shown(flow.to)}{but} ({flow.then}, by {flow.by})"
