"""From a file to a `Manifest`, or to every problem in it at once, each with file, line, column, key and what to do."""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

from pydantic import BaseModel, ValidationError

from licet.canonical import digest
from licet.errors import ManifestError, Problem
from licet.manifest.arguments import Argument
from licet.manifest.authority import Authority, AuthorityClient
from licet.manifest.baseline import Baseline, Minimum
from licet.manifest.evidence import LedgerSettings, Witness
from licet.manifest.identities import TrustedIssuer
from licet.manifest.models import (
    Agent,
    Budget,
    CheckSettings,
    Credential,
    Flow,
    Grant,
    Manifest,
    Owner,
    TaskKind,
    Tool,
    Unless,
)
from licet.manifest.rules import Rule, broken_rules
from licet.manifest.yaml_reader import Document, Path, read

_SECTIONS: dict[str, type[BaseModel]] = {
    "owners": Owner,
    "agents": Agent,
    "credentials": Credential,
    "issuers": TrustedIssuer,
    "tools": Tool,
    "tasks": TaskKind,
    "checks": CheckSettings,
}


# Pydantic speaks of Python's types; a manifest is YAML.
_IN_OUR_WORDS = {
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type", "mapping_type"), "a mapping (`key: value`) must stand here"),
    **dict.fromkeys(("tuple_type", "list_type"), "a list must stand here"),
    **dict.fromkeys(("too_short", "string_too_short"), "this must not be empty"),
    "string_type": "text must stand here",
    "bool_type": "`true` or `false` must stand here (YAML 1.2 reads `yes`, `no`, `on` and `off` as text)",
    "int_type": "a whole number must stand here, in digits and without quotes",
    "greater_than_equal": "this must be at least {ge}",
    "greater_than": "this must be more than {gt}",
    "string_too_long": "this must have at most {max_length} characters",
}

# Pydantic's codes may change with its version; ours are promised by `licet check --help`.
_CODES = {
    "extra_forbidden": "unknown-key",
    "missing": "missing",
    **dict.fromkeys(("too_short", "string_too_short"), "empty"),
}
_WORD = re.compile(r"'([^']*)'")


def load(path: str | FilePath, *, now: float | None = None) -> Manifest:
    """Read the manifest in `path`. `now` (seconds since the epoch) judges dates; by default the present.

    Raises:
        ManifestError: with every problem that was found.
    """
    return loads(read_file(path), name=str(path), now=now)


def read_file(path: str | FilePath) -> str:
    """The text of a manifest file.

    Raises:
        ManifestError: it cannot be read, or is not UTF-8.
    """
    name = str(path)
    try:
        return FilePath(path).read_bytes().decode("utf-8")
    except OSError as error:
        raise ManifestError([Problem(name, 0, 0, "", f"cannot be read: {error.strerror}", "check path and rights")]) from error
    except ValueError as error:  # not UTF-8, or a path that holds a null byte
        where = f"mend byte {error.start}" if isinstance(error, UnicodeDecodeError) else "check the path"
        why = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else "cannot be read: not a path"
        raise ManifestError([Problem(name, 0, 0, "", why, where)]) from error


def loads(text: str, *, name: str = "<text>", now: float | None = None) -> Manifest:
    """Like `load`, from text."""
    manifest, _, problems = parse(text, name=name, now=now)
    if manifest is None or problems:
        raise ManifestError(problems)
    return manifest


def adopt(manifest: Manifest, now: float) -> Manifest:
    """A manifest that was not read from a file, held against the same rules; its digest is made from its content.

    Raises:
        ManifestError: with every rule that does not hold.
    """
    name = "<model>"
    problems = [_place(rule, Document(), name) for rule in broken_rules(manifest, now)]
    if problems:
        raise ManifestError(problems)
    adopted = manifest.model_copy(deep=True)
    adopted._digest, adopted._source = digest(adopted.model_dump(mode="json", exclude_unset=True)), name
    return adopted


def parse(text: str, *, name: str, now: float | None = None) -> tuple[Manifest | None, Document, list[Problem]]:
    """The manifest if there is one, the document with its places, and all errors."""
    document = read(text)
    problems = [Problem(name, line, column, _key(path), why, fix) for path, line, column, why, fix in document.refused]
    if document.data is None and problems:
        return None, document, problems
    if not isinstance(document.data, dict):
        problems.append(Problem(name, 1, 1, "", "a manifest is a mapping", "start with `licet: 1`"))
        return None, document, problems
    problems += _blank(document, name)
    manifest: Manifest | None = None
    try:
        manifest = Manifest.model_validate(document.data)
    except ValidationError as error:
        # One problem per place: of a union each member complains, and what was refused while reading is wrong anyway.
        told = {_key(path) for path, *_ in document.refused}
        for item in error.errors():
            problem = _explain(item, document, name)
            if problem is not None and problem.key not in told:
                told.add(problem.key)
                problems.append(problem)
        if not problems:  # whatever was wrong is never dropped in silence
            problems.append(Problem(name, 1, 1, "", "does not validate", "report this manifest"))
    else:
        manifest._digest, manifest._source = digest(document.data), name
        moment = time.time() if now is None else now
        problems += [_place(rule, document, name) for rule in broken_rules(manifest, moment)]
    return manifest, document, sorted(problems, key=lambda problem: (problem.line, problem.column))


def _place(rule: Rule, document: Document, name: str) -> Problem:
    line, column = document.place(rule.path)
    return Problem(name, line, column, _key(rule.path), rule.message, rule.fix, rule.severity, rule.code)


def place(rules: list[Rule], document: Document, name: str) -> list[Problem]:
    """Rules with their places in the file."""
    return [_place(rule, document, name) for rule in rules]


def _blank(document: Document, name: str) -> Iterator[Problem]:
    """Keys with nothing behind them. Read as absent, a blank `at_most:` or `pattern:` would take a limit away without a word."""
    refused = {path for path, *_ in document.refused}
    for path in document.places:
        if not path or isinstance(path[-1], int) or path in refused or _value(document.data, path) is not None:
            continue
        bare_grant = len(path) == 4 and path[0] == "tasks" and path[2] == "tools"
        model = _model_at(path[:-1])
        if not bare_grant and not (model is Argument and path[-1] == "const"):
            line, column = document.place(path)
            yield Problem(name, line, column, _key(path), "nothing stands here", "write a value, or take the key out", code="blank")


def _explain(item: Any, document: Document, name: str) -> Problem | None:
    """One pydantic error as a problem; None where `_blank` has said it already."""
    path = _known_path(item["loc"], document)
    line, column = document.place(path)
    kind, message, fix = item["type"], str(item["msg"]), ""
    model = _model_at(path[:-1])
    key = str(path[-1]) if path else ""
    if path and _value(document.data, path) is None and path in document.places:
        return None  # `_blank` has said it
    if kind == "extra_forbidden":
        known = sorted(model.model_fields) if model else []
        close = difflib.get_close_matches(key, known, n=1)
        message = "unknown key"
        fix = f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(known)}"
    elif kind == "missing":
        message, fix = "this key is missing", f"add `{item['loc'][-1]}:`"
        path = (*path, str(item["loc"][-1])) if path == tuple(item["loc"][:-1]) else path
    elif kind == "value_error":
        message, _, fix = message.removeprefix("Value error, ").partition("; ")
    elif kind == "literal_error":
        expected = str(item["ctx"]["expected"])
        message = "this must be " + expected.replace("'", "`")
        close = difflib.get_close_matches(str(item["input"]), _WORD.findall(expected), n=1)
        fix = f"did you mean `{close[0]}`?" if close else ""
    elif kind == "string_pattern_mismatch":
        message, fix = "this is not a name that can stand here", f"it must match {item['ctx']['pattern']}"
    else:
        ours = _IN_OUR_WORDS.get(kind)
        message = ours.format_map(item.get("ctx", {})) if ours and "{" in ours else ours or message[:1].lower() + message[1:]
    code = _CODES.get(kind) or ("wrong-type" if kind.endswith("_type") else "wrong-value")
    return Problem(name, line, column, _key(path), message, fix, code=code)


def _known_path(loc: tuple[Any, ...], document: Document) -> Path:
    """Pydantic's location cut to what stands in the file (it also names union members and `[key]`)."""
    path: Path = ()
    for part in loc:
        if (*path, part) in document.places:
            path = (*path, part)
    return path


def _model_at(path: Path) -> type[BaseModel] | None:
    """Which model reads the mapping at `path`."""
    if not path:
        return Manifest
    section, rest = path[0], path[2:]
    if section == "authority":
        return Authority if len(path) == 1 else AuthorityClient if len(path) == 3 and path[1] == "clients" else None
    if section == "ledger":
        return LedgerSettings if len(path) == 1 else Witness if len(path) == 3 and path[1] == "witnesses" else None
    if section == "flows" and len(path) >= 2:
        return Flow if not rest else Unless if rest == ("unless",) else None
    model = _SECTIONS.get(str(section)) if len(path) >= 2 else None
    if model is TaskKind and rest:
        if rest[0] == "budgets":
            return Budget if len(rest) == 2 else None
        if rest[0] == "checks":
            return CheckSettings if len(rest) == 2 else None
        if rest[0] == "baseline":
            return Baseline if len(rest) == 1 else Minimum if rest == ("baseline", "minimum") else None
        if rest[0] != "tools" or len(rest) < 2:
            return None
        model, rest = Grant, rest[2:]
    if rest and model in (Tool, Grant):
        return Argument if rest[0] == "arguments" and _is_rule(rest[1:]) else None
    return model if not rest else None


def _is_rule(path: Path) -> bool:
    """Whether `path`, below `arguments`, is a rule: NAME, then `items` or `properties.NAME` any number of times."""
    rest = path[1:] if path else None
    while rest:
        if rest[0] == "items":
            rest = rest[1:]
        elif rest[0] == "properties" and len(rest) >= 2:
            rest = rest[2:]
        else:
            return False
    return rest is not None


def _value(data: Any, path: Path) -> Any:
    for part in path:
        inside = isinstance(data, dict) or (isinstance(data, list) and isinstance(part, int))
        data = data[part] if inside else None
    return data


def _key(path: Path) -> str:
    return ".".join(str(part) for part in path)
