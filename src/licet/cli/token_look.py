"""Looking at a token with the verifier itself: nothing is used up, and what is wrong at one step does not hide the later ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from licet.canonical import Plain
from licet.errors import StateError, TokenRefused
from licet.escape import visible
from licet.records import Finding, Mark, Revocation
from licet.store import Store
from licet.tokens import CallClaims, MemoryState, Proof, TokenState, Verifier
from licet.tokens.claims import Envelope
from licet.tokens.jws import Keys, claims_of, parse


class Look:
    """A store that is looked at only: nothing is used up, and no finding is kept. `though_revoked`: as if nothing were revoked."""

    def __init__(self, store: Store, *, though_revoked: bool = False) -> None:
        self._store, self._though_revoked = store, though_revoked

    def spend(self, jti: str, until: float, marks: Sequence[Mark], now: float) -> Revocation | bool:  # noqa: ARG002 - nothing is kept
        """What `TokenState.spend` would answer."""
        return self.revoked(marks, now) or not self._store.is_spent(jti)

    def revoke(self, revocation: Revocation) -> bool:  # noqa: ARG002 - nothing is revoked
        """Never: this is to look at.

        Raises:
            StateError: always.
        """
        raise StateError("a look revokes nothing")

    def revoked(self, marks: Sequence[Mark], now: float) -> Revocation | None:
        """See `TokenState`."""
        return None if self._though_revoked else self._store.revoked(marks, now)

    def add_finding(self, finding: Finding) -> None:
        """Nothing was presented to anybody."""


@dataclass(frozen=True)
class Wanted:
    """What a token is held against, as a tool's side would do it."""

    keys: Keys
    issuer: str
    audience: str
    typ: Envelope
    tool: str
    arguments: Mapping[str, Plain]
    proof: Proof | None
    task: str | None
    actor: str | None
    definition: str | None
    store: Store | None
    without: frozenset[str] = field(default_factory=frozenset)  # the checks that are left out, such as `token.proof`

    def verify(self, token: str, *, burn: bool = False, past: frozenset[str] = frozenset()) -> CallClaims:
        """Verify, and with `burn` use the token up; the checks of `past` are left out too.

        Raises:
            TokenRefused: see `Verifier.verify`; of an issuer or audience it says what was expected and found.
        """
        out = self.without | past
        issuer, audience = self.issuer, self.audience
        if out & {"token.issuer", "token.audience"}:  # the signature holds, or there would be no such refusal
            found = claims_of(parse(token))
            issuer = _text(found.get("iss"), issuer) if "token.issuer" in out else issuer
            audience = _text(found.get("aud"), audience) if "token.audience" in out else audience
        verifier = _Lenient(self.keys, issuer=issuer, audience=audience, state=self._state(out, burn=burn), typ=self.typ)
        verifier.leave_out(out)
        try:
            return verifier.verify(
                token, tool=self.tool, arguments=self.arguments, proof=self.proof, task=self.task,
                actor=None if "token.actor" in out else self.actor, definition=self.definition,
            )  # fmt: skip
        except TokenRefused as refused:
            claim = {"token.issuer": "iss", "token.audience": "aud"}.get(refused.check)
            if claim is None:
                raise
            expected = issuer if claim == "iss" else audience
            there = visible(str(claims_of(parse(token)).get(claim)), 200)
            raise TokenRefused(refused.check, f"{refused.why}: expected {visible(expected, 200)}, found {there}") from refused

    def _state(self, out: frozenset[str], *, burn: bool) -> TokenState:
        if self.store is None:
            return MemoryState()
        return self.store if burn else Look(self.store, though_revoked=bool(out & {"token.ended", "token.revoked"}))


def look_on(wanted: Wanted, token: str, first: TokenRefused) -> tuple[list[TokenRefused], bool]:
    """All that is wrong with a token, the first refusal before the others; and whether it was looked at to its end.

    What cannot be read, or is not known to be the issuer's, is not looked at any further.
    """
    found = [first]
    while found[-1].check in _GOES_ON:
        try:
            wanted.verify(token, past=frozenset(refused.check for refused in found))
        except TokenRefused as refused:
            if refused.check in {known.check for known in found}:  # it cannot be left out: a claim is missing
                return found, False
            found.append(refused)
        else:
            return found, True
    return found, found[-1].check == "token.replay"  # which is looked at last


_GOES_ON = frozenset(
    f"token.{name}" for name in ("issuer", "audience", "time", "actor", "binding", "proof", "ended", "revoked")
)  # fmt: skip


class _Lenient(Verifier):
    """Leaves checks out, to see what is behind them. It permits nothing: it is made for a look."""

    _left_out: frozenset[str] = frozenset()

    def leave_out(self, checks: frozenset[str]) -> None:
        self._left_out = checks
        if "token.time" in checks:
            self._skew = self._max_age = math.inf  # type: ignore[assignment]

    def _match(self, *given: Any, **more: Any) -> None:
        if "token.binding" not in self._left_out:
            super()._match(*given, **more)

    def _prove(self, *given: Any, **more: Any) -> None:
        if "token.proof" not in self._left_out:
            super()._prove(*given, **more)


def _text(found: object, otherwise: str) -> str:
    return found if isinstance(found, str) and found else otherwise
