"""Every selector, port, claim, map and account leads to something; the finding stands where it does not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from migrate.findings import Unusable
from migrate.verify import check
from migrate.verify.read import read_manifests

SOUND = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: web}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a.conf: text}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  serviceName: web
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: web
      containers:
      - name: web
        image: web:1
        ports: [{name: http, containerPort: 8080}]
        env: [{name: A, valueFrom: {configMapKeyRef: {name: settings, key: a.conf}}}]
        envFrom: [{secretRef: {name: given, optional: true}}]
        readinessProbe: {tcpSocket: {port: http}}
        volumeMounts: [{name: data, mountPath: /data}, {name: conf, mountPath: /conf}, {name: own, mountPath: /own}]
      volumes:
      - {name: data, persistentVolumeClaim: {claimName: data}}
      - {name: conf, configMap: {name: settings, items: [{key: a.conf, path: a.conf}]}}
  volumeClaimTemplates:
  - {metadata: {name: own}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: web}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web}
spec: {podSelector: {matchExpressions: [{key: app, operator: In, values: [web]}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}
"""

Change = Callable[[dict[str, Any]], Any]


def put(*path: Any, value: Any) -> Change:
    def change(manifest: dict[str, Any]) -> None:
        place: Any = manifest
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


POD = ("spec", "template", "spec")
BACKEND = ("spec", "rules", 0, "http", "paths", 0, "backend", "service")
CONTAINER = (*POD, "containers", 0)
BROKEN: list[tuple[str, Change, str]] = [
    ("Service", put("spec", "selector", "app", value="x"), "spec.selector: the selector leads to no pod"),
    (
        "Service",
        put("spec", "ports", 0, "targetPort", value="x"),
        "spec.ports[0].targetPort: no container of the selected pods",
    ),
    ("StatefulSet", put("spec", "serviceName", value="x"), "spec.serviceName: Service 'x' is not there"),
    (
        "StatefulSet",
        put("spec", "selector", "matchLabels", value={"b": "c"}),
        "spec.selector: the selector does not select the workload's own",
    ),
    ("StatefulSet", put(*POD, "serviceAccountName", value="x"), "ServiceAccount 'x' is not there"),
    ("StatefulSet", put(*POD, "volumes", 0, "persistentVolumeClaim", "claimName", value="x"), "PersistentVolumeClaim 'x' is not there"),
    ("StatefulSet", put(*POD, "volumes", 1, "configMap", "name", value="x"), "ConfigMap 'x' is not there"),
    ("StatefulSet", put(*POD, "volumes", 1, "configMap", "items", 0, "key", value="x"), "ConfigMap 'settings' has no key 'x'"),
    ("StatefulSet", put(*POD, "volumes", 1, "name", value="x"), "volumeMounts[1].name: the pod has no volume 'conf'"),
    ("StatefulSet", put(*CONTAINER, "env", 0, "valueFrom", "configMapKeyRef", "key", value="x"), "ConfigMap 'settings' has no key 'x'"),
    ("StatefulSet", put(*CONTAINER, "envFrom", 0, "secretRef", value={"name": "x"}), "envFrom[0].secretRef.name: Secret 'x' is not there"),
    ("StatefulSet", put(*CONTAINER, "readinessProbe", "tcpSocket", "port", value="x"), "no port named 'x', so the probe cannot run"),
    ("HorizontalPodAutoscaler", put("spec", "scaleTargetRef", "name", value="x"), "StatefulSet 'x' is not there"),
    ("PodDisruptionBudget", put("spec", "selector", "matchLabels", value={"b": "c"}), "spec.selector: the selector leads to no pod"),
    ("NetworkPolicy", put("spec", "podSelector", value={"matchLabels": {"b": "c"}}), "spec.podSelector: the selector leads to no pod"),
    ("Ingress", put(*BACKEND, "name", value="x"), "Service 'x' is not there"),
    (
        "Ingress",
        put(*BACKEND, "port", "number", value=8),
        "Service 'web' has no port 8",
    ),
]
TWICE: list[tuple[str, Change, str]] = [
    ("StatefulSet", put(*CONTAINER, "volumeMounts", 1, "mountPath", value="/data"), "mount path '/data' is given twice"),
    ("StatefulSet", put(*POD, "volumes", 1, "name", value="data"), "volume 'data' is given twice"),
    ("Service", lambda m: m["spec"]["ports"].append({"name": "b", "port": 80}), "port 80/TCP is given twice"),
    ("ConfigMap", lambda m: m.update(kind="ServiceAccount", metadata={"name": "web"}), "ServiceAccount 'web' is given twice"),
]


def objects() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(SOUND))


def broken(kind: str, change: Change) -> list[tuple[str, str]]:
    manifests = objects()
    change(next(manifest for manifest in manifests if manifest["kind"] == kind))
    return [(f.code, f.message) for f in check(manifests, kubernetes_version="1.35")]


def test_a_sound_set_has_no_findings() -> None:
    assert check(objects(), kubernetes_version="1.35") == ()


@pytest.mark.parametrize(("kind", "change", "part"), BROKEN, ids=[part for _, _, part in BROKEN])
def test_reference_to_nothing(kind: str, change: Change, part: str) -> None:
    assert [code for code, message in broken(kind, change) if part in message] == ["MIG931"]


@pytest.mark.parametrize(("kind", "change", "part"), TWICE, ids=[part for _, _, part in TWICE])
def test_given_twice(kind: str, change: Change, part: str) -> None:
    assert [code for code, message in broken(kind, change) if part in message] == ["MIG933"]


def test_what_the_cluster_has_beforehand_is_named_by_annotation_or_by_option() -> None:
    manifests = objects()
    manifests[4]["spec"]["template"]["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] = "old"
    assert [f.code for f in check(manifests, kubernetes_version="1.35")] == ["MIG931"]
    assert check(manifests, kubernetes_version="1.35", external=["pvc/old"]) == ()
    manifests[4]["metadata"]["annotations"] = {"compose-cutover/external": "secret/a,persistentvolumeclaim/old"}
    assert check(manifests, kubernetes_version="1.35") == ()


def test_other_namespaces_are_other_worlds() -> None:
    manifests = objects()
    manifests[3]["metadata"]["namespace"] = "elsewhere"
    parts = {f.message.split(": ")[1] for f in check(manifests, kubernetes_version="1.35")}
    assert parts == {"spec.selector", "spec.serviceName", "spec.rules[0].http.paths[0].backend.service.name"}


def test_findings_stand_on_the_line_of_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SOUND.replace("claimName: data", "claimName: gone"))
    (tmp_path / "README.md").write_text("no manifest")
    read = read_manifests(str(tmp_path))
    [finding] = check(read.objects, kubernetes_version="1.35", places=read.places)
    line = next(number for number, text in enumerate(SOUND.splitlines(), 1) if "claimName" in text)
    assert finding.span is not None and (finding.span.file, finding.span.line) == (str(tmp_path / "a.yaml"), line)


def test_items_of_a_list_are_objects(tmp_path: Path) -> None:
    item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    (tmp_path / "l.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [item]}))
    assert [m["metadata"]["name"] for m in read_manifests(str(tmp_path / "l.json")).objects] == ["a"]


@pytest.mark.parametrize("text", ["", "- a\n", "a: [\n", "\x00", "# nothing\n---\n"])
def test_what_holds_no_manifest_cannot_be_verified(text: str) -> None:
    with pytest.raises(Unusable):
        read_manifests("-", lambda: text)


def test_nothing_is_read_from_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in (tmp_path / "pipe", tmp_path / "gone", tmp_path, Path("/dev/zero")):
        with pytest.raises(Unusable) as error:
            read_manifests(str(name))
        assert str(name) in error.value.findings[0].message
