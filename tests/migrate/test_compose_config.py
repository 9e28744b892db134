"""`migrate config` on the command line beside `docker compose config`: flags, variables, standard input, lists and single services."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from migrate.cli import main
from tests.migrate.compose_real import ENVIRONMENT, real_program, undone
from tests.oracle.compose import difference

FILES: Final = {
    "compose.yaml": (
        "services:\n"
        "  web: {image: 'i:${TAG:-1}', depends_on: [db], networks: [n], volumes: ['vol:/x']}\n"
        "  db: {build: ., secrets: [s], configs: [c]}\n"
        "  other: {image: other, profiles: [p]}\n"
        "networks: {n: , spare: }\n"
        "volumes: {vol: , unused: }\n"
        "secrets: {s: {file: f}}\n"
        "configs: {c: {content: x}}\n"
    ),
    "more.yaml": "services: {web: {user: u, environment: {A: $TAG, B: $FROM_ENV_FILE}}}\n",
    "sub/compose.yaml": "services: {inner: {image: inner, volumes: ['./d:/d']}}\n",
    "one.env": "TAG=7\nFROM_ENV_FILE=yes\n",
    ".env": "TAG=dot\n",
}


@pytest.fixture
def program() -> str:
    found = real_program()
    if found is None:
        pytest.skip("docker-compose (of the test extra) is not installed")
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "demo"
    for name, text in FILES.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(made)
    return made


class Both:
    """One command line for both programs, with the same surroundings."""

    def __init__(self, program: str, folder: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[bytes]) -> None:
        self.program, self.folder, self.patch, self.capture = program, folder, patch, capture

    def run(self, line: str, variables: Mapping[str, str], stdin: str) -> tuple[tuple[int, str], tuple[int, str]]:
        environment = {**ENVIRONMENT, **variables}
        real = subprocess.run(
            [self.program, *line.split()],
            cwd=self.folder,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        with self.patch.context() as patch:
            for name in ("COMPOSE_FILE", "COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME", "COMPOSE_ENV_FILES", "TAG"):
                patch.delenv(name, raising=False)
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
            self.capture.readouterr()
            code = main(line.split())
            return (real.returncode, real.stdout), (code, self.capture.readouterr().out.decode())


@pytest.fixture
def both(program: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Both:
    return Both(program, folder, monkeypatch, capfdbinary)


LINES: Final[tuple[tuple[str, dict[str, str], str], ...]] = (
    ("config --format json", {}, ""),
    ("-f compose.yaml -f more.yaml config --format json", {}, ""),
    ("-f sub/compose.yaml config --format json", {}, ""),
    ("--project-directory . -f sub/compose.yaml config --format json", {}, ""),
    ("-p named --profile p config --format json", {}, ""),
    ("--env-file one.env -f compose.yaml -f more.yaml config --format json", {}, ""),
    ("config --format json", {"COMPOSE_FILE": "compose.yaml:more.yaml", "TAG": "process"}, ""),
    ("config --format json", {"COMPOSE_FILE": "compose.yaml;more.yaml", "COMPOSE_PATH_SEPARATOR": ";"}, ""),
    ("config --format json", {"COMPOSE_PROFILES": "p", "COMPOSE_PROJECT_NAME": "variable"}, ""),
    ("config --format json", {"COMPOSE_ENV_FILES": "one.env"}, ""),
    ("config --format json", {"COMPOSE_DISABLE_ENV_FILE": "1"}, ""),
    ("-f - config --format json", {}, "services: {w: {image: $TAG, volumes: ['./a:/a']}}\n"),
    ("--all-resources config --format json", {}, ""),
    ("config --format json db", {}, ""),
    ("config --format json web", {}, ""),
)


@pytest.mark.parametrize(("line", "variables", "stdin"), LINES)
def test_the_same_project(line: str, variables: dict[str, str], stdin: str, both: Both) -> None:
    ours = "--all-resources"
    theirs_line = line
    if ours in line:  # an option of the command here
        line = line.replace("--all-resources config", "config --all-resources")
        (code, expected), _ = both.run(theirs_line, variables, stdin)
        _, (own, found) = both.run(line, variables, stdin)
    else:
        (code, expected), (own, found) = both.run(line, variables, stdin)
    assert (code, own) == (0, 0)
    assert difference(undone(json.loads(expected)), undone(json.loads(found))) is None


@pytest.mark.parametrize("flag", ["--services", "--images", "--networks", "--volumes", "--profiles"])
@pytest.mark.parametrize("profile", ["", "--profile p "])
def test_the_same_names(flag: str, profile: str, both: Both) -> None:
    (code, expected), (own, found) = both.run(f"{profile}config {flag}", {}, "")
    assert (code, own) == (0, 0)
    assert found.splitlines() == sorted(expected.split())


def test_yaml_is_the_same_project_as_json(both: Both) -> None:
    yaml = pytest.importorskip("yaml")
    _, (_, text) = both.run("config", {}, "")
    _, (_, data) = both.run("config --format json", {}, "")
    assert yaml.safe_load(text) == json.loads(data)


def test_into_a_file_and_the_same_bytes_each_time(both: Both, folder: Path) -> None:
    _, (code, shown) = both.run("config", {}, "")
    assert both.run("config -o out.yaml", {}, "")[1] == (code, "")
    assert (folder / "out.yaml").read_text(encoding="utf-8") == shown


def test_what_docker_refuses_is_repaired_and_ends_with_one(both: Both, folder: Path) -> None:
    (folder / "bad.yaml").write_text("services: {web: {image: i, networks: [nope], enviroment: {A: 1}}}\n", encoding="utf-8")
    (code, expected), (own, found) = both.run("-f bad.yaml config --format json", {}, "")
    assert (code, expected, own) == (1, "", 1)
    data: Any = json.loads(found)
    assert data["services"]["web"]["environment"] == {"A": "1"}


def test_an_unknown_service_is_a_wrong_command_line(both: Both) -> None:
    (code, _), (own, found) = both.run("config nope", {}, "")
    assert (code, own, found) == (1, 2, "")
