"""One draw of a scenario, and all that is to be committed to of it."""

from __future__ import annotations

import random
import secrets
from typing import Final

from licet.clock import Clock
from licet.drill.commitment import Announced, digests, events_of
from licet.drill.involved import involved, known_already
from licet.drill.live import Choice, Drill, Live
from licet.drill.scenario import OWNER
from licet.drill.stage import Actor, Stage
from licet.drill.work import planned
from licet.errors import UsageError

_DRAWS: Final = 8  # until nobody is in a play who is known already
_COMMITTING: Final = 0.02  # seconds that a commitment may take
_MEANTIME: Final = 30.0  # seconds beyond the limit in which a finding may still come, and be late


def curtain_of(clock: Clock, number: int) -> float:
    """When so many drills begin: whole, and so late that all of them are committed to before."""
    return float(int(clock.now() + 2 + _COMMITTING * number))


def before(choice: Choice, live: Live) -> Actor | None:
    """Who acted in the last drill that must be over before this one; None: there is none."""
    wanted = (choice.scenario.after, choice.source, False, False)
    known = (row.announced for row in live.book.drills())
    over = [each for each in known if each is not None and (each.scenario, each.source, each.twin, each.shadow) == wanted]
    return Actor(over[-1].identity, "", OWNER) if over else None


def drawn(choice: Choice, live: Live, curtain: float, *, twin: bool, shadow: Actor | str = "") -> Drill:
    """One draw, and all that is to be committed to. Nobody who is known already is in it, unless it is a shadow.

    Raises:
        UsageError: so often somebody was that it is no chance.
    """
    fingerprint = live.pipeline.fingerprint
    for _ in range(_DRAWS):
        seed = secrets.token_hex(16)
        stage = Stage(random.Random(seed), curtain)  # noqa: S311 - its seed is of `secrets`
        stage.actor, stage.team = (None, shadow or OWNER) if isinstance(shadow, str) else (shadow, OWNER)
        if choice.scenario.after:
            stage.actor = before(choice, live)
        play = choice.scenario.draw(stage, choice.source, twin)
        whom = involved(play, fingerprint)
        known = known_already(live.pipeline.inventory, whom) if not shadow else []
        if not known:
            break
    else:
        raise UsageError(f"{choice.scenario.id}: its draws always name {known[0]}, which is known already")
    of = (*digests(play.records), *planned(play.work))
    play = play._replace(credential=fingerprint(play.credential) if play.credential else "")
    announced = Announced(
        secrets.token_hex(8), secrets.token_hex(32), seed, choice.scenario.id, choice.source, twin, bool(shadow), play.identity,
        play.credential, tuple(sorted(whom.identities)), tuple(sorted(whom.credentials)), tuple(sorted(play.asked)), events_of(of), len(of),
        curtain, curtain + choice.scenario.limit + _MEANTIME,
    )  # fmt: skip
    return Drill(choice, play, whom, announced, of)
