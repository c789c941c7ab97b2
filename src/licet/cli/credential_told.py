"""What somebody says of a credential on the command line, as lines of the lifecycle format."""

from __future__ import annotations

import argparse
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

from licet.cli import output
from licet.cli.acts import reason
from licet.cli.credential_named import fingerprints_of, ids_of, named
from licet.cli.state import add_state
from licet.cli.times import moment
from licet.clock import iso
from licet.errors import UsageError
from licet.guard.state import StateFolder, open_state
from licet.ingest.hook import record
from licet.inventory.declared import credential_id
from licet.inventory.fingerprints import PREFIX, is_fingerprint
from licet.inventory.named import known
from licet.inventory.store import FILE, Inventory
from licet.machine import user_name


class Verb(NamedTuple):
    """One verb: the kind of its event, its line of help, an example, whether it is about a job, and whether about every version."""

    kind: str
    summary: str
    example: str
    job: bool = False
    every: bool = False


VERBS: Mapping[str, Verb] = {
    "issue": Verb("issued", "it was made, for an identity", "AKIAIOSFODNN7EXAMPLE --identity agent:support-bot --expires 2026-12-31"),
    "activate": Verb("activated", "it is taken up, or taken up again", "crm-reader", every=True),
    "rotate": Verb("rotated", "a new version takes its place", "crm-reader --to @new-id"),
    "renew": Verb("renewed", "it holds longer, with the next generation", "lease-81 --generation 4 --presented 3"),
    "bind": Verb("bound", "it is for one job, and ends with it", "lease-81 --workload ci/run/4711"),
    "job-start": Verb("job_started", "a job begins", "ci/run/4711", job=True),
    "job-end": Verb("job_ended", "a job has ended, and what is bound to it", "ci/run/4711", job=True),
    "suspend": Verb("suspended", "it may not be used until it is activated again", "crm-reader --reason INC-4312", every=True),
    "revoke": Verb("revoked", "it may not be used any more", "crm-reader --reason INC-4312", every=True),
    "delete": Verb("deleted", "it is gone", "AKIAIOSFODNN7EXAMPLE", every=True),
}
"""All of them, by name."""


def add(parser: argparse.ArgumentParser, verb: Verb) -> None:
    """Add the arguments of one verb."""
    if verb.job:
        parser.add_argument("workload", metavar="JOB", help="what the job is called, as credentials are bound to it: a run, a pod")
    else:
        parser.add_argument("credential", metavar="CREDENTIAL", help="its name, its id as logs show it, its fingerprint, `-` or @FILE")
    if verb.kind == "rotated":
        parser.add_argument("--to", metavar="CREDENTIAL", required=True, help="the new version: its id, its fingerprint, `-` or @FILE")
    if verb.kind == "renewed":
        parser.add_argument("--generation", metavar="N", type=int, required=True, help="the number that holds from now on")
        parser.add_argument("--presented", metavar="N", type=int, help="the number that was shown to get it; a stale copy shows an old one")
    if verb.kind == "bound":
        parser.add_argument("--workload", metavar="JOB", required=True, help="the job that it ends with")
    if verb.kind in ("issued", "rotated", "renewed"):
        parser.add_argument("--expires", metavar="TIME", type=moment, help="when it ends by itself")
    parser.add_argument("--identity", metavar="UID", help="whose it is, as logs name it")
    parser.add_argument("--by", metavar="UID", help="who did it (default: you)")
    parser.add_argument("--reason", metavar="TEXT", help="why: it stands in the trace and in findings")
    parser.add_argument("--at", metavar="TIME", type=moment, help="when it happened: a time, or how long ago (default: now)")
    parser.add_argument("-m", "--manifest", metavar="FILE", help="where names stand (default: licet.yaml, if it is there)")
    parser.add_argument("--json", action="store_true", help="print one JSON object with all lines, and whether a log names the credential")
    add_state(parser)


def run(options: argparse.Namespace) -> int:
    """Write it, and print it."""
    verb: Verb = options.verb
    folder = open_state(options.state)
    fingerprint = fingerprints_of(folder)
    about = {"workload": options.workload} if verb.job else {}
    said = about | _said(options, verb)
    texts = [""] if verb.job else list(_versions(options, verb, folder))
    new = named(options.to) if verb.kind == "rotated" else ""
    uid, events = secrets.token_hex(16), []
    for number, text in enumerate(texts):
        which = {"credential": new, "supersedes": text} if new else {"credential": text} if text else {}
        events.append({"id": f"{uid}{f'-{number + 1}' if number else ''}"} | said | which)
    if new and new == texts[0]:
        raise UsageError("the new version is the old one; give the id of the new one with `--to`")
    old = [str(event.get("supersedes") or event.get("credential") or "") for event in events]
    unheard = verb.kind != "issued" and not verb.job and not _heard_of(folder, old, fingerprint)
    record(folder.path, *events)
    for event in events:
        for word in {"credential", "supersedes"} & event.keys():
            event[word] = event[word] if is_fingerprint(event[word]) else fingerprint(event[word])
        if not options.json:
            output.say(json.dumps(event, ensure_ascii=True))
    if options.json:
        output.data({"events": events, "known": not unheard})
    if unheard:
        output.error("nobody has heard of this credential here until now: no log names it. If its id is a slip, the one meant is as it was")
    return 0


def _heard_of(folder: StateFolder, shown: Sequence[str], fingerprint: Callable[[str], str]) -> bool:
    """Whether one of these ids or fingerprints is known."""
    if not (folder.path / FILE).exists():
        return False
    with closing(Inventory(folder.path / FILE, reading=True)) as inventory:
        return any(inventory.credential(each if is_fingerprint(each) else fingerprint(each)) is not None for each in shown)


def _said(options: argparse.Namespace, verb: Verb) -> dict[str, Any]:
    at = time.time() if options.at is None else options.at
    found: dict[str, Any] = {"time": iso(at), "kind": verb.kind, "by": options.by or f"user:{user_name()}"}
    expires = getattr(options, "expires", None)
    found |= {"expires": iso(expires)} if expires is not None else {}
    if verb.kind == "bound":
        found["workload"] = options.workload
    if verb.kind == "renewed":
        found["generation"] = options.generation
        found |= {"presented_generation": options.presented} if options.presented is not None else {}
    found |= {"identity": options.identity} if options.identity else {}
    return found | ({"reason": why} if (why := reason(options)) else {})


def _versions(options: argparse.Namespace, verb: Verb, folder: StateFolder) -> Iterator[str]:
    """What the event is about: ids or fingerprints.

    Raises:
        UsageError: it cannot be told which version is meant.
    """
    text, ids = named(options.credential), ids_of(options.manifest)
    if text in ids:
        yield from _of_name(text, ids[text], verb)
    elif text.startswith(PREFIX) and not is_fingerprint(text):
        with closing(Inventory(folder.path / FILE)) as inventory:
            found = known(inventory, lambda each: each, text)
        if not found:
            raise UsageError(f"no fingerprint begins with {text!r}; `licet trace` and findings show them whole")
        yield found[0]
    else:
        yield text


def _of_name(name: str, ids: Sequence[str], verb: Verb) -> Iterator[str]:
    if verb.every:
        yield from (credential_id(name), *ids)
    elif len(ids) == 1:
        yield ids[0]
    elif verb.kind == "rotated":
        have = f"has {len(ids)} ids" if ids else "has no `ids`"
        raise UsageError(f"credential {name!r} {have} in the manifest, and one version takes the place of one; give the old one's id")
    else:
        yield credential_id(name)
