"""Where the real Jaeger and the real Collector come from: the PATH, else a cache that Go fills from the released modules.

The cache is outside of the tree: `$XDG_CACHE_HOME/licet/observability` (by default in `~/.cache`). Nothing in it is ours to hand on.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
BUILDER = HERE / "collector-builder.yaml"
JAEGER = "github.com/jaegertracing/jaeger@v1.76.0"  # its cmd/jaeger is Jaeger v2.13; later v2 releases are no Go module of this path
COLLECTOR_NAMES = ("otelcol-licet", "otelcol-contrib")  # plain `otelcol` has neither redaction nor tail sampling

Say = Callable[[str], None]


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


def get_jaeger(say: Say) -> Path:
    """As `find_jaeger`; builds it where it is not there. Raises `Missing`."""
    return find_jaeger() or _build_jaeger(say)


def get_collector(say: Say) -> Path:
    """As `find_collector`; builds it where it is not there. Raises `Missing`."""
    return find_collector() or _build_collector(say)


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


def _build_jaeger(say: Say) -> Path:
    go = _go("jaeger", "https://www.jaegertracing.io/download/")
    work = cache() / "work" / "jaeger"
    say(f"downloading {JAEGER}")
    module = json.loads(_run([go, "mod", "download", "-json", JAEGER], _empty(work), "jaeger", say))
    # A copy, since the module cache is read-only, and `go install` refuses a module whose go.mod has replace directives.
    source = work / "source"
    shutil.copytree(module["Dir"], source, copy_function=shutil.copyfile)
    return _compile(go, source, "./cmd/jaeger", _built_jaeger(), say)


def _build_collector(say: Say) -> Path:
    go = _go("otelcol-contrib", "https://opentelemetry.io/docs/collector/install/")
    work = _empty(cache() / "work" / "collector")
    manifest = BUILDER.read_text(encoding="utf-8")
    version = next(line.split()[1] for line in manifest.splitlines() if line.startswith("  version:"))
    builder = f"go.opentelemetry.io/collector/cmd/builder@v{version}"
    say(f"getting {builder}, and with it what {BUILDER.name} names")
    (work / "builder.yaml").write_text(
        manifest.replace("dist:\n", f"dist:\n  output_path: {json.dumps(str(work / 'source'))}\n", 1), encoding="utf-8"
    )
    _run([go, "run", builder, "--config", "builder.yaml", "--skip-compilation"], work, "the Collector", say)
    return _compile(go, work / "source", ".", _built_collector(), say)


def _compile(go: str, source: Path, package: str, target: Path, say: Say) -> Path:
    say(f"compiling {target.name} (some minutes, once)")
    made = source / "made"
    _run([go, "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", str(made), package], source, target.name, say)
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


def _run(command: list[str], directory: Path, what: str, say: Say) -> str:
    """What the command prints; what it says meanwhile is shown, for this takes minutes."""
    environment = os.environ | {"CGO_ENABLED": "0", "GOWORK": "off"}
    said: list[str] = []
    with subprocess.Popen(command, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        for line in running.stdout or ():
            said.append(line)
            if line.startswith("go: downloading"):
                say(f"  {line.rstrip()}")
    if running.returncode:
        raise Missing(f"{what} could not be built; `{' '.join(command[:3])}` said: {''.join(said)[-1500:].strip()}")
    return "".join(line for line in said if not line.startswith("go: "))
