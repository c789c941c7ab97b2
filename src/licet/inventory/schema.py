"""The tables of `inventory.db`.

Uses lie by identity and time, since that is how they are judged, so that going through one identity is one walk and keeping another use of
it one step; what most uses have in common (`shapes`) and long names (`words`) stand once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

VERSION: Final = 3

_NEW: Final = (
    """CREATE TABLE IF NOT EXISTS said (
    uid TEXT, what TEXT, value TEXT, time REAL, record TEXT, PRIMARY KEY (uid, what)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS unheard (
    uid TEXT PRIMARY KEY, time REAL, kind TEXT, identity TEXT, credential TEXT, supersedes TEXT, workload TEXT, body TEXT) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS unheard_by_credential ON unheard (credential)",
    "CREATE INDEX IF NOT EXISTS unheard_by_superseded ON unheard (supersedes)",
    "CREATE INDEX IF NOT EXISTS lifecycle_by_whom ON lifecycle (json_extract(body, '$[7]'))",
    """CREATE TABLE IF NOT EXISTS live (
    source TEXT, account TEXT, hour INTEGER, PRIMARY KEY (source, account, hour)) WITHOUT ROWID""",
)
"""What came with version 3: the record that says first what an identity or a credential is, events that have no effect, and in which hours
of which sources something was used that was not old when it came in.
"""

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS words (id INTEGER PRIMARY KEY, word TEXT UNIQUE NOT NULL);
CREATE TABLE IF NOT EXISTS shapes (id INTEGER PRIMARY KEY, shape TEXT UNIQUE NOT NULL);
CREATE TABLE IF NOT EXISTS uses (
    subject INTEGER, time REAL, uid TEXT, shape INTEGER, credential INTEGER, session TEXT, workload TEXT, ip TEXT, resource TEXT,
    name INTEGER, network INTEGER, intent TEXT, trace TEXT, digest BLOB, file INTEGER, line INTEGER,
    PRIMARY KEY (subject, time, uid)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lifecycle (
    uid TEXT PRIMARY KEY, time REAL, kind TEXT, identity TEXT, credential TEXT, supersedes TEXT, workload TEXT, body TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS lifecycle_by_identity ON lifecycle (identity, time);
CREATE INDEX IF NOT EXISTS lifecycle_by_credential ON lifecycle (credential);
CREATE INDEX IF NOT EXISTS lifecycle_by_superseded ON lifecycle (supersedes);
CREATE INDEX IF NOT EXISTS lifecycle_by_workload ON lifecycle (workload);
CREATE TABLE IF NOT EXISTS identities (
    id INTEGER PRIMARY KEY, uid TEXT UNIQUE NOT NULL, kind TEXT, name TEXT, source TEXT, account TEXT, declared TEXT, third_party INTEGER,
    same_as TEXT, same_confidence REAL, created REAL, first_seen REAL, last_seen REAL, uses INTEGER, status TEXT);
CREATE INDEX IF NOT EXISTS identities_same ON identities (same_as);
CREATE TABLE IF NOT EXISTS credentials (
    id INTEGER PRIMARY KEY, uid TEXT UNIQUE NOT NULL, kind TEXT, identity TEXT, name TEXT, shown TEXT, declared TEXT, generation INTEGER,
    supersedes TEXT, issued_by TEXT, issued REAL, expires REAL, rotated REAL, rotate_every REAL, revoked REAL, ended REAL, workload TEXT,
    canary INTEGER, first_seen REAL, last_used REAL, uses INTEGER, status TEXT, declared_for TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS credentials_by_identity ON credentials (identity);
CREATE INDEX IF NOT EXISTS credentials_by_workload ON credentials (workload);
CREATE TABLE IF NOT EXISTS holders (
    credential INTEGER, subject INTEGER, first REAL, last REAL, uses INTEGER, PRIMARY KEY (credential, subject)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS holders_by_subject ON holders (subject);
CREATE TABLE IF NOT EXISTS ran (subject INTEGER, workload TEXT, first REAL, PRIMARY KEY (subject, workload)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ran_by_workload ON ran (workload);
CREATE TABLE IF NOT EXISTS owners (uid TEXT PRIMARY KEY, name TEXT, contact TEXT, kind TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ownerships (
    identity TEXT, source TEXT, owner TEXT, confidence REAL, time REAL, by TEXT, PRIMARY KEY (identity, source)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS environments (uid TEXT PRIMARY KEY, accounts TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS edges (origin TEXT, target TEXT, PRIMARY KEY (origin, target)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dirty (subject INTEGER PRIMARY KEY, since REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS folds (subject INTEGER PRIMARY KEY, time REAL, detectors TEXT, state TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS signals (
    id TEXT PRIMARY KEY, subject INTEGER, time REAL, code TEXT, alert INTEGER, points REAL, finding TEXT, body TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS signals_by_subject ON signals (subject, time);
CREATE TABLE IF NOT EXISTS findings (
    id TEXT PRIMARY KEY, identity TEXT, time REAL, updated REAL, severity TEXT, status TEXT, body TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS findings_by_identity ON findings (identity);
CREATE TABLE IF NOT EXISTS due (subject INTEGER PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS verdicts (finding TEXT, time REAL, verdict TEXT, by TEXT, reason TEXT, until REAL, codes TEXT);
CREATE INDEX IF NOT EXISTS verdicts_by_finding ON verdicts (finding);
CREATE TABLE IF NOT EXISTS deliveries (
    sink TEXT, finding TEXT, version TEXT, delivered REAL, tries INTEGER, next REAL, error TEXT, PRIMARY KEY (sink, finding, version))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cursors (source TEXT, path TEXT, body TEXT, PRIMARY KEY (source, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refusals (
    source TEXT, cause TEXT, file TEXT, line INTEGER, number INTEGER, PRIMARY KEY (source, cause, file)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sources (
    source TEXT, account TEXT, first REAL, last REAL, events INTEGER, again INTEGER, passed INTEGER, intake REAL, gap REAL,
    credential INTEGER, workload INTEGER, services INTEGER, PRIMARY KEY (source, account)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS probes (credential TEXT, time REAL, command TEXT, authenticates INTEGER, detail TEXT);
""" + "".join(f"{each};\n" for each in _NEW)

_FIRST: Final = (
    "INSERT OR IGNORE INTO said SELECT identities.uid, '{what}', {value}, time, uses.uid||char(10)||lower(hex(digest)) FROM uses"
    " JOIN shapes ON shapes.id=uses.shape JOIN identities ON identities.id=subject JOIN words ON words.id=uses.name"
    " WHERE {value} NOT IN ('', 'unknown') ORDER BY subject, time, uses.uid"
)
_DECLARED: Final = (  # what stands there and is not what was said first, somebody declared, as far as can be told now
    "INSERT OR REPLACE INTO said SELECT uid, '{what}', {column}, -9e999, '' FROM {table} WHERE {column} NOT IN ('', 'unknown')"
    " AND {column}<>coalesce((SELECT value FROM said WHERE said.uid={table}.uid AND what='{what}'), '')"
)
_OF_CREDENTIALS: Final = (
    "INSERT OR IGNORE INTO said SELECT of, 'credential', value, time, record FROM ("
    "SELECT credentials.uid AS of, json_extract(shapes.shape, '$[4]') AS value, time, uses.uid||char(10)||lower(hex(digest)) AS record"
    " FROM uses"
    " JOIN shapes ON shapes.id=uses.shape JOIN credentials ON credentials.id=credential"
    " UNION ALL SELECT credential, json_extract(body, '$[6]'), time, uid||char(10)||json_extract(body, '$[18]') FROM lifecycle"
    ") WHERE value<>'' ORDER BY time, record"
)
_FIELDS: Final = {
    "kind": "json_extract(shapes.shape, '$[14]')", "name": "word", "source": "json_extract(shapes.shape, '$[0]')",
    "account": "json_extract(shapes.shape, '$[5]')",
}  # fmt: skip

_LIVE: Final = (  # how old records were when they came in was not noted; so those of the last 90 days of what spoke live at all
    "INSERT OR IGNORE INTO live SELECT DISTINCT source, account, CAST(time/3600 AS INTEGER) FROM uses JOIN shapes ON shapes.id=uses.shape"
    " JOIN sources ON source=json_extract(shapes.shape, '$[0]') AND account=json_extract(shapes.shape, '$[5]')"
    " WHERE gap<=604800 AND time>last-7776000"
)

MIGRATIONS: Final[Mapping[int, Sequence[str]]] = {
    2: (
        *_NEW, *(_FIRST.format(what=what, value=value) for what, value in _FIELDS.items()), _OF_CREDENTIALS,
        *(_DECLARED.format(what=what, column=what, table="identities") for what in _FIELDS),
        _DECLARED.format(what="credential", column="kind", table="credentials"), _LIVE,
    ),
}  # fmt: skip
"""By the schema that is there: what makes the next one of it."""
