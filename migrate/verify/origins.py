"""From a field of an object back to the line of the Compose file that it was made of.

The object says which service it belongs to (the container's name, else its label), the field which keys of a service it comes from; of
those the one that the file says is taken, of a list the entry with the same name, port or path. Where nothing finer is known the place is
that of the service.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from migrate.description import description
from migrate.findings import Span
from migrate.source import Path_
from migrate.verify.objects import at, mapping, name

if TYPE_CHECKING:
    from migrate.compose.model import Project
    from migrate.plan.types import Plan

CONTAINER_LISTS: Final = frozenset({"containers", "initContainers", "ephemeralContainers"})

KEYS: Final[tuple[tuple[tuple[str, ...], tuple[Path_, ...]], ...]] = (
    (("containers", "image"), (("image",), ("build",))),
    (("containers", "imagePullPolicy"), (("pull_policy",),)),
    (("containers", "ports"), (("ports",), ("expose",))),
    (("containers", "env"), (("environment",), ("env_file",))),
    (("containers", "envFrom"), (("environment",), ("env_file",))),
    (("containers", "command"), (("entrypoint",),)),
    (("containers", "args"), (("command",),)),
    (("containers", "workingDir"), (("working_dir",),)),
    (("containers", "resources"), (("deploy", "resources"), ("mem_limit",), ("cpus",), ("mem_reservation",))),
    (("containers", "volumeMounts"), (("volumes",), ("tmpfs",), ("configs",), ("secrets",))),
    (("containers", "volumeDevices"), (("volumes",), ("devices",))),
    (("containers", "livenessProbe"), (("healthcheck",),)),
    (("containers", "readinessProbe"), (("healthcheck",),)),
    (("containers", "startupProbe"), (("healthcheck",),)),
    (("containers", "lifecycle"), (("post_start",), ("pre_stop",), ("stop_signal",))),
    (("containers", "securityContext", "capabilities"), (("cap_add",), ("cap_drop",))),
    (("containers", "securityContext", "privileged"), (("privileged",),)),
    (("containers", "securityContext", "readOnlyRootFilesystem"), (("read_only",),)),
    (("containers", "securityContext"), (("user",), ("privileged",), ("cap_add",), ("cap_drop",), ("security_opt",))),
    (("containers", "stdin"), (("stdin_open",),)),
    (("containers", "tty"), (("tty",),)),
    (("containers", "name"), (("container_name",),)),
    (("spec", "securityContext"), (("sysctls",), ("user",), ("group_add",), ("security_opt",))),
    (("spec", "hostAliases"), (("extra_hosts",),)),
    (("spec", "dnsConfig"), (("dns",), ("dns_search",), ("dns_opt",))),
    (("spec", "dnsPolicy"), (("dns",), ("network_mode",))),
    (("spec", "hostname"), (("hostname",), ("container_name",))),
    (("spec", "subdomain"), (("domainname",),)),
    (("spec", "hostNetwork"), (("network_mode",),)),
    (("spec", "hostPID"), (("pid",),)),
    (("spec", "hostIPC"), (("ipc",),)),
    (("spec", "shareProcessNamespace"), (("pid",),)),
    (("spec", "terminationGracePeriodSeconds"), (("stop_grace_period",),)),
    (("spec", "restartPolicy"), (("restart",), ("deploy", "restart_policy"))),
    (("spec", "backoffLimit"), (("restart",), ("deploy", "restart_policy"))),
    (("spec", "nodeSelector"), (("deploy", "placement"), ("platform",))),
    (("spec", "affinity"), (("deploy", "placement"),)),
    (("spec", "topologySpreadConstraints"), (("deploy", "placement"),)),
    (("spec", "runtimeClassName"), (("runtime",),)),
    (("spec", "volumes"), (("volumes",), ("tmpfs",), ("configs",), ("secrets",), ("shm_size",))),
    (("spec", "volumeClaimTemplates"), (("volumes",),)),
    (("spec", "replicas"), (("scale",), ("deploy", "replicas"))),
    (("spec", "strategy"), (("deploy", "update_config"),)),
    (("spec", "updateStrategy"), (("deploy", "update_config"),)),
    (("spec", "minReadySeconds"), (("deploy", "update_config"),)),
    (("spec", "schedule"), (("labels",),)),
    (("spec", "ports"), (("ports",), ("expose",))),
    (("spec", "loadBalancerIP"), (("ports",),)),
    (("spec", "externalTrafficPolicy"), (("ports",),)),
    (("spec", "clusterIP"), (("networks",),)),
    (("spec", "clusterIPs"), (("networks",),)),
    (("spec", "externalName"), (("extra_hosts",), ("external_links",))),
    (("spec", "rules"), (("labels",), ("environment",), ("ports",))),
    (("spec", "tls"), (("labels",), ("environment",))),
    (("spec", "ingressClassName"), (("labels",), ("ports",))),
    (("spec", "metrics"), (("labels",), ("deploy", "labels"))),
    (("metadata", "labels"), (("labels",), ("deploy", "labels"))),
    (("metadata", "annotations"), (("annotations",), ("labels",))),
    (("metadata", "name"), (("container_name",),)),
)
"""Steps that a field's path holds one after the other (indices left out), and the keys of a service that it may come from, likely first.
The first row that fits counts, so finer rows stand above."""

ENTRY_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "ports": ("containerPort", "targetPort", "port"),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
}
"""Lists whose entries are found again in the Compose file, by one of these values."""


@description
class Origins:
    """The Compose project and the plan that objects were made of."""

    project: Project
    plan: Plan

    def span(self, manifest: Mapping[str, Any], path: Path_) -> Span | None:
        """The place of the Compose file that a field comes from; None if the object belongs to no service of the project."""
        service = self._service(manifest, path)
        if service is None:
            return None
        root: Path_ = ("services", service)
        for key in _keys(path):
            if at(self.project.data, (*root, *key)) not in (None, [], {}):
                return self.project.spans.span(*root, *key, *self._entry((*root, *key), manifest, path))
        return self.project.spans.span(*root)

    def _service(self, manifest: Mapping[str, Any], path: Path_) -> str | None:
        """By the container that the path leads into, else by the label of the object."""
        for length in range(len(path), 1, -1):
            if path[length - 2] in CONTAINER_LISTS:
                called = name_of(at(manifest, path[:length]))
                found = [s.key for s in self.plan.services.values() if s.container_name == called]
                if len(found) == 1:
                    return found[0]
        labels = mapping(mapping(manifest.get("metadata")).get("labels"))
        owners = (str(labels.get("app.kubernetes.io/name") or ""), name(manifest))
        for owner in owners:
            found = [s.key for s in self.plan.services.values() if s.object_name == owner]
            if found:
                return found[0]
        return None

    def _entry(self, key: Path_, manifest: Mapping[str, Any], path: Path_) -> Path_:
        """Which entry of a Compose list or mapping the field was made of; empty if that cannot be told."""
        for position, step in enumerate(path[:-1]):
            names = ENTRY_KEYS.get(str(step))
            if names is not None and isinstance(path[position + 1], int):
                entry = mapping(at(manifest, path[: position + 2]))
                values = {str(entry[name]) for name in names if name in entry}
                return _found_again(at(self.project.data, key), values)
        return ()


def name_of(container: Any) -> str:
    """The name of a container, empty if it has none."""
    return str(mapping(container).get("name") or "")


def _keys(path: Path_) -> Iterator[Path_]:
    steps = [str(step) if step not in CONTAINER_LISTS else "containers" for step in path if isinstance(step, str)]
    for wanted, keys in KEYS:
        if any(tuple(steps[start : start + len(wanted)]) == wanted for start in range(len(steps))):
            yield from keys
            return


def _found_again(value: Any, values: set[str]) -> Path_:
    """The entry of a canonical list or mapping that says one of `values`.

    >>> _found_again([{"target": 80}, {"target": 443}], {"443"})
    (1,)
    """
    if isinstance(value, Mapping):
        return next(((key,) for key in value if key in values), ())
    if isinstance(value, list):
        for index, entry in enumerate(value):
            said = {str(entry.get("target"))} if isinstance(entry, Mapping) else {str(entry)}
            if said & values:
                return (index,)
    return ()
