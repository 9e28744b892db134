"""The node lifecycle and taint eviction controllers: taints that drive pods away, node after node, and the pods that go (8.6)."""

from __future__ import annotations

from simulate.control import node_loss
from simulate.control.daemonset import tolerations
from simulate.control.loops.queue import client
from simulate.control.node_loss import Stay, Zone
from simulate.control.placement_view import Taint
from simulate.control.state import Cluster, Node, Pod


class Tainting:
    """Woken by nodes that change. Unready nodes get the taint at their zone's rate; nobody asks budgets."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._control = cluster.spec.control
        self._client = client(cluster)
        self._waiting: dict[str, Node] = {}
        self._tainted: dict[str, int] = {}
        self._next_s: dict[str, float] = {}
        self._number = 0
        cluster.on_node.append(self._changed)

    def _changed(self, node: Node) -> None:
        there = self._cluster.nodes.get(node.name) is node
        if not there or node.ready:
            self._waiting.pop(node.name, None)
            self._tainted.pop(node.name, None)
        elif node.name not in self._tainted:
            self._waiting.setdefault(node.name, node)
        if self._waiting or self._tainted:
            self._cluster.clock.after(0.0, self._go_on)

    def _go_on(self) -> None:
        """Taint what the rates allow, after all changes of this time. When nothing answers any more all taints are taken back."""
        zones = self._zones()
        now = self._cluster.clock.now
        if all(node_loss.state(zone, self._control.unhealthy_zone_ratio) == "FullDisruption" for zone in zones.values()):
            for name in self._tainted:
                self._waiting[name] = self._cluster.nodes[name]
            self._tainted.clear()
            return
        for node in list(self._waiting.values()):
            zone = node.zone or ""
            rate = node_loss.rate(zones, zone, self._control)
            if rate > 0 and now >= self._next_s.get(zone, 0.0) - 1e-9:
                self._next_s[zone] = now + 1 / rate
                del self._waiting[node.name]
                self._taint(node)
                self._cluster.clock.after(1 / rate, self._go_on)

    def _zones(self) -> dict[str, Zone]:
        found: dict[str, Zone] = {}
        for node in self._cluster.nodes.values():
            ready, unready = found.get(node.zone or "", Zone(0, 0))
            found[node.zone or ""] = Zone(ready + node.ready, unready + (not node.ready))
        return found

    def _taint(self, node: Node) -> None:
        self._number += 1
        self._tainted[node.name] = self._number
        for pod in list(node.pods.values()):
            lasting_s = node_loss.patience(self._stays(pod), (node_loss.UNREACHABLE,))
            if lasting_s is not None:
                self._cluster.clock.after(lasting_s, self._leave, node, pod, self._number)

    def _leave(self, node: Node, pod: Pod, number: int) -> None:
        if self._tainted.get(node.name) == number and not pod.gone and pod.deleting_s is None:
            self._evict(pod)

    def _evict(self, pod: Pod) -> None:
        namespace = self._cluster.workloads[pod.workload].spec.namespace
        said = f"Marking for deletion Pod {namespace}/{pod.name}"
        self._cluster.event("Pod", pod.name, "Normal", "TaintManagerEviction", said)
        self._client.event(pod.name)
        self._client.write(self._cluster.delete_pod, pod, "TaintManagerEviction")

    def _stays(self, pod: Pod) -> list[Stay]:
        """Its tolerations as the API server and, of a DaemonSet, the controller complete them."""
        spec = pod.version.template.data.get("spec") or {}
        given = node_loss.stays(spec.get("tolerations") or ())
        if self._cluster.workloads[pod.workload].spec.kind == "DaemonSet":
            given += [Stay(one, None) for one in tolerations()]
        return node_loss.admitted(given, self._control.not_ready_toleration_s)

    # -------------------------------------------------------------- taints that people put

    def put(self, node: Node, taint: Taint) -> None:
        """`kubectl taint`: new pods stay away; of effect NoExecute those that do not tolerate it go, too."""
        node.taints = (*node.taints, taint)
        self._cluster.change_node(node, "tainted")
        for pod in list(node.pods.values()):
            lasting_s = node_loss.patience(self._stays(pod), (taint,))
            if lasting_s is not None:
                self._cluster.clock.after(lasting_s, self._driven, node, pod, taint)

    def _driven(self, node: Node, pod: Pod, taint: Taint) -> None:
        if taint in node.taints and not pod.gone and pod.deleting_s is None:
            self._evict(pod)

    def take(self, node: Node, taint: Taint) -> None:
        """The taint is taken away again."""
        if taint in node.taints and self._cluster.nodes.get(node.name) is node:
            node.taints = tuple(one for one in node.taints if one != taint)
            self._cluster.change_node(node, "untainted")
