"""Recorded runs, judged again: what would this manifest have said to each call?"""

from licet.replay.run import Replay
from licet.replay.sessions import Bad, RecordedCall, Session, read
from licet.replay.statistics import KindStatistics, Statistics

__all__ = ["Bad", "KindStatistics", "RecordedCall", "Replay", "Session", "Statistics", "read"]
