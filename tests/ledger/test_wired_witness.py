"""A guard whose manifest names a witness has its checkpoints cosigned, and goes on where the witness is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from licet import Guard
from licet.errors import ManifestError
from licet.ledger import LedgerKey
from licet.ledger.check.verify import verify
from licet.ledger.cosigning.cosignature import witness_key
from licet.ledger.note import NoteKey
from witnessing import serving

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

MANIFEST = """\
licet: 1
environment: dev
owners: {{o: {{name: O, contact: o@acme.example}}}}
agents: {{bot: {{owner: o, tasks: [work]}}}}
tools: {{look: {{access: read, egress: false}}}}
tasks: {{work: {{intent: Work, ttl: 10m, tools: {{look: {{}}}}}}}}
ledger: {{checkpoint_every: 50ms, witnesses: [{{url: "{url}", key: "{key}"}}]}}
"""


def work(folder: Path, url: str, key: str) -> Guard:
    """A guard of that manifest that has worked."""
    (folder / "licet.yaml").write_text(MANIFEST.format(url=url, key=key), encoding="utf-8")
    guard = Guard.from_file(folder / "licet.yaml", state=folder / "state")
    look = guard.wrap(lambda: "seen", name="look")
    with guard, guard.task("work", intent="Look", agent="bot", principal="user:grace"):
        assert look() == "seen"
    return guard


def own_key(folder: Path) -> NoteKey:
    """The key of the state folder's ledger, made before there is one, so that a witness can be told of it."""
    folder.mkdir(mode=0o700)
    (folder / "keys").mkdir(mode=0o700)
    return LedgerKey.of(folder / "keys").note_key


def test_the_checkpoints_of_a_guard_are_cosigned_by_the_witness_that_its_manifest_names(tmp_path: Path):
    own = own_key(tmp_path / "state")
    with serving(tmp_path / "witness", own) as service:
        work(tmp_path, service.url, str(service.key))
    witness = witness_key(str(service.key), "the witness")
    verdict = verify(tmp_path / "state" / "ledger", [own], witnesses=[witness])
    assert not verdict.faults


def test_a_witness_that_is_not_there_stops_no_call(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    own = own_key(tmp_path / "state")
    with serving(tmp_path / "witness", own) as service:
        key = str(service.key)
    work(tmp_path, service.url, key)
    assert "witness" in caplog.text
    found = verify(tmp_path / "state" / "ledger", [own], witnesses=[witness_key(key, "the witness")])
    assert [fault.code for fault in found.faults] == ["not-cosigned"]


def test_a_witness_named_by_the_key_of_a_log_is_wrong_use(tmp_path: Path):
    (tmp_path / "keys").mkdir(mode=0o700)
    with pytest.raises(ManifestError, match=r"licet\.yaml:7:.*ledger\.witnesses\.0\.key.*the key of a log"):
        work(tmp_path, "http://127.0.0.1:1", str(LedgerKey.of(tmp_path / "keys").note_key))
