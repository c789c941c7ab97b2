"""Recorded runs, judged again: what would this manifest have said to each call?"""

from licet.replay.kept import Kept, KeptCall
from licet.replay.run import Replay, group_of
from licet.replay.sessions import Bad, RecordedCall, Session, read
from licet.replay.spans import SpanSessions, sessions_from, sessions_in
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
    "SpanSessions",
    "Statistics",
    "group_of",
    "read",
    "sessions_from",
    "sessions_in",
]
