"""The manifests of `learned/`, made again: what `licet init` drafts from the tools, what a person adds to it, and what `licet learn` finds.

    python -m benchmarks.agentdojo.learned OUT [--data DIR]

For each suite: the draft of `licet init` from the data's `tools.json`; one role with all tools of the suite; `learned/by_hand/SUITE.yaml`
merged into it; then `licet learn --trusted` on the benign runs of those models that stand at even places by name.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.task_kinds import data_folder, draft_of, halves, recordings
from ruamel.yaml import YAML

from licet.guard.rehearsal import Rehearsal
from licet.learn.draft import draft
from licet.learn.judged import Settings, known_tools
from licet.learn.opened import opened
from licet.learn.runs import runs
from licet.learn.tally import Tally
from licet.manifest import loads
from licet.replay import Session

HERE = Path(__file__).parent
SUITES = {
    "banking": ("Do what the account holder asks", "Do what the account holder asks of the assistant"),
    "workspace": ("Do what the owner of the mailbox asks", "Do what the owner of the mailbox asks of the assistant"),
}
"""What the agent is for, and the intent of its one task kind."""

HEAD = "# The {suite} suite: drafted by `licet init`, labelled by hand (by_hand/{suite}.yaml), learned by `licet learn`: README.md.\n"


def main() -> None:
    """Write both manifests."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", help="the folder with the session files (default: LICET_RECORDINGS, else ../shared/data/agentdojo)")
    options = parser.parse_args()
    folder = data_folder(options.data)
    every = [recorded for recorded in recordings(folder) if not recorded.session.attacked and not recorded.asked]
    even, _ = halves(recorded.model for recorded in every)
    options.out.mkdir(parents=True, exist_ok=True)
    for suite in SUITES:
        sessions = [recorded.session for recorded in every if recorded.suite == suite and recorded.model in even]
        text = HEAD.format(suite=suite) + taught(labelled(suite, draft_of(suite, folder, [])), sessions)
        (options.out / f"{suite}.yaml").write_text(text, encoding="utf-8")
        print(options.out / f"{suite}.yaml")


def labelled(suite: str, drafted: str) -> str:
    """The draft of `licet init` with what a person adds. He has read each guess, so that no mark is left."""
    document = YAML(typ="safe", pure=True).load(drafted)
    merge(document, YAML(typ="safe", pure=True).load((HERE / "learned" / "by_hand" / f"{suite}.yaml").read_text(encoding="utf-8")))
    purpose, intent = SUITES[suite]
    document["agents"] = {"assistant": {"owner": "bench", "purpose": purpose, "tasks": ["user-task"]}}
    document["tasks"] = {"user-task": {"intent": intent, "ttl": "1h", "tools": {name: {} for name in document["tools"]}}}
    for tool in document["tools"].values():
        tool["unknown_arguments"] = "drop"  # AgentDojo's runtime ignores what is not in the schema
    return dumped(document)


def dumped(document: Any) -> str:
    """As YAML, in the order in which it stands."""
    yaml, out = YAML(), io.StringIO()
    yaml.default_flow_style, yaml.width = None, 140  # type: ignore[assignment]
    yaml.dump(document, out)
    return out.getvalue()


def merge(into: Any, added: Mapping[str, Any]) -> None:
    """Put `added` into a document: maps are merged, null takes a key out, anything else replaces what is there."""
    for key, value in added.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict) and isinstance(into.get(key), dict) and key != "origin":
            merge(into[key], value)
        else:
            into[key] = value


def taught(text: str, sessions: list[Session]) -> str:
    """What `licet learn --trusted` drafts. Recorded outputs are text, so that it reads them as YAML; the manifest stays as it is."""
    document = YAML(typ="safe", pure=True).load(text)
    for tool in document["tools"].values():
        if "fields" in tool:
            tool["format"] = "yaml"
    as_text, tally = opened(loads(dumped(document))), Tally(known_tools(loads(text)), ["user-task"])
    for session in sessions:  # each was recorded in a world of its own: what one wrote no other has read
        rehearsal = Rehearsal(as_text)
        try:
            tally.add(*runs([session], rehearsal, kind="user-task", trusted=True))
        finally:
            rehearsal.close()
    return draft(text, tally, Settings(trusted=True)).text


if __name__ == "__main__":
    main()
