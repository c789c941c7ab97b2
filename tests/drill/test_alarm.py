"""An alarm is heard on a real channel, or it is said that it was not."""

from __future__ import annotations

import base64
import gc
import ipaddress
import json
import ssl
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import create_server
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from licet.cli import main
from licet.drill.alarm import Alarm, Command, Mail, Post, Server, address, server_of
from licet.drill.receiver import receiving
from licet.errors import StateError, UsageError
from licet.monitor.webhook import Webhook

smtp = pytest.importorskip("aiosmtpd.smtp", reason="the mail server of the tests is not installed")
controller = pytest.importorskip("aiosmtpd.controller")

NOW = 1_790_000_000.0
ALARM = Alarm("blind_1_0", "blind", NOW - 60, NOW, ("detector ends: no result\x1b[2J",), "https://licet.acme.example")
USER, PASSWORD = "licet", "correct horse"


class Inbox:
    """What a mail server took."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.mails.append((session.authenticated, envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 taken"


def let_in(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
    return smtp.AuthResult(success=(data.login, data.password) == (USER.encode(), PASSWORD.encode()), handled=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that signs itself, with its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = tmp_path_factory.mktemp("tls") / "mail.pem"
    path.write_bytes(made.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def port() -> int:
    with closing(create_server(("127.0.0.1", 0))) as found:
        return int(found.getsockname()[1])


@pytest.fixture(params=["starttls", "tls"])
def mailed(request: pytest.FixtureRequest, certificate: Path) -> Iterator[tuple[Inbox, Server, ssl.SSLContext]]:
    """A mail server that takes nothing but from whom it knows, over TLS."""
    inbox, tls = Inbox(), request.param == "tls"
    options: dict[str, Any] = {"authenticator": let_in, "hostname": "127.0.0.1", "port": port()}
    if tls:
        running = controller.Controller(inbox, ssl_context=server_side(certificate), auth_require_tls=False, **options)
    else:
        running = controller.Controller(inbox, tls_context=server_side(certificate), require_starttls=True, auth_required=True, **options)
    running.start()
    try:
        yield inbox, Server("127.0.0.1", running.port, tls, USER, PASSWORD), ssl.create_default_context(cafile=str(certificate))
    finally:
        running.stop()
        gc.collect()  # it does not close what broke off in the middle of a handshake


# What the server of the tests leaves behind is its own affair.
unclosed = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")


@unclosed
def test_a_mail_is_taken_over_tls_by_a_server_that_knows_us(mailed):
    inbox, server, context = mailed
    reply = Mail(server, "soc@acme.example", "licet@acme.example", context=context).send(ALARM, NOW)
    assert reply.taken, reply.why
    ((known, sender, to, content),) = inbox.mails
    assert (known, sender, to) == (True, "licet@acme.example", ["soc@acme.example"])
    text = content.decode()
    assert "Subject: MONITORING_BLIND: since " in text
    assert "Message-ID: <blind_1_0@acme.example>" in text
    assert "detector ends: no result" in text
    assert "\x1b" not in text


@unclosed
def test_a_server_that_does_not_know_us_or_that_nobody_vouches_for_takes_nothing(mailed):
    inbox, server, context = mailed
    for wrong, trusted in ((server._replace(password="guessed"), context), (server, ssl.create_default_context())):
        reply = Mail(wrong, "soc@acme.example", "licet@acme.example", 5.0, trusted).send(ALARM, NOW)
        assert not reply.taken
        assert "guessed" not in reply.why
        assert PASSWORD not in reply.why
    assert inbox.mails == []


def test_a_server_that_never_answers_is_given_up_in_time():
    with closing(create_server(("127.0.0.1", 0))) as silent:
        mail = Mail(Server("127.0.0.1", silent.getsockname()[1], False), "soc@acme.example", "soc@acme.example", timeout=0.2)
        reply = mail.send(ALARM, NOW)
    assert (reply.taken, reply.why[:9]) == (False, "127.0.0.1")


def test_no_word_goes_in_the_open_to_another_machine(monkeypatch):
    inbox = Inbox()
    running = controller.Controller(inbox, hostname="127.0.0.1", port=port())
    running.start()
    try:
        monkeypatch.setattr("licet.drill.alarm.is_loopback", lambda _: False)
        reply = Mail(Server("127.0.0.1", running.port, False), "soc@acme.example", "soc@acme.example").send(ALARM, NOW)
    finally:
        running.stop()
    assert (reply.taken, inbox.mails) == (False, [])
    assert "offers no STARTTLS" in reply.why


@pytest.mark.parametrize("text", ["soc", "@acme.example", "a b@acme.example", "a@b\nBcc: c@d", "a,b@acme.example", "ä@acme.example"])
def test_what_is_no_address_goes_into_no_header(text):
    with pytest.raises(UsageError, match="NAME@HOST"):
        address(text)


def test_a_login_is_read_from_a_file_that_is_ours_alone(tmp_path):
    file = tmp_path / "login"
    file.write_text(f"{USER}\n{PASSWORD}\n")
    file.chmod(0o644)
    with pytest.raises(StateError, match="0644"):
        server_of("smtp://mail.acme.example", file)
    file.chmod(0o600)
    assert server_of("smtp://mail.acme.example", file) == Server("mail.acme.example", 587, False, USER, PASSWORD)
    assert server_of("smtps://mail.acme.example:1465", None) == Server("mail.acme.example", 1465, True)
    file.write_text("one line\n")
    with pytest.raises(UsageError, match="holds no login"):
        server_of("smtp://mail.acme.example", file)
    for wrong in ("mail.acme.example", "http://mail.acme.example", "smtp://me:pw@mail.acme.example", "smtp://h:port"):
        with pytest.raises(UsageError, match="no mail server"):
            server_of(wrong, None)


def test_a_webhook_is_signed_and_taken_once_it_answers_so():
    with receiving() as receiver:
        assert Post(Webhook(receiver.url, receiver.secret)).send(ALARM, NOW).taken
        told = receiver.messages["blind_1_0"]
        assert (told["type"], told["data"]["code"]) == ("monitoring.blind", "MONITORING_BLIND")
        assert not Post(Webhook(receiver.url, b"another secret, of 24 bytes")).send(ALARM, NOW).taken


def test_a_command_reads_the_alarm_and_says_by_its_end_whether_somebody_was_told(tmp_path):
    out = tmp_path / "told"
    words = [sys.executable, "-c", "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())", str(out)]
    assert Command(words).send(ALARM, NOW).taken
    assert json.loads(out.read_text()) == ALARM.plain()
    assert Command([sys.executable, "-c", "raise SystemExit(3)"]).send(ALARM, NOW).why.endswith("ended with 3")
    assert "cannot be run" in Command([str(tmp_path / "nothing")]).send(ALARM, NOW).why


def test_no_word_of_a_command_is_a_shells(tmp_path):
    out = tmp_path / "made"
    Command([sys.executable, "-c", "pass", f"; touch {out}", f"$(touch {out})"]).send(ALARM, NOW)
    assert not out.exists()


def test_a_command_that_does_not_end_is_ended_with_all_that_it_began(tmp_path):
    began = tmp_path / "began"
    script = f"sleep 600 & echo $! > {began}; wait"
    reply = Command(["/bin/sh", "-c", script], timeout=1.0).send(ALARM, NOW)
    assert (reply.taken, "did not end" in reply.why) == (False, True)
    stands = Path(f"/proc/{began.read_text().strip()}/stat")
    assert not stands.exists() or stands.read_text().rpartition(")")[2].split()[0] in "ZX"


def test_a_test_says_on_each_channel_whether_it_was_taken(tmp_path, capsys):
    secret = tmp_path / "secret"
    with receiving() as receiver:
        secret.write_text(f"whsec_{base64.b64encode(receiver.secret).decode()}\n")
        secret.chmod(0o600)
        words = ["drill", "alarm", "--test", "--webhook", receiver.url, "--secret-file", str(secret)]
        assert main(words) == 0
        assert main([*words, "--command", sys.executable, "-c", "raise SystemExit(1)"]) == 1
        assert [each["type"] for each in receiver.messages.values()] == ["monitoring.test"] * 2
    out = capsys.readouterr().out
    assert (out.count(": taken"), out.count(": not taken")) == (2, 1)
    assert main(["drill", "alarm", "--test"]) == 2
    assert main(["drill", "alarm", "--command", "true"]) == 2
