"""Changes of a specification, and the search: against a formula in place of the engine, and once for real."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from simulate import capacity, engine, manifests, scenario
from simulate.model import join
from simulate.problems import InputError
from simulate.spec import ClusterSpec, Distribution, Event
from simulate.trace import PodRecord, StatusRecord, Trace, TrafficWindow, UsageWindow
from tests.simulate import made


@pytest.fixture
def spec() -> ClusterSpec:
    return join(manifests.read(made.manifests()), scenario.read(made.scenario()))


def formula(spec: ClusterSpec, seed: int) -> Trace:
    """Latency 10 ms / (1 - rho) of the busier of both, rho of one core a pod; above rho 1 half of the requests fail."""
    rate = spec.traffic.sources[0].rate
    assert rate is not None and rate.constant is not None
    replicas = {w.name: w.replicas for w in spec.workloads}
    load = {"web": 0.05 * rate.constant, "api": 0.02 * rate.constant}
    rho = {name: load[name] / replicas[name] for name in load}
    busiest = max(rho.values())
    latency = 0.01 / (1 - busiest) if busiest < 1 else 10.0
    failed = {"refused": 3000} if busiest >= 1 else {}
    made_trace = Trace(horizon_s=600.0, seed=seed)
    ok = 6000 - sum(failed.values())
    made_trace.traffic.append(TrafficWindow(0.0, 600.0, "users", "web", 6000, ok, failed, 0, latency * ok, {made.bucket(latency): ok}))
    for name, count in replicas.items():
        used = min(load[name], float(count))
        made_trace.usage.append(UsageWindow(0.0, 600.0, name, count, used, 0.25 * count, None, 0.0, 1e8 * count))
        made_trace.statuses.append(StatusRecord(0.0, name, count, count, count, count, count))
        made_trace.pods += [PodRecord(0.0, f"{name}-{i}", name, name, "created", "n", "") for i in range(count)]
    return made_trace


@pytest.fixture
def bounded(spec: ClusterSpec) -> ClusterSpec:
    """Pods that use one core at most."""
    behaviours = tuple(replace(b, parallelism=1.0) for b in spec.traffic.behaviours)
    return replace(spec, traffic=replace(spec.traffic, behaviours=behaviours))


def test_fewest_replicas_by_the_formula(bounded: ClusterSpec) -> None:
    loud = capacity.with_load(bounded, 5.0)
    found = capacity.plan(loud, formula, replications=2)
    replicas = {setting.workload: setting.replicas for setting in found.settings}
    assert found.found
    assert replicas == {"web": 6, "api": 3}
    requests = {setting.workload: setting.cpu_request_cores for setting in found.settings}
    assert requests == {"web": 0.84, "api": 0.67}


def test_headroom_is_where_the_formula_breaks(bounded: ClusterSpec) -> None:
    found = capacity.plan(capacity.with_load(bounded, 5.0), formula, replications=1)
    holds, breaks = found.headroom.holds, found.headroom.breaks
    assert holds is not None and breaks is not None
    assert holds < 0.9 / (5.0 / 6) <= breaks <= holds * 1.06 + 0.001
    assert found.headroom_as_given.text.startswith("there is none")


def test_what_replicas_cannot_mend_is_said(bounded: ClusterSpec) -> None:
    objectives = tuple(replace(o, latency_s=((0.95, 0.001),)) for o in bounded.objectives)
    found = capacity.plan(replace(bounded, objectives=objectives), formula, replications=1)
    assert not found.found and found.settings == ()
    assert "web p95 latency still misses" in found.why


def test_plan_without_objective_is_refused(spec: ClusterSpec) -> None:
    with pytest.raises(InputError, match="has no objective"):
        capacity.plan(replace(spec, objectives=()), formula)


def test_plan_of_a_real_run_mends_a_rollout_with_a_sleep(spec: ClusterSpec) -> None:
    short = replace(capacity.with_rollout(spec, "web"), horizon_s=120.0, traffic=replace(spec.traffic, horizon_s=120.0))
    short = replace(short, events=tuple(replace(e, at_s=40.0) for e in short.events))
    search = capacity._Search(engine.run, (1,), lambda _, __: None)
    given, _ = search.look(short, "as given", 1)
    changed, patient = capacity._patience(search, short, given)
    assert sum(given[0].totals[0].failed.values()) > 0
    assert patient == {"web"} and changed.workloads[0].template.containers[0].prestop_s == 5.0


def test_rollouts_are_every_combination(spec: ClusterSpec) -> None:
    found = capacity.rollouts(spec, "web", (1, "25%"), (0, 1), (), (5.0,))
    assert [change.label for change in found] == [
        "maxSurge 1, maxUnavailable 0, preStop 5s",
        "maxSurge 1, maxUnavailable 1, preStop 5s",
        "maxSurge 25%, maxUnavailable 0, preStop 5s",
        "maxSurge 25%, maxUnavailable 1, preStop 5s",
    ]
    assert found[0].spec.workloads[0].max_unavailable == 0
    assert spec.workloads[0].max_surge == "25%"


@pytest.mark.parametrize(("unavailable", "ready", "option"), [(("150%",), (), "--max-unavailable"), ((), (600,), "--min-ready-seconds")])
def test_rollouts_refuse_what_an_api_server_refuses(spec: ClusterSpec, unavailable: Any, ready: Any, option: str) -> None:
    with pytest.raises(InputError) as caught:
        capacity.rollouts(spec, "web", (), unavailable, ready, ())
    assert caught.value.problems[0].file == option


def test_a_rollout_after_the_horizon_is_none(spec: ClusterSpec) -> None:
    late = replace(spec, events=(Event(at_s=spec.horizon_s + 1, verb="rollout", target="web", arguments={"image": "web:2"}),))
    assert [event.at_s for event in capacity.with_rollout(late, "web").events] == [200.0, 601.0]


@pytest.mark.parametrize(("image", "new"), [("web:1", "web:next"), ("r:5000/web", "r:5000/web:next"), ("web@sha256:0", "web:next")])
def test_rollout_that_the_scenario_does_not_have_is_an_assumption(spec: ClusterSpec, image: str, new: str) -> None:
    first, *_ = spec.workloads
    containers = (replace(first.template.containers[0], image=image),)
    changed = capacity.with_rollout(capacity.with_workload(spec, "web", template=replace(first.template, containers=containers)), "web")
    assert [(e.at_s, e.arguments["image"]) for e in changed.events] == [(200.0, new)]
    assert changed.assumptions[-1].subject == "rollout of web"
    assert capacity.with_rollout(changed, "web") is changed


def test_autoscaler_of_the_manifest_gives_what_was_not_said(spec: ClusterSpec) -> None:
    scaled = capacity.with_autoscaler(spec, "web", 2, 8, 50)
    (change,) = capacity.autoscalers(scaled, "web", None, 9, ())
    assert (change.spec.autoscalers[0].minimum, change.spec.autoscalers[0].maximum) == (2, 9)
    assert [c.label for c in capacity.autoscalers(scaled, "web", 1, None, (20, 60))] == ["1 to 8 at 20 % CPU", "1 to 8 at 60 % CPU"]


def test_visits_multiply_along_calls(spec: ClusterSpec) -> None:
    assert capacity.visits(spec) == {"web": 1.0, "api": 0.5}


@pytest.mark.parametrize(
    ("distribution", "mean"),
    [
        (Distribution(name="lognormal", mean=2.0, cv=1.0), 2.0),
        (Distribution(name="pareto", minimum=1.0, maximum=2.0, alpha=1.0), 2 * 0.6931471805599453),
        (Distribution(name="pareto", minimum=1.0, maximum=2.0, alpha=2.0), 4 / 3),
    ],
)
def test_means(distribution: Distribution, mean: float) -> None:
    assert capacity.mean_of(distribution) == pytest.approx(mean)
