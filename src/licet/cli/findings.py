"""`licet findings`: what an owner must look at."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from licet.cli import findings_signals, output
from licet.cli.findings_found import Found, Sources, all_found, check_owner, name_beside, sources_of, with_drills
from licet.cli.findings_signals import SEVERITIES, STYLES
from licet.cli.inventory_opened import several, unknown
from licet.cli.purged import by_records, said
from licet.cli.state import add_source, code_of, existing, said_source
from licet.cli.times import moment
from licet.cli.verbs import add_verbs, run_verb
from licet.clock import iso
from licet.errors import UsageError
from licet.escape import counted, visible
from licet.inventory.named import called_so, identities, is_seen
from licet.inventory.store import Inventory
from licet.report import cited

SHORT_ID = 12
_HISTORIES = 3  # sources that are named
STATUSES = ("open", "acknowledged", "suppressed", "withdrawn", "all")
VERBS = {
    "show": "say all that is known of one: why, on which evidence, what speaks against it, what to do",
    "acknowledge": "say that somebody looks after one",
    "suppress": "hide one for a time, for a reason",
    "deliver": "hand them to others: by webhook, or over OTLP",
}

EXAMPLE = """\
Without a word: the list, oldest first, of what is open or acknowledged; `--status all` has the suppressed and the withdrawn ones too.
With `--signals` also what was seen and was not enough for a finding; `--identity`, `--code`, `--severity`, `--owner` and `--since` narrow
both.

example: licet findings
         licet findings --severity high --since 7d
         licet findings --code POST_REVOCATION_USE --json | jq '.findings[].identity'
         licet findings --signals --identity ci --since 7d
         licet findings show 3f2a
         licet findings --from traces.jsonl --from more.jsonl.gz
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--task", metavar="ID", help="only those of one task and its sub-tasks (a unique beginning of its id is enough)")
    parser.add_argument("--severity", choices=SEVERITIES, help="only those at least so severe")
    parser.add_argument("--code", metavar="CODE", action="append", default=[], help="only those with this reason; may be given again")
    parser.add_argument("--identity", metavar="UID", help="only those of one identity, by its uid or name")
    parser.add_argument("--owner", metavar="NAME", help="only those of one owner; `nobody`: those that nobody owns")
    parser.add_argument("--since", metavar="TIME", type=moment, help="only from this time on (a time, or how long ago, such as 2h)")
    parser.add_argument("--status", choices=STATUSES, help="only those that stand so (default: open and acknowledged)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    parser.add_argument("--signals", action="store_true", help="signals that are in no finding too; with `--json` or `--ocsf` all of them")
    parser.add_argument("--ocsf", action="store_true", help="print OCSF 1.8 events, one JSON object a line: findings, and what they cite")
    parser.add_argument("--drift", action="store_true", help="with `--ocsf`: who may do more than he does, or does what he is not for, too")
    parser.add_argument("-o", dest="output", metavar="FILE", help="with `--ocsf`: write them to this file")
    parser.add_argument(
        "--trust", metavar="NAME", default="", help="the name of the drills' key, else LICET_DRILL_TRUST: no other makes a drill"
    )
    add_source(parser)
    add_verbs(parser, "findings", VERBS, required=False)


def run(options: argparse.Namespace) -> int:
    """List them, oldest first, or do what the second word says."""
    if getattr(options, "run_verb", None) is not None:
        return run_verb(options)
    _check(options)
    with sources_of(options) as sources:
        names = _names(options, sources)
        wanted = _wanted(options, names, _changed(options, sources))
        every = all_found(sources, task=options.task, options=options)
        check_owner(sources, every, options.owner)
        found = with_drills(sources, [each for each in every if wanted(each)])
        if options.ocsf:
            from licet.cli.findings_ocsf import write

            beside = findings_signals.signals(options, sources, names, all_of_them=True) if options.signals else ()
            write(options, sources, found, list(beside))
        elif options.json:
            _data(options, sources, found, names)
        else:
            _list(options, sources, found, names)
            if options.signals:
                findings_signals.tell(options, sources, names)
            if options.task is None and not options.identity and sources.inventory is not None:
                tell_history(sources.inventory)
        return code_of(sources.read)


def _check(options: argparse.Namespace) -> None:
    from licet.catalogue import CHECKS
    from licet.monitor.codes import CODES

    for code in options.code:
        if code not in CODES and code not in CHECKS:
            raise UsageError(
                f"--code {visible(code, 80)}: is no reason; docs/findings.md lists those of the monitor, docs/checks/ the guard's"
            )
    if options.signals and options.task is not None:
        raise UsageError("`--signals` is about identities, and `--task` about an agent's calls; give one of the two")
    if options.drift and not options.ocsf:
        raise UsageError("`--drift` goes with `--ocsf`; for people: `licet inventory drift`")
    if options.output is not None and not options.ocsf:
        raise UsageError("`-o` goes with `--ocsf`")
    if options.json and options.ocsf:
        raise UsageError("`--json` and `--ocsf`: give one of the two")


def _changed(options: argparse.Namespace, sources: Sources) -> Callable[[Found], bool]:
    """Which findings are wanted however they stand."""
    if not options.ocsf or options.status is not None:
        return lambda _: False
    from licet.cli.findings_ocsf import changed

    return changed(sources)


def _wanted(options: argparse.Namespace, names: frozenset[str] | None, changed: Callable[[Found], bool]) -> Callable[[Found], bool]:
    statuses = ("open", "acknowledged") if options.status is None else (options.status,)

    def wanted(found: Found) -> bool:
        finding = found.finding
        return (
            (options.status == "all" or found.status in statuses or changed(found))
            and (options.severity is None or SEVERITIES.index(finding.severity) >= SEVERITIES.index(options.severity))
            and (not options.code or not set(options.code).isdisjoint(found.codes))
            and (names is None or found.identity in names)
            and (options.owner is None or finding.owner == ("" if options.owner == "nobody" else options.owner))
            and (options.since is None or _last(found) >= options.since)
        )

    return wanted


def _last(found: Found) -> float:
    """When it was seen last."""
    why = found.finding.explanation
    return max((each.last or each.time for each in why.because), default=found.finding.time) if why is not None else found.finding.time


def _names(options: argparse.Namespace, sources: Sources) -> frozenset[str] | None:
    """Under which names the identity may stand; None: any may.

    Raises:
        UsageError: no identity is called so, or several are.
    """
    if options.identity is None:
        return None
    inventory = sources.inventory
    called = identities(inventory, options.identity) if inventory is not None else ()
    if not called and not _is_agent(sources, options.identity):
        raise UsageError(f"--identity {unknown(inventory, options.identity, 'identity')}")
    if len(called) > 1:
        raise UsageError(f"--identity {several(options.identity, called)}")
    uid = called[0] if called else options.identity
    rows = [] if inventory is None else inventory.rows("SELECT same_as FROM identities WHERE uid=?", (uid,))
    names = frozenset({uid, *(same_as for (same_as,) in rows if same_as)})
    others = [] if inventory is None or not called else [each for each in called_so(inventory, options.identity) if each not in names]
    if inventory is None or not others:
        return names
    them = ", ".join(visible(each, 200) for each in others)
    if is_seen(inventory, uid):
        output.error(f"--identity {visible(uid, 200)}: {them} is called so too, and is not listed here")
        return names
    output.error(f"--identity {visible(uid, 200)}: no record names this uid, it is only declared; {them} is called so, and is listed too")
    return names.union(others)


def _is_agent(sources: Sources, uid: str) -> bool:
    """Whether it is an agent whose calls a guard has decided."""
    kind, _, name = uid.partition(":")
    return kind == "agent" and sources.store is not None and sources.store.has_agent(name)


def _data(options: argparse.Namespace, sources: Sources, found: Sequence[Found], names: frozenset[str] | None) -> None:
    from licet.monitor.told import finding_data, signal_data

    told: dict[str, object] = {} if sources.read is None else {"read": sources.read.as_dict()}
    told["findings"] = [
        finding_data(each.finding, each.status, identity=each.identity, codes=each.codes) | ({"drill": each.drill} if each.drill else {})
        for each in found
    ]
    if options.signals:
        signals = findings_signals.signals(options, sources, names, all_of_them=True)
        told["signals"] = [signal_data(each, finding) for each, finding in signals]
    output.data(told)


def _list(options: argparse.Namespace, sources: Sources, found: Sequence[Found], names: frozenset[str] | None) -> None:
    for each in found:
        finding = each.finding
        severity = output.paint(f"{visible(finding.severity, 10):8}", STYLES.get(finding.severity, "dim"))
        what = visible(", ".join(each.codes), 200)
        whose = (
            f"  {visible(each.identity, 200)}{name_beside(sources.inventory, each.identity)}" if each.monitored and each.identity else ""
        )
        nobody = "not known here" if each.elsewhere else "nobody"
        owner = f"  owner: {visible(finding.owner, 80) if finding.owner else nobody}"
        task = f"  task: {finding.task_id[:SHORT_ID]}" if finding.task_id else ""
        record = f"  {cited(finding.ledger)}" if finding.ledger else ""
        status = (f"  {each.status}" if each.status != "open" else "") + ("  (a drill)" if each.drill else "")
        named = f"  finding {visible(finding.id, 40)[:SHORT_ID]}" if sources.read is None else ""
        output.say(f"{iso(finding.time)}  ", severity, f"  {what}{whose}{owner}{task}{status}{record}{named}")
        output.say(f"    {visible(finding.sentence, 1_000)}")
    if not found:
        beside = "" if options.signals else findings_signals.beside(options, sources, names)
        output.say((_none(options) if sources.read is None else "no findings") + beside)
        return
    where = said_source(options)
    if any(each.monitored for each in found):
        output.say(output.paint(f"why, and what to do: `licet findings show ID{where}`", "dim"))
    if sources.read is None and not all(each.monitored for each in found):
        show, export = f"licet ledger show --record N{where}", f"licet ledger export --finding ID -o FILE{where}"
        output.say(output.paint(f"`ledger N`: `{show}`; evidence of one: `{export}`", "dim"))


def tell_history(inventory: Inventory) -> None:
    """Of what nothing came since it was taken in: that nothing is found of it is no word of how it is now."""
    from licet.monitor.silence import history

    past = history(inventory)
    for each in past[:_HISTORIES]:
        output.say(output.paint(visible(each, 500), "dim"))
    if len(past) > _HISTORIES:
        output.say(output.paint(f"and {counted(len(past) - _HISTORIES, 'more source')} of which nothing came since", "dim"))


def _none(options: argparse.Namespace) -> str:
    gone = said(by_records(existing(options).ledger, "rows"))
    return f"no findings; some may have been purged, {gone}" if gone else "no findings"
