"""Evidence in one file: what a real guard did comes back, whatever is done to it is named, and no file is a crash."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_lab import CHILD, OTHER, ROOT, Evidence, Key, MemoryLog, a_log, beside, payload_of
from licet.ledger.check.faults import CODES
from licet.ledger.evidence import beside as compared
from licet.ledger.evidence.accounts import OF_TASKS, GapKind
from licet.ledger.evidence.bundle import looks_like_bundle, verify_bundle
from licet.ledger.evidence.covered import About
from licet.ledger.evidence.dsse import sealed
from licet.ledger.evidence.statement import PAYLOAD_TYPE, PREDICATE, Beside, bundle, evidence
from licet.ledger.merkle import leaf_hash, root_of
from licet.ledger.note import Checkpoint, signed
from licet.telemetry import semconv

MADE = Evidence()
Change = Callable[[dict[str, Any]], object]


def records(statement: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = statement["predicate"]["records"]
    return found


def at(statement: dict[str, Any], seq: int) -> int:
    return next(place for place, entry in enumerate(records(statement)) if entry["index"] == seq - 1)


def record(statement: dict[str, Any], seq: int) -> dict[str, Any]:
    found: dict[str, Any] = records(statement)[at(statement, seq)]["record"]
    return found


def removed(statement: dict[str, Any], *seqs: int) -> None:
    """Taken out with all care: subjects too."""
    for seq in seqs:
        place = at(statement, seq)
        del records(statement)[place], statement["subject"][place + 1]


def rehashed(statement: dict[str, Any], seq: int, /, **fields: Any) -> None:
    """Changed with all care: the subject too."""
    changed = record(statement, seq)
    changed |= fields
    statement["subject"][at(statement, seq) + 1]["digest"]["sha256"] = leaf_hash(rfc8785.dumps(changed)).hex()


def set_in(statement: dict[str, Any], path: str, value: Any) -> None:
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place: Any = statement["predicate"]
    for step in way:
        place = place[step]
    place[last] = value


def codes(found: Any) -> set[str]:
    return {fault.code for fault in found.faults}


# What holds ------------------------------------------------------------------------------------------------------------


def test_evidence_that_nobody_touched_holds():
    found = MADE.check(MADE.text)
    assert (found.ok, found.open, found.size) == (True, [], 19)
    assert found.records == 15
    assert [(own.tool, own.outcome, own.status) for own in found.accounts] == [
        ("read", "allow", "done"),
        ("send", "deny", "denied"),
        ("send", "allow", "failed"),
    ]
    assert any("from its beginning to its end" in sentence for sentence in found.holds)


def test_each_denial_has_its_reasons():
    assert MADE.check(MADE.text).accounts[1].reasons == ["origin.argument: `to` came from elsewhere"]


def test_what_no_proof_shows_is_said():
    assert any("no further record" in sentence for sentence in MADE.check(MADE.text).not_shown)


def test_records_of_other_tasks_are_not_handed_out():
    assert OTHER not in payload_of(MADE.text).decode()


def test_its_parts_lead_to_the_root_by_code_that_is_not_ours():
    """RFC 8785 by another package, RFC 9162 section 2.1.3.2 by the letter, the in-toto Statement by in-toto's own model."""
    statement = json.loads(payload_of(MADE.text))
    predicate, root = statement["predicate"], bytes.fromhex(statement["subject"][0]["digest"]["sha256"])
    for entry, subject in zip(predicate["records"], statement["subject"][1:], strict=True):
        found = hashlib.sha256(b"\x00" + rfc8785.dumps(entry["record"])).digest()
        assert found.hex() == subject["digest"]["sha256"]
        fn, sn = entry["index"], MADE.log.checkpoint().size - 1
        for place in entry["proof"]:
            sibling = bytes.fromhex(predicate["hashes"][place])
            if fn & 1 or fn == sn:
                found = hashlib.sha256(b"\x01" + sibling + found).digest()
                while not fn & 1 and fn:
                    fn, sn = fn >> 1, sn >> 1
            else:
                found = hashlib.sha256(b"\x01" + found + sibling).digest()
            fn, sn = fn >> 1, sn >> 1
        assert (found, sn) == (root, 0)


def test_in_totos_own_library_reads_the_statement():
    model, forms = pytest.importorskip("in_toto_attestation.v1.statement"), pytest.importorskip("google.protobuf.json_format")
    read = model.Statement.copy_from_pb(forms.Parse(payload_of(MADE.text), model.spb.Statement()))
    read.validate()
    assert (read.pb.predicate_type, len(read.pb.subject)) == (PREDICATE, 16)


def test_the_first_keys_say_what_it_is():
    assert looks_like_bundle(MADE.text[:200].encode())
    assert list(json.loads(payload_of(MADE.text)))[:2] == ["_type", "predicateType"]
    assert MADE.statement["predicate"]["about"]["said"].startswith(f"Evidence of task {ROOT} and 1 below it")


def test_the_names_of_span_attributes_are_those_of_the_conventions():
    assert (compared.CALL, compared.TASK, compared.TOOL) == (semconv.CALL_ID, semconv.TASK_ID, semconv.TOOL_NAME)
    assert (compared.OUTCOME, compared.ARGS) == (semconv.DECISION_OUTCOME, semconv.ARGS_DIGEST)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8, 16, 19])
def test_a_checkpoint_that_was_kept_is_a_beginning_of_it(size: int):
    found = MADE.check(bundle(MADE.log.statement(beside(), kept=[size]), MADE.key), kept=[MADE.log.note(size)])
    assert found.ok
    assert any("that you kept" in sentence for sentence in found.holds)


# Tampering -------------------------------------------------------------------------------------------------------------
# By whoever has the ledger's own key and signs the file anew; without the key no change comes so far (see below).

INSIDER: dict[str, tuple[Change, str]] = {
    "a record's field changed": (lambda s: record(s, 4).update(tool="other"), "altered"),
    "a record's field changed, and its subject": (lambda s: rehashed(s, 4, tool="other"), "altered"),
    "a denial turned into an intent": (lambda s: rehashed(s, 7, kind="call.intent", outcome="allow"), "altered"),
    "a record's field removed": (lambda s: record(s, 7).pop("reasons"), "altered"),
    "a record's field added": (lambda s: rehashed(s, 7, approved=True), "altered"),
    "a record renumbered": (lambda s: rehashed(s, 7, seq=8), "reordered"),
    "an index changed": (lambda s: records(s)[3].update(index=17), "altered"),
    "an index beyond the tree": (lambda s: records(s)[-1].update(index=10**9), "altered"),
    "a link changed": (lambda s: record(s, 6).update(prev="sha256:" + "0" * 64), "altered"),
    "two records swapped": (lambda s: records(s).insert(2, records(s).pop(4)), "reordered"),
    "two records swapped, with their indexes": (lambda s: (records(s)[2].update(index=5), records(s)[3].update(index=3)), "altered"),
    "a record twice": (lambda s: records(s).insert(2, records(s)[1]), "inserted"),
    "a record of another task put in": (lambda s: rehashed(s, 4, task=OTHER, call="9" * 32), "inserted"),
    "the task's beginning removed": (lambda s: removed(s, 3), "removed"),
    "the last record removed": (lambda s: removed(s, 18), "truncated"),
    "the end of the sub-task removed": (lambda s: removed(s, 17), "truncated"),
    "the end cut off in the middle of a call": (lambda s: removed(s, 16, 17, 18), "truncated"),
    "an outcome removed": (lambda s: removed(s, 6), "removed"),
    "an intent removed": (lambda s: removed(s, 4), "unmatched"),
    "a first call removed": (lambda s: removed(s, 4, 6), "removed"),
    "the answer of a person removed with what followed": (lambda s: removed(s, 12, 13, 14, 15, 16), "removed"),
    "a denial removed, its span kept": (lambda s: removed(s, 7), "contradicted"),
    "all of the sub-task removed": (lambda s: removed(s, 9, 11, 12, 13, 14, 15, 16, 17), "removed"),
    "a record removed, its subject kept": (lambda s: records(s).pop(3), "removed"),
    "a subject removed": (lambda s: s["subject"].pop(), "inserted"),
    "two subjects swapped": (lambda s: s["subject"].insert(1, s["subject"].pop(2)), "altered"),
    "the tree's subject changed": (lambda s: s["subject"][0]["digest"].update(sha256="0" * 64), "altered"),
    "a hash of the proofs changed": (lambda s: set_in(s, "hashes.0", "0" * 64), "altered"),
    "a proof shortened": (lambda s: records(s)[0]["proof"].pop(), "altered"),
    "a proof lengthened": (lambda s: records(s)[0]["proof"].append(0), "altered"),
    "a proof of another record": (lambda s: records(s)[0].update(proof=records(s)[5]["proof"]), "altered"),
    "a proof without end": (lambda s: records(s)[0].update(proof=[0] * 1_000_000), "altered"),
    "a hash that is not there": (lambda s: records(s)[0].update(proof=[10**6]), "malformed"),
    "something open that is not": (lambda s: s["predicate"]["open"].append({"what": "end", "task": ROOT, "call": "", "step": 0}), "altered"),
    "another origin": (lambda s: set_in(s, "origin", "licet.test/other"), "other-log"),
    "the checkpoint signed by a stranger": (lambda s: set_in(s, "checkpoint", signed(MADE.log.checkpoint().text(), [MADE.stranger])), "key-unknown"),
    "the checkpoint signed under another name": (lambda s: set_in(s, "checkpoint", signed(Checkpoint("x", 19, b"0" * 32).text(), [Key(1, "x")])), "key-unknown"),
    "the checkpoint's size changed": (lambda s: set_in(s, "checkpoint", s["predicate"]["checkpoint"].replace("\n19\n", "\n20\n")), "bad-signature"),
    "the checkpoint of an older tree": (lambda s: set_in(s, "checkpoint", MADE.log.note(18)), "altered"),
    "a checkpoint over nothing": (lambda s: set_in(s, "checkpoint", MADE.log.note(0)), "altered"),
    "no checkpoint": (lambda s: set_in(s, "checkpoint", ""), "malformed"),
    "a span's outcome changed": (lambda s: set_in(s, "spans.resourceSpans.0.scopeSpans.0.spans.1.attributes.3.value.stringValue", "allow"), "contradicted"),
    "a span of a call that nobody recorded": (lambda s: set_in(s, "spans.resourceSpans.0.scopeSpans.0.spans.1.attributes.0.value.stringValue", "8" * 32), "contradicted"),
    "a span of another task": (lambda s: set_in(s, "spans.resourceSpans.0.scopeSpans.0.spans.1.attributes.1.value.stringValue", OTHER), "contradicted"),
    "a span's arguments changed": (lambda s: set_in(s, "spans.resourceSpans.0.scopeSpans.0.spans.1.attributes.4.value.stringValue", "hmac-sha256:0"), "contradicted"),
    "the graph's outcome changed": (lambda s: set_in(s, "graph.nodes.1.outcome", "allow"), "contradicted"),
    "a finding of another call": (lambda s: set_in(s, "findings.0.call_id", "8" * 32), "contradicted"),
    "a finding that cites another record": (lambda s: set_in(s, "findings.0.ledger", 8_000), "contradicted"),
    "the finding that it is about removed": (lambda s: (set_in(s, "about.kind", "finding"), set_in(s, "about.id", "f1"), set_in(s, "findings", [])), "removed"),
    "a content changed": (lambda s: set_in(s, "contents.0.value", "eve"), "altered"),
    "a content's key changed": (lambda s: set_in(s, "contents.0.key", "00"), "altered"),
    "a content removed": (lambda s: set_in(s, "contents", []), "removed"),
    "a content of another record": (lambda s: set_in(s, "contents.0.record", 6), "altered"),
    "purged by a record that is not there": (lambda s: set_in(s, "left_out", [{"what": "content", "why": "w", "by": 2}]), "contradicted"),
    "another task named": (lambda s: set_in(s, "about.tasks", [ROOT]), "inserted"),
    "said to be about another task": (lambda s: set_in(s, "about.id", "d" * 32), "contradicted"),
    "said to be about the sub-task": (lambda s: set_in(s, "about.id", CHILD), "contradicted"),
    "said to be about one of its calls": (lambda s: (set_in(s, "about.kind", "call"), set_in(s, "about.id", "1" * 32)), "contradicted"),
    "said to be about a call that has no record": (lambda s: set_in(s, "about.calls", ["1" * 32, "2" * 32, "3" * 32, "8" * 32]), "removed"),
    "said to be about a record that is not here": (lambda s: set_in(s, "about.seqs", [2]), "removed"),
    "said to be of another transaction": (lambda s: set_in(s, "about.txn", OTHER), "contradicted"),
    "a task named that nobody delegated": (lambda s: set_in(s, "about.tasks", [ROOT, CHILD, "d" * 32]), "contradicted"),
    "the sub-task said to be above": (lambda s: (set_in(s, "about.tasks", [ROOT]), set_in(s, "about.above", [CHILD])), "contradicted"),
    "all records removed": (lambda s: (set_in(s, "records", []), s.update(subject=s["subject"][:1])), "removed"),
    "who said yes removed": (lambda s: removed(s, 12), "removed"),
    "who said yes removed, with the question": (lambda s: removed(s, 11, 12), "removed"),
    "another type": (lambda s: s.update(predicateType="urn:licet:evidence:2"), "malformed"),
}  # fmt: skip


@pytest.mark.parametrize("what", INSIDER)
def test_a_change_that_is_signed_anew_is_named(what: str):
    change, code = INSIDER[what]
    found = MADE.changed(change)
    assert not found.ok
    assert code in codes(found), found.faults
    assert codes(found) <= CODES.keys()
    assert not found.holds[1:]  # nothing is said to hold beside what is wrong


@pytest.mark.parametrize("gone, said", [((7,), "call 2 of task"), ((9, 11, 12, 13, 14, 15, 16, 17), "had 1 more tasks below it")])
def test_what_the_signer_left_out_is_missed_by_the_end_of_the_task(gone: tuple[int, ...], said: str):
    """Whoever has the key, and leaves out a whole last call, or a task below, with all that speaks of it."""
    statement = a_log(MADE.key).statement(replace(beside(), findings=(), spans={"resourceSpans": []}, graph={"nodes": [], "edges": []}))
    removed(statement, *gone)
    statement["predicate"]["about"]["tasks"] = [task for task in statement["predicate"]["about"]["tasks"] if 9 not in gone or task == ROOT]
    found = MADE.check(bundle(statement, MADE.key))
    assert [fault.code for fault in found.faults] == ["removed"]
    assert said in found.faults[0].sentence


def test_the_last_calls_of_a_task_without_an_end_are_beyond_what_is_shown():
    """The limit that is said."""
    found = MADE.check(bundle(a_log(MADE.key).statement(beside()), MADE.key))
    assert any("of a task that has not ended, the last ones would not" in sentence for sentence in found.not_shown)


def test_what_the_log_leaves_open_is_said_and_no_fault():
    """A process that died leaves an intent without its outcome until the next start; and a task that goes on has no end."""
    log = a_log(MADE.key)
    del log.lines[15:]
    log.add("call.intent", **log.call("5" * 32, task=ROOT, step=4), outcome="allow")
    found = MADE.check(bundle(log.statement(beside()), MADE.key))
    assert found.ok, found.faults
    assert sorted(gap.what for gap in found.open) == ["call", "end", "end", "outcome", "outcome"]
    assert not any("from its beginning to its end" in sentence for sentence in found.holds)


Row = tuple[str, dict[str, Any]]


def _call(kind: str, step: int, **more: Any) -> Row:
    return kind, MADE.log.call(f"{step}" * 32, task=ROOT, step=step, **more)


BEGIN: Row = ("task.begin", {"task": ROOT, "txn": ROOT, "parent": None})
DENIED: Row = _call("call.denied", 1)
END: Row = ("task.end", {"task": ROOT, "txn": ROOT, "calls": 1, "delegated": 0})
OPEN: dict[GapKind, list[Row]] = {
    "begin": [DENIED, END],
    "end": [BEGIN, DENIED],
    "call": [BEGIN, DENIED, _call("call.denied", 3), END],
    "task": [BEGIN, DENIED, ("task.end", END[1] | {"delegated": 2})],
    "intent": [BEGIN, DENIED, _call("call.outcome", 2, status="done"), END],
    "outcome": [BEGIN, DENIED, _call("call.intent", 2), END],
    "answer": [BEGIN, DENIED, _call("call.asked", 2), END],
    "approval": [
        BEGIN,
        DENIED,
        _call("call.intent", 2, reasons=[{"check": "c", "effect": "ask"}]),
        _call("call.outcome", 2, status="done"),
        END,
    ],
}


def _logged(rows: list[Row]) -> MemoryLog:
    log = MemoryLog(MADE.key)
    for kind, row in rows:
        log.add(kind, **row)
    return log


@pytest.mark.parametrize("kind", get_args(GapKind))
def test_each_gap_that_a_log_can_leave_is_said_and_read_back(kind: GapKind):
    found = MADE.check(bundle(_logged(OPEN[kind]).statement(Beside()), MADE.key))
    assert found.ok, found.faults
    assert [gap.what for gap in found.open] == [kind]
    said = " ".join(found.holds)
    assert found.open[0].sentence()[1:] in said
    assert ("Every task is here" in said) == (kind not in OF_TASKS)


def test_an_observed_question_needs_no_answer():
    """In observe mode nobody is asked."""
    observed = {"reasons": [{"check": "c", "effect": "ask", "observed": True}, 1]}
    rows = [BEGIN, _call("call.intent", 1, **observed), _call("call.outcome", 1, status="done"), END]
    assert MADE.check(bundle(_logged(rows).statement(Beside()), MADE.key)).open == []


@pytest.mark.parametrize("kind", ["task", "call", "finding"])
def test_evidence_without_records_shows_nothing(kind: Any):
    log = a_log(MADE.key)
    statement = evidence(
        About(kind, ROOT, ROOT), [], note=log.note(), checkpoint=log.checkpoint(), keys=[MADE.key.note_key], subtree=log.subtree,
        made="2026-11-22T10:01:00Z", by="a test", beside=Beside(),
    )  # fmt: skip
    assert "removed" in codes(MADE.check(bundle(statement, MADE.key)))


def test_signatures_that_nobody_checked_are_named():
    """And what the signature is over is said: the payload, not the file."""
    envelope = json.loads(MADE.text)
    envelope["signatures"].append({"keyid": "acme.example/auditor+00000000", "sig": "AAAA"})
    found = MADE.check(json.dumps(envelope))
    assert found.ok
    assert "holds over the payload" in found.holds[0]
    assert "nobody has checked" in found.holds[1]
    assert "acme.example/auditor+00000000" in found.holds[1]
    assert not any("nobody has checked" in sentence for sentence in MADE.check(MADE.text).holds)


def test_what_has_no_number_and_can_be_left_out_is_said():
    assert any("left out nothing that has no number" in sentence for sentence in MADE.check(MADE.text).not_shown)


OUTSIDER: dict[str, tuple[Callable[[], str], str]] = {
    "the payload changed": (lambda: fields(payload=sealed(PAYLOAD_TYPE, payload_of(MADE.text) + b" ", MADE.key)), "bad-signature"),
    "signed by a stranger": (lambda: sealed(PAYLOAD_TYPE, payload_of(MADE.text), MADE.stranger), "key-unknown"),
    "signed by a stranger under our name": (lambda: sealed(PAYLOAD_TYPE, payload_of(MADE.text), Key(3)), "key-unknown"),
    "another signature of ours": (lambda: fields(signatures=sealed(PAYLOAD_TYPE, b"{}", MADE.key)), "bad-signature"),
    "a further field": (lambda: json.dumps(json.loads(MADE.text) | {"verdict": "approved by the board"}), "malformed"),
    "the type changed": (lambda: json.dumps(json.loads(MADE.text) | {"payloadType": "application/json"}), "malformed"),
    "cut off": (lambda: MADE.text[:-100], "malformed"),
    "doubled": (lambda: MADE.text * 2, "malformed"),
    "empty": (lambda: "", "malformed"),
    "signed as a note": (lambda: signed("x\n", [MADE.key]), "malformed"),
}


def fields(**taken: str) -> str:
    """The envelope with some of another's fields."""
    return json.dumps(json.loads(MADE.text) | {name: json.loads(other)[name] for name, other in taken.items()})


@pytest.mark.parametrize("what", OUTSIDER)
def test_without_the_key_no_change_gets_as_far_as_being_read(what: str):
    make, code = OUTSIDER[what]
    found = MADE.check(make())
    assert [fault.code for fault in found.faults] == [code]
    assert (found.about, found.holds, found.records) == (None, [], 0)


def test_a_fork_is_seen_against_a_checkpoint_that_was_kept():
    """All of the log written anew with its own key, in the same form: only who kept something can know."""
    log = a_log(MADE.key)
    forged = a_log(MADE.key)
    forged.lines[2:] = []
    forged.add("task.begin", task=ROOT, txn=ROOT, parent=None, agent="another")
    forged.add("task.end", task=ROOT, txn=ROOT)
    text = bundle(
        forged.statement(
            replace(beside(), spans={"resourceSpans": []}, graph={"nodes": [], "edges": []}, findings=(), contents=()), kept=[3]
        ),
        MADE.key,
    )
    assert MADE.check(text).ok
    assert codes(MADE.check(text, kept=[log.note(3)])) == {"forked"}
    assert codes(MADE.check(text, kept=[log.note(4)])) == {"forked"}
    assert codes(MADE.check(text, kept=[log.note()])) == {"rolled-back"}
    assert MADE.check(text, kept=[log.note(2), log.note(0)]).faults[0].code == "uncompared"


@pytest.mark.parametrize(
    "kept, code",
    [
        pytest.param("no note", "malformed", id="no-note"),
        pytest.param(signed(Checkpoint(MADE.key.name, 5, b"0" * 32).text(), [MADE.stranger]), "key-unknown", id="a-strangers"),
        pytest.param(MADE.log.note(5).replace("\n5\n", "\n4\n"), "bad-signature", id="changed"),
        pytest.param(signed(Checkpoint(MADE.key.name, 5, b"0" * 32).text(), [MADE.key]), "forked", id="another-history"),
        pytest.param(signed(Checkpoint(MADE.key.name, 19, b"0" * 32).text(), [MADE.key]), "forked", id="another-history-of-this-size"),
    ],
)
def test_a_kept_checkpoint_is_believed_only_as_far_as_it_is_signed(kept: str, code: str):
    assert codes(MADE.check(MADE.text, kept=[kept])) == {code}


def test_a_witness_that_was_asked_for_must_have_signed():
    witness = replace(MADE.stranger.note_key, name="w.test", type=b"\x04")
    assert codes(MADE.check(MADE.text, witnesses=[witness])) == {"not-cosigned"}


# Hostile files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff", id="not-utf-8"),
        pytest.param(b"[" * 100_000, id="nested"),
        pytest.param(b'{"a":' * 20_000 + b"1" + b"}" * 20_000, id="nested-objects"),
        pytest.param(b'{"_type":1,"_type":2}', id="key-twice"),
        pytest.param(b'{"_type":' + b"1" * 100_000 + b"}", id="huge-number"),
        pytest.param(b'{"_type":1e999}', id="infinite"),
        pytest.param(b'{"_type":NaN}', id="not-a-number"),
        pytest.param(b'{"_type":"\\ud800"}', id="lone-surrogate"),
        pytest.param(b'{"\\udc00":1}', id="lone-surrogate-as-a-key"),
        pytest.param(b"null", id="null"),
        pytest.param(b"{}", id="no-statement"),
    ],
)
def test_a_payload_that_is_none_is_refused_with_a_sentence(payload: bytes):
    found = MADE.signed_as(payload)
    assert codes(found) == {"malformed"}
    assert found.faults[0].sentence


@pytest.mark.parametrize("further", ['"_type":"x"', '"x":"\\ud800"', '"\\uDC00":1', '"x":1e999', '"x":-Infinity', '"x":NaN'])
def test_json_that_has_no_one_reading_is_refused_though_all_else_holds(further: str):
    found = MADE.signed_as(b"{" + further.encode() + b"," + payload_of(MADE.text)[1:])
    assert codes(found) == {"malformed"}


def test_a_record_that_is_nested_deep_is_no_crash():
    deep: Any = []
    for _ in range(900):
        deep = [deep]
    assert not MADE.changed(lambda s: record(s, 4).update(tool=deep)).ok


def test_a_file_larger_than_is_read_is_refused_by_its_size():
    found = verify_bundle(b" " * 101, [], max_bytes=100)
    assert "101 bytes" in found.faults[0].sentence
    assert "--max-size" in found.faults[0].sentence


def test_text_with_half_a_character_is_no_crash():
    assert codes(verify_bundle("\ud800", [])) == {"malformed"}


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(MADE.text) - 1), st.integers(0, 255))
def test_a_changed_byte_is_a_fault_or_changes_nothing_that_is_signed(place: int, byte: int):
    data = MADE.text.encode()
    changed = data[:place] + bytes([byte]) + data[place + 1 :]
    if MADE.check(changed).ok:
        assert payload_of(changed.decode()) == payload_of(MADE.text)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, item in below for place in _places(item, (*path, name)))]


_ALL = [path for path in _places(MADE.statement) if path]
_ODD: list[Any] = [None, True, 0, -1, 1.5, 2**70, "", "\u202e", [], {}, [[]], {"a": {}}, "a" * 32]
FREE = (
    "about.said",
    "about.made",
    "about.by",
    "keys",
    "spans",
    "graph",
    "findings",
    "left_out",
    "consistency",
)


@settings(max_examples=1_000, deadline=None)
@given(st.sampled_from(_ALL), st.sampled_from(_ODD), st.booleans())
def test_whatever_stands_anywhere_in_a_signed_payload_is_no_crash(path: tuple[Any, ...], value: Any, gone: bool):
    """And a record, a proof, a hash or a subject that is another one never holds."""
    statement = MADE.fresh()
    place: Any = statement
    for step in path[:-1]:
        place = place[step]
    if place[path[-1]] == value and not gone:
        return
    if gone:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    found = MADE.check(bundle(statement, MADE.key))
    named = ".".join(map(str, path[1:]))
    if not named.startswith(FREE):
        assert not found.ok, named


def test_a_thousand_random_cuts_and_joins_are_no_crash():
    pick = random.Random(6)
    text = payload_of(MADE.text)
    for _ in range(300):
        one, other = sorted(pick.randrange(len(text)) for _ in range(2))
        assert not MADE.signed_as(text[:one] + text[other:] if one != other else b"x").ok


def test_a_tree_over_the_same_records_is_what_the_subject_names():
    assert MADE.statement["subject"][0]["digest"]["sha256"] == root_of(map(leaf_hash, MADE.log.lines)).hex()
    assert CHILD in MADE.statement["predicate"]["about"]["tasks"]
