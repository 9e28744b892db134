"""Every value of a loaded project stands where its place says, as it was written there, or is marked as one that nobody wrote.

Judged by the files themselves: at the place of a leaf there is a scalar that is the value, its written form, or holds it.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from hypothesis import HealthCheck, given, seed, settings

from migrate.compose import load
from migrate.compose.model import Project
from migrate.findings import Unusable
from migrate.source import Path_, resolve
from tests.migrate.compose_cases import Case, cases
from tests.migrate.compose_real import ENVIRONMENT, put
from tests.oracle.compose import lines_of, options_of

DEFAULTS: Final = frozenset(
    (
        *("mode", "protocol", "condition", "required", "restart", "target", "name", "context", "dockerfile", "create_host_path", "count"),
        *("default", "path", "rate", "weight", "kind", "value", "permissions", "external", "environment"),
    )
)
"""Keys that Compose gives a value by itself."""


def leaves(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from leaves(child, (*path, key))
    elif isinstance(value, (list, tuple)):
        for index, child in enumerate(value):
            yield from leaves(child, (*path, index))
    else:
        yield path, value


class Text:
    """A file that was read: its lines, and the scalars by where they begin."""

    def __init__(self, path: Path) -> None:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        self.lines = text.split("\n")
        self.scalars: dict[tuple[int, int], str] = {}
        self.keys: set[tuple[int, int]] = set()
        if path.suffix in (".yaml", ".yml"):
            for event in yaml.parse(text, Loader=yaml.CSafeLoader):
                mark = event.start_mark
                if isinstance(event, yaml.ScalarEvent):
                    self.scalars[mark.line + 1, mark.column + 1] = event.value
                elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                    self.keys.add((mark.line + 1, mark.column + 1))

    def at(self, line: int, column: int) -> str:
        """The text from a place on."""
        return "\n".join((self.lines[line - 1][column - 1 :], *self.lines[line : line + 40]))


@cache
def text_of(path: Path, stamp: int) -> Text:
    return Text(path)


def misplaced(project: Project, path: Path_, value: Any, folder: Path) -> str | None:
    """What is wrong with the place of a leaf; None for nothing."""
    origin = project.spans.origin(path)
    if path == ("name",) and origin is not None and origin.derived:
        return None
    if origin is None or not origin.span.file or origin.span.line < 1 or origin.span.column < 1:
        return f"no place ({origin})"
    if origin.derived:
        return None if path[-1] in DEFAULTS or path[-2:] == ("test", 0) else "marked as nobody's"
    file = folder / origin.span.file
    text = text_of(file, file.stat().st_mtime_ns)
    place = (origin.span.line, origin.span.column)
    scalar = text.scalars.get(place)
    written = origin.written
    if value is None or isinstance(value, (dict, list)):
        return None if scalar is not None or place in text.keys or text.at(*place) else "nothing stands there"
    if scalar is not None and (scalar == written or (written is None and (resolve(scalar) == value or str(value) in scalar))):
        return None
    rest = text.at(*place)
    said = [form for form in (written, str(value)) if form is not None]
    if any(rest.startswith((form, f"'{form}", f'"{form}')) for form in said):
        return None
    return f"{place} {written=} {scalar=} {rest[:60]!r}"


def wrong(project: Project, folder: Path, seen: Counter[str]) -> list[str]:
    """The leaves of a project whose place is not right."""
    found = []
    for path, value in leaves(project.data):
        reason = misplaced(project, path, value, folder)
        origin = project.spans.origin(path)
        seen["derived" if origin is not None and origin.derived else "written"] += 1
        if reason is not None:
            found.append(f"{'.'.join(map(str, path))} = {value!r}: {reason}")
    return found


def loaded(case: Case, folder: Path) -> Project | None:
    try:
        return load(
            case.names,
            directory=folder,
            environment={**ENVIRONMENT, **case.variables},
            project_name=case.name,
            profiles=case.profiles,
            env_files=case.env_files,
            project_directory=case.project_directory,
        )
    except Unusable:
        return None


def test_the_corpus(shared: Path) -> None:
    stacks: Sequence[dict[str, str]] = json.loads((shared / "corpus" / "index.json").read_text(encoding="utf-8"))
    seen: Counter[str] = Counter()
    found: list[str] = []
    for stack in stacks:
        file = shared / "corpus" / stack["id"] / stack["path"]
        project = loaded(Case(files={}, names=(file.name,), name=None), file.parent)
        if project is None:
            continue
        found += [f"{stack['id']}: {fault}" for fault in wrong(project, file.parent, seen)]
    assert found == []
    assert seen["written"] > 10_000
    assert seen["derived"] < seen["written"] / 4


def test_the_recorded_cases(shared: Path) -> None:
    seen: Counter[str] = Counter()
    found: list[str] = []
    for folder in sorted(path.parent for path in (shared / "oracle" / "compose").glob("*/meta.json")):
        options = options_of(lines_of(folder / "args"))
        variables = dict(line.partition("=")[::2] for line in lines_of(folder / "env") if line)
        inside = folder / "".join(lines_of(folder / "cwd")).strip()
        if (folder / "stdin").exists() or not options.interpolate:
            continue
        case = Case(
            files={}, names=tuple(options.files), variables=variables, profiles=tuple(options.profiles), name=options.name,
            env_files=tuple(options.env_files), project_directory=options.project_directory,
        )  # fmt: skip
        project = loaded(case, inside)
        if project is not None:
            found += [f"{folder.name}: {fault}" for fault in wrong(project, inside, seen)]
    assert found == []
    assert seen["written"] > 1_000


def test_generated_projects(tmp_path: Path) -> None:
    seen: Counter[str] = Counter()

    @seed(1)
    @settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(cases(2))
    def stands(case: Case) -> None:
        folder = tmp_path / "demo"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        put(case, folder)
        project = loaded(case, folder)
        if project is not None:
            assert wrong(project, folder, seen) == [], case

    stands()
    assert seen["written"] > 1_000
