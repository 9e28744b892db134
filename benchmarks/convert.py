"""Whole conversions in process and as a command, against the start of Python with PyYAML and Kompose; how the time grows with services."""

from __future__ import annotations

import functools
import json
import os
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

import migrate
from benchmarks.timing import process_seconds, seconds

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
CORPUS = SAMPLES.parent.parent / "shared" / "corpus"
GROWTH = (100, 1000)
RECORDED_KOMPOSE_S = 0.037
"""`kompose convert` of a small stack as a process, where Kompose is not installed."""


def stack_of(services: int) -> str:
    """A Compose text of so many services in a ring: each has an address and calls the next by it."""
    addresses = [f"10.77.{1 + number // 200}.{1 + number % 200}" for number in range(services)]
    blocks = [
        f"  s{number}:\n    image: example/app:1.{number}\n    expose: ['8080']\n"
        f"    environment: {{NEXT: 'http://{addresses[(number + 1) % services]}:8080/x'}}\n"
        f"    networks: {{n: {{ipv4_address: {addresses[number]}}}}}\n"
        for number in range(services)
    ]
    return "services:\n" + "".join(blocks) + "networks:\n  n: {ipam: {config: [{subnet: 10.77.0.0/16}]}}\n"


def convert(path: Path) -> migrate.Conversion:
    """One conversion in process."""
    return migrate.convert([str(path)])


def corpus_files() -> list[Path]:
    """The Compose file of every corpus stack, where the corpus is beside the checkout."""
    index = CORPUS / "index.json"
    return [CORPUS / stack["id"] / stack["path"] for stack in json.loads(index.read_text())] if index.is_file() else []


def command(file: Path, bytecode: Path | None = None) -> float:
    """Seconds of `migrate convert` as a process; `bytecode` is where compiled modules are looked for and left (None: the usual place)."""
    environment = dict(os.environ) | ({"PYTHONPYCACHEPREFIX": str(bytecode)} if bytecode is not None else {})
    return process_seconds(["-m", "migrate", "convert", "-q", "-f", str(file)], environment)


def kompose_seconds(file: Path) -> tuple[float, str]:
    """Seconds of `kompose convert`, and whether they were measured in this run or are the recorded ones."""
    program = shutil.which("kompose")
    if program is None:
        return RECORDED_KOMPOSE_S, "recorded"
    with tempfile.TemporaryDirectory() as folder:
        convert_all = [program, "convert", "-f", str(file), "-o", folder]
        return min(seconds(lambda: subprocess.run(convert_all, capture_output=True, check=False)) for _ in range(5)), "measured"


def commands(file: Path) -> dict[str, object]:
    """The command cold (nothing compiled) and warm, against Kompose: a Go program, which starts no interpreter."""
    command(file)
    warm = statistics.median(command(file) for _ in range(7))
    cold = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(command(file, Path(folder)))
    kompose, how = kompose_seconds(file)
    return {
        "command warm (ms)": round(1000 * warm),
        "command cold, nothing compiled (ms)": round(1000 * statistics.median(cold)),
        f"kompose convert, {how} (ms)": round(1000 * kompose),
        "command warm / kompose": round(warm / kompose, 1),
    }


def corpus() -> dict[str, object]:
    """Milliseconds of a whole conversion in process per corpus stack, the best of three each."""
    times = []
    for path in corpus_files():
        try:
            times.append(min(seconds(functools.partial(convert, path)) for _ in range(3)))
        except migrate.Unusable:
            continue
    if not times:
        return {}
    return {
        "corpus stacks": len(times),
        "corpus stack, median (ms)": round(1000 * statistics.median(times), 1),
        "corpus stack, p95 (ms)": round(1000 * sorted(times)[int(0.95 * len(times))], 1),
        "corpus stack, largest (ms)": round(1000 * max(times), 1),
    }


def growth() -> dict[str, object]:
    """How the time grows from 100 to 1,000 services: ten times as many may take 14 times as long."""
    times = []
    with tempfile.TemporaryDirectory() as folder:
        for services in GROWTH:
            path = Path(folder) / f"{services}.yaml"
            path.write_text(stack_of(services))
            times.append(min(seconds(functools.partial(convert, path)) for _ in range(3)))
    return {
        f"{GROWTH[1]} services (s)": round(times[1], 2),
        f"{GROWTH[1]} services / {GROWTH[0]} services": round(times[1] / times[0], 1),
    }


def run() -> dict[str, object]:
    """Every corpus stack in process, a small stack against `import yaml`, the growth, and the command against Kompose."""
    small = SAMPLES / "ghost" / "docker-compose.yml"
    convert(small)
    peer = min(process_seconds(["-c", "import yaml"]) for _ in range(5))
    best = min(seconds(lambda: convert(small)) for _ in range(7))
    return {
        "start of import yaml (ms)": round(1000 * peer),
        "small stack in process / start of import yaml": round(best / peer, 2),
        **corpus(),
        **growth(),
        **commands(small),
    }
