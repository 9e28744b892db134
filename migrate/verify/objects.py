"""What the checks read of plain manifests: pods with their place, containers, labels, and who is where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from migrate.description import description
from migrate.source import Path_

TEMPLATES: Final[Mapping[str, Path_]] = {
    "Pod": (),
    "Deployment": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
"""Where each kind of workload holds its pod."""

CLUSTER_SCOPED: Final = frozenset(
    {
        *("Namespace", "Node", "PersistentVolume", "ClusterRole", "ClusterRoleBinding", "StorageClass", "IngressClass", "PriorityClass"),
        *("RuntimeClass", "CustomResourceDefinition", "ServiceCIDR", "IPAddress", "APIService"),
        *("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
    }
)


@description
class Container:
    """One container with its place in the object; `first` for init containers."""

    path: Path_
    data: Mapping[str, Any]
    first: bool

    @property
    def name(self) -> str:
        """Its name, empty if it has none."""
        return str(self.data.get("name", ""))


@description
class Pod:
    """The pod of a workload: `path` leads to its spec; `position` is that of the workload among the objects."""

    position: int
    workload: Mapping[str, Any]
    path: Path_
    labels: Mapping[str, str]
    spec: Mapping[str, Any]

    @property
    def namespace(self) -> str:
        """Where it runs."""
        return namespace(self.workload)

    def containers(self) -> Iterator[Container]:
        """Init containers, then containers, each with its place."""
        for key in ("initContainers", "containers"):
            for index, data in enumerate(sequence(self.spec.get(key))):
                yield Container(path=(*self.path, key, index), data=mapping(data), first=key == "initContainers")

    def volumes(self) -> Iterator[tuple[Path_, Mapping[str, Any]]]:
        """Volumes with their places."""
        for index, data in enumerate(sequence(self.spec.get("volumes"))):
            yield (*self.path, "volumes", index), mapping(data)


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one: the schema check tells what is wrong with it."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: Any) -> Sequence[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, (list, tuple)) else ()


def at(manifest: Mapping[str, Any], path: Path_) -> Any:
    """What stands at a place; None if nothing does.

    >>> at({"spec": {"ports": [{"port": 80}]}}, ("spec", "ports", 0, "port"))
    80
    """
    value: Any = manifest
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, (list, tuple)) and step < len(value) else None
        else:
            value = mapping(value).get(step)
    return value


def name(manifest: Mapping[str, Any]) -> str:
    """The name of an object, empty if it has none."""
    return str(mapping(manifest.get("metadata")).get("name") or "")


def namespace(manifest: Mapping[str, Any]) -> str:
    """The namespace of an object, empty if it says none or has none."""
    return "" if manifest.get("kind") in CLUSTER_SCOPED else str(mapping(manifest.get("metadata")).get("namespace") or "")


def pod_of(position: int, manifest: Mapping[str, Any]) -> Pod | None:
    """The pod that an object makes, None if it makes none."""
    path = TEMPLATES.get(str(manifest.get("kind")))
    if path is None:
        return None
    template = mapping(at(manifest, path))
    return Pod(
        position=position,
        workload=manifest,
        path=(*path, "spec"),
        labels={str(k): str(v) for k, v in mapping(mapping(template.get("metadata")).get("labels")).items()},
        spec=mapping(template.get("spec")),
    )


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector (with matchLabels and matchExpressions) admits labels; an empty one admits all.

    >>> selects({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, {"a": "2"})
    True
    """
    if any(labels.get(key) != value for key, value in mapping(selector.get("matchLabels")).items()):
        return False
    return all(_matches(mapping(expression), labels) for expression in sequence(selector.get("matchExpressions")))


def _matches(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = str(expression.get("key")), sequence(expression.get("values"))
    match expression.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False
