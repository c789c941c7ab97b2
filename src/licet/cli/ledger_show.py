"""`licet ledger show`: records, one a line, as they stand. It verifies nothing."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from licet.cli import output
from licet.cli.ledger_records import Numbered, folder_of, forward, newest, of_evidence, parsed
from licet.cli.ledger_told import told, whys
from licet.cli.state import add_state, existing
from licet.clock import iso
from licet.errors import UsageError
from licet.escape import counted
from licet.ledger import LedgerFiles
from licet.ledger.fields import KINDS

EXAMPLE = """\
What stands there is shown, whether it was signed or not: `licet ledger verify` tells. With --json, records come as they stand, byte for
byte, one a line (on a terminal, what could act on it is escaped). TIME is 2026-11-23, 2026-11-23T10:30, with or without a zone (else
UTC), or how long ago: 30m, 2h, 7d.

example: licet ledger show -n 20
         licet ledger show --record 1200
         licet ledger show --denied --since 2h
         licet ledger show --task 3f2a --json | jq 'select(.reasons) | .reasons'
         licet ledger show evidence.json
         licet ledger show --follow
"""
_AGE = re.compile(r"[1-9][0-9]{0,8}(ms|s|m|h|d)", re.ASCII)
_REFUSED = frozenset({"call.denied", "identity.refused"})


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    what = "a ledger's folder, or a file of evidence (default: the state folder's ledger)"
    parser.add_argument("target", metavar="DIR|FILE", nargs="?", help=what)
    parser.add_argument("--record", metavar="SEQ", type=_seq, help="only this record")
    parser.add_argument("--from", dest="first", metavar="SEQ", type=_seq, default=1, help="from this record on (default: 1)")
    parser.add_argument("--to", dest="last", metavar="SEQ", type=_seq, help="up to this record (default: the last)")
    parser.add_argument("-n", "--last", dest="number", metavar="N", type=_seq, help="of all that, only the last N")
    parser.add_argument("--task", metavar="ID", help="only those of one task (a beginning of its id is enough)")
    parser.add_argument("--call", metavar="ID", help="only those of one call (a beginning of its id is enough)")
    parser.add_argument("--kind", metavar="KIND", action="append", default=[], help="only those of this kind; may be given again")
    parser.add_argument("--denied", action="store_true", help="only what was refused: calls, delegations, tokens")
    parser.add_argument("--principal", metavar="NAME", help="only what was done for one person, by the whole name")
    parser.add_argument("--since", metavar="TIME", type=_time, help="only from this time on")
    parser.add_argument("--until", metavar="TIME", type=_time, help="only before this time")
    parser.add_argument("--follow", action="store_true", help="go on with what comes, until interrupted")
    parser.add_argument("--json", action="store_true", help="print the records themselves, one a line")
    add_state(parser)


def _seq(given: str) -> int:
    if not (given.isascii() and given.isdigit() and len(given) < 19 and int(given)):
        raise argparse.ArgumentTypeError("must be a whole number, from 1")
    return int(given)


def _time(given: str) -> str:
    """A point in time as records have it."""
    if _AGE.fullmatch(given):
        from licet.cli.acts import seconds  # brings the manifest's words with it

        return iso(time.time() - seconds(given))
    try:
        found = datetime.fromisoformat(given)
        return iso((found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError, OSError) as error:
        raise argparse.ArgumentTypeError("must be a time, such as 2026-11-23T10:30Z, or how long ago, such as 2h") from error


def run(options: argparse.Namespace) -> int:
    """Print them as they are read; 2 if what was named is not there."""
    if options.record is not None:
        options.first = options.last = options.record
    if options.follow and (options.number is not None or options.last is not None):
        raise UsageError("--follow goes on with what comes: give --from, and neither --to nor --last nor --record")
    wanted = _Wanted(options)
    printed = 0
    for seq, raw in _chosen(options, wanted):
        printed += 1
        _say(seq, raw, as_json=options.json)
        if options.follow:
            sys.stdout.flush()
    if not printed:
        wanted.explain()
    return 0


class _Wanted:
    """Which records are asked for; and, if there were none, why."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options, self._kinds, self._read = options, frozenset(options.kind), 0
        self._seen: set[str] = set()  # of what was named, what some record has

    def __call__(self, row: Numbered) -> bool:
        self._read += 1
        record = parsed(row[1])
        named = {
            "task": self._begins(record, "task"), "call": self._begins(record, "call"),
            "kind": not self._kinds or record.get("kind") in self._kinds,
            "principal": self._options.principal is None or record.get("sub") == self._options.principal,
        }  # fmt: skip
        self._seen.update(name for name, fits in named.items() if fits)
        return all(named.values()) and self._in_time(record) and (not self._options.denied or _refused(record))

    def _begins(self, record: Mapping[str, Any], name: str) -> bool:
        beginning, value = getattr(self._options, name), record.get(name)
        return beginning is None or (isinstance(value, str) and value.startswith(beginning))

    def _in_time(self, record: Mapping[str, Any]) -> bool:
        since, until, at = self._options.since, self._options.until, record.get("time")
        if since is None and until is None:
            return True
        return isinstance(at, str) and (since is None or at >= since) and (until is None or at < until)

    def explain(self) -> None:
        """Say that nothing was found.

        Raises:
            UsageError: what was named is in no record.
        """
        options = self._options
        if not self._read:
            beyond = f" from {options.first} on" if options.first > 1 else ""
            raise UsageError(f"there is no record{beyond}; `licet ledger show -n 1` shows the last")
        among = f"of {counted(self._read, 'record')} looked at, none"
        for name, what in (("task", "is of a task whose id begins with"), ("call", "is of a call whose id begins with")):
            if name not in self._seen:
                raise UsageError(f"{among} {what} {getattr(options, name)!r}")
        if "principal" not in self._seen:
            raise UsageError(f"{among} is for {options.principal!r}; the name is the whole one that the task was begun with")
        if unknown := sorted(self._kinds - KINDS.keys()):
            raise UsageError(f"{among} is of kind {', '.join(map(repr, unknown))}; kinds are {', '.join(KINDS)}")
        output.error(f"{among} is what was asked for")


def _refused(record: Mapping[str, Any]) -> bool:
    return record.get("outcome") == "deny" or record.get("kind") in _REFUSED


def _chosen(options: argparse.Namespace, wanted: _Wanted) -> Iterable[Numbered]:
    path = Path(options.target) if options.target is not None else existing(options, "ledger").ledger
    try:
        is_file, is_folder = path.is_file(), path.is_dir()
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: is no path that can be looked at") from error
    if is_file:
        return _of_file(options, path, wanted)
    if not is_folder:
        raise UsageError(f"{path}: is no folder of a ledger, and no file of evidence; check the path")
    files = LedgerFiles(folder_of(path))
    if options.number is not None:
        return newest(files, options.first, options.last, options.number, wanted)
    return filter(wanted, forward(files, options.first, options.last, follow=options.follow))


def _of_file(options: argparse.Namespace, path: Path, wanted: _Wanted) -> list[Numbered]:
    if options.follow:
        raise UsageError(f"{path}: nothing comes into a file of evidence; leave --follow out")
    rows = [row for row in of_evidence(path) if options.first <= row[0] and (options.last is None or row[0] <= options.last)]
    found = [row for row in rows if wanted(row)]
    output.error(f"{path}: not verified here; `licet ledger verify` does that")
    return found if options.number is None else found[-options.number :]


def _say(seq: int, raw: bytes, *, as_json: bool) -> None:
    """Number, and what it says; then why."""
    if as_json:
        output.line(raw)
        return
    record = parsed(raw)
    if not record:
        output.say(f"{seq:>8}  ", output.paint("is not a record", "red"))
        return
    output.say(f"{seq:>8}  ", told(record))
    for sentence in whys(record):
        output.say(f"{'':8}  ", output.paint(sentence, "dim"))
