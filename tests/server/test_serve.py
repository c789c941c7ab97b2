"""`licet serve`: what it refuses to do in the open, that it really listens, that it stops in order, and that its log holds no token."""

from __future__ import annotations

import datetime
import ipaddress
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from licet.cli import main
from licet.clock import SystemClock
from licet.errors import UsageError
from licet.server.run import Listening, _bind, check
from licet.tokens.keys import jwks_text
from running import CRM, HELPERS, IDP, MAIL, MANIFEST, OTHERS, RUNNER, Asker, Service

PLAIN, SECURE = "http://127.0.0.1:8470", "https://licet.acme.example"


@pytest.mark.parametrize(
    "at,issuer,why",
    [
        (Listening(), PLAIN, ""),
        (Listening(), SECURE, ""),
        (Listening("localhost"), PLAIN, ""),
        (Listening("::1"), PLAIN, ""),
        (Listening("127.9.9.9"), SECURE, ""),
        (Listening("0.0.0.0", certificate="c", key="k"), SECURE, ""),
        (Listening("0.0.0.0", proxies="10.0.0.5"), SECURE, ""),
        (Listening("0.0.0.0", proxies="10.0.0.0/24,10.1.0.1"), SECURE, ""),
        (Listening("0.0.0.0"), SECURE, "in the open"),
        (Listening("::"), SECURE, "in the open"),
        (Listening("licet.acme.example"), SECURE, "in the open"),
        (Listening("localhost.evil.example"), SECURE, "in the open"),
        (Listening("0.0.0.0"), PLAIN, "https `issuer`"),
        (Listening("0.0.0.0", certificate="c", key="k"), PLAIN, "https `issuer`"),
        (Listening("0.0.0.0", proxies="10.0.0.5"), PLAIN, "https `issuer`"),
        (Listening(certificate="c", key="k"), PLAIN, "says http"),
        (Listening(certificate="c"), SECURE, "belong together"),
        (Listening(key="k"), SECURE, "belong together"),
        (Listening(certificate="c", key="k", proxies="10.0.0.5"), SECURE, "either"),
        (Listening("0.0.0.0", proxies="*"), SECURE, "takes addresses"),
        (Listening("0.0.0.0", proxies=""), SECURE, "takes addresses"),
        (Listening("0.0.0.0", proxies="0.0.0.0/0"), SECURE, "about everybody"),
        (Listening("0.0.0.0", proxies="10.0.0.5,::/8"), SECURE, "about everybody"),
        (Listening(port=70_000), SECURE, "--port"),
    ],
    ids=repr,
)  # fmt: skip
def test_the_rule_of_tls(at: Listening, issuer: str, why: str):
    """Nothing but this machine is answered without TLS, and an issuer without TLS is for this machine alone."""
    if why:
        with pytest.raises(UsageError, match=why):
            check(at, issuer)
    else:
        check(at, issuer)


def write(folder: Path, issuer: str) -> Path:
    manifest = folder / "licet.yaml"
    text = MANIFEST.format(issuer=issuer, mail=MAIL, crm=CRM).replace("  federation: [sts.cloud.example]\n", "")
    manifest.write_text(text, encoding="utf-8")
    for name, key in (("runner", RUNNER), ("helpers", HELPERS), ("others", OTHERS), ("idp", IDP)):
        (folder / f"{name}.json").write_text(jwks_text([key.jwk]), encoding="utf-8")
    return manifest


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def served(folder: Path, issuer: str, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command in a process of its own, and the line that it prints once it listens."""
    command = [sys.executable, "-m", "licet", "serve", str(write(folder, issuer)), "--state", str(folder / "state"), *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LICET_"))}
    with (folder / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline()
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_listens_and_stops_in_order(tmp_path: Path, number: signal.Signals):
    """It says where, gives a token, and at a signal ends with 0; its log has a line for each request, and no token or key in any."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with served(tmp_path, url, "--port", str(port)) as (process, line):
        assert line == f"listening on {url}, as {url}\n"
        with httpx.Client(base_url=url, trust_env=False) as http:
            service = Service.__new__(Service)
            service.url, service.http, service.clock = url, http, SystemClock()
            service.asker = Asker(service)
            task = service.task()
            token = service.asker.call(task, "send", {"to": "ada@acme.example", "body": ""}).json()["access_token"]
            assert http.get("/health").json()["status"] == "ok"
            assert http.get("/secret?token=abc").status_code == 404
        process.send_signal(number)
        assert process.wait(timeout=20) == 0
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert "runner POST /token 200" in log
    assert " - GET /secret 404" in log
    assert not [part for each in (task, token) for part in each.split(".") if part in log]
    assert "eyJ" not in log
    assert "abc" not in log


def certificate(folder: Path) -> tuple[str, str]:
    """A certificate for 127.0.0.1 that vouches for itself."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "licet")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(address, critical=False).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "cert.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(folder / "cert.pem"), str(folder / "key.pem")


def test_it_speaks_tls(tmp_path: Path):
    """With a certificate; and not without it on the same port."""
    import ssl

    cert, key = certificate(tmp_path)
    with served(tmp_path, SECURE, "--port", "0", "--tls-cert", cert, "--tls-key", key, "--json") as (process, first):
        assert process.stdout is not None
        said = json.loads(first + "".join(process.stdout.readline() for _ in range(3)))
        assert said["issuer"] == SECURE
        with httpx.Client(base_url=said["listening"], verify=ssl.create_default_context(cafile=cert), trust_env=False) as http:
            assert http.get("/jwks.json").status_code == 200
        with pytest.raises(httpx.HTTPError):
            httpx.get(said["listening"].replace("https", "http") + "/jwks.json", trust_env=False)


def test_what_it_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Without a section, in the open, with a certificate that is none, on a port that is taken: 2, with what to do; and no state is made."""
    manifest = write(tmp_path, SECURE)
    state = ["--state", str(tmp_path / "state")]

    def refused(*options: str) -> str:
        assert main(["serve", *options, *state]) == 2
        return capsys.readouterr().err

    assert "in the open" in refused(str(manifest), "--host", "0.0.0.0")
    assert not (tmp_path / "state").exists()
    bare = tmp_path / "bare.yaml"
    bare.write_text(manifest.read_text(encoding="utf-8").partition("authority:")[0], encoding="utf-8")
    assert "no `authority:`" in refused(str(bare))
    assert "certificate" in refused(str(manifest), "--tls-cert", str(manifest), "--tls-key", str(manifest))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "cannot be listened on" in refused(str(manifest), "--port", str(taken.getsockname()[1]))


def test_a_clients_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """`licet check` warns at its place, and the service does not start for a client that could never ask."""
    manifest = write(tmp_path, SECURE)
    (tmp_path / "helpers.json").unlink()
    (tmp_path / "idp.json").unlink()
    assert main(["check", "--json", str(manifest)]) == 0
    found = [each for each in json.loads(capsys.readouterr().out)["problems"] if each["code"] == "no-key-file"]
    assert [each["key"] for each in found] == ["issuers.idp.jwks_file", "authority.clients.helpers.jwks_file"]
    assert all(each["line"] for each in found)
    assert main(["serve", str(manifest), "--state", str(tmp_path / "state"), "--port", "0"]) == 2
    said = capsys.readouterr().err
    assert "authority.clients.helpers.jwks_file" in said
    assert "helpers.json" in said


def test_an_answer_does_not_wait_for_the_one_before():
    """asyncio takes the delay out of sockets that say that they are TCP, and of no other: else each answer waits 40 ms."""
    with _bind(Listening(port=0)) as listener:
        assert listener.proto == socket.IPPROTO_TCP
