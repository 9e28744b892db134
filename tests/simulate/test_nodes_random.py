"""What holds for every elastic cluster and every quota, whatever the story: bounds, nobody is cut off, no quota is exceeded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from simulate.control.amounts import read
from simulate.control.labels import Requirement, Selector
from simulate.control.nodes import copy
from simulate.control.nodes_down import Guest, judge
from simulate.control.packing import Packing
from simulate.control.placement import NodeView, PodTerm, PodView, Spread
from simulate.control.placement_filter import Filter
from simulate.control.placement_view import HOST
from simulate.control.provisioner import Offer, Size, plan
from simulate.engine import run
from simulate.spec import ClusterSpec, DisruptionBudget, Event, NodeBudget, NodePool, NodeScaling, Provisioner, ResourceQuota
from simulate.trace import Trace
from tests.simulate.worlds import QuietPlane, template, workload, world

GI = 2.0**30
REQUEST = 0.4


@st.composite
def stories(draw: Any) -> tuple[Event, ...]:
    found = []
    for i in range(draw(st.integers(1, 5))):
        verb = draw(st.sampled_from(["scale", "scale", "rollout", "nodeLoss", "drain", "shortage"]))
        arguments: dict[str, Any] = {}
        target = "web" if verb in ("scale", "rollout") else "pool"
        if verb == "scale":
            arguments = {"replicas": draw(st.sampled_from([14, 0, 9, 5, 1]))}
        elif verb == "rollout":
            arguments = {"image": f"web:{i + 2}"}
        elif verb in ("nodeLoss", "shortage"):
            arguments = {"for": draw(st.floats(20.0, 900.0))}
        found.append(Event(at_s=20.0 + 300.0 * i + draw(st.floats(0.0, 250.0)), verb=verb, target=target, arguments=arguments))
    return tuple(found)


def base(draw: Any, pools: tuple[NodePool, ...], **more: Any) -> ClusterSpec:
    own = template(request_cores=REQUEST, request_bytes=2.0**20)
    daemon = workload("agent", kind="DaemonSet", replicas=0, template=template(request_cores=0.05))
    spec = world(
        workload(replicas=draw(st.integers(0, 8)), template=own), daemon, pools=pools, horizon_s=2400.0, events=draw(stories()), **more
    )
    allowed = draw(st.sampled_from([None, 0, 1, "50%"]))
    budget = DisruptionBudget(name="web", namespace="default", selector={"matchLabels": {"app": "web"}}, maximum=allowed)
    return replace(spec, budgets=() if allowed is None else (budget,))


@st.composite
def pooled(draw: Any) -> ClusterSpec:
    least = draw(st.integers(0, 2))
    count = draw(st.integers(least, 3))
    pool = NodePool(name="pool", cores=draw(st.sampled_from([1.0, 2.0])), memory_bytes=8 * GI, count=count, minimum=least,
                    maximum=draw(st.integers(max(count, 1), count + 2)), provision_s=draw(st.floats(5.0, 1000.0)))  # fmt: skip
    return base(draw, (pool,))


@st.composite
def provisioned(draw: Any) -> ClusterSpec:
    size = NodePool(name="pool-s", cores=1.0, memory_bytes=8 * GI, count=0, maximum=6, provision_s=draw(st.floats(5.0, 200.0)),
                    price_month=10.0, provisioner="pool")  # fmt: skip
    large = replace(size, name="pool-l", cores=4.0, price_month=draw(st.sampled_from([25.0, 39.0, 60.0])))
    made = Provisioner(
        name="pool",
        nodes=draw(st.integers(1, 6)),
        cores=draw(st.sampled_from([None, 6.0])),
        consolidate_after_s=draw(st.sampled_from([None, 0.0, 120.0])),
        budgets=(NodeBudget(nodes=draw(st.sampled_from([0, 1, "10%", "100%"]))),),
    )
    return replace(base(draw, (size, large)), provisioners=(made,))


def held(trace: Trace) -> list[dict[str, str]]:
    """After each record: the nodes that are there or bought, with their pools."""
    found: list[dict[str, str]] = []
    now: dict[str, str] = {}
    for one in trace.nodes:
        if one.state in ("removed", "refused", "cancelled"):
            now.pop(one.node, None)
        elif one.state in ("requested", "ready"):
            now[one.node] = one.pool
        found.append(dict(now))
    return found


def nobody_is_cut_off(trace: Trace, plane: QuietPlane) -> None:
    """Processes end by themselves or with a machine that was lost, never with a node that was given back; daemons excepted."""
    lost = {one.t_s for one in trace.nodes if one.state == "lost"}
    cut = [(t_s, pod) for t_s, what, pod in plane.log if what == "lose" and pod.startswith("web") and t_s not in lost]
    assert cut == []


def fits(spec: ClusterSpec, trace: Trace) -> None:
    room = {f"{pool.name}-{i}": pool.cores for pool in spec.pools for i in range(20)}
    used: dict[str, float] = {}
    where: dict[str, str] = {}
    for one in trace.pods:
        size = 0.05 if one.workload == "agent" else REQUEST
        if one.state == "scheduled" and one.node is not None:
            where[one.pod] = one.node
            used[one.node] = used.get(one.node, 0.0) + size
            assert used[one.node] <= room[one.node] + 1e-9
        elif one.state == "deleted" and one.pod in where:
            used[where.pop(one.pod)] -= size


@settings(max_examples=60)
@given(pooled())
def test_a_pool_stays_within_its_bounds_and_nobody_is_cut_off(spec: ClusterSpec) -> None:
    plane = QuietPlane(drain_s=7.0)
    trace = run(spec, plane=plane)
    pool = spec.pools[0]
    sizes = [len(one) for one in held(trace)]
    assert max(sizes, default=0) <= pool.maximum
    assert all(size >= pool.minimum for size in sizes[pool.count :])
    nobody_is_cut_off(trace, plane)
    fits(spec, trace)


@settings(max_examples=60)
@given(provisioned())
def test_a_provisioner_stays_within_its_limits_and_nobody_is_cut_off(spec: ClusterSpec) -> None:
    plane = QuietPlane(drain_s=7.0)
    trace = run(spec, plane=plane)
    one = spec.provisioners[0]
    cores = {pool.name: pool.cores for pool in spec.pools}
    for nodes in held(trace):
        assert len(nodes) <= one.nodes
        assert one.cores is None or sum(cores[pool] for pool in nodes.values()) <= one.cores
    nobody_is_cut_off(trace, plane)
    fits(spec, trace)
    if one.budgets[0].nodes == 0 or one.consolidate_after_s is None:
        drained = {event.target for event in spec.events if event.verb == "drain"}
        assert drained or not any(each.state == "cordoned" for each in trace.nodes)


@settings(max_examples=25)
@given(pooled() | provisioned())
def test_elastic_clusters_are_the_same_in_every_run(spec: ClusterSpec) -> None:
    first, second = run(spec, plane=QuietPlane()), run(spec, plane=QuietPlane())
    assert (first.nodes, first.pods, first.events) == (second.nodes, second.pods, second.events)


@st.composite
def quotas(draw: Any) -> ClusterSpec:
    pool = NodePool(name="pool", cores=16.0, memory_bytes=64 * GI, count=3, minimum=3, maximum=3)
    hard = {"pods": str(draw(st.integers(0, 12))), "requests.cpu": f"{draw(st.integers(0, 12)) * 400}m", "count/pods": "100"}
    chosen = draw(st.lists(st.sampled_from(sorted(hard)), min_size=1, unique=True))
    return replace(base(draw, (pool,)), quotas=(ResourceQuota(name="q", namespace="default", hard={name: hard[name] for name in chosen}),))


@settings(max_examples=60)
@given(quotas())
def test_no_quota_is_exceeded_and_in_the_end_it_counts_what_is_there(spec: ClusterSpec) -> None:
    trace = run(spec, plane=QuietPlane())
    for row in trace.quotas:
        for name, bound in row.hard.items():
            assert read(name, row.used[name]).value <= read(name, bound).value, row
    there: dict[str, float] = {}
    for one in trace.pods:
        if one.state == "created":
            there[one.pod] = 50 if one.workload == "agent" else 400
        elif one.state == "deleted" and one.t_s < spec.horizon_s - 1.0:
            there.pop(one.pod)
    last = trace.quotas[-1].used
    if "pods" in last and not [one for one in trace.pods if one.t_s >= spec.horizon_s - 1.0]:
        assert int(last["pods"]) == len(there)
    if "requests.cpu" in last and not [one for one in trace.pods if one.t_s >= spec.horizon_s - 1.0]:
        assert read("cpu", last["requests.cpu"]).value == sum(there.values())


# ------------------------------------------------------------------ decisions


@st.composite
def clusters(draw: Any) -> list[NodeView]:
    found = []
    for i in range(draw(st.integers(1, 6))):
        pods = [
            PodView(name=f"p{i}-{j}", requests={"cpu": draw(st.integers(1, 12)) * 100, "memory": 2**20})
            for j in range(draw(st.integers(0, 4)))
        ]
        kept: list[PodView] = []
        for pod in pods:
            if sum(one.requests["cpu"] for one in [*kept, pod]) <= 2000:
                kept.append(pod)
        found.append(NodeView(f"n{i}", {"cpu": 2000, "memory": 2**32}, pods=kept))
    return found


@st.composite
def demanding(draw: Any) -> list[PodView]:
    """Pods of few sizes, some with spreading, anti-affinity or a host port."""
    found = []
    app = Selector((Requirement("app", "In", ("web",)),))
    for i in range(draw(st.integers(0, 14))):
        more: dict[str, Any] = draw(
            st.sampled_from(
                [
                    {},
                    {},
                    {"ports": frozenset({("", "TCP", 80)})},
                    {"spread": (Spread(topology=HOST, skew=1, required=True, selector=app),)},
                    {"anti_affinity": (PodTerm(selector=app, topology=HOST),)},
                    {"node_selector": {"disk": "ssd"}},
                ]
            )
        )
        size = draw(st.sampled_from([200, 500, 900]))
        found.append(PodView(name=f"w{i}", labels={"app": "web"}, requests={"cpu": size, "memory": 2**20}, **more))
    return found


@settings(max_examples=200)
@given(demanding(), clusters())
def test_packing_finds_what_a_look_at_every_node_finds(pods: list[PodView], cluster: list[NodeView]) -> None:
    """Literal first fit: for each pod all filters over all nodes, from the first on."""
    cluster[0].labels["disk"] = "ssd"
    packing, literal = Packing([copy(node) for node in cluster]), [copy(node) for node in cluster]
    for pod in pods:
        found = packing.place(pod)
        wanted = next((node for node in literal if Filter(pod, literal).refusal(node) is None), None)
        assert (found and found.name) == (wanted and wanted.name)
        if wanted is not None:
            wanted.add(pod)


@given(clusters())
def test_pods_of_all_unneeded_nodes_have_a_place_on_the_rest(cluster: list[NodeView]) -> None:
    """First fit in the order of the judgement finds it again."""
    guests = {node.name: [Guest(view=pod) for pod in node.pods.values()] for node in cluster}
    before = {node.name: dict(node.used) for node in cluster}
    found = judge(cluster, guests, list(guests), NodeScaling())
    assert {node.name: node.used for node in cluster} == before, "the cluster is as it was"
    rest = [copy(node) for node in cluster if node.name not in found.unneeded]
    moved = [one.view for name in found.unneeded for one in guests[name]]
    free = sum(2000 - node.used.get("cpu", 0) for node in rest)
    assert sum(pod.requests["cpu"] for pod in moved) <= free
    assert len(rest) >= 1 or not moved
    assert all(name in found.why or name in found.unneeded for name in guests)


@given(st.lists(st.integers(1, 40), max_size=12), clusters())
def test_every_pod_of_a_plan_has_one_place_and_every_node_holds_its_pods(sizes: list[int], cluster: list[NodeView]) -> None:
    offered = tuple(
        Size(name=name, price=price, template=NodeView(name, {"cpu": cores * 1000, "memory": 2**33}))
        for name, cores, price in (("s", 1, 10.0), ("m", 2, 19.0), ("l", 4, 40.0))
    )
    pending = [PodView(name=f"w{i}", requests={"cpu": 100 * size, "memory": 2**20}) for i, size in enumerate(sizes)]
    found = plan(pending, cluster, [Offer(name="web", sizes=offered, nodes_left=4)])
    named = {pod.name: pod for pod in pending}
    places = [
        *found.left,
        *(name for names in found.placed.values() for name in names),
        *(name for one in found.launches for name in one.pods),
    ]
    assert sorted(places) == sorted(named)
    assert len(found.launches) <= 4
    room = {size.name: size.template.allocatable["cpu"] for size in offered}
    for one in found.launches:
        asked = sum(named[name].requests["cpu"] for name in one.pods)
        assert asked <= room[one.size]
        cheaper = [size for size in offered if size.price < one.price]
        assert all(asked > room[size.name] for size in cheaper), "no cheaper size holds them"
    for node in cluster:
        full = copy(node)
        for name in found.placed.get(node.name, ()):
            assert Filter(named[name], [full]).refusal(full) is None
            full.add(named[name])
