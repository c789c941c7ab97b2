"""The origin index of every open task: what entered it, what its calls were shown, what they wrote, and where arguments came from."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from licet.canonical import Plain
from licet.chain.index import OriginIndex, Output
from licet.chain.intent import HIDDEN
from licet.chain.keys import inner_forms, store_forms, written_forms
from licet.chain.origin import Exposure, Place, Trace
from licet.chain.outputs import Form, Leaf, leaves
from licet.guard.task import GuardedTask, Turn
from licet.guard.ticket import Ticket, running_ticket
from licet.locks import Lock
from licet.manifest import Manifest, Tool
from licet.manifest.labels import OutputLabels
from licet.records import Decision, Used
from licet.scope import CompiledManifest
from licet.secretlike import scrub
from licet.store import JudgingStore

MAX_USED = 50  # value flows that are kept of one call
_UNKNOWN = Tool()
_NO_NAMES: frozenset[str] = frozenset()


class Seen(NamedTuple):
    """What the index says for one call, at the moment of asking."""

    traces: tuple[Trace, ...] = ()
    entered: Place | None = None
    exposures: tuple[Exposure, ...] = ()
    full: bool = False
    probed: bool = False
    carried: frozenset[str] = frozenset()

    @property
    def used(self) -> tuple[Used, ...]:
        """The value flows into the call."""
        out: dict[Used, None] = {}
        for trace in self.traces:
            if "intent" in trace.kinds:
                out[Used(scrub(trace.argument), "intent")] = None
            for place in (*trace.places[:3], *trace.held[:1]):
                out[_used(trace.argument, place)] = None
            for part in trace.parts:
                if not part.whole or "trusted" not in trace.kinds:
                    out[_used(trace.argument, part.place, part.way, whole=part.whole)] = None
        return tuple(out)[:MAX_USED]


NOTHING_SEEN = Seen()


@dataclass(slots=True)
class _Held:
    index: OriginIndex
    lock: threading.RLock = field(default_factory=threading.RLock)
    told_full: bool = False
    denials: set[tuple[str, str]] = field(default_factory=set)
    calls: int = 0  # that this process has begun in the tree


class Origins:
    """One index per task tree. `secret` keys the digests by which a store's memory outlives the task."""

    def __init__(
        self, manifest: Manifest, compiled: CompiledManifest, store: JudgingStore, secret: bytes, *, values: int, probes: int
    ) -> None:
        self._manifest, self._compiled, self._store, self._secret = manifest, compiled, store, secret
        self._max_atoms, self._probes = values, probes
        self._fitting: set[str] = set()  # tools of which a declared field was found, or of which it was told that none is
        self._by_value = frozenset(flow.source for flow in manifest.flows if flow.by == "value")
        self._trees: dict[str, _Held] = {}
        self._lock = Lock()

    @property
    def bounds(self) -> tuple[int, int]:
        """How many values are kept, and after how many denials a person is asked."""
        return self._max_atoms, self._probes

    # What enters -------------------------------------------------------------------------------------------------------

    def begin(self, task: GuardedTask) -> None:
        """A task begins. A sub-task shares its parent's index: what is delegated grants no origin that the parent lacks."""
        if task.parent is None:
            with self._lock:
                self._trees[task.record.root] = self._new()
            for turn in task.turns:
                self.turned(task, turn)
        else:
            held = self._of(task)
            with held.lock:
                for turn in task.turns:
                    if turn.kind in ("quote", "observe", "value"):
                        held.index.enter(turn.text)

    def turned(self, task: GuardedTask, turn: Turn) -> None:
        """Text entered the task."""
        held = self._of(task)
        with held.lock:
            if turn.kind == "intent":
                if task.parent is None:
                    held.index.intent.add(_own_words(task))
            elif turn.kind == "say" and task.parent is None:
                held.index.intent.add(turn.text)
            else:
                held.index.enter(turn.text)
                running = running_ticket.get()
                if running is not None and running.task is not None and running.task.record.root == task.record.root:
                    running.saw_untrusted = True  # the call that is running was shown it too
                    running.note_untrusted()

    def end(self, task: GuardedTask) -> None:
        """The tree has ended; nothing asks for its index any more."""
        if task.parent is None:
            with self._lock:
                self._trees.pop(task.record.root, None)

    def _of(self, task: GuardedTask) -> _Held:
        root = task.record.root
        known = self._trees.get(root)  # what is there stays the same until the tree has ended
        if known is not None:
            return known
        with self._lock:
            held = self._trees.get(root)
            if held is None:
                # Begun in another process, or over: what it was shown is not known here, so that no field can count as trusted.
                held = self._new()
                self._blindfold(held)
                if task.resumed and not task.over():
                    self._trees[root] = held
                    held.index.intent.add(_own_words(_root(task)))
            return held

    def begun(self, task: GuardedTask) -> int:
        """How many calls of the task's tree this process has begun."""
        return self._of(task).calls

    def begin_call(self, task: GuardedTask | None) -> None:
        """A call has been counted for the task's tree."""
        if task is not None:
            self._of(task).calls += 1

    def lose_sight(self, task: GuardedTask) -> None:
        """The task was shown something elsewhere: no field counts as trusted here, and anything may have been revealed to it."""
        held = self._of(task)
        with held.lock:
            if not held.index.full:
                self._blindfold(held)

    def _blindfold(self, held: _Held) -> None:
        held.index.full = True
        held.index.enter("what this task was shown in another process")
        revealed = tuple(dict.fromkeys(label for tool in self._manifest.tools.values() for label in tool.reveals or ()))
        for _ in range(2):  # twice, so that it is the record of nobody in particular
            held.index.observe(Output(0, "", "", [], reveals=revealed))

    def _new(self) -> _Held:
        return _Held(OriginIndex(max_atoms=self._max_atoms, max_grams=2 * self._max_atoms))

    def beside(self, task: GuardedTask, other: Origins) -> None:
        """What `other` is told of the task counts here too, until `part`. What was denied counts for each alone."""
        held = other._of(task)
        with self._lock:
            self._trees[task.record.root] = _Held(held.index, told_full=held.told_full, denials=set(held.denials), calls=held.calls)

    def part(self, task: GuardedTask) -> None:
        """From here on what others are told of the task counts no more."""
        held = self._of(task)
        held.index = held.index.twin()

    # What is asked -----------------------------------------------------------------------------------------------------

    def look(self, task: GuardedTask | None, tool: str, plain: Mapping[str, Plain]) -> Seen:
        """Where the arguments of a call came from, and what the task has been shown."""
        if task is None:
            return Seen()
        declared = self._manifest.tools.get(tool, _UNKNOWN)
        deep = declared.writes or declared.leaves
        held, urls = self._of(task), self._compiled.urls.get(tool, frozenset())
        with held.lock:
            index = held.index
            traces = tuple(index.traces(tool, plain, urls, deep=deep))
            probed = self.probed(task)
            carried = index.carried(plain, self._by_value) if self._by_value else _NO_NAMES
            return Seen(traces, index.entered, tuple(index.exposures.values()), index.full, probed, carried)

    def probed(self, task: GuardedTask) -> bool:
        """Whether so many calls of the task were denied for origin or flow that its writes ask a person."""
        return len(self._of(task).denials) >= self._probes

    # What calls do -----------------------------------------------------------------------------------------------------

    def wrote(self, ticket: Ticket) -> None:
        """A call is about to run: what it writes into a store, and did not get from the intent or a trusted field, stays tainted there.

        Raises:
            StoreError: it cannot be remembered, so that the call must not run.
        """
        tool = self._manifest.tools.get(ticket.call.tool, _UNKNOWN)
        if not tool.writes:
            return
        forms: dict[str, None] = {}
        approved = vouched(ticket.decision)
        index = self._of(ticket.task).index if ticket.task is not None else OriginIndex()
        traces = ticket.seen.traces if ticket.seen else ()
        if ticket.task is None:  # it runs only where that is observed; nobody's intent stands behind it
            traces = tuple(index.traces(ticket.call.tool, ticket.plain, frozenset(), deep=False))
        for trace in traces:
            if trace.kinds & {"intent", "trusted"} or str(trace.value) in approved:
                continue
            forms.update(dict.fromkeys(store_forms(trace.value, trace.path, trace.argument)))
            for part in trace.parts:
                if part.value not in approved:
                    forms.update(dict.fromkeys(written_forms(part.value, trace.argument, trace.path)))
            # What merely stands in a text counts where it comes back within a text.
            forms.update(dict.fromkeys(inner_forms(trace.value, lambda piece: piece in approved or index.vouched(piece))))
        index.note_written(forms)
        if tool.store is not None and forms:
            task_id = ticket.task.id if ticket.task else ""
            self._store.taint(tool.store, [self._keyed(tool.store, form) for form in forms], task_id, ticket.id)

    def saw(self, ticket: Ticket, plain: Plain, *, failed: bool = False) -> str:
        """An output, or a part of one, reached the agent; `failed`: it is the text of an error, which has no fields.

        The answer is a sentence if the index has just become full, else empty.
        """
        if ticket.task is None:
            return ""
        name = ticket.call.tool
        tool = self._manifest.tools.get(name, _UNKNOWN)
        labels = self._compiled.labels.get(name)
        form: Form = "text" if failed else tool.format
        found = leaves(plain, labels, form) if labels else leaves(plain, OutputLabels("untrusted", ()))
        if ticket.saw_untrusted or failed:
            # An error quotes what the far side said. What a sub-agent answers carries the labels of all that it saw.
            found = [Leaf(leaf.path, leaf.value, "untrusted", leaf.record) for leaf in found]
        held = self._of(ticket.task)
        traces = ticket.seen.traces if ticket.seen else ()
        something = plain not in (None, "", [], {})
        with held.lock:
            index = held.index
            output = Output(
                ticket.seq, ticket.id, name, found, tuple([trace.value for trace in traces]), tuple(tool.reveals or ()),
                any(trace.anchored for trace in traces if trace.value is not None), _named(traces),
                name in self._compiled.endorsed_tools, ticket.task.id, labels.names if labels else _NO_NAMES,
                something, self._by_value, _asked_by(traces, plain) if tool.reveals else (),
            )  # fmt: skip
            index.observe(output, (lambda asked: self._remembered(tool.store, asked)) if tool.store else None)
            if ticket.is_within and any(leaf.label == "untrusted" for leaf in found):
                ticket.note_untrusted()
        if output.reveals:
            self._reveal_around(ticket, output)
        with held.lock:
            if something and not failed and (told := self._misfit(name, labels, found)):
                return told
            if index.full and not held.told_full:
                held.told_full = True
                return f"the origin index of this task is full ({self._max_atoms} values): no field counts as trusted any more"
        return ""

    def _reveal_around(self, ticket: Ticket, output: Output) -> None:
        """A tool that works in a task of its own has shown what it reveals to the task that called it too."""
        root = ticket.task.record.root if ticket.task else ""
        outer = ticket.within or ticket.joins
        while outer is not None:
            if outer.task is not None and outer.task.record.root != root:
                held = self._of(outer.task)
                with held.lock:
                    for _ in range(2):  # of nobody's record there
                        held.index.observe(Output(outer.seq, outer.id, outer.call.tool, [], reveals=output.reveals))
            outer = outer.within or outer.joins

    def _misfit(self, name: str, labels: OutputLabels | None, found: Sequence[Leaf]) -> str:
        """A sentence, once, if no declared field of a tool names anything in what it returned: then no label ever applies."""
        if name in self._fitting or labels is None or not labels.names:
            return ""
        declared = [path for path, _ in labels.paths if path.parts is not None]
        self._fitting.add(name)
        if any(path.matches(leaf.path) for leaf in found for path in declared):
            return ""
        is_text = [leaf.path for leaf in found] == [()]
        why = "it is one text; say `format: json` or `yaml` if it is that" if is_text else "its keys are others"
        return f"`fields:` of `{name}` name nothing in what it returned, so that all of it counts as `output:` says: {why}"

    def denied(self, ticket: Ticket) -> str:
        """A call was denied. After so many different denials of origin or flow the answer is a sentence, once; else it is empty."""
        if ticket.task is None:
            return ""
        told = [found for found in ticket.decision.reasons if found.check.startswith(("origin.", "flow.")) and not found.observed]
        held = self._of(ticket.task)
        with held.lock:
            before = len(held.denials)
            if before < self._probes:
                held.denials.update((ticket.call.tool, ticket.args_digest) for _ in told)
            if before < self._probes <= len(held.denials):
                return f"{self._probes} different calls of this task were denied for origin or flow: from here on its writes ask a person"
        return ""

    def blind(self, ticket: Ticket, what: str) -> str:
        """Something was shown that could not be taken in: nobody can tell what it did not hold. The answer is a sentence, once."""
        if ticket.task is None:
            return ""
        held = self._of(ticket.task)
        with held.lock:
            held.index.full = True
            held.index.enter("an output that could not be indexed")
            told, held.told_full = held.told_full, True
        ticket.note_untrusted()
        return "" if told else f"{what}: no field of this task counts as trusted any more; let the tool return plain data"

    def _remembered(self, store: str | None, forms: Sequence[str]) -> frozenset[str]:
        if store is None or not forms:
            return frozenset()
        keys = {self._keyed(store, form): form for form in forms}
        return frozenset(keys[key] for key in self._store.tainted(store, list(keys)))

    def _keyed(self, store: str, form: str) -> str:
        return hmac.new(self._secret, f"{store}\0{form}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]


def vouched(decision: Decision) -> set[str]:
    """What a person was asked about, and, if the call runs, approved: that person vouches for it."""
    return {found.value for found in decision.reasons if found.effect == "ask" and found.value and not found.observed}


def _named(traces: Sequence[Trace]) -> frozenset[str]:
    """The arguments that the intent names: every leaf of them is the user's."""
    told = [trace for trace in traces if trace.digest and not trace.is_key]  # null and the like name nothing
    named = {trace.argument for trace in told if "intent" in trace.kinds}
    return frozenset(named.difference([trace.argument for trace in told if "intent" not in trace.kinds])) if named else _NO_NAMES


def _asked_by(traces: Sequence[Trace], plain: Plain) -> tuple[Plain, ...]:
    """The counterpart's address, if a call looked for nothing else and was answered with one record."""
    told = [trace for trace in traces if trace.value is not None and trace.value != ""]
    if len(told) != 1 or "counterpart" not in told[0].kinds or not _is_one_record(plain):
        return ()
    return (told[0].value,)


def _is_one_record(plain: Plain) -> bool:
    """A flat record, or a list of one: a text, a mapping of records or a longer list may tell of others."""
    if isinstance(plain, list):
        return len(plain) == 1 and isinstance(plain[0], dict) and _is_one_record(plain[0])
    if not isinstance(plain, dict):
        return False
    if len(plain) == 1 and isinstance(only := next(iter(plain.values())), list):
        return _is_one_record(only)  # `{"results": [...]}`
    inner = [item for item in plain.values() if isinstance(item, (dict, list))]
    return not inner or (len(inner) == 1 and not any(isinstance(item, (dict, list)) for item in _items(inner[0])))


def _items(container: Plain) -> list[Plain]:
    return list(container.values()) if isinstance(container, dict) else container if isinstance(container, list) else []


def _root(task: GuardedTask) -> GuardedTask:
    while task.parent is not None:
        task = task.parent
    return task


def _own_words(task: GuardedTask) -> str:
    """The intent without what was filled into it."""
    text = task.record.intent
    for start, end in sorted(task.filled, reverse=True):
        text = f"{text[:start]}{HIDDEN}{text[end:]}"
    return text


def _used(argument: str, place: Place, way: str = "", *, whole: bool = True) -> Used:
    return Used(scrub(argument), place.kind, place.call_id, scrub(place.tool), scrub(place.shown), way, whole)
