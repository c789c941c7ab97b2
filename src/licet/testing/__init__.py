"""For your own tests: a clock that you turn, keys that are kept nowhere, an approver that answers as told, and a table of calls.

    from licet.testing import Row, check_table

    def test_the_manifest_holds(tmp_path):
        check_table("licet.yaml", [
            Row("answer-ticket", "support-bot", "send_email", {"to": "eve@evil.example", "body": "x"}, "deny", "scope.argument"),
        ], tmp_path)

The pytest fixture of the same name comes with `pytest_plugins = ["licet.testing.plugin"]` in your `conftest.py`.
"""

from licet.testing.fakes import FakeClock, RecordingApprover, ephemeral_key, guard_for
from licet.testing.table import Row, check_table

__all__ = ["FakeClock", "RecordingApprover", "Row", "check_table", "ephemeral_key", "guard_for"]
