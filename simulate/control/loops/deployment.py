"""The Deployment controller: looks at the Deployment and its ReplicaSets, asks `rollout.one_pass`, writes."""

from __future__ import annotations

from simulate.control import rollout
from simulate.control.loops.queue import WorkQueue
from simulate.control.rollout import DeploymentView, Pass, Resize, SetView
from simulate.control.state import Cluster, LiveWorkload, Pod, ReplicaSet

CONTROLLER = "deployment-controller"


class DeploymentLoop:
    """Woken by Deployments and ReplicaSets; by pods only when a Recreate has lost its last old one (3.1)."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._queue = WorkQueue(cluster.clock, self.sync)
        self._watch_s = cluster.spec.control.watch_s
        cluster.on_workload.append(self._workload_changed)
        cluster.on_set.append(lambda one: self._queue.add(one.workload, self._watch_s))
        cluster.on_pod.append(self._pod_changed)

    def _workload_changed(self, live: LiveWorkload) -> None:
        if live.spec.kind == "Deployment":
            self._queue.add(live.key, self._watch_s)

    def _pod_changed(self, pod: Pod, state: str) -> None:
        live = self._cluster.workloads[pod.workload]
        if state == "deleted" and live.spec.kind == "Deployment" and live.spec.strategy == "Recreate" and not live.all_pods():
            self._queue.add(live.key, self._watch_s)

    def sync(self, key: str) -> None:
        """One look (3.3)."""
        live = self._cluster.workloads[key]
        if live.spec.kind != "Deployment":
            return
        current = live.current_set
        old_phases = [pod.phase for one in live.sets.values() if one is not current for pod in one.pods.values()]
        now = self._cluster.clock.now
        result = rollout.one_pass(
            deployment_view(live),
            [set_view(one) for one in live.sets.values()],
            current.name if current else None,
            live.status,
            now,
            stamp_s=self._cluster.stamp(),
            old_phases=old_phases,
            created=f"{key}-v{live.version.number}",
        )
        self._apply(live, current, result)

    def _apply(self, live: LiveWorkload, current: ReplicaSet | None, result: Pass) -> None:
        for status in result.noted:
            self._cluster.status_workload(live, status)
        if result.create is not None:
            self._create(live, result.create, result.revision or 1)
        elif current is not None and result.revision is not None:
            current.revision = result.revision
            self._cluster.status_set(current)
        for resize in result.resizes:
            self._resize(live, resize)
        for name in result.delete:
            del live.sets[name]
            self._cluster.event("ReplicaSet", name, "Normal", "Deleted", f"Removed by the history limit of {live.key}")
        if result.status != live.status:
            self._cluster.status_workload(live, result.status)
            self._queue.add(live.key, self._watch_s)
        if result.look_again_s is not None:
            self._queue.add(live.key, result.look_again_s)

    def _create(self, live: LiveWorkload, size: int, revision: int) -> None:
        name = f"{live.key}-v{live.version.number}"
        view = deployment_view(live)
        one = ReplicaSet(
            name=name,
            workload=live.key,
            version=live.version,
            size=size,
            created_s=self._cluster.stamp(),
            revision=revision,
            desired=live.replicas,
            maximum=live.replicas + rollout.surge_of(view),
        )
        if size > 0:
            self._scaled(live, name, "up", 0, size)
        self._cluster.add_set(live, one, CONTROLLER)

    def _resize(self, live: LiveWorkload, resize: Resize) -> None:
        one = live.sets[resize.name]
        one.desired, one.maximum = resize.desired, resize.maximum
        if resize.size != one.size:
            self._scaled(live, one.name, "up" if resize.size > one.size else "down", one.size, resize.size)
        self._cluster.scale_set(one, resize.size, CONTROLLER)

    def _scaled(self, live: LiveWorkload, name: str, direction: str, before: int, size: int) -> None:
        text = f"Scaled {direction} replica set {name} from {before} to {size}"
        self._cluster.event("Deployment", live.key, "Normal", "ScalingReplicaSet", text)


def deployment_view(live: LiveWorkload) -> DeploymentView:
    """What decides of a Deployment."""
    spec = live.spec
    return DeploymentView(
        replicas=live.replicas,
        strategy="Recreate" if spec.strategy == "Recreate" else "RollingUpdate",
        max_surge=live.max_surge,
        max_unavailable=live.max_unavailable,
        progress_deadline_s=spec.progress_deadline_s,
        revision_history_limit=spec.revision_history_limit,
        paused=live.paused,
    )


def set_view(one: ReplicaSet) -> SetView:
    """What decides of a ReplicaSet."""
    return SetView(
        name=one.name,
        spec=one.size,
        replicas=one.replicas,
        ready=one.ready,
        available=one.available,
        terminating=one.terminating,
        order=(one.created_s, one.name),
        desired=one.desired,
        maximum=one.maximum,
        revision=one.revision,
        observed=one.observed,
    )
