"""Labels and annotations of the Compose file (conversion.md 2.15, Labels)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from migrate.findings import Action
from migrate.plan.decision import Decided, Notes
from migrate.plan.spelling import is_qualified
from migrate.plan.types import Metadata
from migrate.stack import Member, Stack

_CONSUMED: Final = ("kompose.", "katenary.", "traefik.")
_OWN: Final = "compose-cutover/"


def decide_metadata(stack: Stack, member: Member, labels: Mapping[str, str]) -> Decided[Metadata]:
    """Annotations of the objects of one service; `labels` are its labels after rewriting.

    Label values are too narrow for what people write, so none becomes a label.
    """
    notes = Notes(stack.project, member.service)
    deploy = member.service.data.get("deploy") or {}
    shared = _legal((labels or member.service.labels).items(), ("labels",), notes)
    workload = _legal(_pairs(deploy.get("labels")), ("deploy", "labels"), notes)
    template = _legal(_pairs(member.service.data.get("annotations")), ("annotations",), notes)
    if shared:
        notes.find("MIG910", f"{len(shared)} labels became annotations", "labels", action=Action.APPROXIMATED)
    if workload:
        notes.find("MIG910", f"{len(workload)} labels became annotations", "deploy", "labels", action=Action.APPROXIMATED)
    return notes.done(Metadata(workload=workload, shared=shared, template=template))


def _pairs(said: Any) -> Iterable[tuple[str, str]]:
    return ((str(k), "" if v is None else str(v)) for k, v in said.items()) if isinstance(said, Mapping) else ()


def _legal(pairs: Iterable[tuple[str, str]], path: tuple[str, ...], notes: Notes) -> dict[str, str]:
    found = {}
    for key, value in pairs:
        if key.startswith(_CONSUMED):
            continue
        if not is_qualified(key) or key.startswith(_OWN):
            notes.find("MIG910", f"{key!r} may not be the key of an annotation", *path, key, action=Action.DROPPED)
            continue
        found[key] = value
    return found
