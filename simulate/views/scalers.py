"""Autoscalers as `kubectl get hpa` shows them."""

from __future__ import annotations

from simulate.trace import HpaRecord, Trace, targets
from simulate.views.text import age, listed, table

HPA_HEADER = ("NAME", "REFERENCE", "TARGETS", "MINPODS", "MAXPODS", "REPLICAS", "AGE")


def _row(one: HpaRecord) -> list[str]:
    return [one.name, f"{one.kind}/{one.target}", targets(one), str(one.minimum), str(one.maximum), str(one.current)]


def get_hpa(trace: Trace, name: str | None = None, *, changes_only: bool = False, start_s: float = 0.0) -> list[str]:
    """`kubectl get hpa -w`: one line for each reconcile of an autoscaler (or only those that differ from the one before)."""
    rows: list[list[str]] = []
    shown: dict[str, list[str]] = {}
    created: dict[str, float] = {}
    for one in trace.hpa:
        if name not in (None, one.name):
            continue
        born, row = created.setdefault(one.name, one.t_s), _row(one)
        if (not changes_only or shown.get(one.name) != row) and one.t_s >= start_s:
            rows.append([*row, age(one.t_s - born)])
        shown[one.name] = row
    return table(HPA_HEADER, rows)


def hpa_at(trace: Trace, at_s: float) -> list[str]:
    """`kubectl get hpa` at an instant."""
    last = {one.name: one for one in trace.hpa if one.t_s <= at_s}
    born: dict[str, float] = {}
    for one in trace.hpa:
        born.setdefault(one.name, one.t_s)
    return listed(HPA_HEADER, [[*_row(one), age(at_s - born[name])] for name, one in sorted(last.items())])
