"""Which of the possible nodes is best: the scheduler's scores and weights (kubernetes-semantics.md 8.3).

Scores are whole numbers 0 to 100; truncations are the scheduler's own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from simulate.control.placement_filter import Counting, eligible
from simulate.control.placement_view import HOST, ZONE, Amounts, NodeView, PodTerm, PodView, Spread

LARGEST = 100
CORE_RESOURCES = ("cpu", "memory", "ephemeral-storage", "pods")
IMAGE_LEAST = 23 * 2**20
IMAGE_MOST = 1000 * 2**20
HARD_AFFINITY_WEIGHT = 1

WEIGHTS: Mapping[str, int] = {
    "TaintToleration": 3,
    "NodeAffinity": 2,
    "PodTopologySpread": 2,
    "InterPodAffinity": 2,
    "NodeResourcesFit": 1,
    "BalancedAllocation": 1,
    "ImageLocality": 1,
}
"""The default weights of the scores."""


def extended(resource: str) -> bool:
    """Whether a resource is neither cpu, memory nor storage; such a one counts only for pods that request it."""
    return resource not in CORE_RESOURCES


def least_allocated(allocatable: Amounts, used: Amounts, asked: Amounts, weights: Mapping[str, int]) -> int:
    """LeastAllocated: the weighted mean of the share of each resource that stays free with the pod.

    >>> least_allocated({"cpu": 4000, "memory": 10000}, {}, {"cpu": 3000, "memory": 5000}, {"cpu": 1, "memory": 1})
    37
    """
    total = weight_sum = 0
    for resource, weight in weights.items():
        room = allocatable.get(resource, 0)
        if room == 0 or (extended(resource) and not asked.get(resource, 0)):
            continue
        taken = used.get(resource, 0) + asked.get(resource, 0)
        total += 0 if taken > room else (room - taken) * LARGEST // room * weight
        weight_sum += weight
    return total // weight_sum if weight_sum else 0


def balance(allocatable: Amounts, used: Amounts, resources: Sequence[str], asked: Amounts) -> int:
    """How evenly the resources are used: 100 when the shares are equal. `asked` decides which extended resources count."""
    shares = [
        min(1.0, used.get(resource, 0) / allocatable[resource])
        for resource in resources
        if allocatable.get(resource, 0) and not (extended(resource) and not asked.get(resource, 0))
    ]
    if len(shares) == 2:
        spread = abs((shares[0] - shares[1]) / 2)
    elif len(shares) > 2:
        mean = sum(shares) / len(shares)
        spread = math.sqrt(sum((share - mean) ** 2 for share in shares) / len(shares))
    else:
        spread = 0.0
    return int((1 - spread) * LARGEST)


def balanced_allocation(
    allocatable: Amounts, used: Amounts, asked: Amounts, resources: Sequence[str] = ("cpu", "memory"), *, change: bool = True
) -> int | None:
    """BalancedAllocation; None = not applied. `change`: since 1.36 the change of the balance counts, before it was the balance.

    >>> room, asked = {"cpu": 4000, "memory": 10000}, {"cpu": 3000, "memory": 5000}
    >>> balanced_allocation(room, {}, asked), balanced_allocation(room, {}, asked, change=False)
    (68, 87)
    """
    both = {key: used.get(key, 0) + asked.get(key, 0) for key in (*used, *asked)}
    after = balance(allocatable, both, resources, asked)
    if not change:
        return after
    if not any(asked.values()):
        return None
    return 50 + int((50 + after - balance(allocatable, used, resources, asked)) / 2)


def image_locality(pod: PodView, node: NodeView, holders: Mapping[str, int], nodes: int) -> int:
    """ImageLocality: bytes of the pod's images that are already there, each weighed by the share of nodes that have it."""
    found = sum(int(node.images[image] * (holders[image] / nodes)) for image in pod.images if image in node.images)
    most = IMAGE_MOST * max(1, len(pod.images))
    return LARGEST * (min(max(found, IMAGE_LEAST), most) - IMAGE_LEAST) // (most - IMAGE_LEAST)


def normalized(scores: Sequence[int], *, reverse: bool = False) -> list[int]:
    """Scale so that the largest is 100; `reverse`: the smallest is best."""
    largest = max(scores, default=0)
    if largest == 0:
        return [LARGEST if reverse else score for score in scores]
    scaled = [LARGEST * score // largest for score in scores]
    return [LARGEST - score for score in scaled] if reverse else scaled


def taint_toleration(pod: PodView, nodes: Sequence[NodeView]) -> list[int]:
    """TaintToleration: fewer untolerated PreferNoSchedule taints are better."""
    counts = [sum(taint.effect == "PreferNoSchedule" and not pod.tolerates(taint) for taint in node.taints) for node in nodes]
    return normalized(counts, reverse=True)


def node_affinity(pod: PodView, nodes: Sequence[NodeView]) -> list[int]:
    """NodeAffinity: the weights of the preferences that a node satisfies."""
    return normalized([sum(term.weight for term in pod.preferred_nodes if term.matches(node)) for node in nodes])


def soft_spreads(pod: PodView) -> tuple[tuple[Spread, ...], bool]:
    """(soft constraints, whether a node must have all their keys): the pod's own, or the defaults when it has none at all."""
    if pod.spread:
        return tuple(one for one in pod.spread if not one.required), True
    if pod.default_selector is None or not pod.default_selector.requirements:
        return (), False
    common = {"required": False, "selector": pod.default_selector}
    return (Spread(topology=HOST, skew=3, **common), Spread(topology=ZONE, skew=5, **common)), False  # type: ignore[arg-type]


def topology_spread(pod: PodView, feasible: Sequence[NodeView], nodes: Sequence[NodeView]) -> list[int] | None:
    """PodTopologySpread: domains with fewer of the counted pods are better; None = not applied."""
    spreads, strict = soft_spreads(pod)
    if not spreads:
        return None

    def ignored(node: NodeView) -> bool:
        return strict and any(one.topology not in node.labels for one in spreads)

    countings = [Counting(pod.namespace, one.selector) for one in spreads]
    taking = [node for node in feasible if not ignored(node)]
    domains = [dict.fromkeys((node.labels[one.topology] for node in taking if one.topology in node.labels), 0) for one in spreads]
    for node in nodes:
        if ignored(node):
            continue
        for one, counts, counting in zip(spreads, domains, countings, strict=True):
            value = node.labels.get(one.topology)
            if one.topology != HOST and value in counts and eligible(pod, one, node):
                counts[value] += counting.of(node)
    sizes = [len(taking) if one.topology == HOST else len(counts) for one, counts in zip(spreads, domains, strict=True)]
    raw: list[int | None] = []
    for node in feasible:
        if ignored(node):
            raw.append(None)
            continue
        score = 0.0
        for one, counts, counting, size in zip(spreads, domains, countings, sizes, strict=True):
            if one.topology in node.labels:
                number = counting.of(node) if one.topology == HOST else counts[node.labels[one.topology]]
                score += number * math.log(size + 2) + (one.skew - 1)
        raw.append(math.floor(score + 0.5))
    return _spread_normalized(raw)


def _spread_normalized(raw: Sequence[int | None]) -> list[int]:
    known = [score for score in raw if score is not None]
    least, most = min(known, default=0), max(known, default=0)
    return [0 if score is None else LARGEST if most == 0 else LARGEST * (most + least - score) // most for score in raw]


def pod_affinity(pod: PodView, feasible: Sequence[NodeView], nodes: Sequence[NodeView]) -> list[int] | None:
    """InterPodAffinity: preferences of this pod for others and of others for this pod; None = nobody has any."""
    points: dict[tuple[str, str], int] = {}

    def add(terms: Sequence[PodTerm], owner: PodView, other: PodView, node: NodeView, factor: int, weight: int | None = None) -> None:
        for term in terms:
            value = node.labels.get(term.topology)
            if value is not None and term.selects(owner, other):
                pair = (term.topology, value)
                points[pair] = points.get(pair, 0) + factor * (term.weight if weight is None else weight)

    wishes = bool(pod.preferred_affinity or pod.preferred_anti_affinity)
    for node in nodes:
        for other in node.pods.values() if wishes else ():
            add(pod.preferred_affinity, pod, other, node, 1)
            add(pod.preferred_anti_affinity, pod, other, node, -1)
        for other in node.termed.values():
            add(other.affinity, other, pod, node, 1, HARD_AFFINITY_WEIGHT)
            add(other.preferred_affinity, other, pod, node, 1)
            add(other.preferred_anti_affinity, other, pod, node, -1)
    if not points:
        return None
    raw = [sum(points.get(pair, 0) for pair in node.labels.items()) for node in feasible]
    least, most = min(raw), max(raw)
    return [int(LARGEST * ((score - least) / (most - least))) if most > least else 0 for score in raw]


def scores(pod: PodView, feasible: Sequence[NodeView], nodes: Sequence[NodeView], *, change: bool = True) -> list[int]:
    """The weighted sums for the possible nodes; `nodes` is the whole cluster."""
    holders = {image: sum(image in node.images for node in nodes) for image in pod.images}
    asked = {"cpu": pod.score_cpu, "memory": pod.score_memory}
    extra = [pod_affinity(pod, feasible, nodes), topology_spread(pod, feasible, nodes)]
    parts = {
        "InterPodAffinity": extra[0],
        "PodTopologySpread": extra[1],
        "TaintToleration": taint_toleration(pod, feasible),
        "NodeAffinity": node_affinity(pod, feasible) if pod.preferred_nodes else None,
    }
    result = []
    for i, node in enumerate(feasible):
        used = {"cpu": node.score_cpu, "memory": node.score_memory}
        value = WEIGHTS["NodeResourcesFit"] * least_allocated(node.allocatable, used, asked, {"cpu": 1, "memory": 1})
        value += WEIGHTS["BalancedAllocation"] * (balanced_allocation(node.allocatable, node.used, pod.requests, change=change) or 0)
        if any(holders.values()):
            value += WEIGHTS["ImageLocality"] * image_locality(pod, node, holders, len(nodes))
        result.append(value + sum(WEIGHTS[name] * part[i] for name, part in parts.items() if part is not None))
    return result
