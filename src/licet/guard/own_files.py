"""Whether an argument leads to Licet's own files, however the way there is spelled."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from urllib.parse import unquote, urlsplit

from licet.canonical import Plain
from licet.guard.ratified import file_of
from licet.guard.state import StateFolder
from licet.snapshot import BYTES

LONGEST = 4096  # characters of a path, once normalised, that a system opens
LONGEST_TEXT = 65_536  # characters of a text that is taken apart; a plain spelling is found in any
MAX_LOOKUPS = 5_000  # paths of one call that are resolved; a call with more cannot be told, and is refused
MAX_WORDS = 200  # of one text

_VARIABLE = re.compile(r"\$(?:(\w{1,100})|\{(\w{1,100})\})")
_BETWEEN_WORDS = re.compile(r"[\s'\"`=:@;|<>,()\[\]{}]+")
_URL_PATH = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*:(?=/)")


class OwnFiles:
    """Knows our own files: the state folder with all in it, the manifest, and the files with keys that it names."""

    def __init__(self, folder: StateFolder, manifest: str, keys: Iterable[Path] = ()) -> None:
        own = {os.path.realpath(folder.path): "state folder"}
        if manifest and Path(manifest).exists():
            own[os.path.realpath(manifest)] = "manifest"
            own[os.path.realpath(file_of(manifest))] = "ratification"
        own |= {os.path.realpath(path): "file of keys" for path in keys}
        self._own: Mapping[str, str] = own
        home = str(Path.home())
        spelled = {str(folder.path): "state folder", **own}
        self._spellings = tuple(
            (form, which)
            for text, which in spelled.items()
            for form in ({text, "~" + text.removeprefix(home)} if text.startswith(home + os.sep) else {text})
        )

    def reaches(self, arguments: Mapping[str, Plain]) -> tuple[tuple[str, str], ...]:
        """Each argument that leads to a file of ours, and which. Work is bounded: what is too much to tell counts as reached."""
        looked_up = 0
        found: list[tuple[str, str]] = []
        for name, value in arguments.items():
            for text in _texts(value):
                which = self._spelled(text)
                if which is None:
                    for path in _paths(text):
                        looked_up += 1
                        which = self._resolved(path) if looked_up <= MAX_LOOKUPS else "files, or holds too many paths to tell,"
                        if which is not None:
                            break
                if which is not None:
                    found.append((name, which))
                    break
        return tuple(found)

    def _spelled(self, text: str) -> str | None:
        return next((which for form, which in self._spellings if form in text), None)

    def _resolved(self, path: str) -> str | None:
        # Most texts are no path at all: one look tells that there is no link to follow.
        bare = os.sep not in path and not os.path.lexists(path)
        real = os.path.join(os.getcwd(), path) if bare else os.path.realpath(path)  # noqa: PTH109, PTH118 - a text, not a path yet
        return next((which for own, which in self._own.items() if real == own or real.startswith(own + os.sep)), None)


def _paths(text: str) -> Iterator[str]:
    """The paths that a tool might open if it took the text, or a word of it, for one."""
    if not text or len(text) > LONGEST_TEXT:
        return
    expanded = _VARIABLE.sub(_variable, text) if "$" in text else text
    yield from _as_paths(expanded)
    if _BETWEEN_WORDS.search(expanded):
        # A shell command, a connection string: each word that could be a path is one.
        for word in islice((word for word in _BETWEEN_WORDS.split(expanded) if os.sep in word or word.startswith("~")), MAX_WORDS):
            yield from _as_paths(word)


def _as_paths(text: str) -> Iterator[str]:
    text = text.strip()
    for spelled in {text, unquote(text)} if "%" in text else (text,):
        if spelled[:5].lower() == "file:":
            yield from _openable(unquote(urlsplit(spelled).path))
        elif _URL_PATH.match(spelled):
            # `sqlite:///a/b`: a driver opens what stands behind the scheme.
            yield from _openable("/" + spelled.partition(":")[2].lstrip("/"))
        else:
            yield from _openable(spelled)


def _openable(path: str) -> Iterator[str]:
    """The path as it stands, which links may lead elsewhere than its normal form, and its normal form, which a library may make."""
    if not path or "\0" in path:
        return
    home = os.path.expanduser(path)  # noqa: PTH111 - a text, not a path yet
    for form in {home, os.path.normpath(home)}:
        if len(form) <= LONGEST:
            yield form


def _variable(match: re.Match[str]) -> str:
    return os.environ.get(match[1] or match[2], match[0])[:LONGEST]


def _texts(value: Plain) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        if BYTES in value:
            yield base64.b64decode(str(value[BYTES])).decode("utf-8", "replace")
            return
        for key, item in value.items():
            yield key
            yield from _texts(item)
