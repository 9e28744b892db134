"""Manifests + scenario -> `ClusterSpec`: names resolved, defaults of model.md 12 applied, every assumption a record.

A name of the scenario is a Service, or the workload behind it. Names of edges, sources' targets and behaviours in the result are
those of workloads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from simulate import upstreams
from simulate.manifests import Manifests
from simulate.manifests.created import Creation, with_created
from simulate.problems import InputError, Problem
from simulate.scenario import VERBS, Happening, Load, Scenario, program
from simulate.scenario.shapes import dotted, nearest
from simulate.spec import (
    Assumption,
    Behaviour,
    Call,
    ClusterSpec,
    ContainerSpec,
    ControlPlane,
    Distribution,
    Edge,
    Ejection,
    Event,
    Factor,
    Keepalive,
    Machine,
    Memory,
    NodePool,
    Objective,
    Retry,
    RetryBudget,
    Source,
    Step,
    TrafficSpec,
    Work,
    Workload,
)

GUESSED_CPU_S = 0.005
BACKLOG = 128
HORIZON_S = 3600.0
ROOM = NodePool(name="room", cores=1e6, memory_bytes=1e18, pods=1_000_000, count=1, minimum=1, maximum=1)


@dataclass(slots=True)
class Joining:
    """Machinery of one join: what was found wrong and what was assumed."""

    manifests: Manifests
    scenario: Scenario
    problems: list[Problem] = field(default_factory=list)
    assumptions: list[Assumption] = field(default_factory=list)
    behind: dict[str, dict[str, None]] = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    listed: upstreams.Groups | None = None

    def __post_init__(self) -> None:
        self.own = frozenset(workload.name for workload in self.manifests.workloads)
        for service in self.manifests.services:
            self.behind.setdefault(service.name, {}).update(dict.fromkeys(service.workloads))

    def fault(self, path: Sequence[str | int], message: str) -> None:
        """Note a fault of the scenario at a key path."""
        self.problems.append(self.scenario.document.problem(path, f"{dotted(path)} {message}"))

    def assume(self, subject: str, value: str, reason: str, origin: Literal["default", "guess", "derived"] = "default") -> None:
        """Note what was taken where nothing was said."""
        self.assumptions.append(Assumption(subject=subject, value=value, reason=reason, origin=origin))

    def callee(self, name: str, path: Sequence[str | int]) -> str | None:
        """The workload that a call means: of an upstream the first, which stands for all."""
        members = self.members(name, path)
        return members[0] if members else None

    def members(self, name: str, path: Sequence[str | int]) -> tuple[str, ...]:
        """The workloads of an upstream, or the one that another name means."""
        found = [self.resolve(one, path) for one in self.scenario.upstreams.get(name, (name,))]
        return tuple(one for one in found if one is not None)

    def resolve(self, name: str, path: Sequence[str | int]) -> str | None:
        """The workload that a name of the scenario means; None after a problem."""
        found = sorted(self.behind.get(name, ()))
        if len(found) == 1:
            return found[0]
        if name in self.own:
            return name
        if len(found) > 1:
            self.fault(path, f"is a Service of several workloads ({', '.join(found)}); name one of them")
        elif name in self.behind:
            self.fault(path, f"is a Service whose selector finds no workload of the manifests: {name!r}")
        else:
            self.fault(path, f"names no Service or workload of the manifests: {nearest(name, sorted(self.own | set(self.behind)))}")
        return None


def join(manifests: Manifests, scenario: Scenario, seed: int | None = None) -> ClusterSpec:
    """Everything that `engine.run` needs. InputError with every name that leads nowhere, and a cycle of calls."""
    manifests, faults = created(manifests, scenario)
    joining = Joining(manifests, scenario)
    said_guesses(joining, of_baseline=False)
    for place, text in faults:
        joining.fault(place, text)
    _unique_workloads(joining)
    said = said_services(joining)
    behaviours = _behaviours(joining, said)
    sources = _sources(joining)
    _guess_missing(joining, behaviours, sources)
    _fold_defaults(joining, said, _reached(joining, behaviours, sources))
    pools = _pools(joining)
    edges = _edges(joining, behaviours, sources, pools)
    _refuse_cycles(joining, behaviours)
    events = _events(joining, said, pools)
    objectives = _objectives(joining, sources)
    _other_assumptions(joining)
    images = _images(joining)
    if joining.problems:
        raise InputError(joining.problems)
    horizon_s = scenario.horizon_s or HORIZON_S
    used_seed = seed if seed is not None else scenario.seed if scenario.seed is not None else 1
    joined = upstreams.merged(
        ClusterSpec(
            seed=used_seed,
            horizon_s=horizon_s,
            workloads=manifests.workloads,
            services=manifests.services,
            autoscalers=tuple(scaler for scaler in manifests.autoscalers if _scales(joining, scaler.target)),
            pools=pools,
            traffic=TrafficSpec(
                seed=used_seed,
                horizon_s=horizon_s,
                behaviours=tuple(behaviours.values()),
                edges=edges,
                sources=sources,
                machines=tuple(_machines(pools)),
            ),
            events=events,
            control=scenario.control,
            objectives=objectives,
            assumptions=_ordered([*joining.assumptions, *manifests.assumptions]),
            budgets=manifests.budgets,
            provisioners=scenario.provisioners,
            ranges=manifests.ranges,
            quotas=manifests.quotas,
            image_bytes=images,
            begins_s=scenario.begins_s,
        ),
        upstreams_of(joining),
    )
    return joined if scenario.fluid_bin_s is None else as_fluid(joined, scenario.fluid_bin_s)


LOOKS_AT_QUEUES = ("round_robin", "least_request", "p2c", "ewma")


def as_fluid(spec: ClusterSpec, bin_s: float) -> ClusterSpec:
    """The same with the fluid engine (model.md 8), and what that supposes as assumptions."""
    found = [
        Assumption(
            subject="engine",
            value=f"fluid, bins of {bin_s:g} s",
            reason="expected flows instead of single requests; beside them the exact engine on sampled hours",
            origin="derived",
        )
    ]
    even = [f"{edge.caller}->{edge.callee}" for edge in spec.traffic.edges if edge.policy in LOOKS_AT_QUEUES]
    if even:
        reason = "the fluid engine knows no queue that a balancer could look at: its waits are an upper bound"
        found.append(Assumption(subject=f"waits over {', '.join(even)}", value="as with random choice", reason=reason, origin="derived"))
    groups = [one.name for one in spec.traffic.behaviours if any(step.parallel and len(step.calls) > 1 for step in one.program)]
    if groups:
        reason = "the fluid engine takes the largest mean of a group's calls: a lower bound"
        found.append(Assumption(subject=f"parallel calls of {', '.join(groups)}", value="the slowest", reason=reason, origin="derived"))
    return replace(spec, fluid_bin_s=bin_s, assumptions=_ordered([*spec.assumptions, *found]))


def _ordered(assumptions: Sequence[Assumption]) -> tuple[Assumption, ...]:
    """Guesses first, then what was derived, then defaults; each in the order in which they were made."""
    rank = {"guess": 0, "derived": 1, "default": 2}
    return tuple(sorted(assumptions, key=lambda assumption: rank[assumption.origin]))


def said_guesses(joining: Joining, of_baseline: bool) -> None:
    """What the scenario marks as guessed, of the world before or of all else."""
    for path, reason in joining.scenario.guesses.items():
        if (path.split(".")[0] == "baseline") != of_baseline:
            continue
        value: Any = joining.scenario.document.value
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        text = "as written" if isinstance(value, list) or value is None else _short(value)
        joining.assume(path, text, reason, "guess")


def _short(value: Any) -> str:
    return ", ".join(f"{key} {entry}" for key, entry in value.items()) if isinstance(value, Mapping) else str(value)


def _unique_workloads(joining: Joining) -> None:
    seen: dict[str, Workload] = {}
    for workload in joining.manifests.workloads:
        first = seen.setdefault(workload.name, workload)
        if first is not workload:
            message = (
                f"{workload.kind} {workload.namespace}/{workload.name} has the name of {first.kind} {first.namespace}/{first.name};"
                " simulate one namespace at a time, each name once"
            )
            joining.problems.append(Problem(file=workload.source or "manifests", line=0, column=0, message=message))


# ------------------------------------------------------------------ services


def said_services(joining: Joining) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Workload -> name as written, and what was said of it."""
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for name, said in joining.scenario.services.items():
        for workload in joining.members(name, ("services", name)):
            if workload in found:
                joining.fault(("services", name), f"means {workload}, as services.{found[workload][0]} does")
            else:
                found[workload] = (name, said)
    return found


def upstreams_of(joining: Joining) -> upstreams.Groups:
    """Upstream -> its workloads; those with a member that leads nowhere are left out after a problem."""
    if joining.listed is not None:
        return joining.listed
    found = {name: joining.members(name, ("upstreams", name)) for name in joining.scenario.upstreams}
    for name, members in found.items():
        if name in joining.own or name in joining.behind:
            joining.fault(("upstreams", name), "is also the name of a Service or workload of the manifests")
        if len(members) > len(set(members)):
            joining.fault(("upstreams", name), "has a member twice")
    joining.listed = {name: members for name, members in found.items() if len(members) == len(joining.scenario.upstreams[name])}
    return joining.listed


def _behaviours(joining: Joining, said: Mapping[str, tuple[str, Mapping[str, Any]]]) -> dict[str, Behaviour]:
    """One behaviour per workload, calls resolved."""
    found = {}
    for workload in joining.manifests.workloads:
        name, own = said.get(workload.name, (workload.name, {}))
        found[workload.name] = _behaviour(joining, workload, name, own, ("services", name))
    return found


def _behaviour(joining: Joining, workload: Workload, name: str, said: Mapping[str, Any], path: tuple[str | int, ...]) -> Behaviour:
    steps = program(said)
    if steps is not None and "program" not in said and "cpu" not in said:
        joining.assume(f"services.{name}.cpu", f"{GUESSED_CPU_S * 1000:g}ms", "CPU seconds per request were not said", "guess")
        steps = (Step(cpu_s=Distribution(name="const", value=GUESSED_CPU_S)), *steps)
    start, term, warm = said.get("start", {}), said.get("onTerm", {}), said.get("warmup", {})
    if "run" in said and workload.job is None:
        joining.fault((*path, "run"), f"is for Jobs and CronJobs; {workload.name} is a {workload.kind}")
    return Behaviour(
        name=workload.name,
        program=tuple(_resolved(joining, step, (*path, "program", i)) for i, step in enumerate(steps or ())),
        workers=said.get("workers"),
        backlog=said.get("backlog", BACKLOG),
        hold=said.get("hold", "request"),
        parallelism=said.get("parallelism"),
        memory=_memory(workload, said.get("memory", {})),
        warm_requests=tuple((int(n), float(f)) for n, f in warm.get("requests", ())),
        warm_time=warm.get("time", ()),
        drain_backlog=term.get("backlog", "serve"),
        close_keepalive=term.get("closeKeepalive", True),
        handles_term=term.get("handles", True),
        accept_on_term=term.get("accept", False),
        start_wait_s=start.get("wait", 0.0),
        start_cpu_s=start.get("cpu", 0.0),
        init_s=_initial(joining, workload, said.get("init", {}), (*path, "init")),
        run=work_of(workload, said.get("run")),
        gates_s=_gates(joining, workload, name, said.get("gates", {}), (*path, "gates")),
    )


def _initial(joining: Joining, workload: Workload, said: Mapping[str, float], path: tuple[str | int, ...]) -> tuple[tuple[str, float], ...]:
    known = [one.name for one in workload.template.init_containers]
    for name in said:
        if name not in known:
            joining.fault((*path, name), f"names no init container of {workload.name}: {nearest(name, known)}")
    return tuple(said.items())


def _gates(
    joining: Joining, workload: Workload, name: str, said: Mapping[str, float], path: tuple[str | int, ...]
) -> tuple[tuple[str, float], ...]:
    """How long each readiness gate takes to open; one that is not said opens at once, which is an assumption."""
    known = workload.template.gates
    for gate in said:
        if gate not in known:
            joining.fault((*path, gate), f"names no readiness gate of {workload.name}: {nearest(gate, known)}")
    silent = [gate for gate in known if gate not in said]
    if silent:
        joining.assume(f"services.{name}.gates {', '.join(silent)}", "0s", "how long after the containers are ready it opens was not said")
    return tuple(said.items())


def _images(joining: Joining) -> Mapping[str, float]:
    """Sizes of images; of images that nothing runs there is nothing to say."""
    templates = [workload.template for workload in joining.manifests.workloads]
    known = {one.image for template in templates for one in (*template.containers, *template.init_containers)}
    known |= {str(event.arguments["image"]) for event in joining.scenario.events if "image" in event.arguments}
    for image in joining.scenario.images:
        if image not in known:
            joining.fault(("images", image), f"is the image of no container: {nearest(image, sorted(known))}")
    return joining.scenario.images


def _resolved(joining: Joining, step: Step, path: tuple[str | int, ...]) -> Step:
    calls: list[Call] = []
    for call in step.calls:
        to = joining.callee(call.to, path)
        if to is not None:
            calls.append(replace(call, to=to))
    return replace(step, calls=tuple(calls))


def total(
    containers: Iterable[ContainerSpec], key: Literal["request_cores", "limit_cores", "request_bytes", "limit_bytes"]
) -> float | None:
    """Sum over containers of a request (what is not said counts 0; None if nothing is) or a limit (None if one has none)."""
    values = [getattr(container, key) for container in containers]
    if key.startswith("limit"):
        return None if None in values else float(sum(values))
    known = [value for value in values if value is not None]
    return float(sum(known)) if known else None


def _memory(workload: Workload, said: Mapping[str, float]) -> Memory:
    request, limit = total(workload.template.containers, "request_bytes"), total(workload.template.containers, "limit_bytes")
    return Memory(
        base_bytes=said.get("base", (request or 0.0) / 2),
        per_inflight_bytes=said.get("perRequest", 0.0),
        growth_bytes=said.get("growth", 0.0),
        limit_bytes=limit,
    )


def called(behaviours: Mapping[str, Behaviour], entries: Iterable[str]) -> list[str]:
    """Workloads that requests reach: the entries, and what they call, in order of first reaching."""
    reached: dict[str, None] = dict.fromkeys(entries)
    queue = list(reached)
    for name in queue:
        for callee in _callees(behaviours.get(name)):
            if callee not in reached:
                reached[callee] = None
                queue.append(callee)
    return list(reached)


def _callees(behaviour: Behaviour | None) -> list[str]:
    return list(dict.fromkeys(call.to for step in behaviour.program for call in step.calls)) if behaviour else []


def _reached(joining: Joining, behaviours: Mapping[str, Behaviour], sources: Sequence[Source]) -> list[str]:
    """Workloads that requests reach: of an upstream all members."""
    found = called(behaviours, (source.to for source in sources))
    others = [member for members in upstreams_of(joining).values() if members[0] in found for member in members[1:]]
    return list(dict.fromkeys([*found, *others]))


def _guess_missing(joining: Joining, behaviours: dict[str, Behaviour], sources: Sequence[Source]) -> None:
    """Work of services that are called and of which no work was said; and what else of them is an assumption."""
    reached = _reached(joining, behaviours, sources)
    for name in reached:
        if name not in behaviours:
            continue
        behaviour = behaviours[name]
        if not behaviour.program:
            behaviours[name] = replace(behaviour, program=(Step(cpu_s=Distribution(name="const", value=GUESSED_CPU_S)),))
            joining.assume(f"services.{name}.cpu", f"{GUESSED_CPU_S * 1000:g}ms", "requests reach it, and its work was not said", "guess")
        if behaviour.workers is None:
            joining.assume(f"services.{name}.workers", "unlimited", "how many requests a pod works on at a time was not said")
    for assumption in of_jobs(joining.manifests.workloads, behaviours):
        joining.assumptions.append(assumption)
    idle = [workload.name for workload in joining.manifests.workloads if workload.name not in reached and workload.job is None]
    if idle:
        joining.assume(", ".join(idle), "no requests", "neither the load nor a call of the scenario reaches them", "derived")


def _refuse_cycles(joining: Joining, behaviours: Mapping[str, Behaviour]) -> None:
    """A cycle of calls would never end (model.md 3.3)."""
    done: set[str] = set()
    for start in behaviours:
        trail: list[str] = []
        stack = [(start, iter(_callees(behaviours[start])))] if start not in done else []
        trail += [start] if stack else []
        while stack:
            name, rest = stack[-1]
            callee = next(rest, None)
            if callee is None:
                done.add(name)
                stack.pop()
                trail.pop()
            elif callee in trail:
                circle = [*trail[trail.index(callee) :], callee]
                joining.fault(("services", callee), f"calls itself: {' -> '.join(circle)}")
            elif callee not in done and callee in behaviours:
                stack.append((callee, iter(_callees(behaviours[callee]))))
                trail.append(callee)


# ------------------------------------------------------------------ Jobs, and what is created later

GUESSED_RUN = Work(wait_s=Distribution(name="const", value=60.0))
"""What a Job does of which nothing was said and which yet cannot have been before: it takes a minute, and no CPU worth counting."""


def work_of(workload: Workload, said: Any) -> Work | None:
    """What a pod of a Job does; None = the Job is done before the run begins. A bare duration is waiting."""
    if workload.job is None:
        return None
    if said is None:
        live = workload.kind == "CronJob" or workload.created_s is not None or workload.job.suspended
        return GUESSED_RUN if live else None
    if not isinstance(said, Mapping):
        return Work(wait_s=Distribution(name="const", value=float(said)))
    return Work(
        cpu_s=said.get("cpu"),
        wait_s=said.get("wait"),
        fails_ratio=said.get("fails", 0.0),
        fails_at=said.get("failsAt", ()),
        exit_code=said.get("exitCode", 1),
    )


def of_jobs(workloads: Iterable[Workload], behaviours: Mapping[str, Behaviour]) -> Iterable[Assumption]:
    """What is assumed of Jobs: those that had been before, and how long others take."""
    for one in workloads:
        run = behaviours[one.behaviour].run if one.behaviour in behaviours else None
        if one.job is not None and run is None:
            reason = "a job ends by itself; what waits for it starts at once (services.NAME.run makes it part of the run)"
            yield Assumption(subject=f"Job {one.name}", value="done before the run begins", reason=reason, origin="default")
        elif run is GUESSED_RUN:
            reason = "how long its pods run, and their CPU, were not said"
            yield Assumption(subject=f"services.{one.name}.run", value="60s", reason=reason, origin="guess")
        beside = [each.name for each in one.template.containers if each.sidecar_after is None][1:]
        if run is not None and beside:
            reason = "one process of a pod is simulated; a container that stays would keep its pod, and so the Job, for ever"
            yield Assumption(
                subject=f"Job {one.name}, containers {', '.join(beside)}", value="end with the first", reason=reason, origin="guess"
            )


def created(manifests: Manifests, scenario: Scenario) -> tuple[Manifests, list[tuple[tuple[str | int, ...], str]]]:
    """The manifests with what events create; faults with their places, also of events that come before their workload."""
    events = [one for one in scenario.events if one.verb == "create"]
    made, wrong = with_created(manifests, [Creation(one.at_s, one.target, one.arguments.get("manifest")) for one in events])
    faults = [(events[position].place, text) for position, text in wrong]
    since = {one.name: one.created_s for one in made.workloads if one.created_s is not None}
    of_workloads = [one for one in scenario.events if VERBS[one.verb][0].startswith("workload") and one.verb != "create"]
    early = [one for one in of_workloads if one.at_s < since.get(one.target, 0.0)]
    return made, faults + [(one.place, f"comes before {one.target} is created") for one in early]


# ------------------------------------------------------------------ load and events


def _sources(joining: Joining) -> tuple[Source, ...]:
    found = []
    for load in joining.scenario.loads:
        to = joining.resolve(load.entry, load.place[:2])
        if to is not None:
            found.append(replace(load.source, to=to, rate=_with_spikes(joining, load)))
    if not joining.scenario.loads:
        joining.assume("load", "none", "the scenario has no load: nothing arrives")
    return tuple(found)


def _with_spikes(joining: Joining, load: Load) -> Any:
    """The rate, times one more factor for each spike of this entry."""
    rate = load.source.rate
    for event in joining.scenario.events:
        if event.verb != "spike" or event.target != load.entry:
            continue
        if rate is None:
            joining.fault(event.place, f"cannot spike {load.source.name}: a {load.source.kind} source has no rate")
            return None
        burst = (event.at_s, event.arguments["for"], event.arguments["factor"])
        rate = replace(rate, factors=(*rate.factors, Factor(bursts=(burst,))))
    return rate


def _events(joining: Joining, said: Mapping[str, tuple[str, Mapping[str, Any]]], pools: Sequence[NodePool]) -> tuple[Event, ...]:
    found = []
    for event in joining.scenario.events:
        target = _target(joining, event, pools)
        if target is None:
            continue
        _refuse_idle(joining, event, pools)
        arguments = dict(event.arguments)
        if event.verb == "rollout" and "with" in arguments:
            arguments["behaviour"] = behaviour_with(joining, said, target, arguments.pop("with"), (*event.place, "with"))
        found.append(Event(at_s=event.at_s, verb=event.verb, target=target, arguments=arguments))
    return tuple(found)


def behaviour_with(
    joining: Joining, said: Mapping[str, tuple[str, Mapping[str, Any]]], target: str, by: Mapping[str, Any], path: tuple[str | int, ...]
) -> Behaviour:
    """How a workload behaves after a rollout that changes what was said of it."""
    workload = next(each for each in joining.manifests.workloads if each.name == target)
    name, own = said.get(target, (target, {}))
    return _behaviour(joining, workload, name, _changed(own, by), path)


def _refuse_idle(joining: Joining, event: Happening, pools: Sequence[NodePool]) -> None:
    """What could do nothing, or less than it says; what comes too late is an assumption."""
    if event.verb == "rollout" and not set(event.arguments) - {"cause"}:
        joining.fault(event.place, "changes nothing: a rollout needs image, with or fails")
    most = sum(max(pool.count, pool.maximum) for pool in pools if event.target in (pool.name, pool.provisioner))
    if event.verb == "autoscale" and not event.arguments:
        joining.fault(event.place, "changes nothing: it needs min, max or cpuPercent")
    if event.arguments.get("min", 1) > event.arguments.get("max", 2**31):
        joining.fault(event.place, f"needs min <= max, has {event.arguments['min']} and {event.arguments['max']}")
    if event.verb in ("nodeLoss", "drain", "reclaim", "taint") and event.arguments.get("count", 1) > most:
        joining.fault(event.place, f"takes {event.arguments.get('count', 1)} nodes from {event.target}, which has at most {most}")
    horizon_s = joining.scenario.horizon_s or HORIZON_S
    if event.at_s >= horizon_s:
        reason = f"its time, {event.at_s:g} s, is not before the horizon, {horizon_s:g} s"
        joining.assume(f"{dotted(event.place)}, {event.verb} {event.target}", "changes nothing in this run", reason, "derived")


def _changed(said: Mapping[str, Any], by: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was said of a service with the changes of a rollout: a new `cpu` replaces the first burst of a program."""
    if "program" in said and not any(key in by for key in ("program",)) and any(key in by for key in ("cpu", "wait", "calls")):
        steps = [dict(step) for step in said["program"]]
        for key in ("cpu", "wait"):
            first = next((i for i, step in enumerate(steps) if key in step), None)
            if key in by and first is not None:
                steps[first] = {key: by[key]}
            elif key in by:
                steps.insert(0, {key: by[key]})
        if "calls" in by:
            steps = [step for step in steps if "call" not in step and "parallel" not in step] + [{"call": call} for call in by["calls"]]
        return {**said, **{k: v for k, v in by.items() if k not in ("cpu", "wait", "calls")}, "program": tuple(steps)}
    rest = {k: v for k, v in said.items() if "program" not in by or k not in ("cpu", "wait", "calls")}
    return {**rest, **by}


def _target(joining: Joining, event: Happening, pools: Sequence[NodePool]) -> str | None:
    kind, path = VERBS[event.verb][0], (*event.place, event.verb)
    if kind.startswith("workload"):
        return joining.resolve(event.target, path)
    if kind == "entry":
        entries = [load.entry for load in joining.scenario.loads]
        if event.target not in entries:
            joining.fault(path, f"names no entry of load: {nearest(event.target, entries)}" if entries else "has no load to multiply")
            return None
        return joining.resolve(event.target, path)
    if kind.startswith("state"):
        words = ("down", "slow") if event.verb == "registry" else ("down",)
        if event.target not in words:
            joining.fault(path, f"must be {' or '.join(words)}")
            return None
        return event.target
    if joining.scenario.pools is None:
        joining.fault(path, f"needs `nodes` or `provisioners`: without them there is no {kind} to lose")
        return None
    pooled = [pool.name for pool in pools] + [one.name for one in joining.scenario.provisioners]
    known = pooled if kind == "pool" else sorted({zone for pool in pools for zone in pool.zones})
    if event.target not in known:
        joining.fault(path, f"names no {kind} of nodes: {nearest(event.target, known)}")
        return None
    return event.target


# ------------------------------------------------------------------ edges


def _edges(joining: Joining, behaviours: Mapping[str, Behaviour], sources: Sequence[Source], pools: Sequence[NodePool]) -> tuple[Edge, ...]:
    settings = balancing_of(joining, joining.scenario.balancing, ("balancing",), behaviours, sources)
    clients = {load.source.name: load.clients for load in joining.scenario.loads}
    pairs = [(source.name, source.to) for source in sources]
    pairs += [(name, callee) for name, behaviour in behaviours.items() for callee in _callees(behaviour)]
    for event in joining.scenario.events:
        for call in _calls_of(event):
            pairs.append((str(joining.resolve(event.target, event.place)), str(joining.callee(call, event.place))))
    groups = upstreams_of(joining)
    for name, message in upstreams.faults(groups, behaviours, pairs):
        joining.fault(("upstreams", name), message)
    firsts = {members[0] for members in groups.values()}
    found = {}
    for caller, callee in pairs:
        listed = upstreams.CHOICE if callee in firsts else {}
        said = {**settings.get("default", {}), **listed, **settings.get(callee, {}), **settings.get(f"{caller}->{callee}", {})}
        proxies = _proxies(joining, said, caller, pools)
        found[caller, callee] = edge_of(caller, callee, said, proxies, clients.get(caller, 1))
    return tuple(found.values())


def _calls_of(event: Happening) -> list[str]:
    steps = program(event.arguments.get("with", {})) or ()
    return [call.to for step in steps for call in step.calls]


def balancing_of(
    joining: Joining,
    said_of: Mapping[str, Mapping[str, Any]],
    place: tuple[str, ...],
    behaviours: Mapping[str, Behaviour],
    sources: Sequence[Source],
) -> dict[str, Mapping[str, Any]]:
    """`balancing`, or the one of the baseline (`place`: where it stands), with names of workloads in its keys."""
    found: dict[str, Mapping[str, Any]] = {}
    names = {source.name for source in sources}
    for key, said in said_of.items():
        path = (*place, key)
        caller, arrow, callee = (part.strip() for part in key.partition("->"))
        if key == "default":
            found[key] = said
            continue
        if not arrow:
            to = joining.callee(caller, path)
            found[str(to)] = said
            continue
        to = joining.callee(callee, path)
        by = caller if caller in names else joining.resolve(caller, path)
        found[f"{by}->{to}"] = said
        calls = _callees(behaviours.get(str(by))) if by not in names else [s.to for s in sources if s.name == by]
        if by and to and to not in calls:
            joining.fault(path, f"is no call: {caller} does not call {callee}")
    return found


def _proxies(joining: Joining, said: Mapping[str, Any], caller: str, pools: Sequence[NodePool]) -> tuple[str, ...]:
    """Names of an edge's proxies (model.md 4.1). Where the choice keeps no state one stands for all, with the same results."""
    kind = said.get("proxies", "node")
    if isinstance(kind, int):
        return tuple(f"proxy-{i}" for i in range(kind))
    if said.get("policy", "random") == "random" and not {"keepalive", "ejection"} & set(said):
        return ("default",)
    if kind == "pod":
        count = next((max(1, workload.replicas) for workload in joining.manifests.workloads if workload.name == caller), 1)
        joining.assume(
            f"proxies of {caller}", str(count), "one for each of its pods at the start, also while their number changes", "derived"
        )
    else:
        count = sum(pool.count for pool in pools) or 1
        joining.assume(f"proxies of {caller}", str(count), "one for each node at the start", "derived")
    return tuple(f"proxy-{i}" for i in range(count))


def edge_of(caller: str, callee: str, said: Mapping[str, Any], proxies: tuple[str, ...], clients: int) -> Edge:
    """The edge that the keys of one entry of `balancing` describe (model.md 12)."""
    keep, eject = said.get("keepalive"), said.get("ejection")
    return Edge(
        caller=caller,
        callee=callee,
        policy=said.get("policy", "random"),
        view=said.get("view", "local"),
        proxies=proxies,
        net_s=said.get("net", 0.0),
        timeout_s=said.get("timeout"),
        abandon=said.get("abandon", "continue"),
        deadline=said.get("deadline", "own"),
        retry=_retry(said.get("retries", {})),
        keepalive=None
        if keep is None
        else Keepalive(
            connections=keep.get("connections", 1),
            max_requests=keep.get("maxRequests"),
            max_age_s=keep.get("maxAge"),
            per_user=keep.get("perUser", False),
        ),
        ejection=None if eject is None else Ejection(max_fails=eject.get("maxFails", 1), fail_timeout_s=eject.get("failTimeout", 10.0)),
        clients=clients,
        ewma_decay_s=said.get("decay", 10.0),
    )


def _retry(said: Mapping[str, Any]) -> Retry:
    budget = said.get("budget")
    return Retry(
        maximum=said.get("max", 0),
        on=frozenset(said["on"]) if "on" in said else None,
        backoff_s=said.get("backoff", 0.0),
        factor=said.get("factor", 2.0),
        backoff_max_s=said.get("backoffMax"),
        jitter=said.get("jitter", "none"),
        avoid_tried=said.get("avoidTried", True),
        budget=None
        if budget is None
        else RetryBudget(minimum=budget.get("min", 10.0), ratio=budget.get("ratio", 0.2), maximum=budget.get("max", 100.0)),
    )


# ------------------------------------------------------------------ nodes, objectives, the rest


def _pools(joining: Joining) -> tuple[NodePool, ...]:
    for one in joining.scenario.provisioners:
        said = {str(name): entry for name, entry in joining.scenario.document.value["provisioners"].items()}[one.name]
        if (said.get("limits") or {}).get("nodes") is None:
            joining.assume(f"provisioners.{one.name}.limits.nodes", str(one.nodes), "how many nodes it may have at most was not said")
    if joining.scenario.pools is not None:
        return joining.scenario.pools
    joining.assume("nodes", "room for all", "the scenario has no `nodes`: no pod waits for a node, and nodes cost nothing")
    return (ROOM,)


def _machines(pools: Sequence[NodePool]) -> Iterable[Machine]:
    """Nodes are called POOL-NUMBER from 0, as many as a pool can have."""
    for pool in pools:
        for i in range(max(pool.count, pool.maximum)):
            cores = None if pool is ROOM else pool.cores
            yield Machine(name=f"{pool.name}-{i}", cores=cores, speed=pool.speed, background=pool.background)


def _objectives(joining: Joining, sources: Sequence[Source]) -> tuple[Objective, ...]:
    said = joining.scenario.objectives
    found: dict[str, Objective] = {}
    for name, objective in said.items():
        to = None if name == "default" else joining.resolve(name, ("objective", name))
        if to is not None and to not in {source.to for source in sources}:
            joining.fault(("objective", name), "is no entry of load: nobody would see it")
        elif to is not None:
            found[to] = replace(objective, service=to)
    if "default" in said:
        for source in sources:
            found.setdefault(source.to, replace(said["default"], service=source.to))
    if not said:
        joining.assume("objective", "none", "without it a run is neither good nor bad")
    return tuple(found.values())


def _scales(joining: Joining, target: str) -> bool:
    if any(workload.name == target for workload in joining.manifests.workloads):
        return True
    joining.assume(f"HorizontalPodAutoscaler of {target}", "scales nothing", "its target is not among the manifests", "derived")
    return False


FOLDED: tuple[tuple[str, str, str], ...] = (
    ("backlog", str(BACKLOG), "how many requests may wait in a pod was not said"),
    ("parallelism", "unlimited", "how many cores one pod can use was not said: as many as its limit and its node give"),
    ("memory", "half of the request, 0 without one", "what a pod uses when idle was not said"),
    ("start", "0s", "how long the process takes to listen was not said"),
)


def _fold_defaults(joining: Joining, said: Mapping[str, tuple[str, Mapping[str, Any]]], reached: Sequence[str]) -> None:
    """What was not said of the services that requests reach, one record a key."""
    for key, value, reason in FOLDED:
        silent = [name for name in reached if key not in said.get(name, ("", {}))[1]]
        if silent:
            joining.assume(f"{key} of {', '.join(silent)}", value, reason)
    plain = [name for name in reached if not {name, "default"} & set(joining.scenario.balancing)]
    if plain:
        joining.assume(f"balancing to {', '.join(plain)}", "random, no timeout, no retry", "as kube-proxy does; nothing else was said")
    control = joining.scenario.control
    delays = f"sandbox {control.sandbox_s:g} s, image pull {control.pull_s:g} s, endpoints {control.endpoints_s:g} s"
    joining.assume("controlPlane.delays", delays, "typical of a quiet cluster; what the scenario said of them is included")


def _other_assumptions(joining: Joining) -> None:
    scenario = joining.scenario
    if scenario.horizon_s is None:
        joining.assume("horizon", "1h", "the scenario does not say how long")
    if scenario.seed is None:
        joining.assume("seed", "1", "the scenario does not say one")
    if scenario.control.version != ControlPlane().version:
        taken = f"as Kubernetes {ControlPlane().version}"
        joining.assume("controlPlane.version", taken, f"{scenario.control.version} was said; only one version is simulated", "derived")
    if scenario.baseline is not None:
        joining.assume("baseline", "not used", "`simulate compare` puts the world before beside the cluster")
    silent = [w.name for w in joining.manifests.workloads if w.job is None and total(w.template.containers, "request_cores") is None]
    if silent:
        reason = "the manifests request no CPU: the smallest share of a busy node, and no utilization for an HPA"
        joining.assume(f"requests.cpu of {', '.join(silent)}", "none", reason)
