"""Alternatives side by side: their figures, and what each is away from the reference on the same requests, with paired intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from simulate import figures
from simulate.metrics import Interval, Summary, differences, figures_as, interval, paired
from simulate.report.blocks import Picture, Table, Text, number, ranged, shape_of
from simulate.report.rundir import Recorded, Variant

STARTED_S = 60.0
"""The first minute is not asked for the fewest ready pods."""

TOLD = ("p95 latency (s)", "p99 latency (s)", "error ratio")
SHORT: Mapping[str, str] = {"p95 latency (s)": "p95", "p99 latency (s)": "p99", "error ratio": "failed"}
"""Figures of an entry service that stand in the tables, and how their columns are called."""

Alternatives = Sequence[tuple[Variant, Sequence[Summary]]]


def reference_of(recorded: Recorded, summaries: Alternatives) -> tuple[Variant, Sequence[Summary]]:
    """What the others are held against: what the run says, else the first."""
    return next((pair for pair in summaries if pair[0].label == recorded.reference), summaries[0])


def signed(found: Interval, shape: Callable[[float], str]) -> str:
    """A difference with its 95 % interval, and the sign of each number.

    >>> signed(Interval(-2.0, 0.5, 3), number), signed(Interval(2.0, None, 1), number), signed(Interval(0.0, 0.0, 3), number)
    ('-2 (-2.5 to -1.5)', '+2', '0')
    """

    def one(value: float) -> str:
        text = shape(abs(value))
        return text if text == shape(0.0) else f"{'-' if value < 0 else '+'}{text}"

    if not found.half_width:
        return one(found.mean)
    return f"{one(found.mean)} ({one(found.mean - found.half_width)} to {one(found.mean + found.half_width)})"


def away_shape(name: str) -> Callable[[float], str]:
    """How a difference of a figure is written; of shares in percentage points.

    >>> away_shape("web error ratio")(0.0125), away_shape("web p95 latency (s)")(0.0125)
    ('1.25 pp', '12.5 ms')
    """
    return (lambda value: f"{value * 100:.3g} pp") if name.endswith("ratio") else shape_of(name)


def alternatives(recorded: Recorded, summaries: Alternatives) -> Iterable[Text | Table | Picture]:
    """The section of a report: tables of a search, then the what-if table and the differences."""
    if recorded.plan is not None:
        for table in recorded.plan["tables"]:
            yield Table(
                caption=table["caption"],
                columns=tuple(table["columns"]),
                rows=tuple(tuple(row) for row in table["rows"]),
                numeric=frozenset(table["numeric"]),
            )
    if len(summaries) < 2:
        if recorded.plan is None:
            yield Text(
                text="One alternative. `simulate compare`, `simulate rollout` with several values or `simulate report DIR DIR`"
                " put several side by side."
            )
        return
    reference = reference_of(recorded, summaries)
    others = [pair for pair in summaries if pair is not reference]
    same = all(paired(reference[1], draws) for _, draws in others)
    columns, rows = _side_by_side([reference, *others])
    draws = len(summaries[0][1])
    marked = f"means of {draws} draws with 95 % intervals" if draws > 1 else "one draw each"
    what = "The same load, the same draws" if same else "Not the same requests"
    yield Table(caption=f"{what}; {marked}", columns=columns, rows=rows, numeric=frozenset(range(1, len(columns))))
    yield from _away(reference, others)
    yield from _pictures([reference, *others])


def _pictures(summaries: Alternatives) -> Iterable[Picture]:
    """p95 and the share of failed requests of each entry service, a bar an alternative; a figure that nobody has is left out."""
    entries, aligned = _entries(summaries)
    found = [(variant.label, _figures(entries, aligned, draws)) for variant, draws in summaries]
    mark = "mean with 95 % interval" if len(summaries[0][1]) > 1 else "one draw"
    for i, name in enumerate(entries):
        for kind, what, label, factor in (("p95", TOLD[0], "p95 (ms)", 1000.0), ("failed", TOLD[2], "failed requests (percent)", 100.0)):
            rows = [(own, table[f"{name} {what}"]) for own, table in found if f"{name} {what}" in table]
            if len(rows) < 2 or not any(one.mean for _, one in rows):
                continue
            bars = [(own, one.mean * factor, (one.half_width or 0.0) * factor) for own, one in rows]
            shape, means = shape_of(what), [one.mean for _, one in rows]
            yield Picture(
                name=f"sides-{kind}-{i}",
                title=f"{name} {SHORT[what]}: {shape(min(means))} to {shape(max(means))}",
                says=f"Each alternative, {mark}; {rows[0][0]} is the reference.",
                plot=lambda axes, bars=bars, label=label: figures.sides(bars, label, axes),  # type: ignore[misc]
                numbers=Table(
                    caption=f"{name} {SHORT[what]} by alternative",
                    columns=("alternative", SHORT[what]),
                    rows=tuple((own, ranged(one, shape)) for own, one in rows),
                    numeric=frozenset({1}),
                    folded=True,
                ),
            )


def _entries(summaries: Alternatives) -> tuple[tuple[str, ...], bool]:
    """Names of the entry services for the columns, and whether they stand for those of every alternative by position."""
    first = summaries[0][1][0].context.entries
    if all(len(draws[0].context.entries) == len(first) for _, draws in summaries):
        return first, True
    return tuple(dict.fromkeys(name for _, draws in summaries for name in draws[0].context.entries)), False


def _figures(names: Sequence[str], aligned: bool, draws: Sequence[Summary]) -> dict[str, Interval]:
    tables = [figures_as(names, draw) if aligned else draw.figures() for draw in draws]
    return {name: interval([table[name] for table in tables]) for name in tables[0] if all(name in table for table in tables)}


def _side_by_side(summaries: Alternatives) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """One row an alternative. Of the deployment that they are about, if there is one, also the fewest ready pods."""
    entries, aligned = _entries(summaries)
    about = {variant.settings.get("deployment") for variant, _ in summaries} - {None}
    priced = any(draws[0].cost_month is not None for _, draws in summaries)
    columns = ["alternative", "objective", *(f"{name} {SHORT[what]}" for name in entries for what in TOLD)]
    columns += ["fewest ready"] * bool(about) + ["most pods", "pod hours"] + ["cost per month"] * priced
    rows = []
    mark = "" if len({len(draws) for _, draws in summaries}) == 1 else " (one draw)"
    for variant, draws in summaries:
        found = _figures(entries, aligned, draws)
        cells = [variant.label, {True: "held", False: "missed", None: "-"}[None if draws[0].held is None else all(d.held for d in draws)]]
        keys = [f"{name} {what}" for name in entries for what in TOLD]
        cells += [ranged(found[key], shape_of(key), mark) if key in found else "-" for key in keys]
        ready = [row.ready for row in draws[0].replicas if row.workload in about and row.t_s > STARTED_S]
        cells += [str(min(ready)) if ready else "-"] * bool(about)
        cells += [str(draws[0].most_pods), ranged(found["pod hours"], number, mark)]
        cells += [ranged(found["cost per month"], number, mark) if "cost per month" in found else "-"] * priced
        rows.append(tuple(cells))
    return tuple(columns), tuple(rows)


def _away(reference: tuple[Variant, Sequence[Summary]], others: Alternatives) -> Iterable[Text | Table]:
    """Differences where the requests are the same; where they are not, that."""
    told, draws = reference
    found = {variant.label: differences(draws, own) for variant, own in others}
    unlike = [label for label, table in found.items() if not table]
    if unlike:
        yield Text(
            text=f"{', '.join(unlike)} and {told.label} do not see the same requests (load, work, seeds or number of draws differ):"
            " differences between them are also those of the requests."
        )
    names = [f"{name} {what}" for name in draws[0].context.entries for what in TOLD] + ["pod hours", "cost per month"]
    names = [name for name in names if any(name in table for table in found.values())]
    if not names:
        return
    columns = ["alternative", *(_column(name) for name in names)]
    rows = [
        (label, *(signed(table[name], away_shape(name)) if name in table else "-" for name in names))
        for label, table in found.items()
        if table
    ]
    marked = f"mean of {len(draws)} paired draws with 95 % intervals" if len(draws) > 1 else "one draw"
    caption = f"Away from {told.label}, on the same requests; {marked} (pp: percentage points)"
    yield Table(caption=caption, columns=tuple(columns), rows=tuple(rows), numeric=frozenset(range(1, len(columns))))


def _column(name: str) -> str:
    for long, short in SHORT.items():
        if name.endswith(f" {long}"):
            return f"{name.removesuffix(long)}{short}"
    return name


def against(recorded: Recorded, summaries: Alternatives) -> Iterable[Text]:
    """Sentences for the answer: the alternative that is told in detail against a reference that the run names."""
    reference = reference_of(recorded, summaries)
    if recorded.reference is None or reference is summaries[0]:
        return
    found = differences(reference[1], summaries[0][1])
    names = [f"{name} {what}" for name in reference[1][0].context.entries for what in TOLD if what != "p99 latency (s)"]
    said = [f"{_column(name)} {signed(found[name], away_shape(name))}" for name in [*names, "cost per month"] if name in found]
    if said:
        draws = len(reference[1])
        marked = f"{draws} paired draws" if draws > 1 else "one draw"
        yield Text(text=f"{summaries[0][0].label} against {reference[0].label}, on the same requests ({marked}): {'; '.join(said)}.")


def as_data(recorded: Recorded, summaries: Alternatives) -> dict[str, Any]:
    """`reference` (label) and `differences` of the others from it, numbers as numbers; `paired` false: not the same requests."""
    reference = reference_of(recorded, summaries)
    found = [(variant.label, differences(reference[1], draws)) for variant, draws in summaries if variant is not reference[0]]
    return {
        "reference": reference[0].label if found else None,
        "differences": [
            {"label": label, "paired": bool(table), "figures": {name: one._asdict() for name, one in table.items()}}
            for label, table in found
        ],
    }
