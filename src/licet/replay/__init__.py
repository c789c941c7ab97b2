"""Recorded runs, judged again: what would this manifest have said to each call?"""

from licet.replay.backtest import Backtest, Moving
from licet.replay.changes import ChangedCall, Changes, Said
from licet.replay.coverage import Coverage
from licet.replay.kept import Kept, KeptCall
from licet.replay.run import Replay, group_of
from licet.replay.sessions import Bad, RecordedCall, Session, read
from licet.replay.spans import SpanSessions, sessions_from, sessions_in
from licet.replay.statistics import GROUPS, CheckCounts, Group, KindStatistics, SessionCounts, Statistics
from licet.replay.verdicts import CHANGES, CallOutcome, SessionOutcome, Verdict, told

__all__ = [
    "CHANGES",
    "GROUPS",
    "Backtest",
    "Bad",
    "CallOutcome",
    "ChangedCall",
    "Changes",
    "CheckCounts",
    "Coverage",
    "Group",
    "Kept",
    "KeptCall",
    "KindStatistics",
    "Moving",
    "RecordedCall",
    "Replay",
    "Said",
    "Session",
    "SessionCounts",
    "SessionOutcome",
    "SpanSessions",
    "Statistics",
    "Verdict",
    "group_of",
    "read",
    "sessions_from",
    "sessions_in",
    "told",
]
