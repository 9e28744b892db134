"""The world before in motion: processes on hosts, stop-then-start releases, Docker's restarts, lost hosts (model.md 7).

Callers have static lists: what is there at time 0 is routed then and never unrouted. A process that is down is refused by its host; a
host that is lost answers nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from typing import Any

from simulate.control import baseline
from simulate.control.loops.kubelet import CRASH_AFTER_S
from simulate.control.rollout import Status
from simulate.control.state import Clock, Cluster, DataPlane, LiveWorkload, Node, Pod, Version
from simulate.hosts import HostsSpec, Placement
from simulate.spec import Behaviour, Event
from simulate.trace import Trace

SETTLED_AGE_S = 86400.0
"""What runs at time 0 has been running for a day."""

Steps = Generator[Any, Any, None]


class Hosts:
    """All hosts of one run. A pod's `process` number is raised by every start and every end: what belongs to an older run stops."""

    def __init__(self, clock: Clock, spec: HostsSpec, trace: Trace, plane: DataPlane) -> None:
        self.cluster = Cluster(clock, spec, trace)
        self._clock = clock
        self._plane = plane
        self._how = spec.release
        self._placements: dict[str, Placement] = {one.workload: one for one in spec.placements}
        self._restarts: dict[str, baseline.Restarts] = {}
        self._waiting: dict[tuple[str, str], Any] = {}
        self._releases: dict[str, int] = {}
        self._stopped: set[str] = set()
        self._down_until: dict[str, float] = {}
        self._add_hosts(spec)
        self._add_processes(spec)
        self._verbs: Mapping[str, Callable[[Event], None]] = {
            "release": self.release,
            "undo": self.undo,
            "hostLoss": self.host_loss,
            "spike": lambda event: None,
        }
        for event in spec.events:
            clock.after(event.at_s, self._happen, event)

    # -------------------------------------------------------------- before time 0

    def _add_hosts(self, spec: HostsSpec) -> None:
        for pool in spec.pools:
            node = Node(name=pool.name, pool=pool)
            self.cluster.nodes[node.name] = node
            self.cluster.change_node(node, "ready")

    def _add_processes(self, spec: HostsSpec) -> None:
        behaviours = {one.name: one for one in spec.traffic.behaviours}
        for workload in spec.workloads:
            version = Version(number=1, template=workload.template, behaviour=behaviours[workload.behaviour], service=workload.behaviour)
            live = LiveWorkload(key=workload.name, spec=workload, replicas=workload.replicas, version=version, versions=[version])
            self.cluster.workloads[live.key] = live
            for number, host in enumerate(self._placements[live.key].hosts):
                self._settle(live, number, host)
            self._status(live)
        for live in self.cluster.workloads.values():
            lists = dict.fromkeys(proxy for edge in spec.traffic.edges if edge.callee == live.version.service for proxy in edge.proxies)
            for pod in live.pods.values():
                for proxy in lists:
                    self._plane.route(pod.name, proxy)

    def _settle(self, live: LiveWorkload, number: int, host: str) -> None:
        """One instance that has been running for long; instances are counted from 1, as Compose does."""
        name = f"{live.key}-{number + 1}"
        pod = Pod(name=name, workload=live.key, owner=live.key, version=live.version, number=number, created_s=-SETTLED_AGE_S)
        self.cluster.add_pod(pod, live.pods)
        self.cluster.bind(pod, self.cluster.nodes[host], settled=True)
        pod.process, pod.phase, pod.started_s = 1, "Running", -SETTLED_AGE_S
        pod.listening = pod.container_up = True
        self._plane.start(pod, live.version.behaviour, 0.0)
        if live.version.behaviour.warm_time:
            self._plane.warm(pod.name, live.version.behaviour.warm_time[-1][1])
        self.cluster.trace_pod(pod, "running")
        self._ready(pod, True)

    # -------------------------------------------------------------- start

    def _run(self, pod: Pod, state: str) -> None:
        """The container is started; nothing in it listens yet."""
        self._stopped.discard(pod.name)
        pod.process += 1
        pod.container_up = True
        pod.started_s = self._clock.now
        self.cluster.record(pod, state)
        self._plane.occupy(pod)
        self._clock.process(self._boot(pod, pod.process))

    def _boot(self, pod: Pod, process: int) -> Steps:
        behaviour = pod.version.behaviour
        if pod.version.fails == "crash":
            yield self._clock.timeout(CRASH_AFTER_S)
            self._exited(pod, process, "Error", baseline.FAILED)
            return
        if pod.version.fails == "unready":
            return
        if behaviour.start_wait_s:
            yield self._clock.timeout(behaviour.start_wait_s)
        if pod.process != process:
            return
        booted = self._expect(pod, "booted") if behaviour.start_cpu_s > 0 else None
        self._plane.start(pod, behaviour, behaviour.start_cpu_s)
        for at_s, factor in behaviour.warm_time:
            self._clock.after(at_s, self._warm, pod, process, factor)
        if booted is not None:
            yield booted
        if pod.process == process:
            pod.listening = True
            self._ready(pod, True)
            self._status(self._live(pod))
            self._tell(pod, "started", True)

    def _warm(self, pod: Pod, process: int, factor: float) -> None:
        if pod.process == process:
            self._plane.warm(pod.name, factor)

    # -------------------------------------------------------------- what the data plane reports

    def trigger(self, kind: str, name: str, probe: str | None, outcome: str | None) -> None:
        """A process has booted, drained, or run out of memory."""
        pod = self.cluster.pods[name]
        if kind == "oom":
            self._exited(pod, pod.process, "OOMKilled", baseline.KILLED)
        else:
            self._tell(pod, kind, outcome)

    def _expect(self, pod: Pod, what: str) -> Any:
        """The event of a process; who waits for the same already, waits for the same event."""
        if (pod.name, what) not in self._waiting:
            self._waiting[pod.name, what] = self._clock.event()
        return self._waiting[pod.name, what]

    def _tell(self, pod: Pod, what: str, value: Any) -> None:
        waiting = self._waiting.pop((pod.name, what), None)
        if waiting is not None:
            waiting.succeed(value)

    # -------------------------------------------------------------- ends

    def _exited(self, pod: Pod, process: int, reason: str, status: int) -> None:
        """A process has ended by itself: the daemon does as the restart policy says, unless it is being stopped anyway."""
        if pod.process != process or not pod.container_up:
            return
        ran_s = self._clock.now - (pod.started_s or 0.0)
        self._over(pod)
        self.cluster.record(pod, "killed", reason)
        self._ready(pod, False, reason)
        self._status(self._live(pod))
        self._tell(pod, "started", False)
        if pod.name in self._stopped:
            return
        found = baseline.restart(self._placements[pod.workload].restart, self._restarts.get(pod.name, baseline.Restarts()), status, ran_s)
        self._restarts[pod.name] = found.after
        if found.wait_s is None:
            self.cluster.event("Container", pod.name, "Warning", "NotRestarted", f"{reason}: its restart policy leaves it down")
        else:
            self._clock.after(found.wait_s, self._again, pod, pod.process)

    def _again(self, pod: Pod, process: int) -> None:
        if pod.process == process and self.cluster.node_up(pod):
            pod.restarts += 1
            self._run(pod, "restarted")

    def _over(self, pod: Pod) -> None:
        """The process is no more; who waited for its end or its start learns it."""
        pod.process += 1
        pod.listening = pod.container_up = False
        for what in ("drained", "booted"):
            self._tell(pod, what, None)

    def _stop(self, pod: Pod) -> Steps:
        """SIGTERM, and SIGKILL after the stop timeout."""
        process = pod.process
        how = baseline.stopping(pod.container_up, pod.listening, pod.version.behaviour.handles_term)
        if how == "nothing":
            return
        reason = "SIGTERM"
        if how == "drain":
            drained = self._expect(pod, "drained")
            done = self._plane.drain(pod.name, pod.version.behaviour.accept_on_term)
            if not done:
                yield self._clock.timeout(self._placements[pod.workload].stop_s) | drained
            if done or drained.triggered or pod.process != process:
                reason = ""
            else:
                reason = "stop timeout over"
        if pod.process != process:
            return
        if reason:
            self._plane.kill(pod.name)
        self._over(pod)
        self.cluster.record(pod, "stopped", reason)

    # -------------------------------------------------------------- what the scenario makes happen

    def _happen(self, event: Event) -> None:
        said = " ".join(f"{key}={_said(value)}" for key, value in event.arguments.items() if key != "behaviour")
        self.cluster.event("Scenario", event.target, "Normal", event.verb, f"{event.verb} {event.target} {said}".rstrip())
        self._verbs[event.verb](event)

    def release(self, event: Event) -> None:
        """A new version of one service, or of all: stopped, then started. What an image that cannot be had would replace stays."""
        if event.arguments.get("fails") == "pull":
            self.cluster.event("Release", event.target, "Warning", "ErrImagePull", "the image cannot be had: nothing is stopped")
            return
        for live in self._targets(event):
            live.versions.append(_changed(live, event))
            live.version = live.versions[-1]
        self._begin(event)

    def undo(self, event: Event) -> None:
        """The version before is released again."""
        for live in self._targets(event):
            before = [one for one in live.versions if one.number != live.version.number]
            if before:
                live.version = before[-1]
        self._begin(event)

    def _targets(self, event: Event) -> list[LiveWorkload]:
        return [live for key, live in self.cluster.workloads.items() if event.target in ("all", key)]

    def _begin(self, event: Event) -> None:
        """A newer release of a service ends an older one that still goes on."""
        turns = {}
        for live in self._targets(event):
            turns[live.key] = self._releases[live.key] = self._releases.get(live.key, 0) + 1
        instances = {key: tuple(live.pods) for key, live in self.cluster.workloads.items()}
        groups = baseline.release_groups(self._how, event.target, instances)
        self._clock.process(self._go_on(groups, turns))

    def _go_on(self, groups: tuple[tuple[str, ...], ...], turns: Mapping[str, int]) -> Steps:
        """Group after group; what does not start ends the release there."""
        for group in groups:
            started = []
            for name in group:
                pod = self.cluster.pods[name]
                done = self._clock.event()
                self._clock.process(self._replace(pod, turns[pod.workload], done))
                started.append(done)
            for done in started:
                yield done
            if not all(done.value for done in started):
                left = ", ".join(name for later in groups[groups.index(group) + 1 :] for name in later)
                self.cluster.event(
                    "Release", group[0], "Warning", "ReleaseStopped", f"overtaken, or not started; left as they were: {left or 'none'}"
                )
                return

    def _replace(self, pod: Pod, turn: int, done: Any) -> Steps:
        """Stop one process and start its successor; `done` tells whether that listens."""
        live = self._live(pod)
        self._tell(pod, "started", False)
        self._stopped.add(pod.name)
        self.cluster.record(pod, "stopping", "release")
        self._ready(pod, False, "release")
        self._status(live)
        yield from self._stop(pod)
        if self._how.image_s:
            yield self._clock.timeout(self._how.image_s)
        if self._releases[live.key] != turn or not self.cluster.node_up(pod):
            done.succeed(False)
            return
        pod.version = live.version
        self._restarts.pop(pod.name, None)
        self._status(live)
        started = self._expect(pod, "started")
        self._run(pod, "running")
        done.succeed((yield started))

    def host_loss(self, event: Event) -> None:
        """The machine is gone, for a while or for ever; what its restart policy covers starts with it."""
        node = self.cluster.nodes[event.target]
        lasting_s = event.arguments.get("for")
        until_s = math.inf if lasting_s is None else self._clock.now + float(lasting_s)
        self._down_until[node.name] = max(until_s, self._down_until.get(node.name, 0.0))
        if node.up:
            node.up = False
            self.cluster.change_node(node, "lost")
            for pod in node.pods.values():
                self._lost(pod)
        if lasting_s is not None:
            self._clock.after(float(lasting_s), self._back, node)

    def _lost(self, pod: Pod) -> None:
        was_up = pod.container_up
        self._plane.lose(pod.name)
        self._over(pod)
        if was_up:
            self.cluster.record(pod, "killed", "host lost")
        self._ready(pod, False, "host lost")
        self._status(self._live(pod))
        self._tell(pod, "started", False)

    def _back(self, node: Node) -> None:
        if node.up or self._clock.now < self._down_until[node.name]:
            return
        node.up = True
        self.cluster.change_node(node, "ready")
        for pod in node.pods.values():
            self._plane.kill(pod.name)
            self._restarts.pop(pod.name, None)
            if baseline.starts_at_boot(self._placements[pod.workload].restart):
                self._run(pod, "restarted")

    # -------------------------------------------------------------- what is written

    def _live(self, pod: Pod) -> LiveWorkload:
        return self.cluster.workloads[pod.workload]

    def _ready(self, pod: Pod, ready: bool, reason: str = "") -> None:
        pod.ready_containers = int(ready)
        self.cluster.set_ready(pod, ready, reason)

    def _status(self, live: LiveWorkload) -> None:
        pods = live.pods.values()
        ready = sum(pod.ready for pod in pods)
        updated = sum(pod.version.number == live.version.number for pod in pods)
        self.cluster.status_workload(live, Status(replicas=len(pods), updated=updated, ready=ready, available=ready))


def _changed(live: LiveWorkload, event: Event) -> Version:
    """The next version of a service by what the release says; the image goes to the first container."""
    template = live.version.template
    if "image" in event.arguments:
        first = replace(template.containers[0], image=str(event.arguments["image"]))
        template = replace(template, containers=(first, *template.containers[1:]))
    said = event.arguments.get("behaviour")
    return Version(
        number=len(live.versions) + 1,
        template=template,
        behaviour=said if isinstance(said, Behaviour) else live.version.behaviour,
        service=live.version.service,
        fails=event.arguments.get("fails"),
    )


def _said(value: Any) -> str:
    return f"{value:g}s" if isinstance(value, float) else str(value)
