"""APIs that clusters no longer serve (MIG932) or soon will not (MIG944), and what replaces them.

Source: the deprecated API migration guide of the Kubernetes documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from migrate.verify import schema
from migrate.verify.objects import at, mapping

REMOVED: Final[Mapping[tuple[str, str], tuple[int, str]]] = {
    **{("extensions/v1beta1", kind): (16, "apps/v1") for kind in ("Deployment", "DaemonSet", "ReplicaSet")},
    **{("apps/v1beta1", kind): (16, "apps/v1") for kind in ("Deployment", "StatefulSet")},
    **{("apps/v1beta2", kind): (16, "apps/v1") for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")},
    ("extensions/v1beta1", "NetworkPolicy"): (16, "networking.k8s.io/v1"),
    ("extensions/v1beta1", "PodSecurityPolicy"): (16, "Pod Security admission"),
    ("extensions/v1beta1", "Ingress"): (22, "networking.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", "Ingress"): (22, "networking.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", "IngressClass"): (22, "networking.k8s.io/v1"),
    ("apiextensions.k8s.io/v1beta1", "CustomResourceDefinition"): (22, "apiextensions.k8s.io/v1"),
    **{
        ("rbac.authorization.k8s.io/v1beta1", kind): (22, "rbac.authorization.k8s.io/v1")
        for kind in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
    },
    ("scheduling.k8s.io/v1beta1", "PriorityClass"): (22, "scheduling.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "StorageClass"): (22, "storage.k8s.io/v1"),
    ("batch/v1beta1", "CronJob"): (25, "batch/v1"),
    ("discovery.k8s.io/v1beta1", "EndpointSlice"): (25, "discovery.k8s.io/v1"),
    ("policy/v1beta1", "PodDisruptionBudget"): (25, "policy/v1"),
    ("policy/v1beta1", "PodSecurityPolicy"): (25, "Pod Security admission"),
    ("autoscaling/v2beta1", "HorizontalPodAutoscaler"): (25, "autoscaling/v2"),
    ("autoscaling/v2beta2", "HorizontalPodAutoscaler"): (26, "autoscaling/v2"),
    **{
        (f"flowcontrol.apiserver.k8s.io/{version}", kind): (minor, "flowcontrol.apiserver.k8s.io/v1")
        for version, minor in (("v1beta1", 26), ("v1beta2", 29), ("v1beta3", 32))
        for kind in ("FlowSchema", "PriorityLevelConfiguration")
    },
}
"""(apiVersion, kind) -> the minor version of Kubernetes 1 that no longer serves it, and what to write instead."""

_BUILT_IN: Final = frozenset(
    {
        *("", "apps", "batch", "autoscaling", "policy", "extensions", "networking.k8s.io", "rbac.authorization.k8s.io", "storage.k8s.io"),
        *("scheduling.k8s.io", "discovery.k8s.io", "coordination.k8s.io", "node.k8s.io", "apiextensions.k8s.io", "certificates.k8s.io"),
    }
)


def complaint(api_version: str, kind: str, version: str) -> tuple[str, str] | None:
    """The code and message for an API that the version does not serve, or that a later one removes; None if all is well.

    Groups that are not Kubernetes' own are taken as they are: their kinds are defined in the cluster.

    >>> complaint("extensions/v1beta1", "Ingress", "1.35")
    ('MIG932', 'extensions/v1beta1 Ingress is not served since 1.22; write networking.k8s.io/v1')
    """
    minor = int(version.partition(".")[2])
    if (removed := REMOVED.get((api_version, kind))) is not None:
        since, instead = removed
        if minor >= since:
            return "MIG932", f"{api_version} {kind} is not served since 1.{since}; write {instead}"
        return "MIG944", f"{api_version} {kind} is removed in 1.{since}; write {instead}"
    if api_version.rpartition("/")[0] in _BUILT_IN and not schema.served(api_version, kind, version):
        return "MIG932", f"Kubernetes {version} has no {kind} in {api_version}"
    return None


def scaled(manifest: Mapping[str, Any], minor: int) -> tuple[str, str] | None:
    """The removed API and kind that an autoscaler points to, and the API that replaces it; None if its target is served.

    An autoscaler looks for its target by that version and finds nothing.
    """
    target = mapping(at(manifest, ("spec", "scaleTargetRef"))) if manifest.get("kind") == "HorizontalPodAutoscaler" else {}
    old = str(target.get("apiVersion")), str(target.get("kind"))
    removed = REMOVED.get(old)
    return (" ".join(old), removed[1]) if removed is not None and minor >= removed[0] else None


def is_old(manifest: Mapping[str, Any], minor: int) -> bool:
    """Whether an object, or what it scales, is of an API that version 1.`minor` no longer serves."""
    removed = REMOVED.get((str(manifest.get("apiVersion")), str(manifest.get("kind"))))
    return (removed is not None and minor >= removed[0]) or scaled(manifest, minor) is not None
