"""ResourceQuotas: what a pod uses of them, which quotas count it, and when one is exceeded. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from simulate.control.admission import limits_of, of_pod, requests_of
from simulate.control.amounts import Amount, Amounts, added, listed, read
from simulate.spec import QuotaScope, ResourceQuota

Spec = Mapping[str, Any]

PLAIN = ("cpu", "memory", "ephemeral-storage")
"""Resources whose bare name in a quota means requests."""

MUST_SAY = ("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory")
"""Where a quota has one of these every container must say it."""

OBJECTS: Mapping[str, tuple[str, ...]] = {"Pod": ("pods", "count/pods"), "ReplicaSet": ("count/replicasets.apps",)}
"""Names under which a quota counts objects that controllers create."""


def pod_usage(spec: Spec) -> dict[str, Amount]:
    """Everything that one pod uses, by each name that a quota may have for it.

    >>> used = pod_usage({"containers": [{"resources": {"limits": {"cpu": "500m"}}}]})
    >>> {name: one.value for name, one in used.items()}
    {'pods': 1, 'count/pods': 1, 'requests.cpu': 500, 'cpu': 500, 'limits.cpu': 500}
    """
    asked, bounds = of_pod(spec)
    found = {name: Amount(1) for name in OBJECTS["Pod"]}
    for name, one in asked.items():
        found[f"requests.{name}"] = one
        if name in PLAIN or name.startswith("hugepages-"):
            found[name] = one
    return found | {f"limits.{name}": one for name, one in bounds.items() if name in PLAIN}


def lasting(used: Amounts) -> dict[str, Amount]:
    """What a pod still uses when it has ended and its object is there: only the object counts.

    >>> lasting({"pods": Amount(1), "count/pods": Amount(1), "cpu": Amount(5)})
    {'count/pods': Amount(value=1, binary=False)}
    """
    return {name: one for name, one in used.items() if name.startswith("count/")}


# ------------------------------------------------------------------ which quotas count a pod


def best_effort(spec: Spec) -> bool:
    """Whether no container asks for anything or has a limit."""
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    return not any(requests_of(one) or limits_of(one) for one in containers)


def _crosses(spec: Spec) -> bool:
    """Whether an affinity term looks into other namespaces."""
    affinity = spec.get("affinity") or {}
    terms = [
        term.get("podAffinityTerm", term)
        for kind in ("podAffinity", "podAntiAffinity")
        for rule in (affinity.get(kind) or {}).values()
        for term in rule or ()
    ]
    return any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms)


def in_scope(scope: QuotaScope, spec: Spec) -> bool:
    """Whether a pod is one of those that the scope means.

    >>> in_scope(QuotaScope(name="PriorityClass", operator="In", values=("high",)), {"priorityClassName": "high"})
    True
    """
    if scope.name == "PriorityClass":
        own = str(spec.get("priorityClassName") or "")
        if scope.operator in ("Exists", "DoesNotExist"):
            return bool(own) == (scope.operator == "Exists")
        return (own in scope.values) == (scope.operator == "In")
    if scope.name in ("Terminating", "NotTerminating"):
        return (spec.get("activeDeadlineSeconds") is not None) == (scope.name == "Terminating")
    if scope.name == "CrossNamespacePodAffinity":
        return _crosses(spec)
    return best_effort(spec) == (scope.name == "BestEffort")


def counts(quota: ResourceQuota, spec: Spec) -> bool:
    """Whether a quota counts a pod: all its scopes mean it."""
    return all(in_scope(scope, spec) for scope in quota.scopes)


# ------------------------------------------------------------------ what is refused


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A quota with what is used of it."""

    quota: ResourceQuota
    used: Amounts

    @property
    def hard(self) -> dict[str, Amount]:
        """Its bounds."""
        return {name: read(name, text) for name, text in self.quota.hard.items()}


def unsaid(spec: Spec, names: Collection[str]) -> str:
    """What containers do not say although a quota counts it, "" if all do.

    >>> said = {"containers": [{"name": "c"}, {"name": "d", "resources": {"limits": {"cpu": "1"}}}]}
    >>> unsaid(said, ["limits.cpu", "requests.cpu", "pods"])
    'limits.cpu for: c; requests.cpu for: c'
    """
    missing: dict[str, set[str]] = {}
    for one in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        asked, bounds = requests_of(one), limits_of(one)
        said = {*asked, *(f"requests.{name}" for name in asked), *(f"limits.{name}" for name in bounds)}
        for name in MUST_SAY:
            if name in names and name not in said:
                missing.setdefault(name, set()).add(str(one.get("name")))
    return "; ".join(f"{name} for: {','.join(sorted(missing[name]))}" for name in sorted(missing))


def exceeded(state: State, wanted: Amounts) -> str:
    """What the quota says to more of it, "" if there is room. Only the names that do not fit are told.

    >>> quota = ResourceQuota(name="q", namespace="n", hard={"pods": "2", "limits.cpu": "1"})
    >>> exceeded(State(quota=quota, used={"pods": Amount(2)}), {"pods": Amount(1), "limits.cpu": Amount(500)})
    'exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2'
    """
    hard = state.hard
    asked = {name: one for name, one in wanted.items() if name in hard and one.value > 0}
    total = added(state.used, asked)
    over = [name for name in asked if total[name].value > hard[name].value]
    if not over:
        return ""
    told = (listed(asked, over), listed(state.used, over), listed(hard, over))
    return f"exceeded quota: {state.quota.name}, requested: {told[0]}, used: {told[1]}, limited: {told[2]}"


def refusal(states: Iterable[State], spec: Spec, wanted: Amounts) -> str:
    """Why the quotas of a namespace do not let a pod be created, "" if they do: whether everything is said, then the room; by name."""
    mine = sorted((one for one in states if counts(one.quota, spec)), key=lambda one: one.quota.name)
    for one in mine:
        missing = unsaid(spec, one.quota.hard)
        if missing:
            return f"failed quota: {one.quota.name}: must specify {missing}"
    return next((told for one in mine if (told := exceeded(one, wanted))), "")
