"""Where the writers find what they write apart: the pod of a workload, its containers, and the ConfigMaps that hold files."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from migrate.patterns import late

Manifest = Mapping[str, Any]

_NO_KEY: Final = late(
    r"~|null|true|false|\.nan|[-+]?(\.inf|0[xob]?[0-9a-f_]+|[0-9][0-9_]*(\.[0-9_]*)?(e[-+]?[0-9]+)?|\.[0-9_]+(e[-+]?[0-9]+)?)"
    r"|\d{4}-\d\d?-\d\d?.*",
    re.IGNORECASE,
)
_NO_TEXT: Final = late("[\x7f-\x9f\ufffe\uffff]")
"""What generators of Kustomize (5.5 to 5.8) damage or refuse: keys that YAML takes for something else, and these characters."""

WORKLOADS: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod", "ReplicaSet"})


def template_of(workload: Manifest) -> Mapping[str, Any]:
    """What a workload makes its pods of; empty for what makes none."""
    spec: Mapping[str, Any] = workload.get("spec") or {}
    template: Mapping[str, Any] = spec.get("jobTemplate", {}).get("spec", spec).get("template") or workload
    return template


def pod_of(workload: Manifest) -> Mapping[str, Any]:
    """The spec of a workload's pods."""
    pod: Mapping[str, Any] = template_of(workload).get("spec") or {}
    return pod


def containers_of(workload: Manifest) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """(`initContainers` or `containers`, position, container), in the order in which they start."""
    pod = pod_of(workload)
    for key in ("initContainers", "containers"):
        for position, container in enumerate(pod.get(key) or ()):
            yield key, position, container


def file_maps(manifests: Sequence[Manifest]) -> frozenset[str]:
    """The names of the ConfigMaps that hold files: no container reads them as environment, and generators carry them unchanged.

    A file of control characters is binary in a ConfigMap although it may be valid UTF-8: a generator would take it for text.
    """
    read = {name for m in manifests if m["kind"] in WORKLOADS for _, _, container in containers_of(m) for name in _read_maps(container)}
    return frozenset(
        m["metadata"]["name"] for m in manifests if m["kind"] == "ConfigMap" and m["metadata"]["name"] not in read and _are_files(m)
    )


def _read_maps(container: Mapping[str, Any]) -> Iterator[str]:
    for source in container.get("envFrom") or ():
        yield source.get("configMapRef", {}).get("name", "")
    for entry in container.get("env") or ():
        yield (entry.get("valueFrom") or {}).get("configMapKeyRef", {}).get("name", "")


def _are_files(made: Manifest) -> bool:
    text, binary = made.get("data") or {}, made.get("binaryData") or {}
    carried = not any(_NO_KEY.fullmatch(key) for key in (*text, *binary)) and not any(_NO_TEXT.search(value) for value in text.values())
    return bool(text or binary) and carried and not any(_is_text(base64.b64decode(value)) for value in binary.values())


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
