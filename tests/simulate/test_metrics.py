"""What is counted, and how draws become intervals."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from simulate import manifests, scenario
from simulate.metrics import Summary, bucket_midpoint_s, context, intervals, quantile_s, summarize, tidy, window_width_s
from simulate.model import join
from simulate.spec import ClusterSpec, Objective
from simulate.trace import NodeRecord, TrafficWindow
from tests.simulate import made


@pytest.fixture(scope="module")
def spec() -> ClusterSpec:
    return join(manifests.read(made.manifests()), scenario.read(made.scenario()))


@pytest.fixture(scope="module")
def summary(spec: ClusterSpec) -> Summary:
    return summarize(context(spec), made.trace(spec))


def test_midpoint_is_within_the_promised_error() -> None:
    draw = random.Random(1)
    for _ in range(2000):
        x = 10 ** draw.uniform(-4, 3)
        assert abs(bucket_midpoint_s(made.bucket(x)) - x) / x <= 1 / 256


def test_quantile_is_the_nearest_rank() -> None:
    values = sorted(random.Random(2).expovariate(10) + 0.001 for _ in range(999))
    histogram: dict[int, int] = {}
    for value in values:
        histogram[made.bucket(value)] = histogram.get(made.bucket(value), 0) + 1
    for q, rank in ((0.5, 500), (0.95, 950), (1.0, 999), (0.001, 1)):
        assert quantile_s(histogram, q) == pytest.approx(values[rank - 1], rel=1 / 256)


def test_totals_are_conserved(summary: Summary) -> None:
    (total,) = summary.totals
    assert total.arrived == total.ok + sum(total.failed.values()) + total.in_flight == 12_000
    assert (dict(total.failed), total.in_flight) == ({"refused": 3}, 2)
    assert sum(felt.arrived for felt in summary.felt) == total.arrived
    assert sum(felt.ok for felt in summary.felt) == total.ok


def test_objective_is_judged_by_clause(spec: ClusterSpec, summary: Summary) -> None:
    assert [(v.clause, v.held) for v in summary.verdicts] == [("p95 latency", True), ("error ratio", True)]
    strict = replace(spec, objectives=(Objective(service="web", latency_s=((0.5, 0.01),), errors_ratio=0.0001),))
    judged = summarize(context(strict), made.trace(strict))
    assert [v.held for v in judged.verdicts] == [False, False] and judged.held is False


def test_pods_by_state_at_the_end_of_each_window(summary: Summary) -> None:
    rows = {row.t_s: row for row in summary.pods}
    assert (rows[0.0].pending, rows[0.0].ready) == (2, 0)
    assert (rows[15.0].ready, rows[300.0].pending, rows[315.0].ready) == (2, 1, 3)
    assert summary.pod_hours == pytest.approx((2 * 600 + 300) / 3600)


def test_cost_follows_the_nodes(spec: ClusterSpec, summary: Summary) -> None:
    assert summary.cost_month == 200.0
    trace = made.trace(spec)
    trace.nodes += [NodeRecord(0.0, f"general-{i}", "general", "ready") for i in (0, 1)]
    trace.nodes += [NodeRecord(150.0, "general-1", "general", "lost"), NodeRecord(450.0, "general-2", "general", "ready")]
    changed = summarize(context(spec), trace)
    assert changed.nodes == ((0.0, 2), (150.0, 1), (450.0, 2))
    assert changed.cost_month == pytest.approx(150.0)


def test_start_of_a_pod_in_phases(summary: Summary) -> None:
    last = summary.startups[-1]
    assert (last.pod, last.node_s, last.image_s, last.start_s) == ("web-3", pytest.approx(0.1), pytest.approx(2.9), pytest.approx(6.0))


def test_windows_are_whole_windows_of_the_trace() -> None:
    def windows(width: float) -> list[TrafficWindow]:
        return [TrafficWindow(0.0, width, "s", "s", 0, 0, {}, 0, 0.0, {})]

    assert [window_width_s(h, windows(w)) for h, w in ((600.0, 15.0), (1200.0, 15.0), (9000.0, 45.0), (86400.0, 360.0))] == [
        15.0,
        30.0,
        180.0,
        1800.0,
    ]


def test_intervals_of_draws(spec: ClusterSpec) -> None:
    facts = context(spec)
    draws = [summarize(facts, made.trace(spec, failures=n, seed=n)) for n in (0, 12, 24)]
    found = intervals(draws)["web error ratio"]
    values = [draw.totals[0].errors_ratio for draw in draws]
    assert found.mean == pytest.approx(sum(values) / 3)
    assert found.half_width == pytest.approx(4.303 * (values[2] - values[0]) / 2 / 3**0.5, rel=1e-3)
    assert intervals(draws[:1])["web error ratio"].half_width is None


def test_tidy_rows(summary: Summary) -> None:
    rows = tidy(summary)
    assert {row["kind"] for row in rows} == {"service", "workload", "cluster"}
    assert sum(row["value"] for row in rows if row["metric"] == "failed refused") == 3
