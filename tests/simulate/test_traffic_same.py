"""The same bytes for every size of a chunk, kernel, number of threads and processes, with and without a compiler."""

from __future__ import annotations

import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from simulate.traffic import make_plane
from simulate.traffic.heap import HeapPlane
from tests.simulate.random_worlds import digests, told, world
from tests.simulate.test_traffic_batch import random_spec, random_story
from tests.simulate.test_traffic_batch import told as told_by_batches

pytest.importorskip("numba", reason="without numba there is one engine, which the last test runs")

ROOT = Path(__file__).resolve().parents[2]
CHILD = """
import sys
if sys.argv[1] == "without":
    class Blocked:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] in ("numba", "llvmlite"):
                raise ModuleNotFoundError(name, name=name)
    sys.meta_path.insert(0, Blocked())
sys.path.insert(0, sys.argv[2])
from tests.simulate.random_worlds import digests
print(digests(sys.argv[3]), "numba" in sys.modules)
"""


@pytest.mark.parametrize("chunk", [1, 7, 300])
def test_batches_of_any_size(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    from simulate.traffic import arrays
    from simulate.traffic.batch import BatchPlane

    dice = random.Random(2)
    spec, story = random_spec(dice), random_story(dice)
    usual = told_by_batches(BatchPlane(spec, record=True), story, 1.0)
    monkeypatch.setattr(arrays, "CHUNK", chunk)
    assert told_by_batches(BatchPlane(spec, record=True), story, 0.41) == usual


@pytest.mark.parametrize("rows", [1, 16])
def test_memory_of_any_size(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    from simulate.traffic import world as memory

    made = world(random.Random(8))
    usual = told(make_plane(made.spec, engine="events", record=True), made.story)
    for name, size in (("WORDS", 128), ("PODS", 1), ("ROWS", rows), ("RECORDS", 64)):
        monkeypatch.setattr(memory, name, size)
    assert told(make_plane(made.spec, engine="events", record=True), made.story) == usual


def test_every_kernel_where_all_can_run() -> None:
    from simulate.traffic.batch import BatchPlane

    dice = random.Random(6)
    spec, story = random_spec(dice), random_story(dice)
    planes = (BatchPlane(spec, record=True), make_plane(spec, engine="events", record=True), HeapPlane(spec, record=True))
    first, *others = (told_by_batches(plane, story, 1.0) for plane in planes)
    assert all(other == first for other in others)


@pytest.mark.parametrize("seed", [1, 2])
def test_every_latency_is_kept_by_every_engine(seed: int) -> None:
    made = world(random.Random(seed))
    planes = [make_plane(made.spec, engine=engine, keep=True, record=True) for engine in ("heap", "events", "auto")]
    kept = []
    for plane in planes:
        counted = told(plane, made.story)["sources"]
        kept.append({name: [float(one) for one in values] for name, values in plane.latencies(8.0).items()})  # type: ignore[attr-defined]
        assert {name: len(values) for name, values in kept[-1].items()} == {name: one.ok for name, one in counted.items()}
    assert kept[0] == kept[1] == kept[2]


def test_every_latency_of_batches_is_kept() -> None:
    from simulate.traffic.batch import BatchPlane

    dice = random.Random(4)
    spec, story = random_spec(dice), random_story(dice)
    planes = (BatchPlane(spec, record=True, keep=True), HeapPlane(spec, record=True, keep=True))
    for plane in planes:
        told_by_batches(plane, story, 1.0)
    fast, slow = ({name: [float(one) for one in found] for name, found in plane.latencies(12.0).items()} for plane in planes)
    assert fast == slow
    assert sum(map(len, fast.values())) > 50


def test_threads_at_once() -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(digests, ["events"] * 8))
    assert set(found) == {digests("heap")}


@pytest.mark.parametrize(("compiler", "engine"), [("with", "events"), ("without", "auto")])
def test_other_processes_with_and_without_a_compiler(compiler: str, engine: str) -> None:
    done = subprocess.run([sys.executable, "-c", CHILD, compiler, str(ROOT), engine], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{digests('heap')} {compiler == 'with'}"


def test_without_a_compiler_a_run_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from simulate.traffic import choice, limits

    monkeypatch.setattr(limits, "has_compiler", lambda: False)
    plane = choice.ChoosingPlane(world(random.Random(3)).spec)
    assert plane.engine == "heap"
    assert str(plane.reason).startswith("numba is not installed: plain Python simulates the requests")
