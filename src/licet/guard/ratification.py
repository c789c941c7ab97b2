"""The file beside a manifest in which a person says: I answer for this. A signed note (C2SP signed-note v1.0.0) of nine lines.

    licet ratification
    manifest sha256:…
    for licet.yaml
    environment prod
    line 5f3c…
    version 4
    by Ada Lovelace
    time 2026-11-23T10:16:00.000Z
    replaces sha256:…

`manifest` is the manifest's digest, which comments and layout do not change; `for` is the name of its file, so that what was ratified as
`dev.yaml` does not count as `licet.yaml`. `replaces` is the digest of the text of the ratification before, or `nothing`: they form a line,
whose id (32 digits of base 16, made at random with the first) each carries on. Here is the text alone; who may sign it is said in
`ratifier.py`.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from licet.canonical import digest_text
from licet.escape import visible

SUFFIX = ".ratified"
MAX_FILE = 20_000  # bytes; some of them for signatures
MAX_VERSION = 2**53 - 1
MAX_NAME = 200  # characters
MAX_MARKS = 3  # combining marks one upon the other: scripts of India stack three
_HEAD, _NOTHING = "licet ratification", "nothing"
_KEYS = ("manifest", "for", "environment", "line", "version", "by", "time", "replaces")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LINE = re.compile(r"[0-9a-f]{32}")
_VERSION = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


class RatificationError(Exception):
    """A text is no ratification. `line` counts from 1; 0: the whole text."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line, self.why = line, why


@dataclass(frozen=True, slots=True)
class Ratification:
    """What a person signs. `time` is RFC 3339 in UTC, by the clock of the machine; `replaces` is empty for the first.

    `file` is the name of the manifest's file, without folders, and `environment` what the manifest says of it.
    """

    manifest: str
    file: str
    environment: str
    line: str
    version: int
    by: str
    time: str
    replaces: str = ""

    def text(self) -> str:
        """The text of its note."""
        values = (self.manifest, self.file, self.environment, self.line, str(self.version), self.by, self.time, self.replaces or _NOTHING)
        return "\n".join([_HEAD, *(f"{key} {value}" for key, value in zip(_KEYS, values, strict=True)), ""])

    @property
    def digest(self) -> str:
        """By which the next one names it."""
        return digest_text(self.text())

    @classmethod
    def parse(cls, text: str) -> Ratification:
        """Read the text of a note.

        Raises:
            RatificationError: it is anything else than what `text` makes.
        """
        lines = text.split("\n")
        if lines[0] != _HEAD:
            raise RatificationError(1, f"this must be `{_HEAD}`")
        if len(lines) != len(_KEYS) + 2 or lines[-1]:
            raise RatificationError(0, f"a ratification has {len(_KEYS) + 1} lines before the empty one")
        found: dict[str, str] = {}
        for number, (key, line) in enumerate(zip(_KEYS, lines[1:], strict=False), 2):
            name, _, value = line.partition(" ")
            if name != key:
                raise RatificationError(number, f"this must begin with `{key} `")
            if wrong := _wrong(key, value):
                raise RatificationError(number, f"`{key}` {wrong}")
            found[key] = value
        replaces = "" if found["replaces"] == _NOTHING else found["replaces"]
        version = int(found["version"])
        return cls(found["manifest"], found["for"], found["environment"], found["line"], version, found["by"], found["time"], replaces)


def name_problem(name: str) -> str:
    """Why a text cannot be the name of who ratifies; empty if it can. It stands in a line of a file, in logs and on terminals."""
    if wrong := file_problem(name):
        return wrong
    if '"' in name or any(character.isspace() and character != " " for character in name):
        return "is no name: it holds a quotation mark, or a space that is not the usual one"
    marks = 0
    for character in name:
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if marks > MAX_MARKS:
            return f"is no name: more than {MAX_MARKS} marks stand one upon the other"
    if unicodedata.normalize("NFC", name) != name:
        return "is not in the usual form of its characters (Unicode's NFC): write each accent and its letter as one character"
    return ""


def file_problem(name: str) -> str:
    """Why a text cannot stand for a file's name; empty if it can."""
    if not name or name != name.strip() or len(name) > MAX_NAME or visible(name, MAX_NAME) != name:
        return f"is no name of 1 to {MAX_NAME} visible characters, without spaces around it"
    return ""


def new_line() -> str:
    """The id of a line that begins."""
    return secrets.token_hex(16)


def _wrong(key: str, value: str) -> str:
    """What is wrong with a value; empty: nothing."""
    if key == "by":
        return name_problem(value)
    if key in ("for", "environment"):
        return file_problem(value)
    if key == "line":
        return "" if _LINE.fullmatch(value) else "is no id of a line, 32 digits of base 16"
    if key == "version":
        return "" if _VERSION.fullmatch(value) and int(value) <= MAX_VERSION else f"is no whole number from 1 to {MAX_VERSION}"
    if key == "time":
        return "" if _is_time(value) else "is no time such as 2026-11-23T10:16:00.000Z"
    if key == "replaces" and value == _NOTHING:
        return ""
    return "" if _DIGEST.fullmatch(value) else "is no digest, `sha256:` and 64 digits of base 16"


def _is_time(value: str) -> bool:
    try:
        return _TIME.fullmatch(value) is not None and datetime.fromisoformat(value) is not None
    except ValueError:
        return False
