"""Quotas as kubectl shows them: `get resourcequota`, `describe resourcequota`."""

from __future__ import annotations

from collections.abc import Mapping

from simulate.trace import QuotaRecord, Trace
from simulate.views.text import age, listed


def quotas_at(trace: Trace, at_s: float) -> Mapping[tuple[str, str], QuotaRecord]:
    """(namespace, name) -> what is used of each quota at an instant."""
    return {(one.namespace, one.name): one for one in trace.quotas if one.t_s <= at_s}


def get_quota(trace: Trace, at_s: float) -> list[str]:
    """`kubectl get resourcequota` at an instant: bounds on limits have a column of their own."""
    rows = []
    for (_, name), one in sorted(quotas_at(trace, at_s).items()):
        said = {key: f"{key}: {one.used.get(key, '0')}/{bound}" for key, bound in sorted(one.hard.items())}
        asked = ", ".join(text for key, text in said.items() if not key.startswith("limits."))
        limits = ", ".join(text for key, text in said.items() if key.startswith("limits."))
        rows.append([name, asked, limits, age(at_s)])
    return listed(("NAME", "REQUEST", "LIMIT", "AGE"), rows)


def describe_quota(trace: Trace, name: str, at_s: float, namespace: str = "default") -> list[str]:
    """`kubectl describe resourcequota NAME` at an instant."""
    one = quotas_at(trace, at_s).get((namespace, name))
    if one is None:
        return [f'Error from server (NotFound): resourcequotas "{name}" not found']
    rows = [("Resource", "Used", "Hard"), ("--------", "----", "----")]
    rows += [(key, one.used.get(key, "0"), bound) for key, bound in sorted(one.hard.items())]
    width = max(len("Namespace:"), *(len(row[0]) for row in rows))
    head = [f"{label:<{width}}  {text}" for label, text in (("Name:", name), ("Namespace:", namespace))]
    used = max(len(row[1]) for row in rows)
    return [*head, *(f"{key:<{width}}  {now:<{used}}  {bound}" for key, now, bound in rows)]
