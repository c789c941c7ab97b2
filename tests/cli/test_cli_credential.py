"""`licet credential` and `licet trace`: what is said of a credential stands in its life, and its life is shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from licet.cli import main
from licet.cli.credential_told import VERBS
from licet.errors import UsageError
from licet.guard.state import open_state, secret
from licet.ingest.hook import record
from licet.inventory.fingerprints import Fingerprints
from licet.testing import FakeClock

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

Out = pytest.CaptureFixture[str]
KEY, NEW = "AKIACIEXAMPLE0000007", "AKIACIEXAMPLE0000008"
EXAMPLE = Path(__file__).parents[2] / "examples" / "identities" / "aws-key.jsonl"
MANIFEST = """\
licet: 1
environment: dev
owners: {ops: {name: Operations, contact: ops@acme.example}}
agents: {bot: {owner: ops, tasks: [work]}}
credentials:
  deployer: {owner: ops, kind: access-key, ids: [AKIACIEXAMPLE0000007]}
  nameless: {owner: ops, kind: api-key}
tools: {look: {access: read, egress: false, credential: deployer}}
tasks: {work: {intent: Work, ttl: 10m, tools: {look: {}}}}
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def licet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> Run:
    """A command in a folder of its own: its exit code, what it said, and what it complained about."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LICET_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*words: str, given: str | None = None) -> tuple[int, str, str]:
        (tmp_path / "given").write_text(given or "", encoding="utf-8")
        with (tmp_path / "given").open(encoding="utf-8") as file:
            monkeypatch.setattr("sys.stdin", file)
            code = main(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def fingerprint(tmp_path: Path, shown: str) -> str:
    return Fingerprints(secret(open_state(tmp_path / "state"))).of(shown)


def life(licet: Run, credential: str) -> dict[str, Any]:
    code, out, err = licet("trace", credential, "--json")
    assert code in (0, 1), err
    found: dict[str, Any] = json.loads(out)
    return found


MORE = {"rotate": ["--to", NEW], "renew": ["--generation", "4", "--presented", "3"], "bind": ["--workload", "run/1"]}


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_said_is_one_line_that_the_intake_knows_already(licet: Run, verb: str, tmp_path: Path) -> None:
    """Each verb prints the line that it wrote: taking it in again changes nothing, and it has no id in it but fingerprints."""
    about = "run/1" if VERBS[verb].job else KEY
    code, out, _ = licet("credential", verb, about, *MORE.get(verb, ()), "--at", "2026-03-09T10:00Z", "--reason", "INC-1")
    line = json.loads(out)
    assert (code, line["kind"], line["time"], line["reason"]) == (0, VERBS[verb].kind, "2026-03-09T10:00:00.000Z", "INC-1")
    assert KEY not in out
    assert NEW not in out
    _, told, _ = licet("ingest", "lifecycle", "-", "--json", given=out)
    assert {key: json.loads(told)[key] for key in ("lifecycle", "again", "refused")} == {"lifecycle": 0, "again": 1, "refused": []}
    if about == KEY:
        assert fingerprint(tmp_path, KEY) in out
        assert [each["kind"] for each in life(licet, KEY)["lines"]] in ([VERBS[verb].kind], ["rotated", "superseded"])


def test_a_key_is_traced_from_its_issuance_to_its_end_and_a_late_use_is_told(licet: Run, tmp_path: Path) -> None:
    """The example's key: no hole, exit code 0; with a revocation that nobody enforced, red, with the interval, and exit code 1."""
    assert licet("ingest", "cloudtrail", str(EXAMPLE))[0] == 0
    code, out, _ = licet("trace", KEY)
    assert (code, "no hole: its issuance is known, its end too" in out) == (0, True)
    assert f"made by arn:aws:iam::111122223333:user/ops-admin, with {fingerprint(tmp_path, 'AKIAADMINEXAMPLE0001')}" in out
    assert licet("credential", "revoke", KEY, "--at", "2026-03-09T10:00:00Z")[0] == 0
    code, out, _ = licet("trace", KEY)
    assert (code, "203.0.113.77  aws-cli/2  4 h 12 min after it was revoked\n" in out) == (1, True)
    assert "used 1 time after its end (grace: 5 min)" in out
    assert licet("trace", KEY, "--grace", "5h")[0] == 0


@pytest.mark.parametrize("by", ["id", "fingerprint", "beginning", "name", "file", "stdin"])
def test_a_credential_is_found_by_each_of_its_names(licet: Run, tmp_path: Path, by: str) -> None:
    """By its id, its fingerprint or the beginning of it, by its name in the manifest; in a file and on standard input."""
    licet("ingest", "cloudtrail", str(EXAMPLE))
    (tmp_path / "licet.yaml").write_text(MANIFEST, encoding="utf-8")
    (tmp_path / "id").write_text(KEY + "\n", encoding="utf-8")
    whole = fingerprint(tmp_path, KEY)
    said = {"id": KEY, "fingerprint": whole, "beginning": whole[:12], "name": "deployer", "file": "@id", "stdin": "-"}[by]
    code, out, err = licet("trace", said, given=KEY + "\n")
    assert (code, f"access key …0007 {whole} of" in out) == (0, True), err
    code, out, _ = licet("credential", "suspend", said, given=KEY + "\n")
    assert (code, whole in out) == (0, True)


@pytest.mark.parametrize("command", [["trace"], ["credential", "revoke"]], ids=["trace", "revoke"])
@pytest.mark.parametrize(
    "said, why",
    [("", "is empty"), ("ghp_0123456789abcdefghijABCDEFGHIJ012345", "a secret itself"), ("eyJhbGciOiJFZERTQSJ9.e30.x", "`jti`"),
     ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "a secret itself")],
    ids=["empty", "token", "jwt", "aws"],
)  # fmt: skip
def test_what_must_not_be_handed_in_is_refused_and_not_repeated(licet: Run, command: list[str], said: str, why: str) -> None:
    """Nothing, or a secret itself: exit code 2, and the secret is in no message."""
    licet("ingest", "cloudtrail", str(EXAMPLE))
    code, out, err = licet(*command, said)
    assert (code, out, why in err) == (2, "", True)
    assert not said or said not in err


def test_a_credential_that_nobody_has_heard_of_is_said(licet: Run) -> None:
    """An id with a slip in it is an unrevoked key; one that is issued is new, and what is known is known."""
    licet("ingest", "cloudtrail", str(EXAMPLE))
    assert "nobody has heard of this credential" in licet("credential", "revoke", KEY[:-1] + "1")[2]
    assert "nobody has heard of this credential" in licet("credential", "rotate", KEY[:-1] + "2", "--to", NEW)[2]
    assert licet("credential", "revoke", KEY)[2] == ""
    assert licet("credential", "issue", KEY[:-1] + "3")[2] == ""
    assert licet("credential", "job-end", "ci/run/1")[2] == ""


def test_who_nobody_knows_is_no_traceback_but_what_to_do(licet: Run) -> None:
    """Without an inventory, with one, and where a beginning is of two."""
    assert licet("trace", KEY)[2].endswith("`licet ingest SOURCE PATH` does that\n")
    licet("ingest", "cloudtrail", str(EXAMPLE))
    code, _, err = licet("trace", "nobody")
    assert (code, "take in more logs" in err) == (2, True)
    for unknown in ("cred:", "cred:zz", "cred:0000000000000", "credential:nobody"):
        assert licet("trace", unknown)[0] == 2


def test_a_name_ends_with_all_its_ids_and_is_rotated_only_where_it_is_one(licet: Run, tmp_path: Path) -> None:
    """Revoking a name revokes its ids and what the guard knows by name; a rotation takes the place of one version."""
    (tmp_path / "licet.yaml").write_text(MANIFEST, encoding="utf-8")
    _, out, _ = licet("credential", "revoke", "deployer")
    ended = [json.loads(line) for line in out.splitlines()]
    assert {line["credential"] for line in ended} == {fingerprint(tmp_path, KEY), fingerprint(tmp_path, "credential:deployer")}
    assert len({line["id"] for line in ended}) == 2
    code, out, _ = licet("credential", "rotate", "deployer", "--to", NEW)
    assert (code, json.loads(out)["supersedes"], json.loads(out)["credential"]) == (
        0,
        fingerprint(tmp_path, KEY),
        fingerprint(tmp_path, NEW),
    )
    code, out, err = licet("credential", "rotate", "nameless", "--to", NEW)
    assert (code, out, "has no `ids`" in err) == (2, "", True)
    code, _, err = licet("credential", "rotate", KEY, "--to", KEY)
    assert (code, "is the old one" in err) == (2, True)
    assert [version["status"] for version in life(licet, NEW)["versions"]] == ["revoked", "active"]


def test_the_page_and_the_picture_are_self_contained_and_show_what_is_late(licet: Run, tmp_path: Path) -> None:
    """Nothing is loaded and nothing runs; what was used after its end is red; foreign text cannot act."""
    licet("ingest", "cloudtrail", str(EXAMPLE))
    licet("credential", "revoke", KEY, "--at", "2026-03-09T10:00:00Z", "--reason", "<script>alert(1)</script>\u202e")
    code, out, _ = licet("trace", KEY, "--svg", "life.svg", "--html", "life.html")
    assert (code, out) == (1, "")
    svg, page = ((tmp_path / name).read_text(encoding="utf-8") for name in ("life.svg", "life.html"))
    for text in (svg, page):
        assert "4 h 12 min after it was revoked" in text
        assert "<script" not in text
        assert "\u202e" not in text
        assert "href" not in text
    marks = [each for each in ElementTree.fromstring(svg).iter() if each.tag.endswith("circle")]
    assert [each.get("fill") for each in marks].count("#b3261e") == 1
    assert page.count('<tr class="blocked">') == 1
    assert licet("trace", KEY, "--svg", "no/such/folder.svg")[0] == 2


def test_the_json_has_each_line_and_its_evidence(licet: Run, tmp_path: Path) -> None:
    """Every line has the uid of the event that it is of; times are RFC 3339; nothing is an id."""
    licet("ingest", "cloudtrail", str(EXAMPLE))
    code, out, _ = licet("trace", KEY, "--json")
    found = json.loads(out)
    assert (code, found["holes"], found["used_late"]) == (0, [], 0)
    assert all(line["uid"].startswith("cloudtrail/") and line["time"].endswith("Z") for line in found["lines"])
    assert KEY not in out
    assert [each["credential"] for each in found["lineage"]] == [fingerprint(tmp_path, "AKIAADMINEXAMPLE0001")]


def test_the_hook_takes_all_events_or_none(tmp_path: Path) -> None:
    """A wrong one is told with its number and key, and the right one before it is not written; telling again changes nothing."""
    clock, well = FakeClock(1_790_000_000.0), {"id": "l-1", "time": "2026-03-01T12:00:00Z", "kind": "revoked", "credential": "lease-1"}
    for wrong in ({}, well | {"id": "l-2", "kind": "burnt"}, well | {"id": "l-2", "time": "2036-03-01T12:00:00Z"}, {"id": object()}):
        with pytest.raises(UsageError, match=r"event 2: |is no JSON"):
            record(tmp_path / "state", well, wrong, clock=clock)
    assert record(tmp_path / "state", well, clock=clock)[:3] == (0, 1, 0)
    assert record(tmp_path / "state", well, clock=clock)[:3] == (0, 0, 1)
