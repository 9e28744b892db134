"""How long a person waits: `migrate convert` and `simulate run` as whole processes, against `python -c "import yaml"` in the same rounds.

`import simulate` must be cheap and must not load numba; both are part of the figures.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.timing import paired_ratio, process_seconds

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
ROUNDS = 7


def run() -> dict[str, object]:
    """Ratios to the start of Python with PyYAML, and seconds to the first report warm."""

    def peer() -> float:
        return process_seconds(["-c", "import yaml"])

    convert = ["-m", "migrate", "convert", "-f", str(SAMPLES / "ghost" / "docker-compose.yml")]
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, simulate; print('numba' in sys.modules)"], capture_output=True, text=True, check=True
    )
    with tempfile.TemporaryDirectory() as folder:
        tree, report = Path(folder) / "tree", Path(folder) / "run"
        process_seconds([*convert, "-o", str(tree)])
        first = process_seconds(["-m", "simulate", "run", str(tree), "-s", str(SAMPLES / "ghost" / "scenario.yaml"), "-o", str(report)])
        again = process_seconds(["-m", "simulate", "run", str(tree), "-s", str(SAMPLES / "ghost" / "scenario.yaml"), "-o", str(report)])
        assert (report / "report.html").is_file()
    return {
        "migrate convert / import yaml (processes)": paired_ratio(lambda: process_seconds(convert), peer, ROUNDS),
        "import simulate / import yaml (processes)": paired_ratio(lambda: process_seconds(["-c", "import simulate"]), peer, ROUNDS),
        "import simulate loads numba": loaded.stdout.strip() == "True",
        "simulate run to report, first (s)": round(first, 2),
        "simulate run to report, again (s)": round(again, 2),
    }
