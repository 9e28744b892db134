"""What the Cluster Autoscaler decides (kubernetes-semantics.md 9.1): how many nodes of which pool to add, which to take away. Pure.

It looks at requests only and fits pods by the scheduler's filters, without its scores. Nodes that are requested and not there yet
count as room. What it does not do: expanders other than least-waste, price, back-off of a pool whose nodes do not come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from simulate.control.placement import NodeView, PodView
from simulate.control.placement_filter import Filter
from simulate.control.placement_view import HOST

SCAN_S = 10.0
UNNEEDED_S = 600.0
AFTER_ADD_S = 600.0
EVICTION_RETRY_S = 120.0
UTILIZATION = 0.5
"""Scan interval, how long a node must be unneeded, how long nothing is removed after an addition, when a refused
eviction is tried again, and below which share of requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A pool of nodes: its bounds, how many there are (requested ones too), and an empty node as they come."""

    name: str
    size: int
    minimum: int
    maximum: int
    template: NodeView


class Addition(NamedTuple):
    """So many more nodes of a pool."""

    group: str
    nodes: int


def fits(pod: PodView, node: NodeView, cluster: Sequence[NodeView]) -> bool:
    """Whether the scheduler's filters let the pod on this node of the cluster."""
    return Filter(pod, cluster).refusal(node) is None


def copy(node: NodeView, name: str | None = None, *, empty: bool = False) -> NodeView:
    """A node that can be filled without changing the given one."""
    own = name or node.name
    return NodeView(
        own,
        node.allocatable,
        labels={**node.labels, HOST: own},
        taints=node.taints,
        unschedulable=node.unschedulable,
        pods=() if empty else node.pods.values(),
        images=node.images,
    )


def left_over(pending: Sequence[PodView], cluster: list[NodeView]) -> list[PodView]:
    """Pods that no node has room for, the others placed on the way (first fit, in the order given)."""
    rest = []
    for pod in pending:
        node = next((one for one in cluster if fits(pod, one, cluster)), None)
        if node is None:
            rest.append(pod)
        else:
            node.add(pod)
    return rest


def packed(pending: Sequence[PodView], cluster: Sequence[NodeView], group: Group) -> tuple[list[NodeView], int]:
    """(new nodes, pods that found room) when a group grows as far as it may; the largest pods first."""
    room = group.maximum - group.size
    added: list[NodeView] = []
    placed = 0
    for pod in sorted(pending, key=lambda p: (-p.requests.get("cpu", 0), -p.requests.get("memory", 0), p.name)):
        everything = [*cluster, *added]
        node = next((one for one in added if fits(pod, one, everything)), None)
        if node is None and len(added) < room:
            fresh = copy(group.template, f"{group.name}-new-{len(added)}", empty=True)
            if fits(pod, fresh, [*everything, fresh]):
                added.append(fresh)
                node = fresh
        if node is not None:
            node.add(pod)
            placed += 1
    return added, placed


def waste(added: Sequence[NodeView]) -> float:
    """Mean share of cpu and memory that new nodes would leave unrequested."""
    shares = []
    for resource in ("cpu", "memory"):
        total = sum(node.allocatable.get(resource, 0) for node in added)
        if total:
            shares.append(1 - sum(node.used.get(resource, 0) for node in added) / total)
    return sum(shares) / len(shares) if shares else 0.0


def scale_up(pending: Sequence[PodView], cluster: Sequence[NodeView], groups: Sequence[Group]) -> Addition | None:
    """Nodes to add for pods judged unschedulable: of the groups that help, the one that wastes least (then helps most, then by name).

    `cluster` are the nodes that are there or requested.
    """
    rest = left_over(pending, [copy(node) for node in cluster])
    options = []
    for group in groups:
        added, placed = packed(rest, cluster, group)
        if added:
            options.append((waste(added), -placed, group.name, len(added)))
    if not options:
        return None
    _, _, name, count = min(options)
    return Addition(name, count)


def utilization(node: NodeView) -> float:
    """The larger share of cpu and memory that is requested."""
    shares = [node.used.get(key, 0) / node.allocatable[key] for key in ("cpu", "memory") if node.allocatable.get(key)]
    return max(shares, default=0.0)


def removable(node: NodeView, cluster: Sequence[NodeView], staying: frozenset[str] = frozenset()) -> bool:
    """Whether a node is unneeded: less than half of it is requested, and each of its pods (but `staying`) fits elsewhere."""
    if utilization(node) >= UTILIZATION:
        return False
    others = [copy(one) for one in cluster if one.name != node.name and not one.unschedulable]
    moving = [pod for key, pod in node.pods.items() if key not in staying and not pod.terminating]
    return not left_over(moving, others)


def scale_down(unneeded_since_s: Mapping[str, float], spare: Mapping[str, int], pool_of: Mapping[str, str], now_s: float) -> list[str]:
    """Nodes that have been unneeded long enough, the longest first, within what each pool can spare; one a scan."""
    due = sorted((since, name) for name, since in unneeded_since_s.items() if now_s - since >= UNNEEDED_S)
    return [name for _, name in due if spare.get(pool_of[name], 0) > 0][:1]
