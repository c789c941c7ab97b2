"""`licet ledger verify`: whether a ledger, or evidence from one, is what was signed. Offline, with public keys only."""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from licet.cli import output
from licet.cli.ledger_keys import add_keys, kept_notes, keys_of, witnesses_of
from licet.cli.state import add_state, existing
from licet.errors import LicetError, UsageError
from licet.escape import counted, visible
from licet.guard.contents import ContentsCheck, contents_beside
from licet.guard.state import StateFolder
from licet.ledger import LedgerKey
from licet.ledger.check.faults import Fault
from licet.ledger.check.lines import check_lines
from licet.ledger.check.verdict import Verdict
from licet.ledger.check.verify import verify
from licet.ledger.evidence.bundle import MAX_BYTES, looks_like_bundle, verify_bundle
from licet.ledger.evidence.verdict import BundleVerdict
from licet.ledger.note import NoteKey

EXAMPLE = """\
Give --key a key that you have from elsewhere (`licet ledger key` on the guard's side), and --kept each checkpoint that you kept: a copy
of the file `checkpoint` is enough to see later that a ledger was set back or forked. Of one's own state folder both are known.

What is wrong is named: altered, reordered, removed, inserted, truncated, rolled-back, forked, key-unknown, bad-signature, not-cosigned,
other-log, malformed, no-checkpoint, tiles, key-file, unmatched, altered-content (of the contents that are kept beside the ledger).

Exit codes: 0 whole, 1 not, 2 cannot be read.

example: licet ledger verify
         licet ledger verify copy/ledger --key guard.vkey --kept checkpoint-of-monday
         licet ledger verify evidence.json --key guard.vkey --json | jq '.faults[].code'
"""
_EVERY_SECONDS = 2.0  # between two words on how far it is
_HEAD_BYTES = 4_096
_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class _Known:
    """What is held against what stands there. `whose`: how the keys are known, if nobody gave them."""

    keys: Sequence[NoteKey]
    whose: str = ""
    head: str | None = None


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    what = "a ledger's folder, a file of evidence, or a ledger's file of an older release (default: the state folder's ledger)"
    parser.add_argument("target", metavar="DIR|FILE", nargs="?", help=what)
    add_keys(parser)
    parser.add_argument(
        "--no-semantic", action="store_true", help="do not read what the records say: only whether they are what was signed"
    )
    parser.add_argument("--max-size", metavar="BYTES", type=_bytes, default=MAX_BYTES, help="the largest file of evidence that is read")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    add_state(parser)


def _bytes(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and int(text)):
        raise argparse.ArgumentTypeError("must be a whole number of bytes")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Verify; 1 if something is wrong."""
    target = Path(options.target) if options.target is not None else existing(options, "ledger").ledger
    try:
        is_file = target.is_file()
        is_folder = target.is_dir()
    except (OSError, ValueError) as error:
        raise UsageError(f"{target}: is no path that can be looked at") from error
    if not is_file and not is_folder:
        raise UsageError(f"{target}: cannot be read: No such file or directory; check path and rights")
    if is_folder:
        return _folder(options, target)
    head = _head(target)
    return _evidence(options, target) if looks_like_bundle(head) else _lines(options, target)


def _folder(options: argparse.Namespace, target: Path) -> int:
    known = _known(options, target)
    found = verify(
        target,
        known.keys,
        kept=kept_notes(options),
        head=known.head,
        witnesses=witnesses_of(options),
        semantic=not options.no_semantic,
        progress=_progress(),
    )
    # Of a ledger that is not whole, nobody knows what its records say of contents.
    beside = contents_beside(target) if found.whole and not options.no_semantic else ContentsCheck()
    whole, faults = found.whole and not beside.faults, (*found.faults, *beside.faults)
    if options.json:
        told = found.as_dict() | {"ok": whole, "faults": [dataclasses.asdict(fault) for fault in faults], "contents": beside.as_dict()}
        output.data(told | {"keys": [str(key) for key in known.keys], "own_key": bool(known.whose)})
        return 0 if whole else 1
    _headline(found.path, whole, f"{counted(found.records, 'record')}, {found.signed:,} of them signed")
    _say(found.holds, faults, [*found.observations, *beside.sentences()], known.whose if found.signed_by else "")
    _time(found)
    return 0 if whole else 1


def _evidence(options: argparse.Namespace, target: Path) -> int:
    known = _known(options, None)
    with _opened(target) as file:
        data = file.read(options.max_size + 1)
    found: BundleVerdict = verify_bundle(
        data, known.keys, kept=kept_notes(options), witnesses=witnesses_of(options), max_bytes=options.max_size
    )
    if options.json:
        output.data({"path": str(target)} | found.as_dict() | {"keys": [str(key) for key in known.keys], "own_key": bool(known.whose)})
        return 0 if found.ok else 1
    about = f"evidence about {found.about.kind} {visible(found.about.id, 80)}" if found.about is not None else "evidence"
    _headline(str(target), found.ok, f"{about}, {counted(found.records, 'record')}")
    _say(found.holds, found.faults, (), known.whose if found.signed_by else "")
    if found.more_faults:
        output.say(f"  and {counted(found.more_faults, 'fault')} more")
    for sentence in found.not_shown:
        output.say("  ", output.paint("not shown", "dim"), f": {sentence}")
    return 0 if found.ok else 1


def _lines(options: argparse.Namespace, target: Path) -> int:
    if options.key or options.kept or options.witness:
        raise UsageError(
            f"{target}: is neither a ledger's folder nor evidence from one, so that no key and no checkpoint can be held against it"
        )
    check = check_lines(target)
    if options.json:
        output.data(dataclasses.asdict(check) | {"ok": not check.broken})
    elif check.broken:
        output.say(
            f"{check.path}: ", output.paint("broken", "red"), f": {check.broken} ({counted(check.records, 'record')} before it well)"
        )
    else:
        said = "linked lines of an older release: a tail that was cut off does not show"
        output.say(f"{check.path}: ", output.paint("whole", "green"), f" ({counted(check.records, 'record')}, head {check.head}; {said})")
    return 1 if check.broken else 0


def _known(options: argparse.Namespace, target: Path | None) -> _Known:
    """The keys that were given; of one's own ledger, and for evidence, the state folder's own key, and what that signed last."""
    given = keys_of(options)
    try:
        folder: StateFolder = existing(options, "ledger")
        own = target is None or folder.ledger.samefile(target)
        key = LedgerKey.of(folder.keys, create=False) if own else None
    except (LicetError, OSError):
        if options.state is not None and not given:
            raise
        return _Known(given)
    if key is None:
        return _Known(given)
    head = key.last() if target is not None else None
    return _Known(given, head=head) if given else _Known([key.note_key], f"the key is that of {folder.path}", head)


def _headline(path: str, whole: bool, told: str) -> None:  # noqa: FBT001 - it is the headline
    output.say(f"{path}: ", output.paint("whole", "green") if whole else output.paint("not whole", "red"), f" ({told})")


def _say(holds: Sequence[str], faults: Sequence[Fault], observations: Sequence[str], whose: str) -> None:
    for fault in faults:
        output.say("  ", output.paint(fault.code, "red"), f": {fault.sentence}")
    for sentence in holds:
        output.say("  ", output.paint("holds", "green"), f": {sentence}")
    for sentence in [*observations, *([f"{whose}; a stranger needs it from elsewhere"] if whose else [])]:
        output.say("  ", output.paint("note", "yellow"), f": {sentence}")


def _time(found: Verdict) -> None:
    rate = found.records / found.byte_seconds if found.byte_seconds else 0.0
    semantic = "left out" if found.semantic_seconds is None else f"{found.semantic_seconds:.2f} s"
    output.error(
        f"byte pass: {found.bytes / _MEGABYTE:,.1f} MB in {found.byte_seconds:.2f} s ({rate:,.0f} records/s); semantic pass: {semantic}"
    )


def _progress() -> Callable[[int, int], None]:
    last = time.monotonic()

    def say(done: int, of: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _EVERY_SECONDS:
            last = time.monotonic()
            output.error(f"{done:,} of {of:,} records")

    return say


def _head(target: Path) -> bytes:
    with _opened(target) as file:
        return file.read(_HEAD_BYTES)


def _opened(target: Path) -> BinaryIO:
    try:
        return target.open("rb")
    except OSError as error:
        raise UsageError(f"{target}: cannot be read: {error.strerror}; check path and rights") from error
