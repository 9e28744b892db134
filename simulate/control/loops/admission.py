"""The end of the admission chain for pods: LimitRanges refuse, quotas refuse or count; and how controllers retry what was refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic

from simulate.control import admission, quota
from simulate.control.amounts import Amount, Amounts, added, shown, taken
from simulate.control.loops.queue import Key
from simulate.control.quota import State
from simulate.control.state import Cluster, Pod, Version
from simulate.quantity import milli, parse_quantity
from simulate.spec import ContainerSpec, LimitRange, ResourceQuota
from simulate.trace import QuotaRecord

FIRST_RETRY_S, LONGEST_RETRY_S = 0.005, 1000.0
"""A controller's key that failed is looked at again after the first wait, doubling to the longest, until a look succeeds."""


class Retries(Generic[Key]):
    """The rate limiter of a work queue: how long each key that failed waits."""

    def __init__(self, first_s: float = FIRST_RETRY_S, longest_s: float = LONGEST_RETRY_S) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self._failures: dict[Key, int] = {}

    def failed(self, key: Key) -> float:
        """The wait after one more failure.

        >>> retries = Retries()
        >>> [retries.failed("a") for _ in range(3)], retries.succeeded("a"), retries.failed("a")
        ([0.005, 0.01, 0.02], None, 0.005)
        """
        number = self._failures.get(key, 0)
        self._failures[key] = number + 1
        return min(self._longest_s, self._first_s * 2.0 ** min(number, 60))

    def failures(self, key: Key) -> int:
        """How often it has failed since it last succeeded."""
        return self._failures.get(key, 0)

    def succeeded(self, key: Key) -> None:
        """The next failure is a first one again."""
        self._failures.pop(key, None)

    def long_since(self, key: Key) -> None:
        """The key has been failing for so long that it waits the longest time."""
        self._failures[key] = 60


class _Live:
    """A quota with its use. Machinery of one run."""

    def __init__(self, spec: ResourceQuota) -> None:
        self.spec = spec
        self.used: Amounts = {name: Amount(0) for name in spec.hard}
        self.hard = State(quota=spec, used={}).hard

    @property
    def state(self) -> State:
        return State(quota=self.spec, used=self.used)

    def add(self, more: Amounts, sign: int) -> None:
        own = {name: one for name, one in more.items() if name in self.hard}
        self.used = added(self.used, own) if sign > 0 else taken(self.used, own)


class Admission:
    """Asked for every pod that is to be created. Without LimitRanges and quotas it stands aside.

    A quota's use grows at admission; when a pod has ended or is gone the quota's controller notices and frees it a watch later.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._ranges: dict[str, list[LimitRange]] = {}
        for one in cluster.spec.ranges:
            self._ranges.setdefault(one.namespace, []).append(one)
        self._quotas: dict[str, list[_Live]] = {}
        for each in cluster.spec.quotas:
            self._quotas.setdefault(each.namespace, []).append(_Live(each))
        self._templates: dict[tuple[str, int], tuple[Mapping[str, Any], Amounts]] = {}
        self._charged: dict[str, tuple[str, Amounts]] = {}
        if self._ranges or self._quotas:
            cluster.admission = self.refusal
        if self._quotas:
            cluster.set_admission = self.set_refusal
            cluster.watch_pods(self._pod_changed, states=("deleted", "succeeded", "failed"))
            cluster.on_set.append(lambda one: self._count_sets(cluster.workloads[one.workload].spec.namespace))
            for one_quota in (live for some in self._quotas.values() for live in some):
                self._record(one_quota)

    def refusal(self, pod: Pod) -> str:
        """The API's message for a pod that is not created; "" = it is, and its quotas count it from now on."""
        namespace = self._cluster.workloads[pod.workload].spec.namespace
        spec, used = self._of(pod.workload, pod.version)
        wrong = admission.invalid(pod.name, spec) or admission.forbidden(pod.name, spec, self._ranges.get(namespace, ()))
        if wrong:
            return wrong
        own = self._quotas.get(namespace, [])
        told = quota.refusal([one.state for one in own], spec, used)
        if told:
            return f'pods "{pod.name}" is forbidden: {told}'
        if own:
            self._charged[pod.name] = namespace, used
            self._change(namespace, spec, used, 1)
        return ""

    def set_refusal(self, workload: str, name: str) -> str:
        """The same for a ReplicaSet, of which quotas count the objects."""
        namespace = self._cluster.workloads[workload].spec.namespace
        self._count_sets(namespace)
        used = {each: Amount(1) for each in quota.OBJECTS["ReplicaSet"]}
        own = sorted(self._quotas.get(namespace, ()), key=lambda one: one.spec.name)
        told = next((text for one in own if (text := quota.exceeded(one.state, used))), "")
        return f'replicasets.apps "{name}" is forbidden: {told}' if told else ""

    def _count_sets(self, namespace: str) -> None:
        """ReplicaSets are counted as they are there."""
        for one in self._quotas.get(namespace, ()):
            for name in quota.OBJECTS["ReplicaSet"]:
                if name not in one.hard:
                    continue
                number = sum(len(live.sets) for live in self._cluster.workloads.values() if live.spec.namespace == namespace)
                if one.used[name].value != number:
                    one.used = {**one.used, name: Amount(number)}
                    self._record(one)

    def _of(self, workload: str, version: Version) -> tuple[Mapping[str, Any], Amounts]:
        key = workload, version.number
        if key not in self._templates:
            spec = spec_of(version)
            self._templates[key] = spec, quota.pod_usage(spec)
        return self._templates[key]

    def _pod_changed(self, pod: Pod, state: str) -> None:
        if pod.name not in self._charged:
            return
        control = self._cluster.spec.control
        namespace, used = self._charged[pod.name]
        kept = {} if state == "deleted" else quota.lasting(used)
        spec, _ = self._of(pod.workload, pod.version)
        if kept:
            self._charged[pod.name] = namespace, kept
        else:
            del self._charged[pod.name]
        self._cluster.clock.after(control.watch_s + control.api_s, self._change, namespace, spec, taken(used, kept), -1)

    def _change(self, namespace: str, spec: Mapping[str, Any], used: Amounts, sign: int) -> None:
        for one in self._quotas[namespace]:
            if quota.counts(one.spec, spec):
                one.add(used, sign)
                self._record(one)

    def _record(self, one: _Live) -> None:
        """One record a time: what is used after everything that happened then."""
        rows = self._cluster.trace.quotas
        used, hard = ({name: shown(name, each) for name, each in sorted(given.items())} for given in (one.used, one.hard))
        row = QuotaRecord(self._cluster.clock.now, one.spec.name, one.spec.namespace, used, hard)
        last = next((i for i in range(len(rows) - 1, -1, -1) if rows[i].name == row.name and rows[i].namespace == row.namespace), None)
        if last is None or rows[last].t_s < row.t_s:
            rows.append(row)
        else:
            rows[last] = row


def spec_of(version: Version) -> Mapping[str, Any]:
    """The pod's spec as its manifest has it, with what its containers ask for now (a search may have changed it)."""
    given = version.template.data.get("spec") or {}
    sized = {one.name: one for one in (*version.template.containers, *version.template.init_containers)}
    if not given.get("containers"):
        return {**given, "containers": [_sized({"name": name}, one) for name, one in sized.items()]}
    lists = {
        key: [_sized(one, sized.get(str(one.get("name")))) for one in given.get(key) or ()] for key in ("containers", "initContainers")
    }
    return {**given, **{key: one for key, one in lists.items() if one}}


def _sized(written: Mapping[str, Any], one: ContainerSpec | None) -> Mapping[str, Any]:
    """A container with the amounts of its description where they are not those that were written."""
    if one is None:
        return written
    resources = {key: dict(of) for key, of in (written.get("resources") or {}).items() if isinstance(of, Mapping)}
    for kind, name, value in (
        ("requests", "cpu", one.request_cores),
        ("requests", "memory", one.request_bytes),
        ("limits", "cpu", one.limit_cores),
        ("limits", "memory", one.limit_bytes),
    ):
        known = resources.get(kind, {}).get(name, resources.get("limits", {}).get(name) if kind == "requests" else None)
        if value is not None and (known is None or abs(parse_quantity(str(known)) - value) > 1e-9):
            resources.setdefault(kind, {})[name] = f"{milli(value)}m" if name == "cpu" else str(int(value))
    return {**written, "resources": resources}
