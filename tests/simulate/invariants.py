"""What holds in every run, as checks of what a run recorded. Each raises AssertionError with what it found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from simulate.control import rollout
from simulate.control.rollout import DeploymentView, Pass, SetView
from simulate.spec import ClusterSpec, Workload
from simulate.trace import PodRecord, Trace
from simulate.views.workloads import sets_at

TINY = 1e-6


# ------------------------------------------------------------------ passes of the Deployment controller


def bounds(view: DeploymentView) -> tuple[int, int]:
    """(replicas + surge, replicas - unavailable) by the text of 3.2, and not by the code that is tried.

    >>> [bounds(DeploymentView(replicas=n)) for n in (1, 3, 4, 10)]
    [(2, 1), (4, 3), (5, 3), (13, 8)]
    """
    n = view.replicas
    surge, unavailable = (_share(value, n, up) for value, up in ((view.max_surge, True), (view.max_unavailable, False)))
    if view.strategy == "Recreate":
        return n, 0
    return n + surge, n - (min(n, unavailable or (0 if surge else 1)) if n else 0)


def _share(value: int | str | None, n: int, up: bool) -> int:
    if not isinstance(value, str):
        return value or 0
    percent = int(value.rstrip("%"))
    return -(-percent * n // 100) if up else percent * n // 100


@dataclass(frozen=True)
class Seen:
    """One pass: what it saw and what it decided."""

    view: DeploymentView
    sets: tuple[SetView, ...]
    new: str | None
    result: Pass


@contextmanager
def passes() -> Iterator[list[Seen]]:
    """All passes of the Deployment controllers of the runs inside."""
    found: list[Seen] = []
    real = rollout.one_pass

    def watched(view: DeploymentView, sets: Sequence[SetView], new: str | None, *rest: Any, **named: Any) -> Pass:
        result = real(view, sets, new, *rest, **named)
        found.append(Seen(view, tuple(sets), new, result))
        return result

    with mock.patch.object(rollout, "one_pass", watched):
        yield found


def surge_is_kept(seen: Sequence[Seen]) -> None:
    """3.2, 3.4, 3.6: no pass that makes a set larger leaves the sizes of all above replicas + surge. Terminating pods are no part of it."""
    for one in seen:
        sizes = {each.name: each.spec for each in one.sets}
        grown = (one.result.create or 0) > 0 or any(write.size > sizes[write.name] for write in one.result.resizes if write.name in sizes)
        sizes |= {write.name: write.size for write in one.result.resizes}
        total = sum(sizes.values()) + (one.result.create or 0)
        most = bounds(one.view)[0]
        assert not grown or total <= most, f"{total} of at most {most}: {one}"


def what_may_not_be_missing_stays(seen: Sequence[Seen]) -> None:
    """3.4: a rolling step takes no available pod below replicas - unavailable. Sets give their unavailable pods first (4.3)."""
    for one in seen:
        if one.view.strategy == "Recreate" or one.view.paused or rollout.is_scaling_event(one.view, one.sets):
            continue
        before = {each.name: each for each in one.sets}
        lost = sum(
            max(0, before[write.name].available - write.size)
            for write in one.result.resizes
            if write.name in before and write.name != one.new and write.size < before[write.name].spec
        )
        left = sum(each.available for each in one.sets) - lost
        assert lost == 0 or left >= bounds(one.view)[1], f"{left} stay: {one}"


def one_kind_of_step_a_pass(seen: Sequence[Seen]) -> None:
    """3.4, D25: growing the new set and shrinking old ones never happen in one pass (its creation with a first size is no growth)."""
    for one in seen:
        if one.view.paused or rollout.is_scaling_event(one.view, one.sets) or one.view.strategy == "Recreate":
            continue
        sizes = {each.name: each.spec for each in one.sets}
        ways = {write.size > sizes[write.name] for write in one.result.resizes if write.name in sizes and write.size != sizes[write.name]}
        assert len(ways) <= 1, one


# ------------------------------------------------------------------ pods and nodes


def pods_live_once(trace: Trace) -> None:
    """Conservation: a pod is created, perhaps scheduled, and ends; nothing is said of it before or after; times never go back."""
    alive: dict[str, str] = {}
    bound: dict[str, str] = {}
    last = 0.0
    for one in trace.pods:
        assert one.t_s >= last - TINY, one
        last = one.t_s
        assert 0 <= one.ready <= one.containers, one
        if one.state == "created":
            assert one.pod not in alive, f"created twice: {one}"
            alive[one.pod] = one.workload
            continue
        assert alive.get(one.pod) == one.workload, f"not there: {one}"
        if one.state == "scheduled":
            assert one.pod not in bound, f"on two nodes: {one}"
            bound[one.pod] = str(one.node)
        elif one.pod in bound:
            assert one.node == bound[one.pod], f"moved: {one}"
        if one.state == "deleted":
            del alive[one.pod]
            bound.pop(one.pod, None)


def requests_fit(spec: ClusterSpec, trace: Trace) -> None:
    """8.2: on no node do the requests of its pods, terminating ones too, exceed what it has; nor their number."""
    asked = {one.name: _asked(one) for one in spec.workloads}
    pools = {one.name: one for one in spec.pools}
    pool_of = {one.node: pools[one.pool] for one in trace.nodes}
    used: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    where: dict[str, str] = {}
    for one in trace.pods:
        if one.state == "scheduled":
            where[one.pod] = node = str(one.node)
            used[node] = [a + b for a, b in zip(used[node], asked[one.workload], strict=True)]
            pool = pool_of[node]
            room = (pool.cores, pool.memory_bytes, pool.pods)
            assert all(a <= b + TINY for a, b in zip(used[node], room, strict=True)), f"{node} has {used[node]}: {one}"
        elif one.state == "deleted" and one.pod in where:
            node = where.pop(one.pod)
            used[node] = [a - b for a, b in zip(used[node], asked[one.workload], strict=True)]


def _asked(one: Workload) -> tuple[float, float, float]:
    main = one.template.containers
    return sum(c.request_cores or 0.0 for c in main), sum(c.request_bytes or 0.0 for c in main), 1.0


def nothing_is_placed_on_a_closed_node(trace: Trace) -> None:
    """A cordoned or unready node gets no pod but those of DaemonSets (named agent here), and a removed one none at all."""
    closed: dict[str, set[str]] = defaultdict(set)
    changes = [(one.t_s, 0, one.node, one.state) for one in trace.nodes]
    changes += [(one.t_s, 1, str(one.node), one.workload) for one in trace.pods if one.state == "scheduled" and one.t_s > 0]
    for t_s, rank, node, what in sorted(changes, key=lambda change: change[:2]):
        if rank == 1:
            hindrances = closed[node] if what != "agent" else closed[node] & {"removed"}
            assert not hindrances, f"{what} on {node} at {t_s}: {sorted(hindrances)}"
        elif what == "removed":
            closed[node] = {what}
        elif what in ("cordoned", "notReady"):
            closed[node].add(what)
        elif what == "uncordoned":
            closed[node].discard("cordoned")
        elif what == "ready":
            closed[node] -= {"notReady", "removed"}


def daemons_are_alone(spec: ClusterSpec, trace: Trace) -> None:
    """5.2: without surge at most one pod of a DaemonSet is on a node, and the next comes when the last one is gone."""
    single = {one.name for one in spec.workloads if one.kind == "DaemonSet" and one.max_surge == 0}
    there: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in trace.pods:
        if one.workload in single and one.node:
            key = one.workload, one.node
            if one.state == "scheduled":
                there[key].add(one.pod)
                assert len(there[key]) == 1, f"{sorted(there[key])} on {key}"
            elif one.state == "deleted":
                there[key].discard(one.pod)


def ordinals_come_in_order(spec: ClusterSpec, trace: Trace) -> None:
    """5.1, OrderedReady: a pod is created when all below it are there and ready, and deleted by the controller when no other is going."""
    ordered = {one.name for one in spec.workloads if one.kind == "StatefulSet" and one.pod_management == "OrderedReady"}
    ready: dict[str, dict[int, bool]] = {name: {} for name in ordered}
    going: dict[str, set[int]] = {name: set() for name in ordered}
    for one in trace.pods:
        if one.workload not in ordered:
            continue
        ordinal, known, leaving = int(one.pod.rpartition("-")[2]), ready[one.workload], going[one.workload]
        if one.state == "created":
            assert one.t_s == 0 or all(known.get(i) and i not in leaving for i in range(ordinal)), f"{known}, going {leaving}: {one}"
            known[ordinal] = False
        elif one.state in ("ready", "unready", "killed"):
            known[ordinal] = one.state == "ready"
        elif one.state == "terminating":
            assert one.reason != f"StatefulSet {one.workload}" or not leaving, f"going {leaving}: {one}"
            leaving.add(ordinal)
        elif one.state == "deleted":
            known.pop(ordinal, None)
            leaving.discard(ordinal)


def evictions_keep_the_budget(spec: ClusterSpec, trace: Trace) -> None:
    """8.5: when a ready pod is evicted, as many ready pods stay as the budget wants of what the controllers want."""
    rule = next((one for one in spec.budgets), None)
    live = next(one for one in spec.workloads if one.name == "web")
    if rule is None or rule.minimum is None:
        return
    wishes = [(0.0, live.replicas), *((one.t_s, one.to_replicas) for one in trace.scales if one.kind == "Deployment" and one.name == "web")]
    ready: set[str] = set()
    there: set[str] = set()
    for one in trace.pods:
        if one.workload != "web":
            continue
        there |= {one.pod} if one.state == "created" else set()
        if one.state == "terminating" and one.reason.startswith("evicted") and one.pod in ready:
            wish = [replicas for t_s, replicas in wishes if t_s <= one.t_s][-1]
            least = rule.minimum if isinstance(rule.minimum, int) else -(-wish * int(rule.minimum[:-1]) // 100)
            assert len(ready) - 1 >= least, f"{len(ready) - 1} of {least}: {one}"
        if one.state == "ready":
            ready.add(one.pod)
        elif one.state in ("unready", "killed", "terminating", "deleted"):
            ready.discard(one.pod)


def paused_deployments_create_no_set(trace: Trace) -> None:
    """3.3: while a Deployment is paused no rollout begins; what was under way in the first second may still end."""
    said = [(one.t_s, one.name, one.reason) for one in trace.events if one.kind == "Scenario" and one.reason in ("pause", "resume")]
    for one in trace.scales:
        if one.kind == "ReplicaSet" and one.from_replicas is None and one.t_s > 0:
            before = [(t_s, verb) for t_s, name, verb in said if name == one.owner and t_s <= one.t_s]
            paused = bool(before) and before[-1][1] == "pause"
            assert not paused or one.t_s < before[-1][0] + 1.0, one


def autoscalers_keep_their_bounds(spec: ClusterSpec, trace: Trace) -> None:
    """1.7, 1.8: no autoscaler writes a size outside its bounds."""
    bounds = {f"horizontal-pod-autoscaler {one.name}": (one.minimum, one.maximum) for one in spec.autoscalers}
    for one in trace.scales:
        low, high = bounds.get(one.by, (0, one.to_replicas))
        assert low <= one.to_replicas <= high, one


def proxies_know_only_what_runs(log: Sequence[tuple[float, str, str]], trace: Trace) -> None:
    """7: what is routed was started (or occupied), is unrouted once for each time, and is drained or killed only while it is there."""
    started: set[str] = set()
    routed: set[str] = set()
    for t_s, what, pod in log:
        if what == "start":
            started.add(pod)
        elif what == "route":
            assert pod in started and pod not in routed, f"{what} {pod} at {t_s}"
            routed.add(pod)
        elif what == "unroute":
            assert pod in routed, f"{what} {pod} at {t_s}"
            routed.discard(pod)
        elif what in ("drain", "kill", "lose", "probe", "set"):
            assert pod in started, f"{what} {pod} at {t_s}"
    ends = {one.pod: one.t_s if one.state == "deleted" else trace.horizon_s for one in trace.pods}
    late = sorted(pod for pod in routed if ends[pod] < trace.horizon_s - 10.0)
    assert not late, f"gone and still routed: {late}"


# ------------------------------------------------------------------ the end


def everything_has_finished(spec: ClusterSpec, trace: Trace) -> None:
    """3.5, 5.1, 5.2: every Deployment is one set of the wanted size, all available; other sets have the pods that they want, ready."""
    last = {one.workload: one for one in trace.statuses}
    for live in spec.workloads:
        status = last[live.name]
        if live.kind == "Deployment":
            rows = [one for one in sets_at(trace, trace.horizon_s) if one.owner == live.name and (one.desired or one.current)]
            wish = _wish(live, trace)
            assert [(one.desired, one.current, one.ready) for one in rows] == ([(wish, wish, wish)] if wish else []), (
                live.name,
                rows,
                wish,
            )
            assert (status.updated, status.ready, status.available) == (wish, wish, wish), (wish, status)
        else:
            wish = status.desired if live.kind == "DaemonSet" else _wish(live, trace)
            pods = _standing(trace, live.name)
            assert len(pods) == wish == sum(pods.values()), (live.name, wish, pods)


def _wish(live: Workload, trace: Trace) -> int:
    written = [one.to_replicas for one in trace.scales if one.kind == live.kind and one.name == live.name]
    return written[-1] if written else live.replicas


def _standing(trace: Trace, workload: str) -> Mapping[str, bool]:
    pods: dict[str, bool] = {}
    for one in trace.pods:
        if one.workload == workload:
            _stands(pods, one)
    return pods


def _stands(pods: dict[str, bool], one: PodRecord) -> None:
    if one.state == "created":
        pods[one.pod] = False
    elif one.state in ("deleted", "terminating"):
        pods.pop(one.pod, None)
    elif one.state in ("ready", "unready", "killed") and one.pod in pods:
        pods[one.pod] = one.state == "ready"


def ready_pods_never_fall_below(spec: ClusterSpec, trace: Trace) -> None:
    """3.2, of what users see: while nothing but rollouts happens, as many pods are ready as may not be missing (RollingUpdate)."""
    live = spec.workloads[0]
    view = DeploymentView(replicas=live.replicas, max_surge=live.max_surge, max_unavailable=live.max_unavailable)
    ready: set[str] = set()
    for one in trace.pods:
        if one.workload == live.name:
            if one.state == "ready":
                ready.add(one.pod)
            elif one.state in ("terminating", "unready", "killed", "deleted"):
                ready.discard(one.pod)
            assert one.t_s == 0 or len(ready) >= bounds(view)[1], f"{len(ready)} ready: {one}"
