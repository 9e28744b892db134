"""What holds in every run, whatever the settings and the story; and that each check sees what it is there for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulate.control.rollout import DeploymentView, Pass, Resize, SetView, Status
from simulate.engine import run
from simulate.spec import Autoscaler, ClusterSpec, DisruptionBudget, Event
from simulate.trace import EventRecord, NodeRecord, PodRecord, ScaleRecord, StatusRecord, Trace
from tests.simulate import invariants
from tests.simulate.control_worlds import BOUNDS, History, histories
from tests.simulate.worlds import READY, QuietPlane, template, workload, world

RANDOM = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def holds(history: History) -> Trace:
    """Run a history and check everything."""
    spec, plane = history.spec, history.plane()
    with invariants.passes() as seen:
        trace = run(spec, plane=plane)
    invariants.surge_is_kept(seen)
    invariants.what_may_not_be_missing_stays(seen)
    invariants.one_kind_of_step_a_pass(seen)
    invariants.pods_live_once(trace)
    invariants.requests_fit(spec, trace)
    invariants.nothing_is_placed_on_a_closed_node(trace)
    invariants.daemons_are_alone(spec, trace)
    invariants.ordinals_come_in_order(spec, trace)
    invariants.evictions_keep_the_budget(spec, trace)
    invariants.autoscalers_keep_their_bounds(spec, trace)
    invariants.paused_deployments_create_no_set(trace)
    invariants.proxies_know_only_what_runs(plane.log, trace)
    if history.roomy:
        invariants.everything_has_finished(spec, trace)
    return trace


@RANDOM
@given(histories())
def test_every_history(history: History) -> None:
    trace = holds(history)
    assert run(history.spec, plane=history.plane()) == trace


@settings(RANDOM, max_examples=40)
@given(histories(calm=True))
def test_rollouts_alone_keep_what_may_not_be_missing(history: History) -> None:
    trace = holds(history)
    if history.spec.workloads[0].strategy == "RollingUpdate":
        invariants.ready_pods_never_fall_below(history.spec, trace)


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
    invariants.ready_pods_never_fall_below(spec, trace)
    invariants.everything_has_finished(spec, trace)


# ------------------------------------------------------------------ each check sees what it is there for

VIEW = DeploymentView(replicas=4, max_surge=1, max_unavailable=1)
OLD = SetView(name="old", spec=4, replicas=4, ready=4, available=4, desired=4, maximum=5)
NEW = SetView(name="new", spec=1, replicas=1, desired=4, maximum=5)


def decided(*resizes: Resize, create: int | None = None) -> list[invariants.Seen]:
    result = Pass(create=create, revision=None, resizes=resizes, delete=(), noted=(), status=Status(), look_again_s=None)
    return [invariants.Seen(VIEW, (OLD, NEW), "new", result)]


def sized(name: str, before: int, size: int) -> Resize:
    return Resize(name=name, before=before, size=size, desired=4, maximum=5)


def pod(t_s: float, name: str, state: str, node: str | None = None, reason: str = "", workload: str = "web") -> PodRecord:
    return PodRecord(t_s, name, workload, "", state, node, reason)


def traced(*pods: PodRecord, **lists: Any) -> Trace:
    trace = Trace(horizon_s=100.0, seed=1, pods=list(pods))
    for name, rows in lists.items():
        getattr(trace, name).extend(rows)
    return trace


LIFE = (pod(1.0, "a", "created"), pod(2.0, "a", "scheduled", "pool-0"), pod(3.0, "a", "ready", "pool-0"))
SPEC = world(
    workload(replicas=2), workload(name="db", kind="StatefulSet", replicas=2), workload(name="agent", kind="DaemonSet", max_surge=0)
)
NODE = NodeRecord(0.0, "pool-0", "pool", "ready")
BUDGET = DisruptionBudget(name="b", namespace="default", selector={"matchLabels": {"app": "web"}}, minimum=1)
SCALER = Autoscaler(name="web", namespace="default", target="web", minimum=1, maximum=3, metrics=())


def many(count: int) -> Trace:
    made = [record for i in range(count) for record in (pod(1.0, f"p{i}", "created"), pod(1.0, f"p{i}", "scheduled", "pool-0"))]
    return traced(*made, nodes=[NODE])


DOUBLE = ("start", "route", "route")
BROKEN: dict[str, tuple[Any, ...]] = {
    "surge": (invariants.surge_is_kept, decided(sized("new", 1, 2))),
    "a first size above surge": (invariants.surge_is_kept, decided(create=1)),
    "too few stay": (invariants.what_may_not_be_missing_stays, decided(sized("old", 4, 2))),
    "two kinds of step": (invariants.one_kind_of_step_a_pass, decided(sized("old", 4, 3), sized("new", 1, 2))),
    "created twice": (invariants.pods_live_once, traced(LIFE[0], LIFE[0])),
    "two nodes": (invariants.pods_live_once, traced(*LIFE, pod(4.0, "a", "scheduled", "pool-1"))),
    "moved": (invariants.pods_live_once, traced(*LIFE, pod(4.0, "a", "unready", "pool-1"))),
    "after its end": (invariants.pods_live_once, traced(LIFE[0], pod(2.0, "a", "deleted"), pod(3.0, "a", "ready"))),
    "backwards": (invariants.pods_live_once, traced(LIFE[0], pod(0.5, "b", "created"))),
    "more ready than there are": (invariants.pods_live_once, traced(LIFE[0]._replace(ready=2))),
    "overcommitted": (lambda trace: invariants.requests_fit(SPEC, trace), many(41)),
    "on a cordoned node": (
        invariants.nothing_is_placed_on_a_closed_node,
        traced(*LIFE, nodes=[NODE, NodeRecord(1.0, "pool-0", "pool", "cordoned")]),
    ),
    "on a removed node": (
        invariants.nothing_is_placed_on_a_closed_node,
        traced(pod(2.0, "x", "scheduled", "pool-0", workload="agent"), nodes=[NODE, NodeRecord(1.0, "pool-0", "pool", "removed")]),
    ),
    "two daemons": (
        lambda trace: invariants.daemons_are_alone(SPEC, trace),
        traced(*(pod(1.0, name, "scheduled", "pool-0", workload="agent") for name in ("x", "y"))),
    ),
    "out of order": (lambda trace: invariants.ordinals_come_in_order(SPEC, trace), traced(pod(1.0, "db-1", "created", workload="db"))),
    "two at once": (
        lambda trace: invariants.ordinals_come_in_order(SPEC, trace),
        traced(*(pod(1.0, name, "terminating", reason="StatefulSet db", workload="db") for name in ("db-1", "db-0"))),
    ),
    "below the budget": (
        lambda trace: invariants.evictions_keep_the_budget(replace(SPEC, budgets=(BUDGET,)), trace),
        traced(*LIFE, pod(4.0, "a", "terminating", "pool-0", "evicted by drain")),
    ),
    "out of bounds": (
        lambda trace: invariants.autoscalers_keep_their_bounds(replace(SPEC, autoscalers=(SCALER,)), trace),
        traced(scales=[ScaleRecord(1.0, "Deployment", "web", "web", 2, 4, "horizontal-pod-autoscaler web")]),
    ),
    "rolled while paused": (
        invariants.paused_deployments_create_no_set,
        traced(
            scales=[ScaleRecord(9.0, "ReplicaSet", "web-v2", "web", None, 1, "deployment-controller")],
            events=[EventRecord(5.0, "Scenario", "web", "Normal", "pause", "pause web")],
        ),
    ),
    "routed unstarted": (lambda log: invariants.proxies_know_only_what_runs(log, traced()), [(1.0, "route", "a")]),
    "routed twice": (lambda log: invariants.proxies_know_only_what_runs(log, traced()), [(1.0, w, "a") for w in DOUBLE]),
    "never forgotten": (
        lambda log: invariants.proxies_know_only_what_runs(log, traced(*LIFE, pod(5.0, "a", "deleted", "pool-0"))),
        [(1.0, "start", "a"), (2.0, "route", "a")],
    ),
    "too few ready": (lambda trace: invariants.ready_pods_never_fall_below(SPEC, trace), traced(pod(1.0, "a", "unready"))),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_each_check_fails_where_it_has_to(case: str) -> None:
    check, broken = BROKEN[case]
    with pytest.raises(AssertionError):
        check(broken)


def test_the_same_checks_pass_where_nothing_is_wrong() -> None:
    invariants.surge_is_kept(decided())
    invariants.what_may_not_be_missing_stays(decided(sized("old", 4, 3)))
    invariants.pods_live_once(traced(*LIFE))
    invariants.requests_fit(SPEC, many(40))
    invariants.nothing_is_placed_on_a_closed_node(traced(*LIFE, nodes=[NODE]))


@pytest.mark.parametrize("ready", [(), ("a",), ("a", "b", "c")])
def test_an_unfinished_rollout_is_seen(ready: tuple[str, ...]) -> None:
    """Two pods are wanted."""
    spec: ClusterSpec = world(workload(replicas=2))
    rows = [record._replace(replica_set="web-v1") for name in ready for record in (pod(1.0, name, "created"), pod(2.0, name, "ready"))]
    made = traced(
        *rows,
        scales=[ScaleRecord(0.0, "ReplicaSet", "web-v1", "web", None, 2, "")],
        statuses=[StatusRecord(3.0, "web", 2, len(ready), len(ready), len(ready), len(ready))],
    )
    with pytest.raises(AssertionError):
        invariants.everything_has_finished(spec, made)
