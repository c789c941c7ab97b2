"""What a manifest may say of origins, flows and checks, and what `licet check` misses in it."""

from __future__ import annotations

import re

import pytest

from licet.errors import ManifestError
from licet.manifest import loads
from licet.manifest.choices import DEFAULT, RECEIVERS
from licet.manifest.lint import check
from licet.manifest.rules import moded_parts
from licet.policy import rules as policy_rules
from manifests import NOW

# Everything was thought of: nothing to tell.
CAREFUL = """\
licet: 1
environment: prod
owners:
  support: {name: Support, contact: support@acme.example}
agents:
  bot: {owner: support, tasks: [answer]}
tools:
  read_ticket:
    access: read
    egress: false
    arguments: {id: {type: integer}}
    fields: {id: trusted, customer: counterpart, "lines[].sku": trusted}
    reveals: [customer-data]
    store: crm
  note:
    access: write
    egress: false
    arguments: {ticket: {type: integer, origin: [intent, trusted], required: true}, text: {content: true}}
    store: crm
  send_email:
    access: write
    egress: true
    arguments: {to: {origin: {from: [intent, trusted], ask: [counterpart, 'read_ticket(id in intent):$']}, required: true}, body: {content: true}}
tasks:
  answer:
    intent: Answer a ticket
    ttl: 10m
    tools: {read_ticket: {}, note: {}, send_email: {}}
flows:
  - {from: customer-data, to: egress, unless: {destination: [intent, trusted]}}
"""


def changed(old: str, new: str) -> str:
    """`CAREFUL` with one piece replaced, which must be there exactly once."""
    assert CAREFUL.count(old) == 1, old
    return CAREFUL.replace(old, new)


def problems(text: str) -> list[tuple[str, str, str, str]]:
    """Code, severity, key and sentence of each problem, with the same told twice refused."""
    _, found = check(text, name="m.yaml", now=NOW)
    assert len({(one.code, one.key, one.message) for one in found}) == len(found)
    return [(one.code, one.severity, one.key, one.sentence) for one in found]


def test_a_careful_manifest_is_told_nothing() -> None:
    """Else warnings are not read."""
    assert problems(CAREFUL) == []


def test_the_default_rule_and_the_receivers_are_those_that_the_guard_judges_by() -> None:
    """What the manifest tells of a name must be what happens at run time."""
    assert RECEIVERS == policy_rules.RECEIVERS
    assert DEFAULT == policy_rules.DEFAULT


REFUSED = [
    # An endorsement names a declared tool and an argument of it, wherever it stands.
    ("read_ticket(id in intent):$", "read_tickets(id in intent):$", "reference", "tools.send_email.arguments.to.origin", "did you mean `read_ticket`"),
    ("read_ticket(id in intent):$", "read_ticket(idd in intent):$", "reference", "tools.send_email.arguments.to.origin", "arguments of `read_ticket`; did you mean `id`"),
    ("read_ticket(id in intent):$", "all:$", "wildcard", "tools.send_email.arguments.to.origin", "would grant everything"),
    ("body: {content: true}", "body: {properties: {a: {origin: ['ghost:x']}}}", "reference", "tools.send_email.arguments.body.properties.a.origin", "`ghost` is not among the tools"),
    ("body: {content: true}", "body: {items: {properties: {a: {items: {origin: {ask: ['ghost:x']}}}}}}", "reference",
     "tools.send_email.arguments.body.items.properties.a.items.origin", "`ghost` is not among the tools"),
    ("send_email: {}}", "send_email: {arguments: {to: {origin: ['ghost:x']}}}}", "reference", "tasks.answer.tools.send_email.arguments.to.origin", "`ghost`"),
    # A flow speaks of a label that some tool reveals, and of a sink that there is.
    ("from: customer-data", "from: custmer-data", "reference", "flows.0.from", "did you mean `customer-data`"),
    ("from: customer-data", "from: all", "wildcard", "flows.0.from", "would grant everything"),
    ("to: egress,", "to: egres,", "reference", "flows.0.to", "did you mean `egress`"),
    ("to: egress,", "to: send_mail,", "reference", "flows.0.to", "did you mean `send_email`"),
    # Checks under a task kind are held against the same rules as at the top.
    ("ttl: 10m", "ttl: 10m\n    checks: {origin.argumnt: {then: ask}}", "reference", "tasks.answer.checks.origin.argumnt", "did you mean `origin.argument`"),
    ("ttl: 10m", "ttl: 10m\n    checks: {'origin.*': {then: ask}}", "wildcard", "tasks.answer.checks.origin.*", "would grant everything"),
    ("ttl: 10m", "ttl: 10m\n    checks: {guard.self: {mode: observe, until: 2026-12-01, reason: trial}}", "observe", "tasks.answer.checks.guard.self", "always enforced"),
    ("ttl: 10m", "ttl: 10m\n    checks: {chain.order: {mode: observe, until: 2027-12-01, reason: trial}}", "observe", "tasks.answer.checks.chain.order.until", "more than 30 days ahead"),
    *[
        ("ttl: 10m", f"ttl: 10m\n    checks: {{{id_}: {{then: {then}}}}}", "rule", f"tasks.answer.checks.{id_}.then", part)
        for id_, then, part in [
            ("guard.self", "deny", "not for choosing"), ("guard.undecided", "ask", "not for choosing"), ("approval.refused", "ask", "not for choosing"),
            ("approval.limit", "flag", "not for choosing"), ("scope.approval", "deny", "not for choosing"), ("scope.tool", "ask", "write `deny` or more"),
            ("scope.argument", "flag", "write `deny` or more"), ("identity.no-task", "ask", "write `deny` or more"), ("credential.expired", "flag", "write `deny` or more"),
            ("delegation.widened", "ask", "write `deny` or more"), ("flow.declared", "ask", "a declared flow has a `then:` of its own"),
        ]
    ],
]  # fmt: skip


@pytest.mark.parametrize("old,new,code,key,part", REFUSED)
def test_what_would_be_a_trap_does_not_load(old: str, new: str, code: str, key: str, part: str) -> None:
    """Each with its place, and with what to write."""
    with pytest.raises(ManifestError) as refused:
        loads(changed(old, new), now=NOW)
    assert part in str(refused.value)
    (found,) = refused.value.problems
    assert (found.code, found.key) == (code, key)
    assert found.line > 1


def test_the_same_rules_hold_at_the_top() -> None:
    """A check that may not be lowered for one task kind may not be lowered for all."""
    with pytest.raises(ManifestError, match="write `deny` or more"):
        loads(CAREFUL + "checks: {scope.tool: {then: flag}}\n", now=NOW)


@pytest.mark.parametrize(
    "old,new",
    [
        ("read_ticket(id in intent):$", "note(ticket in intent):$"),  # a tool that writes has an output too
        ("read_ticket(id in intent):$", "send_email:id"),
        ("    arguments: {id: {type: integer}}\n", ""),  # what a signature takes is not seen here
        ("to: egress,", "to: note,"),
        ("to: egress,", "to: admin,"),
        ("ttl: 10m", "ttl: 10m\n    checks: {credential.stale: {then: deny}, identity.unowned: {then: ask}, scope.tool: {then: deny}}"),
        ("ttl: 10m", "ttl: 10m\n    checks: {origin.argument: {then: ask}, flow.egress: {then: flag}, chain.order: {then: ask}}"),
        ("ttl: 10m", "ttl: 10m\n    checks: {tool.changed: {then: ask}, environment.crossing: {then: flag}, origin.content: {then: deny}}"),
    ],
)
def test_what_makes_sense_loads(old: str, new: str) -> None:
    """Raising an effect always does."""
    loads(changed(old, new), now=NOW)


def test_moded_parts_of_task_kinds_are_found() -> None:
    """Else an `observe` there would be told by nobody."""
    manifest = loads(changed("ttl: 10m", "ttl: 10m\n    checks: {chain.order: {mode: observe, until: 2026-12-01, reason: trial}}"), now=NOW)
    assert ("tasks", "answer", "checks", "chain.order") in [path for path, _ in moded_parts(manifest)]


# What is changed, and the code, key, part of the sentence of the one problem that this brings.
TOLD = [
    ("    arguments: {ticket: {type: integer, origin: [intent, trusted], required: true}, text: {content: true}}", "    arguments: {ticket: {type: integer}, text: {}}",
     ("no-origin", "tools.note", "may put anything into `ticket`, `text`")),
    ("required: true}, text: {content: true}}", "required: true}, replyTo: {}, text: {content: true}}",
     ("no-origin", "tools.note", "nothing says where `replyTo` must come from")),
    ("from: [intent, trusted], ask: [counterpart, 'read", "from: [intent, trusted, nowhere], ask: [counterpart, 'read",
     ("from-nowhere", "tools.send_email.arguments.to.origin", "the model may make up who receives")),
    ("required: true}, text: {content: true}}", "required: true}, urgent: {type: boolean, origin: [intent]}, text: {content: true}}",
     ("origin-never", "tools.note.arguments.urgent.origin", "every call with this argument is refused")),
    ("    reveals: [customer-data]\n    store: crm", "    reveals: [customer-data]\n    format: text\n    store: crm",
     ("fields-of-text", "tools.read_ticket.fields", "`lines[].sku` can never hold")),
    ("ttl: 10m", "ttl: 10m\n    checks: {origin.argument: {then: flag}}", ("lowered", "tasks.answer.checks.origin.argument.then", "only notes")),
    ("body: {content: true}}\ntasks", "body: {content: true}}\n    store: crms\ntasks", ("store-alone", "tools.send_email.store", "did you mean `crm`?")),
]  # fmt: skip


@pytest.mark.parametrize("old,new,expected", TOLD)
def test_each_gap_is_told_once_with_what_to_write(old: str, new: str, expected: tuple[str, str, str]) -> None:
    """At its place, and nothing else is told."""
    ((code, severity, key, sentence),) = problems(changed(old, new))
    assert (code, severity, key) == (expected[0], "warning", expected[1])
    assert expected[2] in sentence
    assert "; " in sentence  # what to write


@pytest.mark.parametrize(
    "old,new",
    [
        ("body: {content: true}}\ntasks", "body: {content: true}}\n    store: sent\ntasks"),  # a place of its own
        ("ticket: {type: integer, origin: [intent, trusted]", "ticket: {type: integer, origin: [intent, trusted, nowhere]"),  # names nobody
    ],
)
def test_what_may_well_be_meant_is_not_told(old: str, new: str) -> None:
    """A warning that nobody can meet is not read."""
    assert problems(changed(old, new)) == []


def test_a_tool_that_says_nothing_of_its_output_is_named_only_where_trusted_values_are_needed() -> None:
    """All that it returns counts as anybody's; where nobody needs more, that is well."""
    silent = CAREFUL.replace('    fields: {id: trusted, customer: counterpart, "lines[].sku": trusted}\n    reveals: [customer-data]\n', "")
    silent = silent.partition("flows:")[0].replace(", ask: [counterpart, 'read_ticket(id in intent):$']", "")
    ((code, severity, key, sentence),) = problems(silent)
    assert (code, severity, key) == ("unlabelled", "warning", "tools.read_ticket")
    assert "`note` takes only what is trusted" in sentence
    assert (
        problems(silent.replace("from: [intent, trusted]", "from: [intent]").replace("origin: [intent, trusted]", "origin: [intent]")) == []
    )
    assert problems(silent.replace("    access: read\n", "    access: read\n    output: untrusted\n")) == []


def test_a_stranger_may_receive_and_nobody_says_what_is_revealed() -> None:
    """`reveals: []` says it too."""
    text = CAREFUL.partition("flows:")[0].replace(
        "from: [intent, trusted], ask: [counterpart,", "from: [intent, trusted, counterpart], ask: ["
    )
    silent = text.replace("    reveals: [customer-data]\n", "")
    assert problems(text) == []
    ((code, _, key, sentence),) = problems(silent)
    assert (code, key) == ("unrevealed", "tasks.answer.tools.send_email")
    assert "`read_ticket`" in sentence
    assert problems(text.replace("[customer-data]", "[]")) == []


def test_an_egress_tool_without_a_receiver_is_told_once_something_is_revealed() -> None:
    """It is refused then; a destination, or one service as audience, settles it."""
    text = CAREFUL.replace("{to: {origin: {", "{whom: {origin: {")
    ((code, _, key, sentence),) = problems(text)
    assert (code, key) == ("no-receiver", "tools.send_email")
    assert "`customer-data`" in sentence
    assert problems(text.replace("{whom: {origin", "{whom: {destination: true, origin")) == []
    assert problems(text.replace("    egress: true\n", "    egress: true\n    audience: https://mail.acme.example\n")) == []
    assert problems(text.partition("flows:")[0].replace("    reveals: [customer-data]\n", "    reveals: []\n")) == []


LAUNDERING = CAREFUL.partition("flows:")[0].replace("  note:\n", "  add_ticket_note:\n").replace(" note: {}", " add_ticket_note: {}")


def test_a_place_that_only_one_of_two_tools_names_is_an_error() -> None:
    """Store memory cannot break what is not named; the sentence says what shows that they share a place."""
    assert problems(LAUNDERING) == []
    for lacking, kept in (("read_ticket", "add_ticket_note"), ("add_ticket_note", "read_ticket")):
        text = re.sub(rf"(  {lacking}:\n(?:    .*\n)*?)    store: crm\n", r"\1", LAUNDERING)
        assert text != LAUNDERING
        found = [each for each in problems(text) if each[0] == "laundering"]
        ((_, severity, key, sentence),) = found
        assert (severity, key) == ("error", f"tools.{lacking}")
        assert f"`{kept}`" in sentence
        assert "`ticket`" in sentence


@pytest.mark.parametrize(
    "evidence,part",
    [
        ("    credential: crm\n", "both use the credential `crm`"),
        ("    audience: https://crm.acme.example\n", "both are of `https://crm.acme.example`"),
    ],
)
def test_one_credential_or_one_audience_is_evidence_enough(evidence: str, part: str) -> None:
    """Whatever the tools are called."""
    text = CAREFUL.replace("    store: crm\n", evidence) + "credentials: {crm: {owner: support}}\n"
    assert part in " ".join(sentence for code, *_, sentence in problems(text) if code == "laundering")


@pytest.mark.parametrize("one,other", [("crm", "crm"), ("crm", "notes")])
def test_the_owner_breaks_the_path_by_naming_the_places(one: str, other: str) -> None:
    """One place, which is then remembered, or two different ones."""
    text = LAUNDERING.replace("    store: crm\n", f"    store: {one}\n", 1).replace(
        "true}}\n    store: crm\n", f"true}}}}\n    store: {other}\n"
    )
    assert "laundering" not in [code for code, *_ in problems(text)]


def test_nothing_is_laundered_where_nothing_free_is_written_or_nothing_trusted_taken() -> None:
    """The path needs all of its links."""
    bare = LAUNDERING.replace("    store: crm\n", "")
    assert "laundering" in [code for code, *_ in problems(bare)]
    no_free_text = bare.replace(", text: {content: true}", "")
    no_trusted_field = bare.replace('{id: trusted, customer: counterpart, "lines[].sku": trusted}', "{customer: counterpart}")
    nobody_takes = bare.replace("[intent, trusted]", "[intent]")
    for text in (no_free_text, no_trusted_field, nobody_takes):
        assert text != bare
        assert "laundering" not in [code for code, *_ in problems(text)]


@pytest.mark.parametrize(
    "old,new,fix",
    [
        ("to: egress,", "to: egress, thn: deny,", "did you mean `then`?"),
        ("unless: {destination:", "unless: {destnation:", "did you mean `destination`?"),
        ("ttl: 10m", "ttl: 10m\n    checks: {origin.argument: {thn: ask}}", "did you mean `then`?"),
    ],
)
def test_a_typing_error_is_told_with_what_was_meant(old: str, new: str, fix: str) -> None:
    """In flows, and in the checks of a task kind, too."""
    with pytest.raises(ManifestError) as refused:
        loads(changed(old, new), now=NOW)
    assert fix in [problem.fix for problem in refused.value.problems]
