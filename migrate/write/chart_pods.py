"""Workloads of a Helm chart: images, replicas, resources, environment, claims and Secrets of their pods as settings."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from migrate.kube.state import combined_digest, content_digest
from migrate.write.chart import COUNT, NAME, QUANTITY, TEXT, YES_OR_NO, Chart, Part, tool
from migrate.write.pods import Manifest, containers_of, pod_of, template_of
from migrate.write.template import Block, Each, Given, Say
from migrate.write.values import access, can_be_value, variable

CHECKSUM: Final = "compose-cutover/checksum"
EXTERNAL: Final = "compose-cutover/external"
_VERSION: Final = "app.kubernetes.io/version"
_SCHEDULE: Final = {"type": "string", "minLength": 1}
_PERCENT: Final = {"type": "integer", "minimum": 0}
_RESOURCES: Final = {
    "type": "object",
    "properties": {
        key: {"type": "object", "additionalProperties": {"type": ["string", "integer", "number"]}} for key in ("limits", "requests")
    },
}


def place_workload(chart: Chart, workload: dict[str, Any]) -> None:
    """Put the settings of a workload (a copy of its own) in their places."""
    name, kind, spec = workload["metadata"]["name"], workload["kind"], workload["spec"]
    pod = pod_of(workload)
    originals = {(key, position): container for key, position, container in containers_of(chart.objects[kind, name])}
    _place_checksum(chart, workload)
    for key, position, container in containers_of(workload):
        part = chart.parts.get((name, key, position))
        _place_container(chart, container, originals[key, position], part)
    main = chart.mains.get(name)
    if main is not None:
        _place_replicas(chart, workload, main)
        labels = workload["metadata"].get("labels") or {}
        if labels.get(_VERSION) and chart.values.settings["services", main, "image", "tag"].default == labels[_VERSION]:
            tag = access(variable(main), "image", "tag")
            labels[_VERSION] = Given(condition=tag, value=Say(expression=f'{tag} | trunc 63 | trimAll "-._" | toJson'))
        if kind == "CronJob":
            spec["schedule"] = Say(expression=f"{chart.setting(main, 'schedule', default=spec['schedule'], schema=_SCHEDULE)} | toJson")
        _place_templates(chart, workload, pod, main)
    _place_volumes(chart, pod)
    _place_external(chart, workload)
    _place_pull_secrets(chart, pod)
    _place_affinity(chart, pod)
    _place_searches(chart, pod)


# ------------------------------------------------------------------ containers


def _place_container(chart: Chart, container: Any, original: Mapping[str, Any], part: Part | None) -> None:
    for entry in container.get("env") or ():
        wanted = (entry.get("valueFrom") or {}).get("secretKeyRef")
        if wanted:
            wanted["name"] = Say(expression=f"{chart.secret(wanted['name'])} | toJson")
    if part is None:
        role = tool(original) or "image"
        path = ("global", "tools", role)
        container["image"] = chart.image(original["image"], access("$.Values", *path), *path)
        return
    path = ("services", part.service, "image")
    container["image"] = chart.image(original["image"], access(variable(part.service), "image"), *path)
    if part.own:
        resources = chart.setting(part.service, "resources", default=original.get("resources") or {}, schema=_RESOURCES)
        container["resources"] = Given(condition=resources, value=Block(expression=resources))
    _place_environment(chart, container, part)


def _place_environment(chart: Chart, container: Any, part: Part) -> None:
    """Literal variables are settings of the container's own service; an init container shares those that are equal to its service's."""
    settings = chart.values.settings
    for entry in container.get("env") or ():
        value = entry.get("value")
        if not isinstance(value, str) or not can_be_value(value):
            continue
        known = settings.get(("services", part.service, "env", entry["name"]))
        if part.own or (known is not None and known.default == value):
            name = chart.setting(part.service, "env", entry["name"], default=value, schema=TEXT)
            entry["value"] = Say(expression=f"{name} | toJson")
    if part.own:
        more = chart.setting(part.service, "extraEnv", default={}, schema={"type": "object", "additionalProperties": TEXT})
        entry = {"name": Say(expression="$name | toJson"), "value": Say(expression="$value | toJson")}
        container["env"] = [*(container.get("env") or ()), Each(head=f"$name, $value := {more}", value=entry)]


# ------------------------------------------------------------------ replicas and autoscaler


def scales(chart: Chart, workload: Manifest) -> bool:
    """Whether the chart offers an autoscaler: where there is one, and for Deployments that may run more than one pod at a time."""
    kind, name = workload["kind"], workload["metadata"]["name"]
    if ("HorizontalPodAutoscaler", name) in chart.objects:
        return True
    recreated = (workload["spec"].get("strategy") or {}).get("type") == "Recreate"
    return kind == "Deployment" and not recreated and workload["spec"].get("replicas", 1) > 0


def _place_replicas(chart: Chart, workload: dict[str, Any], service: str) -> None:
    if workload["kind"] not in ("Deployment", "StatefulSet"):
        return
    spec = workload["spec"]
    replicas = chart.setting(service, "replicas", default=spec.get("replicas", 1), schema=COUNT)
    value: Any = Say(expression=f"{replicas} | toJson")
    if scales(chart, chart.objects[workload["kind"], workload["metadata"]["name"]]):
        value = Given(condition=f"not {autoscaler(chart, service, workload['metadata']['name'], 'enabled')}", value=value)
    spec.pop("replicas", None)
    workload["spec"] = {"replicas": value, **spec}


def autoscaler(chart: Chart, service: str, name: str, key: str) -> str:
    """The expression for a setting of a service's autoscaler."""
    made = chart.objects.get(("HorizontalPodAutoscaler", name))
    spec: Mapping[str, Any] = made["spec"] if made is not None else {"minReplicas": 1, "maxReplicas": 3, "metrics": _METRICS}
    percent = {m["resource"]["name"]: m["resource"]["target"]["averageUtilization"] for m in spec["metrics"]}
    forms: Mapping[str, tuple[Any, Mapping[str, Any]]] = {
        "enabled": (made is not None, YES_OR_NO),
        "minReplicas": (spec.get("minReplicas", 1), {"type": "integer", "minimum": 1}),
        "maxReplicas": (spec["maxReplicas"], {"type": "integer", "minimum": 1}),
        "cpuPercent": (percent.get("cpu", 0), _PERCENT),
        "memoryPercent": (percent.get("memory", 0), _PERCENT),
    }
    for each, (default, schema) in forms.items():
        chart.setting(service, "hpa", each, default=default, schema=schema)
    return access(variable(service), "hpa", key)


_METRICS: Final = (
    {"resource": {"name": "cpu", "target": {"averageUtilization": 50}}},
    {"resource": {"name": "memory", "target": {"averageUtilization": 70}}},
)
"""What `kompose.hpa.*` means where it says nothing (conversion.md 2.13)."""


# ------------------------------------------------------------------ claims


def claim_settings(chart: Chart, path: tuple[str, ...], spec: Mapping[str, Any]) -> None:
    """The settings of a claim: size, class, and an existing claim in its place."""
    chart.values.put((*path, "size"), spec["resources"]["requests"]["storage"], QUANTITY)
    chart.values.put((*path, "storageClass"), spec.get("storageClassName") or "", NAME)
    chart.values.put((*path, "existingClaim"), "", NAME)


def place_claim(chart: Chart, path: tuple[str, ...], spec: dict[str, Any]) -> None:
    """Put size and class of a claim's spec in their places. An empty class (NFS) is the claim's own: no setting takes it away."""
    spec["resources"]["requests"]["storage"] = Say(expression=f"{chart.at(path, 'size')} | toJson")
    chosen = chart.at(path, "storageClass")
    said = Say(expression=f"{chosen} | toJson")
    spec["storageClassName"] = said if spec.get("storageClassName") == "" else Given(condition=chosen, value=said)


def _place_templates(chart: Chart, workload: dict[str, Any], pod: Mapping[str, Any], service: str) -> None:
    templates = workload["spec"].get("volumeClaimTemplates")
    if not templates:
        return
    guarded, volumes = [], list(pod.get("volumes") or ())
    for made in templates:
        name = made["metadata"]["name"]
        path = ("services", service, "persistence", name)
        claim_settings(chart, path, made["spec"])
        place_claim(chart, path, made["spec"])
        existing = chart.at(path, "existingClaim")
        guarded.append(Given(condition=f"not {existing}", value=made))
        volumes.append(
            Given(
                condition=existing,
                value={"name": name, "persistentVolumeClaim": {"claimName": Say(expression=f"{existing} | toJson")}},
            )
        )
    workload["spec"]["volumeClaimTemplates"] = guarded
    template_of(workload)["spec"]["volumes"] = volumes


def _place_volumes(chart: Chart, pod: Mapping[str, Any]) -> None:
    for volume in pod.get("volumes") or ():
        if isinstance(volume, Given):
            continue
        claim = volume.get("persistentVolumeClaim")
        made = chart.objects.get(("PersistentVolumeClaim", claim["claimName"])) if claim else None
        if claim and made is not None:
            path = chart.persistence(made)
            claim_settings(chart, path, made["spec"])
            claim["claimName"] = Say(expression=f"{chart.at(path, 'existingClaim')} | default {json.dumps(claim['claimName'])} | toJson")
        secret = volume.get("secret")
        if secret:
            secret["secretName"] = Say(expression=f"{chart.secret(secret['secretName'])} | toJson")
        for source in (volume.get("projected") or {}).get("sources") or ():
            if "secret" in source:
                source["secret"]["name"] = Say(expression=f"{chart.secret(source['secret']['name'])} | toJson")


def _place_external(chart: Chart, workload: Manifest) -> None:
    """The note of what must exist beforehand follows the settings that name it."""
    notes = workload["metadata"].get("annotations") or {}
    entries = str(notes.get(EXTERNAL, "")).split(",")
    if any(entry.startswith("secret/") for entry in entries):
        said = [f'(printf "secret/%s" {chart.secret(e[7:])})' if e.startswith("secret/") else json.dumps(e) for e in entries]
        notes[EXTERNAL] = Say(expression=f'list {" ".join(said)} | join "," | toJson')


# ------------------------------------------------------------------ what holds for every pod


def _place_pull_secrets(chart: Chart, pod: Mapping[str, Any]) -> None:
    secrets = chart.global_setting("global", "pullSecrets", default=[], schema={"type": "array", "items": NAME})
    more = Each(head=f"$secret := {secrets}", value={"name": Say(expression="$secret | toJson")})
    pod["imagePullSecrets"] = [*(pod.get("imagePullSecrets") or ()), more]  # type: ignore[index]


def _place_affinity(chart: Chart, pod: Mapping[str, Any]) -> None:
    """Pods that share volumes stand on one node, unless a class gives volumes that many nodes mount."""
    affinity = pod.get("affinity") or {}
    terms = (affinity.get("podAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution") or ()
    if not any(
        label.startswith("compose-cutover/volume-") for t in terms for label in (t.get("labelSelector") or {}).get("matchLabels") or {}
    ):
        return
    condition = f"not {shared_class(chart)}"
    if set(affinity) == {"podAffinity"}:
        pod["affinity"] = Given(condition=condition, value=affinity)  # type: ignore[index]
    else:
        affinity["podAffinity"] = Given(condition=condition, value=affinity["podAffinity"])


def shared_class(chart: Chart) -> str:
    """The expression for the class of volumes that many nodes mount."""
    return chart.global_setting("global", "rwxClass", default="", schema=TEXT)


def _place_searches(chart: Chart, pod: Mapping[str, Any]) -> None:
    searches = (pod.get("dnsConfig") or {}).get("searches") or []
    mine = f"{chart.namespace}.svc."
    domain = next((s.removeprefix(mine) for s in searches if s.startswith(mine)), None)
    if domain is None:
        return
    zone = chart.global_setting("global", "clusterDomain", default=domain, schema={"type": "string", "minLength": 1})
    own = f'include "{chart.name}.namespace" $'
    known = {
        f"{mine}{domain}": f'printf "%s.svc.%s" ({own}) {zone} | toJson',
        f"svc.{domain}": f'printf "svc.%s" {zone} | toJson',
        domain: f"{zone} | toJson",
    }
    pod["dnsConfig"]["searches"] = [Say(expression=known[s]) if s in known else s for s in searches]


# ------------------------------------------------------------------ checksum


def _place_checksum(chart: Chart, workload: dict[str, Any]) -> None:
    """The checksum of what the pods read follows the settings and the chart's files; what stands in templates counts as it is."""
    annotations = (template_of(workload).get("metadata") or {}).get("annotations") or {}
    if CHECKSUM not in annotations:
        return
    used = sorted(dict.fromkeys(_used_data(pod_of(workload))))
    made = [chart.objects[identity] for identity in used if identity in chart.objects]
    digests = [content_digest(content_of(m)) for m in made]
    if combined_digest(digests) != annotations[CHECKSUM]:
        return
    expressions = [_digest_expression(chart, m, digest) for m, digest in zip(made, digests, strict=True)]
    if any(not e.startswith('"') for e in expressions):
        annotations[CHECKSUM] = Say(expression=f'list {" ".join(expressions)} | join "\\n" | sha256sum | trunc 16 | toJson')


def _digest_expression(chart: Chart, made: Manifest, digest: str) -> str:
    name = made["metadata"]["name"]
    if made["kind"] == "ConfigMap" and name in chart.files:
        keys = (*(made.get("data") or {}), *(made.get("binaryData") or {}))
        pairs = " ".join(f'{json.dumps(key)} ($.Files.Get "files/{name}/{key}")' for key in keys)
        return f'(include "{chart.name}.digest" (dict {pairs}))'
    if made["kind"] == "ConfigMap" and name in chart.environment_maps:
        service = variable(chart.environment_maps[name])
        picked = " ".join(json.dumps(key) for key in made.get("data") or {})
        return f'(include "{chart.name}.digest" (pick {service}.env {picked}))'
    return f'"{digest}"'


def content_of(made: Manifest) -> dict[str, bytes]:
    """What a ConfigMap or Secret holds, as bytes."""
    text = {**(made.get("stringData") or {}), **((made.get("data") or {}) if made["kind"] == "ConfigMap" else {})}
    encoded = {**(made.get("binaryData") or {}), **((made.get("data") or {}) if made["kind"] == "Secret" else {})}
    return {**{key: value.encode() for key, value in text.items()}, **{key: base64.b64decode(value) for key, value in encoded.items()}}


def _used_data(pod: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for volume in pod.get("volumes") or ():
        yield from _of_volume(volume)
    containers: Sequence[Mapping[str, Any]] = (*(pod.get("initContainers") or ()), *(pod.get("containers") or ()))
    for container in containers:
        for source in container.get("envFrom") or ():
            yield "ConfigMap", source.get("configMapRef", {}).get("name", "")
        for entry in container.get("env") or ():
            yield "Secret", (entry.get("valueFrom") or {}).get("secretKeyRef", {}).get("name", "")


def _of_volume(source: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "configMap" in source:
        yield "ConfigMap", source["configMap"]["name"]
    if "secret" in source:
        yield "Secret", source["secret"].get("secretName") or source["secret"].get("name", "")
    for part in (source.get("projected") or {}).get("sources") or ():
        yield from _of_volume(part)
