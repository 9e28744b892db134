"""Whatever a stack is made of: no traceback, only objects that the API takes and that lead somewhere, the same network, the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

import migrate
from migrate.findings import Unusable
from migrate.write import dump_stream
from tests.migrate.random_stacks import FILES, random_project

VERSIONS = ("1.25", "1.29", "1.33", "1.35", "1.37")
OWN_FAULTS = frozenset({"MIG930", "MIG931", "MIG932", "MIG933", "MIG350", "MIG351"})


def converted(folder: Path, seed: int) -> migrate.Conversion | None:
    text, answers = random_project(seed)
    (folder / "compose.yaml").write_text(text)
    (folder / "plan.txt").write_text("version: 1\n" + answers)
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    try:
        return migrate.convert(directory=folder, plan=folder / "plan.txt", kubernetes_version=VERSIONS[seed % len(VERSIONS)])
    except Unusable as error:
        assert error.findings
        return None


@pytest.mark.parametrize("seed", range(80))
def test_a_random_stack(seed: int, tmp_path: Path) -> None:
    made = converted(tmp_path, seed)
    if made is None:
        return
    assert [f"{f.code} {f.message}" for f in made.findings if f.code in OWN_FAULTS and f.severity == "error"] == []
    again = converted(tmp_path, seed)
    assert again is not None and dump_stream(again.manifests) == dump_stream(made.manifests)
    assert all(f.span is None or f.span.line > 0 for f in made.findings)
