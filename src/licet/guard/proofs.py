"""Names of tasks, asserted or proved: what `subject_token=` and `agent_token=` prove, or the refusal, which is recorded.

A token that does not prove its name refuses the task. It never falls back to a bare claim: whoever shows a bad token would otherwise fare
as well as one who shows none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from licet.canonical import Plain
from licet.catalogue import CHECKS
from licet.clock import Clock
from licet.denial import explain
from licet.errors import Denied, TokenRefused, UsageError
from licet.guard.recorder import Recorder
from licet.manifest import Manifest
from licet.policy.request import reason
from licet.records import Decision, Standing, TaskRecord
from licet.tokens.claims import SKEW_SECONDS
from licet.tokens.identity import Identities, Proved

MAX_TOLD = 10_000


@dataclass(frozen=True, slots=True)
class Names:
    """For whom a task is, and who runs it; `proofs` are the tokens' own, by the claim that they prove (`sub`, `act`)."""

    principal: str
    agent: str
    principal_is: Standing = "asserted"
    agent_is: Standing = "asserted"
    proofs: tuple[tuple[str, Proved], ...] = ()

    def recorded(self) -> list[Plain]:
        """The proofs for the ledger: whose word it was and how long it held, never the token."""
        return [{"of": of, "issuer": found.issuer, "kind": found.kind, "exp": int(found.expires)} for of, found in self.proofs]


class Proofs:
    """Settles the names of one guard's tasks."""

    def __init__(self, manifest: Manifest, recorder: Recorder, clock: Clock) -> None:
        self._manifest, self._recorder, self._clock = manifest, recorder, clock
        self._told: dict[tuple[str, str, str, str], int] = {}
        self._identities = Identities(manifest.issuers, manifest.agents, folder=manifest.folder, clock=clock)

    def names(self, kind: str, *, agent: str, principal: str | None, subject_token: str | None, agent_token: str | None) -> Names:
        """The names of a task of its own.

        A `principal` beside a `subject_token` must be the proved one. An agent that acts for itself (`principal` is its own name) is
        proved as both.

        Raises:
            Denied: a token proves nobody, or somebody else (`identity.unproved`).
            UsageError: there is neither `principal` nor `subject_token`; or a token for whose role the manifest declares no issuer.
        """
        proofs: list[tuple[str, Proved]] = []
        if subject_token is not None:
            subject = self._principal(kind, agent, principal, subject_token)
            principal = subject.name
            proofs.append(("sub", subject))
        elif principal is None:
            raise UsageError("principal= says for whom the task is; leave it out only where subject_token= proves it")
        if agent_token is not None:
            proofs.append(("act", self._agent(kind, agent, agent_token)))
        agent_is: Standing = "asserted" if agent_token is None else "proved"
        principal_is: Standing = "proved" if subject_token is not None or (principal == agent and agent_is == "proved") else "asserted"
        return Names(principal, agent, principal_is, agent_is, tuple(proofs))

    def inherited(self, kind: str, parent: TaskRecord, *, agent: str, agent_token: str | None) -> Names:
        """The names of a sub-task: for whom it is comes from the parent, as proved as it was there; so does the agent, if it is the same.

        Raises:
            Denied: the token does not prove this agent (`identity.unproved`).
            UsageError: the manifest declares no issuer that proves agents.
        """
        if agent_token is not None:
            found = self._agent(kind, agent, agent_token)
            return Names(parent.principal, agent, parent.principal_is, "proved", (("act", found),))
        return Names(parent.principal, agent, parent.principal_is, parent.agent_is if agent == parent.agent else "asserted")

    def check_held(self, names: Names, kind: str) -> None:
        """Refuse to begin a task whose proof is over by now. One that has begun may go on: see docs/identity.md.

        Raises:
            Denied: it is over (`identity.unproved`).
        """
        for of, found in names.proofs:
            if self._clock.now() >= found.expires + SKEW_SECONDS:
                self._refuse(kind, names.agent, _ARGUMENT[of], "the token was over before the task began", "token.time")

    def _principal(self, kind: str, agent: str, principal: str | None, token: str) -> Proved:
        try:
            found = self._identities.principal(token)
        except TokenRefused as refused:
            self._refuse(kind, agent, "subject_token=", refused.why, refused.check, refused)
        if principal is not None and principal != found.name:
            why = (
                f"it proves a principal of issuer `{found.issuer}`, and `principal=` names another (leave it out, or write ISSUER:SUBJECT)"
            )
            self._refuse(kind, agent, "subject_token=", why, "token.claims")
        return found

    def _agent(self, kind: str, agent: str, token: str) -> Proved:
        try:
            return self._identities.agent(token, agent)
        except TokenRefused as refused:
            self._refuse(kind, agent, "agent_token=", refused.why, refused.check, refused)

    def _refuse(  # noqa: PLR0917 - private
        self, kind: str, agent: str, argument: str, why: str, check: str, cause: TokenRefused | None = None
    ) -> NoReturn:
        """Say little to whoever showed the token, and all to our own records. Keys of an issuer that are not there stop every such task."""
        declared = self._manifest.agents.get(agent)
        remedy = CHECKS[check].remedy if check in CHECKS else CHECKS["identity.unproved"].remedy
        fields: dict[str, Plain] = {
            "kind_of_task": kind, "agent": agent, "argument": argument, "check": check, "why": why, "remedy": [remedy],
            "manifest": self._manifest.digest,
        }  # fmt: skip
        seq = self._recorder.after("identity.refused", fields)
        inward = reason("identity.unproved", f"`{argument}` of a `{kind}` task was refused: {why} ({check})", (argument,))
        key, minute = (kind, agent, argument, check), int(self._clock.now() // 60)
        if self._told.get(key) != minute:  # one a minute of a kind: whoever tries without end must not fill the store
            if len(self._told) > MAX_TOLD:
                self._told.clear()
            self._told[key] = minute
            severity, owner = "high" if check == UNDECIDED else "medium", (declared.owner or "") if declared else ""
            self._recorder.finding(inward, severity, owner=owner, ledger=seq)
        said = reason("identity.unproved", f"`{argument}` does not prove {_WHAT[argument]}", (argument,))
        decision = Decision("deny", (said,), "deny")
        raise Denied(explain(decision, f"task {kind}", ()).text, decision) from cause


def undecided(denial: Denied) -> bool:
    """Whether a name was refused because the keys that would prove it cannot be used, and not because its token is not good."""
    return isinstance(denial.__cause__, TokenRefused) and denial.__cause__.check == UNDECIDED


UNDECIDED = "token.undecided"
_ARGUMENT = {"sub": "subject_token=", "act": "agent_token="}
_WHAT = {"subject_token=": "for whom the task is", "agent_token=": "which agent runs it"}
