"""The ledger: an append-only file of hash-linked records. What a call was about to do is written before it runs."""

from licet.ledger.log import Ledger, LedgerCheck, verify

__all__ = ["Ledger", "LedgerCheck", "verify"]
