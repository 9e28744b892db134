"""Where the fluid approximation holds (model.md 8, "Valid"), watched while a run goes on; outside of that it is refused with its reason.

Each reason is a row of `REASONS`: the key path of the scenario that it is about, and what happened. What to do is the same for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from simulate.problems import InputError, Problem
from simulate.spec import Behaviour, TrafficSpec
from simulate.traffic.fluid_demand import moments
from simulate.traffic.fluid_state import EdgeFlow, Group, Place, profile

FULLEST = 0.95
FEW_BINS = 0.01
SERVICE_TIMES = 20.0
ERRORS = 0.01
LATENCIES = 3.0
SPREAD = 4.0
"""Standard deviations of the number of requests inside up to which a memory limit must hold."""
STANDS = 0.01
"""Share of time that a pod stands still from which it counts as throttled."""

ADVICE = "use the exact engine (`engine: exact`), for a long horizon on sampled hours (a shorter `horizon` with the load of those hours)"
REASONS: Mapping[str, str] = {
    "full": "the pods of {name} are busier than {limit:.0%} of what they can do in {share:.2g} of the time (allowed: {few:.0%}),"
    " up to {worst:.3g}: near saturation the approximation has no meaning",
    "bins": "a bin of {bin_s:g} s is shorter than 20 mean service times of {name} ({time_s:.3g} s each)",
    "errors": "{share:.3g} of the requests of {name} fail; errors are not approximated well beyond {limit:.0%}",
    "timeout": "the timeout of {name}, {timeout_s:g} s, is within 3 mean latencies ({latency_s:.3g} s) in {share:.2g} of the time:"
    " who times out is decided request by request",
    "contention": "on nodes like {name} several pods reach their CPU limit at a time while they take cores from each other"
    " in {share:.2g} of the time",
    "memory": "the memory of a pod of {name} comes within reach of its limit ({used:.4g} of {limit:.4g} bytes): when it is killed is"
    " decided request by request",
    "batch": "the requests of {name} arrive in batches: the formulas suppose that they arrive one by one",
    "storm": "no balance after 50 rounds: retries feed on the failures that they cause (a retry storm), or a closed loop has none",
    "rollout": "how many requests fail during a rollout is no question for an approximation that knows no single request",
    "pairs": "differences are paired request by request, and the approximation knows no single request",
    "search": "a search looks at settings near saturation, where the approximation has no meaning",
}

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason not to give an answer: its kind, the key path that it is about, and the text."""

    kind: str
    path: Path
    text: str

    @property
    def message(self) -> str:
        """The whole sentence."""
        return f"{'.'.join(map(str, self.path))}: the fluid engine gives no answer here: {self.text}; {ADVICE}"


def reason(kind: str, path: Path, **facts: object) -> Reason:
    """A reason with its facts filled in.

    >>> reason("batch", ("load", "web"), name="users").text
    'the requests of users arrive in batches: the formulas suppose that they arrive one by one'
    """
    return Reason(kind, path, REASONS[kind].format(**facts))


class FluidRefused(InputError):
    """The fluid engine gives no answer; `reasons` say why."""

    def __init__(self, reasons: Iterable[Reason]) -> None:
        self.reasons = tuple(reasons)
        super().__init__(Problem(file="scenario", line=0, column=0, message=one.message) for one in self.reasons)


def before(spec: TrafficSpec, bin_s: float) -> list[Reason]:
    """Reasons that are known before anything has happened."""
    found = [
        reason("batch", ("load", source.to), name=source.name)
        for source in spec.sources
        if source.batch is not None and not _single(source.batch)
    ]
    for behaviour in _reached(spec):
        facts = profile(behaviour)
        if (time_s := facts.work_s + facts.wait_s) * SERVICE_TIMES > bin_s:
            found.append(reason("bins", ("services", behaviour.service), name=behaviour.service, bin_s=bin_s, time_s=time_s))
    return found


def _single(batch: object) -> bool:
    return bool(moments(batch)[0] <= 1.0)  # type: ignore[arg-type]


def _reached(spec: TrafficSpec) -> list[Behaviour]:
    callees: dict[str, list[str]] = {}
    for b in spec.behaviours:
        callees.setdefault(b.service, []).extend(call.to for step in b.program for call in step.calls)
    known = dict.fromkeys(source.to for source in spec.sources)
    queue = list(known)
    for name in queue:
        for callee in callees[name]:
            if callee not in known:
                known[callee] = None
                queue.append(callee)
    return [behaviour for behaviour in spec.behaviours if behaviour.service in known]


@dataclass(slots=True)
class Watch:
    """Seconds in which something did not hold, by what it is about; and the worst that was seen."""

    spec: TrafficSpec
    seconds: float = 0.0
    full: dict[str, float] = field(default_factory=dict)
    worst: dict[str, float] = field(default_factory=dict)
    tight: dict[tuple[str, str], float] = field(default_factory=dict)
    slowest: dict[tuple[str, str], float] = field(default_factory=dict)
    crowded: dict[str, float] = field(default_factory=dict)

    def look(self, groups: Mapping[str, list[Group]], flows: Iterable[EdgeFlow], places: Iterable[Place], dt_s: float) -> None:
        """A piece of a run. FluidRefused at once where memory runs out."""
        self.seconds += dt_s
        for service, own in groups.items():
            self._loads(service, own, dt_s)
        for flow in flows:
            self._timeout(flow, dt_s)
        for place in places:
            if sum(count for group, count in place.members if group.throttled_s > STANDS) > 1:
                self.crowded[place.machine.name] = self.crowded.get(place.machine.name, 0.0) + dt_s

    def _loads(self, service: str, own: list[Group], dt_s: float) -> None:
        most = max((group.ratio for group in own if group.arriving > 0.0), default=0.0)
        self.worst[service] = max(self.worst.get(service, 0.0), most)
        if most > FULLEST:
            self.full[service] = self.full.get(service, 0.0) + dt_s
        for group in own:
            self._memory(service, group)

    @staticmethod
    def _memory(service: str, group: Group) -> None:
        memory = group.behaviour.memory
        if memory is None or group.limit_bytes == float("inf"):
            return
        inside = group.inside + SPREAD * group.inside**0.5
        if group.behaviour.workers is not None:
            inside = min(inside, float(group.behaviour.workers))
        used = memory.base_bytes + memory.per_inflight_bytes * inside + memory.growth_bytes * group.since
        if used > group.limit_bytes:
            raise FluidRefused([reason("memory", ("services", service), name=service, used=used, limit=group.limit_bytes)])

    def _timeout(self, flow: EdgeFlow, dt_s: float) -> None:
        limit_s = flow.spec.timeout_s
        if limit_s is None or flow.calls <= 0.0:
            return
        name = (flow.spec.caller, flow.spec.callee)
        if LATENCIES * flow.ended_s > limit_s:
            self.tight[name] = self.tight.get(name, 0.0) + dt_s
            self.slowest[name] = max(self.slowest.get(name, 0.0), flow.ended_s)

    def after(self, arrived: Mapping[str, float], failed: Mapping[str, float]) -> list[Reason]:
        """Reasons that the whole run gives; requests by source."""
        found, total = [], max(self.seconds, 1e-9)
        for service, seconds in self.full.items():
            if seconds > FEW_BINS * total:
                facts = {"name": service, "limit": FULLEST, "share": seconds / total, "few": FEW_BINS, "worst": self.worst[service]}
                found.append(reason("full", ("services", service), **facts))
        for (caller, callee), seconds in self.tight.items():
            if seconds > FEW_BINS * total:
                timeout = next(edge.timeout_s for edge in self.spec.edges if (edge.caller, edge.callee) == (caller, callee))
                facts = {"name": f"{caller}->{callee}", "timeout_s": timeout, "latency_s": self.slowest[caller, callee]}
                found.append(reason("timeout", ("balancing", callee), share=seconds / total, **facts))
        for node, seconds in self.crowded.items():
            if seconds > FEW_BINS * total:
                found.append(reason("contention", ("nodes", node.rpartition("-")[0] or node), name=node, share=seconds / total))
        for source in self.spec.sources:
            came, bad = arrived.get(source.name, 0.0), failed.get(source.name, 0.0)
            if bad > ERRORS * came:
                found.append(reason("errors", ("load", source.to), name=source.name, share=bad / came, limit=ERRORS))
        return found


__all__ = ["ADVICE", "REASONS", "FluidRefused", "Reason", "Watch", "before", "reason"]
