"""Whether the values of a call come from where they may: trust is exact, taint is loose (design § 5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from licet.chain.intent import words_of
from licet.chain.keys import NAMES_SOMEBODY
from licet.chain.origin import Place, Trace
from licet.chain.party import kind
from licet.chain.text import exact
from licet.manifest.labels import OriginRule, OriginTerm
from licet.policy.request import MAX_NAMED, Facts, Request, reason
from licet.policy.rules import content_of, destinations_of, rules_of
from licet.records import Effect, Reason

_IDENTIFYING = frozenset(
    {"id", "ids", "uuid", "guid", "key", "ref", "reference", "number", "no", "nr", "name", "names", "path", "file", "filename"}
)
MAX_SHOWN = 500  # characters of a value that a person is asked about
FULL = " (not all that this task was shown is known here, so that no field counts as trusted)"


def argument(request: Request, facts: Facts) -> Iterable[Reason]:
    """Every leaf of an argument comes from where each rule that speaks of it lets it come from; null and nothing pass."""
    found = [(trace, failed) for trace in facts.traces if (failed := _failed(request.tool, trace, facts))]
    return _argument(found, facts) if found else ()


def _failed(tool: str, trace: Trace, facts: Facts) -> list[tuple[OriginRule, OriginTerm | None]]:
    """The rules that do not hold, each with the source of which it has a person confirm what comes from there."""
    return [(rule, trace.allows(rule.ask)) for rule in rules_of(tool, trace, facts) if not _holds(trace, rule)]


def _argument(found: Iterable[tuple[Trace, list[tuple[OriginRule, OriginTerm | None]]]], facts: Facts) -> Iterator[Reason]:
    denied = False
    for told, (trace, failed) in enumerate(found, 1):
        # Of several rules the strictest decides: a grant that denies is not overruled by the person that the tool's rule would ask.
        rule, asked = min(failed, key=lambda pair: pair[1] is not None or pair[0].otherwise == "ask")
        effect: Effect = "ask" if asked is not None else rule.otherwise
        if effect == "ask" and (told > MAX_NAMED or len(str(trace.value)) > MAX_SHOWN):
            effect = "deny"  # a person cannot confirm what the question does not show
        if told <= MAX_NAMED or (effect == "deny" and not denied):  # however many only ask, a denial is not left out
            denied = denied or effect == "deny"
            sentence, path = _why(trace, rule, facts, endorsed=asked is not None)
            yield reason("origin.argument", sentence, path, effect, value=str(trace.value)[:MAX_SHOWN])


def unanchored(request: Request, facts: Facts) -> Iterable[Reason]:
    """After untrusted content entered, something that identifies what a write acts on must lead back to the intent.

    A call in which nothing is identified (`start_engine()`, `set_volume(3)`) leaves nothing to choose, and passes.
    """
    if facts.entered is None or (tool := facts.tool(request.tool)) is None or not tool.writes:
        return ()
    receiving, free = destinations_of(request.tool, facts), content_of(request.tool, facts)
    identifying = [
        trace
        for trace in facts.traces
        if not _is_nothing(trace)
        and trace.argument not in free
        and not _may_be_made_up(request.tool, trace, facts)
        and (trace.argument in receiving or not _IDENTIFYING.isdisjoint(words_of(trace.argument)) or rules_of(request.tool, trace, facts))
    ]
    if not identifying or any(trace.anchored for trace in identifying):
        return ()
    named = ", ".join(dict.fromkeys(f"`{trace.leaf}`" for trace in identifying[:3]))
    leads = f"{named} of `{request.tool}` leads" if len(identifying) == 1 else f"none of {named} of `{request.tool}` leads"
    back = "back to nothing in the intent" if len(identifying) == 1 else "back to the intent"
    return [reason("origin.unanchored", f"after {facts.entered} was shown, {leads} {back}", (request.tool, *_place_path(facts.entered)))]


def _may_be_made_up(tool: str, trace: Trace, facts: Facts) -> bool:
    """Whether the model made it up, and the manifest lets it: then it names nothing that was there before."""
    if trace.kinds != {"nowhere"}:
        return False
    rules = rules_of(tool, trace, facts)
    return bool(rules) and all("nowhere" in rule.allowed for rule in rules)


def content(request: Request, facts: Facts) -> Iterable[Reason]:
    """An address, a link or a secret from an untrusted source, inside free text that leaves."""
    tool = facts.tool(request.tool)
    return _content(request, facts) if tool is not None and tool.leaves else ()


def _content(request: Request, facts: Facts) -> Iterator[Reason]:
    told: set[tuple[str, str, str]] = set()
    for trace in facts.traces:
        if not trace.parts or rules_of(request.tool, trace, facts):
            continue
        for part in trace.parts:
            key = (trace.leaf, part.what, str(part.place))
            if part.what not in NAMES_SOMEBODY or part.place.kind not in ("untrusted", "unseen") or key in told or len(told) >= MAX_NAMED:
                continue
            if part.whole and trace.kinds & {"intent", "trusted"}:
                continue
            told.add(key)
            way = f", found by undoing {part.way}" if part.way else ""
            sentence = f"{part.what} in `{trace.leaf}` came from {part.place}{way}"
            yield reason("origin.content", sentence, (trace.leaf, part.what, *_place_path(part.place)), value=part.value[:500])


def probing(request: Request, facts: Facts) -> Iterable[Reason]:
    """A task that has tried one thing after another is not left to go on trying."""
    if not facts.probed or (tool := facts.tool(request.tool)) is None or not (tool.writes or tool.leaves):
        return ()
    return [reason("origin.probing", "many different calls of this task were denied for the origin of their values", (request.tool,))]


def _holds(trace: Trace, rule: OriginRule) -> bool:
    return trace.allows(rule.allowed) is not None or _is_nothing(trace)


def _is_nothing(trace: Trace) -> bool:
    return trace.value is None or (not isinstance(trace.value, bool) and not exact(trace.value))


def _why(trace: Trace, rule: OriginRule, facts: Facts, *, endorsed: bool) -> tuple[str, tuple[str, ...]]:
    """One sentence with the path, and the path: argument, atom, call, field, label."""
    what = f"`{trace.leaf}`"
    if trace.value.__class__ is bool:
        return f"{what} is true or false, which has no origin", (trace.leaf,)
    place = _best_place(trace, rule)
    atom = f"{kind(str(trace.value)).partition(' ')[2]} #{trace.digest}"
    full = FULL if facts.full else ""
    if place is None:
        return f"{what} ({atom}) came from nowhere that the guard has seen, and it must come from {_short(rule)}{full}", (trace.leaf, atom)
    way = next((f", found by undoing {part.way}" for part in trace.parts if part.way and part.whole), "")
    then = "a person confirms values from there" if endorsed else f"not from {_short(rule)}"
    return f"{what} ({atom}) came from {place}{way}: {then}{full}", (trace.leaf, atom, *_place_path(place))


def _short(rule: OriginRule) -> str:
    words = [
        {"intent": "the intent", "trusted": "a trusted field", "counterpart": "a counterpart", "nowhere": "the model"}.get(
            str(term), f"`{term}`"
        )
        for term in rule.allowed
    ]
    return " or ".join(words) or "anywhere without a person"


def _best_place(trace: Trace, rule: OriginRule) -> Place | None:
    for term in rule.endorsements:
        if (place := trace.endorsed(term)) is not None:
            return place
    return next(iter((*trace.places, *trace.held)), None)


def _place_path(place: Place) -> tuple[str, ...]:
    return (f"call {place.seq}", place.tool or "model input", place.shown, place.kind)
