"""What a tool gave, as plain data; or, where that cannot be had, as the text that it shows. Nothing of it can raise here."""

from __future__ import annotations

from licet.canonical import Plain, digest, digest_text
from licet.snapshot import snapshot

MAX_TEXT = 1_000_000  # characters of what an object shows of itself


def plain_output(output: object) -> tuple[Plain, str, bool]:
    """A tool's output as plain data, and its digest; of what cannot be frozen the text that it shows, the digest of its type, and False."""
    plain, whole = plain_of(output)
    return plain, digest(plain) if whole else digest_text(f"unjudgeable {type(output).__qualname__}"), whole


def plain_of(output: object) -> tuple[Plain, bool]:
    """The same without the digest."""
    try:
        return snapshot({"output": output}).plain["output"], True
    # The output's own code may raise anything while it is read; the tool has run, and its result must reach the agent.
    except Exception:  # noqa: BLE001
        return _text_of(output), False


def error_text(error: BaseException) -> str:
    """What an exception says, as a framework would show it to the model."""
    return f"{type(error).__name__}: {_text_of(error)}"


def _text_of(thing: object) -> str:
    try:
        text = str(thing)
        return text[:MAX_TEXT] if type(text) is str else ""
    except Exception:  # noqa: BLE001 - code of the thing itself
        return f"<{type(thing).__qualname__}>"
