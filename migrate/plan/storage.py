"""What each mount becomes that is no configuration (conversion.md 2.8): V1 to V12, copy-up. Its claims are kept by `claims`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, Final

from migrate.compose.model import Volume as ComposeVolume
from migrate.compose.units import size_bytes
from migrate.findings import Action, Severity
from migrate.patterns import late
from migrate.plan.claims import Claims, place_claims
from migrate.plan.decision import Answers, Decided, Notes
from migrate.plan.escaping import escaped
from migrate.plan.spelling import label, object_name, shortened, slug, unique
from migrate.plan.types import Claim, InitContainer, Storage, Volume, VolumeMount
from migrate.stack import ClassifiedMount, Member, Stack
from migrate.stack.data import image_facts, image_repository, knowledge, path_pattern, storage_paths
from migrate.stack.mounts import at_data_target

__all__ = ["decide_storage", "place_claims"]

_PROPAGATION: Final = {"rshared": "Bidirectional", "shared": "Bidirectional", "rslave": "HostToContainer", "slave": "HostToContainer"}
_VOLUME_TYPES: Final = frozenset({"", "configmap", "emptydir", "hostpath", "persistentvolumeclaim"})
_SHELL_LESS: Final = late(r"^scratch$|(^|/)distroless(/|$)|^cgr\.dev/chainguard/static")
_SHM: Final = "/dev/shm"  # noqa: S108 - a path in containers


class _Building:
    """Machinery of one service: its volumes by name and mounts by path, as they are decided; a later mount of a path replaces one."""

    def __init__(self, claims: Claims, member: Member, image: str, passing: frozenset[str], notes: Notes) -> None:
        self.claims, self.member, self.image, self.passing, self.notes = claims, member, image, passing, notes
        self.volumes: dict[str, Volume] = {}
        self.mounts: dict[str, VolumeMount] = {}
        self.init: list[InitContainer] = []
        self.external: list[str] = []
        self.docker_socket = self.host_paths = self.timezone = False
        self.privileged = bool(member.service.data.get("privileged"))
        self.dropped = [m.mount.target.rstrip("/") + "/" for m in member.mounts if m.kind == "source-tree"]
        kept = claims.answers.of(member.service.name, "hostPath", ()) or ()
        self.kept_paths = frozenset(str(p).rstrip("/") for p in kept)

    def add(self, name: str, source: Mapping[str, Any], mount: VolumeMount, claim: str | None = None) -> None:
        """Take up a volume (once) and a mount of it."""
        self.volumes.setdefault(name, Volume(name=name, source=source, claim=claim))
        self.mounts.pop(mount.path, None)
        self.mounts[mount.path] = mount

    def done(self) -> Storage:
        """What was built."""
        used = {m.volume for m in self.mounts.values()} | {m.volume for i in self.init for m in i.mounts}
        volumes = tuple(v for v in self.volumes.values() if v.name in used)
        return Storage(
            volumes=volumes,
            mounts=tuple(self.mounts.values()),
            init=tuple(self.init),
            claims=tuple(dict.fromkeys(v.claim for v in volumes if v.claim)),
            external=tuple(dict.fromkeys(self.external)),
            docker_socket=self.docker_socket,
            host_paths=self.host_paths,
            timezone=self.timezone,
        )

    def free_name(self, name: str, target: str) -> str:
        """A volume name that no other mount has."""
        wanted = _volume_name(name, target)
        return unique(wanted, (wanted,) if wanted in self.volumes else (), target)


def decide_storage(
    stack: Stack,
    homes: Mapping[str, str],
    replicas: Mapping[str, int],
    images: Mapping[str, str],
    sockets: frozenset[str],
    passing: frozenset[str],
    spread: frozenset[str],
    answers: Answers,
) -> Decided[tuple[Mapping[str, Storage], Mapping[str, Claim]]]:
    """Volumes and mounts of every service, and the claims by name.

    `sockets` are the keys of volumes that carry Unix sockets, `passing` those of them that hold nothing else and stay in one pod,
    `spread` the services whose pods cannot stand on one node.
    `homes` maps a service to the owner of the pod that its container runs in, `replicas` to the most pods that may run at once,
    `images` to its image reference. Single files and configuration directories are answered by the settings.
    """
    notes = Notes(stack.project)
    claims = Claims(stack=stack, homes=homes, replicas=replicas, sockets=sockets, spread=spread, answers=answers)
    found: dict[str, Storage] = {}
    for name, member in stack.members.items():
        own = Notes(stack.project, member.service, notes.decisions, notes.findings)
        found[name] = _service(_Building(claims, member, images.get(name, ""), passing, own))
    return notes.done((found, claims.finished(notes)))


def _service(b: _Building) -> Storage:
    service, notes = b.member.service, b.notes
    said = service.labels.get("kompose.volume.type", "")
    if said.lower() not in _VOLUME_TYPES:
        notes.find("MIG009", f"volume type {said!r} is unknown", "labels", "kompose.volume.type", action=Action.DROPPED)
    for index, classified in enumerate(b.member.mounts):
        _mount(b, classified, ("volumes", index))
    for index, text in enumerate(service.tmpfs):
        _tmpfs(b, text, index)
    if (shm := service.data.get("shm_size")) is not None and _SHM not in b.mounts:
        size = size_bytes(str(shm))
        notes.find("MIG711", "shared memory as an emptyDir of that size", "shm_size", action=Action.MAPPED)
        notes.decide("storage", "emptyDir in memory", "V4", "the size of /dev/shm is said", notes.span("shm_size"))
        source = {"emptyDir": {"medium": "Memory", **({"sizeLimit": str(size)} if size else {})}}
        b.add("dev-shm", source, VolumeMount(volume="dev-shm", path=_SHM))
    if service.data.get("use_api_socket"):
        notes.find("MIG125", "needs the Docker API", "use_api_socket", action=Action.REFUSED)
        b.docker_socket = True
    return b.done()


def _mount(b: _Building, classified: ClassifiedMount, path: tuple[str | int, ...]) -> None:
    mount, kind, notes = classified.mount, classified.kind, b.notes
    if mount.kind in ("npipe", "cluster"):
        notes.find("MIG538", f"mount type {mount.kind} does not exist in Kubernetes", *path, action=Action.REFUSED, span=mount.span)
        notes.decide("storage", "not mounted", "V12", f"mount type {mount.kind}", mount.span)
        return
    _options(b, classified, path)
    wanted = b.member.service.labels.get("kompose.volume.type", "").lower()
    kept = (mount.source or "/").rstrip("/") in b.kept_paths
    if mount.kind == "bind" and (wanted == "hostpath" or kept):
        _host_path(b, classified, path, "label kompose.volume.type" if wanted == "hostpath" else "said by the plan")
    elif wanted == "emptydir" and mount.kind in ("bind", "volume"):
        name = _volume_name(f"empty-{slug(mount.target)}", mount.target)
        notes.decide("storage", "emptyDir", "label", "label kompose.volume.type", mount.span)
        b.add(name, {"emptyDir": {}}, _mounted(b, name, classified))
    elif wanted == "persistentvolumeclaim" and mount.kind in ("bind", "volume"):
        _claimed(b, classified, path)
    elif kind not in ("file", "configuration"):
        _by_class(b, classified, path)


def _by_class(b: _Building, classified: ClassifiedMount, path: tuple[str | int, ...]) -> None:
    mount, kind, notes = classified.mount, classified.kind, b.notes
    if kind == "tmpfs":
        _memory(b, mount.target, mount.options.get("tmpfs") or {}, path)
    elif kind == "docker-socket":
        notes.find("MIG125", "the Docker socket is never mounted; the service is written with no replicas", *path, action=Action.REFUSED)
        notes.decide("storage", "not mounted", "V2", "there is no Docker engine to talk to", mount.span)
        b.docker_socket = True
    elif kind == "dropped":
        text = f"{mount.target} is not mounted: the time zone of the node is not that of the old host"
        notes.find("MIG534", text, *path, action=Action.DROPPED)
        notes.decide("storage", "not mounted", "V3", "the time zone of the node is not that of the old host", mount.span)
        b.timezone = True
    elif kind == "source-tree":
        text = f"{mount.target} is not mounted: the image holds the source tree"
        notes.find("MIG530", text, *path, action=Action.DROPPED)
        notes.decide("storage", "not mounted", "2.7", "the image holds the source tree", mount.span)
    elif kind == "missing" or _must_exist(classified):
        _missing(b, classified, path)
    elif kind == "system":
        _host_path(b, classified, path, f"{mount.source or '/'} is a system path")
    elif kind == "image":
        _image(b, classified, path)
    elif kind == "anonymous":
        _anonymous(b, classified, path)
    else:
        _claimed(b, classified, path)


def _options(b: _Building, classified: ClassifiedMount, path: tuple[str | int, ...]) -> None:
    bind = classified.mount.options.get("bind") or {}
    if bind.get("selinux"):
        b.notes.find("MIG535", "the runtime relabels volumes itself", *path, "bind", "selinux", action=Action.DROPPED)
    if bind.get("propagation") in _PROPAGATION:
        text = f"mount propagation {bind['propagation']} needs a privileged container for Bidirectional"
        b.notes.find("MIG536", text, *path, "bind", "propagation")
    elif bind.get("propagation") not in (None, "", "rprivate", "private"):
        b.notes.find(
            "MIG536", f"mount propagation {bind['propagation']} does not exist here", *path, "bind", "propagation", action=Action.DROPPED
        )
    if bind.get("recursive"):
        b.notes.find("MIG916", "bind.recursive has no effect here", *path, "bind", "recursive", action=Action.DROPPED)


def _memory(b: _Building, target: str, options: Mapping[str, Any], path: tuple[str | int, ...]) -> None:
    size = size_bytes(str(options.get("size") or "")) or None
    if options.get("mode") is not None:
        b.notes.find("MIG510", f"the mode of the tmpfs at {target} is lost: it is 0777", *path, action=Action.DROPPED)
    name = b.free_name(f"tmpfs-{slug(target)}", target)
    source = {"emptyDir": {"medium": "Memory", **({"sizeLimit": str(size)} if size else {})}}
    b.notes.decide("storage", "emptyDir in memory", "V1", f"tmpfs at {target}", b.notes.span(*path))
    b.add(name, source, VolumeMount(volume=name, path=target))


def _tmpfs(b: _Building, text: str, index: int) -> None:
    target, _, options = text.partition(":")
    said = dict(o.partition("=")[::2] for o in options.split(",") if o)
    if set(said) - {"size", "mode", "rw"}:
        b.notes.find("MIG510", f"options of the tmpfs at {target} are lost", "tmpfs", index, action=Action.DROPPED)
    _memory(b, target, said, ("tmpfs", index))


def _volume_name(name: str, key: str) -> str:
    return shortened(label(name), key, 63)


def _must_exist(classified: ClassifiedMount) -> bool:
    """`create_host_path: false`: Docker does not make the directory that is missing."""
    bind = classified.mount.options.get("bind") or {}
    return bind.get("create_host_path") is False and classified.kind == "data" and classified.size_bytes is None


def _missing(b: _Building, classified: ClassifiedMount, path: tuple[str | int, ...]) -> None:
    target = classified.mount.target
    log = target.endswith(".log") or (classified.mount.source or "").endswith(".log")
    severity = Severity.WARNING if log else None
    what = "file" if classified.kind == "missing" else "directory"
    b.notes.find("MIG416", f"the {what} for {target} does not exist; nothing is mounted", *path, action=Action.REFUSED, severity=severity)
    b.notes.decide("storage", "not mounted", "2.7", "it does not exist", classified.mount.span)


def _host_path(b: _Building, classified: ClassifiedMount, path: tuple[str | int, ...], why: str) -> None:
    mount = classified.mount
    source = mount.source or "/"
    kind = next((k for pattern, k in knowledge()["storage"]["system_paths"].items() if path_pattern((pattern,)).fullmatch(source)), "")
    b.notes.find("MIG533", f"{source} is a path of the node", *path)
    b.notes.decide("storage", "hostPath", "V5" if classified.kind == "system" else "V9", why, mount.span)
    name = _volume_name(f"host-{slug(source) if source != '/' else 'root'}", source)
    b.add(name, {"hostPath": {"path": source, **({"type": kind} if kind else {})}}, _mounted(b, name, classified))
    b.host_paths = True


def _mounted(b: _Building, name: str, classified: ClassifiedMount, sub_path: str | None = None, *, labelled: bool = False) -> VolumeMount:
    mount = classified.mount
    by_label = b.member.service.labels.get("kompose.volume.subpath") if labelled else None
    said = by_label or (mount.options.get("volume") or {}).get("subpath") or (mount.options.get("image") or {}).get("subpath") or sub_path
    propagation = _PROPAGATION.get(str((mount.options.get("bind") or {}).get("propagation")))
    if propagation == "Bidirectional" and not b.privileged:
        propagation = None
    return VolumeMount(volume=name, path=mount.target, sub_path=said, read_only=mount.read_only, propagation=propagation)


def _image(b: _Building, classified: ClassifiedMount, path: tuple[str | int, ...]) -> None:
    mount = classified.mount
    if not b.claims.answers.at_least("1.35"):
        b.notes.find("MIG537", "the target version has no image volumes", *path, action=Action.REFUSED, severity=Severity.ERROR)
        b.notes.decide("storage", "not mounted", "V12", "the target version has no image volumes", mount.span)
        return
    b.notes.find("MIG537", f"image {mount.source} mounted at {mount.target}", *path, action=Action.MAPPED)
    b.notes.decide("storage", "image volume", "V12", f"type image at {mount.target}", mount.span)
    name = _volume_name(f"image-{slug(mount.target)}", mount.target)
    sub_path = (mount.options.get("image") or {}).get("subpath")
    b.add(
        name, {"image": {"reference": mount.source or ""}}, VolumeMount(volume=name, path=mount.target, sub_path=sub_path, read_only=True)
    )


def _anonymous(b: _Building, classified: ClassifiedMount, path: tuple[str | int, ...]) -> None:
    mount = classified.mount
    if any(mount.target.startswith(dropped) for dropped in b.dropped):
        text = f"{mount.target} only masked a part of the source tree: dropped"
        b.notes.find("MIG512", text, *path, action=Action.DROPPED)
        b.notes.decide("storage", "not mounted", "V8", "it masked a part of the source tree", mount.span)
        return
    if at_data_target(mount.target, b.member.service.image):
        _claimed(b, classified, path)
        return
    b.notes.find("MIG511", f"anonymous volume at {mount.target} lives as long as its pod", *path)
    b.notes.decide("storage", "emptyDir", "V8", "an anonymous volume away from data targets", mount.span)
    name = b.free_name(f"anonymous-{slug(mount.target)}", mount.target)
    b.add(name, {"emptyDir": {}}, _mounted(b, name, classified))
    _copied_up(b, classified, name, None, path)


def _claimed(b: _Building, classified: ClassifiedMount, path: tuple[str | int, ...]) -> None:
    mount, service, notes, claims = classified.mount, b.member.service, b.notes, b.claims
    volume = claims.stack.project.volumes.get(mount.source or "") if classified.kind == "named" else None
    if classified.kind == "named" and mount.source in b.passing:
        name = f"socket-{object_name(mount.source or '')}"
        notes.decide("storage", "emptyDir", "G4", "it passes a socket between containers of one pod", mount.span)
        b.add(name, {"emptyDir": {}}, _mounted(b, name, classified))
        return
    if volume is not None and _special(b, volume, classified, path):
        return
    key, wanted, rule, why = claims.stands_for(b.member, classified)
    name = claims.take(key, wanted, b.member, classified, volume, notes)
    if rule == "V9":
        notes.find("MIG532", f"{mount.source} on the host becomes claim {name}; its data are not copied", *path)
    elif classified.kind == "data":
        notes.find("MIG531", f"data directory {claims.shown(mount.source)} becomes claim {name}; its data are not copied", *path)
    notes.decide("storage", f"claim {name}", rule, why, mount.span)
    sub_path = "data" if _needs_sub_directory(classified, volume, service.image) else None
    if sub_path:
        text = "the database uses a sub-directory of its claim, which is not empty when it is new"
        notes.find("MIG516", text, *path, action=Action.MAPPED)
    pod_volume = name if name != "secrets" else "claim-secrets"
    b.add(pod_volume, {"persistentVolumeClaim": {"claimName": name}}, _mounted(b, pod_volume, classified, sub_path, labelled=True), name)
    if volume is not None and volume.external:
        b.external.append(f"persistentvolumeclaim/{name}")
    else:
        _copied_up(b, classified, pod_volume, sub_path, path)


def _special(b: _Building, volume: ComposeVolume, classified: ClassifiedMount, path: tuple[str | int, ...]) -> bool:
    """V1 and V11 by driver options; whether one applied."""
    kind = str(volume.driver_opts.get("type", "")).lower()
    if kind == "tmpfs":
        options = dict(o.partition("=")[::2] for o in str(volume.driver_opts.get("o", "")).split(",") if o)
        _memory(b, classified.mount.target, options, path)
        return True
    if kind not in ("nfs", "nfs4", "cifs", "smb3"):
        return False
    name = b.claims.network_volume(volume, kind, b.notes)
    b.add(name, {"persistentVolumeClaim": {"claimName": name}}, _mounted(b, name, classified), name)
    return True


def _needs_sub_directory(classified: ClassifiedMount, volume: ComposeVolume | None, image: str | None) -> bool:
    if volume is not None and volume.external:
        return False
    facts = image_facts(image)
    if facts.get("subPath"):
        return classified.mount.target in facts.get("T", ())
    databases = (f for f in knowledge()["images"].values() if f.get("subPath"))
    return any(classified.mount.target in f.get("T", ()) for f in databases)


def _copied_up(b: _Building, classified: ClassifiedMount, volume: str, sub_path: str | None, path: tuple[str | int, ...]) -> None:
    """Docker fills an empty named volume with what the image has at its target."""
    mount, member = classified.mount, b.member
    if classified.kind not in ("named", "anonymous") or (mount.options.get("volume") or {}).get("nocopy") or mount.read_only:
        return
    target = mount.target.rstrip("/") or "/"
    brought = member.dockerfile is not None and any(_meet(target, filled) for filled in member.dockerfile.fills)
    usual = storage_paths("copy_up_targets").fullmatch(target) is not None and not at_data_target(target, member.service.image)
    if not (brought or usual):
        return
    if _has_no_shell(member):
        b.notes.find(
            "MIG514", f"the image has no shell that could copy its content at {target} into the volume", *path, action=Action.DROPPED
        )
        return
    b.notes.find("MIG513", f"the image's content at {target} is copied into the empty volume", *path, action=Action.MAPPED)
    name = f"copy-up-{len(b.init)}" if b.init else "copy-up"
    there = shlex.quote(target)
    copy = f'cp -a {there}/. /copy-up/; chown "$(stat -c %u:%g {there})" /copy-up; chmod "$(stat -c %a {there})" /copy-up'
    script = f'c=$(ls -A /copy-up); if test -z "$c" || test "$c" = lost+found; then if test -d {there}; then {copy}; fi; fi'
    b.init.append(
        InitContainer(
            name=shortened(f"{name}-{label(member.service.name)}", member.service.name, 63),
            image=b.image,
            command=("sh", "-c", escaped(script)),
            mounts=(VolumeMount(volume=volume, path="/copy-up", sub_path=sub_path),),
            like_engine=True,
        )
    )


def _meet(target: str, filled: str) -> bool:
    """Whether what is written at `filled` lies at, below or above `target` (above: `COPY . /app` and a volume at /app/node_modules)."""
    if filled.rstrip("/") == "":
        return False
    return f"{target}/".startswith(f"{filled.rstrip('/')}/") or f"{filled.rstrip('/')}/".startswith(f"{target}/")


def _has_no_shell(member: Member) -> bool:
    """Whether the image is known to hold no shell: built from nothing, or one of those that are published without."""
    base = member.dockerfile.base if member.dockerfile is not None and member.dockerfile.base else member.service.image
    return _SHELL_LESS.search(image_repository(base)) is not None
