"""What `licet check` says beyond what loading demands.

Errors stop the check but not the guard, which then judges on the safe side. Warnings are for a person to weigh.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path as FilePath

from licet.errors import Problem
from licet.manifest.lint_values import names, origin_lints, says_nothing, warn
from licet.manifest.loader import parse, place
from licet.manifest.models import NO_FILE, START, Credential, Manifest, TaskKind, Tool, end_of
from licet.manifest.rules import DAY, Rule, arguments_of, moded_parts
from licet.manifest.yaml_reader import Path

PRODUCTION = "prod"


def check(text: str, *, name: str, now: float) -> tuple[Manifest | None, list[Problem]]:
    """The manifest in `text`, if there is one, and every error and warning, in the order of the file."""
    manifest, document, problems = parse(text, name=name, now=now)
    if manifest is not None and not problems:  # the lints follow references, which must first be whole
        problems = place(lints(manifest, now), document, name)
    return manifest, sorted(problems, key=lambda problem: (problem.line, problem.column))


def lints(manifest: Manifest, now: float) -> list[Rule]:
    """Everything that is left out or doubtful in a manifest that loads. `now` is in seconds since the epoch."""
    return [
        *_undeclared(manifest),
        *_unowned(manifest),
        *_unused(manifest),
        *_unlimited(manifest),
        *chain.from_iterable(_credential(name, item, now) for name, item in manifest.credentials.items()),
        *_observing(manifest, now),
        *chain.from_iterable(_off_chain(kind, task) for kind, task in manifest.tasks.items()),
        *_powerful(manifest),
        *_key_files(manifest),
        *_recorded(manifest),
        *origin_lints(manifest),
    ]


def _undeclared(manifest: Manifest) -> Iterator[Rule]:
    for name, tool in manifest.tools.items():
        if tool.access is None:
            why = "`access` is left out, so that this tool is judged as `write`"
            yield Rule(("tools", name), why, "say `access: read`, `write` or `admin`", code="missing-access")
        if tool.egress is None:
            why = "`egress` is left out, so that this tool is judged as one through which data leaves"
            yield Rule(("tools", name), why, "say `egress: true` or `egress: false`", code="missing-egress")


def _unowned(manifest: Manifest) -> Iterator[Rule]:
    for name, agent in manifest.agents.items():
        if agent.owner is None:
            yield warn(("agents", name), "nobody owns this agent", "name an `owner:`", "unowned-agent")
    for name, credential in manifest.credentials.items():
        if credential.owner is None:
            refused = " (in `prod` its tools are refused)" if manifest.environment_of(credential) == PRODUCTION else ""
            yield warn(("credentials", name), f"nobody owns this credential{refused}", "name an `owner:`", "unowned-credential")


def _unused(manifest: Manifest) -> Iterator[Rule]:
    granted = {tool for task in manifest.tasks.values() for tool in task.tools}
    for name in manifest.tools:
        if name not in granted:
            fix = "grant it to the task kind that needs it, or take it out"
            yield warn(("tools", name), "no task kind grants this tool", fix, "never-granted")
    allowed = {kind for agent in manifest.agents.values() for kind in agent.tasks}
    for kind in manifest.tasks:
        if kind not in allowed:
            fix = "list it under the `tasks:` of an agent, or take it out"
            yield warn(("tasks", kind), "no agent may be used for this task kind", fix, "no-agent")


def _unlimited(manifest: Manifest) -> Iterator[Rule]:
    for kind, task in manifest.tasks.items():
        for name, grant in task.tools.items():
            tool = manifest.tools[name]
            rules = (*tool.arguments.values(), *grant.arguments.values())
            # What is said of no argument that is declared is told once, at the tool.
            if grant.at_most is not None or grant.ask:
                continue
            if tool.writes and not any(rule.limits() for rule in rules) and says_nothing(rules) and not arguments_of(manifest, name):
                why = f"a tool with `{tool.access or 'write'}` access is granted, and nothing limits its arguments"
                yield warn(("tasks", kind, "tools", name), why, "limit them under `arguments:`, here or under `tools:`", "unlimited")


def _credential(name: str, credential: Credential, now: float) -> Iterator[Rule]:
    path: Path = ("credentials", name)
    if credential.expires is not None and end_of(credential.expires) <= now:
        why = f"this credential expired on {credential.expires}, so that its tools are refused"
        yield warn((*path, "expires"), why, "renew it and its date", "expired")
    if credential.revoked is not None and end_of(credential.revoked) - DAY <= now:
        why = f"this credential was revoked on {credential.revoked}, so that its tools are refused"
        yield warn((*path, "revoked"), why, "give its tools another one", "revoked")
    if credential.rotate_every is None:
        return
    since = credential.rotated or credential.issued
    if since is None:
        why = "without `issued` or `rotated` nobody can tell when it is due"
        yield warn((*path, "rotate_every"), why, "add the date of the last rotation as `rotated:`", "rotation-unknown")
    elif end_of(since) + credential.rotate_every.total_seconds() <= now:
        why = f"this credential was last rotated on {since}, and its rotation is overdue"
        yield warn((*path, "rotate_every"), why, "rotate it and set `rotated:`", "stale")


def _observing(manifest: Manifest, now: float) -> Iterator[Rule]:
    for path, moded in moded_parts(manifest):
        if moded.until is not None and end_of(moded.until) <= now:
            why = f"`observe` ended with {moded.until}; since then this is enforced"
            yield warn((*path, "until"), why, "take `mode`, `until` and `reason` out, or choose a new date", "observe-over")
        elif moded.mode == "observe":
            where = "in production, " if manifest.environment == PRODUCTION else ""
            why = f"{where}what is refused here runs all the same, until {moded.until}"
            yield warn((*path, "mode"), why, "enforce as soon as the findings allow it", "observing")


def _off_chain(kind: str, task: TaskKind) -> Iterator[Rule]:
    if task.chain is None:
        return
    named = {end for pair in task.chain for end in pair} - {START}
    for name in task.tools:
        if name not in named:
            why = "no edge of the chain names this tool, so that it is always refused"
            yield warn(("tasks", kind, "tools", name), why, "add an edge, or take the grant out", "off-chain")


def _powerful(manifest: Manifest) -> Iterator[Rule]:
    for name, agent in manifest.agents.items():
        reached = {tool for kind in agent.tasks if kind in manifest.tasks for tool in manifest.tasks[kind].tools}
        admin = sorted(tool for tool in reached if _administers(manifest, manifest.tools[tool]))
        if admin:
            why = f"this agent may administer `{PRODUCTION}`, by {names(admin)}"
            yield warn(("agents", name), why, "give this work to an agent of its own, with `ask: true`", "admin-in-prod")


def _key_files(manifest: Manifest) -> Iterator[Rule]:
    if manifest.source in NO_FILE:
        return
    found: list[tuple[Path, str | None, str]]
    found = [(("issuers", name), issuer.jwks_file, "its tokens prove nothing") for name, issuer in manifest.issuers.items()]
    if manifest.authority is not None:
        clients = manifest.authority.clients.items()
        found += [(("authority", "clients", name), client.jwks_file, "`licet serve` does not start") for name, client in clients]
    for path, file, then in found:
        if file is not None and not _readable(manifest.folder / file):
            fix = "put the public keys there (`licet keys jwks` prints those of a guard); the path is relative to the manifest"
            yield warn((*path, "jwks_file"), f"there is no such file, or it cannot be read, so that {then}", fix, "no-key-file")


def _recorded(manifest: Manifest) -> Iterator[Rule]:
    for name, tool in manifest.tools.items():
        if tool.record is not None and tool.record.output and tool.reveals:
            why = f"this tool reveals {names(list(tool.reveals))}, and its output is recorded in spans: whoever reads traces reads it"
            yield warn(("tools", name, "record", "output"), why, "take `output` out, or be sure who reads the traces", "recorded")


def _readable(path: FilePath) -> bool:
    try:
        return path.is_file() and os.access(path, os.R_OK)
    except ValueError:  # no path at all
        return False


def _administers(manifest: Manifest, tool: Tool) -> bool:
    return tool.access == "admin" and manifest.environment_of(tool) == PRODUCTION
