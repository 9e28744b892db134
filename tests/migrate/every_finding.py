"""A fixture for every code of the catalogue: a Compose project that raises it, the place marked by `# <-` (no mark: of the project).

`answers` is the text of a plan file without its version, `files` stand beside the Compose file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixture:
    text: str
    answers: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    severity: str | None = None
    also: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)


def one(service: str, rest: str = "", *, answers: str = "", files: Mapping[str, str] | None = None, severity: str | None = None) -> Fixture:
    """A project of one service `a`: its keys line by line."""
    lines = "".join(f"    {line}\n" for line in service.splitlines())
    return Fixture(text=f"services:\n  a:\n{lines}{rest}", answers=answers, files=files or {}, severity=severity)


def two(first: str, second: str, rest: str = "", *, answers: str = "", files: Mapping[str, str] | None = None) -> Fixture:
    """A project of the services `a` and `b`."""
    parts = ["".join(f"    {line}\n" for line in keys.splitlines()) for keys in (first, second)]
    return Fixture(text=f"services:\n  a:\n{parts[0]}  b:\n{parts[1]}{rest}", answers=answers, files=files or {})


IMG = "image: 'x:1'\n"
NET = "networks: {n: {ipam: {config: [{subnet: 172.28.0.0/24}]}}}\n"
PAIR = "image: 'x:1'\nnetworks: {n: {ipv4_address: 172.28.0.10}}\n"
PEER = "image: 'x:1'\nnetworks: {n: {ipv4_address: 172.28.0.11}}\n"
VOL = "volumes: {vol: }\n"
PIN = "project: {addresses: pin, cluster: {serviceCidr: 10.96.0.0/16}}"

LOADING: Final[dict[str, Fixture]] = {
    "MIG001": Fixture(text="services: [a\n"),
    "MIG002": one(IMG + "image: y # <-"),
    "MIG003": one(IMG + "ports: [8080: 80] # <-"),
    "MIG004": Fixture(text="include: [gone.yaml] # <-\nservices: {a: {image: x}}\n"),
    "MIG005": Fixture(text="# <-\n"),
    "MIG006": one(IMG + "commnd: x # <-"),
    "MIG007": one(IMG + "user: 1000 # <-"),
    "MIG008": one(IMG + "ports: [{published: '80'}] # <-"),
    "MIG009": one(IMG + "pull_policy: sometimes # <-"),
    "MIG010": Fixture(
        text="services:\n  a:\n    image: x\n    deploy: {replicas: 1}\n",
        also={"compose.override.yaml": "services:\n  a:\n    deploy: [a] # <-\n"},
    ),
    "MIG011": one(IMG + "user: ${V # <-"),
    "MIG012": one(IMG + "user: ${V:?give it} # <-"),
    "MIG013": one(IMG + "user: x${V} # <-"),
    "MIG014": one(IMG + "scale: two # <-"),
    "MIG015": one(IMG + "env_file: gone.env # <-"),
    "MIG016": one(IMG + "env_file: bad.env", files={"bad.env": "A=1\nB C=2 # <-\n"}),
    "MIG017": one(IMG + "networks: [nope] # <-"),
    "MIG018": one(IMG + "volumes: ['data:/x'] # <-"),
    "MIG019": one(IMG + "secrets: [s] # <-"),
    "MIG020": one(IMG + "configs: [c] # <-"),
    "MIG021": one("build: {context: ., secrets: [s]} # <-"),
    "MIG022": one(IMG + "models: [m] # <-"),
    "MIG023": one(IMG + "depends_on: [nope] # <-"),
    "MIG024": one(IMG + "depends_on: [a] # <-"),
    "MIG025": one(IMG + "extends: a # <-"),
    "MIG026": one(IMG + "extends: nope # <-"),
    "MIG027": Fixture(
        text="include: [one.yaml, two.yaml]\n",
        files={"one.yaml": "services:\n  a: {image: x}\n", "two.yaml": "services:\n  a: {image: y} # <-\n"},
    ),
    "MIG028": one(IMG + "ports: ['70000:80'] # <-"),
    "MIG029": one(IMG + "extra_hosts: [h] # <-"),
    "MIG030": one(IMG + "volumes: ['ab:/b:ro:x'] # <-"),
    "MIG031": one(IMG + "stop_grace_period: '30' # <-"),
    "MIG032": one(IMG + "mem_limit: 10x # <-"),
    "MIG033": one(IMG + "command: 'echo \"oops' # <-"),
    "MIG034": one(IMG + "healthcheck: {test: [curl, x]} # <-"),
    "MIG035": Fixture(text="services:\n  a: {image: x}\n  b: {user: u} # <-\n"),
    "MIG036": one(IMG + "network_mode: host\nnetworks: [default] # <-"),
    "MIG037": one(IMG + "scale: 2 # <-\ndeploy: {replicas: 3}"),
    "MIG038": one(IMG + "volumes: ['data:/x']", "volumes:\n  data: {external: true, driver: x} # <-\n"),
    "MIG039": one(IMG + "secrets: [s]", "secrets:\n  s: {name: x} # <-\n"),
    "MIG040": two(IMG + "container_name: abc", IMG + "container_name: abc # <-"),
    "MIG041": one(IMG + "container_name: abc # <-\nscale: 2"),
    "MIG042": Fixture(text="name: //" + " # <-\nservices: {a: {image: x}}\n"),
    "MIG043": one(IMG + "volumes: [/x] # <-\ntmpfs: /x"),
    "MIG050": Fixture(text="version: '3' # <-\nservices: {a: {image: x}}\n"),
    "MIG051": Fixture(text="web: # <-\n  image: x\n"),
    "MIG052": two(IMG + "ports: ['80:80']", IMG + "ports: ['80:80'] # <-"),
    "MIG053": one(IMG + "networks: {n: {ipv4_address: 10.9.9.9}} # <-", NET),
    "MIG054": one(IMG + "networks: [n]", "networks: {n: {ipam: {config: [{subnet: 10.0.0.0/40}]}}} # <-\n"),
    "MIG055": one("image: web\ncontainer_name: registry/web:1 # <-"),
    "MIG056": one(IMG + "command: a && b # <-"),
    "MIG057": one(IMG + "labels: {v: 1.10} # <-"),
    "MIG058": one(IMG, "volumes:\n  unused: {} # <-\n"),
    "MIG059": Fixture(text="services:\n  a: {image: x, profiles: [p]}\n"),
    "MIG060": one(IMG + "volumes: ['d:/x'] # <-", "volumes: {d: }\n"),
    "MIG061": one(IMG + "env_file: odd.env", files={"odd.env": 'A="x"y # <-\n'}),
    "MIG062": Fixture(
        text="services:\n  a:\n    image: x\n    ports: ['8080:80']\n",
        also={"compose.override.yaml": "services:\n  a:\n    ports: ['9090:80'] # <-\n"},
    ),
    "MIG063": one(IMG + "hostname: a b # <-"),
}

WORKLOADS: Final[dict[str, Fixture]] = {
    "MIG101": Fixture(text="services:\n  a_b: # <-\n    image: x\n"),
    "MIG102": Fixture(text="services:\n  a-b: {image: x}\n  a_b: {image: x} # <-\n"),
    "MIG103": Fixture(text=f"services:\n  {'long' * 15}: {{image: x}} # <-\n"),
    "MIG104": Fixture(
        text="services:\n  a: {image: x, networks: {n: {aliases: [api]}}}\n"
        "  b: {image: x, networks: {n: {aliases: [api]}}} # <-\nnetworks: {n: }\n"
    ),
    "MIG105": two(IMG + "networks: {n: {aliases: [api]}}", IMG + "networks: {m: {aliases: [api]}}", "networks: {n: , m: }\n"),
    "MIG106": Fixture(text="services:\n  WEB: {image: x} # <-\n"),
    "MIG107": one(IMG + "hostname: my_host # <-"),
    "MIG108": Fixture(text="services:\n  scm1.org: {image: x} # <-\n"),
    "MIG109": Fixture(text="services:\n  a.b.c: {image: x} # <-\n"),
    "MIG110": one(IMG + "volumes: ['vol:/data']", VOL),
    "MIG111": one(IMG + "labels:\n  kompose.controller.type: replicationcontroller # <-"),
    "MIG112": one(IMG + "deploy:\n  mode: global-job # <-"),
    "MIG113": one(IMG + "provider: {type: cloud} # <-"),
    "MIG114": one(IMG + "deploy: {replicas: 0}"),
    "MIG115": Fixture(text="services:\n  db-migrate: {image: x} # <-\n"),
    "MIG116": two(IMG + "restart: 'no'", IMG + "depends_on: {a: {condition: service_completed_successfully}}"),
    "MIG117": one(IMG + "restart: 'no'"),
    "MIG118": one(IMG + "ports: ['80:80']\nrestart: on-failure # <-"),
    "MIG119": one(IMG + "restart: on-failure"),
    "MIG120": two(IMG, IMG + "network_mode: service:a"),
    "MIG121": one(IMG + "network_mode: container:other # <-"),
    "MIG122": two(IMG + "scale: 2", IMG + "network_mode: service:a"),
    "MIG123": two(IMG + "volumes: ['sock:/run/x']", IMG + "volumes: ['sock:/run/x']", "volumes: {sock: }\n"),
    "MIG124": Fixture(
        text="services:\n  a: {image: x, volumes: ['sock:/run/x']} # <-\n  b: {image: x, volumes: ['sock:/run/x']}\n"
        "  c: {image: x, volumes: ['sock:/run/x']}\nvolumes: {sock: }\n"
    ),
    "MIG125": one(IMG + "volumes: ['/var/run/docker.sock:/var/run/docker.sock'] # <-"),
    "MIG126": Fixture(
        text="services:\n  traefik: {image: 'traefik:3', volumes: ['/var/run/docker.sock:/var/run/docker.sock']} # <-\n"
        "  web: {image: x, expose: ['80'], labels: {traefik.http.routers.r.rule: 'Host(`a.b`)'}}\n"
    ),
    "MIG130": one(IMG + "external_links: [other] # <-"),
    "MIG131": two(IMG + "links: ['b:store']", IMG),
    "MIG140": two(IMG + "depends_on: [b] # <-", IMG),
    "MIG141": two(IMG + "depends_on: {b: {condition: service_healthy}} # <-", IMG + "healthcheck: {test: [CMD, ok]}"),
    "MIG142": two(IMG + "depends_on: {b: {condition: service_healthy}} # <-", IMG),
    "MIG143": Fixture(
        text="services:\n  job: {image: x, restart: 'no'}\n  a:\n    image: x\n"
        "    depends_on: {job: {condition: service_completed_successfully}} # <-\n"
        "  b: {image: x, depends_on: {job: {condition: service_completed_successfully}}}\n"
    ),
    "MIG144": two(IMG + "depends_on: {b: {condition: service_started, restart: true}} # <-", IMG),
    "MIG145": two(IMG + "depends_on: {b: {condition: service_healthy}} # <-", IMG + "scale: 0"),
    "MIG146": one(IMG + "labels: {kompose.cronjob.schedule: often} # <-"),
}

ADDRESSES: Final[dict[str, Fixture]] = {
    "MIG201": one(PAIR.replace("\n", " # <-\n").replace("'x:1' # <-", "'x:1'"), NET),
    "MIG202": two(PEER, PAIR + "environment: {URL: 'http://172.28.0.11:80/'} # <-", NET),
    "MIG203": one(PAIR + "command: serve --bind 172.28.0.10 # <-", NET),
    "MIG204": one(PAIR + "environment: {ME: 172.28.0.10} # <-", NET),
    "MIG206": two(PEER + "expose: ['53']", PAIR + "environment: {PIHOLE_DNS_: 172.28.0.11} # <-", NET, answers=PIN),
    "MIG207": two(
        PEER + "expose: ['53']",
        PAIR + "volumes: ['./dnsmasq.conf:/etc/dnsmasq.conf:ro']",
        NET,
        files={"dnsmasq.conf": "server=172.28.0.11 # <-\n"},
    ),
    "MIG208": one(IMG + "environment: {GATEWAY: 10.1.2.3} # <-"),
    "MIG210": two(PEER, PAIR + "environment: {PIHOLE_DNS_: 172.28.0.11} # <-", NET),
    "MIG211": two(PEER, PAIR + "command: sh -c 'ping 172.28.0.$$ID' # <-", NET),
    "MIG213": Fixture(
        text="services:\n  a: {image: 'x:1', networks: [n], environment: {PREFIX: 172.28.0}} # <-\n"
        "  b: {image: 'y:1', expose: ['80'], networks: {n: {ipv4_address: 172.28.0.101}}}\n" + NET,
        answers=PIN,
    ),
    "MIG214": one(PAIR + "command: serve --allow 172.28.0.0/24 # <-", NET),
    "MIG215": two(PEER, PAIR + "environment: {ALLOWED_IPS: 172.28.0.11} # <-", NET),
    "MIG216": one(PAIR + "environment: {POOL: 172.28.0.10-172.28.0.20} # <-", NET),
    "MIG217": two(
        PEER,
        "build: .\nnetworks: {n: {ipv4_address: 172.28.0.10}}\n",
        NET,
        files={"Dockerfile": "FROM x\nCOPY app.conf /etc/app.conf\n", "app.conf": "url=http://172.28.0.11:80 # <-\n"},
    ),
    "MIG218": two(
        PEER,
        "build: .\nnetworks: {n: {ipv4_address: 172.28.0.10}}\n",
        NET,
        files={"Dockerfile": "FROM x\nENV UP=http://172.28.0.11:80 # <-\n"},
    ),
    "MIG219": one(PAIR, NET, files={"check.sh": "ping 172.28.0.10 # <-\n"}),
    "MIG220": one(PAIR + "volumes: ['./data:/data'] # <-", NET, files={"data/nodes.conf": "id 172.28.0.10:6379\n"}),
    "MIG221": two(PEER + "expose: ['443']", PAIR + "environment: {URL: 'https://172.28.0.11/'} # <-", NET),
    "MIG222": two(PEER, PAIR + "environment: {PEERS: 'abc@172.28.0.11:26656'} # <-", NET),
    "MIG224": one(IMG + "environment: {API: 'http://host.docker.internal:9/'} # <-"),
    "MIG225": two(
        IMG + "ports: ['8080:80']\nnetworks: [n]", IMG + "networks: [n]\nenvironment: {URL: 'http://172.28.0.1:8080/'} # <-", NET
    ),
    "MIG226": two(
        PEER + "volumes: ['./keepalived.conf:/etc/keepalived/keepalived.conf']\nexpose: ['80']",
        PAIR + "environment: {UPSTREAM: 'http://172.28.0.100:80'} # <-",
        NET,
        files={"keepalived.conf": "virtual_ipaddress {\n 172.28.0.100\n}\n"},
    ),
    "MIG227": one(PAIR + "environment: {OTHER: 172.28.0.77} # <-", NET),
    "MIG229": one(IMG + "networks: {n: {ipv4_address: '${WEB_IP}'}} # <-", NET),
    "MIG231": one(
        PAIR + "environment: {OTHER: 172.28.0.77}",
        "networks: {n: {ipam: {config: [{subnet: 172.28.0.0/24}]}}} # <-\n",
        answers="project: {cluster: {podCidr: 172.28.0.0/16}}",
    ),
    "MIG232": one(IMG + "networks: {n: {ipv4_address: 8.8.1.2}}", "networks: {n: {ipam: {config: [{subnet: 8.8.1.0/24}]}}} # <-\n"),
    "MIG223": one(IMG + "command: serve --group 239.1.2.3 # <-"),
    "MIG233": two(
        IMG + "networks: {n: {ipv4_address: 172.28.0.1}} # <-\nexpose: ['53']",
        PAIR + "environment: {PIHOLE_DNS_: 172.28.0.1}",
        NET,
        answers=PIN,
    ),
    "MIG234": two(
        IMG + "networks: {n: {ipv4_address: 172.28.0.200}} # <-\nexpose: ['53']",
        PAIR + "environment: {PIHOLE_DNS_: 172.28.0.200}",
        NET,
        answers="project: {addresses: pin, cluster: {serviceCidr: 10.96.0.0/24}}",
    ),
    "MIG235": two(PEER, PAIR + "environment: {PIHOLE_DNS_: 172.28.0.11} # <-", NET, answers=PIN),
    "MIG236": two(PEER, PAIR + "command: ip route add 10.0.0.0/8 via 172.28.0.11 # <-", NET),
    "MIG237": two(PEER, PAIR, NET, answers="project: {addresses: multus}"),
    "MIG238": one(
        IMG + "expose: ['80']\nnetworks: {lan: {ipv4_address: 192.168.1.9}} # <-",
        "networks: {lan: {driver: macvlan, driver_opts: {parent: eth0}, ipam: {config: [{subnet: 192.168.1.0/24}]}}}\n",
    ),
    "MIG239": one(IMG + "mac_address: '02:42:ac:11:00:03' # <-"),
    "MIG240": two(
        PEER + "expose: ['53/udp']",
        PAIR + "dns: [172.28.0.11] # <-",
        NET,
        answers=PIN,
    ),
    "MIG241": one(IMG + "dns: [1.1.1.1] # <-"),
    "MIG242": two(
        PEER,
        PAIR + "volumes: ['./db.zone:/etc/bind/db.zone:ro']",
        NET,
        files={"db.zone": "@ IN SOA ns. root. (1 2 3 4 5)\nwww IN A 172.28.0.11 # <-\n"},
    ),
    "MIG243": one(
        PAIR + "volumes: ['./ssl.cnf:/etc/ssl.cnf:ro']",
        NET,
        files={"ssl.cnf": "[alt_names]\nIP.1 = 172.28.0.10\n"},
    ),
    "MIG244": one(PAIR + "ports: ['9092:9092']\nenvironment: {KAFKA_ADVERTISED_LISTENERS: 'PLAINTEXT://172.28.0.10:9092'} # <-", NET),
    "MIG245": two(PAIR.replace("}}", "}} # <-"), PAIR, NET),
}

SERVICES: Final[dict[str, Fixture]] = {
    "MIG301": one("image: x"),
    "MIG302": two(IMG, IMG + "environment: {URL: 'http://a:8080/'} # <-"),
    "MIG303": one("image: 'nginx:1'"),
    "MIG305": one(IMG + "ports: ['8080:80'] # <-"),
    "MIG306": two(
        IMG + "expose: ['80']\nenvironment: {PEER_URL: 'http://b:80'}", "image: y\nexpose: ['80']\nenvironment: {PEER_URL: 'http://a:80'}"
    ),
    "MIG310": one(IMG + "ports: ['8080:80'] # <-"),
    "MIG311": one(IMG + "ports: ['127.0.0.1:8080:80'] # <-"),
    "MIG312": one(IMG + "ports: ['192.0.2.7:8080:80'] # <-"),
    "MIG313": one("image: 'mysql:8'\nports: ['3306:3306'] # <-"),
    "MIG314": one(IMG + "ports: ['80'] # <-"),
    "MIG315": one(IMG + "ports: ['10000-10200:10000-10200'] # <-"),
    "MIG316": one(IMG + "expose: ['80']\nenvironment: {VIRTUAL_HOST: a.b}"),
    "MIG317": one(IMG + "expose: ['80']\nlabels:\n  traefik.http.routers.r.rule: 'Headers(`a`, `b`)'"),
    "MIG318": one(IMG + "ports: ['53:53', '53:53/udp'] # <-"),
    "MIG319": one(IMG + "labels: {kompose.service.type: nonsense} # <-"),
    "MIG320": one(IMG + "ports: ['80:80'] # <-\nlabels: {kompose.controller.port.expose: 'true'}"),
    "MIG322": one(IMG + "ports: ['80:80'] # <-\nnetworks: [i]", "networks: {i: {internal: true}}\n"),
    "MIG331": two(PEER + "expose: ['80']", IMG + "network_mode: host\nenvironment: {URL: 'http://172.28.0.11:80'}", NET),
    "MIG332": one(IMG + "networks: [i]", "networks: {i: {internal: true}}\n"),
    "MIG333": one(IMG + "networks: [out]", "networks:\n  out: {external: true} # <-\n"),
    "MIG334": one(IMG + "networks: [n]", "networks:\n  n: {driver_opts: {a: b}} # <-\n"),
    "MIG335": one(IMG + "networks: {n: {interface_name: eth9}} # <-", "networks: {n: }\n"),
    "MIG336": one(IMG + "network_mode: bridge # <-"),
    "MIG350": two(IMG + "expose: ['80']", IMG + "environment: {API_URL: 'http://a:80'} # <-", answers="services: {a: {kind: none}}"),
    "MIG351": replace(
        two(IMG + "networks: [n]", IMG + "networks: [m]", "networks: {n: , m: }\n", answers="project: {networkPolicies: none}"),
        severity="warning",
    ),
    "MIG352": two(IMG + "expose: ['80']", IMG),
    "MIG353": two(IMG + "networks: {n: {aliases: [api]}}", IMG + "networks: [m]", "networks: {n: , m: }\n"),
    "MIG354": two(IMG + "ports: ['80:80']\nnetworks: [n]", IMG + "networks: [m]", "networks: {n: , m: }\n"),
}

SETTINGS: Final[dict[str, Fixture]] = {
    "MIG401": one(IMG + "environment: {DB_PASSWORD: hush} # <-"),
    "MIG402": one(IMG + "environment: {DB_PASSWORD: hush} # <-"),
    "MIG403": one(IMG + "environment: {'1BAD': x} # <-", answers="project: {kubernetesVersion: '1.29'}"),
    "MIG405": one(IMG + "environment: [UNSET] # <-"),
    "MIG410": one(IMG + "volumes: ['./a.conf:/etc/a.conf:ro'] # <-", files={"a.conf": "x"}),
    "MIG411": one(IMG + "volumes: ['./a.key:/etc/a.key:ro'] # <-", files={"a.key": "x"}),
    "MIG413": one(IMG + "volumes: ['./a.conf:/etc/a.conf:ro'] # <-", files={"a.conf": "x" * (1 << 20) + "x"}),
    "MIG414": one(IMG + "volumes: ['./a.conf:/etc/a.conf:ro'] # <-", files={"a.conf": "x" * (1 << 18) + "x"}),
    "MIG415": one(IMG + "volumes: ['./a.conf:/etc/a.conf:ro']", files={"a.conf": "x"}),
    "MIG416": one(IMG + "volumes: ['./gone.conf:/etc/a.conf'] # <-"),
    "MIG417": one(IMG + "command: sh -c 'sed -i s/a/b/ /etc/a.conf'\nvolumes: ['./a.conf:/etc/a.conf'] # <-", files={"a.conf": "x"}),
    "MIG418": one(IMG + "volumes: ['./a.conf:/etc/a.conf'] # <-", files={"a.conf": "x"}),
    "MIG419": one(PAIR + "volumes: ['./a.bin:/etc/a.bin:ro']", NET, files={"a.bin": "\0 172.28.0.10 \0"}),
    "MIG420": one(IMG + "configs: [{source: c, uid: '7'}] # <-", "configs: {c: {content: x}}\n"),
    "MIG421": one(IMG + "secrets: [s]", "secrets:\n  s: {external: true} # <-\n"),
    "MIG422": one(IMG + "secrets: [s]", "secrets:\n  s: {environment: NOWHERE} # <-\n"),
    "MIG423": one(IMG + "secrets: [s]", "secrets:\n  s: {file: ./s, template_driver: t} # <-\n", files={"s": "x"}),
    "MIG424": one(IMG + "volumes: ['../outside-of-project:/etc/x:ro'] # <-", files={"../outside-of-project/a.conf": "x"}),
}

STORAGE: Final[dict[str, Fixture]] = {
    "MIG501": one(IMG + "volumes: ['vol:/data'] # <-", VOL),
    "MIG502": one(IMG + "volumes: ['vol:/data']", "volumes:\n  vol: {} # <-\n"),
    "MIG503": two(IMG + "volumes: ['vol:/data']", IMG + "volumes: ['vol:/data']", "volumes:\n  vol: {} # <-\n"),
    "MIG504": two(
        IMG + "volumes: ['vol:/data']",
        IMG + "volumes: ['vol:/data']",
        "volumes:\n  vol: {} # <-\n",
        answers="project: {storage: {rwxClass: nfs}}",
    ),
    "MIG505": one(IMG + "volumes: ['vol:/data']\ndeploy: {mode: global}", "volumes:\n  vol: {} # <-\n"),
    "MIG506": one(IMG + "volumes: ['vol:/data']\nscale: 2", "volumes:\n  vol: {} # <-\n"),
    "MIG507": one(IMG + "volumes: ['vol:/data'] # <-", VOL),
    "MIG510": one(IMG + "tmpfs: ['/x:mode=700'] # <-"),
    "MIG511": one(IMG + "volumes: [/x] # <-"),
    "MIG512": one("build: .\nvolumes: ['.:/app', '/app/node_modules'] # <-", files={"Dockerfile": "FROM x\nCOPY . /app\n"}),
    "MIG513": one(IMG + "volumes: ['vol:/srv/app'] # <-", VOL),
    "MIG514": one("build: .\nvolumes: ['vol:/srv/app'] # <-", VOL, files={"Dockerfile": "FROM scratch\nCOPY . /srv/app\n"}),
    "MIG515": one(IMG + "user: '1000'\nvolumes: ['vol:/data']", VOL),
    "MIG516": one("image: 'postgres:16'\nvolumes: ['vol:/var/lib/postgresql/data'] # <-", VOL),
    "MIG520": one(IMG + "volumes: ['vol:/data']", "volumes:\n  vol: {external: true} # <-\n"),
    "MIG521": one(IMG + "volumes: ['vol:/data']", "volumes:\n  vol: {driver_opts: {type: nfs, o: 'addr=192.0.2.1', device: ':/x'}} # <-\n"),
    "MIG522": one(
        IMG + "volumes: ['vol:/data']", "volumes:\n  vol: {driver_opts: {type: cifs, o: 'addr=192.0.2.1', device: '//s/x'}} # <-\n"
    ),
    "MIG523": one(IMG + "volumes: ['vol:/data']", "volumes:\n  vol: {driver: rexray} # <-\n"),
    "MIG530": one("build: .\nvolumes: ['.:/app'] # <-", files={"Dockerfile": "FROM x\nCOPY . /app\n"}),
    "MIG531": one(IMG + "volumes: ['./data:/data'] # <-"),
    "MIG532": one(IMG + "volumes: ['/srv/x:/data'] # <-"),
    "MIG533": one(IMG + "volumes: ['/sys:/sys:ro'] # <-"),
    "MIG534": one(IMG + "volumes: ['/etc/localtime:/etc/localtime:ro'] # <-"),
    "MIG535": one(IMG + "volumes: ['./data:/data:z'] # <-"),
    "MIG536": one(IMG + "volumes: ['/srv/x:/data:rshared'] # <-"),
    "MIG537": one(IMG + "volumes: [{type: image, source: 'y:1', target: /y}] # <-"),
    "MIG538": one(IMG + "volumes: [{type: npipe, source: a, target: b}] # <-"),
}

RUNNING: Final[dict[str, Fixture]] = {
    "MIG601": one(IMG + "healthcheck: {test: [CMD, ok]} # <-"),
    "MIG602": one(IMG + "ports: ['80:80']"),
    "MIG603": one("build: .", files={"Dockerfile": "FROM x\nHEALTHCHECK CMD ok\n"}),
    "MIG604": one(IMG + "healthcheck: {test: [CMD, ok], interval: 1500ms} # <-"),
    "MIG605": one(IMG + "healthcheck: {test: [CMD, ok]} # <-"),
    "MIG607": one(IMG + "healthcheck: {test: [CMD, ok], start_interval: 2s} # <-"),
    "MIG610": one(IMG + "stop_signal: SIGQUIT # <-"),
    "MIG611": one(IMG + "init: true # <-"),
    "MIG612": one(IMG + "post_start: [{command: [x]}] # <-"),
    "MIG613": one(IMG + "post_start: [{command: [x], user: root}] # <-"),
    "MIG614": one(IMG + "expose: ['80']"),
    "MIG620": one(IMG + "network_mode: host"),
    "MIG621": one(IMG + "deploy: {update_config: {failure_action: rollback}} # <-"),
    "MIG622": one(IMG + "deploy: {update_config: {max_failure_ratio: 0.1}} # <-"),
    "MIG623": one(IMG + "scale: 2"),
    "MIG624": one(IMG + "labels: {kompose.hpa.cpu: '50'}"),
    "MIG625": one(IMG + "labels: {kompose.hpa.cpu: many} # <-"),
    "MIG626": one("image: x"),
    "MIG701": one("image: x"),
    "MIG702": one(IMG + "cpus: 0.5"),
    "MIG704": one(IMG + "cpu_shares: 512 # <-"),
    "MIG705": one(IMG + "cpuset: '0' # <-"),
    "MIG706": one(IMG + "memswap_limit: 1g # <-"),
    "MIG707": one(IMG + "gpus: all # <-"),
    "MIG708": one(IMG + "gpus: [{device_ids: ['0']}] # <-"),
    "MIG709": one(IMG + "pids_limit: 5 # <-"),
    "MIG710": one(IMG + "ulimits: {nofile: 5} # <-"),
    "MIG711": one(IMG + "shm_size: 64m # <-"),
    "MIG712": one(IMG + "oom_score_adj: 5 # <-"),
    "MIG713": one(IMG + "blkio_config: {weight: 300} # <-"),
    "MIG714": one(IMG + "storage_opt: {size: 1G} # <-"),
    "MIG720": one(IMG + "deploy: {placement: {constraints: ['node.id == x']}} # <-"),
    "MIG721": one(IMG + "deploy: {placement: {constraints: ['node.labels.a == x']}} # <-"),
    "MIG722": one(IMG + "platform: linux/arm64 # <-"),
    "MIG723": one(IMG + "deploy: {placement: {max_replicas_per_node: 1}} # <-"),
    "MIG724": one(IMG + "deploy: {resources: {reservations: {devices: [{capabilities: [tpu]}]}}} # <-"),
}

SECURITY: Final[dict[str, Fixture]] = {
    "MIG801": one("image: x"),
    "MIG802": one(IMG + "privileged: true # <-"),
    "MIG803": one(IMG + "sysctls: {net.core.somaxconn: '1'} # <-"),
    "MIG804": one(IMG + "sysctls: {vm.max_map_count: '1'} # <-"),
    "MIG805": one(IMG + "devices: [/dev/fuse] # <-"),
    "MIG806": one(IMG + "device_cgroup_rules: ['c 1:3 mr'] # <-"),
    "MIG807": one(IMG + "user: somebody # <-"),
    "MIG808": one(IMG + "group_add: [audio] # <-"),
    "MIG809": one(IMG + "security_opt: ['odd:x'] # <-"),
    "MIG810": one(IMG + "security_opt: ['seccomp:./p.json'] # <-"),
    "MIG811": one(IMG + "userns_mode: host # <-"),
    "MIG812": one(IMG + "network_mode: host # <-"),
    "MIG813": one(IMG + "pid: host # <-"),
    "MIG814": one(IMG + "uts: host # <-"),
    "MIG815": one(IMG + "user: '1000'\nexpose: ['80']"),
    "MIG816": one(IMG + "isolation: default # <-"),
    "MIG817": one("image: x"),
    "MIG818": one(IMG + "runtime: kata # <-"),
}

PROJECT: Final[dict[str, Fixture]] = {
    "MIG901": one("build: . # <-"),
    "MIG902": one("image: x # <-"),
    "MIG903": one("image: x # <-", answers="images: [{match: docker.io/, replace: mirror.example/}]"),
    "MIG904": one(IMG + "pull_policy: daily # <-"),
    "MIG905": one(IMG + "labels: {kompose.image-pull-secret: s}"),
    "MIG910": one(IMG + "labels: {a: b} # <-"),
    "MIG911": one(IMG + "logging: {driver: syslog} # <-"),
    "MIG912": Fixture(text="services:\n  a: {image: x}\n  off: {image: x, profiles: [p]} # <-\n"),
    "MIG913": one(IMG + "x-mine: 1 # <-"),
    "MIG914": one(IMG + "develop: {watch: [{path: ., action: rebuild}]} # <-"),
    "MIG915": one(IMG + "attach: false # <-"),
    "MIG916": one(IMG + "ports: [{target: 80, published: '80', mode: host}] # <-"),
    "MIG917": one(IMG + "models: [m] # <-", "models: {m: {model: ai/x}}\n"),
    "MIG947": one(IMG + "expose: ['80']\nenvironment: {VIRTUAL_HOST: a.b}"),
    **{
        code: one(
            IMG + "ports: ['80:80']\nvolumes: ['vol:/data']\ndeploy: {mode: global}", VOL, answers=f"project: {{cluster: {{{said}}}}}"
        )
        for code, said in {
            "MIG940": "forwardPolicy: DROP",
            "MIG941": "kubeletCgroupDriver: systemd, runtimeCgroupDriver: cgroupfs",
            "MIG942": "joinTokenTtl: 24h",
            "MIG943": "metricsPort: 10255",
            "MIG945": "cgroup: v1",
            "MIG946": "runtime: dockershim",
            "MIG948": "podSecurityPolicy: true",
            "MIG950": "networkPlugin: flannel",
            "MIG951": "loadBalancer: none",
            "MIG952": "rwxClass: none",
            "MIG953": "version: '1.29'",
        }.items()
    },
}

EVERY: Final = {**LOADING, **WORKLOADS, **ADDRESSES, **SERVICES, **SETTINGS, **STORAGE, **RUNNING, **SECURITY, **PROJECT}
NOT_OF_A_COMPOSE_FILE: Final = {
    "MIG930": "of manifests: test_verify_schema",
    "MIG931": "of manifests: test_verify_references",
    "MIG932": "of manifests: test_verify_schema",
    "MIG933": "of manifests: test_verify_references",
    "MIG944": "of manifests: test_verify_schema",
    "MIG960": "of an API server: the live tests",
    "MIG961": "of an API server: the live tests",
    "MIG962": "of an API server: the live tests",
}
