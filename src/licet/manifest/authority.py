"""What the manifest says of the token authority: its name, the clients that it knows, and whom else it makes tokens for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints

from licet.manifest.arguments import listed
from licet.manifest.identities import ONE_SOURCE, Algorithm, KeysFromOnePlace, why_unsafe
from licet.manifest.words import Closed

DEFAULT_ALGORITHMS: Final[tuple[Algorithm, ...]] = ("EdDSA", "Ed25519", "ES256", "ES384", "PS256", "RS256")


def issuer_name(text: str) -> str:
    """An issuer's name as RFC 8414 section 2 has it: an https URL without query and fragment (http on loopback alone).

    Raises:
        ValueError: it is not one; or it is not written in the one form that others can compare character by character.
    """
    if why_unsafe(text) or "%" in text or "\\" in text:
        raise ValueError("the issuer is a URL with https; http is for a loopback address alone")
    if "?" in text or "#" in text:
        raise ValueError("an issuer has neither query nor fragment (RFC 8414 section 2); take them out")
    found = urlsplit(text)
    host, usual = found.hostname or "", {"http": 80, "https": 443}[found.scheme]
    shown = f"[{host}]" if ":" in host else host
    port = "" if found.port in (None, usual) else f":{found.port}"
    parts = found.path.split("/")[1:]
    if text != f"{found.scheme}://{shown}{port}{found.path}" or any(part in ("", ".", "..") for part in parts):
        raise ValueError(
            "an issuer is compared character by character; write the host in lower case, and no usual port and slash at the end"
        )
    return text


class AuthorityClient(KeysFromOnePlace):
    """A program that may ask the authority for tokens, known by its key (`private_key_jwt`), and the agents that it may act as."""

    model_config = ConfigDict(json_schema_extra=ONE_SOURCE)

    agents: Annotated[tuple[str, ...], BeforeValidator(listed)]
    algorithms: Annotated[tuple[Algorithm, ...], BeforeValidator(listed), Field(min_length=1)] = DEFAULT_ALGORITHMS


class Authority(Closed):
    """The token authority, as `licet serve` runs it."""

    issuer: Annotated[str, StringConstraints(pattern=r"^https?://[!-~]+$", max_length=500), AfterValidator(issuer_name)]
    clients: Mapping[Annotated[str, StringConstraints(pattern=r"^[!-~]{1,128}$")], AuthorityClient] = Field(default_factory=dict)
    federation: Annotated[tuple[Annotated[str, StringConstraints(pattern=r"^[!-~]{1,300}$")], ...], BeforeValidator(listed)] = ()
