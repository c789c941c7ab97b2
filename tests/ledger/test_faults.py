"""What goes wrong with the disk under a ledger: a defined outcome for each, no tool without its intent on record, and nobody helps.

The disk is a real one wherever that can be had: a small file system in memory, mounted over the ledger's folder. `docs/bad-input.md`
has the outcomes as a table. Each is asked twice: what if the process goes on, and what if it is killed right there?
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import licet.clock
from licet import Denied, Guard
from licet.errors import LedgerError
from licet.guard.ticket import running_ticket
from licet.ledger import LedgerFiles, LedgerKey, sealer
from licet.ledger.check.verify import verify
from licet.manifest import loads

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

MANIFEST = """
licet: 1
environment: test
ledger: {checkpoint_every: 60s, flush_every: 1s}
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work]}}
tools:
  count: {access: write, egress: true, durable: none}
  count_on_disk: {access: write, egress: true, durable: write}
tasks:
  work: {intent: Count, ttl: 1h, tools: {count: {}, count_on_disk: {}}}
"""
PARSED = loads(MANIFEST)
PAGE_SIZE = 4096
PAGE = Path(__file__).parents[2] / "docs" / "bad-input.md"


class Place:
    """A state folder, and the effects of its tool, which stand elsewhere."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state, self.effects = folder, folder / "state", folder / "effects"
        self.ledger, self.keys = self.state / "ledger", self.state / "keys"
        for each in (self.state, self.ledger, self.keys):
            each.mkdir(mode=0o700, exist_ok=True)

    def guard(self) -> Caller:
        return Caller(self)

    def ran(self) -> list[str]:
        """The ids of the calls whose tool ran, in its own words."""
        return self.effects.read_text().split() if self.effects.exists() else []

    def records(self) -> list[dict[str, Any]]:
        import json

        return [json.loads(line) for line in LedgerFiles(self.ledger).records()]

    def check(self, *, effects: int) -> None:
        """So many effects, each with its intent; each intent with one outcome; and the ledger verifies, all of it signed."""
        ran, records = self.ran(), self.records()
        assert len(ran) == effects
        intents = [record["call"] for record in records if record["kind"] == "call.intent"]
        outcomes = [record["call"] for record in records if record["kind"] == "call.outcome"]
        assert set(ran) <= set(intents)
        assert sorted(intents) == sorted(outcomes)
        key = LedgerKey.of(self.keys, create=False)
        found = verify(self.ledger, [key.note_key], head=key.last())
        assert found.faults == ()
        assert found.signed == found.records == len(records)

    def statuses(self) -> list[str]:
        return [record["status"] for record in self.records() if record["kind"] == "call.outcome"]


class Caller:
    """A real guard on a place, in a task."""

    def __init__(self, place: Place) -> None:
        self.guard = Guard(PARSED, state=place.state)
        self.meanwhile: Callable[[], None] = lambda: None
        self._number = 0

        def count(n: int) -> int:
            ticket = running_ticket.get()
            with place.effects.open("a") as file:
                file.write(f"{ticket.id if ticket else 'none'}\n")
            self.meanwhile()
            return n

        def count_on_disk(n: int) -> int:
            return count(n)

        self._tools = {"count": self.guard.tool(count), "count_on_disk": self.guard.tool(count_on_disk)}
        self.task = self.guard.task("work", intent="Count", agent="bot", principal="user:ada")

    def call(self, tool: str = "count") -> str:
        """What the model is told: the result, or why not."""
        self._number += 1
        if not self._inside():
            return "no task"
        try:
            return str(self._tools[tool](self._number))
        except Denied as denied:
            return str(denied)

    def _inside(self) -> bool:
        if self.task is not None and not getattr(self, "_entered", False):
            try:
                self.task.__enter__()
            except LedgerError:
                return False
            self._entered = True
        return True

    def many(self, most: int = 200) -> str:
        """Call until one is refused; what the model was told."""
        for _ in range(most):
            if not (told := self.call()).isdigit():
                return told
        raise AssertionError("nothing was refused")

    def close(self) -> None:
        if getattr(self, "_entered", False):
            self.task.__exit__(None, None, None)
        self.guard.close()


REFUSED = "the ledger cannot be written"


def died(run: Callable[[], object]) -> None:
    """Run it in a child that is killed right after it."""
    child = os.fork()
    if child == 0:
        try:
            run()
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            import traceback

            traceback.print_exc()
            os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


def test_the_page_names_tests_that_exist_and_every_test_here():
    told = PAGE.read_text(encoding="utf-8").partition("\n## The disk under the ledger")[2]
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", told))
    there = {name for file in Path(__file__).parents[1].rglob("test_*.py") for name in re.findall(r"def (test_\w+)", file.read_text())}
    assert named <= there
    here = {name for name in globals() if name.startswith("test_")}
    assert here - named == {
        "test_the_page_names_tests_that_exist_and_every_test_here", "test_all_of_it_where_only_a_namespace_may_mount",
    }  # fmt: skip


# A small disk --------------------------------------------------------------------------------------------------------------


def _may_mount() -> bool:
    return os.geteuid() == 0 and shutil.which("mount") is not None and _mounts()


def _mounts() -> bool:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, check=False)
        if done.returncode == 0:
            subprocess.run(["umount", folder], check=True)
        return done.returncode == 0


MAY_MOUNT = _may_mount()


class Disk:
    """A small file system in memory, in a folder's place."""

    def __init__(self, folder: Path, size: str) -> None:
        self.folder, self.filler = folder, folder / "filler"
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)], check=True)

    def fill(self, *, but: int = 0) -> None:
        """Take all room but so many bytes."""
        room = os.statvfs(self.folder)
        with self.filler.open("ab") as file:
            os.posix_fallocate(file.fileno(), file.tell(), max(1, room.f_bavail * room.f_bsize - but))

    def give(self, size: int) -> None:
        """So much more room."""
        os.truncate(self.filler, self.filler.stat().st_size - size)

    def empty(self) -> None:
        self.filler.unlink()

    def remount(self, how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(self.folder)], check=True)

    def unmount(self) -> None:
        subprocess.run(["umount", "-l", str(self.folder)], check=True)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def disk(place: Place) -> Iterator[Disk]:
    if not MAY_MOUNT:
        pytest.skip("a file system may not be mounted here; `test_all_of_it_where_only_a_namespace_may_mount` does it in one")
    made = Disk(place.ledger, "4m")
    yield made
    made.unmount()


@pytest.mark.skipif(MAY_MOUNT, reason="file systems may be mounted here, and the tests above do")
def test_all_of_it_where_only_a_namespace_may_mount():
    if subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("neither this user nor a user namespace may mount a file system")
    done = subprocess.run(["unshare", "-Urm", sys.executable, "-m", "pytest", "-q", __file__], check=False)
    assert done.returncode == 0


def test_a_full_disk_refuses_calls_until_there_is_room(place: Place, disk: Disk, monkeypatch: pytest.MonkeyPatch):
    """The last record does not fit: what was written of it is taken back. What was refused is on record as soon as there is room."""
    caller, taken_back, real = place.guard(), [], os.ftruncate
    monkeypatch.setattr(os, "ftruncate", lambda file, size: (taken_back.append(os.fstat(file).st_size - size), real(file, size)))
    assert caller.call() == "1"
    disk.fill()
    assert REFUSED in caller.many()
    ran = len(place.ran())
    assert (REFUSED in caller.call(), len(place.ran())) == (True, ran)
    assert taken_back[0] > 0, "a part of the record was written"
    assert all(line.endswith(b"}") for line in LedgerFiles(place.ledger).records())
    disk.empty()
    assert caller.call().isdigit()
    caller.close()
    assert sum(record["kind"] == "call.denied" for record in place.records()) == 2
    place.check(effects=ran + 1)


def test_a_process_that_dies_on_a_full_disk_leaves_nothing_to_mend(place: Place, disk: Disk):
    def until_full() -> None:
        caller = place.guard()
        caller.call()
        disk.fill()
        assert REFUSED in caller.many()

    died(until_full)
    ran = len(place.ran())
    full = place.guard()  # it starts, and refuses
    assert not full.call().isdigit()
    assert len(place.ran()) == ran
    disk.empty()
    full.close()
    caller = place.guard()
    assert caller.call().isdigit()
    caller.close()
    place.check(effects=ran + 1)


@pytest.mark.parametrize("killed", [False, True], ids=["goes on", "killed"])
def test_a_disk_that_is_full_when_the_tool_is_done_has_the_outcome_later(place: Place, disk: Disk, killed: bool):
    """The result reaches the agent. No call begins before the outcome is written; who died meanwhile has `unknown`."""

    def fills() -> Caller:
        caller = place.guard()
        caller.call()
        caller.meanwhile = lambda: None if disk.filler.exists() else disk.fill()
        said = caller.many()
        caller.meanwhile = lambda: None
        assert REFUSED in said
        return caller

    if killed:
        died(fills)
        disk.empty()
        caller = place.guard()
    else:
        caller = fills()
        ran = len(place.ran())
        assert not caller.call().isdigit()
        assert len(place.ran()) == ran
        disk.empty()
    ran = len(place.ran())
    assert caller.call().isdigit()
    caller.close()
    place.check(effects=ran + 1)


@pytest.mark.parametrize("killed", [False, True], ids=["goes on", "killed"])
def test_a_disk_that_is_full_in_the_middle_of_sealing(place: Place, disk: Disk, killed: bool):
    """Page for page, and so at each file of tiles and bundles. Records stay unsigned until there is room, and nothing else happens."""
    caller = place.guard()
    for _ in range(100):
        caller.call()
    signed = caller.guard._ledger.seal()
    for _ in range(60):
        caller.call()
    if killed:
        caller.guard._ledger.renew()  # let go without sealing, as a death would
    before, left = _files(place.ledger), set()
    disk.fill()
    while not _sealed(place, caller, killed=killed):
        written = frozenset(_files(place.ledger) - before)
        left.add(written)
        assert LedgerFiles(place.ledger).checkpoint() == signed
        disk.give(PAGE_SIZE if "tile/entries/000" in written else 8 * PAGE_SIZE)
    assert len(left) >= 3, "it failed at one file after the other"
    disk.empty()
    assert caller.call().isdigit()
    caller.close()
    place.guard().close()  # settles who let go
    place.check(effects=161)


@pytest.mark.parametrize("killed", [False, True], ids=["goes on", "killed"])
def test_a_disk_that_is_full_when_the_checkpoint_is_written(place: Place, disk: Disk, monkeypatch: pytest.MonkeyPatch, killed: bool):
    """The disk fills up when all tiles stand: those of the new tree stand beside the old checkpoint, and are made again."""
    real = sealer.signed

    def full(*args: Any) -> str:
        disk.fill()
        return real(*args)

    def seal() -> Caller:
        caller = place.guard()
        caller.call()
        signed = caller.guard._ledger.seal()
        caller.call()
        monkeypatch.setattr(sealer, "signed", full)
        with pytest.raises(LedgerError, match="No space left"):
            caller.guard._ledger.seal()
        monkeypatch.setattr(sealer, "signed", real)
        assert LedgerFiles(place.ledger).checkpoint() == signed
        return caller

    if killed:
        died(seal)
        disk.empty()
        caller = place.guard()
    else:
        caller = seal()
        disk.empty()
    assert caller.call().isdigit()
    caller.close()
    place.check(effects=3)


def _files(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file() and not file.name.startswith(".")}


def _sealed(place: Place, caller: Caller, *, killed: bool) -> bool:
    """Whether sealing was possible: by this guard, or by one that is killed right after it."""

    def seal() -> bool:
        ledger = Guard(PARSED, state=place.state)._ledger if killed else caller.guard._ledger
        try:
            ledger.seal()
        except LedgerError as error:
            assert "No space left" in str(error)  # noqa: PT017 - there may be none
            return False
        return True

    if not killed:
        return seal()
    read, write = os.pipe()
    died(lambda: os.write(write, b"1" if seal() else b"0"))
    return os.read(read, 1) == b"1"


@pytest.mark.parametrize("killed", [False, True], ids=["goes on", "killed"])
def test_a_disk_that_is_full_where_the_last_signature_is_kept(place: Place, killed: bool):
    """The checkpoint stands, and the signer does not know of it: it goes on from the checkpoint, which is its own."""
    if not MAY_MOUNT:
        pytest.skip("a file system may not be mounted here")
    disk = Disk(place.keys, "64k")

    def seal() -> Caller:
        caller = place.guard()
        caller.call()
        caller.guard._ledger.seal()
        caller.call()
        disk.fill()
        with pytest.raises(LedgerError, match="No space left"):
            caller.guard._ledger.seal()
        assert caller.call() == "3"
        return caller

    try:
        if killed:
            died(seal)
            disk.empty()
            caller = place.guard()
        else:
            caller = seal()
            disk.empty()
        assert caller.call().isdigit()
        caller.close()
        place.check(effects=4)
    finally:
        disk.unmount()


def test_a_disk_that_can_only_be_read_refuses_calls_until_it_can_be_written(place: Place, disk: Disk):
    """A system does not make one read-only under files that are open to be written: this guard has let go of its own, and one starts."""
    caller = place.guard()
    assert caller.call() == "1"
    caller.guard._ledger.close()
    disk.remount("ro")
    started = place.guard()
    for each in (caller, started, caller):
        told = each.call()
        assert REFUSED in told or told == "no task"
    assert len(place.ran()) == 1
    disk.remount("rw")
    assert caller.call().isdigit()
    assert started.call().isdigit()
    caller.close()
    started.close()
    place.check(effects=3)


# Without a disk of its own ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("killed", [False, True], ids=["goes on", "killed"])
def test_a_limit_in_the_middle_of_a_record(place: Place, killed: bool):
    """A quota, as every user has one (RLIMIT_FSIZE): at whatever byte it cuts, the call is refused, and the half record never was."""
    first = place.guard()
    first.call()
    first.close()
    size = next((place.ledger / "live").iterdir()).stat().st_size

    def within(limit: int) -> None:
        caller = place.guard()
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        told = caller.call()
        assert REFUSED in told or told == "no task"
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        if killed:
            os.kill(os.getpid(), signal.SIGKILL)
        assert caller.call().isdigit()
        caller.close()
        os.kill(os.getpid(), signal.SIGKILL)

    ran = 1
    for more in (0, 1, 17, 300):
        limit = size + more
        died(lambda limit=limit: within(limit))
        ran += not killed
        caller = place.guard()
        assert caller.call().isdigit()
        caller.close()
        ran += 1
        place.check(effects=ran)
        size = next((place.ledger / "live").iterdir()).stat().st_size


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, and that only root may; other users do it below")
@pytest.mark.parametrize("killed", [False, True], ids=["goes on", "killed"])
def test_rights_that_are_taken_away_refuse_calls_until_they_are_given_back(tmp_path: Path, killed: bool):
    """Of root nothing can be taken away: this runs as nobody. A folder that cannot be looked into is written to no more."""
    import tempfile

    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o700)
    os.chown(folder, 65534, 65534)

    def as_nobody() -> None:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        place = Place(folder)
        caller = place.guard()
        assert caller.call() == "1"
        place.ledger.chmod(0)
        started = place.guard()
        for each in (caller, started, caller):
            told = each.call()
            assert REFUSED in told or told == "no task"
        assert len(place.ran()) == 1
        place.ledger.chmod(0o700)
        if killed:
            return
        assert caller.call().isdigit()
        assert started.call().isdigit()
        caller.close()
        started.close()
        place.check(effects=3)

    died(as_nobody)
    if killed:

        def again() -> None:
            os.setgid(65534)
            os.setuid(65534)
            place = Place(folder)
            caller = place.guard()
            assert caller.call() == "1"
            caller.close()
            place.check(effects=2)

        died(again)
    shutil.rmtree(folder)


def test_a_ledger_that_is_removed_while_it_is_written_to_refuses_calls_for_good(place: Place):
    """A new one in its place would look as if nothing had ever been recorded. The next start refuses too, and says what to do."""
    caller = place.guard()
    assert caller.call() == "1"
    caller.guard._ledger.seal()
    shutil.rmtree(place.ledger)
    assert REFUSED in caller.call()
    started = place.guard()
    assert not started.call().isdigit()
    assert len(place.ran()) == 1
    with pytest.raises(LedgerError, match="is gone, and was written to before; put it back"):
        started.guard._ledger.ready()
    caller.close()
    started.close()
    assert not place.ledger.exists()


@pytest.mark.parametrize("killed", [False, True], ids=["goes on", "killed"])
def test_a_disk_that_fails_to_write_back_refuses_every_later_call_until_the_next_start(
    place: Place, monkeypatch: pytest.MonkeyPatch, killed: bool
):
    """Fault injection, as no disk here can be told to fail: one fdatasync fails. What the system then did with the pages is not known."""
    real = os.fdatasync

    def fails(_descriptor: int) -> None:
        monkeypatch.setattr(os, "fdatasync", real)
        raise OSError(5, "Input/output error")

    def run() -> Caller:
        caller = place.guard()
        assert caller.call() == "1"
        monkeypatch.setattr(os, "fdatasync", fails)
        assert REFUSED in caller.call("count_on_disk")
        for _ in range(2):
            assert REFUSED in caller.call()
        return caller

    if killed:
        died(run)
    else:
        run().close()
    caller = place.guard()
    assert caller.call("count_on_disk").isdigit()
    caller.close()
    assert "unknown" in place.statuses(), "the call that was refused for the disk had its intent written: whether it stood was not known"
    place.check(effects=2)


def test_a_clock_that_steps_back_changes_no_order(place: Place, monkeypatch: pytest.MonkeyPatch):
    """In a process recorded times stand still; a process that starts later may be earlier. The order is that of the numbers."""
    wall = [1_800_000_000.0]
    monkeypatch.setattr(licet.clock, "_wall", lambda: wall[0])
    caller = place.guard()
    assert caller.call() == "1"
    wall[0] -= 3600
    assert caller.call() == "2"
    caller.close()
    times = [record["time"] for record in place.records()]
    assert times == sorted(times)
    started = place.guard()
    assert started.call() == "1"
    started.close()
    records = place.records()
    assert records[-1]["time"] < times[-1]
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    place.check(effects=3)


def test_a_last_line_that_is_torn_does_not_count_and_the_next_start_says_so(place: Place):
    """With a real guard; at every byte it is `test_a_last_line_torn_at_any_byte_never_counted_and_a_record_says_so`."""

    def torn() -> None:
        caller = place.guard()
        caller.call()
        live = next((place.ledger / "live").iterdir())
        with live.open("ab") as file:
            file.write(live.read_bytes().splitlines()[-1][:100])

    died(torn)
    caller = place.guard()
    assert caller.call() == "1"
    caller.close()
    assert [record["kind"] for record in place.records()].count("ledger.repaired") == 1
    place.check(effects=2)


def test_many_threads_on_a_disk_that_fills_up_run_nothing_without_an_intent(place: Place, disk: Disk):
    caller = place.guard()
    caller.call()
    disk.fill(but=2 * PAGE_SIZE)
    threads = [threading.Thread(target=caller.many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ran = len(place.ran())
    disk.empty()
    assert caller.call().isdigit()
    caller.close()
    place.check(effects=ran + 1)
