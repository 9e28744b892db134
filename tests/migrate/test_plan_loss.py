"""Loss is never silent: every key path of the Compose Specification changes the objects, or has the finding that its table says."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from migrate import kube
from migrate.findings import Finding, Unusable
from migrate.plan.loss import CARRIED, KeyRule, key_rules, walk_keys
from tests.migrate.every_key import ANSWERS, FILES, PROJECTS
from tests.migrate.planned import codes, plan_of

SERVICE_KEYS = sorted({p.split(".")[2].removesuffix("[]") for p in key_rules() if p.startswith("services.*.")})


@cache
def documents() -> Mapping[str, Any]:
    return {name: yaml.safe_load(text) for name, text in PROJECTS.items()}


def projects_with(path: str) -> list[str]:
    return [name for name, paths in walked().items() if path in paths]


@cache
def walked() -> Mapping[str, frozenset[str]]:
    return {name: frozenset(walk_keys(data)) for name, data in documents().items()}


def without(data: Any, path: str) -> Any:
    """The plain data without what stands at the key path."""
    steps = [s for part in path.split(".") for s in re.findall(r"\[\]|[^\[\]]+", part)]
    pruned = copy.deepcopy(data)
    _prune(pruned, steps)
    return pruned


def _prune(data: Any, steps: list[str]) -> None:
    step, rest = steps[0], steps[1:]
    if step == "[]":
        for item in data if isinstance(data, list) else ():
            _prune(item, rest)
    elif isinstance(data, dict):
        for key in [k for k in data if step in ("*", k)]:
            if rest:
                _prune(data[key], rest)
            else:
                del data[key]


def outcome(folder: Path, text: str) -> Any:
    """What a conversion says and writes, without lines."""
    try:
        plan = plan_of(folder, text, ANSWERS, FILES)
    except Unusable as error:
        return [(f.code, f.message) for f in error.findings]
    told = [(f.code, f.action, f.severity, f.message, f.service, f.path, f.advice, len(f.also)) for f in plan.findings]
    return told, re.sub(r"compose\.yaml:\d+", "compose.yaml", json.dumps(kube.build(plan)))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the projects give as they are, and their findings."""

    @cache
    def of(name: str) -> tuple[Any, tuple[Finding, ...]]:
        folder = tmp_path_factory.mktemp(name)
        text = yaml.safe_dump(documents()[name], sort_keys=False)
        return outcome(folder, text), plan_of(folder, text, ANSWERS, FILES).findings

    return of


def test_the_projects_have_every_key_path() -> None:
    have = {path for paths in walked().values() for path in paths}
    assert len(key_rules()) == 394
    assert set(key_rules()) <= have


def test_the_table_is_that_of_the_specification(shared: Path) -> None:
    ours = Path("migrate/data/compose-keys.tsv")
    assert (Path(__file__).parents[2] / ours).read_bytes() == (shared / "specs" / "compose-keys.tsv").read_bytes()


LOST = [r for r in key_rules().values() if r.finding and r.action in ("ignored-with-finding", "no-effect-in-Kubernetes", "refused")]
NO_TRACE = {
    "name": "these tests name the project",
    "networks.*.ipam.config[].ip_range": "where Docker takes addresses from that nobody fixed",
    "networks.*.ipam.config[].aux_addresses": "its addresses are told where they are used",
    "networks.*.ipam.config[].aux_addresses.*": "its addresses are told where they are used",
    **{r.path: r.note for r in key_rules().values() if r.action == "no-effect-in-Kubernetes" and r.finding is None},
}
"""Keys that neither the objects nor a finding show, and why."""


@pytest.mark.parametrize("path", [p for p in key_rules() if p not in NO_TRACE])
def test_every_key_changes_the_objects_or_is_told(path: str, whole: Any, tmp_path: Path) -> None:
    rule = key_rules()[path]
    if rule in LOST and all(any(told_at(whole(n)[1], rule)) for n in projects_with(path)):
        return
    changed = (
        outcome(tmp_path, yaml.safe_dump(without(documents()[n], path), sort_keys=False)) != whole(n)[0] for n in projects_with(path)
    )
    assert any(changed)


def told_at(findings: tuple[Finding, ...], rule: KeyRule) -> Iterator[Finding]:
    """The findings of the rule's code at its key path, above or below it."""
    for finding in findings:
        if finding.code == rule.finding:
            at = spelled(finding.path or "")
            if rule.path.startswith(at) or at.startswith(rule.path):
                yield finding


def spelled(path: str) -> str:
    """A finding's path as the table writes it: as far as its steps are known."""
    known, found = "", ""
    for step in re.findall(r"\[\d+\]|[^.\[\]]+", path):
        options = [f"{found}[]"] if step.startswith("[") else [f"{found}.{step}".lstrip("."), f"{found}.*".lstrip(".")]
        found = next((o for o in options if any(r.startswith(o) for r in key_rules())), "")
        if not found:
            return known
        known = found
    return known


@pytest.mark.parametrize("rule", LOST, ids=lambda r: r.path)
def test_what_the_table_calls_lost_is_told_as_lost(rule: KeyRule, whole: Any) -> None:
    found = [f for name in projects_with(rule.path) for f in told_at(whole(name)[1], rule)]
    assert found
    assert {f.action.value for f in found} & {"refused" if rule.action == "refused" else "dropped"}
    assert all(f.severity.value == rule.severity for f in found)
    assert all(f.span is not None and f.span.line > 0 for f in found)


ELSEWHERE = {
    "services.*.dns": "a server of the stack, pinned",
    "networks.*.ipam.config": "an overlap with the cluster's ranges",
    "networks.*.ipam.config[].subnet": "an overlap with the cluster's ranges",
    "networks.*.ipam.config[].aux_addresses": "an address of somebody else that is used",
    "networks.*.ipam.config[].aux_addresses.*": "an address of somebody else that is used",
}
"""Keys whose finding needs more than the key, and what; the tests of addresses have it."""
CARRIED_WITH_A_FINDING = [
    r for r in key_rules().values() if r.finding and r.action in ("mapped", "approximated", "rewritten") and r.path not in ELSEWHERE
]


@pytest.mark.parametrize("rule", CARRIED_WITH_A_FINDING, ids=lambda r: r.path)
def test_what_the_table_carries_with_a_finding_has_it(rule: KeyRule, whole: Any) -> None:
    assert any(f.code == rule.finding for name in projects_with(rule.path) for f in whole(name)[1])


def test_every_service_key_is_carried_or_lost_with_a_code() -> None:
    told = {k for k in SERVICE_KEYS if key_rules()[f"services.*.{k}"].finding is not None}
    assert set(SERVICE_KEYS) <= CARRIED | told


def test_extensions_profiles_and_sub_keys(tmp_path: Path) -> None:
    text = """
x-common: {a: 1}
services:
  a: {image: x, x-mine: 1, deploy: {restart_policy: {delay: 5s}, resources: {limits: {pids: 5}}}}
  off: {image: x, profiles: [debug]}
"""
    plan = plan_of(tmp_path, text)
    assert {"MIG913", "MIG912", "MIG119", "MIG709"} <= codes(plan)
    assert any(f.path == "services.a.x-mine" for f in plan.findings)
