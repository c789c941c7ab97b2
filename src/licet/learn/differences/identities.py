"""What two manifests say of who acts, who answers, and what tools authenticate with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from licet.catalogue import CHECKS
from licet.clock import lasting
from licet.learn.differences.found import At, Difference, both, listed, shown
from licet.manifest.authority import Authority
from licet.manifest.models import Agent, Credential, Manifest, Owner


def identities(old: Manifest, new: Manifest) -> Iterator[Difference]:
    """Owners, agents, credentials, issuers and the authority."""
    for name in both(old.owners, new.owners):
        yield from At(("owners", name)).told(_line(old.owners.get(name)), _line(new.owners.get(name)), f"owner {shown(name)}")
    for name in both(old.agents, new.agents):
        yield from _agent(At(("agents", name)), name, old, new)
    for name in both(old.credentials, new.credentials):
        yield from _credential(At(("credentials", name)), name, old, new)
    for name in both(old.issuers, new.issuers):
        yield from _issuer(At(("issuers", name)), name, old, new)
    yield from _authority(At(("authority",)), old.authority, new.authority)


def world(old: Manifest, new: Manifest) -> Iterator[Difference]:
    """What holds for the whole manifest: its environment, the edges between environments, its ledger."""
    yield from At(("environment",)).other(old.environment, new.environment, "the environment")
    for here, there in dict.fromkeys([*new.edges, *old.edges]):
        was, now = ((here, there) in manifest.allowed_edges for manifest in (old, new))
        sentence = f"{shown(here)} may {'' if now else 'no longer '}reach {shown(there)}"
        yield from At(("edges", f"{here} -> {there}")).weighed(was, now, sentence)
    if old.environments != new.environments:
        yield At(("environments",)).changed("what an environment is in logs is otherwise", decides=False)
    if old.monitoring != new.monitoring:
        yield _monitoring(old, new)
    for word in type(old.ledger).model_fields:
        before, after = getattr(old.ledger, word), getattr(new.ledger, word)
        if before != after:
            yield At(("ledger", word)).changed(f"`{word}` of the ledger is otherwise", decides=False)


def _monitoring(old: Manifest, new: Manifest) -> Difference:
    """What is never closed is as wide as can be."""
    before, after = (each.monitoring.fail_closed_after if each.monitoring else None for each in (old, new))
    at = At(("monitoring",))
    if after is None:
        return at.widened("tools that write or leave run on, for however long the monitoring is blind")
    sentence = f"tools that write or leave are denied once the monitoring has been blind for {lasting(after.total_seconds())}"
    return at.narrowed(sentence) if before is None or after < before else at.widened(sentence)


def _line(owner: Owner | None) -> str | None:
    return None if owner is None else f"{owner.name}, {owner.contact}"


def _agent(at: At, name: str, old: Manifest, new: Manifest) -> Iterator[Difference]:
    before, after = old.agents.get(name), new.agents.get(name)
    who = f"agent {shown(name)}"
    if before is None or after is None:
        if after is not None:
            yield at.widened(f"{who} is declared, for {listed(after.tasks)}")
        elif before is not None:
            yield at.narrowed(f"{who} is no longer declared; it was for {listed(before.tasks)}")
        return
    for kind in both(before.tasks, after.tasks):
        was, now = kind in before.tasks, kind in after.tasks
        sentence = f"{who} may {'' if now else 'no longer '}be used for {shown(kind)}"
        yield from at.under("tasks", kind=kind).weighed(was, now, sentence)
    for other in both(before.may_delegate_to, after.may_delegate_to):
        was, now = other in before.may_delegate_to, other in after.may_delegate_to
        yield from at.under("may_delegate_to").weighed(was, now, f"{who} may {'' if now else 'no longer '}delegate to {shown(other)}")
    for issuer in both(before.proved_by, after.proved_by):
        was_by, is_by = before.proved_by.get(issuer), after.proved_by.get(issuer)
        place = at.under("proved_by", issuer)
        if was_by is None or is_by is None:
            known = "is" if is_by is not None else "is no longer"
            yield from place.weighed(was_by is not None, is_by is not None, f"{who} {known} proved by a subject of {shown(issuer)}")
        else:
            yield from place.other(was_by, is_by, f"the subject of {who} at {shown(issuer)}")
    yield from at.under("environment").other(old.environment_of(before), new.environment_of(after), f"the environment of {who}")
    yield from at.under("model").other(before.model, after.model, f"the model of {who}")
    yield from _owner(at.under("owner"), who, before, after, decides=_stops("identity.unowned", old, new))
    yield from at.under("purpose").told(before.purpose, after.purpose, f"the purpose of {who}")
    yield from _watched(at, who, before, after, ("identities", "uses", "regions", "networks"))


def _owner(at: At, what: str, old: Agent | Credential, new: Agent | Credential, *, decides: bool) -> Iterator[Difference]:
    if old.owner is None or new.owner is None:
        sentence = f"{what} {'has' if new.owner is not None else 'no longer has'} an owner"
        # Where nobody answers, less may be allowed.
        yield from at.weighed(old.owner is not None, new.owner is not None, sentence, decides=decides)
    else:
        yield from at.told(old.owner, new.owner, f"the owner of {what}")


def _stops(check: str, *manifests: Manifest) -> bool:
    """Whether a check of which the own effect is a flag may stop a call in one of the manifests."""
    tables = [table for manifest in manifests for table in (manifest.checks, *(task.checks for task in manifest.tasks.values()))]
    said = [table.get(check) for table in tables]
    return CHECKS[check].effect != "flag" or any(settings is not None and settings.then in ("ask", "deny") for settings in said)


def _credential(at: At, name: str, old: Manifest, new: Manifest) -> Iterator[Difference]:
    before, after = old.credentials.get(name), new.credentials.get(name)
    what = f"credential {shown(name)}"
    if before is None or after is None:
        yield at.changed(f"{what} is {'declared' if before is None else 'no longer declared'}", decides=False)  # tools name what they use
        return
    unowned = _stops("credential.unowned", old, new) or "prod" in (old.environment_of(before), new.environment_of(after))
    stale = _stops("credential.stale", old, new)
    yield from _owner(at.under("owner"), what, before, after, decides=unowned)
    yield from at.under("environment").other(old.environment_of(before), new.environment_of(after), f"the environment of {what}")
    for word, said in (("expires", "is fit to be used until"), ("revoked", "is revoked on")):
        was, now = getattr(before, word), getattr(after, word)
        sentence = f"{what} {said} {now or 'no day'}, was {was or 'no day'}"
        yield from at.under(word).weighed(was or date.max, now or date.max, sentence)
    for word in ("issued", "rotated"):
        was, now = getattr(before, word), getattr(after, word)
        told = f"{what} was {word} on {now or 'no known day'}, before on {was or 'no known day'}"
        yield from at.under(word).weighed(was or date.min, now or date.min, told, decides=stale)
    if before.rotate_every != after.rotate_every:
        longer = after.rotate_every is None or (before.rotate_every is not None and after.rotate_every > before.rotate_every)
        place, sentence = at.under("rotate_every"), f"{what} is to be rotated {'less' if longer else 'more'} often"
        yield (place.widened if longer else place.narrowed)(sentence, decides=stale)
    yield from _watched(at, what, before, after, ("ids", "uses", "regions", "networks", "canary", "probe"))
    for word in ("kind", "purpose"):
        yield from at.under(word).told(getattr(before, word), getattr(after, word), f"the {word} of {what}")


def _watched(at: At, what: str, old: Agent | Credential, new: Agent | Credential, words: tuple[str, ...]) -> Iterator[Difference]:
    """What only the monitor looks at: it decides no call."""
    for word in words:
        if getattr(old, word) != getattr(new, word):
            yield at.under(word).changed(f"what the monitor knows of {what} is otherwise: `{word}`", decides=False)


def _issuer(at: At, name: str, old: Manifest, new: Manifest) -> Iterator[Difference]:
    before, after = old.issuers.get(name), new.issuers.get(name)
    who = f"issuer {shown(name)}"
    if before is None or after is None:
        known = "is" if after is not None else "is no longer"
        yield from at.weighed(before is not None, after is not None, f"{who} {known} trusted")
        return
    for word in type(after).model_fields:
        yield from at.under(word).other(getattr(before, word), getattr(after, word), f"`{word}` of {who}")


def _authority(at: At, old: Authority | None, new: Authority | None) -> Iterator[Difference]:
    if old is None or new is None:
        yield from at.weighed(old is not None, new is not None, f"there is {'a' if new is not None else 'no'} token authority")
        return
    yield from at.under("issuer").other(old.issuer, new.issuer, "the name of the token authority")
    for audience in both(old.federation, new.federation):
        was, now = audience in old.federation, audience in new.federation
        sentence = f"tokens {'may' if now else 'may no longer'} be made for {shown(audience)}"
        yield from at.under("federation").weighed(was, now, sentence)
    for name in both(old.clients, new.clients):
        place, before, after = at.under("clients", name), old.clients.get(name), new.clients.get(name)
        if before is None or after is None:
            known = "is" if after is not None else "is no longer"
            yield from place.weighed(before is not None, after is not None, f"client {shown(name)} {known} known to the authority")
            continue
        for agent in both(before.agents, after.agents):
            was, now = agent in before.agents, agent in after.agents
            sentence = f"client {shown(name)} may {'' if now else 'no longer '}act as {shown(agent)}"
            yield from place.under("agents").weighed(was, now, sentence)
        for word in ("jwks_uri", "jwks_file", "algorithms"):
            yield from place.under(word).other(getattr(before, word), getattr(after, word), f"`{word}` of client {shown(name)}")
