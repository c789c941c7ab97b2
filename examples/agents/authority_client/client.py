"""A client of the token authority, from its first key to the end of a task, with nothing but an HTTP and a JWT library.

python examples/agents/authority_client/client.py

It starts `licet serve` in a process of its own. The exit code is 0 if every promise held.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from licet import Guard, Verifier
from licet.errors import TokenRefused
from licet.store import SqliteStore
from licet.tokens import Proof

HERE, FOLDER = Path(__file__).parent, Path(".demo/authority_client")
STATE = FOLDER / "state"
ISSUER = "https://licet.acme.example"  # the service's name, for which assertions and proofs are signed, wherever it listens
TOKEN_TYPE, LICET_TYPE = "urn:ietf:params:oauth:token-type:", "urn:licet:params:oauth:token-type:"
ID, TASK, CALL = f"{TOKEN_TYPE}id_token", f"{LICET_TYPE}task", f"{LICET_TYPE}call"
MAIL = "https://mail.acme.example"


class Key:
    """A P-256 key, as `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` makes one."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.jwk: dict[str, Any] = ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        canonical = json.dumps({name: self.jwk[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"), sort_keys=True)
        self.thumbprint = base64url(hashlib.sha256(canonical.encode()).digest())  # RFC 7638

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        return jwt.encode(claims, self.private, "ES256", {"kid": self.thumbprint, **header})

    def publish(self, path: Path) -> None:
        key = {**self.jwk, "kid": self.thumbprint, "alg": "ES256", "use": "sig"}
        path.write_text(json.dumps({"keys": [key]}), encoding="utf-8")


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


client, login = Key(), Key()  # the client's own, and that of the company's login
bot, mailer = Key(), Key()  # each agent's process holds one, to which its tokens are bound


def proof(holder: Key, url: str, token: str = "") -> str:
    """RFC 9449 section 4.2: for one request, with the hash of the token that it carries ("" where it carries none of ours)."""
    bound = base64url(hashlib.sha256(token.encode()).digest())
    claims = {"jti": secrets.token_hex(16), "htm": "POST", "htu": url, "iat": int(time.time()), "ath": bound}
    public = {name: holder.jwk[name] for name in ("kty", "crv", "x", "y")}
    return jwt.encode(claims, holder.private, "ES256", {"typ": "dpop+jwt", "jwk": public})


class Authority:
    """The service, as this client asks it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def post(self, path: str, form: dict[str, str], headers: dict[str, str] | None = None) -> dict[str, Any]:
        now = int(time.time())
        claims = {"iss": "support-runner", "sub": "support-runner", "aud": ISSUER, "exp": now + 60, "jti": secrets.token_hex(16)}
        form["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        form["client_assertion"] = client.sign(claims)
        answer = httpx.post(f"{self.url}{path}", data=form, headers=headers)
        return {"status": answer.status_code, **answer.json()}

    def exchange(self, holder: Key, subject: str, kind: str, wanted: str, detail: object = None, **more: str) -> dict[str, Any]:
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": subject, "subject_token_type": kind}
        form |= {"requested_token_type": wanted, **more}
        if detail is not None:
            form["authorization_details"] = json.dumps([detail])
        return self.post("/token", form, {"DPoP": proof(holder, f"{ISSUER}/token", subject)})

    def mail(self, holder: Key, task: str, to: str) -> dict[str, Any]:
        call = {"type": "urn:licet:tool-call", "identifier": "send_email", "arguments": {"to": to, "body": "Solved."}}
        return self.exchange(holder, task, TASK, CALL, call)


class Tool:
    """The tool's side, somewhere else: it has the public keys, and the service's store, in which ended tasks and used tokens stand.

    ../remote_tool shows one that listens.
    """

    def __init__(self, jwks: dict[str, Any]) -> None:
        self._verifier = Verifier(jwks, issuer=ISSUER, audience=MAIL, state=SqliteStore(STATE / "licet.db"))

    def takes(self, token: str, holder: Key, to: str) -> str:
        """What it says to `Licet-Call-Token: TOKEN` and `DPoP: PROOF`."""
        shown = Proof(proof(holder, f"{MAIL}/send", token), "POST", f"{MAIL}/send")
        try:
            found = self._verifier.verify(token, tool="send_email", arguments={"to": to, "body": "Solved."}, proof=shown)
        except TokenRefused as refused:
            return f"refused, and its own log says {refused.check}"
        return f"sent: {found.agent} for {found.principal}"


broken: list[str] = []


def show(step: str, said: str, expected: str) -> None:
    held = said.startswith(expected)
    if not held:
        broken.append(step)
    print(f"  {step:<42} {said}" + ("" if held else f"   BROKEN: expected {expected}"))


def said(answer: dict[str, Any]) -> str:
    if answer["status"] != 200:
        return f"{answer['status']} {answer['error']}"
    return f"200 {answer['issued_token_type'].rpartition(':')[2]}, {answer['expires_in']} s" if "expires_in" in answer else "200"


def flow(authority: Authority) -> None:
    ada, eve = "ada@acme.example", "eve@evil.example"
    tool = Tool(httpx.get(f"{authority.url}/jwks.json").json())
    now = int(time.time())
    person = login.sign({"iss": "https://login.acme.example", "sub": "grace", "aud": "licet", "iat": now, "exp": now + 300})

    print("A task, for the person whose ID token comes along:")
    begin = {"type": "urn:licet:task", "kind": "answer-ticket", "agent": "support-bot", "intent": f"Answer the ticket of {ada}"}
    opened = authority.exchange(bot, person, ID, TASK, begin)
    show("begin", said(opened), "200 task, ")
    task = opened["access_token"]
    forged = login.sign({"iss": "https://login.acme.example", "sub": "grace", "aud": "another", "iat": now, "exp": now + 300})
    show("with an ID token for another program", said(authority.exchange(bot, forged, ID, TASK, begin)), "400 invalid_request")

    print("A token for one call, and the tool that takes it:")
    issued = authority.mail(bot, task, ada)
    show(f"send_email to {ada}", said(issued), "200 call, ")
    show("  at the tool, with the holder's proof", tool.takes(issued["access_token"], bot, ada), "sent: support-bot for login:grace")
    show("  the same again", tool.takes(issued["access_token"], bot, ada), "refused, and its own log says token.replay")
    show(
        "  another's proof",
        tool.takes(authority.mail(bot, task, ada)["access_token"], mailer, ada),
        "refused, and its own log says token.proof",
    )
    show(f"send_email to {eve}", said(authority.mail(bot, task, eve)), "400 access_denied")
    show("with the task's token and another key", said(authority.mail(mailer, task, ada)), "400 invalid_dpop_proof")

    print("The task's token is renewed, and the work handed on:")
    renewed = authority.exchange(bot, task, TASK, TASK)
    show("renew", said(renewed), "200 task, ")
    show("renew, with authorization_details=[{}]", said(authority.exchange(bot, task, TASK, TASK, {})), "400 invalid_authorization_details")
    task = renewed["access_token"]
    part = {"type": "urn:licet:task", "kind": "send-mail", "agent": "mail-bot", "intent": f"Write to {ada}"}
    child = authority.exchange(bot, task, TASK, TASK, part, dpop_jkt=mailer.thumbprint)
    show("delegate to mail-bot and its key", said(child), "200 task, ")
    late = authority.mail(mailer, child["access_token"], ada)
    show("  mail-bot's call", said(late), "200 call, ")

    print("The agent's name, for a cloud that knows the issuer:")
    show("federate to sts.cloud.example", said(authority.exchange(bot, task, TASK, ID, audience="sts.cloud.example")), "200 id_token, ")
    show("federate to elsewhere", said(authority.exchange(bot, task, TASK, ID, audience="sts.evil.example")), "400 invalid_target")

    print("Asked about, and ended with all that it issued:")
    show("introspect", f"active: {authority.post('/introspect', {'token': task})['active']}", "active: True")
    show("revoke", said(authority.post("/revoke", {"token": task})), "200")
    show("introspect", f"active: {authority.post('/introspect', {'token': task})['active']}", "active: False")
    show("a call", said(authority.mail(bot, task, ada)), "400 invalid_request")
    show(
        "  mail-bot's token of before, at the tool",
        tool.takes(late["access_token"], mailer, ada),
        "refused, and its own log says token.ended",
    )


@contextmanager
def service() -> Iterator[str]:
    """`licet serve` on a free port of this machine, with the public keys of those that it knows beside its manifest."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    manifest = shutil.copy(HERE / "licet.yaml", FOLDER)
    client.publish(FOLDER / "runner.json")
    login.publish(FOLDER / "login.json")
    licet = [sys.executable, "-m", "licet"]
    Guard.from_file(manifest, state=STATE, issuer=ISSUER).close()  # the first start of any guard makes its state and its signing key
    # Clouds take ES256 or RS256, so that for `federation:` there is a second one.
    subprocess.run([*licet, "keys", "rotate", "--alg", "ES256", "--now", "--state", str(STATE)], check=True, capture_output=True)
    command = [*licet, "serve", str(manifest), "--port", "0", "--state", str(STATE)]
    with (
        (FOLDER / "log").open("w", encoding="utf-8") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdout is not None
        try:
            yield process.stdout.readline().removeprefix("listening on ").partition(",")[0]
        finally:
            process.terminate()


if __name__ == "__main__":
    with service() as url:
        flow(Authority(url))
    print("Every promise held." if not broken else f"{len(broken)} promises did not hold.")
    sys.exit(1 if broken else 0)
