"""What a task's models are shown: all of it that no guarded call, intent or turn produced enters the task as `unseen`.

Each text enters once. What is known of a task are keyed hashes of texts: the user's turns, the outputs of guarded calls and our
refusals, what the models themselves said, and what has entered before. Forgetting one means that its text enters again, as untrusted.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

from langchain_core.messages import AIMessage, SystemMessage, ToolMessage
from langgraph.types import Command

from licet.errors import traced
from licet.guard import GuardedTask
from licet.guard.ticket import running_ticket
from licet.integrations._langchain_texts import Shown, from_the_provider, shown

_log = logging.getLogger("licet")
MAX_KNOWN = 100_000  # texts of one task
MAX_TURNS = 64  # of the program's latest turns, which are looked for inside of longer texts
MAX_SYSTEMS = 256  # system texts of one task: one for each agent that works in it
_CUT = 8  # characters; a shorter turn is no text of its own inside of a longer one
UNREADABLE = "(a message that the guard cannot read)"
BLIND = "what the model was shown could not be recorded, so that nobody can say where these arguments came from"


class TaskInput:
    """What the models of one task and its sub-tasks have been shown."""

    def __init__(self) -> None:
        self.blind = False
        """Something was shown that could not be recorded: no call of the task can be judged any more."""
        self._exposed = False  # something came in that is not the user's, and that nobody vouches for
        self._known: dict[int, None] = {}
        self._turns: deque[tuple[re.Pattern[str], str]] = deque(maxlen=MAX_TURNS)
        self._taken: dict[str, int] = {}
        self._systems: dict[tuple[str, int], frozenset[int]] = {}
        self._lock = threading.RLock()

    def before(self, task: GuardedTask, agent: object, system: object, messages: Iterable[object]) -> None:
        """A model is about to be shown this. Never raises."""
        with self._lock, _Failing(self, task):
            self._take_turns(task)
            messages = list(messages)
            if system is None and messages and isinstance(messages[0], SystemMessage):
                system, messages = messages[0], messages[1:]
            self._system(task, agent, system)
            for message in messages:
                self._observe(task, _read(shown, message))
            if self._exposed:
                _taint_running()

    def after(self, task: GuardedTask, messages: Iterable[object]) -> None:
        """A model has said this. It knows only what it was shown, but its provider may have shown it more. Never raises."""
        with self._lock, _Failing(self, task):
            for message in messages:
                # First what it did not say itself: its own words are known from here on.
                self._observe(task, _read(from_the_provider, message))
                self.know([message])

    def know(self, messages: Iterable[object], *, untrusted: bool = False) -> None:
        """These messages are the outputs of guarded calls (which the guard has taken in), our refusals, or the model's own."""
        with self._lock:
            self._exposed = self._exposed or untrusted
            for message in messages:
                self._remember(_hash(item.key) for item in _read(shown, message))

    def _system(self, task: GuardedTask, agent: object, system: object) -> None:
        """The first system text of each agent is the program's own, and grants nothing. Lines that it gets later are not."""
        texts = _read(shown, SystemMessage(system) if isinstance(system, str) else system) if system is not None else []
        lines = [Shown(line, line) for item in texts if item.readable for line in item.text.splitlines() if line.strip()]
        lines += [item for item in texts if not item.readable]
        key = (task.id, id(agent))
        first = self._systems.get(key)
        if first is None and len(self._systems) < MAX_SYSTEMS:
            self._systems[key] = frozenset(_hash(item.key) for item in lines)
        else:
            self._observe(task, [item for item in lines if first is None or _hash(item.key) not in first])

    def _take_turns(self, task: GuardedTask | None) -> None:
        """What the program has told the task since we last looked."""
        while task is not None:
            turns, taken = task.turns, self._taken.get(task.id, 0)
            for turn in turns[taken:]:
                text = turn.text.strip()
                code = _hash(_normal(text))
                if code not in self._known:  # else it is one of ours
                    self._exposed = self._exposed or turn.kind not in ("intent", "say")
                    if len(text) >= _CUT:
                        # Whole: what goes on without a gap is another value.
                        self._turns.append((re.compile(rf"(?<!\S){re.escape(text)}(?!\S)"), f" {_normal(text)} "))
                self._remember((code, _hash(turn.text)))
            self._taken[task.id] = len(turns)
            task = task.parent

    def _observe(self, task: GuardedTask, found: Iterable[Shown]) -> None:
        new: list[str] = []
        for item in found:
            code = _hash(item.key)
            if code in self._known:
                continue
            new += self._unknown_parts(item.text) if item.readable else [item.text]
            self._remember((code,))
        if new:
            # A lone surrogate is no text that a record could hold.
            text = "\n".join(new).encode("utf-8", "replace").decode()
            self._remember((_hash(_normal(text)),))  # it becomes a turn
            self._exposed = True
            _taint_running()
            task.observe(text)

    def _unknown_parts(self, text: str) -> Iterator[str]:
        """The text without the turns in it: a question of the user that stands in a prompt stays the user's."""
        normal = _normal(text)
        if _hash(normal) in self._known or any(f" {normal.rstrip('.!?')} " in turn for _, turn in self._turns):
            return
        parts = [text]
        for turn, _ in self._turns:
            parts = [piece for part in parts for piece in turn.split(part)]
        yield from (part for part in parts if part and not part.isspace() and _hash(_normal(part)) not in self._known)

    def _remember(self, codes: Iterable[int]) -> None:
        self._known.update(dict.fromkeys(codes))
        if len(self._known) > MAX_KNOWN:
            for code in list(self._known)[: MAX_KNOWN // 4]:
                del self._known[code]


def _taint_running() -> None:
    """The model works for a tool that is running: what that answers is made by one who was shown untrusted content."""
    ticket = running_ticket.get()
    while ticket is not None and ticket.joins is not None:
        ticket = ticket.joins
    if ticket is not None and ticket.is_running:
        ticket.saw_untrusted = True
        ticket.note_untrusted()


def _normal(text: str) -> str:
    return " ".join(text.split())


class _Failing:
    """What fails inside of it takes the task's calls away, and leaves the agent running."""

    def __init__(self, state: TaskInput, task: GuardedTask) -> None:
        self._state, self._task = state, task

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, Exception):
            return False
        _log.error("licet: what a model was shown could not be recorded; calls of task %s are refused: %s", self._task.id, traced(error))
        self._state.blind = True
        return True


_inputs: WeakKeyDictionary[GuardedTask, TaskInput] = WeakKeyDictionary()
_lock = threading.Lock()


def input_of(task: GuardedTask) -> TaskInput:
    """The one of this task and of all that share its index."""
    while task.parent is not None:
        task = task.parent
    with _lock:
        found = _inputs.get(task)
        if found is None:
            found = _inputs[task] = TaskInput()
        return found


def messages_in(result: object) -> Iterator[object]:
    """The messages that a tool's answer brings into the conversation."""
    if isinstance(result, Command):
        update = result.update
        pairs = update.items() if isinstance(update, dict) else update if isinstance(update, (list, tuple)) else ()
        for pair in pairs:
            if isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[1], (list, tuple)):
                yield from pair[1]
            elif isinstance(pair, (list, tuple)) and len(pair) == 2:
                yield pair[1]
    elif isinstance(result, list):
        for item in result:
            yield from messages_in(item)
    elif isinstance(result, (ToolMessage, AIMessage)):
        yield result


def said(response: Any) -> list[object]:
    """The messages in what a model call answers, whatever form middleware gave it."""
    response = getattr(response, "model_response", response)
    result = getattr(response, "result", response)
    return list(result) if isinstance(result, (list, tuple)) else [result]


def _read(read: Any, message: object) -> list[Shown]:
    try:
        found: list[Shown] = read(message)
    # Reading a message runs code of its class, and content can have any form; what cannot be read is said to be so.
    except Exception:  # noqa: BLE001 - see above
        return [Shown("\0", UNREADABLE, readable=False)]
    return found


_KEY = os.urandom(16)
_RANDOM = bool(sys.flags.hash_randomization) and os.environ.get("PYTHONHASHSEED", "random") in ("", "random")


def _hash(text: str) -> int:
    """A keyed 64-bit hash. Python keeps its own in the text; where its key is fixed from outside, BLAKE2b takes over."""
    if _RANDOM:
        return hash((_KEY, text))
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=_KEY).digest(), "big")
