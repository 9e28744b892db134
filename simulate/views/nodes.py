"""Nodes as `kubectl get nodes` shows them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from simulate.trace import NodeRecord, Trace
from simulate.views.text import age, listed, table

NODE_HEADER = ("NAME", "STATUS", "ROLES", "AGE", "VERSION")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """What the records up to a time say of a node that the API server has."""

    name: str
    pool: str
    born_s: float
    ready: bool = True
    cordoned: bool = False

    @property
    def status(self) -> str:
        """The column STATUS. A node whose machine has just died is Ready until its silence is noticed."""
        return ("Ready" if self.ready else "NotReady") + (",SchedulingDisabled" if self.cordoned else "")

    def row(self, at_s: float, version: str) -> list[str]:
        """A line of `kubectl get nodes`."""
        return [self.name, self.status, "<none>", age(at_s - self.born_s), version]


def _change(nodes: dict[str, NodeState], record: NodeRecord) -> None:
    if record.state == "removed":
        nodes.pop(record.node, None)
    elif record.state == "ready":
        known = nodes.get(record.node, NodeState(name=record.node, pool=record.pool, born_s=record.t_s))
        nodes[record.node] = replace(known, ready=True)
    elif record.node in nodes:
        known = nodes[record.node]
        if record.state == "notReady":
            known = replace(known, ready=False)
        elif record.state in ("cordoned", "uncordoned"):
            known = replace(known, cordoned=record.state == "cordoned")
        nodes[record.node] = known


def nodes_at(trace: Trace, at_s: float) -> dict[str, NodeState]:
    """The nodes that the API server has at an instant. One that is only requested, or whose machine boots, is not there."""
    nodes: dict[str, NodeState] = {}
    for record in trace.nodes:
        if record.t_s <= at_s:
            _change(nodes, record)
    return nodes


def get_nodes(trace: Trace, at_s: float, version: str = "v1.36") -> list[str]:
    """`kubectl get nodes` at an instant."""
    return listed(NODE_HEADER, [one.row(at_s, version) for _, one in sorted(nodes_at(trace, at_s).items())])


def watch_nodes(trace: Trace, start_s: float = 0.0, version: str = "v1.36") -> list[str]:
    """`kubectl get nodes -w` from `start_s`: one line for each change of what it shows; a removed node is shown once more."""
    nodes: dict[str, NodeState] = {}
    rows, shown = [], dict[str, str]()
    for record in trace.nodes:
        last = nodes.get(record.node)
        _change(nodes, record)
        one = nodes.get(record.node) or (last if record.state == "removed" else None)
        if one is not None and (shown.get(one.name) != one.status or record.state == "removed"):
            shown[one.name] = one.status
            if record.t_s >= start_s:
                rows.append(one.row(record.t_s, version))
    return table(NODE_HEADER, rows)
