"""The provider of machines: nodes are bought, come after their time or not at all, and are given back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simulate.control.loops.kubelet import KubeletLoop
from simulate.control.loops.placing import node_view
from simulate.control.placement import NodeView
from simulate.control.state import Cluster, Node
from simulate.spec import NodePool


@dataclass(slots=True, kw_only=True, eq=False)
class Coming:
    """A node that was bought at `since_s` and is not there yet."""

    node: Node
    view: NodeView
    since_s: float


class Supply:
    """What the autoscalers of nodes share. `arrived` and `failed` are told of every node that comes, or that the provider does not have."""

    def __init__(self, cluster: Cluster, kubelet: KubeletLoop) -> None:
        self._cluster = cluster
        self._kubelet = kubelet
        self.coming: dict[str, Coming] = {}
        self.short: set[str] = set()
        self.arrived: list[Callable[[Node], None]] = []
        self.failed: list[Callable[[Node], None]] = []

    def size(self, pool: NodePool) -> int:
        """How many nodes a pool has, those to come included."""
        there = sum(node.pool.name == pool.name for node in self._cluster.nodes.values())
        return there + sum(one.node.pool.name == pool.name for one in self.coming.values())

    def views(self) -> list[NodeView]:
        """The nodes to come, empty."""
        return [one.view for one in self.coming.values()]

    def next_numbers(self, pool: NodePool, count: int) -> list[int]:
        """The numbers that the next nodes of a pool get: the lowest free ones."""
        taken = {*self._cluster.nodes, *self.coming}
        free = (i for i in range(len(taken) + count) if f"{pool.name}-{i}" not in taken)
        return [next(free) for _ in range(count)]

    def request(self, pool: NodePool, zone: str | None = None) -> Node:
        """Buy a node; it is there when its time is over. Without a zone the pool's are taken in turn by the number of the node."""
        number = self.next_numbers(pool, 1)[0]
        usual = pool.zones[number % len(pool.zones)] if pool.zones else None
        node = Node(name=f"{pool.name}-{number}", pool=pool, zone=zone or usual)
        self.coming[node.name] = Coming(node=node, view=node_view(node), since_s=self._cluster.clock.now)
        self._cluster.trace_node(node, "requested")
        if pool.name in self.short:
            self._cluster.clock.after(self._cluster.spec.control.api_s, self._refuse, node)
        else:
            self._cluster.clock.after(pool.provision_s, self._arrive, node)
        return node

    def cancel(self, node: Node) -> None:
        """Give a node back that did not come in time."""
        if self.coming.pop(node.name, None) is not None:
            self._cluster.trace_node(node, "cancelled")

    def remove(self, node: Node) -> None:
        """Give a node back; what still runs on it ends with it."""
        if self._cluster.nodes.pop(node.name, None) is None:
            return
        node.up = node.ready = False
        self._kubelet.node_lost(node)
        for pod in list(node.pods.values()):
            self._cluster.remove_pod(pod)
        self._cluster.change_node(node, "removed")

    def _refuse(self, node: Node) -> None:
        del self.coming[node.name]
        self._cluster.trace_node(node, "refused")
        for watcher in self.failed:
            watcher(node)

    def _arrive(self, node: Node) -> None:
        known = self.coming.get(node.name)
        if known is None or known.node is not node:
            return
        del self.coming[node.name]
        self._cluster.nodes[node.name] = node
        self._cluster.change_node(node, "ready")
        for watcher in self.arrived:
            watcher(node)
