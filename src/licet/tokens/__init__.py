"""Call tokens: one short-lived signed JWT for one call, which anyone with the JWKS can verify."""

from licet.tokens.issuer import DEFAULT_SECONDS, MAX_SECONDS, TYPE, CallToken, Issuer
from licet.tokens.keys import SigningKey, load_or_create

__all__ = ["DEFAULT_SECONDS", "MAX_SECONDS", "TYPE", "CallToken", "Issuer", "SigningKey", "load_or_create"]
