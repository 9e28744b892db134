"""The plain tree: files of manifests for `kubectl apply -f DIR`, numbered in the order in which they must be applied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from migrate.write.dump import dump_stream
from migrate.write.pods import WORKLOADS, pod_of, template_of
from migrate.write.tree import File, FileTree

SECRETS: Final = "05-secrets.yaml"
_BY_KIND: Final[Mapping[str, str]] = {
    "Namespace": "00-namespace.yaml",
    "Secret": SECRETS,
    "NetworkPolicy": "90-network.yaml",
    "Ingress": "90-network.yaml",
    "ServiceCIDR": "10-shared.yaml",
    "NetworkAttachmentDefinition": "10-shared.yaml",
}


def plain(manifests: Sequence[Mapping[str, Any]]) -> FileTree:
    """Manifests in apply order -> the files of conversion.md 2.15.

    Secrets stand in a file of their own, readable by its owner only, and the tree's `.gitignore` names it.
    """
    files = by_file(manifests)
    tree = {name: File(text=dump_stream(objects), mode=mode_of(name)) for name, objects in files.items()}
    if SECRETS in tree:
        tree[".gitignore"] = File(text=f"{SECRETS}\n")
    return FileTree(files=tree)


def mode_of(name: str) -> int:
    """The permissions of a file of manifests: Secrets are for their owner alone."""
    return 0o600 if name == SECRETS else 0o644


def by_file(manifests: Sequence[Mapping[str, Any]]) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """File name -> the objects that it holds, in apply order; the names sort in apply order too.

    What belongs to one service stands in `20-<service>.yaml`; what two services use, or what is nobody's, in `10-shared.yaml`.
    """
    owners = _owners(manifests)
    files: dict[str, list[Mapping[str, Any]]] = {}
    for position, manifest in enumerate(manifests):
        files.setdefault(_BY_KIND.get(manifest["kind"]) or owners[position], []).append(manifest)
    return {name: files[name] for name in sorted(files)}


def _owners(manifests: Sequence[Mapping[str, Any]]) -> list[str]:
    """The file of each manifest that no kind decides: that of the one workload that it is, is named for, or is used by."""
    workloads = [m for m in manifests if m["kind"] in WORKLOADS]
    own = {m["metadata"]["name"] for m in workloads}
    users: dict[tuple[str, str], set[str]] = {}
    for workload in workloads:
        for reference in _references(workload):
            users.setdefault(reference, set()).add(workload["metadata"]["name"])
    return [_file(manifest, own, users, workloads) for manifest in manifests]


def _file(
    manifest: Mapping[str, Any], own: set[str], users: Mapping[tuple[str, str], set[str]], workloads: Sequence[Mapping[str, Any]]
) -> str:
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    if kind in WORKLOADS:
        return f"20-{name}.yaml"
    used_by = users.get((kind, name), set())
    if len(used_by) > 1:
        return "10-shared.yaml"
    if len(used_by) == 1:
        return f"20-{next(iter(used_by))}.yaml"
    labelled = manifest["metadata"].get("labels", {}).get("app.kubernetes.io/name")
    if labelled in own:
        return f"20-{labelled}.yaml"
    selected = _selected(manifest, workloads)
    return f"20-{selected[0]}.yaml" if len(selected) == 1 else "10-shared.yaml"


def _selected(manifest: Mapping[str, Any], workloads: Sequence[Mapping[str, Any]]) -> list[str]:
    spec = manifest.get("spec") or {}
    target = spec.get("scaleTargetRef", {}).get("name")
    if target:
        return [target]
    selector = spec.get("selector") or {}
    wanted = selector.get("matchLabels", selector) if isinstance(selector, Mapping) else {}
    if not wanted:
        return []
    return [w["metadata"]["name"] for w in workloads if wanted.items() <= (template_of(w).get("metadata", {}).get("labels") or {}).items()]


def _references(workload: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """The (kind, name) of what a workload's pods use: maps, claims, the account, the Service of a StatefulSet."""
    pod = pod_of(workload)
    if account := pod.get("serviceAccountName"):
        yield from ((kind, account) for kind in ("ServiceAccount", "Role", "RoleBinding"))
    if service := workload["spec"].get("serviceName"):
        yield "Service", service
    for volume in pod.get("volumes") or ():
        for source in (volume, *(volume.get("projected", {}).get("sources") or ())):
            yield from _volume(source)
    for container in (*(pod.get("initContainers") or ()), *(pod.get("containers") or ())):
        for source in container.get("envFrom") or ():
            if name := source.get("configMapRef", {}).get("name"):
                yield "ConfigMap", name
        for entry in container.get("env") or ():
            if name := entry.get("valueFrom", {}).get("configMapKeyRef", {}).get("name"):
                yield "ConfigMap", name


def _volume(source: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    if name := source.get("configMap", {}).get("name"):
        yield "ConfigMap", name
    if name := source.get("persistentVolumeClaim", {}).get("claimName"):
        yield "PersistentVolumeClaim", name
