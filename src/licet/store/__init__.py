"""What outlives a process and is shared by many: tasks, calls, budgets, findings. SQLite in one file by default."""

from licet.store.contents import Content, ContentsCopy, ContentsStore, KeptContent, content
from licet.store.interface import JudgingStore, Store, Transaction
from licet.store.memory import MemoryStore
from licet.store.purge import Purge
from licet.store.sqlite import SqliteStore

__all__ = [
    "Content",
    "ContentsCopy",
    "ContentsStore",
    "JudgingStore",
    "KeptContent",
    "MemoryStore",
    "Purge",
    "SqliteStore",
    "Store",
    "Transaction",
    "content",
]
