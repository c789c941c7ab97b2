"""Recorded runs, judged again: what would this manifest have said to each call?"""

from licet.replay.kept import Kept, KeptCall
from licet.replay.run import Replay, group_of
from licet.replay.sessions import Bad, RecordedCall, Session, read
from licet.replay.statistics import GROUPS, CheckCounts, Group, KindStatistics, SessionCounts, Statistics

__all__ = [
    "GROUPS",
    "Bad",
    "CheckCounts",
    "Group",
    "Kept",
    "KeptCall",
    "KindStatistics",
    "RecordedCall",
    "Replay",
    "Session",
    "SessionCounts",
    "Statistics",
    "group_of",
    "read",
]
