"""Signed notes: the form of C2SP signed-note, checked against Go's published vector and against what a stranger may write."""

from __future__ import annotations

import base64
import contextlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from licet.ledger.note import Checkpoint, NoteError, NoteKey, cosigned, opened, parts, signed

# The example in the documentation of golang.org/x/mod/sumdb/note.
PETER = NoteKey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NOTE = TEXT + ("\n\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n")
CHECKPOINT = Checkpoint("log.example/a", 7, bytes(range(32)))


class Signer:
    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self._key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)

    def public(self) -> bytes:
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    @property
    def key(self) -> NoteKey:
        return NoteKey(self.name, self.public())


ADA, EVE = Signer("log.example/a", 1), Signer("log.example/e", 2)


def test_a_note_that_go_signed_opens() -> None:
    note = opened(NOTE, [PETER])
    assert (note.text, note.by, note.others) == (TEXT, (PETER,), ())


@pytest.mark.parametrize("at", range(0, len(NOTE), 3))
def test_a_character_changed_anywhere_is_seen(at: int) -> None:
    other = "x" if NOTE[at] != "x" else "y"
    bent = NOTE[:at] + other + NOTE[at + 1 :]
    with contextlib.suppress(NoteError):
        assert opened(bent, [PETER]).by == ()  # the name or the id was changed: then nobody known has signed


def test_who_signed_and_who_is_not_known_is_told() -> None:
    note = signed(CHECKPOINT.text(), [ADA, EVE])
    found = opened(note, [ADA.key])
    assert (found.by, found.others) == ((ADA.key,), (EVE.name,))
    assert Checkpoint.parse(found.text) == CHECKPOINT


def test_a_signature_under_a_known_name_by_another_key_counts_for_nothing() -> None:
    thief = Signer(ADA.name, 3)
    assert opened(signed(CHECKPOINT.text(), [thief]), [ADA.key]).by == ()


def test_a_line_of_a_known_key_that_does_not_hold_spoils_the_note() -> None:
    text, [line] = parts(signed(CHECKPOINT.text(), [ADA]))
    other = Checkpoint(CHECKPOINT.origin, 8, CHECKPOINT.root).text()
    with pytest.raises(NoteError, match=r"signature of log\.example/a does not hold"):
        opened(f"{other}\n{line}\n", [ADA.key])
    assert text == CHECKPOINT.text()


def test_a_witnesss_word_is_no_logs_word() -> None:
    witness = NoteKey(EVE.name, EVE.public(), b"\x04")
    note = signed(CHECKPOINT.text(), [ADA]) + cosigned(CHECKPOINT.text(), EVE, 1_795_342_560)
    found = opened(note, [ADA.key, witness])
    assert found.by == (ADA.key,)
    assert [(each.key, each.time) for each in found.cosigned] == [(witness, 1_795_342_560)]


@pytest.mark.parametrize(
    "text",
    ["", "a\n", "\n\n", "no end", "a\n\n", "a\n\nb\n", "a\n\n- n AAAAAAAA\n", "a\n\n\u2014 n AAAA\n", "a\n\n\u2014 n+m AAAAAAAAAAA=\n", "a\x07\n\n\u2014 n AAAAAAAAAAA=\n"],
    ids=["empty", "no-signature", "breaks", "no-break", "nothing-after", "no-line", "a-hyphen", "too-short", "plus", "bell"],
)  # fmt: skip
def test_what_is_no_note_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        opened(text, [])


@pytest.mark.parametrize(
    "text",
    ["", "a\n1\n", "a b\n1\nAA==\n", "a\n01\nR\n", "a\n-1\nR\n", "a\n1e3\nR\n", "a\n\u0661\nR\n", "a\n1\nAA==\n", "a\n1\nR\nmore\n", "a+b\n1\nR\n"],
    ids=["empty", "two-lines", "space", "leading-zero", "negative", "exponent", "arabic", "short-root", "extension", "plus"],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        Checkpoint.parse(text.replace("R", base64.b64encode(bytes(32)).decode()))


@pytest.mark.parametrize("text", ["", "a", "a+b", "a+00000000+AQ==", str(PETER)[:-4] + "AAA=", str(PETER).replace("c74f20a3", "c74f20a4")])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        NoteKey.parse(text)


def test_a_keys_text_is_read_back() -> None:
    assert NoteKey.parse(str(ADA.key)) == ADA.key
    assert str(PETER).startswith("PeterNeumann+c74f20a3+")


@given(st.text())
def test_any_text_is_a_note_or_refused(text: str) -> None:
    for given_text in (text, f"{text}\n\n\u2014 {text}\n", f"a\n\n\u2014 n {text}\n"):
        with contextlib.suppress(NoteError):
            opened(given_text, [PETER])


@given(st.text())
def test_any_text_is_a_key_and_a_checkpoint_or_refused(text: str) -> None:
    for read in (NoteKey.parse, Checkpoint.parse):
        for given_text in (text, f"a\n1\n{text}\n", f"a+00000000+{text}"):
            with contextlib.suppress(NoteError):
                read(given_text)
