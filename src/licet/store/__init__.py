"""What outlives a process and is shared by many: tasks, calls, budgets, findings. SQLite in one file by default."""

from licet.store.interface import Store, Transaction
from licet.store.sqlite import SqliteStore

__all__ = ["SqliteStore", "Store", "Transaction"]
