"""The second channel: how somebody hears that the monitoring is blind, by a way that is none of the monitoring's own.

A channel says whether it took an alarm. What it did not take is tried again; so an alarm can come twice, under the same id.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import smtplib
import ssl
import subprocess
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from licet.canonical import Plain
from licet.clock import iso, lasting
from licet.errors import StateError, UsageError
from licet.escape import visible
from licet.machine import open_own
from licet.manifest.identities import is_loopback
from licet.monitor.deliveries import Reply
from licet.monitor.webhook import Webhook

CODE: Final = "MONITORING_BLIND"
TIMEOUT: Final = 30.0
"""Seconds within which a mail server, or a command, has to take an alarm."""

_LONGEST_FILE: Final = 1_000
_SHOWN: Final = 300  # characters of why
_TLS_PORT: Final = 465


class Alarm(NamedTuple):
    """What is said.

    Attributes:
        id: the same in every try.
        kind: `blind`, `still`, `over`, or `test`.
        since: from when on it was blind (seconds since the epoch).
        time: until when that is known.
        why: sentences, of what is blind.
        watched: what was looked at.
    """

    id: str
    kind: str
    since: float
    time: float
    why: tuple[str, ...]
    watched: str

    @property
    def title(self) -> str:
        """One line."""
        lasted = lasting(max(0.0, self.time - self.since))
        return {
            "blind": f"{CODE}: since {iso(self.since)} nobody can rely on the monitoring",
            "still": f"{CODE}: still, for {lasted}",
            "over": f"{CODE}: over; the monitoring was blind for {lasted}, from {iso(self.since)} to {iso(self.time)}",
            "test": f"{CODE}: a test; nothing is wrong",
        }[self.kind]

    def plain(self) -> dict[str, Plain]:
        """As JSON has it. What is foreign in it is visible text."""
        why: list[Plain] = [visible(each, _SHOWN) for each in self.why]
        return {
            "type": f"monitoring.{self.kind}", "timestamp": iso(self.time),
            "data": {
                "code": CODE, "id": self.id, "title": self.title, "since": iso(self.since), "watched": visible(self.watched, _SHOWN),
                "why": why,
            },
        }  # fmt: skip

    def body(self) -> bytes:
        """The same as bytes."""
        return json.dumps(self.plain(), ensure_ascii=True, separators=(",", ":")).encode()

    def text(self) -> str:
        """For people."""
        lines = [self.title, "", *(f"- {visible(each, _SHOWN)}" for each in self.why), "", f"Watched: {visible(self.watched, _SHOWN)}"]
        return "\n".join(lines) + "\n"


class Channel(Protocol):
    """Where alarms go."""

    @property
    def name(self) -> str:
        """What people are told of it, which holds nothing secret."""

    @property
    def key(self) -> str:
        """What it is remembered under: all that makes it another channel, hashed where that may be secret."""

    def send(self, alarm: Alarm, now: float) -> Reply:
        """Hand it over, and hear whether it was taken. Does not raise for what the other side does."""


class Post:
    """A webhook, signed as those of findings are."""

    def __init__(self, hook: Webhook) -> None:
        self._hook = hook
        self.name = self.key = f"webhook {hook.name}"

    def send(self, alarm: Alarm, now: float) -> Reply:
        """Only an answer of 2xx says that it was taken."""
        return self._hook.post(alarm.id, alarm.body(), now)


class Server(NamedTuple):
    """A mail server.

    Attributes:
        host, port: where it is.
        tls: from the first byte on; else STARTTLS is asked for (RFC 3207), and nothing is said without it, but on this machine.
        user, password: for AUTH; empty: none is needed.
    """

    host: str
    port: int
    tls: bool
    user: str = ""
    password: str = ""


class Mail:
    """A mail, by SMTP (RFC 5321).

    Args:
        context: of TLS; without it the system's own certificates count.
    """

    def __init__(
        self, server: Server, to: str, sender: str, timeout: float = TIMEOUT, context: ssl.SSLContext | None = None
    ) -> None:  # fmt: skip
        self._server, self._to, self._sender, self._timeout = server, address(to), address(sender), timeout
        self._context = context or ssl.create_default_context()
        self.name = self.key = f"mail {to} {server.host}:{server.port}"

    def send(self, alarm: Alarm, now: float) -> Reply:
        """Only a server that took it for the one address says that it was taken."""
        message = EmailMessage()
        message["Subject"], message["From"], message["To"] = alarm.title, self._sender, self._to
        message["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
        message["Message-ID"] = f"<{alarm.id}@{self._sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence is answered
        message.set_content(alarm.text())
        return within(lambda: self._handed(message), self._timeout, self._server.host)

    def _handed(self, message: EmailMessage) -> Reply:
        where = f"{self._server.host}:{self._server.port}"
        try:
            with self._opened() as server:
                if self._server.user:
                    server.login(self._server.user, self._server.password)
                server.send_message(message)
        except _Open:
            return Reply(taken=False, why=f"{where}: offers no STARTTLS, and a mail does not go in the open; name its TLS port (smtps://)")
        except (OSError, smtplib.SMTPException, UnicodeError) as error:  # what the far side wrote is not repeated
            code = getattr(error, "smtp_code", "")
            return Reply(taken=False, why=f"{where}: did not take the mail ({type(error).__name__}{f' {code}' if code else ''})")
        return Reply(taken=True)

    def _opened(self) -> smtplib.SMTP:
        host, port, tls, *_ = self._server
        if tls:
            return smtplib.SMTP_SSL(host, port, timeout=self._timeout, context=self._context)
        server = smtplib.SMTP(host, port, timeout=self._timeout)
        try:
            server.ehlo_or_helo_if_needed()
            if server.has_extn("starttls"):
                server.starttls(context=self._context)
                server.ehlo()
                return server
            if is_loopback(host):
                return server
        except BaseException:  # whatever it is goes on; the connection is not left open
            server.close()
            raise
        server.close()
        raise _Open


class _Open(Exception):
    """What is said would be read by others."""


class Command:
    """A program, without a shell: it reads the alarm as JSON, and ends with 0 if somebody was told."""

    def __init__(self, words: Sequence[str], timeout: float = TIMEOUT) -> None:
        if not words:
            raise UsageError("--command without a command")
        self._words, self._timeout = tuple(words), timeout
        self.name = f"command {words[0]}"
        self.key = (
            f"command {hashlib.sha256(json.dumps(self._words).encode()).hexdigest()}"  # an argument says who is told, and may be secret
        )

    def send(self, alarm: Alarm, now: float) -> Reply:  # noqa: ARG002 - of all channels
        """Only an end with 0, in time, says that it was taken."""
        try:
            process = subprocess.Popen(  # noqa: S603 - the words are those of who runs us
                self._words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "not a command"
            return Reply(taken=False, why=f"{self._words[0]}: cannot be run: {why}")
        try:
            process.communicate(alarm.body() + b"\n", timeout=self._timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return Reply(taken=False, why=f"{self._words[0]}: did not end within {self._timeout:g} s")
        if process.returncode:
            return Reply(taken=False, why=f"{self._words[0]}: ended with {process.returncode}")
        return Reply(taken=True)


def within(answer: Callable[[], Reply], timeout: float, host: str) -> Reply:
    """The answer, if it comes in time: a server that sends one byte now and then would keep a socket's own timeout from ever passing."""
    box: list[Reply] = []
    thread = threading.Thread(target=lambda: box.append(answer()), name="licet-alarm", daemon=True)
    thread.start()
    thread.join(timeout)
    return box[0] if box else Reply(taken=False, why=f"{host}: no answer within {timeout:g} s")


def server_of(url: str, login: str | Path | None) -> Server:
    """A mail server: `smtps://HOST[:PORT]`, or `smtp://HOST[:PORT]` with STARTTLS. `login`: a file of ours, the user in its first line, the
    password in its second.

    Raises:
        UsageError: it is no address, or the file holds no login.
        StateError: the file cannot be read, or others can read it.
    """
    try:
        found = urlsplit(url)
        host, port = found.hostname or "", found.port
    except ValueError:
        host, port = "", None
    if not host or found.scheme not in ("smtp", "smtps") or found.path not in ("", "/") or found.query or found.username is not None:
        raise UsageError("--smtp is no mail server; write smtps://HOST[:PORT], or smtp://HOST[:PORT] for STARTTLS")
    tls = found.scheme == "smtps"
    user, password = ("", "") if login is None else _login(login)
    return Server(host, port or (_TLS_PORT if tls else smtplib.SMTP_PORT if login is None else 587), tls, user, password)


def _login(path: str | Path) -> tuple[str, str]:
    with os.fdopen(open_own(path, os.O_RDONLY, StateError), "rb") as file:
        lines = file.read(_LONGEST_FILE).decode("utf-8", "replace").splitlines()
    if len(lines) != 2 or not all(lines):
        raise UsageError(f"{path}: holds no login: the user in its first line, the password in its second")
    return lines[0], lines[1]


def address(text: str) -> str:
    """A mail address, as it goes into a header.

    Raises:
        UsageError: it is none.
    """
    name, _, host = text.rpartition("@")
    if not name or not host or not text.isascii() or not text.isprintable() or any(each in text for each in ' <>,;:"()[]\\'):
        raise UsageError("a mail address is NAME@HOST, such as soc@acme.example")
    return text
