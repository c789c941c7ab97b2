"""The four catalogues, with the titles as they were published.

Of the two of NIST's a selection: what is about identities, inventory, monitoring, evidence and people's control. Of what is not here the
report says nothing.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Entry(NamedTuple):
    """One entry: the id by which codes, checks and scenarios refer to it, and its title."""

    id: str
    title: str


class Catalogue(NamedTuple):
    """A published list of risks or outcomes. `whole`: all of its entries are here."""

    key: str
    name: str
    whole: bool
    entries: tuple[Entry, ...]


_NHI: Final = (
    Entry("NHI1", "Improper Offboarding"),
    Entry("NHI2", "Secret Leakage"),
    Entry("NHI3", "Vulnerable Third-Party NHI"),
    Entry("NHI4", "Insecure Authentication"),
    Entry("NHI5", "Overprivileged NHI"),
    Entry("NHI6", "Insecure Cloud Deployment Configurations"),
    Entry("NHI7", "Long-Lived Secrets"),
    Entry("NHI8", "Environment Isolation"),
    Entry("NHI9", "NHI Reuse"),
    Entry("NHI10", "Human Use of NHI"),
)
_AGENTIC: Final = (
    Entry("ASI01", "Agent Goal Hijack"),
    Entry("ASI02", "Tool Misuse and Exploitation"),
    Entry("ASI03", "Identity and Privilege Abuse"),
    Entry("ASI04", "Agentic Supply Chain Vulnerabilities"),
    Entry("ASI05", "Unexpected Code Execution (RCE)"),
    Entry("ASI06", "Memory & Context Poisoning"),
    Entry("ASI07", "Insecure Inter-Agent Communication"),
    Entry("ASI08", "Cascading Failures"),
    Entry("ASI09", "Human-Agent Trust Exploitation"),
    Entry("ASI10", "Rogue Agents"),
)
_CSF: Final = (
    Entry("ID.AM-02", "Inventories of software, services, and systems managed by the organization are maintained"),
    Entry(
        "ID.AM-03",
        "Representations of the organization's authorized network communication and internal and external network data flows are "
        "maintained",
    ),
    Entry("ID.AM-04", "Inventories of services provided by suppliers are maintained"),
    Entry("ID.AM-05", "Assets are prioritized based on classification, criticality, resources, and impact on the mission"),
    Entry("ID.AM-07", "Inventories of data and corresponding metadata for designated data types are maintained"),
    Entry("ID.AM-08", "Systems, hardware, software, services, and data are managed throughout their life cycles"),
    Entry("PR.AA-01", "Identities and credentials for authorized users, services, and hardware are managed by the organization"),
    Entry("PR.AA-02", "Identities are proofed and bound to credentials based on the context of interactions"),
    Entry("PR.AA-03", "Users, services, and hardware are authenticated"),
    Entry("PR.AA-04", "Identity assertions are protected, conveyed, and verified"),
    Entry(
        "PR.AA-05",
        "Access permissions, entitlements, and authorizations are defined in a policy, managed, enforced, and reviewed, and incorporate "
        "the principles of least privilege and separation of duties",
    ),
    Entry("PR.PS-04", "Log records are generated and made available for continuous monitoring"),
    Entry("DE.CM-01", "Networks and network services are monitored to find potentially adverse events"),
    Entry("DE.CM-03", "Personnel activity and technology usage are monitored to find potentially adverse events"),
    Entry("DE.CM-06", "External service provider activities and services are monitored to find potentially adverse events"),
    Entry(
        "DE.CM-09", "Computing hardware and software, runtime environments, and their data are monitored to find potentially adverse events"
    ),
    Entry("DE.AE-02", "Potentially adverse events are analyzed to better understand associated activities"),
    Entry("DE.AE-03", "Information is correlated from multiple sources"),
    Entry("DE.AE-04", "The estimated impact and scope of adverse events are understood"),
    Entry("DE.AE-06", "Information on adverse events is provided to authorized staff and tools"),
    Entry("DE.AE-07", "Cyber threat intelligence and other contextual information are integrated into the analysis"),
    Entry("DE.AE-08", "Incidents are declared when adverse events meet the defined incident criteria"),
)
_AI_RMF: Final = (
    Entry(
        "GOVERN 1.4",
        "The risk management process and its outcomes are established through transparent policies, procedures, and other controls based "
        "on organizational risk priorities.",
    ),
    Entry(
        "GOVERN 1.5",
        "Ongoing monitoring and periodic review of the risk management process and its outcomes are planned and organizational roles and "
        "responsibilities clearly defined, including determining the frequency of periodic review.",
    ),
    Entry("GOVERN 1.6", "Mechanisms are in place to inventory AI systems and are resourced according to organizational risk priorities."),
    Entry(
        "GOVERN 1.7",
        "Processes and procedures are in place for decommissioning and phasing out AI systems safely and in a manner that does not "
        "increase risks or decrease the organization's trustworthiness.",
    ),
    Entry(
        "GOVERN 2.1",
        "Roles and responsibilities and lines of communication related to mapping, measuring, and managing AI risks are documented and are "
        "clear to individuals and teams throughout the organization.",
    ),
    Entry(
        "GOVERN 3.2",
        "Policies and procedures are in place to define and differentiate roles and responsibilities for human-AI configurations and "
        "oversight of AI systems.",
    ),
    Entry(
        "MEASURE 2.4",
        "The functionality and behavior of the AI system and its components – as identified in the MAP function – are monitored when in "
        "production.",
    ),
    Entry(
        "MEASURE 2.6",
        "The AI system is evaluated regularly for safety risks – as identified in the MAP function. The AI system to be deployed is "
        "demonstrated to be safe, its residual negative risk does not exceed the risk tolerance, and it can fail safely, particularly if "
        "made to operate beyond its knowledge limits. Safety metrics reflect system reliability and robustness, real-time monitoring, and "
        "response times for AI system failures.",
    ),
    Entry("MEASURE 2.7", "AI system security and resilience – as identified in the MAP function – are evaluated and documented."),
    Entry(
        "MEASURE 2.8",
        "Risks associated with transparency and accountability – as identified in the MAP function – are examined and documented.",
    ),
    Entry(
        "MEASURE 3.1",
        "Approaches, personnel, and documentation are in place to regularly identify and track existing, unanticipated, and emergent AI "
        "risks based on factors such as intended and actual performance in deployed contexts.",
    ),
    Entry("MANAGE 2.3", "Procedures are followed to respond to and recover from a previously unknown risk when it is identified."),
    Entry(
        "MANAGE 2.4",
        "Mechanisms are in place and applied, and responsibilities are assigned and understood, to supersede, disengage, or deactivate AI "
        "systems that demonstrate performance or outcomes inconsistent with intended use.",
    ),
    Entry(
        "MANAGE 3.1",
        "AI risks and benefits from third-party resources are regularly monitored, and risk controls are applied and documented.",
    ),
    Entry(
        "MANAGE 4.1",
        "Post-deployment AI system monitoring plans are implemented, including mechanisms for capturing and evaluating input from users "
        "and other relevant AI actors, appeal and override, decommissioning, incident response, recovery, and change management.",
    ),
    Entry(
        "MANAGE 4.3",
        "Incidents and errors are communicated to relevant AI actors, including affected communities. Processes for tracking, responding "
        "to, and recovering from incidents and errors are followed and documented.",
    ),
)

CATALOGUES: Final[tuple[Catalogue, ...]] = (
    Catalogue("owasp-nhi-2025", "OWASP Non-Human Identities Top 10 2025", True, _NHI),  # noqa: FBT003
    Catalogue("owasp-agentic-2026", "OWASP Top 10 for Agentic Applications 2026", True, _AGENTIC),  # noqa: FBT003
    Catalogue("nist-csf-2.0", "NIST Cybersecurity Framework 2.0", False, _CSF),  # noqa: FBT003
    Catalogue("nist-ai-rmf-1.0", "NIST AI Risk Management Framework 1.0", False, _AI_RMF),  # noqa: FBT003
)
"""In the order of the report."""
