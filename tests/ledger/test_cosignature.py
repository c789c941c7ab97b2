"""C2SP tlog-cosignature v1, Ed25519: what a witness signs, and what a line of it says."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from licet.errors import KeyFileError, UsageError
from licet.ledger.cosigning.cosignature import WitnessKey, with_lines
from licet.ledger.note import COSIGNATURE, ED25519, Cosignature, NoteError, NoteKey, cosigned, opened, parts, signed
from licet.ledger.signer import LedgerKey

TEXT = "acme.example/log\n7\n" + base64.b64encode(bytes(32)).decode() + "\n"
LOG = LedgerKey(Ed25519PrivateKey.generate(), "nowhere", "acme.example/log")
PRIVATE = Ed25519PrivateKey.generate()
WITNESS = WitnessKey(PRIVATE, "witness.example/w1")
NOTE = signed(TEXT, [LOG])
TIME = 1_679_315_147


def both(line: str) -> str:
    return NOTE + line


def test_a_line_is_what_the_specification_says_byte_for_byte():
    name, encoded = cosigned(TEXT, WITNESS, TIME).removeprefix("\u2014 ").rstrip("\n").split(" ")
    told = base64.b64decode(encoded)
    assert name == "witness.example/w1"
    assert told[:4] == hashlib.sha256(b"witness.example/w1\n\x04" + WITNESS.public()).digest()[:4]
    assert told[4:12] == TIME.to_bytes(8, "big")
    assert len(told) == 76
    PRIVATE.public_key().verify(told[12:], b"cosignature/v1\ntime 1679315147\n" + TEXT.encode())


def test_a_known_witness_is_named_with_its_time_and_never_stands_for_the_log():
    found = opened(both(cosigned(TEXT, WITNESS, TIME)), [LOG.note_key, WITNESS.note_key])
    assert found.by == (LOG.note_key,)
    assert found.cosigned == (Cosignature(WITNESS.note_key, TIME),)
    alone = opened(f"{TEXT}\n{cosigned(TEXT, WITNESS, TIME)}", [LOG.note_key, WITNESS.note_key])
    assert alone.by == ()


def test_a_witness_that_nobody_knows_is_passed_over():
    found = opened(both(cosigned(TEXT, WITNESS, TIME)), [LOG.note_key])
    assert (found.cosigned, found.others) == ((), ("witness.example/w1",))


def changed(at: int, length: int = 76) -> str:
    line = cosigned(TEXT, WITNESS, TIME)
    told = bytearray(base64.b64decode(line.split(" ")[2]))
    told[at] ^= 1
    return f"\u2014 {WITNESS.name} {base64.b64encode(bytes(told[:length])).decode()}\n"


@pytest.mark.parametrize("at, length", [(11, 76), (12, 76), (75, 76), (4, 76), (75, 75), (75, 12), (75, 9)])
def test_a_line_of_a_known_witness_must_hold(at: int, length: int):
    with pytest.raises(NoteError, match="does not hold"):
        opened(both(changed(at, length)), [LOG.note_key, WITNESS.note_key])


def test_a_time_that_the_specification_forbids_is_refused():
    with pytest.raises(NoteError, match="time"):
        opened(both(cosigned(TEXT, WITNESS, 1 << 63)), [WITNESS.note_key])
    assert opened(both(cosigned(TEXT, WITNESS, (1 << 63) - 1)), [WITNESS.note_key]).cosigned


def test_one_key_as_log_and_as_witness_is_two_which_do_not_sign_for_each_other():
    as_log = NoteKey(WITNESS.name, WITNESS.public(), ED25519)
    assert as_log.id != WITNESS.note_key.id
    found = opened(both(cosigned(TEXT, WITNESS, TIME)), [as_log])
    assert (found.by, found.cosigned) == ((), ())


@pytest.mark.parametrize("kind", [ED25519, COSIGNATURE])
def test_the_text_of_a_key_leads_back_to_it(kind: bytes):
    key = NoteKey("witness.example/w1", WITNESS.public(), kind)
    assert NoteKey.parse(str(key)) == key


@pytest.mark.parametrize("kind", [b"\x00", b"\x02", b"\x06"])
def test_the_text_of_a_key_of_another_type_is_refused(kind: bytes):
    found = hashlib.sha256(b"w\n" + kind + WITNESS.public()).digest()[:4].hex()
    with pytest.raises(NoteError, match="Ed25519"):
        NoteKey.parse(f"w+{found}+{base64.b64encode(kind + WITNESS.public()).decode()}")


def test_a_newer_line_takes_the_place_of_an_older_one_of_the_same_witness_and_of_no_other():
    other = WitnessKey(Ed25519PrivateKey.generate(), "witness.example/w1")
    first = with_lines(NOTE, [cosigned(TEXT, WITNESS, TIME), cosigned(TEXT, other, TIME)])
    second = with_lines(first, [cosigned(TEXT, WITNESS, TIME + 1)])
    assert len(parts(second)[1]) == 3
    found = opened(second, [LOG.note_key, WITNESS.note_key, other.note_key])
    assert set(found.cosigned) == {Cosignature(WITNESS.note_key, TIME + 1), Cosignature(other.note_key, TIME)}
    assert parts(second)[1][0] == parts(NOTE)[1][0]  # the log's own line stays the first


def test_a_note_gets_no_more_lines_than_a_note_may_have():
    keys = [WitnessKey(Ed25519PrivateKey.generate(), f"w{number}") for number in range(100)]
    with pytest.raises(NoteError, match="100"):
        with_lines(NOTE, [cosigned(TEXT, key, TIME) for key in keys])


@given(st.text(st.characters(codec="utf-8"), max_size=200), st.binary(max_size=90))
def test_no_line_whatever_does_more_than_fail(name: str, told: bytes):
    named = NoteKey("w", WITNESS.public(), COSIGNATURE)
    for line in (f"\u2014 {name} {base64.b64encode(told).decode()}\n", f"\u2014 w {base64.b64encode(named.id + told).decode()}\n", name):
        try:
            assert not opened(both(line), [named]).cosigned
            with_lines(NOTE, [line])
        except NoteError:
            continue


# The key's file -----------------------------------------------------------------------------------------------------------------------------


def test_the_key_is_made_once_and_nobody_else_can_read_it(tmp_path: Path):
    first = WitnessKey.of(tmp_path / "key", name="witness.example/w1")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert WitnessKey.of(tmp_path / "key").note_key == first.note_key
    assert first.name == "witness.example/w1"


def test_processes_that_start_at_once_have_one_key(tmp_path: Path):
    program = (
        "import sys; from pathlib import Path; from licet.ledger.cosigning.cosignature import WitnessKey; "
        "sys.stdin.read(1); print(WitnessKey.of(Path(sys.argv[1])).note_key)"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", program, tmp_path / "key"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(4)
    ]
    said = {process.communicate(b".", timeout=60)[0] for process in started}
    assert len(said) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["key"]


def test_a_key_keeps_its_name(tmp_path: Path):
    WitnessKey.of(tmp_path / "key", name="a")
    with pytest.raises(UsageError, match="name is a"):
        WitnessKey.of(tmp_path / "key", name="b")


def test_a_name_that_is_none_makes_no_key(tmp_path: Path):
    with pytest.raises(UsageError, match="--name"):
        WitnessKey.of(tmp_path / "key", name="a b")
    assert not list(tmp_path.iterdir())


def test_a_key_that_others_can_read_or_that_is_a_link_is_refused(tmp_path: Path):
    WitnessKey.of(tmp_path / "key")
    (tmp_path / "link").symlink_to(tmp_path / "key")
    with pytest.raises(KeyFileError, match="link"):
        WitnessKey.of(tmp_path / "link")
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod"):
        WitnessKey.of(tmp_path / "key")


@pytest.mark.parametrize("content", [b"", b"name: a\n", b"name: a\nrubbish", b"\xff\n", b"name: a b\n"])
def test_a_damaged_key_is_refused_and_not_made_anew(tmp_path: Path, content: bytes):
    whole = WitnessKey.of(tmp_path / "whole")
    assert whole
    pem = (tmp_path / "whole").read_bytes().partition(b"\n")[2] if content in (b"\xff\n", b"name: a b\n") else b""
    (tmp_path / "key").write_bytes(content + pem)
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(KeyFileError, match="put back"):
        WitnessKey.of(tmp_path / "key")
