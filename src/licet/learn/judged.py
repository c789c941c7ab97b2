"""What of a tally is taken over: whether something is rare, whether it is sensitive, and how much more is to be expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from licet.escape import counted
from licet.learn.tally import KindTally
from licet.learn.values import Support
from licet.manifest import Manifest
from licet.manifest.baseline import SESSIONS, SUPPORT, somebodys, tool_of

RARE = 0.05
"""What stands in no more than this share of a kind's sessions, and could do harm, is not taken over: so much of the traces may be
anybody's, and nothing comes of it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How traces are taken over. `rare`: see `RARE`; `sessions` and `support`: the learning period of the baseline, see `Baseline`;
    `narrow`: grants that were not used are taken out; `chain`: the order seen is enforced.
    """

    rare: float = RARE
    sessions: int = SESSIONS
    support: int = SUPPORT
    narrow: bool = False
    chain: bool = False


def is_sensitive(manifest: Manifest, tool: str) -> bool:
    """Whether the tool changes something or lets data out; one that is not declared could do either."""
    declared = manifest.tools.get(tool)
    return declared is None or declared.writes or declared.leaves


def is_rare(support: Support, kind: KindTally, rare: float) -> bool:
    """Whether so few sessions of the kind have it that all of them could be an attacker's.

    The share is of all sessions that were given, those that do not teach among them: an attacker's share is of what he was among.
    """
    return support.sessions <= rare * (kind.support.sessions + kind.doubtful) + 1e-9


def evidence(support: Support, kind: KindTally) -> str:
    """`38 of 41 sessions, 2026-10-01 to 2026-11-20`."""
    days = [day(time) for time in (support.first, support.last) if time is not None]
    span = f", {days[0]} to {days[-1]}" if len(set(days)) > 1 else f", {days[0]}" if days else ""
    return f"{support.sessions:,} of {counted(kind.support.sessions, 'session')}{span}"


def day(time: float) -> str:
    """The day of a time in seconds since the epoch, in UTC; of one beyond the calendar the calendar's end."""
    return datetime.fromtimestamp(min(max(time, 0.0), 253_402_300_799.0), UTC).date().isoformat()


@dataclass(frozen=True, slots=True)
class Expected:
    """What share of coming sessions would bring something that the baseline does not know: `unseen`, things that nobody has seen yet
    (Good and Turing: as often as a session brought something that no other did); `left_out`, things that were seen and not taken over.
    """

    unseen: float
    left_out: float

    @property
    def share(self) -> float:
        """Both, at most 1."""
        return min(1.0, self.unseen + self.left_out)


def expected(kind: KindTally, manifest: Manifest, rare: float) -> Expected:
    """What to expect of a kind's coming sessions (I. J. Good, Biometrika 1953). Counted is what `chain.novel` speaks of."""
    if not kind.support.sessions:
        return Expected(1.0, 0.0)
    things = list(_things(kind, manifest))
    once = sum(support.sessions == 1 for support in things)
    lost = sum(support.sessions for support in things if is_rare(support, kind, rare))
    return Expected(min(1.0, once / kind.support.sessions), min(1.0, lost / kind.support.sessions))


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
