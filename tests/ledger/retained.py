"""A state folder in which guards have worked, long ago and today, with contents that are kept. `python retained.py FOLDER DAYS TASKS` makes one."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from licet import Denied, Guard
from licet.testing import FakeClock, guard_for

DAY = 86_400.0
MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents:
  bot: {owner: o, tasks: [work, quiet], may_delegate_to: [helper]}
  helper: {owner: o, tasks: [work]}
tools:
  note: {access: read, egress: false, arguments: {value: {}, password: {}}, record: {arguments: [value, password], output: true}}
  send:
    access: write
    egress: true
    store: mails
    arguments: {to: {origin: [intent, trusted]}, body: {}}
    record: {arguments: [body]}
  plain: {access: read, egress: false, arguments: {value: {}}}
tasks:
  work:
    intent: Work
    ttl: 10m
    record: [intent]
    tools: {note: {at_most: 10000}, send: {}, plain: {}}
    budgets: [{distinct: value, of: plain, at_most: 100}]
  quiet: {intent: Work, ttl: 10m, tools: {plain: {}}}
"""


class Place:
    """A folder with a guard whose clock stands `days` back."""

    def __init__(self, folder: Path, days: float = 0.0) -> None:
        self.folder, self.state = folder, folder / "state"
        self.clock = FakeClock(time.time() - days * DAY)
        self.guard: Guard = guard_for(MANIFEST, folder, state=self.state, clock=self.clock)
        self.note, self.send, self.plain = (self.guard.wrap(each) for each in (note, send, plain))

    def work(self, word: str, principal: str = "user:grace", kind: str = "work") -> str:
        """One task whose contents all hold the word; its id."""
        with self.guard.task(kind, intent=f"Do it for {word}", agent="bot", principal=principal) as task:
            if kind == "work":
                self.note(f"value {word}")
                with contextlib.suppress(Denied):
                    self.send(f"{word}@evil.example", f"body {word}")
            self.plain(f"plain {word}")
        return task.id

    def close(self) -> None:
        self.guard.close()


def note(value: Any, password: str = "") -> Any:
    return {"seen": value}


def send(to: str, body: str = "") -> str:
    return "sent"


def plain(value: Any) -> Any:
    return value


def holding(state: Path, needle: str) -> list[str]:
    """The files of a state folder that hold the bytes of a text."""
    return sorted(str(file.relative_to(state)) for file in state.rglob("*") if file.is_file() and needle.encode() in file.read_bytes())


def main(arguments: Sequence[str]) -> None:
    """Work for a while, so many tasks."""
    folder, days, tasks = Path(arguments[0]), float(arguments[1]), int(arguments[2])
    place = Place(folder, days)
    for number in range(tasks):
        place.work(f"word{number:06}")
    place.close()


if __name__ == "__main__":
    main(sys.argv[1:])
