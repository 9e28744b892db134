# ruff: noqa: E501
"""H1 to H5 (2.12) and O1 to O6 (2.11)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.migrate.planned import codes, objects_of, plan_of, pod

PROBES: dict[str, tuple[str, dict[str, Any] | None]] = {
    "H1 disabled": ("ports: ['80:80'], healthcheck: {disable: true}", None),
    "H1 NONE": ("ports: ['80:80'], healthcheck: {test: [NONE]}", None),
    "H3 list": (
        "healthcheck: {test: [CMD, ok]}",
        {"exec": {"command": ["ok"]}, "periodSeconds": 30, "timeoutSeconds": 30, "failureThreshold": 3},
    ),
    "H3 rounded": (
        "healthcheck: {test: ok, interval: 1500ms, timeout: 200ms, retries: 2}",
        {"exec": {"command": ["/bin/sh", "-c", "ok"]}, "periodSeconds": 2, "timeoutSeconds": 1, "failureThreshold": 2},
    ),
    "H5 published": ("ports: ['80:8080']", {"tcpSocket": {"port": 8080}, "periodSeconds": 10, "timeoutSeconds": 2, "failureThreshold": 3}),
    "no H5 for udp": ("ports: ['53:53/udp']", None),
    "no H5 for several ports": ("ports: ['80:80', '81:81']", None),
}


@pytest.mark.parametrize("case", PROBES)
def test_readiness(case: str, tmp_path: Path) -> None:
    service, wanted = PROBES[case]
    found = pod(objects_of(tmp_path, f"services: {{a: {{image: x, {service}}}}}")["Deployment/a"])["containers"][0]
    assert found.get("readinessProbe") == wanted
    assert "livenessProbe" not in found and "startupProbe" not in found


def test_h2_labels_of_another_converter(tmp_path: Path) -> None:
    labels = "{kompose.service.healthcheck.readiness.http_get_path: /up, kompose.service.healthcheck.readiness.http_get_port: '80', kompose.service.healthcheck.readiness.interval: 5s}"
    found = pod(objects_of(tmp_path, f"services: {{a: {{image: x, labels: {labels}}}}}")["Deployment/a"])["containers"][0]
    assert found["readinessProbe"]["httpGet"] == {"path": "/up", "port": 80}
    assert found["readinessProbe"]["periodSeconds"] == 5


def test_h4_the_dockerfile_says_it(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "services: {a: {build: .}}", files={"Dockerfile": "FROM x\nHEALTHCHECK CMD curl -f http://localhost\n"})
    assert plan.services["a"].health.readiness is not None
    assert "MIG603" in codes(plan)


def test_liveness_only_when_asked_and_then_with_a_startup_probe(tmp_path: Path) -> None:
    text = "services: {a: {image: x, healthcheck: {test: ok, interval: 20s, retries: 3, start_period: 60s}}}"
    found = pod(objects_of(tmp_path, text, "project: {liveness: true}")["Deployment/a"])["containers"][0]
    assert (found["livenessProbe"]["failureThreshold"], found["startupProbe"]["periodSeconds"]) == (6, 10)
    assert found["startupProbe"]["failureThreshold"] == 12


def test_default_probe_can_be_switched_off(tmp_path: Path) -> None:
    text = "services: {a: {image: x, ports: ['80:80']}}"
    assert plan_of(tmp_path, text, "project: {defaultProbe: none}").services["a"].health.readiness is None


def waits(plan: Any, name: str) -> list[tuple[str, bool]]:
    return [(w.dependency, w.for_job) for w in plan.services[name].waits]


BASE = "db: {image: 'postgres:16', healthcheck: {test: pg_isready}}"


def test_o3_healthy_waits_for_the_name_of_a_ready_pod(tmp_path: Path) -> None:
    objects = objects_of(tmp_path, f"services: {{{BASE}, a: {{image: x, depends_on: {{db: {{condition: service_healthy}}}}}}}}")
    ready = objects["Service/db-ready"]["spec"]
    assert ready == {"clusterIP": "None", "selector": {"app.kubernetes.io/name": "db", "app.kubernetes.io/instance": "demo"}}
    security = pod(objects["Deployment/a"])["initContainers"][0]["securityContext"]
    assert security["capabilities"] == {"drop": ["ALL"]} and security["allowPrivilegeEscalation"] is False


def test_o3_without_a_known_check_waits_too_and_warns(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "services: {db: {image: 'unknown:1'}, a: {image: x, depends_on: {db: {condition: service_healthy}}}}")
    assert waits(plan, "a") == [("db", False)]
    assert "MIG142" in codes(plan)


@pytest.mark.parametrize(("said", "expected"), [("healthy", []), ("all", [("db", False)]), ("none", [])])
def test_o4_started_is_not_waited_for_unless_planned(said: str, expected: list[tuple[str, bool]], tmp_path: Path) -> None:
    plan = plan_of(tmp_path, f"services: {{{BASE}, a: {{image: x, depends_on: [db]}}}}", f"project: {{waits: {said}}}")
    assert waits(plan, "a") == expected


def test_o4_one_shots_wait_for_what_was_only_started(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, f"services: {{{BASE}, job: {{image: x, restart: 'no', depends_on: [db]}}}}")
    assert waits(plan, "job") == [("db", False)]


def test_o5_nothing_waits_for_what_does_not_run(tmp_path: Path) -> None:
    text = "services: {db: {image: x, deploy: {replicas: 0}}, a: {image: y, depends_on: {db: {condition: service_healthy, restart: true}}}}"
    plan = plan_of(tmp_path, text)
    assert waits(plan, "a") == []
    assert {"MIG145", "MIG144"} <= codes(plan)


def test_o1_no_wait_inside_a_pod(tmp_path: Path) -> None:
    text = "services: {a: {image: x, healthcheck: {test: ok}}, b: {image: y, network_mode: 'service:a', depends_on: {a: {condition: service_healthy}}}}"
    assert waits(plan_of(tmp_path, text), "b") == []
    found = pod(objects_of(tmp_path, text)["Deployment/a"])
    assert found["initContainers"][0]["restartPolicy"] == "Always"
    old = pod(objects_of(tmp_path, text, 'project: {kubernetesVersion: "1.28"}')["Deployment/a"])
    assert [c["name"] for c in old["containers"]] == ["a", "b"]


HTTP = {
    "curl": ("CMD-SHELL, 'curl -fsS --max-time 3 http://localhost:8080/up?x=1 || exit 1'", {"path": "/up?x=1", "port": 8080}),
    "wget": ("CMD, wget, --quiet, --tries=1, --spider, 'http://127.0.0.1/'", {"path": "/", "port": 80}),
    "header": (
        "CMD, curl, -f, -H, 'Host: a.b', 'https://localhost/x'",
        {"path": "/x", "port": 443, "scheme": "HTTPS", "httpHeaders": [{"name": "Host", "value": "a.b"}]},
    ),
    "two commands": ("CMD-SHELL, 'curl -f http://localhost/ && test -e /ok'", None),
    "a peer": ("CMD, curl, -f, 'http://db:80/'", None),
    "data": ("CMD, curl, -d, x, 'http://localhost/'", None),
    "other program": ("CMD, pg_isready", None),
}


@pytest.mark.parametrize("case", HTTP)
def test_probes_http_by_plan(case: str, tmp_path: Path) -> None:
    test, wanted = HTTP[case]
    text = f"services: {{a: {{image: x, expose: ['8080'], healthcheck: {{test: [{test}]}}}}}}"
    probe = plan_of(tmp_path, text, "project: {probes: http}").services["a"].health.readiness
    assert probe is not None
    assert probe.handler.get("httpGet") == wanted
    exact = plan_of(tmp_path, text).services["a"].health.readiness
    assert exact is not None and "exec" in exact.handler


def test_h4_the_times_of_the_dockerfile(tmp_path: Path) -> None:
    files = {"Dockerfile": "FROM x\nHEALTHCHECK --interval=7s --timeout=2s --retries=4 CMD check\n"}
    probe = plan_of(tmp_path, "services: {a: {build: ., healthcheck: {timeout: 9s}}}", files=files).services["a"].health.readiness
    assert probe is not None
    assert (probe.period_s, probe.timeout_s, probe.failures) == (7, 9, 4)


def test_h2_readiness_that_the_labels_leave_open_is_that_of_the_health_check(tmp_path: Path) -> None:
    text = """
services:
  a:
    image: x
    labels: {kompose.service.healthcheck.liveness.http_get_path: /live, kompose.service.healthcheck.liveness.http_get_port: "8080"}
    healthcheck: {test: [CMD, ready]}
"""
    health = plan_of(tmp_path, text).services["a"].health
    assert health.liveness is not None and health.liveness.handler == {"httpGet": {"path": "/live", "port": 8080}}
    assert health.readiness is not None and health.readiness.handler == {"exec": {"command": ["ready"]}}


@pytest.mark.parametrize("label", ["liveness.http_get_port", "readiness.tcp_port", "readiness.interval", "readiness.wrong"])
def test_h2_bad_labels_are_errors(label: str, tmp_path: Path) -> None:
    more = ", kompose.service.healthcheck.readiness.test: ok" if "interval" in label else ""
    text = f"services: {{a: {{image: x, labels: {{kompose.service.healthcheck.{label}: nonsense{more}}}}}}}"
    plan = plan_of(tmp_path, text)
    assert [(f.severity.value, f.path) for f in plan.findings if f.code == "MIG034"] == [
        ("error", f"services.a.labels.kompose.service.healthcheck.{label}")
    ]
