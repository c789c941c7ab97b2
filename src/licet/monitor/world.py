"""What is declared, and known of others, while one identity is judged. It does not change meanwhile, and holds no events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from licet.inventory.model import Credential, Identity, Owner, Ownership

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set, in seconds where nothing else is said. The defaults are those of the field (docs/monitor.md names their sources).

    Attributes:
        grace: after an end, within which a use still counts as in time: clock skew and the source's lag.
        window: without use for longer, an identity or credential is dormant.
        longest_gap: times the longest gap so far, that one must be idle to be dormant: rare jobs are not.
        holders: within which two holders of one credential are two at once.
        mature_age, mature_days, mature_events: what a baseline needs before anything is new to it.
        points, half_life, kinds: with how many points of how many kinds of signals a finding begins.
    """

    grace: float = 300.0
    window: float = 90 * DAY
    longest_gap: float = 3.0
    holders: float = 1_800.0
    mature_age: float = 7 * DAY
    mature_days: int = 3
    mature_events: int = 20
    points: float = 100.0
    half_life: float = DAY
    kinds: int = 2


class World(Protocol):
    """What detectors may ask. Nothing is asked of events that are not their own identity's.

    Attributes:
        owners: whether anybody was ever named as the owner of anything.
    """

    settings: Settings
    now: float
    owners: bool

    def identity(self, uid: str) -> Identity:
        """An identity as it was declared, with what it has of the one that it is a face of; one that nobody knows has no declarations."""

    def credential(self, uid: str) -> Credential:
        """A credential as it was declared: its purpose, regions, networks, whether it is a canary. Not its life: that comes as events."""

    def owner(self, uid: str) -> tuple[Owner, Ownership] | None:
        """Who answers for an identity."""

    def environment(self, account: str) -> str:
        """The environment of an account, cluster, organisation or tenant; empty if none was declared."""

    def edge(self, origin: str, target: str) -> bool:
        """Whether one may go from one environment into another."""

    def peers_with(self, uid: str, code: str, value: str, before: float) -> int:
        """How many peers (same owner, kind and environment) had what a signal with this code tells of, before a time. Detectors do not ask
        it: what one identity's events say depends on nobody else's."""
