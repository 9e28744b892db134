"""The stack as a networkx graph: start order, cycles, callers, cutover waves, and the picture of it as text.

Nodes are services; an edge a -> b says that a needs b. This is the only file that knows networkx.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from migrate.stack import Reference, Stack

if TYPE_CHECKING:
    import networkx as nx

_COLOURS = ("#1f6feb", "#2da44e", "#bf8700", "#8250df", "#cf222e", "#1b7c83", "#953800", "#57606a")


def dependencies(stack: Stack) -> nx.DiGraph[str]:
    """Who needs whom. Node attributes: `networks` (sorted tuple), `image`. Edge attributes: `waits` (the `depends_on` condition or None),
    `calls` (sorted tuple of ports that references state; empty if none states one), `references` (how many).

    Sharing a volume is no edge: it is symmetric and orders nothing.
    """
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    for name, member in stack.members.items():
        graph.add_node(name, networks=tuple(sorted(member.service.networks)), image=member.service.image or "")
    for name, member in stack.members.items():
        for dependency in member.service.depends_on.values():
            if dependency.service in stack.members:
                _edge(graph, name, dependency.service)["waits"] = dependency.condition
    for reference in stack.references:
        if reference.callee in stack.members and reference.caller in stack.members:
            _count(_edge(graph, reference.caller, reference.callee), reference)
    return graph


def start_order(graph: nx.DiGraph[str]) -> tuple[tuple[str, ...], ...]:
    """Groups that can start together, dependencies first; by `depends_on` alone. Members of a cycle are in one group.

    Inside a group services stand in the order of the file.
    """
    import networkx as nx

    waits: nx.DiGraph[str] = nx.DiGraph()
    waits.add_nodes_from(graph.nodes)
    waits.add_edges_from((a, b) for a, b, data in graph.edges(data=True) if data["waits"] is not None)
    return _layers(waits)


def waves(graph: nx.DiGraph[str]) -> tuple[tuple[str, ...], ...]:
    """Cutover waves: what a service needs, by waiting or calling, moves before it or with it. A cycle moves together."""
    return _layers(graph)


def cycles(graph: nx.DiGraph[str]) -> tuple[tuple[str, ...], ...]:
    """The groups of services that need each other, in the order of the file."""
    import networkx as nx

    order = {name: i for i, name in enumerate(graph.nodes)}
    groups = [tuple(sorted(g, key=order.__getitem__)) for g in nx.strongly_connected_components(graph) if len(g) > 1]
    return tuple(sorted(groups, key=lambda g: order[g[0]]))


def in_cycle(graph: nx.DiGraph[str]) -> frozenset[str]:
    """Every service that can reach itself."""
    return frozenset(name for group in cycles(graph) for name in group)


def callers(graph: nx.DiGraph[str], service: str) -> tuple[str, ...]:
    """Who refers to `service`, in the order of the file; waiting alone is no call."""
    return tuple(name for name in graph.nodes if graph.has_edge(name, service) and graph.edges[name, service]["references"])


def entry_services(graph: nx.DiGraph[str]) -> tuple[str, ...]:
    """The services that nobody of the stack calls."""
    return tuple(name for name in graph.nodes if not callers(graph, name))


def to_mermaid(graph: nx.DiGraph[str]) -> str:
    """The graph in Mermaid: waves as subgraphs, calls as arrows with their ports, waits as dotted arrows."""
    ids = {name: f"n{i}" for i, name in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for number, wave in enumerate(waves(graph), 1):
        lines.append(f'  subgraph wave{number}["wave {number}"]')
        lines += [f'    {ids[name]}["{_mermaid(name)}<br/>{_mermaid(_networks(graph, name))}"]' for name in wave]
        lines.append("  end")
    for a, b, data in graph.edges(data=True):
        text = _edge_text(data)
        arrow = "-->" if data["references"] else "-.->"
        lines.append(f'  {ids[a]} {arrow}|"{_mermaid(text)}"| {ids[b]}' if text else f"  {ids[a]} {arrow} {ids[b]}")
    return "\n".join(lines) + "\n"


def to_dot(graph: nx.DiGraph[str]) -> str:
    """The graph in the DOT language: networks as colours, waves as ranks."""
    networks = sorted({n for name in graph.nodes for n in graph.nodes[name]["networks"]})
    colour = {n: _COLOURS[i % len(_COLOURS)] for i, n in enumerate(networks)}
    lines = ["digraph stack {", "  rankdir=LR;", '  node [shape=box, style=rounded, fontname="sans-serif"];']
    for name in graph.nodes:
        mine = graph.nodes[name]["networks"]
        border = colour[mine[0]] if mine else "#57606a"
        lines.append(f'  "{_dot(name)}" [label="{_dot(name)}\\n{_dot(_networks(graph, name))}", color="{border}"];')
    lines += [f"  {{ rank=same; {' '.join(_dot_id(name) for name in wave)} }}" for wave in waves(graph)]
    for a, b, data in graph.edges(data=True):
        style = "solid" if data["references"] else "dashed"
        lines.append(f'  "{_dot(a)}" -> "{_dot(b)}" [style={style}, label="{_dot(_edge_text(data))}"];')
    return "\n".join((*lines, "}")) + "\n"


def positions(graph: nx.DiGraph[str]) -> Mapping[str, tuple[float, float]]:
    """Where a picture puts each service: column = wave, row = place in the wave, centred; units are cells."""
    places: dict[str, tuple[float, float]] = {}
    for column, wave in enumerate(waves(graph)):
        for row, name in enumerate(wave):
            places[name] = (float(column), (len(wave) - 1) / 2 - row)
    return places


def _edge(graph: nx.DiGraph[str], a: str, b: str) -> dict[str, Any]:
    if not graph.has_edge(a, b):
        graph.add_edge(a, b, waits=None, calls=(), references=0)
    data: dict[str, Any] = graph.edges[a, b]
    return data


def _count(data: dict[str, Any], reference: Reference) -> None:
    data["references"] += 1
    if reference.port is not None:
        data["calls"] = tuple(sorted({*data["calls"], reference.port}))


def _layers(graph: nx.DiGraph[str]) -> tuple[tuple[str, ...], ...]:
    import networkx as nx

    order = {name: i for i, name in enumerate(graph.nodes)}
    condensed = nx.condensation(graph.reverse(copy=True))
    layers = [
        sorted((name for group in generation for name in condensed.nodes[group]["members"]), key=order.__getitem__)
        for generation in nx.topological_generations(condensed)
    ]
    return tuple(tuple(layer) for layer in layers)


def _networks(graph: nx.DiGraph[str], name: str) -> str:
    return ", ".join(graph.nodes[name]["networks"])


def _edge_text(data: Mapping[str, Any]) -> str:
    parts = [", ".join(str(p) for p in data["calls"])]
    if data["waits"] not in (None, "service_started"):
        parts.append(str(data["waits"]).removeprefix("service_").replace("_", " "))
    return ", ".join(p for p in parts if p)


def _mermaid(text: str) -> str:
    return re.sub(r'["<>\[\]{}|#;&]', " ", text)


def _dot(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _dot_id(text: str) -> str:
    return f'"{_dot(text)}"'
