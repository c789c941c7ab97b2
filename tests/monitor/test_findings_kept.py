"""Findings as they are kept: new, changed, withdrawn and back; what people said of them; and `licet findings`, which shows it."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from licet.cli.main import main
from licet.errors import UsageError
from licet.inventory.model import Identity, Ownership
from licet.inventory.store import Inventory
from licet.monitor import run
from licet.monitor.kept import Made, body_of, finding_of, kept
from licet.monitor.told import native
from licet.monitor.verdicts import LONGEST, Verdict, reasons_of, say, status_of, verdicts
from stories import DAY, HOUR, ME, NOW, START, Story, happened, use

Out = pytest.CaptureFixture[str]
FACE = "system:serviceaccount:ci:worker"


def revoked_and_used() -> Story:
    """Looked at soon after, before anybody takes the source for silent."""
    ended = happened(HOUR, "revoked", identity=ME, credential="cred:one")
    return Story([use(0), ended, use(3 * HOUR, place="trail.json:7", digest="ab" * 32)], now=START + 6 * HOUR)


def opened(tmp_path: Path) -> Inventory:
    return Inventory(tmp_path / "inventory.db")


def test_a_finding_has_digest_and_place_of_what_it_cites(tmp_path: Path) -> None:
    inventory, story = opened(tmp_path), revoked_and_used()
    story.signals(inventory)
    (found,) = kept(inventory)
    why = found.finding.explanation
    assert why is not None
    assert why.codes == ("POST_REVOCATION_USE",)
    cited = {each.role: (each.digest, each.place) for each in why.evidence}
    assert ("ab" * 32, "trail.json:7") in cited.values()
    assert len(cited) == 2
    assert found.finding.owner == "team"
    assert finding_of(body_of(found.finding)) == found.finding


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    inventory, story = opened(tmp_path), revoked_and_used()
    story.signals(inventory)
    before = inventory.rows("SELECT * FROM findings")
    story.now += HOUR
    assert story.run(inventory).findings == Made()
    assert story.run(inventory, rebuild=True).findings == Made()
    assert inventory.rows("SELECT * FROM findings") == before
    assert inventory.rows("SELECT * FROM due") == []


def test_what_comes_later_changes_the_finding_and_not_its_id(tmp_path: Path) -> None:
    inventory, story = opened(tmp_path), revoked_and_used()
    story.signals(inventory)
    (before,) = kept(inventory)
    story.keep(inventory, [use(4 * HOUR), use(5 * HOUR)])
    assert story.run(inventory).findings == Made(changed=1)
    (after,) = kept(inventory)
    assert (after.finding.id, after.withdrawn) == (before.finding.id, False)
    assert after.version != before.version
    assert after.finding.explanation is not None
    assert after.finding.explanation.because[0].number == 3
    assert after.finding.explanation.because[0].last == START + 5 * HOUR


def test_a_finding_that_late_events_refute_is_withdrawn_and_comes_back_with_them(tmp_path: Path) -> None:
    """The credential was issued anew, which the log says later: never deleted, as somebody may have been told of it."""
    inventory, story = opened(tmp_path), revoked_and_used()
    story.signals(inventory)
    late = happened(2 * HOUR, "activated", identity=ME, credential="cred:one")
    story.keep(inventory, [late])
    assert story.run(inventory).findings.withdrawn == 1
    (gone,) = kept(inventory)
    assert gone.withdrawn
    assert gone.finding.explanation is not None
    (against,) = gone.finding.explanation.counter
    assert against.startswith("activated at ")
    assert late.uid in against
    with inventory.step() as db:
        db.execute("DELETE FROM lifecycle WHERE uid=?", (late.uid,))
    assert story.run(inventory, rebuild=True).findings == Made(opened=1)
    assert [each.withdrawn for each in kept(inventory)] == [False]


def test_another_owner_changes_the_finding(tmp_path: Path) -> None:
    inventory, story = opened(tmp_path), revoked_and_used()
    story.signals(inventory)
    inventory.declare(ownerships=[Ownership(ME, "platform", "confirmed", 1.0, NOW)])
    assert story.run(inventory).findings == Made(changed=1)
    assert [each.finding.owner for each in kept(inventory)] == ["platform"]


def test_a_run_that_is_cut_off_between_signals_and_findings_is_made_up_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inventory, story = opened(tmp_path), revoked_and_used()
    story.declare(inventory)
    story.keep(inventory)

    def cut(*_: object) -> Made:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(run, "keep", cut)
        with pytest.raises(KeyboardInterrupt):
            story.run(inventory)
    assert list(kept(inventory)) == []
    assert story.run(inventory)[:3] == (0, 0, 0)  # no signal changes any more
    assert len(list(kept(inventory))) == 1


def test_faces_of_one_identity_have_one_finding(tmp_path: Path) -> None:
    """What its other name does belongs to the same chain; and who is no face any more has findings of his own."""
    inventory = opened(tmp_path)
    story = revoked_and_used()
    story.items = [
        *story.items, use(0, identity=FACE, credential="cred:two"), happened(HOUR, "revoked", identity=FACE, credential="cred:two"),
        use(4 * HOUR, identity=FACE, credential="cred:two"),
    ]  # fmt: skip
    story.signals(inventory)
    assert sorted(each.finding.explanation.identity for each in kept(inventory) if each.finding.explanation) == sorted([ME, FACE])
    inventory.declare(identities=[Identity(FACE, same_as=ME, same_confidence=1.0)])
    story.run(inventory)
    (found,) = [each.finding for each in kept(inventory) if not each.withdrawn]
    assert found.explanation is not None
    assert found.explanation.identity == ME
    assert len(found.explanation.credentials) == 2
    (gone,) = [each.finding.explanation for each in kept(inventory) if each.withdrawn and each.finding.explanation]
    assert (gone.identity, gone.counter) == (FACE, (f"it is told in finding {found.id}",))


def test_what_another_does_makes_a_finding_of_who_did_nothing_new(tmp_path: Path) -> None:
    """Somebody else uses its credential: it is told of the identity whose credential it is."""
    inventory, story = opened(tmp_path), Story([use(0), use(HOUR)], now=START + 2 * HOUR)
    story.signals(inventory)
    assert list(kept(inventory)) == []
    story.keep(inventory, [use(HOUR, identity="another")])
    story.run(inventory)
    found = [each.finding.explanation for each in kept(inventory) if each.finding.explanation]
    assert [(each.identity, each.codes) for each in found] == [(ME, ("SHARED_CREDENTIAL",))]


def test_each_silent_source_is_a_finding_of_its_own(tmp_path: Path) -> None:
    inventory = opened(tmp_path)
    story = Story([use(0), use(HOUR), use(0, account="444455556666"), use(HOUR, account="444455556666")])
    story.signals(inventory)
    silent = [each.finding for each in kept(inventory) if each.finding.check == "monitor.source-silent"]
    assert len({each.id for each in silent}) == 2
    story.keep(inventory, [use(NOW - START)])
    story.run(inventory)
    assert sorted(each.withdrawn for each in kept(inventory) if each.finding.check == "monitor.source-silent") == [False, True]


def verdict(what: Any, *, at: float = NOW, until: float = 0.0, codes: tuple[str, ...] = ("REVIVED",), **said: str) -> Verdict:
    return Verdict("f" * 24, at, what, said.get("by", "ann"), said.get("reason", "known"), until, codes)


def test_a_suppression_ends_by_itself_and_at_another_reason() -> None:
    hidden = verdict("suppressed", until=NOW + DAY)
    assert status_of(["REVIVED"], [hidden], NOW + DAY - 1) == "suppressed"
    assert status_of(["REVIVED"], [hidden], NOW + DAY) == "open"
    assert status_of(["REVIVED", "ENV_CROSSING"], [hidden], NOW) == "open"
    assert status_of(["REVIVED"], [hidden], NOW, withdrawn=True) == "withdrawn"


def test_the_last_word_counts() -> None:
    words = [verdict("suppressed", until=NOW + DAY), verdict("acknowledged")]
    assert status_of(["REVIVED"], words, NOW) == "acknowledged"
    assert status_of(["REVIVED"], words[::-1], NOW) == "suppressed"
    assert status_of(["REVIVED"], [words[0], verdict("acknowledged", codes=("ENV_CROSSING",))], NOW) == "open"


@pytest.mark.parametrize(
    "refused",
    [
        verdict("suppressed", until=NOW),
        verdict("suppressed", until=NOW + LONGEST + 1),
        verdict("suppressed", until=NOW + DAY, reason=" "),
        verdict("acknowledged", by=" "),
    ],
    ids=["over already", "more than a year", "without a reason", "by nobody"],
)
def test_what_nobody_answers_for_or_lasts_too_long_is_not_said(refused: Verdict, tmp_path: Path) -> None:
    inventory = opened(tmp_path)
    with pytest.raises(UsageError):
        say(inventory, refused)
    assert verdicts(inventory) == {}
    say(inventory, verdict("suppressed", until=NOW + LONGEST))


@pytest.mark.parametrize(
    "uid, wanted",
    [
        ("cloudtrail/8f1e!revoked", ("cloudtrail", "8f1e")),
        ("cloudtrail/8f1e", ("cloudtrail", "8f1e")),
        ("entra/Directory_a#2!scope_widened", ("entra", "Directory_a")),
        ("kubernetes/a1b2/ResponseComplete#stale!expired", ("kubernetes", "a1b2")),
        ("kubernetes/a1b2/ResponseComplete", ("kubernetes", "a1b2")),
        ("lifecycle/any#2!revoked", ("lifecycle", "any#2")),
        ("lifecycle/oh!no!revoked", ("lifecycle", "oh!no")),
        ("github/what!ever", ("github", "what!ever")),
    ],
    ids=["happened", "use", "second of a record", "stale", "stage", "own id", "own id with marks", "no kind"],
)
def test_evidence_names_the_records_own_id(uid: str, wanted: tuple[str, str]) -> None:
    assert native(uid) == wanted


CALLS = [happened(HOUR, "revoked", credential=name) for name in ("cred:one", "cred:two")]


def judged(inventory: Inventory) -> dict[str, str]:
    """By id, how each finding of use after revocation stands."""
    said = verdicts(inventory)
    return {
        each.finding.id: status_of(reasons_of(each.finding), said.get(each.finding.id, ()), NOW, withdrawn=each.withdrawn)
        for each in kept(inventory) if each.finding.check != "monitor.source-silent"
    }  # fmt: skip


def suppressed(tmp_path: Path, *later: Any) -> dict[str, str]:
    """One use of the first credential after its end is suppressed; then the rest comes."""
    inventory = opened(tmp_path)
    story = Story([use(0), use(0, credential="cred:two"), *CALLS, use(3 * HOUR)])
    story.signals(inventory)
    (found,) = [each.finding for each in kept(inventory) if each.finding.check != "monitor.source-silent"]
    say(inventory, Verdict(found.id, NOW - HOUR, "suppressed", "ann", "an old job", NOW + 300 * DAY, reasons_of(found)))
    assert judged(inventory) == {found.id: "suppressed"}
    story.keep(inventory, later)
    story.run(inventory)
    return judged(inventory)


def test_a_suppression_holds_for_the_same_code_credential_and_value(tmp_path: Path) -> None:
    assert list(suppressed(tmp_path, *(use((4 + number) * HOUR) for number in range(90))).values()) == ["suppressed"]


def test_a_suppression_ends_with_another_credential(tmp_path: Path) -> None:
    assert list(suppressed(tmp_path, use(4 * HOUR, credential="cred:two")).values()) == ["open"]


def test_a_suppression_says_nothing_of_the_same_thing_after_a_day_of_silence(tmp_path: Path) -> None:
    assert sorted(suppressed(tmp_path, use(14 * DAY)).values()) == ["open", "suppressed"]


@pytest.mark.parametrize("earlier", ["cred:one", "cred:two"])
@pytest.mark.parametrize("again", [False, True])
def test_an_earlier_reason_keeps_the_finding_and_what_was_said_of_it(tmp_path: Path, earlier: str, *, again: bool) -> None:
    """It is open again where the reason is new; under the id under which somebody knows it."""
    inventory = opened(tmp_path)
    story = Story([use(0), use(0, credential="cred:two"), *CALLS, use(3 * HOUR)])
    story.signals(inventory)
    ((uid, _),) = judged(inventory).items()
    (found,) = [each.finding for each in kept(inventory) if each.finding.id == uid]
    say(inventory, Verdict(uid, NOW - HOUR, "acknowledged", "ann", "", 0.0, reasons_of(found)))
    story.keep(inventory, [use(2 * HOUR, credential=earlier)])
    # The source is silent too, and says on how many events that rests.
    assert story.run(inventory, rebuild=again).findings == Made(changed=2)
    assert judged(inventory) == {uid: "acknowledged" if earlier == "cred:one" else "open"}
    assert story.run(inventory, rebuild=True).findings == Made()
    assert verdicts(inventory)[uid][0].by == "ann"


# The command --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder that no guard has used, with one finding; made of events of today, as verdicts look at the clock."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    with_inventory(folder)
    monkeypatch.setenv("LICET_STATE", str(folder))
    return folder


def with_inventory(folder: Path) -> None:
    inventory = opened(folder)
    revoked_and_used().signals(inventory)
    inventory.close()


def listed(capsys: Out, *words: str) -> dict[str, Any]:
    assert main(["findings", "--json", *words]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_the_list_names_identity_reasons_and_native_ids(state: Path, capsys: Out) -> None:
    (found,) = listed(capsys)["findings"]
    assert (found["codes"], found["identity"], found["owner"], found["status"]) == (["POST_REVOCATION_USE"], ME, "team", "open")
    assert {each["source"] for each in found["evidence"]} == {"cloudtrail", "lifecycle"}
    assert all(each["native_id"].startswith(("use-", "life-")) and "!" not in each["native_id"] for each in found["evidence"])
    assert main(["findings"]) == 0
    shown = capsys.readouterr().out
    assert "POST_REVOCATION_USE" in shown
    assert f"finding {found['id'][:12]}" in shown


def test_signals_are_told_when_asked_for_with_their_finding(state: Path, capsys: Out) -> None:
    told = listed(capsys, "--signals")
    (alert,) = [each for each in told["signals"] if each["alert"]]
    assert (alert["code"], alert["finding"]) == ("POST_REVOCATION_USE", told["findings"][0]["id"])
    assert "signals" not in listed(capsys)


@pytest.mark.parametrize(
    "words, number",
    [
        (["--severity", "critical"], 1),
        (["--code", "POST_REVOCATION_USE"], 1),
        (["--code", "REVIVED"], 0),
        (["--code", "REVIVED", "--code", "POST_REVOCATION_USE"], 1),
        (["--identity", ME], 1),
        (["--owner", "team"], 1),
        (["--owner", "nobody"], 0),
        (["--since", "1d"], 0),
        (["--since", "2025-06-01"], 1),
        (["--status", "withdrawn"], 0),
        (["--status", "all"], 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_filters(words: list[str], number: int, state: Path, capsys: Out) -> None:
    assert len(listed(capsys, *words)["findings"]) == number


def test_one_is_shown_with_all_that_explains_it(state: Path, capsys: Out) -> None:
    uid = listed(capsys)["findings"][0]["id"]
    assert main(["findings", "show", uid[:6]]) == 0
    shown = capsys.readouterr().out
    for part in (ME, "team", "observed:", "expected:", "revoc", "trail.json:7", "what to do:", f"sha256:{'ab' * 8}…", "NHI1"):
        assert part in shown


def test_acknowledged_it_stays_in_the_list_and_suppressed_it_does_not(state: Path, capsys: Out) -> None:
    uid = listed(capsys)["findings"][0]["id"]
    assert main(["findings", "acknowledge", uid[:8], "--by", "ann", "--reason", "INC-7"]) == 0
    capsys.readouterr()
    assert [each["status"] for each in listed(capsys)["findings"]] == ["acknowledged"]
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 30 * DAY))
    assert main(["findings", "suppress", uid, "--until", day, "--reason", "a migration", "--by", "bob"]) == 0
    capsys.readouterr()
    assert listed(capsys)["findings"] == []
    assert [each["status"] for each in listed(capsys, "--status", "suppressed")["findings"]] == ["suppressed"]
    assert main(["findings", "show", uid]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^acknowledged: \S+ by ann: INC-7$", shown, re.MULTILINE)
    assert re.search(rf"^suppressed:  \S+ by bob until the end of {day}: a migration$", shown, re.MULTILINE)


@pytest.mark.parametrize(
    "words",
    [
        ["show", "no"],
        ["acknowledge", "no", "--by", "ann"],
        ["suppress", "no", "--by", "ann", "--reason", "x", "--until", "tomorrow"],
        ["--code", "NO_SUCH"],
        ["--signals", "--task", "a"],
        ["-o", "file"],
        ["--json", "--ocsf"],
        ["--task", "a"],
        ["deliver"],
        ["deliver", "--to", "https://siem.example"],
        ["deliver", "--to", "https://siem.example", "--secret-file", "nowhere"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2_with_a_sentence(words: list[str], state: Path, capsys: Out) -> None:
    assert main(["findings", *words]) == 2
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    assert told.err.strip()


def test_the_state_folder_can_be_named_before_and_after_the_second_word(state: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    uid = listed(capsys)["findings"][0]["id"]
    monkeypatch.setenv("LICET_STATE", str(state / "elsewhere"))
    assert main(["findings", "--state", str(state), "show", uid]) == 0
    assert main(["findings", "show", uid, "--state", str(state)]) == 0


def test_what_logs_say_cannot_act_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    inventory = opened(folder)
    inventory.keep([use(0, identity="\x1b[2Jme"), use(3 * HOUR, identity="\x1b[2Jme", place="a\x1b]0;x\x07:1")],
                   [happened(HOUR, "revoked", identity="\x1b[2Jme", credential="cred:one")])  # fmt: skip
    Story([]).run(inventory)
    uid = next(each.finding.id for each in kept(inventory) if each.finding.check != "monitor.source-silent")
    inventory.close()
    monkeypatch.setenv("LICET_STATE", str(folder))
    for words in (["findings"], ["findings", "show", uid], ["findings", "--json"], ["findings", "--ocsf"]):
        assert main(words) == 0
        assert "\x1b" not in capsys.readouterr().out


def test_findings_of_two_processes_are_the_same(tmp_path: Path) -> None:
    """Nothing in them hangs on a hash, a clock or the order of arrival."""
    script = (
        "import sys, stories\nfrom pathlib import Path\nfrom licet.inventory.store import Inventory\nfrom test_findings_kept import revoked_and_used\n"
        "inventory = Inventory(Path(sys.argv[1]))\nstory = revoked_and_used()\nstory.items = story.items[:: int(sys.argv[2])]\n"
        "story.signals(inventory)\nprint(sorted(inventory.rows('SELECT id, body FROM findings')))"
    )
    made = [
        subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / f"{number}.db"), step], cwd=Path(__file__).parent, check=True,
            capture_output=True, env={"PYTHONHASHSEED": str(number), "PATH": ""},
        ).stdout
        for number, step in enumerate(("1", "-1"))
    ]  # fmt: skip
    assert made[0]
    assert hashlib.sha256(made[0]).digest() == hashlib.sha256(made[1]).digest()
