"""What the monitor holds logs against: for what and where credentials may be used, the names of agents in logs, what an environment is.

The guard decides nothing by these: they are about uses that it never sees.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from licet.manifest.arguments import listed
from licet.manifest.words import Closed, Duration, Text
from licet.secretlike import secret_in

# Beginnings of secrets themselves, of which logs show an id or a hash: GitHub, Slack, Stripe and others, OpenAI, JWT, PEM.
_SECRETS = ("ghp_", "gho_", "ghs_", "ghu_", "ghr_", "github_pat_", "glpat-", "xox", "sk-", "sk_", "rk_", "eyJ", "-----", "hvs.", "AIza")

ShownId = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{4,512}$")]
ShownIds = Annotated[tuple[ShownId, ...], BeforeValidator(listed)]
UsePattern = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*:(?:[^*\s]+(?: [^*\s]+)*)?\*?$", max_length=256)]
"""`service:operation`, with `*` at its end only, and single spaces inside (`entra:Add service principal`). A service alone is `s3:*`;
everything cannot be written."""


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


Word = Annotated[str, StringConstraints(min_length=1, max_length=4_096)]


class Given(Closed):
    """Where a version's secret stands, or where the command of a probe finds it: in an environment variable or in a file.

    Exactly one of the two.
    """

    env: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")] | None = None
    file: Word | None = None

    @model_validator(mode="after")
    def _one(self) -> Given:
        if (self.env is None) == (self.file is None):
            raise ValueError("name `env` (an environment variable) or `file`, one of the two")
        return self


class Probe(Closed):
    """How to try whether an ended version of a credential still authenticates, without doing anything with it.

    Attributes:
        command: what is run, without a shell. It exits with 0 if it was let in, with one of `refused` if it was not; anything else is
            undecided.
        secret: the environment variable in which the command finds the secret; left out, it comes on standard input.
        versions: by the id that logs show, where each ended version's secret stands.
    """

    command: Annotated[tuple[Word, ...], BeforeValidator(listed), Field(min_length=1)]
    secret: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")] | None = None
    versions: Annotated[Mapping[ShownId, Given], Field(min_length=1)]
    refused: Annotated[tuple[Annotated[int, Field(ge=1, le=125)], ...], BeforeValidator(listed), Field(min_length=1)] = (1,)
    timeout: Duration = timedelta(seconds=10)

    @field_validator("command")
    @classmethod
    def _no_secret(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for number, word in enumerate(value):
            if what := secret_in(word):
                raise ValueError(f"word {number + 1} holds {what}; the secret is given to the command apart (`secret`, `versions`)")
        return value


def secret_itself(shown: str) -> bool:
    """Whether this is the beginning of a secret, where only its id may stand."""
    return shown.startswith(_SECRETS)
