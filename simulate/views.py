"""The trace as kubectl would have shown it: `rollout status`, `get rs,pods -w`, `get hpa -w`, `describe`, at any simulated instant.

Every function takes a trace and gives lines; nothing is printed. Ages are counted from the start of the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from simulate.trace import PodRecord, StatusRecord, Trace, targets


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Columns as kubectl aligns them: padded, three blanks apart, nothing after the last.

    >>> table(["NAME", "READY"], [["web-1", "1/1"]])
    ['NAME    READY', 'web-1   1/1']
    """
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return ["   ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def age(seconds: float) -> str:
    """A duration as kubectl shows ages.

    >>> [age(s) for s in (0.4, 119, 130, 600, 4000, 90000, 300000)]
    ['0s', '119s', '2m10s', '10m', '66m', '25h', '3d11h']
    """
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return f"{minutes}m{whole % 60}s" if whole % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    return f"{days}d{hours % 24}h" if days < 8 and hours % 24 else f"{days}d"


# ------------------------------------------------------------------ rollout status


def waiting(workload: str, status: StatusRecord) -> str | None:
    """What `kubectl rollout status` says of a status; None when it says that the rollout is done."""
    start = f'Waiting for deployment "{workload}" rollout to finish: '
    if status.updated < status.desired:
        return f"{start}{status.updated} out of {status.desired} new replicas have been updated..."
    if status.replicas > status.updated:
        return f"{start}{status.replicas - status.updated} old replicas are pending termination..."
    if status.available < status.updated:
        return f"{start}{status.available} of {status.updated} updated replicas are available..."
    return None


def rollout_status(trace: Trace, workload: str, start_s: float = 0.0) -> list[str]:
    """What `kubectl rollout status deployment/WORKLOAD`, called at `start_s`, prints until it returns (or the run ends)."""
    lines: list[str] = []
    known = [one for one in trace.statuses if one.workload == workload]
    before = [one for one in known if one.t_s <= start_s][-1:]
    exceeded = {one.t_s for one in trace.events if one.name == workload and one.reason == "ProgressDeadlineExceeded" and one.t_s >= start_s}
    for one in [*before, *(one for one in known if one.t_s > start_s)]:
        if any(at < one.t_s for at in exceeded):
            break
        text = waiting(workload, one)
        if text is None:
            return [*lines, f'deployment "{workload}" successfully rolled out']
        if lines[-1:] != [text]:
            lines.append(text)
    return [*lines, f'error: deployment "{workload}" exceeded its progress deadline'] if exceeded else lines


# ------------------------------------------------------------------ get pods, get rs


@dataclass(slots=True)
class _Pod:
    """A pod in the making of a view."""

    name: str
    workload: str
    owner: str
    created_s: float
    status: str = "Pending"
    ready: bool = False
    restarts: int = 0
    node: str | None = None

    def row(self, at_s: float) -> list[str]:
        return [self.name, f"{int(self.ready)}/1", self.status, str(self.restarts), age(at_s - self.created_s)]


STATUS = {
    "scheduled": "ContainerCreating",
    "running": "Running",
    "restarted": "Running",
    "terminating": "Terminating",
}
REASONS = ("ErrImagePull", "ImagePullBackOff", "OOMKilled", "Error", "CrashLoopBackOff", "Completed")


def _change(pods: dict[str, _Pod], record: PodRecord) -> _Pod | None:
    """Apply a record; the pod as it is then, None when nothing is shown of it."""
    if record.state == "created":
        pods[record.pod] = _Pod(record.pod, record.workload, record.replica_set, record.t_s)
    pod = pods.get(record.pod)
    if pod is None:
        return None
    pod.node = record.node
    if record.state == "deleted":
        return pods.pop(record.pod)
    if record.state in ("ready", "unready", "killed"):
        pod.ready = record.state == "ready"
    pod.restarts += record.state == "restarted"
    if pod.status != "Terminating":
        pod.status = record.reason if record.reason in REASONS else STATUS.get(record.state, pod.status)
    return pod


POD_HEADER = ("NAME", "READY", "STATUS", "RESTARTS", "AGE")
SET_HEADER = ("NAME", "DESIRED", "CURRENT", "READY", "AGE")


def get_pods(trace: Trace, at_s: float, workload: str | None = None) -> list[str]:
    """`kubectl get pods` at an instant, after everything that happened then."""
    pods = _pods_at(trace, at_s)
    rows = [pod.row(at_s) for name, pod in sorted(pods.items()) if workload in (None, pod.workload)]
    return table(POD_HEADER, rows) if rows else ["No resources found."]


def _pods_at(trace: Trace, at_s: float) -> dict[str, _Pod]:
    pods: dict[str, _Pod] = {}
    for record in trace.pods:
        if record.t_s > at_s:
            break
        _change(pods, record)
    return pods


def watch_pods(trace: Trace, workload: str | None = None, start_s: float = 0.0) -> list[str]:
    """`kubectl get pods -w` from `start_s`: one line whenever what it shows changes."""
    pods: dict[str, _Pod] = {}
    shown: dict[str, list[str]] = {}
    rows = []
    for record in trace.pods:
        pod = _change(pods, record)
        if pod is None or workload not in (None, pod.workload):
            continue
        row = pod.row(record.t_s)
        changed = shown.get(pod.name) != row[:-1] or record.state == "deleted"
        shown[pod.name] = row[:-1]
        if changed and record.t_s >= start_s:
            rows.append(row)
    return table(POD_HEADER, rows)


def get_rs(trace: Trace, at_s: float, workload: str | None = None) -> list[str]:
    """`kubectl get rs` at an instant. CURRENT does not count terminating pods."""
    sizes: dict[str, tuple[str, int, float]] = {}
    for scale in trace.scales:
        if scale.t_s <= at_s and scale.kind == "ReplicaSet":
            sizes[scale.name] = (scale.owner, scale.to_replicas, sizes.get(scale.name, ("", 0, scale.t_s))[2])
    for event in trace.events:
        if event.t_s <= at_s and event.kind == "ReplicaSet" and event.reason == "Deleted":
            sizes.pop(event.name, None)
    pods = list(_pods_at(trace, at_s).values())
    rows = []
    for name, (owner, size, created_s) in sorted(sizes.items()):
        if workload in (None, owner):
            own = [pod for pod in pods if pod.owner == name and pod.status != "Terminating"]
            rows.append([name, str(size), str(len(own)), str(sum(pod.ready for pod in own)), age(at_s - created_s)])
    return table(SET_HEADER, rows) if rows else ["No resources found."]


def watch_rs(trace: Trace, workload: str | None = None, start_s: float = 0.0) -> list[str]:
    """`kubectl get rs -w` from `start_s`: one line for each change of size, pods or ready pods of a set."""
    steps = sorted({one.t_s for one in trace.scales if one.kind == "ReplicaSet"} | {one.t_s for one in trace.pods if one.replica_set})
    shown: dict[str, list[str]] = {}
    rows = []
    for at_s in steps:
        for line in get_rs(trace, at_s, workload)[1:]:
            row = line.split()
            if shown.get(row[0]) != row[:-1]:
                shown[row[0]] = row[:-1]
                if at_s >= start_s:
                    rows.append(row)
    return table(SET_HEADER, rows)


# ------------------------------------------------------------------ get hpa, describe


def get_hpa(trace: Trace, name: str | None = None, *, changes_only: bool = False) -> list[str]:
    """`kubectl get hpa -w`: one line for each reconcile of an autoscaler (or only those that differ from the one before)."""
    rows: list[list[str]] = []
    shown: dict[str, list[str]] = {}
    created: dict[str, float] = {}
    for one in trace.hpa:
        if name not in (None, one.name):
            continue
        born = created.setdefault(one.name, one.t_s)
        row = [one.name, f"{one.kind}/{one.target}", targets(one), str(one.minimum), str(one.maximum), str(one.current)]
        if not changes_only or shown.get(one.name) != row:
            rows.append([*row, age(one.t_s - born)])
        shown[one.name] = row
    return table(["NAME", "REFERENCE", "TARGETS", "MINPODS", "MAXPODS", "REPLICAS", "AGE"], rows)


def describe_events(trace: Trace, name: str | None = None, at_s: float | None = None) -> list[str]:
    """The Events of `kubectl describe` (all objects, or one) at an instant; equal ones are folded with their number."""
    end_s = trace.horizon_s if at_s is None else at_s
    folded: dict[tuple[str, str, str, str], list[float]] = {}
    for one in trace.events:
        if one.t_s <= end_s and one.kind not in ("Scenario", "Condition") and name in (None, one.name):
            folded.setdefault((one.type, one.reason, f"{one.kind.lower()}/{one.name}", one.message), []).append(one.t_s)
    rows = []
    for (type_, reason, source, message), times in folded.items():
        last = age(end_s - times[-1])
        when = last if len(times) == 1 else f"{last} (x{len(times)} over {age(end_s - times[0])})"
        rows.append([type_, reason, when, source, message])
    return table(["TYPE", "REASON", "AGE", "OBJECT", "MESSAGE"], rows) if rows else ["<none>"]
