"""Every recorded case of `docker compose config` gives the same project, or the same class of refusal."""

from __future__ import annotations

from pathlib import Path

from tests.oracle.compose import run


def test_recorded_cases(shared: Path) -> None:
    results = dict(run([shared / "oracle" / "compose"]))
    assert len(results) >= 372
    assert {case: reason for case, reason in results.items() if reason} == {}
