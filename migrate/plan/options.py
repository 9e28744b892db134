"""What a plan file may hold, as a table: every question that a user may answer, and the form of its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from migrate.description import description
from migrate.stack.data import EXTENSIBLE


@description
class Form:
    """What a value may be. `kind` is text, int, bool, map (fixed `keys`), any-map (any key, values of form `each`), list (`each`), or
    int-or-percent; `one_of` restricts text; `least` and `most` bound numbers."""

    kind: str
    meaning: str
    one_of: tuple[str, ...] = ()
    keys: Mapping[str, Form] | None = None
    each: Form | None = None
    least: int | None = None
    most: int | None = None
    pattern: str | None = None


def _text(meaning: str, *one_of: str, pattern: str | None = None) -> Form:
    return Form(kind="text", meaning=meaning, one_of=one_of, pattern=pattern)


def _int(meaning: str, least: int = 0, most: int | None = None) -> Form:
    return Form(kind="int", meaning=meaning, least=least, most=most)


def _bool(meaning: str) -> Form:
    return Form(kind="bool", meaning=meaning)


def _map(meaning: str, **keys: Form) -> Form:
    return Form(kind="map", meaning=meaning, keys=keys)


def _any(meaning: str, each: Form) -> Form:
    return Form(kind="any-map", meaning=meaning, each=each)


def _list(meaning: str, each: Form) -> Form:
    return Form(kind="list", meaning=meaning, each=each)


_LIMIT: Final = Form(kind="int-or-percent", meaning="pods, or percent of replicas")
_QUANTITY: Final = _text("a quantity", pattern=r"\d+(\.\d+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?")
_AMOUNTS: Final = _any("resource: quantity", _QUANTITY)
_EXPOSURES: Final = ("loadbalancer", "nodeport", "clusterip", "ingress")

_BOTH: Final[Mapping[str, Form]] = {
    "exposure": _text("how published ports are reached (2.9)", *_EXPOSURES),
    "liveness": _bool("a liveness probe from the health check (2.12)"),
    "defaultProbe": _text("tcp: readiness by a connect where nothing is said (H5); none: no probe", "tcp", "none"),
    "waits": _text("which dependencies are waited for (2.11)", "all", "healthy", "none"),
    "drain": _int("seconds of preStop sleep behind a Service (2.13)", 0, 3600),
    "secrets": _text("write Secrets, or refer to existing ones (2.7)", "write", "external"),
    "oneShot": _text("a completed one-shot with one waiter (2.2)", "init", "job"),
    "ingressClass": _text("the Ingress class"),
    "addresses": _text("what becomes of fixed addresses where a name is no answer (2.6)", "names", "pin", "multus"),
    "plain": _list("variables that are no secrets (E2)", _text("a variable")),
    "probes": _text("exec: health checks as they are; http: an httpGet where a check is one request by curl or wget", "exec", "http"),
    "stopSignal": _text("hook: a preStop hook sends it; field: lifecycle.stopSignal (2.16)", "hook", "field"),
    "hostPath": _list("paths of the host that stay paths of the node (V9)", _text("an absolute path")),
}
_PROJECT: Final[Mapping[str, Form]] = {
    **_BOTH,
    "service": _text("the kind of main Services (2.4)", "headless", "clusterip"),
    "networkPolicies": _text("emit NetworkPolicies (2.10)", "emit", "none"),
    "aliases": _text("alias Services for all legal names, or for those that are referred to (2.3)", "all", "referenced"),
    "dns": _text("keep outside resolvers (2.6)", "keep", "drop"),
    "pin": _text("which Services get a fixed cluster address: those that need one, or all (2.6)", "needed", "all"),
    "pinRange": _text(
        "pins in the cluster's own range, or the old subnets as ServiceCIDRs of their own (2.6, from 1.33)", "cluster", "own"
    ),
    "reserved": _list("cluster addresses that pins must leave free", _text("an address or a range")),
    "clusterDns": _text("address of the cluster's DNS; else the tenth of the range of Services"),
    "multus": _any(
        "network: what its attachment needs (2.6)",
        _map("facts", master=_text("interface of the node"), subnet=_text("range, where the Compose file says none")),
    ),
    "storage": _map(
        "claims (2.8)", size=_QUANTITY, **{"class": _text("storage class"), "rwxClass": _text("class of ReadWriteMany volumes")}
    ),
    "registry": _text("where built images are pushed (2.15)"),
    "tag": _text("tag of built images"),
    "imagePullSecrets": _list("names of Secrets", _text("a Secret")),
    "timezone": _text("TZ of containers that mounted the host's (V3)"),
    "clusterDomain": _text("the cluster's DNS domain"),
    "namespace": _text("the namespace"),
    "kubernetesVersion": _text("the target version", pattern=r"1\.\d+"),
    "externalLinks": _any("external link: where it leads (N7)", _text("an address or a DNS name")),
    "models": _any("model: its endpoint (2.15)", _map("a model", endpoint=_text("URL"), model=_text("name at the endpoint"))),
    "merge": _list("peer groups that become one StatefulSet each (2.2)", _list("services", _text("a service"))),
    "cluster": _map(
        "what the target cluster has (2.16)",
        version=_text("of Kubernetes", pattern=r"v?1\.\d+(\.\d+)?"),
        cgroup=_text("version of cgroups on the nodes", "v1", "v2"),
        runtime=_text("container runtime", "containerd", "cri-o", "docker", "dockershim", "cri-dockerd"),
        runtimeCgroupDriver=_text("of the runtime", "systemd", "cgroupfs"),
        kubeletCgroupDriver=_text("of the kubelet", "systemd", "cgroupfs"),
        forwardPolicy=_text("iptables policy of the chain FORWARD on the nodes", "ACCEPT", "DROP"),
        joinTokenTtl=_text("life of the kubeadm join token", pattern=r"0|\d+[hms]"),
        metricsPort=_int("port of the kubelet that metrics are taken from", 1, 65535),
        podSecurityPolicy=_bool("PodSecurityPolicy objects are in use"),
        networkPlugin=_text("network plugin"),
        networkPolicies=_bool("whether the network plugin enforces NetworkPolicies"),
        loadBalancer=_text("provider of LoadBalancers; none: there is none"),
        rwxClass=_text("class of ReadWriteMany volumes; none: there is none"),
        ingressClass=_text("Ingress class; none: there is none"),
        podCidr=_text("addresses of pods"),
        serviceCidr=_text("addresses of Services"),
    ),
    "externalPeers": _any("external network: namespaces of its other members (P7)", _list("namespaces", _text("a namespace"))),
}
_SERVICE: Final[Mapping[str, Form]] = {
    **_BOTH,
    "kind": _text("the kind of workload (2.2)", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "none"),
    "schedule": _text("of a CronJob"),
    "replicas": _int("pods", 0, 10_000),
    "group": _text("the service whose pod it joins (G3)"),
    "service": _text("the kind of its main Service (2.4)", "headless", "clusterip"),
    "image": _text("the image to run"),
    "replacedBy": _text("the DNS name of the Service that stands for it (W2)"),
    "shareProcessNamespace": _bool("containers of its pod see each other's processes"),
    "hostnameOverride": _bool("the pod's own host name stays as it was said, dots included (2.16)"),
    "update": _map(
        "how pods are replaced (2.13)",
        strategy=_text("strategy", "RollingUpdate", "Recreate"),
        maxSurge=_LIMIT,
        maxUnavailable=_LIMIT,
        minReadySeconds=_int("seconds"),
        progressDeadlineSeconds=_int("seconds", 1),
    ),
    "hpa": _map(
        "a HorizontalPodAutoscaler (2.13)",
        min=_int("replicas", 1),
        max=_int("replicas", 1, 10_000),
        cpu=_int("percent of the request", 1, 1000),
        memory=_int("percent of the request", 1, 1000),
    ),
    "resources": _map("requests and limits (2.14)", requests=_AMOUNTS, limits=_AMOUNTS),
    "storage": _map("its claims (2.8)", size=_QUANTITY, **{"class": _text("storage class")}),
    "ingress": _map(
        "its Ingress",
        host=_text("host"),
        path=_text("path"),
        port=_int("port of its Service", 1, 65535),
        tls=_text("name of the TLS Secret"),
    ),
}
_IMAGES: Final = _list("images are taken from elsewhere", _map("a rule", match=_text("a prefix"), replace=_text("what stands for it")))
_MORE: Final = _list("added to the list of this name of the conversion's data", _text("an item"))
_PATTERNS: Final = _list("patterns added to the list of this name", Form(kind="pattern", meaning="a regular expression"))
_OF_PATTERNS: Final = frozenset({"not_secret_keys", "namespaced_sysctls", "host_position", "address_context"})
_LISTS: Final[Mapping[str, Form]] = {
    name: _map("lists of the conversion's data", **dict.fromkeys(parts, _PATTERNS if name in _OF_PATTERNS else _MORE))
    if parts is not None
    else _PATTERNS
    if name in _OF_PATTERNS
    else _MORE
    for name, parts in EXTENSIBLE.items()
}
FORM: Final = _map(
    "a plan",
    **_LISTS,
    version=_int("always 1", 1, 1),
    project=Form(kind="map", meaning="answers for every service and for the project", keys=_PROJECT),
    services=_any("answers by service key", Form(kind="map", meaning="answers for one service", keys=_SERVICE)),
    addresses=_any("what becomes of an address", _text("an outcome", "names", "pin", "multus", "keep")),
    images=_IMAGES,
    tools=_map("images of generated init containers", image=_text("a shell with getent"), kubectl=_text("kubectl")),
    environments=_any(
        "environment: what it answers otherwise; each gets an overlay of the Kustomize tree",
        Form(
            kind="map",
            meaning="answers of one environment, over those of the plan",
            keys={
                "project": Form(kind="map", meaning="answers for every service and for the project", keys=_PROJECT),
                "services": _any("answers by service key", Form(kind="map", meaning="answers for one service", keys=_SERVICE)),
                "images": _IMAGES,
            },
        ),
    ),
)
"""Everything that a plan file may hold."""
