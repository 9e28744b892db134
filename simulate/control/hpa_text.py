"""An autoscaler's metrics in kubectl's words: the TARGETS column of `get hpa` and the lines of `describe hpa`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simulate.control.hpa_metrics import Metric, MetricStatus
from simulate.quantity import format_milli

UNKNOWN = "<unknown>"
SHOWN = 2
"""So many metrics have room in the column."""


def targets(metrics: Sequence[Metric], statuses: Sequence[MetricStatus | None]) -> str:
    """The TARGETS column (of kubectl 1.30 and later, which names resources): current/target of each metric.

    >>> cpu = Metric(kind="Resource", name="cpu", target="Utilization", percent=50)
    >>> targets((cpu,), ()), targets((cpu, cpu, cpu), (MetricStatus(kind="Resource", name="cpu", percent=81),))
    ('cpu: <unknown>/50%', 'cpu: 81%/50%, cpu: <unknown>/50% + 1 more...')
    """
    if not metrics:
        return "<none>"
    parts = [_column(one, statuses[i] if i < len(statuses) else None) for i, one in enumerate(metrics)]
    more = len(parts) - SHOWN
    return ", ".join(parts[:SHOWN]) + (f" + {more} more..." if more > 0 else "")


def _column(metric: Metric, status: MetricStatus | None) -> str:
    name = f"{metric.name}: " if metric.kind in ("Resource", "ContainerResource") else ""
    average = " (avg)" if metric.kind in ("Object", "External") and metric.target == "AverageValue" else ""
    return f"{name}{_current(metric, status)}/{_target(metric)}{average}"


def _target(metric: Metric) -> str:
    if metric.percent is not None:
        return f"{metric.percent}%"
    return _amount(metric, metric.milli) if metric.milli is not None else "<auto>"


def _current(metric: Metric, status: MetricStatus | None) -> str:
    if status is None:
        return UNKNOWN
    if metric.target == "Utilization":
        return UNKNOWN if status.percent is None else f"{status.percent}%"
    value = status.value_milli if metric.target == "Value" else status.average_milli
    return UNKNOWN if value is None else _amount(metric, value)


def _amount(metric: Metric, milli: int) -> str:
    return format_milli(milli, binary=metric.name == "memory")


def lines(metrics: Sequence[Metric], statuses: Sequence[MetricStatus | None]) -> Mapping[str, str]:
    """What `kubectl describe hpa` says of each metric: its name there, and "current / target".

    >>> cpu = Metric(kind="Resource", name="cpu", target="Utilization", percent=20)
    >>> lines((cpu,), (MetricStatus(kind="Resource", name="cpu", percent=30, average_milli=60),))
    {'resource cpu on pods  (as a percentage of request)': '30% (60m) / 20%'}
    """
    found = {}
    for i, metric in enumerate(metrics):
        status = statuses[i] if i < len(statuses) else None
        said = _current(metric, status)
        if metric.target == "Utilization" and said != UNKNOWN and status is not None and status.average_milli is not None:
            said = f"{said} ({_amount(metric, status.average_milli)})"
        found[_named(metric)] = f"{said} / {_target(metric)}"
    return found


def _named(metric: Metric) -> str:
    aim = "target average value" if metric.target == "AverageValue" else "target value"
    if metric.kind == "External":
        return f'"{metric.name}" ({aim})'
    if metric.kind == "Object":
        return f'"{metric.name}" on {metric.described_kind}/{metric.described_name} ({aim})'
    if metric.kind == "Pods":
        return f'"{metric.name}" on pods'
    where = f'of container "{metric.container}" on pods' if metric.kind == "ContainerResource" else "on pods"
    return f"resource {metric.name} {where}" + ("  (as a percentage of request)" if metric.target == "Utilization" else "")
