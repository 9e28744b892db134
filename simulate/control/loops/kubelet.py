"""The kubelets: pods start, are probed, restart and end on their nodes (kubernetes-semantics.md 6)."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

from simulate.control.draws import uniform
from simulate.control.state import Cluster, DataPlane, Node, Pod, after
from simulate.spec import ContainerSpec, Probe

LIFECYCLE_POLL_S = 1.0
"""How late a kubelet notices that a container has ended (6.5, 10)."""

CRASH_AFTER_S = 1.0
"""How long the process of an image that `fails: crash` lives after it has begun to start."""

FIRST_BACKOFF_S, LAST_BACKOFF_S = 10.0, 300.0

Steps = Generator[Any, Any, None]


class KubeletLoop:
    """All kubelets. A pod's `process` number is raised by every start and every end, so that what belongs to an older run stops."""

    def __init__(self, cluster: Cluster, plane: DataPlane) -> None:
        self._cluster = cluster
        self._clock = cluster.clock
        self._plane = plane
        self._control = cluster.spec.control
        self._waiting: dict[tuple[str, str], Any] = {}
        self._pull_free_s: dict[str, float] = {}
        self._added_s: dict[str, float] = {}
        self._backoff: dict[str, tuple[float, float]] = {}
        self._probes = 0
        self._ready: dict[str, set[str]] = {}
        self.on_process: list[Callable[[Pod], None]] = []
        cluster.on_pod.append(self._pod_changed)

    # -------------------------------------------------------------- from outside

    def _pod_changed(self, pod: Pod, state: str) -> None:
        if state == "scheduled":
            self._clock.process(self._start(pod))
        elif state == "terminating" and pod.node is not None and self._cluster.nodes[pod.node].up:
            self._clock.process(self._terminate(pod))
        elif state == "deleted":
            self._added_s.pop(pod.name, None)
            self._backoff.pop(pod.name, None)
            self._ready.pop(pod.name, None)

    def settle(self, pod: Pod) -> None:
        """Make a bound pod one that has been running and ready for long."""
        pod.process += 1
        pod.phase = "Running"
        pod.started_s = pod.ready_since_s = pod.created_s
        pod.listening = pod.container_up = True
        self._ready[pod.name] = {one.name for one in pod.version.template.containers if one.readiness is not None}
        self._added_s[pod.name] = pod.created_s + 0.001 * pod.number
        self._cluster.nodes[str(pod.node)].images.update(one.image for one in pod.version.template.containers)
        self._plane.start(pod, pod.version.behaviour, 0.0)
        pod.ready = True
        self._cluster.trace_pod(pod, "running")
        self._cluster.trace_pod(pod, "ready")
        for watcher in self.on_process:
            watcher(pod)
        for container in pod.version.template.containers:
            self._watch_container(pod, container, settled=True)

    def trigger(self, kind: str, name: str, probe: str | None, outcome: str | None) -> None:
        """The data plane reports: booted, drained, oom or the end of a probe."""
        pod = self._cluster.pods.get(name)
        waiting = self._waiting.pop((name, probe or kind), None)
        if waiting is not None:
            waiting.succeed(outcome)
        elif kind == "oom" and pod is not None and pod.container_up:
            self._exited(pod, "OOMKilled")

    def node_back(self, node: Node) -> None:
        """The machine runs again: what was to be deleted goes, the other pods' containers are started anew."""
        for pod in list(node.pods.values()):
            if pod.deleting_s is not None:
                self._plane.kill(pod.name)
                after(self._clock, self._control.termination_extra_s, self._cluster.remove_pod, pod)
            elif pod.phase == "Running":
                self._exited(pod, "NodeRestarted")
            else:
                self._clock.process(self._start(pod))

    def node_lost(self, node: Node) -> None:
        """Nothing of the node answers any more; nobody is told."""
        for pod in node.pods.values():
            pod.process += 1
            pod.listening = pod.container_up = False
            if pod.phase == "Running":
                self._plane.lose(pod.name)

    # -------------------------------------------------------------- start

    def _alive(self, pod: Pod, process: int) -> bool:
        up = pod.node is not None and self._cluster.nodes[pod.node].up
        return up and not pod.gone and pod.deleting_s is None and pod.process == process

    def _start(self, pod: Pod) -> Steps:
        process = pod.process
        yield self._clock.timeout(self._control.kubelet_sync_s)
        self._added_s.setdefault(pod.name, self._clock.now)
        pod.started_s = self._cluster.stamp()
        yield self._clock.timeout(self._control.sandbox_s)
        for container in (*pod.version.template.init_containers, *pod.version.template.containers):
            if not self._alive(pod, process):
                return
            yield from self._pull(pod, container, process)
        if self._alive(pod, process):
            self._run(pod)

    def _pull(self, pod: Pod, container: ContainerSpec, process: int) -> Steps:
        node = self._cluster.nodes[str(pod.node)]
        wait_s = FIRST_BACKOFF_S
        while pod.version.fails == "pull" and self._alive(pod, process):
            self._cluster.record(pod, "pulling", "ErrImagePull")
            self._cluster.event("Pod", pod.name, "Warning", "Failed", f"Failed to pull image {container.image}")
            yield self._clock.timeout(wait_s)
            wait_s = min(2 * wait_s, LAST_BACKOFF_S)
        if container.image in node.images or not self._alive(pod, process):
            return
        queued_s = max(0.0, self._pull_free_s.get(node.name, 0.0) - self._clock.now)
        self._pull_free_s[node.name] = self._clock.now + queued_s + self._control.pull_s
        if self._control.pull_s:
            self._cluster.record(pod, "pulling", container.image)
        yield self._clock.timeout(queued_s)
        if container.image not in node.images:
            yield self._clock.timeout(self._control.pull_s)
            node.images.add(container.image)

    def _run(self, pod: Pod) -> None:
        """The containers are started."""
        pod.process += 1
        pod.phase = "Running"
        pod.container_up = True
        self._ready.pop(pod.name, None)
        self._cluster.record(pod, "restarted" if pod.restarts else "running")
        self._clock.process(self._boot(pod, pod.process))
        containers = pod.version.template.containers
        if all(one.readiness is None and one.startup is None for one in containers) and pod.version.fails != "unready":
            self._cluster.set_ready(pod, True)
        for container in containers:
            self._watch_container(pod, container)

    def _boot(self, pod: Pod, process: int) -> Steps:
        behaviour = pod.version.behaviour
        self._plane.occupy(pod)
        if pod.version.fails == "crash":
            yield self._clock.timeout(CRASH_AFTER_S)
            if pod.process == process and not pod.gone:
                self._exited(pod, "Error")
            return
        yield self._clock.timeout(behaviour.start_wait_s)
        if not self._same(pod, process):
            return
        booted = self._expect(pod.name, "booted") if behaviour.start_cpu_s > 0 else None
        self._plane.start(pod, behaviour, behaviour.start_cpu_s)
        for watcher in self.on_process:
            watcher(pod)
        if booted is not None:
            yield booted
        if self._same(pod, process):
            pod.listening = True

    def _same(self, pod: Pod, process: int) -> bool:
        return not pod.gone and pod.process == process

    def _expect(self, pod: str, what: str) -> Any:
        event = self._waiting[pod, what] = self._clock.event()
        return event

    # -------------------------------------------------------------- probes

    def _watch_container(self, pod: Pod, container: ContainerSpec, settled: bool = False) -> None:
        if container.startup is not None and not settled:
            self._clock.process(self._startup(pod, pod.process, container, container.startup))
        else:
            self._after_startup(pod, pod.process, container, settled)

    def _after_startup(self, pod: Pod, process: int, container: ContainerSpec, settled: bool = False) -> None:
        if container.readiness is not None:
            self._clock.process(self._readiness(pod, process, container, container.readiness, settled))
        elif not settled and self._all_started(pod):
            self._cluster.set_ready(pod, True)
        if container.liveness is not None:
            self._clock.process(self._liveness(pod, process, container, container.liveness))

    def _all_started(self, pod: Pod) -> bool:
        return pod.version.fails != "unready" and all(one.readiness is None for one in pod.version.template.containers)

    def _next_tick(self, pod: Pod, probe: Probe) -> float:
        """Seconds to the next tick of a worker: its phase is that of the pod's arrival on the node (6.3)."""
        added = self._added_s[pod.name]
        ticks = math.floor((self._clock.now - added) / probe.period_s + 1e-9) + 1
        return added + ticks * probe.period_s - self._clock.now

    def _first(self, pod: Pod, probe: Probe) -> Steps:
        """Wait for the first tick at which the container is old enough."""
        begun = self._clock.now
        while math.floor(self._clock.now - begun + 1e-9) < probe.initial_delay_s:
            yield self._clock.timeout(self._next_tick(pod, probe))

    def _probe(self, pod: Pod, process: int, name: str, probe: Probe) -> Generator[Any, Any, bool]:
        """One probe: whether it succeeded."""
        if not pod.listening or (pod.version.fails == "unready" and not name.endswith("liveness")):
            return False
        if probe.kind == "exec":
            return True
        self._probes += 1
        token = f"{name}-{self._probes}"
        outcome = self._plane.probe(pod.name, token, float(probe.timeout_s))
        if outcome is None:
            outcome = yield self._expect(pod.name, token)
        return outcome == "ok" and pod.process == process

    def _settles(self, pod: Pod, probe: Probe) -> bool:
        """Whether a success can only be followed by successes: nothing limits what the server takes on."""
        return probe.kind == "exec" or pod.version.behaviour.workers is None

    def _startup(self, pod: Pod, process: int, container: ContainerSpec, probe: Probe) -> Steps:
        yield from self._first(pod, probe)
        failures = 0
        while self._same(pod, process):
            if (yield from self._probe(pod, process, f"{container.name}-startup", probe)):
                if self._same(pod, process):
                    self._after_startup(pod, process, container)
                return
            failures += 1
            if failures >= probe.failure_threshold and self._alive(pod, process):
                self._unhealthy(pod, "Startup")
                return
            yield self._clock.timeout(self._next_tick(pod, probe))

    def _readiness(self, pod: Pod, process: int, container: ContainerSpec, probe: Probe, settled: bool) -> Steps:
        result, row = settled, 0
        if settled:
            yield self._clock.timeout(self._next_tick(pod, probe))
        else:
            yield from self._first(pod, probe)
        while self._same(pod, process):
            outcome = yield from self._probe(pod, process, f"{container.name}-readiness", probe)
            if not self._same(pod, process):
                return
            row = row + 1 if outcome != result else 0
            if row >= (probe.success_threshold if outcome else probe.failure_threshold):
                result, row = outcome, 0
                self._container_ready(pod, container, result)
            if result and self._settles(pod, probe):
                return
            yield self._clock.timeout(self._next_tick(pod, probe))

    def _container_ready(self, pod: Pod, container: ContainerSpec, result: bool) -> None:
        ready = self._ready.setdefault(pod.name, set())
        if result:
            ready.add(container.name)
        else:
            ready.discard(container.name)
            self._cluster.event("Pod", pod.name, "Warning", "Unhealthy", f"Readiness probe of {container.name} failed")
        probed = {one.name for one in pod.version.template.containers if one.readiness is not None}
        self._cluster.set_ready(pod, probed <= ready, "" if result else "Unhealthy")

    def _liveness(self, pod: Pod, process: int, container: ContainerSpec, probe: Probe) -> Steps:
        yield self._clock.timeout(self._next_tick(pod, probe))
        yield from self._first(pod, probe)
        failures = 0
        while self._alive(pod, process):
            outcome = yield from self._probe(pod, process, f"{container.name}-liveness", probe)
            failures = 0 if outcome else failures + 1
            if failures >= probe.failure_threshold and self._alive(pod, process):
                self._unhealthy(pod, "Liveness")
                return
            if outcome and self._settles(pod, probe):
                return
            yield self._clock.timeout(self._next_tick(pod, probe))

    def _unhealthy(self, pod: Pod, what: str) -> None:
        self._cluster.event("Pod", pod.name, "Warning", "Unhealthy", f"{what} probe failed, the container will be restarted")
        self._plane.kill(pod.name)
        self._exited(pod, f"{what} probe failed")

    # -------------------------------------------------------------- ends

    def _exited(self, pod: Pod, reason: str) -> None:
        """The container has ended: not ready at once, started again when back-off allows (6.5)."""
        pod.process += 1
        pod.listening = pod.container_up = False
        self._cluster.record(pod, "killed", reason)
        self._cluster.set_ready(pod, False, reason)
        if pod.deleting_s is None:
            self._clock.process(self._restart(pod, pod.process, self._clock.now))

    def _restart(self, pod: Pod, process: int, finished_s: float) -> Steps:
        yield self._clock.timeout(LIFECYCLE_POLL_S)
        count = 0
        while self._alive(pod, process):
            window_s, last_s = self._backoff.get(pod.name, (0.0, -math.inf))
            now = self._clock.now
            if finished_s - last_s > 2 * LAST_BACKOFF_S:
                window_s = 0.0
            if now - finished_s >= window_s:
                self._backoff[pod.name] = (min(2 * window_s, LAST_BACKOFF_S) if window_s else FIRST_BACKOFF_S, now)
                pod.restarts += 1
                self._run(pod)
                return
            if count == 0:
                self._cluster.event("Pod", pod.name, "Warning", "BackOff", f"Back-off {window_s:g}s restarting failed container")
            count += 1
            yield self._clock.timeout(10.0 + 5.0 * uniform(self._cluster.spec.seed, "backoff", pod.name, pod.restarts, count))

    def _terminate(self, pod: Pod) -> Steps:
        """6.6: preStop, SIGTERM, the rest of the grace period, SIGKILL, and the object goes."""
        control = self._control
        yield self._clock.timeout(control.kubelet_sync_s)
        if pod.container_up and self._cluster.nodes[str(pod.node)].up:
            grace_s = pod.version.template.grace_s if pod.grace_s is None else pod.grace_s
            hook_s = min(grace_s, max((one.prestop_s for one in pod.version.template.containers), default=0.0))
            if hook_s:
                yield self._clock.timeout(hook_s)
            yield from self._stop(pod, max(2.0, grace_s - math.floor(hook_s)))
        elif pod.container_up:
            return
        if pod.gone or not self._cluster.nodes[str(pod.node)].up:
            return
        yield self._clock.timeout(control.termination_extra_s)
        if self._cluster.nodes[str(pod.node)].up:
            self._cluster.remove_pod(pod)

    def _stop(self, pod: Pod, left_s: float) -> Steps:
        """SIGTERM, and SIGKILL when the process is still there after what is left of the grace period."""
        if pod.gone or not pod.container_up:
            return
        behaviour, process = pod.version.behaviour, pod.process
        handled = pod.listening and behaviour.handles_term
        if handled:
            drained = self._expect(pod.name, "drained")
            done = self._plane.drain(pod.name, behaviour.accept_on_term)
            if not done:
                yield self._clock.timeout(left_s) | drained
            self._waiting.pop((pod.name, "drained"), None)
            if done or drained.triggered or not self._same(pod, process):
                self._over(pod)
                return
        self._plane.kill(pod.name)
        self._over(pod)
        self._cluster.record(pod, "killed", "grace period over" if handled else "SIGTERM")

    def _over(self, pod: Pod) -> None:
        pod.process += 1
        pod.listening = pod.container_up = False
