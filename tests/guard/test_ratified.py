"""Whether a person answers for the manifest: what counts, what is found out, and what a guard does without."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import string
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from evidence import records
from licet import Denied, Guard
from licet.cli import main
from licet.errors import KeyFileError
from licet.guard.ratification import MAX_VERSION, Ratification, RatificationError, name_problem
from licet.guard.ratified import NotRatified, Ratified, file_of, ratification, standing
from licet.guard.ratifier import Ratifier, Seen, believe, believed, locked, note, place_of, remember, seen
from licet.guard.state import StateFolder, open_state
from licet.ledger.note import NoteError, opened, signed
from licet.manifest import load
from licet.manifest.baseline import under
from licet.records import Finding
from licet.store import SqliteStore
from licet.telemetry import semconv

MANIFEST = """\
licet: 1
environment: dev
owners: {{o: {{name: O, contact: o@acme.example}}}}
agents: {{bot: {{owner: o, tasks: [work]}}}}
tools:
  look: {{access: read, egress: false, fields: {{from: counterpart}}}}
  send: {{access: write, egress: true, arguments: {{to: {{origin: [intent, counterpart]}}}}}}
tasks:
  work:
    intent: Work
    ttl: {ttl}
    tools: {{look: {{}}, send: {{}}}}
    {baseline}
checks: {{origin.unanchored: {{then: flag}}, chain.novel: {{then: ask}}}}
"""
BASELINE = (
    "baseline: {{sessions: {sessions}, under: '{under}', tools: {{look: 5, send: 5}}, edges: {{start -> look: 5, look -> send: 5}}, "
    "origins: {{send: {{to: {{intent: 5}}}}}}}}"
)


LINE = "5f" * 16


class Place:
    """A manifest in a folder, and a state folder beside it."""

    def __init__(self, folder: Path) -> None:
        self.manifest, self.state = folder / "licet.yaml", open_state(folder / "state")
        self.write()

    def write(self, *, ttl: str = "10m", sessions: int = 0) -> None:
        self.manifest.write_text(MANIFEST.format(ttl=ttl, baseline=""))
        if sessions:
            digest = under(load(self.manifest).tools, ["look", "send"])
            self.manifest.write_text(MANIFEST.format(ttl=ttl, baseline=BASELINE.format(sessions=sessions, under=digest)))

    def ratify(self, *more: str) -> int:
        return main(["ratify", str(self.manifest), "--by", "Ada", "--yes", "--state", str(self.state.path), *more])

    @property
    def note(self) -> Path:
        return file_of(self.manifest)

    def now(self) -> Ratified | NotRatified:
        return ratification(load(self.manifest), self.state)

    def why(self) -> str:
        found = self.now()
        assert isinstance(found, NotRatified)
        return found.why

    def sign(self, told: Ratification, key: Ratifier | None = None) -> None:
        self.note.write_text(signed(told.text(), [key or Ratifier.of(self.state.keys)[0]]))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def stranger() -> Ratifier:
    return Ratifier(Ed25519PrivateKey.generate())


def test_a_manifest_is_ratified_by_the_signature_of_somebody_who_is_believed(place: Place) -> None:
    assert "licet.yaml.ratified: is not there; `licet ratify` makes it" in place.why()
    assert place.ratify() == 0
    found = place.now()
    assert isinstance(found, Ratified)
    assert (found.ratification.version, found.ratification.by, found.ratification.replaces) == (1, "Ada", "")
    assert found.ratification.manifest == load(place.manifest).digest


def test_each_names_the_one_before_and_has_a_higher_version(place: Place) -> None:
    place.ratify()
    first = place.now()
    place.write(ttl="11m")
    place.ratify()
    second = place.now()
    assert isinstance(first, Ratified)
    assert isinstance(second, Ratified)
    assert (second.ratification.version, second.ratification.replaces) == (2, first.ratification.digest)


def test_comments_and_layout_may_change_and_a_grant_may_not(place: Place) -> None:
    place.ratify()
    place.manifest.write_text("# why\n" + place.manifest.read_text().replace("licet: 1", "licet:   1  # version"))
    assert isinstance(place.now(), Ratified)
    place.manifest.write_text(place.manifest.read_text().replace("send: {}}", "send: {at_most: 3}}"))
    found = place.now()
    assert isinstance(found, NotRatified)
    assert found.alarming
    assert "it was changed after it was ratified" in found.why
    assert "(version 1, by Ada)" in found.why


def test_what_an_unknown_key_has_signed_does_not_count(place: Place) -> None:
    place.ratify()
    found = place.now()
    assert isinstance(found, Ratified)
    place.sign(replace(found.ratification, by="Eve", version=2), other := stranger())
    assert f"is signed by {other.name}, whom this state folder does not believe" in place.why()
    believe(place.state.keys, other.note_key, "a colleague")
    assert isinstance(place.now(), Ratified)


def test_a_forged_signature_under_the_name_of_a_known_key_is_found(place: Place) -> None:
    """The name and the id of a key are public."""
    place.ratify()
    text = place.note.read_text()
    place.note.write_text(text.replace("by Ada", "by Eve"))
    assert "does not hold" in place.why()
    place.note.write_text(text)
    assert isinstance(place.now(), Ratified)


def test_the_ratification_of_another_manifest_does_not_count_here(place: Place, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Place(tmp_path / "other")
    other.state = place.state
    other.write(ttl="1h")
    other.ratify()
    place.note.write_bytes(other.note.read_bytes())
    assert "is of another manifest" in place.why()


def test_a_signature_that_is_about_something_else_does_not_count(place: Place) -> None:
    """The same key may have signed another kind of note."""
    key, _ = Ratifier.of(place.state.keys)
    place.note.write_text(signed("licet.local/ledger\n1\nAAAA\n", [key]))
    assert f"{place.note}:1: this must be `licet ratification`" in place.why()


def test_an_older_version_is_a_rollback(place: Place) -> None:
    """The manifest and its signature of yesterday are whole, and do not count any more."""
    place.ratify()
    old = (place.manifest.read_bytes(), place.note.read_bytes())
    place.write(ttl="1m")
    place.ratify()
    place.manifest.write_bytes(old[0])
    place.note.write_bytes(old[1])
    found = place.now()
    assert isinstance(found, NotRatified)
    assert found.alarming
    assert "was set back: it is version 1, and version 2 was seen here" in found.why
    assert place.ratify() == 0
    told = standing(place.manifest, place.state)
    assert isinstance(told, Ratified)
    assert told.ratification.version == 3


def test_a_guard_remembers_what_it_has_seen_where_nobody_ratifies(place: Place, tmp_path: Path) -> None:
    """The machine that runs is another than the one on which a person ratifies."""
    runs = open_state(tmp_path / "runs")
    believe(runs.keys, Ratifier.of(place.state.keys)[0].note_key, "Ada")
    place.ratify()
    first = (place.manifest.read_bytes(), place.note.read_bytes())
    place.write(ttl="1m")
    place.ratify()
    Guard.from_file(place.manifest, state=runs.path).close()
    place.manifest.write_bytes(first[0])
    place.note.write_bytes(first[1])
    found = ratification(load(place.manifest), runs)
    assert isinstance(found, NotRatified)
    assert "version 2 was seen here" in found.why


def test_two_ratifications_of_one_version_do_not_both_count(place: Place) -> None:
    """Two people, each on his own machine, went on from the same one."""
    place.ratify()
    found = place.now()
    assert isinstance(found, Ratified)
    place.sign(replace(found.ratification, by="Bob"))
    assert "another ratification of version 1 was seen here" in place.why()


def test_a_ratification_that_was_taken_away_is_missed(place: Place) -> None:
    place.ratify()
    place.note.unlink()
    found = place.now()
    assert isinstance(found, NotRatified)
    assert found.alarming
    assert "is gone; version 1 stood there" in found.why


def test_it_may_be_a_link_and_anybodys_file_since_it_is_signed(place: Place, tmp_path: Path) -> None:
    """A mounted volume is made of links, and a checkout belongs to whoever made it."""
    place.ratify()
    place.note.rename(tmp_path / "elsewhere")
    place.note.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").chmod(0o444)
    assert isinstance(place.now(), Ratified)


def test_ratifying_writes_through_no_link(place: Place, tmp_path: Path) -> None:
    """Else whoever can put one beside the manifest lets the person overwrite a file of his own."""
    (tmp_path / "mine").write_text("mine")
    place.ratify()
    place.note.rename(tmp_path / "kept")
    place.note.symlink_to(tmp_path / "kept")
    kept = (tmp_path / "kept").read_bytes()
    place.write(ttl="1m")
    assert place.ratify() == 0
    assert not place.note.is_symlink()
    assert (tmp_path / "kept").read_bytes() == kept


def test_what_is_no_plain_file_is_refused_and_nobody_waits_for_it(place: Place) -> None:
    os.mkfifo(place.note)
    assert "is not a plain file" in place.why()
    place.note.unlink()
    place.note.mkdir()
    assert "is not a plain file" in place.why()


@pytest.mark.parametrize("name", ["ratifiers", "ratified.seen"])
def test_a_list_of_keys_or_a_memory_that_others_can_write_is_refused(place: Place, name: str, tmp_path: Path) -> None:
    place.ratify()
    file = place.state.keys / name
    file.chmod(0o620)
    assert f"{name}: can be read or written by others" in place.why()
    file.chmod(0o600)
    file.rename(tmp_path / "moved")
    file.symlink_to(tmp_path / "moved")
    assert f"{name}: is a link" in place.why()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("name", ["ratifiers", "ratified.seen", "ratifier.key"])
def test_a_file_of_another_user_is_refused(place: Place, name: str) -> None:
    place.ratify()
    os.chown(place.state.keys / name, 12_345, -1)
    if name == "ratifier.key":
        place.write(ttl="1m")
        assert place.ratify() == 2
    else:
        assert f"{name}: belongs to another user" in place.why()


def test_a_bad_line_of_the_list_of_keys_is_named(place: Place) -> None:
    place.ratify()
    file = place.state.keys / "ratifiers"
    file.write_text(file.read_text() + "\n# a colleague\nnobody+12345678+AAAA\n")
    number = len(file.read_text().splitlines())
    assert f"{file}:{number}: the key is not of Ed25519; a line is a key" in place.why()
    with pytest.raises(KeyFileError, match=f"ratifiers:{number}"):
        believed(place.state.keys)


@pytest.mark.parametrize(
    "damaged", ["{", "[]", '{"a": 1}', '{"a": [1]}', '{"a": [true, "x", "y"]}', '{"a": [0, "x", "y"]}', "[" * 5_000, "\x00", '{"a": null}']
)
def test_a_memory_that_is_damaged_is_said_and_nothing_counts(place: Place, damaged: str) -> None:
    """Else who can damage it can set the manifest back."""
    place.ratify()
    (place.state.keys / "ratified.seen").write_text(damaged)
    found = place.now()
    assert isinstance(found, NotRatified)
    assert found.alarming
    assert "ratified.seen: is not what it was written as" in found.why


def test_the_key_is_made_once_is_ours_alone_and_is_believed_here(place: Place) -> None:
    key, made = Ratifier.of(place.state.keys)
    again, made_again = Ratifier.of(place.state.keys)
    assert (made, made_again) == (True, False)
    assert again.note_key == key.note_key
    assert believed(place.state.keys) == (key.note_key,)
    assert (place.state.keys / "ratifier.key").stat().st_mode & 0o777 == 0o600


def test_the_memory_holds_the_newest_and_forgets_the_manifest_that_was_seen_longest_ago(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("licet.guard.ratifier.MAX_SEEN", 3)
    digest = "sha256:" + "0" * 64
    with locked(place.state.keys):
        for name in "abcd":
            note(place.state.keys, name, Seen(2, digest, digest, LINE))
        note(place.state.keys, "b", Seen(1, digest, digest, LINE))
    assert {name: row.version for name, row in seen(place.state.keys).items()} == {"c": 2, "d": 2, "b": 2}
    remember(place.state.keys, place.manifest, Ratification(digest, "licet.yaml", "dev", LINE, 7, "Ada", "2026-11-23T10:16:00.000Z"))
    assert seen(place.state.keys)[place_of(place.manifest)].version == 7


def test_no_state_folder_is_made_by_looking(place: Place, tmp_path: Path) -> None:
    place.ratify()
    found = ratification(load(place.manifest), StateFolder(tmp_path / "none"))
    assert isinstance(found, NotRatified)
    assert not found.alarming
    assert not (tmp_path / "none").exists()


# What a guard does about it ------------------------------------------------------------------------------------------------


def findings_of(place: Place) -> list[Finding]:
    with contextlib.closing(SqliteStore(place.state.store)) as store:
        return list(store.findings())


def worked(place: Place) -> tuple[str, list[tuple[str, str, str]]]:
    """What became of a call that the baseline has not seen, and the findings."""
    with Guard.from_file(place.manifest, state=place.state.path) as guard:
        look = guard.wrap(lambda: {"from": "eve@evil.example"}, name="look")
        send = guard.wrap(lambda to: f"sent to {to}", name="send")
        with guard.task("work", intent="Answer", agent="bot", principal="user:grace"):
            look()
            try:
                outcome = send("eve@evil.example")
            except Denied as denial:
                outcome = " ".join(denial.decision.checks)
    return outcome, sorted((each.check, each.severity, each.owner) for each in findings_of(place))


def test_a_baseline_that_nobody_ratified_only_flags(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    place.write(sessions=5)
    with caplog.at_level(logging.WARNING, "licet"):
        outcome, findings = worked(place)
    assert outcome == "sent to eve@evil.example"
    assert ("manifest.unratified", "low", "o") in findings
    assert ("chain.novel", "low", "o") in findings
    said = [record.message for record in caplog.records if "is not ratified" in record.message]
    assert len(said) == 1
    assert "`licet ratify` makes it; until it is, its baselines only flag" in said[0]


def test_a_ratified_baseline_asks_where_the_manifest_says_so(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    place.write(sessions=5)
    place.ratify()
    with caplog.at_level(logging.WARNING, "licet"):
        outcome, findings = worked(place)
    assert "chain.novel" in outcome
    assert "manifest.unratified" not in [check for check, *_ in findings]
    assert not [record for record in caplog.records if "ratified" in record.message]


def test_a_baseline_that_is_still_learning_is_said_once_a_day_however_often_guards_start(place: Place) -> None:
    place.write(sessions=2)
    place.manifest.write_text(place.manifest.read_text().replace(": 5", ": 2"))
    place.ratify()
    for _ in range(3):
        Guard.from_file(place.manifest, state=place.state.path).close()
    (found,) = findings_of(place)
    assert (found.check, found.severity, found.owner) == ("chain.novel", "low", "o")
    assert "the baseline of `work` is not in force for `bot`: it is still learning: 2 of 5 sessions" in found.sentence


def test_nothing_is_said_of_a_manifest_without_baseline_that_nobody_ever_ratified(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "licet"):
        _, findings = worked(place)
    assert findings == []
    assert not caplog.records


def test_a_grant_that_was_changed_after_it_was_ratified_is_a_finding_also_without_a_baseline(place: Place) -> None:
    place.ratify()
    place.write(ttl="8h")
    _, findings = worked(place)
    assert findings == [("manifest.unratified", "medium", "o")]


def test_a_task_says_under_which_version_it_began(place: Place) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    place.ratify()
    for _ in range(2):
        guard = Guard.from_file(place.manifest, state=place.state.path, tracer_provider=provider)
        with guard, guard.task("work", intent="Answer", agent="bot", principal="user:grace"):
            pass
        place.write(ttl="1m")
    assert [record.get("ratified") for record in records(place.state.path, "task.begin")] == [1, None]
    assert [(span.attributes or {}).get(semconv.POLICY_RATIFIED) for span in spans.get_finished_spans()] == [1, None]


def test_the_ratification_is_a_file_of_the_guards_own(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place.ratify()
    with Guard.from_file("licet.yaml", state=place.state.path) as guard:
        send = guard.wrap(lambda to: to, name="send")
        with guard.task("work", intent="Write licet.yaml.ratified", agent="bot", principal="user:grace"), pytest.raises(Denied) as denied:
            send("./licet.yaml.ratified")
    assert "guard.self" in denied.value.decision.checks


def test_two_processes_that_ratify_at_once_leave_one_line(place: Place) -> None:
    """Of as many as there are, each either made a version of its own, or says that another was quicker; the file is whole."""
    place.ratify()
    drafts = []
    for number in range(4):
        place.write(ttl=f"{number + 20}m")
        drafts.append(place.manifest.with_name(f"draft{number}.yaml"))
        drafts[-1].write_bytes(place.manifest.read_bytes())
        os.utime(drafts[-1], (2**32, 2**32))  # none of them is older than what it is to replace
    command = [sys.executable, "-m", "licet", "ratify", "--by", "Ada", "--yes", "--state", str(place.state.path), "-o", str(place.manifest)]
    running = [subprocess.Popen([*command, str(draft)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for draft in drafts]
    ended = [(process.communicate(timeout=120), process.returncode) for process in running]
    made = sum(code == 0 for _, code in ended)
    assert made >= 1
    assert all(code == 0 or "was ratified meanwhile by somebody else" in err for (_, err), code in ended)
    found = place.now()
    assert isinstance(found, Ratified)
    assert found.ratification.version == 1 + made
    assert not [file for file in place.manifest.parent.iterdir() if file.name.startswith(".")]


# The text ------------------------------------------------------------------------------------------------------------------

GOOD = Ratification("sha256:" + "a" * 64, "licet.yaml", "dev", LINE, 4, "Ada Lovelace", "2026-11-23T10:16:00.000Z", "sha256:" + "b" * 64)


@pytest.mark.parametrize(
    "line, old, new",
    [
        (1, "licet ratification", "licet ratifications"),
        (2, "manifest sha256", "manifest sha512"),
        (2, "manifest ", "manifest  "),
        (3, "for licet", "for  licet"),
        (3, "for licet", "for li\u202ecet"),
        (4, "environment dev", "environment "),
        (5, "line 5f", "line 5F"),
        (5, "line 5f", "line "),
        (6, "version 4", "version 04"),
        (6, "version 4", "version 0"),
        (6, "version 4", "version \u0664"),
        (6, "version 4", f"version {MAX_VERSION + 1}"),
        (6, "version 4", "version " + "9" * 400),
        (7, "by Ada Lovelace", "by "),
        (7, "by Ada Lovelace", "by  Ada"),
        (7, "by Ada Lovelace", "by Ada\u202eevoL"),
        (7, "by Ada Lovelace", "by " + "a" * 201),
        (8, "11-23", "02-30"),
        (8, ".000Z", ".000+00:00"),
        (9, "replaces sha256:b", "replaces sha256:B"),
        (9, "replaces", "replaced"),
        (0, "licet ratification\n", "licet ratification\nmore\n"),
        (0, "replaces", "more x\nreplaces"),
    ],
)
def test_a_line_that_is_not_as_it_must_be_is_named(line: int, old: str, new: str) -> None:
    text = GOOD.text().replace(old, new, 1)
    assert text != GOOD.text()
    with pytest.raises(RatificationError) as refused:
        Ratification.parse(text)
    assert refused.value.line == line


def test_what_is_read_is_what_was_written() -> None:
    for each in (GOOD, replace(GOOD, replaces="", version=MAX_VERSION)):
        assert Ratification.parse(each.text()) == each


NAMES = st.text(st.characters(codec="utf-8"), max_size=220)


@given(by=NAMES, version=st.integers(-3, 2**60), tail=NAMES)
@settings(max_examples=300, deadline=None)
def test_a_text_is_read_as_nothing_else_than_what_it_was_written_from(by: str, version: int, tail: str) -> None:
    """Whatever stands in a name cannot become another line."""
    made = replace(GOOD, by=by, version=version)
    try:
        assert Ratification.parse(made.text() + tail) == made
        assert tail == ""
        assert not name_problem(by)
    except RatificationError:
        assert tail or name_problem(by) or not 1 <= version <= MAX_VERSION


def test_four_thousand_damaged_files_are_refused_with_a_reason_or_are_what_was_signed(place: Place) -> None:
    """Each seed is one file."""
    place.ratify()
    whole, digest = place.note.read_bytes(), load(place.manifest).digest
    manifest, accepted = load(place.manifest), 0
    for seed in range(4_000):
        chance = random.Random(seed)
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data) + 1)
            match chance.randrange(5):
                case 0:
                    data[at : at + 1] = bytes([chance.randrange(256)])
                case 1:
                    del data[at : at + chance.randint(1, 40)]
                case 2:
                    data[at:at] = chance.choice([b"\n", b"\n\n", b" ", b"by Eve\n", b"\xe2\x80\x94 ", b"\x00", b"\xff", b"="])
                case 3:
                    data += data[at : at + 60]
                case _:
                    data[at : at + 1] = chance.choice(string.ascii_letters).encode()
        place.note.write_bytes(bytes(data))
        found = ratification(manifest, place.state)
        if isinstance(found, Ratified):
            accepted += 1
            assert found.ratification.manifest == digest
            assert found.ratification.by == "Ada"
            assert found.ratification.version == 1
        else:
            assert found.why
    assert accepted < 400


@given(st.text(max_size=400))
@settings(max_examples=500, deadline=None)
def test_no_text_makes_a_note_raise_anything_else(text: str) -> None:
    for read in (Ratification.parse, lambda given: opened(given, ())):
        try:
            read(text)
        except (NoteError, RatificationError):
            continue


# For which manifest --------------------------------------------------------------------------------------------------------


def test_what_was_ratified_under_another_name_does_not_count(place: Place) -> None:
    """Whoever can write the repository, and not the state folder, exchanges two pairs that are both whole."""
    place.ratify()
    dev = place.manifest.with_name("dev.yaml")
    dev.write_text(place.manifest.read_text().replace("ttl: 10m", "ttl: 8h"))
    assert main(["ratify", str(dev), "--by", "Ada", "--yes", "--state", str(place.state.path)]) == 0
    place.manifest.write_bytes(dev.read_bytes())
    place.note.write_bytes(file_of(dev).read_bytes())
    found = place.now()
    assert isinstance(found, NotRatified)
    assert found.alarming
    assert "is for a manifest named `dev.yaml`, and this one is `licet.yaml`" in found.why
    fresh = ratification(load(place.manifest), StateFolder(place.state.path.with_name("fresh")))
    assert isinstance(fresh, NotRatified)


def test_what_was_ratified_for_another_manifest_of_the_same_name_does_not_count(place: Place, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Place(tmp_path / "other")
    other.state = place.state
    other.write(ttl="8h")
    place.ratify()
    place.write(ttl="11m")
    place.ratify()
    for _ in range(3):
        other.write(ttl="8h")
        other.ratify()
        other.write(ttl="9h")
        other.ratify()
    for mine, its in ((place.manifest, other.manifest), (place.note, other.note)):
        mine.write_bytes(its.read_bytes())
    found = place.now()
    assert isinstance(found, NotRatified)
    assert found.alarming
    assert "is of another line than version 2, which was seen here" in found.why
    assert "take this path out of" in found.why


def test_an_older_version_is_a_rollback_in_whatever_folder_it_stands(place: Place, tmp_path: Path) -> None:
    """Each release may have a folder of its own."""
    place.ratify()
    old = (place.manifest.read_bytes(), place.note.read_bytes())
    place.write(ttl="1m")
    place.ratify()
    (tmp_path / "release-1").mkdir()
    earlier = Place(tmp_path / "release-1")
    earlier.state = place.state
    earlier.manifest.write_bytes(old[0])
    earlier.note.write_bytes(old[1])
    assert "was set back: it is version 1, and version 2 was seen here" in earlier.why()
    earlier.manifest.write_bytes(place.manifest.read_bytes())
    earlier.note.write_bytes(place.note.read_bytes())
    assert isinstance(earlier.now(), Ratified)


def test_versions_are_counted_by_line_and_each_carries_its_line_on(place: Place, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Place(tmp_path / "other")
    other.state = place.state
    told = []
    for each, ttl in ((place, "1m"), (place, "2m"), (other, "1m"), (place, "3m"), (other, "2m")):
        each.write(ttl=ttl)
        each.ratify()
        found = each.now()
        assert isinstance(found, Ratified)
        told.append((found.ratification.version, found.ratification.line))
    assert [version for version, _ in told] == [1, 2, 1, 3, 2]
    assert told[0][1] == told[1][1] == told[3][1] != told[2][1] == told[4][1]


def test_the_signed_environment_is_that_of_the_manifest(place: Place) -> None:
    place.ratify()
    found = place.now()
    assert isinstance(found, Ratified)
    assert (found.ratification.file, found.ratification.environment) == ("licet.yaml", "dev")
    place.sign(replace(found.ratification, environment="prod", version=2))
    assert "is for the environment `prod`, and the manifest says `dev`" in place.why()


@pytest.mark.parametrize(
    "name, good",
    [
        ("Ada Lovelace", True),
        ("Jos\u00e9 \u00c1lvarez", True),
        ("\u0928\u093f\u0924\u093f\u0928", True),
        ("Nguy\u1ec5n Th\u1ecb", True),
        ("Jose\u0301", False),
        ("Ada\u00a0Lovelace", False),
        ("Ada\u3000Lovelace", False),
        ("Adx\u0323\u0324\u0325\u0326", False),
        ('Ada" answers for nothing. Does "nobody', False),
    ],
    ids=["plain", "accents", "devanagari", "vietnamese", "not-composed", "no-break", "wide", "stacked", "quotes"],
)
def test_a_name_is_one_that_can_be_read(name: str, good: bool) -> None:
    assert (not name_problem(name)) == good
