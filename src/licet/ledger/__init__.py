"""The ledger: an append-only log of records under signed checkpoints. What a call was about to do is written before it runs."""

from licet.ledger.log import Ledger
from licet.ledger.reader import LedgerFiles
from licet.ledger.signer import LedgerKey

__all__ = ["Ledger", "LedgerFiles", "LedgerKey"]
