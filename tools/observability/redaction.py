"""What the Collector masks, in otel-collector.yaml, from the guard's own forms of tokens, keys and secrets.

python tools/observability/redaction.py     # after a change to src/licet/secretlike.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from licet.secretlike import collector_patterns

CONFIG = Path(__file__).parents[2] / "otel-collector.yaml"
_VALUES = re.compile(r"(?m)^    blocked_values:.*\n(?:      .*\n)*")
_MASK = re.compile(r"(?m)^  transform/mask:.*\n(?:    .*\n)*")
_OF = {
    "trace": ("resource", "scope", "span", "spanevent"),
    "log": ("resource", "scope", "log"),
    "metric": ("resource", "scope", "datapoint"),
}

# The JSON of a flat map whose texts were emptied: a text in it that is not empty is bytes. Read entry by entry, so that no key misleads.
_KEY = r'"(?:\\.|[^"\\])*":'
_BYTES = rf'[{{,]{_KEY}"[^"]'
_ONLY_BYTES = (rf'({_KEY}"[^"]+",?)|{_KEY}(?:""|[^",}}]+),?', "${1}")
_MASKED = (rf'({_KEY})"[^"]*"', '${1}"****"')


def values() -> str:
    """The key `blocked_values` of the redaction processor."""
    quoted = ((name, pattern.replace("'", "''")) for name, pattern in collector_patterns())
    return "    blocked_values:\n" + "".join(f"      - '{pattern}'  # {name}\n" for name, pattern in quoted)


def mask() -> str:
    """The processor `transform/mask`: keys that look like secrets, and bytes, in all attributes and in log bodies."""
    lines = ["  transform/mask:", "    error_mode: ignore"]
    for signal, contexts in _OF.items():
        lines.append(f"    {signal}_statements:")
        for context in contexts:
            lines += [f"      - context: {context}", "        statements:"]
            lines += (f"          - '{each.replace(chr(39), chr(39) * 2)}'" for each in _attributes(context))
        if signal == "log":
            lines += ["      - context: log", "        statements:"]
            lines += (f"          - '{each.replace(chr(39), chr(39) * 2)}'" for each in _body())
    return "\n".join(lines) + "\n"


def with_block(text: str) -> str:
    """The configuration with the present forms."""
    for place, name, made in ((_VALUES, "blocked_values", values()), (_MASK, "transform/mask", mask())):
        text, count = place.subn(lambda _, made=made: made, text)  # type: ignore[misc]
        if count != 1:
            raise SystemExit(f"{CONFIG}: `{name}:` stands there {count} times, and not once")
    return text


def _attributes(context: str) -> Iterator[str]:
    """Bytes become `****`, and the map that holds some is flat afterwards; what has no JSON goes. Then the keys."""
    its, flat, json = f"{context}.attributes", f'{context}.cache["flat"]', f'{context}.cache["json"]'
    some = f"where IsMatch({json}, {_text(_BYTES)})"
    yield f"set({flat}, {its})"
    yield f"flatten({flat}, resolveConflicts=true)"
    yield f'replace_all_patterns({flat}, "value", "(?s).+", "")'
    yield f"set({json}, String({flat}))"
    yield f'delete_matching_keys({its}, ".*") where {json} == nil or {json} == ""'
    yield f"flatten({its}, resolveConflicts=true) {some}"
    yield f"replace_pattern({json}, {', '.join(map(_text, _ONLY_BYTES))}) {some}"
    yield f'replace_pattern({json}, {_text(",[}]$")}, "}}") {some}'
    yield f"replace_pattern({json}, {', '.join(map(_text, _MASKED))}) {some}"
    yield f'merge_maps({its}, ParseJSON({json}), "update") {some}'
    yield f'replace_all_patterns({its}, "key", {_any()}, "****")'


def _body() -> Iterator[str]:
    """A body of parts becomes one text where a key in it looks like a secret, for the redaction processor; one with bytes `****`."""
    types = " or ".join(f"Is{kind}(log.body)" for kind in ("String", "Map", "List", "Int", "Double", "Bool"))
    flat, json = 'log.cache["body"]', 'log.cache["text"]'
    parts = "where (IsMap(log.body) or IsList(log.body))"
    yield f'set(log.body, "****") where log.body != nil and not ({types})'
    yield f"set({flat}, {{}}) {parts}"
    yield f'set({flat}["it"], log.body) {parts}'
    yield f"flatten({flat}, resolveConflicts=true) {parts}"
    yield f'replace_all_patterns({flat}, "value", "(?s).+", "") {parts}'
    yield f"set({json}, String({flat})) {parts}"
    yield f'set(log.body, "****") {parts} and ({json} == nil or {json} == "" or IsMatch({json}, {_text(_BYTES)}))'
    yield f'set(log.body, String(log.body)) {parts} and IsMatch(Concat(Keys({flat}), "\\n"), {_any()})'


def _any() -> str:
    """All forms as one, as a text of OTTL."""
    return _text("|".join(f"({pattern})" for _, pattern in collector_patterns()))


def _text(pattern: str) -> str:
    escaped = pattern.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{escaped}"'


if __name__ == "__main__":
    CONFIG.write_text(with_block(CONFIG.read_text(encoding="utf-8")), encoding="utf-8")
