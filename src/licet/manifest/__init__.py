"""The manifest: what is declared. `load(path)` reads one strictly; `Manifest` is what the rest of Licet sees."""

from licet.manifest.arguments import Argument
from licet.manifest.identities import IssuerKind, TrustedIssuer
from licet.manifest.loader import adopt, load, loads
from licet.manifest.models import START, Agent, Budget, Credential, Grant, Manifest, Owner, TaskKind, Tool
from licet.manifest.words import duration

__all__ = [
    "START",
    "Agent",
    "Argument",
    "Budget",
    "Credential",
    "Grant",
    "IssuerKind",
    "Manifest",
    "Owner",
    "TaskKind",
    "Tool",
    "TrustedIssuer",
    "adopt",
    "duration",
    "load",
    "loads",
]
