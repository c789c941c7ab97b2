"""Log events: decisions and findings over a real OTLP/HTTP receiver, found from their spans, and never a content."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from exported import Receiver
from exported_run import Providers
from licet.records import Because, Explanation, Finding
from licet.telemetry.conventions_logs import check
from licet.telemetry.events import Events
from licet.telemetry.instruments import EVENTS
from licet.telemetry.read_logs import ReadLog, logs_of

TRACE, SPAN = "a" * 31 + "1", "b" * 15 + "2"
DECIDED = {
    "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "send", "licet.decision.outcome": "deny", "licet.decision.judged": "deny",
    "licet.decision.reason": "scope.tool", "licet.decision.sentence": "`send` is not granted", "licet.decision.path": ["to", "call 1"],
    "licet.call.seq": 2, "licet.approval.waited": 1.5, "licet.owner": "support",
}  # fmt: skip
FOUND = Finding("c" * 16, 1.0, "origin.argument", "high", "It came from a stranger", "d" * 32, "e" * 32, "support", ("ASI01", "ASI02"))


class Sent:
    """An application's logger provider, and what the receiver got of it."""

    def __init__(self) -> None:
        self._receiver = Receiver()
        self._providers = Providers(self._receiver.url)
        self.events = Events(self._providers.logs, "1")

    def all(self) -> list[ReadLog]:
        found = [log for request in self._receiver.logs for log in logs_of(request, "here:1")]
        assert all(isinstance(each, ReadLog) for each in found), found
        return [each for each in found if isinstance(each, ReadLog)]

    def one(self) -> ReadLog:
        (found,) = self.all()
        return found

    def close(self) -> None:
        self._providers.close()
        self._receiver.close()


@pytest.fixture
def sent() -> Iterator[Sent]:
    here = Sent()
    yield here
    here.close()


def test_a_denial_is_a_warning_that_leads_to_its_span(sent: Sent) -> None:
    """With what the span says, and whose agent it is."""
    sent.events.decision(DECIDED, trace_id=TRACE, span_id=SPAN, denied=True)
    log = sent.one()
    assert (log.event, log.severity, log.severity_text, log.body) == ("licet.decision", 13, "WARN", "`send` is not granted")
    assert (log.trace_id, log.span_id, log.scope) == (TRACE, SPAN, "licet")
    assert log.time > 0
    assert log.attributes == DECIDED


@pytest.mark.parametrize(
    "outcome, judged, sentence, body",
    [
        ("allow", "allow", "", "`send` is allowed"), ("allow", "allow", "a person confirms each call", "`send` is allowed"),
        ("allow", "deny", "`send` is not granted", "`send` is not granted"), ("ask", "ask", "", "`send` is to be confirmed by a person"),
    ],
)  # fmt: skip
def test_what_is_not_denied_is_a_piece_of_information(outcome: str, judged: str, sentence: str, body: str, sent: Sent) -> None:
    """And its body is a sentence of its own, even where nothing was held against the call."""
    sent.events.decision(
        {
            "gen_ai.tool.name": "send",
            "licet.decision.outcome": outcome,
            "licet.decision.judged": judged,
            "licet.decision.sentence": sentence,
        }
    )
    assert (sent.one().severity, sent.one().severity_text, sent.one().body) == (9, "INFO", body)


def test_contents_and_what_is_not_known_stay_here(sent: Sent) -> None:
    """Even where somebody opted in to have contents on spans; what is empty is left out."""
    more = {
        "gen_ai.tool.call.arguments": "{}", "gen_ai.tool.call.result": "r", "gen_ai.tool.description": "d", "licet.record": "{}",
        "licet.call.reason": "because", "color": "red", "licet.task.kind": "", "licet.chain.previous_tool": None,
    }  # fmt: skip
    sent.events.decision({**DECIDED, **more}, trace_id=TRACE, span_id=SPAN, denied=True)
    assert sent.one().attributes == DECIDED


@pytest.mark.parametrize(
    "severity, number, text",
    [("info", 9, "INFO"), ("low", 9, "INFO"), ("medium", 13, "WARN"), ("high", 17, "ERROR"), ("critical", 17, "ERROR")],
)
def test_a_finding_is_as_severe_as_it_is(severity: Any, number: int, text: str, sent: Sent) -> None:
    sent.events.finding(Finding("c" * 16, 1.0, "origin.argument", severity, "It came from a stranger"))
    assert (sent.one().event, sent.one().severity, sent.one().severity_text) == ("licet.finding", number, text)


def test_a_finding_says_what_whose_and_where(sent: Sent) -> None:
    sent.events.finding(FOUND, trace_id=TRACE, span_id=SPAN)
    log = sent.one()
    assert (log.body, log.trace_id, log.span_id) == ("It came from a stranger", TRACE, SPAN)
    assert log.attributes == {
        "licet.finding.id": "c" * 16, "licet.finding.check": "origin.argument", "licet.finding.severity": "high",
        "licet.finding.references": ["ASI01", "ASI02"], "licet.task.id": "d" * 32, "licet.call.id": "e" * 32, "licet.owner": "support",
    }  # fmt: skip
    of_identities = {"licet.finding.codes", "licet.finding.status", "licet.identity.id"}
    assert set(log.attributes) == set(EVENTS["licet.finding"].attributes) - of_identities


def test_a_finding_about_an_identity_names_it_and_its_reasons(sent: Sent) -> None:
    """With names of operations and secrets as they are: they look like secrets, and are what the finding is about."""
    whom, said = "arn:aws:iam::111122223333:role/ci", "used secretsmanager:GetSecretValue, which it is not for"
    why = Explanation(whom, (), (Because("OUT_OF_PURPOSE_USE", said, "s3:*", "declared", 1.0),), ())
    sent.events.finding(Finding("c" * 24, 1.0, "monitor.out-of-purpose-use", "high", said, explanation=why), status="withdrawn")
    log = sent.one()
    assert (log.body, log.trace_id) == (said, "")
    assert log.attributes == {
        "licet.finding.id": "c" * 24, "licet.finding.check": "monitor.out-of-purpose-use", "licet.finding.severity": "high",
        "licet.finding.codes": ["OUT_OF_PURPOSE_USE"], "licet.finding.status": "withdrawn", "licet.identity.id": whom,
    }  # fmt: skip
    assert [each.code for each in check([log], {})] == []


@pytest.mark.parametrize("ids", [{}, {"trace_id": "0" * 32, "span_id": "0" * 16}], ids=["none", "zeros"])
def test_an_event_without_a_span_is_not_taken_for_one_of_the_current_span(ids: dict[str, str], sent: Sent) -> None:
    with TracerProvider().get_tracer("app").start_as_current_span("outer") as outer:
        assert outer.get_span_context().is_valid
        sent.events.finding(FOUND, **ids)
    assert (sent.one().trace_id, sent.one().span_id) == ("", "")


def test_the_span_of_the_call_counts_and_not_the_current_one(sent: Sent) -> None:
    with trace.use_span(TracerProvider().get_tracer("app").start_span("outer")):
        sent.events.decision(DECIDED, trace_id=TRACE, span_id=SPAN, denied=True)
    assert (sent.one().trace_id, sent.one().span_id) == (TRACE, SPAN)


def test_no_text_of_a_model_loses_the_others(sent: Sent) -> None:
    """What no UTF-8 can say, and what is longer than a record may be, would fail the whole batch in an exporter."""
    sent.events.decision({**DECIDED, "gen_ai.tool.name": "send\ud800", "licet.decision.sentence": "x" * 5_000}, denied=True)
    sent.events.decision(DECIDED, denied=True)
    first, second = sent.all()
    assert first.attributes["gen_ai.tool.name"] == "send?"
    assert first.body == "x" * 2_000
    assert second.attributes == DECIDED


class Broken:
    """A provider that fails when a logger is asked for, or when that is used."""

    def __init__(self, where: str) -> None:
        self._where = where

    def get_logger(self, *args: Any, **kwargs: Any) -> Any:
        if self._where == "logger":
            raise RuntimeError(self._where)
        return self

    def emit(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(self._where)


@pytest.mark.parametrize("where", ["logger", "emit"])
def test_nothing_that_a_provider_does_reaches_a_call(where: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "licet.telemetry"):
        events = Events(Broken(where), "1")  # type: ignore[arg-type]
        events.decision(DECIDED, trace_id=TRACE, span_id=SPAN, denied=True)
        events.finding(FOUND)
    assert caplog.records


@pytest.mark.parametrize(
    "attributes, ids", [({"licet.owner": object()}, {}), (DECIDED, {"trace_id": "xyz", "span_id": "-1"})], ids=["value", "ids"]
)
def test_nothing_that_it_is_given_reaches_a_call(attributes: Any, ids: dict[str, str], sent: Sent) -> None:
    sent.events.decision(attributes, **ids)
    sent.events.decision(DECIDED, denied=True)
    assert sent.all()[-1].attributes == DECIDED


def test_without_a_provider_nothing_is_emitted() -> None:
    Events(None, "1").decision(DECIDED)
    Events(None, "1").finding(FOUND)
