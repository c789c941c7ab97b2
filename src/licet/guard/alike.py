"""For which sessions two manifests can only decide alike, so that one judgement serves for both.

What a decision on a call depends on is compared as text, strictly (1 is not true, and another order is another text): all of the manifest
but its task kinds, tools and agents; the session's kind, and of its grants those of the tools that the session calls; the agent; and those
tools. Three more things reach across: which of the tools some rule endorses, which arguments of theirs other kinds' grants name, and, where
the kind has a baseline, the tools of that.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel

from licet.guard.rehearsal import Rehearsal
from licet.manifest import Manifest

_APART = ("tasks", "tools", "agents")
_MOST = 10_000  # answers that are kept


class Alike:
    """Two rehearsals, and what their stores remember. Sessions of which `can_only` says yes are run on `old` alone, in `both`.

    Any other session is run on each, within `apart`: a store into which the two then wrote differently is never shared again. Where
    `show_the_same` says yes of its tools, what its outputs hold is worked out once (see `licet.replay.sides`).
    """

    def __init__(self, old: Rehearsal, new: Rehearsal) -> None:
        self._sides = (old, new)
        settings = [(side._clock, side._learned.ratified, side._origins._secret, *side._origins.bounds) for side in self._sides]
        self._may = settings[0] == settings[1] and self._texts(_rest) == 1
        self._known: dict[tuple[str, str, frozenset[str]], bool] = {}
        self._shown: dict[str, bool] = {}
        self._differing = self._differences()

    def _texts(self, of: Any) -> int:
        return len({of(side.manifest) for side in self._sides})

    def _differences(self) -> set[str]:
        """Stores of which the two remember different things."""
        old, new = (set(side.remembered()) for side in self._sides)
        return {store for store, _ in old ^ new}

    def can_only(self, kind: str, agent: str, tools: frozenset[str]) -> bool:
        """Whether a session of this kind and agent that calls these tools is decided alike, call by call."""
        if not self._may:
            return False
        key = (kind, agent, tools)
        known = self._known.get(key)
        if known is None:
            known = self._texts(lambda manifest: _slice(manifest, kind, agent, tools)) == 1
            known = known and _across(self._sides[0], tools) == _across(self._sides[1], tools)
            if len(self._known) < _MOST:
                self._known[key] = known
        return known and not (self._differing and self._differing & self._stores(tools))

    def show_the_same(self, tools: frozenset[str]) -> bool:
        """Whether what these tools are given, return and write is taken in alike, whatever the two decide."""
        return self._may and all(map(self._is_shown_alike, tools)) and not (self._differing and self._differing & self._stores(tools))

    def _is_shown_alike(self, tool: str) -> bool:
        known = self._shown.get(tool)
        if known is None:
            known = self._texts(lambda manifest: _text(manifest.tools.get(tool))) == 1
            known = known and _across(self._sides[0], frozenset({tool})) == _across(self._sides[1], frozenset({tool}))
            if len(self._shown) < _MOST:
                self._shown[tool] = known
        return known

    def _stores(self, tools: Iterable[str]) -> set[str]:
        declared = self._sides[0].manifest.tools
        return {declared[tool].store or "" for tool in tools if tool in declared}

    @contextmanager
    def both(self) -> Iterator[None]:
        """What the old side writes, the new one remembers too."""
        old, new = (side._store for side in self._sides)
        with old.telling(new.taint):
            yield

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Take note of what only one of them writes."""
        written: list[set[tuple[str, str]]] = [set(), set()]

        def into(mine: set[tuple[str, str]]) -> Any:
            return lambda store, values, *_: mine.update((store, value) for value in values)

        old, new = (side._store for side in self._sides)
        with old.telling(into(written[0])), new.telling(into(written[1])):
            yield
        self._differing |= {store for store, _ in written[0] ^ written[1]}


def _across(side: Rehearsal, tools: frozenset[str]) -> tuple[frozenset[str], list[frozenset[str]]]:
    compiled = side._compiled
    return compiled.endorsed_tools & tools, [compiled.declared_arguments.get(tool, frozenset()) for tool in sorted(tools)]


def _text(model: BaseModel | None, **more: Any) -> str:
    return json.dumps([None if model is None else model.model_dump(mode="json", exclude_unset=True, **more)])


def _rest(manifest: Manifest) -> str:
    return _text(manifest, exclude=set(_APART))


def _slice(manifest: Manifest, kind: str, agent: str, tools: frozenset[str]) -> str:
    declared = manifest.tasks[kind]
    grants = [(name, _text(grant)) for name, grant in declared.tools.items() if name in tools]
    looked_at = sorted(tools | set(declared.baseline.tools if declared.baseline is not None else ()))
    parts = [_text(declared, exclude={"tools"}), grants, _text(manifest.agents.get(agent))]
    return json.dumps([*parts, *([name, _text(manifest.tools.get(name))] for name in looked_at)])
