"""Modes pin and multus end to end: what texts, Services, pods and networks become, and what is told (conversion.md 2.5, 2.6)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import migrate
from migrate.cli import main
from migrate.findings import Finding
from tests.migrate.helm_templates import Chart
from tests.migrate.kustomize_builds import build

RANGE = "10.96.0.0/12"
NET = "networks:\n  n: {ipam: {config: [{subnet: 172.20.0.0/24}]}}\n"


class Converted:
    """A converted text with the ways in which these tests look at it."""

    def __init__(self, conversion: migrate.Conversion) -> None:
        self.conversion = conversion
        self.objects = {(m["kind"], m["metadata"]["name"]): m for m in conversion.manifests}

    def spec(self, kind: str, name: str) -> Any:
        return self.objects[kind, name]["spec"]

    def pod(self, name: str) -> Any:
        return next(m for (k, n), m in self.objects.items() if n == name and k in ("Deployment", "StatefulSet", "Job"))["spec"]["template"]

    def env(self, name: str) -> dict[str, str]:
        container = self.pod(name)["spec"]["containers"][0]
        return {e["name"]: e["value"] for e in container.get("env", ()) if "value" in e}

    def ip(self, name: str) -> str | None:
        found: str | None = self.spec("Service", name).get("clusterIP")
        return found

    def file(self, part: str) -> str:
        return "".join(t for (k, _), m in self.objects.items() if k == "ConfigMap" for key, t in m.get("data", {}).items() if part in key)

    def networks(self, name: str) -> list[dict[str, Any]]:
        said = self.pod(name)["metadata"].get("annotations", {}).get("k8s.v1.cni.cncf.io/networks")
        found: list[dict[str, Any]] = json.loads(said) if said else []
        return found

    def config(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.spec("NetworkAttachmentDefinition", name)["config"])
        return found

    def told(self, *codes: str) -> list[Finding]:
        return [f for f in self.conversion.findings if f.code in codes]

    @property
    def errors(self) -> list[str]:
        return [f"{f.code} {f.message}" for f in self.conversion.findings if f.severity == "error"]

    def outcomes(self) -> dict[str, str]:
        return {a.owner.address: a.outcome for a in self.conversion.addresses if a.owner.service}


def converted(folder: Path, text: str, files: Mapping[str, str] | None = None, plan: str = "", **options: Any) -> Converted:
    for name, content in {"compose.yaml": text, **(files or {})}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(content))
    if plan:
        (folder / "plan.yaml").write_text("version: 1\n" + plan)
        options["plan"] = folder / "plan.yaml"
    return Converted(migrate.convert("compose.yaml", directory=folder, **options))


def pinned(folder: Path, text: str, files: Mapping[str, str] | None = None, plan: str = "", within: str = RANGE) -> Converted:
    return converted(folder, text, files, plan, addresses="pin", service_cidr=within)


def attached(folder: Path, text: str, files: Mapping[str, str] | None = None, plan: str = "") -> Converted:
    return converted(folder, text, files, plan, addresses="multus")


# pin -----------------------------------------------------------------------------------------------------------------------------

DOH = (
    """
services:
  cloudflared: {image: "cloudflared:1", expose: ["5054/udp"], networks: {n: {ipv4_address: 172.20.0.2}}}
  pihole: {image: "pihole:1", environment: {PIHOLE_DNS_: "172.20.0.2#5054;1.1.1.1"}, dns: [127.0.0.1, 1.1.1.1], networks: [n]}
"""
    + NET
)


def test_the_worked_example_of_a_literal_only_resolver(tmp_path: Path) -> None:
    made = pinned(tmp_path, DOH)
    assert made.spec("Service", "cloudflared")["clusterIP"] == "10.96.0.2"
    assert (
        made.spec("Service", "cloudflared")["ports"][0] | {"name": "udp-5054", "port": 5054, "protocol": "UDP"}
        == (made.spec("Service", "cloudflared")["ports"][0])
    )
    assert made.env("pihole") == {"PIHOLE_DNS_": "10.96.0.2#5054;1.1.1.1"}
    assert "dnsConfig" not in made.pod("pihole")["spec"] and made.errors == []
    assert made.outcomes() == {"172.20.0.2": "pinned"}
    (told,) = made.told("MIG206")
    assert (told.address, told.action, [s.line for s in (told.span, *told.also) if s]) == ("172.20.0.2", "pinned", [3, 4])


def test_names_mode_refuses_the_same_stack(tmp_path: Path) -> None:
    made = converted(tmp_path, DOH)
    assert [e[:6] for e in made.errors] == ["MIG210"] and made.ip("cloudflared") is None


def test_only_what_needs_a_literal_is_pinned(tmp_path: Path) -> None:
    text = """
services:
  a: {image: "a:1", expose: [80], networks: {n: {ipv4_address: 172.20.0.2}}}
  b: {image: "b:1", expose: [80], networks: {n: {ipv4_address: 172.20.0.3}}}
  c: {image: "c:1", environment: {DNS_SERVER: 172.20.0.2, B: "http://172.20.0.3:80"}, networks: [n]}
"""
    made = pinned(tmp_path, text + NET)
    assert (made.ip("a"), made.ip("b")) == ("10.96.0.2", None)
    assert made.env("c") == {"DNS_SERVER": "10.96.0.2", "B": "http://b:80"} and made.errors == []
    everything = pinned(tmp_path, text + NET, plan="project: {pin: all}\n")
    assert (everything.ip("a"), everything.ip("b")) == ("10.96.0.2", "10.96.0.3")


def test_a_file_gets_the_pin_and_needs_no_rendering(tmp_path: Path) -> None:
    text = """
services:
  db: {image: "postgres:16", networks: {n: {ipv4_address: 172.20.0.5}}}
  dns: {image: "dnsmasq:1", volumes: ["./dnsmasq.conf:/etc/dnsmasq.conf:ro"], networks: [n]}
"""
    made = pinned(tmp_path, text + NET, {"dnsmasq.conf": "address=/db.example/172.20.0.5\nlog-queries\n"})
    assert made.file("dnsmasq.conf") == "address=/db.example/10.96.0.5\nlog-queries\n"
    assert "initContainers" not in made.pod("dns")["spec"] and made.told("MIG207") == [] and made.told("MIG242") != []


OWN = """
services:
  node: {image: "redis:7", command: "redis-server --cluster-announce-ip 172.20.0.5", networks: {n: {ipv4_address: 172.20.0.5}}}
  gnb: {image: "core:1", environment: {GTPU_SERVER_ADDR: 172.20.0.6}, expose: ["2152/udp"], networks: {n: {ipv4_address: 172.20.0.6}}}
  %s
"""  # fmt: skip


def test_an_own_address_is_the_pin_where_peers_keep_the_literal_but_a_listener_is_not(tmp_path: Path) -> None:
    peers = (
        'init: {image: "redis:7", command: "redis-cli --cluster create 172.20.0.5:6379", environment: {DNS: "172.20.0.6"}, networks: [n]}'
    )
    made = pinned(tmp_path, OWN % peers + NET)
    args = made.pod("node")["spec"]["containers"][0]["args"]
    assert args == ["redis-server", "--cluster-announce-ip", "10.96.0.5"]
    assert made.env("gnb") == {"GTPU_SERVER_ADDR": "$(POD_IP)"} and made.ip("gnb") == "10.96.0.6"
    assert made.errors == []


def test_an_own_url_may_be_a_listener_and_is_the_pod_though_peers_keep_the_literal(tmp_path: Path) -> None:
    text = """
services:
  one: {image: "kea:1", volumes: ["./one:/etc/kea:ro"], expose: [8000], networks: {n: {ipv4_address: 172.20.0.5}}}
  two: {image: "kea:1", volumes: ["./two:/etc/kea:ro"], expose: [8000], networks: {n: {ipv4_address: 172.20.0.6}}}
"""
    peers = '[\n{"name": "one", "url": "http://172.20.0.5:8000/"},\n{"name": "two", "url": "http://172.20.0.6:8000/"}\n]\n'
    made = pinned(tmp_path, text + NET, {"one/kea-one.conf": peers, "two/kea-two.conf": peers})
    assert made.file("kea-one") == peers.replace("172.20.0.5", "@@POD_IP@@").replace("172.20.0.6", "10.96.0.6")
    assert made.file("kea-two") == peers.replace("172.20.0.6", "@@POD_IP@@").replace("172.20.0.5", "10.96.0.5")
    assert made.errors == []


def test_an_own_address_that_no_peer_keeps_is_the_pod(tmp_path: Path) -> None:
    made = pinned(tmp_path, OWN % 'other: {image: "o:1", environment: {R: "redis://172.20.0.5:6379"}, networks: [n]}' + NET)
    assert made.pod("node")["spec"]["containers"][0]["args"][-1] == "$(POD_IP)" and made.ip("node") in (None, "None")


PARTS = """
services:
  app: {image: "a:1", command: ["sh", "-c", "connect 172.20.0.10$$ID"], environment: {PREFIX: "172.20.0"}, networks: [n]}
  n1: {image: "n:1", expose: [80], networks: {n: {ipv4_address: 172.20.0.101}}}
  n2: {image: "n:1", expose: [80], networks: {n: {ipv4_address: 172.20.0.102}}}
"""


def test_beginnings_of_addresses_stay_true(tmp_path: Path) -> None:
    made = pinned(tmp_path, PARTS + NET)
    assert made.pod("app")["spec"]["containers"][0]["args"] == ["sh", "-c", "connect 10.96.0.10$ID"]
    assert made.env("app") == {"PREFIX": "10.96.0"}
    assert (made.ip("n1"), made.ip("n2")) == ("10.96.0.101", "10.96.0.102")
    assert made.errors == [] and len(made.told("MIG213")) == 2


def test_beginnings_that_one_owner_breaks_stay_and_pin_nobody(tmp_path: Path) -> None:
    portless = PARTS.replace('n2: {image: "n:1", expose: [80],', 'n2: {image: "n:1",')
    made = pinned(tmp_path, portless + NET)
    assert made.env("app") == {"PREFIX": "172.20.0"} and [e[:6] for e in made.errors] == ["MIG211", "MIG211"]
    assert made.ip("n1") is None


def test_a_virtual_address_is_a_pinned_service(tmp_path: Path) -> None:
    text = """
services:
  lb1: {image: "lb:1", volumes: ["./keepalived.conf:/etc/keepalived/keepalived.conf:ro"], networks: [n]}
  lb2: {image: "lb:1", volumes: ["./keepalived.conf:/etc/keepalived/keepalived.conf:ro"], networks: [n]}
  app: {image: "a:1", environment: {UPSTREAM: "http://172.20.0.4:8080"}, networks: [n]}
"""
    made = pinned(tmp_path, text + NET, {"keepalived.conf": "vrrp_instance V { virtual_ipaddress { 172.20.0.4 } }\n"})
    assert made.ip("vip-4") == "10.96.0.4" and made.env("app") == {"UPSTREAM": "http://10.96.0.4:8080"}
    assert made.errors == []


@pytest.mark.parametrize(
    ("image", "file", "target", "content", "added"),
    [
        (
            "unbound:1", "unbound.conf", "/etc/unbound/unbound.conf", "server:\n  interface: 0.0.0.0\n",
            'server:\n    domain-insecure: "cluster.local."\nforward-zone:\n    name: "cluster.local."\n    forward-addr: 10.96.0.10\n',
        ),
        (
            "bind9:1", "named.conf", "/etc/bind/named.conf", "options { recursion yes; };",
            '\nzone "cluster.local" { type forward; forward only; forwarders { 10.96.0.10; }; };\n',
        ),
        ("dnsmasq:1", "dnsmasq.conf", "/etc/dnsmasq.conf", "log-queries\n", "server=/cluster.local/10.96.0.10\n"),
        ("bind9:1", "db.example", "/etc/bind/db.example", "@ IN SOA ns. me. 1 2 3 4 5\n", ""),
        ("bind9:1", "named.conf", "/etc/bind/named.conf", 'options { };\nview "in" { zone "x" { }; };\n', ""),
        ("other:1", "some.conf", "/etc/some.conf", "server: x\n", ""),
    ],
)  # fmt: skip
def test_a_server_of_pods_forwards_the_clusters_domain(
    tmp_path: Path, image: str, file: str, target: str, content: str, added: str
) -> None:
    text = f"""
services:
  dns: {{image: "{image}", expose: ["53/udp"], volumes: ["./{file}:{target}:ro"], networks: {{n: {{ipv4_address: 172.20.0.53}}}}}}
  app: {{image: "a:1", dns: [172.20.0.53, 1.1.1.1], dns_search: [example.org], networks: [n]}}
"""
    made = pinned(tmp_path, text + NET, {file: content})
    config = made.pod("app")["spec"]["dnsConfig"]
    assert made.pod("app")["spec"]["dnsPolicy"] == "None" and config["nameservers"] == ["10.96.0.53"]
    project = made.conversion.plan.namespace
    assert config["searches"] == [f"{project}.svc.cluster.local", "svc.cluster.local", "cluster.local", "example.org"]
    assert made.file(file) == content + added
    (told,) = made.told("MIG240")
    assert ("written into its file" in told.message) == bool(added) and made.errors == []


def test_a_dotted_name_is_kept_by_the_hosts_files_of_its_callers(tmp_path: Path) -> None:
    text = """
services:
  om.one.org: {image: "o:1", expose: [9862], networks: {n: {ipv4_address: 172.20.0.7}}}
  app: {image: "a:1", environment: {OM_ADDRESS: "http://om.one.org:9862"}, networks: [n]}
"""
    made = pinned(tmp_path, text + NET)
    assert made.env("app") == {"OM_ADDRESS": "http://om.one.org:9862"}
    assert made.pod("app")["spec"]["hostAliases"] == [{"ip": "10.96.0.7", "hostnames": ["om.one.org"]}]
    assert made.errors == [] and made.told("MIG109") == []
    names = converted(tmp_path, text + NET)
    assert names.env("app") == {"OM_ADDRESS": "http://om-one-org:9862"} and len(names.told("MIG109")) == 1


NEEDS = """
services:
  {names}
  app: {{image: "a:1", environment: {{DNS_SERVERS: "{list}"}}, networks: [n]}}
"""


def needing(count: int, more: str = "expose: [53],") -> str:
    services = "\n  ".join(f's{i}: {{image: "s:1", {more} networks: {{n: {{ipv4_address: 172.20.0.{i + 20}}}}}}}' for i in range(count))
    return NEEDS.format(names=services, list=",".join(f"172.20.0.{i + 20}" for i in range(count))) + NET


def test_a_range_that_is_too_small_is_one_error_with_every_place(tmp_path: Path) -> None:
    made = pinned(tmp_path, needing(16), within="10.96.0.0/28")
    (told,) = made.told("MIG235")
    assert told.message == "s12, s13, s14, s15 cannot be pinned: 10.96.0.0/28 has no free address left"
    places = [(s.line, s.column) for s in (told.span, *told.also) if s]  # where each is declared, and each use
    assert [line for line, _ in places] == [15, 16, 17, 18, 19, 19, 19, 19] and len(set(places)) == 8
    assert made.env("app")["DNS_SERVERS"].endswith("172.20.0.32,172.20.0.33,172.20.0.34,172.20.0.35")


def test_a_pin_beyond_the_band_and_with_another_octet_is_told(tmp_path: Path) -> None:
    made = pinned(tmp_path, needing(1), within="10.96.0.0/26")
    assert made.ip("s0") == "10.96.0.20" and [f.severity for f in made.told("MIG234")] == ["warning"]
    other = pinned(tmp_path, needing(1), within="10.96.0.0/28")
    assert other.ip("s0") == "10.96.0.2" and len(other.told("MIG233")) == 1 and other.told("MIG234") == []


@pytest.mark.parametrize(
    ("more", "plan", "why"),
    [
        ("", "", "none of its ports is known"),
        ("expose: [53],", "services: {s0: {service: headless}}\n", "headless"),
        ("expose: [53], labels: {kompose.service.type: headless},", "", "headless"),
    ],
)
def test_what_cannot_be_pinned_is_an_error(tmp_path: Path, more: str, plan: str, why: str) -> None:
    made = pinned(tmp_path, needing(1, more), plan=plan)
    (told,) = made.told("MIG235")
    assert why in told.message and told.severity == "error" and made.env("app") == {"DNS_SERVERS": "172.20.0.20"}


def test_ipv6_needs_a_range_of_ipv6(tmp_path: Path) -> None:
    text = """
services:
  dns: {image: "d:1", expose: ["53/udp"], networks: {n: {ipv4_address: 172.20.0.2, ipv6_address: "fd01::2"}}}
  app: {image: "a:1", environment: {DNS: "[fd01::2]:53", DNS_SERVER: "172.20.0.2"}, networks: [n]}
networks:
  n: {enable_ipv6: true, ipam: {config: [{subnet: 172.20.0.0/24}, {subnet: "fd01::/64"}]}}
"""
    both = pinned(tmp_path, text, within=f"{RANGE},fd00:96::/108")
    spec = both.spec("Service", "dns")
    assert (spec["clusterIP"], spec["clusterIPs"], spec["ipFamilies"]) == ("10.96.0.2", ["10.96.0.2", "fd00:96::2"], ["IPv4", "IPv6"])
    assert both.env("app") == {"DNS": "[fd00:96::2]:53", "DNS_SERVER": "10.96.0.2"} and both.errors == []
    four = pinned(tmp_path, text)
    assert four.env("app") == {"DNS": "[fd01::2]:53", "DNS_SERVER": "10.96.0.2"}
    assert ["has no IPv6" in f.message for f in four.told("MIG235")] == [True]


@pytest.mark.parametrize(
    ("within", "plan", "part"),
    [
        ("172.20.0.0/16", "", "overlaps the range of Services 172.20.0.0/16"),
        (RANGE, "project: {cluster: {podCidr: 172.20.0.0/14}}\n", "overlaps the range of pods 172.20.0.0/14"),
        (
            RANGE,
            "project: {cluster: {podCidr: 10.100.0.0/16}}\n",
            "the range of Services 10.96.0.0/12 overlaps the range of pods 10.100.0.0/16",
        ),
    ],
)
def test_ranges_that_overlap_are_told(tmp_path: Path, within: str, plan: str, part: str) -> None:
    kept = """
services:
  a: {image: "a:1", networks: {n: {ipv4_address: 172.20.0.2}}}
  b: {image: "b:1", environment: {WHITELIST_IP: 172.20.0.2}, networks: [n]}
"""
    made = pinned(tmp_path, kept + NET, plan=plan, within=within)
    assert [part in f.message for f in made.told("MIG231")] == [True]


def test_literals_that_all_became_names_overlap_nothing(tmp_path: Path) -> None:
    text = """
services:
  a: {image: "a:1", networks: {n: {ipv4_address: 172.20.0.2}}}
  b: {image: "b:1", environment: {A_HOST: 172.20.0.2}, networks: [n]}
"""
    assert pinned(tmp_path, text + NET, within="172.20.0.0/16").told("MIG231") == []


def test_the_plan_decides_for_one_address_one_service_and_what_is_reserved(tmp_path: Path) -> None:
    text = """
services:
  db: {image: "postgres:16", networks: {n: {ipv4_address: 172.20.0.5}}}
  dns: {image: "d:1", expose: ["53/udp"], networks: {n: {ipv4_address: 172.20.0.6}}}
  app: {image: "a:1", environment: {DB_IP: 172.20.0.5, DNS: 172.20.0.6}, networks: [n]}
"""
    plan = "project: {cluster: {serviceCidr: 10.96.0.0/16}, reserved: [10.96.0.5]}\naddresses: {172.20.0.5: pin}\n"
    one = converted(tmp_path, text + NET, plan=plan)
    assert one.env("app") == {"DB_IP": "10.96.0.105", "DNS": "172.20.0.6"} and [e[:6] for e in one.errors] == ["MIG210"]
    service = converted(tmp_path, text + NET, plan="project: {cluster: {serviceCidr: 10.96.0.0/16}}\nservices: {dns: {addresses: pin}}\n")
    assert service.env("app") == {"DB_IP": "db", "DNS": "10.96.0.6"} and service.errors == []
    against = pinned(tmp_path, text + NET, plan="services: {dns: {addresses: names}}\n")
    assert [e[:6] for e in against.errors] == ["MIG210"]
    keep = pinned(tmp_path, text + NET, plan="addresses: {172.20.0.6: keep}\n")
    assert keep.env("app") == {"DB_IP": "db", "DNS": "172.20.0.6"} and keep.outcomes()["172.20.0.6"] == "left"


def test_old_subnets_as_ranges_of_their_own(tmp_path: Path) -> None:
    plan = "project: {pinRange: own}\n"
    made = pinned(tmp_path, DOH, plan=plan)
    assert made.ip("cloudflared") == "172.20.0.2" and made.env("pihole") == {"PIHOLE_DNS_": "172.20.0.2#5054;1.1.1.1"}
    assert [m["spec"] for (k, _), m in made.objects.items() if k == "ServiceCIDR"] == [{"cidrs": ["172.20.0.0/24"]}]
    assert made.errors == [] and made.told("MIG231") == []
    assert any("becomes a range of Services" in f.message and f.span and f.span.line == 6 for f in made.told("MIG206"))
    older = converted(tmp_path, DOH, plan=plan, addresses="pin", service_cidr=RANGE, kubernetes_version="1.32")
    assert older.ip("cloudflared") == "10.96.0.2" and not any(k == "ServiceCIDR" for k, _ in older.objects)


@pytest.mark.parametrize("options", [{"addresses": "pin"}, {"addresses": "pin", "service_cidr": "10.96.0.0/31"}, {"service_cidr": "x"}])
def test_pins_without_a_usable_range_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(migrate.Unusable) as caught:
        converted(tmp_path, DOH, **options)
    assert [(f.code, "--service-cidr" in f.message) for f in caught.value.findings] == [("MIG235", True)]


def test_routes_are_no_matter_of_pins(tmp_path: Path) -> None:
    made = pinned(tmp_path, ROUTED, {"peers.conf": "x\n"})
    assert [e[:6] for e in made.errors] == ["MIG236"] and made.ip("router") == "None"


# multus --------------------------------------------------------------------------------------------------------------------------

ROUTED = """
services:
  host:
    image: "h:1"
    command: sh -c "ip route replace 10.9.1.0/24 via 10.9.0.11 && sleep infinity"
    cap_add: [NET_ADMIN]
    networks: {a: {ipv4_address: 10.9.0.5}}
  router: {image: "r:1", cap_add: [NET_ADMIN], networks: {a: {ipv4_address: 10.9.0.11}, b: {ipv4_address: 10.9.1.11}}}
  server:
    image: "s:1"
    volumes: ["./peers.conf:/etc/peers.conf:ro"]
    networks: {b: {ipv4_address: 10.9.1.5, mac_address: "02:42:0A:09:01:05"}}
networks:
  a: {ipam: {config: [{subnet: 10.9.0.0/24}]}}
  b: {internal: true, ipam: {config: [{subnet: 10.9.1.0/24, gateway: 10.9.1.1}]}}
"""  # fmt: skip


def test_a_routed_lab_keeps_its_addresses_and_texts(tmp_path: Path) -> None:
    peers = "host 10.9.0.5\nme 10.9.1.5\nallow 10.9.0.5\nnet 10.9.0.0/24\n"
    made = attached(tmp_path, ROUTED, {"peers.conf": peers})
    assert made.networks("router") == [
        {"name": "a", "interface": "net1", "ips": ["10.9.0.11/24"]},
        {"name": "b", "interface": "net2", "ips": ["10.9.1.11/24"]},
    ]
    assert made.networks("server") == [{"name": "b", "interface": "net1", "ips": ["10.9.1.5/24"], "mac": "02:42:0a:09:01:05"}]
    assert made.file("peers.conf") == peers
    assert "via 10.9.0.11" in " ".join(made.pod("host")["spec"]["containers"][0]["args"])
    assert made.errors == [] and made.told("MIG236", "MIG210", "MIG214", "MIG215", "MIG239", "MIG201") == []
    assert set(made.outcomes().values()) == {"multus"}
    a, b = made.config("a"), made.config("b")
    assert (a["type"], a["isGateway"], b["isGateway"], a["ipam"]) == ("bridge", True, False, {"type": "static"})
    assert a["bridge"] != b["bridge"] and all(len(c["bridge"]) <= 15 for c in (a, b)) and a["capabilities"] == {"ips": True, "mac": True}


def test_pods_of_a_bridge_stand_on_one_node_and_are_replaced_one_after_the_other(tmp_path: Path) -> None:
    made = attached(tmp_path, ROUTED, {"peers.conf": "x\n"})
    term = {"labelSelector": {"matchLabels": {"compose-cutover/multus": "member"}}, "topologyKey": "kubernetes.io/hostname"}
    for name in ("host", "router", "server"):
        pod = made.pod(name)
        assert pod["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] == [term]
        assert pod["metadata"]["labels"]["compose-cutover/multus"] == "member"
        assert made.spec("Deployment", name)["strategy"] == {"type": "Recreate"}
    assert any("must all stand on one" in f.message for f in made.told("MIG237"))


def test_pods_that_share_a_volume_with_a_bridge_share_its_term(tmp_path: Path) -> None:
    text = """
services:
  a: {image: "a:1", volumes: ["shared:/srv/x"], networks: {n: {ipv4_address: 172.20.0.2}}}
  b: {image: "b:1", volumes: ["shared:/srv/x"], network_mode: none}
volumes: {shared: {}}
"""
    made = attached(tmp_path, text + NET)
    terms = [p["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] for p in map(made.pod, "ab")]
    assert terms[0] == terms[1] and len(terms[0]) == 1
    key = next(iter(terms[0][0]["labelSelector"]["matchLabels"]))
    assert all(p["metadata"]["labels"][key] == "member" for p in map(made.pod, "ab")) and made.networks("b") == []


@pytest.mark.parametrize(
    ("network", "config"),
    [
        ("driver: macvlan, driver_opts: {parent: eth0.7}", {"type": "macvlan", "master": "eth0.7", "mode": "bridge"}),
        ("driver: macvlan, driver_opts: {parent: eth0, macvlan_mode: private}", {"type": "macvlan", "master": "eth0", "mode": "private"}),
        ("driver: ipvlan, driver_opts: {parent: eth1, ipvlan_mode: l3}", {"type": "ipvlan", "master": "eth1", "mode": "l3"}),
        ("driver: macvlan", {"type": "macvlan", "mode": "bridge"}),
        ("driver: bridge, driver_opts: {com.docker.network.bridge.name: lab0, com.docker.network.driver.mtu: '1400'}",
         {"type": "bridge", "bridge": "lab0", "mtu": 1400}),
    ],
)  # fmt: skip
def test_kinds_of_networks(tmp_path: Path, network: str, config: dict[str, Any]) -> None:
    text = f"""
services:
  pihole: {{image: "p:1", networks: {{lan: {{ipv4_address: 192.168.1.9}}}}}}
networks:
  lan: {{{network}, ipam: {{config: [{{subnet: 192.168.1.0/24, gateway: 192.168.1.1}}]}}}}
"""
    made = attached(tmp_path, text)
    assert made.config("lan") | config == made.config("lan") and ("master" in config) == ("master" in made.config("lan"))
    assert made.networks("pihole")[0]["ips"] == ["192.168.1.9/24"] and made.told("MIG238") == [] and made.errors == []
    assert ("affinity" in made.pod("pihole")["spec"]) == (config["type"] == "bridge")
    lan = [f for f in made.told("MIG237") if "192.168.1.9/24" in f.message]
    assert (len(lan) == 1) == (config["type"] != "bridge")


def test_the_plan_says_what_the_compose_file_does_not(tmp_path: Path) -> None:
    text = """
services:
  a: {image: "a:1", networks: {lan: {ipv4_address: 192.168.1.9}, ext: {ipv4_address: 10.5.7.9}}}
networks:
  lan: {driver: macvlan}
  ext: {external: true}
"""
    guessed = attached(tmp_path, text)
    assert [n["ips"] for n in guessed.networks("a")] == [["192.168.1.9/24"], ["10.5.7.9/24"]]
    assert sum("is assumed" in f.message for f in guessed.told("MIG237")) == 2
    said = attached(tmp_path, text, plan="project: {multus: {lan: {master: bond0, subnet: 192.168.0.0/16}, ext: {subnet: 10.5.0.0/16}}}\n")
    assert [n["ips"] for n in said.networks("a")] == [["192.168.1.9/16"], ["10.5.7.9/16"]] and said.config("lan")["master"] == "bond0"
    assert not any("is assumed" in f.message for f in said.told("MIG237"))


def test_addresses_that_docker_chose_are_chosen_once_and_hit_nobody(tmp_path: Path) -> None:
    text = """
services:
  fixed: {image: "a:1", networks: {n: {ipv4_address: 172.20.0.2}}}
  free1: {image: "b:1", networks: [n]}
  free2: {image: "c:1", networks: [n]}
networks:
  n: {ipam: {config: [{subnet: 172.20.0.0/24, aux_addresses: {printer: 172.20.0.3}}]}}
"""
    made = attached(tmp_path, text)
    assert [made.networks(s)[0]["ips"] for s in ("fixed", "free1", "free2")] == [["172.20.0.2/24"], ["172.20.0.4/24"], ["172.20.0.5/24"]]
    ranged = attached(tmp_path, text.replace("aux_addresses: {printer: 172.20.0.3}", "ip_range: 172.20.0.128/25"))
    assert made.networks("free1") != ranged.networks("free1") and ranged.networks("free1")[0]["ips"] == ["172.20.0.128/24"]


@pytest.mark.parametrize("more", ["deploy: {replicas: 2},", "deploy: {mode: global},", "labels: {kompose.hpa.replicas.max: '4'},"])
def test_several_pods_cannot_have_one_address(tmp_path: Path, more: str) -> None:
    text = f"""
services:
  a: {{image: "a:1", {more} networks: {{n: {{ipv4_address: 172.20.0.2}}}}}}
  b: {{image: "b:1", environment: {{A_HOST: 172.20.0.2}}, networks: [n]}}
"""
    made = attached(tmp_path, text + NET)
    assert [(f.code, f.severity, f.service) for f in made.told("MIG235")] == [("MIG235", "error", "a")]
    pod = next(m for (k, n), m in made.objects.items() if n == "a" and k in ("Deployment", "DaemonSet"))["spec"]["template"]
    assert "k8s.v1.cni.cncf.io/networks" not in pod["metadata"].get("annotations", {})
    assert made.env("b") == {"A_HOST": "a"}  # what is not attached is answered by name, as in mode names


def test_members_of_a_pod_share_its_attachment(tmp_path: Path) -> None:
    text = """
services:
  vpn: {image: "v:1", networks: {n: {ipv4_address: 172.20.0.2, interface_name: wan0, link_local_ips: [169.254.9.9]}}}
  torrent: {image: "t:1", network_mode: "service:vpn", environment: {BIND: 172.20.0.2}}
  beside: {image: "b:1", ipc: "service:vpn", networks: {n: {ipv4_address: 172.20.0.3}}}
"""
    made = attached(tmp_path, text + NET)
    assert made.networks("vpn") == [{"name": "n", "interface": "wan0", "ips": ["172.20.0.2/24", "169.254.9.9/16", "172.20.0.3/24"]}]
    assert made.told("MIG335") == [] and made.errors == []


def test_resolvers_and_hosts_files_keep_the_literal(tmp_path: Path) -> None:
    text = """
services:
  dns: {image: "dnsmasq:1", networks: {n: {ipv4_address: 172.20.0.53}}}
  app: {image: "a:1", dns: [172.20.0.53], extra_hosts: ["ns.corp.example:172.20.0.53", "x.example:198.51.100.7"], networks: [n]}
"""
    made = attached(tmp_path, text + NET)
    spec = made.pod("app")["spec"]
    assert (spec["dnsPolicy"], spec["dnsConfig"]["nameservers"]) == ("None", ["172.20.0.53"])
    assert {a["ip"]: a["hostnames"] for a in spec["hostAliases"]} == {"172.20.0.53": ["ns.corp.example"], "198.51.100.7": ["x.example"]}
    assert made.errors == [] and len(made.told("MIG240")) == 1


def test_one_address_alone_attaches_its_owner_and_who_reads_it(tmp_path: Path) -> None:
    text = """
services:
  a: {image: "a:1", networks: {n: {ipv4_address: 172.20.0.2}}}
  b: {image: "b:1", environment: {A_HOST: 172.20.0.2, C_HOST: 172.20.0.4}, networks: [n]}
  c: {image: "c:1", networks: {n: {ipv4_address: 172.20.0.4}}}
"""
    made = converted(tmp_path, text + NET, plan="addresses: {172.20.0.2: multus}\n")
    assert [bool(made.networks(s)) for s in "abc"] == [True, True, False]
    assert made.env("b") == {"A_HOST": "172.20.0.2", "C_HOST": "c"} and made.errors == []


def test_the_docker_host_is_still_no_pod(tmp_path: Path) -> None:
    text = """
services:
  web: {image: "w:1", ports: ["8080:80"], networks: {n: {ipv4_address: 172.20.0.2}}}
  app: {image: "a:1", environment: {WEB: "http://172.20.0.1:8080", AGENT: "http://172.20.0.1:9100"}, networks: [n]}
"""
    made = attached(tmp_path, text + NET)
    assert made.env("app") == {"WEB": "http://web:80", "AGENT": "http://172.20.0.1:9100"} and made.errors == []


def test_a_default_route_through_a_container_is_told(tmp_path: Path) -> None:
    made = attached(tmp_path, ROUTED.replace("10.9.1.0/24 via", "default via"), {"peers.conf": "x\n"})
    assert any("routes everything by 10.9.0.11" in f.message for f in made.told("MIG237"))


# both --------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"addresses": "pin", "service_cidr": RANGE}, {"addresses": "multus"}])
def test_the_written_plan_leads_to_the_same_objects(tmp_path: Path, options: dict[str, Any]) -> None:
    from migrate.plan.written import write_plan

    first = converted(tmp_path, DOH, **options)
    (tmp_path / "plan.yaml").write_text(write_plan(first.conversion.plan))
    assert migrate.convert("compose.yaml", directory=tmp_path, plan=tmp_path / "plan.yaml").manifests == first.conversion.manifests


@pytest.mark.parametrize("options", [{"addresses": "pin", "service_cidr": RANGE}, {"addresses": "multus"}], ids=["pin", "multus"])
@pytest.mark.parametrize("text", [DOH, ROUTED, PARTS + NET], ids=["resolver", "routed", "parts"])
def test_every_form_of_tree_gives_the_same_objects(tmp_path: Path, text: str, options: dict[str, Any]) -> None:
    made = converted(tmp_path, text, {"peers.conf": "x\n"}, **options)
    plain = {(m["kind"], m["metadata"]["name"]): m for m in made.conversion.manifests}
    based = build(made.conversion.tree("kustomize"), "base")
    charted = Chart(made.conversion.tree("helm")).render()
    for objects in (based, charted):
        assert {(m["kind"], m["metadata"]["name"]): m for m in objects} == plain


# the command -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "plan"),
    [
        (["--addresses", "pin", "--service-cidr", RANGE], ""),
        (["--addresses", "multus"], ""),
        ([], "project: {addresses: pin, cluster: {serviceCidr: 10.96.0.0/12}}\n"),
        (["--service-cidr", RANGE], "services: {cloudflared: {addresses: pin}}\n"),
        (["--addresses", "pin"], "project: {cluster: {serviceCidr: 10.96.0.0/12}, exposure: clusterip}\n"),
    ],
)
def test_what_convert_wrote_passes_verify_without_being_told_how(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], options: list[str], plan: str
) -> None:
    compose, out = tmp_path / "compose.yaml", tmp_path / "out"
    compose.write_text(DOH.replace("networks: [n]}", 'networks: [n], ports: ["80:80"]}'))
    (tmp_path / "plan.yaml").write_text(f"version: 1\n{plan}")
    given = ["--plan", str(tmp_path / "plan.yaml")] if plan else []
    assert main(["convert", "-f", str(compose), "-o", str(out), *options, *given]) == 0
    capfdbinary.readouterr()
    assert main(["verify", str(out), "-f", str(compose)]) == 0
    assert b"network: " in capfdbinary.readouterr().err
    text = (out / "00-namespace.yaml").read_text()
    (out / "00-namespace.yaml").write_text(text.replace("version", "vision"))
    assert main(["verify", str(out), "-f", str(compose)]) == 1
    assert b"annotation compose-cutover/plan is no plan" in capfdbinary.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--addresses pin", "--service-cidr"),
        ("--addresses pin --service-cidr 10.96.0.0/31", "too small"),
        ("--addresses pin --service-cidr 10.96.0.0/12,10.97.0.0/16", "two ranges"),
        ("--addresses pin --service-cidr ten", "no range"),
        ("--addresses lan", "multus"),
    ],
)
def test_a_range_that_cannot_be_used_is_a_wrong_command_line(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], arguments: str, said: str
) -> None:
    (tmp_path / "compose.yaml").write_text(DOH)
    for command in ("convert", "addresses"):
        assert main([command, "-f", str(tmp_path / "compose.yaml"), *arguments.split()]) == 2
        captured = capfdbinary.readouterr()
        assert captured.out == b"" and said.encode() in captured.err and b"Traceback" not in captured.err


def test_a_plan_that_asks_for_pins_without_a_range_ends_with_status_2(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    (tmp_path / "compose.yaml").write_text(DOH)
    (tmp_path / "plan.yaml").write_text("version: 1\naddresses: {172.20.0.2: pin}\n")
    assert main(["convert", "-f", str(tmp_path / "compose.yaml"), "--plan", str(tmp_path / "plan.yaml")]) == 2
    captured = capfdbinary.readouterr()
    assert captured.out == b"" and b"--service-cidr" in captured.err


def test_the_addresses_command_shows_what_a_mode_makes_of_them(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    (tmp_path / "compose.yaml").write_text(DOH)
    for options, outcome in (
        ([], "left"),
        (["--addresses", "pin", "--service-cidr", RANGE], "pinned"),
        (["--addresses", "multus"], "multus"),
    ):
        main(["addresses", "-f", str(tmp_path / "compose.yaml"), "--format", "json", *options])
        entry = next(e for e in json.loads(capfdbinary.readouterr().out) if e["address"] == "172.20.0.2")
        assert entry["outcome"] == outcome
