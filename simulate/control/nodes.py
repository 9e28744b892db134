"""Which nodes the Cluster Autoscaler adds (kubernetes-semantics.md 9.1): groups, estimates, expanders, groups that failed. Pure.

It looks at requests only and fits pods by the scheduler's filters, without its scores. Nodes that are requested and not there yet
count as room. What it takes away: `nodes_down`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from simulate.control import daemonset
from simulate.control.packing import Packing
from simulate.control.placement import NodeView, PodView
from simulate.control.placement_filter import Filter
from simulate.control.placement_view import HOST, ZONE
from simulate.spec import NodeScaling


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A pool of nodes: its bounds, how many there are (requested ones too), and an empty node as they come (with its daemons).

    `zones`: those of the next nodes, in turn; empty = the template's own.
    """

    name: str
    size: int
    minimum: int
    maximum: int
    template: NodeView
    rank: int = 0
    zones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """What one group could do: so many nodes would take these pods."""

    group: Group
    nodes: int
    pods: tuple[PodView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """A group that could not be enlarged: not asked again before `until_s`; `lasting_s` is that wait, `failed_s` when it failed."""

    until_s: float
    lasting_s: float
    failed_s: float


def fits(pod: PodView, node: NodeView, cluster: Sequence[NodeView]) -> bool:
    """Whether the scheduler's filters let the pod on this node of the cluster."""
    return Filter(pod, cluster).refusal(node) is None


def copy(node: NodeView, name: str | None = None, zone: str | None = None) -> NodeView:
    """A node that can be filled without changing the given one."""
    own = name or node.name
    return NodeView(
        own,
        node.allocatable,
        labels={**node.labels, HOST: own, **({ZONE: zone} if zone else {})},
        taints=node.taints,
        unschedulable=node.unschedulable,
        pods=node.pods.values(),
        images=node.images,
    )


def without_expendable(node: NodeView, flags: NodeScaling) -> NodeView:
    """The node as the autoscaler sees it: pods below the priority cutoff take no room and hold nothing up."""
    gone = [pod for pod in node.pods.values() if pod.priority < flags.priority_cutoff]
    return node.without(gone) if gone else node


def helpable(pending: Sequence[tuple[PodView, float]], flags: NodeScaling, now_s: float) -> list[PodView]:
    """Of the pods judged unschedulable those that may trigger a scale-up; `pending` has the age-giving creation time of each.

    Pods below the priority cutoff never do, young ones not before `new-pod-scale-up-delay`.

    >>> young = PodView(name="p")
    >>> [len(helpable([(young, 0.0)], NodeScaling(new_pod_delay_s=30.0), now)) for now in (29.0, 30.0)]
    [0, 1]
    """
    return [pod for pod, born_s in pending if pod.priority >= flags.priority_cutoff and now_s - born_s >= flags.new_pod_delay_s]


def left_over(pending: Sequence[PodView], cluster: Sequence[NodeView]) -> list[PodView]:
    """Pods that no node has room for, the others placed on the way (first fit, in the order given): the nodes are changed."""
    packing = Packing(cluster)
    return [pod for pod in pending if packing.place(pod) is None]


# ------------------------------------------------------------------ how many nodes of one group


def size_score(pod: PodView, template: NodeView) -> float:
    """How large a pod is on this kind of node: its shares of cpu and memory together; the largest are packed first."""
    return sum(pod.requests.get(key, 0) / template.allocatable[key] for key in ("cpu", "memory") if template.allocatable.get(key))


def estimate(pending: Sequence[PodView], cluster: Sequence[NodeView], group: Group, room: int) -> Option:
    """First fit decreasing over new nodes of the group, at most `room` of them; pods that an empty node refuses are left out."""
    added = Packing((), cluster)
    placed: list[PodView] = []
    for pod in sorted(pending, key=lambda one: (-size_score(one, group.template), one.name)):
        node = added.place(pod)
        if node is None and len(added.nodes) < room:
            zone = group.zones[len(added.nodes) % len(group.zones)] if group.zones else None
            fresh = copy(group.template, f"{group.name}-new-{len(added.nodes)}", zone)
            if added.check(pod, fresh)(fresh) is None:
                added.open(fresh)
                added.add(fresh, pod)
                node = fresh
        if node is not None:
            placed.append(pod)
    return Option(group=group, nodes=len(added.nodes), pods=tuple(placed))


def room_of(group: Group, total: int, flags: NodeScaling) -> int:
    """How many nodes one scale-up may add: the group's maximum, `max-nodes-per-scaleup`, and `max-nodes-total` (0 = none).

    >>> group = Group(name="g", size=3, minimum=0, maximum=10, template=NodeView("t", {}))
    >>> [room_of(group, 3, flags) for flags in (NodeScaling(), NodeScaling(nodes_total=5), NodeScaling(nodes_per_scale_up=1))]
    [7, 2, 1]
    """
    bounds = [group.maximum - group.size, flags.nodes_per_scale_up]
    if flags.nodes_total:
        bounds.append(flags.nodes_total - total)
    return max(0, min(bounds))


# ------------------------------------------------------------------ expanders


def waste(option: Option) -> float:
    """Shares of cpu and memory of the new nodes that the pods would leave, added up.

    >>> group = Group(name="g", size=0, minimum=0, maximum=1, template=NodeView("t", {"cpu": 1000, "memory": 1000}))
    >>> waste(Option(group=group, nodes=1, pods=(PodView(name="p", requests={"cpu": 750, "memory": 500}),)))
    0.75
    """
    shares = 0.0
    for resource in ("cpu", "memory"):
        total = option.nodes * option.group.template.allocatable.get(resource, 0)
        if total:
            shares += 1 - sum(pod.requests.get(resource, 0) for pod in option.pods) / total
    return shares


EXPANDERS: Mapping[str, Callable[[Option], float]] = {
    "random": lambda option: 0.0,
    "most-pods": lambda option: -len(option.pods),
    "least-waste": waste,
    "least-nodes": lambda option: option.nodes,
    "priority": lambda option: -option.group.rank,
}
"""What each expander makes smallest; the options that share the smallest value stay for the next one."""


def choose(options: Sequence[Option], expanders: Sequence[str], draw: float = 0.0) -> Option | None:
    """The option that the chain of expanders leaves; among what is equal to all of them one is drawn (`draw` in [0, 1))."""
    best = sorted(options, key=lambda option: option.group.name)
    for name in expanders:
        values = [EXPANDERS[name](option) for option in best]
        best = [option for option, value in zip(best, values, strict=True) if value == min(values)]
    return best[int(draw * len(best))] if best else None


def scale_up(
    pending: Sequence[PodView], cluster: Sequence[NodeView], groups: Sequence[Group], flags: NodeScaling | None = None, draw: float = 0.0
) -> Option | None:
    """Nodes to add for pods judged unschedulable: one group a scan. `cluster` are the nodes that are there or requested.

    `groups` are those that may grow: neither backed off nor full of nodes that are not ready.
    """
    flags = flags or NodeScaling()
    rest = left_over(pending, [copy(node) for node in cluster])
    total = len(cluster)
    options = [estimate(rest, cluster, group, room_of(group, total, flags)) for group in groups] if rest else []
    return choose([option for option in options if option.nodes and option.pods], flags.expander, draw)


# ------------------------------------------------------------------ what failed

FULL, RESTING, UNWELL = "max node group size reached", "in backoff after failed scale-up", "not ready for scale-up"
"""Why a group is not even asked."""


def why_not(pod: PodView, groups: Sequence[Group], closed: Mapping[str, str]) -> str:
    """What the autoscaler tells of a pod that no group can help: reasons counted over the groups; `closed` are those not asked.

    >>> group = Group(name="g", size=1, minimum=0, maximum=2, template=NodeView("t", {"cpu": 500}))
    >>> why_not(PodView(name="p", requests={"cpu": 800}), [group], {"h": FULL})
    "pod didn't trigger scale-up: 1 Insufficient cpu, 1 max node group size reached"
    """
    reasons = list(closed.values())
    for group in groups:
        refusal = Filter(pod, [group.template]).refusal(group.template)
        reasons += refusal.reasons if refusal else ()
    counted = sorted(Counter(reasons).items())
    return "pod didn't trigger scale-up: " + ", ".join(f"{number} {reason}" for reason, number in counted)


def backed_off(before: Backoff | None, now_s: float, flags: NodeScaling) -> Backoff:
    """After a failed scale-up: 5 min, doubling to 30 min, from the start again when the last failure is 3 h old.

    >>> first = backed_off(None, 0.0, NodeScaling())
    >>> second = backed_off(first, 400.0, NodeScaling())
    >>> first.until_s, second.lasting_s, backed_off(second, 12000.0, NodeScaling()).lasting_s
    (300.0, 600.0, 300.0)
    """
    fresh = before is None or now_s - before.failed_s > flags.backoff_reset_s
    lasting_s = flags.backoff_initial_s if fresh or before is None else min(2 * before.lasting_s, flags.backoff_max_s)
    return Backoff(until_s=now_s + lasting_s, lasting_s=lasting_s, failed_s=now_s)


def healthy(ready: int, unready: int, flags: NodeScaling) -> bool:
    """Whether a cluster (or a group) is well enough to be changed: not both more than 45 % and more than 3 nodes unready.

    >>> [healthy(n, m, NodeScaling()) for n, m in ((1, 3), (4, 4), (6, 4))]
    [True, False, True]
    """
    total = ready + unready
    return unready <= flags.unready_count or 100.0 * unready <= flags.unready_percent * total


def template_of(node: NodeView, daemons: Sequence[PodView]) -> NodeView:
    """An empty node with the pods that DaemonSets would put on it."""
    view = copy(node)
    for pod in daemons:
        if daemonset.place(pod, view).runs:
            view.add(replace(pod, name=f"{pod.name}-{node.name}"))
    return view
