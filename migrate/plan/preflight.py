"""What was decided against what the plan says of the target cluster (conversion.md 2.16): MIG940 to MIG953."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from migrate.findings import Action, Finding, Span
from migrate.plan.decision import Answers, Decided
from migrate.plan.types import Claim, Ingress, Policy, ServiceObject
from migrate.rules import found

_NO_POLICIES: Final = frozenset({"flannel", "kindnet", "bridge", "kubenet"})
"""Network plugins that do not enforce NetworkPolicies by themselves (kindnet does since kind 0.24; older clusters are meant)."""

_Fact = Callable[[Mapping[str, Any]], str | None]

_NODES: Final[tuple[tuple[str, str, _Fact], ...]] = (
    ("MIG940", "forwardPolicy", lambda c: "the nodes drop forwarded packets" if c.get("forwardPolicy") == "DROP" else None),
    ("MIG941", "kubeletCgroupDriver", lambda c: _drivers(c.get("kubeletCgroupDriver"), c.get("runtimeCgroupDriver"))),
    ("MIG942", "joinTokenTtl", lambda c: _token(c.get("joinTokenTtl"))),
    ("MIG943", "metricsPort", lambda c: "metrics are taken from port 10255, which asks nobody" if c.get("metricsPort") == 10255 else None),
    ("MIG945", "cgroup", lambda c: "the nodes have cgroup v1" if c.get("cgroup") == "v1" else None),
    ("MIG946", "runtime", lambda c: _runtime(c.get("runtime"))),
    ("MIG948", "podSecurityPolicy", lambda c: "PodSecurityPolicy is gone since 1.25" if c.get("podSecurityPolicy") is True else None),
)
"""Code, the key of the plan's `cluster`, and what is wrong with what is said of the nodes (None: nothing)."""


def _drivers(kubelet: Any, runtime: Any) -> str | None:
    return f"the kubelet manages cgroups by {kubelet}, the runtime by {runtime}" if kubelet and runtime and kubelet != runtime else None


def _token(ttl: Any) -> str | None:
    return f"the token by which nodes join expires after {ttl}" if ttl not in (None, "0") else None


def _runtime(runtime: Any) -> str | None:
    return f"the kubelet has no {runtime} since 1.24" if runtime in ("docker", "dockershim") else None


def compare_with_cluster(
    ingresses: Sequence[Ingress], services: Sequence[ServiceObject], claims: Sequence[Claim], policies: Sequence[Policy], answers: Answers
) -> Decided[None]:
    """Findings about the target cluster. What the plan does not say of it is not guessed, but an Ingress without a class is told."""
    cluster = answers.project.get("cluster") or {}
    findings = [*_nodes(cluster), *_objects(cluster, ingresses, services, claims, policies), *_version(cluster, answers)]
    return Decided(outcome=None, findings=tuple(findings))


def _finding(code: str, message: str, key: str, spans: Sequence[Span | None] = ()) -> Finding:
    known = [s for s in spans if s is not None]
    action = Action.APPROXIMATED
    return found(code, message, action=action, span=known[0] if known else None, path=f"project.cluster.{key}", also=tuple(known[1:]))


def _nodes(cluster: Mapping[str, Any]) -> Iterator[Finding]:
    for code, key, wrong in _NODES:
        if (message := wrong(cluster)) is not None:
            yield _finding(code, message, key)


def _objects(
    cluster: Mapping[str, Any],
    ingresses: Sequence[Ingress],
    services: Sequence[ServiceObject],
    claims: Sequence[Claim],
    policies: Sequence[Policy],
) -> Iterator[Finding]:
    classless = [i for i in ingresses if not i.ingress_class]
    if classless:
        message = f"Ingress {', '.join(i.name for i in classless)} names no class: the cluster's default takes it, if there is one"
        yield _finding("MIG947", message, "ingressClass", [i.span for i in classless])
    balanced = [s for s in services if s.type == "LoadBalancer"]
    if cluster.get("loadBalancer") == "none" and balanced:
        message = f"nobody gives an address to {', '.join(s.name for s in balanced)}"
        yield _finding("MIG951", message, "loadBalancer", [s.span for s in balanced])
    wide = [c for c in claims if c.access_mode == "ReadWriteMany" and c.volume is None]
    if cluster.get("rwxClass") == "none" and wide:
        message = f"no class can serve {', '.join(c.name for c in wide)}"
        yield _finding("MIG952", message, "rwxClass", [c.span for c in wide])
    plugin = str(cluster.get("networkPlugin") or "").lower()
    if policies and (cluster.get("networkPolicies") is False or (plugin in _NO_POLICIES and cluster.get("networkPolicies") is not True)):
        yield _finding(
            "MIG950", f"{len(policies)} NetworkPolicies are written that {plugin or 'the cluster'} does not enforce", "networkPlugin"
        )


def _version(cluster: Mapping[str, Any], answers: Answers) -> Iterator[Finding]:
    said = str(cluster.get("version") or "").removeprefix("v")
    minor = [int(v.split(".")[1]) for v in (said, answers.kubernetes_version.removeprefix("v")) if v.count(".") >= 1]
    if len(minor) == 2 and minor[0] < minor[1]:
        yield _finding("MIG953", f"the cluster has {said}, the output is for {answers.kubernetes_version}", "version")
