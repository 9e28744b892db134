"""Deployments, StatefulSets, DaemonSets, Jobs and CronJobs as objects, and the account that a wait for a Job needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from migrate.kube.names import Object, labels, object_of
from migrate.kube.pods import hosted_by, members_of, pod_template
from migrate.kube.scale import selector
from migrate.kube.state import claim_spec
from migrate.plan.spelling import is_label_value
from migrate.plan.types import Plan, ServicePlan, Update

_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")


def workloads(plan: Plan) -> Iterator[Object]:
    """Every workload, and with it the ServiceAccount, Role and RoleBinding of those that wait for Jobs."""
    for service in plan.services.values():
        if service.kind in _WORKLOADS:
            yield _workload(plan, service)
            yield from _account(plan, service)


def _workload(plan: Plan, service: ServicePlan) -> Object:
    kind, workload = service.kind, service.workload
    pod_labels = labels(plan, service.object_name)
    if len(service.pod.members) > 1:
        pod_labels["compose-cutover/pod"] = service.object_name
    restart = workload.restart_policy if kind in ("Job", "CronJob") else None
    template = pod_template(plan, service, pod_labels, restart)
    if kind == "Job":
        spec = _job(service, template)
    elif kind == "CronJob":
        spec = {"schedule": workload.schedule, **({"concurrencyPolicy": workload.concurrency} if workload.concurrency else {})}
        if workload.suspend:
            spec["suspend"] = True
        spec["jobTemplate"] = {"spec": _job(service, template, in_schedule=True)}
    else:
        spec = _controller(plan, service, template)
    api = "batch/v1" if kind in ("Job", "CronJob") else "apps/v1"
    version = service.image.rsplit("/", 1)[-1].partition("@")[0].partition(":")[2]
    return object_of(
        plan,
        api,
        kind,
        service.object_name,
        {"spec": spec},
        owner=service.object_name,
        span=service.span,
        annotations={**service.metadata.shared, **service.metadata.workload, **_external(plan, service)},
        more_labels={"app.kubernetes.io/version": version} if version and is_label_value(version) else {},
    )


def _external(plan: Plan, service: ServicePlan) -> dict[str, str]:
    everyone = (*members_of(plan, service), *hosted_by(plan, service))
    named = [f"serviceaccount/{a}" for s in everyone if (a := s.security.pod_spec.get("serviceAccountName"))]
    pulled = [f"secret/{secret}" for s in everyone for secret in s.pull.pull_secrets]
    outside = dict.fromkeys((*(e for s in everyone for e in (*s.settings.external, *s.storage.external)), *named, *pulled))
    return {"compose-cutover/external": ",".join(outside)} if outside else {}


def _job(service: ServicePlan, template: dict[str, Any], *, in_schedule: bool = False) -> dict[str, Any]:
    workload = service.workload
    spec: dict[str, Any] = {}
    if workload.completions is not None:
        spec |= {"parallelism": workload.completions, "completions": workload.completions}
    if workload.backoff_limit is not None:
        spec["backoffLimit"] = workload.backoff_limit
    if workload.suspend and not in_schedule:
        spec["suspend"] = True
    return {**spec, "template": template}


def _controller(plan: Plan, service: ServicePlan, template: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = {}
    if service.replicas is not None:
        spec["replicas"] = service.replicas
    if service.kind == "StatefulSet":
        spec["serviceName"] = service.object_name
    spec["selector"] = {"matchLabels": selector(plan, service)}
    update = service.scale.update
    if service.kind == "Deployment":
        if (strategy := _strategy(update)) is not None:
            spec["strategy"] = strategy
        if update.progress_deadline_s is not None:
            spec["progressDeadlineSeconds"] = update.progress_deadline_s
    elif service.kind == "StatefulSet" and len(service.pod.members) >= 1 and service.replicas not in (None, 0, 1):
        spec["podManagementPolicy"] = "Parallel"
    if update.min_ready_s:
        spec["minReadySeconds"] = update.min_ready_s
    spec["template"] = template
    if service.kind == "StatefulSet" and (templates := _claim_templates(plan, service)):
        spec["volumeClaimTemplates"] = templates
    return spec


def _strategy(update: Update) -> dict[str, Any] | None:
    if update.recreate:
        return {"type": "Recreate"}
    limits = {"maxSurge": update.max_surge, "maxUnavailable": update.max_unavailable}
    said = {k: v for k, v in limits.items() if v is not None}
    return {"type": "RollingUpdate", "rollingUpdate": said} if said else None


def _claim_templates(plan: Plan, service: ServicePlan) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for member in (*members_of(plan, service), *hosted_by(plan, service)):
        for volume in member.storage.volumes:
            if volume.claim is not None and plan.claims[volume.claim].template:
                metadata: dict[str, Any] = {"name": volume.name}
                if annotations := plan.claims[volume.claim].annotations:
                    metadata["annotations"] = dict(annotations)
                found.setdefault(volume.name, {"metadata": metadata, "spec": claim_spec(plan.claims[volume.claim])})
    return list(found.values())


def _account(plan: Plan, service: ServicePlan) -> Iterator[Object]:
    """O2: the right to look at the Jobs that a pod waits for, and nothing else."""
    everyone = (*members_of(plan, service), *hosted_by(plan, service))
    jobs = dict.fromkeys(plan.services[w.dependency].object_name for s in everyone for w in s.waits if w.for_job)
    if not jobs:
        return
    name, group = service.object_name, "rbac.authorization.k8s.io"
    rule = {"apiGroups": ["batch"], "resources": ["jobs"], "resourceNames": list(jobs), "verbs": ["get", "list", "watch"]}
    said = next((a for s in everyone if (a := s.security.pod_spec.get("serviceAccountName"))), None)
    subject = {"kind": "ServiceAccount", "name": said or name, "namespace": plan.namespace}
    if said is None:
        yield object_of(plan, "v1", "ServiceAccount", name, {"automountServiceAccountToken": False}, owner=name, span=service.span)
    yield object_of(plan, f"{group}/v1", "Role", name, {"rules": [rule]}, owner=name, span=service.span)
    reference = {"apiGroup": group, "kind": "Role", "name": name}
    body = {"roleRef": reference, "subjects": [subject]}
    notes = {"compose-cutover/external": f"serviceaccount/{said}"} if said else {}
    yield object_of(plan, f"{group}/v1", "RoleBinding", name, body, owner=name, span=service.span, annotations=notes)
