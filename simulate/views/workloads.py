"""Deployments, StatefulSets, DaemonSets and ReplicaSets as `kubectl get` and `kubectl rollout` show them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import groupby
from typing import NamedTuple

from simulate.spec import ClusterSpec, Workload
from simulate.trace import PodRecord, RevisionRecord, ScaleRecord, StatusRecord, Trace
from simulate.views.pods import PodState, change
from simulate.views.text import age, listed, table

SET_HEADER = ("NAME", "DESIRED", "CURRENT", "READY", "AGE")
KIND_HEADERS = {
    "Deployment": ("NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"),
    "StatefulSet": ("NAME", "READY", "AGE"),
    "DaemonSet": ("NAME", "DESIRED", "CURRENT", "READY", "UP-TO-DATE", "AVAILABLE", "NODE SELECTOR", "AGE"),
}
"""The columns of `kubectl get deploy`, `sts` and `ds`."""


# ------------------------------------------------------------------ rollout status


def waiting(workload: str, status: StatusRecord) -> str | None:
    """What `kubectl rollout status` says of a Deployment's status; None when it says that the rollout is done."""
    start = f'Waiting for deployment "{workload}" rollout to finish: '
    if status.updated < status.desired:
        return f"{start}{status.updated} out of {status.desired} new replicas have been updated..."
    if status.replicas > status.updated:
        return f"{start}{status.replicas - status.updated} old replicas are pending termination..."
    if status.available < status.updated:
        return f"{start}{status.available} of {status.updated} updated replicas are available..."
    return None


def _waiting_set(status: StatusRecord, partition: int) -> str | None:
    if status.ready < status.desired:
        return f"Waiting for {status.desired - status.ready} pods to be ready..."
    wanted = status.desired - partition
    if status.updated < wanted:
        return f"Waiting for partitioned roll out to finish: {status.updated} out of {wanted} new pods have been updated..."
    return None


def _waiting_daemons(workload: str, status: StatusRecord) -> str | None:
    start = f'Waiting for daemon set "{workload}" rollout to finish: '
    if status.updated < status.desired:
        return f"{start}{status.updated} out of {status.desired} new pods have been updated..."
    if status.available < status.desired:
        return f"{start}{status.available} of {status.desired} updated pods are available..."
    return None


def rollout_status(trace: Trace, workload: str, start_s: float = 0.0, kind: str = "Deployment", partition: int = 0) -> list[str]:
    """What `kubectl rollout status KIND/WORKLOAD`, called at `start_s`, prints until it returns (or the run ends)."""
    known = [one for one in trace.statuses if one.workload == workload]
    before = [one for one in known if one.t_s <= start_s][-1:]
    following = [*before, *(one for one in known if one.t_s > start_s)]
    if kind == "StatefulSet":
        lines, last = _told(following, lambda one: _waiting_set(one, partition))
        return lines if last is None else [*lines, f"partitioned roll out complete: {last.updated} new pods have been updated..."]
    if kind == "DaemonSet":
        lines, last = _told(following, lambda one: _waiting_daemons(workload, one))
        return lines if last is None else [*lines, f'daemon set "{workload}" successfully rolled out']
    exceeded = {one.t_s for one in trace.events if one.name == workload and one.reason == "ProgressDeadlineExceeded" and one.t_s >= start_s}
    first = min(exceeded, default=float("inf"))
    lines, last = _told([one for one in following if one.t_s <= first], lambda one: waiting(workload, one))
    if last is not None:
        return [*lines, f'deployment "{workload}" successfully rolled out']
    return [*lines, f'error: deployment "{workload}" exceeded its progress deadline'] if exceeded else lines


def _told(statuses: Iterable[StatusRecord], says: Callable[[StatusRecord], str | None]) -> tuple[list[str], StatusRecord | None]:
    """The different lines up to the status of which nothing more is to be waited for, and that status."""
    lines: list[str] = []
    for one in statuses:
        text = says(one)
        if text is None:
            return lines, one
        if lines[-1:] != [text]:
            lines.append(text)
    return lines, None


# ------------------------------------------------------------------ rollout history


def revisions_at(trace: Trace, workload: str, at_s: float) -> list[RevisionRecord]:
    """The revisions that exist at an instant, ascending. A template that was put back has its new number only; what the history limit
    removed is gone."""
    found: dict[str, RevisionRecord] = {}
    removed = {one.name: one.t_s for one in trace.events if one.kind == "ReplicaSet" and one.reason == "Deleted" and one.t_s <= at_s}
    for one in trace.revisions:
        if one.workload == workload and one.t_s <= at_s and removed.get(one.replica_set, -1.0) < one.t_s:
            found[one.replica_set] = one
    return sorted(found.values(), key=lambda one: one.revision)


def rollout_history(trace: Trace, workload: str, at_s: float | None = None, kind: str = "Deployment") -> list[str]:
    """`kubectl rollout history KIND/WORKLOAD` at an instant (the end)."""
    rows = [(str(one.revision), one.cause or "<none>") for one in revisions_at(trace, workload, trace.horizon_s if at_s is None else at_s)]
    return [f"{kind.lower()}.apps/{workload}", *table(("REVISION", "CHANGE-CAUSE"), rows, gap=2)]


# ------------------------------------------------------------------ get deploy, sts, ds


def status_at(trace: Trace, workload: Workload, at_s: float) -> StatusRecord:
    """The last status up to a time, with what is wanted at that time."""
    known = [one for one in trace.statuses if one.workload == workload.name and one.t_s <= at_s]
    status = known[-1] if known else StatusRecord(0.0, workload.name, workload.replicas, 0, 0, 0, 0)
    later = [s for s in trace.scales if s.kind == workload.kind and s.name == workload.name and status.t_s <= s.t_s <= at_s]
    return status._replace(desired=later[-1].to_replicas) if later else status


def _row(workload: Workload, status: StatusRecord, born: str) -> list[str]:
    ready = f"{status.ready}/{status.desired}"
    if workload.kind == "StatefulSet":
        return [workload.name, ready, born]
    if workload.kind == "DaemonSet":
        counts = (status.desired, status.replicas, status.ready, status.updated, status.available)
        return [workload.name, *map(str, counts), _node_selector(workload), born]
    return [workload.name, ready, str(status.updated), str(status.available), born]


def _node_selector(workload: Workload) -> str:
    chosen = (workload.template.data.get("spec") or {}).get("nodeSelector") or {}
    return ",".join(f"{key}={value}" for key, value in sorted(chosen.items())) or "<none>"


def get_workloads(trace: Trace, spec: ClusterSpec, kind: str, at_s: float) -> list[str]:
    """`kubectl get deploy`, `sts` or `ds` at an instant. KeyError for another kind."""
    header = KIND_HEADERS[kind]
    some = sorted((one for one in spec.workloads if one.kind == kind), key=lambda one: one.name)
    return listed(header, [_row(one, status_at(trace, one, at_s), age(at_s)) for one in some])


def watch_workloads(trace: Trace, spec: ClusterSpec, kind: str, start_s: float = 0.0) -> list[str]:
    """`kubectl get deploy|sts|ds -w` from `start_s`: one line for each change of what it shows."""
    some = {one.name: one for one in spec.workloads if one.kind == kind}
    steps = [(one.t_s, one.workload) for one in trace.statuses] + [(one.t_s, one.name) for one in trace.scales if one.kind == kind]
    shown: dict[str, list[str]] = {}
    rows = []
    for at_s, name in sorted(steps):
        if name not in some:
            continue
        row = _row(some[name], status_at(trace, some[name], at_s), age(at_s))
        if shown.get(name) != row[:-1] and at_s >= start_s:
            rows.append(row)
        shown[name] = row[:-1]
    return table(KIND_HEADERS[kind], rows)


# ------------------------------------------------------------------ get rs


class SetState(NamedTuple):
    """A ReplicaSet at an instant. `current` does not count terminating pods."""

    name: str
    owner: str
    desired: int
    current: int
    ready: int
    created_s: float

    def row(self, at_s: float) -> list[str]:
        """A line of `kubectl get rs`."""
        return [self.name, str(self.desired), str(self.current), str(self.ready), age(at_s - self.created_s)]


class _Sets:
    """ReplicaSets while records are applied in order of time."""

    def __init__(self, trace: Trace) -> None:
        changes: list[tuple[float, Callable[[], None]]] = []
        changes += [(one.t_s, partial(self._scaled, one)) for one in trace.scales if one.kind == "ReplicaSet"]
        changes += [(one.t_s, partial(self._pod, one)) for one in trace.pods if one.replica_set]
        removed = [one for one in trace.events if one.kind == "ReplicaSet" and one.reason == "Deleted"]
        changes += [(one.t_s, partial(self._removed, one.name)) for one in removed]
        self._changes = sorted(changes, key=lambda change: change[0])
        self._pods: dict[str, PodState] = {}
        self._counts: dict[str, list[int]] = {}
        self.sizes: dict[str, ScaleRecord] = {}
        self._born: dict[str, float] = {}

    def _scaled(self, one: ScaleRecord) -> None:
        self.sizes[one.name] = one
        self._born.setdefault(one.name, one.t_s)

    def _removed(self, name: str) -> None:
        self.sizes.pop(name, None)
        self._born.pop(name, None)

    def _pod(self, record: PodRecord) -> None:
        before = self._pods.get(record.pod)
        after = change(self._pods, record) if record.state != "deleted" else self._pods.pop(record.pod, None) and None
        for state, step in ((before, -1), (after, 1)):
            if state is not None and state.deleting_s is None:
                count = self._counts.setdefault(state.owner, [0, 0])
                count[0] += step
                count[1] += step * state.pod_ready

    def steps(self, until_s: float = math.inf) -> Iterator[float]:
        """Apply everything up to a time, instant by instant."""
        for at_s, some in groupby(self._changes, key=lambda change: change[0]):
            if at_s > until_s:
                return
            for _, apply in some:
                apply()
            yield at_s

    def states(self) -> list[SetState]:
        """What is there now, by name."""
        found = []
        for name, one in sorted(self.sizes.items()):
            current, ready = self._counts.get(name, (0, 0))
            found.append(SetState(name, one.owner, one.to_replicas, current, ready, self._born[name]))
        return found


def sets_at(trace: Trace, at_s: float) -> list[SetState]:
    """The ReplicaSets that exist at an instant, by name."""
    sets = _Sets(trace)
    for _ in sets.steps(at_s):
        pass
    return sets.states()


def get_rs(trace: Trace, at_s: float, workload: str | None = None) -> list[str]:
    """`kubectl get rs` at an instant. CURRENT does not count terminating pods."""
    return listed(SET_HEADER, [one.row(at_s) for one in sets_at(trace, at_s) if workload in (None, one.owner)])


def watch_rs(trace: Trace, workload: str | None = None, start_s: float = 0.0) -> list[str]:
    """`kubectl get rs -w` from `start_s`: one line for each change of size, pods or ready pods of a set."""
    sets, shown = _Sets(trace), dict[str, tuple[object, ...]]()
    rows = []
    for at_s in sets.steps():
        for one in sets.states():
            if workload in (None, one.owner) and shown.get(one.name) != one[2:5]:
                shown[one.name] = one[2:5]
                if at_s >= start_s:
                    rows.append(one.row(at_s))
    return table(SET_HEADER, rows)
