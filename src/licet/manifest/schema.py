"""The JSON Schema of a manifest, generated from the models and shipped beside them, so that editors complete and check it.

    python -m licet.manifest.schema --check     exit 1 if the shipped file is not what the models say
    python -m licet.manifest.schema --write     write it

A schema sees one value at a time. That names refer to something, that no scope is empty and that a pattern keeps something out is
for `licet check` alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from licet.manifest.models import Manifest

SCHEMA_ID = "urn:licet:manifest:1"
SHIPPED = Path(__file__).with_name("licet.schema.json")


def build() -> dict[str, Any]:
    """The schema of this release's manifest: closed, and without the keys that are declared but not enforced yet."""
    generated = Manifest.model_json_schema()
    _tidy(generated)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, "title": "Licet manifest"}
    return head | {key: value for key, value in generated.items() if key != "title"}


def text() -> str:
    """The schema as it is shipped and printed."""
    return json.dumps(build(), indent=2, ensure_ascii=True) + "\n"


def _tidy(node: Any) -> None:
    """Mend, in place, what pydantic's generator leaves open or says in words that JSON Schema does not have."""
    if isinstance(node, list):
        for item in node:
            _tidy(item)
    if not isinstance(node, dict):
        return
    if "patternProperties" in node:
        node["additionalProperties"] = False  # a name that does not match would otherwise be let in unseen
    for misplaced, meant in _LENGTHS.items():
        if node.get("type") == "array" and misplaced in node:
            node[meant] = node.pop(misplaced)
    if "gt" in node:
        node["exclusiveMinimum"] = node.pop("gt")
    for key, value in node.items():
        # Below `properties` and `$defs` stand names, which may be called anything.
        for child in value.values() if key in _NAMED and isinstance(value, dict) else (value,):
            _tidy(child)
    if isinstance(node.get("title"), str) and len(node) > 1:
        del node["title"]  # "Minlength" helps nobody
    if node.get("default", ...) is None:
        del node["default"]  # an editor would fill in null, which is an error
        _drop_null(node)


def _drop_null(node: dict[str, Any]) -> None:
    """Take `null` out of what an optional key may hold: a blank key is an error, not an absent one."""
    arms = [arm for arm in node.get("anyOf", ()) if arm != {"type": "null"}]
    if len(arms) == 1:
        del node["anyOf"]
        node.update(arms[0])
    elif arms:
        node["anyOf"] = arms


_LENGTHS = {"minLength": "minItems", "maxLength": "maxItems"}
_NAMED = frozenset({"properties", "patternProperties", "$defs"})


def main(argv: list[str] | None = None) -> int:
    """Check or write the shipped file."""
    parser = argparse.ArgumentParser(prog="python -m licet.manifest.schema", description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="exit 1 if the shipped file differs from the models")
    what.add_argument("--write", action="store_true", help="write the shipped file")
    options = parser.parse_args(argv)
    if options.write:
        SHIPPED.write_text(text(), encoding="utf-8")
        return 0
    if SHIPPED.is_file() and SHIPPED.read_text(encoding="utf-8") == text():
        return 0
    sys.stderr.write(f"{SHIPPED.name} is not what the models say; run `python -m licet.manifest.schema --write`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
