"""The null baselines: the same two manifests without what origin adds, so that one sees what it adds.

python benchmarks/agentdojo/baselines.py ask-every-write OUT     a person confirms each write; no labels, no origins
python benchmarks/agentdojo/baselines.py prompt-only OUT         every argument with an origin must stand in the prompt; no labels
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ruamel.yaml import YAML

HERE = Path(__file__).parent
OFF = {check: {"then": "flag"} for check in ("origin.unanchored", "origin.content")}
LABELS = ("output", "fields", "store", "reveals", "format")


def weaken(manifest: dict, kind: str) -> None:
    """Take out what the baseline does not have."""
    manifest["checks"] = OFF
    for name, tool in manifest["tools"].items():
        for key in LABELS:
            tool.pop(key, None)
        for rule in tool.get("arguments", {}).values():
            had = rule.pop("origin", None)
            if kind == "ask-every-write":
                rule["content"] = True
            elif had is not None:
                rule["origin"] = ["intent"]
        if kind == "ask-every-write" and tool["access"] != "read":
            manifest["tasks"]["user-task"]["tools"][name] = {"ask": True}


def main() -> None:
    """Write both suites' manifests of one baseline."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["ask-every-write", "prompt-only"])
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    yaml = YAML(typ="safe", pure=True)
    options.out.mkdir(parents=True, exist_ok=True)
    for suite in ("banking", "workspace"):
        manifest = yaml.load(HERE / f"{suite}.yaml")
        weaken(manifest, options.kind)
        yaml.dump(manifest, options.out / f"{suite}.yaml")
        print(options.out / f"{suite}.yaml")


if __name__ == "__main__":
    main()
