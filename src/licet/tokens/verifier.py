"""`licet.verify`: whether a call token is good for the call that is about to run. The steps are those of docs/tokens.md, in order."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from licet.canonical import Plain, digest
from licet.catalogue import CHECKS
from licet.clock import Clock, SystemClock, lasting
from licet.errors import StateError, TokenRefused, UsageError
from licet.records import Finding, Revocation
from licet.tokens.algorithms import OURS, KeySet
from licet.tokens.claims import (
    CALL_TYPE,
    ENVELOPES,
    MAX_SECONDS,
    SKEW_SECONDS,
    CallClaims,
    Envelope,
    call_claims,
    check_times,
    marks_of,
    spent_as,
    whose,
)
from licet.tokens.dpop import Proof, check_proof
from licet.tokens.jws import Keys, check_signature, check_type, claims_of, parse
from licet.tokens.state import TokenState

MAX_SKEW = 60
MAX_STEP = 600
"""By how many seconds a clock may be set back without a used token counting as unused."""


class Verifier:
    """Verifies the call tokens of one issuer for one audience: what stands at the tool's side.

    Args:
        keys: the issuer's public keys: a `KeySet`, a parsed JWK set, or a `RemoteKeys` that fetches them.
        issuer: the `iss` that is expected, exactly.
        audience: this tool's own name, as the manifest says it under `audience:`.
        state: where used and revoked tokens are kept. Share the guard's store where it can be reached; `MemoryState()` is for one process.
        typ: the one kind of token that is taken here (RFC 8725bis section 3.12).
        algorithms: a part of `EdDSA` and `ES256`.
        skew: by how many seconds clocks may differ, at most 60.
        bound: refuse a token without `cnf`, which whoever sees it could present. Take it off only within one process.
        max_age: the longest life of a token, in seconds.

    Raises:
        UsageError: an argument is out of bounds.
        KeySetError: the keys cannot be used.
    """

    def __init__(
        self,
        keys: Keys | Mapping[str, Any],
        *,
        issuer: str,
        audience: str,
        state: TokenState,
        typ: Envelope = CALL_TYPE,
        algorithms: Sequence[str] = OURS,
        skew: float = SKEW_SECONDS,
        bound: bool = True,
        max_age: int = MAX_SECONDS,
        clock: Clock | None = None,
    ) -> None:
        if not issuer or not audience or typ not in ENVELOPES or not set(algorithms) <= set(OURS) or not algorithms:
            raise UsageError(f"a verifier needs issuer=, audience=, typ= of {', '.join(ENVELOPES)} and algorithms= of {', '.join(OURS)}")
        if not 0 <= skew <= MAX_SKEW or not 1 <= max_age <= MAX_SECONDS:
            raise UsageError(f"skew= is 0 to {MAX_SKEW} seconds, and max_age= 1 to {MAX_SECONDS}")
        self._keys: Keys = KeySet.of(keys) if isinstance(keys, Mapping) else keys
        self._issuer, self._audience, self._typ, self._algorithms = issuer, audience, typ, tuple(algorithms)
        self._state, self._skew, self._bound, self._max_age = state, skew, bound, max_age
        self._clock = clock or SystemClock()

    @property
    def typ(self) -> Envelope:
        """The one kind of token that is taken here: it decides in which header a token comes."""
        return self._typ

    def peek(self, token: str) -> CallClaims:
        """Whose token this is: steps 1 to 8, for which nothing else of a request has to be read. Nothing is used up, and nothing permitted.

        `verify` goes through all steps, these again among them.

        Raises:
            TokenRefused: it is no token of the issuer's for us, in its time. `str()` is always the same.
        """
        try:
            return self._known(token, self._clock.now())
        except StateError as error:
            raise _undecided(error) from error

    def verify(
        self,
        token: str,
        *,
        tool: str,
        arguments: Mapping[str, Plain],
        proof: Proof | None = None,
        task: str | None = None,
        actor: str | None = None,
        definition: str | None = None,
    ) -> CallClaims:
        """Use a token up for this call.

        Args:
            tool, arguments: what is about to run: the arguments as they came, all of them, before anything is filled in.
            proof: the DPoP proof that came with the token.
            task: the task that the call claims to belong to, if it claims one.
            actor: the agent as it was authenticated otherwise (mutual TLS), if it was.
            definition: the digest of the tool's definition as this side knows it, if it does.

        Raises:
            TokenRefused: the token is not good for this call. `str()` is always the same; `check` and `why` are for our own records.
        """
        now = self._clock.now()
        try:
            found = self._known(token, now)
            try:
                self._match(found, tool, arguments, task, actor, definition)
                self._prove(found, token, proof, now)
            except TokenRefused as refusal:
                self._tell(refusal, found, now)
                raise
            self._spend(found, now)
        except StateError as error:
            raise _undecided(error) from error
        return found

    def _known(self, token: str, now: float) -> CallClaims:
        claims, kid = self._read(token)
        try:
            check_times(claims, now, longest=self._max_age, skew=self._skew)  # step 7
        except TokenRefused as refusal:
            try:
                found = call_claims(claims, kid)
            except TokenRefused:
                raise refusal from None
            self._tell(refusal, found, now)
            raise
        return call_claims(claims, kid)

    def _read(self, token: str) -> tuple[dict[str, Any], str]:
        """The claims of a token that is the issuer's, for us, and the id of its key."""
        jws = parse(token)  # steps 1 and 2
        check_type(jws, self._typ)  # step 3
        key = check_signature(jws, self._keys, self._algorithms)  # steps 4 and 5
        claims = claims_of(jws)  # step 6
        # Step 7: RFC 9068 section 4, RFC 8725bis sections 3.8 and 3.9: exactly one issuer, exactly one audience.
        if claims.get("iss") != self._issuer:
            raise TokenRefused("token.issuer", "the token is of another issuer")
        if claims.get("aud") != self._audience:
            raise TokenRefused("token.audience", "the token is for another audience")
        return claims, key.kid

    def _match(  # noqa: PLR0917 - private, and each is one of `verify`'s
        self, found: CallClaims, tool: str, arguments: Mapping[str, Plain], task: str | None, actor: str | None, definition: str | None
    ) -> None:
        # Step 8: RFC 8693 section 4.1, only the outermost actor counts for access.
        if actor is not None and found.actors[0] != actor:
            raise TokenRefused("token.actor", "the token's agent is not the one that was authenticated")
        # Step 9: the call that is about to run.
        if found.tool != tool:
            raise TokenRefused("token.binding", "the token is for another tool")
        try:
            seen = digest(dict(arguments))
        except (ValueError, RecursionError) as error:
            raise TokenRefused("token.binding", "the arguments are not JSON") from error
        if not hmac.compare_digest(seen.encode(), found.args_digest.encode()):  # as bytes: it refuses texts beyond ASCII with an error
            raise TokenRefused("token.binding", "the arguments are not those that were judged")
        if task is not None and task != found.task:
            raise TokenRefused("token.binding", "the token is of another task")
        if definition is not None and definition != found.tool_digest:
            raise TokenRefused("token.binding", "the tool's definition is not the one that the token was minted for")

    def _prove(self, found: CallClaims, token: str, proof: Proof | None, now: float) -> None:
        # Step 10: RFC 7800 section 3.1, RFC 9449 section 7.1.
        if found.holder is None:
            if self._bound:
                raise TokenRefused("token.proof", "the token is not bound to a key, and whoever sees it could present it")
            return
        if proof is None:
            raise TokenRefused("token.proof", "the token is bound to a key, and no proof of it came along")
        check_proof(proof, holder=found.holder, token=token, now=now, algorithms=self._algorithms, skew=self._skew)

    def _spend(self, found: CallClaims, now: float) -> None:
        # Steps 11 and 12, in one atomic step of the store. A token is used once, so that its proof need not be remembered beside it.
        outcome = self._state.spend(spent_as(self._issuer, found.jti), found.expires + MAX_SKEW + MAX_STEP, marks_of(found), now)
        if outcome is True:
            return
        if not isinstance(outcome, Revocation):  # whatever else a store may answer is no permission
            self._note("token.replay", f"{_who(found)} was presented again", found, now)
            raise TokenRefused("token.replay", "the token was used before", whose(found))
        raise self._late(found, outcome, now)

    def _tell(self, refusal: TokenRefused, found: CallClaims, now: float) -> None:
        """Somebody has a token of ours and cannot use it: a finding, unless it is only late; after the end of its task in any case."""
        refusal.whose = whose(found)
        revocation = self._state.revoked(marks_of(found), now)
        if revocation is not None:
            self._late(found, revocation, now)
        elif refusal.check != "token.time":
            self._note(refusal.check, f"{_who(found)} was presented and refused: {refusal.why}", found, now)

    def _late(self, found: CallClaims, revocation: Revocation, now: float) -> TokenRefused:
        kind, value = revocation.mark
        after = lasting(max(0.0, now - revocation.time))
        if kind == "task":
            self._note("token.ended", f"{_who(found)} was presented {after} after the end of its task", found, now)
            return TokenRefused("token.ended", f"the task had ended {after} before", whose(found))
        what = f"{_who(found)} was presented {after} after its {kind} was revoked"
        self._note("token.revoked", f"{what}{f' ({revocation.reason})' if revocation.reason else ''}", found, now)
        return TokenRefused("token.revoked", f"the {kind} {value} is revoked", whose(found))

    def _note(self, check: str, sentence: str, found: CallClaims, now: float) -> None:
        # One a minute for a token: whoever presents it without end must not fill the store.
        name = hashlib.sha256(f"{check}\0{found.issuer}\0{found.jti}\0{now // 60:.0f}".encode()).hexdigest()[:32]
        self._state.add_finding(Finding(name, now, check, "high", sentence, task_id=found.task, references=CHECKS[check].references))


def _who(found: CallClaims) -> str:
    """A token, in the sentence of a finding."""
    return f"the {whose(found)}"


def _undecided(error: StateError) -> TokenRefused:
    # Could not decide is deny.
    return TokenRefused("token.undecided", f"used and revoked tokens cannot be looked up: {error}")


def verify(
    token: str,
    *,
    keys: Keys | Mapping[str, Any],
    issuer: str,
    audience: str,
    state: TokenState,
    tool: str,
    arguments: Mapping[str, Plain],
    proof: Proof | None = None,
    task: str | None = None,
    actor: str | None = None,
    definition: str | None = None,
    **options: Any,
) -> CallClaims:
    """Verify one call token; see `Verifier` for `keys` to `state` and the options, and `Verifier.verify` for the rest.

    Whoever verifies more than one makes a `Verifier` once.

    Raises:
        TokenRefused: the token is not good for this call.
    """
    verifier = Verifier(keys, issuer=issuer, audience=audience, state=state, **options)
    return verifier.verify(token, tool=tool, arguments=arguments, proof=proof, task=task, actor=actor, definition=definition)
