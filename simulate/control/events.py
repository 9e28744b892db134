"""Texts of the events and messages that the control plane writes, in the words of the real components."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

AFTER_UNSCHEDULABLE = (
    "no new claims to deallocate, preemption: 0/{nodes} nodes are available: {nodes} No preemption victims found for incoming pod."
)


def unschedulable(nodes: int, reasons: Iterable[str]) -> str:
    """The message of PodScheduled=False: reasons counted over the nodes and sorted as text (8.2). A node can count in several.

    >>> unschedulable(3, ["Insufficient cpu", "Insufficient cpu", "node(s) were unschedulable"])[:86]
    '0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu. no new clai'
    """
    counted = Counter(reasons)
    text = ", ".join(sorted(f"{number} {reason}" for reason, number in counted.items()))
    return f"0/{nodes} nodes are available: {text}. " + AFTER_UNSCHEDULABLE.format(nodes=nodes)


def combined(messages: list[str], message: str, limit: int = 10) -> str:
    """What the event client stores (3.4): from the tenth different message on they are grouped. `messages` are the earlier ones."""
    different = {*messages, message}
    return message if len(different) < limit else f"(combined from similar events): {message}"
