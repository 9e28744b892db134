"""First fit on many nodes by the scheduler's filters, not looking twice where an equal pod found no room. Pure but for its nodes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from simulate.control.placement import NodeView, PodView
from simulate.control.placement_filter import Filter, Refusal

Check = Callable[[NodeView], Refusal | None]


def independent(pod: PodView) -> bool:
    """Whether only the node itself decides if it takes the pod, as long as no other pod keeps it away."""
    return not (pod.has_terms or any(one.required for one in pod.spread))


def kind(pod: PodView) -> Hashable:
    """Pods with equal kinds are taken by the same nodes."""
    place = pod.node_name, tuple(sorted(pod.node_selector.items())), pod.node_terms
    return tuple(sorted(pod.requests.items())), pod.ports, pod.tolerations, place


class Packing:
    """Nodes that fill up: they are changed. `around` are others that matter for spreading and affinity only.

    >>> packing = Packing([NodeView(name, {"cpu": 1000}) for name in "ab"])
    >>> [node.name if (node := packing.place(PodView(name=f"p{i}", requests={"cpu": 600}))) else "-" for i in range(3)]
    ['a', 'b', '-']
    """

    def __init__(self, nodes: Sequence[NodeView], around: Sequence[NodeView] = ()) -> None:
        self.nodes = list(nodes)
        self._around = around
        self._termed = any(node.termed for node in (*nodes, *around))
        self._from: dict[Hashable, int] = {}

    def check(self, pod: PodView, *fresh: NodeView) -> Check:
        """The filters for a pod over these nodes (and `fresh` ones); cheap where the others cannot matter."""
        if self._alone(pod) and not any(node.termed for node in fresh):
            return Filter(pod, ()).refusal
        return Filter(pod, [*self._around, *self.nodes, *fresh]).refusal

    def _alone(self, pod: PodView) -> bool:
        return not self._termed and independent(pod)

    def place(self, pod: PodView, *fresh: NodeView) -> NodeView | None:
        """The first of its nodes that takes the pod, with the pod on it; None where none does."""
        check = self.check(pod, *fresh)
        own = kind(pod) if self._alone(pod) else None
        start = 0 if own is None else self._from.get(own, 0)
        for i in range(start, len(self.nodes)):
            if check(self.nodes[i]) is None:
                if own is not None:
                    self._from[own] = i
                self.add(self.nodes[i], pod)
                return self.nodes[i]
        if own is not None:
            self._from[own] = len(self.nodes)
        return None

    def add(self, node: NodeView, pod: PodView) -> None:
        """Put a pod on one of the nodes, or on one that is handed in as `fresh`."""
        node.add(pod)
        if pod.has_terms:
            self._termed = True

    def open(self, node: NodeView) -> None:
        """One more node, the last to be asked."""
        self.nodes.append(node)
        self._termed = self._termed or bool(node.termed)
