"""Reading a request's parameters: from the body, once each, and no more of it than any of ours needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from licet.errors import TokenRefused
from licet.server.answers import Refused, bad_request
from licet.tokens.jws import json_object

MAX_BODY = 65_536  # bytes
MAX_FIELDS = 40
FORM = "application/x-www-form-urlencoded"

Form = Mapping[str, str]


def read_form(body: bytes, content_type: str) -> Form:
    """The parameters of a form (RFC 6749 section 3.2 and appendix B).

    Raises:
        Refused: it is not a form, is not UTF-8, or has a parameter twice.
    """
    if content_type.partition(";")[0].strip().lower() != FORM:
        raise bad_request(f"the parameters are sent in the body, as {FORM}")
    try:
        text = body.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise bad_request("the body is not a form in UTF-8, or has too many parameters") from error
    found = dict(pairs)
    if len(found) != len(pairs):
        raise bad_request("a parameter stands twice")
    # "Parameters sent without a value MUST be treated as if they were omitted": RFC 6749 section 3.2.
    return {name: value for name, value in found.items() if value}


def needed(form: Form, name: str) -> str:
    """A parameter that must be there.

    Raises:
        Refused: it is not.
    """
    if name not in form:
        raise bad_request(f"`{name}` is missing")
    return form[name]


def read_detail(form: Form, kinds: Sequence[str]) -> Mapping[str, Any] | None:
    """The one object of `authorization_details` (RFC 9396 section 2), of one of these types; None if there is no such parameter.

    Raises:
        Refused: it is anything else (RFC 9396 section 5).
    """
    text = form.get("authorization_details")
    if text is None:
        return None
    try:
        # Read by the same strict reader as tokens, which reads objects.
        found = json_object(b'{"authorization_details":' + text.encode() + b"}", "parameter")
    except (TokenRefused, UnicodeEncodeError) as error:
        why = error.why if isinstance(error, TokenRefused) else "is not text"
        raise bad_detail(why) from error
    details = found["authorization_details"] if set(found) == {"authorization_details"} else None
    if type(details) is not list or len(details) != 1 or type(details[0]) is not dict:
        raise bad_detail("it is a list of exactly one object")
    detail: Mapping[str, Any] = details[0]
    if detail.get("type") not in kinds:
        raise bad_detail(f"its `type` is {' or '.join(kinds)} here")
    return detail


def member(detail: Mapping[str, Any], name: str, *kinds: type) -> Any:
    """A member of the detail, of one of these types; None if it is not there.

    Raises:
        Refused: it is of another type.
    """
    found = detail.get(name)
    if name in detail and type(found) not in kinds:
        raise bad_detail(f"its `{name}` is not {' or '.join(_WORDS[kind] for kind in kinds)}")
    return found


def only(detail: Mapping[str, Any], *names: str) -> None:
    """RFC 9396 section 5: a member that is not known is refused, as it may be meant to limit something.

    Raises:
        Refused: there is one.
    """
    if odd := sorted(set(detail) - {"type", *names}):
        raise bad_detail(f"its `{odd[0][:40]}` is not known here; known: {', '.join(names)}")


def bad_detail(why: str) -> Refused:
    """The answer to `authorization_details` that cannot be used."""
    return bad_request(f"authorization_details: {why}", "invalid_authorization_details")


_WORDS: Mapping[type, str] = {str: "a text", int: "a whole number", dict: "an object", list: "a list"}
