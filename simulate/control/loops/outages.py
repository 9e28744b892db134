"""What befalls the machines and the services around them: lost, drained and called-back nodes, a registry or metrics API that fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from simulate.control.loops.eviction import Emptying, Evictions
from simulate.control.loops.kubelet import KubeletLoop
from simulate.control.loops.queue import client
from simulate.control.loops.supply import Supply
from simulate.control.loops.tainting import Tainting
from simulate.control.placement_view import Taint
from simulate.control.state import Cluster, Node, Pod
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
        self._client = client(cluster)
        self._causes: Counter[Node] = Counter()
        self._losses: Counter[Node] = Counter()
        self._short: Counter[str] = Counter()
        self._tainting = Tainting(cluster)
        self._registry: list[float | None] = []
        self._silences = 0
        self.verbs: Mapping[str, Callable[[Event], None]] = {
            "nodeLoss": lambda event: self._lose(event, self._of_pool(event)),
            "zoneLoss": lambda event: self._lose(event, [n for n in cluster.nodes.values() if n.zone == event.target]),
            "drain": self.drain,
            "reclaim": self.reclaim,
            "shortage": self.shortage,
            "taint": self.taint,
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
        """A node that is lost for several causes is back when the last of them is over."""
        control = self._cluster.spec.control
        for node in nodes:
            self._causes[node] += 1
            if node.up:
                self._losses[node] += 1
                self._stop(node)
                number = self._losses[node]
                self._cluster.clock.after(control.node_monitor_grace_s, self._not_ready, node, number)
            if event.arguments.get("for") is not None:
                self._cluster.clock.after(float(event.arguments["for"]), self._return, node)

    def _stop(self, node: Node) -> None:
        node.up = False
        self._kubelet.node_lost(node)
        self._cluster.change_node(node, "lost")

    def _not_ready(self, node: Node, number: int) -> None:
        if node.up or number != self._losses[node]:
            return
        node.ready = False
        self._cluster.change_node(node, "notReady")
        self._cluster.event("Node", node.name, "Warning", "NodeNotReady", f"Node {node.name} status is now: NodeNotReady")
        for pod in list(node.pods.values()):
            self._client.write(self._mark, node, pod)

    def _mark(self, node: Node, pod: Pod) -> None:
        """The node lifecycle controller writes one pod after the other."""
        if not node.ready and pod.node == node.name:
            self._cluster.set_ready(pod, False, "NodeNotReady")

    def _return(self, node: Node) -> None:
        """One cause is over. The machine is back with the last one, unless it was given back meanwhile."""
        self._causes[node] -= 1
        if self._cluster.nodes.get(node.name) is not node or self._causes[node]:
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
                self._cluster.clock.after(float(event.arguments["for"]), self._uncordon, node)

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
            self._cluster.clock.after(float(event.arguments.get("notice", NOTICE_S)), self._vanish, node)

    def _vanish(self, node: Node) -> None:
        if self._cluster.nodes.get(node.name) is not node:
            return
        self._causes[node] += 1
        if node.up:
            self._losses[node] += 1
            self._stop(node)
        if node.ready:
            self._not_ready(node, self._losses[node])
        self._cluster.clock.after(FORGET_S, self._forget, node)

    def _forget(self, node: Node) -> None:
        if node.name in self._cluster.nodes:
            del self._cluster.nodes[node.name]
            for pod in list(node.pods.values()):
                self._cluster.delete_pod(pod, "its node is gone")
                self._cluster.remove_pod(pod)
            self._cluster.change_node(node, "removed")

    def taint(self, event: Event) -> None:
        """`kubectl taint node`: on so many nodes of a pool; `for` ends with taking it away."""
        said = event.arguments
        taint = Taint(str(said["key"]), str(said.get("value", "")), str(said["effect"]))
        for node in self._of_pool(event):
            self._tainting.put(node, taint)
            if said.get("for") is not None:
                self._cluster.clock.after(float(said["for"]), self._tainting.take, node, taint)

    def shortage(self, event: Event) -> None:
        """The provider has no machines of a pool for a while: each one that is asked for is refused at once."""
        pools = [pool.name for pool in self._cluster.spec.pools if event.target in (pool.name, pool.provisioner)]
        self._short.update(pools)
        self._supply.short.update(pools)
        self._cluster.clock.after(float(event.arguments["for"]), self._delivered, pools)

    def _delivered(self, pools: list[str]) -> None:
        self._short.subtract(pools)
        self._supply.short.difference_update(name for name in pools if self._short[name] == 0)

    # -------------------------------------------------------------- what is around the cluster

    def registry(self, event: Event) -> None:
        """The registry answers nothing (`down`), or each pull takes `factor` times as long (`slow`), for a while.

        Of several at one time the worst counts, until it is over itself.
        """
        trouble = float(event.arguments.get("factor", 10.0)) if event.target == "slow" else None
        self._registry.append(trouble)
        self._ask_registry()
        self._cluster.clock.after(float(event.arguments["for"]), self._registry_back, trouble)

    def _registry_back(self, trouble: float | None) -> None:
        self._registry.remove(trouble)
        self._ask_registry()

    def _ask_registry(self) -> None:
        slow = [factor for factor in self._registry if factor is not None]
        self._kubelet.images.registry_factor = max(slow, default=1.0) if len(slow) == len(self._registry) else None

    def metrics(self, event: Event) -> None:
        """The metrics API does not answer for a while; autoscalers keep their sizes."""
        self._silences += 1
        self._cluster.metrics_down = True
        self._cluster.clock.after(float(event.arguments["for"]), self._metrics_back)

    def _metrics_back(self) -> None:
        self._silences -= 1
        self._cluster.metrics_down = self._silences > 0
