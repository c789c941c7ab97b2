"""`licet ratify`: what is shown, asked, written and recorded; whose key; and what `licet check` says of it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from evidence import records, whole
from hostile import HOSTILE, acting
from licet import Guard
from licet.cli import main
from licet.cli.ratifying import Act, now_ratified, ratify
from licet.errors import UsageError
from licet.guard.ratification import Ratification
from licet.guard.ratifier import Ratifier
from licet.guard.state import open_state
from licet.ledger.fields import problems
from licet.ledger.note import NoteKey, opened
from licet.manifest import load
from licet.manifest.baseline import under
from state_fixture import manifest_in

Out = pytest.CaptureFixture[str]
NOTE = Path("licet.yaml.ratified")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    manifest_in(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LICET_STATE", str(tmp_path / "state"))
    return tmp_path


def told(capsys: Out, *command: str) -> dict[str, Any]:
    capsys.readouterr()
    main([*command, "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def edit(old: str, new: str, name: str = "licet.yaml") -> None:
    text = Path("licet.yaml").read_text()
    assert old in text
    Path(name).write_text(text.replace(old, new))


def pem(private: Any, encryption: Any = NoEncryption()) -> bytes:  # noqa: B008 - a constant
    data: bytes = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return data


def keyed(file: str, data: bytes) -> str:
    Path(file).write_bytes(data)
    Path(file).chmod(0o600)
    return file


def test_a_first_one_counts_all_as_new_and_a_second_says_what_is_wider(place: Path, capsys: Out) -> None:
    assert main(["ratify", "licet.yaml", "--by", "Ada Lovelace", "--yes"]) == 0
    out, err = capsys.readouterr()
    assert "nothing was ratified here before; all of it counts as new: 3 tools, 3 task kinds" in out
    assert "licet.yaml.ratified: version 1, by Ada Lovelace, signed with licet.local/ratifier/" in out
    assert "made the key licet.local/ratifier/" in err
    edit("ttl: 10m", "ttl: 1h")
    assert main(["ratify", "licet.yaml", "--by", "Bob", "--yes"]) == 0
    out, _ = capsys.readouterr()
    assert "against version 1, by Ada Lovelace, " in out
    assert "1 widened, 0 narrowed, 0 changed" in out
    assert "widened: a task lasts 60 min at most, was 10 min" in out or "widened: a task lasts 1 h at most, was 10 min" in out


def test_a_draft_takes_the_place_of_the_manifest_and_is_held_against_it(place: Path, capsys: Out) -> None:
    main(["ratify", "licet.yaml", "--by", "Ada", "--yes"])
    edit("ttl: 10m", "ttl: 1m", "draft.yaml")
    found = told(capsys, "ratify", "draft.yaml", "--by", "Ada", "--yes", "-o", "licet.yaml")
    assert [each["way"] for each in found["differences"]] == ["narrowed"]
    assert (found["version"], found["file"], found["ratification"]) == (2, "licet.yaml", "licet.yaml.ratified")
    assert Path("licet.yaml").read_bytes() == Path("draft.yaml").read_bytes()
    assert not Path("draft.yaml.ratified").exists()
    assert main(["check", "licet.yaml", "--ratified"]) == 0


def test_what_was_ratified_is_compared_with_also_where_it_was_overwritten(place: Path, capsys: Out) -> None:
    """Editing the manifest in place is the usual way; the copy that was ratified is kept in the state folder."""
    main(["ratify", "licet.yaml", "--by", "Ada", "--yes"])
    edit("ttl: 10m", "ttl: 1h")
    found = told(capsys, "ratify", "licet.yaml", "--by", "Ada", "--yes")
    assert [each["way"] for each in found["differences"]] == ["widened"]
    for file in Path("state/ratified").iterdir():
        file.write_text("licet: 1\n")
    edit("ttl: 1h", "ttl: 2h")
    found = told(capsys, "ratify", "licet.yaml", "--by", "Ada", "--yes")
    assert (found["compared_to"], found["differences"]) == (None, []), "a copy that is of something else is no copy"


def test_what_is_ratified_already_is_not_ratified_twice(place: Path, capsys: Out) -> None:
    main(["ratify", "licet.yaml", "--by", "Ada", "--yes"])
    before = NOTE.read_bytes()
    edit("licet: 1", "# a comment\nlicet: 1", "draft.yaml")
    found = told(capsys, "ratify", "draft.yaml", "--by", "Bob", "-o", "licet.yaml", "--yes")
    assert (found["already"], found["version"], found["by"]) == (True, 1, "Ada")
    assert NOTE.read_bytes() == before
    assert Path("licet.yaml").read_text().startswith("# a comment"), "its comments are taken over"
    assert main(["check", "licet.yaml", "--ratified"]) == 0


def test_a_manifest_with_errors_is_not_ratified(place: Path, capsys: Out) -> None:
    edit("access: write, egress: true, arguments: {to", "egress: true, arguments: {to")
    assert main(["ratify", "licet.yaml", "--by", "Ada", "--yes"]) == 1
    assert "[missing-access]" in capsys.readouterr().err
    edit("ttl: 10m", "tttl: 10m")
    assert main(["ratify", "licet.yaml", "--by", "Ada", "--yes"]) == 1
    assert not NOTE.exists()


@pytest.mark.parametrize(
    "command",
    [
        ["licet.yaml"],
        ["licet.yaml", "--by", "Ada"],
        ["licet.yaml", "--by", "", "--yes"],
        ["licet.yaml", "--by", "Ada\nmanifest x", "--yes"],
        ["licet.yaml", "--by", " Ada", "--yes"],
        ["licet.yaml", "--by", "a" * 201, "--yes"],
        ["licet.yaml", "--by", "Ada", "--yes", "--show-key"],
        ["licet.yaml", "--by", "Ada", "--yes", "--key", "none.pem"],
        ["licet.yaml", "--by", "Ada", "--yes", "-o", "no/where.yaml"],
        ["none.yaml", "--by", "Ada", "--yes"],
        [],
        ["--by", "Ada", "--show-key"],
        ["--trust", "nobody"],
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(command: list[str], place: Path, capsys: Out) -> None:
    """A file that stands there without a terminal to ask on is among them."""
    assert main(["ratify", *command]) == 2
    _, err = capsys.readouterr()
    assert err
    assert "Traceback" not in err
    assert [file.name for file in place.iterdir() if "ratified" in file.name] == []


def on_a_terminal(answer: bytes) -> tuple[int, bytes]:
    main_end, its_end = pty.openpty()
    command = [sys.executable, "-m", "licet", "ratify", "licet.yaml", "--by", "Ada"]
    with subprocess.Popen(command, stdin=its_end, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        os.close(its_end)
        os.write(main_end, answer)
        out, _ = process.communicate(timeout=60)
    os.close(main_end)
    return process.returncode, out


def test_a_person_at_a_terminal_is_asked(place: Path) -> None:
    code, out = on_a_terminal(b"no\n")
    assert (code, NOTE.exists()) == (1, False)
    assert b'Does "Ada" answer for this? [yes/no]' in out
    code, _ = on_a_terminal(b"\x04")
    assert (code, NOTE.exists()) == (1, False), "the end of the input is no yes"
    code, _ = on_a_terminal(b"y\n")
    assert (code, NOTE.exists()) == (1, False), "nor is a key that one hits"
    code, _ = on_a_terminal(b"yes\n")
    assert (code, NOTE.exists()) == (0, True)


def test_one_machine_ratifies_and_another_believes_its_key(place: Path, capsys: Out) -> None:
    assert main(["ratify", "--show-key"]) == 0
    key = capsys.readouterr().out.strip()
    main(["ratify", "licet.yaml", "--by", "Ada", "--yes"])
    assert main(["check", "licet.yaml", "--ratified", "--state", "runs"]) == 1
    assert "whom this state folder does not believe" in capsys.readouterr().out
    assert not Path("runs").exists(), "a check makes no state folder"
    Path("ada.vkey").write_text(key + "\n")
    assert main(["ratify", "--trust", "ada.vkey", "--state", "runs"]) == 0
    assert main(["ratify", "--trust", key, "--state", "runs"]) == 0
    assert "was believed here before" in capsys.readouterr().err
    assert Path("runs/keys/ratifiers").read_text().count(key) == 1
    assert not Path("runs/keys/ratifier.key").exists()
    assert main(["check", "licet.yaml", "--ratified", "--state", "runs"]) == 0
    assert "licet.yaml: ratified: version 1, by Ada, " in capsys.readouterr().out


def test_a_key_that_is_kept_elsewhere_signs_and_is_believed_here(place: Path, capsys: Out) -> None:
    private = Ed25519PrivateKey.generate()
    file = keyed("mine.pem", pem(private))
    assert main(["ratify", "licet.yaml", "--by", "Ada", "--yes", "--key", file]) == 0
    key = Ratifier(private).note_key
    text = opened(NOTE.read_text(), [key])
    assert text.by == (key,)
    assert Ratification.parse(text.text).by == "Ada"
    assert not Path("state/keys/ratifier.key").exists()
    assert main(["check", "licet.yaml", "--ratified"]) == 0
    capsys.readouterr()
    assert main(["ratify", "--show-key", "--key", file]) == 0
    assert NoteKey.parse(capsys.readouterr().out) == key


@pytest.mark.parametrize("kind", ["open", "rsa", "locked", "text", "link"])
def test_a_key_that_cannot_be_used_is_refused(kind: str, place: Path, capsys: Out) -> None:
    ed25519 = Ed25519PrivateKey.generate()
    data = {"rsa": lambda: pem(generate_private_key(65_537, 2_048)), "locked": lambda: pem(ed25519, BestAvailableEncryption(b"x")),
            "text": lambda: b"no key"}.get(kind, lambda: pem(ed25519))()  # fmt: skip
    file = keyed("mine.pem", data)
    if kind == "open":
        Path(file).chmod(0o644)
    if kind == "link":
        Path("link.pem").symlink_to("mine.pem")
        file = "link.pem"
    assert main(["ratify", "licet.yaml", "--by", "Ada", "--yes", "--key", file]) == 2
    assert file in capsys.readouterr().err
    assert not NOTE.exists()


@pytest.mark.parametrize("what", ["another", "damaged"])
def test_what_nobody_believed_has_signed_is_not_overwritten_unseen(what: str, place: Path, capsys: Out) -> None:
    """The line of those who ratified would break without a word."""
    main(["ratify", "licet.yaml", "--by", "Ada", "--yes", "--state", "other"])
    if what == "damaged":
        NOTE.write_text("licet ratification\n")
    before = NOTE.read_bytes()
    assert main(["ratify", "licet.yaml", "--by", "Bob", "--yes"]) == 2
    assert "or move the file away, and ratify again" in capsys.readouterr().err
    assert NOTE.read_bytes() == before
    NOTE.unlink()
    assert main(["ratify", "licet.yaml", "--by", "Bob", "--yes"]) == 0


def test_two_people_go_on_from_each_other(place: Path, capsys: Out) -> None:
    main(["ratify", "licet.yaml", "--by", "Ada", "--yes", "--state", "a"])
    key = told(capsys, "ratify", "--show-key", "--state", "a")["vkey"]
    main(["ratify", "--trust", key, "--state", "b"])
    edit("ttl: 10m", "ttl: 11m")
    found = told(capsys, "ratify", "licet.yaml", "--by", "Bob", "--yes", "--state", "b")
    assert (found["version"], found["replaces"] is not None) == (2, True)


def test_a_machine_with_a_ledger_has_it_on_record_before(place: Path, capsys: Out) -> None:
    Guard.from_file("licet.yaml").close()
    found = told(capsys, "ratify", "licet.yaml", "--by", "Ada", "--yes")
    (record,) = records(place / "state", "ratification")
    assert list(problems(record)) == []
    assert (record["version"], record["by"], record["manifest"], record["seq"]) == (1, "Ada", found["manifest"], found["ledger"])
    assert record["by_is"].startswith("named to the command line, ")
    assert record["key"] == found["key"]
    whole(place / "state")


def test_what_cannot_be_recorded_is_not_ratified(place: Path, capsys: Out) -> None:
    Guard.from_file("licet.yaml").close()
    (place / "state" / "keys" / "ledger.key").unlink()
    assert main(["ratify", "licet.yaml", "--by", "Ada", "--yes"]) == 2
    assert "ledger.key" in capsys.readouterr().err
    assert not NOTE.exists()


def test_the_files_have_the_rights_that_they_need(place: Path) -> None:
    """The signature is read by whoever reads the manifest, the key by nobody else."""
    Path("licet.yaml").chmod(0o640)
    main(["ratify", "licet.yaml", "--by", "Ada", "--yes"])
    assert NOTE.stat().st_mode & 0o777 == 0o644
    assert [file.name for file in Path("state/keys").iterdir() if file.stat().st_mode & 0o077] == []
    edit("ttl: 10m", "ttl: 1m", "draft.yaml")
    main(["ratify", "draft.yaml", "--by", "Ada", "--yes", "-o", "licet.yaml"])
    assert Path("licet.yaml").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("text", HOSTILE)
def test_a_name_cannot_act_and_stands_as_it_was_given_or_is_refused(text: str, place: Path, capsys: Out) -> None:
    code = main(["ratify", "licet.yaml", f"--by={text}", "--yes"])
    out, err = capsys.readouterr()
    assert acting(out) == []
    assert acting(err) == []
    assert code in (0, 2)
    if code == 0:
        assert f"\nby {unicodedata.normalize('NFC', text)}\n" in NOTE.read_text()


# What `licet check` says -----------------------------------------------------------------------------------------------------


def with_baseline(**more: Any) -> None:
    edit("tools: {read_ticket: {}, pay", "BASELINE\n    tools: {read_ticket: {}, pay")
    tools = load_text(Path("licet.yaml").read_text().replace("BASELINE\n    ", ""))
    told = {"sessions": 9, "under": under(tools, ["read_ticket"]), "tools": {"read_ticket": 9}, **more}
    edit("BASELINE", f"baseline: {json.dumps(told)}")


def load_text(text: str) -> Any:
    Path("plain.yaml").write_text(text)
    return load("plain.yaml").tools


def test_check_says_nothing_of_ratification_where_nobody_asked_for_any(place: Path, capsys: Out) -> None:
    assert main(["check", "licet.yaml"]) == 0
    assert "ratif" not in capsys.readouterr().out
    assert main(["check", "licet.yaml", "--ratified"]) == 1
    assert "licet.yaml: not ratified: licet.yaml.ratified: is not there" in capsys.readouterr().out


def test_check_says_whether_a_baseline_is_in_force(place: Path, capsys: Out) -> None:
    with_baseline()
    assert main(["check", "licet.yaml"]) == 0
    out = capsys.readouterr().out
    assert "learned from 9 sessions, is in force, and only flags, since it is not ratified\n" in out
    main(["ratify", "licet.yaml", "--by", "Ada", "--yes"])
    capsys.readouterr()
    assert main(["check", "licet.yaml", "--ratified"]) == 0
    assert "the baseline of `answer`, learned from 9 sessions, is in force\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "more, why",
    [
        ({"minimum": {"sessions": 10}}, "it is still learning: 9 of 10 sessions"),
        ({"under": "sha256:" + "0" * 64}, "the tools that it speaks of are declared otherwise"),
        ({"models": ["older"]}, "the agent runs on `newer`, and it was learned from `older`"),
    ],
)
def test_check_says_why_a_baseline_is_not_in_force(more: dict[str, Any], why: str, place: Path, capsys: Out) -> None:
    edit("bot: {owner: support", "bot: {model: newer, owner: support")
    with_baseline(**more)
    capsys.readouterr()
    main(["check", "licet.yaml"])
    assert f"is not in force for `bot`: {why}" in capsys.readouterr().out
    (row,) = told(capsys, "check", "licet.yaml")["baselines"]
    assert (row["task_kind"], row["sessions"], row["ratified"]) == ("answer", 9, False)
    assert "bot" in [each["agent"] for each in row["not_in_force"]]


def test_check_in_json_says_who_and_which(place: Path, capsys: Out) -> None:
    main(["ratify", "licet.yaml", "--by", "Ada", "--yes"])
    found = told(capsys, "check", "licet.yaml")["ratification"]
    assert (found["ratified"], found["by"], found["version"], found["why"]) == (True, "Ada", 1, "")
    edit("ttl: 10m", "ttl: 1m")
    found = told(capsys, "check", "licet.yaml")["ratification"]
    assert (found["ratified"], found["alarming"]) == (False, True)
    assert "it was changed after it was ratified" in found["why"]


def test_who_says_no_has_added_nobody_who_is_believed(place: Path) -> None:
    file = keyed("mine.pem", pem(Ed25519PrivateKey.generate()))
    assert main(["ratify", "licet.yaml", "--by", "Ada", "--key", file]) == 2
    assert not Path("state").exists(), "no folder, no key, and nobody who is believed"


def test_what_was_ratified_while_a_person_was_reading_is_not_overwritten(place: Path) -> None:
    """He saw the differences to something else."""
    folder = open_state(place / "state")
    key, _ = Ratifier.of(folder.keys)
    act = Act(Path("licet.yaml").read_text(), load("licet.yaml"), Path("licet.yaml"), Path("licet.yaml"), "Ada", folder)
    before = now_ratified(act)
    edit("ttl: 10m", "ttl: 11m")
    assert main(["ratify", "licet.yaml", "--by", "Bob", "--yes"]) == 0
    note = NOTE.read_bytes()
    with pytest.raises(UsageError, match="was ratified meanwhile by somebody else"):
        ratify(act, before, key)
    assert NOTE.read_bytes() == note


# What is replaced --------------------------------------------------------------------------------------------------------------


def older(name: str, seconds: int = 100) -> None:
    moment = Path(name).stat().st_mtime - seconds
    os.utime(name, (moment, moment))


def test_the_first_one_is_compared_with_what_stands_there(place: Path, capsys: Out) -> None:
    edit("ttl: 10m", "ttl: 1h", "draft.yaml")
    older("licet.yaml")
    found = told(capsys, "ratify", "draft.yaml", "--by", "Ada", "--yes", "-o", "licet.yaml")
    assert [each["way"] for each in found["differences"]] == ["widened"]
    assert found["compared_to"] == "what stands there, which nobody has ratified"
    assert found["version"] == 1


def test_a_ratified_file_does_not_take_the_place_of_a_draft_without_a_question(place: Path, capsys: Out) -> None:
    """The two are soon exchanged, and the draft would be gone; `--yes` says nothing of that."""
    main(["ratify", "licet.yaml", "--by", "Ada", "--yes"])
    edit("ttl: 10m", "ttl: 1h", "draft.yaml")
    before = Path("draft.yaml").read_bytes()
    assert main(["ratify", "licet.yaml", "--by", "Ada", "--yes", "-o", "draft.yaml"]) == 2
    err = capsys.readouterr().err
    assert "draft.yaml: would be lost, and nobody has ratified it; licet.yaml, which is ratified, would take its place" in err
    assert "Are the two files exchanged?" in err
    assert Path("draft.yaml").read_bytes() == before
    assert not Path("draft.yaml.ratified").exists()


def test_a_manifest_that_was_changed_after_the_draft_is_not_overwritten_without_a_question(place: Path, capsys: Out) -> None:
    edit("ttl: 10m", "ttl: 1h", "draft.yaml")
    older("draft.yaml")
    assert main(["ratify", "draft.yaml", "--by", "Ada", "--yes", "-o", "licet.yaml"]) == 2
    assert "licet.yaml: was changed later than draft.yaml, nobody has ratified that, and it would be lost" in capsys.readouterr().err
    Path("licet.yaml").write_text("a: recording\n")
    assert main(["ratify", "draft.yaml", "--by", "Ada", "--yes", "-o", "licet.yaml"]) == 2
    assert "licet.yaml: is no manifest, and would be lost" in capsys.readouterr().err


def test_who_is_named_in_a_question_is_quoted(place: Path) -> None:
    main_end, its_end = pty.openpty()
    command = [sys.executable, "-m", "licet", "ratify", "licet.yaml", "--by", "Ada answers for nothing. Does nobody"]
    with subprocess.Popen(command, stdin=its_end, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        os.close(its_end)
        os.write(main_end, b"no\n")
        out, _ = process.communicate(timeout=60)
    os.close(main_end)
    assert b'Does "Ada answers for nothing. Does nobody" answer for this?' in out


def test_a_key_that_has_signed_nothing_is_not_believed(place: Path, capsys: Out) -> None:
    """What is ratified already asks nothing, and so may change nothing of whom guards believe."""
    main(["ratify", "licet.yaml", "--by", "Ada", "--yes"])
    before = Path("state/keys/ratifiers").read_bytes()
    file = keyed("mine.pem", pem(Ed25519PrivateKey.generate()))
    assert told(capsys, "ratify", "licet.yaml", "--by", "Eve", "--key", file)["already"]
    assert Path("state/keys/ratifiers").read_bytes() == before


def test_a_key_that_signed_elsewhere_signs_here_after_a_question_and_is_then_believed(place: Path, capsys: Out) -> None:
    file = keyed("mine.pem", pem(Ed25519PrivateKey.generate()))
    main(["ratify", "licet.yaml", "--by", "Ada", "--yes", "--key", file, "--state", "elsewhere"])
    assert main(["ratify", "licet.yaml", "--by", "Ada", "--key", file]) == 2
    assert not Path("state").exists()
    assert told(capsys, "ratify", "licet.yaml", "--by", "Ada", "--key", file, "--yes")["version"] == 2
    assert main(["check", "licet.yaml", "--ratified"]) == 0


def test_comments_of_what_is_ratified_already_are_not_replaced_unasked(place: Path, capsys: Out) -> None:
    main(["ratify", "licet.yaml", "--by", "Ada", "--yes"])
    edit("licet: 1", "# of another\nlicet: 1", "draft.yaml")
    assert main(["ratify", "draft.yaml", "--by", "Ada", "-o", "licet.yaml"]) == 2
    assert "# of another" not in Path("licet.yaml").read_text()


def test_check_prints_how_to_see_what_has_changed_since(place: Path, capsys: Out) -> None:
    main(["ratify", "licet.yaml", "--by", "Ada", "--yes"])
    edit("ttl: 10m", "ttl: 1h")
    capsys.readouterr()
    main(["check", "licet.yaml"])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "what has changed since: licet diff " in line]
    assert main(line.split("licet ", 1)[1].split()) == 1
    assert "a task lasts 1 h at most" in capsys.readouterr().out.replace("60 min", "1 h")
    assert Path(told(capsys, "check", "licet.yaml")["ratification"]["ratified_copy"]).is_file()


def test_a_name_is_taken_in_its_usual_form(place: Path) -> None:
    """Some keyboards send the accent apart."""
    assert main(["ratify", "licet.yaml", "--by", "Jose\u0301", "--yes"]) == 0
    assert "\nby Jos\u00e9\n" in NOTE.read_text()


def test_a_file_whose_name_cannot_be_signed_is_refused(place: Path, capsys: Out) -> None:
    edit("licet: 1", "licet: 1", "a\nb.yaml")
    assert main(["ratify", "a\nb.yaml", "--by", "Ada", "--yes"]) == 2
    assert "rename it" in capsys.readouterr().err
