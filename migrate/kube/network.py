"""Services, Ingresses, NetworkPolicies and second networks as objects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from migrate.kube.names import Object, object_of
from migrate.plan.types import Attachment, Ingress, Plan, ServiceObject, ServicePort


def services(plan: Plan) -> Iterator[Object]:
    """Every Service: main, alias, published, ready, and those over several services."""
    for service in plan.services.values():
        if service.service is not None:
            yield _service(plan, service.service, service.object_name, dict(service.metadata.shared))
        for more in (*service.more_services, *service.exposure.services):
            yield _service(plan, more, service.object_name, {})
    for ready in plan.ready_services:
        yield _service(plan, ready, ready.name.removesuffix("-ready"), {})
    for shared in plan.shared_services:
        yield _service(plan, shared, None, {})


def _service(plan: Plan, service: ServiceObject, owner: str | None, annotations: dict[str, str]) -> Object:
    spec: dict[str, Any] = {}
    if service.type != "ClusterIP":
        spec["type"] = service.type
    if service.headless:
        spec["clusterIP"] = "None"
    elif service.cluster_ips:
        spec |= _pinned(service.cluster_ips)
    if service.load_balancer_ip is not None:
        spec["loadBalancerIP"] = service.load_balancer_ip
    if service.dual_stack:
        spec["ipFamilyPolicy"] = "PreferDualStack"
    if service.external_traffic_policy is not None:
        spec["externalTrafficPolicy"] = service.external_traffic_policy
    if service.publish_not_ready:
        spec["publishNotReadyAddresses"] = True
    if service.external_name is not None:
        spec["externalName"] = service.external_name
    if service.selector:
        spec["selector"] = dict(service.selector)
    if service.ports:
        spec["ports"] = [_port(p) for p in service.ports]
    return object_of(
        plan,
        "v1",
        "Service",
        service.name,
        {"spec": spec},
        owner=owner,
        span=service.span,
        annotations={**annotations, **service.annotations},
    )


def _pinned(addresses: tuple[str, ...]) -> dict[str, Any]:
    """A fixed address of each family; what is not IPv4 alone says its families, for the API server would take those of the cluster."""
    if len(addresses) == 1 and ":" not in addresses[0]:
        return {"clusterIP": addresses[0]}
    families = ["IPv6" if ":" in a else "IPv4" for a in addresses]
    return {"clusterIP": addresses[0], "clusterIPs": list(addresses), "ipFamilies": families}


def _port(port: ServicePort) -> dict[str, Any]:
    found: dict[str, Any] = {"name": port.name, "port": port.port, "targetPort": port.target, "protocol": port.protocol}
    if port.app_protocol:
        found["appProtocol"] = port.app_protocol
    if port.node_port:
        found["nodePort"] = port.node_port
    return found


def definitions(plan: Plan) -> Iterator[Object]:
    """Every NetworkAttachmentDefinition, and the ServiceCIDRs for old subnets."""
    for network in plan.networks:
        body = {"spec": {"config": json.dumps(network.config)}}
        yield object_of(plan, "k8s.cni.cncf.io/v1", "NetworkAttachmentDefinition", network.name, body, span=network.span)
    for cidr in plan.service_ranges:
        name = f"{plan.namespace}-" + re.sub(r"[^0-9a-f]+", "-", cidr)
        yield object_of(plan, "networking.k8s.io/v1", "ServiceCIDR", name, {"spec": {"cidrs": [cidr]}}, span=plan.span)


def annotation(attachments: Iterable[Attachment]) -> str:
    """What Multus reads on a pod: the networks to attach, with addresses, interface and MAC."""
    return json.dumps(
        [
            {"name": a.network, "interface": a.interface, **({"ips": list(a.ips)} if a.ips else {}), **({"mac": a.mac} if a.mac else {})}
            for a in attachments
        ]
    )


def policies(plan: Plan) -> Iterator[Object]:
    """Every NetworkPolicy."""
    for policy in plan.policies:
        yield object_of(plan, "networking.k8s.io/v1", "NetworkPolicy", policy.name, {"spec": dict(policy.spec)}, span=policy.span)


def ingresses(plan: Plan) -> Iterator[Object]:
    """Every Ingress."""
    for service in plan.services.values():
        if service.exposure.ingress is not None:
            yield _ingress(plan, service.exposure.ingress, service.object_name)


def _ingress(plan: Plan, ingress: Ingress, owner: str) -> Object:
    spec: dict[str, Any] = {}
    if ingress.ingress_class:
        spec["ingressClassName"] = ingress.ingress_class
    if ingress.tls_secret is not None:
        hosts = list(dict.fromkeys(r.host for r in ingress.rules if r.host))
        entry: dict[str, Any] = {"hosts": hosts} if hosts else {}
        spec["tls"] = [{**entry, **({"secretName": ingress.tls_secret} if ingress.tls_secret else {})}]
    by_host: dict[str | None, list[dict[str, Any]]] = {}
    for rule in ingress.rules:
        backend = {"service": {"name": rule.service, "port": {"number": rule.port}}}
        by_host.setdefault(rule.host, []).append({"path": rule.path, "pathType": "Prefix", "backend": backend})
    spec["rules"] = [{**({"host": host} if host else {}), "http": {"paths": paths}} for host, paths in by_host.items()]
    notes = {"compose-cutover/external": f"secret/{ingress.tls_secret}"} if ingress.tls_secret else {}
    return object_of(
        plan, "networking.k8s.io/v1", "Ingress", ingress.name, {"spec": spec}, owner=owner, span=ingress.span, annotations=notes
    )
