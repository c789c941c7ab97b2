"""Tokens among real processes that share real files: one token is accepted once, and rotating the keys refuses nobody."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import Counter
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import pytest

from licet import Guard
from licet.errors import TokenRefused
from licet.manifest import loads
from licet.records import ToolCall
from licet.store import SqliteStore
from licet.testing import FakeClock, guard_for
from licet.tokens import KeyRing, KeySet, Proof, Verifier
from licet.tokens.algorithms import PublicKey

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

PROCESSES, ROUNDS = 16, 100
THREADS, CALLS, ROTATIONS = 4, 2_000, 3
ANNOUNCED, COPIED = 2.5, 0.5  # seconds: how long a key is published before it signs, and how old a verifier's copy of the set gets
AUDIENCE, URL = "https://mail.acme.example", "https://mail.acme.example/send"
SENT: dict[str, Any] = {"to": "ada@acme.example"}
MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work]}}
tools: {send: {access: write, egress: true, audience: "https://mail.acme.example", arguments: {to: {origin: [intent, trusted, nowhere]}}}}
tasks: {work: {intent: Work, ttl: 10m, tools: {send: {}}}}
checks: {origin.unanchored: {then: flag}}
"""
SPAWN = multiprocessing.get_context("spawn")


def shown(guard: Guard, task: Any) -> tuple[str, Proof]:
    """A token for a call, and the proof for its one request."""
    ticket = guard.begin(ToolCall("send", SENT), task=task)
    assert ticket.token, ticket.message
    return ticket.token, Proof(ticket.current().headers_for("POST", URL)["DPoP"], "POST", URL)


def verdict(verifier: Verifier, token: str, proof: Proof) -> str:
    """`ok`, or by which check and why it is refused."""
    try:
        verifier.verify(token, tool="send", arguments=SENT, proof=proof)
    except TokenRefused as refusal:
        return f"{refusal.check}: {refusal.why}"
    return "ok"


# One token, sixteen processes --------------------------------------------------------------------------------------------------


def present(line: Connection, barrier: Any, path: str, jwks: dict[str, Any], issuer: str, now: float, tokens: list[Any]) -> None:
    """One process: in each round, when all are there, present that round's token."""
    store = SqliteStore(path, busy_seconds=60)
    verifier = Verifier(jwks, issuer=issuer, audience=AUDIENCE, state=store, clock=FakeClock(now))
    out = []
    for token, proof in tokens:
        barrier.wait(120)
        out.append(verdict(verifier, token, proof))
    line.send(out)
    store.close()


def test_of_sixteen_processes_that_present_one_token_exactly_one_is_accepted(tmp_path: Path):
    """A hundred rounds, each with a token of its own, all processes at once. Each that was refused is a finding."""
    guard = guard_for(MANIFEST, tmp_path)
    barrier = SPAWN.Barrier(PROCESSES)
    with guard, guard.task("work", intent="Write to Ada", agent="bot", principal="user:grace") as task:
        tokens = [shown(guard, task) for _ in range(ROUNDS)]
        path = str(guard.state / "licet.db")
        running: list[tuple[Connection, SpawnProcess]] = []
        for _ in range(PROCESSES):
            here, there = SPAWN.Pipe(duplex=False)
            given = (there, barrier, path, guard.jwks(), guard.issuer, guard._clock.now(), tokens)
            running.append((here, SPAWN.Process(target=present, args=given)))
            running[-1][1].start()
            there.close()
        seen = [line.recv() for line, _ in running]
        for line, process in running:
            process.join(60)
            line.close()
        findings = Counter(found.check for found in guard._store.findings(task.id))
    for answers in zip(*seen, strict=True):
        assert Counter(answers) == {"ok": 1, "token.replay: the token was used before": PROCESSES - 1}
    assert len(seen[0]) == ROUNDS
    assert ROUNDS <= findings["token.replay"] <= 2 * ROUNDS  # one a minute for each token


# Rotation under load -----------------------------------------------------------------------------------------------------------


class Copied:
    """What a verifier elsewhere knows of the keys: a copy of the published set, never older than it is declared to be."""

    def __init__(self, folder: str) -> None:
        self._ring = KeyRing(folder, now=time.time())
        self._fetched, self._keys = float("-inf"), KeySet(())

    def find(self, kid: str | None, algorithm: str) -> PublicKey | None:
        """See `jws.Keys`."""
        if time.monotonic() - self._fetched > COPIED:
            self._fetched = time.monotonic()
            self._keys = KeySet.of({"keys": self._ring.published(time.time())})
        return self._keys.find(kid, algorithm)


def tools_side(lines: list[Connection], state: str, issuer: str) -> None:
    """The other process: verifies what comes, until all have hung up."""
    store = SqliteStore(f"{state}/licet.db", busy_seconds=60)
    verifier = Verifier(Copied(f"{state}/keys"), issuer=issuer, audience=AUDIENCE, state=store)
    while lines:
        for line in wait(lines):
            assert isinstance(line, Connection)
            try:
                given = line.recv()
            except EOFError:
                lines.remove(line)
                continue
            line.send(verdict(verifier, *given))
    store.close()


def test_no_call_is_refused_over_three_rotations(tmp_path: Path):
    """Two thousand calls of four threads, verified in another process, while a third rotates; real clocks, real files."""
    guard = Guard(loads(MANIFEST), state=tmp_path / "licet-state")
    pipes = [SPAWN.Pipe() for _ in range(THREADS)]
    side = SPAWN.Process(target=tools_side, args=([there for _, there in pipes], str(guard.state), guard.issuer))
    side.start()
    for _, there in pipes:
        there.close()
    signed: Counter[str] = Counter()
    refused: list[str] = []
    lock, over = threading.Lock(), threading.Event()

    def call(line: Connection, task: Any) -> None:
        while not over.is_set():
            ticket = guard.begin(ToolCall("send", SENT), task=task)
            if ticket.token is None:
                refused.append(ticket.message)
                return
            line.send((ticket.token, Proof(ticket.current().headers_for("POST", URL)["DPoP"], "POST", URL)))
            answer = line.recv()
            guard.end(ticket, result="ok")
            with lock:
                signed[str(ticket.token_fields["kid"])] += 1
                if answer != "ok":
                    refused.append(answer)
                    return

    with guard, guard.task("work", intent="Write to Ada", agent="bot", principal="user:grace") as task:
        threads = [threading.Thread(target=call, args=(here, task)) for here, _ in pipes]
        for thread in threads:
            thread.start()
        made = []
        for _ in range(ROTATIONS):
            process = SPAWN.Process(target=rotate, args=(str(guard.state / "keys"),))
            process.start()
            process.join(60)
            assert process.exitcode == 0
            made.append(KeyRing(guard.state / "keys", now=time.time()).keys()[-1].kid)
            _until(lambda: signed[made[-1]] > 0 or bool(refused))
        _until(lambda: signed.total() >= CALLS or bool(refused))
        over.set()
        for thread in threads:
            thread.join(60)
        name = guard.issuer
    for here, _ in pipes:
        here.close()
    side.join(60)
    assert refused == []
    assert signed.total() >= CALLS
    assert set(made) < set(signed)
    assert len(signed) == ROTATIONS + 1
    assert name.endswith(KeyRing(guard.state / "keys", now=time.time()).keys()[0].kid), "the issuer is who it was"


def rotate(folder: str) -> None:
    """The third process."""
    KeyRing(folder, now=time.time()).rotate(time.time(), wait=ANNOUNCED)


def _until(done: Any) -> None:
    for _ in range(12_000):
        if done():
            return
        time.sleep(0.01)
    raise TimeoutError("it did not come to that within two minutes")
