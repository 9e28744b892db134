"""The Deployment controller: looks at the Deployment and its ReplicaSets, asks `rollout.one_pass`, writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simulate.control import rollout
from simulate.control.events import combined
from simulate.control.loops.admission import Retries
from simulate.control.loops.queue import WorkQueue, client
from simulate.control.rollout import DeploymentView, Pass, Resize, SetView
from simulate.control.state import Cluster, LiveWorkload, Pod, ReplicaSet, Version, record_of

CONTROLLER = "deployment-controller"
CREATE_ERROR = "ReplicaSetCreateError"

RETRIES = 15
"""So often a look that failed is repeated; then the Deployment waits until something changes."""


class DeploymentLoop:
    """Woken by Deployments and ReplicaSets; by pods only when a Recreate has lost its last old one (3.1)."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._queue = WorkQueue(cluster.clock, self.sync, cluster.leader)
        self._client = client(cluster)
        self._retries: Retries[str] = Retries()
        self._watch_s = cluster.spec.control.watch_s
        self._api_s = cluster.spec.control.api_s
        self._said: dict[str, list[tuple[float, str]]] = {}
        self._resting: dict[str, tuple[DeploymentView, list[SetView], str, rollout.Status]] = {}
        self._views: dict[str, tuple[tuple[object, ...], DeploymentView]] = {}
        cluster.on_workload.append(self._workload_changed)
        cluster.on_set.append(lambda one: self._workload_changed(cluster.workloads[one.workload]))
        cluster.watch_pods(self._pod_changed, states=("deleted",), kinds=("Deployment",))

    def _workload_changed(self, live: LiveWorkload) -> None:
        if live.spec.kind == "Deployment":
            self._queue.add(live.key, self._watch_s)

    def _pod_changed(self, pod: Pod, state: str) -> None:
        live = self._cluster.workloads[pod.workload]
        if live.spec.strategy == "Recreate" and not live.all_pods():
            self._queue.add(live.key, self._watch_s)

    def sync(self, key: str) -> float | None:
        """One look (3.3); None: the worker is free when its writes are done."""
        live = self._cluster.workloads[key]
        view, sets, now = self._view(live), [set_view(one) for one in live.sets.values()], self._cluster.clock.now
        current, name = live.current_set, f"{key}-v{live.version.number}"
        if self._resting.get(key) == (view, sets, name, live.status) and not rollout.timed_out(view, live.status.progressing, now):
            result = rollout.at_rest(view, live.status, now)
        else:
            old = [one for one in live.sets.values() if one is not current] if live.spec.strategy == "Recreate" else ()
            result = rollout.one_pass(
                view,
                sets,
                current.name if current else None,
                live.status,
                now,
                stamp_s=self._cluster.stamp(),
                old_phases=[pod.phase for one in old for pod in one.pods.values()],
                created=name,
            )
            if result.rests:
                self._resting[key] = view, sets, name, result.status
        self._mirror(live, current)
        refused = self._cluster.set_refusal(key, name) if result.create is not None else ""
        if refused:
            return self._refused(live, name, refused)
        self._retries.succeeded(key)
        return self._apply(live, current, result)

    def _refused(self, live: LiveWorkload, name: str, message: str) -> float:
        """A new ReplicaSet was refused: the condition says so, and the look is repeated up to 15 times (3.1), or when something changes."""
        self._cluster.event("Deployment", live.key, "Warning", CREATE_ERROR, f'Failed to create new replica set "{name}": {message}')
        known, now = live.status.progressing, self._cluster.clock.now
        if known is not None and known.reason != CREATE_ERROR:
            since_s = known.transition_s if known.status == "False" else now
            said = rollout.Condition(status="False", reason=CREATE_ERROR, update_s=now, transition_s=since_s)
            self._cluster.clock.after(self._api_s, self._status, live, live.status._replace(progressing=said))
        if self._retries.failures(live.key) < RETRIES:
            self._queue.add(live.key, self._retries.failed(live.key))
        return self._api_s

    def _mirror(self, live: LiveWorkload, current: ReplicaSet | None) -> None:
        """The condition ReplicaFailure is that of the new set, else of the first old one that has it (3.5)."""
        failures = [one.failure for one in live.sets.values() if one.failure]
        failure = current.failure if current and current.failure else failures[0] if failures else ""
        if bool(failure) != bool(live.failure):
            live.failure = failure
            kind = "Warning" if failure else "Normal"
            said = f"ReplicaFailure={bool(failure)}"
            self._cluster.clock.after(self._api_s, self._cluster.event, "Condition", live.key, kind, "FailedCreate", said)

    def _view(self, live: LiveWorkload) -> DeploymentView:
        """The view of before as long as nothing of it was written."""
        written = live.replicas, live.max_surge, live.max_unavailable, live.paused, live.spec
        known = self._views.get(live.key)
        if known is None or known[0] != written:
            known = self._views[live.key] = written, deployment_view(live)
        return known[1]

    def _apply(self, live: LiveWorkload, current: ReplicaSet | None, result: Pass) -> float | None:
        """Write one thing after the other, each when the client's rate allows it and as long as a request to the API takes."""
        writes: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        if result.create is not None:
            writes.append((self._create, (live, live.version, result.create, result.revision or 1)))
        elif current is not None and result.revision is not None:
            writes.append((self._renumber, (current, result.revision)))
        if result.noted:
            writes += [(self._cluster.status_workload, (live, status)) for status in result.noted]
        if result.resizes:
            writes += [(self._resize, (live, resize)) for resize in result.resizes]
        if result.delete:
            writes += [(self._delete, (live, name)) for name in result.delete]
        if result.status != (result.noted[-1] if result.noted else live.status):
            writes.append((self._status, (live, result.status)))
        if writes:
            self._client.request(self._write, live.key, writes, 0, result.look_again_s)
            return None
        if result.look_again_s is not None:
            self._queue.add(live.key, result.look_again_s)
        return 0.0

    def _write(self, key: str, writes: list[tuple[Callable[..., None], tuple[Any, ...]]], position: int, again_s: float | None) -> None:
        """One write is answered: the next one, or the end of the look."""
        write, arguments = writes[position]
        write(*arguments)
        if position + 1 < len(writes):
            self._client.request(self._write, key, writes, position + 1, again_s)
            return
        self._queue.done(key)
        if again_s is not None:
            self._queue.add(key, again_s)

    def _status(self, live: LiveWorkload, status: rollout.Status) -> None:
        """A status that was made before the spec changed says nothing of the new generation."""
        self._cluster.status_workload(live, status)
        self._queue.add(live.key, self._watch_s)

    def _renumber(self, one: ReplicaSet, revision: int) -> None:
        one.revision = revision
        self._cluster.revise(self._cluster.workloads[one.workload], one.version, revision)
        self._cluster.status_set(one)

    def _delete(self, live: LiveWorkload, name: str) -> None:
        if live.sets.pop(name, None) is not None:
            self._cluster.event("ReplicaSet", name, "Normal", "Deleted", f"Removed by the history limit of {live.key}")

    def _create(self, live: LiveWorkload, version: Version, size: int, revision: int) -> None:
        name = f"{live.key}-v{version.number}"
        view = deployment_view(live)
        one = ReplicaSet(
            name=name,
            workload=live.key,
            version=version,
            size=size,
            created_s=self._cluster.stamp(),
            revision=revision,
            desired=live.replicas,
            maximum=live.replicas + view.surge,
        )
        if size > 0:
            self._scaled(live, name, "up", 0, size)
        self._cluster.revise(live, version, revision)
        self._cluster.add_set(live, one, CONTROLLER)

    def _resize(self, live: LiveWorkload, resize: Resize) -> None:
        one = live.sets.get(resize.name)
        if one is None:
            return
        one.desired, one.maximum = resize.desired, resize.maximum
        total = sum(other.size for other in live.sets.values()) + resize.size - one.size
        assert resize.size <= one.size or total <= resize.maximum, f"{live.key} would have {total} replicas, {resize.maximum} are allowed"
        if resize.size != one.size:
            self._scaled(live, one.name, "up" if resize.size > one.size else "down", one.size, resize.size)
        self._cluster.scale_set(one, resize.size, CONTROLLER)

    def _scaled(self, live: LiveWorkload, name: str, direction: str, before: int, size: int) -> None:
        text = f"Scaled {direction} replica set {name} from {before} to {size}"
        earlier = self._said.setdefault(live.key, [])
        self._cluster.event("Deployment", live.key, "Normal", "ScalingReplicaSet", combined(earlier, text, self._cluster.clock.now))
        earlier.append((self._cluster.clock.now, text))
        self._client.event(live.key)


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
    order = one.created_s, one.name
    status = one.replicas, one.ready, one.available, one.terminating
    return record_of(SetView, (one.name, one.size, *status, order, one.desired, one.maximum, one.revision, False, one.observed))
