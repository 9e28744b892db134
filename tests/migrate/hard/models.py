"""Small stacks of the shape of those that the corpus does not hold, or not whole. Written for these tests."""

from __future__ import annotations

_NET = "networks:\n  n: {ipam: {config: [{subnet: 172.28.0.0/16}]}}\n"

MODELS: dict[str, dict[str, str]] = {
    # addresses in scripts of images, a Tor policy by subnet, templates of env files
    "036 scripts": {
        "compose.yaml": """
services:
  bitcoind:
    build: ./bitcoin
    env_file: [bitcoind.conf.tpl]
    networks: {n: {ipv4_address: 172.28.1.5}}
  tor:
    build: ./tor
    networks: {n: {ipv4_address: 172.28.1.4}}
"""
        + _NET,
        "bitcoind.conf.tpl": "RPC_USER=x\nRPC_PASSWORD=y\n",
        "bitcoin/Dockerfile": 'FROM debian:12\nCOPY restart.sh /restart.sh\nEXPOSE 8333\nENTRYPOINT ["/restart.sh"]\n',
        "bitcoin/restart.sh": "#!/bin/bash\nexec daemon -bind=172.28.1.5 -rpcbind=172.28.1.5 -proxy=172.28.1.4:9050\n",
        "tor/Dockerfile": 'FROM debian:12\nCOPY restart.sh /restart.sh\nEXPOSE 9050\nENTRYPOINT ["/restart.sh"]\n',
        "tor/restart.sh": '#!/bin/bash\nexec tor --SocksPolicy "accept 172.28.0.0/16" --HiddenServicePort "80 172.28.1.5:8333"\n',
    },
    # one container of many daemons, found through Consul; a public address of its own; a socket in a volume; no network at all
    "062": {
        "compose.yaml": """
services:
  ca:
    image: ca:1
    environment: {FAKE_DNS: 64.112.117.122}
    command: ./start
    dns: 10.77.77.10
    extra_hosts: ["ca.example.org:64.112.117.122"]
    volumes: ["sockets:/var/run/hsm"]
    ports: ["4001:4001"]
    networks: {inner: {ipv4_address: 10.77.77.77}, outer: {ipv4_address: 64.112.117.122}}
    depends_on: [consul, redis1, redis2]
  hsm:
    image: hsm:1
    network_mode: none
    volumes: ["sockets:/var/run/hsm"]
  consul:
    image: hashicorp/consul:1.15
    command: consul agent -dev -config-file=/consul/config/config.hcl
    volumes: ["./config.hcl:/consul/config/config.hcl:ro"]
    networks: {inner: {ipv4_address: 10.77.77.10}}
  redis1: {image: "redis:7", expose: ["4218"], networks: {inner: {ipv4_address: 10.77.77.4}}}
  redis2: {image: "redis:7", expose: ["4218"], networks: {inner: {ipv4_address: 10.77.77.5}}}
  certs:
    image: minica:1
    restart: "no"
    command: minica -ip-addresses 10.77.77.4,10.77.77.5
    networks: [inner]
volumes: {sockets: {}}
networks:
  inner: {ipam: {config: [{subnet: 10.77.77.0/24, ip_range: 10.77.77.128/25}]}}
  outer: {ipam: {config: [{subnet: 64.112.117.0/25}]}}
""",
        "config.hcl": """client_addr = "0.0.0.0"
bind_addr   = "10.77.77.10"
services {
  id      = "sa-a"
  name    = "sa"
  address = "10.77.77.77"
  port    = 9095
}
services {
  id      = "redis-1"
  name    = "redisring"
  address = "10.77.77.4"
  port    = 4218
}
""",
    },
    # services on the host's network and services on a bridge that call each other
    "065": {
        "compose.yaml": """
services:
  nginx:
    image: nginx:1
    network_mode: host
    environment: {PUBLIC_IP: "${EXTERNAL_IPv4}"}
    extra_hosts: ["web:10.7.7.253"]
    volumes: ["./bbb.nginx:/etc/nginx/conf.d/bbb.conf:ro"]
  kurento: {image: "kms:6", network_mode: host, expose: ["8888"]}
  web:
    image: web:2
    expose: ["8080"]
    environment: {KURENTO_URL: "ws://kurento:8888/kurento"}
    extra_hosts: ["host.docker.internal:10.7.7.1", "kurento:10.7.7.1"]
    networks: {default: {ipv4_address: 10.7.7.253}}
  sfu:
    image: sfu:1
    ports: ["24577-32768:24577-32768/udp"]
    networks: {default: {ipv4_address: 10.7.7.250}}
networks:
  default: {ipam: {config: [{subnet: 10.7.7.0/24}]}}
""",
        "bbb.nginx": "location / {\n  proxy_pass http://10.7.7.253:8080;\n}\nlocation /x {\n  proxy_pass http://web:8080;\n}\n",
    },
    # the two lines of code that complete the beginning of an address
    "069 code": {
        "compose.yaml": """
services:
  unbound: {image: "unbound:1", expose: ["53/udp"], networks: {n: {ipv4_address: "${IPV4_NETWORK:-172.28.1}.254"}}}
  postfix: {image: "postfix:1", expose: ["25"], networks: {n: {ipv4_address: "${IPV4_NETWORK:-172.28.1}.253"}}}
  sogo: {image: "sogo:1", expose: ["20000"], networks: {n: {ipv4_address: "${IPV4_NETWORK:-172.28.1}.248"}}}
  rspamd:
    image: rspamd:1
    environment: ["IPV4_NETWORK=${IPV4_NETWORK:-172.28.1}"]
    volumes: ["./lua:/etc/rspamd/lua:ro", "./auth.php:/etc/dovecot/auth.php:ro"]
    dns: ["${IPV4_NETWORK:-172.28.1}.254"]
    networks: [n]
"""
        + _NET,
        "lua/rspamd.local.lua": 'local relay = os.getenv("IPV4_NETWORK") .. ".253"\n',
        "auth.php": "<?php\n$sogo = getenv('IPV4_NETWORK') . '.248';\n",
    },
    # two networks for each node, other own addresses for each role, seeds, certificates, targets, a Makefile
    "086": {
        "compose.yaml": "services:\n"
        + "".join(
            f"""  dc{dc}n{i}:
    image: scylladb/scylla:6
    command: >-
      --seeds 192.168.100.11,192.168.100.12 --listen-address 192.168.200.{dc}{i} --rpc-address 192.168.100.{dc}{i}
      --alternator-address 192.168.100.{dc}{i} --broadcast-rpc-address 192.168.100.{dc}{i}
    volumes: ["dc{dc}n{i}:/var/lib/scylla", "./dc{dc}.properties:/etc/scylla/rack.properties:ro"]
    networks: {{public: {{ipv4_address: 192.168.100.{dc}{i}}}, second: {{ipv4_address: 192.168.200.{dc}{i}}}}}
"""
            for dc in (1, 2)
            for i in (1, 2)
        )
        + """  prometheus:
    image: prom/prometheus:2
    volumes: ["./prometheus.yml:/etc/prometheus/prometheus.yml:ro"]
    networks: [public]
  agent:
    image: agent:1
    environment: {S3_ENDPOINT: "http://192.168.100.99:9000"}
    volumes: ["./db.cfg:/certs/db.cfg:ro"]
    networks: [public]
  minio: {image: "minio/minio:1", networks: {public: {ipv4_address: 192.168.100.99}}}
volumes: {dc1n1: {}, dc1n2: {}, dc2n1: {}, dc2n2: {}}
networks:
  public: {ipam: {config: [{subnet: 192.168.100.0/24}]}}
  second: {ipam: {config: [{subnet: 192.168.200.0/24}]}}
""",
        "dc1.properties": "dc=dc1\nrack=r1\n",
        "dc2.properties": "dc=dc2\nrack=r1\n",
        "prometheus.yml": """scrape_configs:
- job_name: scylla
  static_configs:
  - targets:
    - 192.168.100.11:9180
    - 192.168.100.21:9180
""",
        "db.cfg": "[ req ]\nprompt = no\n[ alt_names ]\nIP.1 = 192.168.100.11\nIP.2 = 192.168.200.11\n",
        "Makefile": "test:\n\tcurl http://192.168.100.11:9180/metrics\n",
    },
    # an authoritative DNS server that delegates to two directories; host names that are the product; SRV and PTR
    "093": {
        "compose.yaml": """
services:
  dns:
    image: dnsmasq:1
    hostname: dns.test
    expose: ["53/udp", "53/tcp"]
    volumes: ["./dnsmasq.conf:/etc/dnsmasq.conf:ro"]
    networks: {n: {ipv4_address: 172.28.100.2}}
  ipa: &box
    image: freeipa-server:1
    hostname: master.ipa.test
    dns: 172.28.100.2
    expose: ["389", "53/udp"]
    cap_add: [SYS_ADMIN]
    security_opt: ["apparmor=unconfined", "seccomp=unconfined"]
    device_cgroup_rules: ["c 10:* rmw"]
    networks: {n: {ipv4_address: 172.28.100.10}}
  samba: {<<: *box, image: "samba-domain:1", hostname: dc.samba.test, networks: {n: {ipv4_address: 172.28.100.30}}}
  client: {<<: *box, image: "client:1", hostname: client.test, networks: {n: {ipv4_address: 172.28.100.40}}}
networks:
  n: {ipam: {config: [{subnet: 172.28.100.0/24}]}}
""",
        "dnsmasq.conf": """server=/ipa.test/172.28.100.10
server=/samba.test/172.28.100.30
server=/ad.test/172.28.200.10
address=/client.test/172.28.100.40
ptr-record=10.100.28.172.in-addr.arpa,master.ipa.test
srv-host=_ldap._tcp.ipa.test,master.ipa.test,389
""",
    },
}
