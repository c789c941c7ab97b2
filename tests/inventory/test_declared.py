"""What a manifest declares of identities and credentials, as the inventory keeps it."""

from __future__ import annotations

from pathlib import Path

import pytest

from licet.errors import ManifestError
from licet.events import LifecycleEvent, UseEvent
from licet.inventory.declared import agent_uid, credential_id, declarations
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.life import status_at
from licet.inventory.model import Owner, Ownership
from licet.inventory.store import Inventory
from licet.manifest import loads

NOW = 1_790_000_000.0  # 2026-09-21
TEXT = """
licet: 1
environment: prod
environments: {prod: {accounts: ["111122223333", eks-prod]}, stage: {accounts: ["444455556666"]}}
edges: [stage -> prod]
owners: {ops: {name: Operations, contact: ops@acme.example}}
agents:
  bot: {owner: ops, tasks: [work], identities: ["arn:aws:iam::111122223333:role/bot"], uses: ["s3:GetObject"], regions: [eu-west-1]}
credentials:
  crm: {owner: ops, kind: api-key, ids: [AKIAIOSFODNN7EXAMPLE], issued: 2026-01-01, expires: 2026-09-01, networks: [192.0.2.0/24], canary: true}
tools: {look: {access: read, egress: false, credential: crm}}
tasks: {work: {intent: Work, ttl: 10m, tools: {look: {}}}}
"""


def test_agents_faces_credentials_and_owners_stand_in_the_inventory(tmp_path: Path) -> None:
    """An agent's names in logs are faces of it, a credential is found by its id and by its name, and each has its owner."""
    fingerprint = Fingerprints(bytes(32)).of
    inventory = Inventory(tmp_path / "inventory.db")
    inventory.declare(**declarations(loads(TEXT, now=NOW), fingerprint, NOW)._asdict())
    face = inventory.identity("arn:aws:iam::111122223333:role/bot")
    assert face is not None
    assert (face.same_as, face.same_confidence, face.declared.uses) == (agent_uid("bot"), 1.0, ("s3:GetObject",))
    owner = inventory.owner_of(face.uid)
    assert owner is not None
    assert (owner[0].contact, owner[1].source) == ("ops@acme.example", "manifest")
    for shown in ("AKIAIOSFODNN7EXAMPLE", credential_id("crm")):
        credential, _ = inventory.life(fingerprint(shown)) or pytest.fail(shown)
        assert (credential.name, credential.canary, credential.declared.networks) == ("crm", True, ("192.0.2.0/24",))
        assert (status_at(credential, NOW), status_at(credential, NOW - 30 * 86_400)) == ("expired", "active")
        assert inventory.owner_of(credential.uid) is not None
    assert {each.uid: each.accounts for each in inventory.environments()} == {
        "prod": ("111122223333", "eks-prod"),
        "stage": ("444455556666",),
    }
    assert inventory.edges() == {("stage", "prod")}
    inventory.close()


def test_what_is_declared_anew_takes_the_place_of_what_was(tmp_path: Path) -> None:
    """A later day of expiry is the one that holds, and declaring twice changes nothing."""
    fingerprint, inventory = Fingerprints(bytes(32)).of, Inventory(tmp_path / "inventory.db")
    for expires in ("2026-09-01", "2027-09-01", "2027-09-01"):
        manifest = loads(TEXT.replace("expires: 2026-09-01", f"expires: {expires}"), now=NOW)
        inventory.declare(**declarations(manifest, fingerprint, NOW)._asdict())
    credential, events = inventory.life(fingerprint("AKIAIOSFODNN7EXAMPLE")) or pytest.fail("gone")
    assert (status_at(credential, NOW), len(events)) == ("active", 1)
    inventory.close()


@pytest.mark.parametrize(
    "old,new,key,message",
    [
        ("AKIAIOSFODNN7EXAMPLE", "ghp_0123456789abcdef", "credentials.crm.ids.0", "the secret itself"),
        ("192.0.2.0/24", "0.0.0.0/0", "credentials.crm.networks", "every address"),
        ("192.0.2.0/24", "somewhere", "credentials.crm.networks", "is no network"),
        ('uses: ["s3:GetObject"]', 'uses: ["*"]', "agents.bot.uses.0", ""),
        ('["444455556666"]', '["111122223333"]', "environments.stage.accounts.0", "`prod` already"),
        ('accounts: ["444455556666"]', "accounts: []", "environments.stage.accounts", ""),
    ],
)
def test_what_cannot_be_held_against_logs_is_an_error_that_names_the_key(old: str, new: str, key: str, message: str) -> None:
    """A secret in place of its id, a network that is every address, an account of two environments."""
    with pytest.raises(ManifestError) as caught:
        loads(TEXT.replace(old, new), now=NOW)
    (problem,) = caught.value.problems
    assert (problem.key, message in problem.message) == (key, True)


def test_who_is_declared_again_as_before_is_not_judged_again(tmp_path: Path) -> None:
    """A manifest is declared before every run; only what it says otherwise than before is a reason to judge anybody anew."""
    inventory = Inventory(tmp_path / "inventory.db")

    def judged_after(text: str, now: float = NOW) -> set[str]:
        with inventory.step() as db:
            db.execute("DELETE FROM dirty")
        inventory.declare(**declarations(loads(text, now=now), Fingerprints(bytes(32)).of, now)._asdict())
        return {uid for uid, _ in inventory.dirty()}

    face, agent = "arn:aws:iam::111122223333:role/bot", agent_uid("bot")
    assert judged_after(TEXT) == {face, agent}
    assert judged_after(TEXT, NOW + 60.0) == set()
    assert (found := inventory.owner_of(face)) is not None
    assert found[1].time == NOW + 60.0  # the owner was confirmed anew
    assert judged_after(TEXT.replace("agents:\n  bot: {owner: ops", "agents:\n  bot: {owner: ops, purpose: More")) == {face, agent}
    assert judged_after(TEXT.replace("stage -> prod", "prod -> stage")) == {face, agent}
    inventory.close()


def test_an_owner_of_whom_less_is_said_keeps_what_was_said(tmp_path: Path) -> None:
    inventory = Inventory(tmp_path / "inventory.db")
    inventory.declare(owners=[Owner("ops", "Operations", "ops@acme.example")], ownerships=[Ownership("bot", "ops", "imported", 0.8, NOW)])
    inventory.declare(owners=[Owner("ops", contact="new@acme.example")])
    assert (found := inventory.owner_of("bot")) is not None
    assert (found[0].name, found[0].contact) == ("Operations", "new@acme.example")
    inventory.close()


def test_who_was_spoken_of_first_and_acts_then_is_known_by_what_it_does(tmp_path: Path) -> None:
    """Its kind, name and place, whichever of the two comes first, in one run as in two."""
    made = LifecycleEvent("cloudtrail", "1", NOW, "granted", "bot", privilege="s3:*")
    use = UseEvent("cloudtrail", "2", NOW, "bot", "s3:ListBuckets", identity_kind="role", identity_name="Bot", account="1", place="x:1")
    inventory = Inventory(tmp_path / "inventory.db")
    inventory.keep([], [made])
    inventory.keep([use._replace(digest="00")])
    assert (found := inventory.identity("bot")) is not None
    assert (found.kind, found.name, found.source, found.account) == ("role", "Bot", "cloudtrail", "1")
    inventory.close()
