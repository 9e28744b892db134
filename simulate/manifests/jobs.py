"""What Jobs and CronJobs add to a pod template (batch/v1), each fault with its place."""

from __future__ import annotations

from simulate.manifests.fields import Fields
from simulate.schedule import next_after, parse, zone
from simulate.spec import CronRules, FailureRule, JobRules, SuccessRule

UNBOUNDED = 2**31 - 1
"""The backoffLimit where one per index is said."""


def job_rules(spec: Fields) -> JobRules:
    """The rules of a JobSpec. Faults: what the API server refuses of them."""
    indexed = spec.choice("completionMode", ("NonIndexed", "Indexed"), "NonIndexed") == "Indexed"
    parallelism = spec.integer("parallelism", 1)
    queue = spec.has("parallelism") and not spec.has("completions")
    per_index = spec.integer("backoffLimitPerIndex", 0) if spec.has("backoffLimitPerIndex") else None
    restart = spec.fields("template").fields("spec").choice("restartPolicy", ("Never", "OnFailure"), "Never")
    rules = tuple(_failure_rule(one) for one in spec.fields("podFailurePolicy").each("rules"))
    if indexed and not spec.has("completions"):
        spec.fault("completions", "is required with completionMode Indexed")
    for key in ("backoffLimitPerIndex", "successPolicy"):
        if spec.has(key) and not indexed:
            spec.fault(key, "needs completionMode Indexed")
    if spec.has("maxFailedIndexes") and per_index is None:
        spec.fault("maxFailedIndexes", "needs backoffLimitPerIndex")
    if rules and restart != "Never":
        spec.fault("podFailurePolicy", "needs restartPolicy Never")
    replace_when = spec.choice("podReplacementPolicy", ("TerminatingOrFailed", "Failed"), "Failed" if rules else "TerminatingOrFailed")
    return JobRules(
        parallelism=parallelism,
        completions=None if queue else spec.integer("completions", 1),
        indexed=indexed,
        backoff_limit=spec.integer("backoffLimit", 6 if per_index is None else UNBOUNDED),
        backoff_limit_per_index=per_index,
        max_failed_indexes=spec.integer("maxFailedIndexes", 0) if spec.has("maxFailedIndexes") else None,
        deadline_s=_seconds(spec, "activeDeadlineSeconds", 1),
        ttl_s=_seconds(spec, "ttlSecondsAfterFinished", 0),
        suspended=spec.flag("suspend"),
        restart="OnFailure" if restart == "OnFailure" else "Never",
        replace_when="Failed" if replace_when == "Failed" else "TerminatingOrFailed",
        rules=rules,
        success=tuple(_success_rule(one) for one in spec.fields("successPolicy").each("rules")),
    )


def _seconds(spec: Fields, key: str, minimum: int) -> float | None:
    return float(spec.integer(key, minimum, minimum=minimum)) if spec.has(key) else None


def _failure_rule(item: Fields) -> FailureRule:
    action = item.choice("action", ("FailJob", "FailIndex", "Ignore", "Count"), "Count")
    codes = item.fields("onExitCodes")
    conditions = tuple((str(one.text("type")), one.text("status") or "True") for one in item.each("onPodConditions"))
    if item.has("onExitCodes") == bool(conditions):
        item.fault(None, "needs one of onExitCodes and onPodConditions")
    values = codes.value.get("values")
    if item.has("onExitCodes") and not (isinstance(values, list) and values and all(isinstance(v, int) for v in values)):
        codes.fault("values", "must be a list of whole numbers")
        values = []
    operator = codes.choice("operator", ("In", "NotIn"), "In")
    return FailureRule(
        action=action,  # type: ignore[arg-type]
        operator=None if conditions else ("NotIn" if operator == "NotIn" else "In"),
        codes=tuple(values or ()),
        container=codes.text("containerName"),
        conditions=conditions,
    )


def _success_rule(item: Fields) -> SuccessRule:
    text = item.text("succeededIndexes")
    indexes = None if text is None else indexes_of(text)
    if text is not None and indexes is None:
        item.fault("succeededIndexes", f"is no list of indexes: {text!r}")
    if text is None and not item.has("succeededCount"):
        item.fault(None, "needs succeededIndexes or succeededCount")
    return SuccessRule(indexes=indexes, count=item.integer("succeededCount", 1, minimum=1) if item.has("succeededCount") else None)


def indexes_of(text: str) -> frozenset[int] | None:
    """The indexes of a list; None where it is none.

    >>> sorted(indexes_of("1,3-5")), indexes_of("5-3")
    ([1, 3, 4, 5], None)
    """
    found: set[int] = set()
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        if not low.isdigit() or (dash and not high.isdigit()) or int(high or low) < int(low) or int(high or low) - int(low) > 10**5:
            return None
        found.update(range(int(low), int(high or low) + 1))
    return frozenset(found)


def cron_rules(spec: Fields) -> CronRules:
    """The rules of a CronJobSpec; a schedule or a time zone that there is not is a fault."""
    schedule, where = spec.text("schedule"), spec.text("timeZone")
    if schedule is None:
        spec.fault(None, "needs a schedule")
    try:
        if next_after(parse(schedule or "@yearly"), 0.0) is None:
            spec.fault("schedule", f"{schedule!r} never comes")
    except ValueError as error:
        spec.fault("schedule", f"is no schedule: {error}")
        schedule = None
    try:
        zone(where)
    except ValueError as error:
        spec.fault("timeZone", str(error))
        where = None
    concurrency = spec.choice("concurrencyPolicy", ("Allow", "Forbid", "Replace"), "Allow")
    return CronRules(
        schedule=schedule or "@yearly",
        zone=where,
        concurrency=concurrency,  # type: ignore[arg-type]
        starting_deadline_s=_seconds(spec, "startingDeadlineSeconds", 0),
        suspended=spec.flag("suspend"),
        keep_succeeded=spec.integer("successfulJobsHistoryLimit", 3),
        keep_failed=spec.integer("failedJobsHistoryLimit", 1),
    )
