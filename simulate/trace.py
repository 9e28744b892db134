"""The records that control and traffic write: inert, in order of time, with stable columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple


class PodRecord(NamedTuple):
    """A pod changed: created, scheduled, unschedulable, pulling, initializing, running, restarted, containers (another number of them is
    ready), ready, unready, waiting, terminating, killed, deleted; a process on a host also stopping, stopped. `ready` of its
    `containers` are ready.
    """

    t_s: float
    pod: str
    workload: str
    replica_set: str
    state: str
    node: str | None
    reason: str
    ready: int = 0
    containers: int = 1


class ScaleRecord(NamedTuple):
    """spec.replicas of a ReplicaSet, StatefulSet or Deployment was written: `from_replicas` None when created."""

    t_s: float
    kind: str
    name: str
    owner: str
    from_replicas: int | None
    to_replicas: int
    by: str


class StatusRecord(NamedTuple):
    """Status of a workload after a change."""

    t_s: float
    workload: str
    desired: int
    replicas: int
    updated: int
    ready: int
    available: int


class HpaRecord(NamedTuple):
    """One reconcile of an autoscaler. `utilization_percent` None is `<unknown>`.

    `targets` is kubectl's column for all metrics; `metrics` has "current / target" of each as `kubectl describe` names it; `conditions`
    and `messages` have "status/reason" and the message of each condition.
    """

    t_s: float
    name: str
    target: str
    utilization_percent: int | None
    target_percent: int | None
    minimum: int
    maximum: int
    current: int
    desired: int
    conditions: Mapping[str, str]
    kind: str = "Deployment"
    targets: str = ""
    metrics: Mapping[str, str] = {}
    messages: Mapping[str, str] = {}


class RevisionRecord(NamedTuple):
    """A template got a revision number (again, when an undo put it back): the ReplicaSet or ControllerRevision that holds it, its
    containers and their images, and the change cause, if somebody said one."""

    t_s: float
    workload: str
    replica_set: str
    revision: int
    cause: str | None
    containers: tuple[str, ...]
    images: tuple[str, ...]


class NodeRecord(NamedTuple):
    """A node changed: requested, ready, cordoned, uncordoned, lost, notReady (the control plane has noticed), removed.

    A requested one can also be refused (the provider has none) or cancelled (it did not come in time); a taint that somebody puts on
    it or takes away: tainted, untainted.
    """

    t_s: float
    node: str
    pool: str
    state: str


class EventRecord(NamedTuple):
    """An event as `kubectl describe` lists it; `kind` Scenario is what the scenario made happen, Condition a condition that changed."""

    t_s: float
    kind: str
    name: str
    type: Literal["Normal", "Warning"]
    reason: str
    message: str


class QuotaRecord(NamedTuple):
    """What is used of a ResourceQuota after a change, and its bounds: name -> quantity as the API prints it."""

    t_s: float
    name: str
    namespace: str
    used: Mapping[str, str]
    hard: Mapping[str, str]


class SampleRecord(NamedTuple):
    """One figure of one sampled time by both engines, in a run of the fluid one; None: it does not exist there."""

    start_s: float
    end_s: float
    why: str
    figure: str
    fluid: float | None
    exact: float | None


class JobRecord(NamedTuple):
    """The status of a Job was written, or the Job was created or removed. `workload`: the Job itself, or the CronJob that made it.

    `completions` None: done with the first success. `status` Running, Suspended, SuccessCriteriaMet, FailureTarget, Complete, Failed,
    Deleted.
    """

    t_s: float
    job: str
    workload: str
    completions: int | None
    parallelism: int
    active: int
    succeeded: int
    failed: int
    started_s: float | None
    status: str


class TrafficWindow(NamedTuple):
    """Requests of one source in [start_s, end_s): arrivals by arrival time, outcomes and latencies by the time of the end.

    `failed` maps each cause to its number; `histogram` maps bucket -> number of ok latencies (model.md 6.3); `in_flight` at end_s.
    """

    start_s: float
    end_s: float
    source: str
    service: str
    arrived: int
    ok: int
    failed: Mapping[str, int]
    in_flight: int
    latency_sum_s: float
    histogram: Mapping[int, int]


class UsageWindow(NamedTuple):
    """CPU of one workload's pods in [start_s, end_s): mean cores used, cores requested and limited by its running pods, share of
    throttled periods, and memory used at the end."""

    start_s: float
    end_s: float
    workload: str
    pods: int
    used_cores: float
    requested_cores: float
    limit_cores: float | None
    throttled_ratio: float
    memory_bytes: float


@dataclass(slots=True)
class Trace:
    """Everything that happened in one run. Lists are in order of time, and of occurrence at one time."""

    horizon_s: float
    seed: int
    pods: list[PodRecord] = field(default_factory=list)
    scales: list[ScaleRecord] = field(default_factory=list)
    statuses: list[StatusRecord] = field(default_factory=list)
    hpa: list[HpaRecord] = field(default_factory=list)
    nodes: list[NodeRecord] = field(default_factory=list)
    events: list[EventRecord] = field(default_factory=list)
    revisions: list[RevisionRecord] = field(default_factory=list)
    traffic: list[TrafficWindow] = field(default_factory=list)
    usage: list[UsageWindow] = field(default_factory=list)
    quotas: list[QuotaRecord] = field(default_factory=list)
    samples: list[SampleRecord] = field(default_factory=list)
    jobs: list[JobRecord] = field(default_factory=list)


def log_lines(trace: Trace) -> list[str]:
    """The whole log in the words of kubectl, in order of time; same trace, same lines.

    At one time: what the scenario did, then nodes, quotas, autoscalers, sizes, pods, statuses, and the events that the components wrote.
    Traffic and usage windows are not in it.
    """
    lines = [(t_s, rank, text) for rank, lines in enumerate(_kinds(trace)) for t_s, text in lines]
    lines.sort(key=lambda line: line[:2])
    return [f"{t_s:10.3f}s  {text}" for t_s, _, text in lines]


def _kinds(trace: Trace) -> tuple[Iterator[tuple[float, str]], ...]:
    said = [one for one in trace.events if one.kind == "Scenario"]
    written = [one for one in trace.events if one.kind != "Scenario"]
    return (
        ((one.t_s, f"scenario: {one.message}") for one in said),
        ((one.t_s, f"node/{one.node} {one.state}") for one in trace.nodes),
        ((one.t_s, _quota(one)) for one in trace.quotas),
        ((one.t_s, _autoscaler(one)) for one in trace.hpa),
        ((one.t_s, _size(one)) for one in trace.scales),
        ((one.t_s, _pod(one)) for one in trace.pods),
        ((one.t_s, _status(one)) for one in trace.statuses),
        ((one.t_s, f"event {one.type} {one.reason} {one.kind.lower()}/{one.name}: {one.message}") for one in written),
    )


def _quota(one: QuotaRecord) -> str:
    return f"quota/{one.name} used " + ", ".join(f"{name} {one.used.get(name, '0')}/{bound}" for name, bound in sorted(one.hard.items()))


def _autoscaler(one: HpaRecord) -> str:
    return f"hpa/{one.name} {targets(one)} min {one.minimum} max {one.maximum} replicas {one.current} desired {one.desired}"


def targets(one: HpaRecord) -> str:
    """The TARGETS column of `kubectl get hpa`; a record without the text of all metrics is about one percentage.

    >>> targets(HpaRecord(0.0, "web", "web", None, 20, 1, 10, 0, 0, {}))
    '<unknown>/20%'
    >>> targets(HpaRecord(0.0, "web", "web", 35, 20, 1, 10, 1, 2, {}, targets="cpu: 35%/20%"))
    'cpu: 35%/20%'
    """
    if one.targets:
        return one.targets
    now = "<unknown>" if one.utilization_percent is None else f"{one.utilization_percent}%"
    return f"{now}/{'<unset>' if one.target_percent is None else f'{one.target_percent}%'}"


def _size(one: ScaleRecord) -> str:
    change = f"created with {one.to_replicas}" if one.from_replicas is None else f"scaled from {one.from_replicas} to {one.to_replicas}"
    return f"{one.kind.lower()}/{one.name} {change} by {one.by}"


def _pod(one: PodRecord) -> str:
    place = f" on {one.node}" if one.node and one.state == "scheduled" else ""
    return f"pod/{one.pod} {one.state}{place}" + (f" ({one.reason})" if one.reason else "")


def _status(one: StatusRecord) -> str:
    return f"{one.workload} ready {one.ready}/{one.desired} up-to-date {one.updated} available {one.available} pods {one.replicas}"
