"""Pods of manifests and templates as the scheduler sees them: amounts, affinity, tolerations (kubernetes-semantics.md 8.2)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from simulate.control import labels
from simulate.control.labels import Requirement, Selector
from simulate.control.lifecycle import start_order
from simulate.control.placement_view import SCORE_CPU_MILLI, SCORE_MEMORY_BYTES, Amounts, NodeTerm, PodTerm, PodView, Spread, Toleration
from simulate.quantity import milli, parse_milli, parse_quantity
from simulate.spec import PodTemplate


def amount(resource: str, text: object) -> int:
    """A quantity as a whole amount, rounded up: thousandths for cpu, units for everything else."""
    if resource == "cpu":
        return parse_milli(str(text))
    value = parse_quantity(str(text))
    return int(value) if value == int(value) else int(value) + 1


def amounts(given: Mapping[str, Any] | None) -> dict[str, int]:
    """A list of resources."""
    return {resource: amount(resource, text) for resource, text in (given or {}).items()}


def _largest(left: Amounts, right: Amounts) -> dict[str, int]:
    return {key: max(left.get(key, 0), right.get(key, 0)) for key in sorted({*left, *right})}


def _sum(left: Amounts, right: Amounts) -> dict[str, int]:
    return {key: left.get(key, 0) + right.get(key, 0) for key in sorted({*left, *right})}


def total(main: Iterable[Amounts], initial: Iterable[tuple[Amounts, bool]], overhead: Amounts) -> dict[str, int]:
    """max(sum of containers and sidecars, largest init container with the sidecars started before it) + overhead (8.2).

    >>> total([{"cpu": 500}], [({"cpu": 3000}, False)], {})
    {'cpu': 3000}
    """
    asked: dict[str, int] = {}
    for one in main:
        asked = _sum(asked, one)
    sidecars: dict[str, int] = {}
    peak: dict[str, int] = {}
    for one, stays in initial:
        if stays:
            sidecars = _sum(sidecars, one)
            asked = _sum(asked, one)
            peak = _largest(peak, sidecars)
        else:
            peak = _largest(peak, _sum(sidecars, one))
    return _sum(_largest(asked, peak), overhead)


def _requests(container: Mapping[str, Any]) -> dict[str, int]:
    resources = container.get("resources") or {}
    return {**amounts(resources.get("limits")), **amounts(resources.get("requests"))}


def _scored(requests: Amounts) -> dict[str, int]:
    return {"cpu": requests.get("cpu", SCORE_CPU_MILLI), "memory": requests.get("memory", SCORE_MEMORY_BYTES)}


def _node_terms(items: Iterable[Mapping[str, Any]]) -> tuple[NodeTerm, ...]:
    return tuple(
        NodeTerm(
            expressions=labels.expressions(item.get("matchExpressions") or ()),
            fields=labels.expressions(item.get("matchFields") or ()),
            weight=weight,
        )
        for item, weight in ((one.get("preference", one), int(one.get("weight", 0))) for one in items)
    )


def _pod_terms(items: Iterable[Mapping[str, Any]], own: Mapping[str, str]) -> tuple[PodTerm, ...]:
    terms = []
    for one in items:
        term = one.get("podAffinityTerm", one)
        spaces = term.get("namespaceSelector")
        terms.append(
            PodTerm(
                selector=_with_keys(labels.from_object(term.get("labelSelector")), term.get("matchLabelKeys") or (), own),
                topology=str(term.get("topologyKey", "")),
                namespaces=frozenset(term.get("namespaces") or ()),
                any_namespace=spaces is not None and not spaces,
                weight=int(one.get("weight", 0)),
            )
        )
    return tuple(terms)


def _with_keys(selector: Selector | None, keys: Iterable[str], own: Mapping[str, str]) -> Selector | None:
    if selector is None:
        return None
    return Selector(selector.requirements + tuple(Requirement(key, "In", (own[key],)) for key in keys if key in own))


def _spreads(items: Iterable[Mapping[str, Any]], own: Mapping[str, str]) -> tuple[Spread, ...]:
    return tuple(
        Spread(
            topology=str(one.get("topologyKey", "")),
            skew=int(one.get("maxSkew", 1)),
            required=one.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule",
            selector=_with_keys(labels.from_object(one.get("labelSelector")), one.get("matchLabelKeys") or (), own),
            minimum_domains=int(one.get("minDomains") or 1),
            honor_affinity=one.get("nodeAffinityPolicy", "Honor") == "Honor",
            honor_taints=one.get("nodeTaintsPolicy", "Ignore") == "Honor",
        )
        for one in items
    )


def _address(text: Any) -> str:
    """The address of a host port; "" stands for every address."""
    try:
        return "" if not text or ipaddress.ip_address(str(text)).is_unspecified else str(text)
    except ValueError:
        return str(text)


def _ports(containers: Iterable[Mapping[str, Any]]) -> frozenset[tuple[str, str, int]]:
    return frozenset(
        (_address(port.get("hostIP")), str(port.get("protocol") or "TCP"), int(port["hostPort"]))
        for container in containers
        for port in container.get("ports") or ()
        if port.get("hostPort")
    )


def pod_of(name: str, spec: Mapping[str, Any], *, namespace: str = "default", own: Mapping[str, str] | None = None, **more: Any) -> PodView:
    """A pod from the `spec` of a manifest; `own` are its labels, `more` the fields that a manifest does not have.

    >>> pod_of("p", {"containers": [{"resources": {"requests": {"cpu": "250m"}}}]}).requests
    {'cpu': 250}
    """
    own = own or {}
    main, initial = list(spec.get("containers") or ()), list(spec.get("initContainers") or ())
    stays = [one.get("restartPolicy") == "Always" for one in initial]
    overhead = amounts(spec.get("overhead"))
    asked = [_requests(one) for one in main], [_requests(one) for one in initial]
    scored = total(map(_scored, asked[0]), zip(map(_scored, asked[1]), stays, strict=True), overhead)
    level = amounts((spec.get("resources") or {}).get("requests"))
    affinity = spec.get("affinity") or {}
    nodes, pods, anti = (affinity.get(key) or {} for key in ("nodeAffinity", "podAffinity", "podAntiAffinity"))
    required, preferred = "requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"
    terms = nodes.get(required)
    given: dict[str, Any] = {
        "requests": {**total(asked[0], zip(asked[1], stays, strict=True), overhead), **level},
        "score_cpu": level.get("cpu", scored["cpu"] if scored else 0),
        "score_memory": level.get("memory", scored["memory"] if scored else 0),
        "ports": _ports(main),
        "tolerations": tuple(
            Toleration(
                key=str(one.get("key") or ""),
                operator=str(one.get("operator") or "Equal"),
                value=str(one.get("value") or ""),
                effect=str(one.get("effect") or ""),
            )
            for one in spec.get("tolerations") or ()
        ),
        "node_name": str(spec.get("nodeName") or ""),
        "node_selector": {key: str(value) for key, value in (spec.get("nodeSelector") or {}).items()},
        "node_terms": None if terms is None else _node_terms(terms.get("nodeSelectorTerms") or ()),
        "preferred_nodes": _node_terms(nodes.get(preferred) or ()),
        "affinity": _pod_terms(pods.get(required) or (), own),
        "anti_affinity": _pod_terms(anti.get(required) or (), own),
        "preferred_affinity": _pod_terms(pods.get(preferred) or (), own),
        "preferred_anti_affinity": _pod_terms(anti.get(preferred) or (), own),
        "spread": _spreads(spec.get("topologySpreadConstraints") or (), own),
        "images": tuple(str(one["image"]) for one in main if one.get("image")),
        "priority": int(spec.get("priority") or 0),
        "preempts": spec.get("preemptionPolicy", "PreemptLowerPriority") != "Never",
    }
    return PodView(name=name, namespace=namespace, labels=own, **(given | more))


def pod_of_template(name: str, template: PodTemplate, *, namespace: str = "default", **more: Any) -> PodView:
    """A pod of a template: affinity, tolerations and so on from its manifest, amounts from its parsed containers."""
    data = template.data.get("spec", template.data)
    view = pod_of(name, data, namespace=namespace, own=template.labels, **more)

    def asked(one: Any) -> dict[str, int]:
        found = {"cpu": one.request_cores and milli(one.request_cores), "memory": one.request_bytes and int(one.request_bytes)}
        return {key: value for key, value in found.items() if value is not None}

    turns = list(start_order(template))
    main = [asked(turn.container) for turn in turns if turn.role == "main"]
    initial = [(asked(turn.container), turn.role == "sidecar") for turn in turns if turn.role != "main"]
    overhead = amounts(data.get("overhead"))
    plain = total(main, initial, overhead)
    scored = total(map(_scored, main), ((_scored(one), stays) for one, stays in initial), overhead)
    values = {one: getattr(view, one) for one in view.__dataclass_fields__}
    extra = {key: value for key, value in view.requests.items() if key not in ("cpu", "memory")}
    values |= {"requests": {**plain, **extra}, "score_cpu": scored.get("cpu", 0), "score_memory": scored.get("memory", 0)}
    return PodView(**values)
