"""The faults of other converters (peer-converters.md, 4 and 6b), each with the behaviour that is right, under its number and subject."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

import migrate
from migrate import verify
from migrate.findings import Severity, Unusable
from migrate.plan.answers import schema
from migrate.write import tree_of
from tests.migrate.planned import codes, objects_of, plan_of, pod

VOL = "volumes: {vol: }\n"


def converted(folder: Path, text: str, **files: str | bytes) -> migrate.Conversion:
    for name, content in {"compose.yaml": text, **files}.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return migrate.convert(directory=folder)


def container(objects: dict[str, Any], name: str) -> Any:
    """The first container of the workload of a service."""
    return pod(next(o for k, o in objects.items() if k.endswith(f"/{name}") and "template" in o.get("spec", {})))["containers"][0]


# section 4: what users ask for and complain about ---------------------------------------------------------------------------------


def test_row_01_internal_service_without_ports_gets_a_service(tmp_path: Path) -> None:
    objects = objects_of(tmp_path, "services: {web: {image: x, environment: {DB_HOST: db}}, db: {image: 'own/store:1'}}")
    assert objects["Service/db"]["spec"]["clusterIP"] == "None"
    assert objects["Service/db"]["spec"]["publishNotReadyAddresses"] is True


@pytest.mark.parametrize("test", ["curl -f localhost || exit 1", "[CMD-SHELL, 'curl -f localhost || exit 1']"])
def test_row_02_health_check_shell_form(test: str, tmp_path: Path) -> None:
    probed = container(objects_of(tmp_path, f"services: {{web: {{image: x, healthcheck: {{test: {test}}}}}}}"), "web")
    assert probed["readinessProbe"]["exec"]["command"] == ["/bin/sh", "-c", "curl -f localhost || exit 1"]
    assert "livenessProbe" not in probed


def test_row_03_depends_on_conditions_and_init_containers(tmp_path: Path) -> None:
    text = """
services:
  db: {image: x, healthcheck: {test: [CMD, ok]}}
  seed: {image: x, restart: "no"}
  web: {image: x, depends_on: {db: {condition: service_healthy}, seed: {condition: service_completed_successfully}}}
"""
    objects = objects_of(tmp_path, text)
    assert [c["name"] for c in pod(objects["Deployment/web"])["initContainers"]] == ["wait-for-db", "seed"]
    assert "publishNotReadyAddresses" not in objects["Service/db-ready"]["spec"]


def test_row_04_service_port_is_the_target_port(tmp_path: Path) -> None:
    ports = objects_of(tmp_path, "services: {web: {image: x, ports: ['18080:8080']}}")["Service/web"]["spec"]["ports"]
    assert [(p["port"], p["targetPort"]) for p in ports] == [(8080, 8080), (18080, 8080)]


def test_row_05_bind_mounts_by_what_they_are(tmp_path: Path) -> None:
    text = "services: {web: {image: x, volumes: ['./conf:/etc/app:ro', './one.conf:/one.conf:ro', './data:/data', '/srv/media:/media']}}"
    files = {"conf/sub/a.conf": "a", "conf/b.conf": "b", "one.conf": "1"}
    objects = objects_of(tmp_path, text, "services: {web: {kind: Deployment}}", files)
    kinds = {v["name"]: next(k for k in v if k != "name") for v in pod(objects["Deployment/web"])["volumes"]}
    assert kinds == {
        "files-conf": "configMap", "files-one-conf": "configMap", "data-data": "persistentVolumeClaim",
        "data-srv-media": "persistentVolumeClaim",
    }  # fmt: skip
    items = pod(objects["Deployment/web"])["volumes"][0]["configMap"]["items"]
    assert {i["path"] for i in items} == {"sub/a.conf", "b.conf"}


def test_row_06_secrets_are_mounted_as_files_of_one_directory(tmp_path: Path) -> None:
    text = "services: {web: {image: x, secrets: [one, Two]}}\nsecrets: {one: {file: ./1}, Two: {file: ./2}}\n"
    objects = objects_of(tmp_path, text, files={"1": "a", "2": "b"})
    (mount,) = container(objects, "web")["volumeMounts"]
    assert (mount["mountPath"], mount.get("subPath")) == ("/run/secrets", None)
    (volume,) = pod(objects["Deployment/web"])["volumes"]
    assert [i["path"] for s in volume["projected"]["sources"] for i in s["secret"]["items"]] == ["one", "Two"]


def test_row_07_environment_wins_over_env_file(tmp_path: Path) -> None:
    text = "services: {web: {image: x, env_file: [a.env], environment: {MODE: inline}}}"
    objects = objects_of(tmp_path, text, files={"a.env": "MODE=file\nOTHER=1\n"})
    assert container(objects, "web")["env"] == [{"name": "MODE", "value": "inline"}]
    assert objects["ConfigMap/web-env"]["data"] == {"OTHER": "1"}


def test_row_08_dollar_signs_of_a_command_reach_the_program(tmp_path: Path) -> None:
    text = "services: {web: {image: x, command: [sh, -c, 'echo $$HOME $${FOO_BAR} $$FOO_BAR $$(date) $$$$']}}"
    assert container(objects_of(tmp_path, text), "web")["args"][2] == "echo $HOME ${FOO_BAR} $FOO_BAR $$(date) $$$"


def test_row_09_names_with_underscores_and_case_and_their_references(tmp_path: Path) -> None:
    text = "services: {Auth_API: {image: x, expose: ['80']}, web: {image: x, environment: {API_URL: 'http://Auth_API:80/x'}}}"
    objects = objects_of(tmp_path, text)
    assert {"Service/auth-api", "Deployment/auth-api"} <= set(objects)
    assert container(objects, "web")["env"] == [{"name": "API_URL", "value": "http://auth-api:80/x"}]


def test_row_10_unsupported_keys_are_reported_with_key_and_line(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "services:\n  web:\n    image: x\n    oom_score_adj: 5\n")
    finding = next(f for f in plan.findings if f.code == "MIG712")
    assert finding.span is not None
    assert (finding.path, finding.span.line, finding.action.value) == ("services.web.oom_score_adj", 4, "dropped")


def test_row_11_pvc_size_class_and_sharing(tmp_path: Path) -> None:
    text = """
services:
  a: {image: x, volumes: ["My_Data:/data"], labels: {kompose.volume.storage-class-name: fast}}
  b: {image: x, volumes: ["My_Data:/data"]}
volumes: {My_Data: {labels: {kompose.volume.size: 3Gi}}}
"""
    objects = objects_of(tmp_path, text)
    claim = objects["PersistentVolumeClaim/my-data"]["spec"]
    assert (claim["resources"]["requests"]["storage"], claim["storageClassName"]) == ("3Gi", "fast")
    affinity = pod(objects["Deployment/b"])["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert affinity[0]["labelSelector"]["matchLabels"] == {"compose-cutover/volume-my-data": "member"}


def test_row_12_stateful_set_for_databases(tmp_path: Path) -> None:
    objects = objects_of(tmp_path, f"services: {{db: {{image: 'postgres:16', volumes: ['vol:/var/lib/postgresql/data']}}}}\n{VOL}")
    found = objects["StatefulSet/db"]["spec"]
    assert [t["metadata"]["name"] for t in found["volumeClaimTemplates"]] == ["vol"]
    assert "volumes" not in found["template"]["spec"] and "PersistentVolumeClaim/vol" not in objects


RESTART = {
    "no": ("restart: 'no'", "Job/a", "Never", 0),
    "on-failure": ("restart: on-failure:5", "Job/a", "OnFailure", 5),
    "policy none": ("deploy: {restart_policy: {condition: none}}", "Job/a", "Never", 0),
    "no of a server": ("restart: 'no', ports: ['80:80']", "Deployment/a", None, None),
    "unless-stopped": ("restart: unless-stopped", "Deployment/a", None, None),
}


@pytest.mark.parametrize("case", RESTART)
def test_row_13_restart_policy_fits_the_kind(case: str, tmp_path: Path) -> None:
    keys, kind, policy, limit = RESTART[case]
    found = objects_of(tmp_path, f"services: {{a: {{image: x, {keys}}}}}")[kind]
    assert (pod(found).get("restartPolicy"), found["spec"].get("backoffLimit")) == (policy, limit)


def test_row_14_extra_hosts_become_host_aliases(tmp_path: Path) -> None:
    objects = objects_of(tmp_path, "services: {web: {image: x, extra_hosts: ['Router:192.0.2.1', 'other:192.0.2.1']}}")
    assert pod(objects["Deployment/web"])["hostAliases"] == [{"ip": "192.0.2.1", "hostnames": ["router", "other"]}]


def test_row_15_binary_config_map_is_encoded_once(tmp_path: Path) -> None:
    data = bytes(range(256))
    objects = objects_of(tmp_path, "services: {web: {image: x, volumes: ['./b.conf:/b.conf:ro']}}", files={"b.conf": data})
    assert base64.b64decode(objects["ConfigMap/files-b-conf"]["binaryData"]["b.conf"]) == data


def test_row_16_network_aliases_and_link_alias_are_services(tmp_path: Path) -> None:
    text = (
        "services: {db: {image: x, expose: ['1'], networks: {n: {aliases: [store]}}}, web: {image: x, networks: [n], links: ['db:data']}}"
    )
    objects = objects_of(tmp_path, text + "\nnetworks: {n: }")
    assert objects["Service/store"]["spec"] == objects["Service/data"]["spec"] == objects["Service/db"]["spec"]


def test_row_17_networkpolicy_does_not_block_what_is_published(tmp_path: Path) -> None:
    objects = objects_of(tmp_path, "services: {web: {image: x, ports: ['80:80']}}")
    assert objects["NetworkPolicy/web-published"]["spec"]["ingress"] == [{"ports": [{"port": 80, "protocol": "TCP"}]}]
    assert not [k for k in objects_of(tmp_path, "services: {web: {image: x}}", "project: {networkPolicies: none}") if "Policy" in k]


def test_row_18_labels_become_annotations_and_are_told(tmp_path: Path) -> None:
    text = "services: {web: {image: x, labels: {team: a b}, deploy: {labels: {tier: '1'}}}}"
    found = objects_of(tmp_path, text)["Deployment/web"]
    assert found["metadata"]["annotations"].items() >= {"team": "a b", "tier": "1"}.items()
    assert found["spec"]["template"]["metadata"]["annotations"] == {"team": "a b"}
    assert "MIG910" in codes(plan_of(tmp_path, text))


def test_row_19_env_collision_with_service_links(tmp_path: Path) -> None:
    objects = objects_of(tmp_path, "services: {db: {image: x, expose: ['1']}, web: {image: x}}")
    assert all(pod(objects[f"Deployment/{n}"])["enableServiceLinks"] is False for n in ("db", "web"))


def test_row_20_hpa_leaves_the_replicas_alone(tmp_path: Path) -> None:
    text = "services: {web: {image: x, cpus: 1, labels: {kompose.hpa.cpu: '60', kompose.hpa.replicas.max: '5'}}}"
    objects = objects_of(tmp_path, text)
    assert "replicas" not in objects["Deployment/web"]["spec"]
    assert objects["HorizontalPodAutoscaler/web"]["spec"]["scaleTargetRef"]["kind"] == "Deployment"
    assert "MIG624" in codes(plan_of(tmp_path, text))


def test_row_21_network_mode_service_and_host(tmp_path: Path) -> None:
    text = "services: {vpn: {image: x}, app: {image: y, network_mode: 'service:vpn', volumes: [/a]}, h: {image: z, network_mode: host}}"
    objects = objects_of(tmp_path, text)
    spec = pod(objects["Deployment/vpn"])
    assert [c["name"] for c in spec["containers"]] == ["vpn", "app"]
    assert {v["name"] for v in spec["volumes"]} == {m["name"] for c in spec["containers"] for m in c.get("volumeMounts", ())}
    assert (pod(objects["Deployment/h"])["hostNetwork"], pod(objects["Deployment/h"])["dnsPolicy"]) == (True, "ClusterFirstWithHostNet")


UPDATES = {
    "start-first": ("update_config: {order: start-first, parallelism: 2}", {"maxSurge": 2, "maxUnavailable": 0}),
    "without order": ("update_config: {parallelism: 2}", {"maxSurge": 0, "maxUnavailable": 2}),
    "all at once": ("update_config: {order: start-first, parallelism: 0}", {"maxSurge": "100%", "maxUnavailable": 0}),
}


@pytest.mark.parametrize("case", UPDATES)
def test_row_22_recreate_and_rolling_updates_are_valid(case: str, tmp_path: Path) -> None:
    said, limits = UPDATES[case]
    objects = objects_of(tmp_path, f"services: {{web: {{image: x, deploy: {{{said}}}}}}}")
    assert objects["Deployment/web"]["spec"]["strategy"] == {"type": "RollingUpdate", "rollingUpdate": limits}
    text = f"services: {{web: {{image: x, volumes: ['vol:/data'], deploy: {{{said}}}}}}}\n{VOL}"
    assert objects_of(tmp_path, text, "services: {web: {kind: Deployment}}")["Deployment/web"]["spec"]["strategy"] == {"type": "Recreate"}


def test_row_23_multi_file_merge_profiles_and_the_modern_specification(tmp_path: Path) -> None:
    override = "services: {web: {environment: {B: '2'}, ports: !override ['9:9']}, debug: {image: x, profiles: [debug]}}\n"
    more = "services: {part: {image: z}}\n"
    text = "include: [more.yaml]\nservices: {web: {image: x, environment: {A: '1'}, ports: ['8:8']}}\n"
    made = converted(tmp_path, text, **{"compose.override.yaml": override, "more.yaml": more})
    names = {m["metadata"]["name"] for m in made.manifests if m["kind"] == "Deployment"}
    assert names == {"web", "part"}
    (web,) = (m for m in made.manifests if m["kind"] == "Deployment" and m["metadata"]["name"] == "web")
    assert [(e["name"], e["value"]) for e in web["spec"]["template"]["spec"]["containers"][0]["env"]] == [("A", "1"), ("B", "2")]
    assert web["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"] == 9


@pytest.mark.parametrize("text", ["a: 1\nstatus:\n  ok: true\nkind: Other\nlast: 1\n", "one\r\ntwo\r\n", "no newline at the end", ""])
def test_row_24_output_is_not_cut_at_status(text: str, tmp_path: Path) -> None:
    objects = objects_of(tmp_path, "services: {web: {image: x, volumes: ['./a.yaml:/a.yaml:ro']}}", files={"a.yaml": text.encode()})
    found = objects["ConfigMap/files-a-yaml"]
    assert (found["kind"], found["data"]["a.yaml"]) == ("ConfigMap", text)


def test_row_25_env_file_names_do_not_clash_and_the_last_file_wins(tmp_path: Path) -> None:
    text = "services: {one: {image: x, env_file: [s1/.env, s1/_env]}, two: {image: x, env_file: [s1/_env]}}"
    objects = objects_of(tmp_path, text, files={"s1/.env": "A=1\nB=1\n", "s1/_env": "B=2\n"})
    assert objects["ConfigMap/one-env"]["data"] == {"A": "1", "B": "2"}
    assert objects["ConfigMap/two-env"]["data"] == {"B": "2"}


def test_row_26_ingress_path_ports_and_class(tmp_path: Path) -> None:
    text = """
services:
  web:
    image: x
    ports: ["8080:80"]
    labels: {kompose.service.expose: "a.example/x,b.example", kompose.service.expose.ingress-class-name: nginx}
"""
    spec = objects_of(tmp_path, text)["Ingress/web"]["spec"]
    paths = [(r["host"], p["path"], p["backend"]["service"]["port"]["number"]) for r in spec["rules"] for p in r["http"]["paths"]]
    assert (spec["ingressClassName"], paths) == ("nginx", [("a.example", "/x", 80), ("b.example", "/", 80)])


def test_row_27_hostport_only_where_it_is_asked_for(tmp_path: Path) -> None:
    text = "services: {web: {image: x, ports: ['8080:80']%s}}"
    assert "hostPort" not in container(objects_of(tmp_path, text % ""), "web")["ports"][0]
    asked = text % ", labels: {kompose.controller.port.expose: 'true'}"
    assert container(objects_of(tmp_path, asked), "web")["ports"][0]["hostPort"] == 8080


def test_row_28_helm_has_real_values(tmp_path: Path) -> None:
    made = converted(tmp_path, "services: {web: {image: 'x:1', ports: ['80:80'], scale: 2}}")
    files = {str(path): file.text for path, file in tree_of(made.manifests, "helm").files.items()}
    values = next(text for path, text in files.items() if path.endswith("values.yaml"))
    assert all(word in values for word in ("web:", "image", "replicas: 2", "resources"))
    assert any(path.endswith("values.schema.json") for path in files)


def test_row_29_docs_are_what_the_code_says(repository: Path) -> None:
    assert json.loads((repository / "docs" / "plan.schema.json").read_text()) == schema()


def test_row_30_bridge_quotes_restart_secrets_and_aliases(tmp_path: Path) -> None:
    text = """
services:
  redis:
    image: "redis:7"
    command: [redis-server, --appendonly, "yes"]
    restart: unless-stopped
    healthcheck: {test: [CMD, sh, -c, "test \\"a, b\\" = 'x'"]}
    environment: {REDIS_PASSWORD: hush}
    networks: {default: {aliases: [cache]}}
"""
    made = converted(tmp_path, text)
    written = "".join(file.text for file in tree_of(made.manifests, "plain").files.values())
    assert re.search(r"- [\"']yes[\"']", written) and "unless-stopped" not in written.replace("restart", "")
    objects = {f"{m['kind']}/{m['metadata']['name']}": m for m in made.manifests}
    found = container(objects, "redis")
    assert found["readinessProbe"]["exec"]["command"] == ["sh", "-c", "test \"a, b\" = 'x'"]
    assert found["env"][0]["valueFrom"]["secretKeyRef"]["name"] == "redis-env"
    assert "Service/cache" in objects


def test_row_31_move2kube_env_ports_replicas_and_panics(tmp_path: Path) -> None:
    made = converted(
        tmp_path,
        "services: {db: {image: 'mysql:${TAG}', ports: ['80'], pid: host, profiles: []}}\n",
        **{".env": "TAG=8\n"},
    )
    (db,) = (m for m in made.manifests if m["kind"] in ("Deployment", "StatefulSet"))
    assert (db["spec"]["replicas"], db["spec"]["template"]["spec"]["containers"][0]["image"]) == (1, "mysql:8")
    assert db["spec"]["template"]["spec"]["hostPID"] is True
    (service,) = (m for m in made.manifests if m["kind"] == "Service")
    assert {p["port"] for p in service["spec"]["ports"]} == {80, 3306}


def test_row_32_gpu_devices_and_shm(tmp_path: Path) -> None:
    text = "services: {web: {image: x, gpus: all, devices: [/dev/fuse], shm_size: 64m}}"
    found = container(objects_of(tmp_path, text), "web")
    assert found["resources"]["limits"] == {"nvidia.com/gpu": "1"}
    assert {m["mountPath"] for m in found["volumeMounts"]} == {"/dev/fuse", "/dev/shm"}
    assert {"MIG707", "MIG805", "MIG711"} <= codes(plan_of(tmp_path, text))


# section 6b: silently wrong, all with exit status 0 and no warning ------------------------------------------------------------------


NET = "networks: {n: {ipam: {config: [{subnet: 172.28.0.0/24}]}}}\n"


def test_silent_01_static_ips_are_no_dead_strings(tmp_path: Path) -> None:
    text = f"""
services:
  db: {{image: x, expose: ["1"], networks: {{n: {{ipv4_address: 172.28.0.10}}}}}}
  web: {{image: x, environment: {{DB_URL: "x://172.28.0.10:1"}}, networks: {{n: {{ipv4_address: 172.28.0.11}}}}}}
{NET}"""
    assert container(objects_of(tmp_path, text), "web")["env"][0]["value"] == "x://db:1"
    assert "MIG245" in codes(plan_of(tmp_path, text.replace("172.28.0.11", "172.28.0.10")))
    for wrong in ("10.9.9.9", "172.28.0.300"):
        assert {"MIG053", "MIG029"} & codes(plan_of(tmp_path, text.replace("172.28.0.11", wrong)))


def test_silent_02_shell_and_cmd_health_checks_can_pass(tmp_path: Path) -> None:
    check = "[CMD, curl, -f, 'http://x/?a=1,2']"
    text = f"services: {{a: {{image: x, healthcheck: {{test: 'x || exit 1'}}}}, b: {{image: x, healthcheck: {{test: {check}}}}}}}"
    objects = objects_of(tmp_path, text)
    assert container(objects, "a")["readinessProbe"]["exec"]["command"] == ["/bin/sh", "-c", "x || exit 1"]
    assert container(objects, "b")["readinessProbe"]["exec"]["command"] == ["curl", "-f", "http://x/?a=1,2"]


def test_silent_03_service_port_name_and_vip(tmp_path: Path) -> None:
    text = "services: {web: {image: x, ports: ['18080:8080'], deploy: {endpoint_mode: vip}, labels: {kompose.service.type: loadbalancer}}}"
    objects = objects_of(tmp_path, text)
    assert objects["Service/web"]["spec"].get("type") is None
    assert objects["Service/web"]["spec"]["ports"][0]["port"] == 8080
    assert objects["Service/web-published"]["spec"]["type"] == "LoadBalancer"


def test_silent_04_env_values_and_dollars_are_kept(tmp_path: Path) -> None:
    text = "services: {web: {image: x, env_file: [a.env], environment: {F: /run/secrets/My_File, D: '$$(x) $$y'}}}"
    objects = objects_of(tmp_path, text, files={"a.env": "F=/other\n"})
    assert {e["name"]: e["value"] for e in container(objects, "web")["env"]} == {"F": "/run/secrets/My_File", "D": "$$(x) $y"}


def test_silent_05_secrets_keep_their_place_and_case(tmp_path: Path) -> None:
    text = "services: {web: {image: x, secrets: [s1, {source: s2, target: /etc/S2.pem}]}}\nsecrets: {s1: {file: ./1}, s2: {file: ./1}}\n"
    mounts = {m["mountPath"]: m.get("subPath") for m in container(objects_of(tmp_path, text, files={"1": "x"}), "web")["volumeMounts"]}
    assert mounts == {"/run/secrets": None, "/etc/S2.pem": "S2.pem"}


def test_silent_06_configmap_and_binary_files_keep_every_byte(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"conf/a/first.conf": "status:\r\nkind: x\r\n", "conf/z.bin": b"\x00\xff"}
    objects = objects_of(tmp_path, "services: {web: {image: x, volumes: ['./conf:/etc/app:ro']}}", files=files)
    found = objects["ConfigMap/files-conf"]
    assert found["data"] == {"a__first.conf": "status:\r\nkind: x\r\n"}
    assert found["binaryData"] == {"z.bin": base64.b64encode(b"\x00\xff").decode()}


def test_silent_07_replicas_scale_and_configs(tmp_path: Path) -> None:
    text = """
services:
  none: {image: x, deploy: {replicas: 0}}
  three: {image: x, scale: 3}
  everywhere: {image: x, deploy: {mode: global}, configs: [c]}
  nightly: {image: x, configs: [c], labels: {kompose.cronjob.schedule: "@daily"}}
  once: {image: x, configs: [c], restart: "no"}
configs: {c: {content: x}}
"""
    objects = objects_of(tmp_path, text)
    assert [objects[f"Deployment/{n}"]["spec"]["replicas"] for n in ("none", "three")] == [0, 3]
    nightly = objects["CronJob/nightly"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    for spec in (pod(objects["DaemonSet/everywhere"]), nightly, pod(objects["Job/once"])):
        assert spec["volumes"][0]["configMap"]["name"] == "c"


def test_silent_08_invalid_output_is_not_written(tmp_path: Path) -> None:
    text = """
services:
  a_b: {image: x, ports: ["80:80"], expose: ["80"], container_name: my.name, hostname: host.corp.local}
  range: {image: x, expose: ["7000-7002"], ports: ["1:1", "1:2"]}
  update: {image: x, volumes: ["vol:/data"], deploy: {restart_policy: {condition: none}, update_config: {parallelism: 0}}}
  twice: {image: x, configs: [c, {source: c, target: /other}], ports: ["80:80"]}
configs: {c: {content: x}}
volumes: {vol: }
"""
    (tmp_path / "compose.yaml").write_text(text)
    for version in ("1.25", "1.30", "1.37"):
        made = migrate.convert(directory=tmp_path, kubernetes_version=version)
        assert [f for f in verify.check(made.manifests, kubernetes_version=version) if f.severity is Severity.ERROR] == []
    ports = [p["port"] for m in made.manifests if m["kind"] == "Service" and m["metadata"]["name"] == "range" for p in m["spec"]["ports"]]
    assert len(ports) == len(set(ports)) and {7000, 7001, 7002} <= set(ports)


@pytest.mark.parametrize("kind", ["replicationcontroller", "nonsense"])
def test_silent_09_unknown_controller_type_still_gives_a_workload(kind: str, tmp_path: Path) -> None:
    text = f"services: {{web: {{image: x, labels: {{kompose.controller.type: {kind}}}}}}}"
    assert "Deployment/web" in objects_of(tmp_path, text)
    assert "MIG111" in codes(plan_of(tmp_path, text))


VANISHED = {
    "network_mode": "network_mode: host", "devices": "devices: [/dev/x]", "sysctls": "sysctls: {net.core.somaxconn: '1'}",
    "ulimits": "ulimits: {nofile: 1}", "dns": "dns: [1.1.1.1]", "extra_hosts": "extra_hosts: ['a:192.0.2.1']",
    "security_opt": "security_opt: ['odd:x']", "shm_size": "shm_size: 1m", "pid": "pid: host", "ipc": "ipc: host",
    "logging": "logging: {driver: x}", "depends_on": "depends_on: [other]", "gpu": "gpus: all",
}  # fmt: skip


@pytest.mark.parametrize("key", VANISHED)
def test_silent_10_host_access_dns_order_and_gpu_do_not_vanish(key: str, tmp_path: Path) -> None:
    text = "services: {web: {image: x%s}, other: {image: x}}"
    with_key, without = plan_of(tmp_path, text % f", {VANISHED[key]}"), plan_of(tmp_path, text % "")
    assert codes(with_key) - codes(without)


def test_silent_11_external_nfs_tmpfs_and_shared_volumes_stay_what_they_are(tmp_path: Path) -> None:
    text = """
services:
  a: {image: x, volumes: ["out:/out", "share:/share", "both:/both", {type: tmpfs, target: /tmp}]}
  b: {image: 'mysql:8', volumes: ["both:/both"]}
volumes: {out: {external: true}, share: {driver_opts: {type: nfs, o: "addr=192.0.2.1", device: ":/x"}}, both: }
"""
    objects = objects_of(tmp_path, text)
    sources = {v["name"]: v for v in pod(objects["Deployment/a"])["volumes"]}
    assert "PersistentVolumeClaim/out" not in objects and sources["out"]["persistentVolumeClaim"]["claimName"] == "out"
    assert next(o for k, o in objects.items() if k.startswith("PersistentVolume/"))["spec"]["nfs"] == {"server": "192.0.2.1", "path": "/x"}
    assert sources["tmpfs-tmp"]["emptyDir"] == {"medium": "Memory"}
    shared = {v["name"]: v for v in pod(objects["Deployment/b"])["volumes"]}
    assert shared["both"] == sources["both"] and objects["Deployment/b"]["spec"]["replicas"] == 1


def test_silent_12_group_members_keep_their_own_limits_and_mounts(tmp_path: Path) -> None:
    text = """
services:
  a: {image: x, mem_limit: 10m, volumes: ["/a"], labels: {kompose.service.group: g}}
  b: {image: y, mem_limit: 20m, volumes: ["/b"], labels: {kompose.service.group: g}}
"""
    first, second = pod(objects_of(tmp_path, text)["Deployment/a"])["containers"]
    assert [c["resources"]["limits"]["memory"] for c in (first, second)] == ["10Mi", "20Mi"]
    assert [[m["mountPath"] for m in c["volumeMounts"]] for c in (first, second)] == [["/a"], ["/b"]]


def test_silent_13_passwords_are_in_secrets(tmp_path: Path) -> None:
    text = "services: {web: {image: x, env_file: [a.env], environment: {DB_PASSWORD: one, URL: 'x://u:two@h/'}}}"
    objects = objects_of(tmp_path, text, files={"a.env": "API_KEY=three\nMODE=x\n"})
    assert objects["Secret/web-env"]["stringData"] == {"DB_PASSWORD": "one", "URL": "x://u:two@h/", "API_KEY": "three"}
    rest = json.dumps([o for k, o in objects.items() if not k.startswith("Secret/")])
    assert not any(f'"{v}"' in rest or "two@" in rest for v in ("one", "three"))


def test_silent_14_hpa_without_requests_is_told(tmp_path: Path) -> None:
    text = "services: {web: {image: x, labels: {kompose.hpa.cpu: '50'}, deploy: {replicas: 4}}}"
    plan = plan_of(tmp_path, text)
    assert "MIG624" in codes(plan)
    assert plan.services["web"].replicas is None


def test_no_input_of_the_peers_tables_ends_in_a_traceback(tmp_path: Path) -> None:
    for text in (
        "services: {a: {image: x, healthcheck: {interval: 5s}}}",
        "services: {a: {}}",
        "web: {image: x}",
        "services: {a: {image: x, ports: ['99999:1']}}",
    ):
        try:
            plan_of(tmp_path, text)
        except Unusable as error:
            assert error.findings


def subjects(text: str) -> tuple[dict[int, str], dict[int, str]]:
    """Rows of section 4 and items of section 6b by number."""
    issues, silent = text.split("## 4. ")[1].split("## 6. ")[0], text.split("### 6b.")[1].split("\n---")[0]
    rows = {int(n): theme for n, theme in re.findall(r"^\| (\d+) \| ([^|]+) \|", issues, re.MULTILINE)}
    items = {int(n): item for n, item in re.findall(r"^(\d+)\. (.+)$", silent, re.MULTILINE)}
    return rows, items


def test_every_fault_of_the_peers_has_its_test(shared: Path) -> None:
    rows, items = subjects((shared / "specs" / "peer-converters.md").read_text())
    assert (len(rows), len(items)) == (32, 14)
    names = {m[0]: name for name in globals() if (m := re.match(r"test_(row|silent)_\d\d", name))}
    for prefix, numbered in (("row", rows), ("silent", items)):
        for number, subject in numbered.items():
            words = set(re.findall(r"[a-z0-9]+", subject.lower()))
            name = names[f"test_{prefix}_{number:02d}"]
            assert words & set(name.split("_")[3:]), (name, subject)
