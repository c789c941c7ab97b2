"""`licet findings show` and `--signals`: what to do stands first, a person's own words are repeated, and what is no finding can be looked at."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from licet.cli.findings_explained import explained
from licet.cli.main import main
from licet.clock import iso
from licet.events import LifecycleEvent, UseEvent
from licet.inventory.model import Owner
from licet.inventory.store import FILE, Inventory
from licet.monitor.run import monitor
from licet.monitor.world import Settings
from licet.records import Because, Evidence, Explanation

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

Out = pytest.CaptureFixture[str]
ROLE, QUIET = "arn:aws:iam::111122223333:role/ci", "arn:aws:iam::111122223333:role/quiet"
NOW = float(round(time.time()))
USES = 30


def use(number: int, at: float, identity: str = ROLE, operation: str = "s3:GetObject", credential: str = "cred:1", **more: Any) -> UseEvent:
    return UseEvent("cloudtrail", f"u-{number}", at, identity, operation, identity_kind="role", credential=credential, digest="00",
                    place=f"a:{number}", **more)  # fmt: skip


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key that somebody revoked, with a reason, and that is used on; and another identity with nothing but a sensitive action."""
    tmp_path.chmod(0o700)
    inventory = Inventory(tmp_path / FILE)
    uses = [use(number, NOW - 3_000 + number) for number in range(USES)]
    uses += [use(100, NOW - 90, QUIET, "secretsmanager:GetSecretValue", "cred:2", access="admin")]
    said = LifecycleEvent("lifecycle", "r-1", NOW - 7_200, "revoked", ROLE, "cred:1", by="user:me", reason="INC-1", place="-:1")
    inventory.declare(owners=[Owner("team")])
    inventory.keep(uses, [said])
    monitor(inventory, Settings(), NOW)
    inventory.close()
    monkeypatch.setenv("LICET_STATE", str(tmp_path))
    return tmp_path


def shown(capsys: Out, *words: str) -> str:
    assert main(["findings", *words]) == 0
    return capsys.readouterr().out


def the_id(capsys: Out) -> str:
    (found,) = json.loads(shown(capsys, "--json"))["findings"]
    return str(found["id"])


@pytest.mark.usefixtures("state")
def test_what_to_do_and_whom_to_call_stand_above_the_evidence(capsys: Out) -> None:
    lines = shown(capsys, "show", the_id(capsys)).splitlines()
    begins = ["owner:", "since:", "what to do:", "because:", "evidence:"]
    at = [next(number for number, line in enumerate(lines) if line.startswith(word)) for word in begins]
    assert at == sorted(at)
    assert f"licet inventory set-owner {ROLE} NAME" in lines[at[0]]
    assert lines[at[1]].endswith(f"{iso(NOW - 3_000)}, last seen {iso(NOW - 3_000 + USES - 1)}")


@pytest.mark.usefixtures("state")
def test_of_much_evidence_ten_pieces_are_shown_each_role_among_them_and_all_with_all(capsys: Out) -> None:
    uid = the_id(capsys)
    short, whole = shown(capsys, "show", uid), shown(capsys, "show", uid, "--all")
    assert (short.count("cloudtrail/u-"), short.count("lifecycle/r-1")) == (9, 1)
    assert f"and {USES + 1 - 10} more: --all" in short
    assert (whole.count("cloudtrail/u-"), "more: --all" in whole) == (USES, False)


@pytest.mark.usefixtures("state")
def test_a_persons_own_words_of_a_revocation_are_in_the_finding(capsys: Out) -> None:
    """In the reason and in the evidence, for people and as data; and `-:1` is said in words."""
    uid = the_id(capsys)
    text = shown(capsys, "show", uid)
    assert f"(lifecycle, since {iso(NOW - 7_200)}, by user:me: INC-1)" in text
    assert "revocation: lifecycle/r-1!revoked, by user:me: INC-1" in text
    assert "standard input, or the command line" in text
    (said,) = [each for each in json.loads(shown(capsys, "show", uid, "--json"))["evidence"] if each["role"] == "revocation"]
    assert (said["by"], said["reason"]) == ("user:me", "INC-1")


@pytest.mark.usefixtures("state")
def test_signals_that_are_in_no_finding_can_be_read(capsys: Out) -> None:
    text = shown(capsys, "--signals")
    finding, _, loose = text.partition("in no finding:\n")
    assert "POST_REVOCATION_USE" in finding
    assert "SENSITIVE_ACTION" in loose
    assert "POST_REVOCATION_USE" not in loose
    assert QUIET in loose
    assert "[cloudtrail/u-100]" in loose


@pytest.mark.parametrize(
    "words, there",
    [
        (["--identity", "quiet"], True), (["--identity", "ci"], False), (["--code", "SENSITIVE_ACTION"], True),
        (["--code", "REVIVED"], False), (["--since", "1h"], True), (["--since", iso(NOW + 60)], False),
        (["--severity", "low"], True), (["--severity", "high"], False), (["--owner", "nobody"], True), (["--owner", "team"], False),
    ],
    ids=["identity", "another identity", "code", "another code", "since", "later", "severity", "graver", "nobody's", "a team's"],
)  # fmt: skip
@pytest.mark.usefixtures("state")
def test_what_narrows_findings_narrows_signals(capsys: Out, words: list[str], there: bool) -> None:
    """In both forms."""
    assert ("SENSITIVE_ACTION" in shown(capsys, "--signals", *words).partition("in no finding:")[2]) is there
    told = json.loads(shown(capsys, "--signals", "--json", *words))["signals"]
    assert (QUIET in {each["identity"] for each in told if each["code"] == "SENSITIVE_ACTION"}) is there


@pytest.mark.usefixtures("state")
def test_no_findings_is_no_all_clear_where_there_are_signals(capsys: Out) -> None:
    assert "no findings; 1 signal in none: `licet findings --signals`" in shown(capsys, "--code", "SENSITIVE_ACTION")
    assert main(["findings", "--signals", "--task", "abc"]) == 2
    capsys.readouterr()


@pytest.mark.usefixtures("state")
def test_an_owner_that_is_not_known_is_no_all_clear(capsys: Out) -> None:
    assert main(["findings", "--owner", "taem"]) == 2
    assert "--owner taem: no owner here is called so; is team meant?" in capsys.readouterr().err
    assert shown(capsys, "--owner", "team").startswith("no findings")


@pytest.mark.usefixtures("state")
def test_the_monitor_and_the_inventory_count_them(capsys: Out) -> None:
    assert main(["monitor"]) == 0
    said = capsys.readouterr().out
    (line,) = [each for each in said.splitlines() if each.endswith("in no finding: `licet findings --signals`")]
    number = line.split()[0]
    assert main(["monitor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["in_no_finding"] == int(number)
    every = [each for each in json.loads(shown(capsys, "--signals", "--json"))["signals"] if each["finding"] is None]
    assert int(number) == len(every)
    assert main(["inventory", "show", "quiet", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["signals"]
    assert {"code": "SENSITIVE_ACTION", "number": 1, "in_no_finding": 1} in told
    assert main(["inventory", "show", "quiet"]) == 0
    assert f"in no finding: `licet findings --signals --identity {QUIET}`" in capsys.readouterr().out


@pytest.mark.usefixtures("state")
def test_times_are_written_as_everywhere_and_what_is_not_known_is_null(capsys: Out) -> None:
    told = json.loads(shown(capsys, "--json", "--signals"))
    (found,) = told["findings"]
    (reason,) = found["because"]
    assert (found["time"], found["owner"], found["evidence"][0]["time"]) == (iso(NOW - 3_000), None, iso(NOW - 7_200))
    assert (reason["time"], reason["since"], reason["last"]) == (iso(NOW - 3_000), iso(NOW - 7_200), iso(NOW - 3_000 + USES - 1))
    loose = next(each for each in told["signals"] if each["code"] == "SENSITIVE_ACTION")
    assert (loose["time"], loose["since"], loose["finding"], loose["evidence"][0]["time"]) == (iso(NOW - 90), None, None, iso(NOW - 90))


@pytest.mark.usefixtures("state")
def test_what_was_said_of_one_is_printed_as_data_too(capsys: Out) -> None:
    uid = the_id(capsys)
    told = json.loads(shown(capsys, "acknowledge", uid, "--by", "ann", "--reason", "INC-2", "--json"))
    assert (told["finding"], told["verdict"], told["by"], told["reason"], told["until"]) == (uid, "acknowledged", "ann", "INC-2", None)
    day = iso(NOW + 86_400)[:10]
    late, last = (iso(NOW + days * 86_400)[:10] for days in (366, 365))
    assert main(["findings", "suppress", uid, "--by", "ann", "--reason", "known", "--until", late]) == 2
    assert f"`--until` is {late}: it must lie in the future, and be {last} at the latest" in capsys.readouterr().err
    told = json.loads(shown(capsys, "suppress", uid, "--by", "ann", "--reason", "known", "--until", day, "--json"))
    assert told["until"] == iso((NOW + 2 * 86_400) // 86_400 * 86_400)
    assert f"by ann until the end of {day}: known" in shown(capsys, "show", uid)


@pytest.mark.usefixtures("state")
def test_a_credentials_word_is_one_object_too(capsys: Out) -> None:
    """And whether anybody has heard of the credential."""
    for name, known in (("cred:11111111111111111111111111111111", False), ("AKIAIOSFODNN7EXAMPLE", False)):
        assert main(["credential", "revoke", name, "--reason", "lost", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert ([each["kind"] for each in told["events"]], told["known"]) == (["revoked"], known)
    assert main(["credential", "suspend", "AKIAIOSFODNN7EXAMPLE", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["known"] is True


@pytest.mark.parametrize(
    "words",
    [["findings", "show", "x"], ["findings"], ["credential", "revoke", "x"], ["inventory", "show", "x"], ["monitor"]],
    ids=" ".join,
)
def test_an_option_that_there_is_not_names_the_help_of_the_command_that_was_said(words: list[str], capsys: Out) -> None:
    assert main([*words, "--jsn"]) == 2
    said = " ".join(["licet", *[each for each in words if each != "x"]])
    assert f"{said}: unrecognized arguments: --jsn; see `{said} --help`" in capsys.readouterr().err


def test_what_shows_the_last_reason_is_not_cut_off_by_what_shows_the_first() -> None:
    """Of each role one is shown, and lines that say the same are told apart by their events."""
    uses = [Evidence(f"cloudtrail/{number:02}", "use", ROLE, NOW + number) for number in range(64)]
    ends = [Evidence(f"cloudtrail/{name}!logging_stopped", "end of logging", ROLE, NOW + 100 + at) for at, name in enumerate("ab")]
    because = [Because("REVIVED", "used", "rest", "lifecycle", NOW)]
    because += [Because("LOGGING_DISABLED", "turned off", "it stays on", "catalogue", each.time) for each in ends]
    lines = list(explained(Explanation(ROLE, (), tuple(because), (*uses, *ends), (), ("Ask.",)), {}, 10))
    evidence = lines[lines.index("evidence:") + 1 :]
    assert (len(evidence), evidence[-1]) == (11, "  and 56 more: --all")
    assert "end of logging: cloudtrail/a!logging_stopped" in evidence[-2]
    assert [line.rpartition("  ")[2] for line in lines if "observed: " in line and "turned off" in line] == [
        f"[{each.uid}]" for each in ends
    ]
    assert len([line for line in lines if "it stays on" in line]) == 1


def test_who_gave_a_right_is_told_with_credential_address_and_program_and_what_is_over_since(state: Path, capsys: Out) -> None:
    bert, mallory, everything = "arn:aws:iam::1:user/bert", "arn:aws:iam::1:user/mallory", "arn:aws:iam::aws:policy/AdministratorAccess"
    given = UseEvent("cloudtrail", "g-1", NOW - 900, bert, "iam:AttachUserPolicy", access="admin", credential="cred:0123456789abcdef",
                     ip="192.0.2.9", agent="Terraform/1", digest="00", place="a:9")  # fmt: skip
    granted = LifecycleEvent("cloudtrail", "g-1#2", NOW - 900, "granted", mallory, by=bert, privilege=everything, access="admin")
    inventory = Inventory(state / FILE)
    inventory.keep([given], [granted])
    monitor(inventory, Settings(), NOW)
    (uid,) = (str(each["id"]) for each in json.loads(shown(capsys, "--json", "--code", "GRANT_ADDED"))["findings"])
    text = shown(capsys, "show", uid)
    assert f"granted, by {bert} from 192.0.2.9 with Terraform/1 by cred:01234567\n" in text
    assert "Take the right back unless somebody answers for it" in text
    assert "since then" not in text
    (cited,) = json.loads(shown(capsys, "show", uid, "--json"))["evidence"]
    assert [cited[key] for key in ("by", "ip", "agent", "credential")] == [bert, "192.0.2.9", "Terraform/1", "cred:0123456789abcdef"]
    over = [
        granted._replace(native_id="g-2", time=NOW - 600, kind="ungranted"), LifecycleEvent("cloudtrail", "g-3", NOW - 500, "deleted", mallory, by=bert),
    ]  # fmt: skip
    inventory.keep([], over)
    text = shown(capsys, "show", uid)
    assert (
        f"since then:  {everything} was taken back at {iso(NOW - 600)} by {bert}\nsince then:  the identity was deleted at {iso(NOW - 500)} by {bert}\n"
        in text
    )
    inventory.keep(
        [], [granted._replace(native_id="g-4", time=NOW - 400), over[1]._replace(native_id="g-5", time=NOW - 400, kind="created")]
    )
    inventory.close()
    assert "since then" not in shown(capsys, "show", uid)
