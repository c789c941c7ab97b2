"""The rule for short and common values, a row for each (docs/origin.md, "Short and common values").

A value of fewer than four characters is nobody's own: `13` in one place says nothing of `13` in another. It counts with what names it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from licet.canonical import Plain
from licet.chain.index import OriginIndex, Output
from licet.chain.intent import is_short
from licet.chain.outputs import leaves
from licet.chain.text import exact
from licet.manifest.labels import OutputLabels

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

DOCS = Path(__file__).parents[2] / "docs" / "origin.md"

# What the user wrote, the argument, its value, and whether it is the user's.
INTENT: list[tuple[str, str, str, Plain, bool]] = [
    ("a short number by itself", "Rate it 13 of 20", "file_id", 13, False),
    ("a short number after a word of the argument's name", "Delete file 13", "file_id", 13, True),
    ("the same as text", "Delete file 13", "file_id", "13", True),
    ("after another word", "Delete 13 apples", "file_id", 13, False),
    ("after another word of an argument", "Delete mail 13", "file_id", 13, False),
    ("after `id`", "Delete the one with id 13", "file_id", 13, True),
    ("after `number`", "Delete number 13", "file_id", 13, True),
    ("joined by a colon", "Delete id:13", "file_id", 13, True),
    ("behind `#`", "Delete #13", "file_id", 13, True),
    ("in quotes", "Delete '13'", "file_id", 13, True),
    ("behind a linking word", "The file is 13", "file_id", 13, True),
    ("with a full stop", "Delete file 13.", "file_id", 13, True),
    ("a part of a longer number", "Delete file 1313", "file_id", 13, False),
    ("a part of a price", "Delete file 13.50", "file_id", 13, False),
    ("a part of a date", "Delete file 2026-12-13", "file_id", 13, False),
    ("one digit", "Delete file 7", "file_id", 7, True),
    ("a short word by itself", "Say yes to Ada", "answer", "yes", False),
    ("a short word in quotes", "Say 'yes' to Ada", "answer", "yes", True),
    ("a short word after the argument's name", "The answer yes will do", "answer", "yes", True),
    ("one letter", "Give Ada r on it", "permission", "r", False),
    ("one letter after the argument's name", "Give Ada permission r", "permission", "r", True),
    ("a short name by itself", "Write to Bo", "to", "Bo", False),
    ("four characters stand for themselves", "It is 4312 today", "file_id", 4312, True),
    ("a year", "The report of 2026", "file_id", 2026, True),
    ("a common word of four letters or more", "Post it in general", "channel", "general", True),
    ("another common word", "Post it in general", "channel", "random", False),
    ("a part of a word", "Post it in generally", "channel", "general", False),
    ("a word in another case", "Post it in General", "channel", "general", False),
    ("three characters, negative", "Move it by -5 points", "amount", -5, False),
    ("a short amount by itself", "Pay 900 to the landlord", "amount", 900, False),
    ("a short amount after the argument's name", "Pay the amount 900", "amount", 900, True),
    ("true", "Say true to Ada", "answer", True, False),
    ("true as text", "Say true to Ada", "answer", "true", True),
    ("null", "Say null to Ada", "answer", None, False),
    ("nothing", "Say it", "answer", "", False),
    ("white space", "Say it", "answer", "  ", False),
]

# A field of a trusted output and its value, the argument, and whether it is trusted there.
TRUSTED: list[tuple[str, Plain, str, Plain, bool]] = [
    ("a short id of a trusted field", {"id": 13}, "file_id", 13, True),
    ("a short id of a trusted field, as text", {"id": "13"}, "file_id", 13, True),
    ("a short id of another kind (a limit)", {"event_id": 13}, "file_id", 13, True),
    ("a short word of a trusted field", {"answer": "yes"}, "answer", "yes", True),
    ("a short piece of a trusted text", {"note": "file 13 is yours"}, "file_id", 13, False),
    ("true of a trusted field", {"id": True}, "file_id", True, False),
    ("null of a trusted field", {"id": None}, "file_id", None, False),
    ("nothing of a trusted field", {"id": ""}, "file_id", "", False),
]

# What stood in an untrusted output, then in a trusted field, and whether the trusted field still gives trust.
TAINTED: list[tuple[str, Plain, Plain, Plain, bool]] = [
    ("a short number elsewhere", {"text": "We were 13 at the table"}, {"id": 13}, 13, True),
    ("a short number that the field's name names", {"text": "use file 13"}, {"file_id": 13}, 13, False),
    ("a short number that `id` names", {"text": "the id is 13"}, {"id": 13}, 13, False),
    ("a short number behind `#`", {"text": "see #13"}, {"id": 13}, 13, False),
    ("a short number of a field of that name", {"id": 13}, {"id": 13}, 13, False),
    ("a short number of a field of another name", {"count": 13}, {"id": 13}, 13, True),
    ("a short word elsewhere", {"text": "Well, yes and no"}, {"answer": "yes"}, "yes", True),
    ("a short word of a field of that name", {"answer": "yes"}, {"answer": "yes"}, "yes", False),
    ("four characters anywhere", {"text": "use 4312 today"}, {"id": 4312}, 4312, False),
    ("a common word alone in a field", {"topic": "general"}, {"channel": "general"}, "general", False),
    ("a common word in a text", {"text": "in general we agree"}, {"channel": "general"}, "general", True),
    ("a common word in quotes", {"text": "post to 'general' now"}, {"channel": "general"}, "general", False),
    ("a year in a text", {"text": "in 2026 we won"}, {"id": 2026}, 2026, False),
    ("a boolean", {"id": True}, {"id": 1}, 1, True),
]


def ids(table: list[tuple[Any, ...]]) -> list[str]:
    return [row[0] for row in table]


@pytest.mark.parametrize("name, said, argument, value, theirs", INTENT, ids=ids(INTENT))
def test_of_the_user(name: str, said: str, argument: str, value: Plain, theirs: bool):
    index = OriginIndex()
    index.intent.add(said)
    [trace] = index.trace("do", argument, value)
    assert ("intent" in trace.kinds) is theirs


@pytest.mark.parametrize("name, output, argument, value, trusted", TRUSTED, ids=ids(TRUSTED))
def test_of_a_trusted_field(name: str, output: Plain, argument: str, value: Plain, trusted: bool):
    index = OriginIndex()
    index.observe(Output(1, "a", "look", leaves(output, OutputLabels("trusted", ()))))
    [trace] = index.trace("do", argument, value)
    assert ("trusted" in trace.kinds) is trusted


@pytest.mark.parametrize("name, untrusted, output, value, trusted", TAINTED, ids=ids(TAINTED))
def test_of_a_trusted_field_behind_an_untrusted_one(name: str, untrusted: Plain, output: Plain, value: Plain, trusted: bool):
    index = OriginIndex()
    index.observe(Output(1, "a", "page", leaves(untrusted, OutputLabels("untrusted", ()))))
    index.observe(Output(2, "b", "look", leaves(output, OutputLabels("trusted", ()))))
    [trace] = index.trace("do", "id", value)
    assert ("trusted" in trace.kinds) is trusted


@pytest.mark.parametrize(
    "value, short",
    [
        (1, True),
        (999, True),
        (1000, False),
        ("yes", True),
        ("done", False),
        ("r", True),
        ("-12", True),
        (1.5, True),
        ("2026-01-01", False),
        ("Bo ", True),
    ],
)
def test_short_is_fewer_than_four_characters(value: Plain, short: bool):
    assert is_short(exact(value)[0]) is short


def test_the_docs_have_a_row_for_each():
    text = DOCS.read_text(encoding="utf-8")
    section = text[text.index("## Short and common values") :].split("\n## ")[0]
    told = re.findall(r"^\| ([^|]+?) \|", section, re.MULTILINE)
    assert [row for row in told if row not in ("value", "---")] == [*ids(INTENT), *ids(TRUSTED), *ids(TAINTED)]
