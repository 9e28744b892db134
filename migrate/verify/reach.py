"""Who reaches whom, computed on the manifests alone: Services, pods and NetworkPolicies as Kubernetes reads them.

What it is not: no CNI is asked, and no address of a node or an outside host is known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from migrate.description import description
from migrate.verify.objects import Pod, at, mapping, name, namespace, pod_of, selects, sequence

Ports = frozenset[tuple[str, int, int]] | None
"""(protocol, first, last); None: all; empty: none."""
_NONE: Ports = frozenset()
NETWORKS: Final = "k8s.v1.cni.cncf.io/networks"
"""The annotation of a pod that Multus reads."""


@description
class Port:
    """A port of a Service: in front, and the number in the container (None: by a name that no container has)."""

    port: int
    target: int | None
    protocol: str


@description
class Entry:
    """A Service: what it selects and how it answers. `addresses`: its fixed cluster addresses; `outside`: its type is reached from outside
    the cluster."""

    name: str
    namespace: str
    addresses: tuple[str, ...]
    headless: bool
    outside: bool
    not_ready: bool
    ports: tuple[Port, ...]
    pods: tuple[int, ...]


Peer = tuple[Mapping[str, Any] | None, Mapping[str, Any]]
"""(namespace selector, None: the policy's own namespace; pod selector)."""


@description
class Admission:
    """One rule of a policy of `namespace`: peers (None: anyone), and ports."""

    namespace: str
    peers: tuple[Peer, ...] | None
    ports: Ports


@dataclass(frozen=True, kw_only=True)
class World:
    """The emitted objects as a network."""

    pods: tuple[Pod, ...]
    services: tuple[Entry, ...]
    manifests: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, manifests: Sequence[Mapping[str, Any]]) -> World:
        """Read the objects; what is malformed is left to the schema check."""
        pods = tuple(pod for i, m in enumerate(manifests) if (pod := pod_of(i, m)) is not None)
        by_label: dict[tuple[str, str], list[int]] = {}
        for i, pod in enumerate(pods):
            for item in pod.labels.items():
                by_label.setdefault(item, []).append(i)
        services = tuple(_entry(m, pods, by_label) for m in manifests if m.get("kind") == "Service")
        return cls(pods=pods, services=services, manifests=tuple(manifests))

    @cached_property
    def by_name(self) -> Mapping[tuple[str, str], Entry]:
        """(namespace, name) -> Service."""
        return {(s.namespace, s.name): s for s in self.services}

    @cached_property
    def by_address(self) -> Mapping[str, Entry]:
        """Fixed cluster address -> Service."""
        return {address: s for s in self.services for address in s.addresses}

    @cached_property
    def attachments(self) -> tuple[Mapping[str, frozenset[str]], ...]:
        """For each pod its second networks (mode multus), as namespace/name, with its addresses there; what nothing defines is none."""
        defined = {f"{namespace(m)}/{name(m)}" for m in self.manifests if m.get("kind") == "NetworkAttachmentDefinition"}
        return tuple({n: ips for n, ips in attached(pod).items() if n in defined} for pod in self.pods)

    @cached_property
    def by_attachment(self) -> Mapping[str, tuple[int, ...]]:
        """Address on a second network -> the pods that have it."""
        found: dict[str, tuple[int, ...]] = {}
        for i, networks in enumerate(self.attachments):
            for address in dict.fromkeys(a for ips in networks.values() for a in sorted(ips)):
                found[address] = (*found.get(address, ()), i)
        return found

    def linked(self, caller: int, callee: int) -> bool:
        """Whether second networks join two pods, directly or through pods that stand on several of them (routers)."""
        reached, more = set(self.attachments[caller]), True
        while more:
            beside = {n for nets in self.attachments if len(nets) > 1 and reached & nets.keys() for n in nets}
            more = not beside <= reached
            reached |= beside
        return bool(reached & self.attachments[callee].keys())

    def hosts(self, pod: int) -> Mapping[str, str]:
        """The names in the hosts file of a pod, with their addresses."""
        entries = (mapping(e) for e in sequence(self.pods[pod].spec.get("hostAliases")))
        return {str(n).lower(): str(e.get("ip")) for e in entries for n in sequence(e.get("hostnames"))}

    @cached_property
    def has_policies(self) -> bool:
        """Whether any NetworkPolicy is there at all."""
        return any(m.get("kind") == "NetworkPolicy" for m in self.manifests)

    @cached_property
    def ingress(self) -> tuple[tuple[Admission, ...] | None, ...]:
        """For each pod the rules that admit callers; None: no policy selects it, everyone may."""
        return tuple(self._admissions(pod, "Ingress") for pod in self.pods)

    @cached_property
    def egress(self) -> tuple[tuple[Admission, ...] | None, ...]:
        """For each pod the rules that let it call out; None: no policy selects it."""
        return tuple(self._admissions(pod, "Egress") for pod in self.pods)

    def admitted(self, caller: int, callee: int) -> Ports:
        """On which ports pod `caller` reaches pod `callee`; where both sides limit them, those of the callee's side."""
        if caller == callee:
            return None
        inward = self._through(self.ingress[callee], caller, host=self.is_host(callee))
        outward = self._through(self.egress[caller], callee, host=self.is_host(caller))
        if _NONE in (inward, outward):
            return _NONE
        return outward if inward is None else inward

    def is_host(self, pod: int) -> bool:
        """Whether the pod is on the node's network, outside all policies."""
        return bool(self.pods[pod].spec.get("hostNetwork"))

    def open_to_all(self, pod: int) -> frozenset[tuple[str, int, int]]:
        """The ports that a rule opens to every source."""
        rules = self.ingress[pod] or ()
        return frozenset(p for r in rules if r.peers is None for p in r.ports or ())

    def _through(self, rules: tuple[Admission, ...] | None, other: int, *, host: bool) -> Ports:
        if rules is None or host:
            return None
        fitting = [r for r in rules if r.peers is None or self.is_peer(r, other)]
        if not fitting:
            return _NONE
        if any(r.ports is None for r in fitting):
            return None
        return frozenset(p for r in fitting for p in r.ports or ())

    def is_peer(self, rule: Admission, other: int) -> bool:
        """Whether a rule's selectors choose a pod; one on the host network is chosen by none."""
        if self.is_host(other):
            return False
        pod = self.pods[other]
        for spaces, chosen in rule.peers or ():
            here = pod.namespace == rule.namespace if spaces is None else selects(spaces, self.space_labels(pod.namespace))
            if here and selects(chosen, pod.labels):
                return True
        return False

    def space_labels(self, space: str) -> Mapping[str, str]:
        """The labels of a namespace: those of its object, and the one that every namespace has."""
        found = next((m for m in self.manifests if m.get("kind") == "Namespace" and name(m) == space), {})
        said = mapping(at(found, ("metadata", "labels")))
        return {**{str(k): str(v) for k, v in said.items()}, "kubernetes.io/metadata.name": space}

    def _admissions(self, pod: Pod, direction: str) -> tuple[Admission, ...] | None:
        found: list[Admission] = []
        selected = False
        for policy in self._policies_for(pod):
            spec = mapping(policy.get("spec"))
            types = sequence(spec.get("policyTypes")) or (["Ingress", "Egress"] if "egress" in spec else ["Ingress"])
            if direction not in types or namespace(policy) != pod.namespace or not selects(mapping(spec.get("podSelector")), pod.labels):
                continue
            selected = True
            found += [_admission(mapping(rule), direction, pod) for rule in sequence(spec.get(direction.lower()))]
        return tuple(found) if selected else None

    def _policies_for(self, pod: Pod) -> list[Mapping[str, Any]]:
        """The policies that may select a pod: by one label of their selector, in the order of the objects."""
        found = {i: p for item in (("", ""), *pod.labels.items()) for i, p in self._policies.get(item, ())}
        return [found[i] for i in sorted(found)]

    @cached_property
    def _policies(self) -> Mapping[tuple[str, str], tuple[tuple[int, Mapping[str, Any]], ...]]:
        made: dict[tuple[str, str], list[tuple[int, Mapping[str, Any]]]] = {}
        for i, manifest in enumerate(self.manifests):
            if manifest.get("kind") == "NetworkPolicy":
                wanted = mapping(at(manifest, ("spec", "podSelector", "matchLabels")))
                made.setdefault(next(((str(k), str(v)) for k, v in wanted.items()), ("", "")), []).append((i, manifest))
        return {item: tuple(policies) for item, policies in made.items()}


def attached(pod: Pod) -> Mapping[str, frozenset[str]]:
    """The second networks that a pod asks for, as namespace/name, with its addresses there; what is no list of networks asks for none."""
    template = at(pod.workload, (*pod.path[:-1], "metadata", "annotations", NETWORKS))
    try:
        said = json.loads(template) if isinstance(template, str) else []
    except ValueError:
        return {}
    found: dict[str, frozenset[str]] = {}
    for entry in said if isinstance(said, list) else ():
        asked = mapping(entry)
        key = f"{asked.get('namespace') or pod.namespace}/{asked.get('name')}"
        found[key] = found.get(key, frozenset()) | {str(ip).partition("/")[0] for ip in sequence(asked.get("ips"))}
    return found


def covers(ports: Ports, port: int, protocol: str) -> bool:
    """Whether admitted ports hold one.

    >>> covers(frozenset({("tcp", 80, 90)}), 85, "tcp"), covers(None, 1, "udp"), covers(frozenset(), 1, "tcp")
    (True, True, False)
    """
    if ports is None:
        return True
    return any(p == protocol and low <= port <= high for p, low, high in ports)


def _entry(manifest: Mapping[str, Any], pods: tuple[Pod, ...], by_label: Mapping[tuple[str, str], list[int]]) -> Entry:
    spec = mapping(manifest.get("spec"))
    selector = {str(k): str(v) for k, v in mapping(spec.get("selector")).items()}
    fixed = dict.fromkeys((spec.get("clusterIP"), *sequence(spec.get("clusterIPs"))))
    space = namespace(manifest)
    likely = min((by_label.get(item, []) for item in selector.items()), key=len, default=[])
    chosen = [i for i in likely if pods[i].namespace == space and selector.items() <= pods[i].labels.items()]
    return Entry(
        name=name(manifest),
        namespace=space,
        addresses=tuple(str(a) for a in fixed if a and a != "None"),
        headless=spec.get("clusterIP") == "None",
        outside=spec.get("type") in ("LoadBalancer", "NodePort"),
        not_ready=bool(spec.get("publishNotReadyAddresses")),
        ports=tuple(_port(mapping(p), [pods[i] for i in chosen]) for p in sequence(spec.get("ports"))),
        pods=tuple(chosen),
    )


def _port(said: Mapping[str, Any], pods: Sequence[Pod]) -> Port:
    number = said.get("port")
    target = said.get("targetPort", number)
    if isinstance(target, str):
        target = next((n for p in pods if (n := _container_port(p, target)) is not None), None)
    return Port(
        port=number if isinstance(number, int) else 0,
        target=target if isinstance(target, int) else None,
        protocol=str(said.get("protocol") or "TCP").lower(),
    )


def _container_port(pod: Pod, wanted: str) -> int | None:
    for container in pod.containers():
        for port in sequence(container.data.get("ports")):
            if mapping(port).get("name") == wanted:
                number = mapping(port).get("containerPort")
                return number if isinstance(number, int) else None
    return None


def _admission(rule: Mapping[str, Any], direction: str, pod: Pod) -> Admission:
    said = sequence(rule.get("from" if direction == "Ingress" else "to"))
    peers = [mapping(p) for p in said]
    anyone = not peers or any(at(p, ("ipBlock", "cidr")) in ("0.0.0.0/0", "::/0") for p in peers)
    ports = [mapping(p) for p in sequence(rule.get("ports"))]
    return Admission(
        namespace=pod.namespace,
        peers=None if anyone else tuple(_peer(p) for p in peers if "ipBlock" not in p),
        ports=frozenset(_range(p, pod) for p in ports) if ports else None,
    )


def _peer(peer: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, Mapping[str, Any]]:
    spaces = peer.get("namespaceSelector")
    return (mapping(spaces) if spaces is not None else None), mapping(peer.get("podSelector"))


def _range(port: Mapping[str, Any], pod: Pod) -> tuple[str, int, int]:
    protocol = str(port.get("protocol") or "TCP").lower()
    number = port.get("port")
    if isinstance(number, str):
        number = _container_port(pod, number)
    if not isinstance(number, int):
        return (protocol, 1, 65535) if number is None and "port" not in port else (protocol, 0, -1)
    last = port.get("endPort")
    return protocol, number, last if isinstance(last, int) else number
