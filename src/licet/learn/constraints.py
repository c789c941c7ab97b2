"""Rules for arguments out of the values that were seen: careful rather than tight, since a rule that is too narrow stops work.

A rule is only ever added where the manifest says nothing of the kind, and only narrows. What it rests on is told beside it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from licet.chain.intent import words_of as words_in
from licet.chain.party import party
from licet.learn.tally import ArgumentTally, ToolTally
from licet.learn.values import Texts
from licet.manifest.arguments import Argument
from licet.manifest.choices import is_receiver
from licet.manifest.labels import OriginWord
from licet.scope import ArgumentRule
from licet.secretlike import secret_in

ENOUGH = 20
"""In so many sessions an argument must stand before more than its type is said. Of what all of 20 sessions had, 3 in 20 may still lack
it (the rule of three, at 95 %); hence the head room."""

DIFFERENT = 5  # texts that must agree in a form before it is one
FEW, SEVERAL = 5, 3  # values of an enumeration at most, and in how many sessions each must stand
HEAD_ROOM = 2  # times the greatest number that was seen
MAX_NUMBER = 10**12

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
_WORD_VALUE = re.compile(r"(?:[a-z][a-z_-]*[0-9]{0,2}|[A-Z][A-Z_-]{0,11}[0-9]{0,2})", re.ASCII)
_DOMAIN = re.compile(r"@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,24}", re.ASCII)
_HOST = re.compile(r"https://[a-z0-9-]+(?:\.[a-z0-9-]+)+/", re.ASCII)
_HEAD_OF_AN_ID = re.compile(r"[A-Za-z][A-Za-z_.:#/-]*", re.ASCII)
_GROUPS = re.compile(r"9{1,8}(?:[-/:. ]9{1,8})+", re.ASCII)
_META = re.compile(r"[.^$*+?()\[\]{}|\\/]")
_ORDER: tuple[OriginWord, ...] = ("intent", "trusted", "counterpart", "nowhere")


@dataclass(frozen=True, slots=True)
class Rule:
    """What is added to the rule of one argument: keywords with their values, and on what each rests."""

    keywords: dict[str, Any]
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """One argument of one tool: what was seen of it, and the rules that the manifest has for it (the tool's own, then the grant's)."""

    name: str
    tally: ArgumentTally
    tool: ToolTally
    declared: tuple[Argument, ...]
    sensitive: bool

    @property
    def always(self) -> bool:
        """Whether every call gave it. Where one did not, the tool's default stood there, which nobody has seen."""
        return sum(self.tally.values.types.values()) == self.tool.calls

    @property
    def enough(self) -> bool:
        """Whether enough sessions have it to say more than its type."""
        return self.always and self.tally.support.sessions >= ENOUGH

    def says(self, *keywords: str) -> bool:
        """Whether the manifest has one of these already."""
        return any(keyword in rule.model_fields_set for rule in self.declared for keyword in keywords)


def rule_for(seen: Seen, granted: dict[str, Any]) -> Rule:
    """What can be added to `granted`, the grant's own rule of the argument as it is written, so that the whole is a valid rule that every
    value which was seen passes.
    """
    keywords: dict[str, Any] = {}
    why: list[str] = []
    if any(rule.opaque for rule in seen.declared):
        return Rule({}, ())
    for found in _candidates(seen):
        candidate = {**keywords, **{key: value for key, value in found.keywords.items() if key not in granted}}
        if candidate != keywords and _holds({**granted, **candidate}, seen.tally.values.texts):
            keywords = candidate
            why += found.why
    return Rule(keywords, tuple(why))


def _holds(rule: dict[str, Any], texts: Texts) -> bool:
    try:
        compiled = ArgumentRule("", Argument.model_validate(rule))
    except ValidationError:
        return False
    if rule.get("type") == "array":  # its texts are items
        return all(compiled.refusal([text], absent=False, null_is_default=False) is None for text in texts.values)
    return all(compiled.refusal(text, absent=False, null_is_default=False) is None for text in texts.values)


def _candidates(seen: Seen) -> Iterator[Rule]:
    if not seen.says("type") and not any(rule.limits() for rule in seen.declared):
        yield from _type(seen)
    if seen.enough and not seen.says("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "enum", "const"):
        yield from _range(seen)
    if seen.enough and not seen.says("enum", "const", "pattern", "format", "content", "items"):
        yield from _few(seen) if _is_of_few(seen) else _form(seen)
    if seen.enough and seen.sensitive:
        yield from _origin(seen)


# Types --------------------------------------------------------------------------------------------------------------------


def _type(seen: Seen) -> Iterator[Rule]:
    types = _types(seen.tally.values.types, enough=seen.enough)
    if types == ["array"] and (items := _types(seen.tally.values.items, enough=seen.enough)) and "array" not in items:
        yield Rule({"type": "array", "items": {"type": _one(items)}}, ())
    elif types:
        yield Rule({"type": _one(types)}, ())


def _types(found: dict[str, int], *, enough: bool) -> list[str]:
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
    values = seen.tally.values
    quantity = bool(words_in(seen.name) & _QUANTITIES) and not words_in(seen.name) & _SOMEBODY
    if not quantity or not set(values.types) <= {"integer", "number", "null"} or values.least is None or values.greatest is None:
        return
    least, greatest = values.least, values.greatest
    if not -MAX_NUMBER < least <= greatest < MAX_NUMBER:
        return
    keywords: dict[str, Any] = {"maximum": _round(greatest * HEAD_ROOM)} if greatest > 0 else {}
    if least >= 0:
        keywords["minimum"] = 0
    if keywords:
        yield Rule(keywords, (f"from {_said(least)} to {_said(greatest)} as seen, and up to {HEAD_ROOM} times as much is let through",))


def _round(number: int | float) -> int:
    """The next number of the row 1, 2, 5, 10, 20, 50, ... above."""
    step = 10 ** math.floor(math.log10(max(number, 1)))
    return next(int(factor * step) for factor in (1, 2, 5, 10) if factor * step >= number)


def _said(number: int | float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:,.6g}"


# Few values, and forms ----------------------------------------------------------------------------------------------------


def _is_of_few(seen: Seen) -> bool:
    return not seen.tally.values.texts.many and len(seen.tally.values.texts.values) <= FEW


def _few(seen: Seen) -> Iterator[Rule]:
    """An enumeration, never of what may name a person, an address or an account, or looks like a secret."""
    texts = seen.tally.values.texts
    if (
        set(seen.tally.values.types) - {"string"}
        or not texts.values
        or words_in(seen.name) & _SOMEBODY
        or is_receiver(seen.name, seen.declared)
    ):
        return
    named = frozenset(words_in(seen.name))
    for text, support in texts.values.items():
        harmless = len(text) <= 24 and _WORD_VALUE.fullmatch(text) and not party(text, named) and not secret_in(f"{seen.name}: {text}")
        if not harmless or support.sessions < SEVERAL:
            return
    yield Rule(
        {"enum": sorted(texts.values)}, (f"no other value than {'this' if len(texts.values) == 1 else f'these {len(texts.values)}'}",)
    )


def _form(seen: Seen) -> Iterator[Rule]:
    """A pattern of what all texts share, where that says something: a domain, a host, the head of an id, groups of digits."""
    texts = seen.tally.values.texts
    if "string" not in {*seen.tally.values.types, *seen.tally.values.items} or (len(texts.values) < DIFFERENT and not texts.many):
        return
    if set(seen.tally.values.types) - {"string", "array", "null"} or set(seen.tally.values.items) - {"string"}:
        return
    found = _pattern(texts)
    if found is None or secret_in(found[0]) or secret_in(f"{texts.prefix}") or secret_in(f"{texts.suffix}"):
        return
    pattern, why = found
    if set(seen.tally.values.types) == {"array"}:
        yield Rule({"type": "array", "items": {"type": "string", "pattern": pattern}}, (why,))
    else:
        yield Rule({"pattern": pattern}, (why,))


def _pattern(texts: Texts) -> tuple[str, str] | None:
    prefix, suffix = texts.prefix or "", texts.suffix or ""
    domain = suffix[suffix.rfind("@") :] if "@" in suffix else ""
    if _DOMAIN.fullmatch(domain):
        return rf"[^@\s]+{_literal(domain)}", f"all of {domain}"
    if host := _HOST.match(prefix):
        return rf"{_literal(host[0])}[^\s]*", f"all below {host[0]}"
    if texts.shapeless or not texts.shapes:
        return None
    head = prefix.rstrip("0123456789")
    if _HEAD_OF_AN_ID.fullmatch(head) and all(re.fullmatch("9{1,18}", form[len(head) :]) for form in texts.shapes):
        return f"{_literal(head)}[0-9]+", f"all of {head} and digits"
    if len(texts.shapes) == 1 and _GROUPS.fullmatch(form := next(iter(texts.shapes))):
        return re.sub(
            "9+", lambda run: f"[0-9]{{{len(run[0])}}}", _literal(form)
        ), f"all of the form {form.replace('9', '#')}, each # a digit"
    return None


def _literal(text: str) -> str:
    return _META.sub(r"\\\g<0>", text)


# Origins ------------------------------------------------------------------------------------------------------------------


def _origin(seen: Seen) -> Iterator[Rule]:
    """The fewest words that cover every leaf, and never more than the manifest allows."""
    if not seen.tally.grounds or seen.says("content") or "boolean" in seen.tally.values.types:
        return
    needed = needed_words(seen.tally)
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
    yield Rule({"origin": list(needed)}, (f"from {counts}",))


def _may_narrow(rule: Argument) -> bool:
    """Where a person decides, or a source is endorsed by name, or parts have rules of their own, the words seen do not tell enough."""
    if rule.items is not None or rule.properties is not None:
        return False
    return rule.origin is None or not (rule.origin.ask or rule.origin.otherwise == "ask" or rule.origin.endorsements)


def needed_words(tally: ArgumentTally) -> tuple[OriginWord, ...] | None:
    """The words of an `origin:` that every leaf passes, the most trusted first; None where no words do."""
    for number in range(1, len(_ORDER) + 1):
        words = _ORDER[:number]
        if all(any(_covers(word, ground) for word in words) for ground in tally.grounds):
            return tuple(word for at, word in enumerate(words) if any(_first(words, ground) == at for ground in tally.grounds))
    return None


def _first(words: Sequence[OriginWord], ground: frozenset[str]) -> int:
    return next(at for at, word in enumerate(words) if _covers(word, ground))


def _covers(word: OriginWord, ground: frozenset[str]) -> bool:
    """Whether a leaf of these sources surely has this origin: what strangers held as well may be theirs."""
    strangers = {"trusted": {"counterpart", "untrusted", "unseen"}, "counterpart": {"untrusted", "unseen"}}.get(word, set())
    return word in ground and not strangers & ground


def _sessions(tally: ArgumentTally, word: str) -> int:
    return max((support.sessions for ground, support in tally.grounds.items() if word in ground), default=0)


def calls_at_most(tool: ToolTally) -> int | None:
    """How often a tool may be called in one task, with head room of half as much again; None where too few sessions used it."""
    return with_head_room(tool.most) if tool.support.sessions >= ENOUGH and 0 < tool.most < 500 else None


def with_head_room(number: int) -> int:
    """Half as much again, and at least one more."""
    return number + max(1, math.ceil(number / 2))
