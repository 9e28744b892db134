"""One station of four servers, everything that is quick: requests per CPU second of the data plane and of what else there is.

The data plane shares four cores among all inside (processor sharing), through its whole interface: plane made, run, read. Peers: the same
loop in C (-O3, where a compiler is found), and M/M/4 first come, first served in SimPy (a process and a Resource a customer), Ciw,
happysim and Cimba Python; those model less, because none of them has processor sharing. What is not installed is skipped with the reason.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from simulate.spec import Behaviour, Distribution, Rate, Source, Step, TrafficSpec
from simulate.traffic import make_plane

RATE, CORES = 3.2, 4.0
REQUESTS, SIMPY_REQUESTS, CIW_REQUESTS, HAPPYSIM_REQUESTS, CIMBA_REQUESTS = 2_000_000, 40_000, 20_000, 10_000, 1_000_000
ROUNDS = 5
C_FILE = Path(__file__).with_name("ps.c")
GOALS = {"SimPy Resource": 150.0, "Cimba Python": 4.0, "C -O3": 0.8}


def data_plane() -> float:
    """Processor sharing with exponential demands in the data plane."""
    web = Behaviour(name="web", program=(Step(cpu_s=Distribution(name="exp", mean=1.0)),), parallelism=CORES)
    source = Source(name="users", to="web", kind="open", rate=Rate(constant=RATE))
    horizon_s = REQUESTS / RATE
    begin = time.process_time()
    plane = make_plane(TrafficSpec(seed=1, horizon_s=horizon_s, behaviours=(web,), edges=(), sources=(source,), machines=()))
    plane.start(-1.0, "web-0", service="web", node=None)
    plane.route(-1.0, "web-0")
    plane.read(horizon_s)
    return plane.sources(horizon_s)["users"].ok / (time.process_time() - begin)


def simpy_resource() -> float:
    """A process and a request of a Resource for each customer."""
    import random

    import simpy

    dice, environment = random.Random(1), simpy.Environment()
    servers = simpy.Resource(environment, capacity=int(CORES))

    def customer(service_s: float) -> Iterator[Any]:
        with servers.request() as turn:
            yield turn
            yield environment.timeout(service_s)

    def arrivals() -> Iterator[Any]:
        for _ in range(SIMPY_REQUESTS):
            yield environment.timeout(dice.expovariate(RATE))
            environment.process(customer(dice.expovariate(1.0)))

    environment.process(arrivals())
    begin = time.process_time()
    environment.run()
    return SIMPY_REQUESTS / (time.process_time() - begin)


def ciw_network() -> float:
    """Ciw with its records."""
    import ciw

    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(RATE)],
        service_distributions=[ciw.dists.Exponential(1.0)],
        number_of_servers=[int(CORES)],
    )
    ciw.seed(1)
    simulation = ciw.Simulation(network)
    begin = time.process_time()
    simulation.simulate_until_max_customers(CIW_REQUESTS)
    return CIW_REQUESTS / (time.process_time() - begin)


def cimba_python() -> float:
    """Four standing servers that take from a container, compiled by Cimba before it is timed."""
    import cimba

    from benchmarks.cimba_station import Station

    station = Station()

    def ran(customers: int) -> None:
        cimba.Experiment(station, replications=1, window=cimba.Window(warmup=0, duration=customers / RATE), seed=1).run()

    ran(100)
    begin = time.process_time()
    ran(CIMBA_REQUESTS)
    return CIMBA_REQUESTS / (time.process_time() - begin)


def happysim() -> float:
    """A source, a server of happysim and a sink; its package is for Python 3.13 and later."""
    from happysimulator import Instant, Server, Simulation, Sink, Source
    from happysimulator.distributions import ExponentialLatency

    sink = Sink()
    server = Server("station", concurrency=int(CORES), service_time=ExponentialLatency(1.0), downstream=sink)
    source = Source.poisson(rate=RATE, target=server)
    end = Instant.from_seconds(HAPPYSIM_REQUESTS / RATE)
    simulation = Simulation(sources=[source], entities=[server, sink], end_time=end)
    begin = time.process_time()
    simulation.run()
    return float(server.stats.requests_completed / (time.process_time() - begin))


def c_loop(program: Path) -> float:
    """Requests per second of CPU that the C program says it took."""
    words = subprocess.run([str(program), str(REQUESTS), str(RATE), str(CORES)], capture_output=True, text=True, check=True).stdout.split()
    return int(words[1]) / float(words[0])


def compiled(folder: str) -> Callable[[], float]:
    """The C program, compiled; ImportError where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise ImportError("no C compiler is found")
    program = Path(folder) / "ps"
    subprocess.run([compiler, "-O3", "-march=native", "-o", str(program), str(C_FILE), "-lm"], check=True)
    return lambda: c_loop(program)


def run() -> dict[str, object]:
    """Requests per CPU second, and how many times faster the data plane is: median, minimum and maximum over interleaved rounds."""
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        peers: dict[str, Callable[[], float]] = {
            "SimPy Resource": simpy_resource,
            "Ciw": ciw_network,
            "Cimba Python": cimba_python,
            "happysim": happysim,
        }
        try:
            peers["C -O3"] = compiled(folder)
        except ImportError as reason:
            figures["C -O3"] = f"skipped: {reason}"
        for name, peer in list(peers.items()):
            try:
                peer()
            except ImportError as reason:
                figures[name] = f"skipped: {reason}"
                del peers[name]
        data_plane()
        rounds = [(data_plane(), {name: peer() for name, peer in peers.items()}) for _ in range(ROUNDS)]
    figures["data plane requests / s"] = round(statistics.median(ours for ours, _ in rounds))
    for name in peers:
        ratios = sorted(ours / theirs[name] for ours, theirs in rounds)
        figures[name] = {
            "requests / s": round(statistics.median(theirs[name] for _, theirs in rounds)),
            "ratio": {"median": round(statistics.median(ratios), 2), "min": round(ratios[0], 2), "max": round(ratios[-1], 2)},
            "goal": GOALS.get(name),
        }
    return figures
