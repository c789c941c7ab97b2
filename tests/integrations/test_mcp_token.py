"""The call's token goes to the one server that it is for, and the server can verify it for exactly this call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from licet import Proof, Verifier
from licet.errors import TokenRefused
from licet.store import SqliteStore

pytest.importorskip("mcp")
from licet.integrations.mcp import PROOF_KEY, TOKEN_KEY, guard_session
from mcp_lab import MANIFEST, TRANSPORTS, Lab, is_error

NAME = "urn:acme:files"
CALL = {"path": "list.txt", "text": "hello"}


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Lab]]:
    made: list[Lab] = []

    def build(audience: str | None) -> Lab:
        tool = "srv:append_file: {access: write, egress: false"
        made.append(Lab(tmp_path, monkeypatch, MANIFEST.replace(tool, f"{tool}, audience: '{audience}'") if audience else MANIFEST))
        return made[-1]

    yield build
    for each in made:
        each.close()


async def reached(lab: Lab, session: Any, meta: dict[str, Any] | None = None) -> dict[str, Any]:
    """What stood in `_meta` of the call, beside the trace and what the protocol itself has."""
    with lab.task():
        assert not is_error(await session.call_tool("append_file", CALL, meta=meta))
    return {name: value for name, value in lab.reached[-1]["meta"].items() if not name.startswith(("trace", "io.modelcontextprotocol/"))}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_server_can_verify_the_token_for_this_call_once(make: Callable[..., Lab], transport: str):
    lab = make(NAME)
    store = SqliteStore(lab.guard.state / "licet.db")
    verifier = Verifier(lab.guard.jwks(), issuer=lab.guard.issuer, audience=NAME, state=store, clock=lab.guard.clock)
    with lab.task():  # a token ends with its task
        async with lab.session(transport) as session:
            assert not is_error(await session.call_tool("append_file", CALL))
        sent = lab.reached[0]
        token, shown = sent["meta"][TOKEN_KEY], {"proof": Proof(sent["meta"][PROOF_KEY], "tools/call", NAME), "tool": "srv:append_file"}
        with pytest.raises(TokenRefused) as other:
            verifier.verify(token, arguments={**CALL, "path": "other.txt"}, **shown)
        assert verifier.verify(token, arguments=sent["arguments"], **shown).actors[0] == "bot"
        with pytest.raises(TokenRefused) as again:
            verifier.verify(token, arguments=CALL, **shown)
    assert (other.value.check, again.value.check) == ("token.binding", "token.replay")
    store.close()


async def test_a_tool_without_an_audience_sends_no_token(make: Callable[..., Lab]):
    lab = make(None)
    async with lab.session() as session:
        assert await reached(lab, session) == {}


async def test_what_the_application_sends_along_goes_along_but_not_in_our_names(make: Callable[..., Lab]):
    lab = make(None)
    async with lab.session() as session:
        assert await reached(lab, session, {"acme.example/a": 1, TOKEN_KEY: "forged", PROOF_KEY: "forged"}) == {"acme.example/a": 1}


@pytest.mark.parametrize(
    "audience, at, goes",
    [
        (NAME, "stdio", True),
        (NAME, "https://files.acme.example/mcp", True),
        (NAME, "http://files.acme.example/mcp", False),  # in the open
        (NAME, None, False),  # nobody said where the session leads
        ("https://files.acme.example", "stdio", False),
        ("https://files.acme.example", "https://files.acme.example/mcp", True),
        ("https://files.acme.example/mcp", "https://files.acme.example/mcp", True),
        ("https://files.acme.example/mcp", "https://files.acme.example/mcp2", False),
        ("https://files.acme.example/a", "https://files.acme.example/a/../b", False),
        ("https://files.acme.example", "https://files.acme.example.evil.example/mcp", False),
        ("https://files.acme.example", "https://evil.example/mcp", False),
        ("https://files.acme.example", "http://files.acme.example/mcp", False),
    ],
)
async def test_a_token_goes_to_its_audience_and_nowhere_else(make: Callable[..., Lab], audience: str, at: str | None, goes: bool):
    lab = make(audience)
    async with lab.session(guarded=False) as found:
        session = getattr(found, "session", found)  # of a bare session nobody knows where it leads
        guard_session(lab.guard, session, server="srv", at=at)
        sent = await reached(lab, session)
    assert sent.keys() == ({TOKEN_KEY, PROOF_KEY} if goes else set())


async def test_a_tool_of_the_same_name_on_another_server_gets_no_token(make: Callable[..., Lab]):
    lab = make("https://files.acme.example")
    async with lab.session("http") as session:
        assert await reached(lab, session) == {}


@pytest.mark.parametrize("audience, goes", [(NAME, False), ("https://files.acme.example", True)], ids=["name", "url"])
async def test_without_a_name_for_the_server_a_token_for_a_name_stays_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, audience: str, goes: bool
):
    """Any server can have a tool of a bare name, and would play the token and its proof at the one that it is for."""
    tool = "append_file: {access: write, egress: false"
    lab = Lab(tmp_path, monkeypatch, MANIFEST.replace("srv:", "").replace(tool, f"{tool}, audience: '{audience}'"))
    async with lab.session(guarded=False) as found:
        session = getattr(found, "session", found)
        guard_session(lab.guard, session, at="https://files.acme.example/mcp")
        sent = await reached(lab, session)
    assert sent.keys() == ({TOKEN_KEY, PROOF_KEY} if goes else set())
    assert ("guard it with `server=`" in caplog.text) is not goes
    lab.close()


async def test_neither_token_nor_proof_is_on_a_span(make: Callable[..., Lab]):
    lab = make(NAME)
    async with lab.session() as session:
        sent = await reached(lab, session)
    told = "".join(span.to_json() for span in lab.spans)
    assert not [value for value in sent.values() if value in told or value.rpartition(".")[2] in told]
