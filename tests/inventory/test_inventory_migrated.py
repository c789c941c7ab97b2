"""An `inventory.db` of an earlier release."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from licet.events import LifecycleEvent, UseEvent
from licet.inventory.model import Identity
from licet.inventory.store import Inventory

T = 1_772_323_200.0
KEY = "cred:" + "0" * 32


def test_an_inventory_of_version_2_is_read_on_and_knows_which_record_said_first_who_somebody_is(tmp_path: Path) -> None:
    """What somebody declared stays, and an earlier record than those that are there changes what they said."""
    path = tmp_path / "inventory.db"
    base = UseEvent("github", "u1", T, "github:eve", "github:repo.create", identity_kind="bot", identity_name="Eve", digest="1" * 64)
    issued = LifecycleEvent("github", "l1", T, "issued", "github:eve", KEY, "token", digest="3" * 64)
    inventory = Inventory(path)
    inventory.declare(identities=[Identity("github:ci", kind="pipeline")])
    ci = base._replace(native_id="u3", identity="github:ci", identity_kind="human")
    inventory.keep([base, base._replace(native_id="u2", time=T + 1, digest="2" * 64), ci], [issued], now=T + 60)
    said = inventory.rows("SELECT * FROM said ORDER BY 1, 2")
    assert inventory.rows("SELECT * FROM live") == [("github", "", int(T // 3600))]
    inventory.close()
    with sqlite3.connect(path) as db:
        db.executescript("DROP TABLE said; DROP TABLE unheard; DROP TABLE live; DROP INDEX lifecycle_by_whom; PRAGMA user_version=2;")
    db.close()
    inventory = Inventory(path)
    assert inventory.rows("SELECT * FROM said ORDER BY 1, 2") == said
    assert inventory.rows("SELECT * FROM live") == [("github", "", int(T // 3600))]
    assert inventory.rows("PRAGMA user_version") == [(3,)]
    earlier = base._replace(native_id="u0", time=T - 1, identity_kind="human", digest="4" * 64)
    inventory.keep([earlier, earlier._replace(native_id="u4", identity="github:ci")])
    assert inventory.rows("SELECT uid, kind, name FROM identities ORDER BY uid") == [
        ("github:ci", "pipeline", "Eve"), ("github:eve", "human", "Eve")
    ]  # fmt: skip
    inventory.close()
