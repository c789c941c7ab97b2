"""The key ring: which key signs and which are published is a matter of reading a clock, the same in every process."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from licet.errors import KeyFileError, LicetError, UsageError
from licet.records import Decision, TaskRecord, ToolCall
from licet.testing import guard_for
from licet.tokens import FixedKeys, Issuer, KeyRing, KeySet, MemoryState, Minting, Signer, SigningKey, Verifier, ring
from licet.tokens.algorithms import OURS
from licet.tokens.claims import MAX_SECONDS
from licet.tokens.ring import DRAIN_SECONDS, FIRST, PUBLISH_SECONDS, RING
from licet.tokens.verifier import MAX_SKEW

NOW = 1_795_300_000.0
MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work]}}
tools: {send: {access: write, egress: true, arguments: {to: {origin: [intent, trusted, nowhere]}}}}
tasks: {work: {intent: Work, ttl: 10m, tools: {send: {}}}}
"""


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process's change is looked for at every call, so that nothing here waits."""
    monkeypatch.setattr(ring, "LOOK_SECONDS", 0.0)
    monkeypatch.delenv("LICET_SIGNING_KEY", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "keys"
    made.mkdir(mode=0o700)
    return made


def signs(keys: KeyRing, now: float) -> str:
    found = keys.signer(now, OURS)
    assert found is not None
    return found.kid


def kids(keys: KeyRing, now: float) -> set[str]:
    return {str(jwk["kid"]) for jwk in keys.published(now)}


def put(path: Path, data: bytes, mode: int = 0o600) -> None:
    path.write_bytes(data)
    path.chmod(mode)


def minted(issuer: Issuer, now: float) -> str:
    call = Minting(
        tool="send", audience="urn:x", args_digest="sha256:0", expires=now + 600, step=1, purpose="", intent_digest="sha256:0",
        actors=["a"], context={},
    )  # fmt: skip
    return issuer.mint(Decision("allow"), TaskRecord("t", "k", "a", "p", "i", "m", now, 600.0), call, now=now).jwt


def signature_holds(token: str, published: list[Any]) -> bool:
    """As a stranger sees it: PyJWT, and the set as it is published."""
    key = jwt.PyJWKSet.from_dict({"keys": [dict(jwk) for jwk in published]})[jwt.get_unverified_header(token)["kid"]]
    jwt.decode(token, key, algorithms=[*OURS, "RS256"], options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False})  # fmt: skip
    return True


# The first key ---------------------------------------------------------------------------------------------------------------


def test_a_folders_first_key_signs_at_once_and_is_taken_up_again(folder: Path):
    first, again = KeyRing(folder, now=NOW), KeyRing(folder, now=NOW + 10_000)
    assert first.name == signs(first, NOW) == signs(again, NOW + 10_000) == again.name
    assert kids(first, NOW) == {first.name}
    assert [path.stat().st_mode & 0o777 for path in (folder / FIRST, folder / RING)] == [0o600, 0o600]


def test_a_key_that_is_older_than_the_ring_is_taken_up(folder: Path):
    """What was signed before there was a ring still verifies, and the issuer keeps its name."""
    old = SigningKey.generate()
    put(folder / FIRST, old.pem())
    keys = KeyRing(folder, now=NOW)
    assert (keys.name, signs(keys, 0.0), kids(keys, 0.0)) == (old.kid, old.kid, {old.kid})


def test_a_ring_that_was_moved_away_takes_up_the_first_key_again(folder: Path):
    before = KeyRing(folder, now=NOW).name
    (folder / RING).unlink()
    assert KeyRing(folder, now=NOW).name == before


def test_what_is_published_is_public(folder: Path):
    keys = KeyRing(folder, now=NOW)
    assert [set(jwk) for jwk in keys.published(NOW)] == [{"alg", "crv", "kid", "kty", "use", "x"}]


# Rotation --------------------------------------------------------------------------------------------------------------------


def test_a_key_is_published_before_it_is_used_and_until_its_last_token_is_dead(folder: Path):
    keys = KeyRing(folder, now=NOW)
    old, new = keys.name, keys.rotate(NOW).kid
    takes_over = NOW + PUBLISH_SECONDS
    assert kids(keys, NOW) == {old, new}
    assert (signs(keys, takes_over - 0.001), signs(keys, takes_over)) == (old, new)
    assert kids(keys, takes_over + DRAIN_SECONDS - 0.001) == {old, new}
    assert kids(keys, takes_over + DRAIN_SECONDS) == {new}
    assert keys.name == old, "the issuer is called as before"


def test_the_drain_outlasts_any_token_at_any_verifier():
    """Its longest life, and the most that clocks may differ by."""
    assert DRAIN_SECONDS >= MAX_SECONDS + MAX_SKEW


def test_a_second_rotation_waits_for_the_first(folder: Path):
    keys = KeyRing(folder, now=NOW)
    keys.rotate(NOW)
    with pytest.raises(UsageError, match="published already"):
        keys.rotate(NOW + PUBLISH_SECONDS - 1)
    keys.rotate(NOW + PUBLISH_SECONDS)


def test_a_key_that_waits_takes_over_by_a_rotation_at_once(folder: Path):
    """No third key is made; the old one retires from that second, and stays published for its last token."""
    keys = KeyRing(folder, now=NOW)
    old, waiting = keys.name, keys.rotate(NOW)
    now = NOW + 60
    told: list[str] = []
    made = keys.rotate(now, wait=0, before=lambda key: told.append(key.kid))
    assert (made.kid, made.signs, told) == (waiting.kid, now, [waiting.kid])
    assert [(key.kid, key.state(now), key.until, key.published_until) for key in keys.keys()] == [  # noqa: SIM118
        (old, "retiring", now, now + DRAIN_SECONDS),
        (waiting.kid, "signing", None, None),
    ]
    assert (signs(keys, now), kids(keys, now)) == (waiting.kid, {old, waiting.kid})
    assert KeyRing(folder, now=now).keys() == keys.keys()
    keys.retire(old, now, compromised=True)
    assert kids(keys, now) == {waiting.kid}


def test_a_key_does_not_sign_before_it_was_made(folder: Path):
    """Of two processes that rotate at once, one read the clock before the other made its key."""
    keys = KeyRing(folder, now=NOW)
    made = keys.rotate(NOW + 0.01, wait=0)
    with pytest.raises(UsageError, match="published already"):
        keys.rotate(NOW, wait=0)
    assert keys.keys()[-1] == made


def test_a_key_that_waits_goes_on_waiting_if_it_is_not_recorded(folder: Path):
    keys = KeyRing(folder, now=NOW)
    keys.rotate(NOW)
    kept = keys.keys()

    def refuse(key: ring.RingKey) -> None:
        raise LicetError(key.kid)

    with pytest.raises(LicetError):
        keys.rotate(NOW + 1, wait=0, before=refuse)
    assert keys.keys() == KeyRing(folder, now=NOW).keys() == kept
    assert all((folder / key.file).is_file() for key in kept)


def test_a_rotation_at_once_takes_up_no_waiting_key_of_another_algorithm(folder: Path):
    keys = KeyRing(folder, now=NOW)
    other = keys.rotate(NOW, algorithm="ES256")
    made = keys.rotate(NOW + 1, wait=0)
    assert (made.alg, made.kid == other.kid) == ("EdDSA", False)
    assert [key.state(NOW + 1) for key in keys.keys() if key.kid == other.kid] == ["next"]  # noqa: SIM118


@pytest.mark.parametrize("wait", [-1.0, float("nan")])
def test_no_key_signs_before_it_is_published(folder: Path, wait: float):
    keys = KeyRing(folder, now=NOW)
    with pytest.raises(UsageError, match="before it is published"):
        keys.rotate(NOW, wait=wait)
    assert len(keys.keys()) == 1


def test_a_key_that_is_gone_is_deleted_at_the_next_rotation_and_the_name_stays(folder: Path):
    keys = KeyRing(folder, now=NOW)
    name = keys.name
    keys.rotate(NOW, wait=0)
    later = NOW + DRAIN_SECONDS + 1
    second = keys.rotate(later)
    assert not (folder / FIRST).exists()
    assert second.kid in kids(keys, later)
    assert KeyRing(folder, now=later).name == keys.name == name not in kids(keys, later)


LATE = MAX_SECONDS + MAX_SKEW
STEPS = st.tuples(st.sampled_from(["rotate", "mint", "mint", "look", "retire"]), st.floats(0, 700), st.floats(100, 1200), st.integers(0, 5))


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, min_size=4, max_size=14), st.floats(0, 100))
def test_every_token_verifies_with_what_is_published_as_long_as_it_lives(steps: list[tuple[str, float, float, int]], stale: float):
    """Over any times of rotating, retiring and minting: from its first second until its life and the skew are over.

    A verifier whose copy of the set is no older than the shortest announcement finds the key in it, too.
    """
    with tempfile.TemporaryDirectory() as place:
        now = NOW
        keys = KeyRing(place, now=now)
        tokens: list[tuple[str, float]] = []
        history = [(now, keys.keys())]

        def look(at: float) -> None:
            published = kids(keys, at)
            rings = [held for since, held in history if since <= at - stale] or [history[0][1]]
            copied = {key.kid for key in rings[-1] if key.state(at - stale) != "gone"}
            for kid, born in tokens:
                if at <= born + LATE:
                    assert kid in published, "the key of a living token is not published"
                    assert kid in copied, "nor in a copy that is fresh enough"

        for what, passed, wait, which in steps:
            for part in range(5):  # what is published changes on its own, so that the time between two steps is looked at too
                look(now + passed * part / 4)
            now += passed
            try:
                if what == "rotate":
                    keys.rotate(now, wait=wait)
                elif what == "retire":
                    known = keys.keys()
                    keys.retire(known[which % len(known)].kid, now)
                elif what == "mint":
                    tokens.append((signs(keys, now), now))
            except UsageError:
                continue
            history.append((now, keys.keys()))
            look(now)
        for part in range(40):
            look(now + LATE * part / 39)


ACTS = st.tuples(
    st.sampled_from(["rotate", "now", "now", "retire", "lost", "lost"]),
    st.sampled_from(["EdDSA", "EdDSA", "ES256", "RS256", None]),
    st.floats(0, 700),
    st.integers(0, 5),
)


@settings(max_examples=int(os.environ.get("LICET_EXAMPLES", "25")), deadline=None)  # a key for RS256 takes long to make
@given(st.lists(ACTS, min_size=4, max_size=14))
def test_at_every_time_some_key_signs(acts: list[tuple[str, str | None, float, int]]):
    """Over any rotating, also at once, and any retiring, also of a lost key; at each step, after it, and far ahead of it."""
    with tempfile.TemporaryDirectory() as place:
        now = NOW
        keys = KeyRing(place, now=now)
        for what, algorithm, passed, which in acts:
            for part in range(5):
                assert keys.signer(now + passed * part / 4, OURS) is not None
            now += passed
            known = keys.keys()
            try:
                if what in ("retire", "lost"):
                    keys.retire(known[which % len(known)].kid, now, compromised=what == "lost")
                else:
                    keys.rotate(now, algorithm=algorithm, wait=0 if what == "now" else PUBLISH_SECONDS)
            except UsageError:
                assert keys.keys() == known
            for ahead in (0, 1, PUBLISH_SECONDS - 1, PUBLISH_SECONDS, 10 * PUBLISH_SECONDS):
                assert keys.signer(now + ahead, OURS) is not None


# Retiring --------------------------------------------------------------------------------------------------------------------


def test_the_only_key_that_signs_is_not_retired(folder: Path):
    keys = KeyRing(folder, now=NOW)
    with pytest.raises(UsageError, match="rotate --now"):
        keys.retire(keys.name, NOW, compromised=True)
    keys.rotate(NOW)
    with pytest.raises(UsageError, match="let the one that waits sign first: `licet keys rotate --now`"):
        keys.retire(keys.name, NOW, compromised=True)


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256"])
@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize("compromised", [True, False])
def test_the_message_about_the_only_key_names_a_way_that_works(folder: Path, algorithm: str, waits: bool, compromised: bool):
    keys = KeyRing(folder, now=NOW)
    only = keys.keys()[0] if algorithm == "EdDSA" else keys.rotate(NOW, algorithm=algorithm, wait=0)
    if waits:
        keys.rotate(NOW, algorithm=algorithm)
    with pytest.raises(UsageError, match="rotate --now") as error:
        keys.retire(only.kid, NOW, compromised=compromised)
    first, second = re.findall(r"`licet keys ([^`]+)`", str(error.value))
    named = first.partition(" --alg ")[2] or None
    assert keys.rotate(NOW, algorithm=named, wait=0).alg == algorithm
    assert second.split()[0] == "retire"
    assert (second.split()[-1], "--compromised --reason" in second) == (only.kid, compromised)
    keys.retire(only.kid, NOW, compromised=compromised)
    assert signs(keys, NOW)


def test_an_unknown_key_is_not_retired(folder: Path):
    with pytest.raises(UsageError, match="keys list"):
        KeyRing(folder, now=NOW).retire("nobody", NOW)


def test_a_compromised_key_is_published_no_more_from_the_same_second(folder: Path):
    keys = KeyRing(folder, now=NOW)
    old, new = keys.name, keys.rotate(NOW, wait=0).kid
    keys.retire(old, NOW, compromised=True)
    assert kids(keys, NOW) == {new} == {signs(keys, NOW)}
    assert kids(KeyRing(folder, now=NOW), NOW) == {new}


def test_a_retired_key_that_is_not_compromised_is_published_for_its_last_token(folder: Path):
    keys = KeyRing(folder, now=NOW)
    old = keys.name
    keys.rotate(NOW, wait=0)
    keys.retire(old, NOW + 5)
    assert old in kids(keys, NOW + DRAIN_SECONDS - 1)


def test_what_was_to_give_way_to_a_retired_key_goes_on_signing(folder: Path):
    """The key that is announced and does not sign yet is taken back: its predecessor neither stops nor is deleted."""
    keys = KeyRing(folder, now=NOW)
    old, announced = keys.name, keys.rotate(NOW).kid
    keys.retire(announced, NOW + 10, compromised=True)
    far = NOW + 100 * PUBLISH_SECONDS
    assert (signs(keys, far), kids(keys, far)) == (old, {old})
    assert keys.rotate(NOW + 20).kid in kids(keys, NOW + 20), "and another can be announced"


def test_a_key_that_others_have_taken_up_again_is_seen_by_a_ring_that_is_open(folder: Path):
    """What another process rotates and retires holds here too, without a restart."""
    here, there = KeyRing(folder, now=NOW), KeyRing(folder, now=NOW)
    old = here.name
    new = there.rotate(NOW, wait=0).kid
    assert signs(here, NOW) == new
    there.retire(old, NOW, compromised=True)
    assert kids(here, NOW) == {new}


def test_an_eddsa_key_retires_where_an_es256_key_signs(folder: Path):
    """A change of algorithm can be finished; call tokens have a key all the time."""
    keys = KeyRing(folder, now=NOW)
    old, new = keys.name, keys.rotate(NOW, algorithm="ES256", wait=0).kid
    assert signs(keys, NOW) == new
    keys.retire(old, NOW)
    assert signs(keys, NOW) == new
    with pytest.raises(UsageError, match="only ES256"):
        keys.retire(new, NOW)


ROTATE = """
import sys, time
from licet import UsageError
from licet.tokens import KeyRing
keys, done = KeyRing(sys.argv[1], now=time.time()), 0
while done < int(sys.argv[3]):
    try:
        keys.rotate(time.time(), wait=float(sys.argv[2]))
    except UsageError:
        if float(sys.argv[2]):
            print("refused")
            break
        continue
    done += 1
"""


def rotating(folder: Path, wait: float, times: int) -> list[str]:
    """What two processes say that rotate at once."""
    command = [sys.executable, "-c", ROTATE, str(folder), str(wait), str(times)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=60)[0].strip() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    return said


def test_of_two_processes_that_announce_a_key_at_once_one_does(folder: Path):
    KeyRing(folder, now=0.0)
    assert sorted(rotating(folder, 10_000, 1)) == ["", "refused"]
    assert len(KeyRing(folder, now=NOW).keys()) == 2


def test_two_processes_that_rotate_at_once_lose_no_key(folder: Path):
    """All keys form one line, in which each gives way to the next, and each one's file is there."""
    KeyRing(folder, now=0.0)
    rotating(folder, 0.0, 8)
    line = sorted(KeyRing(folder, now=NOW).keys(), key=lambda key: key.signs)
    assert len({key.kid for key in line}) == 17
    assert [key.until for key in line] == [*(key.signs for key in line[1:]), None]
    assert all((folder / key.file).is_file() for key in line)
    assert not list(folder.glob(".*")), "nothing half written is left"


def test_what_a_process_left_that_died_does_not_stop_a_rotation(folder: Path):
    keys = KeyRing(folder, now=NOW)
    put(folder / f".{RING}.part", b"half")
    assert keys.rotate(NOW, wait=0).kid == signs(keys, NOW)


# Files that are not as they should be ----------------------------------------------------------------------------------------


def _no_keys(found: dict[str, Any]) -> object:
    return {**found, "keys": []}


def _key(**changed: Any) -> Callable[[dict[str, Any]], object]:
    return lambda found: {**found, "keys": [{**found["keys"][0], **changed}]}


DAMAGE: dict[str, Callable[[dict[str, Any]], object]] = {
    "a list": lambda found: [found],
    "nothing in it": lambda _: {},
    "no name": lambda found: {"keys": found["keys"]},
    "a name that is none": lambda found: {**found, "name": None},
    "an empty name": lambda found: {**found, "name": ""},
    "no keys": _no_keys,
    "a key that is no object": lambda found: {**found, "keys": ["x"]},
    "a member too many": _key(more=1),
    "no time": _key(signs=None),
    "a truth for a time": _key(signs=True),
    "a text for a time": _key(until="never"),
    "not a number": _key(until=float("nan")),
    "endless": _key(published_until=float("inf")),
    "a path": _key(file="../call-token.pem"),
    "a file that is no name": _key(file=7),
    "another key's id": _key(kid="x"),
    "another algorithm": _key(alg="ES256"),
    "a file that is not there": _key(file="x.pem"),
    "the folder above": _key(file=".."),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_ring_is_an_error_that_names_the_file_and_no_key_is_made(folder: Path, damage: str):
    KeyRing(folder, now=NOW)
    put(folder / RING, json.dumps(DAMAGE[damage](json.loads((folder / RING).read_bytes()))).encode())
    before = sorted(folder.iterdir())
    with pytest.raises(KeyFileError, match=str(folder)):
        KeyRing(folder, now=NOW)
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    "content", [b"", b"junk", b"\xff\xfe", b'{"name":', b"[" * 100_000], ids=["empty", "junk", "bytes", "half", "deep"]
)
def test_a_ring_that_is_no_json_is_an_error(folder: Path, content: bytes):
    KeyRing(folder, now=NOW)
    put(folder / RING, content)
    with pytest.raises(KeyFileError, match="damaged"):
        KeyRing(folder, now=NOW)


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def _dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _group(path: Path) -> None:
    path.chmod(0o640)


def _others(path: Path) -> None:
    path.chmod(0o602)


@pytest.mark.parametrize("how", [_link, _dangling, _pipe, _folder, _group, _others])
@pytest.mark.parametrize("which", [RING, FIRST])
def test_a_file_that_is_not_ours_alone_is_refused(folder: Path, which: str, how: Callable[[Path], None]):
    """Whoever writes the ring chooses the keys; whoever reads a key can sign."""
    KeyRing(folder, now=NOW)
    how(folder / which)
    with pytest.raises(KeyFileError, match=which):
        KeyRing(folder, now=NOW)
    assert not (folder / "nowhere").exists()


def test_a_foreign_key_in_a_keys_place_is_refused(folder: Path):
    KeyRing(folder, now=NOW)
    put(folder / FIRST, SigningKey.generate().pem())
    with pytest.raises(KeyFileError, match="another key"):
        KeyRing(folder, now=NOW)


def test_a_ring_that_goes_away_under_a_running_guard_stops_the_signing(folder: Path):
    keys = KeyRing(folder, now=NOW)
    (folder / RING).unlink()
    with pytest.raises(KeyFileError, match="gone"):
        keys.signer(NOW, OURS)


def test_a_ring_that_is_damaged_under_a_running_guard_stops_the_signing(folder: Path):
    keys = KeyRing(folder, now=NOW)
    put(folder / RING, b"junk")
    for _ in range(2):
        with pytest.raises(KeyFileError, match="damaged"):
            keys.signer(NOW, OURS)


# Keys of other kinds, and from elsewhere -------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["EdDSA", "ES256"])
def test_tokens_verify_over_a_rotation_for_strangers(folder: Path, first: str):
    keys = KeyRing(folder, now=NOW, first=first)
    issuer = Issuer(keys, "https://licet.acme.example", "w")
    old = minted(issuer, NOW)
    keys.rotate(NOW, wait=0)
    new = minted(issuer, NOW)
    assert jwt.get_unverified_header(old)["kid"] != jwt.get_unverified_header(new)["kid"]
    assert jwt.get_unverified_header(old)["alg"] == jwt.get_unverified_header(new)["alg"] == first
    assert signature_holds(old, keys.published(NOW))
    assert signature_holds(new, keys.published(NOW))


def test_an_rs256_key_is_for_federation_and_never_signs_a_call_token(folder: Path):
    keys = KeyRing(folder, now=NOW)
    issuer = Issuer(keys, "https://licet.acme.example", "w")
    with pytest.raises(KeyFileError, match="RS256"):
        issuer.federated("agent:bot", "sts.example", now=NOW, expires=NOW + 600, extra={})
    keys.rotate(NOW, algorithm="RS256", wait=0)
    federated = issuer.federated("agent:bot", "sts.example", now=NOW, expires=NOW + 600, extra={}).jwt
    assert jwt.get_unverified_header(federated)["alg"] == "RS256"
    assert signature_holds(federated, keys.published(NOW))
    assert jwt.get_unverified_header(minted(issuer, NOW))["alg"] == "EdDSA"
    assert keys.rotate(NOW).alg == "EdDSA", "what is rotated by default is the call tokens' key"


def _pem(private: Any, encryption: Any = None) -> bytes:
    found: bytes = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    return found


@pytest.mark.parametrize("name", ["EdDSA", "ES256"])
@pytest.mark.parametrize("line_end", ["\n", "\\n"])
def test_a_key_from_the_environment_signs_and_none_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, line_end: str):
    key = SigningKey.generate(name)
    monkeypatch.setenv("LICET_SIGNING_KEY", key.pem().decode().replace("\n", line_end))
    with guard_for(MANIFEST, tmp_path, key=None) as guard:
        assert guard.jwks() == {"keys": [key.jwk]}
        assert not (guard.state / "keys" / FIRST).exists()
        with guard.task("work", intent="x", agent="bot", principal="user:a") as task:
            token = guard.begin(ToolCall("send", {"to": "ada@acme.example"}), task=task).token
        assert token is not None
        assert jwt.get_unverified_header(token) == {"alg": name, "kid": key.kid, "typ": "licet-call+jwt"}


UNUSABLE: dict[str, Callable[[], bytes]] = {
    "no key": lambda: b"s3cr3t",
    "a public key's lines": lambda: b"-----BEGIN PUBLIC KEY-----\ns3cr3t\n-----END PUBLIC KEY-----",
    "encrypted": lambda: _pem(ec.generate_private_key(ec.SECP256R1()), BestAvailableEncryption(b"s3cr3t")),
    "another curve": lambda: _pem(ec.generate_private_key(ec.SECP384R1())),
    "a weak key": lambda: _pem(rsa.generate_private_key(65537, 1024)),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_a_key_from_the_environment_that_cannot_be_used_is_an_error_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str):
    """And what stands there is not repeated: it may be somebody's secret."""
    monkeypatch.setenv("LICET_SIGNING_KEY", UNUSABLE[what]().decode())
    with pytest.raises(KeyFileError, match="LICET_SIGNING_KEY") as error:
        guard_for(MANIFEST, tmp_path, key=None)
    assert "s3cr3t" not in str(error.value)


# A key management service ----------------------------------------------------------------------------------------------------


def _service(line: Connection) -> None:
    """Holds a P-256 key that nobody else sees, and answers with DER, as services do."""
    key = ec.generate_private_key(ec.SECP256R1())
    line.send(SigningKey(key).jwk)
    while (data := line.recv()) is not None:
        line.send(key.sign(data, ec.ECDSA(SHA256())))


class Remote:
    """What a user writes to sign with a service."""

    def __init__(self, line: Connection) -> None:
        self._line = line
        self.jwk = line.recv()
        self.kid = str(self.jwk["kid"])

    def sign(self, data: bytes) -> bytes:
        self._line.send(data)
        return b"".join(part.to_bytes(32, "big") for part in decode_dss_signature(self._line.recv()))


@pytest.fixture
def remote() -> Iterator[Remote]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_service, args=(there,))
    process.start()
    yield Remote(here)
    here.send(None)
    process.join(30)


def test_a_signer_of_ones_own_whose_key_never_enters_this_process(tmp_path: Path, remote: Remote):
    """The guard takes it as it is; the token verifies with what the guard publishes."""
    with guard_for(MANIFEST, tmp_path, key=remote) as guard, guard.task("work", intent="x", agent="bot", principal="user:a") as task:
        token = guard.begin(ToolCall("send", {"to": "ada@acme.example"}), task=task).token or ""
        verifier = Verifier(
            guard.jwks(), issuer=guard.issuer, audience="urn:licet:tool:send", state=MemoryState(), bound=False, clock=guard._clock
        )
        assert verifier.verify(token, tool="send", arguments={"to": "ada@acme.example"}).kid == remote.kid


def test_a_call_is_refused_while_the_signer_fails(tmp_path: Path):
    """Whatever it raises, the tool does not run."""

    class Failing:
        def __init__(self) -> None:
            key = SigningKey.generate()
            self.kid, self.jwk = key.kid, key.jwk

        def sign(self, data: bytes) -> bytes:
            raise ConnectionError(f"no answer to {len(data)} bytes")

    with guard_for(MANIFEST, tmp_path, key=Failing()) as guard, guard.task("work", intent="x", agent="bot", principal="user:a") as task:
        ticket = guard.begin(ToolCall("send", {"to": "ada@acme.example"}), task=task)
    assert (ticket.action, ticket.token, ticket.decision.checks[-1]) == ("deny", None, "guard.undecided")


def _with(signer: SigningKey, **changed: Any) -> Signer:
    class Other:
        def __init__(self) -> None:
            self.kid, self.jwk = signer.kid, {**signer.jwk, **changed}

        def sign(self, data: bytes) -> bytes:
            return signer.sign(data)

    return Other()


@pytest.mark.parametrize("changed", [{"kid": "another"}, {"d": "AAAA"}, {"x": "AAAA"}, {"use": "enc"}, {"alg": "ES256"}])
def test_a_signer_whose_public_key_contradicts_it_is_refused(changed: dict[str, Any]):
    with pytest.raises(LicetError):
        FixedKeys(_with(SigningKey.generate(), **changed))


def test_no_key_at_all_is_refused():
    with pytest.raises(UsageError, match="key"):
        FixedKeys()


def test_the_set_is_one_that_the_verifier_takes(folder: Path):
    keys = KeyRing(folder, now=NOW)
    keys.rotate(NOW)
    assert len(KeySet.of({"keys": keys.published(NOW)})) == 2
