"""Pods and nodes as the scheduler compares them, and how they are read from manifests (kubernetes-semantics.md 8.2).

Amounts are whole numbers: thousandths of a core for `cpu`, bytes for `memory` and `ephemeral-storage`, pieces for the rest. Only
requests count; use and limits are never looked at.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from simulate.control import labels
from simulate.control.labels import Requirement, Selector
from simulate.quantity import milli, parse_milli, parse_quantity
from simulate.spec import PodTemplate

HOST = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"
SCORE_CPU_MILLI = 100
SCORE_MEMORY_BYTES = 200 * 2**20
"""What a container without a request counts as in LeastAllocated, and only there (8.3)."""

Amounts = Mapping[str, int]


Group = tuple[str, tuple[tuple[str, str], ...]]


class Taint(NamedTuple):
    """A taint of a node."""

    key: str
    value: str = ""
    effect: str = "NoSchedule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Toleration:
    """A toleration of a pod; an empty key with Exists tolerates everything, an empty effect every effect."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""

    def tolerates(self, taint: Taint) -> bool:
        """Whether it covers this taint.

        >>> Toleration(operator="Exists").tolerates(Taint("k", "v", "NoExecute"))
        True
        """
        if self.effect and self.effect != taint.effect:
            return False
        if self.key and self.key != taint.key:
            return False
        if not self.key and self.operator != "Exists":
            return False
        return self.operator == "Exists" or self.value == taint.value


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTerm:
    """One term of node affinity: all its conditions must hold; a term without any matches nothing."""

    expressions: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()
    weight: int = 0

    def matches(self, node: NodeView) -> bool:
        """Whether the node satisfies it."""
        if not self.expressions and not self.fields:
            return False
        named = {"metadata.name": node.name}
        return all(one.matches(node.labels) for one in self.expressions) and all(one.matches(named) for one in self.fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodTerm:
    """One term of pod affinity or anti-affinity. `namespaces` empty = the namespace of the pod that has the term; `any_namespace`: all."""

    selector: Selector | None
    topology: str
    namespaces: frozenset[str] = frozenset()
    any_namespace: bool = False
    weight: int = 0

    def selects(self, owner: PodView, other: PodView) -> bool:
        """Whether the term of `owner` means `other`."""
        allowed = self.any_namespace or other.namespace in (self.namespaces or {owner.namespace})
        return allowed and self.selector is not None and self.selector.matches(other.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A topology spread constraint."""

    topology: str
    skew: int
    required: bool
    selector: Selector | None
    minimum_domains: int = 1
    honor_affinity: bool = True
    honor_taints: bool = False


@dataclass(frozen=True, kw_only=True)
class PodView:
    """A pod as the scheduler sees it.

    `score_cpu`, `score_memory`: requests with the defaults of 8.3. `default_selector`: of the Service, ReplicaSet and so on that select
    the pod, for the default spreading; None = nothing selects it. `start_s` and `budgets` (names of matching PDBs) matter for preemption.
    """

    name: str
    namespace: str = "default"
    labels: Mapping[str, str] = field(default_factory=dict)
    requests: Amounts = field(default_factory=dict)
    score_cpu: int = SCORE_CPU_MILLI
    score_memory: int = SCORE_MEMORY_BYTES
    ports: frozenset[tuple[str, str, int]] = frozenset()
    tolerations: tuple[Toleration, ...] = ()
    node_name: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    node_terms: tuple[NodeTerm, ...] | None = None
    preferred_nodes: tuple[NodeTerm, ...] = ()
    affinity: tuple[PodTerm, ...] = ()
    anti_affinity: tuple[PodTerm, ...] = ()
    preferred_affinity: tuple[PodTerm, ...] = ()
    preferred_anti_affinity: tuple[PodTerm, ...] = ()
    spread: tuple[Spread, ...] = ()
    default_selector: Selector | None = None
    images: tuple[str, ...] = ()
    priority: int = 0
    preempts: bool = True
    terminating: bool = False
    start_s: float = 0.0
    budgets: tuple[str, ...] = ()

    @cached_property
    def group(self) -> Group:
        """What selectors can tell apart: pods with equal namespace and labels are counted together."""
        return self.namespace, tuple(sorted(self.labels.items()))

    @cached_property
    def has_terms(self) -> bool:
        """Whether other pods' placement can depend on this pod's own affinity."""
        return bool(self.affinity or self.anti_affinity or self.preferred_affinity or self.preferred_anti_affinity)

    def named(self, name: str) -> PodView:
        """The same pod under another name."""
        _ = self.group  # what is computed once is copied with the rest
        other = object.__new__(PodView)
        other.__dict__.update(self.__dict__)
        other.__dict__["name"] = name
        return other

    def tolerates(self, taint: Taint) -> bool:
        """Whether any of its tolerations covers the taint."""
        return any(one.tolerates(taint) for one in self.tolerations)

    def wants(self, node: NodeView) -> bool:
        """Node selector and required node affinity."""
        if any(node.labels.get(key) != value for key, value in self.node_selector.items()):
            return False
        return self.node_terms is None or any(term.matches(node) for term in self.node_terms)


class NodeView:
    """A node with the pods placed on it; sums are kept as pods come and go. `images`: bytes by image name.

    `groups` counts the pods that are not terminating by namespace and labels; `termed` are those with affinity of their own.
    """

    __slots__ = (
        "allocatable",
        "groups",
        "images",
        "labels",
        "name",
        "pods",
        "score_cpu",
        "score_memory",
        "taints",
        "termed",
        "unschedulable",
        "used",
    )

    def __init__(
        self,
        name: str,
        allocatable: Amounts,
        *,
        labels: Mapping[str, str] | None = None,
        taints: Iterable[Taint] = (),
        unschedulable: bool = False,
        pods: Iterable[PodView] = (),
        images: Mapping[str, int] | None = None,
    ) -> None:
        self.name = name
        self.allocatable = {"pods": 110, **allocatable}
        self.labels = {HOST: name, **(labels or {})}
        self.taints = tuple(taints)
        self.unschedulable = unschedulable
        self.images = dict(images or {})
        self.pods: dict[str, PodView] = {}
        self.used: dict[str, int] = {}
        self.groups: dict[Group, int] = {}
        self.termed: dict[str, PodView] = {}
        self.score_cpu = self.score_memory = 0
        for pod in pods:
            self.add(pod)

    def add(self, pod: PodView) -> None:
        """Place a pod; one that is here already is replaced."""
        key = f"{pod.namespace}/{pod.name}"
        if key in self.pods:
            self.remove(pod)
        self.pods[key] = pod
        if pod.has_terms:
            self.termed[key] = pod
        self._count(pod, 1)

    def remove(self, pod: PodView) -> None:
        """Take a pod away; nothing happens if it is not here."""
        key = f"{pod.namespace}/{pod.name}"
        found = self.pods.pop(key, None)
        if found is not None:
            self.termed.pop(key, None)
            self._count(found, -1)

    def without(self, gone: Iterable[PodView]) -> NodeView:
        """A copy that lacks some pods."""
        names = {f"{pod.namespace}/{pod.name}" for pod in gone}
        kept = [pod for key, pod in self.pods.items() if key not in names]
        return NodeView(
            self.name,
            self.allocatable,
            labels=self.labels,
            taints=self.taints,
            unschedulable=self.unschedulable,
            pods=kept,
            images=self.images,
        )

    def _count(self, pod: PodView, sign: int) -> None:
        for resource, amount in pod.requests.items():
            self.used[resource] = self.used.get(resource, 0) + sign * amount
        if not pod.terminating:
            left = self.groups.get(pod.group, 0) + sign
            if left:
                self.groups[pod.group] = left
            else:
                del self.groups[pod.group]
        self.score_cpu += sign * pod.score_cpu
        self.score_memory += sign * pod.score_memory


# ------------------------------------------------------------------ reading manifests


def amount(resource: str, text: object) -> int:
    """A quantity as a whole amount, rounded up: thousandths for cpu, units for everything else."""
    if resource == "cpu":
        return parse_milli(str(text))
    value = parse_quantity(str(text))
    return int(value) if value == int(value) else int(value) + 1


def amounts(given: Mapping[str, Any] | None) -> dict[str, int]:
    """A list of resources."""
    return {resource: amount(resource, text) for resource, text in (given or {}).items()}


def _largest(left: Amounts, right: Amounts) -> dict[str, int]:
    return {key: max(left.get(key, 0), right.get(key, 0)) for key in sorted({*left, *right})}


def _sum(left: Amounts, right: Amounts) -> dict[str, int]:
    return {key: left.get(key, 0) + right.get(key, 0) for key in sorted({*left, *right})}


def total(main: Iterable[Amounts], initial: Iterable[tuple[Amounts, bool]], overhead: Amounts) -> dict[str, int]:
    """max(sum of containers and sidecars, largest init container with the sidecars started before it) + overhead (8.2).

    >>> total([{"cpu": 500}], [({"cpu": 3000}, False)], {})
    {'cpu': 3000}
    """
    asked: dict[str, int] = {}
    for one in main:
        asked = _sum(asked, one)
    sidecars: dict[str, int] = {}
    peak: dict[str, int] = {}
    for one, stays in initial:
        if stays:
            sidecars = _sum(sidecars, one)
            asked = _sum(asked, one)
            peak = _largest(peak, sidecars)
        else:
            peak = _largest(peak, _sum(sidecars, one))
    return _sum(_largest(asked, peak), overhead)


def _requests(container: Mapping[str, Any]) -> dict[str, int]:
    resources = container.get("resources") or {}
    return {**amounts(resources.get("limits")), **amounts(resources.get("requests"))}


def _scored(requests: Amounts) -> dict[str, int]:
    return {"cpu": requests.get("cpu", SCORE_CPU_MILLI), "memory": requests.get("memory", SCORE_MEMORY_BYTES)}


def _node_terms(items: Iterable[Mapping[str, Any]]) -> tuple[NodeTerm, ...]:
    return tuple(
        NodeTerm(
            expressions=labels.expressions(item.get("matchExpressions") or ()),
            fields=labels.expressions(item.get("matchFields") or ()),
            weight=weight,
        )
        for item, weight in ((one.get("preference", one), int(one.get("weight", 0))) for one in items)
    )


def _pod_terms(items: Iterable[Mapping[str, Any]], own: Mapping[str, str]) -> tuple[PodTerm, ...]:
    terms = []
    for one in items:
        term = one.get("podAffinityTerm", one)
        spaces = term.get("namespaceSelector")
        terms.append(
            PodTerm(
                selector=_with_keys(labels.from_object(term.get("labelSelector")), term.get("matchLabelKeys") or (), own),
                topology=str(term.get("topologyKey", "")),
                namespaces=frozenset(term.get("namespaces") or ()),
                any_namespace=spaces is not None and not spaces,
                weight=int(one.get("weight", 0)),
            )
        )
    return tuple(terms)


def _with_keys(selector: Selector | None, keys: Iterable[str], own: Mapping[str, str]) -> Selector | None:
    if selector is None:
        return None
    return Selector(selector.requirements + tuple(Requirement(key, "In", (own[key],)) for key in keys if key in own))


def _spreads(items: Iterable[Mapping[str, Any]], own: Mapping[str, str]) -> tuple[Spread, ...]:
    return tuple(
        Spread(
            topology=str(one.get("topologyKey", "")),
            skew=int(one.get("maxSkew", 1)),
            required=one.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule",
            selector=_with_keys(labels.from_object(one.get("labelSelector")), one.get("matchLabelKeys") or (), own),
            minimum_domains=int(one.get("minDomains") or 1),
            honor_affinity=one.get("nodeAffinityPolicy", "Honor") == "Honor",
            honor_taints=one.get("nodeTaintsPolicy", "Ignore") == "Honor",
        )
        for one in items
    )


def _address(text: Any) -> str:
    """The address of a host port; "" stands for every address."""
    try:
        return "" if not text or ipaddress.ip_address(str(text)).is_unspecified else str(text)
    except ValueError:
        return str(text)


def _ports(containers: Iterable[Mapping[str, Any]]) -> frozenset[tuple[str, str, int]]:
    return frozenset(
        (_address(port.get("hostIP")), str(port.get("protocol") or "TCP"), int(port["hostPort"]))
        for container in containers
        for port in container.get("ports") or ()
        if port.get("hostPort")
    )


def pod_of(name: str, spec: Mapping[str, Any], *, namespace: str = "default", own: Mapping[str, str] | None = None, **more: Any) -> PodView:
    """A pod from the `spec` of a manifest; `own` are its labels, `more` the fields that a manifest does not have.

    >>> pod_of("p", {"containers": [{"resources": {"requests": {"cpu": "250m"}}}]}).requests
    {'cpu': 250}
    """
    own = own or {}
    main, initial = list(spec.get("containers") or ()), list(spec.get("initContainers") or ())
    stays = [one.get("restartPolicy") == "Always" for one in initial]
    overhead = amounts(spec.get("overhead"))
    asked = [_requests(one) for one in main], [_requests(one) for one in initial]
    scored = total(map(_scored, asked[0]), zip(map(_scored, asked[1]), stays, strict=True), overhead)
    level = amounts((spec.get("resources") or {}).get("requests"))
    affinity = spec.get("affinity") or {}
    nodes, pods, anti = (affinity.get(key) or {} for key in ("nodeAffinity", "podAffinity", "podAntiAffinity"))
    required, preferred = "requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"
    terms = nodes.get(required)
    given: dict[str, Any] = {
        "requests": {**total(asked[0], zip(asked[1], stays, strict=True), overhead), **level},
        "score_cpu": level.get("cpu", scored["cpu"] if scored else 0),
        "score_memory": level.get("memory", scored["memory"] if scored else 0),
        "ports": _ports(main),
        "tolerations": tuple(
            Toleration(
                key=str(one.get("key") or ""),
                operator=str(one.get("operator") or "Equal"),
                value=str(one.get("value") or ""),
                effect=str(one.get("effect") or ""),
            )
            for one in spec.get("tolerations") or ()
        ),
        "node_name": str(spec.get("nodeName") or ""),
        "node_selector": {key: str(value) for key, value in (spec.get("nodeSelector") or {}).items()},
        "node_terms": None if terms is None else _node_terms(terms.get("nodeSelectorTerms") or ()),
        "preferred_nodes": _node_terms(nodes.get(preferred) or ()),
        "affinity": _pod_terms(pods.get(required) or (), own),
        "anti_affinity": _pod_terms(anti.get(required) or (), own),
        "preferred_affinity": _pod_terms(pods.get(preferred) or (), own),
        "preferred_anti_affinity": _pod_terms(anti.get(preferred) or (), own),
        "spread": _spreads(spec.get("topologySpreadConstraints") or (), own),
        "images": tuple(str(one["image"]) for one in main if one.get("image")),
        "priority": int(spec.get("priority") or 0),
        "preempts": spec.get("preemptionPolicy", "PreemptLowerPriority") != "Never",
    }
    return PodView(name=name, namespace=namespace, labels=own, **(given | more))


def pod_of_template(name: str, template: PodTemplate, *, namespace: str = "default", **more: Any) -> PodView:
    """A pod of a template: affinity, tolerations and so on from its manifest, amounts from its parsed containers."""
    data = template.data.get("spec", template.data)
    view = pod_of(name, data, namespace=namespace, own=template.labels, **more)

    def asked(one: Any) -> dict[str, int]:
        found = {"cpu": one.request_cores and milli(one.request_cores), "memory": one.request_bytes and int(one.request_bytes)}
        return {key: value for key, value in found.items() if value is not None}

    main, initial = [asked(one) for one in template.containers], [asked(one) for one in template.init_containers]
    stays = {str(one.get("name")) for one in data.get("initContainers") or () if one.get("restartPolicy") == "Always"}
    kept = [one.name in stays for one in template.init_containers]
    overhead = amounts(data.get("overhead"))
    plain = total(main, zip(initial, kept, strict=True), overhead)
    scored = total(map(_scored, main), zip(map(_scored, initial), kept, strict=True), overhead)
    values = {one: getattr(view, one) for one in view.__dataclass_fields__}
    extra = {key: value for key, value in view.requests.items() if key not in ("cpu", "memory")}
    values |= {"requests": {**plain, **extra}, "score_cpu": scored.get("cpu", 0), "score_memory": scored.get("memory", 0)}
    return PodView(**values)
