"""The objects against the schemas (`schema`, `limits`, `served`), against each other (`references`), and the network that was against
the one that will be (`network`)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from migrate.findings import Action, Finding, Span
from migrate.rules import found
from migrate.source import Path_, SourceMap
from migrate.verify import levels, limits, references, schema, served
from migrate.verify.objects import mapping, name

if TYPE_CHECKING:
    from migrate.verify.upgrade import Upgrade

SOURCE: Final = "compose-cutover/source"


def check(
    manifests: Sequence[Mapping[str, Any]],
    *,
    kubernetes_version: str,
    external: Collection[str] = (),
    places: Sequence[SourceMap] | None = None,
) -> tuple[Finding, ...]:
    """Every fault of a set of objects: by the schema of their kinds, by what an API server refuses beside, and between each other.

    `external` names what the cluster has beforehand (`KIND/NAME`); `places` gives the places of each object's values. Without them a
    finding stands where the annotation `compose-cutover/source` of its object points.
    """
    minor = int(kubernetes_version.partition(".")[2])
    upgrades = _upgrades(manifests, minor)
    findings = [
        finding
        for position, manifest in enumerate(manifests)
        for finding in _of_one(manifest, upgrades.get(position), kubernetes_version, _places(places, position))
    ]
    manifests = [upgrades[position].manifest if position in upgrades else m for position, m in enumerate(manifests)]
    objects = references.gather(manifests, external)
    findings.extend(
        _told(breach.code, breach.message, manifests[breach.position], breach.path, _places(places, breach.position))
        for breach in (*references.breaches(objects), *levels.breaches(objects, kubernetes_version))
    )
    return tuple(findings)


def _upgrades(manifests: Sequence[Mapping[str, Any]], minor: int) -> Mapping[int, Upgrade]:
    old = [position for position, manifest in enumerate(manifests) if served.is_old(manifest, minor)]
    if not old:
        return {}
    from migrate.verify.upgrade import upgrade

    return {position: made for position in old if (made := upgrade(manifests[position], minor)) is not None}


def _of_one(manifest: Mapping[str, Any], made: Upgrade | None, version: str, where: SourceMap | None) -> Iterator[Finding]:
    """What is wrong with one object. An object of an old API is judged as the one that replaces it."""
    for key in ("apiVersion", "kind"):
        if not isinstance(manifest.get(key), str):
            yield _told("MIG930", f"the object has no {key}", manifest, (key,), where)
            return
    if (complaint := served.complaint(manifest["apiVersion"], manifest["kind"], version)) is not None:
        changes = f": {'; '.join(made.changes)}" if made is not None and made.changes else ""
        advice = f"`migrate verify --upgrade` writes it so{changes}" if made is not None else None
        yield _told(complaint[0], complaint[1], manifest, ("apiVersion",), where, advice)
    if (target := served.scaled(manifest, int(version.partition(".")[2]))) is not None:
        message = f"{target[0]} is not served; write {target[1]}"
        yield _told("MIG932", message, manifest, ("spec", "scaleTargetRef", "apiVersion"), where)
    manifest = made.manifest if made is not None else manifest
    for misfit in (*schema.misfits(manifest, version), *limits.refused(manifest, int(version.partition(".")[2]))):
        yield _told("MIG930", misfit.message, manifest, misfit.path, where)


def _places(places: Sequence[SourceMap] | None, position: int) -> SourceMap | None:
    return places[position] if places is not None else None


def _told(
    code: str, message: str, manifest: Mapping[str, Any], path: Path_, places: SourceMap | None, advice: str | None = None
) -> Finding:
    return found(
        code,
        f"{manifest.get('kind', 'object')} {name(manifest) or '(no name)'}: {path_text(path)}: {message}",
        action=Action.REFUSED,
        span=places.span(*path) if places is not None else source_of(manifest),
        path=path_text(path),
        advice=advice,
    )


def source_of(manifest: Mapping[str, Any]) -> Span | None:
    """The place of the Compose file that an object was made of."""
    text = str(mapping(mapping(manifest.get("metadata")).get("annotations")).get(SOURCE, ""))
    file, _, line = text.rpartition(":")
    return Span(file=file, line=int(line), column=1) if file and line.isdigit() else None


def path_text(path: Path_) -> str:
    """A place in an object as people write it.

    >>> path_text(("spec", "ports", 0, "name"))
    'spec.ports[0].name'
    """
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
