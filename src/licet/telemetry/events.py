"""Decisions and findings as log events, over the OpenTelemetry logs API. No method raises, and none waits for an exporter.

The API of log records changed with 1.35 (the field for an event's name) and 1.38 (records are made by the logger); both are served.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Mapping
from typing import Any

from opentelemetry._logs import Logger, LoggerProvider, LogRecord, NoOpLogger, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from licet.records import Finding
from licet.secretlike import scrub
from licet.telemetry import semconv
from licet.telemetry.clear import Door
from licet.telemetry.instruments import DECISION, EVENTS, FINDING, FINDING_SEVERITIES, INFO, WARN

_log = logging.getLogger("licet.telemetry")
_LOGGER_MAKES_RECORDS = "event_name" in inspect.signature(Logger.emit).parameters
_RECORDS_ARE_NAMED = "event_name" in inspect.signature(LogRecord.__init__).parameters


class Events:
    """Emits log events. `provider`: where to; None: nowhere."""

    def __init__(self, provider: LoggerProvider | None, version: str, door: Door | None = None) -> None:
        self._door = door or Door()
        self._logger: Logger = NoOpLogger("licet")
        try:
            if provider is not None:
                self._logger = provider.get_logger("licet", version)
        # A provider of the application may raise anything; without log events a guard works as well.
        except Exception:  # noqa: BLE001 - see above
            _log.warning("there will be no log events: the logger provider cannot be used", exc_info=True)

    @property
    def leave(self) -> bool:
        """Whether there is a place that they go to."""
        return not isinstance(self._logger, NoOpLogger)

    def decision(
        self, attributes: Mapping[str, Any], *, trace_id: str = "", span_id: str = "", denied: bool = False, sampled: bool = True
    ) -> None:
        """Emit `licet.decision`. `attributes` are those of the call's span, and `licet.owner`; contents and what is not known are left out.

        `denied`: the call was refused, or would have been (`observe`): a warning. The ids are those of the span, in hex; `sampled` says
        whether it is recorded.
        """
        sentence = _sentence(attributes)
        self._emit(DECISION, WARN if denied else INFO, sentence, attributes, (trace_id, span_id, sampled))

    def finding(self, finding: Finding, *, trace_id: str = "", span_id: str = "", sampled: bool = True, status: str = "") -> None:
        """Emit `licet.finding`. `status`: of one that explains itself, `open` or `withdrawn`.

        What one says that explains itself comes out of events whose parts were cleaned when they were taken in, each by itself: the name of
        an operation (`secretsmanager:GetSecretValue`) or of a secret would be taken for one here.
        """
        attributes = {
            semconv.FINDING_ID: finding.id, semconv.FINDING_CHECK: finding.check, semconv.FINDING_SEVERITY: finding.severity,
            semconv.FINDING_REFERENCES: list(finding.references), semconv.TASK_ID: finding.task_id, semconv.CALL_ID: finding.call_id,
            semconv.OWNER: finding.owner,
        }  # fmt: skip
        why = finding.explanation
        if why is not None:
            attributes |= {semconv.FINDING_CODES: list(why.codes), semconv.FINDING_STATUS: status, semconv.IDENTITY_ID: why.identity}
        severity = FINDING_SEVERITIES[finding.severity]
        self._emit(FINDING, severity, finding.sentence, attributes, (trace_id, span_id, sampled), clean=why is not None)

    def _emit(
        self, name: str, severity: int, body: str, attributes: Mapping[str, Any], span: tuple[str, str, bool], *, clean: bool = False
    ) -> None:  # fmt: skip
        try:
            known, number = EVENTS[name].attributes, SeverityNumber(severity)
            there = {key: value for key, value in attributes.items() if key in known and value not in ("", None, [], ())}
            told = {key: _sendable(value if clean else self._door.clear(key, value)) for key, value in there.items()}
            sentence = _sendable(body if clean else scrub(body))
            fields = {
                "timestamp": time.time_ns(), "severity_number": number, "severity_text": number.name, "body": sentence,
                "attributes": told,
            }  # fmt: skip
            flags = TraceFlags(TraceFlags.SAMPLED if span[2] else TraceFlags.DEFAULT)
            where = SpanContext(int(span[0] or "0", 16), int(span[1] or "0", 16), is_remote=False, trace_flags=flags)
            emit = _emit_now if _LOGGER_MAKES_RECORDS else _emit_record
            emit(self._logger, name, fields, where)
        # A processor of the application may raise anything; telemetry never reaches into a call.
        except Exception:  # noqa: BLE001 - see above
            _log.warning("a log event could not be emitted: %s", name, exc_info=True)


def _emit_now(logger: Any, name: str, fields: dict[str, Any], where: SpanContext) -> None:
    logger.emit(**fields, event_name=name, context=_context(where))


def _emit_record(logger: Any, name: str, fields: dict[str, Any], where: SpanContext) -> None:
    """As above, before 1.38. Before 1.35 a record has no field for the event's name, and its attribute `event.name` has it."""
    from opentelemetry.sdk import _logs as sdk

    if _RECORDS_ARE_NAMED:
        fields |= {"event_name": name, "context": _context(where)}
    else:
        fields["attributes"] |= {semconv.EVENT_NAME: name}
        fields |= {"trace_id": where.trace_id, "span_id": where.span_id, "trace_flags": where.trace_flags}
    make: Any = sdk.LogRecord  # type: ignore[attr-defined]  # gone since 1.39
    logger.emit(make(**fields, resource=getattr(logger, "resource", None)))


def _context(where: SpanContext) -> Context:
    """A context of its own: an event without a span must not be taken for one of the span that is current."""
    return set_span_in_context(NonRecordingSpan(where), Context())


def _sentence(attributes: Mapping[str, Any]) -> str:
    """The leading reason; of a call to which nothing was held against, or which a person approved, that it is allowed."""
    outcome, judged = attributes.get(semconv.DECISION_OUTCOME), attributes.get(semconv.DECISION_JUDGED)
    told = attributes.get(semconv.DECISION_SENTENCE)
    if told and (outcome, judged) != ("allow", "allow"):
        return str(told)
    said = {"allow": "allowed", "ask": "to be confirmed by a person", "deny": "denied"}.get(str(outcome), "decided")
    return f"`{attributes.get(semconv.TOOL_NAME, '')}` is {said}"


def _sendable(value: Any) -> Any:
    """The value, cut to what a record may hold, and without what no UTF-8 can say: one such record would lose the whole batch."""
    if isinstance(value, str):
        return value[: semconv.LONGEST].encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, (list, tuple)):
        return [_sendable(str(each)) for each in value[: semconv.LONGEST]]
    return value
