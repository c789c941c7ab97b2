"""What was committed to cannot be read before it is revealed, and cannot be another thing after."""

from __future__ import annotations

import json
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from licet.drill.commitment import Announced, announced_of, events_of
from licet.drill.keys import DrillKey, name_of, signed_by
from licet.errors import KeyFileError

WHAT = Announced(
    "d1", "5a" * 32, "seed", "D1", "cloudtrail", False, False, "arn:aws:iam::111122223333:user/x", "cred:00", ("arn:aws:iam::111122223333:user/x",),
    ("cred:00",), ("POST_REVOCATION_USE",), events_of(["ab" * 32, "cd" * 32]), 2, 1_000.0, 1_060.0,
)  # fmt: skip


@pytest.mark.parametrize(
    "other",
    [
        {"drill": "d2"}, {"salt": "5b" * 32}, {"seed": "other"}, {"scenario": "D2"}, {"source": "github"}, {"twin": True}, {"shadow": True},
        {"identity": "x"}, {"credential": "cred:01"}, {"identities": ()}, {"credentials": ()}, {"codes": ()}, {"events": events_of(["ab" * 32])},
        {"number": 3}, {"begins": 1_001.0}, {"ends": 1_061.0},
    ],
)  # fmt: skip
def test_whatever_of_a_drill_is_another_the_commitment_is_another(other):
    assert set(other) <= set(Announced._fields)
    assert WHAT._replace(**other).commitment != WHAT.commitment


def test_every_field_is_committed_to():
    assert set(WHAT.plain()) == set(Announced._fields)


def test_what_is_revealed_is_read_back_as_it_was():
    assert announced_of(json.loads(json.dumps(WHAT.plain()))) == WHAT


@pytest.mark.parametrize(
    "wrong", [{}, {"drill": "d1"}, WHAT.plain() | {"more": 1}, WHAT.plain() | {"begins": "soon"}, WHAT.plain() | {"codes": "x"}]
)
def test_what_is_no_announcement_is_none(wrong):
    assert announced_of(wrong) is None


def test_the_digest_of_the_events_tells_their_order():
    assert events_of(["ab", "cd"]) != events_of(["cd", "ab"])


def test_a_signature_is_of_one_key_and_one_saying():
    key, other = DrillKey(Ed25519PrivateKey.generate()), DrillKey(Ed25519PrivateKey.generate())
    signature = key.sign({"a": 1})
    assert signed_by(key.public, {"a": 1}, signature)
    assert not signed_by(key.public, {"a": 2}, signature)
    assert not signed_by(other.public, {"a": 1}, signature)
    assert not signed_by(key.public, {"a": 1}, "no hex")
    assert name_of(key.public) != name_of(other.public)


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path):
    path = tmp_path / "drill.key"
    made = DrillKey.of(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert DrillKey.of(path).public == made.public


def test_a_key_that_others_can_read_or_that_is_none_is_refused(tmp_path):
    path = tmp_path / "drill.key"
    with pytest.raises(KeyFileError):
        DrillKey.of(path, create=False)
    DrillKey.of(path)
    path.chmod(0o644)
    with pytest.raises(KeyFileError):
        DrillKey.of(path)
    path.chmod(0o600)
    path.write_bytes(b"no key")
    with pytest.raises(KeyFileError, match="PEM"):
        DrillKey.of(path)


def test_a_signature_that_was_good_once_makes_no_other_one_good(tmp_path):
    """What is remembered is key, text and signature together; what cannot be read is no signature."""
    key, other = DrillKey.of(tmp_path / "one.key"), DrillKey.of(tmp_path / "other.key")
    said = {"drill": "1", "passed": True}
    signature = key.sign(said)
    assert [signed_by(key.public, said, signature) for _ in range(2)] == [True, True]
    assert not signed_by(key.public, said | {"passed": False}, signature)
    assert not signed_by(other.public, said, signature)
    assert not signed_by(key.public, said, other.sign(said))
    assert not any(signed_by(key.public, said, each) for each in ("", "zz", "\ud800", signature[:-2]))
    assert not signed_by(key.public, {"drill": "\ud800"}, signature)
    assert not signed_by(b"short", said, signature)
