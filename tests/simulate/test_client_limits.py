"""Every controller has a client of its own, and its rate holds back what the controller writes (kubernetes-semantics.md 4.1)."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from simulate.control.loops.agenda import Agenda
from simulate.control.loops.queue import Client
from simulate.engine import run
from simulate.spec import Autoscaler, ClusterSpec, ControlPlane, NodePool, Workload
from simulate.trace import Trace
from tests.simulate.test_outages import event
from tests.simulate.worlds import QuietPlane, workload, world

BIG = NodePool(name="p", cores=999.0, memory_bytes=2.0**44, pods=1000, count=1)
QUICK = ControlPlane(kube_api_qps=1000.0, kube_api_burst=1000)


def created(trace: Trace, name: str) -> list[float]:
    return [one.t_s for one in trace.pods if one.state == "created" and one.workload == name and one.t_s > 0]


def scaled(*workloads: Workload, names: tuple[str, ...] = ("web",)) -> ClusterSpec:
    return world(*workloads, events=tuple(event(10.0, "scale", name, replicas=101) for name in names), pools=(BIG,))


def test_requests_and_events_share_one_bucket() -> None:
    agenda, told = Agenda(), []
    client = Client(agenda, 10.0, 3, 0.0)
    client.event("a")
    for name in "bcd":
        client.request(lambda one=name: told.append((one, round(agenda.now, 3))))
    agenda.run(5.0)
    assert told == [("b", 0.0), ("c", 0.0), ("d", 0.1)]


def test_chained_requests_follow_each_other_in_order() -> None:
    agenda, told = Agenda(), []
    client = Client(agenda, 10.0, 1, 0.01)
    client.chain([lambda: told.append(("a", round(agenda.now, 3))), lambda: told.append(("b", round(agenda.now, 3)))], agenda.peek)
    agenda.run(5.0)
    assert told == [("a", 0.01), ("b", 0.11)]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_large_creation_takes_seconds(kind: str) -> None:
    """100 pods: the burst at once, the rest at the rate; events of the pods' creation take their share (25 of one object)."""
    spec = scaled(replace(workload(replicas=1, kind=kind), pod_management="Parallel"))
    times = created(run(spec, plane=QuietPlane()), "web")
    assert len(times) == 100 and 20 <= len([t for t in times if t < 10.4]) <= 40
    assert 3.4 <= times[-1] - 10.0 <= 5.2
    assert created(run(replace(spec, control=QUICK), plane=QuietPlane()), "web")[-1] < 10.4


def test_a_daemon_set_fills_a_hundred_nodes_at_the_rate() -> None:
    pool = NodePool(name="p", cores=4.0, memory_bytes=2.0**34, count=100)
    spec = world(workload(), workload(name="agent", kind="DaemonSet", replicas=0), pools=(pool,), events=(event(10.0, "create", "agent"),))
    spec = replace(spec, workloads=(spec.workloads[0], replace(spec.workloads[1], created_s=10.0)))
    times = created(run(spec, plane=QuietPlane()), "agent")
    assert len(times) == 100 and 3.4 <= times[-1] - 10.0 <= 5.2
    assert created(run(replace(spec, control=QUICK), plane=QuietPlane()), "agent")[-1] < 10.4


def test_one_controller_s_burst_holds_no_other_back() -> None:
    sts = replace(workload(name="db", replicas=1, kind="StatefulSet"), pod_management="Parallel")
    both = run(scaled(workload(replicas=1), sts, names=("web", "db")), plane=QuietPlane())
    alone = run(scaled(workload(replicas=1), sts), plane=QuietPlane())
    assert created(both, "web") == created(alone, "web")
    sets = run(scaled(workload(replicas=1), workload(name="api", replicas=1), names=("web", "api")), plane=QuietPlane())
    assert created(sets, "api")[-1] - 10.0 > 7.0, "two sets of one controller share its bucket"


def test_many_deployments_are_updated_at_the_rate() -> None:
    """60 Deployments get a new image at once: three writes and an event of each do not fit into the burst."""
    names = [f"w{i}" for i in range(60)]
    spec = world(
        *(workload(name=name, replicas=1) for name in names), pools=(BIG,),
        events=tuple(event(10.0, "rollout", name, image="web:2") for name in names),
    )  # fmt: skip

    def last_set(one: ClusterSpec) -> float:
        return max(scale.t_s for scale in run(one, plane=QuietPlane()).scales if scale.from_replicas is None)

    assert last_set(replace(spec, control=QUICK)) < 10.2
    assert last_set(spec) > 11.0


def test_many_autoscalers_reconcile_at_the_rate_of_their_client() -> None:
    """One a second are 15 in a period of 15 s: with 30 of them the period is about twice as long."""
    one = Autoscaler(name="a", namespace="default", target="web", minimum=1, maximum=5, metrics=())
    scalers = tuple(replace(one, name=f"a{i}") for i in range(30))
    spec = replace(world(workload(replicas=1), autoscalers=scalers, pools=(BIG,)), control=ControlPlane(kube_api_qps=1.0, kube_api_burst=1))

    def periods(spec: ClusterSpec, name: str) -> list[float]:
        times = [record.t_s for record in run(spec, plane=QuietPlane()).hpa if record.name == name and record.t_s > 90]
        return [b - a for a, b in pairwise(times)]

    assert all(29.0 < period < 31.0 for period in periods(spec, "a29")) and len(periods(spec, "a29")) > 5
    assert all(period < 15.1 for period in periods(replace(spec, autoscalers=scalers[:10]), "a9"))


def test_slices_are_written_at_the_rate() -> None:
    """The node of 60 Services' pods is not ready any more, all at once: the last slice is written well after the first."""
    names = [f"w{i}" for i in range(60)]
    base = world(*(workload(name=name, replicas=1) for name in names), pools=(BIG,), events=(event(10.0, "nodeLoss", "p"),))
    edges = tuple(replace(base.traffic.edges[0], caller=f"u-{name}", callee=name) for name in names)
    spec = replace(base, traffic=replace(base.traffic, edges=edges, sources=()))

    def unrouted(one: ClusterSpec) -> list[float]:
        plane = QuietPlane()
        run(one, plane=plane)
        return sorted(t for t, what, _ in plane.log if what == "unroute")

    for control, low, high in (
        (ControlPlane(), 1.4, 1.6),
        (ControlPlane(kube_api_qps=5.0, kube_api_burst=10), 9.9, 10.1),
        (QUICK, 0.0, 0.1),
    ):
        times = unrouted(replace(spec, control=control))
        assert len(times) == 60 and low <= times[-1] - times[0] <= high


def test_the_pods_of_a_lost_node_are_marked_and_evicted_at_the_rate() -> None:
    """100 pods on one node of two: at 50 s after the loss they turn unready, 300 s later they are deleted, each over some seconds."""
    pools = (BIG, replace(BIG, name="q", pods=1))
    base = world(workload(replicas=101), pools=pools, events=(event(10.0, "nodeLoss", "p"),))
    trace = run(replace(base, horizon_s=420.0), plane=QuietPlane())

    def span(state: str) -> tuple[int, float, float]:
        times = sorted(one.t_s for one in trace.pods if one.state == state and one.t_s > 0)
        return len(times), times[0], times[-1] - times[0]

    number, first_s, lasting_s = span("unready")
    assert (number, round(first_s)) == (100, 60) and lasting_s == pytest.approx(3.5, abs=0.3)
    number, first_s, lasting_s = span("terminating")
    assert (number, round(first_s)) == (100, 360) and 3.5 <= lasting_s <= 5.5
