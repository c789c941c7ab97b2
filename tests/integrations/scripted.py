"""A chat model that makes the calls it was told to make, one message after the other. It holds no state, so that replays are alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult


def calls(*made: tuple[str, dict[str, Any]], first: int = 1) -> AIMessage:
    """A message of the model that makes these calls in parallel, with ids `c1`, `c2`, ..."""
    listed = [{"name": name, "args": args, "id": f"c{number}", "type": "tool_call"} for number, (name, args) in enumerate(made, first)]
    return AIMessage(content="", tool_calls=listed)


class ScriptedModel(BaseChatModel):
    """Says the messages of `script` in turn, by how many of its own it finds in the conversation; then `done`."""

    script: list[AIMessage]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **options: Any) -> ScriptedModel:
        return self

    def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **options: Any) -> ChatResult:
        said = sum(isinstance(message, AIMessage) for message in messages)
        message = self.script[said].model_copy() if said < len(self.script) else AIMessage(content="done")
        return ChatResult(generations=[ChatGeneration(message=message)])
