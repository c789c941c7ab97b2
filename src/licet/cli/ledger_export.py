"""`licet ledger export`: everything about one task, finding or call in one file that whoever trusts nobody can check offline."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from licet.canonical import Plain
from licet.chain import CallGraph, explain
from licet.cli import output
from licet.cli.state import add_state, existing, store_of
from licet.clock import iso
from licet.errors import UsageError
from licet.escape import counted
from licet.guard.contents import contents_of, open_contents
from licet.guard.purges import Purged, purges
from licet.guard.state import StateFolder, open_ledger
from licet.ledger import LedgerFiles, LedgerKey, tiles
from licet.ledger.check.noted import noted
from licet.ledger.evidence.beside import ELSEWHERE, NODE, named_contents
from licet.ledger.evidence.bundle import MAX_BYTES, verify_bundle
from licet.ledger.evidence.covered import About, Entry, of_calls, of_seqs, of_task, whole_id, with_records
from licet.ledger.evidence.statement import Beside, bundle, evidence
from licet.ledger.evidence.verdict import BundleVerdict
from licet.ledger.note import MAX_NOTE, Checkpoint, NoteKey, opened
from licet.records import Finding
from licet.report import Story, collect
from licet.report.spans import LEFT_OUT, otlp
from licet.store import Store
from licet.version import VERSION

_TILES = 4_096  # of 8 KiB each
EXAMPLE = """\
The file is an in-toto Statement in a DSSE envelope, signed with the ledger's key. Before it is made, a checkpoint is signed over all
that stands. Whoever gets it needs the public key (`licet ledger key`) from elsewhere. Contents that were opted in to are in it: look at
what you hand on. To read it: `jq -r .payload FILE | base64 -d | jq .`

Exit codes: 0 well, 1 the file is written and what the store says is not what the ledger says, 2 it cannot be made.

example: licet ledger export --task 3f2a -o task.json
         licet ledger export --finding 81c0 -o finding.json
         licet ledger export --task 3f2a --kept last-quarter.note -o task.json
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--task", metavar="ID", help="a task and its sub-tasks (a unique beginning of its id is enough)")
    what.add_argument("--finding", metavar="ID", help="a finding, with the task that it is about")
    what.add_argument("--call", metavar="ID", help="one call, and the calls that led to it")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write it (default: standard output)")
    parser.add_argument(
        "--kept", metavar="NOTE", action="append", default=[],
        help="a file with a checkpoint that the reader has from before: prove that the log goes on from it; may be given again",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print what was written and what it shows as one JSON object; needs -o")
    add_state(parser)


def run(options: argparse.Namespace) -> int:
    """Write the file, and check it as its reader will."""
    if options.json and options.output is None:
        raise UsageError("--json says what was written to a file: give -o FILE")
    folder = existing(options, "ledger")
    with _written(options.output) as write:
        key, note = _sealed(folder)
        text, altered = _made(options, folder, key, note)
        found = verify_bundle(text, [key.note_key], max_bytes=len(text))
        write(text)
    if options.output is not None:
        output.say("wrote ", options.output, stream=sys.stderr)
    _tell(options, text, found, altered)
    return 0 if found.ok and not altered else 1


@contextmanager
def _written(name: str | None) -> Iterator[Callable[[str], None]]:
    """What takes the text, which then stands in the file whole, its owner's alone; where nothing comes of it, there is no file, and one
    that was there before stands. That it cannot be written is found out first, before long work.

    Raises:
        UsageError: it cannot be written.
    """
    if name is None:
        yield output.write
        return
    try:
        target = Path(name)
        whole = target.is_file() or not os.path.lexists(name)  # else a device or a pipe, which is written to as it is
        beside = target.with_name(f".{target.name}.{os.urandom(4).hex()}") if whole else target
        descriptor = os.open(beside, os.O_WRONLY | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if whole else os.O_NONBLOCK), 0o600)
    except (OSError, ValueError) as error:
        raise _unwritten(name, error) from error

    def write(text: str) -> None:
        try:
            left = memoryview(text.encode())
            while left:
                left = left[file.write(left) :]
            if whole:
                beside.replace(target)
        except OSError as error:
            raise _unwritten(name, error) from error

    try:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            yield write
    finally:
        if whole:
            with suppress(OSError):
                beside.unlink(missing_ok=True)


def _unwritten(name: str, error: Exception) -> UsageError:
    why = error.strerror if isinstance(error, OSError) else "not a path"
    return UsageError(f"{name}: cannot be written: {why}; check path and rights")


def _sealed(folder: StateFolder) -> tuple[LedgerKey, str]:
    """The key, and a checkpoint over all that stands now."""
    files = LedgerFiles(folder.ledger)
    old = files.checkpoint()
    ledger = open_ledger(folder, origin=_origin(old) if old else "")
    try:
        note = ledger.seal()
    finally:
        ledger.close()
    return LedgerKey.of(folder.keys, origin=_origin(note), create=False), note


def _origin(note: str) -> str:
    return note.partition("\n")[0]


def _made(options: argparse.Namespace, folder: StateFolder, key: LedgerKey, note: str) -> tuple[str, Sequence[str]]:
    """The file, and sentences on what beside the ledger is not what it says."""
    files = LedgerFiles(folder.ledger)
    checkpoint = Checkpoint.parse(opened(note, [key.note_key]).text)

    def log() -> Any:
        return files.records(0, checkpoint.size)

    store = store_of(folder) if folder.store.exists() else None
    if store is None:
        about, entries, beside = _gathered(options, log, None)
    else:
        with store as there:
            about, entries, beside = _gathered(options, log, there)
    entries, beside, altered = _with_contents(folder, log, entries, beside)
    read = lru_cache(_TILES)(files.tiles(checkpoint.size))
    statement = evidence(
        about, entries, note=note, checkpoint=checkpoint, keys=[key.note_key],
        subtree=lambda low, high: tiles.subtree(low, high, read),
        made=iso(time.time()), by=f"licet {VERSION}", beside=beside, kept=[_kept(name, key.note_key, checkpoint) for name in options.kept],
    )  # fmt: skip
    return bundle(statement, key), altered


def _gathered(options: argparse.Namespace, log: Any, store: Store | None) -> tuple[About, Sequence[Entry], Beside]:
    finding = _finding(store, options.finding) if options.finding is not None else None
    if finding is not None and not (finding.task_id or finding.call_id):
        if not finding.ledger:
            raise UsageError(f"finding {finding.id} is about no task and no call, and cites no record: the ledger has nothing of it")
        about, entries = of_seqs(log, [finding.ledger], id_=finding.id)
        return about, entries, Beside(findings=[asdict(finding)])
    kind, id_ = ("finding", finding.id) if finding is not None else ("call", "") if options.call is not None else ("task", "")
    asked = options.task if finding is None else finding.task_id
    if asked:
        task, _, txn = whole_id(log, "task", asked)
        about, entries = of_task(log, task, txn, kind=kind, id_=id_ or task)  # type: ignore[arg-type]
        story = _story(store, task)
        return about, entries, _beside(story, story.graph if story else None, finding)
    call, task, txn = whole_id(log, "call", options.call or (finding.call_id if finding else ""))
    story = _story(store, task)
    graph = explain(story.graph, call) if story is not None and f"{NODE}{call}" in story.graph.by_id else None
    drawn = graph.nodes if graph is not None else ()
    calls = {call, *(node.id.removeprefix(NODE) for node in drawn if node.kind == "call" and node.status != ELSEWHERE)}
    about, entries = of_calls(log, calls, txn, kind=kind, id_=id_ or call)  # type: ignore[arg-type]
    return about, entries, _beside(_only(story, calls), graph, finding)


def _finding(store: Store | None, prefix: str) -> Finding:
    found = [each for each in (store.findings() if store is not None else ()) if each.id.startswith(prefix)]
    if len(found) != 1:
        many = "begins more than one finding's id; write more of it" if found else "is the beginning of no finding's id"
        raise UsageError(f"{prefix!r} {many}; `licet findings --json` lists them")
    return found[0]


def _story(store: Store | None, task: str) -> Story | None:
    """What the store has of a task; what was purged is no longer there."""
    return collect(store, task) if store is not None and task and store.task(task) is not None else None


def _only(story: Story | None, calls: set[str]) -> Story | None:
    """The story of some calls alone."""
    if story is None:
        return None
    kept = {task: [call for call in some if call.id in calls] for task, some in story.calls.items()}
    tasks = [task for task in story.tasks if kept.get(task.id)]
    return replace(story, tasks=tasks, calls=kept, findings=[found for found in story.findings if found.call_id in calls])


def _beside(story: Story | None, graph: CallGraph | None, finding: Finding | None) -> Beside:
    findings = list(story.findings) if story is not None else []
    if finding is not None and finding.id not in {each.id for each in findings}:
        findings.append(finding)
    told = [asdict(each) for each in findings]
    if story is None:
        why = "the store has nothing of this any more; the records are whole"
        return Beside(findings=told, left_out=[{"what": "spans, graph and findings", "why": why}])
    left: list[dict[str, Plain]] = [{"what": "parents, links and events of spans", "why": LEFT_OUT}]
    left.append({"what": "the words of the user and of the agent", "why": "the ledger has their digests; they stay in the store"})
    drawn = graph.as_dict() if graph is not None else {"nodes": [], "edges": []}
    return Beside(spans=otlp(story), graph=drawn, findings=told, left_out=left)


def _with_contents(
    folder: StateFolder, log: Any, entries: Sequence[Entry], beside: Beside
) -> tuple[Sequence[Entry], Beside, Sequence[str]]:
    """The contents that are there and are what the records say; of the others, which record took them away, and which were altered."""
    wanted = [record for _, record in entries if named_contents(record)]
    if not wanted:
        return entries, beside, ()
    altered = list[str]()
    known, values, left, by = purges(log), list[dict[str, Plain]](), list[dict[str, Plain]](), set[int]()
    store = open_contents(folder.path)
    try:
        for record in wanted:
            kept = contents_of(store, record)
            others = {each.name for each in store.of(int(record["seq"]))} - kept.keys() if store is not None else set()
            for name in named_contents(record):
                there = kept.get(name)
                if there is not None:
                    values.append({"record": record["seq"], "name": name, "key": there.key.hex(), "value": there.value})
                    continue
                row, seq = _gone(record, name, known, altered=name in others)
                if name in others:
                    altered.append(f"the content `{name}` that is kept of record {record['seq']} is not the one that the record speaks of")
                left.append(row)
                by |= {seq} - {0}
    finally:
        if store is not None:
            store.close()
    return with_records(log, entries, by), replace(beside, contents=values, left_out=[*beside.left_out, *left]), altered


def _gone(record: dict[str, Any], name: str, known: Sequence[Purged], *, altered: bool) -> tuple[dict[str, Plain], int]:
    """Why a content is not there, and the record that says so; 0: none does."""
    task, at, seq = str(record.get("task", "")), str(record.get("time", "")), int(record["seq"])
    row: dict[str, Plain] = {"what": "content", "record": seq, "name": name}
    if altered:
        return row | {"why": "what is kept of it is not what was recorded: it was altered"}, 0
    purged = next((each for each in known if each.covers("contents", task, at, seq)), None)
    if purged is None:
        return row | {"why": "it is not there, and no purge is on record"}, 0
    return row | {"why": f"it was purged at {purged.time}", "by": purged.seq}, purged.seq


def _kept(name: str, key: NoteKey, checkpoint: Checkpoint) -> int:
    """The size of a checkpoint of this log that somebody kept.

    Raises:
        UsageError: it is none, or is larger than the log.
    """
    try:
        with Path(name).open("rb") as file:
            seen = noted(file.read(MAX_NOTE + 1).decode("utf-8"), [key], name)
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}; check path and rights") from error
    except ValueError as error:
        raise UsageError(f"{name}: is not text") from error
    if seen.faults or seen.checkpoint is None:
        raise UsageError(seen.faults[0].sentence if seen.faults else f"{name}: is no checkpoint")
    if seen.checkpoint.size > checkpoint.size:
        raise UsageError(f"{name}: {seen.checkpoint.size} records were signed there, and this ledger has {checkpoint.size}: verify it")
    return seen.checkpoint.size


def _tell(options: argparse.Namespace, text: str, found: BundleVerdict, altered: Sequence[str]) -> None:
    """What was made, to standard error, or as JSON."""
    if options.json:
        told = found.as_dict()
        told |= {"ok": found.ok and not altered, "altered_contents": list(altered)}
        output.data({"file": options.output, "bytes": len(text)} | told)
        return
    output.say(f"{counted(found.records, 'record')} under the checkpoint of {found.size:,}, {len(text):,} bytes", stream=sys.stderr)
    for gap in found.open:
        output.say(f"open: {gap.sentence()}", stream=sys.stderr)
    for fault in found.faults:
        output.error(f"{fault.code}: {fault.sentence}")
    for sentence in altered:
        output.error(f"altered-content: {sentence}; it is left out")
    if len(text) > MAX_BYTES:
        output.error(f"larger than what is read at once by default: `licet ledger verify FILE --max-size {len(text)}`")
