"""Which nodes the Cluster Autoscaler takes away (kubernetes-semantics.md 9.1): unneeded ones, pods that hold them, how many. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from simulate.control.nodes import copy
from simulate.control.packing import Packing
from simulate.control.placement import NodeView, PodView
from simulate.spec import NodeScaling

EVICTION_RETRY_S = 10.0
"""While a node is emptied a refused eviction is tried again after so long, until `max-pod-eviction-time` is over."""

HEADROOM_S = 30.0
"""A pod that is still there so long after its grace period fails the removal."""

SAFE, LOCAL_VOLUMES = "cluster-autoscaler.kubernetes.io/safe-to-evict", "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
SYSTEM = "kube-system"


class Blocking(NamedTuple):
    """A reason for which a pod holds its node, as the autoscaler tells it."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """A pod on a node that may be removed. `allowed`: disruptions left of each budget that matches; `replicated`: a controller owns it."""

    view: PodView
    template: Mapping[str, Any] = field(default_factory=dict)
    daemon: bool = False
    replicated: bool = True
    ended: bool = False
    allowed: tuple[int, ...] = ()

    @property
    def annotations(self) -> Mapping[str, Any]:
        """Of its template."""
        return (self.template.get("metadata") or {}).get("annotations") or {}


def local_volumes(template: Mapping[str, Any]) -> list[str]:
    """Volumes that live and die with the pod on its node: hostPath, and emptyDir but in memory.

    >>> local_volumes({"spec": {"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "emptyDir": {"medium": "Memory"}}]}})
    ['a']
    """
    found = []
    for one in (template.get("spec") or {}).get("volumes") or ():
        directory = one.get("emptyDir")
        scratch = isinstance(directory, Mapping) and directory.get("medium") != "Memory"
        if one.get("hostPath") is not None or scratch or ("emptyDir" in one and directory is None):
            found.append(str(one.get("name")))
    return found


def blocking(guest: Guest, flags: NodeScaling) -> Blocking | None:
    """Why a pod holds its node, None if it does not: the rules in the autoscaler's order, the first that decides counts.

    A pod that is going, that has ended or that a DaemonSet keeps is no obstacle; `safe-to-evict: "true"` overrules all but budgets.
    """
    if guest.view.terminating or guest.daemon:
        return None
    if str(guest.annotations.get(SAFE)) != "true" and not guest.ended:
        found = _held(guest, flags)
        if found is not None:
            return found
    if not guest.ended and any(left < 1 for left in guest.allowed):
        return Blocking("NotEnoughPdb", "not enough pod disruption budget to move the pod")
    return None


def _held(guest: Guest, flags: NodeScaling) -> Blocking | None:
    if flags.skip_custom_pods and not guest.replicated:
        return Blocking("NotReplicated", "the pod is not replicated")
    if flags.skip_system_pods and guest.view.namespace == SYSTEM and not guest.allowed:
        return Blocking("UnmovableKubeSystemPod", "non-daemonset, non-mirrored kube-system pod without a budget")
    if str(guest.annotations.get(SAFE)) == "false":
        return Blocking("NotSafeToEvictAnnotation", "pod annotation safe-to-evict is false")
    if flags.skip_local_storage:
        known = {name.strip() for name in str(guest.annotations.get(LOCAL_VOLUMES) or "").split(",")}
        if any(name not in known for name in local_volumes(guest.template)):
            return Blocking("LocalStorageRequested", "pod with local storage is present")
    return None


# ------------------------------------------------------------------ unneeded nodes


def utilization(node: NodeView, guests: Sequence[Guest], flags: NodeScaling) -> float:
    """The larger share of cpu and memory that is requested. Pods that are going do not count, DaemonSets' unless the flag leaves them out.

    A node whose daemons are left out has only the rest of its room to be used.
    """
    shares = []
    for key in ("cpu", "memory"):
        asked = [(one.view.requests.get(key, 0), one.daemon) for one in guests if not one.view.terminating]
        daemons = sum(amount for amount, daemon in asked if daemon) if flags.ignore_daemons else 0
        room = node.allocatable.get(key, 0) - daemons
        if room > 0:
            shares.append((sum(amount for amount, _ in asked) - daemons) / room)
    return max(shares, default=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The candidates of one scan: `unneeded` could go, all together; `why` each other cannot (`moving`: not looked at again soon)."""

    unneeded: tuple[str, ...]
    why: Mapping[str, Blocking] = field(default_factory=dict)
    moving: frozenset[str] = frozenset()


def judge(
    cluster: Sequence[NodeView],
    guests: Mapping[str, Sequence[Guest]],
    candidates: Collection[str],
    flags: NodeScaling,
    before: Collection[str] = (),
) -> Judged:
    """Which of the candidates are unneeded: little of them is requested and each of their pods fits elsewhere, beside those of the others.

    Empty nodes are judged first, then those that were unneeded `before`, by name. Pods never move to a node judged unneeded already.
    """
    named = {node.name: node for node in cluster}
    busy = {name for name in candidates if utilization(named[name], guests[name], flags) >= flags.utilization_ratio}
    why = {name: Blocking("NotUnderutilized", "too much of the node is requested") for name in sorted(busy)}
    rest = set(candidates) - busy
    homes = {node.name: copy(node) for node in cluster if not node.unschedulable} if rest else {}
    unneeded: list[str] = []
    moving: set[str] = set()
    moved: dict[str, list[PodView]] = {}
    for name in sorted(rest, key=lambda one: (bool(_movers(guests[one])), one not in before, one)):
        found = next((told for guest in guests[name] if (told := blocking(guest, flags))), None)
        own = homes.pop(name, None)
        if found is None and _move([*_movers(guests[name]), *moved.get(name, ())], homes, moved):
            unneeded.append(name)
            continue
        why[name] = found or Blocking("NoPlaceToMovePods", "no place to move its pods")
        moving.add(name)
        if own is not None:
            homes[name] = own
    return Judged(unneeded=tuple(unneeded), why=why, moving=frozenset(moving))


def _movers(guests: Sequence[Guest]) -> list[PodView]:
    return [one.view for one in guests if not one.daemon and not one.view.terminating and not one.ended]


def _move(pods: Sequence[PodView], homes: Mapping[str, NodeView], moved: dict[str, list[PodView]]) -> bool:
    """Put pods on other nodes; whether all found room: if not, none stays. `moved`: who came to each node, and moves on with it."""
    packing = Packing(list(homes.values()))
    placed: list[tuple[NodeView, PodView]] = []
    for pod in pods:
        node = packing.place(pod)
        if node is None:
            for home, other in placed:
                home.remove(other)
            return False
        placed.append((node, pod))
    for home, other in placed:
        moved.setdefault(home.name, []).append(other)
    return True


# ------------------------------------------------------------------ when, and how many


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An unneeded node: since when, its pool, whether it is ready, and whether anything on it must be evicted."""

    name: str
    pool: str
    since_s: float
    ready: bool = True
    drained: bool = True


def scale_down(
    waiting: Sequence[Waiting], spare: Mapping[str, int], now_s: float, flags: NodeScaling, going: int = 0, draining: int = 0
) -> list[str]:
    """Nodes to take away now: unneeded for 10 min (unready ones 20 min), within what each pool can spare; the longest wait first.

    At most 10 at a time (`going` are under way), of these 1 whose pods must be evicted (`draining`). Empty nodes go first.

    >>> empty = Waiting(name="n", pool="p", since_s=0.0, drained=False)
    >>> [scale_down([empty], {"p": 1}, now, NodeScaling()) for now in (599.0, 600.0)]
    [[], ['n']]
    """
    left = dict(spare)
    chosen: list[str] = []
    for one in sorted(waiting, key=lambda each: (each.drained, each.since_s, each.name)):
        due = now_s - one.since_s >= (flags.unneeded_s if one.ready else flags.unready_s)
        if not due or left.get(one.pool, 0) < 1 or going + len(chosen) >= flags.parallel:
            continue
        if one.drained and draining >= flags.parallel_drains:
            continue
        draining += one.drained
        left[one.pool] -= 1
        chosen.append(one.name)
    return chosen


def cooling(flags: NodeScaling, now_s: float, added_s: float, deleted_s: float, failed_s: float) -> bool:
    """Whether nothing may be taken away yet: 10 min after an addition, 0 s after a removal, 3 min after one that failed.

    >>> never = float("-inf")
    >>> cooling(NodeScaling(), 599.0, 0.0, never, never), cooling(NodeScaling(), 179.0, never, never, 0.0)
    (True, True)
    """
    return any(
        now_s - since_s < wait_s
        for since_s, wait_s in ((added_s, flags.after_add_s), (deleted_s, flags.after_delete_s), (failed_s, flags.after_failure_s))
    )
