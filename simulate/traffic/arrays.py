"""From a TrafficSpec to the arrays of the compiled kernels, and how those grow."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from typing import Any

import numpy as np

from simulate.spec import Behaviour, Distribution, Source, TrafficSpec
from simulate.traffic import draws
from simulate.traffic import kernels as k
from simulate.traffic.arrivals import compile_rate, end_of

CHUNK = 8192
WIDTH = 64
PODS = 16
CODES = {
    "const": k.CONST, "uniform": k.UNIFORM, "exp": k.EXP, "lognormal": k.LOGNORMAL,
    "erlang": k.ERLANG, "hyperexp": k.HYPEREXP, "pareto": k.PARETO, "quantiles": k.QUANTILES,
}  # fmt: skip
KINDS = {"open": k.OPEN, "deterministic": k.EVEN, "trace": k.TRACE}
POLICIES = {"random": k.RANDOM, "round_robin": k.ROUND_ROBIN, "hash": k.HASH}
POD_FIELDS = ("pf", "pi", "tag", "tag_job", "wait", "wait_job", "latency", "pod_hash")
JOB_FIELDS = ("jf", "ji", "jk")
RECORD_FIELDS = ("record_f", "record_i")


def constants(d: Distribution, points: list[tuple[float, float]]) -> tuple[float, float, float]:
    """The numbers that kernels.draw needs of a distribution; quantiles go to `points`."""
    if d.name == "const":
        return (d.value, 0.0, 0.0)
    if d.name == "uniform":
        return (d.minimum, d.maximum - d.minimum, 0.0)
    if d.name == "lognormal":
        s2 = math.log(1.0 + d.cv * d.cv)
        return (d.mean, math.sqrt(s2), s2 / 2.0)
    if d.name == "erlang":
        return (d.mean / d.k, float(d.k), 0.0)
    if d.name == "hyperexp":
        square = d.cv * d.cv
        p = (1.0 + math.sqrt((square - 1.0) / (square + 1.0))) / 2.0
        return (p, d.mean / (2.0 * p), d.mean / (2.0 * (1.0 - p)) if p < 1.0 else 0.0)
    if d.name == "pareto":
        return (d.minimum, 1.0 - (d.minimum / d.maximum) ** d.alpha, -1.0 / d.alpha)
    if d.name == "quantiles":
        points.extend(d.points)
        return (float(len(points) - len(d.points)), float(len(points)), 0.0)
    return (d.mean, 0.0, 0.0)


def build(spec: TrafficSpec, reached: Set[str], proxies: dict[tuple[str, str], int], *, record: bool) -> k.State:
    """The state at time 0 without pods; `proxies` tells the first row of each edge's endpoint lists."""
    points: list[tuple[float, float]] = []
    services, sources = len(spec.behaviours), len(spec.sources)
    programs = [behaviour.program if behaviour.name in reached else () for behaviour in spec.behaviours]
    longest = max([1, *map(len, programs)])
    warms = max([1, *(len(behaviour.warm_requests) for behaviour in spec.behaviours)])
    step_kind = np.zeros((services, longest, 2), np.int64)
    step_draw = np.zeros((services, longest, 3))
    for i, program in enumerate(programs):
        for j, step in enumerate(program):
            wanted = step.cpu_s if step.cpu_s is not None else step.wait_s
            if wanted is not None:
                step_kind[i, j] = (k.CPU_STEP if step.cpu_s is not None else k.WAIT_STEP, CODES[wanted.name])
                step_draw[i, j] = constants(wanted, points)
    rows = sum(len(edge.proxies) for edge in spec.edges) + sources
    state = _source_arrays(spec, proxies, points)
    return k.State(
        pf=np.zeros((PODS, k.PF)), pi=np.zeros((PODS, k.PI), np.int64),
        tag=np.zeros((PODS, WIDTH)), tag_job=np.zeros((PODS, WIDTH), np.int64),
        wait=np.zeros((PODS, WIDTH)), wait_job=np.zeros((PODS, WIDTH), np.int64),
        jf=np.zeros((0, 4)), ji=np.zeros((0, 5), np.int64), jk=np.zeros(0, np.uint64),
        service=np.array([_service(b, len(p)) for b, p in zip(spec.behaviours, programs, strict=True)], np.int64).reshape(-1, 4),
        step_kind=step_kind, step_draw=step_draw, step_number=np.tile(np.arange(longest), (max(services, 1), 1)),
        warm_from=_padded([[n for n, _ in b.warm_requests] for b in spec.behaviours], warms).astype(np.int64),
        warm_factor=_padded([[f for _, f in b.warm_requests] for b in spec.behaviours], warms),
        node=np.zeros((len(spec.machines) + 1, 4)), background=np.zeros((0, 3)),
        group_start=np.zeros(1, np.int64), group_pod=np.zeros(0, np.int64),
        group_node=np.zeros(0, np.int64), group_order=np.zeros(1, np.int64),
        endpoint=np.zeros((rows, PODS), np.int64), endpoints=np.zeros(rows, np.int64), turn=np.zeros(rows, np.int64),
        pod_hash=np.zeros(PODS, np.uint64),
        out=np.zeros((sources, 9), np.int64), histogram=np.zeros((sources, k.BUCKETS), np.int64), latency=np.zeros((PODS, sources)),
        record_f=np.zeros((CHUNK if record else 0, 3)), record_i=np.zeros((CHUNK if record else 0, 4), np.int64),
        trigger=np.zeros((4 * PODS, 5)), g=np.array([-1, 0, 0, -1, 0, -1, int(record), 0], np.int64),
        a_t=np.zeros(CHUNK), a_source=np.zeros(CHUNK, np.int64), a_number=np.zeros(CHUNK, np.int64),
        a_pod=np.zeros(CHUNK, np.int64), a_order=np.zeros(CHUNK, np.int64),
        **state,
    )  # fmt: skip


def _padded(rows: list[list[float]], width: int) -> Any:
    return np.array([[*row, *[0.0] * (width - len(row))] for row in rows]).reshape(-1, width)


def _service(behaviour: Behaviour, steps: int) -> tuple[int, int, int, int]:
    workers = -1 if behaviour.workers is None else behaviour.workers
    return (workers, -1 if behaviour.backlog is None else behaviour.backlog, steps, len(behaviour.warm_requests))


def _source_arrays(spec: TrafficSpec, proxies: dict[tuple[str, str], int], points: list[tuple[float, float]]) -> dict[str, Any]:
    edges = {(edge.caller, edge.callee): edge for edge in spec.edges}
    sf, si = [], []
    segments: list[Any] = []
    trace: list[float] = []
    batch = np.zeros((len(spec.sources), 3))
    for i, source in enumerate(spec.sources):
        edge = edges[source.name, source.to]
        begin, end = _times(source, spec, segments, trace)
        if source.batch is not None:
            batch[i] = constants(source.batch, points)
        sf.append((0.0, 0.0, math.inf if edge.timeout_s is None else edge.timeout_s, end_of(source, spec.horizon_s)))
        si.append((
            0, 0, begin, end, KINDS[source.kind], POLICIES[edge.policy], len(edge.proxies), proxies[source.name, source.to], edge.clients,
            -1 if source.limit is None else source.limit, 0, -1 if source.batch is None else CODES[source.batch.name],
        ))  # fmt: skip
    return {
        "sf": np.array(sf).reshape(-1, 4),
        "si": np.array(si, np.int64).reshape(-1, 12),
        "source_key": np.array([draws.base(spec.seed, f"source/{source.name}") for source in spec.sources], np.uint64),
        "batch_draw": batch,
        "segments": np.array(segments).reshape(-1, 6),
        "trace": np.array(trace, np.float64),
        "points": np.array(points).reshape(-1, 2),
    }


def _times(source: Source, spec: TrafficSpec, segments: list[Any], trace: list[float]) -> tuple[int, int]:
    """Where the pieces of a source's rate, or its times, are."""
    if source.kind == "trace":
        trace.extend(source.times)
        return len(trace) - len(source.times), len(trace)
    begin = len(segments)
    if source.rate is not None:
        pieces = compile_rate(source.rate, end_of(source, spec.horizon_s), spec.seed, source.name)
        segments.extend(zip(pieces.start, pieces.stop, pieces.first, pieces.last, pieces.areas, pieces.areas[1:], strict=False))
    return begin, len(segments)


def grown(state: k.State, fields: Sequence[str], rows: int) -> k.State:
    """The same state with more rows in some fields; new ones are 0."""
    return state._replace(**{name: _longer(getattr(state, name), rows) for name in fields})


def _longer(array: Any, rows: int) -> Any:
    longer = np.zeros((rows, *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer


def more_jobs(state: k.State) -> k.State:
    """Twice the rows of jobs, at least two chunks; the new ones are free."""
    old = len(state.jf)
    rows = max(2 * CHUNK, 2 * old)
    larger = grown(state, JOB_FIELDS, rows)
    larger.ji[old:, k.SOURCE] = k.FREE
    larger.ji[old:, k.LINK] = np.arange(old + 1, rows + 1)
    larger.ji[rows - 1, k.LINK] = state.g[k.FREE_JOB]
    larger.g[k.FREE_JOB] = old
    larger.g[k.FREE_JOBS] += rows - old
    return larger


def wider(state: k.State, width: int) -> k.State:
    """Room for `width` jobs at once in each pod."""
    columns = 2 ** math.ceil(math.log2(max(width, 2)))

    def wide(array: Any) -> Any:
        larger = np.zeros((len(array), columns), array.dtype)
        larger[:, : array.shape[1]] = array
        return larger

    return state._replace(**{name: wide(getattr(state, name)) for name in ("tag", "tag_job", "wait", "wait_job")})


def more_pods(state: k.State) -> k.State:
    """Twice the rows of pods."""
    rows = 2 * len(state.pf)
    larger = grown(state, POD_FIELDS, rows)
    endpoint = np.zeros((len(state.endpoint), rows), np.int64)
    endpoint[:, : state.endpoint.shape[1]] = state.endpoint
    return larger._replace(endpoint=endpoint, trigger=_longer(state.trigger, 4 * rows))
