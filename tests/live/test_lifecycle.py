"""However a run ends, nothing of it stays: no process, no port, no file; of a killed one the folder, which the next run removes."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live import machine
from tests.live.cluster import Space, until
from tests.live.tools import Tools

OWNER = """
import time
from tests.live import machine, tools
held = machine.start(tools.built())
print(held.address.text(), flush=True)
time.sleep(600)
"""
PR_SET_PDEATHSIG = 1
LASTS = "LIVE_LASTS_S"
ROOT = Path(__file__).resolve().parents[2]


def running(place: Path) -> list[str]:
    """The command lines of processes that belong to runs below `place`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(place).encode() in told and process.name != str(os.getpid()):
            found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


def run_of(place: Path) -> machine.Address | None:
    """The address of the run below `place`, once its API server has been asked for a namespace of a test."""
    for file in place.glob("compose-cutover-live-*/run-*/address.json"):
        if any(file.parent.glob("t*-*")):
            return machine.Address.of(file.read_text(encoding="utf-8"))
    return None


if LASTS in os.environ:  # in the run that a test below starts

    @pytest.mark.parametrize("worker", range(2))
    def test_that_lasts(space: Space, worker: int) -> None:
        """The middle of a run: a namespace is there, and a program of the run is at work."""
        space.kubectl("wait", "pods", "--all", "--for=condition=Ready", f"--timeout={os.environ[LASTS]}s")
        time.sleep(float(os.environ[LASTS]))


@pytest.fixture
def place(space: Space) -> Iterator[Path]:
    folder = space.folder / "elsewhere"
    folder.mkdir()
    yield folder
    for command in running(folder):
        print("left behind:", command)


@pytest.mark.played
@pytest.mark.slow
@pytest.mark.parametrize("how", ["kill", "interrupt", "end"])
def test_a_whole_run_leaves_nothing(place: Path, how: str) -> None:
    """pytest with two workers, ended in the middle of its tests."""
    places = {"TMPDIR": str(place), "HOME": str(place / "home"), "XDG_CACHE_HOME": cache_home()}
    environment = {**os.environ, **places, "LIVE": "required", LASTS: "1" if how == "end" else "300"}
    for name in [n for n in environment if n.startswith("PYTEST")]:
        del environment[name]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-n",
        "2",
        "tests/live/test_lifecycle.py",
        "-k",
        "that_lasts",
    ]
    child = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=heeding,
    )
    try:
        address = until(lambda: run_of(place), "the run to be in the middle of its tests", patience_s=180)
        assert len(running(place)) >= 5, "etcd, API server, controller manager, scheduler, kubelets"
        if how != "end":
            child.send_signal(signal.SIGKILL if how == "kill" else signal.SIGINT)
        code = child.wait(timeout=120)
    finally:
        child.kill()
        child.wait()
    assert code == {"kill": -signal.SIGKILL, "interrupt": 2, "end": 0}[how]
    until(lambda: not running(place), "every process to end", patience_s=10)
    until(lambda: all(machine._is_free(port) for port in address.ports.values()), "every port to be free", patience_s=10)
    left = list(place.glob("compose-cutover-live-*/*"))
    assert [str(path) for path in left] == ([address.folder] if how == "kill" else [])
    assert not (place / "home").exists(), "nothing is written to the user's home"


def heeding() -> None:
    """A shell that puts us into the background makes us and our children deaf for interrupts; and if the worker that runs this test dies,
    nobody would end the run that it started (Linux only: a run of two tests that last five minutes)."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def cache_home() -> str:
    """Where the built programs are, said outright: the run's home is another."""
    from tests.live.tools import cache

    return str(cache().parents[1])


@pytest.mark.played
def test_the_next_run_removes_what_a_killed_one_left(place: Path, tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.tempfile, "tempdir", str(place))
    environment = {**os.environ, "TMPDIR": str(place)}
    child = subprocess.Popen(
        [sys.executable, "-c", OWNER], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, preexec_fn=heeding
    )
    try:
        assert child.stdout is not None
        first = machine.Address(**json.loads(child.stdout.readline()))
        assert machine.remove_abandoned() == [], "a run that lives is left alone"
        assert Path(first.folder).is_dir()
        child.kill()
        child.wait()
        until(lambda: not running(place), "every process to end", patience_s=10)
        until(lambda: all(machine._is_free(port) for port in first.ports.values()), "every port to be free", patience_s=10)
        assert [str(path) for path in machine.remove_abandoned()] == [first.folder]
        assert not Path(first.folder).exists()
    finally:
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


@pytest.mark.played
def test_a_program_ends_with_the_process_that_started_it(space: Space, place: Path) -> None:
    """`kubectl` and `helm` of a worker that dies: their standard input is a pipe that only it held open."""
    cluster = space.cluster
    reading, writing = os.pipe()
    environment = machine.environment(str(place)) | {"KUBECONFIG": cluster.kubeconfig}
    watch = [cluster.tools.plane, "kubectl", "get", "pods", "--watch", "--namespace", space.name]
    guarded = [cluster.tools.plane, "guard", "sleep", "600"]
    silent: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    children = [subprocess.Popen(command, stdin=reading, env=environment, **silent) for command in (watch, guarded)]
    os.close(reading)
    time.sleep(0.3)
    assert [child.poll() for child in children] == [None, None]
    os.close(writing)
    for child in children:
        child.wait(timeout=10)
    until(lambda: not running(place), "the guarded program to end", patience_s=10)
