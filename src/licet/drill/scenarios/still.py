"""What has ended, and opens doors still, as a probe finds before anybody else does."""

from __future__ import annotations

from licet.drill.natives import lifecycle, probe
from licet.drill.scenario import Play, Scenario
from licet.drill.scenarios.declaring import owned
from licet.drill.stage import DAY, HOUR, Stage


def still_authenticates(stage: Stage, source: str, twin: bool) -> Play:  # noqa: ARG001, FBT001 - of all plays
    """A credential was revoked or rotated, and the system takes the old version still. The twin's takes the new one only."""
    who = stage.actor.uid if stage.actor is not None else f"bot:{stage.name()}"
    old, new = f"key-{stage.uuid()}", f"key-{stage.uuid()}"
    first, second = stage.letters(32), stage.letters(32)
    issued, _ = lifecycle.told(stage, stage.before(60 * DAY, 40 * DAY), "issued", credential=old, identity=who)
    when, reason = stage.before(9 * DAY, 2 * HOUR), stage.rng.choice(("its owner left", "lease revoked", "found in a repository", ""))
    if stage.rng.random() < 0.5:
        end, end_id = lifecycle.told(stage, when, "revoked", credential=old, identity=who, reason=reason)
    else:
        end, end_id = lifecycle.told(stage, when, "rotated", credential=new, supersedes=old, identity=who)
    tried = probe.tried(stage.now + 1, old, first, second if twin else first)
    declared = {"identities": [owned(stage, who, "bot")], "credentials": [{"credential": old, "identity": who}]}
    if twin:
        return Play(who, old, (issued, end, tried), declared, differs="the system takes the new version only")
    return Play(
        who, old, (issued, end, tried), declared, frozenset({"PROBE_AUTHENTICATES"}), cites=(end_id,), owner=stage.owner,
    )  # fmt: skip


SCENARIOS = (
    Scenario(
        "D21", "still-authenticates", "an ended credential still authenticates", ("lifecycle",), still_authenticates,
        references=("NHI1", "NHI7", "ASI03", "PR.AA-01"),
    ),
)  # fmt: skip
