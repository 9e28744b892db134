"""What is read from Kubernetes manifests, and what is refused, with its place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from simulate.manifests import read
from simulate.problems import InputError
from tests.simulate.made import deployment, manifests, service


def faults(text: str, tmp_path: Path) -> list[str]:
    path = tmp_path / "m.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read([path])
    return [str(problem).removeprefix(str(tmp_path) + os.sep) for problem in caught.value.problems]


def test_objects_of_plain_data() -> None:
    found = read(manifests())
    assert [(w.name, w.replicas, w.strategy, w.max_surge) for w in found.workloads] == [
        ("web", 2, "RollingUpdate", "25%"),
        ("api", 1, "RollingUpdate", "25%"),
    ]
    assert [(s.name, s.workloads) for s in found.services] == [("web", ("web",)), ("api-svc", ("api",))]
    container = found.workloads[0].template.containers[0]
    assert (container.request_cores, container.request_bytes, container.limit_bytes) == (0.25, 128 * 2**20, 256 * 2**20)


def test_request_is_the_limit_where_only_that_is_said() -> None:
    found = read([deployment(resources={"limits": {"cpu": "1500m"}})])
    assert found.workloads[0].template.containers[0].request_cores == 1.5


def test_old_api_has_its_old_defaults() -> None:
    old = deployment() | {"apiVersion": "extensions/v1beta1"}
    del old["spec"]["selector"]
    (workload,) = read([old]).workloads
    assert (workload.max_surge, workload.max_unavailable, workload.progress_deadline_s) == (1, 1, None)
    assert workload.selector == {"app": "web"}


@pytest.mark.parametrize(
    ("hook", "seconds"),
    [
        ({"sleep": {"seconds": 5}}, 5.0),
        ({"exec": {"command": ["sleep", "7"]}}, 7.0),
        ({"exec": {"command": ["/bin/sh", "-c", "sleep 3"]}}, 3.0),
        ({"exec": {"command": ["nginx", "-s", "quit"]}}, 0.0),
    ],
)
def test_prestop(hook: dict[str, Any], seconds: float) -> None:
    found = read([deployment(lifecycle={"preStop": hook})])
    assert found.workloads[0].template.containers[0].prestop_s == seconds
    assert any("preStop" in a.subject and a.origin == "guess" for a in found.assumptions) == ("nginx" in str(hook))


def test_probe_defaults() -> None:
    probe = read([deployment(readinessProbe={"httpGet": {"path": "/"}})]).workloads[0].template.containers[0].readiness
    assert probe is not None
    assert (probe.kind, probe.period_s, probe.timeout_s, probe.failure_threshold) == ("http", 10, 1, 3)


@pytest.mark.parametrize(
    "spec",
    [
        {"targetCPUUtilizationPercentage": 20},
        {"metrics": [{"type": "Resource", "resource": {"name": "cpu", "targetAverageUtilization": 20}}]},
        {"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 20}}}]},
    ],
    ids=["v1", "v2beta1", "v2"],
)
def test_autoscalers_of_every_version_mean_the_same(spec: dict[str, Any]) -> None:
    made = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 10, **spec},
    }
    (scaler,) = read([deployment(), made]).autoscalers
    assert (scaler.target, scaler.minimum, scaler.maximum) == ("web", 1, 10)
    assert scaler.metrics[0]["resource"]["target"]["averageUtilization"] == 20


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"behavior": {"scaleDown": {"policies": [{"type": "Pods", "periodSeconds": 60}]}}}, "behavior.scaleDown.policies.0 needs value"),
        ({"behavior": []}, "spec.behavior must be a mapping, is a list"),
        ({"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": 3}}]}, "target must be a mapping, is a number"),
        (
            {"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 0}}}]},
            "a whole number from 1, is a number",
        ),
    ],
)
def test_autoscaler_of_another_shape_is_refused(spec: dict[str, Any], message: str) -> None:
    made = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 10, **spec},
    }
    with pytest.raises(InputError) as caught:
        read([deployment(), made])
    assert message in str(caught.value)


def test_affinity_of_another_shape_is_refused() -> None:
    odd = deployment()
    odd["spec"]["template"]["spec"]["affinity"] = {
        "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": 3}]}
    }
    with pytest.raises(InputError) as caught:
        read([odd])
    assert [p.message.rpartition("Execution.")[2] for p in caught.value.problems] == [
        "0.labelSelector must be a mapping, is a number",
        "0 needs topologyKey",
    ]


def test_what_is_not_modelled_is_an_assumption() -> None:
    found = read([deployment(), {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}])
    assert [a.subject for a in found.assumptions] == ["ConfigMap c"]


def test_lists_are_opened_and_a_bare_pod_is_run() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "p", "image": "p:1"}]}}
    found = read([{"apiVersion": "v1", "kind": "List", "items": [deployment(), pod]}])
    assert [w.name for w in found.workloads] == ["web", "p"]


def test_every_fault_at_once_with_its_place(tmp_path: Path) -> None:
    text = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: three
  template:
    spec:
      containers:
        - {name: web, image: web, resources: {requests: {cpu: lots}}}
---
kind: Service
"""
    assert faults(text, tmp_path) == [
        "m.yaml:9:58 spec.template.spec.containers.0.resources.requests.cpu is no quantity: 'lots' is not a quantity;"
        " expected a number with an optional suffix such as 250m, 1.5, 2k or 512Mi",
        "m.yaml:5:3 spec.replicas must be a whole number, is text",
        "m.yaml:11:1 document is no Kubernetes object: it needs apiVersion, kind and metadata.name",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "m.yaml:2:1 not YAML"),
        ("a: 1\na: 2\n", "m.yaml:2:1 the key 'a' stands twice"),
        ("a: &a [*a]", "m.yaml:1:4 an anchor contains itself"),
        ("", "there is nothing to simulate"),
        ("{kind: ConfigMap, apiVersion: v1, metadata: {name: c}}", "no Deployment, StatefulSet, DaemonSet or Job"),
        ("[" * 3000, "m.yaml"),
        ("? [a]\n: b", "m.yaml"),
        ("\x00", "m.yaml"),
    ],
)
def test_no_yaml_or_nothing_to_simulate(text: str, message: str, tmp_path: Path) -> None:
    assert message in faults(text, tmp_path)[0]


def test_alias_bomb_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    assert "expand to more than" in faults("\n".join(lines), tmp_path)[0]


def test_places_that_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(InputError) as caught:
        read([tmp_path / "fifo", tmp_path / "absent.yaml"])
    assert [p.message for p in caught.value.problems] == ["is not a regular file", "cannot be read: No such file or directory"]


def test_directory_is_read_in_order_and_kustomize_is_told_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: {spec: {containers: [{name: w, image: w}]}}}}"
    )
    (tmp_path / "notes.txt").write_text("not: [read")
    found = read([tmp_path])
    assert found.workloads[0].source == f"{tmp_path / 'b.yaml'}:1:1"
    (tmp_path / "kustomization.yaml").write_text("resources: [b.yaml]")
    with pytest.raises(InputError, match="kubectl kustomize"):
        read([tmp_path])


def test_service_without_selector_selects_nothing() -> None:
    (found,) = read([deployment(), service() | {"spec": {}}]).services
    assert found.workloads == ()
