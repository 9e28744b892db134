# ruff: noqa: E501
"""Loss is never silent: for every service key of the table a project with it has the key carried or told."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrate.plan.loss import CARRIED, key_rules
from tests.migrate.planned import codes, plan_of

SERVICE_KEYS = sorted({p.split(".")[2].removesuffix("[]") for p in key_rules() if p.startswith("services.*.")})
SAMPLES = {
    "attach": "false", "blkio_config": "{weight: 300}", "cgroup": "host", "cgroup_parent": "x", "cpu_percent": "50", "cpu_rt_period": "'1000'",
    "cpu_rt_runtime": "'1000'", "cpuset": "'0'", "credential_spec": "{file: x}", "develop": "{watch: [{path: ., action: rebuild}]}",
    "device_cgroup_rules": "['c 1:3 mr']", "external_links": "[other]", "isolation": "default", "logging": "{driver: syslog}",
    "mem_swappiness": "10", "memswap_limit": "1g", "oom_kill_disable": "true", "oom_score_adj": "500", "pids_limit": "100",
    "pull_refresh_after": "24h", "ulimits": "{nofile: 1024}", "userns_mode": "host", "uts": "host",
}  # fmt: skip


@pytest.mark.parametrize("key", SAMPLES)
def test_a_key_that_is_not_carried_has_its_finding_and_place(key: str, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, f"services:\n  a:\n    image: x:1\n    {key}: {SAMPLES[key]}\n")
    found = [f for f in plan.findings if f.path is not None and f.path.startswith(f"services.a.{key}")]
    assert found, codes(plan)
    assert found[0].code == key_rules()[f"services.*.{key}"].finding
    assert found[0].span is not None and found[0].span.line == (2 if key == "external_links" else 4)


def test_every_service_key_is_carried_or_lost_with_a_code() -> None:
    told = {k for k in SERVICE_KEYS if key_rules()[f"services.*.{k}"].finding is not None}
    assert set(SERVICE_KEYS) <= CARRIED | told


def test_what_is_refused_by_this_version_is_told(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "services: {a: {image: x, labels: {kompose.service.name_override: y}}}")
    finding = next(f for f in plan.findings if f.code == "MIG999")
    assert (finding.action.value, finding.path) == ("refused", "services.a.labels.kompose.service.name_override")


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
