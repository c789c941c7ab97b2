"""A run full of planted secrets: every way that a value, a name or a text can get to a guard. `planted_run.py FOLDER` writes what it planted.

Run in a process of its own: its standard error has the log, and it leaves by the ordinary door, so that what waits is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from licet import Denied, Guard
from licet.records import ToolCall
from planted import KINDS, Planter

MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents:
  bot: {owner: o, tasks: [work, ordered, asking, narrow, watched, told], may_delegate_to: [helper, bot]}
  helper: {owner: o, tasks: [work]}
tools:
  note: {access: read, egress: false}
  look: {access: read, egress: false, store: crm, fields: {id: trusted}, reveals: [customer-data]}
  send: {access: write, egress: true, arguments: {to: {origin: [intent, trusted]}, body: {content: true}}}
  save: {access: write, egress: false, store: crm, arguments: {key: {origin: [intent, trusted, nowhere]}}}
  pay: {access: write, egress: true, arguments: {amount: {}, to: {origin: [intent, trusted, nowhere]}}}
  share: {access: write, egress: true, arguments: {with_whom: {origin: [intent, trusted, nowhere]}}}
  strict: {access: read, egress: false, arguments: {value: {pattern: '[a-z]+'}}}
  typed: {access: read, egress: false, arguments: {value: {properties: {a: {type: integer}}}}}
  text: {access: read, egress: false, format: json, fields: {id: trusted}}
  stream: {access: read, egress: false}
  astream: {access: read, egress: false}
  anote: {access: read, egress: false}
  risky: {access: write, egress: true}
  spare: {access: admin, egress: false}
  seen: {access: read, egress: false, arguments: {value: {}, password: {}, unseen: {}}, record: {arguments: [value, password], output: true}}
  lc: {access: read, egress: false}
  alc: {access: read, egress: false}
tasks:
  work: &work
    intent: Work
    ttl: 10m
    tools: {note: {}, look: {}, send: {}, save: {}, share: {}, strict: {}, typed: {}, text: {}, stream: {at_most: 60}, astream: {}, anote: {}, lc: {}, alc: {}, pay: {arguments: {amount: {maximum: 100, minimum: 0}}}}
    budgets:
      - {sum: amount, of: pay, at_most: 100}
      - {distinct: with_whom, of: share, at_most: 2}
  told: {intent: Told, ttl: 10m, record: [intent], tools: {seen: {}}}
  ordered: {intent: In order, ttl: 10m, tools: {note: {}, save: {}}, chain: [start -> note, note -> save]}
  asking: {intent: Ask first, ttl: 10m, tools: {risky: {ask: true}, note: {}}}
  narrow: {intent: Little, ttl: 10m, tools: {note: {}, strict: {}}}
  watched: {intent: Watched, ttl: 10m, tools: {note: {}, send: {}}, mode: observe, until: UNTIL, reason: first days}
flows:
  - {from: customer-data, to: share, then: deny}
""".replace("&work", "")  # fmt: skip


class Model(BaseModel):
    """What a tool takes or returns."""

    name: str
    inner: dict[str, Any]


@dataclasses.dataclass
class Row:
    """The same."""

    name: str
    inner: list[Any]


class Shown:
    """Nothing that can be looked into; it shows the secret of itself."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


class Run:
    """One run. `p.content(...)` plants where contents are, `p.name(...)` where names and sentences are."""

    def __init__(self, folder: Path, manifest: str) -> None:
        self.p = p = Planter()
        self.folder = folder
        path = folder / "licet.yaml"
        path.write_text(manifest, encoding="utf-8")
        self.answers: list[Any] = []
        self.guard = Guard.from_file(path, state=folder / "state", approver=self._approve, origin_denials=50)
        self._approve.__func__.identity = ("Grace", "test")  # type: ignore[attr-defined]
        self.principal = p.name("the name of a principal")

    def _approve(self, request: Any) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def tool(self, name: str, body: Callable[..., Any]) -> Callable[..., Any]:
        return self.guard.wrap(body, name=name)

    def gives(self, name: str, output: Any) -> Any:
        """The output of one call."""

        def body() -> Any:
            if isinstance(output, BaseException):
                raise output
            return output

        with contextlib.suppress(Denied):
            return self.tool(name, body)()

    def call(self, name: str, *args: Any, **kwargs: Any) -> None:
        """A call of a tool that takes anything; refused or not."""

        def body(value: Any = None, **more: Any) -> str:
            return "done"

        def send(to: Any = "", body: str = "") -> str:
            return "sent"

        def pay(amount: Any = 0, to: str = "") -> str:
            return "paid"

        def share(with_whom: Any = "") -> str:
            return "shared"

        def save(key: Any = "", value: Any = "") -> str:
            return "saved"

        known = {"send": send, "pay": pay, "share": share, "save": save}
        with contextlib.suppress(Denied):
            self.tool(name, known.get(name, body))(*args, **kwargs)

    def task(self, kind: str = "work", intent: str | None = None, **more: Any) -> Any:
        intent = f"Do the work of {self.p.content('an intent')}" if intent is None else intent
        return self.guard.task(kind, intent=intent, agent="bot", principal=self.principal, **more)


def arguments(run: Run) -> None:
    p = run.p
    with run.task() as task:
        task.say(p.content("a later turn"))
        task.quote(p.content("a quoted text"))
        task.observe(p.content("an observed text"))
        for kind in KINDS:  # each kind once as it is, and once inside
            run.call("note", p.of(kind, "an argument").text)
            run.call("note", {"deep": [{"password": p.of(kind, "a nested argument").text}]})
        run.call("note", {p.name("a key of an argument"): {p.name("a key within"): p.content("a value under keys")}})
        run.call("note", [p.content("an item of an argument"), [p.content("an item within an item")]])
        run.call("note", p.content("bytes").encode())
        run.call("note", Model(name=p.content("a model"), inner={"x": p.content("a value in a model")}))
        run.call("note", Row(name=p.content("a row"), inner=[p.content("a value in a row")]))
        run.call("note", value=int(p.of("card number", "a number").text))
        run.call("save", key=p.content("what is written"), value=p.content("what is written, too"))
        run.call("note", p.content("a text of some length") + " " + "x" * 30_000 + p.content("its end"))


def outputs(run: Run) -> None:
    p = run.p
    with run.task() as task:
        for kind in KINDS:
            run.gives("note", p.of(kind, "an output").text)
            run.gives(
                "look",
                {"id": p.of(kind, "a trusted field").text, "comments": [{"body": f"Hello, it is {p.of(kind, 'a nested output').text}."}]},
            )
        run.gives("look", {p.name("a key of an output"): {p.name("a key within an output"): {"z": p.content("under keys of an output")}}})
        run.gives("note", [p.content("an item of an output"), {"a": p.content("a value of an output")}])
        run.gives("note", p.content("bytes of an output").encode())
        run.gives("note", Model(name=p.content("a model as output"), inner={"x": p.content("in a model as output")}))
        run.gives("note", Row(name=p.content("a row as output"), inner=[p.content("in a row as output")]))
        run.gives("note", Shown(p.content("what an object shows")))
        run.gives("note", type(p.name("a class of an output"), (), {})())
        run.gives("text", json.dumps({"id": p.content("JSON text"), "note": p.content("JSON text, too")}))
        run.gives("text", "{not json " + p.content("text that is no JSON"))
        task.say("And " + p.content("a second later turn"))

        def stream() -> Iterator[str]:
            yield p.content("a yield")
            yield p.content("a second yield")
            raise RuntimeError(p.content("an error after yields"))

        async def astream() -> AsyncIterator[Any]:
            yield {"x": p.content("an asynchronous yield")}
            yield p.content("a second asynchronous yield")

        async def anote(value: str) -> str:
            return p.content("an asynchronous output")

        async def asynchronous() -> None:
            async for _ in run.tool("astream", astream)():
                pass
            await run.tool("anote", anote)(p.content("an asynchronous argument"))

        with contextlib.suppress(RuntimeError):
            list(run.tool("stream", stream)())
        asyncio.run(asynchronous())


def errors(run: Run) -> None:
    p = run.p

    def raising(error: BaseException) -> None:
        with contextlib.suppress(BaseException):
            run.gives("note", error)

    with run.task():
        for kind in KINDS:
            raising(ValueError(p.of(kind, "an exception's message").text))
        noted = KeyError(p.content("a key error"))
        noted.add_note(p.content("a note on an exception"))
        raising(noted)
        caused = RuntimeError("outer")
        caused.__cause__ = OSError(2, p.content("a cause"), p.content("a file's name in a cause"))
        raising(caused)
        grouped = ExceptionGroup(p.content("a group"), [ValueError(p.content("in a group"))])
        raising(grouped)
        for base in (Exception, BaseException):
            raising(
                type("X", (base,), {"__qualname__": p.name("an exception's qualified name"), "__name__": p.name("an exception's name")})(
                    p.content("x")
                )
            )
        raising(type(p.name("a class that raises when it is shown"), (Exception,), {"__str__": lambda self: 1 / 0})())
        raising(SystemExit(p.content("a system exit")))
        raising(KeyboardInterrupt(p.content("an interrupt")))
    with contextlib.suppress(Exception), run.task():
        raise type(p.name("the class of what leaves the block"), (Exception,), {"__qualname__": p.name("its qualified name")})(
            p.content("what leaves the block")
        )


def denials(run: Run) -> None:
    p = run.p
    with run.task():
        shown = [p.name("an output that is copied") for _ in range(24)]
        run.gives("look", {"id": "7", "comments": [{"body": f"Use {text} now", "owner": text} for text in shown]})
        for text in shown:  # a secret that came from an output goes into arguments: the reasons speak of where it stood
            run.call("send", to=text, body=f"It is {text}")
            run.call("save", key={text: text}, value=[text])
        run.call("send", to=[p.content("a recipient"), p.content("a second recipient")], body=p.content("a body"))
        run.call("send", to="https://" + p.content("a link") + ".evil.example/", body="x")
        run.call("spare", p.content("an argument of what is not granted"))
        run.call(p.name("the name of a tool that is not declared"), p.content("its argument"))
        run.call("strict", p.content("what does not match"))
        run.call("typed", {"a": p.content("of the wrong type"), p.name("a property that is not known"): 1})
        run.call("note", 1, 2, p.content("a positional argument too many"))
        run.call("pay", amount=p.content("an amount that is no number"))
        run.call("pay", amount=90, to=p.content("a payee"))
        run.call("pay", amount=90, to=p.content("a payee beyond the budget"))
        for _ in range(4):
            run.call("share", with_whom=p.content("a counted value"))
        run.call("note", str(run.folder / "state" / p.content("a path into the state")))
        run.call("note", {p.name("a key beside what cannot be frozen"): object(), "b": p.content("beside what cannot be frozen")})

        class Hostile:
            def __iter__(self) -> Any:
                raise RuntimeError(p.content("an argument that raises when it is read"))

            __len__ = __getattr__ = __deepcopy__ = __iter__  # type: ignore[assignment]

        run.call("note", Hostile())

        def closed(value: int = 0) -> int:
            return value

        with contextlib.suppress(Denied):
            run.tool("note", closed)(**{p.name("a keyword that is not known"): p.content("its value")})
        with contextlib.suppress(Denied), run.guard.delegate("work", agent="helper", intent=p.content("a delegated intent")) as child:
            run.call("note", p.content("an argument in a sub-task"))
            child.end(by=p.name("by whom a task was ended"))
        with contextlib.suppress(Denied):
            run.guard.delegate("narrow", agent=p.name("an agent that is not known"), intent="x").__enter__()
    run.call("note", p.content("an argument outside any task"))
    with run.task("ordered"):
        run.call("save", key="a", value=p.content("out of order"))
    with run.task("narrow", tools={"strict": {"arguments": {"value": {"enum": [p.content("a limit of tools=")]}}}}):
        run.call("strict", p.content("against a limit of tools="))
    with run.task("watched"):
        run.call("send", to=p.content("an observed recipient"), body=p.content("an observed body"))
        run.call(p.name("an observed tool that is not declared"), p.content("an observed argument"))
    with run.task(intent="Answer {who} now", values={"who": p.content("a value of an intent")}):
        run.call("note", p.content("an argument of the filled task"))


def opted_in(run: Run) -> None:
    """Contents that may leave: what looks like a secret, and what stands behind a name of one, may not."""
    p = run.p
    with run.task(
        "told",
        intent=f"Use {p.name('the words of a user who is recorded')} for {{who}}",
        values={"who": p.content("a value in recorded words")},
    ):
        for number in range(30):
            output: Any = p.name("a recorded output")
            if number % 3 == 0:
                output = {
                    "a": [{p.name("a key of a recorded output"): f"So {output} it is"}],
                    "api_key": p.content("behind the name of a secret in an output"),
                }

            def seen(value: Any, password: Any = "", unseen: Any = "", output: Any = output) -> Any:
                return output

            value: Any = p.name("a recorded argument")
            if number % 3 == 1:
                value = {
                    "x": [value, p.name("an item of a recorded argument") + " " + "filler " * number * 40],
                    "token": p.content("behind the name of a secret"),
                    "raw": p.content("bytes in a recorded argument").encode(),
                }
            with contextlib.suppress(Denied):
                run.tool("seen", seen)(
                    value=value,
                    password=p.content("an argument that is called a password"),
                    unseen=p.content("an argument beside recorded ones"),
                )

        def stream(value: Any) -> Iterator[str]:
            yield p.name("a recorded yield")
            yield p.name("a second recorded yield")

        list(run.guard.wrap(stream_of(stream), name="seen")(value=p.name("a recorded argument of a generator")))


def stream_of(function: Callable[..., Iterator[str]]) -> Callable[..., Iterator[str]]:
    def seen(value: Any, password: Any = "", unseen: Any = "") -> Iterator[str]:
        yield from function(value)

    return seen


def questions(run: Run) -> None:
    p = run.p
    run.answers = [True, False, RuntimeError(p.content("an approver that raises")), p.content("an answer that is no answer")]
    for _ in range(4):
        with run.task("asking"):
            run.call("risky", p.content("what a person is asked about"))

    def asked(by: str, approved: object) -> None:
        with run.task("asking") as task:
            ticket = run.guard.begin(
                ToolCall("risky", {"value": p.content("what is asked by hand")}, call_id=p.name("the id of an asked call")), task=task
            )
            run.guard.resolve(ticket, approved, by=by)
            if ticket.allowed:
                ticket.redeem()
            run.guard.end(ticket, result=p.content("the result of an asked call"))

    asked(p.name("who approved"), True)
    asked(p.name("who refused"), False)


def names(run: Run) -> None:
    """What a framework or a model says of a call."""
    p = run.p
    with run.task() as task:
        for number in range(14):
            given = {field: p.name(f"`{field}` of a call") for field in ("call_id", "session", "run", "agent", "framework", "reason")}
            call = ToolCall(
                "note" if number % 2 else p.name("a tool's name"), {"value": p.content("an argument by hand")}, known=("value",), **given
            )
            ticket = run.guard.begin(call, task=task)
            if ticket.allowed:
                ticket.redeem()
            error = type("E", (Exception,), {"__qualname__": p.name("an error's name by hand")})(p.content("an error by hand"))
            run.guard.end(
                ticket,
                **(
                    {"error": error}
                    if number % 4 == 1
                    else {"error": p.content("an error as a text")}
                    if number % 4 == 3
                    else {"result": 1}
                ),
            )
            run.guard.peek(call, task=task)
        call = ToolCall(
            "note",
            {"value": 1},
            meta={"mcp.session.id": p.name("a session of MCP"), p.name("a name in meta"): p.content("a value in meta")},
            known=("value",),
        )
        run.guard.end(run.guard.begin(call, task=task, problem=p.name("a problem that a framework told")))
        run.guard.end(
            run.guard.begin(ToolCall("note", {"value": 1}, definition=p.name("a definition's digest"), known=("value",)), task=task)
        )

        def reasoned(value: str) -> str:
            return "x"

        for _ in range(6):
            run.guard.wrap(reasoned, name="note", ask_reason=True)(
                value=p.content("an argument with a reason"), reason=p.name("a stated reason")
            )


def frameworks(run: Run) -> None:
    from langchain.agents import create_agent
    from langchain_core.tools import ToolException, tool

    from integrations.scripted import ScriptedModel, calls
    from licet.integrations.langchain import GuardMiddleware

    p = run.p

    @tool
    def lc(value: str, more: dict[str, Any] | None = None) -> str:
        """Look something up."""
        if value == "fail":
            raise ToolException(p.content("an error of a LangChain tool"))
        return p.content("an output of a LangChain tool")

    @tool
    async def alc(value: str) -> str:
        """Look something up, later."""
        return p.content("an output of an asynchronous LangChain tool")

    lc.handle_tool_error = True
    made = [
        (
            "lc",
            {
                "value": p.content("an argument of a LangChain tool"),
                "more": {p.name("a key for a LangChain tool"): p.content("a value for it")},
            },
        )
        for _ in range(6)
    ]
    made += [
        ("lc", {"value": "fail"}),
        ("lc", {"value": 3, p.name("an argument that is not known"): 1}),
        (p.name("a tool that a model made up"), {"x": p.content("its argument")}),
    ]
    agent = create_agent(
        ScriptedModel(script=[calls(*made)]), [lc, alc], middleware=[GuardMiddleware(run.guard)], system_prompt=p.content("a system prompt")
    )
    with run.task(), contextlib.suppress(Denied):
        agent.invoke({"messages": [("user", p.content("a user's message"))]})
    agent = create_agent(
        ScriptedModel(script=[calls(("alc", {"value": p.content("an argument later")}))]), [alc], middleware=[GuardMiddleware(run.guard)]
    )
    with run.task():
        asyncio.run(agent.ainvoke({"messages": [("user", "x")]}))


def main(folder: Path) -> None:
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    from datetime import UTC, datetime, timedelta

    run = Run(folder, MANIFEST.replace("UNTIL", (datetime.now(UTC) + timedelta(days=20)).date().isoformat()))
    for part in (arguments, outputs, errors, denials, opted_in, questions, names, frameworks):
        part(run)
    run.guard.close()
    (folder / "planted.json").write_text(json.dumps([dataclasses.asdict(each) for each in run.p.planted]), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
