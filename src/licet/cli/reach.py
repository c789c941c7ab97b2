"""`licet reach`: what a fully hijacked agent could do in one task kind, from the manifest alone."""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from licet.cli import output
from licet.errors import UsageError
from licet.manifest import Manifest, load
from licet.manifest.choices import IN_WORDS, Level

if TYPE_CHECKING:
    from licet.manifest.reach import Reach

EXAMPLE = """\
The attacker is the agent: it knows the manifest, owns every untrusted field, and is neither the user nor the approver. For each tool that
changes something or lets data out: how far it chooses what happens (worst first), and the fewest calls to there.

Exit codes: 0 well, 1 with --fail-on free if something can be reached freely, 2 wrong usage or a manifest that does not load.

example: licet reach licet.yaml --task answer-ticket
         licet reach licet.yaml --task answer-ticket --svg worst.svg --fail-on free
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("file", metavar="FILE", help="the manifest")
    parser.add_argument("--task", metavar="KIND", help="the task kind (default: the only one)")
    parser.add_argument("--agent", metavar="NAME", help="who acts (default: whichever agent may run the kind)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table, the graph of influence included")
    picture = parser.add_mutually_exclusive_group()
    picture.add_argument("--svg", metavar="FILE", help="draw the worst case")
    picture.add_argument("--html", metavar="FILE", help="write the worst case and the table as one page")
    parser.add_argument("--fail-on", choices=["free"], help="exit 1 if some effect or leak can be reached freely")


def run(options: argparse.Namespace) -> int:
    """Print what can be reached; 1 if asked to fail on it."""
    from licet.manifest.reach import reach  # networkx is slow to come

    manifest = load(options.file)
    now = time.time()
    found = reach(manifest, _kind(manifest, options.task), options.agent, now=now)
    if options.json:
        output.data(_as_dict(manifest, found, now))
    else:
        _table(found)
    target = options.svg or options.html
    if target:
        from licet.report.blast import blast_page, blast_svg

        _write(target, blast_svg(found) if options.svg else blast_page(found))
    return 1 if options.fail_on == "free" and found.level == "free" else 0


def _kind(manifest: Manifest, named: str | None) -> str:
    if named is not None:
        return named
    if len(manifest.tasks) > 1:
        raise UsageError(f"which task kind? say --task with one of {', '.join(manifest.tasks)}")
    return next(iter(manifest.tasks))


def _write(name: str, text: str) -> None:
    try:
        Path(name).write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a path"
        raise UsageError(f"{name}: cannot be written: {why}; check path and rights") from error
    output.error(f"wrote {name}")


def _as_dict(manifest: Manifest, found: Reach, now: float) -> dict[str, Any]:
    from licet.manifest.influence import influence

    graph = influence(manifest, found, now=now)
    nodes = [{"id": name, **attributes} for name, attributes in graph.nodes(data=True)]
    edges = [{"source": source, "target": target, **attributes} for source, target, attributes in graph.edges(data=True)]
    return {"digest": manifest.digest, "level": found.level, **dataclasses.asdict(found), "graph": {"nodes": nodes, "edges": edges}}


def _table(found: Reach) -> None:
    agents = ", ".join(found.agents) or "no agent may run it"
    output.say(output.paint(f"What a hijacked agent could do in `{found.kind}`", "bold"), f" ({agents})")
    if found.delegates:
        output.say(f"It may delegate to {', '.join(found.delegates)}: a sub-task has at most what this one has, so that nothing is added.")
    for check in found.not_enforced:
        output.say(output.paint(f"`{check}` stops nothing here: it is observed, or lowered to flag.", "yellow"))
    for effect in found.effects:
        bounds = f"; {', '.join(effect.bounds)}" if effect.bounds else ""
        output.say()
        output.say(_shown(effect.level), output.paint(effect.tool, "bold"), f" ({effect.what}{bounds})")
        if effect.path:
            output.say(f"    by {' -> '.join(effect.path)}")
        for each in effect.arguments:
            source = f": {each.source}" if each.source and each.level not in ("free", "intent") else ""
            but = f" ({each.why})" if each.why else ""
            output.say(f"      {each.argument:<20} {IN_WORDS[each.level]}{source}{but}")
    if found.leaks:
        output.say()
        output.say(output.paint("Where what is revealed could go", "bold"))
    for leak in found.leaks:
        how = f" ({leak.receiver}), by {' -> '.join(leak.path)}" if leak.path else f": {leak.why}"
        output.say(_shown(leak.level), f"{leak.label} by ", output.paint(leak.tool, "bold"), how)
    _launderings(found)


def _shown(level: Level) -> output.Painted:
    """A level in words, padded to a column; the colour takes no room."""
    painted = output.paint(IN_WORDS[level], "red" if level == "free" else "green" if level in ("intent", "never") else "yellow")
    return output.Painted(painted + " " * (28 - len(IN_WORDS[level])))


def _launderings(found: Reach) -> None:
    titles = {
        "open": "Could come back labelled trusted (name one `store:` on both, or two different ones)",
        "remembered": "Would come back labelled trusted, but the store remembers what was written",
    }
    for state, title in titles.items():
        paths = [each for each in found.launderings if each.state == state]
        if paths:
            output.say()
            output.say(output.paint(title, "bold"))
        for each in paths:
            output.say(f"  {each} ({'store ' if state == 'remembered' else ''}{each.why})")
    unknown: dict[str, list[str]] = {}
    for each in found.launderings:
        if each.state == "unknown":
            unknown.setdefault(each.reader, []).append(each.writer)
    if unknown:
        output.say()
        output.say(output.paint("Nothing says that these are different places (name a `store:` on each)", "bold"))
    for reader, writers in unknown.items():
        more = f" and {len(writers) - 6} more" if len(writers) > 6 else ""
        output.say(f"  {reader} labels something trusted; written by {', '.join(writers[:6])}{more}?")
