"""Random Compose projects from a seed: services with values of every key in every form, in one to three files, with `extends`.

The same seed gives the same files. Every value alone is one that the real program takes; together they may be refused.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Final

VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "annotations": ("{a: 1}", "[a=2, b=3]"),
    "cap_add": ("[A, B]", "[B, C]"),
    "command": ("a b", "[c]", "''", "[]", "sh -c 'x; y'"),
    "configs": ("[c1]", "[{source: c1, target: /x}]", "[c2, {source: c1, mode: 0400}]"),
    "cpus": ("0.5", "'1'"),
    "depends_on": ("[b]", "{b: {condition: service_healthy}}", "{c: {condition: service_started, restart: true}}"),
    "deploy": (
        "{replicas: 2}",
        "{labels: {a: 1}}",
        "{resources: {limits: {memory: 1g}}}",
        "{placement: {constraints: [a==b]}}",
        "{update_config: {delay: 5s}}",
    ),
    "devices": ("['/dev/a:/dev/b']", "['/dev/c:/dev/b:r', /dev/d]"),
    "dns": ("1.1.1.1", "[1.1.1.1, 2.2.2.2]"),
    "entrypoint": ("a b", "[c]", "''"),
    "env_file": ("a.env", "[b.env]", "[{path: b.env, required: false}]", "[{path: no.env, required: false}]"),
    "environment": ("{A: 1, B: 2}", "[A=3, C]", "{B: x, V: $V}", "['D=${V:-d}', 'E=$$x']", "{F: 1e3, G: 0123, H: true, I: }"),
    "expose": ("['80']", "[80, 81]"),
    "extra_hosts": ("['h:1.1.1.1']", "{h: 2.2.2.2, g: 3.3.3.3}"),
    "group_add": ("[a]", "[b, 5]"),
    "healthcheck": ("{test: a b}", "{test: [CMD, x], interval: 5s}", "{disable: true}", "{retries: 3}"),
    "hostname": ("h", "${V}"),
    "init": ("true", "false"),
    "labels": ("{a: 1}", "[a=2, b]", "{c: }"),
    "links": ("[b]", "['b:bb', c]"),
    "logging": ("{driver: json-file, options: {a: 1}}", "{driver: syslog, options: {b: 2}}", "{options: {a: 3, c: 4}}"),
    "mem_limit": ("1g", "512m", "1024"),
    "networks": ("[n1]", "{n1: {aliases: [x]}, n2: }", "{n2: {ipv4_address: 10.2.0.4}, n1: {aliases: [x, y]}}"),
    "ports": (
        "['80:80']",
        "['80:80', '81:80']",
        "[{target: 80, published: 80, protocol: udp}]",
        "['127.0.0.1:80:80', 9000]",
        "['8000-8002:80-82']",
    ),
    "privileged": ("true", "false"),
    "restart": ("always", "'no'", "on-failure:3"),
    "secrets": ("[s1]", "[{source: s1, target: /run/secrets/s1, mode: 0400}]", "[s2, {source: s1, target: o}]"),
    "security_opt": ("[a]", "[a, b]"),
    "stop_grace_period": ("5s", "1m30s", "1.5h"),
    "sysctls": ("{a: 1}", "[a=2, b=3]"),
    "tmpfs": ("/a", "[/a, /b]", "/c:size=1m"),
    "ulimits": ("{n: 5}", "{n: {soft: 1, hard: 2}}"),
    "user": ("u", "'5'", "${U:-root}"),
    "volumes": ("['./a:/x']", "['v1:/x', 'v2:/y:ro']", "[{type: volume, source: v2, target: /x}]", "[/y]", "['../a:/x/:z']"),
    "volumes_from": ("[b]", "[c]"),
    "working_dir": ("/w",),
}

RESOURCES: Final = (
    "networks: {n1: , n2: {ipam: {config: [{subnet: 10.2.0.0/24}]}}}\n"
    "volumes: {v1: , v2: {driver: x, labels: [a=b]}}\n"
    "secrets: {s1: {file: f}, s2: {environment: V}}\n"
    "configs: {c1: {file: f}, c2: {content: $V}}\n"
)


def _service(chance: random.Random, keys: list[str], *more: str, tags: bool = False) -> str:
    entries = list(more)
    for key in keys:
        value = chance.choice(VALUES[key])
        if tags and chance.random() < 0.12:
            value = chance.choice(("!reset null", f"!override {value}"))
        entries.append(f"{key}: {value}")
    return "{" + ", ".join(entries) + "}"


def project(seed: int) -> tuple[dict[str, str], list[str]]:
    """Files by name, and those of them that are given with `-f`."""
    chance = random.Random(seed)
    pool = chance.sample(list(VALUES), 10)
    files = {"a.env": "A=a\nB=$A\nE='e'\n", "b.env": "B=b\n", "base/a.env": "A=sub\n", "base/b.env": "B=sub\n"}
    names = [f"f{number}.yaml" for number in range(chance.choice((1, 1, 2, 2, 3)))]
    for number, name in enumerate(names):
        text = "services:\n"
        for service in ("web", "b", "c"):
            keys = chance.sample(pool, chance.randint(0, 5)) if service == "web" or chance.random() < 0.4 else []
            more = [] if number else ["image: img"]
            if not number and service == "web" and chance.random() < 0.35:
                more.append(f"extends: {chance.choice(('c', '{service: c}', '{file: base/e.yaml, service: e}'))}")
            text += f"  {service}: {_service(chance, keys, *more, tags=bool(number))}\n"
        files[name] = text if number else text + RESOURCES
    files["base/e.yaml"] = f"services:\n  e: {_service(chance, chance.sample(pool, 4), 'image: base')}\n"
    return files, names
