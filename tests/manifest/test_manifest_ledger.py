"""The manifest's `ledger:` section: what it says by default, and what is refused, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from licet import Guard
from licet.errors import ManifestError
from licet.ledger.note import COSIGNATURE, NoteKey
from licet.manifest import loads

BASE = "licet: 1\nenvironment: dev\nagents: {bot: {tasks: [w]}}\ntools: {t: {access: read, egress: false}}\ntasks: {w: {intent: x, ttl: 1m, tools: {t: {}}}}\n"
KEY = str(NoteKey("witness.example", bytes(range(32)), COSIGNATURE))
OF_A_LOG = str(NoteKey("log.example", bytes(range(32))))
URL = "'https://w.example'"
BAD = {
    "no unit": ("{flush_every: 50}", "ledger.flush_every", "50ms"),
    "nothing": ("{flush_every: 0ms}", "ledger.flush_every", "50ms"),
    "too long": ("{flush_every: 11s}", "ledger.flush_every", "at most 10 s"),
    "too long a checkpoint": ("{checkpoint_every: 61m}", "ledger.checkpoint_every", "at most 1 h"),
    "a name with a scheme": ("{origin: https://acme.example/x}", "ledger.origin", "an address without scheme"),
    "a name with a space": ("{origin: acme support}", "ledger.origin", "without spaces"),
    "a name with a plus": ("{origin: acme+support}", "ledger.origin", "without `+`"),
    "no name": ('{origin: ""}', "ledger.origin", "1 to 200 printable"),
    "unknown": ("{flush_evry: 1s}", "ledger.flush_evry", "did you mean `flush_every`"),
    "another word": ("{durable: always}", "ledger.durable", "`write` or `none`"),
    "without TLS": (f"{{witnesses: [{{url: 'http://w.example', key: {KEY}}}]}}", "ledger.witnesses.0.url", "https"),
    "no key": (f"{{witnesses: [{{url: {URL}}}]}}", "ledger.witnesses.0.key", "missing"),
    "a key that is none": (f"{{witnesses: [{{url: {URL}, key: abc}}]}}", "ledger.witnesses.0.key", "must match"),
    "the key of a log": (f"{{witnesses: [{{url: {URL}, key: {OF_A_LOG}}}]}}", "ledger.witnesses.0.key", "key of a log"),
    "a key with another name": (f"{{witnesses: [{{url: {URL}, key: x{KEY}}}]}}", "ledger.witnesses.0.key", "id is not its own"),
    "a short key": (f"{{witnesses: [{{url: {URL}, key: w+00000000+BAAA}}]}}", "ledger.witnesses.0.key", "Ed25519"),
    "a key that is no base64": (f"{{witnesses: [{{url: {URL}, key: w+00000000+BAAAA}}]}}", "ledger.witnesses.0.key", "base64"),
    "twice": (f"{{witnesses: [{{url: {URL}, key: {KEY}}}, {{url: {URL}, key: {KEY}}}]}}", "ledger.witnesses.1.key", "stands here twice"),
    "itself": (f"{{origin: witness.example, witnesses: [{{url: {URL}, key: {KEY}}}]}}", "ledger.witnesses.0.key", "own name"),
    "null": ("null", "ledger", "nothing stands here"),
}


def test_left_out_it_says_what_the_page_says() -> None:
    found = loads(BASE).ledger
    assert (found.flush_seconds, found.checkpoint_seconds, found.origin, found.durable, found.witnesses) == (0.05, 1.0, None, None, ())
    assert loads(BASE).digest == loads(BASE + "# a comment\n").digest


def test_what_it_says_holds(tmp_path: Path) -> None:
    """Intervals in seconds; the log has the name; a tool without `durable:` follows the section, and not the environment."""
    text = f"ledger: {{flush_every: 5ms, checkpoint_every: 2m, origin: ledger.example/a, durable: write, witnesses: [{{url: {URL}, key: {KEY}}}]}}\n"
    manifest = loads(BASE.replace("access: read", "access: write") + text)
    assert (manifest.ledger.flush_seconds, manifest.ledger.checkpoint_seconds) == (0.005, 120.0)
    assert [witness.key for witness in manifest.ledger.witnesses] == [KEY]
    with Guard(manifest, state=tmp_path) as guard:
        assert guard._gate._durable(guard.manifest.tools["t"])
        assert guard._ledger.seal().startswith("ledger.example/a\n")
    none = loads(
        (BASE.replace("access: read", "access: write") + "ledger: {durable: none}\n").replace("environment: dev", "environment: prod")
    )
    with Guard(none, state=tmp_path / "other") as guard:
        assert not guard._gate._durable(guard.manifest.tools["t"])


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_said_with_its_line_and_key(case: str) -> None:
    text, key, why = BAD[case]
    with pytest.raises(ManifestError) as refused:
        loads(f"{BASE}ledger: {text}\n")
    assert "<text>:6:" in str(refused.value)
    assert f"`{key}`" in str(refused.value)
    assert why in str(refused.value)
