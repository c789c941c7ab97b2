"""See an intent trace in the real Jaeger: brings up Jaeger and the Collector, runs the demo into them, prints the link.

    make jaeger        or        python tools/observability/view.py [--once] [--no-build | --build-within SECONDS] [--or-skip]

Exit codes: 0 done, or skipped as --or-skip allows; 1 a program did not start, the demo failed, or its trace did not arrive; 3 a program
is missing and cannot be built.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import programs
from stack import ROOT, NotRunning, Stack

SERVICE = "support-bot"
DENIED = {"licet.decision.outcome": "deny"}


_BESIDE = Path(sys.executable).with_name("licet")
LICET = shlex.quote(os.path.relpath(_BESIDE)) if _BESIDE.exists() else f"{shlex.quote(sys.executable)} -m licet.cli"


def task_of(spans: list[dict[str, Any]]) -> str:
    """The id of the task at the top of a trace: `licet.txn`, which stands on all that was done for it."""
    return next(each["value"]["stringValue"] for span in spans for each in span["attributes"] if each["key"] == "licet.txn")


def say(text: str) -> None:
    """A line to the terminal, at once."""
    print(text, flush=True)


def demo(otlp: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """The demo in `directory`, with its spans to `otlp`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    kept |= {"OTEL_EXPORTER_OTLP_ENDPOINT": otlp, "OTEL_SERVICE_NAME": SERVICE, "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, str(ROOT / "examples" / "agents" / "support" / "demo.py")]
    return subprocess.run(command, check=False, cwd=directory, env=kept, capture_output=True, encoding="utf-8")


def blocked(stack: Stack, seconds: float = 60.0) -> set[str]:
    """The traces with a denied call, as soon as there is one whose task has ended."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        # A denied call has a way of its own past the sampling; its task comes with the rest, some seconds later. Until it is there no trace
        # is read: Jaeger's memory storage writes into each span that its parent is missing, at every reading, and keeps that.
        found = stack.ask("/api/v3/operations", service=SERVICE) or {"operations": []}
        if any(each["name"] == f"invoke_agent {SERVICE}" for each in found["operations"]):
            return stack.find(SERVICE, DENIED)
        time.sleep(0.5)
    return set()


def the_programs(*, build: bool, within: float = programs.NEVER) -> tuple[Path, Path]:
    """Jaeger and the Collector, built within so many seconds for both. Raises `Missing`."""
    if build:
        ends = time.monotonic() + within
        return programs.get_jaeger(say, ends), programs.get_collector(say, ends)
    jaeger, collector = programs.find_jaeger(), programs.find_collector()
    if jaeger is None or collector is None:
        raise programs.Missing("jaeger or otelcol-contrib is neither on the PATH nor built before; leave out --no-build, or install them")
    return jaeger, collector


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="make jaeger",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python tools/observability/view.py --once",
    )
    parser.add_argument("--once", action="store_true", help="stop when the trace has been found, instead of waiting for Ctrl-C")
    building = parser.add_mutually_exclusive_group()
    building.add_argument("--no-build", action="store_true", help="use only what is on the PATH or was built before")
    building.add_argument(
        "--build-within", metavar="SECONDS", type=float, default=programs.NEVER, help="how long building both may take (default: no limit)"
    )
    parser.add_argument("--or-skip", action="store_true", help="where a program is missing and cannot be built, say so and exit with 0")
    options = parser.parse_args()
    try:
        try:
            jaeger, collector = the_programs(build=not options.no_build, within=options.build_within)
        except programs.Missing as error:
            print(f"make jaeger: {'SKIPPED: ' if options.or_skip else ''}{error}", file=sys.stderr)
            return 0 if options.or_skip else 3
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        with tempfile.TemporaryDirectory(prefix="licet-jaeger-") as directory:
            return show(Stack(jaeger, collector, Path(directory)), once=options.once)
    except NotRunning as error:
        print(f"make jaeger: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def show(stack: Stack, *, once: bool) -> int:
    """Run the demo into the stack, and say where it is seen."""
    with stack:
        say(f"Jaeger is at {stack.page}, the Collector takes OTLP at {stack.otlp}")
        work = stack.directory / "demo"
        work.mkdir()
        done = demo(stack.otlp, work)
        if done.returncode:
            print(f"the demo failed:\n{done.stdout[-1500:]}{done.stderr[-1500:]}", file=sys.stderr)
            return 1
        say("the demo ran; waiting for its trace (the Collector waits some seconds for the rest of each)")
        traces = blocked(stack)
        if not traces:
            print(f"no trace with a denied call arrived; the Collector said: {stack.said('collector')}", file=sys.stderr)
            return 1
        none = "" if stack.has_pages() else "  (this Jaeger has no pages; docs/jaeger.md says how to get them)"
        for trace in sorted(traces):
            task = task_of(stack.trace(trace))
            say(f"\nThe blocked task:  {stack.link(trace)}{none}\nAs OTLP JSON:      {stack.page}/api/v3/traces/{trace}")
            say(f"In the terminal:   {LICET} task {task[:8]} --from {stack.link(trace)}\nAs a tag:          licet.task.id={task}")
        say(f"All spans:         {stack.spans}\nDecisions:         {stack.logs}\nMetrics:           {stack.numbers}")
        say(f"Your own agent:    OTEL_EXPORTER_OTLP_ENDPOINT={stack.otlp} OTEL_SERVICE_NAME=my-agent python my_agent.py")
        if once:
            say("\nFound, and stopped: the links are gone with it.")
        else:
            say("\nCtrl-C stops both, and forgets the traces.")
            stack.wait()
            print("a program ended by itself", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
