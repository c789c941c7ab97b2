"""From the schemas of earlier releases to the present one: columns are added, and nothing that is there is changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

NONE: Mapping[int, Sequence[str]] = {}

MIGRATIONS: Mapping[int, Sequence[str]] = {
    4: [f"ALTER TABLE {table} ADD COLUMN ledger INTEGER NOT NULL DEFAULT 0" for table in ("tasks", "calls", "findings")],
}
"""By the schema that is there: what makes the next one of it."""


def migrate(connection: sqlite3.Connection, migrations: Mapping[int, Sequence[str]]) -> None:
    """Bring a store to the present schema, in one step. Several processes may try at once: the first does it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        while version in migrations:
            for statement in migrations[version]:
                connection.execute(statement)
            version += 1
            connection.execute(f"PRAGMA user_version={version:d}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
