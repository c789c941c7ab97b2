"""`licet bypass`: where both sides are read from."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from licet import lines
from licet.bypass.looks import Look, Told, looks_of_ledger, looks_of_store, together
from licet.bypass.matching import Keyed
from licet.bypass.ran import Running, ran_in
from licet.bypass.used import Used, used
from licet.bypass.verified import Accepted, Call, Verified, accepted_in, spent, verified
from licet.cli import output
from licet.cli.ingest_opened import opened
from licet.cli.state import existing
from licet.clock import SystemClock
from licet.errors import UsageError
from licet.events import UseEvent
from licet.guard.state import KEYS, SECRET_FILE, STORE, StateFolder, default_state, secret
from licet.inventory.declared import credential_id
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.store import FILE, Inventory
from licet.ledger import LedgerFiles
from licet.manifest import Manifest, load
from licet.pseudonym import Pseudonyms
from licet.store import SqliteStore
from licet.telemetry.otlp import BadSpan
from licet.traces import spans_from

_NOT_RUN = ("denied", "asked")


@dataclass
class Heard:
    """What spans told: the calls that ran, and what the guard's own spans say. Times are seconds since the epoch."""

    running: Running
    told: list[Look]

    @property
    def since(self) -> float:
        """When the first of it began."""
        return min((ran.started for ran in self.running.calls), default=0.0)

    @property
    def until(self) -> float:
        """When the last of it was over."""
        return max((ran.ended for ran in self.running.calls), default=0.0)


def heard(sources: Sequence[str]) -> Heard:
    """All spans of the sources, read once.

    Raises:
        UsageError: one cannot be opened.
    """
    told = Told()
    running = ran_in(told.passing(span for source in sources for span in spans_from(source)))
    return Heard(running, told.looks())


@dataclass
class Guards:
    """The guard's side: its state folder, where there is one, and the manifest."""

    folder: StateFolder | None = None
    store: SqliteStore | None = None
    manifest: Manifest | None = None
    fingerprints: Fingerprints | None = None
    keyed: Keyed | None = None

    @classmethod
    def opened(cls, options: argparse.Namespace, stack: ExitStack) -> Guards:
        """The state folder that is named must be there; the default one may be missing, and then spans are all that is known of the guard.

        Raises:
            UsageError: it is not, or the manifest cannot be opened.
            ManifestError: the manifest cannot be used.
        """
        found, there = cls(), (default_state() / STORE).exists()
        path = options.manifest or ("licet.yaml" if Path("licet.yaml").exists() else None)
        found.manifest = load(path) if path is not None else None
        if options.state is not None or there:
            found.folder = existing(options, "store")
            found.store = SqliteStore(found.folder.store, reading=True)
            stack.callback(found.store.close)
            if (found.folder.path / KEYS / SECRET_FILE).exists():
                key = secret(found.folder)
                found.fingerprints, found.keyed = Fingerprints(key), Pseudonyms(key).digest
        return found

    @property
    def declared(self) -> set[str] | None:
        """The tools of the manifest."""
        return set(self.manifest.tools) if self.manifest is not None else None

    @property
    def has_ledger(self) -> bool:
        """Whether there is a ledger beside the store."""
        return self.folder is not None and self.folder.ledger.exists()

    def looks(self, since: float, until: float, told: Sequence[Look], *, deep: bool = False) -> list[Look]:
        """What the guard saw between two times (seconds since the epoch). `deep`: the ledger is read too.

        Raises:
            StoreError, LedgerError: it cannot be read.
        """
        own = looks_of_store(self.store, since, until) if self.store is not None else ()
        kept: Iterator[Look] = iter(())
        if deep and self.folder is not None and self.has_ledger:
            kept = looks_of_ledger(LedgerFiles(self.folder.ledger).records(), since, until)
        return together(own, kept, told)

    def calls_with(self, jtis: Sequence[str], told: Sequence[Look]) -> dict[str, Call]:
        """The calls that were given these tokens; the ledger is asked for those that the store does not know."""
        found = {look.jti: Call(look.tool, look.task, look.ran) for look in told if look.jti}
        if self.store is not None:
            found |= {jti: Call(tool, task, status not in _NOT_RUN) for jti, tool, task, status in self.store.calls_with(jtis)}
        if self.folder is not None and self.has_ledger and not found.keys() >= set(jtis):
            for look in looks_of_ledger(LedgerFiles(self.folder.ledger).records(), 0.0, float("inf")):
                if look.jti:
                    found.setdefault(look.jti, Call(look.tool, look.task, look.ran))
        return found


@dataclass
class AcceptedTokens:
    """What came of `--verified`."""

    found: Verified
    bad: list[BadSpan] = field(default_factory=list)


def accepted_of(names: Sequence[str], guards: Guards, spans: Heard | None) -> AcceptedTokens:
    """Tokens that were accepted, held against the guard's calls.

    Raises:
        UsageError: a name is neither a file nor a state folder.
    """
    accepted, bad = list[Accepted](), list[BadSpan]()
    for name in names:
        for each in _accepted(name):
            if isinstance(each, BadSpan):
                bad.append(each)
            else:
                accepted.append(each)
    calls = guards.calls_with(sorted({each.jti for each in accepted}), spans.told if spans is not None else ())
    return AcceptedTokens(verified(accepted, calls.get), bad)


def _accepted(name: str) -> Iterator[Accepted | BadSpan]:
    if Path(name).is_dir():
        file = Path(name) / STORE
        if not file.exists():
            raise UsageError(f"{file}: is not there; name the state folder that the Verifier uses, or a file of what it accepted")
        with closing(SqliteStore(file, reading=True)) as store:
            yield from spent(store.spent(), str(file))
        return
    with lines.opened(name) as raw:
        yield from accepted_in(lines.lines_of(raw), name)


def used_of(options: argparse.Namespace, guards: Guards, spans: Heard | None, late: float) -> Used:
    """Uses of the tools' credentials in logs, held against the guard's calls.

    Raises:
        UsageError: there is no manifest that says which tool has which credential, or a log cannot be read.
    """
    if guards.manifest is None:
        raise UsageError("which tool authenticates with which credential stands in the manifest; name it with `-m`")
    fingerprints = guards.fingerprints or Fingerprints(b"of one run")
    credentials, faces = _behind(guards.manifest, fingerprints)
    if not credentials and not faces:
        raise UsageError("no tool of the manifest has a `credential`, and no agent `identities`: logs cannot be told apart")
    with ExitStack() as stack:
        uses = list[UseEvent]()
        if options.inventory:
            if guards.folder is None or not (guards.folder.path / FILE).exists():
                raise UsageError("there is no inventory in the state folder; `licet ingest` makes it, or name logs with `--log`")
            inventory = stack.enter_context(closing(Inventory(guards.folder.path / FILE, reading=True)))
            uses += _uses(inventory, set(credentials), set(faces))
        if options.log:
            inventory = stack.enter_context(closing(_of_logs(options.log, fingerprints, stack)))
            uses += _uses(inventory, set(credentials), set(faces))
    one_each = {use.uid: use for use in uses}.values()
    since = min((use.time for use in one_each), default=0.0) - late
    until = max((use.time for use in one_each), default=0.0) + late
    looks = guards.looks(since, until, spans.told if spans is not None else (), deep=True)
    first = [look.started for look in looks[:1]]
    if guards.store is not None:
        first += [task.started for task in guards.store.tasks_after(None, 1)]
    return used(
        sorted(one_each, key=lambda use: (use.time, use.uid)), looks, credentials, faces, since=min(first, default=float("inf")), late=late
    )


def _behind(manifest: Manifest, fingerprints: Fingerprints) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """By fingerprint of a credential, and by identity as logs name an agent: the tools that act by it."""
    credentials: dict[str, list[str]] = {}
    for name, tool in manifest.tools.items():
        stated = manifest.credentials.get(tool.credential) if tool.credential else None
        if tool.credential and stated is not None:
            for shown in (credential_id(tool.credential), *stated.ids):
                credentials.setdefault(fingerprints.of(shown), []).append(name)
    faces: dict[str, list[str]] = {}
    for agent in manifest.agents.values():
        granted = dict.fromkeys(tool for kind in agent.tasks if kind in manifest.tasks for tool in manifest.tasks[kind].tools)
        with_one = [tool for tool in granted if tool in manifest.tools and manifest.tools[tool].credential]
        for face in agent.identities:
            faces.setdefault(face, []).extend(with_one or granted)
    return credentials, faces


def _uses(inventory: Inventory, credentials: set[str], faces: set[str]) -> Iterator[UseEvent]:
    """The uses of these credentials, and of these identities."""
    holders = set(faces)
    for uid in credentials:
        holders |= {
            row[0]
            for row in inventory.rows(
                "SELECT identities.uid FROM holders JOIN identities ON identities.id=subject"
                " JOIN credentials ON credentials.id=holders.credential WHERE credentials.uid=?", (uid,),
            )
        }  # fmt: skip
    for identity in sorted(holders):
        for use in inventory.uses(identity):
            if use.credential in credentials or use.identity in faces:
                yield use


def _refuse(unreadable: dict[str, str]) -> None:
    for where, why in unreadable.items():
        raise UsageError(f"{where}: {why}")


def _of_logs(named: Sequence[tuple[str, str]], fingerprints: Fingerprints, stack: ExitStack) -> Inventory:
    """An inventory of its own, gone afterwards, with what the logs hold."""
    from licet.ingest.intake import STDIN, Intake
    from licet.ingest.paths import files_in
    from licet.ingest.sources import source_of

    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="licet-bypass-"))
    inventory = Inventory(Path(folder) / FILE)
    try:
        for name, path in named:
            files, unreadable = files_in([path])
            _refuse(unreadable)
            intake = Intake(inventory, source_of(name), fingerprints.of, clock=SystemClock())
            for each in files:
                file = opened(each)
                try:
                    intake.take(each, file)
                finally:
                    if each != STDIN:
                        file.close()
            report = intake.finish()
            if not report.well:
                output.error(f"{path}: some of it could not be read; `licet ingest {name}` says what")
    except BaseException:  # whatever it is goes on; the file is not left open
        inventory.close()
        raise
    return inventory
