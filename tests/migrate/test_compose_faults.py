"""Each class of fault with its code and place, the repair that is assumed, and what no message may show."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from migrate.compose import Project, load
from migrate.findings import Unusable

W = "services:\n  web:\n    image: img\n"


def loaded(folder: Path, text: str, **files: str) -> Project:
    (folder / "compose.yaml").write_text(text, encoding="utf-8")
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content, encoding="utf-8")
    return load(["compose.yaml"], directory=folder, environment={}, project_name="demo")


@pytest.mark.parametrize(
    ("text", "kind", "code", "line", "column"),
    [
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
    ],
)
def test_each_class_has_its_code_and_place(tmp_path: Path, text: str, kind: str, code: str, line: int, column: int) -> None:
    found = [
        (f.code, f.span.line, f.span.column)
        for f in loaded(tmp_path, text).findings
        if f.span and (f.code == kind or f.message.endswith(f"[{kind}]"))
    ]
    assert found[:1] == [(code, line, column)]


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
