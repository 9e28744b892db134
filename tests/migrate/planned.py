"""A Compose text to its plan and objects: the stages in order, for tests of the plan and of the builder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from migrate import addresses, compose, graph, kube, plan, stack
from migrate.plan.answers import read_text
from migrate.plan.decision import Answers
from migrate.plan.types import Plan


def plan_of(folder: Path, text: str, answers: Answers | str = "", files: Mapping[str, str | bytes] | None = None) -> Plan:
    """The plan of a Compose text whose project directory is `folder`; `answers` is the text of a plan file without its version."""
    for name, content in (files or {}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    (folder / "compose.yaml").write_text(text)
    project = compose.load(
        [str(folder / "compose.yaml")],
        directory=folder,
        environment={},
        stdin=None,
        project_name="demo",
        profiles=(),
        env_files=(),
        project_directory=None,
        interpolate=True,
    )
    meant = stack.resolve(project)
    said = read_text("version: 1\n" + answers, "plan.yaml") if isinstance(answers, str) else answers
    return plan.decide(meant, addresses.take_inventory(meant), graph.dependencies(meant), said)


def objects_of(folder: Path, text: str, answers: Answers | str = "", files: Mapping[str, str | bytes] | None = None) -> dict[str, Any]:
    """The objects of a Compose text by `Kind/name`."""
    return by_name(plan_of(folder, text, answers, files))


def by_name(decided: Plan) -> dict[str, Any]:
    """The objects of a plan by `Kind/name`."""
    return {f"{o['kind']}/{o['metadata']['name']}": o for o in kube.build(decided)}


def codes(decided: Plan) -> set[str]:
    """The codes of all findings."""
    return {f.code for f in decided.findings}


def pod(workload: Mapping[str, Any]) -> Any:
    """The pod spec of a workload."""
    return workload["spec"]["template"]["spec"]


def contains(actual: Any, wanted: Any) -> bool:
    """Whether `wanted` is in `actual`: mappings by their keys, lists item by item in order (items may have more)."""
    if isinstance(wanted, Mapping):
        return isinstance(actual, Mapping) and all(k in actual and contains(actual[k], v) for k, v in wanted.items())
    if isinstance(wanted, list):
        return isinstance(actual, list) and len(actual) == len(wanted) and all(contains(a, w) for a, w in zip(actual, wanted, strict=True))
    return bool(actual == wanted)
