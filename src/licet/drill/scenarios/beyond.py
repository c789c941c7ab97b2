"""What was declared, of where and for what somebody works, and what is done beyond it."""

from __future__ import annotations

from licet.drill.natives import licet
from licet.drill.scenario import Play, Scenario
from licet.drill.scenarios.declaring import owned
from licet.drill.scenarios.workers import away, worker
from licet.drill.stage import Stage


def out_of_place(stage: Stage, source: str, twin: bool) -> Play:  # noqa: FBT001 - of all plays
    """Its networks and regions are declared, and it works from another. In the twin these are declared too. Clusters have no regions."""
    who, there = worker(stage, source), away(stage)
    records = [who.work(time)[0] for time in stage.habit(stage.rng.randrange(3, 6), 2)]
    use, use_id = who.work(stage.now + 1, away=there, live=True)
    regions = [stage.rng.choice(("eu-south-1", "eu-south-2", "eu-west-3")), *who.regions]
    if twin:
        regions.append(there.region)
    networks = [who.home, f"{there.address}/32"] if twin else [who.home]
    declared = {"identities": [owned(stage, who.uid, who.kind, networks=networks, **({"regions": regions} if who.regions else {}))]}
    if twin:
        return Play(who.uid, who.credential, (*records, use), declared, owner=stage.owner, differs="it is declared that it works there too")
    codes = {"OUT_OF_NETWORK_USE"}
    shows: tuple[str, ...] = (there.address, who.home)
    if who.regions:
        codes.add("OUT_OF_REGION_USE")
        shows += (there.region, *who.regions)
    return Play(
        who.uid, who.credential, (*records, use), declared, frozenset(codes), shows=shows, cites=(use_id,), owner=stage.owner,
    )  # fmt: skip


def new_tool(stage: Stage, source: str, twin: bool) -> Play:  # noqa: ARG001, FBT001
    """An agent calls, for weeks, the tools that it is for, and then one that it is not for. In the twin it is for that one too."""
    who, own, other = licet.agent(stage), [licet.tool(stage) for _ in range(stage.rng.randrange(2, 4))], licet.tool(stage)
    records = [
        licet.called(stage, who, time, stage.rng.choice(own), licet.token(stage))[0] for time in stage.habit(stage.rng.randrange(30, 45), 2)
    ]
    jti = licet.token(stage)
    live, live_id = licet.called(stage, who, stage.now + 1, other, jti, live=True)
    uses = [f"tool:{each}" for each in ([*own, other] if twin else own)]
    declared = {"identities": [owned(stage, who.uid, "ai_agent", uses=uses)]}
    if twin:
        return Play(who.uid, jti, (*records, live), declared, owner=stage.owner, differs="it is declared that it uses that tool")
    return Play(
        who.uid, jti, (*records, live), declared, frozenset({"OUT_OF_PURPOSE_USE"}), shows=(f"tool:{other}", *uses),
        cites=(live_id,), owner=stage.owner, signals=frozenset({"NEW_TOOL"}),
    )  # fmt: skip


SCENARIOS = (
    Scenario(
        "D26", "out-of-place", "an identity works from where it is not declared to", ("cloudtrail", "kubernetes"), out_of_place,
        references=("NHI2", "NHI5", "DE.CM-09", "DE.AE-07", "T1078.004", "T1535"),
    ),
    Scenario(
        "D27", "new-tool", "an agent calls a tool that it never used and is not for", ("licet",), new_tool,
        references=("ASI02", "NHI5", "DE.CM-09", "AML.T0053"),
    ),
)  # fmt: skip
