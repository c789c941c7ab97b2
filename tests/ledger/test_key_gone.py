"""A ledger that stands, or whose checkpoint its key has signed, goes on under no other key; nothing is begun in its place."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from licet import Guard
from licet.errors import KeyFileError, LicetError

MANIFEST = """\
licet: 1
environment: dev
owners: {support: {name: Support, contact: oncall@acme.example}}
agents: {bot: {owner: support, purpose: Answer, tasks: [answer]}}
tools: {look: {access: read, egress: false}}
tasks: {answer: {intent: Answer one ticket, ttl: 10m, tools: {look: {}}}}
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "licet.yaml").write_text(MANIFEST, encoding="utf-8")
    worked(tmp_path)
    return tmp_path / "state"


def worked(folder: Path) -> None:
    with Guard.from_file(folder / "licet.yaml", state=folder / "state") as guard:
        look = guard.wrap(lambda: 1, name="look")
        with guard.task("answer", intent="Answer ticket 1", agent="bot", principal="user:ada"):
            look()


def _head(state: Path) -> None:
    (state / "keys" / "ledger.head").unlink()


def _ledger(state: Path) -> None:
    shutil.rmtree(state / "ledger")


def _all_but_records(state: Path) -> None:
    _head(state)
    for name in ("key", "checkpoint"):
        (state / "ledger" / name).unlink()


@pytest.mark.parametrize(
    "too", [lambda state: None, _head, _ledger, _all_but_records], ids=["key", "key-head", "key-ledger", "records-stand"]
)
def test_a_guard_makes_no_new_key_where_a_ledger_had_one(too: Callable[[Path], None], state: Path) -> None:
    (state / "keys" / "ledger.key").unlink()
    too(state)
    with pytest.raises(KeyFileError, match=r"ledger\.key: is missing, and .*put it back"):
        worked(state.parent)
    assert not (state / "keys" / "ledger.key").exists()


def test_folder_key_and_head_moved_away_together_begin_a_new_ledger(state: Path) -> None:
    _ledger(state)
    _head(state)
    (state / "keys" / "ledger.key").unlink()
    worked(state.parent)
    assert (state / "ledger" / "checkpoint").exists()


def test_a_ledger_that_is_gone_is_not_begun_anew_under_its_key(state: Path) -> None:
    _ledger(state)
    with pytest.raises(LicetError):
        worked(state.parent)
    assert not (state / "ledger").exists() or not any((state / "ledger").glob("live/*"))
