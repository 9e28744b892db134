"""What random stacks, every key of Compose and every finding's stack become is taken by the API server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import migrate
from tests.live.cluster import Space
from tests.live.test_corpus import refused
from tests.migrate import every_key, random_stacks
from tests.migrate.every_finding import EVERY

SHARES = 4
RANDOM = 120
VERSION = "1.36"


def projects(folder: Path) -> Iterator[tuple[str, Path, str]]:
    """Name, folder and plan of every project, its files written."""
    for seed in range(RANDOM):
        text, answers = random_stacks.random_project(seed)
        yield f"random {seed}", _written(folder / f"random-{seed}", {**random_stacks.FILES, "compose.yaml": text}), answers
    for name, text in every_key.PROJECTS.items():
        yield name, _written(folder / name, {**every_key.FILES, "compose.yaml": text}), ""
    for code, fixture in EVERY.items():
        files = {**fixture.files, **fixture.also, "compose.yaml": fixture.text}
        yield code, _written(folder / code / "project", files), fixture.answers


def _written(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
def test_no_object_is_refused(space: Space, tmp_path: Path, share: int) -> None:
    faults: dict[str, list[str]] = {}
    for name, folder, answers in list(projects(tmp_path))[share::SHARES]:
        (folder / "plan.txt").write_text("version: 1\n" + answers)
        try:
            made = migrate.convert(directory=folder, plan=folder / "plan.txt", kubernetes_version=VERSION, namespace=space.name)
        except migrate.Unusable:
            continue
        known = [m for m in made.manifests if m["kind"] != "NetworkAttachmentDefinition"]  # a kind that the cluster would define itself
        if said := refused(space.cluster, known):
            faults[name] = said
    assert faults == {}
