"""The ReplicaSet controller: looks at one set and its pods, asks `replicaset.look` and `replicaset.victims`, creates or deletes."""

from __future__ import annotations

from simulate.control import replicaset
from simulate.control.loops.queue import Bucket, WorkQueue
from simulate.control.replicaset import PodView
from simulate.control.state import Cluster, Pod, ReplicaSet, after

CONTROLLER = "replicaset-controller"


class ReplicaSetLoop:
    """Woken by its sets and by their pods. Creates and deletes are limited by the API client's rate (4.1)."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._watch_s = cluster.spec.control.watch_s
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

    def sync(self, key: str) -> None:
        """One look: issue creates or deletes, then write the status as it was seen before them."""
        one = self._set(key)
        if one is None:
            return
        now = self._cluster.clock.now
        active = [pod for pod in one.pods.values() if pod.active]
        terminating = sum(pod.deleting_s is not None for pod in one.pods.values())
        look = replicaset.look(
            one.size,
            [pod.ready_since_s if pod.ready else None for pod in active],
            terminating,
            self._cluster.workloads[one.workload].spec.min_ready_s,
            now,
            satisfied=one.expectations.satisfied(now),
        )
        if look.create:
            self._create(one, look.create)
        elif look.delete:
            self._delete(one, active, look.delete)
        self._status(one, look)
        if look.look_again_s is not None:
            self._queue.add(key, look.look_again_s - now)

    def _status(self, one: ReplicaSet, look: replicaset.Look) -> None:
        before = (one.replicas, one.ready, one.available, one.terminating, one.observed)
        one.replicas, one.ready, one.available, one.terminating = look.replicas, look.ready, look.available, look.terminating
        one.observed = True
        if (one.replicas, one.ready, one.available, one.terminating, True) != before:
            for watcher in self._cluster.on_set:
                watcher(one)

    def _create(self, one: ReplicaSet, count: int) -> None:
        one.expectations.expect(count, (), self._cluster.clock.now)
        for _ in range(count):
            number, one.next_number = one.next_number, one.next_number + 1
            delay = self._bucket.delay_s()
            if delay:
                after(self._cluster.clock, delay, self._create_one, one, number)
            else:
                self._create_one(one, number)

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

    def _delete(self, one: ReplicaSet, active: list[Pod], count: int) -> None:
        related = [pod for pod in self._cluster.workloads[one.workload].all_pods() if pod.active]
        chosen = replicaset.victims([self._view(pod) for pod in active], [self._view(pod) for pod in related], count)
        one.expectations.expect(0, [view.name for view in chosen], self._cluster.clock.now)
        for view in chosen:
            after(self._cluster.clock, self._bucket.delay_s(), self._cluster.delete_pod, one.pods[view.name], f"scaled down {one.name}")

    def _view(self, pod: Pod) -> PodView:
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
