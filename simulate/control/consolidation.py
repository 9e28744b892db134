"""Which nodes a Karpenter-like provisioner gives back: empty ones, and those whose pods fit on fewer or cheaper nodes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from simulate.control.placement import NodeView, PodView
from simulate.control.provisioner import Launch, Offer, plan

POLL_S = 10.0
"""How often nodes are looked at."""

VALIDATION_S = 15.0
"""A decision must still hold after so long before it is carried out."""

NOMINATED_S = 20.0
"""A node for which pods are meant is left alone for so long."""

MOST = 100
"""At most so many nodes are given back in one decision."""

EVICTION_FIRST_S, EVICTION_MOST_S = 0.1, 10.0
"""A refused eviction is tried again after the first wait, doubling to the longest."""

HOLD = "karpenter.sh/do-not-disrupt"

Reason = Literal["Empty", "Underutilized"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A node that may be given back. `pods` are those that would move (no daemons, none that are going).

    `quiet_s`: how long no pod has come or gone; `held`: a pod refuses to be disturbed or its budget allows nothing.
    """

    node: NodeView
    provisioner: str
    size: str
    price: float
    pods: tuple[PodView, ...]
    quiet_s: float
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Nodes to give back, and the one to buy before (None = their pods fit on what is left)."""

    reason: Reason
    nodes: tuple[str, ...]
    replacement: Launch | None = None


def held(template: Mapping[str, Any]) -> bool:
    """Whether a pod says that its node must not be disturbed.

    >>> held({"metadata": {"annotations": {"karpenter.sh/do-not-disrupt": "true"}}}), held({})
    (True, False)
    """
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(HOLD)).lower() == "true"


def cost(candidate: Candidate) -> float:
    """How much it would disturb: one a pod, more for higher priority (within -10 and 10). The cheapest goes first."""
    return sum(max(-10.0, min(10.0, 1.0 + pod.priority / 2**25)) for pod in candidate.pods)


def quiet(candidates: Sequence[Candidate], after_s: Mapping[str, float | None]) -> list[Candidate]:
    """Those whose pods have been the same for their provisioner's `consolidation.after`; None = never."""
    return [one for one in candidates if (wait_s := after_s[one.provisioner]) is not None and one.quiet_s >= wait_s]


def empty(candidates: Sequence[Candidate], budgets: Mapping[str, int]) -> Command | None:
    """All empty nodes at once, within what each provisioner's budget for `Empty` leaves; the dearest first."""
    found = [one for one in candidates if not one.pods]
    chosen = _within(sorted(found, key=lambda one: (-one.price, one.node.name)), budgets)
    return Command(reason="Empty", nodes=tuple(one.node.name for one in chosen)) if chosen else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What else there is: all nodes, those to come too (`coming` names them: nothing is moved to them), and pods that wait for a place."""

    cluster: Sequence[NodeView]
    offers: Sequence[Offer]
    coming: frozenset[str] = frozenset()
    pending: tuple[PodView, ...] = ()


def consolidate(candidates: Sequence[Candidate], around: Around, budgets: Mapping[str, int]) -> Command | None:
    """The most nodes, cheapest to disturb first, whose pods fit on the rest and at most one new node that costs less than they do;
    else the first single node for which that holds.
    """
    known = sorted((one for one in candidates if one.pods and not one.held), key=lambda one: (cost(one), one.node.name))
    allowed = _within(known, budgets)[:MOST]
    low, high, best = 2, len(allowed), None
    while low <= high:
        middle = (low + high) // 2
        found = replaced(allowed[:middle], around)
        if found is None:
            high = middle - 1
        else:
            best, low = found, middle + 1
    return best or next((found for one in allowed if (found := replaced([one], around))), None)


def replaced(gone: Sequence[Candidate], around: Around) -> Command | None:
    """How the pods of some nodes would live without them: on the others, or with one new node that is cheaper; None if neither.

    Several nodes are not replaced by one of a size that is among them: giving back the others does the same.
    """
    names = tuple(one.node.name for one in gone)
    moving = [pod for one in gone for pod in one.pods]
    moved = {pod.name for pod in moving}
    found = plan([*around.pending, *moving], [node for node in around.cluster if node.name not in names], around.offers)
    early = any(moved.intersection(pods) for node, pods in found.placed.items() if node in around.coming)
    if early or len(found.launches) > 1 or not moved.isdisjoint(found.left):
        return None
    new = found.launches[0] if found.launches else None
    if new is not None and (new.price >= sum(one.price for one in gone) or (len(gone) > 1 and new.size in [one.size for one in gone])):
        return None
    return Command(reason="Underutilized", nodes=names, replacement=new)


def _within(candidates: Sequence[Candidate], budgets: Mapping[str, int]) -> list[Candidate]:
    left = dict(budgets)
    chosen = []
    for one in candidates:
        if left.get(one.provisioner, 0) > 0:
            left[one.provisioner] -= 1
            chosen.append(one)
    return chosen


def retry(tries: int) -> float:
    """The wait before an eviction is tried again.

    >>> [retry(n) for n in (0, 1, 6, 7, 1000)]
    [0.1, 0.2, 6.4, 10.0, 10.0]
    """
    return min(EVICTION_MOST_S, EVICTION_FIRST_S * 2.0 ** min(tries, 20))
