"""How a recorded session is run again: as which task kind, by whom, with which words of the user, and which of its calls go together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from licet.errors import UsageError
from licet.manifest import Manifest
from licet.replay.sessions import RecordedCall, Session

MAX_TURN = 20_000
"""Characters; the guard takes no longer text as intent."""


def kind_of(manifest: Manifest, session: Session, kind: str | None = None) -> str:
    """The task kind that a session is a run of: `kind`, else its suite's name if the manifest has a kind of that name, else the only one.

    Raises:
        UsageError: it cannot be told.
    """
    kinds = manifest.tasks
    if kind is not None:
        if kind not in kinds:
            raise UsageError(f"task kind {kind!r} is not in the manifest; declared: {', '.join(kinds)}")
        return kind
    if session.suite in kinds:
        return session.suite
    if len(kinds) == 1:
        return next(iter(kinds))
    raise UsageError(
        f"{session.place}: no task kind is named like the suite {session.suite!r}; say which one with --task: {', '.join(kinds)}"
    )


def agent_of(manifest: Manifest, kind: str, agent: str | None = None) -> str:
    """The agent that acts in tasks of this kind: `agent`, else the only one that may run it.

    Raises:
        UsageError: it cannot be told.
    """
    agents = manifest.agents
    if agent is not None:
        if agent not in agents:
            raise UsageError(f"agent {agent!r} is not in the manifest; declared: {', '.join(agents)}")
        return agent
    able = [name for name, each in agents.items() if kind in each.tasks]
    if len(able) != 1:
        who = f"{len(able)} agents may run it: {', '.join(able)}" if able else "no agent may run it"
        raise UsageError(f"task kind {kind!r}: {who}; say who acts with --agent")
    return able[0]


def words_of(session: Session) -> Iterator[str]:
    """The user's own words, in pieces that the guard takes: the first is the intent, the others are said later."""
    for given in session.turns:
        turn = sound(given)
        for start in range(0, len(turn), MAX_TURN):
            if (piece := turn[start : start + MAX_TURN]).strip():
                yield piece


def together(calls: Sequence[RecordedCall]) -> Iterator[list[RecordedCall]]:
    """The calls, in order, by the turn of the model that issued them; where no turn is known, each alone.

    Calls of one turn were all issued before any of their outputs was seen.
    """
    for _, some in groupby(enumerate(calls), key=lambda each: (each[1].turn, each[0] if each[1].turn is None else -1)):
        yield [call for _, call in some]


def told_last(groups: Iterator[list[RecordedCall]]) -> Iterator[tuple[bool, list[RecordedCall]]]:
    """Each, and whether it is the last."""
    before = next(groups, None)
    while before is not None:
        after = next(groups, None)
        yield after is None, before
        before = after


def sound(given: str) -> str:
    """A lone surrogate is JSON and no text; the guard takes text only. Tools and arguments are left as they were recorded."""
    return given.encode("utf-8", "backslashreplace").decode()
