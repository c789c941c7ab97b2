"""Which of two rules lets more values of an argument pass.

All keywords of a rule hold at once. So if each is as strict as before, or stricter, the whole lets less pass: that much is certain. Two
patterns are not compared, as which of them lets more pass cannot always be told; but where one of the rules names all of its values, each
of them is tried on the other.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from licet.learn.differences.found import At, Difference, both, listed, shown
from licet.manifest.arguments import Argument, validator
from licet.scope import ArgumentRule

_ALL_TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})
_LEAST = {"minLength": "characters", "minItems": "items"}
_MOST = {"maxLength": "characters", "maxItems": "items"}

Schema = Mapping[str, Any]


def values(at: At, subject: str, old: Argument, new: Argument) -> list[Difference]:
    """What `new` lets pass more or less than `old`. `subject` is the argument, or a part of it, in words."""
    before, after = old.schema_for_value(), new.schema_for_value()
    if before == after:
        return []
    if before and after and old.speaks_of_lists() != new.speaks_of_lists():
        # The one is said of the list, the other of each of its items.
        return [at.changed(f"{subject} is {_in_words(new)}, was {_in_words(old)}; which of both lets more pass is not told")]
    way = _by_trying(before, after)
    if way == "same":
        return []
    if way is not None:
        tell = at.widened if way == "widened" else at.narrowed
        return [tell(f"{subject} is {_in_words(new)}, was {_in_words(old)}")]
    found = [
        *_choices(at, subject, before, after),
        *_opaque(at, subject, old, new),
        *_bounds(at, subject, before, after),
        *_sizes(at, subject, before, after),
        *_multiples(at, subject, before, after),
        *_unique(at, subject, before, after),
        *_items(at, subject, old, new),
        *_properties(at, subject, old, new),
    ]
    # A keyword implies its type: that is not told a second time.
    told = {each.way for each in found}
    return [*(each for each in _types(at, subject, before, after) if each.way not in told), *found]


def _in_words(rule: Argument) -> str:
    return shown(ArgumentRule("", rule).describe())


def _by_trying(before: Schema, after: Schema) -> Literal["widened", "narrowed", "same"] | None:
    """What follows from trying the values of one rule on the other; None where that does not decide, `same` where both are equal."""
    old, new = _all_of(before), _all_of(after)
    less = new is not None and all(map(validator(before).is_valid, new))
    more = old is not None and all(map(validator(after).is_valid, old))
    if less and more:
        return "same"
    return "narrowed" if less else "widened" if more else None


def _all_of(schema: Schema) -> list[Any] | None:
    """All values that pass, where they are named."""
    named = _named(schema)
    return None if named is None else list(filter(validator(schema).is_valid, named.values()))


def _named(schema: Schema) -> dict[str, Any] | None:
    """The values that `enum` and `const` leave, by their JSON; None where neither is said."""
    named: dict[str, Any] | None = None
    if "enum" in schema:
        named = {_json(value): value for value in schema["enum"]}
    if "const" in schema:
        one = _json(schema["const"])
        named = {one: schema["const"]} if named is None or one in named else {}
    return named


def _json(value: Any) -> str:
    """One text for values that JSON Schema takes for equal: 1 and 1.0, and not 1 and true."""
    return json.dumps(_whole(value), sort_keys=True, ensure_ascii=False)


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, (list, tuple)) else value


def _types(at: At, subject: str, before: Schema, after: Schema) -> Iterator[Difference]:
    old, new = _types_of(before), _types_of(after)
    if old != new:
        place, sentence = at.under("type"), f"{subject} is of type {_or(new)}, was {_or(old)}"
        yield place.narrowed(sentence) if new < old else place.widened(sentence) if new > old else place.changed(sentence)


def _types_of(schema: Schema) -> frozenset[str]:
    said = schema.get("type")
    if said is None:
        return _ALL_TYPES
    types = {said} if isinstance(said, str) else set(said)
    return frozenset(types | {"integer"} if "number" in types else types)


def _or(types: frozenset[str]) -> str:
    shorter = types - {"integer"} if "number" in types else types
    return "any" if types == _ALL_TYPES else " or ".join(sorted(shorter))


def _choices(at: At, subject: str, before: Schema, after: Schema) -> Iterator[Difference]:
    old, new = _named(before), _named(after)
    place = at.under("const" if "enum" not in before and "enum" not in after else "enum")
    if old is None or new is None:
        if new is not None:
            yield place.narrowed(f"{subject} is one of {listed(new)}, and was not held to named values")
        elif old is not None:
            yield place.widened(f"{subject} is no longer held to {listed(old)}")
        return
    if more := [text for text in new if text not in old]:
        yield place.widened(f"{subject} may also be {listed(more)}")
    if less := [text for text in old if text not in new]:
        yield place.narrowed(f"{subject} may no longer be {listed(less)}")


def _opaque(at: At, subject: str, old: Argument, new: Argument) -> Iterator[Difference]:
    """Keywords of which two values cannot be compared."""
    for word, verb in (("pattern", "match"), ("format", "be of the form")):
        before, after = getattr(old, word), getattr(new, word)
        place = at.under(word)
        if before == after:
            continue
        if "uri" in (before, after) and None in (before, after):
            # Of a URL a missing `http://` and a trailing slash make no difference, so that an origin holds for more than one spelling.
            yield place.changed(f"{subject} is {'now' if after else 'no longer'} read as a URL, whose spellings count as one")
        elif before is None:
            yield place.narrowed(f"{subject} must {verb} {shown(after)}")
        elif after is None:
            yield place.widened(f"{subject} need no longer {verb} {shown(before)}")
        else:
            which = "; which of both lets more pass is not told"
            yield place.changed(f"{subject} must {verb} {shown(after)}, was {shown(before)}{which}")


def _bounds(at: At, subject: str, before: Schema, after: Schema) -> Iterator[Difference]:
    for inner, outer, sign, lead in (("minimum", "exclusiveMinimum", 1, "at least"), ("maximum", "exclusiveMaximum", -1, "at most")):
        old, new = _bound(before, inner, outer, sign), _bound(after, inner, outer, sign)
        word = outer if inner not in before and inner not in after else inner
        sentence = f"{subject} is {_bound_in_words(new, sign, lead)}, was {_bound_in_words(old, sign, lead)}"
        yield from at.under(word).weighed(tuple(-part for part in old), tuple(-part for part in new), sentence)


def _bound(schema: Schema, inner: str, outer: str, sign: int) -> tuple[float, int]:
    """The stricter of both, as (how far, whether the bound itself is out). Upper bounds are turned round: the greater, the stricter."""
    said = [(sign * schema[word], strict) for word, strict in ((inner, 0), (outer, 1)) if word in schema]
    return max(said, default=(-math.inf, 0))


def _bound_in_words(bound: tuple[float, int], sign: int, lead: str) -> str:
    value, strict = bound
    if value == -math.inf:
        return "without such a bound"
    return f"{('more than' if sign > 0 else 'less than') if strict else lead} {value * sign}"


def _sizes(at: At, subject: str, before: Schema, after: Schema) -> Iterator[Difference]:
    for word, what in _LEAST.items():
        old, new = before.get(word, 0), after.get(word, 0)
        yield from at.under(word).weighed(-old, -new, f"{subject} has at least {new} {what}, was {old}")
    for word, what in _MOST.items():
        limit, now = before.get(word, math.inf), after.get(word, math.inf)
        said, was = ("any number of" if number == math.inf else f"at most {number}" for number in (now, limit))
        yield from at.under(word).weighed(limit, now, f"{subject} has {said} {what}, was {was}")


def _multiples(at: At, subject: str, before: Schema, after: Schema) -> Iterator[Difference]:
    old, new = before.get("multipleOf"), after.get("multipleOf")
    place = at.under("multipleOf")
    if old == new:
        return
    if old is None or new is None:
        yield place.narrowed(f"{subject} is a multiple of {new}") if old is None else place.widened(f"{subject} is any number")
        return
    sentence = f"{subject} is a multiple of {new}, was {old}"
    # With fractions the last digit decides, and it is not certain.
    whole = all(float(number).is_integer() for number in (old, new))
    yield (
        place.narrowed(sentence)
        if whole and new % old == 0
        else place.widened(sentence)
        if whole and old % new == 0
        else place.changed(sentence)
    )


def _unique(at: At, subject: str, before: Schema, after: Schema) -> Iterator[Difference]:
    old, new = bool(before.get("uniqueItems")), bool(after.get("uniqueItems"))
    yield from at.under("uniqueItems").weighed(not old, not new, f"{subject} may {'not ' if new else ''}hold an item twice")


def _items(at: At, subject: str, old: Argument, new: Argument) -> list[Difference]:
    return values(at.under("items"), f"an item of {subject}", old.items or Argument(), new.items or Argument())


def _properties(at: At, subject: str, old: Argument, new: Argument) -> Iterator[Difference]:
    was_open, now_open = is_open(old), is_open(new)
    others = "any other key" if now_open else "no key that is not named"
    yield from at.under("additionalProperties").weighed(was_open, now_open, f"{subject} may hold {others}")
    before, after = old.properties or {}, new.properties or {}
    for name in both(before, after):
        place, part = at.under("properties", name), f"{shown(name)} in {subject}"
        first, then = before.get(name), after.get(name)
        if first is None and not was_open:
            yield place.widened(f"{subject} may hold {shown(name)}")
        elif then is None and not now_open:
            yield place.narrowed(f"{subject} may no longer hold {shown(name)}")
        else:
            yield from values(place, part, first or Argument(), then or Argument())
        was, now = (rule is not None and rule.required for rule in (first, then))
        yield from place.under("required").weighed(not was, not now, f"{part} is {'' if now else 'no longer '}required")


def is_open(rule: Argument) -> bool:
    """Whether an object may hold keys that are not named."""
    if rule.additionalProperties is not None:
        return rule.additionalProperties
    return rule.properties is None
