"""Entries of the checklist "Where naive simulators go wrong" (kubernetes-semantics.md, D), by the whole engine, where no other test shows
them. The number of the entry is in the name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from simulate.control import daemonset, disruption, endpoints, rollout
from simulate.control.endpoints import EndpointView
from simulate.control.placement import choose_node
from simulate.control.placement_view import NodeView, PodView
from simulate.control.rollout import DeploymentView, SetView
from simulate.engine import run
from simulate.spec import Autoscaler, ControlPlane, DisruptionBudget, Event, Keepalive, Machine, NodePool
from simulate.trace import Trace
from simulate.traffic import make_plane
from simulate.views import get_rs, hpa_at
from tests.simulate.worlds import READY, QuietPlane, template, workload, world

CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}


def event(at_s: float, verb: str, target: str = "web", **arguments: Any) -> Event:
    return Event(at_s=at_s, verb=verb, target=target, arguments=arguments)


def times(trace: Trace, state: str, pod: str = "") -> list[float]:
    return [round(one.t_s, 3) for one in trace.pods if one.state == state and one.t_s > 0 and one.pod.startswith(pod)]


def scaler(name: str, created_s: float = 0.0) -> Autoscaler:
    return Autoscaler(name=name, namespace="default", target=name, minimum=1, maximum=9, metrics=(CPU,), created_s=created_s)


# ------------------------------------------------------------------ HPA


def test_d22_each_autoscaler_has_its_own_phase_and_its_metric_is_old() -> None:
    """Created at 0 and at 7 s they look 7 s apart for ever; two scrapes make the first sample."""
    other = workload("api", template=replace(template(), labels={"app": "api"}))
    spec = world(workload("web"), other, autoscalers=(scaler("web"), scaler("api", 7.0)), horizon_s=200.0)
    trace = run(spec, plane=QuietPlane(cores=0.02))
    looks = {name: [one.t_s for one in trace.hpa if one.name == name][1:] for name in ("web", "api")}
    assert [round(b - a, 6) for a, b in zip(looks["web"], looks["api"], strict=False)] == [7.0] * len(looks["api"])
    assert looks["web"][1] - looks["web"][0] == pytest.approx(15.0, abs=0.1)
    assert looks["web"][1] - looks["web"][0] > 15.0, "the cadence drifts by the length of a look"
    known = next(one.t_s for one in trace.hpa if one.name == "web" and one.utilization_percent is not None)
    assert known >= 30.0


@pytest.mark.parametrize(("version", "first_s"), [("1.36", 15.0), ("1.37", 0.0)])
def test_d23_the_first_reconcile_comes_a_period_after_creation_up_to_1_36(version: str, first_s: float) -> None:
    spec = world(workload("web"), autoscalers=(scaler("web"),), control=ControlPlane(version=version), horizon_s=60.0)
    trace = run(spec, plane=QuietPlane())
    looked = [one.t_s for one in trace.hpa if one.conditions]
    assert looked[0] == pytest.approx(first_s, abs=0.05)


# ------------------------------------------------------------------ Deployment and ReplicaSet


def test_d24_three_ways_to_round() -> None:
    of_three = DeploymentView(replicas=3)
    assert (of_three.surge, of_three.unavailable) == (1, 0)
    assert replace(of_three, max_surge=0, max_unavailable=0).unavailable == 1
    assert daemonset.fenceposts("25%", "25%", 3) == (1, 1)
    budget = disruption.Budget(minimum="50%", maximum=None, policy="IfHealthyBudget")
    assert disruption.status(budget, [3], 3, 3).desired == 2


def test_d34_recreate_waits_for_the_whole_grace_of_the_old_pods() -> None:
    spec = world(
        workload(replicas=2, strategy="Recreate", template=template(readiness=READY, grace_s=25.0)),
        events=(event(10.0, "rollout", image="web:2"),),
    )
    trace = run(spec, plane=QuietPlane(drain_s=float("inf")))
    gone, created = times(trace, "deleted"), times(trace, "created")
    assert max(gone) >= times(trace, "terminating")[0] + 25.0
    assert min(created) >= max(gone)


def test_d35_d37_after_a_rollback_the_others_shrink_by_their_creation() -> None:
    """web-v1 is current again with its old creation time; of the unfinished v2 and v3 the older one goes first."""
    sets = [
        SetView(name="v1", spec=4, replicas=4, ready=4, available=4, order=(0.0, "v1"), desired=6, maximum=8),
        SetView(name="v2", spec=3, replicas=3, ready=3, available=3, order=(1.0, "v2"), desired=6, maximum=8),
        SetView(name="v3", spec=1, replicas=1, ready=1, available=1, order=(2.0, "v3"), desired=6, maximum=8),
    ]
    view = DeploymentView(replicas=6, max_surge=2, max_unavailable=0)
    assert rollout.reconcile_old(view, [sets[2], sets[1]], sets[0]) == [("v2", 3, 1)]
    spec = world(
        workload(replicas=4, max_surge=1, max_unavailable=0, template=template(readiness=READY)),
        events=(event(10.0, "rollout", image="web:2"), event(60.0, "rollout", image="web:3"), event(64.0, "undo", revision=1)),
        behaviour={"start_wait_s": 3.0},
    )
    trace = run(spec, plane=QuietPlane())
    assert [line.split()[:4] for line in get_rs(trace, 300.0)[1:]] == [
        ["web-v1", "4", "4", "4"],
        ["web-v2", "0", "0", "0"],
        ["web-v3", "0", "0", "0"],
    ]
    assert len([one for one in trace.scales if one.name == "web-v1" and one.from_replicas is None]) == 1, "the same object again"


# ------------------------------------------------------------------ pods, network, nodes


def test_d42_without_a_hook_the_server_closes_before_the_proxies_know() -> None:
    spec = world(workload(replicas=2, max_surge=1, max_unavailable=0), events=(event(10.0, "rollout", image="web:2"),))
    plane = QuietPlane()
    run(spec, plane=plane)
    drained = {pod: t for t, what, pod in plane.log if what == "drain"}
    unrouted = {pod: t for t, what, pod in plane.log if what == "unroute"}
    assert all(drained[pod] < unrouted[pod] for pod in ("web-v1-0", "web-v1-1"))


def test_d44_open_connections_neither_find_new_pods_nor_leave_old_ones() -> None:
    """With kept connections almost nothing reaches the pods of a scale-up; without, they get their share."""
    spec = world(
        workload(replicas=1), events=(event(30.0, "scale", replicas=4),), horizon_s=120.0, rate=30.0,
        edge={"proxies": ("p", "q"), "keepalive": Keepalive(connections=1)},
    )  # fmt: skip
    spec = replace(spec, traffic=replace(spec.traffic, machines=tuple(Machine(name=f"pool-{i}", cores=4.0) for i in range(3))))

    def share(kept: bool) -> float:
        edges = tuple(one if kept else replace(one, keepalive=None) for one in spec.traffic.edges)
        one = replace(spec, traffic=replace(spec.traffic, edges=edges))
        plane = make_plane(one.traffic, engine="heap")
        run(one, plane=plane)
        used = {name: pod.cpu_s for name, pod in plane.read(120.0).items()}
        return sum(cpu for name, cpu in used.items() if name != "web-v1-0") / sum(used.values())

    assert share(kept=True) < 0.02
    assert share(kept=False) > 0.4


def test_d45_each_proxy_learns_of_a_change_at_its_own_time() -> None:
    class Told(QuietPlane):
        def route(self, t_s: float, pod: str, proxy: str | None = None) -> None:
            super().route(t_s, pod, proxy)
            told.append((round(t_s, 3), str(proxy)))

    told: list[tuple[float, str]] = []
    spec = world(workload(replicas=1), events=(event(10.0, "scale", replicas=2),), edge={"proxies": ("a", "b", "c", "d")})
    run(spec, plane=Told())
    late = [one for one in told if one[0] > 10.0]
    assert [proxy for _, proxy in late] == ["a", "b", "c", "d"]
    assert len({t for t, _ in late}) == 4 and late[-1][0] - late[0][0] == pytest.approx(0.75)
    assert endpoints.chosen([EndpointView(pod="a", serving=True, terminating=True)]) == ["a"], "rather a terminating pod than none"


def test_d47_a_crash_loop_is_the_same_pod_and_no_new_one() -> None:
    spec = world(
        workload(replicas=1, max_surge=1, max_unavailable=0),
        events=(event(10.0, "rollout", image="web:2", fails="crash"),),
        horizon_s=900.0,
    )
    trace = run(spec, plane=QuietPlane())
    assert len(times(trace, "restarted", "web-v2")) >= 5
    assert times(trace, "created") == [times(trace, "created", "web-v2-0")[0]]
    assert len({one.node for one in trace.pods if one.pod == "web-v2-0" and one.node}) == 1


def test_d51_a_saturated_node_fits_what_requests_little_and_an_idle_one_is_full_of_requests() -> None:
    """The pods use 4 of 4 cores and request 0.4; the others use nothing and request all."""
    spec = world(
        workload(replicas=1, template=template(request_cores=0.4)),
        events=(event(20.0, "scale", replicas=9),),
        pools=(NodePool(name="pool", cores=4.0, memory_bytes=2.0**34, count=1),),
    )
    busy = run(spec, plane=QuietPlane(cores=4.0))
    assert len(times(busy, "scheduled")) == 8
    idle = run(replace(spec, workloads=(workload(replicas=1, template=template(request_cores=2.1)),)), plane=QuietPlane(cores=0.0))
    assert times(idle, "scheduled") == []
    assert "Insufficient cpu" in next(one.reason for one in idle.pods if one.state == "unschedulable")


def test_d53_equal_nodes_are_drawn_from_and_spreading_is_a_wish() -> None:
    """One node has all the room that is left: all replicas go there, and no rule of spreading stops them."""
    nodes = [NodeView(name, {"cpu": 1000, "memory": 2**30, "pods": 110}) for name in ("a", "b", "c")]
    pod = PodView(name="p", requests={"cpu": 100}, score_cpu=100)
    assert {choose_node(pod, nodes, draw=draw).node for draw in (0.0, 0.4, 0.9)} == {"a", "b", "c"}
    spec = world(
        workload(name="full", replicas=2, template=template(request_cores=0.95)),
        workload(replicas=3, template=template(request_cores=0.2)),
        pools=(NodePool(name="pool", cores=1.0, memory_bytes=2.0**34, count=3),),
    )
    trace = run(spec, plane=QuietPlane())
    assert len({one.node for one in trace.pods if one.workload == "web" and one.state == "scheduled"}) == 1


def test_d54_a_budget_binds_evictions_and_nothing_else() -> None:
    """Nothing may be missing, and yet a rollout, a scale-down and a lost node take pods; a drain does not."""
    budget = DisruptionBudget(name="b", namespace="default", selector={"matchLabels": {"app": "web"}}, minimum=3)
    base = replace(world(workload(replicas=3, max_surge=0, max_unavailable=1), horizon_s=600.0), budgets=(budget,))

    def ended(*events: Event) -> int:
        return len(times(run(replace(base, events=events), plane=QuietPlane()), "terminating"))

    assert ended(event(20.0, "rollout", image="web:2")) == 3
    assert ended(event(20.0, "scale", replicas=1)) == 2
    assert ended(event(20.0, "nodeLoss", "pool")) == 1
    assert ended(event(20.0, "drain", "pool")) == 0


def test_d57_other_requests_change_the_percentage_of_the_same_load() -> None:
    """Each pod uses 60m. Of a request of 200m that is 30 %, of the 70m that a vertical autoscaler wants 85 %."""

    def shown(request: float) -> tuple[str, str]:
        spec = world(workload("web", replicas=2, template=template(request_cores=request)), autoscalers=(scaler("web"),), horizon_s=50.0)
        line = hpa_at(run(spec, plane=QuietPlane(cores=0.06)), 49.0)[1].split()
        return line[3], line[6]

    assert shown(0.2) == ("30%/50%", "2")
    assert shown(0.07)[0] == "85%/50%"


# ------------------------------------------------------------------ control-plane timing (10)


def test_section_10_each_hop_takes_its_own_time() -> None:
    """Slower watches and writes stretch every step of a rollout; a pass is a write, a watch, a write ... and not one instant."""

    def lasting(watch_s: float, api_s: float) -> float:
        spec = world(
            workload(replicas=4, max_surge=1, max_unavailable=0, template=template(readiness=READY)),
            events=(event(10.0, "rollout", image="web:2"),),
            control=ControlPlane(watch_s=watch_s, api_s=api_s),
        )
        return max(times(run(spec, plane=QuietPlane()), "deleted"))

    quick, slow = lasting(0.001, 0.001), lasting(0.2, 0.1)
    assert slow - quick > 4 * 4 * 0.3, "four steps of at least four hops"
