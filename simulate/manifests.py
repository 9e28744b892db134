"""Kubernetes manifests -> typed objects, each fault with its place; what the simulation does not model becomes an assumption.

Defaults of fields are those of the Kubernetes API reference; probes, images and termination: kubernetes-semantics.md 6.1 to 6.6.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import yaml

from simulate.problems import InputError, Problem
from simulate.quantity import parse_quantity
from simulate.spec import Assumption, Autoscaler, ContainerSpec, PodTemplate, Probe, ServiceSpec, Workload

NODES_LIMIT = 2_000_000
SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """What the manifests say, in their order. `digests`: name of each input -> SHA-256 of its bytes."""

    workloads: tuple[Workload, ...]
    services: tuple[ServiceSpec, ...]
    autoscalers: tuple[Autoscaler, ...]
    assumptions: tuple[Assumption, ...]
    digests: Mapping[str, str] = field(default_factory=dict)


# ------------------------------------------------------------------ YAML with places


class _Loader(yaml.CSafeLoader):
    """YAML 1.1, but dates, numbers to base 60 and the words yes, no, on and off stay text (`on` is a key of a scenario)."""


def _text(loader: _Loader, node: yaml.ScalarNode) -> str:
    return str(node.value)


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int | str:
    return str(node.value) if ":" in node.value else int(loader.construct_yaml_int(node))


def _float(loader: _Loader, node: yaml.ScalarNode) -> float | str:
    return str(node.value) if ":" in node.value else float(loader.construct_yaml_float(node))


def _flag(loader: _Loader, node: yaml.ScalarNode) -> bool | str:
    return loader.construct_yaml_bool(node) if node.value.lower() in ("true", "false") else str(node.value)


_Loader.add_constructor("tag:yaml.org,2002:bool", _flag)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _text)
_Loader.add_constructor("tag:yaml.org,2002:value", _text)
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML document: its plain value, and its nodes for places (None where the value came from memory)."""

    file: str
    value: Any
    node: yaml.Node | None = None

    def place(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Line and column from 1 of the deepest existing part of `path`; (0, 0) where unknown."""
        node = at = self.node
        for part in path:
            if isinstance(node, yaml.MappingNode):
                found = next(((k, v) for k, v in node.value if isinstance(k, yaml.ScalarNode) and k.value == str(part)), None)
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                found = (node.value[part], node.value[part])
            else:
                found = None
            if found is None:
                break
            at, node = found
        return (at.start_mark.line + 1, at.start_mark.column + 1) if at is not None else (0, 0)

    def problem(self, path: Sequence[str | int], message: str) -> Problem:
        """A problem at the place of `path`."""
        line, column = self.place(path)
        return Problem(file=self.file, line=line, column=column, message=message)


def documents(text: str, file: str) -> list[Document]:
    """The documents of a YAML stream that are not empty; InputError with every place where it is not YAML or not finite."""
    loader = _Loader(text)
    found: list[Document] = []
    try:
        while loader.check_node():
            node = loader.get_node()
            faults = [] if node is None else _node_faults(node, file)
            if faults:
                raise InputError(faults)
            value = loader.construct_document(node)
            if value is not None:
                found.append(Document(file=file, value=value, node=node))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        raise InputError(
            [Problem(file=file, line=mark.line + 1 if mark else 0, column=mark.column + 1 if mark else 0, message=f"not YAML: {said}")]
        ) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise InputError([Problem(file=file, line=0, column=0, message=f"not YAML: {str(error).splitlines()[0]}")]) from None
    except RecursionError:
        raise InputError([Problem(file=file, line=0, column=0, message="nested too deeply")]) from None
    finally:
        loader.dispose()
    return found


def _node_faults(root: yaml.Node, file: str) -> list[Problem]:
    """Cycles, alias bombs and keys that stand twice; looked at on the nodes, before anything is expanded."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()
    faults: list[Problem] = []

    def fault(node: yaml.Node, message: str) -> None:
        faults.append(Problem(file=file, line=node.start_mark.line + 1, column=node.start_mark.column + 1, message=message))

    def size(node: yaml.Node) -> int:
        if isinstance(node, yaml.ScalarNode):
            return 1
        if id(node) in sizes:
            return sizes[id(node)]
        if id(node) in open_nodes:
            fault(node, "an anchor contains itself")
            return 1
        open_nodes.add(id(node))
        total = 1
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                total += size(key) + size(value)
                if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                    if key.value in seen:
                        fault(key, f"the key {key.value!r} stands twice in one mapping")
                    seen.add(key.value)
        else:
            total += sum(size(item) for item in node.value)
        open_nodes.discard(id(node))
        sizes[id(node)] = total
        return total

    if size(root) > NODES_LIMIT:
        fault(root, f"its anchors expand to more than {NODES_LIMIT} values")
    return faults


def read_text(path: Path) -> tuple[str, str]:
    """Text of a regular file and its SHA-256; InputError names what else it is (directory, FIFO, device), unreadable or not UTF-8."""
    name = str(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise InputError([Problem(file=name, line=0, column=0, message="is a directory, a file is wanted")])
        if not stat.S_ISREG(mode) and name != "/dev/null":
            raise InputError([Problem(file=name, line=0, column=0, message="is not a regular file")])
        data = path.read_bytes()
        return data.decode("utf-8-sig"), hashlib.sha256(data).hexdigest()
    except UnicodeDecodeError as error:
        raise InputError([Problem(file=name, line=data[: error.start].count(b"\n") + 1, column=1, message="is not UTF-8 text")]) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError([Problem(file=name, line=0, column=0, message=f"cannot be read: {reason}")]) from None


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


class _Fields:
    """One mapping of a manifest. Reading notes a wrong type as a problem and gives the default; null is absent."""

    def __init__(self, document: Document, value: Any, path: tuple[str | int, ...], problems: list[Problem]) -> None:
        self.document, self.path, self.problems = document, path, problems
        if value is not None and not isinstance(value, Mapping):
            self.fault(None, f"must be a mapping, is {_kind(value)}")
        self.value: Mapping[str, Any] = value if isinstance(value, Mapping) else {}

    def fault(self, key: str | None, message: str) -> None:
        path = self.path if key is None else (*self.path, key)
        self.problems.append(self.document.problem(path, f"{'.'.join(map(str, path)) or 'document'} {message}"))

    def _get(self, key: str, right: Callable[[Any], bool], wanted: str) -> Any:
        value = self.value.get(key)
        if value is None or right(value):
            return value
        self.fault(key, f"must be {wanted}, is {_kind(value)}")
        return None

    def text(self, key: str) -> str | None:
        value: str | None = self._get(key, lambda v: isinstance(v, str), "text")
        return value

    def choice(self, key: str, among: Sequence[str], default: str) -> str:
        value = self.text(key)
        if value is not None and value not in among:
            self.fault(key, f"must be one of {', '.join(among)}, is {value!r}")
        return default if value is None or value not in among else value

    def integer(self, key: str, default: int, minimum: int = 0) -> int:
        value = self._get(key, lambda v: isinstance(v, int) and not isinstance(v, bool), "a whole number")
        if value is not None and value < minimum:
            self.fault(key, f"must be at least {minimum}, is {value}")
            return default
        return default if value is None else int(value)

    def flag(self, key: str, default: bool = False) -> bool:
        words = {True: True, False: False, "yes": True, "on": True, "no": False, "off": False}
        value = self._get(key, lambda v: isinstance(v, bool | str) and v in words, "true or false")
        return default if value is None else words[value]

    def share(self, key: str, default: int | str) -> int | str:
        """An integer or a percentage, as maxSurge."""
        value = self._get(
            key, lambda v: (isinstance(v, int) and not isinstance(v, bool)) or isinstance(v, str), "a whole number or a percentage"
        )
        if value is None:
            return default
        if not (isinstance(value, int) and value >= 0) and not re.fullmatch(r"\d+%", str(value)):
            self.fault(key, f"must be a whole number or a percentage, is {value!r}")
            return default
        return value  # type: ignore[no-any-return]

    def quantity(self, key: str) -> float | None:
        value = self._get(key, lambda v: isinstance(v, str | int | float) and not isinstance(v, bool), "a quantity")
        try:
            return None if value is None else float(parse_quantity(str(value)))
        except ValueError as error:
            self.fault(key, f"is no quantity: {error}")
            return None

    def fields(self, key: str) -> _Fields:
        return _Fields(self.document, self.value.get(key), (*self.path, key), self.problems)

    def each(self, key: str) -> list[_Fields]:
        value = self._get(key, lambda v: isinstance(v, list), "a list")
        return [_Fields(self.document, item, (*self.path, key, i), self.problems) for i, item in enumerate(value or ())]

    def strings(self, key: str) -> dict[str, str]:
        value = self._get(key, lambda v: isinstance(v, Mapping), "a mapping")
        return {str(k): str(v) for k, v in (value or {}).items()}

    def has(self, key: str) -> bool:
        return self.value.get(key) is not None


def _kind(value: Any) -> str:
    names = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "a mapping"}
    return names.get(type(value), type(value).__name__)


# ------------------------------------------------------------------ from documents to objects


@dataclass(slots=True)
class _Collected:
    """Machinery of one reading."""

    problems: list[Problem]
    workloads: list[Workload] = field(default_factory=list)
    services: list[ServiceSpec] = field(default_factory=list)
    autoscalers: list[Autoscaler] = field(default_factory=list)
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
    for kind, names in sorted(into.ignored.items()):
        listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        into.assume(f"{kind} {listed}", "not modelled", IGNORED.get(kind, "this kind does not change what is simulated"))
    services = tuple(replace(service, workloads=_selected(service, into.workloads)) for service in into.services)
    return Manifests(
        workloads=tuple(into.workloads),
        services=services,
        autoscalers=tuple(into.autoscalers),
        assumptions=tuple(into.assumptions),
        digests=digests,
    )


def _objects(loaded: Iterable[Document], problems: list[Problem]) -> Iterable[_Fields]:
    for document in loaded:
        item = _Fields(document, document.value, (), problems)
        if str(item.value.get("kind", "")).endswith("List") and isinstance(item.value.get("items"), list):
            yield from item.each("items")
        elif isinstance(document.value, Mapping):
            yield item


def _selected(service: ServiceSpec, workloads: Sequence[Workload]) -> tuple[str, ...]:
    if not service.selector:
        return ()
    return tuple(
        workload.name
        for workload in workloads
        if workload.namespace == service.namespace and all(workload.template.labels.get(k) == v for k, v in service.selector.items())
    )


# What old API versions default otherwise (API reference of 1.15): extensions/v1beta1 and apps/v1beta1.
OLD_DEPLOYMENT: Mapping[str, Mapping[str, Any]] = {
    "extensions/v1beta1": {"max_surge": 1, "max_unavailable": 1, "progress_deadline_s": None, "revision_history_limit": 2**31 - 1},
    "apps/v1beta1": {"revision_history_limit": 2},
}
ON_DELETE_BY_DEFAULT = frozenset({("DaemonSet", "extensions/v1beta1"), ("StatefulSet", "apps/v1beta1")})


def _workload(into: _Collected, item: _Fields, kind: str, name: str, namespace: str) -> None:
    spec, version = item.fields("spec"), str(item.text("apiVersion"))
    template = _template(into, spec.fields("template"), f"{kind}/{name}")
    if template is None:
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
            replicas=spec.integer("parallelism", 1) if kind == "Job" else spec.integer("replicas", 1),
            template=template,
            behaviour=name,
            strategy=strategy.choice("type", kinds, usual),  # type: ignore[arg-type]
            max_surge=rolling.share("maxSurge", 0 if kind == "DaemonSet" else old.get("max_surge", "25%")),
            max_unavailable=rolling.share("maxUnavailable", old.get("max_unavailable", "25%") if kind == "Deployment" else 1),
            min_ready_s=spec.integer("minReadySeconds", 0),
            progress_deadline_s=deadline,
            revision_history_limit=spec.integer("revisionHistoryLimit", int(old.get("revision_history_limit", 10))),
            pod_management=spec.choice("podManagementPolicy", ("OrderedReady", "Parallel"), "OrderedReady"),  # type: ignore[arg-type]
            partition=rolling.integer("partition", 0),
            selector=selector.strings("matchLabels") or dict(template.labels),
            source=_source(item),
        )
    )
    if selector.has("matchExpressions"):
        into.assume(f"{kind}/{name} selector", "matchLabels only", "matchExpressions of a selector are not modelled")


def _bare(into: _Collected, item: _Fields, kind: str, name: str, namespace: str) -> None:
    """A Pod, ReplicaSet or ReplicationController without an owner: as a Deployment that nobody updates."""
    if item.fields("metadata").has("ownerReferences"):
        return
    spec = item.fields("spec")
    source = item if kind == "Pod" else spec.fields("template")
    template = _template(into, source, f"{kind}/{name}")
    if template is None:
        return
    replicas = 1 if kind == "Pod" else spec.integer("replicas", 1)
    into.workloads.append(
        Workload(
            kind="Deployment",
            name=name,
            namespace=namespace,
            replicas=replicas,
            template=template,
            behaviour=name,
            selector=dict(template.labels),
            source=_source(item),
        )
    )
    into.assume(f"{kind}/{name}", f"as a Deployment of {replicas}", f"a bare {kind} is run like a Deployment that is never updated")


def _source(item: _Fields) -> str:
    line, column = item.document.place(item.path)
    return f"{item.document.file}:{line}:{column}" if line else item.document.file


def _service(into: _Collected, item: _Fields, kind: str, name: str, namespace: str) -> None:
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


def _autoscaler(into: _Collected, item: _Fields, kind: str, name: str, namespace: str) -> None:
    spec, subject = item.fields("spec"), f"HorizontalPodAutoscaler/{name}"
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


def _metrics_v2(spec: _Fields) -> list[Mapping[str, Any]]:
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


# ------------------------------------------------------------------ pod templates


def _template(into: _Collected, item: _Fields, subject: str) -> PodTemplate | None:
    spec = item.fields("spec")
    containers = [_container(into, each, subject) for each in spec.each("containers")]
    if not containers:
        spec.fault("containers", "must list at least one container")
        return None
    initial = []
    for each in spec.each("initContainers"):
        if each.text("restartPolicy") == "Always":
            containers.append(_container(into, each, subject))
        else:
            initial.append(_container(into, each, subject))
    return PodTemplate(
        labels=item.fields("metadata").strings("labels"),
        containers=tuple(containers),
        init_containers=tuple(initial),
        grace_s=float(spec.integer("terminationGracePeriodSeconds", 30)),
        data=item.value,
    )


def _container(into: _Collected, item: _Fields, subject: str) -> ContainerSpec:
    name, image = item.text("name") or "", item.text("image") or ""
    if not name:
        item.fault(None, "has no name")
    limits, requests = item.fields("resources").fields("limits"), item.fields("resources").fields("requests")
    limit_cores, limit_bytes = limits.quantity("cpu"), limits.quantity("memory")
    request_cores, request_bytes = requests.quantity("cpu"), requests.quantity("memory")
    return ContainerSpec(
        name=name,
        image=image,
        pull_policy=item.choice("imagePullPolicy", ("Always", "IfNotPresent", "Never"), default_pull_policy(image)),  # type: ignore[arg-type]
        request_cores=limit_cores if request_cores is None else request_cores,
        request_bytes=limit_bytes if request_bytes is None else request_bytes,
        limit_cores=limit_cores,
        limit_bytes=limit_bytes,
        readiness=_probe(item, "readinessProbe"),
        liveness=_probe(item, "livenessProbe"),
        startup=_probe(item, "startupProbe"),
        prestop_s=_prestop(into, item.fields("lifecycle").fields("preStop"), f"{subject} container {name}"),
    )


def default_pull_policy(image: str) -> Literal["Always", "IfNotPresent"]:
    """Always for the tag `latest` or none, else IfNotPresent (kubernetes-semantics.md 6.2); a digest is a tag of its own.

    >>> [default_pull_policy(i) for i in ("web", "web:latest", "registry:5000/web", "web:1", "web@sha256:00")]
    ['Always', 'Always', 'Always', 'IfNotPresent', 'IfNotPresent']
    """
    if "@" in image:
        return "IfNotPresent"
    tag = image.rsplit("/", 1)[-1].partition(":")[2]
    return "IfNotPresent" if tag and tag != "latest" else "Always"


PROBE_KINDS: Mapping[str, Literal["exec", "http", "tcp", "grpc"]] = {"exec": "exec", "httpGet": "http", "tcpSocket": "tcp", "grpc": "grpc"}


def _probe(container: _Fields, key: str) -> Probe | None:
    if not container.has(key):
        return None
    item = container.fields(key)
    kind = next((PROBE_KINDS[handler] for handler in PROBE_KINDS if item.has(handler)), None)
    if kind is None:
        item.fault(None, "has no exec, httpGet, tcpSocket or grpc")
        return None
    return Probe(
        kind=kind,
        period_s=item.integer("periodSeconds", 10, minimum=1),
        timeout_s=item.integer("timeoutSeconds", 1, minimum=1),
        success_threshold=item.integer("successThreshold", 1, minimum=1),
        failure_threshold=item.integer("failureThreshold", 3, minimum=1),
        initial_delay_s=item.integer("initialDelaySeconds", 0),
    )


def _prestop(into: _Collected, hook: _Fields, subject: str) -> float:
    """How long a preStop hook takes: `sleep` as an action or as a command; of anything else it is not known."""
    if not hook.value:
        return 0.0
    if hook.has("sleep"):
        return float(hook.fields("sleep").integer("seconds", 0))
    command = hook.fields("exec").value.get("command")
    words = " ".join(map(str, command)) if isinstance(command, list) else ""
    match = re.fullmatch(r"(?:\S*/)?(?:(?:ba|da)?sh -c )?\s*(?:exec )?(?:\S*/)?sleep (\d+(?:\.\d+)?)s?\s*;?", words)
    if match:
        return float(match.group(1))
    into.assume(f"{subject} preStop", "0s", "how long this hook takes is not in the manifest", "guess")
    return 0.0


READERS: Mapping[str, Callable[[_Collected, _Fields, str, str, str], None]] = {
    "Deployment": _workload,
    "StatefulSet": _workload,
    "DaemonSet": _workload,
    "Job": _workload,
    "Pod": _bare,
    "ReplicaSet": _bare,
    "ReplicationController": _bare,
    "Service": _service,
    "HorizontalPodAutoscaler": _autoscaler,
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
    "CronJob": "its jobs are not started",
    "PodDisruptionBudget": "evictions are not held back by it",
    "VerticalPodAutoscaler": "requests stay as the manifests say",
    "PriorityClass": "all pods have the same priority",
    "LimitRange": "defaults of a LimitRange are not applied",
    "ResourceQuota": "no quota is applied",
}
