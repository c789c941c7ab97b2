"""What `reach` says that a fully hijacked agent could do, and that the guard judges no call more loosely than it says."""

from __future__ import annotations

import networkx as nx
import pytest

from licet import Denied, Guard
from licet.errors import UsageError
from licet.manifest import Manifest, loads
from licet.manifest.choices import LEVELS
from licet.manifest.influence import ATTACKER, influence
from licet.manifest.reach import Leak, Reach, Reached, reach
from manifests import NOW

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

HEAD = """\
licet: 1
environment: prod
owners:
  o: {name: O, contact: o@acme.example}
agents:
  bot: {owner: o, tasks: [work], may_delegate_to: [second]}
  second: {owner: o, tasks: [work], may_delegate_to: [third]}
  third: {owner: o, tasks: [other]}
"""
TAIL = "  other: {intent: Other, ttl: 1m, tools: {read: {}}}\n"
READ = "read: {access: read, egress: false, fields: {id: trusted, sender: counterpart, body: untrusted}, reveals: [secret]}"


def world(tools: str, task: str = "", grants: str = "", more: str = "") -> Manifest:
    """A manifest of one task kind, `work`, that grants `read` and `act` (or `grants`)."""
    granted = grants or "{read: {}, act: {}}"
    text = f"{HEAD}tools:\n  {READ}\n{tools}tasks:\n  work:\n    intent: Work\n    ttl: 1m\n    tools: {granted}\n{task}{TAIL}{more}"
    return loads(text, now=NOW)


def act(arguments: str, more: str = "access: write, egress: false") -> str:
    return f"  act: {{{more}, arguments: {arguments}}}\n"


def effect(manifest: Manifest, tool: str = "act") -> Reached:
    return next(each for each in reach(manifest, "work").effects if each.tool == tool)


def leak(manifest: Manifest, tool: str = "act") -> Leak:
    return next(each for each in reach(manifest, "work").leaks if each.tool == tool)


# What is said of the one argument, how it can then be chosen, and the calls to there.
CHOICES = [
    ("{}", "free", ("act",)),
    ("{content: true}", "free", ("act",)),
    ("{type: string}", "free", ("act",)),
    ("{opaque: true}", "free", ("act",)),
    ("{origin: [intent, nowhere]}", "free", ("act",)),
    ("{origin: ['read:body']}", "free", ("read", "act")),
    ("{origin: ['read:$']}", "free", ("read", "act")),
    ("{origin: ['read(id in intent):body']}", "endorsed", ("read", "act")),
    ("{origin: ['read:id']}", "trusted", ("read", "act")),
    ("{origin: [counterpart]}", "counterpart", ("read", "act")),
    ("{origin: [trusted, counterpart]}", "counterpart", ("read", "act")),
    ("{origin: [intent, trusted]}", "trusted", ("read", "act")),
    ("{origin: {from: [intent], ask: [trusted]}}", "person", ("read", "act")),
    ("{origin: {from: [intent], ask: [nowhere]}}", "person", ("act",)),
    ("{origin: {from: [intent], else: ask}}", "person", ("act",)),
    ("{origin: [intent]}", "intent", ("act",)),
    ("{enum: [a, b]}", "declared", ("act",)),
    ("{const: a}", "declared", ("act",)),
    ("{type: boolean}", "declared", ("act",)),
    ("{pattern: '[a-z]{3}'}", "declared", ("act",)),
    ("{pattern: '[a-z]{3}', origin: [trusted]}", "trusted", ("read", "act")),
    ("{type: boolean, origin: [intent]}", "never", ()),
    ("{type: boolean, origin: [nowhere]}", "declared", ("act",)),
    ("{format: email}", "trusted", ("read", "act")),  # every value is an address, of which the default rule speaks
    ("{properties: {a: {origin: [intent]}}}", "intent", ("act",)),
    ("{items: {origin: [intent, trusted]}}", "trusted", ("read", "act")),
]


@pytest.mark.parametrize("rule,level,path", CHOICES)
def test_how_one_argument_can_be_chosen(rule: str, level: str, path: tuple[str, ...]) -> None:
    """By what the manifest says of it, with the fewest calls to there."""
    found = effect(world(act(f"{{x: {rule}}}")))
    assert (found.level, found.path) == (level, path)


def test_an_argument_that_is_not_declared_counts_as_free() -> None:
    """Nobody says anything of it."""
    assert effect(world("  act: {access: write, egress: false}\n")).level == "free"


def test_what_a_part_of_an_argument_may_be_is_told_apart() -> None:
    """The part without a rule is nobody's."""
    found = effect(world(act("{x: {properties: {to: {origin: [intent]}, note: {}}}}")))
    assert {each.argument: each.level for each in found.arguments} == {"x.to": "intent", "x.note": "free"}


def test_a_trusted_value_that_no_granted_tool_yields_is_the_users_alone() -> None:
    """Then only the intent can."""
    manifest = world(act("{x: {origin: [intent, trusted]}}"), grants="{act: {}}")
    assert (effect(manifest).level, effect(manifest).path) == ("intent", ("act",))


def test_what_a_call_requires_bounds_its_other_arguments() -> None:
    """Free text goes only where the required recipient lets it go; a recipient that may be left out bounds nothing."""
    needed = effect(world(act("{to: {origin: [intent], required: true}, text: {content: true}}")))
    assert {each.argument: (each.level, each.call) for each in needed.arguments} == {"to": ("intent", "intent"), "text": ("free", "intent")}
    assert needed.level == "intent"
    assert effect(world(act("{to: {origin: [intent]}, text: {content: true}}"))).level == "free"
    assert effect(world(act("{loud: {type: boolean, required: true}, text: {content: true}}"))).level == "free"


def test_tool_and_grant_must_both_agree() -> None:
    """The stricter of the two decides, source by source."""
    grants = "{read: {}, act: {arguments: {x: {origin: [intent, counterpart]}}}}"
    assert effect(world(act("{x: {origin: [intent, trusted]}}"), grants=grants)).level == "intent"
    assert effect(world(act("{x: {origin: {from: [intent], ask: [counterpart]}}}"), grants=grants)).level == "person"


@pytest.mark.parametrize(
    "grants,more,tool,level",
    [
        ("{read: {}, act: {ask: true}}", "", "access: write, egress: false", "person"),
        ("{read: {}, act: {}}", "", "access: write, egress: false, environment: lab", "never"),
        ("{read: {}, act: {}}", "edges: [prod -> lab]\n", "access: write, egress: false, environment: lab", "free"),
        ("{read: {}, act: {}}", "", "access: admin, egress: false", "never"),  # in prod, for a principal of whom only a name is known
        (
            "{read: {}, act: {}}",
            "checks: {environment.crossing: {then: ask}}\n",
            "access: write, egress: false, environment: lab",
            "person",
        ),
    ],
)
def test_what_stands_before_every_call(grants: str, more: str, tool: str, level: str) -> None:
    """A person, an environment, an admin tool in production."""
    assert effect(world(act("{x: {}}", tool), grants=grants, more=more)).level == level


def test_an_effect_of_a_check_that_is_lowered_counts() -> None:
    """What only asks, or only notes, stops less."""
    tools = act("{x: {origin: [intent]}}")
    assert effect(world(tools, "    checks: {origin.argument: {then: ask}}\n")).level == "person"
    assert effect(world(tools, "    checks: {origin.argument: {then: flag}}\n")).level == "free"


def test_what_is_observed_stops_nothing_until_it_ends() -> None:
    """While `scope.tool` is only observed, whatever is declared runs."""
    manifest = world(act("{x: {origin: [intent]}}"), "    mode: observe\n    until: 2026-12-01\n    reason: trial\n", grants="{read: {}}")
    trial = reach(manifest, "work", now=NOW)
    assert [(each.tool, each.level) for each in trial.effects] == [("act", "free")]
    assert "scope.tool" in trial.not_enforced
    after = reach(manifest, "work", now=NOW + 60 * 86_400)
    assert (after.effects, after.not_enforced) == ((), ())
    assert reach(manifest, "work").effects == trial.effects  # without a moment, nothing that may be observed is counted on


CHAINED = "  step: {access: write, egress: false, arguments: {k: {origin: [intent, trusted], required: true}}}\n" + act(
    "{x: {origin: [intent, trusted]}}"
)


@pytest.mark.parametrize(
    "chain,level,path",
    [
        ("start -> read, read -> act", "trusted", ("read", "act")),
        ("start -> read, read -> step, step -> act", "trusted", ("read", "step", "act")),
        ("start -> step, step -> act, act -> read", "intent", ("step", "act")),  # nothing can be read before
        ("start -> act, act -> read, read -> act", "trusted", ("act", "read", "act")),
        ("start -> read, read -> step", "never", ()),  # no edge leads there
    ],
)
def test_the_path_follows_the_chain(chain: str, level: str, path: tuple[str, ...]) -> None:
    """What must come between comes between, with what it needs itself."""
    manifest = world(CHAINED, f"    chain: [{chain}]\n", "{read: {}, step: {}, act: {}}")
    found = effect(manifest)
    assert (found.level, found.path) == (level, path)


def test_reads_come_before_writes_and_names_decide_the_rest() -> None:
    """Of paths of one length the one that changes least."""
    tools = "  a_write: {access: write, egress: false, output: trusted}\n  z_read: {access: read, egress: false, output: trusted}\n"
    manifest = world(tools + act("{x: {origin: [trusted]}}"), grants="{a_write: {}, z_read: {}, act: {}}")
    assert effect(manifest).path == ("z_read", "act")


def test_what_must_be_read_may_need_reading_itself() -> None:
    """Needs of needs are met in order."""
    tools = "  detail: {access: read, egress: false, output: trusted, arguments: {key: {origin: [trusted], required: true}}}\n"
    manifest = world(tools + act("{x: {origin: ['detail:$']}}"), grants="{read: {}, detail: {}, act: {}}")
    assert effect(manifest).path == ("read", "detail", "act")


def test_budgets_bound_what_is_reached() -> None:
    """In words, and a budget of none is a wall."""
    task = "    budgets:\n      - {of: act, at_most: 3}\n      - {sum: x, of: [act, read], at_most: 10}\n      - {distinct: x, of: act, at_most: 2}\n      - {rate: 5, per: 1m, of: act}\n"
    found = effect(world(act("{x: {}}"), task, "{read: {}, act: {at_most: 1}}"))
    assert found.bounds == (
        "at most 1 call",
        "at most 3 calls",
        "sum of x at most 10 of act, read",
        "at most 2 different x",
        "5 calls in 60 s",
    )
    assert effect(world(act("{x: {}}"), "    budgets: [{of: act, at_most: 0}]\n")).level == "never"


EGRESS = "access: write, egress: true"
# What is said of the receiver, of flows, and how far what `read` reveals can go.
LEAKS = [
    ("{to: {origin: [intent, nowhere]}, body: {content: true}}", "", "intent"),  # the flow lets no made-up receiver have it
    ("{to: {origin: [intent, trusted]}, body: {content: true}}", "", "trusted"),
    ("{to: {origin: [intent]}, body: {content: true}}", "", "intent"),
    ("{to: {origin: [intent, counterpart]}, body: {content: true}}", "", "counterpart"),
    ("{to: {origin: {from: [intent], ask: [counterpart]}}, body: {content: true}}", "", "person"),
    ("{to: {origin: ['read:body']}, body: {content: true}}", "", "free"),  # the owner endorsed what anybody writes
    ("{to: {format: email}, body: {content: true}}", "", "trusted"),
    ("{to: {}, body: {content: true}}", "", "counterpart"),  # a stranger's handle looks like no address, of which the default rule speaks
    ("{body: {content: true}}", "", "never"),  # no argument names who receives
    ("{whom: {destination: true, origin: [intent]}, body: {content: true}}", "", "intent"),
    ("{to: {destination: false}, body: {content: true}}", "", "never"),
    ("{to: {origin: [intent, trusted]}, body: {content: true}}", "flows: [{from: secret, to: egress}]\n", "never"),
    ("{to: {origin: [intent, trusted]}, body: {content: true}}", "flows: [{from: secret, to: act, unless: {destination: [intent]}}]\n", "intent"),
    ("{to: {origin: [intent, trusted]}, body: {content: true}}", "flows: [{from: secret, to: write, then: ask}]\n", "person"),
    ("{to: {origin: [intent, trusted]}, body: {content: true}}", "flows: [{from: secret, to: admin}]\n", "trusted"),
    ("{to: {origin: [intent, trusted]}, body: {content: true}}", "flows: [{from: secret, to: egress, by: value}]\n", "trusted"),  # a paraphrase has no value
    ("{to: {origin: [intent, nowhere]}, body: {content: true}}", "checks: {flow.egress: {then: flag}}\n", "free"),
    ("{to: {origin: [intent, nowhere]}, body: {content: true}}", "checks: {flow.egress: {then: ask}}\n", "person"),
    ("{to: {origin: [intent]}}", "", "never"),  # nothing can carry it
]  # fmt: skip


@pytest.mark.parametrize("arguments,more,level", LEAKS)
def test_how_far_what_is_revealed_can_go(arguments: str, more: str, level: str) -> None:
    """After the call that reveals it, by whoever the flows let receive."""
    found = leak(world(act(arguments, EGRESS), more=more))
    assert found.level == level
    assert found.path == (() if level == "never" else ("read", "act"))


def test_a_tool_of_one_service_lets_out_to_that_service() -> None:
    """Which the manifest names."""
    found = leak(world(act("{body: {content: true}}", f"{EGRESS}, audience: 'https://crm.acme.example'")))
    assert (found.level, found.receiver) == ("declared", "to https://crm.acme.example")


def test_delegation_adds_nothing_and_is_named() -> None:
    """A sub-task has at most what its parent has, through however many agents."""
    found = reach(world(act("{x: {}}")), "work", "bot")
    assert found.agents == ("bot",)
    assert found.delegates == ("second", "third")
    alone = reach(world(act("{x: {}}")), "work", "second")
    assert found.effects == alone.effects


def test_an_agent_of_another_environment_reaches_less() -> None:
    """Without `agent`, the one that reaches most counts."""
    manifest = loads(world(act("{x: {}}"))._source and _lab_agent(), now=NOW)
    assert reach(manifest, "work", "bot").level == "free"
    assert reach(manifest, "work", "second").level == "never"
    assert reach(manifest, "work").level == "free"


def _lab_agent() -> str:
    head = HEAD.replace("second: {owner: o,", "second: {owner: o, environment: lab,")
    return f"{head}tools:\n  {READ}\n{act('{x: {}}')}tasks:\n  work:\n    intent: Work\n    ttl: 1m\n    tools: {{read: {{}}, act: {{}}}}\n{TAIL}"


@pytest.mark.parametrize(
    "kind,agent,part",
    [("ghost", None, "declared: work, other"), ("work", "third", "those that may: bot, second"), ("work", "ghost", "may not")],
)
def test_what_is_not_there_cannot_be_walked(kind: str, agent: str | None, part: str) -> None:
    """And the sentence says what there is."""
    with pytest.raises(UsageError, match=part):
        reach(world(act("{x: {}}")), kind, agent)


STORED = """\
  save_page: {access: write, egress: false, arguments: {text: {content: true}}STORE1}
  list_pages: {access: read, egress: false, fields: {"[].link": trusted}STORE2}
"""


def stored(one: str, other: str, grants: str = "{read: {}, save_page: {}, list_pages: {}, act: {}}") -> Reach:
    tools = STORED.replace("STORE1", one).replace("STORE2", other) + act("{x: {origin: [trusted]}}")
    return reach(world(tools, grants=grants), "work")


@pytest.mark.parametrize(
    "one,other,state",
    [
        (", store: wiki", ", store: wiki", "remembered"),
        (", store: wiki", ", store: shop", None),
        (", store: wiki", "", "open"),
        ("", ", store: wiki", "open"),
        ("", "", "open"),
        (", environment: lab", "", None),
    ],
)
def test_laundering_paths_and_what_breaks_them(one: str, other: str, state: str | None) -> None:
    """A shared noun is evidence; one store is remembered; different stores, or environments, are different places."""
    found = [each for each in stored(one, other).launderings if (each.writer, each.reader) == ("save_page", "list_pages")]
    assert [each.state for each in found] == ([state] if state else [])
    if found:
        assert str(found[0]) == "save_page(text) -> list_pages:[].link -> act(x)"


def test_who_wrote_may_have_written_in_another_task() -> None:
    """Places outlive tasks, so that a writer need not be granted here; the reader must be."""
    found = stored("", "", "{list_pages: {}, act: {}}")
    assert ("save_page", "list_pages") in [(each.writer, each.reader) for each in found.launderings]
    assert stored("", "", "{save_page: {}, act: {}}").launderings == ()


def test_each_laundering_path_is_a_path_of_the_graph() -> None:
    """From the attacker through the store to the field, and on to the argument that takes it."""
    tools = STORED.replace("STORE1", ", store: wiki").replace("STORE2", ", store: wiki") + act("{x: {origin: [trusted]}}")
    manifest = world(tools, grants="{save_page: {}, list_pages: {}, act: {}}")
    graph = influence(manifest, reach(manifest, "work"))
    assert nx.shortest_path(graph, ATTACKER, "field:list_pages:[].link") == [
        ATTACKER, "argument:save_page(text)", "store:wiki", "field:list_pages:[].link",
    ]  # fmt: skip
    assert nx.has_path(graph, "field:list_pages:[].link", "effect:act")
    assert {data["kind"] for _, data in graph.nodes(data=True)} >= {"attacker", "tool", "argument", "field", "store", "effect"}


def test_worst_comes_first() -> None:
    """By level, then by the fewest calls."""
    tools = act("{x: {origin: [intent]}}") + "  wipe: {access: write, egress: false, arguments: {y: {}}}\n"
    tools += "  move: {access: write, egress: false, arguments: {y: {origin: [trusted]}}}\n"
    found = reach(world(tools, grants="{read: {}, act: {}, wipe: {}, move: {}}"), "work")
    assert [each.tool for each in found.effects] == ["wipe", "move", "act"]
    assert found.level == "free"
    ranks = [LEVELS.index(each.level) for each in found.effects]
    assert ranks == sorted(ranks)


def test_many_tools_are_walked_in_bounds() -> None:
    """A chain over sixty tools, each of which needs another source: the states are bounded, and the effect counts as reached."""
    names = [f"t{number}" for number in range(60)]
    tools = "".join(f"  {name}: {{access: read, egress: false, output: trusted}}\n" for name in names)
    wanted = ", ".join(f"a{number}: {{origin: ['{name}:$'], required: true}}" for number, name in enumerate(names[:30]))
    grants = "{" + ", ".join(f"{name}: {{}}" for name in names) + ", act: {}}"
    found = effect(world(tools + act(f"{{{wanted}}}"), grants=grants))
    assert found.level == "trusted"
    assert found.path[-1] == "act"
    assert set(found.path) >= set(names[:30])


# The guard and `reach` must agree: whatever the guard lets pass, `reach` had listed.
@pytest.mark.parametrize(
    "rule,level", [(rule, level) for rule, level, _ in CHOICES if "opaque" not in rule and "properties" not in rule and "items" not in rule]
)
def test_the_guard_lets_pass_no_more_than_reach_says(rule: str, level: str, tmp_path) -> None:
    """A made-up word and a made-up address get through only where the argument is said to be free, or within what is declared."""
    manifest = world(act(f"{{x: {rule}}}"))
    with Guard(manifest, state=tmp_path) as guard:
        ran: list[object] = []

        def taken(x: object) -> None:
            ran.append(x)

        tool = guard.wrap(taken, name="act")
        for value in ("made-up word", "abc", "eve@evil.example", True, "a"):
            with guard.task("work", agent="bot", principal="ada@acme.example", intent="Do the work"):
                try:
                    tool(x=value)
                except Denied:
                    continue
    if level not in ("free", "declared"):
        assert ran == []
    elif "read" not in rule:  # what must be read first was not read here
        assert ran
