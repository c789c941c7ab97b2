"""`licet inventory show`: all that is known of one identity or one credential."""

from __future__ import annotations

import argparse
import shlex
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from licet.cli import output
from licet.cli.inventory_list import as_data, owner_data, stamp
from licet.cli.inventory_opened import add_manifest, found_in, opened
from licet.cli.state import add_state
from licet.escape import counted, visible
from licet.events import LifecycleEvent
from licet.ingest.aws_actions import action_of
from licet.inventory.life import status_at, status_with
from licet.inventory.model import Credential, Declared, Identity, IdentityStatus
from licet.inventory.owners import owners_of
from licet.inventory.permissions import Shown
from licet.inventory.privileges import Drift, drift, names_of
from licet.inventory.rows import lifecycle_of
from licet.inventory.store import Inventory
from licet.inventory.views import Viewer, doings, missing
from licet.monitor.known import Known
from licet.monitor.world import Settings

EXAMPLE = """\
IDENTITY is a uid as `licet inventory list` prints it, or a name; CREDENTIAL an id as logs show it, a fingerprint or a name.

example: licet inventory show system:serviceaccount:shop:orders
         licet inventory show AKIAIOSFODNN7EXAMPLE --json | jq .status
"""
_SHOWN = 10  # of each kind
_TO_IDENTITIES = ("created", "granted", "ungranted", "activated", "suspended", "revoked", "deleted")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("what", metavar="IDENTITY|CREDENTIAL", help="which one")
    parser.add_argument("--all", action="store_true", help=f"all of each, and not the first {_SHOWN}")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines; it has all")
    add_manifest(parser)
    add_state(parser)


def run(options: argparse.Namespace) -> int:
    """Print it."""
    now = time.time()
    with opened(options, now) as (folder, inventory):
        uid, is_credential = found_in(folder, inventory, options.what, options.manifest)
        most = None if options.all or options.json else _SHOWN
        found = _credential(inventory, uid, now) if is_credential else _identity(inventory, uid, now, most)
    if options.json:
        output.data(found)
    else:
        _say(found, most)
    return 0


# What is known -----------------------------------------------------------------------------------------------------------


def _identity(inventory: Inventory, uid: str, now: float, most: int | None) -> dict[str, Any]:
    at = inventory.identity(uid) or Identity(uid)
    viewer, names = Viewer(inventory, now), names_of(inventory, uid)
    line = viewer.line(at)
    declared, did = Known(inventory, Settings(), now).identity(uid).declared, doings(inventory, names)
    credentials = [each for name in names for each in viewer.credentials(name, most or 100_000)]
    credentials.sort(key=lambda each: (status_at(each, now) != "active", each.kind.startswith("temporary"), -each.uses))
    return as_data(line) | {
        "created": stamp(at.created), "status": at.status, "owners": [owner_data(each) for each in owners_of(inventory, uid)],
        "declared": _declared(declared), "missing": missing(at, declared, owned=line.owner is not None, environment=line.environment),
        "credentials_known": [_known(each, now, at.status) for each in credentials],
        "life": _life([event for name in names for event in _happened(inventory, name)]),
        "permissions": _permissions(drift(inventory, uid, Shown.of(inventory, action_of), action_of, now=now)),
        "environments": dict(_most_first(_by_place(viewer, did.accounts))),
        "regions": dict(_most_first(did.regions)), "networks": dict(_most_first(did.networks)), "agents": dict(_most_first(did.agents)),
        "operations": dict(_most_first(did.operations)), "denied": dict(_most_first(did.denied)), "failed": dict(_most_first(did.failed)),
        "acted_for": dict(_most_first(did.acted_for)), "findings": _findings(inventory, names), "signals": _signals(inventory, names),
    }  # fmt: skip


def _credential(inventory: Inventory, uid: str, now: float) -> dict[str, Any]:
    found = inventory.life(uid)
    credential, events = found if found is not None else (Credential(uid), [])
    holders = inventory.rows(
        "SELECT identities.uid, holders.first, holders.last, holders.uses FROM holders JOIN identities ON identities.id=subject"
        " WHERE credential=(SELECT id FROM credentials WHERE uid=?) ORDER BY holders.first",
        (uid,),
    )
    whose = inventory.identity(credential.identity) if credential.identity else None
    return _known(credential, now, whose.status if whose is not None else "unknown") | {
        "identity": credential.identity, "owners": [owner_data(each) for each in owners_of(inventory, uid)],
        "declared": _declared(credential.declared), "issued_by": credential.issued_by, "supersedes": credential.supersedes,
        "workload": credential.workload, "canary": credential.canary, "rotate_every_days": credential.rotate_every / 86_400 or None,
        "used_by": [{"identity": name, "first": stamp(first), "last": stamp(last), "uses": uses} for name, first, last, uses in holders],
        "life": _life(events),
    }  # fmt: skip


def _happened(inventory: Inventory, uid: str) -> list[LifecycleEvent]:
    """What was done to an identity itself, and what it was given."""
    marks = ",".join("?" * len(_TO_IDENTITIES))
    query = f"SELECT body FROM lifecycle WHERE identity=? AND credential='' AND time>0 AND kind IN ({marks}) ORDER BY time, uid LIMIT 10000"  # noqa: S608 - marks only
    return [lifecycle_of(body) for (body,) in inventory.rows(query, (uid, *_TO_IDENTITIES))]


def _life(events: Sequence[LifecycleEvent]) -> list[dict[str, Any]]:
    return [
        {"time": stamp(each.time), "kind": each.kind, "by": each.by, "outcome": each.outcome, "event": each.uid, "place": each.place}
        | ({"privilege": each.privilege} if each.privilege else {})
        for each in events
    ]


def _life_text(each: dict[str, Any]) -> str:
    given = f" {each['privilege']}" if "privilege" in each else ""
    tried = f" ({each['outcome']})" if each["outcome"] != "success" else ""
    return f"{each['time'] or '-':<24}  {each['kind'].replace('_', ' ')}{given}{' by ' + each['by'] if each['by'] else ''}{tried}"


def _known(each: Credential, now: float, identity: IdentityStatus) -> dict[str, Any]:
    return {
        "credential": each.uid, "shown": each.shown, "name": each.name, "kind": each.kind,
        "status": status_with(status_at(each, now), identity),
        "issued": stamp(each.issued), "expires": stamp(each.expires), "rotated": stamp(each.rotated), "revoked": stamp(each.revoked),
        "ended": stamp(each.ended), "first_seen": stamp(each.first_seen), "last_used": stamp(each.last_used), "uses": each.uses,
    }  # fmt: skip


def _declared(said: Declared) -> dict[str, Any]:
    return {key: value for key, value in asdict(said).items() if value}


def _permissions(found: Drift) -> list[dict[str, Any]]:
    return [
        {
            "permission": each.grant.privilege, "origin": each.origin, "verdict": each.verdict, "why": each.why,
            "by": each.grant.granted_by, "since": stamp(each.grant.granted), "uses": each.tally.uses,
            "last_used": stamp(each.tally.last), "event": each.event,
        }
        for each in found.held
    ]  # fmt: skip


def _by_place(viewer: Viewer, accounts: Counter[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for account, number in accounts.items():
        found[viewer.place(account) or account] += number
    return found


def _most_first(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def _findings(inventory: Inventory, names: tuple[str, ...]) -> list[dict[str, Any]]:
    rows = [
        row for name in names for row in inventory.rows(
            "SELECT id, time, severity, status, json_extract(body, '$.sentence') FROM findings WHERE identity=? ORDER BY time", (name,)
        )
    ]  # fmt: skip
    return [
        {"id": uid, "time": stamp(time), "severity": severity, "status": status, "sentence": sentence}
        for uid, time, severity, status, sentence in rows
    ]


def _signals(inventory: Inventory, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """By code, how many there are, and how many of them are in no finding."""
    query = "SELECT code, finding='' FROM signals JOIN identities ON identities.id=subject WHERE uid=?"
    rows = [row for name in names for row in inventory.rows(query, (name,))]
    every, outside = Counter(code for code, _ in rows), Counter(code for code, loose in rows if loose)
    return [{"code": code, "number": number, "in_no_finding": outside[code]} for code, number in _most_first(every)]


# For people --------------------------------------------------------------------------------------------------------------

_TITLES = {
    "identity": "identity", "credential": "credential", "name": "name", "kind": "kind", "status": "status", "environment": "environment",
    "account": "account", "third_party": "third party", "same_as": "same as", "supersedes": "supersedes", "issued_by": "issued by",
    "workload": "bound to", "canary": "canary", "rotate_every_days": "rotate every (days)", "created": "created", "issued": "issued",
    "expires": "expires", "rotated": "rotated", "revoked": "revoked", "ended": "ended", "first_seen": "first seen",
    "last_seen": "last seen", "last_used": "last used", "uses": "uses",
}  # fmt: skip


def _say(found: dict[str, Any], most: int | None) -> None:
    for key, title in _TITLES.items():
        value = found.get(key)
        if value not in (None, "", False, 0, "unknown"):
            output.say(output.paint(f"{title:<20}", "bold"), f"  {value if value is not True else 'yes'}")
    for face in found.get("faces", ()):
        _row("also", f"{face['identity']} (confidence {face['confidence']:g}; {counted(face['uses'], 'use')})")
    for own in found["owners"]:
        contact = f", {own['contact']}" if own["contact"] else ""
        since = (
            f", confirmed {own['confirmed'][:10]}" if own["confirmed"] and own["source"] in ("confirmed", "manifest", "imported") else ""
        )
        _row("owner", f"{own['owner']} ({own['source']}, {own['confidence']:g}{since}{contact})")
    for key, value in found["declared"].items():
        _row(f"declared {key}", value if isinstance(value, str) else " ".join(value))
    if found.get("missing"):
        output.say(output.paint(f"{'missing':<20}", "bold"), "  ", output.paint(", ".join(found["missing"]), "yellow"))
    known = [_credential_text(each) for each in found.get("credentials_known", ())]
    _rows("credential", known, most, sum(found["credentials"].values()) if known else 0)
    _rows("permission", [_permission_text(each) for each in found.get("permissions", ())], most)
    for key, title in (("environments", "used in"), ("regions", "region"), ("networks", "network"), ("agents", "agent"),
                       ("acted_for", "acted for"), ("operations", "operation"), ("denied", "denied"), ("failed", "failed")):  # fmt: skip
        _rows(title, [f"{number:>9,}  {value}" for value, number in found.get(key, {}).items()], most)
    _rows(
        "used by",
        [f"{each['uses']:>9,}  {each['identity']}  {each['first'][:10]} to {each['last'][:10]}" for each in found.get("used_by", ())],
        most,
    )
    _rows("life", [_life_text(each) for each in found.get("life", ())], most)
    _rows(
        "finding",
        [
            f"{each['time'][:10]}  {each['severity']}  {each['sentence']}  [{each['id'][:8]}, {each['status']}]"
            for each in found.get("findings", ())
        ],
        most,
    )
    told = found.get("signals", ())
    _rows("signal", [f"{each['number']:>9,}  {each['code']}" for each in told], most)
    if outside := sum(each["in_no_finding"] for each in told):
        where = f"`licet findings --signals --identity {shlex.quote(found['identity'])}`"
        _row("", f"{counted(outside, 'signal')} in no finding: {where}")


def _row(title: str, text: str) -> None:
    output.say(output.paint(f"{title:<20}", "bold"), f"  {visible(text, 1_000)}")


def _rows(title: str, texts: list[str], most: int | None, number: int = 0) -> None:
    """The first of them. `number`: how many there are, where not all of them are in `texts`."""
    for text in texts[:most]:
        _row(title, text)
    if most is not None and max(number, len(texts)) > most:
        _row(title, f"and {max(number, len(texts)) - most:,} more; `--all` shows them")


def _credential_text(each: dict[str, Any]) -> str:
    called = each["name"] or (f"…{each['shown']}" if each["shown"] else "")
    words = [each["status"], each["kind"] or "credential", called, each["credential"]]
    for key, title in (
        ("issued", "issued"),
        ("expires", "expires"),
        ("rotated", "rotated"),
        ("revoked", "revoked"),
        ("last_used", "last used"),
    ):
        if each[key]:
            words.append(f"{title} {each[key][:10]}")
    return "  ".join(filter(None, [*words, counted(each["uses"], "use")]))


def _permission_text(each: dict[str, Any]) -> str:
    since = f"since {each['since'][:10]}" if each["since"] else each["origin"]
    used = f"{counted(each['uses'], 'use')}, last {each['last_used'][:10]}" if each["uses"] else "no use"
    return f"{each['verdict']:<7} {each['permission']}  {since}, {used}{'; ' + each['why'] if each['why'] else ''}"
