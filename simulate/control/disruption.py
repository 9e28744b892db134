"""PodDisruptionBudgets and evictions (kubernetes-semantics.md 8.5). Only evictions ask them: rollouts and scale-downs do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from simulate.control.rollout import scaled

EVICTION_RETRY_S = 5.0
"""A drain tries a refused eviction again after so long."""

MEMORY_S = 120.0
"""An evicted pod that is not gone counts as not healthy for so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A budget's spec: exactly one of the two, a number or a percentage."""

    minimum: int | str | None = None
    maximum: int | str | None = None
    policy: Literal["IfHealthyBudget", "AlwaysAllow"] = "IfHealthyBudget"


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetStatus:
    """What the controller publishes."""

    allowed: int
    healthy: int
    desired: int
    expected: int


def status(budget: Budget, owners: Sequence[int], matching: int, healthy: int) -> BudgetStatus:
    """The numbers of a budget. `owners`: the scale of each controller that owns at least one matching pod. Percentages round up.

    Pods without a controller count only for a whole-number minimum.

    >>> status(Budget(minimum="28%"), [11], 11, 5)
    BudgetStatus(allowed=1, healthy=5, desired=4, expected=11)
    """
    expected = sum(owners)
    if budget.maximum is not None:
        desired = max(0, expected - scaled(budget.maximum, expected, up=True))
    elif isinstance(budget.minimum, str) and budget.minimum.endswith("%"):
        desired = scaled(budget.minimum, expected, up=True)
    else:
        expected, desired = matching, int(budget.minimum or 0)
    allowed = max(0, healthy - desired) if expected > 0 else 0
    return BudgetStatus(allowed=allowed, healthy=healthy, desired=desired, expected=expected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Eviction:
    """The answer to an eviction: 200 goes (`consumes`: it takes one allowed disruption), 429 try again, 500 cannot be decided."""

    code: Literal[200, 429, 500]
    consumes: bool = False
    reason: str = ""


def evict(
    budgets: Sequence[tuple[Budget, BudgetStatus]], *, phase: str = "Running", ready: bool = True, terminating: bool = False
) -> Eviction:
    """Whether a pod may be evicted; `budgets` are those that match it.

    >>> evict([(Budget(minimum=1), BudgetStatus(allowed=0, healthy=1, desired=1, expected=1))]).code
    429
    """
    if terminating or phase in ("Pending", "Succeeded", "Failed") or not budgets:
        return Eviction(code=200)
    if len(budgets) > 1:
        return Eviction(code=500, reason="This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.")
    budget, now = budgets[0]
    if not ready and (budget.policy == "AlwaysAllow" or now.healthy >= now.desired > 0):
        return Eviction(code=200)
    if now.allowed > 0:
        return Eviction(code=200, consumes=True)
    return Eviction(code=429, reason="Cannot evict pod as it would violate the pod's disruption budget.")
