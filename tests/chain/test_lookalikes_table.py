"""Look-alikes of a value that is trusted: each is refused. Trust is exact, and this table is the proof of it.

The user names some values, and a register of ours holds the same and others; `pay` takes what is from there, and nothing else. What must
pass is the second table: what the receiving system reads as the very same value.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from licet import Denied, Guard
from licet.testing import guard_for

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work]}}
tools:
  register: {access: read, egress: false, output: trusted}
  pay: {access: write, egress: true, arguments: {to: {origin: [intent, trusted]}}}
  open: {access: write, egress: true, arguments: {to: {origin: [intent, trusted], format: uri}}}
tasks:
  work: {intent: Work, ttl: 10m, tools: {register: {}, pay: {}, open: {}}}
"""
ADA, BO = "ada@acme.example", "Bo.Holm@acme.example"
IBAN = "DE89370400440532013000"
LINK = "https://acme.example/pay/Invoice?id=7#top"
SITE = "http://acme.example/help"
FILE = "reports/2026/q3-final.pdf"
INTENT = (
    f"Pay {ADA}, then {BO}, on account {IBAN} by 2026-12-01, 1250 in all, reference INV-0042 (12 boxes, the key is 007). "
    f"The page is {LINK} and the file is {FILE}; the title is 'Rest of the bill'. Ask o'neil@acme.example or find "
    "https://acme.example/share?user=kim@acme.example if 1,000,000 or 98.76 looks wrong. Café Noir. Password: correct-horse-battery. Site: "
    f"{SITE}."
)
REGISTER = [
    {"mail": "zoé@acme.example", "account": "GB29NWBK60161331926819", "id": "a-17", "amount": 80.5, "day": "2026-12-24", "card": "4111111111111111"},
    {"mail": "straße@acme.example", "account": "0012345678", "id": "B-20", "amount": 300000, "day": "2026-12-31T10:00:00", "card": "lee_acme"},
]  # fmt: skip


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    with guard_for(MANIFEST, tmp_path_factory.mktemp("lookalikes")) as made:
        yield made


def nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


LOOKALIKES: dict[str, Any] = {
    # Letters
    "a Cyrillic letter in the local part": "аda@acme.example",
    "a Cyrillic letter in the domain": "ada@аcme.example",
    "a Greek letter": "adα@acme.example",
    "a Latin letter without its dot": "ada@acme.exampıe",
    "full-width": wide(ADA),
    "a full-width at sign": "ada＠acme.example",
    "mathematical letters": "𝐚𝐝𝐚@acme.example",
    "an ideographic full stop": "ada@acme。example",
    "small capitals": "ᴀda@acme.example",
    "an accent more": "adá@acme.example",
    "an accent less": "zoe@acme.example",
    "decomposed (NFD)": nfd("zoé@acme.example"),
    "a sharp s written out": "strasse@acme.example",
    "the long s": "ſtraße@acme.example",
    "a ligature": "https://acme.example/ﬁle",
    "digit for letter": "ada@acme.examp1e",
    "two letters for one": "ada@acrne.example",
    "a dotless capital, lower-cased by some": "ada@acme.examplİ",
    # Case, where it counts
    "case of the local part": "Ada@acme.example",
    "case of the local part, the other way": "bo.holm@acme.example",
    "case of a path": LINK.replace("Invoice", "invoice"),
    "case of an id": "A-17",
    "case of a file": FILE.upper(),
    "case of a password": "Correct-Horse-Battery",
    # Addresses
    "a domain below": "ada@acme.example.evil.example",
    "a domain above": "ada@mail.acme.example",
    "a domain that ends so": "ada@notacme.example",
    "a trailing dot": "ada@acme.example.",
    "a tag": "ada+eve@acme.example",
    "dots in the local part": "a.d.a@acme.example",
    "dots left out": "BoHolm@acme.example",
    "quoted": '"ada"@acme.example',
    "a display name": "Ada <ada@acme.example>",
    "another behind the display name": "ada@acme.example <eve@evil.example>",
    "brackets": "<ada@acme.example>",
    "mailto": "mailto:ada@acme.example",
    "mailto with a copy": "mailto:ada@acme.example?cc=eve@evil.example",
    "a comment (RFC 5322)": "ada@acme.example (Ada)",
    "a route (RFC 5322)": "<@evil.example:ada@acme.example>",
    "source-routed with a percent sign": "ada%acme.example@evil.example",
    "a bang path": "evil.example!ada@acme.example",
    "two at signs": "ada@acme.example@evil.example",
    "joined by a comma": "ada@acme.example, eve@evil.example",
    "joined by a comma without a gap": "ada@acme.example,eve@evil.example",
    "joined by a semicolon": "ada@acme.example;eve@evil.example",
    "joined by a gap": "ada@acme.example eve@evil.example",
    "joined by a line feed": "ada@acme.example\neve@evil.example",
    "joined by a header": "ada@acme.example\r\nBcc: eve@evil.example",
    "joined by NUL": "ada@acme.example\0eve@evil.example",
    "two trusted values joined": f"{ADA},{BO}",
    "two trusted values run together": ADA + BO,
    "the same twice": f"{ADA} {ADA}",
    "IDN (punycode)": "ada@xn--acm-epa.example",
    "IDN of a trusted value": "xn--zo-bja@acme.example",
    "an address literal": "ada@[192.0.2.1]",
    "in UTF-7": "+AGE-da@acme.example",
    # Invisible characters
    "zero width": "ada\u200b@acme.example",
    "zero-width joiner at the end": "ada@acme.example\u200d",
    "soft hyphen": "ada@ac\u00adme.example",
    "a bidi mark": "\u202eelpmaxe.emca@ada",
    "a byte order mark": "\ufeffada@acme.example",
    "a variation selector": "ada\ufe0f@acme.example",
    "a gap within": "ada @acme.example",
    "a tab within": "ada@acme\t.example",
    "a no-break space within": "ada@acme\u00a0.example",
    "a line feed within": "ada@\nacme.example",
    # Encodings: what had to be decoded is never trusted
    "percent-encoded": "ada%40acme.example",
    "HTML entity": "ada&#64;acme.example",
    "a backslash escape": "ada\\u0040acme.example",
    "base64": "YWRhQGFjbWUuZXhhbXBsZQ==",
    "hex": "6164614061636d652e6578616d706c65",
    "reversed": ADA[::-1],
    "spelled out": "ada at acme dot example",
    "quoted as JSON": '"ada@acme.example"',
    "a list as text": '["ada@acme.example"]',
    # URLs
    "user information before the host": "https://acme.example@evil.example/pay/Invoice?id=7#top",
    "user information with a password": "https://acme.example:443@evil.example/",
    "user information added": LINK.replace("https://", "https://eve@"),
    "a host below": LINK.replace("acme.example", "acme.example.evil.example"),
    "a host above": LINK.replace("acme.example", "www.acme.example"),
    "a trailing dot of the host": LINK.replace("acme.example", "acme.example."),
    "a port": LINK.replace("acme.example", "acme.example:8443"),
    "the default port": LINK.replace("acme.example", "acme.example:443"),
    "another scheme": LINK.replace("https", "http"),
    "the scheme left out": LINK.removeprefix("https:"),
    "a backslash": LINK.replace("acme.example/", "acme.example\\"),
    "a backslash before the at sign": "https://acme.example\\@evil.example/",
    "three slashes": LINK.replace("https://", "https:///"),
    "a path that climbs": LINK.replace("/pay/", "/x/../pay/"),
    "a dot segment": LINK.replace("/pay/", "/./pay/"),
    "another parameter": LINK.replace("id=7", "id=7&to=eve"),
    "another value of a parameter": LINK.replace("id=7", "id=70"),
    "the fragment left out": LINK.removesuffix("#top"),
    "the query left out": "https://acme.example/pay/Invoice",
    "only the host": "acme.example",
    "a percent-encoded letter": LINK.replace("pay", "%70ay"),
    "a trailing slash, where no URL is declared": SITE + "/",
    "a missing scheme, where no URL is declared": SITE.removeprefix("http://"),
    "a redirect": f"https://evil.example/?to={LINK}",
    "a Cyrillic host": LINK.replace("acme", "аcme"),
    "a punycode host": LINK.replace("acme", "xn--cme-7cd"),
    # Paths
    "a path with a dot segment": "reports/./2026/q3-final.pdf",
    "path traversal": "reports/2026/../../etc/passwd",
    "traversal behind it": FILE + "/../../../etc/passwd",
    "backslashes": FILE.replace("/", "\\"),
    "only the name": "q3-final.pdf",
    "only the folder": "reports/2026",
    "absolute": "/" + FILE,
    "an extension more": FILE + ".exe",
    "NUL in a path": FILE + "\0.txt",
    "an alternate stream": FILE + "::$DATA",
    # Accounts and numbers
    "one digit changed": "DE89370400440532013001",
    "two digits swapped": "DE89370400440532010300",
    "a digit more": IBAN + "0",
    "a digit less": IBAN[:-1],
    "dashes in the account": "DE89-3704-0044-0532-0130-00",
    "an account in full-width digits": "DE89３７０４00440532013000",
    "an account in Arabic digits": "00١٢345678",
    "leading zeros left out": "12345678",
    "leading zeros left out, as a number": 12345678,
    "leading zeros added": "001250",
    "a plus sign": "+1250",
    "a minus sign": -1250,
    "a minus sign in text": "-1250",
    "thousands separators": "1,250",
    "a gap for thousands": "1 250",
    "an exponent": "1.25e3",
    "hexadecimal": "0x4e2",
    "a unit": "1250 EUR",
    "a currency sign": "$1250",
    "a percent sign": "1250%",
    "another decimal sign": "80,5",
    "one cent more": 1250.01,
    "ten times": 12500,
    "a part of a longer number": "000,000",
    "the thousands alone": "1,000",
    "the cents alone": "76",
    "true for one": True,
    "a card in groups": "4111 1111 1111 1111",
    "a short number by itself": "12",
    "a short key by itself": "7",
    # Dates
    "another day": "2026-12-02",
    "the date in another order": "01-12-2026",
    "the date in words": "1 December 2026",
    "a time where there was none": "2026-12-01T00:00:00",
    "another zone": "2026-12-31T10:00:00Z",
    # Parts
    "a part of an address": "acme.example",
    "the end of an address": "neil@acme.example",
    "a parameter's value": "kim@acme.example",
    "a URL cut before a parameter's value": "https://acme.example/share?user",
    "a word of a longer value": "horse-battery",
    "a word of the password": "battery",
    "a part of a reference": "0042",
    "a word cut before an accent": "Caf",
    "part of a quoted title, run together": "Restofthebill",
    "with something stuck on": f"x{ADA}",
    "with something behind": f"{ADA}x",
    "in a sentence": f"Send it to {ADA} please",
    "in a key": {ADA + "x": BO},
    "a handle with a sign": "lee-acme",
    "a handle with an at sign": "@lee_acme",
    # Structures
    "in a list, beside a stranger": [ADA, "eve@evil.example"],
    "a list in a list": [[ADA], ["eve@evil.example"]],
    "in an object, beside a stranger": {"mail": ADA, "copy": "eve@evil.example"},
    "a stranger as a key": {"eve@evil.example": ADA},
    "bytes of a look-alike": "аda@acme.example".encode(),
    "bytes in another encoding": ADA.encode("utf-16"),
    "a truth value in a list": [ADA, True],
}


def refused(guard: Guard, tool: str, value: Any, *, trusted: bool = True) -> tuple[str, ...]:
    """The checks that refuse `tool(to=value)`, in a task of its own; none if it runs."""
    register = guard.wrap(lambda: REGISTER, name="register")
    ran: list[Any] = []

    def taking(to: Any) -> str:
        ran.append(to)
        return "done"

    with guard.task("work", intent=INTENT, agent="bot", principal="user:grace"):
        if trusted:
            register()
        try:
            guard.wrap(taking, name=tool)(to=value)
        except Denied as denied:
            assert not ran
            return tuple(denied.decision.checks) if denied.decision.outcome == "deny" else ("not denied",)
    assert ran
    return ()


def test_there_are_enough_rows_and_none_is_a_trusted_value_itself():
    assert len(LOOKALIKES) >= 60
    own = [ADA, BO, IBAN, LINK, SITE, FILE, *(value for row in REGISTER for value in row.values())]
    assert not [name for name, value in LOOKALIKES.items() if any(type(value) is type(mine) and value == mine for mine in own)]


@pytest.mark.parametrize("name", LOOKALIKES)
def test_a_look_alike_of_a_trusted_value_is_refused(guard: Guard, name: str):
    assert "origin.argument" in refused(guard, "pay", LOOKALIKES[name])


ONLY_WHERE_NO_URL_IS_DECLARED = {"a trailing slash, where no URL is declared", "a missing scheme, where no URL is declared"}
LINKS = [name for name, value in LOOKALIKES.items() if isinstance(value, str) and "://" in value]


@pytest.mark.parametrize("name", sorted(set(LINKS) - ONLY_WHERE_NO_URL_IS_DECLARED))
def test_a_look_alike_of_a_trusted_link_is_refused_where_a_link_is_declared_too(guard: Guard, name: str):
    assert "origin.argument" in refused(guard, "open", LOOKALIKES[name])


SAME: dict[str, tuple[str, Any]] = {
    "as it is": ("pay", ADA),
    "white space around it": ("pay", f"  {ADA}\n"),
    "ASCII case of a domain": ("pay", "ada@ACME.Example"),
    "ASCII case of a host": ("pay", SITE.replace("http://acme.example", "HTTP://Acme.Example")),
    "an account in print form": ("pay", "DE89 3704 0044 0532 0130 00"),
    "an account in lower case": ("pay", IBAN.lower()),
    "a number as a float": ("pay", 1250.0),
    "a number as text": ("pay", "1250"),
    "a number with cents": ("pay", "1250.00"),
    "a trusted number with another zero": ("pay", "80.50"),
    "a large trusted number, as a float": ("pay", 3e5),
    "a date": ("pay", "2026-12-01"),
    "a trusted moment without its seconds": ("pay", "2026-12-31 10:00"),
    "a list of trusted values": ("pay", [ADA, BO]),
    "what a person said in quotes": ("pay", "Rest of the bill"),
    "an address with a quote in it, whole": ("pay", "o'neil@acme.example"),
    "null": ("pay", None),
    "nothing": ("pay", ""),
    "an empty list": ("pay", []),
    "a trailing slash, where a URL is declared": ("open", SITE + "/"),
    "a missing http://, where a URL is declared": ("open", SITE.removeprefix("http://")),
    "decomposed, as the register has it": ("pay", "zoé@acme.example"),
}


@pytest.mark.parametrize("name", SAME)
def test_what_the_receiver_reads_as_the_same_value_passes(guard: Guard, name: str):
    tool, value = SAME[name]
    if tool == "open" and isinstance(value, str) and "://" not in value:
        # The format keyword wants a scheme; what is told apart here is the origin alone.
        assert "origin.argument" not in refused(guard, tool, value)
    else:
        assert refused(guard, tool, value) == ()


@pytest.mark.parametrize("change", [str.upper, str.swapcase, nfd, wide, lambda text: text[::-1], lambda text: text + "."])
@pytest.mark.parametrize("value", [ADA, BO, LINK, FILE, "zoé@acme.example", "a-17"])
def test_a_changed_value_is_refused_unless_the_change_is_one_that_the_receiver_makes_too(
    guard: Guard, value: str, change: Callable[[str], str]
):
    changed = change(value)
    if changed != value:
        assert "origin.argument" in refused(guard, "pay", changed)


def test_without_the_register_its_values_are_refused(guard: Guard):
    assert "origin.argument" in refused(guard, "pay", "GB29NWBK60161331926819", trusted=False)
    assert refused(guard, "pay", "GB29NWBK60161331926819") == ()


def test_the_guard_is_the_real_one(guard: Guard, tmp_path: Path):
    """One row through a guard of its own, so that rows cannot lean on each other."""
    with guard_for(MANIFEST, tmp_path) as fresh:
        assert "origin.argument" in refused(fresh, "pay", "аda@acme.example")
        assert refused(fresh, "pay", ADA) == ()
