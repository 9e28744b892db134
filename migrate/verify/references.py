"""Objects against each other (MIG931, MIG933): every selector, port, claim, map and account must lead to something.

What must be in the cluster beforehand is known from the annotation `compose-cutover/external` of the object that uses it, or is given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from migrate.description import description
from migrate.source import Path_
from migrate.verify.objects import TEMPLATES, Container, Pod, at, mapping, name, namespace, pod_of, selects, sequence

EXTERNAL: Final = "compose-cutover/external"


@description
class Breach:
    """One fault between objects: the code, the position of the object that holds it, the place in it, and the message."""

    code: str
    position: int
    path: Path_
    message: str


@description
class Objects:
    """The objects with what the checks look up: by kind, namespace and name, and the pods."""

    manifests: Sequence[Mapping[str, Any]]
    by_name: Mapping[tuple[str, str, str], Mapping[str, Any]]
    pods: Mapping[int, Pod]
    by_label: Mapping[tuple[str, str, str], Sequence[Pod]]
    external: frozenset[tuple[str, str]]

    def find(self, kind: str, where: str, called: str) -> Mapping[str, Any] | None:
        """The object of that kind and name in the namespace (or, for kinds without one, in the cluster)."""
        return self.by_name.get((kind, where, called)) or self.by_name.get((kind, "", called))

    def selected(self, where: str, selector: Mapping[str, Any]) -> list[Pod]:
        """The pods of a namespace that a label selector admits, in the order of their workloads."""
        labels = mapping(selector.get("matchLabels"))
        lists = [self.by_label.get((where, str(key), str(value)), ()) for key, value in labels.items()]
        near = min(lists, key=len) if lists else self.pods.values()
        return [pod for pod in near if pod.namespace == where and selects(selector, pod.labels)]


def gather(manifests: Sequence[Mapping[str, Any]], external: Collection[str] = ()) -> Objects:
    """Index the objects; `external` names what exists beforehand, as `KIND/NAME`."""
    pods = {position: pod for position, m in enumerate(manifests) if (pod := pod_of(position, m)) is not None}
    by_label: dict[tuple[str, str, str], list[Pod]] = {}
    for pod in pods.values():
        for pair in pod.labels.items():
            by_label.setdefault((pod.namespace, *pair), []).append(pod)
    return Objects(
        manifests=manifests,
        by_name={(str(m.get("kind")), namespace(m), name(m)): m for m in manifests},
        pods=pods,
        by_label=by_label,
        external=frozenset(external_of(part) for part in external),
    )


def breaches(objects: Objects) -> Iterator[Breach]:
    """Every fault between the objects, in their order."""
    yield from _twins(objects)
    for position, manifest in enumerate(objects.manifests):
        check = _CHECKS.get(str(manifest.get("kind")))
        if check is not None:
            yield from check(objects, position, manifest)
        if (pod := objects.pods.get(position)) is not None:
            yield from _pod(objects, pod)


def external_of(text: str) -> tuple[str, str]:
    """Kind and name of `KIND/NAME`.

    >>> external_of("pvc/data")
    ('persistentvolumeclaim', 'data')
    """
    kind, _, called = text.strip().partition("/")
    return {"pvc": "persistentvolumeclaim", "claim": "persistentvolumeclaim", "config": "configmap"}.get(kind.lower(), kind.lower()), called


def promised(manifest: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What the annotation of an object, or of its pods, says to be in the cluster beforehand: kinds in small letters, and names."""
    annotations = [mapping(mapping(manifest.get("metadata")).get("annotations"))]
    if (template := TEMPLATES.get(str(manifest.get("kind")))) is not None:
        annotations.append(mapping(at(manifest, (*template, "metadata", "annotations"))))
    named = (part for notes in annotations for part in str(notes.get(EXTERNAL, "")).split(",") if part.strip())
    return tuple(dict.fromkeys(external_of(part) for part in named))


def _missing(objects: Objects, position: int, path: Path_, kind: str, called: Any) -> Iterator[Breach]:
    """A breach unless the object is there or is known to exist in the cluster."""
    manifest = objects.manifests[position]
    if not called or objects.find(kind, namespace(manifest), str(called)) is not None or (kind.lower(), str(called)) in objects.external:
        return
    if (kind.lower(), str(called)) not in promised(manifest):
        yield Breach(code="MIG931", position=position, path=path, message=f"{kind} {str(called)!r} is not there")


def _twins(objects: Objects) -> Iterator[Breach]:
    seen: set[tuple[str, str, str]] = set()
    for position, manifest in enumerate(objects.manifests):
        identity = (str(manifest.get("kind")), namespace(manifest), name(manifest))
        if identity in seen and identity[2]:
            message = f"{identity[0]} {identity[2]!r} is given twice"
            yield Breach(code="MIG933", position=position, path=("metadata", "name"), message=message)
        seen.add(identity)


def _repeated(entries: Sequence[tuple[Path_, Any]], position: int, what: str) -> Iterator[Breach]:
    seen: set[Any] = set()
    for path, value in entries:
        if value in seen and value not in (None, ""):
            yield Breach(code="MIG933", position=position, path=path, message=f"{what} {_text(value)} is given twice")
        seen.add(value)


def _text(value: Any) -> str:
    return "/".join(map(str, value)) if isinstance(value, tuple) else repr(value)


def _service(objects: Objects, position: int, manifest: Mapping[str, Any]) -> Iterator[Breach]:
    spec = mapping(manifest.get("spec"))
    selector = {str(k): str(v) for k, v in mapping(spec.get("selector")).items()}
    ports = [(("spec", "ports", index), mapping(port)) for index, port in enumerate(sequence(spec.get("ports")))]
    yield from _repeated([((*path, "name"), port.get("name")) for path, port in ports], position, "port name")
    numbers = [((*path, "port"), (port.get("port"), port.get("protocol") or "TCP")) for path, port in ports]
    yield from _repeated(numbers, position, "port")
    if not selector or spec.get("type") == "ExternalName":
        return
    chosen = objects.selected(namespace(manifest), {"matchLabels": selector})
    if not chosen:
        yield Breach(code="MIG931", position=position, path=("spec", "selector"), message="the selector leads to no pod")
    for path, port in ports:
        target = port.get("targetPort")
        if isinstance(target, str) and chosen and not any(target in _port_names(pod) for pod in chosen):
            message = f"no container of the selected pods has a port named {target!r}"
            yield Breach(code="MIG931", position=position, path=(*path, "targetPort"), message=message)


def _port_names(pod: Pod) -> set[str]:
    return {str(mapping(port).get("name")) for container in pod.containers() for port in sequence(container.data.get("ports"))}


def _workload(objects: Objects, position: int, manifest: Mapping[str, Any]) -> Iterator[Breach]:
    pod = objects.pods.get(position)
    selector = at(manifest, ("spec", "selector"))
    if pod is not None and isinstance(selector, Mapping) and not selects(selector, pod.labels):
        message = "the selector does not select the workload's own pods"
        yield Breach(code="MIG931", position=position, path=("spec", "selector"), message=message)
    if manifest.get("kind") == "StatefulSet":
        yield from _missing(objects, position, ("spec", "serviceName"), "Service", at(manifest, ("spec", "serviceName")))


def _autoscaler(objects: Objects, position: int, manifest: Mapping[str, Any]) -> Iterator[Breach]:
    target = mapping(at(manifest, ("spec", "scaleTargetRef")))
    if target.get("kind") in TEMPLATES:
        yield from _missing(objects, position, ("spec", "scaleTargetRef", "name"), str(target["kind"]), target.get("name"))


def _selecting(key: str) -> Any:
    """A check of objects that select pods by a label selector under spec.`key`."""

    def check(objects: Objects, position: int, manifest: Mapping[str, Any]) -> Iterator[Breach]:
        selector = mapping(at(manifest, ("spec", key)))
        if selector and not objects.selected(namespace(manifest), selector):
            yield Breach(code="MIG931", position=position, path=("spec", key), message="the selector leads to no pod")

    return check


def _ingress(objects: Objects, position: int, manifest: Mapping[str, Any]) -> Iterator[Breach]:
    backends: list[tuple[Path_, Any]] = [(("spec", "defaultBackend"), at(manifest, ("spec", "defaultBackend")))]
    for r, rule in enumerate(sequence(at(manifest, ("spec", "rules")))):
        for p, path in enumerate(sequence(mapping(mapping(rule).get("http")).get("paths"))):
            backends.append((("spec", "rules", r, "http", "paths", p, "backend"), mapping(path).get("backend")))
    for place, backend in backends:
        wanted = mapping(mapping(backend).get("service"))
        here = (*place, "service")
        yield from _missing(objects, position, (*here, "name"), "Service", wanted.get("name"))
        service = objects.find("Service", namespace(manifest), str(wanted.get("name")))
        port = mapping(wanted.get("port"))
        if service is not None and port and not any(_is_port(mapping(p), port) for p in sequence(at(service, ("spec", "ports")))):
            message = f"Service {name(service)!r} has no port {port.get('number', port.get('name'))}"
            yield Breach(code="MIG931", position=position, path=(*here, "port"), message=message)
    for t, tls in enumerate(sequence(at(manifest, ("spec", "tls")))):
        yield from _missing(objects, position, ("spec", "tls", t, "secretName"), "Secret", mapping(tls).get("secretName"))


def _is_port(port: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return port.get("port") == wanted["number"] if "number" in wanted else port.get("name") == wanted.get("name")


def _binding(objects: Objects, position: int, manifest: Mapping[str, Any]) -> Iterator[Breach]:
    role = mapping(manifest.get("roleRef"))
    if role.get("kind") == "Role":
        yield from _missing(objects, position, ("roleRef", "name"), "Role", role.get("name"))
    for index, subject in enumerate(sequence(manifest.get("subjects"))):
        inside = mapping(subject).get("namespace") in (None, namespace(manifest))
        if mapping(subject).get("kind") == "ServiceAccount" and inside and mapping(subject).get("name") != "default":
            yield from _missing(objects, position, ("subjects", index, "name"), "ServiceAccount", mapping(subject).get("name"))


def _pod(objects: Objects, pod: Pod) -> Iterator[Breach]:
    position = pod.position
    account = pod.spec.get("serviceAccountName")
    if account != "default":
        yield from _missing(objects, position, (*pod.path, "serviceAccountName"), "ServiceAccount", account)
    volumes = list(pod.volumes())
    yield from _repeated([((*path, "name"), volume.get("name")) for path, volume in volumes], position, "volume")
    for path, volume in volumes:
        yield from _volume(objects, position, path, volume)
    containers = list(pod.containers())
    yield from _repeated([((*c.path, "name"), c.name) for c in containers], position, "container")
    known = {str(volume.get("name")) for _, volume in volumes}
    known |= {name(mapping(claim)) for claim in sequence(at(pod.workload, ("spec", "volumeClaimTemplates")))}
    for container in containers:
        yield from _container(objects, pod, container, known)


def _volume(objects: Objects, position: int, path: Path_, volume: Mapping[str, Any]) -> Iterator[Breach]:
    claim = mapping(volume.get("persistentVolumeClaim"))
    yield from _missing(objects, position, (*path, "persistentVolumeClaim", "claimName"), "PersistentVolumeClaim", claim.get("claimName"))
    sources = [(path, volume, "secretName")]
    projected = sequence(mapping(volume.get("projected")).get("sources"))
    sources += [((*path, "projected", "sources", index), mapping(source), "name") for index, source in enumerate(projected)]
    for place, source, secret_key in sources:
        for key, kind, called in (("configMap", "ConfigMap", "name"), ("secret", "Secret", secret_key)):
            wanted = mapping(source.get(key))
            if not wanted.get("optional"):
                yield from _map(objects, position, (*place, key), kind, wanted.get(called), wanted)


def _map(objects: Objects, position: int, path: Path_, kind: str, called: Any, wanted: Mapping[str, Any]) -> Iterator[Breach]:
    yield from _missing(objects, position, path, kind, called)
    held = objects.find(kind, namespace(objects.manifests[position]), str(called))
    if held is None:
        return
    keys = _keys(held)
    for index, item in enumerate(sequence(wanted.get("items"))):
        key = mapping(item).get("key")
        if key not in keys:
            message = f"{kind} {called!r} has no key {key!r}"
            yield Breach(code="MIG931", position=position, path=(*path, "items", index, "key"), message=message)


def _keys(manifest: Mapping[str, Any]) -> set[str]:
    return {str(key) for part in ("data", "binaryData", "stringData") for key in mapping(manifest.get(part))}


def _container(objects: Objects, pod: Pod, container: Container, volumes: set[str]) -> Iterator[Breach]:
    position, data = pod.position, container.data
    mounts = [((*container.path, "volumeMounts", i), mapping(m)) for i, m in enumerate(sequence(data.get("volumeMounts")))]
    yield from _repeated([((*path, "mountPath"), mount.get("mountPath")) for path, mount in mounts], position, "mount path")
    for path, mount in mounts:
        if str(mount.get("name")) not in volumes:
            message = f"the pod has no volume {mount.get('name')!r}"
            yield Breach(code="MIG931", position=position, path=(*path, "name"), message=message)
    yield from _environment(objects, position, container)
    ports = [((*container.path, "ports", i), mapping(p)) for i, p in enumerate(sequence(data.get("ports")))]
    yield from _repeated([((*path, "name"), port.get("name")) for path, port in ports], position, "port name")
    yield from _probes(position, container, {port.get("name") for _, port in ports})


def _environment(objects: Objects, position: int, container: Container) -> Iterator[Breach]:
    for index, entry in enumerate(map(mapping, sequence(container.data.get("env")))):
        path = (*container.path, "env", index)
        for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            wanted = mapping(mapping(entry.get("valueFrom")).get(key))
            if wanted and not wanted.get("optional"):
                place = (*path, "valueFrom", key)
                yield from _map(objects, position, place, kind, wanted.get("name"), {"items": [wanted]})
    for index, source in enumerate(sequence(container.data.get("envFrom"))):
        for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            wanted = mapping(mapping(source).get(key))
            if not wanted.get("optional"):
                yield from _missing(objects, position, (*container.path, "envFrom", index, key, "name"), kind, wanted.get("name"))


def _probes(position: int, container: Container, port_names: set[Any]) -> Iterator[Breach]:
    for key in ("readinessProbe", "livenessProbe", "startupProbe"):
        probe = mapping(container.data.get(key))
        for handler in ("httpGet", "tcpSocket"):
            port = mapping(probe.get(handler)).get("port")
            if isinstance(port, str) and port not in port_names:
                message = f"the container has no port named {port!r}, so the probe cannot run"
                yield Breach(code="MIG931", position=position, path=(*container.path, key, handler, "port"), message=message)


_CHECKS: Final[Mapping[str, Any]] = {
    "Service": _service,
    **dict.fromkeys(("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"), _workload),
    "HorizontalPodAutoscaler": _autoscaler,
    "PodDisruptionBudget": _selecting("selector"),
    "NetworkPolicy": _selecting("podSelector"),
    "Ingress": _ingress,
    "RoleBinding": _binding,
}
