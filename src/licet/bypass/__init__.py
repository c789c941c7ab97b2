"""The bypass finder: what ran, held against what the guard saw."""

from licet.bypass.coverage import Coverage, Run, compare
from licet.bypass.looks import Look
from licet.bypass.matching import Match
from licet.bypass.ran import Ran, Running, ran_in

__all__ = ["Coverage", "Look", "Match", "Ran", "Run", "Running", "compare", "ran_in"]
