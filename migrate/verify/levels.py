"""Pod Security: the level that a pod needs, against the level that its namespace enforces (MIG930).

Source: the Pod Security Standards of the Kubernetes documentation; which sysctls are safe depends on the version.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from migrate.source import Path_
from migrate.verify.objects import Container, Pod, mapping, name, sequence
from migrate.verify.references import Breach, Objects

ENFORCE: Final = "pod-security.kubernetes.io/enforce"
LEVELS: Final = ("restricted", "baseline", "privileged")

_CAPABILITIES: Final = frozenset(
    {
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID"),
        *("SETPCAP", "SETUID", "SYS_CHROOT"),
    }
)
_SELINUX: Final[Mapping[str, int]] = {"": 25, "container_t": 25, "container_init_t": 25, "container_kvm_t": 25, "container_engine_t": 31}
_SYSCTLS: Final[Mapping[str, int]] = {
    **dict.fromkeys(
        ("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.tcp_syncookies"), 25
    ),
    "net.ipv4.ping_group_range": 25,
    "net.ipv4.ip_local_reserved_ports": 27,
    **dict.fromkeys(
        ("net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes"), 29
    ),
    **dict.fromkeys(("net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"), 32),
}
"""Sysctl -> the minor version from which on it is safe."""
_PROFILES: Final = ("RuntimeDefault", "Localhost")
_VOLUMES: Final = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret", "image"}
)
_APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"


def breaches(objects: Objects, version: str) -> Iterator[Breach]:
    """Pods that their namespace, if it is among the objects, will not admit: one breach a workload, with all it needs."""
    minor = int(version.partition(".")[2])
    enforced = {
        name(m): str(mapping(mapping(m.get("metadata")).get("labels")).get(ENFORCE, "privileged"))
        for m in objects.manifests
        if m.get("kind") == "Namespace"
    }
    for pod in objects.pods.values():
        level = enforced.get(pod.namespace, "privileged")
        needs = [(path, what) for least, path, what in needed(pod, minor) if level in LEVELS and LEVELS.index(level) < LEVELS.index(least)]
        if needs:
            what = ", ".join(dict.fromkeys(text for _, text in needs))
            message = f"the namespace {pod.namespace} enforces Pod Security {level}, which refuses these pods: {what}"
            yield Breach(code="MIG930", position=pod.position, path=needs[0][0], message=message)


def level_of(pod: Pod, version: str) -> str:
    """The strictest level that admits a pod."""
    minor = int(version.partition(".")[2])
    return max((least for least, _, _ in needed(pod, minor)), key=LEVELS.index, default="restricted")


def needed(pod: Pod, minor: int) -> Iterator[tuple[str, Path_, str]]:
    """(level, place, what): each thing in a pod that a stricter level than this refuses."""
    yield from _of_pod(pod, minor)
    security = mapping(pod.spec.get("securityContext"))
    apart = minor >= 36 and pod.spec.get("hostUsers") is False
    for container in pod.containers():
        yield from _of_container(container, security, minor, apart)


def _of_pod(pod: Pod, minor: int) -> Iterator[tuple[str, Path_, str]]:
    spec, security = pod.spec, mapping(pod.spec.get("securityContext"))
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            yield "privileged", (*pod.path, key), key
    for path, volume in pod.volumes():
        kinds = set(volume) - {"name"}
        if "hostPath" in kinds:
            yield "privileged", (*path, "hostPath"), "hostPath volumes"
        elif kinds - _VOLUMES:
            yield "baseline", path, f"{sorted(kinds)[0]} volumes"
    for index, sysctl in enumerate(map(mapping, sequence(security.get("sysctls")))):
        if _SYSCTLS.get(str(sysctl.get("name")), 99) > minor:
            yield "privileged", (*pod.path, "securityContext", "sysctls", index, "name"), f"sysctl {sysctl.get('name')}"
    notes = mapping(mapping(_template(pod).get("metadata")).get("annotations"))
    for key, value in notes.items():
        if str(key).startswith(_APPARMOR) and value != "runtime/default" and not str(value).startswith("localhost/"):
            yield "privileged", (*pod.path[:-1], "metadata", "annotations", str(key)), "AppArmor unconfined"
    yield from _profiles(security, (*pod.path, "securityContext"), minor)


def _template(pod: Pod) -> Mapping[str, Any]:
    value: Any = pod.workload
    for step in pod.path[:-1]:
        value = mapping(value).get(str(step))
    return mapping(value)


def _profiles(security: Mapping[str, Any], path: Path_, minor: int) -> Iterator[tuple[str, Path_, str]]:
    """What pods and containers say in the same words: seccomp, AppArmor, SELinux, Windows."""
    for key, what in (("seccompProfile", "seccomp"), ("appArmorProfile", "AppArmor")):
        if mapping(security.get(key)).get("type") == "Unconfined":
            yield "privileged", (*path, key, "type"), f"{what} unconfined"
    selinux = mapping(security.get("seLinuxOptions"))
    if _SELINUX.get(str(selinux.get("type") or ""), 99) > minor or selinux.get("user") or selinux.get("role"):
        yield "privileged", (*path, "seLinuxOptions"), "seLinuxOptions"
    if mapping(security.get("windowsOptions")).get("hostProcess"):
        yield "privileged", (*path, "windowsOptions", "hostProcess"), "hostProcess"


def _of_container(container: Container, of_pod: Mapping[str, Any], minor: int, apart: bool) -> Iterator[tuple[str, Path_, str]]:
    """`apart`: the pod has users of its own, so that its root is nobody on the node."""
    data, security = container.data, mapping(container.data.get("securityContext"))
    path = (*container.path, "securityContext")
    if security.get("privileged"):
        yield "privileged", (*path, "privileged"), "privileged"
    if security.get("procMount", "Default") != "Default":
        yield "baseline" if apart else "privileged", (*path, "procMount"), "procMount"
    for index, port in enumerate(map(mapping, sequence(data.get("ports")))):
        if port.get("hostPort"):
            yield "privileged", (*container.path, "ports", index, "hostPort"), "hostPort"
    if minor >= 34:
        yield from _hosts(container)
    yield from _profiles(security, path, minor)
    yield from _capabilities(security, path)
    yield from _restricted(security, of_pod, path, apart)


def _hosts(container: Container) -> Iterator[tuple[str, Path_, str]]:
    hooks = mapping(container.data.get("lifecycle"))
    handlers: dict[Path_, Any] = {(key,): container.data.get(key) for key in ("livenessProbe", "readinessProbe", "startupProbe")}
    handlers |= {("lifecycle", key): hooks.get(key) for key in ("postStart", "preStop")}
    for place, handler in handlers.items():
        for verb in ("httpGet", "tcpSocket"):
            if mapping(mapping(handler).get(verb)).get("host"):
                yield "privileged", (*container.path, *place, verb, "host"), "a probe or hook that names a host"


def _capabilities(security: Mapping[str, Any], path: Path_) -> Iterator[tuple[str, Path_, str]]:
    said = mapping(security.get("capabilities"))
    added = [str(word) for word in sequence(said.get("add"))]
    for word in added:
        if word not in _CAPABILITIES:
            yield "privileged", (*path, "capabilities", "add"), f"capability {word}"
    if "ALL" not in map(str, sequence(said.get("drop"))):
        yield "baseline", (*path, "capabilities"), "capabilities that are not all dropped"
    if set(added) - {"NET_BIND_SERVICE"}:
        yield "baseline", (*path, "capabilities", "add"), "capabilities added"


def _restricted(security: Mapping[str, Any], of_pod: Mapping[str, Any], path: Path_, apart: bool) -> Iterator[tuple[str, Path_, str]]:
    if security.get("allowPrivilegeEscalation") is not False:
        yield "baseline", (*path, "allowPrivilegeEscalation"), "privilege escalation not forbidden"
    if not apart and not security.get("runAsNonRoot", of_pod.get("runAsNonRoot")):
        yield "baseline", (*path, "runAsNonRoot"), "runAsNonRoot not set"
    if not apart and 0 in (security.get("runAsUser"), of_pod.get("runAsUser")):
        yield "baseline", (*path, "runAsUser"), "user 0"
    profile = mapping(security.get("seccompProfile")) or mapping(of_pod.get("seccompProfile"))
    if profile.get("type") not in _PROFILES:
        yield "baseline", (*path, "seccompProfile"), "seccomp profile not set"
