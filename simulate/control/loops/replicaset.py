"""The ReplicaSet controller: looks at one set and its pods, asks `replicaset.look` and `replicaset.victims`, creates or deletes."""

from __future__ import annotations

from simulate.control import replicaset
from simulate.control.loops.queue import Bucket, WorkQueue
from simulate.control.replicaset import PodView
from simulate.control.state import Cluster, Pod, ReplicaSet, after

STAGGER_S = 0.0002
"""Requests of one batch are sent in parallel and arrive one after the other."""


def _counts(look: replicaset.Look) -> tuple[int, int, int, int]:
    return look.replicas, look.ready, look.available, look.terminating


class ReplicaSetLoop:
    """Woken by its sets and by their pods. Creates and deletes are limited by the API client's rate (4.1)."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._watch_s = cluster.spec.control.watch_s
        self._api_s = cluster.spec.control.api_s
        self._queue = WorkQueue(cluster.clock, self.sync)
        self._bucket = Bucket(cluster.clock, cluster.spec.control.kube_api_qps, cluster.spec.control.kube_api_burst)
        cluster.on_set.append(lambda one: self._queue.add(f"{one.workload}\n{one.name}", self._watch_s))
        cluster.on_pod.append(self._pod_changed)

    def _set(self, key: str) -> ReplicaSet | None:
        workload, _, name = key.partition("\n")
        return self._cluster.workloads[workload].sets.get(name)

    def _pod_changed(self, pod: Pod, state: str) -> None:
        if pod.owner in self._cluster.workloads[pod.workload].sets:
            after(self._cluster.clock, self._watch_s, self._seen, pod, state)

    def _seen(self, pod: Pod, state: str) -> None:
        one = self._cluster.workloads[pod.workload].sets.get(pod.owner)
        if one is None:
            return
        if state == "created":
            one.expectations.created()
        elif state in ("terminating", "deleted"):
            one.expectations.deleted(pod.name)
        self._queue.add(f"{one.workload}\n{one.name}", 0.0)

    def sync(self, key: str) -> float:
        """One look: issue creates or deletes, then write the status as it was seen before them. How long that takes."""
        one = self._set(key)
        if one is None:
            return 0.0
        now = self._cluster.clock.now
        active = [pod for pod in one.pods.values() if pod.active]
        look = replicaset.look(
            one.size,
            [pod.ready_since_s if pod.ready else None for pod in active],
            sum(pod.deleting_s is not None for pod in one.pods.values()),
            self._cluster.workloads[one.workload].spec.min_ready_s,
            now,
            satisfied=one.expectations.satisfied(now),
        )
        lasting_s = self._create(one, look.create) if look.create else self._delete(one, active, look.delete) if look.delete else 0.0
        if (one.replicas, one.ready, one.available, one.terminating, one.observed) != (*_counts(look), True):
            lasting_s = max(lasting_s, self._bucket.delay_s()) + self._api_s
            after(self._cluster.clock, lasting_s, self._status, one, look, one.size)
        if look.look_again_s is not None:
            self._queue.add(key, max(0.0, look.look_again_s - now))
        return lasting_s

    def _status(self, one: ReplicaSet, look: replicaset.Look, size: int) -> None:
        one.replicas, one.ready, one.available, one.terminating = _counts(look)
        one.observed = one.size == size
        self._cluster.status_set(one)

    def _create(self, one: ReplicaSet, count: int) -> float:
        """Slow-start batches, each as long as a request takes, or as the client's rate allows."""
        one.expectations.expect(count, (), self._cluster.clock.now)
        lasting_s = 0.0
        for size in replicaset.batches(count):
            allowed_s = [self._bucket.delay_s() for _ in range(size)]
            for position, allowed in enumerate(allowed_s):
                number, one.next_number = one.next_number, one.next_number + 1
                at = max(lasting_s, allowed) + self._api_s + position * STAGGER_S
                after(self._cluster.clock, at, self._create_one, one, number)
            lasting_s = max(lasting_s, allowed_s[-1]) + self._api_s
        return lasting_s

    def _create_one(self, one: ReplicaSet, number: int) -> None:
        pod = Pod(
            name=f"{one.name}-{number}",
            workload=one.workload,
            owner=one.name,
            version=one.version,
            number=number,
            created_s=self._cluster.stamp(),
        )
        self._cluster.add_pod(pod, one.pods)

    def _delete(self, one: ReplicaSet, active: list[Pod], count: int) -> float:
        related = [pod for pod in self._cluster.workloads[one.workload].all_pods() if pod.active]
        chosen = replicaset.victims([self._pod_view(pod) for pod in active], [self._pod_view(pod) for pod in related], count)
        one.expectations.expect(0, [view.name for view in chosen], self._cluster.clock.now)
        allowed = 0.0
        for view in chosen:
            allowed = self._bucket.delay_s()
            after(self._cluster.clock, allowed + self._api_s, self._cluster.delete_pod, one.pods[view.name], f"scaled down {one.name}")
        return allowed + self._api_s

    def _pod_view(self, pod: Pod) -> PodView:
        now = self._cluster.clock.now
        return PodView(
            name=pod.name,
            uid=pod.name,
            node=pod.node or "",
            phase=pod.phase,
            ready=pod.ready,
            cost=pod.cost,
            ready_for_s=None if pod.ready_since_s is None else now - pod.ready_since_s,
            restarts=pod.restarts,
            age_s=now - pod.created_s,
        )
