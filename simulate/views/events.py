"""Events as `kubectl get events` and `kubectl describe` show them.

What the trace holds as events stands beside what pods and sets always say: those texts follow from the records of pods, so that a run
need not write them (the reasons and messages are those of Kubernetes 1.35 and later).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from simulate.trace import EventRecord, PodRecord, RevisionRecord, Trace
from simulate.views.text import age, listed, ruled

HEADER = ("LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE")
OURS = frozenset({"Scenario", "Condition"})
"""Kinds of records that are no events of a cluster."""

SOURCES = {
    "Deployment": "deployment-controller",
    "ReplicaSet": "replicaset-controller",
    "StatefulSet": "statefulset-controller",
    "DaemonSet": "daemonset-controller",
    "Job": "job-controller",
    "CronJob": "cronjob-controller",
    "HorizontalPodAutoscaler": "horizontal-pod-autoscaler",
    "Node": "node-controller",
}
FIELD = re.compile(r"^spec\.containers\{[^}]*\}: ")
BY_SCHEDULER = frozenset({"Scheduled", "FailedScheduling", "Preempted"})
BY_NODE_CONTROLLER = frozenset({"TaintManagerEviction"})


def source_of(event: EventRecord) -> str:
    """The column FROM of `kubectl describe`.

    >>> source_of(EventRecord(0.0, "Pod", "web-1", "Normal", "Scheduled", ""))
    'default-scheduler'
    """
    if event.kind != "Pod":
        return SOURCES.get(event.kind, "controller-manager")
    if event.reason in BY_SCHEDULER:
        return "default-scheduler"
    return "taint-eviction-controller" if event.reason in BY_NODE_CONTROLLER else "kubelet"


def events_of(trace: Trace) -> list[EventRecord]:
    """Every event of the cluster, in order of time."""
    written = (one for one in trace.events if one.kind not in OURS and (one.kind, one.reason) != ("ReplicaSet", "Deleted"))
    return sorted([*written, *_told(trace)], key=lambda one: one.t_s)


def _told(trace: Trace) -> Iterator[EventRecord]:
    """What sets and kubelets say of their pods; of pods that ran before the start nothing."""
    templates = {one.replica_set: one for one in trace.revisions}
    versions = _versions(trace)
    pulling: dict[str, float] = {}
    running: set[str] = set()
    for record in trace.pods:
        owner = record.replica_set
        template = templates.get(owner) if owner else versions.get((record.workload, record.pod), None)
        if record.t_s > 0 and owner and record.state == "created":
            yield EventRecord(record.t_s, "ReplicaSet", owner, "Normal", "SuccessfulCreate", f"Created pod: {record.pod}")
        if record.t_s > 0 and owner and record.reason == f"scaled down {owner}":
            yield EventRecord(record.t_s, "ReplicaSet", owner, "Normal", "SuccessfulDelete", f"Deleted pod: {record.pod}")
        if record.t_s > 0 and template is not None:
            yield from _by_kubelet(record, template, pulling, running)
        if record.state in ("running", "restarted"):
            running.add(record.pod)
        elif record.state in ("killed", "deleted"):
            running.discard(record.pod)


def _versions(trace: Trace) -> dict[tuple[str, str], RevisionRecord]:
    """(workload, pod) -> its template, for pods that belong to their workload itself: the newest revision when the pod was created."""
    found: dict[tuple[str, str], RevisionRecord] = {}
    revisions = sorted(trace.revisions, key=lambda one: one.t_s)
    for record in trace.pods:
        if record.state == "created" and not record.replica_set:
            known = [one for one in revisions if one.workload == record.workload and one.t_s <= record.t_s]
            if known:
                found[record.workload, record.pod] = known[-1]
    return found


def _by_kubelet(record: PodRecord, template: RevisionRecord, pulling: dict[str, float], running: set[str]) -> Iterator[EventRecord]:
    pairs = list(zip(template.containers, template.images, strict=True))

    def said(reason: str, message: str, container: str) -> EventRecord:
        return EventRecord(record.t_s, "Pod", record.pod, "Normal", reason, f"spec.containers{{{container}}}: {message}")

    if record.state == "pulling" and record.reason in template.images:
        pulling.setdefault(record.pod, record.t_s)
        yield from (said("Pulling", f'Pulling image "{image}"', name) for name, image in pairs if image == record.reason)
    elif record.state in ("running", "restarted"):
        begun_s = pulling.pop(record.pod, None)
        for name, image in pairs[: 1 if record.state == "restarted" else None]:
            if begun_s is None:
                yield said("Pulled", f'Container image "{image}" already present on machine and can be accessed by the pod', name)
            else:
                took = f"{record.t_s - begun_s:.3f}s"
                yield said("Pulled", f'Successfully pulled image "{image}" in {took} ({took} including waiting).', name)
            yield said("Created", "Container created", name)
            yield said("Started", "Container started", name)
    elif record.state == "terminating" and record.pod in running:
        yield from (said("Killing", f"Stopping container {name}", name) for name, _ in pairs)


# ------------------------------------------------------------------ as kubectl shows them


def _folded(some: Iterable[EventRecord]) -> dict[EventRecord, list[float]]:
    """Equal events as one, which has the time 0 here, with their times."""
    found: dict[EventRecord, list[float]] = {}
    for one in some:
        found.setdefault(one._replace(t_s=0.0), []).append(one.t_s)
    return found


def _seen(times: list[float], at_s: float) -> str:
    last = age(at_s - times[-1])
    return last if len(times) == 1 else f"{last} (x{len(times)} over {age(at_s - times[0])})"


def get_events(trace: Trace, at_s: float | None = None, name: str | None = None) -> list[str]:
    """`kubectl get events --sort-by=.lastTimestamp` at an instant (the end), of all objects or of one name."""
    end_s = trace.horizon_s if at_s is None else at_s
    folded = _folded(one for one in events_of(trace) if one.t_s <= end_s and name in (None, one.name))
    some = sorted(folded.items(), key=lambda item: item[1][-1])
    return listed(HEADER, [_row(one, _seen(times, end_s)) for one, times in some])


def _row(one: EventRecord, seen: str) -> list[str]:
    """`get` leaves out which container it is about."""
    return [seen, one.type, one.reason, f"{one.kind.lower()}/{one.name}", FIELD.sub("", one.message)]


def watch_events(trace: Trace, start_s: float = 0.0, name: str | None = None) -> list[str]:
    """`kubectl get events -w` from `start_s`: one line for each event as it is written."""
    some = [one for one in events_of(trace) if one.t_s >= start_s and name in (None, one.name)]
    return listed(HEADER, [_row(one, "0s") for one in some])


def describe_events(trace: Trace, name: str | None = None, at_s: float | None = None, kind: str | None = None) -> list[str]:
    """The Events of `kubectl describe` (of one object, or all) at an instant (the end); equal ones are folded with their number."""
    end_s = trace.horizon_s if at_s is None else at_s
    some = (one for one in events_of(trace) if one.t_s <= end_s and name in (None, one.name) and kind in (None, one.kind))
    rows = [[o.type, o.reason, _seen(times, end_s), source_of(o), o.message] for o, times in _folded(some).items()]
    return ruled(("Type", "Reason", "Age", "From", "Message"), rows) if rows else ["<none>"]
