"""What Licet does about which entry, as data: reason codes, checks and drills by their own references, and the rest in the table here.

A reference is no claim: whether anything stands behind it is for the state to say (`licet.assurance.rows`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from licet.catalogue import CHECKS
from licet.drill.scenario import Scenario
from licet.drill.scenarios import SCENARIOS
from licet.monitor.codes import CODES


class Behaviour(NamedTuple):
    """Something that Licet does which is neither a reason code nor a check.

    Attributes:
        name: under which `Facts.seen` and `Facts.declared` count it.
        seen: what was seen, behind its number; empty: it is never seen apart from codes and checks.
        declared: what it needs somebody to declare, behind its number; empty: nothing.
        entries: what it is about.
    """

    name: str
    seen: str
    declared: str
    entries: tuple[str, ...]


BEHAVIOURS: Final = (
    Behaviour("identities", "identities seen at work", "identities", ("ID.AM-02",)),
    Behaviour("agents", "AI agents seen at work", "AI agents", ("GOVERN 1.6",)),
    Behaviour("owned", "active machine identities with an owner confirmed in the last 90 days", "owners", ("PR.AA-01",)),
    Behaviour("agents_owned", "", "AI agents with an owner", ("GOVERN 2.1",)),
    Behaviour("ends", "rotations, revocations and other ends of credentials", "credentials with an end or a rotation",
              ("NHI1", "NHI7", "PR.AA-01", "ID.AM-08")),
    Behaviour("agents_ended", "AI agents or their credentials ended", "", ("GOVERN 1.7",)),
    Behaviour("uses", "uses taken in from logs", "", ("DE.CM-03", "DE.CM-09")),
    Behaviour("third_party", "uses by third parties' identities", "identities of third parties", ("NHI3", "DE.CM-06")),
    Behaviour("pinned", "", "tools with a pinned definition", ("ASI04", "MANAGE 3.1")),
    Behaviour("environments", "", "environments", ("NHI8",)),
    Behaviour("purposes", "", "identities with a purpose", ("NHI5", "PR.AA-05")),
    Behaviour("places", "", "identities with networks or regions", ("NHI2", "DE.AE-07")),
    Behaviour("canaries", "", "canaries", ("NHI2", "ASI10")),
    Behaviour("kinds", "", "machine identities", ("NHI10",)),
    Behaviour("issuers", "tasks whose agent or principal was proved", "trusted issuers", ("NHI4", "PR.AA-03", "PR.AA-04")),
    Behaviour("calls", "calls that the guard decided", "task kinds",
              ("PR.AA-05", "ASI02", "ASI03", "MEASURE 2.4")),
    Behaviour("denied", "calls that the guard refused", "", ("MANAGE 2.4",)),
    Behaviour("revoked", "revocations of tokens and of agents", "", ("MANAGE 2.4",)),
    Behaviour("asked", "calls about which a person was asked", "grants that ask a person", ("ASI09", "GOVERN 3.2")),
    Behaviour("origins", "", "rules of origin and flow", ("ASI01",)),
    Behaviour("delegations", "delegations that the guard decided", "agents that may delegate", ("ASI07",)),
    Behaviour("budgets", "", "budgets", ("ASI08",)),
    Behaviour("baselines", "", "baselines of task kinds", ("ASI10",)),
    Behaviour("records", "records in the ledger of what was no drill", "", ("PR.PS-04",)),
    Behaviour("ledger", "records in the ledger, with those of drills", "", ("MEASURE 2.8",)),
    Behaviour("findings", "findings made", "", ("DE.AE-02", "DE.AE-08")),
    Behaviour("agent_findings", "findings about AI agents", "", ("MEASURE 3.1",)),
    Behaviour("correlated", "findings that cite several sources", "", ("DE.AE-03",)),
    Behaviour("delivered", "findings that somebody else took over", "", ("DE.AE-06", "MANAGE 4.3")),
    Behaviour("answered", "findings that a person acknowledged or suppressed", "", ("DE.AE-08",)),
)  # fmt: skip
"""Beside codes, checks and drills."""

_AGENTS: Final = ("MEASURE 2.4", "MEASURE 2.7")
BY_SOURCE: Final[Mapping[str, tuple[str, ...]]] = {"licet": _AGENTS, "guard": _AGENTS}
"""What a drill is about by the source that it is played on: where agents' own calls are, it is about AI systems."""


class Means(NamedTuple):
    """All that there is about one entry, by name."""

    codes: tuple[str, ...]
    checks: tuple[str, ...]
    behaviours: tuple[Behaviour, ...]
    drills: tuple[tuple[Scenario, str], ...]

    @property
    def empty(self) -> bool:
        """Licet does nothing about it."""
        return not (self.codes or self.checks or self.behaviours or self.drills)


def means_of(entry: str) -> Means:
    """What there is about an entry."""
    return Means(
        tuple(each.name for each in CODES.values() if entry in each.references),
        tuple(each.id for each in CHECKS.values() if entry in each.references),
        tuple(each for each in BEHAVIOURS if entry in each.entries),
        tuple((each, source) for each in SCENARIOS for source in each.sources if entry in references_of(each, source)),
    )


def references_of(scenario: Scenario, source: str) -> Iterable[str]:
    """What a drill is about: by its scenario, and by where it is played."""
    return (*scenario.references, *BY_SOURCE.get(source, ()))
