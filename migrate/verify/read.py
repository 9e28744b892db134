"""Manifests from a directory, a file or a stream, with the place of every value; and everything that `migrate verify` checks."""

from __future__ import annotations

import stat
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from migrate.description import description
from migrate.findings import Action, Finding, Unusable, in_reading_order
from migrate.rules import found
from migrate.source import Node, SourceMap, Unreadable, YamlFault, read_yaml
from migrate.verify.objects import mapping

if TYPE_CHECKING:
    from migrate.addresses.types import Addressing
    from migrate.plan.decision import Answers
    from migrate.stack import Stack

SUFFIXES: Final = (".yaml", ".yml", ".json")


@description
class Manifests:
    """The objects that were read, the places of each one's values, and the faults of the text beside which it could be read."""

    objects: tuple[dict[str, Any], ...]
    places: tuple[SourceMap, ...]
    faults: tuple[Finding, ...]


def read_manifests(name: str, stdin: Callable[[], str] | None = None) -> Manifests:
    """Read a directory (its .yaml, .yml and .json files, as `kubectl apply -f` does), a file, or with `stdin` a stream.

    Raises Unusable where nothing can be read: no such file, no file at all, no YAML, no object.
    """
    texts = {"-": stdin()} if stdin is not None else {str(path): _text(path) for path in _files(Path(name))}
    faults: list[Finding] = []
    nodes: list[Node] = []
    for file, text in texts.items():
        try:
            documents, told = read_yaml(text, file)
        except Unreadable as error:
            faults.append(_fault(error.fault))
            continue
        faults.extend(_fault(fault) for fault in told)
        nodes.extend(node for document in documents for node in _objects(document, faults))
    if not nodes:
        raise Unusable(faults or [_nowhere(f"{name}: holds no manifest")])
    return Manifests(
        objects=tuple(node.plain() for node in nodes), places=tuple(SourceMap.of(node) for node in nodes), faults=tuple(faults)
    )


@description
class Verified:
    """What `migrate verify` says: the findings, and in one sentence what was compared of the networks (None: nothing)."""

    findings: tuple[Finding, ...]
    network: str | None


def upgraded(manifests: Manifests, kubernetes_version: str) -> Manifests:
    """The same objects, those of APIs that the version no longer serves written for the APIs that replace them."""
    from migrate.verify.upgrade import upgrade

    minor = int(kubernetes_version.partition(".")[2])
    objects = tuple(made.manifest if (made := upgrade(thing, minor)) is not None else thing for thing in manifests.objects)
    return replace(manifests, objects=objects)


def verified(
    manifests: Manifests,
    kubernetes_version: str,
    external: Collection[str],
    compose: Callable[[Answers | None], tuple[Stack, Addressing, Answers] | None],
) -> Verified:
    """Everything about a set of manifests. `compose` gives the stack of the Compose file beside them, what became of its addresses and the
    answers that led there, if there is one; it is asked with the answers that the manifests remember (None: they remember none). The
    network is compared only where the manifests are of the same project."""
    from migrate.verify import check

    findings = [*manifests.faults]
    findings += check(manifests.objects, kubernetes_version=kubernetes_version, external=external, places=manifests.places)
    answers, told = remembered(manifests)
    findings += told
    before = compose(answers)
    if before is None or not same_project(manifests, before[0].project.name):
        return Verified(findings=in_reading_order(findings), network=None)
    from migrate.verify.network import compare

    stack, addressing, said = before
    compared = compare(stack, addressing, manifests.objects, said)
    sentence = f"network: {compared.met} of {compared.needed} connections that texts ask for, {compared.services} services in pairs"
    return Verified(findings=in_reading_order((*findings, *compared.findings)), network=sentence)


def remembered(manifests: Manifests) -> tuple[Answers | None, tuple[Finding, ...]]:
    """The answers that the objects were made with, as the annotation of their Namespace has them; what is wrong with it."""
    from migrate.plan.answers import NOTE, read_text

    for thing, places in zip(manifests.objects, manifests.places, strict=True):
        noted = mapping(mapping(thing.get("metadata")).get("annotations")).get(NOTE)
        if thing.get("kind") != "Namespace" or noted is None:
            continue
        try:
            return read_text(str(noted), NOTE), ()
        except Unusable as error:
            reason = error.findings[0].message if error.findings else "it cannot be read"
            span = places.span("metadata", "annotations", NOTE)
            message = f"annotation {NOTE} is no plan: {reason}"
            return None, (found("MIG930", message, action=Action.REFUSED, span=span, advice="convert again"),)
    return None, ()


def same_project(manifests: Manifests, project: str) -> bool:
    """Whether any of the objects says that it was made of that Compose project."""
    labels = ((thing.get("metadata") or {}).get("labels") or {} for thing in manifests.objects if isinstance(thing.get("metadata"), dict))
    return any(isinstance(label, dict) and label.get("app.kubernetes.io/part-of") == project for label in labels)


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        try:
            found_files = sorted(child for child in path.iterdir() if child.suffix in SUFFIXES and not child.is_dir())
        except OSError as error:
            raise Unusable([_nowhere(f"{path}: {error.strerror}")]) from None
        if (command := _builder(path)) is not None:
            message = f"{path}: must be built before its objects can be read"
            raise Unusable([found("MIG004", message, action=Action.REFUSED, advice=f"`{command} | migrate verify -`")])
        if not found_files:
            raise Unusable([_nowhere(f"{path}: holds no .yaml, .yml or .json file")])
        yield from found_files
    else:
        yield path


def _builder(path: Path) -> str | None:
    """What makes the objects of a directory that holds a chart or kustomizations instead of objects."""
    if (path / "Chart.yaml").is_file():
        return f"helm template {path}"
    if any((path / name).is_file() for name in ("kustomization.yaml", "kustomization.yml", "Kustomization")):
        return f"kubectl kustomize {path}"
    return f"kubectl kustomize {path / 'base'}" if (path / "base" / "kustomization.yaml").is_file() else None


def _text(path: Path) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode) and str(path) != "/dev/null":
            raise Unusable([_nowhere(f"{path}: is not a regular file")])
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise Unusable([_nowhere(f"{path}: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        raise Unusable([_nowhere(f"{path}: is not UTF-8 (byte {error.start})")]) from None


def _objects(document: Node, faults: list[Finding]) -> Iterator[Node]:
    """The objects of a document: itself, or the items of a List."""
    value = document.value
    if value is None:
        return
    if not isinstance(value, dict):
        faults.append(found("MIG930", "this is no object: it has no apiVersion and no kind", action=Action.REFUSED, span=document.span))
        return
    kind, items = value.get("kind", Node("")).value, value.get("items", Node(None)).value
    if isinstance(kind, str) and kind.endswith("List") and isinstance(items, list):
        for item in items:
            yield from _objects(item, faults)
    else:
        yield document


def _fault(fault: YamlFault) -> Finding:
    code = {"duplicate-key": "MIG933", "non-string-key": "MIG930"}.get(fault.kind, "MIG001")
    return found(code, fault.message, action=Action.REFUSED, span=fault.span, also=fault.also)


def _nowhere(message: str) -> Finding:
    return found("MIG004", message, action=Action.REFUSED, advice="name a directory, a file or - for a stream")
