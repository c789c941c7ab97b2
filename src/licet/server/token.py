"""The token endpoint: RFC 8693 parameters in, one verb of the authority out.

| subject token | wanted | `authorization_details` | verb |
|---|---|---|---|
| an ID or access token of an issuer that the manifest trusts | a task's token | `urn:licet:task` | open |
| a task's token | a task's token | none | renew |
| a task's token | a task's token | `urn:licet:task` | delegate |
| a task's token | a call's token, or an access token | `urn:licet:tool-call` | call |
| a task's token | an ID token, with `audience` | none | federate |
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from licet.clock import Clock
from licet.errors import Denied, TokenRefused, UsageError
from licet.guard.authority import ACCESS_TOKEN, CALL_TOKEN, ID_TOKEN, TASK_TOKEN, Authority, Granted
from licet.guard.proofs import undecided
from licet.manifest import Manifest, duration
from licet.server.answers import REFUSED, Refused, bad_request, unavailable
from licet.server.clients import Client
from licet.server.forms import Form, bad_detail, member, needed, only, read_detail
from licet.tokens import ACCESS_TYPE, CALL_TYPE, Proof, TokenState
from licet.tokens.algorithms import OURS
from licet.tokens.claims import CALL_DETAIL, MAX_SECONDS, SKEW_SECONDS
from licet.tokens.dpop import check_proof

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT = "urn:ietf:params:oauth:token-type:jwt"
STRANGERS = (ID_TOKEN, ACCESS_TOKEN, JWT)
"""What a subject token of another issuer, and an agent's own credential, may be called; what they are, their issuer's entry says."""
TASK_DETAIL = "urn:licet:task"
MAX_PATTERNS = 8
"""In the grants of one request: a short text can be an automaton of megabytes."""
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")


class Exchange:
    """The endpoint, after its client was authenticated. `url` is its own, as everybody is told it: what proofs are for."""

    def __init__(self, authority: Authority, manifest: Manifest, *, url: str, state: TokenState, clock: Clock) -> None:
        self._authority, self._manifest, self._url, self._state, self._clock = authority, manifest, url, state, clock

    def answer(self, client: Client, form: Form, proofs: Sequence[str]) -> dict[str, Any]:
        """The members of a good answer (RFC 8693 section 2.2.1).

        Raises:
            Refused: anything else but that our own state fails.
            StateError: that.
        """
        if needed(form, "grant_type") != GRANT_TYPE:
            raise bad_request(f"the only grant here is {GRANT_TYPE}", "unsupported_grant_type")
        if len(proofs) != 1:  # RFC 9449 section 4.3, step 1
            raise bad_request("exactly one DPoP header is needed", "invalid_dpop_proof")
        if "scope" in form:  # it would be meant to narrow, and to ignore it would be to widen
            raise bad_request("what is asked for is said in `authorization_details`", "invalid_scope")
        if ("actor_token" in form) != ("actor_token_type" in form):  # RFC 8693 section 2.1
            raise bad_request("`actor_token` and `actor_token_type` belong together")
        if form.get("actor_token_type", JWT) not in STRANGERS:
            raise bad_request("`actor_token_type` is not one that is taken here")
        try:
            granted = self._verb(client, form, Proof(proofs[0], "POST", self._url))
        except TokenRefused as error:
            # RFC 9449 section 5; RFC 8693 section 2.2.2.
            raise bad_request(REFUSED, "invalid_dpop_proof" if error.check == "token.proof" else "invalid_request") from error
        except Denied as error:
            if undecided(error):  # not the client's mistake, and worth another try
                raise unavailable() from error
            # RFC 8693 section 2.2.2: a subject or actor token that is not good makes the request invalid.
            unproved = "identity.unproved" in error.decision.checks and form["subject_token_type"] != TASK_TOKEN
            raise bad_request(str(error), "invalid_request" if unproved else "access_denied") from error
        except UsageError as error:
            raise bad_request(str(error)) from error
        return {
            "access_token": granted.token, "issued_token_type": granted.issued_token_type, "token_type": granted.token_type,
            "expires_in": granted.expires_in, "scope": granted.scope, "task": granted.task_id,
        }  # fmt: skip

    def _verb(self, client: Client, form: Form, proof: Proof) -> Granted:
        token, kind, wanted = needed(form, "subject_token"), needed(form, "subject_token_type"), form.get("requested_token_type")
        federates = kind == TASK_TOKEN and wanted == ID_TOKEN
        if "resource" in form or ("audience" in form and not federates):
            raise bad_request("whom a token is for follows from the tool", "invalid_target")
        if kind in STRANGERS:
            if wanted not in (None, TASK_TOKEN):
                raise bad_request(f"such a token is exchanged for a task's, {TASK_TOKEN}, and that for others")
            return self._open(client, form, token, proof)
        if kind != TASK_TOKEN:
            raise bad_request("`subject_token_type` is not one that is taken here")
        # The client and the holder of the task's key are both asked: neither a stolen key nor a stolen client is enough.
        if self._authority.agents_of(token)[0] not in client.agents:
            raise TokenRefused("token.actor", "the task's agent is not one that this client may act as")
        if federates:
            return self._federate(form, token, proof)
        if wanted in (CALL_TOKEN, ACCESS_TOKEN):
            return self._call(form, token, proof, wanted)
        if wanted == TASK_TOKEN:
            return self._renew_or_delegate(form, token, proof)
        raise bad_request("`requested_token_type` is missing, or is not one that is issued here")

    def _open(self, client: Client, form: Form, token: str, proof: Proof) -> Granted:
        detail = read_detail(form, [TASK_DETAIL])
        if detail is None:
            raise bad_detail("it is missing, and says which task to begin")
        if "dpop_jkt" in form:
            raise bad_request("a task that is opened belongs to the key of the proof; `dpop_jkt` is for a sub-task")
        task = _task(detail, "agent", "kind", "intent", "tools", "ttl")
        if "agent" not in task and len(client.agents) == 1:
            (task["agent"],) = client.agents
        _complete(task)
        # The client itself is the acting party ("the client, or party identified in the actor_token": RFC 8693 section 4.4). It has proved
        # its key, and whoever answers for the manifest says there which agents that key speaks for: so the agent's name is proved too.
        # An `actor_token` is checked on top of that.
        if task["agent"] not in client.agents:
            raise Refused(400, "access_denied", "this client may not act as this agent")
        holder = self._burn(proof)
        return self._authority.open(
            **task, holder=holder, client=client.id, subject_token=token, agent_token=form.get("actor_token")
        )  # fmt: skip

    def _renew_or_delegate(self, form: Form, token: str, proof: Proof) -> Granted:
        if (details := form.get("authorization_details")) and "".join(details.split()) in ("[]", "[{}]"):
            raise bad_detail("a renewal takes none, leave the parameter out; a sub-task is told by its `type`")
        detail = read_detail(form, [TASK_DETAIL])
        if detail is None:
            _none_of(form, "actor_token", "dpop_jkt")
            return self._authority.renew(token, proof)
        task = _task(detail, "agent", "kind", "intent", "tools", "budgets", "ttl")
        _complete(task)
        holder = form.get("dpop_jkt", "")
        if holder and _THUMBPRINT.fullmatch(holder) is None:
            raise bad_request("`dpop_jkt` is not the SHA-256 thumbprint of a key (RFC 7638)")
        return self._authority.delegate(token, proof, **task, holder=holder, agent_token=form.get("actor_token"))

    def _call(self, form: Form, token: str, proof: Proof, wanted: str) -> Granted:
        _none_of(form, "actor_token", "dpop_jkt")
        detail = read_detail(form, [CALL_DETAIL])
        if detail is None:
            raise bad_detail("it is missing, and says which call")
        only(detail, "identifier", "arguments", "reason")
        name, arguments, reason = member(detail, "identifier", str), member(detail, "arguments", dict), member(detail, "reason", str)
        if not name or arguments is None:
            raise bad_detail("it needs `identifier`, the tool, and `arguments`, all of the call's")
        tool = self._manifest.tools.get(name)
        # Asked before the call counts. What is not declared, the guard denies.
        if tool is not None and wanted != (ACCESS_TOKEN if (tool.envelope or CALL_TYPE) == ACCESS_TYPE else CALL_TOKEN):
            raise bad_request("this tool takes the other kind of token: see its `envelope` in the manifest")
        return self._authority.call(token, proof, tool=name, arguments=arguments, reason=reason)

    def _federate(self, form: Form, token: str, proof: Proof) -> Granted:
        _none_of(form, "actor_token", "dpop_jkt", "authorization_details")
        audience, declared = needed(form, "audience"), self._manifest.authority
        if declared is None or audience not in declared.federation:
            raise bad_request("this audience is not one that the manifest federates with", "invalid_target")
        return self._authority.federate(token, proof, audience=audience)

    def _burn(self, proof: Proof) -> str:
        """The thumbprint of the key that a proof without a token shows possession of; the proof is used up (RFC 9449 section 11.1)."""
        now = self._clock.now()
        jti, holder = check_proof(proof, holder=None, token=None, now=now, algorithms=OURS, skew=SKEW_SECONDS)
        if self._state.spend(f"{holder}\0{jti}", now + MAX_SECONDS, (), now) is not True:
            raise TokenRefused("token.proof", "the proof was used before")
        return holder


def _task(detail: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The members of a `urn:licet:task`, of their types; those that are not there are left out."""
    only(detail, *names)
    kinds: Mapping[str, tuple[type, ...]] = {"tools": (list, dict), "budgets": (list,)}
    found = {name: member(detail, name, *kinds.get(name, (str,))) for name in names if name in detail}
    if type(found.get("tools")) is list and not all(type(tool) is str for tool in found["tools"]):
        raise bad_detail("its `tools` are names, or an object of grants")
    if "tools" in found and not found["tools"]:
        raise bad_detail("its `tools` name none, and a task without tools may do nothing")
    if _patterns(found.get("tools")) > MAX_PATTERNS:
        raise bad_detail(f"its `tools` hold more than {MAX_PATTERNS} patterns, each of which has to be compiled")
    if not all(type(budget) is dict for budget in found.get("budgets", ())):
        raise bad_detail("its `budgets` are objects")
    if "ttl" in found:
        try:
            found["ttl"] = duration(found["ttl"])
        except ValueError as error:
            raise bad_detail(f"its `ttl`: {error}") from error
    return found


def _patterns(value: object) -> int:
    """How many patterns stand in grants, however deep."""
    if isinstance(value, dict):
        return sum((name == "pattern") + _patterns(item) for name, item in value.items())
    return sum(map(_patterns, value)) if isinstance(value, list) else 0


def _complete(task: Mapping[str, Any]) -> None:
    if missing := sorted({"agent", "intent", "kind"} - {name for name, value in task.items() if value}):
        raise bad_detail(f"it needs `{missing[0]}`")


def _none_of(form: Form, *names: str) -> None:
    """What would be without effect here, and may be meant to have one, is refused."""
    if odd := [name for name in names if name in form]:
        raise bad_request(f"`{odd[0]}` has no meaning in this exchange")
