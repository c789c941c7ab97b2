"""The manifest that traces are judged by before anybody has granted anything: else a call that is only not granted yet hides all else."""

from __future__ import annotations

from licet.manifest import Manifest
from licet.manifest.models import Grant

_ANYHOW = Grant()


def opened(manifest: Manifest) -> Manifest:
    """The same manifest with every declared tool granted in every task kind; what is granted already keeps its limits.

    The rules of a tool's arguments (`origin:`, `content:`) hold for calls that are granted. A session whose calls are not granted yet is
    where learning begins, and what in it goes against those rules must not teach.
    """
    tasks = {
        kind: task.model_copy(update={"tools": {**dict.fromkeys(manifest.tools, _ANYHOW), **task.tools}})
        for kind, task in manifest.tasks.items()
    }
    return manifest.model_copy(update={"tasks": tasks})
