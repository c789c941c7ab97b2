"""Names that are found to be of one identity, written into the inventory: those that records show, and those that are likely."""

from __future__ import annotations

from collections.abc import Iterator

from licet.inventory.faces import Face, FirstUse, faces_of
from licet.inventory.rows import lifecycle_of
from licet.inventory.store import Inventory

_DECLARED = 1.0  # the confidence of what somebody declared, which is left alone


def join(inventory: Inventory) -> list[Face]:
    """Write each face under the identity that it is of, unless somebody declared one; the answer is all that was found.

    Run before judging, over everything, so that the order in which it came does not matter: what was likely is taken back where more is
    known now. Who changes is judged anew; running it again changes nothing.

    Raises:
        StoreError: the inventory cannot be read or written.
    """
    bodies = inventory.rows("SELECT body FROM lifecycle WHERE kind='scope_widened' OR (kind='created' AND time=0)")
    found = {each.uid: each for each in faces_of((lifecycle_of(body) for (body,) in bodies), _first_uses(inventory))}
    rows = inventory.rows("SELECT id, uid, same_as, same_confidence FROM identities")
    numbers = {uid: number for number, uid, _, _ in rows}
    declared = {uid: other for _, uid, other, confidence in rows if other and confidence >= _DECLARED}
    # Whom it stands under was said to stand under another: then so does it, so that nobody has to go on from there.
    found = {uid: face._replace(same_as=declared.get(face.same_as, face.same_as)) for uid, face in found.items()}
    changed: list[tuple[str, float, int]] = []
    concerned: set[int] = set()
    for number, uid, other, confidence in rows:
        face = found.get(uid)
        now = (face.same_as, face.confidence) if face else ("", 0.0)
        if confidence < _DECLARED and (other, confidence) != now:
            changed.append((*now, number))
            concerned |= {numbers[name] for name in (uid, other, now[0]) if name in numbers}
    if changed:
        with inventory.step() as db:
            db.executemany("UPDATE identities SET same_as=?, same_confidence=? WHERE id=?", changed)
            db.executemany("INSERT OR REPLACE INTO dirty VALUES (?,?)", [(number, float("-inf")) for number in sorted(concerned)])
    return list(found.values())


def _first_uses(inventory: Inventory) -> Iterator[FirstUse]:
    """Of applications that work for persons; one that stands under another only by likelihood is looked at again."""
    query = "SELECT uid FROM identities WHERE kind='oauth_app' AND same_confidence<? AND uses>0"
    for (uid,) in inventory.rows(query, (_DECLARED,)):
        use = next(inventory.uses(uid), None)
        if use is not None and use.on_behalf_of:
            yield FirstUse(uid, use.time, use.operation, use.on_behalf_of, use.uid)
