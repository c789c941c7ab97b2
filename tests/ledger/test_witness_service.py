"""Several hosts and one witness, as real processes over real HTTP: what is asked, what is pulled, and what happens when either side fails."""

from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from licet.errors import LedgerError, UsageError
from licet.ledger.cosigning.cosign import Misbehaved, WitnessAt, WitnessIn, cosign
from licet.ledger.cosigning.cosigner import Cosigner
from licet.ledger.cosigning.sources import RemoteFiles, pull
from licet.ledger.cosigning.state import WitnessState
from licet.ledger.cosigning.submission import MAX_SUBMISSION
from licet.ledger.cosigning.web import Web, checked
from licet.ledger.cosigning.witness import Refused, Witness
from licet.ledger.note import NoteKey, cosigned, opened, parts
from licet.ledger.reader import LedgerFiles
from witnessing import LICET, Host, Ran, Service, clock, licet, serving


@pytest.fixture
def one(tmp_path: Path) -> Host:
    return Host(tmp_path / "one").grow(5)


def copied(host: Host, name: str) -> Host:
    """The state folder as it is now, somewhere else."""
    shutil.copytree(host.folder, host.folder.parent / name)
    return Host(host.folder.parent / name)


def asked(host: Host, service: Service, *words: object) -> Ran:
    """`licet ledger cosign` on that host."""
    return licet("cosign", "--state", host.folder, "--witness", service.url, "--witness-key", service.key, *words)


# Asked ----------------------------------------------------------------------------------------------------------------------------------


def test_one_witness_holds_the_view_over_two_hosts_and_names_the_fork_and_the_rollback(tmp_path: Path, one: Host):
    two, state = Host(tmp_path / "two").grow(300), tmp_path / "witness"
    with serving(state, one.key, two.key) as service:
        backup = copied(one, "backup")
        for host, size in ((one, 5), (two, 300)):
            told = json.loads(asked(host, service, "--json").stdout)
            assert (told["cosigned"], told["size"], told["current"]) == (True, size, True)
        assert asked(one.grow(700), service).returncode == 0
        key = NoteKey.parse(service.key)
        for host in (one, two):  # each ledger has the witness's line beside its own
            found = opened(host.note, [host.key, key])
            assert (found.by, [each.key for each in found.cosigned]) == ((host.key,), [key])
            assert opened((host.files.path / "cosigned").read_text(encoding="utf-8"), [host.key, key]).cosigned
        restored = asked(backup, service)
        assert restored.returncode == 1
        assert "a rollback" in restored.stdout
        forked = asked(backup.grow(705), service)
        assert forked.returncode == 1
        assert "a fork" in forked.stdout
        found = service.list(state)
    merged = {log["origin"]: (log["size"], sorted(log["refused"])) for log in found["logs"]}
    assert merged[two.key.name] == (300, [])
    assert merged[one.key.name][0] == 700
    assert "rollback" in merged[one.key.name][1]
    assert set(merged[one.key.name][1]) & {"fork", "proof"}
    shown = licet("witness", "--state", state, "--list").stdout
    assert "a fork" in shown
    assert "a rollback" in shown


def test_a_ledger_goes_on_after_it_was_cosigned_and_its_own_line_stays_the_first(tmp_path: Path, one: Host):
    with serving(tmp_path / "witness", one.key) as service:
        assert asked(one, service).returncode == 0
    assert one.grow(9).checkpoint.size == 9
    assert one.note.count("\u2014 ") == 1
    assert opened(one.note, [one.key]).by


def test_the_answers_are_those_of_the_specification(tmp_path: Path, one: Host):
    stranger = Host(tmp_path / "stranger").grow(3)
    with serving(tmp_path / "witness", one.key) as service:
        digest = hashlib.sha256(one.key.name.encode()).hexdigest()
        assert service.http.get(f"/{digest}/checkpoint").status_code == 404
        conflict = service.post(one.submission(4).text())
        assert (conflict.status_code, conflict.text, conflict.headers["content-type"]) == (409, "0\n", "text/x.tlog.size")
        well = service.post(one.submission(0).text())
        assert (well.status_code, well.text.count("\n"), well.text[:2]) == (200, 1, "\u2014 ")
        published = service.http.get(f"/{digest}/checkpoint")
        assert published.status_code == 200
        assert opened(published.text, [one.key, NoteKey.parse(service.key)]).cosigned
        assert service.post(stranger.submission(0).text()).status_code == 404
        assert service.post(b"rubbish").status_code == 400
        assert service.post(b"x" * (MAX_SUBMISSION + 1)).status_code == 413
        assert service.http.get("/add-checkpoint").status_code == 405
        for path in (
            "/",
            "/nothing",
            "/../key/checkpoint",
            f"/{digest.upper()}/checkpoint",
            "/logs/checkpoint",
            "/%2e%2e%2fkey/checkpoint",
        ):
            assert service.http.get(path).status_code == 404
        assert service.http.get("/health").text == "ok\n"


def test_requests_at_once_to_two_processes_on_one_state_leave_one_history(tmp_path: Path, one: Host):
    state, first, fork = tmp_path / "witness", one.submission(0).text(), copied(one, "fork")
    sides = [[host.grow(size, what).submission(5).text() for size in range(6, 14)] for host, what in ((one, "a"), (fork, "b"))]
    with serving(state, one.key) as left, serving(state, one.key) as right:
        assert left.post(first).status_code == 200
        jobs = [((left, right)[at % 4 // 2], body) for at, body in enumerate(body for pair in zip(*sides, strict=True) for body in pair)]
        with ThreadPoolExecutor(8) as threads:
            statuses = list(threads.map(lambda job: job[0].post(job[1]).status_code, jobs))
    assert statuses.count(200) == 1  # each says that five records were before
    assert set(statuses) == {200, 409}


def test_a_witness_that_is_asked_too_often_says_so(tmp_path: Path, one: Host):
    with serving(tmp_path / "witness", one.key) as service:
        statuses = {service.post(b"rubbish").status_code for _ in range(150)}
        assert 429 in statuses
        assert statuses <= {400, 429}


def test_a_state_that_cannot_be_used_is_503_and_nothing_is_cosigned(tmp_path: Path, one: Host):
    state = tmp_path / "witness"
    with serving(state, one.key) as service:
        (state / "seen").chmod(0o777)
        [file] = [state / "seen" / hashlib.sha256(one.key.name.encode()).hexdigest()]
        file.write_text("rubbish", encoding="utf-8")
        file.chmod(0o600)
        assert service.post(one.submission(0).text()).status_code == 503


def test_what_a_witness_in_a_folder_says_is_the_same(tmp_path: Path, one: Host):
    state = tmp_path / "witness"
    assert licet("witness", "--state", state, "--log", one.key, "--key").returncode == 0
    backup = copied(one, "backup")
    assert licet("cosign", "--state", one.grow(8).folder, "--witness", state).returncode == 0
    told = licet("cosign", "--state", backup.folder, "--witness", state, "--json")
    assert told.returncode == 1
    assert "a rollback" in json.loads(told.stdout)["why"]
    assert "a fork" in licet("cosign", "--state", backup.grow(12).folder, "--witness", state).stdout


def test_a_fork_that_is_as_long_as_what_was_cosigned_is_named_too(tmp_path: Path, one: Host):
    fork = copied(one, "fork")
    with serving(tmp_path / "witness", one.key) as service:
        assert asked(one.grow(9, "a"), service).returncode == 0
        told = asked(fork.grow(9, "b"), service)
    assert told.returncode == 1
    assert "another checkpoint of 9 records" in told.stdout
    assert "a fork" in told.stdout


# Pulled ---------------------------------------------------------------------------------------------------------------------------------


@contextmanager
def files_at(folder: Path) -> Iterator[str]:
    """The folder as static files, over HTTP."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    http.server.SimpleHTTPRequestHandler.log_message = lambda *_: None  # type: ignore[method-assign]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("way", ["folder", "address"])
@pytest.mark.parametrize("size,grown", [(8, 16), (300, 590)])
def test_ledgers_are_pulled_and_a_fork_and_a_rollback_are_named(tmp_path: Path, way: str, size: int, grown: int):
    one, two = Host(tmp_path / "one").grow(size), Host(tmp_path / "two").grow(3)
    state, keys = tmp_path / "witness", tmp_path / "keys.txt"
    keys.write_text(f"{one.key}\n{two.key}\n", encoding="utf-8")
    (tmp_path / "shown").mkdir()
    shown = tmp_path / "shown" / "one"

    def look(host: Host, *more: Path) -> Ran:
        shown.unlink(missing_ok=True)
        shown.symlink_to(host.files.path, target_is_directory=True)
        with files_at(shown) as url:
            return licet("witness", "--state", state, "--log", keys, host.files.path if way == "folder" else url, *more)

    backup = copied(one, "backup")
    assert look(one, two.files.path).returncode == 0
    assert look(one.grow(grown)).returncode == 0
    rolled = look(backup)
    assert (rolled.returncode, "refused: rollback" in rolled.stdout) == (1, True)
    forked = look(backup.grow(grown + 10), two.files.path)
    assert (forked.returncode, "refused: fork" in forked.stdout, forked.stdout.count("cosigned:")) == (1, True, 1)
    assert look(one.grow(grown + 20)).returncode == 0


def test_a_source_that_cannot_be_read_is_no_refusal(tmp_path: Path, one: Host):
    state = tmp_path / "witness"
    ran = licet("witness", "--state", state, "--log", one.key, tmp_path / "nothing", one.files.path)
    assert (ran.returncode, "no checkpoint" in ran.stderr, "cosigned" in ran.stdout) == (2, True, True)
    for tile in one.grow(9).files.path.glob("tile/0/000.p/*"):
        tile.write_bytes(bytes(len(tile.read_bytes())))
    ran = licet("witness", "--state", state, one.files.path)
    assert (ran.returncode, "do not lead to its checkpoint" in ran.stderr) == (2, True)


def test_a_ledger_is_looked_at_again_and_again_until_a_signal(tmp_path: Path, one: Host):
    state = tmp_path / "witness"
    words = [*LICET, "witness", "--state", str(state), "--log", str(one.key), str(one.files.path), "--every", "1s"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert "5 records" in process.stdout.readline()
        one.grow(7)
        while "7 records" not in (line := process.stdout.readline()):
            assert line
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


# The other side fails, or is hostile ----------------------------------------------------------------------------------------------------


@contextmanager
def answering(*answers: bytes | Callable[[socket.socket], None]) -> Iterator[str]:
    """Whoever connects gets the next answer, whatever he asked; the last one again and again."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def run() -> None:
        count = 0
        while not over.is_set():
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                answer = answers[min(count, len(answers) - 1)]
                count += 1
                if over.is_set():
                    return
                peer.settimeout(5)
                if callable(answer):
                    answer(peer)
                    continue
                try:
                    peer.recv(65_536)
                    peer.sendall(answer)
                    peer.shutdown(socket.SHUT_WR)
                    while peer.recv(65_536):  # else what is not read resets the connection, and takes the answer with it
                        pass
                except OSError:
                    continue

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        listener.close()


def said(status: int, body: str, kind: str = "text/plain", more: str = "") -> bytes:
    data = body.encode()
    return f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\nConnection: close\r\n{more}\r\n".encode() + data


SIZE = "text/x.tlog.size"
BAD = {
    "a redirect": (said(302, "", more="Location: http://127.0.0.1:1/\r\n"), "status 302"),
    "nonsense": (said(200, "nonsense\n"), "no cosignature"),
    "nothing": (said(200, ""), "no cosignature"),
    "an unknown log": (said(404, "no\n"), "does not know the log"),
    "another key": (said(403, "no\n"), "by another key"),
    "a busy one": (said(429, "no\n"), "too often"),
    "a failing one": (said(500, "no\n"), "status 500"),
    "a size that is none": (said(409, "-1\n", SIZE), "does not say which size"),
    "a size of another type": (said(409, "3\n"), "does not say which size"),
    "a size without end": (said(409, "3", SIZE), "does not say which size"),
    "a size in other digits": (said(409, "\u0663\n", SIZE), "does not say which size"),
    "too much": (said(200, "x" * 70_000), "more than 65536 bytes"),
    "something compressed": (said(200, "x", more="Content-Encoding: gzip\r\n"), "compressed"),
    "no HTTP": (b"SSH-2.0-x\r\n", "cannot be asked"),
    "half an answer": (said(200, "x" * 100)[:-50], "did not come whole"),
}


@pytest.mark.parametrize("case", BAD)
def test_an_answer_that_is_none_is_an_error_that_says_so_and_the_ledger_stays_as_it_is(one: Host, case: str):
    answer, why = BAD[case]
    before = one.note
    with answering(answer) as url, pytest.raises(LedgerError, match=why) as failed:
        cosign(one.files, before, WitnessAt(url))
    assert not isinstance(failed.value, Misbehaved)
    assert one.note == before
    assert not (one.files.path / "cosigned").exists()


def test_a_witness_that_keeps_saying_another_size_is_not_asked_for_ever(one: Host):
    with answering(said(409, "3\n", SIZE), said(409, "4\n", SIZE)) as url, pytest.raises(LedgerError, match="at the same time"):
        cosign(one.files, one.note, WitnessAt(url))


def test_a_witness_that_answers_byte_by_byte_is_let_go_of(one: Host):
    def slowly(peer: socket.socket) -> None:
        try:
            for _ in range(200):
                peer.sendall(b"H")
                time.sleep(0.05)
        except OSError:
            return

    with answering(slowly) as url:
        began = time.monotonic()
        with pytest.raises(LedgerError, match="no answer within"):
            cosign(one.files, one.note, WitnessAt(url, timeout=0.3))
        assert time.monotonic() - began < 5


def test_a_line_of_another_key_than_the_one_that_was_named_is_not_kept(tmp_path: Path, one: Host):
    other = WitnessState(tmp_path / "other").key().note_key
    with serving(tmp_path / "witness", one.key) as service, pytest.raises(LedgerError, match="no line is of"):
        cosign(one.files, one.note, WitnessAt(service.url), key=other)
    assert one.note.count("\u2014 ") == 1


def test_a_line_of_the_named_key_that_does_not_hold_is_not_kept(tmp_path: Path, one: Host):
    key = WitnessState(tmp_path / "witness").key()
    about_another = cosigned(parts(one.note)[0].replace("\n5\n", "\n6\n"), key, 1)
    with answering(said(200, about_another)) as url, pytest.raises(LedgerError, match="does not hold"):
        cosign(one.files, one.note, WitnessAt(url), key=key.note_key)
    assert one.note.count("\u2014 ") == 1


def test_an_answer_cannot_take_the_place_of_a_line_that_is_there(tmp_path: Path, one: Host):
    """Nobody's key was named, so that any answer is taken; it must not spoil what holds."""
    key = WitnessState(tmp_path / "witness").key()
    state = WitnessState(tmp_path / "witness")
    state.learn([one.key])
    cosign(one.files, one.note, WitnessIn(state.path), key=key.note_key)
    before = one.note
    forged = [
        f"\u2014 {each.name} {base64.b64encode(each.id + bytes(72)).decode()}\n" for each in (one.key, key.note_key)
    ]  # of the length of a cosignature
    with answering(said(200, "".join(forged))) as url, pytest.raises(LedgerError, match="no line is a cosignature that is new"):
        cosign(one.files, before, WitnessAt(url))
    assert one.note == before


def test_a_line_that_comes_after_the_next_checkpoint_stands_in_cosigned_only(tmp_path: Path, one: Host):
    state = WitnessState(tmp_path / "witness")
    key = state.key().note_key
    state.learn([one.key])
    before = one.note
    one.grow(6)
    found = cosign(one.files, before, WitnessIn(state.path), key=key)
    assert not found.current
    assert one.note.count("\u2014 ") == 1
    kept = opened((one.files.path / "cosigned").read_text(encoding="utf-8"), [one.key, key])
    assert (kept.text, bool(kept.by), bool(kept.cosigned)) == (parts(before)[0], True, True)


def test_a_remote_ledger_that_lies_about_its_tiles_is_no_fork(tmp_path: Path, one: Host):
    witness = Witness((state := WitnessState(tmp_path / "witness")).key(), [one.key], state, clock())
    pull(witness, one.files, "one")
    for tile in one.grow(9).files.path.glob("tile/0/000.p/*"):
        tile.write_bytes(bytes(32 * 9))
    with files_at(one.files.path) as url, pytest.raises(LedgerError, match="do not lead to its checkpoint"):
        pull(witness, RemoteFiles(url), url)
    for answer, why in ((said(404, ""), "no checkpoint"), (said(200, "rubbish"), "cannot be read"), (said(503, ""), "status 503")):
        with answering(answer) as url, pytest.raises(LedgerError, match=why):
            pull(witness, RemoteFiles(url), url)
    with answering(said(200, Host(tmp_path / "two").grow(3).note), said(404, "")) as url, pytest.raises((LedgerError, Refused)):
        pull(witness, RemoteFiles(url), url)
    assert witness.known(one.key.name) == 5


@pytest.mark.parametrize(
    "url",
    ["http://witness.acme.example", "ftp://127.0.0.1", "https://", "https://a:b@host", "https://host/?x", "https://host:x", "file:///etc",
     "https://host/\n", "https://h\u00f6st"],
    ids=str.upper,
)  # fmt: skip
def test_an_address_in_the_open_or_none_at_all_is_refused(url: str):
    with pytest.raises(UsageError):
        checked(url)


def test_an_address_below_which_a_witness_is_may_have_a_path():
    assert checked("https://acme.example/witness/") == "https://acme.example/witness"
    with pytest.raises(LedgerError, match="cannot be asked"):
        Web("http://127.0.0.1:1").ask("health", most=10)


# By itself ------------------------------------------------------------------------------------------------------------------------------


def until(what: Callable[[], object], seconds: float = 30.0) -> None:
    ends = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.02)


def cosigned_by(host: Host, key: NoteKey) -> bool:
    return bool(opened(host.note, [key]).cosigned)


def test_a_ledger_has_its_newest_checkpoint_cosigned_by_itself(tmp_path: Path, one: Host):
    reports: list[tuple[str, str]] = []
    with serving(tmp_path / "witness", one.key) as service:
        key = NoteKey.parse(service.key)
        cosigner = Cosigner.of(one.files, [(service.url, service.key)], lambda name, why: reports.append((name, why)))
        for size in (5, 6, 40):
            one.grow(size)
            cosigner.offer()
            until(lambda: cosigned_by(one, key))
        cosigner.close()
        one.grow(41)
        cosigner.offer()  # as a ledger that is written to after it was closed
        until(lambda: cosigned_by(one, key))
        cosigner.close()
    assert {*reports} == {(key.name, "")}
    assert not cosigner.problems


@pytest.mark.parametrize("key", ["rubbish", "log"])
def test_a_witness_that_is_named_by_no_key_of_a_witness_is_wrong_use(one: Host, key: str):
    with pytest.raises(UsageError, match="the witness http:"):
        Cosigner.of(one.files, [("http://127.0.0.1:1", str(one.key) if key == "log" else key)])


def test_a_witness_that_hangs_holds_up_nobody_and_no_other_witness(tmp_path: Path, one: Host, caplog: pytest.LogCaptureFixture):
    release = threading.Event()
    hung = NoteKey("hung", bytes(32), b"\x04")
    with serving(tmp_path / "witness", one.key) as service, answering(lambda _: (release.wait(20), None)[1]) as url:
        key = NoteKey.parse(service.key)
        cosigner = Cosigner(one.files, [(WitnessAt(url, timeout=0.2), hung), (WitnessAt(service.url), key)])
        with caplog.at_level(logging.WARNING, "licet"):
            cosigner.offer()
            one.grow(6)  # while it is asked
            cosigner.offer()
            until(lambda: cosigned_by(one, key) and cosigner.problems)
        said = cosigner.problems["hung"]
        release.set()
        cosigner.close()
    assert "Timeout" in said or "no answer within" in said
    assert any("witness hung" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("when", ["at a checkpoint", "at the end"])
def test_a_witness_that_hangs_does_not_delay_the_next_one_also_not_at_the_end(tmp_path: Path, one: Host, when: str):
    """The one that hangs is the first in the list, and would hang for far longer than this may take."""
    release = threading.Event()
    state = WitnessState(tmp_path / "witness")
    key = state.key().note_key
    state.learn([one.key])
    with answering(lambda _: (release.wait(60), None)[1]) as url:
        hanging = WitnessAt(url, timeout=60), NoteKey("hung", bytes(32), b"\x04")
        cosigner = Cosigner(one.files, [hanging, (WitnessIn(state.path), key)])
        cosigner.offer()
        if when == "at the end":
            cosigner.close(5)
            assert cosigned_by(one, key)
        else:
            until(lambda: cosigned_by(one, key))
        assert not cosigner.problems  # the other has not even failed yet
        release.set()
        cosigner.close()


def test_what_a_witness_breaks_in_our_thread_is_a_failure_and_it_is_asked_again(one: Host):
    asked = threading.Event()

    class Odd:
        def ask(self, submission):
            if asked.is_set():
                raise LedgerError("again")
            asked.set()
            raise ZeroDivisionError

    cosigner = Cosigner(one.files, [(Odd(), NoteKey("odd", bytes(32), b"\x04"))])
    cosigner.offer()
    until(lambda: cosigner.problems.get("odd") == "again")
    cosigner.close()


def test_that_a_witness_saw_another_ledger_is_an_alarm_and_is_raised_once(tmp_path: Path, one: Host):
    state = WitnessState(tmp_path / "witness")
    key = state.key().note_key
    state.learn([one.key])
    backup = copied(one, "backup")
    one.grow(9)
    cosign(one.files, one.note, WitnessIn(state.path), key=key)
    alarms: list[tuple[str, str]] = []
    reports: list[str] = []
    twice = [(WitnessIn(state.path), key), (WitnessIn(state.path), key)]
    cosigner = Cosigner(LedgerFiles(backup.files.path), twice, lambda _name, why: reports.append(why))
    cosigner.alarm_by(lambda name, what: alarms.append((name, what)))
    cosigner.offer()
    until(lambda: len(reports) >= 2)
    cosigner.close()
    [(name, what)] = alarms
    assert name == key.name
    assert "a rollback" in what


def test_a_witness_that_was_away_is_asked_again_without_a_new_checkpoint(tmp_path: Path, one: Host):
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    key = WitnessState(tmp_path / "witness").key().note_key
    cosigner = Cosigner(one.files, [(WitnessAt(f"http://127.0.0.1:{port}"), key)])
    cosigner.offer()
    until(lambda: cosigner.problems)
    with serving(tmp_path / "witness", one.key, listen=f"127.0.0.1:{port}"):
        until(lambda: cosigned_by(one, key))
        until(lambda: not cosigner.problems)
    cosigner.close()


def test_a_rollback_that_a_witness_saw_is_an_error_in_the_log(tmp_path: Path, one: Host, caplog: pytest.LogCaptureFixture):
    state = WitnessState(tmp_path / "witness")
    key = state.key().note_key
    state.learn([one.key])
    backup = copied(one, "backup")
    one.grow(9)
    cosign(one.files, one.note, WitnessIn(state.path), key=key)
    cosigner = Cosigner(LedgerFiles(backup.files.path), [(WitnessIn(state.path), key)])
    with caplog.at_level(logging.ERROR, "licet"):
        cosigner.offer()
        until(lambda: cosigner.problems)
    cosigner.close()
    assert any("a rollback" in record.getMessage() for record in caplog.records if record.levelno == logging.ERROR)


def test_a_forked_child_asks_for_itself(tmp_path: Path, one: Host):
    state = WitnessState(tmp_path / "witness")
    key = state.key().note_key
    state.learn([one.key])
    cosigner = Cosigner(one.files, [(WitnessIn(state.path), key)])
    cosigner.offer()
    until(lambda: cosigned_by(one, key))
    one.grow(8)
    child = os.fork()
    if not child:
        try:
            cosigner.offer()
            until(lambda: cosigned_by(one, key))
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    cosigner.close()


# The command ----------------------------------------------------------------------------------------------------------------------------

WRONG = {
    "a witness without logs": ["witness", "--state", "{state}"],
    "a key that is none": ["witness", "--state", "{state}", "--log", "rubbish"],
    "a witness's key for a log's": ["witness", "--state", "{state}", "--log", "{witness}"],
    "every without a source": ["witness", "--state", "{state}", "--log", "{log}", "--every", "5s"],
    "listen with a source": ["witness", "--state", "{state}", "--log", "{log}", "--listen", "127.0.0.1:0", "{ledger}"],
    "others without TLS": ["witness", "--state", "{state}", "--log", "{log}", "--listen", "0.0.0.0:0"],
    "a place that is none": ["witness", "--state", "{state}", "--log", "{log}", "--listen", "8471"],
    "a list of nothing": ["witness", "--state", "{state}/nowhere", "--list"],
    "a folder without witness": ["cosign", "--state", "{host}", "--witness", "{host}"],
    "a log's key for a witness's": ["cosign", "--state", "{host}", "--witness", "{state}", "--witness-key", "{log}"],
    "an address in the open": ["cosign", "--state", "{host}", "--witness", "http://witness.acme.example"],
    "no ledger": ["cosign", "--state", "{state}/nowhere", "--witness", "http://127.0.0.1:1"],
    "nobody there": ["cosign", "--state", "{host}", "--witness", "http://127.0.0.1:1"],
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_is_one_sentence_and_code_2(tmp_path: Path, one: Host, case: str):
    state = tmp_path / "witness"
    names = {
        "state": state, "log": one.key, "witness": WitnessState(state).key().note_key, "ledger": one.files.path, "host": one.folder,
    }  # fmt: skip
    ran = licet(*(word.format(**names) for word in WRONG[case]))
    assert (ran.returncode, ran.stdout, "Traceback" in ran.stderr) == (2, "", False)
    assert ran.stderr.startswith("licet: ")


def test_a_log_that_was_named_once_stays_known(tmp_path: Path, one: Host):
    state = tmp_path / "witness"
    assert licet("witness", "--state", state, "--log", one.key, one.files.path).returncode == 0
    assert licet("witness", "--state", state, one.files.path).returncode == 0
    assert (state / "logs").read_text(encoding="utf-8") == f"{one.key}\n"


def test_the_name_of_a_witness_is_chosen_when_its_key_is_made(tmp_path: Path):
    told = json.loads(licet("witness", "--state", tmp_path / "w", "--key", "--name", "witness.acme.example", "--json").stdout)
    assert told["name"] == "witness.acme.example"
    assert NoteKey.parse(told["key"]).type == b"\x04"
    assert licet("witness", "--state", tmp_path / "w", "--key").stdout == f"{told['key']}\n"
