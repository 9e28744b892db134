"""Pods with the strictest Pod Security level that admits them; `tests/live/test_verify_live.py` asks a real API server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from migrate.verify.objects import Pod, pod_of

STRICT: Final[Mapping[str, Any]] = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def pod(security: Mapping[str, Any] | None = None, of_pod: Mapping[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A Pod of one container; `security` over the strictest one, None takes a key away."""
    own = {key: value for key, value in {**STRICT, **(security or {})}.items() if value is not None}
    container = {"name": "web", "image": "web:1", "securityContext": own, **spec.pop("container", {})}
    body = {"containers": [container], "securityContext": dict(of_pod or {}), **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "annotations": {}}, "spec": body}


def read(manifest: dict[str, Any]) -> Pod:
    """The pod as the checks read it."""
    found = pod_of(0, manifest)
    assert found is not None
    return found


def _volume(**source: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "v", **source}]}


PODS: Final[Sequence[tuple[str, dict[str, Any], str]]] = [
    ("strict", pod(), "restricted"),
    ("nothing said", pod(dict.fromkeys(STRICT)), "baseline"),
    (
        "said of the pod",
        pod({"runAsNonRoot": None, "seccompProfile": None}, {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}),
        "restricted",
    ),
    ("container against its pod", pod({"runAsNonRoot": False}, {"runAsNonRoot": True}), "baseline"),
    ("user 0", pod({"runAsUser": 0}), "baseline"),
    ("user 1000", pod({"runAsUser": 1000}), "restricted"),
    ("user 0 of the pod", pod(None, {"runAsUser": 0}), "baseline"),
    ("escalation", pod({"allowPrivilegeEscalation": True}), "baseline"),
    ("privileged", pod({"privileged": True, "allowPrivilegeEscalation": None}), "privileged"),
    ("low ports", pod({"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}), "restricted"),
    ("CHOWN", pod({"capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}}), "baseline"),
    ("some dropped", pod({"capabilities": {"drop": ["KILL"]}}), "baseline"),
    ("NET_ADMIN", pod({"capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}}), "privileged"),
    ("NET_RAW", pod({"capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]}}), "privileged"),
    ("unconfined", pod({"seccompProfile": {"type": "Unconfined"}}), "privileged"),
    ("unconfined pod", pod(None, {"seccompProfile": {"type": "Unconfined"}}), "privileged"),
    ("local profile", pod({"seccompProfile": {"type": "Localhost", "localhostProfile": "a.json"}}), "restricted"),
    ("AppArmor", pod({"appArmorProfile": {"type": "RuntimeDefault"}}), "restricted"),
    ("AppArmor unconfined", pod({"appArmorProfile": {"type": "Unconfined"}}), "privileged"),
    ("host network", pod(hostNetwork=True), "privileged"),
    ("host processes", pod(hostPID=True), "privileged"),
    ("host IPC", pod(hostIPC=True), "privileged"),
    ("host port", pod(container={"ports": [{"containerPort": 80, "hostPort": 80}]}), "privileged"),
    ("port", pod(container={"ports": [{"containerPort": 80}]}), "restricted"),
    ("host path", pod(**_volume(hostPath={"path": "/x"})), "privileged"),
    ("claim", pod(**_volume(persistentVolumeClaim={"claimName": "c"})), "restricted"),
    ("memory", pod(**_volume(emptyDir={"medium": "Memory"})), "restricted"),
    ("NFS", pod(**_volume(nfs={"server": "s", "path": "/"})), "baseline"),
    ("image volume", pod(**_volume(image={"reference": "a:1"})), "restricted"),
    ("safe sysctl", pod(None, {"sysctls": [{"name": "net.ipv4.tcp_keepalive_time", "value": "1"}]}), "restricted"),
    ("sysctl", pod(None, {"sysctls": [{"name": "net.core.somaxconn", "value": "1"}]}), "privileged"),
    ("SELinux type", pod({"seLinuxOptions": {"type": "container_t", "level": "s0"}}), "restricted"),
    ("SELinux user", pod({"seLinuxOptions": {"user": "u"}}), "privileged"),
    ("SELinux spc_t", pod({"seLinuxOptions": {"type": "spc_t"}}), "privileged"),
    ("proc of a user namespace", pod({"procMount": "Unmasked"}, hostUsers=False), "baseline"),
    ("root of a user namespace", pod({"runAsUser": 0, "runAsNonRoot": None}, hostUsers=False), "restricted"),
    ("probe of a host", pod(container={"livenessProbe": {"httpGet": {"port": 80, "host": "10.0.0.1"}}}), "privileged"),
    ("hook of a host", pod(container={"lifecycle": {"preStop": {"httpGet": {"port": 80, "host": "10.0.0.1"}}}}), "privileged"),
    ("lax init container", pod(initContainers=[{"name": "first", "image": "a:1"}]), "baseline"),
    ("strict init container", pod(initContainers=[{"name": "first", "image": "a:1", "securityContext": dict(STRICT)}]), "restricted"),
]  # fmt: skip
