"""The kubelets: pods start, are probed, restart and end on their nodes (kubernetes-semantics.md 6)."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from simulate.control import backoff, images, lifecycle, probes
from simulate.control.draws import uniform
from simulate.control.loops.finite import Finite
from simulate.control.loops.images import Images
from simulate.control.probes import Tick
from simulate.control.state import Cluster, DataPlane, Node, Pod
from simulate.spec import ContainerSpec, Probe

LIFECYCLE_POLL_S = 1.0
"""How late a kubelet notices that a container has ended (6.5, 10)."""

CRASH_AFTER_S = 1.0
"""How long the process of an image that `fails: crash` lives after it has begun to start."""

RESYNC_S = (10.0, 5.0)
"""A pod worker that ended with an error runs again after the first, and up to the second more (6.5)."""

Steps = Generator[Any, Any, None]


class KubeletLoop:
    """All kubelets. A pod's `process` number is raised by every start and every end of its server: what belongs to an older run stops.

    The data plane knows one process a pod, that of `lifecycle.server`. Other containers run and answer their probes as soon as they are
    started, and end as soon as they are told to. What belongs to them ends with the pod's `life` on its node.
    """

    def __init__(self, cluster: Cluster, plane: DataPlane) -> None:
        self._cluster = cluster
        self._clock = cluster.clock
        self._plane = plane
        self._control = cluster.spec.control
        self._waiting: dict[tuple[str, str], Any] = {}
        self.images = Images(cluster)
        self._life: dict[str, int] = {}
        self._turns: dict[tuple[str, int], list[lifecycle.Start]] = {}
        self._gates_open: set[str] = set()
        self._restart_windows = backoff.restart_windows(self._control.restart_period_max_s, self._control.reduced_restart_decay)
        self._added_s: dict[str, float] = {}
        self._backoff: dict[str, backoff.Entry] = {}
        self._probes = 0
        self._ready: dict[str, set[str]] = {}
        self.on_process: list[Callable[[Pod], None]] = []
        self.finite: Finite | None = None
        cluster.watch_pods(self._pod_changed, states=("scheduled", "terminating", "deleted"))

    # -------------------------------------------------------------- from outside

    def _pod_changed(self, pod: Pod, state: str) -> None:
        if state == "scheduled":
            self.begin(pod)
        elif state == "terminating" and self._cluster.node_up(pod):
            self._clock.process(self._terminate(pod), self._control.kubelet_sync_s)
        elif state == "deleted":
            self._added_s.pop(pod.name, None)
            self._backoff.pop(pod.name, None)
            self._ready.pop(pod.name, None)
            self._life.pop(pod.name, None)
            self._gates_open.discard(pod.name)

    def begin(self, pod: Pod) -> None:
        """The kubelet of its node hears of a pod that is bound to it."""
        self._clock.process(self._start(pod, self._life.get(pod.name, 0)), self._control.kubelet_sync_s)

    def settle(self, pod: Pod) -> None:
        """Make a bound pod one that has been running and ready for long."""
        pod.process += 1
        pod.phase = "Running"
        pod.started_s = pod.ready_since_s = pod.created_s
        pod.listening = pod.container_up = True
        template = pod.version.template
        self._ready[pod.name] = {one.name for one in template.containers}
        pod.ready_containers = len(template.containers)
        self._gates_open.add(pod.name)
        self._added_s[pod.name] = pod.created_s + 0.001 * pod.number
        self._cluster.nodes[str(pod.node)].images.update(one.image for one in (*template.init_containers, *template.containers))
        self._plane.start(pod, pod.version.behaviour, 0.0)
        if pod.version.behaviour.warm_time:
            self._plane.warm(pod.name, pod.version.behaviour.warm_time[-1][1])
        pod.ready = True
        self._cluster.trace_pod(pod, "running")
        self._cluster.trace_pod(pod, "ready")
        for watcher in self.on_process:
            watcher(pod)
        for container in template.containers:
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
                self._clock.after(self._control.termination_extra_s, self._cluster.remove_pod, pod)
            elif pod.phase == "Running":
                self._exited(pod, "NodeRestarted")
            else:
                self.begin(pod)

    def node_lost(self, node: Node) -> None:
        """Nothing of the node answers any more; nobody is told."""
        for pod in node.pods.values():
            known = pod.phase == "Running" or pod.container_up
            pod.process += 1
            self._life[pod.name] = self._life.get(pod.name, 0) + 1
            pod.listening = pod.container_up = False
            if known:
                self._plane.lose(pod.name)

    # -------------------------------------------------------------- start

    def _alive(self, pod: Pod, process: int) -> bool:
        return self._cluster.node_up(pod) and not pod.gone and pod.deleting_s is None and pod.process == process

    def _going(self, pod: Pod, life: int) -> bool:
        return self._cluster.node_up(pod) and not pod.gone and pod.deleting_s is None and self._life.get(pod.name, 0) == life

    def _start(self, pod: Pod, life: int) -> Steps:
        """6.1: sandbox, init containers and sidecars in their order, then the others, each with its image and its postStart hook."""
        turns = self._turns_of(pod)
        first = sum([turn.role != "main" for turn in turns])
        self._added_s.setdefault(pod.name, self._clock.now)
        pod.started_s = self._cluster.stamp()
        if first and self._going(pod, life):
            self._initializing(pod, 0, first)
        yield self._control.sandbox_s
        for position, (container, role) in enumerate(turns):
            if first and self._going(pod, life):
                self._initializing(pod, position, first)
            yield from self._pull(pod, container, life)
            if not self._going(pod, life):
                return
            if role == "init":
                if self.finite is not None:
                    yield from self.finite.wait(pod, container.name)
                yield dict(pod.version.behaviour.init_s).get(container.name, 0.0)
            else:
                yield from self._begin(pod, container, role, container is turns[-1].container)

    def _turns_of(self, pod: Pod) -> list[lifecycle.Start]:
        """Made once for all pods of a version."""
        key = pod.workload, pod.version.number
        turns = self._turns.get(key)
        if turns is None:
            turns = self._turns[key] = list(lifecycle.start_order(pod.version.template))
        return turns

    def _initializing(self, pod: Pod, position: int, count: int) -> None:
        """What kubectl shows until the ordinary containers start; sidecars are init containers there."""
        reason = f"Init:{position}/{count}" if position < count else "PodInitializing"
        if pod.message != reason:
            pod.message = reason
            self._cluster.trace_pod(pod, "initializing", reason)

    def _begin(self, pod: Pod, container: ContainerSpec, role: lifecycle.Role, last: bool) -> Steps:
        """Start one container; its turn is over with its postStart hook, a sidecar's with its startup probe."""
        started = self._expect(pod.name, f"started {container.name}") if role == "sidecar" and container.startup is not None else None
        if container.poststart_s:
            yield container.poststart_s
        if pod.gone or pod.deleting_s is not None or not self._cluster.node_up(pod):
            return
        if container is self._server(pod):
            self._run(pod, running=last)
        else:
            if last:
                self._running(pod)
            self._watch_container(pod, container)
        if started is not None:
            yield started

    def _server(self, pod: Pod) -> ContainerSpec:
        return lifecycle.server(pod.version.template)

    def _pull(self, pod: Pod, container: ContainerSpec, life: int) -> Steps:
        """6.2: what failed is tried again by a later run of the pod worker, when the window of its back-off is over."""
        entry: backoff.Entry | None = None
        runs = 0
        while self._going(pod, life):
            node = self._cluster.nodes[str(pod.node)]
            now = self._clock.now
            attempt = backoff.pull(entry, now)
            if attempt.now:
                failure = yield from self._image(pod, container, node)
                if not failure:
                    return
                if failure != images.NEVER:
                    entry = backoff.failed(entry, self._clock.now, self._clock.now, backoff.PULL_INITIAL_S, backoff.PULL_MAXIMUM_S)
                self._not_pulled(pod, container, failure)
            elif pod.message != "ImagePullBackOff":
                pod.message = "ImagePullBackOff"
                self._cluster.record(pod, "pulling", "ImagePullBackOff")
                self._cluster.event("Pod", pod.name, "Normal", "BackOff", f'{_of(container)}Back-off pulling image "{container.image}"')
            runs += 1
            spread = uniform(self._cluster.spec.seed, "pull", pod.name, container.name, runs)
            yield RESYNC_S[0] + RESYNC_S[1] * spread

    def _image(self, pod: Pod, container: ContainerSpec, node: Node) -> Generator[Any, Any, str]:
        """One attempt: "" when the image is there and may be used, else why not."""
        wanted = images.need(container.pull_policy, container.image in node.images)
        if wanted == "refused":
            return images.NEVER
        if pod.version.fails == "pull" and container.image == pod.version.image:
            return images.NOT_FOUND
        if wanted == "answer" and self.images.registry_factor is None:
            return images.NO_ANSWER
        if wanted != "image":
            return ""
        return (yield from self.images.fetch(pod, container.image, node))

    def _not_pulled(self, pod: Pod, container: ContainerSpec, failure: str) -> None:
        never = failure == images.NEVER
        pod.message = "ErrImageNeverPull" if never else "ErrImagePull"
        text = f'Container image "{container.image}" is not present with pull policy of Never'
        said = text if never else f'Failed to pull image "{container.image}": {failure}'
        self._cluster.record(pod, "pulling", pod.message)
        self._cluster.event("Pod", pod.name, "Warning", "ErrImageNeverPull" if never else "Failed", _of(container) + said)

    def _running(self, pod: Pod) -> None:
        pod.phase = "Running"
        self._cluster.record(pod, "restarted" if pod.restarts else "running")

    def _run(self, pod: Pod, running: bool = True) -> None:
        """The server is started; `running`: no other container of the pod is still to be started."""
        server = self._server(pod)
        pod.process += 1
        pod.container_up = True
        self._ready.setdefault(pod.name, set()).discard(server.name)
        if running:
            self._running(pod)
        self._clock.process(self._boot(pod, pod.process))
        self._watch_container(pod, server)

    def _boot(self, pod: Pod, process: int) -> Steps:
        behaviour = pod.version.behaviour
        self._plane.occupy(pod)
        if self.finite is not None and self.finite.takes(pod):
            for watcher in self.on_process:
                watcher(pod)
            yield from self.finite.run(pod, lambda: self._expect(pod.name, "booted"), self._exited)
            return
        if pod.version.fails == "crash":
            yield CRASH_AFTER_S
            if pod.process == process and not pod.gone:
                self._exited(pod, "Error")
            return
        yield behaviour.start_wait_s
        if not self._same(pod, process):
            return
        booted = self._expect(pod.name, "booted") if behaviour.start_cpu_s > 0 else None
        self._plane.start(pod, behaviour, behaviour.start_cpu_s)
        for at_s, factor in behaviour.warm_time:
            self._clock.after(at_s, self._warm, pod, process, factor)
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

    def _number(self, pod: Pod, container: ContainerSpec) -> int:
        """Which run of a container this is."""
        return pod.process if container is self._server(pod) else -1 - self._life.get(pod.name, 0)

    def _holds(self, pod: Pod, number: int) -> bool:
        """Whether that run goes on."""
        return not pod.gone and number == (pod.process if number >= 0 else -1 - self._life.get(pod.name, 0))

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
        waiting = self._waiting.pop((pod.name, f"started {container.name}"), None)
        if waiting is not None:
            waiting.succeed()
        if container.readiness is not None:
            self._begin_work(pod, container, "readiness", container.readiness, settled)
        elif not settled:
            self._container_ready(pod, container, True)
        if container.liveness is not None:
            self._begin_work(pod, container, "liveness", container.liveness, settled)

    def _begin_work(self, pod: Pod, container: ContainerSpec, kind: probes.Kind, probe: Probe, settled: bool) -> None:
        """A worker whose first success lies long ago, and that can see nothing else, has nothing to do."""
        if not (settled and self._settles(pod, container, probe, "success")):
            self._clock.process(self._work(pod, container, kind, probe, settled))

    def _work(self, pod: Pod, container: ContainerSpec, kind: probes.Kind, probe: Probe, settled: bool) -> Steps:
        """One probe worker of one run of a container. Its ticks are those of the pod's arrival; a readiness worker is triggered when the
        container is seen started, and counts its ticks from there."""
        number, begun_s = self._number(pod, container), self._clock.now
        state = probes.worker(kind, str(number))
        if settled:
            state = state._replace(result="success", last=True, run=1)
        phase_s = begun_s if kind == "readiness" and not settled else self._added_s[pod.name]
        if settled or kind != "readiness":
            yield self._until_tick(phase_s, probe)
        while self._holds(pod, number):
            steady = state.last is True and state.result == "success" and pod.deleting_s is None
            if steady or probes.due(state, probe, self._tick(pod, kind, begun_s, number)):
                outcome = yield from self._probe(pod, container, kind, probe)
                if not self._holds(pod, number):
                    return
                if not (steady and outcome):
                    before, state = state.result, probes.probed(state, probe, outcome)
                    over = yield from self._judged(pod, container, kind, probe, before, state)
                    if over or (outcome and self._settles(pod, container, probe, state.result)):
                        return
            yield self._until_tick(phase_s, probe)

    def _tick(self, pod: Pod, kind: probes.Kind, begun_s: float, number: int) -> Tick:
        age_s = self._clock.now - begun_s + 1e-9
        return Tick(str(number), age_s, kind != "startup", pod.deleting_s is not None)

    def _until_tick(self, phase_s: float, probe: Probe) -> float:
        return probes.next_tick(phase_s, probe.period_s, self._clock.now) - self._clock.now

    def _probe(self, pod: Pod, container: ContainerSpec, kind: probes.Kind, probe: Probe) -> Generator[Any, Any, bool]:
        """One probe: whether it succeeded. What does not listen refuses; exec asks the process, all else goes through its workers."""
        if container is not self._server(pod):
            return True
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

    def _settles(self, pod: Pod, container: ContainerSpec, probe: Probe, result: probes.Result) -> bool:
        """Whether a success can only be followed by successes: nothing limits what the server takes on."""
        if result != "success":
            return False
        return probe.kind == "exec" or pod.version.behaviour.workers is None or container is not self._server(pod)

    def _judged(
        self, pod: Pod, container: ContainerSpec, kind: probes.Kind, probe: Probe, before: probes.Result, state: probes.Worker
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
        yield from self._unhealthy(pod, container, kind, probe)
        return True

    def _container_ready(self, pod: Pod, container: ContainerSpec, result: bool) -> None:
        """6.4: the pod is ready when all containers are and every gate is open."""
        ready, before = self._ready.setdefault(pod.name, set()), pod.ready_containers
        if result:
            ready.add(container.name)
        else:
            ready.discard(container.name)
            self._cluster.event("Pod", pod.name, "Warning", "Unhealthy", f"{_of(container)}Readiness probe failed")
        pod.ready_containers = len(ready)
        complete = len(ready) == len(pod.version.template.containers) and pod.version.fails != "unready"
        if complete and pod.version.template.gates and pod.name not in self._gates_open:
            lasting = dict(pod.version.behaviour.gates_s)
            delay_s = max(lasting.get(gate, 0.0) for gate in pod.version.template.gates)
            self._clock.after(delay_s, self._open_gates, pod, self._life.get(pod.name, 0))
            complete = False
        if before != pod.ready_containers and complete == pod.ready:
            self._cluster.trace_pod(pod, "containers")
        self._cluster.set_ready(pod, complete, "" if result else "Unhealthy")

    def _open_gates(self, pod: Pod, life: int) -> None:
        """Whoever sets the conditions of the gates has seen the containers ready. An open gate stays open."""
        if pod.gone or self._life.get(pod.name, 0) != life:
            return
        self._gates_open.add(pod.name)
        if pod.container_up and pod.ready_containers == len(pod.version.template.containers):
            self._cluster.set_ready(pod, True)

    def _unhealthy(self, pod: Pod, container: ContainerSpec, kind: probes.Kind, probe: Probe) -> Steps:
        """The container is stopped as gently as a pod that ends, or as its probe says, and started again."""
        what = kind.capitalize()
        said = f"{_of(container)}Container {container.name} failed {kind} probe, will be restarted"
        self._cluster.event("Pod", pod.name, "Warning", "Unhealthy", f"{_of(container)}{what} probe failed")
        self._cluster.event("Pod", pod.name, "Normal", "Killing", said)
        grace_s = pod.version.template.grace_s if probe.grace_s is None else probe.grace_s
        plan, process = lifecycle.stop(grace_s, container.prestop_s), pod.process
        if plan.term_s:
            yield plan.term_s
        if self._same(pod, process):
            yield from self._stop(pod, plan.left_s)
        if not pod.gone and pod.deleting_s is None:
            self._exited(pod, f"{what} probe failed")

    # -------------------------------------------------------------- ends

    def _exited(self, pod: Pod, reason: str) -> None:
        """The container has ended: not ready at once, started again when back-off allows (6.5)."""
        pod.process += 1
        pod.listening = pod.container_up = False
        stopping = self._waiting.pop((pod.name, "drained"), None)
        if stopping is not None:
            stopping.succeed(reason)
        ready = self._ready.setdefault(pod.name, set())
        ready.discard(self._server(pod).name)
        pod.ready_containers = len(ready)
        self._cluster.record(pod, "killed", reason)
        if self.finite is not None and self.finite.takes(pod) and self.finite.exited(pod, reason):
            return
        self._cluster.set_ready(pod, False, reason)
        if pod.deleting_s is None:
            self._clock.process(self._restart(pod, pod.process, self._clock.now))

    def _restart(self, pod: Pod, process: int, finished_s: float) -> Steps:
        yield LIFECYCLE_POLL_S
        count = 0
        while self._alive(pod, process):
            attempt = backoff.restart(self._backoff.get(pod.name), finished_s, self._clock.now, *self._restart_windows)
            if attempt.now and attempt.entry is not None:
                self._backoff[pod.name] = attempt.entry
                pod.restarts += 1
                self._run(pod)
                return
            if count == 0:
                self._cluster.trace_pod(pod, "waiting", "CrashLoopBackOff")
                server, namespace = self._server(pod), self._cluster.workloads[pod.workload].spec.namespace
                said = f"{_of(server)}Back-off restarting failed container {server.name} in pod {pod.name}_{namespace}"
                self._cluster.event("Pod", pod.name, "Warning", "BackOff", said)
            count += 1
            yield RESYNC_S[0] + RESYNC_S[1] * uniform(self._cluster.spec.seed, "backoff", pod.name, pod.restarts, count)

    def _terminate(self, pod: Pod) -> Steps:
        """6.6: preStop, SIGTERM, the rest of the grace period, SIGKILL, and the object goes with its last container."""
        control, template = self._control, pod.version.template
        begun_s = self._clock.now
        grace_s = template.grace_s if pod.grace_s is None else pod.grace_s
        if pod.container_up and self._cluster.node_up(pod):
            plan = lifecycle.stop(grace_s, self._server(pod).prestop_s)
            if plan.term_s:
                yield plan.term_s
            killed = yield from self._stop(pod, plan.left_s)
            if killed:
                self._cluster.record(pod, "killed", killed)
        elif pod.container_up:
            return
        if len(template.containers) > 1 and pod.phase == "Running":
            ended_s = self._clock.now - begun_s
            others = [lifecycle.stop(grace_s, one.prestop_s).term_s for one in template.containers if one is not self._server(pod)]
            if max(others) > ended_s:
                yield max(others) - ended_s
        if pod.gone or not self._cluster.node_up(pod):
            return
        yield control.termination_extra_s
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


def _of(container: ContainerSpec) -> str:
    """The part of a pod that an event is about, as `kubectl describe` writes it before the message (1.35 and later)."""
    return f"spec.containers{{{container.name}}}: "
