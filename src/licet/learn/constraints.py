"""Rules for arguments out of the values that were seen: careful rather than tight, since a rule that is too narrow stops work.

A rule is only ever added where the manifest says nothing of the kind, and only narrows. What it rests on is told beside it.

So few sessions as may be anybody's decide nothing: each rule is made of what the others have, and how many it leaves out is told.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from licet.canonical import Plain
from licet.chain.intent import words_of as words_in
from licet.chain.party import party
from licet.learn.forms import pattern_of
from licet.learn.judged import SURE
from licet.learn.tally import ArgumentTally, ToolTally, trimmed
from licet.learn.values import DIFFERENT, FEW, HEAD_ROOM, Span
from licet.manifest.arguments import Argument
from licet.manifest.choices import is_receiver
from licet.manifest.labels import OriginWord
from licet.scope import ArgumentRule
from licet.secretlike import secret_in

ENOUGH = 20
"""In so many sessions an argument must stand before more than its type is said. Of what all of 20 sessions had, 3 in 20 may still lack
it (the rule of three, at 95 %); hence the head room."""

SEVERAL = 3  # sessions in which each value of an enumeration must stand

_QUANTITIES = frozenset(
    {"amount", "count", "days", "depth", "discount", "dollars", "duration", "euros", "fee", "guests", "height", "hours", "length", "limit",
     "max", "min", "minutes", "months", "nights", "offset", "page", "pages", "percent", "persons", "price", "qty", "quantity", "rate",
     "rating", "rooms", "score", "seats", "seconds", "size", "stars", "sum", "tip", "top", "total", "units", "volume", "weeks", "weight",
     "width", "years"}
)  # fmt: skip
_SOMEBODY = frozenset(
    {"account", "address", "addressee", "assignee", "attendee", "author", "bcc", "beneficiary", "cc", "channel", "contact", "customer",
     "destination", "domain", "email", "employee", "from", "guest", "host", "iban", "id", "invitee", "key", "link", "login", "member",
     "name", "number", "owner", "participant", "password", "path", "patient", "payee", "person", "phone", "receiver", "recipient", "ref",
     "reporter", "reviewer", "secret", "sender", "target", "tenant", "to", "token", "uri", "url", "user", "username", "webhook",
     "website"}
)  # fmt: skip
_CHOICES = frozenset(
    {"category", "currency", "format", "kind", "lang", "language", "level", "locale", "mode", "order", "priority", "severity", "sort",
     "state", "status", "type", "unit"}
)  # fmt: skip
_SECRETS = frozenset(
    {"code", "credential", "credentials", "key", "otp", "pass", "passphrase", "passwd", "password", "pin", "pwd", "secret", "token"}
)
_WORD_VALUE = re.compile(r"(?:[a-z][a-z_-]*[0-9]{0,2}|[A-Z][A-Z_-]{0,11}[0-9]{0,2})", re.ASCII)
_ORDER: tuple[OriginWord, ...] = ("intent", "trusted", "counterpart", "nowhere")


@dataclass(frozen=True, slots=True)
class Rule:
    """What is added to the rule of one argument: keywords with their values, and on what each rests. `without`: how many sessions had
    something else, which decided nothing.
    """

    keywords: dict[str, Any]
    why: tuple[str, ...]
    without: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """One argument of one tool: what was seen of it, and the rules that the manifest has for it (the tool's own, then the grant's).

    `few`: up to so many sessions may be anybody's.
    """

    name: str
    tally: ArgumentTally
    tool: ToolTally
    declared: tuple[Argument, ...]
    sensitive: bool
    few: int = 0

    @property
    def always(self) -> bool:
        """Whether every call gave it. Where one did not, the tool's default stood there, which nobody has seen."""
        return self.tool.support.sessions - self.tally.whole <= self.few

    @property
    def enough(self) -> bool:
        """Whether enough sessions have it to say more than its type."""
        return self.always and is_enough(self.tally.support.sessions, self.few)

    @property
    def types(self) -> tuple[frozenset[str], frozenset[str]]:
        """The types of its values, and of the items of its lists, that more than few sessions have."""
        sorts = self.tally.values.sorts
        values, items = ({each for sort in sorts.counts for each in sort[at]} for at in (0, 1))
        return (
            frozenset(each for each in values if sorts.number(lambda sort: each in sort[0]) > self.few),  # noqa: B023 - called at once
            frozenset(each for each in items if sorts.number(lambda sort: each in sort[1]) > self.few),  # noqa: B023
        )

    def says(self, *keywords: str) -> bool:
        """Whether the manifest has one of these already."""
        return any(keyword in rule.model_fields_set for rule in self.declared for keyword in keywords)


def rule_for(seen: Seen, granted: dict[str, Any]) -> Rule:
    """What can be added to `granted`, the grant's own rule of the argument as it is written, so that the whole is a valid rule that every
    value passes which more than few sessions had.
    """
    keywords: dict[str, Any] = {}
    why: list[str] = []
    without = 0
    if any(rule.opaque for rule in seen.declared):
        return Rule({}, ())
    for found in _candidates(seen):
        candidate = {**keywords, **{key: value for key, value in found.keywords.items() if key not in granted}}
        if candidate != keywords and _holds({**granted, **candidate}, seen):
            keywords = candidate
            why += found.why
            without = max(without, found.without)
    return Rule(keywords, tuple(why), without)


def is_enough(sessions: int, few: int) -> bool:
    """Whether so many sessions say more than those that may be anybody's."""
    return sessions >= max(ENOUGH, SURE * few)


def _holds(rule: dict[str, Any], seen: Seen) -> bool:
    try:
        compiled = ArgumentRule("", Argument.model_validate(rule))
    except ValidationError:
        return False
    choices = seen.tally.values.texts.choices.counts
    texts = {text for choice, number in choices.items() if number > seen.few for text in choice}
    given: list[Plain] = [[text] for text in texts] if rule.get("type") == "array" else list(texts)  # the texts of a list are its items
    return all(compiled.refusal(each, absent=False, null_is_default=False) is None for each in given)


def _candidates(seen: Seen) -> Iterator[Rule]:
    if not seen.says("type") and not any(rule.limits() for rule in seen.declared):
        yield from _type(seen)
    if seen.enough and not seen.says("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "enum", "const"):
        yield from _range(seen)
    if seen.enough and not seen.says("enum", "const", "pattern", "format", "content", "items"):
        yield from chosen if (chosen := list(_few(seen))) else _form(seen)
    if seen.enough and seen.sensitive:
        yield from _origin(seen)


# Types --------------------------------------------------------------------------------------------------------------------


def _type(seen: Seen) -> Iterator[Rule]:
    values, within = seen.types
    sorts = seen.tally.values.sorts
    types, items = _types(values, enough=seen.enough), _types(within, enough=seen.enough)
    if types == ["array"] and items and "array" not in items:
        rule: dict[str, Any] = {"type": "array", "items": {"type": _one(items)}}
        yield Rule(rule, (), sorts.total - sorts.number(lambda sort: sort[0] <= values and sort[1] <= within))
    elif types:
        yield Rule({"type": _one(types)}, (), sorts.total - sorts.number(lambda sort: sort[0] <= values))


def _types(found: frozenset[str], *, enough: bool) -> list[str]:
    """The types, null last. Few whole numbers do not say that no other will come."""
    types = set(found) - {"null"}
    if "number" in types or ("integer" in types and not enough):
        types = (types - {"integer"}) | {"number"}
    return [*sorted(types), *(["null"] if "null" in found else [])] if types else []


def _one(types: list[str]) -> str | list[str]:
    return types[0] if len(types) == 1 else types


# Ranges -------------------------------------------------------------------------------------------------------------------


def _range(seen: Seen) -> Iterator[Rule]:
    """Of what counts or measures. Numbers of things (tickets, orders) only ever grow."""
    quantity = bool(words_in(seen.name) & _QUANTITIES) and not words_in(seen.name) & _SOMEBODY
    if not quantity or not seen.types[0] <= {"integer", "number", "null"}:
        return
    spans, without = _common(seen.tally.values.numbers, seen.few)
    greatest = max((limit for _, limit in spans if limit is not None), default=0)
    if not spans or any(limit is None for _, limit in spans):
        return
    keywords: dict[str, Any] = {"maximum": greatest} if greatest > 0 else {}
    if not any(negative for negative, _ in spans):
        keywords["minimum"] = 0
    if keywords:
        seen_from = f"from {_said(min(span.least for span in spans.values()))} to {_said(max(span.greatest for span in spans.values()))}"
        yield Rule(keywords, (f"{seen_from} as seen, and up to {HEAD_ROOM} times as much is let through",), without)


Numbers = dict[tuple[bool, int | None], Span]


def _common(numbers: Numbers, few: int) -> tuple[Numbers, int]:
    """Without the largest, and without those below 0, as far as few sessions in all have them; and how many these are."""
    kept, without = dict(numbers), 0
    for limit in sorted({limit for _, limit in numbers}, key=lambda each: (each is None, each), reverse=True):
        above = sum(span.sessions for key, span in kept.items() if key[1] == limit)
        if without + above > few:
            break
        kept, without = {key: span for key, span in kept.items() if key[1] != limit}, without + above
    below = sum(span.sessions for (negative, _), span in kept.items() if negative)
    if below and without + below <= few:
        kept, without = {key: span for key, span in kept.items() if not key[0]}, without + below
    return kept, without


def _said(number: int | float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:,.6g}"


# Few values, and forms ----------------------------------------------------------------------------------------------------


def _few(seen: Seen) -> Iterator[Rule]:
    """An enumeration of what is chosen from few words, and never of what may name a person, an address or an account, or is a secret."""
    choices, sessions = seen.tally.values.texts.choices, seen.tally.values.sessions
    words = words_in(seen.name)
    if seen.types[0] != {"string"} or not words & _CHOICES or words & (_SOMEBODY | _SECRETS) or is_receiver(seen.name, seen.declared):
        return
    counts: dict[str, int] = {}
    for choice, number in choices.counts.items():
        for text in choice:
            counts[text] = counts.get(text, 0) + number
    often = {text for text, number in counts.items() if number >= max(SEVERAL, seen.few + 1)}
    without = sessions - choices.number(lambda choice: choice <= often)
    if not 0 < len(often) <= FEW or without > seen.few:
        return
    named = frozenset(words)
    if all(_is_harmless(text, seen.name, named) for text in often):
        said = "this" if len(often) == 1 else f"these {len(often)}"
        yield Rule({"enum": sorted(often)}, (f"no other value than {said}, which are text out of the traces",), without)


def _is_harmless(text: str, name: str, named: frozenset[str]) -> bool:
    return bool(len(text) <= 24 and _WORD_VALUE.fullmatch(text)) and not party(text, named) and not secret_in(f"{name}: {text}")


def _form(seen: Seen) -> Iterator[Rule]:
    """A pattern of what all texts share, where that says something: a domain, a host, the head of an id, groups of digits."""
    texts, sessions = seen.tally.values.texts, seen.tally.values.sessions
    values, items = seen.types
    if "string" not in values | items or values - {"string", "array", "null"} or items - {"string"} or words_in(seen.name) & _SECRETS:
        return
    form, number = max(texts.forms.counts.items(), key=lambda each: (each[1], each[0]), default=("", 0))
    if not form or sessions - number > seen.few or len(texts.ways.get(form, ())) < DIFFERENT:
        return
    pattern, why = pattern_of(form)
    if secret_in(form) or secret_in(pattern) or secret_in(f"{form}{'9' * 32}") or secret_in(f"{form}{'a1' * 16}"):
        return
    if values == {"array"}:
        yield Rule({"type": "array", "items": {"type": "string", "pattern": pattern}}, (why,), sessions - number)
    else:
        yield Rule({"pattern": pattern}, (why,), sessions - number)


# Origins ------------------------------------------------------------------------------------------------------------------


def _origin(seen: Seen) -> Iterator[Rule]:
    """The fewest words that cover every leaf, and never more than the manifest allows."""
    if not seen.tally.grounds.total or seen.says("content") or "boolean" in seen.types[0]:
        return
    needed = needed_words(seen.tally, seen.few)
    if needed is None or not all(map(_may_narrow, seen.declared)):
        return
    declared = [rule.origin for rule in seen.declared if rule.origin is not None]
    counts = ", ".join(f"{word} in {_sessions(seen.tally, word)}" for word in needed)
    if all("intent" in origin.allowed for origin in declared):
        needed = tuple(dict.fromkeys(("intent", *needed)))  # what the user says himself is never the danger
    if not declared and not set(needed) <= {"intent", "trusted"}:
        return  # beside the default for whatever names somebody, more words would widen
    if declared and any(set(needed) == set(rule.terms) for rule in declared):
        return
    if any(term not in origin.allowed for origin in declared for term in needed):
        return
    without = seen.tally.grounds.total - seen.tally.grounds.number(lambda grounds: _passes(needed, grounds))
    yield Rule({"origin": list(needed)}, (f"from {counts}",), without)


def _may_narrow(rule: Argument) -> bool:
    """Where a person decides, or a source is endorsed by name, or parts have rules of their own, the words seen do not tell enough."""
    if rule.items is not None or rule.properties is not None:
        return False
    return rule.origin is None or not (rule.origin.ask or rule.origin.otherwise == "ask" or rule.origin.endorsements)


def needed_words(tally: ArgumentTally, few: int = 0) -> tuple[OriginWord, ...] | None:
    """The fewest words of an `origin:` that every leaf passes in all but `few` sessions, the most trusted first; None where no words do."""
    grounds = tally.grounds
    for number in range(1, len(_ORDER) + 1):
        for words in itertools.combinations(_ORDER, number):
            if grounds.total - grounds.number(lambda found: _passes(words, found)) <= few:  # noqa: B023 - called at once
                return words
    return None


def _passes(words: Sequence[OriginWord], grounds: frozenset[frozenset[str]]) -> bool:
    return all(any(_covers(word, ground) for word in words) for ground in grounds)


def _covers(word: OriginWord, ground: frozenset[str]) -> bool:
    """Whether a leaf of these sources surely has this origin: what strangers held as well may be theirs."""
    strangers = {"trusted": {"counterpart", "untrusted", "unseen"}, "counterpart": {"untrusted", "unseen"}}.get(word, set())
    return word in ground and not strangers & ground


def _sessions(tally: ArgumentTally, word: str) -> int:
    return tally.grounds.number(lambda grounds: any(word in ground for ground in grounds))


def calls_at_most(tool: ToolTally, few: int = 0) -> int | None:
    """How often a tool may be called in one task, with head room of half as much again; None where too few sessions used it."""
    most = trimmed(tool.each, few)
    return with_head_room(most) if is_enough(tool.support.sessions, few) and 0 < most < 500 else None


def with_head_room(number: int) -> int:
    """Half as much again, and at least one more."""
    return number + max(1, math.ceil(number / 2))
