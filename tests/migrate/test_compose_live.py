"""Our loader against the real program, where the test extra has brought it: 2,000 generated projects and the whole corpus.

COMPOSE_LIVE_PROJECTS sets how many projects are generated, COMPOSE_LIVE_SEED where the series begins. Every project is one process of the
real program, about 45 ms; the work is cut into parts so that all cores share it. A failing project is made as small as it can be.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, seed, settings

from tests.migrate.compose_cases import Case, cases
from tests.migrate.compose_real import CLASSES, DIFFERENCES, Difference, class_of, disagreement, ours, put, real_program, theirs, unexcused
from tests.oracle.compose import difference, normal

PROJECTS: Final = int(os.environ.get("COMPOSE_LIVE_PROJECTS", "2000"))
FIRST_SEED: Final = int(os.environ.get("COMPOSE_LIVE_SEED", "1"))
PARTS: Final = 20
ODDITY: Final = (0, 0, 2, 6)
"""How many values in a hundred are not what their key wants, by part."""


@pytest.fixture(scope="module")
def program() -> str:
    found = real_program()
    if found is None:
        pytest.skip("docker-compose (of the test extra) is not installed")
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder, named `demo`, because the project may be named after it."""
    made = tmp_path / "demo"
    made.mkdir()
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.mark.parametrize("part", range(PARTS))
def test_generated_projects(part: int, program: str, folder: Path) -> None:
    @seed(FIRST_SEED * 1000 + part)
    @settings(
        max_examples=max(1, PROJECTS // PARTS), deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=False
    )
    @given(cases(ODDITY[part % len(ODDITY)]))
    def agrees(case: Case) -> None:
        shutil.rmtree(folder)
        folder.mkdir()
        put(case, folder)
        reason = disagreement(program, case, folder)
        assert reason is None, f"{reason}\n{case}"

    agrees()


@pytest.mark.parametrize("part", range(4))
def test_the_corpus(part: int, shared: Path, program: str) -> None:
    stacks = json.loads((shared / "corpus" / "index.json").read_text(encoding="utf-8"))
    assert len(stacks) >= 105
    reasons = {}
    for stack in stacks[part::4]:
        file = shared / "corpus" / stack["id"] / stack["path"]
        reasons[stack["id"]] = disagreement(program, Case(files={}, names=(file.name,)), file.parent)
    assert {stack: reason for stack, reason in reasons.items() if reason} == {}


@pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: row.code)
def test_every_documented_difference_is_one(row: Difference, program: str, folder: Path) -> None:
    """A row whose example does not differ any more has to go."""
    put(row.case, folder)
    expected, _ = theirs(program, row.case, folder)
    found, _ = ours(row.case, folder)
    assert (expected is None) != (found is None) or difference(normal(expected), normal(found)) is not None
    reason = unexcused(program, row.case, folder)
    assert (reason is None) == (row.undo is not None)
    if row.excuse is not None:
        assert disagreement(program, row.case, folder) is None


def test_every_class_of_the_real_program_is_found(shared: Path) -> None:
    """The recorded errors that the table reads are of the recorded class."""
    read = 0
    for meta in sorted((shared / "oracle" / "compose").glob("*/meta.json")):
        wanted = json.loads(meta.read_text(encoding="utf-8")).get("error_class")
        error = meta.parent / "expected_error.txt"
        kinds = class_of(error.read_text(encoding="utf-8")) if wanted and error.exists() else set()
        if kinds:
            assert wanted in kinds, meta.parent.name
            read += 1
    assert read > len(CLASSES)


def test_the_real_program_is_the_version_of_the_norm(program: str) -> None:
    said = subprocess.run([program, "version", "--short"], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.strip() == "5.6.1"
