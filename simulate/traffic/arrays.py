"""From a TrafficSpec to the arrays of the compiled kernels, and how those grow."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from typing import Any

import numpy as np

from simulate.spec import Behaviour, Distribution, Source, Step, TrafficSpec
from simulate.traffic import draws
from simulate.traffic import kernels as k
from simulate.traffic.arrivals import compile_rate, end_of

CHUNK = 4096
WIDTH = 64
PODS = 4
CODES = {
    "const": k.CONST, "uniform": k.UNIFORM, "exp": k.EXP, "lognormal": k.LOGNORMAL,
    "erlang": k.ERLANG, "hyperexp": k.HYPEREXP, "pareto": k.PARETO, "quantiles": k.QUANTILES,
}  # fmt: skip
KINDS = {"open": k.OPEN, "deterministic": k.EVEN, "trace": k.TRACE}
POLICIES = {"random": k.RANDOM, "round_robin": k.ROUND_ROBIN, "hash": k.HASH}


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


class Tables:
    """The state of a run: tables by name as views of two flat arrays, `f` of doubles and `n` of integers behind a header."""

    def __init__(self, tables: dict[str, Any], scalars: Any) -> None:
        self.groups = 0
        self._lay(tables, scalars)

    def __getattr__(self, name: str) -> Any:
        """A table; what is written to it is seen by the kernels."""
        try:
            return self.__dict__["_views"][name]
        except KeyError:
            raise AttributeError(name) from None

    def _lay(self, tables: dict[str, Any], scalars: Any) -> None:
        self.f = np.zeros(sum(tables[name].size for name in k.FLOATS))
        self.n = np.zeros(k.HEADER + sum(tables[name].size for name in k.INTEGERS), np.int64)
        self.g = self.n[: k.WIDTH]
        self.g[:] = scalars
        self._views: dict[str, Any] = {}
        for flat, names, begin in ((self.f, k.FLOATS, 0), (self.n, k.INTEGERS, k.HEADER)):
            at = begin
            for name in names:
                table = tables[name]
                self.n[_offset(name)] = at
                self._views[name] = flat[at : at + table.size].reshape(table.shape)
                self._views[name][...] = table
                at += table.size
        self._measure()
        self._locate()

    def _locate(self) -> None:
        self.at = (int(self.f.ctypes.data), int(self.n.ctypes.data))
        self.single = self.f.data, self.n.data

    def _measure(self) -> None:
        v = self._views
        self.n[[k.WIDTH, k.SOURCES, k.PODS, k.CHUNKED]] = v["tag"].shape[1], len(v["sf"]), len(v["pf"]), len(v["a_t"])
        self.n[[k.RECORDS, k.BACKGROUNDS]] = len(v["record_f"]), len(v["background"])
        self.n[[k.WARM_COLUMNS, k.STEP_COLUMNS]] = v["warm_from"].shape[1], v["step_kind"].shape[1]
        self.n[[k.ENDPOINT_COLUMNS, k.GROUPS]] = v["endpoint"].shape[1], self.groups
        self.n[[k.KEPT_ROOM, k.JOBS_ROOM]] = len(v["kept"]), len(v["jf"])

    def replace(self, **tables: Any) -> None:
        """Other tables in the place of some, of any length; room to sort the pods and background of a node follows."""
        changed = {**self._views, **tables}
        changed["scratch"] = np.zeros(3 * (len(changed["pf"]) + len(changed["background"])))
        self._lay(changed, self.g.copy())

    def regroup(self, starts: Sequence[int], pods: Any, nodes: Any) -> None:
        """Which pods are in which group, and the node of each group."""
        self.groups = len(nodes)
        self.n[k.GROUPS] = len(nodes)
        for name, values in (("group_start", starts), ("group_pod", pods), ("group_node", nodes)):
            self._views[name][: len(values)] = values

    def saved(self) -> tuple[Any, Any, dict[str, tuple[int, ...]]]:
        """A copy of everything."""
        return self.f.copy(), self.n.copy(), {name: view.shape for name, view in self._views.items()}

    def restore(self, saved: tuple[Any, Any, dict[str, tuple[int, ...]]]) -> None:
        """As it was when `saved`, also if tables have grown since; the copy becomes the state."""
        self.f, self.n, shapes = saved
        self.g = self.n[: k.WIDTH]
        for names, flat in ((k.FLOATS, self.f), (k.INTEGERS, self.n)):
            for name in names:
                at = int(self.n[_offset(name)])
                self._views[name] = flat[at : at + math.prod(shapes[name])].reshape(shapes[name])
        self._locate()

    def more_jobs(self) -> None:
        """Twice the rows of jobs, at least two chunks; the new ones are free."""
        old = len(self.jf)
        rows = max(2 * CHUNK, 2 * old)
        self.replace(**{name: longer(getattr(self, name), rows) for name in ("jf", "ji", "jk")})
        self.ji[old:, k.SOURCE] = k.FREE
        self.ji[old:, k.LINK] = np.arange(old + 1, rows + 1)
        self.ji[rows - 1, k.LINK] = self.g[k.FREE_JOB]
        self.g[k.FREE_JOB] = old
        self.g[k.FREE_JOBS] += rows - old

    def wider(self, width: int) -> None:
        """Room for `width` jobs at once in each pod."""
        columns = 2 ** math.ceil(math.log2(max(width, 2)))
        tables = {name: wider(getattr(self, name), columns) for name in ("tag", "tag_job", "wait", "wait_job")}
        self.replace(**tables, rate=longer(self.rate, columns))

    def more_pods(self) -> None:
        """Twice the rows of pods, and of what there is one of per pod."""
        rows = 2 * len(self.pf)
        names = ("pf", "pi", "tag", "tag_job", "wait", "wait_job", "latency", "pod_hash", "group_pod", "group_node")
        tables = {name: longer(getattr(self, name), rows) for name in names}
        tables |= {name: longer(getattr(self, name), rows + 1) for name in ("group_start", "group_order")}
        self.replace(**tables, trigger=longer(self.trigger, 4 * rows), endpoint=wider(self.endpoint, rows))

    def room_for_latencies(self, rows: int) -> None:
        """A table of at least so many latencies."""
        if rows > len(self.kept):
            self.replace(kept=longer(self.kept, 2 * rows), kept_source=longer(self.kept_source, 2 * rows))

    def more_records(self) -> None:
        """Twice the rows of records."""
        rows = 2 * len(self.record_f)
        self.replace(record_f=longer(self.record_f, rows), record_i=longer(self.record_i, rows))


def _offset(name: str) -> int:
    return k.OFFSETS + (k.FLOATS + k.INTEGERS).index(name)


def longer(table: Any, rows: int) -> Any:
    """The table with more rows; the new ones are 0."""
    larger = np.zeros((rows, *table.shape[1:]), table.dtype)
    larger[: len(table)] = table
    return larger


def wider(table: Any, columns: int) -> Any:
    """The table with more columns; the new ones are 0."""
    larger = np.zeros((len(table), columns), table.dtype)
    larger[:, : table.shape[1]] = table
    return larger


def build(spec: TrafficSpec, reached: Set[str], proxies: dict[tuple[str, str], int], *, record: bool, keep: bool) -> Tables:
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
    rows = sum(len(edge.proxies) for edge in spec.edges)
    own = _source_tables(spec, proxies, points)
    shapes: dict[str, tuple[int, ...]] = {
        "pf": (PODS, k.PF), "tag": (PODS, WIDTH), "wait": (PODS, WIDTH), "jf": (0, k.JF), "node": (len(spec.machines) + 1, 4),
        "background": (0, 3), "latency": (PODS, sources), "trigger": (4 * PODS, 5), "a_t": (CHUNK,), "a_demand": (CHUNK,),
        "a_angle": (CHUNK,), "rate": (WIDTH,), "ahead_t": (sources, k.AHEAD), "ahead_key": (sources, k.AHEAD),
        "scratch": (3 * PODS,),
        "record_f": (CHUNK if record else 0, 3),
        "pi": (PODS, k.PI), "tag_job": (PODS, WIDTH), "wait_job": (PODS, WIDTH), "ji": (0, k.JI), "jk": (0,), "group_start": (PODS + 1,),
        "group_pod": (PODS,), "group_node": (PODS,), "group_order": (PODS + 1,), "endpoint": (rows, PODS), "endpoints": (rows,),
        "turn": (rows,), "pod_hash": (PODS,), "out": (sources, 9), "histogram": (sources, k.BUCKETS), "a_source": (CHUNK,),
        "a_number": (CHUNK,), "a_pod": (CHUNK,), "a_order": (CHUNK,), "a_key": (CHUNK,),
        "record_i": (CHUNK if record else 0, 4),
        "kept": (CHUNK if keep else 0,), "kept_source": (CHUNK if keep else 0,),
    }  # fmt: skip
    tables: dict[str, Any] = {name: np.zeros(shape, np.float64 if name in k.FLOATS else np.int64) for name, shape in shapes.items()}
    tables |= {
        "service": np.array([_service(b, p) for b, p in zip(spec.behaviours, programs, strict=True)], np.int64).reshape(
            -1, k.SERVICE_COLUMNS
        ),
        "step_kind": step_kind,
        "step_draw": step_draw,
        "warm_from": _padded([[n for n, _ in b.warm_requests] for b in spec.behaviours], warms).astype(np.int64),
        "warm_factor": _padded([[f for _, f in b.warm_requests] for b in spec.behaviours], warms),
        "points": np.array(points).reshape(-1, 2),
        **own,
    }
    return Tables(tables, (-1, 0, 0, -1, 0, -1, int(record), 0, 0))


def _padded(rows: list[list[float]], width: int) -> Any:
    return np.array([[*row, *[0.0] * (width - len(row))] for row in rows]).reshape(-1, width)


def _service(behaviour: Behaviour, program: Sequence[Step]) -> tuple[int, int, int, int, int]:
    workers = -1 if behaviour.workers is None else behaviour.workers
    plain = len(program) == 1 and program[0].cpu_s is not None and is_positive(program[0].cpu_s) and not behaviour.warm_requests
    return (workers, -1 if behaviour.backlog is None else behaviour.backlog, len(program), len(behaviour.warm_requests), int(plain))


def is_positive(d: Distribution) -> bool:
    """Whether every value is above 0: a request that needs nothing ends before the next begins.

    >>> is_positive(Distribution(name="uniform", minimum=0.0, maximum=1.0)), is_positive(Distribution(name="const", value=0.0))
    (True, False)
    """
    if d.name == "quantiles":
        return d.points[0][1] > 0.0
    return {"const": d.value, "uniform": d.maximum, "pareto": d.minimum}.get(d.name, d.mean) > 0.0


def _source_tables(spec: TrafficSpec, proxies: dict[tuple[str, str], int], points: list[tuple[float, float]]) -> dict[str, Any]:
    edges = {(edge.caller, edge.callee): edge for edge in spec.edges}
    sf, si = [], []
    names = [behaviour.name for behaviour in spec.behaviours]
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
            names.index(source.to), 0,
        ))  # fmt: skip
    return {
        "sf": np.array(sf).reshape(-1, 4),
        "si": np.array(si, np.int64).reshape(-1, k.SI),
        "source_key": np.array([draws.base(spec.seed, f"source/{source.name}") for source in spec.sources], np.uint64).view(np.int64),
        "batch_draw": batch,
        "segments": np.array(segments).reshape(-1, 6),
        "trace": np.array(trace, np.float64),
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
