"""The page on findings says what the list of reasons says, and shows what `licet findings show` prints; LICET_REWRITE=1 makes it so."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from licet.cli.main import main
from licet.events import LifecycleEvent, UseEvent
from licet.inventory.model import Identity, Owner, Ownership
from licet.inventory.store import Inventory
from licet.monitor.codes import CODES
from licet.monitor.kept import kept
from licet.monitor.run import monitor
from licet.monitor.world import Settings

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

PAGE = Path(__file__).parents[2] / "docs" / "findings.md"
WHO, KEY, START = "arn:aws:iam::111122223333:role/nightly-report", "cred:4f0e9c1d27ab8e3344c5d6e7f8091a2b", 1_772_366_400.0


def table() -> str:
    rows = ["| reason | severity | what | what to do | references |", "|---|---|---|---|---|"]
    rows += [
        f"| `{each.name}` | {each.severity} | {each.title} | {each.action} | {', '.join(each.references)} |" for each in CODES.values()
    ]
    return "\n".join(rows)


def example(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    inventory = Inventory(folder / "inventory.db")
    inventory.declare(
        identities=[Identity(WHO, "role", "nightly-report")], owners=[Owner("reporting", "Reporting", "reporting@acme.example")],
        ownerships=[Ownership(WHO, "reporting", "confirmed", 1.0, START)],
    )  # fmt: skip
    used = UseEvent(
        "cloudtrail", "7d0c3f5e-2a41-4a7c-9f0e-1b2c3d4e5f60", START + 30_600, WHO, "s3:GetObject", identity_kind="role", credential=KEY,
        credential_kind="access_key", account="111122223333", region="eu-west-1", ip="203.0.113.9", network="203.0.113.0/24",
        agent="curl/8", digest="c0ffee" * 10 + "c0de", place="trail/2026-03-01.json.gz:812",
    )  # fmt: skip
    ended = LifecycleEvent(
        "lifecycle", "vault-8812", START + 3_600, "revoked", WHO, KEY, by="vault", digest="f00d" * 16, place="vault.jsonl:31"
    )
    inventory.keep([used], [ended])
    monitor(inventory, Settings(), START + 31_000)
    (found,) = kept(inventory)
    inventory.close()
    assert main(["findings", "show", found.finding.id, "--state", str(folder)]) == 0
    return f"```text\n$ licet findings show {found.finding.id[:4]}\n{capsys.readouterr().out}```"


@pytest.mark.parametrize("which", ["codes", "shown"])
def test_the_page_says_what_is_so(which: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    wanted = f"<!-- {which} -->\n{table() if which == 'codes' else example(tmp_path, capsys)}\n<!-- end -->\n"
    there = re.compile(rf"<!-- {which} -->\n.*?<!-- end -->\n", re.DOTALL)
    if os.environ.get("LICET_REWRITE"):
        page = there.sub(lambda _: wanted, page)
        PAGE.write_text(page, encoding="utf-8")
    assert there.findall(page) == [wanted]
