"""Envelopes: the specification's vector, an implementation that nobody here wrote, and hostile files."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_lab import Key
from licet.ledger.evidence.dsse import EnvelopeError, keyid, opened, pae, sealed
from licet.ledger.note import Checkpoint, NoteError

TYPE = "application/example"
KEY = Key()
TEXT = sealed(TYPE, b"hello \xff", KEY)


def refused(data: bytes, *keys: Key) -> str:
    with pytest.raises(EnvelopeError) as caught:
        opened(data, TYPE, [key.note_key for key in keys or (KEY,)])
    return caught.value.fault.code


def with_fields(**fields: object) -> bytes:
    return json.dumps(json.loads(TEXT) | fields).encode()


def test_the_encoding_is_that_of_the_specification():
    """protocol.md, "Test Vectors"."""
    assert pae("http://example.com/HelloWorld", b"hello world") == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_lengths_are_of_bytes_not_of_characters():
    assert pae("é", "ü".encode()) == b"DSSEv1 2 \xc3\xa9 2 \xc3\xbc"


def test_what_is_sealed_opens_to_the_same_bytes():
    found = opened(TEXT.encode(), TYPE, [KEY.note_key])
    assert (found.payload, found.by, found.others) == (b"hello \xff", KEY.note_key, ())


def test_what_it_is_stands_before_the_payload():
    assert list(json.loads(TEXT)) == ["payloadType", "signatures", "payload"]


def test_another_implementation_verifies_ours():
    dsse, signer = pytest.importorskip("securesystemslib.dsse"), pytest.importorskip("securesystemslib.signer")
    envelope = dsse.Envelope.from_dict(json.loads(TEXT))
    ours = signer.SSlibKey(keyid(KEY.note_key), "ed25519", "ed25519", {"public": KEY.public().hex()})
    assert envelope.verify([ours], 1)
    envelope.payload += b"!"
    with pytest.raises(Exception, match="threshold"):
        envelope.verify([ours], 1)


def test_ours_verifies_another_implementation():
    dsse, signer = pytest.importorskip("securesystemslib.dsse"), pytest.importorskip("securesystemslib.signer")
    public = signer.SSlibKey(keyid(KEY.note_key), "ed25519", "ed25519", {"public": KEY.public().hex()})
    envelope = dsse.Envelope(b"theirs", TYPE, {})
    envelope.sign(signer.CryptoSigner(KEY._private, public))
    assert opened(json.dumps(envelope.to_dict()).encode(), TYPE, [KEY.note_key]).payload == b"theirs"


def test_the_alphabet_of_urls_is_read_too():
    """The specification: "Either standard or URL-safe encoding is allowed"."""
    payload = b"\xfb\xff\xfe>>>???"
    fields = json.loads(sealed(TYPE, payload, KEY))
    for row in (fields, *fields["signatures"]):
        for name in {"payload", "sig"} & row.keys():
            row[name] = base64.urlsafe_b64encode(base64.b64decode(row[name])).decode()
    assert opened(json.dumps(fields).encode(), TYPE, [KEY.note_key]).payload == payload


def test_a_signature_without_the_id_of_its_key_is_tried_with_each():
    signature = json.loads(TEXT)["signatures"][0]["sig"]
    assert opened(with_fields(signatures=[{"sig": signature}]), TYPE, [Key(2).note_key, KEY.note_key]).by == KEY.note_key


def test_a_further_signature_of_somebody_unknown_is_named():
    signatures = [{"keyid": "somebody", "sig": "AAAA"}, *json.loads(TEXT)["signatures"]]
    assert opened(with_fields(signatures=signatures), TYPE, [KEY.note_key]).others == ("somebody",)


def test_a_signature_of_a_known_key_must_hold_whatever_else_does():
    bad = json.loads(sealed(TYPE, b"other", Key(2)))["signatures"][0]
    assert refused(with_fields(signatures=[bad, *json.loads(TEXT)["signatures"]]), KEY, Key(2)) == "bad-signature"


def test_a_file_signed_by_nobody_known_is_refused():
    assert refused(TEXT.encode(), Key(2)) == "key-unknown"


def test_the_signature_is_over_the_type_too():
    assert refused(sealed("application/other", b"x", KEY).encode()) == "malformed"
    assert refused(json.dumps(json.loads(sealed("application/other", b"x", KEY)) | {"payloadType": TYPE}).encode()) == "bad-signature"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe", id="not-utf-8"),
        pytest.param(b"[" * 200_000, id="nested-deep"),
        pytest.param(b"[" * 900 + b"]" * 900, id="nested"),
        pytest.param(b"[" + b"{}," * 1_000_000 + b"{}]", id="many-parts"),
        pytest.param(b'{"payload":"","payload":"","payloadType":"","signatures":[]}', id="key-twice"),
        pytest.param(b'{"payload":' + b"9" * 10_000 + b"}", id="huge-number"),
        pytest.param(b'{"payload":1e999}', id="infinite"),
        pytest.param(b"[]", id="no-object"),
        pytest.param(with_fields(signatures=[]), id="no-signature"),
        pytest.param(with_fields(signatures=json.loads(TEXT)["signatures"] * 17), id="too-many-signatures"),
        pytest.param(with_fields(signatures={"sig": ""}), id="signatures-no-list"),
        pytest.param(with_fields(signatures=[{"keyid": 1, "sig": ""}]), id="keyid-no-text"),
        pytest.param(with_fields(payload="aGVsbG8"), id="no-padding"),
        pytest.param(with_fields(payload="aGVsbG9="), id="bits-behind-the-end"),
        pytest.param(with_fields(payload="aGVs\nbG8="), id="line-break"),
        pytest.param(with_fields(payload="+-__"), id="two-alphabets"),
        pytest.param(with_fields(payload="\ud800"), id="lone-surrogate"),
        pytest.param(with_fields(payload=None), id="no-payload"),
        pytest.param(with_fields(verdict="approved by the board"), id="a-field-that-nobody-signed"),
        pytest.param(with_fields(signatures=[json.loads(TEXT)["signatures"][0] | {"cert": "x"}]), id="a-field-of-a-signature"),
    ],
)
def test_what_is_no_envelope_is_refused_with_a_sentence(data: bytes):
    assert refused(data) == "malformed"


def test_a_key_that_stands_twice_is_refused_whichever_reader_would_take_which():
    assert refused(b'{"payload":"QUJD",' + TEXT.encode()[1:]) == "malformed"


def test_an_envelope_with_more_parts_than_one_can_have_is_not_even_parsed():
    """Before the signature is known, nothing may cost much: a hundred megabytes of `{},` would be gigabytes as objects."""
    with pytest.raises(EnvelopeError, match="more parts"):
        opened(TEXT.encode()[:-2] + b',"further":[' + b"{}," * 1_000 + b"{}]}", TYPE, [KEY.note_key])


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(TEXT) - 1), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_changes_nothing_that_is_signed(place: int, byte: int):
    data = TEXT.encode()
    try:
        found = opened(data[:place] + bytes([byte]) + data[place + 1 :], TYPE, [KEY.note_key])
    except EnvelopeError:
        return
    assert (found.payload, found.by) == (b"hello \xff", KEY.note_key)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300) | st.recursive(st.none() | st.text() | st.integers(), lambda v: st.lists(v) | st.dictionaries(
    st.sampled_from(["payload", "payloadType", "signatures", "sig", "keyid"]), v)).map(lambda v: json.dumps(v).encode()))  # fmt: skip
def test_whatever_the_file_is_it_is_no_crash(data: bytes):
    with pytest.raises(EnvelopeError):
        opened(data, TYPE, [KEY.note_key])


def test_no_envelope_passes_as_a_checkpoint():
    """One key signs both: the text of a checkpoint is never the encoding of an envelope."""
    with pytest.raises(NoteError):
        Checkpoint.parse(pae("x\n1\n" + "A" * 43 + "=\n", b"").decode())
    with pytest.raises(NoteError):
        Checkpoint.parse(pae(TYPE, b"\n1\n" + b"A" * 43 + b"=\n").decode())
