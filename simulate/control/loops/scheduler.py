"""The scheduler: one pod at a time from its queue to a node, or to the waiting room until something changes (8.1)."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

from simulate.control.state import Cluster, Pod

RETRY_S = 300.0
"""A pod judged unschedulable is tried again after so long even if nothing has happened."""

Choose = Callable[[Pod], tuple[str | None, str]]
"""(node, "") or (None, the message of the PodScheduled condition)."""

Preempt = Callable[[Pod], tuple[str, list[Pod]] | None]
"""The node on which a pod would fit without others of lower priority, and those; None = that helps nowhere."""


class SchedulerLoop:
    """Woken by new pods; pods that did not fit are woken by pods that go and by nodes that come. Higher priority goes first."""

    def __init__(self, cluster: Cluster, choose: Choose, preempt: Preempt | None = None) -> None:
        self._cluster = cluster
        self._choose = choose
        self._preempt = preempt
        self._control = cluster.spec.control
        self._active: list[tuple[int, int, Pod]] = []
        self._number = 0
        self._parked: dict[str, Pod] = {}
        self._busy = False
        cluster.watch_pods(self._pod_changed, states=("created", "deleted", "succeeded", "failed"))
        cluster.on_node.append(lambda node: self._wake())

    def settle(self, pod: Pod, place: tuple[str | None, str] | None = None) -> bool:
        """Bind a pod at once, before the run begins, where one is chosen for it or there; whether it fitted."""
        node, message = self._choose(pod) if place is None else place
        if node is None:
            self._judge(pod, message)
            return False
        self._cluster.bind(pod, self._cluster.nodes[node], settled=True)
        return True

    def unschedulable(self) -> list[Pod]:
        """Pods that were judged and wait for some node; those of DaemonSets wait for theirs, which no other replaces."""
        return [pod for pod in self._parked.values() if not pod.meant]

    def _pod_changed(self, pod: Pod, state: str) -> None:
        if state == "created" and pod.node is None:
            self._cluster.clock.after(self._control.watch_s, self._add, pod)
        elif state != "created":
            self._unpark(pod)
            self._wake()

    def _add(self, pod: Pod) -> None:
        self._push(pod)
        self._go()

    def _push(self, pod: Pod) -> None:
        self._number += 1
        heappush(self._active, (-pod.priority, self._number, pod))

    def _wake(self) -> None:
        if self._parked:
            parked, self._parked = self._parked, {}
            self._cluster.clock.after(self._control.watch_s, self._return, tuple(parked.values()))

    def _return(self, pods: tuple[Pod, ...]) -> None:
        waiting = {id(pod) for _, _, pod in self._active}
        for pod in pods:
            if pod.node is None and not pod.gone and id(pod) not in waiting:
                self._push(pod)
        self._go()

    def _go(self) -> None:
        if self._active and not self._busy:
            self._busy = True
            self._cluster.clock.after(self._control.scheduling_s, self._one)

    def _one(self) -> None:
        self._busy = False
        _, _, pod = heappop(self._active)
        if pod.node is None and not pod.gone and pod.deleting_s is None:
            node, message = self._choose(pod)
            if node is None:
                self._judge(pod, message)
                self._displace(pod)
            else:
                self._cluster.bind(pod, self._cluster.nodes[node])
        self._go()

    def _displace(self, pod: Pod) -> None:
        """8.4: pods of lower priority make room; the pod waits for them and is not sure of the place. Not again while they are going."""
        nominated = self._cluster.nodes.get(pod.nominated)
        if self._preempt is None or (
            nominated and any(one.deleting_s is not None and one.priority < pod.priority for one in nominated.pods.values())
        ):
            return
        found = self._preempt(pod)
        pod.nominated = found[0] if found else ""
        for victim in found[1] if found else ():
            self._cluster.event("Pod", victim.name, "Normal", "Preempted", f"Preempted by {pod.name} on node {pod.nominated}")
            self._cluster.delete_pod(victim, f"preempted by {pod.name}")

    def _judge(self, pod: Pod, message: str) -> None:
        self._parked[pod.name] = pod
        self._cluster.clock.after(RETRY_S, self._retry, pod)
        if pod.message != message:
            pod.message = message
            self._cluster.record(pod, "unschedulable", message)
            self._cluster.event("Pod", pod.name, "Warning", "FailedScheduling", message)

    def _retry(self, pod: Pod) -> None:
        if self._unpark(pod):
            self._return((pod,))

    def _unpark(self, pod: Pod) -> bool:
        """Whether it was this pod that waited, and not a later one of its name."""
        found = self._parked.get(pod.name) is pod
        if found:
            del self._parked[pod.name]
        return found
