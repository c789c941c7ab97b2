"""Metrics: what the registry says, over the SDK's own readers; shared among guards; and nothing that a provider does reaches a call."""

from __future__ import annotations

import logging
import multiprocessing
import threading
from typing import Any

import pytest
from opentelemetry.metrics import MeterProvider as ApiProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from licet.telemetry import semconv
from licet.telemetry.instruments import INSTRUMENTS, MOST, SECONDS
from licet.telemetry.metrics import Metrics

CALLS: list[tuple[str, tuple[Any, ...]]] = [
    ("decided", ("deny", "deny", "scope.tool", "send", "work", "bot")), ("ran", (0.3, "send", "bot", "ValueError")), ("waiting", (1,)),
    ("minted", ("call",)), ("refused", ("token.time",)), ("ledger_lag", (0.5,)), ("dropped", (lambda: {"traces": 2, "logs": 0},)),
]  # fmt: skip


class Read:
    """A provider whose metrics are read when asked for."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.provider = MeterProvider([self._reader])

    def points(self, name: str) -> list[tuple[dict[str, Any], Any]]:
        return [(dict(point.attributes), point) for metric in self.metrics() if metric.name == name for point in metric.data.data_points]

    def values(self, name: str) -> dict[str, Any]:
        """Of a metric with one attribute at most: value by value of the attribute."""
        return {next(iter(attributes.values()), ""): point.value for attributes, point in self.points(name)}

    def metrics(self) -> list[Any]:
        data = self._reader.get_metrics_data()
        return [metric for each in data.resource_metrics for scope in each.scope_metrics for metric in scope.metrics] if data else []


def all_of(metrics: Metrics) -> None:
    for name, arguments in CALLS:
        getattr(metrics, name)(*arguments)


@pytest.fixture
def read() -> Read:
    return Read()


def test_each_metric_is_as_the_registry_says(read: Read) -> None:
    """Name, unit, description and attributes; and each of the registry is there."""
    all_of(Metrics(read.provider, "1"))
    found = {metric.name: metric for metric in read.metrics()}
    assert set(found) == set(INSTRUMENTS)
    for name, metric in found.items():
        row = INSTRUMENTS[name]
        assert (metric.unit, metric.description) == (row.unit, row.description)
        for point in metric.data.data_points:
            assert set(point.attributes) <= set(row.attributes)
            assert {key for key, level in row.attributes.items() if level == "required"} <= set(point.attributes)


def test_a_decision_is_counted_by_what_it_was(read: Read) -> None:
    metrics = Metrics(read.provider, "1")
    for _ in range(2):
        metrics.decided("allow", "deny", "flow.egress", "send", "work", "bot")
    metrics.decided("deny", "deny", "identity.no-task", semconv.OTHER, "", "")
    counted = {point.value: attributes for attributes, point in read.points("licet.decision.count")}
    assert counted == {
        2: {
            "licet.decision.outcome": "allow", "licet.decision.judged": "deny", "licet.decision.reason": "flow.egress",
            "gen_ai.tool.name": "send", "licet.task.kind": "work", "gen_ai.agent.name": "bot",
        },
        1: {
            "licet.decision.outcome": "deny", "licet.decision.judged": "deny", "licet.decision.reason": "identity.no-task",
            "gen_ai.tool.name": "_OTHER",
        },
    }  # fmt: skip


def test_an_applications_provider_gets_the_buckets_of_the_conventions(read: Read) -> None:
    """They go with the instrument: nobody has to set up a view."""
    Metrics(read.provider, "1").ran(0.3, "send", "bot", "")
    ((attributes, point),) = read.points("gen_ai.execute_tool.duration")
    assert (
        tuple(point.explicit_bounds) == SECONDS == (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
    )
    assert [number for number, count in enumerate(point.bucket_counts) if count] == [5]
    assert attributes == {"gen_ai.tool.name": "send", "gen_ai.tool.type": "function", "gen_ai.agent.name": "bot"}


def test_waiting_goes_up_and_down(read: Read) -> None:
    metrics = Metrics(read.provider, "1")
    for change in (1, 1, -1):
        metrics.waiting(change)
    assert read.values("licet.approval.waiting") == {"": 1}


def test_guards_that_share_a_provider_are_counted_together(read: Read) -> None:
    """What was dropped is a sum, the lag is the longest; a guard that closes takes nothing back."""
    one, other = Metrics(read.provider, "1"), Metrics(read.provider, "1")
    one.dropped(lambda: {"traces": 2})
    other.dropped(lambda: {"traces": 3, "logs": 1})
    one.ledger_lag(0.25)
    other.ledger_lag(lambda: 7.5)
    one.minted("task")
    other.minted("task")
    assert read.values("licet.telemetry.dropped") == {"traces": 5, "logs": 1}
    assert read.values("licet.ledger.lag") == {"": 7.5}
    assert read.values("licet.token.minted") == {"task": 2}
    other.close()
    assert read.values("licet.telemetry.dropped") == {"traces": 5, "logs": 1}
    assert read.values("licet.ledger.lag") == {"": 0.25}


def test_what_was_dropped_never_falls(read: Read) -> None:
    """A counter that falls reads as a restart: a source that fails or starts anew leaves the count where it was."""
    metrics, told = Metrics(read.provider, "1"), iter([{"traces": 4}, {"traces": 1}])
    metrics.dropped(lambda: next(told))
    assert [read.values("licet.telemetry.dropped") for _ in range(3)] == [{"traces": 4}] * 3


def test_a_signal_that_nobody_knows_is_not_told(read: Read) -> None:
    metrics = Metrics(read.provider, "1")
    metrics.dropped(lambda: {"traces": 0, "user:grace": 3})
    assert read.values("licet.telemetry.dropped") == {"traces": 0}


def test_values_without_end_become_one(read: Read) -> None:
    """A class of errors can be made anew for each call, and a metric that is kept apart by it costs without end."""
    metrics = Metrics(read.provider, "1")
    for number in range(MOST + 50):
        metrics.ran(0.1, "send", "bot", f"Error{number}")
    found = {attributes["error.type"]: point.count for attributes, point in read.points("gen_ai.execute_tool.duration")}
    assert len(found) == MOST + 1
    assert found["_OTHER"] == 50


class Broken(ApiProvider):
    """A provider that fails at `where`: when a meter is asked for, when an instrument is made, or when it is used."""

    def __init__(self, where: str) -> None:
        self.where = where

    def get_meter(self, *args: Any, **kwargs: Any) -> Any:
        self.fail("meter")
        return BrokenMeter(self)

    def fail(self, here: str) -> None:
        if here == self.where:
            raise RuntimeError(here)


class BrokenMeter:
    def __init__(self, provider: Broken) -> None:
        self.provider = provider

    def __getattr__(self, name: str) -> Any:
        def create(*args: Any, **kwargs: Any) -> Any:
            self.provider.fail("create")
            return self

        def use(*args: Any, **kwargs: Any) -> None:
            self.provider.fail("use")

        return create if name.startswith("create") else use


@pytest.mark.parametrize("where", ["meter", "create", "use"])
def test_nothing_that_a_provider_does_reaches_a_call(where: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "licet.telemetry"):
        all_of(Metrics(Broken(where), "1"))
    assert caplog.records


def test_without_a_provider_nothing_is_counted() -> None:
    all_of(Metrics(None, "1"))


def test_a_source_that_fails_costs_the_reader_nothing_else(read: Read) -> None:
    """It is asked by the exporter's thread: what is dropped and the lag are then unknown, and all else arrives."""
    metrics = Metrics(read.provider, "1")
    metrics.dropped(lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    metrics.ledger_lag(lambda: 1 / 0)
    metrics.minted("call")
    assert read.values("licet.telemetry.dropped") == {}
    assert read.values("licet.ledger.lag") == {}
    assert read.values("licet.token.minted") == {"call": 1}


def test_a_source_that_waits_holds_up_no_call(read: Read) -> None:
    """Metrics are collected while a source waits; a guard counts, begins and closes meanwhile."""
    metrics, asked, go_on = Metrics(read.provider, "1"), threading.Event(), threading.Event()

    def slow() -> float:
        asked.set()
        go_on.wait(30)
        return 1.0

    metrics.ledger_lag(slow)
    reading = threading.Thread(target=read.metrics)
    reading.start()
    try:
        assert asked.wait(30)
        other = Metrics(read.provider, "1")
        other.ledger_lag(0.5)
        other.close()
        assert not go_on.is_set()
    finally:
        go_on.set()
        reading.join(30)
    assert not reading.is_alive()


def _in_a_child(answer: Any) -> None:
    all_of(Metrics(MeterProvider([InMemoryMetricReader()]), "1"))
    answer.put("done")


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_process_forked_while_another_thread_holds_the_lock_counts_on() -> None:
    from licet.telemetry import metrics

    forked = multiprocessing.get_context("fork")
    answer = forked.Queue()
    with metrics._lock:
        child = forked.Process(target=_in_a_child, args=(answer,))
        child.start()
        assert answer.get(timeout=60) == "done"
    child.join(60)
    assert child.exitcode == 0
