"""Where the scheduler puts a pod: keeps the nodes as `placement` compares them, and asks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from simulate.control import placement
from simulate.control.daemonset import tolerations
from simulate.control.draws import uniform
from simulate.control.labels import Requirement, Selector
from simulate.control.loops.eviction import Evictions
from simulate.control.node_loss import UNREACHABLE
from simulate.control.placement import NodeView, PodView, Taint
from simulate.control.placement_index import PlacementIndex
from simulate.control.placement_view import ZONE
from simulate.control.state import Cluster, LiveWorkload, Node, Pod, release


class Placer:
    """The scheduler's cache: nodes with the pods bound to them, kept up to date by watching."""

    def __init__(self, cluster: Cluster, evictions: Evictions) -> None:
        self._cluster = cluster
        self._evictions = evictions
        self._index = PlacementIndex(change=release(cluster.spec.control.version) >= 36)
        self._pods: dict[str, tuple[str, PodView]] = {}
        self._templates: dict[tuple[str, int], PodView] = {}
        self._picks = 0
        self._chosen: PodView | None = None
        cluster.watch_pods(self._pod_changed, states=("scheduled", "terminating", "deleted", "succeeded", "failed"))
        cluster.on_node.append(self._node_changed)

    def choose(self, pod: Pod) -> tuple[str | None, str]:
        """(node, "") or (None, the message of the PodScheduled condition)."""
        self._picks += 1
        self._chosen = self.view(pod)
        if pod.meant and self._fits(self._chosen):
            return pod.meant, ""
        found = self._index.choose(self._chosen, uniform(self._cluster.spec.seed, "placement", pod.name, self._picks))
        return found.node, found.message

    def place_many(self, pods: Sequence[Pod]) -> list[tuple[str | None, str]]:
        """The same for pods of one template, each bound to its node before the next one is chosen for. Where one does not fit, no later one
        does."""
        views, seed = [self.view(pod) for pod in pods], self._cluster.spec.seed
        draws = [uniform(seed, "placement", pod.name, self._picks + number) for number, pod in enumerate(pods, 1)]
        self._picks += len(pods)
        found = self._index.place_many(views, draws)
        self._pods |= {pod.name: (node, view) for pod, view, node in zip(pods, views, found, strict=True) if node is not None}
        message = self._index.choose(views[found.index(None)]).message if None in found else ""
        return [(node, "" if node is not None else message) for node in found]

    def _fits(self, pod: PodView) -> bool:
        """Whether a pod that is meant for one node can go there, by a look at that node alone; False also where others have to be asked."""
        node = self._index.node(pod.node_name)
        return node is not None and not pod.has_terms and not pod.spread and placement.choose_node(pod, [node]).node is not None

    def preempt(self, pod: Pod) -> tuple[str, list[Pod]] | None:
        """Whom to displace for a pod that fits nowhere (8.4): (node, pods); None where that does not help."""
        view, pods = self.view(pod), self._cluster.pods
        if not view.preempts or not any(one.priority < pod.priority for one in pods.values() if one.node is not None):
            return None
        refusals = placement.choose_node(view, self._index.nodes).refusals
        found = placement.preempt(view, self._index.nodes, refusals, self._evictions.allowed())
        return None if found is None else (found.node, [pods[victim.name] for victim in found.victims])

    def bound(self, pod: Pod) -> None:
        """A pod has its node."""
        view = self._chosen if self._chosen is not None and self._chosen.name == pod.name else self.view(pod)
        self._index.add(str(pod.node), view)
        self._pods[pod.name] = str(pod.node), view

    def by_name(self) -> dict[str, NodeView]:
        """The nodes as they are, by name."""
        return {node.name: node for node in self._index.nodes}

    def views(self) -> list[NodeView]:
        """The nodes as they are."""
        return list(self._index.nodes)

    def daemons(self) -> list[PodView]:
        """A pod of each DaemonSet, as one comes to every new node."""
        sets = [live for live in self._cluster.workloads.values() if live.spec.kind == "DaemonSet"]
        return [self.view(Pod(name=one.key, workload=one.key, owner=one.key, version=one.version, number=0, created_s=0.0)) for one in sets]

    def view(self, pod: Pod) -> PodView:
        """A pod as the scheduler compares it."""
        key = pod.workload, pod.version.number
        known = self._templates.get(key)
        if known is None:
            live = self._cluster.workloads[pod.workload]
            known = self._templates[key] = placement.pod_of_template(
                "",
                pod.version.template,
                namespace=live.spec.namespace,
                default_selector=selector_of(live),
                budgets=self._evictions.names(pod),
            )
            if live.spec.kind == "DaemonSet":
                known = self._templates[key] = replace(known, tolerations=(*known.tolerations, *tolerations()))
        return replace(known, name=pod.name, node_name=pod.meant) if pod.meant else known.named(pod.name, pod.created_s)

    def _pod_changed(self, pod: Pod, state: str) -> None:
        if state == "scheduled":
            self.bound(pod)
        elif state == "terminating" and pod.name in self._pods:
            self._index.end(*self._pods[pod.name])
        elif state in ("deleted", "succeeded", "failed") and pod.name in self._pods:
            self._index.remove(*self._pods.pop(pod.name))

    def _node_changed(self, node: Node) -> None:
        if node.name not in self._cluster.nodes:
            self._index.drop(node.name)
            return
        known = next((one for one in self._index.nodes if one.name == node.name), None) if node.pods else None
        view = known or node_view(node)
        view.unschedulable = node.cordoned
        view.taints = (*_taints(node), *node.taints, *(() if node.ready else (UNREACHABLE,)))
        self._index.put(view)


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
