"""What the DaemonSet controller decides in one sync (kubernetes-semantics.md 5.2). Pure; pods are given by node."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from simulate.control.placement_view import NodeView, PodView, Toleration
from simulate.control.rollout import scaled

BURST = 250
"""At most so many creates and so many deletes in one sync."""

FAILED_INITIAL_S = 1.0
FAILED_MAXIMUM_S = 900.0
"""A failed pod is deleted again after these waits per node, doubling."""


TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
"""What the controller makes every pod of a DaemonSet tolerate (API reference of DaemonSet)."""


def tolerations() -> tuple[Toleration, ...]:
    """As tolerations of a pod."""
    return tuple(Toleration(key=key, operator="Exists", effect=effect) for key, effect in TOLERATED)


class Place(NamedTuple):
    """`runs`: the node gets a pod; `stays`: a pod that is there may stay."""

    runs: bool
    stays: bool


def place(pod: PodView, node: NodeView) -> Place:
    """Whether a node is eligible (5.2): its name, labels and taints decide, not its room. `pod` has the tolerations of `tolerations()`.

    A taint of effect NoSchedule keeps new pods away only; NoExecute takes the running ones, too.
    """
    if (pod.node_name and pod.node_name != node.name) or not pod.wants(node):
        return Place(False, False)
    against = {taint.effect for taint in node.taints if not pod.tolerates(taint)}
    return Place(not against & {"NoSchedule", "NoExecute"}, "NoExecute" not in against)


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonPod:
    """A pod of the set on a node; `new`: of the present template; `available`: ready for minReadySeconds."""

    name: str
    new: bool
    available: bool = True
    ready: bool = True
    failed: bool = False
    terminating: bool = False
    created_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonDecision:
    """Nodes that get a pod and names of pods to delete."""

    creates: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()


def fenceposts(max_surge: int | str | None, max_unavailable: int | str | None, nodes: int) -> tuple[int, int]:
    """(surge, unavailable) of the eligible nodes: both round up; both 0 gives 1 unavailable; without nodes both are 0.

    >>> fenceposts("50%", 0, 3), fenceposts(0, 0, 2)
    ((2, 0), (0, 1))
    """
    if nodes == 0:
        return 0, 0
    surge, unavailable = scaled(max_surge, nodes, up=True), scaled(max_unavailable, nodes, up=True)
    return surge, 1 if surge == 0 and unavailable == 0 else unavailable


def sync(
    eligible: Sequence[str],
    pods: Mapping[str, Sequence[DaemonPod]],
    max_surge: int | str | None = 0,
    max_unavailable: int | str | None = 1,
    *,
    rolling: bool = True,
    staying: Collection[str] = (),
) -> DaemonDecision:
    """One sync: first every eligible node gets its pod and others lose theirs; the update goes on only when that changed nothing.

    `pods`: node -> its pods of this set. `rolling` False = OnDelete. `staying`: nodes that are not eligible and whose pods may stay.
    """
    surge, unavailable = fenceposts(max_surge, max_unavailable, len(eligible))
    decision = manage(eligible, pods, surging=surge > 0, staying=staying)
    if rolling and not decision.creates and not decision.deletes:
        decision = surged(eligible, pods, surge) if surge else replaced(eligible, pods, unavailable)
    return DaemonDecision(creates=decision.creates[:BURST], deletes=decision.deletes[:BURST])


def manage(
    eligible: Sequence[str], pods: Mapping[str, Sequence[DaemonPod]], *, surging: bool, staying: Collection[str] = ()
) -> DaemonDecision:
    """One pod per eligible node: create where there is none at all, delete failed and superfluous ones."""
    creates = [node for node in eligible if not pods.get(node)]
    deletes: list[str] = []
    allowed = frozenset((*eligible, *staying))
    for node in sorted(pods):
        living = [pod for pod in pods[node] if not pod.terminating]
        if node not in allowed:
            deletes += [pod.name for pod in living]
            continue
        deletes += [pod.name for pod in living if pod.failed]
        running = sorted((pod for pod in living if not pod.failed), key=lambda pod: (pod.created_s, pod.name))
        keep = _kept_with_surge(running) if surging else running[:1]
        deletes += [pod.name for pod in running if pod not in keep]
    return DaemonDecision(creates=tuple(creates), deletes=tuple(deletes))


def _kept_with_surge(running: Sequence[DaemonPod]) -> Sequence[DaemonPod]:
    """Two pods may stay only while the old one is ready and the new one is not; otherwise the oldest new one is enough.

    Deleting the old pod of such a pair is left to the update, which looks at availability.
    """
    if len(running) <= 1:
        return running
    old = [pod for pod in running if not pod.new][:1]
    new = [pod for pod in running if pod.new][:1]
    return [*old, *new]


def _split(pods: Sequence[DaemonPod]) -> tuple[DaemonPod | None, DaemonPod | None]:
    """(new, old) pod of a node; terminating ones are not looked at."""
    living = [pod for pod in pods if not pod.terminating]
    return next((pod for pod in living if pod.new), None), next((pod for pod in living if not pod.new), None)


def replaced(eligible: Sequence[str], pods: Mapping[str, Sequence[DaemonPod]], unavailable: int) -> DaemonDecision:
    """The update without surge: unavailable old pods all at once, available ones within the budget."""
    missing = 0
    at_once: list[str] = []
    candidates: list[str] = []
    for node in eligible:
        new, old = _split(pods.get(node, ()))
        if (new is None) == (old is None):
            missing += 1
        elif new is not None:
            missing += not new.available
        elif old is not None:
            (candidates if old.available else at_once).append(old.name)
    return DaemonDecision(deletes=(*at_once, *candidates[: max(0, unavailable - missing)]))


def surged(eligible: Sequence[str], pods: Mapping[str, Sequence[DaemonPod]], surge: int) -> DaemonDecision:
    """The update with surge: a new pod beside the old one, which goes when the new one is available or it is unavailable itself."""
    pending = 0
    at_once: list[str] = []
    candidates: list[str] = []
    deletes: list[str] = []
    for node in eligible:
        new, old = _split(pods.get(node, ()))
        if old is None:
            continue
        if new is None:
            (candidates if old.available else at_once).append(node)
        elif not old.available or new.available:
            deletes.append(old.name)
        else:
            pending += 1
    return DaemonDecision(creates=(*at_once, *candidates[: max(0, surge - pending)]), deletes=tuple(deletes))
