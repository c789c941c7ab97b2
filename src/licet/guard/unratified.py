"""What a guard does about the ratification of its manifest when it starts: it remembers it, or says once that there is none."""

from __future__ import annotations

import logging

from licet.catalogue import CHECKS
from licet.clock import iso
from licet.errors import KeyFileError
from licet.escape import visible
from licet.guard.learned import Learned
from licet.guard.ratified import NotRatified, Ratified, ratification
from licet.guard.ratifier import remember
from licet.guard.recorder import Recorder
from licet.guard.state import StateFolder
from licet.manifest import Manifest
from licet.records import Reason

_log = logging.getLogger("licet")
UNRATIFIED, NOVEL = "manifest.unratified", "chain.novel"
_LONGEST = 2_000  # characters of a line of the log
_SHOWN = 3  # baselines that a sentence names


def at_start(manifest: Manifest, folder: StateFolder) -> Ratified | NotRatified:
    """Whether the manifest is ratified. If it is, no older version will count here from now on."""
    found = ratification(manifest, folder)
    if isinstance(found, NotRatified):
        return found
    try:
        remember(folder.keys, manifest.source, found.ratification)
    except KeyFileError as error:  # an older version could not be told from this one later
        return NotRatified(str(error), alarming=True)
    return found


def say(manifest: Manifest, learned: Learned, found: Ratified | NotRatified, recorder: Recorder, now: float) -> None:
    """A warning in the log, and a finding for each owner of an agent that it concerns: that the manifest is not ratified, and that a
    baseline is not in force. Of the same findings the store keeps one a day, however often guards start.

    Nothing is said of a manifest that has no baseline and that nobody ever ratified.
    """
    based = {kind for kind, task in manifest.tasks.items() if task.baseline is not None}
    if isinstance(found, NotRatified) and (based or found.alarming):
        sentence = f"the manifest is not ratified: {found.why}" + ("; until it is, its baselines only flag" if based else "")
        severity = "medium" if found.alarming else "low"
        _keep(_reason(UNRATIFIED, sentence), severity, manifest, based or set(manifest.tasks), recorder=recorder, now=now)
    misfits = list(learned.misfits())
    if misfits:
        told = [f"the baseline of `{kind}` is not in force for `{agent}`: {why}" for kind, agent, why in misfits[:_SHOWN]]
        more = [f"nor are {len(misfits) - _SHOWN} others; `licet check` lists them"] if len(misfits) > _SHOWN else []
        _keep(_reason(NOVEL, "; ".join(told + more)), "low", manifest, {kind for kind, *_ in misfits}, recorder=recorder, now=now)


def _reason(check: str, sentence: str) -> Reason:
    return Reason(check, "flag", sentence, references=CHECKS[check].references)


def _keep(found: Reason, severity: str, manifest: Manifest, kinds: set[str], *, recorder: Recorder, now: float) -> None:
    _log.warning("licet: %s", visible(f"{manifest.source}: {found.sentence}", _LONGEST))
    owners = [agent.owner or "" for agent in manifest.agents.values() if kinds & set(agent.tasks)]
    for owner in dict.fromkeys(owners or [""]):
        once = f"{found.check} {owner} {manifest.digest} {found.sentence} {iso(now)[:10]}"
        recorder.finding(found, severity, owner=owner, once=once)
