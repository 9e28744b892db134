"""Where the scheduler puts a pod: keeps the nodes as `placement` compares them, and asks it."""

from __future__ import annotations

from dataclasses import replace

from simulate.control import placement
from simulate.control.draws import uniform
from simulate.control.labels import Requirement, Selector
from simulate.control.placement import NodeView, PodView, Taint
from simulate.control.placement_view import ZONE
from simulate.control.state import Cluster, LiveWorkload, Node, Pod, release

UNREACHABLE = Taint("node.kubernetes.io/unreachable", "", "NoExecute")


class Placer:
    """The scheduler's cache: nodes with the pods bound to them, kept up to date by watching."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._change = release(cluster.spec.control.version) >= 36
        self._views: dict[str, NodeView] = {}
        self._pods: dict[str, tuple[str, PodView]] = {}
        self._start = 0
        self._picks = 0
        cluster.on_pod.append(self._pod_changed)
        cluster.on_node.append(self._node_changed)

    def choose(self, pod: Pod) -> tuple[str | None, str]:
        """(node, "") or (None, the message of the PodScheduled condition)."""
        self._picks += 1
        draw = uniform(self._cluster.spec.seed, "placement", pod.name, self._picks)
        found = placement.choose_node(self.view(pod), list(self._views.values()), draw=draw, start=self._start, change=self._change)
        self._start = found.next_start
        return found.node, found.message

    def bound(self, pod: Pod) -> None:
        """A pod has its node."""
        view = self.view(pod)
        self._views[str(pod.node)].add(view)
        self._pods[pod.name] = str(pod.node), view

    def _pod_changed(self, pod: Pod, state: str) -> None:
        if state == "scheduled":
            self.bound(pod)
        elif state == "terminating" and pod.name in self._pods:
            node, view = self._pods[pod.name]
            self._pods[pod.name] = node, replace(view, terminating=True)
            self._views[node].add(self._pods[pod.name][1])
        elif state == "deleted" and pod.name in self._pods:
            node, view = self._pods.pop(pod.name)
            if node in self._views:
                self._views[node].remove(view)

    def _node_changed(self, node: Node) -> None:
        if node.name not in self._cluster.nodes:
            self._views.pop(node.name, None)
            return
        view = self._views.get(node.name)
        if view is None:
            view = self._views[node.name] = node_view(node)
        view.unschedulable = node.cordoned
        view.taints = (*_taints(node), *(() if node.ready else (UNREACHABLE,)))

    def views(self) -> list[NodeView]:
        """The nodes as they are."""
        return list(self._views.values())

    def view(self, pod: Pod) -> PodView:
        """A pod as the scheduler compares it."""
        live = self._cluster.workloads[pod.workload]
        return placement.pod_of_template(
            pod.name, pod.version.template, namespace=live.spec.namespace, default_selector=selector_of(live), start_s=pod.created_s
        )


def selector_of(live: LiveWorkload) -> Selector:
    """What selects the pods of a workload, for the default spreading."""
    chosen = live.spec.selector or live.spec.template.labels
    return Selector(tuple(Requirement(key, "In", (value,)) for key, value in sorted(chosen.items())))


def node_view(node: Node) -> NodeView:
    """A node of a pool."""
    pool = node.pool
    own = dict(pool.labels) | ({ZONE: node.zone} if node.zone else {})
    room = {"cpu": round(pool.cores * 1000), "memory": int(pool.memory_bytes), "pods": pool.pods}
    return NodeView(node.name, room, labels=own, taints=_taints(node))


def _taints(node: Node) -> tuple[Taint, ...]:
    return tuple(Taint(str(t.get("key", "")), str(t.get("value") or ""), str(t.get("effect", "NoSchedule"))) for t in node.pool.taints)
