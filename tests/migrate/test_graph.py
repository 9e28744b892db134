"""The stack as a graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from migrate import graph
from tests.migrate.stacks import meaning

_TEXT = """
services:
  lb: {image: "n:1", environment: {UPSTREAM: "http://a:80,http://b:80"}, depends_on: [a]}
  a: {image: "x:1", environment: {DB_HOST: db, PEER: "b:80"}, depends_on: {db: {condition: service_healthy}}}
  b: {image: "y:1", environment: {PEER: "a:80"}}
  db: {image: "d:1", healthcheck: {test: "true"}}
"""


@pytest.fixture
def drawn(tmp_path: Path) -> Any:
    return graph.dependencies(meaning(tmp_path, _TEXT))


def test_order_waves_cycles(drawn: Any) -> None:
    assert graph.start_order(drawn) == (("b", "db"), ("a",), ("lb",))
    assert graph.waves(drawn) == (("db",), ("a", "b"), ("lb",))
    assert graph.cycles(drawn) == (("a", "b"),)
    assert graph.in_cycle(drawn) == {"a", "b"}


def test_callers(drawn: Any) -> None:
    assert graph.callers(drawn, "a") == ("lb", "b")
    assert graph.entry_services(drawn) == ("lb",)
    assert drawn.edges["lb", "a"] == {"waits": "service_started", "calls": (80,), "references": 1}


def test_texts(drawn: Any) -> None:
    mermaid = graph.to_mermaid(drawn)
    assert mermaid.startswith("flowchart LR\n") and '-->|"80"|' in mermaid and 'subgraph wave1["wave 1"]' in mermaid
    dot = graph.to_dot(drawn)
    assert dot.startswith("digraph stack {") and '"a" -> "db" [style=solid, label="healthy"];' in dot
    assert set(graph.positions(drawn)) == {"lb", "a", "b", "db"}
