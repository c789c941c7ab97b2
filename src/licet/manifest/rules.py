"""What must hold across a manifest and no single model can see: names refer to something, nothing is empty, nothing grants everything."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from licet.catalogue import ALWAYS_ENFORCED, CHECKS, LEARNED
from licet.manifest.arguments import Argument
from licet.manifest.identities import misfit
from licet.manifest.labels import OriginRule
from licet.manifest.models import START, CheckSettings, Manifest, Moded, TaskKind, end_of
from licet.manifest.watched import secret_itself
from licet.manifest.yaml_reader import Path

MAX_OBSERVE_DAYS = 30
DAY = 86_400
_NAMED = 12  # of a list of names, how many a message repeats

STRICTNESS = ("flag", "ask", "deny")
SINKS = ("egress", "write", "admin")
# What a person decided or could not, and what nobody decided, stays as it is.
_NO_EFFECT = ("guard.", "approval.", "token.")
# What may be trusted less strictly, where the work needs it: scope, identity, credentials and declared flows say it in their own place.
_LOWERED = ("origin.", "chain.")
_LOWERED_TOO = frozenset({"flow.egress", "tool.changed", "environment.crossing"})


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
    others = [
        *_empties(manifest),
        *_references(manifest),
        *_task_kinds(manifest),
        *_tokens(manifest),
        *_records(manifest),
        *_authority(manifest),
        *_witnesses(manifest),
        *_issuers(manifest),
        *_proofs(manifest),
        *_shown(manifest),
        *_origins(manifest),
        *_flows(manifest),
        *_checks(manifest),
        *_modes(manifest, now),
    ]
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
    for name, tool in manifest.tools.items():
        listed = tool.record.arguments if tool.record else ()
        named += [(("tools", name, "record", "arguments", i), argument) for i, argument in enumerate(listed)]
    named += [(path, term.tool) for path, _, rule in origins(manifest) for term in rule.endorsements]
    named += [(("flows", i, key), name) for i, flow in enumerate(manifest.flows) for key, name in (("from", flow.source), ("to", flow.to))]
    named += [((*path, check), check) for path, checks in _checks_by_place(manifest) for check in checks]
    if manifest.authority is not None:
        for client, known in manifest.authority.clients.items():
            named += [(("authority", "clients", client, "agents", i), agent) for i, agent in enumerate(known.agents)]
        named += [(("authority", "federation", i), audience) for i, audience in enumerate(manifest.authority.federation)]
    for path, text in named:
        if any(mark in text for mark in "*?[") or (text in ("all", "any") and not _declared(manifest, text)):
            yield Rule(path, f"`{text}` would grant everything", "name each one", code="wildcard")


def _declared(manifest: Manifest, name: str) -> bool:
    return name in manifest.tools or name in manifest.tasks or name in manifest.agents or name in revealed(manifest)


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
        *manifest.environments,
    }
    for index, pair in enumerate(manifest.edges):
        for end in pair:
            yield from _known(("edges", index), end, environments, "environments in use")


def _shown(manifest: Manifest) -> Iterator[Rule]:
    """What logs show belongs to one thing only, and is never the secret itself."""
    named = [
        *((("agents", name, "identities"), agent.identities, "agent") for name, agent in manifest.agents.items()),
        *((("credentials", name, "ids"), credential.ids, "credential") for name, credential in manifest.credentials.items()),
        *((("environments", name, "accounts"), place.accounts, "environment") for name, place in manifest.environments.items()),
    ]
    first: dict[tuple[str, str], str] = {}
    for path, shown, what in named:
        for index, text in enumerate(shown):
            if secret_itself(text):
                yield Rule(
                    (*path, index), "this looks like the secret itself", "write the id or the hash that logs show of it", code="secret"
                )
            other = first.setdefault((what, text), path[1])
            if other != path[1]:
                yield Rule((*path, index), f"this is {what} `{other}` already", "write it once")
    for name, credential in manifest.credentials.items():
        for text in credential.probe.versions if credential.probe is not None else ():
            if secret_itself(text):
                place = ("credentials", name, "probe", "versions", text)
                yield Rule(place, "this looks like the secret itself", "write the id or the hash that logs show of it", code="secret")


def _checks_by_place(manifest: Manifest) -> Iterator[tuple[Path, Mapping[str, CheckSettings]]]:
    yield ("checks",), manifest.checks
    for kind, task in manifest.tasks.items():
        yield ("tasks", kind, "checks"), task.checks


def _checks(manifest: Manifest) -> Iterator[Rule]:
    for path, checks in _checks_by_place(manifest):
        for check, settings in checks.items():
            yield from _known((*path, check), check, CHECKS, "check ids")
            if check in ALWAYS_ENFORCED and settings.mode == "observe":
                yield Rule((*path, check), "this check is always enforced", "take it out", code="observe")
            if settings.then is not None and check in CHECKS:
                yield from _effect((*path, check, "then"), check, settings.then)


def _effect(path: Path, check: str, then: str) -> Iterator[Rule]:
    own = CHECKS[check].effect
    if check.startswith(_NO_EFFECT) or check == "scope.approval":
        yield Rule(path, "the effect of this check is not for choosing", "take `then` out")
    elif check in LEARNED and then == "deny":
        yield Rule(path, "a baseline knows what was done, and not what may be done: it asks at most", "write `ask` or `flag`")
    elif is_lowered(check, then) and not (check.startswith(_LOWERED) or check in _LOWERED_TOO):
        where = " (a declared flow has a `then:` of its own)" if check == "flow.declared" else ""
        yield Rule(
            path, f"`{then}` is less than this check's own effect, `{own}`, below which it may not go{where}", f"write `{own}` or more"
        )


def is_lowered(check: str, then: str) -> bool:
    """Whether `then` is less strict than the check's own effect."""
    return STRICTNESS.index(then) < STRICTNESS.index(CHECKS[check].effect)


def revealed(manifest: Manifest) -> frozenset[str]:
    """Every label that some tool reveals."""
    return frozenset(label for tool in manifest.tools.values() for label in tool.reveals or ())


def _tokens(manifest: Manifest) -> Iterator[Rule]:
    for name, tool in manifest.tools.items():
        if tool.token == "task" and tool.audience is not None:  # noqa: S105 - a word of the grammar
            why = "what proves a call of `token: task` never leaves this process, so that an `audience` outside cannot check it"
            yield Rule(("tools", name, "token"), why, "write `token: call`, or take `audience` out")
        if tool.envelope is not None and tool.audience is None:
            yield Rule(
                ("tools", name, "envelope"), "a token that is sent nowhere needs no envelope", "add the tool's `audience:`, or take it out"
            )


def _records(manifest: Manifest) -> Iterator[Rule]:
    """What is recorded is named: a name that no argument has would opt in to nothing, and nobody would know."""
    for name, tool in manifest.tools.items():
        if tool.record is None:
            continue
        if not tool.record.arguments and not tool.record.output:
            yield Rule(("tools", name, "record"), "this opts in to nothing", "name `arguments:` or say `output: true`", code="empty")
        for index, argument in enumerate(tool.record.arguments):
            known = arguments_of(manifest, name)
            yield from _known(("tools", name, "record", "arguments", index), argument, known, f"arguments of `{name}`")


def _issuers(manifest: Manifest) -> Iterator[Rule]:
    """A token is given to the one issuer that it names: two entries that it could mean are a choice, and the token would make it."""
    named: dict[tuple[str, str], str] = {}
    for name, issuer in manifest.issuers.items():
        key = "issuer" if issuer.issuer is not None else "trust_domain"
        for role in issuer.proves:
            first = named.setdefault((role, str(getattr(issuer, key))), name)
            if first != name:
                why = f"`{first}` has this `{key}` too, and both prove a {role}"
                yield Rule(("issuers", name, key), why, "put their `audiences` and `typ` into one entry")


def _proofs(manifest: Manifest) -> Iterator[Rule]:
    proving = {name: issuer for name, issuer in manifest.issuers.items() if "agent" in issuer.proves}
    known: dict[tuple[str, str], str] = {}
    for agent, declared in manifest.agents.items():
        for name, subject in declared.proved_by.items():
            path: Path = ("agents", agent, "proved_by", name)
            if name in manifest.issuers and name not in proving:
                yield Rule(path, f"issuer `{name}` proves no agent", f"add `agent` to `issuers.{name}.proves`", code="reference")
                continue
            yield from _known(path, name, proving, "issuers")
            if name in proving and (why := misfit(proving[name].kind, proving[name].trust_domain, subject)):
                yield Rule(path, why, "write the `sub` of this agent's own tokens, exactly")
            first = known.setdefault((name, subject), agent)
            if first != agent:
                yield Rule(path, f"agent `{first}` is proved by this subject too", "give each agent a subject of its own")


def _authority(manifest: Manifest) -> Iterator[Rule]:
    if manifest.authority is None:
        return
    for name, client in manifest.authority.clients.items():
        path = ("authority", "clients", name)
        if not client.agents:
            yield Rule(path, "this client may act as no agent", "list agents under `agents:`", code="empty")
        for index, agent in enumerate(client.agents):
            yield from _known((*path, "agents", index), agent, manifest.agents, "agents")
    ours = {manifest.authority.issuer: "the authority itself"}
    ours |= {tool.audience: f"the tool `{name}`" for name, tool in manifest.tools.items() if tool.audience is not None}
    for index, audience in enumerate(manifest.authority.federation):
        # An ID token for one of our own audiences could be taken for another kind of token there (RFC 8725bis section 3.12).
        if audience in ours:
            why = f"this is {ours[audience]}, and `federation` is for strangers: clouds and vaults"
            yield Rule(("authority", "federation", index), why, "take it out")


def _witnesses(manifest: Manifest) -> Iterator[Rule]:
    known: dict[str, int] = {}
    for index, witness in enumerate(manifest.ledger.witnesses):
        name = witness.key.partition("+")[0]
        if name == manifest.ledger.origin:
            yield Rule(("ledger", "witnesses", index, "key"), "this is the ledger's own name", "a witness is somebody else: name its key")
        if known.setdefault(name, index) != index:
            yield Rule(("ledger", "witnesses", index, "key"), f"`{name}` stands here twice", "take one of both out")


def _flows(manifest: Manifest) -> Iterator[Rule]:
    labels = revealed(manifest)
    for index, flow in enumerate(manifest.flows):
        yield from _known(("flows", index, "from"), flow.source, labels, "labels that a tool `reveals`")
        if flow.to not in SINKS:
            yield from _known(("flows", index, "to"), flow.to, [*SINKS, *manifest.tools], "sinks (egress, write, admin) and tools")


def origins(manifest: Manifest) -> Iterator[tuple[Path, str, OriginRule]]:
    """Every `origin` in a manifest, with its path and the tool whose argument it rules, those inside `items` and `properties` too."""
    for name, tool in manifest.tools.items():
        for argument, rule in tool.arguments.items():
            yield from _inner(("tools", name, "arguments", argument), name, rule)
    for kind, task in manifest.tasks.items():
        for name, grant in task.tools.items():
            for argument, rule in grant.arguments.items():
                yield from _inner(("tasks", kind, "tools", name, "arguments", argument), name, rule)


def _inner(path: Path, tool: str, rule: Argument) -> Iterator[tuple[Path, str, OriginRule]]:
    if rule.origin is not None:
        yield (*path, "origin"), tool, rule.origin
    if rule.items is not None:
        yield from _inner((*path, "items"), tool, rule.items)
    for name, inner in (rule.properties or {}).items():
        yield from _inner((*path, "properties", name), tool, inner)


def _origins(manifest: Manifest) -> Iterator[Rule]:
    for path, _, rule in origins(manifest):
        for term in rule.endorsements:
            unknown = list(_known(path, term.tool, manifest.tools, "tools"))
            yield from unknown
            known = {} if unknown else arguments_of(manifest, term.tool)
            if term.argument is not None and known and term.argument not in known:
                # A tool that declares none may take any: its signature is not seen here.
                yield from _known(path, term.argument, known, f"arguments of `{term.tool}`")


def arguments_of(manifest: Manifest, tool: str) -> dict[str, Argument]:
    """Every argument that the manifest declares for a tool, there and in grants; of several rules the tool's own."""
    out: dict[str, Argument] = dict(manifest.tools[tool].arguments)
    for task in manifest.tasks.values():
        if tool in task.tools:
            out = {**task.tools[tool].arguments, **out}
    return out


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
        for check, settings in task.checks.items():
            yield ("tasks", kind, "checks", check), settings
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
