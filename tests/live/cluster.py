"""A running cluster as tests see it: one line for what a test wants to say, and the real programs beside it.

`Cluster` is the whole (nodes); `Space` is the namespace of one test: its manifests, its pods' delays, its load, its recorder.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
import yaml

from migrate import live
from tests.live.machine import Address, environment
from tests.live.tools import Tools

PATIENCE_S = 60.0
DELAYS = ("start", "ready", "term", "unready", "crash", "run", "exit", "phase", "age", "pull")
TEMPLATES = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
MERGE = "application/merge-patch+json"


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a program printed, and how it ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A control plane that is there. `address` is None where it is somebody else's: then nothing is played in it."""

    tools: Tools
    server: live.Server
    kubeconfig: str
    folder: Path
    lifeline: int
    address: Address | None

    def run(self, *command: str, cwd: Path | None = None) -> Done:
        """A program with this cluster as its own, and nothing of the user's; it ends with this process."""
        given = environment(str(self.folder)) | {"KUBECONFIG": self.kubeconfig}
        if self.address is None:  # plug-ins of somebody's kubeconfig read his home
            given = {**os.environ, **given, **{name: value for name, value in os.environ.items() if name in {"HOME", "XDG_CONFIG_HOME"}}}
        done = subprocess.run(
            command, stdin=self.lifeline, capture_output=True, text=True, env=given, cwd=cwd or self.folder, timeout=300, check=False
        )
        return Done(code=done.returncode, out=done.stdout, err=done.stderr)

    def kubectl(self, *arguments: str) -> Done:
        """`kubectl` of the control plane's own release."""
        return self.run(self.tools.plane, "kubectl", *arguments)

    def helm(self, *arguments: str) -> Done:
        """`helm`, guarded: it knows nothing of our pipe."""
        return self.run(self.tools.plane, "guard", self.tools.helm, *arguments)

    def ask(self, verb: str, path: str, body: Any = None, *, media: str = "application/json") -> live.Answer:
        """One request to the API server; whatever it answers."""
        return self.server.ask(verb, path, body, media=media)

    def get(self, path: str) -> dict[str, Any]:
        """An object or a list that must be there."""
        answer = self.ask("GET", path)
        assert answer.accepted, f"GET {path}: {answer.code} {answer.body.get('message')}"
        return answer.body

    # -------------------------------------------------------------- what is played

    def node(self, name: str, *, labels: Mapping[str, str] | None = None, taints: Iterable[Mapping[str, str]] = (), **amounts: str) -> None:
        """A node that is ready when this returns: `node("n4", cpu="2", memory="4Gi")`. What is not said is plenty."""
        wanted = ",".join(f"{key.replace('_', '-')}={value}" for key, value in amounts.items())
        metadata = {
            "name": name,
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", **(labels or {})},
            "annotations": {"lab/node": wanted},
        }
        body = {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {"taints": list(taints)}}
        answer = self.ask("POST", "/api/v1/nodes", body)
        assert answer.accepted or answer.code == 409, answer.body
        until(lambda: self._is_ready(name), f"node {name} to be ready")

    def _is_ready(self, name: str) -> bool:
        found = self.ask("GET", f"/api/v1/nodes/{name}").body
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in found.get("status", {}).get("conditions", ()))
        return ready and not any(taint["key"].startswith("node.kubernetes.io/") for taint in found["spec"].get("taints", ()))

    def lose(self, name: str) -> None:
        """The node is not heard of any more."""
        self.ask("PATCH", f"/api/v1/nodes/{name}", {"metadata": {"annotations": {"lab/silent": "yes"}}}, media=MERGE)

    def remove(self, name: str) -> None:
        """The node is gone."""
        self.ask("DELETE", f"/api/v1/nodes/{name}")

    def lab(self, verb: str, path: str, body: Any = None) -> Any:
        """A request to the kubelets that run nothing."""
        assert self.address is not None, "nothing is played in somebody else's cluster"
        got = urllib3.PoolManager(ca_certs=f"{self.address.folder}/nodes.crt").request(
            verb,
            f"https://localhost:{self.address.ports['nodes']}/lab/{path}",
            body=None if body is None else json.dumps(body),
            headers={"Authorization": f"Bearer {self.address.token}"},
            retries=False,
            timeout=10,
        )
        assert got.status == 200, f"{verb} {path}: {got.status} {got.data[:300]!r}"
        return json.loads(got.data) if got.data else None


@dataclass(kw_only=True)
class Space:
    """The namespace of one test."""

    cluster: Cluster
    name: str
    folder: Path
    files: int = 0

    def kubectl(self, *arguments: str) -> Done:
        """`kubectl` in this namespace."""
        return self.cluster.kubectl("--namespace", self.name, *arguments)

    def file(self, text: str, suffix: str = ".yaml") -> str:
        """A new file of the run's folder; its path."""
        self.files += 1
        path = self.folder / f"{self.files}{suffix}"
        path.write_text(text, encoding="utf-8")
        return str(path)

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        """Apply by kubectl as a user does; each object in this namespace unless it names another."""
        done = self.kubectl("apply", "-f", self.file(yaml.safe_dump_all(manifests)))
        assert done.code == 0, done.err

    def get(self, group: str, name: str = "") -> dict[str, Any]:
        """An object or a list: `get("apps/v1/deployments", "web")`, `get("v1/pods")`."""
        version, _, plural = group.rpartition("/")
        root = "apis" if "/" in version else "api"
        return self.cluster.get(f"/{root}/{version}/namespaces/{self.name}/{plural}{f'/{name}' if name else ''}")

    def items(self, group: str) -> list[dict[str, Any]]:
        """The objects of a kind, in the order of their creation."""
        return sorted(self.get(group)["items"], key=lambda i: (i["metadata"]["creationTimestamp"], i["metadata"]["name"]))

    def load(self, match: str = "", **said: Any) -> None:
        """What the metrics APIs serve from now on: `load(cpu_milli=30)`, `load("app=web", total_cpu_milli=400)`; replaces what was said."""
        self.cluster.lab("PUT", f"{self.name}/load", [{"match": match, **said}])

    def answers(self) -> list[dict[str, Any]]:
        """Every answer of the metrics APIs for this namespace, with the pods as they were."""
        found: list[dict[str, Any]] = self.cluster.lab("GET", f"{self.name}/answers")
        return found

    def turn(self, pod: str, *, ready: bool) -> None:
        """Make a pod ready or unready from now on."""
        self.cluster.lab("PUT", f"{self.name}/pods/{pod}/{'ready' if ready else 'unready'}")


def delayed(manifest: Mapping[str, Any], **delays: Any) -> dict[str, Any]:
    """The workload with delays for its pods, milliseconds or lists of them by order of creation: `delayed(web, start=20, ready=[30, 60])`.

    >>> delayed({"kind": "Job", "spec": {"template": {}}}, run=5)["spec"]["template"]["metadata"]["annotations"]
    {'lab/run': '5'}
    """
    assert set(delays) <= set(DELAYS), f"of {sorted(delays)} only {DELAYS} are delays"
    said = {f"lab/{key}": ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value) for key, value in delays.items()}
    made = json.loads(json.dumps(manifest))
    template = made
    for step in TEMPLATES[made["kind"]]:
        template = template[step]
    annotations = template.setdefault("metadata", {}).setdefault("annotations", {})
    annotations.update(said)
    return dict(made)


def until(is_so: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """What `is_so` gives as soon as it is true; AssertionError after a long time, which no good run needs."""
    end = time.monotonic() + patience_s
    while not (found := is_so()):
        assert time.monotonic() < end, f"waited {patience_s:.0f} s for {what}"
        time.sleep(0.05)
    return found


def of_kind(manifests: Sequence[Mapping[str, Any]], *kinds: str) -> list[Mapping[str, Any]]:
    """Those of some kinds, in their order."""
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def lifeline() -> int:
    """The reading end of a pipe that closes when this process ends: standard input of every program that it starts."""
    reading, _writing = os.pipe()  # the writing end stays open and unused until the process ends
    return reading
