"""The draft: a user's manifest with what recorded runs say of each task kind, each line with its evidence as a comment.

Text in, text out. Everything that does not stand in a kind that was learned is kept to the byte. The draft is for a person to read: it
widens nothing but by grants that are marked `NEW`, and lists what it left out at its end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from licet.escape import counted
from licet.learn.baselines import baseline_of
from licet.learn.grants import KindChange, KindDraft, said_expected, shown
from licet.learn.judged import Settings, expected
from licet.learn.splice import change_kinds, in_blocks, with_tail, without_tail
from licet.learn.tally import KindTally, Tally
from licet.manifest import Manifest, loads
from licet.manifest.baseline import Baseline
from licet.manifest.lint import check

MOST = 50  # lines of one list at the end


@dataclass(frozen=True, slots=True)
class Draft:
    """The draft's text, and what became of each kind. `without` are kinds of which no session teaches, or that are not declared."""

    text: str
    kinds: tuple[KindDraft, ...]
    without: tuple[KindTally, ...]


def draft(text: str, tally: Tally, settings: Settings, *, name: str = "<text>", now: float | None = None) -> Draft:
    """The draft of the manifest in `text`. `name` is its file, for messages; `now` is in seconds since the epoch.

    Raises:
        ManifestError: `text` is no manifest.
        UsageError: a kind cannot be changed without changing more.
    """
    now = time.time() if now is None else now
    manifest = loads(text, name=name, now=now)
    begins = "\ufeff" if text.startswith("\ufeff") else ""
    breaks = "\r\n" if "\r\n" in text else "\n"
    written = in_blocks(without_tail(text.removeprefix("\ufeff").replace("\r\n", "\n")))
    all_sessions = sum(kind.support.sessions + kind.doubtful for kind in tally.kinds.values())
    baselines = {name: baseline_of(kind, manifest, settings) for name, kind in sorted(tally.kinds.items()) if name in manifest.tasks}
    work = _Work(manifest, settings, all_sessions, {name: base for name, base in baselines.items() if base is not None})
    changed, kinds = work.drafted(written, tally, frozenset())
    risky = frozenset(kind.kind for kind in kinds if kind.new)
    if risky and _errors(changed, now) > (before := _errors(written, now)):
        risky = frozenset(each for each in risky if _errors(work.drafted(written, tally, risky - {each})[0], now) > before)
        changed, kinds = work.drafted(written, tally, risky)
    without = tuple(kind for name, kind in sorted(tally.kinds.items()) if name not in work.baselines)
    if kinds:
        changed = with_tail(changed, list(_tail(kinds, without, manifest)))
    out = begins + changed.replace("\n", breaks)
    loads(out, name="the draft", now=now)  # never hand out what the guard would not take
    return Draft(out, kinds, without)


@dataclass(frozen=True, slots=True)
class _Work:
    """What all kinds have in common, and the baselines of those that are learned."""

    manifest: Manifest
    settings: Settings
    all_sessions: int
    baselines: Mapping[str, Baseline]

    def drafted(self, text: str, tally: Tally, ungranted: frozenset[str]) -> tuple[str, tuple[KindDraft, ...]]:
        """The text with every kind learned; in those that are `ungranted`, nothing is granted anew."""
        changes: dict[str, KindChange] = {}
        for name, baseline in self.baselines.items():
            kind = tally.kinds[name]
            out = KindDraft(name, kind, baseline, expected(kind, self.manifest, self.settings.rare))
            changes[name] = KindChange(out, self.manifest, self.settings, self.all_sessions, grants=name not in ungranted)
        return change_kinds(text, changes), tuple(change.out for change in changes.values())


def _errors(text: str, now: float) -> int:
    return sum(problem.severity == "error" for problem in check(text, name="<text>", now=now)[1])


# The end of the draft -----------------------------------------------------------------------------------------------------


def _tail(kinds: Sequence[KindDraft], without: Sequence[KindTally], manifest: Manifest) -> Iterator[str]:
    for kind in kinds:
        yield ""
        taught, doubtful = kind.tally.support.sessions, kind.tally.doubtful
        yield f"{kind.kind}: {counted(taught, 'session')} taught it, {doubtful:,} did not; {said_expected(kind.expected)}."
        yield from _listed(
            "Why sessions did not teach:",
            [f"{counted(number, 'time')}: {shown(doubt)}" for doubt, number in kind.tally.doubted.most_common()],
        )
        yield from _listed("NEW grants, which this draft adds:", kind.new)
        yield from _listed("Left out, as rare and able to do harm:", kind.left_out)
        yield from _listed("Never used:", kind.unused)
        yield from _listed("Used, and not declared under `tools:`:", kind.undeclared)
        yield from _listed("Left to you, as it would widen:", kind.wider)
        if kind.tally.tools.left_out:
            yield f"Too many different tools to tell apart: {counted(kind.tally.uncounted, 'call')} of them."
    for lost in without:
        why = "is no task kind of this manifest" if lost.kind not in manifest.tasks else "has no session that teaches"
        yield ""
        yield f"{shown(lost.kind)} {why}: {counted(lost.support.sessions + lost.doubtful, 'session')}."


def _listed(head: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield head
        yield from (f"- {line}" for line in lines[:MOST])
    if len(lines) > MOST:
        yield f"- and {len(lines) - MOST} more"
