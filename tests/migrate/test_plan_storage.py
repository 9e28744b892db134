# ruff: noqa: E501
"""V1 to V12, sharing, copy-up, ownership (2.8)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.migrate.planned import codes, contains, objects_of, plan_of, pod

TOP = "\nvolumes: {vol: , other: , out: {external: true, name: Old_Data}, mem: {driver_opts: {type: tmpfs, device: tmpfs, o: 'size=64m'}}, share: {driver_opts: {type: nfs, o: 'addr=192.0.2.1,rw,nfsvers=4', device: ':/export'}}}\n"

MOUNTS: dict[str, tuple[str, dict[str, Any], str | None]] = {
    "V1 tmpfs": ("tmpfs: ['/scratch:size=64m']", {"emptyDir": {"medium": "Memory", "sizeLimit": "67108864"}}, None),
    "V1 long form": (
        "volumes: [{type: tmpfs, target: /scratch, tmpfs: {size: 1024}}]",
        {"emptyDir": {"medium": "Memory", "sizeLimit": "1024"}},
        None,
    ),
    "V1 by driver": ("volumes: ['mem:/scratch']", {"emptyDir": {"medium": "Memory", "sizeLimit": "67108864"}}, None),
    "V4 shm": ("shm_size: 1g", {"emptyDir": {"medium": "Memory", "sizeLimit": "1073741824"}}, "MIG711"),
    "V5 system path": ("volumes: ['/sys/fs/cgroup:/sys/fs/cgroup:ro']", {"hostPath": {"path": "/sys/fs/cgroup"}}, "MIG533"),
    "V8 anonymous": ("volumes: ['/scratch']", {"emptyDir": {}}, "MIG511"),
    "V9 host directory": ("volumes: ['/srv/app/data:/x']", {"persistentVolumeClaim": {"claimName": "data-srv-app-data"}}, "MIG532"),
    "V10 external": ("volumes: ['out:/x']", {"persistentVolumeClaim": {"claimName": "old-data"}}, "MIG520"),
    "V11 nfs": ("volumes: ['share:/x']", {"persistentVolumeClaim": {"claimName": "share"}}, "MIG521"),
    "V12 image": ("volumes: [{type: image, source: 'busybox:1', target: /x}]", {"image": {"reference": "busybox:1"}}, "MIG537"),
}


@pytest.mark.parametrize("case", MOUNTS)
def test_mount(case: str, tmp_path: Path) -> None:
    service, source, code = MOUNTS[case]
    text = f"services: {{a: {{image: x, deploy: {{replicas: 1}}, {service}}}}}" + TOP
    objects = objects_of(tmp_path, text, "services: {a: {kind: Deployment}}")
    (volume,) = pod(objects["Deployment/a"])["volumes"]
    assert contains(volume, source)
    assert code is None or code in codes(plan_of(tmp_path, text))


def test_v2_the_docker_socket_is_never_mounted(tmp_path: Path) -> None:
    text = "services: {a: {image: portainer, volumes: ['/var/run/docker.sock:/var/run/docker.sock']}}"
    objects = objects_of(tmp_path, text)
    assert objects["Deployment/a"]["spec"]["replicas"] == 0
    assert "volumes" not in pod(objects["Deployment/a"])
    assert "MIG125" in codes(plan_of(tmp_path, text))


def test_v3_time_zone(tmp_path: Path) -> None:
    text = "services: {a: {image: x, volumes: ['/etc/localtime:/etc/localtime:ro']}}"
    assert "env" not in pod(objects_of(tmp_path, text)["Deployment/a"])["containers"][0]
    found = pod(objects_of(tmp_path, text, "project: {timezone: Europe/Berlin}")["Deployment/a"])["containers"][0]
    assert found["env"] == [{"name": "TZ", "value": "Europe/Berlin"}]


def test_v6_read_write_many_by_plan(tmp_path: Path) -> None:
    text = "services: {a: {image: x, volumes: ['vol:/x']}, b: {image: y, volumes: ['vol:/x']}}" + TOP
    claim = objects_of(tmp_path, text, "project: {storage: {rwxClass: nfs}}")["PersistentVolumeClaim/vol"]["spec"]
    assert (claim["accessModes"], claim["storageClassName"]) == (["ReadWriteMany"], "nfs")


def test_v6_replicas_share_a_volume(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "services: {a: {image: x, scale: 2, volumes: ['vol:/x']}}" + TOP)
    assert plan.claims["vol"].one_node
    assert {"MIG503", "MIG506"} <= codes(plan)


def test_v7_a_deployment_gets_a_standalone_claim_and_recreate(tmp_path: Path) -> None:
    text = "services: {a: {image: x, volumes: ['vol:/x']}}" + TOP
    objects = objects_of(tmp_path, text, "services: {a: {kind: Deployment}}")
    assert objects["PersistentVolumeClaim/vol"]["spec"]["resources"]["requests"]["storage"] == "10Gi"
    assert objects["Deployment/a"]["spec"]["strategy"] == {"type": "Recreate"}


def test_v8_a_mask_of_the_source_tree_is_dropped_with_it(tmp_path: Path) -> None:
    text = "services: {a: {build: ., volumes: ['.:/app', '/app/node_modules']}}"
    plan = plan_of(tmp_path, text, files={"Dockerfile": "FROM node\nCOPY . /app\n"})
    assert plan.services["a"].storage.mounts == ()
    assert {"MIG530", "MIG512"} <= codes(plan)


def test_v11_nfs_volume_is_bound_to_its_claim(tmp_path: Path) -> None:
    objects = objects_of(tmp_path, "services: {a: {image: x, volumes: ['share:/x']}}" + TOP)
    volume = objects["PersistentVolume/demo-share"]["spec"]
    assert volume["nfs"] == {"server": "192.0.2.1", "path": "/export"}
    assert volume["mountOptions"] == ["nfsvers=4"]
    assert objects["PersistentVolumeClaim/share"]["spec"]["volumeName"] == "demo-share"


def test_missing_files_are_told_and_missing_directories_are_claims(tmp_path: Path) -> None:
    text = "services: {a: {image: x, volumes: ['./gone.conf:/gone.conf', './newdir:/x', './app.log:/app.log']}}"
    plan = plan_of(tmp_path, text)
    missing = {f.message.split()[3]: f.severity.value for f in plan.findings if f.code == "MIG416"}
    assert missing == {"/gone.conf": "error", "/app.log": "warning"}
    assert "data-newdir" in plan.claims


def test_sizes(tmp_path: Path) -> None:
    text = """
services: {a: {image: x, volumes: ["one:/1", "two:/2", "three:/3"]}}
volumes: {one: {labels: {kompose.volume.size: 3Gi}}, two: {driver_opts: {size: 1g}}, three: }
"""
    claims = plan_of(tmp_path, text, "project: {storage: {size: 1Gi, class: fast}}").claims
    assert {n: c.size for n, c in claims.items()} == {"one": "3Gi", "two": "1073741824", "three": "1Gi"}
    assert claims["one"].storage_class == "fast"


def test_ownership_and_sub_directory(tmp_path: Path) -> None:
    text = "services: {a: {image: 'mysql:8', user: '999:998', volumes: ['vol:/var/lib/mysql']}}" + TOP
    found = pod(objects_of(tmp_path, text)["StatefulSet/a"])
    assert found["securityContext"]["fsGroup"] == 998
    assert found["containers"][0]["volumeMounts"][0]["subPath"] == "data"


def test_copy_up_where_images_bring_content(tmp_path: Path) -> None:
    text = "services: {a: {image: 'wordpress:6', volumes: ['vol:/var/www/html']}, b: {image: y, volumes: ['other:/data']}}" + TOP
    objects = objects_of(tmp_path, text)
    (init,) = pod(objects["StatefulSet/a"])["initContainers"]
    assert init["image"] == "wordpress:6" and init["volumeMounts"] == [{"name": "vol", "mountPath": "/copy-up"}]
    assert "initContainers" not in pod(objects["StatefulSet/b"])


def test_volumes_from_borrows_mounts(tmp_path: Path) -> None:
    text = "services: {a: {image: x, volumes: ['vol:/x']}, b: {image: y, volumes_from: ['a:ro']}}" + TOP
    objects = objects_of(tmp_path, text)
    assert pod(objects["Deployment/b"])["containers"][0]["volumeMounts"] == [{"name": "vol", "mountPath": "/x", "readOnly": True}]
    assert "MIG503" in codes(plan_of(tmp_path, text))


@pytest.mark.parametrize("how", ["deploy: {mode: global}", "labels: {kompose.hpa.cpu: '50'}"])
def test_v6_pods_that_cannot_share_a_node_need_read_write_many(how: str, tmp_path: Path) -> None:
    text = f"services: {{a: {{image: x, {how}, volumes: ['vol:/x']}}}}" + TOP
    plan = plan_of(tmp_path, text)
    assert plan.claims["vol"].access_mode == "ReadWriteMany"
    assert "MIG505" in codes(plan)
    assert "MIG505" not in codes(plan_of(tmp_path, text, "project: {storage: {rwxClass: nfs}}"))


@pytest.mark.parametrize(
    ("kind", "source"), [("emptyDir", "emptyDir"), ("hostPath", "hostPath"), ("persistentVolumeClaim", "persistentVolumeClaim")]
)
def test_volume_type_label(kind: str, source: str, tmp_path: Path) -> None:
    text = f"services: {{a: {{image: x, labels: {{kompose.volume.type: {kind}}}, volumes: ['./conf:/x']}}}}"
    plan = plan_of(tmp_path, text, files={"conf/a.txt": "a"})
    (volume,) = plan.services["a"].storage.volumes
    assert source in volume.source
    assert plan.services["a"].settings.volumes == ()


def test_existing_data_come_with_the_command_that_copies_them(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "services: {a: {image: x, volumes: ['vol:/data']}}" + TOP)
    finding = next(f for f in plan.findings if f.code == "MIG507")
    assert "docker run --rm -v demo_vol:/from" in finding.advice and "-C /data" in finding.advice


def test_v6_pods_bound_through_several_volumes_have_one_term(tmp_path: Path) -> None:
    text = """
services:
  a: {image: x, volumes: ["one:/1"]}
  b: {image: x, volumes: ["one:/1", "two:/2"]}
  c: {image: x, volumes: ["two:/2"]}
volumes: {one: , two: }
"""
    objects = objects_of(tmp_path, text)
    terms = [pod(objects[f"Deployment/{n}"])["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] for n in "abc"]
    assert terms[0] == terms[1] == terms[2] and len(terms[0]) == 1
    wanted = terms[0][0]["labelSelector"]["matchLabels"]
    assert all(wanted.items() <= objects[f"Deployment/{n}"]["spec"]["template"]["metadata"]["labels"].items() for n in "abc")


def test_copy_up_takes_an_image_without_the_directory_and_a_new_file_system(tmp_path: Path) -> None:
    import subprocess

    from migrate.plan.escaping import expanded

    objects = objects_of(tmp_path, "services: {a: {image: 'wordpress:6', volumes: ['vol:/var/www/html']}}" + TOP)
    script = expanded(pod(objects["StatefulSet/a"])["initContainers"][0]["command"][2])
    image, volume = tmp_path / "image", tmp_path / "volume"
    local = script.replace("/var/www/html", str(image)).replace("/copy-up", str(volume))
    (volume / "lost+found").mkdir(parents=True)
    assert subprocess.run(["sh", "-c", local], check=False).returncode == 0
    (image / "sub").mkdir(parents=True)
    subprocess.run(["sh", "-c", local], check=True)
    assert (volume / "sub").is_dir()
    (image / "later").mkdir()
    subprocess.run(["sh", "-c", local], check=True)
    assert not (volume / "later").exists()


def test_a_source_tree_that_the_image_does_not_hold_is_carried(tmp_path: Path) -> None:
    text = "services: {web: {build: {context: app}, volumes: ['./app:/var/www/html']}}"
    files = {"app/Dockerfile": "FROM php:8-apache\nCMD run\n", "app/index.php": "<?php"}
    objects = objects_of(tmp_path, text, files=files)
    (mount,) = pod(objects["Deployment/web"])["containers"][0]["volumeMounts"]
    assert (mount["mountPath"], mount["readOnly"]) == ("/var/www/html", True)
    assert "MIG530" in codes(plan_of(tmp_path, text, files={"app/Dockerfile": "FROM php:8-apache\nCOPY . /var/www/html\n"}))


def test_copy_up_below_a_directory_that_the_image_fills(tmp_path: Path) -> None:
    text = "services: {web: {build: ., volumes: ['./src:/code/src', '/code/node_modules']}}"
    files = {"Dockerfile": "FROM node\nWORKDIR /code\nCOPY . .\nRUN npm ci\nUSER node\n", "src/i.js": "x"}
    spec = pod(objects_of(tmp_path, text, files=files)["Deployment/web"])
    (step,) = spec["initContainers"]
    assert step["securityContext"] == {"runAsUser": 0, "runAsGroup": 0, "allowPrivilegeEscalation": False}
    assert "cp -a /code/node_modules/. /copy-up/" in step["command"][2]
    assert spec["volumes"] == [{"name": "anonymous-code-node-modules", "emptyDir": {}}]


def test_an_image_without_a_shell_gets_no_copy_up(tmp_path: Path) -> None:
    text = "services: {web: {build: ., volumes: ['vol:/srv/app']}}\nvolumes: {vol: }"
    for base in ("scratch", "gcr.io/distroless/static-debian12"):
        plan = plan_of(tmp_path, text, files={"Dockerfile": f"FROM golang AS b\nFROM {base}\nCOPY --from=b /out /srv/app\n"})
        assert "MIG514" in codes(plan) and plan.services["web"].storage.init == ()


def test_v9_a_host_directory_stays_by_plan(tmp_path: Path) -> None:
    text = "services: {a: {image: x, volumes: ['/srv/media:/media', '/srv/other:/other']}}"
    objects = objects_of(tmp_path, text, "project: {hostPath: [/srv/media]}")
    volumes = pod(next(o for k, o in objects.items() if k.endswith("/a") and "template" in o.get("spec", {})))["volumes"]
    assert {"name": "host-srv-media", "hostPath": {"path": "/srv/media"}} in volumes


def test_labels_of_volumes(tmp_path: Path) -> None:
    text = """
services: {a: {image: x, volumes: ['vol:/data']}}
volumes: {vol: {labels: {kompose.volume.selector: fast, kompose.volume.size: 10GB, kept: "1", "no key": "2"}}}
"""
    plan = plan_of(tmp_path, text)
    claim = plan.claims["vol"]
    assert (claim.selector, claim.size, claim.annotations) == ({"io.kompose.service": "fast"}, "10Gi", {"kept": "1"})
    assert {"MIG032", "MIG910"} <= codes(plan)


def test_create_host_path_false_is_a_missing_source(tmp_path: Path) -> None:
    text = "services: {a: {image: x, volumes: [{type: bind, source: ./gone, target: /x, bind: {create_host_path: false}}]}}"
    assert "MIG416" in codes(plan_of(tmp_path, text))
