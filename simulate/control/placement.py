"""Where the scheduler puts a pod: filter, score, choose; and whom it would displace (kubernetes-semantics.md 8.2 to 8.4).

Pure and exact, one pod at a time, over nodes that carry their pods. Randomness is an argument (`draw`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from simulate.control.placement_filter import Filter, Refusal
from simulate.control.placement_read import amounts, pod_of, pod_of_template
from simulate.control.placement_score import scores
from simulate.control.placement_view import NodeView, PodTerm, PodView, Spread, Taint, Toleration

__all__ = [
    "NodeView",
    "Placement",
    "PodTerm",
    "PodView",
    "Preemption",
    "Spread",
    "Taint",
    "Toleration",
    "amounts",
    "choose_node",
    "message_of",
    "pod_of",
    "pod_of_template",
    "preempt",
]

FEWEST_NODES = 100
LEAST_PERCENT = 5
NO_VICTIMS = "No preemption victims found for incoming pod"
NOT_HELPFUL = "Preemption is not helpful for scheduling"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The result for one pod. `node` None = unschedulable: then `refusals` has every node and `message` is that of the condition.

    `ties`: how many nodes shared the best score. `next_start`: where the next scan begins in a large cluster.
    """

    node: str | None
    message: str = ""
    refusals: Mapping[str, Refusal]
    ties: int = 0
    next_start: int = 0


def scan_limit(nodes: int) -> int:
    """How many possible nodes are enough (8.3): all below 100, then an adaptive share of at least 5 % and 100 nodes.

    >>> scan_limit(99), scan_limit(1000), scan_limit(5000), scan_limit(20000)
    (99, 420, 500, 1000)
    """
    if nodes < FEWEST_NODES:
        return nodes
    percent = max(LEAST_PERCENT, 50 - nodes // 125)
    return max(FEWEST_NODES, nodes * percent // 100)


def choose_node(pod: PodView, nodes: Sequence[NodeView], *, draw: float = 0.0, start: int = 0, change: bool = True) -> Placement:
    """The node for a pod, or why there is none.

    `draw` in [0, 1) picks among equally good nodes, in the order of the scan. `start`: the scan begins there (see `next_start`).
    `change`: the BalancedAllocation of 1.36 and later.

    >>> nodes = [NodeView("a", {"cpu": 1000, "memory": 2**30}), NodeView("b", {"cpu": 4000, "memory": 2**32})]
    >>> choose_node(PodView(name="p", requests={"cpu": 500}, score_cpu=500), nodes).node
    'b'
    """
    check = Filter(pod, nodes)
    feasible: list[NodeView] = []
    refusals: dict[str, Refusal] = {}
    wanted, seen = scan_limit(len(nodes)), 0
    for offset in range(len(nodes)):
        node = nodes[(start + offset) % len(nodes)]
        seen += 1
        refusal = check.refusal(node)
        if refusal is not None:
            refusals[node.name] = refusal
            continue
        feasible.append(node)
        if len(feasible) >= wanted:
            break
    after = (start + seen) % len(nodes) if nodes else 0
    if not feasible:
        return Placement(node=None, message=message_of(len(nodes), refusals, pod), refusals=refusals, next_start=after)
    if len(feasible) == 1:
        return Placement(node=feasible[0].name, refusals=refusals, ties=1, next_start=after)
    found = scores(pod, feasible, nodes, change=change)
    best = max(found)
    equal = [node.name for node, score in zip(feasible, found, strict=True) if score == best]
    return Placement(node=equal[int(draw * len(equal))], refusals=refusals, ties=len(equal), next_start=after)


def summary(total: int, reasons: Iterable[str]) -> str:
    """The counted reasons, sorted as text.

    >>> summary(3, ["Insufficient memory", "Insufficient cpu", "Insufficient cpu"])
    '0/3 nodes are available: 1 Insufficient memory, 2 Insufficient cpu.'
    """
    counts = sorted(f"{number} {reason}" for reason, number in Counter(reasons).items())
    return f"0/{total} nodes are available: {', '.join(counts)}." if counts else f"0/{total} nodes are available."


def message_of(total: int, refusals: Mapping[str, Refusal], pod: PodView | None = None, *, claims: bool = True) -> str:
    """The message of PodScheduled=False/Unschedulable when nobody can be displaced. `claims`: up to 1.36 it names resource claims."""
    why = summary(total, (reason for one in refusals.values() for reason in one.reasons))
    if total == 0:
        return "no nodes available to schedule pods"
    if pod is not None and not pod.preempts:
        return f"{why} preemption: not eligible due to preemptionPolicy=Never."
    prevented = summary(total, (NOT_HELPFUL if one.hopeless else NO_VICTIMS for one in refusals.values()))
    return f"{why}{' no new claims to deallocate,' if claims else ''} preemption: {prevented}"


# ------------------------------------------------------------------ preemption (8.4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preemption:
    """Pods to delete on a node so that a pod fits there; `violations` of them break a disruption budget."""

    node: str
    victims: tuple[PodView, ...]
    violations: int


def preempt(
    pod: PodView, nodes: Sequence[NodeView], refusals: Mapping[str, Refusal], budgets: Mapping[str, int] | None = None
) -> Preemption | None:
    """Whom to displace, after `choose_node` found no node. `budgets`: disruptions still allowed by each budget's name.

    Only pods of lower priority; None when that does not help anywhere.
    """
    if not pod.preempts:
        return None
    found = []
    for index, node in enumerate(nodes):
        if node.name in refusals and not refusals[node.name].hopeless:
            candidate = _displaced(pod, index, nodes, budgets or {})
            if candidate is not None:
                found.append(candidate)
    return min(found, key=_cost) if found else None


def _fits(pod: PodView, index: int, nodes: Sequence[NodeView], changed: NodeView) -> bool:
    cluster = [*nodes[:index], changed, *nodes[index + 1 :]]
    return Filter(pod, cluster).refusal(changed) is None


def _displaced(pod: PodView, index: int, nodes: Sequence[NodeView], budgets: Mapping[str, int]) -> Preemption | None:
    node = nodes[index]
    lower = [other for other in node.pods.values() if other.priority < pod.priority]
    if not lower:
        return None
    bare = node.without(lower)
    if not _fits(pod, index, nodes, bare):
        return None
    lower.sort(key=lambda other: (-other.priority, other.start_s, other.name))
    left = dict(budgets)
    breaking: list[PodView] = []
    harmless: list[PodView] = []
    for other in lower:
        named = [name for name in other.budgets if name in left]
        for name in named:
            left[name] -= 1
        (breaking if any(left[name] < 0 for name in named) else harmless).append(other)
    victims, violations = [], 0
    for group in (breaking, harmless):
        for other in group:
            bare.add(other)
            if not _fits(pod, index, nodes, bare):
                bare.remove(other)
                victims.append(other)
                violations += group is breaking
    victims.sort(key=lambda other: (-other.priority, other.start_s, other.name))
    return Preemption(node=node.name, victims=tuple(victims), violations=violations)


def _cost(candidate: Preemption) -> tuple[float, ...]:
    """Smaller is better: violations, highest priority, sum of priorities, number of victims, then the latest start."""
    priorities = [victim.priority for victim in candidate.victims]
    if not priorities:
        return (candidate.violations, float("-inf"), 0, 0, 0.0)
    highest = max(priorities)
    earliest = min(victim.start_s for victim in candidate.victims if victim.priority == highest)
    return (candidate.violations, highest, sum(one + 2**31 for one in priorities), len(priorities), -earliest)
