"""The text that a model sees when a call is refused.

A contract: the class of the denial, one sentence why, whether a retry can help, what would be allowed. It never holds a value of an
argument or the output of a tool, so that it cannot carry an instruction from one call into the next.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from licet.escape import plain_text
from licet.records import Decision

MAX_NAMED_TOOLS = 20
_SENTENCE = 300  # characters

_RETRY = {
    "scope.argument": "A call with other arguments may be allowed; do not repeat this one unchanged.",
    "chain.order": "It may be allowed later in this task, after the calls that must come first.",
    "guard.undecided": "It may work later; do not try more than once.",
}
_NO_RETRY = "Do not retry; go on with the rest of the task, or say that this part cannot be done."


@dataclass(frozen=True, slots=True)
class Denial:
    """The parts of the text, for a program that wants them apart."""

    check: str
    sentence: str
    retry: str
    allowed: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole, one line."""
        named = ", ".join(self.allowed[:MAX_NAMED_TOOLS]) + (", …" if len(self.allowed) > MAX_NAMED_TOOLS else "")
        allowed = f"Tools of this task: {named}." if self.allowed else "No tool is allowed here."
        return f"Denied ({self.check}): {self.sentence}. {self.retry} {allowed}"


def explain(decision: Decision, tool: str, granted: Iterable[str]) -> Denial:
    """Put a decision that does not allow a call into words for the model."""
    found = decision.leading
    check = found.check if found else "guard.undecided"
    why = found.told if found else "the guard could not decide"
    sentence = f"`{plain_text(tool, 80)}` did not run: {plain_text(why, _SENTENCE)}"
    return Denial(check, sentence, _RETRY.get(check, _NO_RETRY), tuple(plain_text(name, 80) for name in sorted(granted)))
