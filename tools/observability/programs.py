"""Where the real Jaeger and the real Collector come from: the PATH, else a cache that Go fills from the released modules.

The cache is outside of the tree: `$XDG_CACHE_HOME/licet/observability` (by default in `~/.cache`). Nothing in it is ours to hand on.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
BUILDER = HERE / "collector-builder.yaml"
JAEGER = "github.com/jaegertracing/jaeger@v1.76.0"  # its cmd/jaeger is Jaeger v2.13; later v2 releases are no Go module of this path
COLLECTOR_NAMES = ("otelcol-licet", "otelcol-contrib")  # plain `otelcol` has neither redaction nor tail sampling

NEVER = float("inf")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Building:
    """Whom to tell how it goes on, and when it must be over (`time.monotonic()`)."""

    say: Say
    ends: float = NEVER


class Missing(Exception):
    """A program is not here and cannot be built; the text says which, why, and what to do."""


def cache() -> Path:
    """The directory of what was built."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "licet" / "observability"


def find_jaeger() -> Path | None:
    """Jaeger v2, from the PATH (`jaeger`) or from the cache."""
    return _on_path("jaeger") or _there(_built_jaeger())


def find_collector() -> Path | None:
    """A Collector with all the components of otel-collector.yaml, from the PATH or from the cache."""
    return next((found for name in COLLECTOR_NAMES if (found := _on_path(name))), None) or _there(_built_collector())


def get_jaeger(say: Say, ends: float = NEVER) -> Path:
    """As `find_jaeger`; builds it where it is not there, until `ends` (`time.monotonic()`) at most. Raises `Missing`."""
    return find_jaeger() or _build_jaeger(Building(say, ends))


def get_collector(say: Say, ends: float = NEVER) -> Path:
    """As `find_collector`; builds it where it is not there, until `ends` at most. Raises `Missing`."""
    return find_collector() or _build_collector(Building(say, ends))


def _on_path(name: str) -> Path | None:
    found = shutil.which(name)
    return Path(found) if found else None


def _there(path: Path) -> Path | None:
    return path if path.is_file() else None


def _built_jaeger() -> Path:
    return cache() / f"jaeger-{JAEGER.rpartition('@')[2]}"


def _built_collector() -> Path:
    # Another list of components is another program.
    return cache() / f"otelcol-licet-{hashlib.sha256(BUILDER.read_bytes()).hexdigest()[:12]}"


def _build_jaeger(building: Building) -> Path:
    go = _go("jaeger", "https://www.jaegertracing.io/download/")
    work = cache() / "work" / "jaeger"
    building.say(f"downloading {JAEGER}")
    module = json.loads(_run([go, "mod", "download", "-json", JAEGER], _empty(work), "jaeger", building))
    # A copy, since the module cache is read-only, and `go install` refuses a module whose go.mod has replace directives.
    source = work / "source"
    shutil.copytree(module["Dir"], source, copy_function=shutil.copyfile)
    return _compile(go, source, "./cmd/jaeger", _built_jaeger(), building)


def _build_collector(building: Building) -> Path:
    go = _go("otelcol-contrib", "https://opentelemetry.io/docs/collector/install/")
    work = _empty(cache() / "work" / "collector")
    manifest = BUILDER.read_text(encoding="utf-8")
    version = next(line.split()[1] for line in manifest.splitlines() if line.startswith("  version:"))
    builder = f"go.opentelemetry.io/collector/cmd/builder@v{version}"
    building.say(f"getting {builder}, and with it what {BUILDER.name} names")
    (work / "builder.yaml").write_text(
        manifest.replace("dist:\n", f"dist:\n  output_path: {json.dumps(str(work / 'source'))}\n", 1), encoding="utf-8"
    )
    _run([go, "run", builder, "--config", "builder.yaml", "--skip-compilation"], work, "the Collector", building)
    return _compile(go, work / "source", ".", _built_collector(), building)


def _compile(go: str, source: Path, package: str, target: Path, building: Building) -> Path:
    building.say(f"compiling {target.name} (some minutes, once)")
    made = source / "made"
    _run([go, "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", str(made), package], source, target.name, building)
    made.replace(target)  # whole or not at all
    shutil.rmtree(source.parent, ignore_errors=True)
    return target


def _go(program: str, page: str) -> str:
    go = shutil.which("go")
    if go is None:
        raise Missing(
            f"{program} is not on the PATH, and there is no Go to build it with. Install Go 1.25 or later, or {program} itself: {page}"
        )
    return go


def _empty(directory: Path) -> Path:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def _run(command: list[str], directory: Path, what: str, building: Building) -> str:
    """What the command prints; what it says meanwhile is shown, for this takes minutes."""
    environment = os.environ | {"CGO_ENABLED": "0", "GOWORK": "off"}
    said: list[str] = []
    # In a group of its own, so that what it has started ends with it.
    running = subprocess.Popen(
        command, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    with running, _no_longer_than(running, building.ends) as late:
        for line in running.stdout or ():
            said.append(line)
            if line.startswith("go: downloading"):
                building.say(f"  {line.rstrip()}")
    if running.returncode and late.is_set():
        raise Missing(f"{what} was not built within the time given; what Go has done so far is kept, and the next build goes on from there")
    if running.returncode:
        raise Missing(f"{what} could not be built; `{' '.join(command[:3])}` said: {''.join(said)[-1500:].strip()}")
    return "".join(line for line in said if not line.startswith("go: "))


@contextmanager
def _no_longer_than(running: subprocess.Popen[str], ends: float) -> Iterator[threading.Event]:
    """End the process and all that it started at `ends`, or when this is left by an exception (Ctrl-C). Set if the time was over."""
    late = threading.Event()

    def end() -> None:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)

    def over() -> None:
        late.set()
        end()

    timer = threading.Timer(max(0.0, ends - time.monotonic()), over) if ends < NEVER else None
    if timer is not None:
        timer.daemon = True
        timer.start()
    try:
        yield late
        running.wait()
    except BaseException:
        end()
        raise
    finally:
        if timer is not None:
            timer.cancel()
