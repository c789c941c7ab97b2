"""What looks like a secret is found and masked, and what does not is left as it is."""

from __future__ import annotations

import json
import re

import pytest

from licet.secretlike import MASKS, collector_patterns, is_card, scrub, scrubbed, secret_in
from planted import KINDS, ONLY_CONTENT, Planter, forms

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

TELLING = sorted(set(KINDS) - ONLY_CONTENT)
# Of one random key in a hundred the characters change as seldom as in a name; where it has its name beside it, it is found all the same.
SOME_LEFT = {"AWS secret access key": 4, "random token": 2}


@pytest.mark.parametrize("around", ["{}", "`{}` is not known", "call {}, then go on", "x = {}.", "({})"])
@pytest.mark.parametrize("kind", TELLING)
def test_each_kind_is_masked_wherever_it_stands(kind: str, around: str) -> None:
    planter, left = Planter(11), 0
    for _ in range(100):
        secret = planter.of(kind, "")
        text = scrub(around.format(secret.text))
        gone = not any(needle in text for needle in secret.needles)
        left += not gone
        assert any(mask in text for mask in MASKS) == gone
        assert scrub(text) == text, "masking what is masked changes nothing"
        assert bool(secret_in(around.format(secret.text))) == gone
        assert secret_in(text) == ("" if gone else secret_in(text))
    assert left <= SOME_LEFT.get(kind, 0)


@pytest.mark.parametrize(
    "text",
    [
        "read_ticket", "call_AbC123def456GHI789jkl012", "toolu_01A09q90qw90lq917835lq9Xy", "chatcmpl-BxYz0123456789abcdefABCDEFGHI",
        "fc_67ca09c6bedc8190a7abfec07b1a1332096610f474011cc0", "123e4567-e89b-12d3-a456-426614174000", "0af7651916cd43dd8448eb211c80319c",
        "sha256:" + "a1" * 32, "hmac-sha256:" + "0f" * 32, "2026-11-22T19:49:58.123456Z", "1763841000123456789", "+49 30 901820 1234",
        "DE89 3704 0044 0532 0130 00", "4111 1111 1111 1112", "https://acme.example:443/a@b?x=1", "urn:licet:tool:send_email",
        "`to` (an address #1a2b3c4d) came from `comments[].body` of `read_ticket` (call 1, untrusted): not from the intent or a trusted field",
        "argument `password` is not one that `send` is known to take", "the secret of good bread", "basic rules of conduct", "token: task",
        "GetCustomerSubscriptionDetailsByAccountIdV2", "id_GostR3410_2001_CryptoPro_XchB_ParamSet",
        "src/licet/telemetry/secretlike.py:123 in scrub", "sk-learn-train-classifier-v2", "hf_dataset_loader_version2", "eyJ", "://", "",
    ],
)  # fmt: skip
def test_what_is_no_secret_is_left_as_it_is(text: str) -> None:
    """Ids of calls, spans and tasks, digests, times, names, addresses and our own sentences."""
    assert (scrub(text), secret_in(text)) == (text, "")


def test_what_a_text_says_beside_a_secret_stays() -> None:
    assert scrub("postgres://ada:hunter2@db.acme.example/crm is down") == "postgres://[a secret]@db.acme.example/crm is down"
    assert scrub("password=correct horse battery staple, user=ada") == "password=[a secret], user=ada"
    assert scrub('{"password": "a b c", "user": "ada"}') == '{"password": "[a secret]", "user": "ada"}'
    assert scrub("card 4111 1111 1111 1111 1111, until 12/29") == "card [a card number] 1111, until 12/29"
    assert scrub("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln is over") == "Bearer [a token] is over"


def test_a_secret_that_was_cut_off_is_masked_too() -> None:
    """A text is often cut before it is shown."""
    planter = Planter(12)
    for kind in ("private key in PEM", "JWT", "private or symmetric JWK"):
        whole = planter.of(kind, "").text
        cut = whole[: len(whole) - len(whole) // 8]
        assert not any(form in scrub(cut).encode() for form in forms(cut[-20:])), kind


def test_plain_data_is_scrubbed_by_its_names_too() -> None:
    """What stands behind a name of a secret is one, whatever it looks like; so are the private members of a JWK."""
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qY", "d": "short"}
    given = {"password": "hunter2", "nested": [{"api_key": 7, "PIN": 4312}], "jwk": jwk, "card": 4111111111111111, "ok": True, "to": "ada"}
    assert scrubbed(given) == {
        "password": "[a secret]", "nested": [{"api_key": "[a secret]", "PIN": "[a secret]"}], "jwk": jwk | {"d": "[a private key]"},
        "card": "[a card number]", "ok": True, "to": "ada",
    }  # fmt: skip
    assert scrubbed({"AKIAIOSFODNN7EXAMPLE": 1}) == {"[a secret]": 1}
    assert json.dumps(scrubbed([None, 1.5, "x"])) == '[null, 1.5, "x"]'


@pytest.mark.parametrize(
    "digits,card",
    [
        ("4111111111111111", True),
        ("4111111111111112", False),
        ("378282246310005", True),
        ("1234567812345670", False),
        ("", False),
        ("41", False),
    ],
)
def test_a_card_has_an_issuer_a_length_and_a_check_digit(digits: str, card: bool) -> None:
    assert is_card(digits) is card


@pytest.mark.parametrize(
    "text",
    [
        "\ud800 password=\udfff\ud800x",
        "\x00" * 50,
        "a" * 100_000,
        "eyJ-" * 20_000,
        "1 " * 50_000,
        "://" * 30_000,
        "-----BEGIN PRIVATE KEY-----" * 2_000,
        "𝟜𝟙𝟙𝟙 𝟙𝟙𝟙𝟙 𝟙𝟙𝟙𝟙 𝟙𝟙𝟙𝟙",
    ],
    ids=range(8),
)
def test_any_text_is_looked_at(text: str) -> None:
    """It never raises, and is quick for what is made to be slow: a quadratic search would take minutes."""
    assert isinstance(scrub(text), str)


# What the Collector cannot tell from harmless Base64: it looks at what any instrumentation exports.
NOT_FOR_THE_COLLECTOR = ONLY_CONTENT | {"AWS secret access key", "random token"}


@pytest.mark.parametrize("kind", sorted(set(KINDS) - NOT_FOR_THE_COLLECTOR))
def test_the_collectors_patterns_mask_each_kind_too(kind: str) -> None:
    """In RE2's syntax, of which Python's is near enough here; that otel-collector.yaml has these patterns is held elsewhere."""
    patterns = [re.compile(pattern.replace(r"\x{a0}", r"\xa0"), re.ASCII) for _, pattern in collector_patterns()]
    planter = Planter(13)
    for _ in range(50):
        secret = planter.of(kind, "")
        text = f"before {secret.text} after"
        for pattern in patterns:
            text = pattern.sub("****", text)
        assert not any(needle in text for needle in secret.needles)


def test_the_collectors_patterns_are_of_re2() -> None:
    """No look-around, no back-reference, no conditional, no count beyond 1000; and nothing of the guard's own records is masked by them."""
    own = (
        "sha256:" + "a1" * 32,
        "hmac-sha256:" + "0f" * 32,
        "0af7651916cd43dd8448eb211c80319c",
        "read_ticket",
        "denied (origin.argument): `to` came from call 1",
    )
    for name, pattern in collector_patterns():
        assert not re.search(r"\(\?[=!<(P:]|\\[1-9]|\{\d{4,}", pattern), name
        assert not any(re.search(pattern.replace(r"\x{a0}", r"\xa0"), text) for text in own), name
