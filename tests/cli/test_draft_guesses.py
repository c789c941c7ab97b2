"""What `licet init` guesses from names and schemas: access, where arguments must come from, and what is free text."""

from __future__ import annotations

from typing import Any

import pytest

from licet.draft import render
from licet.draft.mcp import from_mcp
from licet.draft.words import reads, returns_content, role
from licet.manifest import Manifest, loads

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library


def _tool(name: str, *arguments: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "inputSchema": {"properties": {argument: {"type": "string"} for argument in arguments}}, **more}


def _draft(*tools: dict[str, Any]) -> tuple[Manifest, str]:
    text = render(from_mcp({"tools": list(tools)}), "a test")
    return loads(text, name="the draft"), text


@pytest.mark.parametrize("name", ["get_user", "searchOrders", "ListFiles", "find", "get_order", "GetFlightSchedule", "view_messages_sent"])
def test_a_name_that_begins_with_a_reading_word_reads(name: str) -> None:
    """Whatever nouns follow."""
    assert reads(name)


@pytest.mark.parametrize("name", ["get_or_create_user", "check_and_delete", "update_user", "user_get", "frobnicate", "", "fetch_and_save"])
def test_any_other_name_writes(name: str) -> None:
    """Also one that begins with a reading word and goes on with a writing one."""
    assert not reads(name)


@pytest.mark.parametrize(
    "argument, expected",
    [
        ("to", "address"),
        ("recipientIds", "address"),
        ("billing_email", "address"),
        ("callback_url", "address"),
        ("user_id", "person"),
        ("userName", "person"),
        ("order_id", "record"),
        ("message_id", "record"),
        ("file_path", "place"),
        ("output_path_pdf", "place"),
        ("body", "text"),
        ("message_text", "text"),
        ("id", "record"),
        ("numbers", ""),
        ("amount", ""),
        ("pathology", ""),
        ("tomato", ""),
        ("start_time", ""),
        ("", ""),
    ],
)
def test_the_last_telling_word_of_an_argument_says_what_it_is(argument: str, expected: str) -> None:
    """Words, not substrings."""
    assert role(argument) == expected


def test_a_format_says_more_than_a_name() -> None:
    """An argument of any name that takes an address is one."""
    assert role("x", "email") == role("note", "uri") == "address"


@pytest.mark.parametrize("name", ["read_email", "fetch_url", "get_comments", "read_file", "open", "search"])
def test_tools_that_return_what_others_write_are_known(name: str) -> None:
    """By a word for it, or because the name does not say what comes back."""
    assert returns_content(name) or not reads(name)


def test_no_rule_endorses_a_tool_that_returns_what_others_write() -> None:
    """The text of a mail must not choose who is paid, which record is changed, or where to."""
    manifest, _ = _draft(
        _tool("read_email", "id"), _tool("web_search", "query"), _tool("search_the_world", "query"), _tool("find_customer", "name"),
        _tool("pay", "iban", "customer_id", "order_id", "file_path"),
    )  # fmt: skip
    pay = manifest.tools["pay"].arguments
    assert all(rule.origin is not None for rule in pay.values())
    named = {source.tool for rule in pay.values() if rule.origin for source in rule.origin.endorsements}
    assert named == {"find_customer", "pay"}  # what a writing tool returns is a receipt, and the values of the call itself never count


def test_an_address_is_free_only_where_the_user_named_what_is_looked_up() -> None:
    """Else a person is asked, and no value comes from nowhere."""
    manifest, text = _draft(_tool("find_contact", "name"), _tool("send_email", "recipient", "cc_email", "body"))
    rule = manifest.tools["send_email"].arguments["recipient"].origin
    assert rule is not None
    assert list(map(str, rule.allowed)) == ["intent", "trusted", "find_contact(name in intent):$"]
    assert (list(map(str, rule.ask)), rule.otherwise) == (["find_contact:$"], "deny")
    assert manifest.tools["send_email"].arguments["cc_email"].destination is True
    assert manifest.tools["send_email"].arguments["body"].content is True
    assert "# guess: it names who or what receives" in text


def test_only_a_record_or_a_place_may_be_the_models_own_idea() -> None:
    """A person or an address never comes from nowhere."""
    manifest, _ = _draft(_tool("grant_access", "user_id", "document_id", "folder", "email"))
    rules = {name: rule.origin.allowed for name, rule in manifest.tools["grant_access"].arguments.items() if rule.origin}
    assert {name for name, allowed in rules.items() if "nowhere" in allowed} == {"document_id", "folder"}
    assert set(rules) == {"user_id", "document_id", "folder", "email"}


def test_what_cannot_hold_a_name_gets_no_rule() -> None:
    """A number that is no whole one, or a yes or no, names nobody."""
    schema = {"properties": {"account": {"type": "number"}, "email": {"type": "boolean"}, "user": {"type": ["integer", "null"]}}}
    manifest, _ = _draft({"name": "set_it", "inputSchema": schema})
    assert [name for name, rule in manifest.tools["set_it"].arguments.items() if rule.origin] == ["user"]


def test_labels_stay_untrusted_and_the_draft_teaches_them() -> None:
    """Nothing that a tool returns is trusted by a guess; the fields that an output schema names stand in the hint."""
    output = {"type": "object", "properties": {"id": {"type": "string"}, "lines": {"type": "array", "items": {"properties": {"sku": {}}}}}}
    manifest, text = _draft(_tool("get_order", "id", outputSchema=output), _tool("get_stock", "sku"))
    assert all((tool.output, dict(tool.fields)) == ("untrusted", {}) for tool in manifest.tools.values())
    assert '# fields: {id: trusted, "lines[].sku": trusted}' in text
    assert manifest.tools["get_order"].format == "json"
    assert "# fields: {id: trusted}" in text
    assert "# format: json" in text


def test_a_server_that_says_that_it_changes_something_is_believed() -> None:
    """A hint from outside counts where it makes the draft stricter, and only there."""
    manifest, _ = _draft(
        _tool("get_a", annotations={"destructiveHint": True}),
        _tool("get_b", annotations={"readOnlyHint": False}),
        _tool("do_c", annotations={"readOnlyHint": True}),
        _tool("get_d", annotations={"readOnlyHint": True}),
    )
    assert {name: tool.access for name, tool in manifest.tools.items()} == {
        "get_a": "write",
        "get_b": "write",
        "do_c": "write",
        "get_d": "read",
    }


def test_long_rules_go_over_several_lines_and_say_the_same() -> None:
    """No line of a draft is longer than a person reads."""
    tools = [_tool(f"get_record_of_kind_{number}", "name") for number in range(60)]
    manifest, text = _draft(*tools, _tool("change", "record_id"))
    rule = manifest.tools["change"].arguments["record_id"].origin
    assert rule is not None
    assert [source.tool for source in rule.endorsements] == [*(tool["name"] for tool in tools), "change"]
    assert max(map(len, text.splitlines())) <= 180
    assert max(len(line) for line in text.splitlines() if "#" not in line) <= 140
