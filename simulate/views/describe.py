"""`kubectl describe hpa|deploy|pod|node` at any simulated instant: the parts that a simulation knows, in kubectl's words and order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from simulate.quantity import format_milli
from simulate.spec import ClusterSpec, ContainerSpec, NodePool, Probe, Workload
from simulate.trace import HpaRecord, RevisionRecord, StatusRecord, Trace
from simulate.views.events import describe_events
from simulate.views.nodes import nodes_at
from simulate.views.pods import PodState, pods_at
from simulate.views.text import age, block, ruled
from simulate.views.workloads import revisions_at, sets_at, status_at


def _labels(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(labels.items())) or "<none>"


def _events(trace: Trace, kind: str, name: str, at_s: float) -> list[str]:
    lines = describe_events(trace, name, at_s, kind)
    return ["Events:  <none>"] if lines == ["<none>"] else ["Events:", *lines]


def _missing(kind: str, name: str) -> list[str]:
    return [f'Error from server (NotFound): {kind} "{name}" not found']


# ------------------------------------------------------------------ hpa


def describe_hpa(trace: Trace, spec: ClusterSpec, name: str, at_s: float) -> list[str]:
    """`kubectl describe hpa NAME`."""
    known = [one for one in trace.hpa if one.name == name and one.t_s <= at_s]
    if not known:
        return _missing("horizontalpodautoscalers.autoscaling", name)
    one = known[-1]
    namespace = next((a.namespace for a in spec.autoscalers if a.name == name), "default")
    head = [
        ("Name", one.name), ("Namespace", namespace), ("Reference", f"{one.kind}/{one.target}"),
        ("Metrics", "( current / target )"), *((f"  {metric}", said) for metric, said in one.metrics.items()),
        ("Min replicas", str(one.minimum)), ("Max replicas", str(one.maximum)),
        (f"{one.kind} pods", f"{one.current} current / {one.desired} desired"),
    ]  # fmt: skip
    return [*block(head), *_hpa_conditions(one), *_events(trace, "HorizontalPodAutoscaler", name, at_s)]


def _hpa_conditions(one: HpaRecord) -> list[str]:
    rows = [(type_, *said.split("/", 1), one.messages.get(type_, "")) for type_, said in one.conditions.items()]
    return ["Conditions:", *ruled(("Type", "Status", "Reason", "Message"), rows)] if rows else []


# ------------------------------------------------------------------ deployment


def describe_deployment(trace: Trace, spec: ClusterSpec, name: str, at_s: float) -> list[str]:
    """`kubectl describe deployment NAME`."""
    live = next((one for one in spec.workloads if one.name == name and one.kind == "Deployment"), None)
    if live is None:
        return _missing("deployments.apps", name)
    status, revisions = status_at(trace, live, at_s), revisions_at(trace, name, at_s)
    current = revisions[-1] if revisions else None
    rolling = [] if live.strategy == "Recreate" else [
        ("RollingUpdateStrategy", f"{live.max_unavailable} max unavailable, {live.max_surge} max surge"),
    ]  # fmt: skip
    head = [
        ("Name", live.name), ("Namespace", live.namespace), ("Annotations", _annotations(current)),
        ("Selector", ",".join(f"{key}={value}" for key, value in sorted((live.selector or live.template.labels).items()))),
        ("Replicas", _replicas(status)), ("StrategyType", live.strategy), ("MinReadySeconds", str(live.min_ready_s)), *rolling,
    ]  # fmt: skip
    return [
        *block(head),
        *_template(live, current),
        "Conditions:",
        *ruled(("Type", "Status", "Reason"), _conditions(trace, live, status, at_s)),
        *_sets(trace, name, current, at_s),
        *_events(trace, "Deployment", name, at_s),
    ]


def _annotations(current: RevisionRecord | None) -> str:
    said = f"deployment.kubernetes.io/revision: {current.revision if current else 1}"
    return said + (f", kubernetes.io/change-cause: {current.cause}" if current and current.cause else "")


def _replicas(status: StatusRecord) -> str:
    missing = max(0, max(status.desired, status.replicas) - status.available)
    counts = (status.desired, "desired"), (status.updated, "updated"), (status.replicas, "total"), (status.available, "available")
    return " | ".join(f"{n} {what}" for n, what in (*counts, (missing, "unavailable")))


def _template(live: Workload, current: RevisionRecord | None) -> list[str]:
    images = dict(zip(current.containers, current.images, strict=True)) if current else {}
    lines = ["Pod Template:", *block([("Labels", _labels(live.template.labels))], indent=2)]
    for title, some in (("Init Containers", live.template.init_containers), ("Containers", live.template.containers)):
        lines += [f"  {title}:"] if some else []
        for one in some:
            lines += [f"   {one.name}:", *block(_container(one, images.get(one.name, one.image)), indent=4)]
    return lines


def _container(one: ContainerSpec, image: str) -> list[tuple[str, str]]:
    found = [("Image", image)]
    for title, cores, memory in (("Limits", one.limit_cores, one.limit_bytes), ("Requests", one.request_cores, one.request_bytes)):
        pairs = [("  cpu", _cores(cores)) for _ in (0,) if cores is not None]
        pairs += [("  memory", _bytes(memory)) for _ in (0,) if memory is not None]
        found += [(title, ""), *pairs] if pairs else []
    probes = (("Liveness", one.liveness), ("Readiness", one.readiness), ("Startup", one.startup))
    return found + [(title, _probe(probe)) for title, probe in probes if probe is not None]


def _cores(cores: float) -> str:
    return format_milli(round(cores * 1000))


def _bytes(memory: float) -> str:
    return format_milli(round(memory) * 1000, binary=True)


def _probe(one: Probe) -> str:
    kind = {"http": "http-get", "tcp": "tcp-socket"}.get(one.kind, one.kind)
    return (
        f"{kind} delay={one.initial_delay_s}s timeout={one.timeout_s}s period={one.period_s}s"
        f" #success={one.success_threshold} #failure={one.failure_threshold}"
    )


def _conditions(trace: Trace, live: Workload, status: StatusRecord, at_s: float) -> list[tuple[str, str, str]]:
    """Available as kubectl shows it first, and Progressing as the last change of it was."""
    missing = live.max_unavailable if isinstance(live.max_unavailable, int) else status.desired * int(live.max_unavailable[:-1]) // 100
    surge = live.max_surge if isinstance(live.max_surge, int) else -(-status.desired * int(live.max_surge[:-1]) // 100)
    allowed = 0 if live.strategy == "Recreate" else min(status.desired, missing or (0 if surge else 1))
    enough = status.available >= status.desired - allowed
    rows = [("Available", str(enough), "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable")]
    known = [one for one in trace.events if one.kind == "Condition" and one.name == live.name and one.t_s <= at_s]
    said = [one for one in known if one.message.startswith("Progressing=")]
    if said:
        rows.append(("Progressing", said[-1].message.partition("=")[2], said[-1].reason))
    elif live.progress_deadline_s is not None:
        rows.append(("Progressing", "True", "NewReplicaSetAvailable"))
    failed = [one for one in known if one.message.startswith("ReplicaFailure=")]
    if failed and failed[-1].message.endswith("True"):
        rows.append(("ReplicaFailure", "True", failed[-1].reason))
    return rows


def _sets(trace: Trace, name: str, current: RevisionRecord | None, at_s: float) -> list[str]:
    known = [one for one in sets_at(trace, at_s) if one.owner == name]
    own = current.replica_set if current else ""
    old = [f"{one.name} ({one.current}/{one.desired} replicas created)" for one in known if one.name != own]
    new = [f"{one.name} ({one.current}/{one.desired} replicas created)" for one in known if one.name == own]
    return block([("OldReplicaSets", ", ".join(old) or "<none>"), ("NewReplicaSet", ", ".join(new) or "<none>")])


# ------------------------------------------------------------------ pod


def describe_pod(trace: Trace, spec: ClusterSpec, name: str, at_s: float) -> list[str]:
    """`kubectl describe pod NAME`. The server's container has the states; the others run as long as the pod does."""
    pod = pods_at(trace, at_s).get(name)
    if pod is None:
        return _missing("pods", name)
    live = next(one for one in spec.workloads if one.name == pod.workload)
    template = _template_of(trace, pod)
    controller = f"ReplicaSet/{pod.owner}" if pod.owner else f"{live.kind}/{live.name}"
    head = [
        ("Name", name), ("Namespace", live.namespace), ("Priority", str(live.template.priority)), ("Node", pod.node or "<none>"),
        ("Labels", _labels(live.template.labels)), ("Status", _phase(pod, at_s)), ("Controlled By", controller),
    ]  # fmt: skip
    images = dict(zip(template.containers, template.images, strict=True)) if template else {}
    lines = block(head)
    if live.template.init_containers:
        lines.append("Init Containers:")
        for one in live.template.init_containers:
            lines += [f"  {one.name}:", *block(_container(one, one.image), indent=4)]
    lines.append("Containers:")
    for number, one in enumerate(live.template.containers):
        fields = _container(one, images.get(one.name, one.image))
        lines += [f"  {one.name}:", *block([fields[0], *_state(pod, number), *fields[1:]], indent=4)]
    rows = [(type_, str(held)) for type_, held in _pod_conditions(pod)]
    return [*lines, "Conditions:", *ruled(("Type", "Status"), rows), *_events(trace, "Pod", name, at_s)]


def _template_of(trace: Trace, pod: PodState) -> RevisionRecord | None:
    known = [one for one in trace.revisions if one.replica_set == pod.owner] if pod.owner else []
    known = known or [one for one in trace.revisions if one.workload == pod.workload and one.t_s <= pod.created_s]
    return known[-1] if known else None


def _phase(pod: PodState, at_s: float) -> str:
    if pod.deleting_s is not None:
        return f"Terminating (lasts {age(at_s - pod.deleting_s)})"
    return "Running" if pod.running_s is not None else "Pending"


def _state(pod: PodState, number: int) -> list[tuple[str, str]]:
    """State, last state, readiness and restarts of a container; only the first is known to have ended."""
    ended = number == 0 and pod.exited_s is not None
    down = ended and pod.running_s is not None and pod.running_s < (pod.exited_s or 0.0)
    if pod.running_s is None or pod.status in ("CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull"):
        shown = pod.status if number == 0 or pod.running_s is None else "Running"
        state = [("State", "Waiting"), ("  Reason", shown)] if shown != "Running" else [("State", shown)]
    elif down:
        state = [("State", "Terminated"), ("  Reason", pod.exit_reason)]
    else:
        state = [("State", "Running")]
    last = [("Last State", "Terminated"), ("  Reason", pod.exit_reason)] if ended and not (down and state[0][1] == "Terminated") else []
    ready = pod.ready >= pod.containers if number == 0 else pod.ready > 0
    restarts = pod.restarts if number == 0 else 0
    return [*state, *last, ("Ready", str(ready)), ("Restart Count", str(restarts))]


def _pod_conditions(pod: PodState) -> Iterable[tuple[str, bool]]:
    yield "PodReadyToStartContainers", pod.running_s is not None
    yield "Initialized", pod.running_s is not None
    yield "Ready", pod.pod_ready
    yield "ContainersReady", pod.ready == pod.containers
    yield "PodScheduled", pod.node is not None


# ------------------------------------------------------------------ node


def describe_node(trace: Trace, spec: ClusterSpec, name: str, at_s: float) -> list[str]:
    """`kubectl describe node NAME`."""
    node = nodes_at(trace, at_s).get(name)
    if node is None:
        return _missing("nodes", name)
    pool = next(one for one in spec.pools if one.name == node.pool)
    ready = ("Ready", "True", "KubeletReady") if node.ready else ("Ready", "Unknown", "NodeStatusUnknown")
    head = [
        ("Name", name), ("Roles", "<none>"), ("Labels", _labels(pool.labels)), ("Taints", _taints(pool, node.ready, node.cordoned)),
        ("Unschedulable", str(node.cordoned).lower()),
    ]  # fmt: skip
    pods = [pod for _, pod in sorted(pods_at(trace, at_s).items()) if pod.node == name]
    rows = [_request_row(spec, pool, pod, at_s) for pod in pods]
    return [
        *block(head),
        "Conditions:",
        *ruled(("Type", "Status", "Reason"), [ready]),
        "Allocatable:",
        *block([("cpu", _cores(pool.cores)), ("memory", _bytes(pool.memory_bytes)), ("pods", str(pool.pods))], indent=2),
        f"Non-terminated Pods:  ({len(rows)} in total)",
        *ruled(("Namespace", "Name", "CPU Requests", "CPU Limits", "Memory Requests", "Memory Limits", "Age"), rows),
        "Allocated resources:",
        *ruled(("Resource", "Requests", "Limits"), _allocated(spec, pool, pods)),
        *_events(trace, "Node", name, at_s),
    ]


def _taints(pool: NodePool, ready: bool, cordoned: bool) -> str:
    own = [f"{one.get('key', '')}{'=' + one['value'] if one.get('value') else ''}:{one.get('effect', 'NoSchedule')}" for one in pool.taints]
    own += [] if ready else ["node.kubernetes.io/unreachable:NoExecute", "node.kubernetes.io/unreachable:NoSchedule"]
    own += ["node.kubernetes.io/unschedulable:NoSchedule"] if cordoned else []
    return ", ".join(own) or "<none>"


KEYS = ("request_cores", "limit_cores", "request_bytes", "limit_bytes")


def _sums(live: Workload) -> dict[str, float]:
    return {key: sum(getattr(one, key) or 0.0 for one in live.template.containers) for key in KEYS}


def _request_row(spec: ClusterSpec, pool: NodePool, pod: PodState, at_s: float) -> Sequence[str]:
    live = next(one for one in spec.workloads if one.name == pod.workload)
    shares = [_share_of(key, value, pool) for key, value in _sums(live).items()]
    return (live.namespace, pod.name, *shares, age(at_s - pod.created_s))


def _share_of(key: str, value: float, pool: NodePool) -> str:
    """An amount and its part of what the node has, as `250m (6%)`."""
    shown = _cores(value) if key.endswith("cores") else _bytes(value)
    whole = pool.cores if key.endswith("cores") else pool.memory_bytes
    return f"{shown} ({int(value * 100 / whole)}%)"


def _allocated(spec: ClusterSpec, pool: NodePool, pods: Sequence[PodState]) -> list[tuple[str, str, str]]:
    by_name = {one.name: _sums(one) for one in spec.workloads}
    totals = {key: sum(by_name[pod.workload][key] for pod in pods) for key in KEYS}
    return [
        ("cpu", _share_of("request_cores", totals["request_cores"], pool), _share_of("limit_cores", totals["limit_cores"], pool)),
        ("memory", _share_of("request_bytes", totals["request_bytes"], pool), _share_of("limit_bytes", totals["limit_bytes"], pool)),
    ]
