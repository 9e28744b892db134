"""The fast index chooses exactly as the plain functions: over random clusters and stories, in every tie."""

from __future__ import annotations

import random
from typing import Any

import pytest

from simulate.control import placement_index
from simulate.control.labels import from_object
from simulate.control.placement import NodeView, PodView, Taint, Toleration, choose_node, pod_of
from simulate.control.placement_index import PlacementIndex
from simulate.control.placement_view import ZONE

GIB = 2**30
WEB = from_object({"matchLabels": {"app": "web"}})


@pytest.fixture(autouse=True)
def always_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    monkeypatch.setattr(placement_index, "FAST_NODES", 1)


def cluster(dice: random.Random, count: int) -> list[NodeView]:
    """Nodes of a few sizes; some lack a zone, are tainted or cordoned, or have no memory at all."""
    nodes = []
    for i in range(count):
        labels = {"disk": dice.choice(["ssd", "hdd"])} | ({ZONE: dice.choice("abc")} if dice.random() < 0.9 else {})
        taints = [Taint("dedicated", "x")] if dice.random() < 0.1 else []
        room = {"cpu": dice.choice([1000, 4000, 16000]), "memory": dice.choice([0, 4, 16]) * GIB, "pods": dice.choice([3, 110])}
        nodes.append(NodeView(f"n{i}", room, labels=labels, taints=taints, unschedulable=dice.random() < 0.05))
    return nodes


def some_pod(dice: random.Random, name: str) -> PodView:
    """A pod of one of the kinds that matter."""
    cpu, memory = dice.choice([0, 100, 250, 900]), dice.choice([0, GIB // 8, GIB])
    more: dict[str, Any] = dice.choice(
        [
            {},
            {"labels": {"app": "web"}, "default_selector": WEB},
            {"labels": {"app": "web"}, "default_selector": WEB, "node_selector": {"disk": "ssd"}},
            {"labels": {"app": "web"}, "default_selector": WEB, "namespace": "other"},
            {"tolerations": (Toleration(key="dedicated", operator="Exists"),)},
        ]
    )
    return PodView(name=name, requests={"cpu": cpu, "memory": memory}, score_cpu=cpu or 100, score_memory=memory or 200 * 2**20, **more)


@pytest.mark.parametrize("seed", range(12))
def test_same_choices_as_the_plain_functions(seed: int) -> None:
    dice = random.Random(seed)
    count = dice.choice([1, 7, 40, 150])
    change = seed % 3 != 0
    index = PlacementIndex(cluster(dice, count), change=change)
    plainly = {
        node.name: NodeView(node.name, node.allocatable, labels=node.labels, taints=node.taints, unschedulable=node.unschedulable)
        for node in index.nodes
    }
    placed: list[tuple[str, PodView]] = []
    start = 0
    for step in range(120):
        act = dice.random()
        if placed and act < 0.2:
            name, view = placed.pop(dice.randrange(len(placed)))
            index.remove(name, view)
            plainly[name].remove(view)
        elif placed and act < 0.3:
            slot = dice.randrange(len(placed))
            name, view = placed[slot]
            placed[slot] = name, view.ending()
            index.add(name, view.ending())
            plainly[name].add(view.ending())
        view, draw = some_pod(dice, f"p{step}"), dice.random()
        expected = choose_node(view, list(plainly.values()), draw=draw, start=start, change=change)
        got = index.choose(view, draw)
        start = expected.next_start
        assert (got.node, got.ties if got.node else 0, got.message, got.next_start) == (
            expected.node, expected.ties if expected.node else 0, expected.message, expected.next_start
        )  # fmt: skip
        if got.node is not None:
            index.add(got.node, view)
            plainly[got.node].add(view)
            placed.append((got.node, view))


@pytest.mark.parametrize("spread", [False, True])
def test_many_at_once_as_one_by_one(spread: bool) -> None:
    dice = random.Random(5)
    more: dict[str, Any] = {"labels": {"app": "web"}, "default_selector": WEB} if spread else {}
    template = PodView(name="t", requests={"cpu": 100, "memory": GIB // 4}, score_cpu=100, score_memory=GIB // 4, **more)
    draws = [dice.random() for _ in range(400)]
    names = [f"p{i}" for i in range(400)]
    batch, single = PlacementIndex(cluster(random.Random(1), 12)), PlacementIndex(cluster(random.Random(1), 12))
    expected = []
    for name, draw in zip(names, draws, strict=True):
        node = single.choose(template.named(name), draw).node
        if node is not None:
            single.add(node, template.named(name))
        expected.append(node)
    assert batch.place_many([template.named(name) for name in names], draws) == expected
    assert None in expected
    assert [node.used for node in batch.nodes] == [node.used for node in single.nodes]
    after = PodView(name="after", labels={"app": "web"}, default_selector=WEB, requests={})
    assert batch.choose(after, 0.5) == single.choose(after, 0.5)


def test_nodes_come_and_go() -> None:
    index = PlacementIndex([NodeView("a", {"cpu": 1000, "memory": GIB})])
    asks = PodView(name="p", requests={"cpu": 2000}, score_cpu=2000)
    assert index.choose(asks).node is None
    index.put(NodeView("b", {"cpu": 4000, "memory": GIB}))
    assert index.choose(asks).node == "b"
    index.drop("b")
    index.drop("never there")
    assert index.choose(asks).node is None


def test_pods_with_wishes_take_the_plain_way() -> None:
    anti = {
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": ZONE, "labelSelector": {}}]}}
    }
    hermit = pod_of("h", anti)
    assert not hermit.plain
    assert PodView(name="p", requests={"cpu": 1}).plain
    assert not PodView(name="p", requests={"nvidia.com/gpu": 1}).plain
    index = PlacementIndex([NodeView("a", {"cpu": 1000, "memory": GIB}, labels={ZONE: "1"}), NodeView("b", {"cpu": 900, "memory": GIB})])
    index.add("a", hermit)
    assert index.choose(PodView(name="p")).node == "b"
    index.remove("a", hermit)
    assert index.choose(PodView(name="p")).node == "a"
