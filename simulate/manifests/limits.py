"""LimitRanges and ResourceQuotas: read from their manifests, and the defaults that a LimitRange gives to containers.

The defaults are those of the API's own types, in its order: a limit's default is the maximum; a request's is the default limit, else the
minimum. A container's request is its limit where only that was said, before any LimitRange is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from simulate.manifests.fields import Fields
from simulate.quantity import parse_quantity
from simulate.spec import ContainerSpec, LimitItem, LimitRange, PodTemplate, QuotaScope, ResourceQuota

SCOPES = ("Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity")
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


COUNTED: Mapping[str, tuple[str, ...]] = {
    "Deployment": ("count/deployments.apps",),
    "StatefulSet": ("count/statefulsets.apps",),
    "Job": ("count/jobs.batch",),
    "CronJob": ("count/cronjobs.batch",),
    "Service": ("services", "count/services"),
    "ConfigMap": ("configmaps", "count/configmaps"),
    "Secret": ("secrets", "count/secrets"),
    "PersistentVolumeClaim": ("persistentvolumeclaims", "count/persistentvolumeclaims"),
    "ReplicationController": ("replicationcontrollers", "count/replicationcontrollers"),
    "HorizontalPodAutoscaler": ("count/horizontalpodautoscalers.autoscaling",),
    "Ingress": ("count/ingresses.networking.k8s.io",),
}
"""Names under which a quota counts objects of the manifests themselves."""


def too_many(one: ResourceQuota, objects: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Names of a quota of which the manifests have more than it allows -> how many; `objects` are (kind, namespace).

    >>> quota = ResourceQuota(name="q", namespace="n", hard={"services": "1"})
    >>> too_many(quota, [("Service", "n"), ("Service", "n"), ("Service", "other")])
    {'services': 2}
    """
    kinds = [kind for kind, namespace in objects if namespace == one.namespace]
    found = {name: kinds.count(kind) for kind, names in COUNTED.items() for name in names if name in one.hard}
    return {name: number for name, number in found.items() if number > parse_quantity(one.hard[name])}


def amounts(item: Fields) -> dict[str, str]:
    """Resource -> quantity as written; a fault for what is none."""
    return {str(name): str(text) for name, text in item.value.items() if item.quantity(str(name)) is not None}


def limit_range(item: Fields, name: str, namespace: str) -> LimitRange:
    """A LimitRange with the defaults that the API adds; items of other types (claims, images) do not change what starts."""
    found = []
    for each in item.fields("spec").each("limits"):
        kind = each.text("type")
        if kind is None:
            each.fault(None, "needs type")
        if kind in ("Container", "Pod"):
            found.append(_item(each, kind))  # type: ignore[arg-type]
    return LimitRange(name=name, namespace=namespace, items=tuple(found))


def _item(each: Fields, kind: Literal["Container", "Pod"]) -> LimitItem:
    least, most = amounts(each.fields("min")), amounts(each.fields("max"))
    usual, request = amounts(each.fields("default")), amounts(each.fields("defaultRequest"))
    if kind == "Container":
        usual = {**most, **usual}
        request = {**least, **usual, **request}
    for name in sorted({*least} & {*most}):
        if parse_quantity(least[name]) > parse_quantity(most[name]):
            each.fields("min").fault(name, f"must not be above max, {most[name]}, is {least[name]}")
    return LimitItem(
        kind=kind,
        minimum=least,
        maximum=most,
        default=usual,
        default_request=request,
        ratio=amounts(each.fields("maxLimitRequestRatio")),
    )


def quota(item: Fields, name: str, namespace: str) -> ResourceQuota:
    """A ResourceQuota: its bounds, and which pods it counts."""
    spec = item.fields("spec")
    scopes = [QuotaScope(name=str(one)) for one in _words(spec, "scopes")]  # type: ignore[arg-type]
    for each in spec.fields("scopeSelector").each("matchExpressions"):
        said = each.text("scopeName")
        if said not in SCOPES:
            each.fault("scopeName", f"must be one of {', '.join(SCOPES)}, is {said!r}")
            continue
        operator = each.choice("operator", OPERATORS, "Exists")
        scopes.append(QuotaScope(name=said, operator=operator, values=tuple(_plain(each, "values"))))  # type: ignore[arg-type]
    return ResourceQuota(name=name, namespace=namespace, hard=amounts(spec.fields("hard")), scopes=tuple(scopes))


def _plain(item: Fields, key: str) -> list[str]:
    value = item.value.get(key)
    if value is not None and not isinstance(value, list):
        item.fault(key, "must be a list")
        return []
    return [str(one) for one in value or ()]


def _words(item: Fields, key: str) -> list[str]:
    found = _plain(item, key)
    for one in found:
        if one not in SCOPES:
            item.fault(key, f"must be some of {', '.join(SCOPES)}, has {one!r}")
    return [one for one in found if one in SCOPES]


# ------------------------------------------------------------------ defaults of containers


def defaulted(template: PodTemplate, ranges: Iterable[LimitRange]) -> tuple[PodTemplate, dict[str, dict[str, str]]]:
    """The template as pods of it are stored, and per container what was added: `requests.cpu` -> quantity.

    LimitRanges are asked by name; what one has given the next does not change.
    """
    items = [item for one in sorted(ranges, key=lambda each: each.name) for item in one.items if item.kind == "Container"]
    spec = template.data.get("spec") or {}
    if not items or not spec:
        return template, {}
    given: dict[str, dict[str, str]] = {}
    changed = dict(spec)
    for key in ("containers", "initContainers"):
        if spec.get(key):
            changed[key] = [_container(one, items, given) for one in spec[key]]
    if not given:
        return template, {}
    resources = {str(one.get("name")): one["resources"] for key in ("containers", "initContainers") for one in changed.get(key) or ()}
    return replace(
        template,
        data={**template.data, "spec": changed},
        containers=tuple(_sized(one, resources[one.name]) for one in template.containers),
        init_containers=tuple(_sized(one, resources[one.name]) for one in template.init_containers),
    ), given


def _container(one: Mapping[str, Any], items: Sequence[LimitItem], given: dict[str, dict[str, str]]) -> dict[str, Any]:
    said = one.get("resources") or {}
    limits = dict(said.get("limits") or {})
    requests = {**limits, **(said.get("requests") or {})}
    new: dict[str, str] = {}
    for item in items:
        new |= {f"limits.{name}": text for name, text in item.default.items() if name not in limits}
        new |= {f"requests.{name}": text for name, text in item.default_request.items() if name not in requests}
        limits = {**item.default, **limits}
        requests = {**item.default_request, **requests}
    if new:
        given[str(one.get("name"))] = new
    return {**one, "resources": {**said, "limits": limits, "requests": requests}}


def _sized(one: ContainerSpec, resources: Mapping[str, Any]) -> ContainerSpec:
    def of(kind: str, name: str) -> float | None:
        text = resources[kind].get(name)
        return None if text is None else parse_quantity(str(text))

    return replace(
        one,
        request_cores=of("requests", "cpu"),
        request_bytes=of("requests", "memory"),
        limit_cores=of("limits", "cpu"),
        limit_bytes=of("limits", "memory"),
    )
