"""What must hold across a manifest and no single model can see: names refer to something, nothing is empty, nothing grants everything."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from licet.catalogue import ALWAYS_ENFORCED, CHECKS
from licet.manifest.models import START, Manifest, Moded, TaskKind, end_of
from licet.manifest.yaml_reader import Path

MAX_OBSERVE_DAYS = 30
DAY = 86_400
_NAMED = 12  # of a list of names, how many a message repeats


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that does not hold, and where."""

    path: Path
    message: str
    fix: str
    severity: Literal["error", "warning"] = "error"
    code: str = "rule"


def broken_rules(manifest: Manifest, now: float) -> list[Rule]:
    """All errors. `now`, in seconds since the epoch, bounds `observe`."""
    wildcards = list(_wildcards(manifest))
    told = {rule.path for rule in wildcards}
    others = [*_empties(manifest), *_references(manifest), *_task_kinds(manifest), *_modes(manifest, now)]
    # A wildcard is no known name either; once is enough.
    return [*wildcards, *(rule for rule in others if not (rule.code == "reference" and rule.path in told))]


def _wildcards(manifest: Manifest) -> Iterator[Rule]:
    named: list[tuple[Path, str]] = []
    for kind, task in manifest.tasks.items():
        named += [(("tasks", kind, "tools", tool), tool) for tool in task.tools]
        named += [(("tasks", kind, "budgets", i, "of"), of) for i, b in enumerate(task.budgets) for of in b.of]
    for name, agent in manifest.agents.items():
        named += [(("agents", name, "tasks", i), task) for i, task in enumerate(agent.tasks)]
        named += [(("agents", name, "may_delegate_to", i), other) for i, other in enumerate(agent.may_delegate_to)]
    named += [(("edges", i), end) for i, pair in enumerate(manifest.edges) for end in pair]
    for path, text in named:
        if any(mark in text for mark in "*?[") or (text in ("all", "any") and not _declared(manifest, text)):
            yield Rule(path, f"`{text}` would grant everything", "name each one", code="wildcard")


def _declared(manifest: Manifest, name: str) -> bool:
    return name in manifest.tools or name in manifest.tasks or name in manifest.agents


def _empties(manifest: Manifest) -> Iterator[Rule]:
    for section in ("agents", "tools", "tasks"):
        if not getattr(manifest, section):
            yield Rule((section,), "nothing is declared here", f"declare at least one of {section}", code="empty")
    for name, agent in manifest.agents.items():
        if not agent.tasks:
            yield Rule(("agents", name), "this agent may do nothing", "list its task kinds under `tasks:`", code="empty")
    for kind, task in manifest.tasks.items():
        if not task.tools:
            yield Rule(("tasks", kind, "tools"), "an empty scope", "grant the tools that this work needs", code="empty")
        if task.chain is not None and not task.chain:
            yield Rule(("tasks", kind, "chain"), "a chain without edges refuses every call", "add edges", code="empty")


def _references(manifest: Manifest) -> Iterator[Rule]:
    for section, things in (("agents", manifest.agents), ("credentials", manifest.credentials)):
        for name, thing in things.items():
            owner = getattr(thing, "owner", None)
            if owner is not None:
                yield from _known((section, name, "owner"), owner, manifest.owners, "owners")
    for name, tool in manifest.tools.items():
        if tool.credential is not None:
            yield from _known(("tools", name, "credential"), tool.credential, manifest.credentials, "credentials")
    for name, agent in manifest.agents.items():
        for index, task in enumerate(agent.tasks):
            yield from _known(("agents", name, "tasks", index), task, manifest.tasks, "tasks")
        for index, other in enumerate(agent.may_delegate_to):
            yield from _known(("agents", name, "may_delegate_to", index), other, manifest.agents, "agents")
    environments = {
        *map(manifest.environment_of, manifest.agents.values()),
        *map(manifest.environment_of, manifest.tools.values()),
        *map(manifest.environment_of, manifest.credentials.values()),
    }
    for index, pair in enumerate(manifest.edges):
        for end in pair:
            yield from _known(("edges", index), end, environments, "environments in use")
    for check, settings in manifest.checks.items():
        yield from _known(("checks", check), check, CHECKS, "check ids")
        if check in ALWAYS_ENFORCED and settings.mode == "observe":
            yield Rule(("checks", check), "this check is always enforced", "take it out", code="observe")


def _task_kinds(manifest: Manifest) -> Iterator[Rule]:
    for kind, task in manifest.tasks.items():
        for tool, grant in task.tools.items():
            yield from _known(("tasks", kind, "tools", tool), tool, manifest.tools, "tools")
            declared = manifest.tools.get(tool)
            for name, rule in grant.arguments.items():
                if declared and name in declared.arguments and rule.opaque != declared.arguments[name].opaque:
                    why = "`opaque` is a fact of the tool"
                    yield Rule(("tasks", kind, "tools", tool, "arguments", name), why, "declare it under `tools:` only")
        yield from _budgets(("tasks", kind), task)
        yield from _chain(("tasks", kind, "chain"), task)


def _budgets(path: Path, task: TaskKind) -> Iterator[Rule]:
    for index, budget in enumerate(task.budgets):
        if not budget.of:
            yield Rule((*path, "budgets", index), "this budget counts no tool", "name tools in `of:`", code="empty")
        for tool in budget.of:
            yield from _known((*path, "budgets", index, "of"), tool, task.tools, "tools of this task kind")


def _chain(path: Path, task: TaskKind) -> Iterator[Rule]:
    for index, (source, target) in enumerate(task.chain or ()):
        if target == START:
            yield Rule((*path, index), "`start` is where a task begins; nothing leads to it", "turn the edge round")
        for end in {source, target} - {START}:
            yield from _known((*path, index), end, task.tools, "tools of this task kind")


def _modes(manifest: Manifest, now: float) -> Iterator[Rule]:
    for path, moded in moded_parts(manifest):
        if moded.until is not None and end_of(moded.until) - now > (MAX_OBSERVE_DAYS + 1) * DAY:
            yield Rule((*path, "until"), f"more than {MAX_OBSERVE_DAYS} days ahead", "choose a nearer date", code="observe")


def moded_parts(manifest: Manifest) -> Iterator[tuple[Path, Moded]]:
    """Everything in a manifest that has a mode, with its path."""
    yield (), manifest
    for kind, task in manifest.tasks.items():
        yield ("tasks", kind), task
    for check, settings in manifest.checks.items():
        yield ("checks", check), settings


def _known(path: Path, name: str, known: Iterable[str], where: str) -> Iterator[Rule]:
    names = sorted(known)
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        if close:
            fix = f"did you mean `{close[0]}`?"
        elif names:
            fix = f"declared: {', '.join(names[:_NAMED])}{', …' if len(names) > _NAMED else ''}"
        else:
            fix = f"declare it under `{where}:`"
        yield Rule(path, f"`{name}` is not among the {where}", fix, code="reference")
