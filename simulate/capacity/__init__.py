"""Changes of a specification, and the search over `engine.run` for the cheapest settings that keep the objective.

The search is an honest first form. It looks at whole settings by simulating them, never by a formula: replicas grow at the bottleneck
until the objective holds, then every workload shrinks by bisection as long as it holds (that more replicas never hurt is assumed);
requests are read off the busiest window; the highest HPA target that holds is taken; the head-room is found by bisection on the load.
One draw screens, all draws decide.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from simulate.capacity.changes import (
    Change,
    autoscalers,
    deployment_of,
    rollouts,
    with_autoscaler,
    with_load,
    with_prestop,
    with_replicas,
    with_requests,
    with_rollout,
    with_workload,
)
from simulate.capacity.demand import mean_of, pod_cores, visits
from simulate.metrics import Summary, context, intervals, seconds, summarize
from simulate.model import total
from simulate.problems import InputError, Problem
from simulate.spec import ClusterSpec
from simulate.trace import Trace

Run = Callable[[ClusterSpec, int], Trace]
Progress = Callable[[str, float | None], None]

MOST_REPLICAS = 200
IDLE_RATIO = 0.1
PRESTOP_MARGIN_S = 4
TARGETS_PERCENT = (80, 70, 60, 50, 40, 30)
MOST_LOAD = 8.0
LOAD_STEP = 0.05
WORTH_RATIO = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What to set for one workload. `autoscaler`: (min, max, CPU percent), None = none."""

    workload: str
    replicas: int
    cpu_request_cores: float | None
    memory_request_bytes: float | None
    autoscaler: tuple[int, int, int] | None
    prestop_s: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One setting that was simulated: `held` in how many of `draws`."""

    what: str
    held: int
    draws: int
    clauses: str
    pod_hours: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Headroom:
    """The objective holds at `holds` times the load and breaks at `breaks` (None: not up to `MOST_LOAD`, or it cannot be changed)."""

    holds: float | None
    breaks: float | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What was found. `found`: whether some setting keeps the objective; `spec` and `traces` are of it (else as given, and `why`)."""

    found: bool
    why: str
    settings: tuple[Setting, ...]
    headroom: Headroom
    headroom_as_given: Headroom
    tried: tuple[Tried, ...]
    spec: ClusterSpec
    traces: tuple[Trace, ...]
    given: tuple[Trace, ...]


@dataclass(slots=True)
class _Search:
    """Machinery of one search: runs each setting and seed once."""

    run: Run
    seeds: tuple[int, ...]
    progress: Progress
    tried: list[Tried] = field(default_factory=list)

    def look(self, spec: ClusterSpec, what: str, draws: int) -> tuple[list[Summary], list[Trace]]:
        self.progress(what, None)
        traces = [self.run(spec, seed) for seed in self.seeds[:draws]]
        facts = context(spec)
        summaries = [summarize(facts, trace) for trace in traces]
        held = sum(bool(summary.held) for summary in summaries)
        self.tried.append(
            Tried(what=what, held=held, draws=len(traces), clauses=_clauses(summaries), pod_hours=intervals(summaries)["pod hours"].mean)
        )
        return summaries, traces

    def holds(self, spec: ClusterSpec, what: str, draws: int = 1) -> bool:
        return _keeps(self.look(spec, what, draws)[0])


def _keeps(summaries: Sequence[Summary]) -> bool:
    """Every draw holds, and so does the upper end of each clause's 95 % interval."""
    if not all(summary.held for summary in summaries):
        return False
    found = intervals(summaries)
    for verdict in summaries[0].verdicts:
        name = f"{verdict.service} {verdict.clause}" + ("" if verdict.clause == "error ratio" else " (s)")
        if name in found and (found[name].mean + (found[name].half_width or 0.0)) > verdict.wanted:
            return False
    return True


def _clauses(summaries: Sequence[Summary]) -> str:
    parts = []
    for i, verdict in enumerate(summaries[0].verdicts):
        worst = max(math.inf if had is None else had for had in (summary.verdicts[i].had for summary in summaries))
        shown = "none ended well" if worst == math.inf else f"{worst * 100:.3g} %" if verdict.clause == "error ratio" else seconds(worst)
        parts.append(f"{verdict.clause} {shown}")
    return ", ".join(parts)


def plan(spec: ClusterSpec, run: Run, *, replications: int = 3, progress: Progress = lambda _, __: None) -> Plan:
    """The smallest replica counts, requests and HPA targets that keep the objective for this load, and the head-room.

    `run` is `engine.run`. InputError without an objective or without load.
    """
    if not spec.objectives:
        message = "has no objective, and without one every setting is good enough"
        raise InputError([Problem(file="scenario", line=0, column=0, message=message)])
    search = _Search(run=run, seeds=tuple(spec.seed + i for i in range(replications)), progress=progress)
    given, given_traces = search.look(spec, "as given", replications)
    base, patient = _patience(search, spec, given)
    fixed = replace(base, autoscalers=tuple(a for a in base.autoscalers if a.target not in _scalable(spec)))
    replicas, why = _grow(search, fixed, replications)
    if why:
        headroom = _headroom(search, spec, _keeps(given), "as given")
        return Plan(
            found=False,
            why=why,
            settings=(),
            headroom=headroom,
            headroom_as_given=headroom,
            tried=tuple(search.tried),
            spec=spec,
            traces=tuple(given_traces),
            given=tuple(given_traces),
        )
    replicas = _shrink(search, fixed, replicas, replications)
    chosen = _requests(search, with_replicas(fixed, replicas), replications)
    chosen, scaled = _autoscale(search, chosen, replicas, replications)
    summaries, traces = search.look(chosen, "the settings found", replications)
    return Plan(
        found=_keeps(summaries),
        why="" if _keeps(summaries) else "they hold in every draw, but their intervals reach beyond the objective",
        settings=tuple(_setting(chosen, name, scaled.get(name), name in patient) for name in _scalable(chosen)),
        headroom=_headroom(search, chosen, _keeps(summaries), "the settings found"),
        headroom_as_given=_headroom(search, spec, _keeps(given), "as given"),
        tried=tuple(search.tried),
        spec=chosen,
        traces=tuple(traces),
        given=tuple(given_traces),
    )


def _patience(search: _Search, spec: ClusterSpec, given: Sequence[Summary]) -> tuple[ClusterSpec, frozenset[str]]:
    """A preStop sleep for Deployments whose pods end without one, where that at least halves the failed requests of the first draw."""
    failed = _failed(given[0])
    ending = {end.workload for end in given[0].endings}
    bare = [
        w for w in spec.workloads if w.kind == "Deployment" and w.name in ending and not any(c.prestop_s for c in w.template.containers)
    ]
    if not failed or not bare or all(verdict.held for verdict in given[0].verdicts if verdict.clause == "error ratio"):
        return spec, frozenset()
    stop_s = float(math.ceil(spec.control.endpoints_s) + PRESTOP_MARGIN_S)
    changed = spec
    for workload in bare:
        changed = with_workload(changed, workload.name, template=with_prestop(workload.template, stop_s))
    summaries, _ = search.look(changed, f"preStop sleep of {stop_s:g} s for {', '.join(w.name for w in bare)}", 1)
    return (changed, frozenset(w.name for w in bare)) if _failed(summaries[0]) <= failed / 2 else (spec, frozenset())


def _failed(summary: Summary) -> int:
    return sum(sum(felt.failed.values()) for felt in summary.totals)


def _scalable(spec: ClusterSpec) -> list[str]:
    """Deployments that requests reach, busiest first by CPU per request."""
    weight = visits(spec)
    work = {b.name: sum(mean_of(step.cpu_s) for step in b.program if step.cpu_s) for b in spec.traffic.behaviours}
    names = [w.name for w in spec.workloads if w.kind == "Deployment" and w.name in weight]
    return sorted(names, key=lambda name: (-weight[name] * work[name], name))


def _named(replicas: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in replicas.items())


def _utilization(spec: ClusterSpec, summary: Summary) -> dict[str, float]:
    """Busiest window of each scalable workload, of the cores that its pods can use."""
    found = {}
    for name in _scalable(spec):
        bound = pod_cores(spec, name)
        found[name] = max((row.used_cores / (row.pods * bound) for row in summary.used_by.get(name, ()) if row.pods), default=0.0)
    return found


def _grow(search: _Search, spec: ClusterSpec, draws: int) -> tuple[dict[str, int], str]:
    """Replicas added at the bottleneck until the objective holds in all draws; else why more of them do not help."""
    replicas = dict.fromkeys(_scalable(spec), 1)
    while replicas:
        trial = with_replicas(spec, replicas)
        summaries, _ = search.look(trial, f"fixed: {_named(replicas)}", 1)
        if _keeps(summaries) and (draws == 1 or search.holds(trial, f"fixed: {_named(replicas)}", draws)):
            return replicas, ""
        busy = _utilization(trial, summaries[0])
        worst = max(sorted(busy), key=busy.__getitem__)
        if busy[worst] < IDLE_RATIO:
            missed = ", ".join(f"{v.service} {v.clause}" for v in summaries[0].verdicts if not v.held) or "its interval"
            return (
                replicas,
                f"with {_named(replicas)} no pod is busier than {busy[worst] * 100:.2g} % of its cores, and {missed} still misses",
            )
        if replicas[worst] >= MOST_REPLICAS:
            return replicas, f"{worst} would need more than {MOST_REPLICAS} replicas"
        replicas[worst] += max(1, math.ceil(replicas[worst] * max(0.25, min(1.0, busy[worst] - 0.6))))
    return replicas, "no Deployment serves the load, and nothing else is scaled here"


def _shrink(search: _Search, spec: ClusterSpec, replicas: dict[str, int], draws: int) -> dict[str, int]:
    """Each workload, busiest first, down to the fewest that hold with the others as they are."""
    for name in list(replicas):
        low, high = 0, replicas[name]
        while high - low > 1:
            middle = (low + high) // 2
            trial = {**replicas, name: middle}
            if search.holds(with_replicas(spec, trial), f"fixed: {_named(trial)}", draws):
                high = middle
            else:
                low = middle
        replicas = {**replicas, name: high}
    return replicas


def rounded_cores(value: float) -> float:
    """A CPU request: up to the next 5m below 100m, 10m below 1, else 50m; at least 10m.

    >>> rounded_cores(0.0123), rounded_cores(0.333), rounded_cores(1.01)
    (0.015, 0.34, 1.05)
    """
    step = 5 if value < 0.1 else 10 if value < 1 else 50
    return max(10, math.ceil(value * 1000 / step - 1e-9) * step) / 1000


def rounded_bytes(value: float) -> float:
    """A memory request: a tenth more, up to the next 16 MiB.

    >>> rounded_bytes(100 * 2**20) / 2**20
    112.0
    """
    step = 16 * 2**20
    return float(math.ceil(value * 1.1 / step) * step)


def _requests(search: _Search, spec: ClusterSpec, draws: int) -> ClusterSpec:
    """Requests from the busiest window of these replicas; kept as they were where the objective does not hold with them."""
    summaries, _ = search.look(spec, "what these replicas use", 1)
    changed = spec
    for name in _scalable(spec):
        rows = [row for row in summaries[0].used_by.get(name, ()) if row.pods]
        if rows:
            memory = max(row.memory_bytes / row.pods for row in rows)
            peak = max(row.used_cores / row.pods for row in rows)
            limit = total(next(w for w in spec.workloads if w.name == name).template.containers, "limit_cores")
            wanted = rounded_cores(peak) if limit is None else min(limit, rounded_cores(peak))
            changed = with_requests(changed, name, wanted, rounded_bytes(memory) if memory else None)
    return changed if search.holds(changed, "the same with requests by use", draws) else spec


def _autoscale(
    search: _Search, spec: ClusterSpec, replicas: Mapping[str, int], draws: int
) -> tuple[ClusterSpec, dict[str, tuple[int, int, int]]]:
    """For each workload of several replicas the highest target that holds, if it saves pod hours."""
    scaled: dict[str, tuple[int, int, int]] = {}
    for name, count in replicas.items():
        if count < 2 or total(next(w for w in spec.workloads if w.name == name).template.containers, "request_cores") in (None, 0.0):
            continue
        best = search.tried[-1].pod_hours
        for percent in TARGETS_PERCENT:
            trial = with_autoscaler(with_replicas(spec, {name: 1}), name, 1, 2 * count, percent)
            if search.holds(trial, f"HPA on {name}: 1 to {2 * count} at {percent} %") and search.holds(
                trial, f"HPA on {name}: 1 to {2 * count} at {percent} %", draws
            ):
                if search.tried[-1].pod_hours < WORTH_RATIO * best:
                    spec, scaled[name] = trial, (1, 2 * count, percent)
                break
    return spec, scaled


def _headroom(search: _Search, spec: ClusterSpec, holds_now: bool, label: str) -> Headroom:
    """Bisection on the factor of the load, to `LOAD_STEP` of it; one draw each."""
    if not holds_now:
        return Headroom(holds=None, breaks=1.0, text="there is none, the objective does not hold at today's load")
    low, high = 1.0, 2.0
    try:
        while search.holds(with_load(spec, high), f"{label} at {high:g} times the load"):
            low, high = high, high * 2
            if high > MOST_LOAD:
                return Headroom(holds=low, breaks=None, text=f"it holds at {low:g} times today's load, the most that was tried")
        while high - low > LOAD_STEP * low:
            middle = round((low + high) / 2, 3)
            if search.holds(with_load(spec, middle), f"{label} at {middle:g} times the load"):
                low = middle
            else:
                high = middle
    except InputError as error:
        return Headroom(holds=None, breaks=None, text=f"it was not searched: {error.problems[0].message}")
    return Headroom(holds=low, breaks=high, text=f"it breaks at {high:.3g} times today's load, holds at {low:.3g} times (one draw each)")


def _setting(spec: ClusterSpec, name: str, scaler: tuple[int, int, int] | None, patient: bool) -> Setting:
    workload = next(w for w in spec.workloads if w.name == name)
    reason = "fewest replicas that keep the objective; requests by its busiest window"
    if scaler is not None:
        reason = "the highest target that keeps the objective, with fewer pod hours than fixed replicas"
    if patient:
        reason += "; the sleep lets proxies forget a pod before it stops listening"
    return Setting(
        workload=name,
        replicas=workload.replicas,
        cpu_request_cores=total(workload.template.containers, "request_cores"),
        memory_request_bytes=total(workload.template.containers, "request_bytes"),
        autoscaler=scaler,
        prestop_s=max(c.prestop_s for c in workload.template.containers),
        reason=reason,
    )


def as_data(found: Plan) -> dict[str, Any]:
    """A plan in the form that reports and run directories keep."""
    rows = [[t.what, f"{t.held} of {t.draws}", t.clauses, f"{t.pod_hours:.3g}"] for t in found.tried]
    return {
        "found": found.found,
        "why": found.why,
        "headroom": {"holds": found.headroom.holds, "breaks": found.headroom.breaks, "text": _headroom_text(found)},
        "settings": [
            {
                "workload": s.workload,
                "replicas": s.replicas,
                "cpu_request": "-" if s.cpu_request_cores is None else f"{round(s.cpu_request_cores * 1000)}m",
                "memory_request": "-" if s.memory_request_bytes is None else f"{round(s.memory_request_bytes / 2**20)}Mi",
                "autoscaler": "none" if s.autoscaler is None else "{} to {} at {} % CPU".format(*s.autoscaler),
                "prestop": f"sleep {s.prestop_s:g}s" if s.prestop_s else "-",
                "reason": s.reason,
            }
            for s in found.settings
        ],
        "tables": [
            {
                "caption": "Every setting that was simulated, in order",
                "columns": ["setting", "held in draws", "worst draw", "pod hours"],
                "rows": rows,
                "numeric": [3],
            }
        ],
    }


def _headroom_text(found: Plan) -> str:
    given = f"as given {found.headroom_as_given.text}"
    return given if not found.settings else f"with these settings {found.headroom.text}; {given}"


__all__ = [
    "Change",
    "Plan",
    "as_data",
    "autoscalers",
    "deployment_of",
    "mean_of",
    "plan",
    "rollouts",
    "visits",
    "with_autoscaler",
    "with_load",
    "with_replicas",
    "with_rollout",
    "with_workload",
]
