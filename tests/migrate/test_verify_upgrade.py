"""Manifests of APIs that are gone: told, understood, and written for those that replace them, with the old defaults kept."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from migrate.cli import main, program
from migrate.findings import Unusable
from migrate.verify import check
from migrate.verify.schema import served, versions
from migrate.verify.served import REMOVED
from migrate.verify.upgrade import upgrade

DEMO = """
apiVersion: extensions/v1beta1
kind: Deployment
metadata: {name: ghost, namespace: dev}
spec:
  replicas: 4
  strategy: {rollingUpdate: {maxSurge: 2}}
  template:
    metadata: {labels: {app: ghost}}
    spec: {containers: [{name: ghost, image: "ghost:1", ports: [{containerPort: 2368}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: ghost, namespace: dev}
spec: {selector: {app: ghost}, type: LoadBalancer, ports: [{name: http, port: 80, targetPort: 2368}]}
---
apiVersion: extensions/v1beta1
kind: Ingress
metadata: {name: ghost, namespace: dev, annotations: {kubernetes.io/ingress.class: traefik}}
spec:
  backend: {serviceName: ghost, servicePort: http}
  rules: [{host: ghost.example.com, http: {paths: [{backend: {serviceName: ghost, servicePort: 80}}]}}]
---
apiVersion: autoscaling/v2beta1
kind: HorizontalPodAutoscaler
metadata: {name: ghost, namespace: dev}
spec:
  scaleTargetRef: {apiVersion: extensions/v1beta1, kind: Deployment, name: ghost}
  minReplicas: 1
  maxReplicas: 10
  metrics:
  - {type: Resource, resource: {name: cpu, targetAverageUtilization: 20}}
  - {type: Pods, pods: {metricName: requests, targetAverageValue: "5"}}
  - {type: Object, object: {target: {kind: Service, name: ghost}, metricName: hits, targetValue: "9"}}
---
apiVersion: batch/v1beta1
kind: CronJob
metadata: {name: nightly, namespace: dev}
spec:
  schedule: "0 3 * * *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: "a:1"}]}}}}
---
apiVersion: extensions/v1beta1
kind: DaemonSet
metadata: {name: agent, namespace: dev}
spec:
  templateGeneration: 3
  template: {metadata: {labels: {app: agent}}, spec: {containers: [{name: agent, image: "agent:1"}]}}
---
apiVersion: apps/v1beta1
kind: StatefulSet
metadata: {name: db, namespace: dev}
spec:
  serviceName: ghost
  template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, image: "db:1"}]}}
---
apiVersion: rbac.authorization.k8s.io/v1beta1
kind: ClusterRole
metadata: {name: agent}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: policy/v1beta1
kind: PodDisruptionBudget
metadata: {name: none, namespace: dev}
spec: {maxUnavailable: 1, selector: {}}
"""


def demo() -> dict[str, dict[str, Any]]:
    return {f"{d['kind']} {d['metadata']['name']}": d for d in yaml.safe_load_all(DEMO)}


def upgraded(name: str) -> dict[str, Any]:
    made = upgrade(demo()[name], 35)
    assert made is not None
    return made.manifest


def test_what_was_upgraded_has_no_fault_in_any_version_since() -> None:
    manifests = [made.manifest if (made := upgrade(m, 35)) is not None else m for m in demo().values()]
    for version in versions()[1:]:
        told = [f.message for f in check(manifests, kubernetes_version=version)]
        # A selector that selects nothing is what was asked for.
        assert told == ["PodDisruptionBudget none: spec.selector: the selector leads to no pod"], version


def test_a_deployment_keeps_the_defaults_of_its_old_api() -> None:
    spec = upgraded("Deployment ghost")["spec"]
    assert spec["selector"] == {"matchLabels": {"app": "ghost"}}
    assert spec["strategy"] == {"rollingUpdate": {"maxSurge": 2, "maxUnavailable": 1}}
    assert spec["progressDeadlineSeconds"] == spec["revisionHistoryLimit"] == 2**31 - 1


def test_a_recreated_deployment_has_no_rolling_update() -> None:
    old = demo()["Deployment ghost"]
    old["spec"]["strategy"] = {"type": "Recreate"}
    made = upgrade(old, 35)
    assert made is not None and made.manifest["spec"]["strategy"] == {"type": "Recreate"}


def test_daemon_sets_and_stateful_sets_were_updated_on_delete() -> None:
    assert upgraded("DaemonSet agent")["spec"]["updateStrategy"] == {"type": "OnDelete"}
    assert "templateGeneration" not in upgraded("DaemonSet agent")["spec"]
    assert upgraded("StatefulSet db")["spec"]["updateStrategy"] == {"type": "OnDelete"}


def test_backends_of_an_ingress() -> None:
    spec = upgraded("Ingress ghost")["spec"]
    assert spec["defaultBackend"] == {"service": {"name": "ghost", "port": {"name": "http"}}} and "backend" not in spec
    (path,) = spec["rules"][0]["http"]["paths"]
    assert path == {"backend": {"service": {"name": "ghost", "port": {"number": 80}}}, "pathType": "ImplementationSpecific"}


def test_metrics_of_an_autoscaler_and_its_target() -> None:
    spec = upgraded("HorizontalPodAutoscaler ghost")["spec"]
    assert spec["scaleTargetRef"]["apiVersion"] == "apps/v1"
    assert [m[m["type"].lower()] for m in spec["metrics"]] == [
        {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 20}},
        {"metric": {"name": "requests"}, "target": {"type": "AverageValue", "averageValue": "5"}},
        {
            "describedObject": {"kind": "Service", "name": "ghost"},
            "metric": {"name": "hits"},
            "target": {"type": "Value", "value": "9"},
        },
    ]


def test_a_target_of_a_removed_api_is_told_also_of_an_autoscaler_of_today() -> None:
    today = upgraded("HorizontalPodAutoscaler ghost")
    today["spec"]["scaleTargetRef"]["apiVersion"] = "extensions/v1beta1"
    told = [f.message for f in check([today], kubernetes_version="1.35") if f.code == "MIG932"]
    assert told == [
        "HorizontalPodAutoscaler ghost: spec.scaleTargetRef.apiVersion: extensions/v1beta1 Deployment is not served; write apps/v1"
    ]
    made = upgrade(today, 35)
    assert made is not None and made.manifest == upgraded("HorizontalPodAutoscaler ghost")


def test_faults_of_an_old_object_are_seen_through_its_version() -> None:
    old = demo()["Ingress ghost"]
    old["spec"]["rules"][0]["http"]["paths"][0]["backend"]["serviceName"] = "nobody"
    told = [f.message for f in check([*demo().values(), old], kubernetes_version="1.35")]
    assert any("Service 'nobody' is not there" in message for message in told)


def test_the_upgrade_changes_nothing_of_its_input() -> None:
    before = demo()
    kept = copy.deepcopy(before)
    for manifest in before.values():
        upgrade(manifest, 35)
    assert before == kept


@pytest.mark.parametrize(("api_version", "kind"), sorted(REMOVED))
def test_every_removed_api_is_upgraded_to_one_that_is_served_or_has_no_successor(api_version: str, kind: str) -> None:
    manifest = {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "a"},
        "spec": {"template": {"metadata": {"labels": {"a": "b"}}}},
    }
    since, _ = REMOVED[api_version, kind]
    assert upgrade(manifest, since - 1) is None
    made = upgrade(manifest, since)
    if made is None:
        assert kind in ("PodSecurityPolicy", "CustomResourceDefinition", "EndpointSlice")
    else:
        assert any(served(made.manifest["apiVersion"], kind, version) for version in versions())


def test_verify_tells_and_writes(tmp_path: Path) -> None:
    old = tmp_path / "old.yaml"
    old.write_text(DEMO)
    runner = CliRunner()
    told = runner.invoke(program, ["verify", str(old)], standalone_mode=False)
    assert told.return_value == 1 and told.stdout.count("MIG932") == 9
    assert "spec.selector is required: the labels of the template" in told.stdout
    written = runner.invoke(program, ["verify", str(old), "--upgrade"], standalone_mode=False)
    assert [d["apiVersion"] for d in yaml.safe_load_all(written.stdout)][:3] == ["apps/v1", "v1", "networking.k8s.io/v1"]
    assert "MIG932" not in written.stderr
    assert main(["verify", str(old), "--upgrade", "--format", "json"]) == 2


@pytest.mark.parametrize(("form", "advice"), [("helm", "helm template"), ("kustomize", "kubectl kustomize")])
def test_a_chart_or_kustomization_is_no_directory_of_objects(tmp_path: Path, form: str, advice: str) -> None:
    (tmp_path / "compose.yaml").write_text("services: {web: {image: 'web:1'}}\n")
    out = tmp_path / "out"
    assert (
        main(["--project-directory", str(tmp_path), "convert", "-f", str(tmp_path / "compose.yaml"), "--format", form, "-o", str(out)]) == 0
    )
    told = CliRunner().invoke(program, ["verify", str(out)], standalone_mode=False)
    assert isinstance(told.exception, Unusable)
    (finding,) = told.exception.findings
    assert "must be built" in finding.message and advice in finding.advice
