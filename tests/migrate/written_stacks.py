"""Stacks for the tests of writers: one that uses everything a chart offers, and texts that templates and generators could damage."""

from __future__ import annotations

from pathlib import Path

import migrate

COMPOSE = """
name: rich
services:
  web:
    image: registry.example.com:5000/team/web:1.4
    ports: ["18080:8080", "18443:8443"]
    environment: {GREETING: "hello {{ .Name }}", EMPTY: "", NUMBER: "010", DB_PASSWORD: s3cret, LITERAL: "$$(HOME)", TAIL: "two\\n\\n"}
    env_file: [web.env]
    volumes: ["./conf:/etc/web:ro", "./plain:/etc/plain:ro", "media:/media"]
    secrets: [signing, {source: outside, target: /keys/outside}]
    deploy: {replicas: 2, resources: {limits: {cpus: "0.5", memory: 256M}}}
    healthcheck: {test: ["CMD", "curl", "-f", "http://localhost:8080/"]}
    depends_on: {db: {condition: service_healthy}, prepare: {condition: service_completed_successfully}}
  worker:
    image: team/worker@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    command: ["work", "--format", "{{ json . }}", "$${HOME}"]
    volumes: ["media:/media"]
    depends_on: {prepare: {condition: service_completed_successfully}}
  scaled:
    image: team/scaled:2
    labels: {kompose.hpa.replicas.min: "2", kompose.hpa.replicas.max: "5", kompose.hpa.cpu: "60", VIRTUAL_HOST: x}
    environment: {VIRTUAL_HOST: shop.example.com}
    expose: ["3000"]
    deploy: {resources: {reservations: {cpus: "0.25", memory: 64M}}}
  db:
    image: postgres:16
    environment: {POSTGRES_PASSWORD: s3cret}
    volumes: ["data:/var/lib/postgresql/data"]
    healthcheck: {test: "pg_isready -U postgres"}
  prepare:
    image: team/web-tools:1.4
    environment: {STEP: "1"}
    command: prepare
    restart: "no"
  nightly:
    image: team/report
    labels: {kompose.cronjob.schedule: "0 3 * * *"}
    restart: "no"
  sidecar:
    image: team/sidecar:1
    network_mode: service:worker
    environment: {PEER: localhost}
volumes:
  data: {}
  media: {}
secrets:
  signing: {file: ./signing.txt}
  outside: {external: true}
"""
FILES = {
    "web.env": "FROM_FILE=yes\nURL=http://db:5432/{{x}}\n",
    "plain/web.conf": "listen 8080;\nproxy_set_header Host {{ host }};\n\n\n",
    "plain/ends-in-space.txt": "a  \nb   \n",
    "plain/dos.ini": "[a]\r\nb=1\r\n",
    "conf/mark.xml": "\ufeff<a/>\n",
    "plain/no-newline.json": '{"template": "{{ .x }}", "y": "\u00e9\u2028<&>"}',
    "conf/private.txt": "\ue000s0\ue001\n",
    "signing.txt": "top {{ secret }}\n",
}


def rich(folder: Path, plan: str | None = None) -> migrate.Conversion:
    """The stack converted in `folder`, which gets its files."""
    for name, text in {"compose.yaml": COMPOSE, **FILES}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    (folder / "plain" / "icon.ico").write_bytes(b"\x00\x01\xff\xfe\x00")
    (folder / "conf" / "bell.bin").write_bytes(b"\x07\x00text\n")
    if plan is not None:
        (folder / "plan.yaml").write_text(plan)
    return migrate.convert("compose.yaml", directory=folder, plan=folder / "plan.yaml" if plan is not None else None)


ENVIRONMENTS = """
version: 1
environments:
  dev:
    project: {namespace: rich-dev, exposure: clusterip, secrets: external, networkPolicies: none}
    services:
      web: {replicas: 1, resources: {requests: {cpu: 50m}}, image: "registry.example.com:5000/team/web:dev"}
      db: {kind: Deployment, storage: {size: 1Gi}}
  production:
    project: {exposure: nodeport, drain: 0, waits: none}
    services:
      web: {hpa: {min: 2, max: 9, cpu: 40}, update: {maxSurge: 2}}
      worker: {replicas: 0}
      scaled: {ingress: {host: www.example.com, tls: www-tls}}
    images: [{match: registry.example.com, replace: mirror.example.com}]
"""
