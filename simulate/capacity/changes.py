"""Changes of a specification: what `rollout`, `autoscale` and the search put side by side. Nothing is simulated here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

from simulate.manifests import cpu_metric
from simulate.metrics import seconds
from simulate.problems import InputError, Problem
from simulate.spec import Assumption, Autoscaler, ClusterSpec, Event, PodTemplate, Rate, Source, Workload


class Change(NamedTuple):
    """An alternative: its name, its settings by name, its specification."""

    label: str
    settings: Mapping[str, str]
    spec: ClusterSpec


def deployment_of(spec: ClusterSpec, name: str) -> Workload:
    """The Deployment of that name; InputError that lists those there are."""
    found = next((w for w in spec.workloads if w.kind == "Deployment" and w.name == name.removeprefix("deployment/")), None)
    if found is None:
        known = ", ".join(w.name for w in spec.workloads if w.kind == "Deployment") or "none"
        raise InputError([Problem(file="--deployment", line=0, column=0, message=f"names no Deployment: {name!r}; there are: {known}")])
    return found


def with_workload(spec: ClusterSpec, name: str, **changes: Any) -> ClusterSpec:
    """The specification with fields of one workload changed."""
    return replace(spec, workloads=tuple(replace(w, **changes) if w.name == name else w for w in spec.workloads))


def with_replicas(spec: ClusterSpec, replicas: Mapping[str, int]) -> ClusterSpec:
    """Other replica counts."""
    return replace(spec, workloads=tuple(replace(w, replicas=replicas.get(w.name, w.replicas)) for w in spec.workloads))


def with_requests(spec: ClusterSpec, name: str, cores: float, memory_bytes: float | None) -> ClusterSpec:
    """Requests of one workload: the first container gets them, the others none."""
    workload = next(w for w in spec.workloads if w.name == name)
    first, *rest = workload.template.containers
    changed = replace(first, request_cores=cores, request_bytes=first.request_bytes if memory_bytes is None else memory_bytes)
    others = [replace(c, request_cores=0.0, request_bytes=c.request_bytes if memory_bytes is None else 0.0) for c in rest]
    return with_workload(spec, name, template=replace(workload.template, containers=(changed, *others)))


def with_autoscaler(spec: ClusterSpec, name: str, minimum: int, maximum: int, cpu_percent: int) -> ClusterSpec:
    """What `kubectl autoscale deployment NAME --min --max --cpu-percent` makes, in place of the autoscaler that there is."""
    workload = next(w for w in spec.workloads if w.name == name)
    old = next((a for a in spec.autoscalers if a.target == name), None)
    made = Autoscaler(
        name=old.name if old else name,
        namespace=workload.namespace,
        target=name,
        minimum=minimum,
        maximum=maximum,
        metrics=(cpu_metric(cpu_percent),),
        behavior=old.behavior if old else None,
    )
    return replace(spec, autoscalers=(*(a for a in spec.autoscalers if a.target != name), made))


def with_rollout(spec: ClusterSpec, name: str) -> ClusterSpec:
    """The specification with a rollout of a Deployment: the scenario's own, else one at a third of the horizon, as an assumption."""
    if any(event.verb == "rollout" and event.target == name and event.at_s < spec.horizon_s for event in spec.events):
        return spec
    at_s = float(round(spec.horizon_s / 3))
    image = deployment_of(spec, name).template.containers[0].image.partition("@")[0]
    path, colon, tag = image.rpartition(":")
    new = f"{path if colon and '/' not in tag else image}:next"
    said = Assumption(
        subject=f"rollout of {name}", value=f"at {seconds(at_s)}", reason="the scenario has no rollout of it", origin="default"
    )
    event = Event(at_s=at_s, verb="rollout", target=name, arguments={"image": new})
    events = tuple(sorted((*spec.events, event), key=lambda each: each.at_s))
    return replace(spec, events=events, assumptions=(*spec.assumptions, said))


def with_load(spec: ClusterSpec, factor: float) -> ClusterSpec:
    """Every source with `factor` times its load; users of closed loops are rounded. InputError for recorded times."""
    sources = tuple(_louder(source, factor) for source in spec.traffic.sources)
    return replace(spec, traffic=replace(spec.traffic, sources=sources))


def _louder(source: Source, factor: float) -> Source:
    if source.kind == "trace":
        message = f"{source.name} is a record of single times, whose load cannot be changed"
        raise InputError([Problem(file="scenario", line=0, column=0, message=message)])
    if source.kind == "closed":
        return replace(source, users=max(1, round(source.users * factor)))
    return replace(source, rate=None if source.rate is None else _times(source.rate, factor))


def _times(rate: Rate, factor: float) -> Rate:
    return replace(
        rate,
        constant=None if rate.constant is None else rate.constant * factor,
        steps=None if rate.steps is None else tuple((t, r * factor) for t, r in rate.steps),
        knots=None if rate.knots is None else tuple((t, r * factor) for t, r in rate.knots),
        diurnal=None if rate.diurnal is None else (rate.diurnal[0] * factor, *rate.diurnal[1:]),
    )


def rollouts(
    spec: ClusterSpec,
    name: str,
    max_surge: Sequence[int | str],
    max_unavailable: Sequence[int | str],
    min_ready_s: Sequence[int],
    prestop_s: Sequence[float],
) -> list[Change]:
    """Every combination of the values of a rolling update; what has none stays as it is. InputError where both bounds would be 0."""
    workload = deployment_of(spec, name)
    if workload.strategy != "RollingUpdate" and (max_surge or max_unavailable):
        message = f"{name} has the strategy {workload.strategy}, which knows no maxSurge and maxUnavailable"
        raise InputError([Problem(file=workload.source or "manifests", line=0, column=0, message=message)])
    found = []
    for surge, unavailable, ready, stop in product(
        max_surge or (None,), max_unavailable or (None,), min_ready_s or (None,), prestop_s or (None,)
    ):
        changes: dict[str, Any] = {"max_surge": surge, "max_unavailable": unavailable, "min_ready_s": ready}
        said = {key: value for key, value in changes.items() if value is not None}
        template = workload.template if stop is None else with_prestop(workload.template, stop)
        changed = replace(workload, template=template, **said)
        if str(changed.max_surge) in ("0", "0%") and str(changed.max_unavailable) in ("0", "0%"):
            message = "maxSurge and maxUnavailable must not both be 0: nothing could ever move"
            raise InputError([Problem(file="--max-surge, --max-unavailable", line=0, column=0, message=message)])
        _refuse_as_the_api(changed, ready is not None)
        settings = {"deployment": name, "maxSurge": str(changed.max_surge), "maxUnavailable": str(changed.max_unavailable)}
        settings |= {"minReadySeconds": str(changed.min_ready_s)} | ({} if stop is None else {"preStop": f"{stop:g}s"})
        shown = [
            f"{key} {value}" for key, value in settings.items() if key != "deployment" and (key != "minReadySeconds" or ready is not None)
        ]
        label = ", ".join(shown) if workload.strategy == "RollingUpdate" else workload.strategy
        found.append(Change(label, settings, with_workload(spec, name, template=template, **said)))
    return found


def _refuse_as_the_api(changed: Workload, ready: bool) -> None:
    """InputError for other values that no API server takes."""
    unavailable, deadline_s = str(changed.max_unavailable), changed.progress_deadline_s
    if unavailable.endswith("%") and int(unavailable[:-1]) > 100:
        message = f"must not be more than 100%, is {unavailable}"
        raise InputError([Problem(file="--max-unavailable", line=0, column=0, message=message)])
    if ready and deadline_s is not None and changed.min_ready_s >= deadline_s:
        message = f"must be less than progressDeadlineSeconds of {changed.name}, which is {deadline_s}; is {changed.min_ready_s}"
        raise InputError([Problem(file="--min-ready-seconds", line=0, column=0, message=message)])


def with_prestop(template: PodTemplate, stop_s: float) -> PodTemplate:
    """A sleep before SIGTERM in every container."""
    return replace(template, containers=tuple(replace(container, prestop_s=stop_s) for container in template.containers))


def autoscalers(spec: ClusterSpec, name: str, minimum: int | None, maximum: int | None, cpu_percent: Sequence[int]) -> list[Change]:
    """One autoscaler per target; bounds that are not given are those of the manifests. InputError where there are none to take."""
    old = next((a for a in spec.autoscalers if a.target == name), None)
    least = minimum if minimum is not None else old.minimum if old else 1
    most = maximum if maximum is not None else old.maximum if old else None
    if most is None:
        message = f"is needed: no manifest has an autoscaler for {name}"
        raise InputError([Problem(file="--max", line=0, column=0, message=message)])
    if most < least:
        raise InputError([Problem(file="--max", line=0, column=0, message=f"must not be below --min ({most} < {least})")])
    if not cpu_percent and old is not None:
        changed = replace(spec, autoscalers=tuple(replace(a, minimum=least, maximum=most) if a is old else a for a in spec.autoscalers))
        return [Change(f"{least} to {most}", {"deployment": name, "min": str(least), "max": str(most)}, changed)]
    found = []
    for percent in cpu_percent or (80,):
        settings = {"deployment": name, "min": str(least), "max": str(most), "cpu-percent": str(percent)}
        found.append(Change(f"{least} to {most} at {percent} % CPU", settings, with_autoscaler(spec, name, least, most, percent)))
    return found
