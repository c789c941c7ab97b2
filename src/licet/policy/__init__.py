"""Judging one call: a request and facts go in, a decision comes out. Nothing here reads a clock, a file or a store."""

from licet.policy.engine import CHECKS_OF_A_CALL, decide
from licet.policy.request import Facts, Measure, Request

__all__ = ["CHECKS_OF_A_CALL", "Facts", "Measure", "Request", "decide"]
