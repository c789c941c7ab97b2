"""Pictures of chain graphs are read: nothing overlaps, labels stand in words and colours, why a call was stopped stands out."""

from __future__ import annotations

import random
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from licet.chain import explain
from licet.manifest import loads
from licet.records import CallRecord, Decision, Reason, TaskRecord, Used
from licet.report import Story, svg, trace
from licet.report.svg import LABELS

MANIFEST = loads("""\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work]}}
tools:
  read: {access: read, egress: false, arguments: {number: {}}}
  keep: {access: write, egress: false, store: notes, arguments: {text: {}}}
  recall: {access: read, egress: false, store: notes}
  mail: {access: write, egress: true, arguments: {to: {}, body: {}}}
tasks:
  work: {intent: Work, ttl: 10m, tools: {read: {}, keep: {}, recall: {}, mail: {}}}
""")
FIELDS = ["$", "id", "comments[].text", "customer.email", "a.very.long.path.of.an.output[].that.goes.on.and.on.and.on", "名前" * 20]
NS = "{http://www.w3.org/2000/svg}"


def story(calls: int, seed: int = 1) -> Story:
    """A task of so many calls with two sub-tasks, values that go from any earlier call to any later one, and denials."""
    dice = random.Random(seed)
    top = TaskRecord("t" * 32, "work", "bot", "user:grace", "Answer ticket 7 and " * 12, "", 1.0, 600.0, root="t" * 32, ended=500.0)
    tasks = [top]
    for name, parent, began in (("c" * 32, "t" * 32, 12.5), ("d" * 32, "c" * 32, 14.5)):
        if calls > began:
            tasks.append(TaskRecord(name, "work", "bot", "user:grace", "Look Ada up", "", began, 600.0, parent=parent, root="t" * 32))
    made: dict[str, list[CallRecord]] = {task.id: [] for task in tasks}
    ran: list[CallRecord] = []
    for number in range(calls):
        owner = tasks[-1 if 14 < number < 18 else -2 if 12 < number < 20 else 0] if len(tasks) == 3 else top
        tool = dice.choice(["read", "read", "keep", "recall", "mail"])
        used = [Used("to", "intent")] if dice.random() < 0.5 else []
        for _ in range(dice.randint(0, 3) if ran else 0):
            maker = dice.choice(ran)
            label = dice.choice(["trusted", "counterpart", "untrusted"])
            used.append(Used(dice.choice(["to", "body"]), label, maker.id, maker.tool, dice.choice(FIELDS), dice.choice(["", "base64"])))
        used += [Used("body", "unseen")] if dice.random() < 0.1 else []
        used += [Used("body", "trusted", "gone", "read", "id")] if dice.random() < 0.05 else []
        decision, status = Decision("allow"), "done"
        if tool == "mail" and dice.random() < 0.7:
            path = ("to", "x", f"call {ran[0].seq}", ran[0].tool, "$") if ran else ("to",)
            decision, status = (
                Decision("deny", (Reason("origin.argument", "deny", "`to` came from elsewhere " * 9, path),), "deny"),
                "denied",
            )
        record = CallRecord(
            f"{number:032x}", owner.id, len(made[owner.id]) + 1, tool, "", "", status, decision, "", 2.0 + number, 2.5 + number, used=tuple(used)
        )  # fmt: skip
        made[owner.id].append(record)
        ran += [record] if status == "done" else []
    return Story(tasks, made, [], 600.0, MANIFEST)


Rect = tuple[float, float, float, float]


def boxes(root: ElementTree.Element) -> list[tuple[Rect, list[ElementTree.Element]]]:
    found = []
    for group in root.findall(f"{NS}g"):
        rect = group.find(f"{NS}rect")
        assert rect is not None
        x, y, width, height = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
        found.append(((x, y, x + width, y + height), group.findall(f"{NS}text")))
    return found


def runs_through(start: tuple[float, ...], end: tuple[float, ...], box: Rect) -> bool:
    """Whether a line enters the inside of a box; touching its edge is no entering. Lines that lean do so by a few points only."""
    (left, right), (top, bottom) = (sorted(pair) for pair in zip(start, end, strict=True))
    return left < box[2] - 1 and right > box[0] + 1 and top < box[3] - 1 and bottom > box[1] + 1


@pytest.mark.parametrize("calls,seed", [(1, 1), (10, 1), (10, 2), (60, 1), (60, 2), (60, 3)])
def test_nothing_overlaps(calls: int, seed: int) -> None:
    """Neither box and box, nor a text and what is not its box, nor a line and a box that it does not lead to."""
    told = story(calls, seed)
    parts = [None, *(explain(told.graph, call.id) for some in told.calls.values() for call in some if call.status == "denied")]
    for part in parts[:6]:
        root = ElementTree.fromstring(svg(told, part))
        found = boxes(root)
        assert len(found) == len((told.graph if part is None else part).nodes)
        for (one, texts), later in ((found[index], found[index + 1 :]) for index in range(len(found))):
            assert not [other for other, _ in later if one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]]
            places = [float(text.attrib["y"]) for text in texts]
            assert all(one[1] + 8 < y <= one[3] - 2 for y in places)
            assert all(after - before >= 15 for before, after in pairwise(places))
            for text in texts:
                room = one[2] - one[0] - 24
                # A letter of a typewriter face is 0.6 of its size; what could be wider is squeezed.
                assert "textLength" in text.attrib or len(text.text or "") * 7.2 <= room
                assert float(text.attrib.get("textLength", 0)) <= room
        bottom = max(one[3] for one, _ in found)
        loose = [float(text.attrib["y"]) for text in root.findall(f"{NS}text")]
        assert all(y - 10 > bottom for y in loose)  # the legend
        assert all(after - before >= 15 for before, after in pairwise(loose))
        height = float(root.attrib["height"])
        assert all(y + 4 < height for y in loose)
        for path in root.findall(f"{NS}path"):
            points = [tuple(map(float, point)) for point in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path.attrib["d"])]
            assert all(0 <= x <= float(root.attrib["width"]) and 0 <= y <= height for x, y in points)
            for start, end in pairwise(points):
                assert not [one for one, _ in found if runs_through(start, end, one)], path.attrib["d"]


def test_two_values_never_share_a_lane_at_one_height() -> None:
    """Lanes of values from different places (or into different stores and sinks) do not lie on each other."""
    told = story(60)
    from licet.report.layout import arrange

    ways = arrange(told).ways
    spans: dict[tuple[int, str], tuple[int, int]] = {}
    for way in ways:
        key = way.target.node.id if way.target.node.kind in ("store", "sink") else f"from {way.source.node.id}"
        low, high = min(way.start, way.end), max(way.start, way.end)
        known = spans.get((way.x, key), (low, high))
        spans[way.x, key] = (min(low, known[0]), max(high, known[1]))
    for (x, key), (low, high) in spans.items():
        others = [span for (other, name), span in spans.items() if other == x and name != key]
        assert not [span for span in others if span[0] <= high and low <= span[1]]
    assert len(spans) > 20


def test_labels_stand_in_words_and_each_has_a_colour_of_its_own() -> None:
    out = svg(story(60))
    for label in ("trusted", "counterpart", "untrusted"):
        assert f"id · {label}" in out
        assert f'stroke="{LABELS[label]}"' in out
        assert f"a value went this way: {label}" in out
    assert "model input, of no guarded call · unseen" in out
    assert len(set(LABELS.values())) == len(LABELS)


def small(*used: Used, denied: Decision | None = None) -> Story:
    task = TaskRecord("t", "work", "bot", "user:grace", "Answer", "", 1.0, 600.0, root="t")
    read = CallRecord("a", "t", 1, "read", "", "", "done", Decision("allow"), "", 2.0, 2.5)
    mail = CallRecord("b", "t", 2, "mail", "", "", "denied" if denied else "done", denied or Decision("allow"), "", 3.0, 3.5, used=used)
    return Story([task], {"t": [read, mail]}, [], 10.0, MANIFEST)


def test_a_used_edge_is_not_drawn_like_one_that_only_followed() -> None:
    out = ElementTree.fromstring(svg(small(Used("to", "trusted", "a", "read", "id"))))
    strokes = {path.attrib["stroke"] for path in out.findall(f"{NS}path") if "stroke" in path.attrib}
    assert strokes == {"#6b7280", LABELS["trusted"], "#1f2937"}


def test_why_a_call_was_stopped_is_red_from_the_call_that_returned_the_value() -> None:
    """The value on the reason's path, from the call to its field and on to the stopped call; another value of the same call is not."""
    used = (Used("to", "untrusted", "a", "read", "text"), Used("body", "trusted", "a", "read", "id"))
    stopped = Decision("deny", (Reason("origin.argument", "deny", "no", ("to", "x", "call 1", "read", "text", "untrusted")),), "deny")
    out = ElementTree.fromstring(svg(small(*used, denied=stopped)))
    paths = [path for path in out.findall(f"{NS}path") if "stroke" in path.attrib and float(path.attrib["d"].split()[1]) != 24]
    red = [path for path in paths if path.attrib["stroke"] == "#b3261e"]
    assert len(red) == 4  # out of the call, into the next, the step to the next, and to the sink that it did not reach
    assert len([path for path in paths if path.attrib["stroke"] == LABELS["trusted"]]) == 2


def test_the_trace_says_where_values_came_from() -> None:
    used = (
        Used("to", "untrusted", "a", "read", "text"),
        Used("body", "untrusted", "a", "read", "text", "", False),
        Used("cc", "intent"),
        Used("x", "unseen"),
    )
    out = trace(small(*used))
    assert (
        "`to`, part of `body` ← `text` of `read` (call 1, untrusted); `cc` ← the intent; `x` ← model input that no guarded call made (unseen)"
        in out
    )
    assert "`to` ← the output of `read` (an earlier call, trusted), found by undoing base64" in trace(
        small(Used("to", "trusted", "gone", "read", "$", "base64"))
    )
    assert "and 4 more" in trace(small(*(Used("to", "trusted", "a", "read", f"f{number}") for number in range(10))))
