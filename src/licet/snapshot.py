"""One deep copy of a call's arguments, which the checks, the digest and the tool all receive.

What the tool gets is of the same types as what it was given, but shares nothing mutable with it, so that a list changed by
another thread, or an object that answers differently each time, cannot make the judged call and the executed call differ.
What cannot be copied that way is refused.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import decimal
import enum
import math
import pathlib
import types
import uuid
import zoneinfo
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from licet.canonical import Plain, canonical
from licet.errors import SnapshotError

MAX_DEPTH = 64
MAX_NODES = 200_000  # values in one call, containers included
MAX_BYTES = 16 * 1024 * 1024  # of text and bytes in one call
MAX_BITS = 12_000  # of one number: more could not be written down

OPAQUE = "$opaque"
BYTES = "$bytes"

# Immutable, of exactly these types (a subclass could print differently each time).
_PRINTED = (
    *(decimal.Decimal, uuid.UUID),
    *(pathlib.PurePosixPath, pathlib.PureWindowsPath, pathlib.PosixPath, pathlib.WindowsPath),
)
_TIMES = (datetime.datetime, datetime.date, datetime.time, datetime.timedelta)
_ZONES = (type(None), datetime.timezone, zoneinfo.ZoneInfo)  # another class could answer differently each time
_SCALARS = (str, int, float, bytes)


class Snapshot:
    """Frozen arguments: `values` for the tool, `plain` (JSON) for everything that judges or records."""

    __slots__ = ("plain", "values")

    def __init__(self, values: dict[str, Any], plain: dict[str, Plain]) -> None:
        self.values = values
        self.plain = plain


def snapshot(arguments: Mapping[str, Any], opaque: Iterable[str] = ()) -> Snapshot:
    """Copy `arguments` deeply. Arguments named in `opaque` are handed on as they are and shown as `{"$opaque": type}`.

    Raises:
        SnapshotError: a value has a type that cannot be frozen, holds itself, is too deep or too large, or is not finite.
    """
    hidden = frozenset(opaque) if opaque else opaque
    copier = _Copier()
    values: dict[str, Any] = {}
    plain: dict[str, Plain] = {}
    for given, value in arguments.items():
        # A key of a class of its own could be equal to whatever it is compared with.
        name, _ = copier.text("".join(str.__iter__(given)), "a name")
        if name in hidden:
            values[name], plain[name] = value, {OPAQUE: type(value).__qualname__}
            continue
        try:
            values[name], plain[name] = copier.copy(value, name, 0)
        except SnapshotError:
            raise
        # Reading a value runs code of its class, which may raise anything.
        except Exception as error:
            raise SnapshotError(name, f"cannot be read ({type(error).__name__})") from error
    return Snapshot(values, plain)


class _Copier:
    def __init__(self) -> None:
        self.nodes = 0
        self.size = 0
        self.open: set[int] = set()  # containers that we are inside of

    def copy(self, value: Any, path: str, depth: int) -> tuple[Any, Plain]:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise SnapshotError(path, f"makes the call hold more than {MAX_NODES} values")
        if depth > MAX_DEPTH:
            raise SnapshotError(path, f"is nested more than {MAX_DEPTH} deep")
        kind = type(value)  # never `isinstance`, which believes what an object says of its own class
        if value is None or kind is bool:
            return value, value
        if kind is str:  # what most values are comes first
            return self.text(value, path)
        if kind is dict or kind is list:
            return self._container(value, path, depth)
        return self._other(value, path, depth)

    def _other(self, value: Any, path: str, depth: int) -> tuple[Any, Plain]:
        kind = type(value)
        if issubclass(kind, enum.Enum):
            return value, self._enum(value, path, depth)
        if issubclass(kind, str):
            return self.text(value, path)
        if issubclass(kind, int):
            # Subclasses are reduced to the plain number: their methods could answer differently later.
            number = int.__int__(value)
            if number.bit_length() > MAX_BITS:
                raise SnapshotError(path, "is too large a number")
            return number, number
        if issubclass(kind, float):
            real = float.__float__(value)
            if not math.isfinite(real):
                raise SnapshotError(path, "is not a finite number")
            return real, real
        if issubclass(kind, (bytes, bytearray)):
            return self._bytes(value, path)
        if kind in _PRINTED:
            return value, self.text(str(value), path)[1]
        if kind in _TIMES:
            return self._time(value, path)
        return self._container(value, path, depth)

    def _enum(self, value: enum.Enum, path: str, depth: int) -> Plain:
        """A member is handed on as it is, so that it must be unchangeable, and must be the text or number that it says it is."""
        inner = object.__getattribute__(value, "_value_")
        if type(inner) not in (*_SCALARS, bool, type(None), tuple):
            raise SnapshotError(path, "is an enum member of which the value could change")
        bases: tuple[Any, ...] = _SCALARS
        for base in bases:
            if issubclass(type(value), base) and not (isinstance(inner, base) and base.__eq__(value, inner) is True):
                raise SnapshotError(path, "is an enum member that is not what its value says")
        return self.copy(inner, path, depth + 1)[1]

    def _time(self, value: Any, path: str) -> tuple[Any, Plain]:
        if type(value) is datetime.timedelta:
            return value, str(value)
        if type(getattr(value, "tzinfo", None)) not in _ZONES:
            raise SnapshotError(path, "is a time in a zone of its own class")
        return value, value.isoformat()

    def text(self, value: str, path: str) -> tuple[str, str]:
        text: str = value if type(value) is str else "".join(str.__iter__(value))
        self._grow(len(text), path)
        if text.isascii():
            return text, text
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise SnapshotError(path, "holds a lone surrogate, which is not text") from error
        return text, text

    def _bytes(self, value: bytes | bytearray, path: str) -> tuple[bytes | bytearray, Plain]:
        data = bytes(memoryview(value))
        self._grow(len(data), path)
        copied = bytearray(data) if issubclass(type(value), bytearray) else data
        return copied, {BYTES: base64.b64encode(data).decode()}

    def _container(self, value: Any, path: str, depth: int) -> tuple[Any, Plain]:
        if id(value) in self.open:
            raise SnapshotError(path, "holds itself")
        self.open.add(id(value))
        try:
            if issubclass(type(value), dict):
                return self._dict(value, path, depth)
            if type(value) is list:
                return self._list(value, path, depth)
            if type(value) is tuple:
                copied, plain = self._list(value, path, depth)
                return tuple(copied), plain
            if type(value) in (set, frozenset):
                return self._set(value, path, depth)
            if issubclass(type(value), BaseModel):
                return self._model(value, path, depth)
            if dataclasses.is_dataclass(type(value)):
                return self._dataclass(value, path, depth)
        finally:
            self.open.discard(id(value))
        raise SnapshotError(
            path,
            f"is of type `{type(value).__qualname__}`, which cannot be frozen; pass plain data, or declare the argument "
            "`opaque: true` in the manifest",
        )

    def _dict(self, value: dict[Any, Any], path: str, depth: int, *, named: bool = False) -> tuple[dict[str, Any], Plain]:
        """`named`: the keys are names that a class declares. Other keys are content, and stay out of messages."""
        copied: dict[str, Any] = {}
        plain: dict[str, Plain] = {}
        inner = f"{path}.*"
        for key, item in _items(value, path):
            if not issubclass(type(key), str):
                raise SnapshotError(path, f"has a key of type `{type(key).__qualname__}`; only text keys can be judged")
            name, _ = self.text(key, path)
            if name in (BYTES, OPAQUE):
                raise SnapshotError(path, f"uses the reserved key `{name}`")
            copied[name], plain[name] = self.copy(item, f"{path}.{name}" if named else inner, depth + 1)
        return copied, plain

    def _list(self, value: Iterable[Any], path: str, depth: int) -> tuple[list[Any], Plain]:
        pairs = [self.copy(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(tuple(value))]
        return [copied for copied, _ in pairs], [plain for _, plain in pairs]

    def _set(self, value: set[Any] | frozenset[Any], path: str, depth: int) -> tuple[Any, Plain]:
        try:
            items = tuple(value)
        except RuntimeError as error:  # another thread changed it while we read
            raise SnapshotError(path, "changed while it was read") from error
        pairs = [self.copy(item, f"{path}[]", depth + 1) for item in items]
        # A set has no order of its own; the digest needs one.
        return type(value)(copied for copied, _ in pairs), sorted((plain for _, plain in pairs), key=canonical)

    def _model(self, value: BaseModel, path: str, depth: int) -> tuple[Any, Plain]:
        kind = type(value)
        _stands_still(kind, kind.model_fields, path)
        # The instance's own data: neither `model_dump` nor `__copy__`, which a class may override.
        data = {name: item for name, item in object.__getattribute__(value, "__dict__").items() if name in kind.model_fields}
        extra, private = value.__pydantic_extra__, value.__pydantic_private__
        copied, plain = self._dict({**data, **(extra or {})}, path, depth, named=True)
        twin = object.__new__(kind)
        for name, content in (
            ("__dict__", {name: copied[name] for name in data}),
            ("__pydantic_fields_set__", set(value.__pydantic_fields_set__)),
            ("__pydantic_extra__", None if extra is None else {name: copied[name] for name in extra}),
            ("__pydantic_private__", None if private is None else self._dict(private, path, depth, named=True)[0]),
        ):
            object.__setattr__(twin, name, content)
        return twin, plain

    def _dataclass(self, value: Any, path: str, depth: int) -> tuple[Any, Plain]:
        names = [field.name for field in dataclasses.fields(value)]
        _stands_still(type(value), names, path)
        fields = {name: object.__getattribute__(value, name) for name in names}
        copied, plain = self._dict(fields, path, depth, named=True)
        twin = object.__new__(type(value))
        for name, item in copied.items():
            object.__setattr__(twin, name, item)
        return twin, plain

    def _grow(self, size: int, path: str) -> None:
        self.size += size
        if self.size > MAX_BYTES:
            raise SnapshotError(path, f"makes the call larger than {MAX_BYTES // 1024 // 1024} MiB")


def _items(value: dict[Any, Any], path: str) -> tuple[tuple[Any, Any], ...]:
    try:
        return tuple(dict.items(value))
    except RuntimeError as error:  # another thread changed it while we read
        raise SnapshotError(path, "changed while it was read") from error


def _stands_still(kind: Any, names: Iterable[str], path: str) -> None:
    """Refuse a class that computes its fields: what they say could differ from one reading to the next."""
    computed = kind.__getattribute__ is not object.__getattribute__ or any(
        hasattr(type(found), "__set__") and not isinstance(found, types.MemberDescriptorType)
        for name in names
        if (found := next((base.__dict__[name] for base in kind.__mro__ if name in base.__dict__), None)) is not None
    )
    if computed:
        raise SnapshotError(path, f"is of type `{kind.__qualname__}`, which computes its fields; pass plain data")
