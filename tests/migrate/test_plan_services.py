# ruff: noqa: E501
"""S1 to S6, ports, aliases (2.4) and X1 to X10 (2.9)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.migrate.planned import codes, contains, objects_of, plan_of

RANGE = "8000-8030:8000-8030"
SERVICES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "S1 plan": ("a: {image: x, expose: ['80']}", "services: {a: {service: headless}}", {"clusterIP": "None"}),
    "S1 label": ("a: {image: x, expose: ['80'], labels: {kompose.service.type: headless}}", "", {"clusterIP": "None"}),
    "S3 no port": ("a: {image: x}", "", {"clusterIP": "None", "publishNotReadyAddresses": True}),
    "S5 a long range": (f"a: {{image: x, ports: ['{RANGE}']}}", "", {"clusterIP": "None"}),
    "S5 an image with many ports": ("a: {image: 'coturn/coturn:4', ports: ['3478:3478']}", "", {"clusterIP": "None"}),
    "S6 ports": ("a: {image: x, expose: ['80', '53/udp']}", "", {"ports": [{"port": 80}, {"port": 53, "protocol": "UDP"}]}),
    "S1 dnsrr": ("a: {image: x, expose: ['80'], deploy: {endpoint_mode: dnsrr}}", "", {"clusterIP": "None"}),
}


@pytest.mark.parametrize("case", SERVICES)
def test_main_service(case: str, tmp_path: Path) -> None:
    service, answers, wanted = SERVICES[case]
    plan = plan_of(tmp_path, f"services:\n  {service}", answers)
    assert next(d.rule for d in plan.services["a"].decisions if d.question == "service") == case.split()[0]
    assert contains(objects_of(tmp_path, f"services:\n  {service}", answers)["Service/a"]["spec"], wanted)


def test_s4_self_identity_is_reached_directly(tmp_path: Path) -> None:
    text = """
services:
  k1: {image: "cassandra:4", environment: {CASSANDRA_BROADCAST_ADDRESS: 10.9.0.2, CASSANDRA_SEEDS: "10.9.0.2,10.9.0.3"}, networks: {n: {ipv4_address: 10.9.0.2}}}
  k2: {image: "cassandra:4", environment: {CASSANDRA_BROADCAST_ADDRESS: 10.9.0.3, CASSANDRA_SEEDS: "10.9.0.2,10.9.0.3"}, networks: {n: {ipv4_address: 10.9.0.3}}}
networks: {n: {ipam: {config: [{subnet: 10.9.0.0/24}]}}}
"""
    objects = objects_of(tmp_path, text)
    assert objects["Service/k1"]["spec"]["clusterIP"] == "None"
    assert objects["Service/k1"]["spec"]["publishNotReadyAddresses"] is True


def test_no_service_for_one_shots_that_nobody_calls_and_for_isolated_ones(tmp_path: Path) -> None:
    objects = objects_of(tmp_path, "services: {j: {image: x, restart: 'no'}, alone: {image: x, network_mode: none}}")
    assert not [k for k in objects if k.startswith("Service/")]
    assert objects["NetworkPolicy/net-none"]["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_container_name_is_an_alias_with_the_same_ports(tmp_path: Path) -> None:
    objects = objects_of(tmp_path, "services: {db: {image: 'mysql:8', container_name: shop-db}}")
    main, alias = objects["Service/db"]["spec"], objects["Service/shop-db"]["spec"]
    assert alias == main
    assert alias["ports"][0]["port"] == 3306


def test_one_alias_of_two_services_answers_for_both(tmp_path: Path) -> None:
    text = """
services:
  a: {image: x, expose: ["80"], networks: {n: {aliases: [api]}}}
  b: {image: x, expose: ["81"], networks: {n: {aliases: [api]}}}
networks: {n: }
"""
    objects = objects_of(tmp_path, text)
    assert objects["Service/api"]["spec"]["selector"] == {"compose-cutover/alias-api": "member"}
    for name in "ab":
        assert objects[f"Deployment/{name}"]["spec"]["template"]["metadata"]["labels"]["compose-cutover/alias-api"] == "member"
    assert {p["port"] for p in objects["Service/api"]["spec"]["ports"]} == {80, 81}


def test_callers_in_a_circle_reach_each_other_before_they_are_ready(tmp_path: Path) -> None:
    text = """
services:
  a: {image: x, expose: ["80"], environment: {PEER_URL: "http://b:80"}}
  b: {image: y, expose: ["80"], environment: {PEER_URL: "http://a:80"}}
"""
    assert objects_of(tmp_path, text)["Service/a"]["spec"]["publishNotReadyAddresses"] is True
    assert "MIG306" in codes(plan_of(tmp_path, text))


EXPOSURES: dict[str, tuple[str, str, str | None]] = {
    "X10": ("image: web, ports: ['8080:80']", "", "MIG310"),
    "X3": ("image: web, ports: ['127.0.0.1:8080:80']", "", "MIG311"),
    "X5": ("image: web, ports: ['80']", "", "MIG314"),
    "X6": ("image: web, ports: ['8080:80'], networks: [i]", "", "MIG322"),
    "X7": ("image: web, ports: ['10000-10200:10000-10200/udp']", "", "MIG315"),
    "X8": ("image: 'mysql:8', ports: ['3306:3306']", "", "MIG313"),
    "X9": ("image: web, ports: ['192.0.2.7:8080:80']", "", "MIG312"),
    "X1": ("image: 'mysql:8', ports: ['3306:3306'], labels: {kompose.service.type: nodeport}", "", "MIG310"),
}


@pytest.mark.parametrize("rule", EXPOSURES)
def test_exposure(rule: str, tmp_path: Path) -> None:
    service, answers, code = EXPOSURES[rule]
    text = f"services: {{a: {{{service}}}}}\nnetworks: {{i: {{internal: true}}}}"
    plan = plan_of(tmp_path, text, answers)
    assert any(d.question == "exposure" and d.rule == rule for d in plan.services["a"].decisions)
    assert code in codes(plan)
    outside = plan.services["a"].exposure.services
    assert bool(outside) == (rule in ("X10", "X9", "X1"))
    assert ("a-published" in {p.name for p in plan.policies}) == bool(outside)


def test_x1_node_port_keeps_a_published_port_in_range(tmp_path: Path) -> None:
    text = "services: {a: {image: x, ports: ['30080:80', '8080:81']}}"
    ports = objects_of(tmp_path, text, "project: {exposure: nodeport}")["Service/a-published"]["spec"]["ports"]
    assert [p.get("nodePort") for p in ports] == [30080, None]


def test_x1_cluster_ip_exposes_nothing(tmp_path: Path) -> None:
    objects = objects_of(tmp_path, "services: {a: {image: x, ports: ['8080:80']}}", "project: {exposure: clusterip}")
    assert not [k for k in objects if k.endswith("-published")]


def test_x4_traefik_rule_becomes_an_ingress(tmp_path: Path) -> None:
    text = """
services:
  web:
    image: web:1
    labels:
      - traefik.enable=true
      - traefik.http.routers.web.rule=Host(`a.example.org`) && PathPrefix(`/x`)
      - traefik.http.routers.web.tls.certresolver=le
      - traefik.http.services.web.loadbalancer.server.port=3000
  traefik: {image: "traefik:3", ports: ["80:80"], volumes: ["/var/run/docker.sock:/var/run/docker.sock"]}
"""
    objects = objects_of(tmp_path, text)
    spec = objects["Ingress/web"]["spec"]
    assert spec["tls"] == [{"hosts": ["a.example.org"], "secretName": "web-tls"}]
    backend = {"service": {"name": "web", "port": {"number": 3000}}}
    assert spec["rules"] == [{"host": "a.example.org", "http": {"paths": [{"path": "/x", "pathType": "Prefix", "backend": backend}]}}]
    assert not [k for k in objects if k.endswith("/traefik")]
    assert {"MIG316", "MIG126"} <= codes(plan_of(tmp_path, text))


def test_x4_what_a_proxy_says_beyond_hosts_is_told(tmp_path: Path) -> None:
    text = "services: {web: {image: x, expose: ['80'], labels: {'traefik.http.routers.r.rule': 'Host(`a.b`) && Headers(`x`, `y`)'}}}"
    plan = plan_of(tmp_path, text)
    assert plan.services["web"].exposure.ingress is None
    assert "MIG317" in codes(plan)


def test_one_host_port_of_two_services(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "services: {a: {image: x, ports: ['80:80']}, b: {image: x, ports: ['80:80']}}")
    finding = next(f for f in plan.findings if f.code == "MIG052")
    assert finding.service == "b" and len(finding.also) == 1


@pytest.mark.parametrize("label", ["traefik.frontend.rule", "traefik.tcp.routers.db.rule", "traefik.http.middlewares.auth.basicauth.users"])
def test_x4_labels_of_the_proxy_that_no_rule_reads_are_told(label: str, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, f"services: {{a: {{image: x, expose: ['80'], labels: {{{label}: 'Host(`a.b`)'}}}}}}")
    assert [f.message for f in plan.findings if f.code == "MIG317"] == [f"not understood: label {label}"]
    assert plan.services["a"].exposure.ingress is None


def test_x1_a_host_port_takes_the_place_of_the_load_balancer(tmp_path: Path) -> None:
    text = "services: {a: {image: x, ports: ['127.0.0.1:8080:80', '81'], labels: {kompose.controller.port.expose: 'true'}}}"
    objects = objects_of(tmp_path, text)
    (container,) = objects["Deployment/a"]["spec"]["template"]["spec"]["containers"]
    assert [(p["containerPort"], p["hostPort"], p.get("hostIP")) for p in container["ports"]] == [(80, 8080, "127.0.0.1"), (81, 81, None)]
    assert "Service/a-published" not in objects and "NetworkPolicy/a-published" in objects


def test_x1_a_type_that_is_asked_for_opens_ports_without_a_host_port(tmp_path: Path) -> None:
    text = "services: {a: {image: 'redis:7', ports: ['6379'], labels: {kompose.service.type: loadbalancer}}}"
    service = objects_of(tmp_path, text)["Service/a-published"]["spec"]
    assert (service["type"], service["ports"][0]["port"]) == ("LoadBalancer", 6379)


BAD_LABELS = {
    "kompose.service.external-traffic-policy": "local",
    "kompose.service.expose.tls-secret": "x",
    "kompose.service.expose.ingress-class-name": "x",
    "kompose.controller.port.expose": "yes",
    "kompose.service.nodeport.port": "80",
}


@pytest.mark.parametrize("label", BAD_LABELS)
def test_x1_bad_labels_are_errors(label: str, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, f"services: {{a: {{image: x, ports: ['80:80'], labels: {{{label}: '{BAD_LABELS[label]}'}}}}}}")
    finding = next(f for f in plan.findings if f.code == "MIG319")
    assert (finding.severity.value, finding.path) == ("error", f"services.a.labels.{label}")


def test_a_protocol_that_there_is_not_is_left_out(tmp_path: Path) -> None:
    text = "services: {a: {image: x, ports: ['80:80', {target: 81, published: '81', protocol: odd}]}}"
    objects = objects_of(tmp_path, text)
    assert [p["port"] for p in objects["Service/a"]["spec"]["ports"]] == [80]
    assert [p["port"] for p in objects["Service/a-published"]["spec"]["ports"]] == [80]
    assert "MIG028" in codes(plan_of(tmp_path, text))


def test_an_address_is_no_host_of_an_ingress(tmp_path: Path) -> None:
    text = "services: {a: {image: x, expose: ['80'], labels: {kompose.service.expose: '192.0.2.1'}}}"
    assert "Ingress/a" not in objects_of(tmp_path, text)
    assert "MIG317" in codes(plan_of(tmp_path, text))


def test_published_ports_that_are_none(tmp_path: Path) -> None:
    text = "services: {a: {image: x, ports: [{target: 80, published: '0'}, {target: 81, published: '99999'}]}}"
    objects = objects_of(tmp_path, text)
    assert "Service/a-published" not in objects
    assert {p["port"] for p in objects["Service/a"]["spec"]["ports"]} <= {80, 81}
    assert codes(plan_of(tmp_path, text)) & {"MIG314", "MIG028"}


@pytest.mark.parametrize(("path", "written"), [("api", "/api"), ("/x", "/x"), ("/a//b", None), ("/a/../b", None)])
def test_paths_of_an_ingress(path: str, written: str | None, tmp_path: Path) -> None:
    rule = f"Host(`a.b`) && PathPrefix(`{path}`)"
    text = f"services: {{a: {{image: x, expose: ['80'], labels: {{traefik.http.routers.r.rule: '{rule}'}}}}}}"
    plan = plan_of(tmp_path, text)
    ingress = plan.services["a"].exposure.ingress
    assert (ingress.rules[0].path if ingress else None) == written
    assert ("MIG317" in codes(plan)) == (written is None)


def test_no_ingress_without_a_service(tmp_path: Path) -> None:
    text = "services: {a: {image: x, restart: 'no', environment: {VIRTUAL_HOST: a.b, VIRTUAL_PORT: '80'}}}"
    assert "Ingress/a" not in objects_of(tmp_path, text)
    assert "MIG319" in codes(plan_of(tmp_path, text))


def test_names_of_published_services_are_short_enough(tmp_path: Path) -> None:
    text = f"services: {{{'long' * 15}: {{image: x, ports: ['80:80', '192.0.2.1:81:81', '192.0.2.2:82:82']}}}}"
    names = [k.partition("/")[2] for k in objects_of(tmp_path, text) if k.startswith("Service/")]
    assert len(names) == 4 and all(len(n) <= 63 for n in names)
