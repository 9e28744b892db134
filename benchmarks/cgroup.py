"""A control group of CPU on this machine, of either version: a limit, a weight, what was used."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PERIOD_US = 100_000
EXPECTED_SHARES = 1024


class NotWritable(Exception):
    """This machine lets nobody make a control group here; the text says what is missing."""


class Group:
    """One group below the root of the hierarchy that rules CPU; made by the constructor, gone after `remove`.

    `quota_cores` None is no limit. `shares` counts as in version 1 (1024 is one ordinary group); version 2 gets the weight that
    Kubernetes computes from it. Raises NotWritable where groups cannot be made.
    """

    def __init__(self, name: str, *, quota_cores: float | None, shares: int = EXPECTED_SHARES) -> None:
        self.version, root = _hierarchy()
        self.folder = root / name
        quota_us = -1 if quota_cores is None else round(quota_cores * PERIOD_US)
        weight = 1 + (shares - 2) * 9999 // 262142
        try:
            self.folder.mkdir()
            if self.version == 1:
                self._write("cpu.cfs_period_us", PERIOD_US)
                self._write("cpu.cfs_quota_us", quota_us)
                self._write("cpu.shares", shares)
            else:
                self._write("cpu.max", f"{'max' if quota_cores is None else quota_us} {PERIOD_US}")
                self._write("cpu.weight", weight)
        except OSError as error:
            self.remove()
            raise NotWritable(f"no group of CPU can be made at {self.folder.parent}: {error.strerror}") from None

    def _write(self, file: str, value: object) -> None:
        (self.folder / file).write_text(str(value))

    def add(self, pid: int) -> None:
        """Move a process (all its threads) into the group."""
        self._write("cgroup.procs", pid)

    def throttled(self) -> tuple[int, float]:
        """How many periods ended with the limit used up, and for how many seconds processes waited for it."""
        rows = dict(line.split() for line in (self.folder / "cpu.stat").read_text().splitlines())
        waited = float(rows["throttled_time"]) / 1e9 if self.version == 1 else float(rows.get("throttled_usec", 0)) / 1e6
        return int(rows.get("nr_throttled", 0)), waited

    def remove(self) -> None:
        """Take the group away once its processes have ended; waits a second for the last of them."""
        for _ in range(100):
            try:
                self.folder.rmdir()
                return
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.01)


def _hierarchy() -> tuple[int, Path]:
    """Version and root of the hierarchy with the CPU controller."""
    for root in (ROOT / "cpu", ROOT / "cpu,cpuacct"):
        if (root / "cpu.shares").exists():
            return 1, root
    listed = ROOT / "cgroup.controllers"
    if listed.exists() and "cpu" in listed.read_text().split():
        with contextlib.suppress(OSError):
            (ROOT / "cgroup.subtree_control").write_text("+cpu")
        if "cpu" in (ROOT / "cgroup.subtree_control").read_text().split():
            return 2, ROOT
        raise NotWritable(f"the CPU controller is not on for groups below {ROOT}, and it cannot be switched on")
    raise NotWritable(f"no hierarchy of control groups with the CPU controller is mounted at {ROOT}")


def busy_seconds() -> float:
    """CPU seconds that all cores of this machine have worked or were taken by the host, since it was started."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
