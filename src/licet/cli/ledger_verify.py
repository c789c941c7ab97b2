"""`licet ledger verify`: whether a ledger, or evidence from one, is what was signed. Offline, with public keys only."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from licet.cli import output
from licet.cli.ledger_keys import add_keys, kept_notes, keys_of, witnesses_of
from licet.cli.state import add_state, existing
from licet.errors import LicetError, UsageError
from licet.escape import counted, visible
from licet.guard.contents import ContentsCheck, contents_beside
from licet.guard.state import LEDGER, StateFolder, default_state, key_is_gone
from licet.guard.stored import StoredCheck, stored_beside
from licet.ledger import LedgerKey, layout
from licet.ledger.check.faults import Fault
from licet.ledger.check.lines import check_lines, looks_like_lines
from licet.ledger.check.remedies import NEXT, OF_EVIDENCE, next_steps
from licet.ledger.check.verdict import Verdict
from licet.ledger.check.verify import verify
from licet.ledger.evidence.bundle import MAX_BYTES, looks_like_bundle, verify_bundle
from licet.ledger.evidence.verdict import BundleVerdict
from licet.ledger.note import NoteKey
from licet.ledger.signer import HEAD_FILE, KEY_FILE

EXAMPLE = """\
Give --key a key that you have from elsewhere (`licet ledger key` on the guard's side), and --kept each checkpoint that you kept: a copy
of the file `checkpoint` is enough to see later that a ledger was set back or forked. Of one's own state folder both are known.

What is wrong is named, with what to do next: altered, reordered, removed, inserted, truncated, rolled-back, forked, key-unknown,
bad-signature, not-cosigned, other-log, malformed, no-checkpoint, no-live, tiles, key-file, unmatched, altered-content (of the contents
that are kept beside the ledger).

Exit codes: 0 whole, 1 not, 2 cannot be read.

example: licet ledger verify
         licet ledger verify copy/ledger --key guard.vkey --kept checkpoint-of-monday
         licet ledger verify evidence.json --key guard.vkey --json | jq '.faults[].code'
"""
_EVERY_SECONDS = 2.0  # between two words on how far it is
_HEAD_BYTES = 4_096
_MOST_DENIED = 20  # that are listed
_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class _Known:
    """What is held against what stands there. `whose`: how the keys are known, if nobody gave them. `missing`: what should be there of the
    state `folder`, if it is one's own.
    """

    keys: Sequence[NoteKey]
    whose: str = ""
    head: str | None = None
    missing: str = ""
    folder: StateFolder | None = None


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    what = "a ledger's folder, a state folder, evidence, or a ledger's file of an older release (default: the state folder's ledger)"
    parser.add_argument("target", metavar="DIR|FILE", nargs="?", help=what)
    add_keys(parser)
    parser.add_argument(
        "--no-semantic", action="store_true", help="do not read what the records say: only whether they are what was signed"
    )
    parser.add_argument("--max-size", metavar="BYTES", type=_bytes, default=MAX_BYTES, help="the largest file of evidence that is read")
    parser.add_argument("-v", "--verbose", action="store_true", help="say how long each pass took")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    add_state(parser)


def _bytes(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and int(text)):
        raise argparse.ArgumentTypeError("must be a whole number of bytes")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Verify; 1 if something is wrong."""
    if options.target is None:
        return _folder(options, *_of_state(options))
    target = Path(options.target)
    try:
        is_file, is_folder = target.is_file(), target.is_dir()
    except (OSError, ValueError) as error:
        raise UsageError(f"{target}: is no path that can be looked at") from error
    if is_folder:
        state = StateFolder(target)
        return _folder(options, state.ledger, state) if _is_state(state) else _folder(options, target)
    if not is_file:
        if _has_signed(StateFolder(target.absolute().parent)) and target.name == LEDGER:
            return _folder(options, target, StateFolder(target.absolute().parent))
        raise UsageError(f"{target}: cannot be read: No such file or directory; check path and rights")
    head = _head(target)
    if looks_like_bundle(head):
        return _evidence(options, target)
    return _lines(options, target) if looks_like_lines(head) else _unknown(options, target, empty=not head)


def _of_state(options: argparse.Namespace) -> tuple[Path, StateFolder]:
    """The state folder and its ledger, which may be gone: then that is what is wrong."""
    folder = StateFolder(default_state() if options.state is None else Path(options.state))
    if _has_signed(folder):
        existing(options)  # it is there, and ours alone
    else:
        folder = existing(options, "ledger")
    return folder.ledger, folder


def _has_signed(folder: StateFolder) -> bool:
    try:
        return (folder.keys / HEAD_FILE).exists()
    except (OSError, ValueError):
        return False


def _is_state(folder: StateFolder) -> bool:
    """Whether a folder is one that a ledger's folder stands in, or stood in."""
    if any((folder.path / name).exists() for name in (layout.CHECKPOINT, layout.LIVE, layout.HASHES)):
        return False
    return folder.ledger.is_dir() or _has_signed(folder) or folder.store.exists()


def _folder(options: argparse.Namespace, target: Path, state: StateFolder | None = None) -> int:
    known = _known(options, target, state)
    found = verify(
        target,
        known.keys,
        kept=kept_notes(options),
        head=known.head,
        witnesses=witnesses_of(options),
        semantic=not options.no_semantic,
        progress=_progress(),
        gone=known.folder is not None,
    )
    # Of a ledger that is not whole, nobody knows what its records say of contents and tasks.
    look = found.whole and not options.no_semantic
    beside = contents_beside(target, copy=known.folder is None) if look else ContentsCheck()
    stored = stored_beside(target) if look else StoredCheck()
    whole, faults = found.whole and not beside.faults, (*found.faults, *beside.faults)
    steps = next_steps(faults, _steps(found, known, target))
    if options.json:
        told = found.as_dict() | {"ok": whole, "faults": [dataclasses.asdict(fault) for fault in faults], "next": steps}
        output.data(
            told
            | {"contents": beside.as_dict(), "store": stored.as_dict()}
            | {"keys": [str(key) for key in known.keys], "own_key": bool(known.whose)}
        )
        return 0 if whole else 1
    believed = found.signed_by or found.cosigned_by
    how_many = f"{counted(found.records, 'record')}" + (f", {found.signed:,} of them signed" if believed else "")
    _headline(found.path, whole=whole, told=how_many)
    said = [*found.observations, *beside.sentences(), *stored.sentences(), *([known.missing] if known.missing else [])]
    _say(found.holds, faults, said, known.whose if found.signed_by else "", steps)
    if options.verbose or found.byte_seconds + (found.semantic_seconds or 0.0) >= _EVERY_SECONDS:
        _time(found)
    return 0 if whole else 1


def _steps(found: Verdict, known: _Known, target: Path) -> dict[str, str]:
    """What to do next, where more is known than the code."""
    steps = dict(NEXT)
    codes = {fault.code for fault in found.faults}
    if known.missing:
        steps["key-unknown"] = known.missing
    if known.folder is not None and not target.is_dir():
        return steps | dict.fromkeys(("no-checkpoint", "truncated"), f"put {target} back, whole; {NEXT['truncated']}")
    if "no-checkpoint" in codes and known.head and found.signed_by:
        # Only where all that was signed stands there: else more is gone than this file.
        copied = f"`cp {shlex.quote(str(_head_of(known)))} {shlex.quote(str(target / layout.CHECKPOINT))}`"
        steps["no-checkpoint"] = f"{copied}: it is the last that was signed" if codes == {"no-checkpoint"} else NEXT["truncated"]
    elif "no-checkpoint" in codes and known.folder is not None and found.records:
        steps["no-checkpoint"] = "a guard that runs writes one within a second; if none runs, start one and verify again"
    return steps


def _head_of(known: _Known) -> Path:
    return (known.folder.keys if known.folder is not None else Path()) / HEAD_FILE


def _evidence(options: argparse.Namespace, target: Path) -> int:
    known = _known(options, None)
    with _opened(target) as file:
        data = file.read(options.max_size + 1)
    found: BundleVerdict = verify_bundle(
        data, known.keys, kept=kept_notes(options), witnesses=witnesses_of(options), max_bytes=options.max_size
    )
    steps = next_steps(found.faults, OF_EVIDENCE)
    if options.json:
        told = {"path": str(target)} | found.as_dict() | {"next": steps}
        output.data(told | {"keys": [str(key) for key in known.keys], "own_key": bool(known.whose)})
        return 0 if found.ok else 1
    about = f"evidence about {found.about.kind} {visible(found.about.id, 80)}" if found.about is not None else "evidence"
    _headline(str(target), whole=found.ok, told=f"{about}, {counted(found.records, 'record')}")
    _say(found.holds, found.faults, (), known.whose if found.signed_by else "", steps)
    if found.more_faults:
        output.say(f"  and {counted(found.more_faults, 'fault')} more")
    say_denied(found)
    for sentence in found.not_shown:
        output.say("  ", output.paint("not shown", "dim"), f": {sentence}")
    return 0 if found.ok else 1


def say_denied(found: BundleVerdict) -> None:
    """Which calls were refused, for whom and why: a line each."""
    denied = [own for own in found.accounts if own.status == "denied"]
    for own in denied[:_MOST_DENIED]:
        who = f"{own.agent} for {own.principal}" if own.principal else own.agent
        why = own.reasons[0] if own.reasons else "no reason is on record"
        more = f" (and {counted(len(own.reasons) - 1, 'reason')} more)" if len(own.reasons) > 1 else ""
        place = f" record {own.seqs[-1]}, {own.time}: " if own.seqs else ": "
        output.say("  ", output.paint("denied", "yellow"), f":{place}{own.tool} by {who}: {why}{more}")
    if len(denied) > _MOST_DENIED:
        output.say(f"  … and {len(denied) - _MOST_DENIED:,} more; `licet ledger show FILE --denied` has all")


def _unknown(options: argparse.Namespace, target: Path, *, empty: bool) -> int:
    """What is neither evidence nor a ledger's lines: nothing in it is shown to be anything."""
    what = "it is empty" if empty else "it is neither evidence from a ledger nor the lines of one"
    fault = Fault("malformed", what)
    steps = next_steps([fault], OF_EVIDENCE)
    if options.json:
        told: dict[str, Any] = {"ok": False, "path": str(target), "records": 0, "faults": [dataclasses.asdict(fault)], "next": steps}
        output.data(told)
        return 1
    _headline(str(target), whole=False, told="0 records")
    _say((), [fault], (), "", steps)
    return 1


def _lines(options: argparse.Namespace, target: Path) -> int:
    if options.key or options.kept or options.witness:
        raise UsageError(
            f"{target}: is a ledger's file of an older release, which nobody signed: no key and no checkpoint can be held against it"
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


def _known(options: argparse.Namespace, target: Path | None, state: StateFolder | None = None) -> _Known:
    """The keys that were given; of one's own ledger, and for evidence, the state folder's own key, and what that signed last."""
    given = keys_of(options)
    try:
        folder: StateFolder = state or existing(options, "ledger")
        if state is None and target is not None and not folder.ledger.samefile(target):
            return _Known(given)
        if target is not None and (gone := key_is_gone(folder)):
            return _Known(given, missing=f"{folder.keys / KEY_FILE} is missing, and {gone}: put it back", folder=folder)
        key = LedgerKey.of(folder.keys, create=False)
    except (LicetError, OSError):
        if (options.state is not None or (state is not None and options.target is None)) and not given:
            raise
        return _Known(given, folder=state)
    head = key.last() if target is not None else None
    if given:
        return _Known(given, head=head, folder=folder)
    return _Known([key.note_key], f"the key is that of {folder.path}", head, folder=folder)


def _headline(path: str, *, whole: bool, told: str) -> None:
    output.say(f"{path}: ", output.paint("whole", "green") if whole else output.paint("not whole", "red"), f" ({told})")


def _say(holds: Sequence[str], faults: Sequence[Fault], observations: Sequence[str], whose: str, steps: Mapping[str, str]) -> None:
    for fault in faults:
        output.say("  ", output.paint(fault.code, "red"), f": {fault.sentence}")
    for step in steps.values():
        output.say("  ", output.paint("next", "bold"), f": {step}")
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
