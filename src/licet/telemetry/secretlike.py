"""Whether a text holds what looks like a token, a private key or a secret. For looking at what has been exported, not for stopping it."""

from __future__ import annotations

import re

_LOOKS = (
    ("a token", re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{4,}", re.ASCII)),
    ("a private key", re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----")),
    ("a private key", re.compile(r'"(?:d|k)"\s*:\s*"[\w-]{20,}"', re.ASCII)),  # of a JSON Web Key
    ("a secret", re.compile(r"\b(?:sk[-_]|rk_|ghp_|gho_|ghs_|github_pat_|glpat-|xox[abeprs]-|AIza|AKIA|ASIA)[\w-]{14,}", re.ASCII)),
    ("a secret", re.compile(r"(?i)\b(?:bearer|basic|dpop)\s+[\w.~+/-]{16,}=*", re.ASCII)),
    ("a secret", re.compile(r"(?i)\b(?:password|passwd|secret|api[_-]?key|access[_-]?token)\b\"?\s*[:=]\s*\"?[^\s\"]{4,}", re.ASCII)),
    ("a secret", re.compile(r"://[^\s/:@]{1,100}:[^\s/@]{1,200}@")),  # a password in an address
)


def secret_in(text: str) -> str:
    """What the text holds: `a token`, `a private key`, `a secret`; empty if nothing in it looks like one."""
    return next((what for what, form in _LOOKS if form.search(text)), "")
