"""MIG940 to MIG953: what was decided against what the plan says of the cluster (2.16)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.migrate.planned import codes, objects_of, plan_of

TEXT = """
services:
  web: {image: "x:1", ports: ["8080:80"], labels: {kompose.service.expose: a.example}, deploy: {mode: global}, volumes: ["vol:/data"]}
volumes: {vol: }
"""
FACTS = {
    "MIG940": "forwardPolicy: DROP",
    "MIG941": "kubeletCgroupDriver: systemd, runtimeCgroupDriver: cgroupfs",
    "MIG942": "joinTokenTtl: 24h",
    "MIG943": "metricsPort: 10255",
    "MIG945": "cgroup: v1",
    "MIG946": "runtime: dockershim",
    "MIG948": "podSecurityPolicy: true",
    "MIG950": "networkPlugin: flannel",
    "MIG951": "loadBalancer: none",
    "MIG952": "rwxClass: none",
    "MIG953": "version: '1.29'",
}
GOOD = """
  forwardPolicy: ACCEPT, kubeletCgroupDriver: systemd, runtimeCgroupDriver: systemd, joinTokenTtl: '0', metricsPort: 10250, cgroup: v2,
  runtime: containerd, podSecurityPolicy: false, networkPlugin: calico, loadBalancer: metallb, ingressClass: nginx, rwxClass: nfs,
  version: '1.36'"""


@pytest.mark.parametrize("code", FACTS)
def test_what_the_cluster_lacks_is_told(code: str, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, TEXT, f"project: {{cluster: {{{FACTS[code]}}}}}")
    finding = next(f for f in plan.findings if f.code == code)
    key = FACTS[code].partition(":")[0]
    assert (finding.path, finding.severity.value) == (f"project.cluster.{key}", "warning")
    assert (finding.span is not None) == (code in ("MIG951", "MIG952"))


def test_a_cluster_that_has_everything_is_not_complained_of(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, TEXT, f"project: {{cluster: {{{GOOD}}}}}")
    assert not {c for c in codes(plan) if c.startswith(("MIG94", "MIG95"))}
    assert plan.claims["vol"].storage_class == "nfs"


def test_an_ingress_without_a_class_is_told_and_that_of_the_cluster_is_taken(tmp_path: Path) -> None:
    assert "MIG947" in codes(plan_of(tmp_path, TEXT))
    ingress = objects_of(tmp_path, TEXT, "project: {cluster: {ingressClass: nginx}}")["Ingress/web"]
    assert ingress["spec"]["ingressClassName"] == "nginx"
