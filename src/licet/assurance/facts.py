"""What is known of a state when the report is made: plain records, which know no file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from licet.drill.audit import Audit
from licet.drill.score import Scorecard
from licet.records import Finding


class Listed(NamedTuple):
    """A finding that still stands, and how.

    Attributes:
        status: `open`, `acknowledged` or `suppressed`.
        codes: its reason codes; of the guard's the check.
        identity: whom it is about; empty: nobody in particular.
    """

    finding: Finding
    status: str
    codes: tuple[str, ...]
    identity: str


class Sighting(NamedTuple):
    """How often a code or a check was seen.

    Attributes:
        name: of the code or check.
        findings, signals: how many there are.
        newest: the id of the newest of them, a finding's if there is one.
        time: when that was (seconds since the epoch).
        ledger: the number of the ledger's record that it is about; 0: it is about none.
    """

    name: str
    findings: int = 0
    signals: int = 0
    newest: str = ""
    time: float = 0.0
    ledger: int = 0


class Ledger(NamedTuple):
    """The ledger, held against its key.

    Attributes:
        checkpoint: the newest signed note; empty: there is none.
        origin, size, root: what that says: the log's name, how many records, their root hash (Base64).
        records: how many stand there; `kinds`: of each kind.
        wrong: what does not hold, a sentence each; empty: it is whole.
        acts: by agent and kind, how many of these are of its calls and tasks; of the kind `proved`, tasks in which somebody was proved.
    """

    checkpoint: str = ""
    origin: str = ""
    size: int = 0
    root: str = ""
    records: int = 0
    kinds: Mapping[str, int] = {}
    wrong: tuple[str, ...] = ()
    acts: Mapping[tuple[str, str], int] = {}


class State(NamedTuple):
    """The inventory in numbers.

    Attributes:
        as_of: the latest event of any source (seconds since the epoch); 0: there is none.
        identities, machines, active, unknown: all; machines'; those of them that were active in the 90 days before; of unknown kind.
        owned: active machines' with an owner confirmed in the last 90 days; `unowned`: machines' of which nobody was said to be the owner.
        stale, shared: not used for 90 days, or with a credential at rest; using a credential that others use too.
        kinds, platforms, owners: by kind; by the source that knows them; by owner, as he is called.
        credentials: by status.
        uses: of all identities.
    """

    as_of: float = 0.0
    identities: int = 0
    machines: int = 0
    active: int = 0
    unknown: int = 0
    owned: int = 0
    unowned: int = 0
    stale: int = 0
    shared: int = 0
    kinds: Mapping[str, int] = {}
    platforms: Mapping[str, int] = {}
    owners: Mapping[str, int] = {}
    credentials: Mapping[str, int] = {}
    uses: int = 0


class Drifted(NamedTuple):
    """The three numbers of one identity's privilege drift (`licet.inventory.privileges`), and how many permissions could go.

    Attributes:
        used, granted: permissions that were used, of those of which it can be told.
        added: those that came in the window and were never used.
        outside: operations outside the declared purpose.
    """

    identity: str
    used: int
    granted: int
    added: int
    outside: int
    proposals: int


class Facts(NamedTuple):
    """All of it.

    Attributes:
        now: when the report is made (seconds since the epoch).
        seen, declared: by the name of a behaviour (`licet.assurance.mapping.BEHAVIOURS`), how often.
        codes, checks: by name, what was seen; what is withdrawn, drills' findings among it, is not in it.
        audit: the drills of the last days, held against the ledger; None: there is no book of drills, or it cannot be held against it.
        card: the scorecard; None: there is none.
        doubt: why nothing can be said of the drills that there were; empty: it can, or there were none.
        manifest: the digest of the manifest that was given; empty: none was.
    """

    now: float
    state: State = State()
    findings: Sequence[Listed] = ()
    drifts: Sequence[Drifted] = ()
    seen: Mapping[str, int] = {}
    declared: Mapping[str, int] = {}
    codes: Mapping[str, Sighting] = {}
    checks: Mapping[str, Sighting] = {}
    audit: Audit | None = None
    card: Scorecard | None = None
    doubt: str = ""
    ledger: Ledger = Ledger()
    manifest: str = ""
