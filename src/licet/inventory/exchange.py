"""The inventory into a file of JSON or CSV, and such a file into the inventory.

What was written is the same when it was read and is written again. Both go row by row: a row that cannot be used is told by its place, and
the rest goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final, Literal, NamedTuple

from licet.errors import Problem, UsageError
from licet.escape import visible
from licet.inventory.model import Owner, Ownership
from licet.inventory.named import called_so, is_seen
from licet.inventory.placed import Entry, NotJson, Places, entries
from licet.inventory.rows import SELECT_CREDENTIAL, credential_of
from licet.inventory.said import (
    Said,
    Wrong,
    edge_said,
    environment_said,
    owner_said,
    row_of_credential,
    row_of_identity,
    row_of_owner,
    said_by,
)
from licet.inventory.store import Inventory
from licet.inventory.tabled import header, line_of, lines, row_of
from licet.lines import MAX_LINE

Format = Literal["json", "csv"]

_BATCH: Final = 1_000  # rows that are declared in one step
_SHOWN: Final = 200  # characters of a name
_NAMED: Final = 3
_SHORT: Final = 2 * 86_400  # seconds; a credential that lives no longer is none that somebody keeps
# What nobody said anything of, and lives for a job or some hours, is not exported: there are thousands of them for each role.
_KEPT: Final = (
    "declared<>'{}' OR name<>'' OR canary OR rotate_every OR NOT (workload<>'' OR kind LIKE 'temporary%'"
    f" OR (issued>0 AND expires>0 AND expires-issued<={_SHORT}))"
)


class File(NamedTuple):
    """A file as it was read: its bytes, of at most 64 MiB, and what it is called in problems."""

    name: str
    raw: bytes
    form: Format


class Told(NamedTuple):
    """How much a file had. `wrong`: rows that could not be used."""

    identities: int = 0
    credentials: int = 0
    wrong: int = 0


@dataclass(slots=True)
class _Batch:
    """Rows that wait to be declared."""

    inventory: Inventory
    said: list[Said] = field(default_factory=list)
    identities: int = 0
    credentials: int = 0
    wrong: int = 0

    def add(self, said: Said) -> None:
        self.said.append(said)
        self.identities += len(said.identities)
        self.credentials += len(said.credentials)
        if len(self.said) >= _BATCH:
            self.declare()

    def declare(self) -> Told:
        """Declare what waits, in one step."""
        parts = {name: [each for said in self.said for each in getattr(said, name)] for name in Said._fields}
        self.inventory.declare(**parts)
        self.said.clear()
        return Told(self.identities, self.credentials, self.wrong)


def taken(
    inventory: Inventory, file: File, fingerprint: Callable[[str], str], now: float, tell: Callable[[Problem], None]
) -> Told:  # fmt: skip
    """Declare what a file says.

    Args:
        fingerprint: of a credential's id as logs show it.
        now: seconds since the epoch; who is named as an owner is confirmed by that.
        tell: called with each row that cannot be used.

    Raises:
        UsageError: the file is too big.
        StoreError: the inventory cannot be written; what was declared until then is kept.
    """
    if len(file.raw) > MAX_LINE:
        raise UsageError(f"{file.name}: is longer than {MAX_LINE // 1024 // 1024} MiB; cut it into several files")
    batch = _Batch(inventory)
    # What is not UTF-8 is refused where it stands, by its row.
    text = file.raw.decode("utf-8", "surrogateescape").removeprefix("\ufeff")

    def meant(said: Said) -> Said:
        return _meant(inventory, said)

    found = _of_json(text, fingerprint, now, meant) if file.form == "json" else _of_csv(text, fingerprint, now, meant)
    for said in found:
        if isinstance(said, Said):
            batch.add(said)
        else:
            line, column, key, message = said
            batch.wrong += 1
            tell(Problem(file.name, line, column, key, message, ""))
    return batch.declare()


_Refused = tuple[int, int, str, str]


def _meant(inventory: Inventory, said: Said) -> Said:
    """What a row says, if no identity in it is written by its short name: whoever asks for that would find an empty one.

    Raises:
        Wrong: a record names one that is called so, and none has it as its uid.
    """
    for uid in (*(each.uid for each in said.identities if not each.same_as), *(each.identity for each in said.credentials)):
        if uid and inventory.identity(uid) is None:
            others = [each for each in called_so(inventory, uid) if is_seen(inventory, each)]
            if others:
                names = " or ".join(visible(each, _SHOWN) for each in others[:_NAMED])
                raise Wrong(
                    "identity", f"no record has `{visible(uid, _SHOWN)}`, and {names} is called so; write the uid as records have it"
                )
    return said


def _of_csv(text: str, fingerprint: Callable[[str], str], now: float, meant: Callable[[Said], Said]) -> Iterator[Said | _Refused]:
    for line in lines(_split(text)):
        if line.wrong:
            yield line.number, line.column, "", line.wrong
            continue
        try:
            yield meant(said_by(row_of(line), fingerprint, now))
        except Wrong as wrong:
            yield line.number, line.columns.get(wrong.key, 1), wrong.key, wrong.message


def _split(text: str) -> Iterator[str]:
    """Lines as a file opened with `newline=""` has them; `splitlines` would also end one at what only looks like a line end."""
    begin = 0
    while (end := text.find("\n", begin)) >= 0:
        yield text[begin : end + 1]
        begin = end + 1
    if begin < len(text):
        yield text[begin:]


def _of_json(text: str, fingerprint: Callable[[str], str], now: float, meant: Callable[[Said], Said]) -> Iterator[Said | _Refused]:
    places = Places(text)
    try:
        for entry in entries(text):
            try:
                yield meant(_said(entry, fingerprint, now))
            except Wrong as wrong:
                yield *places.of(entry.keys.get(wrong.key, entry.at)), wrong.key, wrong.message
    except NotJson as error:
        yield *places.of(error.at), "", f"{error.message}; nothing is read from here on"


def _said(entry: Entry, fingerprint: Callable[[str], str], now: float) -> Said:
    if entry.wrong:
        raise Wrong(entry.section, entry.wrong)
    if entry.section == "edges":
        return edge_said(entry.value)
    if entry.section == "environments":
        return environment_said(entry.name, entry.value)
    if not isinstance(entry.value, dict):
        raise Wrong(entry.section, "holds something else than objects")
    if entry.section == "owners":
        return owner_said(entry.value)
    if entry.section == "credentials" and not entry.value.get("credential"):
        raise Wrong("credential", "is missing")
    if entry.section == "identities" and entry.value.get("credential"):
        raise Wrong("credential", "stands in a row of `credentials`")
    return said_by(entry.value, fingerprint, now)


# The other way -----------------------------------------------------------------------------------------------------------


def exported(inventory: Inventory, form: Format, *, every: bool = False) -> Iterator[str]:
    """The inventory as text, in pieces.

    Args:
        every: with each credential that was ever seen, temporary ones too.

    Raises:
        StoreError: it cannot be read.
    """
    identities, credentials = _identities(inventory), _credentials(inventory, every=every)
    if form == "csv":
        yield header()
        for row in chain(identities, credentials):
            yield line_of(row)
        return
    owners = [row_of_owner(Owner(*row)) for row in inventory.rows("SELECT uid, name, contact, kind FROM owners ORDER BY uid")]
    environments = {each.uid: {"accounts": list(each.accounts)} for each in sorted(inventory.environments(), key=lambda each: each.uid)}
    yield "{\n"
    yield f'"environments": {_json(environments)},\n'
    yield f'"edges": {_json([list(pair) for pair in sorted(inventory.edges())])},\n'
    for number, (name, rows) in enumerate((("owners", owners), ("identities", identities), ("credentials", credentials))):
        yield "" if not number else ",\n"
        yield f'"{name}": ['
        for at, row in enumerate(rows):
            yield f"{',' if at else ''}\n{_json({key: value for key, value in row.items() if key not in ('owner_name', 'owner_contact')})}"
        yield "\n]"
    yield "\n}\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True)


def _identities(inventory: Inventory) -> Iterator[dict[str, Any]]:
    after = ""
    while page := inventory.identities(after, _BATCH):
        for identity in page:
            yield row_of_identity(identity, own_of(inventory, identity.uid))
        after = page[-1].uid


def _credentials(inventory: Inventory, *, every: bool) -> Iterator[dict[str, Any]]:
    after, where = "", "1" if every else f"({_KEPT} OR uid IN (SELECT identity FROM ownerships))"  # noqa: S608 - texts of our own
    query = f"{SELECT_CREDENTIAL} WHERE uid>? AND {where} ORDER BY uid LIMIT ?"
    while page := inventory.rows(query, (after, _BATCH)):
        for credential in map(credential_of, page):
            yield row_of_credential(credential, own_of(inventory, credential.uid))
        after = page[-1][0]


def own_of(inventory: Inventory, uid: str) -> tuple[Owner, Ownership] | None:
    """Who answers for this identity or credential by the surest word that somebody said of it itself."""
    found = inventory.rows(
        "SELECT identity, owner, source, confidence, time, by, name, contact, kind FROM ownerships LEFT JOIN owners ON owners.uid=owner"
        " WHERE identity=? ORDER BY confidence DESC, time DESC, source LIMIT 1",
        (uid,),
    )
    if not found:
        return None
    *said, name, contact, kind = found[0]
    return Owner(said[1], name or "", contact or "", kind or "team"), Ownership(*said)
