"""Recorded sessions for a command: session files, spans, or a Jaeger, one session after the other; what is none is counted and told."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence

from licet.cli import output
from licet.escape import counted, visible
from licet.replay import Bad, Session, SpanSessions, read, sessions_from
from licet.secretlike import scrub
from licet.traces import holds_spans, is_address

SHOWN_BAD = 10
MAX_SUITES = 100  # that are told apart
_HINT = "let the agent record contents (Licet: `record:` in the manifest; others: gen_ai.tool.call.arguments and .result)"


class Recordings:
    """The sessions of `sources`, in their order: of `suite`, if one is named, and from `since` on (seconds since the epoch).

    `kinds`: the task kinds, where nobody has said of which one the sessions are: then it is told which are of another suite.

    Raises:
        UsageError: a source is not there.
    """

    def __init__(
        self, sources: Sequence[str], *, suite: str | None = None, since: float | None = None, kinds: Collection[str] = ()
    ) -> None:
        self.sources, self.kinds = sources, kinds
        self.foreign: Counter[str] = Counter()
        """Sessions by their suite, where that is no task kind."""
        self._suite, self._since = suite, since
        self._spans = {name for name in sources if is_address(name) or name == "-" or holds_spans(name)}
        self.left = SpanSessions()
        """What spans lacked; it holds no sessions."""
        self.bad = 0
        """Lines that are no sessions; the first are kept in `first_bad`."""
        self.first_bad: list[Bad] = []
        self.others = self.earlier = self.undated = 0
        """Sessions that were not asked for: of other suites, from before `since`, and without a time although one was asked for."""

    @property
    def files_only(self) -> bool:
        """Whether all of them can be read a second time."""
        return not any(is_address(name) or name == "-" for name in self.sources)

    def items(self, progress: Callable[[int, int], object] | None = None) -> Iterator[Session | None]:
        """Each session that was asked for; None in the place of whatever else stands there, so that places can be counted.

        `progress` hears the number of the source, and how many bytes of it were read.
        """
        for index, name in enumerate(self.sources):
            at = functools.partial(progress, index) if progress is not None else None
            for item in self._of_spans(name) if name in self._spans else read(name, at):
                yield self._wanted(item)

    def _wanted(self, item: Session | Bad) -> Session | None:
        if isinstance(item, Bad):
            self.bad += 1
            if len(self.first_bad) < SHOWN_BAD:
                self.first_bad.append(item)
        elif self._suite not in (None, item.suite):
            self.others += 1
        elif self._since is not None and item.time is None:
            self.undated += 1
        elif self._since is not None and item.time is not None and item.time < self._since:
            self.earlier += 1
        else:
            if self.kinds and item.suite not in self.kinds:
                self.foreign[item.suite if item.suite in self.foreign or len(self.foreign) < MAX_SUITES else "others"] += 1
            return item
        return None

    def _of_spans(self, source: str) -> Iterator[Session | Bad]:
        found = sessions_from(source)
        self.left.without += found.without
        self.left.partly += found.partly
        self.left.unanswered += found.unanswered
        yield from found.bad
        yield from found.sessions

    def bad_lines(self) -> dict[str, object]:
        """How many lines were no sessions, and the first of them, as plain data."""
        first = [{"file": each.file, "line": each.line, "key": each.key, "why": each.why} for each in self.first_bad]
        return {"lines": self.bad, "first": first}

    def say(self) -> None:
        """Tell, on standard error, what was no session, not asked for, or without contents."""
        for item in self.first_bad:
            output.error("not a session: ", str(item))
        if self.bad > SHOWN_BAD:
            output.error(f"not a session: {counted(self.bad - SHOWN_BAD, 'more line')}")
        for number, why in ((self.others, f"of other suites than {self._suite}"), (self.earlier, "from before --since")):
            if number:
                output.error(f"left out: {counted(number, 'session')} {why}")
        if self.undated:
            output.error(f"left out: {counted(self.undated, 'session')} without a time: --since asks for one")
        if self.foreign and len(self.kinds) == 1:  # of several kinds, it is none that is taken
            suites = ", ".join(f"{visible(scrub(suite), 80) or 'no name'} ({number:,})" for suite, number in self.foreign.most_common(5))
            told = (
                f"{counted(self.foreign.total(), 'session')} of other suites were taken for `{next(iter(self.kinds))}`, the only task kind"
            )
            output.error(f"{told}: {suites}; say `--task` if they are that, and `--suite` if not")
        if self.left.without:
            calls = counted(self.left.without.total(), "call")
            output.error(f"left out: {calls} whose spans have no arguments: {_tools(self.left.without)}; {_HINT}")
        if self.left.partly:
            hint = "name all arguments of these tools in the manifest's `record:`, as without the others no call can be judged"
            calls = counted(self.left.partly.total(), "call")
            output.error(f"left out: {calls} of which only some arguments are on the span: {_tools(self.left.partly)}; {hint}")
        if self.left.unanswered:
            calls = counted(self.left.unanswered, "call")
            output.error(f"{calls} ran and have no result on their spans, so that nothing is known to come from them; {_HINT}")


def _tools(by_tool: Counter[str]) -> str:
    return ", ".join(f"{tool} ({number:,})" for tool, number in by_tool.most_common(5))
