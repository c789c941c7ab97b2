"""What goes with the records in a file of evidence, held against them: contents, spans, graph, findings.

A record has the keyed digest of each content that was opted in; the key goes with the value, so that the log proves it. The rest it does
not prove: whoever could change the store before the file was made could change it; so where it says what a record says, both must agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from licet.escape import visible
from licet.ledger.evidence.shape import Shape, WrongShapeError
from licet.pseudonym import is_content

if TYPE_CHECKING:
    from licet.ledger.evidence.accounts import Account
    from licet.ledger.evidence.verdict import BundleVerdict

# The span attributes that say what a record says too (docs/telemetry.md). The ledger knows no telemetry; a test holds these against it.
CALL, TASK, TOOL, OUTCOME, ARGS = (
    "licet.call.id", "licet.task.id", "gen_ai.tool.name", "licet.decision.outcome", "licet.args.digest",
)  # fmt: skip
_KEY = re.compile(r"(?:[0-9a-f]{2}){1,64}", re.ASCII)
NODE = "call:"  # how the id of a call's node begins
ELSEWHERE = "elsewhere"  # of a call in the graph: it is known to have no record here


def named_contents(record: Mapping[str, Any]) -> list[str]:
    """The names of the contents of which a record has digests."""
    names = record.get("contents")
    return [name for name in names if isinstance(name, str)] if isinstance(names, dict) else []


def check_beside(found: BundleVerdict, predicate: Shape, records: Mapping[int, Mapping[str, Any]]) -> None:
    """Take up each contradiction. `records`: those that are there, by number.

    Raises:
        WrongShapeError: a part is not in its form.
    """
    _Comparison(found, records).check(predicate)


class _Comparison:
    def __init__(self, found: BundleVerdict, records: Mapping[int, Mapping[str, Any]]) -> None:
        self._found, self._records = found, records
        self._calls = {own.call: own for own in found.accounts}
        self._tasks = {*found.about.tasks, *found.about.above, ""} if found.about else {""}

    def check(self, predicate: Shape) -> None:
        for at, attributes in _spans(predicate["spans"]):
            self._span(at, attributes)
        for node in predicate["graph"]["nodes"].items():
            if node["kind"].text() == "call" and node["status"].text() != ELSEWHERE:
                self._agrees(
                    node.at, node["id"].text().removeprefix(NODE), {"tool": node["label"].text(), "outcome": node["outcome"].text()}
                )
        predicate["graph"]["edges"].items()
        self._findings(predicate["findings"])
        self._contents(predicate["contents"], predicate["left_out"])

    def _contents(self, contents: Shape, left_out: Shape) -> None:
        """Each value is what its record says; what a record has a digest of is here, or is said to be left out."""
        accounted: set[tuple[int, str]] = set()
        for row in contents.items():
            seq, name, key = row["record"].number(), row["name"].text(), row["key"].text()
            if not _KEY.fullmatch(key):
                raise WrongShapeError(f"{row.at}.key", "is no key in lower-case hex")
            accounted.add((seq, name))
            if not is_content(self._records.get(seq, {}), name, bytes.fromhex(key), row["value"].plain()):
                self._found.fault("altered", f"`{visible(name, 60)}` of record {seq} is not the value that was recorded", seq)
        for row in left_out.items():
            row["what"].text(), row["why"].text()
            by, of, named = row.get("by"), row.get("record"), row.get("name")
            if by is not None and by.number() not in self._records:
                self._wrong(f"{row.at} names record {by.number()} as that of the purge, and it is not here")
            if of is not None and named is not None:
                accounted.add((of.number(), named.text()))
        for seq, record in self._records.items():
            for name in named_contents(record):
                if (seq, name) not in accounted:
                    why = f"record {seq} has the digest of `{visible(name, 60)}`; its value is not here, and is not said to be left out"
                    self._found.fault("removed", why, seq)

    def _span(self, at: str, attributes: dict[str, str]) -> None:
        if TASK in attributes and attributes[TASK] not in self._tasks:
            self._wrong(f"{at} is of task {visible(attributes[TASK], 40)}, which this is not about")
        if CALL in attributes:
            told = {name: attributes[key] for name, key in (("tool", TOOL), ("outcome", OUTCOME), ("args", ARGS)) if attributes.get(key)}
            self._agrees(at, attributes[CALL], told)

    def _agrees(self, at: str, call: str, told: dict[str, str]) -> None:
        own: Account | None = self._calls.get(call)
        if own is None:
            self._wrong(f"{at} is of call {visible(call, 40)}, of which there is no record")
            return
        for name, value in told.items():
            if value != (recorded := getattr(own, name)):
                seq = own.seqs[-1] if own.seqs else 0
                said = f"{at}: the {name} of call {visible(call, 12)} is {visible(value, 80)}"
                self._wrong(f"{said}, and by its record {visible(recorded, 80) or 'not known'}", seq)

    def _findings(self, findings: Shape) -> None:
        about, ids = self._found.about, set()
        for each in findings.items():
            ids.add(each["id"].text())
            call, task = each["call_id"].text(), each["task_id"].text()
            if call and call not in self._calls:
                self._wrong(f"{each.at} is about call {visible(call, 40)}, of which there is no record")
            cited = each.get("ledger")
            if cited is not None and cited.number() and cited.number() not in self._records:
                self._wrong(f"{each.at} cites record {cited.number()}, which is not here")
            if task not in self._tasks:
                self._wrong(f"{each.at} is about task {visible(task, 40)}, which this is not about")
        if about is not None and about.kind == "finding" and about.id not in ids:
            self._found.fault("removed", f"finding {visible(about.id, 40)}, which this is about, is not here")

    def _wrong(self, sentence: str, seq: int = 0) -> None:
        self._found.fault("contradicted", sentence, seq)


def _spans(spans: Shape) -> Iterator[tuple[str, dict[str, str]]]:
    """Each span's place, and those of its attributes that are text."""
    for resource in spans["resourceSpans"].items():
        for scope in resource["scopeSpans"].items():
            for span in scope["spans"].items():
                texts: dict[str, str] = {}
                for row in span["attributes"].items():
                    value = row["value"].object().get("stringValue")
                    if isinstance(value, str):
                        texts[row["key"].text()] = value
                yield span.at, texts
