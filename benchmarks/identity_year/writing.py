"""The files: records as they are delivered, in the order of delivery, some late and some twice."""

from __future__ import annotations

import gzip
import json
import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from benchmarks.identity_year.actors import DAY, HOUR, Emitted

LATE, TWICE = 0.007, 0.003


dumped = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class Delivery:
    """Takes records of one day after the other, and writes what has been delivered by then.

    CloudTrail: one gzipped document a day; else JSON lines, a file a month, and one for the lifecycle.
    """

    def __init__(self, folder: Path, start: float, rng: random.Random) -> None:
        self._folder, self._start, self._rng = folder, start, rng
        self._waiting: defaultdict[int, list[tuple[float, int, Emitted]]] = defaultdict(list)
        self._number, self._next = 0, -1
        self._open: dict[str, tuple[str, IO[str]]] = {}
        self.counts: defaultdict[str, int] = defaultdict(int)

    def take(self, records: Iterable[Emitted]) -> None:
        """They will be delivered: at once, or up to 36 hours late, or a second time up to a day later."""
        rng = self._rng
        for record in records:
            chance = rng.random()
            self._wait(record.time + (rng.uniform(0.1, 36) * HOUR if chance < LATE else 0.0), record)
            if chance > 1 - TWICE:
                self._wait(record.time + rng.uniform(0.01, 24) * HOUR, record)

    def _wait(self, time: float, record: Emitted) -> None:
        self._number += 1
        self._waiting[max(self._next, int((time - self._start) // DAY))].append((time, self._number, record))

    def deliver(self, day: int) -> None:
        """Writes what is delivered on a day; -1 is all that was before the first. What comes for it later is delivered on the next."""
        self._next = day + 1
        streams: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for _, _, record in sorted(self._waiting.pop(day, ()), key=lambda row: row[:2]):
            streams[record.stream].append(record.record)
            self.counts[record.stream] += 1
        date = datetime.fromtimestamp(self._start + max(0, day) * DAY, UTC)
        for stream, records in sorted(streams.items()):
            if stream == "cloudtrail":
                self._document(self._folder / "cloudtrail" / f"{date:%Y-%m-%d}.json.gz", records)
            else:
                name = "lifecycle.jsonl" if stream == "lifecycle" else f"{stream}/{date:%Y-%m}.jsonl"
                self._file(stream, name).writelines(dumped(record) + "\n" for record in records)

    def close(self) -> None:
        """Writes what is still under way."""
        for day in sorted(self._waiting):
            self.deliver(day)
        for _, file in self._open.values():
            file.close()

    def _document(self, path: Path, records: list[dict[str, Any]]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
            file.write(dumped({"Records": records}).encode())

    def _file(self, stream: str, name: str) -> IO[str]:
        opened = self._open.get(stream)
        if opened is None or opened[0] != name:
            if opened is not None:
                opened[1].close()
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            opened = self._open[stream] = (name, path.open("w", encoding="utf-8"))
        return opened[1]


def lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(dumped(row) + "\n" for row in rows)
