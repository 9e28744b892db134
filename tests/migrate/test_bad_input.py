"""Bad input, from the first day: every input gets its answer, with a file and a line, never a traceback, nothing half-written."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from migrate.cli import main

GOOD = "services: {web: {image: 'nginx:1'}}\n"
LEFT = "  web: {image: 'nginx:1'}\n"


class Said:
    """Runs the command in a fresh directory and checks what holds for every run."""

    def __init__(self, capfd: pytest.CaptureFixture[str], folder: Path) -> None:
        self._capfd, self._folder = capfd, folder

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        out, err = self._capfd.readouterr()
        assert "Traceback" not in err
        assert all(character in "\n\t" or character.isprintable() for character in out + err)
        if code == 2:
            assert out == ""
        return code, out, err


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Said:
    monkeypatch.chdir(tmp_path)
    return Said(capfd, tmp_path)


def put(text: str | bytes, name: str = "compose.yaml") -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


NOTHING_LEFT = {
    "not YAML": "services: [\n",
    "no mapping": "- a\n",
    "a word": "hello\n",
    "empty": "",
    "only comments": "# nothing\n",
    "no services": "volumes: {a: }\n",
    "services of no kind": "services: 3\n",
    "no service": "services: {}\n",
    "nothing to run": "services: {web: {}}\n",
    "not UTF-8": b"services: {web: {image: '\xff\xfe'}}\n",
    "NUL": b"services: {web: {image: 'a\x00b'}}\n",
    "an unknown anchor": "services: {web: *gone}\n",
    "an anchor inside itself": "services: &a {web: *a}\n",
    "deep nesting": "services: " + "[" * 5000,
    "deep flow": "services: {web: {image: a, x-a: " + "{a: " * 2000 + "}" * 2000 + "}}\n",
    "binary": bytes(range(256)),
    "a bomb": "a: &a [x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9))
    + "services: {web: {image: a, command: *j}}\n",
}


@pytest.mark.parametrize("text", NOTHING_LEFT.values(), ids=NOTHING_LEFT)
def test_where_nothing_is_left_the_status_is_2_and_the_file_is_named(run: Said, text: str | bytes) -> None:
    put(text)
    code, _, err = run("convert", "-o", "out", "--report", "r.json")
    assert code == 2 and "compose.yaml" in err
    assert not Path("out").exists() and not Path("r.json").exists()


SOMETHING_LEFT = {
    "unknown key": "services:\n  web: {image: 'nginx:1', prots: ['80:80']}\n",
    "unknown top key": f"services:\n{LEFT}servces: {{}}\n",
    "wrong type": "services:\n  web: {image: 'nginx:1', ports: 80}\n",
    "wrong type of a scalar": "services:\n  web: {image: 'nginx:1', restart: [always]}\n",
    "bad port": "services:\n  web: {image: 'nginx:1', ports: ['80:abc']}\n",
    "bad address": "services:\n  web: {image: 'nginx:1', ports: ['300.1.1.1:80:80']}\n",
    "undefined network": "services:\n  web: {image: 'nginx:1', networks: [gone]}\n",
    "undefined volume": "services:\n  web: {image: 'nginx:1', volumes: ['gone:/a']}\n",
    "undefined service": "services:\n  web: {image: 'nginx:1', depends_on: [gone]}\n",
    "a cycle": "services:\n  web: {image: 'nginx:1', depends_on: [b]}\n  b: {image: 'b:1', depends_on: [web]}\n",
    "a key twice": "services:\n  web: {image: 'nginx:1'}\n  web: {image: 'nginx:2'}\n",
    "one service without an image": f"services:\n{LEFT}  b: {{}}\n",
    "a service of no kind": f"services:\n{LEFT}  b: 3\n",
    "a bad duration": "services:\n  web: {image: 'nginx:1', healthcheck: {test: a, interval: soon}}\n",
    "an env file that is missing": "services:\n  web: {image: 'nginx:1', env_file: gone.env}\n",
    "bad interpolation": "services:\n  web: {image: 'nginx:1', command: 'a ${'}\n",
    "a required variable": "services:\n  web: {image: 'nginx:1', command: 'a ${GONE:?say it}'}\n",
}


@pytest.mark.parametrize("text", SOMETHING_LEFT.values(), ids=SOMETHING_LEFT)
def test_beside_other_faults_the_conversion_goes_on_with_status_1(run: Said, text: str) -> None:
    put(text)
    code, out, err = run("convert")
    assert code == 1, err
    assert re.search("kind: (Deployment|StatefulSet)", out) and "name: web" in out
    assert re.search(r"^compose\.yaml:\d+:\d+ MIG\d{3} error: ", err, re.MULTILINE), err


def test_all_faults_at_once(run: Said) -> None:
    put("services:\n  web: {image: 'nginx:1', prots: [], networks: [gone], ports: ['x:y']}\n  b: {depends_on: [c]}\n")
    code, _, err = run("convert")
    assert code == 1
    assert {"MIG006", "MIG017", "MIG028", "MIG035"} <= set(re.findall(r"MIG\d{3}", err))


def test_no_file_anywhere(run: Said) -> None:
    code, _, err = run("convert")
    assert code == 2 and "compose.yaml" in err


@pytest.mark.parametrize("option", ["-f", "--env-file", "--plan"])
def test_what_is_no_file_is_refused_by_name_and_never_waited_for(run: Said, option: str) -> None:
    put(GOOD)
    os.mkfifo("pipe")
    Path("folder").mkdir()
    for name in ("pipe", "folder", "gone.yaml", "/dev/zero", "compose.yaml/below"):
        code, _, err = run("convert", option, name)
        assert code == (1 if option == "--env-file" else 2) and name in err, (option, name, err)


@pytest.mark.parametrize(
    "plan", ["version: 2\n", "servces: {}\n", "services: {web: {replcas: 3}}\n", "- a\n", "a: [\n", "version: 1\nservices: 3\n"]
)
def test_a_wrong_plan_is_refused_with_its_place(run: Said, plan: str) -> None:
    put(GOOD)
    put(plan, "plan.yaml")
    code, _, err = run("convert", "--plan", "plan.yaml")
    assert code == 2 and "plan.yaml" in err


def test_output_that_cannot_be_written(run: Said) -> None:
    put(GOOD)
    put("mine\n", "full/mine.txt")
    put("", "file")
    for arguments in (
        ("-o", "full"),
        ("-o", "file"),
        ("-o", "file/below"),
        ("-o", "/proc/nothing"),
        ("--report", "file/r.md"),
        ("--report", "full.md/"),
    ):
        if arguments[1] == "full.md/":
            Path("full.md").mkdir()
        code, _, err = run("convert", *arguments)
        assert code == 2 and arguments[1].rstrip("/") in err, (arguments, err)
    assert sorted(path.name for path in Path().rglob("*")) == ["compose.yaml", "file", "full", "full.md", "mine.txt"]


def test_a_report_that_cannot_be_written_leaves_no_tree(run: Said) -> None:
    put(GOOD)
    put("", "file")
    assert run("convert", "-o", "out", "--report", "file/r.md")[0] == 2
    assert not Path("out").exists()


def test_control_characters_of_the_input_reach_no_terminal(run: Said) -> None:
    evil = r"\e[31m\x07\u202e"
    more = f'container_name: "{evil}", networks: ["{evil}"]'
    put(f'services:\n  web: {{image: "nginx:1{evil}", "{evil}": 1, environment: {{A: "{evil}"}}, {more}}}\n')
    for command in ("convert", "inspect", "addresses", "config", "graph", "scenario"):
        assert run(command, "-v")[0] in (0, 1, 2)
    put("services: {web: {image: 'nginx:1'}}\n", "\x1b[31m.yaml")
    assert run("convert", "-f", "\x1b[31m.yaml", "-v")[0] == 0
    assert run("convert", "\x1b[31m")[0] == 2
    assert run("rules", "\x1b[31m")[0] == 2


def test_manifests_that_are_none(run: Said) -> None:
    for number, text in enumerate(["", "a: [", "- a\n", "--- \n", b"\xff\xfe\x00", "kind: List\nitems: []\n"]):
        put(text, f"m{number}.yaml")
        code, _, err = run("verify", f"m{number}.yaml")
        assert code == 2 and f"m{number}.yaml" in err
    Path("empty").mkdir()
    for name in ("empty", "gone"):
        assert run("verify", name)[0] == 2


BROKEN_MANIFESTS = (
    "kind: 3\napiVersion: v1\n",
    "apiVersion: v1\nkind: Service\nmetadata: []\nspec: 3\n",
    "a: b\n",
    "apiVersion: apps/v1\nkind: Deployment\nspec: {template: {spec: {containers: [3, {ports: [x], env: {}}]}}}\n",
)


@pytest.mark.parametrize("text", BROKEN_MANIFESTS)
def test_broken_manifests_are_judged(run: Said, text: str) -> None:
    put(text, "m.yaml")
    code, out, _ = run("verify", "m.yaml")
    assert code == 1 and re.search(r"^m\.yaml:\d+:\d+ MIG93\d error", out, re.MULTILINE)


def test_a_megabyte_is_answered_in_seconds(run: Said) -> None:
    put("services:\n" + "".join(f"  s{n}: {{image: 'app:1', environment: {{A: '{'x' * 900}'}}}}\n" for n in range(1000)))
    assert run("config", "-q")[0] == 0


def test_interrupted(run: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    put(GOOD)

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("migrate.convert", interrupt)
    assert run("convert")[0] == 130
