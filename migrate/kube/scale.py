"""Autoscalers and disruption budgets as objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from migrate.kube.names import Object, object_of
from migrate.plan.types import Plan, ServicePlan


def autoscalers(plan: Plan) -> Iterator[Object]:
    """Every HorizontalPodAutoscaler."""
    for service in plan.services.values():
        scaler = service.scale.autoscaler
        if scaler is None:
            continue
        targets = (("cpu", scaler.cpu_percent), ("memory", scaler.memory_percent))
        spec: dict[str, Any] = {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": service.kind, "name": service.object_name},
            "minReplicas": scaler.minimum,
            "maxReplicas": scaler.maximum,
            "metrics": [
                {"type": "Resource", "resource": {"name": name, "target": {"type": "Utilization", "averageUtilization": percent}}}
                for name, percent in targets
                if percent is not None
            ],
        }
        name = service.object_name
        yield object_of(plan, "autoscaling/v2", "HorizontalPodAutoscaler", name, {"spec": spec}, owner=name, span=service.span)


def budgets(plan: Plan) -> Iterator[Object]:
    """Every PodDisruptionBudget."""
    for service in plan.services.values():
        if service.scale.budget:
            yield _budget(plan, service)


def _budget(plan: Plan, service: ServicePlan) -> Object:
    spec: dict[str, Any] = {"maxUnavailable": 1, "selector": {"matchLabels": dict(selector(plan, service))}}
    if plan.answers.at_least("1.27"):
        spec["unhealthyPodEvictionPolicy"] = "AlwaysAllow"
    name = service.object_name
    return object_of(plan, "policy/v1", "PodDisruptionBudget", name, {"spec": spec}, owner=name, span=service.span)


def selector(plan: Plan, service: ServicePlan) -> dict[str, str]:
    """The labels by which a workload knows its pods."""
    return {"app.kubernetes.io/name": service.object_name, "app.kubernetes.io/instance": plan.instance}
