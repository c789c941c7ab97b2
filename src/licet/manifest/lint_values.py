"""What `licet check` says of labels and origins: what is missing so that they can hold, and what gives more than it seems.

Nothing here forbids anything; each message says what to write, and a manifest in which everything was thought of gets none.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from licet.escape import visible
from licet.manifest.arguments import Argument
from licet.manifest.choices import is_receiver, limit_of, origins_in, types_of
from licet.manifest.laundering import Laundering, launderings
from licet.manifest.models import Manifest, TaskKind, Tool
from licet.manifest.rules import Rule, arguments_of, is_lowered, origins
from licet.manifest.yaml_reader import Path

_NAMED = 6  # of a list of names, how many a message repeats
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PARTIES = frozenset(
    {"account", "address", "addressee", "attendee", "bcc", "beneficiary", "cc", "channel", "contact", "destination", "domain", "email",
     "endpoint", "guest", "host", "iban", "invitee", "link", "member", "owner", "participant", "path", "payee", "phone", "receiver",
     "recipient", "target", "to", "uri", "url", "user", "username", "webhook", "website"}
)  # fmt: skip


def origin_lints(manifest: Manifest) -> list[Rule]:
    """Everything that is missing or doubtful in labels, origins and stores."""
    return [
        *_laundering(manifest),
        *_unlabelled(manifest),
        *_without_origin(manifest),
        *_without_receiver(manifest),
        *_unrevealed(manifest),
        *_cannot_hold(manifest),
        *_made_up(manifest),
        *_stores(manifest),
        *_lowered(manifest),
    ]


def warn(path: Path, message: str, fix: str, code: str) -> Rule:
    """A warning."""
    return Rule(path, message, fix, "warning", code)


def names(found: Iterable[str]) -> str:
    """A list of names for a sentence."""
    listed = list(found)
    shown = ", ".join(f"`{visible(name, 60)}`" for name in listed[:_NAMED])
    return f"{shown} and {len(listed) - _NAMED} more" if len(listed) > _NAMED else shown


def says_nothing(rules: Iterable[Argument]) -> bool:
    """Whether none of the rules speaks of where values come from or go to."""
    return not any(rule.content or rule.destination is not None or any(True for _ in origins_in(rule)) for rule in rules)


def _laundering(manifest: Manifest) -> Iterator[Rule]:
    found: dict[str, list[Laundering]] = {}
    for each in launderings(manifest, states=("open",)):
        lacking = each.reader if manifest.tools[each.reader].store is None else each.writer
        found.setdefault(lacking, []).append(each)
    for lacking, paths in found.items():
        first = paths[0]
        others = names(dict.fromkeys(each.reader if lacking == each.writer else each.writer for each in paths))
        if lacking == first.reader:
            why = f"what {others} may write could come back as {names(first.paths)}, which is labelled trusted ({first.why})"
        else:
            why = f"what it writes could come back from {others} in fields that are labelled trusted ({first.why})"
        fix = (
            f"name the place on both, with one `store:` (what was written there without being trusted is then remembered, and stays "
            f"untrusted); two different stores say that they are different places; `{first.taker}` takes what is trusted as `{first.taken}`"
        )
        yield Rule(("tools", lacking), why, fix, code="laundering")


def _unlabelled(manifest: Manifest) -> Iterator[Rule]:
    named = {term.tool for _, _, rule in origins(manifest) for term in rule.endorsements}
    for name, tool in manifest.tools.items():
        if tool.writes or name in named or tool.model_fields_set & {"output", "fields", "reveals"}:
            continue
        needing = next((taker for task in manifest.tasks.values() if name in task.tools for taker in _needing(manifest, task)), None)
        if needing:
            why = f"all that it returns counts as anybody's, and `{needing}` takes only what is trusted"
            fix = "name the `fields:` that your own systems choose (`fields: {id: trusted}`), or say `output: untrusted`"
            yield warn(("tools", name), why, fix, "unlabelled")


def _needing(manifest: Manifest, task: TaskKind) -> Iterator[str]:
    """The granted tools of which some argument takes trusted values, and not any."""
    for name, grant in task.tools.items():
        rules = (*manifest.tools[name].arguments.values(), *grant.arguments.values())
        found = [origin for rule in rules for origin in origins_in(rule)]
        if (manifest.tools[name].writes or manifest.tools[name].leaves) and any("trusted" in origin.terms for origin in found):
            yield name


def _without_origin(manifest: Manifest) -> Iterator[Rule]:
    for name, tool in manifest.tools.items():
        if not (tool.writes or tool.leaves):
            continue
        rules: dict[str, list[Argument]] = {}
        for argument, rule in _rules(manifest, name):
            rules.setdefault(argument, []).append(rule)
        silent = {argument: found for argument, found in rules.items() if says_nothing(found)}
        free = [argument for argument, found in silent.items() if not any(limit_of(rule) or rule.opaque for rule in found)]
        parties = [argument for argument in free if _is_party(argument, rules[argument])]
        if parties:
            why = f"nothing says where {names(parties)} must come from"
            fix = f"say it: `{parties[0]}: {{origin: [intent, trusted]}}`; `content: true` if it is free text"
            yield warn(("tools", name), why, fix, "no-origin")
        elif free and len(silent) == len(rules):
            why = f"the agent may put anything into {names(free)}"
            fix = "say `origin: [intent, trusted]` of what identifies the thing that is changed, and `content: true` of free text"
            yield warn(("tools", name), why, fix, "no-origin")


def _is_party(name: str, rules: Iterable[Argument]) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    named = any(word in _PARTIES or word.removesuffix("s") in _PARTIES for word in words)
    return named or any(rule.format in ("email", "uri", "hostname") for rule in rules)


def _rules(manifest: Manifest, tool: str) -> Iterator[tuple[str, Argument]]:
    """Every rule for an argument of the tool, its own and those of grants."""
    yield from manifest.tools[tool].arguments.items()
    for task in manifest.tasks.values():
        if tool in task.tools:
            yield from task.tools[tool].arguments.items()


def _without_receiver(manifest: Manifest) -> Iterator[Rule]:
    for name, tool in manifest.tools.items():
        if not tool.leaves or tool.audience is not None:
            continue
        granting = [task for task in manifest.tasks.values() if name in task.tools]
        labels = sorted({label for task in granting for other in task.tools for label in manifest.tools[other].reveals or ()})
        if labels and not any(_receives(manifest, name, argument) for argument in arguments_of(manifest, name)):
            why = f"no argument of it names who receives, so that it is refused once {names(labels)} was revealed to the task"
            fix = "mark the argument that names the receiver `destination: true`; if it is always one service, name it as `audience:`"
            yield warn(("tools", name), why, fix, "no-receiver")


def _receives(manifest: Manifest, tool: str, argument: str) -> bool:
    return is_receiver(argument, [rule for name, rule in _rules(manifest, tool) if name == argument])


def _unrevealed(manifest: Manifest) -> Iterator[Rule]:
    for kind, task in manifest.tasks.items():
        silent = [name for name in task.tools if not manifest.tools[name].writes and manifest.tools[name].reveals is None]
        for name, grant in task.tools.items():
            tool = manifest.tools[name]
            layers = [*tool.arguments.values(), *grant.arguments.values()]
            if silent and tool.leaves and any("counterpart" in origin.allowed for rule in layers for origin in origins_in(rule)):
                why = f"a stranger may receive by `{name}`, and nothing says what {names(silent)} would reveal to him"
                fix = (
                    "say `reveals: [customer-data]` of a tool that shows what is not for everybody, and `reveals: []` of one that does not"
                )
                yield warn(("tasks", kind, "tools", name), why, fix, "unrevealed")
                break


def _cannot_hold(manifest: Manifest) -> Iterator[Rule]:
    for name, tool in manifest.tools.items():
        dead = [path for path in tool.fields if path != "$"]
        if tool.format == "text" and dead:
            why = f"text has no fields, so that {names(dead)} can never hold"
            yield warn(("tools", name, "fields"), why, "say `format: json` or `yaml` if it is one document, or label `$`", "fields-of-text")
    for path, rule in _by_path(manifest):
        origin = rule.origin
        if origin is not None and types_of(rule) == {"boolean"} and "nowhere" not in origin.terms and origin.otherwise == "deny":
            why = "true and false have no origin, so that every call with this argument is refused"
            yield warn((*path, "origin"), why, "limit it with `const`, or take `origin` out", "origin-never")


def _by_path(manifest: Manifest) -> Iterator[tuple[Path, Argument]]:
    def inner(path: Path, rule: Argument) -> Iterator[tuple[Path, Argument]]:
        yield path, rule
        if rule.items is not None:
            yield from inner((*path, "items"), rule.items)
        for name, found in (rule.properties or {}).items():
            yield from inner((*path, "properties", name), found)

    for name, tool in manifest.tools.items():
        for argument, rule in tool.arguments.items():
            yield from inner(("tools", name, "arguments", argument), rule)
    for kind, task in manifest.tasks.items():
        for name, grant in task.tools.items():
            for argument, rule in grant.arguments.items():
                yield from inner(("tasks", kind, "tools", name, "arguments", argument), rule)


def _made_up(manifest: Manifest) -> Iterator[Rule]:
    for path, name, rule in origins(manifest):
        tool = manifest.tools[name] if name in manifest.tools else Tool()
        # A name for a new file may well be made up; whom it goes to may not.
        if "nowhere" in rule.allowed and _is_party(str(path[-2]), []) and (tool.writes or tool.leaves):
            why = "with `nowhere` the model may make up who receives, and so may whoever has turned it"
            fix = "take `nowhere` out, or write it under `ask:`"
            yield warn(path, why, fix, "from-nowhere")


def _stores(manifest: Manifest) -> Iterator[Rule]:
    stores: dict[str, list[str]] = {}
    for name, tool in manifest.tools.items():
        if tool.store is not None:
            stores.setdefault(tool.store, []).append(name)
    for store, tools in stores.items():
        # A place that one tool alone uses may well be so; one that is almost called like another is a slip of the pen.
        close = difflib.get_close_matches(store, [other for other in stores if other != store], n=1, cutoff=0.8)
        if len(tools) == 1 and close:
            why = f"no other tool names `{store}`, and there is a store `{close[0]}`"
            yield warn(("tools", tools[0], "store"), why, f"did you mean `{close[0]}`?", "store-alone")


def _lowered(manifest: Manifest) -> Iterator[Rule]:
    places: list[tuple[Path, Manifest | TaskKind]] = [(("checks",), manifest)]
    places += [(("tasks", kind, "checks"), task) for kind, task in manifest.tasks.items()]
    for path, where in places:
        for check, settings in where.checks.items():
            if settings.then is not None and is_lowered(check, settings.then):
                what = "asks a person" if settings.then == "ask" else "only notes what it finds"
                yield warn((*path, check, "then"), f"this check now {what}", "take `then` out as soon as the work allows it", "lowered")
