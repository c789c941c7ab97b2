"""Canonical JSON (RFC 8785, JCS) and the digests made from it.

One deviation, on purpose: an integer beyond ±(2^53 - 1) is written with all its digits. RFC 8785 section 3.2.2.3 would round it
to the nearest double, and then two different arguments could have one digest.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection
from typing import Any, TypeAlias

from licet.secretlike import scrub

Plain: TypeAlias = bool | int | float | str | list["Plain"] | dict[str, "Plain"] | None
"""What JSON can say: the only values that checks, digests and records see."""


def canonical(value: Plain) -> bytes:
    """The RFC 8785 form of `value`, in UTF-8.

    Raises:
        ValueError: a number is not finite, a string holds a lone surrogate, or a value is not JSON.
    """
    if _is_simple(value):
        return _C_ENCODER.encode(value).encode("utf-8")
    return "".join(_parts(value)).encode("utf-8")


# The C encoder writes the same form, many times faster, where there are no floats and no names that sort differently by UTF-16.
_C_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False)
_FLAT = frozenset({str, int, bool, type(None)})
_NESTED = frozenset({dict, list})
_TEXT = frozenset({str})


def _is_simple(value: Any) -> bool:
    kind = type(value)
    if kind is dict:
        return _TEXT.issuperset(map(type, value)) and "".join(value).isascii() and _are_simple(value.values())
    return kind in _FLAT or (kind is list and _are_simple(value))


def _are_simple(values: Collection[Any]) -> bool:
    kinds = {*map(type, values)} - _FLAT
    return not kinds or (kinds <= _NESTED and all(_is_simple(each) for each in values if type(each) in _NESTED and each))


def digest(value: Plain) -> str:
    """`sha256:` and the lower-case hex SHA-256 of the canonical form."""
    return "sha256:" + hashlib.sha256(canonical(value)).hexdigest()


def digest_text(text: str | bytes) -> str:
    """`sha256:` and the hex digest of the text itself. Lone surrogates are kept apart from `?` by escaping them."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace")
    return "sha256:" + hashlib.sha256(data).hexdigest()


def recordable(text: object, limit: int = 256) -> str:
    """Text from outside as it may stand in a record: `fitting`, and what looks like a secret is masked before anything is cut."""
    plain = text if type(text) is str else "".join(str.__iter__(text)) if isinstance(text, str) else f"<{type(text).__name__}>"
    return fitting(scrub(plain), limit)


def fitting(text: str, limit: int) -> str:
    """Text with lone surrogates written as `\\udc80`, cut to `limit` characters with a digest."""
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= limit else f"{text[:limit]}… {digest_text(text)}"


def _parts(value: Any) -> list[str]:
    out: list[str] = []
    _write(value, out)
    return out


def _write(value: Any, out: list[str]) -> None:
    if value is None:
        out.append("null")
    elif value is True:
        out.append("true")
    elif value is False:
        out.append("false")
    elif isinstance(value, str):
        out.append(_string(value))
    elif isinstance(value, int):
        out.append(str(value))
    elif isinstance(value, float):
        out.append(_number(value))
    elif isinstance(value, list):
        _write_list(value, out)
    elif isinstance(value, dict):
        _write_object(value, out)
    else:
        raise ValueError(f"{type(value).__name__} is not JSON")


def _write_list(items: list[Any], out: list[str]) -> None:
    out.append("[")
    for index, item in enumerate(items):
        if index:
            out.append(",")
        _write(item, out)
    out.append("]")


def _write_object(members: dict[str, Any], out: list[str]) -> None:
    # RFC 8785 section 3.2.3: names are sorted by their UTF-16 code units, which differs from code points above U+FFFF.
    out.append("{")
    for index, name in enumerate(sorted(members, key=lambda text: text.encode("utf-16-be", "surrogatepass"))):
        if index:
            out.append(",")
        out.append(_string(name))
        out.append(":")
        _write(members[name], out)
    out.append("}")


def _string(text: str) -> str:
    # `json` escapes exactly what RFC 8785 section 3.2.2.2 asks for when `ensure_ascii` is off.
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("a lone surrogate is not text") from error
    return json.dumps(text, ensure_ascii=False)


def _number(value: float) -> str:
    """ECMAScript's Number::toString, which RFC 8785 section 3.2.2.3 prescribes, from Python's shortest repr."""
    if not math.isfinite(value):
        raise ValueError("a number that is not finite is not JSON")
    if value == 0:
        return "0"  # -0 too
    mantissa, _, exponent = repr(value).partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0)  # where the decimal point stands in whole + fraction
    point -= len(whole + fraction) - len((whole + fraction).lstrip("0"))
    digits = digits.rstrip("0")
    count = len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    power = f"{'+' if point - 1 > 0 else '-'}{abs(point - 1)}"
    return f"{sign}{digits[0]}{'.' + digits[1:] if count > 1 else ''}e{power}"
