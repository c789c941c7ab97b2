"""The ledger, held against its own key, and how many records of which kind stand there."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from licet.assurance.facts import Ledger
from licet.errors import KeyFileError, LedgerError
from licet.ledger import LedgerFiles, LedgerKey
from licet.ledger.check.verify import verify
from licet.ledger.note import Checkpoint, NoteError, parts

# The form of records is canonical JSON: a quotation mark within a text stands behind a backslash, so that no text can look like a kind.
_KIND = re.compile(rb'"kind":"([a-z][a-z.-]{0,63})"')
_AGENT = re.compile(rb'"agent":"([^"\\\\]{0,200})"')
_PROVED = (b'"agent_is":"proved"', b'"sub_is":"proved"')
_MOST = 10  # sentences of what is wrong


def recorded(folder: Path, keys: Path) -> Ledger:
    """The ledger in `folder`, with the key in the folder `keys`; what cannot be read is said in `wrong`."""
    if not folder.exists():
        return Ledger()
    files = LedgerFiles(folder)
    try:
        key = LedgerKey.of(keys, create=False)
        verdict = verify(folder, [key.note_key], head=key.last(), semantic=False)
        kinds, acts = _counted(files)
    except (KeyFileError, LedgerError) as error:
        return Ledger(wrong=(str(error),))
    note = verdict.checkpoint
    try:
        checkpoint = Checkpoint.parse(parts(note)[0]) if note else None
    except NoteError:  # what is wrong with it stands in the verdict
        checkpoint = None
    return Ledger(
        note, checkpoint.origin if checkpoint else "", checkpoint.size if checkpoint else 0,
        base64.b64encode(checkpoint.root).decode() if checkpoint else "", verdict.records, dict(sorted(kinds.items())),
        tuple(fault.sentence for fault in verdict.faults)[:_MOST], acts,
    )  # fmt: skip


def seen_in(ledger: Ledger, drilled: Collection[str]) -> dict[str, int]:
    """By the name of a behaviour (`licet.assurance.mapping.BEHAVIOURS`), how often it was seen.

    Args:
        drilled: agents that were drawn for drills: what they did was seen to be done by nobody.
    """
    kinds = Counter(ledger.kinds)
    for (agent, kind), number in ledger.acts.items():
        kinds["proved"] += number if kind == "proved" and agent not in drilled else 0
        kinds[kind] -= number if kind != "proved" and agent in drilled else 0
    return {
        "records": sum(number for kind, number in kinds.items() if kind != "proved" and not kind.startswith(("ledger.", "drill."))),
        "ledger": ledger.records,
        "calls": sum(kinds.get(kind, 0) for kind in ("call.intent", "call.denied", "call.asked")),
        "denied": kinds.get("call.denied", 0),
        "asked": kinds.get("call.asked", 0),
        "delegations": kinds.get("delegation", 0),
        "revoked": kinds.get("revocation", 0) + kinds.get("token.revoke", 0),
        "issuers": kinds["proved"],
    }


def _counted(files: LedgerFiles) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    kinds, acts = Counter[str](), Counter[tuple[str, str]]()
    for line in files.records():
        found = _KIND.search(line)
        kind = found[1].decode() if found else "unknown"
        kinds[kind] += 1
        if (agent := _AGENT.search(line)) is not None:
            acts[agent[1].decode(), kind] += 1
            acts[agent[1].decode(), "proved"] += kind == "task.begin" and any(each in line for each in _PROVED)
    return kinds, acts
