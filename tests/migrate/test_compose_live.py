"""Our loader against the real program, where the test extra has brought it: generated projects and the corpus.

COMPOSE_LIVE_PROJECTS sets how many projects are generated (24 by default; each is one process of the real program).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from migrate.compose import config_text, load
from migrate.findings import Unusable
from tests.migrate.compose_projects import project
from tests.oracle.compose import difference, normal

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/home/user", "V": "val"}
PROJECTS = int(os.environ.get("COMPOSE_LIVE_PROJECTS", "24"))


@pytest.fixture(scope="module")
def real_program() -> str:
    beside = Path(sys.executable).parent / "docker-compose"
    found = str(beside) if beside.exists() else shutil.which("docker-compose")
    if not found:
        pytest.skip("docker-compose (of the test extra) is not installed")
    return found


def theirs(program: str, names: Sequence[str], folder: Path) -> tuple[Any, str]:
    """The project as the real program prints it, or None and its error."""
    options = [argument for name in names for argument in ("-f", name)]
    command = [program, "-p", "demo", *options, "config", "--format", "json"]
    said = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60)
    return (json.loads(said.stdout) if said.returncode == 0 else None), said.stderr


def ours(names: Sequence[str], folder: Path) -> tuple[Any, str]:
    """The same of this loader."""
    try:
        loaded = load(names, directory=folder, environment=ENVIRONMENT, project_name="demo", strict=True)
    except Unusable as refused:
        return None, str(refused)
    return json.loads(config_text(loaded, "json")), ""


def without_extensions(value: Any, depth: int = 0) -> Any:
    """The real program's JSON leaves `x-` keys below the top out; ours keeps them (quirk of its printer)."""
    if isinstance(value, Mapping):
        kept = {key: child for key, child in value.items() if depth < 2 or not key.startswith("x-")}
        made = {key: without_extensions(child, depth + 1) for key, child in kept.items()}
        return {key: child for key, child in made.items() if child != {} or depth < 3}
    return [without_extensions(child, depth + 1) for child in value] if isinstance(value, list) else value


def disagreement(program: str, names: Sequence[str], folder: Path) -> str | None:
    expected, error = theirs(program, names, folder)
    found, refusal = ours(names, folder)
    if expected is None or found is None:
        return None if expected is None and found is None else f"theirs: {error[:300]} ours: {refusal[:300]}"
    return difference(without_extensions(normal(expected)), without_extensions(normal(found)))


@pytest.mark.parametrize("seed", range(PROJECTS))
def test_generated_projects(seed: int, real_program: str, tmp_path: Path) -> None:
    files, names = project(seed)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert disagreement(real_program, names, tmp_path) is None, "\n".join(f"# {name}\n{text}" for name, text in files.items())


CORPUS_IN_A_SHORT_RUN = 20


def test_the_corpus(shared: Path, real_program: str) -> None:
    """All stacks with COMPOSE_LIVE_PROJECTS set, otherwise some of them."""
    stacks = json.loads((shared / "corpus" / "index.json").read_text(encoding="utf-8"))
    chosen = stacks if "COMPOSE_LIVE_PROJECTS" in os.environ else stacks[:: max(1, len(stacks) // CORPUS_IN_A_SHORT_RUN)]
    reasons = {}
    for stack in chosen:
        file = shared / "corpus" / stack["id"] / stack["path"]
        reasons[stack["id"]] = disagreement(real_program, [file.name], file.parent)
    assert {stack: reason for stack, reason in reasons.items() if reason} == {}
