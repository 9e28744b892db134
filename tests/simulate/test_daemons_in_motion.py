"""DaemonSets through the whole engine: which nodes they choose, and that their pods ask for room as others do (semantics 5.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from simulate.control.daemonset import place, tolerations
from simulate.control.placement_view import NodeView, PodView, Taint
from simulate.engine import run
from simulate.spec import ClusterSpec, Event, NodePool, PodTemplate
from simulate.trace import Trace
from simulate.views import get_workloads
from tests.simulate.worlds import QuietPlane, template, workload, world

GIB = 2.0**30


def pool(name: str, **said: Any) -> NodePool:
    return NodePool(**{"name": name, "cores": 1.0, "memory_bytes": 8 * GIB, "count": 2, **said})


def agent(**pod: Any) -> PodTemplate:
    return replace(template(request_cores=0.3), data={"spec": pod})


def placed(trace: Trace, at_s: float = 1e9) -> list[str]:
    """Nodes of the agents that are there."""
    nodes: dict[str, str | None] = {}
    for one in trace.pods:
        if one.workload == "agent" and one.t_s <= at_s:
            if one.state == "scheduled":
                nodes[one.pod] = one.node
            elif one.state == "deleted":
                nodes.pop(one.pod, None)
    return sorted(map(str, nodes.values()))


def agents(*pools: NodePool, pod: PodTemplate, events: tuple[Event, ...] = (), others: int = 0) -> ClusterSpec:
    own = workload(name="agent", kind="DaemonSet", replicas=0, template=pod)
    return world(own, workload(replicas=others, template=template(request_cores=0.5)), pools=pools, events=events)


def test_labels_and_taints_decide_which_nodes_get_a_pod() -> None:
    gpu = pool("gpu", labels={"disk": "ssd"}, taints=({"key": "gpu", "effect": "NoSchedule"},))
    plain = pool("plain", labels={"disk": "ssd"})
    slow = pool("slow")
    everywhere = run(agents(gpu, plain, slow, pod=agent()), plane=QuietPlane())
    assert placed(everywhere) == ["plain-0", "plain-1", "slow-0", "slow-1"]
    chosen = run(agents(gpu, plain, slow, pod=agent(nodeSelector={"disk": "ssd"})), plane=QuietPlane())
    assert placed(chosen) == ["plain-0", "plain-1"]
    tolerant = agent(nodeSelector={"disk": "ssd"}, tolerations=[{"operator": "Exists"}])
    spec = agents(gpu, plain, slow, pod=tolerant)
    trace = run(spec, plane=QuietPlane())
    assert placed(trace) == ["gpu-0", "gpu-1", "plain-0", "plain-1"]
    assert get_workloads(trace, spec, "DaemonSet", 10.0)[1].split()[:7] == ["agent", "4", "4", "4", "4", "4", "disk=ssd"]


@pytest.mark.parametrize(
    ("taints", "wanted"),
    [((), (True, True)), ((Taint("k"),), (False, True)), ((Taint("k", "", "NoExecute"),), (False, False)),
     ((Taint("node.kubernetes.io/unreachable", "", "NoExecute"),), (True, True)), ((Taint("k", "", "PreferNoSchedule"),), (True, True))],
)  # fmt: skip
def test_a_taint_keeps_pods_away_or_takes_them(taints: tuple[Taint, ...], wanted: tuple[bool, bool]) -> None:
    assert place(PodView(name="p", tolerations=tolerations()), NodeView("n", {"cpu": 1}, taints=taints)) == wanted


def test_a_cordoned_node_keeps_its_pod_and_gets_the_new_one() -> None:
    events = (Event(at_s=20.0, verb="drain", target="a"), Event(at_s=40.0, verb="rollout", target="agent", arguments={"image": "agent:2"}))
    trace = run(agents(pool("a"), pod=agent(), events=events), plane=QuietPlane())
    assert placed(trace, 39.0) == ["a-0", "a-1"]
    assert placed(trace) == ["a-0", "a-1"]
    assert len([one for one in trace.pods if one.workload == "agent" and one.state == "ready" and one.t_s > 40.0]) == 2


def test_a_pod_that_has_no_room_on_its_node_waits_for_it_there() -> None:
    """The other pods need 0.5 of each core; an agent of 0.6 fits only when the workload is gone."""
    wide = replace(agent(), containers=(replace(template().containers[0], request_cores=0.3),))
    events = (
        Event(at_s=20.0, verb="rollout", target="agent", arguments={"image": "agent:2"}),
        Event(at_s=20.0, verb="scale", target="web", arguments={"replicas": 4}),
        Event(at_s=100.0, verb="scale", target="web", arguments={"replicas": 2}),
    )
    trace = run(agents(pool("a"), pod=wide, events=events, others=2), plane=QuietPlane(drain_s=0.5))
    used: dict[str, float] = {}
    for one in trace.pods:
        cores = 0.3 if one.workload == "agent" else 0.5
        if one.state == "scheduled":
            used[str(one.node)] = used.get(str(one.node), 0.0) + cores
            assert used[str(one.node)] <= 1.0
        elif one.state == "deleted" and one.node:
            used[one.node] -= cores
    assert placed(trace) == ["a-0", "a-1"]


def test_agents_that_wait_for_their_node_buy_no_other() -> None:
    small = pool("a", cores=0.5, maximum=5, minimum=2)
    big = replace(agent(), containers=(replace(template().containers[0], request_cores=0.8),))
    trace = run(replace(agents(small, pod=big), horizon_s=600.0), plane=QuietPlane())
    waiting = {one.pod: one.reason for one in trace.pods if one.state == "unschedulable"}
    assert len(waiting) == 2 and all("Insufficient cpu" in reason for reason in waiting.values())
    assert {one.state for one in trace.nodes} == {"ready"}
