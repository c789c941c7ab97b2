"""Every metric and every log event that Licet exports, in one place: what it is called, in which unit, and what it says with it.

`gen_ai.execute_tool.duration`: semantic-conventions-genai, later main (Development). Own names live under `licet.`, without plural and
without `total`; an attribute of a metric has few values, all of them declared in the manifest or here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from licet.telemetry import semconv
from licet.telemetry.semconv import Level

TOOL_DURATION = "gen_ai.execute_tool.duration"
DECISIONS = "licet.decision.count"
WAITING = "licet.approval.waiting"
MINTED = "licet.token.minted"
REFUSED = "licet.token.refused"
LEDGER_LAG = "licet.ledger.lag"
DROPPED = "licet.telemetry.dropped"
BLIND_SECONDS = "nhi.monitoring.blind_seconds"
FAILING = "nhi.monitoring.failing"
FIGURE = "nhi.monitoring.figure"
TIME = "nhi.monitoring.time"

DECISION = "licet.decision"
FINDING = "licet.finding"

INFO, WARN, ERROR = 9, 13, 17  # numbers of severity
FINDING_SEVERITIES = {"info": INFO, "low": INFO, "medium": WARN, "high": ERROR, "critical": ERROR}

OWN = ("licet.", "nhi.")
"""With which own names begin; `nhi.` is of what drills say of the monitoring of non-human identities."""

MOST = 1_000
"""Values of one attribute of a metric; those that come after them are `_OTHER`."""

SECONDS = tuple(0.01 * 2**step for step in range(14))  # 0.01 … 81.92, the buckets of the conventions


@dataclass(frozen=True, slots=True)
class Instrument:
    """One metric. `attributes`: each that a point may have, and how it has it. `boundaries`: of a histogram's buckets."""

    name: str
    kind: Literal["counter", "up-down counter", "histogram", "gauge"]
    unit: str
    description: str
    attributes: Mapping[str, Level]
    boundaries: tuple[float, ...] = ()

    @property
    def source(self) -> str:
        """Whose name it is."""
        return "Licet" if self.name.startswith(OWN) else "GenAI"


@dataclass(frozen=True, slots=True)
class Event:
    """One log event. Its body is a sentence, and it has the ids of the span that it belongs to."""

    name: str
    description: str
    attributes: Mapping[str, Level]
    severities: frozenset[int]


INSTRUMENTS: Mapping[str, Instrument] = {row.name: row for row in (
    Instrument(
        TOOL_DURATION, "histogram", "s", "How long tools ran",
        {semconv.TOOL_NAME: "required", semconv.TOOL_TYPE: "recommended", semconv.AGENT_NAME: "when", semconv.ERROR_TYPE: "when"},
        SECONDS,
    ),
    Instrument(
        DECISIONS, "counter", "{decision}", "Decisions, by what was enforced, what was judged, and the check that led",
        {
            semconv.DECISION_OUTCOME: "required", semconv.DECISION_JUDGED: "required", semconv.DECISION_REASON: "when",
            semconv.TOOL_NAME: "required", semconv.TASK_KIND: "when", semconv.AGENT_NAME: "when",
        },
    ),
    Instrument(WAITING, "up-down counter", "{call}", "Calls that wait for a person's answer", {}),
    Instrument(MINTED, "counter", "{token}", "Tokens minted, for one call or for a task", {semconv.TOKEN_ENVELOPE: "required"}),
    Instrument(REFUSED, "counter", "{token}", "Tokens refused, by the check that refused", {semconv.DECISION_REASON: "required"}),
    Instrument(LEDGER_LAG, "gauge", "s", "How old the oldest record is that could not be written to the ledger yet", {}),
    Instrument(DROPPED, "counter", "{item}", "Spans, log records and metrics not delivered", {semconv.TELEMETRY_SIGNAL: "required"}),
)}  # fmt: skip
"""Every metric of a guard, by name."""

MONITORING: Mapping[str, Instrument] = {row.name: row for row in (
    Instrument(BLIND_SECONDS, "gauge", "s", "For how long anything was blind, of the time of the scorecard", {}),
    Instrument(FAILING, "gauge", "1", "1 where the drills' verdict is FAIL, else 0", {}),
    Instrument(
        FIGURE, "gauge", "1", "A share of the scorecard, 0 to 1", {semconv.DRILL_FIGURE: "required", semconv.DRILL_SOURCE: "when"},
    ),
    Instrument(
        TIME, "gauge", "s", "A time of the scorecard", {semconv.DRILL_FIGURE: "required", semconv.DRILL_SOURCE: "required"},
    ),
)}  # fmt: skip
"""Every metric of what drills say of the monitoring, by name. `nhi.monitoring.blind_seconds` has its unit in its name, by which it is asked
for in alerts, whatever backend it goes through."""

METRICS: Mapping[str, Instrument] = {**INSTRUMENTS, **MONITORING}
"""Every metric, by name."""

_NEVER_TOLD = {semconv.RECORD, semconv.RESULT_DIGEST}  # the span has them, when it ends

EVENTS: Mapping[str, Event] = {row.name: row for row in (
    Event(
        DECISION, "What was decided of one call, and why",
        {name: row.tool for name, row in semconv.ATTRIBUTES.items() if row.tool not in ("", "opt-in") and name not in _NEVER_TOLD}
        | {semconv.OWNER: "when"},
        frozenset({INFO, WARN}),
    ),
    Event(
        FINDING, "Something that an owner must look at",
        {
            semconv.FINDING_ID: "required", semconv.FINDING_CHECK: "required", semconv.FINDING_SEVERITY: "required",
            semconv.FINDING_REFERENCES: "when", semconv.FINDING_CODES: "when", semconv.FINDING_STATUS: "when",
            semconv.IDENTITY_ID: "when", semconv.OWNER: "when", semconv.TASK_ID: "when", semconv.CALL_ID: "when",
        },
        frozenset({INFO, WARN, ERROR}),
    ),
)}  # fmt: skip
"""Every log event, by name."""
