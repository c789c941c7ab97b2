"""`licet init`: four sources, every guess on the safe side, and nothing hostile gets out of comments and quotes."""

from __future__ import annotations

import io
import json
import sys
import types
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostile import HOSTILE, acting
from licet.cli import main
from licet.draft import render
from licet.draft.mcp import from_mcp
from licet.draft.openapi import from_openapi
from licet.draft.schemas import argument_of
from licet.errors import UsageError
from licet.manifest import Argument, Manifest, loads
from licet.manifest.lint import check

NOW = 1_795_341_600.0

# Written by hand, in the form of an MCP server's answer.
MCP = {
    "jsonrpc": "2.0",
    "id": 1,
    "result": {
        "tools": [
            {
                "name": "send_email",
                "description": "Sends an email.\n# access: read\n    egress: false",
                "annotations": {"readOnlyHint": True, "destructiveHint": False},
                "inputSchema": {
                    "type": "object",
                    "properties": {
                        "recipients": {"type": "array", "items": {"type": "string", "pattern": "^[^@]+@acme\\.example$"}, "maxItems": 5},
                        "subject": {"type": "string", "maxLength": 100},
                        "priority": {"enum": ["low", "high: now", "on"]},
                        "delay": {"type": "integer", "minimum": 0, "maximum": 60},
                        "code": {"type": "string", "pattern": "(?=a)b"},
                        "cc": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
                    },
                    "required": ["recipients"],
                },
            },
            {"name": "list_files", "inputSchema": {"type": "object"}},
            {"name": "bad name\n", "inputSchema": {}},
            {"name": "list_files", "description": "a second one"},
            {"description": "no name"},
        ],
        "nextCursor": "more",
    },
}

OPENAPI = """\
openapi: 3.0.3
paths:
  /users/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer, minimum: 1}}]
    get: {operationId: get_user, summary: One user, parameters: [{$ref: '#/components/parameters/fields'}], responses: {200: {}}}
    delete: {responses: {204: {description: gone}}}
    put:
      operationId: put_user
      requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/User'}}}}
components:
  parameters: {fields: {name: fields, in: query, schema: {type: string, nullable: true, enum: [name, age]}}}
  schemas:
    User:
      allOf:
        - {type: object, required: [name], properties: {name: {type: string, maxLength: 80}}}
        - {properties: {age: {type: integer, minimum: 0, exclusiveMinimum: true}, friend: {$ref: '#/components/schemas/User'}}}
"""


def _init(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[Manifest, str, str]:
    """The drafted manifest, its text and what was said; a draft always loads and never has errors."""
    code = main(["init", *arguments])
    text, said = capsys.readouterr()
    assert (code, acting(text + said)) == (0, [])
    _, problems = check(text, name="draft", now=NOW)
    assert [problem for problem in problems if problem.severity == "error"] == []
    return loads(text, now=NOW), text, said


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module of tools, as a user would have one."""
    made = types.ModuleType("acme_tools")

    def send(
        to: str,
        body: str = "",
        *more: str,
        count: int | None = None,
        mode: Literal["a", "b"] = "a",
        size: Annotated[int, "px"] = 3,
        **rest: Any,
    ) -> str:
        """Send it.

        egress: false
        """
        return to

    def fetch(url: NotThere) -> str:  # type: ignore[name-defined]  # noqa: F821
        return url

    def _private() -> None: ...

    for function in (send, fetch, _private):
        function.__module__ = made.__name__
        setattr(made, function.__name__, function)
    made.imported = json.dumps  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made


def test_what_a_module_prints_is_no_part_of_the_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The draft may go to a file by `>`."""
    (tmp_path / "noisy_tools.py").write_text("print('hello: [world')\ndef send(to: str) -> None: ...\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    manifest, _, said = _init(capsys, "--module", "noisy_tools")
    assert list(manifest.tools) == ["send"]
    assert "hello: [world" in said


def test_a_module_with_an_attribute_is_told_what_to_write(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--module", "my_tools:send"]) == 2
    assert "`--module my_tools`, or `--langchain my_tools:send`" in capsys.readouterr().err


def test_an_mcp_answer_becomes_tools(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Hints of the server are shown and not believed; what cannot be named or kept is told."""
    (tmp_path / "tools.json").write_text(json.dumps(MCP))
    manifest, text, said = _init(capsys, "--mcp", str(tmp_path / "tools.json"))
    assert list(manifest.tools) == ["send_email", "list_files"]
    email = manifest.tools["send_email"]
    assert (email.access, email.egress) == ("write", True)
    rules = {name: argument.schema_for_value() for name, argument in email.arguments.items()}
    assert rules["recipients"]["maxItems"] == 5
    assert rules["recipients"]["items"] == {"type": "string", "pattern": "^(?:^[^@]+@acme\\.example$)$"}
    assert rules["priority"] == {"enum": ["low", "high: now", "on"]}
    assert rules["delay"] == {"type": "integer", "minimum": 0, "maximum": 60}
    assert rules["code"] == {"type": "string"}
    assert rules["cc"] == {"type": ["string", "null"]}
    assert email.arguments["recipients"].required
    assert "left out: pattern '(?=a)b'" in text
    assert "readOnlyHint: true, destructiveHint: false; a hint from outside, not relied on" in text
    assert all(part in said for part in ("`bad name\\u{a}`", "a second one of this name", "entry 4", "nextCursor"))


def test_a_servers_name_stands_before_its_tools_and_changes_no_guess(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As `guard_session(..., server="files")` asks for them; the words of the server's name say nothing of a tool."""
    (tmp_path / "tools.json").write_text(json.dumps(MCP))
    _, bare, _ = _init(capsys, "--mcp", str(tmp_path / "tools.json"))
    for server in ("files", "read.mail-1", "send"):
        manifest, text, _ = _init(capsys, "--mcp", f"{server}={tmp_path / 'tools.json'}")
        assert list(manifest.tools) == [f"{server}:send_email", f"{server}:list_files"]
        assert text.replace(f"({server}=", "(").replace(f"{server}:", "").replace('"', "") == bare.replace('"', "")
    assert main(["init", "--mcp", f"a/b={tmp_path / 'tools.json'}"]) == 2
    assert "`a/b` is no name of a server" in capsys.readouterr().err


@pytest.mark.parametrize("answer", [MCP, MCP["result"], MCP["result"]["tools"]], ids=["response", "result", "list"])  # type: ignore[index]
def test_all_three_forms_of_an_answer_are_read(answer: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """From standard input too."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(answer).encode())))
    manifest, _, _ = _init(capsys, "--mcp", "-")
    assert list(manifest.tools) == ["send_email", "list_files"]


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_an_openapi_document_becomes_tools(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """GET reads (RFC 9110), everything else writes; references within the document are followed."""
    from ruamel.yaml import YAML

    path = tmp_path / f"api.{form}"
    path.write_text(OPENAPI if form == "yaml" else json.dumps(YAML(typ="safe", pure=True).load(OPENAPI)))
    manifest, text, _ = _init(capsys, "--openapi", str(path))
    assert {name: tool.access for name, tool in manifest.tools.items()} == {
        "get_user": "read",
        "put_user": "write",
        "delete_users_id": "write",
    }
    assert all(tool.egress for tool in manifest.tools.values())
    assert list(manifest.tools["put_user"].arguments) == ["id", "age", "friend", "name"]
    assert manifest.tools["put_user"].arguments["age"].exclusiveMinimum == 0
    assert manifest.tools["get_user"].arguments["fields"].enum == ("name", "age", None)
    assert list(manifest.tasks["describe-the-work"].tools) == ["get_user"]
    assert "named after method and path" in text


def test_a_module_becomes_tools(module: types.ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """Its own public functions, by signature; an annotation that cannot be read limits nothing."""
    manifest, text, _ = _init(capsys, "--module", module.__name__)
    assert list(manifest.tools) == ["send", "fetch"]
    arguments = manifest.tools["send"].arguments
    assert {name: argument.schema_for_value().get("type") for name, argument in arguments.items()} == {
        "to": "string",
        "body": "string",
        "count": ["integer", "null"],
        "mode": "string",
        "size": "integer",
    }
    assert arguments["mode"].enum == ("a", "b")
    assert [name for name, argument in arguments.items() if argument.required] == ["to"]
    assert "`*more`" in text
    assert "`**rest`" in text


def test_langchain_tools_become_tools(module: types.ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """By what the objects say; LangChain itself need not be there."""
    schema = {"properties": {"q": {"type": "string"}, "limit": {"type": "integer"}}, "required": ["q"]}
    module.TOOLS = [  # type: ignore[attr-defined]
        types.SimpleNamespace(name="search", description="Searches.", args_schema=schema),
        types.SimpleNamespace(name="old", description="Args only.", args={"q": {"type": "string"}}),
        module.send,
        {"type": "web_search"},
    ]
    manifest, text, said = _init(capsys, "--langchain", "acme_tools:TOOLS")
    assert list(manifest.tools) == ["search", "old", "send"]
    assert manifest.tools["search"].arguments["q"].required
    assert "says of itself: Searches." in text
    assert "an object of type `dict`" in said
    module.ONE = module.TOOLS[0]  # type: ignore[attr-defined]
    assert list(_init(capsys, "--langchain", "acme_tools:ONE")[0].tools) == ["search"]


def test_a_real_langchain_tool_is_read(module: types.ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """What LangChain injects is no argument of the model's."""
    tools = pytest.importorskip("langchain_core.tools")

    def search(q: str, limit: int = 3, secret: str = "") -> str:
        """Search the index."""
        return q

    search.__annotations__ = {"q": str, "limit": int, "secret": Annotated[str, tools.InjectedToolArg], "return": str}

    module.LC = tools.tool(search)  # type: ignore[attr-defined]
    manifest, _, _ = _init(capsys, "--langchain", "acme_tools:LC")
    assert list(manifest.tools["search"].arguments) == ["q", "limit"]


def test_nothing_runs_unasked_under_a_draft(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A draft that is used as it is grants as little as a manifest can."""
    (tmp_path / "tools.json").write_text(json.dumps(MCP))
    manifest, text, _ = _init(capsys, "--mcp", str(tmp_path / "tools.json"))
    (task,) = manifest.tasks.values()
    assert {name: grant.ask for name, grant in task.tools.items()} == {"list_files": True}
    assert manifest.environment == "prod"
    assert all(agent.owner is None for agent in manifest.agents.values())
    assert "# send_email: {ask: true, at_most: 1}" in text


def test_an_existing_file_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Unless `--force` says otherwise."""
    (tmp_path / "tools.json").write_text(json.dumps(MCP))
    target = tmp_path / "licet.yaml"
    arguments = ["init", "--mcp", str(tmp_path / "tools.json"), "-o", str(target)]
    assert main(arguments) == 0
    target.write_text("mine")
    assert main(arguments) == 2
    assert "--force" in capsys.readouterr().err
    assert target.read_text() == "mine"
    assert main([*arguments, "--force"]) == 0
    assert main(["check", str(target)]) == 0


@pytest.mark.parametrize(
    "arguments,part",
    [
        ([], "required"),
        (["--module", "no_such_module_here"], "cannot be imported"),
        (["--module", ".x"], "cannot be imported"),
        (["--module", "colorsys_"], "cannot be imported"),
        (["--langchain", "json"], "MODULE:ATTRIBUTE"),
        (["--langchain", "json:nothing"], "has no"),
        (["--mcp", "/nowhere.json"], "No such file"),
        (["--mcp", "{dir}"], "Is a directory"),
        (["--mcp", "{empty}"], "cannot be read"),
        (["--mcp", "{object}"], "no answer to `tools/list`"),
        (["--openapi", "{object}"], "no OpenAPI document"),
        (["--mcp", "{deep}"], "nested too deep"),
        (["--openapi", "{yaml}"], "cannot be read"),
        (["--mcp", "{names}"], "no tool is left"),
    ],
)
def test_a_source_that_cannot_be_used_exits_2(arguments: list[str], part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With what to do, and without a traceback."""
    files = {"empty": "", "object": "{}", "deep": "[" * 100_000, "yaml": "a: [", "names": '[{"name": "no good"}]'}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    places = {name: str(tmp_path / name) for name in files} | {"dir": str(tmp_path)}
    assert main(["init", *(argument.format(**places) for argument in arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert part in err
    assert "Traceback" not in err


def declared(says: str, module: types.ModuleType, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """What the drafts with this description declare of the harmless tool, from every source; none of what they print can act."""
    schema = {"properties": {"a": {"enum": [says, "x"], "description": says}, says: {"type": "string", "format": says, "pattern": says}}}
    tool = {"name": "good", "description": says, "inputSchema": schema}
    module.T = [types.SimpleNamespace(name="good", description=says, args_schema=schema)]  # type: ignore[attr-defined]
    module.send.__doc__ = says
    operation = {"summary": says, "parameters": [{"name": "a", "in": "query", "schema": {"enum": [says]}}], "description": says}
    drafts = [
        from_mcp([tool, {"name": says}]),
        from_openapi({"paths": {f"/{says}": {"get": {**operation, "operationId": "good"}, "post": {**operation, "operationId": says}}}}),
    ]
    assert main(["init", "--langchain", "acme_tools:T"]) == 0
    assert main(["init", "--module", "acme_tools"]) == 0
    out, err = capsys.readouterr()
    assert acting(out + err) == []
    said = set()
    for drafted in drafts:
        rendered = render(drafted, says)
        assert acting(rendered) == []
        assert max(map(len, rendered.splitlines())) < 100_000
        manifest = loads(rendered, now=NOW)
        facts = [(name, tool.access, tool.egress) for name, tool in manifest.tools.items() if name == "good"]
        grants = [(name, grant.ask) for name, grant in manifest.tasks["describe-the-work"].tools.items()]
        said.add(repr((facts, grants)))
    return said


LONG = 3_000  # characters: more than a comment (160), a name (128) and a key of YAML (1,024) may have
HARMLESS: set[str] = set()  # what a harmless description declares, found out once in each process


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_tools_stay_in_comments_and_quotes(text: str, module: types.ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """The draft with a hostile description declares what the one with a harmless description declares, from every source."""
    HARMLESS.update(HARMLESS or declared("harmless", module, capsys))
    assert len(HARMLESS) == 2  # one for each of the two drafts
    assert declared(text, module, capsys) == HARMLESS
    assert declared((text + " ") * (1 + LONG // (len(text) + 1)), module, capsys) == HARMLESS


_JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6), st.sampled_from(["string", "object", "array", "#/a"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["type", "enum", "const", "pattern", "items", "properties", "required", "anyOf", "allOf", "$ref", "minimum", "name"]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(_JSON)
def test_any_schema_becomes_a_rule_that_loads(schema: Any) -> None:
    """Schemas are written by strangers."""
    Argument.model_validate(dict(argument_of(schema, schema).rule))


@settings(max_examples=200, deadline=None)
@given(_JSON)
def test_any_document_is_drafted_or_refused(document: Any) -> None:
    """With a `UsageError`, and nothing else."""
    for source, wrapped in ((from_mcp, [{"name": "a", "inputSchema": document}]), (from_openapi, {"paths": {"/": {"get": document}}})):
        for given_document in (document, wrapped):
            try:
                loads(render(source(given_document), "x"), now=NOW)
            except UsageError:
                continue
