"""An owner is whom somebody states: what a directory's log calls one ends nothing."""

from __future__ import annotations

import pytest

from licet.inventory.store import Inventory
from stories import DAY, HOUR, ME, Story, happened, use

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library


@pytest.mark.parametrize(
    "source, reason, gone",
    [("entra", "removed: eve", False), ("entra", "added: eve", False), ("lifecycle", "", True), ("declared", "", True)],
    ids=["removed", "added", "told here", "set here"],
)
def test_a_directory_that_tells_of_owners_makes_none(source: str, reason: str, *, gone: bool) -> None:
    """Who may change an application there can make himself its owner, and nobody is told by that."""
    told = happened(6 * HOUR, "owner_changed", identity=ME, by="eve", reason=reason)._replace(source=source)
    signals = Story([use(0), told, use(2 * DAY)], owned=False).signals(Inventory(":memory:"))
    assert ("UNOWNED_ACTIVE" not in {each.code for each in signals}) == gone
