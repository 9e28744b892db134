"""What the objects of one Helm chart share: their settings, and the expressions for names that a user may change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from migrate.write.overlay import split_image
from migrate.write.pods import WORKLOADS, Manifest, containers_of, file_maps, pod_of
from migrate.write.template import Say
from migrate.write.values import Values, access, can_be_value, variable

QUANTITY: Final = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(e[0-9]+|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"}
PORT: Final = {"type": "integer", "minimum": 1, "maximum": 65535}
COUNT: Final = {"type": "integer", "minimum": 0}
TEXT: Final = {"type": "string"}
YES_OR_NO: Final = {"type": "boolean"}
NAME: Final = {"type": "string", "pattern": "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$", "maxLength": 253}

_FINDS_NAMES: Final = "until getent hosts"
_WAITS_FOR_JOBS: Final = ("wait", "--for=condition=complete")


@dataclass(frozen=True, slots=True)
class Part:
    """A container of a workload under its name in `services`; `own` is False for init containers that run their service's image."""

    service: str
    own: bool


@dataclass(slots=True)
class Chart:
    """Machinery of one chart. `parts` tells of each (workload, list, position) whose settings its container has, `mains` whose are those
    of a workload as a whole."""

    name: str
    namespace: str
    manifests: Sequence[Manifest]
    values: Values = field(default_factory=Values)
    files: frozenset[str] = frozenset()
    parts: dict[tuple[str, str, int], Part] = field(default_factory=dict)
    services: frozenset[str] = frozenset()
    mains: dict[str, str] = field(default_factory=dict)
    environment_maps: dict[str, str] = field(default_factory=dict)
    objects: dict[tuple[str, str], Manifest] = field(default_factory=dict)
    node_bound: frozenset[str] = frozenset()

    @classmethod
    def of(cls, manifests: Sequence[Manifest]) -> Chart:
        """The chart of a set of objects, its parts found and nothing set yet."""
        project = next((m for m in manifests if m["kind"] == "Namespace"), None)
        namespace = str(project["metadata"]["name"]) if project is not None else "default"
        chart = cls(name=namespace, namespace=namespace, manifests=manifests, files=_chart_files(manifests))
        chart.objects = {(m["kind"], m["metadata"]["name"]): m for m in manifests}
        chart.parts = dict(_parts(manifests))
        chart.services = frozenset(part.service for part in chart.parts.values())
        for (owner, _, _), part in chart.parts.items():
            chart.mains.setdefault(owner, part.service)
        chart.environment_maps = dict(_environment_maps(manifests, chart.parts))
        chart.node_bound = frozenset(_node_bound(manifests))
        return chart

    # -------------------------------------------------------------- expressions

    def setting(self, service: str, *keys: str, default: Any, schema: Mapping[str, Any]) -> str:
        """A setting of a service, and the expression for it."""
        self.values.put(("services", service, *keys), default, schema)
        return access(variable(service), *keys)

    def global_setting(self, *keys: str, default: Any, schema: Mapping[str, Any]) -> str:
        """A setting that is no service's, and the expression for it."""
        self.values.put(keys, default, schema)
        return access("$.Values", *keys)

    def namespace_name(self) -> Say:
        """The namespace of the objects."""
        return Say(expression=f'include "{self.name}.namespace" $ | toJson')

    def image(self, reference: str, base: str, *path: str) -> Say:
        """The image of a container: parts of the reference as settings at `path`, `base` the expression for them."""
        name, tag, digest = split_image(reference)
        first, slash, rest = name.partition("/")
        registry = first if slash and ("." in first or ":" in first or first == "localhost") else ""
        for key, default in {"registry": registry, "repository": rest if registry else name, "tag": tag, "digest": digest}.items():
            self.values.put((*path, key), default, TEXT)
        return Say(expression=f'include "{self.name}.image" (dict "image" {base} "global" $.Values.global) | toJson')

    def secret(self, name: str) -> str:
        """The expression for a Secret's name: the chart's own, or an existing one."""
        return f"{self.existing_secret(name)} | default {_quoted(name)}" if ("Secret", name) in self.objects else self.existing_secret(name)

    def existing_secret(self, name: str) -> str:
        """The expression for the Secret that stands for the one of this name; empty if the chart makes it."""
        default = "" if ("Secret", name) in self.objects else name
        owner = name.removesuffix("-env")
        if name.endswith("-env") and owner in self.services:
            return self.setting(owner, "existingSecret", default=default, schema=NAME)
        return self.global_setting("secrets", name, "existingSecret", default=default, schema=NAME)

    def persistence(self, claim: Manifest) -> tuple[str, ...]:
        """Where the settings of a claim stand: with its service, or apart if several share it."""
        owner = str((claim["metadata"].get("labels") or {}).get("app.kubernetes.io/name", ""))
        name = str(claim["metadata"]["name"])
        if owner in self.services:
            return "services", owner, "persistence", name
        return "persistence", name

    def at(self, path: tuple[str, ...], *keys: str) -> str:
        """The expression for a path of settings."""
        section, *rest = path
        return access(variable(rest[0]), *rest[1:], *keys) if section == "services" else access("$.Values", *path, *keys)


def _quoted(text: str) -> str:
    import json

    return json.dumps(text)


def _chart_files(manifests: Sequence[Manifest]) -> frozenset[str]:
    """The ConfigMaps that are read from `files/`: no text of theirs changes on the way through Helm, which also drops a byte order mark."""
    maps = {m["metadata"]["name"]: m for m in manifests if m["kind"] == "ConfigMap"}
    return frozenset(
        name
        for name in file_maps(manifests)
        if all(can_be_value(text) for text in (maps[name].get("data") or {}).values())
        and not any(str(value).startswith("77u/") for value in (maps[name].get("binaryData") or {}).values())
    )


def tool(container: Mapping[str, Any]) -> str | None:
    """Which of the tools a generated init container runs: `image`, `kubectl`, or None for what is no tool.

    Those that wait, copy files and render them are known by what they run and mount.
    """
    if not any(str(container.get("name", "")).startswith(verb) for verb in ("wait-for-", "copy-", "render-")):
        return None
    if tuple((container.get("args") or ())[:2]) == _WAITS_FOR_JOBS:
        return "kubectl"
    command = container.get("command") or ("",)
    mounts = {str(mount.get("mountPath")): mount.get("name") for mount in container.get("volumeMounts") or ()}
    shell = tuple(command[:2]) == ("/bin/sh", "-c")
    works = command[-1].startswith(_FINDS_NAMES) or set(mounts) == {"/from", "/to"} or "render-edits" in mounts.values()
    return "image" if shell and works else None


def _parts(manifests: Sequence[Manifest]) -> Iterator[tuple[tuple[str, str, int], Part]]:
    workloads = [m for m in manifests if m["kind"] in WORKLOADS]
    taken = {str(m["metadata"]["name"]) for m in workloads}
    for workload in workloads:
        owner = str(workload["metadata"]["name"])
        by_image: dict[str, str] = {}
        for key, position, container in sorted(containers_of(workload), key=_running_first):
            if tool(container) is not None:
                continue
            shared = by_image.get(container["image"])
            if not _runs(key, container) and shared is not None:
                yield (owner, key, position), Part(shared, own=False)
                continue
            name = owner if not by_image else str(container["name"])
            if name != owner and name in taken:
                name = f"{owner}-{name}"
            taken.add(name)
            by_image.setdefault(container["image"], name)
            yield (owner, key, position), Part(name, own=True)


def _runs(key: str, container: Mapping[str, Any]) -> bool:
    return key == "containers" or container.get("restartPolicy") == "Always"


def _running_first(entry: tuple[str, int, Mapping[str, Any]]) -> bool:
    key, _, container = entry
    return not _runs(key, container)


def _environment_maps(manifests: Sequence[Manifest], parts: Mapping[tuple[str, str, int], Part]) -> Iterator[tuple[str, str]]:
    """ConfigMap -> the service whose variables it holds, where exactly one reads it and all its values can be settings."""
    maps = {m["metadata"]["name"]: m for m in manifests if m["kind"] == "ConfigMap"}
    users: dict[str, dict[str, None]] = {}
    for workload in (m for m in manifests if m["kind"] in WORKLOADS):
        for key, position, container in containers_of(workload):
            part = parts.get((workload["metadata"]["name"], key, position))
            literal = {entry["name"] for entry in container.get("env") or ()}
            for source in container.get("envFrom") or ():
                name = source.get("configMapRef", {}).get("name")
                fits = part is not None and name in maps and not literal & set(maps[name].get("data") or {})
                users.setdefault(name, {})[part.service if part is not None and fits else ""] = None
    for name, found in users.items():
        values = (maps.get(name) or {}).get("data") or {}
        if "" not in found and len(found) == 1 and all(can_be_value(text) for text in values.values()):
            yield name, next(iter(found))


def _node_bound(manifests: Sequence[Manifest]) -> Iterator[str]:
    """The claims that bind their pods to one node (V6)."""
    prefix = "compose-cutover/volume-"
    for workload in (m for m in manifests if m["kind"] in WORKLOADS):
        terms = ((pod_of(workload).get("affinity") or {}).get("podAffinity") or {}).get(
            "requiredDuringSchedulingIgnoredDuringExecution"
        ) or ()
        if any(label.startswith(prefix) for term in terms for label in (term.get("labelSelector") or {}).get("matchLabels") or {}):
            from migrate.write.pods import template_of

            labels = (template_of(workload).get("metadata") or {}).get("labels") or {}
            yield from (label.removeprefix(prefix) for label in labels if label.startswith(prefix))
