"""Random Compose projects and plans out of many keys and odd values, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

import yaml

FILES: Final = {
    "conf/a.conf": "x", "conf/sub/b.sh": "#!/bin/sh\n", "one.conf": "url http://172.28.0.5:80\n", "secret.txt": "x", "private.key": "k",
    "build/Dockerfile": "FROM alpine:3\nRUN adduser -D -u 70 app\nUSER app\nCOPY . /app\nEXPOSE 8080\nHEALTHCHECK CMD ok\n",
}  # fmt: skip
NAMES: Final = ("a", "B_c", "3x", "x.y", "x.y.z", "a-", "web", "db", "default", "kubernetes", "long" * 16)
_IMAGES: Final = (
    "x", "nginx:1", "postgres:16", "redis:7", "h:5000/c/d@sha256:" + "0" * 64, "rabbitmq:3-management", "traefik:3",
    "gcr.io/distroless/x", "bitnami/redis",
)  # fmt: skip
_PORTS: Final = (
    "80", "8080:80", "127.0.0.1:1:2", "53:53/udp", "3000-3005:3000-3005", "192.0.2.1:9:9", "[::1]:5:5", "10000-10200:10000-10200",
)  # fmt: skip
_MOUNTS: Final = (
    "vol:/data", "pg:/var/lib/postgresql/data", "./conf:/etc/x:ro", "./one.conf:/etc/one.conf", "/srv/x:/x", "/anon", "./gone:/gone",
    "/var/run/docker.sock:/var/run/docker.sock", "sock:/run/s", "./:/app", "/dev/net/tun:/dev/net/tun",
    "/etc/localtime:/etc/localtime:ro", "vol:/other:nocopy", "./private.key:/k", "/:/host:ro,rslave",
)  # fmt: skip

Key = tuple[float, str, Callable[[random.Random, list[str]], Any]]
_KEYS: Final[tuple[Key, ...]] = (
    (0.4, "ports", lambda r, n: r.sample(_PORTS, r.randint(1, 3))),
    (0.3, "expose", lambda r, n: [r.choice(("80", "90-95", "53/udp"))]),
    (0.4, "volumes", lambda r, n: r.sample(_MOUNTS, r.randint(1, 4))),
    (0.3, "environment", lambda r, n: {
        r.choice(("A", "DB_PASSWORD", "API_URL", "a.b", "X-Y")): r.choice(("x", f"http://{r.choice(n)}:80/", "172.28.0.5", "$$(A)", None))
    }),
    (0.2, "command", lambda r, n: r.choice(("a b", 'sh -c "echo $$X > /etc/one.conf"', ["x", "y"], "serve --bind 172.28.0.5"))),
    (0.2, "entrypoint", lambda r, n: r.choice(("/e", ["a"], []))),
    (0.3, "healthcheck", lambda r, n: {"test": r.choice(("x||y", ["CMD", "a"], ["NONE"], ["CMD-SHELL", "curl -f http://localhost:80/x"]))}),
    (0.3, "depends_on", lambda r, n: {
        r.choice(n): {"condition": r.choice(("service_started", "service_healthy", "service_completed_successfully"))}
    }),
    (0.2, "restart", lambda r, n: r.choice(("no", "always", "on-failure:3", "unless-stopped"))),
    (0.2, "network_mode", lambda r, n: r.choice(("host", "none", "bridge", f"service:{r.choice(n)}", "container:gone"))),
    (0.4, "networks", lambda r, n: {
        r.choice("nmi"): r.choice((None, {"ipv4_address": f"172.28.0.{r.randint(2, 9)}"}, {"aliases": [r.choice(NAMES)]}))
    }),
    (0.2, "hostname", lambda r, n: r.choice(NAMES[:9])),
    (0.2, "container_name", lambda r, n: r.choice(("c1", "C_2", "c.3"))),
    (0.2, "user", lambda r, n: r.choice(("1000", "0", "app", "1:2", "a:b"))),
    (0.2, "secrets", lambda r, n: [r.choice(("s", "t", {"source": "s", "target": "/etc/s", "mode": 0o400}))]),
    (0.2, "configs", lambda r, n: [r.choice(("c", {"source": "c", "target": "/etc/c"}))]),
    (0.2, "deploy", lambda r, n: {
        "mode": r.choice(("global", "replicated", "replicated-job")), "replicas": r.choice((0, 1, 3)),
        "update_config": {"parallelism": r.choice((0, 1, 2)), "order": r.choice(("start-first", "stop-first"))},
    }),
    (0.1, "privileged", lambda r, n: True),
    (0.1, "cap_add", lambda r, n: [r.choice(("ALL", "NET_ADMIN", "SYS_ADMIN"))]),
    (0.1, "security_opt", lambda r, n: [r.choice(("no-new-privileges:true", "apparmor:x", "seccomp:unconfined", "label:user:u"))]),
    (0.1, "sysctls", lambda r, n: {r.choice(("net.core.somaxconn", "vm.x", "kernel.shmmax")): 1}),
    (0.1, "stop_signal", lambda r, n: r.choice(("SIGINT", "SIGRTMIN+3"))),
    (0.15, "labels", lambda r, n: {
        r.choice(("traefik.http.routers.r.rule", "kompose.service.expose", "kompose.service.type", "kompose.controller.type",
                  "kompose.hpa.cpu", "kompose.service.group", "kompose.volume.type")):
        r.choice(("Host(`a.b`)", "true", "nodeport", "statefulset", "50", "g", "hostPath"))
    }),
    (0.1, "extra_hosts", lambda r, n: ["h_x:192.0.2.1", "gw:host-gateway"]),
    (0.1, "dns", lambda r, n: ["172.28.0.5", "1.1.1.1"]),
    (0.1, "shm_size", lambda r, n: "64m"),
    (0.1, "tmpfs", lambda r, n: ["/tmp", "/run:size=1m"]),
    (0.1, "pre_stop", lambda r, n: [{"command": ["flush"]}]),
    (0.1, "pre_start", lambda r, n: [{"command": ["prepare"], "user": "0"}]),
    (0.1, "cpus", lambda r, n: r.choice((0.5, 2))),
)  # fmt: skip
_ANSWERS: Final = (
    "exposure: nodeport", "exposure: clusterip", "liveness: true", "defaultProbe: none", "waits: all", "waits: none", "drain: 0",
    "secrets: external", "oneShot: job", "service: headless", "networkPolicies: none", "aliases: referenced", "dns: keep",
    "probes: http", "stopSignal: field", "storage: {rwxClass: nfs}", "hostPath: [/srv/x]", "timezone: UTC",
    "addresses: pin, cluster: {serviceCidr: 10.96.0.0/12}", "addresses: multus",
)  # fmt: skip


def random_project(seed: int) -> tuple[str, str]:
    """A Compose text and the text of a plan without its version."""
    r = random.Random(seed)
    names = r.sample(NAMES, r.randint(1, 5))
    services: dict[str, Any] = {}
    for name in names:
        image = {"build": "./build"} if r.random() < 0.2 else {"image": r.choice(_IMAGES)}
        service: dict[str, Any] = {**image, **{key: make(r, names) for chance, key, make in _KEYS if r.random() < chance}}
        if "network_mode" in service:
            service.pop("networks", None)
        services[name] = service
    project = {
        "services": services,
        "networks": {"n": {"ipam": {"config": [{"subnet": "172.28.0.0/24"}]}}, "m": {}, "i": {"internal": True}},
        "volumes": {"vol": {}, "pg": {}, "sock": {}},
        "secrets": {"s": {"file": "./secret.txt"}, "t": {"external": True}},
        "configs": {"c": {"content": "x"}},
    }
    answers = f"project: {{{r.choice(_ANSWERS)}}}" if r.random() < 0.6 else ""
    return yaml.safe_dump(project, sort_keys=False), answers
