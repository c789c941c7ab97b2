"""What is declared of those who act in a play, as rows of an import."""

from __future__ import annotations

from typing import Any

from licet.drill.stage import Stage


def owned(stage: Stage, uid: str, kind: str, **more: Any) -> dict[str, Any]:
    """A row of an identity of the stage's owner. `more`: further keys of it, as `uses`."""
    return {"identity": uid, "kind": kind, "owner": stage.owner, **more}
