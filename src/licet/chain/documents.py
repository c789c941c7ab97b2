"""YAML texts that were read before, so that the same text is not read again: reading takes up to 20 microseconds a character.

What is remembered depends on the text alone, is only looked at, and never changed. A text that is no document is not remembered.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from licet.locks import Lock
from licet.manifest.yaml_reader import read

NO_DOCUMENT: Any = object()
LONGEST = 100_000
"""Characters; the strict reader takes two seconds for them, and no longer text is read."""
KEPT = 1_000_000
"""Characters of all texts that are remembered."""


class Documents:
    """The last texts that were read, at most `kept` characters of them. For any number of threads."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._known: OrderedDict[str, Any] = OrderedDict()
        self._characters = 0
        self._lock = Lock()

    def read(self, text: str) -> Any:
        """The data of one strict YAML document, which nobody may change; `NO_DOCUMENT` if it is none."""
        if len(text) > LONGEST:
            return NO_DOCUMENT
        with self._lock:
            if text in self._known:
                self._known.move_to_end(text)
                return self._known[text]
        document = read(text)
        if document.refused:
            return NO_DOCUMENT
        self._keep(text, document.data)
        return document.data

    def _keep(self, text: str, data: Any) -> None:
        with self._lock:
            if text not in self._known:
                self._known[text] = data
                self._characters += len(text)
            while self._known and self._characters > self._kept:
                old, _ = self._known.popitem(last=False)
                self._characters -= len(old)
