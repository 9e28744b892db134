"""The scheduler's cache of a whole cluster: the same choices as `placement.choose_node`, fast for many nodes.

Pods that ask for nothing but cpu and memory, and whose placement depends on no other pod but by the default spreading, are chosen by a
compiled kernel over arrays that follow every change; all others, and small clusters, go through the plain functions.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

from simulate.control.placement import Placement, choose_node, scan_limit
from simulate.control.placement_filter import CORDONED, Counting, untolerated
from simulate.control.placement_view import ZONE, Group, NodeView, PodView

FAST_NODES = 100
"""From so many nodes on the kernel is worth being loaded."""

MOST_CLASSES = 256
"""So many kinds of pods are kept with their scores; the oldest makes room."""


@dataclass(slots=True)
class _Counter:
    """Pods that one (namespace, selector) counts: per node and per zone, kept up to date."""

    counting: Counting
    hosts: Any
    domains: Any


@dataclass(slots=True)
class _Class:
    """Pods that ask for the same on the same nodes: what each node scored for them after the change of number `seen`."""

    asked: Any
    allowed: Any
    scores: Any
    seen: int


class PlacementIndex:
    """Nodes in the order of the scan, with their pods. `change`: the BalancedAllocation of 1.36 and later.

    >>> index = PlacementIndex([NodeView("a", {"cpu": 1000, "memory": 2**30})])
    >>> index.choose(PodView(name="p", requests={"cpu": 500})).node
    'a'
    """

    def __init__(self, nodes: Iterable[NodeView] = (), *, change: bool = True) -> None:
        self._nodes: dict[str, NodeView] = {node.name: node for node in nodes}
        self._order: list[NodeView] = list(self._nodes.values())
        self._change = change
        self._start = 0
        self._arrays: _Arrays | None = None

    @property
    def nodes(self) -> Sequence[NodeView]:
        """The nodes in the order of the scan; change them only through this index."""
        return self._order

    def node(self, name: str) -> NodeView | None:
        """A node by its name."""
        return self._nodes.get(name)

    def put(self, node: NodeView) -> None:
        """A node that is new or whose taints, labels, room or pods were changed from outside."""
        self._nodes[node.name] = node
        self._renew()

    def drop(self, name: str) -> None:
        """A node is gone; nothing happens if it was not here."""
        if self._nodes.pop(name, None) is not None:
            self._renew()

    def add(self, name: str, pod: PodView) -> None:
        """A pod is bound to a node, or has changed there (it is being deleted)."""
        self.remove(name, pod)
        self._nodes[name].add(pod)
        if self._arrays is not None:
            self._arrays.changed(name, pod, 1)

    def end(self, name: str, pod: PodView) -> None:
        """The deletion of a pod begins; nothing happens if it or its node was not here."""
        node = self._nodes.get(name)
        found = node.pods.get(pod.key) if node is not None else None
        if node is None or found is None or found.terminating:
            return
        node.end(found)
        if self._arrays is not None:
            self._arrays.counted(name, found, -1)

    def remove(self, name: str, pod: PodView) -> None:
        """A pod object is gone; nothing happens if it or its node was not here."""
        node = self._nodes.get(name)
        found = node.pods.get(pod.key) if node is not None else None
        if node is None or found is None:
            return
        node.remove(found)
        if self._arrays is not None:
            self._arrays.changed(name, found, -1)

    def choose(self, pod: PodView, draw: float = 0.0) -> Placement:
        """The node for a pod, or why there is none, as `choose_node`; the next scan begins where this one ended."""
        arrays = self._fast(pod)
        if arrays is not None:
            chosen, ties, after, fits = arrays.choose(pod, self._start, draw)
            if fits:
                self._start = after
                return Placement(node=self._order[chosen].name, refusals={}, ties=ties, next_start=after)
        result = choose_node(pod, self._order, draw=draw, start=self._start, change=self._change)
        self._start = result.next_start
        return result

    def place_many(self, pods: Sequence[PodView], draws: Sequence[float]) -> list[str | None]:
        """Choose for pods that differ in their names only, one after the other, and bind each at once; the node of each, None where it
        did not fit."""
        first = pods[0]
        arrays = self._fast(first)
        if arrays is None or first.node_selector or first.node_terms is not None:
            return [self._place_one(pod, draw) for pod, draw in zip(pods, draws, strict=True)]
        chosen, self._start = arrays.place(first, self._start, draws)
        result: list[str | None] = []
        for pod, i in zip(pods, chosen, strict=True):
            if i >= 0:
                self._order[i].add(pod)
            result.append(self._order[i].name if i >= 0 else None)
        return result

    def _place_one(self, pod: PodView, draw: float) -> str | None:
        node = self.choose(pod, draw).node
        if node is not None:
            self.add(node, pod)
        return node

    def _renew(self) -> None:
        self._order = list(self._nodes.values())
        self._arrays = None
        self._start = self._start % len(self._order) if self._order else 0

    def _fast(self, pod: PodView) -> _Arrays | None:
        """The arrays, where the kernel may decide for this pod."""
        if len(self._order) < FAST_NODES or not pod.plain or not _compiles():
            return None
        if self._arrays is None:
            self._arrays = _Arrays(self._order, self._change)
        return self._arrays if self._arrays.usable(pod) else None


@cache
def _compiles() -> bool:
    return find_spec("numba") is not None


class _Arrays:
    """The cluster as arrays. `state` rows: used cpu and memory, pods, cpu and memory as scored, the number of the last change; `rooms`:
    cpu, memory, pods."""

    def __init__(self, order: Sequence[NodeView], change: bool) -> None:
        import numpy as np

        self._order, self._change = order, change
        self._kernel = _kernel()
        self._positions = {node.name: i for i, node in enumerate(order)}
        self._np = np
        room = [[node.allocatable.get(key, 0) for node in order] for key in ("cpu", "memory", "pods")]
        self._rooms = np.array(room, np.int64)
        used = [[node.used.get(key, 0) for node in order] for key in ("cpu", "memory")]
        counts = [[len(node.pods) for node in order], [node.score_cpu for node in order], [node.score_memory for node in order]]
        self._changes = 0
        self._state = np.array([*used, *counts, [0] * len(order)], np.int64)
        self._columns = self._state.T
        self._amounts: dict[tuple[int, int, int, int], tuple[Any, Any]] = {}
        names: dict[str, int] = {}
        found = [node.labels.get(ZONE) for node in order]
        self._zone_of = [-1 if zone is None else names.setdefault(zone, len(names)) for zone in found]
        self._zones = np.array(self._zone_of, np.int64)
        self._zone_count = len(names)
        self._logs = np.array([math.log(n) if n else 0.0 for n in range(len(order) + 3)])
        self._groups: dict[Group, dict[int, int]] = {}
        for i, node in enumerate(order):
            for group, number in node.groups.items():
                self._groups.setdefault(group, {})[i] = number
        self._counters: dict[Hashable, _Counter] = {}
        self._counting: dict[Group, list[_Counter]] = {}
        self._classes: dict[Hashable, _Class] = {}
        self._wanted: dict[Hashable, Any] = {}
        self._termed = sum(len(node.termed) for node in order)
        self._images = any(node.images for node in order)
        self._soft_taints = any(taint.effect == "PreferNoSchedule" for node in order for taint in node.taints)

    def usable(self, pod: PodView) -> bool:
        """Whether nothing in the cluster matters to this pod that the kernel does not know."""
        return not (self._termed or self._soft_taints or (self._images and pod.images))

    def changed(self, name: str, pod: PodView, sign: int) -> None:
        """A pod came to a node or left it."""
        i = self._positions[name]
        self._changes += 1
        column = self._columns[i]
        column += self._signed(pod)[sign > 0]
        column[5] = self._changes
        self._termed += sign * pod.has_terms
        if not pod.terminating:
            self._counted(i, pod.group, sign)

    def counted(self, name: str, pod: PodView, sign: int) -> None:
        """A pod begins or ends to be one that the default spreading counts."""
        self._counted(self._positions[name], pod.group, sign)

    def _counted(self, i: int, group: Group, sign: int, besides: _Counter | None = None) -> None:
        """`besides`: a counter that has counted it already."""
        own = self._groups.get(group)
        if own is None:
            own = self._groups[group] = {}
        own[i] = own.get(i, 0) + sign
        zone = self._zone_of[i]
        for counter in self._counters_of(group):
            if counter is not besides:
                counter.hosts[i] += sign
                if zone >= 0:
                    counter.domains[zone] += sign

    def _signed(self, pod: PodView) -> tuple[Any, Any]:
        """What a pod takes from the state of its node, and what it adds to it."""
        key = pod.requests.get("cpu", 0), pod.requests.get("memory", 0), pod.score_cpu, pod.score_memory
        found = self._amounts.get(key)
        if found is None:
            taken = self._np.array((key[0], key[1], 1, key[2], key[3], 0), self._np.int64)
            found = self._amounts[key] = -taken, taken
        return found

    def _counters_of(self, group: Group) -> list[_Counter]:
        """The counters that count pods of this namespace with these labels."""
        found = self._counting.get(group)
        if found is None:
            found = self._counting[group] = [one for one in self._counters.values() if one.counting.selects(group)]
        return found

    def choose(self, pod: PodView, start: int, draw: float) -> tuple[int, int, int, int]:
        """Where a pod goes: (position of the node, ties, next start, nodes that fitted)."""
        own = self._class(pod)
        counter = self._counter(pod)
        hosts, domains = self._eligible(pod, counter)
        result: tuple[int, int, int, int] = self._kernel.choose(
            self._rooms, self._state, own.allowed, own.asked, self._change, own.seen, own.scores, start, scan_limit(len(self._order)),
            draw, counter is not None, hosts, self._zones, domains, self._logs,
        )  # fmt: skip
        own.seen = self._changes
        return result

    def place(self, pod: PodView, start: int, draws: Sequence[float]) -> tuple[list[int], int]:
        """Equal pods one after the other, each bound at once: (position of each one's node, below 0 where there was none; next start)."""
        np = self._np
        own = self._class(pod)
        counter = self._counter(pod)
        hosts, domains = self._eligible(pod, counter)
        itself = counter is not None and counter.counting.selects(pod.group)
        self._changes += 1
        chosen, after = self._kernel.place(
            self._rooms, self._state, own.allowed, own.asked, self._change, own.seen, own.scores, start, scan_limit(len(self._order)),
            np.array(draws, np.float64), counter is not None, hosts, self._zones, domains, self._logs, itself, self._changes,
        )  # fmt: skip
        own.seen = self._changes
        where: list[int] = chosen.tolist()
        for i in where:
            if i >= 0:
                self._counted(i, pod.group, 1, besides=counter if itself else None)
        return where, int(after)

    def _class(self, pod: PodView) -> _Class:
        found = self._classes.get(pod.asks)
        if found is None:
            np = self._np
            if len(self._classes) >= MOST_CLASSES:
                self._classes.pop(next(iter(self._classes)))
            amounts = (pod.requests.get("cpu", 0), pod.requests.get("memory", 0), pod.score_cpu, pod.score_memory)
            found = _Class(np.array(amounts, np.int64), self._allows(pod), np.empty(len(self._order), np.int64), -1)
            self._classes[pod.asks] = found
        return found

    def _counter(self, pod: PodView) -> _Counter | None:
        """Whom the default spreading counts for this pod; None where it is not spread."""
        selector = pod.default_selector
        if selector is None or not selector.requirements:
            return None
        found = self._counters.get(pod.spreading)
        if found is None:
            np = self._np
            counting = Counting(pod.namespace, selector)
            hosts = np.zeros(len(self._order), np.int64)
            for group, numbers in self._groups.items():
                if counting.selects(group):
                    for i, number in numbers.items():
                        hosts[i] += number
            self._counting.clear()
            found = self._counters[pod.spreading] = _Counter(counting, hosts, self._sums(hosts, np.ones(len(self._order), np.bool_)))
        return found

    def _sums(self, hosts: Any, taking: Any) -> Any:
        np = self._np
        domains = np.zeros(max(1, self._zone_count), np.int64)
        chosen = taking & (self._zones >= 0)
        np.add.at(domains, self._zones[chosen], hosts[chosen])
        return domains

    def _eligible(self, pod: PodView, counter: _Counter | None) -> tuple[Any, Any]:
        """(pods per node, pods per zone); nodes that the pod does not want are left out of the zones."""
        if counter is None:
            return self._zones, self._np.zeros(1, self._np.int64)
        if not pod.node_selector and pod.node_terms is None:
            return counter.hosts, counter.domains
        return counter.hosts, self._sums(counter.hosts, self._wants(pod))

    def _wants(self, pod: PodView) -> Any:
        key = (tuple(sorted(pod.node_selector.items())), pod.node_terms)
        if key not in self._wanted:
            self._wanted[key] = self._np.array([pod.wants(node) for node in self._order], self._np.bool_)
        return self._wanted[key]

    def _allows(self, pod: PodView) -> Any:
        """Nodes that taints, cordons, the name and node affinity leave to the pod."""
        values = [
            not (node.unschedulable and not pod.tolerates(CORDONED))
            and pod.node_name in ("", node.name)
            and not untolerated(pod, node)
            and pod.wants(node)
            for node in self._order
        ]
        return self._np.array(values, self._np.bool_)


def _kernel() -> Any:
    from simulate.control import placement_kernel

    return placement_kernel
