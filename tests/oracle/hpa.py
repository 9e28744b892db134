"""Runs cases like hpa_cases.json through the product's own functions: one checker per group."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from simulate.control import hpa, hpa_limits, hpa_metrics
from simulate.control.hpa_limits import Behavior, Bounds, History, Policy, Recommendation, Rule, ScaleEvent
from simulate.control.hpa_metrics import ContainerView, Failure, Metric, MetricError, Observation, PodView, Rules, Sample, Tolerance, Young

Case = Mapping[str, Any]
NOW_S = 0.0
"""Ages count back from here."""

LABELS = {"name": "test-pod"}


def differs(what: str, expected: Any, got: Any) -> str | None:
    """None when equal, else one line."""
    return None if expected == got else f"{what}: expected {expected!r}, got {got!r}"


def first(reasons: Iterable[str | None]) -> str | None:
    """The first reason that is one."""
    return next((reason for reason in reasons if reason), None)


# ------------------------------------------------------------------ reading cases


def containers(data: Iterable[Case]) -> tuple[ContainerView, ...]:
    """Containers with the requests that they have."""
    result = []
    for one in data:
        found = {key.removesuffix("_request_milli"): value for key, value in one.items() if key.endswith("_request_milli")}
        result.append(ContainerView(name=one["name"], requests_milli={k: v for k, v in found.items() if v is not None}))
    return tuple(result)


def ready(data: Case) -> tuple[Any, float]:
    """(status of the Ready condition or None, its time)."""
    if "ready_condition" in data:
        condition = data["ready_condition"]
        return (None, NOW_S) if condition is None else (condition["status"], NOW_S - condition["transition_age_s"])
    value = data.get("ready")
    age = data.get("ready_transition_age_s")
    return (None if value is None else str(value) if isinstance(value, str) else "True" if value else "False", NOW_S - (age or 0.0))


def restartable(container: Case) -> bool:
    """Whether an init container is a sidecar; only those are of interest, so one that does not say is."""
    return container.get("restart_policy", "Always") == "Always" and bool(container.get("restartable", True))


def pod(data: Case, labels: Mapping[str, str] = LABELS) -> PodView:
    """A pod of a case."""
    status, transition_s = ready(data)
    age = data.get("start_age_s")
    level = {
        key.removeprefix("pod_level_").removesuffix("_request_milli"): value
        for key, value in data.items()
        if key.startswith("pod_level_") and value is not None
    }
    return PodView(
        name=data["name"],
        phase=data.get("phase", "Running"),
        deleting=data.get("deleting", False),
        ready=status,
        start_s=None if age is None else NOW_S - age,
        transition_s=transition_s,
        containers=containers(data.get("containers", ())),
        sidecars=containers(one for one in data.get("init_containers") or () if restartable(one)),
        pod_requests_milli=level,
        labels=labels,
    )


def sample(data: Case, resource: str) -> Sample:
    """A pod's sample."""
    if "containers" in data:
        values = {
            one["name"]: one[f"{resource}_usage_milli"] for one in data["containers"] if one.get(f"{resource}_usage_milli") is not None
        }
    else:
        values = {"": data["value_milli"]}
    return Sample(milli=values, time_s=NOW_S - data.get("sample_age_s", 0.0), window_s=data.get("window_s", 60))


def samples(data: Iterable[Case], resource: str = "cpu") -> dict[str, Sample]:
    """Samples by pod."""
    return {one["pod"]: sample(one, resource) for one in data}


def rules(case: Case) -> Rules:
    """Rules of a replica_calculator or group_pods case; a container absent from a sample is an error in the oldest release only."""
    tolerance = case.get("tolerance", {})
    return Rules(
        tolerance=Tolerance(down=tolerance.get("scale_down", 0.1), up=tolerance.get("scale_up", 0.1)),
        young=Young(initialization_s=case["cpu_initialization_period_s"], readiness_delay_s=case["initial_readiness_delay_s"]),
        absent_container_fails=old(case),
        namespace="test-namespace",
    )


def old(case: Case) -> bool:
    """Whether the case was taken from the base release."""
    return str(case.get("source", {}).get("version", "")).startswith("1.28")


def direction(data: Case | None, name: str) -> Rule:
    """One direction of a behavior in a case's words, defaults filled."""
    base = hpa_limits.DEFAULT_UP if name == "up" else hpa_limits.DEFAULT_DOWN
    if data is None:
        return base
    policies = data.get("policies")
    return Rule(
        policies=base.policies
        if policies is None
        else tuple(Policy(type=one["type"], value=one["value"], period_s=one["period_s"]) for one in policies),
        select=data.get("select_policy") or base.select,
        window_s=data.get("stabilization_window_s"),
        tolerance=data.get("tolerance"),
    )


def events(data: Iterable[Case]) -> tuple[ScaleEvent, ...]:
    """Scale events."""
    return tuple(ScaleEvent(one["replica_change"], NOW_S - one["age_s"], one.get("outdated", False)) for one in data)


def recommendations(data: Iterable[Case] | None) -> tuple[Recommendation, ...] | None:
    """Recommendation history."""
    return None if data is None else tuple(Recommendation(one["replicas"], NOW_S - one["age_s"]) for one in data)


# ------------------------------------------------------------------ small groups


def group_pods(case: Case) -> str | None:
    """1.4."""
    setup = rules(case)
    groups = hpa_metrics.group_pods(map(pod, case["pods"]), samples(case["pod_metrics"]), case["resource"], setup.young, NOW_S)
    expected = case["expect"]
    got = {"unready": groups.unready, "missing": groups.missing, "ignored": groups.ignored}
    return first(
        [
            differs("ready_pod_count", expected["ready_pod_count"], groups.ready),
            *(differs(key, sorted(expected[key]), sorted(value)) for key, value in got.items()),
        ]
    )


def failing(expected: Case, call: Callable[[], str | None]) -> str | None:
    """Run `call`, which compares; or expect its MetricError."""
    text = expected.get("error", expected.get("error_contains"))
    try:
        reason = call()
    except MetricError as error:
        return None if text is not None and text in str(error) else f"error: expected {text!r}, got {str(error)!r}"
    return reason if text is None else f"error: expected {text!r}, got a result"


def calculate_requests(case: Case) -> str | None:
    """1.5, requests."""
    pods = [] if case["pod"] is None else [pod(case["pod"])]

    def call() -> str | None:
        level = case["pod_level_resources_feature"]
        return differs(
            "requests",
            case["expect"].get("requests_milli"),
            hpa_metrics.requests(pods, case["resource"], case["container"], pod_level=level),
        )

    return failing(case["expect"], call)


def per_pod_usage(case: Case) -> str | None:
    """1.6, reported average."""
    return differs("usage", case["expect"]["per_pod_usage_milli"], hpa_metrics.per_pod_usage(case["usage_milli"], case["status_replicas"]))


def utilization_ratio(case: Case) -> str | None:
    """The two ratio functions of 1.5."""
    expected = case["expect"]

    def call() -> str | None:
        if case["kind"] == "utilization_ratio":
            ratio, percent, average = hpa_metrics.utilization_ratio(
                case["pod_metrics"], case["pod_requests"], case["target_utilization_pct"]
            )
            got = {"utilization_pct": percent, "average_value": average}
        else:
            ratio, usage = hpa_metrics.usage_ratio(case["pod_metrics"], case["target_usage"])
            got = {"usage": usage}
        near = math.isclose(ratio, expected["ratio"], rel_tol=0, abs_tol=1e-9) if "ratio" in expected else True
        return first([None if near else f"ratio {ratio}", *(differs(key, expected.get(key, value), value) for key, value in got.items())])

    return failing(expected, call)


def legacy_limits(case: Case) -> str | None:
    """1.7 rule 4."""
    bounds = Bounds(
        minimum=case["min_replicas"],
        maximum=case["max_replicas"],
        legacy_factor=case["scale_up_limit_factor"],
        legacy_least=case["scale_up_limit_minimum"],
    )
    return limited(case["expect"], hpa_limits.limit_legacy(case["current_replicas"], case["desired_replicas"], bounds))


def limited(expected: Case, got: hpa_limits.Limited) -> str | None:
    """Replicas and reason."""
    return first([differs("replicas", expected["replicas"], got.replicas), differs("reason", expected["reason"], got.reason)])


def policy_limit(case: Case) -> str | None:
    """1.8, limit of the policies."""
    history = History(ups=events(case["scale_up_events"]), downs=events(case["scale_down_events"]))
    rule = direction(case["rules"], case["direction"])
    return differs(
        "limit", case["expect"]["limit"], hpa_limits.policy_limit(case["direction"], case["current_replicas"], history, rule, NOW_S)
    )


def stabilize_legacy(case: Case) -> str | None:
    """1.7 rules 1 and 2."""
    history = recommendations(case["recommendation_history"]) or ()
    got = hpa_limits.stabilize_legacy(history, case["desired_replicas"], case["downscale_stabilization_window_s"], NOW_S)
    expected = case["expect"]
    return first(
        [
            differs("replicas", expected["stabilized_replicas"], got.replicas),
            differs("history length", expected["history_length_after"], len(got.recommendations)),
        ]
    )


def behavior_rate_limit(case: Case) -> str | None:
    """1.8, rate limit."""
    behavior = Behavior(up=direction(case["scale_up_rules"], "up"), down=direction(case["scale_down_rules"], "down"))
    history = History(ups=events(case["scale_up_events"]), downs=events(case["scale_down_events"]))
    bounds = Bounds(minimum=case["min_replicas"], maximum=case["max_replicas"])
    got = hpa_limits.limit(case["current_replicas"], case["desired_replicas"], bounds, history, behavior, NOW_S)
    return limited(case["expect"], got)


def store_scale_event(case: Case) -> str | None:
    """1.8, bookkeeping, in both directions."""
    before, change, expected = events(case["events_before"]), case["replica_change"], case["expect"]
    window = case.get("window_for_sum_s")
    counted = (
        None if window is None else differs("sum", expected["sum_of_changes_in_window_before"], hpa_limits.changed(before, window, NOW_S))
    )
    rule = None if case["rules"] is None else direction(case["rules"], "up")
    behavior = None if rule is None else Behavior(up=rule, down=rule)
    wanted = [(one["replica_change"], one["outdated"]) for one in expected["events_after"]]
    up = hpa_limits.rescaled(History(ups=before), 10, 10 + change, behavior, NOW_S).ups
    down = hpa_limits.rescaled(History(downs=before), 10, 10 - change, behavior, NOW_S).downs
    return first([counted, *(differs("events", wanted, [(one.change, one.outdated) for one in found]) for found in (up, down))])


def stabilize_with_behavior(case: Case) -> str | None:
    """1.8, stabilization."""
    history = recommendations(case["recommendation_history"]) or ()
    got = hpa_limits.stabilize(
        history, case["current_replicas"], case["desired_replicas"], case["scale_up_window_s"], case["scale_down_window_s"], NOW_S
    )
    after = case["expect"].get("history_after")
    return first(
        [
            differs("replicas", case["expect"]["stabilized_replicas"], got.replicas),
            None if after is None else differs("history", after, [one.replicas for one in got.recommendations]),
        ]
    )


def behavior_defaults(case: Case) -> str | None:
    """1.8, the API's defaults, through the API's own form."""
    given, name = case["rules_given"], case["direction"].removeprefix("scale_")
    words = {
        "policies": given["policies"]
        and [{"type": one["type"], "value": one["value"], "periodSeconds": one["period_s"]} for one in given["policies"]],
        "stabilizationWindowSeconds": given["stabilization_window_s"],
        "selectPolicy": given["select_policy"],
    }
    rule = hpa_limits.defaulted(words, name)
    got = {
        "policies": [{"type": one.type, "value": one.value, "period_s": one.period_s} for one in rule.policies],
        "stabilization_window_s": rule.window_s,
        "select_policy": rule.select,
    }
    return first(differs(key, case["expect"][key], value) for key, value in got.items())


def derived_tolerance_boundary(case: Case) -> str | None:
    """1.5, the edge of the tolerance, both rules."""
    pods = [
        PodView(
            name=f"p{i}", start_s=NOW_S - 1e6, transition_s=NOW_S - 1e6, containers=(ContainerView(name="c", requests_milli={"cpu": 100}),)
        )
        for i in range(case["ready_pods"])
    ]
    values = {one.name: Sample(milli={"c": case["utilization_pct"]}, time_s=NOW_S) for one in pods}
    metric = Metric(kind="Resource", name="cpu", target="Utilization", percent=case["target_utilization_pct"])
    reasons = []
    for name, legacy in (("replicas_current_rule", False), ("replicas_legacy_rule", True)):
        tolerance = Tolerance(down=case["tolerance"]["scale_down"], up=case["tolerance"]["scale_up"], legacy=legacy)
        got, _, _ = hpa_metrics.by_utilization(pods, values, metric, case["current_replicas"], Rules(tolerance=tolerance), NOW_S)
        reasons.append(differs(name, case["expect"][name], got))
    return first(reasons)


# ------------------------------------------------------------------ replica calculator


def calculated(case: Case) -> tuple[int, dict[str, int | None]]:
    """(replicas, reported values by the case's names) of one metric."""
    kind, current, setup = case["kind"], case["current_replicas"], rules(case)
    pods = [pod(one) for one in case.get("pods", ())]
    metric, seen = metric_and_observation(case, pods)
    proposal = hpa_metrics.propose(metric, seen, current, setup, NOW_S)
    status = proposal.status
    if kind.startswith("resource"):
        return proposal.replicas, {"utilization_pct": status.percent, "average_value_milli": status.average_milli}
    return proposal.replicas, {"usage_milli": status.value_milli if status.value_milli is not None else status.average_milli}


def metric_and_observation(case: Case, pods: list[PodView]) -> tuple[Metric, Observation]:
    """The metric of a replica_calculator case and what is seen."""
    name, _, aim = case["kind"].removeprefix("container_").partition("_")
    target = {"utilization": "Utilization", "average_value": "AverageValue", "value": "Value"}[aim]
    resource, container = case.get("resource", "cpu"), case.get("container")
    kinds = {"resource": "ContainerResource" if container else "Resource", "pods": "Pods", "object": "Object", "external": "External"}
    metric = Metric(
        kind=kinds[name],
        name=resource if name == "resource" else "qps",
        target=target,
        percent=case.get("target_utilization_pct"),
        milli=case.get("target_average_value_milli", case.get("target_value_milli")),
        container=container,
        described_kind="Deployment",
    )
    failed = Failure(text="error")
    found = samples(case.get("pod_metrics") or (), resource)
    value, values = case.get("object_value_milli"), case.get("external_values_milli")
    seen = Observation(
        spec_replicas=case["current_replicas"],
        observed_replicas=case["current_replicas"],
        selector="name=test-pod",
        pods=pods,
        resources={resource: found},
        pods_metrics={"qps": found},
        objects={"qps": failed if value is None else value},
        externals={"qps": failed if values is None else values},
    )
    return metric, seen


def replica_calculator(case: Case) -> str | None:
    """1.4 to 1.6 for one metric."""
    expected = case["expect"]

    def call() -> str | None:
        replicas, got = calculated(case)
        asserted = {key: value for key, value in got.items() if expected.get(key) is not None}
        return first(
            [differs("replicas", expected["replicas"], replicas), *(differs(key, expected[key], value) for key, value in asserted.items())]
        )

    return failing(expected, call)


# ------------------------------------------------------------------ whole reconciles


def metric_of(data: Case) -> Metric:
    """A metric in a case's words."""
    target, described = data.get("target", {}), data.get("described_object", {})
    aim = target.get("type", "")
    return Metric(
        kind=data["type"],
        name=data.get("resource", data.get("metric", "")),
        target=aim,
        percent=target.get("average_utilization_pct") if aim == "Utilization" else None,
        milli=target.get("average_value_milli", target.get("value_milli")),
        container=data.get("container"),
        described_kind=described.get("Kind", ""),
        described_name=described.get("Name", ""),
    )


def spec_of(case: Case) -> hpa.Spec:
    """The autoscaler of a case."""
    data = case["hpa"]
    behavior = data.get("behavior")
    return hpa.Spec(
        name="test-hpa",
        namespace="test-namespace",
        minimum=1 if data.get("min_replicas") is None else data["min_replicas"],
        maximum=data["max_replicas"],
        metrics=tuple(metric_of(one) for one in data["metrics"]) or (hpa.DEFAULT_METRIC,),
        behavior=None
        if behavior is None
        else Behavior(up=direction(behavior.get("scale_up"), "up"), down=direction(behavior.get("scale_down"), "down")),
    )


def settings_of(case: Case) -> hpa.Settings:
    """The controller of a case; cases of the base release know no ScaledToZero condition."""
    config = case["config"]
    return hpa.Settings(
        tolerance=config["tolerance"],
        downscale_stabilization_s=config["downscale_stabilization_window_s"],
        cpu_initialization_s=config["cpu_initialization_period_s"],
        initial_readiness_delay_s=config["initial_readiness_delay_s"],
        legacy_factor=config["legacy_scale_up_limit_factor"],
        legacy_least=config["legacy_scale_up_limit_minimum"],
        scale_to_zero=case.get("feature_gate_HPAScaleToZero", False),
        zero_condition="feature_gate_HPAScaleToZero" in case,
        own_tolerance=config.get("configurable_tolerance_feature", True),
        absent_container_fails=old(case),
    )


def pod_labels(faults: Iterable[str]) -> dict[str, str]:
    """Labels of the pods, where a remark gives them more than the usual one."""
    text = " ".join(faults)
    found = re.search(r"all pods carry labels ([^\s)]+)", text)
    return dict(part.split("=") for part in found.group(1).split(",")) if found else dict(LABELS)


def other_selectors(faults: Iterable[str]) -> dict[str, str]:
    """Selectors of other autoscalers; the remark after them is dropped."""
    found = {}
    for fault in faults:
        if fault.startswith("other_hpa_selector:"):
            text = fault.partition(":")[2].strip()
            found["test-namespace/other-hpa"] = re.split(r"\s+(?:and\s|\()", text)[0].strip().strip('"')
    return found


def selector_of(faults: Iterable[str]) -> str:
    """The selector in the target's status."""
    for fault in faults:
        if fault.startswith("scale_subresource_selector_empty"):
            return ""
        if fault.startswith("scale_subresource_selector_unparsable"):
            return fault.partition(":")[2].strip().strip('"') or "cheddar cheese"
    return "name=test-pod"


def observation_of(case: Case) -> Observation:
    """What the reconcile of a case reads."""
    faults, seen = case.get("faults") or [], case.get("observations") or {}
    failed = Failure(text="the server could not answer")
    custom, external, resource = (f"{name}_metrics_api_error" in faults for name in ("custom", "external", "resource"))
    metrics = case["hpa"]["metrics"]
    resources = {one["resource"] for one in metrics if one.get("resource")} | {"cpu"}
    names = {one["metric"] for one in metrics if one.get("metric")}
    return Observation(
        spec_replicas=case["spec_replicas"],
        observed_replicas=case["status_replicas"],
        selector=selector_of(faults),
        pods=tuple(pod(one, pod_labels(faults)) for one in case.get("pods", ())),
        resources={name: failed if resource else samples(seen.get("resource_pod_metrics") or (), name) for name in sorted(resources)},
        pods_metrics=dict.fromkeys(names, failed) if custom else {k: samples(v) for k, v in (seen.get("pods_metric") or {}).items()},
        objects=dict.fromkeys(names, failed) if custom else seen.get("object_metric_milli") or {},
        externals=dict.fromkeys(names, failed) if external else seen.get("external_metric_values_milli") or {},
        other_selectors=other_selectors(faults),
        scale_error="the target could not be read" if "get_scale_error" in faults else None,
        update_error="the target could not be written" if "update_scale_error" in faults else None,
    )


def action(before: int, after: int | None) -> str:
    """The label of the controller's counters."""
    return "none" if after is None or after == before else "scale_up" if after > before else "scale_down"


def stored(case: Case) -> hpa.State:
    """The state before the reconcile (see `stored state` of the cases' own description)."""
    size = case["spec_replicas"]
    age = case.get("last_scale_age_s")
    conditions = tuple(
        hpa.Condition(type=one["type"], status=one["status"], reason=one["reason"], since_s=NOW_S - 60)
        for one in case.get("initial_conditions") or ()
    )
    status = hpa.Status(current=size, desired=size, conditions=conditions, last_scale_s=None if age is None else NOW_S - age)
    return hpa.State(history=History(recommendations=recommendations(case["recommendation_history"])), status=status)


def reconcile(case: Case) -> str | None:
    """1.3 to 1.9, a whole reconcile."""
    expected, setup = case["expect"], settings_of(case)
    spec, seen, state = spec_of(case), observation_of(case), stored(case)
    if expected.get("status_write_expected") is False:  # the stored status is the one that such a reconcile computes
        state = hpa.State(history=state.history, status=hpa.reconcile(spec, state, seen, setup, NOW_S - 1).status)
    outcome = hpa.reconcile(spec, state, seen, setup, NOW_S)
    return compare(case, expected, outcome)


def compare(case: Case, expected: Case, outcome: hpa.Outcome) -> str | None:
    """Everything that the case asserts."""
    current, status = case["spec_replicas"], outcome.status
    reported = next(
        (one.percent for one in status.metrics or () if one is not None and one.percent is not None and one.name == "cpu"), None
    )
    asserted = {key: value for key, value in expected.items() if value is not None}
    got: dict[str, Any] = {
        "desired_replicas": status.desired,
        "scale_updated": outcome.scale_to is not None,
        "conditions": [{"type": one.type, "status": one.status, "reason": one.reason} for one in status.conditions],
        "reported_cpu_utilization_pct": reported,
        "reconcile_action": action(current, outcome.scale_to),
        "reconcile_error": "none" if outcome.error is None else "internal",
        "metric_actions": {one.kind: action(current, one.replicas) for one in outcome.metrics},
        "metric_errors": {one.kind: one.label for one in outcome.metrics},
        "status_write_expected": outcome.write_status,
        "events": [{"reason": one.reason, "message": one.message} for one in outcome.events],
    }
    unknown = sorted(set(asserted) - set(got))
    if unknown:
        return f"expectations not known: {', '.join(unknown)}"
    if "conditions" in asserted:
        wanted = [{key: one[key] for key in ("type", "status", "reason")} for one in asserted["conditions"]]
        asserted |= {"conditions": wanted}
    if "events" in asserted:
        asserted |= {"events": [{key: one[key] for key in ("reason", "message")} for one in asserted["events"]]}
    return first(differs(key, value, got[key]) for key, value in asserted.items())


GROUPS: dict[str, Callable[[Case], str | None]] = {
    "replica_calculator": replica_calculator,
    "group_pods": group_pods,
    "calculate_requests": calculate_requests,
    "per_pod_usage": per_pod_usage,
    "reconcile": reconcile,
    "scale_to_zero_master": reconcile,
    "legacy_limits": legacy_limits,
    "policy_limit": policy_limit,
    "stabilize_legacy": stabilize_legacy,
    "behavior_rate_limit": behavior_rate_limit,
    "store_scale_event": store_scale_event,
    "stabilize_with_behavior": stabilize_with_behavior,
    "utilization_ratio": utilization_ratio,
    "behavior_defaults": behavior_defaults,
    "derived_tolerance_boundary": derived_tolerance_boundary,
}


def judge(function: Callable[[Case], str | None], case: Case) -> str | None:
    """The reason, also when the function could not read the case."""
    try:
        return function(case)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def run(paths: Iterable[Path | str]) -> Iterable[tuple[str, str | None]]:
    """(case, None or the reason of the failure) of every case in the files."""
    for path in paths:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        for group, cases in content.items():
            if group.startswith("_"):
                continue
            for case in cases:
                name = f"{group}/{case['id']}"
                yield name, judge(GROUPS[group], case) if group in GROUPS else "group not supported"
