"""Times, addresses and user agents are read the same for every log."""

from __future__ import annotations

import contextlib
import ipaddress
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licet.ingest.fields import address_of, agent_of, clean, id_in, id_of, interactive_agent, name_in, network_of, time_of, time_of_millis
from licet.ingest.recognised import Unreadable
from readers import place

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

CHROME = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/113.0.0.0 Safari/537.36"
EDGE = f"{CHROME} Edg/114.0.1"
TERRAFORM = "APN/1.0 HashiCorp/1.0 Terraform/1.1.2 (+https://www.terraform.io) terraform-provider-aws/3.76.1"


@pytest.mark.parametrize(
    "text, expected",
    [
        ("2026-03-01T12:00:00Z", 1772366400.0),
        ("2026-03-01T12:00:00.250Z", 1772366400.25),
        ("2026-03-01T12:00:00.1234567Z", 1772366400.123456),
        ("2026-03-01T14:00:00+02:00", 1772366400.0),
        ("2026-03-01T12:00:00", 1772366400.0),
    ],
)
def test_a_time_is_read_in_each_form_of_the_platforms(text: str, expected: float) -> None:
    assert time_of(text, "time") == expected


@pytest.mark.parametrize("text", [None, "", "2026-03-01", "soon", 5, "1999-12-31T23:59:59Z", "2026-13-01T00:00:00Z", "\ud800" * 20])
def test_what_is_no_time_is_refused_and_its_key_named(text: object) -> None:
    with pytest.raises(Unreadable) as error:
        time_of(text, "eventTime")
    assert error.value.key == "eventTime"


@pytest.mark.parametrize("number", [None, True, "1772366400000", 0, -1, float("nan"), float("inf"), 10**30, 1772366400])
def test_what_is_no_number_of_milliseconds_is_refused(number: object) -> None:
    with pytest.raises(Unreadable):
        time_of_millis(number, "created_at")


def test_milliseconds_are_seconds() -> None:
    assert time_of_millis(1772366400250, "created_at") == 1772366400.25


@pytest.mark.parametrize(
    "ip, network",
    [
        ("203.0.113.7", "203.0.113.0/24"),
        ("203.0.113.7:443", "203.0.113.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.0/24"),
        ("2001:db8:1:2::5", "2001:db8:1::/48"),
        ("[2001:db8:1:2::5]:443", "2001:db8:1::/48"),
        ("10.2.3.4", "10.2.3.0/24"),
        ("127.0.0.1", ""), ("::1", ""), ("169.254.169.254", ""), ("AWS Internal", ""), ("", ""), ("s3.amazonaws.com", ""), ("1" * 5000, ""),
    ],
)  # fmt: skip
def test_the_network_of_an_address(ip: str, network: str) -> None:
    assert network_of(ip) == network


def test_an_address_is_without_port_and_in_its_shortest_form() -> None:
    assert [address_of(raw) for raw in ("1.2.3.4:80", "2001:0db8::0001", "AWS Internal")] == ["1.2.3.4", "2001:db8::1", ""]


@pytest.mark.parametrize(
    "raw, agent",
    [
        ("aws-cli/2.4.5 Python/3.8.8 Darwin/21.1", "aws-cli/2"),
        ("[Boto3/1.26.165 Python/3.10.6 Linux/5.19.0]", "Boto3/1"),
        (TERRAFORM, "Terraform/1"),
        (f"[{TERRAFORM}]", "Terraform/1"),
        ("kubectl/v1.28.2 (darwin/amd64) kubernetes/89a4ea3", "kubectl/1"),
        (CHROME, "Chrome/113"),
        (EDGE, "Edg/114"),
        ("Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.19041.1", "WindowsPowerShell/5"),
        ("Microsoft Office/16.0", "Microsoft Office/16"),
        ("AWS Internal", "AWS Internal"),
        ("GitHub-Hookshot/abc123", "GitHub-Hookshot"),
        ("(gzip),gzip(gfe)", "(gzip),gzip(gfe)"),
        ("", ""),
    ],
)
def test_the_agent_is_its_product_and_major_version(raw: str, agent: str) -> None:
    assert agent_of(raw) == agent


@pytest.mark.parametrize("raw", [CHROME, EDGE, "console.amazonaws.com", "[S3Console/0.4, aws-internal/3]", "signin.amazonaws.com"])
def test_a_browser_and_a_console_are_interactive(raw: str) -> None:
    assert interactive_agent(raw)


@pytest.mark.parametrize(
    "raw", ["", "aws-cli/2.1", "kubectl/v1.28", TERRAFORM, "Mozilla/5.0 (X) WindowsPowerShell/5.1", "AWS Internal", "Mozilla"]
)
def test_a_program_is_not_interactive(raw: str) -> None:
    assert not interactive_agent(raw)


def test_a_token_in_a_name_or_an_agent_is_masked() -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" * 2
    assert token not in agent_of(f"{token}/1.0") + agent_of(token) + clean(f"pods/{token}")


@pytest.mark.parametrize(
    "name", ["system:serviceaccount:external-secrets:writer-1", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db-AbCdEf"]
)
def test_a_name_of_what_holds_secrets_is_none(name: str) -> None:
    assert clean(name) == name == name_in({"name": name}, "name")


def test_a_password_in_an_address_is_masked() -> None:
    assert "hunter22" not in clean("https://bob:hunter22@example.com/repo")


@given(st.text())
def test_no_text_makes_the_fields_fail(text: str) -> None:
    assert isinstance(network_of(text) + address_of(text) + agent_of(text) + clean(text), str)
    assert interactive_agent(text) in (True, False)
    with contextlib.suppress(Unreadable):
        time_of(text, "t")


def test_a_name_that_is_too_long_for_one_is_known_by_its_digest() -> None:
    assert name_in({"name": "n" * 2048}, "name") == "n" * 2048
    found = {name_in({"name": sign * 2049}, "name") for sign in ("m", "n")}
    assert len(found) == 2
    assert max(map(len, found)) < 100


@pytest.mark.parametrize("found", [True, -1, 2**64, 1.5, [], "i" * 2049])
def test_what_is_no_id_is_refused(found: object) -> None:
    assert [id_in({"id": each}, "id") for each in (None, 5, "5")] == ["", "5", "5"]
    with pytest.raises(Unreadable):
        id_in({"id": found}, "id")


def test_a_record_without_an_id_that_is_nested_too_deeply_is_refused() -> None:
    record: dict[str, object] = {}
    for _ in range(20_000):
        record = {"in": record}
    with pytest.raises(Unreadable):
        id_of("", record, place())


def test_addresses_of_version_4_are_read_as_the_standard_library_reads_them() -> None:
    chance = random.Random(1)
    pieces = ["0", "1", "127", "169", "254", "10", "255", "256", "01", "99", "a", ""]
    for _ in range(3_000):
        raw = ".".join(chance.choice([*pieces, str(chance.randrange(300))]) for _ in range(4))
        try:
            found = ipaddress.IPv4Address(raw)
        except ValueError:
            assert (address_of(raw), network_of(raw)) == ("", "")
            continue
        own = found.is_loopback or found.is_link_local or found.is_unspecified
        assert address_of(raw) == str(found)
        assert network_of(raw) == ("" if own else str(ipaddress.ip_network(f"{raw}/24", strict=False)))
