"""Each class of fault with its code and place, the repair that is assumed, and what no message may show."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from migrate.compose import faults, load
from migrate.compose.model import Project
from migrate.findings import Finding, Unusable
from migrate.rules import rules

W = "services:\n  web:\n    image: img\n"


def loaded(folder: Path, text: str, **files: str) -> Project:
    (folder / "compose.yaml").write_text(text, encoding="utf-8")
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content, encoding="utf-8")
    return load(["compose.yaml"], directory=folder, environment={}, project_name="demo")


ONE_FILE: Final = [
    (W + "    image: b\n", "duplicate-key", "MIG002", 4, 5),
    (W + "    ports: [8080: 80]\n", "non-string-key", "MIG003", 4, 13),
    (W + "    bogus: 1\n", "unknown-key", "MIG006", 4, 12),
    (W + "network: {}\n", "unknown-key", "MIG006", 4, 1),
    (W + "    user: 1000\n", "wrong-type", "MIG007", 4, 11),
    (W + "    healthcheck: [CMD, x]\n", "wrong-type", "MIG007", 4, 5),
    (W + "    environment:\n", "wrong-type", "MIG007", 4, 5),
    (W + "    ports: [{published: 80}]\n", "missing-key", "MIG008", 4, 13),
    (W + "    volumes: [{type: bindd, source: ./a, target: /x}]\n", "bad-enum", "MIG009", 4, 22),
    (W + "    pull_policy: sometimes\n", "pattern", "MIG009", 4, 18),
    (W + "    user: ${V\n", "interpolation-format", "MIG011", 4, 11),
    (W + "    user: ${V:?give it}\n", "required-variable", "MIG012", 4, 11),
    (W + "    user: x${V}\n", "MIG013", "MIG013", 4, 11),
    (W + "    scale: two\n", "cast", "MIG014", 4, 12),
    (W + "    env_file: nope.env\n", "env-file-missing", "MIG015", 4, 15),
    (W + "    networks: [nope]\n", "undefined-network", "MIG017", 4, 16),
    (W + "    volumes: ['data:/x']\n", "undefined-volume", "MIG018", 4, 15),
    (W + "    secrets: [s]\n", "undefined-secret", "MIG019", 4, 15),
    (W + "    configs: [c]\n", "undefined-config", "MIG020", 4, 15),
    (W + "    build: {context: ., secrets: [s]}\n", "undefined-build-secret", "MIG021", 4, 35),
    (W + "    models: [m]\n", "undefined-model", "MIG022", 4, 14),
    (W + "    depends_on: [nope]\n", "undefined-service", "MIG023", 4, 18),
    (W + "    depends_on: [web]\n", "dependency-cycle", "MIG024", 4, 18),
    (W + "    extends: web\n", "extends-cycle", "MIG025", 4, 14),
    (W + "    extends: nope\n", "extends-not-found", "MIG026", 4, 14),
    (W + "    ports: ['70000:80']\n", "bad-port", "MIG028", 4, 13),
    (W + "    ports: ['1.2.3:80:80']\n", "bad-ip", "MIG029", 4, 13),
    (W + "    extra_hosts: [h]\n", "bad-host", "MIG029", 4, 19),
    (W + "    volumes: ['ab:/b:ro:x']\n", "bad-volume-spec", "MIG030", 4, 15),
    (W + "    stop_grace_period: '30'\n", "bad-duration", "MIG031", 4, 24),
    (W + "    mem_limit: 10x\n", "bad-size", "MIG032", 4, 16),
    (W + '    command: echo "oops\n', "bad-command", "MIG033", 4, 14),
    (W + "    healthcheck: {test: [curl, x]}\n", "bad-healthcheck", "MIG034", 4, 19),
    (W + "  two: {user: u}\n", "no-image-or-build", "MIG035", 4, 3),
    (W + "    network_mode: host\n    networks: [default]\n", "exclusive", "MIG036", 5, 5),
    (W + "    scale: 2\n    deploy: {replicas: 3}\n", "conflict-values", "MIG037", 4, 12),
    (W + "    volumes: ['data:/x']\nvolumes:\n  data: {external: true, driver: x}\n", "conflict-external", "MIG038", 6, 3),
    (W + "secrets:\n  s: {name: x}\n", "resource-source", "MIG039", 5, 3),
    (W + "    container_name: abc\n  two: {image: i, container_name: abc}\n", "container-name-duplicate", "MIG040", 5, 35),
    (W + "    container_name: abc\n    scale: 2\n", "container-name-scale", "MIG041", 4, 21),
    (W + "    volumes: [/x]\n    tmpfs: /x\n", "duplicate-mount", "MIG043", 4, 15),
    (W + "    group_add: [a, a]\n", "not-unique", "MIG002", 4, 20),
    (W + "    build: {context: ., platforms: [a/b]}\n    platform: c/d\n", "platform-mismatch", "MIG037", 5, 15),
    ("web:\n  image: img\n", "MIG051", "MIG051", 1, 1),
    (W + "    command: a && b\n", "MIG056", "MIG056", 4, 14),
    (W + "    labels: {v: 1.10}\n", "MIG057", "MIG057", 4, 17),
    (W + "    volumes: ['d:/x']\nvolumes: {d: }\n", "MIG060", "MIG060", 4, 15),
    (W + "    hostname: a b\n", "MIG063", "MIG063", 4, 15),
    ("version: '3'\n" + W, "MIG050", "MIG050", 1, 10),
    (W + "    networks: [n]\nnetworks: {n: {ipam: {config: [{subnet: 10.0.0.0/40}]}}}\n", "MIG054", "MIG054", 5, 41),
    (W + "    container_name: r.example/x:1\n", "MIG055", "MIG055", 4, 21),
    (W + "    restart: sometimes\n", "MIG009", "MIG009", 4, 14),
    (W + "    image2: a\n  two: {image: 'In Valid'}\n", "MIG009", "MIG009", 5, 16),
    (W + "    volumes: [/x, './a:/x']\n", "MIG043", "MIG043", 4, 19),
    (W + "    secrets: [s, {source: s}]\nsecrets: {s: {file: f}}\n", "MIG043", "MIG043", 4, 18),
    (W + "    ports: ['80:80', '80:81']\n", "MIG052", "MIG052", 4, 22),
    (W + "volumes:\n  v:\n", "MIG058", "MIG058", 5, 3),
    (W + "    environment: ['A =1']\n", "bad-env-name", "MIG007", 4, 19),
    (W + "    deploy: {resources: {limits: {cpus: many}}}\n", "bad-number", "MIG014", 4, 41),
    (W + "    deploy: {replicas: -1}\n", "bad-replicas", "MIG009", 4, 24),
    (W + "include: other.yaml\n", "include-not-a-list", "MIG007", 4, 10),
    (W + "include: [{env_file: x}]\n", "missing-key", "MIG008", 4, 11),
    (W + "    extends: {service: web, fil: x}\n", "MIG006", "MIG006", 4, 34),
    (W + "    build: ./nowhere\n", "MIG004", "MIG004", 4, 12),
    ("name: '***'\n" + W, "project-name", "MIG042", 1, 7),
    ("services: &a {web: *a}\n", "yaml-alias-cycle", "MIG001", 1, 20),
    ("services:\n  web: [\n", "yaml-syntax", "MIG001", 3, 1),
    ("# nothing\n", "file-empty", "MIG005", 1, 1),
    ("- a\n", "wrong-type", "MIG007", 1, 1),
]
"""A file, a class (or code) that it raises, its code, line and column."""

SEVERAL: Final = [
    # files beside compose.yaml (`a.yaml` is given as well if it is there), arguments, class, code, file, line, column
    (W + "    deploy: {}\n", {"a.yaml": "services: {web: {deploy: [x]}}\n"}, {}, "merge-type-conflict", "MIG010", "a.yaml", 1, 18),
    (W + "    ports: ['8080:80']\n", {"a.yaml": "services: {web: {ports: ['9090:80']}}\n"}, {}, "MIG062", "MIG062", "a.yaml", 1, 26),
    (W + "    env_file: v.env\n", {"v.env": "A=1\nA!=1\n"}, {}, "env-file-syntax", "MIG016", "v.env", 2, 2),
    (W + "    env_file: v.env\n", {"v.env": "A=1\nB='x\n"}, {}, "env-file-syntax", "MIG016", "v.env", 2, 3),
    (W + "    env_file: v.env\n", {"v.env": b"A=1\nB=\xff\n"}, {}, "env-file-syntax", "MIG016", "v.env", 2, 3),
    (W + "    env_file: v.env\n", {"v.env": "A=1\n B=${A\n"}, {}, "interpolation-format", "MIG011", "v.env", 2, 4),
    (W + "    env_file: v.env\n", {"v.env": "A=${X:?x}\n"}, {}, "required-variable", "MIG012", "v.env", 1, 3),
    (W + "    env_file: v.env\n", {"v.env": "A= # all\n"}, {}, "MIG061", "MIG061", "v.env", 1, 4),
    (W + "    env_file: v.env\n", {"v.env": "A=1\nB=pa$ss\n"}, {}, "MIG061", "MIG061", "v.env", 2, 3),
    (W + "    env_file: v.env\n", {"v.env": "A='x' y\n"}, {}, "MIG061", "MIG061", "v.env", 1, 6),
    (W + "    env_file: [{path: v.env, format: x}]\n", {"v.env": ""}, {}, "env-file-format", "MIG016", "compose.yaml", 4, 38),
    (W + "    env_file: folder\n", {"folder/x": ""}, {}, "env-file-is-directory", "MIG015", "compose.yaml", 4, 15),
    (W, {"folder/x": ""}, {"env_files": ["folder"]}, "env-file-is-directory", "MIG015", "folder", 1, 1),
    (W, {}, {"env_files": ["nope.env"]}, "env-file-missing", "MIG015", "nope.env", 1, 1),
    (W + "    label_file: l\n", {}, {}, "file-missing", "MIG004", "compose.yaml", 4, 17),
    (W + "    extends: {file: e.yaml, service: x}\n", {}, {}, "file-missing", "MIG004", "compose.yaml", 4, 21),
    ("include: [i.yaml]\n" + W, {}, {}, "file-missing", "MIG004", "compose.yaml", 1, 11),
    ("include: [i.yaml]\n" + W, {"i.yaml": "services: {a: [}\n"}, {}, "yaml-syntax", "MIG001", "i.yaml", 1, 16),
    ("include: [i.yaml]\n" + W, {"i.yaml": "a: 1\nservices: {s: {image: i}}\n"}, {}, "unknown-key", "MIG006", "i.yaml", 1, 4),
    ("include: [i.yaml]\n" + W, {"i.yaml": "include: [compose.yaml]\n"}, {}, "include-cycle", "MIG025", "i.yaml", 1, 11),
    (
        "include: [i.yaml, j.yaml]\n" + W,
        {"i.yaml": "services: {s: {image: i}}\n", "j.yaml": "services: {s: {image: j}}\n"},
        {}, "include-conflict", "MIG027", "j.yaml", 1, 12,
    ),
    (
        W + "    extends: {file: e.yaml, service: x}\n",
        {"e.yaml": "services:\n  x: {extends: {file: compose.yaml, service: web}}\n"},
        {}, "extends-cycle", "MIG025", "e.yaml", 2, 7,
    ),
    (W + "  two: {image: i, profiles: [p]}\n", {}, {"profiles": ["q"]}, "MIG059", "MIG059", None, 0, 0),
    (W, {}, {"project_name": "Not Legal"}, "project-name", "MIG042", None, 0, 0),
    (W + "    env_file: ../v.env\n", {"../v.env": "A=1\n"}, {}, "MIG424", "MIG424", "compose.yaml", 4, 15),
    (W, {"compose.yml": W}, {"files": []}, "MIG058", "MIG058", "compose.yaml", 1, 1),
    (W, {}, {"files": ["nope.yaml"]}, "file-missing", "MIG004", "nope.yaml", 1, 1),
]  # fmt: skip


def findings_of(folder: Path, text: str, files: Mapping[str, str | bytes], arguments: Mapping[str, Any]) -> Sequence[Finding]:
    """What loading tells, whether or not anything is left."""
    for name, content in {"compose.yaml": text, **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    given = {"files": ["compose.yaml", *(name for name in files if name == "a.yaml")], "project_name": None, **arguments}
    try:
        return load(directory=folder, environment={}, **given).findings
    except Unusable as refused:
        return refused.findings


def places(findings: Sequence[Finding], kind: str) -> list[tuple[str, str | None, int, int]]:
    """Code, file, line and column of the findings of a class."""
    chosen = [f for f in findings if f.code == kind or f.message.endswith(f"[{kind}]")]
    return [(f.code, f.span.file, f.span.line, f.span.column) if f.span else (f.code, None, 0, 0) for f in chosen]


@pytest.mark.parametrize(("text", "kind", "code", "line", "column"), ONE_FILE)
def test_each_class_has_its_code_and_place(tmp_path: Path, text: str, kind: str, code: str, line: int, column: int) -> None:
    assert places(findings_of(tmp_path, text, {}, {}), kind)[:1] == [(code, "compose.yaml", line, column)]


@pytest.mark.parametrize(("text", "files", "arguments", "kind", "code", "file", "line", "column"), SEVERAL)
def test_classes_of_several_files(
    tmp_path: Path,
    text: str,
    files: dict[str, str | bytes],
    arguments: dict[str, Any],
    kind: str,
    code: str,
    file: str | None,
    line: int,
    column: int,
) -> None:
    folder = tmp_path / "here"
    assert places(findings_of(folder, text, files, arguments), kind)[:1] == [(code, file, line, column)]


def raised() -> set[str]:
    """Every class and code that stands in the code of the loader as a text of its own."""
    folder = Path(faults.__file__).parent
    found: set[str] = set()
    for path in (*folder.glob("*.py"), folder.parent / "source.py"):
        if path.name != "faults.py":
            texts = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
            found |= {
                text for text in texts if isinstance(text, str) and re.fullmatch(r"MIG\d{3}|[a-z]+(-[a-z]+)+|cast|pattern|exclusive", text)
            }
    return {kind for kind in found if kind.startswith("MIG") or kind in faults.classes()}


def test_every_class_that_the_loader_can_raise_is_in_the_tables() -> None:
    told = {row[1] for row in ONE_FILE} | {row[3] for row in SEVERAL}
    assert told == raised()
    assert set(faults.classes()) <= told, "a class of the catalogue that nothing raises"


def test_every_code_of_the_loader_is_in_the_tables() -> None:
    told = {row[2] for row in ONE_FILE} | {row[4] for row in SEVERAL}
    elsewhere = {"MIG053"}  # the inventory of addresses tells it
    assert told | elsewhere >= {code for code in rules() if code.startswith("MIG0")}


TWELVE: Final = """\
services:
  web:
    image: img
    prots: ['80:80']
    ports: ['80:http']
    networks: [fornt]
    volumes: ['data:/x', 'ab:/b:ro:x']
    depends_on: [dbb]
    healthcheck: {test: [curl, x], interval: 30}
    command: echo "oops
    mem_limit: 10x
    environment: {A: '${A', B: '${B:?give B}'}
  db: {user: u}
  web2: {image: img, container_name: abc, deploy: {replicas: 2}}
networks: {front: }
"""


def test_twelve_faults_of_one_file_come_at_once(tmp_path: Path) -> None:
    found = [f for f in findings_of(tmp_path, TWELVE, {}, {}) if f.severity == "error" and f.span]
    assert [(f.code, f.span.line, f.span.column) for f in found if f.span] == [
        ("MIG006", 4, 5), ("MIG028", 5, 13), ("MIG017", 6, 16), ("MIG018", 7, 15), ("MIG030", 7, 26), ("MIG023", 8, 18), ("MIG034", 9, 19),
        ("MIG007", 9, 46), ("MIG033", 10, 14), ("MIG032", 11, 16), ("MIG011", 12, 22), ("MIG012", 12, 32), ("MIG035", 13, 3),
        ("MIG041", 14, 38),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (W + "    enviroment: {A: 1}\n", "environment is assumed"),
        (W + "    stopGracePeriod: 1s\n", "did you mean stop_grace_period?"),
        (W + "    networkMode: host\n", "network_mode is assumed"),
        (W + "    net: host\n", "did you mean network_mode?"),
        (W + "    interval: 5s\n", "did you mean healthcheck.interval?"),
        (W + "    replicas: 5\n", "did you mean deploy.replicas?"),
        (W + "    secret: [a]\n", "secrets is assumed"),
        (W + "    deploy: {labels: {a: b}, memory: 5m, volumes: [a]}\n", "did you mean services.NAME.volumes?"),
        (W + "command: x\n", "did you mean services.NAME.command?"),
        (W + "    volumes: ['dta:/x']\nvolumes: {data: }\n", "did you mean data?"),
        (W + "    secrets: [tokn]\nsecrets: {token: {file: f}}\n", "did you mean token?"),
        (W + "    configs: [cnf]\nconfigs: {conf: {file: f}}\n", "did you mean conf?"),
        (W + "    build: {context: ., secrets: [tokn]}\nsecrets: {token: {file: f}}\n", "did you mean token?"),
        (W + "    models: [llmm]\nmodels: {llm: {model: m}}\n", "did you mean llm?"),
        (W + "    depends_on: [databse]\n  database: {image: i}\n", "did you mean database?"),
        (W + "    extends: bse\n  base: {image: i}\n", "did you mean base?"),
        (W + "    networks: [fornt]\nnetworks: {back: , front: }\n", "'front' is assumed, the nearest name"),
        (
            W + "    networks: {a: {ipv4_address: 10.0.0.4}}\nnetworks: {b: , c: {ipam: {config: [{subnet: 10.0.0.0/24}]}}}\n",
            "'c' is assumed: its subnet 10.0.0.0/24 holds all the fixed addresses (10.0.0.4), and no service uses it",
        ),
        (W + "    restart: alway\n    pull_policy: alwys\n", "not of the form"),
        (W + "    depends_on: {web2: {condition: healthy}}\n  web2: {image: i}\n", "service_healthy is assumed"),
    ],
)
def test_messages_name_the_nearest_right_thing(tmp_path: Path, text: str, hint: str) -> None:
    assert [f.message for f in findings_of(tmp_path, text, {}, {}) if hint in f.message]


def test_an_unknown_profile_names_the_nearest(tmp_path: Path) -> None:
    found = findings_of(tmp_path, W + "  two: {image: i, profiles: [debug]}\n", {}, {"profiles": ["debgu"]})
    assert [f.message for f in found if f.code == "MIG059"] == ["profile 'debgu' is that of no service; did you mean debug?"]


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    text = "services:\n  a: {image: 7, ports: ['x'], networks: [n]}\n  b: {imag: i, depends_on: [zz]}\n  c: {user: u}\n"
    found = {finding.code for finding in loaded(tmp_path, text).findings}
    assert {"MIG006", "MIG007", "MIG017", "MIG023", "MIG028", "MIG035"} <= found


def test_the_repairs(tmp_path: Path) -> None:
    text = (
        "services:\n"
        "  a: {imagee: i, ports: '80:80', stop_grace_period: '30', depends_on: {b: {restart: true}}, user: 5, healthcheck: {test: [x]}}\n"
        "  b: {image: '${IMAGE:?}', networks: [frnt], environment: [{A: 1}]}\n"
        "networks: {front: }\n"
    )
    project = loaded(tmp_path, text)
    a, b = project.services["a"], project.services["b"]
    assert (a.image, a.ports[0].published, a.data["stop_grace_period"], a.data["user"]) == ("i", 80, "30s", "5")
    assert a.depends_on["b"].condition == "service_started"
    assert a.healthcheck is not None
    assert a.healthcheck.test == ("CMD", "x")
    assert (b.image, list(b.networks), b.environment["A"].value) == ("CHANGE_ME", ["front"], "1")


def test_an_undefined_network_without_likely_one_is_new(tmp_path: Path) -> None:
    project = loaded(tmp_path, W + "    networks: [far_away]\nnetworks: {one: , two: }\n")
    assert list(project.networks) == ["far_away"]


def test_two_kinds_in_two_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(W + "    deploy: {replicas: 1}\n")
    (tmp_path / "b.yaml").write_text("services: {web: {deploy: [a]}}\n")
    project = load(["a.yaml", "b.yaml"], directory=tmp_path, environment={})
    assert ["[merge-type-conflict]" in f.message for f in project.findings] == [True, True] or any(
        f.code == "MIG010" for f in project.findings
    )
    assert project.services["web"].replicas == 1


def test_an_override_adds_a_port(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(W + "    ports: ['8080:80']\n")
    (tmp_path / "b.yaml").write_text("services: {web: {ports: ['9090:80']}}\n")
    project = load(["a.yaml", "b.yaml"], directory=tmp_path, environment={})
    assert [(f.code, str(f.span)) for f in project.findings] == [("MIG062", "b.yaml:1:26")]


@pytest.mark.parametrize("content", ["A B=1\n", "A!=1\n", "A='x\n"])
def test_an_env_file_line_that_cannot_be_read(tmp_path: Path, content: str) -> None:
    project = loaded(tmp_path, W + "    env_file: v.env\n", v__env=f"OK=1\n{content}")
    assert [(f.code, f.span.file, f.span.line) for f in project.findings if f.span] == [("MIG016", "v.env", 2)]
    assert project.services["web"].environment["OK"].value == "1"


def test_no_message_tells_a_value(tmp_path: Path) -> None:
    environment = "{A: '${X!hunter2}', B: '${X:-hunter2', C: 1.hunter2, D: 007, E: [hunter2]}"
    text = W + f'    environment: {environment}\n    env_file: v.env\n    command: x "hunter2\n'
    project = loaded(tmp_path, text, v__env="A!=hunter2\nB='hunter2\nC=${X!hunter2}\n")
    assert len(project.findings) >= 6
    assert not [f for f in project.findings if "hunter2" in f.message + f.advice]


@pytest.mark.parametrize("what", ["directory", "fifo", "missing", "bytes", "nul", "empty", "list", "loop"])
def test_a_file_that_is_none(tmp_path: Path, what: str) -> None:
    path = tmp_path / "compose.yaml"
    if what == "directory":
        path.mkdir()
    elif what == "fifo":
        os.mkfifo(path)
    elif what == "loop":
        path.symlink_to(path)
    elif what != "missing":
        path.write_bytes({"bytes": b"a:\n  b: \xff", "nul": b"a: \0", "empty": b"# nothing\n", "list": b"- a\n"}[what])
    with pytest.raises(Unusable) as refused:
        load(["compose.yaml"], directory=tmp_path, environment={})
    (finding,) = refused.value.findings
    assert finding.span is not None
    assert (finding.span.file, finding.span.line) == ("compose.yaml", 2 if what == "bytes" else 1)


def test_files_that_a_file_names_are_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    text = "include: [pipe]\n" + W + "    env_file: pipe\n  two: {image: i, extends: {file: pipe, service: x}}\n"
    assert sorted(f.code for f in loaded(tmp_path, text).findings) == ["MIG004", "MIG004", "MIG015"]


def test_chains_and_fans_are_bounded(tmp_path: Path) -> None:
    chain = "services:\n" + "".join(f"  s{i}: {{image: i, extends: s{i + 1}}}\n" for i in range(2000)) + "  s2000: {image: i}\n"
    assert "MIG025" in {f.code for f in loaded(tmp_path, chain).findings}
    for i in range(24):
        (tmp_path / f"c{i}.yaml").write_text(f"include: [c{i + 1}.yaml, c{i + 1}.yaml]\nservices: {{s{i}: {{image: i}}}}\n")
    (tmp_path / "c24.yaml").write_text("services: {last: {image: i}}\n")
    assert len(loaded(tmp_path, "include: [c0.yaml]\n" + W).services) == 26


def test_a_long_chain_of_dependencies_is_no_recursion(tmp_path: Path) -> None:
    circle = "services:\n" + "".join(f"  s{i}: {{image: i, depends_on: [s{(i + 1) % 1500}]}}\n" for i in range(1500))
    assert [f.code for f in loaded(tmp_path, circle).findings] == ["MIG024"]


def test_control_characters_stay_in_the_file(tmp_path: Path) -> None:
    project = loaded(tmp_path, W + '    "\\e[31mred": 1\n')
    assert not any("\x1b" in f.message + (f.path or "") for f in project.findings)
