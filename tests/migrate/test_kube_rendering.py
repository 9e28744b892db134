"""A7: the init container's script is run by a real shell, with a name service of our own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from migrate.plan.escaping import expanded
from tests.migrate.planned import objects_of, pod

TEXT = """
services:
  web: {image: x, expose: ["80"], networks: {n: {ipv4_address: 10.1.0.2}}}
  dns:
    image: dnsmasq
    volumes: ["./dnsmasq.conf:/etc/dnsmasq.conf:ro", "./dnsmasq.d:/etc/dnsmasq.d:ro"]
    networks: {n: {ipv4_address: 10.1.0.3}}
networks: {n: {ipam: {config: [{subnet: 10.1.0.0/24}]}}}
"""


def test_rendered_files_hold_the_addresses_of_the_moment(tmp_path: Path) -> None:
    files = {"dnsmasq.conf": "address=/web.example/10.1.0.2\nserver=1.1.1.1\n", "dnsmasq.d/more.conf": "address=/b/10.1.0.2\n"}
    (init,) = pod(objects_of(tmp_path, TEXT, files=files)["Deployment/dns"])["initContainers"]
    script = expanded(init["command"][2])
    for number, (name, content) in enumerate(
        (("dnsmasq.conf", "address=/web.example/@@ADDR:web@@\nserver=1.1.1.1\n"), ("more.conf", "a=@@ADDR:web@@\n"))
    ):
        folder = tmp_path / "template" / str(number)
        folder.mkdir(parents=True)
        (folder / name).write_text(content)
        (tmp_path / "rendered" / str(number)).mkdir(parents=True)
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "getent").write_text('#!/bin/sh\necho "10.96.0.7      $2.demo.svc.cluster.local $2"\n')
    (tools / "getent").chmod(0o755)
    script = script.replace("/template/", f"{tmp_path}/template/").replace("/rendered/", f"{tmp_path}/rendered/")
    script = script.replace("/tmp/edits", f"{tmp_path}/edits")
    subprocess.run(["/bin/sh", "-c", script], check=True, env={"PATH": f"{tools}:{os.environ['PATH']}"}, timeout=10)
    assert (tmp_path / "rendered/0/dnsmasq.conf").read_text() == "address=/web.example/10.96.0.7\nserver=1.1.1.1\n"
    assert (tmp_path / "rendered/1/more.conf").read_text() == "a=10.96.0.7\n"
    assert {m["mountPath"] for m in init["volumeMounts"]} >= {"/tmp", "/template/0", "/rendered/0", "/template/1", "/rendered/1"}
