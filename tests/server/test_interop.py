"""Two clients that nobody here wrote, npm `jose` and Python `joserfc`, take a good token and refuse one that is over or was changed."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from licet.testing import FakeClock
from licet.tokens import FixedKeys, SigningKey
from running import ACCESS, CALL, CRM, ID, MAIL, SIGNING, Service, running

HERE = Path(__file__).parent / "interop"
Outcome = dict[str, Any]
NODE, NPM = shutil.which("node"), shutil.which("npm")


@dataclass(frozen=True)
class Kind:
    """One kind of token, and who takes it."""

    name: str
    typ: str
    audience: str


KINDS = [Kind("call", "licet-call+jwt", MAIL), Kind("access", "at+jwt", CRM), Kind("id", "JWT", "sts.cloud.example")]


def issued(service: Service, kind: Kind) -> str:
    """A token of this kind, from the service."""
    task = service.task()
    if kind.name == "id":
        answer = service.asker.exchange(task, requested_token_type=ID, audience=kind.audience)
    elif kind.name == "access":
        answer = service.asker.call(task, "crm", {"id": 1}, ACCESS)
    else:
        answer = service.asker.call(task, "send", {"to": "ada@acme.example", "body": ""}, CALL)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def tampered(token: str) -> str:
    """The same signature under another principal."""
    head, body, tail = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    other = base64.urlsafe_b64encode(json.dumps(claims | {"sub": "idp:eve"}).encode()).rstrip(b"=").decode()
    return f"{head}.{other}.{tail}"


@pytest.fixture(scope="module")
def over(tmp_path_factory: pytest.TempPathFactory, service: Service) -> dict[str, str]:
    """Tokens of each kind that are over, by the keys that the service publishes, under its name."""
    folder = tmp_path_factory.mktemp("over")
    with running(folder, clock=FakeClock(time.time() - 600)) as past:
        return {kind.name: resigned(issued(past, kind), service.url) for kind in KINDS}


def resigned(token: str, issuer: str) -> str:
    """The token of the service of the past under the name of the present one, signed anew by the same key."""
    head, body, _ = token.split(".")
    header = json.loads(base64.urlsafe_b64decode(head + "=="))
    claims = json.loads(base64.urlsafe_b64decode(body + "==")) | {"iss": issuer}
    text = f"{head}." + base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    signer = SIGNING.signer(0, (header["alg"],))
    assert signer is not None
    return f"{text}." + base64.urlsafe_b64encode(signer.sign(text.encode())).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def with_jose(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Service, Kind, list[str]], list[Outcome]]:
    """npm's `jose`, at the version of the lock file."""
    if NODE is None or NPM is None:
        pytest.skip("node or npm is not installed")
    folder = tmp_path_factory.mktemp("interop")
    for name in ("package.json", "package-lock.json", "verify.mjs"):
        shutil.copy(HERE / name, folder)
    subprocess.run([NPM, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, check=True, timeout=120, capture_output=True)

    def verify(service: Service, kind: Kind, tokens: list[str]) -> list[Outcome]:
        given = {"jwks": f"{service.url}/jwks.json", "tokens": tokens, "issuer": service.url, "audience": kind.audience, "typ": kind.typ}
        out = subprocess.run(
            [NODE, "verify.mjs", json.dumps(given)], cwd=folder, check=True, timeout=60, capture_output=True, text=True
        ).stdout  # fmt: skip
        return [json.loads(line) for line in out.splitlines()]

    return verify


@pytest.fixture
def with_joserfc() -> Callable[[Service, Kind, list[str]], list[Outcome]]:
    """Python's `joserfc`, as its documentation has it."""
    pytest.importorskip("joserfc")
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    def verify(service: Service, kind: Kind, tokens: list[str]) -> list[Outcome]:
        with urllib.request.urlopen(f"{service.url}/jwks.json", timeout=10) as answer:
            keys = KeySet.import_key_set(json.load(answer))
        registry = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": service.url}, aud={"essential": True, "value": kind.audience}, exp={"essential": True}
        )
        outcomes: list[Outcome] = []
        for token in tokens:
            try:
                found = jwt.decode(token, keys, algorithms=["EdDSA", "ES256", "RS256"])
                registry.validate(found.claims)
                assert found.header["typ"] == kind.typ
                outcomes.append({"good": True, "alg": found.header["alg"], "sub": found.claims["sub"], "jti": found.claims["jti"]})
            except JoseError as error:
                outcomes.append({"good": False, "code": error.error})
        return outcomes

    return verify


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_npm_jose(service: Service, over: dict[str, str], kind: Kind, with_jose: Callable[..., list[Outcome]]):
    """`jwtVerify` with `createRemoteJWKSet`, against the running service."""
    token = issued(service, kind)
    good, old, changed = with_jose(service, kind, [token, over[kind.name], tampered(token)])
    assert good["good"] is True, good
    assert old == {"good": False, "code": "ERR_JWT_EXPIRED"}
    assert changed == {"good": False, "code": "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"}


@pytest.mark.dev
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")  # of `EdDSA`, the name that most libraries still know alone
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_python_joserfc(service: Service, over: dict[str, str], kind: Kind, with_joserfc: Callable[..., list[Outcome]]):
    """`jwt.decode` with the key set of the running service."""
    token = issued(service, kind)
    good, old, changed = with_joserfc(service, kind, [token, over[kind.name], tampered(token)])
    assert good["good"] is True, good
    assert old == {"good": False, "code": "expired_token"}
    assert changed == {"good": False, "code": "bad_signature"}


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256"])
def test_npm_jose_takes_either_algorithm(tmp_path: Path, algorithm: str, with_jose: Callable[..., list[Outcome]]):
    """Both that call tokens are signed with."""
    with running(tmp_path, key=FixedKeys(SigningKey.generate(algorithm), SigningKey.generate("RS256"))) as service:
        (good,) = with_jose(service, KINDS[0], [issued(service, KINDS[0])])
        assert (good["good"], good["alg"]) == (True, algorithm)
