"""What a report says, independent of its form: sections of texts, tables and pictures, in the order of product.md's "The report"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulate import figures
from simulate.metrics import (
    HOURS_A_MONTH,
    QUANTILES,
    Interval,
    Pods,
    Summary,
    causes_of,
    intervals,
    quantile_name,
    seconds,
    summarize,
)
from simulate.report import alternatives as side_by_side
from simulate.report.advice import advice
from simulate.report.alternatives import against, alternatives
from simulate.report.blocks import Picture, Section, Table, Text, clock, cores, mebibytes, number, percent, ranged, shape_of
from simulate.report.rundir import Recorded, Variant
from simulate.report.sampled import side_of_both
from simulate.spec import Assumption
from simulate.trace import HpaRecord, targets

SLOWEST = 8
AS_WRITTEN = "as written"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report. `held` None: no objective."""

    title: str
    held: bool | None
    sections: tuple[Section, ...]
    summaries: tuple[tuple[Variant, tuple[Summary, ...]], ...]
    recorded: Recorded


def build(recorded: Recorded) -> Report:
    """The report of a run directory. The first alternative is told in detail, by its first draw."""
    summaries = tuple((variant, tuple(summarize(variant.context, trace) for trace in variant.traces)) for variant in recorded.variants)
    variant, draws = summaries[0]
    main = draws[0]
    sections = (
        Section(key="answer", title="The answer", blocks=tuple(_answer(recorded, summaries))),
        Section(key="users", title="What users feel", blocks=tuple(_users(main))),
        Section(key="cluster", title="What the cluster does", blocks=tuple(_cluster(main))),
        Section(key="alternatives", title="Alternatives side by side", blocks=tuple(alternatives(recorded, summaries))),
        Section(key="assumptions", title="Every assumption and where it comes from", blocks=tuple(_assumptions(summaries))),
        Section(key="again", title="How to get this again", blocks=tuple(_again(recorded, variant))),
    )
    entries = ", ".join(main.context.entries) or ", ".join(facts.name for facts in main.context.workloads[:3])
    held = all(draw.held for draw in draws) if main.held is not None else None
    return Report(title=f"Capacity report: {entries}", held=held, sections=sections, summaries=summaries, recorded=recorded)


# ------------------------------------------------------------------ (1) the answer


def _answer(recorded: Recorded, summaries: Sequence[tuple[Variant, Sequence[Summary]]]) -> Iterable[Text | Table]:
    variant, draws = summaries[0]
    main, found = draws[0], intervals(draws)
    yield _verdict(draws)
    if main.verdicts:
        yield _objective(draws, found)
    yield from side_of_both(variant.traces[0].samples)
    yield from against(recorded, summaries)
    for text in advice(main):
        yield Text(text=text)
    guesses = [a for _, own in summaries for a in own[0].context.assumptions if a.origin == "guess"]
    guesses = list(dict.fromkeys(guesses))
    if guesses:
        subjects = "; ".join(a.subject if a.value == AS_WRITTEN else f"{a.subject} = {a.value}" for a in guesses[:6]) + (
            "; ..." if len(guesses) > 6 else ""
        )
        yield Text(
            text=f"{len(guesses)} {'input was' if len(guesses) == 1 else 'inputs were'} guessed, and the numbers hang on them: {subjects}.",
            role="bad",
        )
    yield _headroom_text(recorded)
    if recorded.plan is not None and not recorded.plan["found"]:
        yield Text(text=f"No settings were found: {recorded.plan['why']}.", role="bad")
    yield _settings(recorded, main)
    yield _cost(main, found)
    yield Table(
        caption=f"The figures of {variant.label}"
        + (f", mean of {len(draws)} draws with 95 % intervals" if len(draws) > 1 else ", one draw"),
        columns=("figure", "value"),
        rows=tuple((name.removesuffix(" (s)"), ranged(value, shape_of(name), "")) for name, value in found.items()),
        numeric=frozenset({1}),
    )
    yield Table(
        caption=f"What was assumed ({len(main.context.assumptions)}; with reasons in section 5)",
        columns=("subject", "taken", "from"),
        rows=tuple((a.subject, a.value, a.origin) for a in main.context.assumptions),
    )


def _verdict(draws: Sequence[Summary]) -> Text:
    main = draws[0]
    if main.held is None:
        return Text(text="No objective was given: this run is neither good nor bad.")
    count = sum(bool(draw.held) for draw in draws)
    marked = f"in {count} of {len(draws)} draws" if len(draws) > 1 else "in one draw"
    if count == len(draws):
        return Text(text=f"The objective holds ({marked}).", role="good")
    return Text(text=f"The objective does not hold ({'held ' if count else ''}{marked}).", role="bad")


def _objective(draws: Sequence[Summary], found: Mapping[str, Interval]) -> Table:
    rows = []
    for i, verdict in enumerate(draws[0].verdicts):
        all_draws = [draw.verdicts[i] for draw in draws]
        shape = shape_of("ratio" if verdict.clause == "error ratio" else "(s)")
        name = f"{verdict.service} {verdict.clause}" + ("" if verdict.clause == "error ratio" else " (s)")
        had = ranged(found[name], shape) if name in found else (shape(verdict.had) if verdict.had is not None else "no request ended well")
        held = all(each.held for each in all_draws)
        rows.append((f"{verdict.service} {verdict.clause}", "yes" if held else "no", had, f"at most {shape(verdict.wanted)}"))
    return Table(
        caption="The objective, over the whole run",
        columns=("clause", "held", "had", "wanted"),
        rows=tuple(rows),
        numeric=frozenset({2, 3}),
    )


def _headroom_text(recorded: Recorded) -> Text:
    plan = recorded.plan
    if plan is None:
        return Text(
            text="Head-room was not searched in this run; `simulate plan` finds the factor of the load at which the objective breaks."
        )
    return Text(text=f"Head-room: {plan['headroom']['text']}.")


def _settings(recorded: Recorded, main: Summary) -> Table:
    """What to set: what a search found, else what this run used, as the first thing to hold requests against."""
    if recorded.plan is not None and recorded.plan["settings"]:
        rows = [
            (
                row["workload"],
                str(row["replicas"]),
                row["cpu_request"],
                row["memory_request"],
                row["autoscaler"],
                row["prestop"],
                row["reason"],
            )
            for row in recorded.plan["settings"]
        ]
        columns = ("workload", "replicas", "requests.cpu", "requests.memory", "HPA", "preStop", "because")
        return Table(caption="What to set", columns=columns, rows=tuple(rows), numeric=frozenset({1, 2, 3}))
    lines: list[tuple[str, ...]] = []
    for facts in main.context.workloads:
        used = [row for row in main.used_by.get(facts.name, ()) if row.pods > 0]
        peak = max((row.used_cores / row.pods for row in used), default=None)
        memory = max((row.memory_bytes / row.pods for row in used), default=0.0) or None
        ready = [row.ready for row in main.replicas_by.get(facts.name, ())]
        if facts.kind == "DaemonSet":
            shown = f"{max(ready, default=0)}, one a node"
        else:
            shown = f"{facts.replicas}" if not ready or max(ready) <= facts.replicas else f"{facts.replicas}, up to {max(ready)}"
        lines.append(
            (
                facts.name,
                shown,
                cores(facts.request_cores),
                cores(facts.limit_cores),
                cores(peak),
                mebibytes(facts.request_bytes),
                mebibytes(memory),
            )
        )
    return Table(
        caption=f"What is set and what was used (peak: the busiest {seconds(main.window_s)} of a pod)",
        columns=("workload", "replicas", "requests.cpu", "limits.cpu", "peak CPU", "requests.memory", "peak memory"),
        rows=tuple(lines),
        numeric=frozenset(range(1, 7)),
    )


def _cost(main: Summary, found: Mapping[str, Interval]) -> Text:
    if main.cost_month is None:
        return Text(text="Cost: not known; the scenario's `nodes` have no price.")
    ok = sum(felt.ok for felt in main.totals)
    month_requests = ok / main.context.horizon_s * 3600 * HOURS_A_MONTH
    each = f", {number(main.cost_month / month_requests * 1e6)} per million requests at this load" if month_requests else ""
    return Text(
        text=f"Cost: {ranged(found['cost per month'], number)} a month for these nodes{each}. In the unit of the scenario's prices."
    )


# ------------------------------------------------------------------ (2) what users feel


def _picture(name: str, title: str, says: str, plot: figures.Plot, numbers: Table) -> Picture:
    return Picture(name=name, title=title, says=says, plot=plot, numbers=numbers)


def _users(main: Summary) -> Iterable[Text | Table | Picture]:
    if not main.felt:
        yield Text(text="No requests were simulated.")
        return
    if main.marks:
        yield Table(
            caption="What happened (dashed lines in the plots)",
            columns=("time", "event"),
            rows=tuple((clock(m.t_s), m.text) for m in main.marks),
        )
    for i, service in enumerate(main.context.entries):
        windows = [felt for felt in main.felt if felt.service == service]
        total = next(felt for felt in main.totals if felt.service == service)
        if not windows:
            continue
        names = causes_of(windows)
        yield _picture(
            f"latency-{i}",
            f"Latency of {service}: p95 {seconds(total.quantiles_s[1])} over the run",
            "Quantiles of the requests that ended well in each window.",
            lambda axes, service=service: figures.latency(main, service, axes),  # type: ignore[misc]
            Table(
                caption="Latency by window",
                columns=("from", "ok", *(quantile_name(q) for q in QUANTILES)),
                rows=tuple((clock(w.start_s), number(w.ok), *(seconds(v) for v in w.quantiles_s)) for w in windows),
                numeric=frozenset(range(6)),
                folded=True,
            ),
        )
        yield _picture(
            f"errors-{i}",
            f"Failed requests of {service}: {percent(total.errors_ratio)}"
            + (f" ({', '.join(n.replace('_', ' ') for n in names)})" if names else ""),
            "Requests that failed, by cause, per second of each window.",
            lambda axes, service=service: figures.errors(main, service, axes),  # type: ignore[misc]
            Table(
                caption="Requests by window: arrived = ok + failed + change of in flight",
                columns=("from", "arrived", "ok", *(n.replace("_", " ") for n in names), "in flight at the end"),
                rows=tuple(
                    (clock(w.start_s), number(w.arrived), number(w.ok), *(number(w.failed.get(n, 0)) for n in names), number(w.in_flight))
                    for w in windows
                ),
                numeric=frozenset(range(4 + len(names))),
                folded=True,
            ),
        )
        yield _picture(
            f"load-{i}",
            f"Load of {service}: {number(total.arrived)} requests",
            "Requests that arrive per second of each window.",
            lambda axes, service=service: figures.load(main, service, axes),  # type: ignore[misc]
            Table(
                caption="Arrivals per second by window",
                columns=("from", "requests / s"),
                rows=tuple((clock(w.start_s), number(w.arrived / (w.end_s - w.start_s))) for w in windows),
                numeric=frozenset({0, 1}),
                folded=True,
            ),
        )


# ------------------------------------------------------------------ (3) what the cluster does


def _cluster(main: Summary) -> Iterable[Text | Table | Picture]:
    yield _pods_picture(main)
    for i, facts in enumerate(main.context.workloads):
        rows = main.replicas_by.get(facts.name, ())
        if len({(row.wanted, row.had, row.ready) for row in rows}) > 1 and _worth(main, facts.name):
            yield _replicas_picture(main, i, facts.name)
    if main.nodes and len(main.nodes) > 1:
        yield _picture(
            "nodes",
            f"Ready nodes: {min(n for _, n in main.nodes)} to {max(n for _, n in main.nodes)}",
            "Nodes that are ready.",
            lambda axes: figures.nodes(main, axes),
            Table(
                caption="Nodes at each change",
                columns=("time", "ready"),
                rows=tuple((clock(t), str(n)) for t, n in main.nodes),
                numeric=frozenset({0, 1}),
                folded=True,
            ),
        )
    elif main.nodes:
        yield Text(text=f"{main.nodes[0][1]} nodes, all the time.")
    for i, name in enumerate(_busiest(main)):
        yield from _resource_pictures(main, i, name)
    if any(startup.total_s > 0 for startup in main.startups):
        yield _waterfall(main)
    if main.hpa:
        yield _hpa_table(main)


def _worth(main: Summary, workload: str) -> bool:
    """Whether replicas of a workload are a story: scaled or rolled after the start, or not ready when the first requests came."""
    late = [row for row in main.replicas_by.get(workload, ()) if row.t_s > 0]
    return any(facts.target == workload for facts in main.context.autoscalers) or len(late) > 2


def _pods_picture(main: Summary) -> Picture:
    return _picture(
        "pods",
        f"Pods by state: at most {main.most_pods}",
        "All pods, by state; the table has them at the end of each window.",
        lambda axes: figures.pods(main, axes),
        Table(
            caption="Pods by state",
            columns=("time", *Pods._fields[1:]),
            rows=tuple((clock(row.t_s), *(str(n) for n in row[1:])) for row in main.pods),
            numeric=frozenset(range(6)),
            folded=True,
        ),
    )


def _replicas_picture(main: Summary, i: int, name: str) -> Picture:
    rows = main.replicas_by.get(name, ())
    return _picture(
        f"replicas-{i}",
        f"Replicas of {name}: {min(r.ready for r in rows)} to {max(r.ready for r in rows)} ready of {max(r.wanted for r in rows)} wanted",
        "Replicas wanted (the specification), existing, and ready.",
        lambda axes: figures.replicas(main, name, axes),
        Table(
            caption=f"Replicas of {name} at each change",
            columns=("time", "wanted", "existing", "ready"),
            rows=tuple((clock(r.t_s), str(r.wanted), str(r.had), str(r.ready)) for r in rows),
            numeric=frozenset(range(4)),
            folded=True,
        ),
    )


def _busiest(main: Summary, count: int = 4) -> list[str]:
    peaks = {facts.name: max((row.used_cores for row in main.used_by.get(facts.name, ())), default=0.0) for facts in main.context.workloads}
    return [name for name in sorted(peaks, key=lambda name: -peaks[name])[:count] if peaks[name] > 0]


def _resource_pictures(main: Summary, i: int, name: str) -> Iterable[Picture]:
    rows = main.used_by.get(name, ())
    facts = next(each for each in main.context.workloads if each.name == name)
    peak = max(row.used_cores for row in rows)
    throttled = max(row.throttled_ratio for row in rows)
    yield _picture(
        f"cpu-{i}",
        f"CPU of {name}: peak {number(peak)} cores" + (f", throttled in up to {percent(throttled)} of the periods" if throttled else ""),
        "Mean cores used by its pods in each window, against what they request and their limit.",
        lambda axes: figures.cpu(main, name, axes),
        Table(
            caption=f"CPU of {name} by window (cores)",
            columns=("from", "pods", "used", "requested", "limit", "throttled"),
            rows=tuple(
                (
                    clock(r.start_s),
                    number(r.pods),
                    number(r.used_cores),
                    number(r.requested_cores),
                    number(r.limit_cores),
                    percent(r.throttled_ratio),
                )
                for r in rows
            ),
            numeric=frozenset(range(6)),
            folded=True,
        ),
    )
    if any(row.memory_bytes for row in rows):
        yield _picture(
            f"memory-{i}",
            f"Memory of {name}: peak {mebibytes(max(row.memory_bytes for row in rows))}",
            "Memory used by its pods at the end of each window, against what they request and their limit.",
            lambda axes: figures.memory(main, name, axes),
            Table(
                caption=f"Memory of {name} by window",
                columns=("from", "used", "requested", "limit"),
                rows=tuple(
                    (
                        clock(r.start_s),
                        mebibytes(r.memory_bytes),
                        mebibytes(None if facts.request_bytes is None else facts.request_bytes * r.pods),
                        mebibytes(None if facts.limit_bytes is None else facts.limit_bytes * r.pods),
                    )
                    for r in rows
                ),
                numeric=frozenset(range(4)),
                folded=True,
            ),
        )


def _waterfall(main: Summary) -> Picture:
    later = [startup for startup in main.startups if startup.created_s > 0] or list(main.startups)
    slowest = sorted(later, key=lambda startup: (-startup.total_s, startup.created_s, startup.pod))[:SLOWEST]
    return _picture(
        "waterfall",
        f"The slowest starts of pods: up to {seconds(slowest[0].total_s)} from creation to ready",
        "Where the time of a scale-up or rollout goes: waiting for a node, sandbox and image, start until ready.",
        lambda axes: figures.waterfall(slowest, axes),
        Table(
            caption="Phases of the slowest starts (seconds)",
            columns=("pod", "created at", "waiting for a node", "sandbox and image", "start until ready", "total"),
            rows=tuple(
                (s.pod, clock(s.created_s), number(s.node_s), number(s.image_s), number(s.start_s), number(s.total_s)) for s in slowest
            ),
            numeric=frozenset(range(1, 6)),
            folded=True,
        ),
    )


def hpa_rows(records: Sequence[HpaRecord]) -> tuple[tuple[str, ...], ...]:
    """Lines as `kubectl get hpa` prints them, one at each change: time, name, reference, targets, bounds, replicas, wanted."""
    rows: list[tuple[str, ...]] = []
    last: dict[str, tuple[str, ...]] = {}
    for record in records:
        bounds = (str(record.minimum), str(record.maximum), str(record.current), str(record.desired))
        line = (record.name, f"Deployment/{record.target}", targets(record), *bounds)
        if last.get(record.name) != line:
            last[record.name] = line
            rows.append((clock(record.t_s), *line))
    return tuple(rows)


def _hpa_table(main: Summary) -> Table:
    return Table(
        caption="The autoscaler at each change, as `kubectl get hpa` shows it",
        columns=("time", "name", "reference", "targets", "min", "max", "replicas", "wanted"),
        rows=hpa_rows(main.hpa),
        numeric=frozenset({0, 4, 5, 6, 7}),
    )


# ------------------------------------------------------------------ (4) to (6)


def _assumptions(summaries: Sequence[tuple[Variant, Sequence[Summary]]]) -> Iterable[Text | Table]:
    """Those of the alternative that is told in detail, then what each other one assumes beyond them."""
    seen: dict[Assumption, None] = {}
    for variant, draws in summaries:
        own = [a for a in draws[0].context.assumptions if a not in seen]
        if own:
            yield Table(
                caption="What neither the manifests nor the scenario said" + (f"; {variant.label}" if seen else ""),
                columns=("subject", "taken", "from", "because"),
                rows=tuple((a.subject, a.value, a.origin, a.reason) for a in own),
            )
        seen |= dict.fromkeys(own)
    if not seen:
        yield Text(text="None: the manifests and the scenario said everything that was needed.")


def _again(recorded: Recorded, variant: Variant) -> Iterable[Text | Table]:
    rows = [("command", recorded.command), ("seeds", ", ".join(str(trace.seed) for trace in variant.traces))]
    rows += [(f"version of {name}", version) for name, version in recorded.versions.items()]
    rows += [(f"SHA-256 of {name}", digest) for name, digest in recorded.digests.items()]
    yield Table(caption="The same inputs and seeds give the same bytes", columns=("what", "value"), rows=tuple(rows))


def as_data(report: Report) -> dict[str, Any]:
    """The report as JSON: numbers of every alternative with intervals, verdicts, assumptions, and the tables as printed."""
    return {
        "version": 1,
        "title": report.title,
        "held": report.held,
        "command": report.recorded.command,
        "versions": dict(report.recorded.versions),
        "digests": dict(report.recorded.digests),
        "plan": report.recorded.plan,
        "variants": [_variant_data(variant, draws) for variant, draws in report.summaries],
        **side_by_side.as_data(report.recorded, report.summaries),
        "assumptions": [
            {"subject": a.subject, "value": a.value, "reason": a.reason, "origin": a.origin}
            for a in report.summaries[0][1][0].context.assumptions
        ],
        "sections": [{"key": s.key, "title": s.title, "blocks": [_block_data(block) for block in s.blocks]} for s in report.sections],
    }


def _variant_data(variant: Variant, draws: Sequence[Summary]) -> dict[str, Any]:
    return {
        "label": variant.label,
        "settings": dict(variant.settings),
        "seeds": [draw.seed for draw in draws],
        "held": [draw.held for draw in draws],
        "figures": {name: {"mean": i.mean, "half_width": i.half_width, "draws": i.draws} for name, i in intervals(draws).items()},
        "totals": [
            {
                "service": felt.service,
                "arrived": felt.arrived,
                "ok": felt.ok,
                "failed": dict(felt.failed),
                "in_flight": felt.in_flight,
                "mean_s": felt.mean_s,
                "quantiles_s": {quantile_name(q): v for q, v in zip(QUANTILES, felt.quantiles_s, strict=True)},
            }
            for felt in draws[0].totals
        ],
        "objective": [verdict._asdict() for verdict in draws[0].verdicts],
    }


def _block_data(block: Text | Table | Picture) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"text": block.text}
    if isinstance(block, Picture):
        return {"picture": block.title, "says": block.says, "table": _block_data(block.numbers)}
    return {"caption": block.caption, "columns": list(block.columns), "rows": [list(row) for row in block.rows]}
