# ruff: noqa: E501
"""Life cycle, updates, scaling (2.13), resources and placement (2.14), security and images (2.15), policies (2.10)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.migrate.planned import codes, contains, objects_of, plan_of, pod

POD_SPECS: dict[str, tuple[str, dict[str, Any], str | None]] = {
    "grace": ("stop_grace_period: 90s", {"terminationGracePeriodSeconds": 90}, None),
    "grace rounded": ("stop_grace_period: 1500ms", {"terminationGracePeriodSeconds": 2}, "MIG604"),
    "grace and drain": ("expose: ['80'], stop_grace_period: 20s", {"terminationGracePeriodSeconds": 25}, "MIG614"),
    "stop signal": (
        "stop_signal: SIGQUIT",
        {"containers": [{"lifecycle": {"preStop": {"exec": {"command": ["/bin/sh", "-c", "kill -s QUIT 1; sleep 30"]}}}}]},
        "MIG610",
    ),
    "hooks": (
        "post_start: [{command: [echo, 'a b']}, {command: [ls], working_dir: /x}]",
        {"containers": [{"lifecycle": {"postStart": {"exec": {"command": ["/bin/sh", "-c", "(echo 'a b') && (cd /x && ls)"]}}}}]},
        "MIG612",
    ),
    "limits": ("mem_limit: 512m, cpus: 0.5", {"containers": [{"resources": {"limits": {"cpu": "500m", "memory": "512Mi"}}}]}, "MIG702"),
    "reservations": (
        "deploy: {resources: {reservations: {cpus: '0.25', memory: 64M}}}",
        {"containers": [{"resources": {"requests": {"cpu": "250m", "memory": "64Mi"}}}]},
        None,
    ),
    "quota": ("cpu_quota: 50000, cpu_period: 100000", {"containers": [{"resources": {"limits": {"cpu": "500m"}}}]}, None),
    "shares": ("cpu_shares: 512", {"containers": [{"resources": {"requests": {"cpu": "500m"}}}]}, "MIG704"),
    "gpu": (
        "deploy: {resources: {reservations: {devices: [{capabilities: [gpu], count: 2}]}}}",
        {"containers": [{"resources": {"limits": {"nvidia.com/gpu": "2"}}}]},
        "MIG707",
    ),
    "user": ("user: '1000:1001'", {"containers": [{"securityContext": {"runAsUser": 1000, "runAsGroup": 1001}}]}, None),
    "capabilities": (
        "cap_add: [CAP_NET_ADMIN], cap_drop: [ALL]",
        {"containers": [{"securityContext": {"capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]}}}]},
        "MIG801",
    ),
    "privileged": ("privileged: true", {"containers": [{"securityContext": {"privileged": True}}]}, "MIG802"),
    "no new privileges": (
        "security_opt: ['no-new-privileges:true', 'seccomp=unconfined']",
        {"containers": [{"securityContext": {"allowPrivilegeEscalation": False, "seccompProfile": {"type": "Unconfined"}}}]},
        None,
    ),
    "apparmor": (
        "security_opt: ['apparmor:my-profile']",
        {"containers": [{"securityContext": {"appArmorProfile": {"type": "Localhost", "localhostProfile": "my-profile"}}}]},
        "MIG810",
    ),
    "read only": ("read_only: true", {"containers": [{"securityContext": {"readOnlyRootFilesystem": True}}]}, None),
    "safe sysctl": (
        "sysctls: {net.ipv4.tcp_syncookies: 0}",
        {"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "0"}]}},
        None,
    ),
    "unsafe sysctl": ("sysctls: [net.core.somaxconn=1024]", {"securityContext": {"sysctls": [{"name": "net.core.somaxconn"}]}}, "MIG803"),
    "groups": ("group_add: [44, video]", {"securityContext": {"supplementalGroups": [44]}}, "MIG808"),
    "low port": (
        "user: '1000', expose: ['80']",
        {"securityContext": {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]}},
        "MIG815",
    ),
    "device": (
        "devices: ['/dev/net/tun']",
        {
            "volumes": [{"hostPath": {"path": "/dev/net/tun", "type": "CharDevice"}}],
            "containers": [{"securityContext": {"privileged": True}}],
        },
        "MIG805",
    ),
    "host network": ("network_mode: host", {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}, "MIG812"),
    "host pid": ("pid: host", {"hostPID": True}, "MIG813"),
    "runtime": ("runtime: kata", {"runtimeClassName": "kata"}, "MIG818"),
    "platform": ("platform: linux/arm64/v8", {"nodeSelector": {"kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64"}}, "MIG722"),
    "constraint": (
        "deploy: {placement: {constraints: [node.labels.disk==ssd]}}",
        {
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [{"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}]
                    }
                }
            }
        },
        "MIG721",
    ),
    "manager": (
        "deploy: {placement: {constraints: ['node.role == manager']}}",
        {"tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"}]},
        "MIG721",
    ),
    "spread": (
        "deploy: {placement: {preferences: [{spread: node.labels.zone}]}}",
        {"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}]},
        "MIG721",
    ),
    "search domains": ("dns_search: [corp.example, '.']", {"dnsConfig": {"searches": ["corp.example"]}}, "MIG241"),
    "dns options": (
        "dns_opt: ['timeout:2', use-vc]",
        {"dnsConfig": {"options": [{"name": "timeout", "value": "2"}, {"name": "use-vc"}]}},
        None,
    ),
    "pull policy": ("pull_policy: daily", {"containers": [{"imagePullPolicy": "Always"}]}, "MIG904"),
    "pre_start": (
        "pre_start: [{command: [echo, hi], user: '5'}]",
        {"initContainers": [{"image": "x:1", "securityContext": {"runAsUser": 5}}]},
        None,
    ),
    "standing settings": ("expose: ['8080']", {"enableServiceLinks": False, "automountServiceAccountToken": False}, "MIG817"),
}


@pytest.mark.parametrize("case", POD_SPECS)
def test_pod_spec(case: str, tmp_path: Path) -> None:
    service, wanted, code = POD_SPECS[case]
    text = f"services: {{a: {{image: 'x:1', {service}}}}}"
    found = pod(objects_of(tmp_path, text)["Deployment/a"])
    assert contains(found, wanted), found
    assert code is None or code in codes(plan_of(tmp_path, text))


UPDATES: dict[str, tuple[str, str, Any]] = {
    "U2 host network": ("network_mode: host", "", {"type": "Recreate"}),
    "U3 start-first": (
        "deploy: {update_config: {order: start-first, parallelism: 2}}",
        "",
        {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2, "maxUnavailable": 0}},
    ),
    "U3 stop-first": (
        "deploy: {update_config: {parallelism: 2}}",
        "",
        {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 2}},
    ),
    "U3 all at once": ("deploy: {update_config: {parallelism: 0}}", "", {"type": "Recreate"}),
    "U4 nothing": ("expose: ['80']", "", None),
    "plan": (
        "expose: ['80']",
        "services: {a: {update: {maxSurge: 1, maxUnavailable: 25%}}}",
        {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": "25%"}},
    ),
}


@pytest.mark.parametrize("case", UPDATES)
def test_update(case: str, tmp_path: Path) -> None:
    service, answers, strategy = UPDATES[case]
    spec = objects_of(tmp_path, f"services: {{a: {{image: 'x:1', {service}}}}}", answers)["Deployment/a"]["spec"]
    assert spec.get("strategy") == strategy


def test_delay_becomes_min_ready_and_a_long_one_lengthens_the_deadline(tmp_path: Path) -> None:
    text = "services: {a: {image: x, deploy: {update_config: {delay: 15m, failure_action: rollback}}}}"
    spec = objects_of(tmp_path, text)["Deployment/a"]["spec"]
    assert (spec["minReadySeconds"], spec["progressDeadlineSeconds"]) == (900, 1500)
    assert "MIG621" in codes(plan_of(tmp_path, text))


def test_hpa_removes_replicas_and_a_budget_needs_two(tmp_path: Path) -> None:
    answers = "services: {a: {hpa: {min: 1, max: 10, cpu: 20}, resources: {requests: {cpu: 100m}}}}"
    objects = objects_of(tmp_path, "services: {a: {image: x}}", answers)
    assert "replicas" not in objects["Deployment/a"]["spec"]
    spec = objects["HorizontalPodAutoscaler/a"]["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"], spec["metrics"][0]["resource"]["target"]["averageUtilization"]) == (1, 10, 20)
    assert "PodDisruptionBudget/a" not in objects
    assert "PodDisruptionBudget/a" in objects_of(tmp_path, "services: {a: {image: x, scale: 2}}")


def test_hpa_labels_without_requests_are_told(tmp_path: Path) -> None:
    text = "services: {a: {image: x, labels: {kompose.hpa.cpu: '500', kompose.hpa.replicas.min: '4', kompose.hpa.replicas.max: '2'}}}"
    plan = plan_of(tmp_path, text)
    scaler = plan.services["a"].scale.autoscaler
    assert scaler is not None
    assert (scaler.minimum, scaler.maximum, scaler.cpu_percent, scaler.memory_percent) == (4, 4, 50, 70)
    assert {"MIG624", "MIG625"} <= codes(plan)


@pytest.mark.parametrize(
    ("service", "level"),
    [
        ("expose: ['80']", "baseline"),
        ("privileged: true", "privileged"),
        ("cap_add: [SYS_PTRACE]", "privileged"),
        ("cap_add: [CHOWN]", "baseline"),
        ("network_mode: host", "privileged"),
        ("volumes: ['/proc:/host/proc:ro']", "privileged"),
        ("security_opt: ['seccomp=unconfined']", "privileged"),
    ],
)
def test_pod_security_level(service: str, level: str, tmp_path: Path) -> None:
    objects = objects_of(tmp_path, f"services: {{a: {{image: x, {service}}}}}")
    labels = objects["Namespace/demo"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == level


def test_images_of_the_plan_and_of_builds(tmp_path: Path) -> None:
    text = "services: {a: {image: 'redis:7'}, b: {build: ./b}, c: {image: 'ghcr.io/x/y:1'}}"
    answers = "project: {registry: r.example, tag: v1}\nimages: [{match: docker.io/, replace: m.example/}, {match: docker.io/library/, replace: n.example/}]"
    plan = plan_of(tmp_path, text, answers)
    assert {k: s.image for k, s in plan.services.items()} == {"a": "n.example/redis:7", "b": "r.example/demo-b:v1", "c": "ghcr.io/x/y:1"}
    assert {"MIG901", "MIG903"} <= codes(plan)


NETWORKS = """
services:
  web: {image: x, ports: ["80:80"], networks: [front, back]}
  db: {image: y, expose: ["5"], networks: [back]}
  host: {image: z, network_mode: host, environment: {DB_HOST: "db:5"}}
networks: {front: , back: {internal: true}}
"""


def test_policies(tmp_path: Path) -> None:
    objects = objects_of(tmp_path, NETWORKS)
    policies = {k.removeprefix("NetworkPolicy/") for k in objects if k.startswith("NetworkPolicy/")}
    assert policies == {"net-front", "net-back", "web-published", "egress-internal"}
    labels = objects["Deployment/db"]["spec"]["template"]["metadata"]["labels"]
    assert labels["compose-cutover/egress"] == "internal" and labels["compose-cutover/net-back"] == "member"
    assert "compose-cutover/egress" not in objects["Deployment/web"]["spec"]["template"]["metadata"]["labels"]
    assert not [k for k in objects_of(tmp_path, NETWORKS, "project: {networkPolicies: none}") if k.startswith("NetworkPolicy/")]


def test_external_network_peers_by_plan(tmp_path: Path) -> None:
    text = "services: {a: {image: x, networks: [n]}}\nnetworks: {n: {external: true}}"
    objects = objects_of(tmp_path, text, "project: {externalPeers: {n: [other]}}")
    peers = objects["NetworkPolicy/net-n"]["spec"]["ingress"][0]["from"]
    assert {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}} in peers
    assert "MIG333" in codes(plan_of(tmp_path, text))


def test_labels_become_annotations_and_illegal_ones_are_told(tmp_path: Path) -> None:
    text = "services: {a: {image: x, labels: {team: 'a b', 'no good': x}, deploy: {labels: {d: w}}, annotations: {n: v}}}"
    objects = objects_of(tmp_path, text)
    workload = objects["Deployment/a"]
    assert contains(workload["metadata"]["annotations"], {"team": "a b", "d": "w", "compose-cutover/source": "compose.yaml:1"})
    assert contains(workload["spec"]["template"]["metadata"]["annotations"], {"team": "a b", "n": "v"})
    assert any(f.code == "MIG910" and f.path == "services.a.labels.no good" for f in plan_of(tmp_path, text).findings)


def test_sysctls_of_a_shared_namespace_are_the_nodes(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "services: {a: {image: x, network_mode: host, sysctls: {net.ipv4.ip_forward: 1}}}")
    assert "sysctls" not in plan.services["a"].security.pod
    assert "MIG804" in codes(plan)


def test_a_published_one_shot_is_reached_while_it_runs(tmp_path: Path) -> None:
    objects = objects_of(tmp_path, "services: {a: {image: x, ports: ['80:80']}}", "services: {a: {kind: Job}}")
    assert "Service/a-published" in objects and "Job/a" in objects


ACCOUNTS = "FROM x\nRUN groupadd -g 70 web && useradd -rm -u 71 -g web -s /bin/sh app\nUSER app\n"


def test_users_and_groups_by_the_accounts_of_the_dockerfile(tmp_path: Path) -> None:
    text = "services: {a: {build: ., user: 'app:web', group_add: [web, audio], volumes: ['vol:/data']}}\nvolumes: {vol: }"
    plan = plan_of(tmp_path, text, files={"Dockerfile": ACCOUNTS})
    security = plan.services["a"].security
    assert (security.container["runAsUser"], security.container["runAsGroup"]) == (71, 70)
    assert (security.pod["supplementalGroups"], security.pod["fsGroup"]) == ([70], 70)
    assert [f.path for f in plan.findings if f.code in ("MIG807", "MIG808")] == ["services.a.group_add[1]"]


def test_low_ports_of_an_image_that_runs_as_a_named_user(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "services: {a: {build: ., expose: ['80']}}", files={"Dockerfile": ACCOUNTS})
    assert plan.services["a"].security.pod["sysctls"] == [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]


LEVELS = {
    "host port": "ports: ['80:80'], labels: {kompose.controller.port.expose: 'true'}",
    "tunnel": "volumes: ['/dev/net/tun:/dev/net/tun']",
    "selinux user": "security_opt: ['label:user:u']",
    "privileged step": "pre_start: [{command: [x], privileged: true}]",
}


@pytest.mark.parametrize("case", LEVELS)
def test_what_only_the_level_privileged_admits(case: str, tmp_path: Path) -> None:
    assert plan_of(tmp_path, f"services: {{a: {{image: 'x:1', {LEVELS[case]}}}}}").pod_security == "privileged"


def test_a_mounted_tunnel_device_needs_a_privileged_container(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, f"services: {{a: {{image: 'x:1', {LEVELS['tunnel']}}}}}")
    assert plan.services["a"].security.container["privileged"] is True
    assert "MIG805" in codes(plan)


def test_a_request_above_its_limit_is_lowered(tmp_path: Path) -> None:
    text = "services: {a: {image: 'x:1', cpus: 0.5, cpu_shares: 2048, mem_limit: 64m, deploy: {resources: {reservations: {memory: 1g}}}}}"
    plan = plan_of(tmp_path, text)
    assert plan.services["a"].resources == {"requests": {"memory": "64Mi", "cpu": "500m"}, "limits": {"cpu": "500m", "memory": "64Mi"}}
    assert len([f for f in plan.findings if f.code == "MIG702" and f.severity.value == "warning"]) == 2


def test_the_build_command_has_every_key_and_no_value_of_an_argument(tmp_path: Path) -> None:
    text = """
services:
  a:
    build:
      context: ./src
      dockerfile: Dockerfile.prod
      target: run
      args: {TOKEN: secret-value}
      labels: {a: b}
      cache_from: [x/y]
      no_cache: true
      tags: [x/a:1]
      platforms: [linux/arm64/v8]
      extra_hosts: {h: 192.0.2.1}
      ulimits: {nofile: {soft: 1, hard: 2}}
      secrets: [s]
secrets: {s: {file: ./s.txt}}
"""
    plan = plan_of(tmp_path, text, files={"s.txt": "x", "src/Dockerfile.prod": "FROM x"})
    advice = next(f.advice for f in plan.findings if f.code == "MIG901")
    assert advice == (
        "docker buildx build --load --tag demo-a:latest --file ./src/Dockerfile.prod --target run --no-cache --cache-from x/y --tag x/a:1"
        " --platform linux/arm64/v8 --build-arg TOKEN --add-host h:192.0.2.1 --label a=b --secret id=s"
        " --ulimit nofile=1:2 ./src && docker push demo-a:latest"
    )
    assert plan.services["a"].placement.pod_spec["nodeSelector"] == {"kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64"}
    assert {"MIG722", "MIG903"} <= codes(plan)


def test_a_stop_signal_beside_pre_stop_steps(tmp_path: Path) -> None:
    text = "services: {a: {image: x, stop_signal: SIGQUIT, stop_grace_period: 20s, pre_stop: [{command: [flush]}]}}"
    (container,) = pod(objects_of(tmp_path, text)["Deployment/a"])["containers"]
    assert container["lifecycle"]["preStop"]["exec"]["command"] == ["/bin/sh", "-c", "flush; kill -s QUIT 1; sleep 20"]


def test_stop_signal_as_a_field_by_plan_and_version(tmp_path: Path) -> None:
    text, answers = "services: {a: {image: x, stop_signal: SIGQUIT}}", "project: {stopSignal: field, kubernetesVersion: '1.%d'}"
    spec = pod(objects_of(tmp_path, text, answers % 35)["Deployment/a"])
    assert (spec["containers"][0]["lifecycle"], spec["os"]) == ({"stopSignal": "SIGQUIT"}, {"name": "linux"})
    older = plan_of(tmp_path, text, answers % 32)
    assert older.services["a"].lifecycle.pre_stop is not None and "MIG953" in codes(older)


def test_the_host_name_by_plan_and_version(tmp_path: Path) -> None:
    text = "services: {a: {image: x, hostname: mail.example.com, volumes: ['vol:/data']}}\nvolumes: {vol: }"
    answers = "project: {kubernetesVersion: '1.%d'}\nservices: {a: {hostnameOverride: true}}"
    assert pod(objects_of(tmp_path, text, answers % 35)["StatefulSet/a"])["hostnameOverride"] == "mail.example.com"
    assert "MIG953" in codes(plan_of(tmp_path, text, answers % 33))


def test_processes_are_shared_by_plan(tmp_path: Path) -> None:
    objects = objects_of(tmp_path, "services: {a: {image: x, init: true}}", "services: {a: {shareProcessNamespace: true}}")
    assert pod(objects["Deployment/a"])["shareProcessNamespace"] is True


def test_an_account_by_label_gets_its_token_and_the_right_to_wait(tmp_path: Path) -> None:
    text = """
services:
  job: {image: x, restart: "no"}
  a: {image: x, labels: {kompose.serviceaccount-name: robot}, depends_on: {job: {condition: service_completed_successfully}}}
  b: {image: x, depends_on: {job: {condition: service_completed_successfully}}}
"""
    objects = objects_of(tmp_path, text)
    spec = pod(objects["Deployment/a"])
    assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == ("robot", True)
    assert objects["RoleBinding/a"]["subjects"][0]["name"] == "robot" and "ServiceAccount/a" not in objects
    assert "serviceaccount/robot" in objects["Deployment/a"]["metadata"]["annotations"]["compose-cutover/external"]


def test_update_settings_without_a_place_are_told(tmp_path: Path) -> None:
    text = (
        "services: {a: {image: x, volumes: ['vol:/data'], deploy: {update_config: {parallelism: 2, order: start-first}}}}\nvolumes: {vol: }"
    )
    for answers in ("", "services: {a: {kind: Deployment}}", "services: {a: {kind: DaemonSet}}"):
        paths = {f.path for f in plan_of(tmp_path, text, answers).findings if f.code == "MIG622"}
        assert paths == {f"services.a.deploy.update_config.{k}" for k in ("parallelism", "order")}


def test_an_hpa_label_on_what_cannot_scale_is_told(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "services: {a: {image: x, deploy: {mode: global}, labels: {kompose.hpa.cpu: '50'}}}")
    assert [f.path for f in plan.findings if f.code == "MIG625"] == ["services.a.labels.kompose.hpa.cpu"]
