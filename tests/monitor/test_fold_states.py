"""A state comes back as it was kept, whatever it holds."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import pytest

from licet.monitor.states import state_of, state_text

STATES: dict[str, dict[str, Any]] = {
    "texts": {"a": {'é\n"\\\u2028': ["😀", "", "\x00\x7f"]}},
    "numbers": {"a": [0, -1, 2**63, -(2**80), 1.0, 0.1, 1e22, 1e-7, 1_760_000_000.123, sys.float_info.max, 5e-324, -0.0]},
    "infinity": {"until": math.inf, "since": -math.inf},
    "words": {"a": [True, False, None, [], {}]},
    "half a character": {"a": ["\ud800", "b"]},
}


@pytest.mark.parametrize("name", STATES)
def test_a_state_comes_back_as_it_was_kept_to_the_last_bit(name: str) -> None:
    """As the standard library would have kept it, which earlier versions wrote."""
    state = STATES[name]
    kept = state_text(state)
    kept.encode()  # SQLite holds no half characters
    assert repr(state_of(kept)) == repr(json.loads(kept)) == repr(state)
    assert repr(state_of(json.dumps(state, separators=(",", ":")))) == repr(state)
