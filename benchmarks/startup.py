"""How long a person waits: `migrate convert` and `simulate run` as whole processes, against `python -c "import yaml"` in the same rounds.

Cold is the first run after an installation: no byte code and no machine code is kept. Warm is a later one, of which both are kept.
Each time is told as seconds on the clock and as seconds of the processor, which other work on the machine disturbs less.
`import simulate` must be cheap and must not load numba; both are part of the figures.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.timing import paired_ratio, process_seconds

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
ROUNDS = 7
REPORTS = 5
GOALS_S = {"cold": 4, "warm": 1, "import simulate": 0.3}
COMPILE = """
from benchmarks.engine import ran, world
from simulate.traffic import make_plane
for policy, tiers in (("random", 1), ("random", 3)):
    spec = world(policy, tiers, 1.0)
    for engine in ("auto", "events"):
        ran(make_plane(spec, engine=engine), spec)
"""
"""What a longer run does once on a machine."""


def fresh(folder: Path) -> Mapping[str, str]:
    """The environment of a user who has run nothing yet, whose files are kept in `folder`."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "NUMBA_CACHE_DIR")}
    return {**kept, "HOME": str(folder / "home"), "PYTHONPYCACHEPREFIX": str(folder / "pyc")}


def timed(arguments: list[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """Seconds of a process on the clock and of the processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    clock_s = process_seconds(arguments, environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def told(times: list[tuple[float, float]], goal_s: float) -> dict[str, float]:
    """Medians, the spread of the processor's, and the goal."""
    clock, cpu = zip(*times, strict=True)
    return {
        "clock (s)": round(statistics.median(clock), 2),
        "CPU (s)": round(statistics.median(cpu), 2),
        "least": round(min(cpu), 2),
        "most": round(max(cpu), 2),
        "goal (s)": goal_s,
    }


def report(folder: Path) -> str:
    """A report without the name of its folder."""
    return (folder / "report.json").read_text().replace(str(folder), "")


def reports(tree: Path, folder: Path) -> dict[str, object]:
    """From the shell to the report of a sample: cold, and warm."""
    cold, warm = [], []
    run = ["-m", "simulate", "run", str(tree), "-s", str(SAMPLES / "ghost" / "scenario.yaml"), "-o"]
    for i in range(REPORTS):
        place = folder / f"user{i}"
        (place / "home").mkdir(parents=True)
        cold.append(timed([*run, str(place / "run")], fresh(place)))
        assert (place / "run" / "report.html").is_file()
    process_seconds(["-c", COMPILE], fresh(place))
    for i in range(REPORTS):
        warm.append(timed([*run, str(place / f"again{i}")], fresh(place)))
        assert report(place / f"again{i}") == report(folder / "user0" / "run"), "plain Python and compiled code tell different things"
    return {"simulate run to report, cold": told(cold, GOALS_S["cold"]), "simulate run to report, warm": told(warm, GOALS_S["warm"])}


def run() -> dict[str, object]:
    """Ratios to the start of Python with PyYAML, and seconds to the first report cold and warm."""

    def peer() -> float:
        return process_seconds(["-c", "import yaml"])

    convert = ["-m", "migrate", "convert", "-f", str(SAMPLES / "ghost" / "docker-compose.yml")]
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, simulate; print('numba' in sys.modules)"], capture_output=True, text=True, check=True
    )
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        process_seconds([*convert, "-o", str(tree)])
        found = reports(tree, Path(folder))
        place = Path(folder) / "user0"
        imports = [timed(["-c", "import simulate"], fresh(place)) for _ in range(ROUNDS)]
    return {
        "migrate convert / import yaml (processes)": paired_ratio(lambda: process_seconds(convert), peer, ROUNDS),
        "import simulate / import yaml (processes)": paired_ratio(lambda: process_seconds(["-c", "import simulate"]), peer, ROUNDS),
        "import simulate": told(imports, GOALS_S["import simulate"]),
        "import simulate loads numba": loaded.stdout.strip() == "True",
        **found,
    }
