"""The values that the Collector masks, in otel-collector.yaml, from the guard's own forms of tokens, keys and secrets.

python tools/observability/redaction.py     # after a change to src/licet/secretlike.py
"""

from __future__ import annotations

import re
from pathlib import Path

from licet.secretlike import collector_patterns

CONFIG = Path(__file__).parents[2] / "otel-collector.yaml"
_BLOCK = re.compile(r"(?m)^    blocked_values:.*\n(?:      .*\n)*")


def block() -> str:
    """The key `blocked_values` of the redaction processor."""
    quoted = ((name, pattern.replace("'", "''")) for name, pattern in collector_patterns())
    return "    blocked_values:\n" + "".join(f"      - '{pattern}'  # {name}\n" for name, pattern in quoted)


def with_block(text: str) -> str:
    """The configuration with the present forms."""
    found, count = _BLOCK.subn(lambda _: block(), text)
    if count != 1:
        raise SystemExit(f"{CONFIG}: `blocked_values:` stands there {count} times, and not once")
    return found


if __name__ == "__main__":
    CONFIG.write_text(with_block(CONFIG.read_text(encoding="utf-8")), encoding="utf-8")
