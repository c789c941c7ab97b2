"""One engine: every check speaks, deny wins, could-not-decide is deny. The order of the checks changes nothing but the order of reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from licet.policy.checks import chain, credential, environment, flow, guard_self, identity, intent, monitoring, novel, origin, scope, tool
from licet.policy.request import Facts, Request, reason
from licet.records import Decision, Effect, Outcome, Reason

_WEIGHT: dict[Effect, int] = {"deny": 0, "ask": 1, "flag": 2}
_NOTHING_SAID = Decision("allow")
UNDECIDED = "guard.undecided"
RequestT = TypeVar("RequestT")
FactsT = TypeVar("FactsT")

CHECKS_OF_A_CALL: tuple[Callable[[Request, Facts], Iterable[Reason]], ...] = (
    identity.no_task,
    identity.unknown_agent,
    identity.revoked,
    identity.unowned,
    identity.unproved,
    scope.unknown_tool,
    scope.tool,
    scope.argument,
    scope.budget,
    scope.expired,
    chain.order,
    novel.novel,
    novel.escalation,
    environment.crossing,
    credential.expired,
    credential.revoked,
    credential.stale,
    credential.unowned,
    guard_self.own_files,
    monitoring.blind,
    tool.changed,
    intent.mismatch,
    origin.argument,
    origin.content,
    origin.unanchored,
    origin.probing,
    flow.egress,
    flow.declared,
    scope.approval,
)


def decide(
    checks: Iterable[Callable[[RequestT, FactsT], Iterable[Reason]]],
    request: RequestT,
    facts: FactsT,
    moded: Callable[[list[Reason]], Iterable[Reason]] = lambda found: found,
) -> Decision:
    """Run every check and weigh the reasons.

    `moded` gives each reason the effect that is set for it, and says of it whether it is recorded only; asked only if there are any.
    """
    reasons: list[Reason] = []
    errors: list[str] = []
    for check in checks:
        try:
            # Most checks have nothing to say of most calls, and answer `()`: to make and run a generator for that costs several times more.
            # What is no answer at all (None, False) is an error, and so a denial: a forgotten `return` must not allow.
            said = check(request, facts)
            if said != ():
                reasons += [*said]
        # A check that fails in whatever way has not decided, and could-not-decide is deny: the one broad handler that closes.
        except Exception as error:  # noqa: BLE001 - it closes
            name = f"{check.__module__.rpartition('.')[2]}.{check.__name__}" if hasattr(check, "__name__") else repr(check)
            errors.append(name)
            reasons.append(reason(UNDECIDED, f"check `{name}` could not decide: {type(error).__name__}"))
    return weigh(moded(reasons), errors) if reasons else _NOTHING_SAID


def weigh(reasons: Iterable[Reason], errors: Iterable[str] = ()) -> Decision:
    """The decision that follows from the reasons: deny over ask over allow. What weighs most stands first."""
    kept = tuple(sorted(reasons, key=lambda found: (found.observed, _WEIGHT[found.effect])))
    enforced = _outcome(found for found in kept if not found.observed)
    return Decision(enforced, kept, _outcome(kept), tuple(errors))


def _outcome(reasons: Iterable[Reason]) -> Outcome:
    effects = {found.effect for found in reasons}
    return "deny" if "deny" in effects else "ask" if "ask" in effects else "allow"
