"""The overlay of one environment: the lines that people edit, and as patches whatever else differs from the base.

    images, replicas         transformers of the kustomization
    resources.yaml           a strategic merge patch a workload
    exposure.yaml            the type of each published Service, the rules of each Ingress
    changes/KIND-NAME.yaml   JSON patches (RFC 6902) of what differs beside these
    removed/KIND-NAME.yaml   what the environment has not (a file each: Kustomize 5.5 crashes on several such patches in one)

What the environment alone has stands in files as in the base.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final

from migrate.patterns import late
from migrate.write.dump import dump, dump_stream
from migrate.write.plain import SECRETS, by_file, mode_of
from migrate.write.pods import WORKLOADS, Manifest, containers_of, pod_of
from migrate.write.tree import File

_TYPE: Final = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
_PATTERN: Final = late(r"[^A-Za-z0-9_./:@-]|:(?=@|\Z)")
"""In an image: what Kustomize takes for a part of a pattern, or cannot take apart."""
_REPLICATED: Final = frozenset({"Deployment", "StatefulSet"})
_PUBLISHED: Final = ("type", "loadBalancerIP", "externalTrafficPolicy")
_RULES: Final = ("ingressClassName", "rules", "tls")


def overlay(name: str, base: Sequence[Manifest], wanted: Sequence[Manifest], generated: frozenset[str]) -> dict[str, File]:
    """The files of `overlays/NAME`: built on `base` they give `wanted`. `generated` are the ConfigMaps that the base generates."""
    namespace = _namespace(wanted)
    there = {_identity(m): m for m in base}
    here = {_identity(m): m for m in (_moved(m, namespace, _namespace(base)) for m in wanted)}
    both = [(there[key], here[key]) for key in there if key in here]
    kustomization: dict[str, Any] = {**_TYPE}
    if namespace is not None:
        kustomization["namespace"] = namespace
    files = _own_objects([m for key, m in here.items() if key not in there])
    kustomization["resources"] = ["../../base", *files]
    maps = [(old, new) for old, new in both if _is_generated(old, generated)]
    if changed := [new for old, new in maps if _data(old) != _data(new)]:
        from migrate.write.kustomize import generator, map_files

        kustomization["configMapGenerator"] = [{**generator(new), "behavior": "replace"} for new in changed]
        files |= {path: file for new in changed for path, file in map_files(new).items()}
    if images := _images(both, [m for key, m in here.items() if key not in there]):
        kustomization["images"] = images
    if replicas := _replicas(both):
        kustomization["replicas"] = replicas
    patches = _patches(both, generated, by_images=bool(images))
    for manifest in (m for key, m in there.items() if key not in here):
        patches[f"removed/{_file_name(manifest)}"] = [_removal(manifest)]
    if patches:
        kustomization["patches"] = [_patch_entry(path, patch) for path, patch in patches.items()]
    files |= {path: _patch_file(path, patch) for path, patch in patches.items()}
    return {"kustomization.yaml": File(text=_header(name) + dump(kustomization)), **files}


def _header(name: str) -> str:
    return f"# {name}: images, replicas, resources and exposure of this environment. `kubectl diff -k .` shows what an edit changes.\n"


def _identity(manifest: Manifest) -> tuple[str, str, str]:
    return manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"]


def _namespace(manifests: Sequence[Manifest]) -> str | None:
    return next((str(m["metadata"]["name"]) for m in manifests if m["kind"] == "Namespace"), None)


def _moved(manifest: Manifest, namespace: str | None, target: str | None) -> Manifest:
    """The object as it stands before Kustomize puts everything into the environment's namespace."""
    if namespace == target or namespace is None or target is None:
        return manifest
    moved: dict[str, Any] = deepcopy(dict(manifest))
    if moved["kind"] == "Namespace":
        moved["metadata"]["name"] = target
    elif moved["metadata"].get("namespace") == namespace:
        moved["metadata"]["namespace"] = target
    for subject in moved.get("subjects") or ():
        if subject.get("namespace") == namespace:
            subject["namespace"] = target
    return moved


def _own_objects(manifests: Sequence[Manifest]) -> dict[str, File]:
    return {name: File(text=dump_stream(objects), mode=mode_of(name)) for name, objects in by_file(manifests).items()}


def _is_generated(manifest: Manifest, generated: frozenset[str]) -> bool:
    return manifest["kind"] == "ConfigMap" and manifest["metadata"]["name"] in generated


def _data(made: Manifest) -> tuple[Any, Any]:
    return made.get("data") or {}, made.get("binaryData") or {}


# ------------------------------------------------------------------ images and replicas


def split_image(reference: str) -> tuple[str, str, str]:
    """Name, tag and digest, as Kustomize and Helm write them apart; joined they give the reference again.

    >>> split_image("registry:5000/web"), split_image("a/b:1@sha256:00")
    (('registry:5000/web', '', ''), ('a/b', '1', 'sha256:00'))
    """
    rest, at, digest = reference.partition("@")
    name, _, tag = rest.rpartition(":")
    if not name or not tag or "/" in tag:  # an empty tag (of a variable without a value) stays with the name: nothing may be lost
        name, tag = rest, ""
    return name, tag, digest if at else ""


def _images(both: Sequence[tuple[Manifest, Manifest]], own: Sequence[Manifest]) -> list[dict[str, str]]:
    """One entry an image name, or none at all where names cannot tell the images apart: then patches say what differs."""
    pairs: list[tuple[str, str]] = []
    fixed = [*own, *(new for old, new in both if not _same_containers(old, new))]
    for old, new in both:
        if _same_containers(old, new):
            pairs += zip(_references(old), _references(new), strict=True)
    pairs += [(image, image) for manifest in fixed for image in _references(manifest)]
    told = dict.fromkeys(pairs)
    plain = [pair for pair in told if not _PATTERN.search(pair[0])]
    odd = [pair for pair in told if _PATTERN.search(pair[0])]
    entries: dict[str, dict[str, str]] = {}
    for before, after in plain:
        name = split_image(before)[0]
        entries.setdefault(name, _image(name, after))
    transformers = _Transformers(list(entries.values()))
    right = all(transformers.apply(before) == after for before, after in plain)
    kept = all(before == after and not transformers.touches(before) for before, after in odd)
    return list(transformers.entries) if right and kept else []


def _references(manifest: Manifest) -> list[str]:
    return [str(container.get("image", "")) for _, _, container in containers_of(manifest)] if manifest["kind"] in WORKLOADS else []


def _image(name: str, wanted: str) -> dict[str, str]:
    new, tag, digest = split_image(wanted)
    entry = {"name": name}
    if new != name or not (tag or digest):
        entry["newName"] = new
    if tag:
        entry["newTag"] = tag
    if digest:
        entry["digest"] = digest
    return entry


@dataclass(slots=True)
class _Transformers:
    """Machinery of one overlay: image transformers as Kustomize runs them, one after the other, each name taken for a pattern.

    A dot of a name stands for any character. Entries are found by the places of their dots, not by trying them all.
    """

    entries: Sequence[dict[str, str]]
    dotted: dict[int, dict[tuple[int, ...], dict[str, list[int]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for position, entry in enumerate(self.entries):
            name = entry["name"]
            dots = tuple(place for place, character in enumerate(name) if character == ".")
            self.dotted.setdefault(len(name), {}).setdefault(dots, {}).setdefault(name, []).append(position)

    def _matching(self, name: str, after: int) -> int | None:
        """The first entry behind `after` whose pattern the name fits."""
        found: list[int] = []
        for dots, names in self.dotted.get(len(name), {}).items():
            masked = list(name)
            for place in dots:
                masked[place] = "."
            found += [position for position in names.get("".join(masked), ()) if position > after]
        return min(found, default=None)

    def touches(self, odd: str) -> bool:
        """Whether an image that cannot be taken apart may fit an entry: its name is what stands before some colon or `@`."""
        cuts = [len(odd), *(place for place, character in enumerate(odd) if character in ":@")]
        return any(self._matching(odd[:cut], -1) is not None for cut in cuts)

    def apply(self, reference: str) -> str:
        """What becomes of an image."""
        name, tag, digest = split_image(reference)
        position = self._matching(name, -1)
        while position is not None:
            entry = self.entries[position]
            if "newTag" in entry or "digest" in entry:
                tag, digest = entry.get("newTag", ""), entry.get("digest", "")
            name = entry.get("newName", name)
            position = self._matching(name, position)
        return name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def _replicas(both: Sequence[tuple[Manifest, Manifest]]) -> list[dict[str, Any]]:
    return [
        {"name": new["metadata"]["name"], "count": new["spec"]["replicas"]}
        for _, new in both
        if new["kind"] in _REPLICATED and "replicas" in new["spec"]
    ]


# ------------------------------------------------------------------ patches

Patch = list[dict[str, Any]]


def _patches(both: Sequence[tuple[Manifest, Manifest]], generated: frozenset[str], *, by_images: bool) -> dict[str, Patch]:
    found: dict[str, Patch] = {}
    if resources := [patch for old, new in both if (patch := _resources(old, new)) is not None]:
        found["resources.yaml"] = resources
    if exposed := [patch for old, new in both if (patch := _exposure(old, new)) is not None]:
        found["exposure.yaml"] = exposed
    if secrets := [_secret(old, new) for old, new in both if old["kind"] == "Secret" and old != new]:
        found[SECRETS] = secrets
    for old, new in both:
        if old["kind"] == "Secret" or _is_generated(old, generated):
            continue
        operations = list(operations_between(*_without_lines(old, new, by_images)))
        if operations:
            target = {"target": {"kind": old["kind"], "name": old["metadata"]["name"]}}
            found[f"changes/{_file_name(old)}"] = [target, *operations]
    return found


def _patch_entry(path: str, patch: Patch) -> dict[str, Any]:
    return {"path": path, **(patch[0] if "target" in patch[0] else {})}


def _patch_file(path: str, patch: Patch) -> File:
    text = dump(patch[1:]) if "target" in patch[0] else dump_stream(patch)
    return File(text=text, mode=mode_of(path))


def _head(manifest: Manifest) -> dict[str, Any]:
    metadata = {key: manifest["metadata"][key] for key in ("name", "namespace") if key in manifest["metadata"]}
    return {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "metadata": metadata}


def _file_name(manifest: Manifest) -> str:
    return f"{manifest['kind'].lower()}-{manifest['metadata']['name']}.yaml"


def _removal(manifest: Manifest) -> dict[str, Any]:
    return {"$patch": "delete", **_head(manifest)}


def _merge(old: Any, new: Any) -> Any:
    """A strategic merge patch from one mapping to the other: what is gone is null."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return {**{key: None for key in old if key not in new}, **{key: _merge(old.get(key), value) for key, value in new.items()}}
    return new


def _resources(old: Manifest, new: Manifest) -> dict[str, Any] | None:
    if old["kind"] not in WORKLOADS or not _same_containers(old, new):
        return None
    before = {(key, c["name"]): c.get("resources") for key, _, c in containers_of(old)}
    lists: dict[str, list[dict[str, Any]]] = {}
    for key, _, container in containers_of(new):
        said = container.get("resources")
        if said or before[key, container["name"]]:
            patch = {"name": container["name"], "resources": _merge(before[key, container["name"]], said)}
            lists.setdefault(key, []).append(patch)
    if not lists:
        return None
    spec: dict[str, Any] = {"template": {"spec": lists}}
    return {**_head(old), "spec": {"jobTemplate": {"spec": spec}} if old["kind"] == "CronJob" else spec}


def _exposure(old: Manifest, new: Manifest) -> dict[str, Any] | None:
    if old["kind"] == "Ingress":
        return {**_head(old), "spec": _chosen(old, new, _RULES)}
    if old["kind"] == "Service" and ("type" in old["spec"] or "type" in new["spec"]):
        return {**_head(old), "spec": _chosen(old, new, _PUBLISHED)}
    return None


def _chosen(old: Manifest, new: Manifest, keys: Sequence[str]) -> dict[str, Any]:
    return {key: new["spec"].get(key) for key in keys if key in old["spec"] or key in new["spec"]}


def _secret(old: Manifest, new: Manifest) -> dict[str, Any]:
    patch: dict[str, Any] = _merge(old, new)
    return {**patch, **_head(old)}


def _same_containers(old: Manifest, new: Manifest) -> bool:
    return [(key, c["name"]) for key, _, c in containers_of(old)] == [(key, c["name"]) for key, _, c in containers_of(new)]


def _without_lines(old: Manifest, new: Manifest, by_images: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Copies of both without what the transformers and the merge patches carry."""
    pair: tuple[dict[str, Any], dict[str, Any]] = (deepcopy(dict(old)), deepcopy(dict(new)))
    carried: Sequence[str] = ()
    if old["kind"] in _REPLICATED and "replicas" in new["spec"]:
        carried = ("replicas",)
    elif old["kind"] == "Ingress":
        carried = _RULES
    elif old["kind"] == "Service" and ("type" in old["spec"] or "type" in new["spec"]):
        carried = _PUBLISHED
    for bare in pair:
        for key in carried:
            bare["spec"].pop(key, None)
        if old["kind"] in WORKLOADS and _same_containers(old, new):
            for key in ("initContainers", "containers"):
                for container in pod_of(bare).get(key) or ():
                    container.pop("resources", None)
                    if by_images:
                        container.pop("image", None)
    return pair


def operations_between(old: Any, new: Any, path: str = "") -> Iterator[dict[str, Any]]:
    """The JSON patch from one value to the other; lists of another length are replaced whole.

    >>> list(operations_between({"a": 1, "b": [1, 2]}, {"b": [1, 3], "c/d": 0}))
    [{'op': 'remove', 'path': '/a'}, {'op': 'replace', 'path': '/b/1', 'value': 3}, {'op': 'add', 'path': '/c~1d', 'value': 0}]
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from ({"op": "remove", "path": f"{path}/{_pointer(key)}"} for key in old if key not in new)
        for key, value in new.items():
            if key in old:
                yield from operations_between(old[key], value, f"{path}/{_pointer(key)}")
            else:
                yield {"op": "add", "path": f"{path}/{_pointer(key)}", "value": value}
    elif isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)) and len(old) == len(new):
        for position, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from operations_between(before, after, f"{path}/{position}")
    elif old != new or type(old) is not type(new):
        yield {"op": "replace", "path": path, "value": new}


def _pointer(key: Any) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")
