"""`licet keys`: what each key does, and what changes when one is made or taken out."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import evidence
from licet import Guard
from licet.cli import main
from licet.machine import user_name
from licet.store import SqliteStore
from licet.tokens import KeyRing, SigningKey
from licet.tokens.ring import DRAIN_SECONDS, PUBLISH_SECONDS
from state_fixture import manifest_in

Out = pytest.CaptureFixture[str]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that a guard has used."""
    folder = tmp_path / "state"
    monkeypatch.setenv("LICET_STATE", str(folder))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("LICET_SIGNING_KEY", raising=False)
    Guard.from_file(manifest_in(tmp_path), state=folder).close()
    return folder


def listed(capsys: Out) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert main(["keys", "list", "--json"]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["keys"]
    return found


def records(state: Path, kind: str) -> list[dict[str, Any]]:
    if not (state / "ledger").exists():
        return []
    evidence.whole(state)
    return evidence.records(state, kind)


def ring_bytes(state: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (state / "keys").iterdir() if path.is_file()}


def test_list_names_the_key_that_signs(state: Path, capsys: Out) -> None:
    (key,) = listed(capsys)
    assert (key["alg"], key["state"], key["source"], key["used"]) == ("EdDSA", "signing", "folder", True)
    assert (key["until"], key["published_until"]) == (None, None)
    assert main(["keys", "list"]) == 0
    assert capsys.readouterr().out == f"signing   EdDSA  {key['kid']}  signs since {key['since']}\n"


def test_a_rotation_says_what_happens_when_and_is_recorded(state: Path, capsys: Out) -> None:
    (old,) = listed(capsys)
    assert main(["keys", "rotate"]) == 0
    out = capsys.readouterr().out
    before, after = listed(capsys)
    assert (before["state"], after["state"]) == ("signing", "next")
    assert f"{after['kid']} (EdDSA) is published now, and signs from {after['since']} (in 15 min)" in out
    assert f"{old['kid']} signs until {before['until']}, and is published until {before['published_until']}" in out
    assert before["until"] == after["since"]
    (record,) = records(state, "key.rotate")
    assert (record["key"], record["alg"], record["by"]) == (after["kid"], "EdDSA", f"command line, {user_name()}")
    assert main(["keys", "list"]) == 0
    assert "next      EdDSA" in capsys.readouterr().out


@pytest.mark.parametrize("alg", [None, "EdDSA", "ES256", "RS256"])
def test_the_first_keys_of_a_folder_that_no_guard_has_used_sign_at_once(
    alg: str | None, tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a service with `federation:` starts at the first time. A call token's key is there with every other."""
    folder = tmp_path / "new" / "state"
    monkeypatch.setenv("LICET_STATE", str(folder))
    monkeypatch.delenv("LICET_SIGNING_KEY", raising=False)
    assert main(["keys", "rotate", *(["--alg", alg] if alg else []), "--json"]) == 0
    out, err = capsys.readouterr()
    assert f"there were no keys in {folder / 'keys'} before" in err
    told = json.loads(out)
    wanted = {None: ["EdDSA"], "RS256": ["EdDSA", "RS256"]}.get(alg, [alg])
    assert [(key["alg"], key["state"]) for key in listed(capsys)] == [(each, "signing") for each in wanted]
    assert (told["key"]["alg"], told["replaces"]) == (wanted[-1], [])
    assert [each["key"] for each in records(folder, "key.rotate")] == [key["kid"] for key in listed(capsys)]
    with closing(Guard.from_file(manifest_in(tmp_path), state=folder)) as guard:
        assert [key["kid"] for key in guard.jwks()["keys"]] == [key["kid"] for key in listed(capsys)]
    assert main(["keys", "rotate"]) == 0
    assert "there were no keys" not in capsys.readouterr().err


def test_a_rotation_at_once_says_who_may_be_too_late(state: Path, capsys: Out) -> None:
    assert main(["keys", "rotate", "--now", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["key"]["state"] == "signing"
    assert [key["state"] for key in made["replaces"]] == ["retiring"]
    assert main(["keys", "rotate", "--alg", "ES256", "--wait", "1m"]) == 0
    out, err = capsys.readouterr()
    assert "(ES256) is published now, and signs from" in out
    assert "for 15 min may not know the new key by then" in err
    assert [(key["alg"], key["state"]) for key in listed(capsys)] == [("EdDSA", "retiring"), ("EdDSA", "signing"), ("ES256", "next")]


def test_a_second_rotation_waits_for_the_first_and_leaves_no_record(state: Path, capsys: Out) -> None:
    main(["keys", "rotate"])
    kept = ring_bytes(state)
    assert main(["keys", "rotate"]) == 2
    assert "is published already and does not sign yet" in capsys.readouterr().err
    assert len(records(state, "key.rotate")) == 1
    assert ring_bytes(state) == kept


def test_a_rotation_at_once_lets_the_key_that_waits_sign(state: Path, capsys: Out) -> None:
    """What is to be done when the key that signs is lost while an ordinary rotation is under way."""
    main(["keys", "rotate"])
    old, waiting = listed(capsys)
    assert main(["keys", "rotate"]) == 2
    assert "or let it sign now: `licet keys rotate --now`" in capsys.readouterr().err
    assert main(["keys", "retire", "--compromised", "--reason", "lost", "--", old["kid"]]) == 2
    err = capsys.readouterr().err
    assert "let the one that waits sign first: `licet keys rotate --now`, then `licet keys retire --compromised --reason TEXT " in err
    assert main(["keys", "rotate", "--now"]) == 0
    out, err = capsys.readouterr()
    assert f"{waiting['kid']} (EdDSA) waited already; it waits no more, and signs from now on" in out
    retiring, signing = listed(capsys)
    assert (retiring["kid"], retiring["state"], signing["kid"], signing["state"]) == (old["kid"], "retiring", waiting["kid"], "signing")
    assert f"{old['kid']} signs until {retiring['until']}, and is published until {retiring['published_until']}" in out
    assert "for 15 min may not know the new key by then" in err
    promoted = records(state, "key.rotate")[-1]
    assert (promoted["key"], promoted["signs"]) == (waiting["kid"], signing["since"])
    assert main(["keys", "retire", "--compromised", "--reason", "lost", "--", old["kid"]]) == 0
    assert [key["state"] for key in listed(capsys)] == ["gone", "signing"]
    main(["keys", "rotate"])
    capsys.readouterr()
    assert main(["keys", "rotate", "--now", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["promoted"], [key["kid"] for key in told["replaces"]]) == (True, [waiting["kid"]])


@pytest.mark.parametrize("words", [["rotate", "--now"], ["retire", "--", "KID"]])
def test_what_the_ledger_cannot_take_does_not_happen(words: list[str], state: Path, capsys: Out) -> None:
    main(["keys", "rotate", "--now"])
    kid = listed(capsys)[0]["kid"]
    (segment,) = (state / "ledger" / "live").iterdir()
    segment.unlink()
    segment.mkdir()
    kept = ring_bytes(state)
    assert main(["keys", *(kid if word == "KID" else word for word in words)]) == 2
    assert ring_bytes(state) == kept


@pytest.mark.parametrize("time_", ["0s", "x", "15", "-1m", "99999d", "\x1b[2J"])
def test_a_time_that_is_none_exits_2(time_: str, state: Path, capsys: Out) -> None:
    assert main(["keys", "rotate", f"--wait={time_}"]) == 2
    assert "\x1b" not in capsys.readouterr().err
    assert len(listed(capsys)) == 1


def test_the_only_key_cannot_be_retired(state: Path, capsys: Out) -> None:
    (key,) = listed(capsys)
    assert main(["keys", "retire", "--", key["kid"]]) == 2
    assert "make another first: `licet keys rotate --now`" in capsys.readouterr().err
    assert listed(capsys) == [key]
    assert records(state, "key.retire") == []


def test_a_retired_key_stays_published_until_its_tokens_are_dead(state: Path, capsys: Out) -> None:
    main(["keys", "rotate", "--now"])
    old = listed(capsys)[0]
    assert main(["keys", "retire", "--", old["kid"][:8]]) == 0
    assert f"{old['kid']} signs no more, and is published until " in capsys.readouterr().out
    assert listed(capsys)[0]["state"] == "retiring"
    (record,) = records(state, "key.retire")
    assert (record["key"], record["compromised"], record["by"]) == (old["kid"], False, f"command line, {user_name()}")
    with closing(SqliteStore(state / "licet.db")) as store:
        assert store.revoked([("key", old["kid"])], time.time()) is None


def test_a_compromised_key_is_gone_at_once_and_on_the_deny_list(state: Path, capsys: Out) -> None:
    main(["keys", "rotate", "--now"])
    old = listed(capsys)[0]
    assert main(["keys", "retire", "--compromised", "--", old["kid"]]) == 2
    assert "needs a --reason" in capsys.readouterr().err
    assert main(["keys", "retire", "--compromised", "--reason", "laptop lost\x1b[2J", "--", old["kid"]]) == 0
    out = capsys.readouterr().out
    assert "published no more" in out
    assert listed(capsys)[0]["state"] == "gone"
    main(["keys", "jwks"])
    assert old["kid"] not in capsys.readouterr().out
    with closing(SqliteStore(state / "licet.db")) as store:
        entry = store.revoked([("key", old["kid"])], time.time() + 365 * 86_400)
    assert entry is not None
    assert (entry.reason, entry.by) == ("laptop lost\\u{1b}[2J", f"command line, {user_name()}")
    assert records(state, "key.retire")[0]["why"] == "laptop lost\\u{1b}[2J"


def test_a_key_that_is_not_there_exits_2_and_names_the_list(state: Path, capsys: Out) -> None:
    for name in ("", "zz", "\x1b[2J", "%"):
        assert main(["keys", "retire", name]) == 2
        assert "\x1b" not in capsys.readouterr().err


def test_a_beginning_of_two_kids_exits_2(state: Path, capsys: Out) -> None:
    ring = KeyRing(state / "keys", now=time.time())
    kids = [key.kid for key in ring.keys()]  # noqa: SIM118
    while len({kid[0] for kid in kids}) == len(kids):  # 64 characters: two of 65 keys begin with one
        kids.append(ring.rotate(time.time(), wait=0).kid)
    first = next(kid[0] for kid in kids if sum(other[0] == kid[0] for other in kids) > 1)
    assert main(["keys", "retire", "--", first]) == 2
    assert "begins more than one id" in capsys.readouterr().err


def test_a_folder_without_keys_stays_without_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.delenv("LICET_SIGNING_KEY", raising=False)
    folder = tmp_path / "state"
    (folder / "keys").mkdir(mode=0o700, parents=True)
    folder.chmod(0o700)
    for words in (["list"], ["jwks"], ["retire", "x"]):
        assert main(["keys", *words, "--state", str(folder)]) == 2
        assert "there is no key here yet" in capsys.readouterr().err
    assert list((folder / "keys").iterdir()) == []


def test_a_key_from_before_there_was_a_ring_is_shown_and_the_ring_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    folder = tmp_path / "state"
    (folder / "keys").mkdir(mode=0o700, parents=True)
    folder.chmod(0o700)
    key = SigningKey.generate()
    (folder / "keys" / "call-token.pem").write_bytes(key.pem())
    (folder / "keys" / "call-token.pem").chmod(0o600)
    monkeypatch.setenv("LICET_STATE", str(folder))
    assert [found["kid"] for found in listed(capsys)] == [key.kid]
    assert [path.name for path in (folder / "keys").iterdir()] == ["call-token.pem"]


def test_a_key_of_the_environment_is_shown_and_not_rotated_here(state: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    kept = ring_bytes(state)
    held = SigningKey.generate("ES256")
    monkeypatch.setenv("LICET_SIGNING_KEY", held.pem().decode().replace("\n", "\\n"))
    assert [(key["kid"] == held.kid, key["source"], key["used"]) for key in listed(capsys)] == [
        (True, "LICET_SIGNING_KEY", True),
        (False, "folder", False),
    ]
    main(["keys", "list"])
    out = capsys.readouterr().out
    assert f"{held.kid}  from LICET_SIGNING_KEY" in out
    assert "are not used while LICET_SIGNING_KEY is set" in out
    main(["keys", "jwks"])
    assert [key["kid"] for key in json.loads(capsys.readouterr().out)["keys"]] == [held.kid]
    for words in (["rotate"], ["retire", "--", held.kid]):
        assert main(["keys", *words]) == 2
        assert "the key comes from LICET_SIGNING_KEY, and is not kept here" in capsys.readouterr().err
    assert ring_bytes(state) == kept
    monkeypatch.setenv("LICET_STATE", str(state.parent / "nowhere"))
    assert [key["kid"] for key in listed(capsys)] == [held.kid]
    assert not (state.parent / "nowhere").exists()


def test_no_command_prints_a_private_key(state: Path, capsys: Out) -> None:
    for words in (["list"], ["list", "--json"], ["rotate", "--json"], ["rotate", "--alg", "RS256"], ["jwks"]):
        assert main(["keys", *words]) == 0
    out, err = capsys.readouterr()
    for path in (state / "keys").glob("*.pem"):
        secret = path.read_text(encoding="ascii").splitlines()[1]
        assert len(secret) > 40
        assert secret not in out + err
    assert '"d"' not in out


def test_a_rotation_in_time_follows_the_ring(state: Path, capsys: Out) -> None:
    """The times that are told are the ring's own: published 15 minutes before it signs, and the old one 7 minutes after."""
    began = time.time()
    main(["keys", "rotate", "--json"])
    ring = KeyRing(state / "keys", now=time.time(), create=False)
    old, new = ring.keys()
    assert new.signs - PUBLISH_SECONDS >= began
    assert old.published_until == new.signs + DRAIN_SECONDS
    assert [key["kid"] for key in ring.published(new.signs)] == [old.kid, new.kid]
    signer = ring.signer(new.signs, ("EdDSA",))
    assert signer is not None
    assert signer.kid == new.kid
