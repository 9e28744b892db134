"""On which nodes a pod may run: the scheduler's filters in their order, and why not (kubernetes-semantics.md 8.2).

For one pod `Filter` reads the whole cluster once (spread counts, affinity counts) and is then asked node by node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from simulate.control.labels import Selector
from simulate.control.placement_view import Group, NodeView, PodTerm, PodView, Spread, Taint

UNSCHEDULABLE = "node(s) were unschedulable"
NODE_NAME = "node(s) didn't match the requested node name"
TAINTED = "node(s) had untolerated taint(s)"
NODE_AFFINITY = "node(s) didn't match Pod's node affinity/selector"
PORTS = "node(s) didn't have free ports for the requested pod ports"
TOO_MANY = "Too many pods"
SPREAD = "node(s) didn't match pod topology spread constraints"
SPREAD_LABEL = "node(s) didn't match pod topology spread constraints (missing required label)"
AFFINITY = "node(s) didn't match pod affinity rules"
ANTI_AFFINITY = "node(s) didn't match pod anti-affinity rules"
EXISTING_ANTI = "node(s) didn't satisfy existing pods anti-affinity rules"

CORDONED = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")

Pair = tuple[str, str]


class Refusal(NamedTuple):
    """Why a node is out. `hopeless`: removing pods from it would not help."""

    reasons: tuple[str, ...]
    hopeless: bool


def lacking(pod: PodView, node: NodeView) -> Refusal | None:
    """NodeResourcesFit: too many pods, or a request that does not fit beside the others'."""
    reasons = [TOO_MANY] if len(node.pods) + 1 > node.allocatable["pods"] else []
    hopeless = False
    for resource, asked in pod.requests.items():
        room = node.allocatable.get(resource, 0)
        if asked > 0 and asked > room - node.used.get(resource, 0):
            reasons.append(f"Insufficient {resource}")
            hopeless = hopeless or asked > room
    return Refusal(tuple(reasons), hopeless) if reasons else None


def ports_conflict(pod: PodView, others: Iterable[PodView]) -> bool:
    """Whether a host port is taken: same protocol and port, and the same address or one of them every address."""
    return any(
        protocol == other_protocol and port == other_port and (host == other_host or "" in (host, other_host))
        for host, protocol, port in pod.ports
        for other in others
        for other_host, other_protocol, other_port in other.ports
    )


def untolerated(pod: PodView, node: NodeView) -> bool:
    """Whether a taint of the node keeps the pod out."""
    return any(taint.effect in ("NoSchedule", "NoExecute") and not pod.tolerates(taint) for taint in node.taints)


class Counting:
    """How many pods on a node a selector counts for spreading: of one namespace, selected, not terminating."""

    def __init__(self, namespace: str, selector: Selector | None) -> None:
        self._namespace = namespace
        self._selector = selector
        self._known: dict[Group, bool] = {}

    def of(self, node: NodeView) -> int:
        """The number on this node."""
        return sum(number for group, number in node.groups.items() if self.selects(group))

    def selects(self, group: Group) -> bool:
        """Whether pods of this namespace with these labels are counted."""
        found = self._known.get(group)
        if found is None:
            found = group[0] == self._namespace and self._selector is not None and self._selector.matches(dict(group[1]))
            self._known[group] = found
        return found


def eligible(pod: PodView, spread: Spread, node: NodeView) -> bool:
    """Whether a node takes part in a spread constraint."""
    if spread.honor_affinity and not pod.wants(node):
        return False
    return not (spread.honor_taints and untolerated(pod, node))


class Filter:
    """The filters for one pod over one state of the cluster."""

    def __init__(self, pod: PodView, nodes: Sequence[NodeView]) -> None:
        self.pod = pod
        self._spread = [one for one in pod.spread if one.required]
        self._domains = self._count_domains(nodes)
        self._forbidden = self._count_existing(nodes)
        self._affine: Counter[Pair] = Counter()
        self._anti: Counter[Pair] = Counter()
        if pod.affinity or pod.anti_affinity:
            self._count_own(nodes)

    def refusal(self, node: NodeView) -> Refusal | None:
        """None where the pod may run, else the first filter that says no."""
        pod = self.pod
        if node.unschedulable and not pod.tolerates(CORDONED):
            return Refusal((UNSCHEDULABLE,), True)
        if pod.node_name and pod.node_name != node.name:
            return Refusal((NODE_NAME,), True)
        if node.taints and untolerated(pod, node):
            return Refusal((TAINTED,), True)
        if (pod.node_selector or pod.node_terms is not None) and not pod.wants(node):
            return Refusal((NODE_AFFINITY,), True)
        if pod.ports and ports_conflict(pod, node.pods.values()):
            return Refusal((PORTS,), False)
        return lacking(pod, node) or self._unspread(node) or self._unaffine(node)

    # -- topology spread

    def _count_domains(self, nodes: Sequence[NodeView]) -> list[dict[str, int]]:
        result: list[dict[str, int]] = [{} for _ in self._spread]
        countings = [Counting(self.pod.namespace, one.selector) for one in self._spread]
        for node in nodes if self._spread else ():
            if any(one.topology not in node.labels for one in self._spread):
                continue
            for counts, one, counting in zip(result, self._spread, countings, strict=True):
                if eligible(self.pod, one, node):
                    value = node.labels[one.topology]
                    counts[value] = counts.get(value, 0) + counting.of(node)
        return result

    def _unspread(self, node: NodeView) -> Refusal | None:
        for one, counts in zip(self._spread, self._domains, strict=True):
            value = node.labels.get(one.topology)
            if value is None:
                return Refusal((SPREAD_LABEL,), True)
            least = min(counts.values(), default=0) if len(counts) >= one.minimum_domains else 0
            itself = one.selector is not None and one.selector.matches(self.pod.labels)
            if counts.get(value, 0) + itself - least > one.skew:
                return Refusal((SPREAD,), False)
        return None

    # -- pod affinity

    def _count_existing(self, nodes: Sequence[NodeView]) -> set[Pair]:
        """Domains that existing pods' required anti-affinity closes to this pod."""
        return {
            (term.topology, node.labels[term.topology])
            for node in nodes
            if node.termed
            for other in node.termed.values()
            for term in other.anti_affinity
            if term.topology in node.labels and term.selects(other, self.pod)
        }

    def _count_own(self, nodes: Sequence[NodeView]) -> None:
        for node in nodes:
            for other in node.pods.values():
                if self.pod.affinity and all(term.selects(self.pod, other) for term in self.pod.affinity):
                    self._affine.update(self._pairs(self.pod.affinity, node))
                self._anti.update(self._pairs((term for term in self.pod.anti_affinity if term.selects(self.pod, other)), node))

    @staticmethod
    def _pairs(terms: Iterable[PodTerm], node: NodeView) -> list[Pair]:
        return [(term.topology, node.labels[term.topology]) for term in terms if term.topology in node.labels]

    def _unaffine(self, node: NodeView) -> Refusal | None:
        pod = self.pod
        if pod.affinity and not self._near(node):
            return Refusal((AFFINITY,), True)
        if pod.anti_affinity and any(self._anti[pair] for pair in self._pairs(pod.anti_affinity, node)):
            return Refusal((ANTI_AFFINITY,), False)
        if self._forbidden and any((key, value) in self._forbidden for key, value in node.labels.items()):
            return Refusal((EXISTING_ANTI,), False)
        return None

    def _near(self, node: NodeView) -> bool:
        """Required affinity: in the domains of the wanted pods, or anywhere when there is none yet and the pod is of that kind itself."""
        pairs = self._pairs(self.pod.affinity, node)
        if len(pairs) < len(self.pod.affinity):
            return False
        if all(self._affine[pair] for pair in pairs):
            return True
        return not self._affine and all(term.selects(self.pod, self.pod) for term in self.pod.affinity)
