"""Whether a guard could grant anything now: for whoever watches a service."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from licet.errors import KeyFileError, StateError
from licet.ledger import Ledger
from licet.store import Store
from licet.tokens import Issuer
from licet.tokens.algorithms import OURS

_log = logging.getLogger("licet")


def health(store: Store, ledger: Ledger, issuer: Issuer, now: float) -> dict[str, bool]:
    """Try each part. What is wrong with one goes to the log, and not to whoever asks."""

    def written() -> None:
        store.spend(f"health\0{os.urandom(8).hex()}", now + 1, (), now)

    def signed() -> None:
        signer = issuer.keys.signer(now, OURS)
        if signer is None:
            raise KeyFileError("no key signs now; make one with `licet keys rotate`")
        signer.sign(b"health")

    return {"store": _works("store", written), "ledger": _works("ledger", ledger.ready), "keys": _works("keys", signed)}


def _works(part: str, attempt: Callable[[], None]) -> bool:
    try:
        attempt()
    except StateError as error:
        _log.warning("licet: the %s cannot be used: %s", part, error)
        return False
    except Exception:  # noqa: BLE001 - a signer may be anybody's, and whatever it raises, it does not sign
        _log.warning("licet: the %s cannot be used", part, exc_info=True)
        return False
    return True
