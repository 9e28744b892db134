"""Compiled kernels of batches: pods of one node in event order, nodes one after the other (model.md 9.1). Arrays in, arrays out.

Every operation on doubles is the one of `cpu.py`, `draws.py` and `heap.py`, in the same order, so that both engines agree in every
digit. `f` and `n` are the addresses of all doubles and of all integers of a run, as memory (`machine.py`).
"""

# mypy: disable-error-code="no-any-return"
# Arrays are Any here: numba knows their types, and NumPy's stubs would see a new object in every element.

from __future__ import annotations

import math
from typing import Any

import numpy as np

from simulate.traffic.limits import BATCHES
from simulate.traffic.machine import Compiler, bits, doubles, words
from simulate.traffic.series import cosine, exp, log

_BATCHES = Compiler(*BATCHES)
compiled, inner, inlined = _BATCHES.compiled, _BATCHES.inner, _BATCHES.inlined

# columns of `pf`: doubles of a pod
(VIRTUAL, AT, SHARE, RATE, BUDGET, STOOD, SPEED, WEIGHT, QUOTA, PERIOD_S, PHASE, CPU_S, THROTTLED, REQUEST_S, RESIDENCE) = range(15)
(PARALLEL, WARM, T_END, T_QUOTA, T_WAIT, NEXT, COUNTED) = range(15, 22)
PF = 22
# columns of `pi`: integers of a pod
(STATE, BURSTS, PERIOD, STOOD_COUNTED, BUSY, JOBS, BACKLOG, HEAD, TAIL, TAGS, WAITS, SERVICE, NODE, SINCE, ACCEPTING, DIRTY) = range(16)
(THROTTLES, ACCEPTED, DISPATCHED, REFUSED, COMPLETED, KILLED, OOM, LOST, RESET, EXHAUSTS, GROUP) = range(16, 27)
PI = 27
ABSENT, STARTING, UP, DRAINING, DOWN, GONE = range(6)
# columns of jobs
ARRIVED_S, DEADLINE, WORKED, DEMAND = range(4)
KEY, SOURCE, STEP, LINK, SEQUENCE = range(5)
JF, JI, SF, SI = 4, 5, 4, 14
PROBE, BOOT, FREE = -1, -2, -9
# columns of services
WORKERS, QUEUE, STEPS, WARMS, PLAIN = range(5)
SERVICE_COLUMNS = 5
# columns of `sf` and `si`: a source
AREA, UPCOMING, TIMEOUT, END_S = range(4)
(NUMBER, ARRIVAL, SEGMENT, SEGMENT_END, KIND, POLICY, PROXIES, PROXY, CLIENTS, LIMIT, LEFT, BATCH, TARGET, DRAWN) = range(14)
OPEN, EVEN, TRACE = range(3)
RANDOM, ROUND_ROBIN, HASH = range(3)
# columns of `out`: ends of a source's requests
OK, NO_ENDPOINT, REFUSAL, TIMED_OUT, KILL, OUT_OF_MEMORY, LATE, ARRIVALS, VANISHED = range(9)
FLYING = -1
# positions in `g`
FREE_JOB, FREE_JOBS, TRIGGERS, FILLED, SEQUENCES, LOST_JOB, RECORDING, NEEDED, KEPT = range(9)
BOOTED, DRAINED, PROBED = range(3)
# distributions
CONST, UNIFORM, EXP, LOGNORMAL, ERLANG, HYPEREXP, PARETO, QUANTILES = range(8)
ENDS, RENEWS, ARRIVES = range(3)
DONE, NEEDS_JOBS, NEEDS_WIDTH, NEEDS_RECORDS, NEEDS_KEEPING = range(5)
CPU_STEP, WAIT_STEP = range(2)
BUCKETS = 4096
NEVER = 1 << 62
LATEST = 1e300
"""A time that no event has: what never happens is later."""
SORTED = 32
"""Up to so many bursts of a pod are kept in order, which is a heap too: the next to end is found without a look, and one is put in
after a few."""
AHEAD = 128
"""Arrivals of a Poisson source that are drawn at once, before anybody asks for them: one does not wait for another."""


FLOATS = (
    "pf",
    "tag",
    "wait",
    "jf",
    "warm_factor",
    "node",
    "background",
    "sf",
    "trace",
    "segments",
    "latency",
    "trigger",
    "a_t",
    "a_demand",
    "a_angle",
    "ahead_t",
    "rate",
    "scratch",
    "step_draw",
    "batch_draw",
    "points",
    "record_f",
    "kept",
)
INTEGERS = (
    "pi",
    "tag_job",
    "wait_job",
    "ji",
    "jk",
    "service",
    "step_kind",
    "warm_from",
    "group_start",
    "group_pod",
    "group_node",
    "group_order",
    "si",
    "source_key",
    "endpoint",
    "endpoints",
    "turn",
    "pod_hash",
    "out",
    "histogram",
    "a_source",
    "a_number",
    "a_pod",
    "a_order",
    "a_key",
    "ahead_key",
    "record_i",
    "kept_source",
)
"""Tables of the state, in order: doubles one after the other in one array `f`, integers in one array `n` behind a header.
Two flat arrays: in compiled code they are two addresses."""
# the header of `n`: sizes, then where each table begins
(WIDTH, SOURCES, PODS, GROUPS, CHUNKED, RECORDS, BACKGROUNDS, WARM_COLUMNS, STEP_COLUMNS, ENDPOINT_COLUMNS, KEPT_ROOM, JOBS_ROOM) = range(
    9, 21
)
OFFSETS = 21
(
    O_PF, O_TAG, O_WAIT, O_JF, O_WARM_FACTOR, O_NODE, O_BACKGROUND, O_SF, O_TRACE, O_SEGMENTS, O_LATENCY, O_TRIGGER, O_A_T,
    O_A_DEMAND, O_A_ANGLE, O_AHEAD_T, O_RATE, O_SCRATCH, O_STEP_DRAW, O_BATCH_DRAW, O_POINTS, O_RECORD_F, O_KEPT, O_PI, O_TAG_JOB,
    O_WAIT_JOB, O_JI, O_JK, O_SERVICE, O_STEP_KIND, O_WARM_FROM, O_GROUP_START, O_GROUP_POD, O_GROUP_NODE, O_GROUP_ORDER, O_SI,
    O_SOURCE_KEY, O_ENDPOINT, O_ENDPOINTS, O_TURN, O_POD_HASH, O_OUT, O_HISTOGRAM, O_A_SOURCE, O_A_NUMBER, O_A_POD, O_A_ORDER,
    O_A_KEY, O_AHEAD_KEY, O_RECORD_I, O_KEPT_SOURCE,
) = range(OFFSETS, OFFSETS + 51)  # fmt: skip
HEADER = OFFSETS + 51


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


@inlined
def mix(z: Any) -> Any:
    """As draws.mix, on unsigned 64 bits."""
    z = (z ^ (z >> S30)) * M1
    z = (z ^ (z >> S27)) * M2
    return z ^ (z >> S31)


@inlined
def numbered(key: Any, k: int) -> Any:
    """As draws.numbered."""
    return mix(key + (np.uint64(k) + ONE) * G64)


@inlined
def unit(key: Any, purpose: Any, j: int) -> float:
    """As draws.unit."""
    z = mix((key ^ purpose) + (np.uint64(j) + ONE) * G64)
    return (np.float64(z >> S12) + 0.5) * 2.0**-52


@inner
def draw(f: Any, n: Any, code: int, d: int, key: Any, purpose: Any, j: int) -> float:
    """A value of a distribution; f[d:d + 3] are its constants in the order of arrays.constants."""
    if code == CONST:
        return f[d]
    v = unit(key, purpose, j)
    if code == EXP:
        return -f[d] * log(v)
    if code == LOGNORMAL:
        z = math.sqrt(-2.0 * log(v)) * cosine(unit(key, purpose, j + 1))
        return f[d] * exp(f[d + 1] * z - f[d + 2])
    if code == UNIFORM:
        return f[d] + f[d + 1] * v
    if code == ERLANG:
        total = 0.0
        for i in range(int(f[d + 1])):
            total += log(unit(key, purpose, j + i))
        return -f[d] * total
    if code == HYPEREXP:
        scale = f[d + 1] if v < f[d] else f[d + 2]
        return -scale * log(unit(key, purpose, j + 1))
    if code == PARETO:
        return f[d] * (1.0 - v * f[d + 1]) ** f[d + 2]
    a, last = n[O_POINTS] + 2 * int(f[d]), n[O_POINTS] + 2 * (int(f[d + 1]) - 2)
    while a < last and v >= f[a + 2]:
        a += 2
    return f[a + 1] + (f[a + 3] - f[a + 1]) * (v - f[a]) / (f[a + 2] - f[a])


# ------------------------------------------------------------------ heaps of (value, key of the job)


@inlined
def before(f: Any, n: Any, value: float, job: int, other_value: float, other_job: int) -> bool:
    """Order of two entries: value, then path."""
    return value < other_value or (value == other_value and n[n[O_JI] + job * JI + KEY] < n[n[O_JI] + other_job * JI + KEY])


@inlined
def push(f: Any, n: Any, values: int, jobs: int, size: int, value: float, job: int) -> None:
    """Add an entry to a heap of `size` whose values begin at f[values] and whose jobs begin at n[jobs]."""
    i = size
    while i > 0:
        up = (i - 1) >> 1
        if not before(f, n, value, job, f[values + up], n[jobs + up]):
            break
        f[values + i], n[jobs + i] = f[values + up], n[jobs + up]
        i = up
    f[values + i], n[jobs + i] = value, job


@inlined
def pop(f: Any, n: Any, values: int, jobs: int, size: int) -> None:
    """Remove the first entry of a heap of `size`."""
    size -= 1
    value, job = f[values + size], n[jobs + size]
    i = 0
    while True:
        down = 2 * i + 1
        if down >= size:
            break
        if down + 1 < size and before(f, n, f[values + down + 1], n[jobs + down + 1], f[values + down], n[jobs + down]):
            down += 1
        if not before(f, n, f[values + down], n[jobs + down], value, job):
            break
        f[values + i], n[jobs + i] = f[values + down], n[jobs + down]
        i = down
    f[values + i], n[jobs + i] = value, job


# ------------------------------------------------------------------ processor (cpu.py)


@inlined
def throttled(f: Any, n: Any, p: int) -> bool:
    """As cpu.throttled."""
    return f[n[O_PF] + p * PF + QUOTA] < math.inf and f[n[O_PF] + p * PF + BUDGET] == 0.0


@inner
def sync(f: Any, n: Any, p: int, t: float) -> None:
    """As cpu.sync."""
    a, b = n[O_PF] + p * PF, n[O_PI] + p * PI
    dt = t - f[a + AT]
    if dt <= 0.0:
        return
    f[a + AT] = t
    f[a + REQUEST_S] += dt * (n[b + JOBS] + n[b + BACKLOG])
    if n[b + BURSTS] == 0:
        return
    if f[a + SHARE] > 0.0:
        f[a + VIRTUAL] += dt * f[a + RATE]
        f[a + CPU_S] += dt * f[a + SHARE]
        if f[a + QUOTA] < math.inf:
            left = f[a + BUDGET] - dt * f[a + SHARE]
            f[a + BUDGET] = left if left >= 1e-12 else 0.0
    elif throttled(f, n, p):
        stand(f, n, p, dt)


@inner
def stand(f: Any, n: Any, p: int, dt: float) -> None:
    """A throttled pod with bursts stands still for `dt`."""
    a, b = n[O_PF] + p * PF, n[O_PI] + p * PI
    f[a + THROTTLED] += dt
    f[a + STOOD] += dt
    if f[a + STOOD] > 1e-9 and n[b + STOOD_COUNTED] == 0:
        n[b + STOOD_COUNTED] = 1
        n[b + THROTTLES] += 1


@inner
def period_at(f: Any, n: Any, p: int, t: float) -> int:
    """As cpu.period_at."""
    phase, period = f[n[O_PF] + p * PF + PHASE], f[n[O_PF] + p * PF + PERIOD_S]
    number = math.floor((t - phase) / period)
    while phase + (number + 1) * period <= t:
        number += 1
    while phase + number * period > t:
        number -= 1
    return number


@inner
def begin_period(f: Any, n: Any, p: int, number: int) -> None:
    """As cpu.begin_period."""
    if number != n[n[O_PI] + p * PI + PERIOD]:
        f[n[O_PF] + p * PF + STOOD] = 0.0
        n[n[O_PI] + p * PI + STOOD_COUNTED] = 0
    n[n[O_PI] + p * PI + PERIOD] = number
    f[n[O_PF] + p * PF + BUDGET] = f[n[O_PF] + p * PF + QUOTA] * f[n[O_PF] + p * PF + PERIOD_S]


@inner
def begin_burst(f: Any, n: Any, p: int, t: float, demand: float, job: int) -> None:
    """As cpu.begin_burst."""
    sync(f, n, p, t)
    a, b = n[O_PF] + p * PF, n[O_PI] + p * PI
    if n[b + BURSTS] == 0:
        f[a + VIRTUAL] = 0.0
        n[b + TAGS] = 0
        if f[a + QUOTA] < math.inf:
            number = period_at(f, n, p, t)
            if number > n[b + PERIOD]:
                begin_period(f, n, p, number)
    push(f, n, n[O_TAG] + p * n[WIDTH], n[O_TAG_JOB] + p * n[WIDTH], n[b + TAGS], f[a + VIRTUAL] + demand, job)
    n[b + TAGS] += 1
    n[b + BURSTS] += 1
    n[b + DIRTY] = 1


@inner
def cap(f: Any, n: Any, p: int, cores: float) -> float:
    """As cpu.cap."""
    if n[n[O_PI] + p * PI + BURSTS] == 0 or throttled(f, n, p):
        return 0.0
    return min(float(n[n[O_PI] + p * PI + BURSTS]), f[n[O_PF] + p * PF + PARALLEL], cores)


@inlined
def rate_of(f: Any, n: Any, p: int, share: float, node_speed: float) -> float:
    """Progress of demand per second of each burst."""
    if n[n[O_PI] + p * PI + BURSTS] == 0:
        return 0.0
    return node_speed * f[n[O_PF] + p * PF + SPEED] * f[n[O_PF] + p * PF + WARM] * share / n[n[O_PI] + p * PI + BURSTS]


@inner
def give_share(f: Any, n: Any, p: int, share: float, node_speed: float, t: float) -> None:
    """As HeapPlane._give_share: when the pod's next events are."""
    sync(f, n, p, t)
    a, b = n[O_PF] + p * PF, n[O_PI] + p * PI
    rate = rate_of(f, n, p, share, node_speed)
    f[a + SHARE], f[a + RATE], n[b + DIRTY] = share, rate, 0
    f[a + T_END] = f[a + T_QUOTA] = math.inf
    if n[b + BURSTS] > 0:
        left = max(f[n[O_TAG] + p * n[WIDTH]] - f[a + VIRTUAL], 0.0)
        if rate > 0.0:
            f[a + T_END] = t + left / rate
        elif left <= 1e-9 and throttled(f, n, p):
            f[a + T_END] = t
        if f[a + QUOTA] < math.inf:
            f[a + T_QUOTA] = f[a + PHASE] + (n[b + PERIOD] + 1) * f[a + PERIOD_S]
            n[b + EXHAUSTS] = 0
            if share > 0.0 and t + f[a + BUDGET] / share < f[a + T_QUOTA]:
                f[a + T_QUOTA] = t + f[a + BUDGET] / share
                n[b + EXHAUSTS] = 1
    f[a + NEXT] = min(f[a + T_END], f[a + T_QUOTA], f[a + T_WAIT])


@inner
def water_level(f: Any, n: Any, group: int, node: int, cores: float) -> float:
    """As cpu.water_level, for the pods of a group and the background of its node."""
    first, last = n[n[O_GROUP_START] + group], n[n[O_GROUP_START] + group + 1]
    ratio, caps, weights = n[O_SCRATCH], n[O_SCRATCH] + n[PODS] + n[BACKGROUNDS], n[O_SCRATCH] + 2 * (n[PODS] + n[BACKGROUNDS])
    m = 0
    for i in range(last - first + n[BACKGROUNDS]):
        if i < last - first:
            p = n[n[O_GROUP_POD] + first + i]
            c, w = cap(f, n, p, cores), f[n[O_PF] + p * PF + WEIGHT]
        else:
            row = n[O_BACKGROUND] + (i - (last - first)) * 3
            c, w = f[row + 1] if f[row] == node else 0.0, f[row + 2]
        if c <= 0.0:
            continue
        r, k = c / w, m
        while k > 0 and (r, c, w) < (f[ratio + k - 1], f[caps + k - 1], f[weights + k - 1]):
            f[ratio + k], f[caps + k], f[weights + k] = f[ratio + k - 1], f[caps + k - 1], f[weights + k - 1]
            k -= 1
        f[ratio + k], f[caps + k], f[weights + k] = r, c, w
        m += 1
    left, weight = cores, 0.0
    for k in range(m):
        weight += f[weights + k]
    for k in range(m):
        if f[ratio + k] * weight >= left:
            break
        left -= f[caps + k]
        weight -= f[weights + k]
    return left / weight if weight > 0.0 else math.inf


@inner
def settle(f: Any, n: Any, group: int, t: float) -> None:
    """As HeapPlane._share for one group."""
    node = n[n[O_GROUP_NODE] + group]
    cores, speed = f[n[O_NODE] + node * 4], f[n[O_NODE] + node * 4 + 1]
    first, last = n[n[O_GROUP_START] + group], n[n[O_GROUP_START] + group + 1]
    if last - first == 1 and f[n[O_NODE] + node * 4 + 3] == 1.0:
        p = n[n[O_GROUP_POD] + first]
        give_share(f, n, p, cap(f, n, p, cores), speed, t)
        return
    total = 0.0
    for i in range(first, last):
        total += cap(f, n, n[n[O_GROUP_POD] + i], cores)
    level = math.inf
    if total + f[n[O_NODE] + node * 4 + 2] > cores:
        level = water_level(f, n, group, node, cores)
    for i in range(first, last):
        p = n[n[O_GROUP_POD] + i]
        share = cap(f, n, p, cores)
        if level < math.inf:
            share = min(share, f[n[O_PF] + p * PF + WEIGHT] * level)
        a = n[O_PF] + p * PF
        if n[n[O_PI] + p * PI + DIRTY] == 1 or share != f[a + SHARE] or rate_of(f, n, p, share, speed) != f[a + RATE]:
            give_share(f, n, p, share, speed, t)


# ------------------------------------------------------------------ jobs


@inlined
def bucket(x: float) -> int:
    """As histogram.bucket: exponent and the first seven bits behind it, as they stand in the double."""
    if x < 2.0**-17:
        return 0
    if x >= 2.0**15:
        return BUCKETS - 1
    return (bits(x) >> 45) - 128 * 1006


@inlined
def end_request(f: Any, n: Any, source: int, sequence: int, p: int, arrived: float, deadline: float, outcome: int, t: float) -> None:
    """The caller learns the end of a request; one that comes after the deadline was given up there."""
    end = t
    if t > deadline:
        if outcome == OK:
            n[n[O_OUT] + source * 9 + LATE] += 1
        outcome, end = TIMED_OUT, deadline
    n[n[O_OUT] + source * 9 + outcome] += 1
    if outcome == OK:
        n[n[O_HISTOGRAM] + source * BUCKETS + bucket(t - arrived)] += 1
        f[n[O_LATENCY] + p * n[SOURCES] + source] += t - arrived
        if n[KEPT_ROOM] > 0:
            f[n[O_KEPT] + n[KEPT]], n[n[O_KEPT_SOURCE] + n[KEPT]] = t - arrived, source
            n[KEPT] += 1
    if n[RECORDING] == 1:
        f[n[O_RECORD_F] + sequence * 3 + 2] = end
        n[n[O_RECORD_I] + sequence * 4 + 3] = outcome


@inner
def answer(f: Any, n: Any, p: int, job: int, outcome: int, t: float) -> None:
    """Tell the caller, and give the job's row back."""
    a, b = n[O_JF] + job * JF, n[O_JI] + job * JI
    source = n[b + SOURCE]
    if source >= 0:
        end_request(f, n, source, n[b + SEQUENCE], p, f[a + ARRIVED_S], f[a + DEADLINE], outcome, t)
    elif source == PROBE and n[b + SEQUENCE] >= 0:
        trigger(f, n, t, PROBED, p, n[b + SEQUENCE], outcome)
    n[b + SOURCE] = FREE
    n[b + LINK] = n[FREE_JOB]
    n[FREE_JOB] = job
    n[FREE_JOBS] += 1


@inlined
def trigger(f: Any, n: Any, t: float, kind: int, p: int, probe: int, outcome: int) -> None:
    """Note a trigger; the caller of `advance` looks at them."""
    row = n[O_TRIGGER] + n[TRIGGERS] * 5
    f[row], f[row + 1], f[row + 2], f[row + 3], f[row + 4] = t, kind, p, probe, outcome
    n[TRIGGERS] += 1


@inner
def new_job(f: Any, n: Any, arrived: float, deadline: float, key: int, source: int, sequence: int, random_key: Any) -> int:
    """A row for a job."""
    job = n[FREE_JOB]
    a, b = n[O_JF] + job * JF, n[O_JI] + job * JI
    n[FREE_JOB] = n[b + LINK]
    n[FREE_JOBS] -= 1
    f[a + ARRIVED_S], f[a + DEADLINE] = arrived, deadline
    n[b + KEY], n[b + SOURCE], n[b + STEP], n[b + SEQUENCE] = key, source, 0, sequence
    n[n[O_JK] + job] = random_key
    return job


@inner
def run(f: Any, n: Any, p: int, job: int, t: float) -> bool:
    """Execute steps until the job blocks (False) or ends (True)."""
    if n[n[O_JI] + job * JI + SOURCE] == PROBE:
        if n[n[O_JI] + job * JI + STEP] == 0 and f[n[O_JF] + job * JF + DEMAND] > 0.0:
            n[n[O_JI] + job * JI + STEP] = 1
            begin_burst(f, n, p, t, f[n[O_JF] + job * JF + DEMAND], job)
            return False
        return True
    service = n[n[O_PI] + p * PI + SERVICE]
    while n[n[O_JI] + job * JI + STEP] < n[n[O_SERVICE] + service * SERVICE_COLUMNS + STEPS]:
        i = n[n[O_JI] + job * JI + STEP]
        n[n[O_JI] + job * JI + STEP] = i + 1
        position = service * n[STEP_COLUMNS] + i
        kind, code = n[n[O_STEP_KIND] + position * 2], n[n[O_STEP_KIND] + position * 2 + 1]
        purpose = P_CPU if kind == CPU_STEP else P_WAIT
        value = draw(f, n, code, n[O_STEP_DRAW] + position * 3, np.uint64(n[n[O_JK] + job]), purpose, 16 * i)
        if value > 0.0:
            if kind == CPU_STEP:
                begin_burst(f, n, p, t, value, job)
            else:
                push(f, n, n[O_WAIT] + p * n[WIDTH], n[O_WAIT_JOB] + p * n[WIDTH], n[n[O_PI] + p * PI + WAITS], t + value, job)
                n[n[O_PI] + p * PI + WAITS] += 1
                f[n[O_PF] + p * PF + T_WAIT] = f[n[O_WAIT] + p * n[WIDTH]]
                f[n[O_PF] + p * PF + NEXT] = min(f[n[O_PF] + p * PF + NEXT], f[n[O_PF] + p * PF + T_WAIT])
            return False
    return True


@inner
def dispatch(f: Any, n: Any, p: int, job: int, t: float) -> bool:
    """Give a worker to a job; True if it ended at once."""
    b = n[O_PI] + p * PI
    n[b + BUSY] += 1
    n[b + DISPATCHED] += 1
    n[b + JOBS] += 1
    if n[RECORDING] == 1 and n[n[O_JI] + job * JI + SOURCE] >= 0 and t <= f[n[O_JF] + job * JF + DEADLINE]:
        f[n[O_RECORD_F] + n[n[O_JI] + job * JI + SEQUENCE] * 3 + 1] = t
    if not run(f, n, p, job, t):
        return False
    finish(f, n, p, job, t)
    return True


@inlined
def finish(f: Any, n: Any, p: int, job: int, t: float) -> None:
    """A job answers `ok` and leaves its worker."""
    sync(f, n, p, t)
    a, b = n[O_PF] + p * PF, n[O_PI] + p * PI
    f[a + RESIDENCE] += t - f[n[O_JF] + job * JF + ARRIVED_S]
    n[b + JOBS] -= 1
    n[b + BUSY] -= 1
    n[b + COMPLETED] += 1
    n[b + SINCE] += 1
    warm_up(f, n, p)
    answer(f, n, p, job, OK, t)
    check_drained(f, n, p, t)


@inner
def warm_up(f: Any, n: Any, p: int) -> None:
    """The factor of the requests completed since the start."""
    service, factor = n[n[O_PI] + p * PI + SERVICE], f[n[O_PF] + p * PF + WARM]
    for i in range(n[n[O_SERVICE] + service * SERVICE_COLUMNS + WARMS]):
        if n[n[O_PI] + p * PI + SINCE] >= n[n[O_WARM_FROM] + service * n[WARM_COLUMNS] + i]:
            factor = f[n[O_WARM_FACTOR] + service * n[WARM_COLUMNS] + i]
    if factor != f[n[O_PF] + p * PF + WARM]:
        f[n[O_PF] + p * PF + WARM] = factor
        n[n[O_PI] + p * PI + DIRTY] = 1


@inner
def check_drained(f: Any, n: Any, p: int, t: float) -> None:
    """A draining pod with nothing inside is down."""
    b = n[O_PI] + p * PI
    if n[b + STATE] == DRAINING and n[b + ACCEPTING] == 0 and n[b + JOBS] + n[b + BACKLOG] == 0:
        n[b + STATE] = DOWN
        n[b + DIRTY] = 1
        trigger(f, n, t, DRAINED, p, 0, 0)


@inner
def serve(f: Any, n: Any, p: int, t: float) -> None:
    """Free workers take from the head of the backlog."""
    b = n[O_PI] + p * PI
    workers = n[n[O_SERVICE] + n[b + SERVICE] * SERVICE_COLUMNS + WORKERS]
    while n[b + BACKLOG] > 0 and (workers < 0 or n[b + BUSY] < workers):
        sync(f, n, p, t)
        job = n[b + HEAD]
        n[b + HEAD] = n[n[O_JI] + job * JI + LINK]
        n[b + BACKLOG] -= 1
        dispatch(f, n, p, job, t)


@inner
def admits(f: Any, n: Any, p: int) -> bool:
    """Whether the pod listens and has a worker or a place in its backlog."""
    b = n[O_PI] + p * PI
    if n[b + STATE] != UP and not (n[b + STATE] == DRAINING and n[b + ACCEPTING] == 1):
        return False
    workers, queue = (
        n[n[O_SERVICE] + n[b + SERVICE] * SERVICE_COLUMNS + WORKERS],
        n[n[O_SERVICE] + n[b + SERVICE] * SERVICE_COLUMNS + QUEUE],
    )
    return workers < 0 or n[b + BUSY] < workers or queue < 0 or n[b + BACKLOG] < queue


@inner
def enter(f: Any, n: Any, p: int, job: int, t: float) -> None:
    """An accepted job is dispatched or queued."""
    b = n[O_PI] + p * PI
    sync(f, n, p, t)
    n[b + ACCEPTED] += 1
    workers = n[n[O_SERVICE] + n[b + SERVICE] * SERVICE_COLUMNS + WORKERS]
    if workers < 0 or n[b + BUSY] < workers:
        if dispatch(f, n, p, job, t):
            serve(f, n, p, t)
        return
    if n[b + BACKLOG] == 0:
        n[b + HEAD] = job
    else:
        n[n[O_JI] + n[b + TAIL] * JI + LINK] = job
    n[b + TAIL] = job
    n[b + BACKLOG] += 1


@inner
def arrive(f: Any, n: Any, i: int) -> None:
    """Arrival i of the chunk reaches its pod."""
    p, t, source, number = n[n[O_A_POD] + i], f[n[O_A_T] + i], n[n[O_A_SOURCE] + i], n[n[O_A_NUMBER] + i]
    deadline = t + f[n[O_SF] + source * SF + TIMEOUT]
    sequence = n[SEQUENCES] + i
    if n[n[O_PI] + p * PI + STATE] == GONE:
        if deadline == math.inf:
            n[n[O_OUT] + source * 9 + VANISHED] += 1
            return
        job = new_job(f, n, t, deadline, number, source, sequence, 0)
        n[n[O_JI] + job * JI + LINK] = n[LOST_JOB]
        n[LOST_JOB] = job
    elif admits(f, n, p):
        job = new_job(f, n, t, deadline, (source << 44) | number, source, sequence, n[n[O_A_KEY] + i])
        f[n[O_JF] + job * JF + DEMAND] = f[n[O_A_DEMAND] + i]
        enter(f, n, p, job, t)
    else:
        n[n[O_PI] + p * PI + REFUSED] += 1
        end_request(f, n, source, sequence, p, t, deadline, REFUSAL, t)


@inner
def pod_event(f: Any, n: Any, p: int) -> float:
    """The next event of a pod; its time."""
    a, b = n[O_PF] + p * PF, n[O_PI] + p * PI
    t = f[a + NEXT]
    if f[a + T_END] <= t:
        sync(f, n, p, t)
        job = n[n[O_TAG_JOB] + p * n[WIDTH]]
        f[a + VIRTUAL] = max(f[a + VIRTUAL], f[n[O_TAG] + p * n[WIDTH]])
        pop(f, n, n[O_TAG] + p * n[WIDTH], n[O_TAG_JOB] + p * n[WIDTH], n[b + TAGS])
        n[b + TAGS] -= 1
        n[b + BURSTS] -= 1
        n[b + DIRTY] = 1
        if n[n[O_JI] + job * JI + SOURCE] == BOOT:
            n[b + STATE] = UP
            trigger(f, n, t, BOOTED, p, 0, 0)
            answer(f, n, p, job, OK, t)
        elif run(f, n, p, job, t):
            finish(f, n, p, job, t)
            serve(f, n, p, t)
    elif f[a + T_QUOTA] <= t:
        sync(f, n, p, t)
        if n[b + EXHAUSTS] == 1:
            f[a + BUDGET] = 0.0
        else:
            begin_period(f, n, p, n[b + PERIOD] + 1)
        n[b + DIRTY] = 1
    else:
        job = n[n[O_WAIT_JOB] + p * n[WIDTH]]
        pop(f, n, n[O_WAIT] + p * n[WIDTH], n[O_WAIT_JOB] + p * n[WIDTH], n[b + WAITS])
        n[b + WAITS] -= 1
        f[a + T_WAIT] = f[n[O_WAIT] + p * n[WIDTH]] if n[b + WAITS] > 0 else math.inf
        f[a + NEXT] = min(f[a + T_END], f[a + T_QUOTA], f[a + T_WAIT])
        if run(f, n, p, job, t):
            finish(f, n, p, job, t)
            serve(f, n, p, t)
    return t


@inner
def is_plain(f: Any, n: Any, p: int) -> bool:
    """Whether a pod only has whole requests inside: one burst each, no end or start near."""
    a, b = n[O_PF] + p * PF, n[O_PI] + p * PI
    if n[b + STATE] != UP or n[n[O_SERVICE] + n[b + SERVICE] * SERVICE_COLUMNS + PLAIN] == 0 or f[a + SPEED] * f[a + WARM] <= 0.0:
        return False
    if n[b + DIRTY] == 1 or n[b + WAITS] > 0 or n[b + JOBS] != n[b + BURSTS] or n[b + BUSY] != n[b + BURSTS]:
        return False
    job = n[b + HEAD]
    for _ in range(n[b + BACKLOG]):
        if n[n[O_JI] + job * JI + SOURCE] < 0:
            return False
        job = n[n[O_JI] + job * JI + LINK]
    whole = True
    for i in range(n[b + TAGS]):
        whole = whole and n[n[O_JI] + n[n[O_TAG_JOB] + p * n[WIDTH] + i] * JI + SOURCE] >= 0
    return whole


@inner
def is_roomy(f: Any, n: Any, group: int) -> bool:
    """Whether the pods of a group are plain and would take nothing from each other now if none stood; shares are whole: sums are exact."""
    node = n[O_NODE] + n[n[O_GROUP_NODE] + group] * 4
    cores, alone, total = f[node], f[node + 3] == 1.0, f[node + 2]
    for i in range(n[n[O_GROUP_START] + group], n[n[O_GROUP_START] + group + 1]):
        p = n[n[O_GROUP_POD] + i]
        most = f[n[O_PF] + p * PF + PARALLEL]
        if not is_plain(f, n, p) or not (alone or is_whole(min(most, cores))):
            return False
        total += most_of(f, n, p, cores)
    return f[node + 1] > 0.0 and (alone or total <= cores)


@inner
def is_limited(f: Any, n: Any, group: int) -> bool:
    """Whether a pod of a group has a quota."""
    found = False
    for i in range(n[n[O_GROUP_START] + group], n[n[O_GROUP_START] + group + 1]):
        found = found or f[n[O_PF] + n[n[O_GROUP_POD] + i] * PF + QUOTA] < math.inf
    return found


@inlined
def most_of(f: Any, n: Any, p: int, cores: float) -> float:
    """As `cap`, of a pod that is not throttled."""
    return min(float(n[n[O_PI] + p * PI + BURSTS]), f[n[O_PF] + p * PF + PARALLEL], cores)


@inlined
def is_whole(x: float) -> bool:
    """Whether a number of cores is whole, or infinite."""
    return x == math.inf or math.floor(x) == x


@inlined
def counted(f: Any, n: Any, first: int, last: int, cores: float, t: float) -> float:
    """At most so many cores the pods of a group have at `t`: a pod whose next end was before has one burst less, if none waited."""
    total = 0.0
    for i in range(first, last):
        a, b = n[O_PF] + n[n[O_GROUP_POD] + i] * PF, n[O_PI] + n[n[O_GROUP_POD] + i] * PI
        ended = (f[a + T_END] <= t) & (f[a + T_END] <= f[a + NEXT]) & (n[b + BACKLOG] == 0)
        f[a + COUNTED] = min(float(n[b + BURSTS] - int(ended)), f[a + PARALLEL], cores)
        total += f[a + COUNTED]
    return total


@inlined
def insert(f: Any, n: Any, values: int, jobs: int, size: int, value: float, job: int) -> None:
    """Add an entry to `size` entries in order."""
    i = size
    while i > 0 and before(f, n, value, job, f[values + i - 1], n[jobs + i - 1]):
        f[values + i], n[jobs + i] = f[values + i - 1], n[jobs + i - 1]
        i -= 1
    f[values + i], n[jobs + i] = value, job


@inner
def put_in_order(f: Any, n: Any, values: int, jobs: int, size: int) -> None:
    """Sort a few entries."""
    for i in range(1, size):
        insert(f, n, values, jobs, i, f[values + i], n[jobs + i])


@inlined
def lower(f: Any, n: Any, values: int, jobs: int, skipped: int, size: int) -> None:
    """Entries behind `skipped` that have left go to the beginning."""
    if skipped > 0:
        for i in range(size):
            f[values + i], n[jobs + i] = f[values + skipped + i], n[jobs + skipped + i]


def roomy(limits: bool) -> Any:
    """The loop of pods that have room, for groups in which some have a quota, or none has."""

    def run_roomy(f: Any, n: Any, group: int, begin: int, end: int, limit: float) -> int:
        """As run_events while `is_roomy`: the same sums in the same order, each pod only when a request comes to it, then in registers.

        Shares grow with arrivals only, but for those of throttled pods, which are taken as if they were not. So what pods had when
        they were last looked at is at least what they have: where that fits, the node has room. Where it does not, what has ended
        since is left out, then all are brought to now; if they do not fit either, the next position in `a_order` is given back, -1
        if everything is done.
        """
        limit = min(limit, LATEST)
        first, last = n[n[O_GROUP_START] + group], n[n[O_GROUP_START] + group + 1]
        node = n[O_NODE] + n[n[O_GROUP_NODE] + group] * 4
        cores, speed, total, coupled = f[node], f[node + 1], f[node + 2], f[node + 3] != 1.0
        if coupled:
            for i in range(first, last):
                a = n[O_PF] + n[n[O_GROUP_POD] + i] * PF
                f[a + COUNTED] = most_of(f, n, n[n[O_GROUP_POD] + i], cores)
                total += f[a + COUNTED]
        jf, ji, jk, orders, times, demand_of = n[O_JF], n[O_JI], n[O_JK], n[O_A_ORDER], n[O_A_T], n[O_A_DEMAND]
        sources, numbers, keys, timeouts, sequences = n[O_A_SOURCE], n[O_A_NUMBER], n[O_A_KEY], n[O_SF] + TIMEOUT, n[SEQUENCES]
        outs, histograms, pods, recording = n[O_OUT], n[O_HISTOGRAM], n[O_A_POD], n[RECORDING] == 1
        members, keeping, kept, kept_source = n[O_GROUP_POD], n[KEPT_ROOM] > 0, n[O_KEPT], n[O_KEPT_SOURCE]
        free, free_jobs, count = n[FREE_JOB], n[FREE_JOBS], n[KEPT]
        p, q, k, sweep, done, crowded, heaped = -1, -1, begin, -1, False, -1, False
        rates, rated, rated_most, rated_factor = n[O_RATE], 1, -1.0, 0.0
        i, t = -1, limit
        a = b = tags = tag_jobs = skipped = latencies = bursts = backlog = head = tail = workers = queue = 0
        at = virtual = share = rate = ends = renews = request_s = cpu_s = residence = most = factor = 0.0
        limited = False
        while True:
            if sweep < 0 and k < end:
                i = n[orders + k]
                k += 1
                t, q = f[times + i], n[pods + i]
            else:
                if sweep < 0:
                    sweep, done, t = first, True, limit
                i, q = -1, -1
                while q < 0 and sweep < last:
                    q = n[members + sweep]
                    sweep += 1
                    if q != p and f[n[O_PF] + q * PF + NEXT] > t:
                        q = -1
            if q != p:
                if p >= 0:
                    lower(f, n, tags, tag_jobs, skipped, bursts)
                    f[a + AT], f[a + VIRTUAL], f[a + SHARE], f[a + RATE] = at, virtual, share, rate
                    f[a + T_END], f[a + T_QUOTA], f[a + NEXT] = ends, renews, min(ends, renews)
                    f[a + REQUEST_S], f[a + CPU_S], f[a + RESIDENCE] = request_s, cpu_s, residence
                    n[b + BURSTS], n[b + TAGS], n[b + JOBS], n[b + BUSY], n[b + BACKLOG] = bursts, bursts, bursts, bursts, backlog
                    n[b + HEAD], n[b + TAIL] = head, tail
                p = q
                if p >= 0:
                    a, b = n[O_PF] + p * PF, n[O_PI] + p * PI
                    tags, tag_jobs, latencies = n[O_TAG] + p * n[WIDTH], n[O_TAG_JOB] + p * n[WIDTH], n[O_LATENCY] + p * n[SOURCES]
                    at, virtual, share, rate = f[a + AT], f[a + VIRTUAL], f[a + SHARE], f[a + RATE]
                    ends, renews, limited = f[a + T_END], f[a + T_QUOTA], limits and f[a + QUOTA] < math.inf
                    request_s, cpu_s, residence = f[a + REQUEST_S], f[a + CPU_S], f[a + RESIDENCE]
                    bursts, backlog, head, tail = n[b + BURSTS], n[b + BACKLOG], n[b + HEAD], n[b + TAIL]
                    service = n[O_SERVICE] + n[b + SERVICE] * SERVICE_COLUMNS
                    workers = n[service + WORKERS] if n[service + WORKERS] >= 0 else NEVER
                    queue = n[service + QUEUE] if n[service + QUEUE] >= 0 else NEVER
                    most, factor = min(f[a + PARALLEL], cores), speed * f[a + SPEED] * f[a + WARM]
                    skipped, heaped = 0, bursts > SORTED
                    if most != rated_most or factor != rated_factor:
                        rated, rated_most, rated_factor = 1, most, factor
                    while rated <= bursts:
                        f[rates + rated] = factor * min(float(rated), most) / rated
                        rated += 1
                    if not heaped:
                        put_in_order(f, n, tags, tag_jobs, bursts)
            if p < 0:
                if not done and total <= cores:
                    sweep = -1
                    continue
                n[FREE_JOB], n[FREE_JOBS], n[KEPT] = free, free_jobs, count
                if done:
                    return -1
                n[n[O_PI] + crowded * PI + DIRTY] = 1
                settle(f, n, group, t)
                return k
            while True:
                job, demand, what = -1, 0.0, ARRIVES
                if ends <= t and (not limited or ends <= renews):
                    now, what = ends, ENDS
                elif limited and renews <= t:
                    now, what = renews, RENEWS
                elif i >= 0:
                    now = t
                    if bursts >= workers and backlog >= queue:
                        n[b + REFUSED] += 1
                        source = n[sources + i]
                        end_request(f, n, source, sequences + i, p, t, t + f[timeouts + source * SF], REFUSAL, t)
                        break
                else:
                    break
                dt = now - at
                if dt > 0.0:
                    at = now
                    request_s += dt * (bursts + backlog)
                    virtual += dt * rate
                    cpu_s += dt * share
                    if limited and share > 0.0:
                        left = f[a + BUDGET] - dt * share
                        f[a + BUDGET] = left if left >= 1e-12 else 0.0
                    elif limited and bursts > 0:
                        stand(f, n, p, dt)
                if what == ENDS:
                    ended = n[tag_jobs + skipped]
                    virtual = max(virtual, f[tags + skipped])
                    if heaped:
                        pop(f, n, tags, tag_jobs, bursts)
                        if bursts == SORTED // 2:
                            put_in_order(f, n, tags, tag_jobs, bursts - 1)
                            heaped = False
                    else:
                        skipped += 1
                    bursts -= 1
                    n[b + COMPLETED] += 1
                    n[b + SINCE] += 1
                    x, y = jf + ended * JF, ji + ended * JI
                    span, source = now - f[x + ARRIVED_S], n[y + SOURCE]
                    residence += span
                    if recording or now > f[x + DEADLINE]:
                        n[KEPT] = count
                        end_request(f, n, source, n[y + SEQUENCE], p, f[x + ARRIVED_S], f[x + DEADLINE], OK, now)
                        count = n[KEPT]
                    else:
                        n[outs + source * 9 + OK] += 1
                        n[histograms + source * BUCKETS + bucket(span)] += 1
                        f[latencies + source] += span
                        if keeping:
                            f[kept + count], n[kept_source + count] = span, source
                            count += 1
                    n[y + SOURCE], n[y + LINK] = FREE, free
                    free = ended
                    free_jobs += 1
                    if backlog > 0 and bursts < workers:
                        job = head
                        head = n[ji + job * JI + LINK]
                        demand = f[jf + job * JF + DEMAND]
                        backlog -= 1
                elif what == RENEWS:
                    if n[b + EXHAUSTS] == 1:
                        f[a + BUDGET] = 0.0
                    else:
                        begin_period(f, n, p, n[b + PERIOD] + 1)
                else:
                    arrived, i = i, -1
                    source = n[sources + arrived]
                    deadline = t + f[timeouts + source * SF]
                    job, demand = free, f[demand_of + arrived]
                    x, y = jf + job * JF, ji + job * JI
                    free = n[y + LINK]
                    free_jobs -= 1
                    n[b + ACCEPTED] += 1
                    f[x + ARRIVED_S], f[x + DEADLINE] = t, deadline
                    n[y + KEY], n[y + SOURCE] = (source << 44) | n[numbers + arrived], source
                    n[y + STEP], n[y + SEQUENCE] = 0, sequences + arrived
                    if bursts >= workers:
                        f[x + DEMAND], n[jk + job] = demand, n[keys + arrived]
                        if backlog == 0:
                            head = job
                        else:
                            n[ji + tail * JI + LINK] = job
                        tail = job
                        backlog += 1
                        break
                if job >= 0:
                    y = ji + job * JI
                    if recording and now <= f[jf + job * JF + DEADLINE]:
                        f[n[O_RECORD_F] + n[y + SEQUENCE] * 3 + 1] = now
                    n[y + STEP] = 1
                    virtual = virtual if bursts > 0 else 0.0
                    if limited and bursts == 0:
                        number = period_at(f, n, p, now)
                        if number > n[b + PERIOD]:
                            begin_period(f, n, p, number)
                    if bursts >= SORTED or skipped >= SORTED:
                        lower(f, n, tags, tag_jobs, skipped, bursts)
                        skipped, heaped = 0, heaped or bursts >= SORTED
                    if heaped:
                        push(f, n, tags, tag_jobs, bursts, virtual + demand, job)
                    else:
                        insert(f, n, tags + skipped, tag_jobs + skipped, bursts, virtual + demand, job)
                    bursts += 1
                    n[b + DISPATCHED] += 1
                    if rated == bursts:
                        f[rates + rated] = factor * min(float(rated), most) / rated
                        rated += 1
                share = rate = 0.0
                ends = renews = math.inf
                if bursts > 0:
                    left = max(f[tags + skipped] - virtual, 0.0)
                    share = min(float(bursts), most)
                    rate = f[rates + bursts]
                    ends = now + left / rate
                    if limited:
                        if f[a + BUDGET] == 0.0:
                            share = rate = 0.0
                            ends = now if left <= 1e-9 else math.inf
                        renews = f[a + PHASE] + (n[b + PERIOD] + 1) * f[a + PERIOD_S]
                        n[b + EXHAUSTS] = 0
                        if share > 0.0 and now + f[a + BUDGET] / share < renews:
                            renews = now + f[a + BUDGET] / share
                            n[b + EXHAUSTS] = 1
            if coupled:
                wanted = min(float(bursts), most)
                grown = wanted - f[a + COUNTED]
                f[a + COUNTED] = wanted
                total += grown
                if grown > 0.0 and sweep < 0 and total > cores:
                    f[a + T_END], f[a + NEXT], n[b + BURSTS], n[b + BACKLOG] = ends, min(ends, renews), bursts, backlog
                    total = f[node + 2] + counted(f, n, first, last, cores, t)
                    if total > cores:
                        sweep, crowded = first, p

    return inner(run_roomy)


run_roomy, run_limited = roomy(False), roomy(True)


@inner
def run_group(f: Any, n: Any, group: int, begin: int, end: int, limit: float) -> None:
    """Arrivals a_order[begin:end] and all events up to `limit` of the pods that share a node."""
    while begin >= 0:
        if is_roomy(f, n, group):
            if is_limited(f, n, group):
                begin = run_limited(f, n, group, begin, end, limit)
            else:
                begin = run_roomy(f, n, group, begin, end, limit)
            if begin < 0:
                return
        begin = run_events(f, n, group, begin, end, limit)


@inner
def run_events(f: Any, n: Any, group: int, begin: int, end: int, limit: float) -> int:
    """The same event by event; until the node that was full has room again (the next position in `a_order`), or to the end (-1)."""
    first, last = n[n[O_GROUP_START] + group], n[n[O_GROUP_START] + group + 1]
    node = n[O_NODE] + n[n[O_GROUP_NODE] + group] * 4
    cores, speed, threads = f[node], f[node + 1], f[node + 2]
    whole = is_whole(cores)
    total = 0.0
    for i in range(first, last):
        whole = whole and is_whole(f[n[O_PF] + n[n[O_GROUP_POD] + i] * PF + PARALLEL])
        total += cap(f, n, n[n[O_GROUP_POD] + i], cores)
    while True:
        q, t = n[n[O_GROUP_POD] + first], f[n[O_PF] + n[n[O_GROUP_POD] + first] * PF + NEXT]
        for i in range(first + 1, last):
            if f[n[O_PF] + n[n[O_GROUP_POD] + i] * PF + NEXT] < t:
                q = n[n[O_GROUP_POD] + i]
                t = f[n[O_PF] + q * PF + NEXT]
        arrival = begin < end and f[n[O_A_T] + n[n[O_A_ORDER] + begin]] < t
        if not arrival and t > limit:
            return -1
        if arrival:
            q = n[n[O_A_POD] + n[n[O_A_ORDER] + begin]]
            t = f[n[O_A_T] + n[n[O_A_ORDER] + begin]]
        before = cap(f, n, q, cores)
        if arrival:
            arrive(f, n, n[n[O_A_ORDER] + begin])
            begin += 1
        else:
            pod_event(f, n, q)
        after = cap(f, n, q, cores)
        further = total - before + after
        if n[n[O_PI] + q * PI + DIRTY] == 1:
            if whole and total + threads <= cores and further + threads <= cores:
                give_share(f, n, q, after, speed, t)
            else:
                settle(f, n, group, t)
                if whole and further + threads <= cores:
                    return begin
        total = further


# ------------------------------------------------------------------ arrivals


@inlined
def is_drawn_ahead(f: Any, n: Any, i: int) -> bool:
    """Whether a source's k-th arrival is its k-th request and nothing else ends it: one key serves both."""
    b = n[O_SI] + i * SI
    return n[b + KIND] == OPEN and n[b + BATCH] < 0 and n[b + LIMIT] < 0


@inner
def draw_ahead(f: Any, n: Any, i: int) -> None:
    """The next AHEAD arrivals of a Poisson source (2.2); infinite after its end. Loop by loop, so that most are done several at a time."""
    a, b, base = n[O_SF] + i * SF, n[O_SI] + i * SI, np.uint64(n[n[O_SOURCE_KEY] + i])
    times, keys, first, end = n[O_AHEAD_T] + i * AHEAD, n[O_AHEAD_KEY] + i * AHEAD, n[b + ARRIVAL], f[a + END_S]
    for j in range(AHEAD):
        key = numbered(base, first + j)
        n[keys + j] = np.int64(key)
        f[times + j] = unit(key, P_ARRIVAL, 0)
    for j in range(AHEAD):
        f[times + j] = log(f[times + j])
    area = f[a + AREA]
    for j in range(AHEAD):
        area -= f[times + j]
        f[times + j] = area
    f[a + AREA] = area
    segment, j = n[b + SEGMENT], 0
    while j < AHEAD:
        while segment < n[b + SEGMENT_END] and f[times + j] >= f[n[O_SEGMENTS] + segment * 6 + 5]:
            segment += 1
        if segment == n[b + SEGMENT_END]:
            f[times + j] = math.inf
            j += 1
            continue
        row = n[O_SEGMENTS] + segment * 6
        t0, r0, before, beyond = f[row], f[row + 2], f[row + 4], f[row + 5]
        slope, m = (f[row + 3] - r0) / (f[row + 1] - t0), j
        while m < AHEAD and f[times + m] < beyond:
            m += 1
        for x in range(j, m):
            y = f[times + x] - before
            t = t0 + 2.0 * y / (r0 + math.sqrt(r0 * r0 + 2.0 * slope * y))
            t = t0 if y == 0.0 else t
            f[times + x] = t if t < end else math.inf
        j = m
    n[b + SEGMENT], n[b + ARRIVAL], n[b + DRAWN] = segment, first + AHEAD, 0
    f[a + UPCOMING] = f[times]


@inner
def upcoming(f: Any, n: Any, i: int) -> None:
    """Draw the next arrival of a source (2.2); infinite after its end."""
    a, b = n[O_SF] + i * SF, n[O_SI] + i * SI
    if is_drawn_ahead(f, n, i):
        draw_ahead(f, n, i)
        return
    n[b + LEFT] = 1
    k = n[b + ARRIVAL]
    n[b + ARRIVAL] = k + 1
    t = math.inf
    if n[b + LIMIT] >= 0 and n[b + NUMBER] >= n[b + LIMIT]:
        f[a + UPCOMING] = math.inf
        return
    if n[b + KIND] == TRACE:
        if n[b + SEGMENT] < n[b + SEGMENT_END]:
            t = f[n[O_TRACE] + n[b + SEGMENT]]
            n[b + SEGMENT] += 1
    else:
        f[a + AREA] += 1.0 if n[b + KIND] == EVEN else -log(unit(numbered(np.uint64(n[n[O_SOURCE_KEY] + i]), k), P_ARRIVAL, 0))
        while n[b + SEGMENT] < n[b + SEGMENT_END] and f[a + AREA] >= f[n[O_SEGMENTS] + n[b + SEGMENT] * 6 + 5]:
            n[b + SEGMENT] += 1
        if n[b + SEGMENT] < n[b + SEGMENT_END]:
            row = n[O_SEGMENTS] + n[b + SEGMENT] * 6
            y, t0, r0 = f[a + AREA] - f[row + 4], f[row], f[row + 2]
            slope = (f[row + 3] - r0) / (f[row + 1] - t0)
            t = t0 if y == 0.0 else t0 + 2.0 * y / (r0 + math.sqrt(r0 * r0 + 2.0 * slope * y))
    if t >= f[a + END_S]:
        t = math.inf
    f[a + UPCOMING] = t
    if n[b + BATCH] >= 0 and t < math.inf:
        size = draw(f, n, n[b + BATCH], n[O_BATCH_DRAW] + i * 3, numbered(np.uint64(n[n[O_SOURCE_KEY] + i]), k), P_SIZE, 0)
        n[b + LEFT] = max(1, math.floor(size + 0.5))


@inner
def fill(f: Any, n: Any, limit: float) -> int:
    """Requests up to `limit` in order of (time, source), with the pods that they go to and what they need; at most one chunk."""
    count = 0
    while count < n[CHUNKED]:
        i, t, further = -1, math.inf, math.inf
        for source in range(n[SOURCES]):
            upcoming_s = f[n[O_SF] + source * SF + UPCOMING]
            if upcoming_s < t:
                i, further, t = source, t, upcoming_s
            elif upcoming_s < further:
                further = upcoming_s
        if i < 0 or t > limit:
            break
        count = fill_of(f, n, i, limit, further, count)
    return count


@inner
def fill_of(f: Any, n: Any, i: int, limit: float, further: float, count: int) -> int:
    """The requests of one source up to `limit` and before `further`, at least one."""
    b, times, room = n[O_SI] + i * SI, n[O_SF] + i * SF + UPCOMING, n[CHUNKED]
    if is_drawn_ahead(f, n, i):
        return fill_open(f, n, i, limit, further, count)
    base = n[n[O_SOURCE_KEY] + i]
    while True:
        t, number = f[times], n[b + NUMBER]
        key = numbered(np.uint64(base), number)
        f[n[O_A_T] + count], n[n[O_A_SOURCE] + count], n[n[O_A_NUMBER] + count] = t, i, number
        n[n[O_A_KEY] + count] = np.int64(key)
        n[n[O_A_POD] + count] = aim(f, n, i, key)
        count += 1
        n[b + NUMBER] = number + 1
        n[n[O_OUT] + i * 9 + ARRIVALS] += 1
        n[b + LEFT] -= 1
        if n[b + LEFT] == 0:
            upcoming(f, n, i)
        if count == room or f[times] > limit or f[times] >= further:
            return count


@inner
def fill_open(f: Any, n: Any, i: int, limit: float, further: float, count: int) -> int:
    """As fill_of, from what was drawn ahead."""
    a, b, room = n[O_SF] + i * SF, n[O_SI] + i * SI, n[CHUNKED]
    times, keys = n[O_AHEAD_T] + i * AHEAD, n[O_AHEAD_KEY] + i * AHEAD
    a_t, a_source, a_number, a_key = n[O_A_T], n[O_A_SOURCE], n[O_A_NUMBER], n[O_A_KEY]
    while True:
        drawn, number, begin = n[b + DRAWN], n[b + NUMBER], count
        stop, m = min(AHEAD, drawn + room - count), drawn + 1
        while m < stop and f[times + m] <= limit and f[times + m] < further:
            m += 1
        for j in range(m - drawn):
            f[a_t + begin + j] = f[times + drawn + j]
            n[a_key + begin + j] = n[keys + drawn + j]
        for j in range(m - drawn):
            n[a_source + begin + j] = i
            n[a_number + begin + j] = number + j
        count += m - drawn
        aim_all(f, n, i, begin, count)
        n[b + NUMBER] += m - drawn
        n[n[O_OUT] + i * 9 + ARRIVALS] += m - drawn
        if m == AHEAD:
            draw_ahead(f, n, i)
        else:
            n[b + DRAWN] = m
            f[a + UPCOMING] = f[times + m]
        if count == room or f[a + UPCOMING] > limit or f[a + UPCOMING] >= further:
            return count


@inner
def aim_all(f: Any, n: Any, i: int, begin: int, end: int) -> None:
    """The endpoints of requests of one source, in order."""
    b, keys, pods = n[O_SI] + i * SI, n[O_A_KEY], n[O_A_POD]
    m, row = n[n[O_ENDPOINTS] + n[b + PROXY]], n[O_ENDPOINT] + n[b + PROXY] * n[ENDPOINT_COLUMNS]
    if n[b + PROXIES] == 1 and n[b + POLICY] == RANDOM and m > 1:
        for k in range(begin, end):
            n[pods + k] = int(unit(np.uint64(n[keys + k]), P_PICK, 0) * m)
        for k in range(begin, end):
            n[pods + k] = n[row + n[pods + k]]
        return
    for k in range(begin, end):
        n[pods + k] = aim(f, n, i, np.uint64(n[keys + k]))


@inner
def demands(f: Any, n: Any, count: int) -> None:
    """What the chunk's requests need, where that is one draw: apart, because one draw need not wait for another."""
    sources, begin = n[O_A_SOURCE], 0
    while begin < count:
        i, end = n[sources + begin], begin + 1
        while end < count and n[sources + end] == i:
            end += 1
        target = n[n[O_SI] + i * SI + TARGET]
        if n[n[O_SERVICE] + target * SERVICE_COLUMNS + PLAIN] == 1:
            draw_all(f, n, n[n[O_STEP_KIND] + target * n[STEP_COLUMNS] * 2 + 1], n[O_STEP_DRAW] + target * n[STEP_COLUMNS] * 3, begin, end)
        begin = end


@inner
def draw_all(f: Any, n: Any, code: int, d: int, begin: int, end: int) -> None:
    """As `draw` for some of the chunk's requests: the usual distributions loop by loop, so that most is done several at a time."""
    demand, angle, keys = n[O_A_DEMAND], n[O_A_ANGLE], n[O_A_KEY]
    if code != EXP and code != LOGNORMAL:
        for k in range(begin, end):
            f[demand + k] = draw(f, n, code, d, np.uint64(n[keys + k]), P_CPU, 0)
        return
    x, y, z = f[d], f[d + 1], f[d + 2]
    for k in range(begin, end):
        f[demand + k] = unit(np.uint64(n[keys + k]), P_CPU, 0)
    for k in range(begin, end):
        f[demand + k] = log(f[demand + k])
    if code == EXP:
        for k in range(begin, end):
            f[demand + k] = -x * f[demand + k]
        return
    for k in range(begin, end):
        f[angle + k] = unit(np.uint64(n[keys + k]), P_CPU, 1)
    for k in range(begin, end):
        f[angle + k] = cosine(f[angle + k])
    for k in range(begin, end):
        f[demand + k] = y * (math.sqrt(-2.0 * f[demand + k]) * f[angle + k]) - z
    for k in range(begin, end):
        f[demand + k] = x * exp(f[demand + k])


@inlined
def aim(f: Any, n: Any, i: int, key: Any) -> int:
    """The endpoint of a request; -1 if there is none."""
    b = n[O_SI] + i * SI
    proxy = n[b + PROXY]
    if n[b + PROXIES] > 1:
        proxy += int(unit(key, P_PROXY, 0) * n[b + PROXIES])
    m = n[n[O_ENDPOINTS] + proxy]
    if m == 0:
        return -1
    if n[b + POLICY] == RANDOM:
        chosen = int(unit(key, P_PICK, 0) * m) if m > 1 else 0
        return n[n[O_ENDPOINT] + proxy * n[ENDPOINT_COLUMNS] + chosen]
    if n[b + POLICY] == ROUND_ROBIN:
        position = n[n[O_TURN] + proxy] if n[n[O_TURN] + proxy] < m else 0
        n[n[O_TURN] + proxy] = position + 1
        return n[n[O_ENDPOINT] + proxy * n[ENDPOINT_COLUMNS] + position]
    client = int(unit(key, P_CLIENT, 0) * n[b + CLIENTS])
    left = mix(P_CLIENT ^ ((np.uint64(client) + ONE) * G64))
    best, chosen = np.uint64(0), n[n[O_ENDPOINT] + proxy * n[ENDPOINT_COLUMNS]]
    for k in range(m):
        weight = mix(left ^ np.uint64(n[n[O_POD_HASH] + n[n[O_ENDPOINT] + proxy * n[ENDPOINT_COLUMNS] + k]]))
        if weight > best:
            best, chosen = weight, n[n[O_ENDPOINT] + proxy * n[ENDPOINT_COLUMNS] + k]
    return chosen


# ------------------------------------------------------------------ a chunk


@inner
def sort_by_group(f: Any, n: Any, count: int) -> int:
    """Positions of the chunk's arrivals by group, in order of time within each; `group_order` has the bounds. How many have a group."""
    groups, pods, group_of, bounds, order = n[GROUPS], n[O_A_POD], n[O_PI] + GROUP, n[O_GROUP_ORDER], n[O_A_ORDER]
    placed = 0
    if groups == 1:
        for i in range(count):
            if n[pods + i] >= 0 and n[group_of + n[pods + i] * PI] >= 0:
                n[order + placed] = i
                placed += 1
        n[bounds], n[bounds + 1] = 0, placed
        return placed
    for group in range(groups + 1):
        n[bounds + group] = 0
    for i in range(count):
        if n[pods + i] >= 0 and n[group_of + n[pods + i] * PI] >= 0:
            n[bounds + n[group_of + n[pods + i] * PI] + 1] += 1
    for group in range(groups):
        n[bounds + group + 1] += n[bounds + group]
    placed = n[bounds + groups]
    for i in range(count):
        if n[pods + i] >= 0 and n[group_of + n[pods + i] * PI] >= 0:
            group = n[group_of + n[pods + i] * PI]
            n[order + n[bounds + group]] = i
            n[bounds + group] += 1
    for group in range(groups, 0, -1):
        n[bounds + group] = n[bounds + group - 1]
    n[bounds] = 0
    return placed


@inner
def widest(f: Any, n: Any) -> int:
    """How many jobs may be inside one pod at once during the chunk, as it is sorted."""
    most = 0
    for group in range(n[GROUPS]):
        coming = n[n[O_GROUP_ORDER] + group + 1] - n[n[O_GROUP_ORDER] + group]
        for i in range(n[n[O_GROUP_START] + group], n[n[O_GROUP_START] + group + 1]):
            b = n[O_PI] + n[n[O_GROUP_POD] + i] * PI
            inside = n[b + JOBS] + n[b + BACKLOG] + coming + 1
            workers = n[n[O_SERVICE] + n[b + SERVICE] * SERVICE_COLUMNS + WORKERS]
            most = max(most, inside if workers < 0 else min(inside, workers + 1))
    return most


@inner
def advance(f: Any, n: Any, limit: float) -> int:
    """Everything up to `limit`, chunk by chunk; or what is needed before it can go on."""
    while True:
        if n[FREE_JOBS] < n[CHUNKED]:
            return NEEDS_JOBS
        if n[FILLED] < 0:
            n[FILLED] = fill(f, n, limit)
            demands(f, n, n[FILLED])
        count = n[FILLED]
        placed = sort_by_group(f, n, count)
        n[NEEDED] = widest(f, n)
        if n[NEEDED] > n[WIDTH]:
            return NEEDS_WIDTH
        if n[RECORDING] == 1 and n[SEQUENCES] + count > n[RECORDS]:
            return NEEDS_RECORDS
        if n[KEPT_ROOM] > 0 and n[KEPT] + n[JOBS_ROOM] - n[FREE_JOBS] + count > n[KEPT_ROOM]:
            return NEEDS_KEEPING
        full = count == n[CHUNKED]
        until = f[n[O_A_T] + count - 1] if full else limit
        if placed < count or n[RECORDING] == 1:
            prepare(f, n, count)
        for group in range(n[GROUPS]):
            run_group(f, n, group, n[n[O_GROUP_ORDER] + group], n[n[O_GROUP_ORDER] + group + 1], until)
        expire_lost(f, n, until)
        n[FILLED] = -1
        n[SEQUENCES] += count
        if not full:
            return DONE


@inner
def prepare(f: Any, n: Any, count: int) -> None:
    """Records of the chunk's arrivals, and the ends of those that reach no process."""
    for i in range(count):
        if n[RECORDING] == 1:
            row, column = n[O_RECORD_F] + (n[SEQUENCES] + i) * 3, n[O_RECORD_I] + (n[SEQUENCES] + i) * 4
            f[row], f[row + 1], f[row + 2] = f[n[O_A_T] + i], math.inf, math.inf
            n[column], n[column + 1], n[column + 2] = n[n[O_A_SOURCE] + i], n[n[O_A_NUMBER] + i], n[n[O_A_POD] + i]
            n[column + 3] = FLYING
        if n[n[O_A_POD] + i] < 0:
            end_request(f, n, n[n[O_A_SOURCE] + i], n[SEQUENCES] + i, 0, f[n[O_A_T] + i], math.inf, NO_ENDPOINT, f[n[O_A_T] + i])
        elif n[n[O_PI] + n[n[O_A_POD] + i] * PI + GROUP] < 0:
            arrive(f, n, i)


@inner
def expire_lost(f: Any, n: Any, limit: float) -> None:
    """Requests that went to a lost pod end at their deadline."""
    job, n[LOST_JOB] = n[LOST_JOB], -1
    while job >= 0:
        following = n[n[O_JI] + job * JI + LINK]
        if f[n[O_JF] + job * JF + DEADLINE] <= limit:
            answer(f, n, 0, job, TIMED_OUT, f[n[O_JF] + job * JF + DEADLINE])
        else:
            n[n[O_JI] + job * JI + LINK] = n[LOST_JOB]
            n[LOST_JOB] = job
        job = following


@inner
def prone(n: Any, pods: int) -> bool:
    """Whether one of the first `pods` pods starts or drains: its end is a trigger."""
    found = False
    for p in range(pods):
        found = found or n[n[O_PI] + p * PI + STATE] in (STARTING, DRAINING)
    return found


# ------------------------------------------------------------------ the entry

(
    ADVANCE, UPCOME, GIVE, SETTLE, FITS, SYNC, WARM_UP, BEGIN_PERIOD, BOOT_UP, NEW_JOB, ANSWER, CHECK_DRAINED, ADMITS, ENTER, PRONE,
) = range(15)  # fmt: skip


@compiled
def operate(doubles_at: int, integers_at: int, wish: int, p: int, job: int, t: float, x: float) -> int:
    """The only way in: a function by its name, of pod (source, group) `p` at time `t`."""
    f, n = doubles(doubles_at), words(integers_at)
    node = n[O_NODE] + n[n[O_PI] + p * PI + NODE] * 4
    if wish == ADVANCE:
        return advance(f, n, t)
    if wish == UPCOME:
        upcoming(f, n, p)
    elif wish == GIVE:
        give_share(f, n, p, cap(f, n, p, f[node]), f[node + 1], t)
    elif wish == SETTLE:
        settle(f, n, p, t)
    elif wish == FITS:
        return 1 if cap(f, n, p, f[node]) == f[n[O_PF] + p * PF + SHARE] else 0
    elif wish == SYNC:
        sync(f, n, p, t)
    elif wish == WARM_UP:
        warm_up(f, n, p)
    elif wish == BEGIN_PERIOD:
        begin_period(f, n, p, period_at(f, n, p, t))
    elif wish == BOOT_UP:
        begin_burst(f, n, p, t, x, job)
    elif wish == NEW_JOB:
        return new_job(f, n, t, math.inf, job, p, int(x), 0)
    elif wish == ANSWER:
        answer(f, n, p, job, int(x), t)
    elif wish == CHECK_DRAINED:
        check_drained(f, n, p, t)
    elif wish == ADMITS:
        return 1 if admits(f, n, p) else 0
    elif wish == PRONE:
        return 1 if prone(n, job) else 0
    else:
        enter(f, n, p, job, t)
    return 0
