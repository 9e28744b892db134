"""The Cluster Autoscaler, one test a rule of kubernetes-semantics.md 9.1: decisions first, then the same rules in motion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import pytest

from simulate import scenario
from simulate.control.nodes import EXPANDERS, Group, Option, choose, estimate, fits, scale_up, template_of
from simulate.control.nodes_down import Guest, Waiting, blocking, cooling, judge, scale_down, utilization
from simulate.control.placement import NodeView, PodView, Taint
from simulate.control.placement_view import ZONE
from simulate.engine import run
from simulate.scenario.machines import SCALING
from simulate.spec import EXPANDERS as WORDS
from simulate.spec import ClusterSpec, ControlPlane, DisruptionBudget, Event, NodePool, NodeScaling, PodTemplate, Workload
from simulate.trace import Trace
from tests.simulate.worlds import READY, QuietPlane, template, workload, world

GI = 2**30
FLAGS = NodeScaling()


def node(name: str, cores: float = 4, pods: Any = (), **more: Any) -> NodeView:
    return NodeView(name, {"cpu": round(1000 * cores), "memory": 16 * GI}, pods=pods, **more)


def pod(name: str, cpu: int = 1000, memory: int = GI, **more: Any) -> PodView:
    return PodView(name=name, requests={"cpu": cpu, "memory": memory}, **more)


def group(name: str, cores: float = 4, *, size: int = 0, maximum: int = 10, **more: Any) -> Group:
    return Group(name=name, size=size, minimum=0, maximum=maximum, template=node(name, cores), **more)


def grown(option: Option | None) -> tuple[str, int, int] | None:
    return None if option is None else (option.group.name, option.nodes, len(option.pods))


# ------------------------------------------------------------------ adding


def test_as_many_nodes_as_the_pods_need_by_first_fit_decreasing() -> None:
    assert grown(scale_up([pod(f"p{i}", 1500) for i in range(5)], [], [group("g")])) == ("g", 3, 5)
    mixed = [pod("a", 1000), pod("b", 3000), pod("c", 2000), pod("d", 2000)]
    assert grown(scale_up(mixed, [], [group("g")])) == ("g", 2, 4), "3 and 1, 2 and 2"


def test_pods_that_fit_on_nodes_that_are_there_or_coming_add_nothing() -> None:
    coming = node("coming", 2)
    assert scale_up([pod("a", 1000)], [node("full", 1, [pod("b", 900)]), coming], [group("g")]) is None
    assert grown(scale_up([pod("a", 1000), pod("b", 1500)], [coming], [group("g")])) == ("g", 1, 1)
    assert coming.pods == {}, "nothing was changed"


def test_requests_only_are_looked_at_and_a_pod_without_any_needs_a_slot() -> None:
    slots = NodeView("n", {"cpu": 1000, "memory": GI, "pods": 1}, pods=[PodView(name="a")])
    assert grown(scale_up([PodView(name="p")], [slots], [group("g")])) == ("g", 1, 1)


def test_a_group_that_cannot_take_the_pod_is_no_option() -> None:
    tainted = replace(group("g"), template=node("g", taints=[Taint("gpu")]))
    assert scale_up([pod("p")], [], [tainted]) is None
    assert scale_up([pod("p", 5000)], [], [group("g")]) is None


def test_a_group_grows_no_further_than_its_maximum() -> None:
    assert grown(scale_up([pod(f"p{i}", 3000) for i in range(5)], [], [group("g", size=8)])) == ("g", 2, 2)
    assert scale_up([pod("p")], [], [group("g", size=10)]) is None


def test_bounds_of_one_scale_up_and_of_all_nodes() -> None:
    many = [pod(f"p{i}", 3000) for i in range(5)]
    assert grown(scale_up(many, [], [group("g")], replace(FLAGS, nodes_per_scale_up=3))) == ("g", 3, 3)
    assert grown(scale_up(many, [node("a", 1), node("b", 1)], [group("g")], replace(FLAGS, nodes_total=4))) == ("g", 2, 2)


def test_daemons_take_their_part_of_a_new_node() -> None:
    view = template_of(node("g", 2), [pod("agent", 300)])
    loaded = replace(group("g"), template=view)
    assert grown(scale_up([pod("a", 900), pod("b", 900)], [], [loaded])) == ("g", 2, 2)
    picky = pod("gpu", 300, node_selector={"gpu": "yes"})
    assert template_of(node("g", 2), [picky]).used == {}, "a daemon that is not meant for such nodes"


def test_new_nodes_stand_in_the_zones_in_which_they_will_come() -> None:
    picky = [pod(f"p{i}", 3000, node_selector={ZONE: "b"}) for i in range(2)]
    found = estimate(picky, [], replace(group("g"), zones=("b", "a", "b")), 3)
    assert [one.name for one in found.pods] == ["p0"], "the second node would come in zone a"


OPTIONS = (
    Option(group=group("small", 2, rank=1), nodes=3, pods=tuple(pod(f"p{i}", 1900, 7 * GI) for i in range(3))),
    Option(group=group("large", 8, rank=5), nodes=1, pods=tuple(pod(f"p{i}", 1900) for i in range(4))),
    Option(group=group("other", 4, rank=5), nodes=2, pods=tuple(pod(f"p{i}", 1900) for i in range(4))),
)


@pytest.mark.parametrize(
    ("expanders", "name"),
    [
        (("least-waste",), "small"),
        (("least-nodes",), "large"),
        (("most-pods", "least-nodes"), "large"),
        (("priority", "least-nodes"), "large"),
        (("priority", "most-pods", "least-waste"), "large"),
        (("most-pods", "least-waste"), "large"),
    ],
)
def test_each_expander_and_chains_of_them(expanders: tuple[str, ...], name: str) -> None:
    found = choose(OPTIONS, expanders)
    assert found is not None and found.group.name == name


def test_what_the_expanders_leave_is_drawn() -> None:
    drawn = [choose(OPTIONS, ("priority", "most-pods"), draw) for draw in (0.0, 0.49, 0.5, 0.99)]
    assert [one.group.name for one in drawn if one] == ["large", "large", "other", "other"]
    assert {one.group.name for draw in (0.1, 0.5, 0.9) if (one := choose(OPTIONS, ("random",), draw))} == {"small", "large", "other"}
    assert choose((), ("random",)) is None


def test_every_word_for_an_expander_is_known() -> None:
    assert tuple(EXPANDERS) == WORDS


def test_every_flag_has_its_field_and_its_default() -> None:
    assert {name for name, _, _ in SCALING.values()} == {one.name for one in fields(NodeScaling)}
    assert scenario.read({"version": 1}).control.scaling == NodeScaling()


def test_flags_are_read_as_the_component_spells_them() -> None:
    said = {"scan-interval": "20s", "expander": "priority,least-waste", "scale-down-enabled": False, "expendable-pods-priority-cutoff": -5}
    found = scenario.read({"version": 1, "controlPlane": said}).control.scaling
    assert found == NodeScaling(scan_interval_s=20.0, expander=("priority", "least-waste"), scale_down=False, priority_cutoff=-5)


# ------------------------------------------------------------------ what holds a node


def annotated(**annotations: str) -> dict[str, Any]:
    prefix = "cluster-autoscaler.kubernetes.io/"
    return {"metadata": {"annotations": {prefix + key.replace("_", "-"): value for key, value in annotations.items()}}}


SCRATCH = {"spec": {"volumes": [{"name": "tmp", "emptyDir": {}}]}}
SAFE = annotated(safe_to_evict="true")


@pytest.mark.parametrize(
    ("guest", "reason"),
    [
        ({}, None),
        ({"replicated": False}, "NotReplicated"),
        ({"replicated": False, "template": SAFE}, None),
        ({"template": annotated(safe_to_evict="false")}, "NotSafeToEvictAnnotation"),
        ({"template": SCRATCH}, "LocalStorageRequested"),
        ({"template": {"spec": {"volumes": [{"name": "d", "hostPath": {"path": "/d"}}]}}}, "LocalStorageRequested"),
        ({"template": {"spec": {"volumes": [{"name": "m", "emptyDir": {"medium": "Memory"}}]}}}, None),
        ({"template": {"spec": {"volumes": [{"name": "c", "configMap": {"name": "c"}}]}}}, None),
        ({"template": {**SCRATCH, **SAFE}}, None),
        ({"template": {**SCRATCH, **annotated(safe_to_evict_local_volumes="tmp")}}, None),
        ({"template": {**SCRATCH, **annotated(safe_to_evict_local_volumes="other")}}, "LocalStorageRequested"),
        ({"namespace": "kube-system"}, "UnmovableKubeSystemPod"),
        ({"namespace": "kube-system", "allowed": (1,)}, None),
        ({"namespace": "kube-system", "daemon": True}, None),
        ({"allowed": (0,)}, "NotEnoughPdb"),
        ({"allowed": (0,), "template": SAFE}, "NotEnoughPdb"),
        ({"allowed": (1,)}, None),
        ({"allowed": (0,), "terminating": True}, None),
        ({"allowed": (0,), "daemon": True}, None),
        ({"replicated": False, "ended": True}, None),
    ],
)
def test_pods_that_hold_their_node(guest: Mapping[str, Any], reason: str | None) -> None:
    said = dict(guest)
    view = pod("p", namespace=said.pop("namespace", "default"), terminating=said.pop("terminating", False))
    found = blocking(Guest(view=view, **said), FLAGS)
    assert (found.reason if found else None) == reason


@pytest.mark.parametrize(
    ("flags", "guest"),
    [
        (replace(FLAGS, skip_custom_pods=False), Guest(view=pod("p"), replicated=False)),
        (replace(FLAGS, skip_local_storage=False), Guest(view=pod("p"), template=SCRATCH)),
        (replace(FLAGS, skip_system_pods=False), Guest(view=pod("p", namespace="kube-system"))),
    ],
)
def test_each_hold_can_be_switched_off(flags: NodeScaling, guest: Guest) -> None:
    assert blocking(guest, FLAGS) is not None
    assert blocking(guest, flags) is None


# ------------------------------------------------------------------ unneeded nodes


def guests(view: NodeView, **more: Any) -> list[Guest]:
    return [Guest(view=one, **more) for one in view.pods.values()]


def test_utilization_is_the_larger_share_of_requests_with_the_daemons() -> None:
    busy = node("n", 4, [pod("a", 1000, 4 * GI)])
    assert utilization(busy, guests(busy), FLAGS) == 0.25
    high = node("n", 4, [pod("a", 1000, 12 * GI)])
    assert utilization(high, guests(high), FLAGS) == 0.75
    daemon = [Guest(view=pod("agent", 2000, GI), daemon=True), Guest(view=pod("a", 500, GI))]
    assert utilization(node("n"), daemon, FLAGS) == 0.625
    assert utilization(node("n"), daemon, replace(FLAGS, ignore_daemons=True)) == 0.25, "half a core of the two that are left"
    assert utilization(node("n"), [Guest(view=pod("a", terminating=True))], FLAGS) == 0.0


def judged(views: list[NodeView], before: tuple[str, ...] = (), flags: NodeScaling = FLAGS, **more: Any) -> tuple[str, ...]:
    return judge(views, {one.name: guests(one, **more) for one in views}, [one.name for one in views], flags, before).unneeded


def test_half_used_is_needed() -> None:
    assert judged([node("a", 4, [pod("p", 2000)]), node("b", 8, [pod("q", 4000)])]) == ()
    assert judged([node("a", 4, [pod("p", 1999)]), node("b", 8, [pod("q", 4000)])]) == ("a",)
    assert judged([node("a", 4, [pod("p", 2000)]), node("b", 8, [pod("q", 4000)])], flags=replace(FLAGS, utilization_ratio=0.51)) == ("a",)


def test_nodes_are_unneeded_together_only_if_all_their_pods_fit_on_what_is_left() -> None:
    three = [node(name, 4, [pod(f"p-{name}", 1900)]) for name in ("a", "b", "c")]
    assert judged(three) == ("a",), "b's pod finds no room on c beside a's; a is no place to go any more"
    assert judged(three, before=("b",)) == ("b",), "what was unneeded before is judged first"
    assert judged([node("a"), node("b"), node("c", 4, [pod("p", 100)])]) == (
        "a",
        "b",
    ), "the last has no place to go"


def test_empty_nodes_are_judged_first() -> None:
    assert judged([node("a", 4, [pod("p", 1000)]), node("z")]) == ("z",)


def test_pods_do_not_move_to_cordoned_nodes_and_why_is_told() -> None:
    views = [node("a", 4, [pod("p", 1000)]), node("b", unschedulable=True)]
    found = judge(views, {"a": guests(views[0])}, ["a"], FLAGS)
    assert found.unneeded == () and found.why["a"].reason == "NoPlaceToMovePods" and found.moving == {"a"}
    busy = judge([node("a", 1, [pod("p", 900)])], {"a": [Guest(view=pod("p", 900))]}, ["a"], FLAGS)
    assert busy.why["a"].reason == "NotUnderutilized" and busy.moving == frozenset(), "looked at again in the next scan"


def test_unready_nodes_wait_longer() -> None:
    lost = Waiting(name="n", pool="p", since_s=0.0, ready=False)
    assert [scale_down([lost], {"p": 1}, now, FLAGS) for now in (1199.0, 1200.0)] == [[], ["n"]]


def test_ten_nodes_at_a_time_and_one_with_pods() -> None:
    empty = [Waiting(name=f"e{i:02}", pool="p", since_s=0.0, drained=False) for i in range(12)]
    full = [Waiting(name=f"f{i}", pool="p", since_s=-100.0) for i in range(2)]
    spare = {"p": 99}
    assert scale_down([*full, *empty], spare, 600.0, FLAGS) == [one.name for one in empty[:10]]
    assert scale_down(full, spare, 600.0, FLAGS) == ["f0"]
    assert scale_down(full, spare, 600.0, FLAGS, draining=1) == []
    assert scale_down(empty, spare, 600.0, FLAGS, going=8) == ["e00", "e01"]
    assert scale_down(full, spare, 600.0, replace(FLAGS, parallel_drains=5)) == ["f0", "f1"]


def test_a_pool_keeps_its_minimum() -> None:
    waiting = [Waiting(name=f"n{i}", pool="p", since_s=float(-i), drained=False) for i in range(3)]
    assert scale_down(waiting, {"p": 1}, 600.0, FLAGS) == ["n2"], "the longest wait first"
    assert scale_down(waiting, {"p": 0}, 600.0, FLAGS) == []


def test_nothing_is_removed_right_after_a_change() -> None:
    never = float("-inf")
    assert not cooling(FLAGS, 600.0, 0.0, never, never)
    assert not cooling(FLAGS, 0.0, never, 0.0, never), "by default nothing is waited for after a removal"
    assert cooling(replace(FLAGS, after_delete_s=30.0), 29.0, never, 0.0, never)


def test_filters_decide_where_a_pod_fits() -> None:
    a, b = node("a", labels={"disk": "ssd"}), node("b")
    assert [fits(pod("p", node_selector={"disk": "ssd"}), one, [a, b]) for one in (a, b)] == [True, False]


# ------------------------------------------------------------------ in motion

POOL = NodePool(name="pool", cores=1.0, memory_bytes=8.0 * GI, count=2, minimum=1, maximum=5, provision_s=60.0)


def at(t_s: float, verb: str, target: str = "web", **arguments: Any) -> Event:
    return Event(at_s=t_s, verb=verb, target=target, arguments=arguments)


def small(*events: Event, replicas: int = 2, cores: float = 0.8, horizon_s: float = 2000.0, **more: Any) -> ClusterSpec:
    flags, own = more.pop("flags", FLAGS), more.pop("template", template(request_cores=cores, request_bytes=2.0**20))
    control = replace(more.pop("control", ControlPlane()), scaling=flags)
    pools = more.pop("pools", (POOL,))
    return world(workload(replicas=replicas, template=own), events=events, horizon_s=horizon_s, pools=pools, control=control, **more)


def changes(trace: Trace, *states: str) -> list[tuple[int, str, str]]:
    return [(int(one.t_s), one.node, one.state) for one in trace.nodes if one.t_s > 0 and (not states or one.state in states)]


def played(spec: ClusterSpec, *states: str) -> list[tuple[int, str, str]]:
    return changes(run(spec, plane=QuietPlane()), *states)


def test_a_scan_buys_for_all_that_waits_and_not_again_while_it_comes() -> None:
    trace = run(small(at(13.0, "scale", replicas=4)), plane=QuietPlane())
    assert changes(trace) == [(20, "pool-2", "requested"), (20, "pool-3", "requested"), (80, "pool-2", "ready"), (80, "pool-3", "ready")]
    told = [one for one in trace.events if one.reason == "TriggeredScaleUp"]
    assert {one.message for one in told} == {"pod triggered scale-up: [{pool 2->4 (max: 5)}]"} and len(told) == 2


def test_the_scan_interval_is_a_flag() -> None:
    assert played(small(at(13.0, "scale", replicas=3), flags=replace(FLAGS, scan_interval_s=60.0)))[0] == (60, "pool-2", "requested")


def test_pods_that_are_too_young_are_waited_for() -> None:
    flags = replace(FLAGS, new_pod_delay_s=30.0)
    assert played(small(at(13.0, "scale", replicas=3), flags=flags))[0] == (50, "pool-2", "requested"), "30 s after 13, at the next scan"


def test_pods_of_very_low_priority_buy_nothing() -> None:
    low = replace(template(request_cores=0.8), priority=-11, data={"spec": {"priority": -11}})
    assert played(small(at(13.0, "scale", replicas=3), template=low), "requested") == []
    edge = replace(low, priority=-10, data={"spec": {"priority": -10}})
    assert played(small(at(13.0, "scale", replicas=3), template=edge))[0] == (20, "pool-2", "requested")


def test_pods_of_very_low_priority_keep_no_node() -> None:
    """Two nodes full of expendable pods look empty: one more than the minimum goes."""
    low = replace(template(request_cores=0.8), priority=-11, data={"spec": {"priority": -11}})
    assert [state for _, _, state in played(small(template=low, horizon_s=700.0))] == ["cordoned", "removed"]


def test_a_node_that_does_not_come_in_time_is_given_up_and_its_pool_left_alone() -> None:
    slow = replace(POOL, provision_s=3600.0)
    found = played(small(at(13.0, "scale", replicas=3), pools=(slow,), horizon_s=2400.0))
    assert found == [
        (20, "pool-2", "requested"), (920, "pool-2", "cancelled"),
        (1220, "pool-2", "requested"), (2120, "pool-2", "cancelled"),
    ], "15 min, then 5 min of rest; the second rest is 10 min"  # fmt: skip


def test_a_pool_that_is_refused_rests_and_another_takes_its_place() -> None:
    wide = replace(POOL, name="wide", cores=2.0, count=0, minimum=0)
    story = (at(5.0, "shortage", "pool", **{"for": 700.0}), at(13.0, "scale", replicas=3))
    found = played(small(*story, pools=(POOL, wide)))
    assert found[:3] == [(20, "pool-2", "requested"), (20, "pool-2", "refused"), (30, "wide-0", "requested")]
    alone = played(small(*story, horizon_s=1300.0), "requested")
    assert alone == [(20, "pool-2", "requested"), (330, "pool-2", "requested"), (940, "pool-2", "requested")], "5 min, then 10"


def test_several_refused_nodes_of_one_request_are_one_failure() -> None:
    story = (at(5.0, "shortage", "pool", **{"for": 60.0}), at(13.0, "scale", replicas=5))
    assert played(small(*story), "requested")[3:] == [(330, f"pool-{i}", "requested") for i in (2, 3, 4)]


def test_a_cluster_in_ruins_is_left_alone() -> None:
    """Five of nine nodes are not ready: more than 45 % and more than three."""
    nine = replace(POOL, count=9, minimum=9, maximum=20)
    story = (at(10.0, "nodeLoss", "pool", count=5), at(70.0, "scale", replicas=12))
    assert played(small(*story, replicas=9, pools=(nine,), horizon_s=300.0), "requested") == []
    few = (at(10.0, "nodeLoss", "pool", count=3), at(70.0, "scale", replicas=12))
    assert played(small(*few, replicas=9, pools=(nine,), horizon_s=300.0), "requested") != []


def test_an_unneeded_node_goes_after_ten_minutes_and_five_seconds_of_taint() -> None:
    found = played(small(at(95.0, "scale", replicas=1), horizon_s=900.0))
    assert [(t, state) for t, _, state in found] == [(700, "cordoned"), (705, "removed")], "unneeded since the scan at 100"


def test_scale_down_can_be_switched_off_and_its_time_set() -> None:
    assert played(small(at(95.0, "scale", replicas=1), flags=replace(FLAGS, scale_down=False))) == []
    assert played(small(at(95.0, "scale", replicas=1), flags=replace(FLAGS, unneeded_s=60.0)))[0][0] == 160


def test_an_addition_puts_removals_off() -> None:
    """pool-1 is unneeded from 100 on and would go at 700; the other pool grows at 510."""
    other = workload("other", replicas=0, template=replace(template(request_cores=0.9), data={"spec": {"nodeSelector": {"kind": "x"}}}))
    kind = replace(POOL, name="x", labels={"kind": "x"}, count=0, minimum=0)
    spec = small(at(95.0, "scale", replicas=1), at(505.0, "scale", "other", replicas=1), pools=(POOL, kind))
    found = played(replace(spec, workloads=(*spec.workloads, other)), "requested", "cordoned")
    assert [(t, state) for t, _, state in found] == [(510, "requested"), (1120, "cordoned")], "counted anew after the addition"


def test_a_node_is_emptied_by_evictions_and_goes_with_its_last_pod() -> None:
    """One pod of 0.4 cores on each of two nodes: one node is enough."""
    trace = run(small(cores=0.4, horizon_s=700.0), plane=QuietPlane(drain_s=3.0))
    evicted = [(int(one.t_s), one.reason) for one in trace.pods if one.state == "terminating"]
    assert evicted == [(615, "evicted: the node is not needed")]
    assert [(t, state) for t, _, state in changes(trace)] == [(610, "cordoned"), (619, "removed")]


def budget(**said: Any) -> DisruptionBudget:
    return DisruptionBudget(name="web", namespace="default", selector={"matchLabels": {"app": "web"}}, **said)


def test_a_budget_that_allows_nothing_keeps_the_node() -> None:
    assert played(replace(small(cores=0.4), budgets=(budget(maximum=0),))) == []
    assert played(replace(small(cores=0.4, horizon_s=700.0), budgets=(budget(maximum=1),)), "removed") != []


@pytest.mark.parametrize("data", [SCRATCH, annotated(safe_to_evict="false")])
def test_what_a_pod_says_keeps_its_node(data: Mapping[str, Any]) -> None:
    assert played(small(template=replace(template(request_cores=0.4), data=data), horizon_s=1300.0)) == []


def test_a_bare_pod_keeps_its_node() -> None:
    spec = small(cores=0.4, horizon_s=1300.0)
    assert played(replace(spec, workloads=(replace(spec.workloads[0], bare=True),))) == []


def test_an_eviction_that_is_refused_for_two_minutes_keeps_the_node_and_stops_removals_for_three() -> None:
    """Two pods on the node to go, of which one must stay; the replacement of the first takes long to become ready."""
    pools = (
        replace(POOL, name="a", cores=8.0, count=1, minimum=0),
        replace(POOL, name="b", cores=8.0, count=1, minimum=1, labels={"pool": "b"}),
    )

    def on_b(name: str, cores: float) -> Workload:
        own = PodTemplate(labels={}, containers=template(request_cores=cores).containers, data={"spec": {"nodeSelector": {"pool": "b"}}})
        return workload(name, replicas=1, template=own)

    spec = small(at(5.0, "scale", "short", replicas=0), pools=pools, behaviour={"start_wait_s": 300.0}, horizon_s=1000.0,
                 template=template(readiness=READY, request_cores=0.4))  # fmt: skip
    spec = replace(spec, workloads=(on_b("long", 5.0), on_b("short", 2.8), *spec.workloads), budgets=(budget(minimum=1),))
    trace = run(spec, plane=QuietPlane())
    found = changes(trace)
    there = [one.node for one in trace.pods if one.state == "scheduled" and one.t_s == 0 and one.workload == "web"]
    assert there == ["a-0", "a-0"]
    assert found == [(610, "a-0", "cordoned"), (735, "a-0", "uncordoned")], "5 s, then two minutes of tries; then nothing for a while"
    assert [one.message for one in trace.events if one.reason == "ScaleDownFailed"] == ["failed to drain the node: 1 pods are left"]


def test_a_pod_that_outlives_its_time_keeps_the_node() -> None:
    slow = template(request_cores=0.4, grace_s=3600.0)
    trace = run(small(template=slow, horizon_s=1500.0), plane=QuietPlane(drain_s=float("inf")))
    killed = [int(one.t_s) for one in trace.pods if one.state == "killed"]
    assert killed == [1215], "ten minutes of grace instead of an hour, from the eviction at 615 on"


def test_a_lost_node_goes_after_twenty_minutes() -> None:
    spec = small(at(95.0, "nodeLoss", "pool"), replicas=0, pools=(replace(POOL, minimum=0),))
    trace = run(spec, plane=QuietPlane())
    lost = next(one.node for one in trace.nodes if one.state == "lost")
    other = {"pool-0": "pool-1", "pool-1": "pool-0"}[lost]
    assert changes(trace, "removed") == [(615, other, "removed"), (1215, lost, "removed")], "unneeded since 10, one of them unready"


def test_a_lost_node_that_came_back_is_judged_like_any_other() -> None:
    spec = small(at(95.0, "nodeLoss", "pool", **{"for": 100.0}), replicas=0, pools=(replace(POOL, minimum=0),))
    assert [t for t, _, _ in played(spec, "removed")] == [615, 615]


def test_a_node_that_could_not_be_emptied_is_looked_at_again_after_five_minutes() -> None:
    """The pod on a-0 fits nowhere else until the pods on b-0 become fewer at 15."""
    pools = (
        replace(POOL, name="a", cores=2.0, count=1, minimum=0),
        replace(POOL, name="b", cores=2.0, count=1, minimum=1, maximum=1, labels={"pool": "b"}),
    )
    big = workload("big", replicas=2, template=replace(template(request_cores=0.9), data={"spec": {"nodeSelector": {"pool": "b"}}}))

    def first(flags: NodeScaling) -> tuple[int, str, str]:
        spec = small(at(15.0, "scale", "big", replicas=1), replicas=1, cores=0.9, pools=pools, flags=flags)
        return played(replace(spec, workloads=(big, *spec.workloads)), "cordoned")[0]

    assert first(FLAGS) == (910, "a-0", "cordoned"), "not before 310, then ten minutes unneeded"
    assert first(replace(FLAGS, recheck_s=0.0)) == (620, "a-0", "cordoned")


def test_pools_of_fixed_size_are_never_looked_at() -> None:
    fixed = replace(POOL, minimum=2, maximum=2)
    assert played(small(at(13.0, "scale", replicas=9), pools=(fixed,))) == []


def test_a_pod_that_no_pool_can_help_is_told_why_once() -> None:
    other = replace(POOL, name="gpu", count=0, minimum=0, taints=({"key": "gpu", "effect": "NoSchedule"},))
    spec = small(at(13.0, "scale", replicas=4), pools=(replace(POOL, maximum=3), other), horizon_s=300.0)
    trace = run(spec, plane=QuietPlane())
    told = [(int(one.t_s), one.message) for one in trace.events if one.reason == "NotTriggerScaleUp"]
    reasons = "1 max node group size reached, 1 node(s) had untolerated taint(s)"
    assert told == [(30, f"pod didn't trigger scale-up: {reasons}")], "the other pod waits for the node that comes"
    resting = small(at(5.0, "shortage", "pool", **{"for": 60.0}), at(13.0, "scale", replicas=3), horizon_s=100.0)
    said = {one.message for one in run(resting, plane=QuietPlane()).events if one.reason == "NotTriggerScaleUp"}
    assert said == {"pod didn't trigger scale-up: 1 in backoff after failed scale-up"}
