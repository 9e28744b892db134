"""Budgets: rounding, pods without controller, and when an eviction goes past the budget."""

from __future__ import annotations

import pytest

from simulate.control.disruption import Budget, BudgetStatus, evict, status

EXHAUSTED = BudgetStatus(allowed=0, healthy=2, desired=2, expected=3)


@pytest.mark.parametrize(
    ("budget", "owners", "matching", "healthy", "allowed", "desired"),
    [
        (Budget(maximum="30%"), [7], 7, 7, 3, 4),
        (Budget(minimum="34%"), [3], 3, 3, 1, 2),
        (Budget(maximum=5), [3], 3, 3, 3, 0),
        (Budget(maximum=1), [], 4, 4, 0, 0),
        (Budget(minimum=2), [], 4, 4, 2, 2),
        (Budget(minimum="100%"), [4], 4, 4, 0, 4),
        (Budget(maximum=0), [4], 4, 4, 0, 4),
    ],
)
def test_status(budget: Budget, owners: list[int], matching: int, healthy: int, allowed: int, desired: int) -> None:
    found = status(budget, owners, matching, healthy)
    assert (found.allowed, found.desired) == (allowed, desired)


def test_pods_that_need_no_budget() -> None:
    assert evict([(Budget(minimum=2), EXHAUSTED)], phase="Pending").code == 200
    assert evict([(Budget(minimum=2), EXHAUSTED)], terminating=True).code == 200
    assert evict([]).code == 200


def test_unready_pods() -> None:
    assert evict([(Budget(minimum=2), EXHAUSTED)], ready=False) == evict([])
    below = BudgetStatus(allowed=0, healthy=1, desired=2, expected=3)
    assert evict([(Budget(minimum=2), below)], ready=False).code == 429
    assert evict([(Budget(minimum=2, policy="AlwaysAllow"), below)], ready=False).code == 200


def test_refused_and_undecidable() -> None:
    assert evict([(Budget(minimum=2), EXHAUSTED)]).code == 429
    assert evict([(Budget(minimum=2), EXHAUSTED)] * 2).code == 500
    assert evict([(Budget(minimum=2), BudgetStatus(allowed=1, healthy=3, desired=2, expected=3))]).consumes
