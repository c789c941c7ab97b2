"""Telling an owner: by e-mail where a relay is named in LICET_SMTP, else by saying plainly that nobody was told."""

from __future__ import annotations

import os
import re
import smtplib
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import urlsplit

from licet.errors import UsageError
from licet.escape import visible

TIMEOUT_SECONDS = 10.0
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Relay:
    """A mail server that takes mail from this machine without a log-in."""

    host: str
    port: int

    @classmethod
    def from_environment(cls) -> Relay | None:
        """The relay of LICET_SMTP (`smtp://host:port`), or None if it is not set.

        Raises:
            UsageError: it is set to something else.
        """
        url = os.environ.get("LICET_SMTP")
        if not url:
            return None
        try:
            parts = urlsplit(url)
            port = parts.port or 25
        except ValueError as error:
            raise UsageError(f"LICET_SMTP: {url!r} is no address; write smtp://host:port") from error
        if parts.scheme != "smtp" or not parts.hostname or parts.username is not None or parts.path.strip("/") or parts.query:
            raise UsageError("LICET_SMTP: write smtp://host:port, a relay that takes mail from this machine without a log-in")
        return cls(parts.hostname, port)

    def tell(self, contact: str, subject: str, text: str) -> str:
        """Send one mail. The answer is empty if the relay took it, else why it was not sent. Never raises."""
        if _ADDRESS.fullmatch(contact) is None:
            return "the contact is not an e-mail address"
        mail = EmailMessage()
        mail["From"] = os.environ.get("LICET_SMTP_FROM") or f"licet@{os.uname().nodename or 'localhost'}"
        mail["To"] = contact
        mail["Subject"] = visible(subject, 200)
        mail.set_content(text)
        try:
            with smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_SECONDS) as server:
                server.send_message(mail)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            return f"the relay {self.host}:{self.port} did not take it: {visible(str(error), 200)}"
        return ""
