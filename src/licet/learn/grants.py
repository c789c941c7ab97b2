"""One task kind of a draft: its grants, with what was seen of each. What a person wrote is kept, and only narrowed.

Nothing that is rare and could do harm is taken over (`RARE`); what would widen the manifest is listed, and left to a person.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from licet.escape import counted, visible
from licet.learn.baselines import of_tools
from licet.learn.constraints import ENOUGH, Seen, calls_at_most, is_enough, needed_words, rule_for, with_head_room
from licet.learn.judged import Expected, Settings, evidence, few, is_rare, is_sensitive, known_tools
from licet.learn.splice import Notes, flow_map, plain
from licet.learn.tally import ArgumentTally, KindTally, ToolTally, trimmed
from licet.learn.values import Support
from licet.manifest import Argument, Manifest, TaskKind
from licet.manifest.baseline import Baseline, somebodys
from licet.manifest.choices import is_receiver
from licet.secretlike import scrub

_FLOW = 4  # entries of a mapping on one line
NEW_AT_LEAST = 2  # sessions that must have used what is granted anew, however few there are


@dataclass(slots=True)
class KindDraft:
    """What became of one kind: what was added, what was left out and why, what a person has to decide. All in sentences."""

    kind: str
    tally: KindTally
    baseline: Baseline
    expected: Expected
    new: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    narrowed: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    undeclared: list[str] = field(default_factory=list)
    wider: list[str] = field(default_factory=list)


class KindChange:
    """Makes the changes of one kind. `grants`: whether tools may be granted anew."""

    def __init__(self, out: KindDraft, manifest: Manifest, settings: Settings, *, grants: bool) -> None:
        self.out, self.manifest, self.settings, self._grants = out, manifest, settings, grants
        self.tally = out.tally
        self.task: TaskKind = manifest.tasks[out.kind]
        self._few = few(out.tally, settings)
        self._known = known_tools(manifest)

    def __call__(self, found: CommentedMap, notes: Notes) -> None:
        """Change the kind as it was read, and say of each place what it rests on."""
        tools = found["tools"]
        tools.fa.set_block_style()
        for name in list(tools):
            self._granted(tools, name, notes)
        for name, tally in sorted(self.tally.tools.items()):
            if name not in self.task.tools:
                self._not_granted(tools, name, tally, notes)
        self.out.baseline = of_tools(self.out.baseline, self.manifest, frozenset(tools))
        self._budgets(found, notes)
        self._chain(found, notes)
        self._baseline(found, notes)
        self._rare_ones()
        self._too_small()

    # Grants ---------------------------------------------------------------------------------------------------------------

    def _granted(self, tools: CommentedMap, name: str, notes: Notes) -> None:
        tally = self.tally.tools.get(name)
        if tally is None or not tally.support.sessions:
            never = evidence(Support(), self.tally)
            if self.settings.narrow and self._take_out(tools, name):
                self.out.unused.append(f"`{name}` was never used, and is taken out: {never}")
            else:
                notes["tools", name] = f"never used: {never}"
                self.out.unused.append(f"`{name}` was never used, and is kept: {never}")
            return
        if self._is_left_out(name, tally.support):
            said = evidence(tally.support, self.tally)
            seldom = is_rare(tally.support, self.tally, replace(self.settings, trusted=True))  # of a small kind it may be all its work
            kept = not (self.settings.narrow and seldom and self._take_out(tools, name))
            self.out.left_out.append(f"`{name}`: {said}; {'its grant is kept as it was' if kept else 'its grant is taken out'}")
            if kept:
                notes["tools", name] = f"rare: {said}"
            return
        notes["tools", name] = evidence(tally.support, self.tally)
        self._narrow(tools, name, tally, notes)

    def _not_granted(self, tools: CommentedMap, name: str, tally: ToolTally, notes: Notes) -> None:
        said = evidence(tally.support, self.tally)
        if name not in self.manifest.tools:
            self.out.undeclared.append(f"`{shown(name)}`: {said}; say under `tools:` what it does, then learn anew")
        elif is_rare(tally.support, self.tally, self.settings) or tally.support.sessions < NEW_AT_LEAST:
            self.out.left_out.append(f"`{name}`: {said}; it is not granted{self._share(tally.support)}")
        elif not self._grants:
            self.out.wider.append(f"`{name}`: {said}; it is not granted, and with it `licet check` would find an error")
        else:
            tools[name] = CommentedMap()
            tools[name].fa.set_flow_style()
            notes["tools", name] = f"NEW: {said}"
            self.out.new.append(f"`{name}`: {said}")
            if is_sensitive(self.manifest, name):  # a person looks at each call, until one has looked at the grant
                self._grant(tools, name)["ask"] = True
            self._narrow(tools, name, tally, notes)

    def _is_left_out(self, name: str, support: Support) -> bool:
        return is_sensitive(self.manifest, name) and is_rare(support, self.tally, self.settings)

    def _share(self, support: Support) -> str:
        """Behind what is more than rare among the sessions of the kind, and rare among all: why it is left out."""
        if not is_rare(support, self.tally, self.settings) or is_rare(support, self.tally, replace(self.settings, trusted=True)):
            return ""
        return f", and these are no more than {self._of_all()}"

    def _of_all(self) -> str:
        return f"{100 * self.settings.rare:g} % of the {counted(self.tally.given_in_all, 'session')} of all kinds"

    def _take_out(self, tools: CommentedMap, name: str) -> bool:
        """Take a grant out, unless the kind would be empty, or something else in it speaks of the tool."""
        named = any(name in budget.of for budget in self.task.budgets) or any(name in edge for edge in self.task.chain or ())
        if len(tools) == 1 or named:
            return False
        del tools[name]
        return True

    # Constraints ----------------------------------------------------------------------------------------------------------

    def _narrow(self, tools: CommentedMap, name: str, tally: ToolTally, notes: Notes) -> None:
        for argument, found in sorted(tally.arguments.items()):
            if argument not in self._known[name]:
                said = evidence(found.support, self.tally)
                self.out.wider.append(f"`{shown(argument)}` of `{name}`: {said}; the manifest does not declare this argument")
                continue
            rules = tuple(self._rules(name, argument))
            self._argument(tools, name, Seen(argument, found, tally, rules, is_sensitive(self.manifest, name), self._few), notes)
        self._at_most(tools, name, tally, notes)
        if tally.support.sessions >= ENOUGH and not is_enough(tally.support.sessions, self._few):
            said = f"{evidence(tally.support, self.tally)}, of which {self._few:,} may be anybody's"
            self.out.left_out.append(f"rules for the arguments of `{name}`: {said}")

    def _at_most(self, tools: CommentedMap, name: str, tally: ToolTally, notes: Notes) -> None:
        """A limit of calls; where the tool is granted anew, from however few sessions."""
        declared = self.task.tools.get(name)
        if not is_sensitive(self.manifest, name) or (declared is not None and declared.at_most is not None):
            return
        most = trimmed(tally.each, self._few)
        limit = with_head_room(most) if declared is None else calls_at_most(tally, self._few)
        if limit is None:
            return
        self._grant(tools, name)["at_most"] = limit
        notes["tools", name, "at_most"] = f"{evidence(tally.support, self.tally)}: {counted(most, 'call')} at most in one"
        self.out.narrowed.append(f"`{name}`: at most {limit} calls in one task")
        self._say_without(f"calls of `{name}`: more than {most} in", sum(n for calls, n in tally.each.items() if calls > most))

    def _say_without(self, what: str, sessions: int) -> None:
        """What a rule leaves out, since too few sessions had it."""
        if sessions:
            self.out.left_out.append(f"{what} {evidence(Support(sessions), self.tally)}; no rule was made wider by these")

    def _argument(self, tools: CommentedMap, name: str, seen: Seen, notes: Notes) -> None:
        before = ((tools[name] or {}).get("arguments") or {}).get(seen.name) or {}
        rule = rule_for(seen, plain(before))
        self._say_wider(name, seen)
        added = rule.keywords if rule.why else {}  # a type alone keeps out little, and is one line more to read for each argument
        if not (added or before):
            return
        arguments = self._arguments(tools, name)
        if arguments.get(seen.name) is None:
            arguments[seen.name] = flow_map({})
        for key, value in flow_map(added).items():
            arguments[seen.name][key] = value
        notes["tools", name, "arguments", seen.name] = "; ".join([evidence(seen.tally.support, self.tally), *rule.why])
        if rule.why:
            self.out.narrowed.append(f"`{seen.name}` of `{name}`: {'; '.join(rule.why)}")
            self._say_without(f"`{seen.name}` of `{name}`: something else in", rule.without)

    def _say_wider(self, name: str, seen: Seen) -> None:
        """Where values came from and the manifest does not let them come from: a person may allow it."""
        if not seen.sensitive:
            return
        allowed = [rule.origin for rule in seen.declared if rule.origin is not None]
        named = any(each.endorsements for each in allowed)
        for ground, sessions in sorted(seen.tally.by_ground().items(), key=lambda each: sorted(each[0])):
            if len(ground) == 1 and not named and any(word not in each.terms for word in ground for each in allowed):
                came = f"`{seen.name}` of `{name}` came from {next(iter(ground))}, which its `origin:` does not name"
                self.out.wider.append(f"{came}: {evidence(Support(sessions), self.tally)}")
        words = needed_words(seen.tally, self._few)
        if not allowed and not seen.says("content") and words and "counterpart" in words:
            came = f"`{seen.name}` of `{name}` has no `origin:`, and came from {', '.join(words)}"
            self.out.wider.append(f"{came}: {evidence(seen.tally.support, self.tally)}")

    def _rules(self, name: str, argument: str) -> Iterator[Argument]:
        for layer in (self.manifest.tools[name], self.task.tools.get(name)):
            if layer is not None and argument in layer.arguments:
                yield layer.arguments[argument]

    def _grant(self, tools: CommentedMap, name: str) -> CommentedMap:
        if tools[name] is None:
            tools[name] = CommentedMap()
        tools[name].fa.set_block_style()
        return tools[name]  # type: ignore[no-any-return]

    def _arguments(self, tools: CommentedMap, name: str) -> CommentedMap:
        grant = self._grant(tools, name)
        if grant.get("arguments") is None:
            grant["arguments"] = CommentedMap()
        grant["arguments"].fa.set_block_style()
        return grant["arguments"]  # type: ignore[no-any-return]

    # Budgets, chain, baseline ---------------------------------------------------------------------------------------------

    def _budgets(self, found: CommentedMap, notes: Notes) -> None:
        """How many different receivers one task may have, where one call could have several, or several calls are allowed."""
        for name in list(found["tools"]):
            tally = self.tally.tools.get(name)
            declared = self.manifest.tools.get(name)
            if tally is None or declared is None or not declared.leaves or calls_at_most(tally, self._few) is None:
                continue
            for argument, seen in sorted(tally.arguments.items()):
                if argument in self._known[name] and tally.support.sessions - seen.whole <= self._few:
                    self._budget(found, notes, name, argument, seen)

    def _budget(self, found: CommentedMap, notes: Notes, name: str, argument: str, seen: ArgumentTally) -> None:
        rule = Seen(argument, seen, self.tally.tools[name], tuple(self._rules(name, argument)), sensitive=True, few=self._few)
        most = trimmed(seen.distinct, self._few)
        limit = with_head_room(most)
        limited = any(name in budget.of and budget.distinct == argument for budget in self.task.budgets)
        one = (grant := found["tools"][name] or {}).get("at_most") is not None and grant["at_most"] <= limit
        types, items = rule.types
        if limited or most < 1 or (one and not items) or not is_receiver(argument, rule.declared) or not types <= {"string", "array"}:
            return
        self._add_budget(found, flow_map({"distinct": argument, "of": name, "at_most": limit}))
        said = f"{evidence(seen.support, self.tally)}: {most} different `{argument}` of `{name}` at most in one"
        notes[("budgets",)] = "; ".join(filter(None, [notes.get(("budgets",)), said]))
        self.out.narrowed.append(f"`{name}`: at most {limit} different `{argument}` in one task")
        more = sum(number for each, number in seen.distinct.items() if each > most)
        self._say_without(f"`{argument}` of `{name}`: more than {most} different in", more)

    def _add_budget(self, found: CommentedMap, budget: CommentedMap) -> None:
        listed = found.get("budgets")
        if listed is None:
            listed = found["budgets"] = CommentedSeq()
        listed.fa.set_block_style()
        listed.append(budget)

    def _chain(self, found: CommentedMap, notes: Notes) -> None:
        if not self.settings.chain or self.task.chain is not None or self.tally.support.sessions < self.settings.sessions:
            return
        base = self.out.baseline
        edges = [edge for edge, count in base.edges.items() if count >= base.minimum.support]
        if edges:
            found["chain"] = CommentedSeq(edges)
            notes[("chain",)] = f"{evidence(self.tally.support, self.tally)}; enforced, as `--chain` says"
            self.out.narrowed.append(f"the order of calls: {counted(len(edges), 'edge')}")

    def _baseline(self, found: CommentedMap, notes: Notes) -> None:
        base = self.out.baseline
        data: dict[str, Any] = base.model_dump(mode="python", exclude_defaults=True)
        data["minimum"] = flow_map({"sessions": base.minimum.sessions, "support": base.minimum.support})
        before = found.get("baseline")
        if isinstance(before, Mapping) and before.get("transitions") is True:  # a person's choice, not learned
            data["transitions"] = True
        written = CommentedMap()
        for key in (*(each for each in type(base).model_fields if each in data),):
            value = data[key]
            if key == "models":
                value = CommentedSeq(value)
                value.fa.set_flow_style()
            elif key == "origins":
                value = CommentedMap(
                    {tool: CommentedMap({name: _counts(sources) for name, sources in of.items()}) for tool, of in value.items()}
                )
            elif key in ("tools", "edges"):
                value = _counts(value)
            written[key] = value
        found["baseline"] = written
        taught = f"{self.tally.support.sessions:,} of {counted(self.tally.support.sessions + self.tally.doubtful, 'session')}"
        learning = "" if base.sessions >= base.minimum.sessions else f"; still learning until {base.minimum.sessions}"
        agents = self.manifest.agents.items()
        unnamed = ", ".join(f"`{name}`" for name, agent in sorted(agents) if self.out.kind in agent.tasks and agent.model is None)
        whatever = f"; {unnamed} may run on any model, having no `model:`" if base.models and unnamed else ""
        notes[("baseline",)] = f"{taught}; {said_expected(self.out.expected)}{learning}{whatever}"

    def _rare_ones(self) -> None:
        """What the baseline counts, and does not know."""
        for (before, after), support in sorted(self.tally.edges.items()):
            if (
                after in self.manifest.tools
                and self._is_left_out(after, support)
                and not self._is_left_out(after, self.tally.tools[after].support)
            ):
                self.out.left_out.append(f"`{shown(before)} -> {after}`: {evidence(support, self.tally)}")
        for name, tool in sorted(self.tally.tools.items()):
            if name not in self.manifest.tools or self._is_left_out(name, tool.support):
                continue
            for argument, found in sorted(tool.arguments.items()):
                for source, support in sorted(found.sources.items()):
                    if somebodys(source) and self._is_left_out(name, support):
                        self.out.left_out.append(f"`{shown(argument)}` of `{name}` from {shown(source)}: {evidence(support, self.tally)}")

    def _too_small(self) -> None:
        """Where even what all sessions of the kind did could be an attacker's, of all that were given."""
        if 0 < self.tally.support.sessions <= self._few and any(is_sensitive(self.manifest, name) for name in self.tally.tools):
            each = f"each of {counted(self.tally.support.sessions, 'session')} could be an attacker's, who may have {self._of_all()}"
            said = f"all that could do harm: {each}"
            self.out.left_out.insert(0, f"{said}; give more of this kind, or `--trusted` if somebody has looked at them")


def said_expected(expected: Expected) -> str:
    """How often something new is to be expected, in words."""
    if expected.share >= 1:
        return "how often something new will come cannot be said yet"
    return f"something new is to be expected in up to {math.ceil(100 * expected.share)} % of coming sessions"


def shown(name: str) -> str:
    """A name out of traces, safe in a comment: one line, cut, and without what looks like a secret."""
    return visible(scrub(name), 80)


def _counts(counts: Mapping[str, int]) -> CommentedMap:
    out = CommentedMap(counts)
    if len(out) <= _FLOW:
        out.fa.set_flow_style()
    return out
