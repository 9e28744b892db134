# ruff: noqa: E501
"""G1 to G3, W1 to W10, C1 and C2, replicas: one fixture for each rule, and one that the next rule takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.migrate.planned import codes, objects_of, plan_of, pod

KINDS = {
    "W1 plan": ("a: {image: x}", "services: {a: {kind: StatefulSet}}", "StatefulSet"),
    "W3 label": ("a: {image: x, labels: {kompose.controller.type: daemonset}}", "", "DaemonSet"),
    "W3 schedule": ("a: {image: x, restart: 'no', labels: {kompose.cronjob.schedule: '*/5 * * * *'}}", "", "CronJob"),
    "W4 global": ("a: {image: x, deploy: {mode: global}}", "", "DaemonSet"),
    "W5 replicated-job": ("a: {image: x, deploy: {mode: replicated-job, replicas: 2}}", "", "Job"),
    "W6 said and no server": ("a: {image: x, restart: 'no'}", "", "Job"),
    "W6 but a server": ("a: {image: x, restart: 'no', ports: ['80:80']}", "", "Deployment"),
    "W6 condition none": ("a: {image: x, deploy: {restart_policy: {condition: none}}}", "", "Job"),
    "W7 name": ("db-migrate: {image: x}", "", "Job"),
    "W7 but it restarts": ("db-migrate: {image: x, restart: always}", "", "Deployment"),
    "W8 own claim": ("a: {image: x, volumes: ['vol:/data']}", "", "StatefulSet"),
    "W8 but two replicas": ("a: {image: x, deploy: {replicas: 2}, volumes: ['vol:/data']}", "", "Deployment"),
    "W9 host name is the product": ("a: {image: rabbitmq:3, hostname: mq, volumes: ['vol:/var/lib/rabbitmq']}", "", "Deployment"),
    "W9 dotted host name": ("a: {image: x, hostname: a.example.org, volumes: ['vol:/data']}", "", "Deployment"),
    "W10 otherwise": ("a: {image: x}", "", "Deployment"),
}


@pytest.mark.parametrize("case", KINDS)
def test_kind(case: str, tmp_path: Path) -> None:
    service, answers, kind = KINDS[case]
    plan = plan_of(tmp_path, f"services:\n  {service}\nvolumes: {{vol: }}\n", answers)
    (only,) = plan.services.values()
    assert only.kind == kind
    rule = next(d.rule for d in only.decisions if d.question == "kind")
    assert rule == case.split()[0] or "but" in case


def test_w3_bad_values_are_errors_and_the_next_rule_applies(tmp_path: Path) -> None:
    text = "services: {a: {image: x, labels: {kompose.controller.type: replicationcontroller}}, b: {image: x, labels: {kompose.cronjob.schedule: 'x'}}}"
    plan = plan_of(tmp_path, text)
    assert {s.kind for s in plan.services.values()} == {"Deployment"}
    assert {"MIG111", "MIG146"} <= codes(plan)


def test_w6_server_keeps_running_and_says_so(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "services: {a: {image: x, restart: on-failure, ports: ['80:80']}}")
    finding = next(f for f in plan.findings if f.code == "MIG118")
    assert (finding.path, str(finding.span)) == ("services.a.restart", "compose.yaml:1:35")


COMPLETED = """
services:
  setup: {image: "app:1", restart: "no", depends_on: {db: {condition: service_healthy}}}
  db: {image: postgres:16, healthcheck: {test: pg_isready}}
  app: {image: "app:1", depends_on: {setup: {condition: service_completed_successfully}}%s}
"""


def test_c1_one_waiter_gets_an_init_container_after_its_waits(tmp_path: Path) -> None:
    objects = objects_of(tmp_path, COMPLETED % "")
    assert "Job/setup" not in objects
    assert [c["name"] for c in pod(objects["Deployment/app"])["initContainers"]] == ["wait-for-db", "setup"]
    assert "Service/setup" not in objects


def test_c2_more_replicas_make_a_job(tmp_path: Path) -> None:
    objects = objects_of(tmp_path, COMPLETED % ", deploy: {replicas: 2}")
    assert objects["Job/setup"]["spec"]["backoffLimit"] == 0
    assert pod(objects["Job/setup"])["restartPolicy"] == "Never"
    assert [c["name"] for c in pod(objects["Deployment/app"])["initContainers"]] == ["wait-for-setup"]


def test_c2_by_plan(tmp_path: Path) -> None:
    assert "Job/setup" in objects_of(tmp_path, COMPLETED % "", "project: {oneShot: job}")


def test_chained_one_shots_run_in_one_pod_in_their_order(tmp_path: Path) -> None:
    text = """
services:
  app: {image: x, depends_on: {second: {condition: service_completed_successfully}}}
  second: {image: x, depends_on: {first: {condition: service_completed_successfully}}}
  first: {image: x}
"""
    objects = objects_of(tmp_path, text)
    assert [c["name"] for c in pod(objects["Deployment/app"])["initContainers"]] == ["first", "second"]


def test_replicas_zero_stay(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "services: {a: {image: x, deploy: {replicas: 0}}, j: {image: x, restart: 'no', scale: 0}}")
    assert plan.services["a"].replicas == 0
    assert plan.services["j"].workload.suspend
    assert "MIG114" in codes(plan)


def test_g1_members_share_one_pod_and_every_name_selects_it(tmp_path: Path) -> None:
    text = """
services:
  side: {image: "side:1", network_mode: "container:front", scale: 2}
  web: {image: "web:1", container_name: front, ports: ["8080:80"]}
"""
    plan = plan_of(tmp_path, text)
    assert plan.services["side"].kind == "member"
    assert plan.services["side"].pod.members == ("web", "side")
    assert {"MIG120", "MIG122"} <= codes(plan)
    objects = objects_of(tmp_path, text)
    assert objects["Service/side"]["spec"]["selector"] == objects["Service/web"]["spec"]["selector"]
    assert [c["name"] for c in pod(objects["Deployment/web"])["containers"]] == ["front", "side"]


def test_g1_container_of_nobody_is_refused(tmp_path: Path) -> None:
    assert "MIG121" in codes(plan_of(tmp_path, "services: {a: {image: x, network_mode: 'container:other'}}"))


def test_g2_pid_shares_processes(tmp_path: Path) -> None:
    objects = objects_of(tmp_path, "services: {a: {image: x}, b: {image: x, pid: 'service:a'}}")
    assert pod(objects["Deployment/a"])["shareProcessNamespace"] is True


@pytest.mark.parametrize("how", ["labels: {kompose.service.group: g}", "labels: {katenary.v3/same-pod: a}"])
def test_g3_labels(how: str, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, f"services: {{a: {{image: x, labels: {{kompose.service.group: g}}}}, b: {{image: x, {how}}}}}")
    assert plan.services["b"].pod.owner == "a"


def test_permuted_services_give_the_same_objects(tmp_path: Path) -> None:
    services = ["a: {image: x, ports: ['1:1']}", "b: {image: y, depends_on: [a]}", "c: {image: z, environment: {U: 'http://a:1'}}"]
    texts = ["services:\n  " + "\n  ".join(order) for order in (services, services[::-1])]
    first, second = ({k: _without_lines(o) for k, o in objects_of(tmp_path, t).items()} for t in texts)
    assert first == second


def _without_lines(value: object) -> object:
    if isinstance(value, dict):
        return {k: _without_lines(v) for k, v in value.items() if k != "compose-cutover/source"}
    return [_without_lines(v) for v in value] if isinstance(value, list) else value


SOCKET = """
services:
  php: {image: "php:8-fpm", volumes: ["run:/var/run/php"]%s}
  web: {image: "nginx:1", ports: ["80:80"], volumes: ["run:/var/run/php"]}
%svolumes: {run: }
"""


def test_g4_two_users_of_a_socket_share_a_pod(tmp_path: Path) -> None:
    objects = objects_of(tmp_path, SOCKET % ("", ""))
    found = pod(objects["Deployment/php"])
    assert [c["name"] for c in found["containers"]] == ["php", "web"]
    assert found["volumes"] == [{"name": "socket-run", "emptyDir": {}}]
    assert "PersistentVolumeClaim/run" not in objects
    assert "MIG123" in codes(plan_of(tmp_path, SOCKET % ("", "")))


def test_g4_by_text_alone_keeps_the_claim(tmp_path: Path) -> None:
    text = """
services:
  a: {image: x, command: [serve, --listen, /shared/app.sock], volumes: ["vol:/shared"]}
  b: {image: y, volumes: ["vol:/shared"]}
volumes: {vol: }
"""
    plan = plan_of(tmp_path, text)
    assert plan.services["b"].pod.owner == "a"
    assert "vol" in plan.claims and not plan.claims["vol"].one_node


@pytest.mark.parametrize(("first", "more"), [(", scale: 2", ""), ("", '  log: {image: x, volumes: ["run:/var/run/php"]}\n')])
def test_g5_otherwise_one_node(first: str, more: str, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, SOCKET % (first, more), "project: {storage: {rwxClass: nfs}}")
    assert "MIG124" in codes(plan)
    assert plan.claims["run"].one_node and plan.claims["run"].access_mode == "ReadWriteOnce"


def test_c1_needs_the_networks_of_its_host(tmp_path: Path) -> None:
    text = """
services:
  setup: {image: x, networks: [back]}
  app: {image: y, networks: [front], depends_on: {setup: {condition: service_completed_successfully}}}
networks: {front: , back: }
"""
    assert plan_of(tmp_path, text).services["setup"].kind == "Job"


def test_g4_users_on_different_networks_stay_apart(tmp_path: Path) -> None:
    text = """
services:
  php: {image: x, volumes: ["run:/run/php"], networks: [back]}
  web: {image: x, volumes: ["run:/run/php"], networks: [front]}
networks: {front: , back: }
volumes: {run: }
"""
    plan = plan_of(tmp_path, text)
    assert plan.services["web"].pod.members == ("web",)
    assert {"MIG124"} <= codes(plan)


def test_c1_needs_the_network_mode_of_its_host(tmp_path: Path) -> None:
    text = """
services:
  seed: {image: x, network_mode: none, restart: "no"}
  web: {image: x, depends_on: {seed: {condition: service_completed_successfully}}}
"""
    assert plan_of(tmp_path, text).services["seed"].kind == "Job"


def test_a_stateful_set_without_a_network_has_its_service(tmp_path: Path) -> None:
    objects = objects_of(tmp_path, "services: {a: {image: x, network_mode: none, volumes: ['vol:/data']}}\nvolumes: {vol: }")
    assert objects["StatefulSet/a"]["spec"]["serviceName"] == "a" and "Service/a" in objects


@pytest.mark.parametrize("mode", ["container:gone", "service:a"])
def test_who_joins_nobody_is_open_to_nobody(mode: str, tmp_path: Path) -> None:
    objects = objects_of(tmp_path, f"services: {{a: {{image: x, network_mode: '{mode}'}}, b: {{image: x}}}}")
    labels = objects["Deployment/a"]["spec"]["template"]["metadata"]["labels"]
    assert labels["compose-cutover/net-nobody"] == "member"
    assert objects["NetworkPolicy/net-nobody"]["spec"]["policyTypes"] == ["Ingress"]
