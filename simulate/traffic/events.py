"""The compiled event-order engine of the whole model (model.md 1.2, 1.3): `heap.py`, digit by digit, over plain memory.

Where `heap.py` calls itself along a chain of calls, a stack of frames stands here. Rows of attempts and calls are counted references:
a caller that went away leaves its callee's job behind, which still names it.
"""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import math
from typing import Any

from simulate.traffic.chance import BACKOFF, BRANCH, CPU, THINK, WAIT, child, draw, next_source, numbered, unit, upcoming
from simulate.traffic.choosing import aim, learn
from simulate.traffic.layout import (
    A_ALIVE,
    A_ARRIVED,
    A_BURST,
    A_CALL,
    A_CALLS,
    A_CANCELLED,
    A_CHILD,
    A_COPY,
    A_DEADLINE,
    A_DEMAND,
    A_DEPTH,
    A_DISPATCHED,
    A_EDGE,
    A_ENDED,
    A_ENDPOINT,
    A_EPOCH,
    A_ESTABLISHED,
    A_FAILED,
    A_KEY,
    A_LAST_CALL,
    A_LIVE,
    A_NEXT,
    A_NUMBER,
    A_OUTCOME,
    A_PENDING,
    A_POD,
    A_PREVIOUS,
    A_PROBE,
    A_QUEUED,
    A_REFERENCES,
    A_SIZE,
    A_SLOT,
    A_START,
    A_STEP,
    A_TAG,
    A_TIMEOUT,
    A_TIMER,
    A_WHAT,
    A_WORD,
    A_WORKED,
    A_WORKER,
    ABANDONED,
    AHEAD,
    ARRIVES,
    ARRIVING,
    B_ATTEMPTS,
    B_ATTEMPTS_USED,
    B_CALLS,
    B_CALLS_USED,
    B_ROWS,
    B_SIZE,
    BOOTED,
    BUCKETS,
    C_ATTEMPT,
    C_ATTEMPTS,
    C_DEADLINE,
    C_DEPTH,
    C_DRAWN,
    C_EDGE,
    C_JOB,
    C_KEY,
    C_LISTED,
    C_LIVE,
    C_NEXT,
    C_NUMBER,
    C_OPEN,
    C_OPTIONAL,
    C_PATH,
    C_PREVIOUS,
    C_REFERENCES,
    C_RETRYING,
    C_SOURCE,
    C_START,
    C_TIMER,
    C_TRIED,
    C_USER,
    C_WORD,
    CPU_STEP,
    DEPENDENCY,
    DO_ADVANCE,
    DO_BEGIN,
    DO_DRAIN,
    DO_KILL,
    DO_LOSE,
    DO_REPLAY,
    DO_SET_NODE,
    DO_SET_POD,
    DO_START,
    DONE,
    DOWN,
    DRAINED,
    DRAINING,
    E_ABANDONED,
    E_ATTEMPTS,
    E_BACKOFF,
    E_BACKOFF_MAX,
    E_BUDGET,
    E_CALLS,
    E_CANCEL,
    E_DROPPED,
    E_ENDS,
    E_FACTOR,
    E_JITTER,
    E_LATE,
    E_NET,
    E_ON,
    E_OUTSTANDING,
    E_PENDING,
    E_PROPAGATE,
    E_RATIO,
    E_RETRIES,
    E_RETRIES_MAX,
    E_TIMEOUT,
    E_TOKENS,
    E_TOKENS_MAX,
    ENTRY,
    FAILING,
    FAR,
    FINE,
    FRAME,
    GIVE,
    H_AGENDA,
    H_AGENDA_HEAD,
    H_AGENDA_MASK,
    H_AGENDA_TAIL,
    H_ARRIVAL,
    H_CALL_SIZE,
    H_CHUNK_COUNT,
    H_CHUNKS,
    H_DOOMED,
    H_DRAWN,
    H_FANOUT,
    H_FREE_CALL,
    H_FREE_CALLS,
    H_FREE_ROW,
    H_FREE_ROWS,
    H_KEPT,
    H_KEPT_COUNT,
    H_KEPT_ROOM,
    H_LIVE_CALLS,
    H_LIVE_ROWS,
    H_NEXT_SOURCE,
    H_NOW,
    H_OPEN_CALLS,
    H_OVERFLOW,
    H_RECORD_COUNT,
    H_RECORD_ROOM,
    H_RECORDS,
    H_SORTED,
    H_SOURCE_COUNT,
    H_SOURCES,
    H_STACK,
    H_STACKED,
    H_TIMER_COUNT,
    H_TIMERS,
    H_TREE,
    H_TRIED,
    H_TRIGGER_COUNT,
    H_TRIGGERS,
    I_KIND,
    I_OUTCOME,
    I_POD,
    I_PROBE,
    I_SIZE,
    I_TIME,
    IN_BACKLOG,
    ITEM,
    K_DRAWN,
    K_EDGE,
    K_OPTIONAL,
    K_PROBABILITY,
    K_SIZE,
    KILLED,
    LOST,
    N_POD_COUNT,
    N_PODS,
    NEEDS_RECORDS,
    NEEDS_ROWS,
    NO_ENDPOINT,
    NOT_QUEUED,
    NUMBER_SHIFT,
    OK,
    OOM,
    OOM_KILLED,
    OTHER,
    OVERFLOWED,
    P_ACCEPTED,
    P_ACCEPTING,
    P_BACKLOG,
    P_BOOT,
    P_BUDGET,
    P_BURSTS,
    P_BUSY,
    P_CANCELLED,
    P_CLOSING,
    P_COMPLETED,
    P_COMPLETED_ERROR,
    P_DISPATCHED,
    P_EPOCH,
    P_EXHAUSTS,
    P_HEAD,
    P_JOBS,
    P_KILLED,
    P_LOST,
    P_MEMORY_LIMIT,
    P_OOM,
    P_ORDINAL,
    P_PERIOD,
    P_QUOTA,
    P_REFUSED,
    P_RESET,
    P_RESIDENCE,
    P_RESTART_EPOCH,
    P_RESUME_HEAD,
    P_RESUME_TAIL,
    P_ROOT,
    P_SERVICE,
    P_SINCE,
    P_SPEED,
    P_STATE,
    P_T_END,
    P_T_QUOTA,
    P_TAIL,
    P_VIRTUAL,
    P_WARM,
    P_WEIGHT,
    P_WORKERS,
    PARALLEL_STEP,
    PROBED,
    R_ARRIVAL,
    R_ATTEMPTS,
    R_END,
    R_NUMBER,
    R_OUTCOME,
    R_POD,
    R_SIZE,
    R_SOURCE,
    R_WORKED,
    REFUSED,
    RESENDING,
    RESTART,
    RETRY,
    RUNNING,
    S_AHEAD,
    S_ARRIVED,
    S_EDGE,
    S_END,
    S_HISTOGRAM,
    S_ITERATIONS,
    S_KEY,
    S_LATENCY,
    S_LEFT,
    S_LIMIT,
    S_OK,
    S_ORDINAL,
    S_SIZE,
    S_STAGGER,
    S_START,
    S_THINK,
    S_THINK_A,
    S_USER_COUNT,
    S_USERS,
    S_WIDTH,
    SEND,
    SENDING,
    SOURCE_SHIFT,
    STARTING,
    STEP_SHIFT,
    STOPPED,
    T_A,
    T_CALL_COUNT,
    T_CALLS,
    T_CODE,
    T_DRAWN,
    T_KIND,
    T_SIZE,
    TELL,
    TIMED_OUT,
    TIMEOUT,
    TO_RESUME,
    TOLD,
    U_ITERATION,
    U_KEY,
    U_NUMBER,
    U_SIZE,
    U_SOURCE,
    UP,
    USER,
    USERS,
    V_BASE,
    V_BY_CPU,
    V_CLOSES,
    V_GROWTH,
    V_HAS_MEMORY,
    V_PER_INFLIGHT,
    V_QUEUE,
    V_RESETS,
    V_RESTART,
    V_STEP_COUNT,
    V_STEPS,
    V_WARM,
    V_WARM_COUNT,
    VANISHED,
    WAIT_STEP,
    WAITED,
    Y_LOAD,
    Y_POD,
)
from simulate.traffic.machine import compiled, doubles, inlined, inner, words
from simulate.traffic.processor import begin_burst, begin_period, period_at, share, sync, touch
from simulate.traffic.queues import add_timer, melded, note, remove_tag, remove_timer, replay, row_before

# ------------------------------------------------------------------ rows of attempts and calls


@inner
def fresh(m: Any, first: int, used: int, size: int) -> int:
    """A row that was never used, of the first block that has one. Memory that was never used costs none."""
    b = m[H_CHUNKS]
    while m[b + used] == m[b + B_ROWS]:
        b += B_SIZE
    m[b + used] += 1
    return m[b + first] + (m[b + used] - 1) * size


@inlined
def new_attempt(m: Any, f: Any, call: int, edge: int, number: int, depth: int, word: int, t: float) -> int:
    """A row for an attempt, referred to once."""
    a = m[H_FREE_ROW]
    if a != 0:
        m[H_FREE_ROW] = m[a + A_NEXT]
    else:
        a = fresh(m, B_ATTEMPTS, B_ATTEMPTS_USED, A_SIZE)
    m[H_FREE_ROWS] -= 1
    m[H_LIVE_ROWS] += 1
    m[a + A_CALL], m[a + A_EDGE], m[a + A_NUMBER], m[a + A_DEPTH], m[a + A_WORD] = call, edge, number, depth, word
    m[a + A_REFERENCES] = m[a + A_LIVE] = 1
    m[a + A_POD] = m[a + A_ENDPOINT] = m[a + A_SLOT] = m[a + A_ESTABLISHED] = m[a + A_ENDED] = m[a + A_CANCELLED] = m[a + A_ALIVE] = 0
    m[a + A_TIMER] = m[a + A_TIMEOUT] = -1
    f[a + A_START], f[a + A_DEADLINE], f[a + A_WORKED] = t, FAR, FAR
    return a


@inlined
def new_call(m: Any, f: Any, edge: int, key: int, source: int, user: int, job: int, optional: int, deadline: float, t: float) -> int:
    """A row for a call, referred to once."""
    c = m[H_FREE_CALL]
    if c != 0:
        m[H_FREE_CALL] = m[c + C_NEXT]
    else:
        c = fresh(m, B_CALLS, B_CALLS_USED, m[H_CALL_SIZE])
    m[H_FREE_CALLS] -= 1
    m[H_LIVE_CALLS] += 1
    m[c + C_EDGE], m[c + C_KEY], m[c + C_SOURCE], m[c + C_USER], m[c + C_JOB], m[c + C_OPTIONAL] = edge, key, source, user, job, optional
    f[c + C_START], f[c + C_DEADLINE] = t, deadline
    m[c + C_OPEN] = m[c + C_REFERENCES] = m[c + C_LIVE] = 1
    m[c + C_ATTEMPTS] = m[c + C_ATTEMPT] = m[c + C_RETRYING] = m[c + C_LISTED] = m[c + C_TRIED] = 0
    m[c + C_TIMER] = -1
    return c


@inlined
def release(m: Any, a: int) -> None:
    """One reference to an attempt less; rows that nobody refers to are free again, up along the callers."""
    if a != 0:
        m[a + A_REFERENCES] -= 1
        if m[a + A_REFERENCES] == 0:
            free(m, a)


@inner
def free(m: Any, a: int) -> None:
    """The row of an attempt that nobody refers to, and those that only it referred to."""
    while True:
        m[a + A_LIVE] = 0
        m[a + A_NEXT] = m[H_FREE_ROW]
        m[H_FREE_ROW] = a
        m[H_FREE_ROWS] += 1
        m[H_LIVE_ROWS] -= 1
        c = m[a + A_CALL]
        if c == 0:
            return
        a = release_call(m, c)
        if a == 0:
            return
        m[a + A_REFERENCES] -= 1
        if m[a + A_REFERENCES] > 0:
            return


@inlined
def release_call(m: Any, c: int) -> int:
    """One reference to a call less; the job to be released because of it, or 0."""
    m[c + C_REFERENCES] -= 1
    if m[c + C_REFERENCES] > 0:
        return 0
    if m[c + C_LISTED] == 1:
        unlist(m, c)
    m[c + C_LIVE] = 0
    m[c + C_NEXT] = m[H_FREE_CALL]
    m[H_FREE_CALL] = c
    m[H_FREE_CALLS] += 1
    m[H_LIVE_CALLS] -= 1
    return m[c + C_JOB]


@inlined
def list_call(m: Any, job: int, c: int) -> None:
    """A call at the end of its job's list."""
    last = m[job + A_LAST_CALL]
    m[c + C_PREVIOUS], m[c + C_NEXT], m[c + C_LISTED] = last, 0, 1
    if last != 0:
        m[last + C_NEXT] = c
    else:
        m[job + A_CALLS] = c
    m[job + A_LAST_CALL] = c


@inlined
def unlist(m: Any, c: int) -> None:
    """Take a call from its job's list."""
    job, before, after = m[c + C_JOB], m[c + C_PREVIOUS], m[c + C_NEXT]
    if before != 0:
        m[before + C_NEXT] = after
    else:
        m[job + A_CALLS] = after
    if after != 0:
        m[after + C_PREVIOUS] = before
    else:
        m[job + A_LAST_CALL] = before
    m[c + C_LISTED] = 0


@inlined
def close_call(m: Any, c: int) -> None:
    """A call is over: it holds its last attempt no longer."""
    m[c + C_OPEN] = 0
    a = m[c + C_ATTEMPT]
    m[c + C_ATTEMPT] = 0
    job = release_call(m, c)
    release(m, a)
    release(m, job)


# ------------------------------------------------------------------ queues of a pod


@inlined
def put_last(m: Any, p: int, head: int, a: int, where: int) -> None:
    """At the end of a queue of the pod whose head and tail stand at `head`."""
    tail = m[p + head + 1]
    m[a + A_PREVIOUS], m[a + A_NEXT], m[a + A_QUEUED] = tail, 0, where
    if tail != 0:
        m[tail + A_NEXT] = a
    else:
        m[p + head] = a
    m[p + head + 1] = a


@inlined
def take(m: Any, p: int, head: int, a: int) -> None:
    """Out of a queue."""
    before, after = m[a + A_PREVIOUS], m[a + A_NEXT]
    if before != 0:
        m[before + A_NEXT] = after
    else:
        m[p + head] = after
    if after != 0:
        m[after + A_PREVIOUS] = before
    else:
        m[p + head + 1] = before
    m[a + A_QUEUED] = NOT_QUEUED


@inlined
def free_worker(m: Any, p: int) -> bool:
    """Whether a worker is free."""
    return m[p + P_WORKERS] < 0 or m[p + P_BUSY] < m[p + P_WORKERS]


@inlined
def stack(m: Any, code: int, one: int) -> None:
    """Work to be done before what is on the stack."""
    top = m[H_STACK] + FRAME * m[H_STACKED]
    m[top], m[top + 1] = code, one
    m[H_STACKED] += 1


@inlined
def trigger(m: Any, f: Any, kind: int, p: int, probe: int, outcome: int, t: float) -> None:
    """Something that the control plane must know at this time."""
    row = m[H_TRIGGERS] + I_SIZE * m[H_TRIGGER_COUNT]
    f[row + I_TIME], m[row + I_KIND], m[row + I_POD], m[row + I_PROBE], m[row + I_OUTCOME] = t, kind, m[p + P_ORDINAL], probe, outcome
    m[H_TRIGGER_COUNT] += 1


# ------------------------------------------------------------------ attempts


@inlined
def send(m: Any, f: Any, c: int, t: float) -> int:
    """As HeapPlane._send; the attempt that arrives at once, or 0."""
    e, number = m[c + C_EDGE], m[c + C_ATTEMPTS]
    if m[c + C_RETRYING] == 1:
        m[c + C_RETRYING] = 0
        m[e + E_PENDING] -= 1
        job = m[c + C_JOB]
        dropped = m[c + C_OPEN] == 0 or (job != 0 and m[job + A_ALIVE] == 0)
        if dropped:
            m[e + E_DROPPED] += 1
            if m[c + C_OPEN] == 1:
                close_call(m, c)
        release(m, release_call(m, c))
        if dropped:
            return 0
    a = new_attempt(m, f, c, e, number, m[c + C_DEPTH], m[c + C_WORD] + number, t)
    m[c + C_REFERENCES] += 1
    release(m, m[c + C_ATTEMPT])
    m[c + C_ATTEMPT] = a
    m[c + C_ATTEMPTS] += 1
    m[e + E_ATTEMPTS] += 1
    m[e + E_OUTSTANDING] += 1
    if number == 0:
        m[e + E_CALLS] += 1
        if m[e + E_BUDGET] == 1:
            f[e + E_TOKENS] = min(f[e + E_TOKENS] + f[e + E_RATIO], f[e + E_TOKENS_MAX])
    deadline = min(t + f[e + E_TIMEOUT], f[c + C_DEADLINE])
    f[a + A_DEADLINE] = deadline
    if deadline <= t:
        m[a + A_REFERENCES] += 1
        note(m, TELL, a, TIMED_OUT)
        return 0
    y = aim(m, f, c, a, t)
    if y == 0:
        m[a + A_REFERENCES] += 1
        note(m, TELL, a, NO_ENDPOINT)
        return 0
    m[a + A_ENDPOINT], m[a + A_POD] = y, m[y + Y_POD]
    m[y + Y_LOAD] += 1
    if m[c + C_TRIED] < m[e + E_RETRIES_MAX]:
        m[c + m[H_TRIED] + m[c + C_TRIED]] = y
        m[c + C_TRIED] += 1
    if deadline < FAR:
        add_timer(m, f, TIMEOUT, a, deadline)
    m[a + A_REFERENCES] += 1
    if f[e + E_NET] > 0.0:
        m[a + A_WHAT] = ARRIVES
        add_timer(m, f, OTHER, a, t + f[e + E_NET])
        return 0
    return a


@inlined
def listens(m: Any, p: int, a: int) -> bool:
    """As HeapPlane._listens."""
    if m[a + A_SLOT] != 0 and m[a + A_EPOCH] != m[p + P_EPOCH]:
        return False
    state = m[p + P_STATE]
    if state == UP:
        return True
    return state == DRAINING and (m[p + P_ACCEPTING] == 1 or m[a + A_ESTABLISHED] == 1)


@inlined
def accept(m: Any, f: Any, p: int, a: int, t: float) -> None:
    """As HeapPlane._arrive, once nobody waits for a free worker: a job, a place in the backlog, or a refusal."""
    free = free_worker(m, p)
    queue = m[m[p + P_SERVICE] + V_QUEUE]
    if not listens(m, p, a) or not (free or queue < 0 or m[p + P_BACKLOG] < queue):
        m[p + P_REFUSED] += 1
        answer(m, f, a, REFUSED, t)
        return
    sync(m, f, p, t)
    m[p + P_ACCEPTED] += 1
    c = m[a + A_CALL]
    m[a + A_KEY] = m[c + C_KEY] if c != 0 else 0
    f[a + A_ARRIVED] = t
    m[a + A_ALIVE] = 1
    m[a + A_REFERENCES] += 1
    m[a + A_STEP] = m[a + A_COPY] = m[a + A_DISPATCHED] = m[a + A_WORKER] = m[a + A_BURST] = m[a + A_PENDING] = m[a + A_FAILED] = 0
    m[a + A_CALLS] = m[a + A_LAST_CALL] = m[a + A_QUEUED] = 0
    if free:
        dispatch(m, f, p, a, t)
    else:
        put_last(m, p, P_HEAD, a, IN_BACKLOG)
        m[p + P_BACKLOG] += 1


@inlined
def answer(m: Any, f: Any, a: int, outcome: int, t: float) -> None:
    """As HeapPlane._answer."""
    e = m[a + A_EDGE]
    m[a + A_REFERENCES] += 1
    if e != 0 and f[e + E_NET] > 0.0:
        m[a + A_WHAT], m[a + A_OUTCOME] = TOLD, outcome
        add_timer(m, f, OTHER, a, t + f[e + E_NET])
    else:
        note(m, TELL, a, outcome)


@inlined
def told(m: Any, f: Any, a: int, outcome: int, t: float) -> None:
    """As HeapPlane._told: the caller learns how an attempt ended."""
    c, e = m[a + A_CALL], m[a + A_EDGE]
    if c == 0:
        if m[a + A_ENDED] == 0:
            m[a + A_ENDED] = 1
            remove_timer(m, f, TIMEOUT, a)
            trigger(m, f, PROBED, m[a + A_POD], m[a + A_PROBE], outcome, t)
            release(m, a)
        return
    if m[a + A_ENDED] == 1:
        if (FINE >> outcome) & 1 == 1:
            m[e + E_LATE] += 1
        return
    m[a + A_ENDED] = 1
    remove_timer(m, f, TIMEOUT, a)
    m[e + E_OUTSTANDING] -= 1
    m[e + E_ENDS + outcome] += 1
    learn(m, f, a, outcome, t)
    job = m[c + C_JOB]
    if job != 0 and m[job + A_ALIVE] == 0:
        close_call(m, c)
    elif outcome == OK or not retried(m, f, c, a, outcome, t):
        end_call(m, f, c, outcome, t)


@inner
def retried(m: Any, f: Any, c: int, a: int, outcome: int, t: float) -> bool:
    """As HeapPlane._retry."""
    e, number = m[c + C_EDGE], m[a + A_NUMBER]
    if number >= m[e + E_RETRIES_MAX] or (m[e + E_ON] >> outcome) & 1 == 0:
        return False
    delay = min(f[e + E_BACKOFF] * math.pow(f[e + E_FACTOR], float(number)), f[e + E_BACKOFF_MAX])
    if m[e + E_JITTER] == 1:
        delay *= unit(m[c + C_KEY], BACKOFF, number)
    if t + delay >= f[c + C_DEADLINE]:
        return False
    if m[e + E_BUDGET] == 1:
        if f[e + E_TOKENS] < 1.0:
            return False
        f[e + E_TOKENS] -= 1.0
    m[e + E_RETRIES] += 1
    m[e + E_PENDING] += 1
    m[c + C_RETRYING] = 1
    m[c + C_REFERENCES] += 1
    if delay > 0.0:
        add_timer(m, f, RETRY, c, t + delay)
    else:
        note(m, SEND, c, number + 1)
    return True


@inlined
def end_call(m: Any, f: Any, c: int, outcome: int, t: float) -> None:
    """As HeapPlane._end_call."""
    if m[c + C_SOURCE] != 0:
        end_request(m, f, c, outcome, t)
        close_call(m, c)
        return
    job = m[c + C_JOB]
    unlist(m, c)
    m[job + A_PENDING] -= 1
    if outcome != OK and m[c + C_OPTIONAL] == 0:
        m[job + A_FAILED] = 1
    close_call(m, c)
    if m[job + A_PENDING] == 0:
        stack(m, FAILING if m[job + A_FAILED] == 1 else RUNNING, job)


# ------------------------------------------------------------------ requests of sources


@inlined
def bucket(x: float) -> int:
    """As histogram.bucket."""
    if x < 2.0**-17:
        return 0
    if x >= 2.0**15:
        return BUCKETS - 1
    y, e = math.frexp(x)
    return 128 * (e + 16) + int(256.0 * (y - 0.5))


@inlined
def end_request(m: Any, f: Any, c: int, outcome: int, t: float) -> None:
    """As HeapPlane._end_request."""
    s, a, latency = m[c + C_SOURCE], m[c + C_ATTEMPT], t - f[c + C_START]
    m[H_OPEN_CALLS] -= 1
    m[s + S_OK + outcome] += 1
    if outcome == OK:
        f[m[s + S_LATENCY] + m[m[a + A_POD] + P_ORDINAL]] += latency
        m[m[s + S_HISTOGRAM] + bucket(latency)] += 1
        if m[H_KEPT_ROOM] > 0:
            row = m[H_KEPT] + 2 * m[H_KEPT_COUNT]
            m[row], f[row + 1] = m[s + S_ORDINAL], latency
            m[H_KEPT_COUNT] += 1
    if m[H_RECORD_ROOM] > 0:
        row = m[H_RECORDS] + R_SIZE * m[H_RECORD_COUNT]
        m[H_RECORD_COUNT] += 1
        m[row + R_SOURCE], m[row + R_NUMBER], m[row + R_OUTCOME] = m[s + S_ORDINAL], m[c + C_NUMBER], outcome
        m[row + R_ATTEMPTS], m[row + R_POD] = m[c + C_ATTEMPTS], m[m[a + A_POD] + P_ORDINAL] if m[a + A_POD] != 0 else -1
        f[row + R_ARRIVAL], f[row + R_WORKED], f[row + R_END] = f[c + C_START], f[a + A_WORKED], t
    u = m[c + C_USER]
    if u != 0:
        m[u + U_ITERATION] += 1
        think(m, f, u, t)


@inner
def think(m: Any, f: Any, u: int, t: float) -> None:
    """As HeapPlane._think, for the user's present iteration."""
    s = m[u + U_SOURCE]
    if m[s + S_ITERATIONS] >= 0 and m[u + U_ITERATION] >= m[s + S_ITERATIONS]:
        return
    key = numbered(numbered(m[s + S_KEY], m[u + U_NUMBER]), m[u + U_ITERATION])
    m[u + U_KEY] = key
    if m[s + S_THINK] >= 0:
        t += draw(f, m[s + S_THINK], s + S_THINK_A, key, THINK, 0)
    if t < f[s + S_END]:
        add_timer(m, f, USER, u, t)


@inner
def request(m: Any, f: Any, s: int, number: int, key: int, u: int, t: float) -> None:
    """As HeapPlane._request."""
    m[s + S_ARRIVED] += 1
    m[H_OPEN_CALLS] += 1
    c = new_call(m, f, m[s + S_EDGE], key, s, u, 0, 0, FAR, t)
    m[c + C_NUMBER], m[c + C_DEPTH], m[c + C_NEXT], m[c + C_DRAWN] = number, 1, 0, 0
    if m[s + S_WIDTH] > 0:
        m[c + C_DRAWN] = drawn = c + m[H_DRAWN]
        table = m[s + S_AHEAD] + 2 * AHEAD + (number & (AHEAD - 1))
        for i in range(m[s + S_WIDTH]):
            m[drawn + i] = m[table + i * AHEAD]
    m[c + C_WORD] = (m[s + S_ORDINAL] << SOURCE_SHIFT) + (number << NUMBER_SHIFT)
    stack(m, SENDING, c)


@inlined
def on_arrival(m: Any, f: Any, t: float) -> None:
    """The next request of a source that waits for nobody."""
    s = m[H_NEXT_SOURCE]
    number = m[s + S_ARRIVED]
    table = m[s + S_AHEAD]
    request(m, f, s, number, m[table + (number & (AHEAD - 1))] if table != 0 else numbered(m[s + S_KEY], number), 0, t)
    m[s + S_LEFT] -= 1
    if m[s + S_LEFT] == 0:
        upcoming(m, f, s)
        next_source(m, f)


# ------------------------------------------------------------------ jobs


@inner
def give_worker(m: Any, f: Any, p: int, t: float) -> None:
    """As HeapPlane._give_worker."""
    if not free_worker(m, p) or (m[p + P_STATE] != UP and m[p + P_STATE] != DRAINING):
        return
    a = m[p + P_RESUME_HEAD]
    if a != 0:
        take(m, p, P_RESUME_HEAD, a)
        m[p + P_BUSY] += 1
        m[a + A_WORKER] = 1
        begin_burst(m, f, p, a, f[a + A_DEMAND], t)
        return
    a = m[p + P_HEAD]
    if a != 0:
        sync(m, f, p, t)
        take(m, p, P_HEAD, a)
        m[p + P_BACKLOG] -= 1
        dispatch(m, f, p, a, t)


@inlined
def dispatch(m: Any, f: Any, p: int, a: int, t: float) -> None:
    """As HeapPlane._dispatch."""
    m[p + P_BUSY] += 1
    m[p + P_DISPATCHED] += 1
    m[p + P_JOBS] += 1
    m[a + A_WORKER] = m[a + A_DISPATCHED] = 1
    if m[a + A_ENDED] == 0:
        f[a + A_WORKED] = t
    if f[p + P_MEMORY_LIMIT] < FAR:
        check_memory(m, f, p, t)
        if m[a + A_ALIVE] == 0:
            return
    stack(m, RUNNING, a)


@inlined
def blocks(m: Any, f: Any, a: int, t: float) -> bool:
    """As HeapPlane._run: steps until the job blocks; False if it ends."""
    p = m[a + A_POD]
    if m[a + A_CALL] == 0:
        m[a + A_STEP] += 1
        if m[a + A_STEP] == 1 and f[a + A_DEMAND] > 0.0:
            begin_burst(m, f, p, a, f[a + A_DEMAND], t)
            return True
        return False
    v = m[p + P_SERVICE]
    while m[a + A_STEP] < m[v + V_STEP_COUNT]:
        number = m[a + A_STEP]
        s = m[v + V_STEPS] + number * T_SIZE
        kind = m[s + T_KIND]
        if kind == CPU_STEP:
            m[a + A_STEP] = number + 1
            drawn = m[m[a + A_CALL] + C_DRAWN]
            if drawn != 0 and m[s + T_DRAWN] >= 0:
                demand = f[drawn + m[s + T_DRAWN]]
            else:
                demand = draw(f, m[s + T_CODE], s + T_A, m[a + A_KEY], CPU, 16 * number)
            f[a + A_DEMAND] = demand
            if demand > 0.0:
                want_worker(m, f, p, a, t)
                return True
        elif kind == WAIT_STEP:
            m[a + A_STEP] = number + 1
            wait = draw(f, m[s + T_CODE], s + T_A, m[a + A_KEY], WAIT, 16 * number)
            if wait > 0.0:
                give_back(m, p, a)
                m[a + A_WHAT] = WAITED
                add_timer(m, f, OTHER, a, t + wait)
                return True
        elif call(m, f, p, a, number, s, t):
            return True
    return False


@inlined
def want_worker(m: Any, f: Any, p: int, a: int, t: float) -> None:
    """As HeapPlane._want_worker."""
    if m[a + A_WORKER] == 1:
        begin_burst(m, f, p, a, f[a + A_DEMAND], t)
        return
    put_last(m, p, P_RESUME_HEAD, a, TO_RESUME)
    while free_worker(m, p) and m[p + P_RESUME_HEAD] != 0:
        give_worker(m, f, p, t)


@inlined
def give_back(m: Any, p: int, a: int) -> None:
    """As HeapPlane._release: a job of an event loop that blocks gives its worker back."""
    if m[a + A_WORKER] == 1 and m[m[p + P_SERVICE] + V_BY_CPU] == 1:
        m[a + A_WORKER] = 0
        m[p + P_BUSY] -= 1
        note(m, GIVE, p, 0)


@inlined
def call(m: Any, f: Any, p: int, a: int, number: int, s: int, t: float) -> bool:
    """As HeapPlane._call: the next call of a sequence or all of a group; False if none is made."""
    count, parallel, made, first = m[s + T_CALL_COUNT], m[s + T_KIND] == PARALLEL_STEP, 0, 0
    while m[a + A_COPY] < count and (parallel or made == 0):
        copy = m[a + A_COPY]
        k = m[s + T_CALLS] + copy * K_SIZE
        if f[k + K_PROBABILITY] >= 1.0 or unit(m[a + A_KEY], BRANCH, 65536 * number + copy) < f[k + K_PROBABILITY]:
            c = child_call(m, f, a, number, copy, k, t)
            first = c if made == 0 else first
            made += 1
        m[a + A_COPY] = copy + 1
    if m[a + A_COPY] >= count:
        m[a + A_STEP], m[a + A_COPY] = number + 1, 0
    if made == 0:
        return False
    give_back(m, p, a)
    m[a + A_PENDING] = made
    stack(m, SENDING, first)
    return True


@inlined
def child_call(m: Any, f: Any, a: int, number: int, copy: int, k: int, t: float) -> int:
    """A call that a job makes, at the end of the job's list; its values drawn ahead are part of those of the job's own call."""
    e = m[k + K_EDGE]
    deadline = f[a + A_DEADLINE] if m[e + E_PROPAGATE] == 1 else FAR
    c = new_call(m, f, e, child(m[a + A_KEY], number, copy), 0, 0, a, m[k + K_OPTIONAL], deadline, t)
    m[a + A_REFERENCES] += 1
    depth, above = m[a + A_DEPTH], m[a + A_CALL]
    m[c + C_DEPTH] = depth + 1
    m[c + C_DRAWN] = m[above + C_DRAWN] + m[k + K_DRAWN] if m[above + C_DRAWN] != 0 and m[k + K_DRAWN] >= 0 else 0
    m[c + C_WORD] = (number << STEP_SHIFT) + (copy << NUMBER_SHIFT)
    for i in range(depth - 1):
        m[c + C_PATH + i] = m[above + C_PATH + i]
    m[c + C_PATH + depth - 1] = m[a + A_WORD]
    list_call(m, a, c)
    return c


@inlined
def finish(m: Any, f: Any, a: int, outcome: int, t: float) -> None:
    """As HeapPlane._finish: the worker first, then the caller, then memory and the end of a drained pod.

    It was dispatched and has no burst; nobody has to be given its worker if nobody waits: who comes now finds it free.
    """
    p = m[a + A_POD]
    sync(m, f, p, t)
    m[a + A_ALIVE] = 0
    f[p + P_RESIDENCE] += t - f[a + A_ARRIVED]
    m[p + P_JOBS] -= 1
    if m[a + A_WORKER] == 1:
        m[p + P_BUSY] -= 1
        if m[p + P_HEAD] != 0 or m[p + P_RESUME_HEAD] != 0:
            note(m, GIVE, p, 0)
    if outcome == OK:
        m[p + P_COMPLETED] += 1
    else:
        m[p + P_COMPLETED_ERROR] += 1
    m[p + P_SINCE] += 1
    if m[m[p + P_SERVICE] + V_WARM_COUNT] > 0:
        warm_up(m, f, p)
    answer(m, f, a, outcome, t)
    release(m, a)
    if f[p + P_MEMORY_LIMIT] < FAR:
        check_memory(m, f, p, t)
    if m[p + P_STATE] == DRAINING:
        check_drained(m, f, p, t)


@inner
def leave(m: Any, f: Any, a: int, t: float) -> None:
    """As HeapPlane._leave."""
    p = m[a + A_POD]
    sync(m, f, p, t)
    m[a + A_ALIVE] = 0
    f[p + P_RESIDENCE] += t - f[a + A_ARRIVED]
    if m[a + A_DISPATCHED] == 0:
        take(m, p, P_HEAD, a)
        m[p + P_BACKLOG] -= 1
        return
    m[p + P_JOBS] -= 1
    if m[a + A_BURST] == 1:
        m[a + A_BURST] = 0
        remove_tag(m, f, p, a)
        m[p + P_BURSTS] -= 1
        touch(m, p)
    if m[a + A_WORKER] == 1:
        m[p + P_BUSY] -= 1
        note(m, GIVE, p, 0)
    elif m[a + A_QUEUED] == TO_RESUME:
        take(m, p, P_RESUME_HEAD, a)
    if m[a + A_TIMER] >= 0:
        remove_timer(m, f, OTHER, a)


@inner
def warm_up(m: Any, f: Any, p: int) -> None:
    """As HeapPlane._warm_up."""
    v, factor = m[p + P_SERVICE], f[p + P_WARM]
    for i in range(m[v + V_WARM_COUNT]):
        if m[p + P_SINCE] >= m[m[v + V_WARM] + 2 * i]:
            factor = f[m[v + V_WARM] + 2 * i + 1]
    if factor != f[p + P_WARM]:
        f[p + P_WARM] = factor
        touch(m, p)


@inner
def cancel(m: Any, f: Any, a: int, t: float) -> None:
    """As HeapPlane._cancel: it never arrives, or its job leaves at this instant."""
    m[a + A_CANCELLED] = 1
    if m[a + A_ALIVE] == 1:
        m[m[a + A_POD] + P_CANCELLED] += 1
        leave(m, f, a, t)
        abandon(m, f, a, 1, t)


@inner
def abandon(m: Any, f: Any, a: int, left: int, t: float) -> None:
    """As HeapPlane._abandon_calls of a dead job, and of those that stop because of it; `left`: it left its pod by itself."""
    base, n = m[H_DOOMED], 1
    m[base], m[base + 1] = a, left
    while n > 0:
        top = base + FRAME * (n - 1)
        job = m[top]
        c = m[job + A_CALLS]
        if c == 0:
            n -= 1
            if m[top + 1] == 1:
                p = m[job + A_POD]
                release(m, job)
                check_drained(m, f, p, t)
            continue
        unlist(m, c)
        if m[c + C_OPEN] == 0:
            continue
        b = m[c + C_ATTEMPT]
        if b != 0 and m[b + A_ENDED] == 0:
            m[b + A_ENDED] = 1
            remove_timer(m, f, TIMEOUT, b)
            e = m[c + C_EDGE]
            m[e + E_OUTSTANDING] -= 1
            m[e + E_ABANDONED] += 1
            learn(m, f, b, ABANDONED, t)
            if m[e + E_CANCEL] == 1:
                m[b + A_CANCELLED] = 1
                if m[b + A_ALIVE] == 1:
                    m[m[b + A_POD] + P_CANCELLED] += 1
                    leave(m, f, b, t)
                    m[base + FRAME * n], m[base + FRAME * n + 1] = b, 1
                    n += 1
        close_call(m, c)


# ------------------------------------------------------------------ the beginning and the end of a process


@inner
def check_memory(m: Any, f: Any, p: int, t: float) -> None:
    """As HeapPlane._check_memory."""
    v = m[p + P_SERVICE]
    if m[v + V_HAS_MEMORY] == 0 or (m[p + P_STATE] != UP and m[p + P_STATE] != DRAINING):
        return
    if f[v + V_BASE] + f[v + V_PER_INFLIGHT] * m[p + P_JOBS] + f[v + V_GROWTH] * m[p + P_SINCE] <= f[p + P_MEMORY_LIMIT]:
        return
    m[p + P_OOM] += m[p + P_JOBS] + m[p + P_BACKLOG]
    end_process(m, f, p, OOM, t)
    trigger(m, f, OOM_KILLED, p, 0, 0, t)
    if f[v + V_RESTART] < FAR:
        remove_timer(m, f, RESTART, p)
        m[p + P_RESTART_EPOCH] = m[p + P_EPOCH]
        add_timer(m, f, RESTART, p, t + f[v + V_RESTART])


@inner
def inside(m: Any, p: int) -> int:
    """The attempts inside a pod, in order of path, into the table of those to be ended; how many."""
    table, n = m[H_SORTED], 0
    for k in range(m[H_CHUNK_COUNT]):
        b = m[H_CHUNKS] + k * B_SIZE
        for i in range(m[b + B_ATTEMPTS_USED]):
            a = m[b + B_ATTEMPTS] + i * A_SIZE
            if m[a + A_LIVE] == 1 and m[a + A_ALIVE] == 1 and m[a + A_POD] == p:
                m[table + n] = a
                n += 1
    gap = n // 2
    while gap > 0:
        for i in range(gap, n):
            a, k = m[table + i], i
            while k >= gap and row_before(m, a, m[table + k - gap]):
                m[table + k] = m[table + k - gap]
                k -= gap
            m[table + k] = a
        gap //= 2
    return n


@inner
def end_process(m: Any, f: Any, p: int, outcome: int, t: float) -> None:
    """As HeapPlane._end_process; VANISHED answers nothing."""
    sync(m, f, p, t)
    n = inside(m, p) if m[p + P_JOBS] + m[p + P_BACKLOG] > 0 else 0
    for column in (P_HEAD, P_TAIL, P_RESUME_HEAD, P_RESUME_TAIL, P_ROOT, P_BUSY, P_BURSTS, P_JOBS, P_BACKLOG):
        m[p + column] = 0
    release(m, m[p + P_BOOT])
    m[p + P_BOOT] = 0
    if outcome != VANISHED:
        m[p + P_STATE] = DOWN
        m[p + P_EPOCH] += 1
    touch(m, p)
    for i in range(n):
        a = m[m[H_SORTED] + i]
        m[a + A_ALIVE] = m[a + A_BURST] = m[a + A_QUEUED] = 0
        remove_timer(m, f, OTHER, a)
        f[p + P_RESIDENCE] += t - f[a + A_ARRIVED]
        if outcome != VANISHED:
            abandon(m, f, a, 0, t)
            answer(m, f, a, outcome, t)
        release(m, a)


@inner
def check_drained(m: Any, f: Any, p: int, t: float) -> None:
    """As HeapPlane._check_drained; nothing is inside."""
    if m[p + P_STATE] == DRAINING and m[p + P_ACCEPTING] == 0 and m[p + P_JOBS] + m[p + P_BACKLOG] == 0:
        sync(m, f, p, t)
        m[p + P_STATE] = DOWN
        m[p + P_EPOCH] += 1
        touch(m, p)
        trigger(m, f, DRAINED, p, 0, 0, t)


@inner
def begin_process(m: Any, f: Any, p: int, boot_cpu_s: float, t: float) -> None:
    """As HeapPlane._begin_process."""
    sync(m, f, p, t)
    m[p + P_EPOCH] += 1
    m[p + P_CLOSING] = m[p + P_ACCEPTING] = m[p + P_SINCE] = 0
    f[p + P_WARM] = 1.0
    warm_up(m, f, p)
    if f[p + P_QUOTA] < FAR:
        begin_period(m, f, p, period_at(f, p, t))
    m[p + P_STATE] = UP
    if boot_cpu_s > 0.0:
        m[p + P_STATE] = STARTING
        a = new_attempt(m, f, 0, 0, 0, 1, (-2 << SOURCE_SHIFT) + (m[p + P_ORDINAL] << NUMBER_SHIFT), t)
        m[a + A_POD] = p
        m[p + P_BOOT] = a
        begin_burst(m, f, p, a, boot_cpu_s, t)
    touch(m, p)


# ------------------------------------------------------------------ events


@inlined
def on_pod(m: Any, f: Any, p: int, t: float) -> None:
    """The next event of a pod: a burst ends, its quota is used up, or a period begins."""
    sync(m, f, p, t)
    if f[p + P_T_END] <= f[p + P_T_QUOTA]:
        a = m[p + P_ROOT]
        f[p + P_VIRTUAL] = max(f[p + P_VIRTUAL], f[a + A_TAG])
        m[p + P_ROOT] = melded(m, f, m[a + A_CHILD])
        m[a + A_BURST] = 0
        m[p + P_BURSTS] -= 1
        touch(m, p)
        if a == m[p + P_BOOT]:
            m[p + P_BOOT] = 0
            release(m, a)
            m[p + P_STATE] = UP
            trigger(m, f, BOOTED, p, 0, 0, t)
        else:
            stack(m, RUNNING, a)
        return
    if m[p + P_EXHAUSTS] == 1:
        f[p + P_BUDGET] = 0.0
    else:
        begin_period(m, f, p, m[p + P_PERIOD] + 1)
    touch(m, p)


@inner
def on_timer(m: Any, f: Any, item: int, t: float) -> None:
    """A wait, an attempt or answer on its way, a restart, a retry, a timeout, a user who stops thinking."""
    kind, one = item & (ITEM - 1), item // ITEM
    remove_timer(m, f, kind, one)
    if kind == OTHER:
        if m[one + A_WHAT] == WAITED:
            stack(m, RUNNING, one)
        elif m[one + A_WHAT] == ARRIVES:
            stack(m, ARRIVING, one)
        else:
            note(m, TELL, one, m[one + A_OUTCOME])
    elif kind == TIMEOUT:
        m[one + A_REFERENCES] += 1
        note(m, TELL, one, TIMED_OUT)
        if m[one + A_EDGE] != 0 and m[m[one + A_EDGE] + E_CANCEL] == 1:
            cancel(m, f, one, t)
    elif kind == RETRY:
        stack(m, RESENDING, one)
    elif kind == USER:
        s = m[one + U_SOURCE]
        if m[s + S_LIMIT] < 0 or m[s + S_ARRIVED] < m[s + S_LIMIT]:
            request(m, f, s, m[one + U_NUMBER] * USERS + m[one + U_ITERATION], m[one + U_KEY], one, t)
    elif m[one + P_EPOCH] == m[one + P_RESTART_EPOCH] and m[one + P_STATE] == DOWN:
        begin_process(m, f, one, 0.0, t)


@inlined
def work(m: Any, f: Any, t: float) -> None:
    """What follows of one cause, depth first (1.3 rule 1), until the stack is empty."""
    while m[H_STACKED] > 0:
        top = m[H_STACK] + FRAME * (m[H_STACKED] - 1)
        code, one = m[top], m[top + 1]
        if code in (RUNNING, FAILING):
            m[H_STACKED] -= 1
            if m[one + A_ALIVE] == 1 and (code == FAILING or not blocks(m, f, one, t)):
                finish(m, f, one, DEPENDENCY if code == FAILING else OK, t)
        elif code != ARRIVING:
            if code == SENDING and m[one + C_NEXT] != 0:
                m[top + 1] = m[one + C_NEXT]
            else:
                m[H_STACKED] -= 1
            a = send(m, f, one, t)
            if a != 0:
                stack(m, ARRIVING, a)
        else:
            p = m[one + A_POD]
            if m[one + A_CANCELLED] == 1 or m[p + P_STATE] == LOST:
                m[H_STACKED] -= 1
                release(m, one)
            elif (m[p + P_RESUME_HEAD] != 0 or m[p + P_BACKLOG] > 0) and free_worker(m, p):
                give_worker(m, f, p, t)
            else:
                m[H_STACKED] -= 1
                accept(m, f, p, one, t)
                release(m, one)


@inner
def settle(m: Any, f: Any, t: float) -> None:
    """Everything that follows at this instant (1.3): the agenda, then the shares."""
    while True:
        work(m, f, t)
        if m[H_AGENDA_HEAD] == m[H_AGENDA_TAIL]:
            break
        row = m[H_AGENDA] + (m[H_AGENDA_HEAD] & m[H_AGENDA_MASK]) * ENTRY
        m[H_AGENDA_HEAD] += 1
        code, one, other = m[row], m[row + 1], m[row + 2]
        if code == GIVE:
            give_worker(m, f, one, t)
        elif code == TELL:
            told(m, f, one, other, t)
            release(m, one)
        else:
            stack(m, RESENDING, one)
    m[H_AGENDA_HEAD] = m[H_AGENDA_TAIL] = 0
    share(m, f, t)


@inlined
def needs(m: Any) -> int:
    """What must be provided before the next event, however much follows of it."""
    if m[H_FREE_ROWS] < (m[H_LIVE_ROWS] + 4) * m[H_FANOUT] or m[H_FREE_CALLS] < (m[H_LIVE_CALLS] + 4) * m[H_FANOUT]:
        return NEEDS_ROWS
    if m[H_RECORD_ROOM] > 0 and m[H_RECORD_ROOM] - m[H_RECORD_COUNT] <= m[H_LIVE_CALLS] + 4:
        return NEEDS_RECORDS
    if m[H_KEPT_ROOM] > 0 and m[H_KEPT_ROOM] - m[H_KEPT_COUNT] <= m[H_LIVE_CALLS] + 4:
        return NEEDS_RECORDS
    return OVERFLOWED if m[H_OVERFLOW] == 1 else DONE


@inner
def advance(m: Any, f: Any, limit: float) -> int:
    """Every event with time <= limit in order, up to the first trigger's; or what is needed before it can go on."""
    while m[H_TRIGGER_COUNT] == 0:
        need = needs(m)
        if need != DONE:
            return need
        of_pods, of_sources = f[m[H_TREE] + 2], f[H_ARRIVAL]
        of_timers = f[m[H_TIMERS]] if m[H_TIMER_COUNT] > 0 else FAR
        t = min(of_pods, of_timers, of_sources)
        if t > limit or t == FAR:
            f[H_NOW] = max(f[H_NOW], limit)
            return DONE
        f[H_NOW] = t
        if of_pods == t:
            on_pod(m, f, m[m[H_TREE] + 3], t)
        elif of_timers < of_sources or (of_timers == of_sources and timer_first(m, m[m[H_TIMERS] + 1])):
            on_timer(m, f, m[m[H_TIMERS] + 1], t)
        else:
            on_arrival(m, f, t)
        settle(m, f, t)
    return STOPPED


@inner
def timer_first(m: Any, item: int) -> bool:
    """Whether a timer comes before an arrival at the same time: all do but users of later sources."""
    return item & (ITEM - 1) != USER or m[m[item // ITEM + U_SOURCE] + S_ORDINAL] < m[m[H_NEXT_SOURCE] + S_ORDINAL]


# ------------------------------------------------------------------ the entry


@inner
def begin(m: Any, f: Any) -> None:
    """The first arrivals and thoughts of every source."""
    for i in range(m[H_SOURCE_COUNT]):
        s = m[H_SOURCES] + i * S_SIZE
        upcoming(m, f, s)
        for k in range(m[s + S_USER_COUNT]):
            u = m[s + S_USERS] + k * U_SIZE
            think(m, f, u, f[s + S_START] + f[s + S_STAGGER] * k / m[s + S_USER_COUNT])
    next_source(m, f)


@inner
def drain(m: Any, f: Any, p: int, accepting: int, t: float) -> None:
    """As HeapPlane.drain of a pod that is up."""
    v = m[p + P_SERVICE]
    m[p + P_STATE], m[p + P_ACCEPTING] = DRAINING, accepting
    m[p + P_CLOSING] = m[v + V_CLOSES] if accepting == 0 else 0
    if accepting == 0 and m[v + V_RESETS] == 1:
        while m[p + P_HEAD] != 0:
            a = m[p + P_HEAD]
            m[p + P_RESET] += 1
            leave(m, f, a, t)
            answer(m, f, a, REFUSED, t)
            release(m, a)
    check_drained(m, f, p, t)


@inner
def change(m: Any, f: Any, p: int, speed: float, weight: float, quota: float, t: float) -> None:
    """As HeapPlane.set_pod; what is negative stays."""
    sync(m, f, p, t)
    if speed >= 0.0:
        f[p + P_SPEED] = speed
    if weight >= 0.0:
        f[p + P_WEIGHT] = weight
    if quota >= 0.0:
        f[p + P_QUOTA] = quota
        begin_period(m, f, p, period_at(f, p, t))
    touch(m, p)


@inner
def probe(m: Any, f: Any, p: int, serial: int, cpu_s: float, timeout_s: float, t: float) -> None:
    """As HeapPlane.probe."""
    a = new_attempt(m, f, 0, 0, 0, 1, (-1 << SOURCE_SHIFT) + (serial << NUMBER_SHIFT), t)
    m[a + A_POD], m[a + A_PROBE] = p, serial
    f[a + A_DEMAND], f[a + A_DEADLINE] = cpu_s, t + timeout_s
    add_timer(m, f, TIMEOUT, a, t + timeout_s)
    m[a + A_REFERENCES] += 1
    stack(m, ARRIVING, a)


@compiled
def enter(address: int, wish: int, one: int, other: int, x: float, y: float, z: float) -> int:
    """The only way in: go on to time `x`, or an operation on `one` at the present time."""
    m, f = words(address), doubles(address)
    t = f[H_NOW]
    if wish == DO_ADVANCE:
        return advance(m, f, x)
    need = needs(m)
    if need != DONE:
        return need
    if wish == DO_BEGIN:
        begin(m, f)
    elif wish == DO_REPLAY:
        replay(m, f, one)
    elif wish == DO_START:
        begin_process(m, f, one, x, t)
    elif wish == DO_DRAIN:
        drain(m, f, one, other, t)
    elif wish == DO_KILL:
        m[one + P_KILLED] += m[one + P_JOBS] + m[one + P_BACKLOG]
        end_process(m, f, one, KILLED, t)
    elif wish == DO_LOSE:
        m[one + P_LOST] += m[one + P_JOBS] + m[one + P_BACKLOG]
        end_process(m, f, one, VANISHED, t)
        m[one + P_STATE] = LOST
    elif wish == DO_SET_POD:
        change(m, f, one, x, y, z, t)
    elif wish == DO_SET_NODE:
        for i in range(m[one + N_POD_COUNT]):
            touch(m, m[m[one + N_PODS] + i])
    else:
        probe(m, f, one, other, x, y, t)
    settle(m, f, t)
    return OVERFLOWED if m[H_OVERFLOW] == 1 else DONE
