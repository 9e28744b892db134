"""The live machinery of one run: pods, ReplicaSets, workloads and nodes as the API server holds them, and who watches them.

Everything here is mutable and lives for one run. `Cluster` writes: each write changes an object, leaves a record in the trace and
tells the watchers at once; how long a watch takes is the watchers' business.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from simulate.control.leader import Leader
from simulate.control.placement_view import Taint
from simulate.control.replicaset import Expectations
from simulate.control.rollout import Condition, Status
from simulate.spec import Behaviour, ClusterSpec, NodePool, PodTemplate, Workload
from simulate.trace import EventRecord, NodeRecord, PodRecord, RevisionRecord, ScaleRecord, StatusRecord, Trace

record_of = tuple.__new__
"""`record_of(PodRecord, (...))` makes a named tuple of all its values without a call of Python code: there are hundreds of thousands."""


class Clock(Protocol):
    """What the loops need of a discrete-event environment."""

    @property
    def now(self) -> float:
        """Seconds since the start of the run."""

    def after(self, delay_s: float, action: Callable[..., object], *arguments: Any) -> None:
        """Do something after a delay; one below 0 is none."""

    def timeout(self, delay: float) -> Any:
        """An event that happens after `delay` seconds."""

    def event(self) -> Any:
        """An event that somebody makes happen."""

    def process(self, steps: Generator[Any, Any, Any], delay_s: float = 0.0) -> Any:
        """Run a process, from now on or after a delay."""


def release(version: str) -> int:
    """The minor number of a Kubernetes version; 36 where there is none.

    >>> release("v1.37.2"), release("1.36")
    (37, 36)
    """
    parts = version.lstrip("v").split(".")
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 36


class DataPlane(Protocol):
    """What the control plane asks of the data plane, now (the engine knows the time). Both `bool` mean: it happened at once."""

    def start(self, pod: Pod, behaviour: Behaviour, boot_cpu_s: float) -> None:
        """A new process."""

    def warm(self, pod: str, factor: float) -> None:
        """The process runs at `factor` of its usual speed from now on."""

    def occupy(self, pod: Pod) -> None:
        """The container runs and nothing in it listens yet: who is sent there is refused."""

    def route(self, pod: str, proxy: str) -> None:
        """A proxy learns of the pod."""

    def unroute(self, pod: str, proxy: str) -> None:
        """A proxy forgets the pod."""

    def drain(self, pod: str, accept: bool) -> bool:
        """SIGTERM to a process that handles it."""

    def kill(self, pod: str) -> None:
        """SIGKILL."""

    def lose(self, pod: str) -> None:
        """The host is gone."""

    def probe(self, pod: str, name: str, timeout_s: float) -> str | None:
        """A request of the kubelet; its outcome if it ended at once."""

    def read(self) -> Mapping[str, tuple[float, float]]:
        """(CPU seconds, bytes of memory) of every pod."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One template of a workload: `number` counts from 1; `fails` tells how a bad image fails (pull, crash, unready); `cause`: what
    the annotation kubernetes.io/change-cause said when it came."""

    number: int
    template: PodTemplate
    behaviour: Behaviour
    service: str
    fails: str | None = None
    cause: str | None = field(default=None, compare=False)

    @property
    def image(self) -> str:
        """Image of the first container."""
        return self.template.containers[0].image if self.template.containers else ""


@dataclass(slots=True, kw_only=True, eq=False)
class Pod:
    """A pod object. Times are those of the clock; the stored ones (`ready_since_s`, `started_s`, `finished_s`) are whole API seconds.

    `index` of an Indexed Job; `exit_code` of its last container that ended; `ending`: why it is being deleted.
    """

    name: str
    workload: str
    owner: str
    version: Version
    number: int
    created_s: float
    node: str | None = None
    phase: str = "Pending"
    ready: bool = False
    ready_containers: int = 0
    ready_since_s: float | None = None
    unready_since_s: float | None = None
    started_s: float | None = None
    deleting_s: float | None = None
    grace_s: float | None = None
    restarts: int = 0
    gone: bool = False
    process: int = 0
    listening: bool = False
    container_up: bool = False
    message: str = ""
    nominated: str = ""
    meant: str = ""
    cost: int = 0
    index: int | None = None
    exit_code: int | None = None
    finished_s: float | None = None
    ending: str = ""

    @property
    def uid(self) -> str:
        """Names are not used twice while a pod is there."""
        return self.name

    @property
    def priority(self) -> int:
        """Of its template; as the API server resolves a PriorityClass."""
        return self.version.template.priority

    @property
    def active(self) -> bool:
        """Neither ended nor being deleted."""
        return self.deleting_s is None and self.phase not in ("Failed", "Succeeded")


class Tally:
    """A set's pods as its controller counts them, kept as they are written: `active`, of them `ready`, and `terminating`; by name."""

    __slots__ = ("active", "ready", "terminating")

    def __init__(self) -> None:
        self.active: dict[str, Pod] = {}
        self.ready: dict[str, Pod] = {}
        self.terminating: dict[str, Pod] = {}

    def count(self, pod: Pod) -> None:
        """A pod of the set was written."""
        name = pod.name
        if pod.active and not pod.gone:
            self.active[name] = pod
            if pod.ready:
                self.ready[name] = pod
            else:
                self.ready.pop(name, None)
            return
        self.active.pop(name, None)
        self.ready.pop(name, None)
        if pod.deleting_s is not None and not pod.gone:
            self.terminating[name] = pod
        else:
            self.terminating.pop(name, None)


@dataclass(slots=True, kw_only=True, eq=False)
class ReplicaSet:
    """A ReplicaSet with its last status; `pods` are all its pod objects, terminating ones too, `writes` counts those of its spec.

    `failure`: the message of its condition ReplicaFailure, "" without it.
    """

    name: str
    workload: str
    version: Version
    size: int
    created_s: float
    revision: int
    desired: int | None = None
    maximum: int | None = None
    replicas: int = 0
    ready: int = 0
    available: int = 0
    terminating: int = 0
    observed: bool = False
    failure: str = ""
    writes: int = 0
    next_number: int = 0
    pods: dict[str, Pod] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    expectations: Expectations = field(default_factory=Expectations)


@dataclass(slots=True, kw_only=True, eq=False)
class LiveWorkload:
    """A workload with its present wishes and its last status. `versions` are all templates so far, `current` the present one."""

    key: str
    spec: Workload
    replicas: int
    version: Version
    versions: list[Version]
    paused: bool = False
    max_surge: int | str = "25%"
    max_unavailable: int | str = "25%"
    status: Status = field(default_factory=Status)
    sets: dict[str, ReplicaSet] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    current_revision: int = 1
    failure: str = ""

    @property
    def current_set(self) -> ReplicaSet | None:
        """The ReplicaSet of the present template."""
        number = self.version.number
        for one in self.sets.values():
            if one.version.number == number:
                return one
        return None

    def all_pods(self) -> list[Pod]:
        """Every pod object of the workload."""
        return [pod for one in self.sets.values() for pod in one.pods.values()] + list(self.pods.values())


@dataclass(slots=True, kw_only=True, eq=False)
class Node:
    """A node. `up`: the machine runs; `ready`: the control plane believes it; `cordoned`: nothing new is placed on it.

    `taints` are those that were put on it, besides its pool's.
    """

    name: str
    pool: NodePool
    zone: str | None = None
    up: bool = True
    ready: bool = True
    cordoned: bool = False
    taints: tuple[Taint, ...] = ()
    pods: dict[str, Pod] = field(default_factory=dict)
    images: set[str] = field(default_factory=set)


PodWatcher = Callable[[Pod, str], None]
"""Is told of a pod and of the state that was written."""


class Cluster:
    """The API server of one run. `fraction_s` is the position of time 0 within its wall-clock second (API times are whole seconds)."""

    def __init__(self, clock: Clock, spec: ClusterSpec, trace: Trace, fraction_s: float = 0.0) -> None:
        self.clock = clock
        self.spec = spec
        self.trace = trace
        self.fraction_s = fraction_s
        self.workloads: dict[str, LiveWorkload] = {}
        self.pods: dict[str, Pod] = {}
        self.nodes: dict[str, Node] = {}
        self.metrics_down = False
        self.leader = Leader()
        self.admission: Callable[[Pod], str] | None = None
        self.set_admission: Callable[[str, str], str] | None = None
        self._recorded: dict[str, tuple[int, ...]] = {}
        self._pod_watchers: list[tuple[PodWatcher, frozenset[str], frozenset[str]]] = []
        self._watching: dict[tuple[str, str], tuple[PodWatcher, ...]] = {}
        self.on_set: list[Callable[[ReplicaSet], None]] = []
        self.on_workload: list[Callable[[LiveWorkload], None]] = []
        self.on_node: list[Callable[[Node], None]] = []
        self.written: dict[str, None] = {}
        """Workloads of which pods were written since somebody has emptied it."""

    def stamp(self, t_s: float | None = None) -> float:
        """The time that the API stores for `t_s` (now): rounded down to a whole second of the wall clock."""
        t = self.clock.now if t_s is None else t_s
        return math.floor(t + self.fraction_s + 1e-9) - self.fraction_s

    # -------------------------------------------------------------- pods

    def watch_pods(self, watcher: PodWatcher, *, states: Iterable[str] = (), kinds: Iterable[str] = ()) -> None:
        """Tell of every pod that is written, in the order of asking; only of these states and kinds of workloads, if any are named."""
        self._pod_watchers.append((watcher, frozenset(states), frozenset(kinds)))
        self._watching.clear()

    def _watchers(self, kind: str, state: str) -> tuple[PodWatcher, ...]:
        found = tuple(
            watcher
            for watcher, states, kinds in self._pod_watchers
            if (not states or state in states) and (not kinds or kind in kinds)
        )  # fmt: skip
        self._watching[kind, state] = found
        return found

    def record(self, pod: Pod, state: str, reason: str = "") -> None:
        """A pod changed: leave a record and tell the watchers."""
        self.trace_pod(pod, state, reason)
        live = self.workloads[pod.workload]
        one = live.sets.get(pod.owner)
        if one is not None:
            one.tally.count(pod)
        kind = live.spec.kind
        watchers = self._watching.get((kind, state))
        for watcher in self._watchers(kind, state) if watchers is None else watchers:
            watcher(pod, state)

    def trace_pod(self, pod: Pod, state: str, reason: str = "") -> None:
        """Leave a record only."""
        self.written[pod.workload] = None
        owner = pod.owner if pod.owner != pod.workload else ""
        containers = len(pod.version.template.containers)
        values = (self.clock.now, pod.name, pod.workload, owner, state, pod.node, reason, pod.ready_containers, containers)
        self.trace.pods.append(record_of(PodRecord, values))

    def guarded(self, workload: str) -> bool:
        """Whether pods of a workload may be refused: its namespace has a LimitRange or a quota."""
        namespace = self.workloads[workload].spec.namespace if self.admission is not None else ""
        return bool(namespace) and namespace in {one.namespace for one in self.spec.ranges} | {one.namespace for one in self.spec.quotas}

    def refusal(self, pod: Pod) -> str:
        """Why admission does not let a pod be created, "" if it does; the one who asks creates it then."""
        return "" if self.admission is None else self.admission(pod)

    def set_refusal(self, workload: str, name: str) -> str:
        """The same for a ReplicaSet of this name."""
        return "" if self.set_admission is None else self.set_admission(workload, name)

    def add_pod(self, pod: Pod, home: dict[str, Pod]) -> None:
        """A pod object is created."""
        self.pods[pod.name] = pod
        home[pod.name] = pod
        self.record(pod, "created")

    def bind(self, pod: Pod, node: Node, *, settled: bool = False) -> None:
        """The scheduler's decision; `settled` before the run begins, when nobody is to act on it."""
        pod.node = node.name
        pod.message = ""
        node.pods[pod.name] = pod
        if settled:
            self.trace_pod(pod, "scheduled")
            return
        self.record(pod, "scheduled")
        place = f"{self.workloads[pod.workload].spec.namespace}/{pod.name}"
        self.event("Pod", pod.name, "Normal", "Scheduled", f"Successfully assigned {place} to {node.name}")

    def set_ready(self, pod: Pod, ready: bool, reason: str = "") -> None:
        """Write the Ready condition; nothing happens when it is so already."""
        if pod.ready == ready or pod.gone:
            return
        pod.ready = ready
        stamp = self.stamp()
        pod.ready_since_s, pod.unready_since_s = (stamp, None) if ready else (None, stamp)
        self.record(pod, "ready" if ready else "unready", reason)

    def delete_pod(self, pod: Pod, reason: str) -> None:
        """Set the deletion timestamp; a pod that was never bound disappears at once."""
        if pod.deleting_s is not None or pod.gone:
            return
        pod.deleting_s = self.clock.now
        pod.ending = reason
        self.record(pod, "terminating", reason)
        if pod.node is None:
            self.remove_pod(pod)

    def finish_pod(self, pod: Pod, phase: str, reason: str) -> None:
        """All containers have ended for good. The object stays and takes no room on its node any more."""
        self.set_ready(pod, False, "PodCompleted")
        pod.phase = phase
        if pod.node in self.nodes:
            self.nodes[pod.node].pods.pop(pod.name, None)
        self.record(pod, phase.lower(), reason)

    def remove_pod(self, pod: Pod) -> None:
        """The object is gone."""
        if pod.gone:
            return
        pod.gone = True
        pod.ready = False
        pod.ready_containers = 0
        pod.listening = False
        del self.pods[pod.name]
        if pod.node in self.nodes:
            self.nodes[pod.node].pods.pop(pod.name, None)
        live = self.workloads[pod.workload]
        home = live.sets[pod.owner].pods if pod.owner in live.sets else live.pods
        home.pop(pod.name, None)
        self.record(pod, "deleted")

    # -------------------------------------------------------------- sets and workloads

    def scale_set(self, one: ReplicaSet, size: int, by: str) -> None:
        """Write spec.replicas of a ReplicaSet."""
        before, one.size, one.observed = one.size, size, False
        one.writes += 1
        if before != size:
            self.trace.scales.append(ScaleRecord(self.clock.now, "ReplicaSet", one.name, one.workload, before, size, by))
        for watcher in self.on_set:
            watcher(one)

    def add_set(self, live: LiveWorkload, one: ReplicaSet, by: str) -> None:
        """A ReplicaSet is created."""
        live.sets[one.name] = one
        self.trace.scales.append(ScaleRecord(self.clock.now, "ReplicaSet", one.name, live.key, None, one.size, by))
        for watcher in self.on_set:
            watcher(one)

    def revise(self, live: LiveWorkload, version: Version, revision: int) -> None:
        """A template has this revision number from now on."""
        containers = version.template.containers
        names, images = tuple(one.name for one in containers), tuple(one.image for one in containers)
        name = f"{live.key}-v{version.number}"
        self.trace.revisions.append(RevisionRecord(self.clock.now, live.key, name, revision, version.cause, names, images))

    def status_set(self, one: ReplicaSet) -> None:
        """The status of a ReplicaSet was written."""
        for watcher in self.on_set:
            watcher(one)

    def scale_workload(self, live: LiveWorkload, replicas: int, by: str) -> None:
        """Write spec.replicas of a workload."""
        if live.replicas != replicas:
            self.trace.scales.append(ScaleRecord(self.clock.now, live.spec.kind, live.key, live.key, live.replicas, replicas, by))
            live.replicas = replicas
        self.touch(live)

    def touch(self, live: LiveWorkload) -> None:
        """The spec of a workload was written: its status is about an older generation until the next sync."""
        live.status = live.status._replace(observed=False)
        for watcher in self.on_workload:
            watcher(live)

    def status_workload(self, live: LiveWorkload, status: Status) -> None:
        """Write the status of a workload."""
        before, live.status = live.status, status
        numbers = (live.replicas, status.replicas, status.updated, status.ready, status.available)
        if self._recorded.get(live.key) != numbers:
            self._recorded[live.key] = numbers
            self.trace.statuses.append(StatusRecord(self.clock.now, live.key, *numbers))
        self._note_condition(live, before.progressing, status.progressing)

    def _note_condition(self, live: LiveWorkload, before: Condition | None, after_: Condition | None) -> None:
        if after_ is None or (before is not None and (before.status, before.reason) == (after_.status, after_.reason)):
            return
        kind = "Warning" if after_.status == "False" else "Normal"
        self.event("Condition", live.key, kind, after_.reason, f"Progressing={after_.status}")

    # -------------------------------------------------------------- the rest

    def node_up(self, pod: Pod) -> bool:
        """Whether the machine of a bound pod runs."""
        node = self.nodes.get(pod.node or "")
        return node is not None and node.up

    def event(self, kind: str, name: str, type_: str, reason: str, message: str) -> None:
        """Leave an event in the trace."""
        self.trace.events.append(EventRecord(self.clock.now, kind, name, "Warning" if type_ == "Warning" else "Normal", reason, message))

    def trace_node(self, node: Node, state: str) -> None:
        """Leave a record only: of a node that is not there (yet)."""
        self.trace.nodes.append(NodeRecord(self.clock.now, node.name, node.pool.name, state))

    def change_node(self, node: Node, state: str) -> None:
        """A node changed."""
        self.trace_node(node, state)
        for watcher in self.on_node:
            watcher(node)
