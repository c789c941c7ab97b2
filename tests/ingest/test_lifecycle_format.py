"""The own format for what happens to credentials: closed, strict, and without a credential's id in the events."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licet.events import LIFECYCLE_KINDS, LifecycleEvent
from licet.ingest import lifecycle
from licet.ingest.recognised import Unreadable
from readers import CANARY, place, read_or_refused, with_canary

AT = place("prod-vault")


def line(**changed: Any) -> dict[str, Any]:
    record: dict[str, Any] = {
        "id": "v-81", "time": "2026-03-01T12:00:00Z", "kind": "rotated", "credential": "AKIAIOSFODNN7EXAMPL2",
        "identity": "arn:aws:iam::111122223333:user/deploy", "by": "vault", "supersedes": "AKIAIOSFODNN7EXAMPL1", "generation": 3,
        "presented_generation": 2, "workload": "run-7", "expires": "2026-06-01T00:00:00Z", "privilege": "s3:GetObject", "reason": "30 days",
    }  # fmt: skip
    return {key: value for key, value in {**record, **changed}.items() if value is not None}


def event_of(record: dict[str, Any]) -> LifecycleEvent:
    [event] = lifecycle.read(record, AT).lifecycle
    return event


def test_a_line_says_what_happened_to_which_credential() -> None:
    event = event_of(line())
    assert event == LifecycleEvent(
        "lifecycle", "v-81", 1772366400.0, "rotated", "arn:aws:iam::111122223333:user/deploy", AT.fingerprint("AKIAIOSFODNN7EXAMPL2"), "",
        "vault", AT.fingerprint("AKIAIOSFODNN7EXAMPL1"), 3, 2, "run-7", 1780272000.0, "s3:GetObject", account="prod-vault", reason="30 days",
    )  # fmt: skip


@pytest.mark.parametrize("kind", sorted(lifecycle.KINDS))
def test_every_kind_is_read(kind: str) -> None:
    assert event_of(line(kind=kind)).kind == kind


def test_the_kinds_are_those_of_the_format_and_no_reader_of_logs_is_played_by_it() -> None:
    assert len(lifecycle.KINDS) == 14
    assert {"created", "scope_widened", "logging_stopped", "logging_started"} == LIFECYCLE_KINDS - lifecycle.KINDS


@pytest.mark.parametrize("key", ["credential", "identity", "workload"])
def test_one_of_credential_identity_and_workload_is_enough(key: str) -> None:
    record = {"id": "1", "time": "2026-03-01T12:00:00Z", "kind": "revoked", key: "x"}
    assert event_of(record).kind == "revoked"


@pytest.mark.parametrize(
    "record, key",
    [
        (line(id=None), "id"), (line(time=None), "time"), (line(kind=None), "kind"), (line(kind="stolen"), "kind"), (line(kind="created"), "kind"),
        (line(time="soon"), "time"), (line(expires="soon"), "expires"), (line(secret="x"), "secret"), (line(generation="3"), "generation"),
        (line(generation=-1), "generation"), (line(generation=True), "generation"), (line(credential=5), "credential"),
        (line(credential=None, identity=None, workload=None), "credential"), (line(kind="bound", workload=None), "workload"),
        (line(kind="rotated", credential=None), "credential"), (line(supersedes="AKIAIOSFODNN7EXAMPL2"), "supersedes"),
        (line(kind="granted", privilege=None), "privilege"), (line(reason="x" * 5_000), "reason"), (line(id=""), "id"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_wrong_line_is_refused_and_its_key_named(record: dict[str, Any], key: str) -> None:
    with pytest.raises(Unreadable) as error:
        lifecycle.read(record, AT)
    assert error.value.key == key


def test_a_fingerprint_stays_what_it_is() -> None:
    """`licet credential` writes fingerprints, as it knows no ids."""
    ours = AT.fingerprint("AKIAIOSFODNN7EXAMPL2")
    assert event_of(line(credential=ours)) == event_of(line())


def test_neither_id_of_a_credential_is_in_the_event() -> None:
    assert "EXAMPL" not in repr(event_of(line()))


def test_no_secret_that_stands_in_a_line_is_in_the_event_or_the_refusal() -> None:
    for changed in with_canary(line()):
        found = read_or_refused(lifecycle.read, changed, AT)
        assert CANARY.lower() not in (repr(found) + str(found)).lower()
    with pytest.raises(Unreadable) as error:
        lifecycle.read(line(**{CANARY: "x"}), AT)
    assert CANARY not in str(error.value)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["2026-03-01T12:00:00Z", "rotated"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(lifecycle.KEYS)), _VALUES))
def test_any_object_is_read_or_refused(changed: dict[str, Any]) -> None:
    read_or_refused(lifecycle.read, {**line(), **changed}, AT)
