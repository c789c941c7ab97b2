"""The page of `licet replay --html`: the counts of a replay, and why the first calls of each check were stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from licet.escape import counted
from licet.manifest import Manifest
from licet.replay import GROUPS, Kept, KeptCall, KindStatistics, Statistics
from licet.report import Case, Table, collect, digest_page
from licet.store import Store

GROUP_WORDS: Mapping[str, str] = {
    "benign_solved": "benign, solved", "benign": "benign, other", "attack_reached": "attack reached", "attack_not_reached": "not reached",
}  # fmt: skip


def said_rate(part: int, whole: int) -> str:
    """`2 of 60 sessions (3.3 %)`."""
    return f"{part:,} of {counted(whole, 'session')}" + (f" ({100 * part / whole:.1f} %)" if whole else "")


def case(store: Store, call: KeptCall, manifest: Manifest) -> Case:
    """A kept call with its story, from the store of the replay."""
    return Case(f"Stopped by {call.check}", f"{call.session} ({call.place})", collect(store, call.task_id, manifest=manifest), call.call_id)


def page(files: Sequence[str], manifest: Manifest, statistics: Statistics, kept: Kept, cases: Sequence[Case], *, bad: int) -> str:
    """A whole HTML file. `bad` is the number of lines that were no sessions."""
    judged = f"{counted(statistics.sessions, 'session')}, {counted(statistics.calls, 'call')} of {counted(len(files), 'file')}"
    lead = [
        f"{judged}, {counted(bad, 'bad line')}, held against {manifest.source} ({manifest.digest}).",
        f"Alarms: {said_rate(statistics.alarms, statistics.sessions)} had a denial or a question by an origin or flow check.",
        "Recorded runs are not a dialogue: what the agent would have done after a denial is not known.",
    ]
    tables = [table for kind, counts in statistics.kinds.items() for table in _tables(kind, counts)]
    if kept.left_out:
        rows = [(check, f"{number:,}") for check, number in sorted(kept.left_out.items())]
        said = f"For each check the first {counted(kept.most, 'call')} that it stopped are shown below, each with what led to it."
        tables.append(Table("Left out", ("Check", "Calls that are not shown"), rows, said, (1,)))
    ordered = sorted(cases, key=lambda each: each.heading)
    return digest_page("Replay", lead, tables, ordered)


def _tables(kind: str, counts: KindStatistics) -> Iterator[Table]:
    groups = [group for group in GROUPS if group in counts.groups]
    rows = [_session_row("all", counts.sessions, counts.touched, counts.alarms)]
    for group in groups:
        mine = counts.groups[group]
        rows.append(_session_row(GROUP_WORDS[group], mine.sessions, mine.touched, mine.alarms))
    calls = counts.executed
    said = (
        f"{counted(calls.calls, 'call')}: {calls.allowed:,} allowed, {calls.asked:,} asked ({calls.approved:,} approved), {calls.denied:,} "
        f"denied; {counted(counts.unexecuted.calls, 'call')} never executed in the recording. {counted(counts.writes, 'call')} of write "
        f"tools, {counts.ruled:,} with a value under an origin rule."
    )
    yield Table(f"{kind}: sessions", ("Sessions", "Number", "With a denial", "Alarms", "Alarm rate"), rows, said, range(1, 5))
    heads = ("Check", "Denied", "Asked", "Flagged", "Observed", "Sessions", *(GROUP_WORDS[group] for group in groups), "Labels")
    lines = []
    for check, found in sorted(counts.checks.items()):
        effects = [f"{found.calls[effect]:,}" for effect in ("deny", "ask", "flag")]
        split = [f"{found.groups[group]:,}" for group in groups]
        labels = ", ".join(f"{label} {number:,}" for label, number in found.labels.most_common(5))
        lines.append((check, *effects, f"{found.observed:,}", f"{found.sessions:,}", *split, labels))
    said = (
        "Denied to Observed count calls; what was only observed counts by the effect that it would have had, too. The columns after "
        "Sessions split those by what the data says of each; Labels is what it says of the calls that were denied or asked."
    )
    yield Table(f"{kind}: checks", heads, lines, said, range(1, len(heads) - 1))


def _session_row(name: str, sessions: int, touched: int, alarms: int) -> tuple[str, ...]:
    rate = f"{100 * alarms / sessions:.1f} %" if sessions else ""
    return name, f"{sessions:,}", f"{touched:,}", f"{alarms:,}", rate
