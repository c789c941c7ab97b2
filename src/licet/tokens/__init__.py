"""Call tokens: one short-lived signed JWT for one call, which anyone with the JWKS can verify."""

from licet.tokens.algorithms import KeySet
from licet.tokens.claims import ACCESS_TYPE, CALL_TYPE, DEFAULT_SECONDS, MAX_SECONDS, CallClaims
from licet.tokens.dpop import Proof, prove
from licet.tokens.issuer import CallToken, Issuer, Minting
from licet.tokens.keys import FixedKeys, KeySource, Signer, SigningKey, key_of_environment
from licet.tokens.ring import KeyRing
from licet.tokens.state import MemoryState, TokenState
from licet.tokens.verifier import Verifier, verify

__all__ = [
    "ACCESS_TYPE",
    "CALL_TYPE",
    "DEFAULT_SECONDS",
    "MAX_SECONDS",
    "CallClaims",
    "CallToken",
    "FixedKeys",
    "Issuer",
    "KeyRing",
    "KeySet",
    "KeySource",
    "MemoryState",
    "Minting",
    "Proof",
    "Signer",
    "SigningKey",
    "TokenState",
    "Verifier",
    "key_of_environment",
    "prove",
    "verify",
]
