"""Where an MCP server is, as far as that is known: what a span says of it, and whether a token may go there."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from licet.errors import UsageError
from licet.guard import current_call
from licet.integrations._agent_side import _check_under, _sent
from licet.integrations._tool_side import place

TOKEN_KEY, PROOF_KEY = "licet/call-token", "licet/call-proof"
"""Where the two stand in `params._meta` of a `tools/call`.

The prefix is one label, the name of the application: a reverse domain name would have to be one that is ours.
"""
METHOD = "tools/call"
STDIO = "stdio"

_log = logging.getLogger("licet")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is: `stdio`, a URL, or empty where nobody said."""

    at: str = ""

    @property
    def attributes(self) -> dict[str, Any]:
        """What a span says of it (MCP conventions, "network.transport")."""
        if self.at == STDIO:
            return {"network.transport": "pipe"}
        if not self.at:
            return {}
        url = urlsplit(self.at)
        told: dict[str, Any] = {"network.transport": "tcp", "server.address": url.hostname or ""}
        return told | {"server.port": url.port or _PORTS[url.scheme]}

    def proofs(self, *, named: bool) -> dict[str, str]:
        """What goes along with one request of the running call: its token, and the proof that it is ours. Empty where none may go.

        Only the token of a tool that declares an `audience:` leaves this process, and only to that audience: where that is a URL, the
        server must be under it. Where it is a name, somebody must have said where the server is, and the manifest must have the tool as
        that server's (`named`): any server can have a tool of a bare name.
        """
        call = current_call()
        if call is None or not call.token or not self.at:
            return {}
        # For what is not HTTP, method and URL are what both sides agree on: the method of the protocol, and the audience.
        proof = call.headers_for(METHOD, call.audience).get("DPoP")
        if proof is None:
            return {}
        try:
            self._check(call.audience, call.call.tool, named=named)
        except UsageError as error:
            _log.warning("licet: the token of a call was not sent: %s", error)
            return {}
        return {TOKEN_KEY: call.token, PROOF_KEY: proof} if _sent.first(call.token) else {}

    def _check(self, audience: str, tool: str, *, named: bool) -> None:
        is_url = audience.startswith(("http://", "https://"))
        if not is_url and not named:
            raise UsageError(f"the `audience:` of `{tool}` is a name, and this session has none; guard it with `server=`")
        if self.at == STDIO:
            if is_url:
                raise UsageError(f"the `audience:` of `{tool}` is a URL, and its server is a process that speaks by pipes")
            return
        _check_under(self.at, audience if is_url else self.at, tool)  # a name's server must be reached by TLS too


def place_of(at: str | None, client: object) -> Place:
    """`at=` of `guard_session`, or what a `Client` was made from.

    Raises:
        UsageError: it is neither `stdio` nor a URL.
    """
    if at is not None:
        return Place(at if at == STDIO else place(at, "at="))
    server = getattr(client, "server", None)
    if isinstance(server, str):
        return Place(_bare(server))
    return Place(STDIO if type(server).__name__ == "StdioServerParameters" else "")


def _bare(url: str) -> str:
    """A client's URL without user and query; nothing, if it cannot be read: the client itself says what is wrong with it."""
    try:
        found = urlsplit(url)
        return place(found._replace(netloc=found.netloc.rpartition("@")[2], query="", fragment="").geturl(), "the URL")
    except (UsageError, ValueError):
        return ""


def without_ours(meta: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the application sends along, without what only we may say."""
    return {name: value for name, value in (meta or {}).items() if name not in (TOKEN_KEY, PROOF_KEY)}
