"""`licet graph ID`: the chain graph of a task as a picture, as GraphML for other programs, or as JSON; whole, or what explains one call."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from licet.chain import CallGraph, explain
from licet.cli import output
from licet.cli.state import add_source, code_of, records_of, said_source, task_id
from licet.errors import UsageError
from licet.manifest import load
from licet.report import Story, collect, graphml, page, svg

_FORMS: Mapping[str, Callable[[Story, CallGraph | None], str]] = {".svg": svg, ".html": page, ".graphml": graphml}

_SHORTEST = 6  # characters of a call's id; a number that no call has must not find one by chance

EXAMPLE = """\
The file's ending says what is written: .svg, .html or .graphml. Pictures are self-contained, load nothing and run nothing. The graph
has all tasks of the task's transaction and trace. Stores and sinks are in it where a manifest says which tools they are.

example: licet graph 3f2a -o task.html
         licet graph 3f2a -m licet.yaml --explain 4 -o why.svg
         licet graph 3f2a --from jaeger://127.0.0.1:16686 -o task.svg
         licet graph 3f2a --json | jq '.edges[] | select(.kind == "used" and .explains)'
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("id", metavar="ID", help="the task, or a unique beginning of its id")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write: *.svg, *.html or *.graphml")
    parser.add_argument("-m", "--manifest", metavar="FILE", help="the manifest that the task ran under: for stores and sinks")
    parser.add_argument(
        "--explain", metavar="CALL", help="only what led to one call: its number in the task, or at least 6 characters of its id"
    )
    parser.add_argument("--json", action="store_true", help="print the graph as one JSON object")
    add_source(parser)


def run(options: argparse.Namespace) -> int:
    """Write the file, or print the JSON."""
    if options.output is None and not options.json:
        raise UsageError("say what you want: -o FILE (*.svg, *.html, *.graphml), --json, or both")
    path = Path(options.output or "")
    form = _FORMS.get(path.suffix.lower())
    if form is None and options.output is not None:
        raise UsageError(f"{options.output}: the ending says what is written; use one of {', '.join(_FORMS)}")
    manifest = load(options.manifest) if options.manifest is not None else None
    with records_of(options) as (store, read):
        story = collect(store, task_id(store, options.id, said_source(options)), connected=True, manifest=manifest)
    if manifest is not None and manifest.digest != story.task.manifest_digest:
        output.error(f"{options.manifest}: not the manifest that the task ran under; stores and sinks are as it says now")
    part = explain(story.graph, _call(story, options.explain)) if options.explain is not None else None
    if form is not None:
        output.file(options.output, form(story, part))
    if options.json:
        told = {} if read is None else {"read": read.as_dict()}
        output.data({"task": story.task.id} | told | (story.graph if part is None else part).as_dict())
    return code_of(read)


def _call(story: Story, said: str) -> str:
    """The call that is meant: by its number in the task itself, else by the beginning of its id."""
    own = [call.id for call in story.calls.get(story.task.id, ()) if said.isascii() and said.isdigit() and str(call.seq) == said]
    found = own or [call.id for some in story.calls.values() for call in some if len(said) >= _SHORTEST and call.id.startswith(said)]
    if not found:
        raise UsageError(f"no call {said!r} in this task; `licet task {story.task.id[:12]}` numbers them")
    if len(found) > 1:
        raise UsageError(f"{said!r} begins more than one call's id: {', '.join(found[:5])}; write more of it")
    return found[0]
