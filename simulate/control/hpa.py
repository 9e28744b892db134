"""One reconcile of a HorizontalPodAutoscaler as a pure function (kubernetes-semantics.md section 1).

`reconcile(spec, state, observation, settings, now_s)` reads nothing else and changes nothing: the new history and status are in the
outcome, and `Outcome.scale_to` says what to write to the target. The caller owns the clock: call it every sync period.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

from simulate.control import hpa_limits, labels
from simulate.control.hpa_limits import Behavior, Bounds, History, Recommendation, ScaleEvent
from simulate.control.hpa_metrics import (
    ContainerView,
    Failure,
    Metric,
    MetricError,
    MetricStatus,
    Observation,
    PodView,
    Proposal,
    Rules,
    Sample,
    Tolerance,
    Young,
    propose,
    reason_of,
    wrapped,
)
from simulate.quantity import parse_milli
from simulate.spec import Autoscaler, ControlPlane

__all__ = [
    "Condition",
    "ContainerView",
    "Failure",
    "History",
    "HpaEvent",
    "Metric",
    "MetricStatus",
    "Observation",
    "Outcome",
    "PodView",
    "Recommendation",
    "Sample",
    "ScaleEvent",
    "Settings",
    "Spec",
    "State",
    "Status",
    "reconcile",
    "settings_of",
    "spec_of",
]  # fmt: skip

ABOVE_MAXIMUM = "Current number of replicas above Spec.MaxReplicas"
BELOW_MINIMUM = "Current number of replicas below Spec.MinReplicas"
ALL_BELOW = "All metrics below target"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A HorizontalPodAutoscaler's spec, parsed. `behavior` None = no stanza: the legacy limits hold."""

    name: str
    namespace: str = "default"
    minimum: int = 1
    maximum: int
    metrics: tuple[Metric, ...]
    behavior: Behavior | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Flags and release-dependent rules; the defaults are those of 1.36.

    `scale_to_zero`: the gate HPAScaleToZero (off up to 1.36). `zero_condition`: leaving zero needs the stored condition ScaledToZero
    (since 1.36). `own_tolerance`: `behavior.*.tolerance` is honoured (on since 1.35). `legacy_tolerance`: the rule up to 1.32.
    """

    tolerance: float = 0.1
    tolerance_up: float | None = None
    downscale_stabilization_s: float = 300.0
    cpu_initialization_s: float = 300.0
    initial_readiness_delay_s: float = 30.0
    legacy_factor: float = 2.0
    legacy_least: int = 4
    scale_to_zero: bool = False
    zero_condition: bool = True
    own_tolerance: bool = True
    legacy_tolerance: bool = False
    pod_level_requests: bool = True
    absent_container_fails: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A status condition; `since_s` changes only with the status."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""
    since_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The stored status. `metrics` entry None = that metric failed; the whole tuple is None where no metric was computed."""

    current: int = 0
    desired: int = 0
    conditions: tuple[Condition, ...] = ()
    metrics: tuple[MetricStatus | None, ...] | None = None
    last_scale_s: float | None = None

    def condition(self, type_: str) -> Condition | None:
        """The condition of this type."""
        return next((one for one in self.conditions if one.type == type_), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is kept between reconciles: the controller's memory and the stored status."""

    history: History = field(default_factory=History)
    status: Status = field(default_factory=Status)


@dataclass(frozen=True, slots=True, kw_only=True)
class HpaEvent:
    """An event of the autoscaler object."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What became of one metric in this reconcile; `label` is that of the controller's error counter."""

    kind: str
    replicas: int | None
    error: str | None = None
    label: Literal["none", "internal", "spec"] = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a reconcile decided. `scale_to` None = the target is not written. `write_status`: the status differs from the stored one.

    `error`: the reconcile ended with this error (it may still have scaled). `metrics`: what each computed metric proposed.
    """

    state: State
    scale_to: int | None
    events: tuple[HpaEvent, ...]
    error: str | None
    metrics: tuple[Tried, ...]
    write_status: bool

    @property
    def status(self) -> Status:
        """The new status."""
        return self.state.status


def metric_of(given: Mapping[str, Any]) -> Metric:
    """A metric from the API's own form; a type that the API does not know is kept and fails when computed.

    >>> metric_of({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 20}}}).percent
    20
    """
    kind = str(given.get("type", ""))
    body = given.get(kind[:1].lower() + kind[1:]) or {}
    target, named, described = body.get("target") or {}, body.get("metric") or {}, body.get("describedObject") or {}
    aim = str(target.get("type") or next((n for n in ("Utilization", "AverageValue", "Value") if _target_key(n) in target), ""))
    value = target.get("averageValue") if aim == "AverageValue" else target.get("value") if aim == "Value" else None
    percent = target.get("averageUtilization") if aim == "Utilization" else None
    return Metric(
        kind=kind,
        name=str(body.get("name") or named.get("name") or ""),
        target=aim,
        percent=None if percent is None else int(percent),
        milli=None if value is None else parse_milli(str(value)),
        container=body.get("container"),
        described_kind=str(described.get("kind", "")),
        described_name=str(described.get("name", "")),
        selector=named.get("selector"),
    )


def _target_key(target: str) -> str:
    return {"Utilization": "averageUtilization", "AverageValue": "averageValue"}.get(target, "value")


DEFAULT_METRIC = Metric(kind="Resource", name="cpu", target="Utilization", percent=80)
"""What the API fills into an empty list of metrics."""


def spec_of(autoscaler: Autoscaler) -> Spec:
    """The parsed spec of an autoscaler; ValueError for a quantity that is none."""
    return Spec(
        name=autoscaler.name,
        namespace=autoscaler.namespace,
        minimum=autoscaler.minimum,
        maximum=autoscaler.maximum,
        metrics=tuple(metric_of(one) for one in autoscaler.metrics) or (DEFAULT_METRIC,),
        behavior=hpa_limits.behavior_of(autoscaler.behavior),
    )


def settings_of(control: ControlPlane) -> Settings:
    """Settings of a control plane: its flags, and the rules of its release."""
    parts = control.version.lstrip("v").split(".")
    release = int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 36
    return Settings(
        tolerance=control.hpa_tolerance_ratio,
        downscale_stabilization_s=control.hpa_downscale_stabilization_s,
        cpu_initialization_s=control.hpa_cpu_initialization_s,
        initial_readiness_delay_s=control.hpa_initial_readiness_delay_s,
        scale_to_zero=release >= 37,
        zero_condition=release >= 36,
        own_tolerance=release >= 35,
        legacy_tolerance=release <= 32,
        pod_level_requests=release >= 34,
        absent_container_fails=release <= 28,
    )


def rules_of(spec: Spec, settings: Settings) -> Rules:
    """How this autoscaler reads metrics: an own tolerance of a direction takes the place of the cluster's."""
    down, up = settings.tolerance, settings.tolerance if settings.tolerance_up is None else settings.tolerance_up
    if spec.behavior is not None and settings.own_tolerance:
        down = down if spec.behavior.down.tolerance is None else spec.behavior.down.tolerance
        up = up if spec.behavior.up.tolerance is None else spec.behavior.up.tolerance
    return Rules(
        tolerance=Tolerance(down=down, up=up, legacy=settings.legacy_tolerance),
        young=Young(initialization_s=settings.cpu_initialization_s, readiness_delay_s=settings.initial_readiness_delay_s),
        pod_level_requests=settings.pod_level_requests,
        absent_container_fails=settings.absent_container_fails,
        namespace=spec.namespace,
    )


def with_condition(
    conditions: Sequence[Condition], type_: str, status: Literal["True", "False"], reason: str, message: str, now_s: float
) -> tuple[Condition, ...]:
    """Set a condition in its old place, or at the end; its time changes only with the status."""
    for i, old in enumerate(conditions):
        if old.type == type_:
            if (old.status, old.reason, old.message) == (status, reason, message):
                return tuple(conditions)
            since_s = old.since_s if old.status == status else now_s
            new = Condition(type=type_, status=status, reason=reason, message=message, since_s=since_s)
            return (*conditions[:i], new, *conditions[i + 1 :])
    return (*conditions, Condition(type=type_, status=status, reason=reason, message=message, since_s=now_s))


parsed = lru_cache(maxsize=4096)(labels.parse)
"""Each autoscaler's selector is read at every reconcile of every other one."""


class _Pass:
    """The working place of one reconcile; nothing of it outlives the call."""

    def __init__(self, spec: Spec, state: State, seen: Observation, settings: Settings, now_s: float) -> None:
        self.spec, self.state, self.seen, self.settings, self.now_s = spec, state, seen, settings, now_s
        self.conditions = state.status.conditions
        self.history = state.history
        self.events: list[HpaEvent] = []
        self.tried: list[Tried] = []
        self.metrics: tuple[MetricStatus | None, ...] | None = None

    def condition(self, type_: str, status: Literal["True", "False"], reason: str, message: str) -> None:
        self.conditions = with_condition(self.conditions, type_, status, reason, message, self.now_s)

    def warn(self, reason: str, message: str) -> None:
        self.events.append(HpaEvent(type="Warning", reason=reason, message=message))

    def outcome(self, status: Status, scale_to: int | None = None, error: str | None = None) -> Outcome:
        status = replace(status, conditions=self.conditions)
        return Outcome(
            state=State(history=self.history, status=status),
            scale_to=scale_to,
            events=tuple(self.events),
            error=error,
            metrics=tuple(self.tried),
            write_status=status != self.state.status,
        )

    # -- steps, in the order of 1.3

    def run(self) -> Outcome:
        target = f"{self.spec.namespace}/{self.spec.name}"
        if self.seen.scale_error is not None:
            self.warn("FailedGetScale", self.seen.scale_error)
            message = f"the HPA controller was unable to get the target's current scale: {self.seen.scale_error}"
            self.condition("AbleToScale", "False", "FailedGetScale", message)
            error = f"failed to query scale subresource for {target}: {self.seen.scale_error}"
            return self.outcome(self.state.status, error=error)
        self.condition("AbleToScale", "True", "SucceededGetScale", "the HPA controller was able to get the target's current scale")
        current = self.seen.spec_replicas
        if self.history.recommendations is None:
            self.history = replace(self.history, recommendations=(Recommendation(current, self.now_s),))
        if self.settings.zero_condition and not self.settings.scale_to_zero:
            self.conditions = tuple(one for one in self.conditions if one.type != "ScaledToZero")
        zeroed = self.scaled_to_zero()
        if current == 0 and not zeroed and (self.spec.minimum != 0 or self.settings.zero_condition):
            self.condition("ScalingActive", "False", "ScalingDisabled", "scaling is disabled since the replica count of the target is zero")
            return self.finish(0, 0, "", None)
        if current > self.spec.maximum:
            return self.finish(current, self.spec.maximum, ABOVE_MAXIMUM, None)
        if current < self.spec.minimum and not (zeroed and current == 0):
            return self.finish(current, self.spec.minimum, BELOW_MINIMUM, None)
        return self.by_metrics(current)

    def scaled_to_zero(self) -> bool:
        """Whether zero is this autoscaler's own doing and can be left (1.9)."""
        if not (self.settings.zero_condition and self.settings.scale_to_zero):
            return False
        stored = self.state.status.condition("ScaledToZero")
        outside = any(metric.kind in ("Object", "External") for metric in self.spec.metrics)
        return stored is not None and stored.status == "True" and outside

    def by_metrics(self, current: int) -> Outcome:
        try:
            raw, label, error = self.compute(current)
        except MetricError as failure:
            self.warn("FailedComputeMetricsReplicas", str(failure))
            status = replace(self.state.status, current=current, metrics=self.metrics)
            target = f"{self.spec.namespace}/{self.spec.name}"
            return self.outcome(
                status, error=f"failed to compute desired number of replicas based on listed metrics for {target}: {failure}"
            )
        reason = f"{label} above target" if raw > current else ALL_BELOW if raw < current else ""
        return self.finish(current, self.normalized(current, raw), reason, error)

    def compute(self, current: int) -> tuple[int, str, str | None]:
        """(largest proposal, its metric, error of those that failed); MetricError when scaling must not happen (1.6)."""
        self.check_selector()
        rules = rules_of(self.spec, self.settings)
        first: tuple[Metric, MetricError] | None = None
        best: Proposal | None = None
        statuses: list[MetricStatus | None] = []
        for metric in self.spec.metrics:
            try:
                proposal = propose(metric, self.seen, current, rules, self.now_s)
            except MetricError as failure:
                self.tried.append(Tried(kind=metric.kind, replicas=None, error=str(failure), label=failure.kind))
                self.warn(reason_of(metric), str(failure))
                statuses.append(None)
                first = first or (metric, failure)
                continue
            self.tried.append(Tried(kind=metric.kind, replicas=proposal.replicas))
            statuses.append(proposal.status)
            if best is None or best.replicas == 0 or proposal.replicas > best.replicas:
                best = proposal
        self.metrics = tuple(statuses)
        error = None
        if first is not None:
            failed = sum(one.error is not None for one in self.tried)
            error = f"invalid metrics ({failed} invalid out of {len(self.spec.metrics)}), first error is: {wrapped(*first)}"
        if best is None or (first is not None and best.replicas < current):
            if first is not None:
                message = f"the HPA was unable to compute the replica count: {first[1]}"
                self.condition("ScalingActive", "False", reason_of(first[0]), message)
            raise MetricError(error or "no metrics are given")
        message = f"the HPA was able to successfully calculate a replica count from {best.label}"
        self.condition("ScalingActive", "True", "ValidMetricFound", message)
        return best.replicas, best.label, error

    def check_selector(self) -> None:
        if not self.seen.selector:
            self.warn("SelectorRequired", "selector is required")
            self.condition("ScalingActive", "False", "InvalidSelector", "the HPA target's scale is missing a selector")
            raise MetricError("selector is required")
        try:
            parsed(self.seen.selector)
        except ValueError as failure:
            text = f"couldn't convert selector into a corresponding internal selector object: {failure}"
            self.warn("InvalidSelector", text)
            self.condition("ScalingActive", "False", "InvalidSelector", text)
            raise MetricError(text) from None
        found = list({id(pod.labels): pod.labels for pod in self.seen.pods}.values())
        others = [name for name, selector in self.seen.other_selectors.items() if any(map(parsed(selector).matches, found))]
        if others:
            own = f"{self.spec.namespace}/{self.spec.name}"
            text = f"pods by selector {self.seen.selector} are controlled by multiple HPAs: [{' '.join((own, *others))}]"
            self.warn("AmbiguousSelector", text)
            self.condition("ScalingActive", "False", "AmbiguousSelector", text)
            raise MetricError(text)

    def normalized(self, current: int, raw: int) -> int:
        """Stabilization and limits (1.7, 1.8), with their conditions."""
        behavior, settings = self.spec.behavior, self.settings
        history = self.history.recommendations or ()
        bounds = Bounds(
            minimum=self.spec.minimum, maximum=self.spec.maximum, legacy_factor=settings.legacy_factor, legacy_least=settings.legacy_least
        )
        if behavior is None:
            stable = hpa_limits.stabilize_legacy(history, raw, settings.downscale_stabilization_s, self.now_s)
            limited = hpa_limits.limit_legacy(current, stable.replicas, bounds)
        else:
            down_s = settings.downscale_stabilization_s if behavior.down.window_s is None else behavior.down.window_s
            stable = hpa_limits.stabilize(history, current, raw, behavior.up.window_s or 0.0, down_s, self.now_s)
            limited = hpa_limits.limit(current, stable.replicas, bounds, self.history, behavior, self.now_s)
        self.history = replace(self.history, recommendations=stable.recommendations)
        self.condition("AbleToScale", "True", stable.reason, hpa_limits.REASONS[stable.reason])
        self.condition("ScalingLimited", "False" if limited.replicas == stable.replicas else "True", limited.reason, limited.message)
        return limited.replicas

    def finish(self, current: int, desired: int, reason: str, error: str | None) -> Outcome:
        """Write the new size where it differs, and the status."""
        before = self.state.status
        if desired == current:
            return self.outcome(replace(before, current=current, desired=current, metrics=self.metrics), error=error)
        size = f"New size: {desired}; reason: {reason}"
        if self.seen.update_error is not None:
            self.warn("FailedRescale", f"{size}; error: {self.seen.update_error}")
            message = f"the HPA controller was unable to update the target scale: {self.seen.update_error}"
            self.condition("AbleToScale", "False", "FailedUpdateScale", message)
            failed = f"failed to rescale {self.spec.namespace}/{self.spec.name}: {self.seen.update_error}"
            return self.outcome(replace(before, current=current, metrics=self.metrics), error=failed)
        self.condition("AbleToScale", "True", "SucceededRescale", f"the HPA controller was able to update the target scale to {desired}")
        self.events.append(HpaEvent(type="Normal", reason="SuccessfulRescale", message=size))
        self.history = hpa_limits.rescaled(self.history, current, desired, self.spec.behavior, self.now_s)
        self.note_zero(desired)
        status = Status(current=current, desired=desired, metrics=self.metrics, last_scale_s=self.now_s)
        return self.outcome(status, scale_to=desired, error=error)

    def note_zero(self, desired: int) -> None:
        """The condition ScaledToZero after a rescale (1.9)."""
        if not (self.settings.zero_condition and self.settings.scale_to_zero):
            return
        if desired == 0:
            self.condition("ScaledToZero", "True", "ScaledToZero", "the HPA controller scaled the target to zero")
        elif any(one.type == "ScaledToZero" for one in self.conditions):
            self.condition("ScaledToZero", "False", "NotScaledToZero", "the HPA controller scaled the target above zero")


def reconcile(spec: Spec, state: State, observation: Observation, settings: Settings, now_s: float) -> Outcome:
    """One reconcile (1.3). Pure: the same arguments give the same outcome; nothing is changed.

    >>> metric = Metric(kind="Resource", name="cpu", target="Utilization", percent=50)
    >>> pod = PodView(name="a", start_s=-900.0, transition_s=-800.0, containers=(ContainerView(name="c", requests_milli={"cpu": 100}),))
    >>> seen = Observation(spec_replicas=1, observed_replicas=1, selector="app=web", pods=(pod,),
    ...                    resources={"cpu": {"a": Sample(milli={"c": 150})}})
    >>> reconcile(Spec(name="web", maximum=10, metrics=(metric,)), State(), seen, Settings(), 0.0).scale_to
    3
    """
    return _Pass(spec, state, observation, settings, now_s).run()
