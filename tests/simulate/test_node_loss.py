"""Nodes that do not answer, taints, drains and budgets: each rule of kubernetes-semantics.md 8.5 and 8.6 in motion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from simulate.control.node_loss import NOT_READY, UNREACHABLE, Stay, admitted, patience, stays
from simulate.control.placement_view import Taint, Toleration
from simulate.engine import run
from simulate.spec import ClusterSpec, ControlPlane, DisruptionBudget, Event, NodePool
from simulate.trace import Trace
from tests.simulate.worlds import READY, QuietPlane, template, workload, world

POOL = NodePool(name="pool", cores=4.0, memory_bytes=2.0**34, count=3)
EVICTED = "TaintManagerEviction"


def at(t_s: float, verb: str, target: str = "pool", during: float | None = None, **arguments: Any) -> Event:
    return Event(at_s=t_s, verb=verb, target=target, arguments=arguments | ({} if during is None else {"for": during}))


def small(*events: Event, replicas: int = 3, horizon_s: float = 900.0, **more: Any) -> ClusterSpec:
    own = more.pop("template", template())
    budgets = more.pop("budgets", ())
    spec = world(workload(replicas=replicas, template=own, **more.pop("said", {})), events=events, horizon_s=horizon_s,
                 pools=more.pop("pools", (POOL,)), **more)  # fmt: skip
    return replace(spec, budgets=budgets)


def played(spec: ClusterSpec, plane: QuietPlane | None = None) -> Trace:
    return run(spec, plane=plane or QuietPlane())


def ends(trace: Trace, reason: str = EVICTED) -> list[int]:
    return [int(one.t_s) for one in trace.pods if one.state == "terminating" and one.reason == reason]


# ------------------------------------------------------------------ tolerations


@pytest.mark.parametrize(
    ("given", "lasting_s"),
    [
        ([], 300.0),
        ([{"key": UNREACHABLE.key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}], 60.0),
        ([{"key": UNREACHABLE.key, "operator": "Exists", "effect": "NoExecute"}], None),
        ([{"key": UNREACHABLE.key, "operator": "Exists", "tolerationSeconds": 0}], 0.0),
        ([{"key": UNREACHABLE.key, "operator": "Exists", "tolerationSeconds": -5}], 0.0),
        ([{"operator": "Exists"}], None),
        ([{"operator": "Exists"}, {"key": UNREACHABLE.key, "operator": "Exists", "tolerationSeconds": 20}], 20.0),
        ([{"key": NOT_READY.key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}], 300.0),
        ([{"key": UNREACHABLE.key, "operator": "Exists", "effect": "NoSchedule"}], 300.0),
    ],
)
def test_how_long_a_pod_stays_on_an_unreachable_node(given: list[Mapping[str, Any]], lasting_s: float | None) -> None:
    assert patience(admitted(stays(given), 300.0), [UNREACHABLE]) == lasting_s


def test_every_taint_must_be_tolerated_and_the_shortest_counts() -> None:
    first, second = Taint("a", "1", "NoExecute"), Taint("b", "", "NoExecute")
    one = [Stay(Toleration(key="a", value="1"), 50.0)]
    both = [*one, Stay(Toleration(key="b", operator="Exists"), 20.0)]
    assert [patience(given, [first, second]) for given in ([], one, both)] == [0.0, 0.0, 20.0]
    assert patience([], [Taint("a", "1", "PreferNoSchedule")]) is None


# ------------------------------------------------------------------ nodes that do not answer


def test_endpoints_go_when_the_loss_is_noticed_and_pods_are_replaced_after_the_toleration() -> None:
    plane = QuietPlane()
    trace = played(small(at(100.0, "nodeLoss")), plane)
    assert [int(one.t_s) for one in trace.pods if one.state == "unready"] == [150]
    assert [int(t) for t, what, _ in plane.log if what == "unroute"] == [151], "after the propagation of the endpoints"
    assert ends(trace) == [450], "50 s of grace, 300 s of toleration"
    assert [int(one.t_s) for one in trace.pods if one.state == "created" and one.t_s > 0] == [450]
    last = {one.pod: one.state for one in trace.pods}
    assert sorted(last.values()).count("terminating") == 1, "the object stays until the node is back or removed"
    told = [one for one in trace.events if one.reason == EVICTED]
    assert [one.message for one in told] == [f"Marking for deletion Pod default/{told[0].name}"]


def test_objects_of_evicted_pods_go_when_the_node_is_back() -> None:
    trace = played(small(at(100.0, "nodeLoss", during=500.0)))
    assert [int(one.t_s) for one in trace.pods if one.state == "deleted"] == [601]


def test_a_node_that_is_back_in_time_keeps_its_pods() -> None:
    assert ends(played(small(at(100.0, "nodeLoss", during=340.0)))) == []


def test_pods_stay_as_long_as_they_say() -> None:
    own = replace(template(), data={"spec": {"tolerations": [{"key": UNREACHABLE.key, "operator": "Exists", "tolerationSeconds": 30}]}})
    assert ends(played(small(at(100.0, "nodeLoss"), template=own))) == [180]
    for_ever = replace(template(), data={"spec": {"tolerations": [{"operator": "Exists"}]}})
    assert ends(played(small(at(100.0, "nodeLoss"), template=for_ever))) == []


def test_daemons_stay_on_a_lost_node() -> None:
    spec = small(at(100.0, "nodeLoss"))
    trace = played(replace(spec, workloads=(*spec.workloads, workload("agent", kind="DaemonSet", replicas=0))))
    assert {one.workload for one in trace.pods if one.state == "terminating"} == {"web"}


def test_lost_nodes_lose_their_pods_one_node_in_ten_seconds() -> None:
    pools = (replace(POOL, count=8),)
    trace = played(small(at(100.0, "nodeLoss", count=3), replicas=8, pools=pools))
    assert ends(trace) == [450, 460, 470]
    faster = ControlPlane(node_eviction_rate=1.0)
    assert ends(played(small(at(100.0, "nodeLoss", count=3), replicas=8, pools=pools, control=faster))) == [450, 451, 452]


def test_nothing_is_evicted_when_no_node_answers() -> None:
    assert ends(played(small(at(100.0, "nodeLoss", count=3)))) == []


def test_the_last_nodes_to_go_take_the_taints_of_the_others_back() -> None:
    """One node since 100, the others since 300: before the first one's 450 nobody answers any more."""
    assert ends(played(small(at(100.0, "nodeLoss"), at(300.0, "nodeLoss", count=2)))) == []


def test_in_a_zone_mostly_down_nothing_is_evicted_until_it_is_better() -> None:
    """Three of five nodes: 60 %. One is back at 400: two are no partial disruption."""
    pools = (replace(POOL, count=5),)
    spec = small(at(100.0, "nodeLoss", count=3), replicas=5, pools=pools, horizon_s=1500.0)
    assert ends(played(spec)) == []
    back = small(at(100.0, "nodeLoss", count=2), at(100.0, "nodeLoss", during=300.0), replicas=5, pools=pools, horizon_s=1500.0)
    assert ends(played(back)) == [700, 710], "tainted when the third is back, then 300 s of toleration"


def test_a_lost_zone_is_evicted_while_another_is_well() -> None:
    zoned = (replace(POOL, count=6, zones=("a", "b")),)
    trace = played(small(at(100.0, "zoneLoss", "a"), replicas=6, pools=zoned))
    assert ends(trace) == [450, 460, 470]
    assert {one.node for one in trace.pods if one.state == "ready" and one.t_s > 450} <= {"pool-1", "pool-3", "pool-5"}


def test_budgets_do_not_hold_taint_evictions() -> None:
    assert ends(played(small(at(100.0, "nodeLoss"), budgets=(budget(maximum=0),)))) == [450]


# ------------------------------------------------------------------ taints


def test_a_taint_keeps_new_pods_away_and_drives_running_ones_only_by_no_execute() -> None:
    story = (at(100.0, "taint", key="gpu", effect="NoSchedule", count=2), at(110.0, "scale", "web", replicas=6))
    trace = played(small(*story))
    assert ends(trace) == []
    assert {one.node for one in trace.pods if one.state == "scheduled" and one.t_s > 110} == {"pool-2"}
    driven = played(small(at(100.0, "taint", key="gpu", effect="NoExecute", count=2)))
    assert ends(driven) == [100, 100]
    assert [(int(one.t_s), one.node, one.state) for one in driven.nodes if one.t_s > 0] == [
        (100, "pool-0", "tainted"), (100, "pool-1", "tainted"),
    ]  # fmt: skip


def test_a_tolerated_taint_drives_nobody_away_before_its_time_or_not_at_all() -> None:
    own = replace(template(), data={"spec": {"tolerations": [{"key": "gpu", "operator": "Exists", "tolerationSeconds": 60}]}})
    story = at(100.0, "taint", key="gpu", effect="NoExecute")
    assert ends(played(small(story, template=own))) == [160]
    short = at(100.0, "taint", key="gpu", effect="NoExecute", during=30.0)
    assert ends(played(small(short, template=own))) == []


def test_a_taint_that_is_gone_lets_pods_in_again() -> None:
    story = (at(100.0, "taint", key="gpu", effect="NoSchedule", count=3, during=60.0), at(110.0, "scale", "web", replicas=6))
    trace = played(small(*story))
    assert [int(one.t_s) for one in trace.pods if one.state == "scheduled" and one.t_s > 110] == [160, 160, 160]


# ------------------------------------------------------------------ budgets


def budget(name: str = "web", **said: Any) -> DisruptionBudget:
    return DisruptionBudget(name=name, namespace="default", selector={"matchLabels": {"app": "web"}}, **said)


def drained(policy: Any, *, minimum: int) -> list[int]:
    """Two of four pods are of a version that never becomes ready; all nodes are drained. When which pods go."""
    spec = small(
        at(10.0, "rollout", "web", fails="unready"), at(200.0, "drain", count=3), replicas=4, horizon_s=260.0,
        template=template(readiness=READY), budgets=(budget(minimum=minimum, policy=policy),), said={"max_surge": 0, "max_unavailable": 2},
    )  # fmt: skip
    trace = played(spec)
    gone = [one for one in trace.pods if one.state == "terminating" and one.reason == "evicted by drain"]
    new = {one.pod for one in trace.pods if one.replica_set == "web-v2"}
    assert {one.pod for one in gone} <= new, "the ready pods are all needed"
    return [int(one.t_s) for one in gone]


def test_unready_pods_may_go_if_the_ready_ones_are_enough() -> None:
    assert drained("IfHealthyBudget", minimum=2) == [200, 200]


def test_unready_pods_are_kept_while_too_few_are_ready_unless_the_policy_lets_them_go() -> None:
    assert drained("IfHealthyBudget", minimum=3) == []
    assert drained("AlwaysAllow", minimum=3) == [200, 200]


def test_pods_that_have_not_started_go_without_the_budget() -> None:
    """A pod in the middle of its start is Pending."""
    control = ControlPlane(sandbox_s=100.0)
    spec = small(
        at(100.0, "scale", "web", replicas=4), at(120.0, "drain", count=3), control=control, budgets=(budget(maximum=0),), horizon_s=200.0
    )
    assert ends(played(spec), "evicted by drain") == [120]


def test_two_budgets_for_one_pod_end_its_drain() -> None:
    spec = small(at(100.0, "drain", count=3), budgets=(budget(maximum=3), budget("other", maximum=3)))
    trace = played(spec)
    assert ends(trace, "evicted by drain") == []
    told = [one.message for one in trace.events if one.reason == "EvictionRefused"]
    assert len(told) == 3 and set(told) == {
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
    }


def test_pods_without_a_controller_have_no_percentages() -> None:
    spec = small(at(100.0, "drain", count=3), budgets=(budget(maximum=3),), horizon_s=200.0)
    assert len(ends(played(spec), "evicted by drain")) == 3
    bare = replace(spec, workloads=(replace(spec.workloads[0], bare=True),))
    assert ends(played(bare), "evicted by drain") == [], "maxUnavailable and percentages allow nothing"
    counted = replace(bare, budgets=(budget(minimum=1),))
    assert len(ends(played(counted), "evicted by drain")) >= 2, "a number is of the pods that match"


def test_rollouts_and_scalings_ask_no_budget() -> None:
    spec = small(at(10.0, "rollout", "web", image="web:2"), at(200.0, "scale", "web", replicas=1), budgets=(budget(maximum=0),))
    trace = played(spec)
    assert trace.statuses[-1][2:] == (1, 1, 1, 1, 1)


def test_an_unselective_or_missing_selector_means_what_the_api_says() -> None:
    everything = DisruptionBudget(name="all", namespace="default", selector={}, maximum=0)
    nothing = replace(everything, selector=None)
    elsewhere = replace(everything, namespace="other")
    found = [len(ends(played(small(at(100.0, "drain"), budgets=(one,))), "evicted by drain")) for one in (everything, nothing, elsewhere)]
    assert found == [0, 1, 1]


def test_a_budget_counts_pods_of_all_workloads_that_it_selects() -> None:
    spec = small(at(100.0, "drain", count=3), budgets=(budget(minimum="50%"),), replicas=2, horizon_s=101.0)
    spec = replace(spec, workloads=(*spec.workloads, workload("other", replicas=2)))
    assert len(ends(played(spec), "evicted by drain")) == 2, "half of four"


# ------------------------------------------------------------------ spot instances and priorities


def test_a_spot_instance_is_emptied_as_far_as_its_budget_allows_and_takes_the_rest_with_it() -> None:
    """Two pods on the instance, of which one must stay: its replacement takes longer to become ready than the notice lasts."""
    pools = (replace(POOL, name="spot", count=1), replace(POOL, name="late", count=1, labels={"kind": "late"}))
    own = template(readiness=READY)
    spec = small(at(20.0, "reclaim", "spot", notice=60.0), pools=pools, replicas=2, template=own, budgets=(budget(minimum=2),))
    trace = played(replace(spec, workloads=(replace(spec.workloads[0], template=own),)))
    there = [one.node for one in trace.pods if one.state == "scheduled" and one.t_s == 0]
    assert ends(trace, "evicted: the instance is called back") == [], "both must stay"
    assert ends(trace, "its node is gone") == [120] * there.count("spot-0"), "20 + 60 s, and 40 s until it is forgotten"


def test_higher_priorities_are_scheduled_first() -> None:
    """One place comes free; of two pods that wait the later one has the higher priority."""
    one = (replace(POOL, cores=1.0, count=1),)
    high = replace(template(request_cores=1.0), priority=5, data={"spec": {"priority": 5, "preemptionPolicy": "Never"}})
    spec = small(at(10.0, "scale", "web", replicas=2), at(20.0, "scale", "high", replicas=1), at(30.0, "scale", "web", replicas=0),
                 pools=one, replicas=1, template=template(request_cores=1.0))  # fmt: skip
    trace = played(replace(spec, workloads=(*spec.workloads, workload("high", replicas=0, template=high))))
    assert [one.workload for one in trace.pods if one.state == "scheduled" and one.t_s > 0] == ["high"]
    assert [one for one in trace.events if one.reason == "Preempted"] == [], "it displaces nobody"
