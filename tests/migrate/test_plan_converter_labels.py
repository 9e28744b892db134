"""Labels that other converters read: honoured where the table of them says so (peer-converters.md 2)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.migrate.planned import contains, objects_of, plan_of, pod

KATENARY = """
services:
  web:
    image: web:1
    environment: {MODE: hidden, SHOWN: x}
    labels:
      katenary.v3/ports: |-
        - 8080
      katenary.v3/secrets: |-
        - MODE
      katenary.v3/ingress: |-
        hostname: a.example
        port: 8080
        path: /x
      katenary.v3/health-check: |-
        livenessProbe:
          httpGet: {path: /up, port: 8080}
          periodSeconds: 7
  gone: {image: x, labels: {katenary.v3/ignore: "true"}}
  nightly: {image: x, labels: {katenary.v3/cronjob: "schedule: '@daily'"}}
  side: {image: x, labels: {katenary.v3/same-pod: web}}
  odd: {image: x, labels: {katenary.v3/exchange-volumes: "x"}}
"""


def test_katenary_labels(tmp_path: Path) -> None:
    objects = objects_of(tmp_path, KATENARY)
    assert contains(objects["Service/web"]["spec"], {"ports": [{"port": 8080}]})
    assert objects["Secret/web-env"]["stringData"] == {"MODE": "hidden"}
    path = objects["Ingress/web"]["spec"]["rules"][0]
    assert (path["host"], path["http"]["paths"][0]["path"]) == ("a.example", "/x")
    web, side = pod(objects["Deployment/web"])["containers"]
    assert (web["livenessProbe"]["httpGet"], web["livenessProbe"]["periodSeconds"], side["name"]) == (
        {"path": "/up", "port": 8080},
        7,
        "side",
    )
    assert objects["CronJob/nightly"]["spec"]["schedule"] == "@daily"
    assert not [k for k in objects if k.endswith("/gone")]
    told = next(f for f in plan_of(tmp_path, KATENARY).findings if "another converter" in f.message)
    assert told.path == "services.odd.labels.katenary.v3/exchange-volumes"


KOMPOSE = """
services:
  a:
    image: x:1
    ports: ["8080:80"]
    volumes: ["vol:/data"]
    labels:
      kompose.service.type: nodeport
      kompose.service.nodeport.port: "31000"
      kompose.image-pull-policy: Never
      kompose.image-pull-secret: registry
      kompose.security-context.fsgroup: "77"
      kompose.volume.size: 3Gi
      kompose.volume.storage-class-name: fast
      kompose.serviceaccount-name: robot
      kompose.init.containers.name: first
      kompose.init.containers.image: "busybox:1"
      kompose.init.containers.command: "['echo', 'hi']"
      kompose.service.expose: "a.example/x,b.example"
      kompose.service.expose.tls-secret: my-tls
      kompose.service.expose.ingress-class-name: nginx
volumes: {vol: }
"""


def test_kompose_labels(tmp_path: Path) -> None:
    objects = objects_of(tmp_path, KOMPOSE)
    published = objects["Service/a-published"]["spec"]
    assert (published["type"], published["ports"][0]["nodePort"]) == ("NodePort", 31000)
    found = pod(objects["StatefulSet/a"])
    assert (found["imagePullSecrets"], found["serviceAccountName"]) == ([{"name": "registry"}], "robot")
    assert found["securityContext"]["fsGroup"] == 77
    assert found["containers"][0]["imagePullPolicy"] == "Never"
    assert contains(found["initContainers"], [{"name": "first", "image": "busybox:1", "command": ["echo", "hi"]}])
    (claim,) = objects["StatefulSet/a"]["spec"]["volumeClaimTemplates"]
    assert contains(claim["spec"], {"storageClassName": "fast", "resources": {"requests": {"storage": "3Gi"}}})
    ingress = objects["Ingress/a"]["spec"]
    assert (ingress["ingressClassName"], ingress["tls"]) == ("nginx", [{"hosts": ["a.example", "b.example"], "secretName": "my-tls"}])
    assert [r["host"] for r in ingress["rules"]] == ["a.example", "b.example"]


def test_bad_values_are_errors(tmp_path: Path) -> None:
    text = """
services:
  a: {image: x, ports: ["1:1", "2:2"], labels: {kompose.service.type: nodeport, kompose.service.nodeport.port: "31000"}}
  b: {image: x, ports: ["3:3"], labels: {kompose.service.type: nonsense}}
"""
    plan = plan_of(tmp_path, text)
    assert sorted(f.service or "" for f in plan.findings if f.code == "MIG319") == ["a", "b"]


def test_name_override_names_the_objects_and_the_key_still_answers(tmp_path: Path) -> None:
    text = "services: {web: {image: x, expose: ['80'], labels: {kompose.service.name_override: front}}}"
    objects = objects_of(tmp_path, text)
    assert objects["Service/web"]["spec"] == objects["Service/front"]["spec"]
    assert "Deployment/front" in objects


def test_katenary_schedule_with_its_own_command_and_image_and_mapped_variables(tmp_path: Path) -> None:
    text = """
services:
  a:
    image: x:1
    environment: {DB_HOST: database}
    labels:
      katenary.v3/cronjob: "{schedule: '0 3 * * *', command: 'dump | gzip', image: 'tool:2'}"
      katenary.v3/map-env: "{DB_HOST: __APP__-postgres}"
"""
    spec = objects_of(tmp_path, text)["CronJob/a"]["spec"]
    (container,) = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["command"]) == ("tool:2", ["/bin/sh", "-c", "dump | gzip"])
    assert container["env"] == [{"name": "DB_HOST", "value": "postgres"}]


BAD = {
    "kompose.volume.type": ("nfs", "MIG009"),
    "kompose.image-pull-policy": ("Sometimes", "MIG009"),
    "kompose.security-context.fsgroup": ("staff", "MIG007"),
    "kompose.volume.size": ("10GB", "MIG032"),
    "kompose.ephemeral-storage.limit": ("much", "MIG032"),
    "kompose.cronjob.backoff_limit": ("few", "MIG146"),
    "kompose.cronjob.concurrency_policy": ("Sometimes", "MIG146"),
    "kompose.cronjob.schedule": ("0 25 * * *", "MIG146"),
    "kompose.controller.type": ("replicationcontroller", "MIG111"),
    "kompose.init.containers.name": ("first", "MIG008"),
    "kompose.hpa.cpu": ("many", "MIG625"),
    "kompose.service.type": ("foo", "MIG319"),
}


@pytest.mark.parametrize("label", BAD)
def test_a_bad_value_of_a_label_is_an_error(label: str, tmp_path: Path) -> None:
    value, code = BAD[label]
    more = ", kompose.cronjob.schedule: '@daily'" if label.startswith("kompose.cronjob.") and "schedule" not in label else ""
    labels = f"{label}: '{value}'{more}"
    text = f"services: {{a: {{image: 'x:1', ports: ['80:80'], volumes: ['vol:/data'], labels: {{{labels}}}}}}}\nvolumes: {{vol: }}"
    found = [f for f in plan_of(tmp_path, text).findings if f.code == code]
    assert found and {f.severity.value for f in found} == {"error"}
    assert found[0].span is not None and found[0].span.line == 1


@pytest.mark.parametrize(
    "label",
    [
        "kompose.serviceaccount-name", "kompose.volume.storage-class-name", "kompose.image-pull-secret",
        "kompose.service.expose.ingress-class-name", "kompose.service.expose.tls-secret",
    ],
)  # fmt: skip
def test_a_label_that_names_no_object_is_an_error_and_is_not_written(label: str, tmp_path: Path) -> None:
    labels = f"kompose.service.expose: a.example, {label}: 'Not A Name'"
    text = f"services: {{a: {{image: 'x:1', ports: ['80:80'], volumes: ['vol:/data'], labels: {{{labels}}}}}}}\nvolumes: {{vol: }}"
    assert [f.path for f in plan_of(tmp_path, text).findings if f.code == "MIG009"] == [f"services.a.labels.{label}"]
    assert "Not A Name" not in str(objects_of(tmp_path, text))


def test_labels_under_deploy(tmp_path: Path) -> None:
    text = """
services:
  a:
    image: x
    deploy:
      labels:
        kompose.service.type: nodeport
        kompose.ephemeral-storage.limit: 1Gi
        traefik.http.routers.r.rule: Host(`a.example`)
        traefik.http.services.r.loadbalancer.server.port: "8080"
"""
    objects = objects_of(tmp_path, text)
    assert objects["Ingress/a"]["spec"]["rules"][0]["host"] == "a.example"
    assert objects["Service/a"]["spec"]["ports"][0]["port"] == 8080
    assert pod(objects["Deployment/a"])["containers"][0]["resources"]["limits"] == {"ephemeral-storage": "1Gi"}
    assert [f.path for f in plan_of(tmp_path, text).findings if f.code == "MIG910" and f.action == "dropped"] == [
        "services.a.deploy.labels.kompose.service.type"
    ]


def test_an_init_container_named_like_the_container_gets_another_name(tmp_path: Path) -> None:
    text = "services: {web: {image: x, labels: {kompose.init.containers.name: web, kompose.init.containers.image: busybox}}}"
    spec = pod(objects_of(tmp_path, text)["Deployment/web"])
    assert spec["initContainers"][0]["name"] != spec["containers"][0]["name"] == "web"
