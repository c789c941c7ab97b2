"""A far side that does not answer holds up those whose keys are there, and nobody else."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from licet.server.app import CLIENTS, FETCHES, THREADS
from licet.tokens import SigningKey
from licet.tokens.keys import jwks_text
from running import IDP, MANIFEST, OTHERS, Asker, Service, running

sys.path.append(str(Path(__file__).parents[1] / "tokens"))

from foreign import KeyServer

PATIENCE = 4.0  # seconds; a far side that says nothing has 5


@pytest.fixture
def far() -> Iterator[KeyServer]:
    made = KeyServer(jwks_text([OTHERS.jwk, IDP.jwk]).encode())
    made.hold = threading.Event()
    yield made
    made.close()


def asked(service: Service, form: dict[str, str]) -> int:
    return httpx.post(f"{service.url}/introspect", data={"token": "x"} | form, timeout=PATIENCE, trust_env=False).status_code


def until(condition: Callable[[], bool]) -> None:
    """Wait for it, and not for ever."""
    ends = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_a_client_whose_keys_do_not_come_holds_no_thread(tmp_path: Path, far: KeyServer):
    """Strangers who use its name are answered at once, whatever key they sign with; other clients notice nothing."""
    manifest = MANIFEST.replace("jwks_file: others.json", f"jwks_uri: '{far.url}'")
    with running(tmp_path, manifest=manifest) as service, ThreadPoolExecutor(40) as several:
        nobody, other = Asker(service, "others", SigningKey.generate("ES256")), Asker(service, "others", OTHERS)
        forms = [asker.authentication() for asker in (nobody, other) * 20]
        assert set(several.map(lambda form: asked(service, form), forms)) == {503}
        assert asked(service, service.asker.authentication()) == 200
        assert far.asked == 1  # when the service started, and nobody's request waits for it
        assert far.hold is not None
        far.hold.set()
        until(lambda: asked(service, other.authentication()) != 503)
        assert asked(service, other.authentication()) == 200
        assert asked(service, nobody.authentication()) == 401


def test_what_is_for_everybody_waits_for_no_client(tmp_path: Path, far: KeyServer):
    """All threads for clients wait for a person's issuer; keys, metadata and health are answered."""
    manifest = MANIFEST.replace("jwks_file: idp.json", f"jwks_uri: '{far.url}'")
    with running(tmp_path, manifest=manifest) as service, ThreadPoolExecutor(THREADS[CLIENTS]) as several:
        opened = [several.submit(service.asker.open) for _ in range(THREADS[CLIENTS])]
        until(lambda: far.asked > 0)
        for path in ("/jwks.json", "/health", "/.well-known/openid-configuration"):
            assert httpx.get(service.url + path, timeout=PATIENCE, trust_env=False).status_code == 200
        assert not any(one.done() for one in opened)
        assert far.hold is not None
        far.hold.set()
        assert {one.result().status_code for one in opened} == {200}


def test_clients_keys_never_hold_all_threads():
    """However many clients have theirs elsewhere."""
    assert THREADS[CLIENTS] > FETCHES
