"""A pod template: containers with their resources, images, probes and hooks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from simulate.manifests.fields import Fields
from simulate.manifests.structure import POD, check
from simulate.spec import Assumption, ContainerSpec, PodTemplate, Probe


def template(assumptions: list[Assumption], item: Fields, subject: str) -> PodTemplate | None:
    """The template of a workload; None after a problem. What is not modelled goes to `assumptions`."""
    spec = item.fields("spec")
    containers = [_container(assumptions, each, subject) for each in spec.each("containers")]
    if not containers:
        spec.fault("containers", "must list at least one container")
        return None
    initial: list[ContainerSpec] = []
    for each in spec.each("initContainers"):
        made = _container(assumptions, each, subject)
        if each.text("restartPolicy") == "Always":
            containers.append(replace(made, sidecar_after=len(initial)))
        else:
            initial.append(made)
    check(POD, spec)
    gates = tuple(str(each.text("conditionType")) for each in spec.each("readinessGates"))
    return PodTemplate(
        labels=item.fields("metadata").strings("labels"),
        containers=tuple(containers),
        init_containers=tuple(initial),
        grace_s=float(spec.integer("terminationGracePeriodSeconds", 30)),
        gates=gates,
        data=item.value,
    )


def _container(assumptions: list[Assumption], item: Fields, subject: str) -> ContainerSpec:
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
        prestop_s=_hook(assumptions, item.fields("lifecycle").fields("preStop"), f"{subject} container {name} preStop"),
        poststart_s=_hook(assumptions, item.fields("lifecycle").fields("postStart"), f"{subject} container {name} postStart"),
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


def _probe(container: Fields, key: str) -> Probe | None:
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
        grace_s=float(item.integer("terminationGracePeriodSeconds", 0)) if item.has("terminationGracePeriodSeconds") else None,
    )


def _hook(assumptions: list[Assumption], hook: Fields, subject: str) -> float:
    """How long a preStop or postStart hook takes: `sleep` as an action or as a command; of anything else it is not known."""
    if not hook.value:
        return 0.0
    if hook.has("sleep"):
        return float(hook.fields("sleep").integer("seconds", 0))
    command = hook.fields("exec").value.get("command")
    words = " ".join(map(str, command)) if isinstance(command, list) else ""
    match = re.fullmatch(r"(?:\S*/)?(?:(?:ba|da)?sh -c )?\s*(?:exec )?(?:\S*/)?sleep (\d+(?:\.\d+)?)s?\s*;?", words)
    if match:
        return float(match.group(1))
    reason = "how long this hook takes is not in the manifest"
    assumptions.append(Assumption(subject=subject, value="0s", reason=reason, origin="guess"))
    return 0.0
