"""Kubernetes manifests -> typed objects, each fault with its place; what the simulation does not model becomes an assumption.

Defaults of fields are those of the Kubernetes API reference; probes, images and termination: kubernetes-semantics.md 6.1 to 6.6.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from simulate.manifests.documents import Document, documents, read_text
from simulate.manifests.fields import Fields
from simulate.manifests.jobs import cron_rules, job_rules
from simulate.manifests.limits import defaulted, limit_range, quota, too_many
from simulate.manifests.pods import default_pull_policy, template
from simulate.manifests.structure import BUDGET, SCALER, check
from simulate.problems import InputError, Problem
from simulate.spec import Assumption, Autoscaler, DisruptionBudget, LimitRange, ResourceQuota, ServiceSpec, Workload

SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """What the manifests say, in their order. `digests`: name of each input -> SHA-256 of its bytes."""

    workloads: tuple[Workload, ...]
    services: tuple[ServiceSpec, ...]
    autoscalers: tuple[Autoscaler, ...]
    assumptions: tuple[Assumption, ...]
    budgets: tuple[DisruptionBudget, ...] = ()
    ranges: tuple[LimitRange, ...] = ()
    quotas: tuple[ResourceQuota, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)


# ------------------------------------------------------------------ from sources to documents


def read(sources: Sequence[str | Path | Mapping[str, Any]], stdin: str | None = None) -> Manifests:
    """Everything that `sources` (directories, files, `-` with its text in `stdin`, or objects as plain data) deploy.

    A directory gives its .yaml, .yml and .json files, and those of the folders below it, in the order of their names. InputError
    with all faults at once, also when nothing that runs pods is among them.
    """
    loaded: list[Document] = []
    digests: dict[str, str] = {}
    problems: list[Problem] = []
    for number, source in enumerate(sources):
        try:
            if isinstance(source, Mapping):
                loaded.append(Document(file=f"manifest {number + 1}", value=dict(source)))
            elif str(source) == "-":
                text = stdin or ""
                digests["standard input"] = hashlib.sha256(text.encode()).hexdigest()
                loaded += documents(text, "standard input")
            else:
                for path in _files(Path(source)):
                    text, digests[str(path)] = read_text(path)
                    loaded += documents(text, str(path))
        except InputError as error:
            problems += error.problems
    if sources and all(isinstance(source, Mapping) for source in sources):
        digests["manifests"] = hashlib.sha256(json.dumps(list(sources), sort_keys=True, default=str).encode()).hexdigest()
    return _collect(loaded, digests, problems)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    kustomization = next(
        (path / name for name in ("kustomization.yaml", "kustomization.yml", "Kustomization") if (path / name).exists()), None
    )
    if kustomization is not None:
        message = f"is not rendered; use: kubectl kustomize {path} | simulate run -"
        raise InputError([Problem(file=str(kustomization), line=0, column=0, message=message)])
    if (path / "Chart.yaml").exists():
        message = f"is a chart, not manifests; use: helm template {path} | simulate run -"
        raise InputError([Problem(file=str(path / "Chart.yaml"), line=0, column=0, message=message)])
    return sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())


# ------------------------------------------------------------------ from documents to objects


class Priority(NamedTuple):
    """A PriorityClass."""

    value: int
    policy: str = "PreemptLowerPriority"
    default: bool = False


SYSTEM_PRIORITIES: Mapping[str, Priority] = {
    "system-cluster-critical": Priority(2 * 10**9),
    "system-node-critical": Priority(2 * 10**9 + 1000),
}
"""The two that every cluster has."""


@dataclass(slots=True)
class _Collected:
    """Machinery of one reading."""

    problems: list[Problem]
    workloads: list[Workload] = field(default_factory=list)
    services: list[ServiceSpec] = field(default_factory=list)
    autoscalers: list[Autoscaler] = field(default_factory=list)
    budgets: list[DisruptionBudget] = field(default_factory=list)
    priorities: dict[str, Priority] = field(default_factory=dict)
    ranges: list[LimitRange] = field(default_factory=list)
    quotas: list[ResourceQuota] = field(default_factory=list)
    assumptions: list[Assumption] = field(default_factory=list)
    ignored: dict[str, list[str]] = field(default_factory=dict)

    def assume(self, subject: str, value: str, reason: str, origin: Literal["default", "guess", "derived"] = "default") -> None:
        self.assumptions.append(Assumption(subject=subject, value=value, reason=reason, origin=origin))


def _collect(loaded: Iterable[Document], digests: Mapping[str, str], problems: list[Problem]) -> Manifests:
    into = _Collected(problems=problems)
    seen: dict[tuple[str, str, str], str] = {}
    for item in _objects(loaded, problems):
        kind, name = item.text("kind"), item.fields("metadata").text("name")
        if kind is None or item.text("apiVersion") is None:
            item.fault(None, "is no Kubernetes object: it needs apiVersion, kind and metadata.name")
            continue
        if not name and kind not in IGNORED:
            item.fault("metadata", "has no name")
            continue
        namespace = item.fields("metadata").text("namespace") or "default"
        key = (kind, namespace, str(name))
        if key in seen and kind in READERS:
            item.fault("metadata", f"is a second {kind} {namespace}/{name}, the first stands in {seen[key]}")
            continue
        seen[key] = item.document.file
        reader = READERS.get(kind)
        if reader is None:
            into.ignored.setdefault(kind, []).append(str(name))
        else:
            reader(into, item, kind, str(name), namespace)
    if problems:
        raise InputError(problems)
    if not into.workloads:
        place = ", ".join(digests) or "manifests"
        message = "no Deployment, StatefulSet, DaemonSet or Job: there is nothing to simulate"
        raise InputError([Problem(file=place, line=0, column=0, message=message)])
    for one in into.quotas:
        for name, number in too_many(one, [(kind, namespace) for kind, namespace, _ in seen]).items():
            reason = f"the ResourceQuota {one.name} allows {one.hard[name]}; the manifests are taken as they are"
            into.assume(f"{name} of {one.namespace}", str(number), reason, "derived")
    for kind, names in sorted(into.ignored.items()):
        listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        into.assume(f"{kind} {listed}", "not modelled", IGNORED.get(kind, "this kind does not change what is simulated"))
    return Manifests(
        workloads=tuple(_limited(into, _prioritised(into, one)) for one in into.workloads),
        services=_selections(into.services, into.workloads),
        autoscalers=tuple(into.autoscalers),
        assumptions=tuple(into.assumptions),
        budgets=tuple(into.budgets),
        ranges=tuple(into.ranges),
        quotas=tuple(into.quotas),
        digests=digests,
    )


def _objects(loaded: Iterable[Document], problems: list[Problem]) -> Iterable[Fields]:
    for document in loaded:
        item = Fields(document, document.value, (), problems)
        if str(item.value.get("kind", "")).endswith("List") and isinstance(item.value.get("items"), list):
            yield from item.each("items")
        elif isinstance(document.value, Mapping):
            yield item


def _selections(services: Sequence[ServiceSpec], workloads: Sequence[Workload]) -> tuple[ServiceSpec, ...]:
    """Services with the workloads that they select, in the order of the manifests; looked up by one label first."""
    having: dict[tuple[str, str, str], list[Workload]] = {}
    for workload in workloads:
        for key, value in workload.template.labels.items():
            having.setdefault((workload.namespace, key, value), []).append(workload)
    found = []
    for service in services:
        lists = [having.get((service.namespace, key, value), []) for key, value in service.selector.items()]
        fewest = min(lists, key=len, default=[])
        chosen = (w.name for w in fewest if all(w.template.labels.get(k) == v for k, v in service.selector.items()))
        found.append(replace(service, workloads=tuple(chosen)))
    return tuple(found)


# What old API versions default otherwise (API reference of 1.15): extensions/v1beta1 and apps/v1beta1.
OLD_DEPLOYMENT: Mapping[str, Mapping[str, Any]] = {
    "extensions/v1beta1": {"max_surge": 1, "max_unavailable": 1, "progress_deadline_s": None, "revision_history_limit": 2**31 - 1},
    "apps/v1beta1": {"revision_history_limit": 2},
}
ON_DELETE_BY_DEFAULT = frozenset({("DaemonSet", "extensions/v1beta1"), ("StatefulSet", "apps/v1beta1")})


def _workload(into: _Collected, item: Fields, kind: str, name: str, namespace: str) -> None:
    spec, version = item.fields("spec"), str(item.text("apiVersion"))
    cron = cron_rules(spec) if kind == "CronJob" else None
    if kind == "CronJob":
        spec = spec.fields("jobTemplate").fields("spec")
    job = job_rules(spec) if kind in ("Job", "CronJob") else None
    made = template(into.assumptions, spec.fields("template"), f"{kind}/{name}")
    if made is None:
        return
    old = OLD_DEPLOYMENT.get(version, {}) if kind == "Deployment" else {}
    strategy = spec.fields("strategy" if kind == "Deployment" else "updateStrategy")
    rolling = strategy.fields("rollingUpdate")
    usual = "OnDelete" if (kind, version) in ON_DELETE_BY_DEFAULT else "RollingUpdate"
    kinds = ("RollingUpdate", "Recreate") if kind == "Deployment" else ("RollingUpdate", "OnDelete")
    deadline = (
        spec.integer("progressDeadlineSeconds", -1, minimum=1)
        if spec.has("progressDeadlineSeconds")
        else old.get("progress_deadline_s", 600)
    )
    selector = spec.fields("selector")
    into.workloads.append(
        Workload(
            kind=kind,  # type: ignore[arg-type]
            name=name,
            namespace=namespace,
            replicas=spec.integer("replicas", 1) if job is None else job.parallelism,
            template=made,
            behaviour=name,
            strategy=strategy.choice("type", kinds, usual),  # type: ignore[arg-type]
            max_surge=rolling.share("maxSurge", 0 if kind == "DaemonSet" else old.get("max_surge", "25%")),
            max_unavailable=rolling.share("maxUnavailable", old.get("max_unavailable", "25%") if kind == "Deployment" else 1),
            min_ready_s=spec.integer("minReadySeconds", 0),
            progress_deadline_s=deadline,
            revision_history_limit=spec.integer("revisionHistoryLimit", int(old.get("revision_history_limit", 10))),
            pod_management=spec.choice("podManagementPolicy", ("OrderedReady", "Parallel"), "OrderedReady"),  # type: ignore[arg-type]
            partition=rolling.integer("partition", 0),
            selector=selector.strings("matchLabels") or dict(made.labels),
            source=_source(item),
            job=job,
            cron=cron,
            cause=item.fields("metadata").fields("annotations").text("kubernetes.io/change-cause"),
            paused=kind == "Deployment" and spec.flag("paused"),
        )
    )
    if selector.has("matchExpressions"):
        into.assume(f"{kind}/{name} selector", "matchLabels only", "matchExpressions of a selector are not modelled")


def _bare(into: _Collected, item: Fields, kind: str, name: str, namespace: str) -> None:
    """A Pod, ReplicaSet or ReplicationController without an owner: as a Deployment that nobody updates."""
    if item.fields("metadata").has("ownerReferences"):
        return
    spec = item.fields("spec")
    source = item if kind == "Pod" else spec.fields("template")
    made = template(into.assumptions, source, f"{kind}/{name}")
    if made is None:
        return
    replicas = 1 if kind == "Pod" else spec.integer("replicas", 1)
    into.workloads.append(
        Workload(
            kind="Deployment",
            name=name,
            namespace=namespace,
            replicas=replicas,
            template=made,
            behaviour=name,
            selector=dict(made.labels),
            source=_source(item),
            bare=kind == "Pod",
        )
    )
    into.assume(f"{kind}/{name}", f"as a Deployment of {replicas}", f"a bare {kind} is run like a Deployment that is never updated")


def _source(item: Fields) -> str:
    line, column = item.document.place(item.path)
    return f"{item.document.file}:{line}:{column}" if line else item.document.file


def _service(into: _Collected, item: Fields, kind: str, name: str, namespace: str) -> None:
    spec = item.fields("spec")
    if spec.text("type") == "ExternalName":
        into.assume(f"Service/{name}", "not modelled", "ExternalName leads out of the cluster")
        return
    into.services.append(
        ServiceSpec(
            name=name,
            namespace=namespace,
            selector=spec.strings("selector"),
            workloads=(),
            publish_not_ready=spec.flag("publishNotReadyAddresses"),
        )
    )


def _autoscaler(into: _Collected, item: Fields, kind: str, name: str, namespace: str) -> None:
    spec, subject = item.fields("spec"), f"HorizontalPodAutoscaler/{name}"
    if not check(SCALER, spec):
        return
    target = spec.fields("scaleTargetRef")
    if target.text("name") is None:
        spec.fault("scaleTargetRef", "must name what to scale")
        return
    minimum, maximum = spec.integer("minReplicas", 1), spec.integer("maxReplicas", -1, minimum=1)
    if maximum < 1:
        if not spec.has("maxReplicas"):
            spec.fault("maxReplicas", "is required")
        return
    if maximum < minimum:
        spec.fault("maxReplicas", f"must not be below minReplicas ({minimum})")
    metrics = []
    for metric in _metrics_v2(spec):
        if metric.get("type") in ("Resource", "ContainerResource"):
            metrics.append(metric)
        else:
            into.assume(subject, f"without its {metric.get('type')} metric", "the values of such a metric are not in the scenario")
    behavior = spec.value.get("behavior")
    into.autoscalers.append(
        Autoscaler(
            name=name,
            namespace=namespace,
            target=str(target.text("name")),
            minimum=minimum,
            maximum=maximum,
            metrics=tuple(metrics),
            behavior=behavior if isinstance(behavior, Mapping) else None,
        )
    )


def _budget(into: _Collected, item: Fields, kind: str, name: str, namespace: str) -> None:
    spec = item.fields("spec")
    if not check(BUDGET, spec):
        return
    both = [key for key in ("minAvailable", "maxUnavailable") if spec.has(key)]
    if len(both) > 1:
        spec.fault("maxUnavailable", "stands beside minAvailable: only one of the two may be set")
        return
    into.budgets.append(
        DisruptionBudget(
            name=name,
            namespace=namespace,
            selector=spec.value.get("selector"),
            minimum=spec.share("minAvailable", 0) if "minAvailable" in both else None,
            maximum=spec.share("maxUnavailable", 0) if "maxUnavailable" in both else None,
            policy=spec.choice("unhealthyPodEvictionPolicy", ("IfHealthyBudget", "AlwaysAllow"), "IfHealthyBudget"),  # type: ignore[arg-type]
        )
    )


def _priority(into: _Collected, item: Fields, kind: str, name: str, namespace: str) -> None:
    policy = item.choice("preemptionPolicy", ("PreemptLowerPriority", "Never"), "PreemptLowerPriority")
    into.priorities[name] = Priority(item.integer("value", 0, minimum=-(2**31)), policy, item.flag("globalDefault"))


def _prioritised(into: _Collected, workload: Workload) -> Workload:
    """The workload with the priority that admission gives to its pods."""
    spec = workload.template.data.get("spec") or {}
    name = spec.get("priorityClassName")
    known = {**SYSTEM_PRIORITIES, **into.priorities}
    default = next((one for _, one in sorted(into.priorities.items()) if one.default), Priority(int(spec.get("priority") or 0)))
    if name and name not in known:
        subject = f"{workload.kind}/{workload.name} priority"
        into.assume(subject, str(default.value), f"the PriorityClass {name} is not among the manifests", "derived")
    chosen = known.get(str(name), default)
    if not chosen.value and chosen.policy == "PreemptLowerPriority":
        return workload
    data = {
        **workload.template.data,
        "spec": {**spec, "priority": chosen.value, "preemptionPolicy": spec.get("preemptionPolicy", chosen.policy)},
    }
    return replace(workload, template=replace(workload.template, priority=chosen.value, data=data))


def _range(into: _Collected, item: Fields, kind: str, name: str, namespace: str) -> None:
    into.ranges.append(limit_range(item, name, namespace))


def _quota(into: _Collected, item: Fields, kind: str, name: str, namespace: str) -> None:
    into.quotas.append(quota(item, name, namespace))


def _limited(into: _Collected, workload: Workload) -> Workload:
    """The workload with what LimitRanges give to its containers when a pod is created (the template itself stays as it is written)."""
    made, given = defaulted(workload.template, [one for one in into.ranges if one.namespace == workload.namespace])
    for name, added in given.items():
        said = ", ".join(f"{key} {text}" for key, text in sorted(added.items()))
        into.assume(f"{workload.kind}/{workload.name} container {name}", said, "defaults of a LimitRange", "derived")
    return replace(workload, template=made)


def _metrics_v2(spec: Fields) -> list[Mapping[str, Any]]:
    """`metrics` in the form of autoscaling/v2; v1's percentage and v2beta1's flat targets are rewritten. None: cpu at 80 %."""
    if not spec.has("metrics"):
        percent = spec.integer("targetCPUUtilizationPercentage", 80, minimum=1)
        return [cpu_metric(percent)]
    found: list[Mapping[str, Any]] = []
    for metric in spec.each("metrics"):
        kind = metric.text("type") or "?"
        key = kind[:1].lower() + kind[1:]
        body = metric.fields(key)
        if "targetAverageUtilization" in body.value:
            rest = {k: v for k, v in body.value.items() if not str(k).startswith("target")}
            target = {"type": "Utilization", "averageUtilization": body.integer("targetAverageUtilization", 80)}
            found.append({"type": kind, key: {**rest, "target": target}})
        elif "targetAverageValue" in body.value:
            rest = {k: v for k, v in body.value.items() if not str(k).startswith("target")}
            found.append(
                {"type": kind, key: {**rest, "target": {"type": "AverageValue", "averageValue": body.value["targetAverageValue"]}}}
            )
        else:
            found.append(dict(metric.value))
    return found


def cpu_metric(percent: int) -> Mapping[str, Any]:
    """The metric that `kubectl autoscale --cpu-percent` makes.

    >>> cpu_metric(20)["resource"]["target"]
    {'type': 'Utilization', 'averageUtilization': 20}
    """
    return {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}}}


READERS: Mapping[str, Callable[[_Collected, Fields, str, str, str], None]] = {
    "Deployment": _workload,
    "StatefulSet": _workload,
    "DaemonSet": _workload,
    "Job": _workload,
    "CronJob": _workload,
    "Pod": _bare,
    "ReplicaSet": _bare,
    "ReplicationController": _bare,
    "Service": _service,
    "HorizontalPodAutoscaler": _autoscaler,
    "PodDisruptionBudget": _budget,
    "PriorityClass": _priority,
    "LimitRange": _range,
    "ResourceQuota": _quota,
}

# Why leaving a kind out is right enough, for the list of assumptions.
IGNORED: Mapping[str, str] = {
    "ConfigMap": "configuration does not change the model",
    "Secret": "secrets do not change the model",
    "PersistentVolumeClaim": "volumes are assumed to be bound and mounted without delay",
    "PersistentVolume": "volumes are assumed to be bound and mounted without delay",
    "StorageClass": "volumes are assumed to be bound and mounted without delay",
    "Ingress": "requests are assumed to arrive at the Service behind it, without its own CPU",
    "NetworkPolicy": "every call is assumed to be allowed",
    "Namespace": "names are as the manifests say",
    "ServiceAccount": "permissions do not change the model",
    "Role": "permissions do not change the model",
    "RoleBinding": "permissions do not change the model",
    "ClusterRole": "permissions do not change the model",
    "ClusterRoleBinding": "permissions do not change the model",
    "VerticalPodAutoscaler": "requests stay as the manifests say",
}

__all__ = ["Document", "Manifests", "cpu_metric", "default_pull_policy", "documents", "read", "read_text"]
