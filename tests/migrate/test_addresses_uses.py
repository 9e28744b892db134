"""One use of every kind: class, rule, action and the text after it (conversion.md 2.5)."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from migrate import addresses, stack
from migrate.plan.decision import Answers
from tests.migrate.stacks import NET, addressed, meaning, project, uses

_TWO = """
services:
  web:
    image: web:1
    {web}
    networks: {{n: {{ipv4_address: 172.28.0.10}}}}
  db:
    image: db:1
    networks: {{n: {{ipv4_address: 172.28.0.20}}}}
"""


def _one(folder: Path, web: str, files: dict[str, str] | None = None) -> tuple[str, str, str, str | None]:
    """(letter, rule, action, new) of the only use in web."""
    decided = addressed(meaning(folder, _TWO.format(web=web) + NET, files))
    (use,) = {(u.use.place, u.use.key, u.use.start): u for u in uses(decided, "web")}.values()
    return use.use.letter, use.use.rule, use.action, use.new


@pytest.mark.parametrize(
    ("web", "expected"),
    [
        ('environment: {DB_HOST: "172.28.0.20"}', ("b", "A9", "rewritten", "db")),
        ('environment: {DB: "mysql://u:p@172.28.0.20:3306/x"}', ("c", "A9", "rewritten", "db")),
        ('environment: {PIHOLE_DNS_: "172.28.0.20#5054"}', ("f", "A7", "refused", None)),
        ('environment: {API_WHITELIST_IP: "172.28.0.20"}', ("g", "A8", "left", None)),
        ('environment: {MY_IP: "172.28.0.10"}', ("j", "A6b", "pod-ip", "$(POD_IP)")),
        ('environment: {PEERS: "172.28.0.10,172.28.0.20"}', None),
        ('environment: {APP_URL: "http://172.28.0.10:80"}', ("j", "A5", "pod-ip", "$(POD_IP)")),
        ('environment: {SUBNET: "172.28.0.0/24"}', ("w", "A2", "left", None)),
        ('environment: {DB_NET: "172.28.0.20/24"}', ("b", "A2", "left", None)),
        ('environment: {GW: "http://172.28.0.1:99"}', ("p", "A10", "pod-ip", "$(HOST_IP)")),
        ('environment: {LAN: "172.28.0.99"}', ("w", "A12", "left", None)),
        ('environment: {LAN: "192.168.7.7"}', ("w", "A13", "left", None)),
        ('environment: {PREFIX: "172.28.0"}', ("t", "A3", "left", None)),
        ('command: ["serve", "--bind", "172.28.0.10"]', ("j", "A4", "rewritten", "0.0.0.0")),
        ('command: "route add default gw 172.28.0.20"', ("m", "A7", "refused", None)),
        ('command: "serve --peer /ip4/172.28.0.20/tcp/4001"', ("u", "A9", "rewritten", "db")),
        ('command: "serve --peer abc@172.28.0.20:26656"', ("u", "A9", "rewritten", "db")),
        ('healthcheck: {test: ["CMD", "ping", "172.28.0.20"]}', ("l", "A9", "rewritten", "db")),
        ('dns: ["172.28.0.20"]', ("f", "A7", "dropped", None)),
        ('extra_hosts: ["data:172.28.0.20"]', ("h", "A3b", "dropped", None)),
        ('extra_hosts: ["pay.example:198.51.100.7"]', ("w", "A3b", "left", None)),
    ],
)
def test_a_use(tmp_path: Path, web: str, expected: tuple[str, str, str, str | None] | None) -> None:
    if expected is None:
        both = uses(addressed(meaning(tmp_path, _TWO.format(web=web) + NET)), "web")
        assert [(u.use.letter, u.use.rule, u.new) for u in both] == [("d", "A6a", "web"), ("d", "A9", "db")]
    else:
        assert _one(tmp_path, web) == expected


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("app.conf", "db = 172.28.0.20\n", ("e", "A9", "rewritten", "db")),
        ("nginx.conf", "allow 172.28.0.20;\n", ("g", "A8", "left", None)),
        ("dnsmasq.conf", "address=/x.example/172.28.0.20\n", ("q", "A7", "rendered", "@@ADDR:db@@")),
        ("resolved.conf", "nameserver 172.28.0.20\n", ("f", "A7", "rendered", "@@ADDR:db@@")),
        ("app.conf", "my_ip = 172.28.0.10\n", ("j", "A6b", "rendered", "@@POD_IP@@")),
        ("grants.sql", "GRANT ALL ON x.* TO 'u'@'172.28.0.%';\n", ("g", "A2", "left", None)),
        ("openssl.cnf", "[alt_names]\nIP.1 = 172.28.0.20\n", ("r", "A7", "rendered", "@@ADDR:db@@")),
    ],
)
def test_a_use_in_a_mounted_file(tmp_path: Path, name: str, content: str, expected: tuple[str, str, str, str | None]) -> None:
    assert _one(tmp_path, f"volumes: ['./{name}:/etc/x/{name}:ro']", {name: content}) == expected


def test_the_whole_service_after_rewriting(tmp_path: Path) -> None:
    web = """command: serve --bind 172.28.0.10 --db=172.28.0.20:5432 --net 172.28.0.200
    environment: {IP: 172.28.0.10, "URL": "http://172.28.0.20/172.28.0.20x", IMG: "db:172.28.0.20"}
    healthcheck: {test: ["CMD", "curl", "http://172.28.0.10:80/a b"]}
    volumes: ["./a.conf:/etc/a.conf:ro"]"""
    decided = addressed(meaning(tmp_path, _TWO.format(web=web) + NET, {"a.conf": "# 172.28.0.20\nhost: 172.28.0.20\r\nx 172.28.0.201"}))
    service = decided.outcome.services["web"]
    assert service.command == ("serve", "--bind", "0.0.0.0", "--db=db:5432", "--net", "172.28.0.200")
    assert service.environment == {"IP": "$(POD_IP)", "URL": "http://db/172.28.0.20x", "IMG": "db:db"}
    assert service.healthcheck == ("CMD", "curl", "http://127.0.0.1:80/a b")
    assert service.needs_pod_ip
    assert service.files[str(tmp_path / "a.conf")].text == "# 172.28.0.20\nhost: db\r\nx 172.28.0.201"
    assert decided.outcome.services["db"].environment == {}


def test_an_own_address_in_a_health_check_is_a_shell_variable(tmp_path: Path) -> None:
    web = 'healthcheck: {test: ["CMD", "curl", "-f", "http://172.28.0.10/$$x"]}'
    service = addressed(meaning(tmp_path, _TWO.format(web=web) + NET)).outcome.services["web"]
    assert service.healthcheck == ("CMD-SHELL", 'curl -f "http://$POD_IP/\\$x"')
    assert service.needs_pod_ip


def test_places_are_exact(tmp_path: Path) -> None:
    text = """
    services:
      web:
        image: web:1
        environment:
          A: "http://172.28.0.20:1,http://172.28.0.20:2"
          B: ${HOST}
        command: >
          serve
          --db 172.28.0.20
        networks: {n: {ipv4_address: 172.28.0.10}}
      db: {image: db:1, networks: {n: {ipv4_address: 172.28.0.20}}}
    networks: {n: {}}
    """
    decided = addressed(meaning(tmp_path, text, environment={"HOST": "172.28.0.20"}))
    places = {(u.use.key, u.use.span.line, u.use.span.column) for u in uses(decided, "web")}
    assert places == {("A", 6, 18), ("A", 6, 39), ("B", 7, 10), ("2", 10, 12)}


def test_one_env_file_means_me_in_one_and_peer_in_the_other(tmp_path: Path) -> None:
    text = """
    services:
      amf: {image: "a:1", env_file: [all.env], networks: {n: {ipv4_address: 172.28.0.10}}}
      smf: {image: "a:2", env_file: [all.env], networks: {n: {ipv4_address: 172.28.0.20}}}
    networks: {n: {}}
    """
    services = addressed(meaning(tmp_path, text, {"all.env": "AMF_IP=172.28.0.10\nSMF_IP=172.28.0.20\n"})).outcome.services
    assert services["amf"].environment == {"AMF_IP": "$(POD_IP)", "SMF_IP": "smf"}
    assert services["smf"].environment == {"AMF_IP": "amf", "SMF_IP": "$(POD_IP)"}


def test_findings_name_the_address_and_no_secret(tmp_path: Path) -> None:
    decided = addressed(meaning(tmp_path, _TWO.format(web='environment: {DB: "mysql://u:hunter2@172.28.0.20:3306/x"}') + NET))
    told = [f for f in decided.findings if f.address == "172.28.0.20"]
    assert [f.code for f in told] == ["MIG202"]
    assert all("hunter2" not in f.message + f.advice for f in decided.findings)
    assert [(f.code, f.address) for f in decided.findings if f.code == "MIG201"] == [("MIG201", "172.28.0.10")]


def test_a_port_of_the_host_is_the_service_that_publishes_it(tmp_path: Path) -> None:
    text = """
    services:
      web: {image: "w:1", environment: {DB: "http://172.28.0.1:8080/x", D2: "http://host.docker.internal:8080"}, networks: [n]}
      db: {image: "d:1", ports: ["8080:80"], networks: {n: {ipv4_address: 172.28.0.20}}}
    """
    service = addressed(meaning(tmp_path, dedent(text) + NET)).outcome.services["web"]
    assert service.environment == {"DB": "http://db:80/x", "D2": "http://db:80"}


def test_a_virtual_address_becomes_a_service(tmp_path: Path) -> None:
    text = """
    services:
      lb1: {image: "k:1", volumes: ["./keepalived.conf:/etc/keepalived/keepalived.conf:ro"], networks: {n: {ipv4_address: 172.28.0.2}}}
      lb2: {image: "k:1", volumes: ["./keepalived.conf:/etc/keepalived/keepalived.conf:ro"], networks: {n: {ipv4_address: 172.28.0.3}}}
      app: {image: "a:1", environment: {UPSTREAM: "http://172.28.0.4:8080"}, networks: [n]}
    """
    conf = "vrrp_instance A {\n  virtual_ipaddress {\n    172.28.0.4/24 dev eth0\n  }\n}\n"
    outcome = addressed(meaning(tmp_path, dedent(text) + NET, {"keepalived.conf": conf})).outcome
    assert outcome.vips == {"vip-4": ("lb1", "lb2")}
    assert outcome.vip_ports == {"vip-4": ((8080, "tcp"),)}
    assert outcome.services["app"].environment == {"UPSTREAM": "http://vip-4:8080"}


def test_keep_is_an_answer(tmp_path: Path) -> None:
    meant = meaning(tmp_path, _TWO.format(web='environment: {DB_HOST: "172.28.0.20"}') + NET)
    decided = addressed(meant, Answers(addresses={"172.28.0.20": "keep"}))
    assert decided.outcome.services["web"].environment == {"DB_HOST": "172.28.0.20"}
    assert {a.owner.address: a.outcome for a in decided.outcome.addresses} == {"172.28.0.10": "dropped", "172.28.0.20": "left"}


def test_a_stack_without_fixed_addresses_is_untouched(tmp_path: Path) -> None:
    meant = meaning(tmp_path, 'services: {web: {image: "w:1", environment: {DB_HOST: db}}, db: {image: "d:1"}}')
    decided = addressed(meant)
    assert decided.outcome.services["web"].environment == {"DB_HOST": "db"}
    assert decided.outcome.addresses == () and decided.findings == ()


@pytest.mark.parametrize("net", ["172.28.0", "10.1.2", "203.0.113"])
def test_renumbering_changes_nothing(tmp_path: Path, net: str) -> None:
    web = 'command: "serve --bind 172.28.0.10 --db 172.28.0.20:1"'
    text = (_TWO.format(web=web) + NET).replace("172.28.0", net)
    assert addressed(meaning(tmp_path, text)).outcome.services["web"].command == ("serve", "--bind", "0.0.0.0", "--db", "db:1")


def test_rewriting_twice_is_rewriting_once(tmp_path: Path) -> None:
    text = _TWO.format(web='command: "serve --db 172.28.0.20:1"') + NET
    first = addressed(meaning(tmp_path, text)).outcome.services["web"].command or ()
    again = project(tmp_path, (_TWO.format(web=f"command: {list(first)}") + NET))
    meant = stack.resolve(again)
    assert uses(addressed(meant), "web") == []
    assert [u.kind for u in addresses.take_inventory(meant).uses] == ["name"]


def test_a_file_of_the_image_is_laid_over(tmp_path: Path) -> None:
    files = {"Dockerfile": "FROM x\nCOPY conf/app.conf /etc/app.conf\nENV DB=172.28.0.20\n", "conf/app.conf": "db = 172.28.0.20\n"}
    decided = addressed(meaning(tmp_path, _TWO.format(web="build: .") + NET, files))
    service = decided.outcome.services["web"]
    assert {target: f.text for target, f in service.overlays.items()} == {"/etc/app.conf": "db = db\n"}
    assert {(u.use.letter, u.action) for u in uses(decided, "web")} == {("n", "rewritten"), ("n", "left")}
    assert {f.code for f in decided.findings if f.address == "172.28.0.20"} >= {"MIG217", "MIG218"}


def test_scripts_and_unused_compose_text_are_told(tmp_path: Path) -> None:
    text = """
    services:
      web: {image: "w:1", networks: {n: {ipv4_address: 172.28.0.10}}}
      old: {image: "w:1", profiles: [old], environment: {WEB: "http://172.28.0.10"}}
    """
    files = {"attack.sh": "curl 172.28.0.10 172.28.0.99 8.8.8.8\n", "README.md": "172.28.0.10", "data/x": "172.28.0.10"}
    decided = addressed(meaning(tmp_path, dedent(text) + NET, files))
    assert [(u.use.letter, u.use.place, u.use.service, u.action, str(u.use.span)) for u in uses(decided)] == [
        ("o", "script", None, "left", "attack.sh:1:6"),
        ("o", "script", None, "left", "compose.yaml:4:67"),
    ]
    assert [f.code for f in decided.findings] == ["MIG219"]


def test_two_listeners_that_become_one_are_told(tmp_path: Path) -> None:
    text = """
    services:
      web:
        image: w:1
        volumes: ["./a.conf:/etc/nginx/a.conf:ro"]
        networks: {n: {ipv4_address: 172.28.0.10}, m: {ipv4_address: 10.1.0.2}}
    networks: {n: {}, m: {}}
    """
    decided = addressed(meaning(tmp_path, text, {"a.conf": "listen 172.28.0.10:80;\nlisten 10.1.0.2:80;\n"}))
    assert [(f.severity.value, f.message) for f in decided.findings if f.severity.value == "warning"] == [
        ("warning", "172.28.0.10 and 10.1.0.2 at port 80 become one listener on all interfaces")
    ]


def test_an_address_that_is_a_variable_without_a_value_is_a_token(tmp_path: Path) -> None:
    text = """
    services:
      bitcoin:
        image: b:1
        command: run -ip=${BITCOIN_IP} -x=${OTHER}y
        networks: {default: {ipv4_address: $BITCOIN_IP}}
      lnd:
        image: l:1
        environment:
          HOST: ${BITCOIN_IP}
          URL: http://${BITCOIN_IP}:8332/${OTHER}
          TOR: "${NET}.7"
          DNS1: ${BITCOIN_IP}
        env_file: [a.env]
      tor: {image: t:1, environment: ["LND=${BITCOIN_IP}:9735"], networks: {default: {ipv4_address: "${NET}.7"}}}
    """
    meant = meaning(tmp_path, text, {"a.env": "A=${BITCOIN_IP}\n"})
    services = addressed(meant).outcome.services
    assert services["bitcoin"].command == ("run", "-ip=$(POD_IP)", "-x=y")
    assert services["lnd"].environment == {"A": "bitcoin", "HOST": "bitcoin", "URL": "http://bitcoin:8332/", "TOR": "tor", "DNS1": ""}
    assert services["tor"].environment == {"LND": "bitcoin:9735"}
    assert [f.address for f in meant.findings if f.code == "MIG229"] == ["${BITCOIN_IP}", "${NET}.7"]


def test_code_that_completes_a_beginning_is_found_with_the_name_to_write(tmp_path: Path) -> None:
    text = """
    services:
      spam:
        image: s:1
        environment: ["NET=${NET:-172.28.0}"]
        command: ["sh", "-c", "ping $${NET}.20"]
        volumes: ["./a.lua:/etc/s/a.lua:ro", "./b.php:/etc/s/b.php:ro"]
        networks: {n: {ipv4_address: "${NET:-172.28.0}.10"}}
      mail: {image: "m:1", networks: {n: {ipv4_address: "${NET:-172.28.0}.20"}}}
    """
    files = {
        "a.lua": 'local a = os.getenv("NET") .. ".20"\n-- os.getenv("NET") .. ".20"\nlocal b = os.getenv("NET") .. ".99"\n',
        "b.php": "<?php $m = getenv('NET') . '.20';\n",
    }
    meant = meaning(tmp_path, dedent(text) + NET, files)
    told = [(str(f.span), f.message) for f in addressed(meant).findings if f.code == "MIG211" and "write" in f.message]
    message = "NET and .20 make 172.28.0.20, the address of mail: write that name instead"
    assert told == [("compose.yaml:6:27", message), ("a.lua:1:22", message), ("b.php:1:20", message)]


def test_ptr_names_are_told(tmp_path: Path) -> None:
    conf = "ptr-record=20.0.28.172.in-addr.arpa,db.x\nptr-record=9.9.9.9.in-addr.arpa,x\n"
    meant = meaning(tmp_path, _TWO.format(web="volumes: ['./d.conf:/etc/dnsmasq.d/d.conf:ro']") + NET, {"d.conf": conf})
    told = [(str(f.span), f.address) for f in meant.findings if f.code == "MIG242"]
    assert told == [("d.conf:1:12", "172.28.0.20")]
    assert addressed(meant).outcome.services["web"].files[str(tmp_path / "d.conf")].text == conf


def test_an_ipv6_literal_asks_for_an_ipv6_address(tmp_path: Path) -> None:
    text = """
    services:
      dns: {image: "b:1", volumes: ["./z.zone:/etc/bind/z.zone:ro"], networks: {n: {ipv4_address: 172.28.0.10}}}
      db: {image: "d:1", networks: {n: {ipv4_address: 172.28.0.20, ipv6_address: "fd00::20"}}}
    networks: {n: {ipam: {config: [{subnet: 172.28.0.0/24}, {subnet: "fd00::/64"}]}}}
    """
    zone = "@ IN SOA ns. r. (1 1 1 1 1)\ndb IN A 172.28.0.20\ndb IN AAAA fd00::20\n"
    service = addressed(meaning(tmp_path, text, {"z.zone": zone})).outcome.services["dns"]
    lines = service.files[str(tmp_path / "z.zone")].text.splitlines()
    assert lines[1:] == ["db IN A @@ADDR:db@@", "db IN AAAA @@ADDR6:db@@"]


def test_a_declaration_in_flow_style_is_no_use(tmp_path: Path) -> None:
    text = """
    services:
      web: {image: "w:1", command: ["--port=1"], networks: {n: {ipv4_address: 172.28.0.10}}}
      db: {image: "d:1", command: ["--peer=172.28.0.10"], networks: {"n": {"ipv4_address": "172.28.0.20"}}}
    """
    decided = addressed(meaning(tmp_path, dedent(text) + NET))
    assert [(u.use.token, u.use.letter, u.use.service) for u in uses(decided)] == [("172.28.0.10", "b", "db")]


def test_the_file_that_certificates_are_made_from(tmp_path: Path) -> None:
    script = r"""'echo -ne "instances:\n    ip:\n      - 172.28.0.20\n" > c.yml'"""
    assert _one(tmp_path, f"command: ['sh', '-c', {script}]")[:3] == ("r", "A7", "refused")
    (tmp_path / "x").mkdir()
    files = {"instances.yml": "instances:\n  - name: a\n    ip:\n      - 172.28.0.20\n"}
    assert _one(tmp_path / "x", "volumes: ['./instances.yml:/c/instances.yml:ro']", files) == ("r", "A7", "rendered", "@@ADDR:db@@")
