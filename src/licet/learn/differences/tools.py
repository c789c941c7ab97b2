"""What two manifests say of the tools themselves: what they do, whose choice their outputs are, how they are told apart."""

from __future__ import annotations

from collections.abc import Iterator

from licet.learn.differences.arguments import Around, rules
from licet.learn.differences.found import At, Difference, both, shown
from licet.learn.differences.overlaps import Crowded, overlaps, shown_leaf
from licet.manifest.arguments import Argument
from licet.manifest.choices import origins_in
from licet.manifest.labels import FieldPath, Label, LeafPath, OriginTerm, OutputLabels, field_path
from licet.manifest.models import Manifest, Tool
from licet.manifest.rules import arguments_of

_LABELS: dict[Label, int] = {"untrusted": 0, "counterpart": 1, "trusted": 2}
_ACCESS = {"admin": 0, "write": 1, None: 1, "read": 2}  # by how little is checked; what is not said is judged as a write
_TEXTS = ("description", "durable", "record")


def tools(old: Manifest, new: Manifest) -> Iterator[Difference]:
    """Every tool of both. What is declared and granted nowhere can do nothing: of that the grants tell."""
    ranked = _ranks(old, new)
    for name in both(old.tools, new.tools):
        at, before, after = At(("tools", name), tool=name), old.tools.get(name), new.tools.get(name)
        if before is None or after is None:
            what = "is declared" if before is None else "is no longer declared"
            yield at.changed(f"{shown(name)} {what}; without a grant nobody may use it", decides=False)
            continue
        yield from _effects(at, name, before, after)
        yield from _labels(at, name, before, after, ranked=ranked)
        yield from _identity(at, name, (before, old), (after, new))
        yield from _known(at, name, old, new)
        around = Around(any(tool.writes or tool.leaves for tool in (before, after)))
        yield from rules(at.under("arguments"), name, before.arguments, after.arguments, around)


def _effects(at: At, name: str, old: Tool, new: Tool) -> Iterator[Difference]:
    if (old.access, new.access) in ((None, "write"), ("write", None)):
        yield from at.under("access").told(old.access, new.access, f"access of {shown(name)}")
    else:
        sentence = f"{shown(name)} has {new.access or 'write'} access, was {old.access or 'write'}: {{}} is checked"
        less = "less" if _ACCESS[new.access] > _ACCESS[old.access] else "more"
        yield from at.under("access").weighed(_ACCESS[old.access], _ACCESS[new.access], sentence.format(less))
    said = "is judged to leave our control" if new.leaves else "is no longer judged to leave our control"
    yield from at.under("egress").weighed(not old.leaves, not new.leaves, f"what goes into {shown(name)} {said}")
    if old.leaves == new.leaves:
        yield from at.under("egress").told(old.egress, new.egress, f"egress of {shown(name)}")
    dropped = new.unknown_arguments == "drop"
    sentence = f"a call of {shown(name)} with an unknown argument {'goes on without it' if dropped else 'is refused'}"
    yield from at.under("unknown_arguments").weighed(old.unknown_arguments == "drop", dropped, sentence)


def _ranks(old: Manifest, new: Manifest) -> bool:
    """Whether trusted is more than counterpart everywhere: no rule lets a counterpart's value pass and a trusted one not."""
    for manifest in (old, new):
        tables = [tool.arguments for tool in manifest.tools.values()]
        tables += [grant.arguments for task in manifest.tasks.values() for grant in task.tools.values()]
        said: list[tuple[OriginTerm, ...]] = [terms for table in tables for rule in table.values() for terms in _terms(rule)]
        said += [flow.unless.destination for flow in manifest.flows if flow.unless is not None]
        if any("counterpart" in terms and "trusted" not in terms for terms in said):
            return False
    return True


def _terms(rule: Argument) -> Iterator[tuple[OriginTerm, ...]]:
    for found in origins_in(rule):
        yield found.allowed
        yield found.terms


def _labels(at: At, name: str, old: Tool, new: Tool, *, ranked: bool) -> Iterator[Difference]:
    yield from _label(at.under("output"), f"the output of {shown(name)}", old.output, new.output, ranked=ranked)
    before, after = (OutputLabels.of(tool.output, tool.fields) for tool in (old, new))
    told: list[tuple[LeafPath, Label, Label]] = []
    for path in both(old.fields, new.fields):
        place, leaf = at.under("fields", path), _leaf(path)
        was, now = (tool.fields.get(path, labels.label(leaf)) for tool, labels in ((old, before), (new, after)))
        told.append((leaf, was, now))
        yield from _label(place, f"{shown(path)} of what {shown(name)} returns", was, now, ranked=ranked)
    if old.fields != new.fields:
        yield from _overlapping(at.under("fields"), name, (before, after), told, ranked=ranked)
    yield from at.under("format").other(old.format, new.format, f"the form of what {shown(name)} returns")
    for said in both(old.reveals or (), new.reveals or ()):
        hid, hides = (said not in (tool.reveals or ()) for tool in (old, new))
        sentence = f"{shown(name)} is {'no longer ' if hides else ''}said to reveal {shown(said)}"
        yield from at.under("reveals").weighed(hid, hides, sentence)
    if old.store != new.store:
        place = at.under("store")
        if old.store is None:
            yield place.narrowed(f"what is written into {shown(new.store)} keeps its origin when {shown(name)} reads it")
        elif new.store is None:
            yield place.widened(f"what was written into {shown(old.store)} is no longer known when {shown(name)} reads it")
        else:
            yield from place.other(old.store, new.store, f"the store of {shown(name)}")


def _overlapping(
    at: At, name: str, labels: tuple[OutputLabels, OutputLabels], told: list[tuple[LeafPath, Label, Label]], *, ranked: bool
) -> Iterator[Difference]:
    """Of several paths that name one leaf another one may decide now, which none of them shows by itself."""
    paths = [path for side in labels for path, _ in side.paths]
    try:
        leaves = overlaps(path.parts for path in paths if path.parts is not None)
    except Crowded:
        yield at.changed(f"more of the paths of what {shown(name)} returns overlap than are compared; look at each")
        return
    for leaf in leaves:
        was, now = (side.label(leaf) for side in labels)
        if was != now and not any(
            (before, after) == (was, now) and FieldPath("", path).matches(leaf) for path, before, after in told if path
        ):
            written = shown_leaf(leaf)
            yield from _label(at.under(written), f"{shown(written)} of what {shown(name)} returns", was, now, ranked=ranked)


def _label(at: At, what: str, old: Label, new: Label, *, ranked: bool) -> Iterator[Difference]:
    sentence = f"{what} is {new}, was {old}"
    if "untrusted" not in (old, new) and old != new and not ranked:
        yield at.changed(f"{sentence}; some rules let only the one pass, and some only the other")
    else:
        yield from at.weighed(_LABELS[old], _LABELS[new], sentence)


def _leaf(path: str) -> LeafPath:
    return field_path(path).parts or ()


def _identity(at: At, name: str, was: tuple[Tool, Manifest], now: tuple[Tool, Manifest]) -> Iterator[Difference]:
    (old, before), (new, after) = was, now
    who = shown(name)
    yield from at.under("environment").other(before.environment_of(old), after.environment_of(new), f"the environment of {who}")
    if old.credential != new.credential:
        place = at.under("credential")
        if old.credential is None:
            yield place.narrowed(f"{who} works only while {shown(new.credential)} is fit to be used")
        elif new.credential is None:
            yield place.widened(f"{who} no longer needs a credential that is fit to be used")
        else:
            yield from place.other(old.credential, new.credential, f"the credential of {who}")
    if old.definition != new.definition:
        place = at.under("definition")
        if old.definition is None:
            yield place.narrowed(f"the definition of {who} is pinned")
        elif new.definition is None:
            yield place.widened(f"the definition of {who} is no longer pinned")
        else:
            yield place.changed(f"another definition of {who} is pinned")
    for word in ("audience", "token", "envelope"):
        yield from at.under(word).other(getattr(old, word), getattr(new, word), f"`{word}` of {who}")
    for word in _TEXTS:
        yield from at.under(word).told(getattr(old, word), getattr(new, word), f"`{word}` of {who}")


def _known(at: At, name: str, old: Manifest, new: Manifest) -> Iterator[Difference]:
    """Where a tool's own signature is not seen, it takes the arguments that some part of the manifest names, in every task kind."""
    before, after = arguments_of(old, name), arguments_of(new, name)
    for argument in both(before, after):
        if (argument in before) != (argument in after):
            known = "known" if argument in after else "no longer known"
            sentence = f"{shown(argument)} of {shown(name)} is {known}: without the tool's signature, calls with it "
            yield at.under("arguments", argument).changed(sentence + ("were refused" if argument in after else "are refused"))
