"""The simulator's Deployment, ReplicaSet and scheduler loops around a kubelet that gives each pod exactly the recorded delays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Literal

from simulate.control import replicaset
from simulate.control.loops.agenda import Agenda
from simulate.control.loops.deployment import DeploymentLoop
from simulate.control.loops.queue import EVENT_BURST
from simulate.control.loops.replicaset import ReplicaSetLoop
from simulate.control.loops.scheduler import SchedulerLoop
from simulate.control.rollout import Status, undo_revision
from simulate.control.state import Cluster, LiveWorkload, Node, Pod, Version
from simulate.spec import Behaviour, ClusterSpec, ContainerSpec, ControlPlane, NodePool, PodTemplate, TrafficSpec, Workload
from simulate.trace import Trace

POOL = NodePool(name="node", cores=1e6, memory_bytes=1e18, pods=10**6, count=3)
HOP_S = 0.012
"""How long the recorder's kubelet took to see a bound pod and to write its phase (10 to 18 ms in the recordings)."""

WRITE_S = 0.006
"""How long its writes took when only a timer was awaited: readiness, the end of a termination."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """How fast the machine is on which a scenario is played: `scale` multiplies every hop, requests vary by `jitter`, drawn by `seed`."""

    scale: float = 1.0
    jitter: float = 0.0
    seed: int = 0


USUAL = Reaction()
"""Of an idle machine: a request takes 10 ms, a watch 5 ms, the scheduler 2 ms."""

SCHEDULED_S = 0.007
"""So long after its creation a pod is scheduled then."""

HOPS = (0.5, 8.0)
"""The recorded hops took 3 to 40 ms (and a few in a row more), by how many scenarios ran beside."""

SEEDS = range(10)
JITTERS = (0.5, 1.0)


def recorded(trace: Mapping[str, Any]) -> float:
    """The scale of a recording: by its own pods, the median from a creation to the binding."""
    created: dict[str, float] = {}
    waits = []
    for row in trace["rows"]:
        if row[0] == "pod" and row[3] == "created":
            created[row[2]] = row[1]
        elif row[0] == "pod" and row[3] == "scheduled" and row[2] in created:
            waits.append(row[1] - created[row[2]])
    return min(HOPS[1], max(HOPS[0], median(waits) / SCHEDULED_S)) if waits else 1.0


def reactions(trace: Mapping[str, Any]) -> list[Reaction]:
    """Machines on which a scenario may have been recorded: as fast as this recording tells, and with requests of varying length."""
    scale = recorded(trace)
    return [Reaction(scale), *(Reaction(1.0 if seed % 2 else scale, jitter, seed) for seed in SEEDS for jitter in JITTERS)]


EMPTY = TrafficSpec(seed=0, horizon_s=0.0, behaviours=(), edges=(), sources=(), machines=())


class Recording(Cluster):
    """The cluster, with the sequences that a recorder of watch events would have."""

    def __init__(self, environment: Agenda, spec: ClusterSpec, fraction_s: float) -> None:
        super().__init__(environment, spec, Trace(horizon_s=0.0, seed=0), fraction_s)
        self.progressing: list[str | None] = []
        self.available: list[str | None] = []
        self.deleted: list[str] = []
        self.peaks = {"peak_spec": 0, "peak_active_pods": 0, "peak_pod_objects": 0}
        self.least: int | None = None
        self.watch_pods(lambda pod, state: self.look())
        self.on_set.append(lambda one: self.look())

    def status_workload(self, live: LiveWorkload, status: Status) -> None:
        super().status_workload(live, status)
        self.note(live)

    def note(self, live: LiveWorkload) -> None:
        """Conditions as stored, repetitions left out."""
        for kept, one in ((self.progressing, live.status.progressing), (self.available, live.status.availability)):
            text = None if one is None else f"{one.status}/{one.reason}"
            if kept[-1:] != [text]:
                kept.append(text)

    def event(self, kind: str, name: str, type_: str, reason: str, message: str) -> None:
        super().event(kind, name, type_, reason, message)
        if kind == "ReplicaSet" and reason == "Deleted":
            self.deleted.append(version_of(name))

    def look(self) -> None:
        """Peaks and the least availability, from time 0 on."""
        if self.clock.now < 0 or not self.workloads:
            return
        sets = list(self.workloads["web"].sets.values())
        pods = list(self.pods.values())
        self.peaks["peak_spec"] = max(self.peaks["peak_spec"], sum(one.size for one in sets))
        self.peaks["peak_active_pods"] = max(self.peaks["peak_active_pods"], sum(pod.active for pod in pods))
        self.peaks["peak_pod_objects"] = max(self.peaks["peak_pod_objects"], len(pods))
        available = sum(one.available for one in sets)
        self.least = available if self.least is None else min(self.least, available)


def version_of(name: str) -> str:
    """`web-v2` -> `v2`."""
    return name.rpartition("-")[2]


class GivenKubelet:
    """Pods become running, ready, lost and gone after exactly the milliseconds of their version's behaviour."""

    def __init__(self, cluster: Cluster, scale: float = 1.0) -> None:
        self._cluster = cluster
        self._hop_s, self._write_s = HOP_S * scale, WRITE_S * scale
        self.behaviours: dict[int, Mapping[str, str]] = {}
        cluster.watch_pods(self._pod_changed)

    def given(self, pod: Pod, key: str, default: str = "0") -> str:
        values = str(self.behaviours[pod.version.number].get(key, default)).split(",")
        return values[min(pod.number, len(values) - 1)]

    def _pod_changed(self, pod: Pod, state: str) -> None:
        clock = self._cluster.clock
        if state == "scheduled" and self.given(pod, "phase", "") != "Pending":
            clock.after(self._hop_s + float(self.given(pod, "start_ms")) / 1000, self._running, pod)
        elif state == "terminating" and pod.node is not None:
            clock.after(self._write_s + float(self.given(pod, "termination_ms")) / 1000, self._cluster.remove_pod, pod)

    def _running(self, pod: Pod) -> None:
        if pod.gone or pod.deleting_s is not None:
            return
        pod.phase = "Running"
        pod.started_s = self._cluster.stamp()
        self._cluster.record(pod, "running")
        ready = self.given(pod, "ready_ms")
        if ready != "never":
            self._cluster.clock.after(self._write_s + float(ready) / 1000, self._ready, pod)

    def _ready(self, pod: Pod) -> None:
        if pod.gone or pod.deleting_s is not None:
            return
        self._cluster.set_ready(pod, True)
        for key in ("unready_ms", "crash_ms"):
            lost, _, back = self.given(pod, key, "-").partition(":")
            if lost != "-":
                self._cluster.clock.after(float(lost) / 1000, self._lost, pod, key)
            if back:
                self._cluster.clock.after((float(lost) + float(back)) / 1000, self._back, pod)

    def _lost(self, pod: Pod, key: str) -> None:
        if pod.deleting_s is None:
            pod.restarts += key == "crash_ms"
            self._cluster.set_ready(pod, False)

    def _back(self, pod: Pod) -> None:
        if pod.deleting_s is None:
            self._cluster.set_ready(pod, True)


def spread(cluster: Cluster) -> tuple[str | None, str]:
    """Equal nodes without limits: the one with the fewest pods."""
    return min(cluster.nodes.values(), key=lambda node: (len(node.pods), node.name)).name, ""


def count(value: Any) -> int | str:
    """A bound as the API takes it."""
    return value if isinstance(value, int) or str(value).endswith("%") else int(value)


class World:
    """One recorded scenario being played."""

    kind: Literal["Deployment", "StatefulSet"] = "Deployment"
    kubelets = GivenKubelet
    settled_s = 1.8

    def __init__(self, trace: Mapping[str, Any], reaction: Reaction = USUAL) -> None:
        self.input = trace["input"]
        scale = reaction.scale
        limited = bool(trace.get("flags")) or trace["id"].startswith("TTHR")
        control = ControlPlane(
            kube_api_qps=20.0 if limited else 1000.0, kube_api_burst=30 if limited else 1000, jitter_ratio=reaction.jitter,
            scheduling_s=0.002 * scale, watch_s=0.005 * scale, api_s=0.010 * scale,
        )  # fmt: skip
        creating_s = (self.input["replicas"] + EVENT_BURST) / control.kube_api_qps
        self.start_s = 0.0 if not self.input.get("starts_settled") else -settling_s(self.input, self.settled_s + creating_s)
        self.environment = Agenda(initial_time=self.start_s)
        spec = ClusterSpec(
            seed=reaction.seed, horizon_s=0.0, workloads=(), services=(), autoscalers=(), pools=(POOL,), traffic=EMPTY, events=(),
            control=control, objectives=(), assumptions=(),
        )  # fmt: skip
        self.cluster = Recording(self.environment, spec, trace["t0_fraction"])
        for i in range(3):
            self.cluster.nodes[f"node-{i + 1}"] = Node(name=f"node-{i + 1}", pool=POOL)
        self.kubelet = self.kubelets(self.cluster, scale)
        self.controllers()
        SchedulerLoop(self.cluster, lambda pod: spread(self.cluster))
        self.names = {"v1": 1}
        self.live = self._workload()

    def controllers(self) -> None:
        """The loops of the product that this world runs."""
        DeploymentLoop(self.cluster)
        ReplicaSetLoop(self.cluster)

    def _workload(self) -> LiveWorkload:
        given = self.input
        spec = Workload(
            kind=self.kind,
            name="web",
            namespace="default",
            replicas=given["replicas"],
            template=template("v1"),
            behaviour="web",
            strategy=given.get("strategy", given.get("update_strategy", "RollingUpdate")),
            pod_management=given.get("pod_management", "OrderedReady"),
            partition=given.get("partition", 0),
            max_surge=count(given.get("max_surge", "25%")),
            max_unavailable=count(given.get("max_unavailable", "25%")),
            min_ready_s=given.get("min_ready_seconds", 0),
            progress_deadline_s=given.get("progress_deadline_seconds", 600),
            revision_history_limit=given.get("revision_history_limit", 10),
        )
        version = self.version("v1", given["pods_v1"])
        return LiveWorkload(
            key="web", spec=spec, replicas=spec.replicas, version=version, versions=[version], max_surge=spec.max_surge,
            max_unavailable=spec.max_unavailable,
        )  # fmt: skip

    def version(self, name: str, pods: Mapping[str, str] | None) -> Version:
        """The template with this tag."""
        number = int(name.removeprefix("v"))
        if pods is not None:
            self.kubelet.behaviours[number] = pods
        self.kubelet.behaviours.setdefault(number, {})
        return Version(number=number, template=template(name), behaviour=Behaviour(name="web", program=()), service="web")

    def create(self) -> None:
        """The Deployment is created."""
        self.cluster.workloads["web"] = self.live
        if self.environment.now >= 0:
            self.cluster.note(self.live)
        self.cluster.touch(self.live)

    def step(self, step: Mapping[str, Any]) -> None:
        """One step of the input."""
        live, cluster = self.live, self.cluster
        if step["op"] == "create":
            self.create()
            return
        if step["op"] == "image":
            live.version = self.version(step["version"], step.get("pods"))
            live.versions.append(live.version)
        elif step["op"] == "scale":
            cluster.scale_workload(live, step["replicas"], "user")
            return
        elif step["op"] in ("pause", "resume"):
            live.paused = step["op"] == "pause"
        elif step["op"] == "undo":
            self._undo(step.get("revision"))
        elif step["op"] == "patch":
            self._patch(step["patch"]["spec"])
        else:
            raise ValueError(f"unknown step {step['op']}")
        cluster.touch(live)

    def _undo(self, revision: int | None) -> None:
        current = self.live.current_set
        revisions = {one.name: one.revision for one in self.live.sets.values()}
        found = undo_revision(revisions, current.name if current else None, revision)
        if found is not None:
            self.live.version = self.live.sets[found].version

    def _patch(self, spec: Mapping[str, Any]) -> None:
        live = self.live
        partition = spec.get("updateStrategy", {}).get("rollingUpdate", {}).get("partition", live.spec.partition)
        live.spec = replace(live.spec, partition=partition)
        bounds = spec.get("strategy", {}).get("rollingUpdate", {})
        live.max_surge = bounds.get("maxSurge", live.max_surge)
        live.max_unavailable = bounds.get("maxUnavailable", live.max_unavailable)
        known = {
            "minReadySeconds": "min_ready_s",
            "progressDeadlineSeconds": "progress_deadline_s",
            "revisionHistoryLimit": "revision_history_limit",
        }
        changed = {known[key]: value for key, value in spec.items() if key in known}
        live.spec = replace(live.spec, **changed)
        live.replicas = spec.get("replicas", live.replicas)
        live.paused = spec.get("paused", live.paused)

    def begin(self) -> None:
        """Time 0."""

    def run(self, until_s: float) -> None:
        """Create, settle, play the steps."""
        if self.start_s < 0:
            self.create()
            self.environment.run(until=0.0)
            self.cluster.progressing = self.cluster.progressing[-1:]
            self.cluster.available = self.cluster.available[-1:]
            self.cluster.trace.scales.clear()
            self.cluster.look()
        self.begin()
        for step in self.input.get("steps", ()):
            self.environment.after(step["at"] - self.environment.now, self.step, step)
        self.environment.run(until=until_s)


def template(tag: str) -> PodTemplate:
    """The recorded template."""
    return PodTemplate(labels={"app": "web"}, containers=(ContainerSpec(name="c", image=f"app:{tag}", pull_policy="IfNotPresent"),))


def settling_s(given: Mapping[str, Any], settled_s: float) -> float:
    """How long before time 0 the Deployment was created: so long after its pods could be available, or three seconds."""
    times = [given["pods_v1"].get("ready_ms", "0"), given["pods_v1"].get("start_ms", "0")]
    values = [value for text in times for value in str(text).split(",")]
    if "never" in values:
        return 3.0
    return settled_s + given.get("min_ready_seconds", 0) + sum(max(float(v) for v in str(text).split(",")) for text in times) / 1000


def play(trace: Mapping[str, Any], reaction: Reaction = USUAL) -> dict[str, Any]:
    """The facts of a run of our own."""
    world = World(trace, reaction)
    last = max(row[1] for row in trace["rows"])
    world.run(last + 0.3 * max(1.0, reaction.scale))
    cluster, live = world.cluster, world.live
    return {
        "size_sequence": [
            [version_of(one.name), one.from_replicas, one.to_replicas] for one in cluster.trace.scales if one.kind == "ReplicaSet"
        ],
        "progressing": cluster.progressing,
        "available": cluster.available,
        "final": {
            version_of(one.name): {"spec": one.size, "available": one.available, "revision": str(one.revision)}
            for one in sorted(live.sets.values(), key=lambda s: s.name)
        },
        "deleted_sets": cluster.deleted,
        **cluster.peaks,
        "min_available": cluster.least,
    }


# ------------------------------------------------------------------ scale-down


def victims(trace: Mapping[str, Any]) -> list[str]:
    """The victims of every run, from its own pods, where an order is defined."""
    found = []
    for position, one in enumerate(trace["runs"]):
        reason = _victims(trace, one)
        if reason:
            found.append(f"run {position}: {reason}")
    return found


def _victims(trace: Mapping[str, Any], one: Mapping[str, Any]) -> str | None:
    given = {pod["id"]: pod for pod in trace["input"]["pods"]}
    known = ("deletion_cost", "restarts")
    pods = [{**pod, **{key: given[pod["id"]][key] for key in known if key in given.get(pod["id"], {})}} for pod in one["pods"]]
    related = [replicaset.PodView(**view(pod)) for pod in pods]
    own = [seen for seen, pod in zip(related, pods, strict=True) if pod.get("set", "a") == "a"]
    number = len(own) - trace["input"]["scale_set_a_to"]
    chosen = {pod.name for pod in replicaset.victims(own, related, number, view=lambda pod: pod)}
    recorded = set(one["victims"])
    if chosen == recorded or _as_good(own, related, recorded, number):
        return None
    return f"expected {sorted(recorded)}, got {sorted(chosen)}"


def _as_good(own: Sequence[replicaset.PodView], related: Sequence[replicaset.PodView], recorded: set[str], number: int) -> bool:
    """Whether no pod that stayed is to go before one that went: where no order is defined, any choice is right."""
    crowd = Counter(pod.node for pod in related)
    ranked = [pod._replace(crowd=crowd[pod.node]) for pod in own]
    went = [pod for pod in ranked if pod.name in recorded]
    stayed = [pod for pod in ranked if pod.name not in recorded]
    return len(went) == number and all(replicaset.compare(one, other) >= 0 for one in stayed for other in went)


def view(pod: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded pod as the controller compares it."""
    return {
        "name": pod["id"],
        "uid": pod.get("uid", ""),
        "node": pod.get("node") or "",
        "phase": pod.get("phase", "Running"),
        "ready": bool(pod.get("ready")),
        "cost": int(pod.get("deletion_cost") or 0),
        "ready_for_s": pod.get("ready_age_s"),
        "restarts": pod.get("restarts") or 0,
        "age_s": pod.get("age_s"),
    }
