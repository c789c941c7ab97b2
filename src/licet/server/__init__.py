"""The token authority as a service of its own: `licet serve`. The embedded one needs none of this."""
