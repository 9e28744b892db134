"""How nodes that do not answer lose their pods (kubernetes-semantics.md 8.6): tolerations, zones in trouble, nodes a second. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from simulate.control.placement_view import Taint, Toleration
from simulate.spec import ControlPlane

UNREACHABLE = Taint("node.kubernetes.io/unreachable", "", "NoExecute")
NOT_READY = Taint("node.kubernetes.io/not-ready", "", "NoExecute")

State = Literal["Normal", "PartialDisruption", "FullDisruption"]


class Zone(NamedTuple):
    """How many nodes of a zone are ready, and how many are not."""

    ready: int
    unready: int


def state(zone: Zone, threshold_ratio: float) -> State:
    """How a zone is: fully disrupted without any ready node, partially with more than 2 unready ones that are 55 % or more.

    >>> [state(Zone(*counts), 0.55) for counts in ((0, 1), (2, 3), (1, 2), (3, 3), (3, 0))]
    ['FullDisruption', 'PartialDisruption', 'Normal', 'Normal', 'Normal']
    """
    if zone.unready and not zone.ready:
        return "FullDisruption"
    partial = zone.unready > 2 and zone.unready >= threshold_ratio * (zone.ready + zone.unready)
    return "PartialDisruption" if partial else "Normal"


def rate(zones: Mapping[str, Zone], name: str, control: ControlPlane) -> float:
    """How many nodes of a zone may get the taint that drives pods away, in nodes a second.

    0 when every zone is fully disrupted (then the fault is likely the control plane's own), and in a partially disrupted zone
    of up to 50 nodes.

    >>> flags = ControlPlane()
    >>> rate({"a": Zone(0, 3), "b": Zone(3, 0)}, "a", flags), rate({"a": Zone(0, 3)}, "a", flags), rate({"a": Zone(1, 3)}, "a", flags)
    (0.1, 0.0, 0.0)
    >>> rate({"a": Zone(20, 40)}, "a", flags)
    0.01
    """
    states = {zone: state(counts, control.unhealthy_zone_ratio) for zone, counts in zones.items()}
    if all(one == "FullDisruption" for one in states.values()):
        return 0.0
    if states[name] != "PartialDisruption":
        return control.node_eviction_rate
    large = sum(zones[name]) > control.large_cluster_size
    return control.secondary_eviction_rate if large else 0.0


# ------------------------------------------------------------------ tolerations


class Stay(NamedTuple):
    """A toleration and for how long it holds (None = for ever)."""

    toleration: Toleration
    lasting_s: float | None


def stays(given: Iterable[Mapping[str, Any]]) -> list[Stay]:
    """The tolerations of a manifest."""
    found = []
    for one in given:
        seconds = one.get("tolerationSeconds")
        toleration = Toleration(
            key=str(one.get("key") or ""),
            operator=str(one.get("operator") or "Equal"),
            value=str(one.get("value") or ""),
            effect=str(one.get("effect") or ""),
        )
        found.append(Stay(toleration, None if seconds is None else max(0.0, float(seconds))))
    return found


def admitted(given: Sequence[Stay], default_s: float) -> list[Stay]:
    """With what the API server adds: a pod tolerates nodes that are not ready or not reachable for 300 s, unless it says otherwise."""
    found = list(given)
    for taint in (NOT_READY, UNREACHABLE):
        said = any(one.toleration.key in ("", taint.key) and one.toleration.effect in ("", taint.effect) for one in given)
        if not said:
            found.append(Stay(Toleration(key=taint.key, operator="Exists", effect=taint.effect), default_s))
    return found


def patience(given: Iterable[Stay], taints: Iterable[Taint]) -> float | None:
    """How long a pod stays on a node with these taints: None = for ever, 0 = it goes at once. Only effect NoExecute drives pods away.

    Every such taint must be tolerated; of the tolerations that do the shortest counts.

    >>> default = admitted([], 300.0)
    >>> patience(default, [UNREACHABLE]), patience(default, [Taint("gpu", "", "NoExecute")]), patience(default, [Taint("gpu")])
    (300.0, 0.0, None)
    """
    shortest: float | None = None
    for taint in taints:
        if taint.effect != "NoExecute":
            continue
        matching = [one.lasting_s for one in given if one.toleration.tolerates(taint)]
        if not matching:
            return 0.0
        bounded = [seconds for seconds in matching if seconds is not None]
        if bounded:
            shortest = min(bounded) if shortest is None else min(shortest, *bounded)
    return shortest
