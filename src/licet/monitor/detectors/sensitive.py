"""Calls that change permissions, credentials, trust or logging, or read secrets (`access` is `admin`, as the readers say).

Alone each is only points: somebody's work is this. What an identity did on three days before has a quarter of them, on ten days none, and
what was declared as its work none. The same operation by the same program with the same credential is one thing a day, of which the first
ones are cited.

A platform's own services do it all day. Of a cluster's, whose names can stand in anybody's certificate, only nodes have some work that is
left out: they read the secrets that they name, and ask for tokens and certificates.

Of a change whose body could not be read nobody knows what it gave to whom: that is told alone, whoever did it and however often.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from licet.clock import iso
from licet.events import BODY_UNREAD, UseEvent
from licet.monitor.detector import Called, Detector, State
from licet.monitor.detectors.holders import product
from licet.monitor.detectors.purpose import is_for
from licet.monitor.saying import ALERTED, keep, row, say
from licet.monitor.signal import Signal
from licet.monitor.world import DAY, World

_HABITS: Final = 512  # operations of one identity; those that were not done for the longest time go first
_CITED: Final = 4  # uses of one thing on one day
_TOLD: Final = 256  # things of one day
_FEW, _MANY = 3, 10  # days: then it is usual, then it says nothing
_DONE, _TRIED = 30.0, 20.0
_SHORT: Final = ("temporary_key", "call_token", "service_account_token", "federated")
"""Kinds of credentials of which an identity has another one each hour: they do not tell two things apart."""


_NODE: Final = "system:node:"
_WORK_OF_NODES: Final = frozenset({
    "core:get/secrets", "core:list/secrets", "core:watch/secrets", "core:create/serviceaccounts/token",
    "certificates.k8s.io:create/certificatesigningrequests",
})  # fmt: skip
"""https://kubernetes.io/docs/reference/access-authn-authz/node/; kubelet lists and watches single secrets, by their names."""
_ALL: Final = "/secrets"  # how a resource ends that is no single one

_READS: Final = ("get", "list", "watch", "head", "describe", "batchget", "search", "query", "select")


class Sensitive(Detector):
    """SENSITIVE_ACTION: points only, but for a change that could not be read."""

    name = "sensitive"
    version = 3
    codes = ("SENSITIVE_ACTION",)
    uses: Called = "always"
    by_cluster = True

    def start(self) -> State:
        """`habits`: by operation, on how many days it was done, and the last of them; `today`: what was told today, and how often."""
        return {"habits": {}, "today": {}, "day": ""}

    def use(self, state: State, event: UseEvent, world: World) -> Iterable[Signal]:
        """Whether it is sensitive, and not what it does all the time."""
        if event.access != "admin":
            return ()
        if event.error == BODY_UNREAD and _changes(event.operation):
            return say(
                state, "SENSITIVE_ACTION", value=f"{event.operation} unread", time=event.time, credential=event.credential, severity="high",
                observed=f"did {event.operation}{f' on {event.resource}' if event.resource else ''}, and the body of the request could not"
                " be read: what it changed is not known", expected="changes of permissions that the log tells of", basis="catalogue",
                cited=[row(event, "use")],
            )  # fmt: skip
        day, operation = int(event.time // DAY), event.operation
        known = _noted(state["habits"], event, day)
        if known >= _MANY or _expected(event, world):
            return ()
        if state["day"] != day:
            # What was said on another day is not said again.
            state["day"], state["today"] = day, {}
            state["said"] = {key: each for key, each in state.get("said", {}).items() if each[ALERTED]}
        thing = f"{operation} {product(event.agent)} {'' if event.credential_kind in _SHORT else event.credential}"
        today = state["today"]
        told = today.get(thing)
        if told is None:
            told = [0, event.credential]
            keep(today, thing, told, _TOLD)
        if told[0] >= _CITED:
            return ()
        told[0] += 1
        done, program = event.outcome == "success", product(event.agent) or "no program"
        return say(
            state, "SENSITIVE_ACTION", value=f"{operation} with {program} on {iso(day * DAY)[:10]}", time=event.time, credential=told[1],
            alert=False, points=(_DONE if done else _TRIED) * (0.25 if known >= _FEW else 1.0), basis="catalogue",
            observed=f"{'did' if done else 'tried'} {operation}{f' on {event.resource}' if event.resource else ''}, which is sensitive",
            expected=_usual(known, operation), sample=known, cited=[row(event, "use")],
        )  # fmt: skip


def _changes(operation: str) -> bool:
    """Whether an operation is none that only reads, by its verb."""
    return not operation.partition(":")[2].lower().startswith(_READS)


def _usual(known: int, operation: str) -> str:
    return f"seldom: it did {operation} on {known} days before" if known else f"no {operation}: it never did it on another day"


def _noted(habits: dict[str, Any], event: UseEvent, day: int) -> int:
    """On how many days before this one it did it. What was denied is no habit."""
    found = habits.get(event.operation)
    if event.outcome == "success" and (found is None or found[1] != day):
        before = found[0] if found else 0
        keep(habits, event.operation, [before + 1, day], _HABITS)
        return before
    return 0 if found is None else found[0] - (found[1] == day)


def _expected(event: UseEvent, world: World) -> bool:
    """The work of a platform's own service, or what it was declared to be for."""
    known = world.identity(event.identity)
    if (event.identity_kind == "service" or known.kind == "service") and (event.source != "kubernetes" or _is_work_of_node(event)):
        return True
    own = world.credential(event.credential).declared.uses if event.credential else ()
    uses = own or known.declared.uses
    return bool(uses) and is_for(event.operation, uses)


def _is_work_of_node(event: UseEvent) -> bool:
    return event.identity.startswith(_NODE) and event.operation in _WORK_OF_NODES and not f"/{event.resource}".endswith(_ALL)
