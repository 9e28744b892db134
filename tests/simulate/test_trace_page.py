"""docs/trace.md says what a trace holds: every table and every column, in their order, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from simulate.engine import run
from simulate.report.rundir import TABLES
from simulate.spec import Event
from tests.simulate.worlds import QuietPlane, template, workload, world


def described(text: str) -> dict[str, list[str]]:
    """Table -> its columns as the page lists them, each with a meaning."""
    found: dict[str, list[str]] = {}
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        name, _, rest = section.partition("\n")
        rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", rest, re.MULTILINE)
        assert all(meaning.strip() for _, meaning in rows)
        found[name] = [column for column, _ in rows]
    return found


def test_the_page_has_every_table_and_column(repository: Path) -> None:
    page = described((repository / "docs" / "trace.md").read_text())
    assert page == {name: list(kind._fields) for name, kind in TABLES.items()}


def test_every_state_that_a_run_records_is_on_the_page(repository: Path) -> None:
    text = (repository / "docs" / "trace.md").read_text()
    story: tuple[tuple[float, str, str, dict[str, Any]], ...] = (
        (10.0, "rollout", "web", {"image": "web:2", "fails": "crash"}),
        (40.0, "drain", "pool", {"for": 20.0}),
        (80.0, "scale", "web", {"replicas": 9}),
        (100.0, "nodeLoss", "pool", {"for": 80.0}),
        (200.0, "reclaim", "pool", {"notice": 5.0}),
        (210.0, "rollout", "web", {"image": "x", "fails": "pull"}),
    )
    events = tuple(Event(at_s=at_s, verb=verb, target=target, arguments=said) for at_s, verb, target, said in story)
    spec = world(workload(replicas=3, template=template(request_cores=1.5)), events=events)
    trace = run(spec, plane=QuietPlane())
    states = {one.state for one in trace.pods}
    assert len(states) >= 10
    for name, kinds in (("pods", states), ("nodes", {one.state for one in trace.nodes})):
        row = next(line for line in text.partition(f"## {name}\n")[2].splitlines() if line.startswith("| `state`"))
        assert {state for state in kinds if not re.search(rf"\b{state}\b", row)} == set()


def test_a_trace_is_plain_data() -> None:
    trace = run(world(workload(), horizon_s=30.0), plane=QuietPlane())
    for name, kind in TABLES.items():
        for row in getattr(trace, name):
            assert isinstance(row, kind)
            json.dumps(list(row))
