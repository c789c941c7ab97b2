"""Tools from an OpenAPI document (3.0, 3.1, and 2.0 where it is the same): each operation is one tool."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from licet.draft.model import WRITE_GUESS, DraftArgument, Drafted, DraftTool, select
from licet.draft.schemas import argument_of, arguments_of, resolve
from licet.errors import UsageError

_METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "trace", "query")
_READS = frozenset({"get", "head"})  # RFC 9110 section 9.2.1: safe, "essentially read-only"
_JSON = re.compile(r"application/(?:[\w.+-]+\+)?json\b", re.IGNORECASE)


def from_openapi(document: Any) -> Drafted:
    """The operations of a document, named by `operationId`, else by method and path.

    Raises:
        UsageError: there are none.
    """
    paths = document.get("paths") if isinstance(document, Mapping) else None
    if not isinstance(paths, Mapping):
        raise UsageError("this is no OpenAPI document: it has no `paths:`")
    tools = [
        _operation(document, str(path), method, item, item[method])
        for path, item in ((path, resolve(item, document)) for path, item in paths.items())
        for method in _METHODS
        if isinstance(item.get(method), Mapping)
    ]
    if not tools:
        raise UsageError("this OpenAPI document has no operations")
    return select(tools)


def _operation(root: Any, path: str, method: str, item: Mapping[str, Any], operation: Mapping[str, Any]) -> DraftTool:
    notes = [f"{method.upper()} {path}"]
    name = operation.get("operationId")
    if not isinstance(name, str):
        name = f"{method}_{re.sub('[^A-Za-z0-9]+', '_', path).strip('_')}".rstrip("_")
        notes.append("guess: named after method and path, because the operation has no `operationId`")
    arguments: dict[str, DraftArgument] = {}
    for parameter in _parameters(root, item, operation):
        if parameter.get("in") == "body":  # OpenAPI 2.0
            _body(parameter.get("schema"), root, arguments, notes, required=parameter.get("required") is True)
            continue
        schema = parameter.get("schema", parameter)  # 2.0 writes the keywords beside the name
        required = parameter.get("required") is True
        arguments[str(parameter["name"])] = argument_of({**resolve(schema, root), "required": []}, root, required=required)
    body = resolve(operation.get("requestBody"), root)
    content = body.get("content")
    if isinstance(content, Mapping) and content:
        media = next((content[kind] for kind in content if _JSON.match(str(kind))), None)
        if isinstance(media, Mapping):
            _body(media.get("schema"), root, arguments, notes, required=body.get("required") is True)
        else:
            notes.append("its body is not JSON, and is not drafted")
    reads = method in _READS
    access: Literal["read", "write"] = "read" if reads else "write"
    guess = f"read, because RFC 9110 calls {method.upper()} safe; this server may still change something" if reads else WRITE_GUESS
    says = operation.get("summary") or operation.get("description") or ""
    return DraftTool(name, str(says), access, guess, arguments, tuple(notes))


def _parameters(root: Any, item: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Those of the path, then those of the operation, which override them."""
    for listed in (item.get("parameters"), operation.get("parameters")):
        for entry in listed if isinstance(listed, list) else []:
            parameter = resolve(entry, root)
            if isinstance(parameter.get("name"), str):
                yield parameter


def _body(schema: Any, root: Any, arguments: dict[str, DraftArgument], notes: list[str], *, required: bool) -> None:
    properties, more = arguments_of(schema, root)
    notes.extend(more)
    if not properties:
        properties = {"body": argument_of(schema, root, required=required)}
    for name, argument in properties.items():
        if name in arguments:
            notes.append(f"guess: `{name}` stands in the body and among the parameters; only the parameter is drafted")
        else:
            arguments[name] = argument
