"""What could be taken out of a manifest, or needs somebody's eye, by what its task kinds did: each with its evidence and the key to change.

Nothing here is certain: that a grant was not used does not say that it will not be. So little evidence is no suggestion but a note.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from ruamel.yaml import YAML

from licet.clock import lasting
from licet.escape import counted
from licet.learn.constraints import Seen, calls_at_most, rule_for
from licet.learn.due import Due, Suggestion, What
from licet.learn.judged import Settings, evidence, few, is_sensitive
from licet.learn.tally import Tally
from licet.learn.uses import DAY, KindUses, Usage, Uses
from licet.learn.values import Support
from licet.manifest import Manifest, TaskKind
from licet.manifest.baseline import SESSIONS

__all__ = ["Evidence", "Suggester", "Suggestion"]

GAPS = 3
"""A grant is unused only if it has been idle for longer than so many times its longest pause: a yearly job is not over in April."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known. `tally` is None where no values were recorded, `agents` (those that ever had a task) where nobody tells who acted;
    `unratified` is why the manifest is not ratified, empty if it is.
    """

    usage: Usage
    tally: Tally | None = None
    agents: frozenset[str] | None = None
    unratified: str = ""


class Suggester:
    """Looks at one manifest. `now` is in seconds since the epoch, `window` in seconds."""

    def __init__(self, manifest: Manifest, found: Evidence, *, now: float, window: float) -> None:
        self._manifest = manifest
        self._found = found
        self._window = window
        self._today = datetime.fromtimestamp(now, UTC).date()
        self._now_day = int(now // DAY)
        self.notes: list[str] = []
        """What cannot be told, and why."""

    def all(self) -> list[Suggestion]:
        """Every suggestion, in the order of the manifest's sections; the notes are then complete."""
        self.notes.clear()
        due = Due(self._manifest, self._today, self._window)
        return [*self._agents(), *due.credentials(), *self._kinds(), *due.observed(), *due.baselines(self._found.unratified)]

    # Who and what has no work --------------------------------------------------------------------------------------------

    def _agents(self) -> Iterator[Suggestion]:
        kinds = self._found.usage.kinds
        for name, agent in self._manifest.agents.items():
            told = self._found.agents
            if not any(uses.all.sessions for uses in kinds.values()):
                return  # without any session nothing can be told
            idle = name not in told if told is not None else not any(kinds[kind].all.sessions for kind in agent.tasks if kind in kinds)
            if idle:
                why = "no task of it is in the store" if told is not None else "no session is of a task kind that it may run"
                yield Suggestion("unused-agent", ("agents", name), f"agent `{name}` has no session", why, f"take `{name}` out of `agents:`")

    def _kinds(self) -> Iterator[Suggestion]:
        for kind, task in self._manifest.tasks.items():
            uses = self._found.usage.kinds[kind]
            if uses.all.inside >= SESSIONS:
                yield from self._grants(kind, task, uses)
            elif uses.all.inside:
                few = f"{counted(uses.all.inside, 'session')} in the window, and {SESSIONS} at least say something of its grants"
                self.notes.append(f"`{kind}`: only {few}")
            elif uses.all.sessions:
                self.notes.append(f"`{kind}`: no session in the window, the last on {uses.all.last}; of its grants nothing can be told")
            elif any(other.all.sessions for other in self._found.usage.kinds.values()):
                why = f"none of {counted(sum(other.all.sessions for other in self._found.usage.kinds.values()), 'session')} is of it"
                change = f"take `{kind}` out of `tasks:` and of the agents' `tasks:`, if that work is over"
                yield Suggestion("unused-kind", ("tasks", kind), f"task kind `{kind}` has no session", why, change, kind)
            else:
                self.notes.append(f"`{kind}`: no session at all was given")

    # Grants --------------------------------------------------------------------------------------------------------------

    def _grants(self, kind: str, task: TaskKind, uses: KindUses) -> Iterator[Suggestion]:
        first = min(uses.all.days, default=None)
        young = first is not None and not uses.all.undated and (self._now_day - first) * DAY <= self._window
        if young:
            window = lasting(self._window)
            self.notes.append(
                f"`{kind}`: its sessions begin on {uses.all.first}, which is no whole window of {window}; nothing counts as unused"
            )
        for tool in task.tools:
            found = uses.tools[tool]
            if not found.inside and not young:
                yield from self._unused(kind, tool, uses.all, found)
            elif found.inside and found.inside == found.doubted:
                few = f"{counted(found.inside, 'session')} in the window used it, and each of them is in doubt"
                change = "look at these sessions; if they are an attack's, take the grant out"
                sentence = f"`{tool}` was used in doubtful sessions only"
                yield _of_grant("doubted-grant", (kind, tool), (sentence, few, change), found, sessions=found.inside)
            if found.inside:
                yield from self._narrower(kind, task, tool)

    def _unused(self, kind: str, tool: str, work: Uses, found: Uses) -> Iterator[Suggestion]:
        of = f"of {counted(work.inside, 'session')} in the window none used it"
        if not found.sessions:
            since = f", since {work.first}" if work.first is not None else ", whose days are not known"
            sentence, why = f"`{tool}` was never used", f"{of}{since}"
        else:
            if not found.days:
                return
            first = min(work.days)
            idle, gap = self._now_day - max(found.days), found.longest_gap(first)
            if idle <= GAPS * gap:
                rare = f"`{tool}` of `{kind}`: idle for {idle} d, and it has paused for {gap} d before: not unused until {GAPS * gap} d"
                self.notes.append(rare)
                return
            sentence = f"`{tool}` has not been used for {idle} d"
            pause = f"; its longest pause was {gap} d" if gap else ""
            why = f"{of}; {counted(found.sessions, 'session')} did before, the last on {found.last}{pause}"
        change = _take_out(self._manifest.tasks[kind], tool)
        yield _of_grant("unused-grant", (kind, tool), (sentence, why, change), found, sessions=work.inside)

    def _narrower(self, kind: str, task: TaskKind, tool: str) -> Iterator[Suggestion]:
        tally = self._found.tally
        if tally is None or kind not in tally.kinds or tool not in tally.kinds[kind].tools:
            return
        of_kind = tally.kinds[kind]
        of_tool, grant = of_kind.tools[tool], task.tools[tool]
        path = ("tasks", kind, "tools", tool)
        rarely = few(of_kind, Settings())
        limit = calls_at_most(of_tool, rarely) if is_sensitive(self._manifest, tool) else None
        if limit is not None and (grant.at_most is None or limit < grant.at_most):
            now = "any number of times" if grant.at_most is None else f"{grant.at_most} times"
            sentence = f"`{tool}` may be called {now} in a task, and {limit} would do"
            why = f"{counted(of_tool.most, 'call')} at most in one session; {evidence(of_tool.support, of_kind)}"
            yield _of_tally("fewer-calls", (*path, "at_most"), (sentence, why, f"at_most: {limit}"), of_tool.support)
        for argument, found in sorted(of_tool.arguments.items()):
            declared, own = grant.arguments.get(argument), self._manifest.tools[tool].arguments.get(argument)
            if declared is None and own is None:
                continue  # naming an argument would make it known
            rules = tuple(rule for rule in (own, declared) if rule is not None)
            granted = declared.model_dump(mode="json", exclude_unset=True) if declared is not None else {}
            rule = rule_for(Seen(argument, found, of_tool, rules, is_sensitive(self._manifest, tool), rarely), granted)
            if rule.why:
                why = "; ".join([evidence(found.support, of_kind), *rule.why])
                told = (f"`{argument}` of `{tool}` could be narrower", why, f"{argument}: {_yaml(granted | rule.keywords)}")
                yield _of_tally("narrower-argument", (*path, "arguments", argument), told, of_tool.support)


def _of_grant(what: What, at: tuple[str, str], told: tuple[str, str, str], uses: Uses, *, sessions: int) -> Suggestion:
    kind, tool = at
    return Suggestion(what, ("tasks", kind, "tools", tool), *told, kind, tool, sessions, uses.first, uses.last)


def _of_tally(what: What, path: tuple[str, ...], told: tuple[str, str, str], support: Support) -> Suggestion:
    first, last = (_day(time) for time in (support.first, support.last))
    return Suggestion(what, path, *told, path[1], path[3], support.sessions, first, last)


def _day(time: float | None) -> date | None:
    return datetime.fromtimestamp(min(max(time, 0.0), 253_402_300_799.0), UTC).date() if time is not None else None


def _take_out(task: TaskKind, tool: str) -> str:
    """What to do, with the other places that name the tool: left there, the manifest would not hold."""
    if len(task.tools) == 1:
        return "it is the kind's only grant: take the kind out, if that work is over"
    places = ["`tools:`"]
    if any(tool in budget.of for budget in task.budgets):
        places.append("`budgets:`")
    if any(tool in edge for edge in task.chain or ()):
        places.append("`chain:`")
    return f"take `{tool}` out of {' and '.join(places)}"


def _yaml(rule: Mapping[str, Any]) -> str:
    """A rule on one line, as it can be written."""
    writer = YAML()
    writer.default_flow_style = True
    writer.width = 10_000
    out = io.StringIO()
    writer.dump(dict(rule), out)
    return out.getvalue().removesuffix("...\n").strip()
