"""The inventory in numbers: the state, the drift of each identity, and what was seen and declared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from licet.assurance.facts import Drifted, State
from licet.events import LifecycleEvent
from licet.ingest.aws_actions import action_of
from licet.inventory.declared import SOURCE as DECLARED
from licet.inventory.model import needs_owner
from licet.inventory.permissions import Shown
from licet.inventory.privileges import Drift, drift
from licet.inventory.store import Inventory
from licet.inventory.views import Line, Viewer, sums

# What somebody declared was not seen, and what was denied did not happen.
_HAPPENED = f"uid NOT LIKE '{DECLARED}/%' AND json_extract(body, '$[{LifecycleEvent._fields.index('outcome')}]')='success'"
_ENDS = "('rotated', 'revoked', 'suspended', 'deleted', 'job_ended')"
_STATED = "('confirmed', 'manifest', 'imported')"


class Inventoried(NamedTuple):
    """What an inventory comes to. `seen`, `declared`: as in `licet.assurance.facts.Facts`."""

    state: State
    drifts: tuple[Drifted, ...]
    seen: Mapping[str, int]
    declared: Mapping[str, int]


def inventoried(inventory: Inventory, now: float) -> Inventoried:
    """Look at every identity once.

    Args:
        now: seconds since the epoch.

    Raises:
        StoreError: the inventory cannot be read.
    """
    total, shown = sums(inventory, now), Shown.of(inventory, action_of)
    kinds, platforms, owners, credentials = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    seen, declared, flags = Counter[str](), Counter[str](), Counter[str]()
    drifts = []
    for line in Viewer(inventory, now).lines():
        total.add(line, now)
        kinds[line.identity.kind] += 1
        platforms[line.identity.source or "declared"] += 1
        credentials.update(line.credentials)
        owners.update([line.owner[0].name or line.owner[0].uid] if line.owner is not None else [])
        flags.update(stale=line.stale, shared=line.shared, uses=line.uses)
        flags.update(unowned=needs_owner(line.identity.uid, line.identity.kind) and line.owner is None)
        seen.update(_seen(line))
        declared.update(_declared(line))
        found = drift(inventory, line.identity.uid, shown, action_of, now=now)
        if found.held or found.outside:
            drifts.append(_drifted(found))
    seen += Counter(owned=total.owned, **_counted(inventory))
    declared += Counter(_stated(inventory))
    state = State(
        total.as_of, total.identities, total.machines, total.active, total.unknown, total.owned, flags["unowned"], flags["stale"],
        flags["shared"], _most(kinds), _most(platforms), _most(owners), _most(credentials), flags["uses"],
    )  # fmt: skip
    return Inventoried(state, tuple(drifts), seen, declared)


def _drifted(of: Drift) -> Drifted:
    used = of.number("used")
    return Drifted(of.identity, used, used + of.number("unused"), len(of.added), len(of.outside), len(of.proposals))


def _most(counts: Counter[str]) -> dict[str, int]:
    """The most frequent first."""
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))


def _seen(line: Line) -> dict[str, int]:
    worked = bool(line.uses)
    return {
        "identities": worked, "agents": worked and line.identity.kind == "ai_agent", "uses": line.uses,
        "third_party": line.uses if line.identity.third_party else 0,
    }  # fmt: skip


def _declared(line: Line) -> dict[str, int]:
    of, machine = line.identity.declared, needs_owner(line.identity.uid, line.identity.kind)
    stated = bool(of.environment or of.purpose or of.uses or of.regions or of.networks)
    agent = line.identity.kind == "ai_agent"
    return {
        "agents_owned": agent and line.owner is not None, "identities": stated, "agents": agent, "third_party": line.identity.third_party,
        "purposes": bool(of.uses or of.purpose), "places": bool(of.regions or of.networks), "kinds": machine,
    }  # fmt: skip


def _counted(inventory: Inventory) -> dict[str, int]:
    """What was seen, by one question each."""
    agents = "SELECT uid FROM identities WHERE kind='ai_agent'"
    return {
        "ends": _number(inventory, f"SELECT count(*) FROM lifecycle WHERE kind IN {_ENDS} AND {_HAPPENED}"),  # noqa: S608 - words of our own
        "agents_ended": _number(
            inventory,
            f"SELECT count(*) FROM lifecycle WHERE kind IN ('revoked', 'deleted', 'suspended') AND {_HAPPENED} AND (identity IN ({agents})"  # noqa: S608
            f" OR credential IN (SELECT uid FROM credentials WHERE identity IN ({agents})))",
        ),
        "delivered": _number(
            inventory,
            "SELECT count(DISTINCT finding) FROM deliveries JOIN findings ON findings.id=finding WHERE delivered>0 AND status='open'",
        ),
        "answered": _number(inventory, "SELECT count(DISTINCT finding) FROM verdicts"),
    }


def _stated(inventory: Inventory) -> dict[str, int]:
    """What was declared beside what identities are for."""
    return {
        "owned": _number(inventory, f"SELECT count(DISTINCT identity) FROM ownerships WHERE source IN {_STATED}"),  # noqa: S608
        "environments": _number(inventory, "SELECT count(*) FROM environments"),
        "canaries": _number(inventory, "SELECT count(*) FROM credentials WHERE canary"),
        "ends": _number(inventory, "SELECT count(*) FROM credentials WHERE rotate_every>0 OR expires>0"),
    }


def _number(inventory: Inventory, query: str) -> int:
    return int(inventory.rows(query)[0][0])
