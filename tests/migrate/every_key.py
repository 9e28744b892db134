"""Compose projects that together have every key path of the Compose Specification, for tests that no key is lost in silence."""

from __future__ import annotations

from typing import Final

FILES: Final = {
    "app.env": "FROM_FILE=1\nFILE_PASSWORD=hush\n",
    "other.env": "RAW=$x\n",
    "include.env": "INCLUDED_TAG=2\n",
    "more/part.yaml": "services: {part: {image: 'part:${INCLUDED_TAG:-1}', env_file: [app.env]}}\n",
    "base.yaml": "services: {base: {image: 'base:1', environment: {BASE: '1'}}}\n",
    "labels.txt": "from.file=1\n",
    "secret.txt": "hush\n",
    "conf.txt": "key = value\n",
    "src/Dockerfile": "FROM alpine:3\nARG MODE\nEXPOSE 8080\nFROM alpine:3 AS run\nEXPOSE 9090\n",
    "src/Dockerfile.prod": "FROM alpine:3\nEXPOSE 7070\nFROM alpine:3 AS run\nEXPOSE 6060\n",
}

ANSWERS: Final = "project: {models: {llm: {endpoint: 'http://models.example'}}}"

PROJECTS: Final[dict[str, str]] = {
    "top": """
version: "3.8"
name: keys
include:
  - {path: more/part.yaml, env_file: include.env, project_directory: .}
services:
  app:
    image: "app:1"
    extends: {service: base, file: base.yaml}
    models: {llm: {endpoint_var: URL, model_var: NAME}}
  my_app: {image: "app:1", models: {tiny: {endpoint_var: URL, model_var: NAME}}}
models:
  llm: {name: x, model: ai/x, context_size: 1024, runtime_flags: [a]}
  tiny: {name: y, model: ai/y, context_size: 1024, runtime_flags: [a]}
""",
    "develop": """
services:
  app:
    image: "app:1"
    develop:
      watch:
        - path: ./src
          action: sync+exec
          target: /app
          ignore: [a]
          include: [b]
          initial_sync: true
          exec: {command: [x], user: u, privileged: true, working_dir: /w, environment: {A: b}}
    logging: {driver: syslog, options: {tag: x}}
    attach: false
    blkio_config:
      weight: 300
      weight_device: [{path: /dev/sda, weight: 400}]
      device_read_bps: [{path: /dev/sda, rate: 1mb}]
      device_read_iops: [{path: /dev/sda, rate: 10}]
      device_write_bps: [{path: /dev/sda, rate: 1mb}]
      device_write_iops: [{path: /dev/sda, rate: 10}]
    cgroup: host
    cgroup_parent: x
    cpu_percent: 50
    cpu_rt_period: 1000
    cpu_rt_runtime: 1000
    cpuset: "0"
    credential_spec: {file: x}
    device_cgroup_rules: ["c 1:3 mr"]
    external_links: [other]
    isolation: default
    mem_swappiness: 10
    memswap_limit: 1g
    oom_kill_disable: true
    oom_score_adj: 500
    pids_limit: 100
    pull_policy: daily
    pull_refresh_after: 24h
    ulimits: {nofile: {soft: 1, hard: 2}, nproc: 3}
    userns_mode: host
    uts: host
    use_api_socket: true
  creds: {image: "app:1", credential_spec: {config: conf}}
  registry: {image: "app:1", credential_spec: {registry: x}}
configs: {conf: {content: x}}
""",
    "build": """
services:
  app:
    build:
      context: ./src
      dockerfile: Dockerfile.prod
      target: run
      entitlements: [network.host]
      args: {MODE: a}
      ssh: {default: x}
      labels: {a: b}
      cache_from: [x/y]
      cache_to: [x/z]
      no_cache: true
      no_cache_filter: [run]
      additional_contexts: {other: ./src}
      network: host
      provenance: true
      sbom: true
      pull: true
      shm_size: 64m
      extra_hosts: {h: 192.0.2.1}
      isolation: default
      privileged: true
      secrets: [{source: s, target: t, uid: "1", gid: "2", mode: 0440}]
      tags: ["app:2"]
      ulimits: {nofile: {soft: 1, hard: 2}, nproc: 3}
      platforms: [linux/arm64]
  inline: {build: {context: ./src, dockerfile_inline: "FROM alpine:3\\nEXPOSE 5050\\n"}}
secrets: {s: {file: ./secret.txt}}
""",
    "deploy": """
services:
  app:
    image: "app:1"
    expose: ["80"]
    deploy:
      mode: replicated
      endpoint_mode: dnsrr
      replicas: 3
      labels: {a: b}
      rollback_config: {parallelism: 1, delay: 5s, failure_action: pause, monitor: 5s, max_failure_ratio: 0.1, order: stop-first}
      update_config: {parallelism: 2, delay: 5s, failure_action: rollback, monitor: 9s, max_failure_ratio: 0.1, order: start-first}
      resources:
        limits: {cpus: "0.5", memory: 64M, pids: 5}
        reservations:
          cpus: "0.25"
          memory: 32M
          generic_resources: [{discrete_resource_spec: {kind: SSD, value: 3}}]
          devices:
            - {capabilities: [gpu], count: 2, driver: amd, options: {virtualization: "true"}}
            - {capabilities: [tpu], driver: x}
      restart_policy: {condition: on-failure, delay: 5s, max_attempts: 3, window: 9s}
      placement:
        constraints: ["node.labels.disk == ssd", "node.id == x"]
        preferences: [{spread: node.labels.zone}]
        max_replicas_per_node: 1
  ids:
    image: "app:1"
    deploy: {resources: {reservations: {devices: [{capabilities: [gpu], device_ids: ["0", "3"]}]}}}
  gpu:
    image: "app:1"
    gpus: [{capabilities: [gpu, compute], count: 2, driver: amd, options: {a: b}}]
  gpu_ids: {image: "app:1", gpus: [{capabilities: [gpu], device_ids: ["0", "3"]}]}
  limited: {image: "app:1", deploy: {resources: {limits: {cpus: "0.5", memory: 64M}}}}
  everywhere: {image: "app:1", deploy: {mode: global}}
""",
    "runtime": """
services:
  app:
    image: "app"
    container_name: the_app
    hostname: the_host
    domainname: example.com
    annotations: {a.b/c: d}
    cap_add: [NET_ADMIN]
    cap_drop: [CHOWN]
    command: [serve]
    entrypoint: [/bin/app]
    cpu_count: 2
    cpu_shares: 512
    cpu_quota: 50000
    cpu_period: 100000
    cpus: 0.5
    depends_on:
      db: {condition: service_healthy, restart: true, required: false}
      debug: {condition: service_started, required: false}
      low: {condition: service_started}
    devices: [{source: /dev/fuse, target: /dev/fuse, permissions: rwm}]
    dns: [192.0.2.53]
    dns_opt: ["ndots:2"]
    dns_search: [example.com]
    env_file:
      - {path: app.env, required: true}
      - {path: other.env, format: raw}
      - {path: gone.env, required: false}
    label_file: [labels.txt]
    environment: {MODE: x, TOKEN: hush, URL: "http://db:5432"}
    expose: ["8080"]
    extra_hosts: {router: 192.0.2.1}
    group_add: ["7", audio]
    healthcheck:
      {test: [CMD, ok], interval: 1500ms, timeout: 500ms, retries: 5, start_period: 30s, start_interval: 2s}
    init: true
    ipc: host
    labels: {a: b}
    links: ["quiet:other_name"]
    mem_limit: 128m
    mem_reservation: 64m
    pid: host
    platform: linux/arm64
    privileged: true
    profiles: []
    pull_policy: always
    read_only: true
    restart: on-failure
    runtime: kata
    scale: 1
    security_opt: ["no-new-privileges:true", "seccomp:unconfined", "odd:x"]
    shm_size: 64m
    sysctls: {net.core.somaxconn: "1024"}
    stdin_open: true
    stop_grace_period: 1500ms
    stop_signal: SIGQUIT
    storage_opt: {size: 1G}
    tmpfs: ["/run:noexec"]
    tty: true
    user: "name:group"
    volumes_from: [db]
    working_dir: /srv
  db:
    image: "postgres:16"
    healthcheck: {test: [CMD, pg_isready]}
    volumes: ["vol:/var/lib/postgresql/data"]
  quiet: {image: "x:1", healthcheck: {disable: true}, ports: ["80:80"], environment: {SELF: "http://db:5432"}}
  debug: {image: "x:1", profiles: [debug]}
  scaled: {image: "x:1", scale: 2}
  count: {image: "x:1", cpu_count: 2}
  period: {image: "x:1", cpu_quota: 50000, cpu_period: 50000}
  rights: {image: "x:1", cap_add: [NET_ADMIN], cap_drop: [CHOWN]}
  low: {image: "x:1", healthcheck: {test: [CMD, ok], start_period: 30s, start_interval: 2s}, labels: {autoheal: "true"}}
  cloud: {provider: {type: cloud, options: {a: b}}, image: "x:1"}
volumes: {vol: }
""",
    "hooks": """
services:
  app:
    image: "app:1"
    expose: ["8080"]
    deploy: {replicas: 2}
    ports:
      - {name: web, mode: host, host_ip: 192.0.2.7, target: 80, published: "8080", protocol: udp, app_protocol: http}
    pre_start:
      - {command: [a], image: "y:1", user: "name", privileged: true, working_dir: /w, environment: {A: b}, per_replica: true}
      - {command: [c]}
    post_start:
      - {command: [a], user: root, privileged: true, working_dir: /w, environment: {A: b}}
    pre_stop:
      - {command: [a], user: root, privileged: true, working_dir: /w, environment: {A: b}}
    secrets: [{source: s, target: t, uid: "1", gid: "2", mode: 0440}]
    configs: [{source: c, target: /etc/c, uid: "1", gid: "2", mode: 0440}]
  host: {image: "x:1", network_mode: host}
secrets:
  s: {file: ./secret.txt, labels: {a: b}}
configs:
  c: {file: ./conf.txt, labels: {a: b}}
""",
    "resources": """
services:
  app:
    image: "app:1"
    secrets: [from_env, out, driven, templated, missing, out_name]
    environment: {ROUTER: "172.29.0.9", GATEWAY: "172.29.0.254", POOL: "172.29.0.200", PEER: "172.29.0.6"}
    configs: [from_env, inline, out, templated, missing, out_name]
    networks:
      back: {}
      front:
        aliases: [web_alias]
        interface_name: eth9
        ipv4_address: 172.28.0.5
        ipv6_address: "2001:db8::5"
        link_local_ips: [169.254.1.1]
        mac_address: "02:42:ac:11:00:02"
        driver_opts: {a: b}
        priority: 5
        gw_priority: 5
      old: {aliases: [x]}
    volumes:
      - {type: volume, source: data, target: /data, read_only: true, consistency: cached, volume: {labels: {c: d}, subpath: sub}}
      - {type: volume, source: code, target: /app, volume: {nocopy: true}}
      - {type: tmpfs, target: /scratch, tmpfs: {size: 1m, mode: 0700}}
      - {type: bind, source: /srv/x, target: /x, bind: {propagation: rslave, recursive: disabled, selinux: z}}
      - {type: bind, source: ./gone, target: /gone, bind: {create_host_path: false}}
      - {type: bind, source: ./data, target: /var/lib/data}
      - {type: volume, source: filled, target: /opt/app}
      - {type: image, source: "busybox:1", target: /img, image: {subpath: bin}}
      - {type: npipe, source: a, target: b}
      - out:/out
      - driven:/driven
      - out_name:/outn
    mac_address: "02:42:ac:11:00:03"
  peer: {image: "x:1", networks: {back: {ipv4_address: 172.29.0.6, aliases: [twice]}}}
  hidden: {image: "x:1", networks: {inside: {aliases: [twice]}}}
secrets:
  from_env: {environment: NOWHERE}
  out: {external: true, name: real_secret}
  out_name: {external: {name: old_secret}}
  driven: {driver: x, driver_opts: {a: b}}
  templated: {file: ./secret.txt, template_driver: y}
  missing: {file: ./gone.txt}
configs:
  from_env: {environment: NOWHERE}
  inline: {content: "x", labels: {a: b}}
  out: {external: true, name: real_config}
  out_name: {external: {name: old_config}}
  templated: {file: ./conf.txt, template_driver: y}
  missing: {file: ./gone.txt}
networks:
  back:
    ipam: {config: [{subnet: 172.29.0.0/24, ip_range: 172.29.0.128/25, gateway: 172.29.0.254, aux_addresses: {router: 172.29.0.9}}]}
  inside: {internal: true}
  front:
    name: the_front
    driver: macvlan
    driver_opts: {parent: eth0}
    attachable: true
    enable_ipv4: true
    enable_ipv6: true
    labels: {a: b}
    ipam:
      driver: custom
      options: {a: b}
      config:
        - {subnet: 172.28.0.0/24, ip_range: 172.28.0.128/25, gateway: 172.28.0.1, aux_addresses: {router: 172.28.0.9}}
        - {subnet: "2001:db8::/64"}
  old: {external: {name: real}}
volumes:
  data: {name: real_data, labels: {a: b}}
  code: {}
  filled: {}
  out: {external: true, name: real_out}
  out_name: {external: {name: old_out}}
  driven: {driver: rexray, driver_opts: {a: b}}
""",
}
