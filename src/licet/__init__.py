"""Licet keeps an AI agent within its task.

    from licet import Guard

    guard = Guard.from_file("licet.yaml")

    @guard.tool
    def send_email(to: str, body: str) -> str: ...

    with guard.task("answer-ticket", intent="Answer ticket 4312 from Ada", agent="support-bot", principal="user:grace"):
        send_email(to="ada@acme.example", body="...")  # raises licet.Denied if the task does not allow it

The words are explained in docs/architecture.md, the manifest in docs/manifest.md.
"""

from licet.approval import ApprovalRequest, Approver, ConsoleApprover
from licet.errors import Denied, LicetError, ManifestError, StateError, TokenRefused, UsageError
from licet.guard import Guard, GuardedTask, Ticket, current_call
from licet.records import Decision, Finding, Reason, ToolCall
from licet.tokens import CallClaims, KeySet, MemoryState, Proof, TokenState, Verifier, verify
from licet.version import VERSION

__version__ = VERSION

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
