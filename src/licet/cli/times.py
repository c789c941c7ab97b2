"""Points in time and days, as arguments."""

from __future__ import annotations

import argparse
import re
import time
from datetime import UTC, date, datetime, timedelta

_AGE = re.compile(r"[1-9][0-9]{0,8}(ms|s|m|h|d)", re.ASCII)


def moment(given: str) -> float:
    """A time, or how long ago it is, as seconds since the epoch: an argument's type.

    Raises:
        argparse.ArgumentTypeError: it is neither.
    """
    if _AGE.fullmatch(given):
        from licet.cli.acts import seconds  # brings the manifest's words with it

        return time.time() - seconds(given)
    try:
        found = datetime.fromisoformat(given)
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise argparse.ArgumentTypeError("must be a time, such as 2026-11-23T10:30Z, or how long ago, such as 2h") from error


def end_of_day(given: str) -> float:
    """The end of a day, UTC, as seconds since the epoch: an argument's type.

    Raises:
        argparse.ArgumentTypeError: it is no day.
    """
    try:
        following = date.fromisoformat(given) + timedelta(days=1)
        return datetime(following.year, following.month, following.day, tzinfo=UTC).timestamp()
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError("must be a day, such as 2026-12-31; it is the last on which it holds") from error
