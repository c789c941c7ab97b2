"""`licet inventory forget`: of an identity nothing is left, and of others nothing goes that they need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from licet.cli.main import main
from licet.events import LifecycleEvent, UseEvent
from licet.inventory.forgotten import forget
from licet.inventory.model import Identity, Owner, Ownership
from licet.inventory.permissions import Shown
from licet.inventory.store import Inventory
from licet.monitor.run import monitor
from licet.monitor.stored import signals_of
from licet.monitor.world import DAY, Settings

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

T = 1_772_323_200.0
GRACE, OTHER = "github:grace", "github:ci"
OWN, SHARED = "cred:" + "a" * 32, "cred:" + "b" * 32


def used(number: int, identity: str, credential: str, time: float, **more: Any) -> UseEvent:
    return UseEvent(
        "github", f"u{number}", time, identity, "github:repo.create", identity_kind="bot", identity_name=identity.upper(),
        credential=credential, digest=f"{number:064x}", place=f"of-{identity[7:]}.jsonl:1", account="acme",
    )._replace(**more)  # fmt: skip


def told(number: int, kind: Any, credential: str, time: float, identity: str = "") -> LifecycleEvent:
    return LifecycleEvent("github", f"l{number}", time, kind, identity, credential, digest=f"{number:064x}", place="g:1")


SOURCES = "SELECT account, events, credential, workload, services FROM sources WHERE source='github' ORDER BY account"
OF_GRACE = [used(1, GRACE, OWN, T), used(2, GRACE, SHARED, T + 60), used(3, GRACE, OWN, T + DAY)]
OF_OTHER = [used(4, OTHER, SHARED, T + 90), used(5, OTHER, SHARED, T + 2 * DAY)]
LIFE = [told(6, "issued", OWN, T - 9, GRACE), told(7, "revoked", OWN, T + 60, GRACE), told(8, "revoked", SHARED, T + 600, GRACE)]


def opened(path: Path) -> Inventory:
    inventory = Inventory(path)
    inventory.declare(
        identities=[Identity("github:gracie", same_as=GRACE, same_confidence=1.0)], owners=[Owner("team")],
        ownerships=[Ownership(each, "team", "manifest", 1.0, T) for each in (GRACE, OTHER)],
    )  # fmt: skip
    inventory.keep([*OF_GRACE, *OF_OTHER, used(9, "github:gracie", "", T + 5)], LIFE)
    monitor(inventory, Settings(), T + 9 * DAY)
    return inventory


def texts(path: Path) -> bytes:
    return b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))


def test_nothing_of_it_is_left_in_the_file_and_who_shared_a_credential_with_it_is_judged_as_before(tmp_path: Path) -> None:
    """That the shared one was revoked stays: else who uses it still would be hidden."""
    tmp_path.chmod(0o700)
    path = tmp_path / "inventory.db"
    inventory = opened(path)
    assert {each.code for each in signals_of(inventory, GRACE)} >= {"POST_REVOCATION_USE"}
    assert forget(inventory, GRACE, counting=True) == (found := forget(inventory, GRACE))
    assert found[:3] == ((GRACE, "github:gracie"), 4, 2)
    assert (found.credentials, found.stays) == (1, 1)
    monitor(inventory, Settings(), T + 9 * DAY)
    assert [each.uid for each in inventory.identities()] == [OTHER]
    assert "POST_REVOCATION_USE" in {each.code for each in signals_of(inventory, OTHER)}
    assert inventory.rows("SELECT uid, uses, first_seen FROM credentials") == [(SHARED, 2, T + 90)]
    assert [use.place for use in inventory.uses(OTHER)] == ["of-ci.jsonl:1"] * 2
    stays = [body for (body,) in inventory.rows("SELECT body FROM lifecycle")]
    inventory.close()
    assert len(stays) == 1
    assert GRACE not in stays[0]
    for word in (b"GITHUB:GRACE", b"of-grace.jsonl", b"gracie", OWN.encode()):
        assert word not in texts(path), word


def test_a_name_that_is_only_likely_is_told_and_stays(tmp_path: Path) -> None:
    """Who makes a likely name of somebody must not have it forgotten with him."""
    tmp_path.chmod(0o700)
    inventory = opened(tmp_path / "inventory.db")
    with inventory.step() as db:
        db.execute("UPDATE identities SET same_as=?, same_confidence=0.7 WHERE uid=?", (GRACE, OTHER))
    before = list(inventory.uses(OTHER))
    found = forget(inventory, GRACE)
    assert (found.names, found.likely) == ((GRACE, "github:gracie"), (OTHER,))
    assert list(inventory.uses(OTHER)) == before != []
    assert inventory.rows("SELECT uid, same_as FROM identities") == [(OTHER, "")]
    inventory.close()


def test_that_a_source_fell_silent_stays_without_the_name_of_who_was_heard_last(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    path = tmp_path / "inventory.db"
    inventory = Inventory(path)
    who = "github:time"  # no word of ours is taken for it
    inventory.keep([used(number, who, OWN, T + 3_600 * number) for number in range(60)], [], now=T + 60 * 3_600)
    inventory.keep([used(99, "github:other", "", T)], [])

    monitor(inventory, Settings(), T + 40 * DAY)
    assert who.encode() in texts(path)
    forget(inventory, who)
    monitor(inventory, Settings(), T + 40 * DAY)
    assert len(inventory.rows("SELECT 1 FROM findings WHERE identity='' AND status='open'")) == 1
    inventory.close()
    assert who.encode() not in texts(path)


def test_a_process_that_remembers_what_is_forgotten_writes_no_wrong_names(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    inventory, other = opened(tmp_path / "inventory.db"), Inventory(tmp_path / "inventory.db")
    forget(other, GRACE)
    again = used(10, GRACE, OWN, T + 3 * DAY)
    inventory.keep([again])
    assert list(inventory.uses(GRACE)) == list(other.uses(GRACE)) == [again]
    inventory.close()
    other.close()


def test_what_the_logs_have_shown_can_be_asked_for_afterwards_though_an_operation_was_forgotten(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    inventory = opened(tmp_path / "inventory.db")
    inventory.keep([used(10, GRACE, OWN, T, operation="github:repo.destroy")])
    forget(inventory, GRACE)
    shown = Shown.of(inventory, str)
    inventory.close()
    assert shown.why_not("github:repo.create") == ""


def test_sources_count_what_is_left_and_what_is_read_again_is_counted_once(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    inventory = opened(tmp_path / "inventory.db")
    service = used(11, OTHER, "", T, identity_kind="service", account="", workload="w")
    inventory.keep([service, used(12, OTHER, "", T, workload="w"), used(13, GRACE, OWN, T, account="grace", workload="w")])
    before = inventory.rows(SOURCES)
    forget(inventory, GRACE)
    assert inventory.rows(SOURCES) == [("", 1, 0, 0, 1), ("acme", 3, 2, 1, 0), ("grace", 0, 0, 0, 0)]
    inventory.keep([*OF_GRACE, used(13, GRACE, OWN, T, account="grace", workload="w"), used(9, "github:gracie", "", T + 5)])
    assert inventory.rows(SOURCES) == before
    inventory.close()


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    monkeypatch.setenv("LICET_STATE", str(folder))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "life.jsonl").write_text('{"id": "1", "time": "2026-03-01T12:00:00Z", "kind": "suspended", "identity": "github:grace"}\n')
    assert main(["ingest", "lifecycle", "life.jsonl"]) == 0
    return folder


def test_it_asks_counts_and_does_it(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["inventory", "forget", "github:grace"]) == 2
    assert "this would forget github:grace: 1 lifecycle event: look with `--dry-run`, and give `--yes`" in capsys.readouterr().err
    assert main(["inventory", "forget", "github:grace", "--dry-run"]) == 0
    assert capsys.readouterr().out == "would forget github:grace: 1 lifecycle event\n"
    assert main(["inventory", "forget", "github:grace", "--yes"]) == 0
    assert capsys.readouterr().out == "forgotten github:grace: 1 lifecycle event\n"
    assert main(["inventory", "forget", "github:grace", "--yes"]) == 2
    assert "no identity or credential here is called so" in capsys.readouterr().err
