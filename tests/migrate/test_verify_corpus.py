"""Real stacks for every supported Kubernetes: valid by its strict schemas, whole in their references, and the same bytes every time."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
from referencing import Registry, Resource

import migrate
from benchmarks.convert import corpus_files
from migrate import kube, verify
from migrate import plan as planning
from migrate.verify import schema

STACKS = 99
"""Those of the 105 corpus stacks that can be converted without variables of their own; the others are templates or lack all images."""


@functools.cache
def conversions() -> tuple[tuple[str, migrate.Conversion], ...]:
    found = []
    for file in corpus_files():
        try:
            found.append((file.parent.name, migrate.convert(file.name, directory=file.parent)))
        except migrate.Unusable:
            continue
    return tuple(found)


@functools.cache
def manifests_of(version: str) -> tuple[tuple[str, tuple[dict[str, Any], ...]], ...]:
    """Every stack as it is built for a version: what the version lacks is left out or done otherwise."""
    return tuple(
        (name, kube.build(planning.decide(c.stack, c.inventory, None, replace(c.answers, kubernetes_version=version))))
        for name, c in conversions()
    )


@pytest.mark.parametrize("version", schema.versions())
def test_corpus_stacks_are_valid_for_every_version(shared: Path, version: str) -> None:
    checked = 0
    for name, manifests in manifests_of(version):
        told = [f"{f.code} {f.message}" for f in verify.check(manifests, kubernetes_version=version)]
        assert told == [], name
        assert all(schema.served(m["apiVersion"], m["kind"], version) for m in manifests), name
        checked += 1
    assert checked >= STACKS


@functools.cache
def judge(file: Path) -> jsonschema.Draft202012Validator:
    """What `kubernetes_validate.validate(..., strict=True)` judges by, read once a kind."""
    definitions = Resource.from_contents(json.loads((file.parent / "_definitions.json").read_text()))
    return jsonschema.Draft202012Validator(json.loads(file.read_text()), registry=definitions @ Registry())


def one_of_each_shape(version: str) -> Iterator[dict[str, Any]]:
    """The first object of each set of key paths, so that every field that is ever written is judged."""
    seen: set[frozenset[str]] = set()
    for _, manifests in manifests_of(version):
        for manifest in manifests:
            shape = frozenset((manifest["kind"], *paths(manifest, "")))
            if shape not in seen:
                seen.add(shape)
                yield manifest


def paths(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        free = path.endswith(("labels", "annotations", "matchLabels", "selector", "data", "stringData", "binaryData"))
        for key, child in value.items():
            yield from paths(child, f"{path}.*" if free else f"{path}.{key}")
    elif isinstance(value, list):
        for child in value:
            yield from paths(child, f"{path}[]")
    else:
        yield f"{path}:{type(value).__name__}"


@pytest.mark.parametrize("version", ["1.25", "1.29", "1.33", "1.37"])
def test_the_library_of_the_schemas_agrees(shared: Path, version: str) -> None:
    folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{version}.0-local-strict"
    judged = 0
    for manifest in one_of_each_shape(version):
        group, _, number = manifest["apiVersion"].rpartition("/")
        file = folder / f"{manifest['kind'].lower()}-{'-'.join(filter(None, (group.split('.')[0], number)))}.json"
        assert [error.message for error in judge(file).iter_errors(manifest)] == []
        judged += 1
    assert judged > 300


WRITE_ALL = """
import hashlib, json, sys
import migrate
from migrate.report import Report, render
for name in sys.stdin.read().splitlines():
    directory, _, file = name.rpartition("/")
    try:
        conversion = migrate.convert(file, directory=directory)
    except migrate.Unusable as nothing:
        print(name, [f.message for f in nothing.findings])
        continue
    digest = hashlib.sha256()
    for form in ("plain", "kustomize", "helm"):
        for path, written in conversion.tree(form).files.items():
            digest.update(path.encode() + written.data)
    report = Report(project="p", program="0", findings=conversion.findings, addresses=conversion.addresses, decisions=conversion.decisions)
    for suffix in (".txt", ".md", ".html", ".json", ".sarif"):
        digest.update(render(report, "r" + suffix).encode())
    digest.update(json.dumps(conversion.scenario, sort_keys=False, default=str).encode())
    print(name, digest.hexdigest())
"""


def test_a_second_run_gives_the_same_bytes(shared: Path) -> None:
    """Two processes with different hash seeds: no order of a set, no memory address, no clock gets into a text."""
    names = "\n".join(str(file) for file in corpus_files())
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE_ALL],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        )
        for seed in ("1", "2")
    ]  # fmt: skip
    first, second = (run.communicate(names)[0] for run in runs)
    assert len(first.splitlines()) == 105
    assert first == second
