"""What holds in every run, whatever the settings and the story."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from simulate.control import rollout
from simulate.control.rollout import DeploymentView
from simulate.engine import run
from simulate.spec import ClusterSpec, Event, NodePool
from simulate.trace import Trace
from simulate.views import get_rs
from tests.simulate.worlds import READY, QuietPlane, template, workload, world

BOUNDS = st.one_of(st.integers(0, 4), st.sampled_from(["10%", "25%", "50%", "100%"]))
REQUEST = 0.25


@st.composite
def stories(draw: Any) -> ClusterSpec:
    count = draw(st.integers(0, 3))
    verbs = [draw(st.sampled_from(["rollout", "undo", "scale", "nodeLoss", "drain"])) for _ in range(count)]
    events = []
    for i, verb in enumerate(verbs):
        arguments: dict[str, Any] = {}
        if verb == "rollout":
            arguments = {"image": f"web:{draw(st.integers(2, 4))}"}
        elif verb == "scale":
            arguments = {"replicas": draw(st.integers(0, 9))}
        elif verb == "nodeLoss":
            arguments = {"for": draw(st.floats(5.0, 120.0))}
        target = "pool" if verb in ("nodeLoss", "drain") else "web"
        events.append(Event(at_s=10.0 + 15.0 * i + draw(st.floats(0.0, 14.0)), verb=verb, target=target, arguments=arguments))
    probe = draw(st.sampled_from([None, READY]))
    return world(
        workload(
            replicas=draw(st.integers(1, 8)),
            max_surge=draw(BOUNDS),
            max_unavailable=draw(BOUNDS),
            min_ready_s=draw(st.integers(0, 3)),
            template=template(readiness=probe, request_cores=REQUEST),
        ),
        events=tuple(events),
        pools=(NodePool(name="pool", cores=2.0, memory_bytes=2.0**34, count=3),),
        behaviour={"start_wait_s": draw(st.floats(0.0, 5.0)), "start_cpu_s": draw(st.sampled_from([0.0, 1.0]))},
        horizon_s=600.0,
    )


def sizes_stay_within_surge(spec: ClusterSpec, trace: Trace) -> None:
    """No write grows the sum of sizes beyond replicas + surge of the present or the last wish."""
    web = spec.workloads[0]
    wishes = [web.replicas, *(one.to_replicas for one in trace.scales if one.kind == "Deployment")]
    most = max(
        n + rollout.surge_of(DeploymentView(replicas=n, max_surge=web.max_surge, max_unavailable=web.max_unavailable)) for n in wishes
    )
    sizes: dict[str, int] = {}
    for one in trace.scales:
        if one.kind == "ReplicaSet":
            sizes[one.name] = one.to_replicas
            assert sum(sizes.values()) <= most


def pods_are_on_one_node_that_has_room(trace: Trace) -> None:
    node_of: dict[str, str] = {}
    used: dict[str, float] = defaultdict(float)
    for one in trace.pods:
        if one.state == "scheduled":
            assert one.pod not in node_of
            node_of[one.pod] = str(one.node)
            used[str(one.node)] += REQUEST
            assert used[str(one.node)] <= 2.0
        elif one.state == "deleted" and one.pod in node_of:
            used[node_of.pop(one.pod)] -= REQUEST


@settings(max_examples=40, deadline=None, derandomize=True)
@given(stories())
def test_every_story(spec: ClusterSpec) -> None:
    trace = run(spec, plane=QuietPlane())
    sizes_stay_within_surge(spec, trace)
    pods_are_on_one_node_that_has_room(trace)
    created = [one.pod for one in trace.pods if one.state == "created"]
    assert len(created) == len(set(created))
    assert [one.t_s for one in trace.pods] == sorted(one.t_s for one in trace.pods)
    wanted = next((one.to_replicas for one in reversed(trace.scales) if one.kind == "Deployment"), spec.workloads[0].replicas)
    rows = [line.split() for line in get_rs(trace, spec.horizon_s)[1:]]
    assert sum(int(row[1]) for row in rows) == wanted, "a rollout that can finish has finished"
    assert [row[1] for row in rows if int(row[1])] in ([], [str(wanted)])
    assert run(spec, plane=QuietPlane()) == trace


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(1, 10), BOUNDS, BOUNDS, st.floats(0.0, 4.0))
def test_a_rollout_alone_keeps_what_may_not_be_missing(
    replicas: int, surge: int | str, unavailable: int | str, start_wait_s: float
) -> None:
    spec = world(
        workload(replicas=replicas, max_surge=surge, max_unavailable=unavailable, template=template(readiness=READY)),
        events=(Event(at_s=10.0, verb="rollout", target="web", arguments={"image": "web:2"}),),
        behaviour={"start_wait_s": start_wait_s},
        horizon_s=200.0,
    )
    trace = run(spec, plane=QuietPlane())
    least = rollout.min_available(DeploymentView(replicas=replicas, max_surge=surge, max_unavailable=unavailable))
    ready: set[str] = set()
    for one in trace.pods:
        if one.state == "ready":
            ready.add(one.pod)
        elif one.state in ("terminating", "unready", "killed"):
            ready.discard(one.pod)
        assert one.t_s == 0 or len(ready) >= least
