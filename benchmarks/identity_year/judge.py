"""Findings held against the truth: what was found of each kind, what was found that is none, and whether each explains itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from licet.inventory.store import Inventory
from licet.monitor.baseline import ROLE as BASELINE
from licet.monitor.explain import Held, holds
from licet.monitor.stored import signal_of
from licet.monitor.world import Settings
from licet.records import Evidence, Explanation, Finding

MONTH = 365.25 / 12


@dataclass
class Kind:
    """Of one kind: how many were planted, found with the expected reason, and cited by any finding; how many twins had a finding."""

    planted: int = 0
    found: int = 0
    cited: int = 0
    twins: int = 0
    twins_fired: int = 0
    missed: list[str] = field(default_factory=list)


@dataclass
class Judged:
    """All of it. `false`: findings that cite nothing planted, by their first reason; `per_100_months`: for 100 identities a month."""

    kinds: dict[str, Kind]
    findings: int
    false: dict[str, int]
    per_100_months: float
    examples: list[str]


def explained(finding: Finding) -> Explanation:
    if finding.explanation is None:
        raise ValueError(f"finding {finding.id} explains nothing")
    return finding.explanation


def codes(finding: Finding) -> frozenset[str]:
    return frozenset(each.code for each in explained(finding).because)


def natives(evidence: Iterable[Evidence]) -> set[str]:
    """The native ids that are cited. What readers put behind them (`/ResponseComplete`, `#2`, `!revoked`) is taken off."""
    found = set()
    for each in evidence:
        native = each.uid.partition("/")[2].partition("!")[0].partition("#")[0]
        found |= {native, native.partition("/")[0]}
    return found


def judged(findings: Sequence[Finding], truth: Sequence[Mapping[str, Any]], identities: int, days: float) -> Judged:
    """What the findings are worth."""
    planted = [line for line in truth if line["what"] == "misuse"]
    twins = [line for line in truth if line["what"] == "twin"]
    cited = [(finding, natives(explained(finding).evidence), explained(finding).identity, codes(finding)) for finding in findings]
    kinds = {line["kind"]: Kind() for line in planted}
    for line in planted:
        kind = kinds[line["kind"]]
        who, events = {line["identity"], *line.get("or_identities", ())}, set(line["events"])
        hits = [of for _, native, identity, of in cited if identity in who and native & events]
        kind.planted += 1
        kind.cited += bool(hits)
        if any(of & set(line["expected"]) for of in hits):
            kind.found += 1
        else:
            kind.missed.append(f"{line['id']} on {line['platform']}" + (f" (only {', '.join(sorted(set().union(*hits)))})" if hits else ""))
    misused = {event for line in planted for event in line["events"]}
    unowned = {line["identity"] for line in planted if line["kind"] == "unowned_active"}
    wrong = [each for each in cited if not each[1] & misused and each[2] not in unowned]
    of_twins = {event: line for line in twins for event in line["events"]}
    for line in twins:
        kind = kinds[line["kind"]]
        kind.twins += 1
        kind.twins_fired += any(native & set(line["events"]) for _, native, _, _ in wrong)
    false = dict(Counter(explained(finding).because[0].code for finding, *_ in wrong))
    examples = []
    for finding, native, identity, _ in wrong[:200]:
        twin = next((of_twins[event]["id"] for event in native if event in of_twins), "")
        examples.append(f"{identity} {','.join(sorted(codes(finding)))} {twin or 'churn'}: {finding.sentence}")
    return Judged(kinds, len(findings), false, len(wrong) / (identities / 100) / (days / MONTH), examples)


@dataclass
class Explained:
    """Of how many findings: gone without what they cite; there with nothing else. `odd`: those of which one is not so."""

    checked: int = 0
    gone: int = 0
    there: int = 0
    odd: list[str] = field(default_factory=list)


def explanations(findings: Iterable[Finding], held: Callable[[Finding], Held]) -> Explained:
    """Ablation and sufficiency of each, as `held` says."""
    done = Explained()
    for finding in findings:
        gone, there = held(finding)
        done.checked += 1
        done.gone += gone
        done.there += there
        if not (gone and there):
            wrong = ("" if gone else " stays without its evidence") + ("" if there else " is not there by it alone")
            done.odd.append(f"{explained(finding).identity} {','.join(sorted(codes(finding)))}:{wrong}")
    return done


def by_events(finding: Finding, again: Callable[[bool], list[Finding]]) -> Held:
    """Whether a finding's explanation holds by what is found without what is cited (`again(False)`), or with nothing else (True)."""
    identity, of = explained(finding).identity, codes(finding)
    left = [each for each in again(False) if explained(each).identity == identity]  # noqa: FBT003 - see the docstring
    gone = not any(codes(each) & of and natives(explained(each).evidence) & natives(explained(finding).evidence) for each in left)
    gone = gone and finding.id not in {each.id for each in left}
    alone = [each for each in again(True) if explained(each).identity == identity]  # noqa: FBT003
    return Held(gone, any(of <= codes(each) for each in alone))


def was_learned(finding: Finding) -> bool:
    """Whether it rests on a baseline, which is cited as what was learned by then: the events that it cites do not teach it again."""
    return any(each.role == BASELINE for each in explained(finding).evidence)


def by_signals(finding: Finding, inventory: Inventory, now: float) -> Held:
    """Whether the explanation of each signal that a finding is made of holds, judged by the baselines that they cite."""
    signals = [signal_of(body) for (body,) in inventory.rows("SELECT body FROM signals WHERE finding=?", (finding.id,))]
    found = [holds(each, inventory, Settings(), now) for each in signals]
    return Held(bool(found) and all(each.ablation for each in found), bool(found) and all(each.sufficiency for each in found))
