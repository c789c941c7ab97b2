"""An identity provider that knows nothing of Licet: joserfc makes its keys and signs, http.server publishes."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from licet.testing.fakes import START

pytest.importorskip("joserfc")  # of `dev` alone: it needs newer versions than our floors
from joserfc import jws
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

ForeignKey = Key
NOW = int(START)
LOGIN, SPIRE, CLUSTER = "https://login.acme.example", "https://spire.acme.example", "https://k8s.acme.example"

PERSON: dict[str, Any] = {"iss": LOGIN, "sub": "ada", "aud": "desk", "iat": NOW - 10, "exp": NOW + 300}
ACCESS = PERSON | {"client_id": "desk-web", "jti": "1"}
WORKLOAD: dict[str, Any] = {"sub": "spiffe://acme.example/agents/bot", "aud": ["licet"], "exp": NOW + 300}
ACCOUNT: dict[str, Any] = {
    "iss": CLUSTER,
    "sub": "system:serviceaccount:agents:bot",
    "aud": ["licet", "other"],
    "iat": NOW - 10,
    "nbf": NOW - 10,
    "exp": NOW + 3_000,
    "jti": "a",
    "kubernetes.io": {"namespace": "agents", "serviceaccount": {"name": "bot", "uid": "u"}, "pod": {"name": "p", "uid": "v"}},
}


def new_key(algorithm: str = "ES256", kid: str = "k1", **members: Any) -> Key:
    """A key of this kind."""
    options = {"kid": kid, "use": "sig", **members}
    if algorithm == "Ed25519":
        return OKPKey.generate_key("Ed25519", options)
    if algorithm.startswith("ES"):
        return ECKey.generate_key({"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[algorithm], options)
    if algorithm.startswith("HS"):
        return OctKey.generate_key(256, options)
    return RSAKey.generate_key(2048, options)


def jwks(*keys: Key, **more: Any) -> bytes:
    """Their public halves as a JWK set."""
    return json.dumps({"keys": [key.as_dict(private=False) for key in keys], **more}).encode()


def sign(claims: Mapping[str, Any] | bytes, key: Key, algorithm: str = "ES256", **header: Any) -> str:
    """A compact JWS; a member of the header that is None is left out."""
    protected = {"alg": algorithm, "kid": key.kid, "typ": "JWT", **header}
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    return jws.serialize_compact({name: value for name, value in protected.items() if value is not None}, payload, key, registry=registry)


class KeyServer:
    """Publishes whatever `body` holds, and counts who asks."""

    def __init__(self, body: bytes = b"{}") -> None:
        self.body, self.status, self.headers = body, 200, dict[str, str]()
        self.paths: list[str] = []
        self.hold: threading.Event | None = None  # while it is not set, nobody is answered
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version: ClassVar[str] = "HTTP/1.0"

            def do_GET(self) -> None:
                outer.paths.append(self.path)
                if outer.hold is not None:
                    outer.hold.wait(20)
                self.send_response(outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):  # whoever asked has gone
                    self.wfile.write(outer.body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/jwks.json"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def asked(self) -> int:
        """How many requests came."""
        return len(self.paths)

    def close(self) -> None:
        """Stop."""
        if self.hold is not None:
            self.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
