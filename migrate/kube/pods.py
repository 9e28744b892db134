"""Pod templates: the containers of a pod with their volumes, in the order in which they start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from migrate.kube.network import annotation
from migrate.kube.state import checksum, used_data
from migrate.plan.security import ENGINE, RESTRICTED
from migrate.plan.types import EnvEntry, InitContainer, Plan, Probe, ServicePlan, Volume, VolumeMount, Wait

Container = dict[str, Any]


@dataclass(slots=True)
class _Volumes:
    """Machinery of one pod: its volumes under unique names; equal ones are shared by containers."""

    found: dict[str, Volume] = field(default_factory=dict)

    def add(self, volumes: Iterable[Volume], prefix: str) -> Mapping[str, str]:
        """Take up a container's volumes; their names in the pod by their names in the plan."""
        names: dict[str, str] = {}
        for volume in volumes:
            name = volume.name
            known = self.found.get(name)
            if known is not None and (known.source != volume.source or ("emptyDir" in volume.source and not name.startswith("socket-"))):
                name = f"{prefix}-{name}"[:63].rstrip("-")
            names[volume.name] = name
            self.found.setdefault(name, Volume(name=name, source=volume.source, claim=volume.claim))
        return names


def members_of(plan: Plan, owner: ServicePlan) -> list[ServicePlan]:
    """The services whose containers the pod of `owner` runs as containers, the owner first."""
    return [plan.services[m] for m in owner.pod.members if plan.services[m].kind != "none"]


def hosted_by(plan: Plan, owner: ServicePlan) -> list[ServicePlan]:
    """C1: the one-shots that run as init containers of this pod, each after those that it waits for."""
    return [plan.services[key] for key in plan.hosted.get(owner.key, ())]


def pod_template(plan: Plan, owner: ServicePlan, labels: Mapping[str, str], restart_policy: str | None) -> dict[str, Any]:
    """The template of the pods of `owner`. `labels` identify them, others are added here."""
    members = members_of(plan, owner)
    hosted = hosted_by(plan, owner)
    everyone = [*members, *hosted]
    waits = _waits(everyone)
    volumes = _Volumes()
    names = {s.key: volumes.add((*s.settings.volumes, *s.storage.volumes, *s.security.volumes), s.container_name) for s in everyone}
    init: list[Container] = []
    for service in everyone:
        init += [_init(service, step, names[service.key]) for step in (*service.settings.init, *service.storage.init)]
    init += [_wait(plan, wait) for wait in waits]
    init += [_container(s, names[s.key], one_shot=True) for s in hosted]
    for service in members:
        init += [_init(service, step, names[service.key]) for step in service.pre_start]
    containers = []
    for service in members:
        one_shot = owner.kind in ("Job", "CronJob")
        container = _container(service, names[service.key], one_shot=one_shot)
        if service is owner and owner.workload.native_sidecar:
            init.append({**container, "restartPolicy": "Always"})
        else:
            containers.append(container)
    spec: dict[str, Any] = {}
    for service in members:
        spec = {**service.security.pod_spec, **service.placement.pod_spec, **spec}
    spec = _with_affinity(plan, spec, everyone)
    if restart_policy is not None:
        spec["restartPolicy"] = restart_policy
    needs_token = any(w.for_job for w in waits)
    if needs_token:
        spec.setdefault("serviceAccountName", owner.object_name)
    spec["automountServiceAccountToken"] = needs_token or "serviceAccountName" in spec
    spec["enableServiceLinks"] = False
    spec |= _naming(members)
    spec |= _merged_dns(members)
    grace = [s.lifecycle.grace_s for s in members if s.lifecycle.grace_s is not None]
    if grace:
        spec["terminationGracePeriodSeconds"] = max(grace)
    if owner.pod.share_processes:
        spec["shareProcessNamespace"] = True
    if any(s.lifecycle.stop_signal for s in members):
        spec["os"] = {"name": "linux"}
    spec["securityContext"] = _pod_security(everyone)
    if secrets := dict.fromkeys(s for m in everyone for s in m.pull.pull_secrets):
        spec["imagePullSecrets"] = [{"name": s} for s in secrets]
    if init:
        spec["initContainers"] = init
    spec["containers"] = containers
    templated = {v for v, volume in volumes.found.items() if volume.claim is not None and plan.claims[volume.claim].template}
    if listed := [{"name": v.name, **v.source} for v in volumes.found.values() if v.name not in templated]:
        spec["volumes"] = listed
    all_labels = dict(labels)
    for service in everyone:
        all_labels |= service.pod_labels
    for service in members:
        all_labels |= service.networking.labels
    all_labels |= _volume_labels(plan, everyone)
    if _on_bridge(plan, everyone):
        all_labels["compose-cutover/multus"] = "member"
    metadata: dict[str, Any] = {"labels": all_labels}
    if annotations := _annotations(plan, everyone, volumes.found.values()):
        metadata["annotations"] = annotations
    return {"metadata": metadata, "spec": spec}


def _waits(services: Sequence[ServicePlan]) -> list[Wait]:
    found: dict[tuple[str, bool], Wait] = {}
    for service in services:
        for wait in service.waits:
            if not any(s.key == wait.dependency for s in services):
                found.setdefault((wait.dependency, wait.for_job), wait)
    return list(found.values())


def _wait(plan: Plan, wait: Wait) -> Container:
    name = plan.services[wait.dependency].object_name
    if wait.for_job:
        args = ["wait", "--for=condition=complete", f"job/{name}", "--timeout=-1s"]
        return {"name": f"wait-for-{name}", "image": plan.kubectl_image, "args": args, "securityContext": _restricted()}
    script = f"until getent hosts {name}-ready >/dev/null; do sleep 2; done"
    return {"name": f"wait-for-{name}", "image": plan.tools_image, "command": ["/bin/sh", "-c", script], "securityContext": _restricted()}


def _restricted() -> dict[str, Any]:
    return {k: ({**v} if isinstance(v, dict) else v) for k, v in RESTRICTED.items()}


def _init(service: ServicePlan, step: InitContainer, volumes: Mapping[str, str]) -> Container:
    found: Container = {"name": step.name, "image": step.image}
    if step.command is not None:
        found["command"] = list(step.command)
    if step.args is not None:
        found["args"] = list(step.args)
    if step.working_dir is not None:
        found["workingDir"] = step.working_dir
    settings = service.settings
    if step.app_environment and settings.env_from:
        found["envFrom"] = [{"configMapRef": {"name": name}} for name in settings.env_from]
    own = {e.name for e in step.env}
    fields = [e for e in step.env if e.field_path is not None]
    inherited = [e for e in settings.env if e.name not in own] if step.app_environment else []
    if entries := [*fields, *inherited, *(e for e in step.env if e.field_path is None)]:
        found["env"] = [_env(e) for e in entries]
    if step.mounts:
        found["volumeMounts"] = [_mount(m, volumes) for m in step.mounts]
    base = service.security.container if step.like_app else ENGINE if step.like_engine else RESTRICTED
    security = {**base, **(step.security or {})}
    if security:
        found["securityContext"] = security
    return found


def _container(service: ServicePlan, volumes: Mapping[str, str], *, one_shot: bool) -> Container:
    settings = service.settings
    found: Container = {"name": service.container_name, "image": service.image}
    if service.pull.pull_policy is not None:
        found["imagePullPolicy"] = service.pull.pull_policy
    if settings.command is not None:
        found["command"] = list(settings.command)
    if settings.args is not None:
        found["args"] = list(settings.args)
    if settings.working_dir is not None:
        found["workingDir"] = settings.working_dir
    if service.container_ports and not one_shot:
        found["ports"] = [_container_port(service, p.name, p.port, p.protocol) for p in service.container_ports]
    if settings.env_from:
        found["envFrom"] = [{"configMapRef": {"name": name}} for name in settings.env_from]
    if settings.env:
        found["env"] = [_env(e) for e in settings.env]
    if service.resources:
        found["resources"] = {k: dict(v) for k, v in service.resources.items()}
    if mounts := {m.path: m for m in (*settings.mounts, *service.storage.mounts, *service.security.mounts)}:
        found["volumeMounts"] = [_mount(m, volumes) for m in mounts.values()]
    if not one_shot:
        for key, probe in (
            ("startupProbe", service.health.startup),
            ("readinessProbe", service.health.readiness),
            ("livenessProbe", service.health.liveness),
        ):
            if probe is not None:
                found[key] = _probe(probe)
        hooks: dict[str, Any] = {"postStart": service.lifecycle.post_start, "preStop": service.lifecycle.pre_stop}
        if service.lifecycle.stop_signal is not None:
            hooks["stopSignal"] = service.lifecycle.stop_signal
        if any(hooks.values()):
            found["lifecycle"] = {k: v for k, v in hooks.items() if v is not None}
    if service.security.container:
        found["securityContext"] = dict(service.security.container)
    if settings.stdin:
        found["stdin"] = True
    if settings.tty:
        found["tty"] = True
    return found


def _container_port(service: ServicePlan, name: str, port: int, protocol: str) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "containerPort": port, "protocol": protocol}
    if (host := service.exposure.host_ports.get((protocol, port))) is not None:
        found["hostPort"] = host[0]
        if host[1]:
            found["hostIP"] = host[1]
    return found


def _env(entry: EnvEntry) -> dict[str, Any]:
    if entry.field_path is not None:
        return {"name": entry.name, "valueFrom": {"fieldRef": {"fieldPath": entry.field_path}}}
    if entry.secret is not None:
        return {"name": entry.name, "valueFrom": {"secretKeyRef": {"name": entry.secret[0], "key": entry.secret[1]}}}
    return {"name": entry.name, "value": entry.value or ""}


def _mount(mount: VolumeMount, volumes: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {"name": volumes.get(mount.volume, mount.volume), "mountPath": mount.path}
    if mount.sub_path is not None:
        found["subPath"] = mount.sub_path
    if mount.read_only:
        found["readOnly"] = True
    if mount.propagation is not None:
        found["mountPropagation"] = mount.propagation
    return found


def _probe(probe: Probe) -> dict[str, Any]:
    found = {**probe.handler, **({"initialDelaySeconds": probe.initial_delay_s} if probe.initial_delay_s else {})}
    found |= {"periodSeconds": probe.period_s, "timeoutSeconds": probe.timeout_s, "failureThreshold": probe.failures}
    return {**found, **({"successThreshold": probe.successes} if probe.successes != 1 else {})}


def _naming(members: Sequence[ServicePlan]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for service in members:
        if service.hostname is not None:
            found.setdefault("hostname", service.hostname)
        if service.subdomain is not None:
            found.setdefault("subdomain", service.subdomain)
        if service.hostname_override is not None:
            found.setdefault("hostnameOverride", service.hostname_override)
    aliases: dict[str, dict[str, None]] = {}
    for service in members:
        for address, names in service.host_aliases.items():
            aliases.setdefault(address, {}).update(dict.fromkeys(names))
    if aliases:
        found["hostAliases"] = [{"ip": address, "hostnames": list(names)} for address, names in aliases.items()]
    return found


def _merged_dns(members: Sequence[ServicePlan]) -> Mapping[str, Any]:
    return next((s.dns for s in members if s.dns), {})


def _pod_security(services: Sequence[ServicePlan]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    sysctls: dict[str, dict[str, str]] = {}
    groups: dict[int, None] = {}
    for service in services:
        pod = {"fsGroup": service.settings.fs_group, **service.security.pod} if service.settings.fs_group else service.security.pod
        for key, value in pod.items():
            if key == "sysctls":
                for sysctl in value:
                    sysctls.setdefault(sysctl["name"], sysctl)
            elif key == "supplementalGroups":
                groups.update(dict.fromkeys(value))
            else:
                found.setdefault(key, value)
    if sysctls:
        found["sysctls"] = list(sysctls.values())
    if groups:
        found["supplementalGroups"] = list(groups)
    return found


def _one_node(plan: Plan, services: Sequence[ServicePlan]) -> tuple[list[str], list[str]]:
    """The claims that bind the pod to a node, and the claims that stand for their groups (one, as a rule)."""
    bound = list(dict.fromkeys(c for s in services for c in s.storage.claims if plan.claims[c].one_node))
    return bound, list(dict.fromkeys(plan.claims[c].node_group or c for c in bound))


def _volume_labels(plan: Plan, services: Sequence[ServicePlan]) -> dict[str, str]:
    bound, groups = _one_node(plan, services)
    return {f"compose-cutover/volume-{claim}": "member" for claim in dict.fromkeys((*bound, *groups))}


def _with_affinity(plan: Plan, spec: dict[str, Any], services: Sequence[ServicePlan]) -> dict[str, Any]:
    """V6: pods that share claims stand on one node; those of a bridge (2.6) too, with all that share claims with them."""
    groups = ["multus"] if _on_bridge(plan, services) else [f"volume-{claim}" for claim in _one_node(plan, services)[1]]
    terms = [
        {"labelSelector": {"matchLabels": {f"compose-cutover/{group}": "member"}}, "topologyKey": "kubernetes.io/hostname"}
        for group in groups
    ]
    if not terms:
        return spec
    affinity = {**spec.get("affinity", {}), "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    return {**spec, "affinity": affinity}


def _on_bridge(plan: Plan, services: Sequence[ServicePlan]) -> bool:
    return any(s.key in plan.one_node for s in services)


def _annotations(plan: Plan, services: Sequence[ServicePlan], volumes: Iterable[Volume]) -> dict[str, str]:
    found: dict[str, str] = {}
    for service in services:
        if service.attachments:
            found["k8s.v1.cni.cncf.io/networks"] = annotation(service.attachments)
        found |= service.metadata.shared
        found |= service.metadata.template
        found |= service.security.annotations
    used: dict[tuple[str, str], None] = {}
    for service in services:
        used |= {("ConfigMap", name): None for name in service.settings.env_from}
        used |= {("Secret", e.secret[0]): None for e in service.settings.env if e.secret is not None}
    for volume in volumes:
        used |= dict.fromkeys(_referenced(volume.source))
    if data := used_data(plan, used):
        found["compose-cutover/checksum"] = checksum(data)
    return found


def _referenced(source: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    if "configMap" in source:
        found.append(("ConfigMap", source["configMap"]["name"]))
    if "secret" in source:
        found.append(("Secret", source["secret"].get("secretName") or source["secret"].get("name")))
    for part in source.get("projected", {}).get("sources", ()):
        found += _referenced(part)
    return found
