"""What a summary shows that a reader should act on, each with the fact behind it. One rule a function; silence is "nothing to say"."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from simulate.metrics import Summary, WorkloadFacts
from simulate.report.blocks import number, percent

THROTTLED_RATIO = 0.1
AT_MAXIMUM_RATIO = 0.05
UNANSWERED = 10
UNANSWERED_RATIO = 0.001


def advice(summary: Summary) -> list[str]:
    """Sentences in a fixed order."""
    return [text for rule in RULES for text in rule(summary)]


def _ended(summary: Summary, causes: Iterable[str]) -> int:
    return sum(felt.failed.get(cause, 0) for felt in summary.totals for cause in causes)


def _terminating(summary: Summary) -> Iterable[str]:
    """Requests fail when a server stops listening before the last proxy knows (kubernetes-semantics.md 6.6)."""
    lost = sum(
        felt.failed.get("refused", 0) + felt.failed.get("killed", 0) + felt.failed.get("dependency", 0)
        for felt in summary.felt
        if any(felt.start_s <= end.t_s + end.lasting_s and end.t_s < felt.end_s for end in summary.endings)
    )
    without = {facts.name for facts in summary.context.workloads if not facts.prestop_s}
    bare = sorted({end.workload for end in summary.endings} & without)
    if lost and bare:
        names = ", ".join(bare)
        yield (
            f"{number(lost)} requests failed while pods of {names} were ending, which have no preStop hook: they stop listening before"
            " every proxy knows. A preStop sleep of a few seconds avoids it;"
            f" `simulate rollout --deployment {bare[0]} --pre-stop 0s,5s` shows by how much."
        )


def _throttled(summary: Summary) -> Iterable[str]:
    for facts in summary.context.workloads:
        most = max((row.throttled_ratio for row in summary.used_by.get(facts.name, ())), default=0.0)
        if most > THROTTLED_RATIO:
            yield f"{facts.name} is throttled in up to {percent(most)} of its CPU periods: its limit makes requests wait, not the node."


def _at_maximum(summary: Summary) -> Iterable[str]:
    for scaler in summary.context.autoscalers:
        records = [record for record in summary.hpa if record.name == scaler.name]
        over = [
            record
            for record in records
            if record.current >= scaler.maximum
            and record.utilization_percent is not None
            and record.target_percent is not None
            and record.utilization_percent > 1.1 * record.target_percent
        ]
        if records and len(over) > AT_MAXIMUM_RATIO * len(records):
            yield (
                f"The autoscaler of {scaler.target} stood at its maximum of {scaler.maximum}"
                f" and wanted more in {len(over)} of {len(records)} syncs."
            )


def _blind(summary: Summary) -> Iterable[str]:
    for scaler in summary.context.autoscalers:
        records = [record for record in summary.hpa if record.name == scaler.name]
        if records and all(record.utilization_percent is None for record in records) and scaler.cpu_percent is not None:
            yield f"The autoscaler of {scaler.target} never knew its CPU: `<unknown>` all along. Its pods need requests.cpu."


def _memory(summary: Summary) -> Iterable[str]:
    lost = _ended(summary, ("oom",))
    if lost:
        yield f"{number(lost)} requests died with a pod that ran out of memory: raise limits.memory, or lower the number of workers."


def _timeouts(summary: Summary) -> Iterable[str]:
    lost = _ended(summary, ("timed_out",))
    if lost:
        yield f"{number(lost)} requests timed out: they were served too late, or by a host that no longer answers."


def _unanswered(summary: Summary) -> Iterable[str]:
    """A request without a timeout waits for ever for a host that was lost: it is never counted as failed (model.md 5, 9)."""
    for felt in summary.totals:
        if felt.in_flight >= UNANSWERED and felt.in_flight > UNANSWERED_RATIO * felt.arrived:
            yield (
                f"{number(felt.in_flight)} of {number(felt.arrived)} requests to {felt.service} had no answer when the run ended, and count"
                " neither as ok nor as failed: load beyond what is served, or a lost host and no `timeout` in the scenario's `balancing`."
            )


def _alone(summary: Summary) -> Iterable[str]:
    """One pod is one failure away from none."""
    reached = [facts for facts in summary.context.workloads if _reached(summary, facts)]
    wanted = {name: max(row.wanted for row in rows) for name, rows in summary.replicas_by.items()}
    alone = [facts.name for facts in reached if wanted.get(facts.name) == 1]
    if alone:
        yield f"One pod only, so a lost node or a restart means failed requests: {', '.join(alone)}."


def _reached(summary: Summary, facts: WorkloadFacts) -> bool:
    return any(row.used_cores > 0 for row in summary.used_by.get(facts.name, ()))


RULES: tuple[Callable[[Summary], Iterable[str]], ...] = (
    _terminating,
    _memory,
    _timeouts,
    _unanswered,
    _throttled,
    _at_maximum,
    _blind,
    _alone,
)
