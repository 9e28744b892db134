"""Compiled kernels of batches: pods of one node in event order, nodes one after the other (model.md 9.1). Arrays in, arrays out.

Every operation on doubles is the one of `cpu.py`, `draws.py` and `heap.py`, in the same order, so that both engines agree in every
digit. One file on purpose: the compiler's cache looks at the time of the file of a function only, not of those it calls.
"""

# mypy: disable-error-code="no-any-return"
# Arrays are Any here: numba knows their types, and NumPy's stubs would see a new object in every element.

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

if not numba.config.CACHE_DIR:
    numba.config.CACHE_DIR = str(Path.home() / ".cache" / "compose-cutover" / "numba")


def compiled(function: F) -> F:
    """Machine code that Python calls, cached between processes; no fastmath: every result is reproducible."""
    return cast(F, numba.njit(cache=True, nogil=True, no_cfunc_wrapper=True)(function))


def inner(function: F) -> F:
    """Machine code that only machine code calls: without the entry from Python, which takes longest to compile."""
    return cast(F, numba.njit(cache=True, nogil=True, no_cfunc_wrapper=True, no_cpython_wrapper=True)(function))


# columns of `pf`: doubles of a pod
(VIRTUAL, AT, SHARE, RATE, BUDGET, STOOD, SPEED, WEIGHT, QUOTA, PERIOD_S, PHASE, CPU_S, THROTTLED, REQUEST_S, RESIDENCE) = range(15)
(PARALLEL, WARM, T_END, T_QUOTA, T_WAIT, NEXT) = range(15, 21)
PF = 21
# columns of `pi`: integers of a pod
(STATE, BURSTS, PERIOD, STOOD_COUNTED, BUSY, JOBS, BACKLOG, HEAD, TAIL, TAGS, WAITS, SERVICE, NODE, SINCE, ACCEPTING, DIRTY) = range(16)
(THROTTLES, ACCEPTED, DISPATCHED, REFUSED, COMPLETED, KILLED, OOM, LOST, RESET, EXHAUSTS, GROUP) = range(16, 27)
PI = 27
ABSENT, STARTING, UP, DRAINING, DOWN, GONE = range(6)
# columns of jobs
ARRIVED_S, DEADLINE, WORKED, DEMAND = range(4)
KEY, SOURCE, STEP, LINK, SEQUENCE = range(5)
PROBE, BOOT, FREE = -1, -2, -9
# columns of services
WORKERS, QUEUE, STEPS, WARMS = range(4)
# columns of `sf` and `si`: a source
AREA, UPCOMING, TIMEOUT, END_S = range(4)
(NUMBER, ARRIVAL, SEGMENT, SEGMENT_END, KIND, POLICY, PROXIES, PROXY, CLIENTS, LIMIT, LEFT, BATCH) = range(12)
OPEN, EVEN, TRACE = range(3)
RANDOM, ROUND_ROBIN, HASH = range(3)
# columns of `out`: ends of a source's requests
OK, NO_ENDPOINT, REFUSAL, TIMED_OUT, KILL, OUT_OF_MEMORY, LATE, ARRIVALS, VANISHED = range(9)
FLYING = -1
# positions in `g`
FREE_JOB, FREE_JOBS, TRIGGERS, FILLED, SEQUENCES, LOST_JOB, RECORDING, NEEDED = range(8)
BOOTED, DRAINED, PROBED = range(3)
# distributions
CONST, UNIFORM, EXP, LOGNORMAL, ERLANG, HYPEREXP, PARETO, QUANTILES = range(8)
DONE, NEEDS_JOBS, NEEDS_WIDTH, NEEDS_RECORDS = range(4)
CPU_STEP, WAIT_STEP = range(2)
BUCKETS = 4096


class State(NamedTuple):
    """All arrays of a run; rows are pods, jobs, services, nodes, sources, proxies."""

    pf: Any
    pi: Any
    tag: Any
    tag_job: Any
    wait: Any
    wait_job: Any
    jf: Any
    ji: Any
    jk: Any
    service: Any
    step_kind: Any
    step_draw: Any
    step_number: Any
    warm_from: Any
    warm_factor: Any
    node: Any
    background: Any
    group_start: Any
    group_pod: Any
    group_node: Any
    group_order: Any
    sf: Any
    si: Any
    source_key: Any
    batch_draw: Any
    segments: Any
    trace: Any
    points: Any
    endpoint: Any
    endpoints: Any
    turn: Any
    pod_hash: Any
    out: Any
    histogram: Any
    latency: Any
    record_f: Any
    record_i: Any
    trigger: Any
    g: Any
    a_t: Any
    a_source: Any
    a_number: Any
    a_pod: Any
    a_order: Any


G64 = np.uint64(0x9E3779B97F4A7C15)
M1 = np.uint64(0xBF58476D1CE4E5B9)
M2 = np.uint64(0x94D049BB133111EB)
S30, S27, S31, S12, ONE = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(12), np.uint64(1)
P_ARRIVAL = np.uint64(0xC414EE4622817A92)
P_PICK = np.uint64(0xBF0BC40DC513BBD8)
P_CPU = np.uint64(0xF5A8FA190CB314C9)
P_WAIT = np.uint64(0x5E81A4F62C27EAA0)


def _purpose(text: str) -> Any:
    from simulate.traffic.draws import fnv

    return np.uint64(fnv(text))


P_SIZE, P_PROXY, P_CLIENT = _purpose("size"), _purpose("proxy"), _purpose("client")


# ------------------------------------------------------------------ draws


@inner
def mix(z: Any) -> Any:
    """As draws.mix, on unsigned 64 bits."""
    z = (z ^ (z >> S30)) * M1
    z = (z ^ (z >> S27)) * M2
    return z ^ (z >> S31)


@inner
def numbered(key: Any, k: int) -> Any:
    """As draws.numbered."""
    return mix(key + (np.uint64(k) + ONE) * G64)


@inner
def unit(key: Any, purpose: Any, j: int) -> float:
    """As draws.unit."""
    z = mix((key ^ purpose) + (np.uint64(j) + ONE) * G64)
    return (np.float64(z >> S12) + 0.5) * 2.0**-52


@inner
def draw(code: int, d: Any, points: Any, key: Any, purpose: Any, j: int) -> float:
    """A value of a distribution; `d` are its constants in the order of batch.constants."""
    if code == CONST:
        return d[0]
    v = unit(key, purpose, j)
    if code == EXP:
        return -d[0] * math.log(v)
    if code == LOGNORMAL:
        z = math.sqrt(-2.0 * math.log(v)) * math.cos(2.0 * math.pi * unit(key, purpose, j + 1))
        return d[0] * math.exp(d[1] * z - d[2])
    if code == UNIFORM:
        return d[0] + d[1] * v
    if code == ERLANG:
        total = 0.0
        for i in range(int(d[1])):
            total += math.log(unit(key, purpose, j + i))
        return -d[0] * total
    if code == HYPEREXP:
        scale = d[1] if v < d[0] else d[2]
        return -scale * math.log(unit(key, purpose, j + 1))
    if code == PARETO:
        return d[0] * (1.0 - v * d[1]) ** d[2]
    i, last = int(d[0]), int(d[1]) - 2
    while i < last and v >= points[i + 1, 0]:
        i += 1
    return points[i, 1] + (points[i + 1, 1] - points[i, 1]) * (v - points[i, 0]) / (points[i + 1, 0] - points[i, 0])


# ------------------------------------------------------------------ heaps of (value, key of the job)


@inner
def before(s: State, value: float, job: int, other_value: float, other_job: int) -> bool:
    """Order of two entries: value, then path."""
    return value < other_value or (value == other_value and s.ji[job, KEY] < s.ji[other_job, KEY])


@inner
def push(s: State, values: Any, jobs: Any, n: int, value: float, job: int) -> None:
    """Add an entry to a heap of n."""
    i = n
    while i > 0:
        up = (i - 1) >> 1
        if not before(s, value, job, values[up], jobs[up]):
            break
        values[i], jobs[i] = values[up], jobs[up]
        i = up
    values[i], jobs[i] = value, job


@inner
def pop(s: State, values: Any, jobs: Any, n: int) -> None:
    """Remove the first entry of a heap of n."""
    value, job = values[n - 1], jobs[n - 1]
    n -= 1
    i = 0
    while True:
        down = 2 * i + 1
        if down >= n:
            break
        if down + 1 < n and before(s, values[down + 1], jobs[down + 1], values[down], jobs[down]):
            down += 1
        if not before(s, values[down], jobs[down], value, job):
            break
        values[i], jobs[i] = values[down], jobs[down]
        i = down
    values[i], jobs[i] = value, job


# ------------------------------------------------------------------ processor (cpu.py)


@inner
def throttled(s: State, p: int) -> bool:
    """As cpu.throttled."""
    return s.pf[p, QUOTA] < math.inf and s.pf[p, BUDGET] == 0.0


@compiled
def sync(s: State, p: int, t: float) -> None:
    """As cpu.sync."""
    f, n = s.pf[p], s.pi[p]
    dt = t - f[AT]
    if dt <= 0.0:
        return
    f[AT] = t
    f[REQUEST_S] += dt * (n[JOBS] + n[BACKLOG])
    if n[BURSTS] == 0:
        return
    if f[SHARE] > 0.0:
        f[VIRTUAL] += dt * f[RATE]
        f[CPU_S] += dt * f[SHARE]
        if f[QUOTA] < math.inf:
            left = f[BUDGET] - dt * f[SHARE]
            f[BUDGET] = left if left >= 1e-12 else 0.0
    elif throttled(s, p):
        f[THROTTLED] += dt
        f[STOOD] += dt
        if f[STOOD] > 1e-9 and n[STOOD_COUNTED] == 0:
            n[STOOD_COUNTED] = 1
            n[THROTTLES] += 1


@compiled
def period_at(s: State, p: int, t: float) -> int:
    """As cpu.period_at."""
    phase, period = s.pf[p, PHASE], s.pf[p, PERIOD_S]
    number = math.floor((t - phase) / period)
    while phase + (number + 1) * period <= t:
        number += 1
    while phase + number * period > t:
        number -= 1
    return number


@compiled
def begin_period(s: State, p: int, number: int) -> None:
    """As cpu.begin_period."""
    if number != s.pi[p, PERIOD]:
        s.pf[p, STOOD] = 0.0
        s.pi[p, STOOD_COUNTED] = 0
    s.pi[p, PERIOD] = number
    s.pf[p, BUDGET] = s.pf[p, QUOTA] * s.pf[p, PERIOD_S]


@compiled
def begin_burst(s: State, p: int, t: float, demand: float, job: int) -> None:
    """As cpu.begin_burst."""
    sync(s, p, t)
    f, n = s.pf[p], s.pi[p]
    if n[BURSTS] == 0:
        f[VIRTUAL] = 0.0
        n[TAGS] = 0
        if f[QUOTA] < math.inf:
            number = period_at(s, p, t)
            if number > n[PERIOD]:
                begin_period(s, p, number)
    push(s, s.tag[p], s.tag_job[p], n[TAGS], f[VIRTUAL] + demand, job)
    n[TAGS] += 1
    n[BURSTS] += 1
    n[DIRTY] = 1


@compiled
def cap(s: State, p: int, cores: float) -> float:
    """As cpu.cap."""
    if s.pi[p, BURSTS] == 0 or throttled(s, p):
        return 0.0
    return min(float(s.pi[p, BURSTS]), s.pf[p, PARALLEL], cores)


@inner
def rate_of(s: State, p: int, share: float, node_speed: float) -> float:
    """Progress of demand per second of each burst."""
    if s.pi[p, BURSTS] == 0:
        return 0.0
    return node_speed * s.pf[p, SPEED] * s.pf[p, WARM] * share / s.pi[p, BURSTS]


@compiled
def give_share(s: State, p: int, share: float, node_speed: float, t: float) -> None:
    """As HeapPlane._give_share: when the pod's next events are."""
    sync(s, p, t)
    f, n = s.pf[p], s.pi[p]
    rate = rate_of(s, p, share, node_speed)
    f[SHARE], f[RATE], n[DIRTY] = share, rate, 0
    f[T_END] = f[T_QUOTA] = math.inf
    if n[BURSTS] > 0:
        left = max(s.tag[p, 0] - f[VIRTUAL], 0.0)
        if rate > 0.0:
            f[T_END] = t + left / rate
        elif left <= 1e-9 and throttled(s, p):
            f[T_END] = t
        if f[QUOTA] < math.inf:
            f[T_QUOTA] = f[PHASE] + (n[PERIOD] + 1) * f[PERIOD_S]
            n[EXHAUSTS] = 0
            if share > 0.0 and t + f[BUDGET] / share < f[T_QUOTA]:
                f[T_QUOTA] = t + f[BUDGET] / share
                n[EXHAUSTS] = 1
    f[NEXT] = min(f[T_END], f[T_QUOTA], f[T_WAIT])


@inner
def water_level(s: State, group: int, node: int, cores: float) -> float:
    """As cpu.water_level, for the pods of a group and the background of its node."""
    first, last = s.group_start[group], s.group_start[group + 1]
    ratio = np.empty(last - first + s.background.shape[0])
    caps, weights = np.empty_like(ratio), np.empty_like(ratio)
    m = 0
    for i in range(last - first + s.background.shape[0]):
        if i < last - first:
            p = s.group_pod[first + i]
            c, w = cap(s, p, cores), s.pf[p, WEIGHT]
        else:
            row = s.background[i - (last - first)]
            c, w = row[1] if row[0] == node else 0.0, row[2]
        if c <= 0.0:
            continue
        r, k = c / w, m
        while k > 0 and (r < ratio[k - 1] or (r == ratio[k - 1] and (c < caps[k - 1] or (c == caps[k - 1] and w < weights[k - 1])))):
            ratio[k], caps[k], weights[k] = ratio[k - 1], caps[k - 1], weights[k - 1]
            k -= 1
        ratio[k], caps[k], weights[k] = r, c, w
        m += 1
    left, weight = cores, 0.0
    for k in range(m):
        weight += weights[k]
    for k in range(m):
        if ratio[k] * weight >= left:
            break
        left -= caps[k]
        weight -= weights[k]
    return left / weight if weight > 0.0 else math.inf


@compiled
def settle(s: State, group: int, t: float) -> None:
    """As HeapPlane._share for one group."""
    node = s.group_node[group]
    cores, speed = s.node[node, 0], s.node[node, 1]
    first, last = s.group_start[group], s.group_start[group + 1]
    if last - first == 1 and s.node[node, 3] == 1.0:
        p = s.group_pod[first]
        give_share(s, p, cap(s, p, cores), speed, t)
        return
    total = 0.0
    for i in range(first, last):
        total += cap(s, s.group_pod[i], cores)
    level = math.inf
    if total + s.node[node, 2] > cores:
        level = water_level(s, group, node, cores)
    for i in range(first, last):
        p = s.group_pod[i]
        share = cap(s, p, cores)
        if level < math.inf:
            share = min(share, s.pf[p, WEIGHT] * level)
        if s.pi[p, DIRTY] == 1 or share != s.pf[p, SHARE] or rate_of(s, p, share, speed) != s.pf[p, RATE]:
            give_share(s, p, share, speed, t)


# ------------------------------------------------------------------ jobs


@inner
def bucket(x: float) -> int:
    """As histogram.bucket."""
    if x < 2.0**-17:
        return 0
    if x >= 2.0**15:
        return BUCKETS - 1
    y, e = math.frexp(x)
    return 128 * (e + 16) + int(256.0 * (y - 0.5))


@inner
def end_request(s: State, source: int, sequence: int, p: int, arrived: float, deadline: float, outcome: int, t: float) -> None:
    """The caller learns the end of a request; one that comes after the deadline was given up there."""
    end = t
    if t > deadline:
        if outcome == OK:
            s.out[source, LATE] += 1
        outcome, end = TIMED_OUT, deadline
    s.out[source, outcome] += 1
    if outcome == OK:
        s.histogram[source, bucket(t - arrived)] += 1
        s.latency[p, source] += t - arrived
    if s.g[RECORDING] == 1:
        s.record_f[sequence, 2] = end
        s.record_i[sequence, 3] = outcome


@compiled
def answer(s: State, p: int, job: int, outcome: int, t: float) -> None:
    """Tell the caller, and give the job's row back."""
    source = s.ji[job, SOURCE]
    if source >= 0:
        end_request(s, source, s.ji[job, SEQUENCE], p, s.jf[job, ARRIVED_S], s.jf[job, DEADLINE], outcome, t)
    elif source == PROBE and s.ji[job, SEQUENCE] >= 0:
        trigger(s, t, PROBED, p, s.ji[job, SEQUENCE], outcome)
    s.ji[job, SOURCE] = FREE
    s.ji[job, LINK] = s.g[FREE_JOB]
    s.g[FREE_JOB] = job
    s.g[FREE_JOBS] += 1


@inner
def trigger(s: State, t: float, kind: int, p: int, probe: int, outcome: int) -> None:
    """Note a trigger; the caller of `advance` looks at them."""
    row = s.trigger[s.g[TRIGGERS]]
    row[0], row[1], row[2], row[3], row[4] = t, kind, p, probe, outcome
    s.g[TRIGGERS] += 1


@compiled
def new_job(s: State, arrived: float, deadline: float, key: int, source: int, sequence: int, random_key: Any) -> int:
    """A row for a job."""
    job = s.g[FREE_JOB]
    s.g[FREE_JOB] = s.ji[job, LINK]
    s.g[FREE_JOBS] -= 1
    s.jf[job, ARRIVED_S], s.jf[job, DEADLINE] = arrived, deadline
    s.ji[job, KEY], s.ji[job, SOURCE], s.ji[job, STEP], s.ji[job, SEQUENCE] = key, source, 0, sequence
    s.jk[job] = random_key
    return job


@inner
def run(s: State, p: int, job: int, t: float) -> bool:
    """Execute steps until the job blocks (False) or ends (True)."""
    if s.ji[job, SOURCE] == PROBE:
        if s.ji[job, STEP] == 0 and s.jf[job, DEMAND] > 0.0:
            s.ji[job, STEP] = 1
            begin_burst(s, p, t, s.jf[job, DEMAND], job)
            return False
        return True
    service = s.pi[p, SERVICE]
    while s.ji[job, STEP] < s.service[service, STEPS]:
        i = s.ji[job, STEP]
        s.ji[job, STEP] = i + 1
        kind, code = s.step_kind[service, i, 0], s.step_kind[service, i, 1]
        purpose = P_CPU if kind == CPU_STEP else P_WAIT
        value = draw(code, s.step_draw[service, i], s.points, s.jk[job], purpose, 16 * s.step_number[service, i])
        if value > 0.0:
            if kind == CPU_STEP:
                begin_burst(s, p, t, value, job)
            else:
                push(s, s.wait[p], s.wait_job[p], s.pi[p, WAITS], t + value, job)
                s.pi[p, WAITS] += 1
                s.pf[p, T_WAIT] = s.wait[p, 0]
                s.pf[p, NEXT] = min(s.pf[p, NEXT], s.pf[p, T_WAIT])
            return False
    return True


@inner
def dispatch(s: State, p: int, job: int, t: float) -> bool:
    """Give a worker to a job; True if it ended at once."""
    n = s.pi[p]
    n[BUSY] += 1
    n[DISPATCHED] += 1
    n[JOBS] += 1
    if s.g[RECORDING] == 1 and s.ji[job, SOURCE] >= 0 and t <= s.jf[job, DEADLINE]:
        s.record_f[s.ji[job, SEQUENCE], 1] = t
    if not run(s, p, job, t):
        return False
    finish(s, p, job, t)
    return True


@inner
def finish(s: State, p: int, job: int, t: float) -> None:
    """A job answers `ok` and leaves its worker."""
    sync(s, p, t)
    f, n = s.pf[p], s.pi[p]
    f[RESIDENCE] += t - s.jf[job, ARRIVED_S]
    n[JOBS] -= 1
    n[BUSY] -= 1
    n[COMPLETED] += 1
    n[SINCE] += 1
    warm_up(s, p)
    answer(s, p, job, OK, t)
    check_drained(s, p, t)


@compiled
def warm_up(s: State, p: int) -> None:
    """The factor of the requests completed since the start."""
    service, factor = s.pi[p, SERVICE], s.pf[p, WARM]
    for i in range(s.service[service, WARMS]):
        if s.pi[p, SINCE] >= s.warm_from[service, i]:
            factor = s.warm_factor[service, i]
    if factor != s.pf[p, WARM]:
        s.pf[p, WARM] = factor
        s.pi[p, DIRTY] = 1


@compiled
def check_drained(s: State, p: int, t: float) -> None:
    """A draining pod with nothing inside is down."""
    n = s.pi[p]
    if n[STATE] == DRAINING and n[ACCEPTING] == 0 and n[JOBS] + n[BACKLOG] == 0:
        n[STATE] = DOWN
        n[DIRTY] = 1
        trigger(s, t, DRAINED, p, 0, 0)


@inner
def serve(s: State, p: int, t: float) -> None:
    """Free workers take from the head of the backlog."""
    n = s.pi[p]
    workers = s.service[n[SERVICE], WORKERS]
    while n[BACKLOG] > 0 and (workers < 0 or n[BUSY] < workers):
        sync(s, p, t)
        job = n[HEAD]
        n[HEAD] = s.ji[job, LINK]
        n[BACKLOG] -= 1
        dispatch(s, p, job, t)


@compiled
def admits(s: State, p: int) -> bool:
    """Whether the pod listens and has a worker or a place in its backlog."""
    n = s.pi[p]
    if n[STATE] != UP and not (n[STATE] == DRAINING and n[ACCEPTING] == 1):
        return False
    workers, queue = s.service[n[SERVICE], WORKERS], s.service[n[SERVICE], QUEUE]
    return workers < 0 or n[BUSY] < workers or queue < 0 or n[BACKLOG] < queue


@compiled
def enter(s: State, p: int, job: int, t: float) -> None:
    """An accepted job is dispatched or queued."""
    n = s.pi[p]
    sync(s, p, t)
    n[ACCEPTED] += 1
    workers = s.service[n[SERVICE], WORKERS]
    if workers < 0 or n[BUSY] < workers:
        if dispatch(s, p, job, t):
            serve(s, p, t)
        return
    if n[BACKLOG] == 0:
        n[HEAD] = job
    else:
        s.ji[n[TAIL], LINK] = job
    n[TAIL] = job
    n[BACKLOG] += 1


@inner
def arrive(s: State, i: int) -> None:
    """Arrival i of the chunk reaches its pod."""
    p, t, source, number = s.a_pod[i], s.a_t[i], s.a_source[i], s.a_number[i]
    deadline = t + s.sf[source, TIMEOUT]
    sequence = s.g[SEQUENCES] + i
    if s.pi[p, STATE] == GONE:
        if deadline == math.inf:
            s.out[source, VANISHED] += 1
            return
        job = new_job(s, t, deadline, number, source, sequence, np.uint64(0))
        s.ji[job, LINK] = s.g[LOST_JOB]
        s.g[LOST_JOB] = job
    elif admits(s, p):
        key = numbered(s.source_key[source], number)
        enter(s, p, new_job(s, t, deadline, (np.int64(source) << np.int64(44)) | number, source, sequence, key), t)
    else:
        s.pi[p, REFUSED] += 1
        end_request(s, source, sequence, p, t, deadline, REFUSAL, t)


@inner
def pod_event(s: State, p: int) -> float:
    """The next event of a pod; its time."""
    f, n = s.pf[p], s.pi[p]
    t = f[NEXT]
    if f[T_END] <= t:
        sync(s, p, t)
        job = s.tag_job[p, 0]
        f[VIRTUAL] = max(f[VIRTUAL], s.tag[p, 0])
        pop(s, s.tag[p], s.tag_job[p], n[TAGS])
        n[TAGS] -= 1
        n[BURSTS] -= 1
        n[DIRTY] = 1
        if s.ji[job, SOURCE] == BOOT:
            n[STATE] = UP
            trigger(s, t, BOOTED, p, 0, 0)
            answer(s, p, job, OK, t)
        elif run(s, p, job, t):
            finish(s, p, job, t)
            serve(s, p, t)
    elif f[T_QUOTA] <= t:
        sync(s, p, t)
        if n[EXHAUSTS] == 1:
            f[BUDGET] = 0.0
        else:
            begin_period(s, p, n[PERIOD] + 1)
        n[DIRTY] = 1
    else:
        job = s.wait_job[p, 0]
        pop(s, s.wait[p], s.wait_job[p], n[WAITS])
        n[WAITS] -= 1
        f[T_WAIT] = s.wait[p, 0] if n[WAITS] > 0 else math.inf
        f[NEXT] = min(f[T_END], f[T_QUOTA], f[T_WAIT])
        if run(s, p, job, t):
            finish(s, p, job, t)
            serve(s, p, t)
    return t


@inner
def run_group(s: State, group: int, begin: int, end: int, limit: float) -> None:
    """Arrivals a_order[begin:end] and all events up to `limit` of the pods that share a node."""
    first, last = s.group_start[group], s.group_start[group + 1]
    while True:
        q, t = s.group_pod[first], s.pf[s.group_pod[first], NEXT]
        for i in range(first + 1, last):
            if s.pf[s.group_pod[i], NEXT] < t:
                q = s.group_pod[i]
                t = s.pf[q, NEXT]
        if begin < end and s.a_t[s.a_order[begin]] < t:
            q = s.a_pod[s.a_order[begin]]
            t = s.a_t[s.a_order[begin]]
            arrive(s, s.a_order[begin])
            begin += 1
        elif t <= limit:
            pod_event(s, q)
        else:
            return
        if s.pi[q, DIRTY] == 1:
            settle(s, group, t)


# ------------------------------------------------------------------ arrivals


@compiled
def upcoming(s: State, i: int) -> None:
    """Draw the next arrival of a source (2.2); infinite after its end."""
    f, n = s.sf[i], s.si[i]
    n[LEFT] = 1
    k = n[ARRIVAL]
    n[ARRIVAL] = k + 1
    t = math.inf
    if n[LIMIT] >= 0 and n[NUMBER] >= n[LIMIT]:
        f[UPCOMING] = math.inf
        return
    if n[KIND] == TRACE:
        if n[SEGMENT] < n[SEGMENT_END]:
            t = s.trace[n[SEGMENT]]
            n[SEGMENT] += 1
    else:
        f[AREA] += 1.0 if n[KIND] == EVEN else -math.log(unit(numbered(s.source_key[i], k), P_ARRIVAL, 0))
        while n[SEGMENT] < n[SEGMENT_END] and f[AREA] >= s.segments[n[SEGMENT], 5]:
            n[SEGMENT] += 1
        if n[SEGMENT] < n[SEGMENT_END]:
            row = s.segments[n[SEGMENT]]
            y, t0, r0 = f[AREA] - row[4], row[0], row[2]
            slope = (row[3] - r0) / (row[1] - t0)
            t = t0 if y == 0.0 else t0 + 2.0 * y / (r0 + math.sqrt(r0 * r0 + 2.0 * slope * y))
    if t >= f[END_S]:
        t = math.inf
    f[UPCOMING] = t
    if n[BATCH] >= 0 and t < math.inf:
        size = draw(n[BATCH], s.batch_draw[i], s.points, numbered(s.source_key[i], k), P_SIZE, 0)
        n[LEFT] = max(1, math.floor(size + 0.5))


@inner
def fill(s: State, limit: float) -> int:
    """Requests up to `limit` in order of (time, source), with the pods that they go to; at most one chunk."""
    count = 0
    while count < s.a_t.shape[0]:
        i, t = -1, limit
        for source in range(s.sf.shape[0]):
            if s.sf[source, UPCOMING] < t or (i < 0 and s.sf[source, UPCOMING] == t):
                i, t = source, s.sf[source, UPCOMING]
        if i < 0 or t == math.inf:
            break
        s.a_t[count], s.a_source[count], s.a_number[count] = t, i, s.si[i, NUMBER]
        s.a_pod[count] = aim(s, i, s.si[i, NUMBER])
        count += 1
        s.si[i, NUMBER] += 1
        s.si[i, LEFT] -= 1
        if s.si[i, LEFT] == 0:
            upcoming(s, i)
    return count


@inner
def aim(s: State, i: int, number: int) -> int:
    """The endpoint of a request; -1 if there is none."""
    n = s.si[i]
    key = numbered(s.source_key[i], number)
    proxy = n[PROXY]
    if n[PROXIES] > 1:
        proxy += int(unit(key, P_PROXY, 0) * n[PROXIES])
    m = s.endpoints[proxy]
    if m == 0:
        return -1
    if n[POLICY] == RANDOM:
        return s.endpoint[proxy, int(unit(key, P_PICK, 0) * m)]
    if n[POLICY] == ROUND_ROBIN:
        position = s.turn[proxy] if s.turn[proxy] < m else 0
        s.turn[proxy] = position + 1
        return s.endpoint[proxy, position]
    client = int(unit(key, P_CLIENT, 0) * n[CLIENTS])
    left = mix(P_CLIENT ^ ((np.uint64(client) + ONE) * G64))
    best, chosen = np.uint64(0), s.endpoint[proxy, 0]
    for k in range(m):
        weight = mix(left ^ s.pod_hash[s.endpoint[proxy, k]])
        if weight > best:
            best, chosen = weight, s.endpoint[proxy, k]
    return chosen


# ------------------------------------------------------------------ a chunk


@inner
def sort_by_group(s: State, n: int) -> None:
    """Positions of the chunk's arrivals by group, in order of time within each; `group_order` has the bounds."""
    groups = s.group_node.shape[0]
    s.group_order[:] = 0
    for i in range(n):
        if s.a_pod[i] >= 0 and s.pi[s.a_pod[i], GROUP] >= 0:
            s.group_order[s.pi[s.a_pod[i], GROUP] + 1] += 1
    for group in range(groups):
        s.group_order[group + 1] += s.group_order[group]
    for i in range(n):
        if s.a_pod[i] >= 0 and s.pi[s.a_pod[i], GROUP] >= 0:
            group = s.pi[s.a_pod[i], GROUP]
            s.a_order[s.group_order[group]] = i
            s.group_order[group] += 1
    for group in range(groups, 0, -1):
        s.group_order[group] = s.group_order[group - 1]
    s.group_order[0] = 0


@inner
def widest(s: State, n: int) -> int:
    """How many jobs may be inside one pod at once during the chunk."""
    coming = np.zeros(s.pf.shape[0], np.int64)
    for i in range(n):
        if s.a_pod[i] >= 0:
            coming[s.a_pod[i]] += 1
    most = 0
    for p in range(s.pf.shape[0]):
        count = s.pi[p, JOBS] + s.pi[p, BACKLOG] + coming[p] + 1
        workers = s.service[s.pi[p, SERVICE], WORKERS]
        most = max(most, count if workers < 0 else min(count, workers + 1))
    return most


@compiled
def advance(s: State, limit: float) -> int:
    """Everything up to `limit`, chunk by chunk; or what is needed before it can go on."""
    while True:
        if s.g[FREE_JOBS] < s.a_t.shape[0]:
            return NEEDS_JOBS
        if s.g[FILLED] < 0:
            s.g[FILLED] = fill(s, limit)
        n = s.g[FILLED]
        s.g[NEEDED] = widest(s, n)
        if s.g[NEEDED] > s.tag.shape[1]:
            return NEEDS_WIDTH
        if s.g[RECORDING] == 1 and s.g[SEQUENCES] + n > s.record_f.shape[0]:
            return NEEDS_RECORDS
        full = n == s.a_t.shape[0]
        chunk(s, n, s.a_t[n - 1] if full else limit)
        s.g[FILLED] = -1
        s.g[SEQUENCES] += n
        if not full:
            return DONE


@inner
def chunk(s: State, n: int, limit: float) -> None:
    """The arrivals of one chunk, and every event up to `limit`."""
    for i in range(n):
        s.out[s.a_source[i], ARRIVALS] += 1
        if s.g[RECORDING] == 1:
            sequence = s.g[SEQUENCES] + i
            s.record_f[sequence, 0], s.record_f[sequence, 1], s.record_f[sequence, 2] = s.a_t[i], math.inf, math.inf
            s.record_i[sequence, 0], s.record_i[sequence, 1] = s.a_source[i], s.a_number[i]
            s.record_i[sequence, 2], s.record_i[sequence, 3] = s.a_pod[i], FLYING
        if s.a_pod[i] < 0:
            end_request(s, s.a_source[i], s.g[SEQUENCES] + i, 0, s.a_t[i], math.inf, NO_ENDPOINT, s.a_t[i])
        elif s.pi[s.a_pod[i], GROUP] < 0:
            arrive(s, i)
    sort_by_group(s, n)
    for group in range(s.group_node.shape[0]):
        run_group(s, group, s.group_order[group], s.group_order[group + 1], limit)
    expire_lost(s, limit)


@inner
def expire_lost(s: State, limit: float) -> None:
    """Requests that went to a lost pod end at their deadline."""
    job, s.g[LOST_JOB] = s.g[LOST_JOB], -1
    while job >= 0:
        following = s.ji[job, LINK]
        if s.jf[job, DEADLINE] <= limit:
            answer(s, 0, job, TIMED_OUT, s.jf[job, DEADLINE])
        else:
            s.ji[job, LINK] = s.g[LOST_JOB]
            s.g[LOST_JOB] = job
        job = following
