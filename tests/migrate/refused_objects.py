"""Objects with one value changed, and whether an API server takes them: the truth that `verify` is held to.

The answers are those of a real API server (1.36); `tests/live/test_verify_live.py` asks it again.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Final

CONTAINER: Final[Mapping[str, Any]] = {
    "name": "web",
    "image": "web:1",
    "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
    "env": [{"name": "A", "value": "1"}],
    "volumeMounts": [{"name": "files", "mountPath": "/files"}],
}
POD: Final[Mapping[str, Any]] = {
    "containers": [CONTAINER],
    "initContainers": [{"name": "first", "image": "first:1"}],
    "volumes": [{"name": "files", "emptyDir": {}}],
}
LABELS: Final = {"app": "web"}


def _object(api_version: str, kind: str, spec: Any, **more: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "web"}, **({"spec": spec} if spec is not None else {}), **more}


_TEMPLATE: Final = {"metadata": {"labels": LABELS}, "spec": POD}
_JOB: Final = {"template": {"spec": {**POD, "restartPolicy": "Never"}}}
OBJECTS: Final[Mapping[str, dict[str, Any]]] = {
    "Deployment": _object("apps/v1", "Deployment", {"selector": {"matchLabels": LABELS}, "template": _TEMPLATE}),
    "StatefulSet": _object(
        "apps/v1",
        "StatefulSet",
        {
            "selector": {"matchLabels": LABELS},
            "serviceName": "web",
            "template": _TEMPLATE,
            "volumeClaimTemplates": [
                {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
            ],
        },
    ),
    "DaemonSet": _object("apps/v1", "DaemonSet", {"selector": {"matchLabels": LABELS}, "template": _TEMPLATE}),
    "Job": _object("batch/v1", "Job", _JOB),
    "CronJob": _object("batch/v1", "CronJob", {"schedule": "0 3 * * *", "jobTemplate": {"spec": _JOB}}),
    "Service": _object(
        "v1", "Service", {"selector": LABELS, "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]}
    ),
    "PersistentVolumeClaim": _object(
        "v1", "PersistentVolumeClaim", {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    ),
    "ConfigMap": _object("v1", "ConfigMap", None, data={"a": "1"}),
    "Secret": _object("v1", "Secret", None, type="Opaque", stringData={"a": "1"}),
    "Ingress": _object(
        "networking.k8s.io/v1",
        "Ingress",
        {
            "rules": [
                {
                    "host": "web.example.com",
                    "http": {
                        "paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}]
                    },
                }
            ]
        },
    ),
    "NetworkPolicy": _object(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        {
            "podSelector": {"matchLabels": LABELS},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 80, "protocol": "TCP"}]}],
        },
    ),
    "HorizontalPodAutoscaler": _object(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 1,
            "maxReplicas": 3,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}],
        },
    ),
    "PodDisruptionBudget": _object("policy/v1", "PodDisruptionBudget", {"maxUnavailable": 1, "selector": {"matchLabels": LABELS}}),
    "Role": _object("rbac.authorization.k8s.io/v1", "Role", None, rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]),
}
P, C = "spec.template.spec", "spec.template.spec.containers.0"
GONE: Final = object()

CHANGES: Final[Sequence[tuple[str, str, Any, bool]]] = [
    # kind, place, value, whether the server takes it
    ("Deployment", "metadata.name", "Web", False),
    ("Deployment", "metadata.name", "web.v1", True),
    ("Deployment", "metadata.name", "w" * 254, False),
    ("Deployment", "metadata.labels", {"a b": "1"}, False),
    ("Deployment", "metadata.labels", {"a": "x" * 64}, False),
    ("Deployment", "metadata.labels", {"": "x"}, False),
    ("Deployment", "metadata.labels", {"example.com/a": "x_y.z"}, True),
    ("Deployment", "metadata.annotations", {"Example.com/a": "x"}, True),
    ("Deployment", "metadata.annotations", {"a/b/c": "x"}, False),
    ("Deployment", "metadata.annotations", {"a": "x" * 262145}, False),
    ("Deployment", "spec.selector.matchLabels", {"app": "other"}, False),
    ("Deployment", "spec.selector", {}, False),
    ("Deployment", "spec.replicas", -1, False),
    ("Deployment", "spec.minReadySeconds", -1, False),
    ("Deployment", "spec.minReadySeconds", 600, False),
    ("Deployment", "spec.progressDeadlineSeconds", 1, True),
    ("Deployment", "spec.revisionHistoryLimit", -1, False),
    ("Deployment", "spec.strategy", {"type": "Recreate"}, True),
    ("Deployment", "spec.strategy", {"type": "Rolling"}, False),
    ("Deployment", "spec.strategy", {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}, False),
    ("Deployment", "spec.strategy", {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}, False),
    ("Deployment", "spec.strategy", {"rollingUpdate": {"maxSurge": "200%", "maxUnavailable": 0}}, True),
    ("Deployment", "spec.strategy", {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "101%"}}, False),
    ("Deployment", "spec.strategy", {"rollingUpdate": {"maxSurge": "a%", "maxUnavailable": 1}}, False),
    ("Deployment", "spec.strategy", {"rollingUpdate": {"maxSurge": -1, "maxUnavailable": 1}}, False),
    ("Deployment", f"{P}.restartPolicy", "Never", False),
    ("Deployment", f"{P}.restartPolicy", "Sometimes", False),
    ("Deployment", f"{P}.activeDeadlineSeconds", 5, False),
    ("Deployment", f"{P}.terminationGracePeriodSeconds", -1, True),
    ("Deployment", f"{P}.terminationGracePeriodSeconds", 0, True),
    ("Deployment", f"{P}.hostname", "a.b", False),
    ("Deployment", f"{P}.hostname", "h" * 64, False),
    ("Deployment", f"{P}.subdomain", "A", False),
    ("Deployment", f"{P}.serviceAccountName", "A_b", False),
    ("Deployment", f"{P}.shareProcessNamespace", True, True),
    ("Deployment", f"{P}.nodeSelector", {"a": "b c"}, False),
    ("Deployment", f"{P}.containers", [], False),
    ("Deployment", f"{P}.containers.1", {"name": "web", "image": "b"}, False),
    ("Deployment", f"{P}.containers.1", {"name": "first", "image": "b"}, False),
    ("Deployment", f"{P}.initContainers.0.readinessProbe", {"tcpSocket": {"port": 80}}, False),
    ("Deployment", f"{P}.initContainers.0.lifecycle", {"preStop": {"exec": {"command": ["a"]}}}, False),
    ("Deployment", f"{P}.initContainers.0.restartPolicy", "Always", True),
    ("Deployment", f"{P}.initContainers.0.restartPolicy", "Often", False),
    ("Deployment", f"{P}.imagePullSecrets", [{"name": "A_b"}], True),
    ("Deployment", f"{P}.hostAliases", [{"ip": "10.0.0.1", "hostnames": ["a.b"]}], True),
    ("Deployment", f"{P}.hostAliases", [{"ip": "10.0.0.x", "hostnames": ["a"]}], False),
    ("Deployment", f"{P}.hostAliases", [{"ip": "10.0.0.1", "hostnames": ["a_b"]}], False),
    ("Deployment", f"{P}.dnsPolicy", "None", False),
    ("Deployment", f"{P}.dnsPolicy", "Custom", False),
    ("Deployment", f"{P}.dnsConfig", {"nameservers": ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]}, False),
    ("Deployment", f"{P}.dnsConfig", {"nameservers": ["dns.example.com"]}, False),
    ("Deployment", f"{P}.dnsConfig", {"searches": ["a..b"]}, False),
    ("Deployment", f"{P}.dnsConfig", {"searches": ["s"] * 33}, False),
    ("Deployment", f"{P}.dnsConfig", {"options": [{"value": "5"}]}, False),
    ("Deployment", f"{P}.tolerations", [{"key": "a", "operator": "Exists", "value": "b"}], False),
    ("Deployment", f"{P}.tolerations", [{"key": "a", "operator": "Is"}], False),
    ("Deployment", f"{P}.tolerations", [{"operator": "Exists"}], True),
    ("Deployment", f"{P}.tolerations", [{"operator": "Equal", "value": "b"}], False),
    ("Deployment", f"{P}.topologySpreadConstraints", [{"maxSkew": 0, "topologyKey": "a", "whenUnsatisfiable": "DoNotSchedule"}], False),
    ("Deployment", f"{P}.topologySpreadConstraints", [{"maxSkew": 1, "topologyKey": "a", "whenUnsatisfiable": "Never"}], False),
    ("Deployment", f"{P}.topologySpreadConstraints", [{"maxSkew": 1, "topologyKey": "", "whenUnsatisfiable": "DoNotSchedule"}], False),
    (
        "Deployment",
        f"{P}.affinity",
        {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": {"matchLabels": LABELS}, "topologyKey": ""}]}
        },
        False,
    ),
    (
        "Deployment",
        f"{P}.affinity",
        {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "In", "values": []}]}]
                }
            }
        },
        False,
    ),
    (
        "Deployment",
        f"{P}.affinity",
        {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
        False,
    ),
    ("Deployment", f"{P}.securityContext", {"sysctls": [{"name": "net.core.somaxconn", "value": "1"}]}, True),
    ("Deployment", f"{P}.securityContext", {"sysctls": [{"name": "Net Core", "value": "1"}]}, False),
    ("Deployment", f"{P}.securityContext", {"sysctls": [{"name": "a.b", "value": "1"}, {"name": "a.b", "value": "2"}]}, False),
    ("Deployment", f"{P}.securityContext", {"fsGroup": -1}, False),
    ("Deployment", f"{P}.securityContext", {"runAsUser": 2147483648}, False),
    ("Deployment", f"{P}.securityContext", {"fsGroupChangePolicy": "Sometimes"}, False),
    ("Deployment", f"{P}.securityContext", {"seccompProfile": {"type": "Localhost"}}, False),
    ("Deployment", f"{P}.securityContext", {"seccompProfile": {"type": "RuntimeDefault", "localhostProfile": "a"}}, False),
    ("Deployment", f"{P}.securityContext", {"supplementalGroups": [-1]}, False),
    ("Deployment", f"{P}.hostNetwork", True, True),
    ("Deployment", f"{C}.name", "My_Web", False),
    ("Deployment", f"{C}.name", "w" * 64, False),
    ("Deployment", f"{C}.image", "", False),
    ("Deployment", f"{C}.image", " web", True),
    ("Deployment", f"{C}.image", "web:", True),
    ("Deployment", f"{C}.imagePullPolicy", "Sometimes", False),
    ("Deployment", f"{C}.ports.0.name", "much-too-long-name", False),
    ("Deployment", f"{C}.ports.0.name", "123", False),
    ("Deployment", f"{C}.ports.0.name", "Http", False),
    ("Deployment", f"{C}.ports.0.containerPort", 0, False),
    ("Deployment", f"{C}.ports.0.containerPort", 70000, False),
    ("Deployment", f"{C}.ports.0.hostPort", 8080, True),
    ("Deployment", f"{C}.ports.0.hostIP", "localhost", True),
    ("Deployment", f"{C}.ports.0.protocol", "HTTP", False),
    ("Deployment", f"{C}.ports.1", {"name": "http", "containerPort": 81}, False),
    ("Deployment", f"{C}.ports.1", {"name": "more", "containerPort": 8080}, True),
    ("Deployment", f"{C}.env.0.name", "", False),
    ("Deployment", f"{C}.env.0.name", "1 A", True),
    ("Deployment", f"{C}.env.0.name", "A=B", False),
    ("Deployment", f"{C}.env.0", {"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}, False),
    ("Deployment", f"{C}.env.0", {"name": "A", "valueFrom": {}}, False),
    ("Deployment", f"{C}.env.0", {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.nothing"}}}, False),
    ("Deployment", f"{C}.env.0", {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "a b"}}}, False),
    ("Deployment", f"{C}.env.0", {"name": "A", "valueFrom": {"secretKeyRef": {"name": "", "key": "a"}}}, False),
    ("Deployment", f"{C}.env.1", {"name": "A", "value": "2"}, True),
    ("Deployment", f"{C}.envFrom", [{"configMapRef": {"name": "a"}, "secretRef": {"name": "b"}}], False),
    ("Deployment", f"{C}.envFrom", [{}], False),
    ("Deployment", f"{C}.resources", {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}, False),
    ("Deployment", f"{C}.resources", {"limits": {"cpu": "-1"}}, False),
    ("Deployment", f"{C}.resources", {"limits": {"cpu": "1,5"}}, False),
    ("Deployment", f"{C}.resources", {"limits": {"disk": "1"}}, False),
    ("Deployment", f"{C}.resources", {"limits": {"nvidia.com/gpu": "1.5"}}, False),
    ("Deployment", f"{C}.resources", {"requests": {"nvidia.com/gpu": "1"}}, False),
    ("Deployment", f"{C}.resources", {"limits": {"nvidia.com/gpu": "1"}}, True),
    ("Deployment", f"{C}.resources", {"limits": {"memory": "1.5"}}, True),
    ("Deployment", f"{C}.resources", {"limits": {"memory": "128m"}}, True),
    ("Deployment", f"{C}.resources", {"limits": {"ephemeral-storage": "1Gi"}}, True),
    ("Deployment", f"{C}.volumeMounts.0.mountPath", "", False),
    ("Deployment", f"{C}.volumeMounts.0.mountPath", "/a:b", True),
    ("Deployment", f"{C}.volumeMounts.0.mountPath", "relative", True),
    ("Deployment", f"{C}.volumeMounts.0.name", "nothing", False),
    ("Deployment", f"{C}.volumeMounts.0.subPath", "/a", False),
    ("Deployment", f"{C}.volumeMounts.0.subPath", "a/../b", False),
    ("Deployment", f"{C}.volumeMounts.0.subPath", "a/b", True),
    ("Deployment", f"{C}.volumeMounts.0.mountPropagation", "Bidirectional", False),
    ("Deployment", f"{C}.volumeMounts.0.mountPropagation", "HostToContainer", True),
    ("Deployment", f"{C}.volumeMounts.1", {"name": "files", "mountPath": "/files"}, False),
    ("Deployment", f"{C}.readinessProbe", {}, False),
    ("Deployment", f"{C}.readinessProbe", {"exec": {"command": []}}, False),
    ("Deployment", f"{C}.readinessProbe", {"exec": {"command": ["a"]}, "tcpSocket": {"port": 1}}, False),
    ("Deployment", f"{C}.readinessProbe", {"tcpSocket": {"port": 0}}, False),
    ("Deployment", f"{C}.readinessProbe", {"tcpSocket": {"port": "no such name!"}}, False),
    ("Deployment", f"{C}.readinessProbe", {"httpGet": {"port": 80}}, True),
    ("Deployment", f"{C}.readinessProbe", {"httpGet": {"port": 80, "path": "/", "scheme": "FTP"}}, False),
    ("Deployment", f"{C}.readinessProbe", {"tcpSocket": {"port": 80}, "periodSeconds": 0}, True),
    ("Deployment", f"{C}.readinessProbe", {"tcpSocket": {"port": 80}, "periodSeconds": -1}, False),
    ("Deployment", f"{C}.readinessProbe", {"tcpSocket": {"port": 80}, "initialDelaySeconds": -1}, False),
    ("Deployment", f"{C}.readinessProbe", {"tcpSocket": {"port": 80}, "successThreshold": 2}, True),
    ("Deployment", f"{C}.readinessProbe", {"tcpSocket": {"port": 80}, "terminationGracePeriodSeconds": 5}, False),
    ("Deployment", f"{C}.livenessProbe", {"tcpSocket": {"port": 80}, "successThreshold": 2}, False),
    ("Deployment", f"{C}.livenessProbe", {"tcpSocket": {"port": 80}, "terminationGracePeriodSeconds": 0}, False),
    ("Deployment", f"{C}.startupProbe", {"grpc": {"port": 0}}, False),
    ("Deployment", f"{C}.lifecycle", {"preStop": {}}, False),
    ("Deployment", f"{C}.lifecycle", {"preStop": {"exec": {"command": []}}}, False),
    ("Deployment", f"{C}.lifecycle", {"preStop": {"sleep": {"seconds": 5}}}, True),
    ("Deployment", f"{C}.lifecycle", {"preStop": {"sleep": {"seconds": 31}}}, False),
    ("Deployment", f"{C}.lifecycle", {"preStop": {"sleep": {"seconds": 30}}}, True),
    ("Deployment", f"{C}.lifecycle", {"preStop": {"sleep": {"seconds": -1}}}, False),
    ("Deployment", f"{C}.securityContext", {"privileged": True, "allowPrivilegeEscalation": False}, False),
    ("Deployment", f"{C}.securityContext", {"capabilities": {"add": ["SYS_ADMIN"]}, "allowPrivilegeEscalation": False}, True),
    ("Deployment", f"{C}.securityContext", {"capabilities": {"add": ["CAP_SYS_ADMIN"]}, "allowPrivilegeEscalation": False}, False),
    ("Deployment", f"{C}.securityContext", {"runAsUser": -1}, False),
    ("Deployment", f"{C}.securityContext", {"procMount": "Open"}, False),
    ("Deployment", f"{P}.volumes.0", {"name": "files"}, True),
    ("Deployment", f"{P}.volumes.0", {"name": "files", "emptyDir": {}, "hostPath": {"path": "/"}}, False),
    ("Deployment", f"{P}.volumes.0", {"name": "files", "hostPath": {"path": ""}}, False),
    ("Deployment", f"{P}.volumes.0", {"name": "files", "hostPath": {"path": "/a/../b"}}, False),
    ("Deployment", f"{P}.volumes.0", {"name": "files", "hostPath": {"path": "/a", "type": "Folder"}}, False),
    ("Deployment", f"{P}.volumes.0", {"name": "files", "emptyDir": {"sizeLimit": "-1"}}, False),
    ("Deployment", f"{P}.volumes.0", {"name": "files", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}, True),
    ("Deployment", f"{P}.volumes.0", {"name": "files", "configMap": {"name": "a", "items": [{"key": "k", "path": "/a"}]}}, False),
    ("Deployment", f"{P}.volumes.0", {"name": "files", "configMap": {"name": "a", "items": [{"key": "k", "path": "a/../b"}]}}, False),
    ("Deployment", f"{P}.volumes.0", {"name": "files", "configMap": {"name": "a", "items": [{"key": "", "path": "a"}]}}, False),
    ("Deployment", f"{P}.volumes.0", {"name": "files", "configMap": {"name": "a", "defaultMode": 512}}, False),
    ("Deployment", f"{P}.volumes.0", {"name": "files", "configMap": {"items": [{"key": "k", "path": "a", "mode": 1000}]}}, False),
    ("Deployment", f"{P}.volumes.0", {"name": "files", "secret": {"secretName": ""}}, False),
    ("Deployment", f"{P}.volumes.0", {"name": "files", "persistentVolumeClaim": {"claimName": ""}}, False),
    ("Deployment", f"{P}.volumes.0", {"name": "files", "nfs": {"server": "s", "path": "relative"}}, False),
    (
        "Deployment",
        f"{P}.volumes.0",
        {"name": "files", "projected": {"sources": [{"secret": {"name": "a", "items": [{"key": "k", "path": "p"}]}},
                                                     {"configMap": {"name": "b", "items": [{"key": "k", "path": "p"}]}}]}},
        False,
    ),
    ("Deployment", f"{P}.volumes.1", {"name": "files", "emptyDir": {}}, False),
    ("Deployment", f"{P}.volumes.1", {"name": "More_Files", "emptyDir": {}}, False),
    ("StatefulSet", "metadata.name", "web.v1", False),
    ("StatefulSet", "metadata.name", "w" * 63, True),
    ("StatefulSet", "spec.serviceName", "A_b", False),
    ("StatefulSet", "spec.podManagementPolicy", "All", False),
    ("StatefulSet", "spec.updateStrategy", {"type": "Recreate"}, False),
    ("StatefulSet", "spec.volumeClaimTemplates.0.spec.resources.requests.storage", "0", False),
    ("StatefulSet", "spec.volumeClaimTemplates.0.spec.accessModes", [], False),
    ("StatefulSet", "spec.volumeClaimTemplates.0.metadata.name", "A_b", False),
    ("DaemonSet", f"{P}.restartPolicy", "OnFailure", False),
    ("DaemonSet", "spec.updateStrategy", {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 0}}, False),
    ("DaemonSet", "spec.replicas", 1, False),
    ("Job", "metadata.name", "w" * 64, False),
    ("Job", "metadata.name", "a.b", True),
    ("Job", f"{P}.restartPolicy", "Always", False),
    ("Job", f"{P}.restartPolicy", GONE, False),
    ("Job", "spec.backoffLimit", -1, False),
    ("Job", "spec.parallelism", -1, False),
    ("Job", "spec.completions", 0, True),
    ("Job", "spec.selector", {"matchLabels": LABELS}, False),
    ("Job", "spec.suspend", True, True),
    ("CronJob", "metadata.name", "w" * 53, False),
    ("CronJob", "metadata.name", "w" * 52, True),
    ("CronJob", "spec.schedule", "0 3 * *", False),
    ("CronJob", "spec.schedule", "60 3 * * *", False),
    ("CronJob", "spec.schedule", "@daily", True),
    ("CronJob", "spec.schedule", "*/5 0-6,20 1 JAN mon-fri", True),
    ("CronJob", "spec.schedule", "0 3 * * 8", False),
    ("CronJob", "spec.schedule", "@often", False),
    ("CronJob", "spec.schedule", "", False),
    ("CronJob", "spec.concurrencyPolicy", "Maybe", False),
    ("CronJob", "spec.jobTemplate.spec.template.spec.restartPolicy", "Always", False),
    ("Service", "metadata.name", "0ne", True),
    ("Service", "metadata.name", "a.b", False),
    ("Service", "spec.ports", [], False),
    ("Service", "spec.clusterIP", "None", True),
    ("Service", "spec.clusterIP", "not-an-address", False),
    ("Service", "spec.type", "Internal", False),
    ("Service", "spec.type", "NodePort", True),
    ("Service", "spec.type", "ExternalName", False),
    ("Service", "spec.ports.0.port", 0, False),
    ("Service", "spec.ports.0.targetPort", 70000, False),
    ("Service", "spec.ports.0.targetPort", "a_b", False),
    ("Service", "spec.ports.0.targetPort", "http", True),
    ("Service", "spec.ports.0.protocol", "tcp", False),
    ("Service", "spec.ports.0.protocol", "SCTP", True),
    ("Service", "spec.ports.0.nodePort", 30001, False),
    ("Service", "spec.ports.0.name", "My_Port", False),
    ("Service", "spec.ports.1", {"port": 81}, False),
    ("Service", "spec.ports.1", {"name": "http", "port": 81}, False),
    ("Service", "spec.ports.1", {"name": "more", "port": 80}, False),
    ("Service", "spec.ports.1", {"name": "more", "port": 80, "protocol": "UDP"}, True),
    ("Service", "spec.sessionAffinity", "Cookie", False),
    ("Service", "spec.externalTrafficPolicy", "Local", False),
    ("Service", "spec.loadBalancerIP", "10.0.0.1", True),
    ("Service", "spec.selector", {"a": "b c"}, False),
    ("Service", "spec.ipFamilyPolicy", "Both", False),
    ("Service", "spec.externalIPs", ["x"], False),
    ("PersistentVolumeClaim", "spec.accessModes", [], False),
    ("PersistentVolumeClaim", "spec.accessModes", ["ReadWrite"], False),
    ("PersistentVolumeClaim", "spec.resources.requests.storage", "-1Gi", False),
    ("PersistentVolumeClaim", "spec.resources", {}, False),
    ("PersistentVolumeClaim", "spec.storageClassName", "Fast_Class", False),
    ("PersistentVolumeClaim", "spec.storageClassName", "", True),
    ("PersistentVolumeClaim", "spec.volumeMode", "Disk", False),
    ("ConfigMap", "data", {"a b": "1"}, False),
    ("ConfigMap", "data", {"..": "1"}, False),
    ("ConfigMap", "data", {"a": "x" * (1 << 20)}, True),
    ("ConfigMap", "data", {"a": "x" * ((1 << 20) + 1)}, False),
    ("ConfigMap", "binaryData", {"b": "not base64!"}, False),
    ("ConfigMap", "binaryData", {"a": "AA=="}, False),
    ("Secret", "data", {"b": "not base64!"}, False),
    ("Secret", "stringData", {"a b": "1"}, False),
    ("Secret", "type", "kubernetes.io/tls", False),
    ("Ingress", "spec.rules.0.host", "10.0.0.1", False),
    ("Ingress", "spec.rules.0.host", "Web.example.com", False),
    ("Ingress", "spec.rules.0.host", "*.example.com", True),
    ("Ingress", "spec.rules.0.http.paths.0.path", "relative", False),
    ("Ingress", "spec.rules.0.http.paths.0.pathType", "Glob", False),
    ("Ingress", "spec.rules.0.http.paths.0.pathType", GONE, False),
    ("Ingress", "spec.rules.0.http.paths.0.backend", {}, False),
    ("Ingress", "spec.rules.0.http.paths.0.backend.service.port", {}, False),
    ("Ingress", "spec.rules.0.http.paths", [], False),
    ("Ingress", "spec.rules", [], False),
    ("Ingress", "spec.tls", [{"hosts": ["a b"]}], False),
    ("Ingress", "spec.ingressClassName", "A_b", False),
    ("NetworkPolicy", "spec.podSelector", {}, True),
    ("NetworkPolicy", "spec.policyTypes", ["In"], False),
    ("NetworkPolicy", "spec.ingress.0.ports.0.port", 0, False),
    ("NetworkPolicy", "spec.ingress.0.ports.0.protocol", "tcp", False),
    ("NetworkPolicy", "spec.ingress.0.from.0.ipBlock.cidr", "10.0.0.0", False),
    ("NetworkPolicy", "spec.ingress.0.from.0", {}, False),
    ("NetworkPolicy", "spec.ingress.0.from.0.podSelector", {}, False),
    ("NetworkPolicy", "spec.podSelector", {"matchExpressions": [{"key": "a", "operator": "Is"}]}, False),
    ("NetworkPolicy", "spec.podSelector", {"matchExpressions": [{"key": "a", "operator": "In", "values": []}]}, False),
    ("HorizontalPodAutoscaler", "spec.minReplicas", 0, False),
    ("HorizontalPodAutoscaler", "spec.maxReplicas", 0, False),
    ("HorizontalPodAutoscaler", "spec.minReplicas", 4, False),
    ("HorizontalPodAutoscaler", "spec.metrics.0.resource.target.averageUtilization", 0, False),
    ("HorizontalPodAutoscaler", "spec.metrics.0.type", "Cpu", False),
    ("HorizontalPodAutoscaler", "spec.scaleTargetRef.name", "", False),
    ("PodDisruptionBudget", "spec.minAvailable", 1, False),
    ("PodDisruptionBudget", "spec.maxUnavailable", -1, False),
    ("PodDisruptionBudget", "spec.maxUnavailable", "101%", False),
    ("PodDisruptionBudget", "spec.unhealthyPodEvictionPolicy", "Never", False),
    ("Role", "rules.0.verbs", [], False),
    ("Role", "rules.0", {"verbs": ["get"]}, False),
]  # fmt: skip


def changed(kind: str, place: str, value: Any) -> dict[str, Any]:
    """The sound object of a kind with one value put at a dotted place; GONE takes it away."""
    manifest = copy.deepcopy(OBJECTS[kind])
    *steps, last = place.split(".")
    if kind == "CronJob" and place.startswith("spec.template"):
        steps = ["spec", "jobTemplate", *steps]
    at: Any = manifest
    for step in steps:
        at = at[int(step)] if isinstance(at, list) else at.setdefault(step, {})
    if value is GONE:
        del at[last]
    elif isinstance(at, list):
        at[int(last) : int(last) + 1] = [value]
    else:
        at[last] = value
    return manifest


def called(kind: str, place: str, value: Any) -> str:
    """A short identifier of a change."""
    return f"{kind} {place.removeprefix('spec.template.spec.')} = {'GONE' if value is GONE else str(value)[:40]}"
