"""The StatefulSet controller: looks at the ordinals, asks `statefulset.decide`, creates and deletes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from simulate.control import replicaset, statefulset
from simulate.control.draws import uniform
from simulate.control.loops.admission import LONGEST_RETRY_S, Retries
from simulate.control.loops.queue import WorkQueue, client
from simulate.control.rollout import Status
from simulate.control.state import Cluster, LiveWorkload, Pod, release
from simulate.control.statefulset import StsPod, StsSpec

STAGGER_S = 0.0002
"""Requests that are sent together arrive one after the other."""


class StatefulSetLoop:
    """Woken by its set and by its pods. A pod has the name of its ordinal again after it was replaced."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._control = cluster.spec.control
        self._queue = WorkQueue(cluster.clock, self.sync, cluster.leader)
        self._client = client(cluster)
        self._retries: Retries[str] = Retries()
        cluster.on_workload.append(self._wake)
        cluster.watch_pods(lambda pod, state: self._wake(cluster.workloads[pod.workload]), kinds=("StatefulSet",))

    def _wake(self, live: LiveWorkload) -> None:
        if live.spec.kind == "StatefulSet":
            self._queue.add(live.key, self._control.watch_s)

    def sync(self, key: str) -> float | None:
        """One look; None: the worker is free when its writes are done."""
        live = self._cluster.workloads[key]
        now = self._cluster.clock.now
        spec = self.spec_of(live)
        decision = statefulset.decide(spec, {pod.number: self._view(live, pod, now) for pod in live.pods.values()})
        writes = [partial(self._create, live, ordinal, int(revision)) for ordinal, revision in decision.creates]
        writes += [partial(self._delete, live, ordinal) for ordinal in decision.deletes]
        self._status(live, now)
        waiting = [at for pod in live.pods.values() if (at := self._available_s(live, pod)) is not None and at > now + 1e-9]
        if waiting:
            self._queue.add(key, min(waiting) - now)
        finish = partial(self._queue.done, key)
        if spec.monotonic:
            self._client.chain(writes, finish)
        else:
            self._at_once(writes, finish)
        return None

    def _at_once(self, writes: Sequence[Callable[[], None]], finish: Callable[[], None]) -> None:
        """All requests are sent together and arrive one after the other."""
        lasting_s = 0.0
        for position, write in enumerate(writes):
            lasting_s = self._client.delay_s()
            self._cluster.clock.after(lasting_s + STAGGER_S * position, write)
        self._cluster.clock.after(lasting_s, finish)

    def spec_of(self, live: LiveWorkload) -> StsSpec:
        """What decides of a StatefulSet; maxUnavailable is dropped before 1.37 (its gate is off)."""
        return StsSpec(
            replicas=live.replicas,
            current_revision=live.current_revision,
            update_revision=live.version.number,
            management=live.spec.pod_management,
            strategy="OnDelete" if live.spec.strategy == "OnDelete" else "RollingUpdate",
            partition=live.spec.partition,
            max_unavailable=live.max_unavailable if release(self._control.version) >= 37 else None,
        )

    def _available_s(self, live: LiveWorkload, pod: Pod) -> float | None:
        return replicaset.available_at(pod.ready_since_s if pod.ready else None, live.spec.min_ready_s)

    def _view(self, live: LiveWorkload, pod: Pod, now: float) -> StsPod:
        at = self._available_s(live, pod)
        return StsPod(
            revision=pod.version.number,
            phase=pod.phase,
            ready=pod.ready,
            available=at is not None and at <= now + 1e-9,
            terminating=pod.deleting_s is not None,
        )

    def _create(self, live: LiveWorkload, ordinal: int, revision: int) -> None:
        name = f"{live.key}-{ordinal}"
        if name in live.pods:
            return
        version = next(one for one in live.versions if one.number == revision)
        pod = Pod(name=name, workload=live.key, owner=live.key, version=version, number=ordinal, created_s=self._cluster.stamp())
        refused = self._cluster.refusal(pod)
        if refused:
            self._refuse(live, name, refused)
            return
        self._retries.succeeded(live.key)
        self._cluster.add_pod(pod, live.pods)
        self._say(live, "Normal", "SuccessfulCreate", f"create Pod {name} in StatefulSet {live.key} successful")

    def _refuse(self, live: LiveWorkload, name: str, message: str) -> None:
        """A look at which a creation was refused is repeated after a wait that grows."""
        said = f"Create Pod {name} in StatefulSet {live.key} failed error: {message}"
        self._say(live, "Warning", "FailedCreate", said)
        self._queue.add(live.key, self._retries.failed(live.key))

    def settle_refused(self, live: LiveWorkload) -> None:
        """A set that lacks a pod since long before the run: it tries again every 1000 s, from some time on."""
        self._retries.long_since(live.key)
        self._queue.add(live.key, LONGEST_RETRY_S * uniform(self._cluster.spec.seed, "retry", live.key))

    def _delete(self, live: LiveWorkload, ordinal: int) -> None:
        pod = live.pods.get(f"{live.key}-{ordinal}")
        if pod is not None and pod.deleting_s is None:
            self._say(live, "Normal", "SuccessfulDelete", f"delete Pod {pod.name} in StatefulSet {live.key} successful")
            self._cluster.delete_pod(pod, f"StatefulSet {live.key}")

    def _say(self, live: LiveWorkload, kind: str, reason: str, message: str) -> None:
        self._cluster.event("StatefulSet", live.key, kind, reason, message)
        self._client.event(live.key)

    def _status(self, live: LiveWorkload, now: float) -> None:
        views = [self._view(live, pod, now) for pod in live.pods.values()]
        if live.version.number != live.current_revision and statefulset.updated(self.spec_of(live), views):
            live.current_revision = live.version.number
        status = status_of(live, views)
        if status != live.status:
            self._client.write(self._cluster.status_workload, live, status)


def status_of(live: LiveWorkload, views: list[StsPod]) -> Status:
    """The status by counting; terminating pods are pods."""
    return Status(
        replicas=len(views),
        updated=sum(one.revision == live.version.number and not one.terminating for one in views),
        ready=sum(one.running_and_ready for one in views),
        available=sum(one.running_and_ready and one.available for one in views),
    )
