"""What a manifest declares that an entry of a catalogue needs, in numbers."""

from __future__ import annotations

from licet.manifest import Manifest
from licet.manifest.models import Agent, Credential


def manifested(manifest: Manifest) -> dict[str, int]:
    """By the name of a behaviour (`licet.assurance.mapping.BEHAVIOURS`), how often it is declared."""
    agents, credentials, tools = manifest.agents.values(), manifest.credentials.values(), manifest.tools.values()
    kinds = manifest.tasks.values()
    watched: tuple[Agent | Credential, ...] = (*agents, *credentials)
    arguments = [each for tool in tools for each in tool.arguments.values()]
    arguments += [each for kind in kinds for grant in kind.tools.values() for each in grant.arguments.values()]
    found = {
        "identities": len(manifest.agents),
        "agents": len(manifest.agents),
        "agents_owned": sum(each.owner is not None for each in agents),
        "owned": sum(each.owner is not None for each in watched),
        "ends": sum(bool(each.expires or each.rotate_every or each.revoked) for each in credentials),
        "pinned": sum(each.definition is not None for each in tools),
        "environments": len(manifest.environments),
        "purposes": sum(bool(each.uses or each.purpose) for each in watched),
        "places": sum(bool(each.networks or each.regions) for each in watched),
        "canaries": sum(each.canary for each in credentials),
        "kinds": len(manifest.agents),
        "issuers": len(manifest.issuers),
        "calls": len(manifest.tasks),
        "asked": sum(grant.ask for kind in kinds for grant in kind.tools.values()),
        "origins": sum(each.origin is not None or each.content for each in arguments) + len(manifest.flows),
        "delegations": sum(bool(each.may_delegate_to) for each in agents),
        "budgets": sum(len(kind.budgets) + sum(grant.at_most is not None for grant in kind.tools.values()) for kind in kinds),
        "baselines": sum(kind.baseline is not None for kind in kinds),
    }
    return {name: number for name, number in found.items() if number}
