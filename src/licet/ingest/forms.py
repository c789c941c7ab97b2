"""Whose an id of a credential is by its form, where a platform's ids have one.

Who writes one platform's log, or rules one cluster, must not speak of another platform's credentials: what such a record names is another
credential, though its id is spelled the same. Between two platforms whose ids look alike (a UUID is a token's `jti` as well as a key of
Entra) nothing here tells; see `licet.inventory.heard`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Final

_FORMS: Final[tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]] = (
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
    (("cloudtrail",), re.compile(r"A[A-Z]{2}A[A-Z0-9]{12,124}|password of .*", re.DOTALL)),
    # https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
    (("kubernetes",), re.compile(r"(?:JTI=|X509SHA256=|secret:).*", re.DOTALL)),
    # A SHA-256 digest in Base64, and what is numbered there.
    (("github",), re.compile(r"[A-Za-z0-9+/]{43}=|github:.*", re.DOTALL)),
    (("okta",), re.compile(r"00T[A-Za-z0-9]{17}")),
    (("kubernetes", "entra", "m365"), re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")),
)


def platforms_of(shown: str) -> Collection[str]:
    """The sources whose ids have this form; empty where none is known to."""
    bare = shown.removeprefix("JTI=").removeprefix("X509SHA256=")  # who fingerprints it takes these off
    return next((sources for text in (bare, shown) for sources, form in _FORMS if form.fullmatch(text)), ())


def told_of(source: str, shown: str, fingerprint: Callable[[str], str]) -> str:
    """The fingerprint of the credential of which a record tells what happened to it; empty for an empty id.

    Args:
        source: the platform that the record is of.
        shown: the id, as it stands in the record.
        fingerprint: makes the fingerprint of an id.
    """
    whose = platforms_of(shown)
    return fingerprint(shown if not whose or source in whose else f"{source} says {shown}")
