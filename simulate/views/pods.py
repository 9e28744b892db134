"""Pods as `kubectl get pods` shows them, at an instant or while they change."""

from __future__ import annotations

from dataclasses import dataclass, replace

from simulate.trace import PodRecord, Trace
from simulate.views.text import age, listed, table

STATUS = {
    "scheduled": "ContainerCreating",
    "running": "Running",
    "restarted": "Running",
    "terminating": "Terminating",
}
"""What a state shows whatever its reason."""

REASONS = (
    "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "OOMKilled", "Error", "CrashLoopBackOff", "Completed", "PodInitializing",
)  # fmt: skip
"""Reasons that stand in the column STATUS."""

POD_HEADER = ("NAME", "READY", "STATUS", "RESTARTS", "AGE")


@dataclass(frozen=True, slots=True, kw_only=True)
class PodState:
    """What the records up to a time say of a pod. `exited_s`, `exit_reason`: of the last end of its server's container."""

    name: str
    workload: str
    owner: str
    created_s: float
    status: str = "Pending"
    ready: int = 0
    containers: int = 1
    pod_ready: bool = False
    restarts: int = 0
    node: str | None = None
    scheduled_s: float | None = None
    running_s: float | None = None
    exited_s: float | None = None
    exit_reason: str = ""
    deleting_s: float | None = None
    waiting: str = ""

    def restarts_text(self, at_s: float) -> str:
        """The column RESTARTS: with the time since the last end, once there was a restart."""
        if not self.restarts or self.exited_s is None:
            return str(self.restarts)
        return f"{self.restarts} ({age(at_s - self.exited_s)} ago)"

    def row(self, at_s: float) -> list[str]:
        """A line of `kubectl get pods`."""
        ready = f"{self.ready}/{self.containers}"
        return [self.name, ready, self.status, self.restarts_text(at_s), age(at_s - self.created_s)]


def change(pods: dict[str, PodState], record: PodRecord) -> PodState | None:
    """Apply a record; the pod as it is then (or was last), None when nothing is known of it."""
    if record.state == "created":
        pods[record.pod] = PodState(
            name=record.pod, workload=record.workload, owner=record.replica_set, created_s=record.t_s, containers=record.containers
        )
    pod = pods.get(record.pod)
    if pod is None:
        return None
    if record.state == "deleted":
        return pods.pop(record.pod)
    pod = pods[record.pod] = _after(pod, record)
    return pod


def _after(pod: PodState, record: PodRecord) -> PodState:
    shown = pod.status
    if shown != "Terminating":
        waits = record.reason in REASONS or record.reason.startswith("Init:")
        shown = record.reason if waits else STATUS.get(record.state, shown)
    pod = replace(pod, node=record.node, status=shown, ready=record.ready, containers=record.containers)
    if record.state in ("ready", "unready", "killed"):
        pod = replace(pod, pod_ready=record.state == "ready")
    if record.state == "killed":
        return replace(pod, exited_s=record.t_s, exit_reason=record.reason)
    if record.state == "scheduled":
        return replace(pod, scheduled_s=record.t_s, waiting="")
    if record.state == "unschedulable":
        return replace(pod, waiting=record.reason)
    if record.state in ("running", "restarted"):
        return replace(pod, running_s=record.t_s, restarts=pod.restarts + (record.state == "restarted"))
    return replace(pod, deleting_s=record.t_s) if record.state == "terminating" else pod


def pods_at(trace: Trace, at_s: float) -> dict[str, PodState]:
    """The pods that exist after everything that happened up to a time."""
    pods: dict[str, PodState] = {}
    for record in trace.pods:
        if record.t_s > at_s:
            break
        change(pods, record)
    return pods


def get_pods(trace: Trace, at_s: float, workload: str | None = None) -> list[str]:
    """`kubectl get pods` at an instant, after everything that happened then."""
    return listed(POD_HEADER, [pod.row(at_s) for name, pod in sorted(pods_at(trace, at_s).items()) if workload in (None, pod.workload)])


def watch_pods(trace: Trace, workload: str | None = None, start_s: float = 0.0) -> list[str]:
    """`kubectl get pods -w` from `start_s`: one line whenever what it shows changes."""
    pods: dict[str, PodState] = {}
    shown: dict[str, tuple[object, ...]] = {}
    rows = []
    for record in trace.pods:
        pod = change(pods, record)
        if pod is None or workload not in (None, pod.workload):
            continue
        told = (pod.ready, pod.containers, pod.status, pod.restarts)
        changed = shown.get(pod.name) != told or record.state == "deleted"
        shown[pod.name] = told
        if changed and record.t_s >= start_s:
            rows.append(pod.row(record.t_s))
    return table(POD_HEADER, rows)
