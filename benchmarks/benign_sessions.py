"""How often a manifest drafted by `licet init` raises an alarm on sessions in which nobody attacks.

For every session file of a data folder: what the source says of its tools (their names, the names of their arguments and the JSON types
seen there) is drafted as `licet init` drafts it; then each benign session is replayed through the guard. A person's part is reduced to
what the draft's own comments tell him to do: every tool is granted, and the question before each call is taken out. Labels stay as
drafted, so that every output is untrusted.

An alarm is a call that an `origin.*` or `flow.*` check denies, or about which it asks. Alarms are counted in observe mode, so that each
call is judged as if the ones before it had run.

    python benchmarks/benign_sessions.py DATA apollo taubench
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from licet.draft import render
from licet.draft.mcp import from_mcp
from licet.guard import Guard
from licet.manifest import Manifest, loads
from licet.records import Decision, ToolCall
from licet.replay import Bad, Replay, Session, Statistics, read

AREAS = ("origin.", "flow.")
TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}


def listing(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What a source says of its tools, in the form of an MCP server's answer to `tools/list`."""
    seen: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for record in records:
        for name in record["tools"]:
            seen[str(name)].update({})  # a tool that is offered and never called
        for call in record["calls"]:
            for argument, value in call["args"].items():
                seen[call["name"]][argument] |= {TYPES[type(value)]} if value is not None else set()
    return {"tools": [{"name": name, "inputSchema": {"type": "object", "properties": _properties(seen[name])}} for name in sorted(seen)]}


def _properties(arguments: Mapping[str, set[str]]) -> dict[str, Any]:
    return {name: {"type": [*sorted(types), "null"]} if types else {} for name, types in sorted(arguments.items())}


def completed(draft: str) -> Manifest:
    """The draft with every tool granted and no question before a call, in observe mode."""
    document = YAML(typ="safe", pure=True).load(draft)
    for task in document["tasks"].values():
        task["tools"] = {name: {} for name in document["tools"]}
        task["ttl"] = "12h"
    until = (datetime.now(UTC) + timedelta(days=7)).date().isoformat()
    document |= {"mode": "observe", "until": until, "reason": "benign sessions are replayed"}
    return loads(json.dumps(document), name="the completed draft")


@dataclass
class Counts:
    """What one source showed."""

    sessions: int = 0
    calls: int = 0
    writes: int = 0
    judged: int = 0
    alarmed: Counter[str] = field(default_factory=Counter)
    any_alarm: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)

    def add(self, other: Counts) -> None:
        """Count those of another source too."""
        self.sessions += other.sessions
        self.calls += other.calls
        self.writes += other.writes
        self.judged += other.judged
        self.any_alarm += other.any_alarm
        self.alarmed.update(other.alarmed)
        self.reasons.update(other.reasons)


class Listening:
    """A guard that tells what it decided; everything else is the guard's own."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self.heard: list[tuple[ToolCall, Decision]] = []

    def begin(self, call: ToolCall, **more: Any) -> Any:
        """As the guard."""
        ticket = self._guard.begin(call, **more)
        self.heard.append((call, ticket.decision))
        return ticket

    def __getattr__(self, name: str) -> Any:
        return getattr(self._guard, name)


def measure(path: Path, counts: Counts) -> dict[str, str]:
    """Draft for each agent of one file, replay its benign sessions, and give back the drafts.

    An agent is an environment that the record names (`meta.env`), else the file.
    """
    with gzip.open(path, "rt", encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    agents: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for record in records:
        agents[str(record["meta"].get("env") or path.name.partition(".jsonl")[0])].append(record)
    benign = {record["id"] for record in records if record["attack"] is None}
    sessions = {session.id: session for session in _sessions(path) if session.id in benign}
    drafts = {}
    for agent, of_agent in agents.items():
        drafts[agent] = render(from_mcp(listing(of_agent)), f"{path.name} ({agent})")
        manifest = completed(drafts[agent])
        with tempfile.TemporaryDirectory(prefix="licet-benign-") as state, Guard(manifest, state=state) as guard:
            for record in of_agent:
                if record["id"] in sessions:
                    listening = Listening(guard)
                    Replay(listening, Statistics()).run(sessions[record["id"]])  # type: ignore[arg-type]
                    _count(sessions[record["id"]], listening.heard, manifest, counts)
    return drafts


def _sessions(path: Path) -> Iterator[Session]:
    for item in read(path):
        if isinstance(item, Bad):
            print(f"not a session: {item}", file=sys.stderr)
        else:
            yield item


def _count(session: Session, heard: list[tuple[ToolCall, Decision]], manifest: Manifest, counts: Counts) -> None:
    counts.sessions += 1
    checks: set[str] = set()
    for call, decision in heard:
        counts.calls += 1
        tool = manifest.tools.get(call.tool)
        if tool is not None and tool.writes:
            counts.writes += 1
            counts.judged += any(_has_rule(tool.arguments.get(name), value) for name, value in call.arguments.items())
        for reason in decision.reasons:
            if reason.effect in ("deny", "ask") and reason.check.startswith(AREAS):
                checks.add(reason.check)
                counts.reasons[f"{reason.check} {call.tool}({_where(reason)})"] += 1
                counts.lines.append(f"{session.id}\t{call.call_id}\t{call.tool}\t{reason.check}\t{reason.effect}\t{reason.sentence}")
            elif reason.effect == "deny":
                counts.lines.append(f"{session.id}\t{call.call_id}\t{call.tool}\tOTHER {reason.check}\t{reason.effect}\t{reason.sentence}")
    counts.alarmed.update(checks)
    counts.any_alarm += bool(checks)


def _where(reason: Any) -> str:
    return ", ".join(str(part) for part in reason.path[:1])


def _has_rule(rule: Any, value: Any) -> bool:
    if rule is None or value is None:
        return False
    if rule.origin is not None:
        return True
    inner = [*(value if isinstance(value, list) else []), *(value.values() if isinstance(value, dict) else [])]
    return bool(inner) and any(_has_rule(nested, 0) for nested in [rule.items, *(rule.properties or {}).values()])


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder: DATA/SOURCE/PART.jsonl.gz")
    parser.add_argument("sources", nargs="+", help="SOURCE, or SOURCE/PART")
    parser.add_argument("--alarms", type=Path, help="write every alarm to this file, one a line")
    parser.add_argument("--drafts", type=Path, help="write the drafts to this folder")
    options = parser.parse_args()
    print(f"{'source':40} {'sessions':>8} {'calls':>6} {'writes':>6} {'judged':>7} {'alarm':>6} {'rate':>7}   by check (sessions)")
    totals = Counts()
    for source in options.sources:
        name, _, part = source.partition("/")
        whole = Counts()
        paths = sorted((options.data / name).glob(f"{part or '*'}.jsonl.gz"))
        for path in paths:
            counts = Counts()
            for agent, draft in measure(path, counts).items():
                if options.drafts:
                    options.drafts.mkdir(parents=True, exist_ok=True)
                    (options.drafts / f"{name}_{agent}.yaml").write_text(draft, encoding="utf-8")
            if options.alarms:
                with options.alarms.open("a", encoding="utf-8") as file:
                    file.writelines(line + "\n" for line in counts.lines)
            _print(f"{name}/{path.name.removesuffix('.jsonl.gz')}", counts)
            whole.add(counts)
        if len(paths) > 1:
            _print(f"{name}, whole", whole)
        for reason, times in whole.reasons.most_common(10):
            print(f"  {times:6}  {reason}")
        totals.add(whole)
    _print("all", totals)
    return 0


def _print(name: str, counts: Counts) -> None:
    judged = f"{counts.judged / counts.writes:7.0%}" if counts.writes else "      -"
    by = ", ".join(f"{check} {count}" for check, count in counts.alarmed.most_common())
    rate = f"{counts.any_alarm / counts.sessions:7.1%}" if counts.sessions else "      -"
    print(f"{name:40} {counts.sessions:8} {counts.calls:6} {counts.writes:6} {judged} {counts.any_alarm:6} {rate}   {by}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
