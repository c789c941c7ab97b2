"""The report as one HTML page, made of what `--json` prints: self-contained, without scripts, for the screen and for paper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement

from licet.assurance.plots import bars, standings
from licet.escape import counted, visible
from licet.report.page import document, table, written

_STYLE: Final = """
tr { break-inside: avoid; } thead { display: table-header-group; } h2, h3 { break-after: avoid; } svg { max-width: 100%; height: auto; }
td.standing { white-space: nowrap; font-weight: 600; } td.verified { background: #dff1e0; color: #14501a; }
td.observed { background: #e3ecf7; color: #1d3f66; } td.declared { background: #eceef2; color: #374151; }
td.absent { color: #6b7280; } p.wrong, li.wrong, td.wrong { color: #7a1712; font-weight: 600; } td.title { min-width: 12rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid #d1d5db; padding: .5rem; font-size: .85rem; }
ul.evidence { margin: .3rem 0 0 0; padding-left: 1.1rem; font-size: .85rem; }
dl.numbers { columns: 2; } dl.numbers div { break-inside: avoid; }
@page { margin: 14mm; }
@media print { body { font-size: 9.5pt; max-width: none; margin: 0; padding: 0;
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .wide, .picture { overflow: visible; border: 0; } th, td { padding: .15rem .35rem; } h2.part { break-before: page; } }
"""
_CLASSES: Final = {"verified by drill": "verified", "observed": "observed", "declared only": "declared", "absent": "absent"}
_CITED: Final = 6  # drills, other pieces of evidence and failures that stand under a row
_MOST: Final = 40  # owners, codes and the like that have a line
_LONGEST: Final = 500  # characters of one text

Told = Mapping[str, Any]


def page(told: Told) -> str:
    """A whole HTML file. `told`: as `licet.assurance.told.told` has it."""
    root, body = document("Licet: report", _STYLE)
    SubElement(body, "h1").text = "Who acts here, and how it is known"
    manifest = f" Manifest: {told['manifest']}." if told["manifest"] else ""
    _paragraph(body, f"Made {told['made']} by Licet {told['licet']}.{manifest}")
    _summary(body, told)
    for catalogue in told["catalogues"]:
        _catalogue(body, catalogue)
    for part in (_inventory, _findings, _drift, _drills, _evidence):
        part(body, told)
    return written(root)


def _summary(body: Element, told: Told) -> None:
    drills, findings, state = told["drills"], told["findings"], told["inventory"]
    _paragraph(
        body,
        "Green is what a drill has shown within the last seven days: safe misuse was let in unmarked, came back as the right finding with "
        "the right explanation in time, and its benign twin did not; the ledger committed to it before. Nothing else is green. Observed is "
        "what was seen in this state. Declared only is what somebody wrote down. Absent is neither.",
    )
    _paragraph(
        body,
        "A drill shows that misuse of this kind is seen, explained and told. It does not show that there is none, nor that all that an "
        "entry asks for is done.",
    )
    for sentence in (*(["No drill was ever played."] if drills["never"] else []), *drills["wrong"], *told["evidence"]["wrong"]):
        _paragraph(body, sentence, "wrong")
    counts = [(each["name"], each["counts"]) for each in told["catalogues"]]
    SubElement(body, "div", {"class": "picture"}).append(standings(counts))
    rows = table(body, ("Catalogue", *(str(name) for name in counts[0][1])), ("title", *("number",) * 4))
    for name, parts in counts:
        _row(rows, [(name, "title"), *((f"{number:,}", "number") for number in parts.values())])
    _paragraph(
        body,
        f"{_many(state['identities'], 'identity')}, {state['unowned']:,} of machines without an owner; "
        f"{counted(findings['statuses']['open'], 'open finding')}, {findings['statuses']['acknowledged']:,} acknowledged; "
        f"{drills['passed']:,} of {drills['cells']:,} drills stand ({drills['played']:,} were played within seven days).",
    )


def _catalogue(body: Element, of: Told) -> None:
    SubElement(body, "h2", {"class": "part"}).text = visible(of["name"], _LONGEST)
    if not of["whole"]:
        _paragraph(body, "A selection: what is about identities, inventory, monitoring, evidence and people's control.")
    rows = table(body, ("", "Title", "State", "What stands behind it"), ("short", "title", "standing", "long"))
    for each in of["rows"]:
        line = SubElement(rows, "tr")
        for text, look in ((each["id"], "short"), (each["title"], "title"), (each["standing"], f"standing {_CLASSES[each['standing']]}")):
            SubElement(line, "td", {"class": look}).text = visible(text, _LONGEST)
        cell = SubElement(line, "td", {"class": "long"})
        cell.text = visible(each["behaviour"], 2_000)
        _cited(cell, each)


def _cited(cell: Element, row: Told) -> None:
    if not row["evidence"] and not row["fails"]:
        return
    items = SubElement(cell, "ul", {"class": "evidence"})
    for text in row["fails"][:_CITED]:
        SubElement(items, "li", {"class": "wrong"}).text = visible(f"fails: {text}", _LONGEST)
    drills = [each for each in row["evidence"] if each["kind"] == "drill"]
    others = [each for each in row["evidence"] if each["kind"] != "drill"]
    for each in (*drills[:_CITED], *others[:_CITED]):
        SubElement(items, "li").text = visible(said(each), _LONGEST)
    if len(drills) > _CITED:
        SubElement(items, "li").text = f"and {counted(len(drills) - _CITED, 'drill')} more: they stand below"
    if more := max(0, len(others) - _CITED) + max(0, len(row["fails"]) - _CITED):
        SubElement(items, "li").text = f"and {more:,} more, in `licet report --json`"


def said(cited: Told) -> str:
    """One piece of evidence in words: what it is, and where it can be looked up."""
    if cited["kind"] in ("seen", "declared"):
        return f"{cited['kind']}: {cited['says']}: {cited['number']:,}"
    where = f" {cited['of'] if cited['of'] != 'drill' else ''} {cited['id']}".replace("  ", " ") if cited["id"] else ""
    ledger = f", ledger {' and '.join(str(number) for number in cited['ledger'])}" if cited["ledger"] else ""
    number = f", {cited['number']:,} times, last" if cited["number"] > 1 else ","
    return f"{cited['kind']} {cited['name']}{number}{where}, {_minute(cited['time'])}{ledger}"


def _minute(time: object) -> str:
    """A time without its seconds, in UTC."""
    return str(time or "")[:16].replace("T", " ")


def _inventory(body: Element, told: Told) -> None:
    state = told["inventory"]
    SubElement(body, "h2", {"class": "part"}).text = "The inventory"
    _paragraph(body, f"As of the latest event of any source: {state['as_of'] or 'none'}.")
    _numbers(body, (
        ("Identities", state["identities"]), ("of machines", state["machines"]), ("active in 90 days", state["active"]),
        ("of these with a confirmed owner", state["owned"]), ("of machines without an owner", state["unowned"]),
        ("not used for 90 days, or with such a credential", state["stale"]), ("with a credential that others use", state["shared"]),
        ("of unknown kind", state["unknown"]), ("Uses", state["uses"]),
    ))  # fmt: skip
    for title, key in (("By kind", "kinds"), ("By platform", "platforms")):
        _bars(body, "Identities", title, _first(state[key]))
    _counts(body, "Credentials by state", "State", state["credentials"])
    _counts(body, "Owners", "Owner", state["owners"])


def _findings(body: Element, told: Told) -> None:
    found = told["findings"]
    SubElement(body, "h2", {"class": "part"}).text = "Findings"
    statuses = found["statuses"]
    _paragraph(
        body,
        f"{statuses['open']:,} open, {statuses['acknowledged']:,} acknowledged; {found['unowned']:,} of these are nobody's. "
        f"{statuses['suppressed']:,} more are hidden for a time, and not counted below. Drills' findings are withdrawn, and not here.",
    )
    for title, key in (("By severity", "severities"), ("By age", "ages")):
        _bars(body, "Findings", title, found[key])
    _counts(body, "By reason", "Code", found["codes"])
    if found["listed"]:
        SubElement(body, "h3").text = "The gravest first"
        heads = ("Severity", "State", "Reasons", "Whose", "What", "Owner", "Since", "Finding", "Evidence")
        rows = table(SubElement(body, "div", {"class": "wide"}), heads)
        for each in found["listed"]:
            ledger = f"ledger {each['ledger']}" if each["ledger"] else ""
            digests = counted(len(each["digests"]), "record digest") if each["digests"] else ""
            _row(rows, [
                (each["severity"], "short"), (each["status"], "short"), (", ".join(each["codes"]), "long"),
                (each["identity"] or "", "long"), (each["sentence"], "long"), (each["owner"] or "nobody", "word"),
                (str(each["time"])[:10], "short"),
                (each["id"], "long"),
                (", ".join(filter(None, (ledger, digests))), "word"),
            ])  # fmt: skip
        _left_out(body, found["left_out"], "finding")


def _drift(body: Element, told: Told) -> None:
    found = told["drift"]
    SubElement(body, "h2", {"class": "part"}).text = "Privilege drift"
    _paragraph(body, f"Of {found['identities']:,} with permissions or a purpose; `licet inventory drift` says which permissions.")
    _numbers(body, (
        ("permissions used, of those of which it can be told", f"{found['used']:,} of {found['granted']:,}"),
        ("added in 90 days and never used", found["added_without_use"]), ("operations outside the declared purpose", found["outside"]),
    ))  # fmt: skip
    if found["listed"]:
        heads = ("Identity", "Used", "Of", "Added, never used", "Outside the purpose", "Could be taken away")
        rows = table(body, heads, ("long", *("number",) * 5))
        for each in found["listed"]:
            keys = ("used", "granted", "added_without_use", "outside", "proposals")
            _row(rows, [(each["identity"], "long"), *((f"{each[key]:,}", "number") for key in keys)])
        _left_out(body, found["left_out"], "identity")


def _drills(body: Element, told: Told) -> None:
    found = told["drills"]
    SubElement(body, "h2", {"class": "part"}).text = "Drills"
    _paragraph(body, f"{found['passed']:,} of {found['cells']:,} stand; {found['played']:,} were played within seven days.")
    for sentence in found["wrong"]:
        _paragraph(body, sentence, "wrong")
    _scorecard(body, told["scorecard"])
    heads = ("", "Misuse", "Source", "State", "After", "When", "Drill", "Ledger", "Finding")
    rows = table(SubElement(body, "div", {"class": "wide"}), heads)
    for each in found["listed"]:
        state = ("passed", "standing verified") if each["passed"] else (each["why"], "wrong word" if each["drill"] else "absent word")
        seconds = f"{each['seconds']:.1f} s" if each["seconds"] is not None else ""
        _row(rows, [
            (each["scenario"], "short"), (each["title"], "word"), (each["source"], "short"), state, (seconds, "short"),
            (_minute(each["time"]), "short"), (each["drill"] or "", "long"),
            (", ".join(map(str, each["ledger"])), "short"), (each["finding"] or "", "long"),
        ])  # fmt: skip


def _scorecard(body: Element, card: Told | None) -> None:
    """What the scorecard of `licet drill status` says."""
    if card is None:
        return
    SubElement(body, "h3").text = f"Scorecard: {card['verdict']}"
    for each in card["reasons"]:
        _paragraph(body, each["said"], "wrong")
    rows = table(body, ("", "Source", "Value", "Of", "As of"), ("long", "short", "number", "number", "short"))
    for each in card["metrics"]:
        of = f"{each['numerator']:,.0f} of {each['denominator']:,.0f}" if each["unit"] == "share" else ""
        _row(rows, [
            (each["title"], "long"), (each["of"], "short"), (_value(each), "number"), (of, "number"), (_minute(each["as_of"]), "short"),
        ])  # fmt: skip


def _value(metric: Told) -> str:
    if metric["value"] is None:
        return "not known"
    if metric["unit"] == "share":
        low = f" (at least {100 * metric['low']:.1f} %)" if metric["low"] is not None else ""
        return f"{100 * metric['value']:.1f} %{low}"
    return f"{metric['value']:,.1f}" + (" s" if metric["unit"] == "s" else "")


def _evidence(body: Element, told: Told) -> None:
    found = told["evidence"]
    SubElement(body, "h2", {"class": "part"}).text = "Evidence"
    _paragraph(
        body,
        f"{counted(found['records'], 'record')} in the ledger, {found['signed_records']:,} of them under its newest checkpoint. A copy of "
        "it is enough to show later that this ledger was not set back: `licet ledger verify --kept FILE`.",
    )
    for sentence in found["wrong"]:
        _paragraph(body, sentence, "wrong")
    if found["checkpoint"]:
        SubElement(body, "pre").text = "\n".join(visible(line, _LONGEST) for line in found["checkpoint"].splitlines())
        _paragraph(body, f"SHA-256 of the checkpoint: {found['checkpoint_sha256']}.")
    _counts(body, "Records by kind", "Kind", found["kinds"])


def _bars(body: Element, what: str, title: str, counts: Mapping[str, int]) -> None:
    if any(counts.values()):
        SubElement(body, "h3").text = title
        SubElement(body, "div", {"class": "picture"}).append(bars(f"{what}: {title.lower()}", counts))


def _counts(body: Element, title: str, head: str, counts: Mapping[str, int]) -> None:
    if not counts:
        return
    SubElement(body, "h3").text = title
    rows = table(body, (head, "Number"), ("long", "number"))
    for name, number in _first(counts).items():
        _row(rows, [(name, "long"), (f"{number:,}", "number")])


def _first(counts: Mapping[str, int]) -> dict[str, int]:
    """The first lines; all others in one."""
    shown = dict(list(counts.items())[:_MOST])
    rest = sum(counts.values()) - sum(shown.values())
    return shown | ({f"{len(counts) - len(shown):,} more": rest} if len(counts) > len(shown) else {})


def _numbers(body: Element, numbers: Iterable[tuple[str, object]]) -> None:
    facts = SubElement(body, "dl", {"class": "numbers"})
    for name, number in numbers:
        pair = SubElement(facts, "div")
        SubElement(pair, "dt").text = name
        SubElement(pair, "dd").text = f"{number:,}" if isinstance(number, int) else str(number)


def _left_out(body: Element, number: int, what: str) -> None:
    if number:
        _paragraph(body, f"{_many(number, what)} more, not listed here")


def _many(number: int, what: str) -> str:
    return f"{number:,} {what[:-1]}ies" if what.endswith("y") and number != 1 else counted(number, what)


def _row(rows: Element, cells: Sequence[tuple[str, str]]) -> None:
    line = SubElement(rows, "tr")
    for text, look in cells:
        SubElement(line, "td", {"class": look}).text = visible(text, _LONGEST)


def _paragraph(body: Element, text: str, look: str = "") -> None:
    SubElement(body, "p", {"class": look} if look else {}).text = visible(text, 2_000)
