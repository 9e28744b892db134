"""ConfigMaps, Secrets and pod volumes that carry files (conversion.md 2.7): configs, secrets, mounted files, files of the image."""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, Final

from migrate.addresses.types import RewrittenFile, RewrittenService
from migrate.compose.model import FileSource, FileUse
from migrate.description import description
from migrate.findings import Action, Span
from migrate.patterns import late
from migrate.plan.contents import Content
from migrate.plan.data_keys import data_key, is_private, item_keys, items_of, split_text
from migrate.plan.decision import Answers, Notes
from migrate.plan.escaping import escaped
from migrate.plan.spelling import digits, label, legal_keys, object_name, shortened, slug
from migrate.plan.types import DataObject, EnvEntry, InitContainer, Volume, VolumeMount
from migrate.stack import ClassifiedMount, Member, Stack
from migrate.stack.data import image_name, knowledge
from migrate.stack.texts import RESOLV_CONF

POD_IP: Final = EnvEntry(name="POD_IP", field_path="status.podIP")
HOST_IP: Final = EnvEntry(name="HOST_IP", field_path="status.hostIP")
IN_CLEAR: Final = "values of Secrets stand in clear in the output"
_TOKEN: Final = late(r"@@ADDR6?:([^@\s]+)@@|@@POD_IP@@|@@HOST_IP@@")
_INSTALLS: Final = late(
    r"\b(npm\s+(i|install|ci)|(yarn|pnpm)(\s+(i|install))?(\s|$)|composer\s+install|bundle\s+install|pip3?\s+install|mvnw?\b|gradlew?\b"
    r"|go\s+(build|run|mod)|cargo\s+(build|run)|make\b)"
)
_LIMIT_BYTES: Final = 1 << 20
_APPLY_LIMIT_BYTES: Final = 1 << 18
_NO_FILES: Final = frozenset({"hostpath", "emptydir", "persistentvolumeclaim"})
"""Values of `kompose.volume.type` that make a mount something else than a ConfigMap."""


@dataclass(slots=True)
class Objects:
    """Machinery of one call: the ConfigMaps and Secrets so far, by (kind, name) and by what they hold. `configs` and `secrets` are the
    names of the user's own, by their keys."""

    configs: Mapping[str, str]
    secrets: Mapping[str, str]
    made: dict[tuple[str, str], DataObject] = field(default_factory=dict)
    names: dict[tuple[str, Any], str] = field(default_factory=dict)

    def free(self, name: str, key: str) -> str:
        """A generated name; the user's own names never yield (2.3)."""
        taken = name in self.configs.values() or name in self.secrets.values()
        return f"{name[:57].rstrip('-')}-{digits(key)}" if taken else name

    def make(
        self,
        kind: Any,
        name: str,
        service: str | None,
        span: Span,
        text: Mapping[str, str],
        binary: Mapping[str, bytes],
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        """Take up an object, or more entries of one that is there."""
        known = self.made.get((kind, name))
        self.made[kind, name] = DataObject(
            kind=kind,
            name=name,
            text={**(known.text if known else {}), **text},
            binary={**(known.binary if known else {}), **binary},
            service=service,
            span=span,
            annotations=annotations or {},
        )


@description
class _Made:
    """An object that carries one file; `rendered`: an init container puts addresses in it."""

    name: str
    data: bytes
    rendered: bool


class Carrier:
    """Machinery: how the files of one service reach its container. `carry` fills the lists; then they are read.

    `scripts` are the texts of its hooks, health check and files, which may tell that it writes where files are mounted.
    """

    def __init__(
        self,
        stack: Stack,
        member: Member,
        texts: RewrittenService,
        contents: Mapping[str, Content],
        name: str,
        answers: Answers,
        notes: Notes,
        objects: Objects,
        scripts: tuple[str, ...] = (),
    ) -> None:
        self.stack, self.member, self.texts, self.contents = stack, member, texts, contents
        self.name, self.answers, self.notes, self.objects = name, answers, notes, objects
        self.volumes: list[Volume] = []
        self.mounts: list[VolumeMount] = []
        self.init: list[InitContainer] = []
        self.external: list[str] = []
        self.fs_group: int | None = None
        self.rendered: list[tuple[str, str, str]] = []
        service = member.service
        self.written = (" ".join((*(service.entrypoint or ()), *(service.command or ()))), *scripts)
        self.tools = str(answers.tools.get("image") or knowledge()["tools"]["image"])

    def carry(self) -> None:
        """Configs, secrets, mounted files, changed files of the image; then what is rendered at start."""
        self._configs()
        self._secrets()
        wanted = self.member.service.labels.get("kompose.volume.type", "").lower()
        for index, mount in enumerate(self.member.mounts):
            if mount.kind not in ("file", "configuration") or wanted in _NO_FILES:
                continue
            if mount.mount.target == RESOLV_CONF:
                self._resolver_file(mount, index)
            else:
                self._files(mount, index)
        self._overlays()
        self._render()

    def _resolver_file(self, mount: ClassifiedMount, index: int) -> None:
        """2.5: it would hide the cluster's names; its entries count as `dns`, `dns_search` and `dns_opt`."""
        message = f"{RESOLV_CONF} is not mounted: it would hide the names of the cluster"
        self.notes.find("MIG241", message, "volumes", index, action=Action.DROPPED, span=mount.mount.span)

    def _configs(self) -> None:
        for index, use in enumerate(self.member.service.configs):
            source = self.stack.project.configs.get(use.source)
            if source is None:
                continue
            target = use.target or f"/{use.source}"
            target = target if target.startswith("/") else f"/{target}"
            key = data_key(PurePosixPath(target).name)
            self._owner_of_file(use, "configs", index)
            if source.external:
                name = object_name(source.name)
                self._outside("configmap", name, source)
                self._mount_items("config", name, [(source.name, key, use.mode)], target, "configMap", single=key)
            elif (made := self._resource("ConfigMap", self.objects.configs[use.source], key, source)) is not None:
                self._mount_made("config", made, [(key, key, use.mode)], target, "configMap")

    def _secrets(self) -> None:
        together: list[dict[str, Any]] = []
        alone = False
        for index, use in enumerate(self.member.service.secrets):
            source = self.stack.project.secrets.get(use.source)
            if source is None:
                continue
            self._owner_of_file(use, "secrets", index)
            item = data_key(source.name if source.external else use.source)
            name = object_name(source.name) if source.external else self.objects.secrets[use.source]
            made = _Made(name=name, data=b"", rendered=False)
            if source.external or self.answers.of(self.member.service.name, "secrets") == "external":
                self._outside("secret", name, source)
            elif (written := self._resource("Secret", name, item, source)) is not None:
                made = written
            else:
                continue
            target = (use.target or use.source).removeprefix("/run/secrets/")
            if target.startswith("/") or made.rendered:
                alone = alone or not target.startswith("/")
                place = target if target.startswith("/") else f"/run/secrets/{target}"
                self._mount_made("secret", made, [(item, PurePosixPath(target).name, use.mode)], place, "secret")
                continue
            mode = {"mode": use.mode} if use.mode is not None else {}
            together.append({"secret": {"name": made.name, "items": [{"key": item, "path": target, **mode}]}})
        if together:
            self.volumes.append(Volume(name="secrets", source={"projected": {"defaultMode": 0o444, "sources": together}}))
            paths = [item["path"] for source in together for item in source["secret"]["items"]]
            if alone:  # a file cannot be mounted below a directory that is read-only
                self.mounts += [VolumeMount(volume="secrets", path=f"/run/secrets/{p}", sub_path=p, read_only=True) for p in paths]
            else:
                self.mounts.append(VolumeMount(volume="secrets", path="/run/secrets", read_only=True))

    def _mount_made(self, purpose: str, made: _Made, items: list[tuple[str, str, int | None]], target: str, kind: str) -> None:
        """Mount one file: as it is, or as what an init container makes of it."""
        if made.rendered:
            self._mount_rendered(made.name, kind, items, target, {"": (made.data, False, True)}, items[0][1])
        else:
            self._mount_items(purpose, made.name, items, target, kind, single=items[0][1])

    def _owner_of_file(self, use: FileUse, section: str, index: int) -> None:
        if use.uid is None and use.gid is None:
            return
        if use.uid is not None:
            self.notes.find("MIG420", f"owner {use.uid} of {use.source} cannot be set", section, index, "uid", action=Action.DROPPED)
        if use.gid is not None:
            text = f"group {use.gid} of {use.source} is the pod's fsGroup, if others are shut out"
            self.notes.find("MIG420", text, section, index, "gid")
        if use.gid is not None and use.gid.isdigit() and use.mode is not None and not use.mode & 0o007:
            self.fs_group = int(use.gid)

    def _outside(self, kind: str, name: str, source: FileSource) -> None:
        self.external.append(f"{kind}/{name}")
        if source.external:
            self.notes.find("MIG421", f"{kind} {name} must exist before", span=source.span, action=Action.MAPPED)

    def _resource(self, kind: Any, name: str, key: str, source: FileSource) -> _Made | None:
        """Make the object of a top-level config or secret, one for each content that services see of it; None if it has no value."""
        section = "configs" if kind == "ConfigMap" else "secrets"
        top = Notes(self.stack.project, None, self.notes.decisions, self.notes.findings)
        drivers = [k for k in ("driver", "driver_opts", "template_driver") if source.data.get(k)]
        for driver in drivers:
            text = f"{section[:-1]} {source.key} has a {driver}, which nothing here knows"
            top.find("MIG423", text, section, source.key, driver, action=Action.REFUSED)
        if drivers:
            return None
        content: bytes | None
        rewritten: RewrittenFile | None = None
        if source.file is not None:
            rewritten = self.texts.files.get(str(source.file))
            known = self.contents.get(str(source.file))
            content = rewritten.text.encode() if rewritten is not None else known.data if known is not None else None
            if content is None:
                self.notes.find("MIG416", f"the file of {source.key} is missing or over 1 MiB", span=source.span, action=Action.REFUSED)
                return None
        elif source.content is not None:
            rewritten = self.texts.files.get(source.key)
            content = (rewritten.text if rewritten is not None else source.content).encode()
        else:
            value = self.stack.project.variables.get(source.environment or "")
            if value is None:
                self.notes.find(
                    "MIG422", f"{source.key} takes the value of a variable that is not set", span=source.span, action=Action.REFUSED
                )
                return None
            content = value.encode()
        name = self._name_for(kind, name, key, content)
        if kind == "Secret" and ("Secret", name) not in self.objects.made:
            self.notes.find("MIG402", IN_CLEAR, span=source.span, action=Action.MAPPED)
        self.objects.make(kind, name, None, source.span, *split_text({key: content}), annotations=self._labels(source))
        return _Made(name=name, data=content, rendered=rewritten is not None and rewritten.rendered)

    def _name_for(self, kind: Any, name: str, key: str, content: bytes) -> str:
        """The name of the object; another one where a service sees another content under the same key."""
        known = self.objects.made.get((kind, name))
        text, binary = split_text({key: content})
        if known is None or all(held.get(key, new[key]) == new[key] for held, new in ((known.text, text), (known.binary, binary)) if new):
            return name
        return shortened(f"{name}-{digits(content.hex())}", name + content.hex(), 63)

    def _labels(self, source: FileSource) -> Mapping[str, str]:
        legal, illegal = legal_keys(source.data.get("labels") or {})
        if legal:
            self.notes.find("MIG910", f"labels of {source.key} became annotations: {', '.join(legal)}", span=source.span)
        if illegal:
            self.notes.find("MIG910", f"no keys of annotations: {', '.join(illegal)}", span=source.span, action=Action.DROPPED)
        return legal

    def _files(self, classified: ClassifiedMount, index: int) -> None:
        mount = classified.mount
        found = self._read(classified, index)
        if not found:
            return
        base = PurePosixPath(mount.source or "file").name
        private = any(is_private(path or base, data) for path, (data, _, _) in found.items())
        shown = _relative(self.stack, mount.source or "")
        self.notes.find(
            "MIG411" if private else "MIG410",
            f"{shown} becomes a {'Secret' if private else 'ConfigMap'} mounted at {mount.target}",
            "volumes",
            index,
            action=Action.MAPPED,
            span=mount.span,
        )
        total = sum(len(data) for data, _, _ in found.values())
        if total > _APPLY_LIMIT_BYTES:
            self.notes.find("MIG414", f"{shown} has {total} bytes", "volumes", index, action=Action.MAPPED, span=mount.span)
        keys = item_keys(found, base)
        name = self._data_object("Secret" if private else "ConfigMap", shown, {keys[p]: d for p, (d, _, _) in found.items()})
        kind = "secret" if private else "configMap"
        items = [(keys[p], p or PurePosixPath(mount.target).name, 0o755 if executable else None) for p, (_, executable, _) in found.items()]
        single = PurePosixPath(mount.target).name if classified.kind == "file" else None
        if any(rendered for _, _, rendered in found.values()):
            self._mount_rendered(name, kind, items, mount.target, found, single)
        elif not mount.read_only and self._writes(mount.target):
            self.notes.find(
                "MIG417", f"{mount.target} is a copy that the container may write; changes are lost", "volumes", index, span=mount.span
            )
            self._mount_copied(name, kind, items, mount.target, single)
        else:
            if not mount.read_only:
                self.notes.find("MIG418", f"{mount.target} is read-only now", "volumes", index, span=mount.span)
            self._mount_items("files", name, items, mount.target, kind, single=single)

    def _overlays(self) -> None:
        """Changed files of the image, laid over their place in it (MIG217); what a mount hides there is not read."""
        hidden = {m.mount.target for m in self.member.mounts} | {m.path for m in self.mounts}
        for target, rewritten in self.texts.overlays.items():
            if target in hidden:
                continue
            base, data = PurePosixPath(target).name, rewritten.text.encode()
            name = self._data_object("ConfigMap", target, {data_key(base): data})
            known = self.contents.get(rewritten.source)
            mode = 0o755 if data.startswith(b"#!") or (known is not None and known.executable) else None
            made = _Made(name=name, data=data, rendered=rewritten.rendered)
            self._mount_made("files", made, [(data_key(base), base, mode)], target, "configMap")

    def _read(self, classified: ClassifiedMount, index: int) -> dict[str, tuple[bytes, bool, bool]]:
        """Relative path -> (bytes after rewriting, executable, rendered at start)."""
        found: dict[str, tuple[bytes, bool, bool]] = {}
        too_large: list[str] = []
        total = 0
        for relative, path in classified.files.items():
            content = self.contents.get(str(path))
            rewritten = self.texts.files.get(str(path))
            data = rewritten.text.encode() if rewritten is not None else content.data if content is not None else None
            if data is None or len(data) + total > _LIMIT_BYTES:
                too_large.append(relative or str(path.name))
                continue
            total += len(data)
            found[relative] = (data, content is not None and content.executable, rewritten is not None and rewritten.rendered)
        if too_large:
            listed = ", ".join(too_large[:5])
            self.notes.find(
                "MIG413", f"not carried, over 1 MiB: {listed}", "volumes", index, action=Action.REFUSED, span=classified.mount.span
            )
        return found

    def _writes(self, target: str) -> bool:
        service = self.member.service
        image = image_name(service.image)
        if image in knowledge()["writes_config"] or (image == "redis" and "--sentinel" in (service.command or ())):
            return True
        if self._installs(target):
            return True
        path = re.escape(target)
        pattern = re.compile(rf"(sed\s+-i|chown|chmod|tee)\b[^;&|\n]*{path}|>\s*[\"']?{path}")
        return any(pattern.search(text) for text in self.written)

    def _installs(self, target: str) -> bool:
        """Whether its command fetches or builds what it runs in a directory that is mounted."""
        directory = PurePosixPath(str(self.member.service.data.get("working_dir") or "/"))
        return directory.is_relative_to(target) and _INSTALLS.search(self.written[0]) is not None

    def _data_object(self, kind: Any, shown: str, content: Mapping[str, bytes]) -> str:
        identity = (shown, tuple(sorted(content.items())))
        if (known := self.objects.names.get((kind, identity))) is not None:
            object_ = self.objects.made[kind, known]
            if object_.service != self.member.service.name:
                self.objects.made[kind, known] = replace(object_, service=None)
            return known
        name = self.objects.free(shortened(f"files-{slug(shown)}", shown), shown)
        if (kind, name) in self.objects.made:
            joined = b"\0".join(k.encode() + b"\0" + v for k, v in sorted(content.items()))
            name = shortened(f"{name}-{digits(joined.hex())}", shown + joined.hex(), 63)
        self.objects.names[kind, identity] = name
        self.objects.make(kind, name, self.member.service.name, self.member.service.span, *split_text(content))
        return name

    def _volume_name(self, purpose: str, name: str) -> str:
        wanted = shortened(label(name if name.startswith(f"{purpose}-") else f"{purpose}-{name}"), name, 63)
        taken = {v.name for v in self.volumes}
        return wanted if wanted not in taken else shortened(f"{wanted}-{len(taken)}", f"{wanted}-{len(taken)}", 63)

    def _mount_items(
        self, purpose: str, name: str, items: list[tuple[str, str, int | None]], target: str, kind: str, *, single: str | None
    ) -> None:
        volume = self._volume_name(purpose, name)
        self.volumes.append(Volume(name=volume, source={kind: items_of(kind, name, items)}))
        sub_path = items[0][1] if single is not None else None
        self.mounts.append(VolumeMount(volume=volume, path=target, sub_path=sub_path, read_only=True))
        if sub_path is not None:
            self.notes.find("MIG415", f"{target} follows changes by a restart only", action=Action.MAPPED)

    def _mount_copied(self, name: str, kind: str, items: list[tuple[str, str, int | None]], target: str, single: str | None) -> None:
        source, copy = self._volume_name("source", name), self._volume_name("copy", name)
        self.volumes.append(Volume(name=source, source={kind: items_of(kind, name, items)}))
        self.volumes.append(Volume(name=copy, source={"emptyDir": {}}))
        self.mounts.append(VolumeMount(volume=copy, path=target, sub_path=items[0][1] if single is not None else None))
        self.init.append(
            InitContainer(
                name=shortened(label(f"copy-{len(self.init)}-{self.name}"), self.name, 63),
                image=self.tools,
                command=("/bin/sh", "-c", "cp -rL /from/. /to/ && chmod -R u+w,a+rwX /to/."),
                mounts=(VolumeMount(volume=source, path="/from", read_only=True), VolumeMount(volume=copy, path="/to")),
            )
        )

    def _mount_rendered(
        self,
        name: str,
        kind: str,
        items: list[tuple[str, str, int | None]],
        target: str,
        found: Mapping[str, tuple[bytes, bool, bool]],
        single: str | None,
    ) -> None:
        source, ready = self._volume_name("template", name), self._volume_name("rendered", name)
        self.volumes.append(Volume(name=source, source={kind: items_of(kind, name, items)}))
        self.volumes.append(Volume(name=ready, source={"emptyDir": {}}))
        self.mounts.append(VolumeMount(volume=ready, path=target, sub_path=items[0][1] if single is not None else None, read_only=True))
        tokens = dict.fromkeys(m[0] for data, _, rendered in found.values() if rendered for m in _TOKEN.finditer(data.decode()))
        for token in tokens:
            self.rendered.append((source, ready, token))

    def _render(self) -> None:
        """One init container that writes every rendered file with the addresses of this moment."""
        if not self.rendered:
            return
        pairs = dict.fromkeys((source, ready) for source, ready, _ in self.rendered)
        tokens = dict.fromkeys(token for _, _, token in self.rendered)
        lines = ["set -eu", ": > /tmp/edits"]
        env: list[EnvEntry] = []
        for token in tokens:
            if token == "@@POD_IP@@":  # noqa: S105 - a marker, no secret
                value = '"$POD_IP"'
                env.append(POD_IP)
            elif token == "@@HOST_IP@@":  # noqa: S105
                value = '"$HOST_IP"'
                env.append(HOST_IP)
            else:
                lines.append(_waits_for(token))
                value = '"${a%% *}"'
            lines.append(f"printf 's|{token}|%s|g\\n' {value} >> /tmp/edits")
        mounts = [VolumeMount(volume="render-edits", path="/tmp")]  # noqa: S108
        for number, (source, ready) in enumerate(pairs):
            lines.append(
                f"cd /template/{number} && find -L . -type f ! -path '*/..*' | while read -r f; do"
                f' mkdir -p "/rendered/{number}/$(dirname "$f")"; sed -f /tmp/edits "$f" > "/rendered/{number}/$f";'
                f' test ! -x "$f" || chmod 755 "/rendered/{number}/$f"; done'
            )
            mounts.append(VolumeMount(volume=source, path=f"/template/{number}", read_only=True))
            mounts.append(VolumeMount(volume=ready, path=f"/rendered/{number}"))
        self.volumes.append(Volume(name="render-edits", source={"emptyDir": {}}))
        script = escaped("\n".join(lines))
        name = shortened(label(f"render-{self.name}"), self.name, 63)
        self.init.append(
            InitContainer(name=name, image=self.tools, command=("/bin/sh", "-c", script), env=tuple(env), mounts=tuple(mounts))
        )


def _relative(stack: Stack, source: str) -> str:
    relative = os.path.relpath(source, stack.project.directory)
    return relative if relative.startswith("..") else f"./{relative}"


def _waits_for(token: str) -> str:
    """Shell text that sets `a` to the address that `token` asks for. An IPv6 address that does not come ends the pod's start with a
    message: the cluster may have none.

    >>> _waits_for("@@ADDR:db@@")
    'until a=$(getent hosts db); do sleep 2; done'
    """
    host = token.partition(":")[2].removesuffix("@@")
    if not token.startswith("@@ADDR6:"):
        return f"until a=$(getent hosts {host}); do sleep 2; done"
    asked = f"a=$(getent ahostsv6 {host} 2>/dev/null | grep : || getent hosts {host} | grep :)"
    gives_up = f"test $n -lt 60 || {{ echo 'no IPv6 address of {host}' >&2; exit 1; }}"
    return f"n=0; until {asked}; do n=$((n + 1)); {gives_up}; sleep 2; done"
