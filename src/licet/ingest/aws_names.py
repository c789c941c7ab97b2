"""Names and ARNs of AWS, with what looks like a secret masked in each of their parts."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from licet.ingest.fields import clean

LONGEST: Final = 512  # characters of a name or an id that are kept


def clean_name(name: str) -> str:
    """`name`, cut and cleaned part by part: taken as one text, `secretsmanager:GetSecretValue` is a secret and its value."""
    return _clean_name(name if len(name) <= LONGEST else name[:LONGEST])


@lru_cache(32_768)
def _clean_name(name: str) -> str:
    return ":".join(map(clean, name.split(":")))


def account_in(arn: str) -> str:
    """The account of an ARN; empty where it has none (a bucket, a policy of AWS) and for what is no ARN."""
    parts = arn.split(":", 5)
    return parts[4] if len(parts) > 5 and parts[0] == "arn" and parts[4].isdecimal() else ""


@lru_cache(8_192)
def without_path(arn: str) -> str:
    """The ARN of a user or role without its path, as which calls upon it by its name are read; empty where it has none.

    A name is unique in its account, whatever the path. Roles that belong to AWS keep their path: nobody changes them by name.
    """
    head, _, path = arn.partition("/")
    between, _, name = path.rpartition("/")
    if not between or not head.endswith((":user", ":role")) or between.startswith(("aws-reserved/", "aws-service-role/")):
        return ""
    return f"{head}/{name}"
