"""Each section of a manifest: one change, and what is told of it, in both directions."""

from __future__ import annotations

import pytest

from licet.learn.difference import Difference, differences
from licet.manifest import Manifest, loads

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

NOW = 1795341600.0  # 2026-11-22T10:00Z
TURNED = {"widened": "narrowed", "narrowed": "widened", "changed": "changed"}
SHA, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
BASELINE = f"""
    baseline:
      sessions: 9
      under: {SHA}
      minimum: {{sessions: 5, support: 2}}
      tools: {{read: 9, mail: 4}}
      edges: {{start -> read: 9}}
      origins: {{mail: {{to: {{intent: 5}}}}}}
"""
TEXT = f"""\
licet: 1
environment: prod
owners: {{us: {{name: Us, contact: us@acme.example}}}}
agents:
  bot: {{owner: us, purpose: work, model: m-1, tasks: [answer]}}
  other: {{tasks: [lookup]}}
credentials:
  key: {{owner: us, expires: 2027-01-31, issued: 2026-01-01, rotate_every: 90d}}
tools:
  read: {{access: read, egress: false, credential: key, output: untrusted, fields: {{id: trusted}}, reveals: [secrets], store: crm}}
  mail:
    access: write
    egress: true
    definition: {SHA}
    arguments: {{to: {{origin: [intent, trusted]}}, body: {{content: true}}, size: {{}}}}
  quiet: {{access: read, egress: false, arguments: {{q: {{}}}}}}
tasks:
  answer:
    intent: Answer
    ttl: 10m
    tools:
      read: {{}}
      mail: {{arguments: {{to: {{pattern: '[a-z]+'}}}}, at_most: 2, ask: true}}
    budgets:
      - {{distinct: to, of: mail, at_most: 3}}
      - {{rate: 5, per: 1m, of: mail}}
    chain: [start -> read, read -> mail]
    checks: {{origin.content: {{then: deny}}}}{BASELINE}
  lookup: {{intent: Look, ttl: 5m, tools: {{quiet: {{}}}}}}
edges: [prod -> prod]
flows: [{{from: secrets, to: egress, unless: {{destination: [intent]}}}}]
"""

# name → what is replaced, by what, and what is told
CASES: dict[str, tuple[str, str, list[tuple[str, str]]]] = {
    "ttl": ("ttl: 10m", "ttl: 20m", [("widened", "tasks.answer.ttl")]),
    "intent": ("intent: Answer", "intent: Reply", [("changed", "tasks.answer.intent")]),
    "at-most": ("at_most: 2", "at_most: 3", [("widened", "tasks.answer.tools.mail.at_most")]),
    "no-limit": (", at_most: 2", "", [("widened", "tasks.answer.tools.mail.at_most")]),
    "ask": (", ask: true", "", [("widened", "tasks.answer.tools.mail.ask")]),
    "grant": ("      read: {}\n", "      read: {}\n      quiet: {}\n", [("widened", "tasks.answer.tools.quiet")]),
    "pattern-out": ("{to: {pattern: '[a-z]+'}}", "{to: {}}", [("widened", "tasks.answer.tools.mail.arguments.to.pattern")]),
    "rule-out": ("arguments: {to: {pattern: '[a-z]+'}}, ", "", [("widened", "tasks.answer.tools.mail.arguments.to.pattern")]),
    "origin-of-a-grant": (
        "{pattern: '[a-z]+'}", "{pattern: '[a-z]+', origin: [intent]}", [("narrowed", "tasks.answer.tools.mail.arguments.to.origin")],
    ),
    "origin-word": (
        "[intent, trusted]}, body", "[intent, trusted, counterpart]}, body", [("widened", "tools.mail.arguments.to.origin")],
    ),
    "origin-asks": (
        "{origin: [intent, trusted]}", "{origin: {from: [intent], ask: [trusted]}}", [("narrowed", "tools.mail.arguments.to.origin")],
    ),
    "origin-else": (
        "{origin: [intent, trusted]}", "{origin: {from: [intent, trusted], else: ask}}", [("widened", "tools.mail.arguments.to.origin")],
    ),
    # Out, it limits nothing but what names a party.
    "origin-out": ("to: {origin: [intent, trusted]}", "to: {}", [("widened", "tools.mail.arguments.to.origin")]),
    # In, it limits what was free, and lets pass, of what names a party, what the default did not.
    "origin-in": (
        "size: {}", "size: {origin: [intent, trusted, nowhere]}",
        [("narrowed", "tools.mail.arguments.size.origin"), ("widened", "tools.mail.arguments.size.origin")],
    ),
    "content-out": ("body: {content: true}", "body: {}", [("narrowed", "tools.mail.arguments.body.content")]),
    "content-without-effect": ("q: {}", "q: {content: true}", [("changed", "tools.quiet.arguments.q.content")]),
    "required": ("size: {}", "size: {required: true}", [("narrowed", "tools.mail.arguments.size.required")]),
    "opaque": ("size: {}", "size: {opaque: true}", [("changed", "tools.mail.arguments.size.opaque")]),
    "destination": ("size: {}", "size: {destination: true}", [("changed", "tools.mail.arguments.size.destination")]),
    # Where the tool's signature is not seen, naming an argument lets calls with it pass that were refused.
    "new-argument": (
        "size: {}}", "size: {}, more: {maxLength: 3}}",
        [("changed", "tools.mail.arguments.more"), ("narrowed", "tools.mail.arguments.more.maxLength")],
    ),
    "access": ("access: write", "access: admin", [("narrowed", "tools.mail.access")]),
    "egress": ("egress: true", "egress: false", [("widened", "tools.mail.egress")]),
    "output": ("output: untrusted", "output: trusted", [("widened", "tools.read.output")]),
    "field": ("id: trusted", "id: counterpart", [("narrowed", "tools.read.fields.id")]),
    "new-field": ("{id: trusted}", "{id: trusted, mail: counterpart}", [("widened", "tools.read.fields.mail")]),
    "field-as-the-rest": ("{id: trusted}", "{id: trusted, mail: untrusted}", []),
    "reveals": ("[secrets], store", "[secrets, names], store", [("narrowed", "tools.read.reveals")]),
    "store": (", store: crm", "", [("widened", "tools.read.store")]),
    "format": ("output: untrusted", "output: untrusted, format: json", [("changed", "tools.read.format")]),
    # Of a URL a missing `http://` and a trailing slash make no difference to an origin.
    "a URL": ("to: {origin", "to: {format: uri, origin", [("changed", "tools.mail.arguments.to.format"), ("narrowed", "tools.mail.arguments.to.type")]),
    "definition": (SHA + "\n    arguments", OTHER + "\n    arguments", [("changed", "tools.mail.definition")]),
    "unknown-arguments": ("access: write", "access: write\n    unknown_arguments: drop", [("widened", "tools.mail.unknown_arguments")]),
    "credential": (" credential: key,", "", [("widened", "tools.read.credential")]),
    "expires": ("expires: 2027-01-31", "expires: 2027-03-31", [("widened", "credentials.key.expires")]),
    "revoked": ("expires: 2027-01-31", "expires: 2027-01-31, revoked: 2026-11-01", [("narrowed", "credentials.key.revoked")]),
    "rotate": ("rotate_every: 90d", "rotate_every: 30d", [("narrowed", "credentials.key.rotate_every")]),
    "owner-of-a-credential-in-prod": ("key: {owner: us, ", "key: {", [("narrowed", "credentials.key.owner")]),
    "owner": ("other: {tasks", "other: {owner: us, tasks", [("widened", "agents.other.owner")]),
    "contact": ("us@acme.example", "we@acme.example", [("changed", "owners.us")]),
    "purpose": ("purpose: work", "purpose: play", [("changed", "agents.bot.purpose")]),
    "model": ("model: m-1", "model: m-2", [("changed", "agents.bot.model")]),
    "tasks-of-an-agent": ("tasks: [answer]}", "tasks: [answer, lookup]}", [("widened", "agents.bot.tasks")]),
    "delegation": ("tasks: [answer]}", "tasks: [answer], may_delegate_to: [other]}", [("widened", "agents.bot.may_delegate_to")]),
    "agent": ("  other: {", "  third: {tasks: [lookup]}\n  other: {", [("widened", "agents.third")]),
    "kind": ("  lookup: {", "  more: {intent: x, ttl: 1m, tools: {quiet: {}}}\n  lookup: {", [("widened", "tasks.more")]),
    "tool-without-grant": ("  quiet: {", "  loud: {access: read, egress: false}\n  quiet: {", [("changed", "tools.loud")]),
    "budget": ("at_most: 3}", "at_most: 4}", [("widened", "tasks.answer.budgets.distinct to of mail")]),
    "budget-out": (
        "      - {distinct: to, of: mail, at_most: 3}\n", "", [("widened", "tasks.answer.budgets.distinct to of mail")],
    ),
    "rate": ("rate: 5, per: 1m", "rate: 5, per: 2m", [("narrowed", "tasks.answer.budgets.rate of mail")]),
    "rate-both-ways": ("rate: 5, per: 1m", "rate: 9, per: 2m", [("changed", "tasks.answer.budgets.rate of mail")]),
    "edge": ("read -> mail]", "read -> mail, mail -> read]", [("widened", "tasks.answer.chain.mail -> read")]),
    "any-order": ("    chain: [start -> read, read -> mail]\n", "", [("widened", "tasks.answer.chain")]),
    "environments": ("edges: [prod -> prod]\n", "", [("narrowed", "edges.prod -> prod")]),
    "environment": ("access: write", "access: write\n    environment: test", [("changed", "tools.mail.environment")]),
    "flow-out": ("[{from: secrets, to: egress, unless: {destination: [intent]}}]", "[]", [("widened", "flows.secrets -> egress")]),
    "flow-then": ("[intent]}}]", "[intent]}, then: ask}]", [("widened", "flows.secrets -> egress.then")]),
    "flow-by": ("[intent]}}]", "[intent]}, by: value}]", [("widened", "flows.secrets -> egress.by")]),
    "flow-unless": ("[intent]}}]", "[intent, trusted]}}]", [("widened", "flows.secrets -> egress.unless.destination")]),
    "then": ("{then: deny}", "{then: ask}", [("widened", "tasks.answer.checks.origin.content.then")]),
    "then-of-all": (
        "edges: [", "checks: {origin.unanchored: {then: deny}}\nedges: [", [("narrowed", "checks.origin.unanchored.then")],
    ),
    # Written out, the own effect holds for `else: ask` too.
    "then-as-it-is": ("edges: [", "checks: {origin.argument: {then: deny}}\nedges: [", [("narrowed", "checks.origin.argument.then")]),
    "then-hidden": ("edges: [", "checks: {origin.content: {then: ask}}\nedges: [", [("narrowed", "checks.origin.content.then")]),
    "observe": (
        "    ttl: 10m", "    ttl: 10m\n    mode: observe\n    until: 2026-11-30\n    reason: trial",
        [("changed", "tasks.answer.reason"), ("widened", "tasks.answer.mode")],
    ),
    "observe-one-check": (
        "{then: deny}", "{then: deny, mode: observe, until: 2026-11-30, reason: trial}", [("widened", "tasks.answer.checks.origin.content.mode")],
    ),
    "observe-all": (
        "environment: prod\nowners", "environment: prod\nmode: observe\nuntil: 2026-11-30\nreason: trial\nowners",
        [("changed", "reason"), ("widened", "mode")],
    ),
    "baseline-out": (BASELINE.rstrip(), "", [("widened", "tasks.answer.baseline")]),
    "baseline-knows-a-tool": ("mail: 4}", "mail: 1}", [("narrowed", "tasks.answer.baseline.tools.mail")]),
    "baseline-counts": ("mail: 4}", "mail: 5}", [("changed", "tasks.answer.baseline")]),
    "baseline-edge": (
        "{start -> read: 9}", "{start -> read: 9, read -> mail: 4}", [("widened", "tasks.answer.baseline.edges.read -> mail")],
    ),
    "baseline-origin": (
        "{intent: 5}", "{intent: 5, counterpart read: 3}", [("widened", "tasks.answer.baseline.origins.mail.to.counterpart read")],
    ),
    "baseline-of-other-tools": ("under: " + SHA, "under: " + OTHER, [("changed", "tasks.answer.baseline.under")]),
    "baseline-still-learns": ("{sessions: 5, support", "{sessions: 50, support", [("widened", "tasks.answer.baseline.sessions")]),
    "ledger": ("edges: [", "ledger: {flush_every: 1s}\nedges: [", [("changed", "ledger.flush_every")]),
    "issuer": (
        "edges: [", ("issuers: {corp: {kind: oidc, issuer: 'https://id.acme.example', audiences: [us], proves: agent, "
        "jwks_file: keys.json}}\nedges: ["), [("widened", "issuers.corp")],
    ),
    "authority": ("edges: [", "authority: {issuer: 'https://auth.acme.example'}\nedges: [", [("widened", "authority")]),
}  # fmt: skip

UNDECIDED = {"intent", "content-without-effect", "contact", "purpose", "tool-without-grant", "baseline-counts", "ledger", "owner", "rotate"}


def both(name: str) -> tuple[Manifest, Manifest]:
    old, new, _ = CASES[name]
    assert TEXT.count(old) == 1, f"{old!r} stands {TEXT.count(old)} times in the manifest"
    return loads(TEXT, now=NOW), loads(TEXT.replace(old, new), now=NOW)


def told(found: list[Difference]) -> list[tuple[str, str]]:
    return sorted((each.way, ".".join(each.path)) for each in found)


@pytest.mark.parametrize("name", CASES)
def test_one_change_is_told_as_what_it_is(name: str):
    old, new = both(name)
    found = differences(old, new)
    assert told(found) == CASES[name][2]
    assert all(each.sentence for each in found)


@pytest.mark.parametrize("name", CASES)
def test_turned_round_it_is_the_opposite(name: str):
    old, new = both(name)
    assert told(differences(new, old)) == sorted((TURNED[way], path) for way, path in CASES[name][2])


@pytest.mark.parametrize("name", CASES)
def test_only_what_no_decision_depends_on_lets_a_change_pass_unseen(name: str):
    old, new = both(name)
    stops = any(each.stops for each in differences(old, new))
    assert stops == (name not in UNDECIDED and any(way != "narrowed" for way, _ in CASES[name][2]))


def test_a_difference_names_its_task_kind_and_its_tool():
    old, new = both("at-most")
    (found,) = differences(old, new)
    assert (found.kind, found.tool) == ("answer", "mail")
    assert found.sentence == "`mail` may be called 3 times in a task, was 2 times"


def test_where_a_rule_lets_only_counterparts_pass_trusted_is_not_simply_more():
    old, new = (
        TEXT.replace("[intent, trusted]}, body", "[intent, counterpart]}, body").replace("id: trusted", f"id: {label}")
        for label in ("counterpart", "trusted")
    )
    assert told(differences(loads(old, now=NOW), loads(new, now=NOW))) == [("changed", "tools.read.fields.id")]
