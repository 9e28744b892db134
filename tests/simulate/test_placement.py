"""Scheduler: recorded placements, and filters, scores, messages and preemption by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulate.control import placement, placement_score
from simulate.control.labels import from_object
from simulate.control.placement import NodeView, PodView, Taint, choose_node, pod_of, preempt
from simulate.control.placement_read import total
from simulate.control.placement_view import ZONE
from simulate.spec import ContainerSpec, PodTemplate
from tests.oracle import traces_scheduler

GIB = 2**30


def node(name: str, cpu: int = 4000, memory: int = 8 * GIB, **more: Any) -> NodeView:
    return NodeView(name, {"cpu": cpu, "memory": memory}, **more)


def pod(name: str, cpu: int = 100, memory: int = GIB // 10, **more: Any) -> PodView:
    return PodView(name=name, requests={"cpu": cpu, "memory": memory}, score_cpu=cpu, score_memory=memory, **more)


def test_recorded_placements(shared: Path) -> None:
    traces = json.loads((shared / "oracle" / "traces" / "scheduler.json").read_text(encoding="utf-8"))["traces"]
    assert [one for one in traces_scheduler.run(traces) if one[1]] == []


# ------------------------------------------------------------------ requests


def test_requests_of_a_pod() -> None:
    """Sidecars count beside the containers, and beside the init containers started after them."""
    assert total([{"cpu": 500}], [({"cpu": 200}, True), ({"cpu": 900}, False)], {"cpu": 50}) == {"cpu": 1150}
    assert total([{"cpu": 500}], [({"cpu": 400}, False), ({"cpu": 200}, True)], {}) == {"cpu": 700}


def test_limits_stand_in_for_missing_requests() -> None:
    spec = {"containers": [{"resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "250m"}}}, {}]}
    view = pod_of("p", spec)
    assert view.requests == {"cpu": 250, "memory": GIB}
    assert (view.score_cpu, view.score_memory) == (350, GIB + 200 * 2**20)


def test_pod_of_a_template_takes_amounts_from_the_parsed_containers() -> None:
    container = ContainerSpec(name="c", image="shop:1", pull_policy="IfNotPresent", request_cores=0.25)
    data = {"spec": {"containers": [{"name": "c"}], "nodeSelector": {"disk": "ssd"}}}
    view = placement.pod_of_template("p", PodTemplate(labels={"app": "x"}, containers=(container,), data=data))
    assert (view.requests, view.score_cpu, view.score_memory) == ({"cpu": 250}, 250, 200 * 2**20)
    assert (view.node_selector, view.labels) == ({"disk": "ssd"}, {"app": "x"})


def test_sums_follow_pods() -> None:
    one = node("n", pods=[pod("a", 300), pod("b", 200)])
    one.add(pod("a", 500))
    assert one.used["cpu"] == 700
    one.remove(pod("b"))
    one.remove(pod("unknown"))
    assert (one.used["cpu"], one.score_cpu, len(one.pods)) == (500, 500, 1)


# ------------------------------------------------------------------ filters and messages


def test_every_lack_of_a_node_is_counted() -> None:
    nodes = [node("a", 1000, 16 * GIB), node("b", 8000, GIB), node("c", 1000, GIB)]
    found = choose_node(pod("p", 2000, 2 * GIB), nodes)
    assert found.node is None
    assert found.message == (
        "0/3 nodes are available: 2 Insufficient cpu, 2 Insufficient memory. no new claims to deallocate, "
        "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )


def test_pod_slots() -> None:
    full = NodeView("a", {"cpu": 4000, "memory": GIB, "pods": 1}, pods=[PodView(name="x")])
    assert "1 Too many pods" in choose_node(PodView(name="p"), [full]).message


def test_without_nodes() -> None:
    assert choose_node(pod("p"), []).message == "no nodes available to schedule pods"


@pytest.mark.parametrize(
    ("toleration", "fits"),
    [
        ({"key": "k", "operator": "Equal", "value": "v", "effect": "NoSchedule"}, True),
        ({"key": "k", "operator": "Exists"}, True),
        ({"operator": "Exists"}, True),
        ({"key": "k", "value": "w", "effect": "NoSchedule"}, False),
        ({"key": "k", "operator": "Exists", "effect": "NoExecute"}, False),
    ],
)
def test_taints(toleration: dict[str, str], fits: bool) -> None:
    nodes = [node("a", taints=[Taint("k", "v")])]
    assert (choose_node(pod_of("p", {"tolerations": [toleration]}), nodes).node == "a") is fits


def test_cordoned_node_only_with_its_own_toleration() -> None:
    nodes = [node("a", unschedulable=True)]
    assert "1 node(s) were unschedulable" in choose_node(pod("p"), nodes).message
    spec = {"tolerations": [{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}]}
    assert choose_node(pod_of("p", spec), nodes).node == "a"


def required_nodes(*terms: dict[str, Any]) -> dict[str, Any]:
    return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}}}


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ({"matchExpressions": [{"key": "size", "operator": "Gt", "values": ["4"]}]}, "b"),
        ({"matchExpressions": [{"key": "size", "operator": "NotIn", "values": ["2", "8"]}]}, "c"),
        ({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["c"]}]}, "c"),
        ({}, None),
    ],
)
def test_required_node_affinity(term: dict[str, Any], expected: str | None) -> None:
    nodes = [node("a", labels={"size": "2"}), node("b", labels={"size": "8"}), node("c")]
    assert choose_node(pod_of("p", required_nodes(term)), nodes).node == expected


def test_terminating_pods_hold_their_room_but_do_not_count_for_spreading() -> None:
    spec = {
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"app": "x"}}}
        ]
    }
    leaving = pod("old", 3950, labels={"app": "x"}).ending()
    nodes = [node("a", labels={ZONE: "1"}, pods=[leaving]), node("b", labels={ZONE: "2"}, pods=[pod("y", labels={"app": "x"})])]
    view = pod_of("p", {**spec, "containers": [{"resources": {"requests": {"cpu": "100m"}}}]}, own={"app": "x"})
    assert choose_node(view, nodes).message.startswith(
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match pod topology spread constraints."
    )


def spread(skew: int, **more: Any) -> dict[str, Any]:
    rule = {"maxSkew": skew, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"app": "x"}}}
    return {"topologySpreadConstraints": [rule | more]}


def test_spread_needs_the_label_and_counts_too_few_domains_as_empty() -> None:
    bare = choose_node(pod_of("p", spread(1), own={"app": "x"}), [node("a")])
    assert "(missing required label)" in bare.message
    busy = [node("a", labels={ZONE: "1"}, pods=[pod("y", labels={"app": "x"})])]
    assert choose_node(pod_of("p", spread(1), own={"app": "x"}), busy).node == "a"
    assert choose_node(pod_of("p", spread(1, minDomains=2), own={"app": "x"}), busy).node is None


def near(kind: str, name: str = "x", key: str = ZONE) -> dict[str, Any]:
    term = {"topologyKey": key, "labelSelector": {"matchLabels": {"app": name}}}
    return {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


def test_required_pod_affinity() -> None:
    nodes = [
        node("a", labels={ZONE: "1"}),
        node("b", labels={ZONE: "2"}, pods=[pod("y", labels={"app": "x"})]),
        node("c", labels={ZONE: "2"}),
    ]
    assert choose_node(pod_of("p", near("podAffinity")), nodes).node == "c"
    assert "3 node(s) didn't match pod affinity rules" in choose_node(pod_of("p", near("podAffinity", "z")), nodes).message
    assert choose_node(pod_of("p", near("podAffinity", "z"), own={"app": "z"}), nodes).node == "a"


def test_anti_affinity_of_existing_pods_holds_for_newcomers() -> None:
    hermit = pod_of("h", near("podAntiAffinity"))
    nodes = [node("a", labels={ZONE: "1"}, pods=[hermit]), node("b", labels={ZONE: "1"})]
    found = choose_node(pod("p", labels={"app": "x"}), nodes)
    assert "2 node(s) didn't satisfy existing pods anti-affinity rules" in found.message
    assert choose_node(pod("p", labels={"app": "y"}), nodes).node is not None


def test_host_ports_by_address() -> None:
    def asks(ip: str, port: int) -> PodView:
        return pod_of("p", {"containers": [{"ports": [{"hostPort": port, "hostIP": ip}]}]})

    nodes = [node("a", pods=[asks("10.0.0.1", 80)])]
    assert choose_node(asks("10.0.0.2", 80), nodes).node == "a"
    assert choose_node(asks("", 80), nodes).node is None
    assert choose_node(asks("", 81), nodes).node == "a"


# ------------------------------------------------------------------ scores


def test_draw_picks_among_equals_only() -> None:
    nodes = [node("a"), node("b"), node("small", 1000, 2 * GIB)]
    assert [choose_node(pod("p"), nodes, draw=draw).node for draw in (0.0, 0.49, 0.5, 0.99)] == ["a", "a", "b", "b"]
    assert choose_node(pod("p"), nodes).ties == 2


def test_prefer_no_schedule_and_images() -> None:
    nodes = [node("a", taints=[Taint("k", "", "PreferNoSchedule")]), node("b")]
    assert choose_node(pod("p"), nodes).node == "b"
    stocked = [node("a"), node("b", images={"shop:1": 900 * 2**20})]
    assert choose_node(pod("p", images=("shop:1",)), stocked).node == "b"


def test_default_spreading_beats_room() -> None:
    selector = from_object({"matchLabels": {"app": "x"}})
    nodes = [node("big", 64000, 128 * GIB, labels={ZONE: "1"}, pods=[pod("y", labels={"app": "x"})]), node("b", labels={ZONE: "2"})]
    assert choose_node(pod("p", labels={"app": "x"}, default_selector=selector), nodes).node == "b"
    assert choose_node(pod("p", labels={"app": "x"}), nodes).node == "big"


def test_balance_before_and_since_1_36() -> None:
    room, asked = {"cpu": 4000, "memory": 10000}, {"cpu": 3000, "memory": 5000}
    assert placement_score.balanced_allocation(room, {}, asked, change=False) == 87
    assert placement_score.balanced_allocation(room, {}, {"cpu": 0, "memory": 0}) is None


def test_large_clusters_are_scanned_in_turns() -> None:
    nodes = [node(f"n{i}") for i in range(300)]
    first = choose_node(pod("p"), nodes)
    assert first.next_start == placement.scan_limit(300) == 144
    assert choose_node(pod("p"), nodes, start=first.next_start).node == "n144"


# ------------------------------------------------------------------ preemption


def displaced(pods: list[list[PodView]], budgets: dict[str, int] | None = None) -> placement.Preemption | None:
    nodes = [node(f"n{i}", 1000, GIB, pods=some) for i, some in enumerate(pods)]
    wanted = pod("p", 800, priority=10)
    return preempt(wanted, nodes, choose_node(wanted, nodes).refusals, budgets)


def test_only_lower_priority_is_displaced() -> None:
    assert displaced([[pod("same", 900, priority=10)]]) is None
    found = displaced([[pod("low", 500, priority=1), pod("lower", 400, priority=0), pod("small", 100, priority=0)]])
    assert found is not None
    assert [one.name for one in found.victims] == ["low", "lower"]


def test_as_many_as_possible_are_put_back_the_important_ones_first() -> None:
    found = displaced([[pod("low", 100, priority=1), pod("lower", 700, priority=0), pod("old", 100, priority=1, start_s=-9.0)]])
    assert found is not None
    assert [one.name for one in found.victims] == ["lower"]


@pytest.mark.parametrize(
    ("left", "right", "node_name"),
    [
        ([pod("a", 900, priority=2)], [pod("b", 900, priority=1)], "n1"),
        ([pod("a", 500, priority=1), pod("c", 500, priority=1)], [pod("b", 900, priority=1)], "n1"),
        ([pod("a", 900, priority=1, start_s=5.0)], [pod("b", 900, priority=1, start_s=1.0)], "n0"),
        ([pod("a", 900, priority=1, budgets=("tight",))], [pod("b", 900, priority=2)], "n1"),
    ],
)
def test_which_node(left: list[PodView], right: list[PodView], node_name: str) -> None:
    found = displaced([left, right], {"tight": 0})
    assert found is not None
    assert found.node == node_name


def test_budgets_are_broken_only_if_needed() -> None:
    found = displaced([[pod("a", 900, priority=1, budgets=("tight",))]], {"tight": 0})
    assert found is not None
    assert found.violations == 1


def test_preemption_policy_never() -> None:
    wanted = pod("p", 800, priority=10, preempts=False)
    nodes = [node("n", 1000, GIB, pods=[pod("low", 900)])]
    found = choose_node(wanted, nodes)
    assert found.message.endswith("preemption: not eligible due to preemptionPolicy=Never.")
    assert preempt(wanted, nodes, found.refusals) is None


# ------------------------------------------------------------------ what holds for every cluster

sizes = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 4)), max_size=30)


@given(sizes, st.lists(st.integers(500, 8000), min_size=1, max_size=6), st.floats(0, 1, exclude_max=True))
def test_requests_fit_and_a_refusal_is_true(pods: list[tuple[int, int]], rooms: list[int], draw: float) -> None:
    nodes = [node(f"n{i}", cpu, 8 * GIB) for i, cpu in enumerate(rooms)]
    for i, (cpu, memory) in enumerate(pods):
        view = pod(f"p{i}", cpu, memory * GIB)
        found = choose_node(view, nodes, draw=draw)
        room = [one for one in nodes if view.requests["cpu"] <= one.allocatable["cpu"] - one.used.get("cpu", 0)]
        room = [one for one in room if view.requests["memory"] <= one.allocatable["memory"] - one.used.get("memory", 0)]
        assert (found.node is None) == (not room)
        if found.node is not None:
            next(one for one in nodes if one.name == found.node).add(view)
    for one in nodes:
        assert one.used.get("cpu", 0) <= one.allocatable["cpu"]
        assert one.used.get("memory", 0) <= one.allocatable["memory"]
