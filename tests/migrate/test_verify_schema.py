"""The schema walker against the library that carries the schemas, and what an API server refuses beside."""

from __future__ import annotations

import copy
import functools
import json
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from referencing import Registry, Resource

from migrate.findings import Unusable
from migrate.verify import check, schema
from migrate.verify.schema import misfits, versions


def deployment(**spec: Any) -> dict[str, Any]:
    container = {"name": "web", "image": "web:1", "ports": [{"name": "http", "containerPort": 8080}]}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template, **spec},
    }


def changed(path: str, value: Any) -> dict[str, Any]:
    """A Deployment with one value put at a dotted path; `DEL` takes it away."""
    manifest = copy.deepcopy(deployment())
    *steps, last = path.split(".")
    place: Any = manifest
    for step in steps:
        place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
    if value == "DEL":
        del place[last]
    else:
        place[last] = value
    return manifest


CHANGES = [
    ("spec.replicas", "3"),
    ("spec.replicas", 3),
    ("spec.replicas", 3.0),
    ("spec.replicas", 1.5),
    ("spec.replicas", True),
    ("spec.replicas", None),
    ("spec.selector", "DEL"),
    ("spec.template", "DEL"),
    ("spec.tempalte", {}),
    ("spec.template.spec.containers", "DEL"),
    ("spec.template.spec.containers.0.imagez", "x"),
    ("spec.template.spec.containers.0.image", 5),
    ("spec.template.spec.containers", ["x"]),
    ("spec.template.spec.containers.0.env", [{"name": "A", "value": 1}]),
    ("spec.template.spec.containers.0.env", [{"value": "1"}]),
    ("spec.template.spec.containers.0.ports.0.containerPort", "80"),
    ("spec.template.spec.containers.0.ports.0.containerPort", "DEL"),
    ("spec.template.spec.containers.0.resources", {"limits": {"cpu": 1, "memory": "1Gi"}}),
    ("spec.template.spec.containers.0.resources", {"limits": {"cpu": True}}),
    ("spec.template.spec.containers.0.resources", {"limits": {"cpu": None}}),
    ("spec.template.spec.containers.0.readinessProbe", {"tcpSocket": {"port": "http"}}),
    ("spec.template.spec.containers.0.readinessProbe", {"tcpSocket": {"port": [1]}}),
    ("spec.template.spec.containers.0.readinessProbe", {"tcpSocket": {}}),
    ("spec.strategy", {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}),
    ("spec.strategy", {"rollingUpdate": {"maxSurge": 1.5}}),
    ("spec.template.metadata.labels", {"a": 1}),
    ("metadata.annotations", {"a": None}),
    ("spec.template.spec.volumes", [{"name": "a", "emptyDir": {}}]),
    ("spec.template.spec.hostAliases", [{"ip": "10.0.0.1", "hostnames": "a"}]),
    ("metadata", "DEL"),
    ("kind", "Deployment"),
    ("status", {"x": 1}),
]


@functools.cache
def library() -> jsonschema.Draft202012Validator:
    """What `kubernetes_validate.validate(..., strict=True)` judges by, read once."""
    folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / "v1.35.0-local-strict"
    schema, definitions = (json.loads((folder / name).read_text()) for name in ("deployment-apps-v1.json", "_definitions.json"))
    return jsonschema.Draft202012Validator(schema, registry=Resource.from_contents(definitions) @ Registry())


@pytest.mark.parametrize(("path", "value"), CHANGES)
def test_walker_and_library_agree(path: str, value: Any) -> None:
    manifest = changed(path, value)
    assert (not list(misfits(manifest, "1.35"))) == library().is_valid(manifest)


def test_worked_examples_of_the_specification_fit(shared: Path) -> None:
    text = (shared / "specs" / "conversion.md").read_text().split("## 6.")[1].split("## 7.")[0]
    blocks = [block.split("```")[0] for block in text.split("```yaml\n")[1:]]
    manifests = [document for block in blocks for document in yaml.safe_load_all(block)]
    assert len(manifests) > 20
    for manifest in manifests:
        assert not [misfit for version in ("1.29", "1.35", "1.37") for misfit in misfits(manifest, version)]


def messages(*manifests: dict[str, Any], version: str = "1.35", **options: Any) -> list[tuple[str, str]]:
    return [(f.code, f.message) for f in check(manifests, kubernetes_version=version, **options)]


def test_a_sound_object_has_no_finding_in_any_version() -> None:
    assert {version: messages(deployment(), version=version) for version in versions()} == {version: [] for version in versions()}


def test_unknown_field_is_told_with_its_place_and_the_nearest_known_one() -> None:
    assert messages(changed("spec.template.spec.containers.0.imagez", "x")) == [
        ("MIG930", "Deployment web: spec.template.spec.containers[0].imagez: unknown field 'imagez', did you mean 'image'?")
    ]


def test_no_value_of_the_environment_is_shown() -> None:
    [(_, message)] = messages(changed("spec.template.spec.containers.0.env", [{"name": "PASSWORD", "value": 4711}]))
    assert "4711" not in message and "env[0].value" in message


REFUSED = [
    ("metadata.name", "Web_1", "not a DNS name"),
    ("spec.template.metadata.labels.app", "a b", "not a legal label value"),
    ("spec.template.spec.restartPolicy", "Never", "restarts its pods Always"),
    ("spec.template.spec.hostname", "a.b", "not a DNS label"),
    ("spec.template.spec.containers.0.name", "My_Web", "not a DNS label"),
    ("spec.template.spec.containers.0.ports.0.containerPort", 0, "not a port"),
    ("spec.template.spec.containers.0.ports.0.name", "much-too-long-name", "not a port name"),
    ("spec.template.spec.containers.0.resources", {"requests": {"cpu": "2"}, "limits": {"cpu": "1500m"}}, "more than the limit"),
    ("spec.template.spec.containers.0.resources", {"requests": {"cpu": "1,5"}}, "not a quantity"),
    ("spec.template.spec.containers.0.readinessProbe", {"exec": {"command": []}}, "nothing to run"),
    ("spec.template.spec.containers.0.readinessProbe", {"periodSeconds": 5}, "has one of"),
    ("spec.strategy", {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}, "not allowed with type Recreate"),
    ("spec.strategy", {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}, "must not both be 0"),
    ("spec.minReadySeconds", 600, "greater than minReadySeconds"),
    ("spec.replicas", -1, "not at least 0"),
]


@pytest.mark.parametrize(("path", "value", "part"), REFUSED)
def test_what_the_schema_admits_and_the_server_refuses(path: str, value: Any, part: str) -> None:
    found = [m for m in messages(changed(path, value)) if part in m[1]]
    assert len(found) == 1 and found[0][0] == "MIG930"


def test_a_service_without_ports_is_headless() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}}}
    assert [m for _, m in messages(deployment(), service)] == ["Service web: spec.ports: only a headless Service may be without ports"]
    service["spec"]["clusterIP"] = "None"
    assert messages(deployment(), service) == []


@pytest.mark.parametrize(
    ("api_version", "kind", "version", "code"),
    [
        ("extensions/v1beta1", "Ingress", "1.35", "MIG932"),
        ("policy/v1beta1", "PodSecurityPolicy", "1.25", "MIG932"),
        ("autoscaling/v2beta2", "HorizontalPodAutoscaler", "1.25", "MIG944"),
        ("apps/v1", "Deploymet", "1.35", "MIG932"),
        ("networking.k8s.io/v1", "ServiceCIDR", "1.32", "MIG932"),
        ("example.org/v1", "Thing", "1.35", None),
        ("k8s.cni.cncf.io/v1", "NetworkAttachmentDefinition", "1.35", None),
    ],
)
def test_apis_that_are_not_served(api_version: str, kind: str, version: str, code: str | None) -> None:
    manifest = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}}
    codes = [c for c, _ in messages(manifest, version=version) if c != "MIG930"]
    assert codes == ([code] if code else [])


def test_schemas_that_are_not_installed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("migrate.verify.schema.find_spec", lambda name: None)
    with pytest.raises(Unusable, match=r"kubernetes-validate.* is not installed"):
        schema._schemas()
