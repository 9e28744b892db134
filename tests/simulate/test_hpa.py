"""The autoscaler: recorded cases and traces, and the edges that a naive model gets wrong, each by its number in the checklist."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulate.control import hpa, hpa_limits
from simulate.control.hpa import ContainerView, Metric, Observation, Outcome, PodView, Sample, Settings, Spec, State
from simulate.control.hpa_limits import Behavior, Bounds, History, Policy, Recommendation, Rule, ScaleEvent
from simulate.spec import Autoscaler, ControlPlane
from tests.oracle import hpa as cases
from tests.oracle import traces_hpa

NOW_S = 10_000.0
CPU_50 = Metric(kind="Resource", name="cpu", target="Utilization", percent=50)


def pod(name: str, request_milli: int = 100, **more: Any) -> PodView:
    asked = (ContainerView(name="c", requests_milli={"cpu": request_milli}),)
    given: dict[str, Any] = {"name": name, "start_s": 0.0, "transition_s": 10.0, "containers": asked, "labels": {"app": "web"}}
    return PodView(**(given | more))


def seen(values: list[int | None], pods: list[PodView] | None = None, **more: Any) -> Observation:
    """One pod per value (cpu milli; None = no sample)."""
    pods = pods or [pod(f"p{i}") for i in range(len(values))]
    samples = {one.name: Sample(milli={"c": v}, time_s=NOW_S) for one, v in zip(pods, values, strict=True) if v is not None}
    given: dict[str, Any] = {"spec_replicas": len(pods), "observed_replicas": len(pods), "selector": "app=web", "pods": pods}
    return Observation(**(given | {"resources": {"cpu": samples}} | more))


def run(observation: Observation, state: State | None = None, now_s: float = NOW_S, **spec: Any) -> Outcome:
    given: dict[str, Any] = {"name": "web", "maximum": 100, "metrics": (CPU_50,)}
    return hpa.reconcile(Spec(**(given | spec)), state or State(), observation, Settings(), now_s)


def reasons(outcome: Outcome) -> list[str]:
    return [f"{one.type}={one.status}/{one.reason}" for one in outcome.status.conditions]


# ------------------------------------------------------------------ recorded truth


def test_cases(shared: Path) -> None:
    results = list(cases.run([shared / "oracle" / "hpa_cases.json"]))
    assert len(results) == 188
    assert [one for one in results if one[1]] == []


def test_recorded_reconciles(shared: Path) -> None:
    traces = json.loads((shared / "oracle" / "traces" / "hpa.json").read_text(encoding="utf-8"))["traces"]
    assert [one for one in traces_hpa.run(traces) if one[1]] == []
    assert sum(len(one["reconciles"]) for one in traces) == 463


def test_a_wrong_status_is_noticed(shared: Path) -> None:
    trace = json.loads((shared / "oracle" / "traces" / "hpa.json").read_text(encoding="utf-8"))["traces"][0]
    trace["reconciles"][2]["status"]["desired"] += 1
    assert "desired expected" in str(traces_hpa.replay(trace))


# ------------------------------------------------------------------ the documentation's example


@pytest.mark.parametrize(("value", "expected"), [(200, 2), (100, None), (50, None)])
def test_ratio_of_the_documentation(value: int, expected: int | None) -> None:
    """Target 100m: at 200m twice as many; at 50m half as many, which the stabilization window hides."""
    metric = Metric(kind="Resource", name="cpu", target="AverageValue", milli=100)
    assert run(seen([value]), metrics=(metric,)).scale_to == expected


# ------------------------------------------------------------------ the checklist (D)


def test_1_multiplies_the_pods_with_samples_not_the_size() -> None:
    outcome = run(seen([100, 100, 100, 100], spec_replicas=3, observed_replicas=4))
    assert outcome.metrics[0].replicas == 8


def test_2_percent_is_cut_before_the_ratio() -> None:
    metric = replace(CPU_50, percent=55)
    pods = [pod("a", 1000)]
    assert run(seen([609], pods), metrics=(metric,)).scale_to is None
    assert run(seen([610], pods), metrics=(metric,)).scale_to == 2


def test_3_weighted_mean() -> None:
    pods = [pod("a", 900), pod("b", 100)]
    status = run(seen([450, 150], pods)).status.metrics
    assert status is not None
    assert status[0] is not None
    assert status[0].percent == 60


def test_4_tolerance_again_after_filling_in() -> None:
    """60 % of a target of 50 %, one of four without a sample: with 0 for it the ratio is below 1, so nothing happens."""
    assert run(seen([60, 60, 60, None])).metrics[0].replicas == 4


@pytest.mark.parametrize(("values", "expected"), [([10, None], 2), ([200, None], 4), ([50, None], 2)])
def test_5_missing_pods(values: list[int | None], expected: int) -> None:
    assert run(seen(values)).metrics[0].replicas == expected


@pytest.mark.parametrize(("value", "expected"), [(150, 6), (20, 1)])
def test_6_unready_pods_count_only_when_growing(value: int, expected: int) -> None:
    pods = [pod("a"), pod("b"), pod("c", ready="False", transition_s=0.0), pod("d", ready="False", transition_s=0.0)]
    assert run(seen([value] * 4, pods)).metrics[0].replicas == expected


def test_7_memory_ignores_readiness() -> None:
    unready = pod("a", ready="False", transition_s=0.0, containers=(ContainerView(name="c", requests_milli={"memory": 1000}),))
    observation = seen([None], [unready], resources={"memory": {"a": Sample(milli={"c": 1000})}})
    assert run(observation, metrics=(replace(CPU_50, name="memory"),)).metrics[0].replicas == 2


def test_8_old_pod_that_lost_readiness_still_counts() -> None:
    assert run(seen([100], [pod("a", ready="False", transition_s=40.0)])).metrics[0].replicas == 2


def test_9_young_ready_pod_needs_a_whole_window() -> None:
    young = pod("a", start_s=NOW_S - 100, transition_s=NOW_S - 50)
    assert run(seen([100], [young])).error is not None
    assert run(seen([100], [replace(young, transition_s=NOW_S - 60)])).scale_to == 2


def test_10_growth_limit_with_and_without_behavior() -> None:
    assert run(seen([10_000])).scale_to == 4
    assert run(seen([10_000]), behavior=hpa_limits.behavior_of({"scaleUp": {}})).scale_to == 5


def test_11_and_13_one_high_reading_blocks_shrinking_for_the_window() -> None:
    outcome = run(seen([50] * 6))
    for step in range(1, 40):
        outcome = run(seen([5] * 6), outcome.state, NOW_S + 15 * step)
        if outcome.scale_to is not None:
            break
        assert "AbleToScale=True/ScaleDownStabilized" in reasons(outcome)
    assert step == 21
    assert outcome.scale_to == 1


def test_12_a_fresh_controller_starts_with_the_size_as_recommendation() -> None:
    outcome = run(seen([1] * 6))
    assert outcome.scale_to is None
    assert outcome.state.history.recommendations == (Recommendation(6, NOW_S), Recommendation(1, NOW_S))


def test_14_a_users_change_is_not_in_the_budget() -> None:
    rule = Rule(policies=(Policy(type="Pods", value=3, period_s=60),))
    history = History(ups=(ScaleEvent(2, NOW_S - 10),))
    assert hpa_limits.policy_limit("up", 10, history, rule, NOW_S) == 11
    assert hpa_limits.policy_limit("up", 10, history, rule, NOW_S + 50) == 13


def test_15_percent_policies_at_small_sizes() -> None:
    half = Rule(policies=(Policy(type="Percent", value=50, period_s=60),))
    assert hpa_limits.policy_limit("up", 0, History(), half, NOW_S) == 0
    tenth = Rule(policies=(Policy(type="Percent", value=10, period_s=60),))
    assert hpa_limits.policy_limit("down", 5, History(), tenth, NOW_S) == 4


@pytest.mark.parametrize(("select", "up", "down"), [("Max", 14, 5), ("Min", 12, 6), ("Disabled", 10, 10)])
def test_16_select_policy(select: Any, up: int, down: int) -> None:
    rule = Rule(policies=(Policy(type="Pods", value=4, period_s=60), Policy(type="Percent", value=20, period_s=60)), select=select)
    assert hpa_limits.policy_limit("up", 10, History(), rule, NOW_S) == up
    rule = replace(rule, policies=(Policy(type="Pods", value=4, period_s=60), Policy(type="Percent", value=50, period_s=60)))
    assert hpa_limits.policy_limit("down", 10, History(), rule, NOW_S) == down


def test_17_out_of_bounds_is_corrected_without_metrics() -> None:
    outcome = run(seen([None] * 12), maximum=10)
    assert outcome.scale_to == 10
    assert outcome.events[0].message == "New size: 10; reason: Current number of replicas above Spec.MaxReplicas"
    assert reasons(outcome) == ["AbleToScale=True/SucceededRescale"]
    assert run(seen([None]), minimum=3).scale_to == 3


def test_18_zero_replicas_switch_it_off() -> None:
    outcome = run(seen([], []), minimum=2)
    assert (outcome.scale_to, outcome.status.current, outcome.status.desired) == (None, 0, 0)
    assert reasons(outcome)[1] == "ScalingActive=False/ScalingDisabled"


@pytest.mark.parametrize(("value", "expected"), [(200, 4), (5, None)])
def test_19_one_failing_metric_blocks_only_shrinking(value: int, expected: int | None) -> None:
    broken = Metric(kind="External", name="queue", target="Value", milli=1000)
    outcome = run(seen([value]), metrics=(CPU_50, broken), minimum=0 if value == 5 else 1)
    assert outcome.scale_to == expected
    assert outcome.error is not None


def test_20_a_container_without_request_fails_the_metric() -> None:
    pods = [pod("a"), pod("b", containers=(ContainerView(name="c"),))]
    assert "missing request for cpu in container c of Pod b" in str(run(seen([10, None], pods)).error)


def test_21_average_value_of_outside_metrics_uses_the_observed_size() -> None:
    metric = Metric(kind="External", name="queue", target="AverageValue", milli=20_000)
    observation = seen([1, 1, 1], observed_replicas=3, externals={"queue": [60_000, 41_000]})
    outcome = run(observation, metrics=(metric,))
    assert outcome.scale_to == 6
    assert outcome.status.metrics is not None
    assert outcome.status.metrics[0] is not None
    assert outcome.status.metrics[0].average_milli == 33_667


# ------------------------------------------------------------------ other edges


def test_recommendations_exactly_as_old_as_the_window() -> None:
    """Without a stanza such an entry still counts, with one it does not."""
    history = [Recommendation(9, NOW_S - 300)]
    assert hpa_limits.stabilize_legacy(history, 3, 300, NOW_S).replicas == 9
    assert hpa_limits.stabilize(history, 9, 3, 0, 300, NOW_S).replicas == 3


def test_failed_reconcile_keeps_desired_and_limited() -> None:
    first = run(seen([200]))
    failed = run(seen([None] * 2), first.state, NOW_S + 15)
    assert (failed.status.current, failed.status.desired) == (2, 4)
    assert reasons(failed) == [
        "AbleToScale=True/SucceededGetScale",
        "ScalingActive=False/FailedGetResourceMetric",
        "ScalingLimited=False/DesiredWithinRange",
    ]
    assert [one.reason for one in failed.events] == ["FailedGetResourceMetric", "FailedComputeMetricsReplicas"]


def test_missing_target_changes_only_able_to_scale() -> None:
    first = run(seen([200]))
    gone = run(seen([], [], scale_error='deployments.apps "web" not found'), first.state, NOW_S + 15)
    assert reasons(gone)[0] == "AbleToScale=False/FailedGetScale"
    assert reasons(gone)[1:] == reasons(first)[1:]
    assert (gone.status.desired, gone.status.metrics) == (first.status.desired, first.status.metrics)


def test_ambiguous_selector() -> None:
    outcome = run(seen([200], other_selectors={"default/other": "app in (web)"}))
    assert outcome.scale_to is None
    assert "controlled by multiple HPAs: [default/web default/other]" in str(outcome.error)
    assert run(seen([200], other_selectors={"default/other": "app=api"})).scale_to == 4


def test_times_of_conditions_change_with_the_status_only() -> None:
    first = run(seen([200]))
    second = run(seen([50] * 4), first.state, NOW_S + 15)
    assert {one.since_s for one in second.status.conditions} == {NOW_S}
    assert second.write_status


def test_same_status_is_not_written_again() -> None:
    first = run(seen([50]))
    assert first.write_status
    assert not run(seen([50]), first.state, NOW_S + 15).write_status


def test_spec_and_settings_from_the_api() -> None:
    given = Autoscaler(
        name="web",
        namespace="shop",
        target="web",
        minimum=2,
        maximum=9,
        metrics=(
            {"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "1500m"}}},
            {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "c", "target": {"averageUtilization": 70}}},
        ),
        behavior={"scaleDown": {"stabilizationWindowSeconds": 0, "tolerance": "50m"}},
    )
    spec = hpa.spec_of(given)
    assert [one.milli or one.percent for one in spec.metrics] == [1500, 70]
    assert spec.behavior is not None
    assert (spec.behavior.down.tolerance, spec.behavior.down.window_s, spec.behavior.up.window_s) == (0.05, 0.0, 0.0)
    assert hpa.spec_of(replace(given, metrics=())).metrics == (hpa.DEFAULT_METRIC,)
    assert hpa.spec_of(replace(given, behavior={})).behavior is None
    assert hpa.settings_of(ControlPlane(version="1.32")).legacy_tolerance
    assert hpa.settings_of(ControlPlane(version="1.37.2")).scale_to_zero
    assert not hpa.settings_of(ControlPlane()).scale_to_zero


rules = st.builds(
    Rule,
    policies=st.lists(
        st.builds(Policy, type=st.sampled_from(["Pods", "Percent"]), value=st.integers(1, 200), period_s=st.integers(1, 1800)),
        min_size=1,
        max_size=3,
    ).map(tuple),
    select=st.sampled_from(["Max", "Min", "Disabled"]),
    window_s=st.integers(0, 3600).map(float),
)
histories = st.lists(st.builds(ScaleEvent, st.integers(1, 50), st.floats(0, 2000)), max_size=5).map(tuple)


@given(rules, rules, histories, histories, st.integers(1, 200), st.integers(0, 1000), st.integers(1, 50), st.integers(0, 100))
def test_limits_hold_for_every_behavior(
    up: Rule, down: Rule, ups: Any, downs: Any, current: int, wanted: int, minimum: int, more: int
) -> None:
    """Never past the wish, never away from it, inside the bounds when the size was."""
    bounds = Bounds(minimum=minimum, maximum=minimum + more)
    current = min(max(current, bounds.minimum), bounds.maximum)
    found = hpa_limits.limit(current, wanted, bounds, History(ups=ups, downs=downs), Behavior(up=up, down=down), 2000.0).replicas
    assert bounds.minimum <= found <= bounds.maximum
    assert min(current, wanted) <= found <= max(current, wanted, bounds.minimum)


@given(st.lists(st.one_of(st.none(), st.integers(0, 2000)), min_size=1, max_size=12), st.integers(1, 20))
def test_reconcile_is_a_function_and_stays_in_bounds(values: list[int | None], maximum: int) -> None:
    observation = seen(values)
    outcome = run(observation, maximum=maximum)
    assert outcome == run(observation, maximum=maximum)
    assert outcome.scale_to is None or 1 <= outcome.scale_to <= maximum
