"""The reason codes of findings: a closed list. What each means, how grave it is, what it stands for elsewhere, what to do.

References: OWASP Non-Human Identities Top 10 (2025), OWASP Top 10 for Agentic Applications (2026), NIST CSF 2.0, MITRE ATT&CK v18.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from licet.records import Severity


class Code(NamedTuple):
    """One reason code.

    Attributes:
        name: as findings carry it.
        title: a few words.
        severity: where a detector says nothing else.
        points: of a signal that is no alert, where a detector says nothing else.
        references: identifiers of catalogues.
        action: what to do, a sentence.
    """

    name: str
    title: str
    severity: Severity
    points: float
    references: tuple[str, ...]
    action: str


_ALL: Final = (
    Code("POST_REVOCATION_USE", "used after it was revoked", "critical", 100, ("NHI1", "ASI03", "PR.AA-01", "DE.CM-09", "T1078.004"),
         "End the credential where it is checked, and find out who holds it: its revocation did not reach that system."),
    Code("POST_ROTATION_USE", "an old version is used after its rotation", "high", 100, ("NHI1", "NHI7", "ASI03", "DE.CM-09", "T1550.001"),
         "Revoke the old version, and find out who holds it still."),
    Code("POST_JOB_USE", "used after its job has ended", "high", 100, ("NHI1", "NHI9", "ASI03", "DE.CM-09", "T1550.001"),
         "Revoke the credential, and find out where the job left it."),
    Code("REACTIVATED", "activated again, though another ended it", "high", 100, ("NHI1", "ASI03", "DE.CM-09", "T1098.001"),
         "Ask who activated it and why; end it where it is checked, as its end says."),
    Code("EXPIRED_ACCEPTED", "accepted after it has expired", "high", 100, ("NHI1", "NHI7", "ASI03", "DE.CM-09", "T1550.001"),
         "Revoke the credential, and correct the system that took it: it does not look at the date."),
    Code("REVIVED", "used again after a long rest", "high", 100, ("NHI1", "NHI7", "DE.CM-03", "T1078.004"),
         "Ask the owner whether the work began again; if not, revoke it."),
    Code("ENV_CROSSING", "used in another environment than its own", "high", 100, ("NHI8", "ASI03", "DE.CM-09", "T1078.004", "T1199"),
         "Take away what it may do there, or declare the edge if it belongs to its work."),
    Code("CONCURRENT_HOLDERS", "two holders at once", "high", 100, ("NHI2", "NHI9", "ASI03", "DE.CM-09", "T1528", "T1550.001"),
         "Rotate the credential, and find out which of the two is not its owner."),
    Code("GENERATION_MISMATCH", "renewed by a stale copy", "critical", 100, ("NHI4", "ASI03", "DE.CM-09", "T1550.001"),
         "Lock the credential: two hold it, and one of them has a copy."),
    Code("OUT_OF_PURPOSE_USE", "used for what it is not for", "high", 100, ("NHI5", "ASI03", "PR.AA-05", "DE.CM-09", "T1078.004"),
         "Ask the owner; take the permission away, or declare the use."),
    Code("OUT_OF_REGION_USE", "used in a region that is not its own", "high", 100, ("NHI5", "DE.CM-09", "DE.AE-07", "T1535"),
         "Ask the owner; shut the region for it, or declare it."),
    Code("OUT_OF_NETWORK_USE", "used from a network that is not its own", "high", 100, ("NHI2", "DE.CM-09", "DE.AE-07", "T1078.004"),
         "Rotate the credential unless the owner knows the network; then declare it."),
    Code("UNOWNED_ACTIVE", "active, and nobody owns it", "medium", 30, ("NHI1", "PR.AA-01", "DE.AE-07", "T1136.003"),
         "Find who made it and give it an owner (`licet inventory set-owner`), or turn it off."),
    Code("HUMAN_USE", "a person uses a machine's identity", "high", 100, ("NHI10", "DE.CM-03", "T1078.004"),
         "Ask who it was; give people accounts of their own, and rotate what the person knows."),
    Code("SHARED_CREDENTIAL", "one credential, several users", "medium", 30, ("NHI9", "PR.AA-01", "T1078"),
         "Give each its own credential; until then no use of this one is anybody's for certain."),
    Code("APP_SCOPE_WIDENED", "an application may do more", "high", 40, ("NHI3", "ASI04", "DE.CM-06", "T1098.001", "T1528"),
         "Ask who consented and why; take the scope back if nobody can say."),
    Code("APP_CREDENTIAL_ADDED", "an application has one more secret", "high", 40, ("NHI3", "ASI04", "DE.CM-06", "T1098.001"),
         "Remove the secret unless its owner put it there."),
    Code("APP_FIRST_RESOURCE", "an application uses what it never used, after a change", "high", 40,
         ("NHI3", "ASI04", "DE.CM-06", "T1528"), "See whether the new use belongs to the change, and whether somebody wanted the change."),
    Code("SELF_GRANT", "gave itself a permission", "high", 40, ("NHI5", "ASI03", "DE.AE-02", "T1098.003"),
         "Take the permission back, and the right to give permissions too."),
    Code("SELF_ISSUE", "a new credential was made and used from elsewhere", "high", 30, ("NHI5", "ASI03", "DE.AE-02", "T1098.001"),
         "Revoke the new credential and the one it was made with."),
    Code("GRANT_ADDED", "has a new permission", "low", 20, ("NHI5", "ASI03", "PR.AA-05", "T1098.003"),
         "See whether the permission is needed for its purpose."),
    Code("CANARY_TOUCHED", "a canary was touched", "critical", 100, ("NHI2", "ASI10", "DE.CM-09", "T1552"),
         "Whoever used it found it where it lay: look for him there, and rotate what lies beside it."),
    Code("ANONYMOUS_USE", "let in without any credential", "high", 100, ("NHI4", "PR.AA-03", "DE.CM-09", "T1133"),
         "Take away what `system:anonymous` and its groups may do, and turn anonymous requests off; see what was done meanwhile."),
    Code("LOGGING_DISABLED", "logging was turned off", "critical", 100, ("ASI08", "DE.CM-09", "T1562.008"),
         "Turn the logging on again, and look at what its author did before and after."),
    Code("SOURCE_SILENT", "a source of logs is silent", "medium", 50, ("ASI08", "DE.CM-09", "T1562.008"),
         "See whether the source still writes and whether its logs still arrive; until then nothing is known of it."),
    Code("RECORDS_REFUSED", "records that could not be read", "medium", 50, ("ASI08", "DE.CM-09", "T1562.008"),
         "Look at the records that are named: whoever wrote them may have wanted to hide in them; then mend how they are made."),
    Code("STALE_ACTIVE", "not used for long, and not ended", "info", 0, ("NHI1", "NHI7", "PR.AA-01"),
         "End it, unless the owner says what it waits for."),
    Code("ROTATION_OVERLAP", "the old version is used beside the new one", "info", 0, ("NHI7", "PR.AA-01"),
         "Nothing, if the old version ends soon."),
    Code("NEW_NETWORK", "a network that it never came from", "low", 40, ("NHI2", "DE.CM-09", "DE.AE-07", "T1078.004"),
         "Ask the owner whether its workload moved."),
    Code("NEW_REGION", "a region that it never worked in", "low", 40, ("DE.CM-09", "DE.AE-07", "T1535"),
         "Ask the owner whether its workload moved."),
    Code("NEW_AGENT", "a program that it never used", "low", 30, ("DE.CM-09", "DE.AE-07", "T1078.004"),
         "Ask the owner whether its program changed."),
    Code("NEW_API", "an operation that it never did", "low", 30, ("NHI5", "DE.CM-09", "DE.AE-07"),
         "See whether the operation belongs to its purpose."),
    Code("NEW_TOOL", "a tool that it never used", "low", 30, ("ASI02", "DE.CM-09"), "See whether the tool belongs to its task."),
    Code("RATE", "far more than ever", "low", 30, ("DE.CM-09", "DE.AE-02"), "See what it does so much of."),
    Code("SENSITIVE_ACTION", "changed permissions, credentials or logging, or read secrets", "low", 30, ("NHI5", "DE.CM-09"),
         "See whether the action belongs to its purpose."),
    Code("DENIED_AFTER_END", "tried after its end, and denied", "low", 20, ("NHI1", "DE.CM-09", "T1078.004"),
         "Find who holds the ended credential still: a forgotten copy, or somebody who tries."),
    Code("PROBE_AUTHENTICATES", "an ended credential still authenticates", "high", 100, ("NHI1", "NHI7", "ASI03", "PR.AA-01"),
         "End it where it is checked; its revocation or rotation did not reach that system."),
    Code("DRILL_FORGERY", "claims to be a drill, and is none", "critical", 100, ("DE.CM-09",),
         "Treat it as misuse: nobody announced it."),
)  # fmt: skip

CODES: Final[Mapping[str, Code]] = {code.name: code for code in _ALL}
"""By name."""
