"""Every field of every kind of record: what it says, and which fact of an audit log it is. `docs/ledger-records.md` is made from here.

AIMS (draft-ietf-wimse-aims) asks an audit log of agents for seven facts: the agent; the subject for whom it acts; the resource or tool;
action and decision; the time and what correlates records; the posture or risk that influenced it; remediation or revocation, and its
cause. Names stand in clear, contents as keyed digests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Fact = Literal["agent", "subject", "resource", "decision", "time", "posture", "remediation", ""]
Form = Literal["text", "number", "flag", "texts", "rows", "named"]
"""What a value is as JSON: a text, a whole number, true or false, a list of texts, of objects or lists, or texts or numbers by name."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `fact`: which of the seven it is, or a part of; empty: what binds the record, or more than is asked."""

    name: str
    form: Form
    fact: Fact
    about: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of record: when it is written, what it always has, and what it has where that applies."""

    name: str
    about: str
    always: tuple[str, ...]
    may: tuple[str, ...] = ()


_FIELDS = (
    Field("seq", "number", "time", "the number of the record, from 1"),
    Field("prev", "text", "", "the leaf hash (RFC 6962) of the record before it"),
    Field("kind", "text", "decision", "what kind of record it is: the action"),
    Field("time", "text", "time", "when, ISO 8601 in UTC"),
    Field("writer", "text", "", "the process that wrote it"),
    Field("txn", "text", "time", "the outermost task; the same in its sub-tasks, tokens and spans"),
    Field("task", "text", "time", "the task; empty outside of any"),
    Field("call", "text", "time", "the call; the same in the store and on its span"),
    Field("step", "number", "time", "the call's number in its task, from 1"),
    Field("trace_id", "text", "time", "the trace"),
    Field("span_id", "text", "time", "the span in it"),
    Field("agent", "text", "agent", "who acts, as the manifest names it"),
    Field("agent_is", "text", "posture", "`asserted` or `proved`: how good that name is"),
    Field("actors", "texts", "agent", "who acts for whom, the present agent first (RFC 8693 `act`)"),
    Field("sub", "text", "subject", "for whom"),
    Field("sub_is", "text", "posture", "`asserted` or `proved`: how good that name is"),
    Field("proofs", "rows", "posture", "what proved the names: of whom, by which issuer, until when; never the token"),
    Field("tool", "text", "resource", "the tool"),
    Field("access", "text", "resource", "`read`, `write` or `admin`, as it was judged"),
    Field("egress", "flag", "resource", "whether what goes in was judged to leave our control"),
    Field("credential", "text", "resource", "the name of the credential that the tool uses"),
    Field("framework", "text", "", "what brought the call"),
    Field("call_id", "text", "time", "the framework's id of the call"),
    Field("args", "text", "resource", "the keyed digest of the arguments"),
    Field("reason", "text", "decision", "the keyed digest of what the agent said the call is for"),
    Field("outcome", "text", "decision", "what was enforced: `allow`, `ask` or `deny`"),
    Field("judged", "text", "decision", "what all checks said; differs from the outcome in `observe`"),
    Field("mode", "text", "posture", "`enforce` or `observe`"),
    Field(
        "reasons",
        "rows",
        "decision",
        "why: `check`, `effect`, `sentence`, `path` (the evidence), `references`, and `observed` where it was not enforced",
    ),
    Field("exposure", "texts", "posture", "the labels of what the task had been shown when the call was judged"),
    Field(
        "posture",
        "texts",
        "posture",
        "what else weighed: `untrusted-content` entered the task, the origin `index-full`, `probing` of the guard",
    ),
    Field(
        "origins",
        "rows",
        "posture",
        "where the arguments' values came from: `argument`, `origin`, and of an output `call`, `tool`, `field`; `way`: what was undone to "
        "find it; `part`: it is a part of the argument",
    ),
    Field("endorsed", "rows", "posture", "the endorsements on which it stood: argument, rule, call"),
    Field("remedy", "texts", "remediation", "what would help"),
    Field("manifest", "text", "decision", "the digest of the manifest: the policy"),
    Field("jti", "text", "decision", "the id of the token; never the token"),
    Field("exp", "number", "time", "when the token ends, in seconds since 1970"),
    Field("kid", "text", "decision", "the key that signed the token"),
    Field("mac", "text", "decision", "the proof of a call that has no token of its own"),
    Field("holder", "text", "decision", "the thumbprint of the key to which the token is bound"),
    Field("aud", "text", "resource", "for whom the token is"),
    Field("resumed", "flag", "decision", "the tool had suspended the call, and goes on"),
    Field("status", "text", "decision", "what came of the call: `done`, `failed`, `unknown` or `suspended`"),
    Field("result", "text", "decision", "the keyed digest over all outputs"),
    Field("error", "text", "remediation", "the class of the exception, or `tool_error`"),
    Field("approved", "flag", "decision", "whether the person said yes"),
    Field("by", "text", "agent", "who did it"),
    Field("by_is", "text", "posture", "how good that name is"),
    Field("how", "text", "posture", "how the person was authenticated"),
    Field("failure", "text", "remediation", "why nobody answered, or was told; empty: somebody did"),
    Field("kind_of_task", "text", "resource", "the task kind, as the manifest names it"),
    Field("parent", "text", "time", "the task that delegated; null: none did"),
    Field("intent", "text", "decision", "the keyed digest of what the user asked for"),
    Field("tools", "texts", "resource", "the tools that are granted"),
    Field("as", "text", "posture", "as what a text entered: `say` is intent; `quote`, `observe` and `value` are not"),
    Field("text", "text", "decision", "the keyed digest of the text"),
    Field("argument", "text", "resource", "which token was refused"),
    Field("check", "text", "decision", "the check that refused"),
    Field("why", "text", "remediation", "the cause, in words"),
    Field("calls", "number", "time", "how many calls the task had made; missing if the store could not tell"),
    Field("delegated", "number", "time", "how many tasks were delegated from it"),
    Field("revokes", "text", "remediation", "what is refused from now on"),
    Field("mark", "text", "remediation", "by what is revoked: `task`, `agent`, `key` or `jti`"),
    Field("value", "text", "remediation", "which one"),
    Field("until", "text", "time", "until when it holds"),
    Field("key", "text", "resource", "the id of the key"),
    Field("alg", "text", "resource", "its algorithm"),
    Field("signs", "text", "time", "from when it signs"),
    Field("compromised", "flag", "remediation", "somebody else may have it: all that it signed is refused"),
    Field("published_until", "text", "time", "until when it is published"),
    Field("owner", "text", "agent", "the owner that was to be told"),
    Field("told", "flag", "remediation", "whether the owner was told"),
    Field("records", "number", "remediation", "how many records could never be written"),
    Field("origin", "text", "resource", "the name of the log"),
    Field("continues", "text", "", "the file of an earlier release that this log goes on from"),
    Field("digest", "text", "", "its digest"),
    Field("bytes", "number", "remediation", "how many bytes they were"),
    Field("lost", "text", "remediation", "the digest of what stood where no whole record was"),
    Field("intent_seq", "number", "time", "the record of the call's intent"),
    Field(
        "contents",
        "named",
        "resource",
        "the keyed digests of what `record:` opts in to, by name (`argument.NAME`, `output`, `intent`), each with a key that is kept with "
        "the value, and purged with it",
    ),
    Field("what", "texts", "remediation", "what is purged: `contents`, `spans`, `rows`"),
    Field("before", "text", "time", "what is older than that"),
    Field("tasks", "texts", "resource", "the tasks that lose theirs"),
    Field("part", "text", "", "which of several records that name tasks this is"),
    Field("principal", "text", "subject", "the pseudonym of the person whose tasks they are"),
    Field("counts", "named", "remediation", "how many, by kind"),
    Field("purge", "number", "time", "the record of the purge"),
    Field("problems", "number", "remediation", "how many things could not be done"),
    Field("ratified", "number", "decision", "the version of the manifest's ratification; missing if nobody has ratified it"),
    Field("version", "number", "decision", "the number of a ratification; each is higher than the one before"),
    Field("replaces", "text", "decision", "the digest of the ratification before; empty: it is the first"),
    Field("cut", "text", "", "the keyed digest of the record as it was before it was cut to fit"),
)

FIELDS: Mapping[str, Field] = {row.name: row for row in _FIELDS}
"""Every field, by name."""

ENVELOPE = ("seq", "prev", "kind", "time", "writer")
"""What the log itself puts into each record."""

_WHERE = ("txn", "task", "trace_id", "span_id")
_WHO = ("agent", "agent_is", "sub", "sub_is", "manifest")
_CALL = (*_WHERE, "call", "step", *_WHO, "actors", "tool", "access", "egress", "framework", "args", "outcome", "judged", "mode")
OUTCOME = (*_WHERE, "call", "step", "agent", "sub", "tool", "args", "outcome", "mode", "manifest")
"""What the record of an outcome says of its call; the rest stands in that of its intent."""
_WHY = ("reasons", "exposure", "posture", "origins")  # none of them: nothing spoke, or had been shown
_TASK = (*_WHERE, *_WHO)
_OF_A_CALL = ("call_id", "credential", "reason")

_KINDS = (
    Kind(
        "task.begin", "before a task begins",
        (*_TASK, "actors", "parent", "kind_of_task", "proofs", "intent", "tools"), ("contents", "ratified"),
    ),
    Kind("task.turn", "text entered a task", (*_TASK, "as", "text")),
    Kind("task.end", "a task ended, and with it all that it issued", (*_TASK, "by", "why", "revokes"), ("calls", "delegated")),
    Kind("task.end.unstored", "the end of a task holds here, and could not be told other processes yet", (*_TASK, "why")),
    Kind("task.token", "before a task's token is handed out", (*_TASK, "jti", "exp", "kid", "holder")),
    Kind(
        "delegation", "before a sub-task is made, or refused",
        (*_TASK, "by", "kind_of_task", "outcome", "judged", "reasons"), ("remedy",),
    ),
    Kind("federation", "before an ID token for somebody else is handed out", (*_TASK, "aud", "jti", "exp", "kid")),
    Kind(
        "call.intent", "before a tool runs",
        (*_CALL, "jti", "exp"), (*_OF_A_CALL, *_WHY, "kid", "mac", "resumed", "endorsed", "contents"),
    ),
    Kind(
        "call.outcome", "what came of the call; `unknown`: its process ended before that was known",
        (*OUTCOME, "jti", "status", "result", "error"), ("reason", "why", "intent_seq", "reasons", "remedy", "contents"),
    ),
    Kind("call.denied", "a call was refused", (*_CALL, "reasons", "remedy"), (*_OF_A_CALL, *_WHY, "contents")),
    Kind("call.asked", "a person is to confirm a call", (*_CALL, "reasons", "remedy"), (*_OF_A_CALL, *_WHY)),
    Kind(
        "approval", "a person answered, or nobody could",
        (*_CALL, "reasons", "remedy", "approved", "by", "how", "failure"), (*_OF_A_CALL, *_WHY),
    ),
    Kind("identity.refused", "a token did not prove its name", ("agent", "kind_of_task", "argument", "check", "why", "remedy", "manifest")),
    Kind("revocation", "before a token is revoked by its client", (*_TASK, "mark", "value", "by", "why", "revokes")),
    Kind("token.revoke", "before something is revoked from the command line", ("mark", "value", "until", "why", "by", "by_is")),
    Kind("key.rotate", "before a new key is published", ("key", "alg", "signs", "by", "by_is")),
    Kind("key.retire", "before a key is retired", ("key", "compromised", "published_until", "why", "by", "by_is")),
    Kind("break-glass", "before a task kind runs unenforced", ("kind_of_task", "until", "why", "by", "by_is", "manifest")),
    Kind(
        "ratification", "before a person takes responsibility for a manifest",
        ("manifest", "version", "by", "by_is", "digest", "replaces", "key"),
    ),
    Kind(
        "break-glass.told", "whether an owner was told of it",
        ("kind_of_task", "until", "why", "by", "by_is", "manifest", "owner", "told", "failure"),
    ),
    Kind("purge", "before contents, spans or rows are deleted", ("what", "counts", "by"), ("before", "tasks", "part", "principal")),
    Kind("purge.done", "they are deleted", ("purge", "counts", "problems", "by")),
    Kind("ledger.lost", "records of what had happened could never be written", ("records",)),
    Kind("ledger.begin", "the first record", ("origin", "key"), ("continues", "digest")),
    Kind("ledger.repaired", "a writer died within a record, which never counted", ("lost", "bytes")),
)  # fmt: skip

KINDS: Mapping[str, Kind] = {row.name: row for row in _KINDS}
"""Every kind of record, by name."""


def problems(record: Mapping[str, Any]) -> Iterator[str]:
    """What is odd about a record's fields: a kind or a field that is not declared, one that is missing, or of another form.

    Of a record that was cut only what is there is looked at.
    """
    name = record.get("kind")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        yield "the kind is not known"
        return
    known = {*ENVELOPE, *kind.always, *kind.may, "cut"}
    for missing in (*ENVELOPE, *kind.always):
        if missing not in record and "cut" not in record:
            yield f"`{missing}` is missing"
    for field, value in record.items():
        if field not in known:
            yield f"`{field}` is not declared"
        elif not _is_of(FIELDS[field].form, value) and not (value is None and field == "parent"):
            yield f"`{field}` is of another form"


def _is_of(form: Form, value: Any) -> bool:
    if form in ("texts", "rows"):
        return isinstance(value, list) and all(isinstance(item, str) == (form == "texts") for item in value)
    if form == "named":
        return isinstance(value, dict) and all(type(item) in (str, int) for item in value.values())
    wanted = {"text": str, "number": int, "flag": bool}[form]
    return type(value) is wanted


def kinds_table() -> str:
    """The kinds, as a table of Markdown."""
    rows = [f"| `{row.name}` | {row.about} | {_named(row.always)} | {_named(row.may)} |" for row in _KINDS]
    return "\n".join(["| kind | when | always | where it applies |", "|---|---|---|---|", *rows])


def fields_table() -> str:
    """The fields, as a table of Markdown."""
    rows = [f"| `{row.name}` | {row.form} | {_FACTS[row.fact]} | {row.about} |" for row in _FIELDS]
    return "\n".join(["| field | form | AIMS | what it says |", "|---|---|---|---|", *rows])


def _named(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


_FACTS: Mapping[Fact, str] = {
    "agent": "1 agent", "subject": "2 subject", "resource": "3 resource", "decision": "4 action, decision", "time": "5 time, correlation",
    "posture": "6 posture", "remediation": "7 remediation, cause", "": "",
}  # fmt: skip
