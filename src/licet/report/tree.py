"""The intent trace as a tree of lines: why the task ran, each call with its decision and reasons; what was blocked stands out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

from licet.clock import iso
from licet.escape import counted, visible
from licet.records import CallRecord, Reason, TaskRecord
from licet.report.sources import Sources
from licet.report.story import Story, cited

Style = Literal["bold", "dim", "red", "yellow", "green"]
Paint = Callable[[str, Style], str]

SHORT_ID = 12  # characters; enough that two tasks of one store do not share them
_PSEUDONYM = re.compile(r"hmac-sha256:[0-9a-f]{64}")
_NAME, _SENTENCE, _INTENT = 80, 500, 500  # characters shown


def plain(text: str, style: Style) -> str:  # noqa: ARG001 - the signature of a painter
    """No colour."""
    return text


def trace(story: Story, paint: Paint = plain, *, where: str = "") -> str:
    """The tree of a story, ending in a line feed. `paint` colours parts that are visible already.

    `where`: the options by which `licet` finds the story's records, beginning with a blank, if it does not find them by itself.
    """
    lines: list[str] = []
    _task(story, story.task, "", paint, lines, sources=Sources(story))
    if story.findings:
        command = f"licet findings --task {visible(story.task.id[:SHORT_ID])}{where}"
        lines.append(paint(f"{counted(len(story.findings), 'finding')}: {command}", "dim"))
    return "\n".join(lines) + "\n"


def principal_of(task: TaskRecord) -> str:
    """For whom a task is. Traces have a pseudonym in place of the name, of which as much is shown as tells two apart."""
    if _PSEUDONYM.fullmatch(task.principal):
        return f"person #{task.principal.partition(':')[2][:8]}"
    return task.principal or "somebody"


def _task(story: Story, task: TaskRecord, indent: str, paint: Paint, lines: list[str], *, sources: Sources) -> None:
    steps = story.steps(task.id)
    bar = "│ " if steps else "  "
    # Whole, as other programs find it by the whole only: `licet.task.id` in Jaeger, for example.
    head = f"{paint(_short(task.kind), 'bold')}  task {_short(task.id)}  {iso(task.started)}  {_short(story.state(task))}"
    lines.append(f"{indent}{head}")
    below = _below(indent)
    lines.append(f"{below}{bar}intent  {visible(story.intent(task), _INTENT)}")
    principal = _short(principal_of(task))
    names = f"{_short(task.agent)} ({_short(task.agent_is)}) for {principal} ({_short(task.principal_is)})"
    lines.append(f"{below}{bar}agent   {names}, owned by {_short(task.owner) if task.owner else 'nobody'}")
    if task.ledger:
        lines.append(f"{below}{bar}{paint(f'record  {cited(task.ledger)}', 'dim')}")
    if task.trace_id and task is story.task:  # that of the tasks below it too, mostly
        lines.append(f"{below}{bar}{paint(f'trace   {_short(task.trace_id)}', 'dim')}")
    for index, step in enumerate(steps):
        last = index == len(steps) - 1
        if step.call is not None:
            _call(step.call, below, paint, lines, sources=sources.of(step.call), last=last)
        elif step.task is not None:
            _task(story, step.task, f"{below}{'└─ ' if last else '├─ '}", paint, lines, sources=sources)
    if not steps:
        lines.append(f"{below}  {paint('no call', 'dim')}")


def _call(call: CallRecord, below: str, paint: Paint, lines: list[str], *, sources: Sequence[str], last: bool) -> None:
    mark, word, style = _verdict(call)
    took = f"  {1000 * (call.ended - call.started):.0f} ms" if call.ended is not None and call.status != "denied" else ""
    error = f" ({_short(call.error_type)})" if call.error_type else ""
    record = f"  {paint(cited(call.ledger), 'dim')}" if call.ledger else ""
    name = paint(_short(call.tool), style) if style == "red" else _short(call.tool)
    lines.append(f"{below}{'└─' if last else '├─'} {call.seq} {name}  {paint(f'{mark} {word}', style)}{error}{took}{record}")
    rest = f"{below}{'   ' if last else '│  '}"
    lines += [f"{rest}  {paint(_because(found), style if _enforced(found) else 'dim')}" for found in call.decision.reasons]
    if sources:
        lines.append(f"{rest}  {paint('; '.join(sources), 'dim')}")


def _verdict(call: CallRecord) -> tuple[str, str, Style]:
    """How one looks at a call: a mark, words, and a colour."""
    decision = call.decision
    if call.status == "denied" or decision.outcome == "deny":
        return "✗", "BLOCKED", "red"
    if call.status == "asked":
        return "?", "waits for a person", "yellow"
    observed = f", observed: would {decision.judged}" if decision.judged != decision.outcome and decision.outcome == "allow" else ""
    asked = " after a person was asked" if any(found.effect == "ask" and not found.observed for found in decision.reasons) else ""
    style: Style = "yellow" if observed or call.status in ("failed", "unknown") else "green"
    return "✓", f"allowed{asked}{observed}, {call.status}", style


def _because(found: Reason) -> str:
    observed = " (observed, not enforced)" if found.observed else ""
    return f"{visible(found.told, _SENTENCE)} [{visible(found.check, _NAME)}]{observed}"


def _enforced(found: Reason) -> bool:
    return not found.observed and found.effect != "flag"


def _short(text: str) -> str:
    return visible(text, _NAME)


def _below(indent: str) -> str:
    """What stands before the lines under a branch."""
    return indent.replace("└─ ", "   ").replace("├─ ", "│  ")
