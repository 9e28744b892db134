"""The Karpenter-like provisioner: what it buys, when, and what it gives back; each rule a small world or one decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from simulate import scenario
from simulate.control.consolidation import Around, Candidate, Command, consolidate, cost, empty, quiet
from simulate.control.labels import Requirement, Selector
from simulate.control.placement import NodeView, PodView, Spread
from simulate.control.placement_view import ZONE
from simulate.control.provisioner import Offer, Plan, Size, plan
from simulate.engine import run
from simulate.manifests import read
from simulate.model import join
from simulate.problems import InputError
from simulate.spec import ClusterSpec, ControlPlane, DisruptionBudget, Event, NodeBudget, NodePool, NodeScaling, Provisioner
from simulate.trace import Trace
from tests.simulate import made
from tests.simulate.worlds import QuietPlane, template, workload, world

GI = 2**30


def size(name: str, cores: int, price: float) -> Size:
    return Size(name=name, price=price, template=NodeView(name, {"cpu": 1000 * cores, "memory": 4 * cores * GI}))


SIZES = (size("s", 1, 10.0), size("m", 2, 18.0), size("l", 4, 40.0))
OFFER = Offer(name="web", sizes=SIZES)


def pod(name: str, cpu: int, **more: Any) -> PodView:
    return PodView(name=name, requests={"cpu": cpu, "memory": 2**20}, **more)


def bought(found: Plan) -> list[tuple[str, int]]:
    return [(one.size, len(one.pods)) for one in found.launches]


# ------------------------------------------------------------------ what is bought


def test_pods_are_packed_first_and_the_cheapest_size_of_the_pack_is_bought() -> None:
    assert bought(plan([pod(f"p{i}", 500) for i in range(4)], [], [OFFER])) == [("m", 4)], "4 half cores: one node of 2 cores"
    assert bought(plan([pod(f"p{i}", 500) for i in range(9)], [], [OFFER])) == [("l", 8), ("s", 1)]


def test_a_dear_small_size_loses_against_a_cheaper_larger_one() -> None:
    dear = replace(OFFER, sizes=(size("s", 1, 50.0), *SIZES[1:]))
    assert bought(plan([pod("p", 500)], [], [dear])) == [("m", 1)]


def test_equal_prices_go_by_name() -> None:
    equal = replace(OFFER, sizes=(size("b", 2, 10.0), size("a", 4, 10.0)))
    assert bought(plan([pod("p", 500)], [], [equal])) == [("a", 1)]


def test_the_largest_pods_are_packed_first() -> None:
    found = plan([pod("small", 100), pod("large", 3900)], [], [OFFER])
    assert found.launches[0].pods == ("large", "small")


def test_room_that_is_there_or_coming_is_used_before_anything_is_bought() -> None:
    there = NodeView("n", {"cpu": 1000, "memory": GI})
    found = plan([pod("a", 600), pod("b", 600)], [there], [OFFER])
    assert (bought(found), dict(found.placed)) == ([("s", 1)], {"n": ("a",)})


def test_more_weight_is_asked_first_and_the_next_where_it_cannot() -> None:
    heavy = Offer(name="spot", sizes=(size("t", 1, 3.0),), weight=10)
    assert [one.provisioner for one in plan([pod("p", 500)], [], [OFFER, heavy]).launches] == ["spot"]
    assert [one.provisioner for one in plan([pod("p", 1500)], [], [OFFER, heavy]).launches] == ["web"]


def test_limits_bound_what_is_bought_and_the_reason_is_told() -> None:
    found = plan([pod(f"p{i}", 1000) for i in range(4)], [], [replace(OFFER, cpu_left=3000)])
    assert (bought(found), sorted(found.left)) == ([("m", 2), ("s", 1)], ["p3"]), "while a size is open its largest allowed one counts"
    assert set(found.left.values()) == {"the limits of web are reached"}
    none = plan([pod("p", 100)], [], [replace(OFFER, nodes_left=0)])
    assert (none.launches, none.left) == ((), {"p": "the limits of web are reached"})
    assert plan([pod("p", 5000)], [], [OFFER]).left == {"p": "no provisioner has a size that the pod fits on"}


def test_daemons_take_their_room_of_every_size() -> None:
    def with_daemon(one: Size) -> Size:
        view = NodeView(one.name, one.template.allocatable, pods=[pod("daemon", 300)])
        return replace(one, template=view)

    loaded = replace(OFFER, sizes=tuple(map(with_daemon, SIZES)))
    assert bought(plan([pod("p", 800)], [], [loaded])) == [("m", 1)], "0.8 and 0.3 cores are more than one"


def test_spread_pods_get_nodes_in_every_zone() -> None:
    spread = Spread(topology=ZONE, skew=1, required=True, selector=Selector((Requirement("app", "In", ("web",)),)))
    pods = [pod(f"p{i}", 200, labels={"app": "web"}, spread=(spread,)) for i in range(3)]
    found = plan(pods, [], [replace(OFFER, zones=("a", "b", "c"))])
    assert sorted(one.zone for one in found.launches) == ["a", "b", "c"]


def test_the_zone_with_the_fewest_nodes_is_tried_first() -> None:
    found = plan([pod("p", 500)], [], [replace(OFFER, zones=("a", "b"), present={"a": 2, "b": 1})])
    assert [one.zone for one in found.launches] == ["b"]


def test_a_size_that_the_provider_did_not_have_is_left_out_for_a_while() -> None:
    missing = replace(OFFER, missing=frozenset({("s", "")}))
    assert bought(plan([pod("p", 500)], [], [missing])) == [("m", 1)]


def test_a_pod_that_wants_no_node_of_a_provisioner_gets_none() -> None:
    picky = pod("p", 100, node_selector={"disk": "ssd"})
    assert list(plan([picky], [], [OFFER]).left) == ["p"]


# ------------------------------------------------------------------ what is given back


def candidate(name: str, price: float, pods: Sequence[PodView] = (), cores: int = 2, **more: Any) -> Candidate:
    node = NodeView(name, {"cpu": 1000 * cores, "memory": 4 * cores * GI}, pods=pods)
    said = {"provisioner": "web", "size": "m", "quiet_s": 100.0, **more}
    return Candidate(node=node, price=price, pods=tuple(pods), **said)


def around(nodes: Sequence[Candidate]) -> Around:
    return Around(cluster=[one.node for one in nodes], offers=[OFFER])


def test_empty_nodes_go_together_within_the_budget_the_dearest_first() -> None:
    three = [candidate("a", 10.0), candidate("b", 40.0), candidate("c", 20.0), candidate("d", 5.0, [pod("p", 100)])]
    assert empty(three, {"web": 2}) == Command(reason="Empty", nodes=("b", "c"))
    assert empty(three, {"web": 0}) is None
    assert empty(three[3:], {"web": 9}) is None


def test_as_many_nodes_as_possible_are_given_back_when_their_pods_fit_on_the_rest() -> None:
    nodes = [candidate(f"n{i}", 18.0, [pod(f"p{i}", 500)]) for i in range(4)]
    assert consolidate(nodes, around(nodes), {"web": 9}) == Command(reason="Underutilized", nodes=("n0", "n1", "n2"))
    assert consolidate(nodes, around(nodes), {"web": 1}) == Command(reason="Underutilized", nodes=("n0",))


def test_nodes_are_replaced_by_one_cheaper_node() -> None:
    """Two nodes of 18 with 0.9 cores each that fit nowhere else: one of 2 cores holds both."""
    pair = [candidate(f"n{i}", 18.0, [pod(f"p{i}", 900)], size="other") for i in range(2)]
    for one in pair:
        one.node.unschedulable = True
    found = consolidate(pair, around(pair), {"web": 9})
    assert found is not None and found.nodes == ("n0", "n1")
    assert found.replacement is not None and (found.replacement.size, found.replacement.price) == ("m", 18.0)


def test_a_replacement_must_be_cheaper() -> None:
    node = candidate("n", 18.0, [pod("p", 1500)], size="m")
    assert consolidate([node], around([node]), {"web": 1}) is None
    dear = candidate("n", 40.0, [pod("p", 1500)], size="l", cores=4)
    found = consolidate([dear], around([dear]), {"web": 1})
    assert found is not None and found.replacement is not None and found.replacement.size == "m"


def test_several_nodes_are_not_replaced_by_one_of_their_own_size() -> None:
    pair = [candidate("a", 18.0, [pod("p", 900)]), candidate("b", 18.0, [pod("q", 900)])]
    for one in pair:
        one.node.unschedulable = True
    found = consolidate(pair, replace(around(pair), offers=[replace(OFFER, sizes=SIZES[1:2])]), {"web": 9})
    assert found is None


def test_a_node_whose_pod_refuses_is_not_consolidated() -> None:
    nodes = [candidate("a", 18.0, [pod("p", 500)], held=True), candidate("b", 18.0, [pod("q", 500)])]
    assert consolidate(nodes, around(nodes), {"web": 9}) == Command(reason="Underutilized", nodes=("b",))


def test_waiting_pods_keep_nodes_that_they_could_use() -> None:
    nodes = [candidate("a", 18.0, [pod("p", 500)]), candidate("b", 18.0, [pod("q", 500)])]
    waiting = (pod("w", 1600),)
    assert consolidate(nodes, replace(around(nodes), pending=waiting), {"web": 9}) is None


def test_pods_are_not_moved_to_nodes_that_are_not_there_yet() -> None:
    node = candidate("a", 18.0, [pod("p", 1500)])
    coming = candidate("b", 18.0)
    both = Around(cluster=[node.node, coming.node], offers=[OFFER])
    assert consolidate([node], both, {"web": 9}) == Command(reason="Underutilized", nodes=("a",))
    assert consolidate([node], replace(both, coming=frozenset({"b"})), {"web": 9}) is None


def test_what_disturbs_least_goes_first() -> None:
    assert cost(candidate("a", 1.0, [pod("p", 1)])) == 1.0
    assert cost(candidate("a", 1.0, [pod("p", 1, priority=2**26)])) == 3.0
    assert cost(candidate("a", 1.0, [pod("p", 1, priority=2 * 10**9)])) == 10.0


def test_nodes_are_quiet_after_their_time_or_never() -> None:
    node = candidate("a", 1.0, quiet_s=30.0)
    assert [bool(quiet([node], {"web": after})) for after in (30.0, 31.0, None)] == [True, False, False]


# ------------------------------------------------------------------ in motion

SMALL = NodePool(name="web-s", cores=1.0, memory_bytes=4.0 * GI, count=0, maximum=20, provision_s=50.0, price_month=10.0, provisioner="web")
LARGE = replace(SMALL, name="web-l", cores=4.0, memory_bytes=16.0 * GI, price_month=35.0)


def elastic(*events: Event, replicas: int = 2, horizon_s: float = 600.0, cores: float = 0.5, **more: Any) -> ClusterSpec:
    """`replicas` pods of half a core on nodes that a provisioner has bought."""
    bought = more.pop("made", Provisioner(name="web", budgets=(NodeBudget(nodes="100%"),)))
    spec = world(
        workload(replicas=replicas, template=template(request_cores=cores, request_bytes=2.0**20)),
        pools=more.pop("pools", (SMALL, LARGE)), events=events, horizon_s=horizon_s, **more,
    )  # fmt: skip
    return replace(spec, provisioners=(bought,))


def changes(trace: Trace) -> list[tuple[float, str, str]]:
    return [(round(one.t_s, 1), one.node, one.state) for one in trace.nodes]


def at(t_s: float, verb: str, target: str = "web", **arguments: Any) -> Event:
    return Event(at_s=t_s, verb=verb, target=target, arguments=arguments)


def test_nodes_for_the_first_pods_are_there_at_the_start() -> None:
    trace = run(elastic(), plane=QuietPlane())
    assert changes(trace) == [(0.0, "web-s-0", "ready")]
    assert {one.node for one in trace.pods if one.state == "ready"} == {"web-s-0"}


def test_a_node_is_bought_a_batch_after_the_first_pod_waits_and_comes_in_its_time() -> None:
    trace = run(elastic(at(100.0, "scale", replicas=10)), plane=QuietPlane())
    found = [(int(t), node, state) for t, node, state in changes(trace)]
    assert found[1:] == [(101, "web-l-0", "requested"), (151, "web-l-0", "ready")], "eight half cores: one node of four"
    assert sum(one.state == "ready" and one.t_s > 151 for one in trace.pods) == 8
    nominated = [one for one in trace.events if one.reason == "Nominated"]
    assert len(nominated) == 8 and nominated[0].message == "Pod should schedule on: nodeclaim/web-l-0"


def test_a_batch_ends_after_its_longest_time_though_pods_keep_coming() -> None:
    events = tuple(at(100.0 + 0.8 * i, "scale", replicas=3 + i) for i in range(20))
    trace = run(elastic(*events), plane=QuietPlane())
    first = next(t for t, _, state in changes(trace) if state == "requested")
    assert first == pytest.approx(110.0, abs=0.1)
    flags = ControlPlane(scaling=NodeScaling(batch_idle_s=0.5))
    assert next(t for t, _, state in changes(run(elastic(*events, control=flags), plane=QuietPlane())) if state == "requested") < 101.0


def test_an_empty_node_goes_after_its_quiet_time_and_the_second_look() -> None:
    own = Provisioner(name="web", policy="WhenEmpty", consolidate_after_s=60.0, budgets=(NodeBudget(nodes="100%"),))
    trace = run(elastic(at(100.0, "scale", replicas=0), made=own), plane=QuietPlane())
    states = [(t, state) for t, node, state in changes(trace) if node == "web-s-0" and t > 0]
    assert states == [(185.0, "cordoned"), (185.0, "removed")], "quiet at 160, looked at at 170, still so 15 s later"
    never = replace(own, consolidate_after_s=None)
    assert [s for t, _, s in changes(run(elastic(at(100.0, "scale", replicas=0), made=never), plane=QuietPlane())) if t > 0] == []


def test_a_dear_node_is_replaced_by_a_cheaper_one_that_is_ready_before_it_is_emptied() -> None:
    """Ten pods on a large and a small node; three are left: they fit on small ones."""
    trace = run(elastic(at(100.0, "scale", replicas=2), replicas=8), plane=QuietPlane())
    found = [one for one in changes(trace) if one[0] > 0]
    bought_, ready = found[1], next(one for one in found if one[2] == "ready")
    assert found[0][1:] == ("web-l-0", "cordoned") and bought_[1:] == ("web-s-0", "requested")
    assert ready == (round(bought_[0] + 50.0, 1), "web-s-0", "ready")
    gone = [one.t_s for one in trace.pods if one.state == "terminating" and one.node == "web-l-0" and one.t_s > 101]
    assert gone and min(gone) >= ready[0]
    assert next(one for one in found if one[2] == "removed")[1] == "web-l-0"
    assert [one.message for one in trace.events if one.reason == "DisruptionTerminating"] == ["Disrupting Node: Underutilized/Replace"]


def test_a_budget_of_nodes_bounds_how_many_go_at_once() -> None:
    story = (at(100.0, "scale", replicas=0),)
    pools = (SMALL,)
    one = Provisioner(name="web", budgets=(NodeBudget(nodes=1),))
    slow = run(elastic(*story, replicas=8, pools=pools, made=one), plane=QuietPlane())
    removed = [t for t, _, state in changes(slow) if state == "removed"]
    assert len(removed) == 4 and len(set(removed)) == 4, "one after the other"
    none = Provisioner(name="web", budgets=(NodeBudget(nodes=0),))
    assert not [t for t, _, state in changes(run(elastic(*story, pools=pools, made=none), plane=QuietPlane())) if state == "removed"]
    other = Provisioner(name="web", budgets=(NodeBudget(nodes=0, reasons=("Underutilized",)),))
    assert [t for t, _, state in changes(run(elastic(*story, pools=pools, made=other), plane=QuietPlane())) if state == "removed"]


def test_a_disruption_budget_of_pods_keeps_a_node() -> None:
    spec = elastic(at(100.0, "scale", replicas=2), replicas=8)
    held = DisruptionBudget(name="web", namespace="default", selector={"matchLabels": {"app": "web"}}, maximum=0)
    trace = run(replace(spec, budgets=(held,)), plane=QuietPlane())
    assert [state for t, _, state in changes(trace) if t > 0] == []


def test_a_pod_that_must_not_be_disturbed_keeps_its_node() -> None:
    spec = elastic(at(100.0, "scale", replicas=2), replicas=8)
    marked = replace(spec.workloads[0].template, data={"metadata": {"annotations": {"karpenter.sh/do-not-disrupt": "true"}}})
    spec = replace(spec, workloads=(replace(spec.workloads[0], template=marked),))
    assert [state for t, _, state in changes(run(spec, plane=QuietPlane())) if t > 0] == []


def test_limits_leave_pods_waiting_and_say_so() -> None:
    own = Provisioner(name="web", nodes=1)
    trace = run(elastic(at(100.0, "scale", replicas=10), made=own), plane=QuietPlane())
    assert [state for t, _, state in changes(trace) if t > 0] == []
    told = [one for one in trace.events if one.message == "Failed to schedule pod, the limits of web are reached"]
    assert len({one.name for one in told}) == len(told) == 8, "each pod once"


def test_where_a_size_is_short_the_next_cheapest_is_bought() -> None:
    story = (at(50.0, "shortage", "web-s", **{"for": 400.0}), at(100.0, "scale", replicas=4))
    trace = run(elastic(*story), plane=QuietPlane())
    found = [(node, state) for t, node, state in changes(trace) if t > 0]
    assert found[:4] == [("web-s-1", "requested"), ("web-s-1", "refused"), ("web-l-0", "requested"), ("web-l-0", "ready")]


def test_a_provisioner_of_several_zones_survives_the_loss_of_one() -> None:
    """Another node, of zone b, is left: without any ready node nothing would be evicted."""
    base = NodePool(name="base", cores=0.1, memory_bytes=2.0**30, count=1, minimum=1, maximum=1, zones=("b",))
    zoned = tuple(replace(pool, zones=("a", "b")) for pool in (SMALL, LARGE))
    control = ControlPlane(not_ready_toleration_s=30.0)
    trace = run(elastic(at(100.0, "zoneLoss", "a"), pools=(base, *zoned), control=control), plane=QuietPlane())
    assert {node for _, node, _ in changes(trace)} >= {"web-s-0", "web-s-1"}
    back = [one for one in trace.pods if one.state == "ready" and one.t_s > 100]
    assert len(back) == 2 and {one.node for one in back} == {"web-s-1"}


def test_the_cluster_autoscaler_leaves_provisioned_nodes_alone() -> None:
    own = Provisioner(name="web", consolidate_after_s=None)
    trace = run(elastic(at(10.0, "scale", replicas=0), made=own, horizon_s=2000.0), plane=QuietPlane())
    assert [state for t, _, state in changes(trace) if t > 0] == []


def test_same_seed_same_nodes() -> None:
    spec = elastic(at(100.0, "scale", replicas=10), at(300.0, "scale", replicas=3), horizon_s=900.0)
    assert changes(run(spec, plane=QuietPlane())) == changes(run(spec, plane=QuietPlane()))


# ------------------------------------------------------------------ keys

SAID: dict[str, Any] = {
    "sizes": {
        "s": {"cores": 2, "memory": "8Gi", "price": "35/month", "pods": 58},
        "l": {"cores": 8, "memory": "32Gi", "price": "140/month"},
    },
    "weight": 5,
    "provision": "45s",
    "zones": ["a", "b"],
    "labels": {"team": "web"},
    "taints": [{"key": "spot", "effect": "NoSchedule"}],
    "limits": {"nodes": 20, "cores": 40, "memory": "100Gi"},
    "consolidation": {"policy": "WhenEmpty", "after": "30s"},
    "budgets": [{"nodes": "20%"}, {"nodes": 0, "reasons": ["Underutilized"]}],
}


def test_every_key_of_a_provisioner_is_read() -> None:
    found = scenario.read({"version": 1, "provisioners": {"web": SAID}})
    assert found.pools is not None and [(pool.name, pool.count, pool.maximum) for pool in found.pools] == [
        ("web-s", 0, 12),
        ("web-l", 0, 3),
    ]
    small = found.pools[0]
    assert (small.provisioner, small.price_month, small.pods, small.provision_s, small.zones) == ("web", 35.0, 58, 45.0, ("a", "b"))
    assert small.labels == {"karpenter.sh/nodepool": "web", "node.kubernetes.io/instance-type": "s", "team": "web"}
    assert found.provisioners == (
        Provisioner(
            name="web", weight=5, nodes=20, cores=40.0, memory_bytes=100.0 * GI, policy="WhenEmpty", consolidate_after_s=30.0,
            budgets=(NodeBudget(nodes="20%"), NodeBudget(nodes=0, reasons=("Underutilized",))),
        ),
    )  # fmt: skip


def test_a_scenario_without_provisioners_has_none_of_their_traces() -> None:
    found = scenario.read({"version": 1, "nodes": {"n": {"cores": 1, "memory": "1Gi"}}})
    assert found.provisioners == () and found.pools is not None and found.pools[0].provisioner == ""


@pytest.mark.parametrize(("limits", "told"), [({"nodes": 100}, []), ({"cores": 9}, ["100"]), (None, ["100"])])
def test_how_many_nodes_at_most_is_an_assumption_if_nobody_says_it(limits: Any, told: list[str]) -> None:
    said = {"version": 1, "provisioners": {7: {"sizes": {"s": {"cores": 2, "memory": "8Gi"}}, "limits": limits}}}
    spec = join(read(made.manifests()), scenario.read(said))
    assert [one.value for one in spec.assumptions if one.subject == "provisioners.7.limits.nodes"] == told


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"provisioners": {"web": {}}}, "provisioners.web needs sizes"),
        ({"provisioners": {"web": {"sizes": {}}}}, "provisioners.web.sizes must have at least one size"),
        ({"provisioners": {"web": {**SAID, "budgets": [{"nodes": "lots"}]}}}, "budgets[0].nodes must be a whole number or a percentage"),
        ({"provisioners": {"web": {**SAID, "consolidation": {"after": "soon"}}}}, "consolidation.after must be a duration"),
        ({"provisioners": {"web": {**SAID, "limit": {}}}}, "unknown key 'limit', did you mean 'limits'?"),
        ({"provisioners": {"web": SAID}, "nodes": {"web": {"cores": 1, "memory": 1}}}, "provisioners.web has the name of a pool: web"),
        ({"provisioners": {"web": SAID}, "nodes": {"web-s": {"cores": 1, "memory": 1}}}, "makes a second pool web-s"),
        ({"controlPlane": {"expander": "cheapest"}}, "controlPlane.expander must be one or more of random, most-pods"),
    ],
)
def test_wrong_keys(said: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        scenario.read({"version": 1, **said})
    assert message in str(caught.value)


def test_never_is_a_wait_and_empty_budgets_are_no_bound() -> None:
    said = {**SAID, "consolidation": {"after": "Never"}, "budgets": []}
    found = scenario.read({"version": 1, "provisioners": {"web": said}}).provisioners[0]
    assert (found.consolidate_after_s, found.budgets) == (None, ())
