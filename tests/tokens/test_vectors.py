"""Every public test vector that applies, run from its file: 0 wrong accepts, 0 wrong rejects.

The table is printed by `python tests/tokens/vectors_table.py`, and by pytest with `-s`.
"""

from __future__ import annotations

import json
import secrets

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

import vectors_table
from licet.errors import KeySetError, TokenRefused
from licet.tokens.algorithms import KeySet, PublicKey, base64url
from licet.tokens.jws import parse
from vectors_table import COOKBOOK, OVERRIDES, WYCHEPROOF, Row


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    found = vectors_table.rows()
    print("\n" + vectors_table.table(found))  # noqa: T201 - the table is what `-s` is for
    return {row.file: row for row in found}


def test_no_vector_is_wrongly_accepted_and_none_wrongly_refused(rows: dict[str, Row]):
    assert {row.file: row.wrong_accepts for row in rows.values() if row.wrong_accepts} == {}
    assert {row.file: row.wrong_rejects for row in rows.values() if row.wrong_rejects} == {}


def test_no_file_is_left_out_and_no_vector_of_it(rows: dict[str, Row]):
    """So that an empty folder, or a reader that skips, cannot pass."""
    assert {row.file: (row.applied, row.accepted, row.others_refused) for row in rows.values() if row.file.endswith("_test.json")} == {
        "json_web_signature_test.json": (361, 32, 40),
        "json_web_key_test.json": (11, 1, 15),
        "json_web_crypto_test.json": (29, 2, 54),
        "json_web_encryption_test.json": (0, 0, 139),
        "ed25519_test.json": (151, 88, 0),
        "ecdsa_secp256r1_sha256_p1363_test.json": (262, 173, 0),
        "rsa_signature_2048_sha256_test.json": (259, 7, 0),
        "rsa_pss_2048_sha256_mgf1_32_test.json": (108, 63, 0),
    }
    cookbook = {row.file: (row.accepted, row.others_refused) for row in rows.values() if "/" in row.file}
    assert cookbook == {
        "jws/4_1.rsa_v15_signature.json": (1, 2),
        "jws/4_2.rsa-pss_signature.json": (1, 2),
        "jws/4_3.ecdsa_signature.json": (1, 2),
        "jws/4_4.hmac-sha2_integrity_protection.json": (0, 3),
        "jws/4_5.signature_with_detached_content.json": (0, 3),
        "jws/4_6.protecting_specific_header_fields.json": (0, 2),
        "jws/4_7.protecting_content_only.json": (0, 2),
        "jws/4_8.multiple_signatures.json": (0, 3),
        "curve25519/jws.json": (1, 2),
        "rfc7797/4.2.hmac-sha2_b64_false.json": (0, 2),
        "rfc7797/hmac-sha2_b64_false.json": (0, 3),
    }


def test_each_override_is_a_label_that_would_be_wrong_for_us(rows: dict[str, Row]):
    """An override that changes nothing is stale."""
    assert sorted((row.file, number) for row in rows.values() for number in row.overrides) == sorted(OVERRIDES)


@pytest.mark.parametrize("number", [number for number in range(360, 376) if number not in (367, 370)])
def test_foreign_characters_and_unused_bits_are_refused_by_the_parser_whatever_the_algorithm(number: int):
    """These vectors are signed with HMAC, which is refused in any case: here it is the parser that refuses them."""
    with pytest.raises(TokenRefused) as refused:
        parse(_vector(number))
    assert refused.value.check == "token.malformed"


@pytest.mark.parametrize("number, part", [(367, 2), (370, 1)])
def test_padding_is_refused_by_the_parser_also_where_its_vector_has_lost_it(number: int, part: int):
    """367 and 370 are called `invalidBase64Padding` and hold no `=`: they are 357, a valid token, letter by letter."""
    assert _vector(number) == _vector(357)
    parts = _vector(number).split(".")
    parse(".".join(parts))
    for padding in ("=", "==", "=" * (-len(parts[part]) % 4)):
        with pytest.raises(TokenRefused):
            parse(".".join([*parts[:part], parts[part] + padding, *parts[part + 1 :]]))


@pytest.mark.parametrize("number", [353, 354, 355, 356])
def test_a_key_for_encryption_verifies_nothing(number: int):
    """RFC 7517 sections 4.2 and 4.3; both labels agree with us, and both libraries do not look."""
    tests = json.loads((WYCHEPROOF / "json_web_signature_test.json").read_text(encoding="utf-8"))["testGroups"]
    (group,) = (group for group in tests if group["tests"][0]["tcId"] == number)
    with pytest.raises(KeySetError, match="not for verifying"):
        PublicKey.of(group["public"])
    bare = {name: value for name, value in group["public"].items() if name not in ("use", "key_ops")}
    assert vectors_table.accepts(group["tests"][0]["jws"], bare), "nothing else is wrong with it"


def test_the_keys_of_rfc_7520_are_taken_or_refused_for_what_they_are():
    taken = {}
    for path in sorted((COOKBOOK / "jwk").glob("*.json")):
        try:
            taken[path.name[:3]] = PublicKey.of(json.loads(path.read_text(encoding="utf-8"))).algorithms
        except KeySetError as error:
            taken[path.name[:3]] = str(error)
    assert taken["3_1"] == ("ES512",)
    assert "RS256" in taken["3_3"]
    assert all("private" in taken[name] for name in ("3_2", "3_4"))
    assert all("kind" in taken[name] for name in ("3_5", "3_6"))


def test_the_thumbprint_is_that_of_rfc_7638():
    """RFC 7638 section 3.1 and RFC 8037 appendix A.3."""
    key = vectors_table.public(json.loads((COOKBOOK / "curve25519" / "jws.json").read_text(encoding="utf-8"))["input"]["key"])
    assert PublicKey.of(key).thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_key_that_can_be_factored_for_how_it_was_made_is_refused_and_others_are_not():
    """ROCA: the vectors' key, one built here by its recipe, and the moduli of 200 random odd numbers of 2048 bits."""
    key = json.loads((WYCHEPROOF / "json_web_key_test.json").read_text(encoding="utf-8"))["testGroups"][5]["public"]
    with pytest.raises(KeySetError, match="ROCA"):
        KeySet.of(key)
    product = 1
    for prime in (number for number in range(2, 168) if all(number % factor for factor in range(2, number))):
        product *= prime
    made = (secrets.randbits(1829) | 1 << 1828) * product + pow(65537, 123_456_789, product)
    with pytest.raises(KeySetError, match="ROCA"):
        PublicKey.of(_rsa(made))
    for _ in range(200):
        assert PublicKey.of(_rsa(secrets.randbits(2048) | 1 << 2047 | 1)).algorithms[0] == "RS256"
    assert PublicKey.of(_rsa(rsa.generate_private_key(65537, 2048).public_key().public_numbers().n))


def _rsa(modulus: int) -> dict[str, str]:
    return {"kty": "RSA", "e": "AQAB", "n": base64url(modulus.to_bytes((modulus.bit_length() + 7) // 8, "big"))}


def _vector(number: int) -> str:
    groups = json.loads((WYCHEPROOF / "json_web_signature_test.json").read_text(encoding="utf-8"))["testGroups"]
    (token,) = (test["jws"] for group in groups for test in group["tests"] if test["tcId"] == number)
    return str(token)
