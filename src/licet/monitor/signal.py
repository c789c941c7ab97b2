"""What a detector sees: a reason code with what was observed, what was expected, on what basis, and the events that show it."""

from __future__ import annotations

import hashlib
import json
from typing import Literal, NamedTuple

from licet.records import Severity

Basis = Literal["declared", "lifecycle", "baseline", "peer", "catalogue"]
"""Why something was expected: somebody declared it, what happened to the credential says so, it was always so, it is so with its peers, or
it is known of the operation itself."""


class Cited(NamedTuple):
    """An event that a signal stands on. Without what is cited there is no signal; with nothing else there is.

    Attributes:
        uid: `UseEvent.uid` or `LifecycleEvent.uid`; of a learned baseline `baseline/` and its digest.
        role: what it shows, in a word or two: `use`, `revocation`, `the use before`.
        identity: in whose history it stands.
        time: seconds since the epoch.
        body: of a baseline, what it held, as JSON, so that it can be judged by without the events that it was learned from.
    """

    uid: str
    role: str
    identity: str
    time: float
    body: str = ""


class Signal(NamedTuple):
    """One thing that a detector saw.

    Attributes:
        code: of `licet.monitor.codes`.
        alert: a fact of lifecycle or declaration, that is a finding by itself; else it only has `points`.
        value: what it is about, so that the same thing again is one signal: with code, identity and credential it makes the id.
        since: since when what was expected held (seconds since the epoch); 0: not known.
        sample: on how many events the expectation rests; 0: on a declaration.
        counter: what speaks against it, a sentence each.
        action: what to do, a sentence.
        more: how often it was seen again after all that is cited, and `last` when; 0: not.
        begun: of what alerted from the first, when it began, where the same may be said again after a silence: then that is another.
    """

    code: str
    alert: bool
    points: float
    severity: Severity
    time: float
    identity: str
    credential: str
    value: str
    observed: str
    expected: str
    basis: Basis
    evidence: tuple[Cited, ...]
    since: float = 0.0
    sample: int = 0
    counter: tuple[str, ...] = ()
    action: str = ""
    last: float = 0.0
    more: int = 0
    begun: float = 0.0

    @property
    def id(self) -> str:
        """The same for the same thing, in every run and process."""
        said = [self.identity, self.code, self.credential, self.value, *((self.begun,) if self.begun else ())]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:24]

    @property
    def about(self) -> str:
        """What it is about, whenever it began: the same for the same code, credential and value."""
        said = json.dumps([self.identity, self.code, self.credential, self.value])
        return hashlib.sha256(said.encode()).hexdigest()[:16]
