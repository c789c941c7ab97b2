"""The two agents: the support agent, and the research agent that it asks what the help centre says.

They are the same guarded and unguarded. What a guard adds is one middleware, and for the research agent a sub-task of its own.
"""

from __future__ import annotations

import textwrap
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolMessage
from model import PROMPT, RESEARCH_PROMPT
from places import TICKET, Crm, Mail, Web
from tools import make_research_tools, make_tools

from licet import Guard
from licet.cli.output import paint, say
from licet.escape import visible, visible_json
from licet.integrations.langchain import GuardMiddleware


def make_agent(model: BaseChatModel, guard: Guard | None, *, crm: Crm, web: Web, mail: Mail) -> Any:
    """The support agent; its tool `ask_research` is the other agent."""
    middleware = [GuardMiddleware(guard)] if guard else []

    def research(question: str) -> str:
        researcher = create_agent(model, make_research_tools(web), system_prompt=RESEARCH_PROMPT, middleware=middleware)
        with sub_task(guard):
            return work(researcher, question, indent=8)[0]

    return create_agent(model, make_tools(crm, mail, research), system_prompt=PROMPT, middleware=middleware)


def sub_task(guard: Guard | None) -> AbstractContextManager[object]:
    """What the research agent may do is declared, and never more than what the support agent may. The intent is ours, not the model's."""
    if guard is None:
        return nullcontext()
    return guard.delegate("look-up-help", agent="research-bot", intent=f"Find what the help centre says to ticket {TICKET}")


def work(agent: Any, request: str, indent: int = 4) -> tuple[str, list[str]]:
    """Let an agent work, and show each call it makes, and why it was refused. Its last words, and those reasons, are the answer."""
    last, refused = "", []
    for update in agent.stream({"messages": [("user", request)]}, stream_mode="updates"):
        for step in update.values():
            for message in (step or {}).get("messages", []):
                if isinstance(message, AIMessage):
                    last = str(message.text)
                    for call in message.tool_calls:
                        arguments = ", ".join(f"{name}={shortly(value)}" for name, value in call["args"].items())
                        say(" " * indent, paint(call["name"], "bold"), f"({arguments})")
                elif isinstance(message, ToolMessage) and message.status == "error":
                    refused.append(str(message.content))
                    for line in textwrap.wrap(visible(str(message.content), 600), 100):
                        say(" " * indent, "  ", paint(line, "red"))
    return last, refused


def shortly(value: object) -> str:
    shown = visible_json(value, 500)
    return shown if len(shown) <= 40 else f'{shown[:36]} …"'
