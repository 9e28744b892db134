"""A worker with a CPU limit on this machine's kernel, against our quota model and against fluid sharing.

For each case a worker of sixteen processes stands in a control group of its own and is asked over loopback at the times that the model
drew, for the CPU seconds that the model drew: the same requests in the data plane (quota of model.md 3.5), in a pod that shares the
limit's cores among all inside (the fluid picture: a slower CPU), and in reality. Demands are as asked, nothing is fitted; the phase of the
kernel's periods is not known, so the model is run with ten. Every run made is listed with what else the machine did meanwhile
(`others`: cores); the summary counts those as quiet that had less than 0.2 cores of others, and the cases with a neighbour of our own
apart. `REALCPU_SECONDS` is the length of a case, 60 by default. Skipped with its reason where control groups cannot be written.
"""

from __future__ import annotations

import ctypes
import math
import multiprocessing
import os
import select
import signal
import socket
import statistics
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cgroup import EXPECTED_SHARES, Group, NotWritable, busy_seconds
from simulate.spec import Background, Behaviour, Distribution, Machine, Rate, Source, Step, TrafficSpec
from simulate.traffic import make_plane

SECONDS = float(os.environ.get("REALCPU_SECONDS", "60"))
CORES = float(os.cpu_count() or 1)
WORKERS, MEAN_S, PHASES, QUIET_CORES = 16, 0.01, 10, 0.2
QUANTILES = {"mean": None, "p50": 0.5, "p95": 0.95, "p99": 0.99}
JUDGED = ("mean", "p95", "p99")
GOALS = {"quiet": 10.0, "closer": 5.0, "neighbour": 25.0}
ASK, ANSWER = struct.Struct("!Id"), struct.Struct("!I")
PATIENCE_S = 30.0
PR_SET_PDEATHSIG, PR_SET_TIMERSLACK = 1, 29


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`quota_cores`: the limit; `load`: share of it that the requests ask for; `neighbours`: threads that spin in a group beside it."""

    quota_cores: float
    load: float
    seed: int
    neighbours: int = 0

    @property
    def label(self) -> str:
        """As it is listed."""
        return f"limit {self.quota_cores:g}, load {self.load:g}, seed {self.seed}" + (
            f", {self.neighbours} spinning" if self.neighbours else ""
        )


CASES = tuple(Case(quota_cores=q, load=r, seed=s) for q, r, s in (
    (0.5, 0.2, 1), (0.5, 0.5, 2), (0.5, 0.7, 3), (0.25, 0.5, 4), (0.25, 0.7, 5), (1.0, 0.5, 6), (1.0, 0.6, 7), (1.0, 0.7, 8),
)) + tuple(Case(quota_cores=q, load=r, seed=s, neighbours=1) for q, r, s in ((0.5, 0.5, 9), (1.0, 0.5, 10), (0.5, 0.7, 11)))  # fmt: skip


# ------------------------------------------------------------------ the models


def modelled(case: Case, **pod: float | None) -> list[tuple[float, float]]:
    """Arrival and latency in seconds of every request of the case, in a pod that is started with `pod`."""
    alone = pod.pop("alone", 0.0)
    spinning = (Background(threads=case.neighbours, weight=float(EXPECTED_SHARES)),) if case.neighbours and not alone else ()
    web = Behaviour(name="web", program=(Step(cpu_s=Distribution(name="exp", mean=MEAN_S)),), workers=None if alone else WORKERS,
                    parallelism=pod.pop("parallelism", None))  # fmt: skip
    rate = Rate(constant=case.quota_cores * case.load / MEAN_S)
    spec = TrafficSpec(
        seed=case.seed,
        horizon_s=SECONDS + PATIENCE_S,
        behaviours=(web,),
        edges=(),
        sources=(Source(name="users", to="web", kind="open", rate=rate, end_s=SECONDS),),
        machines=(Machine(name="here", cores=None if alone else CORES, background=spinning),),
    )
    plane = make_plane(spec, engine="heap", record=True)
    plane.start(-1.0, "web-0", service="web", node="here", weight=float(EXPECTED_SHARES), **pod)  # type: ignore[arg-type]
    plane.route(-1.0, "web-0")
    plane.read(spec.horizon_s)
    return [(one.arrival_s, one.end_s - one.arrival_s) for one in plane.records() if one.end_s is not None]  # type: ignore[attr-defined]


def asked(case: Case) -> list[tuple[float, float]]:
    """Arrival and demand of every request: alone on an endless machine each takes exactly what it asks for."""
    return modelled(case, alone=1.0)


def by_quota(case: Case) -> list[float]:
    """Latencies under the limit as model.md 3.5 has it, over ten phases of its periods."""
    phases = (0.1 * i / PHASES for i in range(PHASES))
    return [latency for phase in phases for _, latency in modelled(case, quota_cores=case.quota_cores, phase_s=phase)]


def by_sharing(case: Case) -> list[float]:
    """Latencies where the limit is a slower CPU that all inside share."""
    return [latency for _, latency in modelled(case, parallelism=1.0, speed=case.quota_cores)]


# ------------------------------------------------------------------ the machine


def _end_with_parent() -> None:
    """A killed benchmark leaves nobody spinning."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def serve(port: socket.socket) -> None:
    """One process of the worker: take a request, use the CPU seconds it asks for, answer."""
    _end_with_parent()
    while True:
        data, sender = port.recvfrom(ASK.size)
        number, demand_s = ASK.unpack(data)
        until = time.thread_time() + demand_s
        while time.thread_time() < until:
            pass
        port.sendto(ANSWER.pack(number), sender)


def spin() -> None:
    """A neighbour that always wants a core."""
    _end_with_parent()
    while True:
        pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a case has on this machine: the worker's group, its processes, and where it is asked."""

    group: Group
    workers: tuple[int, ...]
    neighbours: tuple[int, ...]
    address: tuple[str, int]


def on_cpu_s(processes: Sequence[int]) -> float:
    """Seconds that processes have been on a CPU since they began, as the scheduler counts them."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in processes) / 1e9


@contextmanager
def standing(case: Case) -> Iterator[Standing]:
    """The worker in its group, and the neighbours in theirs; all gone afterwards."""
    fork = multiprocessing.get_context("fork")
    port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    port.bind(("127.0.0.1", 0))
    groups: list[Group] = []
    processes = [fork.Process(target=serve, args=(port,), daemon=True) for _ in range(WORKERS)]
    processes += [fork.Process(target=spin, daemon=True) for _ in range(case.neighbours)]
    try:
        groups.append(Group(f"compose-cutover-worker-{os.getpid()}", quota_cores=case.quota_cores))
        groups.append(Group(f"compose-cutover-neighbour-{os.getpid()}", quota_cores=None))
        for process in processes:
            process.start()
        pids = tuple(process.pid or 0 for process in processes)
        for number, pid in enumerate(pids):
            groups[number >= WORKERS].add(pid)
        yield Standing(group=groups[0], workers=pids[:WORKERS], neighbours=pids[WORKERS:], address=port.getsockname())
    finally:
        begun = [process for process in processes if process.pid is not None]
        for process in begun:
            process.kill()
        for process in begun:
            process.join()
        for group in groups:
            group.remove()
        port.close()


def driven(requests: Sequence[tuple[float, float]], address: tuple[str, int]) -> list[float]:
    """Send every request at its time and take the answers: latencies from the time at which each was to be sent."""
    ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1)
    port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    port.setblocking(False)
    ended: dict[int, float] = {}
    begin = time.perf_counter() + 0.5
    sent, limit = 0, begin + requests[-1][0] + PATIENCE_S
    with port:
        while len(ended) < len(requests) and time.perf_counter() < limit:
            now = time.perf_counter() - begin
            while sent < len(requests) and requests[sent][0] <= now:
                port.sendto(ASK.pack(sent, requests[sent][1]), address)
                sent += 1
            wait_s = max(0.0, requests[sent][0] - (time.perf_counter() - begin)) if sent < len(requests) else 0.1
            if select.select([port], [], [], wait_s)[0]:
                number = ANSWER.unpack(port.recv(ANSWER.size))[0]
                ended[number] = time.perf_counter() - begin
    return [ended[i] - arrival if i in ended else math.inf for i, (arrival, _) in enumerate(requests)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Latencies; cores that neither worker, neighbours nor the asking used; periods with the limit used up; the worker's CPU seconds."""

    latencies_s: list[float]
    others: float
    throttles: int
    used_s: float


def observed(case: Case, requests: Sequence[tuple[float, float]]) -> Observed:
    """The case on this machine."""
    with standing(case) as here:
        own, busy, begin = time.process_time(), busy_seconds(), time.perf_counter()
        used, beside = on_cpu_s(here.workers), on_cpu_s(here.neighbours)
        latencies = driven(requests, here.address)
        elapsed, busy, own = time.perf_counter() - begin, busy_seconds() - busy, time.process_time() - own
        used, beside = on_cpu_s(here.workers) - used, on_cpu_s(here.neighbours) - beside
        throttles = here.group.throttled()[0]
    return Observed(latencies_s=latencies, others=max(0.0, busy - own - used - beside) / elapsed, throttles=throttles, used_s=used)


# ------------------------------------------------------------------ comparing


def told(latencies_s: Sequence[float]) -> dict[str, float]:
    """Mean and quantiles in milliseconds."""
    ordered = sorted(latencies_s)
    return {
        name: 1000 * (statistics.fmean(ordered) if q is None else ordered[max(1, math.ceil(q * len(ordered))) - 1])
        for name, q in QUANTILES.items()
    }


def errors(model: dict[str, float], real: dict[str, float]) -> dict[str, float]:
    """How far the model is from reality, in percent of reality."""
    return {name: 100 * (model[name] / real[name] - 1) for name in QUANTILES}


def _median(rows: Sequence[dict[str, float]]) -> float | None:
    """Median of the judged errors' sizes over runs; None of none."""
    return round(statistics.median(abs(row[name]) for row in rows for name in JUDGED), 1) if rows else None


def run() -> dict[str, object]:
    """Every run, then the medians over the quiet ones and over those with a neighbour."""
    figures: dict[str, object] = {}
    quiet: list[tuple[dict[str, float], dict[str, float]]] = []
    loud: list[dict[str, float]] = []
    for case in CASES:
        requests = asked(case)
        try:
            seen = observed(case, requests)
        except NotWritable as reason:
            return {"realcpu": f"skipped: {reason}"}
        real = told(seen.latencies_s)
        quota, sharing = errors(told(by_quota(case)), real), errors(told(by_sharing(case)), real)
        figures[case.label] = {
            "requests": len(requests),
            "others": round(seen.others, 2),
            "used / asked": round(seen.used_s / sum(demand for _, demand in requests), 2),
            "throttled periods": seen.throttles,
            "real ms": {name: round(value, 1) for name, value in real.items()},
            "quota %": {name: round(value) for name, value in quota.items()},
            "fluid %": {name: round(value) for name, value in sharing.items()},
        }
        if case.neighbours:
            loud.append(quota)
        elif seen.others < QUIET_CORES:
            quiet.append((quota, sharing))
    ours, fluid = _median([quota for quota, _ in quiet]), _median([sharing for _, sharing in quiet])
    figures["quiet runs"] = len(quiet)
    figures["median |error| %, quiet, quota model"] = {"median": ours, "goal": GOALS["quiet"]}
    figures["median |error| %, quiet, fluid sharing"] = fluid
    figures["quota closer than fluid, times"] = {
        "ratio": None if not ours or fluid is None else round(fluid / ours, 1),
        "goal": GOALS["closer"],
    }
    figures["median |error| %, neighbour, quota model"] = {"median": _median(loud), "goal": GOALS["neighbour"]}
    return figures
