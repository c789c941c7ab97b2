"""The declared world: owners, agents, credentials, tools, task kinds. Frozen, closed (an unknown key is an error).

These models say what a manifest *may* contain. That names refer to something, that a scope is not empty and that nothing grants
everything is checked by `licet.manifest.rules`; places in the file are found by `licet.manifest.loader`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema, field_validator, model_validator
from pydantic.config import JsonDict

from licet.manifest.arguments import Argument, listed
from licet.manifest.authority import Authority
from licet.manifest.baseline import Baseline
from licet.manifest.evidence import LedgerSettings
from licet.manifest.identities import IssuerName, ProvedBy, TrustedIssuer
from licet.manifest.labels import Fields, Label, OriginWord
from licet.manifest.seen import Monitoring
from licet.manifest.watched import Place, Probe, ShownIds, Watched
from licet.manifest.words import Closed, Day, Duration, Edges, Name, Names, Text

Access = Literal["read", "write", "admin"]
START = "start"
NO_FILE = ("", "<text>", "<model>")
"""The sources of a manifest that was not read from a file."""


# What no single field can say: the schema's counterparts of `_observe_is_bounded` and `_one_kind` below.
_NULL: JsonDict = {"type": "null"}
_OBSERVE_IS_BOUNDED: JsonDict = {
    "if": {"properties": {"mode": {"const": "observe"}}, "required": ["mode"]},
    "then": {"properties": {"until": {"not": _NULL}, "reason": {"not": _NULL}}, "required": ["until", "reason"]},
    "else": {"properties": {"until": _NULL, "reason": _NULL}},
}
_ONE_KIND: JsonDict = {
    "oneOf": [
        {"properties": {"at_most": {"not": _NULL}, "rate": _NULL, "per": _NULL}, "required": ["at_most"]},
        {"properties": {"rate": {"not": _NULL}, "per": {"not": _NULL}, "at_most": _NULL}, "required": ["rate", "per"]},
    ],
    "not": {"properties": {"sum": {"not": _NULL}, "distinct": {"not": _NULL}}, "required": ["sum", "distinct"]},
}


class Moded(Closed):
    """What may run in `observe`: everything is decided and recorded, nothing is stopped, until the end of the day `until`."""

    model_config = ConfigDict(json_schema_extra=_OBSERVE_IS_BOUNDED)

    mode: Literal["enforce", "observe"] | None = None
    until: Day | None = None
    reason: Text | None = None

    @model_validator(mode="after")
    def _observe_is_bounded(self) -> Moded:
        if self.mode == "observe" and (self.until is None or self.reason is None):
            raise ValueError("`observe` needs `until:` (a date, at most 30 days ahead) and `reason:`")
        if self.mode != "observe" and (self.until is not None or self.reason is not None):
            raise ValueError("`until` and `reason` belong to `mode: observe`")
        return self

    def observes(self, now: float) -> bool:
        """Whether observe mode holds at `now` (seconds since the epoch)."""
        return self.mode == "observe" and self.until is not None and now < end_of(self.until)


def end_of(day: date) -> float:
    """The first moment after `day`, in UTC, in seconds since the epoch."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() + 86_400


class CheckSettings(Moded):
    """What is set for one check id. `then` is the effect of its reasons, in place of the check's own."""

    then: Literal["deny", "ask", "flag"] | None = None


class Owner(Closed):
    """Who answers for something."""

    name: Text
    contact: Text


class Agent(Watched):
    """An agent: for which task kinds it may be used, to whom it may delegate, and which proved subjects it is (`proved_by`).

    `model` is the language model that it runs on: a baseline that was learned from others does not speak of it. `identities` are its names
    in logs: a role's ARN, a service account, an application.
    """

    owner: str | None = None
    purpose: Text | None = None
    environment: Name | None = None
    model: Text | None = None
    tasks: Names = ()
    may_delegate_to: Names = ()
    proved_by: ProvedBy = Field(default_factory=dict)
    identities: ShownIds = ()


class Credential(Watched):
    """What tools authenticate with; never the secret itself.

    `ids` are what logs show of it: an access key's id, a token's id or hash. One that is a `canary` is for nobody to use. `probe` says how
    to try whether an ended version still authenticates.
    """

    owner: str | None = None
    kind: Text | None = None
    purpose: Text | None = None
    environment: Name | None = None
    issued: Day | None = None
    expires: Day | None = None
    rotated: Day | None = None
    rotate_every: Duration | None = None
    revoked: Day | None = None
    ids: ShownIds = ()
    canary: bool = False
    probe: Probe | None = None


class Recorded(Closed):
    """Contents of a tool's calls that may stand in its spans, scrubbed: arguments by their names, and the output. By default none may."""

    arguments: Names = ()
    output: bool = False


class Tool(Closed):
    """A tool. `access` and `egress` have no default; left out, they are judged as `write` and as egress."""

    access: Access | None = None
    egress: bool | None = None
    description: Text | None = None
    environment: Name | None = None
    credential: str | None = None
    audience: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9+.-]*:\S+$")] | None = None
    arguments: Mapping[str, Argument] = Field(default_factory=dict)
    unknown_arguments: Literal["refuse", "drop"] = "refuse"
    output: Label = "untrusted"
    fields: Fields = Field(default_factory=dict)
    format: Literal["object", "json", "yaml", "text"] = "object"
    reveals: Annotated[tuple[Name, ...], BeforeValidator(listed)] | None = None
    store: Name | None = None
    definition: Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    token: Literal["call", "task"] | None = None
    envelope: Literal["licet-call+jwt", "at+jwt"] | None = None
    durable: Literal["write", "none"] | None = None
    record: Recorded | None = None

    @property
    def writes(self) -> bool:
        """Whether the tool is judged as one that changes something."""
        return self.access != "read"

    @property
    def leaves(self) -> bool:
        """Whether what goes in is judged to leave our control."""
        return self.egress is not False


class Grant(Closed):
    """One tool, with limits on its arguments, on how often it is called, and whether a person confirms each call."""

    arguments: Mapping[str, Argument] = Field(default_factory=dict)
    at_most: Annotated[int, Field(ge=1)] | None = None
    ask: bool = False


class Budget(Closed):
    """A limit over the calls of one task: `at_most` calls, or a `sum`, or `distinct` values, or a `rate`."""

    model_config = ConfigDict(json_schema_extra=_ONE_KIND)

    of: Annotated[tuple[str, ...], WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}})]
    at_most: Annotated[Decimal, WithJsonSchema({"type": "number", "minimum": 0})] | None = None
    sum: str | None = None
    distinct: str | None = None
    rate: Annotated[int, Field(ge=1)] | None = None
    per: Duration | None = None

    @field_validator("of", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value

    @field_validator("at_most", mode="before")
    @classmethod
    def _exact(cls, value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
            raise ValueError("a limit is a number")
        return Decimal(str(value))

    @model_validator(mode="after")
    def _one_kind(self) -> Budget:
        kinds = [kind for kind in ("sum", "distinct", "rate") if getattr(self, kind) is not None]
        if len(kinds) > 1:
            raise ValueError(f"one budget has one kind, and this has {' and '.join(kinds)}")
        if (self.rate is None) != (self.per is None):
            raise ValueError("`rate` and `per` belong together: {rate: 5, per: 1m, of: send_email}")
        if (self.rate is None) == (self.at_most is None):
            raise ValueError("`at_most` is missing" if self.rate is None else "a `rate` takes `per`, not `at_most`")
        if self.at_most is not None and not (self.at_most.is_finite() and self.at_most >= 0):
            raise ValueError("a limit is a number of at least 0")
        return self


def _or_nothing(schema: dict[str, Any]) -> None:
    schema["additionalProperties"] = {"anyOf": [schema["additionalProperties"], _NULL]}


class Unless(Closed):
    """The exception of a flow: every destination of the call comes from one of these."""

    destination: Annotated[tuple[OriginWord, ...], BeforeValidator(listed), Field(min_length=1)]


class Flow(Closed):
    """What was revealed may not reach a sink, unless its destinations come from where they may.

    `source` (`from:`) is a label that tools `reveal`; `to` is `egress`, `write`, `admin`, or a tool's name. `by: exposure` (the default)
    speaks of everything after the label was shown; `by: value` only of calls in whose arguments such a value was found.
    """

    model_config = ConfigDict(populate_by_name=True)

    source: Annotated[Name, Field(alias="from")]
    to: Name
    unless: Unless | None = None
    then: Literal["deny", "ask", "flag"] = "deny"
    by: Literal["exposure", "value"] = "exposure"


class TaskKind(Moded):
    """A kind of work: its purpose, its tools, its limits."""

    intent: Text
    ttl: Duration
    tools: Mapping[str, Grant] = Field(json_schema_extra=_or_nothing)
    budgets: Annotated[tuple[Budget, ...], BeforeValidator(listed)] = ()
    chain: Edges | None = None
    checks: Mapping[str, CheckSettings] = Field(default_factory=dict)
    record: Annotated[tuple[Literal["intent"], ...], BeforeValidator(listed)] = ()
    baseline: Baseline | None = None

    @field_validator("tools", mode="before")
    @classmethod
    def _bare_grants(cls, value: object) -> object:
        # `read_ticket:` with nothing behind it reads as a grant without limits, like `{}`.
        return {key: {} if item is None else item for key, item in value.items()} if isinstance(value, dict) else value


def _whole(value: object) -> object:
    # To Python `true` and `1.0` equal 1.
    if type(value) is not int:
        raise ValueError("the version is a whole number: `licet: 1`")
    return value


class Manifest(Moded):
    """A whole manifest. `digest` and `source` are set by the loader."""

    licet: Annotated[Literal[1], BeforeValidator(_whole)]
    environment: Name
    owners: Mapping[str, Owner] = Field(default_factory=dict)
    agents: Mapping[Name, Agent]
    credentials: Mapping[Name, Credential] = Field(default_factory=dict)
    issuers: Mapping[IssuerName, TrustedIssuer] = Field(default_factory=dict)
    tools: Mapping[Name, Tool]
    tasks: Mapping[Name, TaskKind]
    environments: Mapping[Name, Place] = Field(default_factory=dict)
    edges: Edges = ()
    flows: Annotated[tuple[Flow, ...], BeforeValidator(listed)] = ()
    checks: Mapping[str, CheckSettings] = Field(default_factory=dict)
    authority: Authority | None = None
    ledger: LedgerSettings = Field(default_factory=LedgerSettings)
    monitoring: Monitoring | None = None

    _digest: str = ""
    _source: str = ""

    @property
    def digest(self) -> str:
        """`sha256:` of the manifest's canonical content: comments and layout do not change it."""
        return self._digest

    @property
    def source(self) -> str:
        """The file that this was read from, or `<text>`."""
        return self._source

    @property
    def folder(self) -> Path:
        """What files that the manifest names are relative to: its own folder; the present one if it was not read from a file."""
        return Path.cwd() if self._source in NO_FILE else Path(self._source).absolute().parent

    @cached_property
    def allowed_edges(self) -> frozenset[tuple[str, str]]:
        """The crossings between environments that are declared."""
        return frozenset(self.edges)

    def environment_of(self, thing: Agent | Credential | Tool) -> str:
        """The environment of an agent, credential or tool: its own, else the manifest's."""
        return thing.environment or self.environment

    def owner_contact(self, owner: str | None) -> str:
        """The contact of an owner, or an empty text."""
        found = self.owners.get(owner or "")
        return found.contact if found else ""
