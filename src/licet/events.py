"""What was done with an identity, and what was done to it: the records that readers of logs hand to the inventory and its monitor.

Names follow OCSF 1.8 where it has them (https://schema.ocsf.io). Tuples and not dataclasses, as millions of them are made: a frozen
dataclass of this size costs six times as much to make. Times are seconds since the epoch, by the source's own clock.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, get_args

AccessLevel = Literal["read", "write", "admin", ""]
"""`admin` changes permissions, credentials, trust or logging, or reads secrets; empty: not known."""

UseOutcome = Literal["success", "denied", "failed"]
"""`denied`: authentication or authorization said no. Only `success` shows that a credential still authenticates."""

IdentityKind = Literal["service_account", "role", "oauth_app", "bot", "ai_agent", "pipeline", "service", "human", "unknown"]
"""`service` is a platform's own service, which has no credential and no owner of ours."""

Attributed = Literal["exact", "inferred", "shared", "none"]
"""How well a use is attributed to one credential, workload or owner."""

LifecycleKind = Literal[
    "issued", "activated", "rotated", "renewed", "bound", "job_started", "job_ended", "suspended", "revoked", "expired", "deleted",
    "granted", "ungranted", "owner_changed", "created", "scope_widened", "logging_stopped", "logging_started",
]  # fmt: skip
"""What can happen to an identity, a credential, a grant, a workload or a source. `expired` stands here where a source says it by itself;
where only a date was declared, the date is enough."""

LIFECYCLE_KINDS: Final[frozenset[str]] = frozenset(get_args(LifecycleKind))

BODY_UNREAD: Final = "body not read"
"""The `error` of a use that succeeded, and of which nobody can tell what it did: what was sent or answered could not be read."""


class UseEvent(NamedTuple):
    """One use of an identity, as one record of a source shows it. Empty is not known.

    Attributes:
        source: the name of the reader.
        native_id: the source's own id of the record; with `source` it is unique, and duplicates are told by it.
        identity: the uid of who acted, as the source names it (see the readers).
        credential: the keyed fingerprint of what was authenticated with, `cred:` and hex. Never the value.
        workload: where it ran: a pod, a run, an instance, an agent's instance.
        operation: `service:operation`.
        account: the account, cluster, organisation or tenant in which it happened.
        network: what groups addresses: `AS` and a number where the log has it, else the /24 or /48; empty for the platform's own.
        agent: the user agent's product and major version.
        interactive: a person at a browser or a console did it, as far as the record tells.
        resource_account: where the resource is, if the record says so and it is another place than `account`.
        on_behalf_of: for whom, outermost last.
        digest: SHA-256 of the raw record, hex.
        place: `file:line` of the record.
    """

    source: str
    native_id: str
    time: float
    identity: str
    operation: str
    outcome: UseOutcome = "success"
    access: AccessLevel = ""
    identity_kind: IdentityKind = "unknown"
    identity_name: str = ""
    credential: str = ""
    credential_kind: str = ""
    session: str = ""
    workload: str = ""
    account: str = ""
    region: str = ""
    ip: str = ""
    network: str = ""
    country: str = ""
    agent: str = ""
    interactive: bool = False
    resource: str = ""
    resource_kind: str = ""
    resource_account: str = ""
    on_behalf_of: tuple[str, ...] = ()
    intent: str = ""
    trace_id: str = ""
    error: str = ""
    digest: str = ""
    place: str = ""

    @property
    def uid(self) -> str:
        """What evidence cites it by: the source and its own id."""
        return f"{self.source}/{self.native_id}"


class LifecycleEvent(NamedTuple):
    """Something that happened to an identity or a credential. At least one of `identity`, `credential`, `workload` is there.

    Attributes:
        native_id: as for `UseEvent`; one record can be a use (of who did it) and a lifecycle event (of what it was done to), and both then
            have the same `native_id`. Where one record does several things, `#2` and so on is behind it.
        identity: whom it concerns, which is not who did it (`by`).
        credential: fingerprint of the credential that it concerns; for `rotated` the new version.
        supersedes: fingerprint of the version that ends by it.
        generation, presented: of `renewed`: which counter holds from now on, and which was shown; -1: none.
        workload: of `bound`, `job_started`, `job_ended`.
        expires: when it will end by itself; 0: not said.
        privilege: of `granted`, `ungranted`, `scope_widened`: `service:operation`, a role or a policy's name.
        access: of that.
        outcome: what was tried and denied changes nothing.
    """

    source: str
    native_id: str
    time: float
    kind: LifecycleKind
    identity: str = ""
    credential: str = ""
    credential_kind: str = ""
    by: str = ""
    supersedes: str = ""
    generation: int = -1
    presented: int = -1
    workload: str = ""
    expires: float = 0.0
    privilege: str = ""
    access: AccessLevel = ""
    account: str = ""
    outcome: UseOutcome = "success"
    reason: str = ""
    digest: str = ""
    place: str = ""

    @property
    def uid(self) -> str:
        """What evidence cites it by: the source, its own id, and what happened."""
        return f"{self.source}/{self.native_id}!{self.kind}"
