"""One line for each request: who asked for what, and how it went. Never a parameter, a header or a body, for tokens stand in those."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from licet.escape import visible

_log = logging.getLogger("licet.access")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class AccessLog:
    """ASGI middleware."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let the request through, and note its status."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 500, time.perf_counter()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            address = visible((scope.get("client") or ("-",))[0], 64)  # a proxy may hand on whatever a header said
            state = scope.get("state") or {}
            said = f"{status} {state['error']}" if "error" in state else str(status)
            took = (time.perf_counter() - began) * 1000
            # A path is whatever somebody sends, and a log is read on a terminal.
            path = visible(scope["path"], 100)
            _log.info("%s %s %s %s %s %.1f ms", address, state.get("client", "-"), scope["method"], path, said, took)
