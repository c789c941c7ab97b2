"""Whether the monitoring can be relied on is asked by who watches services: what nobody knows is no yes."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from licet.cli import main
from licet.clock import SystemClock
from licet.drill.book import FILE as BOOK
from licet.drill.book import Book
from licet.drill.keys import DrillKey
from licet.drill.live import Choice, Live
from licet.drill.looked import of_folder, of_url
from licet.drill.pipeline import Pipeline
from licet.drill.receiver import receiving
from licet.drill.run import run
from licet.drill.scenarios import SCENARIOS
from licet.drill.score import Reason, scorecard
from licet.guard.state import open_ledger, open_state, secret
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.store import FILE, Inventory
from licet.monitor.webhook import Webhook
from running import running

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library


def test_it_answers_503_until_drills_pass_and_says_no_more_than_the_kinds_of_reasons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("licet.server.app.MONITORING_SECONDS", 0)
    d1 = next(each for each in SCENARIOS if each.id == "D1")._replace(sources=("cloudtrail",))
    monkeypatch.setattr("licet.drill.status.SCENARIOS", (d1,))
    with running(tmp_path) as service:
        never = service.http.get("/healthz/monitoring")
        assert (never.status_code, never.json()) == (503, {"status": "failing", "reasons": ["silent", "unplayed"]})
        played(tmp_path / "state", Choice(d1, "cloudtrail"))
        well = service.http.get("/healthz/monitoring")
        assert (well.status_code, well.json()) == (200, {"status": "ok", "reasons": []})
        (tmp_path / "state" / BOOK).write_bytes(b"no database at all" * 100)
        gone = service.http.get("/healthz/monitoring")
        assert (gone.status_code, gone.json()) == (503, {"status": "failing", "reasons": ["unreadable"]})


KINDS = ("failed", "unrevealed", "audit", "missed", "silent", "unplayed", "clock", "unjudged", "undelivered", "sink")


def test_for_each_kind_of_reason_and_for_none_status_the_watcher_of_a_folder_and_that_of_the_address_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("licet.server.app.MONITORING_SECONDS", 0)
    state, real = tmp_path / "state", scorecard
    with running(tmp_path) as service:
        for kind in ("", *KINDS):
            reasons = (Reason(kind, f"it is {kind}"),) if kind else ()
            monkeypatch.setattr("licet.drill.status.scorecard", lambda *a, of=reasons, **k: real(*a, **k)._replace(reasons=of))
            health = service.http.get("/healthz/monitoring")
            assert health.json()["reasons"] == ([kind] if kind else [])
            by_url = of_url(f"http://{service.http.base_url.netloc.decode()}/healthz/monitoring", 0.0, again=0.0)
            code = 1 if kind else 0
            said = [bool(of_folder(state, 1.0).why), bool(by_url.why), main(["drill", "status", "--state", str(state)])]
            assert (kind, health.status_code, said) == (kind, 503 if kind else 200, [bool(code), bool(code), code])


def played(state: Path, choice: Choice) -> None:
    folder = open_state(state)
    with (
        receiving() as receiver,
        closing(Inventory(folder.path / FILE)) as inventory,
        closing(Book(folder.path / BOOK)) as book,
        closing(open_ledger(folder)) as ledger,
    ):
        pipeline = Pipeline(inventory, Fingerprints(secret(folder)).of, SystemClock())
        sinks = {"webhook": Webhook(receiver.url, receiver.secret)}
        results = run([choice], Live(pipeline, sinks, ledger, DrillKey.of(folder.keys / "drill.key"), book, SystemClock()))
    assert all(each.passed for each in results)
