"""The objects we build: plain dicts, complete, in the order in which they can be applied. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from migrate.kube.names import Object, in_apply_order, object_of
from migrate.kube.network import definitions, ingresses, policies, services
from migrate.kube.scale import autoscalers, budgets
from migrate.kube.state import claims, data_objects
from migrate.kube.workloads import workloads
from migrate.plan.answers import NOTE, noted
from migrate.plan.types import Plan

__all__ = ["build"]

_LONGEST_NOTE: Final = 1 << 17


def build(plan: Plan) -> tuple[dict[str, Any], ...]:
    """Every object of the plan in apply order: by kind, then by name."""
    return in_apply_order(
        _fresh(o)
        for o in (
            _namespace(plan),
            *definitions(plan),
            *data_objects(plan),
            *claims(plan),
            *services(plan),
            *workloads(plan),
            *autoscalers(plan),
            *budgets(plan),
            *policies(plan),
            *ingresses(plan),
        )
    )


def _fresh(value: Any) -> Any:
    """A copy in which no two places share a dict or a list, so that no writer needs anchors."""
    if isinstance(value, Mapping):
        return {k: _fresh(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_fresh(v) for v in value]
    return value


def _namespace(plan: Plan) -> Object:
    levels = {
        "pod-security.kubernetes.io/enforce": plan.pod_security,
        "pod-security.kubernetes.io/warn": "restricted",
    }
    said = noted(plan.answers)
    notes = {NOTE: said} if said is not None and len(said) <= _LONGEST_NOTE else {}
    return object_of(plan, "v1", "Namespace", plan.namespace, {}, span=plan.span, annotations=notes, more_labels=levels)
