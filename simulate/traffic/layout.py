"""Where everything of a run stands in the memory of the compiled event-order engine: one array of 8-byte words, doubles or integers.

An entity (pod, call, attempt ...) is the address of its first word; a column is added to it. Address 0 is nobody.
"""

from __future__ import annotations

FAR = 2.0**1023
"""Later than every time of a run."""

# the header: single values and addresses of tables
(
    H_NOTHING, H_NOW, H_UNTIL, H_LEAVES, H_TREE, H_TIMERS, H_TIMER_COUNT, H_AGENDA, H_AGENDA_MASK, H_AGENDA_HEAD, H_AGENDA_TAIL,
    H_STACK, H_STACKED, H_DOOMED, H_SORTED, H_SCRATCH, H_OTHER_SCRATCH, H_SHARES, H_DIRTY, H_DIRTY_COUNT, H_DIRTY_NODES,
    H_DIRTY_NODE_COUNT, H_FREE_ROW, H_FREE_ROWS, H_LIVE_ROWS, H_FREE_CALL, H_FREE_CALLS, H_LIVE_CALLS, H_CHUNKS, H_CHUNK_COUNT,
    H_FANOUT, H_TRIGGERS, H_TRIGGER_COUNT, H_RECORDS, H_RECORD_COUNT, H_RECORD_ROOM, H_SOURCES, H_SOURCE_COUNT, H_NEXT_SOURCE,
    H_ARRIVAL, H_OPEN_CALLS, H_CONNECTIONS, H_TRIED, H_OVERFLOW, H_KEPT, H_KEPT_COUNT, H_KEPT_ROOM, H_CALL_SIZE,
    H_DRAWN,
) = range(49)  # fmt: skip
HEADER = 64

# a pod
(
    P_T_END, P_T_QUOTA, P_AT, P_VIRTUAL, P_RATE, P_SHARE, P_BURSTS, P_JOBS, P_BACKLOG, P_BUSY, P_ROOT, P_DIRTY, P_QUOTA, P_BUDGET,
    P_STATE, P_SERVICE, P_NODE, P_ORDINAL, P_WORKERS, P_PARALLEL, P_CPU_S, P_REQUEST_S, P_RESIDENCE, P_SPEED, P_WARM, P_HEAD, P_TAIL,
    P_RESUME_HEAD, P_RESUME_TAIL, P_SINCE, P_ACCEPTED, P_DISPATCHED, P_COMPLETED, P_COMPLETED_ERROR, P_MEMORY_LIMIT, P_ACCEPTING,
    P_CLOSING, P_EPOCH, P_NUMBER, P_PERIOD, P_PERIOD_S, P_PHASE, P_EXHAUSTS, P_STOOD, P_STOOD_COUNTED, P_THROTTLED, P_THROTTLES,
    P_WEIGHT, P_REFUSED, P_CANCELLED, P_KILLED, P_OOM, P_LOST, P_RESET, P_HASH, P_RESTART, P_RESTART_EPOCH, P_BOOT, P_CAP, P_LEAF,
) = range(60)  # fmt: skip
P_SIZE = 64
ABSENT, STARTING, UP, DRAINING, DOWN, LOST = range(6)

# a block of rows: attempts, calls, how many there are, how many of each were ever used
(B_ATTEMPTS, B_CALLS, B_ROWS, B_ATTEMPTS_USED, B_CALLS_USED) = range(5)
B_SIZE = 5

# an attempt, and its job
(
    A_CALL, A_POD, A_ENDPOINT, A_EDGE, A_NUMBER, A_DEPTH, A_WORD, A_REFERENCES, A_ENDED, A_CANCELLED, A_START, A_DEADLINE, A_WORKED,
    A_KEY, A_ARRIVED, A_STEP, A_COPY, A_ALIVE, A_DISPATCHED, A_WORKER, A_BURST, A_DEMAND, A_TAG, A_CHILD, A_SIBLING, A_BACK, A_PENDING,
    A_FAILED, A_CALLS, A_LAST_CALL, A_PREVIOUS, A_NEXT, A_QUEUED, A_TIMER, A_WHAT, A_TIMEOUT, A_OUTCOME, A_SLOT, A_CONNECTION, A_EPOCH,
    A_ESTABLISHED, A_PROBE, A_LIVE,
) = range(43)  # fmt: skip
A_SIZE = 44
NOT_QUEUED, IN_BACKLOG, TO_RESUME = range(3)
ARRIVES, TOLD, WAITED = range(3)

# a call; the words of its path, the endpoints tried and, of a source's call, the values drawn ahead follow
(
    C_EDGE, C_KEY, C_START, C_SOURCE, C_USER, C_JOB, C_OPTIONAL, C_DEADLINE, C_ATTEMPTS, C_ATTEMPT, C_OPEN, C_RETRYING, C_REFERENCES,
    C_TIMER, C_NEXT, C_PREVIOUS, C_LISTED, C_TRIED, C_DEPTH, C_WORD, C_NUMBER, C_LIVE, C_DRAWN,
    C_PATH,
) = range(24)  # fmt: skip

# an edge
(
    E_TIMEOUT, E_NET, E_CANCEL, E_PROPAGATE, E_POLICY, E_VIEW, E_RETRIES_MAX, E_ON, E_BACKOFF, E_FACTOR, E_BACKOFF_MAX, E_JITTER, E_AVOID,
    E_BUDGET, E_RATIO, E_TOKENS_MAX, E_TOKENS, E_CONNECTIONS, E_REQUESTS_MAX, E_AGE_MAX, E_PER_USER, E_FAILS_MAX, E_FAIL_TIMEOUT,
    E_CLIENTS, E_DECAY, E_PROXY, E_PROXIES, E_CALLS, E_ATTEMPTS, E_RETRIES, E_PENDING, E_DROPPED, E_ABANDONED, E_LATE, E_OUTSTANDING,
    E_ENDS,
) = range(36)  # fmt: skip
E_SIZE = E_ENDS + 8
RANDOM, ROUND_ROBIN, LEAST_REQUEST, P2C, HASH, EWMA = range(6)

# a proxy, what it knows of a pod, a slot for a connection
(X_COUNT, X_LIST, X_TURN, X_EJECTS, X_KNOWN, X_SLOTS) = range(6)
X_SIZE = 6
(Y_POD, Y_LOAD, Y_FAILS, Y_UNTIL, Y_AVERAGE, Y_LAST, Y_PROXY) = range(7)
Y_SIZE = 7
(Q_CONNECTION, Q_ENDPOINT, Q_EPOCH, Q_OPENED, Q_SENT) = range(5)
Q_SIZE = 5

# a service, a step of its program, a call of a step, a step of its warm-up
(
    V_WORKERS, V_QUEUE, V_BY_CPU, V_STEPS, V_STEP_COUNT, V_WARM, V_WARM_COUNT, V_HAS_MEMORY, V_BASE, V_PER_INFLIGHT, V_GROWTH, V_RESTART,
    V_CLOSES, V_RESETS, V_PARALLEL,
) = range(15)  # fmt: skip
V_SIZE = 16
(T_KIND, T_CODE, T_A, T_B, T_C, T_CALLS, T_CALL_COUNT, T_DRAWN) = range(8)
T_SIZE = 8
CPU_STEP, WAIT_STEP, CALL_STEP, PARALLEL_STEP = range(4)
(K_EDGE, K_PROBABILITY, K_OPTIONAL, K_DRAWN) = range(4)
K_SIZE = 4

# a node, and other load on it
(
    N_CORES, N_SPEED, N_THREADS, N_LOOSE, N_PODS, N_POD_COUNT, N_BACKGROUND, N_BACKGROUND_COUNT, N_DIRTY, N_FULL, N_WHOLE, N_CAPS,
) = range(12)  # fmt: skip
N_SIZE = 12

# a source, a user of a closed one
(
    S_KIND, S_EDGE, S_ORDINAL, S_KEY, S_ARRIVED, S_UPCOMING, S_END, S_LIMIT, S_AREA, S_SEGMENT, S_SEGMENT_END, S_ARRIVAL, S_LEFT,
    S_BATCH, S_BATCH_A, S_BATCH_B, S_BATCH_C, S_THINK, S_THINK_A, S_THINK_B, S_THINK_C, S_USERS, S_USER_COUNT, S_ITERATIONS,
    S_HISTOGRAM, S_LATENCY, S_START, S_STAGGER, S_AHEAD, S_WIDTH, S_PLAN, S_PLAN_ROWS, S_OK,
) = range(33)  # fmt: skip
S_SIZE = S_OK + 8
OPEN, EVEN, TRACE, CLOSED = range(4)
(G_START, G_STOP, G_FIRST, G_LAST, G_AREA, G_NEXT_AREA) = range(6)
G_SIZE = 6
(U_SOURCE, U_NUMBER, U_ITERATION, U_KEY, U_TIMER) = range(5)
U_SIZE = 5

# what is drawn ahead for requests of a source: a row for the keys of each call and for each value; -1 as distribution: keys of calls
(W_KEYS, W_CODE, W_AT, W_COUNTER, W_TO) = range(5)
W_SIZE = 5
AHEAD = 32
"""So many requests at once: a power of two."""

# a record of a request, a trigger
(R_SOURCE, R_NUMBER, R_ARRIVAL, R_WORKED, R_END, R_POD, R_OUTCOME, R_ATTEMPTS) = range(8)
R_SIZE = 8
(I_TIME, I_KIND, I_POD, I_PROBE, I_OUTCOME) = range(5)
I_SIZE = 5
BOOTED, DRAINED, OOM_KILLED, PROBED = range(4)

CONST, UNIFORM, EXP, LOGNORMAL, ERLANG, HYPEREXP, PARETO, QUANTILES = range(8)
OK, NO_ENDPOINT, REFUSED, TIMED_OUT, KILLED, OOM, DEPENDENCY, ABANDONED, VANISHED = range(9)
FINE = 1 << OK | 1 << DEPENDENCY
EJECTING = 1 << REFUSED | 1 << TIMED_OUT | 1 << KILLED | 1 << OOM
"""Sets of outcomes, a bit each."""

# kinds of timers: the low bits of an item; their classes (model.md 1.2)
OTHER, TIMEOUT, RETRY, USER, RESTART = range(5)
ITEM = 8

# frames of the stack of work, entries of the agenda
RUNNING, SENDING, ARRIVING, RESENDING, FAILING = range(5)
GIVE, TELL, SEND = range(3)
FRAME = 2
ENTRY = 3

# what `enter` is asked for, and what it answers
(DO_ADVANCE, DO_START, DO_DRAIN, DO_KILL, DO_LOSE, DO_SET_POD, DO_SET_NODE, DO_PROBE, DO_BEGIN, DO_REPLAY) = range(10)
DONE, STOPPED, NEEDS_ROWS, NEEDS_RECORDS, OVERFLOWED = range(5)

# words of paths: source | number | attempt at the root, step | copy | attempt below
SOURCE_SHIFT, NUMBER_SHIFT, STEP_SHIFT = 55, 15, 47
USERS = 1_000_000
BUCKETS = 4096
