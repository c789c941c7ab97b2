"""What nobody had to say who he is for: requests to a cluster without credentials that succeeded, or that
failed as only what was let in can fail: what is not found or exists already was looked for.

Whether a cluster is well, what it can do, who signs its tokens, and what a machine needs to join it, is public by its default rules.
https://kubernetes.io/docs/reference/access-authn-authz/rbac/#discovery-roles and .../authentication/#anonymous-requests
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from licet.events import UseEvent
from licet.inventory.life import let_in
from licet.monitor.detector import Called, Detector, State
from licet.monitor.detectors.purpose import is_for
from licet.monitor.saying import row, say
from licet.monitor.signal import Signal
from licet.monitor.world import World

_NOBODY: Final = "system:anonymous"
_PUBLIC: Final = frozenset({"healthz", "livez", "readyz", "version", "api", "apis", "openapi", "openid", ".well-known"})
"""How the addresses of health and discovery begin."""
_READS: Final = ("nonresource:get/", "nonresource:head/")
_TO_JOIN: Final = ("core:get/configmaps", "namespaces/kube-public/configmaps/cluster-info")
"""What `kubeadm` shows to everybody. https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/"""


class Anonymous(Detector):
    """ANONYMOUS_USE."""

    name = "anonymous"
    version = 2
    codes = ("ANONYMOUS_USE",)
    uses: Called = "always"

    def use(self, state: State, event: UseEvent, world: World) -> Iterable[Signal]:
        """Whether it is more than everybody may see."""
        if event.identity != _NOBODY or event.source != "kubernetes" or not let_in(event) or _is_public(event):
            return ()
        uses = world.identity(event.identity).declared.uses
        if uses and is_for(event.operation, uses):
            return ()
        where = f" in {event.account}" if event.account else ""
        done = event.outcome == "success"
        what = "did" if done else f"was let in ({event.error}) for"
        return say(
            state, "ANONYMOUS_USE", value=f"{event.operation}{where}{'' if done else ' let in'}", time=event.time, basis="catalogue",
            severity="high" if event.access == "read" else "critical",
            observed=f"{what} {event.operation}{f' on {event.resource}' if event.resource else ''}{where} without any credential"
            f"{f', from {event.ip}' if event.ip else ''}",
            expected="nothing but health and discovery for who does not say who he is", cited=[row(event, "use")],
        )  # fmt: skip


def _is_public(event: UseEvent) -> bool:
    if event.operation.startswith(_READS):
        return event.resource.strip("/").partition("/")[0] in _PUBLIC
    return (event.operation, event.resource) == _TO_JOIN
