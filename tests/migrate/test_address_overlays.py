"""Files that carry addresses into the container: configs, secrets, files baked into the image (conversion.md 2.5, 2.7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from migrate.stack.dockerfile import parse
from migrate.stack.texts import copy_targets
from tests.migrate.test_address_modes import NET, Converted, attached, converted, pinned

BUILT = (
    """
services:
  app: {build: ., image: "app:1", networks: {n: {ipv4_address: 172.20.0.7}}}
  db: {image: "postgres:16", networks: {n: {ipv4_address: 172.20.0.5}}}
"""
    + NET
)


def mounts(made: Converted, service: str = "app") -> dict[str, dict[str, Any]]:
    """Path in the container -> the mount with its volume's source."""
    spec = made.pod(service)["spec"]
    volumes = {v["name"]: v for v in spec.get("volumes", ())}
    return {m["mountPath"]: {**m, **volumes[m["name"]]} for m in spec["containers"][0].get("volumeMounts", ())}


@pytest.mark.parametrize(
    ("dockerfile", "file", "expected"),
    [
        ("COPY app.conf /etc/app.conf", "app.conf", ["/etc/app.conf"]),
        ("COPY app.conf /etc/", "app.conf", ["/etc/app.conf"]),
        ("COPY start /usr/bin/", "start", ["/usr/bin/start"]),
        ("WORKDIR /srv\nCOPY a.conf b.conf conf/", "b.conf", ["/srv/conf/b.conf"]),
        ("COPY conf /etc/app", "conf/x/y.conf", ["/etc/app/x/y.conf"]),
        ("COPY conf.d /etc/app/", "conf.d/y.conf", ["/etc/app/y.conf"]),
        ("COPY conf/*.conf /etc/app/", "conf/y.conf", ["/etc/app/y.conf"]),
        ("COPY conf/*.conf /etc/app/", "conf/y.sh", []),
        ("COPY . /app\nCOPY conf/y.conf /etc/y.conf", "conf/y.conf", ["/app/conf/y.conf", "/etc/y.conf"]),
        ("COPY y.conf /a/y.conf\nCOPY y.conf /b/y.conf", "y.conf", ["/a/y.conf", "/b/y.conf"]),
        ('COPY --chown=a:b ["y.conf", "/etc/my conf/"]', "y.conf", ["/etc/my conf/y.conf"]),
        ("FROM base AS build\nCOPY y.conf /y.conf\nFROM base", "y.conf", []),
        ("FROM base AS b\nCOPY y.conf /y.conf\nFROM b", "y.conf", ["/y.conf"]),
        ("ADD y.conf /etc/", "y.conf", ["/etc/y.conf"]),
    ],
)
def test_where_a_file_of_the_context_lies_in_the_image(dockerfile: str, file: str, expected: list[str]) -> None:
    context = Path("/context")
    found = copy_targets(context / file, context, parse(context / "Dockerfile", f"FROM base\n{dockerfile}\n"))
    assert list(found) == expected


def test_a_baked_file_is_laid_over_its_target_and_stays_executable(tmp_path: Path) -> None:
    script = "#!/bin/sh\nexec serve --db 172.20.0.5:5432 --bind 172.20.0.7\n"
    files = {"Dockerfile": "FROM x\nCOPY run.sh app.conf /opt/\n", "run.sh": script, "app.conf": "db = 172.20.0.5\n"}
    made = converted(tmp_path, BUILT, files)
    assert made.file("run.sh") == "#!/bin/sh\nexec serve --db db:5432 --bind 0.0.0.0\n" and made.file("app.conf") == "db = db\n"
    found = mounts(made)
    assert found["/opt/run.sh"]["configMap"]["items"] == [{"key": "run.sh", "path": "run.sh", "mode": 0o755}]
    assert found["/opt/app.conf"]["configMap"]["items"] == [{"key": "app.conf", "path": "app.conf"}]
    assert all(found[p]["subPath"] == Path(p).name and found[p]["readOnly"] for p in ("/opt/run.sh", "/opt/app.conf"))
    assert made.errors == [] and len(made.told("MIG217")) == 3 and made.told("MIG218") == []


def test_addresses_that_only_a_running_pod_knows_are_put_into_a_baked_file_at_start(tmp_path: Path) -> None:
    files = {"Dockerfile": "FROM x\nCOPY app.conf /opt/app.conf\n", "app.conf": "advertise_addr = 172.20.0.7\nnameserver 172.20.0.5\n"}
    made = converted(tmp_path, BUILT, files)
    assert made.file("app.conf") == "advertise_addr = @@POD_IP@@\nnameserver @@ADDR:db@@\n"
    assert mounts(made)["/opt/app.conf"] | {"emptyDir": {}, "subPath": "app.conf"} == mounts(made)["/opt/app.conf"]
    (init,) = made.pod("app")["spec"]["initContainers"]
    assert "getent hosts db" in init["command"][2] and init["env"][0]["valueFrom"]["fieldRef"]["fieldPath"] == "status.podIP"
    assert made.ip("db") != "None" and made.errors == []
    fixed = pinned(tmp_path, BUILT, files)
    assert fixed.file("app.conf") == "advertise_addr = @@POD_IP@@\nnameserver 10.96.0.5\n"
    kept = attached(tmp_path, BUILT, files)
    assert kept.file("app.conf") == "" and kept.told("MIG217", "MIG218") == []


def test_what_the_dockerfile_does_not_place_is_listed_for_a_new_image(tmp_path: Path) -> None:
    files = {"Dockerfile": "FROM x\nENV MASTER=http://172.20.0.5:11311\nRUN echo 172.20.0.7 > /etc/me\n"}
    made = converted(tmp_path, BUILT, files)
    told = {f.span.line: f.message for f in made.told("MIG218") if f.span}
    assert told == {
        2: "172.20.0.5 is baked into the image of app; it should be db",
        3: "172.20.0.7 is baked into the image of app; it should be the address of the pod",
    }
    assert [f.advice for f in made.told("MIG218")] == [
        "say MASTER in `environment`, which wins over the image, or rebuild",
        "rebuild with the patched file shown",
    ]


def test_a_mount_over_the_target_hides_the_baked_file(tmp_path: Path) -> None:
    text = BUILT.replace("build: .,", 'build: ., volumes: ["./mine.conf:/opt/app.conf:ro"],')
    files = {
        "Dockerfile": "FROM x\nCOPY app.conf /opt/app.conf\n",
        "app.conf": "db = 172.20.0.5\n",
        "mine.conf": "db = 172.20.0.5 # mine\n",
    }
    made = converted(tmp_path, text, files)
    container = made.pod("app")["spec"]["containers"][0]
    assert [m["mountPath"] for m in container["volumeMounts"]] == ["/opt/app.conf"] and made.file("mine.conf") == "db = db # mine\n"


SHARED = (
    """
services:
  a: {image: "a:1", configs: [{source: all, target: /etc/all.conf}], networks: {n: {ipv4_address: 172.20.0.7}}}
  b: {image: "b:1", configs: [{source: all, target: /etc/all.conf}], networks: {n: {ipv4_address: 172.20.0.8}}}
  c: {image: "c:1", configs: [{source: all, target: /etc/all.conf}], networks: [n]}
  d: {image: "d:1", configs: [{source: all, target: /etc/all.conf}], networks: [n]}
configs:
  all: {%s}
"""
    + NET
)


@pytest.mark.parametrize("said", ['content: "my_ip = 172.20.0.7\\n"', "file: ./all.conf"])
def test_one_config_of_several_services_is_each_ones_own(tmp_path: Path, said: str) -> None:
    """What is `me` to one is a peer to the others: two objects, and the pod's own address is written at its start."""
    made = converted(tmp_path, SHARED % said, {"all.conf": "my_ip = 172.20.0.7\n"})
    maps = {n: m["data"]["all.conf"] for (k, n), m in made.objects.items() if k == "ConfigMap"}
    assert sorted(maps.values()) == ["my_ip = @@POD_IP@@\n", "my_ip = a\n"]
    used = {s: mounts(made, s)["/etc/all.conf"] for s in "abcd"}
    assert "emptyDir" in used["a"] and len({used[s]["configMap"]["name"] for s in "bcd"}) == 1
    assert maps[used["b"]["configMap"]["name"]] == "my_ip = a\n" and made.errors == []


def test_a_secret_with_an_own_address_is_rendered_beside_the_others(tmp_path: Path) -> None:
    text = """
services:
  a: {image: "a:1", secrets: [mine, other], networks: {n: {ipv4_address: 172.20.0.7}}}
secrets:
  mine: {file: ./mine.conf}
  other: {file: ./other.conf}
"""
    made = converted(tmp_path, text + NET, {"mine.conf": "advertise_addr = 172.20.0.7\n", "other.conf": "x\n"})
    found = mounts(made, "a")
    assert "emptyDir" in found["/run/secrets/mine"] and found["/run/secrets/other"]["subPath"] == "other" and "/run/secrets" not in found
    assert made.objects["Secret", "mine"]["stringData"] == {"mine": "advertise_addr = @@POD_IP@@\n"} and made.errors == []
