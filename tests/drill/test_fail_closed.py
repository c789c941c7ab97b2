"""Where the manifest asks for it, nobody writes or sends while nobody would see it."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest

from licet import Denied, Guard
from licet.canonical import Plain
from licet.cli import main
from licet.drill.keys import DrillKey, name_of
from licet.errors import ManifestError
from licet.guard.monitored import FILE, Proof
from licet.guard.state import open_ledger, open_state

MANIFEST = """
licet: 1
environment: dev
owners: {support: {name: Support, contact: support@acme.example}}
agents: {bot: {owner: support, tasks: [work]}}
tools:
  look: {access: read, egress: false}
  change: {access: write, egress: false}
  send: {access: read, egress: true}
tasks:
  work: {intent: Do the work, ttl: 8h, tools: {look: {}, change: {}, send: {}}}
"""
CLOSED = "monitoring: {fail_closed_after: 30m}\n"
NOW = 1_790_000_000.0


class Hands:
    """A clock of the test's own."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


class Place:
    def __init__(self, path: Path) -> None:
        self.path, self.clock = path, Hands()
        self.folder = open_state(path / "state")
        self.key = DrillKey.of(self.folder.keys / "drill.key")
        self.guard: Guard

    def enrol(self, key: DrillKey) -> None:
        said: dict[str, Plain] = {"key": name_of(key.public), "public": key.public.hex()}
        ledger = open_ledger(self.folder)
        ledger.append("drill.key", said | {"signature": key.sign(said)}, time="2026-01-01T00:00:00.000Z", durable=True)
        ledger.close()

    def prove(self, well: float, key: DrillKey | None = None) -> None:
        by = key or self.key
        proof = Proof(self.clock.time, well, name_of(by.public))
        proof = proof._replace(signature=by.sign(proof.said()))
        (self.folder.path / FILE).write_bytes(proof.text())
        (self.folder.path / FILE).chmod(0o600)

    def allowed(self, manifest: str = CLOSED + MANIFEST) -> str:
        """Which tools run."""
        (self.path / "licet.yaml").write_text(manifest)
        ran: list[str] = []
        checks: set[str] = set()
        with (
            Guard.from_file(self.path / "licet.yaml", state=self.folder.path, clock=self.clock) as guard,
            guard.task("work", intent="Do the work", agent="bot", principal="user:grace"),
        ):
            for name in ("look", "change", "send"):
                try:
                    guard.wrap(lambda: "done", name=name)()
                except Denied as denied:
                    checks |= {each.check for each in denied.decision.reasons}
                else:
                    ran.append(name)
        assert checks <= {"monitoring.blind"}
        return " ".join(ran)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = Place(tmp_path)
    found.enrol(found.key)
    return found


def test_what_was_proved_a_short_time_ago_lets_all_run(place):
    place.prove(NOW - 29 * 60)
    assert place.allowed() == "look change send"


def test_what_was_blind_for_longer_denies_what_writes_or_leaves_and_nothing_else(place):
    place.prove(NOW - 31 * 60)
    assert place.allowed() == "look"


def test_a_manifest_that_does_not_ask_is_not_asked_about(place):
    assert place.allowed(MANIFEST) == "look change send"


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"[" * 3_000, b'{"time": 1e999, "well": "x", "key": 1, "signature": null}'])
def test_a_file_that_is_damaged_proves_nothing(place, text):
    place.prove(NOW)
    (place.folder.path / FILE).write_bytes(text)
    gc.collect()  # else what other tests left is taken away where the nesting leaves it no stack
    assert place.allowed() == "look"


def test_a_file_that_is_missing_or_that_others_can_write_proves_nothing(place):
    assert place.allowed() == "look"
    place.prove(NOW)
    (place.folder.path / FILE).chmod(0o666)
    assert place.allowed() == "look"


def test_another_key_proves_nothing_even_where_it_enrols_itself(place, tmp_path):
    other = DrillKey.of(tmp_path / "other.key")
    place.prove(NOW, other)
    assert place.allowed() == "look"
    place.enrol(other)
    assert place.allowed() == "look"
    place.prove(NOW)
    assert place.allowed() == "look change send"


@pytest.mark.parametrize("field", ["well", "time", "signature", "key"])
def test_what_was_changed_behind_the_signature_proves_nothing(place, field):
    place.prove(NOW - 60)
    file = place.folder.path / FILE
    changed = {"well": NOW, "time": NOW + 1, "signature": "00" * 64, "key": "0" * 16}
    file.write_text(json.dumps(json.loads(file.read_text()) | {field: changed[field]}))
    assert place.allowed() == "look"


def test_a_proof_of_a_time_to_come_proves_nothing(place):
    place.prove(NOW + 86_400)
    assert place.allowed() == "look"


def test_yesterdays_proof_put_back_is_as_old_as_it_is(place):
    place.prove(NOW - 60)
    kept = (place.folder.path / FILE).read_bytes()
    place.clock.time += 86_400
    place.prove(place.clock.time)
    (place.folder.path / FILE).write_bytes(kept)
    assert place.allowed() == "look"


def test_a_guard_that_runs_hears_of_it_within_a_second(place):
    (place.path / "licet.yaml").write_text(CLOSED + MANIFEST)
    place.prove(NOW - 29 * 60)
    with (
        Guard.from_file(place.path / "licet.yaml", state=place.folder.path, clock=place.clock) as guard,
        guard.task("work", intent="Do the work", agent="bot", principal="user:grace"),
    ):
        change = guard.wrap(lambda: "changed", name="change")
        assert change() == "changed"
        place.clock.time += 120  # nobody proves it anew
        with pytest.raises(Denied):
            change()
        place.prove(place.clock.time)
        place.clock.time += 1
        assert change() == "changed"


def test_sooner_than_drills_can_tell_is_refused(place):
    with pytest.raises(ManifestError, match="at least 20m"):
        place.allowed("monitoring: {fail_closed_after: 5m}\n" + MANIFEST)


def test_a_drill_that_passes_opens_what_was_closed(tmp_path, capsys):
    state = tmp_path / "state"
    assert main(["drill", "run", "D1", "--source", "cloudtrail", "--state", str(state), "--json"]) == 0
    proof = json.loads((state / FILE).read_text())
    assert proof["well"] == proof["time"]
    (tmp_path / "licet.yaml").write_text(CLOSED + MANIFEST)
    with (
        Guard.from_file(tmp_path / "licet.yaml", state=state) as guard,
        guard.task("work", intent="Do the work", agent="bot", principal="user:grace"),
    ):
        assert guard.wrap(lambda: "changed", name="change")() == "changed"


def test_less_is_allowed_with_it_and_more_without_it(place, capsys):
    (place.path / "old.yaml").write_text(MANIFEST)
    (place.path / "new.yaml").write_text(CLOSED + MANIFEST)
    main(["diff", str(place.path / "old.yaml"), str(place.path / "new.yaml")])
    assert "denied once the monitoring has been blind for 30 min" in capsys.readouterr().out
