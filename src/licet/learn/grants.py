"""One task kind of a draft: its grants, with what was seen of each. What a person wrote is kept, and only narrowed.

Nothing that is rare and could do harm is taken over (`RARE`); what would widen the manifest is listed, and left to a person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from licet.escape import counted, visible
from licet.learn.baselines import of_tools
from licet.learn.constraints import Seen, calls_at_most, needed_words, rule_for, with_head_room
from licet.learn.judged import Expected, Settings, evidence, is_rare, is_sensitive, known_tools
from licet.learn.splice import Notes, flow_map, plain
from licet.learn.tally import KindTally, ToolTally
from licet.learn.values import Support
from licet.manifest import START, Argument, Manifest, TaskKind
from licet.manifest.baseline import Baseline
from licet.manifest.choices import is_receiver
from licet.secretlike import scrub

_FLOW = 4  # entries of a mapping on one line


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
    """Makes the changes of one kind. `all_sessions`: how many were given in all; `grants`: whether tools may be granted anew."""

    def __init__(self, out: KindDraft, manifest: Manifest, settings: Settings, all_sessions: int, *, grants: bool) -> None:
        self.out, self.manifest, self.settings, self._grants = out, manifest, settings, grants
        self.tally = out.tally
        self.task: TaskKind = manifest.tasks[out.kind]
        self._all = all_sessions
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
            kept = not (self.settings.narrow and self._take_out(tools, name))
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
        elif self._is_left_out(name, tally.support):
            self.out.left_out.append(f"`{name}`: {said}; it is not granted")
        elif is_sensitive(self.manifest, name) and tally.support.sessions <= self.settings.rare * self._all:
            share = f"no more than {100 * self.settings.rare:g} % of the {counted(self._all, 'session')} of all kinds"
            self.out.left_out.append(f"`{name}`: {said}; it is not granted, and these are {share}")
        elif not self._grants:
            self.out.wider.append(f"`{name}`: {said}; it is not granted, and with it `licet check` would find an error")
        else:
            tools[name] = CommentedMap()
            tools[name].fa.set_flow_style()
            notes["tools", name] = f"NEW: {said}"
            self.out.new.append(f"`{name}`: {said}")
            self._narrow(tools, name, tally, notes)

    def _is_left_out(self, name: str, support: Support) -> bool:
        return is_sensitive(self.manifest, name) and is_rare(support, self.tally, self.settings.rare)

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
            self._argument(tools, name, Seen(argument, found, tally, rules, is_sensitive(self.manifest, name)), notes)
        declared = self.task.tools.get(name)
        limit = calls_at_most(tally) if is_sensitive(self.manifest, name) and (declared is None or declared.at_most is None) else None
        if limit is not None:
            self._grant(tools, name)["at_most"] = limit
            notes["tools", name, "at_most"] = f"{evidence(tally.support, self.tally)}: {counted(tally.most, 'call')} at most in one"
            self.out.narrowed.append(f"`{name}`: at most {limit} calls in one task")

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

    def _say_wider(self, name: str, seen: Seen) -> None:
        """Where values came from and the manifest does not let them come from: a person may allow it."""
        if not seen.sensitive:
            return
        allowed = [rule.origin for rule in seen.declared if rule.origin is not None]
        named = any(each.endorsements for each in allowed)
        for ground, support in sorted(seen.tally.grounds.items(), key=lambda each: sorted(each[0])):
            if len(ground) == 1 and not named and any(word not in each.terms for word in ground for each in allowed):
                came = f"`{seen.name}` of `{name}` came from {next(iter(ground))}, which its `origin:` does not name"
                self.out.wider.append(f"{came}: {evidence(support, self.tally)}")
        words = needed_words(seen.tally)
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
            if (
                tally is None
                or declared is None
                or not declared.leaves
                or calls_at_most(tally) is None
                or self._is_left_out(name, tally.support)
            ):
                continue
            for argument, seen in sorted(tally.arguments.items()):
                always = sum(seen.values.types.values()) == tally.calls and argument in self._known[name]
                limit = with_head_room(seen.distinct)
                limited = any(name in budget.of and budget.distinct == argument for budget in self.task.budgets)
                one = (grant := found["tools"][name] or {}).get("at_most") is not None and grant["at_most"] <= limit
                if not always or limited or seen.distinct < 1 or (one and not seen.values.items):
                    continue
                if is_receiver(argument, tuple(self._rules(name, argument))) and set(seen.values.types) <= {"string", "array"}:
                    self._add_budget(found, flow_map({"distinct": argument, "of": name, "at_most": limit}))
                    said = f"{evidence(seen.support, self.tally)}: {seen.distinct} different `{argument}` of `{name}` at most in one"
                    notes[("budgets",)] = "; ".join(filter(None, [notes.get(("budgets",)), said]))
                    self.out.narrowed.append(f"`{name}`: at most {limit} different `{argument}` in one task")

    def _add_budget(self, found: CommentedMap, budget: CommentedMap) -> None:
        listed = found.get("budgets")
        if listed is None:
            listed = found["budgets"] = CommentedSeq()
        listed.fa.set_block_style()
        listed.append(budget)

    def _chain(self, found: CommentedMap, notes: Notes) -> None:
        if not self.settings.chain or self.task.chain is not None or self.tally.support.sessions < self.settings.sessions:
            return
        edges = [edge for edge in self.out.baseline.edges if all(end in found["tools"] or end == START for end in edge.split(" -> "))]
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
        notes[("baseline",)] = f"{taught}; {said_expected(self.out.expected)}{learning}"

    def _rare_ones(self) -> None:
        """What the baseline leaves out."""
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
            known = self.out.baseline.origins.get(name, {})
            for argument, found in sorted(tool.arguments.items()):
                for source, support in sorted(found.sources.items()):
                    if self._is_left_out(name, support) and source not in known.get(argument, {}):
                        self.out.left_out.append(f"`{shown(argument)}` of `{name}` from {shown(source)}: {evidence(support, self.tally)}")


def said_expected(expected: Expected) -> str:
    """How often something new is to be expected, in words."""
    return f"something new is to be expected in up to {100 * expected.share:.0f} % of coming sessions"


def shown(name: str) -> str:
    """A name out of traces, safe in a comment: one line, cut, and without what looks like a secret."""
    return visible(scrub(name), 80)


def _counts(counts: Mapping[str, int]) -> CommentedMap:
    out = CommentedMap(counts)
    if len(out) <= _FLOW:
        out.fa.set_flow_style()
    return out
