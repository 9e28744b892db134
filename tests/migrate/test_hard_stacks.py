"""The twelve hardest stacks against what would be perfect, line by line (tests/migrate/hard, docs/hard-stacks.md)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.migrate.hard.lines import TWELVE, Line
from tests.migrate.hard.models import MODELS
from tests.migrate.hard.sources import Made

_LINES = [(title, line) for title, lines in TWELVE.items() for line in lines]


@pytest.fixture(scope="module")
def made(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    """Every stack, converted once in each mode that a line asks for."""
    sources = dict.fromkeys(line.source for _, line in _LINES)
    return {name: Made.of(name, shared / "corpus", tmp_path_factory.mktemp(name.replace(" ", "-"))) for name in sources}


@pytest.mark.parametrize(("title", "line"), _LINES, ids=[f"{title[:3]} {line.text[:50]}" for title, line in _LINES])
def test_a_line_of_perfect(made: dict[str, Made], title: str, line: Line) -> None:
    if line.check is None:
        assert line.state == "no", "what is said to be there has a check"
    else:
        assert line.check(made[line.source]), f"{title}: {line.text}"


def test_twelve_stacks_with_every_line_in_the_documentation(repository: Path) -> None:
    """docs/hard-stacks.md has a section for each stack, and in it a row for each line with its state, in this order."""
    text = (repository / "docs" / "hard-stacks.md").read_text(encoding="utf-8")
    sections = {title.strip(): body for title, body in re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", text, re.MULTILINE)}
    rows = {title: re.findall(r"^\| (yes|partly|no) \| (.+) \|$", body, re.MULTILINE) for title, body in sections.items()}
    assert {t: r for t, r in rows.items() if r} == {t: [(line.state, line.text) for line in lines] for t, lines in TWELVE.items()}
    assert len(TWELVE) == 12


def test_every_model_is_used() -> None:
    assert set(MODELS) <= {line.source for _, line in _LINES}
