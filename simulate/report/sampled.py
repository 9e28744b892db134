"""The fluid engine beside the exact one on sampled hours, as a sentence and a table for page one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from simulate.report.blocks import Table, Text, clock, percent, shape_of
from simulate.trace import SampleRecord

TOLERANCE = {"p95 latency (s)": 0.05, "pod hours": 0.01}
"""Differences that the fluid engine is held to (model.md 8); larger ones are told."""


def difference(record: SampleRecord) -> float | None:
    """What the fluid figure is away from the exact one, as a share of it; ratios as they are.

    >>> difference(SampleRecord(0.0, 60.0, "peak hour", "pod hours", 99.0, 100.0))
    -0.01
    """
    if record.fluid is None or record.exact is None:
        return None
    if record.figure.endswith("ratio"):
        return record.fluid - record.exact
    return (record.fluid - record.exact) / record.exact if record.exact else None


def side_of_both(samples: Sequence[SampleRecord]) -> Iterable[Text | Table]:
    """Nothing where every request was simulated."""
    if not samples:
        return
    far = [one for one in samples if _is_far(one)]
    worst = {name: max((abs(difference(one) or 0.0) for one in samples if one.figure.endswith(name)), default=0.0) for name in TOLERANCE}
    told = ", ".join(f"{name.removesuffix(' (s)')} {percent(value)}" for name, value in worst.items())
    yield Text(
        text="These figures are expected flows of the fluid engine, not single requests. On the sampled hours below the exact engine"
        f" simulated every request; largest differences: {told}"
        + ("." if not far else f". More than it is held to in {len(far)} of {len(samples)} figures: take the exact engine there."),
        role="bad" if far else "plain",
    )
    yield Table(
        caption="The fluid engine beside the exact one on sampled hours (one draw each)",
        columns=("from", "to", "why", "figure", "fluid", "exact", "difference"),
        rows=tuple(_row(one) for one in samples),
        numeric=frozenset({0, 1, 4, 5, 6}),
    )


def _is_far(one: SampleRecord) -> bool:
    away = difference(one)
    return away is not None and any(one.figure.endswith(name) and abs(away) > most for name, most in TOLERANCE.items())


def _row(one: SampleRecord) -> tuple[str, ...]:
    shape, away = shape_of(one.figure), difference(one)
    shown = [shape(value) if value is not None else "-" for value in (one.fluid, one.exact)]
    sign = "" if away is None or away < 0 else "+"
    return (
        clock(one.start_s), clock(one.end_s), one.why, one.figure.removesuffix(" (s)"), *shown,
        "-" if away is None else f"{sign}{percent(away)}",
    )  # fmt: skip
