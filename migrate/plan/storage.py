"""What each mount becomes that is no configuration (conversion.md 2.8): V1 to V12, sizes, sharing, copy-up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from migrate.compose.model import Volume as ComposeVolume
from migrate.compose.units import size_bytes
from migrate.findings import Action, Severity
from migrate.plan.decision import Answers, Decided, Notes
from migrate.plan.escaping import escaped
from migrate.plan.spelling import label, object_name, shortened, slug, unique
from migrate.plan.types import Claim, InitContainer, Storage, Volume, VolumeMount, Workload
from migrate.stack import ClassifiedMount, Member, Stack
from migrate.stack.data import image_facts, knowledge, path_pattern, storage_paths
from migrate.stack.mounts import at_data_target

DEFAULT_SIZE: Final = "10Gi"
_PROPAGATION: Final = {"rshared": "Bidirectional", "shared": "Bidirectional", "rslave": "HostToContainer", "slave": "HostToContainer"}


@dataclass(slots=True)
class _Work:
    """Machinery of one call: claims by the key of what they stand for, names taken."""

    stack: Stack
    homes: Mapping[str, str]
    replicas: Mapping[str, int]
    sockets: frozenset[str]
    passing: frozenset[str]
    spread: frozenset[str]
    answers: Answers
    claims: dict[str, Claim] = field(default_factory=dict)
    copies: dict[str, int] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


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
    work = _Work(stack=stack, homes=homes, replicas=replicas, sockets=sockets, passing=passing, spread=spread, answers=answers)
    found: dict[str, Storage] = {}
    for name, member in stack.members.items():
        own = Notes(stack.project, member.service, notes.decisions, notes.findings)
        found[name] = _service(work, member, images.get(name, ""), own)
    claims = {c.name: c for c in (_shared(work, key, claim, notes) for key, claim in work.claims.items())}
    return notes.done((found, claims))


def place_claims(claims: Mapping[str, Claim], workloads: Mapping[str, Workload]) -> Mapping[str, Claim]:
    """Claims with `template` where the one pod that mounts them is a StatefulSet's (V7)."""
    placed = {}
    groups = _node_groups(claims)
    for name, claim in claims.items():
        alone = len(claim.users) == 1 and not claim.one_node and not claim.external and claim.volume is None
        template = alone and claim.access_mode == "ReadWriteOnce" and workloads[claim.users[0]].kind == "StatefulSet"
        placed[name] = replace(claim, template=template, node_group=groups.get(name))
    return placed


def _node_groups(claims: Mapping[str, Claim]) -> Mapping[str, str]:
    """For every claim of V6 the one that stands for all claims whose pods must be on one node.

    The scheduler counts a pod for required affinity only if it matches all terms of the incoming pod (kube-scheduler, plugin
    InterPodAffinity, updateWithAffinityTerms), so that pods which share several volumes with different pods need one term together.

    >>> from migrate.findings import Span
    >>> at = Span(file="f", line=1, column=1)
    >>> def claim(name, *users):
    ...     return Claim(name=name, size="1Gi", storage_class=None, access_mode="ReadWriteOnce", users=users, span=at, one_node=True)
    >>> _node_groups({c.name: c for c in (claim("v", "a", "b"), claim("w", "c", "d"), claim("x", "b", "c"))})
    {'v': 'v', 'w': 'v', 'x': 'v'}
    """
    group: dict[str, str] = {}
    by_user: dict[str, str] = {}

    def root(name: str) -> str:
        while group[name] != name:
            name = group[name]
        return name

    bound = {n: c for n, c in claims.items() if c.one_node}
    order = {name: place for place, name in enumerate(bound)}
    for name, claim in bound.items():
        group[name] = name
        for user in claim.users:
            other = root(by_user.setdefault(user, name))
            first, second = sorted((other, root(name)), key=order.__getitem__)
            group[second] = first
    return {name: root(name) for name in bound}


def _service(work: _Work, member: Member, image: str, notes: Notes) -> Storage:
    storage = Storage()
    for index, classified in enumerate(member.mounts):
        storage = _mount(work, member, classified, image, storage, notes, index)
    for index, text in enumerate(member.service.tmpfs):
        storage = _tmpfs(member, text, storage, notes, index)
    if (shm := member.service.data.get("shm_size")) is not None and not any(m.path == "/dev/shm" for m in storage.mounts):  # noqa: S108
        size = size_bytes(str(shm))
        notes.find("MIG711", "shared memory as an emptyDir of that size", "shm_size", action=Action.MAPPED)
        source = {"emptyDir": {"medium": "Memory", **({"sizeLimit": str(size)} if size else {})}}
        storage = _add(storage, "dev-shm", source, VolumeMount(volume="dev-shm", path="/dev/shm"))  # noqa: S108
    if member.service.data.get("use_api_socket"):
        notes.find("MIG125", "needs the Docker API", "use_api_socket", action=Action.REFUSED)
        storage = replace(storage, docker_socket=True)
    return storage


def _add(storage: Storage, name: str, source: Mapping[str, Any], mount: VolumeMount, claim: str | None = None) -> Storage:
    volumes = storage.volumes
    if not any(v.name == name for v in volumes):
        volumes = (*volumes, Volume(name=name, source=source, claim=claim))
    kept = tuple(m for m in storage.mounts if m.path != mount.path)
    claims = (*storage.claims, claim) if claim and claim not in storage.claims else storage.claims
    return replace(storage, volumes=volumes, mounts=(*kept, mount), claims=claims)


def _mount(work: _Work, member: Member, classified: ClassifiedMount, image: str, storage: Storage, notes: Notes, index: int) -> Storage:
    mount, kind = classified.mount, classified.kind
    path = ("volumes", index)
    if mount.kind in ("npipe", "cluster"):
        notes.find("MIG538", f"mount type {mount.kind} does not exist in Kubernetes", *path, action=Action.REFUSED, span=mount.span)
        return storage
    _options(classified, notes, path)
    wanted = member.service.labels.get("kompose.volume.type", "").lower()
    if wanted == "hostpath" and mount.kind == "bind":
        return _host_path(classified, storage, notes, path)
    if wanted == "emptydir" and mount.kind in ("bind", "volume"):
        name = _volume_name(f"empty-{slug(mount.target)}", mount.target)
        notes.decide("storage", "emptyDir", "label", "label kompose.volume.type", mount.span)
        return _add(storage, name, {"emptyDir": {}}, _mounted(name, classified))
    if wanted == "persistentvolumeclaim" and mount.kind in ("bind", "volume"):
        return _claimed(work, member, classified, image, storage, notes, path)
    if kind in ("file", "configuration"):
        return storage
    if kind == "tmpfs":
        return _memory(mount.target, mount.options.get("tmpfs") or {}, storage, notes, path)
    if kind == "docker-socket":
        notes.find("MIG125", "the Docker socket is never mounted; the service is written with no replicas", *path, action=Action.REFUSED)
        notes.decide("storage", "not mounted", "V2", "there is no Docker engine to talk to", mount.span)
        return replace(storage, docker_socket=True)
    if kind == "dropped":
        notes.find(
            "MIG534", f"{mount.target} is not mounted: the time zone of the node is not that of the old host", *path, action=Action.DROPPED
        )
        return replace(storage, timezone=True)
    if kind == "source-tree":
        notes.find("MIG530", f"{mount.target} is not mounted: the image holds the source tree", *path, action=Action.DROPPED)
        return storage
    if kind == "missing":
        _missing(classified, notes, path)
        return storage
    if kind == "system":
        return _host_path(classified, storage, notes, path)
    if kind == "image":
        return _image(work, classified, storage, notes, path)
    if kind == "anonymous":
        return _anonymous(work, member, classified, image, storage, notes, path)
    return _claimed(work, member, classified, image, storage, notes, path)


def _options(classified: ClassifiedMount, notes: Notes, path: tuple[str | int, ...]) -> None:
    bind = classified.mount.options.get("bind") or {}
    if bind.get("selinux"):
        notes.find("MIG535", "the runtime relabels volumes itself", *path, action=Action.DROPPED)
    if bind.get("propagation") in _PROPAGATION:
        notes.find("MIG536", f"mount propagation {bind['propagation']} needs a privileged container for Bidirectional", *path)
    if bind.get("recursive"):
        notes.find("MIG916", "bind.recursive has no effect here", *path, action=Action.DROPPED)


def _memory(target: str, options: Mapping[str, Any], storage: Storage, notes: Notes, path: tuple[str | int, ...]) -> Storage:
    size = size_bytes(str(options.get("size") or "")) or None
    if options.get("mode") is not None:
        notes.find("MIG510", f"the mode of the tmpfs at {target} is lost: it is 0777", *path)
    name = _free_name(f"tmpfs-{slug(target)}", target, storage)
    source = {"emptyDir": {"medium": "Memory", **({"sizeLimit": str(size)} if size else {})}}
    notes.decide("storage", "emptyDir in memory", "V1", f"tmpfs at {target}", notes.span(*path))
    return _add(storage, name, source, VolumeMount(volume=name, path=target))


def _tmpfs(member: Member, text: str, storage: Storage, notes: Notes, index: int) -> Storage:
    target, _, options = text.partition(":")
    said = dict(o.partition("=")[::2] for o in options.split(",") if o)
    if set(said) - {"size", "mode", "rw"}:
        notes.find("MIG510", f"options of the tmpfs at {target} are lost", "tmpfs", index)
    return _memory(target, said, storage, notes, ("tmpfs", index))


def _volume_name(name: str, key: str) -> str:
    return shortened(label(name), key, 63)


def _free_name(name: str, key: str, storage: Storage) -> str:
    wanted = _volume_name(name, key)
    return unique(wanted, (v.name for v in storage.volumes if not any(m.volume == v.name and m.path == key for m in storage.mounts)), key)


def _missing(classified: ClassifiedMount, notes: Notes, path: tuple[str | int, ...]) -> None:
    target = classified.mount.target
    log = target.endswith(".log") or (classified.mount.source or "").endswith(".log")
    severity = Severity.WARNING if log else None
    notes.find("MIG416", f"the file for {target} does not exist; nothing is mounted", *path, action=Action.REFUSED, severity=severity)


def _host_path(classified: ClassifiedMount, storage: Storage, notes: Notes, path: tuple[str | int, ...]) -> Storage:
    mount = classified.mount
    source = mount.source or "/"
    kind = next((k for pattern, k in knowledge()["storage"]["system_paths"].items() if path_pattern((pattern,)).fullmatch(source)), "")
    notes.find("MIG533", f"{source} is a path of the node", *path)
    notes.decide("storage", "hostPath", "V5", f"{source} is a system path", mount.span)
    name = _volume_name(f"host-{slug(source)}", source)
    host: dict[str, Any] = {"path": source, **({"type": kind} if kind else {})}
    privileged = notes.service is not None and bool(notes.service.data.get("privileged"))
    added = _add(storage, name, {"hostPath": host}, _mounted(name, classified, privileged=privileged))
    return replace(added, host_paths=True)


def _mounted(
    name: str,
    classified: ClassifiedMount,
    sub_path: str | None = None,
    labels: Mapping[str, str] | None = None,
    *,
    privileged: bool = False,
) -> VolumeMount:
    mount = classified.mount
    labelled = labels.get("kompose.volume.subpath") if labels else None
    said = labelled or (mount.options.get("volume") or {}).get("subpath") or (mount.options.get("image") or {}).get("subpath") or sub_path
    propagation = _PROPAGATION.get(str((mount.options.get("bind") or {}).get("propagation")))
    if propagation == "Bidirectional" and not privileged:
        propagation = None
    return VolumeMount(volume=name, path=mount.target, sub_path=said, read_only=mount.read_only, propagation=propagation)


def _image(work: _Work, classified: ClassifiedMount, storage: Storage, notes: Notes, path: tuple[str | int, ...]) -> Storage:
    mount = classified.mount
    if not work.answers.at_least("1.35"):
        notes.find("MIG537", "the target version has no image volumes", *path, action=Action.REFUSED, severity=Severity.ERROR)
        return storage
    notes.find("MIG537", f"image {mount.source} mounted at {mount.target}", *path, action=Action.MAPPED)
    name = _volume_name(f"image-{slug(mount.target)}", mount.target)
    sub_path = (mount.options.get("image") or {}).get("subpath")
    source = {"image": {"reference": mount.source or ""}}
    return _add(storage, name, source, VolumeMount(volume=name, path=mount.target, sub_path=sub_path, read_only=True))


def _anonymous(
    work: _Work, member: Member, classified: ClassifiedMount, image: str, storage: Storage, notes: Notes, path: tuple[str | int, ...]
) -> Storage:
    mount = classified.mount
    dropped = [m.mount.target for m in member.mounts if m.kind == "source-tree"]
    if any(mount.target.startswith(t.rstrip("/") + "/") for t in dropped):
        notes.find("MIG512", f"{mount.target} only masked a part of the source tree: dropped", *path, action=Action.DROPPED)
        return storage
    if at_data_target(mount.target, member.service.image):
        return _claimed(work, member, classified, image, storage, notes, path)
    notes.find("MIG511", f"anonymous volume at {mount.target} lives as long as its pod", *path)
    notes.decide("storage", "emptyDir", "V8", "an anonymous volume away from data targets", mount.span)
    name = _free_name(f"anonymous-{slug(mount.target)}", mount.target, storage)
    return _add(storage, name, {"emptyDir": {}}, _mounted(name, classified))


def _claimed(
    work: _Work, member: Member, classified: ClassifiedMount, image: str, storage: Storage, notes: Notes, path: tuple[str | int, ...]
) -> Storage:
    mount, service = classified.mount, member.service
    volume = work.stack.project.volumes.get(mount.source or "") if classified.kind == "named" else None
    if classified.kind == "named" and mount.source in work.passing:
        name = f"socket-{object_name(mount.source or '')}"
        notes.decide("storage", "emptyDir", "G4", "it passes a socket between containers of one pod", mount.span)
        return _add(storage, name, {"emptyDir": {}}, _mounted(name, classified))
    if volume is not None and (special := _special(work, volume, classified, storage, notes, path)) is not None:
        return special
    key, wanted, rule, why = _stands_for(work, member, classified)
    name = _claim(work, key, wanted, member, classified, volume, notes)
    if rule == "V9":
        notes.find("MIG532", f"{mount.source} on the host becomes claim {name}; its data are not copied", *path)
    elif classified.kind == "data":
        notes.find("MIG531", f"data directory {_shown(work, mount.source)} becomes claim {name}; its data are not copied", *path)
    notes.decide("storage", f"claim {name}", rule, why, mount.span)
    sub_path = "data" if _needs_sub_directory(classified, volume, service.image) else None
    if sub_path:
        notes.find(
            "MIG516", "the database uses a sub-directory of its claim, which is not empty when it is new", *path, action=Action.MAPPED
        )
    pod_volume = name if name != "secrets" else "claim-secrets"
    added = _add(
        storage,
        pod_volume,
        {"persistentVolumeClaim": {"claimName": name}},
        _mounted(pod_volume, classified, sub_path, service.labels, privileged=bool(service.data.get("privileged"))),
        name,
    )
    external = volume is not None and volume.external
    if external:
        added = replace(added, external=(*added.external, f"persistentvolumeclaim/{name}"))
    return added if external else _copied_up(work, member, classified, pod_volume, image, sub_path, added, notes, path)


def _shown(work: _Work, source: str | None) -> str:
    path = Path(source or "/")
    directory = work.stack.project.directory
    return f"./{path.relative_to(directory)}" if path.is_relative_to(directory) else str(path)


def _stands_for(work: _Work, member: Member, classified: ClassifiedMount) -> tuple[str, str, str, str]:
    """The identity of what is mounted, the name wanted for its claim, the rule, the reason."""
    mount = classified.mount
    if classified.kind == "named":
        volume = work.stack.project.volumes.get(mount.source or "")
        if volume is not None and volume.external:
            return f"volume {mount.source}", object_name(volume.name), "V10", "an external volume"
        bound = volume is not None and "bind" in str(volume.driver_opts.get("o", ""))
        why = "a named volume" if not bound else "a host directory by driver options"
        return f"volume {mount.source}", object_name(mount.source or "data"), "V9" if bound else "V7", why
    if classified.kind == "anonymous":
        wanted = shortened(f"data-{slug(mount.target)}", mount.target)
        return f"anonymous {member.service.name} {mount.target}", wanted, "V8", "an anonymous volume at a data target"
    source = Path(mount.source or "/")
    directory = work.stack.project.directory
    shown = str(source.relative_to(directory)) if source.is_relative_to(directory) else str(source)
    rule, why = ("V9", "a directory of the host") if classified.kind == "host-directory" else ("V7", "a data directory")
    return f"path {source}", shortened(f"data-{slug(shown)}", shown), rule, why


def _claim(
    work: _Work, key: str, wanted: str, member: Member, classified: ClassifiedMount, volume: ComposeVolume | None, notes: Notes
) -> str:
    home = work.homes[member.service.name]
    work.copies[key] = max(work.copies.get(key, 0), work.replicas[member.service.name])
    if (known := work.claims.get(key)) is not None:
        if home not in known.users:
            work.claims[key] = replace(known, users=(*known.users, home))
        return known.name
    name = unique(wanted, work.names, key)
    work.names.add(name)
    external = volume is not None and volume.external
    if external:
        notes.find("MIG520", f"claim {name} must exist before", span=volume.span if volume else None, action=Action.MAPPED)
    elif volume is not None and volume.driver not in (None, "", "local") and not volume.driver_opts.get("type"):
        notes.find("MIG523", f"volume driver {volume.driver} is unknown here: a claim of the cluster's default class", span=volume.span)
    if not external and classified.kind != "anonymous":
        _copy(work, name, classified, volume, notes)
    size, assumed = _size(work, member, classified, volume)
    if assumed and not external:
        notes.find("MIG501", f"claim {name} gets {size}", span=classified.mount.span, action=Action.ASSUMED)
    labels = member.service.labels
    storage_answer = work.answers.services.get(member.service.name, {}).get("storage") or {}
    project_answer = work.answers.project.get("storage") or {}
    storage_class = storage_answer.get("class") or labels.get("kompose.volume.storage-class-name") or project_answer.get("class")
    work.claims[key] = Claim(
        name=name,
        size=size,
        storage_class=str(storage_class) if storage_class else None,
        access_mode="ReadWriteOnce",
        users=(home,),
        span=volume.span if volume is not None else classified.mount.span,
        external=external,
        annotations={k: v for k, v in (volume.labels if volume else {}).items() if not k.startswith("kompose.")},
    )
    return name


def _copy(work: _Work, name: str, classified: ClassifiedMount, volume: ComposeVolume | None, notes: Notes) -> None:
    """MIG507: the command that moves what is there into the claim."""
    if classified.kind == "data" and classified.size_bytes is None:
        return
    source = volume.name if volume is not None else _shown(work, classified.mount.source)
    command = (
        f"docker run --rm -v {source}:/from alpine tar -C /from -cf - . | kubectl exec -i POD -- tar -C {classified.mount.target} -xf -"
    )
    notes.find("MIG507", f"what {source} holds is not copied into claim {name}", span=classified.mount.span, advice=command)


def _size(work: _Work, member: Member, classified: ClassifiedMount, volume: ComposeVolume | None) -> tuple[str, bool]:
    answer = (work.answers.services.get(member.service.name, {}).get("storage") or {}).get("size")
    said = answer or (volume.labels.get("kompose.volume.size") if volume else None) or member.service.labels.get("kompose.volume.size")
    if said:
        return str(said), False
    if volume is not None and (bytes_said := size_bytes(str(volume.driver_opts.get("size", "")))):
        return str(bytes_said), False
    if classified.kind == "data" and classified.size_bytes:
        gibibytes = -(-2 * classified.size_bytes // (1 << 30))
        return f"{max(1, gibibytes)}Gi", True
    return str((work.answers.project.get("storage") or {}).get("size") or DEFAULT_SIZE), True


def _special(
    work: _Work, volume: ComposeVolume, classified: ClassifiedMount, storage: Storage, notes: Notes, path: tuple[str | int, ...]
) -> Storage | None:
    kind = str(volume.driver_opts.get("type", "")).lower()
    if kind == "tmpfs":
        options = dict(o.partition("=")[::2] for o in str(volume.driver_opts.get("o", "")).split(",") if o)
        return _memory(classified.mount.target, options, storage, notes, path)
    if kind in ("nfs", "nfs4", "cifs", "smb3"):
        return _network_volume(work, volume, kind, classified, storage, notes)
    return None


def _network_volume(work: _Work, volume: ComposeVolume, kind: str, classified: ClassifiedMount, storage: Storage, notes: Notes) -> Storage:
    key = f"volume {volume.key}"
    home = work.homes[notes.service.name] if notes.service else ""
    name = object_name(volume.key)
    if key in work.claims:
        known = work.claims[key]
        if home not in known.users:
            work.claims[key] = replace(known, users=(*known.users, home))
        name = known.name
    else:
        name = unique(name, work.names, key)
        work.names.add(name)
        options = [o for o in str(volume.driver_opts.get("o", "")).split(",") if o]
        server = next((o.partition("=")[2] for o in options if o.startswith("addr=")), "")
        device = str(volume.driver_opts.get("device", ""))
        persistent: dict[str, Any] = {"accessModes": ["ReadWriteMany"], "persistentVolumeReclaimPolicy": "Retain", "storageClassName": ""}
        rest = [o for o in options if not o.startswith(("addr=", "username=", "password=")) and o not in ("rw", "ro")]
        if kind.startswith("nfs"):
            notes.find("MIG521", f"NFS volume {volume.key}", span=volume.span, action=Action.MAPPED)
            path = device.partition(":")[2] or "/"
            persistent |= {"mountOptions": rest} if rest else {}
            persistent["nfs"] = {
                "server": server or device.partition(":")[0] or "CHANGE_ME",
                "path": path if path.startswith("/") else "/" + path,
            }
        else:
            notes.find(
                "MIG522", f"CIFS volume {volume.key} needs the driver smb.csi.k8s.io and a Secret with its account", span=volume.span
            )
            share = device if device.startswith("//") else f"//{server}/{device.lstrip('/')}"
            persistent["csi"] = {"driver": "smb.csi.k8s.io", "volumeHandle": name, "volumeAttributes": {"source": share}}
        work.claims[key] = Claim(
            name=name, size=DEFAULT_SIZE, storage_class="", access_mode="ReadWriteMany", users=(home,), span=volume.span, volume=persistent
        )
        notes.decide("storage", f"PersistentVolume {name}", "V11", f"driver_opts type {kind}", volume.span)
    return _add(storage, name, {"persistentVolumeClaim": {"claimName": name}}, _mounted(name, classified), name)


def _needs_sub_directory(classified: ClassifiedMount, volume: ComposeVolume | None, image: str | None) -> bool:
    if volume is not None and volume.external:
        return False
    facts = image_facts(image)
    if facts.get("subPath"):
        return classified.mount.target in facts.get("T", ())
    databases = (f for f in knowledge()["images"].values() if f.get("subPath"))
    return any(classified.mount.target in f.get("T", ()) for f in databases)


def _copied_up(
    work: _Work,
    member: Member,
    classified: ClassifiedMount,
    volume: str,
    image: str,
    sub_path: str | None,
    storage: Storage,
    notes: Notes,
    path: tuple[str | int, ...],
) -> Storage:
    mount = classified.mount
    if classified.kind not in ("named", "anonymous") or (mount.options.get("volume") or {}).get("nocopy") or mount.read_only:
        return storage
    target = mount.target.rstrip("/") or "/"
    brought = member.dockerfile is not None and any(
        copied.rstrip("/") == target or copied.startswith(target + "/") for copied in member.dockerfile.copies.values()
    )
    usual = storage_paths("copy_up_targets").fullmatch(target) is not None and not at_data_target(target, member.service.image)
    if not (brought or usual):
        return storage
    notes.find("MIG513", f"the image's content at {target} is copied into the empty volume", *path, action=Action.MAPPED)
    name = f"copy-up-{len(storage.init)}" if storage.init else "copy-up"
    script = f'c=$(ls -A /copy-up); test -n "$c" && test "$c" != lost+found || ! test -d {target} || cp -a {target}/. /copy-up/'
    init = InitContainer(
        name=shortened(f"{name}-{label(member.service.name)}", member.service.name, 63),
        image=image,
        command=("sh", "-c", escaped(script)),
        mounts=(VolumeMount(volume=volume, path="/copy-up", sub_path=sub_path),),
        like_app=True,
    )
    return replace(storage, init=(*storage.init, init))


def _shared(work: _Work, key: str, claim: Claim, notes: Notes) -> Claim:
    """V6 for a claim that several pods mount."""
    copies = work.copies.get(key, 1)
    if (len(claim.users) == 1 and copies <= 1) or claim.access_mode == "ReadWriteMany" or claim.external:
        return claim
    wide = (work.answers.project.get("storage") or {}).get("rwxClass")
    users = ", ".join(claim.users)
    if copies > 1 and len(claim.users) == 1:
        notes.find("MIG506", f"all replicas of {users} share claim {claim.name}", span=claim.span)
    if wide and key.removeprefix("volume ") not in work.sockets:
        notes.find("MIG504", f"claim {claim.name} of {users} is ReadWriteMany", span=claim.span, action=Action.MAPPED)
        notes.decide("storage", f"{claim.name}: ReadWriteMany", "V6", f"mounted by {users}", claim.span)
        return replace(claim, access_mode="ReadWriteMany", storage_class=str(wide))
    if any(user in work.spread for user in claim.users):
        text = f"claim {claim.name} of {users} must be ReadWriteMany: its pods cannot stand on one node"
        notes.find("MIG505", text, span=claim.span, action=Action.REFUSED)
        return replace(claim, access_mode="ReadWriteMany")
    notes.find("MIG503", f"claim {claim.name} binds the pods of {users} to one node", span=claim.span)
    notes.decide("storage", f"{claim.name}: one node", "V6", f"mounted by {users}", claim.span)
    return replace(claim, one_node=True)
