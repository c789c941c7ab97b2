"""Identities of machines that act, and that nobody owns.

A new one has a day's time to get an owner, which is whom somebody states here: what a directory calls owner is whoever may change it, and
who may, can make himself that. Where nobody was ever named as an owner of anything, this says little, and only has points:
none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from licet.events import LifecycleEvent, UseEvent
from licet.inventory.model import needs_owner
from licet.monitor.detector import Called, Detector, State
from licet.monitor.saying import row, say
from licet.monitor.signal import Signal
from licet.monitor.world import DAY, World

_STAYS: Final = ("access_key",)
"""Kinds of credentials that live until somebody ends them. Whether a person or a machine has such a key logs do not say: somebody must.
What looks like a browser says nothing of it, as whoever has the key writes what he likes there.
"""

_CITED: Final = 8  # first uses; that it acts is shown by one

_STATED: Final = ("lifecycle", "declared")


class Unowned(Detector):
    """UNOWNED_ACTIVE, as it stands now."""

    name = "unowned"
    version = 6
    codes = ("UNOWNED_ACTIVE",)
    standing = ("UNOWNED_ACTIVE",)
    uses: Called = "always"
    lives = True

    def start(self) -> State:
        """`uses`: the first ones; `owned`: whether an owner came since; `keyed`: the first by a program with a key that stays."""
        return {"uses": [], "owned": False, "keyed": None}

    def use(self, state: State, event: UseEvent, world: World) -> Iterable[Signal]:
        """Note it."""
        if event.outcome == "success":
            if len(state["uses"]) < _CITED:
                state["uses"].append(row(event, "use"))
            if event.credential_kind in _STAYS and not event.interactive and state["keyed"] is None:
                state["keyed"] = row(event, "use")
        return ()

    def lifecycle(self, state: State, event: LifecycleEvent, world: World) -> Iterable[Signal]:
        """Note that it has an owner."""
        if event.kind == "owner_changed" and event.outcome == "success" and event.source in _STATED:
            state["owned"] = True
        return ()

    def end(self, state: State, identity: str, world: World) -> Iterable[Signal]:
        """Whether nobody owns it still."""
        uses = state["uses"]
        if not uses or state["owned"] or world.now - uses[0][2] <= DAY:
            return ()
        known = world.identity(identity)
        of_program = known.kind == "unknown" and state["keyed"] is not None
        if not (of_program or needs_owner(identity, known.kind)) or world.owner(identity) is not None:
            return ()
        what = "user whose key programs use" if of_program else known.kind.replace("_", " ")
        cited = uses if world.owners else uses[:1]
        if of_program and state["keyed"] not in cited:
            cited = [*cited, state["keyed"]]
        return say(
            {}, "UNOWNED_ACTIVE", value="", time=uses[0][2], alert=world.owners, points=None if world.owners else 0.0, basis="declared",
            observed=f"a {what} that acts has no owner", expected="an owner within a day of its first use",
            cited=cited,
        )  # fmt: skip
