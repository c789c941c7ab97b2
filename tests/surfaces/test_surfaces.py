"""Each surface that shows a task is held against the table of hostile texts: none acts, and nothing is lost."""

from __future__ import annotations

import contextlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from hostile import HOSTILE, acting
from licet.chain import explain
from licet.cli import main
from licet.records import CallRecord, Decision, Finding, Reason, TaskRecord, Used
from licet.report import Case, Story, Table, digest_page, graphml, page, svg, trace
from licet.store import SqliteStore

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

Out = pytest.CaptureFixture[str]
ROOT, CHILD = "a" * 32, "b" * 32
TABLE = pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))

SVG_ELEMENTS = {"svg", "title", "rect", "path", "g", "text"}
HTML_ELEMENTS = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "h1",
    "h2",
    "h3",
    "p",
    "div",
    "dl",
    "dt",
    "dd",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
}
SVG_ATTRIBUTES = {
    *("xmlns", "role", "width", "height", "viewBox", "fill", "stroke", "stroke-width", "stroke-dasharray", "d", "x", "y", "rx"),
    *("font-family", "font-size", "font-weight", "textLength", "lengthAdjust"),
}
HTML_ATTRIBUTES = {"lang", "charset", "http-equiv", "content", "name", "class"}


def story(text: str) -> Story:
    """The text wherever somebody else chooses it: tool, argument's name (in a sentence), intent, names, reasons, error, framework."""
    reason = Reason(text, "deny", f"argument `{text}` is not as granted", (text,), (text,))
    task = TaskRecord(ROOT, text, text, text, text, text, 1.0, 60.0, root=ROOT, ended=2.0, ended_by=text)
    child = TaskRecord(CHILD, text, text, text, text, text, 1.5, 60.0, parent=ROOT, root=ROOT)
    used = (
        Used(text, "untrusted", "1" * 32, text, text, text),
        Used(text, "untrusted", text, text, text, text, False),
        Used(text, "intent"),
    )
    calls = [
        CallRecord("1" * 32, ROOT, 1, text, text, text, "done", Decision("allow"), text, 1.1, 1.2, text, "", text),
        CallRecord("2" * 32, ROOT, 2, text, text, text, "denied", Decision("deny", (reason,), "deny"), text, 1.3, 1.4, used=used),
        CallRecord("3" * 32, ROOT, 3, text, text, text, "failed", Decision("allow", (reason,), "deny"), text, 1.6, 1.7, "", text),
    ]
    inner = CallRecord(
        "4" * 32, CHILD, 1, text, text, text, "denied", Decision("deny", (reason,), "deny"), text, 1.55, attributes={text: text}
    )
    return Story([task, child], {ROOT: calls, CHILD: [inner]}, [Finding("f", 1.0, text, "medium", text, ROOT, "1" * 32, text, (text,))])


@TABLE
def test_the_trace_in_a_terminal(text: str) -> None:
    out = trace(story(text))
    assert acting(out) == []
    assert out.count("\n") == 15  # a text cannot add a line, nor take one away
    assert out.count("BLOCKED") - 9 * text.count("BLOCKED") >= 2


@TABLE
def test_svg(text: str) -> None:
    out = svg(story(text))
    assert acting(out) == []
    for element in ElementTree.fromstring(out).iter():
        assert element.tag.removeprefix("{http://www.w3.org/2000/svg}") in SVG_ELEMENTS
        assert set(element.attrib) <= SVG_ATTRIBUTES
        assert not any(re.search(r"(?i)script|url\(|https?:|data:", value) for value in element.attrib.values())


class Elements(HTMLParser):
    """Collects what a browser would make of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data[:40]}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"a processing instruction: {data[:40]}")


@TABLE
def test_html(text: str) -> None:
    out = page(story(text))
    assert acting(out) == []
    found = Elements()
    found.feed(out)
    assert set(found.tags) <= HTML_ELEMENTS | SVG_ELEMENTS
    assert {name for name, _ in found.attributes} <= HTML_ATTRIBUTES | {name.lower() for name in SVG_ATTRIBUTES}
    assert found.tags.count("tr") == 6
    assert found.tags.count("style") == 1
    policy = next(value for name, value in found.attributes if name == "content")
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


@TABLE
def test_a_page_of_many_tasks(text: str) -> None:
    told = story(text)
    out = digest_page(text, [text], [Table(text, (text, text), [(text, text)], text)], [Case(text, text, told, "2" * 32)])
    assert acting(out) == []
    found = Elements()
    found.feed(out)
    assert set(found.tags) <= HTML_ELEMENTS | SVG_ELEMENTS
    assert {name for name, _ in found.attributes} <= HTML_ATTRIBUTES | {name.lower() for name in SVG_ATTRIBUTES}
    assert found.tags.count("tr") == 2
    assert found.tags.count("h3") == 1


@TABLE
def test_what_explains_a_call(text: str) -> None:
    told = story(text)
    part = explain(told.graph, "2" * 32)
    for out in (svg(told, part), page(told, part), graphml(told, part)):
        assert acting(out) == []
    assert ElementTree.fromstring(svg(told, part)).tag.endswith("svg")


@TABLE
def test_graphml(text: str) -> None:
    out = graphml(story(text))
    assert acting(out) == []
    root = ElementTree.fromstring(out)
    # Two intents and four calls; a field, a call elsewhere and a field of that, or, of a tool without a name, unseen input.
    assert (len(root.findall(".//{*}node")), len(root.findall(".//{*}edge"))) == ((9, 10) if text else (7, 7))
    assert {element.tag.rpartition("}")[2] for element in root.iter()} == {"graphml", "key", "graph", "node", "edge", "data"}


@TABLE
def test_json_gives_back_what_was_put_in(text: str) -> None:
    out = json.dumps(story(text).as_dict(), ensure_ascii=True)
    assert out.isascii()
    told = json.loads(out)
    assert told["intent"] == told["calls"][0]["tool"] == told["calls"][1]["decision"]["reasons"][0]["check"] == _whole(text)
    assert told["tasks"][0]["calls"][0]["attributes"] == {_whole(text): _whole(text)}


def _whole(text: str) -> str:
    """JSON makes one character of two surrogates that belong together."""
    loaded: str = json.loads(json.dumps(text))
    return loaded


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    (folder / "keys").mkdir(mode=0o700, parents=True)
    folder.chmod(0o700)
    return folder


@TABLE
def test_the_commands_show_it_from_the_store(text: str, state: Path, capsys: Out) -> None:
    """The whole way: into the embedded store, out by `tasks`, `task`, `findings`, `graph`."""
    if text.encode("utf-8", "replace").decode() != text:
        return  # a lone surrogate is no text to the store; the tests above hold every surface against it
    told = story(text)
    store = SqliteStore(state / "licet.db")
    with contextlib.closing(store), store.transaction() as tx:
        for calls in told.calls.values():
            for call in calls:
                tx.add_call(call)
    store = SqliteStore(state / "licet.db")
    with contextlib.closing(store):
        for task in told.tasks:
            store.begin_task(task)
        for finding in told.findings:
            store.add_finding(finding)
    picture = state / "g.html"
    for command in (["tasks"], ["task", ROOT], ["findings"], ["findings", "--task", "a"], ["graph", "a", "-o", str(picture)]):
        assert main([*command, "--state", str(state)]) == 0
        out, err = capsys.readouterr()
        assert acting(out) == []
        assert acting(err) == []
    assert acting(picture.read_text(encoding="utf-8")) == []
    for command in (["tasks"], ["task", ROOT], ["findings"]):
        assert main([*command, "--json", "--state", str(state)]) == 0
        out = capsys.readouterr().out
        assert out.isascii()
        assert json.dumps(text) in out


@TABLE
def test_what_is_typed_cannot_act(text: str, state: Path, tmp_path: Path, capsys: Out) -> None:
    """A shell's completion hands on any file name; an argument may come from a script."""
    SqliteStore(state / "licet.db").close()
    for command in (
        ["task", text],
        ["task", "end", text],
        ["findings", "--task", text],
        ["graph", text, "-o", "x.svg"],
        ["replay", text],
        ["break-glass", text, "--reason", text],
    ):
        if text.startswith("-"):
            continue  # an option
        assert main([*command, *([] if command[0] == "replay" else ["--state", str(state)])]) == 2
        out, err = capsys.readouterr()
        assert acting(out) == []
        assert acting(err) == []


def test_a_picture_of_many_calls_leaves_out_what_was_allowed_first() -> None:
    calls = [CallRecord(f"{n:032x}", ROOT, n, "t", "", "", "done", Decision("allow"), "", 1.0 + n, 2.0 + n) for n in range(1, 3_000)]
    denied = Decision("deny", (Reason("scope.tool", "deny", "no"),), "deny")
    calls.append(CallRecord("f" * 32, ROOT, 3_000, "bad", "", "", "denied", denied, "", 9_000.0))
    told = Story([TaskRecord(ROOT, "k", "a", "p", "i", "", 1.0, 60.0)], {ROOT: calls})
    out = svg(told)
    assert "2001 calls are not drawn" in out
    assert out.count(">BLOCKED<") == 1
