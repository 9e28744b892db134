"""Where the programs of the live tests lie, and when they must be built anew."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.live import tools


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the Go module, and an empty cache."""
    copy = tmp_path / "module"
    shutil.copytree(tools.MODULE, copy)
    monkeypatch.setattr(tools, "MODULE", copy)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return copy


@pytest.mark.parametrize("file", ["go.mod", "go.sum", "plane/main.go", "nodes/life.go"])
def test_whatever_goes_into_the_programs_changes_their_place(module: Path, file: str) -> None:
    before = tools.sources_digest()
    (module / file).write_text((module / file).read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert tools.sources_digest() != before


def test_pins_and_flags_change_it_too(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {tools.sources_digest()}
    monkeypatch.setattr(tools, "HELM", "v3.22.1")
    seen.add(tools.sources_digest())
    monkeypatch.setattr(tools, "FLAGS", (*tools.FLAGS, "-race"))
    seen.add(tools.sources_digest())
    assert len(seen) == 3


def test_without_go_programs_that_any_go_built_of_these_sources_will_do(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "go_version", lambda: None)
    assert tools.built() is None
    folder = tools.cache() / f"{tools.sources_digest()}-go1.99.0-{tools.platform.system().lower()}-amd64"
    folder.mkdir(parents=True)
    assert tools.built() is None, "a folder without programs is no build"
    for name in tools.PROGRAMS:
        (folder / name).touch()
    assert tools.built() == tools.Tools(folder=folder)
    monkeypatch.setattr(tools, "go_version", lambda: "go1.26.8-linux-amd64")
    assert tools.built() is None, "another Go builds its own"


def test_what_nobody_asked_for_in_two_weeks_is_removed(module: Path) -> None:
    old, new = tools.cache() / "old", tools.cache() / "new"
    for folder in (old, new):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    tools._remove_forgotten()
    assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.parametrize(
    ("version", "enough"),
    [
        (None, False),
        ("go1.25.9-linux-amd64", False),
        ("go1.26.0-linux-amd64", True),
        ("go1.27.1-linux-arm64", True),
        ("go2.0.0-linux-amd64", True),
    ],
)
def test_which_go_is_enough(version: str | None, enough: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "go_version", lambda: version)
    assert tools.go_is_enough() is enough


def test_every_program_is_stamped_with_the_version_of_the_cluster() -> None:
    _, minor, _ = tools.kubernetes_version().split(".")
    assert all(f"Minor={minor}" in flags for flags in tools.stamps().values())
    assert set(tools.stamps()) == set(tools.PROGRAMS)
