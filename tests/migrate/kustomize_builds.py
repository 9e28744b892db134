"""A small interpreter of what our kustomizations use, written from Kustomize's documentation: resources, generators, transformers, patches.

It stands in for `kubectl kustomize` where there is none; `tests/live/test_writers_live.py` holds the real one to the same trees. Names of
generated ConfigMaps get no hash. What it does not know it refuses.
"""

from __future__ import annotations

import base64
import posixpath
import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import yaml

from migrate.write import FileTree

Object = dict[str, Any]

KNOWN = {"apiVersion", "kind", "namespace", "resources", "configMapGenerator", "images", "replicas", "patches"}
CLUSTER_WIDE = {"Namespace", "PersistentVolume"}


def build(tree: FileTree, folder: str) -> list[Object]:
    """The objects of a kustomization of the tree."""
    said = yaml.safe_load(tree.files[f"{folder}/kustomization.yaml"].data)
    assert set(said) <= KNOWN, set(said) - KNOWN
    objects: list[Object] = []
    for resource in said["resources"]:
        path = posixpath.normpath(f"{folder}/{resource}")
        objects += _documents(tree, path) if path in tree.files else build(tree, path)
    for generator in said.get("configMapGenerator", ()):
        _generate(tree, folder, generator, objects)
    for patch in said.get("patches", ()):
        _patch(tree, folder, patch, objects)
    if "namespace" in said:
        _move(objects, said["namespace"])
    for entry in said.get("replicas", ()):
        matching = [o for o in objects if o["kind"] in ("Deployment", "StatefulSet") and o["metadata"]["name"] == entry["name"]]
        assert matching, f"nothing is called {entry['name']}"
        for thing in matching:
            thing["spec"]["replicas"] = entry["count"]
    for entry in said.get("images", ()):
        for container in (c for o in objects for c in _containers(o)):
            container["image"] = _image(container["image"], entry)
    return objects


def _documents(tree: FileTree, path: str) -> list[Object]:
    return [document for document in yaml.safe_load_all(tree.files[path].data) if document]


def _generate(tree: FileTree, folder: str, generator: Mapping[str, Any], objects: list[Object]) -> None:
    data, binary = {}, {}
    for entry in generator["files"]:
        key, _, path = entry.partition("=")
        content = tree.files[posixpath.normpath(f"{folder}/{path}")].data
        try:
            data[key] = content.decode()
        except UnicodeDecodeError:
            binary[key] = base64.b64encode(content).decode()
    metadata = {"name": generator["name"], "namespace": generator["namespace"], **generator.get("options", {})}
    made: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    made |= {**({"data": data} if data else {}), **({"binaryData": binary} if binary else {})}
    there = [o for o in objects if o["kind"] == "ConfigMap" and o["metadata"]["name"] == generator["name"]]
    assert bool(there) == (generator.get("behavior") == "replace")
    for old in there:
        objects.remove(old)
    objects.append(made)


def _containers(value: Any) -> list[Object]:
    """The items of every list called `containers` or `initContainers`."""
    if isinstance(value, list):
        return [c for item in value for c in _containers(item)]
    if not isinstance(value, dict):
        return []
    own = [c for key in ("containers", "initContainers") for c in value.get(key) or ()]
    return own + [c for key, child in value.items() if key not in ("containers", "initContainers") for c in _containers(child)]


def _image(reference: str, entry: Mapping[str, str]) -> str:
    if not re.match(rf"^{entry['name']}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$", reference):
        return reference
    rest, _, digest = reference.partition("@")
    cut = rest.rfind(":") if ":" in rest.rpartition("/")[2] else len(rest)
    name, tag = rest[:cut], rest[cut + 1 :]
    if "newTag" in entry or "digest" in entry:
        tag, digest = entry.get("newTag", ""), entry.get("digest", "")
    return entry.get("newName", name) + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def _move(objects: list[Object], namespace: str) -> None:
    for thing in objects:
        if thing["kind"] == "Namespace":
            thing["metadata"]["name"] = namespace
        elif thing["kind"] not in CLUSTER_WIDE:
            thing["metadata"]["namespace"] = namespace
        for subject in thing.get("subjects", ()):
            subject["namespace"] = namespace


def _patch(tree: FileTree, folder: str, patch: Mapping[str, Any], objects: list[Object]) -> None:
    documents = _documents(tree, f"{folder}/{patch['path']}")
    if "target" in patch:
        kind, name = patch["target"]["kind"], patch["target"]["name"]
        (thing,) = [o for o in objects if (o["kind"], o["metadata"]["name"]) == (kind, name)]
        for operation in documents[0]:
            _operate(thing, operation)
        return
    for document in documents:
        identity = (document["kind"], document["metadata"]["name"], document["metadata"].get("namespace"))
        (thing,) = [o for o in objects if (o["kind"], o["metadata"]["name"], o["metadata"].get("namespace")) == identity]
        if document.get("$patch") == "delete":
            assert len(documents) == 1, "Kustomize 5.5 crashes on this"
            objects.remove(thing)
        else:
            _merge(thing, document)


def _operate(thing: Object, operation: Mapping[str, Any]) -> None:
    *path, last = [step.replace("~1", "/").replace("~0", "~") for step in operation["path"].split("/")[1:]]
    place: Any = thing
    for step in path:
        place = place[int(step)] if isinstance(place, list) else place[step]
    key: Any = int(last) if isinstance(place, list) else last
    if operation["op"] == "remove":
        del place[key]
    else:
        assert operation["op"] == "add" or key in (place if isinstance(place, dict) else range(len(place)))
        place[key] = deepcopy(operation["value"])


def _merge(old: Object, new: Mapping[str, Any]) -> None:
    for key, value in new.items():
        if value is None:
            old.pop(key, None)
        elif isinstance(value, dict) and isinstance(old.get(key), dict):
            _merge(old[key], value)
        elif key in ("containers", "initContainers"):
            for item in value:
                (own,) = [c for c in old[key] if c["name"] == item["name"]]
                _merge(own, item)
        else:
            old[key] = deepcopy(value)
