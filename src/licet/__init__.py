"""Licet keeps an AI agent within its task.

    from licet import Guard

    guard = Guard.from_file("licet.yaml")

    @guard.tool
    def send_email(to: str, body: str) -> str: ...

    with guard.task("answer-ticket", intent="Answer ticket 4312 from Ada", agent="support-bot", principal="user:grace"):
        send_email(to="ada@acme.example", body="...")  # raises licet.Denied if the task does not allow it

The words are explained in docs/architecture.md, the manifest in docs/manifest.md.
"""

from typing import TYPE_CHECKING, Any

from licet.lazy import exports
from licet.version import VERSION

if TYPE_CHECKING:
    from licet.approval import ApprovalRequest, Approver, ConsoleApprover
    from licet.errors import Denied, LicetError, ManifestError, StateError, TokenRefused, UsageError
    from licet.guard import Guard, GuardedTask, Ticket, current_call
    from licet.records import Decision, Finding, Reason, ToolCall
    from licet.tokens import CallClaims, KeySet, MemoryState, Proof, TokenState, Verifier, verify

__version__ = VERSION

# Imported when first asked for: the command line needs little of it, and starts at once.
_HOME = {
    "licet.approval": "ApprovalRequest Approver ConsoleApprover",
    "licet.errors": "Denied LicetError ManifestError StateError TokenRefused UsageError",
    "licet.guard": "Guard GuardedTask Ticket current_call",
    "licet.records": "Decision Finding Reason ToolCall",
    "licet.tokens": "CallClaims KeySet MemoryState Proof TokenState Verifier verify",
}


def __getattr__(name: str) -> Any:
    return exports(__name__, _HOME, name)


__all__ = [
    "ApprovalRequest",
    "Approver",
    "CallClaims",
    "ConsoleApprover",
    "Decision",
    "Denied",
    "Finding",
    "Guard",
    "GuardedTask",
    "KeySet",
    "LicetError",
    "ManifestError",
    "MemoryState",
    "Proof",
    "Reason",
    "StateError",
    "Ticket",
    "TokenRefused",
    "TokenState",
    "ToolCall",
    "UsageError",
    "Verifier",
    "current_call",
    "verify",
]
