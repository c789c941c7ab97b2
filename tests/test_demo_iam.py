"""`make demo-iam`, as its reader runs it: what it shows, that it shows it again, and what the README and docs/log-only.md quote of it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

ROOT = Path(__file__).parent.parent
HERE = ROOT / "examples" / "log_only"
PAGES = ("README.md", "docs/log-only.md")
FINDINGS = (
    ("UNOWNED_ACTIVE", "github:tidy-deps[bot]", "nobody"),
    ("POST_REVOCATION_USE", "arn:aws:iam::111122223333:user/ci-deployer", "platform"),
    ("CANARY_TOUCHED", "arn:aws:iam::111122223333:user/backup-restore", "security"),
    ("APP_SCOPE_WIDENED, APP_CREDENTIAL_ADDED, SELF_ISSUE, APP_FIRST_RESOURCE", "(MeetNotes)", "people"),
    ("ENV_CROSSING", "arn:aws:iam::222233334444:role/report-builder", "data"),
    ("REVIVED", "arn:aws:iam::111122223333:user/migration", "data"),
)


def run(folder: Path, program: Path = HERE / "demo.py") -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LICET_"))}
    environment = kept | {"PYTHONIOENCODING": "utf-8", "HOME": str(folder)}
    command = [sys.executable, str(program)]
    return subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, encoding="utf-8", timeout=110)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which it ran, twice, and what it said the second time."""
    folder = tmp_path_factory.mktemp("log-only")
    for _ in range(2):
        done = run(folder)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert [path.name for path in folder.iterdir()] == [".demo"]
    return folder, done.stdout


def steady(text: str) -> str:
    """The text without what is new in each run: days, times of day of the latest events, ids of findings, fingerprints, how many uses."""
    text = re.sub(r"cred:[0-9a-f]{32}", "cred:ID", re.sub(r"(finding|findings show) [0-9a-f]{12,24}\b", r"\1 ID", text))
    text = re.sub(r"[\d,]+(?= (?:uses|active|ended|expired|times)\b|  arn:)", "N", text)
    return re.sub(r"\d{4}-\d\d-\d\d", "DATE", re.sub(r"(?<=\S) +", " ", text))


def test_it_finds_what_is_wrong_and_nothing_else(ran: tuple[Path, str]) -> None:
    listed = ran[1].split("$ licet findings\n")[1].split("why, and what to do")[0].splitlines()[::2]
    assert len(listed) == len(FINDINGS)
    for line, (codes, identity, owner) in zip(listed, FINDINGS, strict=True):
        assert f"  {codes}  " in line
        assert f"{identity}  owner: {owner}  finding " in line


def test_it_says_why_since_when_whom_to_call_and_what_to_do(ran: tuple[Path, str]) -> None:
    shown = re.sub(r"\d{4}-\d\d-\d\d", "DATE", ran[1])
    for line in (
        "owner:       platform  Platform  platform-oncall@acme.example",
        "    observed: s3:ListBuckets succeeded 12.7 d after it was revoked",
        "    expected: no use after it was revoked (lifecycle, since DATET10:00:00.000Z, by user:ada: a laptop was stolen; INC-4312)",
        "  End the credential where it is checked, and find out who holds it: its revocation did not reach that system.",
        "                 = system:serviceaccount:shop:orders (confidence 1; ",
        "    take out  ses:SendEmail: used 20 times",
        "203.0.113.77  Boto3/1  12 d 16 h after it was revoked\n",
        "no hole: its issuance is known, its end too, and its sources were not silent meanwhile",
        "nothing is new, and no finding changes",
    ):
        assert line in shown
    assert "✗" not in shown
    assert "Every promise held" in shown
    assert "\x1b" not in shown


def test_what_it_says_to_paste_works_where_it_ran_and_an_owner_takes_a_finding_away(ran: tuple[Path, str], tmp_path: Path) -> None:
    folder = tmp_path / "copied"
    shutil.copytree(ran[0], folder)
    commands = [line.partition("#")[0].replace("less ", "cat ", 1) for line in ran[1].splitlines() if "   # " in line]
    assert len(commands) == 7
    beside = Path(sys.executable).with_name("licet")
    for command in commands:
        words = [str(beside) if word.endswith("/licet") else word for word in shlex.split(command)]
        words = [str((ran[0] / word).resolve()) if word.startswith("..") else word for word in words]
        done = subprocess.run(words, check=False, cwd=folder, capture_output=True, encoding="utf-8", timeout=60)
        assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in (folder / ".demo" / "iam" / "findings.ocsf.jsonl").read_text(encoding="utf-8").splitlines()]
    titles = [each["finding_info"]["title"] for each in found if each["class_uid"] in {2004, 2008}]
    assert len(titles) == len(FINDINGS) - 1  # the bot has an owner now


def test_everyday_work_alone_is_silent(tmp_path: Path) -> None:
    """Without the misuse, each of its promises is broken, and only the bot that nobody owns is left."""
    copied = tmp_path / "log_only"
    shutil.copytree(HERE, copied, ignore=shutil.ignore_patterns("__pycache__"))
    story = (copied / "story.py").read_text(encoding="utf-8")
    (copied / "story.py").write_text(
        story
        + "\n\ndef misuse(logs: Logs, start: float) -> None:\n    logs.vault(start, 'revoked', 'AKIANOBODYEXAMPLE001', 'user:ada', '')\n",
        encoding="utf-8",
    )
    done = run(tmp_path, copied / "demo.py")
    assert done.returncode == 1
    assert "1 finding new" in done.stdout
    assert "promises did not hold" in done.stdout
    assert "  ✗ a CI key that was revoked in the vault" in done.stdout
    assert "  ✓ a bot that pushes code, and is nobody's" in done.stdout


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_quote_lines_of_it_in_their_order(page: str, ran: tuple[Path, str]) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```console\n(\$ make demo-iam\n.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        rest = iter(steady(ran[1]).splitlines())
        quoted = [line for line in steady(block).splitlines()[1:] if line and line != "…"]
        assert [line for line in quoted if line not in rest] == []


def test_the_readmes_three_commands_are_what_it_takes(ran: tuple[Path, str], tmp_path: Path) -> None:
    """On the logs of one platform, with nothing declared: what happened to a credential is found all the same."""
    [block] = re.findall(
        r"^```console\n(\$ licet ingest .*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    commands = [line.removeprefix("$ ").partition("   #")[0] for line in block.splitlines() if line.startswith("$ ")]
    assert [shlex.split(command)[1] for command in commands] == ["ingest", "monitor", "findings"]
    shutil.copytree(ran[0] / ".demo" / "iam" / "logs" / "cloudtrail", tmp_path / "logs" / "cloudtrail")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LICET_"))} | {"HOME": str(tmp_path)}
    for command in commands:
        words = [sys.executable, "-m", "licet", *shlex.split(command)[1:]]
        done = subprocess.run(words, check=False, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", timeout=60)
        assert done.returncode == 0, done.stderr
    assert "REVIVED" in done.stdout


def test_the_logs_hold_nothing_that_is_a_secret_and_only_addresses_of_documentation(ran: tuple[Path, str]) -> None:
    import gzip

    for path in (ran[0] / ".demo" / "iam" / "logs").rglob("*.*"):
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
        assert all("EXAMPL" in key for key in re.findall(r"AKIA[0-9A-Z]{16}", text))
        found = set(re.findall(r'"(\d+\.\d+\.\d+\.\d+)"', text))
        assert all(ip.startswith(("192.0.2.", "198.51.100.", "203.0.113.", "10.")) for ip in found)
