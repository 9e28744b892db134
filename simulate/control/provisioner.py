"""Which single nodes a Karpenter-like provisioner buys for the pods that wait: packed, then the cheapest size for each pack. Pure.

Differs from the Cluster Autoscaler: no groups that grow by equal nodes, but one decision per node over all offered sizes; several sizes
at once; no scan interval but a short batch window. What it gives back: `consolidation`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from simulate.control.nodes import copy
from simulate.control.packing import Packing
from simulate.control.placement import NodeView, PodView
from simulate.control.placement_view import HOST, ZONE

UNAVAILABLE_S = 180.0
"""A size that the provider did not have in a zone is not asked for again for so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One size of node that a provisioner may buy: its price, and an empty node of it with the pods that DaemonSets bring."""

    name: str
    price: float
    template: NodeView


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What one provisioner may still buy: sizes, zones (empty = one nameless zone), and what its limits leave (None = no bound).

    `missing`: (size, zone) that the provider did not have lately. `present`: its nodes by zone, for spreading them.
    """

    name: str
    sizes: tuple[Size, ...]
    weight: int = 0
    zones: tuple[str, ...] = ()
    nodes_left: int = 100
    cpu_left: int | None = None
    memory_left: int | None = None
    missing: frozenset[tuple[str, str]] = frozenset()
    present: Mapping[str, int] = field(default_factory=dict)


class Launch(NamedTuple):
    """A node to buy: of this size, in this zone ("" = none was offered), for these pods."""

    provisioner: str
    size: str
    zone: str
    pods: tuple[str, ...]
    price: float


class Plan(NamedTuple):
    """Nodes to buy; pods that go to nodes that are there or to come, by node; pods for which nothing helps, with the reason."""

    launches: tuple[Launch, ...]
    placed: Mapping[str, tuple[str, ...]]
    left: Mapping[str, str]


class _Claim:
    """A node in the making: the sizes that still hold everything in it. Machinery of one plan."""

    def __init__(self, offer: Offer, zone: str, sizes: Sequence[tuple[Size, NodeView]]) -> None:
        self.offer, self.zone, self.sizes = offer, zone, list(sizes)
        self.pods: list[PodView] = []

    @property
    def view(self) -> NodeView:
        """Any of its nodes: they differ in size only."""
        return self.sizes[0][1]

    def take(self, pod: PodView, packing: Packing, others: Sequence[NodeView]) -> bool:
        """Add a pod if at least one size holds it then; sizes that do not are dropped. `others` are in the making, too."""
        kept = [(size, node) for size, node in self.sizes if packing.check(pod, *others, node)(node) is None]
        if not kept:
            return False
        for _, node in kept:
            packing.add(node, pod)
        self.sizes = kept
        self.pods.append(pod)
        return True

    def cheapest(self) -> Size:
        """By price, then by name."""
        return min((size for size, _ in self.sizes), key=lambda one: (one.price, one.name))


@dataclass(slots=True)
class _Left:
    """What a provisioner's limits leave during one plan."""

    nodes: int
    cpu: int | None
    memory: int | None

    def allows(self, node: NodeView) -> bool:
        own = node.allocatable
        return self.nodes > 0 and all(
            bound is None or own.get(key, 0) <= bound for key, bound in (("cpu", self.cpu), ("memory", self.memory))
        )

    def spend(self, nodes: Sequence[NodeView]) -> None:
        """Of a claim whose size is still open the largest counts."""
        self.nodes -= 1
        if self.cpu is not None:
            self.cpu -= max(node.allocatable.get("cpu", 0) for node in nodes)
        if self.memory is not None:
            self.memory -= max(node.allocatable.get("memory", 0) for node in nodes)


def plan(pending: Sequence[PodView], cluster: Sequence[NodeView], offers: Sequence[Offer]) -> Plan:
    """What to buy so that the waiting pods fit. The largest pods first; each goes to a node that is there or to come, else to the emptiest
    node in the making, else to a new one of the provisioner with the most weight whose sizes, zones and limits allow it.
    """
    packing = Packing([*(copy(node) for node in cluster), *_domains(offers)])
    claims: list[_Claim] = []
    left = {offer.name: _Left(offer.nodes_left, offer.cpu_left, offer.memory_left) for offer in offers}
    placed: dict[str, list[str]] = {}
    without: dict[str, str] = {}
    for pod in sorted(pending, key=lambda one: (-one.requests.get("cpu", 0), -one.requests.get("memory", 0), one.start_s, one.name)):
        node = packing.place(pod, *(claim.view for claim in claims))
        if node is not None:
            placed.setdefault(node.name, []).append(pod.name)
        elif not _join(pod, claims, packing):
            made, reason = _open(pod, claims, packing, offers, left)
            claims += made
            if not made:
                without[pod.name] = reason
    return Plan(tuple(map(_launch, claims)), {name: tuple(pods) for name, pods in placed.items()}, without)


def _domains(offers: Sequence[Offer]) -> list[NodeView]:
    """A node without any room in every zone that is offered: pods are spread over zones in which there is no node yet, too."""
    found = []
    for offer in offers:
        for zone in offer.zones if offer.sizes else ():
            labels = {**offer.sizes[0].template.labels, ZONE: zone, HOST: f"{offer.name}-in-{zone}"}
            found.append(NodeView(f"{offer.name}-in-{zone}", {"pods": 0}, labels=labels, taints=offer.sizes[0].template.taints))
    return found


def _launch(claim: _Claim) -> Launch:
    size = claim.cheapest()
    return Launch(claim.offer.name, size.name, claim.zone, tuple(pod.name for pod in claim.pods), size.price)


def _join(pod: PodView, claims: Sequence[_Claim], packing: Packing) -> bool:
    """Into a node in the making: the one with the fewest pods first."""
    ordered = sorted(claims, key=lambda one: len(one.pods))
    return any(claim.take(pod, packing, [one.view for one in claims if one is not claim]) for claim in ordered)


def _open(
    pod: PodView, claims: Sequence[_Claim], packing: Packing, offers: Sequence[Offer], left: Mapping[str, _Left]
) -> tuple[list[_Claim], str]:
    """A new node for a pod that fits nowhere, or why there can be none."""
    others = [claim.view for claim in claims]
    reason = "no provisioner has a size that the pod fits on"
    for offer in sorted(offers, key=lambda one: (-one.weight, one.name)):
        for zone in _zones(offer, claims):
            number = len(claims)
            fresh = [
                (size, copy(size.template, f"{offer.name}-claim-{number}", zone or None))
                for size in offer.sizes
                if (size.name, zone) not in offer.missing
            ]
            allowed = [(size, node) for size, node in fresh if left[offer.name].allows(node)]
            claim = _Claim(offer, zone, allowed)
            if allowed and claim.take(pod, packing, others):
                left[offer.name].spend([node for _, node in claim.sizes])
                return [claim], ""
            if len(allowed) < len(fresh) and _Claim(offer, zone, fresh).take(pod, packing, others):
                reason = f"the limits of {offer.name} are reached"
    return [], reason


def _zones(offer: Offer, claims: Sequence[_Claim]) -> list[str]:
    """Zones to try: the one with the fewest of the provisioner's nodes first."""
    if not offer.zones:
        return [""]
    made = [claim.zone for claim in claims if claim.offer.name == offer.name]
    return sorted(offer.zones, key=lambda zone: (offer.present.get(zone, 0) + made.count(zone), offer.zones.index(zone)))


def budget(nodes: int | str, total: int, troubled: int) -> int:
    """How many more nodes may be disrupted: a number, or a share of the provisioner's nodes rounded up, less those in trouble already.

    >>> [budget("10%", total, 0) for total in (0, 1, 10, 11)], budget(3, 10, 1), budget("100%", 4, 9)
    ([0, 1, 1, 2], 2, 0)
    """
    bound = -(-int(nodes[:-1]) * total // 100) if isinstance(nodes, str) else nodes
    return max(0, bound - troubled)


def zone_of(node: NodeView) -> str:
    """The zone of a node, "" without one."""
    return node.labels.get(ZONE, "")


def batch_over(first_s: float, last_s: float, now_s: float, idle_s: float, most_s: float) -> bool:
    """Whether a batch of waiting pods is complete: nothing new for `batch-idle-duration`, or `batch-max-duration` since the first.

    >>> batch_over(0.0, 0.5, 1.4, 1.0, 10.0), batch_over(0.0, 0.5, 1.5, 1.0, 10.0), batch_over(0.0, 9.9, 10.0, 1.0, 10.0)
    (False, True, True)
    """
    return now_s - last_s >= idle_s - 1e-9 or now_s - first_s >= most_s - 1e-9
