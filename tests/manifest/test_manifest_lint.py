"""What `licet check` says of a manifest that loads."""

from __future__ import annotations

import pytest

from licet.manifest import loads
from licet.manifest.lint import check, lints
from manifests import NOW, VALID, changed

DEV = "environment: dev\n"

# What is changed, and the code, severity, key and part of the message of the one lint that this adds.
LINTS = [
    ("access: read, ", "", "missing-access", "error", "tools.read_ticket", "judged as `write`"),
    ("egress: false, ", "", "missing-egress", "error", "tools.read_ticket", "judged as one through which data leaves"),
    ("owner: support, tasks", "tasks", "unowned-agent", "warning", "agents.bot", "nobody owns"),
    ("owner: support, expires", "expires", "unowned-credential", "warning", "credentials.crm", "in `prod` its tools are refused"),
    ("tools:\n  read", "tools:\n  other: {access: read, egress: false}\n  read",
     "never-granted", "warning", "tools.other", "no task kind"),
    ("tasks:\n", "tasks:\n  spare: {intent: Nothing yet, ttl: 1m, tools: {read_ticket: {}}}\n",
     "no-agent", "warning", "tasks.spare", "no agent"),
    ("access: read, ", "access: write, ", "unlimited", "warning", "tasks.answer.tools.read_ticket", "`write`"),
    ("2027-01-31", "2026-11-21", "expired", "warning", "credentials.crm.expires", "2026-11-21"),
    ("2027-01-31", "2027-01-31, revoked: 2026-11-01", "revoked", "warning", "credentials.crm.revoked", "2026-11-01"),
    ("2027-01-31", "2027-01-31, rotate_every: 90d", "rotation-unknown", "warning", "credentials.crm.rotate_every", "nobody can tell"),
    ("2027-01-31", "2027-01-31, rotate_every: 90d, issued: 2026-01-01", "stale", "warning", "credentials.crm.rotate_every", "overdue"),
    ("    ttl: 10m", "    ttl: 10m\n    mode: observe\n    until: 2026-11-22\n    reason: trial", "observing", "warning", "tasks.answer.mode", "runs all the same"),
    ("    ttl: 10m", "    ttl: 10m\n    mode: observe\n    until: 2026-11-01\n    reason: trial",
     "observe-over", "warning", "tasks.answer.until", "ended"),
    ("[start -> read_ticket, read_ticket -> send_email]", "[start -> send_email]",
     "off-chain", "warning", "tasks.answer.tools.read_ticket", "always refused"),
    ("access: read, ", "access: read, reveals: [notes], record: {output: true}, ", "recorded", "warning", "tools.read_ticket.record.output", "reveals `notes`"),
    ("access: write", "access: admin", "admin-in-prod", "warning", "agents.bot", "`send_email`"),
]  # fmt: skip


def _codes(text: str) -> list[str]:
    return [rule.code for rule in lints(loads(text, now=NOW), NOW)]


@pytest.mark.parametrize("old,new,code,severity,key,part", LINTS)
def test_each_doubt_is_told_once(old: str, new: str, code: str, severity: str, key: str, part: str) -> None:
    """One change, one more lint, at its place."""
    _, problems = check(changed(old, new), name="m.yaml", now=NOW)
    (found,) = [problem for problem in problems if problem.code == code]
    # A tool that is judged as write is also told to be unlimited; that nothing says where mail may go is told of the manifest as it is.
    assert {problem.code for problem in problems} <= {code, "no-origin", *(["unlimited"] if code == "missing-access" else [])}
    assert (found.code, found.severity, found.key) == (code, severity, key)
    assert part in found.message
    assert found.line > 0
    assert found.fix


def test_an_argument_that_looks_like_a_party_is_named() -> None:
    """Where mail may go is not said, so that the sentence names the argument and what to write."""
    (rule,) = lints(loads(VALID, now=NOW), NOW)
    assert (rule.code, rule.path) == ("no-origin", ("tools", "send_email"))
    assert "`to`" in rule.message
    assert "`body`" not in rule.message
    assert "`to: {origin: [intent, trusted]}`" in rule.fix


@pytest.mark.parametrize(
    "old,new",
    [
        ("2027-01-31", "2026-11-22"),  # to the end of its last day
        ("2027-01-31", "2027-01-31, revoked: 2026-11-23"),
        ("2027-01-31", "2027-01-31, rotate_every: 90d, issued: 2026-01-01, rotated: 2026-10-01"),
        ("{to: {type: string}, body: {maxLength: 500}}", "{to: {type: string, maxLength: 9}, body: {}}"),
    ],
)
def test_what_is_well_is_not_told(old: str, new: str) -> None:
    """A lint that cries without need is switched off in the reader's head."""
    assert _codes(changed(old, new)) == ["no-origin"]


@pytest.mark.parametrize("limit", ["at_most: 2", "ask: true"])
def test_a_grant_that_counts_or_asks_is_limited(limit: str) -> None:
    """A tool without arguments can have no other limit."""
    text = changed("access: read, ", "access: write, ")
    assert "unlimited" in _codes(text)
    assert "unlimited" not in _codes(text.replace("read_ticket: {}", f"read_ticket: {{{limit}}}"))


def test_admin_outside_production_is_no_doubt() -> None:
    """The same agent in another environment."""
    text = changed("access: write", "access: admin").replace("environment: prod\n", DEV)
    assert "admin-in-prod" not in _codes(text)


def test_errors_of_loading_come_alone() -> None:
    """Lints follow references, so that they wait until these are whole."""
    _, problems = check(changed("credential: crm", "credential: erp"), name="m.yaml", now=NOW)
    assert [problem.code for problem in problems] == ["reference"]
