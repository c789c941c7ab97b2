"""What the monitor holds logs against: for what and where credentials may be used, the names of agents in logs, what an environment is.

The guard decides nothing by these: they are about uses that it never sees.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints, field_validator

from licet.manifest.arguments import listed
from licet.manifest.words import Closed, Text

# Beginnings of secrets themselves, of which logs show an id or a hash: GitHub, Slack, Stripe and others, OpenAI, JWT, PEM.
_SECRETS = ("ghp_", "gho_", "ghs_", "ghu_", "ghr_", "github_pat_", "glpat-", "xox", "sk-", "sk_", "rk_", "eyJ", "-----", "hvs.", "AIza")

ShownId = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{4,512}$")]
ShownIds = Annotated[tuple[ShownId, ...], BeforeValidator(listed)]
UsePattern = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*:[^*\s]*\*?$", max_length=256)]
"""`service:operation`, with `*` at its end only. A service alone is `s3:*`; everything cannot be written."""


class Watched(Closed):
    """What something is for, as logs can be held against it. Left out, nothing is outside."""

    uses: Annotated[tuple[UsePattern, ...], BeforeValidator(listed)] = ()
    regions: Annotated[tuple[Text, ...], BeforeValidator(listed)] = ()
    networks: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()

    @field_validator("networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                network = ipaddress.ip_network(text)
            except ValueError as error:
                raise ValueError(f"{text!r} is no network; write an address and a length: 192.0.2.0/24") from error
            if network.prefixlen == 0:
                raise ValueError(f"{text!r} is every address; take `networks` out, or name the networks")
        return value


class Place(Closed):
    """An environment in logs: the accounts, clusters, organisations and tenants that are it, as the records name them."""

    accounts: Annotated[ShownIds, Field(min_length=1)]


def secret_itself(shown: str) -> bool:
    """Whether this is the beginning of a secret, where only its id may stand."""
    return shown.startswith(_SECRETS)
