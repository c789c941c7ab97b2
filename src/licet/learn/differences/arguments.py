"""What two manifests say of one argument at one place: its values, where they come from, and what it is for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from licet.learn.differences.found import At, Difference, both, shown
from licet.learn.differences.values import is_open, values
from licet.manifest.arguments import Argument
from licet.manifest.labels import DEFAULT, ITEM, LeafPath, OriginRule, OriginTerm

_NOTHING = Argument()
_LETS_PASS = {"deny": 0, "ask": 1, "allow": 2}


@dataclass(frozen=True, slots=True)
class Around:
    """What holds beside the rules that are compared.

    `leaves`: in one of the manifests the tool writes or data leaves through it, so that what names a party must come from the intent or
    trust where nothing else is said. `lifted`: the arguments of which another layer says where they come from, in both manifests.
    """

    leaves: bool
    lifted: frozenset[str] = frozenset()


def rules(at: At, tool: str, old: Mapping[str, Argument], new: Mapping[str, Argument], around: Around) -> Iterator[Difference]:
    """What the rules for a tool's arguments, in one layer, let pass more or less."""
    for name in both(old, new):
        yield from _rule(
            at.under(name), f"{shown(name)} of {shown(tool)}", old.get(name), new.get(name), around, lifted=name in around.lifted
        )


def lifting(rules_of: Mapping[str, Argument]) -> frozenset[str]:
    """The arguments of which these rules say where they come from, whole, or that they are free text."""
    return frozenset(name for name, rule in rules_of.items() if rule.origin is not None or rule.content)


def _rule(at: At, subject: str, old: Argument | None, new: Argument | None, around: Around, *, lifted: bool) -> Iterator[Difference]:
    before, after = old or _NOTHING, new or _NOTHING
    found = [
        *values(at, subject, before, after),
        *_named_keys(at, subject, before, after),
        *at.under("required").weighed(
            not before.required, not after.required, f"{subject} is {'' if after.required else 'no longer '}required"
        ),
        *_opaque(at, subject, before, after),
        *_content(at, subject, before, after, around),
        *_origins(at, subject, before, after, around, lifted=lifted),
        *at.under("destination").other(before.destination, after.destination, f"whether {subject} names who receives"),
        *at.under("description").told(before.description, after.description, f"the description of {subject}"),
    ]
    yield from found
    ways = {each.way for each in found}
    # What is named is looked for in the tool's signature, whatever is said of it.
    if new is None and old is not None and "widened" not in ways:
        yield at.widened(f"{subject} is no longer named")
    if old is None and new is not None and "narrowed" not in ways:
        yield at.narrowed(f"{subject} is named")


def _opaque(at: At, subject: str, old: Argument, new: Argument) -> Iterator[Difference]:
    if old.opaque != new.opaque:
        yield at.under("opaque").changed(f"{subject} is {'not ' if new.opaque else ''}looked into")


def _named_keys(at: At, subject: str, old: Argument, new: Argument) -> Iterator[Difference]:
    """A key that the manifest names is nobody's choice: whoever says it, its origin is not asked for, in whatever layer a rule stands."""
    before, after = dict(_keys_named(old, ())), dict(_keys_named(new, ()))
    for path in dict.fromkeys([*after, *before]):
        place = at.under(*_keys(path))
        part = "".join(each if each == ITEM else f".{each}" for each in path).removeprefix(".")
        if path not in before and _may_hold(old, path):
            yield place.widened(f"{shown(part)} may be a key of {subject} whoever says it")
        elif path not in after and _may_hold(new, path):
            yield place.narrowed(f"{shown(part)} may no longer be a key of {subject} whoever says it")


def _keys_named(rule: Argument, path: LeafPath) -> Iterator[tuple[LeafPath, None]]:
    for name, inner in (rule.properties or {}).items():
        yield (*path, name), None
        yield from _keys_named(inner, (*path, name))
    if rule.items is not None:
        yield from _keys_named(rule.items, (*path, ITEM))


def _may_hold(rule: Argument, path: LeafPath) -> bool:
    """Whether the rule lets a key pass that it does not name. Where it does not, naming the key is told as that (`values`)."""
    for part in path:
        if part == ITEM:
            rule = rule.items or _NOTHING
        elif part in (rule.properties or {}):
            rule = (rule.properties or {})[part]
        else:
            return is_open(rule)
    return False


def _content(at: At, subject: str, old: Argument, new: Argument, around: Around) -> Iterator[Difference]:
    if old.content == new.content:
        return
    sentence = f"{subject} is {'' if new.content else 'no longer '}free text, whose origin is {'not ' if new.content else ''}required"
    place = at.under("content")
    if around.leaves:
        yield from place.weighed(old.content, new.content, sentence)
    else:  # of a tool that neither writes nor lets data leave no origin is required anyway
        yield place.changed(sentence, decides=False)


def _origins(at: At, subject: str, old: Argument, new: Argument, around: Around, *, lifted: bool) -> Iterator[Difference]:
    before, after = dict(_sourced(old, ())), dict(_sourced(new, ()))
    for path in dict.fromkeys([*after, *before]):
        part = "".join(each if each == ITEM else f".{each}" for each in path)
        yield from _origin(
            at.under(*_keys(path), "origin"),
            f"{subject}{f' ({part})' if part else ''}",
            before.get(path),
            after.get(path),
            # A rule of the whole argument speaks of each part of it, so that a part's own rule lifts no default.
            lifted=lifted or not around.leaves or (path != () and () in before and () in after),
        )


def _sourced(rule: Argument, path: LeafPath) -> Iterator[tuple[LeafPath, OriginRule]]:
    if rule.origin is not None:
        yield path, rule.origin
    for name, inner in (rule.properties or {}).items():
        yield from _sourced(inner, (*path, name))
    if rule.items is not None:
        yield from _sourced(rule.items, (*path, ITEM))


def _keys(path: LeafPath) -> Iterator[str]:
    for part in path:
        yield from ("items",) if part == ITEM else ("properties", part)


def _origin(at: At, subject: str, old: OriginRule | None, new: OriginRule | None, *, lifted: bool) -> Iterator[Difference]:
    """One rule of origin. Where none stands, and no other layer speaks, the default holds for what names a party, and only for that."""
    if old is not None and new is not None:
        yield from _terms(at, subject, old, new)
    elif new is not None:
        yield at.narrowed(f"{subject} must come from {new}")
        if not lifted:
            yield from (each for each in _terms(at, f"{subject}, where it names a party,", DEFAULT, new) if each.way == "widened")
    elif old is not None:
        yield at.widened(f"{subject} need no longer come from {old}")
        if not lifted:
            yield from (each for each in _terms(at, f"{subject}, where it names a party,", old, DEFAULT) if each.way == "narrowed")


def _terms(at: At, subject: str, old: OriginRule, new: OriginRule) -> Iterator[Difference]:
    for term in dict.fromkeys([*new.terms, *old.terms]):
        before, after = _effect(old, term), _effect(new, term)
        said = {"deny": "may no longer come from", "ask": "may come, with a person's yes, from", "allow": "may come from"}[after]
        yield from at.weighed(_LETS_PASS[before], _LETS_PASS[after], f"{subject} {said} {shown(term)}")
    sentence = f"{subject} from elsewhere is {'denied' if new.otherwise == 'deny' else 'a question to a person'}"
    yield from at.weighed(_LETS_PASS[old.otherwise], _LETS_PASS[new.otherwise], sentence)


def _effect(rule: OriginRule, term: OriginTerm) -> str:
    # Endorsements are equal by what they say; of one source that stands in both lists, what is allowed freely counts.
    return "allow" if term in rule.allowed else "ask" if term in rule.ask else rule.otherwise
