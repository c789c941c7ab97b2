"""A world for the tests of origin: all tools of a few lines of YAML, granted to one task kind, each returning what the test says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from licet import Denied
from world import World

IBAN = "GB29NWBK60161331926819"
OTHER_IBAN = "DE89370400440532013000"
EVE = "eve@evil.example"
ADA = "ada@acme.example"
_HEAD = """\
licet: 1
environment: dev
owners: {{o: {{name: O, contact: o@acme.example}}}}
agents: {{bot: {{owner: o, tasks: [work{kinds}], may_delegate_to: [bot]}}}}
checks: {{{checks}}}
tools:
{tools}
tasks:
  work: {{intent: Work, ttl: 10m, tools: {{{granted}}}}}
{more}"""


class Lab(World):
    """Call tools by name. `gives` is what each returns: a value, an exception to raise, or a function of the arguments.

    `kinds` are further task kinds, as lines of YAML, and `more` further sections of the manifest.
    """

    def __init__(
        self, folder: Path, tools: str, *, kinds: str = "", more: str = "", checks: str = "origin.unanchored: {then: flag}", **options: Any
    ) -> None:
        names = re.findall(r"^  (\w+):", tools, re.MULTILINE)
        text = _HEAD.format(
            kinds="".join(f", {name}" for name in re.findall(r"^  (\w+):", kinds, re.MULTILINE)), checks=checks, tools=tools.strip("\n"),
            granted=", ".join(f"{name}: " for name in names), more=f"{kinds}\n{more}",
        )  # fmt: skip
        super().__init__(folder, text, **options)
        self.gives: dict[str, Any] = {}
        self.tools: dict[str, Callable[..., Any]] = {name: self.tool(name, self._body(name)) for name in names}

    def _body(self, name: str) -> Callable[..., Any]:
        def body(**arguments: Any) -> Any:
            self.ran.append((name, arguments))
            given = self.gives.get(name, "ok")
            if isinstance(given, BaseException):
                raise given
            return given(**arguments) if callable(given) else given

        return body

    def call(self, tool: str, **arguments: Any) -> Any:
        """Call a tool; it must run."""
        before = len(self.ran)
        out = self.tools[tool](**arguments)
        assert len(self.ran) > before
        return out

    def stops(self, check: str, tool: str, **arguments: Any) -> Denied:
        """Call a tool; it must be refused by this check."""
        return self.denied(check, self.tools[tool], **arguments)

    def outcome(self, tool: str, **arguments: Any) -> str:
        """`ran`, or the checks that refused it."""
        try:
            self.tools[tool](**arguments)
        except Denied as denial:
            return " ".join(sorted(set(denial.decision.checks)))
        return "ran"

    def index(self, task: Any) -> Any:
        """The origin index of a task."""
        return self.guard._gate._p.origins._of(task).index
