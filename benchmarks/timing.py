"""Timing that survives a noisy machine: interleaved rounds, minima and medians, ratios within a round."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence


def seconds(work: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def process_seconds(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> float:
    """Wall seconds of `python ARGUMENTS` as a whole process. Raises CalledProcessError for a status above 1."""

    def work() -> None:
        quiet = subprocess.DEVNULL
        ended = subprocess.run([sys.executable, *arguments], stdout=quiet, stderr=quiet, env=environment, check=False)
        if ended.returncode > 1:
            raise subprocess.CalledProcessError(ended.returncode, arguments)

    return seconds(work)


def paired_ratio(work: Callable[[], float], peer: Callable[[], float], rounds: int) -> dict[str, float]:
    """Ratio work/peer over interleaved rounds: median, minimum and maximum of the per-round ratios."""
    ratios = sorted(work() / peer() for _ in range(rounds))
    return {"median": round(statistics.median(ratios), 2), "min": round(ratios[0], 2), "max": round(ratios[-1], 2)}
