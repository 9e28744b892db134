"""The objects of a Helm chart: the plain objects with settings at the places that a user changes.

Every value that is taken out of an object becomes the default of its setting, so that the chart gives the plain objects again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, Final

from migrate.write.chart import PORT, TEXT, YES_OR_NO, Chart
from migrate.write.chart_pods import autoscaler, claim_settings, place_claim, place_workload, scales, shared_class
from migrate.write.pods import WORKLOADS, Manifest
from migrate.write.template import Block, Given, Say, Splice
from migrate.write.values import access, variable

Placed = Any
"""A mapping with actions in it, or `Given` one."""

_TYPES: Final = ("LoadBalancer", "NodePort", "ClusterIP", "none")


def placed(chart: Chart, manifest: Manifest) -> Placed:
    """The object as its template has it."""
    thing: dict[str, Any] = deepcopy(dict(manifest))
    if "namespace" in thing["metadata"]:
        thing["metadata"]["namespace"] = chart.namespace_name()
    for subject in thing.get("subjects") or ():
        if subject.get("namespace") == chart.namespace:
            subject["namespace"] = chart.namespace_name()
    if thing["kind"] in WORKLOADS:
        place_workload(chart, thing)
        return thing
    place = _PLACES.get(thing["kind"])
    return place(chart, thing) if place is not None else thing


def _namespace(chart: Chart, thing: dict[str, Any]) -> Placed:
    chart.values.put(("namespace", "name"), chart.namespace, TEXT)
    created = chart.global_setting("namespace", "create", default=True, schema=YES_OR_NO)
    thing["metadata"]["name"] = chart.namespace_name()
    return Given(condition=created, value=thing)


def _map(chart: Chart, thing: dict[str, Any]) -> Placed:
    name = thing["metadata"]["name"]
    if name in chart.files:
        for part, function in (("data", "toJson"), ("binaryData", "b64enc")):
            for key in thing.get(part) or {}:
                thing[part][key] = Say(expression=f'$.Files.Get "files/{name}/{key}" | {function}')
    elif (service := chart.environment_maps.get(name)) is not None:
        for key, value in (thing.get("data") or {}).items():
            thing["data"][key] = Say(expression=f"{chart.setting(service, 'env', key, default=value, schema=TEXT)} | toJson")
    return thing


def _secret(chart: Chart, thing: dict[str, Any]) -> Placed:
    return Given(condition=f"not {chart.existing_secret(thing['metadata']['name'])}", value=thing)


def _claim(chart: Chart, thing: dict[str, Any]) -> Placed:
    path = chart.persistence(thing)
    claim_settings(chart, path, thing["spec"])
    place_claim(chart, path, thing["spec"])
    if thing["metadata"]["name"] in chart.node_bound and thing["spec"]["accessModes"] == ["ReadWriteOnce"]:
        shared = shared_class(chart)
        mode = f'ternary "ReadWriteOnce" "ReadWriteMany" (not {shared}) | toJson'
        thing["spec"]["accessModes"] = [Say(expression=mode)]
        own = chart.at(path, "storageClass")
        said = Say(expression=f"{shared} | default {own} | toJson")
        thing["spec"]["storageClassName"] = Given(condition=f"or {shared} {own}", value=said)
    return Given(condition=f"not {chart.at(path, 'existingClaim')}", value=thing)


def _volume(chart: Chart, thing: dict[str, Any]) -> Placed:
    """A PersistentVolume written for a claim: its name holds the namespace, since it is the cluster's; it goes with the claim."""
    claim = thing["spec"].get("claimRef")
    made = chart.objects.get(("PersistentVolumeClaim", claim["name"])) if claim else None
    if claim is None or made is None:
        return thing
    path = chart.persistence(made)
    claim_settings(chart, path, made["spec"])
    claim["namespace"] = chart.namespace_name()
    thing["spec"]["capacity"]["storage"] = Say(expression=f"{chart.at(path, 'size')} | toJson")
    return Given(condition=f"not {chart.at(path, 'existingClaim')}", value=thing)


def _service(chart: Chart, thing: dict[str, Any]) -> Placed:
    spec = thing["spec"]
    if spec.get("type") not in _TYPES:
        return thing
    exposure = _exposure(chart, thing)
    kind = access(exposure, "type")
    for port in spec.get("ports") or ():
        number = access(exposure, "ports", port["name"])
        port["port"] = Say(expression=f"{number} | toJson")
        node = access(exposure, "nodePorts", port["name"])
        port["nodePort"] = Given(condition=f'and (ne {kind} "ClusterIP") {node}', value=Say(expression=f"{node} | toJson"))
    optional = {
        "loadBalancerIP": ("loadBalancerIP", f'eq {kind} "LoadBalancer"'),
        "externalTrafficPolicy": ("externalTrafficPolicy", f'ne {kind} "ClusterIP"'),
    }
    spec["type"] = Given(condition=f'ne {kind} "ClusterIP"', value=Say(expression=f"{kind} | toJson"))
    for key, (field, condition) in optional.items():
        value = access(exposure, field)
        spec[key] = Given(condition=f"and ({condition}) {value}", value=Say(expression=f"{value} | toJson"))
    return Given(condition=f'ne {kind} "none"', value=thing)


def _exposure(chart: Chart, published: Manifest) -> str:
    """The settings of a published Service, and the expression for them."""
    name, spec = str(published["metadata"]["name"]), published["spec"]
    owner = str((published["metadata"].get("labels") or {}).get("app.kubernetes.io/name", name))
    key = "exposure" if name == f"{owner}-published" else name
    path = ("services", owner, key)
    values = chart.values
    values.put((*path, "type"), spec["type"], {"enum": list(_TYPES)})
    for port in spec.get("ports") or ():
        values.put((*path, "ports", port["name"]), port["port"], PORT)
        values.put((*path, "nodePorts", port["name"]), port.get("nodePort", 0), {**PORT, "minimum": 0})
    values.put((*path, "loadBalancerIP"), spec.get("loadBalancerIP", ""), TEXT)
    values.put((*path, "externalTrafficPolicy"), spec.get("externalTrafficPolicy", ""), {"enum": ["", "Cluster", "Local"]})
    return access(variable(owner), key)


def _autoscaler(chart: Chart, thing: dict[str, Any]) -> Placed:
    name = thing["metadata"]["name"]
    target = thing["spec"]["scaleTargetRef"]["name"]
    service = chart.mains.get(target, name)

    def value(key: str) -> str:
        return autoscaler(chart, service, name, key)

    thing["spec"]["minReplicas"] = Say(expression=f"{value('minReplicas')} | toJson")
    thing["spec"]["maxReplicas"] = Say(expression=f"{value('maxReplicas')} | toJson")
    thing["spec"]["metrics"] = [_metric(resource, value(f"{resource}Percent")) for resource in ("cpu", "memory")]
    return Given(condition=value("enabled"), value=thing)


def _metric(resource: str, percent: str) -> Given:
    target = {"type": "Utilization", "averageUtilization": Say(expression=f"{percent} | toJson")}
    return Given(condition=percent, value={"type": "Resource", "resource": {"name": resource, "target": target}})


def offered_autoscalers(chart: Chart) -> list[Manifest]:
    """Autoscalers that the chart can switch on and the plain objects do not have."""
    found: list[Manifest] = []
    for manifest in chart.manifests:
        name = manifest["metadata"]["name"]
        if manifest["kind"] not in WORKLOADS or ("HorizontalPodAutoscaler", name) in chart.objects or not scales(chart, manifest):
            continue
        target = {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "name": name}
        metadata = {key: deepcopy(manifest["metadata"][key]) for key in ("name", "namespace", "annotations") if key in manifest["metadata"]}
        labels = {k: v for k, v in (manifest["metadata"].get("labels") or {}).items() if k != "app.kubernetes.io/version"}
        found.append(
            {
                "apiVersion": "autoscaling/v2",
                "kind": "HorizontalPodAutoscaler",
                "metadata": {**metadata, "labels": labels},
                "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 3, "metrics": []},
            }
        )
    return found


def _policy(chart: Chart, thing: dict[str, Any]) -> Placed:
    enabled = chart.global_setting("networkPolicies", "enabled", default=True, schema=YES_OR_NO)
    published = chart.objects.get(("Service", thing["metadata"]["name"]))
    if published is not None and published["spec"].get("type") in _TYPES:
        kind = access(_exposure(chart, published), "type")
        return Given(condition=f'and {enabled} (ne {kind} "none")', value=thing)
    return Given(condition=enabled, value=thing)


def _ingress(chart: Chart, thing: dict[str, Any]) -> Placed:
    spec = thing["spec"]
    owner = str((thing["metadata"].get("labels") or {}).get("app.kubernetes.io/name", thing["metadata"]["name"]))
    enabled = chart.setting(owner, "ingress", "enabled", default=True, schema=YES_OR_NO)
    class_name = chart.setting(owner, "ingress", "className", default=spec.get("ingressClassName", ""), schema=TEXT)
    more = chart.setting(owner, "ingress", "annotations", default={}, schema={"type": "object", "additionalProperties": TEXT})
    rules = chart.setting(
        owner, "ingress", "rules", default=spec["rules"], schema={"type": "array", "minItems": 1, "items": {"type": "object"}}
    )
    tls = chart.setting(owner, "ingress", "tls", default=spec.get("tls", []), schema={"type": "array", "items": {"type": "object"}})
    thing["metadata"]["annotations"] = {**(thing["metadata"].get("annotations") or {}), "": Splice(expression=more)}
    thing["spec"] = {
        "ingressClassName": Given(condition=class_name, value=Say(expression=f"{class_name} | toJson")),
        "tls": Given(condition=tls, value=Block(expression=tls)),
        "rules": Block(expression=rules),
    }
    return Given(condition=enabled, value=thing)


_PLACES: Final[Mapping[str, Callable[[Chart, dict[str, Any]], Placed]]] = {
    "Namespace": _namespace,
    "ConfigMap": _map,
    "Secret": _secret,
    "PersistentVolume": _volume,
    "PersistentVolumeClaim": _claim,
    "Service": _service,
    "HorizontalPodAutoscaler": _autoscaler,
    "NetworkPolicy": _policy,
    "Ingress": _ingress,
}
