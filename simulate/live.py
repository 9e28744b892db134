"""What runs in a cluster, as input of a simulation: workloads of one namespace, and the nodes with what others leave of them.

The only user of the kubernetes client in `simulate`; it reads and changes nothing. Secrets and ConfigMaps are not read, and the
environment of containers is left out: no simulation needs it, and it may hold passwords.
"""

from __future__ import annotations

import json
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from simulate.control.placement_read import pod_of
from simulate.problems import InputError, Problem
from simulate.quantity import parse_quantity

PAGE: Final = 500
TIMEOUT_S: Final = 30.0

KINDS: Final[Sequence[tuple[str, str, str]]] = (
    ("apps/v1", "deployments", "Deployment"),
    ("apps/v1", "statefulsets", "StatefulSet"),
    ("apps/v1", "daemonsets", "DaemonSet"),
    ("apps/v1", "replicasets", "ReplicaSet"),
    ("v1", "replicationcontrollers", "ReplicationController"),
    ("v1", "pods", "Pod"),
    ("batch/v1", "jobs", "Job"),
    ("batch/v1", "cronjobs", "CronJob"),
    ("v1", "services", "Service"),
    ("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler"),
    ("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget"),
    ("v1", "limitranges", "LimitRange"),
    ("v1", "resourcequotas", "ResourceQuota"),
)
"""What is read of a namespace: (apiVersion, resource, kind). Objects that belong to another one are made by it again."""

POOL_LABELS: Final = (
    "cloud.google.com/gke-nodepool",
    "eks.amazonaws.com/nodegroup",
    "kubernetes.azure.com/agentpool",
    "karpenter.sh/nodepool",
    "doks.digitalocean.com/node-pool",
)
"""Labels by which providers name the pool of a node."""

OWN_LABELS: Final = ("kubernetes.io/hostname", "topology.kubernetes.io/", "failure-domain.beta.kubernetes.io/", "beta.kubernetes.io/")
"""Labels that tell nodes of one pool apart, or repeat others."""

ZONE: Final = "topology.kubernetes.io/zone"
VOLATILE: Final = (
    "managedFields",
    "resourceVersion",
    "uid",
    "creationTimestamp",
    "generation",
    "selfLink",
    "ownerReferences",
)
ANNOTATIONS: Final = (
    "kubernetes.io/change-cause",
    "controller.kubernetes.io/pod-deletion-cost",
    "cluster-autoscaler.kubernetes.io/",
    "karpenter.sh/",
)
"""Annotations of objects that a simulation looks at; others say nothing to it, or repeat the whole object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """Manifests of the namespace, `nodes` as a scenario has them, and what had to be left out or assumed.

    `images`: bytes of the images of these manifests that some node has; `version`: of the control plane, as `1.36`, None if it is not told.
    """

    manifests: tuple[Mapping[str, Any], ...]
    nodes: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...]
    images: Mapping[str, int] = field(default_factory=dict)
    version: str | None = None


class Server:
    """A connection that only gets. InputError where there is no account, no answer or no right."""

    def __init__(self, kubeconfig: str | None = None, context: str | None = None) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the client's dependencies: nothing that a user could do about
            from kubernetes import client, config

            settings = client.Configuration()
            load: Any = config.load_config
            try:
                load(**({"config_file": kubeconfig} if kubeconfig else {}), context=context, client_configuration=settings)
            except (config.ConfigException, OSError, ValueError, TypeError, KeyError) as error:
                raise _fault(kubeconfig or "kubeconfig", f"holds no usable account ({type(error).__name__})") from None
        self._client = client.ApiClient(settings)
        self.host = str(settings.host).rstrip("/")

    def items(self, version: str, resource: str, namespace: str | None = None) -> list[dict[str, Any]]:
        """All objects of a resource, page by page."""
        inside = f"/namespaces/{quote(namespace)}" if namespace else ""
        path = f"/{'apis' if '/' in version else 'api'}/{version}{inside}/{resource}"
        found: list[dict[str, Any]] = []
        more = ""
        while True:
            body = self._get(f"{path}?limit={PAGE}{more}", f"get {resource}" + (f" of {namespace}" if namespace else ""))
            found += body.get("items") or []
            token = (body.get("metadata") or {}).get("continue")
            if not token:
                return found
            more = f"&continue={quote(str(token))}"

    def version(self) -> str | None:
        """Of the control plane, as `1.36`; None where it does not tell."""
        said = self._get("/version", "get /version")
        major, minor = (re.match(r"\d+", str(said.get(key) or "")) for key in ("major", "minor"))
        return f"{major.group()}.{minor.group()}" if major and minor else None

    def _get(self, path: str, what: str) -> dict[str, Any]:
        import urllib3

        settings = self._client.configuration
        if settings.refresh_api_key_hook is not None:
            settings.refresh_api_key_hook(settings)
        said = settings.auth_settings().values()
        headers = {"Accept": "application/json", **{s["key"]: s["value"] for s in said if s.get("in") == "header" and s.get("value")}}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)  # the kubeconfig says so
                pool = self._client.rest_client.pool_manager
                got = pool.request("GET", self.host + path, headers=headers, timeout=TIMEOUT_S, retries=False)
            body = json.loads(got.data) if got.status == 200 else {}
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise _fault(self.host, f"does not answer ({type(error).__name__})") from None
        if got.status != 200:
            reason = {401: "does not know this account", 403: f"does not let this account {what}"}.get(got.status, f"cannot {what}")
            raise _fault(self.host, f"{reason} ({got.status})")
        return body if isinstance(body, dict) else {}


def _fault(where: str, message: str) -> InputError:
    return InputError([Problem(file=where, line=0, column=0, message=message)])


def capture(server: Server, namespace: str) -> Capture:
    """Workloads, Services, autoscalers and budgets of a namespace, and the cluster's nodes. InputError when nothing runs pods there."""
    manifests: list[dict[str, Any]] = []
    for version, resource, kind in KINDS:
        own = [one for one in server.items(version, resource, namespace) if not (one.get("metadata") or {}).get("ownerReferences")]
        manifests += [cleaned({"apiVersion": version, "kind": kind, **one}) for one in own]
    if not any("containers" in json.dumps(one) for one in manifests):
        raise _fault(server.host, f"nothing runs pods in namespace {namespace}")
    notes: list[str] = []
    nodes: dict[str, dict[str, Any]] = {}
    images: dict[str, int] = {}
    release: str | None = None
    try:
        manifests = [*_priorities(server, manifests), *manifests]
        machines = server.items("v1", "nodes")
        nodes, images = pools(machines, _others(server, namespace, notes)), sizes(machines, manifests)
        left_out = sum(not _takes_pods(one) for one in machines)
        notes += [f"{left_out} nodes that are cordoned or not ready are left out"] if left_out else []
        release = server.version()
    except InputError as error:
        notes += [f"nodes, priorities and version: {one.message}" for one in error.problems]
    return Capture(manifests=tuple(manifests), nodes=nodes, notes=tuple(notes), images=images, version=release)


def sizes(nodes: Sequence[Mapping[str, Any]], manifests: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Image of a container -> its bytes, as the nodes that have it tell; the largest where they differ.

    >>> node = {"status": {"images": [{"names": ["docker.io/library/web:1", "docker.io/library/web@sha256:0"], "sizeBytes": 5}]}}
    >>> sizes([node], [{"spec": {"containers": [{"image": "web:1"}, {"image": "other"}]}}])
    {'web:1': 5}
    """
    known: dict[str, int] = {}
    for node in nodes:
        for one in (node.get("status") or {}).get("images") or []:
            for name in one.get("names") or []:
                known[str(name)] = max(known.get(str(name), 0), int(one.get("sizeBytes") or 0))
    used = sorted(set(_images(manifests)))
    return {image: known[full_name(image)] for image in used if known.get(full_name(image))}


def _images(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get("image"), str):
            yield str(value["image"])
        for entry in value.values():
            yield from _images(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _images(entry)


def full_name(image: str) -> str:
    """An image's name as container runtimes write it.

    >>> [full_name(one) for one in ("web", "shop/web:1", "registry:5000/web", "ghcr.io/a/b@sha256:0")]
    ['docker.io/library/web:latest', 'docker.io/shop/web:1', 'registry:5000/web:latest', 'ghcr.io/a/b@sha256:0']
    """
    first, slash, _ = image.partition("/")
    if not slash:
        image = f"docker.io/library/{image}"
    elif not ("." in first or ":" in first or first == "localhost"):
        image = f"docker.io/{image}"
    return image if "@" in image or ":" in image.rpartition("/")[2] else f"{image}:latest"


def _priorities(server: Server, manifests: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The PriorityClasses that pods of these manifests name, and a default of the cluster."""
    text = json.dumps(manifests)
    for one in server.items("scheduling.k8s.io/v1", "priorityclasses"):
        name = one["metadata"]["name"]
        if not name.startswith("system-") and (f'"priorityClassName": "{name}"' in text or one.get("globalDefault")):
            yield cleaned({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", **one})


def _others(server: Server, namespace: str, notes: list[str]) -> dict[str, dict[str, float]]:
    """Node -> what pods of other namespaces request there; empty with a note where they may not be seen."""
    try:
        pods = server.items("v1", "pods")
    except InputError as error:
        notes += [f"what other namespaces use of the nodes is not known: {one.message}" for one in error.problems]
        return {}
    found: dict[str, dict[str, float]] = {}
    for pod in pods:
        spec, node = pod.get("spec") or {}, (pod.get("spec") or {}).get("nodeName")
        ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        if not node or ended or (pod.get("metadata") or {}).get("namespace") == namespace:
            continue
        used = found.setdefault(node, {"cpu": 0.0, "memory": 0.0, "pods": 0.0})
        asked = pod_of("", spec).requests
        used["pods"] += 1
        used["cpu"] += asked.get("cpu", 0) / 1000
        used["memory"] += asked.get("memory", 0)
    return found


def cleaned(item: Mapping[str, Any]) -> dict[str, Any]:
    """An object without what the server keeps about it, its annotations that nobody looks at, and the environment of its containers.

    >>> cleaned({"kind": "Service", "metadata": {"name": "a", "uid": "1"}, "status": {}})
    {'kind': 'Service', 'metadata': {'name': 'a'}}
    """
    kept = {key: value for key, value in item.items() if key != "status"}
    kept["metadata"] = {key: value for key, value in (item.get("metadata") or {}).items() if key not in (*VOLATILE, "annotations")}
    said = {key: value for key, value in ((item.get("metadata") or {}).get("annotations") or {}).items() if key.startswith(ANNOTATIONS)}
    if said:
        kept["metadata"]["annotations"] = said
    return {key: _bare(value) for key, value in kept.items()}


def _bare(value: Any) -> Any:
    if isinstance(value, Mapping):
        plain = "image" in value
        return {key: _bare(entry) for key, entry in value.items() if not (plain and key in ("env", "envFrom"))}
    return [_bare(entry) for entry in value] if isinstance(value, list) else value


# ------------------------------------------------------------------ nodes


def pools(nodes: Sequence[Mapping[str, Any]], others: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, Any]]:
    """Nodes of one size, name of a pool and taints as a pool of a scenario.

    A node offers what it can allocate less what pods of `others` request, as the mean over the pool's nodes. Nodes that are not ready or
    are cordoned are left out.

    >>> node = {"metadata": {"name": "a"}, "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}}}
    >>> pools([node, node], {"a": {"cpu": 0.5, "memory": 2.0**30, "pods": 10.0}})
    {'pool-1': {'cores': 3.5, 'memory': 7516192768, 'pods': 100, 'count': 2}}
    """
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for node in sorted(nodes, key=lambda one: str(one["metadata"]["name"])):
        if _takes_pods(node):
            groups.setdefault(_kind(node), []).append(node)
    found: dict[str, dict[str, Any]] = {}
    for number, (key, members) in enumerate(groups.items(), 1):
        name = str(key[0] or f"pool-{number}")
        while name in found:
            name += "-2"
        found[name] = _pool(members, others)
    return found


def _takes_pods(node: Mapping[str, Any]) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or []
    ready = all(one.get("status") == "True" for one in conditions if one.get("type") == "Ready")
    return ready and not (node.get("spec") or {}).get("unschedulable")


def _kind(node: Mapping[str, Any]) -> tuple[Any, ...]:
    labels, room = node["metadata"].get("labels") or {}, node["status"]["allocatable"]
    name = next((labels[key] for key in POOL_LABELS if key in labels), "")
    size = round(float(parse_quantity(str(room["cpu"]))), 1), round(float(parse_quantity(str(room["memory"]))) / 2**30)
    return name, labels.get("node.kubernetes.io/instance-type", ""), size, json.dumps(_taints(node), sort_keys=True)


def _taints(node: Mapping[str, Any]) -> list[dict[str, str]]:
    """Those that stay; the control plane's own conditions are not for a plan."""
    said = (node.get("spec") or {}).get("taints") or []
    return [
        {key: one[key] for key in ("key", "value", "effect") if one.get(key)}
        for one in said
        if not one["key"].startswith("node.kubernetes.io/")
    ]


def _pool(members: Sequence[Mapping[str, Any]], others: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    def free(key: str) -> float:
        rooms = [float(parse_quantity(str(one["status"]["allocatable"][key]))) for one in members]
        used = [others.get(str(one["metadata"]["name"]), {}).get(key, 0.0) for one in members]
        return max(0.0, sum(room - use for room, use in zip(rooms, used, strict=True)) / len(members))

    made: dict[str, Any] = {
        "cores": round(free("cpu"), 3), "memory": int(free("memory")), "pods": max(1, int(free("pods"))), "count": len(members),
    }  # fmt: skip
    zones = sorted({str((one["metadata"].get("labels") or {}).get(ZONE, "")) for one in members} - {""})
    counts = Counter(item for one in members for item in (one["metadata"].get("labels") or {}).items())
    labels = {key: value for (key, value), n in sorted(counts.items()) if n == len(members) and not key.startswith(OWN_LABELS)}
    taints = _taints(members[0])
    return made | {key: value for key, value in (("zones", zones), ("labels", labels), ("taints", taints)) if value}


# ------------------------------------------------------------------ texts


def texts(found: Capture, namespace: str) -> dict[str, str]:
    """The files of a capture: `manifests.yaml`, and `scenario.yaml` with the nodes and room for the load."""
    import yaml

    notes = "".join(f"# {note}\n" for note in found.notes)
    head = f"# Nodes as they are now, less what pods of namespaces other than {namespace} request (mean of each pool).\n{notes}"
    rest = "# Next: `load`, and `services` with the CPU of a request; see `simulate run --help`.\n"
    scenario: dict[str, Any] = {"version": 1, **({"nodes": dict(found.nodes)} if found.nodes else {})}
    if found.images:
        scenario["images"] = dict(found.images)
    if found.version is not None:
        scenario["controlPlane"] = {"version": found.version}
    return {
        "manifests.yaml": yaml.safe_dump_all([dict(one) for one in found.manifests], sort_keys=False, allow_unicode=True),
        "scenario.yaml": head + rest + yaml.safe_dump(scenario, sort_keys=False, allow_unicode=True),
    }
