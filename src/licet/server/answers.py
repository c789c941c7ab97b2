"""What the service says when it says no (RFC 6749 section 5.2), and in which characters."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from licet.errors import Denied, TokenRefused
from licet.escape import visible

_OTHERS = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e]")  # what RFC 6749 section 5.2 leaves out of `error_description`
_LIKE = {'"': "'", "\\": "/", "\u2026": "...", "\n": " ", "\t": " "}
LONGEST = 1_000  # characters of a description

REFUSED = "the token was refused"
"""All that somebody hears of a token that is not good; why not is for our own records."""


class Refused(Exception):
    """A request that is refused: the status, and the members of the answer."""

    def __init__(self, status: int, error: str, description: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(description)
        self.status, self.error, self.description = status, error, description
        self.headers: Mapping[str, str] = headers or {}

    def body(self) -> dict[str, str]:
        """The JSON object of the answer."""
        return {"error": self.error, "error_description": described(self.description)}


def why_inward(refused: Refused) -> tuple[int, str]:
    """For our own log: its level, and why a request was refused, with the check that the answer does not name. Never a token."""
    cause = refused.__cause__
    if isinstance(cause, TokenRefused):
        return logging.WARNING, visible(f"{cause.check}: {cause.why}", LONGEST)
    if isinstance(cause, Denied):
        inner = cause.__cause__
        if isinstance(inner, TokenRefused):  # a name that was not proved
            return logging.WARNING, visible(f"{', '.join(cause.decision.checks)}: {inner.check}: {inner.why}", LONGEST)
        return logging.INFO, ", ".join(cause.decision.checks)
    return logging.WARNING if refused.status == 401 else logging.INFO, visible(refused.description, LONGEST)


def described(text: str) -> str:
    """A text in the characters that an `error_description` may have."""
    return _OTHERS.sub(lambda found: _LIKE.get(found[0], "?"), text[:LONGEST])


def bad_request(description: str, error: str = "invalid_request") -> Refused:
    """The request is wrong in itself."""
    return Refused(400, error, description)


def too_many(seconds: float) -> Refused:
    """RFC 6585 section 4. `seconds`: when to come again."""
    return Refused(
        429, "temporarily_unavailable", "too many requests; wait as long as Retry-After says", {"Retry-After": str(int(seconds) + 1)}
    )


def unavailable() -> Refused:
    """Our own state cannot be used: nothing was decided, and so nothing is granted."""
    return Refused(503, "temporarily_unavailable", "the service cannot use its own state now; see its log", {"Retry-After": "5"})
