"""Vertical recommendations (semantics 9.2), and what they do to an autoscaler of replicas."""

from __future__ import annotations

import math

import pytest

from simulate.control import vpa
from simulate.control.vpa import Recommendation, Running, Usage

DAY_S = 86400.0
MIB = 2.0**20


def used(resource: vpa.Resource, values: list[float], every_s: float = 60.0, start_s: float = 0.0) -> Usage:
    usage = Usage(resource=resource)
    for i, value in enumerate(values):
        usage = usage.with_sample(value, start_s + i * every_s)
    return usage


def test_buckets_grow_by_a_twentieth_up_to_the_largest() -> None:
    assert vpa.bucket_start("cpu", vpa.buckets("cpu") - 1) >= 1000.0 > vpa.bucket_start("cpu", vpa.buckets("cpu") - 2)
    assert vpa.bucket_start("memory", 1) == pytest.approx(1e7)
    assert vpa.bucket_of("cpu", 1e9) == vpa.buckets("cpu") - 1
    for value in (0.0, 0.0099, 0.01, 0.5, 3.0):
        bucket = vpa.bucket_of("cpu", value)
        assert vpa.bucket_start("cpu", bucket) <= value + 1e-9 < vpa.bucket_start("cpu", bucket + 1) + 1e-9


def test_the_target_is_the_90th_percentile_and_a_margin() -> None:
    usage = used("cpu", [0.1] * 89 + [1.0] * 11)
    assert vpa.recommend(usage).target == pytest.approx(usage.quantile(0.9) * 1.15)
    assert usage.quantile(0.9) == pytest.approx(1.0, rel=0.06)
    assert used("cpu", [0.1] * 91 + [1.0] * 9).quantile(0.9) == pytest.approx(0.1, rel=0.15)


def test_a_day_later_a_sample_counts_twice() -> None:
    usage = used("cpu", [0.1, 0.1]).with_sample(1.0, DAY_S)
    assert usage.quantile(0.49) == pytest.approx(0.11, rel=0.1)
    assert usage.quantile(0.51) == pytest.approx(1.0, rel=0.06)
    assert used("cpu", [0.1]).with_sample(1.0, 14 * DAY_S).quantile(0.0) > 0.9, "after two weeks an old sample is below the least weight"


def test_little_knowledge_widens_the_bounds() -> None:
    one = vpa.recommend(used("cpu", [0.5]))
    assert (one.lower, one.upper) == (0.025, math.inf)
    day = vpa.recommend(used("cpu", [0.5] * 1441))
    assert day.upper == pytest.approx(day.target * 2.0, rel=1e-3), "1 + 1 / 1 day"
    assert day.lower == pytest.approx(day.target * (1 + 0.001) ** -2, rel=1e-3)
    sparse = used("cpu", [0.5] * 144, every_s=600.0)
    assert sparse.confidence == pytest.approx(0.1), "as many samples as make a tenth of a day"


def test_least_amounts_are_of_a_pod_and_split_over_its_containers() -> None:
    assert vpa.recommend(used("cpu", [0.0001])).target == 0.025
    assert vpa.recommend(used("memory", [1e6]), containers=2).target == 125e6


def test_memory_enters_as_daily_peaks_and_an_oom_as_more_than_was_used() -> None:
    days = [(i * DAY_S + 10.0, float(i)) for i in range(10)]
    assert vpa.peaks(days) == [((i + 1) * DAY_S, float(i)) for i in range(2, 10)]
    assert vpa.after_oom(300 * MIB) == 400 * MIB
    assert vpa.after_oom(2000 * MIB) == pytest.approx(2400 * MIB)


WANTED = {"cpu": Recommendation(target=1.0, lower=0.5, upper=2.0)}


def pod(name: str = "a", cpu: float = 1.0, age_s: float = 60.0, oom_after_s: float | None = None) -> Running:
    return Running(name=name, age_s=age_s, requests={"cpu": cpu}, wanted=WANTED, oom_after_s=oom_after_s)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "wants"),
    [
        (pod(cpu=0.4), True),
        (pod(cpu=2.1), True),
        (pod(cpu=0.6), False),
        (pod(cpu=0.6, age_s=12 * 3600.0), True),
        (pod(cpu=0.95, age_s=13 * 3600.0), False),
        (pod(cpu=0.95, oom_after_s=599.0), True),
        (pod(cpu=0.95, oom_after_s=601.0), False),
    ],
)
def test_who_is_updated(one: Running, wants: bool) -> None:
    assert vpa.wants_update(one) is wants


def test_at_most_half_of_the_replicas_go_at_a_time_the_farthest_off_first() -> None:
    pods = [pod(name, cpu) for name, cpu in (("a", 0.4), ("b", 0.1), ("c", 0.3), ("d", 0.2))]
    assert vpa.evictions(pods, 4, 4) == ["b", "d"]
    assert vpa.evictions(pods, 4, 3) == ["b"]
    assert vpa.evictions(pods, 4, 2) == []
    assert vpa.evictions(pods[:1], 1, 1) == [], "a single replica is left alone"
    assert vpa.evictions(pods[:3], 3, 3) == ["b"]
