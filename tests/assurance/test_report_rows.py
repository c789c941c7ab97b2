"""What a row of the report says, and that nothing is green without a drill that was held against the ledger."""

from __future__ import annotations

import re

import pytest

from drilled import DAY, NOW, by_id, drill, facts_of, round_of
from licet.assurance.catalogues import CATALOGUES
from licet.assurance.cells import cells
from licet.assurance.facts import Facts, Sighting
from licet.assurance.mapping import BEHAVIOURS, means_of
from licet.catalogue import CHECKS
from licet.drill.audit import UNREVEALED
from licet.drill.scenarios import SCENARIOS
from licet.monitor.codes import CODES

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

# As the publishers have them.
TITLES = {
    "NHI1": "Improper Offboarding",
    "NHI2": "Secret Leakage",
    "NHI3": "Vulnerable Third-Party NHI",
    "NHI4": "Insecure Authentication",
    "NHI5": "Overprivileged NHI",
    "NHI6": "Insecure Cloud Deployment Configurations",
    "NHI7": "Long-Lived Secrets",
    "NHI8": "Environment Isolation",
    "NHI9": "NHI Reuse",
    "NHI10": "Human Use of NHI",
    "ASI01": "Agent Goal Hijack",
    "ASI02": "Tool Misuse and Exploitation",
    "ASI03": "Identity and Privilege Abuse",
    "ASI04": "Agentic Supply Chain Vulnerabilities",
    "ASI05": "Unexpected Code Execution (RCE)",
    "ASI06": "Memory & Context Poisoning",
    "ASI07": "Insecure Inter-Agent Communication",
    "ASI08": "Cascading Failures",
    "ASI09": "Human-Agent Trust Exploitation",
    "ASI10": "Rogue Agents",
    "ID.AM-02": "Inventories of software, services, and systems managed by the organization are maintained",
    "ID.AM-03": "Representations of the organization's authorized network communication and internal and external network data flows are maintained",
    "ID.AM-04": "Inventories of services provided by suppliers are maintained",
    "ID.AM-05": "Assets are prioritized based on classification, criticality, resources, and impact on the mission",
    "ID.AM-07": "Inventories of data and corresponding metadata for designated data types are maintained",
    "ID.AM-08": "Systems, hardware, software, services, and data are managed throughout their life cycles",
    "PR.AA-01": "Identities and credentials for authorized users, services, and hardware are managed by the organization",
    "PR.AA-02": "Identities are proofed and bound to credentials based on the context of interactions",
    "PR.AA-03": "Users, services, and hardware are authenticated",
    "PR.AA-04": "Identity assertions are protected, conveyed, and verified",
    "PR.AA-05": "Access permissions, entitlements, and authorizations are defined in a policy, managed, enforced, and reviewed, and incorporate the principles of least privilege and separation of duties",
    "PR.PS-04": "Log records are generated and made available for continuous monitoring",
    "DE.CM-01": "Networks and network services are monitored to find potentially adverse events",
    "DE.CM-03": "Personnel activity and technology usage are monitored to find potentially adverse events",
    "DE.CM-06": "External service provider activities and services are monitored to find potentially adverse events",
    "DE.CM-09": "Computing hardware and software, runtime environments, and their data are monitored to find potentially adverse events",
    "DE.AE-02": "Potentially adverse events are analyzed to better understand associated activities",
    "DE.AE-03": "Information is correlated from multiple sources",
    "DE.AE-04": "The estimated impact and scope of adverse events are understood",
    "DE.AE-06": "Information on adverse events is provided to authorized staff and tools",
    "DE.AE-07": "Cyber threat intelligence and other contextual information are integrated into the analysis",
    "DE.AE-08": "Incidents are declared when adverse events meet the defined incident criteria",
    "GOVERN 1.4": "The risk management process and its outcomes are established through transparent policies, procedures, and other controls based on organizational risk priorities.",
    "GOVERN 1.5": "Ongoing monitoring and periodic review of the risk management process and its outcomes are planned and organizational roles and responsibilities clearly defined, including determining the frequency of periodic review.",
    "GOVERN 1.6": "Mechanisms are in place to inventory AI systems and are resourced according to organizational risk priorities.",
    "GOVERN 1.7": "Processes and procedures are in place for decommissioning and phasing out AI systems safely and in a manner that does not increase risks or decrease the organization's trustworthiness.",
    "GOVERN 2.1": "Roles and responsibilities and lines of communication related to mapping, measuring, and managing AI risks are documented and are clear to individuals and teams throughout the organization.",
    "GOVERN 3.2": "Policies and procedures are in place to define and differentiate roles and responsibilities for human-AI configurations and oversight of AI systems.",
    "MEASURE 2.4": "The functionality and behavior of the AI system and its components – as identified in the MAP function – are monitored when in production.",
    "MEASURE 2.6": "The AI system is evaluated regularly for safety risks – as identified in the MAP function. The AI system to be deployed is demonstrated to be safe, its residual negative risk does not exceed the risk tolerance, and it can fail safely, particularly if made to operate beyond its knowledge limits. Safety metrics reflect system reliability and robustness, real-time monitoring, and response times for AI system failures.",
    "MEASURE 2.7": "AI system security and resilience – as identified in the MAP function – are evaluated and documented.",
    "MEASURE 2.8": "Risks associated with transparency and accountability – as identified in the MAP function – are examined and documented.",
    "MEASURE 3.1": "Approaches, personnel, and documentation are in place to regularly identify and track existing, unanticipated, and emergent AI risks based on factors such as intended and actual performance in deployed contexts.",
    "MANAGE 2.3": "Procedures are followed to respond to and recover from a previously unknown risk when it is identified.",
    "MANAGE 2.4": "Mechanisms are in place and applied, and responsibilities are assigned and understood, to supersede, disengage, or deactivate AI systems that demonstrate performance or outcomes inconsistent with intended use.",
    "MANAGE 3.1": "AI risks and benefits from third-party resources are regularly monitored, and risk controls are applied and documented.",
    "MANAGE 4.1": "Post-deployment AI system monitoring plans are implemented, including mechanisms for capturing and evaluating input from users and other relevant AI actors, appeal and override, decommissioning, incident response, recovery, and change management.",
    "MANAGE 4.3": "Incidents and errors are communicated to relevant AI actors, including affected communities. Processes for tracking, responding to, and recovering from incidents and errors are followed and documented.",
}
ENTRIES = {entry.id: entry.title for of in CATALOGUES for entry in of.entries}


def test_the_titles_are_those_that_were_published_in_their_order():
    assert ENTRIES == TITLES
    assert list(ENTRIES) == list(TITLES)


def test_each_reference_of_a_code_a_check_or_a_scenario_has_its_row():
    """But for those to MITRE's two, which are no list of what is to be done."""
    named = {each for of in (*CODES.values(), *CHECKS.values(), *SCENARIOS) for each in of.references}
    named |= {each for of in BEHAVIOURS for each in of.entries}
    assert {each for each in named if not re.match(r"T\d|AML\.", each)} <= set(ENTRIES)


def test_each_behaviour_is_counted_by_somebody():
    """A name that nobody counts would never be seen, and nobody would know."""
    from pathlib import Path

    import licet.assurance

    folder = Path(licet.assurance.__file__).parent
    text = "".join((folder / f"{name}.py").read_text() for name in ("inventoried", "manifested", "recorded", "gathered"))
    for each in BEHAVIOURS:
        assert re.search(rf'"{each.name}":|\b{each.name}=', text), each.name


# Verified by drill --------------------------------------------------------------------------------------------------------


def test_a_drill_that_passed_makes_the_rows_of_its_references_green_and_no_other():
    found = by_id(facts_of(round_of("D1")))
    green = {uid for uid, each in found.items() if each.standing == "verified by drill"}
    assert green == {each for each in SCENARIOS[0].references if each in ENTRIES}
    [cited] = found["NHI1"].evidence
    assert (cited.kind, cited.name, cited.of, cited.says) == ("drill", "D1 cloudtrail", "drill", "a revoked key is used")


def test_a_green_row_names_the_drill_and_its_two_records_of_the_ledger():
    drills = round_of("D1")
    [cited] = by_id(facts_of(drills))["NHI1"].evidence
    assert (cited.id, cited.ledger, cited.time) == (drills[0].row.id, (drills[0].row.seq, drills[0].row.revealed), NOW - DAY)


MISUSE, TWIN, SHADOW = round_of("D1")
WITHOUT = {
    "no drill": [],
    "the misuse alone": [MISUSE],
    "no twin": [MISUSE, SHADOW],
    "no shadow": [MISUSE, TWIN],
    "a twin alone": [TWIN, SHADOW],
    "the misuse failed": [drill(passed=False), TWIN, SHADOW],
    "the twin failed": [MISUSE, drill(twin=True, passed=False), SHADOW],
    "the shadow failed": [MISUSE, TWIN, drill(shadow=True, passed=False)],
    "it passed once, and fails now": [MISUSE, TWIN, SHADOW, drill(passed=False, begins=NOW - 60)],
    "its twin passed once, and fails now": [MISUSE, TWIN, SHADOW, drill(twin=True, passed=False, begins=NOW - 60)],
    "eight days ago": round_of("D1", begins=NOW - 8 * DAY),
    "tomorrow": round_of("D1", begins=NOW + DAY),
    "not over yet": [each._replace(open=True) for each in (MISUSE, TWIN, SHADOW)],
    "one was never revealed since": [MISUSE, TWIN, SHADOW, drill(begins=NOW - 300, told=False, wrong=UNREVEALED)],
    "none is in the ledger": [each._replace(wrong="no record of the ledger commits to it") for each in (MISUSE, TWIN, SHADOW)],
    "somebody changed another drill": [
        MISUSE, TWIN, SHADOW, drill("D2", begins=NOW - 3 * DAY, wrong="its result is not what the drills' key signed")
    ],
    "somebody changed when another drill was due": [
        MISUSE, TWIN, SHADOW, drill("D2", begins=NOW - 3 * DAY, wrong="the ledger commits to something else than the book says, or …")
    ],
}  # fmt: skip


@pytest.mark.parametrize("case", WITHOUT)
def test_no_row_is_green_where_its_drill_does_not_stand(case: str):
    assert {each.standing for each in by_id(facts_of(WITHOUT[case])).values()} == {"absent"}


def test_no_row_is_green_where_something_is_wrong_with_the_book_as_a_whole():
    found = by_id(facts_of(round_of("D1"), ("drill 00 was committed to in the ledger, and is not in the book: somebody took it away",)))
    assert {each.standing for each in found.values()} == {"absent"}
    assert "somebody took it away" in found["NHI1"].fails[0]


def test_a_drill_that_was_never_revealed_is_made_up_for_by_a_later_one():
    """Nobody can tell which it was, so that it counts against all that passed before it, and against nothing after it."""
    lost = drill(begins=NOW - 2 * DAY, told=False, wrong=UNREVEALED)
    found = by_id(facts_of([*round_of("D6", begins=NOW - 3 * DAY), lost, *round_of("D1")]))
    assert found["NHI1"].standing == "verified by drill"
    assert found["NHI8"].standing == "absent"
    assert "never revealed" in found["NHI8"].fails[0]


def test_one_failing_drill_of_several_about_an_entry_takes_the_green_away_and_is_named():
    drills = [*round_of("D1"), *round_of("D1", "kubernetes")[1:], drill("D1", "kubernetes", passed=False)]
    row = by_id(facts_of(drills))["NHI1"]
    assert (row.standing, row.fails) == ("absent", ("D1 kubernetes: nothing came back",))
    assert not [each for each in row.evidence if each.kind == "drill"]


def test_a_drill_that_was_not_played_takes_nothing_away_but_is_no_proof():
    drilled = cells(facts_of(round_of("D1")).audit, NOW)
    assert [each.name for each in drilled if each.passed] == ["D1 cloudtrail"]
    assert {each.why for each in drilled if not each.passed} == {"not drilled within 7 days"}


def test_whatever_is_seen_and_declared_nothing_is_green_without_a_drill():
    facts = Facts(
        NOW, seen={each.name: 5 for each in BEHAVIOURS}, declared={each.name: 5 for each in BEHAVIOURS},
        codes={name: Sighting(name, 3, 2, "f1", NOW, 7) for name in CODES}, checks={name: Sighting(name, 3, 0, "f2", NOW, 8) for name in CHECKS},
    )  # fmt: skip
    found = by_id(facts)
    assert "verified by drill" not in {each.standing for each in found.values()}
    by_drills_alone = {uid for uid in ENTRIES if means_of(uid)._replace(drills=()).empty}
    assert {uid for uid, each in found.items() if each.standing == "absent"} == by_drills_alone


# The other three ------------------------------------------------------------------------------------------------------------


def test_a_finding_of_a_code_is_observed_and_named_with_its_record():
    row = by_id(Facts(NOW, codes={"ENV_CROSSING": Sighting("ENV_CROSSING", 2, 5, "f9", NOW - 60, 12)}))["NHI8"]
    assert row.standing == "observed"
    [cited] = row.evidence
    assert (cited.kind, cited.name, cited.number, cited.of, cited.id, cited.ledger) == ("code", "ENV_CROSSING", 2, "finding", "f9", (12,))


def test_a_signal_that_is_no_finding_is_observed_too_and_called_a_signal():
    row = by_id(Facts(NOW, codes={"NEW_API": Sighting("NEW_API", 0, 5, "s9", NOW - 60)}))["NHI5"]
    assert (row.standing, row.evidence[0].of, row.evidence[0].number) == ("observed", "signal", 5)


def test_a_denial_of_a_check_is_observed_by_the_id_of_the_check():
    row = by_id(Facts(NOW, checks={"guard.self": Sighting("guard.self", 1, 0, "f3", NOW - 60, 4)}))["ASI05"]
    assert (row.standing, row.evidence[0].kind, row.evidence[0].name) == ("observed", "check", "guard.self")


def test_a_number_of_the_inventory_is_observed():
    row = by_id(Facts(NOW, seen={"identities": 4}, declared={"identities": 9}))["ID.AM-02"]
    assert (row.standing, row.behaviour) == ("observed", "Identities seen at work: 4; declared: identities (9).")


def test_what_is_declared_and_not_seen_is_declared_only():
    row = by_id(Facts(NOW, declared={"environments": 2}))["NHI8"]
    assert (row.standing, row.behaviour) == ("declared only", "Declared: environments (2); nothing of it was seen.")


def test_what_is_neither_is_absent_and_says_what_would_show_it():
    row = by_id(Facts(NOW))["NHI8"]
    assert row.standing == "absent"
    assert "ENV_CROSSING" in row.behaviour
    assert "licet drill run" in row.behaviour
    assert row.evidence == ()


@pytest.mark.parametrize("entry", ["NHI6", "ASI06", "ID.AM-03", "GOVERN 1.4"])
def test_what_licet_does_nothing_about_says_so_plainly(entry: str):
    row = by_id(Facts(NOW, seen={each.name: 1 for each in BEHAVIOURS}))[entry]
    assert (row.standing, row.behaviour) == ("absent", "Licet does nothing about this.")


def test_a_zero_is_nothing_seen():
    assert by_id(Facts(NOW, seen={"identities": 0}, declared={"identities": 0}))["ID.AM-02"].standing == "absent"


def test_drills_on_agents_own_calls_are_about_ai_systems_and_others_are_not():
    assert by_id(facts_of(round_of("D12", "licet")))["MEASURE 2.7"].standing == "verified by drill"
    assert by_id(facts_of(round_of("D12", "cloudtrail")))["MEASURE 2.7"].standing == "absent"


def test_every_row_says_something_behind_it_or_that_there_is_nothing():
    for each in by_id(facts_of(round_of("D1"))).values():
        assert bool(each.evidence) == (each.standing != "absent")
        assert each.behaviour.endswith(".")
