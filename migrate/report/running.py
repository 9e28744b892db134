"""What will run: a line a workload, read from the objects themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from migrate.description import description
from migrate.verify.objects import Pod, at, mapping, name, pod_of, selects, sequence

Manifest = Mapping[str, Any]

_WAITS: Final = "wait-for-"


@description
class Running:
    """One workload. `runs` says how (`StatefulSet, 1 pod`), `inside` and `outside` how it is reached, `data` what it keeps, `waits` for
    whom it waits; `images` are those of its own containers."""

    service: str
    runs: str
    images: tuple[str, ...]
    inside: tuple[str, ...]
    outside: tuple[str, ...]
    data: tuple[str, ...]
    waits: tuple[str, ...]


def running(manifests: Sequence[Manifest]) -> tuple[Running, ...]:
    """Every workload of a set of objects, in their order."""
    services = [m for m in manifests if m.get("kind") == "Service"]
    claims = {name(m): m for m in manifests if m.get("kind") == "PersistentVolumeClaim"}
    scalers = {str(at(m, ("spec", "scaleTargetRef", "name"))): m for m in manifests if m.get("kind") == "HorizontalPodAutoscaler"}
    ingresses = [m for m in manifests if m.get("kind") == "Ingress"]
    found = []
    for position, manifest in enumerate(manifests):
        pod = pod_of(position, manifest)
        if pod is None:
            continue
        selecting = [
            s for s in services if (wanted := mapping(at(s, ("spec", "selector")))) and selects({"matchLabels": wanted}, pod.labels)
        ]
        found.append(
            Running(
                service=name(manifest),
                runs=_runs(manifest, scalers.get(name(manifest))),
                images=tuple(dict.fromkeys(str(c.data.get("image")) for c in pod.containers() if not c.first or _stays(c.data))),
                inside=tuple(dict.fromkeys(part for s in selecting for part in _inside(s))),
                outside=tuple(dict.fromkeys((*_outside(selecting), *_hosts(ingresses, selecting), *_on_nodes(pod)))),
                data=tuple(_data(manifest, pod, claims)),
                waits=tuple(c.name.removeprefix(_WAITS) for c in pod.containers() if c.first and c.name.startswith(_WAITS)),
            )
        )
    return tuple(found)


def _stays(container: Mapping[str, Any]) -> bool:
    return container.get("restartPolicy") == "Always"


def _runs(manifest: Manifest, scaler: Manifest | None) -> str:
    kind, spec = str(manifest.get("kind")), mapping(manifest.get("spec"))
    if kind == "CronJob":
        return f"CronJob, {spec.get('schedule')}"
    if kind == "Job":
        return "Job, suspended" if spec.get("suspend") else "Job, once"
    if kind == "DaemonSet":
        return "DaemonSet, on every node"
    if scaler is not None:
        return f"{kind}, {at(scaler, ('spec', 'minReplicas')) or 1} to {at(scaler, ('spec', 'maxReplicas'))} pods by load"
    replicas = spec.get("replicas", 1)
    return f"{kind}, {replicas} pod{'' if replicas == 1 else 's'}"


def _inside(service: Manifest) -> Iterator[str]:
    """`web:8080`; without ports any port, by name alone."""
    if service.get("spec", {}).get("type") in ("LoadBalancer", "NodePort") or name(service).endswith("-ready"):
        return
    ports = [str(mapping(port).get("port")) for port in sequence(at(service, ("spec", "ports")))]
    yield f"{name(service)}:{','.join(dict.fromkeys(ports))}" if ports else name(service)


def _outside(services: Sequence[Manifest]) -> Iterator[str]:
    for service in services:
        kind = at(service, ("spec", "type"))
        if kind in ("LoadBalancer", "NodePort"):
            for port in map(mapping, sequence(at(service, ("spec", "ports")))):
                number = port.get("nodePort") if kind == "NodePort" else port.get("port")
                protocol = "" if port.get("protocol", "TCP") == "TCP" else f"/{str(port['protocol']).lower()}"
                yield f"{kind} {number or 'any free port'}{protocol}"


def _hosts(ingresses: Sequence[Manifest], services: Sequence[Manifest]) -> Iterator[str]:
    names = {name(service) for service in services}
    for ingress in ingresses:
        for rule in map(mapping, sequence(at(ingress, ("spec", "rules")))):
            for path in map(mapping, sequence(at(rule, ("http", "paths")))):
                if at(path, ("backend", "service", "name")) in names:
                    yield f"Ingress {rule.get('host') or 'any host'}{path.get('path', '')}"


def _on_nodes(pod: Pod) -> Iterator[str]:
    if pod.spec.get("hostNetwork"):
        yield "every port of its node"
    for container in pod.containers():
        for port in map(mapping, sequence(container.data.get("ports"))):
            if port.get("hostPort") and not pod.spec.get("hostNetwork"):
                yield f"node port {port['hostPort']}"


def _data(manifest: Manifest, pod: Pod, claims: Mapping[str, Manifest]) -> Iterator[str]:
    for template in map(mapping, sequence(at(manifest, ("spec", "volumeClaimTemplates")))):
        yield f"{name(template)} ({at(template, ('spec', 'resources', 'requests', 'storage'))})"
    for _, volume in pod.volumes():
        claim = mapping(volume.get("persistentVolumeClaim")).get("claimName")
        path = mapping(volume.get("hostPath")).get("path")
        if claim:
            size = at(claims.get(str(claim), {}), ("spec", "resources", "requests", "storage"))
            yield f"{claim} ({size or 'exists already'})"
        elif path:
            yield f"{path} of its node"
