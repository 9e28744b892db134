"""What is taken of a cluster, from a server on this machine that answers as an API server does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from simulate import live, manifests, scenario
from simulate.cli import cli
from simulate.engine import run
from simulate.model import join
from simulate.problems import InputError
from tests.simulate.worlds import QuietPlane

DEPLOYMENT: dict[str, Any] = {
    "metadata": {
        "name": "web",
        "namespace": "shop",
        "uid": "1",
        "resourceVersion": "7",
        "annotations": {"deployment.kubernetes.io/revision": "3"},
    },
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "priorityClassName": "gold",
                "containers": [
                    {
                        "name": "web",
                        "image": "web:1",
                        "env": [{"name": "PASSWORD", "value": "hunter2"}],
                        "envFrom": [{"secretRef": {"name": "web"}}],
                        "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}},
                    }
                ],
            },
        },
    },
    "status": {"replicas": 3},
}
OWNED = {
    "metadata": {"name": "web-1", "namespace": "shop", "ownerReferences": [{"kind": "Deployment", "name": "web"}]},
    "spec": {"replicas": 3},
}


def node(name: str, zone: str, **more: Any) -> dict[str, Any]:
    labels = {"topology.kubernetes.io/zone": zone, "kubernetes.io/hostname": name, "disk": "ssd", "eks.amazonaws.com/nodegroup": "general"}
    conditions = [{"type": "Ready", "status": more.pop("ready", "True")}]
    spec = {"taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}, {"key": "gpu", "effect": "NoSchedule"}], **more}
    room = {"cpu": "4", "memory": "16Gi", "pods": "110"}
    return {"metadata": {"name": name, "labels": labels}, "spec": spec, "status": {"allocatable": room, "conditions": conditions}}


def agent(where: str, phase: str = "Running") -> dict[str, Any]:
    return {
        "metadata": {"name": "agent", "namespace": "kube-system"},
        "spec": {"nodeName": where, "containers": [{"resources": {"requests": {"cpu": "250m", "memory": "512Mi"}}}]},
        "status": {"phase": phase},
    }


NODES = [node("n1", "b"), node("n2", "a"), node("n3", "c", ready="False"), node("n4", "c", unschedulable=True)]
GOLD = {"metadata": {"name": "gold"}, "value": 1000}
ANSWERS: dict[str, Any] = {
    "/apis/apps/v1/namespaces/shop/deployments": [DEPLOYMENT],
    "/apis/apps/v1/namespaces/shop/replicasets": [OWNED],
    "/api/v1/nodes": NODES,
    "/api/v1/pods": [agent("n1"), agent("n2"), agent("n2", "Succeeded"), {"metadata": {"namespace": "shop"}, "spec": {"nodeName": "n1"}}],
    "/apis/scheduling.k8s.io/v1/priorityclasses": [GOLD, {"metadata": {"name": "unused"}, "value": 5}],
}  # fmt: skip


@pytest.fixture
def kubeconfig(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A server with those answers, one object a page; paths in the parameter are forbidden."""
    forbidden = getattr(request, "param", ())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            items = ANSWERS.get(path, [])
            at = int(query.partition("continue=")[2] or 0)
            body: dict[str, Any] = {"items": items[at : at + 1], "metadata": {}}
            if at + 1 < len(items):
                body["metadata"]["continue"] = str(at + 1)
            allowed = self.headers["Authorization"] == "Bearer token" and path not in forbidden
            text = json.dumps(body).encode()
            self.send_response(200 if allowed else 403)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    said = {
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "u", "user": {"token": "token"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }  # fmt: skip
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(said))
    yield str(path)
    server.shutdown()
    server.server_close()


def test_a_namespace_becomes_input(kubeconfig: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["capture", "-n", "shop", "--kubeconfig", kubeconfig, "-o", str(tmp_path / "now")])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("2 objects of namespace shop, 1 pools of nodes.")
    text = (tmp_path / "now" / "manifests.yaml").read_text()
    assert [one["kind"] for one in yaml.safe_load_all(text)] == ["PriorityClass", "Deployment"], (
        "a set that the Deployment makes is left out"
    )
    assert not {"hunter2", "PASSWORD", "secretRef", "uid", "resourceVersion", "status", "revision"} & set(text.replace(":", " ").split())
    spec = join(manifests.read([tmp_path / "now" / "manifests.yaml"]), scenario.read(tmp_path / "now" / "scenario.yaml"))
    assert (spec.workloads[0].name, spec.workloads[0].replicas, spec.workloads[0].template.priority) == ("web", 3, 1000)
    pool = spec.pools[0]
    assert (pool.name, pool.count, pool.cores, pool.memory_bytes, pool.pods) == ("general", 2, 3.75, 15.5 * 2**30, 109)
    assert (pool.zones, pool.labels["disk"], pool.taints) == (("a", "b"), "ssd", ({"key": "gpu", "effect": "NoSchedule"},))


@pytest.mark.parametrize("kubeconfig", [("/api/v1/pods",)], indirect=True)
def test_what_may_not_be_seen_is_told(kubeconfig: str) -> None:
    found = live.capture(live.Server(kubeconfig), "shop")
    assert found.nodes["general"]["cores"] == 4.0
    assert [note.partition(":")[0] for note in found.notes] == [
        "what other namespaces use of the nodes is not known",
        "2 nodes that are cordoned or not ready are left out",
    ]


@pytest.mark.parametrize("kubeconfig", [("/apis/apps/v1/namespaces/shop/deployments",)], indirect=True)
def test_workloads_that_may_not_be_seen_end_it(kubeconfig: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["capture", "-n", "shop", "--kubeconfig", kubeconfig, "-o", str(tmp_path / "now")])
    assert isinstance(done.exception, InputError)
    assert "does not let this account get deployments of shop (403)" in str(done.exception)
    assert not (tmp_path / "now").exists()


def test_an_empty_namespace_and_no_account_are_one_error(kubeconfig: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing runs pods in namespace empty"):
        live.capture(live.Server(kubeconfig), "empty")
    with pytest.raises(InputError, match="holds no usable account"):
        live.Server(str(tmp_path / "nothing"))


def test_every_kind_that_is_simulated_is_read() -> None:
    """PriorityClasses are no objects of a namespace and are read by those who name them."""
    assert {kind for _, _, kind in live.KINDS} | {"PriorityClass"} == set(manifests.READERS)


def test_sizes_of_images_version_and_annotations_are_taken(kubeconfig: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pulled = {"names": ["docker.io/library/web:1"], "sizeBytes": 7_000_000}
    caused = {**DEPLOYMENT, "metadata": {**DEPLOYMENT["metadata"], "annotations": {"kubernetes.io/change-cause": "x", "other": "y"}}}
    caused = {**caused, "spec": {**caused["spec"], "paused": True}}
    having = [{**one, "status": {**one["status"], "images": [pulled]}} for one in NODES]
    monkeypatch.setitem(ANSWERS, "/apis/apps/v1/namespaces/shop/deployments", [caused])
    monkeypatch.setitem(ANSWERS, "/api/v1/nodes", having)
    monkeypatch.setattr(live.Server, "version", lambda self: "1.35")
    found = live.capture(live.Server(kubeconfig), "shop")
    said = yaml.safe_load(live.texts(found, "shop")["scenario.yaml"])
    assert (said["images"], said["controlPlane"]) == ({"web:1": 7_000_000}, {"version": "1.35"})
    spec = join(manifests.read(list(found.manifests)), scenario.read(said))
    assert spec.image_bytes == {"web:1": 7_000_000.0}
    assert (spec.workloads[0].cause, spec.workloads[0].paused) == ("x", True)
    assert "other" not in str(found.manifests)


def test_a_version_as_servers_write_it(kubeconfig: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server = live.Server(kubeconfig)
    for minor, wanted in (("36", "1.36"), ("30+", "1.30"), ("", None)):
        monkeypatch.setattr(live.Server, "_get", lambda self, path, what, minor=minor: {"major": "1", "minor": minor})
        assert server.version() == wanted


def test_what_init_containers_and_sidecars_of_others_request_is_not_free() -> None:
    """A pod asks for the larger of its containers with their sidecars and each init container."""

    class Pods:
        def items(self, version: str, resource: str, namespace: str | None = None) -> list[dict[str, Any]]:
            asks = {"resources": {"requests": {"cpu": "250m"}}}
            first = {"resources": {"requests": {"cpu": "2"}}}
            spec = {"nodeName": "n", "containers": [asks], "initContainers": [first, {**asks, "restartPolicy": "Always"}]}
            return [{"metadata": {"namespace": "other"}, "spec": spec}]

    assert live._others(Pods(), "shop", [])["n"]["cpu"] == 2.0  # type: ignore[arg-type]


def test_a_paused_deployment_stays_paused() -> None:
    spec = {"paused": True, "replicas": 2, "template": {"spec": {"containers": [{"name": "c", "image": "web:1"}]}}}
    made = manifests.read([{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}])
    said = {"version": 1, "horizon": "90s", "events": [{"at": "10s", "rollout": "web", "image": "web:2"}, {"at": "60s", "resume": "web"}]}
    trace = run(join(made, scenario.read(said)), plane=QuietPlane())
    assert min(one.t_s for one in trace.scales if one.name == "web-v2") == pytest.approx(60.0, abs=0.1)
