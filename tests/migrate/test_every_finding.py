"""Every code of the catalogue has a Compose file that raises it, at its line."""

from __future__ import annotations

from pathlib import Path

import pytest

import migrate
from migrate.findings import Finding, Unusable
from migrate.rules import rules
from tests.migrate.every_finding import EVERY, NOT_OF_A_COMPOSE_FILE, Fixture

MARK = "# <-"


def findings_of(folder: Path, fixture: Fixture) -> tuple[Finding, ...]:
    project = folder / "project"
    project.mkdir()
    texts = {"compose.yaml": fixture.text, **fixture.files, **fixture.also}
    for name, text in texts.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (project / "plan.yaml.txt").write_text("version: 1\n" + fixture.answers)
    try:
        return migrate.convert(directory=project, plan=project / "plan.yaml.txt", environment=fixture.variables).findings
    except Unusable as error:
        return tuple(error.findings)


def marked(fixture: Fixture) -> tuple[str, int] | None:
    """The file and line that the finding is of."""
    for name, text in {"compose.yaml": fixture.text, **fixture.files, **fixture.also}.items():
        for number, line in enumerate(text.splitlines(), start=1):
            if MARK in line:
                return name, number
    return None


@pytest.mark.parametrize("code", EVERY)
def test_every_code_is_raised_at_its_line(code: str, tmp_path: Path) -> None:
    fixture = EVERY[code]
    found = [f for f in findings_of(tmp_path, fixture) if f.code == code]
    assert found
    assert (fixture.severity or rules()[code].severity) in {f.severity for f in found}
    if (place := marked(fixture)) is not None:
        places = {(Path(s.file).name if "/" not in place[0] else s.file, s.line) for f in found for s in (f.span, *f.also) if s is not None}
        assert place in places


def test_the_catalogue_is_complete() -> None:
    assert set(EVERY) | set(NOT_OF_A_COMPOSE_FILE) == set(rules())
    assert not set(EVERY) & set(NOT_OF_A_COMPOSE_FILE)
    assert len(EVERY) >= 280


def test_no_finding_shows_a_secret(tmp_path: Path) -> None:
    for finding in findings_of(tmp_path, EVERY["MIG401"]):
        assert "hush" not in finding.message + finding.advice
