"""The draft: a user's manifest with what recorded runs say of each task kind, each line with its evidence as a comment.

Text in, text out. Everything that does not stand in a kind that was learned is kept to the byte. The draft is for a person to read: it
widens nothing but by grants that are marked `NEW`, and lists what it left out at its end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ruamel.yaml.comments import CommentedMap

from licet.escape import counted
from licet.learn.baselines import baseline_of
from licet.learn.grants import KindChange, KindDraft, said_expected, shown
from licet.learn.judged import Settings, expected
from licet.learn.orders import Orders, at_least
from licet.learn.splice import Notes, change_kinds, in_blocks, still_new, with_tail, without_tail
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


def draft(
    text: str, tally: Tally, settings: Settings, *, name: str = "<text>", now: float | None = None, ratified: bool = False,
    orders: Orders | None = None,
) -> Draft:  # fmt: skip
    """The draft of the manifest in `text`. `name` is its file, for messages; `now` is in seconds since the epoch.

    `ratified`: a person answers for `text`, so that what was new in it is so no longer. `orders`: of the same runs.

    Raises:
        ManifestError: `text` is no manifest.
        UsageError: a kind cannot be changed without changing more.
    """
    now = time.time() if now is None else now
    manifest = loads(text, name=name, now=now)
    begins = "\ufeff" if text.startswith("\ufeff") else ""
    breaks = "\r\n" if "\r\n" in text else "\n"
    written = in_blocks(without_tail(text.removeprefix("\ufeff").replace("\r\n", "\n")))
    baselines = {name: baseline_of(kind, manifest, settings) for name, kind in sorted(tally.kinds.items()) if name in manifest.tasks}
    taught = {name: base for name, base in baselines.items() if base is not None and base.tools}
    work = _Work(manifest, settings, taught, orders, ratified)
    changed, kinds = work.drafted(written, tally, frozenset())
    if empty := {kind.kind for kind in kinds if not kind.baseline.tools}:  # what is known already is worth more than nothing
        work = replace(work, baselines={name: base for name, base in taught.items() if name not in empty})
        changed, kinds = work.drafted(written, tally, frozenset())
    risky = frozenset(kind.kind for kind in kinds if kind.new)
    if risky and _errors(changed, now) > (before := _errors(written, now)):
        risky = frozenset(each for each in risky if _errors(work.drafted(written, tally, risky - {each})[0], now) > before)
        changed, kinds = work.drafted(written, tally, risky)
    for kind in kinds if not ratified else ():
        known = {line.partition(":")[0] for line in kind.new}
        earlier = [f"`{tool}`" for tool in still_new(changed, kind.kind) if f"`{tool}`" not in known]
        kind.new += [f"{tool}: granted by an earlier draft, which nobody has ratified" for tool in earlier]
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
    baselines: Mapping[str, Baseline]
    orders: Orders | None
    ratified: bool

    def drafted(self, text: str, tally: Tally, ungranted: frozenset[str]) -> tuple[str, tuple[KindDraft, ...]]:
        """The text with every kind learned; in those that are `ungranted`, nothing is granted anew."""
        changes: dict[str, KindChange] = {}
        for name, baseline in self.baselines.items():
            kind = tally.kinds[name]
            out = KindDraft(name, kind, baseline, expected(kind, self.manifest, self.settings))
            changes[name] = KindChange(out, self.manifest, self.settings, grants=name not in ungranted)
        told = {name: partial(_told, change, self.orders) for name, change in changes.items()}
        return change_kinds(text, told, ratified=self.ratified), tuple(change.out for change in changes.values())


def _told(change: KindChange, orders: Orders | None, found: CommentedMap, notes: Notes) -> None:
    """Make the change, and say of an order how many sessions follow the whole of it."""
    change(found, notes)
    if ("chain",) not in notes:
        return
    kind, chain = change.out.tally, found["chain"]
    number, more = (at_least(kind, chain), True) if orders is None else orders.following(kind, chain)
    followed = f"{number:,} of {counted(kind.support.sessions, 'session')}"
    notes["chain",] = f"{followed}; {'at least ' if more else ''}these follow all of it, and it is enforced, as `--chain` says"
    change.out.narrowed.append(f"{followed}{', or more,' if more else ''} follow the whole order; the others would be denied")


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
        yield from _listed("Left out, as rare:", kind.left_out)
        yield from _listed("Never used:", kind.unused)
        yield from _listed("Used, and not declared under `tools:`:", kind.undeclared)
        yield from _listed("Left to you, as it would widen:", kind.wider)
        if kind.tally.tools.left_out:
            yield f"Too many different tools to tell apart: {counted(kind.tally.uncounted, 'call')} of them."
    for lost in without:
        yield ""
        yield f"{shown(lost.kind)} {why_nothing(lost, manifest)}: {counted(lost.support.sessions + lost.doubtful, 'session')}."
    if kinds:
        yield ""
        yield from _LEGEND


_LEGEND = (
    "How to read it: `38 of 41 sessions` used it, of all but those recorded as attacked or denied. `NEW`: not granted until now.",
    "`rare`: in so few that an attacker could have made them all. `from intent in 20`: in 20 of them its value came from the user's own",
    "words (trusted: from our own systems; counterpart: from whom we deal with; untrusted: from anybody; nowhere: the model made it up, or",
    "it is too short to be followed).",
    "`baseline:` is what later calls are held against; it flags what it does not know, and denies nothing. `something new`: a tool,",
    "an order of calls or an origin that it does not know.",
)


def why_nothing(kind: KindTally, manifest: Manifest) -> str:
    """Why nothing was learned of a kind; the end of a sentence."""
    if kind.kind not in manifest.tasks:
        return "is no task kind of this manifest"
    return "has no session that teaches" if not kind.support.sessions else NO_TOOL


NO_TOOL = "is left as it was, as its sessions call no tool that is declared and not rare"


def _listed(head: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield head
        yield from (f"- {line}" for line in lines[:MOST])
    if len(lines) > MOST:
        yield f"- and {len(lines) - MOST} more"
