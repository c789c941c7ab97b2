"""`licet ratify`: a person takes responsibility for a manifest, grants and baselines, by a signature beside it."""

from __future__ import annotations

import argparse
import sys
import time
import unicodedata
from dataclasses import asdict
from pathlib import Path

from licet.cli import output
from licet.cli.ledger_keys import ratifiers_in
from licet.cli.output import Style
from licet.cli.ratifying import Act, Before, compared, loss, now_ratified, put_manifest, ratify
from licet.cli.state import add_state
from licet.errors import ManifestError, UsageError
from licet.escape import counted
from licet.guard.ratification import Ratification, name_problem
from licet.guard.ratified import file_of
from licet.guard.ratifier import Ratifier, believe
from licet.guard.state import StateFolder, default_state, open_state
from licet.learn.difference import Difference
from licet.machine import user_name
from licet.manifest import Manifest
from licet.manifest.lint import check
from licet.manifest.loader import read_file

EXAMPLE = """\
What the file widens against what is ratified now is shown, and then asked about; without a terminal, `--yes` answers. The signature is
written beside the manifest, as FILE.ratified, and counts for a file of this name: it belongs into the same repository, and comes with the
manifest to where it runs. Guards
believe the keys in their state folder's keys/ratifiers: this folder's own, and those that `--trust` adds.

A baseline that is not ratified only flags. What is changed after it was ratified is not ratified any more; comments may change.

Exit codes: 0 ratified, 1 the manifest has errors, or the person said no, 2 usage, or something cannot be read.

example: licet ratify draft.yaml --by "Ada Lovelace" -o licet.yaml
         licet ratify licet.yaml --by "Ada Lovelace" --key ~/ratifier.pem --yes
         licet ratify --show-key > ada.vkey
         licet ratify --trust ada.vkey --state /var/lib/licet
"""
_STYLES: dict[str, Style] = {"widened": "red", "narrowed": "green", "changed": "yellow"}
_SHOWN = 100  # differences that are printed; all of them stand in `licet diff`


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("file", metavar="FILE", nargs="?", help="the manifest, or a draft of it")
    parser.add_argument("--by", metavar="NAME", help="who takes responsibility: a person's name")
    parser.add_argument("-o", "--output", metavar="FILE", help="put the draft there as the manifest, in place of what stands there")
    parser.add_argument(
        "--key", metavar="FILE", help="sign with this Ed25519 key (PEM, without a passphrase), and not with the state folder's"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--trust", metavar="VKEY|FILE", action="append", default=[], help="believe what this key signs; may be given again")
    parser.add_argument(
        "--show-key", "--key-only", action="store_true", help="print the public key with which others believe our signature"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    add_state(parser)


def run(options: argparse.Namespace) -> int:
    """Check, compare, ask, sign."""
    if options.file is None:
        return _keys(options)
    if options.trust or options.show_key:
        raise UsageError("--trust and --show-key speak of keys, and FILE is to be ratified; do one after the other")
    if options.by is None:
        raise UsageError("--by says who takes responsibility for the manifest")
    by = unicodedata.normalize("NFC", options.by)
    if wrong := name_problem(by):
        raise UsageError(f"--by {wrong}")
    text = read_file(options.file)
    manifest, problems = check(text, name=options.file, now=time.time())
    for problem in problems:
        output.problem(problem, stream=sys.stderr)
    if manifest is None or any(problem.severity == "error" for problem in problems):
        output.error(f"{options.file}: is not ratified; mend the errors first")
        return 1
    folder = StateFolder(default_state() if options.state is None else Path(options.state))
    source, target = Path(options.file), Path(options.output or options.file)
    act = Act(text, manifest, source, target, by, folder, _standing(target))
    given = Ratifier.read(Path(options.key)) if options.key is not None else None
    before = now_ratified(act, given)
    if before.same and before.ratification is not None:
        return _already(options, act, before.ratification)
    differences = compared(before, manifest)
    if not options.json:
        _show(act, before, differences)
    lost = loss(act)
    if lost and not sys.stdin.isatty():
        raise UsageError(f"{lost}. Are the two files exchanged? If not, move {act.target} away first")
    if (lost or not options.yes) and not _agreed(f'{f"{lost}. " if lost else ""}Does "{act.by}" answer for this?'):
        output.error(f"{act.target}: is not ratified")
        return 1
    open_state(options.state)
    key = given or _key(options, folder)  # made only now: who says no has changed nothing
    made, seq = ratify(act, before, key)
    if options.json:
        rows = [asdict(each) | {"path": list(each.path)} for each in differences or ()]
        compared_to = None if differences is None else before.told
        output.data(
            {"file": str(act.target), "ratification": str(file_of(act.target)), "manifest": made.manifest, "version": made.version,
             "by": made.by, "time": made.time, "replaces": made.replaces or None, "key": str(key.note_key), "already": False,
             "compared_to": compared_to, "differences": rows, "ledger": seq or None}
        )  # fmt: skip
    else:
        output.say(
            str(file_of(act.target)), ": ", output.paint(f"version {made.version}", "bold"), f", by {made.by}, signed with {key.name}"
        )
    return 0


def _keys(options: argparse.Namespace) -> int:
    """What needs no manifest: whom to believe, and our own key."""
    if not options.trust and not options.show_key:
        raise UsageError("name the manifest; or give --trust KEY, or --show-key")
    if options.by is not None or options.output is not None or (options.key and not options.show_key):
        raise UsageError("--by, -o and --key belong to a manifest that is to be ratified; name it")
    folder = open_state(options.state)
    trusted = ratifiers_in("--trust", options.trust)
    added = [key for key in trusted if believe(folder.keys, key, f"added by {user_name()}")]
    own = _key(options, folder).note_key if options.show_key else None
    if options.json:
        told = {"vkey": str(own) if own else None, "trusted": [str(key) for key in trusted], "added": [str(key) for key in added]}
        output.data(told)
        return 0
    for key in trusted:
        output.say(key.name, ": ", "is believed here from now on" if key in added else "was believed here before", stream=sys.stderr)
    if own is not None:
        output.say(str(own))
    return 0


def _key(options: argparse.Namespace, folder: StateFolder) -> Ratifier:
    if options.key is not None:
        return Ratifier.read(Path(options.key))
    key, made = Ratifier.of(folder.keys)
    if made:
        output.error(
            f"made the key {key.name} in {folder.keys}; if that is a surprise, another folder is named by `--state` or LICET_STATE"
        )
    return key


def _standing(target: Path) -> str | None:
    """The text that stands at the target."""
    try:
        return read_file(target)
    except ManifestError as error:
        if target.exists():
            raise UsageError(f"{error}; or move it away") from error
        return None


def _show(act: Act, before: Before, differences: list[Difference] | None) -> None:
    manifest = act.manifest
    if differences is None:
        output.say(f"{act.target}: {before.why_not}; all of it counts as new: {_counts(manifest)}")
        return
    ways = [f"{sum(each.way == way for each in differences)} {way}" for way in _STYLES]
    output.say(f"{act.target}: against {before.told}: {', '.join(ways)}; {_counts(manifest)}")
    widest_first = sorted(differences, key=lambda each: list(_STYLES).index(each.way))
    for each in widest_first[:_SHOWN]:
        output.say("  ", output.paint(each.way, _STYLES[each.way]), f": {each.sentence}")
    if len(differences) > _SHOWN:
        output.say(f"  … and {len(differences) - _SHOWN} more: `licet diff` lists them")


def _counts(manifest: Manifest) -> str:
    baselines = [task.baseline for task in manifest.tasks.values() if task.baseline is not None]
    learned = (
        f", {counted(len(baselines), 'baseline')} of {counted(sum(each.sessions for each in baselines), 'session')}" if baselines else ""
    )
    return f"{counted(len(manifest.tools), 'tool')}, {counted(len(manifest.tasks), 'task kind')}{learned}"


def _already(options: argparse.Namespace, act: Act, found: Ratification) -> int:
    """Nothing is signed, so that no key is believed for it. Comments and layout of the draft may be other ones."""
    if act.standing != act.text:
        if not options.yes and not _agreed(f"{act.target}: is ratified already; is its text to be replaced by that of {act.source}?"):
            return 1
        put_manifest(act)
    if options.json:
        output.data(
            {"file": str(act.target), "ratification": str(file_of(act.target)), "manifest": found.manifest, "version": found.version,
             "by": found.by, "time": found.time, "replaces": found.replaces or None, "key": None, "already": True,
             "compared_to": None, "differences": [], "ledger": None}
        )  # fmt: skip
    else:
        output.say(f"{act.target}: is ratified already: version {found.version}, by {found.by}, {found.time}")
    return 0


def _agreed(question: str) -> bool:
    """Whether the person at the terminal says yes."""
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask on; --yes ratifies without asking")
    output.write(f"{question} [yes/no] ", stream=sys.stderr)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() == "yes"
