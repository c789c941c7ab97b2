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
from licet.ingest.calls import NAME as OWN_CALLS
from licet.inventory.retracted import Concerned, Counted, forget, retract
from licet.inventory.store import Inventory

_PURPOSE: Final = "pending"
_NONCE: Final = 12  # bytes
_WORK: Final = 180.0  # seconds in which the agents of a run do their work
_AGENT: Final = "agent:"
_ABOUT: Final = b"licet drill pending v1"


def remember(live: Live, concerned: Concerned) -> int:
    """Keep what is about to be let in; the number of the row, which goes when it was taken back."""
    return live.book.pend(_sealed(live.key, concerned, live.clock.now()))


def recovered(live: Live, tell: Callable[[str], None]) -> int:
    """Take back what runs left that did not come to their end; how many there were. Their drills stay failed: they were never revealed.

    By their digests, as ever: what there is of their names beside that was let in by nobody, and is found as such.

    Raises:
        StoreError: the inventory or the book cannot be written.
    """
    rows = live.book.pending()
    for number, sealed in rows:
        opened = _opened(live.key, sealed)
        if opened is None:
            tell("a run under another key was cut off; what it let in can be taken back with that key alone: name it with `--key`")
            continue
        concerned, began = opened
        retract(live.pipeline.inventory, _all_of_it(live.pipeline.inventory, concerned, began))
        live.book.retire({*concerned.identities, *concerned.credentials}, f"cut off {number}")
        live.pipeline.judge()
        forget(live.pipeline.inventory, {*concerned.identities, *(uid for uid, *_ in concerned.shared)})
        live.book.settled(number)
        tell("an earlier run was cut off; what it had let in is taken back, and its drills are failed")
    return len(rows)


def _all_of_it(inventory: Inventory, concerned: Concerned, began: float) -> Concerned:
    """With what an agent's work left, which nobody could know before, and how much of all that was to come did come."""
    agents = [uid for uid in concerned.identities if uid.startswith(_AGENT)]
    uses = [each for uid in agents for each in inventory.uses(uid, began, began + _WORK) if each.source == OWN_CALLS]
    told = [
        each for uid in agents for each in inventory.lifecycle_of(uid) if each.source == OWN_CALLS and began <= each.time <= began + _WORK
    ]
    both: list[UseEvent | LifecycleEvent] = [*uses, *told]
    whole = concerned._replace(
        digests={*concerned.digests, *(each.digest for each in both)},
        credentials={*concerned.credentials, *(each.credential for each in both if each.credential)},
        workloads={*concerned.workloads, *(each.workload for each in both if each.workload)},
    )
    came = Counter(
        (each.source, each.account) for uid in concerned.identities for each in inventory.uses(uid) if each.digest in whole.digests
    )
    came.update((use.partition("/")[0], account) for _, account, use in _shared(inventory, concerned))
    return whole._replace(sources=[each._replace(ours=came[each.source, each.account]) for each in concerned.sources])


def _shared(inventory: Inventory, concerned: Concerned) -> list[tuple[str, str, str]]:
    """Those uses of platforms' own services that came: the service, the account, the use."""
    return [(uid, each.account, use) for uid, time, use in concerned.shared for each in inventory.uses(uid, time, time) if each.uid == use]


def _sealed(key: DrillKey, concerned: Concerned, now: float) -> bytes:
    said = [
        sorted(concerned.digests), sorted(concerned.identities), sorted(concerned.credentials), sorted(concerned.workloads),
        sorted(concerned.shared), sorted(concerned.environments), sorted(concerned.edges), list(concerned.sources), now,
    ]  # fmt: skip
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key.derived(_PURPOSE)).encrypt(nonce, json.dumps(said).encode(), _ABOUT)


def _opened(key: DrillKey, sealed: bytes) -> tuple[Concerned, float] | None:
    try:
        said = json.loads(AESGCM(key.derived(_PURPOSE)).decrypt(sealed[:_NONCE], sealed[_NONCE:], _ABOUT))
    except (InvalidTag, ValueError):
        return None
    digests, identities, credentials, workloads, shared, environments, edges, sources, began = said
    concerned = Concerned(
        digests, identities, credentials, workloads, [(uid, time, use) for uid, time, use in shared], environments,
        [(origin, target) for origin, target in edges], [Counted(*each) for each in sources],
    )  # fmt: skip
    return concerned, began
