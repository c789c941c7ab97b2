"""A service that really listens: uvicorn on loopback, in a thread, and somebody who asks it."""

from __future__ import annotations

import json
import secrets
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from licet import Guard
from licet.clock import Clock, SystemClock
from licet.manifest import load
from licet.server.app import Limits, create_app
from licet.server.clients import ASSERTION_TYPE
from licet.server.token import GRANT_TYPE
from licet.tokens import FixedKeys, SigningKey, prove
from licet.tokens.algorithms import base64url
from licet.tokens.keys import jwks_text

TASK = "urn:licet:params:oauth:token-type:task"
CALL = "urn:licet:params:oauth:token-type:call"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"
ID = "urn:ietf:params:oauth:token-type:id_token"
MAIL, CRM = "https://mail.acme.example", "https://crm.acme.example"

MANIFEST = """\
licet: 1
environment: dev
owners: {{o: {{name: O, contact: o@acme.example}}}}
issuers:
  idp: {{kind: oidc, issuer: 'https://idp.acme.example', audiences: [licet], jwks_file: idp.json, proves: principal}}
agents:
  bot: {{owner: o, tasks: [work], may_delegate_to: [helper]}}
  helper: {{owner: o, tasks: [work]}}
  stranger: {{owner: o, tasks: [work]}}
tools:
  note: {{access: read, egress: false}}
  send: {{access: write, egress: true, audience: '{mail}', arguments: {{to: {{origin: [intent]}}, body: {{content: true}}}}}}
  crm: {{access: read, egress: false, audience: '{crm}', envelope: at+jwt, arguments: {{id: {{type: integer}}}}}}
tasks:
  work: {{intent: Work, ttl: 10m, tools: {{note: {{}}, send: {{at_most: 3}}, crm: {{}}}}}}
checks: {{origin.unanchored: {{then: flag}}}}
authority:
  issuer: {issuer}
  clients:
    runner: {{agents: [bot], jwks_file: runner.json}}
    helpers: {{agents: [helper], jwks_file: helpers.json, algorithms: [ES256]}}
    others: {{agents: [stranger], jwks_file: others.json}}
  federation: [sts.cloud.example]
"""

RUNNER, HELPERS, OTHERS, IDP = (SigningKey.generate("ES256") for _ in range(4))
BOT, HELPER = SigningKey.generate("ES256"), SigningKey.generate()
SIGNING = FixedKeys(SigningKey.generate(), SigningKey.generate("ES256"), SigningKey.generate("RS256"))


def signed(key: SigningKey, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """A compact JWS of whatever a test wants."""
    fields = {"alg": key.jwk["alg"], "kid": key.kid, **header}
    text = ".".join(base64url(json.dumps(part).encode()) for part in ({k: v for k, v in fields.items() if v is not None}, claims))
    return f"{text}.{base64url(key.sign(text.encode()))}"


class Asker:
    """One client, with the key of one agent."""

    def __init__(self, service: Service, client: str = "runner", key: SigningKey = RUNNER, holder: SigningKey = BOT) -> None:
        self.service, self.client, self.key, self.holder = service, client, key, holder

    def assertion(self, header: Mapping[str, Any] | None = None, key: SigningKey | None = None, **claims: Any) -> str:
        """An assertion that is good, but for what a test changes; None takes a claim out."""
        now = int(self.service.clock.now())
        good = {
            "iss": self.client, "sub": self.client, "aud": self.service.url, "iat": now, "exp": now + 60, "jti": secrets.token_hex(16),
        } | claims  # fmt: skip
        return signed(key or self.key, {"typ": "JWT"} | dict(header or {}), {k: v for k, v in good.items() if v is not None})

    def authentication(self, **claims: Any) -> dict[str, str]:
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": self.assertion(**claims)}

    def proof(self, token: str = "", **more: Any) -> str:
        url = f"{self.service.url}/token"
        return prove(self.holder, "POST", more.get("url", url), token=token, now=self.service.clock.now())

    def post(self, path: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None) -> httpx.Response:
        return self.service.http.post(path, data=self.authentication() | dict(form), headers=dict(headers or {}))

    def exchange(self, token: str, kind: str = TASK, proof: str | None = None, **form: str) -> httpx.Response:
        shown = self.proof(token) if proof is None else proof
        asked = {"grant_type": GRANT_TYPE, "subject_token": token, "subject_token_type": kind} | form
        return self.post("/token", asked, {"DPoP": shown})

    # The verbs -------------------------------------------------------------------------------------------------------------

    def open(self, agent: str | None = "bot", intent: str = "Write to ada@acme.example", **more: Any) -> httpx.Response:
        detail = {"type": "urn:licet:task", "kind": "work", "intent": intent, **({"agent": agent} if agent else {}), **more}
        return self.exchange(self.service.person(), ID, requested_token_type=TASK, authorization_details=json.dumps([detail]))

    def call(self, task: str, tool: str, arguments: Mapping[str, Any], wanted: str = CALL, **more: Any) -> httpx.Response:
        detail = {"type": "urn:licet:tool-call", "identifier": tool, "arguments": arguments, **more}
        return self.exchange(task, requested_token_type=wanted, authorization_details=json.dumps([detail]))

    def delegate(self, task: str, agent: str = "helper", holder: SigningKey = HELPER, **more: Any) -> httpx.Response:
        detail = {"type": "urn:licet:task", "kind": "work", "agent": agent, "intent": "Write to ada@acme.example", **more}
        return self.exchange(task, requested_token_type=TASK, authorization_details=json.dumps([detail]), dpop_jkt=holder.kid)


class Service:
    """What listens, and what stands behind it."""

    def __init__(self, guard: Guard, url: str, http: httpx.Client) -> None:
        self.guard, self.url, self.http, self.clock = guard, url, http, guard.clock
        self.asker = Asker(self)

    def person(self, **claims: Any) -> str:
        """An ID token that proves a person."""
        now = int(self.clock.now())
        good = {"iss": "https://idp.acme.example", "sub": "grace", "aud": "licet", "iat": now, "exp": now + 300} | claims
        return signed(IDP, {"typ": "JWT"}, good)

    def task(self) -> str:
        """The token of a task of `bot`'s."""
        answer = self.asker.open()
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])


@contextmanager
def running(
    folder: Path, *, limits: Limits | None = None, clock: Clock | None = None, path: str = "", manifest: str = MANIFEST, **options: Any
) -> Iterator[Service]:
    """A service with state, manifest and key files in `folder`."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}{path}"
    (folder / "licet.yaml").write_text(manifest.format(issuer=url, mail=MAIL, crm=CRM), encoding="utf-8")
    for name, key in (("runner", RUNNER), ("helpers", HELPERS), ("others", OTHERS), ("idp", IDP)):
        (folder / f"{name}.json").write_text(jwks_text([key.jwk]), encoding="utf-8")
    clock = clock or SystemClock()
    options.setdefault("key", SIGNING)
    many = Limits(100_000, 100_000, 100_000, 100_000)
    with Guard(load(folder / "licet.yaml", now=clock.now()), state=folder / "state", clock=clock, **options) as guard:
        config = uvicorn.Config(
            create_app(guard, limits=limits or many), access_log=False, log_config=None, lifespan="off", ws="none", http="h11"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            with httpx.Client(base_url=url, timeout=30, trust_env=False) as http:
                yield Service(guard, url, http)
        finally:
            server.should_exit = True
            thread.join()
            listener.close()
