"""The Cluster Autoscaler in motion: scans, asks `nodes`, requests nodes that come after their time, empties and removes others."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from simulate.control import nodes
from simulate.control.loops.eviction import Evictions
from simulate.control.loops.kubelet import KubeletLoop
from simulate.control.loops.placing import Placer, node_view
from simulate.control.loops.scheduler import SchedulerLoop
from simulate.control.nodes import Group
from simulate.control.placement import NodeView
from simulate.control.state import Cluster, Node, Pod, after
from simulate.spec import NodePool
from simulate.trace import NodeRecord


class NodesLoop:
    """Only pools that may have more or fewer nodes than at the start are looked at; without such a pool nothing runs."""

    def __init__(self, cluster: Cluster, scheduler: SchedulerLoop, placer: Placer, kubelet: KubeletLoop, evictions: Evictions) -> None:
        self._cluster = cluster
        self._evictions = evictions
        self._scheduler = scheduler
        self._placer = placer
        self._kubelet = kubelet
        self._pools = [pool for pool in cluster.spec.pools if elastic(pool)]
        self._coming: dict[str, NodeView] = {}
        self._unneeded_s: dict[str, float] = {}
        self._emptying: dict[str, Node] = {}
        self._added_s = float("-inf")
        cluster.on_pod.append(self._pod_changed)
        if self._pools:
            cluster.clock.process(self._run())

    def _run(self) -> Generator[Any, Any, None]:
        while True:
            yield self._cluster.clock.timeout(nodes.SCAN_S)
            self._scan()

    def _scan(self) -> None:
        now = self._cluster.clock.now
        existing = self._placer.views()
        pending = [self._placer.view(pod) for pod in self._scheduler.unschedulable()]
        addition = nodes.scale_up(pending, [*existing, *self._coming.values()], self._groups()) if pending else None
        if addition is not None:
            pool = next(one for one in self._pools if one.name == addition.group)
            for _ in range(addition.nodes):
                self._request(pool)
            self._added_s = now
            self._unneeded_s.clear()
            return
        self._judge(existing, now)
        if now - self._added_s >= nodes.AFTER_ADD_S and not self._emptying:
            for name in nodes.scale_down(self._unneeded_s, self._spare(), {n.name: n.pool.name for n in self._cluster.nodes.values()}, now):
                self._empty(self._cluster.nodes[name])

    def _size(self, pool: NodePool) -> int:
        there = sum(node.pool.name == pool.name for node in self._cluster.nodes.values())
        return there + sum(name.rpartition("-")[0] == pool.name for name in self._coming)

    def _groups(self) -> list[Group]:
        return [
            Group(
                name=pool.name,
                size=self._size(pool),
                minimum=pool.minimum,
                maximum=pool.maximum,
                template=node_view(Node(name=f"{pool.name}-template", pool=pool)),
            )
            for pool in self._pools
        ]

    def _spare(self) -> dict[str, int]:
        return {pool.name: self._size(pool) - pool.minimum for pool in self._pools}

    def _request(self, pool: NodePool) -> None:
        """A node is bought; it is there when its time is over. The lowest free number is used."""
        taken = {*self._cluster.nodes, *self._coming}
        name = next(f"{pool.name}-{i}" for i in range(len(taken) + 1) if f"{pool.name}-{i}" not in taken)
        number = int(name.rpartition("-")[2])
        node = Node(name=name, pool=pool, zone=pool.zones[number % len(pool.zones)] if pool.zones else None)
        self._coming[name] = node_view(node)
        self._cluster.trace.nodes.append(NodeRecord(self._cluster.clock.now, name, pool.name, "requested"))
        self._cluster.event("Node", name, "Normal", "TriggeredScaleUp", f"pod triggered scale-up of {pool.name}")
        after(self._cluster.clock, pool.provision_s, self._arrive, node)

    def _arrive(self, node: Node) -> None:
        del self._coming[node.name]
        self._cluster.nodes[node.name] = node
        self._cluster.change_node(node, "ready")

    # -------------------------------------------------------------- taking away

    def _staying(self, node: Node) -> frozenset[str]:
        """Pods of DaemonSets keep no node."""
        live = self._cluster.workloads
        return frozenset(
            f"{live[pod.workload].spec.namespace}/{pod.name}" for pod in node.pods.values() if live[pod.workload].spec.kind == "DaemonSet"
        )

    def _judge(self, existing: list[NodeView], now: float) -> None:
        pools = {pool.name for pool in self._pools}
        for view in existing:
            node = self._cluster.nodes[view.name]
            usable = node.pool.name in pools and node.ready and node.up and not node.cordoned
            if usable and nodes.removable(view, existing, self._staying(node)):
                self._unneeded_s.setdefault(view.name, now)
            else:
                self._unneeded_s.pop(view.name, None)

    def _empty(self, node: Node) -> None:
        """Evict what can move; the node goes with its last such pod."""
        self._unneeded_s.pop(node.name, None)
        node.cordoned = True
        self._emptying[node.name] = node
        self._cluster.change_node(node, "cordoned")
        self._cluster.event("Node", node.name, "Normal", "ScaleDown", f"{node.name} is not needed: its pods fit elsewhere")
        self._evictions.empty(node, "evicted: the node is not needed", nodes.EVICTION_RETRY_S)
        self._remove_if_empty(node)

    def _pod_changed(self, pod: Pod, state: str) -> None:
        if state == "deleted" and pod.node in self._emptying:
            self._remove_if_empty(self._emptying[pod.node])

    def _remove_if_empty(self, node: Node) -> None:
        kinds = [self._cluster.workloads[pod.workload].spec.kind for pod in node.pods.values()]
        if any(kind != "DaemonSet" for kind in kinds) or node.name not in self._emptying:
            return
        del self._emptying[node.name]
        del self._cluster.nodes[node.name]
        node.up = node.ready = False
        self._kubelet.node_lost(node)
        for pod in list(node.pods.values()):
            self._cluster.remove_pod(pod)
        self._cluster.change_node(node, "removed")


def elastic(pool: NodePool) -> bool:
    """Whether the number of its nodes may change."""
    return pool.maximum > pool.count or 0 < pool.minimum < pool.count
