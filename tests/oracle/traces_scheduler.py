"""Replays recorded scheduler traces through the pure placement: every pod must land where a recorded run put it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from simulate.control import placement
from simulate.control.labels import from_object
from simulate.control.placement import NodeView, PodView, Taint
from simulate.control.placement_view import ZONE

Trace = Mapping[str, Any]
LABELS = {"app": "x"}


def node_of(data: Trace) -> NodeView:
    """A node of a trace."""
    labels = dict(data.get("labels") or {})
    if "zone" in data:
        labels[ZONE] = data["zone"]
    taints = [Taint(one["key"], one.get("value", ""), one["effect"]) for one in data.get("taints", ())]
    room = placement.amounts({key: data[key] for key in ("cpu", "memory", "pods") if key in data})
    return NodeView(data["name"], room, labels=labels, taints=taints)


class Replay:
    """The state while the steps of a trace are gone through."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.nodes = [node_of(one) for one in trace["input"]["nodes"]]
        self.waiting: dict[str, PodView] = {}
        self.messages: dict[str, str] = {}
        self.placed: dict[str, str] = {}
        self.priorities: dict[str, int] = {}
        self.service = False
        self.wrong: str | None = None

    def pod_view(self, name: str, data: Trace) -> PodView:
        """A pod of a step."""
        asked = {key: data[key] for key in ("cpu", "memory") if key in data}
        given = data.get("spec") or {}
        spec = {"containers": [{"name": "c", "image": "app:v1", "resources": {"requests": asked}}], **given}
        labels = data.get("labels") or LABELS
        name_of_class = str(given.get("priorityClassName", data.get("priority_class", "")))
        priority = data.get("priority", self.priorities.get(name_of_class, 0))
        selected = self.service or data["op"] == "replicaset"
        default = from_object({"matchLabels": labels}) if selected else None
        return placement.pod_of(name, spec, own=labels, priority=priority, default_selector=default)

    def try_to_place(self, view: PodView) -> None:
        """Ties are settled as the recording settled them, where it is possible."""
        recorded = self.trace["facts"]["node_of_pod"].get(view.name, {})
        possible = {placement.choose_node(view, self.nodes, draw=i / 8).node for i in range(8)}
        wanted = sorted((node for node in recorded if node in possible), key=lambda node: -recorded[node])
        result = placement.choose_node(view, self.nodes)
        if result.node is None:
            self.waiting[view.name], self.messages[view.name] = view, result.message
            self.displace(view, result)
            return
        self.waiting.pop(view.name, None)
        chosen = wanted[0] if wanted else result.node
        self.node(chosen).add(view)
        self.placed[view.name] = chosen

    def displace(self, view: PodView, result: placement.Placement) -> None:
        """Victims end at once, then the pod gets its turn."""
        found = placement.preempt(view, self.nodes, result.refusals)
        if found is not None:
            for victim in found.victims:
                self.node(found.node).remove(victim)
            self.waiting.pop(view.name)
            self.node(found.node).add(view)
            self.placed[view.name] = found.node

    def node(self, name: str) -> NodeView:
        """A node by its name."""
        return next(one for one in self.nodes if one.name == name)

    def step(self, data: Trace) -> None:
        """One step of the scenario."""
        match data["op"]:
            case "pod":
                self.try_to_place(self.pod_view(data["name"], data))
            case "replicaset":
                for i in range(data["replicas"]):
                    self.try_to_place(self.pod_view(f"v1-{i}", data))
            case "service":
                self.service = True
            case "priorityclass":
                self.priorities[data["name"]] = data["value"]
            case "cordon":
                self.node(data["name"]).unschedulable = True
            case "node":
                self.nodes.append(node_of(data["node"]))
            case "delete":
                for one in self.nodes:
                    for view in [view for view in one.pods.values() if view.name == data["name"]]:
                        one.remove(view)
            case other:
                self.wrong = f"step {other} is not known"
        if data["op"] in ("node", "delete", "cordon"):
            for view in list(self.waiting.values()):
                self.try_to_place(replace(view))


def replay(trace: Trace) -> str | None:
    """None when every pod is on one of its recorded nodes, or has a recorded message."""
    state = Replay(trace)
    for step in trace["input"]["steps"]:
        state.step(step)
    if state.wrong:
        return state.wrong
    facts = trace["facts"]
    for pod, recorded in facts["node_of_pod"].items():
        got = state.placed.get(pod) or f"- {state.messages.get(pod, 'never tried')}"
        if got not in recorded:
            return f"{pod}: expected {' or '.join(recorded)}, got {got}"
    counts = {one.name: len(one.pods) for one in state.nodes if one.pods}
    expected = facts.get("pods_per_node")
    return (
        None
        if expected is None or not facts.get("pods_per_node_repeat") or counts == expected
        else f"pods per node: {counts}, not {expected}"
    )


def run(traces: Iterable[Trace]) -> Iterable[tuple[str, str | None]]:
    """(trace, None or the reason) of every trace of scheduler.json."""
    for trace in traces:
        try:
            yield trace["id"], replay(trace)
        except Exception as error:
            yield trace["id"], f"{type(error).__name__}: {error}"
