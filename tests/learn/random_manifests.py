"""Random manifests, small enough that two of them often differ in one place, and random calls of their tools."""

from __future__ import annotations

import copy
import random
from typing import Any

from licet.errors import ManifestError
from licet.manifest import Manifest, adopt

NOW = 1795341600.0  # 2026-11-22T10:00Z
TOOLS = ("read_ticket", "send_email", "pay")
ARGUMENTS = ("to", "amount", "body")
WORDS = ("a", "ab", "abc", "b", "", "a@x.example", "2026-01-01", "0")
NUMBERS = (0, 1, 2, 3, 4, 6, 7.5, -1, 12)


def value(rng: random.Random, depth: int = 0) -> Any:
    pick = rng.randrange(12 if depth < 2 else 9)
    if pick < 4:
        return rng.choice(WORDS)
    if pick < 7:
        return rng.choice(NUMBERS)
    if pick < 9:
        return rng.choice((None, True, False))
    if pick < 11:
        return [value(rng, depth + 1) for _ in range(rng.randrange(3))]
    return {name: value(rng, depth + 1) for name in ("p", "q") if rng.random() < 0.6}


def keywords(rng: random.Random, depth: int = 0) -> dict[str, Any]:
    """One rule for a value. Some are no rules; whoever builds a manifest throws these away."""
    family = rng.randrange(7 if depth < 2 else 4)
    out: dict[str, Any] = {}
    if family == 0:
        return out
    if family == 1:
        for word, choices in (
            ("minLength", (0, 1, 2)),
            ("maxLength", (1, 2, 3)),
            ("pattern", ("a.*", "ab?", "[0-9]+")),
            ("format", ("email", "date")),
        ):
            if rng.random() < 0.4:
                out[word] = rng.choice(choices)
        if rng.random() < 0.3:
            out["type"] = rng.choice(("string", ["string", "null"], ["string", "array"]))
    elif family == 2:
        for word in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
            if rng.random() < 0.35:
                out[word] = rng.choice(NUMBERS)
        if rng.random() < 0.3:
            out["multipleOf"] = rng.choice((1, 2, 3, 6, 0.5))
        if rng.random() < 0.3:
            out["type"] = rng.choice(("integer", "number", ["integer", "null"]))
    elif family == 3:
        if rng.random() < 0.7:
            out["enum"] = rng.sample([*WORDS, *NUMBERS, ["a"], None], rng.randrange(1, 4))
        else:
            out["const"] = rng.choice([*WORDS, 1, 1.0, None])
        if rng.random() < 0.2:
            out["type"] = rng.choice(("string", "integer", ["string", "array"]))
    elif family == 4:
        out["type"] = rng.choice(("string", "integer", "number", "array", "object", ["string", "integer"], ["string", "array"], "boolean"))
    elif family == 5:
        for word, choices in (("minItems", (0, 1, 2)), ("maxItems", (1, 2)), ("uniqueItems", (True, False))):
            if rng.random() < 0.4:
                out[word] = rng.choice(choices)
        if rng.random() < 0.6:
            out["items"] = keywords(rng, depth + 1)
    else:
        out["properties"] = {
            name: keywords(rng, depth + 1) | ({"required": True} if rng.random() < 0.3 else {}) for name in ("p", "q") if rng.random() < 0.6
        }
        if rng.random() < 0.4:
            out["additionalProperties"] = rng.choice((True, False))
    return out


def origin(rng: random.Random) -> Any:
    words = rng.sample(["intent", "trusted", "counterpart", "nowhere", "read_ticket:mail"], rng.randrange(1, 4))
    return words if rng.random() < 0.6 else {"from": words[:1], "ask": words[1:], "else": rng.choice(("ask", "deny"))}


def rule(rng: random.Random) -> dict[str, Any]:
    out = keywords(rng)
    if rng.random() < 0.2:
        out["required"] = True
    if rng.random() < 0.15:
        out["origin"] = origin(rng)
    elif rng.random() < 0.1:
        out["content"] = True
    return out


def arguments(rng: random.Random) -> dict[str, Any]:
    return {name: rule(rng) for name in ARGUMENTS if rng.random() < 0.5}


def tool(rng: random.Random) -> dict[str, Any]:
    out: dict[str, Any] = {"access": rng.choice(("read", "write", "admin")), "egress": rng.random() < 0.5, "arguments": arguments(rng)}
    for key, choices in (
        ("output", ("trusted", "counterpart", "untrusted")), ("reveals", (["secrets"], ["secrets", "names"])), ("store", ("crm", "mail")),
        ("fields", ({"id": "trusted"}, {"id": "counterpart", "mail": "trusted"}, {"*.id": "trusted"})), ("format", ("json", "object")),
        ("unknown_arguments", ("drop", "refuse")), ("credential", ("key",)), ("environment", ("test",)),
    ):  # fmt: skip
        if rng.random() < 0.25:
            out[key] = rng.choice(choices)
    return out


def kind(rng: random.Random) -> dict[str, Any]:
    granted = {name: {"arguments": arguments(rng)} for name in TOOLS if rng.random() < 0.7} or {"pay": {}}
    for grant in granted.values():
        if rng.random() < 0.3:
            grant["at_most"] = rng.randrange(1, 4)
        if rng.random() < 0.2:
            grant["ask"] = rng.random() < 0.5
    out: dict[str, Any] = {"intent": rng.choice(("work", "other work")), "ttl": rng.choice(("10m", "1h")), "tools": granted}
    names = list(granted)
    if rng.random() < 0.5:
        of = rng.choice(names)
        out["budgets"] = rng.sample(
            [{"of": of, "at_most": 3}, {"of": of, "sum": "amount", "at_most": 5}, {"of": of, "distinct": "to", "at_most": 1},
             {"of": of, "rate": 2, "per": "1m"}, {"of": of, "rate": 2, "per": "1h"}, {"of": names, "at_most": 4}], rng.randrange(1, 4),
        )  # fmt: skip
    if rng.random() < 0.4:
        edges = [f"{before} -> {after}" for before in ("start", *names) for after in names]
        out["chain"] = rng.sample(edges, rng.randrange(1, len(edges) + 1))
    if rng.random() < 0.3:
        out["checks"] = {rng.choice(("origin.content", "chain.order")): settings(rng)}
    out |= mode(rng) if rng.random() < 0.2 else {}
    if rng.random() < 0.3:
        out["baseline"] = {"sessions": 9, "under": f"sha256:{rng.choice('ab') * 64}", "tools": {name: rng.randrange(1, 9) for name in names},
                           "edges": {f"start -> {names[0]}": 3}, "minimum": {"sessions": rng.choice((5, 20)), "support": rng.choice((1, 4))},
                           "origins": {names[0]: {"to": {rng.choice(("intent", "untrusted read_ticket")): 5}}}}  # fmt: skip
    return out


def mode(rng: random.Random) -> dict[str, Any]:
    return rng.choice(
        ({"mode": "enforce"}, *({"mode": "observe", "until": day, "reason": "trial"} for day in ("2026-11-30", "2026-12-10")))
    )


def settings(rng: random.Random) -> dict[str, Any]:
    return (mode(rng) if rng.random() < 0.5 else {}) | ({"then": "deny"} if rng.random() < 0.5 else {})


def data(rng: random.Random) -> dict[str, Any]:
    out: dict[str, Any] = {
        "licet": 1, "environment": rng.choice(("prod", "test")),
        "agents": {"bot": {"tasks": rng.sample(["answer", "refund"], rng.randrange(1, 3))}, "other": {"tasks": ["answer"]}},
        "credentials": {"key": {}},
        "tools": {name: tool(rng) for name in TOOLS},
        "tasks": {"answer": kind(rng), "refund": kind(rng)},
    }  # fmt: skip
    if rng.random() < 0.3:
        out["agents"]["bot"] |= rng.choice(({"may_delegate_to": ["other"]}, {"model": "m-1"}, {"owner": "us"}))
        out["owners"] = {"us": {"name": "Us", "contact": "us@acme.example"}}
    if rng.random() < 0.3:
        out["credentials"]["key"] |= rng.choice(({"expires": "2027-01-01"}, {"revoked": "2026-11-01"}, {"rotate_every": "90d"}))
    out["tools"]["pay"].setdefault("reveals", ["secrets"])
    if rng.random() < 0.4:
        flow = {"from": "secrets", "to": rng.choice(("egress", "send_email")), "then": rng.choice(("deny", "ask"))}
        out["flows"] = [
            flow | ({"unless": {"destination": rng.choice((["intent"], ["intent", "counterpart"]))}} if rng.random() < 0.5 else {})
        ]
        if not any("secrets" in found.get("reveals", ()) for found in out["tools"].values()):
            del out["flows"]
    if rng.random() < 0.3:
        out["checks"] = {"origin.content": settings(rng)}
    return out | (mode(rng) if rng.random() < 0.2 else {})


def made(found: dict[str, Any]) -> Manifest | None:
    """The manifest, or None where the parts do not fit."""
    try:
        return adopt(Manifest.model_validate(found), NOW)
    except (ValueError, ManifestError):
        return None


def manifest(rng: random.Random) -> tuple[dict[str, Any], Manifest]:
    while True:
        found = data(rng)
        if (whole := made(found)) is not None:
            return found, whole


def near(rng: random.Random, found: dict[str, Any]) -> Manifest:
    """A manifest that differs from `found` in one place or two."""
    while True:
        out, other = copy.deepcopy(found), data(rng)
        for _ in range(rng.randrange(1, 3)):
            name, task = rng.choice(TOOLS), rng.choice(("answer", "refund"))
            pick = rng.randrange(12)
            if pick == 0:
                out["tools"][name] = other["tools"][name]
            elif pick < 3:
                argument = rng.choice(ARGUMENTS)
                out["tools"][name]["arguments"][argument] = rule(rng)
            elif pick < 6 and name in out["tasks"][task]["tools"]:
                here = out["tasks"][task]["tools"][name].setdefault("arguments", {})
                argument = rng.choice(ARGUMENTS)
                here[argument] = here.get(argument, {}) | keywords(rng) if rng.random() < 0.5 else rule(rng)
            elif pick == 6:
                out["tasks"][task].get("tools", {}).pop(name, None)
            elif pick == 7:
                out["tasks"][task] = other["tasks"][task]
            elif pick < 10:
                key = rng.choice(("access", "egress", "output", "reveals", "store", "fields", "format", "credential"))
                out["tools"][name].pop(key, None)
                out["tools"][name] |= {key: other["tools"][name][key]} if key in other["tools"][name] else {}
            elif pick == 10:
                here = out["tools"][name]["arguments"].setdefault(rng.choice(ARGUMENTS), {})
                here.pop("content", None)
                here["origin"] = origin(rng)
            else:
                key = rng.choice(("flows", "checks", "mode"))
                out.pop(key, None)
                out |= {key: other[key]} if key in other else {}
        if (whole := made(out)) is not None:
            return whole
