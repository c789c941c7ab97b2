"""A simulated year of some two thousand identities on five platforms, in the platforms' own log formats, with planted misuse.

    python -m benchmarks.identity_year.generate OUT --seed N     # the logs, the inventory, the lifecycle, and the truth
    python -m benchmarks.identity_year --seeds 1,2               # generate, ingest, monitor, and hold the findings against the truth

The generator knows nothing of detectors. What is planted, and what must stay silent, follows from the contracts of `docs/` alone; it was
committed before any detector was tuned.
"""
