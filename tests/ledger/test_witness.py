"""A witness cosigns what continues and refuses forks and rollbacks, whoever asks, however often, and whenever it dies."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from licet.errors import LedgerError, StateError, UsageError
from licet.ledger.cosigning.cosignature import WitnessKey, with_lines
from licet.ledger.cosigning.state import MOST_REFUSALS, WitnessState, log_keys
from licet.ledger.cosigning.submission import MAX_SUBMISSION, Submission, SubmissionError
from licet.ledger.cosigning.witness import Refused, Witness, seen
from licet.ledger.merkle import EMPTY, consistency_proof, leaf_hash, root_of
from licet.ledger.note import Checkpoint, cosigned, opened, parts, signed
from licet.ledger.signer import LedgerKey
from witnessing import clock

LOG = LedgerKey(Ed25519PrivateKey.generate(), "nowhere", "acme.example/log")
WITNESS = WitnessKey(Ed25519PrivateKey.generate(), "witness.example/w1")
LEAVES = [leaf_hash(bytes([at])) for at in range(32)]
OTHERS = [*LEAVES[:6], *(leaf_hash(b"other" + bytes([at])) for at in range(6, 32))]  # a fork after six records


def root(size: int, leaves: list[bytes] = LEAVES) -> bytes:
    return root_of(leaves[:size])


def note(size: int, leaves: list[bytes] = LEAVES, key: LedgerKey = LOG, top: bytes | None = None) -> str:
    return signed(Checkpoint(key.name, size, top if top is not None else root(size, leaves)).text(), [key])


def asking(old: int, size: int, leaves: list[bytes] = LEAVES) -> Submission:
    proof = consistency_proof(old, size, lambda low, high: root_of(leaves[low:high])) if 0 < old <= size else []
    return Submission(old, proof, note(size, leaves))


@pytest.fixture
def state(tmp_path: Path) -> WitnessState:
    return WitnessState(tmp_path / "witness")


@pytest.fixture
def witness(state: WitnessState) -> Witness:
    return Witness(WITNESS, [LOG.note_key], state, clock())


def holds(line: str, of: str) -> None:
    """The line is the witness's, over this note."""
    assert opened(with_lines(of, [line]), [LOG.note_key, WITNESS.note_key]).cosigned


# The rules ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(0, 1), (1, 2, 3), (4, 4), (5, 8, 16, 17), (7, 32), (6, 7, 31)])
def test_what_continues_is_cosigned(witness: Witness, sizes: tuple[int, ...]):
    old = 0
    for size in sizes:
        holds(witness.add(asking(old, size)), note(size))
        old = size
    assert witness.known(LOG.name) == sizes[-1]


STRANGER = LedgerKey(Ed25519PrivateKey.generate(), "nowhere", "acme.example/other")
PRETENDER = LedgerKey(Ed25519PrivateKey.generate(), "nowhere", "acme.example/log")


def spoilt(whole: str) -> str:
    """A note whose signature is the log's by name and id, and does not hold."""
    head, _, line = whole.rstrip("\n").rpartition(" ")
    told = bytearray(base64.b64decode(line))
    told[-1] ^= 1
    return f"{head} {base64.b64encode(bytes(told)).decode()}\n"


REFUSED = {
    "a log that is not known": ("unknown-log", 404, Submission(0, (), note(12, key=STRANGER))),
    "another key under the log's name": ("signature", 403, Submission(0, (), note(12, key=PRETENDER))),
    "a signature that does not hold": ("signature", 403, Submission(10, asking(10, 12).proof, spoilt(note(12)))),
    "more before than there is": ("malformed", 400, Submission(13, (), note(12))),
    "another size before": ("conflict", 409, asking(9, 12)),
    "no size before": ("conflict", 409, asking(0, 12)),
    "an older checkpoint": ("rollback", 409, asking(8, 9)),
    "an older checkpoint after the newer": ("rollback", 400, Submission(10, (), note(9))),
    "the beginning of another": ("rollback", 409, asking(0, 5)),
    "the same size with another root": ("fork", 409, Submission(10, (), note(10, OTHERS))),
    "the same size with another root, from elsewhere": ("fork", 409, asking(3, 10, OTHERS)),
    "a fork with its own proof": ("fork", 422, asking(10, 12, OTHERS)),
    "a fork with the other's proof": ("proof", 422, Submission(10, asking(10, 12).proof, note(12, OTHERS))),
    "no proof": ("proof", 422, Submission(10, (), note(12))),
    "half a proof": ("proof", 422, Submission(10, asking(10, 12).proof[:-1], note(12))),
    "too long a proof": ("proof", 422, Submission(10, [*asking(10, 12).proof, bytes(32)], note(12))),
    "a proof where none is needed": ("proof", 422, Submission(10, [bytes(32)], note(10))),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_continue_is_refused_by_name_and_nothing_is_remembered(witness: Witness, state: WitnessState, case: str):
    kind, status, submission = REFUSED[case]
    witness.add(asking(0, 10))
    before = state.last(LOG.name)
    with pytest.raises(Refused) as refused:
        witness.add(submission)
    assert (refused.value.kind, refused.value.status) == (kind, status)
    assert state.last(LOG.name) == before
    if status == 409:
        assert refused.value.known == 10


def test_the_first_of_a_log_needs_no_proof_and_takes_none(witness: Witness):
    with pytest.raises(Refused, match="nothing comes before") as refused:
        witness.add(Submission(0, [bytes(32)], note(12)))
    assert refused.value.status == 422
    with pytest.raises(Refused) as refused:
        witness.add(asking(3, 12))
    assert (refused.value.status, refused.value.known) == (409, 0)


def test_no_records_have_the_root_of_none(witness: Witness):
    with pytest.raises(Refused) as refused:
        witness.add(Submission(0, (), note(0, top=bytes(32))))
    assert refused.value.status == 422
    holds(witness.add(Submission(0, (), note(0, top=EMPTY))), note(0, top=EMPTY))


def test_a_fork_at_a_power_of_two_is_named_where_the_proof_is_our_own(witness: Witness):
    """Such a proof does not hold the first root, so that from a stranger it could be any."""
    witness.add(asking(0, 8))
    with pytest.raises(Refused, match="a fork, or a wrong proof"):
        witness.add(asking(8, 12, OTHERS))
    with pytest.raises(Refused, match="not its first: a fork") as refused:
        witness.add(asking(8, 12, OTHERS), own_proof=True)
    assert refused.value.kind == "fork"


def test_a_log_may_have_two_keys(state: WitnessState):
    both = Witness(WITNESS, [LOG.note_key, PRETENDER.note_key], state, clock())
    both.add(asking(0, 10))
    later = Submission(10, asking(10, 12).proof, note(12, key=PRETENDER))
    assert both.add(later)


def test_what_is_remembered_has_the_logs_lines_and_ours_and_no_other(witness: Witness, state: WitnessState):
    stranger = WitnessKey(Ed25519PrivateKey.generate(), "witness.example/w2")
    witness.add(Submission(0, (), with_lines(note(10), [cosigned(parts(note(10))[0], stranger, 1)])))
    kept = opened(state.last(LOG.name) or "", [LOG.note_key, WITNESS.note_key])
    assert (kept.by, [each.key for each in kept.cosigned], kept.others) == ((LOG.note_key,), [WITNESS.note_key], ())


def test_a_clock_that_steps_back_does_not_make_a_later_statement_earlier(state: WitnessState):
    Witness(WITNESS, [LOG.note_key], state, clock(2_000)).add(asking(0, 10))
    line = Witness(WITNESS, [LOG.note_key], state, clock(1_000)).add(asking(10, 12))
    [made] = opened(with_lines(note(12), [line]), [WITNESS.note_key]).cosigned
    assert made.time == 2_000


# What is refused stands in the state ----------------------------------------------------------------------------------------------------


def refuse(witness: Witness, submission: Submission) -> None:
    with pytest.raises(Refused):
        witness.add(submission)


def test_what_the_log_signed_and_was_refused_is_kept_as_evidence_once(witness: Witness, state: WitnessState):
    witness.add(asking(0, 10))
    for _ in range(3):
        refuse(witness, asking(10, 12, OTHERS))
    refuse(witness, asking(0, 9))
    [log] = seen(state, WITNESS.note_key, [LOG.note_key])
    assert log.refused == {"fork": 1, "rollback": 1}
    assert opened(log.refusals[0].note, [LOG.note_key]).by  # who has this has both, signed
    assert (log.size, log.refusals[0].size, log.refusals[0].known) == (10, 12, 10)


def test_strangers_fill_neither_the_disk_nor_the_evidence(witness: Witness, state: WitnessState):
    file = state.path / "refused.jsonl"
    refuse(witness, Submission(0, (), note(12, key=STRANGER)))
    line = file.read_text(encoding="utf-8")
    file.write_text("".join(line.replace('"size": 12', f'"size": {1_000 + at}') for at in range(MOST_REFUSALS)), encoding="utf-8")
    refuse(witness, Submission(0, (), note(13, key=STRANGER)))
    assert len(state.refusals()) == MOST_REFUSALS + 1  # the first, and the last
    refuse(witness, asking(13, 12))
    witness.add(asking(0, 10))
    refuse(witness, asking(10, 12, OTHERS))
    assert [log.refused for log in seen(state, WITNESS.note_key, [LOG.note_key])] == [{"fork": 1}]


def test_old_checkpoints_that_anybody_sends_again_are_counted_and_are_no_evidence(witness: Witness, state: WitnessState):
    """They are public: whoever replays them must not fill the room of what proves something, nor have a file written anew each time."""
    witness.add(asking(0, 31))
    refuse(witness, asking(0, 1))
    [file] = (state.path / "seen").glob("*.refused.jsonl")
    before = file.stat().st_ino, file.read_bytes()
    for size in range(2, 31):
        refuse(witness, asking(0, size))
    assert (file.stat().st_ino, file.read_bytes()) == before
    [log] = seen(state, WITNESS.note_key, [LOG.note_key])
    assert log.refused == {"rollback": 30}
    assert [each.size for each in log.refusals] == [1, 30]  # the first, and the last
    refuse(witness, asking(31, 31, OTHERS))
    [log] = seen(WitnessState(state.path), WITNESS.note_key, [LOG.note_key])
    assert log.refused == {"rollback": 30, "fork": 1}
    assert file.stat().st_ino == before[0]  # it was appended to


def test_no_other_refusals_crowd_out_a_fork_and_the_first_and_the_last_of_each_kind_are_kept(witness: Witness, state: WitnessState):
    witness.add(asking(0, 10))
    refuse(witness, Submission(10, (), note(12)))  # as a stranger can, who has a checkpoint of the log
    [file] = (state.path / "seen").glob("*.refused.jsonl")
    line = file.read_text(encoding="utf-8")
    file.write_text("".join(line.replace('"size": 12', f'"size": {1_000 + at}') for at in range(MOST_REFUSALS)), encoding="utf-8")
    refuse(witness, Submission(10, (), note(13)))
    refuse(witness, Submission(10, (), note(14)))
    refuse(witness, asking(10, 12, OTHERS))
    [log] = seen(state, WITNESS.note_key, [LOG.note_key])
    assert log.refused == {"proof": MOST_REFUSALS + 2, "fork": 1}
    assert [each.size for each in log.refusals if each.kind == "proof"][:1] == [1_000]
    assert [(each.kind, each.size) for each in log.refusals[-2:]] == [("fork", 12), ("proof", 14)]


def test_a_count_that_a_crash_took_begins_anew(witness: Witness, state: WitnessState):
    witness.add(asking(0, 10))
    for size in (7, 8, 9):
        refuse(witness, asking(0, size))
    [file] = (state.path / "seen").glob("*.refused.json")
    file.write_text('{"rollback": ["', encoding="utf-8")
    refuse(witness, asking(0, 6))
    assert seen(state, WITNESS.note_key, [LOG.note_key])[0].refused == {"rollback": 2}


def test_half_a_line_of_refusals_hides_no_other(witness: Witness, state: WitnessState):
    witness.add(asking(0, 10))
    refuse(witness, asking(10, 12, OTHERS))
    [file] = (state.path / "seen").glob("*.refused.jsonl")
    file.write_bytes(file.read_bytes() + b'{"time": "20')
    refuse(witness, asking(0, 9))
    assert [each.kind for each in seen(state, WITNESS.note_key, [LOG.note_key])[0].refusals] == ["fork", "rollback"]


# The state ------------------------------------------------------------------------------------------------------------------------------


def test_the_state_is_ours_alone(witness: Witness, state: WitnessState):
    witness.add(asking(0, 10))
    for folder, _, files in os.walk(state.path):
        assert Path(folder).stat().st_mode & 0o777 == 0o700
        assert all((Path(folder) / name).stat().st_mode & 0o777 == 0o600 for name in files)
    state.path.chmod(0o755)
    with pytest.raises(StateError, match="chmod 700"):
        WitnessState(state.path)


@pytest.mark.parametrize("what", ["nonsense", "another's cosignature", "another log", "no cosignature"])
def test_a_memory_that_is_not_our_own_stops_it(witness: Witness, state: WitnessState, what: str):
    other = WitnessKey(Ed25519PrivateKey.generate(), "witness.example/w1")
    text = parts(note(10))[0]
    elsewhere = note(10, key=STRANGER)
    written = {
        "nonsense": "nonsense",
        "another's cosignature": with_lines(note(10), [cosigned(text, other, 1)]),
        "another log": with_lines(elsewhere, [cosigned(parts(elsewhere)[0], WITNESS, 1)]),
        "no cosignature": note(10),
    }[what]
    witness.add(asking(0, 12))
    state.keep(LOG.name, written)
    with pytest.raises(LedgerError, match="put it back"):
        witness.add(asking(10, 16))
    assert state.last(LOG.name) == written


DYING = """\
import os, sys
from pathlib import Path
from licet.clock import SystemClock
from licet.ledger.cosigning.submission import Submission
from licet.ledger.cosigning.witness import Witness
from licet.ledger.cosigning.state import WitnessState

class Dying(WitnessState):
    def keep(self, origin, note):
        if sys.argv[2] == "before":
            os.kill(os.getpid(), 9)
        super().keep(origin, note)
        if sys.argv[2] == "after":
            os.kill(os.getpid(), 9)

if sys.argv[2] == "full":  # what a full disk does to a write
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
state = Dying(sys.argv[1])
print(Witness(state.key(), state.logs(), state, SystemClock()).answer(sys.stdin.buffer.read()))
"""


@pytest.mark.parametrize("moment,size", [("before", 10), ("after", 12), ("full", 10), ("never", 12)])
def test_no_cosignature_leaves_before_it_is_remembered_whenever_the_witness_dies(tmp_path: Path, moment: str, size: int):
    state = WitnessState(tmp_path / "witness")
    key = state.key()
    state.learn([LOG.note_key])
    Witness(key, [LOG.note_key], state, clock()).add(asking(0, 10))
    ran = subprocess.run(
        [sys.executable, "-c", DYING, state.path, moment],
        input=asking(10, 12).text().encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    again = Witness(key, [LOG.note_key], state, clock())
    assert again.known(LOG.name) == size
    assert bool(ran.stdout) == (moment == "never")
    assert ran.returncode == {"full": 1, "never": 0}.get(moment, -signal.SIGKILL)
    assert moment != "full" or b"LedgerError" in ran.stderr
    # Whoever asks again, from where it stands, is answered; a fork is not.
    refuse(again, asking(size, 13, OTHERS))
    assert again.add(asking(size, 12))


def test_requests_at_once_from_threads_never_make_it_go_back_or_sign_both_sides_of_a_fork(tmp_path: Path):
    state = WitnessState(tmp_path / "witness")
    two = [Witness(WITNESS, [LOG.note_key], WitnessState(state.path), clock()) for _ in range(2)]  # as two processes would
    two[0].add(asking(0, 6))

    def ask(at: int) -> tuple[int, list[bytes]] | None:
        leaves, size = (LEAVES, OTHERS)[at % 2], 7 + at % 13
        for old in range(6, size + 1):
            try:
                two[at % 3 % 2].add(asking(old, size, leaves))
            except Refused:
                continue
            return size, leaves
        return None

    with ThreadPoolExecutor(8) as threads:
        answered = [found for found in threads.map(ask, range(52)) if found]
    assert answered
    assert len({id(leaves) for _, leaves in answered}) == 1, "both sides of the fork were cosigned"
    assert two[0].known(LOG.name) == max(size for size, _ in answered)


# The form of a request ------------------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=400))
def test_no_bytes_whatever_do_more_than_fail(body: bytes):
    for form in (body, b"old 0\n\n" + body, b"old 1\n" + body + b"\n\n" + note(3).encode(), asking(3, 7).text().encode() + body):
        try:
            Submission.parse(form)
        except SubmissionError:
            continue


@given(st.integers(0, 31), st.integers(0, 31), st.integers(0, 2_000), st.binary(min_size=1, max_size=3))
def test_a_request_is_read_as_it_was_written_and_has_one_form_only(old: int, more: int, at: int, put: bytes):
    size = min(31, old + more)
    body = asking(old, size).text().encode()
    assert Submission.parse(body).text().encode() == body
    changed = body[: at % len(body)] + put + body[at % len(body) + len(put) :]
    try:
        found = Submission.parse(changed)
    except SubmissionError:
        return
    assert found.text().encode() == changed


MALFORMED = {
    "nothing": b"",
    "no empty line": b"old 0\n" + note(3).replace("\n\n", "\n").encode(),
    "no old": b"\n\n" + note(3).encode(),
    "a leading zero": b"old 01\n\n" + note(3).encode(),
    "a sign": b"old +1\n\n" + note(3).encode(),
    "another digit": "old \u0661\n\n".encode() + note(3).encode(),
    "too large a size": b"old 10000000000000000000\n\n" + note(3).encode(),
    "a short hash": b"old 1\nAAAA\n\n" + note(3).encode(),
    "a hash in another form": b"old 1\n" + b"A" * 42 + b"B=\n\n" + note(3).encode(),
    "no base64": b"old 1\n!\n\n" + note(3).encode(),
    "carriage returns": b"old 0\r\n\r\n" + note(3).encode(),
    "64 hashes": b"old 1\n" + (base64.b64encode(bytes(32)) + b"\n") * 64 + b"\n" + note(3).encode(),
    "no signature": b"old 0\n\n" + parts(note(3))[0].encode() + b"\n",
    "an extension": b"old 0\n\n" + signed(parts(note(3))[0] + "more\n", [LOG]).encode(),
    "no text": b"old 0\n\n\xff\n",
    "too long": b"old 0\n\n" + note(3).encode() + b"x" * MAX_SUBMISSION,
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_request_that_is_not_in_its_form_is_refused(witness: Witness, case: str):
    with pytest.raises(Refused) as refused:
        witness.answer(MALFORMED[case])
    assert refused.value.status == 400


def test_63_hashes_may_be_sent():
    body = b"old 1\n" + (base64.b64encode(bytes(32)) + b"\n") * 63 + b"\n" + note(3).encode()
    assert len(Submission.parse(body).proof) == 63


def test_keys_of_logs_are_read_with_line_numbers():
    found = log_keys(f"# ours\n\n{LOG.note_key}\n  {STRANGER.note_key}\n", "keys.txt")
    assert found == [LOG.note_key, STRANGER.note_key]
    with pytest.raises(UsageError, match=r"keys\.txt:2: .*witness"):
        log_keys(f"{LOG.note_key}\n{WITNESS.note_key}\n", "keys.txt")
    with pytest.raises(UsageError, match=r"keys\.txt:1"):
        log_keys("rubbish", "keys.txt")
