"""The token authority as a service (`licet serve`): HTTP in front of `licet.guard.authority`. Needs the extra `server`."""
