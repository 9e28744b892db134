"""What the API server refuses beside what the schemas say (MIG930): names, labels, numbers, and fields that exclude each other.

Source: the validation that each field's documentation in the Kubernetes API reference states; only what holds in every supported version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from migrate.source import Path_
from migrate.verify.objects import Pod, at, mapping, pod_of, sequence
from migrate.verify.schema import Misfit

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_SERVICE_NAME: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?\Z")
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_VALUE: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?\Z")
_KEY: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)\Z")
_MAP_KEY: Final = re.compile(r"[-._a-zA-Z0-9]+\Z")
_PORT_NAME: Final = re.compile(r"(?=.{1,15}\Z)(?!.*--)(?=.*[a-z])[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_QUANTITY: Final = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(m|u|n|[kMGTPE]i?|Ki|[eE][+-]?[0-9]+)?\Z")
_SCALE: Final[Mapping[str, Decimal]] = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", 1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}  # fmt: skip
_RESTART: Final[Mapping[str, tuple[str | None, ...]]] = {
    **dict.fromkeys(("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"), (None, "Always")),
    **dict.fromkeys(("Job", "CronJob"), ("Never", "OnFailure")),
}
_LARGEST_MAP_BYTES: Final = 1 << 20
_PATHS_OF_PORTS: Final = ("containerPort", "hostPort")


def refused(manifest: Mapping[str, Any]) -> Iterator[Misfit]:
    """Every value of one object that an API server would refuse although the schema admits it.

    >>> [m.message for m in refused({"kind": "Service", "metadata": {"name": "0ne"}, "spec": {"ports": [{"port": 70000}]}})]
    ["'0ne' is not a DNS label that starts with a letter", '70000 is not a port from 1 to 65535']
    """
    kind = str(manifest.get("kind"))
    yield from _metadata(mapping(manifest.get("metadata")), ("metadata",), kind)
    if (pod := pod_of(0, manifest)) is not None:
        yield from _workload(manifest, kind, pod)
    if (check := _CHECKS.get(kind)) is not None:
        yield from check(manifest)


def quantity(text: Any) -> Decimal | None:
    """A Kubernetes quantity as a number, None if it is none.

    >>> quantity("250m"), quantity("1.5Gi"), quantity("1,5")
    (Decimal('0.250'), Decimal('1610612736.0'), None)
    """
    found = _QUANTITY.match(str(text))
    if found is None or isinstance(text, bool):
        return None
    number, suffix = found[1], found[2] or ""
    return Decimal(f"{number}{suffix}") if suffix not in _SCALE else Decimal(number) * _SCALE[suffix]


def _metadata(metadata: Mapping[str, Any], path: Path_, kind: str) -> Iterator[Misfit]:
    called = metadata.get("name")
    if not called and not metadata.get("generateName"):
        yield Misfit(path=path, message="the object has no name")
    elif called:
        yield from _name(str(called), (*path, "name"), kind)
    yield from _labels(metadata, path)


def _name(called: str, path: Path_, kind: str) -> Iterator[Misfit]:
    if kind == "Service" and (not _SERVICE_NAME.match(called) or len(called) > 63):
        yield Misfit(path=path, message=f"{called!r} is not a DNS label that starts with a letter")
    elif kind in ("Namespace", "StatefulSet") and (not _LABEL.match(called) or len(called) > 63):
        yield Misfit(path=path, message=f"{called!r} is not a DNS label")
    elif kind not in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding") and (not _SUBDOMAIN.match(called) or len(called) > 253):
        yield Misfit(path=path, message=f"{called!r} is not a DNS name in lower case")


def _labels(metadata: Mapping[str, Any], path: Path_) -> Iterator[Misfit]:
    for key, value in mapping(metadata.get("labels")).items():
        if isinstance(value, str) and (not _VALUE.match(value) or len(value) > 63):
            yield Misfit(path=(*path, "labels", key), message="not a legal label value (63 letters, digits, -, _ and .)")
    for part in ("labels", "annotations"):
        for key in mapping(metadata.get(part)):
            prefix, slash, short = str(key).rpartition("/")
            if not _KEY.match(short) or len(short) > 63 or (slash and not _SUBDOMAIN.match(prefix)):
                yield Misfit(path=(*path, part, str(key)), message="not a legal key of labels and annotations")


def _workload(manifest: Mapping[str, Any], kind: str, pod: Pod) -> Iterator[Misfit]:
    template = pod.path[:-1]
    if template:
        yield from _labels(mapping(at(manifest, (*template, "metadata"))), (*template, "metadata"))
    allowed, said = _RESTART.get(kind), pod.spec.get("restartPolicy")
    if allowed is not None and said not in allowed:
        words = " or ".join(str(word) for word in allowed if word)
        yield Misfit(path=(*pod.path, "restartPolicy"), message=f"a {kind} restarts its pods {words}")
    for key in ("hostname", "subdomain"):
        text = pod.spec.get(key)
        if isinstance(text, str) and (not _LABEL.match(text) or len(text) > 63):
            yield Misfit(path=(*pod.path, key), message=f"{text!r} is not a DNS label")
    for path, volume in pod.volumes():
        if not _LABEL.match(str(volume.get("name"))) or len(str(volume.get("name"))) > 63:
            yield Misfit(path=(*path, "name"), message=f"{volume.get('name')!r} is not a DNS label")
        if len([key for key, value in volume.items() if key != "name" and value is not None]) > 1:
            yield Misfit(path=path, message="a volume has one source")
    if not any(not container.first for container in pod.containers()):
        yield Misfit(path=(*pod.path, "containers"), message="a pod needs a container")
    for container in pod.containers():
        yield from _container(container.data, container.path, container.first)


def _container(data: Mapping[str, Any], path: Path_, first: bool) -> Iterator[Misfit]:
    called = str(data.get("name"))
    if not _LABEL.match(called) or len(called) > 63:
        yield Misfit(path=(*path, "name"), message=f"{called!r} is not a DNS label")
    if not data.get("image"):
        yield Misfit(path=path, message="a container needs an image")
    for index, port in enumerate(map(mapping, sequence(data.get("ports")))):
        for key in _PATHS_OF_PORTS:
            if key in port:
                yield from _port_number(port[key], (*path, "ports", index, key))
        if "name" in port and not _PORT_NAME.match(str(port["name"])):
            yield Misfit(path=(*path, "ports", index, "name"), message=f"{port['name']!r} is not a port name (15 characters at most)")
    for index, mount in enumerate(map(mapping, sequence(data.get("volumeMounts")))):
        if ".." in str(mount.get("subPath", "")).split("/") or str(mount.get("subPath", "")).startswith("/"):
            yield Misfit(path=(*path, "volumeMounts", index, "subPath"), message="must be relative and without '..'")
        if not mount.get("mountPath") or ":" in str(mount.get("mountPath")):
            yield Misfit(path=(*path, "volumeMounts", index, "mountPath"), message="must be given and without ':'")
    native = data.get("restartPolicy") == "Always"
    yield from _probes(data, path, allowed=not first or native)
    yield from _resources(mapping(data.get("resources")), (*path, "resources"))


def _probes(data: Mapping[str, Any], path: Path_, *, allowed: bool) -> Iterator[Misfit]:
    for key in ("readinessProbe", "livenessProbe", "startupProbe"):
        probe = mapping(data.get(key))
        if not probe:
            continue
        if not allowed:
            yield Misfit(path=(*path, key), message="an init container has no probe")
        handlers = [handler for handler in ("exec", "httpGet", "tcpSocket", "grpc") if probe.get(handler) is not None]
        if len(handlers) != 1:
            yield Misfit(path=(*path, key), message="a probe has one of exec, httpGet, tcpSocket and grpc")
        elif handlers == ["exec"] and not mapping(probe["exec"]).get("command"):
            yield Misfit(path=(*path, key, "exec", "command"), message="the probe has nothing to run")
        for handler in ("httpGet", "tcpSocket", "grpc"):
            port = mapping(probe.get(handler)).get("port")
            if isinstance(port, int):
                yield from _port_number(port, (*path, key, handler, "port"))
        for field in ("periodSeconds", "timeoutSeconds", "failureThreshold", "successThreshold"):
            if isinstance(probe.get(field), int) and probe[field] < 1:
                yield Misfit(path=(*path, key, field), message="must be at least 1")
        if key != "readinessProbe" and probe.get("successThreshold", 1) != 1:
            yield Misfit(path=(*path, key, "successThreshold"), message="must be 1")


def _resources(resources: Mapping[str, Any], path: Path_) -> Iterator[Misfit]:
    values = {(part, key): quantity(text) for part in ("requests", "limits") for key, text in mapping(resources.get(part)).items()}
    for (part, key), value in values.items():
        if value is None or value < 0:
            yield Misfit(path=(*path, part, key), message="not a quantity")
    for (part, key), value in values.items():
        limit = values.get(("limits", key))
        if part == "requests" and value is not None and limit is not None and value > limit:
            yield Misfit(path=(*path, part, key), message="the request is more than the limit")


def _port_number(value: Any, path: Path_) -> Iterator[Misfit]:
    if isinstance(value, int) and not 1 <= value <= 65535:
        yield Misfit(path=path, message=f"{value} is not a port from 1 to 65535")


def _service(manifest: Mapping[str, Any]) -> Iterator[Misfit]:
    spec = mapping(manifest.get("spec"))
    ports = [mapping(port) for port in sequence(spec.get("ports"))]
    headless = spec.get("clusterIP") == "None"
    if not ports and not headless and spec.get("type") != "ExternalName":
        yield Misfit(path=("spec", "ports"), message="only a headless Service may be without ports")
    if headless and spec.get("type") in ("NodePort", "LoadBalancer"):
        yield Misfit(path=("spec", "clusterIP"), message=f"a Service of type {spec['type']} cannot be headless")
    for index, port in enumerate(ports):
        for key in ("port", "targetPort"):
            yield from _port_number(port.get(key), ("spec", "ports", index, key))
        if len(ports) > 1 and not port.get("name"):
            yield Misfit(path=("spec", "ports", index, "name"), message="with several ports each needs a name")
        if port.get("name") and (not _LABEL.match(str(port["name"])) or len(str(port["name"])) > 63):
            yield Misfit(path=("spec", "ports", index, "name"), message=f"{port['name']!r} is not a DNS label")


def _deployment(manifest: Mapping[str, Any]) -> Iterator[Misfit]:
    spec = mapping(manifest.get("spec"))
    yield from _replicas(manifest)
    strategy = mapping(spec.get("strategy"))
    rolling = mapping(strategy.get("rollingUpdate"))
    if strategy.get("type") == "Recreate" and "rollingUpdate" in strategy:
        yield Misfit(path=("spec", "strategy", "rollingUpdate"), message="is not allowed with type Recreate")
    if all(str(rolling.get(key, "x")) in ("0", "0%") for key in ("maxSurge", "maxUnavailable")):
        yield Misfit(path=("spec", "strategy", "rollingUpdate"), message="maxSurge and maxUnavailable must not both be 0")
    deadline, ready = spec.get("progressDeadlineSeconds", 600), spec.get("minReadySeconds", 0)
    if isinstance(deadline, int) and isinstance(ready, int) and deadline <= ready:
        yield Misfit(path=("spec", "progressDeadlineSeconds"), message="must be greater than minReadySeconds")


def _replicas(manifest: Mapping[str, Any]) -> Iterator[Misfit]:
    replicas = at(manifest, ("spec", "replicas"))
    if isinstance(replicas, int) and replicas < 0:
        yield Misfit(path=("spec", "replicas"), message="must not be negative")


def _map(manifest: Mapping[str, Any]) -> Iterator[Misfit]:
    size = 0
    for part in ("data", "stringData", "binaryData"):
        for key, value in mapping(manifest.get(part)).items():
            size += len(str(value).encode("utf-8", "replace"))
            if not _MAP_KEY.match(str(key)) or len(str(key)) > 253 or str(key) in (".", "..") or str(key).startswith(".."):
                yield Misfit(path=(part, str(key)), message="not a legal key (letters, digits, -, _ and .)")
    if size > _LARGEST_MAP_BYTES:
        yield Misfit(path=("data",), message=f"{size} bytes are more than 1 MiB")


def _autoscaler(manifest: Mapping[str, Any]) -> Iterator[Misfit]:
    spec = mapping(manifest.get("spec"))
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas")
    if isinstance(least, int) and least < 1:
        yield Misfit(path=("spec", "minReplicas"), message="must be at least 1")
    if isinstance(least, int) and isinstance(most, int) and most < max(1, least):
        yield Misfit(path=("spec", "maxReplicas"), message="must be at least minReplicas and 1")


def _budget(manifest: Mapping[str, Any]) -> Iterator[Misfit]:
    spec = mapping(manifest.get("spec"))
    if "minAvailable" in spec and "maxUnavailable" in spec:
        yield Misfit(path=("spec", "maxUnavailable"), message="minAvailable and maxUnavailable exclude each other")


_CHECKS: Final[Mapping[str, Any]] = {
    "Service": _service,
    "Deployment": _deployment,
    **dict.fromkeys(("ReplicaSet", "StatefulSet"), _replicas),
    **dict.fromkeys(("ConfigMap", "Secret"), _map),
    "HorizontalPodAutoscaler": _autoscaler,
    "PodDisruptionBudget": _budget,
}
