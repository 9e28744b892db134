from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simulate.engine import assert_conserved, relative_speed, run, traffic_of
from simulate.problems import InputError
from simulate.spec import Autoscaler, Behaviour, ControlPlane, Distribution, Event, Machine, NodePool, Probe, Source, Step
from simulate.trace import Trace, log_lines
from simulate.traffic import make_plane
from simulate.traffic.plane import SourceCounters, Trigger
from simulate.views import describe_events, get_hpa, get_pods, get_rs, rollout_status, watch_rs
from tests.oracle import traces
from tests.simulate.worlds import READY, QuietPlane, template, workload, world

BOOT = {"start_wait_s": 2.0, "start_cpu_s": 1.5}


def event(at_s: float, verb: str, target: str = "web", **arguments: Any) -> Event:
    return Event(at_s=at_s, verb=verb, target=target, arguments=arguments)


def pods(trace: Trace, state: str) -> list[tuple[float, str]]:
    return [(round(one.t_s, 3), one.pod) for one in trace.pods if one.state == state and one.t_s > 0]


def test_the_log_of_a_small_rollout() -> None:
    spec = world(
        workload(replicas=2, max_surge=1, max_unavailable=0, template=template(readiness=READY)),
        events=(event(10.0, "rollout", image="web:2"),),
        behaviour=BOOT,
        horizon_s=60.0,
    )
    lines = [line.strip() for line in log_lines(run(spec, plane=QuietPlane())) if " event " not in line]
    assert lines[lines.index("10.000s  scenario: rollout web image=web:2") :] == [
        "10.000s  scenario: rollout web image=web:2",
        "10.015s  replicaset/web-v2 created with 1 by deployment-controller",
        "10.025s  web ready 2/2 up-to-date 0 available 2 pods 2",
        "10.030s  pod/web-v2-0 created",
        "10.045s  pod/web-v2-0 scheduled on pool-0",
        "10.060s  web ready 2/2 up-to-date 1 available 2 pods 3",
        "11.055s  pod/web-v2-0 running",
        "15.055s  pod/web-v2-0 ready",
        "15.085s  replicaset/web-v1 scaled from 2 to 1 by deployment-controller",
        "15.090s  web ready 3/2 up-to-date 1 available 3 pods 3",
        "15.100s  replicaset/web-v2 scaled from 1 to 2 by deployment-controller",
        "15.100s  pod/web-v1-0 terminating (scaled down web-v1)",
        "15.115s  pod/web-v2-1 created",
        "15.130s  pod/web-v2-1 scheduled on pool-2",
        "15.130s  web ready 2/2 up-to-date 1 available 2 pods 2",
        "15.145s  web ready 2/2 up-to-date 2 available 2 pods 3",
        "16.140s  pod/web-v2-1 running",
        "16.610s  pod/web-v1-0 deleted",
        "20.140s  pod/web-v2-1 ready",
        "20.170s  replicaset/web-v1 scaled from 1 to 0 by deployment-controller",
        "20.175s  web ready 3/2 up-to-date 2 available 3 pods 3",
        "20.185s  pod/web-v1-1 terminating (scaled down web-v1)",
        "20.215s  web ready 2/2 up-to-date 2 available 2 pods 2",
        "21.695s  pod/web-v1-1 deleted",
    ]


def test_views_of_the_same_rollout() -> None:
    spec = world(
        workload(replicas=4, max_surge=1, max_unavailable=1, template=template(readiness=READY)),
        events=(event(10.0, "rollout", image="web:2"),),
        behaviour=BOOT,
        horizon_s=60.0,
    )
    trace = run(spec, plane=QuietPlane())
    assert rollout_status(trace, "web", 10.05)[-1] == 'deployment "web" successfully rolled out'
    assert any("old replicas are pending termination" in line for line in rollout_status(trace, "web", 10.05))
    assert get_rs(trace, 60.0)[1:] == ["web-v1   0         0         0       60s", "web-v2   4         4         4       49s"]
    assert len(get_pods(trace, 60.0)) == 5
    assert watch_rs(trace)[1].split()[:4] == ["web-v1", "4", "4", "4"]
    assert "Scaled up replica set web-v2 from 0 to 1" in "\n".join(describe_events(trace, "web"))


def test_terminating_pods_do_not_count_as_in_kubernetes_95498() -> None:
    """15 replicas, 25 %/25 %: 3 terminating and 7 new pods at once."""
    spec = world(
        workload(replicas=15, template=template(readiness=Probe(kind="http", period_s=5))),
        events=(event(10.0, "rollout", image="web:2"),),
        behaviour={"start_wait_s": 20.0},
        horizon_s=25.0,
    )
    trace = run(spec, plane=QuietPlane(drain_s=float("inf")))
    assert len(pods(trace, "terminating")) == 3
    assert len(pods(trace, "created")) == 7
    assert pods(trace, "deleted") == []
    assert [(one.name, one.to_replicas) for one in trace.scales[1:]] == [("web-v2", 4), ("web-v1", 12), ("web-v2", 7)]


def test_undo_puts_the_old_set_back() -> None:
    spec = world(
        workload(template=template(readiness=READY)),
        events=(event(10.0, "rollout", image="web:2", fails="unready"), event(60.0, "undo")),
        behaviour=BOOT,
    )
    trace = run(spec, plane=QuietPlane())
    assert get_rs(trace, 59.0)[1:] == ["web-v1   3         3         3       59s", "web-v2   2         2         0       48s"]
    assert [line.split()[:4] for line in get_rs(trace, 300.0)[1:]] == [["web-v1", "4", "4", "4"], ["web-v2", "0", "0", "0"]]


def test_a_crashing_image_backs_off() -> None:
    spec = world(workload(replicas=1, max_surge=1, max_unavailable=0), events=(event(10.0, "rollout", image="web:2", fails="crash"),))
    trace = run(spec, plane=QuietPlane())
    killed = [t for t, pod in pods(trace, "killed") if pod == "web-v2-0"]
    waits = [again - end for end, again in zip(killed, [t for t, _ in pods(trace, "restarted")], strict=False)]
    assert waits[0] == pytest.approx(1.0), "the first restart is immediate, but for the time to notice"
    assert 10.0 <= waits[1] <= 26.0
    assert 20.0 <= waits[2] <= 36.0


def test_an_image_that_cannot_be_pulled_never_runs() -> None:
    spec = world(workload(replicas=1, max_surge=1, max_unavailable=0), events=(event(10.0, "rollout", image="web:2", fails="pull"),))
    trace = run(spec, plane=QuietPlane())
    assert pods(trace, "running") == []
    assert get_pods(trace, 200.0)[2].split()[:3] == ["web-v2-0", "0/1", "ImagePullBackOff"]
    assert get_pods(trace, 12.0)[2].split()[:3] == ["web-v2-0", "0/1", "ErrImagePull"]


def test_out_of_memory_restarts_the_same_pod() -> None:
    spec = world(workload(replicas=2, template=template(readiness=READY)), behaviour=BOOT)
    trace = run(spec, plane=QuietPlane(ooms=((50.0, "web-v1-0"),)))
    assert pods(trace, "killed") == [(50.0, "web-v1-0")]
    assert pods(trace, "restarted") == [(51.0, "web-v1-0")]
    assert pods(trace, "created") == []
    assert [pod for _, pod in pods(trace, "ready")] == ["web-v1-0"]


def test_out_of_memory_ends_a_drain() -> None:
    spec = world(workload(replicas=1, max_surge=1, max_unavailable=0), events=(event(10.0, "rollout", image="web:2"),))
    trace = run(spec, plane=QuietPlane(drain_s=float("inf"), ooms=((20.0, "web-v1-0"),)))
    assert pods(trace, "killed") == [(20.0, "web-v1-0")]
    assert pods(trace, "deleted") == [(21.0, "web-v1-0")]
    assert pods(trace, "restarted") == []


def test_a_dead_server_is_restarted_by_its_liveness_probe() -> None:
    class Deaf(QuietPlane):
        def probe(self, t_s: float, pod: str, probe: str, *, cpu_s: float, timeout_s: float) -> Trigger | None:
            return Trigger(t_s, "probe", pod, probe, "refused" if 100.0 < t_s < 140.0 else "ok")

    spec = world(workload(replicas=1, template=template(liveness=Probe(kind="http", period_s=10))), behaviour={"workers": 4})
    trace = run(spec, plane=Deaf())
    assert [round(t, 1) for t, _ in pods(trace, "killed")] == [130.5], "the third failure in a row, and half a second to end"
    assert [round(t, 1) for t, _ in pods(trace, "restarted")] == [131.5]


def test_what_does_not_fit_waits_with_the_reason() -> None:
    pool = (NodePool(name="pool", cores=1.0, memory_bytes=2.0**33, count=2),)
    spec = world(workload(replicas=4, template=template(request_cores=0.4)), events=(event(20.0, "scale", replicas=6),), pools=pool)
    trace = run(spec, plane=QuietPlane())
    waiting = [one for one in trace.pods if one.state == "unschedulable"]
    assert {one.pod for one in waiting} == {"web-v1-4", "web-v1-5"}
    assert waiting[0].reason.startswith("0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, preemption: ")
    assert [line.split()[2] for line in get_pods(trace, 100.0)[1:]].count("Pending") == 2


def test_a_full_cluster_rolls_only_when_old_pods_are_gone() -> None:
    """kubernetes #99513: also with maxSurge 0 the new pod waits for the room of the old one."""
    pool = (NodePool(name="pool", cores=1.0, memory_bytes=2.0**33, count=2),)
    spec = world(
        workload(replicas=2, max_surge=0, max_unavailable=1, template=template(request_cores=0.6)),
        events=(event(20.0, "rollout", image="web:2"),),
        pools=pool,
        behaviour={"start_wait_s": 1.0},
    )
    trace = run(spec, plane=QuietPlane(drain_s=5.0))
    first = next(one for one in trace.pods if one.state == "unschedulable")
    gone = next(one for one in trace.pods if one.state == "deleted")
    bound = next(one for one in trace.pods if one.pod == first.pod and one.state == "scheduled")
    assert first.t_s < gone.t_s < bound.t_s < gone.t_s + 0.1
    assert [line.split()[:4] for line in get_rs(trace, 300.0)[1:]] == [["web-v1", "0", "0", "0"], ["web-v2", "2", "2", "2"]]


def test_a_lost_node_is_noticed_after_its_grace_and_replaced_after_the_toleration() -> None:
    spec = world(workload(replicas=3), events=(event(100.0, "nodeLoss", "pool", count=1),), horizon_s=600.0)
    plane = QuietPlane()
    trace = run(spec, plane=plane)
    assert [(one.t_s, one.state) for one in trace.nodes if one.t_s > 0] == [(100.0, "lost"), (150.0, "notReady")]
    assert [t for t, _ in pods(trace, "unready")] == [150.0]
    assert [t for t, _ in pods(trace, "terminating")] == [450.0]
    assert pods(trace, "created")[0][0] == pytest.approx(450.0, abs=0.1)
    assert pods(trace, "deleted") == []
    assert [what for _, what, _ in plane.log].count("lose") == 1


def test_a_node_that_comes_back_restarts_its_pods() -> None:
    spec = world(workload(replicas=3), events=(event(100.0, "nodeLoss", "pool", **{"for": 60.0}),), horizon_s=300.0)
    trace = run(spec, plane=QuietPlane())
    assert [t for t, _ in pods(trace, "restarted")] == [161.0]
    assert pods(trace, "created") == []


def test_a_drained_node_is_empty() -> None:
    trace = run(world(workload(replicas=3), events=(event(50.0, "drain", "pool"),)), plane=QuietPlane())
    drained = {one.node for one in trace.pods if one.state == "terminating"}
    assert len(drained) == 1
    assert all(one.node not in drained for one in trace.pods if one.state == "scheduled" and one.t_s > 0)
    assert len(pods(trace, "ready")) == 1


def test_prestop_keeps_the_server_open_until_the_proxies_know() -> None:
    spec = world(
        workload(replicas=2, max_surge=1, max_unavailable=0, template=template(prestop_s=5.0)),
        events=(event(10.0, "rollout", image="web:2"),),
    )
    plane = QuietPlane()
    run(spec, plane=plane)
    drains = {pod: t for t, what, pod in plane.log if what == "drain"}
    unroutes = {pod: t for t, what, pod in plane.log if what == "unroute"}
    assert all(drains[pod] - unroutes[pod] == pytest.approx(3.99, abs=0.1) for pod in ("web-v1-0", "web-v1-1"))
    bare = QuietPlane()
    run(replace(spec, workloads=(workload(replicas=2, max_surge=1, max_unavailable=0),)), plane=bare)
    assert any(what == "drain" and t < next(u for u, w, p in bare.log if w == "unroute" and p == pod) for t, what, pod in bare.log)


def test_a_server_that_does_not_end_is_killed_after_its_grace() -> None:
    spec = world(
        workload(replicas=1, max_surge=1, max_unavailable=0, template=template(grace_s=10.0, prestop_s=4.0)),
        events=(event(10.0, "rollout", image="web:2"),),
    )
    plane = QuietPlane(drain_s=float("inf"))
    trace = run(spec, plane=plane)
    (start,) = [t for t, _ in pods(trace, "terminating")]
    assert pods(trace, "killed") == [(pytest.approx(start + 10.01, abs=1e-6), "web-v1-0")]


HPA = Autoscaler(
    name="web",
    namespace="default",
    target="web",
    minimum=1,
    maximum=10,
    metrics=({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 20}}},),
)


def test_the_autoscaler_of_the_seed() -> None:
    spec = world(workload(replicas=1, template=template(readiness=READY)), autoscalers=(HPA,), behaviour=BOOT, horizon_s=120.0)
    trace = run(spec, plane=QuietPlane(cores=0.03))
    lines = [line.split() for line in get_hpa(trace)]
    assert lines[0] == ["NAME", "REFERENCE", "TARGETS", "MINPODS", "MAXPODS", "REPLICAS", "AGE"]
    assert lines[1] == ["web", "Deployment/web", "cpu:", "<unknown>/20%", "1", "10", "0", "0s"]
    assert lines[2] == ["web", "Deployment/web", "cpu:", "<unknown>/20%", "1", "10", "1", "15s"]
    assert lines[3] == ["web", "Deployment/web", "cpu:", "30%/20%", "1", "10", "1", "30s"]
    assert [(one.from_replicas, one.to_replicas) for one in trace.scales if one.kind == "Deployment"][:2] == [(1, 2), (2, 3)]


def test_same_seed_same_trace_and_requests_are_conserved() -> None:
    spec = world(
        workload(replicas=3, max_surge=1, max_unavailable=1, template=template(readiness=READY)),
        events=(event(30.0, "rollout", image="web:2"),),
        behaviour={**BOOT, "workers": 4, "backlog": 10},
        horizon_s=90.0,
    )
    spec = replace(spec, traffic=replace(spec.traffic, machines=tuple(Machine(name=f"pool-{i}", cores=4.0) for i in range(3))))
    other_spec = replace(spec, seed=2, traffic=replace(spec.traffic, seed=2))
    first, second, other = (run(one, plane=make_plane(one.traffic, engine="heap")) for one in (spec, spec, other_spec))
    assert first == second
    assert first.traffic != other.traffic
    arrived = sum(window.arrived for window in first.traffic)
    ended = sum(window.ok + sum(window.failed.values()) for window in first.traffic)
    assert arrived == ended + first.traffic[-1].in_flight > 1000
    assert sum(window.failed.get("refused", 0) for window in first.traffic) > 0, "SIGTERM comes before the proxies know"
    used = sum(window.used_cores * (window.end_s - window.start_s) for window in first.usage)
    assert used == pytest.approx(0.01 * arrived + 3 * 1.5, rel=0.1)


def test_requests_that_vanish_are_noticed() -> None:
    with pytest.raises(AssertionError, match="3 arrived, 2 accounted for"):
        assert_conserved({"users": SourceCounters(3, 1, {"refused": 1}, 0, 0.0, {})})


def test_what_cannot_be_honoured_is_refused_all_at_once() -> None:
    spec = world(workload(), workload(name="init", kind="Job", replicas=1), events=(event(1.0, "explode"), event(2.0, "rollout", "init")))
    with pytest.raises(InputError) as caught:
        run(spec, plane=QuietPlane())
    assert [problem.message for problem in caught.value.problems] == [
        "events: verb 'explode' is not simulated",
        "events: rollout init: a Job is complete before the start and is not run again",
    ]


def test_stateful_pods_are_replaced_from_the_top() -> None:
    spec = world(
        workload(replicas=3, kind="StatefulSet", template=template(readiness=READY)),
        events=(event(10.0, "rollout", image="web:2"),),
        behaviour=BOOT,
    )
    trace = run(spec, plane=QuietPlane())
    assert [pod for _, pod in pods(trace, "terminating")] == ["web-2", "web-1", "web-0"]
    assert len(get_pods(trace, 300.0)) == 4


def test_a_daemon_runs_on_every_node() -> None:
    trace = run(world(workload(), workload(name="agent", kind="DaemonSet", replicas=0)), plane=QuietPlane())
    nodes = [one.node for one in trace.pods if one.workload == "agent" and one.state == "scheduled"]
    assert nodes == ["pool-0", "pool-1", "pool-2"]


def test_client_limits_stretch_a_large_creation() -> None:
    spec = world(
        workload(replicas=1),
        events=(event(10.0, "scale", replicas=100),),
        pools=(NodePool(name="p", cores=99.0, memory_bytes=2.0**40, count=1),),
    )
    created = [t for t, _ in pods(run(spec, plane=QuietPlane()), "created")]
    assert len([t for t in created if t < 10.4]) in range(28, 38)
    assert created[-1] == pytest.approx(13.6, abs=0.4)
    quick = replace(spec, control=ControlPlane(kube_api_qps=1000.0, kube_api_burst=1000))
    assert pods(run(quick, plane=QuietPlane()), "created")[-1][0] < 10.3


def test_a_slower_version_is_a_slower_pod() -> None:
    usual = Behaviour(
        name="web", program=(Step(cpu_s=Distribution(name="exp", mean=0.01)), Step(cpu_s=Distribution(name="const", value=0.01)))
    )
    slower = replace(usual, program=(Step(cpu_s=Distribution(name="const", value=0.04)),))
    assert relative_speed(usual, slower) == pytest.approx(0.5)


def test_a_version_that_is_not_only_slower_is_a_behaviour_of_its_own() -> None:
    def named(changed: Behaviour) -> list[str]:
        made = traffic_of(world(workload(), events=(event(10.0, "rollout", behaviour=changed),)))
        return [f"{one.name} of {one.service}" for one in made.behaviours]

    usual = world(workload()).traffic.behaviours[0]
    assert named(replace(usual, program=(Step(cpu_s=Distribution(name="exp", mean=0.03)),), start_wait_s=3.0)) == ["web of web"]
    for changed in (replace(usual, workers=1), replace(usual, program=(Step(wait_s=Distribution(name="const", value=0.01)),))):
        assert named(changed) == ["web of web", "web@2 of web"]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_requests_meet_the_program_of_the_version_that_serves_them(kind: str) -> None:
    """Two seconds of waiting instead of none, from the second pod on that was replaced: what was fast becomes slow, and nothing is lost."""
    usual = Behaviour(name="web", program=(Step(cpu_s=Distribution(name="const", value=0.001)),))
    slower = replace(usual, program=(*usual.program, Step(wait_s=Distribution(name="const", value=2.0))), workers=50)
    spec = world(
        workload(replicas=2, kind=kind), events=(event(60.0, "rollout", behaviour=slower, image="web:2"),),
        behaviour={"program": usual.program}, rate=20.0, horizon_s=180.0,
    )  # fmt: skip
    machines = tuple(Machine(name=f"pool-{i}", cores=4.0) for i in range(3))
    trace = run(replace(spec, traffic=replace(spec.traffic, machines=machines)))
    means = [one.latency_sum_s / one.ok for one in trace.traffic if one.ok]
    assert max(means[:4]) < 0.01 and min(means[-4:]) > 1.9


def test_warm_up_by_time_changes_the_speed() -> None:
    spec = world(workload(replicas=1), events=(event(10.0, "scale", replicas=2),), behaviour={"warm_time": ((0.0, 0.5), (60.0, 0.9))})
    plane = QuietPlane()
    run(spec, plane=plane)
    sets = [(round(t), pod) for t, what, pod in plane.log if what == "set"]
    assert sets == [(-1, "web-v1-0"), (11, "web-v1-1"), (71, "web-v1-1")]


def test_many_sizes_are_told_combined() -> None:
    spec = world(
        workload(replicas=8, max_surge=1, max_unavailable=0, template=template(readiness=READY)),
        events=(event(10.0, "rollout", image="web:2"),),
    )
    messages = [one.message for one in run(spec, plane=QuietPlane()).events if one.reason == "ScalingReplicaSet"]
    assert [text.startswith("(combined from similar events): ") for text in messages] == [False] * 9 + [True] * (len(messages) - 9)


def test_a_pool_grows_for_what_does_not_fit_and_shrinks_when_it_is_over() -> None:
    pool = (NodePool(name="pool", cores=1.0, memory_bytes=2.0**33, count=2, minimum=2, maximum=4, provision_s=120.0),)
    spec = world(
        workload(replicas=4, template=template(request_cores=0.4)),
        workload(name="agent", kind="DaemonSet", replicas=0, template=template(request_cores=0.05)),
        events=(event(20.0, "scale", replicas=7), event(600.0, "scale", replicas=3)),
        pools=pool,
        horizon_s=2400.0,
    )
    trace = run(spec, plane=QuietPlane())
    changes = [(round(one.t_s), one.node, one.state) for one in trace.nodes if one.t_s > 0]
    assert changes[:4] == [(30, "pool-2", "requested"), (30, "pool-3", "requested"), (150, "pool-2", "ready"), (150, "pool-3", "ready")]
    assert len([t for t, pod in pods(trace, "ready") if pod.startswith("web") and t > 150]) >= 3
    removed = [(t, node) for t, node, state in changes if state == "removed"]
    assert len(removed) == 2
    assert all(t >= 1200 for t, _ in removed), "ten minutes after the addition, ten minutes unneeded"
    alive = {one.pod: one.state for one in trace.pods}
    assert sum(state == "ready" for pod, state in alive.items() if pod.startswith("agent")) == 2


def test_recorded_controllers(shared: Path) -> None:
    """Every trace of the recording."""
    results = dict(traces.run(sorted((shared / "oracle" / "traces").glob("*.json"))))
    assert len(results) >= 168
    assert {name: reason for name, reason in results.items() if reason} == {}


def test_requests_of_time_0_find_the_pods_that_exist_then() -> None:
    users = Source(name="users", to="web", kind="closed", users=3, think_s=Distribution(name="const", value=0.0), iterations=2)
    made = world(workload(replicas=1), horizon_s=15.0)
    nodes = tuple(Machine(name=f"pool-{i}", cores=4.0) for i in range(3))
    windows = run(replace(made, traffic=replace(made.traffic, sources=(users,), machines=nodes))).traffic
    assert [(window.arrived, window.ok, dict(window.failed)) for window in windows] == [(6, 6, {})]
