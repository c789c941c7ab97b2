"""What needs somebody's eye because of its date: credentials, `observe`, baselines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from licet.clock import lasting
from licet.escape import counted
from licet.guard.learned import Learned
from licet.learn.uses import DAY
from licet.manifest import Manifest
from licet.manifest.rules import moded_parts

What = Literal[
    "unused-grant", "doubted-grant", "narrower-argument", "fewer-calls", "unused-kind", "unused-agent",
    "expiry", "rotation", "observe", "baseline",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One of them. `path` is the key to change, `change` what to do there, `evidence` why. `sessions` counts those it rests on."""

    what: What
    path: tuple[str, ...]
    sentence: str
    evidence: str
    change: str
    kind: str = ""
    tool: str = ""
    sessions: int = 0
    first: date | None = None
    last: date | None = None


class Due:
    """Looks at one manifest's dates, on the day `today`; `window`, in seconds, says how far ahead, and how old a baseline may be."""

    def __init__(self, manifest: Manifest, today: date, window: float) -> None:
        self._manifest = manifest
        self._today = today
        self._window = window

    def credentials(self) -> Iterator[Suggestion]:
        """Those that end, or are to be rotated, within the window."""
        for name, credential in self._manifest.credentials.items():
            path, users = ("credentials", name), [tool for tool, each in self._manifest.tools.items() if each.credential == name]
            used = f"used by {', '.join(f'`{tool}`' for tool in users)}" if users else "used by no tool"
            if credential.revoked is None and credential.expires is not None and self._is_near(credential.expires):
                verb = "expired" if credential.expires < self._today else "expires"
                change = "renew it, and write the new day" if users else f"take `{name}` out of `credentials:`"
                yield Suggestion("expiry", (*path, "expires"), f"credential `{name}` {verb} on {credential.expires}", used, change)
            since = credential.rotated or credential.issued
            if credential.revoked is None and credential.rotate_every is not None and since is not None:
                due = self._after(since, credential.rotate_every)
                if due is not None and self._is_near(due):
                    why = f"last changed on {since}, to be rotated every {lasting(credential.rotate_every.total_seconds())}; {used}"
                    verb = "was" if due < self._today else "is"
                    sentence = f"credential `{name}` {verb} to be rotated by {due}"
                    yield Suggestion("rotation", (*path, "rotate_every"), sentence, why, "rotate it, and set `rotated:`")

    def observed(self) -> Iterator[Suggestion]:
        """Each `observe` that ends within the window, or has ended."""
        for at, moded in moded_parts(self._manifest):
            if moded.mode != "observe" or moded.until is None or not self._is_near(moded.until):
                continue
            path, kind = tuple(map(str, at)), str(at[1]) if at[:1] == ("tasks",) else ""
            over = moded.until < self._today
            sentence = f"`observe` {'ended' if over else 'ends'} on {moded.until}{', and all is enforced' if over else ''}"
            change = "take `mode`, `until` and `reason` out" if over else "look at what would have been stopped, then write `mode: enforce`"
            yield Suggestion("observe", (*path, "until"), sentence, f"reason: {moded.reason}", change, kind)

    def _is_near(self, day: date) -> bool:
        return day.toordinal() - self._today.toordinal() <= self._window / DAY

    @staticmethod
    def _after(day: date, span: timedelta) -> date | None:
        try:
            return day + span
        except OverflowError:
            return None

    def baselines(self, unratified: str) -> Iterator[Suggestion]:
        """Those that are not in force, older than the window, or not ratified; `unratified` says why, empty: the manifest is."""
        misfits: dict[str, str] = {}
        for kind, _, why in Learned(self._manifest).misfits():
            misfits.setdefault(kind, why)
        for kind, task in self._manifest.tasks.items():
            base, path = task.baseline, ("tasks", kind, "baseline")
            if base is None:
                continue
            taught = f"learned from {counted(base.sessions, 'session')}{f' until {base.until}' if base.until else ''}"
            if kind in misfits:
                sentence = f"the baseline of `{kind}` is not in force: {misfits[kind]}"
                yield Suggestion("baseline", path, sentence, taught, "`licet learn` makes a new one", kind, sessions=base.sessions)
            elif base.until is not None and (self._today - base.until).days * DAY > self._window:
                sentence = f"the baseline of `{kind}` is {(self._today - base.until).days} d old"
                yield Suggestion("baseline", path, sentence, taught, "`licet learn` makes a new one", kind, sessions=base.sessions)
            if unratified:
                sentence = f"the baseline of `{kind}` only flags, since the manifest is not ratified"
                change = "read it, then `licet ratify`"
                yield Suggestion("baseline", path, sentence, unratified, change, kind, sessions=base.sessions)
