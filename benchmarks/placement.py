"""Pods placed a second on 5,000 nodes, against the literal scheduler rules node by node in the same run.

`python -m benchmarks placement`: nodes of three sizes in three zones, pods of four Deployments in turn, each with the default spreading
over hosts and zones; every pod is chosen and bound before the next one. The peer applies the same filters and scores to each node in
plain Python; both must choose the same nodes for the pods that the peer places. `PLACEMENT_PODS` sets the number of pods.
"""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import replace

from simulate.control.labels import Requirement, Selector
from simulate.control.placement import choose_node
from simulate.control.placement_index import PlacementIndex
from simulate.control.placement_view import ZONE, NodeView, PodView

NODES = 5000
PODS = int(os.environ.get("PLACEMENT_PODS", "50000"))
BATCH = 250
COMPARED = 60


def nodes() -> list[NodeView]:
    """8, 16 and 32 cores, zones a, b and c in turn."""
    sizes = (8, 16, 32)
    return [
        NodeView(
            f"node-{i}",
            {"cpu": sizes[i % 3] * 1000, "memory": sizes[i % 3] * 4 * 2**30, "pods": 110},
            labels={ZONE: "abc"[(i // 3) % 3]},
        )
        for i in range(NODES)
    ]


def pods() -> list[PodView]:
    """One pod of each of four Deployments."""
    found = []
    for number, (milli, mebi) in enumerate(((100, 128), (250, 256), (500, 1024), (1000, 512))):
        selector = Selector((Requirement("app", "In", (f"web-{number}",)),))
        found.append(
            PodView(
                name="",
                labels={"app": f"web-{number}"},
                requests={"cpu": milli, "memory": mebi * 2**20},
                score_cpu=milli,
                score_memory=mebi * 2**20,
                default_selector=selector,
            )
        )
    return found


def draw(number: int) -> float:
    """The draw among equals of a pod: any fixed sequence."""
    return (number * 0.6180339887498949) % 1.0


def compiled(count: int) -> tuple[float, list[str | None]]:
    """Seconds, and the node of each pod, in batches of one Deployment as a ReplicaSet makes them."""
    index, kinds = PlacementIndex(nodes()), pods()
    index.place_many([kinds[0].named("warm")], [0.0])
    index, chosen = PlacementIndex(nodes()), list[str | None]()
    begin = time.perf_counter()
    for first in range(0, count, BATCH):
        kind = kinds[first // BATCH % len(kinds)]
        numbers = range(first, min(first + BATCH, count))
        chosen += index.place_many([kind.named(f"pod-{n}") for n in numbers], [draw(n) for n in numbers])
    return time.perf_counter() - begin, chosen


def literal(count: int) -> tuple[float, list[str | None]]:
    """The same by the plain functions."""
    all_nodes, kind, start, chosen = nodes(), pods()[0], 0, list[str | None]()
    by_name = {node.name: node for node in all_nodes}
    begin = time.perf_counter()
    for number in range(count):
        found = choose_node(kind, all_nodes, draw=draw(number), start=start)
        start = found.next_start
        chosen.append(found.node)
        if found.node is not None:
            by_name[found.node].add(replace(kind, name=f"pod-{number}"))
    return time.perf_counter() - begin, chosen


def run() -> dict[str, object]:
    """The figures: pods per second of both, their ratio over three rounds, and whether they agree."""
    compiled(BATCH)
    rates, ratios = [], []
    for _ in range(3):
        slow_s, expected = literal(COMPARED)
        fast_s, got = compiled(PODS)
        assert got[:COMPARED] == expected, "the compiled placement differs from the literal one"
        rates.append(PODS / fast_s)
        ratios.append((PODS / fast_s) / (COMPARED / slow_s))
    return {
        "nodes": NODES,
        "pods": PODS,
        "pods / s (best of 3)": round(max(rates)),
        "pods / s (median)": round(statistics.median(rates)),
        "times the literal rules (median)": round(statistics.median(ratios)),
        "times the literal rules (min, max)": [round(min(ratios)), round(max(ratios))],
        "same nodes as the literal rules": True,
    }
