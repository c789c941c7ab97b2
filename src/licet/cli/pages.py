"""Where a command may put a page: never over its own inputs, nor over what is no page of ours."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from licet.cli import output
from licet.errors import UsageError
from licet.report import is_page


def page_place(name: str, inputs: Iterable[str], *, force: bool = False) -> None:
    """Find out before long work begins that a page must not be written there, or cannot.

    Never over anything that the command reads (`inputs`), and over what is no page of ours only with `force`.

    Raises:
        UsageError: it must not, or cannot.
    """
    path = Path(name)
    if any(_same(path, Path(each)) for each in inputs):
        raise UsageError(f"{name}: is read by this command, so that a page must not take its place; give another name")
    try:
        there, ours = path.is_file(), False
        if there and not force:
            with path.open(encoding="utf-8", errors="replace") as found:
                ours = is_page(found.read(2_000))
    except (OSError, ValueError) as failed:
        raise output.unwritten(name, failed) from failed
    if there and not (force or ours):
        raise UsageError(f"{name}: exists, and is no page of Licet's; give another name, or `--force` to overwrite it")
    output.writable(name)


def _same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except (OSError, ValueError):  # one of them is not there
        return path == other
