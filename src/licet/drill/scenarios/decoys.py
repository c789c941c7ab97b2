"""What lies there to be found, and is for nobody."""

from __future__ import annotations

from licet.drill.natives import cloudtrail, licet
from licet.drill.scenario import Play, Scenario
from licet.drill.scenarios.declaring import owned
from licet.drill.stage import Stage

_FIRST = ("sts:GetCallerIdentity", "s3:ListBuckets", "iam:ListUsers", "ec2:DescribeInstances", "secretsmanager:ListSecrets")


def canary(stage: Stage, source: str, twin: bool) -> Play:  # noqa: FBT001 - of all plays
    """A canary is touched. In the twin it is another credential of the same identity that is used."""
    return _token(stage, twin) if source == "licet" else _key(stage, twin)


def _key(stage: Stage, twin: bool) -> Play:  # noqa: FBT001
    """Somebody tries an access key that was laid out, with success or not."""
    who, bait, own = cloudtrail.user(stage), stage.access_key(), stage.access_key()
    operation, address, program = stage.rng.choice(_FIRST), stage.stranger(), stage.strange_program()
    error = stage.rng.choice(("", "AccessDenied"))
    used, used_id = cloudtrail.called(
        stage, who, stage.now + 1, operation, own if twin else bait, address=address, program=program, error=error, live=True
    )
    declared = {
        "identities": [owned(stage, who.uid, "service_account")],
        "credentials": [{"credential": bait, "identity": who.uid, "canary": True}],
    }
    if twin:
        return Play(who.uid, bait, (used,), declared, differs="it was another key of the user")
    return Play(
        who.uid, bait, (used,), declared, frozenset({"CANARY_TOUCHED"}), shows=(operation, address), cites=(used_id,), owner=stage.owner,
    )  # fmt: skip


def _token(stage: Stage, twin: bool) -> Play:  # noqa: FBT001
    """An agent calls a decoy tool with a call token that was laid out.

    What a tool has behind it stands in no span; the id of the token that was shown does.
    """
    who, tool, bait, own = licet.agent(stage), licet.tool(stage), licet.token(stage), licet.token(stage)
    used, used_id = licet.called(stage, who, stage.now + 1, tool, own if twin else bait, live=True)
    declared = {
        "identities": [owned(stage, who.uid, "ai_agent")], "credentials": [{"credential": bait, "identity": who.uid, "canary": True}],
    }  # fmt: skip
    if twin:
        return Play(who.uid, bait, (used,), declared, differs="it was a token of the agent's own")
    return Play(
        who.uid, bait, (used,), declared, frozenset({"CANARY_TOUCHED"}), shows=(f"tool:{tool}",), cites=(used_id,), owner=stage.owner,
    )  # fmt: skip


SCENARIOS = (
    Scenario(
        "D14", "canary", "a canary is touched", ("cloudtrail", "licet"), canary,
        references=("NHI2", "ASI10", "DE.CM-09", "T1552", "AML.T0055", "AML.T0083"),
    ),
)  # fmt: skip
