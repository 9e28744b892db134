"""Metadata of every object (conversion.md 2.15, Project): labels, the place it comes from, the order in which objects are applied."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from typing import Any, Final

from migrate.findings import Span
from migrate.plan.types import Plan

Object = dict[str, Any]

ORDER: Final = (
    "Namespace", "ServiceCIDR", "NetworkAttachmentDefinition", "ServiceAccount", "Role", "RoleBinding", "Secret", "ConfigMap",
    "PersistentVolume", "PersistentVolumeClaim", "Service", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob",
    "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy", "Ingress",
)  # fmt: skip
MANAGED_BY: Final = "compose-cutover"
CLUSTER_WIDE: Final = frozenset({"Namespace", "ServiceCIDR", "PersistentVolume"})


def labels(plan: Plan, name: str) -> dict[str, str]:
    """The labels of an object of the service (or thing) `name`."""
    return {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/instance": plan.instance,
        "app.kubernetes.io/part-of": plan.instance,
        "app.kubernetes.io/managed-by": MANAGED_BY,
    }


def object_of(
    plan: Plan,
    api_version: str,
    kind: str,
    name: str,
    body: Mapping[str, Any],
    *,
    owner: str | None = None,
    span: Span | None = None,
    annotations: Mapping[str, str] | None = None,
    more_labels: Mapping[str, str] | None = None,
) -> Object:
    """One object: metadata first, then `body`. `owner` is the object name of the service that it belongs to (None: the project)."""
    noted = {**(annotations or {})}
    if span is not None and span.line > 0:
        noted["compose-cutover/source"] = f"{posixpath.relpath(span.file, plan.base)}:{span.line}"
    metadata: dict[str, Any] = {"name": name}
    if kind not in CLUSTER_WIDE:
        metadata["namespace"] = plan.namespace
    metadata["labels"] = {**labels(plan, owner or plan.instance), **(more_labels or {})}
    if noted:
        metadata["annotations"] = noted
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}


def in_apply_order(objects: Iterable[Object]) -> tuple[Object, ...]:
    """Objects as they can be applied one after the other: by kind, then by name."""
    place = {kind: index for index, kind in enumerate(ORDER)}
    return tuple(sorted(objects, key=lambda o: (place.get(o["kind"], len(ORDER)), o["metadata"]["name"])))
