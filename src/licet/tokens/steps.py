"""What the verifier looks at, in order, as a table: docs/tokens.md and `licet token verify` show it."""

from __future__ import annotations

from dataclasses import dataclass

from licet.errors import TokenRefused
from licet.tokens.jws import MAX_TOKEN, decode, parse


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what must hold, where that is written, and the checks that refuse a token for it."""

    number: int
    what: str
    clause: str
    checks: tuple[str, ...]


STEPS = (
    Step(
        1, "three parts of canonical base64url, and no longer than any of ours", "RFC 7515 § 7.1, RFC 8725bis § 3.1", ("token.malformed",)
    ),
    Step(2, "a header of `alg`, `kid` and `typ` only, none of them twice", "RFC 7515 § 4.1.11, RFC 8725bis § 3.10", ("token.malformed",)),
    Step(3, "the one `typ` that is taken here", "RFC 8725bis § 3.11", ("token.type",)),
    Step(4, "an allowed algorithm, and a key of the issuer for it", "RFC 8725bis §§ 3.1, 3.2", ("token.key",)),
    Step(5, "the signature, over the bytes as they came", "RFC 7515 § 5.2, RFC 8725bis § 3.3", ("token.signature",)),
    Step(6, "claims that any two readers read the same", "RFC 7519 § 7.2, RFC 7493 § 2", ("token.malformed",)),
    Step(
        7,
        "this issuer, this audience alone, and in its time",
        "RFC 9068 § 4, RFC 8725bis §§ 3.8, 3.9, RFC 7519 §§ 4.1.4-4.1.6",
        ("token.issuer", "token.audience", "token.time"),
    ),
    Step(
        8,
        "every claim that is required, and the agent that acts",
        "RFC 9068 § 2.2, RFC 9396 § 2, RFC 8693 § 4.1",
        ("token.claims", "token.actor"),
    ),
    Step(9, "the call that is about to run: tool, arguments, task, definition", "RFC 9396 § 2, RFC 8785", ("token.binding",)),
    Step(10, "proof that whoever presents it holds its key", "RFC 7800 § 3.1, RFC 9449 §§ 4.3, 7.1", ("token.proof",)),
    Step(11, "not used before", "RFC 7519 § 4.1.7", ("token.replay",)),
    Step(12, "neither its task ended nor its agent, key or id revoked", "RFC 7009 § 2", ("token.ended", "token.revoked")),
    Step(13, "all of this could be decided", "fail closed", ("token.undecided",)),
)
"""The numbers are those that the verifier's comments name. 11 and 12 are one atomic step of the store, which looks at 12 first."""


def failed_step(refused: TokenRefused, token: str) -> Step | None:
    """The step at which the verifier refused `token`; None where the check is none of the verifier's."""
    if refused.check == "token.malformed":
        return STEPS[_malformed_at(token) - 1]
    return next((step for step in STEPS if refused.check in step.checks), None)


def passed(step: Step, failed: Step) -> bool:
    """Whether `step` was looked at, and held, when `failed` did not."""
    if failed.number == 11:
        return step.number in (*range(1, 11), 12)
    return step.number < min(failed.number, 11)


def _malformed_at(token: str) -> int:
    """Three steps refuse what is not well-formed: the form, the header, and (as the first two hold) the claims."""
    parts = token.split(".")
    try:
        if len(token) > MAX_TOKEN or len(parts) != 3 or not all(map(decode, parts)):
            return 1
    except TokenRefused:
        return 1
    try:
        parse(token)
    except TokenRefused:
        return 2
    return 6
