"""Users, capabilities, profiles, host access, Pod Security (conversion.md 2.15)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from migrate.compose.model import Service
from migrate.findings import Action
from migrate.plan.decision import Answers, Decided, Notes
from migrate.plan.spelling import is_subdomain, label, shortened, slug
from migrate.plan.types import Security, Storage, Volume, VolumeMount
from migrate.stack import Member, Stack
from migrate.stack.data import image_facts, image_repository, knowledge

Level = Literal["privileged", "baseline", "restricted"]
LEVELS: Final[tuple[Level, ...]] = ("restricted", "baseline", "privileged")
_BASELINE_CAPABILITIES: Final = frozenset(
    (
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP",
        "SETUID", "SYS_CHROOT",
    )
)  # fmt: skip
RESTRICTED: Final[Mapping[str, Any]] = {
    "runAsNonRoot": True,
    "runAsUser": 65534,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""The security of generated init containers: the Pod Security level restricted admits it."""
ENGINE: Final[Mapping[str, Any]] = {"runAsUser": 0, "runAsGroup": 0, "allowPrivilegeEscalation": False}
"""The security of what Docker's engine did as root: it copies files with their owners. The level baseline admits it."""


def decide_security(
    stack: Stack, member: Member, container_name: str, storage: Storage, low_port: bool, host_ports: bool, answers: Answers
) -> Decided[Security]:
    """Security of one container and what it asks of its pod. `low_port`: it listens on a port below 1024; `host_ports`: on ports of its
    node."""
    notes = Notes(stack.project, member.service)
    service, data = member.service, member.service.data
    container: dict[str, Any] = {}
    pod: dict[str, Any] = {"seccompProfile": {"type": "RuntimeDefault"}}
    spec: dict[str, Any] = {}
    annotations: dict[str, str] = {}
    uid, gid = _user(data.get("user"), member, notes)
    if uid is not None:
        container["runAsUser"] = uid
    if gid is not None:
        container["runAsGroup"] = gid
    privileged = bool(data.get("privileged"))
    added, dropped = _capabilities(data, notes)
    if added or dropped:
        container["capabilities"] = {**({"add": added} if added else {}), **({"drop": dropped} if dropped else {})}
    if data.get("read_only"):
        container["readOnlyRootFilesystem"] = True
    volumes, mounts, devices = _devices(service, notes)
    devices = devices or _tunnel(member, notes)
    if privileged:
        notes.find("MIG802", "privileged", "privileged", action=Action.MAPPED)
    if privileged or devices:
        container["privileged"] = True
        container["seccompProfile"] = {"type": "Unconfined"}
        if "capabilities" in container:
            container["capabilities"] = {k: v for k, v in container["capabilities"].items() if k == "drop"} or None
            if container["capabilities"] is None:
                del container["capabilities"]
    _options(data.get("security_opt") or (), container, container_name, annotations, answers, notes)
    if container.get("allowPrivilegeEscalation") is False and (container.get("privileged") or "SYS_ADMIN" in added or "ALL" in added):
        del container["allowPrivilegeEscalation"]
        notes.find("MIG809", "no-new-privileges cannot stand beside privileged or SYS_ADMIN", "security_opt", action=Action.DROPPED)
    sysctls = _sysctls(data.get("sysctls") or {}, service, answers, notes)
    effective = uid if uid is not None else _image_uid(member)
    if (
        low_port
        and effective
        and not any(s["name"] == "net.ipv4.ip_unprivileged_port_start" for s in sysctls)
        and service.network_mode != "host"
    ):
        sysctls.append({"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"})
        notes.find("MIG815", "ports below 1024 are opened for its user, as Docker does", action=Action.MAPPED)
    if sysctls:
        pod["sysctls"] = sysctls
    if (groups := _groups(data.get("group_add") or (), member, notes)) is not None:
        pod["supplementalGroups"] = groups
    _fs_group(member, storage, uid, gid, pod, notes)
    _host(service, spec, notes)
    key = "kompose.serviceaccount-name"
    if account := notes.named_by_label(key):
        spec["serviceAccountName"] = account
        notes.find("MIG421", f"account {account} must exist before; its token is mounted", "labels", key, action=Action.MAPPED)
    level = _level(container, pod, spec, storage, devices or host_ports or _privileged_step(data), effective, added, answers)
    return notes.done(
        Security(
            container=container,
            pod=pod,
            pod_spec=spec,
            annotations=annotations,
            volumes=volumes,
            mounts=mounts,
            level=level,
            devices=devices,
        )
    )


def _user(said: Any, member: Member, notes: Notes) -> tuple[int | None, int | None]:
    """Numbers of user and group; names by the accounts that the Dockerfile makes."""
    if said in (None, ""):
        return None, None
    user, _, group = str(said).partition(":")
    uid, gid = _number_of(user, _users(member)), _number_of(group, _group_names(member))
    if uid is None and user:
        notes.find("MIG807", f"user {user} is a name", "user", action=Action.DROPPED)
    if gid is None and group:
        notes.find("MIG808", f"group {group} is a name", "user", action=Action.DROPPED)
    return uid, gid


def _number_of(text: str, known: Mapping[str, int]) -> int | None:
    return int(text) if text.isdigit() else 0 if text == "root" else known.get(text)


def _users(member: Member) -> Mapping[str, int]:
    return member.dockerfile.users if member.dockerfile is not None else {}


def _group_names(member: Member) -> Mapping[str, int]:
    return member.dockerfile.groups if member.dockerfile is not None else {}


def _groups(said: Iterable[Any], member: Member, notes: Notes) -> list[int] | None:
    groups = []
    for index, group in enumerate(said):
        number = _number_of(str(group), _group_names(member))
        if number is not None:
            groups.append(number)
        else:
            notes.find("MIG808", f"group {group} is a name", "group_add", index, action=Action.DROPPED)
    return groups or None


def _image_uid(member: Member) -> int | None:
    if member.dockerfile is not None and member.dockerfile.user:
        return _number_of(member.dockerfile.user.partition(":")[0], _users(member))
    if uid := image_facts(member.service.image).get("uid"):
        return int(uid)
    return 1001 if "bitnami/" in image_repository(member.service.image) else None


def _fs_group(member: Member, storage: Storage, uid: int | None, gid: int | None, pod: dict[str, Any], notes: Notes) -> None:
    said = member.service.labels.get("kompose.security-context.fsgroup", "")
    if said and not said.isdigit():
        key = "kompose.security-context.fsgroup"
        notes.find("MIG007", f"label {key}: {said!r} is no number", "labels", key, action=Action.DROPPED)
    claimed = bool(storage.claims)
    owner = uid if uid is not None else _image_uid(member)
    group = int(said) if said.isdigit() else (gid or owner) if claimed and owner else None
    if group:
        pod["fsGroup"] = group
        pod["fsGroupChangePolicy"] = "OnRootMismatch"
        notes.find("MIG515", f"volumes get the group {group}", action=Action.MAPPED)


def _capabilities(data: Mapping[str, Any], notes: Notes) -> tuple[list[str], list[str]]:
    added = [str(c).upper().removeprefix("CAP_") for c in data.get("cap_add") or ()]
    dropped = [str(c).upper().removeprefix("CAP_") for c in data.get("cap_drop") or ()]
    return list(dict.fromkeys(added)), list(dict.fromkeys(dropped))


def _devices(service: Service, notes: Notes) -> tuple[tuple[Volume, ...], tuple[VolumeMount, ...], bool]:
    volumes, mounts = [], []
    for index, device in enumerate(service.data.get("devices") or ()):
        source = str(device.get("source") if isinstance(device, Mapping) else device)
        target = str((device.get("target") if isinstance(device, Mapping) else None) or source)
        if not source.startswith("/"):
            notes.find("MIG724", f"device {source} needs a device plugin", "devices", index, action=Action.DROPPED)
            continue
        name = shortened(label(f"device-{slug(source)}"), source, 63)
        kind = "BlockDevice" if re.fullmatch(r"/dev/(sd|nvme|vd|xvd|loop|dm-|md)[\w-]*", source) else "CharDevice"
        directory = source in ("/dev/dri", "/dev/snd", "/dev/bus/usb", "/dev/input", "/dev/dvb")
        host = {"path": source, "type": "Directory" if directory else kind}
        volumes.append(Volume(name=name, source={"hostPath": host}))
        mounts.append(VolumeMount(volume=name, path=target))
        notes.find("MIG805", f"device {source} as hostPath, and the container privileged", "devices", index)
        permissions = str(device.get("permissions") or "") if isinstance(device, Mapping) else ""
        if permissions:
            text = f"permissions {permissions} of device {source} become rwm"
            notes.find("MIG805", text, "devices", index, "permissions", action=Action.DROPPED)
    return tuple(volumes), tuple(mounts), bool(volumes)


def _tunnel(member: Member, notes: Notes) -> bool:
    """Whether the device /dev/net/tun is mounted as a path: the node lets a privileged container alone use it."""
    for index, mount in enumerate(member.mounts):
        if mount.kind == "system" and mount.mount.source == "/dev/net/tun":
            notes.find("MIG805", "device /dev/net/tun as hostPath, and the container privileged", "volumes", index, span=mount.mount.span)
            return True
    return False


def _privileged_step(data: Mapping[str, Any]) -> bool:
    return any(isinstance(s, Mapping) and s.get("privileged") for s in data.get("pre_start") or ())


def _options(
    said: Iterable[Any], container: dict[str, Any], container_name: str, annotations: dict[str, str], answers: Answers, notes: Notes
) -> None:
    for index, entry in enumerate(said):
        key, _, value = re.sub(r"^([a-z-]+):", r"\1=", str(entry), count=1).partition("=")
        path = ("security_opt", index)
        if key == "no-new-privileges" and value in ("", "true"):
            container["allowPrivilegeEscalation"] = False
        elif key == "seccomp" and value == "unconfined":
            container["seccompProfile"] = {"type": "Unconfined"}
        elif key == "seccomp" and value:
            name = value.rsplit("/", 1)[-1]
            container["seccompProfile"] = {"type": "Localhost", "localhostProfile": f"profiles/{name}"}
            notes.find("MIG810", f"seccomp profile profiles/{name} must be on the nodes", *path)
        elif key == "apparmor" and value:
            _apparmor(value, container, container_name, annotations, answers, notes, path)
        elif key == "label" and value:
            _selinux(value, container, notes, path)
        elif not (key == "no-new-privileges" and value == "false"):
            notes.find("MIG809", f"{key} is not understood", *path, action=Action.DROPPED)


def _apparmor(
    value: str,
    container: dict[str, Any],
    container_name: str,
    annotations: dict[str, str],
    answers: Answers,
    notes: Notes,
    path: tuple[str | int, ...],
) -> None:
    local = value not in ("unconfined", "docker-default", "runtime/default")
    if local:
        notes.find("MIG810", f"AppArmor profile {value} must be on the nodes", *path)
    if answers.at_least("1.30"):
        kind = "Unconfined" if value == "unconfined" else "Localhost" if local else "RuntimeDefault"
        container["appArmorProfile"] = {"type": kind, **({"localhostProfile": value} if local else {})}
    else:
        name = f"container.apparmor.security.beta.kubernetes.io/{container_name}"
        annotations[name] = f"localhost/{value}" if local else "unconfined" if value == "unconfined" else "runtime/default"


def _selinux(value: str, container: dict[str, Any], notes: Notes, path: tuple[str | int, ...]) -> None:
    key, _, what = value.partition(":")
    if key in ("user", "role", "type", "level") and what:
        container.setdefault("seLinuxOptions", {})[key] = what
    elif key == "disable":
        container.setdefault("seLinuxOptions", {})["type"] = "spc_t"
    else:
        notes.find("MIG809", f"label {key} is not understood", *path, action=Action.DROPPED)


def _sysctls(said: Mapping[str, Any] | Iterable[Any], service: Service, answers: Answers, notes: Notes) -> list[dict[str, str]]:
    pairs = said.items() if isinstance(said, Mapping) else (str(s).partition("=")[::2] for s in said)
    safe, namespaced = knowledge()["safe_sysctls"], re.compile("|".join(knowledge()["namespaced_sysctls"]))
    found = []
    host_network, host_ipc = service.network_mode == "host", service.data.get("ipc") == "host"
    for name, value in pairs:
        of_host = (host_network and name.startswith("net.")) or (
            host_ipc and name.startswith(("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue"))
        )
        if of_host:
            notes.find("MIG804", f"sysctl {name} is of the node when its namespace is shared", "sysctls", name, action=Action.REFUSED)
        elif name in safe and answers.at_least(str(safe[name])):
            found.append({"name": name, "value": str(value)})
        elif namespaced.fullmatch(name):
            notes.find("MIG803", f"sysctl {name} must be allowed on the nodes", "sysctls", name)
            found.append({"name": name, "value": str(value)})
        else:
            notes.find("MIG804", f"sysctl {name} is of the whole node", "sysctls", name, action=Action.REFUSED)
    return found


def _host(service: Service, spec: dict[str, Any], notes: Notes) -> None:
    if service.network_mode == "host":
        spec["hostNetwork"] = True
        spec["dnsPolicy"] = "ClusterFirstWithHostNet"
        notes.find("MIG812", "the pod uses the network of its node", "network_mode", action=Action.MAPPED)
    for key, field in (("pid", "hostPID"), ("ipc", "hostIPC")):
        if service.data.get(key) == "host":
            spec[field] = True
            notes.find("MIG813", f"{key} namespace of the node", key, action=Action.MAPPED)
    runtime = str(service.data.get("runtime") or "")
    if runtime and runtime not in ("runc", "nvidia"):
        name = label(runtime.rsplit("/", 1)[-1].removeprefix("io.containerd."))
        if is_subdomain(name):
            spec["runtimeClassName"] = name
            notes.find("MIG818", f"runtime class {name} must exist", "runtime")
    elif runtime == "nvidia":
        notes.find("MIG818", "runtime nvidia: the device plugin decides", "runtime", action=Action.DROPPED)


def _level(
    container: Mapping[str, Any],
    pod: Mapping[str, Any],
    spec: Mapping[str, Any],
    storage: Storage,
    devices: bool,
    uid: int | None,
    added: list[str],
    answers: Answers,
) -> Level:
    unconfined = (
        container.get("seccompProfile", {}).get("type") == "Unconfined" or container.get("appArmorProfile", {}).get("type") == "Unconfined"
    )
    host = any(spec.get(k) for k in ("hostNetwork", "hostPID", "hostIPC"))
    unsafe = any(not _baseline_sysctl(s["name"], answers) for s in pod.get("sysctls", ()))
    if container.get("privileged") or devices or host or unconfined or unsafe or storage.host_paths:
        return "privileged"
    selinux = container.get("seLinuxOptions", {})
    if any(c not in _BASELINE_CAPABILITIES for c in added) or selinux.get("type") not in _BASELINE_SELINUX:
        return "privileged"
    if selinux.get("user") or selinux.get("role"):
        return "privileged"
    restricted = bool(uid) and container.get("runAsNonRoot") and container.get("allowPrivilegeEscalation") is False
    drops_all = "ALL" in container.get("capabilities", {}).get("drop", ())
    return "restricted" if restricted and drops_all and not set(added) - {"NET_BIND_SERVICE"} else "baseline"


_BASELINE_SELINUX: Final = frozenset({None, "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})


def _baseline_sysctl(name: str, answers: Answers) -> bool:
    first = knowledge()["safe_sysctls"].get(name)
    return first is not None and answers.at_least(str(first))


def laxest(levels: Iterable[Level]) -> Level:
    """The level that admits all of `levels`.

    >>> laxest(["restricted", "baseline"])
    'baseline'
    """
    return max(levels, key=LEVELS.index, default="restricted")
