"""What two manifests do with what their checks find: the effect of each (`then`), and whether it is enforced or observed.

Both are inherited, each in its own way, so that they are compared as they hold for each task kind, and told where they are written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from licet.catalogue import ALWAYS_ENFORCED, CHECKS
from licet.learn.differences.found import At, Difference, both, shown
from licet.manifest.models import Manifest, Moded

_STRICT = ("flag", "ask", "deny")
_REST = ""  # every check of which nothing is said
_OUTSIDE = ""  # calls outside any task: of no kind


@dataclass(frozen=True, slots=True)
class _Said:
    """What one manifest says for one check in one task kind: of the kind's check, the check, the kind, the manifest."""

    levels: tuple[Moded | None, ...]

    @property
    def observed(self) -> date | None:
        """Until when it is only observed; None: it is enforced."""
        for moded in self.levels:
            if moded is not None and moded.mode is not None:
                return moded.until if moded.mode == "observe" else None
        return None

    @property
    def then(self) -> str | None:
        """The effect that is set for the check, if one is."""
        return next((then for moded in self.levels if (then := getattr(moded, "then", None)) is not None), None)


def checks(old: Manifest, new: Manifest) -> Iterator[Difference]:
    """What is no longer stopped, or is stopped now, by check and task kind."""
    found = dict.fromkeys(_all(old, new))
    written: dict[tuple[str, tuple[str, ...], str], list[Difference]] = {}
    for each in found:
        written.setdefault((each.way, each.path, each.sentence), []).append(each)
    for (_, path, _), several in written.items():
        first = several[0]
        # What stands at the manifest's own level is told once for all of its kinds.
        yield first if path[:1] == ("tasks",) or len(several) == 1 else replace(first, kind="")


def _all(old: Manifest, new: Manifest) -> Iterator[Difference]:
    kinds = [_OUTSIDE, *(kind for kind in new.tasks if kind in old.tasks)]
    for kind in kinds:
        for check in [_REST, *_named(old, new, kind)]:
            before, after = _said(old, kind, check), _said(new, kind, check)
            if check not in ALWAYS_ENFORCED:
                yield from _mode(_at(kind, check, before, after, "mode"), check, before.observed, after.observed)
            if check != _REST:
                yield from _then(_at(kind, check, before, after, "then"), check, before.then, after.then)


def _named(old: Manifest, new: Manifest, kind: str) -> list[str]:
    tables = [part.checks for manifest in (new, old) for part in (manifest.tasks.get(kind), manifest) if part is not None]
    return list(dict.fromkeys(check for table in tables for check in table))


def _said(manifest: Manifest, kind: str, check: str) -> _Said:
    task = manifest.tasks.get(kind)
    return _Said((task.checks.get(check) if task is not None else None, manifest.checks.get(check), task, manifest))


def _at(kind: str, check: str, old: _Said, new: _Said, key: str) -> At:
    """The narrowest place at which one of both says it: that is what has changed there, or no longer hides what changed above."""
    for level, path in enumerate((("tasks", kind, "checks", check, key), ("checks", check, key), ("tasks", kind, key), (key,))):
        if any(getattr(said.levels[level], key, None) is not None for said in (old, new)):
            return At(path, kind)
    return At((key,), kind)


def _mode(at: At, check: str, old: date | None, new: date | None) -> Iterator[Difference]:
    if old == new:
        return
    what = f"{shown(check)} is" if check in at.path else "what is not said otherwise is"
    if new is None:
        yield at.narrowed(f"{what} enforced; it was only observed, until {old}")
    else:
        was = "enforced" if old is None else f"observed until {old}"
        sentence = f"{what} only observed until {new}, and was {was}"
        yield at.widened(sentence) if old is None or new > old else at.narrowed(sentence)


def _then(at: At, check: str, old: str | None, new: str | None) -> Iterator[Difference]:
    own = CHECKS[check].effect if check in CHECKS else "deny"
    sentence = f"{shown(check)} is to {new or own}, was {old or own}"
    if old == new:
        return
    yield from at.weighed(-_weight(old, own), -_weight(new, own), sentence)


def _weight(then: str | None, own: str) -> int:
    # Written out, a check's own effect holds for those of its reasons too that would ask for less (`else: ask`).
    return 2 * _STRICT.index(own) - 1 if then is None else 2 * _STRICT.index(then)


def reasons(old: Manifest, new: Manifest) -> Iterator[Difference]:
    """Why something is only observed: a text."""
    yield from At(("reason",)).told(old.reason, new.reason, "the reason for observing")
    for kind in both(old.tasks, new.tasks):
        if kind in old.tasks and kind in new.tasks:
            yield from At(("tasks", kind, "reason"), kind).told(old.tasks[kind].reason, new.tasks[kind].reason, "the reason for observing")
