"""Environment E1 to E4, `$`, commands, configs, secrets, mounted files (2.7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrate.plan.escaping import escaped, expanded
from migrate.plan.settings import looks_secret
from tests.migrate.planned import codes, objects_of, plan_of, pod


def container(objects: dict, workload: str = "Deployment/a") -> dict:
    return pod(objects[workload])["containers"][0]


def test_e1_a_variable_without_a_value_is_left_out(tmp_path: Path) -> None:
    text = "services: {a: {image: x, environment: [UNSET, SET=1]}}"
    assert container(objects_of(tmp_path, text))["env"] == [{"name": "SET", "value": "1"}]
    finding = next(f for f in plan_of(tmp_path, text).findings if f.code == "MIG405")
    assert finding.path == "services.a.environment.UNSET"


def test_e2_secrets_stand_in_a_secret_only(tmp_path: Path) -> None:
    text = "services: {a: {image: x, environment: {DB_PASSWORD: s3cr3t, URL: 'redis://:pw@h:1/', MODE: x}}}"
    objects = objects_of(tmp_path, text)
    assert objects["Secret/a-env"]["stringData"] == {"DB_PASSWORD": "s3cr3t", "URL": "redis://:pw@h:1/"}
    assert container(objects)["env"][0] == {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "a-env", "key": "DB_PASSWORD"}}}
    assert "s3cr3t" not in str({k: o for k, o in objects.items() if not k.startswith("Secret/")})
    assert not [f for f in plan_of(tmp_path, text).findings if "s3cr3t" in f.message]


def test_e2_by_reference_or_plain_by_plan(tmp_path: Path) -> None:
    text = "services: {a: {image: x, environment: {API_KEY: k}}}"
    outside = objects_of(tmp_path, text, "project: {secrets: external}")
    assert "Secret/a-env" not in outside
    assert outside["Deployment/a"]["metadata"]["annotations"]["compose-cutover/external"] == "secret/a-env"
    assert container(objects_of(tmp_path, text, "services: {a: {plain: [API_KEY]}}"))["env"] == [{"name": "API_KEY", "value": "k"}]


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("DB_PASSWORD", True),
        ("TOKEN", True),
        ("BYPASS", False),
        ("COMPASS", False),
        ("PASSWORD_FILE", False),
        ("PWD", False),
        ("SORT_KEY", False),
    ],
)
def test_secret_names(name: str, secret: bool) -> None:
    assert looks_secret(name, "value") is secret
    assert not looks_secret("DB_PASSWORD", "")


def test_e3_env_files_become_a_config_map_that_environment_overrides(tmp_path: Path) -> None:
    text = "services: {a: {image: x, env_file: a.env, environment: {B: inline}}}"
    objects = objects_of(tmp_path, text, files={"a.env": "A=1\nB=2\nC=$HOME_DIR\n"})
    assert objects["ConfigMap/a-env"]["data"]["A"] == "1"
    assert "B" not in objects["ConfigMap/a-env"]["data"]
    assert container(objects)["envFrom"] == [{"configMapRef": {"name": "a-env"}}]
    assert container(objects)["env"] == [{"name": "B", "value": "inline"}]


def test_a_rewritten_env_file_variable_is_literal_for_its_service(tmp_path: Path) -> None:
    text = """
services:
  a: {image: x, env_file: all.env, networks: {n: {ipv4_address: 10.1.0.2}}}
  b: {image: y, env_file: all.env, networks: {n: {ipv4_address: 10.1.0.3}}}
networks: {n: {ipam: {config: [{subnet: 10.1.0.0/24}]}}}
"""
    objects = objects_of(tmp_path, text, files={"all.env": "A_IP=10.1.0.2\nMODE=x\n"})
    assert {"name": "A_IP", "value": "$(POD_IP)"} in container(objects)["env"]
    assert {"name": "A_IP", "value": "a"} in container(objects, "Deployment/b")["env"]
    assert container(objects)["env"][0]["name"] == "POD_IP"


@pytest.mark.parametrize("text", ["$HOME", "${X}", "$(date)", "$$", "$$(X)", "a$", "$$$", "$($(A))", "no"])
def test_dollar_round_trip(text: str) -> None:
    assert expanded(escaped(text)) == text


def test_dollars_of_compose_survive_the_kubelet(tmp_path: Path) -> None:
    text = 'services: {a: {image: x, command: ["sh", "-c", "echo $$(date) $$HOME"], environment: {V: "$$(x)"}}}'
    found = container(objects_of(tmp_path, text))
    assert [expanded(w) for w in found["args"]] == ["sh", "-c", "echo $(date) $HOME"]
    assert expanded(found["env"][0]["value"]) == "$(x)"


def test_entrypoint_and_command(tmp_path: Path) -> None:
    found = container(
        objects_of(tmp_path, "services: {a: {image: x, entrypoint: ['/e'], command: [], working_dir: /w, tty: true, stdin_open: true}}")
    )
    assert (found["command"], found["args"], found["workingDir"], found["tty"], found["stdin"]) == (["/e"], [], "/w", True, True)


def test_one_config_map_for_one_file_of_two_services(tmp_path: Path) -> None:
    text = "services: {a: {image: x, volumes: ['./c.conf:/c.conf:ro']}, b: {image: y, volumes: ['./c.conf:/d/e.conf:ro']}}"
    objects = objects_of(tmp_path, text, files={"c.conf": "x\r\n\r\ny"})
    assert objects["ConfigMap/files-c-conf"]["data"] == {"c.conf": "x\r\n\r\ny"}
    assert [k for k in objects if k.startswith("ConfigMap/")] == ["ConfigMap/files-c-conf"]
    assert container(objects, "Deployment/b")["volumeMounts"] == [
        {"name": "files-c-conf", "mountPath": "/d/e.conf", "subPath": "e.conf", "readOnly": True}
    ]


def test_a_directory_keeps_its_tree_modes_and_bytes(tmp_path: Path) -> None:
    files = {"conf/a/run.sh": "#!/bin/sh\n", "conf/b.bin": b"\x00\xff", "conf/c.txt": "t"}
    text = "services: {a: {image: x, volumes: ['./conf:/etc/app:ro']}}"
    objects = objects_of(tmp_path, text, files=files)
    made = objects["ConfigMap/files-conf"]
    assert (made["data"]["a__run.sh"], made["binaryData"]["b.bin"]) == ("#!/bin/sh\n", "AP8=")
    (volume,) = pod(objects["Deployment/a"])["volumes"]
    assert {"key": "a__run.sh", "path": "a/run.sh", "mode": 0o755} in volume["configMap"]["items"]


def test_private_files_are_secrets(tmp_path: Path) -> None:
    text = "services: {a: {image: x, volumes: ['./tls.key:/tls.key:ro']}}"
    objects = objects_of(tmp_path, text, files={"tls.key": "k"})
    assert "Secret/files-tls-key" in objects
    assert pod(objects["Deployment/a"])["volumes"][0]["secret"]["secretName"] == "files-tls-key"


def test_a_file_that_is_written_is_copied(tmp_path: Path) -> None:
    text = "services: {a: {image: x, command: [sh, -c, 'sed -i s/a/b/ /c.conf'], volumes: ['./c.conf:/c.conf']}}"
    plan = plan_of(tmp_path, text, files={"c.conf": "a"})
    assert "MIG417" in codes(plan)
    objects = objects_of(tmp_path, text)
    assert container(objects)["volumeMounts"][0]["subPath"] == "c.conf"
    (init,) = pod(objects["Deployment/a"])["initContainers"]
    assert init["securityContext"]["runAsNonRoot"] is True


def test_a_changed_file_rolls_the_pods(tmp_path: Path) -> None:
    text = "services: {a: {image: x, volumes: ['./c.conf:/c.conf:ro']}}"
    digests = {
        objects_of(tmp_path, text, files={"c.conf": content})["Deployment/a"]["spec"]["template"]["metadata"]["annotations"][
            "compose-cutover/checksum"
        ]
        for content in ("1", "2")
    }
    assert len(digests) == 2


def test_a7_a_literal_file_is_rendered_at_pod_start(tmp_path: Path) -> None:
    text = """
services:
  web: {image: x, expose: ["80"], networks: {n: {ipv4_address: 10.1.0.2}}}
  dns: {image: dnsmasq, volumes: ["./dnsmasq.conf:/etc/dnsmasq.conf:ro"], networks: {n: {ipv4_address: 10.1.0.3}}}
networks: {n: {ipam: {config: [{subnet: 10.1.0.0/24}]}}}
"""
    objects = objects_of(tmp_path, text, files={"dnsmasq.conf": "address=/web.example/10.1.0.2\n"})
    assert objects["ConfigMap/files-dnsmasq-conf"]["data"]["dnsmasq.conf"] == "address=/web.example/@@ADDR:web@@\n"
    (init,) = pod(objects["Deployment/dns"])["initContainers"]
    script = expanded(init["command"][2])
    assert "until a=$(getent hosts web)" in script
    mount = container(objects, "Deployment/dns")["volumeMounts"][0]
    assert mount["name"].startswith("rendered-") and mount["subPath"] == "dnsmasq.conf"
    assert objects["Service/web"]["spec"].get("clusterIP") != "None"


def test_configs_and_external_ones(tmp_path: Path) -> None:
    text = """
services: {a: {image: x, configs: [inline, {source: outside, target: /etc/o.conf, mode: 0440}]}}
configs: {inline: {content: "k=v"}, outside: {external: true, name: shared.conf}}
"""
    objects = objects_of(tmp_path, text)
    assert objects["ConfigMap/inline"]["data"] == {"inline": "k=v"}
    volumes = {v["name"]: v["configMap"] for v in pod(objects["Deployment/a"])["volumes"]}
    assert volumes["config-shared-conf"]["items"] == [{"key": "shared.conf", "path": "o.conf", "mode": 288}]
    assert objects["Deployment/a"]["metadata"]["annotations"]["compose-cutover/external"] == "configmap/shared-conf"


def test_secret_files_beside_an_api_token_are_mounted_one_by_one(tmp_path: Path) -> None:
    text = """
services:
  job: {image: x, restart: "no"}
  a: {image: x, secrets: [s], deploy: {replicas: 2}, depends_on: {job: {condition: service_completed_successfully}}}
secrets: {s: {file: s.txt}}
"""
    mounts = container(objects_of(tmp_path, text, files={"s.txt": "v"}))["volumeMounts"]
    assert mounts == [{"name": "secrets", "mountPath": "/run/secrets/s", "subPath": "s", "readOnly": True}]


@pytest.mark.parametrize(
    ("secret", "code"),
    [("{file: gone.txt}", "MIG416"), ("{environment: NOWHERE}", "MIG422"), ("{external: true}", "MIG421")],
)
def test_secrets_without_a_value(secret: str, code: str, tmp_path: Path) -> None:
    assert code in codes(plan_of(tmp_path, f"services: {{a: {{image: x, secrets: [s]}}}}\nsecrets: {{s: {secret}}}"))


def test_n2_two_configs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    text = """
services:
  a: {image: x, configs: [{source: my_conf, target: /etc/a/app.conf}, {source: my-conf, target: /etc/b/app.conf}]}
configs: {my_conf: {content: one}, my-conf: {content: two}}
"""
    objects = objects_of(tmp_path, text)
    maps = {k: o["data"] for k, o in objects.items() if k.startswith("ConfigMap/")}
    assert sorted(d["app.conf"] for d in maps.values()) == ["one", "two"]
    assert maps["ConfigMap/my-conf"] == {"app.conf": "two"}
    assert "MIG102" in codes(plan_of(tmp_path, text))


def test_a_generated_name_yields_to_the_users_own(tmp_path: Path) -> None:
    text = """
services: {a: {image: x, env_file: [a.env], configs: [a-env]}}
configs: {a-env: {content: mine}}
"""
    objects = objects_of(tmp_path, text, files={"a.env": "MODE=1\n"})
    assert objects["ConfigMap/a-env"]["data"] == {"a-env": "mine"}
    (source,) = pod(objects["Deployment/a"])["containers"][0]["envFrom"]
    assert objects[f"ConfigMap/{source['configMapRef']['name']}"]["data"] == {"MODE": "1"}


@pytest.mark.parametrize(("command", "copied"), [("sh -c 'npm install && npm start'", True), ("node index.js", False)])
def test_a_mounted_project_that_installs_into_itself_is_a_copy(command: str, copied: bool, tmp_path: Path) -> None:
    text = f"services: {{a: {{image: 'node:20', working_dir: /app, command: {command}, volumes: ['./src:/app']}}}}"
    plan = plan_of(tmp_path, text, files={"src/package.json": "{}", "src/index.js": "x"})
    assert ("MIG417" in codes(plan)) is copied
    assert plan.services["a"].settings.mounts[0].read_only is not copied
