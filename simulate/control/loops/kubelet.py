"""The kubelets: pods start, are probed, restart and end on their nodes (kubernetes-semantics.md 6)."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

from simulate.control import backoff, probes
from simulate.control.draws import uniform
from simulate.control.probes import Tick
from simulate.control.state import Cluster, DataPlane, Node, Pod, after
from simulate.spec import ContainerSpec, Probe

LIFECYCLE_POLL_S = 1.0
"""How late a kubelet notices that a container has ended (6.5, 10)."""

CRASH_AFTER_S = 1.0
"""How long the process of an image that `fails: crash` lives after it has begun to start."""

Steps = Generator[Any, Any, None]


class KubeletLoop:
    """All kubelets. A pod's `process` number is raised by every start and every end, so that what belongs to an older run stops."""

    def __init__(self, cluster: Cluster, plane: DataPlane) -> None:
        self._cluster = cluster
        self._clock = cluster.clock
        self._plane = plane
        self._control = cluster.spec.control
        self._waiting: dict[tuple[str, str], Any] = {}
        self._pulls: dict[str, Any] = {}
        self._added_s: dict[str, float] = {}
        self._backoff: dict[str, backoff.Entry] = {}
        self._probes = 0
        self._ready: dict[str, set[str]] = {}
        self.on_process: list[Callable[[Pod], None]] = []
        self.registry_factor: float | None = 1.0
        """By what the registry multiplies each pull; None = it does not answer."""
        cluster.on_pod.append(self._pod_changed)

    # -------------------------------------------------------------- from outside

    def _pod_changed(self, pod: Pod, state: str) -> None:
        if state == "scheduled":
            self._clock.process(self._start(pod))
        elif state == "terminating" and self._cluster.node_up(pod):
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
        self._ready[pod.name] = {one.name for one in pod.version.template.containers}
        self._added_s[pod.name] = pod.created_s + 0.001 * pod.number
        self._cluster.nodes[str(pod.node)].images.update(one.image for one in pod.version.template.containers)
        self._plane.start(pod, pod.version.behaviour, 0.0)
        if pod.version.behaviour.warm_time:
            self._plane.warm(pod.name, pod.version.behaviour.warm_time[-1][1])
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
        return self._cluster.node_up(pod) and not pod.gone and pod.deleting_s is None and pod.process == process

    def _start(self, pod: Pod) -> Steps:
        process = pod.process
        yield self._clock.timeout(self._control.kubelet_sync_s)
        self._added_s.setdefault(pod.name, self._clock.now)
        pod.started_s = self._cluster.stamp()
        yield self._clock.timeout(self._control.sandbox_s)
        lasting_s = dict(pod.version.behaviour.init_s)
        for container in pod.version.template.init_containers:
            yield from self._pull(pod, container, process)
            if container.name in lasting_s and self._alive(pod, process):
                yield self._clock.timeout(lasting_s[container.name])
        for container in pod.version.template.containers:
            yield from self._pull(pod, container, process)
        if self._alive(pod, process):
            self._run(pod)

    def _pull(self, pod: Pod, container: ContainerSpec, process: int) -> Steps:
        """6.2: one pull at a time per node; what failed is tried again when its back-off allows. A cached image is asked for by Always."""
        node = self._cluster.nodes[str(pod.node)]
        entry: backoff.Entry | None = None
        while self._alive(pod, process):
            cached = container.image in node.images
            answered = self.registry_factor is not None or (cached and container.pull_policy != "Always")
            if answered and pod.version.fails != "pull" and (cached or (yield from self._fetched(pod, container, node))):
                return
            now = self._clock.now
            entry = backoff.failed(entry, now, now, backoff.PULL_INITIAL_S, backoff.PULL_MAXIMUM_S)
            self._cluster.record(pod, "pulling", "ErrImagePull")
            self._cluster.event("Pod", pod.name, "Warning", "Failed", f"Failed to pull image {container.image}")
            yield self._clock.timeout(entry.window_s)

    def _fetched(self, pod: Pod, container: ContainerSpec, node: Node) -> Generator[Any, Any, bool]:
        """Wait for the node's earlier pulls, then for this one; whether the registry still answered when its turn came."""
        before, done = self._pulls.get(node.name), self._clock.event()
        self._pulls[node.name] = done
        lasting_s = self._pull_s(container.image, node) * (self.registry_factor or 1.0)
        if lasting_s:
            self._cluster.record(pod, "pulling", container.image)
        if before is not None:
            yield before
        answered = self.registry_factor is not None
        if container.image not in node.images and answered:
            yield self._clock.timeout(lasting_s)
            node.images.add(container.image)
        done.succeed()
        return answered

    def _pull_s(self, image: str, node: Node) -> float:
        """How long a pull takes by the image's size and the node's bandwidth, or as the scenario says for all."""
        size = self._cluster.spec.image_bytes.get(image)
        return self._control.pull_s if size is None else size / node.pool.bandwidth_bytes_s

    def _run(self, pod: Pod) -> None:
        """The containers are started."""
        pod.process += 1
        pod.phase = "Running"
        pod.container_up = True
        self._ready.pop(pod.name, None)
        self._cluster.record(pod, "restarted" if pod.restarts else "running")
        self._clock.process(self._boot(pod, pod.process))
        for container in pod.version.template.containers:
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
        for at_s, factor in behaviour.warm_time:
            after(self._clock, at_s, self._warm, pod, process, factor)
        for watcher in self.on_process:
            watcher(pod)
        if booted is not None:
            yield booted
        if self._same(pod, process):
            pod.listening = True

    def _warm(self, pod: Pod, process: int, factor: float) -> None:
        """Warm-up by time, counted from the start of the process (model.md 3.7)."""
        if self._same(pod, process):
            self._plane.warm(pod.name, factor)

    def _same(self, pod: Pod, process: int) -> bool:
        return not pod.gone and pod.process == process

    def _expect(self, pod: str, what: str) -> Any:
        event = self._waiting[pod, what] = self._clock.event()
        return event

    # -------------------------------------------------------------- probes

    def _watch_container(self, pod: Pod, container: ContainerSpec, settled: bool = False) -> None:
        if container.startup is not None and not settled:
            self._clock.process(self._work(pod, container, "startup", container.startup, settled))
        else:
            self._after_startup(pod, container, settled)

    def _after_startup(self, pod: Pod, container: ContainerSpec, settled: bool = False) -> None:
        """Readiness and liveness do nothing before; readiness is then looked at at once."""
        if container.readiness is not None:
            self._clock.process(self._work(pod, container, "readiness", container.readiness, settled))
        elif not settled:
            self._container_ready(pod, container, True)
        if container.liveness is not None:
            self._clock.process(self._work(pod, container, "liveness", container.liveness, settled))

    def _work(self, pod: Pod, container: ContainerSpec, kind: probes.Kind, probe: Probe, settled: bool) -> Steps:
        """One probe worker of one run of a container."""
        process, begun_s = pod.process, self._clock.now
        state = probes.worker(kind, str(process))
        if settled:
            state = replace(state, result="success", last=True, run=1)
        if settled and self._settles(pod, probe, state):
            return
        if settled or kind == "liveness":
            yield self._clock.timeout(self._until_tick(pod, probe))
        while self._same(pod, process):
            steady = state.last is True and state.result == "success" and pod.deleting_s is None
            if steady or probes.due(state, probe, self._tick(pod, kind, begun_s)):
                outcome = yield from self._probe(pod, kind, probe)
                if not self._same(pod, process):
                    return
                if not (steady and outcome):
                    before, state = state.result, probes.probed(state, probe, outcome)
                    if (yield from self._judged(pod, container, kind, before, state)) or (outcome and self._settles(pod, probe, state)):
                        return
            yield self._clock.timeout(self._until_tick(pod, probe))

    def _tick(self, pod: Pod, kind: probes.Kind, begun_s: float) -> Tick:
        age_s = self._clock.now - begun_s + 1e-9
        return Tick(container=str(pod.process), age_s=age_s, started=kind != "startup", deleting=pod.deleting_s is not None)

    def _until_tick(self, pod: Pod, probe: Probe) -> float:
        return probes.next_tick(self._added_s[pod.name], probe.period_s, self._clock.now) - self._clock.now

    def _probe(self, pod: Pod, kind: probes.Kind, probe: Probe) -> Generator[Any, Any, bool]:
        """One probe: whether it succeeded. What does not listen refuses; exec asks the process, all else goes through its workers."""
        if not pod.listening or (pod.version.fails == "unready" and kind != "liveness"):
            return False
        if probe.kind == "exec":
            return True
        self._probes += 1
        token = f"{kind}-{self._probes}"
        outcome = self._plane.probe(pod.name, token, float(probe.timeout_s))
        if outcome is None:
            outcome = yield self._expect(pod.name, token)
        return bool(outcome == "ok")

    def _settles(self, pod: Pod, probe: Probe, state: probes.Worker) -> bool:
        """Whether a success can only be followed by successes: nothing limits what the server takes on."""
        return state.result == "success" and (probe.kind == "exec" or pod.version.behaviour.workers is None)

    def _judged(
        self, pod: Pod, container: ContainerSpec, kind: probes.Kind, before: probes.Result, state: probes.Worker
    ) -> Generator[Any, Any, bool]:
        """Act on a changed result; whether the worker has nothing more to do."""
        if state.result == before:
            return False
        if kind == "readiness":
            self._container_ready(pod, container, state.result == "success")
            return False
        if state.result == "success":
            self._after_startup(pod, container)
            return True
        yield from self._unhealthy(pod, kind.capitalize())
        return True

    def _container_ready(self, pod: Pod, container: ContainerSpec, result: bool) -> None:
        ready = self._ready.setdefault(pod.name, set())
        if result:
            ready.add(container.name)
        else:
            ready.discard(container.name)
            self._cluster.event("Pod", pod.name, "Warning", "Unhealthy", f"Readiness probe of {container.name} failed")
        everything = {one.name for one in pod.version.template.containers}
        self._cluster.set_ready(pod, everything <= ready and pod.version.fails != "unready", "" if result else "Unhealthy")

    def _unhealthy(self, pod: Pod, what: str) -> Steps:
        """The container is stopped as gently as a pod that ends, and started again."""
        self._cluster.event("Pod", pod.name, "Warning", "Unhealthy", f"{what} probe failed, the container will be restarted")
        yield from self._stop(pod, pod.version.template.grace_s)
        if not pod.gone:
            self._exited(pod, f"{what} probe failed")

    # -------------------------------------------------------------- ends

    def _exited(self, pod: Pod, reason: str) -> None:
        """The container has ended: not ready at once, started again when back-off allows (6.5)."""
        pod.process += 1
        pod.listening = pod.container_up = False
        stopping = self._waiting.pop((pod.name, "drained"), None)
        if stopping is not None:
            stopping.succeed(reason)
        self._cluster.record(pod, "killed", reason)
        self._cluster.set_ready(pod, False, reason)
        if pod.deleting_s is None:
            self._clock.process(self._restart(pod, pod.process, self._clock.now))

    def _restart(self, pod: Pod, process: int, finished_s: float) -> Steps:
        yield self._clock.timeout(LIFECYCLE_POLL_S)
        count = 0
        while self._alive(pod, process):
            attempt = backoff.restart(self._backoff.get(pod.name), finished_s, self._clock.now)
            if attempt.now and attempt.entry is not None:
                self._backoff[pod.name] = attempt.entry
                pod.restarts += 1
                self._run(pod)
                return
            if count == 0:
                self._cluster.event("Pod", pod.name, "Warning", "BackOff", "Back-off restarting failed container")
            count += 1
            yield self._clock.timeout(10.0 + 5.0 * uniform(self._cluster.spec.seed, "backoff", pod.name, pod.restarts, count))

    def _terminate(self, pod: Pod) -> Steps:
        """6.6: preStop, SIGTERM, the rest of the grace period, SIGKILL, and the object goes."""
        control = self._control
        yield self._clock.timeout(control.kubelet_sync_s)
        if pod.container_up and self._cluster.node_up(pod):
            grace_s = pod.version.template.grace_s if pod.grace_s is None else pod.grace_s
            hook_s = min(grace_s, max((one.prestop_s for one in pod.version.template.containers), default=0.0))
            if hook_s:
                yield self._clock.timeout(hook_s)
            killed = yield from self._stop(pod, max(2.0, grace_s - math.floor(hook_s)))
            if killed:
                self._cluster.record(pod, "killed", killed)
        elif pod.container_up:
            return
        if pod.gone or not self._cluster.node_up(pod):
            return
        yield self._clock.timeout(control.termination_extra_s)
        if self._cluster.node_up(pod):
            self._cluster.remove_pod(pod)

    def _stop(self, pod: Pod, left_s: float) -> Generator[Any, Any, str]:
        """SIGTERM, and SIGKILL when the process is still there after what is left of the grace period; what killed it, "" if nothing."""
        if pod.gone or not pod.container_up:
            return ""
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
                return ""
        self._plane.kill(pod.name)
        self._over(pod)
        return "grace period over" if handled else "SIGTERM"

    def _over(self, pod: Pod) -> None:
        pod.process += 1
        pod.listening = pod.container_up = False
