"""Every numbered rule of the conversion has a stack that it decides, and one that the next rule takes.

`RULES` names for each rule a Compose text (and a plan) whose decisions name it, and a text that does not fall under it. Rules of
addresses (`USES`) are those of their uses; rules of the old network (`BEFORE`) show in what the new one admits.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import migrate
from migrate.verify.case import Case
from tests.migrate.every_finding import NET, PAIR, PEER, PIN
from tests.migrate.planned import plan_of

VOL = "volumes: {vol: }\n"


def stack(*services: str, rest: str = "") -> str:
    """A project of services `a`, `b`, ...: each the inside of a flow mapping."""
    return "services:\n" + "".join(f"  {chr(97 + n)}: {{{s}}}\n" for n, s in enumerate(services)) + rest


IMG = "image: 'x:1'"
DATA = f"{IMG}, volumes: ['vol:/data']"
SOCK = f"{IMG}, volumes: ['sock:/run/x']"

RULES: dict[str, tuple[str, str, str]] = {
    # which containers share a pod
    "G1": (stack(IMG, f"{IMG}, network_mode: 'service:a'"), "", stack(IMG, IMG)),
    "G2": (stack(IMG, f"{IMG}, pid: 'service:a'"), "", stack(IMG, f"{IMG}, pid: host")),
    "G3": (stack(IMG, IMG), "services: {b: {group: a}}", stack(IMG, f"{IMG}, labels: {{kompose.service.group: g}}")),
    "G4": (stack(SOCK, SOCK, rest="volumes: {sock: }\n"), "", stack(SOCK, SOCK, SOCK, rest="volumes: {sock: }\n")),
    "G5": (stack(SOCK, SOCK, SOCK, rest="volumes: {sock: }\n"), "", stack(SOCK, SOCK, rest="volumes: {sock: }\n")),
    # workload kinds
    "W1": (stack(IMG), "services: {a: {kind: StatefulSet}}", stack(IMG)),
    "W2": (stack(IMG, "image: x, provider: {type: cloud}"), "", stack(IMG)),
    "W3": (stack(f"{IMG}, labels: {{kompose.controller.type: daemonset}}"), "", stack(f"{IMG}, labels: {{kompose.controller.type: pod}}")),
    "W4": (stack(f"{IMG}, deploy: {{mode: global}}"), "", stack(f"{IMG}, deploy: {{mode: replicated}}")),
    "W5": (stack(f"{IMG}, deploy: {{mode: replicated-job}}"), "", stack(f"{IMG}, deploy: {{mode: global}}")),
    "W6": (stack(f"{IMG}, restart: 'no'"), "", stack(f"{IMG}, restart: 'no', ports: ['80:80']")),
    "W7": ("services: {db-init: {image: 'x:1'}}", "", "services: {db-init: {image: 'x:1', restart: always}}"),
    "W8": (stack(DATA, rest=VOL), "", stack(DATA, DATA, rest=VOL)),
    "W9": (stack(f"{DATA}, hostname: a.b.c", rest=VOL), "", stack(f"{DATA}, hostname: plain", rest=VOL)),
    "W10": (stack(IMG), "", stack(DATA, rest=VOL)),
    "C1": (
        stack(f"{IMG}, restart: 'no'", f"{IMG}, depends_on: {{a: {{condition: service_completed_successfully}}}}"), "",
        stack(f"{IMG}, restart: 'no'", f"{IMG}, scale: 2, depends_on: {{a: {{condition: service_completed_successfully}}}}"),
    ),
    "C2": (stack(f"{IMG}, restart: 'no'"), "", stack(IMG)),
    # names
    "N1": (stack(IMG), "", "services: {a_b: {image: x}, a-b: {image: x}}"),
    "N2": ("services: {a_b: {image: x}, a-b: {image: x}}", "", stack(IMG)),
    "N3": (stack(f"{IMG}, container_name: other"), "", stack(IMG)),
    "N4": ("services: {a_b: {image: x}}", "", "services: {AB: {image: x}}"),
    "N5": (stack(f"{IMG}, hostname: my_host"), "", stack(IMG)),
    "N6a": ("services: {scm1.org: {image: x}}", "", "services: {scm1.org: {image: x, scale: 2}}"),
    "N6b": ("services: {a.b.c: {image: x, expose: ['80']}}", PIN, "services: {a.b.c: {image: x}}"),
    "N6c": ("services: {a.b.c: {image: x}}", "", "services: {a.b: {image: x}}"),
    "N7": (stack(f"{IMG}, external_links: [old]"), "project: {externalLinks: {old: 192.0.2.1}}", stack(f"{IMG}, external_links: [old]")),
    # Services
    "S1": (stack(f"{IMG}, expose: ['80']"), "project: {service: headless}", stack(f"{IMG}, expose: ['80']")),
    "S2": (
        f"services:\n  a: {{{', '.join(PEER.splitlines())}, expose: ['53']}}\n"
        f"  b: {{{', '.join(PAIR.splitlines())}, environment: {{PIHOLE_DNS_: 172.28.0.11}}}}\n{NET}", PIN, stack(IMG),
    ),
    "S3": (stack(IMG), "", stack(f"{IMG}, expose: ['80']")),
    "S4": (
        stack(f"{IMG}, expose: ['80'], environment: {{PEER_URL: 'http://b:80'}}", f"{IMG}, expose: ['80']"), "",
        stack(f"{IMG}, expose: ['80']", "image: y, expose: ['80']"),
    ),
    "S5": (stack("image: 'drachtio/rtpengine', expose: ['22222']"), "", stack(f"{IMG}, expose: ['80']")),
    "S6": (stack(f"{IMG}, expose: ['80']"), "", stack(IMG)),
    # settings
    "E1": (stack(f"{IMG}, environment: [UNSET]"), "", stack(f"{IMG}, environment: {{SET: x}}")),
    "E2": (stack(f"{IMG}, environment: {{DB_PASSWORD: x}}"), "", stack(f"{IMG}, environment: {{DB_PASSWORD_FILE: /x}}")),
    "E3": (stack(f"{IMG}, env_file: [a.env]"), "", stack(f"{IMG}, environment: {{SET: x}}")),
    "E4": (stack(f"{IMG}, environment: {{SET: x}}"), "", stack(f"{IMG}, env_file: [a.env]")),
    # storage
    "V1": (stack(f"{IMG}, tmpfs: /x"), "", stack(DATA, rest=VOL)),
    "V2": (stack(f"{IMG}, volumes: ['/var/run/docker.sock:/var/run/docker.sock']"), "", stack(DATA, rest=VOL)),
    "V3": (stack(f"{IMG}, volumes: ['/etc/localtime:/etc/localtime']"), "", stack(DATA, rest=VOL)),
    "V4": (stack(f"{IMG}, shm_size: 64m"), "", stack(f"{IMG}, shm_size: 64m, tmpfs: /dev/shm")),
    "V5": (stack(f"{IMG}, volumes: ['/sys:/sys']"), "", stack(f"{IMG}, volumes: ['/srv/x:/x']")),
    "V6": (stack(DATA, DATA, rest=VOL), "", stack(DATA, rest=VOL)),
    "V7": (stack(DATA, rest=VOL), "", stack(f"{IMG}, volumes: ['/x']")),
    "V8": (stack(f"{IMG}, volumes: ['/x']"), "", stack(DATA, rest=VOL)),
    "V9": (stack(f"{IMG}, volumes: ['/srv/x:/x']"), "", stack(f"{IMG}, volumes: ['/srv/x.conf:/x.conf']")),
    "V10": (stack(DATA, rest="volumes: {vol: {external: true}}\n"), "", stack(DATA, rest=VOL)),
    "V11": (
        stack(DATA, rest="volumes: {vol: {driver_opts: {type: nfs, o: 'addr=192.0.2.1', device: ':/x'}}}\n"), "", stack(DATA, rest=VOL)
    ),
    "V12": (stack(f"{IMG}, volumes: [{{type: image, source: y, target: /y}}]"), "", stack(DATA, rest=VOL)),
    # exposure
    "X1": (stack(f"{IMG}, ports: ['80:80']"), "services: {a: {exposure: nodeport}}", stack(f"{IMG}, ports: ['80:80']")),
    "X2": (stack(f"{IMG}, network_mode: host, ports: ['80:80']"), "", stack(f"{IMG}, ports: ['80:80']")),
    "X3": (stack(f"{IMG}, ports: ['127.0.0.1:80:80']"), "", stack(f"{IMG}, ports: ['0.0.0.0:80:80']")),
    "X4": (stack(f"{IMG}, expose: ['80'], environment: {{VIRTUAL_HOST: a.b}}"), "", stack(f"{IMG}, expose: ['80']")),
    "X5": (stack(f"{IMG}, ports: ['80']"), "", stack(f"{IMG}, ports: ['80:80']")),
    "X6": (
        stack(f"{IMG}, ports: ['80:80'], networks: [i]", rest="networks: {i: {internal: true}}\n"), "",
        stack(f"{IMG}, ports: ['80:80'], networks: [i, o]", rest="networks: {i: {internal: true}, o: }\n"),
    ),
    "X7": (stack(f"{IMG}, ports: ['10000-10100:10000-10100']"), "", stack(f"{IMG}, ports: ['10000-10099:10000-10099']")),
    "X8": (stack("image: 'mysql:8', ports: ['3306:3306']"), "", stack("image: 'mysql:8', ports: ['192.0.2.7:3306:3306']")),
    "X9": (stack(f"{IMG}, ports: ['192.0.2.7:80:80']"), "", stack(f"{IMG}, ports: ['[::]:80:80']")),
    "X10": (stack(f"{IMG}, ports: ['80:80']"), "", stack(f"{IMG}, ports: ['192.0.2.7:80:80']")),
    # policies
    "P1": (stack(IMG), "", stack(f"{IMG}, network_mode: none")),
    "P2": (stack(f"{IMG}, ports: ['80:80']"), "", stack(f"{IMG}, ports: ['127.0.0.1:80:80']")),
    "P3": (stack(f"{IMG}, networks: [i]", rest="networks: {i: {internal: true}}\n"), "", stack(IMG)),
    "P4": (stack(f"{IMG}, network_mode: none"), "", stack(IMG)),
    "P5": (
        f"services:\n  a: {{{', '.join(PEER.splitlines())}, expose: ['80']}}\n"
        f"  b: {{{IMG}, network_mode: host, environment: {{URL: 'http://172.28.0.11:80'}}}}\n{NET}", "", stack(IMG),
    ),
    "P7": (stack(f"{IMG}, networks: [o]", rest="networks: {o: {external: true}}\n"), "", stack(IMG)),
    # start order
    "O1": (stack(IMG, f"{IMG}, network_mode: 'service:a', depends_on: [a]"), "", stack(IMG, f"{IMG}, depends_on: [a]")),
    "O2": (
        stack(
            f"{IMG}, restart: 'no'", f"{IMG}, depends_on: {{a: {{condition: service_completed_successfully}}}}",
            f"{IMG}, depends_on: {{a: {{condition: service_completed_successfully}}}}",
        ), "", stack(IMG, f"{IMG}, depends_on: [a]"),
    ),
    "O3": (stack(IMG, f"{IMG}, depends_on: {{a: {{condition: service_healthy}}}}"), "", stack(IMG, f"{IMG}, depends_on: [a]")),
    "O4": (stack(IMG, f"{IMG}, depends_on: [a]"), "", stack(IMG, f"{IMG}, depends_on: {{a: {{condition: service_healthy}}}}")),
    "O5": (
        stack(IMG, f"{IMG}, depends_on: {{a: {{condition: service_healthy, restart: true}}}}"), "",
        stack(IMG, f"{IMG}, depends_on: {{a: {{condition: service_healthy}}}}"),
    ),
    # health
    "H1": (stack(f"{IMG}, healthcheck: {{disable: true}}"), "", stack(f"{IMG}, healthcheck: {{test: [CMD, ok]}}")),
    "H2": (
        stack(f"{IMG}, labels: {{kompose.service.healthcheck.readiness.tcp_port: '80'}}"), "",
        stack(f"{IMG}, healthcheck: {{test: [CMD, ok]}}"),
    ),
    "H3": (stack(f"{IMG}, healthcheck: {{test: [CMD, ok]}}"), "", stack("build: ., healthcheck: {interval: 5s}")),
    "H4": (stack("build: ., healthcheck: {interval: 5s}"), "", stack(f"{IMG}, healthcheck: {{test: [CMD, ok]}}")),
    "H5": (stack(f"{IMG}, ports: ['80:80']"), "", stack(f"{IMG}, expose: ['80']")),
    # updates
    "U1": (stack(DATA, rest=VOL), "", stack(IMG)),
    "U2": (stack(f"{IMG}, network_mode: host"), "", stack(IMG)),
    "U3": (stack(f"{IMG}, deploy: {{update_config: {{order: start-first}}}}"), "", stack(IMG)),
    "U4": (stack(IMG), "", stack(f"{IMG}, deploy: {{update_config: {{order: start-first}}}}")),
}  # fmt: skip

USES: dict[str, tuple[str, str]] = {
    "A1": ("LISTEN: 0.0.0.0", "no use: not an address of the stack"),
    "A2": ("command: serve --allow 172.28.0.0/24", "A2"),
    "A3": ("environment: {PREFIX: 172.28.0}", "A3"),
    "A3b": ("extra_hosts: ['other:172.28.0.11']", "A3b"),
    "A4": ("command: serve --bind 172.28.0.10", "A4"),
    "A5": ("healthcheck: {test: [CMD, curl, 'http://172.28.0.10/']}", "A5"),
    "A6": ("environment: {ME: 172.28.0.10}", "A6b"),
    "A7": ("environment: {PIHOLE_DNS_: 172.28.0.11}", "A7"),
    "A8": ("environment: {ALLOWED_IPS: 172.28.0.11}", "A8"),
    "A9": ("environment: {URL: 'http://172.28.0.11/'}", "A9"),
    "A10": ("environment: {URL: 'http://172.28.0.1:99/'}", "A10"),
    "A11": ("environment: {URL: 'http://172.28.0.100/'}", "A11"),
    "A12": ("environment: {URL: 'http://172.28.0.77/'}", "A12"),
    "A13": ("environment: {URL: 'http://10.1.2.3/'}", "A13"),
}

BEFORE: dict[str, tuple[str, bool, set[str]]] = {
    "B1": (stack(f"{IMG}, networks: [n]", f"{IMG}, networks: [n]", rest="networks: {n: }\n"), True, set()),
    "B2": (stack(f"{IMG}, network_mode: bridge", f"{IMG}, network_mode: bridge"), True, {"MIG336"}),
    "B3": (stack(f"{IMG}, network_mode: host", f"{IMG}, expose: ['80']"), True, {"MIG812"}),
    "B4": (stack(IMG, f"{IMG}, network_mode: host"), True, {"MIG812"}),
    "B5": (
        stack(f"{IMG}, ports: ['80:80'], networks: [n]", f"{IMG}, networks: [m]", rest="networks: {n: , m: }\n"),
        False, {"MIG310", "MIG354"},
    ),
    "B6": (stack(IMG, f"{IMG}, network_mode: 'service:a'"), True, {"MIG120"}),
    "B7": (
        stack(
            f"{IMG}, expose: ['80'], networks: {{n: {{ipv4_address: 192.168.1.9}}}}", f"{IMG}, networks: [n]",
            rest="networks: {n: {driver: macvlan, ipam: {config: [{subnet: 192.168.1.0/24}]}}}\n",
        ), True, {"MIG238"},
    ),
    "B8": (stack(f"{IMG}, networks: [n]", f"{IMG}, networks: [n]", rest="networks: {n: {external: true}}\n"), True, {"MIG333"}),
    "B9": (stack(f"{IMG}, networks: [n]", f"{IMG}, networks: [n]", rest="networks: {n: {internal: true}}\n"), True, {"MIG332"}),
    "B10": (stack(IMG, f"{IMG}, network_mode: none"), False, set()),
}  # fmt: skip
"""Of the old network: a stack, whether `a` and `b` reached each other, and what the conversion tells of it."""

ALONE = {
    "O6": "test_o6_waits_inside_a_cycle_are_dropped",
    "P6": "test_p6_a_source_of_an_access_rule_is_a_peer_already",
}
KNOWN = set(RULES) | set(USES) | set(BEFORE) | set(ALONE)
FILES = {
    "a.env": "FROM_FILE=1\n",
    "Dockerfile": "FROM x\nHEALTHCHECK CMD ok\n",
    "keepalived.conf": "virtual_ipaddress {\n 172.28.0.100\n}\n",
}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_decides_its_stack(rule: str, tmp_path: Path) -> None:
    text, answers, _ = RULES[rule]
    decided = [d for d in plan_of(tmp_path, text, answers, FILES).decisions if d.rule == rule]
    assert decided
    assert all(d.reason and d.outcome and d.question for d in decided)
    assert any(e.line > 0 for d in decided for e in d.evidence)


@pytest.mark.parametrize("rule", RULES)
def test_another_stack_is_the_next_rules(rule: str, tmp_path: Path) -> None:
    assert rule not in {d.rule for d in plan_of(tmp_path, RULES[rule][2], "", FILES).decisions}


@pytest.mark.parametrize("rule", BEFORE)
def test_a_rule_of_the_old_network_is_kept_by_the_new_one(rule: str, tmp_path: Path) -> None:
    text, joined, told = BEFORE[rule]
    (tmp_path / "compose.yaml").write_text(text)
    made = migrate.convert(directory=tmp_path)
    case = Case.of(made.stack, made.plan.addressing, made.manifests, made.answers)
    assert case.joined("a", "b") is joined
    assert told <= {f.code for f in made.findings}
    assert not {"MIG350", "MIG351"} & {f.code for f in made.findings}


def test_p6_a_source_of_an_access_rule_is_a_peer_already(tmp_path: Path) -> None:
    peer, own = (", ".join(keys.splitlines()) for keys in (PEER, PAIR))
    text = f"services:\n  a: {{{peer}}}\n  b: {{{own}, environment: {{ALLOWED_IPS: 172.28.0.11}}}}\n{NET}"
    plan = plan_of(tmp_path, text)
    assert "MIG215" in {f.code for f in plan.findings}
    assert [p.name for p in plan.policies] == ["net-n"]


@pytest.mark.parametrize("rule", USES)
def test_a_rule_of_addresses_takes_its_use(rule: str, tmp_path: Path) -> None:
    line, wanted = USES[rule]
    key, _, value = line.partition(": ")
    own = f"    {key}: {value}\n" if rule != "A1" else "    environment: {LISTEN: 0.0.0.0}\n"
    text = (
        "services:\n  a:\n    image: 'x:1'\n    volumes: ['./keepalived.conf:/etc/keepalived/keepalived.conf:ro']\n"
        f"    networks: {{n: {{ipv4_address: 172.28.0.10}}}}\n{own}"
        f"  b: {{{', '.join(PEER.splitlines())}, expose: ['80']}}\n{NET}"
    )
    uses = [u.use.rule for a in plan_of(tmp_path, text, files=FILES).addresses for u in a.uses if u.use.place != "file"]
    assert set(uses) == (set() if rule == "A1" else {wanted})


def test_o6_waits_inside_a_cycle_are_dropped(tmp_path: Path) -> None:
    """The loader tells the cycle (MIG024) and drops it."""
    plan = plan_of(tmp_path, stack(f"{IMG}, depends_on: [b]", f"{IMG}, depends_on: [a]"))
    assert "MIG024" in {f.code for f in plan.findings}
    assert all(s.waits == () for s in plan.services.values())


def rules_of(text: str) -> set[str]:
    """The rule numbers that the specification gives: rows of tables, and numbers at the beginning of a rule in running text."""
    rows = set(re.findall(r"^\| ([A-Z]\d+[a-z]?) \|", text, re.MULTILINE))
    running = set(re.findall(r"(?:^|[\s(])([CNEPOUB]\d+)(?=[ :])", text))
    parts = {"N6a", "N6b", "N6c"}  # (a), (b), (c) of N6
    return (rows | running | parts) - {"N6"}


def test_every_rule_of_the_specification_has_its_stack(shared: Path) -> None:
    wanted = rules_of((shared / "specs" / "conversion.md").read_text())
    assert len(wanted) > 85
    assert sorted(wanted - KNOWN) == []


def test_every_rule_is_named_where_it_is_followed(repository: Path) -> None:
    """In a docstring, a reason or a decision of the converter."""
    text = "\n".join(
        node.value
        for path in sorted((repository / "migrate").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    named = set(re.findall(r"\b([A-Z]\d+[a-c]?)\b", text))
    spanned = {
        f"{a}{n}"
        for a, low, b, high in re.findall(r"\b([A-Z])(\d+) to ([A-Z])(\d+)\b", text)
        if a == b
        for n in range(int(low), int(high) + 1)
    }
    assert sorted(KNOWN - named - spanned) == []


def test_the_rules_with_a_test_of_their_own_have_it() -> None:
    assert all(callable(globals()[name]) for name in ALONE.values())
