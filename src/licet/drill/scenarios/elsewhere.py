"""What is used where, or when, its own work is not: after a long rest, from another place, from two places at once, far too much."""

from __future__ import annotations

from typing import Any

from licet.drill.scenario import Play, Record, Scenario
from licet.drill.scenarios.declaring import owned
from licet.drill.scenarios.workers import Worker, away, worker
from licet.drill.stage import DAY, HOUR, MINUTE, Stage

_MANY, _A_SECOND = 45, 3
"""Uses of a burst: more than twice what is far too much for who works twice a day. Where the one that is too many is left out, the next one
is that: it must be of a later second, as logs that tell no less than seconds have it, to be another.
"""


def revived(stage: Stage, source: str, twin: bool) -> Play:  # noqa: FBT001 - of all plays
    """An identity slept for longer than 90 days, and is used; another credential of it sleeps on. The twin slept for some weeks."""
    who = worker(stage, source)
    rest = float(stage.rng.randrange(20, 70) if twin else stage.rng.randrange(100, 220)) * DAY
    work = [who.work(time) for time in stage.habit(stage.rng.randrange(6, 12), 2, until=rest)]
    last_id = work[-1][1]
    spare, _ = who.work(stage.before(rest + 5 * DAY, rest + 2 * DAY), credential=who.another())
    use, use_id = who.work(stage.now + 1, live=True)
    records = (*(record for record, _ in work), spare, use)
    declared = {"identities": [owned(stage, who.uid, who.kind)]}
    if twin:
        return Play(who.uid, who.credential, records, declared, owner=stage.owner, differs="it slept for some weeks only")
    return Play(
        who.uid, who.credential, records, declared, frozenset({"REVIVED"}), cites=(last_id, use_id), owner=stage.owner,
        signals=frozenset({"STALE_ACTIVE"}),
    )  # fmt: skip


def new_place(stage: Stage, source: str, twin: bool) -> Play:  # noqa: FBT001
    """Who works from one network for weeks works from another, in another region, with another program. The twin's network is its own.

    Kubernetes has no regions; there it does what it never did.
    """
    who, there = worker(stage, source), away(stage)
    records = _weeks(stage, who)
    if twin:
        there = there._replace(address=stage.at_home(who.home.removesuffix(".0/24")))
    use, use_id = who.work(stage.now + 1, away=there, operation="" if source == "cloudtrail" else who.unusual, live=True)
    records.append(use)
    declared = {"identities": [_alone(stage, who)]}
    if twin:
        return Play(
            who.uid, who.credential, tuple(records), declared, owner=stage.owner, differs="it came from its own network",
            signals=frozenset({"NEW_AGENT"}),
        )  # fmt: skip
    network = ".".join(there.address.split(".")[:3]) + ".0/24"
    more, shows = ("NEW_REGION", (there.region,)) if source == "cloudtrail" else ("NEW_API", (who.unusual,))
    return Play(
        who.uid, who.credential, tuple(records), declared, frozenset({"NEW_NETWORK", "NEW_AGENT", more}), shows=(network, who.home, *shows),
        cites=(use_id,), owner=stage.owner,
    )  # fmt: skip


def two_holders(stage: Stage, source: str, twin: bool) -> Play:  # noqa: FBT001
    """A credential is used from two networks, with two programs, within minutes. The twin's programs are in one network."""
    who, there = worker(stage, source), away(stage)
    if twin:
        there = there._replace(address=stage.at_home(who.home.removesuffix(".0/24")), country="")
    records = [who.work(time)[0] for time in stage.habit(stage.rng.randrange(4, 6), 3)]
    mine, mine_id = who.work(stage.before(12 * MINUTE, 2 * MINUTE))
    theirs, theirs_id = who.work(stage.now + 1, away=there, live=True)
    again, _ = who.work(stage.now + 3, live=True)
    records += [mine, theirs, again]
    declared = {"identities": [owned(stage, who.uid, who.kind)]}
    if twin:
        return Play(who.uid, who.credential, tuple(records), declared, owner=stage.owner, differs="both programs are in one network")
    network = ".".join(there.address.split(".")[:3]) + ".0/24"
    return Play(
        who.uid, who.credential, tuple(records), declared, frozenset({"CONCURRENT_HOLDERS"}), shows=(network, who.home),
        cites=(mine_id, theirs_id), owner=stage.owner,
    )  # fmt: skip


def burst(stage: Stage, source: str, twin: bool) -> Play:  # noqa: FBT001
    """Far more than ever at once, and among it what is sensitive. The twin does as much of what it does every day."""
    who = worker(stage, source)
    records, begin = _weeks(stage, who), stage.now + 1
    long = _MANY // _A_SECOND
    if begin // HOUR != (begin + long) // HOUR:
        begin = (begin + long) // HOUR * HOUR  # all of it within one hour of the clock, as it is counted
    odd = {} if twin else dict(zip(stage.rng.sample(range(_MANY), len(who.sensitive)), who.sensitive, strict=True))
    live = [who.work(begin + at // _A_SECOND, operation=odd.get(at, ""), live=True) for at in range(_MANY)]
    records += [record for record, _ in live]
    declared = {"identities": [_alone(stage, who)]}
    if twin:
        return Play(
            who.uid, who.credential, tuple(records), declared, owner=stage.owner, differs="it is all what it does every day",
            signals=frozenset({"RATE"}),
        )  # fmt: skip
    # What it never did before is new to it, whatever it is.
    return Play(
        who.uid, who.credential, tuple(records), declared, frozenset({"RATE", "SENSITIVE_ACTION"}), frozenset({"NEW_API"}),
        owner=stage.owner,
    )  # fmt: skip


def _weeks(stage: Stage, who: Worker) -> list[Record]:
    """As much of its work as a baseline needs to be sure."""
    return [who.work(time)[0] for time in stage.habit(stage.rng.randrange(45, 60), 2)]


def _alone(stage: Stage, who: Worker) -> dict[str, Any]:
    """Without peers: what two of them have is less new to it, and those are they that played before."""
    return owned(stage, who.uid, who.kind, **({} if stage.actor is not None else {"environment": stage.name()}))


SCENARIOS = (
    Scenario(
        "D4", "revived", "what slept for months is used", ("cloudtrail", "okta"), revived,
        references=("NHI1", "NHI7", "DE.CM-03", "T1078.004"),
    ),
    Scenario(
        "D5", "new-place", "a settled identity works from another place", ("cloudtrail", "kubernetes"), new_place,
        references=("NHI2", "DE.CM-09", "DE.AE-07", "T1078.004"),
    ),
    Scenario(
        "D9", "two-holders", "one credential, two holders at once", ("cloudtrail", "github"), two_holders,
        references=("NHI2", "NHI9", "ASI03", "DE.CM-09", "T1528", "T1550.001"),
    ),
    Scenario(
        "D20", "burst", "far more than ever, and sensitive", ("cloudtrail", "kubernetes", "github"), burst,
        references=("NHI5", "DE.CM-09", "DE.AE-02"),
    ),
)  # fmt: skip
