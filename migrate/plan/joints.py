"""What follows from several decisions and belongs to none of them: selectors, names of containers, Services over several services."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from migrate.addresses.types import Addressing
from migrate.plan.decision import Answers, Names
from migrate.plan.spelling import object_name, unique
from migrate.plan.types import Claim, Pod, ServiceObject, ServicePlan, ServicePort, Settings, Storage, VolumeMount, Wait, Workload
from migrate.plan.workload import replicas_of
from migrate.stack import Reference, Stack


def bound_together(owners: frozenset[str], claims: Mapping[str, Claim]) -> frozenset[str]:
    """The owners of pods that a bridge binds to one node, with those that share claims of one node with them."""
    if not owners:
        return owners
    groups: dict[str, set[str]] = {}
    for name, claim in claims.items():
        if claim.one_node:
            groups.setdefault(claim.node_group or name, set()).update(claim.users)
    return owners.union(*(users for users in groups.values() if users & owners))


def most_copies(stack: Stack, name: str, answers: Answers) -> int:
    """The most pods that a service may have at once."""
    service = stack.members[name].service
    hpa = answers.services.get(name, {}).get("hpa")
    if isinstance(hpa, Mapping):
        return int(hpa.get("max", 3))
    most = 2 if (service.data.get("deploy") or {}).get("mode") == "global" else 0
    if any(k.startswith("kompose.hpa.") for k in service.labels):
        labelled = service.labels.get("kompose.hpa.replicas.max", "")
        most = int(labelled) if labelled.isdigit() else 3
    return max(replicas_of(stack.members[name], answers), most)


def spread(stack: Stack, answers: Answers) -> frozenset[str]:
    """Services whose pods cannot stand on one node: one on every node, or as many as the load wants."""

    def spreads(name: str) -> bool:
        own, service = answers.services.get(name, {}), stack.members[name].service
        everywhere = own.get("kind") == "DaemonSet" or (service.data.get("deploy") or {}).get("mode") == "global"
        scaled = bool(own.get("hpa")) or any(k.startswith("kompose.hpa.") for k in service.labels)
        return everywhere or scaled or service.labels.get("kompose.controller.type", "").lower() == "daemonset"

    return frozenset(name for name in stack.members if spreads(name))


def callers(stack: Stack) -> Mapping[str, tuple[Reference, ...]]:
    """The references to each service."""
    found: dict[str, list[Reference]] = {}
    for reference in stack.references:
        found.setdefault(reference.callee, []).append(reference)
    return {name: tuple(references) for name, references in found.items()}


def selector(instance: str, pod: Pod, names: Names) -> Mapping[str, str]:
    """The labels that select the pods of `pod`: those of its workload, or of the pod that several services share."""
    if len(pod.members) > 1:
        return {"compose-cutover/pod": names.objects[pod.owner], "app.kubernetes.io/instance": instance}
    return {"app.kubernetes.io/name": names.objects[pod.owner], "app.kubernetes.io/instance": instance}


def rendered(services: Iterable[str], names: Names) -> frozenset[str]:
    """The services, by key, whose addresses are written into files when pods start."""
    keys = {object_: key for key, object_ in names.objects.items()}
    return frozenset(keys.get(s, s) for s in services)


def needs_recreate(
    stack: Stack,
    pod: Pod,
    storage: Mapping[str, Storage],
    claims: Mapping[str, Claim],
    security: Mapping[str, Any],
    exposure: Mapping[str, Any],
    attached: Mapping[str, Any],
) -> str | None:
    """U2: why two pods of this one must not run side by side; None if they may."""
    if attached.get(pod.owner):
        return "two pods cannot have the same address"
    for name in pod.members:
        if any(claims[c].access_mode == "ReadWriteOnce" for c in storage[name].claims):
            return "two pods must not write its volume"
        if stack.members[name].service.network_mode == "host":
            return "two pods cannot have the same ports of a node"
        if exposure[name].host_ports:
            return "two pods cannot have the same ports of a node"
        if security[name].devices:
            return "two pods cannot have the same device"
        if stack.members[name].self_identity:
            return "its identity must not be there twice"
    return None


def container_names(stack: Stack, pods: Mapping[str, Pod], homes: Mapping[str, str]) -> Mapping[str, str]:
    """The names of containers, unique in their pods."""
    taken: dict[str, set[str]] = {}
    found = {}
    for name, member in stack.members.items():
        home = taken.setdefault(homes[name], set())
        found[name] = unique(object_name(member.service.container_name or name), home, name)
        home.add(found[name])
    return found


def declared_ports(stack: Stack, name: str, known: tuple[ServicePort, ...]) -> tuple[ServicePort, ...]:
    """The ports that the file declares: `containerPorts` lists no others."""
    declared = {(p.port, p.protocol.upper()) for p in stack.members[name].ports if p.evidence in ("ports", "expose")}
    return tuple(p for p in known if (p.port, p.protocol) in declared)


def hosted(stack: Stack, workloads: Mapping[str, Workload]) -> Mapping[str, tuple[str, ...]]:
    """C1 one-shots by the pod that they run in, each after those that it depends on."""
    found: dict[str, tuple[str, ...]] = {}
    hosted = {n: w.host for n, w in workloads.items() if w.kind == "init" and w.host is not None}
    placed: set[str] = set()

    def place(name: str) -> None:
        if name in placed:
            return
        placed.add(name)
        for dependency in stack.members[name].service.depends_on:
            if hosted.get(dependency) == hosted[name]:
                place(dependency)
        found[hosted[name]] = (*found.get(hosted[name], ()), name)

    for name in hosted:
        place(name)
    return found


def beside_token(settings: Settings, waits: Mapping[str, tuple[Wait, ...]], pod: Pod, *, named: bool) -> Settings:
    """With an API token mounted below /run/secrets, secret files are mounted one by one (2.7). `named`: a label names the account."""
    if not named and not any(w.for_job for m in pod.members for w in waits[m]):
        return settings
    volume = next((v for v in settings.volumes if v.name == "secrets" and "projected" in v.source), None)
    if volume is None:
        return settings
    paths = [item["path"] for source in volume.source["projected"]["sources"] for item in source["secret"]["items"]]
    single = (VolumeMount(volume="secrets", path=f"/run/secrets/{p}", sub_path=p, read_only=True) for p in paths)
    kept = (m for m in settings.mounts if m.path != "/run/secrets")
    return replace(settings, mounts=(*kept, *single))


def vip_labels(name: str, vips: Mapping[str, tuple[str, ...]]) -> Mapping[str, str]:
    """The pod labels that Services over virtual addresses select."""
    return {f"compose-cutover/{vip}": "member" for vip, behind in vips.items() if name in behind}


def vip_services(addressing: Addressing) -> tuple[ServiceObject, ...]:
    """A11: one Service for each virtual address."""
    found = []
    for vip in addressing.vips:
        listed = tuple(
            ServicePort(name=f"{protocol.lower()}-{port}", port=port, target=port, protocol=protocol.upper())
            for port, protocol in addressing.vip_ports.get(vip, ())
        )
        pin = addressing.vip_pins.get(vip)
        found.append(
            ServiceObject(
                name=vip, selector={f"compose-cutover/{vip}": "member"}, ports=listed, headless=not listed, publish_not_ready=not listed,
                cluster_ips=(pin,) if pin is not None and listed else (),
            )
        )  # fmt: skip
    return tuple(found)


def subdomain_services(names: Names) -> tuple[ServiceObject, ...]:
    """N6a: one headless Service for each subdomain."""
    subdomains = dict.fromkeys(subdomain for _, subdomain in names.subdomains.values())
    return tuple(
        ServiceObject(name=s, selector={"compose-cutover/subdomain": s}, headless=True, publish_not_ready=True) for s in subdomains
    )


def ready_services(
    plans: Mapping[str, ServicePlan], waits: Mapping[str, tuple[Wait, ...]], names: Names, selectors: Mapping[str, Mapping[str, str]]
) -> tuple[ServiceObject, ...]:
    """O3: a headless Service whose name resolves exactly while a pod of the dependency is ready."""
    wanted = dict.fromkeys(w.dependency for found in waits.values() for w in found if not w.for_job)
    return tuple(ServiceObject(name=f"{names.objects[n]}-ready", selector=selectors[n], headless=True, span=plans[n].span) for n in wanted)


def kubectl_tag(answers: Answers) -> str:
    """The image tag of the kubectl that fits the target version."""
    version = answers.kubernetes_version.removeprefix("v").split(".")
    minor = int(version[1]) if len(version) > 1 and version[1].isdigit() else 35
    return f"v1.{max(28, minor)}.0"
