"""Where the scheduler puts a pod: asks `placement` with the nodes as they are."""

from __future__ import annotations

from simulate.control.events import unschedulable
from simulate.control.loops.scheduler import schedulable
from simulate.control.state import Cluster, Node, Pod
from simulate.spec import PodTemplate


def requests(template: PodTemplate) -> tuple[float, float]:
    """(cores, bytes) that a pod requests: the sum of its containers, or the largest init container if that is more (8.2)."""
    cores = sum(one.request_cores or 0.0 for one in template.containers)
    size = sum(one.request_bytes or 0.0 for one in template.containers)
    first = [(one.request_cores or 0.0, one.request_bytes or 0.0) for one in template.init_containers]
    return max([cores, *(c for c, _ in first)]), max([size, *(b for _, b in first)])


def _used(node: Node) -> tuple[float, float]:
    used = [requests(pod.version.template) for pod in node.pods.values()]
    return sum(c for c, _ in used), sum(b for _, b in used)


def choose(cluster: Cluster, pod: Pod) -> tuple[str | None, str]:
    """The node with the most room left, ties by name; or the message that counts why each node does not fit."""
    cores, size = requests(pod.version.template)
    reasons: list[str] = []
    best: tuple[float, str] | None = None
    for node in cluster.nodes.values():
        used_cores, used_bytes = _used(node)
        lacks = []
        if not schedulable(node):
            lacks.append("node(s) were unschedulable")
        elif len(node.pods) >= node.pool.pods:
            lacks.append("Too many pods")
        else:
            lacks += ["Insufficient cpu"] if used_cores + cores > node.pool.cores + 1e-9 else []
            lacks += ["Insufficient memory"] if used_bytes + size > node.pool.memory_bytes else []
        reasons += lacks
        score = (used_cores / node.pool.cores + used_bytes / node.pool.memory_bytes + len(node.pods) * 1e-6, node.name)
        if not lacks and (best is None or score < best):
            best = score
    return (best[1], "") if best else (None, unschedulable(len(cluster.nodes), reasons))
