"""Which findings were drills: by results that the drills' key signed and the ledger revealed, and by the digests of what they cite.

No mark on a finding says so, since anybody could set it. A finding that cites one record that the drill did not let in is none, and a drill
whose records its seed does not draw is none either, whoever signed it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from licet.drill.audit import of_rows
from licet.drill.book import Book, Row
from licet.drill.redrawn import is_play
from licet.drill.scenarios import SCENARIOS
from licet.ledger import LedgerFiles
from licet.monitor.told import native
from licet.records import Finding

_APART: Final = frozenset(each.id for each in SCENARIOS if each.apart)
_NO_RECORD: Final = ("declared", "probe", "refused")


def drills_of(findings: Iterable[Finding], book: Book, files: LedgerFiles, now: float, trusted: str = "") -> dict[str, str]:
    """By finding, the id of the drill that it was; those that are none are left out. `trusted`: as `licet.drill.audit.audited` has it.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    by = {each.id: each for each in findings}
    fitting = {row.id: (row, ids) for row in book.with_findings(by) if (ids := _fits(row, by)) and row.announced and is_play(row.announced)}
    if not fitting:
        return {}
    sound = of_rows([row for row, _ in fitting.values()], book, files, now, trusted)
    return {uid: each.row.id for each in sound if each.row.result and not each.wrong for uid in fitting[each.row.id][1]}


def calls_of(book: Book, files: LedgerFiles, now: float, trusted: str = "") -> Mapping[str, frozenset[str]]:
    """The digests of the events of guarded calls that were drills, and under which identities: they stay in the guard's store, and are
    nobody's acts. `trusted`: as `licet.drill.audit.audited` has it.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    rows = [row for row in book.with_calls() if row.announced is not None and is_play(row.announced)]
    found: dict[str, frozenset[str]] = {}
    for row in (each.row for each in of_rows(rows, book, files, now, trusted) if not each.wrong):
        whose = frozenset(row.announced.identities) if row.announced is not None else frozenset()
        found |= {digest: whose | found.get(digest, frozenset()) for digest in (row.result.calls if row.result is not None else ())}
    return found


def _fits(row: Row, by: dict[str, Finding]) -> set[str]:
    """Which of these findings are of what that drill let in, and of nothing else."""
    result, announced = row.result, row.announced
    # A shadow is judged elsewhere, and acts as somebody who is real here; what is played apart is about nobody.
    if result is None or announced is None or result.shadow or result.scenario in _APART:
        return set()
    # The guard's say whose they are by their task, which was opened for the drill.
    found = {each for each in result.found if each in by and by[each].explanation is None}
    why = by[result.finding].explanation if result.finding in by else None
    if why is not None and why.identity in {announced.identity, *announced.identities}:
        cited = set(_digests(by[result.finding]))
        found |= {result.finding} if cited and cited <= {*row.events, *result.calls} else set()
    return found


def _digests(finding: Finding) -> Iterator[str]:
    for each in finding.explanation.evidence if finding.explanation is not None else ():
        if not each.body and native(each.uid)[0] not in _NO_RECORD:
            yield each.digest
