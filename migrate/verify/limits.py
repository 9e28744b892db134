"""What the API server refuses beside what the schemas say (MIG930): names, labels, numbers, and fields that exclude each other.

Source: the validation that each field's documentation in the Kubernetes API reference states; what differs between versions asks for the
version. A test asks a real API server about each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from migrate.source import Path_
from migrate.verify import forms, pod_limits
from migrate.verify.forms import Form, Tree, held, is_key, is_label, is_label_value, is_map_key, is_subdomain, one_of, share, tree
from migrate.verify.objects import Pod, at, mapping, pod_of, sequence
from migrate.verify.schema import Misfit

_RESTART: Final[Mapping[str, tuple[str | None, ...]]] = {
    **dict.fromkeys(("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"), (None, "Always")),
    **dict.fromkeys(("Job", "CronJob"), ("Never", "OnFailure")),
}
_LARGEST_MAP_BYTES: Final = 1 << 20
_LARGEST_NOTES_BYTES: Final = 1 << 18
_ROLES: Final = frozenset({"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"})
_LONGEST: Final[Mapping[str, int]] = {"CronJob": 52, "Job": 63}

_CLAIM: Final[Mapping[str, Form]] = {
    "accessModes": forms.NOT_EMPTY,
    "accessModes[]": one_of("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"),
    "resources.requests.storage": forms.SOME,
    "storageClassName": Form(lambda v: v == "" or forms.SUBDOMAIN.admits(v), forms.SUBDOMAIN.what),
    "volumeMode": one_of("Filesystem", "Block"),
}
_SELECTING: Final[Mapping[str, Form]] = {
    "replicas": forms.number(0),
    "minReadySeconds": forms.number(0),
    "revisionHistoryLimit": forms.number(0),
}
_JOB: Final[Mapping[str, Form]] = {
    key: forms.number(0) for key in ("parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished")
}
_POLICY_PORT: Final[Mapping[str, Form]] = {"port": forms.PORT_OR_NAME, "protocol": forms.PROTOCOL, "endPort": forms.PORT}


def _spec(table: Mapping[str, Form], place: str = "spec") -> dict[str, Form]:
    return {f"{place}.{key}": form for key, form in table.items()}


_FORMS: Final[Mapping[str, Tree]] = {
    kind: tree(table)
    for kind, table in {
        "Deployment": {
            **_spec(_SELECTING),
            "spec.strategy.type": one_of("Recreate", "RollingUpdate"),
            "spec.strategy.rollingUpdate.maxSurge": forms.SHARE,
            "spec.strategy.rollingUpdate.maxUnavailable": forms.SHARE_OF_ALL,
            "spec.progressDeadlineSeconds": forms.number(0),
        },
        "ReplicaSet": _spec(_SELECTING),
        "StatefulSet": {
            **_spec(_SELECTING),
            "spec.serviceName": forms.LABEL,
            "spec.podManagementPolicy": one_of("OrderedReady", "Parallel"),
            "spec.updateStrategy.type": one_of("RollingUpdate", "OnDelete"),
            **_spec(_CLAIM, "spec.volumeClaimTemplates[].spec"),
            "spec.volumeClaimTemplates[].metadata.name": forms.LABEL,
        },
        "DaemonSet": {
            **_spec(_SELECTING),
            "spec.updateStrategy.type": one_of("RollingUpdate", "OnDelete"),
            "spec.updateStrategy.rollingUpdate.maxSurge": forms.SHARE_OF_ALL,
            "spec.updateStrategy.rollingUpdate.maxUnavailable": forms.SHARE_OF_ALL,
        },
        "Job": _spec(_JOB),
        "CronJob": {
            **_spec(_JOB, "spec.jobTemplate.spec"),
            "spec.schedule": Form(
                lambda v: not isinstance(v, str) or forms.is_schedule(v), "a schedule of five fields or @daily and the like"
            ),
            "spec.concurrencyPolicy": one_of("Allow", "Forbid", "Replace"),
            "spec.startingDeadlineSeconds": forms.number(0),
        },
        "Service": {
            "spec.type": one_of("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"),
            "spec.clusterIP": Form(lambda v: v in ("", "None") or forms.ADDRESS.admits(v), "an IP address or None"),
            "spec.externalIPs[]": forms.ADDRESS,
            "spec.sessionAffinity": one_of("None", "ClientIP"),
            "spec.ipFamilyPolicy": one_of("SingleStack", "PreferDualStack", "RequireDualStack"),
            "spec.externalTrafficPolicy": one_of("Cluster", "Local"),
            "spec.internalTrafficPolicy": one_of("Cluster", "Local"),
            "spec.externalName": forms.SUBDOMAIN,
            "spec.selector.*": forms.LABEL_VALUE,
            "spec.ports[].name": forms.LABEL,
            "spec.ports[].port": forms.PORT,
            "spec.ports[].targetPort": forms.PORT_OR_NAME,
            "spec.ports[].protocol": forms.PROTOCOL,
            "spec.ports[].nodePort": forms.number(0, 65535),
        },
        "PersistentVolumeClaim": _spec(_CLAIM),
        "PersistentVolume": {"spec.capacity.storage": forms.SOME, "spec.accessModes": forms.NOT_EMPTY},
        "ConfigMap": {"binaryData.*": forms.BASE64},
        "Secret": {"data.*": forms.BASE64},
        "Ingress": {
            "spec.ingressClassName": forms.SUBDOMAIN,
            "spec.rules[].http.paths": forms.NOT_EMPTY,
            "spec.rules[].http.paths[].pathType": one_of("Exact", "Prefix", "ImplementationSpecific"),
            "spec.rules[].http.paths[].backend.service.port.number": forms.PORT,
            "spec.tls[].hosts[]": Form(lambda v: not isinstance(v, str) or _is_host(v), "a host name"),
            "spec.rules[].host": Form(lambda v: not isinstance(v, str) or v == "" or _is_host(v), "a host name"),
        },
        "NetworkPolicy": {
            "spec.policyTypes[]": one_of("Ingress", "Egress"),
            **{f"spec.{way}[].ports[].{key}": form for way in ("ingress", "egress") for key, form in _POLICY_PORT.items()},
            **{
                f"spec.{way}[].{peers}[].ipBlock.{key}": forms.RANGE
                for way, peers in (("ingress", "from"), ("egress", "to"))
                for key in ("cidr", "except[]")
            },
        },
        "HorizontalPodAutoscaler": {
            "spec.minReplicas": forms.number(1),
            "spec.maxReplicas": forms.number(1),
            "spec.scaleTargetRef.name": forms.NOT_EMPTY,
            "spec.scaleTargetRef.kind": forms.NOT_EMPTY,
            "spec.metrics[].type": one_of("Resource", "ContainerResource", "Pods", "Object", "External"),
            "spec.metrics[].resource.target.averageUtilization": forms.number(1),
        },
        "PodDisruptionBudget": {
            "spec.minAvailable": forms.SHARE_OF_ALL,
            "spec.maxUnavailable": forms.SHARE_OF_ALL,
            "spec.unhealthyPodEvictionPolicy": one_of("IfHealthyBudget", "AlwaysAllow"),
        },
        "Role": {"rules[].verbs": forms.NOT_EMPTY},
        "ClusterRole": {"rules[].verbs": forms.NOT_EMPTY},
    }.items()
}


def refused(manifest: Mapping[str, Any], minor: int = 35) -> Iterator[Misfit]:
    """Every value of one object that an API server of version 1.`minor` would refuse although the schema admits it.

    >>> [m.message for m in refused({"kind": "Service", "metadata": {"name": "0ne"}, "spec": {"ports": [{"port": 70000}]}})]
    ["'0ne' is not a DNS label that starts with a letter", '70000 is not a port from 1 to 65535']
    """
    kind = str(manifest.get("kind"))
    yield from _metadata(mapping(manifest.get("metadata")), ("metadata",), kind, minor)
    yield from held(manifest, _FORMS.get(kind, {}), ())
    if (pod := pod_of(0, manifest)) is not None:
        yield from _workload(manifest, kind, pod, minor)
    if (check := _CHECKS.get(kind)) is not None:
        yield from check(manifest)


def _metadata(metadata: Mapping[str, Any], path: Path_, kind: str, minor: int) -> Iterator[Misfit]:
    called = metadata.get("name")
    if not called and not metadata.get("generateName"):
        yield Misfit(path=path, message="the object has no name")
    elif called:
        yield from _name(str(called), (*path, "name"), kind, minor)
    yield from _labels(metadata, path)


def _name(called: str, path: Path_, kind: str, minor: int) -> Iterator[Misfit]:
    if kind == "Service":
        if not is_label(called) or (minor < 36 and called[0].isdigit()):
            yield Misfit(path=path, message=f"{called!r} is not a DNS label that starts with a letter")
    elif kind in ("Namespace", "StatefulSet"):
        if not is_label(called):
            yield Misfit(path=path, message=f"{called!r} is not a DNS label")
    elif kind not in _ROLES and not is_subdomain(called):
        yield Misfit(path=path, message=f"{called!r} is not a DNS name in lower case")
    if kind in _LONGEST and len(called) > _LONGEST[kind]:
        yield Misfit(path=path, message=f"the name of a {kind} has at most {_LONGEST[kind]} characters")


def _labels(metadata: Mapping[str, Any], path: Path_) -> Iterator[Misfit]:
    for key, value in mapping(metadata.get("labels")).items():
        if isinstance(value, str) and not is_label_value(value):
            yield Misfit(path=(*path, "labels", key), message="not a legal label value (63 letters, digits, -, _ and .)")
    for part in ("labels", "annotations"):
        for key in mapping(metadata.get(part)):
            if not is_key(str(key), annotation=part == "annotations"):
                yield Misfit(path=(*path, part, str(key)), message="not a legal key of labels and annotations")
    notes = mapping(metadata.get("annotations"))
    if sum(len(str(key).encode()) + len(str(value).encode("utf-8", "replace")) for key, value in notes.items()) > _LARGEST_NOTES_BYTES:
        yield Misfit(path=(*path, "annotations"), message="all annotations together have at most 256 KiB")


def _workload(manifest: Mapping[str, Any], kind: str, pod: Pod, minor: int) -> Iterator[Misfit]:
    template = pod.path[:-1]
    if template:
        yield from _labels(mapping(at(manifest, (*template, "metadata"))), (*template, "metadata"))
    allowed, said = _RESTART.get(kind), pod.spec.get("restartPolicy")
    if allowed is not None and said not in allowed:
        words = " or ".join(str(word) for word in allowed if word)
        yield Misfit(path=(*pod.path, "restartPolicy"), message=f"a {kind} restarts its pods {words}")
    if kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"):
        if "activeDeadlineSeconds" in pod.spec:
            yield Misfit(path=(*pod.path, "activeDeadlineSeconds"), message=f"the pods of a {kind} have no deadline")
        selector = mapping(at(manifest, ("spec", "selector")))
        if isinstance(at(manifest, ("spec", "selector")), Mapping) and not any(selector.values()):
            yield Misfit(path=("spec", "selector"), message="an empty selector is refused")
        yield from pod_limits.expressions(selector, ("spec", "selector"))
    if kind == "Job" and "selector" in mapping(manifest.get("spec")) and not at(manifest, ("spec", "manualSelector")):
        yield Misfit(path=("spec", "selector"), message="a Job makes its own selector")
    yield from pod_limits.refused(pod, minor)


def _is_host(text: str) -> bool:
    return is_subdomain(text.removeprefix("*.")) and not forms.is_address(text)


def _service(manifest: Mapping[str, Any]) -> Iterator[Misfit]:
    spec = mapping(manifest.get("spec"))
    ports, kind = [mapping(port) for port in sequence(spec.get("ports"))], spec.get("type", "ClusterIP")
    headless = spec.get("clusterIP") == "None"
    if not ports and not headless and kind != "ExternalName":
        yield Misfit(path=("spec", "ports"), message="only a headless Service may be without ports")
    if headless and kind in ("NodePort", "LoadBalancer"):
        yield Misfit(path=("spec", "clusterIP"), message=f"a Service of type {kind} cannot be headless")
    if kind == "ExternalName" and not spec.get("externalName"):
        yield Misfit(path=("spec", "externalName"), message="must be given with type ExternalName")
    if "externalTrafficPolicy" in spec and kind not in ("NodePort", "LoadBalancer") and not spec.get("externalIPs"):
        yield Misfit(path=("spec", "externalTrafficPolicy"), message=f"a Service of type {kind} has none")
    for index, port in enumerate(ports):
        if len(ports) > 1 and not port.get("name"):
            yield Misfit(path=("spec", "ports", index, "name"), message="with several ports each needs a name")
        if port.get("nodePort") and kind not in ("NodePort", "LoadBalancer"):
            yield Misfit(path=("spec", "ports", index, "nodePort"), message=f"a Service of type {kind} has none")


def _deployment(manifest: Mapping[str, Any]) -> Iterator[Misfit]:
    spec = mapping(manifest.get("spec"))
    strategy = mapping(spec.get("strategy"))
    if strategy.get("type") == "Recreate" and "rollingUpdate" in strategy:
        yield Misfit(path=("spec", "strategy", "rollingUpdate"), message="is not allowed with type Recreate")
    yield from _standstill(mapping(strategy.get("rollingUpdate")), ("spec", "strategy", "rollingUpdate"), "25%")
    deadline, ready = spec.get("progressDeadlineSeconds", 600), spec.get("minReadySeconds", 0)
    if isinstance(deadline, int) and isinstance(ready, int) and deadline <= ready:
        yield Misfit(path=("spec", "progressDeadlineSeconds"), message="must be greater than minReadySeconds")


def _daemon_set(manifest: Mapping[str, Any]) -> Iterator[Misfit]:
    path: Path_ = ("spec", "updateStrategy", "rollingUpdate")
    rolling = mapping(at(manifest, path))
    yield from _standstill({"maxSurge": 0, "maxUnavailable": 1, **rolling} if rolling else {}, path, 1)


def _standstill(rolling: Mapping[str, Any], path: Path_, standard: Any) -> Iterator[Misfit]:
    if rolling and all(share(rolling.get(key, standard)) == 0 for key in ("maxSurge", "maxUnavailable")):
        yield Misfit(path=path, message="maxSurge and maxUnavailable must not both be 0")


def _stateful_set(manifest: Mapping[str, Any]) -> Iterator[Misfit]:
    for index, made in enumerate(map(mapping, sequence(at(manifest, ("spec", "volumeClaimTemplates"))))):
        yield from _storage(mapping(made.get("spec")), ("spec", "volumeClaimTemplates", index, "spec"))


def _claim(manifest: Mapping[str, Any]) -> Iterator[Misfit]:
    yield from _storage(mapping(manifest.get("spec")), ("spec",))


def _storage(spec: Mapping[str, Any], path: Path_) -> Iterator[Misfit]:
    if "storage" not in mapping(mapping(spec.get("resources")).get("requests")):
        yield Misfit(path=(*path, "resources", "requests", "storage"), message="must be given")
    if "accessModes" not in spec:
        yield Misfit(path=(*path, "accessModes"), message="must be given")


_SECRET_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def _map(manifest: Mapping[str, Any]) -> Iterator[Misfit]:
    size = 0
    parts = ("data", "stringData") if manifest.get("kind") == "Secret" else ("data", "binaryData")
    for part in parts:
        for key, value in mapping(manifest.get(part)).items():
            encoded = (part == "data") == (manifest.get("kind") == "Secret") and part != "stringData"
            size += len(str(value).encode("utf-8", "replace")) * 3 // 4 if encoded else len(str(value).encode("utf-8", "replace"))
            if not is_map_key(str(key)):
                yield Misfit(path=(part, str(key)), message="not a legal key (letters, digits, -, _ and .)")
    if size > _LARGEST_MAP_BYTES:
        yield Misfit(path=("data",), message=f"{size} bytes are more than 1 MiB")
    if manifest.get("kind") == "ConfigMap":
        for key in mapping(manifest.get("data")):
            if key in mapping(manifest.get("binaryData")):
                yield Misfit(path=("binaryData", str(key)), message="the key stands in data too")
    held_keys = {*mapping(manifest.get("data")), *mapping(manifest.get("stringData"))}
    for key in _SECRET_KEYS.get(str(manifest.get("type")), ()):
        if key not in held_keys:
            yield Misfit(path=("data", key), message=f"a Secret of type {manifest.get('type')} needs it")


def _ingress(manifest: Mapping[str, Any]) -> Iterator[Misfit]:
    spec = mapping(manifest.get("spec"))
    if not sequence(spec.get("rules")) and not spec.get("defaultBackend"):
        yield Misfit(path=("spec", "rules"), message="an Ingress needs a rule or a default backend")
    for r, rule in enumerate(map(mapping, sequence(spec.get("rules")))):
        for p, path in enumerate(map(mapping, sequence(mapping(rule.get("http")).get("paths")))):
            yield from _path(path, ("spec", "rules", r, "http", "paths", p))


def _path(path: Mapping[str, Any], place: Path_) -> Iterator[Misfit]:
    if path.get("pathType") in ("Exact", "Prefix") and not str(path.get("path", "")).startswith("/"):
        yield Misfit(path=(*place, "path"), message="must begin with /")
    backend = mapping(path.get("backend"))
    service = mapping(backend.get("service"))
    if not service and not backend.get("resource"):
        yield Misfit(path=(*place, "backend"), message="a backend is a service or a resource")
    elif service:
        port = mapping(service.get("port"))
        if len([key for key in ("name", "number") if port.get(key)]) != 1:
            yield Misfit(path=(*place, "backend", "service", "port"), message="a port has a name or a number")


def _policy(manifest: Mapping[str, Any]) -> Iterator[Misfit]:
    spec = mapping(manifest.get("spec"))
    yield from pod_limits.expressions(mapping(spec.get("podSelector")), ("spec", "podSelector"))
    for way, peers in (("ingress", "from"), ("egress", "to")):
        for r, rule in enumerate(map(mapping, sequence(spec.get(way)))):
            for p, peer in enumerate(map(mapping, sequence(rule.get(peers)))):
                place: Path_ = ("spec", way, r, peers, p)
                said = [key for key in ("podSelector", "namespaceSelector", "ipBlock") if key in peer]
                if not said or ("ipBlock" in said and len(said) > 1):
                    yield Misfit(path=place, message="a peer is an ipBlock, or pods and namespaces")
                for key in said[:2]:
                    yield from pod_limits.expressions(mapping(peer.get(key)), (*place, key))


def _autoscaler(manifest: Mapping[str, Any]) -> Iterator[Misfit]:
    spec = mapping(manifest.get("spec"))
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas")
    if isinstance(least, int) and isinstance(most, int) and most < max(1, least):
        yield Misfit(path=("spec", "maxReplicas"), message="must be at least minReplicas and 1")


def _budget(manifest: Mapping[str, Any]) -> Iterator[Misfit]:
    spec = mapping(manifest.get("spec"))
    if "minAvailable" in spec and "maxUnavailable" in spec:
        yield Misfit(path=("spec", "maxUnavailable"), message="minAvailable and maxUnavailable exclude each other")


def _role(manifest: Mapping[str, Any]) -> Iterator[Misfit]:
    for index, rule in enumerate(map(mapping, sequence(manifest.get("rules")))):
        if not rule.get("nonResourceURLs") and not (rule.get("apiGroups") and rule.get("resources")):
            yield Misfit(path=("rules", index), message="a rule names API groups and resources")


_CHECKS: Final[Mapping[str, Callable[[Mapping[str, Any]], Iterator[Misfit]]]] = {
    "Service": _service,
    "Deployment": _deployment,
    "DaemonSet": _daemon_set,
    "StatefulSet": _stateful_set,
    "PersistentVolumeClaim": _claim,
    **dict.fromkeys(("ConfigMap", "Secret"), _map),
    "Ingress": _ingress,
    "NetworkPolicy": _policy,
    "HorizontalPodAutoscaler": _autoscaler,
    "PodDisruptionBudget": _budget,
    **dict.fromkeys(("Role", "ClusterRole"), _role),
}
