"""What of a tally is taken over: whether something is rare, whether it is sensitive, and how much more is to be expected."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from licet.escape import counted
from licet.learn.tally import DAY, KindTally
from licet.learn.values import Support
from licet.manifest import Manifest
from licet.manifest.baseline import SESSIONS, SUPPORT, somebodys, tool_of

RARE = 0.05
"""What stands in no more than this share of the sessions, and could do harm, is not taken over: so much of the traces may be anybody's,
and nothing comes of it."""

SURE = 4
"""So many times as many sessions as may be anybody's must have an argument before rules are made of its values: of what a larger part may
be an attacker's, the rest says too little."""

MONTH = 30  # days
_UP_TO = 1.645  # standard deviations: 95 %, one-sided


@dataclass(frozen=True, slots=True)
class Settings:
    """How traces are taken over. `rare`: see `RARE`; `sessions` and `support`: the learning period of the baseline, see `Baseline`;
    `narrow`: grants that were not used are taken out; `chain`: the order seen is enforced; `trusted`: somebody has looked at the traces,
    so that nobody can have put all of his into one kind.
    """

    rare: float = RARE
    sessions: int = SESSIONS
    support: int = SUPPORT
    narrow: bool = False
    chain: bool = False
    trusted: bool = False


def is_sensitive(manifest: Manifest, tool: str) -> bool:
    """Whether the tool changes something or lets data out; one that is not declared could do either."""
    declared = manifest.tools.get(tool)
    return declared is None or declared.writes or declared.leaves


def few(kind: KindTally, settings: Settings) -> int:
    """In how many sessions of the kind a thing may stand and still be rare: all of them could be an attacker's.

    The share is of all sessions that were given, of whatever kind and those that do not teach among them: an attacker's share is of what he
    was among, and he may choose the kind of his sessions. Where somebody has looked at them it is of those of the kind. Sessions of which
    the record itself says that they were attacked or denied are in neither.
    """
    return math.floor(settings.rare * (kind.given if settings.trusted else kind.given_in_all) + 1e-9)


def is_rare(support: Support, kind: KindTally, settings: Settings) -> bool:
    """Whether so few sessions have it."""
    return support.sessions <= few(kind, settings)


def evidence(support: Support, kind: KindTally) -> str:
    """`38 of 41 sessions, 2026-10-01 to 2026-11-20`: of all that shares are of; the days as far as others of the kind bear them out."""
    first, last = days_of(kind)
    found = [_within(time, first, last) for time in (support.first, support.last) if time is not None]
    days = [day(number * DAY) for number in found if number is not None]
    span = f", {days[0]} to {days[-1]}" if len(set(days)) > 1 else f", {days[0]}" if days else ""
    return f"{support.sessions:,} of {counted(kind.given, 'session')}{span}"


def days_of(kind: KindTally) -> tuple[int | None, int | None]:
    """The first and the last day (since the epoch) on which the kind had work. A session says itself when it was: what a twentieth of
    them say does not count if it is as far away from the others as these are from each other.
    """
    spare = math.floor(RARE * kind.days.total + 1e-9)
    ordered = sorted(kind.days.counts.items())
    first, last = _reached(ordered, spare), _reached(reversed(ordered), spare)
    if first is None or last is None:
        return None, None
    away = max(last - first, MONTH)
    near = [number for number, _ in ordered if first - away <= number <= last + away]
    return near[0], near[-1]


def _reached(days: Iterable[tuple[int, int]], spare: int) -> int | None:
    seen = 0
    for number, sessions in days:
        seen += sessions
        if seen > spare:
            return number
    return None


def _within(time: float, first: int | None, last: int | None) -> int | None:
    return None if first is None or last is None else min(max(int(time // DAY), first), last)


def day(time: float) -> str:
    """The day of a time in seconds since the epoch, in UTC; of one beyond the calendar the calendar's end."""
    return datetime.fromtimestamp(min(max(time, 0.0), 253_402_300_799.0), UTC).date().isoformat()


@dataclass(frozen=True, slots=True)
class Expected:
    """Up to what share of coming sessions would bring something that the baseline does not know: `unseen`, things that nobody has seen yet;
    `left_out`, things that were seen and are too rare to be known.
    """

    unseen: float
    left_out: float

    @property
    def share(self) -> float:
        """Both, at most 1."""
        return min(1.0, self.unseen + self.left_out)


def expected(kind: KindTally, manifest: Manifest, settings: Settings) -> Expected:
    """What to expect of a kind's coming sessions; all of them while the baseline is still learning.

    Counted is what `chain.novel` speaks of.
    What is unseen comes as often as a session brought something that no other did (I. J. Good, Biometrika 1953); told is the upper bound
    of that, at 95 %.
    """
    sessions = kind.support.sessions
    if sessions < max(settings.sessions, 1):
        return Expected(1.0, 0.0)
    things = list(_things(kind, manifest))
    once = sum(support.sessions == 1 for support in things)
    lost = sum(support.sessions for support in things if is_rare(support, kind, settings))
    return Expected(min(1.0, _at_most(once) / sessions), min(1.0, lost / sessions))


def _at_most(count: int) -> float:
    """The upper bound of what a count stands for, at 95 %: 3 where nothing was counted, the rule of three (Byar's approximation)."""
    number = count + 1
    return 3.0 if not count else number * (1 - 1 / (9 * number) + _UP_TO / (3 * math.sqrt(number))) ** 3


def _things(kind: KindTally, manifest: Manifest) -> Iterator[Support]:
    """Tools that change something or let data out, and in the arguments of the others of these, sources that somebody else chooses."""
    for name, tool in kind.tools.items():
        if not is_sensitive(manifest, name):
            continue
        yield tool.support
        if tool.support.sessions > 1:  # a tool that is new itself is new once
            for argument in tool.arguments.values():
                yield from (support for source, support in argument.sources.items() if somebodys(source))


def is_known_source(source: str, manifest: Manifest) -> bool:
    """Whether a baseline can name it: its tool is declared, if it has one."""
    return not (tool := tool_of(source)) or tool in manifest.tools


def known_tools(manifest: Manifest) -> Mapping[str, frozenset[str]]:
    """The tools of a manifest, each with the arguments that it declares somewhere: what a tally keeps room for."""
    out = {name: frozenset(tool.arguments) for name, tool in manifest.tools.items()}
    for task in manifest.tasks.values():
        for name, grant in task.tools.items():
            if name in out:
                out[name] |= frozenset(grant.arguments)
    return out
