"""Evictions in motion: whoever empties a node asks the budgets, and asks again after a refusal (kubernetes-semantics.md 8.5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simulate.control import disruption
from simulate.control.disruption import Budget, BudgetStatus
from simulate.control.labels import Selector, from_object
from simulate.control.state import Cluster, Node, Pod
from simulate.spec import DisruptionBudget


@dataclass(frozen=True, slots=True, kw_only=True)
class Emptying:
    """How a node is emptied: why, the wait before each further try, and how long a pod may take to end at most (None = its own grace)."""

    reason: str
    retry_s: Callable[[int], float] = lambda tries: disruption.EVICTION_RETRY_S
    grace_max_s: float | None = None


class Evictions:
    """The eviction subresource and its callers: `kubectl drain`, the autoscalers of nodes, a spot instance that is called back."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._budgets = [(one, from_object(one.selector), _rule(one)) for one in cluster.spec.budgets]

    def empty(self, node: Node, how: Emptying) -> None:
        """Evict every pod of a cordoned node but those of DaemonSets, each again while its budget refuses.

        Ends for a pod with the pod, and when the node takes pods again.
        """
        for pod in list(node.pods.values()):
            if self._cluster.workloads[pod.workload].spec.kind != "DaemonSet":
                self._try(pod, node, how, 0)

    def _try(self, pod: Pod, node: Node, how: Emptying, tries: int) -> None:
        if pod.gone or pod.deleting_s is not None or not node.cordoned:
            return
        answer = self.ask(pod)
        if answer.code == 200:
            if how.grace_max_s is not None and pod.version.template.grace_s > how.grace_max_s:
                pod.grace_s = how.grace_max_s
            self._cluster.delete_pod(pod, how.reason)
            return
        if not tries:
            self._cluster.event("Pod", pod.name, "Warning", "EvictionRefused", answer.reason)
        self._cluster.clock.after(how.retry_s(tries), self._try, pod, node, how, tries + 1)

    def ask(self, pod: Pod) -> disruption.Eviction:
        """The answer to one eviction, from the budgets as they are now."""
        matching = [
            (rule, self._status(one, selector, rule))
            for one, selector, rule in self._budgets
            if selector is not None and self._selects(one, selector, pod)
        ]
        return disruption.evict(matching, phase=pod.phase, ready=pod.ready, terminating=pod.deleting_s is not None)

    def names(self, pod: Pod) -> tuple[str, ...]:
        """The budgets that count a pod, as NAMESPACE/NAME."""
        return tuple(f"{one.namespace}/{one.name}" for one, selector, _ in self._budgets if selector and self._selects(one, selector, pod))

    def allowed(self) -> dict[str, int]:
        """How many disruptions each budget still allows."""
        return {
            f"{one.namespace}/{one.name}": self._status(one, selector, rule).allowed for one, selector, rule in self._budgets if selector
        }

    def _selects(self, one: DisruptionBudget, selector: Selector, pod: Pod) -> bool:
        same = self._cluster.workloads[pod.workload].spec.namespace == one.namespace
        return same and selector.matches(pod.version.template.labels)

    def _status(self, one: DisruptionBudget, selector: Selector, rule: Budget) -> BudgetStatus:
        """A pod that was evicted is being deleted from the same moment on, so it needs no memory of its own. Bare pods have no owner."""
        pods = [pod for pod in self._cluster.pods.values() if self._selects(one, selector, pod)]
        owners = [live for key in dict.fromkeys(pod.workload for pod in pods) if not (live := self._cluster.workloads[key]).spec.bare]
        healthy = sum(pod.ready and pod.deleting_s is None for pod in pods)
        return disruption.status(rule, [live.replicas for live in owners], len(pods), healthy)


def _rule(one: DisruptionBudget) -> Budget:
    return Budget(minimum=one.minimum, maximum=one.maximum, policy=one.policy)
