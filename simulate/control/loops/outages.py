"""What befalls the machines and the services around them: lost, drained and called-back nodes, a registry or metrics API that fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simulate.control.loops.eviction import Emptying, Evictions
from simulate.control.loops.kubelet import KubeletLoop
from simulate.control.loops.supply import Supply
from simulate.control.state import Cluster, Node, after
from simulate.spec import Event

NOTICE_S = 120.0
"""How long before its end a spot instance is told (the shortest notice that large providers give is 30 s, the usual one 2 min)."""

FORGET_S = 40.0
"""A node whose machine no longer exists is deleted by the cloud's controller within seconds; pods without a node go after so long."""


class Outages:
    """Carries out the events of nodes, registry and metrics; each verb a method."""

    def __init__(self, cluster: Cluster, kubelet: KubeletLoop, evictions: Evictions, supply: Supply) -> None:
        self._cluster = cluster
        self._supply = supply
        self._kubelet = kubelet
        self._evictions = evictions
        self.verbs: Mapping[str, Callable[[Event], None]] = {
            "nodeLoss": lambda event: self._lose(event, self._of_pool(event)),
            "zoneLoss": lambda event: self._lose(event, [n for n in cluster.nodes.values() if n.zone == event.target and n.up]),
            "drain": self.drain,
            "reclaim": self.reclaim,
            "shortage": self.shortage,
            "registry": self.registry,
            "metrics": self.metrics,
        }

    # -------------------------------------------------------------- nodes

    def _of_pool(self, event: Event) -> list[Node]:
        """Nodes of a pool, or of any size of a provisioner, that are not in trouble already; the lowest numbers first."""
        known = self._cluster.nodes.values()
        nodes = [node for node in known if event.target in (node.pool.name, node.pool.provisioner) and node.up and not node.cordoned]
        return nodes[: int(event.arguments.get("count", 1))]

    def _lose(self, event: Event, nodes: list[Node]) -> None:
        control = self._cluster.spec.control
        for node in nodes:
            self._stop(node)
            after(self._cluster.clock, control.node_monitor_grace_s, self._not_ready, node)
            after(self._cluster.clock, control.node_monitor_grace_s + control.not_ready_toleration_s, self._evict, node)
            if event.arguments.get("for") is not None:
                after(self._cluster.clock, float(event.arguments["for"]), self._return, node)

    def _stop(self, node: Node) -> None:
        node.up = False
        self._kubelet.node_lost(node)
        self._cluster.change_node(node, "lost")

    def _not_ready(self, node: Node) -> None:
        if node.up:
            return
        node.ready = False
        self._cluster.change_node(node, "notReady")
        self._cluster.event("Node", node.name, "Warning", "NodeNotReady", f"Node {node.name} status is now: NodeNotReady")
        for pod in list(node.pods.values()):
            self._cluster.set_ready(pod, False, "NodeNotReady")

    def _evict(self, node: Node) -> None:
        """The taint manager asks no budget."""
        if node.up:
            return
        for pod in list(node.pods.values()):
            self._cluster.delete_pod(pod, "TaintManagerEviction")

    def _return(self, node: Node) -> None:
        """The machine is back, unless it was given back meanwhile."""
        if self._cluster.nodes.get(node.name) is not node:
            return
        node.up = node.ready = True
        self._cluster.change_node(node, "ready")
        self._kubelet.node_back(node)

    def drain(self, event: Event) -> None:
        """`kubectl drain --ignore-daemonsets`: cordon, then evict every pod as its budget allows; `for` ends with `kubectl uncordon`."""
        for node in self._of_pool(event):
            self._cordon(node)
            self._evictions.empty(node, Emptying(reason="evicted by drain"))
            if event.arguments.get("for") is not None:
                after(self._cluster.clock, float(event.arguments["for"]), self._uncordon, node)

    def _cordon(self, node: Node) -> None:
        node.cordoned = True
        self._cluster.change_node(node, "cordoned")
        self._cluster.event("Node", node.name, "Normal", "NodeNotSchedulable", f"Node {node.name} status is now: NodeNotSchedulable")

    def _uncordon(self, node: Node) -> None:
        if node.name in self._cluster.nodes and node.cordoned:
            node.cordoned = False
            self._cluster.change_node(node, "uncordoned")
            self._cluster.event("Node", node.name, "Normal", "NodeSchedulable", f"Node {node.name} status is now: NodeSchedulable")

    def reclaim(self, event: Event) -> None:
        """Spot instances are called back: told `notice` before, drained in that time (unless `drained: false`), then gone for good."""
        for node in self._of_pool(event):
            if event.arguments.get("drained", True):
                self._cordon(node)
                self._evictions.empty(node, Emptying(reason="evicted: the instance is called back"))
            after(self._cluster.clock, float(event.arguments.get("notice", NOTICE_S)), self._vanish, node)

    def _vanish(self, node: Node) -> None:
        if node.name not in self._cluster.nodes or not node.up:
            return
        self._stop(node)
        self._not_ready(node)
        after(self._cluster.clock, FORGET_S, self._forget, node)

    def _forget(self, node: Node) -> None:
        if node.name in self._cluster.nodes:
            del self._cluster.nodes[node.name]
            for pod in list(node.pods.values()):
                self._cluster.delete_pod(pod, "its node is gone")
                self._cluster.remove_pod(pod)
            self._cluster.change_node(node, "removed")

    def shortage(self, event: Event) -> None:
        """The provider has no machines of a pool for a while: each one that is asked for is refused at once."""
        pools = [pool.name for pool in self._cluster.spec.pools if event.target in (pool.name, pool.provisioner)]
        self._supply.short.update(pools)
        after(self._cluster.clock, float(event.arguments["for"]), self._supply.short.difference_update, pools)

    # -------------------------------------------------------------- what is around the cluster

    def registry(self, event: Event) -> None:
        """The registry answers nothing (`down`), or each pull takes `factor` times as long (`slow`), for a while."""
        self._kubelet.images.registry_factor = float(event.arguments.get("factor", 10.0)) if event.target == "slow" else None
        after(self._cluster.clock, float(event.arguments["for"]), self._registry_back)

    def _registry_back(self) -> None:
        self._kubelet.images.registry_factor = 1.0

    def metrics(self, event: Event) -> None:
        """The metrics API does not answer for a while; autoscalers keep their sizes."""
        self._cluster.metrics_down = True
        after(self._cluster.clock, float(event.arguments["for"]), self._metrics_back)

    def _metrics_back(self) -> None:
        self._cluster.metrics_down = False
