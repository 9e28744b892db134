"""Networks as pod labels and policies (conversion.md 2.10): P1 to P7."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from migrate.compose.model import Service
from migrate.findings import Action
from migrate.plan.decision import Answers, Decided, Notes
from migrate.plan.spelling import object_name
from migrate.plan.types import Attachment, Exposure, Networking, Pod, Policy, ServicePort, Wait
from migrate.stack import Stack

_NET: Final = "compose-cutover/net-"
_INTERNAL: Final = "compose-cutover/egress"
_DNS_PORTS: Final = ({"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"})
_LOST: Final = ("link_local_ips", "interface_name", "gw_priority")


def decide_networks(
    stack: Stack,
    pods: Mapping[str, Pod],
    objects: Mapping[str, str],
    selectors: Mapping[str, Mapping[str, str]],
    exposure: Mapping[str, Exposure],
    ports: Mapping[str, tuple[ServicePort, ...]],
    waits: Mapping[str, tuple[Wait, ...]],
    attached: Mapping[str, tuple[Attachment, ...]],
    answers: Answers,
) -> Decided[tuple[Mapping[str, Networking], tuple[Policy, ...]]]:
    """Pod labels of every service and the policies of the project. `attached`: service -> the second networks of its pod.

    With `networkPolicies: none` the labels stay and no policy is written.
    """
    notes = Notes(stack.project)
    policies_wanted = answers.project.get("networkPolicies") != "none"
    networking: dict[str, Networking] = {}
    for name, member in stack.members.items():
        own = Notes(stack.project, member.service, notes.decisions, notes.findings)
        labels = {f"{_NET}{object_name(n)}": "member" for n in _networks_of(stack, name, pods)}
        if _all_internal(stack, name, pods):
            labels[_INTERNAL] = "internal"
        if member.service.network_mode == "none":
            labels[f"{_NET}none"] = "member"
        elif _joins_nobody(stack, name, pods):
            labels[f"{_NET}nobody"] = "member"
        if member.service.network_mode == "bridge":
            own.find("MIG336", "on Docker's default bridge it was reached by address only", "network_mode")
        _options(member.service, attached.get(name, ()), own)
        networking[name] = Networking(labels=labels)
    _network_options(stack, notes)
    if not policies_wanted:
        notes.decide("networkPolicies", "none", "plan", "said by the plan")
        return notes.done((networking, ()))
    used = {n for name in stack.members for n in _networks_of(stack, name, pods)}
    policies = [_member_policy(stack, key, answers) for key in stack.project.networks if key in used]
    if "bridge" in used - set(stack.project.networks):
        policies.append(_pseudo_network(stack))
    members = len(policies)
    opened, hosts, alone = (
        _published(stack, objects, selectors, exposure),
        _host_callers(stack, objects, selectors, ports, notes),
        _isolated(stack, networking),
    )
    inside = _internal(stack, pods, networking, waits, notes)
    policies += [*opened, *inside, *alone, *hosts]
    _recorded(stack, opened, inside, alone, hosts, notes)
    for policy in policies[:members]:
        notes.decide("networkPolicies", policy.name, "P1", "networks were isolated from each other", policy.span)
    return notes.done((networking, tuple(policies)))


def _recorded(stack: Stack, opened: list[Policy], inside: list[Policy], alone: list[Policy], hosts: list[Policy], notes: Notes) -> None:
    """The policies beside those of networks, by rule."""
    for rule, written, reason in (
        ("P2", opened, "the sources of load balancers and Ingresses cannot be selected"),
        ("P3", inside, "all networks of these services are internal"),
        ("P4", alone, "network_mode: none"),
        ("P5", hosts, "pods in the host network cannot be selected"),
    ):
        for policy in written:
            notes.decide("networkPolicies", policy.name, rule, reason, policy.span)
    for key, network in stack.project.networks.items():
        if network.external:
            notes.decide("networkPolicies", f"net-{object_name(key)}", "P7", "its other members are not of this stack", network.span)


def _networks_of(stack: Stack, name: str, pods: Mapping[str, Pod]) -> tuple[str, ...]:
    """The networks of the pod's owner: others that share its namespace have none of their own."""
    found: dict[str, None] = {}
    for member in pods[name].members:
        service = stack.members[member].service
        found.update(dict.fromkeys(k for k in service.networks if k in stack.project.networks))
        if service.network_mode == "bridge":
            found["bridge"] = None
    return tuple(found)


def _all_internal(stack: Stack, name: str, pods: Mapping[str, Pod]) -> bool:
    networks = [stack.project.networks[n] for n in _networks_of(stack, name, pods) if n in stack.project.networks]
    return bool(networks) and all(n.internal for n in networks)


def _options(service: Service, attached: tuple[Attachment, ...], notes: Notes) -> None:
    """What an attachment says and no Kubernetes network can; on a second network (mode multus) it is kept."""
    seconds = {a.key: a for a in attached}
    for key, attachment in service.networks.items():
        kept = seconds.get(key)
        named = kept is not None and kept.interface == attachment.data.get("interface_name")
        held = {"link_local_ips": kept is not None, "interface_name": named}
        lost = [k for k in _LOST if attachment.data.get(k) and not held.get(k)]
        if lost:
            notes.find("MIG335", f"{', '.join(lost)} on network {key}", "networks", key, action=Action.DROPPED, span=attachment.span)
        if attachment.mac_address and (kept is None or kept.mac != attachment.mac_address.lower()):
            notes.find("MIG239", f"fixed MAC address on network {key}", "networks", key, action=Action.DROPPED, span=attachment.span)
        if attachment.data.get("priority") or attachment.data.get("driver_opts"):
            notes.find("MIG334", f"options of network {key}", "networks", key, action=Action.DROPPED, span=attachment.span)
    said = service.data.get("mac_address")
    if said and str(said).lower() not in {a.mac for a in attached}:
        notes.find("MIG239", "fixed MAC address", "mac_address", action=Action.DROPPED)


def _network_options(stack: Stack, notes: Notes) -> None:
    for key, network in stack.project.networks.items():
        ipam = network.data.get("ipam") or {}
        lost: list[tuple[str, ...]] = [(k,) for k in ("driver_opts", "attachable", "enable_ipv4", "enable_ipv6") if network.data.get(k)]
        lost += [("ipam", "options")] if ipam.get("options") else []
        lost += [("ipam", "driver")] if ipam.get("driver") not in (None, "", "default") else []
        for path in lost:
            text = f"network {key}: {'.'.join(path)} has no effect"
            notes.find("MIG334", text, "networks", key, *path, action=Action.DROPPED, span=network.span)
        if network.data.get("labels"):
            text = f"labels of network {key} have no object"
            notes.find("MIG910", text, "networks", key, "labels", action=Action.DROPPED, span=network.span)
        if network.external:
            notes.find("MIG333", f"network {key} is external: its other members are unknown", "networks", key, span=network.span)


def _member_policy(stack: Stack, key: str, answers: Answers) -> Policy:
    """P1, and P7 with what the plan says of other members, who reached these services and were reached (B8)."""
    name = object_name(key)
    selector = {"matchLabels": {f"{_NET}{name}": "member"}}
    peers: list[dict[str, Any]] = [{"podSelector": selector}]
    network = stack.project.networks[key]
    if network.external:
        namespaces = (answers.project.get("externalPeers") or {}).get(key) or ()
        peers += [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": str(n)}}} for n in namespaces]
    spec = {"podSelector": selector, "policyTypes": ["Ingress"], "ingress": [{"from": peers}]}
    return Policy(name=f"net-{name}", spec=spec, span=network.span)


def _pseudo_network(stack: Stack) -> Policy:
    """B2: services on Docker's default bridge reach each other, and nobody else of the stack does."""
    selector = {"matchLabels": {f"{_NET}bridge": "member"}}
    span = next(m.service.span for m in stack.members.values() if m.service.network_mode == "bridge")
    spec = {"podSelector": selector, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": selector}]}]}
    return Policy(name="net-bridge", spec=spec, span=span)


def _open(selector: Mapping[str, str], ports: list[dict[str, Any]]) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": dict(selector)}, "policyTypes": ["Ingress"], "ingress": [{"ports": ports}]}


def _published(
    stack: Stack, objects: Mapping[str, str], selectors: Mapping[str, Mapping[str, str]], exposure: Mapping[str, Exposure]
) -> list[Policy]:
    """P2: from anywhere, for sources of load balancers and Ingresses cannot be selected. What was published, outside reached (B5)."""
    found = []
    for name, exposed in exposure.items():
        ports = [{"port": port, "protocol": protocol} for protocol, port in exposed.open_ports]
        if exposed.ingress is not None and not ports:
            ports = [{"port": r.target, "protocol": "TCP"} for r in exposed.ingress.rules[:1]]
        if ports:
            span = stack.members[name].service.span
            found.append(Policy(name=f"{objects[name]}-published", spec=_open(selectors[name], ports), span=span))
    return found


def _internal(
    stack: Stack, pods: Mapping[str, Pod], networking: Mapping[str, Networking], waits: Mapping[str, tuple[Wait, ...]], notes: Notes
) -> list[Policy]:
    """P3: services on internal networks alone reach these networks and DNS; all others reached the world (B9)."""
    inside = [n for n, w in networking.items() if _INTERNAL in w.labels]
    if not inside:
        return []
    networks = dict.fromkeys(k for n in inside for k in networking[n].labels if k.startswith(_NET))
    peers = [{"podSelector": {"matchLabels": {label: "member"}}} for label in networks]
    dns = {
        "to": [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
            }
        ],
        "ports": list(_DNS_PORTS),
    }
    egress: list[dict[str, Any]] = [{"to": peers}, dns]
    if any(w.for_job for n in inside for w in waits[n]):
        egress.append({"ports": [{"port": 443, "protocol": "TCP"}, {"port": 6443, "protocol": "TCP"}]})
    text = f"{', '.join(inside)} reach their own networks and DNS only"
    span = stack.members[inside[0]].service.span
    notes.find("MIG332", text, span=span, action=Action.MAPPED, also=[stack.members[n].service.span for n in inside[1:]])
    spec = {"podSelector": {"matchLabels": {_INTERNAL: "internal"}}, "policyTypes": ["Egress"], "egress": egress}
    return [Policy(name="egress-internal", spec=spec, span=span)]


def _joins_nobody(stack: Stack, name: str, pods: Mapping[str, Pod]) -> bool:
    """Whether the pod was to share the network of a container that the stack does not have: then nobody of the stack reached it by name."""
    modes = [stack.members[m].service.network_mode or "" for m in pods[name].members]
    return not _networks_of(stack, name, pods) and any(m.startswith(("service:", "container:")) for m in modes)


def _isolated(stack: Stack, networking: Mapping[str, Networking]) -> list[Policy]:
    """P4: `network_mode: none`, and those who joined a container of nobody."""
    found = []
    for key, types in (("none", ["Ingress", "Egress"]), ("nobody", ["Ingress"])):
        label = f"{_NET}{key}"
        alone = [stack.members[n].service for n, w in networking.items() if label in w.labels]
        if alone:
            spec = {"podSelector": {"matchLabels": {label: "member"}}, "policyTypes": types}
            found.append(Policy(name=f"net-{key}", spec=spec, span=alone[0].span))
    return found


def _host_callers(
    stack: Stack,
    objects: Mapping[str, str],
    selectors: Mapping[str, Mapping[str, str]],
    ports: Mapping[str, tuple[ServicePort, ...]],
    notes: Notes,
) -> list[Policy]:
    """P5: pods in the host network cannot be selected, so their targets are open on the ports that they use."""
    wanted: dict[str, dict[tuple[str, int], None]] = {}
    for reference in stack.references:
        caller, callee = stack.members.get(reference.caller), stack.members.get(reference.callee)
        if caller is None or callee is None or caller.service.network_mode != "host" or callee.service.network_mode == "host":
            continue
        known = ports[reference.callee]
        used = [p for p in known if reference.port is None or p.port == reference.port]
        wanted.setdefault(reference.callee, {}).update(dict.fromkeys((p.protocol, p.target) for p in used))
    found = []
    for name, targets in wanted.items():
        service = stack.members[name].service
        own = Notes(notes.project, service, notes.decisions, notes.findings)
        own.find("MIG331", f"{name} is open to every source, because a service in the host network calls it")
        listed = [{"port": port, "protocol": protocol} for protocol, port in targets]
        if listed:
            found.append(Policy(name=f"{objects[name]}-from-hosts", spec=_open(selectors[name], listed), span=service.span))
    return found
