"""What an API server refuses in a pod beside what the schema says (MIG930): a table of forms, and rules over several fields.

Source: the validation that each field's documentation in the Kubernetes API reference states. A test asks a real API server about each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from migrate.patterns import late
from migrate.source import Path_
from migrate.verify import forms
from migrate.verify.forms import Form, held, one_of, quantity, tree
from migrate.verify.objects import Pod, mapping, sequence
from migrate.verify.schema import Misfit

_ITEMS: Final[Mapping[str, Form]] = {"[].key": forms.NOT_EMPTY, "[].path": forms.INSIDE, "[].mode": forms.MODE}
_FILES: Final[Mapping[str, Form]] = {"defaultMode": forms.MODE, **{f"items{step}": form for step, form in _ITEMS.items()}}
_TERM: Final[Mapping[str, Form]] = {"topologyKey": forms.NOT_EMPTY}
_USERS: Final[Mapping[str, Form]] = {"runAsUser": forms.USER, "runAsGroup": forms.USER}


def _under(place: str, table: Mapping[str, Form]) -> dict[str, Form]:
    return {f"{place}{'' if key.startswith('[') else '.'}{key}": form for key, form in table.items()}


_POD: Final = tree(
    {
        "restartPolicy": one_of("Always", "OnFailure", "Never"),
        "dnsPolicy": one_of("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
        "hostname": forms.LABEL,
        "subdomain": forms.LABEL,
        "serviceAccountName": forms.SUBDOMAIN,
        "runtimeClassName": forms.SUBDOMAIN,
        "priorityClassName": forms.SUBDOMAIN,
        "nodeSelector.*": forms.LABEL_VALUE,
        "hostAliases[].ip": forms.ADDRESS,
        "hostAliases[].hostnames[]": forms.SUBDOMAIN,
        "dnsConfig.nameservers[]": forms.ADDRESS,
        "dnsConfig.options[].name": forms.NOT_EMPTY,
        "tolerations[].operator": one_of("Exists", "Equal", "Lt", "Gt"),
        "tolerations[].effect": one_of("", "NoSchedule", "PreferNoSchedule", "NoExecute"),
        "topologySpreadConstraints[].maxSkew": forms.number(1),
        "topologySpreadConstraints[].whenUnsatisfiable": one_of("DoNotSchedule", "ScheduleAnyway"),
        "topologySpreadConstraints[].topologyKey": forms.NOT_EMPTY,
        **{
            f"affinity.{kind}.requiredDuringSchedulingIgnoredDuringExecution[].topologyKey": forms.NOT_EMPTY
            for kind in ("podAffinity", "podAntiAffinity")
        },
        **{
            f"affinity.{kind}.preferredDuringSchedulingIgnoredDuringExecution[].{key}": form
            for kind in ("podAffinity", "podAntiAffinity")
            for key, form in {"weight": forms.number(1, 100), "podAffinityTerm.topologyKey": forms.NOT_EMPTY}.items()
        },
        "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms": forms.NOT_EMPTY,
        "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[].weight": forms.number(1, 100),
        **_under("securityContext", {**_USERS, "fsGroup": forms.USER, "supplementalGroups[]": forms.USER}),
        "securityContext.fsGroupChangePolicy": one_of("OnRootMismatch", "Always"),
        "securityContext.sysctls[].name": forms.matching(
            r"(?=.{1,253}\Z)([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?", "the name of a sysctl"
        ),
        **_under(
            "volumes[]",
            {
                "name": forms.LABEL,
                "hostPath.path": forms.NO_WAY_UP,
                "hostPath.type": one_of(
                    "", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"
                ),
                "emptyDir.sizeLimit": forms.AMOUNT,
                **_under("configMap", _FILES),
                **_under("secret", {"secretName": forms.NOT_EMPTY, **_FILES}),
                "projected.defaultMode": forms.MODE,
                **_under("projected.sources[].configMap.items", _ITEMS),
                **_under("projected.sources[].secret.items", _ITEMS),
                "persistentVolumeClaim.claimName": forms.NOT_EMPTY,
                "nfs.server": forms.NOT_EMPTY,
                "nfs.path": forms.matching("/.*", "an absolute path"),
                "csi.driver": forms.NOT_EMPTY,
            },
        ),
    }
)
_PROBE: Final[Mapping[str, Form]] = {
    "exec.command": forms.NOT_EMPTY,
    "httpGet.port": forms.PORT_OR_NAME,
    "httpGet.scheme": one_of("HTTP", "HTTPS"),
    "tcpSocket.port": forms.PORT_OR_NAME,
    "grpc.port": forms.PORT,
    **dict.fromkeys(("periodSeconds", "timeoutSeconds", "failureThreshold", "successThreshold", "initialDelaySeconds"), forms.number(0)),
    "terminationGracePeriodSeconds": forms.number(1),
}
_HOOK: Final[Mapping[str, Form]] = {
    **{key: form for key, form in _PROBE.items() if "." in key and not key.startswith("grpc")},
    "sleep.seconds": forms.number(0),
}
_CONTAINER: Final = tree(
    {
        "name": forms.LABEL,
        "imagePullPolicy": one_of("Always", "IfNotPresent", "Never"),
        "terminationMessagePolicy": one_of("File", "FallbackToLogsOnError"),
        "ports[].name": forms.PORT_NAME,
        "ports[].containerPort": forms.PORT,
        "ports[].hostPort": forms.number(0, 65535),
        "ports[].protocol": forms.PROTOCOL,
        "env[].valueFrom.fieldRef.fieldPath": forms.matching(
            r"metadata\.(name|namespace|uid|(labels|annotations)\['[^']+'\])|spec\.(nodeName|serviceAccountName)"
            r"|status\.(hostIPs?|podIPs?)",
            "a field that a container can be told",
        ),
        **{f"env[].valueFrom.{kind}.name": forms.SUBDOMAIN for kind in ("configMapKeyRef", "secretKeyRef")},
        **{f"env[].valueFrom.{kind}.key": forms.MAP_KEY for kind in ("configMapKeyRef", "secretKeyRef")},
        **{f"envFrom[].{kind}.name": forms.SUBDOMAIN for kind in ("configMapRef", "secretRef")},
        "volumeMounts[].mountPath": forms.NOT_EMPTY,
        "volumeMounts[].subPath": forms.INSIDE,
        "volumeMounts[].mountPropagation": one_of("None", "HostToContainer", "Bidirectional"),
        **{f"{probe}.{key}": form for probe in ("readinessProbe", "livenessProbe", "startupProbe") for key, form in _PROBE.items()},
        **{f"lifecycle.{hook}.{key}": form for hook in ("postStart", "preStop") for key, form in _HOOK.items()},
        **_under("securityContext", _USERS),
        "securityContext.procMount": one_of("Default", "Unmasked"),
        **{f"resources.{part}.*": forms.AMOUNT for part in ("requests", "limits")},
    }
)
_STANDARD_RESOURCES: Final = frozenset({"cpu", "memory", "ephemeral-storage"})
_SOURCES: Final = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_HANDLERS: Final = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOKS: Final = ("exec", "httpGet", "tcpSocket", "sleep")
_OLD_NAME: Final = late(r"[-._a-zA-Z][-._a-zA-Z0-9]*\Z")
_NEW_NAME: Final = late(r"[ -<>-~]+\Z")


def refused(pod: Pod, minor: int) -> Iterator[Misfit]:
    """Everything in a pod that an API server of version 1.`minor` refuses although the schema admits it."""
    yield from held(pod.spec, _POD, pod.path)
    yield from _names(pod.spec, pod.path, minor)
    yield from _selectors(pod.spec, pod.path)
    yield from _security(mapping(pod.spec.get("securityContext")), (*pod.path, "securityContext"))
    for path, volume in pod.volumes():
        if len([key for key, value in volume.items() if key != "name" and value is not None]) > 1:
            yield Misfit(path=path, message="a volume has one source")
        yield from _projected(volume, path)
    if not any(not container.first for container in pod.containers()):
        yield Misfit(path=(*pod.path, "containers"), message="a pod needs a container")
    grace = pod.spec.get("terminationGracePeriodSeconds", 30)
    for container in pod.containers():
        yield from held(container.data, _CONTAINER, container.path)
        yield from _container(container.data, container.path, minor, grace)
        if container.first:
            yield from _first(container.data, container.path)


def _names(spec: Mapping[str, Any], path: Path_, minor: int) -> Iterator[Misfit]:
    dns = mapping(spec.get("dnsConfig"))
    servers, searches = sequence(dns.get("nameservers")), sequence(dns.get("searches"))
    if spec.get("dnsPolicy") == "None" and not servers:
        yield Misfit(path=(*path, "dnsConfig", "nameservers"), message="dnsPolicy None needs a nameserver")
    if len(servers) > 3:
        yield Misfit(path=(*path, "dnsConfig", "nameservers"), message="more than 3 nameservers")
    if len(searches) > 32 or sum(len(str(s)) + 1 for s in searches) > 2049:
        yield Misfit(path=(*path, "dnsConfig", "searches"), message="more than 32 search domains, or 2048 characters")
    for index, domain in enumerate(map(str, searches)):
        bare = domain.removesuffix(".")
        relaxed = minor >= 33 and (domain == "." or forms.is_subdomain(bare.replace("_", "a")))
        if not forms.is_subdomain(bare) and not relaxed:
            yield Misfit(path=(*path, "dnsConfig", "searches", index), message=f"{domain!r} is not a search domain")
    for index, option in enumerate(map(mapping, sequence(dns.get("options")))):
        if not option.get("name"):
            yield Misfit(path=(*path, "dnsConfig", "options", index), message="an option needs a name")
    for key in mapping(spec.get("nodeSelector")):
        if not forms.is_key(str(key)):
            yield Misfit(path=(*path, "nodeSelector", str(key)), message="not a legal key of labels")


def _selectors(spec: Mapping[str, Any], path: Path_) -> Iterator[Misfit]:
    for index, toleration in enumerate(map(mapping, sequence(spec.get("tolerations")))):
        exists = toleration.get("operator") == "Exists"
        if exists and toleration.get("value"):
            yield Misfit(path=(*path, "tolerations", index, "value"), message="must be empty with operator Exists")
        if not exists and not toleration.get("key"):
            yield Misfit(path=(*path, "tolerations", index, "operator"), message="must be Exists where no key is given")
    affinity = mapping(spec.get("affinity"))
    node = mapping(affinity.get("nodeAffinity"))
    terms: list[tuple[Path_, Any]] = [
        ((*path, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms", i), term)
        for i, term in enumerate(sequence(mapping(node.get("requiredDuringSchedulingIgnoredDuringExecution")).get("nodeSelectorTerms")))
    ]
    for place, term in terms:
        yield from expressions(mapping(term), place, ("Gt", "Lt"))
    for kind in ("podAffinity", "podAntiAffinity"):
        for when in ("requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"):
            for index, term in enumerate(map(mapping, sequence(mapping(affinity.get(kind)).get(when)))):
                inner = mapping(term.get("podAffinityTerm")) or term
                yield from expressions(mapping(inner.get("labelSelector")), (*path, "affinity", kind, when, index, "labelSelector"))


def expressions(selector: Mapping[str, Any], path: Path_, more: Sequence[str] = ()) -> Iterator[Misfit]:
    """The faults of a label selector."""
    for key, value in mapping(selector.get("matchLabels")).items():
        if not forms.is_key(str(key)) or not forms.LABEL_VALUE.admits(value):
            yield Misfit(path=(*path, "matchLabels", str(key)), message="not a legal label")
    for index, said in enumerate(map(mapping, sequence(selector.get("matchExpressions")))):
        operator, values, place = said.get("operator"), sequence(said.get("values")), (*path, "matchExpressions", index)
        if operator not in ("In", "NotIn", "Exists", "DoesNotExist", *more):
            yield Misfit(path=(*place, "operator"), message=f"{operator!r} is not an operator")
        elif operator in ("In", "NotIn") and not values:
            yield Misfit(path=(*place, "values"), message=f"must be given with operator {operator}")
        elif operator in ("Exists", "DoesNotExist") and values:
            yield Misfit(path=(*place, "values"), message=f"must not be given with operator {operator}")
        elif operator in ("Gt", "Lt") and len(values) != 1:
            yield Misfit(path=(*place, "values"), message=f"must be one with operator {operator}")


def _security(security: Mapping[str, Any], path: Path_) -> Iterator[Misfit]:
    seen: set[str] = set()
    for index, sysctl in enumerate(map(mapping, sequence(security.get("sysctls")))):
        called = str(sysctl.get("name")).replace("/", ".")
        if called in seen:
            yield Misfit(path=(*path, "sysctls", index, "name"), message=f"sysctl {called} is given twice")
        seen.add(called)
    for key in ("seccompProfile", "appArmorProfile"):
        profile = mapping(security.get(key))
        if profile and profile.get("type") not in ("RuntimeDefault", "Unconfined", "Localhost"):
            yield Misfit(path=(*path, key, "type"), message=f"{profile.get('type')!r} is not RuntimeDefault, Unconfined or Localhost")
        if (profile.get("type") == "Localhost") != bool(profile.get("localhostProfile")):
            yield Misfit(path=(*path, key, "localhostProfile"), message="must be given with type Localhost, and only then")


def _projected(volume: Mapping[str, Any], path: Path_) -> Iterator[Misfit]:
    seen: set[str] = set()
    for index, source in enumerate(map(mapping, sequence(mapping(volume.get("projected")).get("sources")))):
        for kind in ("configMap", "secret", "downwardAPI"):
            for item, entry in enumerate(map(mapping, sequence(mapping(source.get(kind)).get("items")))):
                if str(entry.get("path")) in seen:
                    place = (*path, "projected", "sources", index, kind, "items", item, "path")
                    yield Misfit(path=place, message=f"{entry.get('path')!r} is given twice")
                seen.add(str(entry.get("path")))


def _container(data: Mapping[str, Any], path: Path_, minor: int, grace: Any) -> Iterator[Misfit]:
    if not data.get("image"):
        yield Misfit(path=path, message="a container needs an image")
    for key in ("readinessProbe", "livenessProbe", "startupProbe"):
        if key in data and data[key] is not None:
            yield from _probe(mapping(data[key]), (*path, key), key)
    for key, hook in mapping(data.get("lifecycle")).items():
        yield from _hook(mapping(hook), (*path, "lifecycle", key), grace)
    yield from _environment(data, path, minor)
    yield from _resources(mapping(data.get("resources")), (*path, "resources"))
    security = mapping(data.get("securityContext"))
    yield from _security(security, (*path, "securityContext"))
    if security.get("allowPrivilegeEscalation") is False:
        mighty = "CAP_SYS_ADMIN" in sequence(mapping(security.get("capabilities")).get("add"))
        if security.get("privileged") or mighty:
            place = (*path, "securityContext", "allowPrivilegeEscalation")
            yield Misfit(path=place, message="cannot be false beside privileged or CAP_SYS_ADMIN")
    for index, mount in enumerate(map(mapping, sequence(data.get("volumeMounts")))):
        if mount.get("mountPropagation") == "Bidirectional" and not security.get("privileged"):
            yield Misfit(path=(*path, "volumeMounts", index, "mountPropagation"), message="Bidirectional needs a privileged container")


def _first(data: Mapping[str, Any], path: Path_) -> Iterator[Misfit]:
    """An init container ends before others start; one that is restarted always is a sidecar and may have all that others have."""
    policy = data.get("restartPolicy")
    if policy not in (None, "Always", "Never", "OnFailure"):
        yield Misfit(path=(*path, "restartPolicy"), message=f"{policy!r} is not Always, Never or OnFailure")
    if policy == "Always":
        return
    for key in ("readinessProbe", "livenessProbe", "startupProbe", "lifecycle"):
        if data.get(key):
            what = "lifecycle" if key == "lifecycle" else "probe"
            yield Misfit(path=(*path, key), message=f"an init container has no {what}")


def _probe(probe: Mapping[str, Any], path: Path_, key: str) -> Iterator[Misfit]:
    handlers = [handler for handler in _HANDLERS if probe.get(handler) is not None]
    if len(handlers) != 1:
        yield Misfit(path=path, message="a probe has one of exec, httpGet, tcpSocket and grpc")
    elif handlers == ["exec"] and not mapping(probe["exec"]).get("command"):
        yield Misfit(path=(*path, "exec", "command"), message="the probe has nothing to run")
    if key != "readinessProbe" and probe.get("successThreshold") not in (None, 0, 1):
        yield Misfit(path=(*path, "successThreshold"), message="must be 1")
    if key == "readinessProbe" and probe.get("terminationGracePeriodSeconds") is not None:
        yield Misfit(path=(*path, "terminationGracePeriodSeconds"), message="a readiness probe ends nothing")


def _hook(hook: Mapping[str, Any], path: Path_, grace: Any) -> Iterator[Misfit]:
    if path[-1] not in ("postStart", "preStop"):
        return
    if len([handler for handler in _HOOKS if hook.get(handler) is not None]) != 1:
        yield Misfit(path=path, message="a hook has one of exec, httpGet, tcpSocket and sleep")
    elif hook.get("exec") is not None and not mapping(hook["exec"]).get("command"):
        yield Misfit(path=(*path, "exec", "command"), message="the hook has nothing to run")
    seconds = mapping(hook.get("sleep")).get("seconds")
    if isinstance(seconds, int) and isinstance(grace, int) and seconds > grace:
        yield Misfit(path=(*path, "sleep", "seconds"), message=f"the hook sleeps longer than the {grace} s that the pod has to end")


def _environment(data: Mapping[str, Any], path: Path_, minor: int) -> Iterator[Misfit]:
    legal = _NEW_NAME if minor >= 32 else _OLD_NAME
    for index, entry in enumerate(map(mapping, sequence(data.get("env")))):
        place = (*path, "env", index)
        called = str(entry.get("name", ""))
        if legal.match(called) is None:
            yield Misfit(path=(*place, "name"), message=f"{called!r} is not the name of a variable")
        if "valueFrom" in entry and entry["valueFrom"] is not None:
            sources = [key for key in _SOURCES if mapping(entry["valueFrom"]).get(key) is not None]
            if len(sources) != 1:
                yield Misfit(path=(*place, "valueFrom"), message="a variable comes from one place")
            elif entry.get("value"):
                yield Misfit(path=(*place, "valueFrom"), message="a variable with a value comes from nowhere else")
    for index, source in enumerate(map(mapping, sequence(data.get("envFrom")))):
        if len([key for key in ("configMapRef", "secretRef") if source.get(key) is not None]) != 1:
            yield Misfit(path=(*path, "envFrom", index), message="names one ConfigMap or one Secret")


def _resources(resources: Mapping[str, Any], path: Path_) -> Iterator[Misfit]:
    requests, limits = mapping(resources.get("requests")), mapping(resources.get("limits"))
    for part, amounts in (("requests", requests), ("limits", limits)):
        for key, said in amounts.items():
            amount, place = quantity(said), (*path, part, str(key))
            extended = "/" in str(key)
            if not extended and key not in _STANDARD_RESOURCES and not str(key).startswith("hugepages-"):
                yield Misfit(path=place, message=f"{key!r} is no resource of a container")
            elif extended and amount is not None and amount != amount.to_integral_value():
                yield Misfit(path=place, message="is counted in whole numbers")
            elif extended and part == "requests" and quantity(limits.get(key)) != amount:
                yield Misfit(path=place, message="must equal the limit: what devices give cannot be shared")
    for key, said in requests.items():
        amount, limit = quantity(said), quantity(limits.get(key)) if key in limits else None
        if amount is not None and limit is not None and amount > limit:
            yield Misfit(path=(*path, "requests", str(key)), message="the request is more than the limit")
