"""The recorded cases of the other controllers, and that their readers notice a wrong expectation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.oracle import deployment_other


@pytest.mark.parametrize("group", sorted(deployment_other.GROUPS))
def test_cases(shared: Path, group: str) -> None:
    cases = json.loads((shared / "oracle" / "deployment_cases.json").read_text(encoding="utf-8"))[group]
    assert cases
    assert [(case["id"], reason) for case in cases if (reason := deployment_other.GROUPS[group](case))] == []


def test_a_wrong_expectation_is_noticed() -> None:
    case = {"max_surge": 1, "max_unavailable": 0, "desired_number_scheduled": 2, "expect": {"max_surge": 2, "max_unavailable": 0}}
    assert deployment_other.daemonset_fenceposts(case) == "max_surge: expected 2, got 1"
