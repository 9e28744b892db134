"""The scheduler: one pod at a time from its queue to a node, or to the waiting room until something changes (8.1)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from simulate.control.state import Cluster, Pod, after

RETRY_S = 300.0
"""A pod judged unschedulable is tried again after so long even if nothing has happened."""

Choose = Callable[[Pod], tuple[str | None, str]]
"""(node, "") or (None, the message of the PodScheduled condition)."""


class SchedulerLoop:
    """Woken by new pods; pods that did not fit are woken by pods that go and by nodes that come."""

    def __init__(self, cluster: Cluster, choose: Choose) -> None:
        self._cluster = cluster
        self._choose = choose
        self._control = cluster.spec.control
        self._active: deque[Pod] = deque()
        self._parked: dict[str, Pod] = {}
        self._busy = False
        cluster.on_pod.append(self._pod_changed)
        cluster.on_node.append(lambda node: self._wake())

    def settle(self, pod: Pod) -> bool:
        """Bind a pod at once, before the run begins; whether it fitted."""
        node, message = self._choose(pod)
        if node is None:
            self._judge(pod, message)
            return False
        self._cluster.bind(pod, self._cluster.nodes[node], settled=True)
        return True

    def unschedulable(self) -> list[Pod]:
        """Pods that were judged and wait."""
        return list(self._parked.values())

    def _pod_changed(self, pod: Pod, state: str) -> None:
        if state == "created" and pod.node is None:
            after(self._cluster.clock, self._control.watch_s, self._add, pod)
        elif state == "deleted":
            self._parked.pop(pod.name, None)
            self._wake()

    def _add(self, pod: Pod) -> None:
        self._active.append(pod)
        self._go()

    def _wake(self) -> None:
        if self._parked:
            parked, self._parked = self._parked, {}
            after(self._cluster.clock, self._control.watch_s, self._return, tuple(parked.values()))

    def _return(self, pods: tuple[Pod, ...]) -> None:
        self._active.extend(pod for pod in pods if pod.node is None and not pod.gone and pod not in self._active)
        self._go()

    def _go(self) -> None:
        if self._active and not self._busy:
            self._busy = True
            after(self._cluster.clock, self._control.scheduling_s, self._one)

    def _one(self) -> None:
        self._busy = False
        pod = self._active.popleft()
        if pod.node is None and not pod.gone and pod.deleting_s is None:
            node, message = self._choose(pod)
            if node is None:
                self._judge(pod, message)
            else:
                self._cluster.bind(pod, self._cluster.nodes[node])
        self._go()

    def _judge(self, pod: Pod, message: str) -> None:
        self._parked[pod.name] = pod
        after(self._cluster.clock, RETRY_S, self._retry, pod)
        if pod.message != message:
            pod.message = message
            self._cluster.record(pod, "unschedulable", message)
            self._cluster.event("Pod", pod.name, "Warning", "FailedScheduling", message)

    def _retry(self, pod: Pod) -> None:
        if self._parked.pop(pod.name, None) is not None:
            self._return((pod,))
