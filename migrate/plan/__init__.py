"""What we decide, and because of what: one pure function per question, read here in the order in which one needs the other.

No question imports another; what one needs of another is an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from migrate.addresses import take_inventory
from migrate.addresses.types import Inventory
from migrate.findings import Action, Finding, Severity, Span
from migrate.plan import joints
from migrate.plan.addressing import decide_addresses
from migrate.plan.answers import from_extensions
from migrate.plan.attachments import decide_attachments
from migrate.plan.borrowed import decide_borrowed
from migrate.plan.contents import read_contents
from migrate.plan.decision import Answers, Decided, Decision, Names, Notes
from migrate.plan.exposure import decide_exposure
from migrate.plan.health import decide_health
from migrate.plan.images import decide_image
from migrate.plan.lifecycle import decide_lifecycle, decide_scale
from migrate.plan.loss import find_losses
from migrate.plan.merging import as_one, decide_merging
from migrate.plan.metadata import decide_metadata
from migrate.plan.naming import decide_names
from migrate.plan.networks import decide_networks
from migrate.plan.order import decide_order
from migrate.plan.outside import decide_outside
from migrate.plan.placement import decide_placement
from migrate.plan.pods import decide_pods
from migrate.plan.preflight import compare_with_cluster
from migrate.plan.proxies import route_of
from migrate.plan.resolving import decide_resolving
from migrate.plan.resources import decide_resources
from migrate.plan.security import decide_security, laxest
from migrate.plan.services import decide_services
from migrate.plan.settings import decide_settings
from migrate.plan.sockets import decide_sockets
from migrate.plan.spelling import is_label_value, is_subdomain, label, object_name
from migrate.plan.steps import decide_steps
from migrate.plan.storage import decide_storage, place_claims
from migrate.plan.types import Claim, Plan, ServicePlan, Settings, Storage, Workload
from migrate.plan.workload import decide_one_shots, decide_workloads, overrides_hostname
from migrate.rules import found
from migrate.stack import Stack
from migrate.stack.data import image_name, knowledge
from migrate.stack.files import shown_from

__all__ = ["Answers", "Plan", "decide"]

T = TypeVar("T")
_NO_PODS = frozenset({"none", "init"})


class _Record:
    """Machinery of `decide`: takes outcomes apart and keeps what was decided and found."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []
        self.findings: list[Finding] = []

    def take(self, decided: Decided[T]) -> T:
        self.decisions.extend(decided.decisions)
        self.findings.extend(decided.findings)
        return decided.outcome

    def placed(self, stack: Stack, claims: Mapping[str, Claim], workloads: Mapping[str, Workload]) -> Mapping[str, Claim]:
        notes = Notes(stack.project)
        return self.take(notes.done(place_claims(claims, workloads, notes)))

    def each(self, decided: Mapping[str, Decided[T]]) -> Mapping[str, T]:
        return {name: self.take(one) for name, one in decided.items()}


def decide(stack: Stack, inventory: Inventory, graph: object, answers: Answers) -> Plan:
    """Every decision about `stack`: the plan that the objects are built from, with reasons and findings.

    `inventory` holds the fixed addresses and their uses, `graph` the dependencies (for callers that draw them; no question asks it),
    `answers` what the user decided.
    """
    record = _Record()
    stack = record.take(decide_borrowed(stack))
    members = stack.members
    answers = record.take(from_extensions(stack.project, answers))
    namespace = answers.namespace or label(stack.project.name)
    instance = stack.project.name if is_label_value(stack.project.name) else object_name(stack.project.name)
    pods = record.take(decide_pods(stack, answers))
    names = record.take(decide_names(stack, answers))
    images = record.each({n: decide_image(stack, m, answers) for n, m in members.items()})
    one_shots = record.take(decide_one_shots(stack, pods, answers))
    sockets = record.take(decide_sockets(stack, pods, one_shots, answers))
    pods = sockets.pods
    homes = {n: one_shots[n].host or n if n in one_shots else pods[n].owner for n in members}
    containers = joints.container_names(stack, pods, homes)
    copies = {n: joints.most_copies(stack, n, answers) for n in members}
    mates = {n: stack.namesakes.get(n, frozenset((n,))) | frozenset(pods[n].members) for n in members}
    if mates != stack.namesakes:
        inventory = take_inventory(stack, mates)
    attached = record.take(decide_attachments(stack, homes, copies, _readers(inventory), namespace, answers))
    addressing = record.take(decide_addresses(stack, inventory, names, answers, mates, attached))
    texts = addressing.services
    references = {n: image.reference for n, image in images.items()}
    merging = record.take(decide_merging(stack, pods, one_shots, texts, references, answers))
    pods = merging.pods
    homes |= merging.merged
    whole = replace(stack, members={n: m for n, m in members.items() if n not in merging.merged})
    storage, claims = record.take(
        decide_storage(whole, homes, copies, references, sockets.volumes, sockets.passing, joints.spread(stack, answers), answers)
    )
    storage = {n: storage.get(n, Storage()) for n in members}
    workloads = as_one(record.take(decide_workloads(stack, pods, one_shots, claims, names, answers)), merging)
    workloads = _without_engine(record, stack, workloads, storage)
    claims = record.placed(stack, claims, workloads)
    callers = joints.callers(stack)
    health = record.each(
        {
            n: decide_health(stack, m, texts[n].healthcheck, callers.get(n, ()), n in one_shots, workloads[n].native_sidecar, answers)
            for n, m in members.items()
        }
    )
    waits = record.take(decide_order(stack, pods, one_shots, workloads, health, answers))
    selectors = {n: joints.selector(instance, pods[n], names) for n in members}
    rendered = joints.rendered(addressing.rendered, names)
    services = record.take(decide_services(stack, pods, one_shots, workloads, names, texts, rendered, health, selectors, answers))
    running = frozenset(n for n in members if workloads[n].kind not in _NO_PODS)
    main_ports = {n: s.main.ports if s.main is not None else s.ports for n, s in services.items()}
    served = frozenset(n for n, s in services.items() if s.main is not None)
    lan = {n: t.load_balancer_ip for n, t in texts.items() if t.load_balancer_ip is not None}
    exposure = record.take(decide_exposure(stack, names.objects, selectors, main_ports, running, served, lan, answers))
    outside = record.take(decide_outside(stack, names, answers))
    contents = read_contents(stack)
    settings, data = record.take(decide_settings(whole, texts, contents, names.objects, outside.variables, answers))
    settings = {n: settings.get(n, Settings()) for n in members}
    resources = record.each({n: decide_resources(stack, m, answers) for n, m in members.items()})
    low = {n: any(p.target < 1024 for p in services[n].ports) for n in members}
    security = record.each(
        {n: decide_security(stack, m, containers[n], storage[n], low[n], bool(exposure[n].host_ports), answers) for n, m in members.items()}
    )
    behind = {n: exposure[n].services != () or (s.main is not None and not s.main.headless) for n, s in services.items()}
    lifecycle = record.each({n: decide_lifecycle(stack, m, workloads[n], texts[n].hooks, behind[n], answers) for n, m in members.items()})
    alone = {n: joints.needs_recreate(stack, pods[n], storage, claims, security, exposure, attached.pods) for n in members}
    scale = record.each({n: decide_scale(stack, m, workloads[n], alone[n], resources[n], answers) for n, m in members.items()})
    placement = record.each({n: decide_placement(stack, m, selectors[n]) for n, m in members.items()})
    metadata = record.each({n: decide_metadata(stack, m, texts[n].labels) for n, m in members.items()})
    ports = {n: s.ports for n, s in services.items()}
    seconds = {n: attached.pods.get(homes[n], ()) for n in members}
    networking, policies = record.take(decide_networks(stack, pods, names.objects, selectors, exposure, ports, waits, seconds, answers))
    resolving = record.each({n: decide_resolving(stack, m, texts[n].nameservers, namespace, answers) for n, m in members.items()})
    mounts = {n: (*settings[n].mounts, *storage[n].mounts, *security[n].mounts) for n in members}
    steps = record.each({n: decide_steps(stack, m, references[n], copies[n], mounts[n], texts[n].hooks) for n, m in members.items()})

    plans: dict[str, ServicePlan] = {}
    decisions_of: dict[str | None, list[Decision]] = {}
    for decision in record.decisions:
        decisions_of.setdefault(decision.service, []).append(decision)
    for n, m in members.items():
        scaled = scale[n].autoscaler is not None
        replicas = None if scaled or workloads[n].kind == "DaemonSet" else workloads[n].replicas
        hostname, subdomain = names.hostnames.get(n), None
        if n in names.subdomains:
            hostname, subdomain = names.subdomains[n]
        plans[n] = ServicePlan(
            key=n,
            object_name=names.objects[n],
            container_name=containers[n],
            span=m.service.span,
            kind=workloads[n].kind,
            replicas=replicas,
            image=references[n],
            ports=services[n].ports,
            workload=replace(workloads[n], replicas=replicas),
            pod=pods[n],
            service=services[n].main,
            more_services=services[n].aliases,
            exposure=exposure[n],
            settings=joints.beside_token(
                settings[n], waits, pods[n], named=any(security[m].pod_spec.get("serviceAccountName") for m in pods[n].members)
            ),
            storage=storage[n],
            health=health[n],
            waits=waits[n],
            lifecycle=lifecycle[n],
            scale=scale[n],
            resources=resources[n],
            security=security[n],
            placement=placement[n],
            pull=images[n],
            metadata=metadata[n],
            networking=networking[n],
            container_ports=joints.declared_ports(stack, n, services[n].ports),
            pre_start=steps[n],
            pod_labels={
                **services[n].labels,
                **joints.vip_labels(n, addressing.vips),
                **({"compose-cutover/subdomain": subdomain} if subdomain else {}),
            },
            hostname=hostname if workloads[n].kind != "StatefulSet" else None,
            hostname_override=_overridden(record, stack, n, answers),
            subdomain=subdomain,
            dns=resolving[n],
            host_aliases={**texts[n].host_aliases, **outside.host_aliases.get(n, {})},
            attachments=attached.pods.get(n, ()),
            decisions=tuple(decisions_of.get(n, ())),
        )
    running_levels = [security[n].level for n in members if workloads[n].kind != "none"]
    level = laxest(running_levels)
    _lost_hostnames(record, stack, names, workloads, answers)
    _project_notes(record, stack, plans, level, answers)
    record.take(
        compare_with_cluster(
            [e.ingress for e in exposure.values() if e.ingress is not None],
            [s for e in exposure.values() for s in e.services],
            tuple(claims.values()),
            policies,
            answers,
        )
    )
    record.findings.extend(find_losses(stack, record.findings, answers))
    tools = knowledge()["tools"]
    return Plan(
        project=stack.project.name,
        instance=instance,
        namespace=namespace,
        pod_security=level,
        services=plans,
        ready_services=joints.ready_services(plans, waits, names, selectors),
        shared_services=(*outside.services, *joints.subdomain_services(names), *joints.vip_services(addressing)),
        data={(d.kind, d.name): d for d in data},
        hosted=joints.hosted(stack, workloads),
        claims=claims,
        policies=policies,
        addresses=addressing.addresses,
        addressing=addressing,
        tools_image=str(answers.tools.get("image") or tools["image"]),
        kubectl_image=str(answers.tools.get("kubectl") or f"{tools['kubectl']}:{joints.kubectl_tag(answers)}"),
        answers=answers,
        base=_base(stack),
        networks=attached.definitions,
        one_node=joints.bound_together(attached.one_node, claims),
        service_ranges=addressing.ranges,
        span=Span(file=members[next(iter(members))].service.span.file if members else "", line=1, column=1),
        decisions=tuple(record.decisions),
        findings=(*stack.project.findings, *stack.findings, *_folded(record.findings)),
    )


def _readers(inventory: Inventory) -> Mapping[str, frozenset[str]]:
    """Fixed address -> the services whose texts hold it."""
    found: dict[str, set[str]] = {}
    for use in inventory.uses:
        if use.owner is not None and use.service is not None and use.kind == "address":
            found.setdefault(use.address, set()).add(use.service)
    return {address: frozenset(services) for address, services in found.items()}


def _base(stack: Stack) -> str:
    directory, shown = stack.project.directory, shown_from(stack.project)
    return directory.relative_to(shown).as_posix() if shown is not None and directory.is_relative_to(shown) else directory.as_posix()


def _folded(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """One fact, one finding: equal texts of several services share one that lists all places."""
    by_text: dict[tuple[str, str, str, str], list[Finding]] = {}
    for finding in findings:
        by_text.setdefault((finding.code, finding.message, finding.severity, finding.advice), []).append(finding)
    return tuple(same[0] if len(same) == 1 else _joined(same) for same in by_text.values())


def _joined(same: list[Finding]) -> Finding:
    first = same[0]
    spans = dict.fromkeys(s for f in same for s in (f.span, *f.also) if s is not None and s != first.span)
    services = {f.service for f in same}
    paths = {f.path for f in same}
    service = first.service if len(services) == 1 else None
    return replace(first, service=service, path=first.path if len(paths) == 1 else None, also=tuple(spans))


def _without_engine(
    record: _Record, stack: Stack, workloads: Mapping[str, Workload], storage: Mapping[str, Storage]
) -> Mapping[str, Workload]:
    """V2: what needs the Docker socket is written with no replicas; a reverse proxy whose rules became Ingresses is left out."""
    proxied = any((route := route_of(m.service)) is not None and route.places for m in stack.members.values())
    replaced = knowledge()["docker_socket"]["omitted_when_labels_converted"]
    found: dict[str, Workload] = {}
    for name, workload in workloads.items():
        found[name] = workload
        if not storage[name].docker_socket:
            continue
        service = stack.members[name].service
        if proxied and image_name(service.image) in replaced:
            notes = Notes(stack.project, service)
            notes.find("MIG126", f"{name} is left out: its rules became Ingresses", action=Action.DROPPED)
            notes.decide("kind", "none", "V2", "an Ingress controller takes its place")
            record.take(notes.done(None))
            found[name] = Workload(kind="none")
        elif workload.kind in ("Deployment", "StatefulSet", "DaemonSet"):
            kind = "Deployment" if workload.kind == "DaemonSet" else workload.kind  # a DaemonSet cannot have no pods
            found[name] = replace(workload, kind=kind, replicas=0)
        elif workload.kind in ("Job", "CronJob"):
            found[name] = replace(workload, suspend=True)
    return found


def _overridden(record: _Record, stack: Stack, name: str, answers: Answers) -> str | None:
    """2.16: the field `hostnameOverride`, where the plan asks for it."""
    if answers.services.get(name, {}).get("hostnameOverride") is not True:
        return None
    member = stack.members[name]
    notes = Notes(stack.project, member.service)
    if not overrides_hostname(member, answers):
        notes.find("MIG953", "hostnameOverride came with 1.34, and needs a host name and a network of its own", "hostname")
        return record.take(notes.done(None))
    said = (member.service.hostname or "").lower().replace("_", "-")
    notes.decide("hostname", said, "2.16", "said by the plan", notes.span("hostname"))
    return record.take(notes.done(said if is_subdomain(said) and len(said) <= 64 else None))


def _lost_hostnames(record: _Record, stack: Stack, names: Names, workloads: Mapping[str, Workload], answers: Answers) -> None:
    """N5: the StatefulSet controller names pods itself."""
    for name, hostname in names.hostnames.items():
        if workloads[name].kind == "StatefulSet" and not overrides_hostname(stack.members[name], answers):
            notes = Notes(stack.project, stack.members[name].service)
            notes.find("MIG107", f"the pod is named {names.objects[name]}-0, not {hostname}", "hostname")
            record.take(notes.done(None))


def _project_notes(record: _Record, stack: Stack, plans: Mapping[str, ServicePlan], level: str, answers: Answers) -> None:
    notes = Notes(stack.project)
    forcing = [n for n, p in plans.items() if p.security.level == level and p.kind != "none"]
    first = plans[forcing[0]].span if forcing else None
    if level != "restricted":
        text = f"Pod Security level {level} is forced by {', '.join(forcing[:8])}{' and others' if len(forcing) > 8 else ''}"
        notes.find("MIG801", text, action=Action.MAPPED, span=first, also=[plans[n].span for n in forcing[1:8]])
    for key in answers.services:
        if key not in plans:
            text = f"the plan answers for service {key}, which the stack does not have"
            notes.findings.append(found("MIG006", text, action=Action.DROPPED, severity=Severity.WARNING, advice="correct or remove it"))
    notes.find("MIG817", "pods get no API token", action=Action.MAPPED, span=first)
    notes.decide("podSecurity", level, "2.15", "the strictest level that admits every pod", first)
    record.take(notes.done(None))
