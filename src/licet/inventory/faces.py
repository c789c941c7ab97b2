"""One identity seen under several names: a face is a name of it, and stands under the name that says most.

Readers say so where a record has both names (an application's id and its service principal's object id): as a lifecycle event of kind
`created` whose reason begins with `same as`. It has no time, since it held before anybody wrote it down, and one id for each pair, so
that it is kept once however many records say it.
"""

from __future__ import annotations

from typing import Final

from licet.events import LifecycleEvent

SAME_AS: Final = "same as "
RECORDED: Final = 1.0
"""How sure a face is that one record with both names shows."""


def face(source: str, uid: str, same_as: str, *, account: str = "") -> LifecycleEvent:
    """That `uid` is another name of `same_as`."""
    return LifecycleEvent(source, f"{uid}={same_as}", 0.0, "created", uid, reason=SAME_AS + same_as, account=account)


def same_as(event: LifecycleEvent) -> str:
    """The uid that the event's identity stands under; empty if the event is about anything else."""
    if event.kind != "created" or event.credential or not event.reason.startswith(SAME_AS):
        return ""
    return event.reason.removeprefix(SAME_AS)
