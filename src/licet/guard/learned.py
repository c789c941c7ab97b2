"""Which baselines are in force, and whether a person took responsibility for them."""

from __future__ import annotations

from collections.abc import Iterator

from licet.manifest import Manifest
from licet.manifest.baseline import Baseline, under


class Learned:
    """The baselines of one manifest. `ratified`: a person took responsibility for it; without that they flag, and nothing more."""

    def __init__(self, manifest: Manifest, *, ratified: bool = False) -> None:
        self.ratified = ratified
        self._models = {name: agent.model for name, agent in manifest.agents.items()}
        self._baselines = {kind: task.baseline for kind, task in manifest.tasks.items() if task.baseline is not None}
        self._under = {kind: under(manifest.tools, base.tools) for kind, base in self._baselines.items()}
        self._agents = {kind: [name for name, agent in manifest.agents.items() if kind in agent.tasks] for kind in self._baselines}

    def of(self, kind: str, agent: str) -> Baseline | None:
        """The baseline of a task kind, if it is in force for tasks of this agent."""
        base = self._baselines.get(kind)
        return base if base is not None and not self._misfit(kind, base, agent) else None

    def misfits(self) -> Iterator[tuple[str, str, str]]:
        """Each baseline that is not in force: the task kind, the agent for which it is not, and why."""
        for kind, base in self._baselines.items():
            for agent in self._agents[kind]:
                if why := self._misfit(kind, base, agent):
                    yield kind, agent, why

    def _misfit(self, kind: str, base: Baseline, agent: str) -> str:
        return base.misfit(self._under[kind], self._models.get(agent))
