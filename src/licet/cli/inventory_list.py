"""`licet inventory list`: a line for each identity, and the sums."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from licet.cli import output
from licet.cli.inventory_opened import add_manifest, opened
from licet.cli.state import add_state
from licet.clock import iso
from licet.escape import counted, visible
from licet.ingest.aws_actions import action_of
from licet.inventory.model import Owner, Ownership, needs_owner
from licet.inventory.permissions import Shown
from licet.inventory.privileges import drift, is_over_scoped
from licet.inventory.said import KINDS
from licet.inventory.store import Inventory
from licet.inventory.views import Attribution, Line, Sums, Viewer, attributions, sums

EXAMPLE = """\
An identity has a line of its own, and under it its other names with how sure that is. `perhaps` marks an owner whom nobody named: who
made it, or issued its credentials. Options narrow the lines, and several of them narrow together; the sums are over all.

  --unowned      nobody was named as its owner; people and platforms' own services need none, and are left out
  --stale        not used for 90 days, or a credential of it that still counts was not
  --shared       of a credential that it uses, others are users too
  --over-scoped  it has permissions that it does not use: `licet inventory drift` says which

example: licet inventory list
         licet inventory list --unowned --kind role
         licet inventory list --json | jq -r '.identities[] | select(.stale) | .identity'
"""
_HEAD = (
    f"{'kind':<15}  {'owner':<28}  {'environment':<11}  {'credentials':<24}  {'first seen':<10}  {'last seen':<10}  {'uses':>9}  identity"
)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--unowned", action="store_true", help="only machines' identities of which nobody was named as the owner")
    parser.add_argument("--stale", action="store_true", help="only those at rest, or with a credential at rest, for 90 days")
    parser.add_argument("--shared", action="store_true", help="only those that use a credential that others use too")
    parser.add_argument("--over-scoped", action="store_true", help="only those with permissions that they do not use")
    parser.add_argument("--kind", choices=(*KINDS, "unknown"), help="only those of this kind")
    parser.add_argument("--owner", metavar="NAME", help="only those of this owner")
    parser.add_argument("--environment", metavar="NAME", help="only those of this environment")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    add_manifest(parser)
    add_state(parser)


def run(options: argparse.Namespace) -> int:
    """Print them."""
    now = time.time()
    with opened(options, now) as (_, inventory):
        total, number = sums(inventory, now), 0
        show = _json_line if options.json else _say_line
        if options.json:
            output.write('{\n"identities": [')
        else:
            output.say(output.paint(_HEAD, "bold"))
        for line in _wanted(options, inventory, now, total):
            show(line, number)
            number += 1
        how = attributions(inventory, total.by_source)
        if not number:
            _say_unknown(options, inventory, now)
    if options.json:
        output.write(f'\n],\n"shown": {number},\n"sums": {json.dumps(_sums(total, how))}\n}}\n')
    else:
        _say_sums(total, how, number)
    return 0


def _say_unknown(options: argparse.Namespace, inventory: Inventory, now: float) -> None:
    """That no owner or environment is called so: a slip of the pen is no answer."""
    for option, given in (("owner", options.owner), ("environment", options.environment)):
        if given is None:
            continue
        every = {"unowned": False, "stale": False, "shared": False, "over_scoped": False, "kind": None, "owner": None, "environment": None}
        alone = argparse.Namespace(**(every | {option: given}))
        if next(_wanted(alone, inventory, now, Sums()), None) is None:
            output.error(f"--{option} {visible(given, 200)}: no identity here has this {option}")


def _wanted(options: argparse.Namespace, inventory: Inventory, now: float, total: Sums) -> Iterator[Line]:
    shown = Shown.of(inventory, action_of) if options.over_scoped else None
    for line in Viewer(inventory, now).lines():
        total.add(line, now)
        if (
            (options.unowned and (line.owner is not None or (options.kind is None and _needs_none(line))))
            or (options.stale and not line.stale)
            or (options.shared and not line.shared)
            or (options.kind is not None and line.identity.kind != options.kind)
            or (options.owner is not None and (line.owner is None or options.owner not in (line.owner[0].uid, line.owner[0].name)))
            or (options.environment is not None and line.environment != options.environment)
        ):
            continue
        if shown is None or is_over_scoped(drift(inventory, line.identity.uid, shown, action_of, now=now)):
            yield line


def _needs_none(line: Line) -> bool:
    """Whether nobody has to own it: people, and what is the platform's."""
    return line.identity.kind != "unknown" and not needs_owner(line.identity.uid, line.identity.kind)


# For people --------------------------------------------------------------------------------------------------------------


def _say_line(line: Line, _: int) -> None:
    owner, at = _owner(line), line.identity
    numbers = ", ".join(f"{number:,} {status}" for status, number in sorted(line.credentials.items())) or "-"
    shared = "; shared" if line.shared else ""
    name = f"{visible(at.uid, 300)}" + (f" ({visible(at.name, 80)})" if at.name and at.name not in at.uid else "")
    environment = visible(line.environment, 11) or "-"
    cells = f"  {environment:<11}  {numbers + shared:<24}  {day(line.first):<10}  {day(line.last):<10}  {line.uses:>9,}  "
    told = f"{owner:<28}"
    output.say(f"{at.kind:<15}  ", output.paint(told, "yellow") if owner.startswith("nobody") else told, cells, name)
    if at.same_as:
        output.say(f"{'':<17}= {visible(at.same_as, 300)} (confidence {at.same_confidence:g})")
    for face in line.faces:
        output.say(f"{'':<17}= {visible(face.uid, 300)} (confidence {face.same_confidence:g}; {counted(face.uses, 'use')})")


def _owner(line: Line) -> str:
    if line.owner is not None:
        return owner_text(line.owner)
    return f"nobody; perhaps {visible(line.guess[0].uid, 60)}" if line.guess is not None else "nobody" if not _needs_none(line) else "-"


def owner_text(own: tuple[Owner, Ownership]) -> str:
    """An owner with source and confidence."""
    return f"{visible(own[0].uid, 60)} ({own[1].source}, {own[1].confidence:g})"


def day(time: float) -> str:
    """The day of a time; `-` where there is none."""
    return iso(time)[:10] if time > 0 else "-"


def _say_sums(total: Sums, how: list[Attribution], number: int) -> None:
    output.say(f"{number:,} of {total.identities:,} identities; {total.machines:,} of them are machines' identities")
    if total.unknown:
        output.say(
            f"of {total.unknown:,} more nothing says whether a machine or a person has them: {share(total.unknown_uses, total.uses)} of the"
            f" {counted(total.uses, 'use')} by machines and by these; an import with `kind` says it"
        )
    if total.as_of:
        output.say(
            f"owners: {share(total.owned, total.active)} of the {total.active:,} that were active in the 90 days before {day(total.as_of)}"
            " have an owner confirmed in the last 90 days"
            + (f"; of the uses by them and by who is unknown, {share(total.owned_uses, total.uses)} have an owner" if total.unknown else "")
        )
    for each in how:
        credential, workload, owner = (share(part, each.of) for part in (each.credential, each.workload, each.owner))
        output.say(
            f"attribution, {each.source}: of {each.of:,} uses {credential} to one credential, {workload} to a workload, {owner} to an owner"
        )


def share(part: int, of: int) -> str:
    """A share in per cent; `none` of nothing. What is not all is never 100, and what is something never 0."""
    if not of or part in (0, of):
        return f"{part / of:.1%}" if of else "none"
    return f"{min(max(part / of, 0.001), 0.999):.1%}"


# For programs ------------------------------------------------------------------------------------------------------------


def _json_line(line: Line, number: int) -> None:
    output.write(f"{',' if number else ''}\n{json.dumps(as_data(line), ensure_ascii=True)}")


def as_data(line: Line) -> dict[str, Any]:
    """A line as plain data."""
    at = line.identity
    return {
        "identity": at.uid, "kind": at.kind, "name": at.name, "owner": owner_data(line.owner), "perhaps": owner_data(line.guess),
        "environment": line.environment, "account": at.account, "source": at.source, "third_party": at.third_party,
        "same_as": at.same_as or None, "faces": [_face(face.uid, face.same_confidence, face.uses) for face in line.faces],
        "credentials": dict(line.credentials), "first_seen": stamp(line.first), "last_seen": stamp(line.last), "uses": line.uses,
        "stale": line.stale, "shared": line.shared,
    }  # fmt: skip


def _face(uid: str, confidence: float, uses: int) -> Mapping[str, Any]:
    return {"identity": uid, "confidence": confidence, "uses": uses}


def owner_data(own: tuple[Owner, Ownership] | None) -> dict[str, Any] | None:
    """An owner as plain data."""
    if own is None:
        return None
    owner, said = own
    return {
        "owner": owner.uid, "name": owner.name, "contact": owner.contact, "source": said.source, "confidence": said.confidence,
        "confirmed": stamp(said.time), "by": said.by, "of": said.identity,
    }  # fmt: skip


def stamp(time: float) -> str | None:
    """RFC 3339; None where there is no time."""
    return iso(time) if time > 0 else None


def _sums(total: Sums, how: list[Attribution]) -> dict[str, Any]:
    return {
        "as_of": stamp(total.as_of), "identities": total.identities, "machines": total.machines, "active": total.active,
        "owned_and_confirmed": total.owned, "unknown": total.unknown, "uses": total.uses, "unknown_uses": total.unknown_uses,
        "owned_uses": total.owned_uses,
        "attribution": [{**each._asdict()} for each in how],
    }  # fmt: skip
