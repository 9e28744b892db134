"""What `benchmarks realcpu` compares: the requests asked for, the two models, the errors; the kernel itself is not in the tests."""

from __future__ import annotations

import statistics

import pytest

from benchmarks import realcpu
from benchmarks.realcpu import Case, asked, by_quota, by_sharing, errors, told

CASE = Case(quota_cores=0.5, load=0.5, seed=3)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realcpu, "SECONDS", 20.0)
    monkeypatch.setattr(realcpu, "PATIENCE_S", 5.0)


def test_asked_is_what_an_endless_machine_takes() -> None:
    requests = asked(CASE)
    assert len(requests) == pytest.approx(20.0 * CASE.quota_cores * CASE.load / realcpu.MEAN_S, rel=0.2)
    assert statistics.fmean(demand for _, demand in requests) == pytest.approx(realcpu.MEAN_S, rel=0.2)
    assert [arrival for arrival, _ in requests] == sorted(arrival for arrival, _ in requests)


def test_the_models_answer_the_same_requests() -> None:
    requests = asked(CASE)
    assert len(by_quota(CASE)) == realcpu.PHASES * len(requests)
    shared = by_sharing(CASE)
    assert len(shared) == len(requests)
    assert all(took >= demand / CASE.quota_cores - 1e-9 for took, (_, demand) in zip(shared, requests, strict=True))


def test_a_neighbour_slows_a_pod_that_wants_every_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realcpu, "CORES", 1.0)
    alone = told(by_quota(Case(quota_cores=1.0, load=0.3, seed=3)))
    beside = told(by_quota(Case(quota_cores=1.0, load=0.3, seed=3, neighbours=1)))
    assert beside["mean"] > 1.5 * alone["mean"]


def test_errors_are_percent_of_reality() -> None:
    real = told([0.010, 0.020, 0.030, 0.040])
    assert real == pytest.approx({"mean": 25.0, "p50": 20.0, "p95": 40.0, "p99": 40.0})
    assert errors(told([0.011, 0.022, 0.033, 0.044]), real) == pytest.approx({"mean": 10.0, "p50": 10.0, "p95": 10.0, "p99": 10.0})
