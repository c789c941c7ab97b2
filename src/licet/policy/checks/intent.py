"""Whether what the agent says a call is for fits the call. Its words prove nothing; that they contradict the call is worth a look."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator

from licet.manifest import Tool
from licet.policy.request import Facts, Request, reason
from licet.records import Reason

_MAX = 2_000  # characters of a reason that are looked at
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:/-]*")
_PIECE = re.compile(r"[A-Za-z0-9_]+")
_QUOTES = frozenset("`'\"‘’“”«»")

# What says that nothing is changed: `read-only`, `only reading`, `just look it up`, `without changing anything`. "I just read the
# ticket" tells of an earlier call, so that the bare verb counts only after `only` and where no `I` stands before it.
_JUST = r"(?:only|just|merely|simply)"
_GOING = r"(?:(?:going|want|wanting|need|needing|trying|have|having|here|be|am)\s+)?(?:to\s+)?(?:be\s+)?"
_LOOKS = (
    r"(?:reading|viewing|looking|checking|listing|fetching|searching|inspecting|browsing|retrieving|"
    r"look(?:\s+\w+)?\s+(?:up|at|into|for)|view|check|list|fetch|search|inspect|browse|retrieve)"
)
_NO_CHANGE = (
    r"(?:without|no|not|nothing|won't|doesn't|don't|never)(?:\s+\w+){0,2}?\s+"
    r"(?:changes?|changing|changed|modif\w+|alter\w*|writes?|writing|written|side[\s-]effects?)"
)
_READS = re.compile(
    rf"\bread[\s-]only\b|\b{_JUST}\s+{_GOING}{_LOOKS}\b|\b{_JUST}\s+(?:going\s+)?to\s+read\b|(?<!\bi )\bonly\s+reads?\b|\b{_NO_CHANGE}\b"
)
_WRITES = re.compile(
    rf"\bwrite[\s-]only\b|\b{_JUST}\s+{_GOING}(?:writing|updating|editing|saving|sending|posting|write|update|edit|save|send|post)\b"
)


def mismatch(request: Request, facts: Facts) -> Iterable[Reason]:
    """A stated reason that names another tool than the call's, or less access than the call's tool has."""
    return _mismatch(request, facts) if request.reason else ()


def _mismatch(request: Request, facts: Facts) -> Iterator[Reason]:
    said = unicodedata.normalize("NFKC", request.reason[:_MAX])
    named = _tools_named(said, facts.manifest.tools)
    if named and request.tool not in named:
        other = sorted(named)[0]
        yield reason("intent.mismatch", f"the stated reason names `{other}`, and the call is of `{request.tool}`", (other, request.tool))
    tool = facts.tool(request.tool)
    claimed = _less_than(tool, " ".join(said.lower().replace("’", "'").split())) if tool else ""
    if tool and claimed:
        access = tool.access or "write"
        yield reason(
            "intent.mismatch", f"the stated reason speaks of {claimed} only, and `{request.tool}` has {access} access", (request.tool,)
        )


def _less_than(tool: Tool, said: str) -> str:
    """The access that the reason claims, where it is below the tool's."""
    if tool.writes and _READS.search(said):
        return "reading"
    return "writing" if tool.access == "admin" and _WRITES.search(said) else ""


def _tools_named(said: str, tools: Collection[str]) -> set[str]:
    """The tools that a reason names. One whose name is a plain word (`send`) counts only as a name: quoted, called, or before `tool`."""
    found: set[str] = set()
    for match in _NAME.finditer(said):
        token = match[0].rstrip(".:/-")
        end = match.start() + len(token)
        for name in (token, *(_PIECE.findall(token) if token not in tools else ())):
            if name in tools and (not _is_a_word(name) or (name == token and _as_a_name(said, match.start(), end))):
                found.add(name)
    return found


def _is_a_word(name: str) -> bool:
    return name.isalpha() and (name.islower() or name.istitle())


def _as_a_name(said: str, start: int, end: int) -> bool:
    quoted = said[start - 1 : start] in _QUOTES and said[end : end + 1] in _QUOTES if start else False
    return quoted or said.startswith("(", end) or re.match(r"\s+tool\b", said[end : end + 10]) is not None
