"""Witnesses: who cosigns what goes on from what was cosigned before, and refuses a fork or a rollback; and the log's side of it."""
