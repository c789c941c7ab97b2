"""What a call of a guarded tool is to the inventory: a use of the agent's call token, and of the standing credential behind the tool.

A call token ends by itself within minutes, and with its task, which is the workload that it is bound to and that the use has. It does not
end with its call: calls of tools that read share one (`token: task`), and no record of a call says whether its own is of that kind. A tool
that has a credential in the manifest authenticates with that at its own system: a second use, by the same agent, of a credential that
outlives calls; its workload is the agent, since any task of it may use the credential, and one that several agents use is a shared one. A
call that was denied or never began has not used it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from licet.canonical import Plain, canonical
from licet.events import AccessLevel, LifecycleEvent, UseEvent, UseOutcome
from licet.ingest.fields import apart, clean
from licet.ingest.recognised import Recognised
from licet.inventory.declared import agent_uid
from licet.records import CallRecord, CallStatus
from licet.telemetry import semconv

NAME: Final = "licet"
TOKEN: Final = "call_token"  # noqa: S105 - the kind of credential
_OUTCOMES: Final[dict[CallStatus, UseOutcome]] = {"done": "success", "failed": "failed", "unknown": "failed", "denied": "denied"}


class Around(NamedTuple):
    """What is known of a call beside its record.

    Attributes:
        agent: its name; `chain`: the agents that it acts for, the nearest first.
        kind: the task's kind, which is the declared purpose.
        account: the environment that the guard runs in.
        access: of the tool, as declared.
        credential, credential_kind: the fingerprint and kind of what the tool authenticates with; empty: nothing is declared.
    """

    agent: str
    chain: tuple[str, ...] = ()
    kind: str = ""
    account: str = ""
    access: AccessLevel = ""
    credential: str = ""
    credential_kind: str = ""
    place: str = ""


def agent_named(name: str, fingerprint: Callable[[str], str]) -> str:
    """The identity of an agent, by the name that a record has."""
    return agent_uid(apart(name, clean(name), fingerprint))


def is_over(call: CallRecord) -> bool:
    """Whether it is known what became of the call. One that runs, or waits for a person, is told of when it is over."""
    return call.status in _OUTCOMES


def events_of(call: CallRecord, around: Around, fingerprint: Callable[[str], str]) -> Recognised:
    """The events of a call that is over."""
    outcome, token = _OUTCOMES[call.status], fingerprint(call.jti)
    identity, digest = agent_named(around.agent, fingerprint), digest_of(call)
    task = apart(call.task_id, clean(call.task_id), fingerprint)
    use = UseEvent(
        NAME, call.id, call.started, identity, f"tool:{clean(call.tool)}", outcome, around.access, "ai_agent", clean(around.agent),
        token, TOKEN if token else "", task, task, clean(around.account),
        resource=f"tool:{clean(call.tool)}", resource_kind="tool",
        on_behalf_of=tuple(agent_named(each, fingerprint) for each in around.chain),
        intent=clean(around.kind), trace_id=call.trace_id, error=_error(call, outcome), digest=digest, place=around.place,
    )  # fmt: skip
    uses = [use]
    if around.credential and call.status in ("done", "failed"):
        uses.append(use._replace(
            native_id=f"{call.id}+credential", credential=around.credential, credential_kind=around.credential_kind, workload=identity
        ))  # fmt: skip
    return Recognised(tuple(uses), tuple(_life(call, use)) if token else ())


def _life(call: CallRecord, use: UseEvent) -> Iterator[LifecycleEvent]:
    """Its token is issued, for the rest of its task at most."""
    yield LifecycleEvent(
        NAME, call.id, call.started, "issued", use.identity, use.credential, TOKEN, workload=use.workload, expires=_expiry(call.attributes),
        account=use.account, digest=use.digest, place=use.place,
    )  # fmt: skip


def _error(call: CallRecord, outcome: UseOutcome) -> str:
    if outcome == "denied":
        return call.decision.leading.check if call.decision.leading is not None else semconv.POLICY_DENIED
    return "" if outcome == "success" else clean(call.error_type) or call.status


def _expiry(attributes: Any) -> float:
    found = attributes.get(semconv.TOKEN_EXP)
    return float(found) if type(found) is int and 0 < found < 2**40 else 0.0


def digest_of(call: CallRecord) -> str:
    """Of what the record says of the call, so that evidence can be held against the store later; hex."""
    told: list[Plain] = [
        call.id,
        call.task_id,
        call.seq,
        call.tool,
        call.status,
        call.args_digest,
        call.result_digest,
        call.jti,
        call.trace_id,
    ]
    return hashlib.sha256(canonical(told)).hexdigest()
