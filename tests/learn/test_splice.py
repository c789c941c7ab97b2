"""Changing task kinds in a text keeps everything else: bytes outside, comments and meaning inside."""

from __future__ import annotations

import pytest
from ruamel.yaml.comments import CommentedMap

from licet.errors import UsageError
from licet.learn.splice import Notes, change_kinds, flow_map, in_blocks, with_tail, without_tail
from licet.manifest.yaml_reader import read

BEFORE = "licet: 1   # one\n\n# about tasks\ntasks:   # all of them\n"
AFTER = "\n\n# the end of tasks\nflows:   [ ]\n# last"

KINDS = {
    "block": "  work:\n    ttl: 5m\n    tools:\n      a: {}\n      b: {at_most: 1}\n",
    "flow": "  work: {ttl: 5m, tools: {a: {}, b: {at_most: 1}}}\n",
    "flow-over-lines-with-comments": "  work: {ttl: 5m, # soon\n         tools: {a: {}, # first\n                 b: {at_most: 1}}} # then\n",
    "comments-everywhere": "  # before\n  work: # behind\n    # above\n    ttl: 5m # of it\n\n    tools: # all\n      # a is\n      a: {} # a\n\n      # b is\n      b: # block\n        at_most: 1 # one\n      # after b\n    # after tools\n",
    "bare-grant": "  work:\n    ttl: 5m\n    tools:\n      a:\n      b: {at_most: 1}\n",
    "texts-over-lines": "  work:\n    intent: |\n      Do it # not a comment\n\n      well\n    reason: >-\n      because\n      so\n    why: plain\n      text\n    ttl: 5m\n    tools: {a: {}, b: {at_most: 1}}\n",
    "quoted-key": "  \"work\":\n    'ttl': \"5m\"\n    tools: {\"a\": {}, 'b': {at_most: 1}}\n",
    "lists-that-are-not-indented": "  work:\n    ttl: 5m\n    chain:\n    - start -> a # first\n    - a -> b\n    tools: {a: {}, b: {at_most: 1}}\n",
    "four-blanks": "    work:\n        ttl: 5m\n        tools:\n            a: {}\n            b: {at_most: 1}\n",
    "numbers-and-days": "  work:\n    ttl: 5m\n    until: 2026-10-01\n    odd: [1_000, 0o17, 0x1F, 1e3, 1.50, .5, ~, Null, TRUE, yes, 1:20, '2026-10-01']\n    tools: {a: {}, b: {at_most: 1}}\n",
    "last-line-is-a-text": "  work:\n    ttl: 5m\n    tools: {a: {}, b: {at_most: 1}}\n    intent: |\n      # looks like one\n",
}  # fmt: skip


def change(found: CommentedMap, notes: Notes) -> None:
    found["tools"].fa.set_block_style()
    for tool in found["tools"]:
        notes["tools", tool] = "3 of 4 sessions, 2026-10-01"
    if found["tools"]["b"] is None:
        found["tools"]["b"] = CommentedMap()
    found["tools"]["b"].fa.set_block_style()
    found["tools"]["b"]["arguments"] = CommentedMap({"to": flow_map({"pattern": r"[^@\s]+@acme\.example", "x": ["null", None]})})
    notes["tools", "b", "arguments", "to"] = "2 of 4 sessions; it's: {so} #"
    found["baseline"] = flow_map({"start -> a": 3})
    notes[("baseline",)] = "3 of 4 sessions; well"


def comments(text: str) -> list[str]:
    return [part.strip() for line in text.split("\n") if not line.strip().startswith(("# looks", "Do it")) for part in line.split(" #")[1:]]


@pytest.mark.parametrize("form", list(KINDS))
@pytest.mark.parametrize("others", ["", "  other: {ttl: 1m,   tools: {a: {}}} # odd   layout\n"], ids=["alone", "before-another"])
def test_a_kind_of_any_form_can_be_changed_and_nothing_else_is(form: str, others: str):
    if others and form == "four-blanks":
        others = "  " + others
    text = BEFORE + KINDS[form] + others + AFTER
    assert not read(text).refused
    out = change_kinds(text, {"work": change})
    assert out.startswith(BEFORE)
    assert out.endswith(others + AFTER)
    before, after = read(text).data, read(out).data
    expected = before["tasks"]["work"]
    expected["tools"]["b"]["arguments"] = {"to": {"pattern": r"[^@\s]+@acme\.example", "x": ["null", None]}}
    expected["baseline"] = {"start -> a": 3}
    assert after == before
    assert set(comments(text)) <= set(comments(out)) | {line.strip("# ") for line in out.split("\n")}
    assert out.count("3 of 4 sessions, 2026-10-01") == 2
    assert "2 of 4 sessions; it's: {so} #" in out


@pytest.mark.parametrize("form", list(KINDS))
def test_changing_it_again_changes_nothing_more(form: str):
    once = change_kinds(BEFORE + KINDS[form] + AFTER, {"work": change})
    assert change_kinds(once, {"work": change}) == once


def test_several_kinds_are_changed_in_one_go():
    text = BEFORE + KINDS["block"] + KINDS["flow"].replace("work", "other") + AFTER
    out = change_kinds(text, {"work": change, "other": change})
    assert all("baseline" in kind for kind in read(out).data["tasks"].values())


def test_a_manifest_on_one_line_is_brought_into_blocks_first():
    text = '{"licet": 1, "tasks": {"work": {"ttl": "5m", "tools": {"a": {}, "b": {}}}}, "flows": []}'
    out = change_kinds(in_blocks(text), {"work": change})
    assert read(out).data["tasks"]["work"]["baseline"] == {"start -> a": 3}


def test_a_kind_that_is_not_there_is_an_error():
    with pytest.raises(UsageError, match="cannot be found"):
        change_kinds(BEFORE + KINDS["block"] + AFTER, {"nothing": change})


def test_a_change_of_meaning_in_passing_is_an_error(monkeypatch: pytest.MonkeyPatch):
    """If what is written would read as something else, it is not written."""
    monkeypatch.setattr("licet.learn.splice._with_comments_of", lambda before, after, kind: after.replace("5m", "9m"))
    with pytest.raises(UsageError, match="without changing its meaning"):
        change_kinds(BEFORE + KINDS["block"] + AFTER, {"work": change})


def test_the_tail_is_put_and_taken_away_whole():
    said = ["", "kind: 3 sessions\nb: c", "- `x\u2028y`"]
    text = "a: 1\n# mine\n"
    assert without_tail(with_tail(text, said)) == text
    assert read(with_tail(text, said)).data == {"a": 1}
    assert all(line.startswith(("a", "#")) or not line for line in with_tail(text, said).splitlines())


def test_what_somebody_wrote_behind_the_tail_is_kept():
    text = with_tail("a: 1\n", ["x"]) + "b: 2\n"
    assert without_tail(text) == text


# What an earlier time has said ---------------------------------------------------------------------------------------------


def noting(**said: str):
    """A change that adds nothing and says this of the tools."""

    def change(found: CommentedMap, notes: Notes) -> None:
        for tool, note in said.items():
            notes["tools", tool] = note

    return change


LEARNED = """\
tasks:
  work:
    ttl: 5m
    tools:
      a: {}  # NEW: 20 of 20 sessions
      b:  # 18 of 20 sessions, 2026-10-01
        arguments:
          to: {enum: [x]}  # 18 of 20 sessions; no other value than this
        at_most: 2  # 18 of 20 sessions: 1 call at most in one
    budgets:  # 18 of 20 sessions: 1 different `to` of `b` at most in one
      - {distinct: to, of: b, at_most: 2}
"""


def test_a_line_that_stays_goes_on_saying_on_what_it_rests():
    out = change_kinds(LEARNED, {"work": noting(a="30 of 30 sessions", b="25 of 30 sessions")})
    assert out == LEARNED.replace("NEW: 20 of 20", "NEW: 30 of 30").replace("18 of 20 sessions, 2026-10-01", "25 of 30 sessions")
    assert change_kinds(out, {"work": noting(a="30 of 30 sessions", b="25 of 30 sessions")}) == out


def test_why_an_argument_is_ruled_is_kept_beside_newer_counts():
    def again(found: CommentedMap, notes: Notes) -> None:
        notes["tools", "b", "arguments", "to"] = "25 of 30 sessions"

    once = change_kinds(LEARNED, {"work": again})
    assert "to: {enum: [x]}  # 25 of 30 sessions; kept: no other value than this\n" in once
    assert change_kinds(once, {"work": again}) == once


def test_of_a_line_that_was_changed_nothing_old_is_said():
    def other(found: CommentedMap, notes: Notes) -> None:
        found["tools"]["b"]["at_most"] = 9

    assert "at_most: 9\n" in change_kinds(LEARNED, {"work": other})


@pytest.mark.parametrize(
    "now, said", [("3 of 9 sessions", "NEW: 3 of 9 sessions"), ("rare: 1 of 9 sessions", "NEW, rare: 1 of 9 sessions")]
)
def test_what_is_new_is_so_until_somebody_has_taken_it_over(now: str, said: str):
    out = change_kinds(LEARNED, {"work": noting(a=now)})
    assert f"a: {{}}  # {said}\n" in out
    assert change_kinds(out, {"work": noting(a=now)}) == out
    assert f"a: {{}}  # {now}\n" in change_kinds(out, {"work": noting(a=now)}, ratified=True)


COMMENTED = """\
tasks:
  work:
    ttl: 5m
    tools:
      a: {}
      # above b
      b: {} # behind b
      # above c
      c: {} # behind c
"""


@pytest.mark.parametrize("gone", ["a", "b", "c"])
def test_a_comment_on_what_was_taken_out_says_so_and_none_changes_its_place(gone: str):
    def without(found: CommentedMap, notes: Notes) -> None:
        del found["tools"][gone]

    out = change_kinds(COMMENTED, {"work": without})
    for tool in {"b", "c"} - {gone}:
        assert f"      # above {tool}\n      {tool}: {{}} # behind {tool}\n" in out
    for said in ("above", "behind") if gone != "a" else ():
        assert f"# {gone} (taken out): {said} {gone}\n" in out


def test_a_kind_of_many_tools_is_read_no_more_often_than_one_of_few(monkeypatch: pytest.MonkeyPatch):
    """Each reading takes as long as the kind is, so that reading once a tool takes the square of it."""
    from licet.learn import splice

    counts = []
    for number in (3, 60):
        tools = "".join(f"      t{n}: {{arguments: {{to: {{pattern: a+}}}}}}\n" for n in range(number))
        calls: list[str] = []
        monkeypatch.setattr(splice, "read", lambda text, calls=calls: calls.append(text) or read(text))

        def each(found: CommentedMap, notes: Notes) -> None:
            for tool in found["tools"]:
                splice.plain(found["tools"][tool])
                notes["tools", tool] = "1 of 2 sessions"

        change_kinds(f"tasks:\n  work:\n    ttl: 5m\n    tools:\n{tools}", {"work": each})
        counts.append(len(calls))
    assert counts[0] == counts[1]
