"""A state folder's own store as a source: tasks, calls and revocations become uses of agents and lives of call tokens.

Read page by page, oldest task first. A task that is not over, or has a call that is not, is told of again at the next run: events have ids,
so that what was told is told once. Principals stay in the store: the inventory is about identities that are no persons.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from licet.events import AccessLevel, LifecycleEvent
from licet.ingest.calls import NAME, TOKEN, Around, agent_named, digest_of, events_of, is_over
from licet.ingest.fields import apart, clean
from licet.ingest.recognised import Recognised
from licet.inventory.declared import agent_uid, credential_id
from licet.manifest import Manifest
from licet.records import MAX_ACTORS, Revocation, TaskRecord
from licet.store import Store
from licet.store.revoked import ENDED

_PAGE: Final = 200  # tasks
_GIVEN_UP: Final = 30 * 86_400.0  # seconds after which a task that nobody ended is waited for no longer
_FILE: Final = "licet.db"
NO_CALLS: Final[Mapping[str, Collection[str]]] = {}


@dataclass(frozen=True, slots=True)
class Behind:
    """What is behind a tool, by the manifest: its access, and the fingerprint and kind of its credential."""

    access: AccessLevel = ""
    credential: str = ""
    credential_kind: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """Beside the store: the environment that its guards run in, and what the manifest says of tools."""

    environment: str = ""
    tools: dict[str, Behind] = field(default_factory=dict)


class Page(NamedTuple):
    """A page of events, and from which time on (seconds since the epoch) the next run has to begin when this page is kept."""

    found: Recognised
    since: float


def setting_of(manifest: Manifest, fingerprint: Callable[[str], str], environment: str = "") -> Setting:
    """What a manifest says of the tools. A credential of which one id is declared is known by that, as other logs show it; else by name."""
    tools: dict[str, Behind] = {}
    for name, tool in manifest.tools.items():
        stated = manifest.credentials.get(tool.credential) if tool.credential else None
        if tool.credential and stated is not None:
            shown = stated.ids[0] if len(stated.ids) == 1 else credential_id(tool.credential)
            tools[name] = Behind(tool.access or "", fingerprint(shown), stated.kind or "")
        else:
            tools[name] = Behind(tool.access or "")
    return Setting(environment or manifest.environment or "", tools)


def pages(
    store: Store, fingerprint: Callable[[str], str], setting: Setting, *, since: float = 0.0, now: float,
    passed: Mapping[str, Collection[str]] = NO_CALLS,
) -> Iterator[Page]:  # fmt: skip
    """Everything from `since` on, and what was not over before it. The last page has the revocations.

    `passed`: digests of calls that are nobody's acts (drills), and whose those would be; a task that has no others is passed over, too.

    Raises:
        StoreError: the store cannot be read.
    """
    # The store pages behind a task: one that began just before is before all of that time.
    last = TaskRecord("", "", "", "", "", "", since, 0.0) if since else None
    waiting = float("inf")
    while True:
        tasks = store.tasks_after(last, _PAGE)
        found: list[Recognised] = []
        for task in tasks:
            told, over = _task(store, task, fingerprint, setting, now, passed=passed)
            found.append(told)
            if not over:
                waiting = min(waiting, task.started)
        if len(tasks) < _PAGE:
            found.append(Recognised(lifecycle=tuple(_revocations(store, fingerprint, setting, now))))
        newest = tasks[-1].started if tasks else since
        yield Page(_one(found), min(waiting, newest))
        if len(tasks) < _PAGE:
            return
        last = tasks[-1]


def _one(found: list[Recognised]) -> Recognised:
    return Recognised(tuple(use for each in found for use in each.uses), tuple(event for each in found for event in each.lifecycle))


def _task(
    store: Store, task: TaskRecord, fingerprint: Callable[[str], str], setting: Setting, now: float, *,
    passed: Mapping[str, Collection[str]],
) -> tuple[Recognised, bool]:  # fmt: skip
    """The events of a task and its calls, and whether all of it is over."""
    state, identity = task.state(now), agent_named(task.agent, fingerprint)
    started = LifecycleEvent(
        NAME, task.id, task.started, "job_started", identity, workload=task.id, account=setting.environment, place=f"{_FILE}:0"
    )
    lifecycle, over, chain = [started], state != "open", _chain(store, task)
    if task.ended is not None:
        lifecycle.append(started._replace(time=max(task.ended, task.started), kind="job_ended"))
    elif state == "over":  # nobody ended it: its time did
        lifecycle.append(started._replace(time=task.started + task.ttl + task.paused, kind="job_ended", reason="its time was over"))
    found = [Recognised(lifecycle=tuple(lifecycle))]
    calls = store.calls(task.id)
    left = [call for call in calls if not is_over(call) or identity not in passed.get(digest_of(call), ())] if passed else calls
    if calls and not left:
        return Recognised(), over
    for call in left:
        if not is_over(call):
            over = False
            continue
        behind = setting.tools.get(call.tool, Behind())
        around = Around(
            task.agent,
            chain,
            task.kind,
            setting.environment,
            behind.access,
            behind.credential,
            behind.credential_kind,
            f"{_FILE}:{call.seq}",
        )
        found.append(events_of(call, around, fingerprint))
    return _one(found), over or now - task.started > _GIVEN_UP


def _chain(store: Store, task: TaskRecord) -> tuple[str, ...]:
    """The agents that it acts for, the nearest first."""
    agents: list[str] = []
    above = task.parent
    while above and len(agents) < MAX_ACTORS:
        parent = store.task(above)
        if parent is None:
            break
        agents.append(parent.agent)
        above = parent.parent
    return tuple(agents)


def _revocations(store: Store, fingerprint: Callable[[str], str], setting: Setting, now: float) -> Iterator[LifecycleEvent]:
    """What somebody revoked. The entries that the end of a task makes say no more than that it ended."""
    for entry in store.revocations(now):
        kind, value = entry.mark
        named = apart(value, clean(value), fingerprint)
        base = LifecycleEvent(
            NAME, f"{kind}:{named}", entry.time, "revoked", by=clean(entry.by)[:200], account=setting.environment,
            reason=clean(entry.reason)[:500], place=f"{_FILE}:0",
        )  # fmt: skip
        if kind == "jti":
            yield base._replace(credential=fingerprint(value), credential_kind=TOKEN)
        elif kind == "key":
            yield base._replace(credential=fingerprint(value), credential_kind="signing_key")
        elif kind == "agent":
            yield base._replace(kind="suspended", identity=agent_uid(named))
        elif entry.reason != ENDED:
            yield from _of_task(store, entry, fingerprint, base)


def _of_task(store: Store, entry: Revocation, fingerprint: Callable[[str], str], base: LifecycleEvent) -> Iterator[LifecycleEvent]:
    """Revoking a task revokes the tokens of its calls that were not over then. The store knows a call's token when the call is over."""
    task = store.task(entry.mark[1])
    for call in store.calls(entry.mark[1]) if task is not None else ():
        if call.jti and call.started <= entry.time and (call.ended is None or call.ended > entry.time):
            yield base._replace(
                native_id=f"{base.native_id}/{call.id}", identity=agent_named(task.agent, fingerprint) if task else "",
                credential=fingerprint(call.jti), credential_kind=TOKEN,
            )  # fmt: skip
