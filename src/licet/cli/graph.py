"""`licet graph ID -o FILE`: a task's calls as a picture, or as GraphML for other programs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from licet.cli import output
from licet.cli.state import add_state, existing, store_of, task_id
from licet.errors import UsageError
from licet.report import Story, collect, graphml, page, svg

_FORMS: Mapping[str, Callable[[Story], str]] = {".svg": svg, ".html": page, ".graphml": graphml}

EXAMPLE = """\
The file's ending says what is written: .svg, .html or .graphml. Pictures are self-contained, load nothing and run nothing.

example: licet graph 3f2a -o task.html
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("id", metavar="ID", help="the task, or a unique beginning of its id")
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="where to write: *.svg, *.html or *.graphml")
    add_state(parser)


def run(options: argparse.Namespace) -> int:
    """Write the file."""
    path = Path(options.output)
    form = _FORMS.get(path.suffix.lower())
    if form is None:
        raise UsageError(f"{options.output}: the ending says what is written; use one of {', '.join(_FORMS)}")
    with store_of(existing(options, "store")) as store:
        story = collect(store, task_id(store, options.id))
    try:
        path.write_text(form(story), encoding="utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a path"
        raise UsageError(f"{options.output}: cannot be written: {why}; check path and rights") from error
    output.error(f"wrote {options.output}")
    return 0
