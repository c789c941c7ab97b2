"""Where the values of a call came from, in words: places, never values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from licet.escape import visible
from licet.records import CallRecord, Used

if TYPE_CHECKING:
    from licet.report.story import Story

_NAME = 60  # characters of a name


class Sources:
    """Says it of the calls of one story, in visible text."""

    def __init__(self, story: Story) -> None:
        self._calls: Mapping[str, CallRecord] = {call.id: call for some in story.calls.values() for call in some}

    def of(self, call: CallRecord, limit: int = 6) -> list[str]:
        """A phrase for each place and each way: ``to`, `cc` ← `comments[].text` of `read_ticket` (call 1, untrusted)``."""
        places: dict[tuple[str, str], dict[str, bool]] = {}
        for used in call.used:
            into = places.setdefault((self._place(call, used), used.way), {})
            into[used.argument] = into.get(used.argument, False) or used.whole
        said = []
        for (place, way), into in places.items():
            names = ", ".join(f"{'' if whole else 'part of '}`{visible(name, _NAME)}`" for name, whole in into.items())
            undone = f", found by undoing {visible(way, _NAME)}" if way else ""
            said.append(f"{names} ← {place}{undone}")
        left_out = len(said) - limit
        return [*said[:limit], f"and {left_out} more"] if left_out > 0 else said

    def _place(self, call: CallRecord, used: Used) -> str:
        if used.kind == "intent":
            return "the intent"
        if not used.tool:
            return "model input that no guarded call made (unseen)"
        maker = self._calls.get(used.call_id)
        number = f"call {maker.seq}" if maker is not None else "an earlier call"
        if maker is not None and maker.task_id != call.task_id:
            number += f" of task {visible(maker.task_id[:8])}"
        what = "the output" if used.field == "$" else f"`{visible(used.field, _NAME)}`"
        return f"{what} of `{visible(used.tool, _NAME)}` ({number}, {visible(used.kind, _NAME)})"
