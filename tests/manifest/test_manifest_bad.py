"""Bad manifests: each is refused at the right place, with a sentence that helps."""

from __future__ import annotations

import pytest

from licet.errors import ManifestError
from licet.manifest import load, loads
from manifests import NOW, VALID, changed

# What is changed in the valid manifest, and where and how its first problem is told: line, column, key, code, part of the sentence.
BAD = [
    ("licet: 1\n", "", 1, 1, "licet", "missing", "this key is missing"),
    ("licet: 1\n", "licet: 2\n", 1, 1, "licet", "wrong-value", "this must be 1"),
    ("licet: 1\n", "licet: true\n", 1, 1, "licet", "wrong-value", "the version is a whole number: `licet: 1`"),
    ("licet: 1\n", "licet: '1'\n", 1, 1, "licet", "wrong-value", "the version is a whole number: `licet: 1`"),
    ("environment: prod\n", "", 1, 1, "environment", "missing", "this key is missing"),
    (
        "environment: prod\n",
        "environment: 'my env'\n",
        2,
        1,
        "environment",
        "wrong-value",
        "this is not a name that can stand here",
    ),
    ("environment: prod\n", "environment: prod\nenvironment: dev\n", 3, 1, "environment", "invalid", "this key stands here twice"),
    ("environment: prod\n", "environment: prod\nenvirontment: dev\n", 3, 1, "environtment", "unknown-key", "unknown key"),
    ("owner: support, tasks", "ownr: support, tasks", 6, 9, "agents.bot.ownr", "unknown-key", "unknown key"),
    ("owner: support, tasks", "owner: nobody, tasks", 6, 9, "agents.bot.owner", "reference", "`nobody` is not among the owners"),
    ("owner: support, tasks", "owner: [support], tasks", 6, 9, "agents.bot.owner", "wrong-type", "text must stand here"),
    ("tasks: [answer]}", "tasks: answer}", 6, 25, "agents.bot.tasks", "wrong-type", "a list must stand here"),
    ("tasks: [answer]}", "tasks: []}", 6, 3, "agents.bot", "empty", "this agent may do nothing"),
    ("tasks: [answer]}", "tasks: ['*']}", 6, 33, "agents.bot.tasks.0", "wildcard", "`*` would grant everything"),
    ("tasks: [answer]}", "tasks: [answer, clean]}", 6, 41, "agents.bot.tasks.1", "reference", "`clean` is not among the tasks"),
    (
        "tasks: [answer]}",
        "tasks: [answer], may_delegate_to: [ghost]}",
        6,
        60,
        "agents.bot.may_delegate_to.0",
        "reference",
        "`ghost` is not among the agents",
    ),
    (", contact: support@acme.example", "", 4, 3, "owners.support.contact", "missing", "this key is missing"),
    ("name: Support", "name: ''", 4, 13, "owners.support.name", "empty", "this must not be empty"),
    ("expires: 2027-01-31", "expires: 31.01.2027", 8, 25, "credentials.crm.expires", "wrong-value", "a date is written YYYY-MM-DD"),
    ("expires: 2027-01-31", "expires: 2027-02-30", 8, 25, "credentials.crm.expires", "wrong-value", "day is out of range for month"),
    (
        "expires: 2027-01-31",
        "expires: 2027-01-31, rotate_every: 3 months",
        8,
        46,
        "credentials.crm.rotate_every",
        "wrong-value",
        "a duration is a whole number and a unit: 30s, 10m, 8h",
    ),
    (
        "expires: 2027-01-31",
        "expires: 2027-01-31, rotate_every: 99999999999999d",
        8,
        46,
        "credentials.crm.rotate_every",
        "wrong-value",
        "this duration is longer than can be counted",
    ),
    ("expires: 2027-01-31", "expires: 2027-01-31, secret: hunter2", 8, 46, "credentials.crm.secret", "unknown-key", "unknown key"),
    ("access: read,", "access: reed,", 10, 17, "tools.read_ticket.access", "wrong-value", "this must be `read`, `write` or `admin`"),
    ("egress: false", "egress: no", 10, 31, "tools.read_ticket.egress", "wrong-type", "`true` or `false` must stand here (YAML 1.2 reads"),
    ("egress: false", "egress: 0", 10, 31, "tools.read_ticket.egress", "wrong-type", "`true` or `false` must stand here (YAML 1.2 reads"),
    ("credential: crm}", "credential: erp}", 10, 46, "tools.read_ticket.credential", "reference", "`erp` is not among the credentials"),
    (
        "  read_ticket: {access",
        "  'read ticket': {access",
        10,
        3,
        "tools.read ticket",
        "wrong-value",
        "this is not a name that can stand here",
    ),
    (
        "type: string}",
        "type: text}",
        14,
        22,
        "tools.send_email.arguments.to.type",
        "wrong-value",
        "this must be `string`, `number`, `integer`,",
    ),
    (
        "type: string}",
        "type: []}",
        14,
        22,
        "tools.send_email.arguments.to.type",
        "wrong-value",
        "this must be `string`, `number`, `integer`,",
    ),
    (
        "type: string}",
        "pattern: '.*'}",
        14,
        22,
        "tools.send_email.arguments.to.pattern",
        "wrong-value",
        "this pattern lets everything pass",
    ),
    (
        "type: string}",
        "pattern: '(?=a)b'}",
        14,
        22,
        "tools.send_email.arguments.to.pattern",
        "wrong-value",
        "this pattern cannot be used: it has a look-around or a back-reference",
    ),
    (
        "type: string}",
        "pattern: 'a)|(?:b'}",
        14,
        22,
        "tools.send_email.arguments.to.pattern",
        "wrong-value",
        "this pattern cannot be used: unbalanced parenthesis at character 2",
    ),
    (
        "type: string}",
        "pattern: '('}",
        14,
        22,
        "tools.send_email.arguments.to.pattern",
        "wrong-value",
        "this pattern cannot be used: missing ), unterminated subpattern at character 1",
    ),
    ("type: string}", "patern: abc}", 14, 22, "tools.send_email.arguments.to.patern", "unknown-key", "unknown key"),
    (
        "type: string}",
        "type: string, minimum: 3}",
        14,
        17,
        "tools.send_email.arguments.to",
        "wrong-value",
        "`type` leaves no room for number, of which other",
    ),
    (
        "type: string}",
        "minimum: 3, maxLength: 4}",
        14,
        17,
        "tools.send_email.arguments.to",
        "wrong-value",
        "these keywords speak of number and string",
    ),
    (
        "type: string}",
        "opaque: true, maxLength: 4}",
        14,
        17,
        "tools.send_email.arguments.to",
        "wrong-value",
        "an `opaque` argument is not looked into, so that no",
    ),
    ("type: string}", "enum: []}", 14, 22, "tools.send_email.arguments.to.enum", "empty", "this must not be empty"),
    ("type: string}", "items: {patern: a}}", 14, 30, "tools.send_email.arguments.to.items.patern", "unknown-key", "unknown key"),
    (
        "maxLength: 500",
        "maxLength: -1",
        14,
        44,
        "tools.send_email.arguments.body.maxLength",
        "wrong-value",
        "this must be at least 0",
    ),
    (
        "maxLength: 500",
        "maxLength: 5_00",
        14,
        44,
        "tools.send_email.arguments.body.maxLength",
        "wrong-type",
        "a whole number must stand here",
    ),
    ("intent: Answer a ticket\n", "intent: ''\n", 17, 5, "tasks.answer.intent", "empty", "this must not be empty"),
    ("    intent: Answer a ticket\n", "", 16, 3, "tasks.answer.intent", "missing", "this key is missing"),
    ("ttl: 10m", "ttl: 10 minutes", 18, 5, "tasks.answer.ttl", "wrong-value", "a duration is a whole number and a unit: 30s, 10m, 8h"),
    ("ttl: 10m", "ttl: 600", 18, 5, "tasks.answer.ttl", "wrong-value", "a duration is a whole number and a unit: 30s, 10m, 8h"),
    ("read_ticket: {}\n", "'*': {}\n", 20, 7, "tasks.answer.tools.*", "wildcard", "`*` would grant everything"),
    (
        "read_ticket: {}\n",
        "read_tickets: {}\n",
        20,
        7,
        "tasks.answer.tools.read_tickets",
        "reference",
        "`read_tickets` is not among the tools",
    ),
    (
        "send_email: {at_most: 1}",
        "send_email: {at_most: 0}",
        21,
        20,
        "tasks.answer.tools.send_email.at_most",
        "wrong-value",
        "this must be at least 1",
    ),
    (
        "send_email: {at_most: 1}",
        "send_email: {at_most: 1.5}",
        21,
        20,
        "tasks.answer.tools.send_email.at_most",
        "wrong-type",
        "a whole number must stand here",
    ),
    (
        "send_email: {at_most: 1}",
        "send_email: {atmost: 1}",
        21,
        20,
        "tasks.answer.tools.send_email.atmost",
        "unknown-key",
        "unknown key",
    ),
    (
        "send_email: {at_most: 1}",
        "send_email: yes",
        21,
        7,
        "tasks.answer.tools.send_email",
        "wrong-type",
        "a mapping (`key: value`) must stand here",
    ),
    (
        "send_email: {at_most: 1}",
        "send_email: {at_most: 1, arguments: {to: {opaque: true}}}",
        21,
        44,
        "tasks.answer.tools.send_email.arguments.to",
        "rule",
        "`opaque` is a fact of the tool",
    ),
    (
        "of: send_email",
        "of: sendemail",
        23,
        24,
        "tasks.answer.budgets.0.of",
        "reference",
        "`sendemail` is not among the tools of this task kind",
    ),
    ("of: send_email, at_most: 3", "of: send_email", 23, 9, "tasks.answer.budgets.0", "wrong-value", "`at_most` is missing"),
    (
        "of: send_email, at_most: 3",
        "of: send_email, at_most: many",
        23,
        40,
        "tasks.answer.budgets.0.at_most",
        "wrong-value",
        "a limit is a number",
    ),
    (
        "of: send_email, at_most: 3",
        "of: send_email, at_most: -1",
        23,
        9,
        "tasks.answer.budgets.0",
        "wrong-value",
        "a limit is a number of at least 0",
    ),
    ("of: send_email, at_most: 3", "of: [], at_most: 3", 23, 9, "tasks.answer.budgets.0", "empty", "this budget counts no tool"),
    (
        "distinct: to, of",
        "distinct: to, sum: amount, of",
        23,
        9,
        "tasks.answer.budgets.0",
        "wrong-value",
        "one budget has one kind, and this has sum and distinct",
    ),
    (
        "distinct: to, of: send_email, at_most: 3",
        "rate: 3, of: send_email",
        23,
        9,
        "tasks.answer.budgets.0",
        "wrong-value",
        "`rate` and `per` belong together: {rate: 5, per: 1m,",
    ),
    (
        "chain: [start -> read_ticket, ",
        "chain: [start -> ghost, ",
        24,
        13,
        "tasks.answer.chain.0",
        "reference",
        "`ghost` is not among the tools of this task kind",
    ),
    (
        "chain: [start -> read_ticket, ",
        "chain: [read_ticket -> start, ",
        24,
        13,
        "tasks.answer.chain.0",
        "rule",
        "`start` is where a task begins; nothing leads to it",
    ),
    (
        "chain: [start -> read_ticket, ",
        "chain: [start to read_ticket, ",
        24,
        13,
        "tasks.answer.chain.0",
        "wrong-value",
        "an edge is written `from -> to`",
    ),
    (
        "chain: [start -> read_ticket, read_ticket -> send_email]",
        "chain: []",
        24,
        5,
        "tasks.answer.chain",
        "empty",
        "a chain without edges refuses every call",
    ),
    (
        "    ttl: 10m",
        "    ttl: 10m\n    mode: observe",
        16,
        3,
        "tasks.answer",
        "wrong-value",
        "`observe` needs `until:` (a date, at most 30 days",
    ),
    (
        "    ttl: 10m",
        "    ttl: 10m\n    until: 2026-12-01",
        16,
        3,
        "tasks.answer",
        "wrong-value",
        "`until` and `reason` belong to `mode: observe`",
    ),
    (
        "    ttl: 10m",
        "    ttl: 10m\n    mode: observe\n    until: 2027-12-01\n    reason: trial",
        20,
        5,
        "tasks.answer.until",
        "observe",
        "more than 30 days ahead",
    ),
    (
        "environment: prod\n",
        "environment: prod\nedges: [dev -> prod]\n",
        3,
        9,
        "edges.0",
        "reference",
        "`dev` is not among the environments in use",
    ),
    (
        "environment: prod\n",
        "environment: prod\nchecks: {scope.tol: {}}\n",
        3,
        10,
        "checks.scope.tol",
        "reference",
        "`scope.tol` is not among the check ids",
    ),
    ("environment: prod\n", "environment: &e prod\n", 2, 14, "environment", "invalid", "an anchor (`&e`)"),
    ("environment: prod\n", "environment: !!binary aGk=\n", 2, 14, "environment", "invalid", "the tag `tag:yaml.org,2002:binary`"),
    ("environment: prod\n", "environment: prod\n1: 2\n", 3, 1, "", "invalid", "the key `1` is not text"),
    ("environment: prod\n", "environment: prod\n? [a]\n: b\n", 3, 3, "", "invalid", "a list or a mapping as a key"),
    ("environment: prod\n", "environment: prod\n<<: {a: 1}\n", 3, 1, "", "invalid", "a merge key"),
    ("environment: prod\n", 'environment: "\\ud800"\n', 2, 14, "environment", "invalid", "half of a surrogate pair, which is not text"),
    ("maxLength: 500", "maximum: 1e400", 14, 53, "tools.send_email.arguments.body.maximum", "invalid", "`1e400` is not a finite number"),
    ("maxLength: 500", "maximum: .inf", 14, 53, "tools.send_email.arguments.body.maximum", "invalid", "`.inf` is not a finite number"),
    ("    access: write", "   access: write", 13, 11, "", "invalid", "this is not YAML: mapping values are not allowed here"),
    ("environment: prod\n", "environment: prod\n---\nlicet: 1\n", 3, 1, "", "invalid", "this is not YAML: but found another document"),
    ("licet: 1\n", "%YAML 1.1\n---\nlicet: 1\n", 1, 1, "", "invalid", "a directive (`%...`) changes how the file is read"),
]

# Texts that are no manifest at all.
NO_MANIFEST = [
    ("", 1, 1, "empty"),
    ("# only a comment", 1, 1, "empty"),
    ("null", 1, 1, "a mapping"),
    ("[]", 1, 1, "a mapping"),
    ("text", 1, 1, "a mapping"),
    ("a: b\nc: \x00", 2, 4, "U+0000"),
    ("a: \ud800", 1, 4, "U+D800"),
    ("[" * 5_000, 1, 1, "nested"),
    ("a: *b", 1, 4, "alias"),
    ("{a: 1", 1, 6, "expected ','"),
    ("a: 'b", 1, 6, "end of stream"),
    ("a" * 4_000_001, 1, 1, "longer than"),
]


@pytest.mark.parametrize("old,new,line,column,key,code,part", BAD)
def test_a_bad_manifest_is_refused_at_its_place(old: str, new: str, line: int, column: int, key: str, code: str, part: str) -> None:
    """The first problem names line, column and key, says what is wrong and what to do."""
    with pytest.raises(ManifestError) as caught:
        loads(changed(old, new), name="m.yaml", now=NOW)
    first = caught.value.problems[0]
    assert (first.file, first.line, first.column, first.key, first.code) == ("m.yaml", line, column, key, code)
    assert part in first.message


@pytest.mark.parametrize(
    "old,new,sentences",
    [
        ("access: read,", "access: raed,", ["this must be `read`, `write` or `admin`; did you mean `read`?"]),
        ("licet: 1\n", "licet: 2\n", ["this must be 1"]),
        ("at_most: 1}", "at_most: one}", ["a whole number must stand here, in digits and without quotes"]),
        ("ttl: 10m", "ttl: soon", ["a duration is a whole number and a unit: 30s, 10m, 8h or 90d"]),
        ("owner: support, tasks", "owner: suport, tasks", ["`suport` is not among the owners; did you mean `support`?"]),
        ("tasks: [answer]}", "tasks: [anwser]}", ["`anwser` is not among the tasks; did you mean `answer`?"]),
        ("tasks: [answer]}", "tasks: ['*']}", ["`*` would grant everything; name each one"]),
        ("type: string}", "pattern: '" + "(" * 5_000 + "'}", ["this pattern cannot be used: it is nested too deep, or repeats too often"]),
        ("type: string}", "pattern: '[[a'}", ["this pattern cannot be used: unterminated character set at character 1"]),
        ("of: send_email", "of: '*'", ["`*` would grant everything; name each one"]),
        ("licet: 1\n", "licet: 1\nchecks: {xyz: {}}\n", ["`xyz` is not among the check ids; declared: approval.fatigue, "]),
    ],
)
def test_one_mistake_is_one_sentence_that_says_what_is_expected(old: str, new: str, sentences: list[str]) -> None:
    """With a suggestion where a name is near, and without a tail that says nothing."""
    with pytest.raises(ManifestError) as caught:
        loads(changed(old, new), now=NOW)
    told = [problem.sentence.partition("`: ")[2] for problem in caught.value.problems]
    assert len(told) == len(sentences)
    for sentence, expected in zip(told, sentences, strict=True):
        assert sentence == expected or (expected.endswith(", ") and sentence.startswith(expected[:30]) and sentence.endswith(", …"))


def test_a_problem_without_a_place_is_told_without_one() -> None:
    """`Guard.from_file("nofile")` ends a traceback with this."""
    with pytest.raises(ManifestError) as caught:
        load("nofile")
    assert str(caught.value) == "nofile: error: cannot be read: No such file or directory; check path and rights"


@pytest.mark.parametrize("text,line,column,part", NO_MANIFEST, ids=range(len(NO_MANIFEST)))
def test_what_is_no_manifest_is_refused(text: str, line: int, column: int, part: str) -> None:
    """Also where there is nothing to check, `loads` never answers with an empty list of problems."""
    with pytest.raises(ManifestError) as caught:
        loads(text, now=NOW)
    first = caught.value.problems[0]
    assert (first.line, first.column) == (line, column)
    assert part in first.message


def test_every_problem_is_told_at_once_in_the_order_of_the_file() -> None:
    """Who mends a manifest should not have to run the check once per mistake."""
    text = VALID.replace("ttl: 10m", "ttl: soon").replace("egress: false", "egress: no").replace("name: Support", "nom: Support")
    with pytest.raises(ManifestError) as caught:
        loads(text, now=NOW)
    keys = [problem.key for problem in caught.value.problems]
    assert keys == ["owners.support.name", "owners.support.nom", "tools.read_ticket.egress", "tasks.answer.ttl"]


def test_the_valid_manifest_is_valid() -> None:
    """Else the table above would prove nothing."""
    assert loads(VALID, now=NOW).tasks["answer"].tools["send_email"].at_most == 1
