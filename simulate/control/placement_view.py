"""Pods and nodes as the scheduler compares them (kubernetes-semantics.md 8.2).

Amounts are whole numbers: thousandths of a core for `cpu`, bytes for `memory` and `ephemeral-storage`, pieces for the rest. Only
requests count; use and limits are never looked at.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from simulate.control.labels import Requirement, Selector

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


class Hashed:
    """A key whose parts are hashed once, however often it is looked up.

    >>> {Hashed(("a", 1)): "found"}[Hashed(("a", 1))]
    'found'
    """

    __slots__ = ("_hash", "_parts")

    def __init__(self, parts: Hashable) -> None:
        self._parts = parts
        self._hash = hash(parts)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hashed) and self._parts == other._parts


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
    def key(self) -> str:
        """Its name among the pods of all namespaces."""
        return f"{self.namespace}/{self.name}"

    @cached_property
    def group(self) -> Group:
        """What selectors can tell apart: pods with equal namespace and labels are counted together."""
        return self.namespace, tuple(sorted(self.labels.items()))

    @cached_property
    def has_terms(self) -> bool:
        """Whether other pods' placement can depend on this pod's own affinity."""
        return bool(self.affinity or self.anti_affinity or self.preferred_affinity or self.preferred_anti_affinity)

    @cached_property
    def asks(self) -> Hashable:
        """What a node's room and scores for it depend on: equal for pods that ask for the same on the same nodes."""
        amounts = (self.requests.get("cpu", 0), self.requests.get("memory", 0), self.score_cpu, self.score_memory)
        return Hashed((amounts, self.tolerations, self.node_name, tuple(sorted(self.node_selector.items())), self.node_terms))

    @cached_property
    def spreading(self) -> Hashable:
        """Whom the default spreading counts: equal for pods of one namespace and selector."""
        return Hashed((self.namespace, self.default_selector))

    @cached_property
    def plain(self) -> bool:
        """Whether only cpu, memory, node conditions and the default spreading decide about the pod."""
        other = self.ports or self.spread or self.has_terms or self.preferred_nodes
        return not other and all(key in ("cpu", "memory") for key in self.requests)

    def named(self, name: str, start_s: float | None = None) -> PodView:
        """The same pod under another name, and with another start where one is given."""
        _ = self.group, self.asks, self.spreading, self.plain  # what is computed once is copied with the rest
        other = object.__new__(PodView)
        known = other.__dict__
        known.update(self.__dict__)
        known["name"] = name
        known["key"] = f"{self.namespace}/{name}"
        if start_s is not None:
            known["start_s"] = start_s
        return other

    def ending(self) -> PodView:
        """The pod after its deletion has begun: it keeps its requests and is no longer counted by spreading."""
        other = object.__new__(PodView)
        other.__dict__.update(self.__dict__)
        other.__dict__["terminating"] = True
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
        key = pod.key
        if key in self.pods:
            self.remove(pod)
        self.pods[key] = pod
        if pod.has_terms:
            self.termed[key] = pod
        self._count(pod, 1)

    def remove(self, pod: PodView) -> None:
        """Take a pod away; nothing happens if it is not here."""
        key = pod.key
        found = self.pods.pop(key, None)
        if found is not None:
            self.termed.pop(key, None)
            self._count(found, -1)

    def end(self, pod: PodView) -> None:
        """The deletion of a pod that is here begins: only the counts for spreading change."""
        key = pod.key
        if not pod.terminating and self.pods.pop(key, None) is not None:
            self.pods[key] = pod.ending()
            if self.termed.pop(key, None) is not None:
                self.termed[key] = self.pods[key]
            self._count_group(pod, -1)

    def without(self, gone: Iterable[PodView]) -> NodeView:
        """A copy that lacks some pods."""
        names = {pod.key for pod in gone}
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
            self._count_group(pod, sign)
        self.score_cpu += sign * pod.score_cpu
        self.score_memory += sign * pod.score_memory

    def _count_group(self, pod: PodView, sign: int) -> None:
        left = self.groups.get(pod.group, 0) + sign
        if left:
            self.groups[pod.group] = left
        else:
            del self.groups[pod.group]
