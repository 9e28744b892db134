"""What a container reads from outside (conversion.md 2.7): environment E1 to E4, command, configs, secrets, mounted files."""

from __future__ import annotations

import fnmatch
import os.path
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath
from typing import Any, Final

from migrate.addresses.types import RewrittenService
from migrate.compose.model import FileSource, FileUse
from migrate.findings import Action
from migrate.plan.contents import Content
from migrate.plan.decision import Answers, Decided, Notes
from migrate.plan.escaping import escaped
from migrate.plan.katenary import secret_variables
from migrate.plan.spelling import digits, label, object_name, shortened, slug
from migrate.plan.types import DataObject, EnvEntry, InitContainer, Settings, Volume, VolumeMount
from migrate.stack import ClassifiedMount, Member, Stack
from migrate.stack.data import image_name, knowledge

POD_IP: Final = EnvEntry(name="POD_IP", field_path="status.podIP")
HOST_IP: Final = EnvEntry(name="HOST_IP", field_path="status.hostIP")
_DATA_KEY: Final = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_OLD_NAME: Final = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_NEW_NAME: Final = re.compile(r"[^=\x00-\x1f\x7f]+", re.ASCII)
_PASSWORD_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@", re.IGNORECASE)
_TOKEN: Final = re.compile(r"@@ADDR:([^@\s]+)@@|@@POD_IP@@|@@HOST_IP@@")
_IN_CLEAR: Final = "values of Secrets stand in clear in the output"
_LIMIT_BYTES: Final = 1 << 20
_APPLY_LIMIT_BYTES: Final = 1 << 18


@dataclass(slots=True)
class _Objects:
    """Machinery of one call: the ConfigMaps and Secrets so far, by (kind, name) and by what they hold."""

    made: dict[tuple[str, str], DataObject] = field(default_factory=dict)
    names: dict[tuple[str, Any], str] = field(default_factory=dict)


def decide_settings(
    stack: Stack,
    texts: Mapping[str, RewrittenService],
    contents: Mapping[str, Content],
    objects: Mapping[str, str],
    answers: Answers,
) -> Decided[tuple[Mapping[str, Settings], tuple[DataObject, ...]]]:
    """The settings of every service, and the ConfigMaps and Secrets in the order of their first use.

    `texts` are the rewritten texts, `contents` the files on the disk, `objects` service key -> object name.
    """
    notes = Notes(stack.project)
    made = _Objects()
    found: dict[str, Settings] = {}
    for name, member in stack.members.items():
        own = Notes(stack.project, member.service, notes.decisions, notes.findings)
        service = _Service(stack, member, texts[name], contents, objects[name], answers, own, made)
        found[name] = service.decide()
    return notes.done((found, tuple(made.made.values())))


@cache
def _secret_names() -> tuple[re.Pattern[str], re.Pattern[str], frozenset[str]]:
    data = knowledge()
    return (
        re.compile(data["secret_keys"], re.IGNORECASE),
        re.compile("|".join(data["not_secret_keys"]), re.IGNORECASE),
        frozenset(data["not_secret_values"]),
    )


def looks_secret(name: str, value: str) -> bool:
    """E2: the name says that the value is secret, or the value is a URL with a password.

    >>> looks_secret("DB_PASSWORD", "x"), looks_secret("DB_PASSWORD_FILE", "/run/x"), looks_secret("URL", "redis://:pw@h")
    (True, False, True)
    """
    keys, not_keys, not_values = _secret_names()
    if _PASSWORD_URL.search(value):
        return True
    return keys.search(name) is not None and not_keys.search(name) is None and value not in not_values


class _Service:
    """Machinery: the settings of one service while they are decided."""

    def __init__(
        self,
        stack: Stack,
        member: Member,
        texts: RewrittenService,
        contents: Mapping[str, Content],
        object_name: str,
        answers: Answers,
        notes: Notes,
        made: _Objects,
    ) -> None:
        self.stack, self.member, self.texts, self.contents = stack, member, texts, contents
        self.name, self.answers, self.notes, self.made = object_name, answers, notes, made
        self.volumes: list[Volume] = []
        self.mounts: list[VolumeMount] = []
        self.init: list[InitContainer] = []
        self.external: list[str] = []
        self.fs_group: int | None = None
        self.rendered: list[tuple[str, str, str, bool]] = []
        self.tools = str(answers.tools.get("image") or knowledge()["tools"]["image"])

    def decide(self) -> Settings:
        env, env_from = self.environment()
        self.configs()
        self.secrets()
        wanted = self.member.service.labels.get("kompose.volume.type", "").lower()
        for index, mount in enumerate(self.member.mounts):
            if mount.kind in ("file", "configuration") and wanted not in ("hostpath", "emptydir", "persistentvolumeclaim"):
                self.files(mount, index)
        self.overlays()
        self.render()
        data = self.member.service.data
        command, args = self.texts.entrypoint, self.texts.command
        return Settings(
            env=env,
            env_from=env_from,
            command=None if command is None else tuple(escaped(w, ours=True) for w in command),
            args=None if args is None else tuple(escaped(w, ours=True) for w in args),
            working_dir=data.get("working_dir"),
            stdin=bool(data.get("stdin_open")),
            tty=bool(data.get("tty")),
            volumes=tuple(self.volumes),
            mounts=tuple(self.mounts),
            init=tuple(self.init),
            external=tuple(dict.fromkeys(self.external)),
            fs_group=self.fs_group,
        )

    # environment

    def environment(self) -> tuple[tuple[EnvEntry, ...], tuple[str, ...]]:
        entries: list[EnvEntry] = []
        secret: dict[str, str] = {}
        plain: dict[str, str] = {}
        unset, moved, illegal = [], [], []
        keep_plain = set(self.answers.of(self.member.service.name, "plain", ()) or ())
        said_secret = secret_variables(self.member.service.labels)
        secrets_outside = self.answers.of(self.member.service.name, "secrets") == "external"
        secret_name = f"{self.name}-env"
        variables = self.member.service.environment
        pattern = _NEW_NAME if self.answers.at_least("1.32") else _OLD_NAME
        for name, value in self.texts.environment.items():
            variable = variables.get(name)
            span = variable.span if variable is not None else None
            if value is None:
                unset.append((name, span))
            elif pattern.fullmatch(name) is None:
                illegal.append((name, span))
            elif (name == "POD_IP" and value == "$(POD_IP)") or (name == "HOST_IP" and value == "$(HOST_IP)"):
                continue
            elif (
                name not in keep_plain
                and (name in said_secret or looks_secret(name, value))
                and "$(POD_IP)" not in value
                and _DATA_KEY.fullmatch(name)
            ):
                secret[name] = value
                moved.append((name, span))
                entries.append(EnvEntry(name=name, secret=(secret_name, name)))
            elif variable is not None and variable.env_file is not None and self.is_plain(name, value):
                plain[name] = value
            else:
                entries.append(EnvEntry(name=name, value=escaped(value, ours=self.texts.needs_pod_ip or self.texts.needs_host_ip)))
        for name, span in unset:
            self.notes.find(
                "MIG405", f"variable {name} has no value here and is left out", "environment", name, action=Action.DROPPED, span=span
            )
        for name, span in illegal:
            self.notes.find(
                "MIG403",
                f"variable name {name!r} is not allowed by the target version",
                "environment",
                name,
                action=Action.DROPPED,
                span=span,
            )
        for name, span in moved:
            self.notes.find(
                "MIG401", f"variable {name} stands in Secret {secret_name}", "environment", name, action=Action.MAPPED, span=span
            )
        if secret and secrets_outside:
            self.external.append(f"secret/{secret_name}")
        elif secret:
            self.make("Secret", secret_name, secret, {}, own=True)
            self.notes.find("MIG402", _IN_CLEAR, "environment", action=Action.MAPPED)
        if plain:
            self.make("ConfigMap", f"{self.name}-env", plain, {}, own=True)
        zone = self.answers.project.get("timezone")
        if zone and "TZ" not in self.texts.environment and any(m.kind == "dropped" for m in self.member.mounts):
            entries.append(EnvEntry(name="TZ", value=escaped(str(zone))))
        first = [*([POD_IP] if self.texts.needs_pod_ip else []), *([HOST_IP] if self.texts.needs_host_ip else [])]
        taken = {e.name for e in first}
        return (*first, *(e for e in entries if e.name not in taken)), ((f"{self.name}-env",) if plain else ())

    def is_plain(self, name: str, value: str) -> bool:
        return name not in self.texts.changed_variables and _DATA_KEY.fullmatch(name) is not None and _OLD_NAME.fullmatch(name) is not None

    # configs and secrets of the Compose file

    def configs(self) -> None:
        for index, use in enumerate(self.member.service.configs):
            source = self.stack.project.configs.get(use.source)
            if source is None:
                continue
            target = use.target or f"/{use.source}"
            target = target if target.startswith("/") else f"/{target}"
            key = _key(PurePosixPath(target).name)
            self.owner_of_file(use, "configs", index)
            if source.external:
                name, item = object_name(source.name), source.name
                self.outside("configmap", name, source)
            else:
                name, item = object_name(use.source), key
                if not self.resource("ConfigMap", name, item, source):
                    continue
            self.mount_items("config", name, [(item, key, use.mode)], target, "configMap", single=key)

    def secrets(self) -> None:
        together: list[dict[str, Any]] = []
        for index, use in enumerate(self.member.service.secrets):
            source = self.stack.project.secrets.get(use.source)
            if source is None:
                continue
            self.owner_of_file(use, "secrets", index)
            item = _key(source.name if source.external else use.source)
            name = object_name(source.name if source.external else use.source)
            if source.external or self.answers.of(self.member.service.name, "secrets") == "external":
                self.outside("secret", name, source)
            elif not self.resource("Secret", name, item, source):
                continue
            target = (use.target or use.source).removeprefix("/run/secrets/")
            if target.startswith("/"):
                self.mount_items(
                    "secret", name, [(item, PurePosixPath(target).name, use.mode)], target, "secret", single=PurePosixPath(target).name
                )
                continue
            mode = {"mode": use.mode} if use.mode is not None else {}
            together.append({"secret": {"name": name, "items": [{"key": item, "path": target, **mode}]}})
        if together:
            self.volumes.append(Volume(name="secrets", source={"projected": {"defaultMode": 0o444, "sources": together}}))
            self.mounts.append(VolumeMount(volume="secrets", path="/run/secrets", read_only=True))

    def owner_of_file(self, use: FileUse, section: str, index: int) -> None:
        if use.uid is None and use.gid is None:
            return
        self.notes.find("MIG420", f"owner of {use.source} cannot be set; the group is the pod's fsGroup", section, index, span=use.span)
        if use.gid is not None and use.gid.isdigit() and use.mode is not None and not use.mode & 0o007:
            self.fs_group = int(use.gid)

    def outside(self, kind: str, name: str, source: FileSource) -> None:
        self.external.append(f"{kind}/{name}")
        if source.external:
            self.notes.find("MIG421", f"{kind} {name} must exist before", span=source.span, action=Action.MAPPED)

    def resource(self, kind: Any, name: str, key: str, source: FileSource) -> bool:
        """Make the object of a top-level config or secret; whether it has a value."""
        if source.data.get("driver") or source.data.get("template_driver"):
            self.notes.find("MIG423", f"{source.key} has a driver", span=source.span, action=Action.REFUSED)
            return False
        content: bytes | None
        if source.file is not None:
            rewritten = self.texts.files.get(str(source.file))
            known = self.contents.get(str(source.file))
            content = rewritten.text.encode() if rewritten is not None else known.data if known is not None else None
            if content is None:
                self.notes.find("MIG416", f"the file of {source.key} is missing or over 1 MiB", span=source.span, action=Action.REFUSED)
                return False
        elif source.content is not None:
            changed = self.texts.files.get(source.key)
            content = (changed.text if changed is not None else source.content).encode()
        else:
            value = self.stack.project.variables.get(source.environment or "")
            if value is None:
                self.notes.find(
                    "MIG422", f"{source.key} takes the value of a variable that is not set", span=source.span, action=Action.REFUSED
                )
                return False
            content = value.encode()
        if kind == "Secret" and ("Secret", name) not in self.made.made:
            self.notes.find("MIG402", _IN_CLEAR, span=source.span, action=Action.MAPPED)
        self.make(kind, name, *_split({key: content}), span=source.span, annotations=source.data.get("labels") or {})
        return True

    # mounted files

    def files(self, classified: ClassifiedMount, index: int) -> None:
        mount = classified.mount
        found = self.read(classified, index)
        if not found:
            return
        base = PurePosixPath(mount.source or "file").name
        private = any(_is_private(path or base, data) for path, (data, _, _) in found.items())
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
        keys = _item_keys(found, base)
        name = self.data_object("Secret" if private else "ConfigMap", shown, {keys[p]: d for p, (d, _, _) in found.items()})
        kind = "secret" if private else "configMap"
        items = [(keys[p], p or PurePosixPath(mount.target).name, 0o755 if executable else None) for p, (_, executable, _) in found.items()]
        single = PurePosixPath(mount.target).name if classified.kind == "file" else None
        if any(rendered for _, _, rendered in found.values()):
            self.mount_rendered(name, kind, items, mount.target, found, single)
        elif not mount.read_only and self.writes(mount.target):
            self.notes.find(
                "MIG417", f"{mount.target} is a copy that the container may write; changes are lost", "volumes", index, span=mount.span
            )
            self.mount_copied(name, kind, items, mount.target, single)
        else:
            if not mount.read_only:
                self.notes.find("MIG418", f"{mount.target} is read-only now", "volumes", index, span=mount.span)
            self.mount_items("files", name, items, mount.target, kind, single=single)

    def overlays(self) -> None:
        """Changed files of the image, laid over their place in it (MIG217)."""
        for target, rewritten in self.texts.overlays.items():
            base = PurePosixPath(target).name
            name = self.data_object("ConfigMap", target, {_key(base): rewritten.text.encode()})
            self.mount_items("files", name, [(_key(base), base, None)], target, "configMap", single=base)

    def read(self, classified: ClassifiedMount, index: int) -> dict[str, tuple[bytes, bool, bool]]:
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

    def writes(self, target: str) -> bool:
        service = self.member.service
        image = image_name(service.image)
        if image in knowledge()["writes_config"] or (image == "redis" and "--sentinel" in (service.command or ())):
            return True
        said = " ".join((*(service.entrypoint or ()), *(service.command or ())))
        path = re.escape(target)
        return re.search(rf"(sed\s+-i|chown|chmod)\b[^;&|]*{path}|>\s*{path}", said) is not None

    def data_object(self, kind: Any, shown: str, content: Mapping[str, bytes]) -> str:
        identity = (shown, tuple(sorted(content.items())))
        if (known := self.made.names.get((kind, identity))) is not None:
            object_ = self.made.made[kind, known]
            if object_.service != self.member.service.name:
                self.made.made[kind, known] = DataObject(
                    kind=kind, name=known, text=object_.text, binary=object_.binary, service=None, span=object_.span
                )
            return known
        name = shortened(f"files-{slug(shown)}", shown)
        if (kind, name) in self.made.made:
            joined = b"\0".join(k.encode() + b"\0" + v for k, v in sorted(content.items()))
            name = shortened(f"{name}-{digits(joined.hex())}", shown + joined.hex(), 63)
        self.made.names[kind, identity] = name
        self.make(kind, name, *_split(content), own=True)
        return name

    def make(
        self,
        kind: Any,
        name: str,
        text: Mapping[str, str],
        binary: Mapping[str, bytes],
        *,
        own: bool = False,
        span: Any = None,
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        known = self.made.made.get((kind, name))
        text = {**(known.text if known else {}), **text}
        binary = {**(known.binary if known else {}), **binary}
        self.made.made[kind, name] = DataObject(
            kind=kind,
            name=name,
            text=text,
            binary=binary,
            service=self.member.service.name if own else None,
            span=span or self.member.service.span,
            annotations=annotations or {},
        )

    # volumes

    def volume_name(self, purpose: str, name: str) -> str:
        wanted = shortened(label(name if name.startswith(f"{purpose}-") else f"{purpose}-{name}"), name, 63)
        taken = {v.name for v in self.volumes}
        return wanted if wanted not in taken else shortened(f"{wanted}-{len(taken)}", f"{wanted}-{len(taken)}", 63)

    def mount_items(
        self, purpose: str, name: str, items: list[tuple[str, str, int | None]], target: str, kind: str, *, single: str | None
    ) -> None:
        volume = self.volume_name(purpose, name)
        self.volumes.append(Volume(name=volume, source={kind: _items(kind, name, items)}))
        sub_path = items[0][1] if single is not None else None
        self.mounts.append(VolumeMount(volume=volume, path=target, sub_path=sub_path, read_only=True))
        if sub_path is not None:
            self.notes.find("MIG415", f"{target} follows changes by a restart only", action=Action.MAPPED)

    def mount_copied(self, name: str, kind: str, items: list[tuple[str, str, int | None]], target: str, single: str | None) -> None:
        source, copy = self.volume_name("source", name), self.volume_name("copy", name)
        self.volumes.append(Volume(name=source, source={kind: _items(kind, name, items)}))
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

    def mount_rendered(
        self,
        name: str,
        kind: str,
        items: list[tuple[str, str, int | None]],
        target: str,
        found: Mapping[str, tuple[bytes, bool, bool]],
        single: str | None,
    ) -> None:
        source, ready = self.volume_name("template", name), self.volume_name("rendered", name)
        self.volumes.append(Volume(name=source, source={kind: _items(kind, name, items)}))
        self.volumes.append(Volume(name=ready, source={"emptyDir": {}}))
        self.mounts.append(VolumeMount(volume=ready, path=target, sub_path=items[0][1] if single is not None else None, read_only=True))
        tokens = dict.fromkeys(m[0] for data, _, rendered in found.values() if rendered for m in _TOKEN.finditer(data.decode()))
        for token in tokens:
            self.rendered.append((source, ready, token, True))

    def render(self) -> None:
        """One init container that writes every rendered file with the addresses of this moment."""
        if not self.rendered:
            return
        pairs = dict.fromkeys((source, ready) for source, ready, _, _ in self.rendered)
        tokens = dict.fromkeys(token for _, _, token, _ in self.rendered)
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
                host = token.removeprefix("@@ADDR:").removesuffix("@@")
                lines.append(f"until a=$(getent hosts {host}); do sleep 2; done")
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


def _items(kind: str, name: str, items: list[tuple[str, str, int | None]]) -> dict[str, Any]:
    listed = [{"key": key, "path": path, **({"mode": mode} if mode is not None else {})} for key, path, mode in items]
    return {"secretName" if kind == "secret" else "name": name, "defaultMode": 0o644, "items": listed}


def _key(name: str) -> str:
    return re.sub(r"[^-._a-zA-Z0-9]", "-", name) or "file"


def _item_keys(found: Mapping[str, tuple[bytes, bool, bool]], base: str) -> dict[str, str]:
    keys: dict[str, str] = {}
    for path in found:
        key = _key(path.replace("/", "__") or base)
        if key in keys.values() or len(key) > 253:
            key = f"{key[:240]}-{digits(path)}"
        keys[path] = key
    return keys


def _split(content: Mapping[str, bytes]) -> tuple[dict[str, str], dict[str, bytes]]:
    text: dict[str, str] = {}
    binary: dict[str, bytes] = {}
    for key, data in content.items():
        try:
            decoded = data.decode("utf-8")
        except UnicodeDecodeError:
            binary[key] = data
            continue
        if re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", decoded):
            binary[key] = data
        else:
            text[key] = decoded
    return text, binary


def _is_private(path: str, data: bytes) -> bool:
    name = PurePosixPath(path).name
    return any(fnmatch.fnmatch(name, p) for p in knowledge()["secret_files"]) or b"PRIVATE KEY-----" in data


def _relative(stack: Stack, source: str) -> str:
    relative = os.path.relpath(source, stack.project.directory)
    return relative if relative.startswith("..") else f"./{relative}"
