"""Budgets, priorities, images and what fails around the cluster, each as a small world and its whole log where it is short."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from simulate import scenario
from simulate.control.loops import Control
from simulate.control.loops.agenda import Agenda
from simulate.engine import _Joined, run
from simulate.manifests import read
from simulate.model import join
from simulate.problems import InputError
from simulate.spec import Autoscaler, ContainerSpec, DisruptionBudget, Event, NodePool, PodTemplate
from simulate.trace import Trace
from simulate.views import get_hpa
from tests.simulate.worlds import READY, QuietPlane, template, workload, world

BOOT = {"start_wait_s": 2.0, "start_cpu_s": 1.0}
POOL = NodePool(name="pool", cores=4.0, memory_bytes=2.0**34, count=3)


def event(at_s: float, verb: str, target: str = "web", **arguments: Any) -> Event:
    return Event(at_s=at_s, verb=verb, target=target, arguments=arguments)


def states(trace: Trace, state: str) -> list[tuple[float, str]]:
    return [(round(one.t_s, 3), one.pod) for one in trace.pods if one.state == state and one.t_s > 0]


def budget(**said: Any) -> DisruptionBudget:
    return DisruptionBudget(name="web", namespace="default", selector={"matchLabels": {"app": "web"}}, **said)


def test_a_drain_waits_for_the_budget() -> None:
    """Three replicas of which two must stay, all on one of two nodes: one goes at a time, each after the one before is replaced."""
    pools = (replace(POOL, name="a", count=1), replace(POOL, name="b", count=1, cores=0.0))
    spec = world(
        workload(replicas=3, template=template(readiness=READY)), pools=pools, behaviour=BOOT,
        events=(event(10.0, "drain", "a", **{"for": 100.0}),),
    )  # fmt: skip
    spec = replace(spec, budgets=(budget(minimum=2),), pools=(pools[0], replace(pools[1], cores=4.0)))
    spec = replace(spec, workloads=(replace(spec.workloads[0], template=template(readiness=READY, request_cores=1.2)),))
    spread = run(spec, plane=QuietPlane())
    first = [pod for pod in spread.pods if pod.state == "scheduled" and pod.node == "a-0"]
    ends = [t for t, _ in states(spread, "terminating")]
    assert len(first) == len(ends) == 2, "two of the three were on a-0"
    ready = [t for t, _ in states(spread, "ready")]
    assert ends[0] == 10.0
    assert ends[1] >= ready[0], "the second goes when the first is replaced"
    assert (ends[1] - 10.0) % 5.0 == pytest.approx(0.0), "kubectl drain asks again every 5 s"
    refused = [one.message for one in spread.events if one.reason == "EvictionRefused"]
    assert refused == ["Cannot evict pod as it would violate the pod's disruption budget."]


def test_a_budget_that_allows_nothing_holds_a_drain_for_ever() -> None:
    spec = world(workload(replicas=1), pools=(POOL,), events=(event(10.0, "drain", "pool", count=3),))
    assert states(run(replace(spec, budgets=(budget(maximum=0),)), plane=QuietPlane()), "terminating") == []
    other = DisruptionBudget(name="db", namespace="default", selector={"matchLabels": {"app": "db"}}, maximum=0)
    assert [t for t, _ in states(run(replace(spec, budgets=(other,)), plane=QuietPlane()), "terminating")] == [10.0]


def test_an_uncordoned_node_takes_pods_again_and_stops_its_drain() -> None:
    spec = world(
        workload(replicas=3), pools=(POOL,), events=(event(10.0, "drain", "pool", **{"for": 20.0}), event(40.0, "scale", replicas=9))
    )
    trace = run(replace(spec, budgets=(budget(maximum=0),)), plane=QuietPlane())
    assert [(one.t_s, one.state) for one in trace.nodes if one.t_s > 0] == [(10.0, "cordoned"), (30.0, "uncordoned")]
    assert states(trace, "terminating") == []
    placed = [one.node for one in trace.pods if one.state == "scheduled" and one.t_s > 40.0]
    assert sorted(placed) == ["pool-0", "pool-0", "pool-1", "pool-1", "pool-2", "pool-2"]


def test_a_spot_instance_is_emptied_in_its_notice_and_gone_at_its_end() -> None:
    spec = world(workload(replicas=3), pools=(POOL,), events=(event(10.0, "reclaim", "pool", notice=60.0),))
    trace = run(spec, plane=QuietPlane())
    changes = [(one.t_s, one.state) for one in trace.nodes if one.t_s > 0]
    assert changes == [(10.0, "cordoned"), (70.0, "lost"), (70.0, "notReady"), (110.0, "removed")]
    assert [t for t, _ in states(trace, "terminating")] == [10.0]
    assert states(trace, "created")[0][0] == pytest.approx(10.0, abs=0.1)


def test_a_spot_instance_that_nobody_empties_takes_its_pods_with_it() -> None:
    spec = world(workload(replicas=3), pools=(POOL,), events=(event(10.0, "reclaim", "pool", notice=60.0, drained=False),))
    trace = run(spec, plane=QuietPlane())
    assert [t for t, _ in states(trace, "unready")] == [70.0]
    assert [t for t, _ in states(trace, "deleted")] == [110.0]
    assert states(trace, "created")[0][0] == pytest.approx(110.0, abs=0.1)


def test_a_pod_of_higher_priority_displaces_the_fewest_and_waits_for_them() -> None:
    small = (replace(POOL, cores=1.0, count=2),)
    low = workload("low", replicas=4, template=template(request_cores=0.5))
    high = workload("high", replicas=0, template=replace(template(request_cores=0.5), priority=1000, data={"spec": {"priority": 1000}}))
    spec = world(low, high, pools=small, events=(event(10.0, "scale", "high", replicas=1),))
    trace = run(spec, plane=QuietPlane(drain_s=3.0))
    gone = states(trace, "terminating")
    assert len(gone) == 1, "one is enough"
    assert gone[0][1].startswith("low-")
    assert [(one.name, one.message) for one in trace.events if one.reason == "Preempted"] == [
        (gone[0][1], f"Preempted by high-v1-0 on node {next(p.node for p in trace.pods if p.pod == gone[0][1] and p.node)}")
    ]
    bound = next(one.t_s for one in trace.pods if one.pod == "high-v1-0" and one.state == "scheduled")
    assert bound >= next(t for t, pod in states(trace, "deleted") if pod == gone[0][1])
    waiting = [one.pod for one in trace.pods if one.state == "unschedulable" and one.pod.startswith("low")]
    assert len(set(waiting)) == 1, "its replacement finds no room"


def test_a_pod_that_waits_is_not_forgotten_over_an_earlier_one_of_its_name() -> None:
    """A StatefulSet's pod waits twice; the time after which the first would be tried again ends not the waiting of the second."""
    spec = world(
        workload(name="db", kind="StatefulSet", replicas=1),
        pools=(NodePool(name="pool", cores=4.0, memory_bytes=2.0**34, count=1),),
        events=(
            event(10.0, "drain", "pool", **{"for": 40.0}),
            event(100.0, "drain", "pool", **{"for": 400.0}),
        ),
        horizon_s=700.0,
    )
    trace = run(spec, plane=QuietPlane())
    assert [round(t) for t, _ in states(trace, "unschedulable")] == [12, 102]
    assert [round(t) for t, _ in states(trace, "scheduled")] == [50, 500]


def test_preemption_spares_a_budget_where_it_can() -> None:
    small = (replace(POOL, cores=1.0, count=2),)
    kept, other = (
        workload("kept", replicas=1, template=template(request_cores=1.0)),
        workload("other", replicas=1, template=template(request_cores=1.0)),
    )
    labelled = replace(kept.template, labels={"app": "kept"})
    high = workload("high", replicas=0, template=replace(template(request_cores=1.0), priority=7, data={"spec": {"priority": 7}}))
    spec = world(replace(kept, template=labelled), other, high, pools=small, events=(event(10.0, "scale", "high", replicas=1),))
    spec = replace(
        spec, budgets=(DisruptionBudget(name="kept", namespace="default", selector={"matchLabels": {"app": "kept"}}, minimum=1),)
    )
    assert [pod for _, pod in states(run(spec, plane=QuietPlane()), "terminating")] == ["other-v1-0"]


def test_images_take_their_size_over_the_bandwidth_one_after_the_other() -> None:
    """100 MiB at 10 MiB/s; two pods of one node share one pull, two images of one pod are pulled in turn."""
    pool = replace(POOL, count=1, bandwidth_bytes_s=10 * 2.0**20)
    two = replace(template(), containers=(*template().containers, ContainerSpec(name="side", image="side:1", pull_policy="IfNotPresent")))
    spec = world(workload(replicas=0, template=two), pools=(pool,), events=(event(10.0, "scale", replicas=2),))
    spec = replace(spec, image_bytes={"web:1": 100 * 2.0**20, "side:1": 50 * 2.0**20})
    trace = run(spec, plane=QuietPlane())
    assert [t for t, _ in states(trace, "running")] == [pytest.approx(10.0 + 1.0 + 15.0, abs=0.2)] * 2


def test_init_containers_run_in_order_before_the_others() -> None:
    first = ContainerSpec(name="wait", image="web:1", pull_policy="IfNotPresent")
    pod = PodTemplate(labels={"app": "web"}, containers=template().containers, init_containers=(first, replace(first, name="migrate")))
    spec = world(
        workload(replicas=0, template=pod), pools=(POOL,), events=(event(10.0, "scale", replicas=1),),
        behaviour={"init_s": (("wait", 3.0), ("migrate", 20.0))},
    )  # fmt: skip
    assert [t for t, _ in states(run(spec, plane=QuietPlane()), "running")] == [pytest.approx(10.0 + 1.0 + 23.0, abs=0.2)]


def test_a_registry_that_is_down_delays_what_is_not_cached() -> None:
    """Back-off: windows of 10, 20 and 40 s, each rounded up to a run of the pod worker 10 to 15 s after the last; the registry is back
    after 45 s, so the fourth attempt succeeds. Cached images start at once."""
    events = (event(9.0, "registry", "down", **{"for": 45.0}), event(10.0, "rollout", image="web:2"))
    spec = world(workload(replicas=1, max_surge=1, max_unavailable=0), pools=(POOL,), events=events)
    trace = run(spec, plane=QuietPlane())
    assert [t for t, _ in states(trace, "running")] == [pytest.approx(10.0 + 1.0 + 85.0, abs=15.5)]
    cached = world(workload(replicas=3), pools=(POOL,), events=(events[0], event(10.0, "scale", replicas=4)))
    assert [t for t, _ in states(run(cached, plane=QuietPlane()), "running")] == [pytest.approx(11.0, abs=0.2)]
    always = replace(cached, workloads=(workload(replicas=3, template=template(pull_policy="Always")),))
    assert [t for t, _ in states(run(always, plane=QuietPlane()), "running")] == [pytest.approx(10.0 + 1.0 + 85.0, abs=15.5)]


def test_a_slow_registry_multiplies_pulls() -> None:
    events = (event(9.0, "registry", "slow", factor=5.0, **{"for": 60.0}), event(10.0, "scale", replicas=1))
    spec = world(workload(replicas=0), pools=(replace(POOL, count=1, bandwidth_bytes_s=1e6),), events=events)
    trace = run(replace(spec, image_bytes={"web:1": 2e6}), plane=QuietPlane())
    assert [t for t, _ in states(trace, "running")] == [pytest.approx(10.0 + 1.0 + 10.0, abs=0.2)]


CPU = ({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}},)


def test_an_autoscaler_without_metrics_keeps_its_size() -> None:
    scaler = Autoscaler(name="web", namespace="default", target="web", minimum=1, maximum=9, metrics=CPU)
    quiet = world(workload(replicas=2), pools=(POOL,), autoscalers=(scaler,), horizon_s=400.0)
    spec = replace(quiet, events=(event(0.0, "metrics", "down", **{"for": 200.0}),))
    trace = run(spec, plane=QuietPlane(cores=0.2))
    failing = [one for one in trace.hpa if one.conditions.get("ScalingActive") == "False/FailedGetResourceMetric"]
    assert {one.current for one in failing} == {2}
    assert max(one.t_s for one in failing) < 201.0
    first = next(one.t_s for one in trace.scales if one.kind == "Deployment" and one.to_replicas > 2)
    assert 200.0 < first < 216.0, "the first reconcile after the outage"
    assert max(one.to_replicas for one in trace.scales) > 2


def test_bounds_of_an_autoscaler_change_at_its_next_reconcile() -> None:
    scaler = Autoscaler(name="web", namespace="default", target="web", minimum=1, maximum=3, metrics=CPU)
    spec = world(
        workload(replicas=3), pools=(POOL,), autoscalers=(scaler,), events=(event(200.0, "autoscale", min=2, max=5, cpuPercent=10),),
    )  # fmt: skip
    trace = run(spec, plane=QuietPlane(cores=0.2))
    before, after = [one for one in trace.hpa if 20.0 < one.t_s < 200.0], [one for one in trace.hpa if one.t_s > 200.0]
    assert {(one.minimum, one.maximum, one.target_percent, one.current) for one in before} == {(1, 3, 50, 3)}
    assert {(one.minimum, one.maximum, one.target_percent) for one in after} == {(2, 5, 10)}
    assert after[-1].current == 5
    assert get_hpa(trace)[1].split()[1] == "Deployment/web"


def test_autoscale_of_a_workload_without_one_makes_it() -> None:
    spec = world(workload(replicas=1), pools=(POOL,), events=(event(60.0, "autoscale", min=2, max=4, cpuPercent=50),))
    trace = run(spec, plane=QuietPlane(cores=0.2))
    assert min(one.t_s for one in trace.hpa) == 60.0
    assert [one.to_replicas for one in trace.scales if one.kind == "Deployment"][:1] == [2]


def test_every_verb_of_a_scenario_is_carried_out() -> None:
    spec = world(workload(replicas=1), pools=(POOL,))
    story = Control(Agenda(), spec, Trace(horizon_s=1.0, seed=1), _Joined(Agenda(), spec, QuietPlane())).story
    assert [verb for verb in scenario.VERBS if not story.known(verb)] == []


MANIFESTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      priorityClassName: gold
      initContainers: [{name: wait, image: "wait:1"}]
      containers: [{name: web, image: "web:1"}]
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: gold}
value: 1000
preemptionPolicy: Never
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec:
  minAvailable: 50%
  selector: {matchExpressions: [{key: app, operator: In, values: [web]}]}
"""


def test_what_manifests_and_scenario_say_of_it() -> None:
    said = {
        "version": 1,
        "images": {"web:1": "100Mi"},
        "services": {"web": {"init": {"wait": "5s"}}},
        "nodes": {"general": {"cores": 4, "memory": "16Gi", "bandwidth": "10Mi"}},
        "controlPlane": {"kube-api-qps": 50, "kube-api-burst": 100, "delays": {"api": "20ms"}},
        "events": [
            {"at": "1m", "drain": "general", "for": "5m"},
            {"at": "2m", "registry": "down", "for": "1m"},
            {"at": "3m", "metrics": "down", "for": "1m"},
            {"at": "4m", "autoscale": "web", "max": 5},
            {"at": "5m", "reclaim": "general", "notice": "30s"},
            {"at": "6m", "pause": "web"},
        ],
    }
    spec = join(read(["-"], stdin=MANIFESTS), scenario.read(said))
    assert spec.budgets[0].minimum == "50%"
    assert spec.workloads[0].template.priority == 1000
    assert spec.workloads[0].template.data["spec"]["preemptionPolicy"] == "Never"
    assert spec.image_bytes == {"web:1": 100 * 2.0**20}
    assert spec.pools[0].bandwidth_bytes_s == 10 * 2.0**20
    assert spec.traffic.behaviours[0].init_s == (("wait", 5.0),)
    assert (spec.control.kube_api_qps, spec.control.kube_api_burst, spec.control.api_s) == (50, 100, 0.02)
    assert [one.verb for one in spec.events] == ["drain", "registry", "metrics", "autoscale", "reclaim", "pause"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": {"wb:1": "1Mi"}}, "images.wb:1 is the image of no container: 'wb:1', did you mean 'web:1'?"),
        (
            {"services": {"web": {"init": {"wiat": "5s"}}}},
            "services.web.init.wiat names no init container of web: 'wiat', did you mean 'wait'?",
        ),
        ({"events": [{"at": "1m", "registry": "gone", "for": "1m"}]}, "events[0].registry must be down or slow"),
        ({"events": [{"at": "1m", "metrics": "slow", "for": "1m"}]}, "events[0].metrics must be down"),
        ({"events": [{"at": "1m", "autoscale": "web"}]}, "events[0] changes nothing: it needs min, max or cpuPercent"),
        ({"events": [{"at": "1m", "autoscale": "web", "min": 5, "max": 2}]}, "events[0] needs min <= max, has 5 and 2"),
    ],
)
def test_what_cannot_be_meant_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refused:
        join(read(["-"], stdin=MANIFESTS), scenario.read({"version": 1, **change}))
    assert message in str(refused.value)


def test_both_bounds_of_a_budget_are_refused_and_an_unknown_class_is_an_assumption() -> None:
    with pytest.raises(InputError, match="only one of the two may be set"):
        read(["-"], stdin=MANIFESTS.replace("minAvailable: 50%", "minAvailable: 1\n  maxUnavailable: 1"))
    found = read(["-"], stdin=MANIFESTS.replace("priorityClassName: gold", "priorityClassName: silver"))
    assert found.workloads[0].template.priority == 0
    assert [one.value for one in found.assumptions if one.subject == "Deployment/web priority"] == ["0"]
