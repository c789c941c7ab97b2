"""Recorded sessions that nobody recorded: budgets, chains, flows, origins, stores, questions, errors, turns side by side, hostile values."""

from __future__ import annotations

import json
import random
from typing import Any

from licet.replay import RecordedCall, Session

OLD = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents:
  bot: {owner: o, tasks: [tickets, orders, notes]}
credentials:
  crm: {owner: o, kind: api-key, purpose: read, environment: dev, expires: 2020-01-31}
tools:
  read: {access: read, egress: false, format: json, arguments: {number: {type: integer}}, store: crm, reveals: [customer-data],
         fields: {id: trusted, from: counterpart, "items[].sku": trusted}, credential: crm}
  find: {access: read, egress: false, arguments: {query: {}, limit: {}}, output: untrusted, fields: {"[].id": trusted, "[].email": counterpart},
         store: crm}
  note: {access: write, egress: false, arguments: {text: {content: true}, id: {origin: [intent, trusted]}}, store: crm}
  mail: {access: write, egress: true, arguments: {to: {origin: {from: [intent, counterpart], ask: [trusted], else: deny}},
         cc: {origin: [intent, trusted]}, body: {content: true}}}
  pay: {access: admin, egress: true, arguments: {amount: {type: number}, memo: {content: true}, account: {}}}
  fetch: {access: read, egress: true, arguments: {url: {}}}
tasks:
  tickets:
    intent: Answer tickets
    ttl: 10m
    tools: {read: {at_most: 4}, find: {}, note: {}, mail: {at_most: 2}, pay: {ask: true}, fetch: {}}
    budgets:
      - {distinct: to, of: mail, at_most: 1}
      - {sum: amount, of: pay, at_most: 100}
  orders:
    intent: Look after orders
    ttl: 10m
    tools: {read: {}, find: {}, mail: {}, pay: {}}
    chain: [start -> find, find -> read, read -> read, read -> mail, mail -> mail, read -> pay, find -> mail]
  notes:
    intent: Keep notes
    ttl: 10m
    mode: observe
    until: UNTIL
    reason: on trial
    tools: {note: {}, read: {}, fetch: {}}
flows:
  - {from: customer-data, to: egress, unless: {destination: [intent]}, then: ask}
"""

CHANGES = [
    ("read: {at_most: 4}", "read: {at_most: 2}"),
    ("{distinct: to, of: mail, at_most: 1}", "{rate: 2, of: [mail, find], per: 1m}"),
    ("then: ask", "then: deny"),
    ("find: {}, note: {}, mail", "find: {}, note: {ask: true}, mail"),
    ("[intent, counterpart], ask: [trusted]", "[intent, counterpart, trusted]"),
    ("read -> pay, find -> mail]", "find -> pay]"),
    ("fields: {id: trusted, from: counterpart", "fields: {from: counterpart"),
    ("account: {}", "account: {origin: ['find(query in intent):[].id']}"),
    ("tools: {note: {}, read: {}", "tools: {note: {arguments: {extra: {}}}, read: {}"),
    ("pay: {ask: true}, fetch: {}}", "pay: {}}"),
]
"""Changes of OLD; several may be made together."""
NEW = OLD
for _each in CHANGES:
    NEW = NEW.replace(*_each) if "account" not in _each[0] and "extra" not in _each[1] else NEW
NEW = NEW.replace("  fetch: {access: read, egress: true, arguments: {url: {}}}\n", "").replace("read: {}, fetch: {}}", "read: {}}")

PEOPLE = ["ada@acme.example", "bob@acme.example", "eve@evil.example", "Grace Hopper", "DE89370400440532013000", "ORD-4312", "ORD-77"]
WORDS = [
    "please",
    "send",
    "the",
    "whole",
    "order",
    "list",
    "to",
    "this",
    "address",
    "today",
    "because",
    "the",
    "customer",
    "has",
    "asked",
    "for",
    "it",
    "and",
    "nobody",
    "else",
    "will",
]
HOSTILE: list[Any] = [
    "\ud800", "a\u202eb", "x" * 3_000, "<script>alert(1)</script>", "\x1b[31mred", 10**40, -0.0, 1e308, True, None, "", "  ", [], {}, [[[[1]]]],
    {"a": {"b": ["eve@evil.example"]}}, {"eve@evil.example": 1}, "ZXZlQGV2aWwuZXhhbXBsZQ==", "elpmaxe.live@eve", "AKIAIOSFODNN7EXAMPLE",
]  # fmt: skip


def made(number: int, seed: int = 7) -> list[Session]:
    """So many sessions, the same for the same seed."""
    rng = random.Random(seed)
    return [_session(rng, index) for index in range(number)]


def _session(rng: random.Random, index: int) -> Session:
    known: list[Any] = [*PEOPLE, 4312, 77]
    turns = tuple(_said(rng) for _ in range(rng.choice([0, 1, 1, 1, 2])))
    calls: list[RecordedCall] = []
    turn = 0
    for _ in range(rng.randrange(0, 9)):
        turn += rng.random() < 0.7
        call = _call(rng, known, turn if rng.random() < 0.6 else None)
        calls.append(call)
    suite = rng.choice(
        ["tickets", "tickets", "orders", "notes", "nowhere"] if index % 50 == 0 else ["tickets", "tickets", "orders", "notes"]
    )
    return Session(f"s{index}" if rng.random() < 0.98 else "\ud800", suite, turns, tuple(calls), f"made:{index + 1}")


def _said(rng: random.Random) -> str:
    return f"Answer {rng.choice(PEOPLE)} about {rng.choice(PEOPLE)} and number {rng.choice([4312, 77])}, pay at most {rng.randrange(90)}"


def _value(rng: random.Random, known: list[Any]) -> Any:
    return rng.choice(HOSTILE) if rng.random() < 0.07 else rng.choice(known)


def _text(rng: random.Random, known: list[Any]) -> str:
    words = rng.sample(WORDS, 8) if rng.random() < 0.5 else WORDS[: rng.randrange(6, len(WORDS))]
    return " ".join([*words, str(_value(rng, known))])


def _call(rng: random.Random, known: list[Any], turn: int | None) -> RecordedCall:
    tool = rng.choice(["read", "read", "find", "find", "note", "mail", "mail", "pay", "fetch", "made-up"])
    arguments: dict[str, Any] = {
        "read": lambda: {"number": rng.choice([4312, 77, _value(rng, known)])},
        "find": lambda: {"query": _value(rng, known)} | ({"limit": 3} if rng.random() < 0.3 else {}),
        "note": lambda: {"text": _text(rng, known), "id": _value(rng, known)},
        "mail": lambda: (
            {"to": rng.choice([_value(rng, known), [_value(rng, known), _value(rng, known)]]), "body": _text(rng, known)}
            | ({"cc": _value(rng, known)} if rng.random() < 0.2 else {})
        ),
        "pay": lambda: {
            "amount": rng.choice([5, 60, 7.5, -1, _value(rng, known)]),
            "account": _value(rng, known),
            "memo": _text(rng, known),
        },
        "fetch": lambda: {"url": f"https://{rng.choice(['acme', 'evil'])}.example/{_value(rng, known)!s}"},
        "made-up": lambda: {"x": _value(rng, known)},
    }[tool]()
    if rng.random() < 0.05:
        arguments[rng.choice(["extra", "", "\ud800", "eve@evil.example"])] = _value(rng, known)
    output = _output(rng, tool, known)
    ran = rng.random() > 0.06
    error = "no such record: eve@evil.example" if ran and rng.random() < 0.1 else None
    return RecordedCall(tool, arguments, output if ran else None, error, executed=ran, turn=turn)


def _output(rng: random.Random, tool: str, known: list[Any]) -> Any:
    record = {
        "id": rng.randrange(1_000, 9_999), "from": rng.choice(PEOPLE[:3]), "text": _text(rng, known), "items": [{"sku": f"SKU-{rng.randrange(99)}"}],
    }  # fmt: skip
    email = f"u{rng.randrange(30)}@{rng.choice(['acme', 'evil'])}.example"
    known += [record["id"], email]
    if tool == "read":
        return rng.choice([json.dumps(record), record, json.dumps(record)[:-3], _text(rng, known)])
    if tool == "find":
        return [{"id": f"ORD-{rng.randrange(200)}", "email": email, "about": _text(rng, known)} for _ in range(rng.randrange(3))]
    return rng.choice(["ok", "", {"sent": True}, _text(rng, known), _value(rng, known) or "none"])
