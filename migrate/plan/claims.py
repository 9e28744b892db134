"""Claims (conversion.md 2.8): which one stands for a mount, its size and class, who shares it (V6, V7), network volumes (V11)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from migrate.compose.model import Volume as ComposeVolume
from migrate.compose.units import size_bytes
from migrate.findings import Action
from migrate.patterns import late
from migrate.plan.decision import Answers, Notes
from migrate.plan.spelling import legal_keys, object_name, shortened, slug, unique
from migrate.plan.types import Claim, Workload
from migrate.stack import ClassifiedMount, Member, Stack

DEFAULT_SIZE: Final = "10Gi"
QUANTITY: Final = late(r"[+]?(\d+(\.\d*)?|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?")


@dataclass(slots=True)
class Claims:
    """Machinery of one call of `decide_storage`: claims by the key of what they stand for, the most pods that use each, names taken.

    `homes`, `replicas`, `sockets`, `spread` as there.
    """

    stack: Stack
    homes: Mapping[str, str]
    replicas: Mapping[str, int]
    sockets: frozenset[str]
    spread: frozenset[str]
    answers: Answers
    made: dict[str, Claim] = field(default_factory=dict)
    copies: dict[str, int] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def known(self, key: str, home: str) -> Claim | None:
        """The claim for `key`, if there is one; the pod of `home` becomes one of its users."""
        claim = self.made.get(key)
        if claim is not None and home not in claim.users:
            claim = self.made[key] = replace(claim, users=(*claim.users, home))
        return claim

    def name(self, wanted: str, key: str) -> str:
        """A free name for the claim of `key`."""
        name = unique(wanted, self.names, key)
        self.names.add(name)
        return name

    def shown(self, source: str | None) -> str:
        """A host path as messages show it: from the project directory on, if it lies in it."""
        path = Path(source or "/")
        directory = self.stack.project.directory
        return f"./{path.relative_to(directory)}" if path.is_relative_to(directory) else str(path)

    def stands_for(self, member: Member, classified: ClassifiedMount) -> tuple[str, str, str, str]:
        """The identity of what is mounted, the name wanted for its claim, the rule, the reason."""
        mount = classified.mount
        if classified.kind == "named":
            volume = self.stack.project.volumes.get(mount.source or "")
            if volume is not None and volume.external:
                return f"volume {mount.source}", object_name(volume.name), "V10", "an external volume"
            bound = volume is not None and "bind" in str(volume.driver_opts.get("o", ""))
            why = "a named volume" if not bound else "a host directory by driver options"
            return f"volume {mount.source}", object_name(mount.source or "data"), "V9" if bound else "V7", why
        if classified.kind == "anonymous":
            wanted = shortened(f"data-{slug(mount.target)}", mount.target)
            return f"anonymous {member.service.name} {mount.target}", wanted, "V8", "an anonymous volume at a data target"
        source = Path(mount.source or "/")
        shown = beside(source, self.stack.project.directory)
        rule, why = ("V9", "a directory of the host") if classified.kind == "host-directory" else ("V7", "a data directory")
        return f"path {source}", shortened(f"data-{slug(shown)}", shown), rule, why

    def take(self, key: str, wanted: str, member: Member, classified: ClassifiedMount, volume: ComposeVolume | None, notes: Notes) -> str:
        """The name of the claim for `key`, which is made at its first use."""
        home = self.homes[member.service.name]
        self.copies[key] = max(self.copies.get(key, 0), self.replicas[member.service.name])
        if (known := self.known(key, home)) is not None:
            return known.name
        name = self.name(wanted, key)
        external = volume is not None and volume.external
        if external:
            notes.find("MIG520", f"claim {name} must exist before", span=volume.span if volume else None, action=Action.MAPPED)
        elif volume is not None and volume.driver not in (None, "", "local") and not volume.driver_opts.get("type"):
            options = f" and its options {', '.join(volume.driver_opts)}" if volume.driver_opts else ""
            text = f"volume driver {volume.driver}{options} are unknown here: a claim of the cluster's default class"
            notes.find("MIG523", text if options else text.replace(" are ", " is "), span=volume.span)
        elif volume is not None and (unread := _unread_options(volume)):
            notes.find("MIG523", f"driver options {', '.join(unread)} of volume {volume.key} are not understood", span=volume.span)
        if not external and classified.kind != "anonymous":
            self._copy(name, classified, volume, notes)
        size, assumed = self._size(member, classified, volume, notes)
        if assumed and not external:
            notes.find("MIG501", f"claim {name} gets {size}", span=classified.mount.span, action=Action.ASSUMED)
        labelled = notes.named_by_label("kompose.volume.storage-class-name")
        storage_answer = self.answers.services.get(member.service.name, {}).get("storage") or {}
        project_answer = self.answers.project.get("storage") or {}
        storage_class = storage_answer.get("class") or labelled or project_answer.get("class")
        self.made[key] = Claim(
            name=name,
            size=size,
            storage_class=str(storage_class) if storage_class else None,
            access_mode="ReadWriteOnce",
            users=(home,),
            span=volume.span if volume is not None else classified.mount.span,
            external=external,
            annotations=_annotations(volume, classified, notes),
            selector=_selector(volume),
        )
        return name

    def _copy(self, name: str, classified: ClassifiedMount, volume: ComposeVolume | None, notes: Notes) -> None:
        """MIG507: the command that moves what is there into the claim."""
        if classified.kind == "data" and classified.size_bytes is None:
            return
        source = volume.name if volume is not None else self.shown(classified.mount.source)
        command = (
            f"docker run --rm -v {source}:/from alpine tar -C /from -cf - . | kubectl exec -i POD -- tar -C {classified.mount.target} -xf -"
        )
        notes.find("MIG507", f"what {source} holds is not copied into claim {name}", span=classified.mount.span, advice=command)

    def _size(self, member: Member, classified: ClassifiedMount, volume: ComposeVolume | None, notes: Notes) -> tuple[str, bool]:
        """The size, and whether nobody said it."""
        if answer := (self.answers.services.get(member.service.name, {}).get("storage") or {}).get("size"):
            return str(answer), False
        for labels, span in ((volume.labels, volume.span) if volume else ({}, None), (member.service.labels, None)):
            said = labels.get("kompose.volume.size")
            if said is not None and QUANTITY.fullmatch(said.strip()):
                return said.strip(), False
            if said is not None:
                notes.find(
                    "MIG032", f"volume size {said!r} is no quantity", "labels", "kompose.volume.size", action=Action.DROPPED, span=span
                )
        if volume is not None and (bytes_said := size_bytes(str(volume.driver_opts.get("size", "")))):
            return str(bytes_said), False
        if classified.kind == "data" and classified.size_bytes:
            gibibytes = -(-2 * classified.size_bytes // (1 << 30))
            return f"{max(1, gibibytes)}Gi", True
        return str((self.answers.project.get("storage") or {}).get("size") or DEFAULT_SIZE), True

    def network_volume(self, volume: ComposeVolume, kind: str, notes: Notes) -> str:
        """V11: the claim bound to a PersistentVolume that stands for an NFS or CIFS share."""
        key = f"volume {volume.key}"
        home = self.homes[notes.service.name] if notes.service else ""
        if (known := self.known(key, home)) is not None:
            return known.name
        name = self.name(object_name(volume.key), key)
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
            text = f"CIFS volume {volume.key} needs the driver smb.csi.k8s.io and a Secret with its account"
            notes.find("MIG522", text, span=volume.span)
            share = device if device.startswith("//") else f"//{server}/{device.lstrip('/')}"
            persistent |= {"mountOptions": rest} if rest else {}
            persistent["csi"] = {"driver": "smb.csi.k8s.io", "volumeHandle": name, "volumeAttributes": {"source": share}}
        self.made[key] = Claim(
            name=name, size=DEFAULT_SIZE, storage_class="", access_mode="ReadWriteMany", users=(home,), span=volume.span, volume=persistent
        )
        notes.decide("storage", f"PersistentVolume {name}", "V11", f"driver_opts type {kind}", volume.span)
        return name

    def finished(self, notes: Notes) -> Mapping[str, Claim]:
        """Every claim by name, with V6 applied."""
        return {c.name: c for c in (self._shared(key, claim, notes) for key, claim in self.made.items())}

    def _shared(self, key: str, claim: Claim, notes: Notes) -> Claim:
        """V6 for a claim that several pods mount."""
        copies = self.copies.get(key, 1)
        if (len(claim.users) == 1 and copies <= 1) or claim.access_mode == "ReadWriteMany" or claim.external:
            return claim
        of_cluster = (self.answers.project.get("cluster") or {}).get("rwxClass")
        wide = (self.answers.project.get("storage") or {}).get("rwxClass") or (of_cluster if of_cluster != "none" else None)
        users = ", ".join(claim.users)
        if copies > 1 and len(claim.users) == 1:
            notes.find("MIG506", f"all replicas of {users} share claim {claim.name}", span=claim.span)
        if wide and key.removeprefix("volume ") not in self.sockets:
            notes.find("MIG504", f"claim {claim.name} of {users} is ReadWriteMany", span=claim.span, action=Action.MAPPED)
            notes.decide("storage", f"{claim.name}: ReadWriteMany", "V6", f"mounted by {users}", claim.span)
            return replace(claim, access_mode="ReadWriteMany", storage_class=str(wide))
        if any(user in self.spread for user in claim.users):
            text = f"claim {claim.name} of {users} must be ReadWriteMany: its pods cannot stand on one node"
            notes.find("MIG505", text, span=claim.span, action=Action.REFUSED)
            return replace(claim, access_mode="ReadWriteMany")
        notes.find("MIG503", f"claim {claim.name} binds the pods of {users} to one node", span=claim.span)
        notes.decide("storage", f"{claim.name}: one node", "V6", f"mounted by {users}", claim.span)
        return replace(claim, one_node=True)


def _unread_options(volume: ComposeVolume) -> list[str]:
    """Driver options that no rule reads: `type` and `device` of `none` are a bind (V9), `size` is the size."""
    bound = "bind" in str(volume.driver_opts.get("o", ""))
    return [] if bound else [str(k) for k in volume.driver_opts if k != "size"]


def _annotations(volume: ComposeVolume | None, classified: ClassifiedMount, notes: Notes) -> dict[str, str]:
    said = {**(volume.labels if volume else {}), **((classified.mount.options.get("volume") or {}).get("labels") or {})}
    found, illegal = legal_keys({k: v for k, v in said.items() if not str(k).startswith("kompose.")})
    span = volume.span if volume else classified.mount.span
    if found:
        notes.find("MIG910", f"labels of the volume became annotations of its claim: {', '.join(found)}", span=span)
    if illegal:
        notes.find("MIG910", f"no keys of annotations: {', '.join(illegal)}", span=span, action=Action.DROPPED)
    return found


def _selector(volume: ComposeVolume | None) -> Mapping[str, str]:
    """`kompose.volume.selector`: the claim binds to a volume with that label."""
    said = volume.labels.get("kompose.volume.selector") if volume else None
    return {"io.kompose.service": said} if said else {}


def place_claims(claims: Mapping[str, Claim], workloads: Mapping[str, Workload], notes: Notes) -> Mapping[str, Claim]:
    """Claims with `template` where the one pod that mounts them is a StatefulSet's (V7)."""
    placed = {}
    groups = _node_groups(claims)
    for name, claim in claims.items():
        alone = len(claim.users) == 1 and not claim.one_node and not claim.external and claim.volume is None
        template = alone and claim.access_mode == "ReadWriteOnce" and workloads[claim.users[0]].kind == "StatefulSet"
        if template:
            notes.find("MIG502", f"claim {name} is a template of {claim.users[0]}'s StatefulSet", span=claim.span, action=Action.MAPPED)
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
            group[name] = group[group[name]]
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


def beside(source: Path, directory: Path) -> str:
    """A path as a claim's name tells it: from the project's directory where both have an ancestor below the root, so that the name is
    the same wherever the project lies.

    >>> beside(Path("/home/me/shop/data"), Path("/home/me/shop")), beside(Path("/home/me/data"), Path("/home/me/shop"))
    ('data', '../data')
    >>> beside(Path("/srv/data"), Path("/home/me/shop"))
    '/srv/data'
    """
    common = os.path.commonpath([source, directory])
    return str(source) if common == os.sep else os.path.relpath(source, directory)
