"""The inventory into a file and back: exact, row by row, and nothing that is wrong goes in."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from licet.errors import Problem
from licet.events import LifecycleEvent
from licet.inventory.exchange import File, Format, Told, exported, taken
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.life import status_at
from licet.inventory.store import Inventory

NOW = 1_790_000_000.0  # 2026-09-21
OF = Fingerprints(bytes(32)).of
KEY = "AKIAIOSFODNN7EXAMPLE"
ROLE = "arn:aws:iam::111122223333:role/bot"
DOCUMENT: dict[str, Any] = {
    "environments": {"prod": {"accounts": ["111122223333"], "clusters": ["eks-prod"], "orgs": ["acme"]}, "stage": {"accounts": ["4444"]}},
    "edges": [["stage", "prod"]],
    "owners": [{"owner": "ops", "name": "Operations", "contact": "ops@acme.example"}, {"owner": "ada", "kind": "person"}],
    "identities": [
        {
            "identity": ROLE, "kind": "role", "name": "=1+1", "owner": "ops", "owner_confidence": 0.75,
            "owner_confirmed": "2026-09-01T10:00:00Z", "environment": "prod", "purpose": "it\n\"reads\", and 'writes'",
            "uses": ["s3:GetObject", "dynamodb:*", "secretsmanager:GetSecretValue", "entra:Update device"], "regions": ["eu-west-1", 'West "Europe"'], "networks": ["192.0.2.0/24", "2001:db8::/48"],
            "third_party": True,
        },
        {"identity": "system:serviceaccount:external-secrets:writer", "same_as": ROLE},
        {"identity": "+49 \u00fcber", "name": "'=quoted", "kind": "human"},
    ],
    "credentials": [
        {
            "credential": KEY, "identity": ROLE, "credential_kind": "access key", "owner": "ada", "uses": ["s3:*"], "expires": "2026-12-31",
            "issued": "2026-01-01", "rotate_every": "90d", "canary": True, "shown": "MPLE", "environment": "stage",
        },
        {"credential": "0oa1b2c3d4", "identity": "+49 \u00fcber"},
    ],
}  # fmt: skip


def told(inventory: Inventory, raw: bytes, form: Format, now: float = NOW) -> tuple[Told, list[Problem]]:
    problems: list[Problem] = []
    return taken(inventory, File(f"f.{form}", raw, form), OF, now, problems.append), problems


def text_of(inventory: Inventory, form: Format) -> str:
    return "".join(exported(inventory, form))


@pytest.mark.parametrize("form", ["json", "csv"])
def test_what_was_exported_is_the_same_when_it_was_imported_and_is_exported_again(tmp_path: Path, form: Format) -> None:
    """Also texts that a spreadsheet, CSV or JSON would take for something else; and importing what is there already changes nothing."""
    first, second = Inventory(tmp_path / "1.db"), Inventory(tmp_path / "2.db")
    assert told(first, json.dumps(DOCUMENT).encode(), "json") == (Told(3, 2), [])
    written = text_of(first, form)
    assert told(second, written.encode(), form, NOW + 60.0) == (Told(3, 2), [])
    assert text_of(second, form) == written
    with second.step() as db:
        db.execute("DELETE FROM dirty")
    told(second, written.encode(), form, NOW + 90.0)
    assert text_of(second, form) == written
    assert second.dirty() == []
    for each in (first.identity(ROLE), second.identity(ROLE)):
        assert each is not None
        assert (each.declared.regions, each.name) == (("eu-west-1", 'West "Europe"'), "=1+1")
    first.close()
    second.close()


def test_a_row_says_what_the_inventory_then_knows(tmp_path: Path) -> None:
    """The owner with source and confidence, an environment with all its names, and a credential by its fingerprint only."""
    inventory = Inventory(tmp_path / "inventory.db")
    told(inventory, json.dumps(DOCUMENT).encode(), "json")
    owner, said = inventory.owner_of(ROLE) or pytest.fail("nobody")
    assert (owner.name, said.source, said.confidence) == ("Operations", "imported", 0.75)
    assert {each.uid: each.accounts for each in inventory.environments()}["prod"] == ("111122223333", "eks-prod", "acme")
    credential, _ = inventory.life(OF(KEY)) or pytest.fail("unknown")
    assert (credential.canary, credential.rotate_every, credential.shown) == (True, 90 * 86_400.0, "MPLE")
    assert (status_at(credential, NOW), status_at(credential, NOW + 365 * 86_400)) == ("active", "expired")
    face = inventory.identity("system:serviceaccount:external-secrets:writer")
    assert face is not None
    assert (face.same_as, face.same_confidence) == (ROLE, 1.0)
    inventory.close()
    assert KEY.encode() not in (tmp_path / "inventory.db").read_bytes()


def test_no_cell_of_an_export_is_a_formula(tmp_path: Path) -> None:
    inventory = Inventory(tmp_path / "inventory.db")
    names = ["=1", "+1", "-1", "@a", "\t=1", "\r=1", "'=1"]
    told(inventory, json.dumps({"identities": [{"identity": name, "name": name} for name in names]}).encode(), "json")
    cells = [cell for row in csv.reader(io.StringIO(text_of(inventory, "csv"), newline="")) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert "'=1" in cells
    again = Inventory(tmp_path / "2.db")
    told(again, text_of(inventory, "csv").encode(), "csv")
    assert sorted(each.name for each in again.identities()) == sorted(names)
    inventory.close()
    again.close()


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "kind": ({"identity": "a", "kind": "robot"}, "kind"),
    "nobody": ({"identity": "", "name": "x"}, "identity"),
    "itself": ({"identity": "a", "same_as": "a"}, "same_as"),
    "confidence": ({"identity": "a", "owner": "o", "owner_confidence": 1.5}, "owner_confidence"),
    "contact of nobody": ({"identity": "a", "owner_contact": "x"}, "owner_contact"),
    "tomorrow": ({"identity": "a", "owner": "o", "owner_confirmed": "2036-01-01"}, "owner_confirmed"),
    "everything": ({"identity": "a", "uses": ["*"]}, "uses"),
    "star within": ({"identity": "a", "uses": ["s3:Get*Object"]}, "uses"),
    "every address": ({"identity": "a", "networks": ["0.0.0.0/0"]}, "networks"),
    "no network": ({"identity": "a", "networks": ["192.0.2.1/24"]}, "networks"),
    "key of a credential": ({"identity": "a", "expires": "2026-01-01"}, "expires"),
    "secret as a name": ({"identity": "a", "name": "ghp_0123456789abcdefghijABCDEFGHIJ012345"}, "name"),
    "secret as an id": ({"credential": "ghp_0123456789abcdefghijABCDEFGHIJ012345"}, "credential"),
    "AWS secret as an id": ({"credential": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}, "credential"),
    "password in a link": ({"credential": "postgres://user:hunter2@db/x"}, "credential"),
    "fingerprint as identity": ({"identity": "cred:" + "a" * 32}, "identity"),
    "duration": ({"credential": "key-1", "rotate_every": "often"}, "rotate_every"),
    "no day": ({"credential": "key-1", "expires": "soon"}, "expires"),
    "ends before it begins": ({"credential": "key-1", "issued": "2026-02-01", "expires": "2026-01-01"}, "expires"),
    "a word for a flag": ({"credential": "key-1", "canary": "perhaps"}, "canary"),
}


@pytest.mark.parametrize("form", ["json", "csv"])
@pytest.mark.parametrize("name", WRONG)
def test_a_row_that_cannot_be_used_is_named_and_the_rest_goes_on(tmp_path: Path, form: Format, name: str) -> None:
    row, key = WRONG[name]
    inventory = Inventory(tmp_path / "inventory.db")
    if form == "json":
        section = "credentials" if "credential" in row else "identities"
        raw = f'{{"{section}": [\n\n  {json.dumps(row)}\n],\n"owners": [{{"owner": "behind"}}]}}'
    else:
        columns = list(dict.fromkeys((*row, "identity", "credential")))
        cells = [" ".join(value) if isinstance(value, list) else str(value) for value in (row.get(each, "") for each in columns)]
        raw = "\n".join([",".join(columns), "," * (len(columns) - 1), ",".join(cells), ""])
        raw += ",".join("behind" if each == "identity" else "" for each in columns)
    _, problems = told(inventory, raw.encode(), form)
    assert [(each.key, each.line) for each in problems] == [(key, 3)]
    assert problems[0].column == ((columns.index(key) + 1) if form == "csv" else raw.split("\n")[2].find(f'"{key}": ') + len(key) + 5)
    assert not any(secret in problems[0].message for secret in ("ghp_0", "wJalr", "hunter2"))
    known = {each.uid for each in inventory.identities()} | {uid for (uid,) in inventory.rows("SELECT uid FROM owners")}
    assert "behind" in known
    assert "a" not in known
    inventory.close()


@pytest.mark.parametrize(
    "text, place, message",
    [
        ('{"identities": [{"identity": "a"}, {"identity": "b"', (1, 52), "must stand here"),
        ('{"identities": [\n{"identity": "a"},\n]}', (3, 1), "expecting value"),
        ('{"identities": [{"identity": "a"}]} x', (1, 37), "behind the document"),
        ('{"identities": [{"identity": "a"}], "identities": []}', (1, 37), "twice"),
        ('{"identities": [{"identity": "a"}, {"identity": "b", "name": ' + "[" * 100_000, (1, 62), "nested too deeply"),
    ],
    ids=["cut off", "comma at the end", "more behind", "twice", "deep"],
)
def test_what_is_no_json_is_read_as_far_as_it_is(tmp_path: Path, text: str, place: tuple[int, int], message: str) -> None:
    inventory = Inventory(tmp_path / "inventory.db")
    count, problems = told(inventory, text.encode(), "json")
    assert (count.identities, count.wrong) == (1, 1)
    assert (problems[0].line, problems[0].column, message in problems[0].message) == (*place, True)
    inventory.close()


@pytest.mark.parametrize(
    "row, message",
    [
        ('{"identity": "a", "identity": "b"}', "twice"),
        ('{"identity": "a", "colour": "red"}', "is no key"),
        ('{"identity": "a\\ud800"}', "UTF-8"),
        ('["a"]', "objects"),
        ('{"identity": "a", "credential": "key-1"}', "stands in a row of `credentials`"),
    ],
    ids=["twice", "unknown", "surrogate", "list", "of a credential"],
)
def test_a_row_of_json_is_read_strictly(tmp_path: Path, row: str, message: str) -> None:
    inventory = Inventory(tmp_path / "inventory.db")
    count, (problem,) = told(inventory, f'{{"identities": [{row}, {{"identity": "behind"}}]}}'.encode(), "json")
    assert (count.identities, message in problem.message) == (1, True)
    inventory.close()


def test_lines_that_are_no_rows_of_csv_are_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    inventory = Inventory(tmp_path / "inventory.db")
    raw = b'\xef\xbb\xbfidentity,colour,name\na,,"two\nlines"\nb,,"x"y\nc,,,,\nd\xff,,\ne,,\xc3\xa9\n'
    count, problems = told(inventory, raw, "csv")
    assert [(each.line, each.column) for each in problems] == [(1, 2), (4, 1), (5, 4), (6, 1)]
    assert count == Told(2, 0, 4)
    assert {each.uid: each.name for each in inventory.identities()} == {"a": "two\nlines", "e": "\u00e9"}
    inventory.close()


def test_a_file_between_semicolons_is_read_too(tmp_path: Path) -> None:
    inventory = Inventory(tmp_path / "inventory.db")
    assert told(inventory, b"identity;owner\r\na;ops\r\n", "csv") == (Told(1), [])
    assert inventory.owner_of("a") is not None
    inventory.close()


def test_who_lives_for_a_job_and_was_never_spoken_of_is_exported_only_when_asked_for(tmp_path: Path) -> None:
    inventory = Inventory(tmp_path / "inventory.db")
    inventory.keep([], [LifecycleEvent("t", "1", NOW, "issued", "bot", OF("temporary"), expires=NOW + 3_600.0)])
    key = LifecycleEvent("t", "2", NOW, "activated", "bot", OF("session"), "temporary_key")  # of which no record says how long it lives
    inventory.keep([], [key])
    for name in ("temporary", "session"):
        assert OF(name) not in text_of(inventory, "json")
        assert OF(name) in "".join(exported(inventory, "json", every=True))
    inventory.close()
