"""The draft scenario: what Compose knows is in it, everything else is marked as a guess, and the simulator takes it as it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import migrate
from migrate.scenario import draft_text
from migrate.upstreams import POLICIES
from simulate import scenario as simulator

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def draft(tmp_path: Path, text: str) -> dict[str, Any]:
    (tmp_path / "compose.yaml").write_text(text)
    return migrate.convert(tmp_path / "compose.yaml").scenario


@pytest.mark.parametrize("sample", ["slides", "ghost", "shop"])
def test_the_simulator_takes_every_sample_as_data_and_as_text(sample: str, tmp_path: Path) -> None:
    drafted = migrate.convert(SAMPLES / sample / "docker-compose.yml").scenario
    (tmp_path / "scenario.yaml").write_text(draft_text(drafted))
    assert yaml.safe_load(draft_text(drafted)) == drafted
    for source in (drafted, tmp_path / "scenario.yaml"):
        read = simulator.read(source)
        assert read.loads and read.services.keys() == drafted["services"].keys()


def test_calls_are_the_references_and_the_entry_is_what_is_published() -> None:
    drafted = migrate.convert(SAMPLES / "shop" / "docker-compose.yml").scenario
    assert list(drafted["load"]) == list(drafted["objective"]) == ["lb"]
    assert "init" not in drafted["services"]
    assert drafted["services"]["lb"]["calls"] == [{"to": "app"}] and drafted["upstreams"] == {"app": ["app1", "app2"]}
    assert {call["to"] for call in drafted["services"]["app1"]["calls"]} == {"mysql", "redis", "activemq"}
    assert "calls" not in drafted["services"]["dns"]
    assert "docker-compose.yml:" in drafted["guesses"]["services.app1.calls"]


def test_every_number_is_marked_as_a_guess() -> None:
    drafted = migrate.convert(SAMPLES / "ghost" / "docker-compose.yml").scenario
    guessed = set(drafted["guesses"])
    for name in drafted["services"]:
        assert f"services.{name}.cpu" in guessed and f"services.{name}.start" in guessed
    for section in ("load", "objective", "nodes"):
        assert {f"{section}.{name}" for name in drafted[section]} <= guessed


def test_a_circle_of_calls_is_cut_and_told(tmp_path: Path) -> None:
    drafted = draft(
        tmp_path,
        "services:\n  a: {image: 'a:1', expose: ['80'], environment: {B_URL: 'http://b:80'}, ports: ['80:80']}\n"
        "  b: {image: 'b:1', expose: ['80'], environment: {A_URL: 'http://a:80'}}\n",
    )
    assert [call["to"] for call in drafted["services"]["a"]["calls"]] == ["b"] and "calls" not in drafted["services"]["b"]
    assert "also calls a" in drafted["guesses"]["services.b"]
    assert simulator.read(drafted).loads


def test_nodes_hold_what_the_pods_request(tmp_path: Path) -> None:
    text = "services:\n  a: {image: 'a:1', ports: ['80:80'], deploy: {replicas: 10, resources: {reservations: {cpus: '2', memory: 1g}}}}\n"
    assert draft(tmp_path, text)["nodes"]["general"]["count"] * 4 * 0.6 >= 20


def test_without_ports_the_first_service_gets_the_load(tmp_path: Path) -> None:
    assert list(draft(tmp_path, "services:\n  a: {image: 'a:1'}\n  b: {image: 'b:1'}\n")["load"]) == ["a"]


# ------------------------------------------------------------------ upstreams and the world before

PAIR = """services:
  lb:
    image: "nginx:1"
    ports: ["80:80"]
    environment: {A: "http://10.0.0.11:80", B: "http://10.0.0.12:80"}
    networks: {n: {ipv4_address: 10.0.0.10}}
  a1: {image: "a:1", expose: ["80"], networks: {n: {ipv4_address: 10.0.0.11}}%s}
  a2: {image: "%s", expose: ["80"], networks: {n: {ipv4_address: 10.0.0.12}}}
  job: {image: "j:1", expose: ["81"], environment: {%s}, networks: {n: {ipv4_address: 10.0.0.13}}}
networks: {n: {ipam: {config: [{subnet: 10.0.0.0/24}]}}}
"""


@pytest.mark.parametrize(
    ("more", "image", "variable", "upstreams"),
    [
        ("", "a:1", 'X: "1"', {"a": ["a1", "a2"]}),
        (", mem_limit: 100m", "a:1", 'X: "1"', {}),
        ("", "b:1", 'X: "1"', {}),
        ("", "a:1", 'X: "http://10.0.0.11:80"', {}),
    ],
)
def test_a_list_of_a_proxy_is_an_upstream_only_of_what_is_alike(
    tmp_path: Path, more: str, image: str, variable: str, upstreams: dict[str, Any]
) -> None:
    drafted = draft(tmp_path, PAIR % (more, image, variable))
    assert drafted.get("upstreams", {}) == upstreams
    calls = [{"to": "a"}] if upstreams else [{"to": "a1", "probability": 0.5}, {"to": "a2", "probability": 0.5}]
    assert drafted["services"]["lb"]["calls"] == calls
    assert ("upstreams.a" in drafted["guesses"]) == bool(upstreams)
    assert simulator.read(drafted).upstreams.keys() == upstreams.keys()


BEFORE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("", {"instances": 1, "restart": "no"}),
    ("restart: unless-stopped", {"instances": 1, "restart": "unless-stopped"}),
    ("restart: 'on-failure:3'", {"instances": 1, "restart": "on-failure:3"}),
    ("deploy: {restart_policy: {condition: on-failure, max_attempts: 2}}", {"instances": 1, "restart": "on-failure:2"}),
    ("deploy: {restart_policy: {condition: any}}", {"instances": 1, "restart": "always"}),
    ("cpus: 1.5, mem_limit: 512m, cpu_shares: 512", {"instances": 1, "restart": "no", "cpus": 1.5, "memory": "512Mi", "cpuShares": 512}),
    (
        "deploy: {replicas: 3, resources: {limits: {cpus: '0.5', memory: 1g}}}",
        {"instances": 3, "restart": "no", "cpus": 0.5, "memory": "1Gi"},
    ),
    ("stop_grace_period: 1m30s", {"instances": 1, "restart": "no", "stopTimeout": "1m30s"}),
    ("cpus: 0, mem_limit: 0, cpu_shares: 0", {"instances": 1, "restart": "no"}),
)


@pytest.mark.parametrize(("said", "wanted"), BEFORE)
def test_the_world_before_is_what_the_file_says(tmp_path: Path, said: str, wanted: dict[str, Any]) -> None:
    drafted = draft(tmp_path, f"services:\n  web: {{image: 'web:1', ports: ['80:80']{', ' if said else ''}{said}}}\n")
    assert drafted["baseline"]["services"] == {"web": {"on": ["docker-host"], **wanted}}
    assert simulator.read(drafted).baseline is not None


def test_what_no_file_tells_of_the_world_before_is_a_guess() -> None:
    guesses = migrate.convert(SAMPLES / "shop" / "docker-compose.yml").scenario["guesses"]
    assert {"baseline.hosts.docker-host", "baseline.services", "baseline.release.instances"} <= set(guesses)


def test_the_host_is_as_large_as_the_limits_ask_for(tmp_path: Path) -> None:
    text = "services:\n  a: {image: 'a:1', ports: ['80:80'], cpus: 6, mem_limit: 8g, deploy: {replicas: 3}}\n"
    assert draft(tmp_path, text)["baseline"]["hosts"] == {"docker-host": {"cores": 6, "memory": "30Gi"}}


def test_a_release_goes_in_the_order_of_starting(tmp_path: Path) -> None:
    text = "services:\n" + "".join(
        f"  {name}: {{image: '{name}:1', expose: ['80'], restart: always{', depends_on: [' + needs + ']' if needs else ''}}}\n"
        for name, needs in (("web", "api, cache"), ("api", "db"), ("cache", ""), ("db", ""))
    )
    assert draft(tmp_path, text)["baseline"]["release"]["order"] == ["db", "api", "cache", "web"]


def test_several_containers_are_found_by_dns_and_taken_in_turn_by_a_proxy(tmp_path: Path) -> None:
    text = (
        "services:\n  lb: {image: 'nginx:1', ports: ['80:80'], environment: {U: 'http://api:80'}}\n"
        "  cron: {image: 'c:1', environment: {U: 'http://api:80'}}\n  api: {image: 'a:1', expose: ['80'], deploy: {replicas: 3}}\n"
    )
    drafted = draft(tmp_path, text)
    said = drafted["baseline"]["balancing"]
    assert list(said) == ["api", "lb->api"] and said["api"] == {"policy": "random"}
    assert said["lb->api"]["policy"] == "round_robin" and said["lb->api"]["retries"]["max"] == 1
    assert "baseline.balancing.api" in drafted["guesses"]
    assert simulator.read(drafted).baseline is not None


LINES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("", {}),
    ("least_conn;", {"policy": "least_request"}),
    ("  ip_hash ;", {"policy": "hash"}),
    ("hash $request_uri consistent;", {"policy": "hash"}),
    ("random two least_conn;", {"policy": "p2c"}),
    ("# least_conn;", {}),
    ("zone a 64k; # balance source", {}),
    ("keepalive 8;\nproxy_next_upstream off;", {"retries": {"max": 0}}),
)


@pytest.mark.parametrize(("line", "said"), LINES)
def test_how_a_proxy_chooses_is_read_from_its_configuration(tmp_path: Path, line: str, said: dict[str, Any]) -> None:
    (tmp_path / "nginx.conf").write_text(
        f"upstream a {{\n{line}\nserver 10.0.0.11:80;\nserver 10.0.0.12:80;\n}}\nserver {{ location / {{ proxy_pass http://a; }} }}\n"
    )
    drafted = draft(tmp_path, MOUNTED)
    assert drafted["upstreams"] == {"a": ["a1", "a2"]}
    assert drafted.get("balancing", {}) == ({"a": said} if said else {})
    assert ("nginx.conf says" in drafted["guesses"]["upstreams.a"]) == bool(said)
    assert simulator.read(drafted).upstreams


def test_fails_and_their_time_are_read_from_its_configuration(tmp_path: Path) -> None:
    servers = "".join(f"server 10.0.0.{n}:80 max_fails=3 fail_timeout=30s;\n" for n in (11, 12))
    (tmp_path / "nginx.conf").write_text("upstream a {\n" + servers + "}\n")
    assert draft(tmp_path, MOUNTED)["balancing"] == {"a": {"ejection": {"maxFails": 3, "failTimeout": "30s"}}}


MOUNTED = """services:
  lb: {image: "nginx:1", ports: ["80:80"], volumes: ["./nginx.conf:/etc/nginx/nginx.conf:ro"], networks: {n: {ipv4_address: 10.0.0.10}}}
  a1: {image: "a:1", expose: ["80"], networks: {n: {ipv4_address: 10.0.0.11}}}
  a2: {image: "a:1", expose: ["80"], networks: {n: {ipv4_address: 10.0.0.12}}}
networks: {n: {ipam: {config: [{subnet: 10.0.0.0/24}]}}}
"""


OTHERS: tuple[tuple[str, str, str, str], ...] = (
    (
        "haproxy:3",
        "haproxy.cfg",
        "backend a\n  balance leastconn\n  server s1 10.0.0.11:80 check\n  server s2 10.0.0.12:80 check\n",
        "least_request",
    ),
    ("haproxy:3", "haproxy.cfg", "backend a\n  balance roundrobin\n  server s1 10.0.0.11:80\n  server s2 10.0.0.12:80\n", "round_robin"),
    ("haproxy:3", "haproxy.cfg", "backend a\n  balance source\n  server s1 10.0.0.11:80\n  server s2 10.0.0.12:80\n", "hash"),
    ("haproxy:3", "haproxy.cfg", "backend a\n  balance random\n  server s1 10.0.0.11:80\n  server s2 10.0.0.12:80\n", "p2c"),
    ("caddy:2", "Caddyfile", ":80 {\n  reverse_proxy 10.0.0.11:80 10.0.0.12:80 {\n    lb_policy least_conn\n  }\n}\n", "least_request"),
    ("caddy:2", "Caddyfile", ":80 {\n  reverse_proxy 10.0.0.11:80 10.0.0.12:80 {\n    lb_policy round_robin\n  }\n}\n", "round_robin"),
    ("caddy:2", "Caddyfile", ":80 {\n  reverse_proxy 10.0.0.11:80 10.0.0.12:80 {\n    lb_policy random\n  }\n}\n", "random"),
    ("caddy:2", "Caddyfile", ":80 {\n  reverse_proxy 10.0.0.11:80 10.0.0.12:80 {\n    lb_policy ip_hash\n  }\n}\n", "hash"),
    ("nginx:1", "nginx.conf", "upstream a {\nrandom;\nserver 10.0.0.11:80;\nserver 10.0.0.12:80;\n}\n", "random"),
)


@pytest.mark.parametrize(("image", "file", "text", "policy"), OTHERS)
def test_other_proxies_choose_as_they_say(tmp_path: Path, image: str, file: str, text: str, policy: str) -> None:
    (tmp_path / file).write_text(text)
    drafted = draft(tmp_path, MOUNTED.replace("nginx:1", image).replace("nginx.conf", file))
    assert drafted["balancing"] == {"a": {"policy": policy}} and list(drafted["upstreams"]) == ["a"]


def test_every_line_of_a_proxy_has_its_example() -> None:
    texts = [line for line, _ in LINES] + [text for _, _, text, _ in OTHERS]
    assert [pattern for pattern, _ in POLICIES if not any(re.search(rf"^\s*{pattern}", text, re.M) for text in texts)] == []
