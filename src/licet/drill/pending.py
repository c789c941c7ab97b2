"""What a run that was cut off leaves behind is taken back by the next one: what it let in stands sealed in the book until it is over.

Sealed under the drills' key (AES-256-GCM, NIST SP 800-38D), since who can read it could tell drills from the rest while they go on.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from licet.drill.keys import DrillKey
from licet.drill.live import Live
from licet.events import LifecycleEvent, UseEvent
from licet.inventory.retracted import Concerned, Counted, forget, retract
from licet.inventory.store import Inventory

_PURPOSE: Final = "pending"
_NONCE: Final = 12  # bytes
_ABOUT: Final = b"licet drill pending v1"


def remember(live: Live, concerned: Concerned) -> int:
    """Keep what is about to be let in; the number of the row, which goes when it was taken back."""
    return live.book.pend(_sealed(live.key, concerned))


def recovered(live: Live, tell: Callable[[str], None]) -> int:
    """Take back what runs left that did not come to their end; how many there were. Their drills stay failed: they were never revealed.

    Until it was revealed nobody knew the names that were drawn, so that all there is under them came of the drill.

    Raises:
        StoreError: the inventory or the book cannot be written.
    """
    rows = live.book.pending()
    for number, sealed in rows:
        concerned = _opened(live.key, sealed)
        if concerned is None:
            tell("a run under another key was cut off; what it let in can be taken back with that key alone: name it with `--key`")
            continue
        retract(live.pipeline.inventory, _all_of_it(live.pipeline.inventory, concerned))
        live.pipeline.judge()
        forget(live.pipeline.inventory, {*concerned.identities, *(uid for uid, *_ in concerned.shared)})
        live.book.settled(number)
        tell("an earlier run was cut off; what it had let in is taken back, and its drills are failed")
    return len(rows)


def _all_of_it(inventory: Inventory, concerned: Concerned) -> Concerned:
    """With what came of it that nobody could know before: what an agent's work left, and how much of all that was to come did come."""
    uses = [each for uid in concerned.identities for each in inventory.uses(uid)]
    told = [each for uid in concerned.identities for each in inventory.lifecycle_of(uid)]
    came = Counter((each.source, each.account) for each in uses)
    came.update((use.partition("/")[0], account) for _, account, use in _shared(inventory, concerned))
    both: list[UseEvent | LifecycleEvent] = [*uses, *told]
    return concerned._replace(
        digests={*concerned.digests, *(each.digest for each in both)},
        credentials={*concerned.credentials, *(each.credential for each in both if each.credential)},
        workloads={*concerned.workloads, *(each.workload for each in both if each.workload)},
        sources=[each._replace(ours=came[each.source, each.account]) for each in concerned.sources],
    )


def _shared(inventory: Inventory, concerned: Concerned) -> list[tuple[str, str, str]]:
    """Those uses of platforms' own services that came: the service, the account, the use."""
    return [(uid, each.account, use) for uid, time, use in concerned.shared for each in inventory.uses(uid, time, time) if each.uid == use]


def _sealed(key: DrillKey, concerned: Concerned) -> bytes:
    said = [
        sorted(concerned.digests), sorted(concerned.identities), sorted(concerned.credentials), sorted(concerned.workloads),
        sorted(concerned.shared), sorted(concerned.environments), sorted(concerned.edges), list(concerned.sources),
    ]  # fmt: skip
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key.derived(_PURPOSE)).encrypt(nonce, json.dumps(said).encode(), _ABOUT)


def _opened(key: DrillKey, sealed: bytes) -> Concerned | None:
    try:
        said = json.loads(AESGCM(key.derived(_PURPOSE)).decrypt(sealed[:_NONCE], sealed[_NONCE:], _ABOUT))
    except (InvalidTag, ValueError):
        return None
    digests, identities, credentials, workloads, shared, environments, edges, sources = said
    return Concerned(
        digests, identities, credentials, workloads, [(uid, time, use) for uid, time, use in shared], environments,
        [(origin, target) for origin, target in edges], [Counted(*each) for each in sources],
    )  # fmt: skip
