"""What one call would take from each budget of its task, and of every task above it. Pure; the store keeps the counts."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from licet.canonical import Plain, digest
from licet.manifest import Budget
from licet.records import EXACT, Claim
from licet.scope import CompiledGrant, leaves


class BudgetRefusal(ValueError):
    """A call cannot be counted, so that it cannot be allowed: for example a `sum` over something that is not a number."""


@dataclass(frozen=True, slots=True)
class TaskBudgets:
    """The budgets that one task owns: a sub-task's call is counted here too."""

    task_id: str
    grants: Mapping[str, int]  # tool → at most so many calls
    budgets: tuple[Budget, ...]

    @property
    def digest(self) -> str:
        """`sha256:` of whose they are and what they allow: by it budgets are compared where only tokens are at hand."""
        budgets: list[Plain] = [budget.model_dump(mode="json", exclude_unset=True) for budget in self.budgets]
        return digest({"task": self.task_id, "calls": dict(self.grants), "budgets": budgets})


def owned(task_id: str, grants: Iterable[Mapping[str, CompiledGrant]], budgets: Iterable[Budget]) -> TaskBudgets:
    """The budgets of one task: the smallest `at_most` that its own layers give each tool, and its budget list."""
    smallest: dict[str, int] = {}
    for layer in grants:
        for tool, grant in layer.items():
            if grant.at_most is not None:
                smallest[tool] = min(grant.at_most, smallest.get(tool, grant.at_most))
    return TaskBudgets(task_id, smallest, tuple(budgets))


def claims(owner: TaskBudgets, tool: str, plain: Mapping[str, Plain]) -> list[Claim]:
    """What a call of `tool` takes from each budget of `owner`.

    Raises:
        BudgetRefusal: a counted argument is missing, negative or not a number.
    """
    found: list[Claim] = []
    if tool in owner.grants:
        found.append(Claim(owner.task_id, f"calls of {tool}", "calls", Decimal(owner.grants[tool])))
    for index, budget in enumerate(owner.budgets):
        if tool in budget.of:
            found.append(_claim(owner.task_id, index, budget, plain))
    return found


def _claim(task_id: str, index: int, budget: Budget, plain: Mapping[str, Plain]) -> Claim:
    tools = ", ".join(budget.of)
    if budget.rate is not None and budget.per is not None:
        window = budget.per.total_seconds()
        return Claim(task_id, f"{index}: rate of {tools}", "rate", Decimal(budget.rate), window=window)
    limit = Decimal(0) if budget.at_most is None else budget.at_most
    if budget.sum is not None:
        amount = functools.reduce(EXACT.add, (_amount(budget.sum, leaf) for leaf in leaves(_argument(budget.sum, plain))), Decimal(0))
        return Claim(task_id, f"{index}: sum of {budget.sum} of {tools}", "sum", limit, amount)
    if budget.distinct is not None:
        values = sorted({digest(entry) for entry in _entries(_argument(budget.distinct, plain))})
        return Claim(task_id, f"{index}: distinct {budget.distinct} of {tools}", "distinct", limit, values=tuple(values))
    return Claim(task_id, f"{index}: calls of {tools}", "calls", limit)


def _entries(value: Plain) -> Iterator[Plain]:
    """What `distinct` counts: each item of a list; of an object each key with what stands behind it (keys are recipients too)."""
    if isinstance(value, list):
        for item in value:
            yield from _entries(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from ([key, entry] for entry in (list(_entries(item)) or [None]))
    else:
        yield value


def _argument(name: str, plain: Mapping[str, Plain]) -> Plain:
    if name not in plain:
        raise BudgetRefusal(f"argument `{name}` is counted by a budget and missing")
    return plain[name]


def _amount(name: str, leaf: Plain) -> Decimal:
    if isinstance(leaf, bool) or not isinstance(leaf, (int, float)):
        raise BudgetRefusal(f"argument `{name}` is summed by a budget and holds something that is not a number")
    amount = Decimal(str(leaf))
    if amount < 0:
        raise BudgetRefusal(f"argument `{name}` is summed by a budget and holds a negative number")
    return amount
