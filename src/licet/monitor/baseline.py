"""What was learned, as evidence: it is cited by its digest, and with all that it takes to judge by it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from licet.monitor.signal import Cited

ROLE: Final = "baseline"
"""The role of a baseline among what is cited."""

Bodies = Sequence[Mapping[str, Any]]
"""Baselines of one detector, as they were cited."""


def cited_baseline(detector: str, body: Mapping[str, Any], since: float) -> list[Any]:
    """A baseline as `say` takes what is cited.

    Args:
        detector: whose it is.
        body: what it takes to judge by it: JSON.
        since: when it began to be learned (seconds since the epoch).
    """
    text = json.dumps({"detector": detector, **body}, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return [f"baseline/{hashlib.sha256(text.encode()).hexdigest()}", ROLE, since, "", text]


def bodies_of(detector: str, cited: Iterable[Cited]) -> list[dict[str, Any]]:
    """The baselines of one detector among what is cited."""
    found = (json.loads(each.body) for each in cited if each.role == ROLE and each.body)
    return [{key: value for key, value in body.items() if key != "detector"} for body in found if body["detector"] == detector]
