"""What an API server said of the objects, as findings with the line of the Compose file that each was made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from migrate.findings import Action, Finding, Span
from migrate.patterns import late
from migrate.rules import found
from migrate.source import Path_, SourceMap
from migrate.verify import path_text, source_of
from migrate.verify.objects import TEMPLATES, at, mapping, name, namespace, sequence
from migrate.verify.references import external_of, promised
from migrate.verify.refusals import Judged, field_path

if TYPE_CHECKING:
    from migrate.verify.origins import Origins

KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "secret": ("v1", "Secret"),
    "configmap": ("v1", "ConfigMap"),
    "persistentvolumeclaim": ("v1", "PersistentVolumeClaim"),
    "serviceaccount": ("v1", "ServiceAccount"),
    "service": ("v1", "Service"),
    "storageclass": ("storage.k8s.io/v1", "StorageClass"),
    "ingressclass": ("networking.k8s.io/v1", "IngressClass"),
    "priorityclass": ("scheduling.k8s.io/v1", "PriorityClass"),
    "runtimeclass": ("node.k8s.io/v1", "RuntimeClass"),
}
"""Kinds of what must be in the cluster beforehand, as the annotation names them, and how a server is asked for them."""

CLASSES: Final[tuple[tuple[str, Path_, str], ...]] = (
    ("PersistentVolumeClaim", ("spec", "storageClassName"), "storageclass"),
    ("Ingress", ("spec", "ingressClassName"), "ingressclass"),
)
_PLACE: Final = late(r"((?:metadata|spec|status|data)(?:\.\w+|\[[^\]]*\])+): ")
POD_CLASSES: Final[tuple[tuple[Path_, str], ...]] = ((("priorityClassName",), "priorityclass"), (("runtimeClassName",), "runtimeclass"))


def findings(
    judged: Iterable[Judged], manifests: Sequence[Mapping[str, Any]], places: Sequence[SourceMap], origins: Origins | None
) -> Iterator[Finding]:
    """Every refusal and warning, and every object that was not judged, with its reason.

    The place is that of the Compose file where it is known (by `origins`, else by the annotation of the object), else of the manifest.
    """
    for one in judged:
        manifest, where = manifests[one.position], places[one.position]
        if one.unserved:
            text = f"{manifest.get('apiVersion')} {manifest.get('kind')} is not served by this cluster"
            yield _told("MIG932", text, Action.REFUSED, manifest, ("apiVersion",), where, origins)
        if one.lacking:
            text = f"not judged: this account may not {', '.join(map(str, one.lacking))}"
            yield _told("MIG960", text, Action.ASSUMED, manifest, (), where, origins)
        for refusal in one.refusals:
            yield _told("MIG930", refusal.message, Action.REFUSED, manifest, refusal.path, where, origins)
        for warning in one.warnings:
            path, text = _placed(warning, manifest)
            yield _told("MIG961", text, Action.ASSUMED, manifest, path, where, origins)


def _placed(warning: str, manifest: Mapping[str, Any]) -> tuple[Path_, str]:
    """The place that a warning begins with, if it does, and the rest of its text.

    >>> _placed("spec.ports[0].name: is long", {})
    (('spec', 'ports', 0, 'name'), 'is long')
    >>> _placed("policy/v1beta1 is deprecated: use policy/v1", {})
    ((), 'policy/v1beta1 is deprecated: use policy/v1')
    """
    place = _PLACE.match(warning)
    return (field_path(place[1], manifest), warning[place.end() :]) if place is not None else ((), warning)


def merged(local: Iterable[Finding], of_server: Sequence[Finding]) -> tuple[Finding, ...]:
    """Both, but of one and the same fault (code, object, field) only what the server says: that stands on the line of the Compose file."""
    told = {_fault(finding) for finding in of_server if finding.path}
    return (*(finding for finding in local if _fault(finding) not in told), *of_server)


def _fault(finding: Finding) -> tuple[str, str, str | None]:
    return finding.code, finding.message.partition(": ")[0], finding.path


def elsewhere(judged: Iterable[Judged], manifests: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """One finding for each namespace that is not there yet, in whose stead another was asked."""
    missing = dict.fromkeys((namespace(manifests[one.position]), one.namespace) for one in judged if one.namespace is not None)
    for own, instead in missing:
        text = f"namespace {own} is not there yet: its objects were judged in {instead}, so its own quota and Pod Security level were not"
        yield found("MIG962", text, action=Action.ASSUMED)


def absences(
    manifests: Sequence[Mapping[str, Any]],
    places: Sequence[SourceMap],
    origins: Origins | None,
    external: Iterable[str],
    is_absent: Callable[[tuple[str, str], str, str], bool],
) -> Iterator[Finding]:
    """What must be in the cluster beforehand and is not: objects named as external, and classes.

    `is_absent((version, kind), name, namespace)` looks.
    """
    own = {(str(m.get("kind")).lower(), name(m)) for m in manifests}
    looked: dict[tuple[str, str, str], bool] = {}

    def is_missing(kind: str, called: str, where: str) -> bool:
        if kind not in KINDS or (kind, called) in own:
            return False
        if (kind, called, where) not in looked:
            looked[kind, called, where] = is_absent(KINDS[kind], called, where)
        return looked[kind, called, where]

    for manifest, where in zip(manifests, places, strict=True):
        for kind, called, path in _wanted(manifest):
            if is_missing(kind, called, namespace(manifest)):
                yield _told("MIG931", _absent(kind, called), Action.REFUSED, manifest, path, where, origins)
    spaces = tuple(dict.fromkeys(namespace(m) for m in manifests if namespace(m))) or ("",)
    for kind, called in map(external_of, external):
        if all(is_missing(kind, called, space) for space in spaces):
            yield found("MIG931", _absent(kind, called), action=Action.REFUSED)


def _absent(kind: str, called: str) -> str:
    return f"{KINDS[kind][1]} {called!r} must be in the cluster beforehand and is not"


def _wanted(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str, Path_]]:
    for kind, called in promised(manifest):
        yield kind, called, ("metadata", "annotations")
    for owner, path, kind in CLASSES:
        if manifest.get("kind") == owner and at(manifest, path):
            yield kind, str(at(manifest, path)), path
    for index, template in enumerate(sequence(mapping(manifest.get("spec")).get("volumeClaimTemplates"))):
        if storage := mapping(mapping(template).get("spec")).get("storageClassName"):
            yield "storageclass", str(storage), ("spec", "volumeClaimTemplates", index, "spec", "storageClassName")
    pod = TEMPLATES.get(str(manifest.get("kind")))
    for path, kind in POD_CLASSES if pod is not None else ():
        if pod is not None and (named := at(manifest, (*pod, "spec", *path))):
            yield kind, str(named), (*pod, "spec", *path)


def _told(
    code: str, message: str, action: Action, manifest: Mapping[str, Any], path: Path_, places: SourceMap, origins: Origins | None
) -> Finding:
    here = places.span(*path)
    line = (origins.span(manifest, path) if origins is not None else None) or source_of(manifest)
    subject = f"{manifest.get('kind', 'object')} {name(manifest) or '(no name)'}"
    return found(
        code,
        f"{subject}: {path_text(path)}: {message}" if path else f"{subject}: {message}",
        action=action,
        span=line or here,
        path=path_text(path) or None,
        also=_also(here) if line is not None else (),
    )


def _also(here: Span) -> tuple[Span, ...]:
    return (here,) if here.line > 0 else ()
