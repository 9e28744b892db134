"""Peer groups as one StatefulSet, by plan (2.2, `merge:`)."""

from __future__ import annotations

from pathlib import Path

import migrate
from tests.migrate.planned import by_name, codes, contains, plan_of, pod

NODE = """
  r{n}:
    image: "redis:7"
    container_name: node-{n}
    command: redis-server --bind 172.28.0.1{n} --cluster-enabled yes
    volumes: ["d{n}:/data"]
    networks: {{n: {{ipv4_address: 172.28.0.1{n}}}}}
"""
REST = """
  app: {image: "a:1", environment: {NODES: "r1:6379,r2:6379,172.28.0.13:6379"}, depends_on: [r2], networks: [n]}
networks: {n: {ipam: {config: [{subnet: 172.28.0.0/24}]}}}
volumes: {d1: , d2: , d3: }
"""
TEXT = "services:" + "".join(NODE.format(n=n) for n in (1, 2, 3)) + REST
PLAN = "project: {merge: [[r1, r2, r3]]}"


def test_a_group_becomes_the_replicas_of_one_stateful_set(tmp_path: Path) -> None:
    objects = by_name(plan_of(tmp_path, TEXT, PLAN))
    found = objects["StatefulSet/r1"]["spec"]
    assert (found["replicas"], found["podManagementPolicy"]) == (3, "Parallel")
    assert [t["metadata"]["name"] for t in found["volumeClaimTemplates"]] == ["d1"]
    assert pod(objects["StatefulSet/r1"])["containers"][0]["args"] == ["redis-server", "--bind", "0.0.0.0", "--cluster-enabled", "yes"]
    assert not {"StatefulSet/r2", "Deployment/r2", "PersistentVolumeClaim/d2"} & set(objects)
    for name in ("r1", "r2", "r3", "node-2"):
        spec = objects[f"Service/{name}"]["spec"]
        assert contains(spec, {"clusterIP": "None", "selector": {"app.kubernetes.io/name": "r1"}})
    (env,) = pod(objects["Deployment/app"])["containers"][0]["env"]
    assert env["value"] == "r1:6379,r2:6379,r3:6379"


def test_the_new_network_is_that_of_the_old(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(TEXT)
    (tmp_path / "plan.txt").write_text("version: 1\n" + PLAN)
    made = migrate.convert(directory=tmp_path, plan=tmp_path / "plan.txt")
    assert [f for f in made.findings if f.severity == "error"] == []


def test_what_differs_keeps_a_group_apart_and_is_named(tmp_path: Path) -> None:
    text = TEXT.replace("container_name: node-2", "environment: {ID: '2'}")
    plan = plan_of(tmp_path, text, PLAN)
    assert plan.services["r2"].kind == "StatefulSet"
    assert any(f.code == "MIG110" and f.action == "refused" and "r2 differs in environment" in f.message for f in plan.findings)


def test_a_group_of_one_or_of_strangers_says_nothing(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, TEXT, "project: {merge: [[r1], [gone, r2]]}")
    assert plan.services["r1"].replicas == 1
    assert "MIG110" in codes(plan)
