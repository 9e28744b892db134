"""From observed pods and metrics to a proposed number of replicas (kubernetes-semantics.md 1.4 to 1.6).

Metric values are whole thousandths (`milli`): of a core, a byte or a piece, as the real controller counts. Every ratio, truncation and
rounding below is the controller's own, in IEEE doubles and whole numbers; that decides cases at the edge of the tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from simulate.control import labels

LARGEST_REPLICAS = 2**31 - 1
LARGEST_VALUE = 2**63 - 1

NO_PODS = "no pods returned by selector while calculating replica count"
NO_EXTERNAL = "no metrics returned from external metrics API"
NOT_RECEIVED = "did not receive metrics for targeted pods (pods might be unready)"


class MetricError(Exception):
    """A metric that could not be computed; `kind` as the controller's own counters label it."""

    def __init__(self, text: str, kind: Literal["internal", "spec"] = "internal") -> None:
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerView:
    """What a container requests, in thousandths by resource; a resource that is absent was not requested."""

    name: str
    requests_milli: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodView:
    """A pod as the autoscaler sees it. `ready` None = no Ready condition; times are those of the API (whole seconds there)."""

    name: str
    phase: str = "Running"
    deleting: bool = False
    ready: Literal["True", "False", "Unknown"] | None = "True"
    start_s: float | None = 0.0
    transition_s: float = 0.0
    containers: Sequence[ContainerView] = ()
    sidecars: Sequence[ContainerView] = ()
    pod_requests_milli: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


class Sample(NamedTuple):
    """One pod's metric: per container for a resource (key "" for a Pods metric's single value), its time and window."""

    milli: Mapping[str, int]
    time_s: float = 0.0
    window_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A metrics API that answered with an error."""

    text: str


PodSamples = Mapping[str, Sample] | Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Everything that one reconcile reads. `spec_replicas`, `observed_replicas` and `selector` are of the target's scale.

    `resources`: resource -> pod -> sample; `pods_metrics`: metric -> pod -> sample; `objects`, `externals`: metric -> value or values.
    A resource or metric that is absent answers "no metrics returned". `other_selectors`: selectors of the other autoscalers that were
    reconciled before, by name. `scale_error`, `update_error`: that call fails.
    """

    spec_replicas: int
    observed_replicas: int
    selector: str
    pods: Sequence[PodView] = ()
    resources: Mapping[str, PodSamples] = field(default_factory=dict)
    pods_metrics: Mapping[str, PodSamples] = field(default_factory=dict)
    objects: Mapping[str, int | Failure] = field(default_factory=dict)
    externals: Mapping[str, Sequence[int] | Failure] = field(default_factory=dict)
    other_selectors: Mapping[str, str] = field(default_factory=dict)
    scale_error: str | None = None
    update_error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One entry of `spec.metrics`. `name` is the resource or the metric; exactly one target is set, by `target`."""

    kind: str
    name: str = ""
    target: str = ""
    percent: int | None = None
    milli: int | None = None
    container: str | None = None
    described_kind: str = ""
    described_name: str = ""
    selector: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricStatus:
    """What status.currentMetrics says of one metric."""

    kind: str
    name: str
    percent: int | None = None
    average_milli: int | None = None
    value_milli: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """Fractions of the ratio inside which nothing changes. `legacy`: the rule up to 1.32, |1 - r| <= up.

    >>> Tolerance().within(1.1), Tolerance(legacy=True).within(1.1)
    (True, False)
    """

    down: float = 0.1
    up: float = 0.1
    legacy: bool = False

    def within(self, ratio: float) -> bool:
        """Whether the ratio is near enough to 1; a ratio that is no number is not."""
        if self.legacy:
            return abs(1.0 - ratio) <= (self.up if ratio > 1.0 else self.down)
        return 1.0 - self.down <= ratio <= 1.0 + self.up


@dataclass(frozen=True, slots=True, kw_only=True)
class Young:
    """The periods of the cpu rules for young pods (1.4 rule 4)."""

    initialization_s: float = 300.0
    readiness_delay_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What differs between releases and namespaces in reading metrics."""

    tolerance: Tolerance = field(default_factory=Tolerance)
    young: Young = field(default_factory=Young)
    pod_level_requests: bool = True
    absent_container_fails: bool = False
    namespace: str = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What one metric proposes, the text that names it, and what the status shows."""

    replicas: int
    label: str
    status: MetricStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Pods by how they count (1.4). `ready` is a number, the others are names in the order of the pods."""

    ready: int
    unready: tuple[str, ...]
    missing: tuple[str, ...]
    ignored: tuple[str, ...]


def replicas(value: float) -> int:
    """Round up to whole replicas; saturates at 2^31 - 1, and what is no number is 0."""
    if math.isnan(value):
        return 0
    return min(LARGEST_REPLICAS, math.ceil(value)) if value < LARGEST_REPLICAS else LARGEST_REPLICAS


def total(values: Iterable[int]) -> int:
    """Sum that saturates at 2^63 - 1."""
    return min(LARGEST_VALUE, sum(values))


def _quotient(left: int, right: int) -> int:
    return int(left / right) if left < 0 else left // right


def is_unready(pod: PodView, sample: Sample, young: Young, now_s: float) -> bool:
    """Rule 4 of 1.4, cpu only: has this pod's sample to be left out because of readiness?"""
    if pod.ready is None or pod.start_s is None:
        return True
    if pod.start_s + young.initialization_s > now_s:
        return pod.ready == "False" or sample.time_s < pod.transition_s + sample.window_s
    return pod.ready == "False" and pod.start_s + young.readiness_delay_s > pod.transition_s


def group_pods(pods: Iterable[PodView], samples: Mapping[str, Sample], resource: str, young: Young, now_s: float) -> Groups:
    """Classify pods (1.4), the tests in the controller's order. `resource` "" for a Pods metric.

    >>> group_pods([PodView(name="a", phase="Pending"), PodView(name="b")], {}, "cpu", Young(), 0.0)
    Groups(ready=0, unready=('a',), missing=('b',), ignored=())
    """
    ready, unready, missing, ignored = 0, [], [], []
    for pod in pods:
        if pod.deleting or pod.phase in ("Failed", "Succeeded"):
            ignored.append(pod.name)
        elif pod.phase == "Pending":
            unready.append(pod.name)
        elif pod.name not in samples:
            missing.append(pod.name)
        elif resource == "cpu" and is_unready(pod, samples[pod.name], young, now_s):
            unready.append(pod.name)
        else:
            ready += 1
    return Groups(ready=ready, unready=tuple(unready), missing=tuple(missing), ignored=tuple(ignored))


def requests(pods: Iterable[PodView], resource: str, container: str | None, *, pod_level: bool = True) -> dict[str, int]:
    """Requests by pod (1.5); MetricError when any considered container of any pod has none."""
    found: dict[str, int] = {}
    same: tuple[PodView, int] | None = None
    for pod in pods:
        if same is not None and pod.containers is same[0].containers and pod.sidecars is same[0].sidecars and not pod.pod_requests_milli:
            found[pod.name] = same[1]
            continue
        if container is None and pod_level and resource in pod.pod_requests_milli:
            found[pod.name] = pod.pod_requests_milli[resource]
            continue
        considered = [one for one in (*pod.containers, *pod.sidecars) if container is None or one.name == container]
        if container is not None and not considered:
            raise MetricError(f"container {container} not found in Pod {pod.name}")
        for one in considered:
            if resource not in one.requests_milli:
                raise MetricError(f"missing request for {resource} in container {one.name} of Pod {pod.name}")
        found[pod.name] = sum(one.requests_milli[resource] for one in considered)
        same = (pod, found[pod.name])
    return found


def utilization_ratio(values: Mapping[str, int], requested: Mapping[str, int], target_percent: int) -> tuple[float, int, int]:
    """(ratio, percent, average) over the pods that have both; the percent is cut before the ratio is formed (1.5).

    >>> utilization_ratio({"a": 609}, {"a": 1000}, 55)[1]
    60
    """
    both = [name for name in values if name in requested]
    asked = total(map(requested.__getitem__, both))
    if asked == 0:
        raise MetricError("no metrics returned matched known pods")
    used = total(map(values.__getitem__, both))
    percent = _quotient(used * 100, asked)
    return percent / target_percent if target_percent else math.inf, percent, _quotient(used, len(both))


def usage_ratio(values: Mapping[str, int], target_milli: int) -> tuple[float, int]:
    """(ratio, average) of raw values over all entries (1.5)."""
    average = _quotient(total(values.values()), len(values))
    return _divide(average, target_milli), average


def _divide(left: float, right: float) -> float:
    if right:
        return left / right
    return math.nan if not left else math.copysign(math.inf, left)


def _settle(ratio: float, again: float, samples: int, current: int, tolerance: Tolerance) -> int:
    """The second half of the algorithm of 1.5: after pods were filled in, `again` is the new ratio over `samples` pods."""
    if tolerance.within(again) or (ratio < 1.0 < again) or (again < 1.0 < ratio):
        return current
    proposed = replicas(again * samples)
    if (again < 1.0 and proposed > current) or (again > 1.0 and proposed < current):
        return current
    return proposed


def _used(samples: Mapping[str, Sample], container: str | None, rules: Rules, resource: str) -> dict[str, Sample]:
    """Samples of the one container or of the whole pod."""
    if container is None:
        return dict(samples)
    kept = {}
    for name, sample in samples.items():
        if container in sample.milli:
            kept[name] = Sample(milli={container: sample.milli[container]}, time_s=sample.time_s, window_s=sample.window_s)
        elif rules.absent_container_fails:
            reason = f"failed to get container metrics: container {container} not present in metrics for pod {rules.namespace}/{name}"
            raise MetricError(f"unable to get metrics for resource {resource}: {reason}")
    return kept


def _counted(
    pods: Sequence[PodView], samples: Mapping[str, Sample], resource: str, rules: Rules, now_s: float
) -> tuple[Groups, dict[str, int]]:
    """The groups, and the values that are left after ignored and unready pods."""
    if not pods:
        raise MetricError(NO_PODS)
    groups = group_pods(pods, samples, resource, rules.young, now_s)
    dropped = {*groups.ignored, *groups.unready}
    values = {name: min(LARGEST_VALUE, sum(sample.milli.values())) for name, sample in samples.items() if name not in dropped}
    if not values:
        raise MetricError(NOT_RECEIVED)
    return groups, values


def by_utilization(
    pods: Sequence[PodView], samples: Mapping[str, Sample], metric: Metric, current: int, rules: Rules, now_s: float
) -> tuple[int, int, int]:
    """(replicas, percent, average) of a Utilization target (1.5)."""
    groups, values = _counted(pods, samples, metric.name, rules, now_s)
    asked = requests(pods, metric.name, metric.container, pod_level=rules.pod_level_requests)
    target = metric.percent or 0
    ratio, percent, average = utilization_ratio(values, asked, target)
    growing = bool(groups.unready) and ratio > 1.0
    if not growing and not groups.missing:
        return (current if rules.tolerance.within(ratio) else replicas(ratio * groups.ready)), percent, average
    if ratio < 1.0:
        values |= {name: asked[name] * max(100, target) // 100 for name in groups.missing}
    elif ratio > 1.0:
        values |= dict.fromkeys(groups.missing, 0)
    if growing:
        values |= dict.fromkeys(groups.unready, 0)
    again = utilization_ratio(values, asked, target)[0]
    return _settle(ratio, again, len(values), current, rules.tolerance), percent, average


def by_average(
    pods: Sequence[PodView], samples: Mapping[str, Sample], resource: str, target_milli: int, current: int, rules: Rules, now_s: float
) -> tuple[int, int]:
    """(replicas, average) of an AverageValue target over pods (1.5)."""
    groups, values = _counted(pods, samples, resource, rules, now_s)
    ratio, average = usage_ratio(values, target_milli)
    growing = bool(groups.unready) and ratio > 1.0
    if not growing and not groups.missing:
        return (current if rules.tolerance.within(ratio) else replicas(ratio * groups.ready)), average
    if ratio < 1.0:
        values |= dict.fromkeys(groups.missing, target_milli)
    elif ratio > 1.0:
        values |= dict.fromkeys(groups.missing, 0)
    if growing:
        values |= dict.fromkeys(groups.unready, 0)
    again = usage_ratio(values, target_milli)[0]
    return _settle(ratio, again, len(values), current, rules.tolerance), average


def by_value(pods: Sequence[PodView], value: int, target_milli: int, current: int, tolerance: Tolerance) -> int:
    """Replicas of a Value target of an Object or External metric (1.6): scales the number of Running and Ready pods."""
    ratio = _divide(value, target_milli)
    if current == 0:
        return replicas(ratio)
    if tolerance.within(ratio):
        return current
    if not pods:
        raise MetricError(f"unable to calculate ready pods: {NO_PODS}")
    return replicas(ratio * sum(pod.phase == "Running" and pod.ready == "True" for pod in pods))


def by_share(value: int, target_milli: int, observed: int, tolerance: Tolerance) -> tuple[int, int]:
    """(replicas, average) of an AverageValue target of an Object or External metric (1.6); `observed` is status.replicas.

    >>> by_share(8600, 2150, 3, Tolerance())
    (4, 2867)
    """
    ratio = _divide(value, target_milli * observed)
    proposed = observed if tolerance.within(ratio) else replicas(_divide(value, target_milli))
    return proposed, per_pod_usage(value, observed)


def per_pod_usage(value: int, observed: int) -> int:
    """The reported average: rounded up, 0 when no pod was observed."""
    return min(LARGEST_VALUE, -(-value // observed)) if observed else 0


def _answer(samples: PodSamples | None, api: str) -> Mapping[str, Sample]:
    if isinstance(samples, Failure):
        raise MetricError(f"unable to fetch metrics from {api} metrics API: {samples.text}")
    if not samples:
        raise MetricError(f"no metrics returned from {api} metrics API")
    return samples


def _resource(metric: Metric, seen: Observation, current: int, rules: Rules, now_s: float) -> Proposal:
    noun = "utilization" if metric.percent is not None else "usage"
    try:
        try:
            answer = _answer(seen.resources.get(metric.name), "resource")
        except MetricError as error:
            raise MetricError(f"unable to get metrics for resource {metric.name}: {error}") from None
        samples = _used(answer, metric.container, rules, metric.name)
        if metric.milli is not None:
            proposed, average = by_average(seen.pods, samples, metric.name, metric.milli, current, rules, now_s)
            percent, label = None, f"{metric.name} resource"
        else:
            proposed, percent, average = by_utilization(seen.pods, samples, metric, current, rules, now_s)
            part = "container resource" if metric.container is not None else "resource"
            label = f"{metric.name} {part} utilization (percentage of request)"
    except MetricError as error:
        raise MetricError(f"failed to get {metric.name} {noun}: {error}") from None
    return Proposal(
        replicas=proposed, label=label, status=MetricStatus(kind=metric.kind, name=metric.name, percent=percent, average_milli=average)
    )


def _pods(metric: Metric, seen: Observation, current: int, rules: Rules, now_s: float) -> Proposal:
    try:
        samples = _answer(seen.pods_metrics.get(metric.name), "custom")
    except MetricError as error:
        raise MetricError(f"unable to get metric {metric.name}: {error}") from None
    proposed, average = by_average(seen.pods, samples, "", metric.milli or 0, current, rules, now_s)
    status = MetricStatus(kind=metric.kind, name=metric.name, average_milli=average)
    return Proposal(replicas=proposed, label=f"pods metric {metric.name}", status=status)


def _valued(metric: Metric, value: int, label: str, seen: Observation, current: int, rules: Rules) -> Proposal:
    if metric.target == "Value":
        proposed = by_value(seen.pods, value, metric.milli or 0, current, rules.tolerance)
        status = MetricStatus(kind=metric.kind, name=metric.name, value_milli=value)
    else:
        proposed, average = by_share(value, metric.milli or 0, seen.observed_replicas, rules.tolerance)
        status = MetricStatus(kind=metric.kind, name=metric.name, average_milli=average)
    return Proposal(replicas=proposed, label=label, status=status)


def _object(metric: Metric, seen: Observation, current: int, rules: Rules, now_s: float) -> Proposal:
    value = seen.objects.get(metric.name, Failure(text="no metrics returned from custom metrics API"))
    if isinstance(value, Failure):
        where = f"{metric.described_kind} on {rules.namespace} {metric.described_name}"
        raise MetricError(f"unable to get metric {metric.name}: {where}/{value.text}")
    return _valued(metric, value, f"{metric.described_kind} metric {metric.name}", seen, current, rules)


def _external(metric: Metric, seen: Observation, current: int, rules: Rules, now_s: float) -> Proposal:
    values = seen.externals.get(metric.name, ())
    dumped = labels.dump(metric.selector)
    if isinstance(values, Failure) or not values:
        text = f"unable to fetch metrics from external metrics API: {values.text}" if isinstance(values, Failure) else NO_EXTERNAL
        raise MetricError(f"unable to get external metric {rules.namespace}/{metric.name}/{dumped}: {text}")
    return _valued(metric, total(values), f"external metric {metric.name}({dumped})", seen, current, rules)


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of metric is computed, its reason when it fails, and how the list of errors names it."""

    reason: str
    compute: Any
    wrap: str


KINDS: Mapping[str, Kind] = {
    "Resource": Kind("FailedGetResourceMetric", _resource, "failed to get {name} resource metric value: {error}"),
    "ContainerResource": Kind("FailedGetContainerResourceMetric", _resource, "failed to get {container} container metric value: {error}"),
    "Pods": Kind("FailedGetPodsMetric", _pods, "failed to get pods metric value: {error}"),
    "Object": Kind("FailedGetObjectMetric", _object, "failed to get object metric value: {error}"),
    "External": Kind(
        "FailedGetExternalMetric", _external, "failed to get {name} external metric value: failed to get {name} external metric: {error}"
    ),
}
"""The metric kinds of the API (1.6)."""


def propose(metric: Metric, seen: Observation, current: int, rules: Rules, now_s: float) -> Proposal:
    """What this metric proposes; MetricError when it cannot be computed."""
    if metric.kind not in KINDS:
        raise MetricError(f'unknown metric source type "{metric.kind}"', "spec")
    proposal: Proposal = KINDS[metric.kind].compute(metric, seen, current, rules, now_s)
    return proposal


def reason_of(metric: Metric) -> str:
    """The reason of ScalingActive=False when this metric fails."""
    return KINDS[metric.kind].reason if metric.kind in KINDS else "InvalidMetricSourceType"


def wrapped(metric: Metric, error: MetricError) -> str:
    """The error as the list of all metrics' errors names it."""
    if metric.kind not in KINDS:
        return str(error)
    return KINDS[metric.kind].wrap.format(name=metric.name, container=metric.container, error=error)
