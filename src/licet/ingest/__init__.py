"""Logs of other platforms, one small file per source, each mapping one native record to events."""
