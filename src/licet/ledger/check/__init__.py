"""Checking a ledger offline: the bytes, the signatures, then what the records say; and naming what was done to it."""
