"""What the tests of attacks have in common."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from forge import DEFINITION, TASK, Desk


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A desk at which a good token is still taken after the attack: what was refused was the attack, and nothing was used up by it."""
    made = Desk()
    yield made
    made.verify(made.token(), task=TASK, definition=DEFINITION)
