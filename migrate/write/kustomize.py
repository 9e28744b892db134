"""The Kustomize tree: a base that builds to the plain objects, and one overlay an environment.

    base/kustomization.yaml     the plain files, and a generator for each ConfigMap of files: an edit in `files/` rolls the pods
    base/files/MAP/KEY          what the ConfigMap holds
    overlays/ENV/               images, replicas, resources and exposure of the environment, and whatever else differs from the base

Every overlay states the images, replicas, resources and exposure that it has, equal to the base or not: these are the lines to edit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from migrate.write.dump import dump, dump_stream
from migrate.write.overlay import overlay
from migrate.write.plain import SECRETS, by_file, mode_of
from migrate.write.pods import file_maps
from migrate.write.tree import File, FileTree

ENVIRONMENTS: Final = ("dev", "staging", "production")
"""The overlays of a project whose plan names no environments."""

_BASE: Final = "base"
_TYPE: Final = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
_SECRETS_NOTE: Final = f"""\
# {SECRETS} holds the Secrets in clear and is not for version control: where it is absent, take its line out of `resources`.
"""


def kustomize(manifests: Sequence[Mapping[str, Any]], environments: Mapping[str, Sequence[Mapping[str, Any]]] | None = None) -> FileTree:
    """Manifests in apply order, and those of each environment by its name -> base and overlays.

    Without `environments` each of ENVIRONMENTS gets what the base has. `kubectl kustomize DIR/base` gives `manifests` and
    `DIR/overlays/ENV` those of the environment, but for the hash that a generated ConfigMap's name ends with.
    """
    generated = file_maps(manifests)
    files = {f"{_BASE}/{name}": file for name, file in _base(manifests, generated).items()}
    for name, objects in (environments if environments is not None else dict.fromkeys(ENVIRONMENTS, manifests)).items():
        files |= {f"overlays/{name}/{file}": text for file, text in overlay(name, manifests, objects, generated).items()}
    secrets = sorted(name for name in files if name.rpartition("/")[2] == SECRETS)
    if secrets:
        files[".gitignore"] = File(text="".join(f"{name}\n" for name in secrets))
    return FileTree(files=dict(sorted(files.items())))


def _base(manifests: Sequence[Mapping[str, Any]], generated: frozenset[str]) -> Mapping[str, File]:
    maps = [m for m in manifests if m["kind"] == "ConfigMap" and m["metadata"]["name"] in generated]
    objects = by_file(manifests)
    kept = {name: [m for m in found if m not in maps] for name, found in objects.items()}
    files = {name: File(text=dump_stream(found), mode=mode_of(name)) for name, found in kept.items() if found}
    kustomization: dict[str, Any] = {**_TYPE, "resources": list(files)}
    if maps:
        kustomization["configMapGenerator"] = [generator(m) for m in maps]
    note = _SECRETS_NOTE if SECRETS in files else ""
    for made in maps:
        files |= map_files(made)
    return {**files, "kustomization.yaml": File(text=note + dump(kustomization))}


def generator(made: Mapping[str, Any]) -> dict[str, Any]:
    """The generator of a ConfigMap of files, with its labels and annotations."""
    metadata = made["metadata"]
    options = {key: dict(metadata[key]) for key in ("labels", "annotations") if metadata.get(key)}
    return {
        "name": metadata["name"],
        **({"namespace": metadata["namespace"]} if "namespace" in metadata else {}),
        **({"options": options} if options else {}),
        "files": [f"{key}=files/{metadata['name']}/{key}" for key in (*(made.get("data") or {}), *(made.get("binaryData") or {}))],
    }


def map_files(made: Mapping[str, Any]) -> dict[str, File]:
    """What a ConfigMap holds, as files."""
    import base64

    name = made["metadata"]["name"]
    text = {f"files/{name}/{key}": File(text=value) for key, value in (made.get("data") or {}).items()}
    return text | {f"files/{name}/{key}": File(text=base64.b64decode(value)) for key, value in (made.get("binaryData") or {}).items()}
