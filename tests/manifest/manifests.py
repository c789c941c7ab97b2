"""One small valid manifest, and how to change it."""

from __future__ import annotations

NOW = 1795341600.0  # 2026-11-22T10:00Z

VALID = """\
licet: 1
environment: prod
owners:
  support: {name: Support, contact: support@acme.example}
agents:
  bot: {owner: support, tasks: [answer]}
credentials:
  crm: {owner: support, expires: 2027-01-31}
tools:
  read_ticket: {access: read, egress: false, credential: crm}
  send_email:
    access: write
    egress: true
    arguments: {to: {type: string}, body: {maxLength: 500}}
tasks:
  answer:
    intent: Answer a ticket
    ttl: 10m
    tools:
      read_ticket: {}
      send_email: {at_most: 1}
    budgets:
      - {distinct: to, of: send_email, at_most: 3}
    chain: [start -> read_ticket, read_ticket -> send_email]
"""


def changed(old: str, new: str) -> str:
    """`VALID` with one piece replaced; a piece that is not there exactly once is a mistake of the test."""
    if VALID.count(old) != 1:
        raise ValueError(f"{old!r} stands {VALID.count(old)} times in the manifest")
    return VALID.replace(old, new)
